
/*
 * The verbs, against a Redis of the test's own: each result of each verb,
 * news and audit, what a verb refuses to send, and two who revoke at once.
 */

#include "pki_test_store.h"

#include <pthread.h>


#define TEST_RACES  200


typedef struct {
    pki_reason_t        reason;
    test_got_t          got[TEST_RACES];
    int                 failed;
} test_racer_t;


static void test_record(void);
static void test_revocations(void);
static void test_line(void);
static void test_status(char status);
static void test_history(unsigned char serial, const char *want);
static void test_audit(void);
static void test_audit_entry(redisReply *entry, const char *want);
static void test_find_objects(void);
static void test_synced_at(pki_store_query_t *query, const char *a,
    const char *b, time_t at, const char *what);
static void test_refused(void);
static void test_race(void);
static void *test_racer(void *data);


int
main(void)
{
    pki_err_t  err;

    test_start();

    test_record();
    test_revocations();
    test_audit();
    test_line();
    test_find_objects();
    test_refused();
    test_race();

    is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "still connected");

    test_stop();

    return pki_test_done();
}


static void
test_record(void)
{
    test_got_t  got;

    test_find(&got, 1);
    is_int(got.result, PKI_STORE_DONE, "found nothing");
    is_int(got.found.facts.recorded, 0, "not recorded");
    is_int(got.found.facts.manual, PKI_REASON_NONE, "not revoked");
    is_int(got.found.revocation.reason, PKI_REASON_NONE, "in no way");
    is_int(got.found.facts.nobjects, 0, "no objects");

    test_set("SET pki:{ca}:cert:4001 %s", "1 10 20 API Jo Do");

    test_find(&got, 1);
    is_int(got.result, PKI_STORE_DONE, "found");
    is_int(got.found.facts.recorded, 1, "recorded");
    is_int(got.found.record.not_after, 20, "the record's time");
    is_str(got.found.record.requester, "Jo Do", "the record's requester");
    is_int(got.found.record.page, 0, "it has no line");

    test_set("SET pki:{ca}:cert:4001 %s", "2 10 20 API 3 700 90 5-0 Jo Do");
    test_find(&got, 1);
    is_int(got.result, PKI_STORE_DONE, "found");
    is_str(got.found.record.requester, "Jo Do", "the record's requester");
    is_int(got.found.record.page, 3, "its line is in a page");
    is_int(got.found.record.offset, 700, "where");
    is_int(got.found.record.length, 90, "how long");
}


static void
test_revocations(void)
{
    test_got_t  got;

    test_revoke(&got, 2, PKI_REASON_SUPERSEDED, 500, 0);
    is_int(got.result, PKI_STORE_NOT_FOUND, "not recorded");
    ok(!got.has_present, "nothing is present");
    test_release(&got, 2);
    is_int(got.result, PKI_STORE_NOT_FOUND, "nothing to release");
    test_news(NULL);

    test_revoke(&got, 2, PKI_REASON_SUPERSEDED, 500, 1);
    is_int(got.result, PKI_STORE_DONE, "revoked unrecorded");
    test_news("cert:ca:4002");

    test_revoke(&got, 1, PKI_REASON_CERTIFICATE_HOLD, 500, 0);
    is_int(got.result, PKI_STORE_DONE, "put on hold");
    ok(got.has_present, "which is present");
    is_int(got.present.at, 500, "since then");
    test_news("cert:ca:4001");
    test_string("1 6 500 7 Jo Do", "HGET pki:{ca}:revoked 4001");

    test_revoke(&got, 1, PKI_REASON_CERTIFICATE_HOLD, 600, 0);
    is_int(got.result, PKI_STORE_SAME, "on hold before");
    is_int(got.present.at, 500, "and still since then");
    is_int(got.present.invalidity, 7, "with its invalidity");
    is_str(got.present.who, "Jo Do", "by whom");
    test_news(NULL);

    test_release(&got, 1);
    is_int(got.result, PKI_STORE_DONE, "released");
    ok(!got.has_present, "nothing is present now");
    test_news("cert:ca:4001");
    test_find(&got, 1);
    is_int(got.found.facts.manual, PKI_REASON_NONE, "indeed");

    test_revoke(&got, 1, PKI_REASON_CERTIFICATE_HOLD, 500, 0);
    is_int(got.result, PKI_STORE_DONE, "on hold again");
    test_news("cert:ca:4001");

    test_revoke(&got, 1, PKI_REASON_KEY_COMPROMISE, 600, 0);
    is_int(got.result, PKI_STORE_DONE, "from hold to final");
    is_int(got.present.reason, PKI_REASON_KEY_COMPROMISE, "the new reason");
    is_int(got.present.at, 500, "the hold's time");
    test_news("cert:ca:4001");

    test_find(&got, 1);
    is_int(got.found.facts.manual, PKI_REASON_KEY_COMPROMISE, "found so");
    is_int(got.found.facts.manual_at, 500, "and since when");
    is_str(got.found.revocation.who, "Jo Do", "and by whom");

    test_revoke(&got, 1, PKI_REASON_KEY_COMPROMISE, 700, 0);
    is_int(got.result, PKI_STORE_SAME, "the same reason");
    test_revoke(&got, 1, PKI_REASON_CERTIFICATE_HOLD, 700, 0);
    is_int(got.result, PKI_STORE_CONFLICT, "from final to hold");
    is_int(got.present.reason, PKI_REASON_KEY_COMPROMISE, "what is present");
    test_revoke(&got, 1, PKI_REASON_SUPERSEDED, 700, 0);
    is_int(got.result, PKI_STORE_CONFLICT, "another final reason");
    test_release(&got, 1);
    is_int(got.result, PKI_STORE_CONFLICT, "a final one is not released");
    is_int(got.present.at, 500, "what is present");
    test_news(NULL);

    test_revoke(&got, 3, PKI_REASON_CERTIFICATE_HOLD, 500, 1);
    test_news("cert:ca:4003");
    test_revoke(&got, 3, PKI_REASON_UNSPECIFIED, 400, 0);
    is_int(got.result, PKI_STORE_DONE, "final, from before the hold");
    is_int(got.present.at, 400, "the earlier time");
    test_news("cert:ca:4003");
}


static void
test_audit(void)
{
    size_t       i, n;
    redisReply  *entries;

    static const char *const  want[] = {
        "revoke 4002 4 Jo ::1 lost 1000", "revoke 4001 6 Jo ::1 lost 1000",
        "release 4001 6 Jo ::1 lost 1000", "revoke 4001 6 Jo ::1 lost 1000",
        "upgrade 4001 1 Jo ::1 lost 1000", "revoke 4003 6 Jo ::1 lost 1000",
        "upgrade 4003 0 Jo ::1 lost 1000"
    };

    n = sizeof(want) / sizeof(want[0]);
    entries = test_redis("XRANGE pki:{ca}:audit - +");

    is_int(entries->elements, n, "an entry for each change");

    for (i = 0; i < n && i < entries->elements; i++) {
        test_audit_entry(entries->element[i]->element[1], want[i]);
    }

    freeReplyObject(entries);
}


static void
test_audit_entry(redisReply *entry, const char *want)
{
    char    text[400];
    size_t  i, len;

    static const char *const  names[] = {
        "action", "serial", "reason", "who", "from", "why", "at"
    };

    is_int(entry->elements, 14, "seven fields");

    len = 0;
    text[0] = '\0';

    for (i = 0; i + 1 < entry->elements && i < 14; i += 2) {
        ok(strcmp(entry->element[i]->str, names[i / 2]) == 0, "%s",
           names[i / 2]);
        len += snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "",
                        entry->element[i + 1]->str);
    }

    is_str(text, want, "entry: %s", want);
}


/* Of the line of a certificate only its status changes, and only of that. */

static void
test_line(void)
{
    test_got_t  got;

    test_set("SET pki:{ca}:page:3 %s", "-\tone\n-\ttwo\n-\tthree\n");
    test_set("SET pki:{ca}:cert:4051 %s", "2 10 20 API 3 6 6 5-0 Jo");

    test_revoke(&got, 0x51, PKI_REASON_CERTIFICATE_HOLD, 500, 0);
    test_news("cert:ca:4051");
    test_status('6');
    test_release(&got, 0x51);
    test_news("cert:ca:4051");
    test_status('-');
    test_revoke(&got, 0x51, PKI_REASON_AA_COMPROMISE, 500, 0);
    test_news("cert:ca:4051");
    test_status('A');

    test_history(0x51, "revoke release revoke");
    test_history(0x52, "");

    test_set("SET pki:{ca}:cert:4052 %s", "2 10 20 API 3 1 6 5-0 Jo");
    test_revoke(&got, 0x52, PKI_REASON_SUPERSEDED, 500, 0);
    test_news("cert:ca:4052");
    is_int(got.result, PKI_STORE_DONE, "its line is elsewhere");
    test_set("SET pki:{ca}:cert:4053 %s", "2 10 20 API 3 4000 6 5-0 Jo");
    test_revoke(&got, 0x53, PKI_REASON_SUPERSEDED, 500, 0);
    test_news("cert:ca:4053");
    is_int(got.result, PKI_STORE_DONE, "its line is behind the end");
    test_set("SET pki:{ca}:cert:4054 %s", "2 10 20 API 4 0 6 5-0 Jo");
    test_revoke(&got, 0x54, PKI_REASON_SUPERSEDED, 500, 0);
    test_news("cert:ca:4054");
    is_int(got.result, PKI_STORE_DONE, "its page is not there");
    test_status('A');

    test_history(0x52, "revoke");
}


/* Nothing else has changed. */

static void
test_status(char status)
{
    char         want[] = "-\tone\n-\ttwo\n-\tthree\n";
    redisReply  *page;

    want[6] = status;

    page = test_redis("GET pki:{ca}:page:3");
    ok(page->type == REDIS_REPLY_STRING && strcmp(page->str, want) == 0,
       "the status in the page is %c", status);
    freeReplyObject(page);
}


/* The list of ids leads to these actions. */

static void
test_history(unsigned char serial, const char *want)
{
    char         text[200];
    size_t       i, len;
    redisReply  *ids, *entry;

    ids = test_redis("LRANGE pki:{ca}:history:40%02X 0 -1", serial);
    text[0] = '\0';

    for (len = 0, i = 0; i < ids->elements; i++) {
        entry = test_redis("XRANGE pki:{ca}:audit %s %s",
                           ids->element[i]->str, ids->element[i]->str);

        if (entry->elements == 1) {
            len += snprintf(text + len, sizeof(text) - len, "%s%s",
                            len ? " " : "",
                            entry->element[0]->element[1]->element[1]->str);
        }

        freeReplyObject(entry);
    }

    freeReplyObject(ids);
    is_str(text, want, "history: %s", want);
}


static void
test_find_objects(void)
{
    char                id[32], directory[8];
    unsigned            i;
    pki_err_t           err;
    test_got_t          got;
    pki_store_query_t   query;
    pki_object_fact_t  *object;

    static char  ids[PKI_FACTS_OBJECTS][32], directories[8][8];

    memset(&query, 0, sizeof(query));
    memset(&got, 0, sizeof(got));
    query.issuer = "ca";
    query.serial = test_serial(1);
    query.nobjects = PKI_FACTS_OBJECTS;

    for (i = 0; i < PKI_FACTS_OBJECTS; i++) {
        (void) snprintf(directories[i], sizeof(directories[i]), "d%u", i % 4);
        (void) snprintf(ids[i], sizeof(ids[i]), "device/%u", i);

        query.objects[i].directory = directories[i];
        query.objects[i].id = ids[i];
        query.objects[i].max_age = 60 + i;
        query.objects[i].last = i % 2;
        query.objects[i].group = i / 4;

        if (i != 5) {
            test_set("SET pki:{d%u}:object:device/%u %s", i % 4, i,
                     i == 0 ? "1 0 0" : i == 1 ? "1 1 77 user/x" : "1 1 77");
        }

        if (i % 4 != 3) {
            test_set("HSET pki:{d%u}:sync push.at %u", i % 4, 800 + i % 4);
        }
    }

    pki_store_find(test_transport, &query, test_found, &got);

    memset(directories, 'z', sizeof(directories));
    memset(ids, 'z', sizeof(ids));
    memset(&query, 0, sizeof(query));

    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.calls, 1, "called once, after the last reply");
    is_int(got.result, PKI_STORE_DONE, "found");
    is_int(got.found.facts.nobjects, PKI_FACTS_OBJECTS, "all objects");
    is_int(got.found.facts.recorded, 1, "and the record");
    is_int(got.found.facts.manual, PKI_REASON_KEY_COMPROMISE,
           "and the revocation");

    for (i = 0; i < PKI_FACTS_OBJECTS; i++) {
        object = &got.found.facts.objects[i];

        is_int(object->found, i != 5, "object %u is there", i);
        is_int(object->state, i != 0 && i != 5, "its state");
        is_int(object->since, i != 0 && i != 5 ? 77 : 0, "its time");
        is_int(object->synced_at, i % 4 == 3 ? 0 : 800 + i % 4,
               "its directory's time");
        is_int(object->max_age, 60 + i, "its age");
        is_int(object->last, i % 2, "what is asked when it is older");
        is_int(object->group, i / 4, "its group");
        is_str(got.found.aliases[i], i == 1 ? "user/x" : "", "its alias");
    }

    (void) snprintf(id, sizeof(id), "device/0");
    (void) snprintf(directory, sizeof(directory), "d0");
    query.issuer = "ca";
    query.serial = test_serial(9);
    query.nobjects = 1;
    query.objects[0].directory = directory;
    query.objects[0].id = id;

    test_set("HSET pki:{d0}:sync push.at yesterday");
    pki_store_find(test_transport, &query, test_found, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_FAILED, "a bad time of a round");

    test_synced_at(&query, "devices", NULL, 0, "no round of a resource");
    test_set("HSET pki:{d0}:sync devices.at 700 users.at 650");
    test_synced_at(&query, "devices", NULL, 700, "the resource's round");
    test_synced_at(&query, "devices", "users", 650, "the earliest of two");
    test_synced_at(&query, "users", "devices", 650, "in any order");
    test_synced_at(&query, "devices", "more", 0, "one of two is missing");
    test_synced_at(&query, "more", "users", 0, "the other is missing");
    test_synced_at(&query, "a b", NULL, -1, "a bad resource");
    test_synced_at(&query, "devices", "", -1, "an empty one");
}


/* -1: it fails */

static void
test_synced_at(pki_store_query_t *query, const char *a, const char *b,
    time_t at, const char *what)
{
    pki_err_t   err;
    test_got_t  got;

    memset(&got, 0, sizeof(got));
    query->objects[0].resources[0] = a;
    query->objects[0].resources[1] = b;

    pki_store_find(test_transport, query, test_found, &got);
    is_int(got.calls, 0, "not called inside");
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.calls, 1, "called once");

    if (at == -1) {
        is_int(got.result, PKI_STORE_FAILED, "%s", what);

    } else {
        is_int(got.found.facts.objects[0].synced_at, at, "%s", what);
    }
}


static void
test_refused(void)
{
    char                long_id[PKI_OWNER_SIZE + 1];
    pki_err_t           err;
    test_got_t          got;
    pki_actor_t         actor;
    pki_serial_t        sn, none, zero;
    pki_revocation_t    revocation;
    pki_store_query_t   query;

    memset(&got, 0, sizeof(got));
    memset(&none, 0, sizeof(none));
    memset(&zero, 0, sizeof(zero));
    zero.len = 1;
    sn = test_serial(0x30);
    memset(&revocation, 0, sizeof(revocation));
    memset(&query, 0, sizeof(query));
    memset(long_id, 'x', PKI_OWNER_SIZE);
    long_id[PKI_OWNER_SIZE] = '\0';

#define test_fails(n, ...)                                                  \
    is_int(got.calls, (n) - 1, "not called inside");                        \
    (void) pki_redis_sync_wait(test_sync, &err);                            \
    is_int(got.calls, n, "called once");                                    \
    is_int(got.result, PKI_STORE_FAILED, __VA_ARGS__);                      \
    ok(got.error[0] != '\0', "in words: %s", got.error)

    query.issuer = "c a";
    query.serial = sn;
    pki_store_find(test_transport, &query, test_found, &got);
    test_fails(1, "find: a bad issuer");

    query.issuer = "ca";
    query.serial = none;
    pki_store_find(test_transport, &query, test_found, &got);
    test_fails(2, "find: no serial");

    query.serial = sn;
    query.nobjects = PKI_FACTS_OBJECTS + 1;
    pki_store_find(test_transport, &query, test_found, &got);
    test_fails(3, "find: too many objects");

    query.nobjects = 1;
    query.objects[0].directory = "d";
    query.objects[0].id = long_id;
    pki_store_find(test_transport, &query, test_found, &got);
    test_fails(4, "find: a long id");

    revocation.reason = 7;
    pki_store_revoke(test_transport, "ca", &sn, &revocation, &test_actor, 1,
                     test_changed, &got);
    test_fails(5, "revoke: a bad reason");

    revocation.reason = 1;
    revocation.at = -1;
    pki_store_revoke(test_transport, "ca", &sn, &revocation, &test_actor, 1,
                     test_changed, &got);
    test_fails(6, "revoke: a bad time");

    revocation.at = 1;
    pki_store_revoke(test_transport, "ca", &zero, &revocation, &test_actor,
                     1, test_changed, &got);
    test_fails(7, "revoke: serial zero");

    actor = test_actor;
    actor.at = -1;
    pki_store_release(test_transport, "ca", &sn, &actor, test_changed, &got);
    test_fails(8, "release: a bad time");
}


static void
test_race(void)
{
    int           i, j, done;
    char          owner[PKI_OWNER_SIZE];
    pthread_t     thread[2];
    pki_serial_t  sn;

    static test_racer_t  racers[2];

    racers[0].reason = PKI_REASON_KEY_COMPROMISE;
    racers[1].reason = PKI_REASON_SUPERSEDED;

    for (i = 0; i < 2; i++) {
        if (pthread_create(&thread[i], NULL, test_racer, &racers[i]) != 0) {
            printf("Bail out! no thread\n");
            exit(1);
        }
    }

    for (i = 0; i < 2; i++) {
        (void) pthread_join(thread[i], NULL);
        is_int(racers[i].failed, 0, "all answered");
    }

    done = 0;

    for (i = 0; i < TEST_RACES; i++) {
        for (j = 0; j < 2; j++) {
            if (racers[j].got[i].calls != 1
                || (racers[j].got[i].result != PKI_STORE_DONE
                    && racers[j].got[i].result != PKI_STORE_CONFLICT))
            {
                done += 100;
            }
        }

        done += (racers[0].got[i].result == PKI_STORE_DONE)
                != (racers[1].got[i].result == PKI_STORE_DONE);

        sn = test_serial((unsigned char) i);
        (void) pki_owner_cert(owner, "race", &sn);
        test_news(owner);
    }

    is_int(done, TEST_RACES, "each was revoked by exactly one");
    test_news(NULL);
}


static void *
test_racer(void *data)
{
    test_racer_t *racer = data;

    int                i;
    pki_err_t          err;
    pki_serial_t       sn;
    pki_revocation_t   revocation;
    pki_redis_sync_t  *sync;

    memset(&revocation, 0, sizeof(revocation));
    revocation.reason = racer->reason;
    sync = test_connect();

    for (i = 0; i < TEST_RACES; i++) {
        sn = test_serial((unsigned char) i);
        pki_store_revoke(pki_redis_sync_transport(sync), "race", &sn,
                         &revocation, &test_actor, 1, test_changed,
                         &racer->got[i]);

        if (pki_redis_sync_wait(sync, &err) != PKI_OK) {
            racer->failed++;
        }
    }

    pki_redis_sync_destroy(sync);

    return NULL;
}

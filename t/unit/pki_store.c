
/*
 * The verbs, against a Redis of the test's own: each result of each verb,
 * news and audit, two who revoke at once, values that nobody should have
 * put there, no memory, and Redis dying in the middle.
 */

#include "pki_test.h"
#include "pki_test_redis.h"
#include "pki_test_transport.h"
#include "pki_redis_sync.h"
#include "pki_store.h"

#include <pthread.h>


#define TEST_RACES  200


typedef struct {
    int                 calls;
    pki_store_result_t  result;
    long long           n;
    int                 has_present;
    pki_revocation_t    present;
    pki_store_found_t   found;
    char                error[300];
} test_got_t;


typedef struct {
    pki_reason_t        reason;
    test_got_t          got[TEST_RACES];
    int                 failed;
} test_racer_t;


static void test_found(void *data, const pki_store_found_t *found);
static void test_changed(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error);
static void test_done(void *data, pki_store_result_t result, long long n,
    const char *error);
static pki_redis_sync_t *test_connect(void);
static redisReply *test_redis(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
static void test_set(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
static void test_string(const char *want, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void test_news(const char *want);
static pki_serial_t test_serial(unsigned char last);
static void test_revoke(test_got_t *got, unsigned char serial, int reason,
    time_t at, int unrecorded);
static void test_release(test_got_t *got, unsigned char serial);
static void test_find(test_got_t *got, unsigned char serial);

static void test_record(void);
static void test_revocations(void);
static void test_audit(void);
static void test_audit_entry(redisReply *entry, const char *want);
static void test_lease(void);
static void test_apply(void);
static void test_commit(void);
static void test_find_objects(void);
static void test_garbage(void);
static void test_wrong_type(void);
static void test_refused(void);
static void test_race(void);
static void *test_racer(void *data);
static void test_find_replies(void);
static void test_changed_replies(void);
static void test_done_replies(void);
static void test_no_memory(void);
static void test_killed(void);


static pki_redis_sync_t  *test_sync;
static pki_redis_t        *test_transport;
static redisContext       *test_plain;
static redisContext       *test_subscriber;

static const pki_actor_t  test_actor = { "Jo", "::1", "lost", 1000 };


int
main(void)
{
    pki_err_t  err;

    pki_test_alloc_hook();
    pki_test_redis_start("--maxmemory-policy", "noeviction");

    test_sync = test_connect();
    test_transport = pki_redis_sync_transport(test_sync);
    test_plain = redisConnectUnix(pki_test_socket);
    test_subscriber = redisConnectUnix(pki_test_socket);

    freeReplyObject(redisCommand(test_subscriber, "SUBSCRIBE pki:news"));

    test_record();
    test_revocations();
    test_audit();
    test_lease();
    test_apply();
    test_commit();
    test_find_objects();
    test_garbage();
    test_wrong_type();
    test_refused();
    test_race();
    test_find_replies();
    test_changed_replies();
    test_done_replies();
    test_no_memory();

    is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "still connected");

    test_killed();

    redisFree(test_plain);
    redisFree(test_subscriber);
    pki_redis_sync_destroy(test_sync);

    return pki_test_done();
}


static void
test_found(void *data, const pki_store_found_t *found)
{
    test_got_t  *got = data;

    got->calls++;
    got->result = found->result;
    got->found = *found;
    (void) snprintf(got->error, sizeof(got->error), "%s",
                    found->error ? found->error : "");
}


static void
test_changed(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error)
{
    test_got_t  *got = data;

    got->calls++;
    got->result = result;
    got->has_present = present != NULL;

    if (present != NULL) {
        got->present = *present;
    }

    (void) snprintf(got->error, sizeof(got->error), "%s", error ? error : "");
}


static void
test_done(void *data, pki_store_result_t result, long long n,
    const char *error)
{
    test_got_t  *got = data;

    got->calls++;
    got->result = result;
    got->n = n;
    (void) snprintf(got->error, sizeof(got->error), "%s", error ? error : "");
}


static pki_redis_sync_t *
test_connect(void)
{
    pki_err_t              err;
    pki_redis_sync_t      *sync;
    pki_redis_sync_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    conf.path = pki_test_socket;
    conf.timeout = 20000;

    sync = pki_redis_sync_create(&conf, &err);
    if (sync == NULL) {
        printf("Bail out! %s\n", err.text);
        exit(1);
    }

    return sync;
}


static redisReply *
test_redis(const char *format, ...)
{
    va_list      args;
    redisReply  *reply;

    va_start(args, format);
    reply = redisvCommand(test_plain, format, args);
    va_end(args);

    if (reply == NULL) {
        printf("Bail out! Redis is gone: %s\n", test_plain->errstr);
        exit(1);
    }

    return reply;
}


static void
test_set(const char *format, ...)
{
    va_list      args;
    redisReply  *reply;

    va_start(args, format);
    reply = redisvCommand(test_plain, format, args);
    va_end(args);

    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        printf("Bail out! Redis refused \"%s\"\n", format);
        exit(1);
    }

    freeReplyObject(reply);
}


static void
test_string(const char *want, const char *format, ...)
{
    va_list      args;
    redisReply  *reply;

    va_start(args, format);
    reply = redisvCommand(test_plain, format, args);
    va_end(args);

    is_str(reply && reply->type == REDIS_REPLY_STRING ? reply->str : NULL,
           want, "\"%s\" is \"%s\"", format, want);

    if (reply != NULL) {
        freeReplyObject(reply);
    }
}


/* The next message is this one; NULL: there is none. */

static void
test_news(const char *want)
{
    void        *reply;
    redisReply  *message;

    if (want == NULL) {
        freeReplyObject(test_redis("PUBLISH pki:news nothing"));
        want = "nothing";
    }

    if (redisGetReply(test_subscriber, &reply) != REDIS_OK) {
        printf("Bail out! the subscription is gone\n");
        exit(1);
    }

    message = reply;
    is_str(message->elements == 3 ? message->element[2]->str : NULL, want,
           "news: %s", want);
    freeReplyObject(reply);
}


static pki_serial_t
test_serial(unsigned char last)
{
    pki_serial_t  serial = { { 0x40 }, 2 };

    serial.data[1] = last;

    return serial;
}


static void
test_revoke(test_got_t *got, unsigned char serial, int reason, time_t at,
    int unrecorded)
{
    pki_err_t         err;
    pki_serial_t      sn;
    pki_revocation_t  revocation;

    memset(got, 0, sizeof(test_got_t));
    memset(&revocation, 0, sizeof(revocation));

    revocation.reason = reason;
    revocation.at = at;
    revocation.invalidity = 7;
    strcpy(revocation.who, "Jo Do");
    sn = test_serial(serial);

    pki_store_revoke(test_transport, "ca", &sn, &revocation, &test_actor,
                     unrecorded, test_changed, got);
    is_int(got->calls, 0, "not called inside");

    memset(&revocation, 0, sizeof(revocation));
    memset(&sn, 0, sizeof(sn));

    is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "waited");
    is_int(got->calls, 1, "called once");
}


static void
test_release(test_got_t *got, unsigned char serial)
{
    pki_err_t     err;
    pki_serial_t  sn;

    memset(got, 0, sizeof(test_got_t));
    sn = test_serial(serial);

    pki_store_release(test_transport, "ca", &sn, &test_actor, test_changed,
                      got);
    is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "waited");
    is_int(got->calls, 1, "called once");
}


static void
test_find(test_got_t *got, unsigned char serial)
{
    pki_err_t          err;
    pki_store_query_t  query;

    memset(got, 0, sizeof(test_got_t));
    memset(&query, 0, sizeof(query));

    query.issuer = "ca";
    query.serial = test_serial(serial);

    pki_store_find(test_transport, &query, test_found, got);
    is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "waited");
    is_int(got->calls, 1, "called once");
}


static void
test_record(void)
{
    pki_err_t     err;
    test_got_t    got;
    pki_record_t  record;
    pki_serial_t  sn;

    test_find(&got, 1);
    is_int(got.result, PKI_STORE_DONE, "found nothing");
    is_int(got.found.facts.recorded, 0, "not recorded");
    is_int(got.found.facts.manual, PKI_REASON_NONE, "not revoked");
    is_int(got.found.revocation.reason, PKI_REASON_NONE, "in no way");
    is_int(got.found.facts.nobjects, 0, "no objects");

    memset(&record, 0, sizeof(record));
    record.not_before = 10;
    record.not_after = 20;
    strcpy(record.source, "API");
    strcpy(record.requester, "Jo Do");
    sn = test_serial(1);

    memset(&got, 0, sizeof(got));
    pki_store_record(test_transport, "ca", &sn, &record, test_done, &got);
    is_int(got.calls, 0, "not called inside");
    is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "waited");
    is_int(got.calls, 1, "called once");
    is_int(got.result, PKI_STORE_DONE, "recorded");
    is_int(got.n, 1, "one");
    test_news("cert:ca:4001");
    test_string("1 10 20 API Jo Do", "GET pki:{ca}:cert:4001");

    record.not_after = 30;
    pki_store_record(test_transport, "ca", &sn, &record, test_done, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_SAME, "recorded before");
    test_string("1 10 20 API Jo Do", "GET pki:{ca}:cert:4001");
    test_news(NULL);

    test_find(&got, 1);
    is_int(got.result, PKI_STORE_DONE, "found");
    is_int(got.found.facts.recorded, 1, "recorded");
    is_int(got.found.record.not_after, 20, "the record's time");
    is_str(got.found.record.requester, "Jo Do", "the record's requester");

    strcpy(record.source, "a b");
    pki_store_record(test_transport, "ca", &sn, &record, test_done, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_FAILED, "a bad source");
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


static void
test_lease(void)
{
    pki_err_t   err;
    test_got_t  got;

    memset(&got, 0, sizeof(got));

    pki_store_lease(test_transport, "dir", "one", 60000, test_done, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_DONE, "taken");
    is_int(got.n, 1, "it was free");

    pki_store_lease(test_transport, "dir", "one", 60000, test_done, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_DONE, "renewed");
    is_int(got.n, 0, "it was held");

    pki_store_lease(test_transport, "dir", "two", 60000, test_done, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_CONFLICT, "held by another");
    test_string("one", "GET pki:{dir}:lease");

    pki_store_lease(test_transport, "dir", "one", 1, test_done, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    (void) usleep(20 * 1000);

    pki_store_lease(test_transport, "dir", "two", 60000, test_done, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_DONE, "run out and taken by another");
    is_int(got.n, 1, "it was free");

    pki_store_lease(test_transport, "dir", "one", 60000, test_done, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_CONFLICT, "so the first has lost it");

    is_int(got.calls, 6, "one call each");
}


static void
test_apply(void)
{
    pki_err_t           err;
    test_got_t          got;
    pki_store_object_t  objects[4] = {
        { "device/a", 0, 100 },
        { "device/b", PKI_OBJECT_DISABLED, 100 },
        { "user/c", PKI_OBJECT_DELETED, 100 },
        { "user/c", PKI_OBJECT_RISKY, 100 }
    };

    memset(&got, 0, sizeof(got));

    pki_store_apply(test_transport, "dir", "one", objects, 3, test_done,
                    &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_CONFLICT, "not without the lease");
    test_news(NULL);

    pki_store_apply(test_transport, "dir", "two", objects, 3, test_done,
                    &got);
    is_int(got.calls, 1, "not called inside");
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_DONE, "applied");
    is_int(got.n, 3, "all are new");
    test_news("object:dir:device/a");
    test_news("object:dir:device/b");
    test_news("object:dir:user/c");
    test_string("1 8 100", "GET pki:{dir}:object:device/b");

    objects[0].since = 200;
    objects[1].state = 0;
    objects[1].since = 200;
    pki_store_apply(test_transport, "dir", "two", objects, 3, test_done,
                    &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.n, 1, "one has changed");
    test_news("object:dir:device/b");
    test_news(NULL);
    test_string("1 0 100", "GET pki:{dir}:object:device/a");
    test_string("1 0 200", "GET pki:{dir}:object:device/b");

    pki_store_apply(test_transport, "dir", "two", objects + 2, 2, test_done,
                    &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.n, 1, "named twice");
    test_news("object:dir:user/c");
    test_string("1 32 100", "GET pki:{dir}:object:user/c");

    pki_store_apply(test_transport, "dir", "two", NULL, 0, test_done, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_DONE, "nothing to apply");
    is_int(got.n, 0, "none");

    test_set("SET pki:{dir}:object:device/b %s", "2 0 200 more");
    objects[0].state = PKI_OBJECT_RISKY;
    pki_store_apply(test_transport, "dir", "two", objects, 2, test_done,
                    &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_FAILED, "a record of another version");
    is_str(got.error, "Redis replied \"ERR unreadable object record\"",
           "is an error");
    test_string("1 0 100", "GET pki:{dir}:object:device/a");
    test_news(NULL);
    test_set("DEL pki:{dir}:object:device/b");
}


static void
test_commit(void)
{
    pki_err_t   err;
    test_got_t  got;

    memset(&got, 0, sizeof(got));

    pki_store_commit(test_transport, "dir", "one", "link", 900, test_done,
                     &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_CONFLICT, "not without the lease");

    pki_store_commit(test_transport, "dir", "two", "https://x/?d=1", 900,
                     test_done, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_DONE, "committed");
    test_string("900", "HGET pki:{dir}:sync at");
    test_string("https://x/?d=1", "HGET pki:{dir}:sync link");

    pki_store_commit(test_transport, "dir", "two", NULL, 950, test_done,
                     &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_DONE, "committed without a link");
    test_string("950", "HGET pki:{dir}:sync at");
    test_string("https://x/?d=1", "HGET pki:{dir}:sync link");

    pki_store_lease(test_transport, "dir", "two", 1, test_done, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    (void) usleep(20 * 1000);
    pki_store_commit(test_transport, "dir", "two", "late", 990, test_done,
                     &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_CONFLICT, "not after the lease");
    test_string("950", "HGET pki:{dir}:sync at");
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

        if (i != 5) {
            test_set("SET pki:{d%u}:object:device/%u %s", i % 4, i,
                     i ? "1 1 77" : "1 0 0");
        }

        if (i % 4 != 3) {
            test_set("HSET pki:{d%u}:sync at %u", i % 4, 800 + i % 4);
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
    }

    (void) snprintf(id, sizeof(id), "device/0");
    (void) snprintf(directory, sizeof(directory), "d0");
    query.issuer = "ca";
    query.serial = test_serial(9);
    query.nobjects = 1;
    query.objects[0].directory = directory;
    query.objects[0].id = id;

    test_set("HSET pki:{d0}:sync at yesterday");
    pki_store_find(test_transport, &query, test_found, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_FAILED, "a bad time of a round");
}


static void
test_garbage(void)
{
    char        *big;
    test_got_t   got;

    big = malloc(20001);
    memset(big, 'x', 20000);
    big[20000] = '\0';

    test_set("HSET pki:{ca}:revoked 4010 %s", big);
    test_find(&got, 0x10);
    is_int(got.result, PKI_STORE_FAILED, "20 KB of nothing");
    is_str(got.error, "unreadable revocation record", "in words");

    test_revoke(&got, 0x10, PKI_REASON_SUPERSEDED, 1, 1);
    is_int(got.result, PKI_STORE_FAILED, "is not revoked over");
    test_release(&got, 0x10);
    is_int(got.result, PKI_STORE_FAILED, "nor released");

    test_set("HSET pki:{ca}:revoked 4011 %s", "2 1 5 0 x");
    test_find(&got, 0x11);
    is_int(got.result, PKI_STORE_FAILED, "another version");
    test_revoke(&got, 0x11, PKI_REASON_KEY_COMPROMISE, 1, 1);
    is_int(got.result, PKI_STORE_FAILED, "is not revoked over");
    is_str(got.error, "Redis replied \"ERR unreadable revocation record\"",
           "in words");
    test_string("2 1 5 0 x", "HGET pki:{ca}:revoked 4011");

    /* readable for the script, not for us */

    test_set("HSET pki:{ca}:revoked 4012 %s", "1 7 5 0 x");
    test_revoke(&got, 0x12, PKI_REASON_KEY_COMPROMISE, 1, 1);
    is_int(got.result, PKI_STORE_FAILED, "an unused reason");

    memcpy(big, "1 1 2 API ", 10);
    test_set("SET pki:{ca}:cert:4013 %s", big);
    test_find(&got, 0x13);
    is_int(got.result, PKI_STORE_FAILED, "a record with a long requester");
    is_str(got.error, "unreadable certificate record", "in words");

    memcpy(big, "1 1 2 0 ", 8);
    test_set("HSET pki:{ca}:revoked 4014 %s", big);
    test_revoke(&got, 0x14, PKI_REASON_KEY_COMPROMISE, 1, 1);
    is_int(got.result, PKI_STORE_FAILED, "a revocation with a long who");

    free(big);
    test_news(NULL);
}


static void
test_wrong_type(void)
{
    pki_err_t     err;
    test_got_t    got;
    pki_record_t  record;
    pki_serial_t  sn;

    test_set("LPUSH pki:{ca}:cert:4020 x");
    test_find(&got, 0x20);
    is_int(got.result, PKI_STORE_FAILED, "the record is a list");
    ok(strncmp(got.error, "Redis replied \"WRONGTYPE", 24) == 0, "in words");

    memset(&record, 0, sizeof(record));
    strcpy(record.source, "API");
    sn = test_serial(0x20);
    pki_store_record(test_transport, "ca", &sn, &record, test_done, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_FAILED, "and not recorded over");

    test_set("RENAME pki:{ca}:audit pki:{ca}:saved");
    test_set("SET pki:{ca}:audit x");
    test_revoke(&got, 0x21, PKI_REASON_SUPERSEDED, 1, 1);
    is_int(got.result, PKI_STORE_FAILED, "no audit");
    test_find(&got, 0x21);
    is_int(got.result, PKI_STORE_DONE, "found");
    is_int(got.found.facts.manual, PKI_REASON_NONE, "no revocation");
    test_news("cert:ca:4021");
    test_set("RENAME pki:{ca}:saved pki:{ca}:audit");

    test_set("RENAME pki:{ca}:revoked pki:{ca}:saved");
    test_set("SET pki:{ca}:revoked x");
    test_find(&got, 1);
    is_int(got.result, PKI_STORE_FAILED, "the revocations are a string");
    test_revoke(&got, 1, PKI_REASON_SUPERSEDED, 1, 1);
    is_int(got.result, PKI_STORE_FAILED, "nothing is revoked there");
    test_set("RENAME pki:{ca}:saved pki:{ca}:revoked");

    test_set("LPUSH pki:{odd}:lease x");
    pki_store_lease(test_transport, "odd", "one", 1000, test_done, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_FAILED, "the lease is a list");
    test_news(NULL);
}


static void
test_refused(void)
{
    char                long_id[PKI_OWNER_SIZE + 1];
    pki_err_t           err;
    test_got_t          got;
    pki_actor_t         actor;
    pki_serial_t        sn, none, zero;
    pki_record_t        record;
    pki_revocation_t    revocation;
    pki_store_query_t   query;
    pki_store_object_t  object;

    memset(&got, 0, sizeof(got));
    memset(&none, 0, sizeof(none));
    memset(&zero, 0, sizeof(zero));
    zero.len = 1;
    sn = test_serial(0x30);
    memset(&record, 0, sizeof(record));
    strcpy(record.source, "API");
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

    pki_store_record(test_transport, "", &sn, &record, test_done, &got);
    test_fails(9, "record: no issuer");

    pki_store_lease(test_transport, "d", "", 1000, test_done, &got);
    test_fails(10, "lease: no token");

    pki_store_lease(test_transport, "d", "t", 0, test_done, &got);
    test_fails(11, "lease: no time to live");

    object.id = "";
    object.state = 0;
    object.since = 0;
    pki_store_apply(test_transport, "d", "t", &object, 1, test_done, &got);
    test_fails(12, "apply: no id");

    pki_store_apply(test_transport, "d", "t", &object,
                    PKI_STORE_APPLY_MAX + 1, test_done, &got);
    test_fails(13, "apply: too many objects");

    pki_store_commit(test_transport, "d", "t", "l", -5, test_done, &got);
    test_fails(14, "commit: a bad time");
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


static void
test_find_replies(void)
{
    int                i, j;
    test_got_t         got;
    pki_store_query_t  query;

    static const char *const  bad[] = {
        "-LOADING Redis is loading\r\n", "-NOAUTH Authentication\r\n",
        ":1\r\n", "+OK\r\n", "*0\r\n", "$0\r\n\r\n", "$3\r\n1 1\r\n", NULL
    };

    memset(&query, 0, sizeof(query));
    query.issuer = "ca";
    query.serial = test_serial(1);
    query.nobjects = 1;
    query.objects[0].directory = "d";
    query.objects[0].id = "device/1";

    for (i = 0; i < 4; i++) {
        for (j = 0; j < (int) (sizeof(bad) / sizeof(bad[0])); j++) {
            memset(&got, 0, sizeof(got));

            pki_store_find(&pki_test_transport, &query, test_found, &got);
            is_int(pki_test_nsent, 4, "all are sent at once");

            while (pki_test_nsent) {
                is_int(got.calls, 0, "not called yet");

                if (4 - pki_test_nsent == i) {
                    pki_test_answer(bad[j], bad[j] ? strlen(bad[j]) : 0);

                } else {
                    answer("$-1\r\n");
                }
            }

            is_int(got.calls, 1, "called once");
            is_int(got.result, PKI_STORE_FAILED, "reply %d is bad %d", i, j);
            ok(got.error[0] != '\0', "in words: %s", got.error);
        }
    }

    memset(&got, 0, sizeof(got));
    pki_store_find(&pki_test_transport, &query, test_found, &got);
    is_str(pki_test_sent[0].key, "pki:{ca}:revoked", "the first question");
    is_str(pki_test_sent[1].key, "pki:{ca}:cert:4001", "the second");
    is_str(pki_test_sent[2].key, "pki:{d}:object:device/1", "the third");
    is_str(pki_test_sent[3].key, "pki:{d}:sync", "the fourth");
    no_answer();
    no_answer();
    answer("-ERR late\r\n");
    no_answer();
    is_int(got.calls, 1, "called once");
    is_str(got.error, "no reply of Redis", "the first cause is told");
}


static void
test_changed_replies(void)
{
    size_t            i;
    test_got_t        got;
    pki_serial_t      sn;
    pki_revocation_t  revocation;

    static const char *const  bad[] = {
        NULL, "-READONLY You cannot write\r\n", "+OK\r\n",
        "*2\r\n:1\r\n$0\r\n\r\n", "*2\r\n:2\r\n$0\r\n\r\n",
        "*2\r\n:0\r\n$3\r\n1 1\r\n", "*2\r\n:0\r\n:1\r\n",
        "*2\r\n:9\r\n$0\r\n\r\n", "*2\r\n:0\r\n$-1\r\n"
    };

    memset(&revocation, 0, sizeof(revocation));
    sn = test_serial(1);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memset(&got, 0, sizeof(got));
        pki_store_revoke(&pki_test_transport, "ca", &sn, &revocation,
                         &test_actor, 1, test_changed, &got);
        pki_test_answer(bad[i], bad[i] ? strlen(bad[i]) : 0);
        is_int(got.calls, 1, "called once");
        is_int(got.result, PKI_STORE_FAILED, "change: bad reply %zu", i);
        ok(!got.has_present && got.error[0] != '\0', "in words: %s",
           got.error);
    }
}


static void
test_done_replies(void)
{
    size_t      i;
    test_got_t  got;

    static const char *const  bad[] = {
        NULL, "-OOM command not allowed\r\n", "+OK\r\n", ":0\r\n",
        "*2\r\n:0\r\n:-1\r\n", "*2\r\n:0\r\n:1001\r\n",
        "*2\r\n:0\r\n$1\r\n1\r\n"
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memset(&got, 0, sizeof(got));
        pki_store_lease(&pki_test_transport, "d", "t", 1000, test_done, &got);
        pki_test_answer(bad[i], bad[i] ? strlen(bad[i]) : 0);
        is_int(got.calls, 1, "called once");
        is_int(got.result, PKI_STORE_FAILED, "done: bad reply %zu", i);
        ok(got.error[0] != '\0', "in words: %s", got.error);
    }
}


static void
test_no_memory(void)
{
    int                 i, n;
    pki_err_t           err;
    test_got_t          got;
    pki_record_t        record;
    pki_serial_t        sn;
    pki_revocation_t    revocation;
    pki_store_query_t   query;
    pki_store_object_t  object = { "device/1", 0, 0 };

    memset(&record, 0, sizeof(record));
    strcpy(record.source, "API");
    memset(&revocation, 0, sizeof(revocation));
    memset(&query, 0, sizeof(query));
    sn = test_serial(0x40);
    query.issuer = "ca";
    query.serial = sn;

    for (i = 0; i < 7; i++) {
        for (n = 1; /* void */ ; n++) {
            memset(&got, 0, sizeof(got));
            pki_test_fail_at(n);

            switch (i) {
            case 0:
                pki_store_find(test_transport, &query, test_found, &got);
                break;
            case 1:
                pki_store_revoke(test_transport, "ca", &sn, &revocation,
                                 &test_actor, 1, test_changed, &got);
                break;
            case 2:
                pki_store_release(test_transport, "ca", &sn, &test_actor,
                                  test_changed, &got);
                break;
            case 3:
                pki_store_record(test_transport, "ca", &sn, &record,
                                 test_done, &got);
                break;
            case 4:
                pki_store_lease(test_transport, "d", "t", 1000, test_done,
                                &got);
                break;
            case 5:
                pki_store_apply(test_transport, "d", "t", &object, 1,
                                test_done, &got);
                break;
            default:
                pki_store_commit(test_transport, "d", "t", "l", 1, test_done,
                                 &got);
                break;
            }

            is_int(got.calls, 0, "verb %d, failure %d: not inside", i, n);
            is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "waited");
            is_int(got.calls, 1, "but once");

            if (!pki_test_fail_hit()) {
                break;
            }

            is_int(got.result, PKI_STORE_FAILED, "with FAILED");
            is_str(got.error, "out of memory", "in words");
        }

        ok(n > 1, "verb %d needs memory", i);
        pki_test_fail_at(0);
    }
}


static void
test_killed(void)
{
    int                i;
    pki_err_t          err;
    test_got_t         got[3];
    pki_serial_t       sn;
    pki_store_query_t  query;

    memset(got, 0, sizeof(got));
    memset(&query, 0, sizeof(query));
    sn = test_serial(1);
    query.issuer = "ca";
    query.serial = sn;

    pki_store_find(test_transport, &query, test_found, &got[0]);
    pki_store_release(test_transport, "ca", &sn, &test_actor, test_changed,
                      &got[1]);
    pki_test_redis_kill(SIGKILL);

    is_int(pki_redis_sync_wait(test_sync, &err), PKI_ERROR, "Redis is gone");
    ok(err.text[0] != '\0', "in words: %s", err.text);

    pki_store_lease(test_transport, "dir", "t", 1000, test_done, &got[2]);
    is_int(got[2].calls, 0, "not called inside");
    is_int(pki_redis_sync_wait(test_sync, &err), PKI_ERROR, "still gone");

    for (i = 0; i < 3; i++) {
        is_int(got[i].calls, 1, "called once");
        is_int(got[i].result, PKI_STORE_FAILED, "with FAILED");
        is_str(got[i].error, "no reply of Redis", "in words");
    }
}

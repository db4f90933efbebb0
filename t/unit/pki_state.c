
/*
 * The verbs of those who fill a directory, against a Redis of the test's
 * own: the lease, rounds, the index, what is to be looked up; and two who
 * want the same lease.  What becomes of states is pki_state_apply.c's.
 */

#include "pki_test_store.h"

#include <pthread.h>


#define TEST_RACES  100
#define TEST_MANY   2000


typedef struct {
    const char         *token;
    int                 taken;
    int                 applied;
    int                 failed;
} test_racer_t;


static test_got_t *test_wait(void);
static void test_fill(unsigned from, unsigned n, long long round);
static void test_lease(void);
static void test_rounds(void);
static void test_guard(void);
static void test_index(void);
static void test_names(void);
static void test_wanted(void);
static void test_due(void);
static void test_absent(void);
static void test_object(void);
static void test_report(void);
static void test_refused(void);
static void test_race(void);
static void *test_racer(void *data);


static test_got_t  got;

/* verbs, waited for; the result is in got */

#define test_do(verb, ...)                                                  \
    do {                                                                    \
        memset(&got, 0, sizeof(got));                                       \
        pki_state_##verb(test_transport, __VA_ARGS__, &got);                \
        (void) test_wait();                                                 \
    } while (0)


int
main(void)
{
    pki_err_t  err;

    test_start();

    test_lease();
    test_rounds();
    test_guard();
    test_index();
    test_names();
    test_wanted();
    test_due();
    test_absent();
    test_object();
    test_report();
    test_refused();
    test_race();

    is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "still connected");

    test_stop();

    return pki_test_done();
}


static test_got_t *
test_wait(void)
{
    pki_err_t  err;

    is_int(got.calls, 0, "not called inside");
    is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "waited");
    is_int(got.calls, 1, "called once");

    return &got;
}


static void
test_lease(void)
{
    test_do(lease, "dir", "a 1", 60000, test_done);
    is_int(got.result, PKI_STORE_DONE, "taken");
    is_int(got.n, 1, "it was free");

    test_do(lease, "dir", "a 1", 60000, test_done);
    is_int(got.result, PKI_STORE_DONE, "renewed");
    is_int(got.n, 0, "it was held");

    test_do(lease, "dir", "b 2", 60000, test_done);
    is_int(got.result, PKI_STORE_CONFLICT, "held by another");
    test_string("a 1", "GET pki:{dir}:lease");

    test_do(unlease, "dir", "b 2", test_done);
    is_int(got.result, PKI_STORE_DONE, "another gives it back");
    is_int(got.n, 0, "which does nothing");
    test_news(NULL);
    test_string("a 1", "GET pki:{dir}:lease");

    test_do(unlease, "dir", "a 1", test_done);
    is_int(got.n, 1, "given back");
    test_news("hint:dir");
    test_do(unlease, "dir", "a 1", test_done);
    is_int(got.n, 0, "only once");
    test_news(NULL);

    test_do(lease, "dir", "a 1", 1, test_done);
    (void) usleep(20 * 1000);
    test_do(lease, "dir", "b 2", 60000, test_done);
    is_int(got.result, PKI_STORE_DONE, "run out and taken by another");
    is_int(got.n, 1, "it was free");
    test_do(lease, "dir", "a 1", 60000, test_done);
    is_int(got.result, PKI_STORE_CONFLICT, "so the first has lost it");
    test_do(unlease, "dir", "b 2", test_done);
    test_news("hint:dir");
    test_do(lease, "dir", "a 1", 60000, test_done);
    is_int(got.n, 1, "back to the first");
}


static void
test_rounds(void)
{
    test_do(sync, "dir", "devices", test_synced);
    is_int(got.result, PKI_STORE_DONE, "read");
    is_int(got.sync.at, 0, "no round");
    is_int(got.sync.round, 0, "not even begun");
    is_int(got.sync.full_at, 0, "no listing");
    is_int(got.sync.known + got.sync.pending, 0, "nothing known");
    is_str(got.text, "(none)", "no link");

    test_do(begin, "dir", "b 2", "devices", test_done);
    is_int(got.result, PKI_STORE_CONFLICT, "not without the lease");
    test_do(begin, "dir", "a 1", "devices", test_done);
    is_int(got.n, 1, "the first");
    test_news(NULL);
    test_set("HSET pki:{dir}:pending:devices device/x %s", "1 1 1 1 *");
    test_do(sync, "dir", "devices", test_synced);
    is_int(got.sync.pending, 1, "something is put aside");
    test_do(begin, "dir", "a 1", "devices", test_done);
    is_int(got.n, 2, "the second");

    /* what the first listing told in silence, as it did not come to its end */

    test_news("all");
    test_do(begin, "dir", "a 1", "users", test_done);
    is_int(got.n, 1, "each resource counts for itself");
    test_do(sync, "dir", "devices", test_synced);
    is_int(got.sync.pending, 0, "dropped when a round begins");
    is_int(got.sync.round, 2, "its number");
    is_int(got.sync.at, 0, "which has not ended");

    test_do(commit, "dir", "b 2", "devices", "https://x", 1, 900, test_done);
    is_int(got.result, PKI_STORE_CONFLICT, "not without the lease");
    test_do(commit, "dir", "a 1", "devices", NULL, 0, 890, test_done);
    test_do(sync, "dir", "devices", test_synced);
    is_int(got.sync.at, 890, "a round");
    is_int(got.sync.full_at, 0, "that was no listing");
    test_news(NULL);
    test_do(commit, "dir", "a 1", "devices", "0,0 https://x/?d=1", 1, 900,
            test_done);
    is_int(got.result, PKI_STORE_DONE, "committed");
    test_news("all");
    test_news(NULL);
    test_do(sync, "dir", "devices", test_synced);
    is_int(got.sync.at, 900, "its time");
    is_int(got.sync.full_at, 900, "a complete listing");
    is_str(got.text, "0,0 https://x/?d=1", "its link");
    test_do(begin, "dir", "a 1", "devices", test_done);
    test_news(NULL);

    test_do(commit, "dir", "a 1", "devices", NULL, 0, 950, test_done);
    test_do(sync, "dir", "devices", test_synced);
    is_int(got.sync.at, 950, "the next");
    is_int(got.sync.full_at, 900, "which was no listing");
    is_str(got.text, "0,0 https://x/?d=1", "the link stays");

    test_do(commit, "dir", "a 1", "devices", "", 0, 960, test_done);
    test_do(sync, "dir", "devices", test_synced);
    is_int(got.sync.at, 960, "one more");
    is_str(got.text, "(none)", "the link is dropped");
    test_do(sync, "dir", "users", test_synced);
    is_int(got.sync.at, 0, "the other resource is another matter");
    test_news(NULL);

    test_do(commit, "dir", "a 1", "devices", NULL, 1, 970, test_done);
    test_do(sync, "dir", "devices", test_synced);
    is_int(got.sync.full_at, 970, "another listing");
    test_news(NULL);
    test_do(commit, "dir", "a 1", "users", NULL, 1, 980, test_done);
    test_news("all");
    test_do(commit, "dir", "a 1", "users", NULL, 1, 990, test_done);
    test_news(NULL);
}


static void
test_guard(void)
{
    test_do(guard, "dir", "b 2", "devices", 500, 1, test_done);
    is_int(got.result, PKI_STORE_CONFLICT, "not without the lease");
    test_do(guard, "dir", "a 1", "devices", 500, 1, test_done);
    is_int(got.n, 1, "one round says so");
    test_do(guard, "dir", "a 1", "devices", 600, 2, test_done);
    is_int(got.n, 3, "two more");
    test_do(ask, "dir", "release", 700, test_done);
    is_int(got.result, PKI_STORE_DONE, "released");
    test_news("hint:dir");
    test_do(ask, "dir", "asked", 701, test_done);
    test_news("hint:dir");
    test_do(sync, "dir", "devices", test_synced);
    is_int(got.sync.guard_at, 500, "since the first");
    is_int(got.sync.guard_rounds, 3, "rounds");
    is_int(got.sync.release_at, 700, "released");
    is_int(got.sync.asked_at, 701, "and asked");
    test_do(guard, "dir", "a 1", "devices", 0, 0, test_done);
    is_int(got.result, PKI_STORE_DONE, "no more");
    test_do(sync, "dir", "devices", test_synced);
    is_int(got.sync.guard_at + got.sync.guard_rounds, 0, "not held back");
    is_int(got.sync.release_at, 0, "the release is used");
    is_int(got.sync.asked_at, 701, "the question is not");

    test_set("HSET pki:{dir}:sync asked yesterday");
    test_do(sync, "dir", "devices", test_synced);
    is_int(got.result, PKI_STORE_FAILED, "a bad time");
    test_set("HDEL pki:{dir}:sync asked");
    test_do(ask, "dir", "everything", 1, test_done);
    is_int(got.result, PKI_STORE_FAILED, "no such wish");
    test_news(NULL);
}


/* device/<i> under key k<i> */

static void
test_fill(unsigned from, unsigned n, long long round)
{
    unsigned           i;
    pki_state_batch_t  batch;

    static char                ids[PKI_STATE_APPLY_MAX][24];
    static pki_state_object_t  objects[PKI_STATE_APPLY_MAX];

    memset(&batch, 0, sizeof(batch));
    memset(objects, 0, sizeof(objects));
    batch.directory = "dir";
    batch.token = "a 1";
    batch.resource = "devices";
    batch.round = round;

    for (i = 0; i < n; i++) {
        (void) snprintf(ids[i], sizeof(ids[i]), "device/%u", from + i);
        objects[i].id = ids[i];
        objects[i].key = ids[i] + sizeof("device/") - 1;
        objects[i].mask = PKI_OBJECT_STATES;
        objects[i].since = 1;
    }

    memset(&got, 0, sizeof(got));
    pki_state_apply(test_transport, &batch, objects, n, test_applied, &got);
    (void) test_wait();
    is_int(got.result, PKI_STORE_DONE, "%u objects", n);
}


static void
test_index(void)
{
    int                 slices;
    char                owner[PKI_OWNER_SIZE], id[24];
    size_t              n;
    unsigned            i;
    const char         *keys[3] = { "3", "none", "0" };
    unsigned long long  cursor;

    for (i = 0; i < TEST_MANY; i += 50) {
        test_fill(i, 50, 7);
    }

    for (i = 0; i < TEST_MANY; i++) {
        (void) snprintf(id, sizeof(id), "device/%u", i);
        (void) pki_owner_object(owner, "dir", id);
        test_news(owner);
    }

    test_fill(0, 5, 8);

    for (i = 0; i < 5; i++) {
        (void) snprintf(owner, sizeof(owner), "object:dir:device/%u", i);
        test_news(owner);
    }

    test_do(sync, "dir", "devices", test_synced);
    is_int(got.sync.known, TEST_MANY, "all are known");

    for (slices = 0, n = 0, cursor = 0; slices == 0 || cursor; slices++) {
        test_do(unseen, "dir", "devices", 8, 0, cursor, test_listed);

        if (got.result != PKI_STORE_DONE || slices > 100) {
            ok(0, "a slice: %s", got.error);
            break;
        }

        n += got.nitems;
        cursor = got.next;
    }

    ok(n >= TEST_MANY - 5, "unseen: %zu in %d slices", n, slices);
    ok(slices > 1, "not in one");

    test_do(unseen, "dir", "devices", 7, 0, 0, test_listed);
    is_int(got.nitems, 0, "none that old");
    test_do(unseen, "dir", "users", 7, 0, 0, test_listed);
    is_int(got.nitems + got.next, 0, "none in the other resource");

    test_set("HSET pki:{dir}:index:few a %s b %s c %s d %s", "1 3 u/1",
             "1 3 u/2", "1 3 u/3", "1 4 u/4");
    test_set("MSET pki:{dir}:object:u/1 %s pki:{dir}:object:u/2 %s",
             "1 65 7 x/1", "1 8 7");
    test_do(unseen, "dir", "few", 4, 0, 0, test_listed);
    is_int(got.nitems, 3, "three of four");
    test_do(unseen, "dir", "few", 4, PKI_OBJECT_DELETED, 0, test_listed);
    is_int(got.nitems, 2, "without one that is deleted");
    test_do(unseen, "dir", "few", 4, 9, 0, test_listed);
    is_str(got.text, " c=u/3", "nor one that is disabled");

    test_do(ids, "dir", "devices", keys, 3, test_listed);
    is_str(got.text, " 3=device/3 0=device/0", "ids of keys");
    test_do(ids, "dir", "devices", keys, 0, test_listed);
    is_int(got.nitems, 0, "of none");

    test_do(drop, "dir", "b 2", "devices", keys, 3, test_done);
    is_int(got.result, PKI_STORE_CONFLICT, "not without the lease");
    test_do(drop, "dir", "a 1", "devices", keys, 3, test_done);
    is_int(got.n, 2, "two dropped");
    test_do(drop, "dir", "a 1", "devices", keys, 0, test_done);
    is_int(got.n, 0, "none dropped");
    test_do(ids, "dir", "devices", keys, 3, test_listed);
    is_int(got.nitems, 0, "gone");
    test_string("1 0 1", "GET pki:{dir}:object:device/3");

    test_set("HSET pki:{dir}:index:odd k %s", "1 x device/1");
    test_do(unseen, "dir", "odd", 9, 0, 0, test_listed);
    is_int(got.result, PKI_STORE_FAILED, "a bad entry");
    keys[0] = "k";
    test_do(ids, "dir", "odd", keys, 1, test_listed);
    is_int(got.result, PKI_STORE_FAILED, "it is no id");
}


static void
test_names(void)
{
    test_set("HSET pki:{dir}:names jo@example.com user/1");
    test_do(resolve, "dir", "Jo@EXAMPLE.com", test_listed);
    is_int(got.result, PKI_STORE_DONE, "found in any case");
    is_str(got.text, " jo@example.com=user/1", "the id");
    test_do(resolve, "dir", "eve@example.com", test_listed);
    is_int(got.result, PKI_STORE_NOT_FOUND, "nobody");
    is_int(got.nitems, 0, "no item");
}


static void
test_wanted(void)
{
    unsigned  i;

    test_do(want, "dir", "device/1", test_done);
    is_int(got.n, 1, "wanted");
    test_news("hint:dir");
    test_do(want, "dir", "device/1", test_done);
    is_int(got.result, PKI_STORE_DONE, "again");
    is_int(got.n, 0, "somebody had asked");
    test_news(NULL);
    test_do(want, "dir", "device/2", test_done);
    test_news("hint:dir");

    test_do(wanted, "dir", "b 2", 10, test_listed);
    is_int(got.result, PKI_STORE_CONFLICT, "not without the lease");
    test_do(wanted, "dir", "a 1", 1, test_listed);
    is_int(got.nitems, 1, "one of them");
    test_do(wanted, "dir", "a 1", 10, test_listed);
    is_int(got.nitems, 1, "the other");
    test_do(wanted, "dir", "a 1", 10, test_listed);
    is_int(got.nitems, 0, "no more");

    for (i = 0; i < PKI_STATE_WANTED_MAX; i++) {
        freeReplyObject(test_redis("SADD pki:{dir}:wanted device/%u", i));
    }

    test_do(want, "dir", "device/more", test_done);
    is_int(got.result, PKI_STORE_CONFLICT, "too many wait");
    test_do(want, "dir", "device/5", test_done);
    is_int(got.result, PKI_STORE_DONE, "one that waits already");
    test_do(wanted, "dir", "a 1", PKI_STATE_LIST_MAX, test_listed);
    is_int(got.nitems, PKI_STATE_LIST_MAX, "all at once");
    test_news(NULL);
}


static void
test_due(void)
{
    test_do(due, "dir", 1000, 10, test_listed);
    is_int(got.nitems, 0, "nothing is due");
    test_do(recheck, "dir", "b 2", "device/1", 500, test_done);
    is_int(got.result, PKI_STORE_CONFLICT, "not without the lease");
    test_do(recheck, "dir", "a 1", "device/1", 500, test_done);
    test_do(recheck, "dir", "a 1", "device/2", 400, test_done);
    test_do(recheck, "dir", "a 1", "device/3", 253402300799, test_done);
    test_do(due, "dir", 399, 10, test_listed);
    is_str(got.text, "", "not yet");
    test_do(due, "dir", 500, 10, test_listed);
    is_str(got.text, " device/2=400 device/1=500", "earliest first");
    test_do(due, "dir", 500, 1, test_listed);
    is_str(got.text, " device/2=400", "no more than asked for");
    test_do(recheck, "dir", "a 1", "device/2", 600, test_done);
    test_do(recheck, "dir", "a 1", "device/1", 0, test_done);
    is_int(got.result, PKI_STORE_DONE, "no more");
    test_do(due, "dir", 253402300799, 10, test_listed);
    is_str(got.text, " device/2=600 device/3=253402300799", "set anew");
    test_set("DEL pki:{dir}:recheck");
}


static void
test_absent(void)
{
    test_do(absent, "dir", "b 2", "device/1", 100, test_done);
    is_int(got.result, PKI_STORE_CONFLICT, "not without the lease");
    test_do(absent, "dir", "a 1", "device/1", 100, test_done);
    is_int(got.n, 0, "the first");
    test_do(absent, "dir", "a 1", "device/1", 160, test_done);
    is_int(got.n, 60, "since then");
    test_do(absent, "dir", "a 1", "device/1", 90, test_done);
    is_int(got.n, 0, "a clock that went back");
    test_fill(1, 1, 0);
    test_news("object:dir:device/1");
    test_do(absent, "dir", "a 1", "device/1", 300, test_done);
    is_int(got.n, 0, "forgotten when it was there");
    test_set("HSET pki:{dir}:absent device/2 x");
    test_do(absent, "dir", "a 1", "device/2", 300, test_done);
    is_int(got.result, PKI_STORE_FAILED, "a bad time");
}


static void
test_object(void)
{
    test_do(object, "dir", "user/nobody", test_listed);
    is_int(got.result, PKI_STORE_NOT_FOUND, "nothing known");
    test_set("SET pki:{dir}:object:user/1 %s", "1 8 77 computer/5");
    test_set("HSET pki:{dir}:absent user/1 78");
    test_set("ZADD pki:{dir}:recheck 79 user/1");
    test_set("HSET pki:{dir}:owners user/1 user/9");
    test_do(object, "dir", "user/1", test_listed);
    is_int(got.result, PKI_STORE_DONE, "known");
    is_str(got.text, " state=8 since=77 alias=computer/5 absent=78"
           " recheck=79 owner=user/9", "all of it");
    test_set("SET pki:{dir}:object:user/2 %s", "1 0 5");
    test_do(object, "dir", "user/2", test_listed);
    is_str(got.text, " state=0 since=5", "only what is known");
    test_set("SET pki:{dir}:object:user/2 %s", "1 0 5 ");
    test_do(object, "dir", "user/2", test_listed);
    is_int(got.result, PKI_STORE_FAILED, "a bad record");
}


static void
test_report(void)
{
    pki_state_item_t  items[2] = { { "round", "12" }, { "error", "" } };

    test_do(status, "dir", test_listed);
    is_str(got.text, " holder=a", "who holds the lease");
    test_do(report, "dir", "b 2", items, 2, test_done);
    is_int(got.result, PKI_STORE_CONFLICT, "not without the lease");
    test_do(report, "dir", "a 1", items, 2, test_done);
    is_int(got.result, PKI_STORE_DONE, "reported");
    test_do(status, "dir", test_listed);
    is_str(got.text, " round=12 error= holder=a", "read back");
    items[0].value = "13 and a half";
    test_do(report, "dir", "a 1", items, 1, test_done);
    test_do(status, "dir", test_listed);
    is_str(got.text, " round=13 and a half holder=a", "as a whole");
    test_do(report, "dir", "a 1", items, 0, test_done);
    test_do(status, "dir", test_listed);
    is_int(got.nitems, 1, "nothing to say");
    test_do(status, "other", test_listed);
    is_int(got.result, PKI_STORE_DONE, "nobody");
    is_int(got.nitems, 0, "is nobody");
}


static void
test_refused(void)
{
    char              text[PKI_STATE_NAME_MAX + 2], big[20000];
    const char       *keys[1];
    pki_state_item_t  item = { "a", "b" };

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';

#define test_fails(verb, ...)                                               \
    do {                                                                    \
        test_do(verb, __VA_ARGS__);                                         \
        is_int(got.result, PKI_STORE_FAILED, #verb ": %s", got.error);      \
        ok(got.error[0] != '\0', "in words");                               \
    } while (0)

    test_fails(lease, "d r", "t", 1000, test_done);
    test_fails(lease, "d", "", 1000, test_done);
    test_fails(lease, "d", "a\nb", 1000, test_done);
    test_fails(lease, "d", text, 1000, test_done);
    test_fails(lease, "d", "t", 0, test_done);
    test_fails(lease, "d", "t", 86400001, test_done);
    test_fails(unlease, "", "t", test_done);
    test_fails(sync, "d", "a:b", test_synced);
    test_fails(begin, "d", "t", "", test_done);
    test_fails(commit, "d", "t", "r", "a\nb", 0, 1, test_done);
    test_fails(commit, "d", "t", "r", big, 0, 1, test_done);
    test_fails(commit, "d", "t", "r", "l", 0, -1, test_done);
    test_fails(guard, "d", "t", "r", -1, 1, test_done);
    test_fails(guard, "d", "t", "r", 1, -1, test_done);
    test_fails(unseen, "d", "r", -1, 0, 0, test_listed);
    test_fails(unseen, "d", "r 1", 1, 0, 0, test_listed);
    keys[0] = "a b";
    test_fails(drop, "d", "t", "r", keys, 1, test_done);
    test_fails(drop, "d", "t", "r", keys, PKI_STATE_APPLY_MAX + 1,
               test_done);
    keys[0] = "";
    test_fails(ids, "d", "r", keys, 1, test_listed);
    test_fails(resolve, "d", "", test_listed);
    test_fails(resolve, "d", text, test_listed);
    test_fails(want, "d", "a b", test_done);
    test_fails(want, "d", text, test_done);
    test_fails(wanted, "d", "t", PKI_STATE_LIST_MAX + 1, test_listed);
    test_fails(due, "d", -1, 1, test_listed);
    test_fails(due, "d", 1, PKI_STATE_LIST_MAX + 1, test_listed);
    test_fails(recheck, "d", "t", "", 1, test_done);
    test_fails(recheck, "d", "t", "i", -1, test_done);
    test_fails(absent, "d", "t", "i", -1, test_done);
    test_fails(object, "d", "a b", test_listed);
    test_fails(ask, "d", "asked", -1, test_done);
    test_fails(report, "d", "t", &item, PKI_STATE_LIST_MAX, test_done);
    item.value = text;
    test_fails(report, "d", "t", &item, 1, test_done);
    item.value = "";
    item.name = "a b";
    test_fails(report, "d", "t", &item, 1, test_done);
    test_fails(status, "d}", test_listed);
}


/* Whoever holds the lease writes; nobody else does, not even once. */

static void
test_race(void)
{
    int        i;
    pthread_t  thread[2];

    static test_racer_t  racers[2] = { { .token = "one 1" },
                                       { .token = "two 2" } };

    for (i = 0; i < 2; i++) {
        if (pthread_create(&thread[i], NULL, test_racer, &racers[i]) != 0) {
            printf("Bail out! no thread\n");
            exit(1);
        }
    }

    for (i = 0; i < 2; i++) {
        (void) pthread_join(thread[i], NULL);
        is_int(racers[i].failed, 0, "all answered");
        is_int(racers[i].applied, racers[i].taken,
               "%s wrote as often as it held the lease", racers[i].token);
    }
}


static void *
test_racer(void *data)
{
    test_racer_t *racer = data;

    int                 i;
    pki_err_t           err;
    test_got_t         *lease, *apply;
    pki_redis_sync_t   *sync;
    pki_state_batch_t   batch;
    pki_state_object_t  object;

    memset(&batch, 0, sizeof(batch));
    batch.directory = "race";
    batch.token = racer->token;
    batch.resource = "devices";

    memset(&object, 0, sizeof(object));
    object.id = "device/1";
    object.mask = PKI_OBJECT_STATES;

    sync = test_connect();
    lease = calloc(2, sizeof(test_got_t));
    apply = lease + 1;

    for (i = 0; i < TEST_RACES; i++) {
        memset(lease, 0, 2 * sizeof(test_got_t));

        pki_state_lease(pki_redis_sync_transport(sync), "race", racer->token,
                        20000, test_done, lease);

        if (pki_redis_sync_wait(sync, &err) != PKI_OK) {
            racer->failed++;
        }

        object.state = i % 2;
        object.since = i;
        pki_state_apply(pki_redis_sync_transport(sync), &batch, &object, 1,
                        test_applied, apply);

        if (lease->result == PKI_STORE_DONE) {
            pki_state_unlease(pki_redis_sync_transport(sync), "race",
                              racer->token, test_done, lease);
            racer->taken++;
        }

        if (pki_redis_sync_wait(sync, &err) != PKI_OK) {
            racer->failed++;
        }

        racer->applied += apply->result == PKI_STORE_DONE;
        racer->failed += apply->result == PKI_STORE_FAILED;
    }

    free(lease);
    pki_redis_sync_destroy(sync);

    return NULL;
}

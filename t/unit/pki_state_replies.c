
/*
 * The verbs of directories when something is wrong behind them: replies that
 * Redis should not give, values that nobody should have put there, no
 * memory, and Redis dying in the middle.
 */

#include "pki_test_store.h"
#include "pki_test_transport.h"


#define TEST_VERBS  22
#define TEST_KEYS   10


static int test_verb(int i, pki_redis_t *redis, test_got_t *to);
static void test_bad(int kind, const char *const *bad);
static void test_done_replies(void);
static void test_applied_replies(void);
static void test_sync_replies(void);
static void test_list_replies(void);
static void test_long_list(void);
static void test_wrong_types(void);
static void test_no_memory(void);
static void test_killed(void);


static test_got_t  got;

enum { TEST_DONE, TEST_APPLIED, TEST_SYNC, TEST_LIST };


int
main(void)
{
    pki_err_t  err;

    pki_test_alloc_hook();
    test_start();

    test_done_replies();
    test_applied_replies();
    test_sync_replies();
    test_list_replies();
    test_long_list();
    test_wrong_types();
    test_no_memory();

    is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "still connected");

    test_killed();

    test_stop();

    return pki_test_done();
}


/* Sends the i-th verb; returns the kind of its callback. */

static int
test_verb(int i, pki_redis_t *redis, test_got_t *to)
{
    const char          *keys[1] = { "k" };
    pki_state_item_t     item = { "a", "b" };
    pki_state_batch_t    batch = { .directory = "d", .token = "t",
                                   .resource = "r", .round = 1 };
    pki_state_object_t   object = { .id = "device/1", .key = "k",
                                    .name = "n", .alias = "x/1",
                                    .mask = PKI_OBJECT_STATES,
                                    .recheck = 5 };

    memset(to, 0, sizeof(test_got_t));

    switch (i) {
    case 0:
        pki_state_lease(redis, "d", "t", 60000, test_done, to);
        return TEST_DONE;
    case 1:
        pki_state_sync(redis, "d", "r", test_synced, to);
        return TEST_SYNC;
    case 2:
        pki_state_begin(redis, "d", "t", "r", test_done, to);
        return TEST_DONE;
    case 3:
        pki_state_apply(redis, &batch, &object, 1, test_applied, to);
        return TEST_APPLIED;
    case 4:
        pki_state_settle(redis, &batch, test_done, to);
        return TEST_DONE;
    case 5:
        pki_state_commit(redis, "d", "t", "r", "l", 1, 1, test_done, to);
        return TEST_DONE;
    case 6:
        pki_state_guard(redis, "d", "t", "r", 1, 1, test_done, to);
        return TEST_DONE;
    case 7:
        pki_state_unseen(redis, "d", "r", 2, 0, 0, test_listed, to);
        return TEST_LIST;
    case 8:
        pki_state_ids(redis, "d", "r", keys, 1, test_listed, to);
        return TEST_LIST;
    case 9:
        pki_state_drop(redis, "d", "t", "r", keys, 1, test_done, to);
        return TEST_DONE;
    case 10:
        pki_state_resolve(redis, "d", "n", test_listed, to);
        return TEST_LIST;
    case 11:
        pki_state_want(redis, "d", "device/1", test_done, to);
        return TEST_DONE;
    case 12:
        pki_state_wanted(redis, "d", "t", 1, test_listed, to);
        return TEST_LIST;
    case 13:
        pki_state_due(redis, "d", 9, 1, test_listed, to);
        return TEST_LIST;
    case 14:
        pki_state_recheck(redis, "d", "t", "device/1", 7, test_done, to);
        return TEST_DONE;
    case 15:
        pki_state_absent(redis, "d", "t", "device/1", 7, test_done, to);
        return TEST_DONE;
    case 16:
        pki_state_object(redis, "d", "device/1", test_listed, to);
        return TEST_LIST;
    case 17:
        pki_state_ask(redis, "d", "asked", 1, test_done, to);
        return TEST_DONE;
    case 18:
        pki_state_push(redis, "d", 0, &object, 1, test_applied, to);
        return TEST_APPLIED;
    case 19:
        pki_state_report(redis, "d", "t", &item, 1, test_done, to);
        return TEST_DONE;
    case 20:
        pki_state_unlease(redis, "d", "t", test_done, to);
        return TEST_DONE;
    default:
        pki_state_status(redis, "d", test_listed, to);
        return TEST_LIST;
    }
}


/* Each verb of the kind gets each of the replies; NULL is the last. */

static void
test_bad(int kind, const char *const *bad)
{
    int     i, told;
    size_t  k;

    for (i = 0; i < TEST_VERBS; i++) {
        for (k = 0; k == 0 || bad[k - 1] != NULL; k++) {
            told = test_verb(i, &pki_test_transport, &got);
            is_int(got.calls, 0, "not called inside");
            is_str(pki_test_sent[0].name, "EVAL", "one command");
            is_int(pki_test_nsent, 1, "and no more");

            if (told != kind) {
                no_answer();
                is_int(got.calls, 1, "called once");
                break;
            }

            pki_test_answer(bad[k], bad[k] ? strlen(bad[k]) : 0);
            is_int(got.calls, 1, "called once");
            is_int(got.result, PKI_STORE_FAILED, "verb %d, bad reply %zu", i,
                   k);
            ok(got.error[0] != '\0', "in words: %s", got.error);
        }
    }
}


static void
test_done_replies(void)
{
    static const char *const  bad[] = {
        "-OOM command not allowed\r\n", "+OK\r\n", ":0\r\n", "$-1\r\n",
        "*-1\r\n", "*0\r\n", "*1\r\n:0\r\n", "*2\r\n:0\r\n:-1\r\n",
        "*2\r\n:0\r\n$1\r\n1\r\n", "*2\r\n:4\r\n:0\r\n",
        "*2\r\n:0\r\n*1\r\n:0\r\n", "*3\r\n:0\r\n:0\r\n:0\r\n", NULL
    };

    test_bad(TEST_DONE, bad);

    (void) test_verb(2, &pki_test_transport, &got);
    answer("*2\r\n:0\r\n:9223372036854775807\r\n");
    is_int(got.result, PKI_STORE_DONE, "a large number");
    is_int(got.n, 9223372036854775807LL, "is taken");
}


static void
test_applied_replies(void)
{
    static const char *const  bad[] = {
        "-ERR x\r\n", "*2\r\n:0\r\n:0\r\n", "*2\r\n:0\r\n*0\r\n",
        "*2\r\n:0\r\n*2\r\n:0\r\n:0\r\n",
        "*2\r\n:0\r\n*4\r\n:0\r\n:0\r\n:0\r\n:0\r\n",
        "*2\r\n:0\r\n*3\r\n:0\r\n:0\r\n$1\r\n0\r\n",
        "*2\r\n:0\r\n*3\r\n$-1\r\n:0\r\n:0\r\n",
        "*2\r\n:0\r\n*3\r\n:-1\r\n:0\r\n:0\r\n",
        "*2\r\n:0\r\n*3\r\n:0\r\n:65\r\n:0\r\n",
        "*2\r\n:7\r\n*3\r\n:0\r\n:0\r\n:0\r\n", NULL
    };

    test_bad(TEST_APPLIED, bad);

    (void) test_verb(3, &pki_test_transport, &got);
    answer("*2\r\n:0\r\n*3\r\n:1\r\n:2\r\n:64\r\n");
    is_int(got.result, PKI_STORE_DONE, "applied");
    is_int(got.applied.changed, 1, "changed");
    is_int(got.applied.staged, 2, "staged");
    is_int(got.applied.deferred, PKI_STATE_APPLY_MAX, "deferred");
}


#define TEST_NILS(n)  "$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n" n


static void
test_sync_replies(void)
{
    static const char *const  bad[] = {
        "-ERR x\r\n", "*2\r\n:0\r\n*0\r\n", "*2\r\n:0\r\n:0\r\n",
        "*2\r\n:0\r\n*9\r\n" TEST_NILS("$-1\r\n:1\r\n:1\r\n"),
        "*2\r\n:0\r\n*10\r\n" TEST_NILS(":5\r\n$-1\r\n:1\r\n:1\r\n"),
        "*2\r\n:0\r\n*10\r\n" TEST_NILS("$1\r\nx\r\n$-1\r\n:1\r\n:1\r\n"),
        "*2\r\n:0\r\n*10\r\n" TEST_NILS("$2\r\n-1\r\n$-1\r\n:1\r\n:1\r\n"),
        "*2\r\n:0\r\n*10\r\n" TEST_NILS("$0\r\n\r\n$-1\r\n:1\r\n:1\r\n"),
        "*2\r\n:0\r\n*10\r\n" TEST_NILS("$-1\r\n:1\r\n:1\r\n:1\r\n"),
        "*2\r\n:0\r\n*10\r\n" TEST_NILS("$-1\r\n$-1\r\n$-1\r\n:1\r\n"),
        "*2\r\n:0\r\n*10\r\n" TEST_NILS("$-1\r\n$-1\r\n:1\r\n:-1\r\n"),
        NULL
    };

    test_bad(TEST_SYNC, bad);

    (void) test_verb(1, &pki_test_transport, &got);
    pki_test_answer("*2\r\n:0\r\n*10\r\n"
                    TEST_NILS("$-1\r\n$3\r\na\0b\r\n:1\r\n:1\r\n"),
                    sizeof("*2\r\n:0\r\n*10\r\n"
                           TEST_NILS("$-1\r\n$3\r\na\0b\r\n:1\r\n:1\r\n"))
                    - 1);
    is_int(got.result, PKI_STORE_FAILED, "a link with a zero octet");

    (void) test_verb(1, &pki_test_transport, &got);
    answer("*2\r\n:0\r\n*10\r\n"
           TEST_NILS("$2\r\n77\r\n$1\r\nl\r\n:3\r\n:4\r\n"));
    is_int(got.result, PKI_STORE_DONE, "read: %s", got.error);
    is_int(got.sync.asked_at, 77, "asked");
    is_int(got.sync.known, 3, "known");
    is_int(got.sync.pending, 4, "pending");
    is_str(got.text, "l", "link");
}


static void
test_list_replies(void)
{
    static const char *const  bad[] = {
        "-ERR x\r\n", "*2\r\n:0\r\n:0\r\n", "*2\r\n:0\r\n*0\r\n",
        "*2\r\n:0\r\n*1\r\n:0\r\n", "*2\r\n:0\r\n*1\r\n$1\r\nx\r\n",
        "*2\r\n:0\r\n*1\r\n$2\r\n-1\r\n",
        "*2\r\n:0\r\n*1\r\n$20\r\n18446744073709551616\r\n",
        "*2\r\n:0\r\n*2\r\n$1\r\n0\r\n$1\r\na\r\n",
        "*2\r\n:0\r\n*3\r\n$1\r\n0\r\n$1\r\na\r\n$-1\r\n",
        "*2\r\n:0\r\n*3\r\n$1\r\n0\r\n:1\r\n$1\r\na\r\n", NULL
    };

    static const char  zero[] = "*2\r\n:0\r\n*3\r\n$1\r\n0\r\n$1\r\na\r\n"
                                "$3\r\na\0b\r\n";

    test_bad(TEST_LIST, bad);

    (void) test_verb(7, &pki_test_transport, &got);
    answer(zero);
    is_int(got.result, PKI_STORE_FAILED, "a zero octet");

    (void) test_verb(7, &pki_test_transport, &got);
    answer("*2\r\n:0\r\n*3\r\n$20\r\n18446744073709551615\r\n$1\r\na\r\n"
           "$0\r\n\r\n");
    is_int(got.result, PKI_STORE_DONE, "a list");
    is_int(got.nitems, 1, "of one");
    is_str(got.text, " a=", "with an empty value");
    ok(got.next == 18446744073709551615ULL, "the largest cursor");
}


static void
test_long_list(void)
{
    int      i, n;
    char    *text;
    size_t   len;

    text = malloc(64 + 2 * 7 * (PKI_STATE_LIST_MAX + 1));

    for (n = PKI_STATE_LIST_MAX; n <= PKI_STATE_LIST_MAX + 1; n++) {
        len = (size_t) sprintf(text, "*2\r\n:0\r\n*%d\r\n$1\r\n0\r\n",
                               2 * n + 1);

        for (i = 0; i < 2 * n; i++) {
            len += (size_t) sprintf(text + len, "$1\r\nx\r\n");
        }

        (void) test_verb(7, &pki_test_transport, &got);
        pki_test_answer(text, len);
        is_int(got.calls, 1, "called once");
        is_int(got.result, n == PKI_STATE_LIST_MAX ? PKI_STORE_DONE
                                                   : PKI_STORE_FAILED,
               "a list of %d", n);
    }

    free(text);
}


/* Each key once is of a type that it should not be. */

static void
test_wrong_types(void)
{
    int        i, failed;
    size_t     k;
    pki_err_t  err;

    static const char *const  keys[TEST_KEYS] = {
        "lease", "sync", "index:r", "pending:r", "names", "wanted",
        "recheck", "absent", "status", "object:device/1"
    };

    for (k = 0; k < TEST_KEYS; k++) {
        failed = 0;

        for (i = 1; i < TEST_VERBS; i++) {
            test_set("FLUSHALL");
            test_set("SET pki:{d}:lease t");
            test_set("DEL pki:{d}:%s", keys[k]);
            test_set("XADD pki:{d}:%s * a b", keys[k]);

            (void) test_verb(i, test_transport, &got);
            (void) pki_redis_sync_wait(test_sync, &err);
            is_int(got.calls, 1, "called once");
            ok(got.result != PKI_STORE_FAILED || got.error[0] != '\0',
               "in words");
            failed += got.result == PKI_STORE_FAILED;

            if (k == TEST_KEYS - 1 && (i == 3 || i == 16 || i == 18)) {
                is_int(got.result, PKI_STORE_FAILED, "verb %d of %s", i,
                       keys[k]);
            }
        }

        ok(failed > 0, "%s: %d verbs fail", keys[k], failed);
    }

    test_set("FLUSHALL");
}


static void
test_no_memory(void)
{
    int        i, n;
    pki_err_t  err;

    for (i = 0; i < TEST_VERBS; i++) {
        for (n = 1; /* void */ ; n++) {
            test_set("SET pki:{d}:lease t");
            pki_test_fail_at(n);
            (void) test_verb(i, test_transport, &got);

            is_int(got.calls, 0, "verb %d, failure %d: not inside", i, n);
            is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "waited");
            is_int(got.calls, 1, "but once");

            if (!pki_test_fail_hit()) {
                break;
            }

            is_int(got.result, PKI_STORE_FAILED, "with FAILED");
            is_str(got.error, "out of memory", "in words");
        }

        pki_test_fail_at(0);
        ok(n > 1, "verb %d needs memory", i);
        ok(got.result == PKI_STORE_DONE || got.result == PKI_STORE_NOT_FOUND,
           "and goes on: %s", got.error);
    }
}


static void
test_killed(void)
{
    int        i;
    pki_err_t  err;

    static test_got_t  all[TEST_VERBS];

    for (i = 0; i < TEST_VERBS; i++) {
        if (i == TEST_VERBS / 2) {
            pki_test_redis_kill(SIGKILL);
        }

        (void) test_verb(i, test_transport, &all[i]);
    }

    is_int(pki_redis_sync_wait(test_sync, &err), PKI_ERROR, "Redis is gone");

    for (i = 0; i < TEST_VERBS; i++) {
        is_int(all[i].calls, 1, "called once");
        is_int(all[i].result, PKI_STORE_FAILED, "with FAILED");
        is_str(all[i].error, "no reply of Redis", "in words");
    }
}


/*
 * The verbs when something is wrong behind them: values that nobody should
 * have put into Redis, replies that it should not give, no memory, and
 * Redis dying in the middle.
 */

#include "pki_test_store.h"
#include "pki_test_transport.h"


static void test_garbage(void);
static void test_wrong_type(void);
static void test_find_replies(void);
static void test_changed_replies(void);
static void test_no_memory(void);
static void test_killed(void);


int
main(void)
{
    pki_err_t  err;

    pki_test_alloc_hook();
    test_start();

    test_garbage();
    test_wrong_type();
    test_find_replies();
    test_changed_replies();
    test_no_memory();

    is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "still connected");

    test_killed();

    test_stop();

    return pki_test_done();
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
    test_got_t  got;

    test_set("LPUSH pki:{ca}:cert:4020 x");
    test_find(&got, 0x20);
    is_int(got.result, PKI_STORE_FAILED, "the record is a list");
    ok(strncmp(got.error, "Redis replied \"WRONGTYPE", 24) == 0, "in words");
    test_revoke(&got, 0x20, PKI_REASON_SUPERSEDED, 1, 1);
    is_int(got.result, PKI_STORE_FAILED, "and is not revoked");
    test_news(NULL);

    test_set("SET pki:{ca}:audit x");
    test_revoke(&got, 0x21, PKI_REASON_SUPERSEDED, 1, 1);
    is_int(got.result, PKI_STORE_FAILED, "no audit");
    test_find(&got, 0x21);
    is_int(got.result, PKI_STORE_DONE, "found");
    is_int(got.found.facts.manual, PKI_REASON_NONE, "no revocation");
    test_news("cert:ca:4021");
    test_set("DEL pki:{ca}:audit");

    test_set("SET pki:{ca}:revoked x");
    test_find(&got, 1);
    is_int(got.result, PKI_STORE_FAILED, "the revocations are a string");
    test_revoke(&got, 1, PKI_REASON_SUPERSEDED, 1, 1);
    is_int(got.result, PKI_STORE_FAILED, "nothing is revoked there");
    test_set("DEL pki:{ca}:revoked");

    test_news(NULL);
}


static void
test_find_replies(void)
{
    int                i, j;
    test_got_t         got;
    pki_store_query_t  query;

    static const char *const  bad[] = {
        "-LOADING Redis is loading\r\n", "-NOAUTH Authentication\r\n",
        ":1\r\n", "+OK\r\n", "*0\r\n", "$0\r\n\r\n", "$3\r\n1 1\r\n",
        "*1\r\n:1\r\n", "*1\r\n$1\r\nx\r\n", "*3\r\n$-1\r\n$-1\r\n$-1\r\n",
        "*1\r\n-ERR x\r\n", NULL
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

                } else if (pki_test_nsent == 1) {
                    answer("*1\r\n$-1\r\n");

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
test_no_memory(void)
{
    int                 i, n;
    pki_err_t           err;
    test_got_t          got;
    pki_serial_t        sn;
    pki_revocation_t    revocation;
    pki_store_query_t   query;

    memset(&revocation, 0, sizeof(revocation));
    memset(&query, 0, sizeof(query));
    sn = test_serial(0x40);
    query.issuer = "ca";
    query.serial = sn;

    for (i = 0; i < 3; i++) {
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
            default:
                pki_store_release(test_transport, "ca", &sn, &test_actor,
                                  test_changed, &got);
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

    pki_store_find(test_transport, &query, test_found, &got[2]);
    is_int(got[2].calls, 0, "not called inside");
    is_int(pki_redis_sync_wait(test_sync, &err), PKI_ERROR, "still gone");

    for (i = 0; i < 3; i++) {
        is_int(got[i].calls, 1, "called once");
        is_int(got[i].result, PKI_STORE_FAILED, "with FAILED");
        is_str(got[i].error, "no reply of Redis", "in words");
    }
}

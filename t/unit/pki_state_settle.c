
/*
 * What is put aside and settled, and what is not yet believed to be better:
 * rules of pki_state_apply() and pki_state_settle().
 */

#include "pki_test_state.h"


static void test_staged(void);
static void test_settle(void);
static void test_settle_many(void);
static void test_settled(void);
static void test_lagging(void);


/* needs an err */

#define test_settles(left)                                                  \
    memset(&got, 0, sizeof(got));                                           \
    pki_state_settle(test_transport, &batch, test_done, &got);              \
    is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "waited");         \
    is_int(got.calls, 1, "called once");                                    \
    is_int(got.result, PKI_STORE_DONE, "settled: %s", got.error);           \
    is_int(got.n, left, "what is left")


int
main(void)
{
    pki_err_t  err;

    test_start();

    test_staged();
    test_settle();
    test_settle_many();
    test_settled();
    test_lagging();

    is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "still connected");

    test_stop();

    return pki_test_done();
}


static void
test_staged(void)
{
    pki_state_object_t  o = { .id = "d/1", .mask = TEST_ALL, .since = 10 };

    test_reset();
    batch.stage = 1;
    batch.round = 4;

    o.state = PKI_OBJECT_DISABLED;
    test_apply(&o, 1, 1, 0, 0);
    test_is("d/1", "1 8 10");
    test_news("object:dir:d/1");

    o.state = PKI_OBJECT_DISABLED | PKI_OBJECT_RISKY;
    o.since = 20;
    batch.round = 5;
    test_apply(&o, 1, 0, 1, 0);
    test_is("d/1", "1 8 10");
    test_string("1 40 20 2047 *", "HGET " TEST_DIR "pending:devices d/1");
    test_string("1 5 d/1", "HGET " TEST_DIR "index:devices d/1");
    test_news(NULL);

    o.state = PKI_OBJECT_DISABLED | PKI_OBJECT_UNCLEAR;
    test_apply(&o, 1, 1, 0, 0);
    test_is("d/1", "1 1032 10");
    test_none("HGET " TEST_DIR "pending:devices d/1");
    test_news("object:dir:d/1");

    o.state = PKI_OBJECT_MISSING;
    test_apply(&o, 1, 1, 0, 0);
    test_news("object:dir:d/1");
    o.state = PKI_OBJECT_DELETED | PKI_OBJECT_MISSING;
    test_apply(&o, 1, 1, 0, 0);
    test_is("d/1", "1 513 20");
    test_news("object:dir:d/1");

    o.state = 0;
    test_apply(&o, 1, 1, 0, 0);
    test_news("object:dir:d/1");
    o.state = PKI_OBJECT_DELETED;
    o.alias = "x/1";
    test_apply(&o, 1, 0, 1, 0);
    test_is("d/1", "1 0 20");
    test_string("1 1 20 2047 =x/1", "HGET " TEST_DIR "pending:devices d/1");

    o.state = 0;
    o.alias = NULL;
    test_apply(&o, 1, 0, 0, 0);
    test_none("HGET " TEST_DIR "pending:devices d/1");
    test_news(NULL);
}


static void
test_settle(void)
{
    pki_err_t           err;
    pki_state_object_t  o = { .id = "d/1", .mask = 0xff, .since = 10 };

    test_reset();
    test_settles(0);

    test_tell("d/1", PKI_OBJECT_DISABLED, TEST_ALL, 10);
    batch.stage = 1;
    o.state = PKI_OBJECT_DELETED;
    o.alias = "x/1";
    o.since = 20;
    o.recheck = 70;
    test_apply(&o, 1, 0, 1, 0);

    /* meanwhile another resource tells something of the same object */

    batch.resource = "owners";
    batch.stage = 0;
    test_tell("d/1", PKI_OBJECT_SILENT, PKI_OBJECT_SILENT, 30);
    batch.resource = "devices";
    test_is("d/1", "1 264 10");
    test_set("SET " TEST_DIR "object:x/1 %s", "1 0 5");
    test_set("ZADD " TEST_DIR "recheck 70 d/1");

    batch.token = "other";
    memset(&got, 0, sizeof(got));
    pki_state_settle(test_transport, &batch, test_done, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_CONFLICT, "not without the lease");
    batch.token = "t";

    test_news(NULL);
    test_settles(0);
    test_heard("d/1 x/1", "settled with its alias");
    test_is("d/1", "1 257 10 x/1");
    test_none("HGET " TEST_DIR "pending:devices d/1");
    test_string("70", "ZSCORE " TEST_DIR "recheck d/1");
    test_settles(0);
    test_news(NULL);

    /* what is sticky stays, and a good object gets the time that was told */

    batch.stage = 1;
    test_tell("d/2", 0, TEST_ALL, 10);
    test_news("object:dir:d/2");
    o.id = "d/2";
    o.alias = NULL;
    test_apply(&o, 1, 0, 1, 0);
    test_set("SET " TEST_DIR "object:d/2 %s", "1 2 15");
    batch.sticky = PKI_OBJECT_RETIRED;
    test_settles(0);
    test_is("d/2", "1 3 15");
    test_news("object:dir:d/2");

    /* what a first listing puts aside is news when it is settled */

    batch.first = 1;
    test_tell("d/3", 0, TEST_ALL, 10);
    test_news(NULL);
    o.id = "d/3";
    test_apply(&o, 1, 0, 1, 0);
    test_settles(0);
    test_is("d/3", "1 1 20");
    test_news("object:dir:d/3");

    test_set("HSET " TEST_DIR "pending:devices d/3 %s", "1 1 20 *");
    memset(&got, 0, sizeof(got));
    pki_state_settle(test_transport, &batch, test_done, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.result, PKI_STORE_FAILED, "an unreadable one");
}


static void
test_settle_many(void)
{
    char                 id[24], owner[PKI_OWNER_SIZE];
    unsigned             i, n;
    pki_err_t            err;
    redisReply          *reply;
    pki_state_object_t   o = { .id = id, .mask = TEST_ALL, .state = 8 };

    test_reset();

    for (i = 0; i < 2 * PKI_STATE_APPLY_MAX + 10; i++) {
        (void) snprintf(id, sizeof(id), "d/%u", i);
        test_set("SET " TEST_DIR "object:%s %s", id, "1 0 5");
        batch.stage = 1;
        o.since = 10 + i;
        memset(&got, 0, sizeof(got));
        pki_state_apply(test_transport, &batch, &o, 1, test_applied, &got);
        (void) pki_redis_sync_wait(test_sync, &err);

        if (got.applied.staged != 1) {
            ok(0, "put aside %u", i);
        }
    }

    n = i;
    test_settles(PKI_STATE_APPLY_MAX + 10);
    test_settles(10);
    test_settles(0);

    for (i = 0; i < n; i++) {
        reply = test_redis("GET " TEST_DIR "object:d/%u", i);
        (void) snprintf(owner, sizeof(owner), "1 8 %u", 10 + i);

        if (reply->str == NULL || strcmp(reply->str, owner) != 0) {
            ok(0, "d/%u is settled", i);
        }

        freeReplyObject(reply);
    }

    for (i = 0; i < n; i++) {
        if (redisGetReply(test_subscriber, (void **) &reply) != REDIS_OK) {
            ok(0, "news %u", i);
            break;
        }

        freeReplyObject(reply);
    }

    test_news(NULL);
}


static void
test_settled(void)
{
    pki_err_t           err;
    pki_state_object_t  o = { .id = "d/1", .mask = TEST_ALL, .since = 150 };

    test_reset();
    test_tell("d/1", PKI_OBJECT_NONCOMPLIANT, TEST_ALL, 100);
    batch.settled = 99;
    batch.settle = 60;

    test_apply(&o, 1, 0, 0, 1);
    test_is("d/1", "1 16 100");
    test_string("160", "ZSCORE " TEST_DIR "recheck d/1");

    /* at once worse and better: worse now, better later */

    o.state = PKI_OBJECT_DISABLED;
    o.recheck = 155;
    o.alias = "x/1";
    test_take(&o, 1, 1, 0, 1);
    test_heard("d/1 x/1", "with its alias");
    test_is("d/1", "1 24 100 x/1");
    test_string("155", "ZSCORE " TEST_DIR "recheck d/1");

    /* in the same state again, there is nothing to look at */

    o.recheck = 0;
    o.alias = NULL;
    o.state = PKI_OBJECT_NONCOMPLIANT | PKI_OBJECT_DISABLED;
    test_apply(&o, 1, 0, 0, 0);
    test_none("ZSCORE " TEST_DIR "recheck d/1");
    test_is("d/1", "1 24 100 x/1");

    batch.settled = 100;
    o.state = 0;
    test_apply(&o, 1, 1, 0, 0);
    test_is("d/1", "1 0 150 x/1");

    /* a permanent one waits like any other, and staging meets deferring */

    test_tell("d/2", PKI_OBJECT_DELETED, TEST_ALL, 200);
    o.id = "d/2";
    o.state = PKI_OBJECT_RISKY;
    o.since = 210;
    batch.stage = 1;
    test_apply(&o, 1, 0, 1, 1);
    test_is("d/2", "1 1 200");
    test_string("1 32 210 2047 *", "HGET " TEST_DIR "pending:devices d/2");
    test_string("260", "ZSCORE " TEST_DIR "recheck d/2");

    test_settles(0);
    test_is("d/2", "1 33 200");
    test_news("object:dir:d/2");
}


/*
 * A lookup that is told the past, by a server that lags behind the one that
 * told the change, does not end what was put aside: no delta would tell it
 * once more.
 */

static void
test_lagging(void)
{
    pki_err_t           err;
    pki_state_object_t  o = { .id = "d/1", .mask = TEST_ALL, .since = 150,
                              .state = PKI_OBJECT_DISABLED };

    test_reset();
    test_tell("d/1", 0, TEST_ALL, 10);
    batch.stage = 1;
    test_apply(&o, 1, 0, 1, 0);

    batch.stage = 0;
    batch.settled = 149;
    batch.settle = 60;
    o.state = 0;
    o.since = 155;
    test_apply(&o, 1, 0, 0, 1);
    test_is("d/1", "1 0 10");
    test_string("1 8 150 2047 *", "HGET " TEST_DIR "pending:devices d/1");
    test_string("210", "ZSCORE " TEST_DIR "recheck d/1");

    o.state = PKI_OBJECT_NONCOMPLIANT;
    test_apply(&o, 1, 1, 0, 1);
    test_is("d/1", "1 16 155");
    test_string("1 8 150 2047 *", "HGET " TEST_DIR "pending:devices d/1");

    test_settles(0);
    test_is("d/1", "1 24 150");
    test_news("object:dir:d/1");
    test_string("210", "ZSCORE " TEST_DIR "recheck d/1");
    test_none("HGET " TEST_DIR "pending:devices d/1");

    /* of the same or an earlier moment as what is known to be settled */

    batch.settled = 210;
    o.state = 0;
    o.since = 215;
    test_apply(&o, 1, 1, 0, 0);
    test_none("ZSCORE " TEST_DIR "recheck d/1");

    batch.stage = 1;
    o.state = PKI_OBJECT_DISABLED;
    o.since = 210;
    test_apply(&o, 1, 0, 1, 0);
    batch.stage = 0;
    o.state = 0;
    test_apply(&o, 1, 0, 0, 0);
    test_none("HGET " TEST_DIR "pending:devices d/1");

    /* what is as bad ends it, and so does the listing itself */

    batch.stage = 1;
    o.state = PKI_OBJECT_DISABLED;
    o.since = 220;
    test_apply(&o, 1, 0, 1, 0);
    batch.stage = 0;
    test_apply(&o, 1, 1, 0, 0);
    test_none("HGET " TEST_DIR "pending:devices d/1");

    test_set("SET " TEST_DIR "object:d/1 %s", "1 0 5");
    batch.stage = 1;
    test_apply(&o, 1, 0, 1, 0);
    o.state = 0;
    test_apply(&o, 1, 0, 0, 0);
    test_none("HGET " TEST_DIR "pending:devices d/1");
    test_news(NULL);
}

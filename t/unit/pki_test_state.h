
/*
 * What the tests of states share: a directory whose lease the test holds,
 * and one way to tell something of its objects.
 */

#ifndef PKI_TEST_STATE_H
#define PKI_TEST_STATE_H


#include "pki_test_store.h"


#define TEST_ALL  PKI_OBJECT_STATES
#define TEST_DIR  "pki:{dir}:"


static test_got_t         got;
static pki_state_batch_t  batch;


static void
test_reset(void)
{
    test_set("FLUSHALL");
    test_set("SET pki:{dir}:lease t");

    memset(&batch, 0, sizeof(batch));
    batch.directory = "dir";
    batch.token = "t";
    batch.resource = "devices";
}


static void
test_apply(const pki_state_object_t *objects, size_t n, long long changed,
    long long staged, long long deferred)
{
    pki_err_t  err;

    memset(&got, 0, sizeof(got));
    pki_state_apply(test_transport, &batch, objects, n, test_applied, &got);
    is_int(got.calls, 0, "not called inside");
    is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "waited");
    is_int(got.calls, 1, "called once");
    is_int(got.result, PKI_STORE_DONE, "applied: %s", got.error);
    is_int(got.applied.changed, changed, "%lld changed", changed);
    is_int(got.applied.staged, staged, "%lld put aside", staged);
    is_int(got.applied.deferred, deferred, "%lld deferred", deferred);
}


/* One object that changes. */

static void
test_tell(const char *id, unsigned state, unsigned mask, time_t since)
{
    char                owner[PKI_OWNER_SIZE];
    pki_state_object_t  object = { .id = id, .state = state, .mask = mask,
                                   .since = since };

    test_apply(&object, 1, 1, 0, 0);
    (void) pki_owner_object(owner, "dir", id);
    test_news(owner);
}


static void
test_is(const char *id, const char *want)
{
    redisReply  *reply;

    reply = test_redis("GET " TEST_DIR "object:%s", id);
    is_str(reply->str ? reply->str : "(none)", want, "%s is \"%s\"", id,
           want);
    freeReplyObject(reply);
}


static void
test_none(const char *format)
{
    redisReply  *reply;

    reply = redisCommand(test_plain, format);
    ok(reply && (reply->type == REDIS_REPLY_NIL
                 || (reply->type == REDIS_REPLY_INTEGER
                     && reply->integer == 0)), "nothing: %s", format);
    freeReplyObject(reply);
}


#endif /* PKI_TEST_STATE_H */

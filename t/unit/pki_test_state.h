
/*
 * What the tests of states share: a directory whose lease the test holds,
 * and one way to tell something of its objects.  All that is told directly
 * is news, and nothing else: that is checked here.  What is news of a batch
 * that puts aside, or by an alias, is the tests' own matter.
 */

#ifndef PKI_TEST_STATE_H
#define PKI_TEST_STATE_H


#include "pki_test_store.h"


#define TEST_ALL    PKI_OBJECT_STATES
#define TEST_DIR    "pki:{dir}:"
#define TEST_OWNER  "object:dir:"


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
test_told(const char *id)
{
    char  owner[PKI_OWNER_SIZE];

    (void) pki_owner_object(owner, "dir", id);
    test_news(owner);
}


/* All news there are, of the directory's objects by their ids alone. */

static void __attribute__((unused))
test_heard(const char *want, const char *what)
{
    char         text[TEST_TEXT];
    void        *reply;
    size_t       len;
    const char  *owner;
    redisReply  *message;

    freeReplyObject(test_redis("PUBLISH pki:news end"));
    text[0] = '\0';

    for (len = 0; len < sizeof(text); /* void */) {
        if (redisGetReply(test_subscriber, &reply) != REDIS_OK) {
            printf("Bail out! the subscription is gone\n");
            exit(1);
        }

        message = reply;
        owner = message->element[2]->str;

        if (strcmp(owner, "end") == 0) {
            freeReplyObject(reply);
            break;
        }

        if (strncmp(owner, TEST_OWNER, sizeof(TEST_OWNER) - 1) == 0) {
            owner += sizeof(TEST_OWNER) - 1;
        }

        len += snprintf(text + len, sizeof(text) - len, "%s%s",
                        len ? " " : "", owner);
        freeReplyObject(reply);
    }

    is_str(text, want, "%s: news of \"%s\"", what, want);
}


/* Each object once, unless it was merely seen, and nothing else. */

static void
test_told_all(const pki_state_object_t *objects, size_t n)
{
    size_t    i, k;
    unsigned  mask;

    for (i = 0; i < n; i++) {
        for (k = 0; strcmp(objects[k].id, objects[i].id) != 0; k++) {
            /* void */
        }

        if (k < i) {
            continue;
        }

        for (mask = 0; k < n; k++) {
            if (strcmp(objects[k].id, objects[i].id) == 0) {
                mask |= objects[k].mask;
            }
        }

        if (mask != 0) {
            test_told(objects[i].id);
        }
    }

    test_news(NULL);
}


static void
test_take(const pki_state_object_t *objects, size_t n, long long changed,
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


/* As most are told: what is directly is news, and nothing else. */

static void
test_apply(const pki_state_object_t *objects, size_t n, long long changed,
    long long staged, long long deferred)
{
    test_take(objects, n, changed, staged, deferred);

    if (!batch.stage) {
        test_told_all(objects, n);
    }
}


/* One object that changes. */

static void
test_tell(const char *id, unsigned state, unsigned mask, time_t since)
{
    pki_state_object_t  object = { .id = id, .state = state, .mask = mask,
                                   .since = since };

    test_apply(&object, 1, 1, 0, 0);
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


/*
 * What the tests of the verbs share: a Redis with a connection for the
 * verbs, one for plain commands and one that hears the news; callbacks that
 * keep what a verb told; and the verbs that are needed again and again.
 */

#ifndef PKI_TEST_STORE_H
#define PKI_TEST_STORE_H


#include "pki_test.h"
#include "pki_test_redis.h"
#include "pki_redis_sync.h"
#include "pki_state.h"


#define TEST_TEXT  4096
#define TEST_NEWS  10           /* seconds: news come at once or not at all */


typedef struct {
    int                 calls;
    pki_store_result_t  result;
    long long           n;
    int                 has_present;
    pki_revocation_t    present;
    pki_store_found_t   found;
    pki_state_applied_t applied;
    pki_state_sync_t    sync;
    size_t              nitems;
    unsigned long long  next;
    char                text[TEST_TEXT];    /* of a link, or all items as
                                               " name=value" */
    char                error[300];
} test_got_t;


static pki_redis_sync_t  *test_sync;
static pki_redis_t       *test_transport;
static redisContext      *test_plain;
static redisContext      *test_subscriber;

static const pki_actor_t  test_actor __attribute__((unused)) =
    { "Jo", "::1", "lost", 1000 };


static void __attribute__((unused))
test_found(void *data, const pki_store_found_t *found)
{
    test_got_t  *got = data;

    got->calls++;
    got->result = found->result;
    got->found = *found;
    (void) snprintf(got->error, sizeof(got->error), "%s",
                    found->error ? found->error : "");
}


static void __attribute__((unused))
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


static void __attribute__((unused))
test_applied(void *data, pki_store_result_t result,
    const pki_state_applied_t *applied, const char *error)
{
    test_got_t  *got = data;

    test_done(data, result, 0, error);
    got->applied = *applied;
}


static void __attribute__((unused))
test_synced(void *data, pki_store_result_t result,
    const pki_state_sync_t *sync, const char *error)
{
    test_got_t  *got = data;

    test_done(data, result, 0, error);
    got->sync = *sync;
    got->sync.link = NULL;
    (void) snprintf(got->text, sizeof(got->text), "%s",
                    sync->link ? sync->link : "(none)");
}


static void __attribute__((unused))
test_listed(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error)
{
    size_t       i, len;
    test_got_t  *got = data;

    test_done(data, result, 0, error);
    got->nitems = n;
    got->next = next;
    got->text[0] = '\0';

    for (len = 0, i = 0; i < n && len < sizeof(got->text); i++) {
        len += snprintf(got->text + len, sizeof(got->text) - len, " %s=%s",
                        items[i].name, items[i].value);
    }
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
    conf.stop = -1;

    sync = pki_redis_sync_create(&conf, &err);
    if (sync == NULL) {
        printf("Bail out! %s\n", err.text);
        exit(1);
    }

    return sync;
}


static void
test_start(void)
{
    struct timeval  limit = { TEST_NEWS, 0 };

    pki_test_redis_start("--maxmemory-policy", "noeviction");

    test_sync = test_connect();
    test_transport = pki_redis_sync_transport(test_sync);
    test_plain = redisConnectUnix(pki_test_socket);
    test_subscriber = redisConnectUnix(pki_test_socket);

    if (test_subscriber == NULL
        || redisSetTimeout(test_subscriber, limit) != REDIS_OK)
    {
        printf("Bail out! no connection for the news\n");
        exit(1);
    }

    freeReplyObject(redisCommand(test_subscriber, "SUBSCRIBE pki:news"));
}


static void
test_stop(void)
{
    redisFree(test_plain);
    redisFree(test_subscriber);
    pki_redis_sync_destroy(test_sync);
}


static redisReply * __attribute__((format(printf, 1, 2)))
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


static void __attribute__((format(printf, 1, 2)))
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


static void __attribute__((unused, format(printf, 2, 3)))
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

static void __attribute__((unused))
test_news(const char *want)
{
    void        *reply;
    redisReply  *message;

    if (want == NULL) {
        freeReplyObject(test_redis("PUBLISH pki:news nothing"));
        want = "nothing";
    }

    if (redisGetReply(test_subscriber, &reply) != REDIS_OK) {
        printf("Bail out! \"%s\" does not come\n", want);
        exit(1);
    }

    message = reply;
    is_str(message->elements == 3 ? message->element[2]->str : NULL, want,
           "news: %s", want);
    freeReplyObject(reply);
}


static pki_serial_t __attribute__((unused))
test_serial(unsigned char last)
{
    pki_serial_t  serial = { { 0x40 }, 2 };

    serial.data[1] = last;

    return serial;
}


static void __attribute__((unused))
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


static void __attribute__((unused))
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


static void __attribute__((unused))
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


#endif /* PKI_TEST_STORE_H */

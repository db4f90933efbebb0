
/*
 * The world of a lookup, for its test: a real Redis, and a fake of all else.
 * Requests are caught before libcurl and answered by the test, the machine
 * is a resource of a toy dialect, and both clocks are the test's.
 */

#ifndef PKI_TEST_LOOKUP_H
#define PKI_TEST_LOOKUP_H


#include "pki_test.h"
#include "pki_test_redis.h"
#include "pki_source.h"

#include <stdarg.h>


#define TEST_ASKED  64
#define DEVICE_1    "device/00000000-0000-0000-0000-000000000001"
#define DEVICE_2    "device/00000000-0000-0000-0000-000000000002"
#define DEVICE_3    "device/00000000-0000-0000-0000-000000000003"
#define TEST_UNSHOWN  (PKI_OBJECT_REMOVED|PKI_OBJECT_MISSING)
#define FOUND_1     "{\"id\":\"" DEVICE_1 "\",\"enabled\":true}"
#define GONE        "{\"error\":\"NotFound\",\"id\":null}"


typedef struct {
    char           url[256];
    char           token[32];
    pki_request_t  request;
} test_asked_t;


/* the whole of a toy machine, as far as a lookup sees it */

struct pki_machine_s {
    time_t     at;
    time_t     full_at;
    long long  number;
    unsigned   hurried;
};


static pki_rc_t test_lookup(const pki_directory_conf_t *conf,
    unsigned variant, const char *id, const char *key, char *url,
    size_t size);
static pki_rc_t test_item(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_item_t *item);
static int test_absent(int status, const pki_value_t *values);


static const char *const  test_paths[] = { "id", "enabled", "error", NULL };

static pki_resource_t  test_resource = {
    .name = "devices",
    .classes = 1 << PKI_OBJECT_DEVICE,
    .mask = PKI_OBJECT_DELETED|PKI_OBJECT_REMOVED|PKI_OBJECT_DISABLED
            |PKI_OBJECT_MISSING|PKI_OBJECT_UNCLEAR,
    .paths = test_paths,
    .item = test_item,
    .lookup = test_lookup,
    .absent = test_absent
};

static pki_machine_t         test_machine;
static pki_directory_conf_t  test_conf;
static pki_source_t          test_source;
static pki_lookup_t         *test_it;
static redisContext         *test_plain;

static time_t                test_wall;
static long long             test_mono;
static test_asked_t          test_asked[TEST_ASKED];
static unsigned              test_nasked;
static unsigned              test_logs;
static char                  test_line[PKI_MAIL_TEXT];
static pki_rc_t              test_token;
static int                   test_fresh;
static int                   test_worked;


/* what a source, a machine, a fetcher and a login are made of here */

time_t
pki_source_now(const pki_source_t *source)
{
    (void) source;

    return test_wall;
}


long long
pki_source_mono(const pki_source_t *source)
{
    (void) source;

    return test_mono;
}


void
pki_source_log(pki_source_t *source, int level, const char *format, ...)
{
    va_list  args;

    (void) source;
    (void) level;

    va_start(args, format);
    (void) vsnprintf(test_line, sizeof(test_line), format, args);
    va_end(args);

    test_logs++;
}


pki_rc_t
pki_source_wait(pki_source_t *source)
{
    pki_err_t  err;

    if (pki_redis_sync_wait(source->sync, &err) == PKI_OK) {
        return PKI_OK;
    }

    pki_redis_sync_destroy(source->sync);
    source->sync = NULL;
    source->redis = NULL;
    source->holder = 0;

    return PKI_ERROR;
}


void
pki_source_lost(pki_source_t *source)
{
    source->holder = 0;
}


pki_rc_t
pki_source_token(pki_source_t *source, unsigned which, const char **token,
    long *wait, pki_err_t *err)
{
    (void) source;
    (void) which;

    *wait = 700;
    *token = "token";
    pki_err_set(err, "no token for the test");

    return test_token;
}


long
pki_source_backoff(const pki_source_t *source, unsigned n)
{
    (void) source;

    return n > 8 ? 300000 : 1000 * n;
}


long
pki_source_asked(const pki_source_t *source, const pki_fetch_result_t *result)
{
    (void) source;

    return result->retry_after[0] ? 1000 * atol(result->retry_after) : -1;
}


const pki_resource_t *
pki_machine_resource(const pki_machine_t *machine)
{
    (void) machine;

    return &test_resource;
}


unsigned
pki_machine_variant(const pki_machine_t *machine)
{
    (void) machine;

    return 7;
}


time_t
pki_machine_full_at(const pki_machine_t *machine)
{
    return machine->full_at;
}


long long
pki_machine_number(const pki_machine_t *machine)
{
    return machine->number;
}


void
pki_machine_hurry(pki_machine_t *machine, int urgent)
{
    (void) urgent;

    machine->hurried++;
}


void
pki_machine_stats(const pki_machine_t *machine, pki_poller_stats_t *stats)
{
    stats->at = machine->at;
}


void
pki_fetch(pki_fetch_peer_t *peer, const pki_request_t *request)
{
    test_asked_t  *asked;

    (void) peer;

    asked = &test_asked[test_nasked++ % TEST_ASKED];
    asked->request = *request;
    (void) snprintf(asked->url, sizeof(asked->url), "%s", request->url);
    (void) snprintf(asked->token, sizeof(asked->token), "%s",
                    request->token);
}


int
pki_login_rejected(pki_login_t *login, const char *token)
{
    (void) login;

    return test_fresh && strcmp(token, "token") == 0;
}


void
pki_login_worked(pki_login_t *login)
{
    (void) login;

    test_worked++;
}


static pki_rc_t
test_lookup(const pki_directory_conf_t *conf, unsigned variant,
    const char *id, const char *key, char *url, size_t size)
{
    (void) conf;

    if (strcmp(id, DEVICE_3) == 0 && key == NULL) {
        return PKI_NOT_FOUND;
    }

    (void) snprintf(url, size, "/v%u/%s", variant,
                    strcmp(id, DEVICE_3) == 0 ? key : id);

    return PKI_OK;
}


static pki_rc_t
test_item(const pki_directory_conf_t *conf, const pki_value_t *values,
    time_t now, pki_item_t *item)
{
    (void) conf;

    if (values[0].type != PKI_VALUE_STRING) {
        return PKI_INVALID;
    }

    item->object.id = values[0].string;
    item->object.key = "key-of-it";
    item->object.mask = test_resource.mask;
    item->object.since = now;

    if (values[1].integer == 0) {
        item->object.state = PKI_OBJECT_DISABLED;
    }

    return PKI_OK;
}


static int
test_absent(int status, const pki_value_t *values)
{
    return status == 404 && values[2].type == PKI_VALUE_STRING
           && strcmp(values[2].string, "NotFound") == 0;
}


/* helpers of the stories */

static long long __attribute__((format(printf, 1, 2)))
test_redis(const char *format, ...)
{
    va_list      args;
    long long    n;
    redisReply  *reply;

    va_start(args, format);
    reply = redisvCommand(test_plain, format, args);
    va_end(args);

    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        printf("Bail out! Redis refused \"%s\"\n", format);
        exit(1);
    }

    n = reply->type == REDIS_REPLY_INTEGER ? reply->integer
        : reply->type == REDIS_REPLY_STRING ? atoll(reply->str) : -1;
    freeReplyObject(reply);

    return n;
}


/* The state of an object; -1: none is known. */

static int
test_state(const char *id)
{
    int          state;
    redisReply  *reply;

    state = -1;
    reply = redisCommand(test_plain, "GET pki:{dir}:object:%s", id);

    if (reply != NULL && reply->type == REDIS_REPLY_STRING) {
        (void) sscanf(reply->str, "1 %d", &state);
    }

    freeReplyObject(reply);

    return state;
}


static void __attribute__((unused))
test_seen(const char *want)
{
    redisReply  *reply;

    reply = redisCommand(test_plain, "HGET pki:{dir}:index:devices key-of-it");
    is_str(reply && reply->str ? reply->str : "(none)", want, "seen: %s",
           want);
    freeReplyObject(reply);
}


static long long
test_due(const char *id)
{
    return test_redis("ZSCORE pki:{dir}:recheck %s", id);
}


static void
test_connect(void)
{
    pki_err_t              err;
    pki_redis_sync_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    conf.path = pki_test_socket;
    conf.timeout = 5000;
    conf.stop = -1;

    test_source.sync = pki_redis_sync_create(&conf, &err);
    if (test_source.sync == NULL) {
        printf("Bail out! %s\n", err.text);
        exit(1);
    }

    test_source.redis = pki_redis_sync_transport(test_source.sync);
    test_source.holder = 1;
}


/* Everything from the start, with the lease in our hand. */

static void
test_begin(void)
{
    test_redis("FLUSHALL");
    test_redis("SET pki:{dir}:lease %s", "me 1234");

    if (test_source.sync == NULL) {
        test_connect();
    }

    memset(&test_conf, 0, sizeof(test_conf));
    test_conf.name = "dir";
    test_conf.url = "https://directory.test";
    test_conf.interval = 60000;
    test_conf.confirm = 120;
    test_conf.lookups = 100;

    strcpy(test_source.token, "me 1234");
    test_source.conf = &test_conf;
    test_source.holder = 1;
    test_source.machines[0] = &test_machine;
    test_source.nmachines = 1;

    test_machine.at = 99999;
    test_machine.full_at = 5000;
    test_machine.number = 3;

    test_wall = 10000;
    test_mono = 1000000;
    test_nasked = 0;
    test_logs = 0;
    test_line[0] = '\0';
    test_token = PKI_OK;
    test_fresh = 0;

    pki_lookup_destroy(test_it);
    test_it = pki_lookup_create(&test_source);
}


/* So many milliseconds later. */

static long
test_tick(long ms)
{
    test_mono += ms;
    test_wall += ms / 1000;

    return pki_lookup_tick(test_it);
}


static void
test_want(const char *id)
{
    test_redis("SADD pki:{dir}:wanted %s", id);
    pki_lookup_hurry(test_it);
    (void) test_tick(0);
}


/* The reply to the n-th request, octet by octet, or a failure; then a tick. */

static void
test_reply(unsigned n, int status, const char *body, const char *retry_after)
{
    pki_request_t       *request;
    pki_fetch_result_t   result;

    if (n >= test_nasked) {
        ok(0, "request %u was sent", n);
        return;
    }

    memset(&result, 0, sizeof(result));
    result.status = status;
    result.location = "";
    request = &test_asked[n % TEST_ASKED].request;

    if (retry_after != NULL) {
        strcpy(result.retry_after, retry_after);
    }

    if (status == 0) {
        result.outcome = PKI_FETCH_FAILED;
        result.error = "connection refused";
    }

    for ( /* void */ ; body && *body; body++) {
        (void) request->piece(request->data, status, body, 1);
    }

    request->done(request->data, &result);
    (void) test_tick(0);
}


#endif /* PKI_TEST_LOOKUP_H */


/*
 * A machine for the tests of rounds: the real one, with the real Redis,
 * pages and answers, but clocks, a directory, tokens and a lookup that the
 * test plays.  The toy dialect knows /list, /delta and what its items say.
 */

#ifndef PKI_TEST_MACHINE_H
#define PKI_TEST_MACHINE_H


#include "pki_test_store.h"

#include <stdarg.h>
#include "pki_source.h"


#define TEST_MAIL    64
#define TEST_LOOKUP  64
#define TEST_PIECE   7

#define test_key(what)  "pki:{corp}:" what


struct pki_login_s {
    int                  unused;
};


static time_t            test_wall;
static long long         test_mono;

static pki_request_t     test_request;      /* under way, if .done */
static char              test_url[8192];
static char              test_body[512];
static char              test_bearer[64];
static char              test_headers[PKI_FETCH_HEADERS][80];
static int               test_requests;
static int               test_forgotten;    /* cookies */

static const char       *test_token;        /* NULL: none */
static const char       *test_fresh;        /* what the next login gives */
static pki_login_result_t  test_login_result;
static int               test_logins;
static int               test_static;       /* none can be asked for */
static const char       *test_type;         /* Content-Type, or NULL */
static const char       *test_date;         /* of the next reply; or NULL */
static int               test_rejected;
static int               test_again;        /* of pki_login_rejected() */
static int               test_worked;

static char              test_mail[TEST_MAIL][PKI_MAIL_TEXT];
static int               test_levels[TEST_MAIL];
static int               test_mails;
static int               test_lost;
static int               test_quiet;        /* no line of TAP per request */
static int               test_abandons;     /* as a poller may at once */
static int               test_dirty;
static pki_machine_t    *test_machine;

static char              test_lookup[TEST_LOOKUP][64];
static size_t            test_lookups;
static size_t            test_room;

static pki_login_t       test_login;
static pki_source_t      test_source;
static pki_directory_conf_t  test_conf;
static pki_resource_t    test_resources[3];
static pki_dialect_t     test_dialect;
static int               test_fetches;      /* setups by next() */
static int               test_server_errors;    /* seen by next() */
static pki_store_result_t  test_results[4];     /* of items, as next() saw */
static unsigned            test_elsewhere[4];


/* the poller's */

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

    if (test_mails == TEST_MAIL) {
        abort();
    }

    va_start(args, format);
    (void) vsnprintf(test_mail[test_mails], PKI_MAIL_TEXT, format, args);
    va_end(args);

    test_levels[test_mails++] = level;
}


pki_rc_t
pki_source_wait(pki_source_t *source)
{
    pki_err_t  err;

    if (source->sync == NULL
        || pki_redis_sync_wait(source->sync, &err) != PKI_OK)
    {
        source->sync = NULL;
        source->redis = NULL;
        return PKI_ERROR;
    }

    return PKI_OK;
}


void
pki_source_lost(pki_source_t *source)
{
    (void) source;

    test_lost++;

    if (test_abandons) {
        pki_machine_abandon(test_machine, "the lease is lost");
    }
}


void
pki_source_dirty(pki_source_t *source)
{
    (void) source;

    test_dirty++;
}


/* the lookup's */

pki_rc_t
pki_lookup_add(pki_lookup_t *lookup, const char *id, const char *key)
{
    (void) lookup;

    if (test_lookups == TEST_LOOKUP) {
        abort();
    }

    (void) snprintf(test_lookup[test_lookups++], 64, "%s=%s", key, id);
    test_room--;

    return PKI_OK;
}


size_t
pki_lookup_room(const pki_lookup_t *lookup)
{
    (void) lookup;

    return test_room;
}


/* pki_fetch.h */

void
pki_fetch(pki_fetch_peer_t *peer, const pki_request_t *request)
{
    unsigned  i;

    (void) peer;

    if (test_request.done != NULL) {
        printf("Bail out! two requests at once\n");
        exit(1);
    }

    test_requests++;
    test_request = *request;

    (void) snprintf(test_url, sizeof(test_url), "%s", request->url);
    (void) snprintf(test_body, sizeof(test_body), "%.*s", (int) request->len,
                    request->body ? request->body : "");
    (void) snprintf(test_bearer, sizeof(test_bearer), "%s",
                    request->token ? request->token : "");

    for (i = 0; i < PKI_FETCH_HEADERS; i++) {
        (void) snprintf(test_headers[i], sizeof(test_headers[i]), "%s",
                        request->headers[i] ? request->headers[i] : "");
    }
}


void
pki_fetch_forget(pki_fetch_peer_t *peer)
{
    (void) peer;

    test_forgotten++;
}


/* pki_login.h */

const char *
pki_login_token(const pki_login_t *login, long long mono)
{
    (void) login;
    (void) mono;

    return test_token;
}


pki_rc_t
pki_login_request(pki_login_t *login, time_t now, pki_request_t *request,
    pki_err_t *err)
{
    (void) login;
    (void) now;

    if (test_static) {
        pki_err_set(err, "a token out of a file");
        return PKI_NOT_FOUND;
    }

    request->method = "POST";
    request->url = "https://login.example/token";
    test_logins++;

    return PKI_OK;
}


pki_rc_t
pki_login_piece(pki_login_t *login, int status, const char *text, size_t len)
{
    (void) login;
    (void) status;
    (void) text;
    (void) len;

    return PKI_OK;
}


pki_login_result_t
pki_login_done(pki_login_t *login, const pki_fetch_result_t *result,
    long long mono, pki_err_t *err)
{
    (void) login;
    (void) mono;
    (void) result;

    pki_err_set(err, "AADSTS7000215");

    if (test_login_result == PKI_LOGIN_OK) {
        test_token = test_fresh;
    }

    return test_login_result;
}


int
pki_login_rejected(pki_login_t *login, const char *token)
{
    (void) login;

    if (test_token != NULL && strcmp(test_token, token) == 0) {
        test_token = NULL;
    }

    test_rejected++;

    return test_again;
}


void
pki_login_worked(pki_login_t *login)
{
    (void) login;

    test_worked++;
}


/* the toy dialect: 'd' in "s" is deleted, 'o' disabled, 'r' risky */

static const char  *const test_paths[] = {
    "id", "key", "s", "serial", "issuer", "context", "name", "alias", NULL
};

static const char  *const test_top[] = {
    "next", "delta", "partial", "link", NULL
};

static const pki_page_shape_t  test_shape = { "value", test_paths, test_top };
static const pki_page_shape_t  test_other = { "value", NULL, test_top };


static const char *
test_text(const pki_value_t *value)
{
    return value->type == PKI_VALUE_STRING ? value->string : NULL;
}


static pki_rc_t
test_item(const pki_directory_conf_t *conf, const pki_value_t *values,
    time_t now, pki_item_t *item)
{
    const char  *s;

    (void) conf;

    item->object.key = test_text(&values[1]);
    item->serial = test_text(&values[3]);
    item->issuer = test_text(&values[4]);
    item->context = test_text(&values[5]);
    item->object.name = test_text(&values[6]);
    item->object.alias = test_text(&values[7]);

    if (values[0].type == PKI_VALUE_INTEGER) {
        return PKI_INVALID;
    }

    if (values[0].type == PKI_VALUE_STRING) {
        (void) snprintf(item->id, sizeof(item->id), "device/%s",
                        values[0].string);
        item->object.id = item->id;
    }

    s = test_text(&values[2]);

    item->object.state = s == NULL ? 0
                         : *s == 'd' ? PKI_OBJECT_DELETED
                         : *s == 'o' ? PKI_OBJECT_DISABLED
                         : *s == 'r' ? PKI_OBJECT_RISKY : 0;
    item->object.mask = PKI_OBJECT_DELETED|PKI_OBJECT_DISABLED
                        |PKI_OBJECT_RISKY|PKI_OBJECT_UNCLEAR;
    item->object.since = now;

    return PKI_OK;
}


static pki_next_t
test_next(pki_round_t *round)
{
    unsigned           i;
    const pki_value_t *next, *delta;

    test_fetches++;

    for (i = 0; i < round->nitems && i < 4; i++) {
        test_results[i] = round->items[i].result;
        test_elsewhere[i] = round->items[i].elsewhere;
    }

    if (round->step++ == 0) {
        return round->full ? pki_round_get(round, &test_shape, "/list?n=%d", 1)
                           : pki_round_get(round, &test_shape, "%s",
                                           round->link);
    }

    if (round->status >= 500) {
        test_server_errors++;
        return PKI_NEXT_RETRY;
    }

    if (round->status == 410) {
        return PKI_NEXT_FULL;
    }

    if (round->status < 200 || round->status > 299) {
        return pki_round_fail(round, "refused with %d, json %d",
                              round->status, round->json);
    }

    if (!round->json) {
        return pki_round_fail(round, "no list");
    }

    next = pki_page_top(round->page, 0);
    delta = pki_page_top(round->page, 1);

    if (pki_page_top(round->page, 2)->type == PKI_VALUE_BOOLEAN) {
        round->partial = 1;
    }

    if (pki_page_top(round->page, 2)->type == PKI_VALUE_INTEGER) {
        round->unreadable = 2;
    }

    if (next->type != PKI_VALUE_ABSENT) {
        return pki_round_follow(round, &test_shape, next);
    }

    if (delta->type == PKI_VALUE_ABSENT) {
        return PKI_NEXT_DONE;
    }

    return pki_round_link(round, delta);
}


/* what the tests say */

static void __attribute__((unused))
test_setup(unsigned delta)
{
    test_got_t  got;

    (void) test_news;       /* heard by others */

    pki_machine_destroy(test_machine);
    test_set("FLUSHALL");

    memset(&test_conf, 0, sizeof(test_conf));
    memset(&test_source, 0, sizeof(test_source));
    memset(test_resources, 0, sizeof(test_resources));
    memset(&test_dialect, 0, sizeof(test_dialect));
    memset(&test_request, 0, sizeof(test_request));
    memset(test_results, 0, sizeof(test_results));

    test_wall = 1790000000;
    test_mono = 1000000;
    test_token = "first";
    test_fresh = "second";
    test_login_result = PKI_LOGIN_OK;
    test_again = 1;
    test_requests = test_logins = test_rejected = test_worked = 0;
    test_mails = test_lost = test_dirty = test_forgotten = 0;
    test_fetches = test_server_errors = 0;
    test_abandons = 0;
    test_static = 0;
    test_date = NULL;
    test_type = NULL;
    test_lookups = 0;
    test_room = 50;

    test_resources[0].name = "devices";
    test_resources[0].classes = 1u << PKI_OBJECT_DEVICE;
    test_resources[0].mask = PKI_OBJECT_DELETED|PKI_OBJECT_DISABLED
                             |PKI_OBJECT_RISKY|PKI_OBJECT_UNCLEAR;
    test_resources[0].delta = delta;
    test_resources[0].sweep = 1;
    test_resources[0].next = test_next;
    test_resources[0].paths = test_paths;
    test_resources[0].item = test_item;

    test_dialect.name = "toy";
    test_dialect.resources = test_resources;

    test_conf.name = "corp";
    test_conf.dialect = &test_dialect;
    test_conf.url = "https://corp.example/api";
    test_conf.interval = 30000;
    test_conf.full = 86400;
    test_conf.backoff = 60000;
    test_conf.guard = 10;
    test_conf.guard_min = 2;

    test_source.conf = &test_conf;
    test_source.sync = test_sync;
    test_source.redis = test_transport;
    test_source.login[0] = &test_login;
    test_source.holder = 1;
    strcpy(test_source.token, "host random");

    memset(&got, 0, sizeof(got));
    pki_state_lease(test_transport, "corp", test_source.token, 600000,
                    test_done, &got);
    (void) pki_redis_sync_wait(test_sync, NULL);

    if (got.result != PKI_STORE_DONE) {
        printf("Bail out! no lease: %s\n", got.error);
        exit(1);
    }

    test_machine = pki_machine_create(&test_source, &test_resources[0]);
    test_source.machines[0] = test_machine;
    test_source.nmachines = 1;
}


/* Ticks until it waits; returns for how long. */

static long __attribute__((unused))
test_tick(void)
{
    int   i;
    long  wait;

    for (i = 0; i < 1000; i++) {
        wait = pki_machine_tick(test_machine);

        /* a rest between two parts of a page */

        if (wait == 1) {
            test_mono++;

        } else if (wait != 0) {
            return wait;
        }
    }

    printf("Bail out! a busy loop\n");
    exit(1);
}


/* Lets time pass, then ticks. */

static long __attribute__((unused))
test_after(long ms)
{
    test_mono += ms;
    test_wall += ms / 1000;

    return test_tick();
}


/* The directory answers, octets first: all, or as many as len says. */

static long __attribute__((unused))
test_answer_cut(const char *url, int status, const char *retry,
    const char *body, size_t len, pki_fetch_outcome_t outcome)
{
    size_t               i, n;
    pki_rc_t             rc;
    pki_request_t        request;
    pki_fetch_result_t   result;

    (void) test_tick();

    request = test_request;
    memset(&test_request, 0, sizeof(test_request));

    if (!test_quiet) {
        is_str(request.done ? test_url : "none", url, "asked for \"%s\"",
               url);
    }

    if (request.done == NULL) {
        return 0;
    }

    memset(&result, 0, sizeof(result));
    result.outcome = outcome;
    result.status = status;
    result.size = len;
    result.error = outcome == PKI_FETCH_DONE ? NULL : "corp.example: broken";
    result.location = "";
    (void) snprintf(result.retry_after, sizeof(result.retry_after), "%s",
                    retry ? retry : "");
    (void) snprintf(result.date, sizeof(result.date), "%s",
                    test_date ? test_date : "");
    (void) snprintf(result.content_type, sizeof(result.content_type), "%s",
                    test_type ? test_type : "");
    strcpy(result.request_id, status ? "id-1" : "");

    for (i = 0; i < len; i += n) {
        n = len - i < TEST_PIECE ? len - i : TEST_PIECE;
        rc = request.piece(request.data, status, body + i, n);

        if (rc != PKI_OK) {
            result.outcome = PKI_FETCH_STOPPED;
            result.error = "stopped";
            break;
        }
    }

    request.done(request.data, &result);

    return test_tick();
}


static long __attribute__((unused))
test_answer(const char *url, int status, const char *body)
{
    return test_answer_cut(url, status, NULL, body, strlen(body),
                           PKI_FETCH_DONE);
}


static void __attribute__((unused))
test_object(const char *id, unsigned state, time_t since)
{
    char  want[64];

    (void) snprintf(want, sizeof(want), "1 %u %lld", state,
                    (long long) since);
    test_string(want, "GET pki:{corp}:object:device/%s", id);
}


static void __attribute__((unused))
test_none(const char *format, ...)
{
    va_list      args;
    redisReply  *reply;

    va_start(args, format);
    reply = redisvCommand(test_plain, format, args);
    va_end(args);

    ok(reply && reply->type == REDIS_REPLY_NIL, "\"%s\" is not there", format);

    if (reply != NULL) {
        freeReplyObject(reply);
    }
}


/* A new connection, after one that broke. */

static void __attribute__((unused))
test_reconnect(void)
{
    pki_redis_sync_destroy(test_sync);

    test_sync = test_connect();
    test_transport = pki_redis_sync_transport(test_sync);
    test_source.sync = test_sync;
    test_source.redis = test_transport;
}


/* The n-th line of the log, counted from the end (0: the last). */

static const char * __attribute__((unused))
test_line(int n)
{
    return n < test_mails ? test_mail[test_mails - 1 - n] : "";
}


#endif /* PKI_TEST_MACHINE_H */

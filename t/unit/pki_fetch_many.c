
/*
 * pki_fetch.c, many requests: how they share connections and cookies, what
 * callbacks may do, every way to end them, and no memory at each step.
 */

#include "pki_test.h"
#include "pki_test_fetch.h"

#include <dlfcn.h>
#include <netdb.h>
#include <signal.h>
#include <curl/curl.h>


#define TEST_LATE    1              /* seconds that a name takes */
#define TEST_AT_ONCE 100            /* milliseconds */
#define TEST_LOST    40             /* more than a fetcher remembers */


static int test_answer(pki_test_conn_t *c);
static pki_fetch_t *test_open(int wake, pki_fetch_peer_t **peer,
    unsigned cookies);
static test_got_t *test_gots(int n, const char *path);
static void test_connections(void);
static void test_parallel(void);
static void test_isolated(void);
static void test_cookies(void);
static void test_callbacks(void);
static void test_stopped(void);
static void test_cancelled(void);
static void test_wake(void);
static void test_idle(void);
static void test_destroyed(void);
static void test_resolver(void);
static void test_environment(void);
static void test_lost(void);
static void test_memory(long *countdown, int *hit, const char *whose);


static pki_test_server_t  test_server;

static long               test_curl_countdown;
static int                test_curl_hit;


/* a name that takes its time to be looked up */

int
getaddrinfo(const char *host, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
    int  (*next)(const char *, const char *, const struct addrinfo *,
             struct addrinfo **);

    if (host != NULL && strcmp(host, "late.test") == 0) {
        (void) sleep(TEST_LATE);
        return EAI_NONAME;
    }

    *(void **) &next = dlsym(RTLD_NEXT, "getaddrinfo");

    return next ? next(host, service, hints, res) : EAI_FAIL;
}


static int
test_curl_fails(void)
{
    if (test_curl_countdown > 0 && --test_curl_countdown == 0) {
        test_curl_hit = 1;
        return 1;
    }

    return 0;
}


static void *
test_curl_malloc(size_t size)
{
    return test_curl_fails() ? NULL : malloc(size);
}


static void *
test_curl_realloc(void *p, size_t size)
{
    return test_curl_fails() ? NULL : realloc(p, size);
}


static void *
test_curl_calloc(size_t n, size_t size)
{
    return test_curl_fails() ? NULL : calloc(n, size);
}


static char *
test_curl_strdup(const char *s)
{
    return test_curl_fails() ? NULL : strdup(s);
}


int
main(void)
{
    pki_test_alloc_hook();
    (void) signal(SIGPIPE, SIG_IGN);

    /* libcurl counts how often it is asked; the first has the say */

    test_need(curl_global_init_mem(CURL_GLOBAL_DEFAULT, test_curl_malloc,
                                   free, test_curl_realloc, test_curl_strdup,
                                   test_curl_calloc)
              == CURLE_OK, "libcurl");

    is_int(pki_fetch_global(), PKI_OK, "global");

    pki_test_server_start(&test_server, test_answer, NULL);

    test_connections();
    test_parallel();
    test_isolated();
    test_cookies();
    test_callbacks();
    test_stopped();
    test_cancelled();
    test_wake();
    test_idle();
    test_destroyed();
    test_environment();
    test_lost();
    test_memory(&pki_test_countdown, &pki_test_hit, "ours");
    test_memory(&test_curl_countdown, &test_curl_hit, "libcurl's");
    test_resolver();

    pki_test_server_stop(&test_server);

    return pki_test_done();
}


static int
test_answer(pki_test_conn_t *c)
{
    if (strcmp(c->path, "/ok") == 0) {
        return pki_test_server_say(c, "HTTP/1.1 200 OK\r\n"
            "Content-Length: 5\r\nLocation: x\r\n\r\nhello");
    }

    if (strcmp(c->path, "/cookie") == 0) {
        return pki_test_server_say(c, "HTTP/1.1 200 OK\r\n"
            "Content-Length: 0\r\nSet-Cookie: node=a7; Path=/\r\n\r\n");
    }

    if (strcmp(c->path, "/slot") == 0) {
        return usleep(50000) == 0
               && pki_test_server_say(c, "HTTP/1.1 200 OK\r\n"
                                         "Content-Length: 0\r\n\r\n");
    }

    if (strcmp(c->path, "/stall") == 0) {
        return pki_test_server_say(c, "HTTP/1.1 200 OK\r\n"
                                      "Content-Length: 9\r\n\r\nx")
               && pki_test_server_hang(c);
    }

    return pki_test_server_hang(c);
}


/* all connections have come to their end */

static void
test_quiet(void)
{
    int  i;

    for (i = 0; i < 1000; i++) {
        if (pki_test_server_count(&test_server, &test_server.live) == 0) {
            return;
        }

        (void) usleep(5000);
    }

    ok(0, "connections are closed");
}


static pki_fetch_t *
test_open(int wake, pki_fetch_peer_t **peer, unsigned cookies)
{
    pki_fetch_t       *fetch;
    pki_fetch_conf_t   conf;

    memset(&conf, 0, sizeof(conf));
    conf.plain = 1;
    conf.cookies = cookies;

    fetch = pki_fetch_create(wake, NULL);
    *peer = test_peer(fetch, &conf);

    return fetch;
}


static test_got_t *
test_gots(int n, const char *path)
{
    int          i;
    test_got_t  *got;

    got = calloc(n, sizeof(test_got_t));
    test_need(got != NULL, "memory");

    for (i = 0; i < n; i++) {
        (void) snprintf(got[i].url, sizeof(got[i].url),
                        "http://127.0.0.1:%d%s", test_server.port, path);
    }

    return got;
}


static void
test_connections(void)
{
    int                i, before;
    test_got_t        *got;
    pki_fetch_t       *fetch;
    pki_fetch_peer_t  *peer;

    fetch = test_open(-1, &peer, 0);
    got = test_gots(5, "/ok");

    before = pki_test_server_count(&test_server, &test_server.accepted);

    for (i = 0; i < 5; i++) {
        test_begin(peer, NULL, &got[i]);
        test_wait(fetch, &got[i], 1);
        is_int(got[i].outcome, PKI_FETCH_DONE, "request %d", i);
    }

    is_int(pki_test_server_count(&test_server, &test_server.accepted),
           before + 1, "five requests, one connection");

    pki_fetch_destroy(fetch);
    free(got);
}


static void
test_parallel(void)
{
    int                i, left;
    test_got_t        *got;
    pki_fetch_t       *fetch;
    pki_fetch_peer_t  *peer;

    test_quiet();
    test_server.live_max = 0;

    fetch = test_open(-1, &peer, 0);
    got = test_gots(13, "/slot");

    for (i = 0; i < 13; i++) {
        test_begin(peer, NULL, &got[i]);
    }

    test_wait(fetch, got, 13);

    for (i = 0, left = 13; i < 13; i++) {
        left -= got[i].outcome == PKI_FETCH_DONE && got[i].calls == 1;
    }

    is_int(left, 0, "thirteen at once are done");
    is_int(pki_test_server_count(&test_server, &test_server.live_max),
           PKI_FETCH_PARALLEL, "over no more connections than allowed");

    pki_fetch_destroy(fetch);
    free(got);
}


/* A directory that hangs does not hold up another of the same host. */

static void
test_isolated(void)
{
    int                 i, left;
    test_got_t         *got, *other;
    pki_fetch_t        *fetch;
    pki_fetch_peer_t   *peer, *second;
    pki_fetch_conf_t    conf;

    fetch = test_open(-1, &peer, 0);

    memset(&conf, 0, sizeof(conf));
    conf.plain = 1;
    second = test_peer(fetch, &conf);

    got = test_gots(9, "/hang");
    other = test_gots(1, "/ok");

    for (i = 0; i < 9; i++) {
        test_begin(peer, NULL, &got[i]);
    }

    test_begin(second, NULL, other);
    test_wait(fetch, other, 1);
    is_int(other->outcome, PKI_FETCH_DONE, "peers do not wait for each other");

    pki_fetch_destroy(fetch);

    for (i = 0, left = 9; i < 9; i++) {
        left -= got[i].outcome == PKI_FETCH_FAILED && got[i].calls == 1;
    }

    is_int(left, 0, "all that hang are ended once");

    free(got);
    free(other);
}


static void
test_cookies(void)
{
    unsigned           cookies;
    test_got_t        *got;
    pki_fetch_t       *fetch;
    pki_fetch_peer_t  *peer;

    for (cookies = 0; cookies < 2; cookies++) {
        fetch = test_open(-1, &peer, cookies);
        got = test_gots(3, "/ok");

        (void) snprintf(got->url, sizeof(got->url),
                        "http://127.0.0.1:%d/cookie", test_server.port);
        test_begin(peer, NULL, &got[0]);
        test_wait(fetch, &got[0], 1);

        test_begin(peer, NULL, &got[1]);
        test_wait(fetch, &got[1], 1);
        is_int(pki_test_server_heard(&test_server, "Cookie: node=a7"),
               cookies, "a cookie is kept: %u", cookies);

        pki_fetch_forget(peer);

        test_begin(peer, NULL, &got[2]);
        test_wait(fetch, &got[2], 1);
        ok(!pki_test_server_heard(&test_server, "Cookie"), "and forgotten");

        pki_fetch_destroy(fetch);
        free(got);
    }
}


static void
test_callbacks(void)
{
    int                i;
    test_got_t        *got;
    pki_fetch_t       *fetch;
    pki_fetch_peer_t  *peer;

    fetch = test_open(-1, &peer, 0);
    got = test_gots(4, "/ok");

    got[0].then = &got[1];
    got[0].amid = &got[2];
    got[2].then = &got[3];

    test_begin(peer, NULL, &got[0]);
    test_wait(fetch, got, 4);

    for (i = 0; i < 4; i++) {
        ok(got[i].outcome == PKI_FETCH_DONE && got[i].calls == 1
           && strcmp(got[i].body, "hello") == 0,
           "begun within a callback: %d", i);
    }

    /* what fails at once and is begun anew does not keep pki_fetch_wait() */

    memset(got, 0, 2 * sizeof(test_got_t));
    (void) snprintf(got[0].url, sizeof(got[0].url), "file:///");
    (void) snprintf(got[1].url, sizeof(got[1].url), "file:///");
    got[0].then = &got[1];

    test_begin(peer, NULL, &got[0]);
    test_wait(fetch, got, 2);
    ok(got[0].outcome == PKI_FETCH_REFUSED
       && got[1].outcome == PKI_FETCH_REFUSED, "refused twice");

    pki_fetch_destroy(fetch);
    free(got);
}


static void
test_stopped(void)
{
    test_got_t        *got;
    pki_fetch_t       *fetch;
    pki_fetch_peer_t  *peer;

    fetch = test_open(-1, &peer, 0);
    got = test_gots(2, "/stall");
    got->stop = 1;

    test_begin(peer, NULL, got);
    test_wait(fetch, got, 1);
    is_int(got->outcome, PKI_FETCH_STOPPED, "stopped by a piece");
    is_int(got->status, 200, "stopped: status");
    is_int(got->told, 1, "stopped: no further piece");

    pki_fetch_destroy(fetch);
    free(got);
}


static void
test_cancelled(void)
{
    int                i, done;
    test_got_t        *got, *other;
    long long          begin;
    pki_fetch_t       *fetch;
    pki_fetch_peer_t  *peer, *second;
    pki_fetch_conf_t   conf;

    memset(&conf, 0, sizeof(conf));
    conf.plain = 1;

    fetch = test_open(-1, &peer, 0);
    second = test_peer(fetch, &conf);
    got = test_gots(6, "/hang");
    other = test_gots(2, "/stall");

    for (i = 0; i < 6; i++) {
        test_begin(peer, NULL, &got[i]);
    }

    test_begin(second, NULL, &other[0]);
    (void) pki_fetch_wait(fetch, 50);

    pki_fetch_cancel(peer);
    pki_fetch_cancel(peer);
    is_int(got[0].calls, 0, "cancel only marks");

    begin = pki_test_mono();
    test_wait(fetch, got, 6);
    ok(pki_test_mono() - begin < TEST_AT_ONCE, "cancelled at once");

    for (i = 0, done = 0; i < 6; i++) {
        done += got[i].outcome == PKI_FETCH_FAILED && got[i].calls == 1
                && strstr(got[i].error, "cancelled") != NULL;
    }

    is_int(done, 6, "all of them, each once");
    is_int(other[0].calls, 0, "the other peer's goes on");

    /* from within a piece */

    pki_fetch_cancel(second);
    test_wait(fetch, other, 1);

    other[1].cancel = 1;
    test_begin(second, NULL, &other[1]);
    test_wait(fetch, other, 2);
    is_int(other[1].outcome, PKI_FETCH_FAILED, "cancelled by its own piece");
    is_int(other[1].calls, 1, "once");

    pki_fetch_cancel(second);

    free(got);
    got = test_gots(1, "/ok");
    test_begin(second, NULL, got);
    test_wait(fetch, got, 1);
    is_int(got->outcome, PKI_FETCH_DONE, "a cancelled peer can be used");

    pki_fetch_destroy(fetch);
    free(got);
    free(other);
}


static void
test_wake(void)
{
    int                wake[2];
    char               c;
    test_got_t        *got;
    long long          begin;
    pki_fetch_t       *fetch;
    pki_fetch_peer_t  *peer;

    test_need(pipe(wake) == 0, "pipe");

    fetch = test_open(wake[0], &peer, 0);
    got = test_gots(1, "/hang");

    is_int(pki_fetch_wait(fetch, 0), 0, "nothing to hear");
    is_int(pki_fetch_wait(fetch, -1), 0, "a time that has passed");

    test_need(write(wake[1], "x", 1) == 1, "write");

    begin = pki_test_mono();
    is_int(pki_fetch_wait(fetch, 5000), 1, "woken without a request");

    test_begin(peer, NULL, got);
    is_int(pki_fetch_wait(fetch, 5000), 1, "woken with a request");
    is_int(pki_fetch_wait(fetch, 5000), 1, "woken until it is read");
    ok(pki_test_mono() - begin < 1000, "at once");

    test_need(read(wake[0], &c, 1) == 1, "read");
    is_int(pki_fetch_wait(fetch, 10), 0, "read");

    (void) close(wake[1]);
    is_int(pki_fetch_wait(fetch, 5000), 1, "the other end is closed");

    pki_fetch_destroy(fetch);
    is_int(got->calls, 1, "the request is ended");
    (void) close(wake[0]);
    free(got);
}


static void
test_idle(void)
{
    int                i;
    test_got_t        *got;
    long long          begin;
    pki_fetch_t       *fetch;
    pki_fetch_peer_t  *peer;

    fetch = test_open(-1, &peer, 0);
    got = test_gots(1, "/hang");

    begin = pki_test_mono();
    is_int(pki_fetch_wait(fetch, 60), 0, "no request");
    ok(pki_test_mono() - begin >= 50, "it sleeps");

    test_begin(peer, NULL, got);

    begin = pki_test_mono();

    for (i = 0; pki_test_mono() - begin < 200; i++) {
        (void) pki_fetch_wait(fetch, 50);
    }

    ok(i < 50, "a request that hangs lets it sleep: %d turns", i);

    pki_fetch_destroy(fetch);
    free(got);
}


static void
test_destroyed(void)
{
    int                i, turns, done;
    test_got_t        *got;
    long long          begin;
    pki_fetch_t       *fetch;
    pki_fetch_peer_t  *peer;

    for (turns = 0; turns < 3; turns++) {
        fetch = test_open(-1, &peer, 1);
        got = test_gots(8, "/hang");
        got[5].then = &got[7];

        for (i = 0; i < 7; i++) {
            test_begin(peer, NULL, &got[i]);
        }

        for (i = 0; i < turns; i++) {
            (void) pki_fetch_wait(fetch, 20);
        }

        begin = pki_test_mono();
        pki_fetch_destroy(fetch);
        ok(pki_test_mono() - begin < TEST_AT_ONCE, "destroyed at once");

        for (i = 0, done = 0; i < 8; i++) {
            done += got[i].outcome == PKI_FETCH_FAILED && got[i].calls == 1;
        }

        is_int(done, 8, "after %d turns; also what a callback began", turns);
        free(got);
    }
}


/* The thread of libcurl that looks the name up is left to itself. */

static void
test_resolver(void)
{
#if (LIBCURL_VERSION_NUM >= 0x075700)
    test_got_t        *got;
    long long          begin;
    pki_fetch_t       *fetch;
    pki_fetch_conf_t   conf;
    pki_fetch_peer_t  *peer;

    memset(&conf, 0, sizeof(conf));
    conf.total = 150;

    fetch = pki_fetch_create(-1, NULL);
    peer = test_peer(fetch, &conf);
    got = test_gots(2, "");

    (void) snprintf(got[0].url, sizeof(got[0].url), "https://late.test/");
    (void) snprintf(got[1].url, sizeof(got[1].url), "https://late.test/");

    begin = pki_test_mono();
    test_begin(peer, NULL, &got[0]);
    test_wait(fetch, got, 1);
    is_int(got[0].outcome, PKI_FETCH_FAILED, "a name that is not found");
    ok(pki_test_mono() - begin < 1000, "does not take longer than allowed");

    test_begin(peer, NULL, &got[1]);
    (void) pki_fetch_wait(fetch, 20);
    (void) pki_fetch_wait(fetch, 20);

    begin = pki_test_mono();
    pki_fetch_destroy(fetch);
    ok(pki_test_mono() - begin < TEST_AT_ONCE,
       "destroyed at once while a name is looked up");
    is_int(got[1].calls, 1, "ended");

    free(got);

    /* so that its thread is not seen as a leak */

    (void) usleep((TEST_LATE * 1000 + 300) * 1000);
#else
    ok(1, "this libcurl waits for names");
#endif
}


static void
test_environment(void)
{
    test_got_t        *got;
    pki_fetch_t       *fetch;
    pki_fetch_peer_t  *peer;

    test_need(setenv("http_proxy", "http://127.0.0.1:1", 1) == 0
              && setenv("all_proxy", "http://127.0.0.1:1", 1) == 0, "setenv");

    fetch = test_open(-1, &peer, 0);
    got = test_gots(1, "/ok");

    test_begin(peer, NULL, got);
    test_wait(fetch, got, 1);
    is_int(got->outcome, PKI_FETCH_DONE, "no proxy of the environment");

    pki_fetch_destroy(fetch);
    free(got);

    (void) unsetenv("http_proxy");
    (void) unsetenv("all_proxy");
}


/* no memory for as much as the request itself */

static void
test_lost(void)
{
    int                i, done;
    test_got_t        *got;
    pki_fetch_t       *fetch;
    pki_fetch_peer_t  *peer;

    fetch = test_open(-1, &peer, 0);
    got = test_gots(TEST_LOST, "/ok");
    done = 0;

    for (i = 0; i < TEST_LOST; i++) {
        pki_test_fail_at(1);
        test_begin(peer, NULL, &got[i]);
        done += got[i].calls;
    }

    pki_test_fail_at(0);
    is_int(done, 0, "not called by its own pki_fetch()");

    (void) pki_fetch_wait(fetch, 5000);

    for (i = 0; i < TEST_LOST; i++) {
        done += got[i].outcome == PKI_FETCH_FAILED && got[i].calls == 1
                && strcmp(got[i].error, "out of memory") == 0;
    }

    is_int(done, TEST_LOST, "each of %d is told once", TEST_LOST);

    free(got);
    got = test_gots(1, "/ok");

    pki_test_fail_at(1);
    test_begin(peer, NULL, got);
    pki_test_fail_at(0);
    pki_fetch_destroy(fetch);
    is_int(got->calls, 1, "told by pki_fetch_destroy()");

    free(got);
}


/* From the fetcher to the end of a request, each allocation fails once. */

static void
test_memory(long *countdown, int *hit, const char *whose)
{
    int                wrong, ended;
    long               n;
    pki_err_t          err;
    test_got_t        *got;
    pki_fetch_t       *fetch;
    pki_fetch_conf_t   conf;
    pki_fetch_peer_t  *peer;

    memset(&conf, 0, sizeof(conf));

    conf.plain = 1;
    conf.cookies = 1;
    conf.connect = 5000;
    conf.total = 5000;
    conf.stall = 5000;
    conf.max = 100000;
    conf.ca_file = "/nonexistent";

    for (n = 1, wrong = 0, ended = 0; n < 5000; n++) {
        *hit = 0;
        *countdown = n;

        err.text[0] = '\0';
        got = test_gots(1, "/ok");
        peer = NULL;

        fetch = pki_fetch_create(-1, &err);

        if (fetch != NULL) {
            peer = pki_fetch_peer(fetch, &conf, &err);
        }

        if (peer != NULL) {
            test_begin(peer, NULL, got);
            test_wait(fetch, got, 1);
        }

        *countdown = 0;
        pki_fetch_destroy(fetch);

        if (peer == NULL) {
            wrong += strcmp(err.text, "out of memory") != 0;

        } else {
            ended++;
            wrong += got->calls != 1
                     || (got->outcome != PKI_FETCH_DONE
                         && (got->outcome != PKI_FETCH_FAILED
                             || got->error[0] == '\0'))
                     || (got->outcome == PKI_FETCH_DONE
                         && strcmp(got->body, "hello") != 0);
        }

        free(got);

        if (!*hit) {
            break;
        }
    }

    ok(n > 3 && n < 5000, "%s: %ld allocations", whose, n - 1);
    ok(ended > 1, "%d of them with a request", ended - 1);
    is_int(wrong, 0, "each is told, and no reply is half");
}


/*
 * pki_fetch.c, one request over plain HTTP: whole replies and broken ones,
 * limits, and what is not sent at all.
 */

#include "pki_test.h"
#include "pki_test_fetch.h"

#include <signal.h>
#include <curl/curl.h>


#define TEST_BOMB    40000          /* octets; 6 MB when decompressed */
#define TEST_LONG    20000          /* octets of a Location */


static int test_answer(pki_test_conn_t *c);
static int test_answer_broken(pki_test_conn_t *c);
static int test_answer_large(pki_test_conn_t *c);
static int test_answer_gzip(pki_test_conn_t *c);
static int test_answer_bomb(pki_test_conn_t *c);
static char *test_url(char *url, size_t size, const char *path);
static test_got_t *test_get(const char *path, const pki_fetch_conf_t *conf,
    const pki_request_t *request);
static void test_failed(const char *path, const pki_fetch_conf_t *conf,
    const char *error);
static void test_replies(void);
static void test_requests(void);
static void test_gzip(void);
static void test_limits(void);
static void test_broken(void);
static void test_times(void);
static void test_refused(void);


static pki_test_server_t  test_server;
static test_got_t         test_result;


int
main(void)
{
    (void) signal(SIGPIPE, SIG_IGN);

    is_int(pki_fetch_global(), PKI_OK, "global");

    pki_test_server_start(&test_server, test_answer, NULL);

    test_replies();
    test_requests();
    test_gzip();
    test_limits();
    test_broken();
    test_times();
    test_refused();

    pki_test_server_stop(&test_server);
    curl_global_cleanup();

    return pki_test_done();
}


/* what the server says, by path */

static int
test_answer(pki_test_conn_t *c)
{
    if (strncmp(c->path, "/ok", 3) == 0) {
        return pki_test_server_say(c,
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: Thu, 20 Aug 2026 "
            "10:00:00 GMT\r\ncontent-type:application/json\r\nrequest-ID: "
            " a\tb \r\nRetry-After: 2.128\r\n\r\nhello");
    }

    if (strcmp(c->path, "/pieces") == 0) {
        return pki_test_server_say(c, "HTTP/1.1 410 Gone\r\n"
            "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            && usleep(20000) == 0
            && pki_test_server_say(c, "2\r\nde\r\n0\r\nDate: trailer\r\n\r\n");
    }

    if (strcmp(c->path, "/early") == 0) {
        return pki_test_server_say(c, "HTTP/1.1 103 Early Hints\r\n"
            "Retry-After: 7\r\nLocation: /wrong\r\n\r\n"
            "HTTP/1.1 204 No Content\r\nx-ms-request-id: r1\r\n\r\n");
    }

    if (strcmp(c->path, "/redirect") == 0) {
        return pki_test_server_say(c, "HTTP/1.1 302 Found\r\n"
            "Content-Length: 0\r\nLocation: http://127.0.0.1:1/\r\n\r\n");
    }

    if (strcmp(c->path, "/401") == 0) {
        return pki_test_server_say(c, "HTTP/1.1 401 No\r\n"
            "WWW-Authenticate: Bearer\r\nWWW-Authenticate: Basic\r\n"
            "Content-Length: 2\r\n\r\n{}");
    }

    return test_answer_broken(c);
}


static int
test_answer_broken(pki_test_conn_t *c)
{
    int            i;
    struct linger  linger;

    if (strcmp(c->path, "/hang") == 0) {
        return pki_test_server_hang(c);
    }

    if (strcmp(c->path, "/trickle") == 0) {
        (void) pki_test_server_say(c, "HTTP/1.1 200 OK\r\n"
                                      "Content-Length: 1000\r\n\r\n");

        while (pki_test_server_say(c, "x")
               && pki_test_server_wait(c, 100) == 0)
        {
            /* void */
        }

        return 0;
    }

    if (strcmp(c->path, "/stall") == 0) {
        return pki_test_server_say(c, "HTTP/1.1 200 OK\r\n"
                                      "Content-Length: 9\r\n\r\nx")
               && pki_test_server_hang(c);
    }

    if (strcmp(c->path, "/short") == 0) {
        (void) pki_test_server_say(c, "HTTP/1.1 200 OK\r\n"
                                      "Content-Length: 9\r\n\r\nabc");
        return 0;
    }

    if (strcmp(c->path, "/cut") == 0) {
        (void) pki_test_server_say(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
                                      "chunked\r\n\r\n3\r\nabc\r\n");
        return 0;
    }

    if (strcmp(c->path, "/headless") == 0) {
        (void) pki_test_server_say(c, "HTTP/1.1 200 OK\r\nDate: x");
        return 0;
    }

    if (strcmp(c->path, "/old") == 0) {
        (void) pki_test_server_say(c, "<html>no status</html>\r\n\r\n");
        return 0;
    }

    if (strcmp(c->path, "/rst") == 0) {
        linger.l_onoff = 1;
        linger.l_linger = 0;
        (void) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger,
                          sizeof(linger));
        (void) pki_test_server_say(c, "HTTP/1.1 200 OK\r\n"
                                      "Content-Length: 9\r\n\r\na");
        return 0;
    }

    if (strcmp(c->path, "/headers") == 0) {
        (void) pki_test_server_say(c, "HTTP/1.1 200 OK\r\n");

        for (i = 0; i < 20000; i++) {
            if (!pki_test_server_say(c, "x-some-header: 0123456789\r\n")) {
                break;
            }
        }

        return 0;
    }

    return test_answer_large(c);
}


static int
test_answer_large(pki_test_conn_t *c)
{
    int    i;
    char   text[TEST_LONG + 1];

    memset(text, 'l', TEST_LONG);
    text[TEST_LONG] = '\0';

    if (strcmp(c->path, "/location") == 0) {
        return pki_test_server_say(c, "HTTP/1.1 302 Found\r\nContent-Length:"
                                      " 0\r\nLocation:   https://a/")
               && pki_test_server_say(c, text)
               && pki_test_server_say(c, " \r\nRetry-After: ")
               && pki_test_server_say(c, text)
               && pki_test_server_say(c, "\r\n\r\n");
    }

    if (strcmp(c->path, "/large") == 0) {
        (void) pki_test_server_say(c, "HTTP/1.1 200 OK\r\n"
                                      "Content-Length: 2000000\r\n\r\n");

        for (i = 0; i < 100 && pki_test_server_say(c, text); i++) {
            /* void */
        }

        return i == 100;
    }

    return test_answer_gzip(c);
}


static int
test_answer_gzip(pki_test_conn_t *c)
{
    /* "hello" in a stored block */

    static const unsigned char  gzip[] = {
        0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 3, 0x01, 5, 0, 0xfa, 0xff,
        'h', 'e', 'l', 'l', 'o', 0x86, 0xa6, 0x10, 0x36, 5, 0, 0, 0
    };

    if (strcmp(c->path, "/gzip") == 0) {
        return pki_test_server_say(c, "HTTP/1.1 200 OK\r\nContent-Encoding: "
                                      "gzip\r\nContent-Length: 28\r\n\r\n")
               && pki_test_server_write(c, gzip, sizeof(gzip));
    }

    if (strcmp(c->path, "/not-gzip") == 0) {
        return pki_test_server_say(c, "HTTP/1.1 200 OK\r\nContent-Encoding: "
                                      "gzip\r\nContent-Length: 5\r\n\r\n"
                                      "hello");
    }

    return test_answer_bomb(c);
}


/* 13 bits for each 258 octets of the same: length 258, distance 1 */

static int
test_answer_bomb(pki_test_conn_t *c)
{
    size_t                      bit, i, n;
    unsigned char               bomb[TEST_BOMB];
    static const unsigned char  head[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3 };
    static const char           begin[] = "010" "00110000";
    static const char           match[] = "11000101" "00000";

    if (strcmp(c->path, "/bomb") != 0) {
        return 0;
    }

    memset(bomb, 0, sizeof(bomb));
    memcpy(bomb, head, sizeof(head));

    bit = sizeof(head) * 8;
    n = (TEST_BOMB - sizeof(head)) * 8;

    for (i = 0; i < n; i++, bit++) {
        if (i < sizeof(begin) - 1) {
            bomb[bit / 8] |= (begin[i] - '0') << (bit % 8);

        } else {
            bomb[bit / 8] |= (match[(i - (sizeof(begin) - 1))
                                    % (sizeof(match) - 1)] - '0')
                             << (bit % 8);
        }
    }

    (void) pki_test_server_say(c, "HTTP/1.1 200 OK\r\nContent-Encoding: "
                                  "gzip\r\n\r\n");
    (void) pki_test_server_write(c, bomb, sizeof(bomb));

    return 0;
}


static char *
test_url(char *url, size_t size, const char *path)
{
    (void) snprintf(url, size, "http://127.0.0.1:%d%s", test_server.port,
                    path);

    return url;
}


/* one request by a fetcher of its own */

static test_got_t *
test_get(const char *path, const pki_fetch_conf_t *conf,
    const pki_request_t *request)
{
    test_got_t         *got;
    pki_fetch_t        *fetch;
    pki_fetch_conf_t    c;
    pki_fetch_peer_t   *peer;

    got = &test_result;
    memset(got, 0, sizeof(test_got_t));
    memset(&c, 0, sizeof(c));

    if (conf != NULL) {
        c = *conf;
    }

    c.plain = 1;

    fetch = pki_fetch_create(-1, NULL);
    peer = test_peer(fetch, &c);

    test_url(got->url, sizeof(got->url), path);
    test_begin(peer, request, got);
    is_int(got->calls, 0, "%s: begun", path);
    test_wait(fetch, got, 1);
    is_int(got->calls, 1, "%s: ended", path);

    pki_fetch_destroy(fetch);
    is_int(got->calls, 1, "%s: ended once", path);

    return got;
}


static void
test_replies(void)
{
    test_got_t  *got;

    got = test_get("/ok", NULL, NULL);
    is_int(got->outcome, PKI_FETCH_DONE, "done");
    is_int(got->status, 200, "status");
    is_int(got->seen, 200, "status for a piece");
    is_int(got->size, 5, "size");
    is_str(got->body, "hello", "body");
    is_str(got->error, "", "no error");
    is_str(got->location, "", "no location");
    is_str(got->result.date, "Thu, 20 Aug 2026 10:00:00 GMT", "Date");
    is_str(got->result.content_type, "application/json", "Content-Type");
    is_str(got->result.request_id, "a?b", "request-id");
    is_str(got->result.retry_after, "2.128", "Retry-After");

    got = test_get("/pieces", NULL, NULL);
    is_int(got->outcome, PKI_FETCH_DONE, "chunked: done");
    is_int(got->seen, 410, "chunked: status");
    is_str(got->body, "abcde", "chunked: body");
    is_str(got->result.date, "", "chunked: a trailer is no header");

    got = test_get("/early", NULL, NULL);
    is_int(got->status, 204, "early hints: status");
    is_str(got->result.retry_after, "", "early hints: dropped");
    is_str(got->location, "", "early hints: location dropped");
    is_str(got->result.request_id, "r1", "early hints: x-ms-request-id");

    got = test_get("/redirect", NULL, NULL);
    is_int(got->outcome, PKI_FETCH_DONE, "redirect: done");
    is_int(got->status, 302, "redirect: not followed");
    is_str(got->location, "http://127.0.0.1:1/", "redirect: told");

    got = test_get("/location", NULL, NULL);
    is_int(strspn(got->location + 10, "l"), PKI_TEST_BODY - 11,
           "location: longer than we keep here");
    is_int(strlen(got->result.retry_after), PKI_FETCH_HEADER_MAX - 1,
           "header: cut");
}


static void
test_requests(void)
{
    char           body[] = "a=b\0c";
    test_got_t    *got;
    pki_request_t  r;

    memset(&r, 0, sizeof(r));
    r.token = "t0ken.~+/=";
    r.headers[1] = "Prefer: return=minimal";

    (void) test_get("/ok?$select=id&$skiptoken=%2e%2E/../x", NULL, &r);
    ok(pki_test_server_heard(&test_server,
                             "GET /ok?$select=id&$skiptoken=%2e%2E/../x "),
       "the URL goes as it is");
    ok(pki_test_server_heard(&test_server,
                             "\r\nAuthorization: Bearer t0ken.~+/=\r\n"),
       "bearer");
    ok(pki_test_server_heard(&test_server, "\r\nPrefer: return=minimal\r\n"),
       "header");
    ok(pki_test_server_heard(&test_server, "\r\nAccept-Encoding: gzip\r\n"),
       "gzip");
    ok(!pki_test_server_heard(&test_server, "Cookie"), "no cookie");

    memset(&r, 0, sizeof(r));
    r.method = "POST";
    r.user = "us\xc3\xa9r";
    r.password = "p:w";
    r.body = body;
    r.len = 5;
    r.headers[0] = "Content-Type: text/x";

    (void) test_get("/ok", NULL, &r);
    ok(pki_test_server_heard(&test_server, "POST /ok HTTP/1.1\r\n"), "POST");
    ok(pki_test_server_heard(&test_server,
                             "\r\nAuthorization: Basic dXPDqXI6cDp3\r\n"),
       "Basic");
    ok(pki_test_server_heard(&test_server, "\r\nContent-Length: 5\r\n"),
       "length of the body");
    ok(pki_test_server_heard(&test_server, "\r\nContent-Type: text/x\r\n"),
       "type of the body");
    ok(pki_test_server_heard(&test_server, "\r\n\r\na=b"), "body");

    memset(&r, 0, sizeof(r));
    r.method = "POST";
    (void) test_get("/ok", NULL, &r);
    ok(pki_test_server_heard(&test_server, "\r\nContent-Length: 0\r\n"),
       "POST without a body");
    ok(!pki_test_server_heard(&test_server, "Authorization"), "no secret");

    r.method = "PATCH";
    r.body = "{}";
    r.len = 2;
    (void) test_get("/ok", NULL, &r);
    ok(pki_test_server_heard(&test_server, "PATCH /ok "), "PATCH");

    memset(&r, 0, sizeof(r));
    r.method = "DELETE";
    (void) test_get("/ok", NULL, &r);
    ok(pki_test_server_heard(&test_server, "DELETE /ok "), "DELETE");

    r.method = "HEAD";
    got = test_get("/ok", NULL, &r);
    is_int(got->outcome, PKI_FETCH_DONE, "HEAD has no body");
    is_int(got->size, 0, "HEAD: size");

    r.method = "GET";
    r.token = "t";
    got = test_get("/401", NULL, &r);
    is_int(got->status, 401, "401");
    is_str(got->body, "{}", "401: body");
}


static void
test_gzip(void)
{
    test_got_t        *got;
    pki_fetch_conf_t   conf;

    got = test_get("/gzip", NULL, NULL);
    is_int(got->outcome, PKI_FETCH_DONE, "gzip: done");
    is_str(got->body, "hello", "gzip: decompressed");
    is_int(got->size, 5, "gzip: size after decompression");

    test_failed("/not-gzip", NULL, "Encoding");

    memset(&conf, 0, sizeof(conf));
    conf.max = 100000;
    test_failed("/bomb", &conf, "the reply is too large");
    ok(test_result.size <= 100000 && test_result.told <= 100000,
       "bomb: no more than the limit is told");
}


static void
test_failed(const char *path, const pki_fetch_conf_t *conf,
    const char *error)
{
    char         host[64];
    test_got_t  *got;

    (void) snprintf(host, sizeof(host), "\"127.0.0.1:%d\": ",
                    test_server.port);

    got = test_get(path, conf, NULL);

    is_int(got->outcome, PKI_FETCH_FAILED, "%s: failed", path);
    ok(strncmp(got->error, host, strlen(host)) == 0, "%s: names the host",
       path);

    if (!pki_test_ok(strstr(got->error, error) != NULL, __LINE__,
                     "%s: \"%s\"", path, error))
    {
        printf("# got \"%s\"\n", got->error);
    }

    ok(strstr(got->error, path) == NULL, "%s: does not name the path", path);
}


static void
test_limits(void)
{
    test_got_t        *got;
    pki_fetch_conf_t   conf;

    memset(&conf, 0, sizeof(conf));

    conf.max = 5;
    got = test_get("/ok", &conf, NULL);
    is_int(got->outcome, PKI_FETCH_DONE, "as large as allowed");

    conf.max = 4;
    test_failed("/ok", &conf, "the reply is too large");

    conf.max = 1999999;
    test_failed("/large", &conf, "the reply is too large");

    test_failed("/headers", NULL, "the headers are too long");
}


static void
test_broken(void)
{
    test_got_t        *got;
    pki_fetch_t       *fetch;
    pki_fetch_conf_t   conf;

    test_failed("/short", NULL, "transfer closed");
    test_failed("/cut", NULL, "");
    test_failed("/headless", NULL, "within its headers");
    test_failed("/old", NULL, "");
    test_failed("/rst", NULL, "");

    memset(&conf, 0, sizeof(conf));
    conf.plain = 1;

    got = &test_result;
    memset(got, 0, sizeof(test_got_t));

    fetch = pki_fetch_create(-1, NULL);
    (void) snprintf(got->url, sizeof(got->url), "http://127.0.0.1:1/secret");
    test_begin(test_peer(fetch, &conf), NULL, got);
    test_wait(fetch, got, 1);
    is_int(got->outcome, PKI_FETCH_FAILED, "nobody listens");
    is_int(got->status, 0, "nobody listens: no status");
    ok(strstr(got->error, "127.0.0.1") && !strstr(got->error, "secret"),
       "nobody listens: the error names the host");
    ok(strstr(got->error, " ms") == NULL, "nobody listens: not how long");
    pki_fetch_destroy(fetch);
}


static void
test_times(void)
{
    long long          begin;
    pki_fetch_conf_t   conf;

    memset(&conf, 0, sizeof(conf));

    conf.total = 200;
    begin = pki_test_mono();
    test_failed("/hang", &conf, "timed out");
    ok(strstr(test_result.error, "200") == NULL, "no times, which differ");
    test_failed("/stall", &conf, "timed out");
    ok(strstr(test_result.error, "bytes") == NULL, "no sizes");
    ok(pki_test_mono() - begin < 3000, "the time for the whole is short");

    conf.total = 10000;
    conf.stall = 1;
    begin = pki_test_mono();
    test_failed("/trickle", &conf, "too slow");
    ok(pki_test_mono() - begin < 5000, "a trickle is ended");
}


static void
test_refused(void)
{
    int             before;
    size_t          i;
    char            own[64];
    test_got_t     *got;
    pki_err_t       err;
    pki_fetch_t    *fetch;
    pki_request_t   r;

    static const pki_request_t  requests[] = {
        { .url = "https://evil/x", .host = "http://127.0.0.1" },
        { .url = "file:///etc/passwd" },
        { .url = "http://10.0.0.1/" },
        { .token = "a\r\nX: y" },
        { .token = "a b" },
        { .token = "\xc3\xa9" },
        { .headers = { "X: a\r\nY: b" } },
        { .headers = { NULL, NULL, "X: \x01" } },
        { .method = "GET / HTTP/1.1\r\nX:" },
        { .method = "" }
    };

    static const pki_fetch_conf_t  confs[] = {
        { .total = 1, .stall = 1, .max = 1 },
        { .connect = 1, .stall = 1, .max = 1 },
        { .connect = 1, .total = 1, .max = 1 },
        { .connect = 1, .total = 1, .stall = 1 },
        { .connect = 1, .total = 1, .stall = 1, .max = 1,
          .proxy = "socks5://127.0.0.1" }
    };

    before = pki_test_server_count(&test_server, &test_server.accepted);

    for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        got = test_get("/ok", NULL, &requests[i]);
        is_int(got->outcome, PKI_FETCH_REFUSED, "request %d is refused",
               (int) i);
        ok(got->error[0] != '\0', "request %d: \"%s\"", (int) i, got->error);
    }

    is_int(pki_test_server_count(&test_server, &test_server.accepted), before,
           "nothing of it was sent");

    memset(&r, 0, sizeof(r));
    (void) snprintf(own, sizeof(own), "HTTP://127.0.0.1:%d/base",
                    test_server.port);
    r.host = own;
    got = test_get("/ok", NULL, &r);
    is_int(got->outcome, PKI_FETCH_DONE, "bound to its host");

    fetch = pki_fetch_create(-1, &err);

    for (i = 0; i < sizeof(confs) / sizeof(confs[0]); i++) {
        err.text[0] = '\0';
        ok(pki_fetch_peer(fetch, &confs[i], &err) == NULL && err.text[0],
           "settings %d are refused: \"%s\"", (int) i, err.text);
    }

    pki_fetch_destroy(fetch);
    pki_fetch_destroy(NULL);
}

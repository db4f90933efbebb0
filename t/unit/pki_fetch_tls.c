
/*
 * pki_fetch.c over TLS: whom it trusts and whom it does not, connections
 * that break, and a proxy on the way.
 */

#include "pki_test.h"
#include "pki_test_ca.h"
#include "pki_test_fetch.h"

#include <signal.h>
#include <openssl/pem.h>


#define TEST_TLS12_ONLY  0x01
#define TEST_TLS11_ONLY  0x02


typedef struct {
    int          fd;
    const char  *says;
} test_closer_t;


static const pki_test_ext_t  test_exts[] = {
    { NID_key_usage, "critical,digitalSignature" },
    { NID_ext_key_usage, "serverAuth" },
    { NID_subject_alt_name, "IP:127.0.0.1" },
    { 0, NULL }
};

static const pki_test_ext_t  test_exts_wrong[] = {
    { NID_key_usage, "critical,digitalSignature" },
    { NID_ext_key_usage, "serverAuth" },
    { NID_subject_alt_name, "DNS:graph.test,IP:127.0.0.2" },
    { 0, NULL }
};


static int test_answer(pki_test_conn_t *c);
static void test_setup(void);
static void test_cleanup(void);
static void test_pem(const char *path, X509 *cert);
static X509 *test_cert(EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key, time_t to,
    const pki_test_ext_t *exts);
static SSL_CTX *test_ctx(X509 *cert, int versions);
static test_got_t *test_get(pki_test_server_t *s, const char *path,
    const pki_fetch_conf_t *conf);
static void test_case(const char *name, X509 *cert, int versions,
    const char *ca_file, pki_fetch_outcome_t outcome, const char *error);
static void test_trust(void);
static void test_kept(void);
static void *test_closer(void *data);
static void test_closed(const char *says, pki_fetch_outcome_t outcome,
    const char *name);
static void test_broken(void);
static void test_proxy(void);


static char         test_dir[32];
static char         test_ca_file[64];
static char         test_no_file[64];
static char         test_token[] = "tok-abc";

static EVP_PKEY    *test_key, *test_ca_key, *test_other_key;
static X509        *test_ca, *test_other, *test_good;

static test_got_t   test_result;


int
main(void)
{
    (void) signal(SIGPIPE, SIG_IGN);

    is_int(pki_fetch_global(), PKI_OK, "global");

    test_setup();

    test_trust();
    test_kept();
    test_broken();
    test_proxy();

    test_cleanup();

    return pki_test_done();
}


static int
test_answer(pki_test_conn_t *c)
{
    if (strncmp(c->request, "CONNECT ", 8) == 0) {
        (void) pki_test_server_say(c, "HTTP/1.1 403 No\r\nRetry-After: 5\r\n"
                                      "Content-Length: 0\r\n\r\n");
        return 0;
    }

    if (strcmp(c->path, "/short") == 0) {
        (void) pki_test_server_say(c, "HTTP/1.1 200 OK\r\n"
                                      "Content-Length: 9\r\n\r\nabc");
        return 0;
    }

    return pki_test_server_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 5"
                                  "\r\n\r\nhello");
}


static void
test_setup(void)
{
    (void) snprintf(test_dir, sizeof(test_dir), "/tmp/pki-XXXXXX");
    pki_test_need(mkdtemp(test_dir) != NULL, "directory");

    (void) snprintf(test_ca_file, sizeof(test_ca_file), "%s/ca", test_dir);
    (void) snprintf(test_no_file, sizeof(test_no_file), "%s/no", test_dir);

    test_key = pki_test_key("P-256");
    test_ca_key = pki_test_key("P-256");
    test_other_key = pki_test_key("P-256");

    test_ca = pki_test_ca("Root", test_ca_key);
    test_other = pki_test_ca("Other", test_other_key);
    test_good = test_cert(test_key, test_ca, test_ca_key,
                          pki_test_now() + PKI_TEST_DAY, test_exts);

    test_pem(test_ca_file, test_ca);
}


static void
test_cleanup(void)
{
    (void) unlink(test_ca_file);
    (void) rmdir(test_dir);

    EVP_PKEY_free(test_key);
    EVP_PKEY_free(test_ca_key);
    EVP_PKEY_free(test_other_key);
    X509_free(test_ca);
    X509_free(test_other);
    X509_free(test_good);
}


static void
test_pem(const char *path, X509 *cert)
{
    FILE  *f;

    f = fopen(path, "w");
    pki_test_need(f != NULL && PEM_write_X509(f, cert) == 1, "PEM");
    (void) fclose(f);
}


static X509 *
test_cert(EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key, time_t to,
    const pki_test_ext_t *exts)
{
    pki_test_cert_t  c;

    memset(&c, 0, sizeof(c));

    c.cn = "directory";
    c.serial = "4D3";
    c.key = key;
    c.issuer = ca;
    c.issuer_key = ca_key;
    c.from = pki_test_now() - 5 * PKI_TEST_DAY;
    c.to = to;
    c.exts = exts;

    return pki_test_cert(&c);
}


static SSL_CTX *
test_ctx(X509 *cert, int versions)
{
    SSL_CTX  *ctx;

    ctx = SSL_CTX_new(TLS_server_method());

    pki_test_need(ctx != NULL
                  && SSL_CTX_use_certificate(ctx, cert) == 1
                  && SSL_CTX_use_PrivateKey(ctx, test_key) == 1, "context");

    if (versions == TEST_TLS12_ONLY) {
        pki_test_need(SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION) == 1,
                      "TLS 1.2");
    }

    if (versions == TEST_TLS11_ONLY) {
        pki_test_need(SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION) == 1
                      && SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION)
                         == 1
                      && SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0") == 1,
                      "TLS 1.1");
    }

    return ctx;
}


static test_got_t *
test_get(pki_test_server_t *s, const char *path, const pki_fetch_conf_t *conf)
{
    test_got_t     *got;
    pki_fetch_t    *fetch;
    pki_request_t   r;

    got = &test_result;
    memset(got, 0, sizeof(test_got_t));
    memset(&r, 0, sizeof(r));

    r.token = test_token;

    (void) snprintf(got->url, sizeof(got->url), "https://127.0.0.1:%d%s",
                    s->port, path);

    fetch = pki_fetch_create(-1, NULL);
    test_begin(test_peer(fetch, conf), &r, got);
    test_wait(fetch, got, 1);
    pki_fetch_destroy(fetch);

    is_int(got->calls, 1, "%s: ended once", path);

    return got;
}


static void
test_case(const char *name, X509 *cert, int versions, const char *ca_file,
    pki_fetch_outcome_t outcome, const char *error)
{
    test_got_t         *got;
    pki_fetch_conf_t    conf;
    pki_test_server_t   s;

    memset(&conf, 0, sizeof(conf));
    conf.ca_file = ca_file;

    pki_test_server_start(&s, test_answer, test_ctx(cert, versions));

    got = test_get(&s, "/secret", &conf);
    is_int(got->outcome, outcome, "%s", name);

    if (outcome == PKI_FETCH_DONE) {
        is_str(got->body, "hello", "%s: body", name);
        ok(pki_test_server_heard(&s, "Bearer tok-abc"), "%s: token", name);

    } else {
        is_int(pki_test_server_count(&s, &s.requests), 0,
               "%s: nothing was sent", name);
        ok(strstr(got->error, error) != NULL, "%s: \"%s\"", name,
           got->error);
        ok(strstr(got->error, "secret") == NULL, "%s: no path", name);
    }

    pki_test_server_stop(&s);
}


static void
test_trust(void)
{
    X509  *expired, *wrong, *other, *same;

    expired = test_cert(test_key, test_ca, test_ca_key,
                        pki_test_now() - PKI_TEST_DAY, test_exts);
    wrong = test_cert(test_key, test_ca, test_ca_key,
                      pki_test_now() + PKI_TEST_DAY, test_exts_wrong);
    same = test_cert(test_key, test_ca, test_other_key,
                     pki_test_now() + PKI_TEST_DAY, test_exts);
    other = test_cert(test_key, test_other, test_other_key,
                      pki_test_now() + PKI_TEST_DAY, test_exts);

    test_case("trusted", test_good, 0, test_ca_file, PKI_FETCH_DONE, "");
    test_case("trusted by TLS 1.2", test_good, TEST_TLS12_ONLY, test_ca_file,
              PKI_FETCH_DONE, "");

    test_case("unknown CA", other, 0, test_ca_file, PKI_FETCH_TLS,
              "certificate");
    test_case("unknown CA of the same name", same, 0, test_ca_file,
              PKI_FETCH_TLS, "");
    test_case("not of the system's", test_good, 0, NULL, PKI_FETCH_TLS,
              "certificate");
    test_case("no such file", test_good, 0, test_no_file, PKI_FETCH_TLS, "");
    test_case("expired", expired, 0, test_ca_file, PKI_FETCH_TLS, "expired");
    test_case("another name", wrong, 0, test_ca_file, PKI_FETCH_TLS, "name");
    test_case("TLS 1.1", test_good, TEST_TLS11_ONLY, test_ca_file,
              PKI_FETCH_TLS, "");

    X509_free(expired);
    X509_free(wrong);
    X509_free(other);
    X509_free(same);
}


static void
test_kept(void)
{
    int                 i;
    test_got_t          got[3];
    pki_fetch_t        *fetch;
    pki_fetch_conf_t    conf;
    pki_fetch_peer_t   *peer, *second;
    pki_test_server_t   s;

    memset(&conf, 0, sizeof(conf));
    memset(got, 0, sizeof(got));
    conf.ca_file = test_ca_file;

    pki_test_server_start(&s, test_answer, test_ctx(test_good, 0));

    fetch = pki_fetch_create(-1, NULL);
    peer = test_peer(fetch, &conf);
    second = test_peer(fetch, NULL);

    for (i = 0; i < 3; i++) {
        (void) snprintf(got[i].url, sizeof(got[i].url),
                        "https://127.0.0.1:%d/", s.port);
        test_begin(i < 2 ? peer : second, NULL, &got[i]);
        test_wait(fetch, &got[i], 1);
    }

    is_int(got[1].outcome, PKI_FETCH_DONE, "two requests");
    is_int(got[2].outcome, PKI_FETCH_TLS, "a peer that trusts the system's "
           "CAs does not get the connection of one that trusts its own");
    is_int(pki_test_server_count(&s, &s.requests), 2, "by its own connection");

    pki_fetch_destroy(fetch);
    pki_test_server_stop(&s);
}


/* Greets in plain text, or not at all, and ends the connection. */

static void *
test_closer(void *data)
{
    int             fd;
    char            c;
    test_closer_t  *closer = data;

    fd = accept(closer->fd, NULL, NULL);

    if (fd >= 0) {
        (void) recv(fd, &c, 1, 0);
        (void) send(fd, closer->says, strlen(closer->says), MSG_NOSIGNAL);
        (void) close(fd);
    }

    return NULL;
}


static void
test_closed(const char *says, pki_fetch_outcome_t outcome, const char *name)
{
    pthread_t           thread;
    socklen_t           len;
    test_got_t         *got;
    test_closer_t       closer;
    pki_fetch_conf_t    conf;
    pki_test_server_t   s;
    struct sockaddr_in  addr;

    len = sizeof(addr);
    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    closer.says = says;
    closer.fd = socket(AF_INET, SOCK_STREAM, 0);

    pki_test_need(closer.fd >= 0
                  && bind(closer.fd, (struct sockaddr *) &addr, len) == 0
                  && listen(closer.fd, 1) == 0
                  && getsockname(closer.fd, (struct sockaddr *) &addr, &len)
                     == 0, "listener");
    pki_test_need(pthread_create(&thread, NULL, test_closer, &closer) == 0,
                  "thread");

    memset(&conf, 0, sizeof(conf));
    memset(&s, 0, sizeof(s));
    conf.ca_file = test_ca_file;
    s.port = ntohs(addr.sin_port);

    got = test_get(&s, "/", &conf);
    is_int(got->outcome, outcome, "%s: \"%s\"", name, got->error);

    (void) pthread_join(thread, NULL);
    (void) close(closer.fd);
}


static void
test_broken(void)
{
    test_got_t         *got;
    pki_fetch_conf_t    conf;
    pki_test_server_t   s;

    memset(&conf, 0, sizeof(conf));
    conf.ca_file = test_ca_file;

    pki_test_server_start(&s, test_answer, test_ctx(test_good, 0));

    got = test_get(&s, "/short", &conf);
    is_int(got->outcome, PKI_FETCH_FAILED, "cut before Content-Length");

    pki_test_server_stop(&s);

    test_closed("", PKI_FETCH_FAILED,
                "closed within the handshake, not refused");
    test_closed("HTTP/1.1 400 Bad Request\r\n\r\n", PKI_FETCH_TLS,
                "not TLS at all");
}


static void
test_proxy(void)
{
    char                proxy[64];
    test_got_t         *got;
    pki_fetch_t        *fetch;
    pki_fetch_conf_t    conf;
    pki_test_server_t   s, p;

    pki_test_server_start(&s, test_answer, test_ctx(test_good, 0));
    pki_test_server_start(&p, test_answer, NULL);

    (void) snprintf(proxy, sizeof(proxy), "http://user:pass@127.0.0.1:%d",
                    p.port);

    memset(&conf, 0, sizeof(conf));
    conf.ca_file = test_ca_file;
    conf.proxy = proxy;

    got = test_get(&s, "/secret", &conf);
    is_int(got->outcome, PKI_FETCH_FAILED, "the proxy refuses: \"%s\"",
           got->error);
    ok(strstr(got->error, "pass") == NULL, "its password is not told");
    is_str(got->result.retry_after, "", "its headers are not the reply's");
    ok(pki_test_server_heard(&p, "CONNECT 127.0.0.1:"), "a tunnel");
    ok(!pki_test_server_heard(&p, "tok-abc")
       && !pki_test_server_heard(&p, "/secret"), "the proxy gets no secret");
    is_int(pki_test_server_count(&s, &s.accepted), 0, "no way around it");

    /* loopback without TLS is not for a proxy */

    conf.plain = 1;
    memset(got, 0, sizeof(test_got_t));
    (void) snprintf(got->url, sizeof(got->url), "http://127.0.0.1:%d/direct",
                    p.port);

    fetch = pki_fetch_create(-1, NULL);
    test_begin(test_peer(fetch, &conf), NULL, got);
    test_wait(fetch, got, 1);
    pki_fetch_destroy(fetch);

    is_int(got->outcome, PKI_FETCH_DONE, "loopback");
    ok(pki_test_server_heard(&p, "GET /direct "), "is asked itself");

    pki_test_server_stop(&s);
    pki_test_server_stop(&p);
}


/*
 * The socket under the transport that waits: TLS to a Redis of the test's
 * own, whom it is refused to, and what ends a wait.
 */

#include "pki_test_sync.h"
#include "pki_test_ca.h"

#include <time.h>
#include <openssl/pem.h>


#define TEST_BIG  (3 * 1024 * 1024)


static void test_stopped(void);
static void test_stop_late(int fd);
static void *test_stopper(void *data);
static void test_last_word(void);
static void test_tls(void);
static void test_tls_files(SSL_CTX **ctx);
static void test_tls_start(void);
static void test_tls_commands(const pki_redis_sync_conf_t *conf);
static void test_tls_memory(const pki_redis_sync_conf_t *conf);
static void test_tls_refused(pki_redis_sync_conf_t *conf, SSL_CTX *ctx);
static long long test_now(void);


static int   test_tls_port;
static char  test_file[4][96];      /* CA, certificate, key, configuration */

static const pki_test_ext_t  test_server_exts[] = {
    { NID_key_usage, "critical,digitalSignature" },
    { NID_ext_key_usage, "serverAuth" },
    { NID_subject_alt_name, "DNS:redis.test,IP:127.0.0.1" },
    { 0, NULL }
};


int
main(void)
{
    pki_test_alloc_hook();
    pki_test_redis_start("--maxmemory-policy", "noeviction");

    /* the transport must do without */

    (void) signal(SIGPIPE, SIG_DFL);

    test_stopped();
    test_last_word();
    pki_test_redis_kill(SIGTERM);
    test_tls();

    return pki_test_done();
}


/* A server that says nothing: stopped at once, and before the time is up. */

static void
test_stopped(void)
{
    int                    i, fds[2];
    long long              start, took;
    pki_err_t              err;
    pthread_t              thread;
    test_got_t             got[2];
    test_server_t          server;
    pki_redis_sync_t      *sync;
    pki_redis_sync_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    conf.host = "127.0.0.1";
    conf.timeout = 20000;

    for (i = 0; i < 3; i++) {
        pki_test_need(pipe(fds) == 0, "pipe");
        test_serve(&server, i == 0 ? "" : "+PONG\r\n");
        conf.port = server.port;
        conf.stop = fds[0];

        if (i == 0) {
            pki_test_need(pthread_create(&thread, NULL, test_stopper,
                                         &fds[1])
                          == 0, "thread");
        }

        start = test_now();
        sync = pki_redis_sync_create(&conf, &err);

        if (i == 0) {
            took = test_now() - start;
            (void) pthread_join(thread, NULL);
            ok(sync == NULL, "stopped while it connects");
            is_str(err.text, "no reply to PING: stopped", "in words");
            ok(took >= 100 && took < 150, "after %lld ms", took);

        } else {
            memset(got, 0, sizeof(got));
            test_send(sync, "ECHO", "a", &got[0]);
            test_send(sync, "ECHO", "b", &got[1]);

            if (i == 1) {
                pki_test_need(pthread_create(&thread, NULL, test_stopper,
                                             &fds[1])
                              == 0, "thread");

            } else {
                test_stop_late(fds[1]);
            }

            start = test_now();
            is_int(pki_redis_sync_wait(sync, &err), PKI_ERROR, "stopped");
            took = test_now() - start;

            if (i == 1) {
                (void) pthread_join(thread, NULL);
                ok(took >= 100 && took < 150, "after %lld ms", took);

            } else {
                ok(took < 50, "at once: %lld ms", took);
            }

            is_str(err.text, "stopped", "in words");
            ok(got[0].calls == 1 && got[0].null, "the first: once, NULL");
            ok(got[1].calls == 1 && got[1].null, "the second: once, NULL");
        }

        pki_redis_sync_destroy(sync);
        (void) close(fds[0]);
        (void) close(fds[1]);
        (void) pthread_join(server.thread, NULL);
    }

    conf.host = "localhost";
    conf.stop = 0;
    ok(pki_redis_sync_create(&conf, &err) == NULL,
       "who can be stopped looks up no names");
    ok(strstr(err.text, "localhost") != NULL, "in words: %s", err.text);

    conf.stop = -1;
    conf.port = 1;
    ok(pki_redis_sync_create(&conf, &err) == NULL, "others do");
    ok(strstr(err.text, "refused") != NULL, "in words: %s", err.text);
}


static void
test_stop_late(int fd)
{
    pki_test_need(write(fd, "x", 1) == 1, "write");
}


static void *
test_stopper(void *data)
{
    (void) usleep(100 * 1000);
    test_stop_late(*(int *) data);

    return NULL;
}


/* Who is stopped may still send a command, without waiting for its reply. */

static void
test_last_word(void)
{
    int                    i, fds[2];
    pki_err_t              err;
    test_got_t             got;
    redisReply            *reply;
    redisContext          *plain;
    pki_redis_sync_t      *sync;
    pki_redis_sync_conf_t  conf;

    pki_test_need(pipe(fds) == 0, "pipe");
    memset(&conf, 0, sizeof(conf));
    conf.path = pki_test_socket;
    conf.timeout = 20000;
    conf.stop = fds[0];

    sync = pki_redis_sync_create(&conf, &err);
    pki_test_need(sync != NULL, "connection");
    test_stop_late(fds[1]);
    memset(&got, 0, sizeof(got));
    test_send(sync, "INCR", "said", &got);
    is_int(pki_redis_sync_wait(sync, &err), PKI_ERROR, "stopped");
    is_int(got.calls, 1, "called once");
    pki_redis_sync_destroy(sync);

    ok(pki_redis_sync_create(&conf, &err) == NULL, "nor is there a way back");

    plain = redisConnectUnix(pki_test_socket);
    pki_test_need(plain != NULL && plain->err == 0, "connection");
    reply = NULL;

    for (i = 0; i < 500; i++) {
        reply = redisCommand(plain, "GET said");

        if (reply == NULL || reply->type == REDIS_REPLY_STRING) {
            break;
        }

        freeReplyObject(reply);
        reply = NULL;
        (void) usleep(10 * 1000);
    }

    ok(reply != NULL && reply->type == REDIS_REPLY_STRING,
       "the command has come");
    freeReplyObject(reply);
    redisFree(plain);
    (void) close(fds[0]);
    (void) close(fds[1]);
}


static void
test_tls(void)
{
    int                    i;
    SSL_CTX               *ctx;
    pki_redis_sync_conf_t  conf;

    test_tls_files(&ctx);
    test_tls_start();

    memset(&conf, 0, sizeof(conf));
    conf.host = "127.0.0.1";
    conf.port = test_tls_port;
    conf.timeout = 20000;
    conf.stop = -1;
    conf.tls = ctx;

    test_tls_commands(&conf);
    conf.tls_name = "redis.test";
    test_tls_commands(&conf);
    test_tls_memory(&conf);
    test_tls_refused(&conf, ctx);

    SSL_CTX_free(ctx);

    for (i = 0; i < 4; i++) {
        (void) unlink(test_file[i]);
    }
}


static void
test_tls_files(SSL_CTX **ctx)
{
    int          i;
    FILE        *file;
    X509        *ca, *cert;
    EVP_PKEY    *ca_key, *key;

    static const char *const  names[] = { "ca", "cert", "key", "conf" };

    for (i = 0; i < 4; i++) {
        (void) snprintf(test_file[i], sizeof(test_file[i]), "%s/%s",
                        pki_test_dir, names[i]);
    }

    ca_key = pki_test_key("P-256");
    key = pki_test_key("P-256");
    ca = pki_test_ca("ca", ca_key);
    cert = pki_test_issued("redis", "11", ca, ca_key, key, test_server_exts);

    file = fopen(test_file[0], "w");
    pki_test_need(file != NULL && PEM_write_X509(file, ca) == 1
                  && fclose(file) == 0, "ca");
    file = fopen(test_file[1], "w");
    pki_test_need(file != NULL && PEM_write_X509(file, cert) == 1
                  && fclose(file) == 0, "cert");
    file = fopen(test_file[2], "w");
    pki_test_need(file != NULL
                  && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL,
                                          NULL)
                     == 1
                  && fclose(file) == 0, "key");

    *ctx = SSL_CTX_new(TLS_client_method());
    pki_test_need(*ctx != NULL
                  && SSL_CTX_load_verify_locations(*ctx, test_file[0], NULL)
                     == 1, "context");
    SSL_CTX_set_verify(*ctx, SSL_VERIFY_PEER, NULL);

    X509_free(ca);
    X509_free(cert);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
}


static void
test_tls_start(void)
{
    int                 fd;
    FILE               *file;
    socklen_t           len;
    struct sockaddr_in  addr;

    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    len = sizeof(addr);
    fd = socket(AF_INET, SOCK_STREAM, 0);

    pki_test_need(fd != -1 && bind(fd, (struct sockaddr *) &addr, len) == 0
                  && getsockname(fd, (struct sockaddr *) &addr, &len) == 0,
                  "a free port");
    (void) close(fd);

    test_tls_port = ntohs(addr.sin_port);

    file = fopen(test_file[3], "w");
    pki_test_need(file != NULL
                  && fprintf(file, "tls-port %d\ntls-auth-clients no\n"
                             "tls-ca-cert-file %s\ntls-cert-file %s\n"
                             "tls-key-file %s\n", test_tls_port,
                             test_file[0], test_file[1], test_file[2]) > 0
                  && fclose(file) == 0, "configuration");

    pki_test_redis_spawn("--include", test_file[3]);
}


static void
test_tls_commands(const pki_redis_sync_conf_t *conf)
{
    int                i, wrong;
    char               text[24], *big;
    pki_err_t          err;
    test_got_t        *got;
    pki_redis_sync_t  *sync;

    sync = pki_redis_sync_create(conf, &err);
    ok(sync != NULL, "TLS to %s: %s",
       conf->tls_name ? conf->tls_name : "an address",
       sync ? "connected" : err.text);

    if (sync == NULL) {
        return;
    }

    got = calloc(TEST_MANY, sizeof(test_got_t));
    test_order_n = 0;

    for (i = 0; i < TEST_MANY; i++) {
        (void) snprintf(text, sizeof(text), "%d", i);
        test_send(sync, "ECHO", text, &got[i]);
    }

    is_int(pki_redis_sync_wait(sync, &err), PKI_OK, "waited");

    for (wrong = 0, i = 0; i < TEST_MANY; i++) {
        wrong += got[i].calls != 1 || got[i].order != i
                 || atoi(got[i].text) != i;
    }

    is_int(wrong, 0, "%d replies in order", TEST_MANY);

    /* more than a socket takes at once, there and back */

    big = malloc(TEST_BIG + 1);
    memset(big, 'x', TEST_BIG);
    big[TEST_BIG] = '\0';
    memset(got, 0, 3 * sizeof(test_got_t));

    for (i = 0; i < 3; i++) {
        test_send(sync, "ECHO", big, &got[i]);
    }

    is_int(pki_redis_sync_wait(sync, &err), PKI_OK, "3 MB, thrice");

    for (i = 0; i < 3; i++) {
        is_int(got[i].type, REDIS_REPLY_STRING, "back again");
    }

    free(big);
    free(got);
    pki_redis_sync_destroy(sync);
}


/* OpenSSL allocates often: not each of its failures, but all along. */

static void
test_tls_memory(const pki_redis_sync_conf_t *conf)
{
    int                n, hit, failed, wrong;
    pki_err_t          err;
    pki_redis_sync_t  *sync;

    hit = 1;
    failed = 0;
    wrong = 0;

    for (n = 1; hit; n += n < 20 ? 1 : 17) {
        err.text[0] = '\0';
        pki_test_fail_at(n);
        sync = pki_redis_sync_create(conf, &err);
        hit = pki_test_fail_hit();
        pki_test_fail_at(0);

        if (sync == NULL) {
            failed++;
            wrong += err.text[0] == '\0';
        }

        pki_redis_sync_destroy(sync);
    }

    ok(failed > 10, "%d failures of memory", failed);
    is_int(wrong, 0, "all in words");
}


static void
test_tls_refused(pki_redis_sync_conf_t *conf, SSL_CTX *ctx)
{
    pki_err_t          err;
    SSL_CTX           *other;
    test_got_t         got;
    test_server_t      server;
    pki_redis_sync_t  *sync;

    conf->tls_name = "other.test";
    ok(pki_redis_sync_create(conf, &err) == NULL, "another name");
    ok(strstr(err.text, "ostname mismatch") != NULL, "in words: %s",
       err.text);

    conf->tls_name = "127.0.0.2";
    ok(pki_redis_sync_create(conf, &err) == NULL, "another address");
    ok(strstr(err.text, "IP address mismatch") != NULL, "in words: %s",
       err.text);

    other = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(other, SSL_VERIFY_PEER, NULL);
    conf->tls = other;
    conf->tls_name = "redis.test";
    ok(pki_redis_sync_create(conf, &err) == NULL, "an unknown CA");
    ok(strstr(err.text, "certificate") != NULL, "in words: %s", err.text);
    SSL_CTX_free(other);

    conf->tls = ctx;
    conf->tls_name = NULL;
    conf->path = pki_test_socket;
    conf->host = NULL;
    ok(pki_redis_sync_create(conf, &err) == NULL, "no name to compare with");
    is_str(err.text, "TLS without the server's name", "in words");

    conf->tls_name = "redis.test";
    conf->timeout = 300;
    ok(pki_redis_sync_create(conf, &err) == NULL, "a server without TLS");
    ok(strncmp(err.text, "TLS handshake", 13) == 0, "in words: %s",
       err.text);

    conf->path = NULL;
    conf->host = "127.0.0.1";
    test_serve(&server, "");
    conf->port = server.port;
    ok(pki_redis_sync_create(conf, &err) == NULL, "a silent one");
    is_str(err.text, "TLS handshake: timed out", "in words");
    (void) pthread_join(server.thread, NULL);

    conf->port = test_tls_port;
    conf->timeout = 20000;
    sync = pki_redis_sync_create(conf, &err);
    pki_test_need(sync != NULL, "TLS");
    memset(&got, 0, sizeof(got));
    pki_test_redis_kill(SIGKILL);
    test_send(sync, "ECHO", "a", &got);
    is_int(pki_redis_sync_wait(sync, &err), PKI_ERROR, "Redis is gone");
    ok(got.calls == 1 && got.null, "called once, with NULL: %s", err.text);
    pki_redis_sync_destroy(sync);
}


static long long
test_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

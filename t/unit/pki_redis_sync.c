
/*
 * The transport that waits: greeting, order, growth, and everything that
 * can break, against a Redis of the test's own and against a server that
 * says whatever the test wants.
 */

#include "pki_test_sync.h"


#define TEST_SECRET   "s3cret-Word"


static pki_redis_sync_t *test_create(const char *user, const char *secret,
    int database, pki_err_t *err);
static void test_greeting(void);
static void test_addresses(void);
static void test_order(void);
static void test_again(void);
static void test_errors(void);
static void test_destroyed(void);
static void test_memory(void);
static void test_said(const char *says, const char *secret,
    const char *want);
static void test_strangers(void);
static void test_late(void);
static void test_killed(void);


int
main(void)
{
    pki_test_alloc_hook();
    pki_test_redis_start("--requirepass", TEST_SECRET);

    test_greeting();
    test_addresses();
    test_order();
    test_again();
    test_errors();
    test_destroyed();
    test_memory();
    test_strangers();
    test_late();
    test_killed();

    return pki_test_done();
}


static pki_redis_sync_t *
test_create(const char *user, const char *secret, int database,
    pki_err_t *err)
{
    pki_redis_sync_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    conf.stop = -1;
    conf.path = pki_test_socket;
    conf.user = user;
    conf.secret = secret;
    conf.database = database;
    conf.timeout = 20000;

    err->text[0] = '\0';

    return pki_redis_sync_create(&conf, err);
}


static void
test_greeting(void)
{
    pki_err_t          err;
    test_got_t         got[3];
    pki_redis_sync_t  *sync;

    ok(test_create(NULL, NULL, 0, &err) == NULL, "no secret");
    is_str(err.text, "PING was refused: NOAUTH", "in words");

    ok(test_create(NULL, "wrong-" TEST_SECRET, 0, &err) == NULL,
       "wrong secret");
    is_str(err.text, "AUTH was refused: WRONGPASS", "in words");

    sync = test_create(NULL, TEST_SECRET, 3, &err);
    ok(sync != NULL, "secret and database: %s", err.text);

    memset(got, 0, sizeof(got));
    test_send(sync, "CLIENT", "INFO", &got[0]);
    test_send(sync, "INCR", "three", &got[1]);
    is_int(pki_redis_sync_wait(sync, &err), PKI_OK, "waited");
    is_int(got[1].type, REDIS_REPLY_INTEGER, "counted");
    is_int(got[0].calls, 1, "called once");
    pki_redis_sync_destroy(sync);

    sync = test_create(NULL, TEST_SECRET, 0, &err);
    memset(got, 0, sizeof(got));
    test_send(sync, "EXISTS", "three", &got[0]);
    (void) pki_redis_sync_wait(sync, &err);
    is_int(got[0].type, REDIS_REPLY_INTEGER, "asked database 0");
    test_send(sync, "EVAL", "x", &got[1]);
    (void) pki_redis_sync_wait(sync, &err);
    is_int(got[1].type, REDIS_REPLY_ERROR, "an error is a reply");
    pki_redis_sync_destroy(sync);

    sync = test_create("default", TEST_SECRET, 0, &err);
    ok(sync != NULL, "user and secret: %s", err.text);
    pki_redis_sync_destroy(sync);

    ok(test_create("nobody", TEST_SECRET, 0, &err) == NULL, "no such user");
    is_str(err.text, "AUTH was refused: WRONGPASS", "in words");

    ok(test_create(NULL, TEST_SECRET, 99999, &err) == NULL, "no such base");
    is_str(err.text, "SELECT was refused: ERR", "in words");

    pki_redis_sync_destroy(NULL);
    ok(1, "NULL is accepted");
}


static void
test_addresses(void)
{
    char                   path[300];
    pki_err_t              err;
    pki_redis_sync_conf_t  conf;

    memset(&conf, 0, sizeof(conf));
    conf.stop = -1;
    conf.timeout = 1000;
    ok(pki_redis_sync_create(&conf, &err) == NULL, "no address");
    is_str(err.text, "no address", "in words");

    conf.path = "/nonexistent/socket";
    ok(pki_redis_sync_create(&conf, &err) == NULL, "no socket");
    ok(strncmp(err.text, "cannot connect: ", 16) == 0, "in words: %s",
       err.text);

    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    conf.path = path;
    ok(pki_redis_sync_create(&conf, &err) == NULL, "a long path");
    ok(strstr(err.text, "too long") != NULL, "in words");

    conf.path = NULL;
    conf.host = "127.0.0.1";
    conf.port = 1;
    ok(pki_redis_sync_create(&conf, &err) == NULL, "a closed port");
    ok(strncmp(err.text, "cannot connect: ", 16) == 0, "in words: %s",
       err.text);

    conf.timeout = 0;
    ok(pki_redis_sync_create(&conf, &err) == NULL, "no timeout");
    is_str(err.text, "invalid timeout", "in words");
}


static void
test_order(void)
{
    int                i, wrong;
    char               text[24];
    pki_err_t          err;
    test_got_t        *got;
    pki_redis_sync_t  *sync;

    sync = test_create(NULL, TEST_SECRET, 0, &err);
    got = calloc(TEST_MANY, sizeof(test_got_t));
    test_order_n = 0;

    for (i = 0; i < 10; i++) {
        test_send(sync, "ECHO", "first", &got[i]);
    }

    is_int(pki_redis_sync_wait(sync, &err), PKI_OK, "the ring has turned");
    memset(got, 0, TEST_MANY * sizeof(test_got_t));
    test_order_n = 0;

    for (i = 0; i < TEST_MANY; i++) {
        (void) snprintf(text, sizeof(text), "%d", i);
        test_send(sync, "ECHO", text, &got[i]);
    }

    is_int(test_order_n, 0, "nothing called yet");
    is_int(pki_redis_sync_wait(sync, &err), PKI_OK, "waited");

    for (wrong = 0, i = 0; i < TEST_MANY; i++) {
        wrong += got[i].calls != 1 || got[i].order != i
                 || atoi(got[i].text) != i;
    }

    is_int(wrong, 0, "%d replies in order", TEST_MANY);
    is_int(pki_redis_sync_wait(sync, &err), PKI_OK, "nothing to wait for");

    free(got);
    pki_redis_sync_destroy(sync);
}


static void
test_again(void)
{
    pki_err_t          err;
    test_got_t         got[3];
    pki_redis_sync_t  *sync;

    sync = test_create(NULL, TEST_SECRET, 0, &err);
    memset(got, 0, sizeof(got));
    got[0].again = sync;
    got[1].again = sync;

    test_send(sync, "ECHO", "a", &got[0]);
    is_int(pki_redis_sync_wait(sync, &err), PKI_OK, "waited");
    is_int(got[2].calls, 1, "what callbacks send is waited for");
    is_str(got[2].text, "again", "and answered");

    pki_redis_sync_destroy(sync);
}


static void
test_errors(void)
{
    char               big[40001];
    pki_err_t          err;
    test_got_t         got;
    pki_redis_sync_t  *sync;

    sync = test_create(NULL, TEST_SECRET, 0, &err);

    memset(&got, 0, sizeof(got));
    test_send(sync, "NONSENSE", "a", &got);
    is_int(pki_redis_sync_wait(sync, &err), PKI_OK, "an error is a reply");
    is_int(got.type, REDIS_REPLY_ERROR, "of its type");

    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    memset(&got, 0, sizeof(got));
    test_send(sync, "ECHO", big, &got);
    is_int(pki_redis_sync_wait(sync, &err), PKI_OK, "40 KB");
    is_int(got.type, REDIS_REPLY_STRING, "come back");

    memset(&got, 0, sizeof(got));
    test_send(sync, "QUIT", NULL, &got);
    (void) pki_redis_sync_wait(sync, &err);
    is_str(got.text, "OK", "the server hangs up");

    memset(&got, 0, sizeof(got));
    test_send(sync, "ECHO", "a", &got);
    is_int(pki_redis_sync_wait(sync, &err), PKI_ERROR, "and is gone");
    ok(err.text[0] != '\0', "in words: %s", err.text);
    is_int(got.calls, 1, "called once");
    ok(got.null, "with NULL");

    pki_redis_sync_destroy(sync);
}


static void
test_destroyed(void)
{
    pki_err_t          err;
    test_got_t         got[3];
    pki_redis_sync_t  *sync;

    sync = test_create(NULL, TEST_SECRET, 0, &err);
    memset(got, 0, sizeof(got));
    got[1].again = sync;

    test_send(sync, "ECHO", "a", &got[0]);
    test_send(sync, "ECHO", "a", &got[1]);
    pki_redis_sync_destroy(sync);

    is_int(got[0].calls, 1, "called once");
    is_int(got[1].calls, 1, "called once");
    is_int(got[2].calls, 1, "sent while it ends: called once");
    ok(got[0].null && got[1].null && got[2].null, "with NULL");
}


static void
test_memory(void)
{
    int                i, n, wrong;
    pki_err_t          err;
    test_got_t        *got;
    pki_redis_sync_t  *sync;

    for (n = 1; /* void */ ; n++) {
        pki_test_fail_at(n);
        sync = test_create(NULL, TEST_SECRET, 0, &err);

        if (!pki_test_fail_hit()) {
            break;
        }

        ok(sync == NULL, "failure %d", n);
        is_str(err.text, "out of memory", "in words");
    }

    pki_test_fail_at(0);
    ok(n > 1 && sync != NULL, "%d failures", n - 1);

    got = calloc(TEST_MANY, sizeof(test_got_t));

    for (i = 0; i < TEST_MANY; i++) {
        pki_test_fail_at(1);
        test_send(sync, "ECHO", "a", &got[i]);
    }

    ok(pki_test_fail_hit() || got[0].calls == 1, "the ring cannot grow");
    pki_test_fail_at(0);

    is_int(pki_redis_sync_wait(sync, &err), PKI_ERROR, "which is an error");
    is_str(err.text, "out of memory", "in words");

    for (wrong = 0, i = 0; i < TEST_MANY; i++) {
        wrong += got[i].calls != 1 || !got[i].null;
    }

    is_int(wrong, 0, "each called once, with NULL");

    free(got);
    pki_redis_sync_destroy(sync);
}


static void
test_said(const char *says, const char *secret, const char *want)
{
    pki_err_t              err;
    test_server_t          server;
    pki_redis_sync_t      *sync;
    pki_redis_sync_conf_t  conf;

    test_serve(&server, says);

    memset(&conf, 0, sizeof(conf));
    conf.stop = -1;
    conf.host = "127.0.0.1";
    conf.port = server.port;
    conf.secret = secret;
    conf.timeout = 300;

    sync = pki_redis_sync_create(&conf, &err);
    ok(sync == NULL, "refused: %s", err.text);
    is_str(err.text, want, "in these words");
    pki_redis_sync_destroy(sync);

    (void) pthread_join(server.thread, NULL);
}


static void
test_strangers(void)
{
    test_said("-ERR unknown command 'AUTH', args: '" TEST_SECRET "'\r\n",
              TEST_SECRET, "AUTH was refused: ERR");
    test_said("+" TEST_SECRET "\r\n", TEST_SECRET,
              "unexpected reply to AUTH");
    test_said("$1\r\nx\r\n", NULL, "unexpected reply to PING");
    test_said("*0\r\n", NULL, "unexpected reply to PING");
    test_said("-LOADING Redis is loading\r\n", NULL,
              "PING was refused: LOADING");
    test_said("", NULL, "no reply to PING: timed out");
    test_said("HTTP/1.1 400 Bad Request\r\n", NULL,
              "no reply to PING: Protocol error, got \"H\" as reply type "
              "byte");
}


static void
test_late(void)
{
    pki_err_t              err;
    test_got_t             got[2];
    test_server_t          server;
    pki_redis_sync_t      *sync;
    pki_redis_sync_conf_t  conf;

    test_serve(&server, "+PONG\r\n");

    memset(&conf, 0, sizeof(conf));
    conf.stop = -1;
    conf.host = "127.0.0.1";
    conf.port = server.port;
    conf.timeout = 300;

    sync = pki_redis_sync_create(&conf, &err);
    ok(sync != NULL, "connected by TCP");

    memset(got, 0, sizeof(got));
    test_send(sync, "ECHO", "a", &got[0]);
    test_send(sync, "ECHO", "b", &got[1]);
    is_int(pki_redis_sync_wait(sync, &err), PKI_ERROR, "a late reply");
    is_str(err.text, "timed out", "in words");
    ok(got[0].calls == 1 && got[0].null, "the first is called with NULL");
    ok(got[1].calls == 1 && got[1].null, "and so is the second");

    pki_redis_sync_destroy(sync);
    (void) pthread_join(server.thread, NULL);
}


static void
test_killed(void)
{
    int                i;
    pki_err_t          err;
    test_got_t         got[4];
    pki_redis_sync_t  *sync;

    sync = test_create(NULL, TEST_SECRET, 0, &err);
    memset(got, 0, sizeof(got));
    got[2].again = sync;

    test_send(sync, "ECHO", "a", &got[0]);
    test_send(sync, "ECHO", "b", &got[1]);
    test_send(sync, "ECHO", "c", &got[2]);
    pki_test_redis_kill(SIGKILL);
    is_int(pki_redis_sync_wait(sync, &err), PKI_ERROR, "Redis is gone");
    ok(err.text[0] != '\0', "in words: %s", err.text);

    for (i = 0; i < 4; i++) {
        is_int(got[i].calls, 1, "called once");
        ok(got[i].null, "with NULL");
    }

    is_int(pki_redis_sync_wait(sync, &err), PKI_ERROR, "and stays gone");
    pki_redis_sync_destroy(sync);

    ok(test_create(NULL, TEST_SECRET, 0, &err) == NULL, "no way back");
}

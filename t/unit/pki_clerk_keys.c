
/*
 * Key sets: fetched at once and again, kept while a reply is of no use, and
 * asked for by a token whose key is not there.
 */

#include "pki_test_clerk.h"
#include "pki_test_server.h"


/* RFC 7515, A.3 */

#define TEST_POINT                                                          \
    "\"kty\":\"EC\",\"crv\":\"P-256\","                                     \
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""

#define TEST_SET(kid)  "{\"keys\":[{" TEST_POINT ",\"kid\":\"" kid "\"}]}"


static const char  *const test_bodies[] = {
    TEST_SET("one"),
    TEST_SET("second"),
    "{\"keys\":[]}",
    "<html>",
    "",
    NULL                        /* 404 */
};

static int          test_body;      /* atomic */
static char         test_large[PKI_TOKEN_KEYS_MAX + 1000];


static int
test_answer(pki_test_conn_t *c)
{
    int          n, body;
    char         head[200];
    const char  *text;

    body = __atomic_load_n(&test_body, __ATOMIC_SEQ_CST);
    text = body < 0 ? test_large : test_bodies[body];

    n = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\n"
                 "Content-Type: application/json\r\n"
                 "Content-Length: %zu\r\n\r\n",
                 text ? "200 OK" : "404 Not Found",
                 text ? strlen(text) : (size_t) 0);

    if (send(c->fd, head, n, MSG_NOSIGNAL) != n) {
        return 0;
    }

    return text == NULL
           || send(c->fd, text, strlen(text), MSG_NOSIGNAL)
              == (ssize_t) strlen(text);
}


static void
test_serve(int body)
{
    __atomic_store_n(&test_body, body, __ATOMIC_SEQ_CST);
}


/* Waits for the text of a generation; 0: it does not come. */

static int
test_text(pki_clerk_t *clerk, unsigned long want, const char *text)
{
    char           got[4096];
    size_t         len;
    long long      begun;
    unsigned long  generation;

    for (begun = test_ms(); test_ms() - begun < TEST_PATIENCE; ) {
        len = pki_clerk_keys(clerk, 0, got, sizeof(got), &generation);

        if (generation == want) {
            return len == strlen(text) && memcmp(got, text, len) == 0;
        }

        (void) usleep(5000);
    }

    return 0;
}


/* Waits until so many requests have come. */

static int
test_reached(pki_test_server_t *server, int n)
{
    long long  begun;

    for (begun = test_ms(); test_ms() - begun < TEST_PATIENCE; ) {
        if (pki_test_server_count(server, &server->requests) >= n) {
            return 1;
        }

        (void) usleep(5000);
    }

    return 0;
}


/* One more request; also the one after it, so that it has been read. */

static int
test_asked(pki_clerk_t *clerk, pki_test_server_t *server)
{
    int  i, n;

    for (i = 0; i < 2; i++) {
        n = pki_test_server_count(server, &server->requests);
        pki_clerk_want(clerk, 0);

        if (!test_reached(server, n + 1)) {
            return 0;
        }
    }

    return 1;
}


static void
test_sets(pki_test_server_t *server, pki_clerk_keys_t *keys)
{
    char            small[10];
    unsigned        i;
    pki_clerk_t    *clerk;
    unsigned long   generation;

    static const char *const  causes[] = {
        "keys \"corp\": ", "keys \"corp\": ", "keys \"corp\": ",
        "keys \"corp\": the reply has status 404"
    };

    keys->refresh = 3600;
    keys->pause = 0;
    __atomic_store_n(&test_rings, 0, __ATOMIC_SEQ_CST);
    test_serve(0);
    clerk = test_clerk(NULL, 0, keys, 1, 0);

    ok(test_text(clerk, 1, test_bodies[0]), "fetched at once");
    is_int(__atomic_load_n(&test_rings, __ATOMIC_SEQ_CST), 1, "a ring");
    ok(pki_test_server_heard(server, "GET /keys HTTP/1.1"), "by its URL");
    is_int(pki_clerk_keys(clerk, 0, small, sizeof(small), &generation), 0,
           "not half of one");
    is_int(pki_clerk_keys(clerk, 1, small, sizeof(small), &generation), 0,
           "there is no other");

    ok(test_asked(clerk, server), "and again");
    ok(test_text(clerk, 1, test_bodies[0]), "which is the same");

    test_serve(1);
    ok(test_asked(clerk, server), "and again");
    ok(test_text(clerk, 2, test_bodies[1]), "another one");

    /* the one before stays, whatever comes */

    for (i = 2; i < 6; i++) {
        test_serve((int) i);
        ok(test_asked(clerk, server), "twice");
        ok(test_text(clerk, 2, test_bodies[1]), "of no use");
        is_int(test_mail(clerk, causes[i - 2]), 1, "one letter");
        test_serve(1);
        ok(test_asked(clerk, server), "then it is well");
        is_int(test_mail(clerk, "goes on"), 1, "a letter");
    }

    test_serve(0);
    ok(test_asked(clerk, server), "once more");
    ok(test_text(clerk, 3, test_bodies[0]), "the first again");
    test_end(clerk, "key sets");

    /* more than there is room for */

    test_serve(-1);
    clerk = test_clerk(NULL, 0, keys, 1, 0);
    ok(test_asked(clerk, server), "a large one, twice");
    is_int(pki_clerk_keys(clerk, 0, small, sizeof(small), &generation), 0,
           "is not kept");
    is_int(test_mail(clerk, "too large"), 1, "one letter");
    test_end(clerk, "a large one");
}


static void
test_wanted(pki_test_server_t *server, pki_clerk_keys_t *keys)
{
    int           i, n;
    long long     begun;
    pki_clerk_t  *clerk;

    keys->refresh = 3600;
    keys->pause = 1;
    test_serve(0);

    clerk = test_clerk(NULL, 0, keys, 1, 0);
    ok(test_text(clerk, 1, test_bodies[0]), "fetched");
    n = pki_test_server_count(server, &server->requests);
    test_serve(1);
    begun = test_ms();

    for (i = 0; i < 50; i++) {
        pki_clerk_want(clerk, 0);
        pki_clerk_want(clerk, 1);
        (void) usleep(1000);
    }

    ok(test_text(clerk, 2, test_bodies[1]), "wanted, and fetched again");
    begun = test_ms() - begun;
    ok(begun > 800, "after a pause: %lld ms", begun);
    is_int(pki_test_server_count(server, &server->requests), n + 1, "once");

    (void) usleep(1200 * 1000);
    is_int(pki_test_server_count(server, &server->requests), n + 1,
           "nobody asks any more");

    pki_clerk_want(clerk, 0);
    begun = test_ms();
    ok(test_reached(server, n + 2), "somebody does");
    begun = test_ms() - begun;
    ok(begun < 800, "which is at once after a pause: %lld ms", begun);
    test_end(clerk, "wanted");
}


int
main(void)
{
    char               url[64];
    pki_clerk_keys_t   keys;
    pki_test_server_t  server;

    test_open();
    test_set("FLUSHALL");
    pki_test_server_start(&server, test_answer, NULL);
    memset(test_large, ' ', sizeof(test_large) - 1);
    memcpy(test_large, test_bodies[0], strlen(test_bodies[0]));

    memset(&keys, 0, sizeof(keys));
    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/keys",
                    server.port);
    keys.name = "corp";
    keys.url = url;
    keys.fetch.plain = 1;
    keys.fetch.connect = 20000;
    keys.fetch.total = 20000;
    keys.fetch.stall = 20000;
    keys.fetch.max = 1 << 20;

    test_sets(&server, &keys);
    test_wanted(&server, &keys);

    pki_test_server_stop(&server);
    test_shut();

    return pki_test_done();
}

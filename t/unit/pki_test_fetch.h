
/*
 * Requests of a test by pki_fetch: what came of each, and a loop that waits
 * for them.
 */

#ifndef PKI_TEST_FETCH_H
#define PKI_TEST_FETCH_H


#include "pki_fetch.h"
#include "pki_test_server.h"


#define PKI_TEST_BODY  4096


typedef struct test_got_s  test_got_t;

struct test_got_s {
    int                  calls;
    pki_fetch_outcome_t  outcome;
    int                  status;
    int                  seen;          /* status that piece() was told */
    size_t               size;
    size_t               told;          /* octets, by piece() */
    pki_fetch_result_t   result;        /* without its pointers */
    char                 error[PKI_ERR_LEN];
    char                 location[PKI_TEST_BODY];
    char                 body[PKI_TEST_BODY];

    size_t               stop;          /* octets; 0: never */
    test_got_t          *then;          /* begun by done() */
    test_got_t          *amid;          /* begun by piece() */
    int                  cancel;        /* piece() cancels */
    pki_fetch_peer_t    *peer;
    char                 url[1024];
};


static void test_begin(pki_fetch_peer_t *peer, const pki_request_t *request,
    test_got_t *got);


static void __attribute__((unused))
test_need(int yes, const char *what)
{
    if (!yes) {
        printf("Bail out! %s\n", what);
        exit(1);
    }
}


static pki_rc_t
test_piece(void *data, int status, const char *text, size_t len)
{
    size_t       n;
    test_got_t  *got = data;

    n = got->told < PKI_TEST_BODY - 1 ? PKI_TEST_BODY - 1 - got->told : 0;
    n = n < len ? n : len;

    if (n) {
        memcpy(got->body + got->told, text, n);
        got->body[got->told + n] = '\0';
    }

    got->told += len;
    got->seen = status;

    if (got->amid != NULL) {
        test_begin(got->peer, NULL, got->amid);
        got->amid = NULL;
    }

    if (got->cancel) {
        pki_fetch_cancel(got->peer);
    }

    return got->stop && got->told >= got->stop ? PKI_INVALID : PKI_OK;
}


static void
test_done(void *data, const pki_fetch_result_t *result)
{
    test_got_t  *got = data;

    got->calls++;
    got->outcome = result->outcome;
    got->status = result->status;
    got->size = result->size;
    got->result = *result;
    got->result.error = NULL;
    got->result.location = NULL;

    (void) snprintf(got->error, sizeof(got->error), "%s",
                    result->error ? result->error : "");
    (void) snprintf(got->location, sizeof(got->location), "%s",
                    result->location);

    if (got->then != NULL) {
        test_begin(got->peer, NULL, got->then);
        got->then = NULL;
    }
}


/* request: NULL for a plain GET of got->url */

static void
test_begin(pki_fetch_peer_t *peer, const pki_request_t *request,
    test_got_t *got)
{
    pki_request_t  r;

    memset(&r, 0, sizeof(r));

    if (request != NULL) {
        r = *request;
    }

    r.method = r.method ? r.method : "GET";
    r.url = r.url ? r.url : got->url;
    r.piece = test_piece;
    r.done = test_done;
    r.data = got;

    got->peer = peer;
    pki_fetch(peer, &r);
}


static void
test_wait(pki_fetch_t *fetch, test_got_t *got, int n)
{
    int        i;
    long long  end;

    end = pki_test_mono() + PKI_TEST_PATIENCE;

    for (i = 0; i < n; /* void */ ) {

        if (got[i].calls) {
            i++;
            continue;
        }

        if (pki_test_mono() > end) {
            ok(0, "request %d has an end", i);
            return;
        }

        (void) pki_fetch_wait(fetch, 100);
    }
}


static pki_fetch_peer_t *
test_peer(pki_fetch_t *fetch, const pki_fetch_conf_t *change)
{
    pki_fetch_conf_t   conf;
    pki_fetch_peer_t  *peer;

    memset(&conf, 0, sizeof(conf));

    if (change != NULL) {
        conf = *change;
    }

    conf.connect = conf.connect ? conf.connect : 5000;
    conf.total = conf.total ? conf.total : 10000;
    conf.stall = conf.stall ? conf.stall : 10000;
    conf.max = conf.max ? conf.max : 1000000;

    peer = pki_fetch_peer(fetch, &conf, NULL);

    test_need(peer != NULL, "peer");

    return peer;
}


#endif /* PKI_TEST_FETCH_H */


/*
 * HTTPS requests over one multi handle of libcurl.
 *
 * A request (a call) waits in the queue of its peer until one of the peer's
 * places is free, and is made by pki_fetch_call.c.  The places are counted
 * here: libcurl's limit to the connections of a host would let two peers of
 * one host wait for each other.
 *
 * Where there is no memory for a call, done and data are kept in a small
 * ring that always exists.
 */

#include "pki_fetch_call.h"

#include <limits.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <openssl/crypto.h>
#include <openssl/err.h>


#define PKI_FETCH_LOST      16      /* requests without memory, per fetcher */
#define PKI_FETCH_PAUSE     100     /* milliseconds, when libcurl cannot
                                       sleep for us */


typedef struct {
    void                (*done)(void *data, const pki_fetch_result_t *result);
    void                 *data;
} pki_fetch_lost_t;


struct pki_fetch_peer_s {
    pki_fetch_peer_t     *next;
    pki_fetch_t          *fetch;
    pki_fetch_conf_t      conf;
    CURLSH               *share;        /* the cookies, or NULL */
    CURL                 *jar;          /* a handle to reach them by */
    pki_fetch_call_t     *first;        /* the queue */
    pki_fetch_call_t     *last;
    size_t                waiting;
    pki_fetch_call_t     *active[PKI_FETCH_PARALLEL];
};


struct pki_fetch_s {
    CURLM                *multi;
    int                   wake;
    pki_fetch_peer_t     *peers;
    pki_fetch_lost_t      lost[PKI_FETCH_LOST];
    size_t                lost_first;
    size_t                lost_n;
};


static void pki_fetch_peer_free(pki_fetch_peer_t *peer);
static pki_rc_t pki_fetch_peer_jar(pki_fetch_peer_t *peer);
static void pki_fetch_lose(pki_fetch_t *fetch, const pki_request_t *request);
static void pki_fetch_lost(pki_fetch_t *fetch);
static unsigned pki_fetch_turn(pki_fetch_t *fetch);
static pki_fetch_call_t *pki_fetch_shift(pki_fetch_peer_t *peer);
static unsigned pki_fetch_perform(pki_fetch_t *fetch);
static void pki_fetch_break(pki_fetch_t *fetch);
static void pki_fetch_end(pki_fetch_call_t *call);


pki_rc_t
pki_fetch_global(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? PKI_OK
                                                             : PKI_ERROR;
}


pki_fetch_t *
pki_fetch_create(int wake, pki_err_t *err)
{
    pki_fetch_t  *fetch;

    fetch = OPENSSL_zalloc(sizeof(pki_fetch_t));
    if (fetch == NULL) {
        pki_err_set(err, "out of memory");
        return NULL;
    }

    fetch->wake = wake;

    fetch->multi = curl_multi_init();
    if (fetch->multi == NULL) {
        pki_err_set(err, "out of memory");
        OPENSSL_free(fetch);
        return NULL;
    }

    return fetch;
}


void
pki_fetch_destroy(pki_fetch_t *fetch)
{
    pki_fetch_peer_t  *peer;

    if (fetch == NULL) {
        return;
    }

    do {
        for (peer = fetch->peers; peer; peer = peer->next) {
            pki_fetch_cancel(peer);
        }

    } while (pki_fetch_turn(fetch));

    while (fetch->peers) {
        peer = fetch->peers;
        fetch->peers = peer->next;
        pki_fetch_peer_free(peer);
    }

    (void) curl_multi_cleanup(fetch->multi);
    OPENSSL_free(fetch);

    ERR_clear_error();
}


pki_fetch_peer_t *
pki_fetch_peer(pki_fetch_t *fetch, const pki_fetch_conf_t *conf,
    pki_err_t *err)
{
    pki_fetch_peer_t  *peer;

    if (conf->connect <= 0 || conf->total <= 0 || conf->stall <= 0
        || conf->max == 0)
    {
        pki_err_set(err, "a time or size limit is missing");
        return NULL;
    }

    if (conf->proxy != NULL && strncasecmp(conf->proxy, "http://", 7) != 0) {
        pki_err_set(err, "the proxy must begin with \"http://\"");
        return NULL;
    }

    peer = OPENSSL_zalloc(sizeof(pki_fetch_peer_t));
    if (peer == NULL) {
        pki_err_set(err, "out of memory");
        return NULL;
    }

    peer->fetch = fetch;
    peer->conf = *conf;
    peer->conf.ca_file = conf->ca_file ? OPENSSL_strdup(conf->ca_file) : NULL;
    peer->conf.proxy = conf->proxy ? OPENSSL_strdup(conf->proxy) : NULL;

    if ((conf->ca_file && peer->conf.ca_file == NULL)
        || (conf->proxy && peer->conf.proxy == NULL)
        || (conf->cookies && pki_fetch_peer_jar(peer) != PKI_OK))
    {
        pki_err_set(err, "out of memory");
        pki_fetch_peer_free(peer);
        return NULL;
    }

    peer->next = fetch->peers;
    fetch->peers = peer;

    return peer;
}


static void
pki_fetch_peer_free(pki_fetch_peer_t *peer)
{
    curl_easy_cleanup(peer->jar);

    if (peer->share != NULL) {
        (void) curl_share_cleanup(peer->share);
    }

    OPENSSL_free((char *) peer->conf.ca_file);
    OPENSSL_free((char *) peer->conf.proxy);
    OPENSSL_free(peer);
}


/* One thread only: a share without functions that lock. */

static pki_rc_t
pki_fetch_peer_jar(pki_fetch_peer_t *peer)
{
    peer->share = curl_share_init();
    if (peer->share == NULL
        || curl_share_setopt(peer->share, CURLSHOPT_SHARE,
                             CURL_LOCK_DATA_COOKIE)
           != CURLSHE_OK)
    {
        return PKI_ERROR;
    }

    peer->jar = curl_easy_init();
    if (peer->jar == NULL
        || curl_easy_setopt(peer->jar, CURLOPT_SHARE, peer->share)
           != CURLE_OK)
    {
        return PKI_ERROR;
    }

    return PKI_OK;
}


/* "ALL" needs no memory, hence cannot fail. */

void
pki_fetch_forget(pki_fetch_peer_t *peer)
{
    if (peer->jar != NULL) {
        (void) curl_easy_setopt(peer->jar, CURLOPT_COOKIELIST, "ALL");
    }
}


void
pki_fetch(pki_fetch_peer_t *peer, const pki_request_t *request)
{
    pki_fetch_call_t  *call;

    call = pki_fetch_call_create(request, &peer->conf);
    if (call == NULL) {
        pki_fetch_lose(peer->fetch, request);
        return;
    }

    call->peer = peer;

    if (peer->first == NULL) {
        peer->first = call;

    } else {
        peer->last->next = call;
    }

    peer->last = call;
    peer->waiting++;
}


/* A full ring makes room by its oldest, so that none is forgotten. */

static void
pki_fetch_lose(pki_fetch_t *fetch, const pki_request_t *request)
{
    pki_fetch_lost_t  *lost;

    while (fetch->lost_n == PKI_FETCH_LOST) {
        pki_fetch_lost(fetch);
    }

    lost = &fetch->lost[(fetch->lost_first + fetch->lost_n) % PKI_FETCH_LOST];
    lost->done = request->done;
    lost->data = request->data;

    fetch->lost_n++;
}


static void
pki_fetch_lost(pki_fetch_t *fetch)
{
    pki_fetch_lost_t    lost;
    pki_fetch_result_t  result;

    lost = fetch->lost[fetch->lost_first];

    fetch->lost_first = (fetch->lost_first + 1) % PKI_FETCH_LOST;
    fetch->lost_n--;

    memset(&result, 0, sizeof(pki_fetch_result_t));

    result.outcome = PKI_FETCH_FAILED;
    result.error = "out of memory";
    result.location = "";

    lost.done(lost.data, &result);
}


/* Only marks: it may be called from within a callback of libcurl. */

void
pki_fetch_cancel(pki_fetch_peer_t *peer)
{
    unsigned           i;
    pki_fetch_call_t  *call;

    for (call = peer->first; call; call = call->next) {
        pki_fetch_call_set(call, PKI_FETCH_FAILED, "cancelled");
    }

    for (i = 0; i < PKI_FETCH_PARALLEL; i++) {
        if (peer->active[i] != NULL) {
            pki_fetch_call_set(peer->active[i], PKI_FETCH_FAILED,
                               "cancelled");
        }
    }
}


int
pki_fetch_wait(pki_fetch_t *fetch, long timeout)
{
    unsigned            ended;
    struct pollfd       wake;
    struct curl_waitfd  extra;

    if (timeout < 0) {
        timeout = 0;

    } else if (timeout > INT_MAX) {
        timeout = INT_MAX;
    }

    ended = pki_fetch_turn(fetch);
    ended += pki_fetch_perform(fetch);
    ended += pki_fetch_turn(fetch);

    if (ended) {
        timeout = 0;
    }

    extra.fd = fetch->wake;
    extra.events = CURL_WAIT_POLLIN;
    extra.revents = 0;

    if (curl_multi_poll(fetch->multi, &extra, fetch->wake != -1 ? 1 : 0,
                        (int) timeout, NULL)
        == CURLM_OK)
    {
        (void) pki_fetch_perform(fetch);
        timeout = 0;

    } else {
        pki_fetch_break(fetch);
        timeout = timeout < PKI_FETCH_PAUSE ? timeout : PKI_FETCH_PAUSE;
    }

    (void) pki_fetch_turn(fetch);

    ERR_clear_error();

    /* a pipe whose other end is closed is readable as well */

    wake.fd = fetch->wake;
    wake.events = POLLIN;

    return poll(&wake, 1, (int) timeout) > 0;
}


/*
 * Ends what is marked and starts what may start; of what callbacks begin
 * meanwhile, nothing, so that a caller who tries again at once does not keep
 * us here.  Returns how many have ended.
 */

static unsigned
pki_fetch_turn(pki_fetch_t *fetch)
{
    size_t             n;
    unsigned           i, ended;
    pki_fetch_call_t  *call;
    pki_fetch_peer_t  *peer;

    ended = fetch->lost_n;

    for (n = fetch->lost_n; n; n--) {
        pki_fetch_lost(fetch);
    }

    for (peer = fetch->peers; peer; peer = peer->next) {

        for (i = 0; i < PKI_FETCH_PARALLEL; i++) {
            call = peer->active[i];

            if (call != NULL && call->ended) {
                pki_fetch_end(call);
                ended++;
            }
        }

        for (n = peer->waiting; n; n--) {
            call = pki_fetch_shift(peer);

            if (call == NULL) {
                break;
            }

            if (call->ended) {
                pki_fetch_end(call);
                ended++;
            }
        }
    }

    return ended;
}


/* The next in the queue, started or ended; NULL: all places are taken. */

static pki_fetch_call_t *
pki_fetch_shift(pki_fetch_peer_t *peer)
{
    unsigned           i;
    pki_fetch_call_t  *call;

    call = peer->first;

    for (i = 0; i < PKI_FETCH_PARALLEL && peer->active[i]; i++) {
        /* void */
    }

    if (!call->ended && i == PKI_FETCH_PARALLEL) {
        return NULL;
    }

    peer->first = call->next;
    peer->waiting--;

    if (!call->ended) {
        peer->active[i] = call;
        pki_fetch_call_start(call, peer->fetch->multi, peer->share);
    }

    return call;
}


static unsigned
pki_fetch_perform(pki_fetch_t *fetch)
{
    int                n;
    void              *data;
    CURLMsg           *msg;
    CURLcode           code;
    unsigned           ended;
    pki_fetch_call_t  *call;

    if (curl_multi_perform(fetch->multi, &n) != CURLM_OK) {
        pki_fetch_break(fetch);
    }

    ended = 0;

    while ((msg = curl_multi_info_read(fetch->multi, &n)) != NULL) {

        if (msg->msg != CURLMSG_DONE) {
            continue;
        }

        /* the message is gone as soon as the handle is */

        code = msg->data.result;

        if (curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &data)
            != CURLE_OK)
        {
            continue;
        }

        call = data;

        pki_fetch_call_close(call, code);
        pki_fetch_end(call);
        ended++;
    }

    return ended;
}


/* libcurl as a whole has failed; what it had is not to be trusted. */

static void
pki_fetch_break(pki_fetch_t *fetch)
{
    unsigned           i;
    pki_fetch_peer_t  *peer;

    for (peer = fetch->peers; peer; peer = peer->next) {
        for (i = 0; i < PKI_FETCH_PARALLEL; i++) {
            if (peer->active[i] != NULL) {
                pki_fetch_call_set(peer->active[i], PKI_FETCH_FAILED,
                                   "libcurl has failed");
            }
        }
    }
}


/* The place is free before done() is called, which may begin the next. */

static void
pki_fetch_end(pki_fetch_call_t *call)
{
    unsigned  i;

    for (i = 0; i < PKI_FETCH_PARALLEL; i++) {
        if (call->peer->active[i] == call) {
            call->peer->active[i] = NULL;
        }
    }

    pki_fetch_call_end(call);
}


/*
 * One request on its way through libcurl: internal to pki_fetch.
 */

#ifndef PKI_FETCH_CALL_H
#define PKI_FETCH_CALL_H


#include "pki_fetch.h"

#include <curl/curl.h>


typedef struct pki_fetch_call_s  pki_fetch_call_t;

/* A request and all its strings are one block; owned by its peer. */

struct pki_fetch_call_s {
    pki_fetch_call_t        *next;      /* in the queue of its peer */
    pki_fetch_peer_t        *peer;
    const pki_fetch_conf_t  *conf;
    pki_request_t            request;
    size_t                   size;      /* of the block */

    CURLM                   *multi;
    CURL                    *easy;      /* NULL: it waits */
    struct curl_slist       *headers;
    char                     curl[CURL_ERROR_SIZE];

    size_t                   head;      /* octets of headers so far */
    unsigned                 body:1;    /* the headers are over */
    unsigned                 ended:1;   /* result is set, done() is due */
    pki_fetch_result_t       result;
    char                    *location;
    pki_err_t                err;
};


/* NULL: no memory. */
pki_fetch_call_t *pki_fetch_call_create(const pki_request_t *request,
    const pki_fetch_conf_t *conf);

/* share is NULL or has the cookies.  What fails marks the call as ended. */
void pki_fetch_call_start(pki_fetch_call_t *call, CURLM *multi,
    CURLSH *share);

/* Marks a call as ended, the first time only.  From anywhere. */
void pki_fetch_call_set(pki_fetch_call_t *call, pki_fetch_outcome_t outcome,
    const char *why);

/* libcurl is through with it. */
void pki_fetch_call_close(pki_fetch_call_t *call, CURLcode code);

/* Calls done() and frees the call.  Not from a callback of libcurl. */
void pki_fetch_call_end(pki_fetch_call_t *call);


/*
 * As pki_fetch_allowed().  PKI_INVALID: not allowed; PKI_ERROR: no memory
 * to tell.  Both with a sentence.
 */
pki_rc_t pki_fetch_url_check(const char *url, const char *host, int plain,
    const char **why);

/* Host and port for an error, never user information. */
void pki_fetch_url_name(const char *url, char *name, size_t size);


#endif /* PKI_FETCH_CALL_H */

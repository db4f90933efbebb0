
/*
 * One HTTPS request with limits, abortable; many at once (libcurl multi).
 *
 * A fetcher belongs to one thread.  Requests are begun at any time, also
 * from within callbacks, and advance in pki_fetch_wait() only, which is also
 * where the thread sleeps.
 *
 * What holds for each request: https only, or http to a loopback address
 * when the configuration says so; TLS 1.2 or newer, the peer's certificate
 * and name are verified; no redirect is followed; time limits for the
 * connection, for the whole and for a trickle (less than PKI_FETCH_SPEED
 * octets a second for `stall`); a limit to the size, after decompression;
 * the environment (proxies, CA files) has no say.  Loopback without TLS is
 * never asked through the proxy.
 *
 * A reply that ends before its Content-Length or last chunk is FAILED.  One
 * that has neither is as long as its connection, and only its reader can
 * tell whether it was cut.
 *
 * The process ignores SIGPIPE.
 */

#ifndef PKI_FETCH_H
#define PKI_FETCH_H


#include "pki.h"

#include <time.h>


#define PKI_FETCH_HEADERS     8     /* of a request */
#define PKI_FETCH_HEADER_MAX  512   /* of a value that a result keeps */
#define PKI_FETCH_PARALLEL    4     /* connections to a host; Jamf: at most 5 */
#define PKI_FETCH_SPEED       128   /* octets a second; less is a trickle */


typedef struct {
    const char       *ca_file;      /* NULL: the system's */
    const char       *proxy;        /* "http://host:port"; NULL: none */
    unsigned          plain:1;      /* http:// to loopback is allowed */
    unsigned          cookies:1;    /* keeps cookies until forgotten */
    long              connect;      /* milliseconds */
    long              total;
    long              stall;
    size_t            max;          /* octets of a body */
} pki_fetch_conf_t;


typedef enum {
    PKI_FETCH_DONE = 0,             /* a whole reply; see status */
    PKI_FETCH_REFUSED,              /* the URL is not allowed; not sent */
    PKI_FETCH_FAILED,               /* no or no whole reply; see error */
    PKI_FETCH_TLS,                  /* the peer cannot be trusted */
    PKI_FETCH_STOPPED               /* the body callback ended it */
} pki_fetch_outcome_t;


typedef struct {
    pki_fetch_outcome_t  outcome;
    int               status;
    size_t            size;         /* of the body, decompressed */
    const char       *error;        /* a sentence; NULL when DONE.  It names
                                       host and cause, never a query, a token
                                       or a body */
    /* "" when the header was not there */
    char              retry_after[PKI_FETCH_HEADER_MAX];
    char              date[PKI_FETCH_HEADER_MAX];
    char              content_type[PKI_FETCH_HEADER_MAX];
    char              request_id[PKI_FETCH_HEADER_MAX];
    const char       *location;     /* of any length; "" when none */
} pki_fetch_result_t;


typedef struct {
    const char       *method;       /* "GET", "POST" ... */
    const char       *url;
    const char       *token;        /* sent as a bearer token; NULL: none */
    const char       *user;         /* HTTP Basic; NULL: none */
    const char       *password;
    const char       *headers[PKI_FETCH_HEADERS];   /* "Name: value" */
    const char       *body;         /* NULL: none */
    size_t            len;
    const char       *host;         /* if not NULL, the URL must begin with
                                       this scheme, host and port, so that a
                                       link of a reply leads nowhere else */

    /* a piece of the body of a 2xx or other reply; PKI_OK goes on */
    pki_rc_t        (*piece)(void *data, int status, const char *text,
                        size_t len);
    /* exactly once, from pki_fetch_wait() or pki_fetch_destroy(); both
       callbacks may begin and cancel, but neither wait nor destroy */
    void            (*done)(void *data, const pki_fetch_result_t *result);
    void             *data;
} pki_request_t;


typedef struct pki_fetch_s  pki_fetch_t;
typedef struct pki_fetch_peer_s  pki_fetch_peer_t;

/* To be called once by the process, before any thread: curl_global_init(). */
pki_rc_t pki_fetch_global(void);

/* wake is a descriptor that ends a wait when it becomes readable; not read,
   not closed.  NULL: no memory. */
pki_fetch_t *pki_fetch_create(int wake, pki_err_t *err);

/*
 * Ends what is under way (done: FAILED) without waiting for any peer.  From
 * libcurl 7.87 on that holds for the look-up of a name as well.
 */
void pki_fetch_destroy(pki_fetch_t *fetch);         /* accepts NULL */

/*
 * Settings and connections that several requests share; conf is copied.
 * One for each directory, so that they do not queue behind one another.
 */
pki_fetch_peer_t *pki_fetch_peer(pki_fetch_t *fetch,
    const pki_fetch_conf_t *conf, pki_err_t *err);

/* Cookies of this peer are dropped: between two listings. */
void pki_fetch_forget(pki_fetch_peer_t *peer);

/*
 * Begins a request; all of it is copied.  There is nothing to check: also a
 * failure to begin comes by done(), from the next pki_fetch_wait().  With
 * more than 16 in a row that find no memory, the oldest of them is told here.
 */
void pki_fetch(pki_fetch_peer_t *peer, const pki_request_t *request);

/* Ends a peer's requests, if there are any; done (FAILED) follows from the
   next pki_fetch_wait(). */
void pki_fetch_cancel(pki_fetch_peer_t *peer);

/*
 * Advances all requests, sleeping at most `timeout` milliseconds, less when
 * something happens or wake is readable.  Returns whether wake is readable.
 */
int pki_fetch_wait(pki_fetch_t *fetch, long timeout);


/*
 * Is this URL one that may be asked: https, or http with `plain` to a
 * loopback address (127.0.0.0/8, [::1], localhost); no user information; and,
 * when host is not NULL, of its scheme, host and port?
 */
int pki_fetch_allowed(const char *url, const char *host, int plain);


#endif /* PKI_FETCH_H */

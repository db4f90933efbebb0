
/*
 * The clerk: a thread for what takes long.  It makes CRLs and fetches the
 * key sets that tokens are checked with.
 *
 * CRLs are made by whoever holds the issuer's lease in Redis; key sets are
 * fetched by each host for itself.  The thread shares nothing with its maker
 * but what this header offers.
 */

#ifndef PKI_CLERK_H
#define PKI_CLERK_H


#include "pki_crl.h"
#include "pki_fetch.h"
#include "pki_list.h"
#include "pki_redis_sync.h"
#include "pki_survey.h"
#include "pki_thread.h"
#include "pki_token.h"


typedef enum {
    PKI_CRL_OFF = 0,
    PKI_CRL_MANUAL,                 /* what was revoked by hand */
    PKI_CRL_ALL                     /* and what directories revoked */
} pki_crl_content_t;


/* everything lives as long as the clerk */

typedef struct {
    const pki_view_t  *view;
    const pki_redis_sync_conf_t  *redis;    /* stop is not used */
    pki_crl_content_t  content;
    long              valid;        /* seconds from thisUpdate to nextUpdate */
    long              renew;        /* seconds before nextUpdate that a new one
                                       is made */
    long              delay;        /* milliseconds from a revocation to the
                                       list that has it, at least */
    long              delta;        /* seconds that a delta is valid; 0: none */
    const char       *freshest;     /* URL of the delta, or NULL */
    const char       *point;        /* URL of the full one for the IDP, or
                                       NULL */
} pki_clerk_crl_t;


typedef struct {
    const char       *name;
    const char       *url;
    pki_fetch_conf_t  fetch;
    long              refresh;      /* seconds between fetches */
    long              pause;        /* seconds between two that a missing key
                                       asked for */
} pki_clerk_keys_t;


typedef struct {
    const pki_clerk_crl_t   *crls;
    unsigned          ncrls;
    const pki_clerk_keys_t  *keys;
    unsigned          nkeys;
    const char       *holder;       /* shown as the lease's: host and pid */
    long              lease;        /* milliseconds; 0: 15 s */
    void            (*ring)(void *data);    /* there is mail, or a key set */
    void             *data;
} pki_clerk_conf_t;


typedef struct {
    unsigned          holder:1;     /* this process holds the lease */
    unsigned          failing:1;
    unsigned long long  number;     /* of the newest list, as far as this
                                       process knows; 0: none */
    long long         entries;      /* of it, with what a delta adds */
    long              cpu;          /* milliseconds that it took here */
    time_t            next_update;  /* of the full one */
    long long         lists;        /* made here, deltas too */
    long long         failures;
} pki_clerk_stats_t;


typedef struct pki_clerk_s  pki_clerk_t;

/* As pki_poller_create(): signals blocked, pki_fetch_global() was called. */
pki_clerk_t *pki_clerk_create(const pki_clerk_conf_t *conf, pki_err_t *err);

/* Asks the thread to end; returns at once; may be called again. */
void pki_clerk_stop(pki_clerk_t *clerk);

/*
 * Stops, joins within 100 ms (later only when the signing of a list with
 * some 100,000 entries is under way), gives leases back, frees.  Accepts
 * NULL.
 */
void pki_clerk_destroy(pki_clerk_t *clerk);

/*
 * Something about a certificate of this issuer's has changed (its serial
 * number in hexadecimal): a list may be wanted soon.  len 0: that may be so
 * of any issuer; n 0: of any certificate.
 */
void pki_clerk_hint(pki_clerk_t *clerk, const char *issuer, size_t len,
    const char *serial, size_t n);

/*
 * An object of a directory, "device/<guid>", has changed: lists of content
 * ALL are wanted.  len 0: any may have.
 */
void pki_clerk_hint_object(pki_clerk_t *clerk, const char *id, size_t len);

/* A token had a key that is not in set i: fetch it soon. */
void pki_clerk_want(pki_clerk_t *clerk, unsigned i);

/*
 * The text of key set i, at most `size` octets; returns its length, 0: none
 * yet.  *generation counts the fetches that brought another text.
 */
size_t pki_clerk_keys(pki_clerk_t *clerk, unsigned i, char *text, size_t size,
    unsigned long *generation);

/* Log lines, as pki_thread_mail(). */
unsigned pki_clerk_mail(pki_clerk_t *clerk, pki_mail_t *mail, unsigned n,
    unsigned long *lost);

/* Copies the counters of list i. */
void pki_clerk_stats(pki_clerk_t *clerk, unsigned i, pki_clerk_stats_t *stats);


#endif /* PKI_CLERK_H */

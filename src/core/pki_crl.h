
/*
 * Certificate revocation lists (RFC 5280, 5): a list of entries becomes a
 * CRL or a delta CRL, and a CRL a list of entries.
 *
 * 100,000 entries are ordinary, so the encoding is written straight into
 * one buffer; libcrypto only signs.
 */

#ifndef PKI_CRL_H
#define PKI_CRL_H


#include "pki_issuer.h"
#include "pki_verdict.h"


typedef struct {
    pki_serial_t      serial;
    time_t            at;           /* revocationDate */
    time_t            invalidity;   /* 0: none */
    pki_reason_t      reason;       /* REMOVE_FROM_CRL in a delta only;
                                       UNSPECIFIED is left out (5.3.1) */
} pki_crl_entry_t;


typedef struct {
    const pki_issuer_t  *issuer;    /* its key signs */
    unsigned long long  number;     /* CRLNumber */
    unsigned long long  base;       /* BaseCRLNumber of a delta; 0: complete */
    time_t            this_update;
    time_t            next_update;
    const char       *freshest;     /* URL of the delta, in a complete one;
                                       NULL: none */
    const char       *point;        /* URL for the issuing distribution point;
                                       NULL: no such extension */
    unsigned          partial:1;    /* only user (end-entity) certificates are
                                       in its scope */
} pki_crl_plan_t;


/*
 * Sorts entries by serial number; of those with the same one a final reason
 * stays before a hold, then the earliest.  Returns how many are left.
 */
size_t pki_crl_sort(pki_crl_entry_t *entries, size_t n);

/*
 * Makes a CRL of sorted entries: DER, OPENSSL_malloc()ed, the caller's.
 * PKI_ERROR with err set: no key, memory or signing.
 */
pki_rc_t pki_crl_issue(const pki_crl_plan_t *plan,
    const pki_crl_entry_t *entries, size_t n, unsigned char **der,
    size_t *len, pki_err_t *err);

/*
 * What has changed from base to now, both sorted: entries that are new or
 * say something else, and REMOVE_FROM_CRL for those that are gone.  Those
 * that are gone since their certificate ended are told as well; that does no
 * harm (5.2.4).  delta has room for nbase + nnow.  Returns how many.
 */
size_t pki_crl_delta(const pki_crl_entry_t *base, size_t nbase,
    const pki_crl_entry_t *now, size_t nnow, time_t at,
    pki_crl_entry_t *delta);

/*
 * Reads the entries of a CRL of ours, its number and times; entries are
 * OPENSSL_malloc()ed, sorted.  PKI_INVALID: not a CRL, or not of this
 * issuer's key.
 */
pki_rc_t pki_crl_read(const pki_issuer_t *issuer, pki_bytes_t der,
    pki_crl_plan_t *plan, pki_crl_entry_t **entries, size_t *n,
    pki_err_t *err);


#endif /* PKI_CRL_H */

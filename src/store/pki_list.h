
/*
 * The published CRLs of an issuer, and the lease of whoever makes them.
 *
 * A list is published in two steps: its octets under a key of their own,
 * then, proving the lease, the hash that names it; readers never see half
 * of one.  Keys are documented in pki_store.h.
 */

#ifndef PKI_LIST_H
#define PKI_LIST_H


#include "pki_book.h"


typedef enum {
    PKI_LIST_FULL = 0,
    PKI_LIST_DELTA,
    PKI_LIST_N
} pki_list_e;


/* what the hash says of one list */

typedef struct {
    unsigned long long  number;     /* CRLNumber; 0: there is none */
    unsigned long long  base;       /* of a delta */
    time_t            this_update;
    time_t            next_update;
    size_t            len;          /* octets of DER */
    char              etag[65];     /* SHA-256 of the DER, hexadecimal */
} pki_list_info_t;


typedef void (*pki_list_info_pt)(void *data, pki_store_result_t result,
    const pki_list_info_t info[PKI_LIST_N], const char *error);


/* Owner for the news: "crl:<issuer>"; returns its length. */
size_t pki_owner_list(char *owner, const char *issuer);

/* What is published now; DONE also when there is nothing. */
void pki_list_info(pki_redis_t *redis, const char *issuer,
    pki_list_info_pt info, void *data);

/* One value: a slice of PKI_BOOK_SLICE octets of list `number` at `from`, and
   where to go on; none behind its end.  NOT_FOUND: that list is not kept any
   more. */
void pki_list_slice(pki_redis_t *redis, const char *issuer, pki_list_e which,
    unsigned long long number, size_t from, pki_book_values_pt values,
    void *data);

/* Takes or renews the lease, as pki_state_lease(), for ttl milliseconds;
   gives it back. */
void pki_list_lease(pki_redis_t *redis, const char *issuer,
    const char *token, long ttl, pki_store_done_pt done, void *data);
void pki_list_unlease(pki_redis_t *redis, const char *issuer,
    const char *token, pki_store_done_pt done, void *data);

/* The next CRLNumber, which nobody else gets: n; not less than Redis' clock,
   so that numbers go on upwards after Redis has lost its data.  CONFLICT: no
   lease. */
void pki_list_number(pki_redis_t *redis, const char *issuer,
    const char *token, pki_store_done_pt done, void *data);

/*
 * Publishes: stores the DER, then the news and the hash that names it; len
 * and etag of info are not used, they are made from the DER.  A list is kept
 * until an hour after next_update; when it is no longer the newest, for two
 * minutes, or for as long as the delta names it as its base.  CONFLICT: the
 * token does not hold the lease, or this number or a newer one is published;
 * then nobody sees what was stored.
 */
void pki_list_publish(pki_redis_t *redis, const char *issuer,
    const char *token, pki_list_e which, const pki_list_info_t *info,
    pki_bytes_t der, pki_store_done_pt done, void *data);


#endif /* PKI_LIST_H */


/*
 * A directory's own list of the certificates that it had issued, as Intune
 * keeps one: for people to look at.  No verdict depends on it.
 *
 * Each listing is written under a key of its own, which a complete one then
 * takes the place of the last; so what is shown is always one whole listing.
 */

#ifndef PKI_ISSUED_H
#define PKI_ISSUED_H


#include "pki_state.h"


#define PKI_ISSUED_TEXT_MAX  512    /* octets of a field; what is longer is
                                       cut */
#define PKI_ISSUED_MAX       PKI_STATE_APPLY_MAX    /* lines at once */


typedef enum {
    PKI_ISSUED_STATUS = 0,          /* "none", "revoked" ... */
    PKI_ISSUED_CHANGED,             /* when that became so */
    PKI_ISSUED_ISSUED,
    PKI_ISSUED_EXPIRES,
    PKI_ISSUED_THUMBPRINT,
    PKI_ISSUED_SUBJECT,
    PKI_ISSUED_DEVICE,
    PKI_ISSUED_USER,
    PKI_ISSUED_ISSUER,
    PKI_ISSUED_N
} pki_issued_field_t;


/* as the directory wrote it; NULL: not told */

typedef struct {
    const char       *serial;       /* hexadecimal */
    const char       *fields[PKI_ISSUED_N];
} pki_issued_t;


/*
 * Writes lines of listing `round`, at most PKI_ISSUED_MAX; n is how many were
 * new.  CONFLICT: the token does not hold the lease.
 */
void pki_issued_put(pki_redis_t *redis, const char *directory,
    const char *token, long long round, const pki_issued_t *lines, size_t n,
    pki_store_done_pt done, void *data);

/* Listing `round` is whole: it is shown from now on. */
void pki_issued_commit(pki_redis_t *redis, const char *directory,
    const char *token, long long round, pki_store_done_pt done, void *data);

/*
 * A slice of what is shown, of some `n` lines from cursor (0: the beginning):
 * name is the serial number, value the line for pki_issued_read().  A line
 * may come twice.
 */
void pki_issued_list(pki_redis_t *redis, const char *directory,
    unsigned long long cursor, size_t n, pki_state_list_pt list, void *data);

/* Parts of a line; each points into it, and is empty when not told.
   PKI_INVALID: not of our making. */
pki_rc_t pki_issued_read(const char *line, pki_bytes_t fields[PKI_ISSUED_N]);


#endif /* PKI_ISSUED_H */

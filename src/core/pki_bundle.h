
/*
 * A body that brings certificates: one as DER or base64, PEM blocks with any
 * text around them, or lines of JSON.  It is read piece by piece, and may be
 * of any length; only one item of it is held at a time.
 */

#ifndef PKI_BUNDLE_H
#define PKI_BUNDLE_H


#include "pki.h"


#define PKI_BUNDLE_ITEM_MAX  65536  /* octets of an item as it is written; a
                                       certificate has some 2 KB, one with
                                       500 names 30 KB */


/* Its creator owns it; one thread at a time. */
typedef struct pki_bundle_s  pki_bundle_t;


typedef struct {
    unsigned long long  line;       /* that it begins in; the first is 1 */
    unsigned            json:1;     /* text is a line, not DER */
    pki_bytes_t         text;       /* the bundle's, until the next call */
} pki_bundle_item_t;


/* NULL: no memory. */
pki_bundle_t *pki_bundle_create(void);
void pki_bundle_destroy(pki_bundle_t *bundle);      /* accepts NULL */

/*
 * Takes octets off the piece until there is an item.  last: the body ends
 * with this piece.  PKI_NOT_FOUND: the piece is used up, and there is no
 * item, or with last, no other; PKI_INVALID: an item that is too long, does
 * not end or cannot be decoded, with its line and a sentence in err, and
 * PKI_ERROR: one that there is no memory for; the next call goes on behind
 * it.
 */
pki_rc_t pki_bundle_next(pki_bundle_t *bundle, pki_bytes_t *piece, int last,
    pki_bundle_item_t *item, pki_err_t *err);

/* More than one item may come: the body is neither DER nor mere base64. */
int pki_bundle_many(const pki_bundle_t *bundle);

/*
 * Decodes a certificate that is written as PEM (RFC 7468), with or without
 * line ends, or as base64 of either alphabet, in place.  PKI_INVALID, or
 * PKI_ERROR for lack of memory, with a sentence in err.
 */
pki_rc_t pki_bundle_decode(unsigned char *text, size_t *len, pki_err_t *err);


#endif /* PKI_BUNDLE_H */

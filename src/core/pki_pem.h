
/*
 * PEM and base64 as they come over the network: by hand, because libcrypto
 * wants a line end after each line, and some clients send none.
 */

#ifndef PKI_PEM_H
#define PKI_PEM_H


#include "pki.h"


/*
 * Decodes base64 (RFC 4648) with or without white space and padding, in the
 * alphabet of section 4 or 5.  *der is OPENSSL_malloc()ed, the caller's.
 * PKI_INVALID: another character, a wrong length, nothing; PKI_ERROR: memory.
 */
pki_rc_t pki_pem_base64(pki_bytes_t text, unsigned char **der, size_t *len);

/*
 * Takes the next block of that label, or of "NEW " and that label, off the
 * text (RFC 7468); what stands around it and blocks of other labels are
 * passed over.  *der is OPENSSL_malloc()ed, the caller's.  PKI_NOT_FOUND:
 * there is none; PKI_INVALID: it does not end, or is not base64; the text
 * then goes on behind where it began.
 */
pki_rc_t pki_pem_next(pki_bytes_t *text, const char *label,
    unsigned char **der, size_t *len);


#endif /* PKI_PEM_H */

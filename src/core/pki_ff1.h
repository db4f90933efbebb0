
/*
 * FF1, the format-preserving cipher of NIST SP 800-38G: what it encrypts
 * stays a string of as many numerals in the same radix.  Serial numbers are
 * sealed with it.
 */

#ifndef PKI_FF1_H
#define PKI_FF1_H


#include "pki.h"


#define PKI_FF1_NUMERALS  64        /* a serial number needs 19 */
#define PKI_FF1_TWEAK     32        /* a serial number needs 1 */


/*
 * Encrypts or decrypts n numerals of the given radix (2 .. 256) in place;
 * AES by the key's length.  PKI_INVALID: a numeral, the radix, n (also when
 * there are fewer than a million such strings: revision 1, 5.1), the tweak
 * or the key's length is out of bounds, and nothing was changed; PKI_ERROR:
 * libcrypto failed and the numerals are undefined.
 */
pki_rc_t pki_ff1_encrypt(pki_bytes_t key, pki_bytes_t tweak, unsigned radix,
    unsigned char *numerals, size_t n);
pki_rc_t pki_ff1_decrypt(pki_bytes_t key, pki_bytes_t tweak, unsigned radix,
    unsigned char *numerals, size_t n);


#endif /* PKI_FF1_H */

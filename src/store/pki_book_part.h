
/*
 * What the two halves of the book's verbs share; for them only.
 */

#ifndef PKI_BOOK_PART_H
#define PKI_BOOK_PART_H


#include "pki_book.h"


#define PKI_BOOK_SHA1         20        /* octets */
#define PKI_BOOK_DER_MAX      65536     /* nobody's certificate is larger */
#define PKI_BOOK_NUMBER_SIZE  24        /* a number as text */

#define PKI_BOOK_STRING(text)  #text
#define PKI_BOOK_TEXT(n)       PKI_BOOK_STRING(n)


/* What is wrong with the issuer or the serial numbers, or NULL; serials may
   be NULL. */
const char *pki_book_check(const char *issuer, const pki_serial_t *serials,
    size_t n);

/* Reads 40 digits of hexadecimal, any case. */
pki_rc_t pki_book_sha1(const char *text, size_t len,
    unsigned char octets[PKI_BOOK_SHA1]);


#endif /* PKI_BOOK_PART_H */

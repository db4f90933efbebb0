
/*
 * DER (X.690), the little of it that OCSP needs: a strict reader that
 * walks its input in place, and a writer that fills a buffer from front to
 * back.
 *
 * The reader knows tags of one octet only and refuses what is legal BER
 * but not DER: indefinite and non-minimal lengths, padded integers, odd
 * booleans.  The writer never fails half-way: after the first octet that
 * does not fit it only remembers so.  Neither allocates.
 */

#ifndef PKI_DER_H
#define PKI_DER_H


#include "pki.h"


#define PKI_DER_BOOLEAN            0x01
#define PKI_DER_INTEGER            0x02
#define PKI_DER_BIT_STRING         0x03
#define PKI_DER_OCTET_STRING       0x04
#define PKI_DER_NULL               0x05
#define PKI_DER_OID                0x06
#define PKI_DER_ENUMERATED         0x0a
#define PKI_DER_GENERALIZED_TIME   0x18
#define PKI_DER_SEQUENCE           0x30

#define PKI_DER_CONTEXT(n)         (0x80 | (n))     /* primitive */
#define PKI_DER_EXPLICIT(n)        (0xa0 | (n))     /* constructed */

#define PKI_DER_HEADER_MAX         6    /* tag, length of four octets */
#define PKI_DER_TIME_LEN           15   /* YYYYMMDDHHMMSSZ */
#define PKI_DER_TIME_MAX           253402300799LL   /* 9999-12-31 23:59:59 */


typedef struct {
    const unsigned char  *pos;      /* the next octet to be read */
    const unsigned char  *end;
} pki_der_t;


typedef struct {
    unsigned char        *start;
    unsigned char        *pos;      /* the next octet to be written */
    unsigned char        *end;
    unsigned              failed:1; /* something did not fit */
} pki_der_writer_t;


/*
 * Reader.  The input must outlive what is read from it.  All functions
 * return PKI_INVALID, and leave the reader where it was, when the next
 * element is not of that tag, not DER, or not all there.
 */
void pki_der_init(pki_der_t *der, pki_bytes_t in);

/* The next tag; -1 at the end. */
int pki_der_peek(const pki_der_t *der);

/* Reads an element: its content, or a reader over its content. */
pki_rc_t pki_der_read(pki_der_t *der, unsigned tag, pki_bytes_t *content);
pki_rc_t pki_der_enter(pki_der_t *der, unsigned tag, pki_der_t *inner);

/* Passes over an element of any tag. */
pki_rc_t pki_der_skip(pki_der_t *der);

/* As pki_der_read(), and the content obeys the rules of its type. */
pki_rc_t pki_der_integer(pki_der_t *der, pki_bytes_t *content);
pki_rc_t pki_der_oid(pki_der_t *der, pki_bytes_t *content);
pki_rc_t pki_der_boolean(pki_der_t *der, unsigned *value);
pki_rc_t pki_der_null(pki_der_t *der);

/* Are both octet strings the same? */
int pki_der_equal(pki_bytes_t a, pki_bytes_t b);


/* Writer over a buffer of the caller. */
void pki_der_writer_init(pki_der_writer_t *w, unsigned char *buf,
    size_t size);

/*
 * Opens an element and returns the mark with which to close it; elements
 * nest.  len is a guess of the content's length: a wrong one costs a move
 * of the content when the element is closed, nothing else.
 */
size_t pki_der_begin(pki_der_writer_t *w, unsigned tag, size_t len);
void pki_der_end(pki_der_writer_t *w, size_t mark);

/* Writes an element; or octets that are encoded already. */
void pki_der_write(pki_der_writer_t *w, unsigned tag, pki_bytes_t content);
void pki_der_append(pki_der_writer_t *w, pki_bytes_t octets);

/* GeneralizedTime in seconds, UTC.  Fails outside 0 .. PKI_DER_TIME_MAX. */
void pki_der_time(pki_der_writer_t *w, time_t t);


#endif /* PKI_DER_H */


/*
 * The record of what was issued, and how it is found again: the verbs of
 * enrolment, import and search.  Keys are documented in pki_store.h.
 *
 * A certificate is one small record, its DER, a line in the newest page of
 * the issuer's book, and an entry each under its thumbprint and its bound
 * objects.  Pages are only appended to, but for the first octet of a line.
 * All of it is written by one script.  Searches read whole pages and never
 * ask for single certificates; exact questions are answered by key.
 *
 * Verbs return nothing: each calls its callback exactly once, through the
 * transport, and never from inside the call; arguments are copied.
 */

#ifndef PKI_BOOK_H
#define PKI_BOOK_H


#include "pki_row.h"
#include "pki_store.h"


#define PKI_BOOK_SERIALS  64        /* of one question: Redis stands still for
                                       some 0.1 ms */
#define PKI_BOOK_SLICE    (256 * 1024)  /* octets of a value taken at once */


typedef struct {
    const pki_row_t  *row;          /* status and serial_text are not used */
    pki_bytes_t       der;          /* len 0: not kept */
} pki_book_entry_t;


/*
 * What a question brought: n values, len 0 where there is none.  They are
 * gone when the callback returns.  next: where to go on; 0: that was all.
 * What is not there is DONE all the same.
 */

typedef void (*pki_book_values_pt)(void *data, pki_store_result_t result,
    const pki_bytes_t *values, size_t n, unsigned long long next,
    const char *error);


/*
 * Reserves a serial number for `seconds`, so that nobody else issues it.
 * CONFLICT: it is in use (recorded, reserved or revoked).
 */
void pki_book_reserve(pki_redis_t *redis, const char *issuer,
    const pki_serial_t *serial, long seconds, pki_store_done_pt done,
    void *data);

/*
 * Records a certificate; ends its reservation; publishes its owner; writes
 * the audit entry `action` ("issue", "import").  A row needs its thumbprint.
 * SAME: this certificate is recorded already; CONFLICT: another with this
 * serial number is.  What was revoked before is revoked in its line at once.
 */
void pki_book_record(pki_redis_t *redis, const char *issuer,
    const pki_book_entry_t *entry, const char *action,
    const pki_actor_t *actor, pki_store_done_pt done, void *data);

/* The newest page's number in n; 0: there is none. */
void pki_book_newest(pki_redis_t *redis, const char *issuer,
    pki_store_done_pt done, void *data);

/* One value: the page's text, whole lines, at most PKI_ROW_PAGE +
   PKI_ROW_MAX octets. */
void pki_book_page(pki_redis_t *redis, const char *issuer,
    unsigned long long page, pki_book_values_pt values, void *data);

/* A line each for up to PKI_BOOK_SERIALS serial numbers. */
void pki_book_rows(pki_redis_t *redis, const char *issuer,
    const pki_serial_t *serials, size_t n, pki_book_values_pt values,
    void *data);

/* Serial numbers in hexadecimal, at most PKI_BOOK_SERIALS from `from` on:
   of the certificates with this SHA-1 thumbprint (40 digits of any case), or
   bound to this object ("device/<guid>"). */
void pki_book_thumbprint(pki_redis_t *redis, const char *issuer,
    const char *thumbprint, pki_book_values_pt values, void *data);
void pki_book_object(pki_redis_t *redis, const char *issuer, const char *id,
    unsigned long long from, pki_book_values_pt values, void *data);

/* One value: the DER. */
void pki_book_certificate(pki_redis_t *redis, const char *issuer,
    const pki_serial_t *serial, pki_book_values_pt values, void *data);

/*
 * The manual revocations of up to PKI_BOOK_SERIALS serial numbers; a value
 * each, for pki_revocation_read().
 */
void pki_book_revocations(pki_redis_t *redis, const char *issuer,
    const pki_serial_t *serials, size_t n, pki_book_values_pt values,
    void *data);

/*
 * A slice of all manual revocations: serial, record, serial, record ...  A
 * serial may come twice.  cursor 0: from the beginning.
 */
void pki_book_revoked(pki_redis_t *redis, const char *issuer,
    unsigned long long cursor, pki_book_values_pt values, void *data);

/*
 * What was done to a certificate, oldest first, at most PKI_BOOK_SERIALS from
 * `from` on: values come in groups of six: action, reason, who, from, why,
 * at.
 */
void pki_book_history(pki_redis_t *redis, const char *issuer,
    const pki_serial_t *serial, unsigned long long from,
    pki_book_values_pt values, void *data);


#endif /* PKI_BOOK_H */


/*
 * The vocabulary that every floor shares: return codes, octet strings and
 * the text of an error.
 *
 * Core has no I/O, no clock, no globals, no log and no thread.  What it
 * allocates comes from OPENSSL_malloc(), so that a unit test can make the
 * n-th allocation fail.  A function that fails says why in a pki_err_t;
 * whoever called it decides whether that is worth a log line.
 */

#ifndef PKI_H
#define PKI_H


#include <stddef.h>
#include <stdint.h>
#include <time.h>


#define PKI_ERR_LEN  512


typedef enum {
    PKI_OK = 0,
    PKI_ERROR,              /* memory or a library failed, not the input */
    PKI_INVALID,            /* the input breaks its format or a limit */
    PKI_NOT_FOUND           /* well-formed, but not ours or not there */
} pki_rc_t;


typedef struct {
    const unsigned char  *data;     /* never owned; not terminated */
    size_t                len;
} pki_bytes_t;


typedef struct {
    char                  text[PKI_ERR_LEN];    /* one line, terminated */
} pki_err_t;


/*
 * Formats a message into err, which may be NULL.  The result is cut at
 * PKI_ERR_LEN and is always terminated; control characters become '?'.
 */
void pki_err_set(pki_err_t *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * As pki_err_set(), then appends the reasons in OpenSSL's error queue of
 * this thread and drains the queue, also when err is NULL.
 */
void pki_err_ssl(pki_err_t *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * For input that OpenSSL refused: sets the message and drains the queue,
 * whose reasons are not for clients.  Returns PKI_INVALID; PKI_ERROR, with
 * another message, when the queue tells that memory was short.
 */
pki_rc_t pki_err_input(pki_err_t *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


#endif /* PKI_H */

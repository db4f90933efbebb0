
/*
 * yajl, made fit for what strangers send: it may run out of memory, and the
 * length of a token has a bound.  In a stream, a byte order mark is skipped,
 * and half a surrogate pair is told from a question mark.
 */

#ifndef PKI_STREAM_H
#define PKI_STREAM_H


#include "pki.h"

#include <yajl/yajl_parse.h>


typedef struct pki_stream_s  pki_stream_t;

/*
 * Strings reach the callbacks as they are, not always UTF-8; half a
 * surrogate pair is a NUL.  callbacks is not copied.  NULL: no memory.
 */
pki_stream_t *pki_stream_create(const yajl_callbacks *callbacks, void *ctx);
void pki_stream_destroy(pki_stream_t *stream);      /* accepts NULL */

/*
 * The next octets.  Callbacks run when enough of them have come, or at the
 * end.  PKI_INVALID: not JSON, or a token of about 2 MB, and err says so; or
 * a callback returned 0, and err is as it left it.  PKI_ERROR: memory.  After
 * a failure each call fails.
 */
pki_rc_t pki_stream_feed(pki_stream_t *stream, pki_bytes_t text,
    pki_err_t *err);

/* All octets were fed.  As above; PKI_INVALID also: the value is not whole. */
pki_rc_t pki_stream_end(pki_stream_t *stream, pki_err_t *err);


/*
 * A text that is there as a whole, for yajl as it stands: a byte order mark
 * is no JSON, and half a surrogate pair is a '?'.  Returns as
 * pki_stream_end(), with a sentence that names no reply.
 */
pki_rc_t pki_stream_text(const yajl_callbacks *callbacks, void *ctx,
    pki_bytes_t text, pki_err_t *err);


#endif /* PKI_STREAM_H */


/*
 * A buffer, a filter, and a table of memory around yajl.
 *
 * yajl reads a token that spans pieces from its start again with each of
 * them, so pieces are put together to large ones first.  It makes a '?' of
 * half a surrogate pair, so the filter puts the escape of a NUL in its place.
 * It believes that memory never ends, and keeps a token however long it is,
 * so its blocks are listed here: when there is no memory, or a block would
 * be too large, it is left with longjmp(), and the list is what is released.
 *
 * A text that is there as a whole has use for the list alone.
 */

#include "pki_stream.h"

#include <setjmp.h>
#include <string.h>
#include <openssl/crypto.h>


#define PKI_STREAM_BLOCKS     16        /* yajl 2.1 holds 7 at most */
#define PKI_STREAM_BLOCK_MAX  2097152   /* a token as it stands in the text;
                                           a wanted one has far less */
#define PKI_STREAM_BUFFER     65536     /* so such a token is read 16 times
                                           on average, at most */
#define PKI_STREAM_ESCAPE     12        /* "\ud83d\ude00" */


/* Its creator owns it; one thread at a time. */

struct pki_stream_s {
    yajl_handle       yajl;
    pki_rc_t          rc;               /* of the first failure */
    pki_err_t        *err;              /* of the call that runs */
    const char       *subject;          /* of a sentence in it */
    const char       *nomem;            /* such a sentence */

    yajl_alloc_funcs  funcs;
    void             *blocks[PKI_STREAM_BLOCKS];
    jmp_buf           leave;

    unsigned          begun:1;
    size_t            len;              /* of what is in the buffer */
    unsigned char     buffer[];         /* none for a whole text */
};


static int pki_stream_open(pki_stream_t *stream,
    const yajl_callbacks *callbacks, void *ctx);
static void pki_stream_close(pki_stream_t *stream);
static void pki_stream_flush(pki_stream_t *stream);
static size_t pki_stream_filter(unsigned char *p, size_t len);
static size_t pki_stream_escape(const unsigned char *p, size_t len,
    int *lone);
static long pki_stream_unit(const unsigned char *p);
static void pki_stream_parse(pki_stream_t *stream, const unsigned char *p,
    size_t len);
static void pki_stream_refuse(pki_stream_t *stream, const char *reason);
static void pki_stream_nomem(pki_stream_t *stream);

static void *pki_stream_malloc(void *ctx, size_t size);
static void *pki_stream_realloc(void *ctx, void *p, size_t size);
static void pki_stream_free(void *ctx, void *p);
static void **pki_stream_block(pki_stream_t *stream, void *p);


pki_stream_t *
pki_stream_create(const yajl_callbacks *callbacks, void *ctx)
{
    pki_stream_t  *stream;

    stream = OPENSSL_zalloc(sizeof(pki_stream_t) + PKI_STREAM_BUFFER);

    if (stream == NULL) {
        return NULL;
    }

    stream->subject = "the reply";
    stream->nomem = "no memory to read a reply";

    if (!pki_stream_open(stream, callbacks, ctx)
        || !yajl_config(stream->yajl, yajl_dont_validate_strings, 1))
    {
        pki_stream_destroy(stream);
        return NULL;
    }

    return stream;
}


static int
pki_stream_open(pki_stream_t *stream, const yajl_callbacks *callbacks,
    void *ctx)
{
    stream->funcs.malloc = pki_stream_malloc;
    stream->funcs.realloc = pki_stream_realloc;
    stream->funcs.free = pki_stream_free;
    stream->funcs.ctx = stream;

    if (setjmp(stream->leave)) {
        return 0;
    }

    stream->yajl = yajl_alloc(callbacks, &stream->funcs, ctx);

    if (stream->yajl == NULL) {
        pki_stream_nomem(stream);
        return 0;
    }

    return 1;
}


void
pki_stream_destroy(pki_stream_t *stream)
{
    if (stream == NULL) {
        return;
    }

    pki_stream_close(stream);

    OPENSSL_free(stream);
}


static void
pki_stream_close(pki_stream_t *stream)
{
    size_t  i;

    for (i = 0; i < PKI_STREAM_BLOCKS; i++) {
        OPENSSL_free(stream->blocks[i]);
    }
}


pki_rc_t
pki_stream_feed(pki_stream_t *stream, pki_bytes_t text, pki_err_t *err)
{
    size_t  n;

    stream->err = err;

    while (text.len && stream->rc == PKI_OK) {
        n = PKI_STREAM_BUFFER - stream->len;
        n = text.len < n ? text.len : n;

        memcpy(stream->buffer + stream->len, text.data, n);
        stream->len += n;

        text.data += n;
        text.len -= n;

        if (stream->len == PKI_STREAM_BUFFER) {
            pki_stream_flush(stream);
        }
    }

    return stream->rc;
}


pki_rc_t
pki_stream_end(pki_stream_t *stream, pki_err_t *err)
{
    stream->err = err;

    pki_stream_flush(stream);

    if (stream->rc == PKI_OK && stream->len) {
        pki_stream_refuse(stream, "is not JSON: it ends within an escape");
    }

    pki_stream_parse(stream, NULL, 0);

    return stream->rc;
}


pki_rc_t
pki_stream_text(const yajl_callbacks *callbacks, void *ctx, pki_bytes_t text,
    pki_err_t *err)
{
    pki_stream_t  stream;

    memset(&stream, 0, sizeof(pki_stream_t));

    stream.err = err;
    stream.subject = "the text";
    stream.nomem = "no memory to read JSON";

    if (pki_stream_open(&stream, callbacks, ctx)) {
        pki_stream_parse(&stream, text.data, text.len);
        pki_stream_parse(&stream, NULL, 0);
    }

    pki_stream_close(&stream);

    return stream.rc;
}


/* RFC 8259, 8.1 lets a parser ignore a byte order mark */

static void
pki_stream_flush(pki_stream_t *stream)
{
    size_t  len, mark;

    static const unsigned char  bom[3] = { 0xef, 0xbb, 0xbf };

    mark = 0;

    if (!stream->begun && stream->len >= sizeof(bom)
        && memcmp(stream->buffer, bom, sizeof(bom)) == 0)
    {
        mark = sizeof(bom);
    }

    stream->begun = 1;

    len = pki_stream_filter(stream->buffer + mark, stream->len - mark);

    pki_stream_parse(stream, stream->buffer + mark, len);

    stream->len -= mark + len;
    memmove(stream->buffer, stream->buffer + mark + len, stream->len);
}


/*
 * Replaces each half of a pair.  Returns the length but for an escape that is
 * cut off.
 */

static size_t
pki_stream_filter(unsigned char *p, size_t len)
{
    int             lone;
    size_t          i, n;
    unsigned char  *escape;

    for (i = 0; i < len; i += n) {

        escape = memchr(p + i, '\\', len - i);

        if (escape == NULL) {
            return len;
        }

        i = escape - p;
        n = pki_stream_escape(escape, len - i, &lone);

        if (n == 0) {
            break;
        }

        if (lone) {
            memcpy(escape, "\\u0000", 6);
        }
    }

    return i;
}


/*
 * The length of the escape, or of the pair of them, at p; 0: this cannot be
 * told yet.  yajl judges all but surrogates.
 */

static size_t
pki_stream_escape(const unsigned char *p, size_t len, int *lone)
{
    long  unit;

    *lone = 0;

    if (len < 2) {
        return 0;
    }

    if (p[1] != 'u') {
        return 2;
    }

    if (len < 6) {
        return 0;
    }

    unit = pki_stream_unit(p);

    if (unit < 0xd800 || unit > 0xdfff) {
        return 6;
    }

    *lone = 1;

    if (unit >= 0xdc00 || (len > 6 && p[6] != '\\')
        || (len > 7 && p[7] != 'u'))
    {
        return 6;
    }

    if (len < PKI_STREAM_ESCAPE) {
        return 0;
    }

    unit = pki_stream_unit(p + 6);

    if (unit < 0xdc00 || unit > 0xdfff) {
        return 6;
    }

    *lone = 0;

    return PKI_STREAM_ESCAPE;
}


/* The number after "\u"; -1: there is none. */

static long
pki_stream_unit(const unsigned char *p)
{
    int     digit;
    long    unit;
    size_t  i;

    unit = 0;

    for (i = 2; i < 6; i++) {
        digit = OPENSSL_hexchar2int(p[i]);

        if (digit < 0) {
            return -1;
        }

        unit = unit << 4 | digit;
    }

    return unit;
}


/* NULL: the end */

static void
pki_stream_parse(pki_stream_t *stream, const unsigned char *p, size_t len)
{
    yajl_status     status;
    unsigned char  *reason;

    if (stream->rc != PKI_OK || (p && len == 0)) {
        return;
    }

    if (setjmp(stream->leave)) {
        return;
    }

    status = p ? yajl_parse(stream->yajl, p, len)
               : yajl_complete_parse(stream->yajl);

    if (status == yajl_status_error) {
        reason = yajl_get_error(stream->yajl, 0, NULL, 0);
        stream->rc = PKI_INVALID;

        pki_err_set(stream->err, "%s is not JSON: %.*s", stream->subject,
                    (int) strcspn((char *) reason, "\n"), reason);

        yajl_free_error(stream->yajl, reason);

    } else if (status == yajl_status_client_canceled) {
        stream->rc = PKI_INVALID;
    }
}


static void
pki_stream_refuse(pki_stream_t *stream, const char *reason)
{
    pki_err_set(stream->err, "%s %s", stream->subject, reason);
    stream->rc = PKI_INVALID;
}


static void
pki_stream_nomem(pki_stream_t *stream)
{
    pki_err_ssl(stream->err, "%s", stream->nomem);
    stream->rc = PKI_ERROR;
}


static void *
pki_stream_malloc(void *ctx, size_t size)
{
    return pki_stream_realloc(ctx, NULL, size);
}


static void *
pki_stream_realloc(void *ctx, void *p, size_t size)
{
    pki_stream_t  *stream = ctx;

    void  *grown, **block;

    if (size > PKI_STREAM_BLOCK_MAX) {
        pki_stream_refuse(stream, "has too long a token");
        longjmp(stream->leave, 1);
    }

    block = pki_stream_block(stream, p);
    grown = block ? OPENSSL_realloc(p, size) : NULL;

    if (grown == NULL) {
        pki_stream_nomem(stream);
        longjmp(stream->leave, 1);
    }

    *block = grown;

    return grown;
}


static void
pki_stream_free(void *ctx, void *p)
{
    pki_stream_t  *stream = ctx;

    void  **block;

    block = pki_stream_block(stream, p);

    if (block) {
        OPENSSL_free(p);
        *block = NULL;
    }
}


/* Where p is kept; of NULL, a place that is free. */

static void **
pki_stream_block(pki_stream_t *stream, void *p)
{
    size_t  i;

    for (i = 0; i < PKI_STREAM_BLOCKS; i++) {
        if (stream->blocks[i] == p) {
            return &stream->blocks[i];
        }
    }

    return NULL;
}

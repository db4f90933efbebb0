
/*
 * JSON as a walk: each item with the path that leads to it.
 *
 * Tokens are full of members that nobody here asks for, nested ones too, so
 * the flat reader of pki_json.h does not do.  What yajl is lax about
 * (overlong UTF-8) is looked at before; half a surrogate pair comes from
 * pki_stream as a NUL, and is refused.
 */

#include "pki_token_read.h"

#include <string.h>

#include "pki_json.h"
#include "pki_stream.h"


#define PKI_TOKEN_DEPTH  16         /* Entra's tokens have 3 */
#define PKI_TOKEN_PATH   256


typedef struct {
    size_t              len;        /* of the path that leads here */
    unsigned            arrays;
} pki_token_level_t;


typedef struct {
    pki_token_take_pt   take;
    void               *data;
    pki_rc_t            rc;         /* of what was refused */
    pki_err_t          *err;

    unsigned            depth;
    unsigned            arrays;
    size_t              len;
    char                path[PKI_TOKEN_PATH];
    pki_token_level_t   levels[PKI_TOKEN_DEPTH];
} pki_token_reader_t;


static int pki_token_on_null(void *ctx);
static int pki_token_on_boolean(void *ctx, int yes);
static int pki_token_on_number(void *ctx, const char *p, size_t len);
static int pki_token_on_string(void *ctx, const unsigned char *p, size_t len);
static int pki_token_on_map(void *ctx);
static int pki_token_on_name(void *ctx, const unsigned char *p, size_t len);
static int pki_token_on_array(void *ctx);
static int pki_token_on_end(void *ctx);
static int pki_token_open(pki_token_reader_t *r, pki_token_type_t type);
static int pki_token_item(pki_token_reader_t *r, pki_token_type_t type,
    const void *p, size_t len);
static int pki_token_refuse(pki_token_reader_t *r, const char *reason);
static int pki_token_digit(unsigned char c);


static const yajl_callbacks  pki_token_callbacks = {
    pki_token_on_null,
    pki_token_on_boolean,
    NULL,
    NULL,
    pki_token_on_number,
    pki_token_on_string,
    pki_token_on_map,
    pki_token_on_name,
    pki_token_on_end,
    pki_token_on_array,
    pki_token_on_end
};


pki_rc_t
pki_token_read(pki_bytes_t text, pki_token_take_pt take, void *data,
    pki_err_t *err)
{
    size_t               i, n;
    pki_rc_t             rc;
    pki_err_t            reason;
    pki_stream_t        *stream;
    pki_token_reader_t   r;

    for (i = 0; i < text.len; i += n) {
        n = pki_json_utf8(text.data + i, text.len - i);

        if (n == 0) {
            pki_err_set(err, "it is not UTF-8");
            return PKI_INVALID;
        }
    }

    memset(&r, 0, sizeof(pki_token_reader_t));

    r.take = take;
    r.data = data;
    r.err = err;

    stream = pki_stream_create(&pki_token_callbacks, &r);

    if (stream == NULL) {
        pki_err_ssl(err, "no memory to read JSON");
        return PKI_ERROR;
    }

    rc = pki_stream_feed(stream, text, &reason);

    if (rc == PKI_OK) {
        rc = pki_stream_end(stream, &reason);
    }

    pki_stream_destroy(stream);

    if (r.rc != PKI_OK) {
        return r.rc;
    }

    if (rc == PKI_INVALID) {
        pki_err_set(err, "it is not JSON");

    } else if (rc == PKI_ERROR) {
        pki_err_ssl(err, "no memory to read JSON");
    }

    return rc;
}


static int
pki_token_on_null(void *ctx)
{
    return pki_token_item(ctx, PKI_TOKEN_NULL, NULL, 0);
}


static int
pki_token_on_boolean(void *ctx, int yes)
{
    (void) yes;

    return pki_token_item(ctx, PKI_TOKEN_BOOLEAN, NULL, 0);
}


static int
pki_token_on_number(void *ctx, const char *p, size_t len)
{
    return pki_token_item(ctx, PKI_TOKEN_NUMBER, p, len);
}


static int
pki_token_on_string(void *ctx, const unsigned char *p, size_t len)
{
    if (len && memchr(p, '\0', len)) {
        return pki_token_refuse(ctx, "a string in it holds a NUL, or half a "
                                "surrogate pair");
    }

    return pki_token_item(ctx, PKI_TOKEN_STRING, p, len);
}


static int
pki_token_on_map(void *ctx)
{
    pki_token_reader_t  *r = ctx;

    if (!pki_token_open(r, PKI_TOKEN_OBJECT)) {
        return 0;
    }

    r->arrays = 0;

    return 1;
}


static int
pki_token_on_name(void *ctx, const unsigned char *p, size_t len)
{
    pki_token_reader_t  *r = ctx;

    size_t  n;

    n = r->levels[r->depth - 1].len;

    if (len >= PKI_TOKEN_PATH - 1 - n) {
        return pki_token_refuse(r, "the name of a member is too long");
    }

    if (len && memchr(p, '\0', len)) {
        return pki_token_refuse(r, "the name of a member holds a NUL, or "
                                "half a surrogate pair");
    }

    if (r->depth > 1) {
        r->path[n++] = '.';
    }

    if (len) {
        memcpy(r->path + n, p, len);
    }

    r->len = n + len;
    r->path[r->len] = '\0';

    return pki_token_item(r, PKI_TOKEN_NAME, NULL, 0);
}


static int
pki_token_on_array(void *ctx)
{
    pki_token_reader_t  *r = ctx;

    if (!pki_token_open(r, PKI_TOKEN_ARRAY)) {
        return 0;
    }

    r->arrays++;

    return 1;
}


static int
pki_token_on_end(void *ctx)
{
    pki_token_reader_t  *r = ctx;

    pki_token_level_t  *level;

    r->depth--;
    level = &r->levels[r->depth];

    r->arrays = level->arrays;
    r->len = level->len;
    r->path[r->len] = '\0';

    return pki_token_item(r, PKI_TOKEN_END, NULL, 0);
}


static int
pki_token_open(pki_token_reader_t *r, pki_token_type_t type)
{
    pki_token_level_t  *level;

    if (r->depth == PKI_TOKEN_DEPTH) {
        return pki_token_refuse(r, "it is nested too deeply");
    }

    if (!pki_token_item(r, type, NULL, 0)) {
        return 0;
    }

    level = &r->levels[r->depth++];

    level->len = r->len;
    level->arrays = r->arrays;

    return 1;
}


static int
pki_token_item(pki_token_reader_t *r, pki_token_type_t type, const void *p,
    size_t len)
{
    pki_token_item_t  item;

    if (r->depth == 0 && type != PKI_TOKEN_OBJECT && type != PKI_TOKEN_END) {
        return pki_token_refuse(r, "it is not a JSON object");
    }

    item.type = type;
    item.path = r->path;
    item.depth = r->depth;
    item.arrays = r->arrays;
    item.text.data = p;
    item.text.len = len;

    r->rc = r->take(r->data, &item, r->err);

    return r->rc == PKI_OK;
}


static int
pki_token_refuse(pki_token_reader_t *r, const char *reason)
{
    pki_err_set(r->err, "%s", reason);
    r->rc = PKI_INVALID;

    return 0;
}


pki_rc_t
pki_token_decode(pki_bytes_t text, unsigned char *octets, size_t *len)
{
    int             digit;
    size_t          i;
    unsigned        bits, n;
    unsigned char  *p;

    p = octets;
    bits = 0;
    n = 0;

    for (i = 0; i < text.len; i++) {
        digit = pki_token_digit(text.data[i]);

        if (digit < 0) {
            return PKI_INVALID;
        }

        bits = (bits << 6 | (unsigned) digit) & 0xfff;
        n += 6;

        if (n >= 8) {
            n -= 8;
            *p++ = (unsigned char) (bits >> n);
        }
    }

    /* a digit too many, or bits that nobody reads */

    if (n == 6 || (bits & ((1U << n) - 1)) != 0) {
        return PKI_INVALID;
    }

    *len = (size_t) (p - octets);

    return PKI_OK;
}


static int
pki_token_digit(unsigned char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }

    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }

    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }

    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

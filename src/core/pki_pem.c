
/*
 * PEM and base64 as they come over the network.
 *
 * A block is found by its two lines, which need not be lines: between
 * "-----BEGIN X-----" and "-----END X-----" everything is base64.
 */

#include "pki_pem.h"

#include <string.h>
#include <openssl/crypto.h>


#define PKI_PEM_BEGIN     "-----BEGIN "
#define PKI_PEM_END       "-----END "
#define PKI_PEM_DASHES    "-----"
#define PKI_PEM_NEW       "NEW "
#define PKI_PEM_PADS_MAX  2


static int pki_pem_value(unsigned char c);
static int pki_pem_space(unsigned char c);
static int pki_pem_find(pki_bytes_t text, const char *what, size_t *at);
static int pki_pem_take(pki_bytes_t *text, const char *what);
static void pki_pem_skip(pki_bytes_t *text, size_t n);


pki_rc_t
pki_pem_base64(pki_bytes_t text, unsigned char **der, size_t *len)
{
    int             value;
    size_t          i, symbols, pads;
    uint32_t        acc;
    unsigned char  *p, *out;

    /* three octets for four symbols, at most two more for the rest */

    out = OPENSSL_malloc(text.len / 4 * 3 + 3);
    if (out == NULL) {
        return PKI_ERROR;
    }

    p = out;
    acc = 0;
    pads = 0;
    symbols = 0;

    for (i = 0; i < text.len; i++) {

        if (pki_pem_space(text.data[i])) {
            continue;
        }

        if (text.data[i] == '=') {
            pads++;
            continue;
        }

        value = pki_pem_value(text.data[i]);

        if (value < 0 || pads) {
            goto invalid;
        }

        acc = acc << 6 | (uint32_t) value;

        if (++symbols % 4 == 0) {
            *p++ = (unsigned char) (acc >> 16);
            *p++ = (unsigned char) (acc >> 8);
            *p++ = (unsigned char) acc;
        }
    }

    if (symbols == 0 || symbols % 4 == 1 || pads > PKI_PEM_PADS_MAX
        || (pads && (symbols + pads) % 4))
    {
        goto invalid;
    }

    if (symbols % 4 == 2) {
        *p++ = (unsigned char) (acc >> 4);

    } else if (symbols % 4 == 3) {
        *p++ = (unsigned char) (acc >> 10);
        *p++ = (unsigned char) (acc >> 2);
    }

    *der = out;
    *len = p - out;

    return PKI_OK;

invalid:

    OPENSSL_free(out);

    return PKI_INVALID;
}


pki_rc_t
pki_pem_next(pki_bytes_t *text, const char *label, unsigned char **der,
    size_t *len)
{
    size_t       at;
    pki_bytes_t  rest, body;

    for ( ;; ) {
        if (!pki_pem_find(*text, PKI_PEM_BEGIN, &at)) {
            return PKI_NOT_FOUND;
        }

        pki_pem_skip(text, at + sizeof(PKI_PEM_BEGIN) - 1);

        rest = *text;
        (void) pki_pem_take(&rest, PKI_PEM_NEW);

        if (pki_pem_take(&rest, label)
            && pki_pem_take(&rest, PKI_PEM_DASHES))
        {
            break;
        }
    }

    body = rest;

    if (!pki_pem_find(rest, PKI_PEM_DASHES, &at)) {
        return PKI_INVALID;
    }

    body.len = at;
    pki_pem_skip(&rest, at);

    if (!pki_pem_take(&rest, PKI_PEM_END)) {
        return PKI_INVALID;
    }

    (void) pki_pem_take(&rest, PKI_PEM_NEW);

    if (!pki_pem_take(&rest, label) || !pki_pem_take(&rest, PKI_PEM_DASHES)) {
        return PKI_INVALID;
    }

    *text = rest;

    return pki_pem_base64(body, der, len);
}


static int
pki_pem_value(unsigned char c)
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

    switch (c) {

    case '+':
    case '-':
        return 62;

    case '/':
    case '_':
        return 63;
    }

    return -1;
}


static int
pki_pem_space(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}


static int
pki_pem_find(pki_bytes_t text, const char *what, size_t *at)
{
    size_t                n;
    const unsigned char  *p, *last;

    n = strlen(what);

    if (text.len < n) {
        return 0;
    }

    last = text.data + text.len - n;

    for (p = text.data; p <= last; p++) {
        p = memchr(p, what[0], last - p + 1);

        if (p == NULL) {
            return 0;
        }

        if (memcmp(p, what, n) == 0) {
            *at = p - text.data;
            return 1;
        }
    }

    return 0;
}


static int
pki_pem_take(pki_bytes_t *text, const char *what)
{
    size_t  n;

    n = strlen(what);

    if (text->len < n || memcmp(text->data, what, n) != 0) {
        return 0;
    }

    pki_pem_skip(text, n);

    return 1;
}


static void
pki_pem_skip(pki_bytes_t *text, size_t n)
{
    text->data += n;
    text->len -= n;
}


/*
 * The order of rows and the token that says where in it to go on.
 *
 *   1 TAB n TAB size TAB issuer TAB page TAB offset LF parameters
 *   1 TAB s TAB size TAB issuer TAB serial TAB time TAB subject LF parameters
 *
 * as base64url without padding (RFC 4648, 5).  "n" is a place in the book,
 * which stays where it is; "s" a row's place in an order, where it would be
 * also if the row were gone.
 */

#include "pki_query_token.h"

#include <stdio.h>
#include <string.h>


#define PKI_QUERY_HEAD_MAX  512     /* octets before the parameters */
#define PKI_QUERY_FIELDS    7


static pki_rc_t pki_query_token_head(pki_bytes_t head,
    pki_query_position_t *after);
static size_t pki_query_token_split(pki_bytes_t head,
    pki_bytes_t fields[PKI_QUERY_FIELDS]);
static pki_rc_t pki_query_token_copy(pki_bytes_t field, char *to,
    size_t size);
static pki_rc_t pki_query_token_number(pki_bytes_t field,
    unsigned long long *n);
static size_t pki_query_token_encode(const char *text, size_t len,
    char *token);
static pki_rc_t pki_query_token_decode(const char *token, char *text,
    size_t *len);


static const char  pki_query_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";


size_t
pki_query_token(const pki_query_t *q, const pki_query_position_t *after,
    char *token)
{
    int   n;
    char  text[PKI_QUERY_HEAD_MAX + PKI_QUERY_TEXT_MAX];

    if (after->sorted) {
        n = snprintf(text, PKI_QUERY_HEAD_MAX, "1\ts\t%u\t%s\t%s\t%lld\t%s\n",
                     q->size, after->issuer, after->serial, after->time,
                     after->key);

    } else {
        n = snprintf(text, PKI_QUERY_HEAD_MAX, "1\tn\t%u\t%s\t%llu\t%zu\n",
                     q->size, after->issuer, after->page, after->offset);
    }

    if (n < 0 || n >= PKI_QUERY_HEAD_MAX) {
        token[0] = '\0';
        return 0;
    }

    memcpy(text + n, q->text, q->len);

    return pki_query_token_encode(text, (size_t) n + q->len, token);
}


pki_rc_t
pki_query_token_open(const char *token, char *text,
    pki_query_position_t *after, pki_bytes_t *args)
{
    size_t       len;
    char        *end;
    pki_bytes_t  head;

    memset(after, 0, sizeof(pki_query_position_t));

    if (pki_query_token_decode(token, text, &len) != PKI_OK) {
        return PKI_INVALID;
    }

    end = memchr(text, '\n', len);
    if (end == NULL) {
        return PKI_INVALID;
    }

    head.data = (unsigned char *) text;
    head.len = (size_t) (end - text);
    args->data = (unsigned char *) end + 1;
    args->len = len - head.len - 1;

    return pki_query_token_head(head, after);
}


static pki_rc_t
pki_query_token_head(pki_bytes_t head, pki_query_position_t *after)
{
    size_t              n;
    pki_bytes_t         fields[PKI_QUERY_FIELDS];
    unsigned long long  size, number;

    n = pki_query_token_split(head, fields);

    if (n < 6 || fields[0].len != 1 || fields[0].data[0] != '1'
        || fields[1].len != 1
        || pki_query_token_number(fields[2], &size) != PKI_OK
        || size > PKI_QUERY_PAGE_MAX || fields[3].len == 0
        || pki_query_token_copy(fields[3], after->issuer,
                                sizeof(after->issuer)) != PKI_OK)
    {
        return PKI_INVALID;
    }

    after->set = 1;
    after->size = (unsigned) size;

    if (fields[1].data[0] == 'n' && n == 6) {

        if (pki_query_token_number(fields[4], &after->page) != PKI_OK
            || pki_query_token_number(fields[5], &number) != PKI_OK
            || after->page == 0
            || number > PKI_ROW_PAGE + PKI_ROW_MAX)
        {
            return PKI_INVALID;
        }

        after->offset = (size_t) number;

        return PKI_OK;
    }

    if (fields[1].data[0] != 's' || n != 7
        || fields[4].len == 0
        || pki_query_token_copy(fields[4], after->serial,
                                sizeof(after->serial)) != PKI_OK
        || pki_query_token_number(fields[5], &number) != PKI_OK
        || number > INT64_MAX
        || pki_query_token_copy(fields[6], after->key, sizeof(after->key))
           != PKI_OK)
    {
        return PKI_INVALID;
    }

    after->sorted = 1;
    after->time = (long long) number;

    return PKI_OK;
}


/* how many there are; none when there are too many */

static size_t
pki_query_token_split(pki_bytes_t head, pki_bytes_t fields[PKI_QUERY_FIELDS])
{
    size_t                n;
    const unsigned char  *p, *tab, *last;

    last = head.data + head.len;

    for (n = 0, p = head.data; n < PKI_QUERY_FIELDS; n++, p = tab + 1) {

        tab = memchr(p, '\t', (size_t) (last - p));

        fields[n].data = p;
        fields[n].len = (size_t) ((tab ? tab : last) - p);

        if (tab == NULL) {
            return n + 1;
        }
    }

    return 0;
}


static pki_rc_t
pki_query_token_copy(pki_bytes_t field, char *to, size_t size)
{
    size_t  i;

    if (field.len >= size) {
        return PKI_INVALID;
    }

    for (i = 0; i < field.len; i++) {
        if (field.data[i] < 0x20) {
            return PKI_INVALID;
        }

        to[i] = (char) field.data[i];
    }

    to[i] = '\0';

    return PKI_OK;
}


static pki_rc_t
pki_query_token_number(pki_bytes_t field, unsigned long long *n)
{
    size_t  i;

    if (field.len == 0 || field.len > 19
        || (field.len > 1 && field.data[0] == '0'))
    {
        return PKI_INVALID;
    }

    for (*n = 0, i = 0; i < field.len; i++) {
        if (field.data[i] < '0' || field.data[i] > '9') {
            return PKI_INVALID;
        }

        *n = *n * 10 + (unsigned) (field.data[i] - '0');
    }

    return PKI_OK;
}


static size_t
pki_query_token_encode(const char *text, size_t len, char *token)
{
    size_t    i, n;
    unsigned  bits, buffer;

    n = 0;
    bits = 0;
    buffer = 0;

    for (i = 0; i < len; i++) {
        buffer = (buffer << 8 | (unsigned char) text[i]) & 0xffff;

        for (bits += 8; bits >= 6; bits -= 6) {
            token[n++] = pki_query_alphabet[buffer >> (bits - 6) & 0x3f];
        }
    }

    if (bits) {
        token[n++] = pki_query_alphabet[buffer << (6 - bits) & 0x3f];
    }

    token[n] = '\0';

    return n;
}


static pki_rc_t
pki_query_token_decode(const char *token, char *text, size_t *len)
{
    size_t       n;
    unsigned     bits, buffer;
    const char  *p, *c;

    n = 0;
    bits = 0;
    buffer = 0;

    for (p = token; *p; p++) {

        c = strchr(pki_query_alphabet, *p);
        if (c == NULL) {
            return PKI_INVALID;
        }

        buffer = (buffer << 6 | (unsigned) (c - pki_query_alphabet)) & 0xffff;
        bits += 6;

        if (bits >= 8) {
            bits -= 8;
            text[n++] = (char) (buffer >> bits & 0xff);
        }
    }

    *len = n;

    /* one text, one token */

    return bits >= 6 || (buffer & ((1u << bits) - 1)) ? PKI_INVALID : PKI_OK;
}


int
pki_query_compare(const pki_query_t *q, const pki_query_position_t *a,
    const pki_query_position_t *b)
{
    int     rc;
    size_t  len_a, len_b;

    rc = (a->time > b->time) - (a->time < b->time);

    if (rc == 0) {
        rc = strcmp(a->key, b->key);
    }

    /* hexadecimal without leading zeros: the longer one is the larger */

    if (rc == 0) {
        len_a = strlen(a->serial);
        len_b = strlen(b->serial);
        rc = len_a == len_b ? strcmp(a->serial, b->serial)
                            : len_a > len_b ? 1 : -1;
    }

    if (rc == 0) {
        rc = strcmp(a->issuer, b->issuer);
    }

    return q->descending || q->sort == PKI_QUERY_NEWEST ? -rc : rc;
}


void
pki_query_place(const pki_query_t *q, const pki_row_t *row,
    const char *issuer, pki_query_position_t *place)
{
    size_t         i, len;
    unsigned char  c;

    memset(place, 0, sizeof(pki_query_position_t));

    place->set = 1;
    place->sorted = 1;

    (void) snprintf(place->issuer, sizeof(place->issuer), "%s", issuer);
    (void) pki_serial_to_text(&row->serial, place->serial);

    switch (q->sort) {

    case PKI_QUERY_NEWEST:
    case PKI_QUERY_ISSUED:
        place->time = (long long) row->issued;
        break;

    case PKI_QUERY_EXPIRES:
        place->time = (long long) row->not_after;
        break;

    case PKI_QUERY_SUBJECT:
        len = row->subject.len < PKI_QUERY_KEY_MAX ? row->subject.len
                                                   : PKI_QUERY_KEY_MAX;

        for (i = 0; i < len; i++) {
            c = row->subject.data[i];
            place->key[i] = (char) (c >= 'A' && c <= 'Z' ? c | 0x20 : c);
        }

        break;

    default: /* PKI_QUERY_SERIAL */
        break;
    }
}

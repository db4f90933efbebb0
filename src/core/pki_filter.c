
/*
 * The filter of the search, over one row and over whole pages.
 *
 * A page is gone over once, 16 octets at a time: where the two rarest
 * characters of the text stand as far apart as in the text, it is compared
 * in full.  Case needs no copy of the page: a letter and its other case
 * differ in one bit, which is set in the octets before they are compared.
 */

#include "pki_row.h"

#include <string.h>
#include <strings.h>


#define PKI_FILTER_BLOCK  16            /* what any CPU has registers for */
#define PKI_FILTER_HEAD   8             /* fields before the serial */


typedef unsigned char  pki_filter_block_t
    __attribute__((vector_size(PKI_FILTER_BLOCK)));


static unsigned pki_filter_frequency(unsigned char c);
static int pki_filter_time(time_t t, time_t after, time_t before);
static int pki_filter_validity(const pki_filter_t *filter,
    const pki_row_t *row, time_t now);
static int pki_filter_field(const pki_filter_t *filter, pki_bytes_t field);
static int pki_filter_equal(const char *text, pki_bytes_t field);
static const unsigned char *pki_filter_scan(const pki_filter_t *filter,
    const unsigned char *p, const unsigned char *end);
static const unsigned char *pki_filter_rest(const pki_filter_t *filter,
    const unsigned char *p, size_t n);
static const unsigned char *pki_filter_texts(const unsigned char *line,
    const unsigned char *end);
static unsigned char pki_filter_fold(unsigned char c);
static unsigned char pki_filter_case(unsigned char c);


pki_rc_t
pki_filter_text(pki_filter_t *filter, const char *text, size_t len)
{
    size_t         i, first, second;
    unsigned char  c;

    if (len > PKI_ROW_TEXT_MAX) {
        return PKI_INVALID;
    }

    first = 0;
    second = len > 1;

    for (i = 0; i < len; i++) {
        c = pki_filter_fold((unsigned char) text[i]);

        if (c < 0x20 || c == 0x7f) {
            return PKI_INVALID;
        }

        filter->text[i] = (char) c;

        if (pki_filter_frequency(c)
            < pki_filter_frequency((unsigned char) filter->text[first]))
        {
            second = first;
            first = i;

        } else if (i > 1
                   && pki_filter_frequency(c)
                      <= pki_filter_frequency((unsigned char)
                                              filter->text[second]))
        {
            second = i;
        }
    }

    filter->text[len] = '\0';
    filter->len = len;
    filter->rare[0] = (unsigned char) first;
    filter->rare[1] = (unsigned char) second;

    return PKI_OK;
}


/* Rows are full of hexadecimal, and of "CN=", "DNS:" and the like. */

static unsigned
pki_filter_frequency(unsigned char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')) {
        return 2;
    }

    return c >= 0x80 || strchr("hjkmpqrvwxyz_@/+", c) != NULL ? 0 : 1;
}


int
pki_filter_match(const pki_filter_t *filter, const pki_row_t *row, time_t now)
{
    unsigned  i;

    if (!pki_filter_validity(filter, row, now)
        || (filter->types && !(filter->types & pki_row_type(row->kind)))
        || (filter->sources && !(filter->sources & 1u << row->source))
        || !pki_filter_time(row->issued, filter->issued_after,
                            filter->issued_before)
        || !pki_filter_time(row->not_after, filter->expires_after,
                            filter->expires_before))
    {
        return 0;
    }

    if (filter->thumbprint[0]
        && !pki_filter_equal(filter->thumbprint, row->thumbprint))
    {
        return 0;
    }

    if (filter->upn[0] && !pki_filter_equal(filter->upn, row->upn)) {
        return 0;
    }

    for (i = 0; filter->object[0] && i < PKI_BINDING_OBJECTS; i++) {
        if (pki_filter_equal(filter->object, row->objects[i])) {
            break;
        }
    }

    if (i == PKI_BINDING_OBJECTS) {
        return 0;
    }

    return filter->len == 0
           || pki_filter_field(filter, row->serial_text)
           || pki_filter_field(filter, row->thumbprint)
           || pki_filter_field(filter, row->subject)
           || pki_filter_field(filter, row->sans)
           || pki_filter_field(filter, row->upn)
           || pki_filter_field(filter, row->requester);
}


static int
pki_filter_validity(const pki_filter_t *filter, const pki_row_t *row,
    time_t now)
{
    switch (filter->validity) {

    case PKI_VALIDITY_ACTIVE:
        return row->status == PKI_REASON_NONE && row->not_after >= now;

    case PKI_VALIDITY_EXPIRED:
        return row->not_after < now;

    case PKI_VALIDITY_REVOKED:
        return row->status != PKI_REASON_NONE;

    default: /* PKI_VALIDITY_ANY */
        return 1;
    }
}


static int
pki_filter_time(time_t t, time_t after, time_t before)
{
    return (after == 0 || t >= after) && (before == 0 || t < before);
}


static int
pki_filter_field(const pki_filter_t *filter, pki_bytes_t field)
{
    return field.len != 0
           && pki_filter_scan(filter, field.data, field.data + field.len)
              != NULL;
}


static int
pki_filter_equal(const char *text, pki_bytes_t field)
{
    return strlen(text) == field.len
           && (field.len == 0
               || strncasecmp(text, (const char *) field.data, field.len)
                  == 0);
}


size_t
pki_filter_find(const pki_filter_t *filter, pki_bytes_t page, size_t from)
{
    const unsigned char  *p, *line, *end, *texts;

    if (filter->len == 0 || from >= page.len) {
        return from < page.len ? from : page.len;
    }

    end = page.data + page.len;
    p = page.data + from;

    for ( ;; ) {
        p = pki_filter_scan(filter, p, end);
        if (p == NULL) {
            return page.len;
        }

        line = p;

        while (line > page.data + from && line[-1] != '\n') {
            line--;
        }

        texts = pki_filter_texts(line, end);

        if (p >= texts) {
            return (size_t) (line - page.data);
        }

        p = texts;
    }
}


/* Where the texts of a line begin; its end, when it is none of ours. */

static const unsigned char *
pki_filter_texts(const unsigned char *line, const unsigned char *end)
{
    unsigned  n;

    for (n = 0; line < end && *line != '\n'; line++) {
        if (*line == '\t' && ++n == PKI_FILTER_HEAD) {
            return line + 1;
        }
    }

    return line;
}


/* The first place in p .. end, which is not empty, that holds the text. */

static const unsigned char *
pki_filter_scan(const pki_filter_t *filter, const unsigned char *p,
    const unsigned char *end)
{
    uint64_t              some[PKI_FILTER_BLOCK / sizeof(uint64_t)];
    unsigned char         a, b, case_a, case_b;
    pki_filter_block_t    one, two;
    const unsigned char  *hit;

    a = (unsigned char) filter->text[filter->rare[0]];
    b = (unsigned char) filter->text[filter->rare[1]];
    case_a = pki_filter_case(a);
    case_b = pki_filter_case(b);

    while ((size_t) (end - p) >= PKI_FILTER_BLOCK + filter->len - 1) {
        memcpy(&one, p + filter->rare[0], PKI_FILTER_BLOCK);
        memcpy(&two, p + filter->rare[1], PKI_FILTER_BLOCK);

        one = (pki_filter_block_t) (((one | case_a) == a)
                                    & ((two | case_b) == b));
        memcpy(some, &one, PKI_FILTER_BLOCK);

        if (some[0] | some[1]) {
            hit = pki_filter_rest(filter, p, PKI_FILTER_BLOCK);
            if (hit != NULL) {
                return hit;
            }
        }

        p += PKI_FILTER_BLOCK;
    }

    if ((size_t) (end - p) < filter->len) {
        return NULL;
    }

    return pki_filter_rest(filter, p, (size_t) (end - p) - filter->len + 1);
}


/* Tries n places one by one. */

static const unsigned char *
pki_filter_rest(const pki_filter_t *filter, const unsigned char *p, size_t n)
{
    size_t  i, k;

    for (i = 0; i < n; i++) {

        for (k = 0; k < filter->len; k++) {
            if (pki_filter_fold(p[i + k])
                != (unsigned char) filter->text[k])
            {
                break;
            }
        }

        if (k == filter->len) {
            return p + i;
        }
    }

    return NULL;
}


static unsigned char
pki_filter_fold(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}


/* The bit in which a folded letter differs from its other case. */

static unsigned char
pki_filter_case(unsigned char c)
{
    return c >= 'a' && c <= 'z' ? 0x20 : 0;
}

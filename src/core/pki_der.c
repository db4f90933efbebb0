
/*
 * DER in place.
 *
 * Reading moves a position only after an element proved whole, so a caller
 * may try one tag and then another.  Writing guesses how many octets the
 * length of an open element will take and moves the content when the guess
 * was wrong: that keeps the encoder a plain walk from front to back, without
 * a first pass that measures.
 */

#include "pki_der.h"

#include <string.h>


#define PKI_DER_LENGTH_MAX   4      /* octets of a long length */
#define PKI_DER_DAY          86400
#define PKI_DER_EPOCH_YEAR   1970
#define PKI_DER_EPOCH_LEAPS  477    /* 29th Februaries before 1970 */


static unsigned pki_der_length_octets(size_t len);
static unsigned char *pki_der_put_length(unsigned char *p, size_t len,
    unsigned octets);
static int pki_der_room(pki_der_writer_t *w, size_t len);
static long pki_der_year_days(long year);
static unsigned char *pki_der_put_digits(unsigned char *p, unsigned n);


static const unsigned short  pki_der_month_days[2][12] = {
    { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 },
    { 0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335 }
};


void
pki_der_init(pki_der_t *der, pki_bytes_t in)
{
    der->pos = in.data;
    der->end = in.len ? in.data + in.len : in.data;
}


int
pki_der_peek(const pki_der_t *der)
{
    return der->pos == der->end ? -1 : *der->pos;
}


pki_rc_t
pki_der_read(pki_der_t *der, unsigned tag, pki_bytes_t *content)
{
    size_t                len, n;
    const unsigned char  *p;

    p = der->pos;

    if (der->end - p < 2 || p[0] != tag || (tag & 0x1f) == 0x1f) {
        return PKI_INVALID;
    }

    len = p[1];
    p += 2;

    if (len & 0x80) {
        n = len & 0x7f;

        if (n == 0 || n > PKI_DER_LENGTH_MAX
            || n > (size_t) (der->end - p) || *p == 0)
        {
            return PKI_INVALID;
        }

        for (len = 0; n; n--) {
            len = (len << 8) | *p++;
        }

        if (len < 0x80) {
            return PKI_INVALID;
        }
    }

    if (len > (size_t) (der->end - p)) {
        return PKI_INVALID;
    }

    content->data = p;
    content->len = len;

    der->pos = p + len;

    return PKI_OK;
}


pki_rc_t
pki_der_enter(pki_der_t *der, unsigned tag, pki_der_t *inner)
{
    pki_bytes_t  content;

    if (pki_der_read(der, tag, &content) != PKI_OK) {
        return PKI_INVALID;
    }

    pki_der_init(inner, content);

    return PKI_OK;
}


pki_rc_t
pki_der_skip(pki_der_t *der)
{
    int          tag;
    pki_bytes_t  content;

    tag = pki_der_peek(der);

    return tag < 0 ? PKI_INVALID : pki_der_read(der, tag, &content);
}


pki_rc_t
pki_der_integer(pki_der_t *der, pki_bytes_t *content)
{
    pki_der_t    next;
    pki_bytes_t  n;

    next = *der;

    if (pki_der_read(&next, PKI_DER_INTEGER, &n) != PKI_OK || n.len == 0) {
        return PKI_INVALID;
    }

    /* the first nine bits must not be all alike (X.690, 8.3.2) */

    if (n.len > 1
        && ((n.data[0] == 0x00 && !(n.data[1] & 0x80))
            || (n.data[0] == 0xff && (n.data[1] & 0x80))))
    {
        return PKI_INVALID;
    }

    *content = n;
    *der = next;

    return PKI_OK;
}


pki_rc_t
pki_der_oid(pki_der_t *der, pki_bytes_t *content)
{
    int          first;
    size_t       i;
    pki_der_t    next;
    pki_bytes_t  oid;

    next = *der;

    if (pki_der_read(&next, PKI_DER_OID, &oid) != PKI_OK || oid.len == 0) {
        return PKI_INVALID;
    }

    first = 1;

    for (i = 0; i < oid.len; i++) {
        if (first && oid.data[i] == 0x80) {
            return PKI_INVALID;
        }

        first = !(oid.data[i] & 0x80);
    }

    if (!first) {
        return PKI_INVALID;
    }

    *content = oid;
    *der = next;

    return PKI_OK;
}


pki_rc_t
pki_der_boolean(pki_der_t *der, unsigned *value)
{
    pki_der_t    next;
    pki_bytes_t  b;

    next = *der;

    if (pki_der_read(&next, PKI_DER_BOOLEAN, &b) != PKI_OK || b.len != 1
        || (b.data[0] != 0x00 && b.data[0] != 0xff))
    {
        return PKI_INVALID;
    }

    *value = (b.data[0] == 0xff);
    *der = next;

    return PKI_OK;
}


pki_rc_t
pki_der_null(pki_der_t *der)
{
    pki_der_t    next;
    pki_bytes_t  content;

    next = *der;

    if (pki_der_read(&next, PKI_DER_NULL, &content) != PKI_OK
        || content.len != 0)
    {
        return PKI_INVALID;
    }

    *der = next;

    return PKI_OK;
}


int
pki_der_equal(pki_bytes_t a, pki_bytes_t b)
{
    return a.len == b.len
           && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


void
pki_der_writer_init(pki_der_writer_t *w, unsigned char *buf, size_t size)
{
    w->start = buf;
    w->pos = buf;
    w->end = size ? buf + size : buf;
    w->failed = 0;
}


size_t
pki_der_begin(pki_der_writer_t *w, unsigned tag, size_t len)
{
    size_t    mark;
    unsigned  octets;

    mark = w->pos - w->start;
    octets = pki_der_length_octets(len);

    if (pki_der_room(w, 1 + octets)) {
        *w->pos++ = (unsigned char) tag;
        w->pos = pki_der_put_length(w->pos, len, octets);
    }

    return mark;
}


void
pki_der_end(pki_der_writer_t *w, size_t mark)
{
    size_t          len;
    unsigned        guess, octets;
    unsigned char  *p, *content;

    if (w->failed) {
        return;
    }

    p = w->start + mark + 1;
    guess = (*p & 0x80) ? 1 + (*p & 0x7f) : 1;

    content = p + guess;
    len = w->pos - content;
    octets = pki_der_length_octets(len);

    if (octets != guess) {
        if (octets > guess && !pki_der_room(w, octets - guess)) {
            return;
        }

        memmove(p + octets, content, len);
        w->pos = p + octets + len;
    }

    (void) pki_der_put_length(p, len, octets);
}


void
pki_der_write(pki_der_writer_t *w, unsigned tag, pki_bytes_t content)
{
    (void) pki_der_begin(w, tag, content.len);
    pki_der_append(w, content);
}


void
pki_der_append(pki_der_writer_t *w, pki_bytes_t octets)
{
    if (octets.len == 0 || !pki_der_room(w, octets.len)) {
        return;
    }

    memcpy(w->pos, octets.data, octets.len);
    w->pos += octets.len;
}


/*
 * Not gmtime_r(): the C library may go and read the time zone for it.
 */

void
pki_der_time(pki_der_writer_t *w, time_t t)
{
    int             leap;
    long            days, year, yday;
    unsigned        month, sec;
    unsigned char  *p;

    if (t < 0 || t > PKI_DER_TIME_MAX) {
        w->failed = 1;
        return;
    }

    if (!pki_der_room(w, 2 + PKI_DER_TIME_LEN)) {
        return;
    }

    days = t / PKI_DER_DAY;
    sec = t % PKI_DER_DAY;

    /* 146097 days are 400 years; the quotient may be a year off */

    year = PKI_DER_EPOCH_YEAR + days * 400 / 146097;

    if (days < pki_der_year_days(year)) {
        year--;

    } else if (days >= pki_der_year_days(year + 1)) {
        year++;
    }

    yday = days - pki_der_year_days(year);
    leap = pki_der_year_days(year + 1) - pki_der_year_days(year) == 366;

    for (month = 11; yday < pki_der_month_days[leap][month]; month--) {
        /* void */
    }

    p = w->pos;

    *p++ = PKI_DER_GENERALIZED_TIME;
    *p++ = PKI_DER_TIME_LEN;
    p = pki_der_put_digits(p, year / 100);
    p = pki_der_put_digits(p, year % 100);
    p = pki_der_put_digits(p, month + 1);
    p = pki_der_put_digits(p, yday - pki_der_month_days[leap][month] + 1);
    p = pki_der_put_digits(p, sec / 3600);
    p = pki_der_put_digits(p, sec / 60 % 60);
    p = pki_der_put_digits(p, sec % 60);
    *p++ = 'Z';

    w->pos = p;
}


static unsigned
pki_der_length_octets(size_t len)
{
    unsigned  n;

    if (len < 0x80) {
        return 1;
    }

    for (n = 1; len; len >>= 8) {
        n++;
    }

    return n;
}


static unsigned char *
pki_der_put_length(unsigned char *p, size_t len, unsigned octets)
{
    if (octets == 1) {
        *p++ = (unsigned char) len;
        return p;
    }

    *p++ = (unsigned char) (0x80 | --octets);

    while (octets--) {
        *p++ = (unsigned char) (len >> (8 * octets));
    }

    return p;
}


static int
pki_der_room(pki_der_writer_t *w, size_t len)
{
    if (w->failed || len > (size_t) (w->end - w->pos)) {
        w->failed = 1;
        return 0;
    }

    return 1;
}


/* the days from the Epoch to the first of January of a year */

static long
pki_der_year_days(long year)
{
    long  n;

    n = year - 1;

    return 365 * (year - PKI_DER_EPOCH_YEAR)
           + n / 4 - n / 100 + n / 400 - PKI_DER_EPOCH_LEAPS;
}


static unsigned char *
pki_der_put_digits(unsigned char *p, unsigned n)
{
    *p++ = (unsigned char) ('0' + n / 10 % 10);
    *p++ = (unsigned char) ('0' + n % 10);

    return p;
}

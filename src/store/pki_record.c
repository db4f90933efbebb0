
/*
 * The text of names and records.
 *
 * A record is fields exactly one space apart, the first is the version.
 * The readers take what Redis gave, which may have been written by anybody:
 * they know one spelling of each value and bounds for all, and what they
 * refuse is never taken for "not there".
 */

#include "pki_record.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>


#define PKI_RECORD_VERSION  2           /* of a certificate, the newest */


static pki_rc_t pki_record_line(pki_bytes_t *rest, long long version,
    pki_record_t *record);
static pki_rc_t pki_record_version(pki_bytes_t *rest);
static pki_rc_t pki_record_field(pki_bytes_t *rest, pki_bytes_t *field);
static pki_rc_t pki_record_field_number(pki_bytes_t *rest, long long max,
    long long *value);
static pki_rc_t pki_record_words(pki_bytes_t text, char *dst, size_t max);
static int pki_record_control(unsigned char c);


int
pki_name_valid(const char *name, size_t len)
{
    size_t  i;
    char    c;

    if (len == 0 || len > PKI_NAME_MAX) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        c = name[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
              || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
        {
            return 0;
        }
    }

    return 1;
}


size_t
pki_owner_cert(char *owner, const char *issuer, const pki_serial_t *serial)
{
    char  hex[PKI_SERIAL_HEX_SIZE];

    (void) pki_serial_to_text(serial, hex);
    (void) snprintf(owner, PKI_OWNER_SIZE, "cert:%s:%s", issuer, hex);

    return strlen(owner);
}


size_t
pki_owner_object(char *owner, const char *directory, const char *id)
{
    (void) snprintf(owner, PKI_OWNER_SIZE, "object:%s:%s", directory, id);

    return strlen(owner);
}


pki_rc_t
pki_record_read(pki_bytes_t text, pki_record_t *record)
{
    long long    version, not_before, not_after;
    pki_bytes_t  source;

    if (pki_record_field_number(&text, PKI_RECORD_VERSION, &version) != PKI_OK
        || version == 0
        || pki_record_field_number(&text, PKI_RECORD_TIME_MAX, &not_before)
           != PKI_OK
        || pki_record_field_number(&text, PKI_RECORD_TIME_MAX, &not_after)
           != PKI_OK
        || pki_record_field(&text, &source) != PKI_OK
        || source.len == 0
        || pki_record_words(source, record->source,
                            sizeof(record->source) - 1)
           != PKI_OK
        || pki_record_line(&text, version, record) != PKI_OK
        || pki_record_words(text, record->requester, PKI_STORE_WHO_MAX)
           != PKI_OK)
    {
        return PKI_INVALID;
    }

    record->not_before = (time_t) not_before;
    record->not_after = (time_t) not_after;

    return PKI_OK;
}


/* Where the line stands; certificates of version 1 have none. */

static pki_rc_t
pki_record_line(pki_bytes_t *rest, long long version, pki_record_t *record)
{
    long long    page, offset, length;
    pki_bytes_t  id;

    page = 0;
    offset = 0;
    length = 0;

    if (version != 1
        && (pki_record_field_number(rest, LLONG_MAX, &page) != PKI_OK
            || pki_record_field_number(rest, PKI_RECORD_OFFSET_MAX, &offset)
               != PKI_OK
            || pki_record_field_number(rest, PKI_RECORD_OFFSET_MAX, &length)
               != PKI_OK
            || pki_record_field(rest, &id) != PKI_OK
            || page == 0 || length == 0 || id.len == 0))
    {
        return PKI_INVALID;
    }

    record->page = (unsigned long long) page;
    record->offset = (size_t) offset;
    record->length = (size_t) length;

    return PKI_OK;
}


pki_rc_t
pki_revocation_read(pki_bytes_t text, pki_revocation_t *revocation)
{
    long long  reason, at, invalidity;

    if (pki_record_version(&text) != PKI_OK
        || pki_record_field_number(&text, PKI_REASON_AA_COMPROMISE, &reason)
           != PKI_OK
        || !pki_reason_valid((int) reason)
        || pki_record_field_number(&text, PKI_RECORD_TIME_MAX, &at) != PKI_OK
        || pki_record_field_number(&text, PKI_RECORD_TIME_MAX, &invalidity)
           != PKI_OK
        || pki_record_words(text, revocation->who, PKI_STORE_WHO_MAX)
           != PKI_OK)
    {
        return PKI_INVALID;
    }

    revocation->reason = (pki_reason_t) reason;
    revocation->at = (time_t) at;
    revocation->invalidity = (time_t) invalidity;

    return PKI_OK;
}


pki_rc_t
pki_object_read(pki_bytes_t text, unsigned *state, time_t *since,
    char alias[PKI_OBJECT_ID_SIZE])
{
    long long    s, t;
    pki_bytes_t  field;

    if (pki_record_version(&text) != PKI_OK
        || pki_record_field_number(&text, PKI_RECORD_STATE_MAX, &s) != PKI_OK)
    {
        return PKI_INVALID;
    }

    alias[0] = '\0';

    if (pki_record_field(&text, &field) != PKI_OK) {
        field = text;

    } else if (text.len == 0 || memchr(text.data, ' ', text.len) != NULL
               || pki_record_words(text, alias, PKI_OBJECT_ID_SIZE - 1)
                  != PKI_OK)
    {
        return PKI_INVALID;
    }

    if (pki_record_number(field, PKI_RECORD_TIME_MAX, &t) != PKI_OK) {
        return PKI_INVALID;
    }

    *state = (unsigned) s;
    *since = (time_t) t;

    return PKI_OK;
}


void
pki_record_clean(char *dst, const char *src)
{
    size_t  n, cut;

    while (src != NULL && *src == ' ') {
        src++;
    }

    for (n = 0; src != NULL && src[n] != '\0' && n < PKI_STORE_WHO_MAX; n++) {
        dst[n] = pki_record_control((unsigned char) src[n]) ? '?' : src[n];
    }

    if (n == PKI_STORE_WHO_MAX && ((unsigned char) src[n] & 0xc0) == 0x80) {

        for (cut = n - 1;
             n - cut < 4 && ((unsigned char) src[cut] & 0xc0) == 0x80;
             cut--)
        {
            /* void */
        }

        if (((unsigned char) src[cut] & 0xc0) == 0xc0) {
            n = cut;
        }
    }

    dst[n] = '\0';
}


void
pki_record_key(char *key, const char *name, const char *kind, const char *id)
{
    (void) snprintf(key, PKI_RECORD_KEY_SIZE, "pki:{%s}:%s%s", name, kind,
                    id);
}


int
pki_record_serial_valid(const pki_serial_t *serial)
{
    return serial->len >= 1 && serial->len <= PKI_SERIAL_LEN
           && serial->data[0] != 0;
}


int
pki_record_time_valid(time_t t)
{
    return t >= 0 && t <= PKI_RECORD_TIME_MAX;
}


int
pki_record_text_valid(const char *text, size_t max, int spaces)
{
    size_t  n;

    for (n = 0; text[n] != '\0'; n++) {
        if (n == max || (text[n] == ' ' && !spaces)
            || pki_record_control((unsigned char) text[n]))
        {
            return 0;
        }
    }

    return n != 0;
}


int
pki_record_id_valid(const char *directory, const char *id)
{
    return pki_record_text_valid(id, PKI_OWNER_SIZE - sizeof("object::")
                                     - strlen(directory), 0);
}


pki_rc_t
pki_record_number(pki_bytes_t text, long long max, long long *value)
{
    size_t     i;
    unsigned   digit;
    long long  n;

    if (text.len == 0 || (text.data[0] == '0' && text.len > 1)) {
        return PKI_INVALID;
    }

    n = 0;

    for (i = 0; i < text.len; i++) {
        digit = (unsigned) text.data[i] - '0';

        if (digit > 9 || n > max / 10 || n * 10 > max - (long long) digit) {
            return PKI_INVALID;
        }

        n = n * 10 + digit;
    }

    *value = n;

    return PKI_OK;
}


static pki_rc_t
pki_record_version(pki_bytes_t *rest)
{
    long long  version;

    if (pki_record_field_number(rest, 1, &version) != PKI_OK || version != 1) {
        return PKI_INVALID;
    }

    return PKI_OK;
}


/* Takes what stands before the next space; rest begins after it. */

static pki_rc_t
pki_record_field(pki_bytes_t *rest, pki_bytes_t *field)
{
    const unsigned char  *p;

    p = rest->len ? memchr(rest->data, ' ', rest->len) : NULL;
    if (p == NULL) {
        return PKI_INVALID;
    }

    field->data = rest->data;
    field->len = (size_t) (p - rest->data);

    rest->data = p + 1;
    rest->len -= field->len + 1;

    return PKI_OK;
}


static pki_rc_t
pki_record_field_number(pki_bytes_t *rest, long long max, long long *value)
{
    pki_bytes_t  field;

    if (pki_record_field(rest, &field) != PKI_OK) {
        return PKI_INVALID;
    }

    return pki_record_number(field, max, value);
}


static pki_rc_t
pki_record_words(pki_bytes_t text, char *dst, size_t max)
{
    size_t  i;

    if (text.len > max || (text.len && text.data[0] == ' ')) {
        return PKI_INVALID;
    }

    for (i = 0; i < text.len; i++) {
        if (pki_record_control(text.data[i])) {
            return PKI_INVALID;
        }

        dst[i] = (char) text.data[i];
    }

    dst[i] = '\0';

    return PKI_OK;
}


static int
pki_record_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}


/*
 * The parameters of a search: their names, their readers, what a value has
 * to be, and where in the question it is kept, so that the parameters of a
 * token and those beside it can be compared.
 */

#include "pki_query_param.h"
#include "pki_time.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>


static pki_rc_t pki_query_text(pki_query_t *q, void *at, const char *value,
    size_t len);
static pki_rc_t pki_query_size(pki_query_t *q, void *at, const char *value,
    size_t len);
static pki_rc_t pki_query_validity(pki_query_t *q, void *at,
    const char *value, size_t len);
static pki_rc_t pki_query_type(pki_query_t *q, void *at, const char *value,
    size_t len);
static pki_rc_t pki_query_source(pki_query_t *q, void *at, const char *value,
    size_t len);
static pki_rc_t pki_query_order(pki_query_t *q, void *at, const char *value,
    size_t len);
static pki_rc_t pki_query_after(pki_query_t *q, void *at, const char *value,
    size_t len);
static pki_rc_t pki_query_before(pki_query_t *q, void *at, const char *value,
    size_t len);
static pki_rc_t pki_query_thumbprint(pki_query_t *q, void *at,
    const char *value, size_t len);
static pki_rc_t pki_query_object(pki_query_t *q, void *at, const char *value,
    size_t len);
static pki_rc_t pki_query_issuer(pki_query_t *q, void *at, const char *value,
    size_t len);
static pki_rc_t pki_query_upn(pki_query_t *q, void *at, const char *value,
    size_t len);
static pki_rc_t pki_query_effective(pki_query_t *q, void *at,
    const char *value, size_t len);
static pki_rc_t pki_query_field(pki_query_t *q, void *at, const char *value,
    size_t len);
static pki_rc_t pki_query_format(pki_query_t *q, void *at, const char *value,
    size_t len);
static int pki_query_word(const char *const *words, const char *value);
static size_t pki_query_digits(const char *text, size_t len, char *hex,
    size_t size);


#define PKI_QUERY_AT(member)                                                 \
    offsetof(pki_query_t, member), sizeof(((pki_query_t *) 0)->member)


static const char  pki_query_date[] =
    "must be a time as in RFC 3339, \"2026-01-31T08:00:00Z\", or a date";
static const char  pki_query_from[] =
    "must be a source of certificates by name or number, or \"REST\", "
    "\"SCEP\", \"SCEP (Generic)\" or \"SCEP (Jamf)\"";
static const char  pki_query_bound[] =
    "must be \"device/\" or \"user/\" and a GUID, \"jamf-computer/\", "
    "\"jamf-device/\" or \"jamf-user/\" and a number, or a GUID alone";


static const pki_query_param_t  pki_query_table[] = {

    { "searchText", PKI_QUERY_OTHER, pki_query_text,
      "must be a text of 256 octets at most", PKI_QUERY_AT(filter.text) },

    { "pageSize", PKI_QUERY_SIZE, pki_query_size,
      "must be a number from 1 to 500", PKI_QUERY_AT(size) },

    { "continuationToken", PKI_QUERY_CONTINUE, NULL, NULL, 0, 0 },

    { "certValidity", PKI_QUERY_OTHER + 1, pki_query_validity,
      "must be Any, Active, Expired or Revoked",
      PKI_QUERY_AT(filter.validity) },

    { "certType", PKI_QUERY_OTHER + 2, pki_query_type,
      "must be Any, Static, DC, User or Device",
      PKI_QUERY_AT(filter.types) },

    { "sources", PKI_QUERY_SOURCES, pki_query_source, pki_query_from,
      PKI_QUERY_AT(filter.sources) },

    { "certSource", PKI_QUERY_SOURCES, pki_query_source, pki_query_from,
      PKI_QUERY_AT(filter.sources) },

    /* and whether it is descending, which follows it */

    { "sort", PKI_QUERY_OTHER + 3, pki_query_order,
      "must be issued, expires, subject or serial, with a \"-\" before it "
      "for the reverse order",
      offsetof(pki_query_t, sort),
      sizeof(pki_query_sort_t) + sizeof(unsigned) },

    { "issuedAfter", PKI_QUERY_OTHER + 4, pki_query_after, pki_query_date,
      PKI_QUERY_AT(filter.issued_after) },

    { "issuedBefore", PKI_QUERY_OTHER + 5, pki_query_before, pki_query_date,
      PKI_QUERY_AT(filter.issued_before) },

    { "expiresAfter", PKI_QUERY_OTHER + 6, pki_query_after, pki_query_date,
      PKI_QUERY_AT(filter.expires_after) },

    { "expiresBefore", PKI_QUERY_OTHER + 7, pki_query_before, pki_query_date,
      PKI_QUERY_AT(filter.expires_before) },

    { "thumbprint", PKI_QUERY_OTHER + 8, pki_query_thumbprint,
      "must be the SHA-1 of a certificate in 40 digits of hexadecimal",
      PKI_QUERY_AT(thumbprint) },

    { "object", PKI_QUERY_OTHER + 9, pki_query_object, pki_query_bound,
      PKI_QUERY_AT(object) },

    { "objectId", PKI_QUERY_OTHER + 9, pki_query_object, pki_query_bound,
      PKI_QUERY_AT(object) },

    { "issuer", PKI_QUERY_OTHER + 10, pki_query_issuer,
      "must be the name of an issuer", PKI_QUERY_AT(issuer) },

    { "upn", PKI_QUERY_OTHER + 11, pki_query_upn,
      "must be a text of 256 octets at most", PKI_QUERY_AT(filter.upn) },

    { "effective", PKI_QUERY_OTHER + 12, pki_query_effective,
      "must be good, hold, revoked or tryLater", PKI_QUERY_AT(effective) },

    { "fields", PKI_QUERY_OTHER + 13, pki_query_field,
      "must be names of fields of an item with commas between them",
      PKI_QUERY_AT(fields) },

    { "format", PKI_QUERY_OTHER + 14, pki_query_format,
      "must be json, csv or ndjson", PKI_QUERY_AT(format) },

    { NULL, 0, NULL, NULL, 0, 0 }
};


static const char  *const pki_query_validities[] = {
    "Any", "Active", "Expired", "Revoked", "Valid", NULL
};

static const char  *const pki_query_types[] = {
    "Any", "Static", "DC", "User", "Device", NULL
};

static const char  *const pki_query_sorts[] = {
    "", "issued", "expires", "subject", "serial", NULL
};

static const char  *const pki_query_formats[] = {
    "", "json", "csv", "ndjson", NULL
};

static const char  *const pki_query_fields_names[] = {
    "serialNumber", "subject", "sans", "upn", "issuanceDate",
    "expirationDate", "revocationDate", "revocationReason", "revokedBy",
    "requester", "source", "certificateType", "issuer", "thumbprint",
    "object", "issuedAt", "effective", NULL
};


/* what comes after '/' of an object's id: a GUID, else a number */

static const struct {
    const char  *prefix;
    int          guid;
} pki_query_classes[] = {
    { "device/", 1 },
    { "user/", 1 },
    { "jamf-computer/", 0 },
    { "jamf-device/", 0 },
    { "jamf-user/", 0 },
    { NULL, 0 }
};


const pki_query_param_t *
pki_query_params(void)
{
    return pki_query_table;
}


const pki_query_param_t *
pki_query_param(const char *name)
{
    const pki_query_param_t  *param;

    for (param = pki_query_table; param->name; param++) {
        if (strcasecmp(name, param->name) == 0) {
            return param;
        }
    }

    return NULL;
}


int
pki_query_hex(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


/* readers; values are terminated and not empty */

static pki_rc_t
pki_query_text(pki_query_t *q, void *at, const char *value, size_t len)
{
    char  digits[PKI_SERIAL_HEX_SIZE];

    (void) at;

    /* as certificates are shown: with colons, which no record has */

    if (pki_query_digits(value, len, digits, sizeof(digits))
        == PKI_SERIAL_HEX_SIZE - 1)
    {
        memcpy(q->exact, digits, sizeof(digits));
        value = digits;
        len = PKI_SERIAL_HEX_SIZE - 1;
    }

    return pki_filter_text(&q->filter, value, len);
}


static pki_rc_t
pki_query_size(pki_query_t *q, void *at, const char *value, size_t len)
{
    size_t    i;
    unsigned  n;

    (void) at;

    for (i = 0, n = 0; i < len && n <= PKI_QUERY_PAGE_MAX; i++) {
        if (value[i] < '0' || value[i] > '9') {
            return PKI_INVALID;
        }

        n = n * 10 + (unsigned) (value[i] - '0');
    }

    q->size = n;
    q->paged = 1;

    return n == 0 || n > PKI_QUERY_PAGE_MAX ? PKI_INVALID : PKI_OK;
}


static pki_rc_t
pki_query_validity(pki_query_t *q, void *at, const char *value, size_t len)
{
    int  n;

    (void) at;
    (void) len;

    n = pki_query_word(pki_query_validities, value);

    switch (n) {

    case 0:
    case 1:
    case 2:
    case 3:
        q->filter.validity = (pki_validity_t) n;
        return PKI_OK;

    case 4: /* what the pages of Certificate Master call it */
        q->filter.validity = PKI_VALIDITY_ACTIVE;
        return PKI_OK;

    default:
        return PKI_INVALID;
    }
}


static pki_rc_t
pki_query_type(pki_query_t *q, void *at, const char *value, size_t len)
{
    int  n;

    static const unsigned  bits[] = {
        0, PKI_TYPE_STATIC, PKI_TYPE_DC, PKI_TYPE_USER, PKI_TYPE_DEVICE
    };

    (void) at;
    (void) len;

    n = pki_query_word(pki_query_types, value);
    if (n < 0) {
        return PKI_INVALID;
    }

    q->filter.types = bits[n];

    return PKI_OK;
}


static pki_rc_t
pki_query_source(pki_query_t *q, void *at, const char *value, size_t len)
{
    unsigned  bits;

    (void) at;

    bits = pki_row_sources(value, len);
    q->filter.sources |= bits;

    return bits ? PKI_OK : PKI_INVALID;
}


static pki_rc_t
pki_query_order(pki_query_t *q, void *at, const char *value, size_t len)
{
    int  n;

    (void) at;
    (void) len;

    if (*value == '-') {
        q->descending = 1;
        value++;
    }

    n = pki_query_word(pki_query_sorts, value);
    if (n <= 0) {
        return PKI_INVALID;
    }

    q->sort = (pki_query_sort_t) n;

    return PKI_OK;
}


static pki_rc_t
pki_query_after(pki_query_t *q, void *at, const char *value, size_t len)
{
    char  text[sizeof("1970-01-01T00:00:00Z")];

    (void) q;

    if (len == sizeof("1970-01-01") - 1) {
        memcpy(text, value, len);
        memcpy(text + len, "T00:00:00Z", sizeof("T00:00:00Z"));

        value = text;
        len = sizeof(text) - 1;
    }

    return pki_time_iso(value, len, at);
}


/* 0 is for "not said": nothing is before 1970 */

static pki_rc_t
pki_query_before(pki_query_t *q, void *at, const char *value, size_t len)
{
    pki_rc_t  rc;
    time_t   *t = at;

    rc = pki_query_after(q, at, value, len);

    if (rc == PKI_OK && *t < 1) {
        *t = 1;
    }

    return rc;
}


static pki_rc_t
pki_query_thumbprint(pki_query_t *q, void *at, const char *value, size_t len)
{
    (void) at;

    return pki_query_digits(value, len, q->thumbprint, sizeof(q->thumbprint))
           == sizeof(q->thumbprint) - 1 ? PKI_OK : PKI_INVALID;
}


static pki_rc_t
pki_query_object(pki_query_t *q, void *at, const char *value, size_t len)
{
    char          *p;
    size_t         i, n;
    unsigned char  guid[PKI_SERIAL_PAYLOAD];

    (void) at;

    p = q->object;

    if (pki_guid_from_text(value, len, guid) == PKI_OK) {
        pki_guid_to_text(guid, p);
        return PKI_OK;
    }

    for (i = 0; pki_query_classes[i].prefix; i++) {
        n = strlen(pki_query_classes[i].prefix);

        if (len > n
            && strncasecmp(value, pki_query_classes[i].prefix, n) == 0)
        {
            break;
        }
    }

    if (pki_query_classes[i].prefix == NULL || len >= PKI_OBJECT_ID_SIZE) {
        return PKI_INVALID;
    }

    memcpy(p, pki_query_classes[i].prefix, n);

    if (pki_query_classes[i].guid) {

        if (pki_guid_from_text(value + n, len - n, guid) != PKI_OK) {
            return PKI_INVALID;
        }

        pki_guid_to_text(guid, p + n);

        return PKI_OK;
    }

    memcpy(p + n, value + n, len - n);
    p[len] = '\0';

    return strspn(p + n, "0123456789") == len - n && p[n] != '0'
           ? PKI_OK : PKI_INVALID;
}


static pki_rc_t
pki_query_issuer(pki_query_t *q, void *at, const char *value, size_t len)
{
    (void) at;

    if (len > PKI_QUERY_NAME_MAX) {
        return PKI_INVALID;
    }

    memcpy(q->issuer, value, len);

    return PKI_OK;
}


static pki_rc_t
pki_query_upn(pki_query_t *q, void *at, const char *value, size_t len)
{
    (void) at;

    if (len > PKI_ROW_TEXT_MAX) {
        return PKI_INVALID;
    }

    memcpy(q->filter.upn, value, len);

    return PKI_OK;
}


static pki_rc_t
pki_query_effective(pki_query_t *q, void *at, const char *value, size_t len)
{
    int  outcome;

    (void) at;
    (void) len;

    for (outcome = PKI_OUTCOME_GOOD; outcome <= PKI_OUTCOME_LATER; outcome++) {
        if (outcome != PKI_OUTCOME_UNKNOWN
            && strcasecmp(value,
                          pki_outcome_name((pki_outcome_t) outcome)) == 0)
        {
            q->effective = 1u << outcome;
            return PKI_OK;
        }
    }

    return PKI_INVALID;
}


static pki_rc_t
pki_query_field(pki_query_t *q, void *at, const char *value, size_t len)
{
    int          n;
    char         name[PKI_QUERY_PARAM_MAX];
    size_t       size;
    const char  *end, *last;

    (void) at;

    for (last = value + len; value <= last; value = end + 1) {

        end = memchr(value, ',', (size_t) (last - value));
        if (end == NULL) {
            end = last;
        }

        size = (size_t) (end - value);
        if (size >= sizeof(name)) {
            return PKI_INVALID;
        }

        memcpy(name, value, size);
        name[size] = '\0';

        n = pki_query_word(pki_query_fields_names, name);
        if (n < 0) {
            return PKI_INVALID;
        }

        q->fields |= 1u << n;
    }

    return PKI_OK;
}


static pki_rc_t
pki_query_format(pki_query_t *q, void *at, const char *value, size_t len)
{
    int  n;

    (void) at;
    (void) len;

    n = pki_query_word(pki_query_formats, value);
    if (n <= 0) {
        return PKI_INVALID;
    }

    q->format = (pki_query_format_t) n;

    return PKI_OK;
}


/* its number, or -1 */

static int
pki_query_word(const char *const *words, const char *value)
{
    int  n;

    for (n = 0; words[n]; n++) {
        if (strcasecmp(words[n], value) == 0) {
            return n;
        }
    }

    return -1;
}


/*
 * Hexadecimal as people copy it, colons between its octets or none, in upper
 * case.  Returns the number of digits; 0: it is something else.
 */

static size_t
pki_query_digits(const char *text, size_t len, char *hex, size_t size)
{
    size_t  i, n, step;

    step = len > 2 && text[2] == ':' ? 3 : 2;
    n = 0;

    for (i = 0; i < len; i++) {

        if (step == 3 && i % 3 == 2) {
            if (text[i] != ':' || i + 1 == len) {
                return 0;
            }

            continue;
        }

        if (pki_query_hex((unsigned char) text[i]) < 0 || n + 1 == size) {
            return 0;
        }

        hex[n++] = text[i] >= 'a' ? (char) (text[i] - 0x20) : text[i];
    }

    hex[n] = '\0';

    return n % 2 ? 0 : n;
}


const char *
pki_query_field_name(pki_query_field_t field)
{
    return field < PKI_FIELD_N ? pki_query_fields_names[field] : NULL;
}


unsigned
pki_query_fields(const pki_query_t *q)
{
    unsigned  all;

    if (q->fields) {
        return q->fields;
    }

    all = (1u << PKI_FIELD_N) - 1;

    return q->effective ? all : all & ~(1u << PKI_FIELD_EFFECTIVE);
}

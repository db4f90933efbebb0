
/*
 * A line of a page: written once, read by every search.
 *
 * The writer makes any text fit: a field holds neither a tab nor a line
 * feed, and is cut when it is too long.  The reader takes what Redis gave
 * and refuses a line that the writer would not have written.
 */

#include "pki_row.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>


#define PKI_ROW_FIELDS         14
#define PKI_ROW_TIME_MAX       253402300799LL   /* end of the year 9999 */
#define PKI_ROW_THUMBPRINT     40       /* SHA-1 */

/* all of them together, and the fields in front, fit PKI_ROW_MAX */

#define PKI_ROW_SUBJECT_MAX    3072
#define PKI_ROW_SANS_MAX       4096
#define PKI_ROW_NAME_MAX       256      /* UPN, requester */


typedef struct {
    const char        *name;            /* SCEPman's */
    unsigned           sources;
} pki_row_group_t;


static char *pki_row_text(char *p, pki_bytes_t text, size_t max);
static pki_rc_t pki_row_read(pki_bytes_t line, pki_row_t *row);
static pki_rc_t pki_row_fields(pki_bytes_t line,
    pki_bytes_t fields[PKI_ROW_FIELDS]);
static pki_rc_t pki_row_number(pki_bytes_t text, long long max,
    long long *value);
static pki_rc_t pki_row_status(pki_bytes_t text, pki_reason_t *status);
static pki_rc_t pki_row_serial(pki_bytes_t text, pki_serial_t *serial);
static int pki_row_digit(unsigned char c);


/* by pki_row_source_t; 9 is Intune's as well, but is never written */

static const char *const  pki_row_source_names[PKI_ROW_SOURCES] = {
    "CertificateMaster", "Intune", NULL, "Static", "StaticAAD", "Jamf",
    "DomainController", "API", "RadiusAPI", NULL, "ActiveDirectory", "Import"
};


#define PKI_ROW_SCEP_GENERIC                                                \
    (1u << PKI_SOURCE_STATIC | 1u << PKI_SOURCE_STATIC_AAD                  \
     | 1u << PKI_SOURCE_DOMAIN_CONTROLLER)


static const pki_row_group_t  pki_row_groups[] = {
    { "Certificate Master", 1u << PKI_SOURCE_CERTIFICATE_MASTER },
    { "REST", 1u << PKI_SOURCE_API | 1u << PKI_SOURCE_RADIUS_API },
    { "SCEP", PKI_ROW_SCEP_GENERIC | 1u << PKI_SOURCE_INTUNE
              | 1u << PKI_SOURCE_JAMF },
    { "SCEP (Generic)", PKI_ROW_SCEP_GENERIC },
    { "SCEP (Jamf)", 1u << PKI_SOURCE_JAMF },
    { "9", 1u << PKI_SOURCE_INTUNE }
};


/* by pki_kind_t */

static const unsigned char  pki_row_types[] = {
    PKI_TYPE_DEVICE, PKI_TYPE_STATIC, PKI_TYPE_USER, PKI_TYPE_DC,
    PKI_TYPE_DEVICE, PKI_TYPE_DEVICE, PKI_TYPE_USER, PKI_TYPE_USER,
    PKI_TYPE_USER, PKI_TYPE_DEVICE, PKI_TYPE_USER
};


size_t
pki_row_write(const pki_row_t *row, char *line)
{
    int          n;
    char        *p, hex[PKI_SERIAL_HEX_SIZE], status;
    unsigned     i;
    pki_bytes_t  serial;

    status = '-';

    if (row->status != PKI_REASON_NONE) {
        status = "0123456789ABCDEF"[row->status & 0xf];
    }

    n = snprintf(line, PKI_ROW_MAX, "%c\t%lld\t%lld\t%lld\t%u\t%u\t", status,
                 (long long) row->not_before, (long long) row->not_after,
                 (long long) row->issued, row->source, (unsigned) row->kind);

    p = line + n;

    for (i = 0; i < PKI_BINDING_OBJECTS; i++) {
        p = pki_row_text(p, row->objects[i], PKI_OBJECT_ID_SIZE - 1);
    }

    serial.data = (unsigned char *) hex;
    serial.len = pki_serial_to_text(&row->serial, hex);

    p = pki_row_text(p, serial, serial.len);
    p = pki_row_text(p, row->thumbprint, PKI_ROW_THUMBPRINT);
    p = pki_row_text(p, row->subject, PKI_ROW_SUBJECT_MAX);
    p = pki_row_text(p, row->sans, PKI_ROW_SANS_MAX);
    p = pki_row_text(p, row->upn, PKI_ROW_NAME_MAX);
    p = pki_row_text(p, row->requester, PKI_ROW_NAME_MAX);

    p[-1] = '\n';

    return (size_t) (p - line);
}


static char *
pki_row_text(char *p, pki_bytes_t text, size_t max)
{
    size_t         i, len;
    unsigned char  c;

    len = text.len;

    if (len > max) {

        /* not in the middle of a character of UTF-8 */

        for (len = max;
             len > 0 && max - len < 3 && (text.data[len] & 0xc0) == 0x80;
             len--)
        {
            /* void */
        }
    }

    for (i = 0; i < len; i++) {
        c = text.data[i];
        *p++ = (char) (c < 0x20 || c == 0x7f ? '?' : c);
    }

    *p++ = '\t';

    return p;
}


pki_rc_t
pki_row_next(pki_bytes_t *page, pki_row_t *row)
{
    pki_bytes_t           line;
    const unsigned char  *end;

    end = page->len ? memchr(page->data, '\n', page->len) : NULL;

    if (end == NULL) {
        page->len = 0;
        return PKI_NOT_FOUND;
    }

    line.data = page->data;
    line.len = (size_t) (end - page->data);

    page->data = end + 1;
    page->len -= line.len + 1;

    return pki_row_read(line, row);
}


static pki_rc_t
pki_row_read(pki_bytes_t line, pki_row_t *row)
{
    unsigned     i;
    long long    not_before, not_after, issued, source, kind;
    pki_bytes_t  f[PKI_ROW_FIELDS];

    if (line.len >= PKI_ROW_MAX
        || pki_row_fields(line, f) != PKI_OK
        || pki_row_status(f[0], &row->status) != PKI_OK
        || pki_row_number(f[1], PKI_ROW_TIME_MAX, &not_before) != PKI_OK
        || pki_row_number(f[2], PKI_ROW_TIME_MAX, &not_after) != PKI_OK
        || pki_row_number(f[3], PKI_ROW_TIME_MAX, &issued) != PKI_OK
        || pki_row_number(f[4], PKI_ROW_SOURCES - 1, &source) != PKI_OK
        || pki_row_source_names[source] == NULL
        || pki_row_number(f[5], PKI_KIND_AD_USER, &kind) != PKI_OK
        || pki_row_serial(f[8], &row->serial) != PKI_OK)
    {
        return PKI_INVALID;
    }

    row->not_before = (time_t) not_before;
    row->not_after = (time_t) not_after;
    row->issued = (time_t) issued;
    row->source = (unsigned) source;
    row->kind = (pki_kind_t) kind;

    for (i = 0; i < PKI_BINDING_OBJECTS; i++) {
        row->objects[i] = f[6 + i];

        if (row->objects[i].len >= PKI_OBJECT_ID_SIZE) {
            return PKI_INVALID;
        }
    }

    row->serial_text = f[8];
    row->thumbprint = f[9];
    row->subject = f[10];
    row->sans = f[11];
    row->upn = f[12];
    row->requester = f[13];

    return PKI_OK;
}


static pki_rc_t
pki_row_fields(pki_bytes_t line, pki_bytes_t fields[PKI_ROW_FIELDS])
{
    unsigned              i;
    const unsigned char  *p, *end, *tab;

    p = line.data;
    end = p + line.len;

    for (i = 0; i < PKI_ROW_FIELDS; i++) {
        tab = memchr(p, '\t', (size_t) (end - p));

        if ((tab == NULL) != (i == PKI_ROW_FIELDS - 1)) {
            return PKI_INVALID;
        }

        fields[i].data = p;
        fields[i].len = (size_t) ((tab ? tab : end) - p);

        p = tab ? tab + 1 : end;
    }

    return PKI_OK;
}


static pki_rc_t
pki_row_number(pki_bytes_t text, long long max, long long *value)
{
    size_t     i;
    unsigned   digit;
    long long  n;

    if (text.len == 0 || text.len > 12
        || (text.data[0] == '0' && text.len > 1))
    {
        return PKI_INVALID;
    }

    n = 0;

    for (i = 0; i < text.len; i++) {
        digit = (unsigned) text.data[i] - '0';

        if (digit > 9) {
            return PKI_INVALID;
        }

        n = n * 10 + digit;
    }

    *value = n;

    return n > max ? PKI_INVALID : PKI_OK;
}


static pki_rc_t
pki_row_status(pki_bytes_t text, pki_reason_t *status)
{
    int  digit;

    if (text.len != 1) {
        return PKI_INVALID;
    }

    if (text.data[0] == '-') {
        *status = PKI_REASON_NONE;
        return PKI_OK;
    }

    digit = pki_row_digit(text.data[0]);

    if (digit < 0 || !pki_reason_valid(digit)) {
        return PKI_INVALID;
    }

    *status = (pki_reason_t) digit;

    return PKI_OK;
}


/* In the one spelling of pki_serial_to_text(). */

static pki_rc_t
pki_row_serial(pki_bytes_t text, pki_serial_t *serial)
{
    int     hi, lo;
    size_t  i;

    if (text.len == 0 || text.len % 2 || text.len > 2 * PKI_SERIAL_LEN) {
        return PKI_INVALID;
    }

    serial->len = text.len / 2;

    for (i = 0; i < serial->len; i++) {
        hi = pki_row_digit(text.data[2 * i]);
        lo = pki_row_digit(text.data[2 * i + 1]);

        if (hi < 0 || lo < 0) {
            return PKI_INVALID;
        }

        serial->data[i] = (unsigned char) (hi << 4 | lo);
    }

    return serial->data[0] ? PKI_OK : PKI_INVALID;
}


static int
pki_row_digit(unsigned char c)
{
    return c >= '0' && c <= '9' ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}


const char *
pki_row_type_name(pki_kind_t kind)
{
    switch (pki_row_type(kind)) {

    case PKI_TYPE_STATIC:
        return "Static";

    case PKI_TYPE_DC:
        return "DC";

    case PKI_TYPE_USER:
        return "User";

    default: /* PKI_TYPE_DEVICE */
        return "Device";
    }
}


unsigned
pki_row_type(pki_kind_t kind)
{
    return pki_row_types[kind];
}


const char *
pki_row_source_name(unsigned source)
{
    return source < PKI_ROW_SOURCES ? pki_row_source_names[source] : NULL;
}


unsigned
pki_row_sources(const char *text, size_t len)
{
    char      number[12];
    size_t    i;
    unsigned  n;

    for (n = 0; n < PKI_ROW_SOURCES; n++) {
        if (pki_row_source_names[n] == NULL) {
            continue;
        }

        (void) snprintf(number, sizeof(number), "%u", n);

        if ((len == strlen(number) && memcmp(text, number, len) == 0)
            || (len == strlen(pki_row_source_names[n])
                && strncasecmp(text, pki_row_source_names[n], len) == 0))
        {
            return 1u << n;
        }
    }

    for (i = 0; i < sizeof(pki_row_groups) / sizeof(pki_row_groups[0]); i++) {
        if (len == strlen(pki_row_groups[i].name)
            && strncasecmp(text, pki_row_groups[i].name, len) == 0)
        {
            return pki_row_groups[i].sources;
        }
    }

    return 0;
}

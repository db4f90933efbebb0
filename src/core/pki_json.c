
/*
 * The reader of JSON: yajl's event parser, fed in one piece.
 *
 * What yajl is lax about is looked at before: UTF-8 (it takes overlong
 * forms) and surrogates (it makes a '?' of half a pair), so that a string
 * it hands over is what its sender meant.  That yajl also believes that
 * memory never ends is seen to by pki_stream_text().
 */

#include "pki_json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <openssl/crypto.h>

#include "pki_stream.h"


#define PKI_JSON_ECHO      40       /* octets of the input in a message */
#define PKI_JSON_NUMBER    24       /* "-9223372036854775808" */
#define PKI_JSON_NO_TYPE   (-1)     /* that a member can have */
#define PKI_JSON_STRINGS_FIRST  1024    /* octets that an array begins with */


typedef struct {
    pki_json_field_t   *fields;
    size_t              n;
    pki_json_field_t   *field;      /* whose value comes next */
    int                 inside;     /* of the object */
    int                 array;      /* inside of one */
    size_t              size;       /* octets there are for its strings */
    pki_rc_t            rc;         /* of what a callback refused */
    pki_err_t          *err;
} pki_json_reader_t;


static pki_rc_t pki_json_object_read(pki_bytes_t text, size_t max,
    pki_json_field_t *fields, size_t n, pki_err_t *err);
static const char *pki_json_check(pki_bytes_t text, size_t max);
static size_t pki_json_escape(const unsigned char *p, size_t len);
static long pki_json_unit(const unsigned char *p, size_t len);

static int pki_json_on_map(void *ctx);
static int pki_json_on_array(void *ctx);
static int pki_json_on_array_end(void *ctx);
static int pki_json_on_name(void *ctx, const unsigned char *p, size_t len);
static int pki_json_on_null(void *ctx);
static int pki_json_on_boolean(void *ctx, int yes);
static int pki_json_on_number(void *ctx, const char *p, size_t len);
static int pki_json_on_string(void *ctx, const unsigned char *p, size_t len);
static char *pki_json_room(pki_json_reader_t *r, size_t len);
static int pki_json_expect(pki_json_reader_t *r, int type);
static int pki_json_refuse(pki_json_reader_t *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


static const char  *const pki_json_types[] = {
    "a string",
    "an integer",
    "true or false",
    "an array of strings"
};


static const yajl_callbacks  pki_json_callbacks = {
    pki_json_on_null,
    pki_json_on_boolean,
    NULL,
    NULL,
    pki_json_on_number,
    pki_json_on_string,
    pki_json_on_map,
    pki_json_on_name,
    NULL,
    pki_json_on_array,
    pki_json_on_array_end
};


pki_rc_t
pki_json_read(pki_bytes_t text, pki_json_field_t *fields, size_t n,
    pki_err_t *err)
{
    return pki_json_object_read(text, PKI_JSON_TEXT_MAX, fields, n, err);
}


pki_rc_t
pki_json_read_long(pki_bytes_t text, pki_json_field_t *fields, size_t n,
    pki_err_t *err)
{
    return pki_json_object_read(text, PKI_JSON_LONG_MAX, fields, n, err);
}


static pki_rc_t
pki_json_object_read(pki_bytes_t text, size_t max, pki_json_field_t *fields,
    size_t n, pki_err_t *err)
{
    size_t              i;
    pki_rc_t            rc;
    const char         *reason;
    pki_json_reader_t   r;

    for (i = 0; i < n; i++) {
        fields[i].seen = 0;
        fields[i].given = 0;
        fields[i].integer = 0;
        fields[i].string = NULL;
        fields[i].len = 0;
    }

    reason = pki_json_check(text, max);

    if (reason) {
        pki_err_set(err, "the text %s", reason);
        return PKI_INVALID;
    }

    memset(&r, 0, sizeof(pki_json_reader_t));

    r.fields = fields;
    r.n = n;
    r.err = err;

    rc = pki_stream_text(&pki_json_callbacks, &r, text, err);

    if (rc != PKI_OK) {
        return r.rc == PKI_OK ? rc : r.rc;
    }

    for (i = 0; i < n; i++) {
        if (fields[i].required && !fields[i].given) {
            pki_err_set(err, "the member \"%s\" is missing", fields[i].name);
            return PKI_INVALID;
        }
    }

    return PKI_OK;
}


void
pki_json_free(pki_json_field_t *fields, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        OPENSSL_free(fields[i].string);
        fields[i].string = NULL;
        fields[i].len = 0;
        fields[i].given = 0;
    }
}


/* What is wrong with a text before its grammar; NULL: nothing. */

static const char *
pki_json_check(pki_bytes_t text, size_t max)
{
    size_t  i, n;

    if (text.len == 0) {
        return "is empty";
    }

    if (text.len > max) {
        return "is too long";
    }

    for (i = 0; i < text.len; i += n) {

        n = pki_json_utf8(text.data + i, text.len - i);

        if (n == 0) {
            return "is not UTF-8";
        }

        if (text.data[i] == '\\') {
            n = pki_json_escape(text.data + i, text.len - i);

            if (n == 0) {
                return "has an escape of half a surrogate pair";
            }
        }
    }

    return NULL;
}


size_t
pki_json_utf8(const unsigned char *p, size_t len)
{
    size_t         i, n;
    unsigned char  min, max;

    min = 0x80;
    max = 0xbf;

    if (p[0] < 0x80) {
        return 1;

    } else if (p[0] < 0xc2) {
        return 0;

    } else if (p[0] < 0xe0) {
        n = 2;

    } else if (p[0] < 0xf0) {
        n = 3;
        min = p[0] == 0xe0 ? 0xa0 : min;
        max = p[0] == 0xed ? 0x9f : max;

    } else if (p[0] < 0xf5) {
        n = 4;
        min = p[0] == 0xf0 ? 0x90 : min;
        max = p[0] == 0xf4 ? 0x8f : max;

    } else {
        return 0;
    }

    if (len < n || p[1] < min || p[1] > max) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return n;
}


/* The length of an escape, or of a pair; yajl judges all the rest. */

static size_t
pki_json_escape(const unsigned char *p, size_t len)
{
    long  high, low;

    if (len > 1 && p[1] == '\\') {
        return 2;
    }

    high = pki_json_unit(p, len);

    if (high < 0xd800 || high > 0xdfff) {
        return 1;
    }

    low = pki_json_unit(p + 6, len - 6);

    return high < 0xdc00 && low >= 0xdc00 && low <= 0xdfff ? 12 : 0;
}


/* The number after "\u"; -1: p is another thing. */

static long
pki_json_unit(const unsigned char *p, size_t len)
{
    int     digit;
    long    unit;
    size_t  i;

    if (len < 6 || p[0] != '\\' || p[1] != 'u') {
        return -1;
    }

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


static int
pki_json_on_map(void *ctx)
{
    pki_json_reader_t  *r = ctx;

    if (r->inside) {
        return pki_json_expect(r, PKI_JSON_NO_TYPE);
    }

    r->inside = 1;

    return 1;
}


static int
pki_json_on_array(void *ctx)
{
    pki_json_reader_t  *r = ctx;

    if (!pki_json_expect(r, r->array ? PKI_JSON_NO_TYPE : PKI_JSON_STRINGS)) {
        return 0;
    }

    r->array = 1;
    r->size = 0;
    r->field->given = 1;

    return 1;
}


static int
pki_json_on_array_end(void *ctx)
{
    pki_json_reader_t  *r = ctx;

    r->array = 0;

    return 1;
}


static int
pki_json_on_name(void *ctx, const unsigned char *p, size_t len)
{
    pki_json_reader_t  *r = ctx;

    char               echo[PKI_JSON_ECHO + 1];
    size_t             i;
    pki_json_field_t  *field;

    for (i = 0; i < r->n; i++) {
        field = &r->fields[i];

        if (strlen(field->name) != len
            || strncasecmp(field->name, (const char *) p, len) != 0)
        {
            continue;
        }

        if (field->seen) {
            return pki_json_refuse(r, "the member \"%s\" is given twice",
                                   field->name);
        }

        field->seen = 1;
        r->field = field;

        return 1;
    }

    for (i = 0; i < len && i < PKI_JSON_ECHO; i++) {
        echo[i] = p[i];

        if (p[i] < 0x20 || p[i] > 0x7e || p[i] == '"' || p[i] == '\\') {
            echo[i] = '?';
        }
    }

    echo[i] = '\0';

    return pki_json_refuse(r, "the member \"%s%s\" is unknown", echo,
                           len > PKI_JSON_ECHO ? "..." : "");
}


static int
pki_json_on_null(void *ctx)
{
    pki_json_reader_t  *r = ctx;

    if (r->inside && !r->array && r->field->nullable) {
        return 1;
    }

    return pki_json_expect(r, PKI_JSON_NO_TYPE);
}


static int
pki_json_on_boolean(void *ctx, int yes)
{
    pki_json_reader_t  *r = ctx;

    if (!pki_json_expect(r, PKI_JSON_BOOLEAN)) {
        return 0;
    }

    r->field->integer = yes != 0;
    r->field->given = 1;

    return 1;
}


/* the text of a number, since yajl's own conversion may overflow */

static int
pki_json_on_number(void *ctx, const char *p, size_t len)
{
    pki_json_reader_t  *r = ctx;

    char        number[PKI_JSON_NUMBER];
    size_t      i;
    long long   n;

    if (!pki_json_expect(r, PKI_JSON_INTEGER)) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (p[i] == '.' || p[i] == 'e' || p[i] == 'E') {
            return pki_json_expect(r, PKI_JSON_NO_TYPE);
        }
    }

    errno = ERANGE;
    n = 0;

    if (len < PKI_JSON_NUMBER) {
        memcpy(number, p, len);
        number[len] = '\0';

        errno = 0;
        n = strtoll(number, NULL, 10);
    }

    if (errno == ERANGE) {
        return pki_json_refuse(r, "the member \"%s\" is out of range",
                               r->field->name);
    }

    r->field->integer = n;
    r->field->given = 1;

    return 1;
}


static int
pki_json_on_string(void *ctx, const unsigned char *p, size_t len)
{
    pki_json_reader_t  *r = ctx;

    char              *string;
    pki_json_field_t  *field;

    if (!pki_json_expect(r, r->array ? PKI_JSON_STRINGS : PKI_JSON_STRING)) {
        return 0;
    }

    field = r->field;

    if (len > field->max) {
        return pki_json_refuse(r, "the member \"%s\" is longer than %zu "
                               "octets", field->name, field->max);
    }

    if (len && memchr(p, '\0', len)) {
        return pki_json_refuse(r, "the member \"%s\" holds a NUL",
                               field->name);
    }

    if (r->array && field->integer == (long long) field->items) {
        return pki_json_refuse(r, "the member \"%s\" has more than %zu "
                               "strings", field->name, field->items);
    }

    string = pki_json_room(r, len + 1);

    if (string == NULL) {
        pki_err_ssl(r->err, "no memory to read JSON");
        r->rc = PKI_ERROR;
        return 0;
    }

    if (len) {
        memcpy(string, p, len);
    }

    string[len] = '\0';

    if (r->array) {
        field->len += len + 1;
        field->integer++;

    } else {
        field->len = len;
        field->given = 1;
    }

    return 1;
}


/* Where the next string of the field goes; NULL: no memory. */

static char *
pki_json_room(pki_json_reader_t *r, size_t len)
{
    char              *grown;
    size_t             size;
    pki_json_field_t  *field;

    field = r->field;

    if (!r->array) {
        field->string = OPENSSL_malloc(len);
        return field->string;
    }

    if (r->size - field->len < len) {
        size = 2 * r->size + len + PKI_JSON_STRINGS_FIRST;
        grown = OPENSSL_realloc(field->string, size);

        if (grown == NULL) {
            return NULL;
        }

        field->string = grown;
        r->size = size;
    }

    return field->string + field->len;
}


/* May a value of this type stand here? */

static int
pki_json_expect(pki_json_reader_t *r, int type)
{
    if (!r->inside) {
        return pki_json_refuse(r, "the text must be a JSON object");
    }

    if (type != (int) r->field->type) {
        return pki_json_refuse(r, "the member \"%s\" must be %s",
                               r->field->name,
                               pki_json_types[r->field->type]);
    }

    return 1;
}


static int
pki_json_refuse(pki_json_reader_t *r, const char *fmt, ...)
{
    char     text[PKI_ERR_LEN];
    va_list  args;

    va_start(args, fmt);

    if (vsnprintf(text, PKI_ERR_LEN, fmt, args) < 0) {
        text[0] = '\0';
    }

    va_end(args);

    pki_err_set(r->err, "%s", text);
    r->rc = PKI_INVALID;

    return 0;
}

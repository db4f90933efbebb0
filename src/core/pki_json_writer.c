
/*
 * The writer of JSON: a buffer that doubles, and a few bits about each open
 * level, which put the commas and refuse what would not be JSON.
 */

#include "pki_json.h"

#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>


#define PKI_JSON_DEPTH      16      /* levels, the text not counted */
#define PKI_JSON_CHUNK      512     /* octets of the first buffer */
#define PKI_JSON_NUMBER     24      /* "-9223372036854775808" */
#define PKI_JSON_ESCAPE     8       /* "\u001f" */
#define PKI_JSON_TIME       96      /* any six numbers, for gcc */

/* what is known about a level */

#define PKI_JSON_IN_OBJECT  0x01
#define PKI_JSON_FILLED     0x02    /* the next one needs a comma */
#define PKI_JSON_NAMED      0x04    /* a name waits for its value */


struct pki_json_writer_s {
    char               *data;
    size_t              len;
    size_t              size;
    unsigned            failed:1;
    unsigned            depth;
    unsigned char       levels[PKI_JSON_DEPTH + 1];     /* 0: the text */
};


static int pki_json_writer_value(pki_json_writer_t *w);
static void pki_json_writer_open(pki_json_writer_t *w, const char *bracket,
    int level);
static void pki_json_writer_close(pki_json_writer_t *w, const char *bracket,
    int level);
static void pki_json_writer_quote(pki_json_writer_t *w, pki_bytes_t s);
static void pki_json_writer_put(pki_json_writer_t *w, const void *p,
    size_t len);


pki_json_writer_t *
pki_json_create(void)
{
    return OPENSSL_zalloc(sizeof(pki_json_writer_t));
}


void
pki_json_destroy(pki_json_writer_t *w)
{
    if (w == NULL) {
        return;
    }

    OPENSSL_free(w->data);
    OPENSSL_free(w);
}


void
pki_json_object(pki_json_writer_t *w)
{
    pki_json_writer_open(w, "{", PKI_JSON_IN_OBJECT);
}


void
pki_json_object_end(pki_json_writer_t *w)
{
    pki_json_writer_close(w, "}", PKI_JSON_IN_OBJECT);
}


void
pki_json_array(pki_json_writer_t *w)
{
    pki_json_writer_open(w, "[", 0);
}


void
pki_json_array_end(pki_json_writer_t *w)
{
    pki_json_writer_close(w, "]", 0);
}


void
pki_json_name(pki_json_writer_t *w, const char *name)
{
    unsigned char  *level;
    pki_bytes_t     s;

    level = &w->levels[w->depth];

    if (!(*level & PKI_JSON_IN_OBJECT) || *level & PKI_JSON_NAMED) {
        w->failed = 1;
        return;
    }

    if (*level & PKI_JSON_FILLED) {
        pki_json_writer_put(w, ",", 1);
    }

    s.data = (const unsigned char *) name;
    s.len = strlen(name);

    pki_json_writer_quote(w, s);
    pki_json_writer_put(w, ":", 1);

    *level |= PKI_JSON_NAMED;
}


void
pki_json_string(pki_json_writer_t *w, const char *s)
{
    pki_bytes_t  bytes;

    if (s == NULL) {
        if (pki_json_writer_value(w)) {
            pki_json_writer_put(w, "null", 4);
        }

        return;
    }

    bytes.data = (const unsigned char *) s;
    bytes.len = strlen(s);

    pki_json_bytes(w, bytes);
}


void
pki_json_bytes(pki_json_writer_t *w, pki_bytes_t s)
{
    if (pki_json_writer_value(w)) {
        pki_json_writer_quote(w, s);
    }
}


void
pki_json_integer(pki_json_writer_t *w, long long n)
{
    char  number[PKI_JSON_NUMBER];

    if (pki_json_writer_value(w)) {
        (void) snprintf(number, PKI_JSON_NUMBER, "%lld", n);
        pki_json_writer_put(w, number, strlen(number));
    }
}


void
pki_json_boolean(pki_json_writer_t *w, int yes)
{
    if (pki_json_writer_value(w)) {
        pki_json_writer_put(w, yes ? "true" : "false", yes ? 4 : 5);
    }
}


void
pki_json_time(pki_json_writer_t *w, time_t t)
{
    char       text[PKI_JSON_TIME];
    struct tm  tm;

    /* RFC 3339 has years of four digits */

    if (gmtime_r(&t, &tm) == NULL
        || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900)
    {
        pki_json_string(w, NULL);
        return;
    }

    (void) snprintf(text, PKI_JSON_TIME, "%04d-%02d-%02dT%02d:%02d:%02dZ",
                    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                    tm.tm_hour, tm.tm_min, tm.tm_sec);

    pki_json_string(w, text);
}


pki_rc_t
pki_json_text(pki_json_writer_t *w, pki_bytes_t *text)
{
    if (w->failed) {
        return PKI_ERROR;
    }

    text->data = (const unsigned char *) w->data;
    text->len = w->len;

    return PKI_OK;
}


/* Makes room for a value in the present level, if one may stand there. */

static int
pki_json_writer_value(pki_json_writer_t *w)
{
    unsigned char  *level;

    level = &w->levels[w->depth];

    if (*level & PKI_JSON_IN_OBJECT) {

        if (!(*level & PKI_JSON_NAMED)) {
            w->failed = 1;
        }

    } else if (*level & PKI_JSON_FILLED) {

        if (w->depth == 0) {
            w->failed = 1;
        }

        pki_json_writer_put(w, ",", 1);
    }

    *level |= PKI_JSON_FILLED;
    *level &= ~PKI_JSON_NAMED;

    return !w->failed;
}


static void
pki_json_writer_open(pki_json_writer_t *w, const char *bracket, int level)
{
    if (!pki_json_writer_value(w)) {
        return;
    }

    if (w->depth == PKI_JSON_DEPTH) {
        w->failed = 1;
        return;
    }

    w->levels[++w->depth] = level;
    pki_json_writer_put(w, bracket, 1);
}


static void
pki_json_writer_close(pki_json_writer_t *w, const char *bracket, int level)
{
    if (w->depth == 0
        || (w->levels[w->depth] & ~PKI_JSON_FILLED) != level)
    {
        w->failed = 1;
        return;
    }

    w->depth--;
    pki_json_writer_put(w, bracket, 1);
}


static void
pki_json_writer_quote(pki_json_writer_t *w, pki_bytes_t s)
{
    char    escape[PKI_JSON_ESCAPE];
    size_t  i, n, from;

    pki_json_writer_put(w, "\"", 1);

    for (i = 0, from = 0; i < s.len; i += n) {

        n = pki_json_utf8(s.data + i, s.len - i);

        if (n && s.data[i] >= 0x20 && s.data[i] != '"' && s.data[i] != '\\') {
            continue;
        }

        if (i > from) {
            pki_json_writer_put(w, s.data + from, i - from);
        }

        if (n == 0) {
            pki_json_writer_put(w, "\xef\xbf\xbd", 3);
            n = 1;

        } else {
            (void) snprintf(escape, PKI_JSON_ESCAPE,
                            s.data[i] < 0x20 ? "\\u%04x" : "\\%c", s.data[i]);
            pki_json_writer_put(w, escape, strlen(escape));
        }

        from = i + n;
    }

    if (i > from) {
        pki_json_writer_put(w, s.data + from, i - from);
    }

    pki_json_writer_put(w, "\"", 1);
}


static void
pki_json_writer_put(pki_json_writer_t *w, const void *p, size_t len)
{
    char    *data;
    size_t   size;

    if (w->failed) {
        return;
    }

    if (len > w->size - w->len) {

        size = w->size ? 2 * w->size : PKI_JSON_CHUNK;

        while (size - w->len < len) {
            size *= 2;
        }

        data = OPENSSL_realloc(w->data, size);

        if (data == NULL) {
            w->failed = 1;
            return;
        }

        w->data = data;
        w->size = size;
    }

    memcpy(w->data + w->len, p, len);
    w->len += len;
}

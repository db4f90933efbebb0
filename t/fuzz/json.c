
/*
 * The JSON reader, and the writer on what it read: a text that was read
 * must be read again, to the same values, from what the writer makes of it;
 * and any octets at all must become JSON that is read.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "pki_json.h"


#define FUZZ_FIELDS  6

#define fuzz_check(yes)                                                       \
    do {                                                                      \
        if (!(yes)) {                                                         \
            abort();                                                          \
        }                                                                     \
    } while (0)


static const pki_json_field_t  fuzz_fields[FUZZ_FIELDS] = {
    { .name = "revocationReason", .type = PKI_JSON_INTEGER },
    { .name = "revoker", .type = PKI_JSON_STRING, .nullable = 1,
      .max = 1024 },
    { .name = "s", .type = PKI_JSON_STRING, .max = 65536 },
    { .name = "force", .type = PKI_JSON_BOOLEAN },
    { .name = "i", .type = PKI_JSON_INTEGER, .nullable = 1 },
    { .name = "list", .type = PKI_JSON_STRINGS, .nullable = 1, .max = 64,
      .items = 100 }
};


static void
fuzz_write_strings(pki_json_writer_t *w, const pki_json_field_t *f)
{
    size_t     at;
    long long  n;

    at = 0;
    n = 0;

    pki_json_array(w);

    for ( /* void */ ; at < f->len; at += strlen(f->string + at) + 1) {
        pki_json_string(w, f->string + at);
        n++;
    }

    pki_json_array_end(w);

    fuzz_check(at == f->len && n == f->integer);
}


static void
fuzz_write(pki_json_writer_t *w, const pki_json_field_t *f)
{
    size_t  i;

    pki_json_object(w);

    for (i = 0; i < FUZZ_FIELDS; i++) {
        if (!f[i].given) {
            continue;
        }

        pki_json_name(w, f[i].name);

        switch (f[i].type) {

        case PKI_JSON_STRING:
            pki_json_string(w, f[i].string);
            break;

        case PKI_JSON_INTEGER:
            pki_json_integer(w, f[i].integer);
            break;

        case PKI_JSON_STRINGS:
            fuzz_write_strings(w, &f[i]);
            break;

        default:
            pki_json_boolean(w, f[i].integer != 0);
            break;
        }
    }

    pki_json_object_end(w);
}


/* an escape needs up to six octets, so the written text may be too long */

static void
fuzz_again(const pki_json_field_t *f)
{
    size_t              i;
    pki_err_t           err;
    pki_bytes_t         text;
    pki_json_field_t    again[FUZZ_FIELDS];
    pki_json_writer_t  *w;

    w = pki_json_create();
    fuzz_check(w);

    fuzz_write(w, f);
    fuzz_check(pki_json_text(w, &text) == PKI_OK);

    if (text.len <= PKI_JSON_TEXT_MAX) {
        memcpy(again, fuzz_fields, sizeof(fuzz_fields));
        fuzz_check(pki_json_read(text, again, FUZZ_FIELDS, &err) == PKI_OK);

        for (i = 0; i < FUZZ_FIELDS; i++) {
            fuzz_check(again[i].given == f[i].given);
            fuzz_check(again[i].integer == f[i].integer);
            fuzz_check(again[i].len == f[i].len);

            if (f[i].len) {
                fuzz_check(memcmp(again[i].string, f[i].string, f[i].len)
                           == 0);
            }
        }

        pki_json_free(again, FUZZ_FIELDS);
    }

    pki_json_destroy(w);
}


static void
fuzz_octets(pki_bytes_t octets)
{
    pki_rc_t            rc;
    pki_err_t           err;
    pki_bytes_t         text;
    pki_json_field_t    f[FUZZ_FIELDS];
    pki_json_writer_t  *w;

    w = pki_json_create();
    fuzz_check(w);

    pki_json_object(w);
    pki_json_name(w, "s");
    pki_json_bytes(w, octets);
    pki_json_object_end(w);
    fuzz_check(pki_json_text(w, &text) == PKI_OK);

    memcpy(f, fuzz_fields, sizeof(fuzz_fields));
    rc = pki_json_read(text, f, FUZZ_FIELDS, &err);

    fuzz_check(rc == PKI_OK || text.len > PKI_JSON_TEXT_MAX
               || (octets.len && memchr(octets.data, 0, octets.len)));

    pki_json_free(f, FUZZ_FIELDS);
    pki_json_destroy(w);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pki_rc_t          rc;
    pki_err_t         err;
    pki_bytes_t       text;
    pki_json_field_t  f[FUZZ_FIELDS];

    text.data = data;
    text.len = size;

    err.text[0] = '\0';
    memcpy(f, fuzz_fields, sizeof(fuzz_fields));

    rc = pki_json_read(text, f, FUZZ_FIELDS, &err);

    fuzz_check(rc == PKI_OK || (rc == PKI_INVALID && err.text[0]));

    if (rc == PKI_OK) {
        fuzz_again(f);
    }

    pki_json_free(f, FUZZ_FIELDS);

    fuzz_octets(text);

    return 0;
}

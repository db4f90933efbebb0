
/*
 * JSON within bounds: a strict reader of one flat object, whose members may
 * be arrays of strings, into named fields, over yajl (streaming only: its
 * tree API has leaked before), and a writer that grows a buffer.
 */

#ifndef PKI_JSON_H
#define PKI_JSON_H


#include "pki.h"


#define PKI_JSON_TEXT_MAX  65536    /* octets that a reader looks at */
#define PKI_JSON_LONG_MAX  1048576  /* or, where there are arrays: 10,000
                                       serial numbers and some air */


typedef enum {
    PKI_JSON_STRING = 0,
    PKI_JSON_INTEGER,
    PKI_JSON_BOOLEAN,
    PKI_JSON_STRINGS                /* an array of them */
} pki_json_type_t;


/* one member that a reader accepts, and what was read */

typedef struct {
    const char       *name;         /* compared without regard to case */
    pki_json_type_t   type;
    unsigned          required:1;
    unsigned          nullable:1;   /* null reads as not given */
    size_t            max;          /* octets of a string */
    size_t            items;        /* of an array, at most */

    unsigned          seen:1;       /* out: present, also as null */
    unsigned          given:1;      /* out: present and not null */
    long long         integer;      /* out; also 0 or 1 of a boolean, and
                                       the number of strings */
    char             *string;       /* out; terminated; strings one after the
                                       other, each terminated, or NULL when
                                       there are none; pki_json_free() */
    size_t            len;          /* of all that, but the last zero octet
                                       of a PKI_JSON_STRING */
} pki_json_field_t;


/*
 * Reads one object.  PKI_INVALID with a sentence for the caller's user in
 * err: longer than PKI_JSON_TEXT_MAX, not JSON, not one object, nested
 * values, an unknown or repeated member, a wrong type, a string that is too
 * long, not UTF-8 or holds a NUL, too many strings, an integer with a
 * fraction or out of range, a required member missing, anything after the
 * object.  PKI_ERROR: memory.  Strings read so far are the fields' in any
 * case: call pki_json_free() after each call.
 */
pki_rc_t pki_json_read(pki_bytes_t text, pki_json_field_t *fields, size_t n,
    pki_err_t *err);

/* The same for a text of up to PKI_JSON_LONG_MAX octets. */
pki_rc_t pki_json_read_long(pki_bytes_t text, pki_json_field_t *fields,
    size_t n, pki_err_t *err);
void pki_json_free(pki_json_field_t *fields, size_t n);

/*
 * The length of the character (RFC 3629, 4) that p[len] begins with, len
 * being at least 1; 0: it begins with none.
 */
size_t pki_json_utf8(const unsigned char *p, size_t len);


typedef struct pki_json_writer_s  pki_json_writer_t;

/*
 * A writer.  After the first failure (memory, more than 16 levels, calls
 * in an order that is not JSON's) all calls do nothing and pki_json_text()
 * returns PKI_ERROR.  A member is its name, then its value.  Octets that
 * are not UTF-8 are written as U+FFFD.
 */
pki_json_writer_t *pki_json_create(void);
void pki_json_destroy(pki_json_writer_t *w);        /* accepts NULL */

void pki_json_object(pki_json_writer_t *w);
void pki_json_object_end(pki_json_writer_t *w);
void pki_json_array(pki_json_writer_t *w);
void pki_json_array_end(pki_json_writer_t *w);
void pki_json_name(pki_json_writer_t *w, const char *name);
void pki_json_string(pki_json_writer_t *w, const char *s);  /* NULL: null */
void pki_json_bytes(pki_json_writer_t *w, pki_bytes_t s);
void pki_json_integer(pki_json_writer_t *w, long long n);
void pki_json_boolean(pki_json_writer_t *w, int yes);

/* RFC 3339, in UTC with a "Z"; null when the year has not four digits. */
void pki_json_time(pki_json_writer_t *w, time_t t);

/* The text so far; owned by the writer, valid until its next call. */
pki_rc_t pki_json_text(pki_json_writer_t *w, pki_bytes_t *text);


#endif /* PKI_JSON_H */

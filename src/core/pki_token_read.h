
/*
 * What tokens and key sets are written in, JSON and base64url: internal to
 * pki_token.
 */

#ifndef PKI_TOKEN_READ_H
#define PKI_TOKEN_READ_H


#include "pki.h"


/* octets that are decoded of so many */

#define pki_token_decoded_max(len)  ((len) / 4 * 3 + 2)


typedef enum {
    PKI_TOKEN_STRING = 0,
    PKI_TOKEN_NUMBER,
    PKI_TOKEN_BOOLEAN,
    PKI_TOKEN_NULL,
    PKI_TOKEN_OBJECT,
    PKI_TOKEN_ARRAY,
    PKI_TOKEN_END,              /* of an object or an array */
    PKI_TOKEN_NAME              /* its value comes next */
} pki_token_type_t;


/*
 * {"a":{"b":["c"]}} has a string "c" with the path "a.b", the depth 3 and
 * arrays 1.  An end has the numbers of its beginning.
 */

typedef struct {
    pki_token_type_t  type;
    const char       *path;     /* names of members; terminated */
    unsigned          depth;    /* of objects and arrays around it */
    unsigned          arrays;   /* of them since the last name */
    pki_bytes_t       text;     /* of a string or a number */
} pki_token_item_t;


/* Not PKI_OK: err is set, and nothing more is read. */
typedef pki_rc_t (*pki_token_take_pt)(void *data,
    const pki_token_item_t *item, pki_err_t *err);


/*
 * Reads one object.  PKI_INVALID with err set: not JSON, not an object, not
 * UTF-8, half a surrogate pair, deeper than 16 levels, a path longer than
 * 254 octets or with a NUL.  PKI_ERROR: memory.  Or what take() returned.
 */
pki_rc_t pki_token_read(pki_bytes_t text, pki_token_take_pt take, void *data,
    pki_err_t *err);

/*
 * Decodes base64url without padding (RFC 7515, 2), in its one canonical
 * form.  PKI_INVALID: it is not; err is not known here.
 */
pki_rc_t pki_token_decode(pki_bytes_t text, unsigned char *octets,
    size_t *len);


#endif /* PKI_TOKEN_READ_H */

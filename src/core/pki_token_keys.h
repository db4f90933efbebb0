
/*
 * The keys of a set, and what they can do: internal to pki_token.
 */

#ifndef PKI_TOKEN_KEYS_H
#define PKI_TOKEN_KEYS_H


#include "pki_token.h"

#include <openssl/evp.h>


typedef enum {
    PKI_TOKEN_RSA = 0,
    PKI_TOKEN_P256,
    PKI_TOKEN_P384
} pki_token_kind_t;


/* RFC 7518, 3.1 */

typedef struct {
    const char            *name;
    const char            *digest;
    pki_token_kind_t       kind;        /* of a key that does it */
    int                    salt;        /* octets, of PSS; 0: PKCS #1 1.5 */
    size_t                 half;        /* octets of r, and of s */
} pki_token_alg_t;


/* Belongs to its set; read only, so that threads may share it. */

typedef struct {
    EVP_PKEY              *key;
    pki_token_kind_t       kind;
    const pki_token_alg_t *alg;         /* the only one; NULL: any */
    char                   id[PKI_TOKEN_TEXT];      /* kid; "": none */
} pki_token_key_t;


struct pki_token_keys_s {
    unsigned               n;
    pki_token_key_t        keys[PKI_TOKEN_KEYS];
};


/* NULL: not known here, as "none" and "HS256" are */
const pki_token_alg_t *pki_token_alg(pki_bytes_t name);


#endif /* PKI_TOKEN_KEYS_H */

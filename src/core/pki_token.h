
/*
 * Bearer tokens that carry their own proof: JWT (RFC 7519) in compact JWS
 * (RFC 7515) against a key set (RFC 7517).
 *
 * The key decides which algorithms it can be used with, never the token:
 * RSA keys do RS256, RS384, RS512 and PS256, P-256 keys ES256, P-384 keys
 * ES384; "none" and the HMAC family are not known here.
 */

#ifndef PKI_TOKEN_H
#define PKI_TOKEN_H


#include "pki.h"


#define PKI_TOKEN_MAX       (16 * 1024) /* octets; Entra's with 200 groups have
                                           about 9,000, header lines 8,192 */
#define PKI_TOKEN_KEYS_MAX  (256 * 1024)    /* octets of a key set */
#define PKI_TOKEN_KEYS      64          /* keys of one set that count */
#define PKI_TOKEN_ROLES     64          /* values that mean something */
#define PKI_TOKEN_TEXT      256         /* octets of a claim that is kept,
                                           with its end */
#define PKI_TOKEN_LIST      8


typedef struct pki_token_keys_s  pki_token_keys_t;


typedef struct {
    const char       *issuers[PKI_TOKEN_LIST];      /* exact; NULL ends */
    const char       *audiences[PKI_TOKEN_LIST];    /* one must be among the
                                                       token's */
    const char       *roles_claim;  /* "roles", "scp", or a path "a.b": an
                                       array, or words with spaces between */
    const char *const *roles;       /* values that are looked for, exact */
    unsigned          nroles;       /* PKI_TOKEN_ROLES at most */
    time_t            skew;         /* seconds that clocks may differ */
    time_t            now;
} pki_token_rules_t;


/*
 * "" where the token has none; a value that is too long or has a control
 * character refuses the token.
 */

typedef struct {
    char              subject[PKI_TOKEN_TEXT];      /* sub */
    char              object[PKI_TOKEN_TEXT];       /* oid */
    char              user[PKI_TOKEN_TEXT];         /* upn, else
                                       preferred_username, else unique_name */
    char              client[PKI_TOKEN_TEXT];       /* appid, else azp, else
                                       client_id */
    char              id[PKI_TOKEN_TEXT];           /* jti, else uti */
    time_t            expires;
    uint64_t          roles;        /* bit i: it has rules->roles[i] */
    unsigned          ours:1;       /* its "iss" fits: the one thing that is
                                       also told of a token that is refused */
} pki_token_claims_t;


/*
 * Reads a key set: keys that are not for signatures, of an unknown type or
 * that are weak (RSA below 2048 bits) are passed over.  PKI_INVALID with err
 * set: not a key set, or none of its keys can be used.
 */
pki_rc_t pki_token_keys_read(pki_bytes_t text, pki_token_keys_t **keys,
    pki_err_t *err);
void pki_token_keys_free(pki_token_keys_t *keys);   /* accepts NULL */

/*
 * Checks a token; keys may be NULL, when there are none yet.  PKI_INVALID
 * with err set (a sentence without anything of the token but names of
 * claims): not a token, a wrong signature, claims that do not fit or are not
 * there (iss, aud and exp must be).  PKI_NOT_FOUND: its "iss" fits, but no
 * key of the set has its "kid": the set may be old.  PKI_ERROR: memory.
 */
pki_rc_t pki_token_check(pki_bytes_t token, const pki_token_keys_t *keys,
    const pki_token_rules_t *rules, pki_token_claims_t *claims,
    pki_err_t *err);


#endif /* PKI_TOKEN_H */

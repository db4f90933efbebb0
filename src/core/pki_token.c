
/*
 * A token's way: three parts, the header, the claims, whose it says it is,
 * the key, the signature, and only then what it claims.
 *
 * "iss" is looked at before the key, so that nobody else's tokens are a
 * reason to fetch a key set.  The header is believed in two things only:
 * which key of the set, and which of the algorithms that this key does.
 * Where it points to keys of its own ("jwk", "jku", "x5u", "x5c") is not
 * read.
 */

#include "pki_token.h"
#include "pki_token_keys.h"
#include "pki_token_read.h"

#include <string.h>
#include <strings.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>


#define PKI_TOKEN_PARTS     3
#define PKI_TOKEN_TRIES     8           /* keys that may fit one token; each
                                           costs a signature to check */
#define PKI_TOKEN_SIG_DER   112         /* of two numbers below 2^384 */
#define PKI_TOKEN_TIME_MAX  253402300799LL  /* the end of the year 9999 */
#define PKI_TOKEN_DIGITS    18          /* that a long long has room for */


/* of the header */

typedef enum {
    PKI_TOKEN_ALGORITHM = 0,
    PKI_TOKEN_KEY_ID,
    PKI_TOKEN_TYP
} pki_token_param_t;


/* names of claims; texts that are kept first, the best of each use first */

typedef enum {
    PKI_TOKEN_SUB = 0,
    PKI_TOKEN_OID,
    PKI_TOKEN_UPN,
    PKI_TOKEN_PREFERRED,
    PKI_TOKEN_UNIQUE,
    PKI_TOKEN_APPID,
    PKI_TOKEN_AZP,
    PKI_TOKEN_CLIENT,
    PKI_TOKEN_JTI,
    PKI_TOKEN_UTI,
    PKI_TOKEN_ISS,
    PKI_TOKEN_AUD,
    PKI_TOKEN_EXP,
    PKI_TOKEN_NBF,
    PKI_TOKEN_IAT,
    PKI_TOKEN_NAMES
} pki_token_name_t;


typedef struct {
    const pki_token_alg_t    *alg;
    unsigned                  seen;     /* bits of pki_token_param_t */
    unsigned                  has_id:1;
    char                      id[PKI_TOKEN_TEXT];
} pki_token_header_t;


typedef struct {
    const pki_token_rules_t  *rules;
    unsigned                  seen;     /* bits of pki_token_name_t */
    unsigned                  given;    /* and not null */
    unsigned                  role:1;   /* the claim of roles was seen */
    unsigned                  issuer:1;
    unsigned                  audience:1;
    long long                 times[PKI_TOKEN_NAMES - PKI_TOKEN_EXP];
    uint64_t                  roles;
    char                      texts[PKI_TOKEN_ISS][PKI_TOKEN_TEXT];
} pki_token_payload_t;


static pki_rc_t pki_token_split(pki_bytes_t token, pki_bytes_t *parts,
    pki_err_t *err);
static pki_rc_t pki_token_parts(pki_bytes_t *parts, unsigned char *octets,
    pki_token_header_t *header, pki_token_payload_t *p, pki_err_t *err);
static pki_rc_t pki_token_part(const char *what, pki_bytes_t part,
    unsigned char *octets, pki_token_take_pt take, void *data,
    pki_err_t *err);
static pki_rc_t pki_token_header(void *data, const pki_token_item_t *item,
    pki_err_t *err);
static pki_rc_t pki_token_param(pki_token_header_t *header, int param,
    const pki_token_item_t *item, pki_err_t *err);
static pki_rc_t pki_token_payload(void *data, const pki_token_item_t *item,
    pki_err_t *err);
static pki_rc_t pki_token_claim(pki_token_payload_t *p, int name,
    const pki_token_item_t *item, pki_err_t *err);
static pki_rc_t pki_token_text(char *text, const char *name,
    const pki_token_item_t *item, pki_err_t *err);
static pki_rc_t pki_token_time(long long *value, const char *name,
    const pki_token_item_t *item, pki_err_t *err);
static int pki_token_exponent(const unsigned char *p,
    const unsigned char *last);
static void pki_token_roles(pki_token_payload_t *p,
    const pki_token_item_t *item);
static void pki_token_role(pki_token_payload_t *p, pki_bytes_t value);
static int pki_token_listed(const char *const *list, pki_bytes_t text);

static pki_rc_t pki_token_signed(const pki_token_keys_t *keys,
    const pki_token_header_t *header, pki_bytes_t text, pki_bytes_t sig,
    pki_err_t *err);
static pki_rc_t pki_token_verify(const pki_token_key_t *key,
    const pki_token_alg_t *alg, pki_bytes_t text, pki_bytes_t sig);
static pki_rc_t pki_token_der(const pki_token_alg_t *alg, pki_bytes_t sig,
    unsigned char *der, size_t *len);
static pki_rc_t pki_token_valid(const pki_token_payload_t *p,
    pki_err_t *err);
static void pki_token_keep(const pki_token_payload_t *p,
    pki_token_claims_t *claims);


static const char  *const pki_token_params[] = { "alg", "kid", "typ" };


static const char  *const pki_token_names[PKI_TOKEN_NAMES] = {
    "sub", "oid", "upn", "preferred_username", "unique_name", "appid", "azp",
    "client_id", "jti", "uti", "iss", "aud", "exp", "nbf", "iat"
};


pki_rc_t
pki_token_check(pki_bytes_t token, const pki_token_keys_t *keys,
    const pki_token_rules_t *rules, pki_token_claims_t *claims,
    pki_err_t *err)
{
    pki_rc_t              rc;
    pki_bytes_t           parts[PKI_TOKEN_PARTS], text, sig;
    unsigned char        *octets;
    pki_token_header_t    header;
    pki_token_payload_t  *p;

    memset(claims, 0, sizeof(pki_token_claims_t));
    memset(&header, 0, sizeof(pki_token_header_t));

    rc = pki_token_split(token, parts, err);
    if (rc != PKI_OK) {
        return rc;
    }

    p = OPENSSL_zalloc(sizeof(pki_token_payload_t));
    octets = OPENSSL_malloc(pki_token_decoded_max(token.len));

    if (p == NULL || octets == NULL) {
        pki_err_ssl(err, "no memory to check a token");
        rc = PKI_ERROR;
        goto done;
    }

    p->rules = rules;

    rc = pki_token_parts(parts, octets, &header, p, err);
    claims->ours = p->issuer;

    if (rc != PKI_OK) {
        goto done;
    }

    if (pki_token_decode(parts[2], octets, &sig.len) != PKI_OK) {
        pki_err_set(err, "the token's signature is not base64url");
        rc = PKI_INVALID;
        goto done;
    }

    sig.data = octets;
    text.data = token.data;
    text.len = (size_t) (parts[2].data - token.data) - 1;

    rc = pki_token_signed(keys, &header, text, sig, err);

    if (rc == PKI_OK) {
        rc = pki_token_valid(p, err);
    }

    if (rc == PKI_OK) {
        pki_token_keep(p, claims);
    }

done:

    OPENSSL_free(octets);
    OPENSSL_free(p);

    return rc;
}


static pki_rc_t
pki_token_split(pki_bytes_t token, pki_bytes_t *parts, pki_err_t *err)
{
    unsigned              i;
    const unsigned char  *p, *dot, *last;

    if (token.len > PKI_TOKEN_MAX) {
        pki_err_set(err, "the token is longer than %d octets", PKI_TOKEN_MAX);
        return PKI_INVALID;
    }

    p = token.data;
    last = token.data + token.len;

    for (i = 0; i < PKI_TOKEN_PARTS; i++) {
        dot = p < last ? memchr(p, '.', (size_t) (last - p)) : NULL;

        if ((dot == NULL) != (i == PKI_TOKEN_PARTS - 1)) {
            pki_err_set(err, "the token is not a JWT of three parts");
            return PKI_INVALID;
        }

        parts[i].data = p;
        parts[i].len = (size_t) ((dot ? dot : last) - p);

        p = dot ? dot + 1 : last;
    }

    return PKI_OK;
}


/* what is read before there is a reason to believe it */

static pki_rc_t
pki_token_parts(pki_bytes_t *parts, unsigned char *octets,
    pki_token_header_t *header, pki_token_payload_t *p, pki_err_t *err)
{
    pki_rc_t  rc;

    rc = pki_token_part("header", parts[0], octets, pki_token_header, header,
                        err);
    if (rc != PKI_OK) {
        return rc;
    }

    if (header->alg == NULL) {
        pki_err_set(err, "the token's \"alg\" is missing");
        return PKI_INVALID;
    }

    rc = pki_token_part("claims", parts[1], octets, pki_token_payload, p,
                        err);
    if (rc != PKI_OK) {
        return rc;
    }

    if (!p->issuer) {
        pki_err_set(err, "the token's \"iss\" is not one that is trusted");
        return PKI_INVALID;
    }

    return PKI_OK;
}


static pki_rc_t
pki_token_part(const char *what, pki_bytes_t part, unsigned char *octets,
    pki_token_take_pt take, void *data, pki_err_t *err)
{
    pki_rc_t     rc;
    pki_err_t    reason;
    pki_bytes_t  text;

    text.data = octets;

    if (pki_token_decode(part, octets, &text.len) != PKI_OK) {
        pki_err_set(err, "the token's %s: it is not base64url", what);
        return PKI_INVALID;
    }

    rc = pki_token_read(text, take, data, &reason);

    if (rc != PKI_OK) {
        pki_err_set(err, "the token's %s: %s", what, reason.text);
    }

    return rc;
}


/* RFC 7515, 4 */

static pki_rc_t
pki_token_header(void *data, const pki_token_item_t *item, pki_err_t *err)
{
    pki_token_header_t  *header = data;

    int  i;

    if (item->depth != 1 || item->type == PKI_TOKEN_END) {
        return PKI_OK;
    }

    if (strcmp(item->path, "crit") == 0) {
        pki_err_set(err, "\"crit\" is not known here");
        return PKI_INVALID;
    }

    for (i = 0; strcmp(item->path, pki_token_params[i]) != 0; i++) {
        if (i == PKI_TOKEN_TYP) {
            return PKI_OK;
        }
    }

    if (item->type != PKI_TOKEN_NAME) {
        return pki_token_param(header, i, item, err);
    }

    if (header->seen & 1U << i) {
        pki_err_set(err, "\"%s\" is given twice", item->path);
        return PKI_INVALID;
    }

    header->seen |= 1U << i;

    return PKI_OK;
}


/* of "typ" it only matters what is not made to be an access token */

static pki_rc_t
pki_token_param(pki_token_header_t *header, int param,
    const pki_token_item_t *item, pki_err_t *err)
{
    char      text[PKI_TOKEN_TEXT];
    pki_rc_t  rc;

    rc = pki_token_text(text, item->path, item, err);
    if (rc != PKI_OK) {
        return rc;
    }

    if (param == PKI_TOKEN_KEY_ID) {
        header->has_id = 1;
        memcpy(header->id, text, item->text.len + 1);

    } else if (param == PKI_TOKEN_TYP) {

        if (strcasecmp(text, "JWT") != 0 && strcasecmp(text, "at+jwt") != 0
            && strcasecmp(text, "application/at+jwt") != 0)
        {
            pki_err_set(err, "\"typ\" is not that of an access token");
            return PKI_INVALID;
        }

    } else {
        header->alg = pki_token_alg(item->text);

        if (header->alg == NULL) {
            pki_err_set(err, "\"alg\" is not one that is accepted");
            return PKI_INVALID;
        }
    }

    return PKI_OK;
}


static pki_rc_t
pki_token_payload(void *data, const pki_token_item_t *item, pki_err_t *err)
{
    pki_token_payload_t  *p = data;

    int  i;

    if (item->type == PKI_TOKEN_END || item->depth == 0) {
        return PKI_OK;
    }

    if (strcmp(item->path, p->rules->roles_claim) == 0) {

        if (item->type == PKI_TOKEN_NAME) {
            if (p->role) {
                pki_err_set(err, "\"%s\" is given twice", item->path);
                return PKI_INVALID;
            }

            p->role = 1;

        } else if (item->type == PKI_TOKEN_STRING) {
            pki_token_roles(p, item);
        }
    }

    for (i = 0; i < PKI_TOKEN_NAMES; i++) {
        if (strcmp(item->path, pki_token_names[i]) == 0) {
            break;
        }
    }

    if (i == PKI_TOKEN_NAMES
        || (item->depth != 1 && !(i == PKI_TOKEN_AUD && item->depth == 2)))
    {
        return PKI_OK;
    }

    if (item->type == PKI_TOKEN_NAME) {
        if (p->seen & 1U << i) {
            pki_err_set(err, "\"%s\" is given twice", item->path);
            return PKI_INVALID;
        }

        p->seen |= 1U << i;

        return PKI_OK;
    }

    if (item->type == PKI_TOKEN_NULL && item->depth == 1) {
        return PKI_OK;
    }

    p->given |= 1U << i;

    return pki_token_claim(p, i, item, err);
}


static pki_rc_t
pki_token_claim(pki_token_payload_t *p, int name,
    const pki_token_item_t *item, pki_err_t *err)
{
    const char  *claim;

    claim = pki_token_names[name];

    if (name >= PKI_TOKEN_EXP) {
        return pki_token_time(&p->times[name - PKI_TOKEN_EXP], claim, item,
                              err);
    }

    if (name < PKI_TOKEN_ISS) {
        return pki_token_text(p->texts[name], claim, item, err);
    }

    if (name == PKI_TOKEN_AUD && item->depth == 1
        && item->type == PKI_TOKEN_ARRAY)
    {
        return PKI_OK;
    }

    if (item->type != PKI_TOKEN_STRING) {
        pki_err_set(err, "\"%s\" is not a string", claim);
        return PKI_INVALID;
    }

    if (name == PKI_TOKEN_ISS) {
        p->issuer = pki_token_listed(p->rules->issuers, item->text);

    } else {
        p->audience |= pki_token_listed(p->rules->audiences, item->text);
    }

    return PKI_OK;
}


static pki_rc_t
pki_token_text(char *text, const char *name, const pki_token_item_t *item,
    pki_err_t *err)
{
    size_t  i;

    if (item->type != PKI_TOKEN_STRING) {
        pki_err_set(err, "\"%s\" is not a string", name);
        return PKI_INVALID;
    }

    if (item->text.len >= PKI_TOKEN_TEXT) {
        pki_err_set(err, "\"%s\" is longer than %d octets", name,
                    PKI_TOKEN_TEXT - 1);
        return PKI_INVALID;
    }

    /* names go to log lines */

    for (i = 0; i < item->text.len; i++) {
        if (item->text.data[i] < 0x20 || item->text.data[i] == 0x7f) {
            pki_err_set(err, "\"%s\" holds a control character", name);
            return PKI_INVALID;
        }

        text[i] = (char) item->text.data[i];
    }

    text[i] = '\0';

    return PKI_OK;
}


/*
 * RFC 7519, 2: a NumericDate may have a fraction, and some write 1.7e9.  What
 * is beyond the year 9999 is its end: that changes no comparison.
 */

static pki_rc_t
pki_token_time(long long *value, const char *name,
    const pki_token_item_t *item, pki_err_t *err)
{
    int                   minus, digits, scale, fraction;
    long long             n;
    const unsigned char  *p, *last;

    if (item->type != PKI_TOKEN_NUMBER) {
        pki_err_set(err, "\"%s\" is not a number", name);
        return PKI_INVALID;
    }

    p = item->text.data;
    last = p + item->text.len;

    minus = *p == '-';
    p += minus;

    n = 0;
    digits = 0;
    scale = 0;
    fraction = 0;

    for ( /* void */ ; p < last && *p != 'e' && *p != 'E'; p++) {

        if (*p == '.') {
            fraction = 1;

        } else if (digits < PKI_TOKEN_DIGITS) {
            n = n * 10 + (*p - '0');
            digits += n != 0;
            scale -= fraction;

        } else {
            scale += !fraction;
        }
    }

    if (p < last) {
        scale += pki_token_exponent(p + 1, last);
    }

    for ( /* void */ ; scale < 0 && n; scale++) {
        n /= 10;
    }

    for ( /* void */ ; scale > 0 && n && n <= PKI_TOKEN_TIME_MAX; scale--) {
        n *= 10;
    }

    if (n > PKI_TOKEN_TIME_MAX) {
        n = PKI_TOKEN_TIME_MAX;
    }

    *value = minus ? -n : n;

    return PKI_OK;
}


static int
pki_token_exponent(const unsigned char *p, const unsigned char *last)
{
    int  n, minus;

    n = 0;
    minus = *p == '-';

    for ( /* void */ ; p < last; p++) {
        if (*p >= '0' && *p <= '9' && n < PKI_TOKEN_MAX) {
            n = n * 10 + (*p - '0');
        }
    }

    return minus ? -n : n;
}


static void
pki_token_roles(pki_token_payload_t *p, const pki_token_item_t *item)
{
    size_t                n;
    pki_bytes_t           word;
    const unsigned char  *s, *last, *end;

    s = item->text.data;
    last = s + item->text.len;

    if (item->arrays) {
        pki_token_role(p, item->text);
        return;
    }

    while (s < last) {
        end = memchr(s, ' ', (size_t) (last - s));
        n = (size_t) ((end ? end : last) - s);

        word.data = s;
        word.len = n;
        pki_token_role(p, word);

        s += n + 1;
    }
}


static void
pki_token_role(pki_token_payload_t *p, pki_bytes_t value)
{
    unsigned     i;
    const char  *role;

    for (i = 0; i < p->rules->nroles && i < PKI_TOKEN_ROLES; i++) {
        role = p->rules->roles[i];

        if (strlen(role) == value.len
            && memcmp(role, value.data, value.len) == 0)
        {
            p->roles |= (uint64_t) 1 << i;
        }
    }
}


static int
pki_token_listed(const char *const *list, pki_bytes_t text)
{
    unsigned  i;

    for (i = 0; i < PKI_TOKEN_LIST && list[i]; i++) {
        if (strlen(list[i]) == text.len
            && memcmp(list[i], text.data, text.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * A set may have a key twice under one name, for two algorithms or while it
 * changes, so each that fits is tried.  Without a name all fit.
 */

static pki_rc_t
pki_token_signed(const pki_token_keys_t *keys,
    const pki_token_header_t *header, pki_bytes_t text, pki_bytes_t sig,
    pki_err_t *err)
{
    pki_rc_t                rc;
    unsigned                i, named, tries;
    const pki_token_key_t  *key;

    named = 0;
    tries = 0;

    for (i = 0; keys && i < keys->n && tries < PKI_TOKEN_TRIES; i++) {
        key = &keys->keys[i];

        if (header->has_id && strcmp(header->id, key->id) != 0) {
            continue;
        }

        named = 1;

        if (key->kind != header->alg->kind
            || (key->alg && key->alg != header->alg))
        {
            continue;
        }

        tries++;

        rc = pki_token_verify(key, header->alg, text, sig);

        if (rc == PKI_OK) {
            return PKI_OK;
        }

        if (rc == PKI_ERROR) {
            pki_err_ssl(err, "no memory to check a token");
            return PKI_ERROR;
        }
    }

    if (!named) {
        pki_err_set(err, "the token's key is not in the key set");
        return PKI_NOT_FOUND;
    }

    pki_err_set(err, tries ? "the token's signature is not valid"
                           : "the token's \"alg\" does not fit its key");

    return PKI_INVALID;
}


static pki_rc_t
pki_token_verify(const pki_token_key_t *key, const pki_token_alg_t *alg,
    pki_bytes_t text, pki_bytes_t sig)
{
    pki_rc_t        rc;
    EVP_MD_CTX     *ctx;
    EVP_PKEY_CTX   *pctx;
    unsigned char   der[PKI_TOKEN_SIG_DER];

    ERR_clear_error();

    if (alg->half) {
        rc = pki_token_der(alg, sig, der, &sig.len);

        if (rc != PKI_OK) {
            return rc;
        }

        sig.data = der;

    } else if (sig.len != (size_t) EVP_PKEY_get_size(key->key)) {
        return PKI_INVALID;
    }

    ctx = EVP_MD_CTX_new();

    if (ctx == NULL
        || EVP_DigestVerifyInit_ex(ctx, &pctx, alg->digest, NULL, NULL,
                                   key->key, NULL) != 1
        || (alg->salt
            && (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) != 1
                || EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, alg->salt) != 1)))
    {
        EVP_MD_CTX_free(ctx);
        return PKI_ERROR;
    }

    rc = PKI_OK;

    if (EVP_DigestVerify(ctx, sig.data, sig.len, text.data, text.len) != 1) {
        rc = pki_err_input(NULL, "the signature is not valid");
    }

    EVP_MD_CTX_free(ctx);

    return rc;
}


/* RFC 7518, 3.4: two numbers of one length; OpenSSL wants them in ASN.1 */

static pki_rc_t
pki_token_der(const pki_token_alg_t *alg, pki_bytes_t sig,
    unsigned char *der, size_t *len)
{
    int         n;
    BIGNUM     *r, *s;
    ECDSA_SIG  *ecdsa;

    if (sig.len != 2 * alg->half) {
        return PKI_INVALID;
    }

    n = 0;
    ecdsa = ECDSA_SIG_new();
    r = BN_bin2bn(sig.data, (int) alg->half, NULL);
    s = BN_bin2bn(sig.data + alg->half, (int) alg->half, NULL);

    if (ecdsa && r && s && ECDSA_SIG_set0(ecdsa, r, s) == 1) {
        r = NULL;
        s = NULL;
        n = i2d_ECDSA_SIG(ecdsa, &der);
    }

    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(ecdsa);

    if (n <= 0) {
        return PKI_ERROR;
    }

    *len = (size_t) n;

    return PKI_OK;
}


/* what a token that is genuine must still say; RFC 7519, 4.1 */

static pki_rc_t
pki_token_valid(const pki_token_payload_t *p, pki_err_t *err)
{
    long long                 now, skew;
    const char               *reason;
    const long long          *times;
    const pki_token_rules_t  *rules;

    rules = p->rules;
    times = p->times;
    now = rules->now;
    skew = rules->skew;

    if (!p->audience) {
        reason = "the token's \"aud\" is not this service";

    } else if (!(p->given & 1U << PKI_TOKEN_EXP)) {
        reason = "the token has no \"exp\"";

    } else if (now - skew >= times[0]) {
        reason = "the token has expired";

    } else if ((p->given & 1U << PKI_TOKEN_NBF)
               && now + skew < times[PKI_TOKEN_NBF - PKI_TOKEN_EXP])
    {
        reason = "the token is not valid yet";

    } else if ((p->given & 1U << PKI_TOKEN_IAT)
               && now + skew < times[PKI_TOKEN_IAT - PKI_TOKEN_EXP])
    {
        reason = "the token's \"iat\" is in the future";

    } else {
        return PKI_OK;
    }

    pki_err_set(err, "%s", reason);

    return PKI_INVALID;
}


static void
pki_token_keep(const pki_token_payload_t *p, pki_token_claims_t *claims)
{
    int  i;

    static const int  users[] = {
        PKI_TOKEN_UPN, PKI_TOKEN_PREFERRED, PKI_TOKEN_UNIQUE
    };

    static const int  clients[] = {
        PKI_TOKEN_APPID, PKI_TOKEN_AZP, PKI_TOKEN_CLIENT
    };

    memcpy(claims->subject, p->texts[PKI_TOKEN_SUB], PKI_TOKEN_TEXT);
    memcpy(claims->object, p->texts[PKI_TOKEN_OID], PKI_TOKEN_TEXT);

    for (i = 2; i >= 0; i--) {
        if (p->texts[users[i]][0]) {
            memcpy(claims->user, p->texts[users[i]], PKI_TOKEN_TEXT);
        }

        if (p->texts[clients[i]][0]) {
            memcpy(claims->client, p->texts[clients[i]], PKI_TOKEN_TEXT);
        }
    }

    memcpy(claims->id, p->texts[p->texts[PKI_TOKEN_JTI][0]
                                ? PKI_TOKEN_JTI : PKI_TOKEN_UTI],
           PKI_TOKEN_TEXT);

    claims->expires = (time_t) p->times[0];
    claims->roles = p->roles;
}

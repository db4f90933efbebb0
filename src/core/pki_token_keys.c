
/*
 * A key set (RFC 7517, 5), out of which only keys come that can check a
 * signature that is made today.  All else in it is passed over, as the RFC
 * asks for, so that a new type of key does not lock everybody out.
 */

#include "pki_token_keys.h"
#include "pki_token_read.h"

#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/param_build.h>


#define PKI_TOKEN_RSA_MIN   2048        /* RFC 7518, 3.3 */
#define PKI_TOKEN_RSA_MAX   8192        /* checking takes 16 times as long */
#define PKI_TOKEN_E_MAX     64          /* bits; OpenSSL's own bound */
#define PKI_TOKEN_NUMBER    (PKI_TOKEN_RSA_MAX / 8 + 1)
#define PKI_TOKEN_POINT     (1 + 2 * 48)    /* octets of one on P-384 */


/* members of a key; the texts first, then numbers */

typedef enum {
    PKI_TOKEN_KTY = 0,
    PKI_TOKEN_USE,
    PKI_TOKEN_ALG,
    PKI_TOKEN_CRV,
    PKI_TOKEN_KID,
    PKI_TOKEN_N,
    PKI_TOKEN_E,
    PKI_TOKEN_X,
    PKI_TOKEN_Y,
    PKI_TOKEN_MEMBERS_N
} pki_token_member_t;


typedef struct {
    unsigned char        octets[PKI_TOKEN_NUMBER];
    size_t               len;
} pki_token_number_t;


/* what is read, and the key under way */

typedef struct {
    pki_token_keys_t    *keys;
    unsigned             seen:1;        /* the member "keys" */
    unsigned             inside:1;      /* of one of them */
    unsigned             bad:1;         /* it cannot be used */
    unsigned             verify:1;      /* one of its operations */
    unsigned             ops:1;         /* it lists operations */
    unsigned             members;       /* bits: seen */
    char                 texts[PKI_TOKEN_N][PKI_TOKEN_TEXT];
    pki_token_number_t   numbers[PKI_TOKEN_MEMBERS_N - PKI_TOKEN_N];
} pki_token_set_t;


static pki_rc_t pki_token_keys_take(void *data, const pki_token_item_t *item,
    pki_err_t *err);
static void pki_token_keys_name(pki_token_set_t *set, const char *name);
static void pki_token_keys_value(pki_token_set_t *set,
    const pki_token_item_t *item);
static int pki_token_keys_member(const char *name);
static pki_rc_t pki_token_keys_add(pki_token_set_t *set, pki_err_t *err);
static int pki_token_keys_fit(pki_token_set_t *set, pki_token_key_t *key);
static int pki_token_keys_rsa(pki_token_set_t *set, OSSL_PARAM_BLD *bld,
    BIGNUM **n, BIGNUM **e);
static int pki_token_keys_ec(pki_token_set_t *set, OSSL_PARAM_BLD *bld,
    pki_token_kind_t kind, unsigned char *point);
static pki_rc_t pki_token_keys_make(pki_token_set_t *set,
    pki_token_key_t *key, pki_err_t *err);


static const char  *const pki_token_members[PKI_TOKEN_MEMBERS_N] = {
    "kty", "use", "alg", "crv", "kid", "n", "e", "x", "y"
};


static const pki_token_alg_t  pki_token_algs[] = {
    { "RS256", "SHA256", PKI_TOKEN_RSA, 0, 0 },
    { "RS384", "SHA384", PKI_TOKEN_RSA, 0, 0 },
    { "RS512", "SHA512", PKI_TOKEN_RSA, 0, 0 },
    { "PS256", "SHA256", PKI_TOKEN_RSA, 32, 0 },
    { "ES256", "SHA256", PKI_TOKEN_P256, 0, 32 },
    { "ES384", "SHA384", PKI_TOKEN_P384, 0, 48 },
    { NULL, NULL, PKI_TOKEN_RSA, 0, 0 }
};


const pki_token_alg_t *
pki_token_alg(pki_bytes_t name)
{
    const pki_token_alg_t  *alg;

    for (alg = pki_token_algs; alg->name; alg++) {
        if (strlen(alg->name) == name.len
            && memcmp(alg->name, name.data, name.len) == 0)
        {
            return alg;
        }
    }

    return NULL;
}


pki_rc_t
pki_token_keys_read(pki_bytes_t text, pki_token_keys_t **keys,
    pki_err_t *err)
{
    pki_rc_t          rc;
    pki_err_t         reason;
    pki_token_set_t  *set;

    *keys = NULL;

    if (text.len > PKI_TOKEN_KEYS_MAX) {
        pki_err_set(err, "the key set is larger than %d octets",
                    PKI_TOKEN_KEYS_MAX);
        return PKI_INVALID;
    }

    set = OPENSSL_zalloc(sizeof(pki_token_set_t));
    *keys = OPENSSL_zalloc(sizeof(pki_token_keys_t));

    if (set == NULL || *keys == NULL) {
        pki_err_ssl(&reason, "no memory to read a key set");
        rc = PKI_ERROR;

    } else {
        set->keys = *keys;
        rc = pki_token_read(text, pki_token_keys_take, set, &reason);

        if (rc == PKI_OK && (*keys)->n == 0) {
            pki_err_set(&reason, set->seen ? "none of its keys can be used"
                                           : "it has no \"keys\"");
            rc = PKI_INVALID;
        }
    }

    if (rc == PKI_INVALID) {
        pki_err_set(err, "the key set is not valid: %s", reason.text);

    } else if (rc == PKI_ERROR) {
        pki_err_set(err, "%s", reason.text);
    }

    if (rc != PKI_OK) {
        pki_token_keys_free(*keys);
        *keys = NULL;
    }

    OPENSSL_free(set);

    return rc;
}


void
pki_token_keys_free(pki_token_keys_t *keys)
{
    unsigned  i;

    if (keys == NULL) {
        return;
    }

    for (i = 0; i < keys->n; i++) {
        EVP_PKEY_free(keys->keys[i].key);
    }

    OPENSSL_free(keys);
}


/* {"keys":[{...}]}: a key is at depth 2, its members at 3 */

static pki_rc_t
pki_token_keys_take(void *data, const pki_token_item_t *item, pki_err_t *err)
{
    pki_token_set_t  *set = data;

    if (item->depth == 1 && strcmp(item->path, "keys") == 0) {

        if (item->type == PKI_TOKEN_NAME) {
            if (set->seen) {
                pki_err_set(err, "it has \"keys\" twice");
                return PKI_INVALID;
            }

            set->seen = 1;

        } else if (item->type != PKI_TOKEN_ARRAY
                   && item->type != PKI_TOKEN_END)
        {
            pki_err_set(err, "its \"keys\" are not an array");
            return PKI_INVALID;
        }
    }

    if (item->depth == 2 && item->type == PKI_TOKEN_OBJECT
        && item->arrays == 1 && strcmp(item->path, "keys") == 0)
    {
        set->inside = 1;
        set->bad = 0;
        set->verify = 0;
        set->ops = 0;
        set->members = 0;

        memset(set->texts, 0, sizeof(set->texts));
        memset(set->numbers, 0, sizeof(set->numbers));

        return PKI_OK;
    }

    if (!set->inside) {
        return PKI_OK;
    }

    if (item->depth == 2) {
        set->inside = 0;
        return pki_token_keys_add(set, err);
    }

    if (item->type == PKI_TOKEN_NAME && item->depth == 3) {
        pki_token_keys_name(set, item->path + sizeof("keys.") - 1);

    } else {
        pki_token_keys_value(set, item);
    }

    return PKI_OK;
}


static void
pki_token_keys_name(pki_token_set_t *set, const char *name)
{
    int  member;

    if (strcmp(name, "key_ops") == 0) {
        set->bad |= set->ops;
        set->ops = 1;
    }

    member = pki_token_keys_member(name);

    if (member >= 0) {
        set->bad |= (set->members >> member) & 1;
        set->members |= 1U << member;
    }
}


static void
pki_token_keys_value(pki_token_set_t *set, const pki_token_item_t *item)
{
    int                  member;
    const char          *name;
    pki_token_number_t  *number;

    name = item->path + sizeof("keys.") - 1;

    if (item->depth == 4 && item->arrays == 1
        && item->type == PKI_TOKEN_STRING && strcmp(name, "key_ops") == 0)
    {
        set->verify |= item->text.len == 6
                       && memcmp(item->text.data, "verify", 6) == 0;
        return;
    }

    member = item->depth == 3 ? pki_token_keys_member(name) : -1;

    if (member < 0) {
        return;
    }

    if (item->type != PKI_TOKEN_STRING) {
        set->bad = 1;

    } else if (member < PKI_TOKEN_N) {

        if (item->text.len >= PKI_TOKEN_TEXT || item->text.len == 0) {
            set->bad = 1;
            return;
        }

        memcpy(set->texts[member], item->text.data, item->text.len);

    } else {
        number = &set->numbers[member - PKI_TOKEN_N];

        if (pki_token_decoded_max(item->text.len) > PKI_TOKEN_NUMBER
            || pki_token_decode(item->text, number->octets, &number->len)
               != PKI_OK)
        {
            set->bad = 1;
        }
    }
}


/* -1: none that is known */

static int
pki_token_keys_member(const char *name)
{
    int  i;

    for (i = 0; i < PKI_TOKEN_MEMBERS_N; i++) {
        if (strcmp(name, pki_token_members[i]) == 0) {
            return i;
        }
    }

    return -1;
}


static pki_rc_t
pki_token_keys_add(pki_token_set_t *set, pki_err_t *err)
{
    pki_rc_t          rc;
    pki_token_key_t  *key;

    if (set->keys->n == PKI_TOKEN_KEYS) {
        return PKI_OK;
    }

    key = &set->keys->keys[set->keys->n];

    if (!pki_token_keys_fit(set, key)) {
        return PKI_OK;
    }

    rc = pki_token_keys_make(set, key, err);

    if (rc == PKI_OK) {
        memcpy(key->id, set->texts[PKI_TOKEN_KID], PKI_TOKEN_TEXT);
        set->keys->n++;
    }

    return rc == PKI_ERROR ? PKI_ERROR : PKI_OK;
}


/* Is it, by what it says, for signatures of a kind that is known here? */

static int
pki_token_keys_fit(pki_token_set_t *set, pki_token_key_t *key)
{
    const char   *use, *kty, *crv;
    pki_bytes_t   alg;

    kty = set->texts[PKI_TOKEN_KTY];
    use = set->texts[PKI_TOKEN_USE];
    crv = set->texts[PKI_TOKEN_CRV];

    if (set->bad || (use[0] && strcmp(use, "sig") != 0)
        || (set->ops && !set->verify))
    {
        return 0;
    }

    if (strcmp(kty, "RSA") == 0) {
        key->kind = PKI_TOKEN_RSA;

    } else if (strcmp(kty, "EC") == 0 && strcmp(crv, "P-256") == 0) {
        key->kind = PKI_TOKEN_P256;

    } else if (strcmp(kty, "EC") == 0 && strcmp(crv, "P-384") == 0) {
        key->kind = PKI_TOKEN_P384;

    } else {
        return 0;
    }

    key->alg = NULL;

    alg.data = (const unsigned char *) set->texts[PKI_TOKEN_ALG];
    alg.len = strlen(set->texts[PKI_TOKEN_ALG]);

    if (alg.len) {
        key->alg = pki_token_alg(alg);

        return key->alg && key->alg->kind == key->kind;
    }

    return 1;
}


/* PKI_INVALID: a weak key, or no key at all */

static pki_rc_t
pki_token_keys_make(pki_token_set_t *set, pki_token_key_t *key,
    pki_err_t *err)
{
    int              rc;
    BIGNUM          *n, *e;
    OSSL_PARAM      *params;
    EVP_PKEY_CTX    *ctx;
    unsigned char    point[PKI_TOKEN_POINT];
    OSSL_PARAM_BLD  *bld;

    n = NULL;
    e = NULL;
    params = NULL;
    key->key = NULL;

    ERR_clear_error();

    bld = OSSL_PARAM_BLD_new();
    ctx = EVP_PKEY_CTX_new_from_name(NULL, key->kind == PKI_TOKEN_RSA
                                           ? "RSA" : "EC", NULL);
    if (bld == NULL || ctx == NULL) {
        rc = -1;
        goto done;
    }

    rc = key->kind == PKI_TOKEN_RSA
         ? pki_token_keys_rsa(set, bld, &n, &e)
         : pki_token_keys_ec(set, bld, key->kind, point);

    if (rc != 1) {
        goto done;
    }

    params = OSSL_PARAM_BLD_to_param(bld);

    if (params == NULL || EVP_PKEY_fromdata_init(ctx) != 1) {
        rc = -1;
        goto done;
    }

    /* this is also where a point that is not on its curve is refused */

    rc = EVP_PKEY_fromdata(ctx, &key->key, EVP_PKEY_PUBLIC_KEY, params) == 1;

    if (rc == 0
        && pki_err_input(err, "a key that is none") == PKI_ERROR)
    {
        rc = -1;
    }

done:

    BN_free(n);
    BN_free(e);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);

    if (rc == -1) {
        pki_err_ssl(err, "no memory to read a key set");
        return PKI_ERROR;
    }

    ERR_clear_error();

    return rc == 1 ? PKI_OK : PKI_INVALID;
}


/* 1: it is; 0: it cannot be used; -1: memory */

static int
pki_token_keys_rsa(pki_token_set_t *set, OSSL_PARAM_BLD *bld, BIGNUM **n,
    BIGNUM **e)
{
    const pki_token_number_t  *modulus, *exponent;

    modulus = &set->numbers[0];
    exponent = &set->numbers[PKI_TOKEN_E - PKI_TOKEN_N];

    *n = BN_bin2bn(modulus->octets, (int) modulus->len, NULL);
    *e = BN_bin2bn(exponent->octets, (int) exponent->len, NULL);

    if (*n == NULL || *e == NULL) {
        return -1;
    }

    if (BN_num_bits(*n) < PKI_TOKEN_RSA_MIN
        || BN_num_bits(*n) > PKI_TOKEN_RSA_MAX || !BN_is_odd(*n)
        || BN_num_bits(*e) > PKI_TOKEN_E_MAX || !BN_is_odd(*e)
        || BN_is_one(*e))
    {
        return 0;
    }

    return OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, *n) == 1
           && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, *e) == 1
           ? 1 : -1;
}


/* RFC 7518, 6.2.1: coordinates have the full length of the field */

static int
pki_token_keys_ec(pki_token_set_t *set, OSSL_PARAM_BLD *bld,
    pki_token_kind_t kind, unsigned char *point)
{
    size_t                     half;
    const pki_token_number_t  *x, *y;

    x = &set->numbers[PKI_TOKEN_X - PKI_TOKEN_N];
    y = &set->numbers[PKI_TOKEN_Y - PKI_TOKEN_N];
    half = kind == PKI_TOKEN_P256 ? 32 : 48;

    if (x->len != half || y->len != half) {
        return 0;
    }

    point[0] = 4;           /* uncompressed; SEC 1, 2.3.3 */
    memcpy(point + 1, x->octets, half);
    memcpy(point + 1 + half, y->octets, half);

    return OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
                                           kind == PKI_TOKEN_P256
                                           ? "P-256" : "P-384", 0) == 1
           && OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY,
                                               point, 1 + 2 * half) == 1
           ? 1 : -1;
}

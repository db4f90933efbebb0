
/*
 * Tokens and key sets.  The first octet chooses: a token as it comes; a
 * header and claims, parted by a NUL, which are signed here, so that what is
 * behind the signature is reached; a key set, which a token is then checked
 * with.  What is accepted was in time and is told in names that a log line
 * can have; what is not is told on one line.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include "pki_token.h"


#define FUZZ_NOW   1787220000       /* 2026-08-20T10:00:00Z */
#define FUZZ_SKEW  60
#define FUZZ_HALF  32

#define fuzz_check(yes)                                                       \
    do {                                                                      \
        if (!(yes)) {                                                         \
            abort();                                                          \
        }                                                                     \
    } while (0)


/* the key of RFC 7515, A.3 */

static const char  fuzz_set[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";

static const unsigned char  fuzz_point[] = {
    0x04, 0x7f, 0xcd, 0xce, 0x27, 0x70, 0xf6, 0xc4, 0x5d, 0x41, 0x83, 0xcb,
    0xee, 0x6f, 0xdb, 0x4b, 0x7b, 0x58, 0x07, 0x33, 0x35, 0x7b, 0xe9, 0xef,
    0x13, 0xba, 0xcf, 0x6e, 0x3c, 0x7b, 0xd1, 0x54, 0x45, 0xc7, 0xf1, 0x44,
    0xcd, 0x1b, 0xbd, 0x9b, 0x7e, 0x87, 0x2c, 0xdf, 0xed, 0xb9, 0xee, 0xb9,
    0xf4, 0xb3, 0x69, 0x5d, 0x6e, 0xa9, 0x0b, 0x24, 0xad, 0x8a, 0x46, 0x23,
    0x28, 0x85, 0x88, 0xe5, 0xad
};

static const unsigned char  fuzz_private[FUZZ_HALF] = {
    0x8e, 0x9b, 0x10, 0x9e, 0x71, 0x90, 0x98, 0xbf, 0x98, 0x04, 0x87, 0xdf,
    0x1f, 0x5d, 0x77, 0xe9, 0xcb, 0x29, 0x60, 0x6e, 0xbe, 0xd2, 0x26, 0x3b,
    0x5f, 0x57, 0xc2, 0x13, 0xdf, 0x84, 0xf4, 0xb2
};

/* A.3's token: its claims have no audience */

static const char  fuzz_rfc[] =
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQog"
    "Imh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAq"
    "OyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

static const char  *const  fuzz_roles[] = { "Manage.All", "read" };


static EVP_PKEY *
fuzz_key(void)
{
    BIGNUM           *bn;
    EVP_PKEY         *key;
    OSSL_PARAM       *params;
    EVP_PKEY_CTX     *ctx;
    OSSL_PARAM_BLD   *bld;

    key = NULL;
    bn = BN_bin2bn(fuzz_private, FUZZ_HALF, NULL);
    bld = OSSL_PARAM_BLD_new();
    ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);

    fuzz_check(bn && bld && ctx
               && OSSL_PARAM_BLD_push_utf8_string(bld,
                      OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0)
               && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, bn)
               && OSSL_PARAM_BLD_push_octet_string(bld,
                      OSSL_PKEY_PARAM_PUB_KEY, fuzz_point,
                      sizeof(fuzz_point)));

    params = OSSL_PARAM_BLD_to_param(bld);
    fuzz_check(params && EVP_PKEY_fromdata_init(ctx) == 1
               && EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) == 1);

    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    BN_free(bn);

    return key;
}


static size_t
fuzz_base64url(const uint8_t *data, size_t len, char *text)
{
    size_t  i, n;

    n = (size_t) EVP_EncodeBlock((unsigned char *) text, data, (int) len);

    while (n && text[n - 1] == '=') {
        n--;
    }

    for (i = 0; i < n; i++) {
        text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    }

    return n;
}


/* header NUL claims, as a token that this key has signed */

static size_t
fuzz_token(const uint8_t *data, size_t size, char *token)
{
    char                 *p;
    size_t                len;
    EVP_MD_CTX           *ctx;
    ECDSA_SIG            *ecdsa;
    const uint8_t        *end;
    unsigned char         sig[128];
    const unsigned char  *der;

    static EVP_PKEY  *key;

    if (key == NULL) {
        key = fuzz_key();
    }

    end = size ? memchr(data, '\0', size) : NULL;
    end = end ? end : data + size;
    len = end - data;

    p = token + fuzz_base64url(data, len, token);
    *p++ = '.';
    p += len < size ? fuzz_base64url(end + 1, size - len - 1, p) : 0;

    len = sizeof(sig);
    der = sig;
    ctx = EVP_MD_CTX_new();

    fuzz_check(ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key)
               && EVP_DigestSign(ctx, sig, &len, (unsigned char *) token,
                                 p - token) == 1);
    EVP_MD_CTX_free(ctx);

    ecdsa = d2i_ECDSA_SIG(NULL, &der, len);
    fuzz_check(ecdsa && BN_bn2binpad(ECDSA_SIG_get0_r(ecdsa), sig, FUZZ_HALF)
                        == FUZZ_HALF
               && BN_bn2binpad(ECDSA_SIG_get0_s(ecdsa), sig + FUZZ_HALF,
                               FUZZ_HALF) == FUZZ_HALF);
    ECDSA_SIG_free(ecdsa);

    *p++ = '.';

    return p + fuzz_base64url(sig, 2 * FUZZ_HALF, p) - token;
}


static void
fuzz_text(const char *text)
{
    size_t  i, len;

    len = strlen(text);
    fuzz_check(len < PKI_TOKEN_TEXT);

    for (i = 0; i < len; i++) {
        fuzz_check((unsigned char) text[i] >= ' ' && text[i] != 0x7f);
    }
}


static void
fuzz_check_token(const char *token, size_t len, const pki_token_keys_t *keys)
{
    pki_rc_t             rc;
    pki_err_t            err;
    pki_bytes_t          bytes;
    pki_token_rules_t    rules;
    pki_token_claims_t   claims;

    memset(&rules, 0, sizeof(rules));

    rules.issuers[0] = "joe";
    rules.audiences[0] = "api";
    rules.roles_claim = "a.roles";
    rules.roles = fuzz_roles;
    rules.nroles = 2;
    rules.skew = FUZZ_SKEW;
    rules.now = FUZZ_NOW;

    bytes.data = (const unsigned char *) token;
    bytes.len = len;

    err.text[0] = '\0';
    rc = pki_token_check(bytes, keys, &rules, &claims, &err);

    if (rc == PKI_OK) {
        fuzz_check(claims.expires > FUZZ_NOW - FUZZ_SKEW);
        fuzz_check(claims.roles < 4);

        fuzz_text(claims.subject);
        fuzz_text(claims.object);
        fuzz_text(claims.user);
        fuzz_text(claims.client);
        fuzz_text(claims.id);

    } else {
        fuzz_check(rc == PKI_INVALID || rc == PKI_NOT_FOUND);
        fuzz_check(err.text[0] && strpbrk(err.text, "\r\n") == NULL);
        fuzz_check(claims.roles == 0 && claims.user[0] == '\0');
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char              *token;
    uint8_t            way;
    pki_err_t          err;
    pki_bytes_t        set;
    pki_token_keys_t  *keys;

    if (size == 0) {
        return 0;
    }

    way = *data++ % 3;
    size--;

    set.data = way == 2 ? data : (const unsigned char *) fuzz_set;
    set.len = way == 2 ? size : sizeof(fuzz_set) - 1;

    if (pki_token_keys_read(set, &keys, &err) != PKI_OK) {
        fuzz_check(way == 2 && keys == NULL && err.text[0]);
        return 0;
    }

    if (way == 1) {
        token = malloc(size * 2 + 256);
        fuzz_check(token);
        fuzz_check_token(token, fuzz_token(data, size, token), keys);
        free(token);

    } else if (way == 0) {
        fuzz_check_token((const char *) data, size, keys);

    } else {
        fuzz_check_token(fuzz_rfc, sizeof(fuzz_rfc) - 1, keys);
    }

    pki_token_keys_free(keys);

    return 0;
}

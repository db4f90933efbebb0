
/*
 * Tokens and key sets for the tests, made with OpenSSL alone.
 */

#ifndef PKI_TEST_TOKEN_H
#define PKI_TEST_TOKEN_H


#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>
#include "pki_test.h"
#include "pki_test_ca.h"


/* RFC 7515, 2; terminated; returns the length */

static size_t
pki_test_base64url(const void *data, size_t len, char *text)
{
    size_t  i, n;

    n = (size_t) EVP_EncodeBlock((unsigned char *) text, data, (int) len);

    while (n && text[n - 1] == '=') {
        n--;
    }

    for (i = 0; i < n; i++) {
        text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    }

    text[n] = '\0';

    return n;
}


/* "name":"number" of a key, of so many octets; 0: as few as it takes */

static char *
pki_test_jwk_number(char *p, EVP_PKEY *key, const char *param,
    const char *name, int octets)
{
    BIGNUM         *bn;
    unsigned char   bin[1024];

    bn = NULL;
    pki_test_need(EVP_PKEY_get_bn_param(key, param, &bn) == 1, param);

    octets = octets ? octets : BN_num_bytes(bn);
    pki_test_need(BN_bn2binpad(bn, bin, octets) == octets, name);
    BN_free(bn);

    p += sprintf(p, ",\"%s\":\"", name);
    p += pki_test_base64url(bin, (size_t) octets, p);

    return p + sprintf(p, "\"");
}


/* {"kty":...<more>}, terminated; more begins with a comma */

static char *
pki_test_jwk(char *p, EVP_PKEY *key, const char *more)
{
    int  bits;

    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
        p += sprintf(p, "{\"kty\":\"RSA\"");
        p = pki_test_jwk_number(p, key, OSSL_PKEY_PARAM_RSA_N, "n", 0);
        p = pki_test_jwk_number(p, key, OSSL_PKEY_PARAM_RSA_E, "e", 0);

    } else {
        bits = EVP_PKEY_get_bits(key);
        p += sprintf(p, "{\"kty\":\"EC\",\"crv\":\"P-%d\"", bits);
        p = pki_test_jwk_number(p, key, OSSL_PKEY_PARAM_EC_PUB_X, "x",
                                (bits + 7) / 8);
        p = pki_test_jwk_number(p, key, OSSL_PKEY_PARAM_EC_PUB_Y, "y",
                                (bits + 7) / 8);
    }

    return p + sprintf(p, "%s}", more);
}


/* DER to r || s */

static size_t
pki_test_raw_ecdsa(unsigned char *sig, size_t len, int half)
{
    ECDSA_SIG            *ecdsa;
    const unsigned char  *p;

    p = sig;
    ecdsa = d2i_ECDSA_SIG(NULL, &p, (long) len);
    pki_test_need(ecdsa != NULL, "ecdsa");

    pki_test_need(BN_bn2binpad(ECDSA_SIG_get0_r(ecdsa), sig, half) == half
                  && BN_bn2binpad(ECDSA_SIG_get0_s(ecdsa), sig + half, half)
                     == half, "r || s");
    ECDSA_SIG_free(ecdsa);

    return 2 * (size_t) half;
}


/*
 * A token, signed as its alg says: the digest by its last digits, PSS when
 * it begins with a P.
 */

static size_t
pki_test_jwt(char *token, EVP_PKEY *key, const char *alg, const char *header,
    const char *claims)
{
    char           *p;
    size_t          len;
    EVP_MD_CTX     *ctx;
    EVP_PKEY_CTX   *pctx;
    unsigned char   sig[1024];

    p = token;
    p += pki_test_base64url(header, strlen(header), p);
    *p++ = '.';
    p += pki_test_base64url(claims, strlen(claims), p);

    len = sizeof(sig);
    ctx = EVP_MD_CTX_new();

    pki_test_need(EVP_DigestSignInit(ctx, &pctx, alg[2] == '2' ? EVP_sha256()
                                     : alg[2] == '3' ? EVP_sha384()
                                     : EVP_sha512(), NULL, key) == 1, alg);

    if (alg[0] == 'P') {
        pki_test_need(EVP_PKEY_CTX_set_rsa_padding(pctx,
                                                   RSA_PKCS1_PSS_PADDING) == 1
                      && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, -1) == 1,
                      alg);
    }

    pki_test_need(EVP_DigestSign(ctx, sig, &len, (unsigned char *) token,
                                 (size_t) (p - token)) == 1, alg);
    EVP_MD_CTX_free(ctx);

    if (alg[0] == 'E') {
        len = pki_test_raw_ecdsa(sig, len, (EVP_PKEY_get_bits(key) + 7) / 8);
    }

    *p++ = '.';
    p += pki_test_base64url(sig, len, p);

    return (size_t) (p - token);
}


#endif /* PKI_TEST_TOKEN_H */


/*
 * The assertion by which a client shows its certificate's key: a JWT (RFC
 * 7523, 3) in the form that Entra documents, PS256 with x5t#S256.
 */

#include "pki_login_jwt.h"
#include "pki_json.h"

#include <stdio.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>


#define PKI_LOGIN_JWT_LIFE  480     /* Entra advises 5 to 10 minutes */
#define PKI_LOGIN_JWT_SALT  32      /* RFC 7518, 3.5: as long as the hash */
#define PKI_LOGIN_GUID      16      /* octets */
#define PKI_LOGIN_GUID_TEXT 37

#define pki_login_jwt_base64_size(len)  (((len) + 2) / 3 * 4 + 1)


static pki_rc_t pki_login_jwt_header(X509 *cert, pki_json_writer_t *w);
static pki_rc_t pki_login_jwt_claims(const char *url, const char *client,
    time_t now, pki_json_writer_t *w);
static pki_rc_t pki_login_jwt_sign(EVP_PKEY *key, const char *text,
    size_t len, unsigned char *sig, size_t *n);
static size_t pki_login_jwt_base64(const unsigned char *data, size_t len,
    char *text);


pki_rc_t
pki_login_jwt(const char *url, const char *client, X509 *cert, EVP_PKEY *key,
    time_t now, char **jwt, pki_err_t *err)
{
    char               *p;
    size_t              n;
    pki_rc_t            rc;
    pki_bytes_t         header, claims;
    unsigned char      *sig;
    pki_json_writer_t  *w, *v;

    sig = NULL;
    *jwt = NULL;
    rc = PKI_ERROR;

    w = pki_json_create();
    v = pki_json_create();

    if (w == NULL || v == NULL
        || pki_login_jwt_header(cert, w) != PKI_OK
        || pki_login_jwt_claims(url, client, now, v) != PKI_OK
        || pki_json_text(w, &header) != PKI_OK
        || pki_json_text(v, &claims) != PKI_OK)
    {
        goto done;
    }

    n = EVP_PKEY_get_size(key);
    sig = OPENSSL_malloc(n);
    *jwt = OPENSSL_zalloc(pki_login_jwt_base64_size(header.len)
                          + pki_login_jwt_base64_size(claims.len)
                          + pki_login_jwt_base64_size(n));

    if (sig == NULL || *jwt == NULL) {
        goto done;
    }

    p = *jwt;
    p += pki_login_jwt_base64(header.data, header.len, p);
    *p++ = '.';
    p += pki_login_jwt_base64(claims.data, claims.len, p);

    if (pki_login_jwt_sign(key, *jwt, p - *jwt, sig, &n) != PKI_OK) {
        goto done;
    }

    *p++ = '.';
    (void) pki_login_jwt_base64(sig, n, p);

    rc = PKI_OK;

done:

    if (rc != PKI_OK) {
        pki_err_ssl(err, "cannot make an assertion");
        OPENSSL_free(*jwt);
        *jwt = NULL;
    }

    pki_json_destroy(w);
    pki_json_destroy(v);
    OPENSSL_free(sig);

    return rc;
}


static pki_rc_t
pki_login_jwt_header(X509 *cert, pki_json_writer_t *w)
{
    char           text[pki_login_jwt_base64_size(SHA256_DIGEST_LENGTH)];
    unsigned       len;
    unsigned char  hash[EVP_MAX_MD_SIZE];

    if (X509_digest(cert, EVP_sha256(), hash, &len) != 1
        || len != SHA256_DIGEST_LENGTH)
    {
        return PKI_ERROR;
    }

    (void) pki_login_jwt_base64(hash, len, text);

    pki_json_object(w);
    pki_json_name(w, "alg");
    pki_json_string(w, "PS256");
    pki_json_name(w, "typ");
    pki_json_string(w, "JWT");
    pki_json_name(w, "x5t#S256");
    pki_json_string(w, text);
    pki_json_object_end(w);

    return PKI_OK;
}


static pki_rc_t
pki_login_jwt_claims(const char *url, const char *client, time_t now,
    pki_json_writer_t *w)
{
    char           guid[PKI_LOGIN_GUID_TEXT];
    unsigned char  r[PKI_LOGIN_GUID];

    if (RAND_bytes(r, PKI_LOGIN_GUID) != 1) {
        return PKI_ERROR;
    }

    /* RFC 4122, 4.4 */

    r[6] = (r[6] & 0x0f) | 0x40;
    r[8] = (r[8] & 0x3f) | 0x80;

    (void) snprintf(guid, PKI_LOGIN_GUID_TEXT,
                    "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
                    "%02x%02x%02x%02x%02x%02x",
                    r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8],
                    r[9], r[10], r[11], r[12], r[13], r[14], r[15]);

    pki_json_object(w);
    pki_json_name(w, "aud");
    pki_json_string(w, url);
    pki_json_name(w, "iss");
    pki_json_string(w, client);
    pki_json_name(w, "sub");
    pki_json_string(w, client);
    pki_json_name(w, "jti");
    pki_json_string(w, guid);
    pki_json_name(w, "iat");
    pki_json_integer(w, (long long) now);
    pki_json_name(w, "nbf");
    pki_json_integer(w, (long long) now);
    pki_json_name(w, "exp");
    pki_json_integer(w, (long long) now + PKI_LOGIN_JWT_LIFE);
    pki_json_object_end(w);

    return PKI_OK;
}


static pki_rc_t
pki_login_jwt_sign(EVP_PKEY *key, const char *text, size_t len,
    unsigned char *sig, size_t *n)
{
    pki_rc_t       rc;
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return PKI_ERROR;
    }

    rc = PKI_ERROR;

    if (EVP_DigestSignInit(ctx, &pctx, EVP_sha256(), NULL, key) == 1
        && EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1
        && EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, EVP_sha256()) == 1
        && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, PKI_LOGIN_JWT_SALT) == 1
        && EVP_DigestSign(ctx, sig, n, (const unsigned char *) text, len) == 1)
    {
        rc = PKI_OK;
    }

    EVP_MD_CTX_free(ctx);

    return rc;
}


/* RFC 7515, 2: the URL's alphabet, no padding.  Returns the length. */

static size_t
pki_login_jwt_base64(const unsigned char *data, size_t len, char *text)
{
    size_t  i, n;

    n = (size_t) EVP_EncodeBlock((unsigned char *) text, data, (int) len);

    while (n && text[n - 1] == '=') {
        n--;
    }

    text[n] = '\0';

    for (i = 0; i < n; i++) {
        if (text[i] == '+') {
            text[i] = '-';

        } else if (text[i] == '/') {
            text[i] = '_';
        }
    }

    return n;
}

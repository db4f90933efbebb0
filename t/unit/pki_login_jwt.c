
/*
 * pki_login_jwt.c: what is in an assertion, its signature by somebody else's
 * rules, and no memory at each step.
 */

#include "pki_test.h"
#include "pki_test_ca.h"
#include "pki_login_jwt.h"
#include "pki_json.h"

#include <openssl/rsa.h>
#include <openssl/sha.h>


#define TEST_URL     "https://login.test/t/oauth2/v2.0/token"
#define TEST_CLIENT  "a\"b\\c"
#define TEST_NOW     1787220000         /* 2026-08-20T10:00:00Z */
#define TEST_JTI     37


static size_t test_decode(const char *from, size_t len, unsigned char *to);
static int test_verify(const char *text, size_t len, unsigned char *sig,
    size_t n);
static void test_header(pki_bytes_t text);
static void test_claims(pki_bytes_t text, char *jti);
static void test_jwt(char *jti);
static void test_keys(void);
static void test_memory(void);


static EVP_PKEY  *test_key;
static X509      *test_cert;


int
main(void)
{
    char  one[TEST_JTI], two[TEST_JTI];

    pki_test_alloc_hook();

    test_key = pki_test_key("RSA2048");
    test_cert = pki_test_ca("client", test_key);

    test_jwt(one);
    test_jwt(two);
    ok(strcmp(one, two) != 0, "each has a jti of its own");

    test_keys();
    test_memory();

    X509_free(test_cert);
    EVP_PKEY_free(test_key);

    return pki_test_done();
}


/* base64url without padding; terminated */

static size_t
test_decode(const char *from, size_t len, unsigned char *to)
{
    char    text[2048];
    size_t  i, n;

    n = (len + 3) / 4 * 4;
    pki_test_need(n < sizeof(text), "base64");

    for (i = 0; i < n; i++) {
        text[i] = i >= len ? '='
                  : from[i] == '-' ? '+' : from[i] == '_' ? '/' : from[i];
    }

    pki_test_need(EVP_DecodeBlock(to, (unsigned char *) text, (int) n) >= 0,
                  "base64");

    n = len * 3 / 4;
    to[n] = '\0';

    return n;
}


static int
test_verify(const char *text, size_t len, unsigned char *sig, size_t n)
{
    int            rc;
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;

    ctx = EVP_MD_CTX_new();

    rc = EVP_DigestVerifyInit(ctx, &pctx, EVP_sha256(), NULL, test_key) == 1
         && EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1
         && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, 32) == 1
         && EVP_DigestVerify(ctx, sig, n, (const unsigned char *) text, len)
            == 1;

    EVP_MD_CTX_free(ctx);

    return rc;
}


static void
test_header(pki_bytes_t text)
{
    pki_err_t         err;
    unsigned char     octets[64], hash[SHA256_DIGEST_LENGTH];
    pki_json_field_t  header[] = {
        { .name = "alg", .required = 1, .max = 64 },
        { .name = "typ", .required = 1, .max = 64 },
        { .name = "x5t#S256", .required = 1, .max = 64 }
    };

    is_int(pki_json_read(text, header, 3, &err), PKI_OK, "header");
    is_str(header[0].string, "PS256", "alg");
    is_str(header[1].string, "JWT", "typ");
    is_int(header[2].len, 43, "x5t#S256 has no padding");

    pki_test_need(X509_digest(test_cert, EVP_sha256(), hash, NULL) == 1,
                  "digest");
    (void) test_decode(header[2].string, 43, octets);
    is_mem(octets, hash, SHA256_DIGEST_LENGTH, "x5t#S256");

    pki_json_free(header, 3);
}


static void
test_claims(pki_bytes_t text, char *jti)
{
    pki_err_t         err;
    pki_json_field_t  claims[] = {
        { .name = "aud", .required = 1, .max = 256 },
        { .name = "iss", .required = 1, .max = 256 },
        { .name = "sub", .required = 1, .max = 256 },
        { .name = "jti", .required = 1, .max = 63 },
        { .name = "iat", .type = PKI_JSON_INTEGER, .required = 1 },
        { .name = "nbf", .type = PKI_JSON_INTEGER, .required = 1 },
        { .name = "exp", .type = PKI_JSON_INTEGER, .required = 1 }
    };

    is_int(pki_json_read(text, claims, 7, &err), PKI_OK, "claims");
    is_str(claims[0].string, TEST_URL, "aud");
    is_str(claims[1].string, TEST_CLIENT, "iss");
    is_str(claims[2].string, TEST_CLIENT, "sub");
    is_int(claims[3].len, TEST_JTI - 1, "jti");
    ok(claims[3].string[14] == '4' && strchr("89ab", claims[3].string[19]),
       "jti is a random GUID");
    is_int(claims[4].integer, TEST_NOW, "iat");
    is_int(claims[5].integer, TEST_NOW, "nbf");
    ok(claims[6].integer >= TEST_NOW + 300
       && claims[6].integer <= TEST_NOW + 600, "exp");

    (void) snprintf(jti, TEST_JTI, "%s", claims[3].string);
    pki_json_free(claims, 7);
}


static void
test_jwt(char *jti)
{
    char           *jwt;
    size_t          n;
    pki_err_t       err;
    const char     *dot, *end;
    pki_bytes_t     text;
    unsigned char   octets[2048];

    is_int(pki_login_jwt(TEST_URL, TEST_CLIENT, test_cert, test_key, TEST_NOW,
                         &jwt, &err), PKI_OK, "assertion");

    dot = strchr(jwt, '.');
    end = dot ? strchr(dot + 1, '.') : NULL;
    pki_test_need(end != NULL, "three parts");

    text.data = octets;
    text.len = test_decode(jwt, dot - jwt, octets);
    test_header(text);

    text.len = test_decode(dot + 1, end - dot - 1, octets);
    test_claims(text, jti);

    n = test_decode(end + 1, strlen(end + 1), octets);
    is_int(n, 256, "signature's length");
    ok(test_verify(jwt, end - jwt, octets, n), "signature");
    is_int(strspn(jwt, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                       "0123456789-_."), strlen(jwt), "alphabet");

    OPENSSL_free(jwt);
}


static void
test_keys(void)
{
    char       *jwt;
    EVP_PKEY   *ec;
    pki_err_t   err;

    ec = pki_test_key("P-256");

    err.text[0] = '\0';
    is_int(pki_login_jwt(TEST_URL, TEST_CLIENT, test_cert, ec, TEST_NOW, &jwt,
                         &err), PKI_ERROR, "a key that cannot");
    ok(jwt == NULL && err.text[0], "is told: \"%s\"", err.text);

    EVP_PKEY_free(ec);
}


static void
test_memory(void)
{
    int         wrong;
    long        n;
    char       *jwt;
    pki_rc_t    rc;
    pki_err_t   err;

    for (n = 1, wrong = 0; n < 5000; n++) {
        err.text[0] = '\0';

        pki_test_fail_at(n);
        rc = pki_login_jwt(TEST_URL, TEST_CLIENT, test_cert, test_key,
                           TEST_NOW, &jwt, &err);

        wrong += rc == PKI_OK ? jwt == NULL : jwt != NULL || !err.text[0];
        OPENSSL_free(jwt);

        if (!pki_test_fail_hit()) {
            break;
        }
    }

    pki_test_fail_at(0);

    ok(n > 5 && n < 5000, "%ld allocations", n - 1);
    is_int(wrong, 0, "each that fails is told");
}

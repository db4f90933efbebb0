
/*
 * pki_token_keys.c: key sets that are none, keys that are passed over, how
 * many count, and no memory at each step.
 */

#include "pki_test.h"
#include "pki_test_ca.h"
#include "pki_test_token.h"
#include "pki_token.h"


typedef struct {
    const char  *text;
    const char  *error;
} test_case_t;


static pki_token_keys_t *test_keys(const char *text);
static pki_rc_t test_check(const pki_token_keys_t *keys, EVP_PKEY *key,
    const char *alg, const char *id);
static void test_make(void);
static void test_sets(void);
static void test_set_keys(void);
static void test_memory(void);


static EVP_PKEY   *test_rsa, *test_weak, *test_p256, *test_p384, *test_p521;
static char        test_set[16384];
static pki_err_t   test_err;


int
main(void)
{
    pki_test_alloc_hook();

    test_make();

    test_sets();
    test_set_keys();
    test_memory();

    EVP_PKEY_free(test_rsa);
    EVP_PKEY_free(test_weak);
    EVP_PKEY_free(test_p256);
    EVP_PKEY_free(test_p384);
    EVP_PKEY_free(test_p521);

    return pki_test_done();
}


static pki_token_keys_t *
test_keys(const char *text)
{
    pki_bytes_t        bytes;
    pki_token_keys_t  *keys;

    bytes.data = (const unsigned char *) text;
    bytes.len = strlen(text);

    test_err.text[0] = '\0';

    if (pki_token_keys_read(bytes, &keys, &test_err) != PKI_OK) {
        pki_test_need(keys == NULL && test_err.text[0] != '\0', "no set");
        return NULL;
    }

    return keys;
}


/* a token that this key has signed */

static pki_rc_t
test_check(const pki_token_keys_t *keys, EVP_PKEY *key, const char *alg,
    const char *id)
{
    char                 token[4096], header[256];
    pki_bytes_t          bytes;
    pki_token_rules_t    rules;
    pki_token_claims_t   claims;

    memset(&rules, 0, sizeof(rules));

    rules.issuers[0] = "i";
    rules.audiences[0] = "a";
    rules.roles_claim = "roles";
    rules.now = 1000;

    (void) sprintf(header, "{\"alg\":\"%s\",\"kid\":\"%s\"}", alg, id);

    bytes.len = pki_test_jwt(token, key, alg, header,
                             "{\"iss\":\"i\",\"aud\":\"a\",\"exp\":2000}");
    bytes.data = (unsigned char *) token;

    return pki_token_check(bytes, keys, &rules, &claims, &test_err);
}


static void
test_make(void)
{
    char  *p;

    test_rsa = pki_test_key("RSA2048");
    test_weak = pki_test_key("RSA1024");
    test_p256 = pki_test_key("P-256");
    test_p384 = pki_test_key("P-384");
    test_p521 = pki_test_key("P-521");

    p = test_set + sprintf(test_set, "{\"keys\":[");
    p = pki_test_jwk(p, test_rsa, ",\"kid\":\"rsa\"");
    *p++ = ',';
    p = pki_test_jwk(p, test_p384, ",\"kid\":\"p384\"");
    (void) sprintf(p, "]}");
}


static const test_case_t  test_set_cases[] = {
    { "{}", "it has no \"keys\"" },
    { "{\"Keys\":[]}", "it has no \"keys\"" },
    { "{\"a\":{\"keys\":[]}}", "it has no \"keys\"" },
    { "{\"keys\":[]}", "none of its keys can be used" },
    { "{\"keys\":[{}]}", "none of its keys can be used" },
    { "{\"keys\":[null,1,\"a\",[],[{}]]}", "none of its keys can be used" },
    { "{\"keys\":{}}", "its \"keys\" are not an array" },
    { "{\"keys\":null}", "its \"keys\" are not an array" },
    { "{\"keys\":[],\"keys\":[]}", "it has \"keys\" twice" },
    { "[]", "it is not a JSON object" },
    { "", "it is not JSON" },
    { "<html>", "it is not JSON" },
    { "{\"keys\":[", "it is not JSON" },
    { "{\"keys\":\"\xff\"}", "it is not UTF-8" },
    { "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\",\"kid\":\"a\"}]}",
      "none of its keys can be used" },
    { "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\"}]}",
      "none of its keys can be used" },
    { "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\","
      "\"y\":\"AAAA\"}]}", "none of its keys can be used" },
    { "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
      "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
      "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}",
      "none of its keys can be used" }
};


static void
test_sets(void)
{
    char               *text;
    size_t              i, n, len;
    char                want[PKI_ERR_LEN];
    pki_bytes_t         bytes;
    pki_token_keys_t   *keys;

    for (i = 0; i < sizeof(test_set_cases) / sizeof(test_case_t); i++) {
        ok(test_keys(test_set_cases[i].text) == NULL, "%s",
           test_set_cases[i].text);
        (void) snprintf(want, sizeof(want), "the key set is not valid: %s",
                        test_set_cases[i].error);
        is_str(test_err.text, want, "%s: said so", test_set_cases[i].text);
    }

    len = strlen(test_set);

    for (n = 0; n < len; n++) {
        text = malloc(n + !n);
        pki_test_need(text != NULL, "memory");
        memcpy(text, test_set, n);

        bytes.data = (unsigned char *) text;
        bytes.len = n;

        if (pki_token_keys_read(bytes, &keys, &test_err) != PKI_INVALID) {
            free(text);
            break;
        }

        free(text);
    }

    is_int(n, len, "each truncation of a set is refused");

    text = malloc(PKI_TOKEN_KEYS_MAX + 1);
    pki_test_need(text != NULL, "memory");
    memset(text, ' ', PKI_TOKEN_KEYS_MAX + 1);
    memcpy(text, test_set, len);

    bytes.data = (unsigned char *) text;
    bytes.len = PKI_TOKEN_KEYS_MAX;
    is_int(pki_token_keys_read(bytes, &keys, &test_err), PKI_OK,
           "a large set");
    pki_token_keys_free(keys);

    bytes.len++;
    is_int(pki_token_keys_read(bytes, &keys, &test_err), PKI_INVALID,
           "one that is too large");
    is_str(test_err.text, "the key set is larger than 262144 octets",
           "is told");
    free(text);

    pki_token_keys_free(NULL);
}


/* what of a key makes it one that is passed over */

static void
test_set_keys(void)
{
    char              *p, *set;
    int                i;
    EVP_PKEY          *key;
    pki_token_keys_t  *keys;

    static const struct {
        const char  *more;
        int          used;
    } cases[] = {
        { "", 1 },
        { ",\"use\":\"sig\",\"key_ops\":[\"sign\",\"verify\"]", 1 },
        { ",\"x5c\":[\"a\"],\"x5t\":\"b\",\"issuer\":{\"kty\":1}", 1 },
        { ",\"use\":\"enc\"", 0 },
        { ",\"use\":7", 0 },
        { ",\"key_ops\":[\"encrypt\"]", 0 },
        { ",\"key_ops\":\"verify\"", 0 },
        { ",\"key_ops\":[\"verify\"],\"key_ops\":[]", 0 },
        { ",\"alg\":\"ES256\"", 0 },
        { ",\"alg\":\"RSA-OAEP\"", 0 },
        { ",\"alg\":\"HS256\"", 0 },
        { ",\"kty\":\"RSA\"", 0 },
        { ",\"n\":\"AQAB\"", 0 },
        { ",\"kid\":\"a\",\"kid\":\"b\"", 0 },
        { ",\"kid\":1", 0 }
    };

    set = malloc(PKI_TOKEN_KEYS_MAX);
    pki_test_need(set != NULL, "memory");

    for (i = 0; i < (int) (sizeof(cases) / sizeof(cases[0])); i++) {
        p = set + sprintf(set, "{\"keys\":[");
        p = pki_test_jwk(p, test_rsa, cases[i].more);
        (void) sprintf(p, "]}");

        keys = test_keys(set);
        is_int(keys != NULL, cases[i].used, "a key with \"%s\"",
               cases[i].more);
        pki_token_keys_free(keys);
    }

    p = set + sprintf(set, "{\"keys\":[");
    p = pki_test_jwk(p, test_weak, "");
    *p++ = ',';
    p = pki_test_jwk(p, test_p521, "");
    (void) sprintf(p, "]}");
    ok(test_keys(set) == NULL, "RSA of 1024 bits and P-521");

    /* 64 of them count */

    p = set + sprintf(set, "{\"keys\":[");

    for (i = 0; i < PKI_TOKEN_KEYS; i++) {
        key = i == PKI_TOKEN_KEYS - 1 ? test_p256 : test_p384;
        p = pki_test_jwk(p, key, i == PKI_TOKEN_KEYS - 1
                                 ? ",\"kid\":\"p256\"" : "");
        *p++ = ',';
    }

    p = pki_test_jwk(p, test_rsa, ",\"kid\":\"rsa\"");
    (void) sprintf(p, "]}");

    keys = test_keys(set);
    pki_test_need(keys != NULL, test_err.text);

    is_int(test_check(keys, test_p256, "ES256", "p256"), PKI_OK,
           "the 64th key");
    is_int(test_check(keys, test_rsa, "RS256", "rsa"), PKI_NOT_FOUND,
           "the 65th");

    pki_token_keys_free(keys);
    free(set);
}


static void
test_memory(void)
{
    long               n;
    size_t             wrong;
    pki_rc_t           rc;
    pki_bytes_t        bytes;
    pki_token_keys_t  *keys;

    bytes.data = (unsigned char *) test_set;
    bytes.len = strlen(test_set);

    for (n = 1, wrong = 0; n < 10000; n++) {
        test_err.text[0] = '\0';

        pki_test_fail_at(n);
        rc = pki_token_keys_read(bytes, &keys, &test_err);
        wrong += rc == PKI_OK ? keys == NULL
                              : keys != NULL || !test_err.text[0];
        pki_token_keys_free(keys);

        if (!pki_test_fail_hit()) {
            break;
        }
    }

    pki_test_fail_at(0);
    ok(n > 20 && n < 10000, "%ld allocations for a set", n - 1);
    is_int(wrong, 0, "each that fails is told");
    is_int(rc, PKI_OK, "then it is read");
}


/*
 * pki_token.c: the vectors of RFC 7515, each algorithm, each claim, and what
 * has been tried against others: "none", a public key as a secret, keys that
 * a token brings along.
 */

#include "pki_test.h"
#include "pki_test_ca.h"
#include "pki_test_token.h"
#include "pki_token.h"

#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>


#define TEST_NOW     1787220000         /* 2026-08-20T10:00:00Z */
#define TEST_ISS     "https://login.test/t/v2.0"
#define TEST_AUD     "api://pki"
#define TEST_CLAIMS  "{\"iss\":\"" TEST_ISS "\",\"aud\":\"" TEST_AUD "\","    \
                     "\"exp\":1787223600"
#define TEST_ALL     TEST_CLAIMS "}"
#define TEST_HEADER  "{\"alg\":\"ES256\",\"kid\":\"p256\"}"


typedef struct {
    const char  *text;
    const char  *error;                 /* NULL: it is accepted */
} test_case_t;


static pki_token_keys_t *test_keys(const char *text);
static pki_rc_t test_check(size_t len);
static void test_refused(size_t len, const char *error, const char *what);
static void test_make(void);

static void test_rfc(void);
static void test_algs(void);
static void test_headers(void);
static void test_claims(void);
static void test_times(void);
static void test_roles(void);
static void test_kept(void);
static void test_confusion(void);
static void test_choice(void);
static void test_broken(void);
static void test_memory(void);


static const char  *const test_role_names[] = {
    "CSR.Request.Db", "Manage.All", "read"
};


static pki_token_rules_t  test_rules = {
    { TEST_ISS, "https://sts.test/t/", "joe" },
    { TEST_AUD, "8e6d2ac7-0000-4000-8000-000000000001" },
    "roles", test_role_names, 3, 60, TEST_NOW
};


static EVP_PKEY            *test_rsa, *test_weak, *test_p256, *test_p384;
static char                 test_set[16384];
static char                 test_token[3 * PKI_TOKEN_MAX];
static pki_token_keys_t    *test_all;
static pki_token_claims_t   test_out;
static pki_err_t            test_err;


int
main(void)
{
    pki_test_alloc_hook();

    test_make();

    test_rfc();
    test_algs();
    test_headers();
    test_claims();
    test_times();
    test_roles();
    test_kept();
    test_confusion();
    test_choice();
    test_broken();
    test_memory();

    pki_token_keys_free(test_all);
    EVP_PKEY_free(test_rsa);
    EVP_PKEY_free(test_weak);
    EVP_PKEY_free(test_p256);
    EVP_PKEY_free(test_p384);

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


/* a copy of the exact size, so that a read beyond it is seen */

static pki_rc_t
test_check(size_t len)
{
    pki_rc_t        rc;
    pki_bytes_t     bytes;
    unsigned char  *copy;

    copy = malloc(len + !len);
    pki_test_need(copy != NULL, "memory");
    memcpy(copy, test_token, len);

    bytes.data = copy;
    bytes.len = len;

    test_err.text[0] = '\0';
    rc = pki_token_check(bytes, test_all, &test_rules, &test_out, &test_err);

    free(copy);

    return rc;
}


static void
test_refused(size_t len, const char *error, const char *what)
{
    is_int(test_check(len), PKI_INVALID, "%s", what);
    is_str(test_err.text, error, "%s: said so", what);
}


static void
test_make(void)
{
    char  *p;

    test_rsa = pki_test_key("RSA2048");
    test_weak = pki_test_key("RSA1024");
    test_p256 = pki_test_key("P-256");
    test_p384 = pki_test_key("P-384");

    p = test_set;
    p += sprintf(p, "{\"keys\":[");
    p = pki_test_jwk(p, test_rsa, ",\"kid\":\"rsa\",\"use\":\"sig\"");
    *p++ = ',';
    p = pki_test_jwk(p, test_p256, ",\"kid\":\"p256\","
                     "\"key_ops\":[\"verify\"],\"alg\":\"ES256\"");
    *p++ = ',';
    p = pki_test_jwk(p, test_p384, ",\"kid\":\"p384\",\"x5c\":[\"AA==\"]");
    (void) sprintf(p, "],\"more\":{\"keys\":1}}");

    test_all = test_keys(test_set);
    pki_test_need(test_all != NULL, test_err.text);
}


/* RFC 7515, A.2 and A.3; they have no audience, which is looked at last */

static void
test_rfc(void)
{
    pki_token_keys_t  *all;

    all = test_all;

    test_all = test_keys("{\"keys\":[{\"kty\":\"RSA\",\"n\":\""
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Va"
        "w-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32"
        "690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBd"
        "QOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJ"
        "H7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FR"
        "WyuXpoQ\",\"e\":\"AQAB\"},{\"kty\":\"EC\",\"crv\":\"P-256\","
        "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}");
    pki_test_need(test_all != NULL, test_err.text);

    strcpy(test_token,
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQ"
        "ogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3"
        "hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
        "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTy"
        "WzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--"
        "xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8n"
        "p6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw");

    test_refused(strlen(test_token), "the token's \"aud\" is not this "
                 "service", "RFC 7515, A.2: its signature is right");

    strcpy(test_token,
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQ"
        "ogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWA"
        "fUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1"
        "Q");

    test_refused(strlen(test_token), "the token's \"aud\" is not this "
                 "service", "RFC 7515, A.3: its signature is right");

    test_token[strlen(test_token) - 3] ^= 1;
    test_refused(strlen(test_token), "the token's signature is not valid",
                 "A.3 with another bit");

    pki_token_keys_free(test_all);
    test_all = all;
}


static void
test_algs(void)
{
    char      header[256];
    size_t    i, k, len;
    pki_rc_t  want;

    static const char  *const algs[] = {
        "RS256", "RS384", "RS512", "PS256", "ES256", "ES384"
    };

    static const char  *const ids[] = { "rsa", "p256", "p384" };

    EVP_PKEY  *keys[] = { test_rsa, test_p256, test_p384 };

    /* each algorithm with each key: an EC key signs what it is asked to */

    for (i = 0; i < 6; i++) {
        for (k = 0; k < 3; k++) {
            if ((k == 0) != (i < 4)) {
                continue;
            }

            (void) sprintf(header, "{\"alg\":\"%s\",\"kid\":\"%s\"}", algs[i],
                           ids[k]);
            len = pki_test_jwt(test_token, keys[k], algs[i], header,
                               TEST_ALL);

            want = i < 4 || i - 3 == k ? PKI_OK : PKI_INVALID;
            is_int(test_check(len), want, "%s with %s", algs[i], ids[k]);
        }
    }

    len = pki_test_jwt(test_token, test_rsa, "RS512",
                       "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", TEST_ALL);
    test_refused(len, "the token's signature is not valid",
                 "RS512 that says RS256");

    len = pki_test_jwt(test_token, test_rsa, "RS256",
                       "{\"alg\":\"PS256\",\"kid\":\"rsa\"}", TEST_ALL);
    test_refused(len, "the token's signature is not valid",
                 "RS256 that says PS256");
}


#define ALG  "\"alg\":\"ES256\",\"kid\":\"p256\""

static const test_case_t  test_header_cases[] = {

    { "{" ALG "}", NULL },
    { "{" ALG ",\"typ\":\"JWT\"}", NULL },
    { "{" ALG ",\"typ\":\"jwt\"}", NULL },
    { "{" ALG ",\"typ\":\"at+jwt\"}", NULL },
    { "{" ALG ",\"typ\":\"application/at+jwt\"}", NULL },
    { "{" ALG ",\"x\":{\"alg\":\"none\",\"crit\":[]},\"x5t\":\"a\"}", NULL },
    { "{" ALG ",\"jwk\":{\"kty\":\"EC\"},\"jku\":\"http://127.0.0.1/\"}",
      NULL },

    { "{" ALG ",\"typ\":\"logout+jwt\"}",
      "the token's header: \"typ\" is not that of an access token" },
    { "{" ALG ",\"typ\":1}", "the token's header: \"typ\" is not a string" },
    { "{" ALG ",\"crit\":[\"exp\"]}",
      "the token's header: \"crit\" is not known here" },
    { "{" ALG ",\"crit\":null}",
      "the token's header: \"crit\" is not known here" },
    { "{" ALG ",\"alg\":\"ES256\"}",
      "the token's header: \"alg\" is given twice" },
    { "{" ALG ",\"kid\":\"p256\"}",
      "the token's header: \"kid\" is given twice" },
    { "{" ALG ",\"\\u0061lg\":\"none\"}",
      "the token's header: \"alg\" is given twice" },
    { "{\"kid\":\"p256\"}", "the token's \"alg\" is missing" },
    { "{}", "the token's \"alg\" is missing" },
    { "{\"alg\":\"none\"}",
      "the token's header: \"alg\" is not one that is accepted" },
    { "{\"alg\":\"None\"}",
      "the token's header: \"alg\" is not one that is accepted" },
    { "{\"alg\":\"es256\"}",
      "the token's header: \"alg\" is not one that is accepted" },
    { "{\"alg\":\"ES256 \"}",
      "the token's header: \"alg\" is not one that is accepted" },
    { "{\"alg\":\"HS256\",\"kid\":\"p256\"}",
      "the token's header: \"alg\" is not one that is accepted" },
    { "{\"alg\":\"ES512\"}",
      "the token's header: \"alg\" is not one that is accepted" },
    { "{\"alg\":\"\"}",
      "the token's header: \"alg\" is not one that is accepted" },
    { "{\"alg\":null}", "the token's header: \"alg\" is not a string" },
    { "{\"alg\":[\"ES256\"]}", "the token's header: \"alg\" is not a string" },
    { "{\"alg\":{\"alg\":\"ES256\"}}",
      "the token's header: \"alg\" is not a string" },
    { "{\"alg\":\"RS256\",\"kid\":\"p256\"}",
      "the token's \"alg\" does not fit its key" },
    { "{\"alg\":\"ES256\",\"kid\":7}",
      "the token's header: \"kid\" is not a string" },
    { "{\"alg\":\"ES256\",\"kid\":\"p\\u000a256\"}",
      "the token's header: \"kid\" holds a control character" },
    { "{\"alg\":\"ES256\",\"kid\":\"p256\\u0000\"}", "the token's header: a "
      "string in it holds a NUL, or half a surrogate pair" },
    { "{\"alg\":\"ES256\",\"kid\":\"\\ud800\"}", "the token's header: a "
      "string in it holds a NUL, or half a surrogate pair" },
    { "{\"alg\":\"ES256\",\"kid\":\"\xc0\xaf\"}",
      "the token's header: it is not UTF-8" },
    { "[\"alg\"]", "the token's header: it is not a JSON object" },
    { "\"alg\"", "the token's header: it is not a JSON object" },
    { "", "the token's header: it is not JSON" },
    { "{", "the token's header: it is not JSON" },
    { "{}{" ALG "}", "the token's header: it is not JSON" },
    { "{" ALG ",\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}",
      "the token's header: it is nested too deeply" }
};


static void
test_headers(void)
{
    char                big[1024];
    size_t              i, len;
    const test_case_t  *c;

    for (i = 0; i < sizeof(test_header_cases) / sizeof(test_case_t); i++) {
        c = &test_header_cases[i];
        len = pki_test_jwt(test_token, test_p256, "ES256", c->text, TEST_ALL);

        if (c->error) {
            test_refused(len, c->error, c->text);

        } else {
            is_int(test_check(len), PKI_OK, "%s", c->text);
        }
    }

    memset(big, 'a', sizeof(big));
    (void) memcpy(big, "{\"alg\":\"ES256\",\"kid\":\"", 22);
    (void) strcpy(big + 22 + PKI_TOKEN_TEXT, "\"}");
    len = pki_test_jwt(test_token, test_p256, "ES256", big, TEST_ALL);
    test_refused(len, "the token's header: \"kid\" is longer than 255 octets",
                 "a long kid");

    memset(big, 'a', sizeof(big));
    (void) memcpy(big, "{\"", 2);
    (void) strcpy(big + 2 + PKI_TOKEN_TEXT, "\":1}");
    len = pki_test_jwt(test_token, test_p256, "ES256", big, TEST_ALL);
    test_refused(len, "the token's header: the name of a member is too long",
                 "a long name");
}


#define ISS  "\"iss\":\"" TEST_ISS "\""
#define AUD  "\"aud\":\"" TEST_AUD "\""
#define EXP  "\"exp\":1787223600"
#define C(text)  "the token's claims: " text

static const test_case_t  test_claim_cases[] = {

    { "{" ISS "," AUD "," EXP "}", NULL },
    { "{\"iss\":\"https:\\/\\/sts.test\\/t\\/\"," AUD "," EXP "}", NULL },
    { "{" ISS "," EXP ",\"aud\":\"8e6d2ac7-0000-4000-8000-000000000001\"}",
      NULL },
    { "{" ISS "," EXP ",\"aud\":[\"x\",\"" TEST_AUD "\",\"y\"]}", NULL },
    { "{" ISS "," AUD "," EXP ",\"sub\":null,\"nbf\":null}", NULL },
    { "{" ISS "," AUD "," EXP ",\"a\":{\"exp\":1,\"exp\":2,\"iss\":3}}",
      NULL },

    { "{" AUD "," EXP "}", "the token's \"iss\" is not one that is trusted" },
    { "{\"iss\":\"" TEST_ISS "/\"," AUD "," EXP "}",
      "the token's \"iss\" is not one that is trusted" },
    { "{\"iss\":\"\"," AUD "," EXP "}",
      "the token's \"iss\" is not one that is trusted" },
    { "{\"a\":{" ISS "}," AUD "," EXP "}",
      "the token's \"iss\" is not one that is trusted" },
    { "{\"\":{" ISS "}," AUD "," EXP "}",
      "the token's \"iss\" is not one that is trusted" },
    { "{\"iss\":[\"" TEST_ISS "\"]," AUD "," EXP "}",
      C("\"iss\" is not a string") },
    { "{" ISS "," ISS "," AUD "," EXP "}", C("\"iss\" is given twice") },
    { "{" ISS "," EXP "}", "the token's \"aud\" is not this service" },
    { "{" ISS "," EXP ",\"aud\":\"api://other\"}",
      "the token's \"aud\" is not this service" },
    { "{" ISS "," EXP ",\"aud\":\"\"}",
      "the token's \"aud\" is not this service" },
    { "{" ISS "," EXP ",\"aud\":[]}",
      "the token's \"aud\" is not this service" },
    { "{" ISS "," EXP ",\"aud\":[[\"" TEST_AUD "\"]]}",
      C("\"aud\" is not a string") },
    { "{" ISS "," EXP ",\"aud\":{\"aud\":\"" TEST_AUD "\"}}",
      C("\"aud\" is not a string") },
    { "{" ISS "," EXP ",\"aud\":[1,\"" TEST_AUD "\"]}",
      C("\"aud\" is not a string") },
    { "{" ISS "," AUD "," AUD "," EXP "}", C("\"aud\" is given twice") },
    { "{" ISS "," AUD "," EXP "," EXP "}", C("\"exp\" is given twice") },
    { "{" ISS "," AUD "," EXP ",\"oid\":\"a\",\"oid\":\"b\"}",
      C("\"oid\" is given twice") },
    { "{" ISS "," AUD "," EXP ",\"roles\":[],\"roles\":[\"read\"]}",
      C("\"roles\" is given twice") },
    { "{" ISS "," AUD "}", "the token has no \"exp\"" },
    { "{" ISS "," AUD ",\"exp\":null}", "the token has no \"exp\"" },
    { "{" ISS "," AUD ",\"exp\":\"1787223600\"}",
      C("\"exp\" is not a number") },
    { "{" ISS "," AUD ",\"exp\":[1787223600]}",
      C("\"exp\" is not a number") },
    { "{" ISS "," AUD "," EXP ",\"nbf\":true}",
      C("\"nbf\" is not a number") },
    { "{" ISS "," AUD "," EXP ",\"sub\":1}", C("\"sub\" is not a string") },
    { "{" ISS "," AUD "," EXP ",\"upn\":\"a\\nb\"}",
      C("\"upn\" holds a control character") },
    { "{" ISS "," AUD "," EXP ",\"upn\":\"a\\u007f\"}",
      C("\"upn\" holds a control character") },
    { "{" ISS "," AUD "," EXP ",\"a\\u0000\":1}", C("the name of a member "
      "holds a NUL, or half a surrogate pair") },
    { "{" ISS "," AUD "," EXP "},", C("it is not JSON") }
};


static void
test_claims(void)
{
    char                big[1024];
    size_t              i, len;
    const test_case_t  *c;

    for (i = 0; i < sizeof(test_claim_cases) / sizeof(test_case_t); i++) {
        c = &test_claim_cases[i];
        len = pki_test_jwt(test_token, test_p256, "ES256", TEST_HEADER,
                           c->text);

        if (c->error) {
            test_refused(len, c->error, c->text);

        } else {
            is_int(test_check(len), PKI_OK, "%s", c->text);
        }
    }

    (void) sprintf(big, TEST_CLAIMS ",\"sub\":\"%0255d\"}", 0);
    len = pki_test_jwt(test_token, test_p256, "ES256", TEST_HEADER, big);
    is_int(test_check(len), PKI_OK, "a long sub");
    is_int(strlen(test_out.subject), 255, "as a whole");

    (void) sprintf(big, TEST_CLAIMS ",\"sub\":\"%0256d\"}", 0);
    len = pki_test_jwt(test_token, test_p256, "ES256", TEST_HEADER, big);
    test_refused(len, C("\"sub\" is longer than 255 octets"),
                 "a sub that is too long");
    is_str(test_out.subject, "", "nothing of it is told");
}


typedef struct {
    const char  *text;
    long long    value;                 /* that "exp" is read as */
} test_time_t;


static const test_time_t  test_exps[] = {
    { "1787223600", 1787223600 },
    { "1787223600.999", 1787223600 },
    { "1787223600.0000000000000000000000000000001", 1787223600 },
    { "1.7872236e9", 1787223600 },
    { "1.7872236E+09", 1787223600 },
    { "178722360000e-2", 1787223600 },
    { "0.000000000000000000000000000017872236e38", 1787223600 },
    { "9223372036854775807", 253402300799LL },
    { "9223372036854775808", 253402300799LL },
    { "1e400", 253402300799LL },
    { "1e999999999999999999999", 253402300799LL },
    { "99999999999999999999999999999999999999999999", 253402300799LL }
};


static const struct {
    const char  *text;                  /* added to iss and aud */
    time_t       now;
    const char  *error;
} test_edges[] = {
    { "\"exp\":1000", 1059, NULL },
    { "\"exp\":1000", 1060, "the token has expired" },
    { "\"exp\":1000", TEST_NOW, "the token has expired" },
    { "\"exp\":0", TEST_NOW, "the token has expired" },
    { "\"exp\":-1", TEST_NOW, "the token has expired" },
    { "\"exp\":-1e30", TEST_NOW, "the token has expired" },
    { "\"exp\":1e-30", TEST_NOW, "the token has expired" },
    { "\"exp\":1787223600e-1", TEST_NOW, "the token has expired" },
    { "\"exp\":5000,\"nbf\":1000", 940, NULL },
    { "\"exp\":5000,\"nbf\":1000", 939, "the token is not valid yet" },
    { "\"exp\":5000,\"nbf\":1e300", 1000, "the token is not valid yet" },
    { "\"exp\":5000,\"nbf\":-5", 1000, NULL },
    { "\"exp\":5000,\"iat\":1000.9", 940, NULL },
    { "\"exp\":5000,\"iat\":1000.9", 939,
      "the token's \"iat\" is in the future" },
    { "\"exp\":1000,\"nbf\":2000", 1500, "the token has expired" }
};


static void
test_times(void)
{
    char    claims[512];
    size_t  i, len;

    for (i = 0; i < sizeof(test_exps) / sizeof(test_exps[0]); i++) {
        (void) sprintf(claims, "{" ISS "," AUD ",\"exp\":%s}",
                       test_exps[i].text);
        len = pki_test_jwt(test_token, test_p256, "ES256", TEST_HEADER,
                           claims);

        is_int(test_check(len), PKI_OK, "exp %s", test_exps[i].text);
        is_int(test_out.expires, test_exps[i].value, "exp %s: its value",
               test_exps[i].text);
    }

    for (i = 0; i < sizeof(test_edges) / sizeof(test_edges[0]); i++) {
        (void) sprintf(claims, "{" ISS "," AUD ",%s}", test_edges[i].text);
        len = pki_test_jwt(test_token, test_p256, "ES256", TEST_HEADER,
                           claims);

        test_rules.now = test_edges[i].now;

        if (test_edges[i].error) {
            test_refused(len, test_edges[i].error, test_edges[i].text);

        } else {
            is_int(test_check(len), PKI_OK, "%s at %ld", test_edges[i].text,
                   (long) test_edges[i].now);
        }

        test_rules.now = TEST_NOW;
    }
}


static const struct {
    const char  *claim;
    const char  *text;
    unsigned     roles;
} test_role_cases[] = {
    { "roles", "\"roles\":[\"Manage.All\"]", 2 },
    { "roles", "\"roles\":[\"x\",\"read\",\"CSR.Request.Db\"]", 5 },
    { "roles", "\"roles\":\"Manage.All\"", 2 },
    { "roles", "\"roles\":[\"Manage.All read\"]", 0 },
    { "roles", "\"roles\":[\"manage.all\",\"Manage.Al\",\"Manage.All2\"]", 0 },
    { "roles", "\"roles\":[[\"read\"],{\"roles\":\"read\"},1,null]", 4 },
    { "roles", "\"roles\":{\"read\":true}", 0 },
    { "roles", "\"roles\":[]", 0 },
    { "roles", "\"a\":{\"roles\":[\"read\"]}", 0 },
    { "roles", "\"\":{\"roles\":[\"read\"]}", 0 },
    { "scp", "\"scp\":\"x  read Manage.All \"", 6 },
    { "scp", "\"scp\":\"\"", 0 },
    { "realm_access.roles", "\"realm_access\":{\"roles\":[\"read\"]}", 4 },
    { "realm_access.roles", "\"roles\":[\"read\"]", 0 },
    { "https://a.test/roles", "\"https://a.test/roles\":[\"read\"]", 4 },
    { "sub", "\"sub\":\"read\"", 4 }
};


static void
test_roles(void)
{
    char    claims[512];
    size_t  i, len;

    for (i = 0; i < sizeof(test_role_cases) / sizeof(test_role_cases[0]); i++)
    {
        (void) sprintf(claims, TEST_CLAIMS ",%s}", test_role_cases[i].text);
        len = pki_test_jwt(test_token, test_p256, "ES256", TEST_HEADER,
                           claims);

        test_rules.roles_claim = test_role_cases[i].claim;

        is_int(test_check(len), PKI_OK, "%s", test_role_cases[i].text);
        is_int(test_out.roles, test_role_cases[i].roles, "%s: its roles",
               test_role_cases[i].text);

        test_rules.roles_claim = "roles";
    }
}


static void
test_kept(void)
{
    size_t  len;

    len = pki_test_jwt(test_token, test_p256, "ES256", TEST_HEADER,
                       TEST_CLAIMS ",\"sub\":\"s\",\"oid\":\"o\",\"upn\":"
                       "\"u\",\"preferred_username\":\"p\",\"unique_name\":"
                       "\"n\",\"appid\":\"a\",\"azp\":\"z\",\"client_id\":"
                       "\"c\",\"jti\":\"j\",\"uti\":\"t\"}");

    is_int(test_check(len), PKI_OK, "a token with everything");
    is_str(test_out.subject, "s", "sub");
    is_str(test_out.object, "o", "oid");
    is_str(test_out.user, "u", "upn");
    is_str(test_out.client, "a", "appid");
    is_str(test_out.id, "j", "jti");

    len = pki_test_jwt(test_token, test_p256, "ES256", TEST_HEADER,
                       TEST_CLAIMS ",\"upn\":\"\",\"preferred_username\":"
                       "\"p\xc3\xa4\",\"unique_name\":\"n\",\"azp\":\"z\","
                       "\"client_id\":\"c\",\"uti\":\"t\"}");

    is_int(test_check(len), PKI_OK, "a token with the second best");
    is_str(test_out.user, "p\xc3\xa4", "preferred_username");
    is_str(test_out.client, "z", "azp");
    is_str(test_out.id, "t", "uti");
    is_str(test_out.subject, "", "no sub");

    len = pki_test_jwt(test_token, test_p256, "ES256", TEST_HEADER,
                       TEST_CLAIMS ",\"unique_name\":\"n\",\"client_id\":"
                       "\"c\"}");

    is_int(test_check(len), PKI_OK, "a token with the third");
    is_str(test_out.user, "n", "unique_name");
    is_str(test_out.client, "c", "client_id");
}


/* HMAC with what everybody knows of the key, and no signature at all */

static void
test_confusion(void)
{
    char           *p, *pem;
    BIO            *bio;
    long            n;
    size_t          len;
    unsigned        maclen;
    unsigned char   mac[EVP_MAX_MD_SIZE];

    bio = BIO_new(BIO_s_mem());
    pki_test_need(bio && PEM_write_bio_PUBKEY(bio, test_rsa) == 1, "pem");
    n = BIO_get_mem_data(bio, &pem);

    p = test_token;
    p += pki_test_base64url("{\"alg\":\"HS256\",\"kid\":\"rsa\"}", 27, p);
    *p++ = '.';
    p += pki_test_base64url(TEST_ALL, strlen(TEST_ALL), p);

    pki_test_need(HMAC(EVP_sha256(), pem, (int) n,
                       (unsigned char *) test_token,
                       (size_t) (p - test_token), mac, &maclen) != NULL,
                  "hmac");
    BIO_free(bio);

    *p++ = '.';
    p += pki_test_base64url(mac, maclen, p);

    test_refused((size_t) (p - test_token), "the token's header: \"alg\" is "
                 "not one that is accepted", "HS256 with the public key");

    len = pki_test_jwt(test_token, test_p256, "ES256", TEST_HEADER, TEST_ALL);
    p = strrchr(test_token, '.');
    len = (size_t) (p + 1 - test_token);
    test_refused(len, "the token's signature is not valid", "no signature");
    test_refused(len - 1, "the token is not a JWT of three parts",
                 "not even its dot");

    (void) pki_test_base64url("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                              "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                              "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 64,
                              p + 1);
    test_refused(strlen(test_token), "the token's signature is not valid",
                 "r and s are 0");

    len = pki_test_jwt(test_token, test_weak, "RS256",
                       "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", TEST_ALL);
    test_refused(len, "the token's signature is not valid",
                 "a signature of another size");
}


/* which key: one name for two, no name, a name that nobody has */

static void
test_choice(void)
{
    char              *p, set[16384];
    int                i;
    size_t             len;
    EVP_PKEY          *other;
    pki_token_keys_t  *all;

    all = test_all;
    other = pki_test_key("P-256");

    p = set + sprintf(set, "{\"keys\":[");
    p = pki_test_jwk(p, test_p384, ",\"kid\":\"k\"");
    *p++ = ',';
    p = pki_test_jwk(p, other, ",\"kid\":\"k\"");
    *p++ = ',';
    p = pki_test_jwk(p, test_p256, ",\"kid\":\"k\"");
    *p++ = ',';
    p = pki_test_jwk(p, test_rsa, ",\"kid\":\"r\",\"alg\":\"RS384\"");
    (void) sprintf(p, "]}");

    test_all = test_keys(set);
    pki_test_need(test_all != NULL, test_err.text);

    len = pki_test_jwt(test_token, test_p256, "ES256",
                       "{\"alg\":\"ES256\",\"kid\":\"k\"}", TEST_ALL);
    is_int(test_check(len), PKI_OK, "the third of one name");

    len = pki_test_jwt(test_token, other, "ES256",
                       "{\"alg\":\"ES256\"}", TEST_ALL);
    is_int(test_check(len), PKI_OK, "a token that names no key");

    len = pki_test_jwt(test_token, test_rsa, "RS256",
                       "{\"alg\":\"RS256\",\"kid\":\"r\"}", TEST_ALL);
    test_refused(len, "the token's \"alg\" does not fit its key",
                 "RS256 with a key for RS384");

    len = pki_test_jwt(test_token, test_rsa, "RS384",
                       "{\"alg\":\"RS384\",\"kid\":\"r\"}", TEST_ALL);
    is_int(test_check(len), PKI_OK, "RS384 with it");

    len = pki_test_jwt(test_token, test_p256, "ES256",
                       "{\"alg\":\"ES256\",\"kid\":\"K\"}", TEST_ALL);
    is_int(test_check(len), PKI_NOT_FOUND, "a name that no key has");
    is_str(test_err.text, "the token's key is not in the key set", "is told");

    len = pki_test_jwt(test_token, test_p256, "ES256",
                       "{\"alg\":\"ES256\",\"kid\":\"K\"}",
                       "{\"iss\":\"x\"," AUD "," EXP "}");
    is_int(test_check(len), PKI_INVALID, "in a token of somebody else");
    ok(!test_out.ours, "which is told");

    pki_token_keys_free(test_all);
    test_all = NULL;

    len = pki_test_jwt(test_token, test_p256, "ES256",
                       "{\"alg\":\"ES256\"}", TEST_ALL);
    is_int(test_check(len), PKI_NOT_FOUND, "no keys yet");
    ok(test_out.ours, "for a token of ours");

    len = pki_test_jwt(test_token, test_p256, "ES256",
                       "{\"alg\":\"ES256\"}", "{" AUD "," EXP "}");
    is_int(test_check(len), PKI_INVALID, "nor for one of nobody");

    /* the ninth that might fit is not tried any more */

    p = set + sprintf(set, "{\"keys\":[");

    for (i = 0; i < 8; i++) {
        p = pki_test_jwk(p, other, ",\"kid\":\"k\"");
        *p++ = ',';
    }

    p = pki_test_jwk(p, test_p256, ",\"kid\":\"k\"");
    (void) sprintf(p, "]}");

    test_all = test_keys(set);
    pki_test_need(test_all != NULL, test_err.text);

    len = pki_test_jwt(test_token, test_p256, "ES256",
                       "{\"alg\":\"ES256\",\"kid\":\"k\"}", TEST_ALL);
    test_refused(len, "the token's signature is not valid",
                 "the ninth of one name");

    pki_token_keys_free(test_all);
    EVP_PKEY_free(other);
    test_all = all;
}


/* each octet cut off, each octet changed, parts that are none */

static void
test_broken(void)
{
    size_t    i, n, len, wrong;
    unsigned  bit;

    len = pki_test_jwt(test_token, test_p256, "ES256", TEST_HEADER, TEST_ALL);

    for (n = 0, wrong = 0; n < len; n++) {
        wrong += test_check(n) != PKI_INVALID || test_err.text[0] == '\0';
    }

    is_int(wrong, 0, "%zu truncations", len);

    for (i = 0, wrong = 0; i < len; i++) {
        for (bit = 0; bit < 8; bit++) {
            test_token[i] ^= (char) (1 << bit);
            wrong += test_check(len) == PKI_OK || test_err.text[0] == '\0';
            test_token[i] ^= (char) (1 << bit);
        }
    }

    is_int(wrong, 0, "%zu changed bits", 8 * len);
    is_int(test_check(len), PKI_OK, "as it was");

    test_token[len] = '=';
    test_refused(len + 1, "the token's signature is not base64url",
                 "padding");

    (void) strcpy(test_token + len, ".e30");
    test_refused(len + 4, "the token is not a JWT of three parts",
                 "four parts");

    (void) strcpy(test_token, "..");
    test_refused(2, "the token's header: it is not JSON", "no parts");
    test_refused(0, "the token is not a JWT of three parts", "nothing");

    (void) strcpy(test_token, "e31.e30.");
    test_refused(8, "the token's header: it is not base64url",
                 "bits that nobody reads");

    memset(test_token, 'A', sizeof(test_token));
    test_refused(PKI_TOKEN_MAX + 1, "the token is longer than 16384 octets",
                 "a token that is too long");
    test_refused(PKI_TOKEN_MAX, "the token is not a JWT of three parts",
                 "one that is not");
}


static void
test_memory(void)
{
    long      n;
    size_t    i, len, wrong;
    pki_rc_t  rc;

    static const char  *const algs[] = { "RS256", "PS256", "ES384" };
    static const char  *const headers[] = {
        "{\"alg\":\"RS256\",\"kid\":\"rsa\"}",
        "{\"alg\":\"PS256\",\"kid\":\"rsa\"}",
        "{\"alg\":\"ES384\",\"kid\":\"p384\"}"
    };

    for (i = 0; i < 3; i++) {
        len = pki_test_jwt(test_token, i < 2 ? test_rsa : test_p384, algs[i],
                           headers[i], TEST_ALL);

        for (n = 1, wrong = 0; n < 10000; n++) {
            pki_test_fail_at(n);
            rc = test_check(len);
            wrong += rc != PKI_OK && !test_err.text[0];
            wrong += rc == PKI_NOT_FOUND;

            if (!pki_test_fail_hit()) {
                break;
            }
        }

        pki_test_fail_at(0);
        ok(n > 5 && n < 10000, "%ld allocations for %s", n - 1, algs[i]);
        is_int(wrong, 0, "%s: each that fails is told", algs[i]);
        is_int(rc, PKI_OK, "%s: then it is accepted", algs[i]);
    }
}


/*
 * pki_login.c: what is asked, how long a token is good for, what each kind
 * of failure means, and that no secret comes out where it should not.
 */

#include "pki_test.h"
#include "pki_test_ca.h"
#include "pki_login.h"


#define TEST_URL     "https://login.test/t/oauth2/v2.0/token"
#define TEST_JAMF    "https://jamf.test/pre/api/v1/auth/token"
#define TEST_SECRET  "s3cr~t.+/= &%\xc3\xa9"
#define TEST_NOW     1787220000         /* 2026-08-20T10:00:00Z */
#define TEST_DATE    "Thu, 20 Aug 2026 10:00:00 GMT"
#define TEST_DAY     86400000LL


static void test_conf(pki_login_conf_t *conf, pki_login_type_t type);
static pki_login_t *test_login(pki_login_type_t type);
static void test_result(pki_fetch_result_t *result, int status);
static pki_login_result_t test_reply(pki_login_t *login, int status,
    const char *text, long long mono, pki_err_t *err);
static pki_login_result_t test_ask(pki_login_t *login, int status,
    const char *text, pki_err_t *err);
static void test_settings(void);
static void test_form(void);
static void test_assertion(void);
static void test_account(void);
static void test_static(void);
static void test_lifetimes(void);
static void test_expires(void);
static void test_errors(void);
static void test_outcomes(void);
static void test_replies(void);
static void test_tokens(void);
static void test_rejected(void);
static void test_echo(void);
static void test_pieces(void);
static void test_memory(void);


static EVP_PKEY  *test_key;
static X509      *test_cert;


int
main(void)
{
    pki_test_alloc_hook();

    test_key = pki_test_key("RSA2048");
    test_cert = pki_test_ca("client", test_key);

    test_settings();
    test_form();
    test_assertion();
    test_account();
    test_static();
    test_lifetimes();
    test_expires();
    test_errors();
    test_outcomes();
    test_replies();
    test_tokens();
    test_rejected();
    test_echo();
    test_pieces();
    test_memory();

    X509_free(test_cert);
    EVP_PKEY_free(test_key);

    return pki_test_done();
}


static void
test_conf(pki_login_conf_t *conf, pki_login_type_t type)
{
    memset(conf, 0, sizeof(pki_login_conf_t));

    conf->type = type;
    conf->url = type == PKI_LOGIN_ACCOUNT ? TEST_JAMF : TEST_URL;
    conf->client = "11111111-2222";
    conf->secret = type == PKI_LOGIN_STATIC ? "static.token" : TEST_SECRET;
    conf->scope = "https://graph.microsoft.com/.default";
    conf->cert = test_cert;
    conf->key = test_key;
}


static pki_login_t *
test_login(pki_login_type_t type)
{
    pki_login_t       *login;
    pki_login_conf_t   conf;

    test_conf(&conf, type);

    login = pki_login_create(&conf, NULL);
    pki_test_need(login != NULL, "login");

    return login;
}


static void
test_result(pki_fetch_result_t *result, int status)
{
    memset(result, 0, sizeof(pki_fetch_result_t));

    result->status = status;
    result->location = "";
    (void) snprintf(result->date, sizeof(result->date), TEST_DATE);
}


static pki_login_result_t
test_reply(pki_login_t *login, int status, const char *text, long long mono,
    pki_err_t *err)
{
    pki_fetch_result_t  result;

    test_result(&result, status);

    if (*text) {
        (void) pki_login_piece(login, status, text, strlen(text));
    }

    return pki_login_done(login, &result, mono, err);
}


/* at the time 0 of the clock that only goes forward */

static pki_login_result_t
test_ask(pki_login_t *login, int status, const char *text, pki_err_t *err)
{
    pki_request_t  r;

    memset(&r, 0, sizeof(r));

    if (pki_login_request(login, TEST_NOW, &r, err) != PKI_OK) {
        ok(0, "a request");
    }

    return test_reply(login, status, text, 0, err);
}


static void
test_settings(void)
{
    size_t             i;
    X509              *cert;
    EVP_PKEY          *ec, *small;
    pki_err_t          err;
    pki_login_conf_t   conf[12];

    ec = pki_test_key("P-256");
    small = pki_test_key("RSA1024");
    cert = pki_test_ca("small", small);

    for (i = 0; i < 12; i++) {
        test_conf(&conf[i], i < 4 ? PKI_LOGIN_SECRET
                            : i < 8 ? PKI_LOGIN_ASSERTION
                            : i < 10 ? PKI_LOGIN_ACCOUNT : PKI_LOGIN_STATIC);
    }

    conf[0].url = NULL;
    conf[1].client = NULL;
    conf[2].client = "";
    conf[3].secret = "";
    conf[4].cert = NULL;
    conf[5].key = NULL;
    conf[6].key = ec;
    conf[7].key = small;
    conf[7].cert = cert;
    conf[8].client = "a:b";
    conf[9].secret = NULL;
    conf[10].secret = "to ken";
    conf[11].secret = "";

    for (i = 0; i < 12; i++) {
        err.text[0] = '\0';
        ok(pki_login_create(&conf[i], &err) == NULL && err.text[0],
           "settings %d are refused: \"%s\"", (int) i, err.text);
        ok(strstr(err.text, "to ken") == NULL, "without the token");
    }

    test_conf(&conf[0], PKI_LOGIN_ASSERTION);
    conf[0].cert = cert;
    ok(pki_login_create(&conf[0], &err) == NULL, "another's key: \"%s\"",
       err.text);

    pki_login_destroy(NULL);
    X509_free(cert);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(small);
}


static void
test_form(void)
{
    pki_err_t          err;
    pki_login_t       *login;
    pki_request_t      r;
    pki_login_conf_t   conf;

    memset(&r, 0, sizeof(r));
    r.token = "left over";
    r.headers[7] = "left over";

    login = test_login(PKI_LOGIN_SECRET);
    ok(pki_login_token(login, 0) == NULL, "no token yet");

    is_int(pki_login_request(login, TEST_NOW, &r, &err), PKI_OK, "request");
    is_str(r.method, "POST", "method");
    is_str(r.url, TEST_URL, "URL");
    ok(r.token == NULL && r.user == NULL && r.headers[7] == NULL,
       "nothing else");
    is_str(r.headers[1], "Content-Type: application/x-www-form-urlencoded",
           "type of the body");
    is_int(r.len, strlen(r.body), "length");
    is_str(r.body, "grant_type=client_credentials&client_id=11111111-2222&"
           "scope=https%3A%2F%2Fgraph.microsoft.com%2F.default&client_secret="
           "s3cr~t.%2B%2F%3D%20%26%25%C3%A9", "form");
    pki_login_destroy(login);

    test_conf(&conf, PKI_LOGIN_SECRET);
    conf.scope = NULL;
    login = pki_login_create(&conf, NULL);
    is_int(pki_login_request(login, TEST_NOW, &r, &err), PKI_OK, "no scope");
    ok(strstr(r.body, "scope") == NULL, "no scope is sent");
    is_int(pki_login_request(login, TEST_NOW, &r, &err), PKI_OK, "again");
    pki_login_destroy(login);
}


static void
test_assertion(void)
{
    pki_err_t          err;
    pki_login_t       *login;
    pki_request_t      r;
    pki_login_conf_t   conf;

    memset(&r, 0, sizeof(r));
    test_conf(&conf, PKI_LOGIN_ASSERTION);
    conf.client = "a\"b\\c";
    login = pki_login_create(&conf, NULL);

    is_int(pki_login_request(login, TEST_NOW, &r, &err), PKI_OK, "assertion");
    ok(strstr(r.body, "grant_type=client_credentials&client_id=a%22b%5Cc&")
       == r.body, "form");
    ok(strstr(r.body, "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A"
                      "client-assertion-type%3Ajwt-bearer&client_assertion=ey")
       != NULL, "assertion");
    ok(strstr(r.body, "client_secret") == NULL, "no secret");

    pki_login_destroy(login);
}


static void
test_account(void)
{
    pki_err_t           err;
    pki_login_t        *login;
    pki_request_t       r;
    pki_login_conf_t    conf;

    memset(&r, 0, sizeof(r));
    login = test_login(PKI_LOGIN_ACCOUNT);

    is_int(pki_login_request(login, TEST_NOW, &r, &err), PKI_OK, "account");
    is_str(r.url, TEST_JAMF, "URL");
    is_str(r.user, "11111111-2222", "user");
    is_str(r.password, TEST_SECRET, "password");
    ok(r.body != NULL && r.len == 0, "an empty body");
    is_int(test_reply(login, 200, "{\"token\":\"one\",\"expires\":"
                      "\"2026-08-20T10:20:00.626Z\"}", 5000, &err),
           PKI_LOGIN_OK, "token");
    is_str(pki_login_token(login, 5000), "one", "the token");
    is_str(pki_login_token(login, 5000 + 899999), "one", "until the lead");
    ok(pki_login_token(login, 5000 + 900000) == NULL, "then not");

    is_int(pki_login_request(login, TEST_NOW + 1000, &r, &err), PKI_OK,
           "in the lead");
    is_str(r.url, "https://jamf.test/pre/api/v1/auth/keep-alive", "kept");
    is_str(r.token, "one", "by the old token");
    ok(r.user == NULL && r.password == NULL, "not by the password");
    is_int(test_reply(login, 200, "{\"token\":\"two\",\"expires\":"
                      "\"2026-08-20T10:20:00Z\"}", 1000000, &err),
           PKI_LOGIN_OK, "the new one");
    is_str(pki_login_token(login, 1000000), "two", "is the token");
    ok(pki_login_rejected(login, "one"), "the old one is not valid any more");
    is_str(pki_login_token(login, 1000000), "two", "which does no harm");

    is_int(pki_login_request(login, TEST_NOW + 1100, &r, &err), PKI_OK,
           "a keep-alive that fails");
    is_int(test_reply(login, 401, "{}", 1000000, &err), PKI_LOGIN_LATER,
           "does not need an administrator");
    ok(pki_login_token(login, 1000000) == NULL, "its token is dropped");
    is_int(pki_login_request(login, TEST_NOW + 1100, &r, &err), PKI_OK, "next");
    is_str(r.url, TEST_JAMF, "by the password");

    is_int(test_reply(login, 401, "<html>", 0, &err), PKI_LOGIN_REFUSED,
           "a password that is refused");
    is_int(test_ask(login, 403, "", &err), PKI_LOGIN_REFUSED, "403");
    is_int(test_ask(login, 404, "", &err), PKI_LOGIN_LATER, "404");
    is_int(test_ask(login, 200, "{\"access_token\":\"a\"}", &err),
           PKI_LOGIN_LATER, "not an account's reply");

    is_int(test_ask(login, 200, "{\"token\":\"t\",\"expires\":"
                    "\"2026-08-20T10:20:00Z\"}", &err), PKI_LOGIN_OK, "t");
    is_int(pki_login_request(login, TEST_NOW + 1200, &r, &err), PKI_OK,
           "a token that has ended");
    is_str(r.url, TEST_JAMF, "cannot be kept alive");
    pki_login_destroy(login);

    test_conf(&conf, PKI_LOGIN_ACCOUNT);
    conf.url = "https://jamf.test/login";
    login = pki_login_create(&conf, NULL);
    is_int(test_ask(login, 200, "{\"token\":\"t\",\"expires\":"
                    "\"2026-08-20T10:20:00Z\"}", &err), PKI_LOGIN_OK, "t");
    is_int(pki_login_request(login, TEST_NOW, &r, &err), PKI_OK, "unknown");
    is_str(r.url, "https://jamf.test/login", "no keep-alive is guessed");
    pki_login_destroy(login);
}


static void
test_static(void)
{
    pki_err_t       err;
    pki_login_t    *login;
    pki_request_t   r;

    memset(&r, 0, sizeof(r));
    login = test_login(PKI_LOGIN_STATIC);

    is_str(pki_login_token(login, 0), "static.token", "static");
    is_int(pki_login_request(login, TEST_NOW, &r, &err), PKI_NOT_FOUND,
           "cannot be renewed");
    is_int(pki_login_rejected(login, "static.token"), 0, "nor tried again");
    is_str(pki_login_token(login, TEST_DAY), "static.token", "but stays");

    pki_login_destroy(login);
}


static void
test_lifetimes(void)
{
    char          text[256];
    size_t        i;
    pki_err_t     err;
    pki_login_t  *login;

    static const struct {
        const char  *json;
        long long    until;         /* milliseconds */
    } lives[] = {
        { ",\"expires_in\":3600", 3300000 },
        { ",\"expires_in\":3599,\"ext_expires_in\":9", 3299000 },
        { ",\"expires_in\":\"3600\"", 3300000 },
        { ",\"expires_in\":1200", 900000 },
        { ",\"expires_in\":60", 45000 },
        { ",\"expires_in\":1", 750 },
        { ",\"expires_in\":86400", TEST_DAY - 300000 },
        { ",\"expires_in\":86401", TEST_DAY - 300000 },
        { ",\"expires_in\":9223372036854775807", TEST_DAY - 300000 },
        { ",\"expires_in\":\"99999999999999999\"", TEST_DAY - 300000 },
        { "", 45000 },
        { ",\"expires_in\":0", 45000 },
        { ",\"expires_in\":-5", 45000 },
        { ",\"expires_in\":-9223372036854775808", 45000 },
        { ",\"expires_in\":99999999999999999999", 45000 },
        { ",\"expires_in\":1.5", 45000 },
        { ",\"expires_in\":null", 45000 },
        { ",\"expires_in\":{}", 45000 },
        { ",\"expires_in\":\"\"", 45000 },
        { ",\"expires_in\":\"x\"", 45000 },
        { ",\"expires_in\":\"3600s\"", 45000 },
        { ",\"expires_in\":\"99999999999999999999\"", 45000 }
    };

    login = test_login(PKI_LOGIN_SECRET);

    for (i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
        (void) snprintf(text, sizeof(text), "{\"access_token\":\"t%d\"%s}",
                        (int) i, lives[i].json);

        is_int(test_ask(login, 200, text, &err), PKI_LOGIN_OK, "token%s",
               lives[i].json);
        ok(pki_login_token(login, lives[i].until - 1) != NULL
           && pki_login_token(login, lives[i].until) == NULL,
           "is good for %lld ms", lives[i].until);
    }

    pki_login_destroy(login);
}


static void
test_expires(void)
{
    char                 text[256];
    size_t               i;
    pki_err_t            err;
    pki_login_t         *login;
    pki_request_t        r;
    pki_fetch_result_t   result;

    static const struct {
        const char  *expires;
        const char  *date;
        long long    until;
    } lives[] = {
        { "\"2026-08-20T10:20:00Z\"", TEST_DATE, 900000 },
        { "\"2026-08-20T12:20:00+02:00\"", TEST_DATE, 900000 },
        { "\"2026-08-20T10:30:00Z\"", "Thu, 20 Aug 2026 10:10:00 GMT",
          900000 },
        { "\"2026-08-20T10:20:00Z\"", "", 900000 },
        { "\"2026-08-20T10:20:00Z\"", "yesterday", 900000 },
        { "\"9999-12-31T23:59:59Z\"", TEST_DATE, TEST_DAY - 300000 },
        { "\"0001-01-01T00:00:00Z\"", TEST_DATE, 45000 },
        { "\"2026-08-20T09:00:00Z\"", TEST_DATE, 45000 },
        { "\"soon\"", TEST_DATE, 45000 },
        { "1787220000", TEST_DATE, 45000 },
        { "null", TEST_DATE, 45000 }
    };

    for (i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
        login = test_login(PKI_LOGIN_ACCOUNT);
        memset(&r, 0, sizeof(r));
        test_result(&result, 200);

        (void) snprintf(result.date, sizeof(result.date), "%s",
                        lives[i].date);
        (void) snprintf(text, sizeof(text), "{\"token\":\"t\",\"expires\":%s}",
                        lives[i].expires);

        is_int(pki_login_request(login, TEST_NOW, &r, &err), PKI_OK, "ask");
        is_int(pki_login_piece(login, 200, text, strlen(text)), PKI_OK,
               "piece");
        is_int(pki_login_done(login, &result, 0, &err), PKI_LOGIN_OK,
               "expires %s at \"%s\"", lives[i].expires, lives[i].date);
        ok(pki_login_token(login, lives[i].until - 1) != NULL
           && pki_login_token(login, lives[i].until) == NULL,
           "is good for %lld ms", lives[i].until);

        pki_login_destroy(login);
    }
}


static void
test_errors(void)
{
    size_t               i;
    pki_err_t            err;
    pki_login_t         *login;

    static const struct {
        int                  status;
        const char          *text;
        pki_login_result_t   result;
        const char          *error;
    } errors[] = {
        { 401, "{\"error\":\"invalid_client\",\"error_description\":"
          "\"AADSTS7000215: Invalid client secret provided. \\r\\nTrace ID: "
          "0\",\"error_codes\":[7000215]}", PKI_LOGIN_REFUSED,
          "status 401, error \"invalid_client\", AADSTS7000215: the secret "
          "is wrong" },
        { 400, "{\"error\":\"invalid_request\",\"error_description\":"
          "\"AADSTS90033: A transient error\"}", PKI_LOGIN_LATER,
          "status 400, error \"invalid_request\", AADSTS90033: a passing "
          "failure" },
        { 400, "{\"error\":\"invalid_request\",\"error_description\":"
          "\"AADSTS90055: x\"}", PKI_LOGIN_LATER, "throttled" },
        { 400, "{\"error\":\"unauthorized_client\",\"error_description\":"
          "\"AADSTS700016: x\"}", PKI_LOGIN_REFUSED, "the client is unknown" },
        { 400, "{\"error\":\"invalid_grant\",\"error_description\":"
          "\"AADSTS1234567: x\"}", PKI_LOGIN_REFUSED,
          "status 400, error \"invalid_grant\", AADSTS1234567" },
        { 400, "{\"error\":\"brand_new\",\"error_description\":"
          "\"AADSTS99999999999999999999: x\"}", PKI_LOGIN_REFUSED,
          "status 400, error \"unknown\"" },
        { 400, "{\"error\":\"x\",\"error_description\":\"AADSTS: x\"}",
          PKI_LOGIN_REFUSED, "status 400, error \"unknown\"" },
        { 400, "{\"error\":\"temporarily_unavailable\"}", PKI_LOGIN_LATER,
          "status 400, error \"temporarily_unavailable\"" },
        { 400, "{\"error\":\"invalid_client\",\"error_description\":"
          "\"OAuth 2.0 Parameter: grant_type\",\"error_uri\":\"u\"}",
          PKI_LOGIN_REFUSED, "status 400, error \"invalid_client\"" },
        { 401, "{\"error\":\"invalid_client\"}", PKI_LOGIN_REFUSED,
          "status 401, error \"invalid_client\"" },
        { 400, "{\"error\":\"invalid_scope\"}", PKI_LOGIN_REFUSED,
          "status 400, error \"invalid_scope\"" },
        { 400, "{\"error\":{\"code\":\"x\"}}", PKI_LOGIN_LATER,
          "no OAuth error" },
        { 400, "{\"error\":null}", PKI_LOGIN_LATER, "no OAuth error" },
        { 400, "<html>", PKI_LOGIN_LATER, "no OAuth error" },
        { 401, "", PKI_LOGIN_LATER, "no OAuth error" },
        { 400, "{\"error\":\"invalid_client\"", PKI_LOGIN_LATER,
          "no OAuth error" },
        { 429, "{\"error\":\"invalid_client\"}", PKI_LOGIN_LATER,
          "status 429" },
        { 503, "{\"error\":\"invalid_client\"}", PKI_LOGIN_LATER,
          "status 503" },
        { 500, "", PKI_LOGIN_LATER, "status 500" },
        { 302, "", PKI_LOGIN_LATER, "status 302" },
        { 200, "", PKI_LOGIN_LATER, "no token" },
        { 204, "", PKI_LOGIN_LATER, "no token" },
        { 200, "{}", PKI_LOGIN_LATER, "no token" },
        { 200, "[]", PKI_LOGIN_LATER, "no token" },
        { 200, "null", PKI_LOGIN_LATER, "no token" },
        { 200, "<html>captive</html>", PKI_LOGIN_LATER, "no token" },
        { 200, "{\"access_token\":\"a\"", PKI_LOGIN_LATER, "no token" },
        { 200, "{\"access_token\":\"a\"}}", PKI_LOGIN_LATER, "no token" },
        { 200, "{\"access_token\":1}", PKI_LOGIN_LATER, "no token" },
        { 200, "{\"access_token\":\"a\",\"access_token\":\"b\"}",
          PKI_LOGIN_LATER, "no token" },
        { 200, "{\"access_token\":\"a\",\"token_type\":\"mac\"}",
          PKI_LOGIN_LATER, "other than \"Bearer\"" }
    };

    login = test_login(PKI_LOGIN_SECRET);

    for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        err.text[0] = '\0';
        is_int(test_ask(login, errors[i].status, errors[i].text, &err),
               errors[i].result, "%d %s", errors[i].status, errors[i].text);
        ok(strstr(err.text, errors[i].error) != NULL, "\"%s\"", err.text);
        ok(pki_login_token(login, 0) == NULL, "no token");
    }

    pki_login_destroy(login);
}


static void
test_outcomes(void)
{
    size_t               i;
    pki_err_t            err;
    pki_login_t         *login;
    pki_request_t        r;
    pki_fetch_result_t   result;

    static const struct {
        pki_fetch_outcome_t  outcome;
        pki_login_result_t   result;
    } outcomes[] = {
        { PKI_FETCH_REFUSED, PKI_LOGIN_REFUSED },
        { PKI_FETCH_TLS, PKI_LOGIN_REFUSED },
        { PKI_FETCH_FAILED, PKI_LOGIN_LATER },
        { PKI_FETCH_STOPPED, PKI_LOGIN_LATER }
    };

    memset(&r, 0, sizeof(r));
    login = test_login(PKI_LOGIN_SECRET);

    for (i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
        test_result(&result, 200);
        result.outcome = outcomes[i].outcome;
        result.error = "the cause";

        is_int(pki_login_request(login, TEST_NOW, &r, &err), PKI_OK, "ask");
        (void) pki_login_piece(login, 200, "{\"access_token\":\"a\"}", 20);
        is_int(pki_login_done(login, &result, 0, &err), outcomes[i].result,
               "outcome %d", outcomes[i].outcome);
        ok(strstr(err.text, "the cause") != NULL, "\"%s\"", err.text);
        ok(pki_login_token(login, 0) == NULL, "half a reply has no token");
    }

    test_result(&result, 200);
    is_int(pki_login_done(login, &result, 0, &err), PKI_LOGIN_LATER,
           "a reply to nothing");
    is_int(pki_login_piece(login, 200, "{}", 2), PKI_INVALID,
           "a piece of it");

    pki_login_destroy(login);
}


static void
test_replies(void)
{
    int             i;
    char            block[1024];
    pki_err_t       err;
    pki_login_t    *login;
    pki_request_t   r;

    memset(&r, 0, sizeof(r));
    memset(block, ' ', sizeof(block));
    login = test_login(PKI_LOGIN_SECRET);

    is_int(pki_login_request(login, TEST_NOW, &r, &err), PKI_OK, "ask");

    for (i = 0; i < 128; i++) {
        if (pki_login_piece(login, 200, block, sizeof(block)) != PKI_OK) {
            break;
        }
    }

    is_int(i, 128, "a long reply");
    is_int(pki_login_piece(login, 200, " ", 1), PKI_INVALID,
           "that is too long");

    is_int(pki_login_request(login, TEST_NOW, &r, &err), PKI_OK,
           "given up, asked again");
    is_int(test_reply(login, 200, "{\"access_token\":\"a\"}", 0, &err),
           PKI_LOGIN_OK, "which works");

    pki_login_destroy(login);
}


static void
test_tokens(void)
{
    char          text[PKI_LOGIN_TOKEN_MAX + 64];
    size_t        i, len;
    pki_err_t     err;
    pki_login_t  *login;

    static const char *const  bad[] = {
        "", "a b", "a\\r\\nX: y", "a\\u0000b", "\\u0001", "a\\u007f",
        "\xc3\xa9", "\\ud800"
    };

    login = test_login(PKI_LOGIN_SECRET);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void) snprintf(text, sizeof(text), "{\"access_token\":\"%s\"}",
                        bad[i]);
        is_int(test_ask(login, 200, text, &err), PKI_LOGIN_LATER,
               "the token \"%s\" is refused", bad[i]);
        ok(pki_login_token(login, 0) == NULL, "and not kept");
    }

    for (i = 0; i < 2; i++) {
        len = PKI_LOGIN_TOKEN_MAX + i;
        memcpy(text, "{\"access_token\":\"", 17);
        memset(text + 17, '~', len);
        memcpy(text + 17 + len, "\"}", 3);

        is_int(test_ask(login, 200, text, &err),
               i ? PKI_LOGIN_LATER : PKI_LOGIN_OK, "%d octets", (int) len);
    }

    is_int(strlen(pki_login_token(login, 0)), PKI_LOGIN_TOKEN_MAX,
           "a reply without a token leaves the old one");

    pki_login_destroy(login);
}


static void
test_rejected(void)
{
    pki_err_t     err;
    pki_login_t  *login;

    login = test_login(PKI_LOGIN_SECRET);

    is_int(test_ask(login, 200, "{\"access_token\":\"a\"}", &err),
           PKI_LOGIN_OK, "a");
    pki_login_worked(login);
    is_int(pki_login_rejected(login, "a"), 1, "it has worked: try a fresh one");
    ok(pki_login_token(login, 0) == NULL, "it is dropped");
    is_int(pki_login_rejected(login, "a"), 1, "told to each that had it");

    is_int(test_ask(login, 200, "{\"access_token\":\"b\"}", &err),
           PKI_LOGIN_OK, "b");
    is_int(pki_login_rejected(login, "a"), 1, "a late one does no harm");
    is_str(pki_login_token(login, 0), "b", "the fresh one stays");
    is_int(pki_login_rejected(login, "b"), 0, "fresh and refused: no loop");
    ok(pki_login_token(login, 0) == NULL, "it is dropped");
    is_int(pki_login_rejected(login, "b"), 0, "told to each that had it");

    pki_login_destroy(login);
}


/* Whatever a server sends back, neither secret nor token is in the error. */

static void
test_echo(void)
{
    char               text[512], word[8];
    size_t             i;
    pki_err_t          err;
    pki_login_t       *login;
    pki_login_conf_t   conf;

    static const char *const  echoes[] = {
        "{\"error\":\"%s\"}",
        "{\"error\":\"invalid_client\",\"error_description\":\"%s\"}",
        "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS%s\"}",
        "{\"access_token\":\"%s\",\"token_type\":\"%s\"}",
        "{\"access_token\":\"%s \"}",
        "{\"%s\":1}",
        "%s"
    };

    test_conf(&conf, PKI_LOGIN_SECRET);
    conf.secret = "hunter2-hunter2";
    login = pki_login_create(&conf, NULL);
    (void) snprintf(word, sizeof(word), "hunter2");

    for (i = 0; i < 2 * sizeof(echoes) / sizeof(echoes[0]); i++) {
        (void) snprintf(text, sizeof(text), echoes[i / 2], conf.secret,
                        conf.secret);
        err.text[0] = '\0';
        (void) test_ask(login, i % 2 ? 400 : 200, text, &err);
        ok(strstr(err.text, word) == NULL, "\"%s\"", err.text);
    }

    pki_login_destroy(login);
}


static void
test_pieces(void)
{
    size_t               i, cut;
    pki_err_t            err;
    pki_login_t         *login;
    pki_request_t        r;
    pki_fetch_result_t   result;

    static const char  text[] = "{\"token_type\":\"bearer\",\"expires_in\":60,"
                                "\"access_token\":\"e\\u0079J.x_-\"}";

    memset(&r, 0, sizeof(r));
    test_result(&result, 200);
    login = test_login(PKI_LOGIN_SECRET);

    for (cut = 0; cut < sizeof(text); cut++) {
        is_int(pki_login_request(login, TEST_NOW, &r, &err), PKI_OK, "ask");

        for (i = 0; i < cut; i++) {
            (void) pki_login_piece(login, 200, text + i, 1);
        }

        is_int(pki_login_done(login, &result, 0, &err),
               cut == sizeof(text) - 1 ? PKI_LOGIN_OK : PKI_LOGIN_LATER,
               "cut after %d octets", (int) cut);

        if (cut == sizeof(text) - 1) {
            break;
        }
    }

    is_str(pki_login_token(login, 0), "eyJ.x_-", "octet by octet");

    pki_login_destroy(login);
}


static void
test_memory(void)
{
    int                 type, wrong, hit;
    long                n;
    pki_err_t           err;
    const char         *token;
    pki_login_t        *login;
    pki_request_t       r;
    pki_login_conf_t    conf;
    pki_login_result_t  result;

    static const char  text[] = "{\"access_token\":\"a\",\"token\":\"a\"}";

    for (type = PKI_LOGIN_SECRET; type <= PKI_LOGIN_ACCOUNT; type++) {

        test_conf(&conf, type);

        for (n = 1, wrong = 0; n < 5000; n++) {
            memset(&r, 0, sizeof(r));
            err.text[0] = '\0';
            token = NULL;
            result = PKI_LOGIN_LATER;

            pki_test_fail_at(n);

            login = pki_login_create(&conf, &err);

            if (login != NULL
                && pki_login_request(login, TEST_NOW, &r, &err) == PKI_OK)
            {
                result = test_reply(login, 200, text, 0, &err);
                token = pki_login_token(login, 0);
            }

            hit = pki_test_fail_hit();
            pki_test_fail_at(0);

            wrong += result == PKI_LOGIN_OK ? token == NULL
                                            : token != NULL || !err.text[0];
            pki_login_destroy(login);

            if (!hit) {
                break;
            }
        }

        ok(n > 5 && n < 5000, "type %d: %ld allocations", type, n - 1);
        is_int(wrong, 0, "each that fails is told");
    }
}

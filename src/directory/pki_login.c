
/*
 * Access tokens of a directory.
 *
 * A login knows one token and what was asked for last.  Replies are read by
 * pki_page while they arrive.  A user account of Jamf keeps its token alive
 * while it still counts there; whenever that fails, the token is dropped and
 * the next request shows the password again.
 */

#include "pki_login.h"
#include "pki_login_error.h"
#include "pki_login_jwt.h"
#include "pki_time.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <openssl/crypto.h>


#define PKI_LOGIN_LEAD      300000  /* milliseconds */
#define PKI_LOGIN_LIFE      60      /* seconds, of a token that does not tell
                                       it: the shortest that is seen */
#define PKI_LOGIN_LIFE_MAX  86400   /* Entra's longest */
#define PKI_LOGIN_REPLY_MAX 131072  /* octets; real ones have five thousand */
#define PKI_LOGIN_RSA_MIN   2048    /* bits; Entra takes no less */


enum {
    PKI_LOGIN_ACCESS_TOKEN = 0,
    PKI_LOGIN_TOKEN_TYPE,
    PKI_LOGIN_EXPIRES_IN,
    PKI_LOGIN_TOKEN,
    PKI_LOGIN_EXPIRES,
    PKI_LOGIN_ERROR,
    PKI_LOGIN_DESCRIPTION
};


struct pki_login_s {
    pki_login_type_t    type;
    char               *url;
    char               *keep_alive;     /* NULL: there is none */
    char               *client;
    char               *secret;
    char               *scope;
    X509               *cert;
    EVP_PKEY           *key;

    char               *token;
    long long           until;          /* of the clock `mono` */
    time_t              ends;           /* of the clock `now` */
    unsigned            worked:1;
    unsigned            again:1;        /* what pki_login_rejected() said */

    /* the last request and its reply */

    unsigned            keeping:1;      /* it was a keep-alive */
    unsigned            bad:1;          /* the reply is not what we read */
    time_t              asked;
    char               *body;
    pki_page_t         *page;
    size_t              octets;
};


typedef struct {
    const char         *name;
    const char         *value;          /* NULL: the field is left out */
} pki_login_field_t;


static char *pki_login_copy(const char *s);
static void pki_login_wipe(char **s);
static pki_rc_t pki_login_check(const pki_login_conf_t *conf, pki_err_t *err);
static pki_rc_t pki_login_check_key(const pki_login_conf_t *conf,
    pki_err_t *err);
static int pki_login_octets(const char *token);
static pki_rc_t pki_login_set(pki_login_t *login,
    const pki_login_conf_t *conf);
static pki_rc_t pki_login_keep_alive(pki_login_t *login);
static pki_rc_t pki_login_body(pki_login_t *login, time_t now,
    pki_err_t *err);
static pki_rc_t pki_login_form(pki_login_t *login,
    const pki_login_field_t *fields, size_t n);
static pki_login_result_t pki_login_take(pki_login_t *login,
    const pki_fetch_result_t *result, long long mono, pki_err_t *err);
static long long pki_login_life(pki_login_t *login,
    const pki_fetch_result_t *result);
static pki_login_result_t pki_login_refused(pki_login_t *login, int status,
    pki_err_t *err);


static const char *const  pki_login_top[] = {
    "access_token", "token_type", "expires_in", "token", "expires", "error",
    "error_description", NULL
};


static const pki_page_shape_t  pki_login_shape = { NULL, NULL, pki_login_top };


pki_login_t *
pki_login_create(const pki_login_conf_t *conf, pki_err_t *err)
{
    pki_login_t  *login;

    if (pki_login_check(conf, err) != PKI_OK) {
        return NULL;
    }

    login = OPENSSL_zalloc(sizeof(pki_login_t));

    if (login == NULL || pki_login_set(login, conf) != PKI_OK) {
        pki_err_set(err, "out of memory");
        pki_login_destroy(login);
        return NULL;
    }

    return login;
}


void
pki_login_destroy(pki_login_t *login)
{
    if (login == NULL) {
        return;
    }

    pki_login_wipe(&login->url);
    pki_login_wipe(&login->keep_alive);
    pki_login_wipe(&login->client);
    pki_login_wipe(&login->secret);
    pki_login_wipe(&login->scope);
    pki_login_wipe(&login->token);
    pki_login_wipe(&login->body);

    X509_free(login->cert);
    EVP_PKEY_free(login->key);
    pki_page_destroy(login->page);

    OPENSSL_free(login);
}


static char *
pki_login_copy(const char *s)
{
    return s ? OPENSSL_strdup(s) : NULL;
}


static void
pki_login_wipe(char **s)
{
    if (*s != NULL) {
        OPENSSL_clear_free(*s, strlen(*s));
        *s = NULL;
    }
}


static pki_rc_t
pki_login_check(const pki_login_conf_t *conf, pki_err_t *err)
{
    if (conf->type == PKI_LOGIN_STATIC) {

        if (conf->secret == NULL || !pki_login_octets(conf->secret)) {
            pki_err_set(err, "the token is empty, longer than %d octets or "
                        "has one that is not allowed", PKI_LOGIN_TOKEN_MAX);
            return PKI_INVALID;
        }

        return PKI_OK;
    }

    if (conf->url == NULL || conf->client == NULL || *conf->client == '\0') {
        pki_err_set(err, "the URL or the client is missing");
        return PKI_INVALID;
    }

    if (conf->type == PKI_LOGIN_ASSERTION) {
        return pki_login_check_key(conf, err);
    }

    if (conf->secret == NULL || *conf->secret == '\0') {
        pki_err_set(err, "the secret is missing");
        return PKI_INVALID;
    }

    /* RFC 7617, 2 */

    if (conf->type == PKI_LOGIN_ACCOUNT && strchr(conf->client, ':')) {
        pki_err_set(err, "the account's name has a colon");
        return PKI_INVALID;
    }

    return PKI_OK;
}


static pki_rc_t
pki_login_check_key(const pki_login_conf_t *conf, pki_err_t *err)
{
    if (conf->cert == NULL || conf->key == NULL) {
        pki_err_set(err, "the certificate or its key is missing");
        return PKI_INVALID;
    }

    if ((!EVP_PKEY_is_a(conf->key, "RSA")
         && !EVP_PKEY_is_a(conf->key, "RSA-PSS"))
        || EVP_PKEY_get_bits(conf->key) < PKI_LOGIN_RSA_MIN)
    {
        pki_err_set(err, "the key is not RSA of at least %d bits",
                    PKI_LOGIN_RSA_MIN);
        return PKI_INVALID;
    }

    if (X509_check_private_key(conf->cert, conf->key) != 1) {
        pki_err_ssl(err, "the key is not the certificate's");
        return PKI_INVALID;
    }

    return PKI_OK;
}


/* What may stand in a header without ending it (RFC 6750, 2.1, and more). */

static int
pki_login_octets(const char *token)
{
    size_t  len;

    for (len = 0; token[len]; len++) {
        if (token[len] <= ' ' || token[len] >= 0x7f) {
            return 0;
        }
    }

    return len > 0 && len <= PKI_LOGIN_TOKEN_MAX;
}


static pki_rc_t
pki_login_set(pki_login_t *login, const pki_login_conf_t *conf)
{
    login->type = conf->type;

    if (conf->type == PKI_LOGIN_STATIC) {
        login->token = pki_login_copy(conf->secret);
        return login->token ? PKI_OK : PKI_ERROR;
    }

    login->url = pki_login_copy(conf->url);
    login->client = pki_login_copy(conf->client);
    login->secret = pki_login_copy(conf->secret);
    login->scope = pki_login_copy(conf->scope);

    if (login->url == NULL || login->client == NULL
        || (conf->secret && login->secret == NULL)
        || (conf->scope && login->scope == NULL))
    {
        return PKI_ERROR;
    }

    if (conf->type == PKI_LOGIN_ACCOUNT) {
        return pki_login_keep_alive(login);
    }

    if (conf->type == PKI_LOGIN_ASSERTION) {

        if (X509_up_ref(conf->cert) != 1) {
            return PKI_ERROR;
        }

        login->cert = conf->cert;

        if (EVP_PKEY_up_ref(conf->key) != 1) {
            return PKI_ERROR;
        }

        login->key = conf->key;
    }

    return PKI_OK;
}


/* ".../v1/auth/token": ".../v1/auth/keep-alive"; of another form: none */

static pki_rc_t
pki_login_keep_alive(pki_login_t *login)
{
    size_t              len, size;
    static const char   from[] = "/auth/token";
    static const char   to[] = "/auth/keep-alive";

    len = strcspn(login->url, "?#");

    if (len < sizeof(from) - 1
        || strncmp(login->url + len - (sizeof(from) - 1), from,
                   sizeof(from) - 1)
           != 0)
    {
        return PKI_OK;
    }

    len -= sizeof(from) - 1;
    size = len + sizeof(to);

    login->keep_alive = OPENSSL_malloc(size);
    if (login->keep_alive == NULL) {
        return PKI_ERROR;
    }

    memcpy(login->keep_alive, login->url, len);
    memcpy(login->keep_alive + len, to, sizeof(to));

    return PKI_OK;
}


const char *
pki_login_token(const pki_login_t *login, long long mono)
{
    if (login->token == NULL) {
        return NULL;
    }

    return login->type == PKI_LOGIN_STATIC || mono < login->until
           ? login->token : NULL;
}


pki_rc_t
pki_login_request(pki_login_t *login, time_t now, pki_request_t *request,
    pki_err_t *err)
{
    pki_rc_t  rc;

    if (login->type == PKI_LOGIN_STATIC) {
        pki_err_set(err, "a token out of a file cannot be renewed");
        return PKI_NOT_FOUND;
    }

    pki_login_wipe(&login->body);
    pki_page_destroy(login->page);

    login->octets = 0;
    login->bad = 0;
    login->asked = now;
    login->keeping = login->keep_alive != NULL && login->token != NULL
                     && now < login->ends;

    login->page = pki_page_create(&pki_login_shape, NULL, NULL);
    if (login->page == NULL) {
        pki_err_set(err, "out of memory");
        return PKI_ERROR;
    }

    rc = pki_login_body(login, now, err);
    if (rc != PKI_OK) {
        return rc;
    }

    memset(request->headers, 0, sizeof(request->headers));

    request->method = "POST";
    request->url = login->keeping ? login->keep_alive : login->url;
    request->token = login->keeping ? login->token : NULL;
    request->user = NULL;
    request->password = NULL;
    request->headers[0] = "Accept: application/json";
    request->body = login->body ? login->body : "";
    request->len = strlen(request->body);
    request->host = NULL;

    if (login->type != PKI_LOGIN_ACCOUNT) {
        request->headers[1] = "Content-Type: "
                              "application/x-www-form-urlencoded";

    } else {

        /* libcurl would name a type that the empty body does not have */

        request->headers[1] = "Content-Type:";

        if (!login->keeping) {
            request->user = login->client;
            request->password = login->secret;
        }
    }

    return PKI_OK;
}


static pki_rc_t
pki_login_body(pki_login_t *login, time_t now, pki_err_t *err)
{
    char               *jwt;
    pki_rc_t            rc;
    pki_login_field_t   fields[5];

    if (login->type == PKI_LOGIN_ACCOUNT) {
        return PKI_OK;
    }

    memset(fields, 0, sizeof(fields));

    fields[0].name = "grant_type";
    fields[0].value = "client_credentials";
    fields[1].name = "client_id";
    fields[1].value = login->client;
    fields[2].name = "scope";
    fields[2].value = login->scope;

    jwt = NULL;

    if (login->type == PKI_LOGIN_SECRET) {
        fields[3].name = "client_secret";
        fields[3].value = login->secret;

    } else {
        rc = pki_login_jwt(login->url, login->client, login->cert, login->key,
                           now, &jwt, err);
        if (rc != PKI_OK) {
            return rc;
        }

        fields[3].name = "client_assertion_type";
        fields[3].value = "urn:ietf:params:oauth:client-assertion-type:"
                          "jwt-bearer";
        fields[4].name = "client_assertion";
        fields[4].value = jwt;
    }

    rc = pki_login_form(login, fields, 5);

    if (rc != PKI_OK) {
        pki_err_set(err, "out of memory");
    }

    pki_login_wipe(&jwt);

    return rc;
}


static pki_rc_t
pki_login_form(pki_login_t *login, const pki_login_field_t *fields, size_t n)
{
    char                *p;
    size_t               i, len;
    const char          *s;
    static const char    hex[] = "0123456789ABCDEF";
    static const char    plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz"
                                   "0123456789-._~";

    len = 1;

    for (i = 0; i < n; i++) {
        if (fields[i].value != NULL) {
            len += strlen(fields[i].name) + 3 * strlen(fields[i].value) + 2;
        }
    }

    login->body = OPENSSL_zalloc(len);
    if (login->body == NULL) {
        return PKI_ERROR;
    }

    p = login->body;

    for (i = 0; i < n; i++) {

        if (fields[i].value == NULL) {
            continue;
        }

        if (p != login->body) {
            *p++ = '&';
        }

        len = strlen(fields[i].name);
        memcpy(p, fields[i].name, len);
        p += len;
        *p++ = '=';

        for (s = fields[i].value; *s; s++) {

            if (strchr(plain, *s)) {
                *p++ = *s;
                continue;
            }

            *p++ = '%';
            *p++ = hex[(unsigned char) *s >> 4];
            *p++ = hex[(unsigned char) *s & 0xf];
        }
    }

    return PKI_OK;
}


/* What is not JSON is read to its end, so that the connection can stay. */

pki_rc_t
pki_login_piece(pki_login_t *login, int status, const char *text, size_t len)
{
    (void) status;

    if (login->page == NULL || len > PKI_LOGIN_REPLY_MAX - login->octets) {
        login->bad = 1;
        return PKI_INVALID;
    }

    login->octets += len;

    if (!login->bad
        && pki_page_feed(login->page, text, len, NULL) != PKI_OK)
    {
        login->bad = 1;
    }

    return PKI_OK;
}


pki_login_result_t
pki_login_done(pki_login_t *login, const pki_fetch_result_t *result,
    long long mono, pki_err_t *err)
{
    pki_rc_t            rc;
    pki_login_result_t  r;

    pki_login_wipe(&login->body);

    if (login->page == NULL) {
        pki_err_set(err, "no token was asked for");
        return PKI_LOGIN_LATER;
    }

    rc = pki_page_end(login->page, NULL);
    login->bad |= rc != PKI_OK && rc != PKI_NOT_FOUND;

    if (result->outcome != PKI_FETCH_DONE) {
        pki_err_set(err, "no reply from the token endpoint: %s",
                    result->error);
        r = result->outcome == PKI_FETCH_REFUSED
            || result->outcome == PKI_FETCH_TLS ? PKI_LOGIN_REFUSED
                                                : PKI_LOGIN_LATER;

    } else if (result->status >= 200 && result->status < 300) {
        r = pki_login_take(login, result, mono, err);

    } else {
        r = pki_login_refused(login, result->status, err);
    }

    /* the old one may have ended, and if not, it soon will */

    if (login->keeping && r != PKI_LOGIN_OK) {
        pki_login_wipe(&login->token);
        login->again = 1;
        r = PKI_LOGIN_LATER;
    }

    pki_page_destroy(login->page);
    login->page = NULL;

    return r;
}


static pki_login_result_t
pki_login_take(pki_login_t *login, const pki_fetch_result_t *result,
    long long mono, pki_err_t *err)
{
    char               *token;
    long long           life, lead;
    const pki_value_t  *value, *type;

    value = pki_page_top(login->page, login->type == PKI_LOGIN_ACCOUNT
                                      ? PKI_LOGIN_TOKEN
                                      : PKI_LOGIN_ACCESS_TOKEN);

    if (login->bad || value->type != PKI_VALUE_STRING) {
        pki_err_set(err, "status %d, but no token in the reply",
                    result->status);
        return PKI_LOGIN_LATER;
    }

    if (!pki_login_octets(value->string)) {
        pki_err_set(err, "a token that is empty, too long or has an octet "
                    "that is not allowed");
        return PKI_LOGIN_LATER;
    }

    type = pki_page_top(login->page, PKI_LOGIN_TOKEN_TYPE);

    if (type->type == PKI_VALUE_STRING
        && strcasecmp(type->string, "Bearer") != 0)
    {
        pki_err_set(err, "a token of a type other than \"Bearer\"");
        return PKI_LOGIN_LATER;
    }

    token = OPENSSL_strdup(value->string);
    if (token == NULL) {
        pki_err_set(err, "out of memory");
        return PKI_LOGIN_LATER;
    }

    pki_login_wipe(&login->token);

    life = pki_login_life(login, result);
    lead = life * 1000 / 4;

    login->token = token;
    login->worked = 0;
    login->ends = login->asked + (time_t) life;
    login->until = mono + life * 1000
                   - (lead < PKI_LOGIN_LEAD ? lead : PKI_LOGIN_LEAD);

    return PKI_LOGIN_OK;
}


/*
 * Seconds.  What does not tell its lifetime, or one that is not after now,
 * is good for PKI_LOGIN_LIFE: if it is not, a 401 will tell.
 */

static long long
pki_login_life(pki_login_t *login, const pki_fetch_result_t *result)
{
    char                c;
    time_t              from, to;
    long long           life;
    const pki_value_t  *value;

    life = 0;

    if (login->type == PKI_LOGIN_ACCOUNT) {
        value = pki_page_top(login->page, PKI_LOGIN_EXPIRES);

        /* an absolute time of the server's clock, which may be wrong */

        if (pki_time_http(result->date, strlen(result->date), &from)
            != PKI_OK)
        {
            from = login->asked;
        }

        if (value->type == PKI_VALUE_STRING
            && pki_time_iso(value->string, value->len, &to) == PKI_OK)
        {
            life = (long long) to - from;
        }

    } else {
        value = pki_page_top(login->page, PKI_LOGIN_EXPIRES_IN);

        if (value->type == PKI_VALUE_INTEGER) {
            life = value->integer;

        } else if (value->type == PKI_VALUE_STRING && value->len < 18
                   && sscanf(value->string, "%lld%c", &life, &c) != 1)
        {
            life = 0;
        }
    }

    if (life <= 0) {
        return PKI_LOGIN_LIFE;
    }

    return life < PKI_LOGIN_LIFE_MAX ? life : PKI_LOGIN_LIFE_MAX;
}


static pki_login_result_t
pki_login_refused(pki_login_t *login, int status, pki_err_t *err)
{
    const pki_value_t  *error;

    if (status == 429 || status >= 500 || status < 400) {
        pki_err_set(err, "the token endpoint answers with status %d", status);
        return PKI_LOGIN_LATER;
    }

    if (login->type == PKI_LOGIN_ACCOUNT && (status == 401 || status == 403)) {
        pki_err_set(err, "the account or its token is refused with status %d",
                    status);
        return PKI_LOGIN_REFUSED;
    }

    error = pki_page_top(login->page, PKI_LOGIN_ERROR);

    if (login->bad || error->type != PKI_VALUE_STRING) {
        pki_err_set(err, "status %d and no OAuth error in the reply", status);
        return PKI_LOGIN_LATER;
    }

    return pki_login_error(status, error->string,
                           pki_page_top(login->page, PKI_LOGIN_DESCRIPTION),
                           err);
}


/* Several requests may have been under way with one token. */

int
pki_login_rejected(pki_login_t *login, const char *token)
{
    if (login->type == PKI_LOGIN_STATIC) {
        return 0;
    }

    if (login->token == NULL) {
        return login->again;
    }

    if (strcmp(login->token, token) != 0) {
        return 1;
    }

    login->again = login->worked;
    pki_login_wipe(&login->token);

    return login->again;
}


void
pki_login_worked(pki_login_t *login)
{
    login->worked = 1;
}

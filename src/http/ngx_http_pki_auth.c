
/*
 * Who may call, in the access phase.
 *
 * There, satisfy, limit_req, allow and auth_request join in as everywhere
 * in nginx.  A bearer token decides where tokens are known: by its hash (of
 * a token file's only hashes are known; all are compared, in constant time,
 * whichever matches), or by its signature.  Otherwise a variable decides,
 * at the end of the phase, when others have set it.  With "satisfy any"
 * nothing is sent from here, since somebody else may yet allow the request.
 */

#include "ngx_http_pki_module.h"


static ngx_int_t ngx_http_pki_auth_variable_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_http_pki_auth_needed(ngx_http_request_t *r,
    ngx_http_pki_loc_conf_t *lcf);
static ngx_uint_t ngx_http_pki_auth_plain(ngx_http_request_t *r,
    ngx_http_pki_loc_conf_t *lcf);
static ngx_uint_t ngx_http_pki_auth_loopback(struct sockaddr *sa);
static ngx_uint_t ngx_http_pki_auth_by_token(ngx_http_request_t *r,
    ngx_http_pki_loc_conf_t *lcf);
static void ngx_http_pki_auth_bearer(ngx_http_request_t *r,
    ngx_str_t *token);
static ngx_int_t ngx_http_pki_auth_token(ngx_http_request_t *r,
    ngx_array_t *tokens, ngx_str_t *value, ngx_uint_t needed);

static ngx_int_t ngx_http_pki_auth_jwts(ngx_http_request_t *r,
    ngx_http_pki_auth_conf_t *acf, ngx_str_t *value, ngx_uint_t needed);
static ngx_int_t ngx_http_pki_auth_claims(ngx_http_request_t *r,
    ngx_http_pki_jwt_t *jwt, pki_token_claims_t *claims, ngx_uint_t needed);
static ngx_int_t ngx_http_pki_auth_no_keys(ngx_http_request_t *r);

static ngx_int_t ngx_http_pki_auth_variable(ngx_http_request_t *r,
    ngx_http_pki_auth_conf_t *acf, ngx_uint_t needed);

static ngx_int_t ngx_http_pki_auth_allow(ngx_http_request_t *r,
    ngx_str_t *caller, ngx_http_pki_grant_t *grants, ngx_uint_t n,
    ngx_uint_t needed);
static ngx_int_t ngx_http_pki_auth_text(ngx_pool_t *pool, ngx_str_t *to,
    char *text);
static ngx_int_t ngx_http_pki_auth_printable(ngx_pool_t *pool, ngx_str_t *to,
    ngx_str_t *from);
static ngx_int_t ngx_http_pki_auth_no_tls(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_auth_missing(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_auth_invalid(ngx_http_request_t *r,
    const char *reason);
static ngx_int_t ngx_http_pki_auth_refuse(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *challenge, const char *message);


static ngx_str_t  ngx_http_pki_challenge =
    ngx_string("Bearer realm=\"pki\"");
static ngx_str_t  ngx_http_pki_challenge_token =
    ngx_string("Bearer realm=\"pki\", error=\"invalid_token\"");
static ngx_str_t  ngx_http_pki_challenge_role =
    ngx_string("Bearer realm=\"pki\", error=\"insufficient_scope\"");


/* handlers of a phase run from the last to the first */

ngx_int_t
ngx_http_pki_auth_init(ngx_conf_t *cf)
{
    ngx_array_t                *handlers;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_pki_cors_handler;

    handlers = &cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers;

    h = ngx_array_push_n(handlers, 2);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h = handlers->elts;

    ngx_memmove(h + 1, h,
                (handlers->nelts - 2) * sizeof(ngx_http_handler_pt));

    h[0] = ngx_http_pki_auth_variable_handler;
    h[handlers->nelts - 1] = ngx_http_pki_auth_handler;

    return NGX_OK;
}


ngx_int_t
ngx_http_pki_auth_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_str_t                 token;
    ngx_uint_t                needed;
    ngx_http_pki_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_pki_module);

    needed = ngx_http_pki_auth_needed(r, lcf);

    if (needed == 0) {
        return NGX_DECLINED;
    }

    if (ngx_http_pki_auth_plain(r, lcf)) {
        return ngx_http_pki_auth_no_tls(r);
    }

    if (!ngx_http_pki_auth_by_token(r, lcf)) {
        return (lcf->auth && lcf->auth->role) ? NGX_DECLINED
                                              : ngx_http_pki_auth_missing(r);
    }

    ngx_http_pki_auth_bearer(r, &token);

    if (lcf->tokens && token.len) {
        rc = ngx_http_pki_auth_token(r, lcf->tokens, &token, needed);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (lcf->auth && lcf->auth->njwts && token.len
        && ngx_strlchr(token.data, token.data + token.len, '.'))
    {
        return ngx_http_pki_auth_jwts(r, lcf->auth, &token, needed);
    }

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "pki api: unknown token");

    return ngx_http_pki_auth_invalid(r, NULL);
}


static ngx_int_t
ngx_http_pki_auth_variable_handler(ngx_http_request_t *r)
{
    ngx_uint_t                needed;
    ngx_http_pki_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_pki_module);

    if (lcf->auth == NULL || lcf->auth->role == NULL) {
        return NGX_DECLINED;
    }

    needed = ngx_http_pki_auth_needed(r, lcf);

    if (needed == 0 || ngx_http_pki_auth_by_token(r, lcf)) {
        return NGX_DECLINED;
    }

    if (ngx_http_pki_auth_plain(r, lcf)) {
        return ngx_http_pki_auth_no_tls(r);
    }

    return ngx_http_pki_auth_variable(r, lcf->auth, needed);
}


ngx_int_t
ngx_http_pki_auth_subrequest(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    if (r == r->main) {
        return NGX_OK;
    }

    rc = ngx_http_pki_auth_handler(r);

    if (rc == NGX_DECLINED) {
        rc = ngx_http_pki_auth_variable_handler(r);
    }

    return rc == NGX_DECLINED ? NGX_OK : rc;
}


/* roles, one of which must be there; 0: this is open, or not ours */

static ngx_uint_t
ngx_http_pki_auth_needed(ngx_http_request_t *r, ngx_http_pki_loc_conf_t *lcf)
{
    if (lcf->handler == ngx_http_pki_api_handler) {
        return ngx_http_pki_api_roles(r);
    }

    if (lcf->handler == ngx_http_pki_est_handler) {
        return ngx_http_pki_est_roles(r);
    }

    return 0;
}


/*
 * Whoever listens to a plain connection has the token: it is refused before
 * it is looked at, so that nobody gets used to it.
 */

static ngx_uint_t
ngx_http_pki_auth_plain(ngx_http_request_t *r, ngx_http_pki_loc_conf_t *lcf)
{
#if (NGX_HTTP_SSL)

    if (r->connection->ssl) {
        return 0;
    }

#endif

    if (lcf->auth && lcf->auth->plain_http) {
        return 0;
    }

    return !ngx_http_pki_auth_loopback(r->connection->sockaddr);
}


static ngx_uint_t
ngx_http_pki_auth_loopback(struct sockaddr *sa)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sa->sa_family) {

#if (NGX_HAVE_UNIX_DOMAIN)
    case AF_UNIX:
        return 1;
#endif

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        return ntohl(sin->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            return sin6->sin6_addr.s6_addr[12] == IN_LOOPBACKNET;
        }

        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr);
#endif

    default:
        return 0;
    }
}


/* where no tokens are known, one may be what auth_request looks at */

static ngx_uint_t
ngx_http_pki_auth_by_token(ngx_http_request_t *r,
    ngx_http_pki_loc_conf_t *lcf)
{
    ngx_str_t  token;

    if (lcf->tokens == NULL && (lcf->auth == NULL || lcf->auth->njwts == 0)) {
        return 0;
    }

    ngx_http_pki_auth_bearer(r, &token);

    /* also when nothing follows the scheme, or there is nobody else to ask */

    return token.data
           || (r->headers_in.authorization
               && (lcf->auth == NULL || lcf->auth->role == NULL));
}


/* token.data is NULL when the request has another scheme, or none */

static void
ngx_http_pki_auth_bearer(ngx_http_request_t *r, ngx_str_t *token)
{
    u_char     *p, *last;
    ngx_str_t  *value;

    ngx_str_null(token);

    if (r->headers_in.authorization == NULL) {
        return;
    }

    value = &r->headers_in.authorization->value;

    if (value->len < sizeof("Bearer ") - 1
        || ngx_strncasecmp(value->data, (u_char *) "Bearer ",
                           sizeof("Bearer ") - 1)
           != 0)
    {
        return;
    }

    p = value->data + sizeof("Bearer ") - 1;
    last = value->data + value->len;

    while (p < last && *p == ' ') {
        p++;
    }

    token->data = p;
    token->len = last - p;
}


/* NGX_DECLINED: it is not in the file */

static ngx_int_t
ngx_http_pki_auth_token(ngx_http_request_t *r, ngx_array_t *tokens,
    ngx_str_t *value, ngx_uint_t needed)
{
    u_char                 hash[PKI_FINGERPRINT_LEN];
    ngx_uint_t             i;
    ngx_http_pki_grant_t   grant;
    ngx_http_pki_token_t  *token, *found;

    if (EVP_Digest(value->data, value->len, hash, NULL, EVP_sha256(), NULL)
        != 1)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    found = NULL;
    token = tokens->elts;

    for (i = 0; i < tokens->nelts; i++) {
        if (CRYPTO_memcmp(token[i].hash, hash, PKI_FINGERPRINT_LEN) == 0) {
            found = &token[i];
        }
    }

    if (found == NULL) {
        return NGX_DECLINED;
    }

    grant.roles = found->roles;
    grant.issuers = found->issuers;

    return ngx_http_pki_auth_allow(r, &found->name, &grant, 1, needed);
}


/* the first that takes it; why not is told by the one whose token it is */

static ngx_int_t
ngx_http_pki_auth_jwts(ngx_http_request_t *r, ngx_http_pki_auth_conf_t *acf,
    ngx_str_t *value, ngx_uint_t needed)
{
    ngx_int_t            rc;
    pki_err_t            err, why;
    ngx_uint_t           i, busy;
    pki_token_claims_t   claims;

    busy = 0;
    why.text[0] = '\0';

    for (i = 0; i < acf->njwts; i++) {
        rc = ngx_http_pki_jwt_check(acf->jwts[i], value, &claims, &err,
                                    r->connection->log);

        if (rc == NGX_OK) {
            return ngx_http_pki_auth_claims(r, acf->jwts[i], &claims, needed);
        }

        if (rc == NGX_ERROR) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "pki api: token refused by pki_jwt \"%V\": %s",
                      &acf->jwts[i]->name, err.text);

        busy |= rc == NGX_BUSY;

        if (i == 0 || claims.ours) {
            why = err;
        }
    }

    if (busy) {
        return ngx_http_pki_auth_no_keys(r);
    }

    return ngx_http_pki_auth_invalid(r, why.text);
}


static ngx_int_t
ngx_http_pki_auth_claims(ngx_http_request_t *r, ngx_http_pki_jwt_t *jwt,
    pki_token_claims_t *claims, ngx_uint_t needed)
{
    char                     *name;
    ngx_int_t                 rc;
    ngx_str_t                 caller, user, object;
    ngx_uint_t                i, n;
    ngx_http_pki_ctx_t       *ctx;
    ngx_http_pki_grant_t      grants[PKI_TOKEN_ROLES];
    ngx_http_pki_jwt_role_t  *role;

    name = claims->user[0] ? claims->user
                           : claims->client[0] ? claims->client
                                               : claims->subject;

    if (*name == '\0') {
        return ngx_http_pki_auth_invalid(r, "it names no caller");
    }

    if (ngx_http_pki_auth_text(r->pool, &caller, name) != NGX_OK
        || ngx_http_pki_auth_text(r->pool, &user, claims->user) != NGX_OK
        || ngx_http_pki_auth_text(r->pool, &object, claims->object) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    n = 0;
    role = jwt->roles.elts;

    for (i = 0; i < jwt->roles.nelts; i++) {
        if (claims->roles & (uint64_t) 1 << i) {
            grants[n++] = role[i].grant;
        }
    }

    rc = ngx_http_pki_auth_allow(r, &caller, grants, n, needed);

    if (rc == NGX_OK) {
        ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);

        ngx_strlow(object.data, object.data, object.len);

        ctx->user = user;
        ctx->object = object;
    }

    return rc;
}


static ngx_int_t
ngx_http_pki_auth_no_keys(ngx_http_request_t *r)
{
    static ngx_str_t  name = ngx_string("Retry-After");
    static ngx_str_t  value = ngx_string("5");

    if (ngx_http_pki_header(r, &name, &value) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_pki_auth_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE, NULL,
                                    "The keys to check the token with are "
                                    "not there yet.");
}


/* what a browser adds on its own must not be used by another's page */

static ngx_int_t
ngx_http_pki_auth_variable(ngx_http_request_t *r,
    ngx_http_pki_auth_conf_t *acf, ngx_uint_t needed)
{
    ngx_str_t              role, caller, issuers, name;
    ngx_http_pki_grant_t   grant;

    ngx_str_null(&caller);
    ngx_str_null(&name);
    ngx_str_null(&issuers);

    if (ngx_http_complex_value(r, acf->role, &role) != NGX_OK
        || (acf->caller
            && ngx_http_complex_value(r, acf->caller, &caller) != NGX_OK)
        || (acf->issuers
            && ngx_http_complex_value(r, acf->issuers, &issuers) != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (role.len == 0) {
        return ngx_http_pki_auth_missing(r);
    }

    if (ngx_http_pki_cors_foreign(r)) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "pki api: called from a page of another origin");

        return ngx_http_pki_auth_refuse(r, NGX_HTTP_FORBIDDEN, NULL,
                                        "This page may not call here.");
    }

    if (ngx_http_pki_role_read(role.data, role.len, &grant.roles) != NGX_OK) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "pki api: \"pki_api_role\" is \"%V\", which is not a "
                      "list of roles", &role);
        grant.roles = 0;
    }

    grant.issuers = NULL;

    if (acf->issuers && !(issuers.len == 1 && issuers.data[0] == '*')) {
        grant.issuers = ngx_http_pki_role_issuers(r->pool, issuers.data,
                                                  issuers.len);
        if (grant.issuers == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ngx_http_pki_auth_printable(r->pool, &name, &caller) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_pki_auth_allow(r, &name, &grant, 1, needed);
}


static ngx_int_t
ngx_http_pki_auth_allow(ngx_http_request_t *r, ngx_str_t *caller,
    ngx_http_pki_grant_t *grants, ngx_uint_t n, ngx_uint_t needed)
{
    ngx_int_t              rc;
    ngx_http_pki_ctx_t    *ctx;
    ngx_http_pki_grant_t   grant;

    ctx = ngx_http_pki_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_pki_role_choose(r->pool, grants, n, needed, &grant);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "pki api: role of \"%V\" is not sufficient", caller);

        return ngx_http_pki_auth_refuse(r, NGX_HTTP_FORBIDDEN,
                                        &ngx_http_pki_challenge_role,
                                        "The caller's role does not allow "
                                        "this.");
    }

    ctx->caller = *caller;
    ctx->roles = grant.roles;
    ctx->issuers = grant.issuers;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_auth_text(ngx_pool_t *pool, ngx_str_t *to, char *text)
{
    ngx_str_t  from;

    from.data = (u_char *) text;
    from.len = ngx_strlen(text);

    return ngx_http_pki_auth_printable(pool, to, &from);
}


/* a copy for log lines and the audit stream */

static ngx_int_t
ngx_http_pki_auth_printable(ngx_pool_t *pool, ngx_str_t *to, ngx_str_t *from)
{
    u_char      c;
    ngx_uint_t  i;

    to->len = ngx_min(from->len, PKI_STORE_WHO_MAX);
    to->data = ngx_pnalloc(pool, to->len + 1);

    if (to->data == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < to->len; i++) {
        c = from->data[i];
        to->data[i] = (c < 0x20 || c == 0x7f) ? '?' : c;
    }

    to->data[i] = '\0';

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_auth_no_tls(ngx_http_request_t *r)
{
    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "pki api: plain HTTP from another host");

    return ngx_http_pki_auth_refuse(r, NGX_HTTP_FORBIDDEN, NULL,
                                    "This needs HTTPS.");
}


static ngx_int_t
ngx_http_pki_auth_missing(ngx_http_request_t *r)
{
    return ngx_http_pki_auth_refuse(r, NGX_HTTP_UNAUTHORIZED,
                                    &ngx_http_pki_challenge,
                                    "A bearer token is required.");
}


static ngx_int_t
ngx_http_pki_auth_invalid(ngx_http_request_t *r, const char *reason)
{
    pki_err_t  err;

    if (reason == NULL) {
        pki_err_set(&err, "The token is not valid.");

    } else {
        pki_err_set(&err, "The token is not valid: %s.", reason);
    }

    return ngx_http_pki_auth_refuse(r, NGX_HTTP_UNAUTHORIZED,
                                    &ngx_http_pki_challenge_token, err.text);
}


/* challenge may be NULL */

static ngx_int_t
ngx_http_pki_auth_refuse(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *challenge, const char *message)
{
    ngx_int_t                  rc;
    ngx_http_core_loc_conf_t  *clcf;

    static ngx_str_t  name = ngx_string("WWW-Authenticate");

    if (challenge) {
        r->headers_out.www_authenticate = ngx_http_pki_header(r, &name,
                                                              challenge);
        if (r->headers_out.www_authenticate == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY || r != r->main) {
        return status;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc == NGX_OK) {
        rc = ngx_http_pki_api_error(r, status, status, message);
    }

    ngx_http_finalize_request(r, rc);

    return NGX_DONE;
}


/*
 * Who may call: bearer tokens, in the access phase.
 *
 * There, satisfy, limit_req, allow and auth_request join in as everywhere
 * in nginx.  Only hashes of tokens are known.  All of them are compared, in
 * constant time, whichever matches.  With "satisfy any" nothing is sent from
 * here, since somebody else may yet allow the request.
 */

#include "ngx_http_pki_module.h"


static ngx_http_pki_token_t *ngx_http_pki_auth_token(ngx_http_request_t *r,
    ngx_array_t *tokens);
static ngx_int_t ngx_http_pki_auth_refuse(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *challenge, const char *message);


static ngx_str_t  ngx_http_pki_challenge =
    ngx_string("Bearer realm=\"pki\"");
static ngx_str_t  ngx_http_pki_challenge_token =
    ngx_string("Bearer realm=\"pki\", error=\"invalid_token\"");
static ngx_str_t  ngx_http_pki_challenge_role =
    ngx_string("Bearer realm=\"pki\", error=\"insufficient_scope\"");


ngx_int_t
ngx_http_pki_auth_handler(ngx_http_request_t *r)
{
    ngx_uint_t                roles;
    ngx_http_pki_ctx_t       *ctx;
    ngx_http_pki_token_t     *token;
    ngx_http_pki_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_pki_module);

    if (lcf->handler != ngx_http_pki_api_handler) {
        return NGX_DECLINED;
    }

    if (r->headers_in.authorization == NULL) {
        return ngx_http_pki_auth_refuse(r, NGX_HTTP_UNAUTHORIZED,
                                        &ngx_http_pki_challenge,
                                        "A bearer token is required.");
    }

    token = ngx_http_pki_auth_token(r, lcf->tokens);

    if (token == NULL) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "pki api: unknown token");

        return ngx_http_pki_auth_refuse(r, NGX_HTTP_UNAUTHORIZED,
                                        &ngx_http_pki_challenge_token,
                                        "The token is not valid.");
    }

    roles = ngx_http_pki_api_roles(r);

    if (roles && !(token->roles & roles)) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "pki api: role of \"%V\" is not sufficient",
                      &token->name);

        return ngx_http_pki_auth_refuse(r, NGX_HTTP_FORBIDDEN,
                                        &ngx_http_pki_challenge_role,
                                        "The token's role does not allow "
                                        "this.");
    }

    ctx = ngx_http_pki_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->caller = token->name;
    ctx->roles = token->roles;
    ctx->issuers = token->issuers;

    return NGX_OK;
}


static ngx_http_pki_token_t *
ngx_http_pki_auth_token(ngx_http_request_t *r, ngx_array_t *tokens)
{
    u_char                *p, *last, hash[PKI_FINGERPRINT_LEN];
    ngx_str_t             *value;
    ngx_uint_t             i;
    ngx_http_pki_token_t  *token, *found;

    value = &r->headers_in.authorization->value;

    if (value->len < sizeof("Bearer ") - 1
        || ngx_strncasecmp(value->data, (u_char *) "Bearer ",
                           sizeof("Bearer ") - 1)
           != 0)
    {
        return NULL;
    }

    p = value->data + sizeof("Bearer ") - 1;
    last = value->data + value->len;

    while (p < last && *p == ' ') {
        p++;
    }

    if (p == last
        || EVP_Digest(p, last - p, hash, NULL, EVP_sha256(), NULL) != 1)
    {
        return NULL;
    }

    found = NULL;
    token = tokens->elts;

    for (i = 0; i < tokens->nelts; i++) {
        if (CRYPTO_memcmp(token[i].hash, hash, PKI_FINGERPRINT_LEN) == 0) {
            found = &token[i];
        }
    }

    return found;
}


static ngx_int_t
ngx_http_pki_auth_refuse(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *challenge, const char *message)
{
    ngx_int_t                  rc;
    ngx_http_core_loc_conf_t  *clcf;

    static ngx_str_t  name = ngx_string("WWW-Authenticate");

    r->headers_out.www_authenticate = ngx_http_pki_header(r, &name, challenge);
    if (r->headers_out.www_authenticate == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY) {
        return status;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc == NGX_OK) {
        rc = ngx_http_pki_api_error(r, status, status, message);
    }

    ngx_http_finalize_request(r, rc);

    return NGX_DONE;
}

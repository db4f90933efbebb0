
/*
 * Calls from pages of other origins (CORS; the Fetch standard, 3.2).
 *
 * A preflight has no token, so it is answered before the access phase.  What
 * it allows is the same for each call: who may is decided by the call itself.
 * Credentials that a browser adds on its own are not asked for.
 */

#include "ngx_http_pki_module.h"


static ngx_table_elt_t *ngx_http_pki_cors_origin(ngx_http_request_t *r);
static ngx_uint_t ngx_http_pki_cors_listed(ngx_http_request_t *r,
    ngx_str_t *origin);
static ngx_table_elt_t *ngx_http_pki_cors_find(ngx_list_t *headers,
    ngx_str_t *name);
static ngx_int_t ngx_http_pki_cors_preflight(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_cors_add(ngx_http_request_t *r,
    ngx_str_t *headers);


static ngx_str_t  ngx_http_pki_cors_vary[] = {
    ngx_string("Vary"), ngx_string("Origin"),
    ngx_null_string
};


static ngx_str_t  ngx_http_pki_cors_exposed[] = {
    ngx_string("Access-Control-Expose-Headers"),
    ngx_string("Content-Disposition, ETag, Location, Retry-After, "
               "WWW-Authenticate"),
    ngx_null_string
};


/* a day would do, but a change of configuration should not take that long */

static ngx_str_t  ngx_http_pki_cors_allowed[] = {
    ngx_string("Access-Control-Allow-Methods"),
    ngx_string("GET, HEAD, POST, PUT, PATCH, DELETE"),
    ngx_string("Access-Control-Allow-Headers"),
    ngx_string("Accept, Authorization, Content-Type, If-None-Match"),
    ngx_string("Access-Control-Max-Age"), ngx_string("600"),
    ngx_null_string
};


ngx_int_t
ngx_http_pki_cors_handler(ngx_http_request_t *r)
{
    ngx_str_t                 allow[3];
    ngx_table_elt_t          *origin;
    ngx_http_pki_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_pki_module);

    if (lcf->auth == NULL || lcf->auth->origins == NULL
        || lcf->auth->origins->nelts == 0
        || (lcf->handler != ngx_http_pki_api_handler
            && lcf->handler != ngx_http_pki_est_handler))
    {
        return NGX_DECLINED;
    }

    ngx_str_set(&allow[0], "Access-Control-Allow-Origin");
    ngx_str_null(&allow[2]);

    /* an internal redirect comes here again */

    if (ngx_http_pki_cors_find(&r->headers_out.headers, &allow[0])) {
        return NGX_DECLINED;
    }

    if (ngx_http_pki_cors_add(r, ngx_http_pki_cors_vary) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    origin = ngx_http_pki_cors_origin(r);

    if (origin == NULL || !ngx_http_pki_cors_listed(r, &origin->value)) {
        return NGX_DECLINED;
    }

    allow[1] = origin->value;

    if (ngx_http_pki_cors_add(r, allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method == NGX_HTTP_OPTIONS) {
        return ngx_http_pki_cors_preflight(r);
    }

    if (ngx_http_pki_cors_add(r, ngx_http_pki_cors_exposed) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_pki_cors_preflight(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    static ngx_str_t  method = ngx_string("Access-Control-Request-Method");

    if (ngx_http_pki_cors_find(&r->headers_in.headers, &method) == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_http_pki_cors_add(r, ngx_http_pki_cors_allowed) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_discard_request_body(r);

    return rc == NGX_OK ? NGX_HTTP_NO_CONTENT : rc;
}


ngx_uint_t
ngx_http_pki_cors_foreign(ngx_http_request_t *r)
{
    size_t            len;
    u_char           *p, *last;
    ngx_str_t        *host;
    ngx_table_elt_t  *origin;

    origin = ngx_http_pki_cors_origin(r);

    if (origin == NULL || ngx_http_pki_cors_listed(r, &origin->value)) {
        return 0;
    }

    /* a proxy may have ended TLS, so the scheme tells nothing */

    last = origin->value.data + origin->value.len;
    p = ngx_strlcasestrn(origin->value.data, last, (u_char *) "://", 3 - 1);

    if (p == NULL) {
        return 1;
    }

    p += 3;
    len = last - p;

    /* HTTP/3 may have no header, and the name has no port then */

    host = r->headers_in.host ? &r->headers_in.host->value
                              : &r->headers_in.server;

    if (host->len == 0 || len < host->len
        || ngx_strncasecmp(host->data, p, host->len) != 0)
    {
        return 1;
    }

    return len != host->len
           && (r->headers_in.host || p[host->len] != ':');
}


static ngx_uint_t
ngx_http_pki_cors_listed(ngx_http_request_t *r, ngx_str_t *origin)
{
    ngx_str_t                *listed;
    ngx_uint_t                i;
    ngx_http_pki_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_pki_module);

    if (lcf->auth == NULL || lcf->auth->origins == NULL) {
        return 0;
    }

    listed = lcf->auth->origins->elts;

    for (i = 0; i < lcf->auth->origins->nelts; i++) {
        if (listed[i].len == origin->len
            && ngx_strncmp(listed[i].data, origin->data, origin->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_table_elt_t *
ngx_http_pki_cors_origin(ngx_http_request_t *r)
{
    static ngx_str_t  name = ngx_string("Origin");

    return ngx_http_pki_cors_find(&r->headers_in.headers, &name);
}


static ngx_table_elt_t *
ngx_http_pki_cors_find(ngx_list_t *headers, ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &headers->part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash && h[i].key.len == name->len
                && ngx_strncasecmp(h[i].key.data, name->data, name->len) == 0)
            {
                return &h[i];
            }
        }
    }

    return NULL;
}


/* names and values in turn, which are not copied */

static ngx_int_t
ngx_http_pki_cors_add(ngx_http_request_t *r, ngx_str_t *headers)
{
    for ( /* void */ ; headers[0].len; headers += 2) {
        if (ngx_http_pki_header(r, &headers[0], &headers[1]) == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * CRLs and the CA's certificate, as files.
 *
 * With a token the paths are SCEPman's, and whoever does not know it finds
 * nothing; without one they are open and also have names.  ETag, ranges and
 * 304 are nginx's own filters'.
 */

#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_CRL_LATER   10     /* seconds until somebody who found
                                           none should ask again */
#define NGX_HTTP_PKI_CA_AGE      86400  /* seconds: a CA lasts for years */


/* what was asked for */

typedef struct {
    pki_list_e                 which;
    unsigned                   pem:1;
    ngx_http_pki_issuer_t     *issuer;
    ngx_http_pki_main_conf_t  *mcf;
} ngx_http_pki_crl_t;


/* a reply as a file */

typedef struct {
    ngx_str_t                  type;
    ngx_str_t                  etag;        /* without quotes */
    const char                *variant;     /* behind it, within them */
    ngx_http_pki_issuer_t     *issuer;      /* whose name the file has */
    const char                *ending;      /* of that; NULL: it is shown */
    time_t                     modified;    /* -1: not known */
    time_t                     age;         /* seconds it may be kept */
} ngx_http_pki_file_t;


static ngx_int_t ngx_http_pki_crl_open(ngx_http_request_t *r,
    ngx_http_client_body_handler_pt handler);
static void ngx_http_pki_crl_body_handler(ngx_http_request_t *r);
static void ngx_http_pki_crl_told(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static ngx_int_t ngx_http_pki_crl_asked(ngx_http_request_t *r,
    ngx_http_pki_crl_t *crl);
static void ngx_http_pki_crl_rest(ngx_http_request_t *r, ngx_str_t *rest);
static ngx_uint_t ngx_http_pki_crl_take(ngx_str_t *rest, const char *name);
static ngx_uint_t ngx_http_pki_crl_token(ngx_str_t *rest, ngx_str_t *token);
static ngx_uint_t ngx_http_pki_crl_named(ngx_str_t *rest,
    ngx_http_pki_crl_t *crl);
static ngx_int_t ngx_http_pki_crl_send(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_crl_later(ngx_http_request_t *r);
static void ngx_http_pki_ca_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_ca_send(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_crl_file(ngx_http_request_t *r,
    ngx_http_pki_file_t *file, u_char *data, size_t len);


char *
ngx_http_pki_crl_token_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_loc_conf_t *lcf = conf;

    u_char      *p;
    ngx_str_t   *value, *token;

    if (lcf->crl) {
        return "is duplicate";
    }

    value = cf->args->elts;

    lcf->crl = ngx_pcalloc(cf->pool, sizeof(ngx_http_pki_crl_conf_t));
    if (lcf->crl == NULL) {
        return NGX_CONF_ERROR;
    }

    token = &lcf->crl->token;

    if (ngx_http_pki_read_secret(cf, &value[1], token) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    for (p = token->data; p < token->data + token->len; p++) {

        if ((*p >= '0' && *p <= '9') || *p == '-' || *p == '_' || *p == '.'
            || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z'))
        {
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the token in \"%V\" stands in paths, so letters, "
                           "digits, \".\", \"_\" and \"-\" only", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


void
ngx_http_pki_crl_merge(ngx_http_pki_loc_conf_t *prev,
    ngx_http_pki_loc_conf_t *conf)
{
    if (conf->crl == NULL) {
        conf->crl = prev->crl;
    }
}


ngx_int_t
ngx_http_pki_crl_handler(ngx_http_request_t *r)
{
    return ngx_http_pki_crl_open(r, ngx_http_pki_crl_body_handler);
}


ngx_int_t
ngx_http_pki_ca_handler(ngx_http_request_t *r)
{
    return ngx_http_pki_crl_open(r, ngx_http_pki_ca_body_handler);
}


static ngx_int_t
ngx_http_pki_crl_open(ngx_http_request_t *r,
    ngx_http_client_body_handler_pt handler)
{
    static ngx_str_t  allow = ngx_string("Allow");
    static ngx_str_t  methods = ngx_string("GET, HEAD");

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_pki_header(r, &allow, &methods)
               ? NGX_HTTP_NOT_ALLOWED : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_pki_read_body(r, 0, handler);
}


static void
ngx_http_pki_crl_body_handler(ngx_http_request_t *r)
{
    ngx_int_t           rc;
    ngx_http_pki_crl_t  crl;

    if (ngx_http_pki_crl_asked(r, &crl) != NGX_OK) {
        ngx_http_pki_finalize(r, NGX_HTTP_NOT_FOUND);
        return;
    }

    rc = ngx_http_pki_list_ask(r, crl.mcf, crl.issuer, crl.which,
                               crl.pem, ngx_http_pki_crl_told);
    if (rc == NGX_AGAIN) {
        return;
    }

    ngx_http_pki_finalize(r, rc == NGX_OK ? ngx_http_pki_crl_send(r)
                                          : NGX_HTTP_INTERNAL_SERVER_ERROR);
}


/* also when the time is up: what is kept is as good as without Redis */

static void
ngx_http_pki_crl_told(ngx_http_request_t *r, ngx_uint_t n, const void *reply)
{
    ngx_http_pki_finalize(r, ngx_http_pki_crl_send(r));
}


/* NGX_DECLINED: there is no such file, or the token is not right */

static ngx_int_t
ngx_http_pki_crl_asked(ngx_http_request_t *r, ngx_http_pki_crl_t *crl)
{
    ngx_str_t                 rest;
    ngx_http_pki_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_pki_module);

    crl->mcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);
    crl->issuer = lcf->scope.issuers[0];
    crl->which = PKI_LIST_FULL;
    crl->pem = 0;

    ngx_http_pki_crl_rest(r, &rest);

    if (lcf->crl) {

        if (ngx_http_pki_crl_take(&rest, "delta/")) {
            crl->which = PKI_LIST_DELTA;
        }

        crl->pem = ngx_http_pki_crl_take(&rest, "pem/");

        return ngx_http_pki_crl_token(&rest, &lcf->crl->token)
               ? NGX_OK : NGX_DECLINED;
    }

    if (ngx_http_pki_crl_named(&rest, crl)) {
        return NGX_OK;
    }

    if (ngx_http_pki_crl_take(&rest, "delta")) {
        crl->which = PKI_LIST_DELTA;

        if (rest.len && !ngx_http_pki_crl_take(&rest, "/")) {
            return NGX_DECLINED;
        }
    }

    crl->pem = ngx_http_pki_crl_take(&rest, "pem");

    return rest.len == 0 ? NGX_OK : NGX_DECLINED;
}


/* the path behind the location's name, and the slash between them */

static void
ngx_http_pki_crl_rest(ngx_http_request_t *r, ngx_str_t *rest)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    rest->len = r->uri.len - ngx_min(clcf->name.len, r->uri.len);
    rest->data = r->uri.data + r->uri.len - rest->len;

    (void) ngx_http_pki_crl_take(rest, "/");
}


static ngx_uint_t
ngx_http_pki_crl_take(ngx_str_t *rest, const char *name)
{
    size_t  len;

    len = ngx_strlen(name);

    if (rest->len < len || ngx_strncmp(rest->data, name, len) != 0) {
        return 0;
    }

    rest->data += len;
    rest->len -= len;

    return 1;
}


static ngx_uint_t
ngx_http_pki_crl_token(ngx_str_t *rest, ngx_str_t *token)
{
    return rest->len == token->len
           && CRYPTO_memcmp(rest->data, token->data, token->len) == 0;
}


/* "<issuer>.crl", "<issuer>-delta.pem" ... */

static ngx_uint_t
ngx_http_pki_crl_named(ngx_str_t *rest, ngx_http_pki_crl_t *crl)
{
    ngx_str_t    name;
    ngx_uint_t   delta, pem;

    name = *rest;

    if (!ngx_http_pki_crl_take(&name, (char *) crl->issuer->name.data)) {
        return 0;
    }

    delta = ngx_http_pki_crl_take(&name, "-delta");
    pem = ngx_http_pki_crl_take(&name, ".pem");

    if ((!pem && !ngx_http_pki_crl_take(&name, ".crl")) || name.len) {
        return 0;
    }

    crl->which = delta ? PKI_LIST_DELTA : PKI_LIST_FULL;
    crl->pem = pem;

    return 1;
}


static ngx_int_t
ngx_http_pki_crl_send(ngx_http_request_t *r)
{
    ngx_str_t             text;
    ngx_http_pki_crl_t    crl;
    ngx_http_pki_file_t   file;
    ngx_http_pki_list_t  *list;

    static ngx_str_t  type = ngx_string("application/pkix-crl");
    static ngx_str_t  pem_type = ngx_string("application/x-pem-file");

    (void) ngx_http_pki_crl_asked(r, &crl);

    list = ngx_http_pki_list_hold(r, crl.mcf, crl.issuer, crl.which);

    if (list == NULL) {
        return ngx_http_pki_crl_later(r);
    }

    file.etag.data = (u_char *) list->info.etag;
    file.etag.len = sizeof(list->info.etag) - 1;
    file.issuer = crl.issuer;
    file.modified = list->info.this_update;
    file.age = list->info.next_update - ngx_time();

    if (crl.pem) {
        text = list->pem;

        if (text.len == 0) {
            return ngx_http_pki_crl_later(r);
        }

        file.type = pem_type;
        file.variant = "-pem";
        file.ending = NULL;

    } else {
        text.data = list->der;
        text.len = list->info.len;
        file.type = type;
        file.variant = "";
        file.ending = crl.which == PKI_LIST_DELTA ? "-delta.crl" : ".crl";
    }

    return ngx_http_pki_crl_file(r, &file, text.data, text.len);
}


static ngx_int_t
ngx_http_pki_crl_later(ngx_http_request_t *r)
{
    u_char     *p;
    ngx_str_t   value;

    static ngx_str_t  name = ngx_string("Retry-After");

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.data = p;
    value.len = ngx_sprintf(p, "%d", NGX_HTTP_PKI_CRL_LATER) - p;

    return ngx_http_pki_header(r, &name, &value)
           ? NGX_HTTP_SERVICE_UNAVAILABLE : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static void
ngx_http_pki_ca_body_handler(ngx_http_request_t *r)
{
    ngx_str_t  rest;

    ngx_http_pki_crl_rest(r, &rest);

    ngx_http_pki_finalize(r, rest.len ? NGX_HTTP_NOT_FOUND
                                      : ngx_http_pki_ca_send(r));
}


static ngx_int_t
ngx_http_pki_ca_send(ngx_http_request_t *r)
{
    int                       len;
    u_char                   *der, *p, hex[2 * PKI_FINGERPRINT_LEN];
    ngx_http_pki_file_t       file;
    ngx_http_pki_loc_conf_t  *lcf;

    static ngx_str_t  type = ngx_string("application/pkix-cert");

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_pki_module);

    file.issuer = lcf->scope.issuers[0];

    len = i2d_X509(file.issuer->cert, NULL);
    der = len > 0 ? ngx_pnalloc(r->pool, len) : NULL;

    if (der == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = der;

    if (i2d_X509(file.issuer->cert, &p) != len) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    (void) ngx_hex_dump(hex, file.issuer->ca->fingerprint,
                        PKI_FINGERPRINT_LEN);

    file.type = type;
    file.etag.data = hex;
    file.etag.len = sizeof(hex);
    file.variant = "";
    file.ending = ".cer";
    file.modified = -1;
    file.age = NGX_HTTP_PKI_CA_AGE;

    return ngx_http_pki_crl_file(r, &file, der, len);
}


static ngx_int_t
ngx_http_pki_crl_file(ngx_http_request_t *r, ngx_http_pki_file_t *file,
    u_char *data, size_t len)
{
    u_char     *p;
    ngx_str_t   value;

    static ngx_str_t  etag = ngx_string("ETag");
    static ngx_str_t  control = ngx_string("Cache-Control");
    static ngx_str_t  disposition = ngx_string("Content-Disposition");

    static u_char  directives[] = ", public, no-transform, must-revalidate";
    static u_char  attachment[] = "attachment; filename=\"";

    p = ngx_pnalloc(r->pool, file->etag.len + ngx_strlen(file->variant) + 2
                             + sizeof("max-age=") + NGX_TIME_T_LEN
                             + sizeof(directives) + sizeof(attachment)
                             + file->issuer->name.len
                             + (file->ending ? ngx_strlen(file->ending) : 0));
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.data = p;
    p = ngx_sprintf(p, "\"%V%s\"", &file->etag, file->variant);
    value.len = p - value.data;

    r->headers_out.etag = ngx_http_pki_header(r, &etag, &value);
    if (r->headers_out.etag == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.data = p;
    p = ngx_sprintf(p, "max-age=%T%s", file->age, directives);
    value.len = p - value.data;

    if (ngx_http_pki_header(r, &control, &value) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (file->ending) {
        value.data = p;
        p = ngx_sprintf(p, "%s%V%s\"", attachment, &file->issuer->name,
                        file->ending);
        value.len = p - value.data;

        if (ngx_http_pki_header(r, &disposition, &value) == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    r->headers_out.last_modified_time = file->modified;
    r->allow_ranges = 1;

    return ngx_http_pki_reply(r, NGX_HTTP_OK, &file->type, data, len);
}

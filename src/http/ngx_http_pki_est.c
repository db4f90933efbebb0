
/*
 * Enrollment over Secure Transport (RFC 7030).
 *
 * The path's last part is the operation.  Who enrols shows a token, as in the
 * REST calls; who renews shows the certificate that it has, by TLS, and
 * nothing of the request but its key and lifetime counts then: clients were
 * seen to send any subject.  Replies hold one certificate and do not end in a
 * line feed, which some clients put there themselves.
 */

#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_EST_COLUMNS  64    /* of base64; RFC 7468 */


typedef struct {
    ngx_str_t                  name;
    ngx_uint_t                 method;
    ngx_str_t                  allow;
    ngx_uint_t                 roles;
    ngx_int_t                (*call)(ngx_http_request_t *r);
} ngx_http_pki_est_call_t;


static ngx_http_pki_est_call_t *ngx_http_pki_est_find(ngx_http_request_t *r);
static void ngx_http_pki_est_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_est_process(ngx_http_request_t *r);

static ngx_int_t ngx_http_pki_est_cacerts(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_est_csrattrs(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_est_enroll(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_est_renew(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_est_none(ngx_http_request_t *r);

static ngx_int_t ngx_http_pki_est_certificate(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e, ngx_str_t *der);
static ngx_int_t ngx_http_pki_est_decode(ngx_http_request_t *r,
    ngx_str_t *value, ngx_str_t *der);

static ngx_int_t ngx_http_pki_est_reply(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);
static ngx_int_t ngx_http_pki_est_send(ngx_http_request_t *r, X509 *cert);
static ngx_int_t ngx_http_pki_est_base64(ngx_http_request_t *r,
    ngx_str_t *der, ngx_str_t *text);


#define NGX_HTTP_PKI_EST_ROLES                                                \
    (NGX_HTTP_PKI_ROLE_ENROLL|NGX_HTTP_PKI_ROLE_SELF)


static ngx_http_pki_est_call_t  ngx_http_pki_est_calls[] = {

    { ngx_string("cacerts"), NGX_HTTP_GET|NGX_HTTP_HEAD,
      ngx_string("GET, HEAD"), 0, ngx_http_pki_est_cacerts },

    { ngx_string("csrattrs"), NGX_HTTP_GET|NGX_HTTP_HEAD,
      ngx_string("GET, HEAD"), 0, ngx_http_pki_est_csrattrs },

    { ngx_string("simpleenroll"), NGX_HTTP_POST,
      ngx_string("POST"), NGX_HTTP_PKI_EST_ROLES, ngx_http_pki_est_enroll },

    { ngx_string("simplereenroll"), NGX_HTTP_POST,
      ngx_string("POST"), 0, ngx_http_pki_est_renew },

    { ngx_string("serverkeygen"), NGX_HTTP_POST,
      ngx_string("POST"), NGX_HTTP_PKI_EST_ROLES, ngx_http_pki_est_none },

    { ngx_string("fullcmc"), NGX_HTTP_POST,
      ngx_string("POST"), NGX_HTTP_PKI_EST_ROLES, ngx_http_pki_est_none },

    { ngx_null_string, 0, ngx_null_string, 0, NULL }
};


ngx_int_t
ngx_http_pki_est_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_pki_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);

    if (ngx_http_pki_get_worker(mcf) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_pki_auth_subrequest(r);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_pki_read_body(r, PKI_CSR_MAX, ngx_http_pki_est_body_handler);

    if (rc != NGX_HTTP_REQUEST_ENTITY_TOO_LARGE) {
        return rc;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_pki_enroll_refuse(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                      "The body is too large.");
}


ngx_uint_t
ngx_http_pki_est_roles(ngx_http_request_t *r)
{
    ngx_http_pki_est_call_t  *call;

    call = ngx_http_pki_est_find(r);

    return call ? call->roles : NGX_HTTP_PKI_EST_ROLES;
}


static ngx_http_pki_est_call_t *
ngx_http_pki_est_find(ngx_http_request_t *r)
{
    size_t                     len;
    u_char                    *p, *last;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_pki_est_call_t   *call;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    last = r->uri.data + r->uri.len;
    p = r->uri.data + ngx_min(clcf->name.len, r->uri.len);

    while (p < last && *p == '/') {
        p++;
    }

    if (p < last && last[-1] == '/') {
        last--;
    }

    len = last - p;

    for (call = ngx_http_pki_est_calls; call->name.len; call++) {
        if (call->name.len == len
            && ngx_strncmp(call->name.data, p, len) == 0)
        {
            return call;
        }
    }

    return NULL;
}


static void
ngx_http_pki_est_body_handler(ngx_http_request_t *r)
{
    ngx_http_pki_enroll_end(r, ngx_http_pki_est_process(r));
}


static ngx_int_t
ngx_http_pki_est_process(ngx_http_request_t *r)
{
    ngx_http_pki_est_call_t  *call;

    static ngx_str_t  name = ngx_string("Allow");

    if (ngx_http_pki_get_ctx(r) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    call = ngx_http_pki_est_find(r);

    if (call == NULL) {
        return ngx_http_pki_api_error(r, NGX_HTTP_NOT_FOUND,
                                      NGX_HTTP_NOT_FOUND,
                                      "There is no such operation.");
    }

    if (call->method & r->method) {
        return call->call(r);
    }

    if (ngx_http_pki_header(r, &name, &call->allow) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_pki_api_error(r, NGX_HTTP_NOT_ALLOWED,
                                  NGX_HTTP_NOT_ALLOWED,
                                  "The method is not allowed here.");
}


/* the issuing CA alone: clients take what comes for the issuer */

static ngx_int_t
ngx_http_pki_est_cacerts(ngx_http_request_t *r)
{
    ngx_http_pki_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_pki_module);

    return ngx_http_pki_est_send(r, lcf->enroll->profiles[0]->issuer->cert);
}


/* RFC 7030, 4.5.2: none are asked for */

static ngx_int_t
ngx_http_pki_est_csrattrs(ngx_http_request_t *r)
{
    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;

    return ngx_http_send_header(r);
}


static ngx_int_t
ngx_http_pki_est_none(ngx_http_request_t *r)
{
    return ngx_http_pki_api_error(r, NGX_HTTP_NOT_IMPLEMENTED,
                                  NGX_HTTP_NOT_IMPLEMENTED,
                                  "The operation is not offered.");
}


static ngx_int_t
ngx_http_pki_est_enroll(ngx_http_request_t *r)
{
    ngx_http_pki_enroll_t  *e;

    e = ngx_http_pki_enroll_open(r, ngx_http_pki_est_reply);
    if (e == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_pki_enroll_begin(r, e);
}


static ngx_int_t
ngx_http_pki_est_renew(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_str_t               value;
    pki_bytes_t             der;
    ngx_http_pki_enroll_t  *e;

    e = ngx_http_pki_enroll_open(r, ngx_http_pki_est_reply);
    if (e == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_pki_est_certificate(r, e, &value);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_pki_enroll_refuse(r, NGX_HTTP_FORBIDDEN,
                                          "The certificate to be renewed "
                                          "must be shown by TLS.");
    }

    der.data = value.data;
    der.len = value.len;

    rc = ngx_http_pki_enroll_old(r, e, der);

    if (rc != NGX_OK || r->header_sent) {
        return rc;
    }

    return ngx_http_pki_enroll_renew(r, e);
}


/* what the client has shown, DER; NGX_DECLINED: nothing of use */

static ngx_int_t
ngx_http_pki_est_certificate(ngx_http_request_t *r, ngx_http_pki_enroll_t *e,
    ngx_str_t *der)
{
    ngx_str_t                   value;
    ngx_http_variable_value_t  *v;

    static ngx_str_t  name = ngx_string("ssl_client_escaped_cert");

    if (e->conf->certificate) {

        if (ngx_http_complex_value(r, e->conf->certificate, &value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

    } else {
        v = ngx_http_get_variable(r, &name,
                                  ngx_hash_key(name.data, name.len));
        if (v == NULL) {
            return NGX_ERROR;
        }

        value.data = v->data;
        value.len = v->not_found ? 0 : v->len;
    }

    if (value.len == 0) {
        return NGX_DECLINED;
    }

    return ngx_http_pki_est_decode(r, &value, der);
}


/*
 * PEM or base64 of DER; with escapes, as nginx and others put it in a
 * header; with blanks or tabs where its lines ended.  The first certificate
 * counts.
 */

static ngx_int_t
ngx_http_pki_est_decode(ngx_http_request_t *r, ngx_str_t *value,
    ngx_str_t *der)
{
    u_char     *p, *last, *src, *dst, *end;
    ngx_str_t   text;

    static u_char  begin[] = "-----BEGIN CERTIFICATE-----";

    p = ngx_pnalloc(r->pool, value->len);
    der->data = ngx_pnalloc(r->pool, ngx_base64_decoded_length(value->len));

    if (p == NULL || der->data == NULL) {
        return NGX_ERROR;
    }

    dst = p;
    src = value->data;

    ngx_unescape_uri(&dst, &src, value->len, 0);

    last = dst;

    src = ngx_strlcasestrn(p, last, begin, sizeof(begin) - 2);

    if (src) {
        p = src + sizeof(begin) - 1;

        end = ngx_strlchr(p, last, '-');
        last = end ? end : last;
    }

    text.data = p;

    for (dst = p; p < last; p++) {
        if (*p != ' ' && *p != '\t' && *p != CR && *p != LF) {
            *dst++ = *p;
        }
    }

    text.len = dst - text.data;

    if (text.len == 0 || ngx_decode_base64(der, &text) != NGX_OK) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* replies */

static ngx_int_t
ngx_http_pki_est_reply(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    return ngx_http_pki_est_send(r, e->cert);
}


static ngx_int_t
ngx_http_pki_est_send(ngx_http_request_t *r, X509 *cert)
{
    size_t      len;
    u_char     *p;
    ngx_int_t   rc;
    ngx_str_t   der, text;

    static ngx_str_t  type =
        ngx_string("application/pkcs7-mime; smime-type=certs-only");
    static ngx_str_t  name = ngx_string("Content-Transfer-Encoding");
    static ngx_str_t  value = ngx_string("base64");

    if (pki_cert_pkcs7(&cert, 1, &p, &len) != PKI_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    der.data = p;
    der.len = len;

    rc = ngx_http_pki_est_base64(r, &der, &text);

    OPENSSL_free(p);

    if (rc != NGX_OK || ngx_http_pki_header(r, &name, &value) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_pki_reply(r, NGX_HTTP_OK, &type, text.data, text.len);
}


static ngx_int_t
ngx_http_pki_est_base64(ngx_http_request_t *r, ngx_str_t *der, ngx_str_t *text)
{
    size_t      n;
    u_char     *p;
    ngx_str_t   line;

    line.data = ngx_pnalloc(r->pool, ngx_base64_encoded_length(der->len));
    p = ngx_pnalloc(r->pool, ngx_base64_encoded_length(der->len)
                             + ngx_base64_encoded_length(der->len)
                               / NGX_HTTP_PKI_EST_COLUMNS);

    if (line.data == NULL || p == NULL) {
        return NGX_ERROR;
    }

    ngx_encode_base64(&line, der);

    text->data = p;

    while (line.len) {
        n = ngx_min(line.len, NGX_HTTP_PKI_EST_COLUMNS);

        p = ngx_cpymem(p, line.data, n);

        line.data += n;
        line.len -= n;

        if (line.len) {
            *p++ = LF;
        }
    }

    text->len = p - text->data;

    return NGX_OK;
}

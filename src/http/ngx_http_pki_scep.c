
/*
 * Simple Certificate Enrolment Protocol (RFC 8894).
 *
 * No token says who asks: a message does, which has a challenge in it or is
 * signed with the certificate to be renewed.  From there on it is an
 * enrolment like any other, or a renewal as EST has it.  What the CA's key
 * does, decrypting, issuing and signing the reply, takes a turn each; whoever
 * is refused gets a signed reply, too, since HTTP has no word in SCEP.
 */

#include "ngx_http_pki_module.h"

#include "pki_scep.h"


#define NGX_HTTP_PKI_SCEP_CALLER  "SCEP challenge"


typedef struct {
    ngx_str_t                  name;
    ngx_int_t                (*call)(ngx_http_request_t *r);
} ngx_http_pki_scep_call_t;


/* hangs on the enrolment, in the request's pool */

typedef struct {
    pki_scep_t                *message;
    unsigned                   turn:1;      /* of the CA's key, it had one */
} ngx_http_pki_scep_t;


static ngx_uint_t ngx_http_pki_scep_here(ngx_http_request_t *r);
static void ngx_http_pki_scep_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_scep_process(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_scep_caps(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_scep_cert(ngx_http_request_t *r);

static ngx_int_t ngx_http_pki_scep_message(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_scep_read(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e, pki_bytes_t der);
static ngx_int_t ngx_http_pki_scep_der(ngx_http_request_t *r, ngx_str_t *der);
static ngx_int_t ngx_http_pki_scep_argument(ngx_http_request_t *r,
    ngx_str_t *der);
static ngx_int_t ngx_http_pki_scep_old(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);
static void ngx_http_pki_scep_cleanup(void *data);

static void ngx_http_pki_scep_opened(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static ngx_int_t ngx_http_pki_scep_open(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);
static ngx_int_t ngx_http_pki_scep_enroll(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);
static ngx_int_t ngx_http_pki_scep_challenge(ngx_http_pki_enroll_t *e);

static ngx_int_t ngx_http_pki_scep_refuse(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e, const char *message);
static ngx_int_t ngx_http_pki_scep_reply(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);
static void ngx_http_pki_scep_replied(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static ngx_int_t ngx_http_pki_scep_send(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);


static ngx_http_pki_scep_call_t  ngx_http_pki_scep_calls[] = {
    { ngx_string("GetCACaps"), ngx_http_pki_scep_caps },
    { ngx_string("GetCACert"), ngx_http_pki_scep_cert },
    { ngx_string("PKIOperation"), ngx_http_pki_scep_message },
    { ngx_null_string, NULL }
};


ngx_int_t
ngx_http_pki_scep_handler(ngx_http_request_t *r)
{
    ngx_http_pki_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);

    if (ngx_http_pki_get_worker(mcf) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!ngx_http_pki_scep_here(r)) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    return ngx_http_pki_read_body(r, PKI_SCEP_MAX,
                                  ngx_http_pki_scep_body_handler);
}


/* Windows puts the name of a program that once was there behind the URL */

static ngx_uint_t
ngx_http_pki_scep_here(ngx_http_request_t *r)
{
    u_char                    *p, *last;
    ngx_http_core_loc_conf_t  *clcf;

    static ngx_str_t  program = ngx_string("pkiclient.exe");

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    last = r->uri.data + r->uri.len;
    p = r->uri.data + ngx_min(clcf->name.len, r->uri.len);

    while (p < last && *p == '/') {
        p++;
    }

    if (p < last && last[-1] == '/') {
        last--;
    }

    return p == last
           || ((size_t) (last - p) == program.len
               && ngx_strncasecmp(p, program.data, program.len) == 0);
}


static void
ngx_http_pki_scep_body_handler(ngx_http_request_t *r)
{
    ngx_http_pki_enroll_end(r, ngx_http_pki_scep_process(r));
}


/* a client of Microsoft's makes its POST without saying what for */

static ngx_int_t
ngx_http_pki_scep_process(ngx_http_request_t *r)
{
    ngx_str_t                  name;
    ngx_http_pki_scep_call_t  *call;

    if (ngx_http_arg(r, (u_char *) "operation", 9, &name) != NGX_OK) {

        if (r->method == NGX_HTTP_POST) {
            return ngx_http_pki_scep_message(r);
        }

        ngx_str_null(&name);
    }

    for (call = ngx_http_pki_scep_calls; call->name.len; call++) {
        if (call->name.len == name.len
            && ngx_strncasecmp(call->name.data, name.data, name.len) == 0)
        {
            return call->call(r);
        }
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "pki scep: there is no operation \"%V\"", &name);

    return ngx_http_pki_enroll_refuse(r, NGX_HTTP_BAD_REQUEST,
                                      "There is no such operation.");
}


static ngx_int_t
ngx_http_pki_scep_caps(ngx_http_request_t *r)
{
    static ngx_str_t  type = ngx_string("text/plain");
    static u_char     caps[] = "AES\n"
                               "POSTPKIOperation\n"
                               "Renewal\n"
                               "SCEPStandard\n"
                               "SHA-256\n"
                               "SHA-512\n";

    return ngx_http_pki_reply(r, NGX_HTTP_OK, &type, caps, sizeof(caps) - 1);
}


/* the issuing CA alone: its certificate is what clients encrypt to */

static ngx_int_t
ngx_http_pki_scep_cert(ngx_http_request_t *r)
{
    size_t                    len;
    u_char                   *p, *der;
    ngx_http_pki_loc_conf_t  *lcf;

    static ngx_str_t  type = ngx_string("application/x-x509-ca-cert");

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_pki_module);

    if (pki_cert_der(lcf->enroll->profiles[0]->issuer->cert, &der, &len)
        != PKI_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_pnalloc(r->pool, len);

    if (p) {
        ngx_memcpy(p, der, len);
    }

    OPENSSL_free(der);

    return p ? ngx_http_pki_reply(r, NGX_HTTP_OK, &type, p, len)
             : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* a request: what it is, then its turn to be decrypted */

static ngx_int_t
ngx_http_pki_scep_message(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_str_t               text;
    pki_bytes_t             der;
    ngx_http_pki_enroll_t  *e;

    e = ngx_http_pki_enroll_open(r, ngx_http_pki_scep_reply);
    if (e == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_pki_sign_busy(e->mcf)) {
        return ngx_http_pki_enroll_busy(r);
    }

    rc = ngx_http_pki_scep_der(r, &text);

    if (rc != NGX_OK || r->header_sent) {
        return rc;
    }

    der.data = text.data;
    der.len = text.len;

    rc = ngx_http_pki_scep_read(r, e, der);

    if (rc != NGX_OK || r->header_sent) {
        return rc;
    }

    return ngx_http_pki_sign_wait(r, e->mcf, ngx_http_pki_scep_opened, 0);
}


/* what it is, as far as that can be told without the CA's key */

static ngx_int_t
ngx_http_pki_scep_read(ngx_http_request_t *r, ngx_http_pki_enroll_t *e,
    pki_bytes_t der)
{
    pki_rc_t              rc;
    pki_err_t             err;
    ngx_pool_cleanup_t   *cln;
    ngx_http_pki_scep_t  *scep;

    scep = ngx_pcalloc(r->pool, sizeof(ngx_http_pki_scep_t));
    cln = ngx_pool_cleanup_add(r->pool, 0);

    if (scep == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_pki_scep_cleanup;
    cln->data = scep;

    rc = pki_scep_read(der, &scep->message, &err);

    if (rc == PKI_INVALID) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "pki scep: not a message: %s", err.text);
        return ngx_http_pki_enroll_refuse(r, NGX_HTTP_BAD_REQUEST, err.text);
    }

    if (rc != PKI_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    e->data = scep;
    e->refuse = ngx_http_pki_scep_refuse;
    e->issuer = e->conf->profiles[0]->issuer;

    if (scep->message->fail != PKI_SCEP_NO_FAILURE) {
        return ngx_http_pki_enroll_refuse(r, NGX_HTTP_BAD_REQUEST, err.text);
    }

    return scep->message->type == PKI_SCEP_RENEWAL
           ? ngx_http_pki_scep_old(r, e) : NGX_OK;
}


static ngx_int_t
ngx_http_pki_scep_der(ngx_http_request_t *r, ngx_str_t *der)
{
    ngx_int_t  rc;

    rc = r->method == NGX_HTTP_POST
         ? ngx_http_pki_body(r, PKI_SCEP_MAX, der)
         : ngx_http_pki_scep_argument(r, der);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return r->method == NGX_HTTP_POST
               ? ngx_http_pki_enroll_refuse(r,
                                            NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                            "The body is too large.")
               : ngx_http_pki_enroll_refuse(r, NGX_HTTP_BAD_REQUEST,
                                            "The message is not base64.");
    }

    return NGX_OK;
}


/*
 * Base64 in a query, which nginx leaves as it was sent; '+' may have been
 * taken for a blank on its way.
 */

static ngx_int_t
ngx_http_pki_scep_argument(ngx_http_request_t *r, ngx_str_t *der)
{
    u_char     *p, *src, *dst;
    ngx_str_t   value, text;

    if (ngx_http_arg(r, (u_char *) "message", 7, &value) != NGX_OK) {
        return NGX_DECLINED;
    }

    text.data = ngx_pnalloc(r->pool, value.len);
    der->data = ngx_pnalloc(r->pool, ngx_base64_decoded_length(value.len));

    if (text.data == NULL || der->data == NULL) {
        return NGX_ERROR;
    }

    src = value.data;
    dst = text.data;

    ngx_unescape_uri(&dst, &src, value.len, 0);

    src = dst;
    dst = text.data;

    for (p = text.data; p < src; p++) {
        if (*p != CR && *p != LF) {
            *dst++ = *p == ' ' ? '+' : *p;
        }
    }

    text.len = dst - text.data;

    return ngx_decode_base64(der, &text) == NGX_OK ? NGX_OK : NGX_DECLINED;
}


/* a stranger's certificate is worth no operation of the CA's key */

static ngx_int_t
ngx_http_pki_scep_old(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    size_t                len;
    u_char               *p;
    ngx_int_t             rc;
    pki_bytes_t           der;
    ngx_http_pki_scep_t  *scep;

    scep = e->data;
    scep->message->fail = PKI_SCEP_BAD_CERT_ID;

    if (pki_cert_der(scep->message->signer, &p, &len) != PKI_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    der.data = p;
    der.len = len;

    rc = ngx_http_pki_enroll_old(r, e, der);

    OPENSSL_free(p);

    return rc;
}


static void
ngx_http_pki_scep_cleanup(void *data)
{
    ngx_http_pki_scep_t *scep = data;

    pki_scep_free(scep->message);
}


static void
ngx_http_pki_scep_opened(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    ngx_int_t               rc;
    ngx_http_pki_enroll_t  *e;

    e = ngx_http_pki_enroll_of(r);

    if (reply == NULL) {
        rc = ngx_http_pki_enroll_failed(r, "There was no time to decrypt.");

    } else if (r->connection->read->pending_eof) {

        /* as for a signature: nobody would take it */

        rc = NGX_HTTP_CLIENT_CLOSED_REQUEST;

    } else {
        rc = ngx_http_pki_scep_open(r, e);
    }

    ngx_http_pki_enroll_end(r, rc);
}


static ngx_int_t
ngx_http_pki_scep_open(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    pki_rc_t              rc;
    pki_err_t             err;
    ngx_http_pki_scep_t  *scep;

    scep = e->data;
    scep->turn = 1;

    rc = pki_scep_open(scep->message, e->issuer->ca, &e->csr, &err);

    if (rc == PKI_INVALID) {
        return ngx_http_pki_enroll_refuse(r, NGX_HTTP_BAD_REQUEST, err.text);
    }

    if (rc != PKI_OK) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "pki issuer \"%V\": decrypting a message failed: %s",
                      &e->issuer->name, err.text);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return e->old ? ngx_http_pki_enroll_renew(r, e)
                  : ngx_http_pki_scep_enroll(r, e);
}


static ngx_int_t
ngx_http_pki_scep_enroll(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    ngx_http_pki_ctx_t  *ctx;

    switch (ngx_http_pki_scep_challenge(e)) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        return ngx_http_pki_enroll_refuse(r, NGX_HTTP_FORBIDDEN,
                                          "The challenge is wrong or "
                                          "missing.");

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);

    ngx_str_set(&ctx->caller, NGX_HTTP_PKI_SCEP_CALLER);

    return ngx_http_pki_enroll_begin(r, e);
}


/* all are compared, and as hashes: time tells nothing of them */

static ngx_int_t
ngx_http_pki_scep_challenge(ngx_http_pki_enroll_t *e)
{
    u_char                     hash[PKI_FINGERPRINT_LEN];
    ngx_uint_t                 i, found;
    ngx_http_pki_challenge_t  *challenge;

    if (e->conf->challenges == NULL || e->csr->challenge == NULL) {
        return NGX_DECLINED;
    }

    if (EVP_Digest(e->csr->challenge, ngx_strlen(e->csr->challenge), hash,
                   NULL, EVP_sha256(), NULL)
        != 1)
    {
        return NGX_ERROR;
    }

    found = 0;
    challenge = e->conf->challenges->elts;

    for (i = 0; i < e->conf->challenges->nelts; i++) {
        found |= CRYPTO_memcmp(challenge[i].hash, hash, sizeof(hash)) == 0;
    }

    return found ? NGX_OK : NGX_DECLINED;
}


/* replies */

static ngx_int_t
ngx_http_pki_scep_refuse(ngx_http_request_t *r, ngx_http_pki_enroll_t *e,
    const char *message)
{
    pki_scep_fail_t      *fail;
    ngx_http_pki_scep_t  *scep;

    static ngx_str_t  name = ngx_string("Cache-Control");
    static ngx_str_t  value = ngx_string("no-store");

    scep = e->data;
    fail = &scep->message->fail;

    if (*fail == PKI_SCEP_NO_FAILURE) {
        *fail = PKI_SCEP_BAD_REQUEST;
    }

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "pki issuer \"%V\": a SCEP request was refused, failInfo "
                  "%d: %s", &e->issuer->name, (int) *fail, message);

    if (ngx_http_pki_header(r, &name, &value) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_pki_scep_reply(r, e);
}


static ngx_int_t
ngx_http_pki_scep_reply(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    ngx_http_pki_scep_t  *scep;

    scep = e->data;

    return ngx_http_pki_sign_wait(r, e->mcf, ngx_http_pki_scep_replied,
                                  scep->turn);
}


static void
ngx_http_pki_scep_replied(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    ngx_int_t               rc;
    ngx_http_pki_enroll_t  *e;

    e = ngx_http_pki_enroll_of(r);

    rc = reply ? ngx_http_pki_scep_send(r, e)
               : ngx_http_pki_enroll_failed(r, "There was no time to sign.");

    ngx_http_pki_enroll_end(r, rc);
}


static ngx_int_t
ngx_http_pki_scep_send(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    size_t                len;
    u_char               *der;
    pki_err_t             err;
    ngx_http_pki_scep_t  *scep;

    static ngx_str_t  type = ngx_string("application/x-pki-message");

    scep = e->data;

    if (pki_scep_reply(scep->message, e->issuer->ca, e->cert, &der, &len,
                       &err)
        != PKI_OK)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "pki issuer \"%V\": signing a reply failed: %s",
                      &e->issuer->name, err.text);

        return ngx_http_pki_enroll_failed(r, "The reply could not be "
                                          "signed.");
    }

    /* it is sent as it is, and freed with the request */

    OPENSSL_free(e->der);
    e->der = der;
    e->len = len;

    return ngx_http_pki_reply(r, NGX_HTTP_OK, &type, der, len);
}


/*
 * From a request to all that a certificate needs.
 *
 * It is read, allowed by the profile, bound to an object; a serial number is
 * reserved, and the object's verdict is good.  Then ngx_http_pki_issue.c goes
 * on.  A request may end at each step: nothing was promised until then, and
 * the reservation ends by itself.
 */

#include "ngx_http_pki_module.h"

#include <openssl/rand.h>


/* draws of a serial number; two of the same object share 2 or 3 octets */
#define NGX_HTTP_PKI_ENROLL_TRIES    8

/* seconds that a serial number is kept for whoever enrols: lookups, the queue
   and the record take less than a minute */
#define NGX_HTTP_PKI_ENROLL_RESERVE  300

/* questions for one certificate; that news of it come while it waits for its
   signature is rare already */
#define NGX_HTTP_PKI_ENROLL_ASKED    4


static ngx_int_t ngx_http_pki_enroll_der(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);
static void ngx_http_pki_enroll_cleanup(void *data);
static ngx_int_t ngx_http_pki_enroll_read(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);
static ngx_int_t ngx_http_pki_enroll_profile(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);
static ngx_int_t ngx_http_pki_enroll_rc(ngx_http_request_t *r, pki_rc_t rc,
    ngx_uint_t status, const pki_err_t *err);

static ngx_int_t ngx_http_pki_enroll_may(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);
static void ngx_http_pki_enroll_told(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static ngx_int_t ngx_http_pki_enroll_good(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);

static ngx_int_t ngx_http_pki_enroll_serial(ngx_http_pki_enroll_t *e);
static void ngx_http_pki_enroll_reserved(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);


/* POST csr */

ngx_int_t
ngx_http_pki_enroll_csr(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    ngx_http_pki_enroll_t  *e;

    e = ngx_http_pki_enroll_open(r, ngx_http_pki_enroll_der);
    if (e == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (e->conf == NULL || e->conf->n == 0) {
        return ngx_http_pki_api_error(r, NGX_HTTP_NOT_FOUND,
                                      NGX_HTTP_NOT_FOUND,
                                      "No certificates are issued here.");
    }

    return ngx_http_pki_enroll_begin(r, e);
}


static ngx_int_t
ngx_http_pki_enroll_der(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    static ngx_str_t  type = ngx_string("application/pkix-cert");

    return ngx_http_pki_reply(r, NGX_HTTP_OK, &type, e->der, e->len);
}


ngx_http_pki_enroll_t *
ngx_http_pki_enroll_open(ngx_http_request_t *r, ngx_http_pki_enroll_pt reply)
{
    ngx_pool_cleanup_t       *cln;
    ngx_http_pki_ctx_t       *ctx;
    ngx_http_pki_enroll_t    *e;
    ngx_http_pki_loc_conf_t  *lcf;

    ctx = ngx_http_pki_get_ctx(r);
    e = ngx_pcalloc(r->pool, sizeof(ngx_http_pki_enroll_t));
    cln = ngx_pool_cleanup_add(r->pool, 0);

    if (ctx == NULL || e == NULL || cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_pki_enroll_cleanup;
    cln->data = e;

    ctx->data = e;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_pki_module);

    e->mcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);
    e->conf = lcf->enroll;
    e->reply = reply;

    return e;
}


static void
ngx_http_pki_enroll_cleanup(void *data)
{
    ngx_http_pki_enroll_t *e = data;

    pki_csr_free(e->csr);
    X509_free(e->old);
    X509_free(e->cert);
    OPENSSL_free(e->der);
}


ngx_int_t
ngx_http_pki_enroll_begin(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    u_char      random[PKI_SERIAL_PAYLOAD];
    pki_rc_t    prc;
    ngx_int_t   rc;
    pki_err_t   err;

    if (ngx_http_pki_sign_busy(e->mcf)) {
        return ngx_http_pki_enroll_busy(r);
    }

    rc = ngx_http_pki_enroll_read(r, e);

    if (rc != NGX_OK || r->header_sent) {
        return rc;
    }

    rc = ngx_http_pki_enroll_profile(r, e);

    if (rc != NGX_OK || r->header_sent) {
        return rc;
    }

    prc = pki_profile_check(&e->profile->rules, e->csr, e->self, &err);

    if (prc != PKI_OK) {
        return ngx_http_pki_enroll_rc(r, prc, NGX_HTTP_FORBIDDEN, &err);
    }

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    prc = pki_csr_claim(e->csr, e->profile->rules.bind, random, &e->claim,
                        &err);

    if (prc != PKI_OK) {
        return ngx_http_pki_enroll_rc(r, prc, NGX_HTTP_BAD_REQUEST, &err);
    }

    if (e->self) {
        rc = ngx_http_pki_verify_self(r, e);

        if (rc != NGX_OK || r->header_sent) {
            return rc;
        }
    }

    if (e->claim.name[0] != '\0') {
        return ngx_http_pki_resolve(r, e);
    }

    return ngx_http_pki_enroll_reserve(r, e);
}


/* whose is it, and which profile renews its like? */

ngx_int_t
ngx_http_pki_enroll_old(ngx_http_request_t *r, ngx_http_pki_enroll_t *e,
    pki_bytes_t der)
{
    X509                    *cert;
    pki_rc_t                 rc;
    ngx_uint_t               i, ours;
    pki_err_t                err;
    pki_serial_t             serial;
    pki_binding_t            binding;
    ngx_http_pki_profile_t  *profile;

    ours = 0;

    for (i = 0; i < e->conf->n; i++) {
        profile = e->conf->profiles[i];

        rc = pki_cert_read(profile->issuer->ca, der, &cert, &serial, &err);

        if (rc == PKI_ERROR) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (rc != PKI_OK) {
            continue;
        }

        ours = 1;

        if (pki_serial_open(&serial, profile->issuer->serial_keys, &binding)
            == PKI_OK
            && (profile->renew & ((ngx_uint_t) 1 << binding.kind)))
        {
            e->profile = profile;
            e->issuer = profile->issuer;
            e->old = cert;
            e->old_serial = serial;
            e->claim.binding = binding;

            return ngx_http_pki_enroll_may(r, e);
        }

        X509_free(cert);
    }

    return ngx_http_pki_enroll_refuse(r, NGX_HTTP_FORBIDDEN, ours
                                      ? "Certificates of this kind are not "
                                        "renewed here."
                                      : "The certificate was not issued "
                                        "here.");
}


static ngx_int_t
ngx_http_pki_enroll_may(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    char             serial[PKI_SERIAL_HEX_SIZE];
    pki_cert_text_t  text;

    if (pki_cert_describe(e->old, &text) != PKI_OK
        || ngx_time() < text.not_before || ngx_time() > text.not_after)
    {
        return ngx_http_pki_enroll_refuse(r, NGX_HTTP_FORBIDDEN,
                                          "The certificate to be renewed is "
                                          "not valid now.");
    }

    (void) pki_serial_to_text(&e->old_serial, serial);

    *ngx_snprintf((u_char *) e->requester, PKI_STORE_WHO_MAX,
                  "certificate %s", serial) = '\0';

    return NGX_OK;
}


ngx_int_t
ngx_http_pki_enroll_renew(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    pki_rc_t   prc;
    ngx_int_t  rc;
    pki_err_t  err;

    if (ngx_http_pki_sign_busy(e->mcf)) {
        return ngx_http_pki_enroll_busy(r);
    }

    rc = ngx_http_pki_enroll_read(r, e);

    if (rc != NGX_OK || r->header_sent) {
        return rc;
    }

    prc = pki_csr_renew(e->csr, e->old, &err);

    if (prc == PKI_OK) {
        prc = pki_profile_check(&e->profile->rules, e->csr, 0, &err);
    }

    if (prc != PKI_OK) {
        return ngx_http_pki_enroll_rc(r, prc, NGX_HTTP_FORBIDDEN, &err);
    }

    return ngx_http_pki_enroll_ask(r, e);
}


static ngx_int_t
ngx_http_pki_enroll_read(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    pki_rc_t     prc;
    ngx_int_t    rc;
    ngx_str_t    body;
    pki_err_t    err;
    pki_bytes_t  text;

    if (e->csr) {
        return NGX_OK;
    }

    rc = ngx_http_pki_body(r, PKI_CSR_MAX, &body);

    if (rc == NGX_DECLINED) {
        return ngx_http_pki_enroll_refuse(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                          "The body is too large.");
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.data = body.data;
    text.len = body.len;

    prc = pki_csr_read(text, &e->csr, &err);

    if (prc != PKI_OK) {
        return ngx_http_pki_enroll_rc(r, prc, NGX_HTTP_BAD_REQUEST, &err);
    }

    return NGX_OK;
}


/* the first that is for this caller, who may be let in by its address only */

static ngx_int_t
ngx_http_pki_enroll_profile(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    ngx_str_t               *name;
    ngx_uint_t               i;
    ngx_http_pki_ctx_t      *ctx;
    ngx_http_pki_profile_t  *profile;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);

    name = ctx->caller.len ? &ctx->caller : &r->connection->addr_text;

    for (i = 0; e->profile == NULL && i < e->conf->n; i++) {
        profile = e->conf->profiles[i];

        if (ngx_http_pki_api_may(r, profile->issuer)
            && pki_patterns_match(&profile->callers, (char *) name->data,
                                  name->len))
        {
            e->profile = profile;
            e->issuer = profile->issuer;
        }
    }

    if (e->profile == NULL) {
        return ngx_http_pki_enroll_refuse(r, NGX_HTTP_FORBIDDEN,
                                          "No certificates are issued for "
                                          "this caller here.");
    }

    e->self = (ctx->roles & NGX_HTTP_PKI_ROLE_SELF)
              && !(ctx->roles & (NGX_HTTP_PKI_ROLE_ENROLL
                                 |NGX_HTTP_PKI_ROLE_ADMIN));

    if (ctx->user.len) {
        *ngx_snprintf((u_char *) e->requester, PKI_STORE_WHO_MAX, "%V",
                      &ctx->user) = '\0';

    } else {
        ngx_http_pki_api_who(r, e->requester, NULL);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_pki_enroll_ask(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    ngx_int_t  rc;

    if (e->asked++ == NGX_HTTP_PKI_ENROLL_ASKED) {
        return ngx_http_pki_enroll_failed(r, "The state of the object "
                                          "changes.");
    }

    rc = e->old ? ngx_http_pki_ask(r, e->issuer, &e->old_serial,
                                   ngx_http_pki_enroll_told, 0)
                : ngx_http_pki_ask_issue(r, e->issuer, &e->serial,
                                         ngx_http_pki_enroll_told, 0);

    return rc == NGX_ERROR ? NGX_HTTP_INTERNAL_SERVER_ERROR : NGX_BUSY;
}


static void
ngx_http_pki_enroll_told(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_told_t *told = reply;

    ngx_int_t               rc;
    ngx_http_pki_enroll_t  *e;

    e = ngx_http_pki_enroll_of(r);

    if (told == NULL || told->found->result != PKI_STORE_DONE) {
        rc = ngx_http_pki_enroll_failed(r, "The store does not answer.");

    } else {
        e->ticket = *told->ticket;

        rc = ngx_http_pki_verify(r, e, told);

        if (rc == NGX_OK && !r->header_sent) {
            rc = ngx_http_pki_enroll_good(r, e);
        }
    }

    ngx_http_pki_enroll_end(r, rc);
}


/* a renewal has no serial number at first */

static ngx_int_t
ngx_http_pki_enroll_good(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    if (e->serial.len == 0) {
        return ngx_http_pki_enroll_reserve(r, e);
    }

    if (e->self && e->claim.binding.kind == PKI_KIND_DEVICE) {
        e->directory = 0;
        e->other[0] = '\0';
        return ngx_http_pki_resolve_owner(r, e);
    }

    return ngx_http_pki_issue(r, e);
}


/*
 * What is not recorded keeps its serial number from others until it ends,
 * which is not before the longest life that it may have.
 */

ngx_int_t
ngx_http_pki_enroll_reserve(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    time_t                seconds;
    ngx_http_pki_wait_t  *wait;

    if (ngx_http_pki_enroll_serial(e) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "pki issuer \"%V\": making a serial number failed",
                      &e->issuer->name);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    seconds = NGX_HTTP_PKI_ENROLL_RESERVE;

    if (!e->conf->record) {
        seconds += e->profile->rules.lifetime
                   ? ngx_min(e->profile->rules.lifetime,
                             e->issuer->urls.lifetime)
                   : e->issuer->urls.lifetime;
    }

    wait = ngx_http_pki_wait(r, ngx_http_pki_enroll_reserved, 0,
                             e->issuer->store->timeout);
    if (wait == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pki_book_reserve(ngx_http_pki_transport(e->mcf, e->issuer->store),
                     (char *) e->issuer->name.data, &e->serial,
                     (long) seconds, ngx_http_pki_done, wait);

    return NGX_BUSY;
}


static ngx_int_t
ngx_http_pki_enroll_serial(ngx_http_pki_enroll_t *e)
{
    u_char  random[3];

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return NGX_ERROR;
    }

    if (!e->issuer->sealed) {
        pki_serial_make_plain(&e->claim.binding, random, &e->serial);
        return NGX_OK;
    }

    return pki_serial_make_sealed(&e->claim.binding, random,
                                  e->issuer->serial_keys, &e->serial)
           == PKI_OK
           ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_pki_enroll_reserved(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_done_t *done = reply;

    ngx_int_t               rc;
    ngx_http_pki_enroll_t  *e;

    e = ngx_http_pki_enroll_of(r);

    if (done == NULL || done->result == PKI_STORE_FAILED) {
        rc = ngx_http_pki_enroll_failed(r, "The store does not answer.");

    } else if (done->result != PKI_STORE_DONE) {

        if (++e->tries < NGX_HTTP_PKI_ENROLL_TRIES) {
            rc = ngx_http_pki_enroll_reserve(r, e);

        } else {
            rc = ngx_http_pki_enroll_failed(r, "No serial number is free.");
        }

    } else {
        rc = e->old ? ngx_http_pki_issue(r, e) : ngx_http_pki_enroll_ask(r, e);
    }

    ngx_http_pki_enroll_end(r, rc);
}


/* errors */

static ngx_int_t
ngx_http_pki_enroll_rc(ngx_http_request_t *r, pki_rc_t rc, ngx_uint_t status,
    const pki_err_t *err)
{
    if (rc == PKI_ERROR) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "pki: reading a certification request failed: %s",
                      err->text);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_pki_enroll_refuse(r, status, err->text);
}


ngx_int_t
ngx_http_pki_enroll_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *message)
{
    ngx_http_pki_ctx_t     *ctx;
    ngx_http_pki_enroll_t  *e;

    ngx_http_pki_enroll_count(r, NGX_HTTP_PKI_STAT_ENROLL_REFUSED);

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);
    e = ctx ? ctx->data : NULL;

    if (e && e->refuse) {
        return e->refuse(r, e, message);
    }

    return ngx_http_pki_api_error(r, status, status, message);
}


ngx_int_t
ngx_http_pki_enroll_failed(ngx_http_request_t *r, const char *message)
{
    ngx_http_pki_enroll_count(r, NGX_HTTP_PKI_STAT_ENROLL_FAILED);

    return ngx_http_pki_api_unavailable(r, message);
}


ngx_int_t
ngx_http_pki_enroll_busy(ngx_http_request_t *r)
{
    static ngx_str_t  name = ngx_string("Retry-After");
    static ngx_str_t  value = ngx_string("1");

    ngx_http_pki_enroll_count(r, NGX_HTTP_PKI_STAT_ENROLL_BUSY);

    if (ngx_http_pki_header(r, &name, &value) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_pki_api_error(r, NGX_HTTP_TOO_MANY_REQUESTS,
                                  NGX_HTTP_TOO_MANY_REQUESTS,
                                  "Too many certificates are being issued.");
}


ngx_http_pki_enroll_t *
ngx_http_pki_enroll_of(ngx_http_request_t *r)
{
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);

    return ctx->data;
}


void
ngx_http_pki_enroll_end(ngx_http_request_t *r, ngx_int_t rc)
{
    if (rc != NGX_BUSY) {
        ngx_http_pki_finalize(r, rc);
    }
}


void
ngx_http_pki_enroll_count(ngx_http_request_t *r, ngx_http_pki_stat_e stat)
{
    ngx_http_pki_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);

    ngx_http_pki_count(&mcf->zone, stat, 1);
}

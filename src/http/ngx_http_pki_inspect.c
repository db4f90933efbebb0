
/*
 * One certificate in full, and what was done to it.
 *
 *   GET  manage/certificates/{serial}            detail; by Accept also as
 *                                                DER, or as PEM with chain
 *   GET  manage/certificates/{serial}/history    from the audit stream
 *
 * The facts and the verdict are there when it begins (ngx_http_pki_api.c).
 * Its row, its DER and its history are asked for in one write; a certificate
 * may lack each of them: one that is only bound, one whose DER is not kept.
 */

#include "ngx_http_pki_module.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>


#define NGX_HTTP_PKI_INSPECT_ENTRY  6       /* values of pki_book_history() */
#define NGX_HTTP_PKI_INSPECT_OID    128     /* octets of one as text */


typedef enum {
    NGX_HTTP_PKI_INSPECT_JSON = 0,
    NGX_HTTP_PKI_INSPECT_DER,
    NGX_HTTP_PKI_INSPECT_PEM,
    NGX_HTTP_PKI_INSPECT_CHAIN
} ngx_http_pki_inspect_format_e;


/* the questions, as wait cells number them */

enum {
    NGX_HTTP_PKI_INSPECT_ROW = 0,
    NGX_HTTP_PKI_INSPECT_CERT,
    NGX_HTTP_PKI_INSPECT_HISTORY
};


typedef struct {
    ngx_http_pki_inspect_format_e  format;
    ngx_uint_t                pending;
    ngx_str_t                 row;
    ngx_str_t                 der;
    pki_bytes_t              *history;      /* values */
    size_t                    nhistory;
    unsigned long long        next;         /* of the history */
} ngx_http_pki_inspect_t;


static ngx_int_t ngx_http_pki_inspect_ask(ngx_http_request_t *r,
    ngx_http_pki_api_t *a, ngx_uint_t what, unsigned long long from);
static void ngx_http_pki_inspect_told(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static ngx_int_t ngx_http_pki_inspect_keep(ngx_http_request_t *r,
    ngx_http_pki_inspect_t *d, ngx_uint_t what,
    const ngx_http_pki_values_t *v);
static ngx_int_t ngx_http_pki_inspect_copy(ngx_http_request_t *r,
    ngx_str_t *to, pki_bytes_t value);

static ngx_int_t ngx_http_pki_inspect_reply(ngx_http_request_t *r,
    ngx_http_pki_api_t *a);
static ngx_int_t ngx_http_pki_inspect_file(ngx_http_request_t *r,
    ngx_http_pki_api_t *a);
static ngx_int_t ngx_http_pki_inspect_pem(ngx_http_request_t *r, X509 *cert,
    X509 *issuer, ngx_str_t *text);
static void ngx_http_pki_inspect_record(pki_json_writer_t *w,
    ngx_http_pki_candidate_t *c);
static void ngx_http_pki_inspect_revocation(pki_json_writer_t *w,
    ngx_http_pki_candidate_t *c);
static void ngx_http_pki_inspect_row(pki_json_writer_t *w,
    ngx_http_pki_inspect_t *d, const pki_cert_text_t *text);
static void ngx_http_pki_inspect_text(pki_json_writer_t *w,
    const char *name, pki_bytes_t text);
static void ngx_http_pki_inspect_key(pki_json_writer_t *w, X509 *cert);
static void ngx_http_pki_inspect_usages(pki_json_writer_t *w, X509 *cert);
static void ngx_http_pki_inspect_effective(pki_json_writer_t *w,
    ngx_http_pki_candidate_t *c);
static void ngx_http_pki_inspect_entries(pki_json_writer_t *w,
    ngx_http_pki_inspect_t *d);
static void ngx_http_pki_inspect_entry(pki_json_writer_t *w,
    const pki_bytes_t *values);


/* in the order of ngx_http_pki_inspect_format_e */

static const char  *const ngx_http_pki_inspect_types[] = {
    "application/json", "application/pkix-cert", "application/x-pem-file",
    "application/pem-certificate-chain", NULL
};


/* GET manage/certificates/{serial} */

ngx_int_t
ngx_http_pki_inspect(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    ngx_int_t                rc, n;
    ngx_http_pki_inspect_t  *d;

    d = ngx_pcalloc(r->pool, sizeof(ngx_http_pki_inspect_t));
    if (d == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    a->data = d;

    n = ngx_http_pki_rows_accept(r, ngx_http_pki_inspect_types);
    d->format = n < 0 ? NGX_HTTP_PKI_INSPECT_JSON : (ngx_uint_t) n;

    rc = ngx_http_pki_inspect_ask(r, a, NGX_HTTP_PKI_INSPECT_CERT, 0);

    if (rc == NGX_BUSY && d->format == NGX_HTTP_PKI_INSPECT_JSON) {
        rc = ngx_http_pki_inspect_ask(r, a, NGX_HTTP_PKI_INSPECT_ROW, 0);

        if (rc == NGX_BUSY) {
            rc = ngx_http_pki_inspect_ask(r, a, NGX_HTTP_PKI_INSPECT_HISTORY,
                                          0);
        }
    }

    return rc;
}


/* GET manage/certificates/{serial}/history */

ngx_int_t
ngx_http_pki_inspect_history(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    ngx_int_t                from;
    ngx_str_t                value;
    ngx_http_pki_inspect_t  *d;

    from = 0;

    if (ngx_http_arg(r, (u_char *) "from", 4, &value) == NGX_OK) {
        from = ngx_atoi(value.data, value.len);

        if (from < 0 || from > NGX_MAX_INT32_VALUE) {
            return ngx_http_pki_api_error(r, NGX_HTTP_BAD_REQUEST,
                                          NGX_HTTP_BAD_REQUEST,
                                          "\"from\" must be a number, as "
                                          "\"next\" told it.");
        }
    }

    d = ngx_pcalloc(r->pool, sizeof(ngx_http_pki_inspect_t));
    if (d == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    a->data = d;

    return ngx_http_pki_inspect_ask(r, a, NGX_HTTP_PKI_INSPECT_HISTORY, from);
}


static ngx_int_t
ngx_http_pki_inspect_ask(ngx_http_request_t *r, ngx_http_pki_api_t *a,
    ngx_uint_t what, unsigned long long from)
{
    char                    *name;
    pki_redis_t             *redis;
    ngx_http_pki_wait_t     *wait;
    ngx_http_pki_issuer_t   *issuer;
    ngx_http_pki_inspect_t  *d;

    d = a->data;
    issuer = a->chosen->issuer;

    wait = ngx_http_pki_wait_for(r, issuer, ngx_http_pki_inspect_told, what);
    if (wait == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    d->pending++;

    name = (char *) issuer->name.data;
    redis = ngx_http_pki_transport(a->mcf, issuer->store);

    switch (what) {

    case NGX_HTTP_PKI_INSPECT_ROW:
        pki_book_rows(redis, name, &a->serial, 1, ngx_http_pki_values, wait);
        break;

    case NGX_HTTP_PKI_INSPECT_CERT:
        pki_book_certificate(redis, name, &a->serial, ngx_http_pki_values,
                             wait);
        break;

    default: /* NGX_HTTP_PKI_INSPECT_HISTORY */
        pki_book_history(redis, name, &a->serial, from, ngx_http_pki_values,
                         wait);
        break;
    }

    return NGX_BUSY;
}


static void
ngx_http_pki_inspect_told(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_values_t *v = reply;

    ngx_int_t                rc;
    ngx_http_pki_api_t      *a;
    ngx_http_pki_ctx_t      *ctx;
    ngx_http_pki_inspect_t  *d;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);
    a = ctx->data;
    d = a->data;

    if (v == NULL || v->result == PKI_STORE_FAILED) {

        if (v) {
            ngx_http_pki_store_failed(a->mcf, a->chosen->issuer->store,
                                      v->error, r->connection->log);
        }

        rc = ngx_http_pki_api_unavailable(r, "The store does not answer.");

    } else if (ngx_http_pki_inspect_keep(r, d, n, v) != NGX_OK) {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    } else if (--d->pending) {
        return;

    } else if (d->format == NGX_HTTP_PKI_INSPECT_JSON) {
        rc = ngx_http_pki_inspect_reply(r, a);

    } else {
        rc = ngx_http_pki_inspect_file(r, a);
    }

    ngx_http_pki_finalize(r, rc);
}


static ngx_int_t
ngx_http_pki_inspect_keep(ngx_http_request_t *r, ngx_http_pki_inspect_t *d,
    ngx_uint_t what, const ngx_http_pki_values_t *v)
{
    size_t     i;
    ngx_str_t  text;

    if (v->n == 0) {
        return NGX_OK;
    }

    if (what != NGX_HTTP_PKI_INSPECT_HISTORY) {
        return ngx_http_pki_inspect_copy(r,
                               what == NGX_HTTP_PKI_INSPECT_ROW ? &d->row
                                                                : &d->der,
                               v->values[0]);
    }

    d->history = ngx_palloc(r->pool, v->n * sizeof(pki_bytes_t));
    if (d->history == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < v->n; i++) {
        if (ngx_http_pki_inspect_copy(r, &text, v->values[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        d->history[i].data = text.data;
        d->history[i].len = text.len;
    }

    d->nhistory = v->n - v->n % NGX_HTTP_PKI_INSPECT_ENTRY;
    d->next = v->next;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_inspect_copy(ngx_http_request_t *r, ngx_str_t *to,
    pki_bytes_t value)
{
    to->data = ngx_pnalloc(r->pool, value.len + 1);
    if (to->data == NULL) {
        return NGX_ERROR;
    }

    if (value.len) {
        ngx_memcpy(to->data, value.data, value.len);
    }

    to->data[value.len] = '\0';
    to->len = value.len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_inspect_reply(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    X509                    *cert;
    const u_char            *p;
    ngx_str_t                pem, chain;
    pki_cert_text_t         *text;
    pki_json_writer_t       *w;
    ngx_http_pki_inspect_t  *d;

    d = a->data;
    cert = NULL;
    text = NULL;
    ngx_str_null(&pem);
    ngx_str_null(&chain);

    if (d->der.len) {
        p = d->der.data;
        cert = d2i_X509(NULL, &p, d->der.len);
        text = ngx_palloc(r->pool, sizeof(pki_cert_text_t));

        if (cert == NULL || text == NULL
            || pki_cert_describe(cert, text) != PKI_OK
            || ngx_http_pki_inspect_pem(r, cert, NULL, &pem) != NGX_OK
            || ngx_http_pki_inspect_pem(r, a->chosen->issuer->cert, NULL,
                                        &chain) != NGX_OK)
        {
            X509_free(cert);
            ERR_clear_error();
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    w = pki_json_create();
    if (w == NULL) {
        X509_free(cert);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pki_json_object(w);

    if (a->route->suffix.len == 0) {
        ngx_http_pki_inspect_record(w, a->chosen);
        ngx_http_pki_inspect_row(w, d, text);
        ngx_http_pki_inspect_key(w, cert);
        ngx_http_pki_inspect_usages(w, cert);
        ngx_http_pki_inspect_effective(w, a->chosen);
    }

    ngx_http_pki_inspect_entries(w, d);

    if (a->route->suffix.len == 0) {
        pki_json_name(w, "pem");
        pki_json_string(w, (char *) pem.data);
        pki_json_name(w, "chain");
        pki_json_array(w);

        if (chain.len) {
            pki_json_string(w, (char *) chain.data);
        }

        pki_json_array_end(w);
    }

    pki_json_object_end(w);

    X509_free(cert);

    return ngx_http_pki_api_send(r, NGX_HTTP_OK, w);
}


static ngx_int_t
ngx_http_pki_inspect_file(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    char                     serial[PKI_SERIAL_HEX_SIZE];
    X509                    *cert;
    ngx_int_t                rc;
    ngx_str_t                type, value, text;
    const u_char            *p;
    ngx_http_pki_inspect_t  *d;

    static ngx_str_t  name = ngx_string("Content-Disposition");

    d = a->data;

    if (d->der.len == 0) {
        return ngx_http_pki_api_error(r, NGX_HTTP_NOT_FOUND,
                                      NGX_HTTP_PKI_CODE_NOT_FOUND,
                                      "The certificate itself is not on "
                                      "record.");
    }

    text = d->der;

    if (d->format != NGX_HTTP_PKI_INSPECT_DER) {
        p = d->der.data;
        cert = d2i_X509(NULL, &p, d->der.len);

        rc = cert ? ngx_http_pki_inspect_pem(r, cert, a->chosen->issuer->cert,
                                             &text)
                  : NGX_ERROR;
        X509_free(cert);

        if (rc != NGX_OK) {
            ERR_clear_error();
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    (void) pki_serial_to_text(&a->serial, serial);

    type.data = (u_char *) ngx_http_pki_inspect_types[d->format];
    type.len = ngx_strlen(type.data);

    value.data = ngx_pnalloc(r->pool, sizeof("attachment; filename=\".cer\"")
                                      + PKI_SERIAL_HEX_SIZE);
    if (value.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.len = ngx_sprintf(value.data, "attachment; filename=\"%s.%s\"",
                            serial,
                            d->format == NGX_HTTP_PKI_INSPECT_DER ? "cer"
                                                                  : "pem")
                - value.data;

    if (ngx_http_pki_header(r, &name, &value) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_pki_count(&a->mcf->zone, NGX_HTTP_PKI_STAT_API_OK, 1);

    return ngx_http_pki_reply(r, NGX_HTTP_OK, &type, text.data, text.len);
}


/* one certificate, or two; terminated */

static ngx_int_t
ngx_http_pki_inspect_pem(ngx_http_request_t *r, X509 *cert, X509 *issuer,
    ngx_str_t *text)
{
    BIO          *bio;
    char         *p;
    long          len;
    ngx_int_t     rc;
    pki_bytes_t   octets;

    bio = BIO_new(BIO_s_mem());
    if (bio == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (PEM_write_bio_X509(bio, cert) == 1
        && (issuer == NULL || PEM_write_bio_X509(bio, issuer) == 1))
    {
        len = BIO_get_mem_data(bio, &p);

        octets.data = (u_char *) p;
        octets.len = len > 0 ? (size_t) len : 0;

        rc = ngx_http_pki_inspect_copy(r, text, octets);
    }

    BIO_free(bio);

    return rc;
}


/* what is on record, in SCEPman's words */

static void
ngx_http_pki_inspect_record(pki_json_writer_t *w, ngx_http_pki_candidate_t *c)
{
    char             text[PKI_SERIAL_HEX_SIZE];
    unsigned         i, n;
    pki_object_id_t  objects[PKI_BINDING_OBJECTS];

    (void) pki_serial_to_text(&c->question.store.serial, text);

    pki_json_name(w, "serialNumber");
    pki_json_string(w, text);
    pki_json_name(w, "issuer");
    pki_json_string(w, (char *) c->issuer->name.data);
    pki_json_name(w, "certificateType");
    pki_json_string(w, c->question.bound
                       ? pki_kind_name(c->question.binding.kind) : NULL);

    pki_json_name(w, "objects");
    pki_json_array(w);

    if (c->question.bound) {
        n = pki_binding_objects(&c->question.binding, objects);

        for (i = 0; i < n; i++) {
            pki_json_string(w, objects[i].id);
        }
    }

    pki_json_array_end(w);

    pki_json_name(w, "recorded");
    pki_json_boolean(w, c->facts.recorded);

    if (c->facts.recorded) {
        pki_json_name(w, "issuanceDate");
        pki_json_time(w, c->record.not_before);
        pki_json_name(w, "expirationDate");
        pki_json_time(w, c->record.not_after);
        pki_json_name(w, "source");
        pki_json_string(w, c->record.source);
        pki_json_name(w, "requester");
        pki_json_string(w, c->record.requester);
    }

    ngx_http_pki_inspect_revocation(w, c);
}


static void
ngx_http_pki_inspect_revocation(pki_json_writer_t *w,
    ngx_http_pki_candidate_t *c)
{
    pki_json_name(w, "revocationDate");

    if (c->facts.manual == PKI_REASON_NONE) {
        pki_json_string(w, NULL);
        pki_json_name(w, "revocationReason");
        pki_json_string(w, NULL);
        pki_json_name(w, "revokedBy");
        pki_json_string(w, NULL);
        return;
    }

    pki_json_time(w, c->revocation.at);
    pki_json_name(w, "revocationReason");
    pki_json_string(w, pki_reason_name(c->revocation.reason));
    pki_json_name(w, "revokedBy");
    pki_json_string(w, c->revocation.who);

    if (c->revocation.invalidity) {
        pki_json_name(w, "invalidityDate");
        pki_json_time(w, c->revocation.invalidity);
    }
}


/* what the certificate says itself, else what its row has kept of that */

static void
ngx_http_pki_inspect_row(pki_json_writer_t *w, ngx_http_pki_inspect_t *d,
    const pki_cert_text_t *text)
{
    pki_row_t    row;
    pki_bytes_t  line;

    ngx_memzero(&row, sizeof(pki_row_t));

    line.data = d->row.data;
    line.len = d->row.len;

    if (line.len == 0 || pki_row_next(&line, &row) != PKI_OK) {
        ngx_memzero(&row, sizeof(pki_row_t));
    }

    if (text) {
        row.subject.data = (u_char *) text->subject;
        row.subject.len = ngx_strlen(text->subject);
        row.sans.data = (u_char *) text->sans;
        row.sans.len = ngx_strlen(text->sans);
        row.upn.data = (u_char *) text->upn;
        row.upn.len = ngx_strlen(text->upn);
        row.thumbprint.data = (u_char *) text->thumbprint;
        row.thumbprint.len = ngx_strlen(text->thumbprint);
    }

    ngx_http_pki_inspect_text(w, "subject", row.subject);
    ngx_http_pki_inspect_text(w, "sans", row.sans);
    ngx_http_pki_inspect_text(w, "upn", row.upn);
    ngx_http_pki_inspect_text(w, "thumbprint", row.thumbprint);

    pki_json_name(w, "sha256");
    pki_json_string(w, text ? text->sha256 : NULL);

    pki_json_name(w, "issuedAt");

    if (row.issued) {
        pki_json_time(w, row.issued);

    } else {
        pki_json_string(w, NULL);
    }
}


static void
ngx_http_pki_inspect_text(pki_json_writer_t *w, const char *name,
    pki_bytes_t text)
{
    pki_json_name(w, name);

    if (text.len) {
        pki_json_bytes(w, text);

    } else {
        pki_json_string(w, NULL);
    }
}


static void
ngx_http_pki_inspect_key(pki_json_writer_t *w, X509 *cert)
{
    char        name[32], *last;
    size_t      len;
    EVP_PKEY   *key;

    key = cert ? X509_get0_pubkey(cert) : NULL;
    last = name;

    if (key && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
        last = (char *) ngx_snprintf((u_char *) name, sizeof(name) - 1,
                                     "RSA %d", EVP_PKEY_get_bits(key));

    } else if (key && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) {

        /* prime256v1, secp384r1, secp521r1: by their sizes those of NIST */

        last = (char *) ngx_snprintf((u_char *) name, sizeof(name) - 1,
                                     "EC P-%d", EVP_PKEY_get_bits(key));

    } else if (key) {
        len = ngx_min(ngx_strlen(EVP_PKEY_get0_type_name(key)),
                      sizeof(name) - 1);
        last = (char *) ngx_cpymem(name, EVP_PKEY_get0_type_name(key), len);
    }

    *last = '\0';

    pki_json_name(w, "keyType");
    pki_json_string(w, last == name ? NULL : name);
}


/* by their object identifiers, since only some have names */

static void
ngx_http_pki_inspect_usages(pki_json_writer_t *w, X509 *cert)
{
    int                  i;
    char                 oid[NGX_HTTP_PKI_INSPECT_OID];
    EXTENDED_KEY_USAGE  *usages;

    usages = cert ? X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL)
                  : NULL;

    pki_json_name(w, "ekus");
    pki_json_array(w);

    for (i = 0; i < sk_ASN1_OBJECT_num(usages); i++) {
        if (OBJ_obj2txt(oid, sizeof(oid), sk_ASN1_OBJECT_value(usages, i), 1)
            > 0)
        {
            pki_json_string(w, oid);
        }
    }

    pki_json_array_end(w);

    sk_ASN1_OBJECT_pop_free(usages, ASN1_OBJECT_free);
    ERR_clear_error();
}


/* what OCSP says, and every source that speaks against the certificate */

static void
ngx_http_pki_inspect_effective(pki_json_writer_t *w,
    ngx_http_pki_candidate_t *c)
{
    unsigned       i, n;
    pki_cause_t    causes[PKI_VERDICT_CAUSES];
    pki_verdict_t  verdict;

    n = pki_verdict(&verdict, &c->facts, &c->issuer->policy, ngx_time(),
                    causes);

    pki_json_name(w, "status");
    pki_json_string(w, pki_outcome_name(verdict.outcome));

    if (verdict.outcome == PKI_OUTCOME_HOLD
        || verdict.outcome == PKI_OUTCOME_REVOKED)
    {
        pki_json_name(w, "statusReason");
        pki_json_string(w, pki_reason_name(verdict.reason));
        pki_json_name(w, "statusDate");
        pki_json_time(w, verdict.revoked_at);
    }

    pki_json_name(w, "sources");
    pki_json_array(w);

    for (i = 0; i < n; i++) {
        pki_json_object(w);
        pki_json_name(w, "source");
        pki_json_string(w, causes[i].source);
        pki_json_name(w, "object");
        pki_json_string(w, causes[i].object);
        pki_json_name(w, "what");
        pki_json_string(w, causes[i].what);
        pki_json_name(w, "reason");
        pki_json_string(w, causes[i].reason == PKI_REASON_NONE
                           ? NULL : pki_reason_name(causes[i].reason));

        if (causes[i].since) {
            pki_json_name(w, "since");
            pki_json_time(w, causes[i].since);
        }

        pki_json_object_end(w);
    }

    pki_json_array_end(w);
}


/* oldest first; "next": where to go on, or null */

static void
ngx_http_pki_inspect_entries(pki_json_writer_t *w, ngx_http_pki_inspect_t *d)
{
    size_t  i;

    pki_json_name(w, "history");
    pki_json_array(w);

    for (i = 0; i < d->nhistory; i += NGX_HTTP_PKI_INSPECT_ENTRY) {
        ngx_http_pki_inspect_entry(w, d->history + i);
    }

    pki_json_array_end(w);
    pki_json_name(w, "next");

    if (d->next) {
        pki_json_integer(w, (long long) d->next);

    } else {
        pki_json_string(w, NULL);
    }
}


static void
ngx_http_pki_inspect_entry(pki_json_writer_t *w, const pki_bytes_t *values)
{
    time_t     at;
    ngx_int_t  reason;

    at = ngx_atotm((u_char *) values[5].data, values[5].len);
    reason = ngx_atoi((u_char *) values[1].data, values[1].len);

    pki_json_object(w);
    ngx_http_pki_inspect_text(w, "action", values[0]);
    pki_json_name(w, "at");

    if (at >= 0) {
        pki_json_time(w, at);

    } else {
        pki_json_string(w, NULL);
    }

    pki_json_name(w, "reason");
    pki_json_string(w, reason >= 0 && pki_reason_valid((int) reason)
                       ? pki_reason_name((pki_reason_t) reason) : NULL);

    ngx_http_pki_inspect_text(w, "who", values[2]);
    ngx_http_pki_inspect_text(w, "from", values[3]);
    ngx_http_pki_inspect_text(w, "why", values[4]);
    pki_json_object_end(w);
}


/*
 * A certificate is signed, recorded and handed out.
 *
 * What Redis has not acknowledged is not handed out: the certificate is
 * thrown away then.  A client that leaves before the record is written ends
 * its enrolment; after that the certificate is on record, whether somebody
 * takes it or not.
 */

#include "ngx_http_pki_module.h"


/* a record on its way; on the heap, it may outlive the request */

typedef struct {
    ngx_http_pki_wait_t       *wait;
    ngx_http_pki_main_conf_t  *mcf;
    ngx_http_pki_store_t      *store;
    size_t                     len;
    char                       owner[PKI_OWNER_SIZE];
} ngx_http_pki_issue_record_t;


static void ngx_http_pki_issue_turn(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static ngx_int_t ngx_http_pki_issue_sign(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);

static ngx_int_t ngx_http_pki_issue_write(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e, const pki_cert_text_t *text);
static void ngx_http_pki_issue_row(ngx_http_pki_enroll_t *e,
    const pki_cert_text_t *text, pki_row_t *row,
    pki_object_id_t objects[PKI_BINDING_OBJECTS]);
static void ngx_http_pki_issue_text(pki_bytes_t *bytes, const char *text);
static void ngx_http_pki_issue_written(void *data, pki_store_result_t result,
    long long n, const char *error);
static void ngx_http_pki_issue_recorded(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static ngx_int_t ngx_http_pki_issue_done(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);


ngx_int_t
ngx_http_pki_issue(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    return ngx_http_pki_sign_wait(r, e->mcf, ngx_http_pki_issue_turn,
                                  e->asked > 1);
}


static void
ngx_http_pki_issue_turn(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    ngx_int_t               rc;
    ngx_http_pki_enroll_t  *e;

    e = ngx_http_pki_enroll_of(r);

    if (reply == NULL) {
        rc = ngx_http_pki_enroll_failed(r, "There was no time to sign.");

    } else if (r->connection->read->pending_eof) {

        /* the client has left: nobody would take the certificate */

        rc = NGX_HTTP_CLIENT_CLOSED_REQUEST;

    } else if (!ngx_http_pki_ticket_valid(&e->mcf->zone, &e->ticket)) {
        rc = ngx_http_pki_enroll_ask(r, e);

    } else {
        rc = ngx_http_pki_issue_sign(r, e);
    }

    ngx_http_pki_enroll_end(r, rc);
}


static ngx_int_t
ngx_http_pki_issue_sign(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    pki_rc_t         prc;
    pki_err_t        err;
    pki_cert_plan_t  plan;
    pki_cert_text_t  text;

    plan.issuer = e->issuer->ca;
    plan.profile = &e->profile->rules;
    plan.urls = &e->issuer->urls;
    plan.csr = e->csr;
    plan.serial = &e->serial;
    plan.binding = &e->claim.binding;
    plan.now = ngx_time();

    prc = pki_cert_issue(&plan, &e->cert, &err);

    if (prc == PKI_INVALID) {
        return ngx_http_pki_enroll_refuse(r, NGX_HTTP_BAD_REQUEST, err.text);
    }

    if (prc != PKI_OK) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "pki issuer \"%V\": issuing a certificate failed: %s",
                      &e->issuer->name, err.text);

        return ngx_http_pki_enroll_failed(r, "The certificate could not be "
                                          "signed.");
    }

    if (pki_cert_der(e->cert, &e->der, &e->len) != PKI_OK
        || pki_cert_describe(e->cert, &text) != PKI_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!e->conf->record) {
        return ngx_http_pki_issue_done(r, e);
    }

    return ngx_http_pki_issue_write(r, e, &text);
}


/* the record */

static ngx_int_t
ngx_http_pki_issue_write(ngx_http_request_t *r, ngx_http_pki_enroll_t *e,
    const pki_cert_text_t *text)
{
    char                           from[NGX_SOCKADDR_STRLEN + 1];
    pki_row_t                      row;
    pki_actor_t                    actor;
    pki_object_id_t                objects[PKI_BINDING_OBJECTS];
    pki_book_entry_t               entry;
    ngx_http_pki_issue_record_t  *record;

    record = ngx_alloc(sizeof(ngx_http_pki_issue_record_t),
                       r->connection->log);
    if (record == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    record->wait = ngx_http_pki_wait(r, ngx_http_pki_issue_recorded, 0,
                                     e->issuer->store->timeout);
    if (record->wait == NULL) {
        ngx_free(record);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    record->mcf = e->mcf;
    record->store = e->issuer->store;
    record->len = pki_owner_cert(record->owner, (char *) e->issuer->name.data,
                                 &e->serial);

    ngx_http_pki_issue_row(e, text, &row, objects);

    entry.row = &row;
    entry.der.data = e->der;
    entry.der.len = e->len;

    *ngx_snprintf((u_char *) from, NGX_SOCKADDR_STRLEN, "%V",
                  &r->connection->addr_text) = '\0';

    actor.who = e->requester;
    actor.from = from;
    actor.why = NULL;
    actor.at = row.issued;

    pki_book_record(ngx_http_pki_transport(e->mcf, e->issuer->store),
                    (char *) e->issuer->name.data, &entry, "issue", &actor,
                    ngx_http_pki_issue_written, record);

    return NGX_BUSY;
}


static void
ngx_http_pki_issue_row(ngx_http_pki_enroll_t *e, const pki_cert_text_t *text,
    pki_row_t *row, pki_object_id_t objects[PKI_BINDING_OBJECTS])
{
    unsigned  i, n;

    ngx_memzero(row, sizeof(pki_row_t));

    row->status = PKI_REASON_NONE;
    row->serial = e->serial;
    row->not_before = text->not_before;
    row->not_after = text->not_after;
    row->issued = ngx_time();
    row->source = (unsigned) e->profile->source;
    row->kind = e->claim.binding.kind;

    ngx_http_pki_issue_text(&row->thumbprint, text->thumbprint);
    ngx_http_pki_issue_text(&row->subject, text->subject);
    ngx_http_pki_issue_text(&row->sans, text->sans);
    ngx_http_pki_issue_text(&row->upn, text->upn);
    ngx_http_pki_issue_text(&row->requester, e->requester);

    n = pki_binding_objects(&e->claim.binding, objects);

    for (i = 0; i < n; i++) {
        ngx_http_pki_issue_text(&row->objects[i], objects[i].id);
    }
}


static void
ngx_http_pki_issue_text(pki_bytes_t *bytes, const char *text)
{
    bytes->data = (u_char *) text;
    bytes->len = ngx_strlen(text);
}


/* somebody may have asked for it already and been told that it is unknown */

static void
ngx_http_pki_issue_written(void *data, pki_store_result_t result,
    long long n, const char *error)
{
    ngx_http_pki_issue_record_t *record = data;

    ngx_http_pki_done_t  done;

    done.result = result;
    done.n = n;
    done.error = error;

    ngx_http_pki_forget(&record->mcf->zone, (u_char *) record->owner,
                        record->len);

    if (result == PKI_STORE_FAILED) {
        ngx_http_pki_store_failed(record->mcf, record->store, error,
                                  ngx_cycle->log);
    }

    ngx_http_pki_wake(record->wait, &done);

    ngx_free(record);
}


static void
ngx_http_pki_issue_recorded(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_done_t *done = reply;

    ngx_int_t               rc;
    ngx_http_pki_enroll_t  *e;

    e = ngx_http_pki_enroll_of(r);

    if (done == NULL || done->result != PKI_STORE_DONE) {
        rc = ngx_http_pki_enroll_failed(r, "The certificate could not be "
                                        "recorded.");

    } else {
        rc = ngx_http_pki_issue_done(r, e);
    }

    ngx_http_pki_enroll_end(r, rc);
}


static ngx_int_t
ngx_http_pki_issue_done(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    char  text[PKI_SERIAL_HEX_SIZE];

    static ngx_str_t  name = ngx_string("Cache-Control");
    static ngx_str_t  value = ngx_string("no-store");

    (void) pki_serial_to_text(&e->serial, text);

    ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                  "pki issuer \"%V\": certificate \"%s\": issued by profile "
                  "\"%V\" for \"%s\"", &e->issuer->name, text,
                  &e->profile->name, e->requester);

    ngx_http_pki_enroll_count(r, NGX_HTTP_PKI_STAT_ISSUED);
    ngx_http_pki_enroll_count(r, NGX_HTTP_PKI_STAT_API_OK);

    if (ngx_http_pki_header(r, &name, &value) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return e->reply(r, e);
}

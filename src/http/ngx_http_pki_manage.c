
/*
 * Certificate management: revoke, hold, release.
 *
 * A change is acknowledged by Redis, then forgotten in this host's zone,
 * then answered, so that no later answer of this host can be older than the
 * reply.  Its cell is on the heap, for it may outlive the request.
 */

#include "ngx_http_pki_module.h"

#include "pki_time.h"


/* a change on its way; on the heap, it may outlive the request */

typedef struct {
    ngx_http_pki_wait_t       *wait;
    ngx_http_pki_main_conf_t  *mcf;
    ngx_http_pki_store_t      *store;
    pki_store_result_t         result;
    size_t                     len;
    char                       owner[PKI_OWNER_SIZE];
} ngx_http_pki_change_t;


static ngx_int_t ngx_http_pki_manage_change(ngx_http_request_t *r,
    ngx_http_pki_api_t *a, ngx_uint_t release);
static void ngx_http_pki_manage_changed(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error);
static void ngx_http_pki_manage_done(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static ngx_int_t ngx_http_pki_manage_reply(ngx_http_request_t *r,
    ngx_http_pki_api_t *a, const ngx_http_pki_change_t *change);


/* PATCH manage/revoke/{serial} */

ngx_int_t
ngx_http_pki_manage_read(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    pki_json_field_t  fields[] = {
        { .name = "revocationReason", .type = PKI_JSON_INTEGER,
          .required = 1 },
        { .name = "revoker", .type = PKI_JSON_STRING, .nullable = 1,
          .max = NGX_HTTP_PKI_REVOKER_MAX },
        { .name = "comment", .type = PKI_JSON_STRING, .nullable = 1,
          .max = PKI_STORE_WHO_MAX },
        { .name = "invalidityDate", .type = PKI_JSON_STRING, .nullable = 1,
          .max = NGX_HTTP_PKI_DATE_MAX }
    };

    return ngx_http_pki_api_read(r, a, fields,
                                 sizeof(fields) / sizeof(fields[0]),
                                 ngx_http_pki_manage_take);
}


ngx_int_t
ngx_http_pki_manage_take(ngx_http_request_t *r, ngx_http_pki_api_t *a,
    pki_json_field_t *fields)
{
    if (fields[0].integer < 0
        || fields[0].integer > PKI_REASON_AA_COMPROMISE
        || (!pki_reason_valid((int) fields[0].integer)))
    {
        return ngx_http_pki_api_error(r, NGX_HTTP_BAD_REQUEST,
                                      NGX_HTTP_BAD_REQUEST,
                                      "\"revocationReason\" must be 0-6 or "
                                      "8-10 (RFC 5280, 5.3.1).");
    }

    a->revocation.reason = (pki_reason_t) fields[0].integer;
    a->revocation.at = ngx_time();

    ngx_http_pki_api_who(r, a->revocation.who,
                         fields[1].given ? fields[1].string : NULL);

    if (fields[2].given) {
        (void) ngx_cpystrn((u_char *) a->why, (u_char *) fields[2].string,
                           sizeof(a->why));
    }

    if (!fields[3].given) {
        return NGX_OK;
    }

    if (a->revocation.reason == PKI_REASON_REMOVE_FROM_CRL
        || pki_time_iso(fields[3].string, fields[3].len,
                        &a->revocation.invalidity)
           != PKI_OK
        || a->revocation.invalidity <= 0)
    {
        return ngx_http_pki_api_error(r, NGX_HTTP_BAD_REQUEST,
                                      NGX_HTTP_BAD_REQUEST,
                                      "\"invalidityDate\" must be a time of "
                                      "RFC 3339 after 1970, and goes with "
                                      "a revocation.");
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_pki_manage_revoke(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    return ngx_http_pki_manage_change(r, a, a->revocation.reason
                                         == PKI_REASON_REMOVE_FROM_CRL);
}


/* DELETE manage/revoke/{serial} */

ngx_int_t
ngx_http_pki_manage_release(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    a->revocation.reason = PKI_REASON_REMOVE_FROM_CRL;
    a->revocation.at = ngx_time();

    ngx_http_pki_api_who(r, a->revocation.who, NULL);

    return ngx_http_pki_manage_change(r, a, 1);
}


static ngx_int_t
ngx_http_pki_manage_change(ngx_http_request_t *r, ngx_http_pki_api_t *a,
    ngx_uint_t release)
{
    char                    from[NGX_SOCKADDR_STRLEN + 1];
    pki_redis_t            *redis;
    pki_actor_t             actor;
    ngx_http_pki_issuer_t  *issuer;
    ngx_http_pki_change_t  *change;

    issuer = a->chosen->issuer;

    change = ngx_alloc(sizeof(ngx_http_pki_change_t), r->connection->log);
    if (change == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    change->wait = ngx_http_pki_wait(r, ngx_http_pki_manage_done, 0,
                                     issuer->store->timeout);
    if (change->wait == NULL) {
        ngx_free(change);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    change->mcf = a->mcf;
    change->store = issuer->store;
    change->len = pki_owner_cert(change->owner, (char *) issuer->name.data,
                                 &a->serial);

    *ngx_snprintf((u_char *) from, NGX_SOCKADDR_STRLEN, "%V",
                  &r->connection->addr_text) = '\0';

    actor.who = a->revocation.who;
    actor.from = from;
    actor.why = a->why;
    actor.at = a->revocation.at;

    redis = ngx_http_pki_transport(a->mcf, issuer->store);

    if (release) {
        pki_store_release(redis, (char *) issuer->name.data, &a->serial,
                          &actor, ngx_http_pki_manage_changed, change);

    } else {
        pki_store_revoke(redis, (char *) issuer->name.data, &a->serial,
                         &a->revocation, &actor,
                         issuer->policy.by_serial || a->chosen->facts.own,
                         ngx_http_pki_manage_changed, change);
    }

    return NGX_BUSY;
}


/* whether it was made is not known after a failure: forget then, too */

static void
ngx_http_pki_manage_changed(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error)
{
    ngx_http_pki_change_t *change = data;

    change->result = result;

    ngx_http_pki_forget(&change->mcf->zone, (u_char *) change->owner,
                        change->len);

    if (result == PKI_STORE_FAILED) {
        ngx_http_pki_store_failed(change->mcf, change->store, error,
                                  ngx_cycle->log);
    }

    ngx_http_pki_wake(change->wait, change);

    ngx_free(change);
}


static void
ngx_http_pki_manage_done(ngx_http_request_t *r, ngx_uint_t n, const void *reply)
{
    const ngx_http_pki_change_t *change = reply;

    ngx_int_t            rc;
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);

    if (change == NULL || change->result == PKI_STORE_FAILED) {
        rc = ngx_http_pki_api_unavailable(r, "The store does not answer. "
                                          "It is not known whether the "
                                          "change was made.");

    } else {
        rc = ngx_http_pki_manage_reply(r, ctx->data, change);
    }

    ngx_http_pki_finalize(r, rc);
}


static ngx_int_t
ngx_http_pki_manage_reply(ngx_http_request_t *r, ngx_http_pki_api_t *a,
    const ngx_http_pki_change_t *change)
{
    char                text[PKI_SERIAL_HEX_SIZE];
    pki_json_writer_t  *w;

    (void) pki_serial_to_text(&a->serial, text);

    switch (change->result) {

    case PKI_STORE_NOT_FOUND:
        if (a->revocation.reason == PKI_REASON_REMOVE_FROM_CRL) {
            return ngx_http_pki_api_error(r, NGX_HTTP_CONFLICT,
                                          NGX_HTTP_CONFLICT,
                                          "The certificate is not on hold.");
        }

        return ngx_http_pki_api_error(r, NGX_HTTP_NOT_FOUND,
                                      NGX_HTTP_PKI_CODE_NOT_FOUND,
                                      "Certificate not found.");

    case PKI_STORE_CONFLICT:
        return ngx_http_pki_api_error(r, NGX_HTTP_CONFLICT,
                                      NGX_HTTP_PKI_CODE_REVOKED,
                                      "The certificate is already revoked.");

    case PKI_STORE_DONE:
        ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                      "pki issuer \"%V\": certificate \"%s\": %s by \"%s\"",
                      &a->chosen->issuer->name, text,
                      pki_reason_name(a->revocation.reason),
                      a->revocation.who);
        break;

    default: /* PKI_STORE_SAME */
        break;
    }

    w = pki_json_create();
    if (w == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pki_json_object(w);
    pki_json_name(w, "serialNumber");
    pki_json_string(w, text);
    pki_json_name(w, "issuer");
    pki_json_string(w, (char *) a->chosen->issuer->name.data);
    pki_json_name(w, "revocationReason");
    pki_json_string(w, a->revocation.reason == PKI_REASON_REMOVE_FROM_CRL
                       ? NULL : pki_reason_name(a->revocation.reason));
    pki_json_name(w, "changed");
    pki_json_boolean(w, change->result == PKI_STORE_DONE);
    pki_json_object_end(w);

    return ngx_http_pki_api_send(r, NGX_HTTP_OK, w);
}

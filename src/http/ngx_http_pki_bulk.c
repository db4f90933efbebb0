
/*
 * POST manage/revoke: many certificates at once.
 *
 * A selection comes batch by batch (ngx_http_pki_bulk_select.c).  So many
 * changes are on their way to the store at any moment, each in a cell of its
 * own, and each is acknowledged by Redis and forgotten in the zone before its
 * line says so.  When the store fails, nothing new is begun and the rest of a
 * list is named as failed; when nothing was done at all, the call fails.
 */

#include "ngx_http_pki_bulk.h"


#define NGX_HTTP_PKI_BULK_FLIGHT  64    /* Redis stands still for some 1 ms */
#define NGX_HTTP_PKI_BULK_TURN    256   /* lines of those not begun */

/* a change on its way; on the heap, it may outlive the request */

typedef struct {
    ngx_http_pki_wait_t       *wait;
    ngx_http_pki_main_conf_t  *mcf;
    ngx_http_pki_target_t      target;
    pki_store_result_t         result;
    size_t                     len;
    char                       owner[PKI_OWNER_SIZE];
} ngx_http_pki_bulk_change_t;


static void ngx_http_pki_bulk_turn(ngx_http_request_t *r, void *data);
static ngx_int_t ngx_http_pki_bulk_some(ngx_http_request_t *r,
    ngx_http_pki_bulk_t *bulk);
static ngx_int_t ngx_http_pki_bulk_rest(ngx_http_pki_bulk_t *bulk);
static ngx_int_t ngx_http_pki_bulk_would(ngx_http_pki_bulk_t *bulk,
    const ngx_http_pki_target_t *target);
static ngx_int_t ngx_http_pki_bulk_send(ngx_http_request_t *r,
    ngx_http_pki_bulk_t *bulk, const ngx_http_pki_target_t *target);
static ngx_uint_t ngx_http_pki_bulk_unrecorded(
    const ngx_http_pki_target_t *target);
static void ngx_http_pki_bulk_changed(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error);
static void ngx_http_pki_bulk_done(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static ngx_int_t ngx_http_pki_bulk_outcome(ngx_http_request_t *r,
    ngx_http_pki_bulk_t *bulk, const ngx_http_pki_bulk_change_t *change);
static ngx_int_t ngx_http_pki_bulk_line(ngx_http_pki_bulk_t *bulk,
    const ngx_http_pki_target_t *target, ngx_http_pki_bulk_e result,
    pki_reason_t reason, const char *message);
static ngx_int_t ngx_http_pki_bulk_end(ngx_http_request_t *r,
    ngx_http_pki_bulk_t *bulk);


static const char  *ngx_http_pki_bulk_names[] = {
    "revoked", "released", "same", "conflict", "notFound", "skipped",
    "wouldRevoke", "wouldRelease", "failed"
};


ngx_int_t
ngx_http_pki_bulk(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    ngx_int_t             rc;
    ngx_http_pki_bulk_t  *bulk;

    bulk = ngx_pcalloc(r->pool, sizeof(ngx_http_pki_bulk_t));
    if (bulk == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    a->data = bulk;
    bulk->api = a;

    *ngx_snprintf((u_char *) bulk->from, NGX_SOCKADDR_STRLEN, "%V",
                  &r->connection->addr_text) = '\0';

    rc = ngx_http_pki_bulk_read(r, a);

    if (rc != NGX_OK || r->header_sent) {
        return rc;
    }

    if (ngx_array_init(&bulk->selection.targets, r->pool, PKI_BOOK_SERIALS,
                       sizeof(ngx_http_pki_target_t))
        != NGX_OK
        || ngx_array_init(&bulk->failures, r->pool, NGX_HTTP_PKI_BULK_FLIGHT,
                          sizeof(ngx_http_pki_target_t))
           != NGX_OK
        || ngx_http_pki_lines_begin(r, &bulk->lines, ngx_http_pki_bulk_turn,
                                    bulk)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_BUSY;
}


static void
ngx_http_pki_bulk_turn(ngx_http_request_t *r, void *data)
{
    ngx_http_pki_bulk_t *bulk = data;

    ngx_int_t                  rc;
    ngx_http_pki_selection_t  *s;

    s = &bulk->selection;

    if (s->error) {
        rc = NGX_ERROR;

    } else if (bulk->broken || s->failed) {
        rc = ngx_http_pki_bulk_rest(bulk);

    } else {
        rc = ngx_http_pki_bulk_some(r, bulk);
    }

    if (rc == NGX_DONE) {
        rc = ngx_http_pki_bulk_end(r, bulk);
        ngx_http_pki_finalize(r, rc);
        return;
    }

    if (rc != NGX_ERROR && ngx_http_pki_lines_flush(&bulk->lines) == NGX_ERROR)
    {
        rc = NGX_ERROR;
    }

    if (rc == NGX_AGAIN) {
        ngx_http_pki_lines_post(&bulk->lines);

    } else if (rc == NGX_ERROR) {
        ngx_http_pki_finalize(r, NGX_ERROR);
    }
}


/* NGX_OK: replies are awaited; NGX_AGAIN: go on; NGX_DONE: that was all */

static ngx_int_t
ngx_http_pki_bulk_some(ngx_http_request_t *r, ngx_http_pki_bulk_t *bulk)
{
    ngx_int_t                  rc;
    ngx_uint_t                 n;
    ngx_http_pki_target_t     *target;
    ngx_http_pki_selection_t  *s;

    s = &bulk->selection;

    for (n = 0; bulk->taken < s->targets.nelts; n++) {

        if (n == NGX_HTTP_PKI_BULK_TURN) {
            return NGX_AGAIN;
        }

        if (bulk->flight == NGX_HTTP_PKI_BULK_FLIGHT) {
            return NGX_OK;
        }

        target = s->targets.elts;
        target += bulk->taken++;

        rc = bulk->dry ? ngx_http_pki_bulk_would(bulk, target)
                       : ngx_http_pki_bulk_send(r, bulk, target);

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    s->targets.nelts = 0;
    bulk->taken = 0;

    if (s->busy) {
        return NGX_OK;
    }

    if (s->whole) {
        return bulk->flight ? NGX_OK : NGX_DONE;
    }

    if (ngx_http_pki_select(r, bulk) != NGX_OK) {
        return NGX_ERROR;
    }

    return s->busy ? NGX_OK : NGX_AGAIN;
}


/* what is not begun any more, when all that was begun is known */

static ngx_int_t
ngx_http_pki_bulk_rest(ngx_http_pki_bulk_t *bulk)
{
    ngx_uint_t                 n;
    ngx_http_pki_target_t      target, *found;
    ngx_http_pki_selection_t  *s;

    s = &bulk->selection;

    if (bulk->flight || s->pending) {
        return NGX_OK;
    }

    if (bulk->lines.stream == NULL) {
        return NGX_DONE;
    }

    found = s->targets.elts;

    for (n = 0; n < NGX_HTTP_PKI_BULK_TURN; n++) {

        if (bulk->taken < s->targets.nelts) {
            target = found[bulk->taken++];

        } else if (s->by == NGX_HTTP_PKI_SELECT_SERIALS
                   && s->next < s->nserials)
        {
            target.issuer = NULL;
            target.serial = s->serials[s->next++];

        } else {
            return NGX_DONE;
        }

        if (ngx_http_pki_bulk_tell(bulk, &target, NGX_HTTP_PKI_BULK_FAILED,
                                   PKI_REASON_NONE,
                                   "not begun, for the store does not answer")
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_AGAIN;
}


/* what the store would say */

static ngx_int_t
ngx_http_pki_bulk_would(ngx_http_pki_bulk_t *bulk,
    const ngx_http_pki_target_t *target)
{
    pki_reason_t  reason;

    reason = bulk->api->revocation.reason;

    if (bulk->release) {
        if (target->present == PKI_REASON_CERTIFICATE_HOLD) {
            return ngx_http_pki_bulk_tell(bulk, target,
                                          NGX_HTTP_PKI_BULK_WOULD_RELEASE,
                                          target->present, NULL);
        }

        return ngx_http_pki_bulk_tell(bulk, target, NGX_HTTP_PKI_BULK_CONFLICT,
                                      target->present,
                                      "The certificate is not on hold.");
    }

    if (target->present == reason) {
        return ngx_http_pki_bulk_tell(bulk, target, NGX_HTTP_PKI_BULK_SAME,
                                      reason, NULL);
    }

    if (target->present == PKI_REASON_NONE
        || target->present == PKI_REASON_CERTIFICATE_HOLD)
    {
        return ngx_http_pki_bulk_tell(bulk, target,
                                      NGX_HTTP_PKI_BULK_WOULD_REVOKE,
                                      target->present, NULL);
    }

    return ngx_http_pki_bulk_tell(bulk, target, NGX_HTTP_PKI_BULK_CONFLICT,
                                  target->present,
                                  "The certificate is already revoked.");
}


static ngx_int_t
ngx_http_pki_bulk_send(ngx_http_request_t *r, ngx_http_pki_bulk_t *bulk,
    const ngx_http_pki_target_t *target)
{
    char                        *name;
    pki_actor_t                  actor;
    pki_redis_t                 *redis;
    ngx_http_pki_bulk_change_t  *change;

    change = ngx_alloc(sizeof(ngx_http_pki_bulk_change_t),
                       r->connection->log);
    if (change == NULL) {
        return NGX_ERROR;
    }

    change->wait = ngx_http_pki_wait_for(r, target->issuer,
                                         ngx_http_pki_bulk_done, 0);
    if (change->wait == NULL) {
        ngx_free(change);
        return NGX_ERROR;
    }

    name = (char *) target->issuer->name.data;

    change->mcf = bulk->api->mcf;
    change->target = *target;
    change->len = pki_owner_cert(change->owner, name, &target->serial);

    actor.who = bulk->api->revocation.who;
    actor.from = bulk->from;
    actor.why = bulk->api->why;
    actor.at = bulk->api->revocation.at;

    redis = ngx_http_pki_transport(change->mcf, target->issuer->store);

    bulk->flight++;

    if (bulk->release) {
        pki_store_release(redis, name, &target->serial, &actor,
                          ngx_http_pki_bulk_changed, change);

    } else {
        pki_store_revoke(redis, name, &target->serial,
                         &bulk->api->revocation, &actor,
                         ngx_http_pki_bulk_unrecorded(target),
                         ngx_http_pki_bulk_changed, change);
    }

    return NGX_OK;
}


/* as a single revocation has it */

static ngx_uint_t
ngx_http_pki_bulk_unrecorded(const ngx_http_pki_target_t *target)
{
    pki_question_t  q;

    if (pki_question(&target->issuer->view, &target->serial, &q) != PKI_OK) {
        return 0;
    }

    return q.own || (q.issued && target->issuer->policy.by_serial);
}


/* whether it was made is not known after a failure: forget then, too */

static void
ngx_http_pki_bulk_changed(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error)
{
    ngx_http_pki_bulk_change_t *change = data;

    change->result = result;
    change->target.present = present ? present->reason : PKI_REASON_NONE;

    ngx_http_pki_forget(&change->mcf->zone, (u_char *) change->owner,
                        change->len);

    if (result == PKI_STORE_FAILED) {
        ngx_http_pki_store_failed(change->mcf, change->target.issuer->store,
                                  error, ngx_cycle->log);
    }

    ngx_http_pki_wake(change->wait, change);

    ngx_free(change);
}


static void
ngx_http_pki_bulk_done(ngx_http_request_t *r, ngx_uint_t n, const void *reply)
{
    const ngx_http_pki_bulk_change_t *change = reply;

    ngx_http_pki_ctx_t   *ctx;
    ngx_http_pki_api_t   *a;
    ngx_http_pki_bulk_t  *bulk;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);
    a = ctx->data;
    bulk = a->data;

    if (change == NULL) {
        ngx_http_pki_bulk_late(r, bulk);
        return;
    }

    bulk->flight--;

    if (ngx_http_pki_bulk_outcome(r, bulk, change) != NGX_OK) {
        ngx_http_pki_finalize(r, NGX_ERROR);
        return;
    }

    ngx_http_pki_lines_post(&bulk->lines);
}


static ngx_int_t
ngx_http_pki_bulk_outcome(ngx_http_request_t *r, ngx_http_pki_bulk_t *bulk,
    const ngx_http_pki_bulk_change_t *change)
{
    char                          text[PKI_SERIAL_HEX_SIZE];
    const ngx_http_pki_target_t  *target;

    target = &change->target;

    switch (change->result) {

    case PKI_STORE_FAILED:
        bulk->broken = 1;
        return ngx_http_pki_bulk_tell(bulk, target, NGX_HTTP_PKI_BULK_FAILED,
                                      PKI_REASON_NONE,
                                      "the store did not acknowledge it");

    case PKI_STORE_NOT_FOUND:
        if (!bulk->release) {
            return ngx_http_pki_bulk_tell(bulk, target,
                                          NGX_HTTP_PKI_BULK_NOT_FOUND,
                                          PKI_REASON_NONE,
                                          "Certificate not found.");
        }

        /* fall through */

    case PKI_STORE_CONFLICT:
        return ngx_http_pki_bulk_tell(bulk, target, NGX_HTTP_PKI_BULK_CONFLICT,
                                      target->present,
                                      bulk->release
                                      ? "The certificate is not on hold."
                                      : "The certificate is already "
                                        "revoked.");

    case PKI_STORE_SAME:
        return ngx_http_pki_bulk_tell(bulk, target, NGX_HTTP_PKI_BULK_SAME,
                                      target->present, NULL);

    default: /* PKI_STORE_DONE */
        break;
    }

    (void) pki_serial_to_text(&target->serial, text);

    ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                  "pki issuer \"%V\": certificate \"%s\": %s by \"%s\"",
                  &target->issuer->name, text,
                  pki_reason_name(bulk->api->revocation.reason),
                  bulk->api->revocation.who);

    if (bulk->release) {
        return ngx_http_pki_bulk_tell(bulk, target, NGX_HTTP_PKI_BULK_RELEASED,
                                      PKI_REASON_NONE, NULL);
    }

    return ngx_http_pki_bulk_tell(bulk, target, NGX_HTTP_PKI_BULK_REVOKED,
                                  bulk->api->revocation.reason, NULL);
}


/* failures wait: when there is nothing else, the whole call has failed */

ngx_int_t
ngx_http_pki_bulk_tell(ngx_http_pki_bulk_t *bulk,
    const ngx_http_pki_target_t *target, ngx_http_pki_bulk_e result,
    pki_reason_t reason, const char *message)
{
    ngx_uint_t              i;
    ngx_http_pki_target_t  *failure;

    bulk->counts[result]++;

    if (bulk->lines.stream == NULL && result == NGX_HTTP_PKI_BULK_FAILED) {
        failure = ngx_array_push(&bulk->failures);
        if (failure == NULL) {
            return NGX_ERROR;
        }

        *failure = *target;

        return NGX_OK;
    }

    failure = bulk->failures.elts;

    for (i = 0; i < bulk->failures.nelts; i++) {
        if (ngx_http_pki_bulk_line(bulk, &failure[i],
                                   NGX_HTTP_PKI_BULK_FAILED, PKI_REASON_NONE,
                                   "the store did not acknowledge it")
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    bulk->failures.nelts = 0;

    return ngx_http_pki_bulk_line(bulk, target, result, reason, message);
}


static ngx_int_t
ngx_http_pki_bulk_line(ngx_http_pki_bulk_t *bulk,
    const ngx_http_pki_target_t *target, ngx_http_pki_bulk_e result,
    pki_reason_t reason, const char *message)
{
    char                text[PKI_SERIAL_HEX_SIZE];
    pki_json_writer_t  *w;

    w = pki_json_create();
    if (w == NULL) {
        return NGX_ERROR;
    }

    (void) pki_serial_to_text(&target->serial, text);

    pki_json_object(w);
    pki_json_name(w, "serialNumber");
    pki_json_string(w, text);
    pki_json_name(w, "issuer");
    pki_json_string(w, target->issuer ? (char *) target->issuer->name.data
                                      : NULL);
    pki_json_name(w, "result");
    pki_json_string(w, ngx_http_pki_bulk_names[result]);
    pki_json_name(w, "revocationReason");
    pki_json_string(w, reason == PKI_REASON_NONE ? NULL
                                                 : pki_reason_name(reason));
    pki_json_name(w, "message");
    pki_json_string(w, message);
    pki_json_object_end(w);

    return ngx_http_pki_lines_add(&bulk->lines, w);
}


void
ngx_http_pki_bulk_late(ngx_http_request_t *r, ngx_http_pki_bulk_t *bulk)
{
    ngx_int_t  rc;

    rc = NGX_ERROR;

    if (bulk->lines.stream == NULL) {
        rc = ngx_http_pki_api_unavailable(r, "The store does not answer. "
                                          "It is not known whether the "
                                          "changes were made.");
    }

    ngx_http_pki_finalize(r, rc);
}


static ngx_int_t
ngx_http_pki_bulk_end(ngx_http_request_t *r, ngx_http_pki_bulk_t *bulk)
{
    ngx_uint_t          i;
    pki_json_writer_t  *w;

    static ngx_str_t  name = ngx_string("Retry-After");
    static ngx_str_t  value = ngx_string("1");

    if (bulk->selection.crowded) {
        if (ngx_http_pki_header(r, &name, &value) == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_pki_api_error(r, NGX_HTTP_TOO_MANY_REQUESTS,
                                      NGX_HTTP_TOO_MANY_REQUESTS,
                                      "Too many searches are under way.");
    }

    if (bulk->lines.stream == NULL
        && (bulk->broken || bulk->selection.failed))
    {
        return ngx_http_pki_api_unavailable(r, bulk->failures.nelts
                                            ? "The store does not answer. "
                                              "It is not known whether the "
                                              "changes were made."
                                            : "The store does not answer.");
    }

    w = pki_json_create();
    if (w == NULL) {
        return NGX_ERROR;
    }

    pki_json_object(w);

    for (i = 0; i < NGX_HTTP_PKI_BULK_N; i++) {
        pki_json_name(w, ngx_http_pki_bulk_names[i]);
        pki_json_integer(w, bulk->counts[i]);
    }

    pki_json_name(w, "dryRun");
    pki_json_boolean(w, bulk->dry);
    pki_json_name(w, "complete");
    pki_json_boolean(w, !bulk->broken && !bulk->selection.failed
                        && !bulk->selection.scan.unreadable);
    pki_json_object_end(w);

    return ngx_http_pki_lines_end(&bulk->lines, w);
}


/*
 * Selecting certificates: by a list of serial numbers, by what they are bound
 * to, by when they were recorded.
 *
 * Of a list, and of what is bound to an object, some serial numbers are
 * looked up at once.  A user's certificates, and those of a time, are found
 * by a scan, which pauses after each page that has any.
 */

#include "ngx_http_pki_bulk.h"


static ngx_int_t ngx_http_pki_select_serials(ngx_http_request_t *r,
    ngx_http_pki_bulk_t *bulk);
static ngx_int_t ngx_http_pki_select_object(ngx_http_request_t *r,
    ngx_http_pki_bulk_t *bulk);
static void ngx_http_pki_select_bound(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static ngx_int_t ngx_http_pki_select_look(ngx_http_request_t *r,
    ngx_http_pki_bulk_t *bulk, ngx_uint_t issuer);
static void ngx_http_pki_select_rows(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static void ngx_http_pki_select_revocations(ngx_http_request_t *r,
    ngx_uint_t n, const void *reply);
static ngx_http_pki_bulk_t *ngx_http_pki_select_reply(ngx_http_request_t *r,
    const void *reply, pki_store_result_t result);
static void ngx_http_pki_select_looked(ngx_http_request_t *r,
    ngx_http_pki_bulk_t *bulk);
static ngx_int_t ngx_http_pki_select_choose(ngx_http_pki_bulk_t *bulk,
    ngx_uint_t n);
static ngx_uint_t ngx_http_pki_select_rank(ngx_http_pki_selection_t *s,
    ngx_uint_t issuer, ngx_uint_t n);
static ngx_int_t ngx_http_pki_select_target(ngx_http_pki_selection_t *s,
    ngx_http_pki_issuer_t *issuer, const pki_serial_t *serial,
    pki_reason_t present);

static ngx_int_t ngx_http_pki_select_resolve(ngx_http_request_t *r,
    ngx_http_pki_bulk_t *bulk);
static void ngx_http_pki_select_resolved(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static ngx_int_t ngx_http_pki_select_scan(ngx_http_request_t *r,
    ngx_http_pki_bulk_t *bulk);
static ngx_int_t ngx_http_pki_select_row(ngx_http_request_t *r, void *data,
    const pki_row_t *row, ngx_http_pki_issuer_t *issuer,
    unsigned long long page, size_t offset);
static ngx_uint_t ngx_http_pki_select_user(ngx_http_pki_selection_t *s,
    const pki_row_t *row);
static ngx_int_t ngx_http_pki_select_paged(ngx_http_request_t *r, void *data,
    ngx_http_pki_issuer_t *issuer);
static void ngx_http_pki_select_scanned(ngx_http_request_t *r, void *data,
    ngx_int_t rc);


ngx_int_t
ngx_http_pki_select(ngx_http_request_t *r, ngx_http_pki_bulk_t *bulk)
{
    ngx_http_pki_selection_t  *s;

    s = &bulk->selection;

    switch (s->by) {

    case NGX_HTTP_PKI_SELECT_SERIALS:
        return ngx_http_pki_select_serials(r, bulk);

    case NGX_HTTP_PKI_SELECT_OBJECT:
        return ngx_http_pki_select_object(r, bulk);

    case NGX_HTTP_PKI_SELECT_USER:
        if (s->upn && !s->resolved) {
            return ngx_http_pki_select_resolve(r, bulk);
        }

        /* fall through */

    default: /* NGX_HTTP_PKI_SELECT_ISSUED */
        return ngx_http_pki_select_scan(r, bulk);
    }
}


static ngx_int_t
ngx_http_pki_select_serials(ngx_http_request_t *r, ngx_http_pki_bulk_t *bulk)
{
    ngx_uint_t                 i;
    ngx_http_pki_selection_t  *s;

    s = &bulk->selection;

    s->nbatch = ngx_min(s->nserials - s->next, PKI_BOOK_SERIALS);

    if (s->nbatch == 0) {
        s->whole = 1;
        return NGX_OK;
    }

    ngx_memcpy(s->batch, &s->serials[s->next],
               s->nbatch * sizeof(pki_serial_t));

    s->next += s->nbatch;

    for (i = 0; i < s->nissuers; i++) {
        if (ngx_http_pki_select_look(r, bulk, i) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* the next slice of what an issuer has bound to an object */

static ngx_int_t
ngx_http_pki_select_object(ngx_http_request_t *r, ngx_http_pki_bulk_t *bulk)
{
    ngx_http_pki_wait_t       *wait;
    ngx_http_pki_issuer_t     *issuer;
    ngx_http_pki_selection_t  *s;

    s = &bulk->selection;

    if (s->issuer == s->nissuers) {
        s->whole = 1;
        return NGX_OK;
    }

    issuer = s->issuers[s->issuer];

    wait = ngx_http_pki_wait_for(r, issuer, ngx_http_pki_select_bound, 0);
    if (wait == NULL) {
        return NGX_ERROR;
    }

    s->busy = 1;
    s->pending++;

    pki_book_object(ngx_http_pki_transport(bulk->api->mcf, issuer->store),
                    (char *) issuer->name.data, s->ids[s->id], s->from,
                    ngx_http_pki_values, wait);

    return NGX_OK;
}


static void
ngx_http_pki_select_bound(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_values_t *v = reply;

    size_t                     i;
    ngx_uint_t                 issuer;
    ngx_http_pki_bulk_t       *bulk;
    ngx_http_pki_selection_t  *s;

    bulk = ngx_http_pki_select_reply(r, v, v ? v->result : PKI_STORE_FAILED);

    if (bulk == NULL) {
        return;
    }

    s = &bulk->selection;
    issuer = s->issuer;
    s->looked = issuer;
    s->nbatch = 0;

    for (i = 0; i < v->n && s->nbatch < PKI_BOOK_SERIALS; i++) {
        if (pki_serial_from_text((const char *) v->values[i].data,
                                 v->values[i].len, &s->batch[s->nbatch])
            == PKI_OK)
        {
            s->nbatch++;
        }
    }

    s->from = v->next;

    if (s->from == 0 && ++s->id == s->nids) {
        s->id = 0;
        s->issuer++;
    }

    if (s->nbatch == 0) {
        s->busy = 0;
        ngx_http_pki_lines_post(&bulk->lines);
        return;
    }

    if (ngx_http_pki_select_look(r, bulk, issuer) != NGX_OK) {
        ngx_http_pki_finalize(r, NGX_ERROR);
    }
}


/* what an issuer knows of the batch: two questions in one write */

static ngx_int_t
ngx_http_pki_select_look(ngx_http_request_t *r, ngx_http_pki_bulk_t *bulk,
    ngx_uint_t issuer)
{
    char                      *name;
    ngx_uint_t                 i;
    pki_redis_t               *redis;
    ngx_http_pki_seen_t       *seen;
    ngx_http_pki_wait_t       *rows, *revocations;
    ngx_http_pki_selection_t  *s;

    s = &bulk->selection;
    seen = s->seen + issuer * PKI_BOOK_SERIALS;

    ngx_memzero(seen, PKI_BOOK_SERIALS * sizeof(ngx_http_pki_seen_t));

    for (i = 0; i < s->nbatch; i++) {
        seen[i].present = PKI_REASON_NONE;
    }

    rows = ngx_http_pki_wait_for(r, s->issuers[issuer],
                                 ngx_http_pki_select_rows, issuer);
    if (rows == NULL) {
        return NGX_ERROR;
    }

    revocations = ngx_http_pki_wait_for(r, s->issuers[issuer],
                                        ngx_http_pki_select_revocations,
                                        issuer);
    if (revocations == NULL) {
        ngx_http_pki_wait_cancel(rows);
        return NGX_ERROR;
    }

    s->busy = 1;
    s->pending += 2;

    name = (char *) s->issuers[issuer]->name.data;
    redis = ngx_http_pki_transport(bulk->api->mcf, s->issuers[issuer]->store);

    pki_book_rows(redis, name, s->batch, s->nbatch, ngx_http_pki_values,
                  rows);
    pki_book_revocations(redis, name, s->batch, s->nbatch,
                         ngx_http_pki_values, revocations);

    return NGX_OK;
}


static void
ngx_http_pki_select_rows(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_values_t *v = reply;

    size_t                     i;
    pki_row_t                  row;
    pki_bytes_t                line;
    ngx_http_pki_seen_t       *seen;
    ngx_http_pki_bulk_t       *bulk;
    ngx_http_pki_selection_t  *s;

    bulk = ngx_http_pki_select_reply(r, v, v ? v->result : PKI_STORE_FAILED);

    if (bulk == NULL) {
        return;
    }

    s = &bulk->selection;
    seen = s->seen + n * PKI_BOOK_SERIALS;

    for (i = 0; i < v->n && i < s->nbatch; i++) {
        line = v->values[i];

        if (line.len == 0) {
            continue;
        }

        seen[i].recorded = 1;
        seen[i].outside = s->narrow
                          && (pki_row_next(&line, &row) != PKI_OK
                              || !pki_filter_match(&s->filter, &row,
                                                   ngx_time()));
    }

    ngx_http_pki_select_looked(r, bulk);
}


static void
ngx_http_pki_select_revocations(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_values_t *v = reply;

    size_t                     i;
    pki_revocation_t           revocation;
    ngx_http_pki_seen_t       *seen;
    ngx_http_pki_bulk_t       *bulk;
    ngx_http_pki_selection_t  *s;

    bulk = ngx_http_pki_select_reply(r, v, v ? v->result : PKI_STORE_FAILED);

    if (bulk == NULL) {
        return;
    }

    s = &bulk->selection;
    seen = s->seen + n * PKI_BOOK_SERIALS;

    for (i = 0; i < v->n && i < s->nbatch; i++) {

        if (v->values[i].len
            && pki_revocation_read(v->values[i], &revocation) == PKI_OK)
        {
            seen[i].present = revocation.reason;
        }
    }

    ngx_http_pki_select_looked(r, bulk);
}


/*
 * What each reply comes to first.  NULL: there is nothing to do with it, for
 * it is none, or the selection has failed.
 */

static ngx_http_pki_bulk_t *
ngx_http_pki_select_reply(ngx_http_request_t *r, const void *reply,
    pki_store_result_t result)
{
    ngx_http_pki_ctx_t        *ctx;
    ngx_http_pki_api_t        *a;
    ngx_http_pki_bulk_t       *bulk;
    ngx_http_pki_selection_t  *s;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);
    a = ctx->data;
    bulk = a->data;
    s = &bulk->selection;

    if (reply == NULL) {
        ngx_http_pki_bulk_late(r, bulk);
        return NULL;
    }

    s->pending--;

    if (result == PKI_STORE_FAILED && !s->failed) {
        s->failed = 1;

        if (s->by == NGX_HTTP_PKI_SELECT_SERIALS) {
            s->next -= s->nbatch;
        }
    }

    if (s->failed) {
        ngx_http_pki_lines_post(&bulk->lines);
        return NULL;
    }

    return bulk;
}


/* all issuers have told of the batch */

static void
ngx_http_pki_select_looked(ngx_http_request_t *r, ngx_http_pki_bulk_t *bulk)
{
    ngx_uint_t                 i, k;
    ngx_http_pki_seen_t       *seen;
    ngx_http_pki_selection_t  *s;

    s = &bulk->selection;

    if (s->pending) {
        return;
    }

    s->busy = 0;

    for (i = 0; i < s->nbatch; i++) {

        if (s->by == NGX_HTTP_PKI_SELECT_SERIALS) {
            if (ngx_http_pki_select_choose(bulk, i) != NGX_OK) {
                s->error = 1;
            }

            continue;
        }

        k = s->looked;
        seen = s->seen + k * PKI_BOOK_SERIALS + i;

        if (!seen->outside
            && ngx_http_pki_select_target(s, s->issuers[k], &s->batch[i],
                                          seen->present)
               != NGX_OK)
        {
            s->error = 1;
        }
    }

    ngx_http_pki_lines_post(&bulk->lines);
}


/* whose certificate is it?  As a single call has it. */

static ngx_int_t
ngx_http_pki_select_choose(ngx_http_pki_bulk_t *bulk, ngx_uint_t n)
{
    ngx_uint_t                 i, k, rank, best;
    ngx_http_pki_seen_t       *seen;
    ngx_http_pki_target_t      target;
    ngx_http_pki_selection_t  *s;

    s = &bulk->selection;
    best = 0;
    k = 0;

    target.issuer = NULL;
    target.serial = s->batch[n];
    target.present = PKI_REASON_NONE;

    for (i = 0; i < s->nissuers; i++) {
        rank = ngx_http_pki_select_rank(s, i, n);

        if (rank > best) {
            best = rank;
            k = 0;
        }

        if (rank && rank == best) {
            target.issuer = s->issuers[i];
            k++;
        }
    }

    if (k != 1) {
        target.issuer = NULL;

        return ngx_http_pki_bulk_tell(bulk, &target,
                                      k ? NGX_HTTP_PKI_BULK_CONFLICT
                                        : NGX_HTTP_PKI_BULK_NOT_FOUND,
                                      PKI_REASON_NONE,
                                      k ? "Several issuers may have this "
                                          "serial number: name one."
                                        : "Certificate not found.");
    }

    for (i = 0; s->issuers[i] != target.issuer; i++) {
        /* void */
    }

    seen = s->seen + i * PKI_BOOK_SERIALS + n;

    if (s->narrow && (!seen->recorded || seen->outside)) {
        return ngx_http_pki_bulk_tell(bulk, &target,
                                      NGX_HTTP_PKI_BULK_SKIPPED,
                                      seen->present,
                                      "not issued in that time");
    }

    return ngx_http_pki_select_target(s, target.issuer, &target.serial,
                                      seen->present);
}


static ngx_uint_t
ngx_http_pki_select_rank(ngx_http_pki_selection_t *s, ngx_uint_t issuer,
    ngx_uint_t n)
{
    pki_question_t        q;
    ngx_http_pki_seen_t  *seen;

    seen = s->seen + issuer * PKI_BOOK_SERIALS + n;

    if (seen->recorded || seen->present != PKI_REASON_NONE) {
        return 2;
    }

    if (pki_question(&s->issuers[issuer]->view, &s->batch[n], &q) != PKI_OK) {
        return 0;
    }

    if (q.own) {
        return 2;
    }

    return (q.issued && s->issuers[issuer]->policy.by_serial) ? 1 : 0;
}


static ngx_int_t
ngx_http_pki_select_target(ngx_http_pki_selection_t *s,
    ngx_http_pki_issuer_t *issuer, const pki_serial_t *serial,
    pki_reason_t present)
{
    ngx_http_pki_target_t  *target;

    target = ngx_array_push(&s->targets);
    if (target == NULL) {
        return NGX_ERROR;
    }

    target->issuer = issuer;
    target->serial = *serial;
    target->present = present;

    return NGX_OK;
}


/* who goes by that name in the directories of the issuers? */

static ngx_int_t
ngx_http_pki_select_resolve(ngx_http_request_t *r, ngx_http_pki_bulk_t *bulk)
{
    ngx_uint_t                  i, k;
    ngx_http_pki_wait_t        *wait;
    ngx_http_pki_issuer_t      *issuer;
    ngx_http_pki_reference_t   *reference;
    ngx_http_pki_selection_t   *s;

    s = &bulk->selection;
    s->resolved = 1;

    for (i = 0; i < s->nissuers; i++) {
        issuer = s->issuers[i];
        reference = issuer->directories.elts;

        for (k = 0; k < issuer->directories.nelts; k++) {

            wait = ngx_http_pki_wait_for(r, issuer,
                                         ngx_http_pki_select_resolved, 0);
            if (wait == NULL) {
                return NGX_ERROR;
            }

            s->busy = 1;
            s->pending++;

            pki_state_resolve(ngx_http_pki_transport(bulk->api->mcf,
                                                     issuer->store),
                              (char *) reference[k].directory->name.data,
                              s->upn, ngx_http_pki_items, wait);
        }
    }

    return NGX_OK;
}


static void
ngx_http_pki_select_resolved(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_items_t *items = reply;

    const char                *id;
    ngx_uint_t                 i;
    ngx_http_pki_bulk_t       *bulk;
    ngx_http_pki_selection_t  *s;

    bulk = ngx_http_pki_select_reply(r, items, items ? items->result
                                                     : PKI_STORE_FAILED);

    if (bulk == NULL) {
        return;
    }

    s = &bulk->selection;

    if (items->result == PKI_STORE_DONE && items->n) {
        id = items->items[0].value;

        for (i = 0; i < s->nids; i++) {
            if (ngx_strcmp(s->ids[i], id) == 0) {
                break;
            }
        }

        /* a name may also lead to a device, which is not what is meant */

        if (i == s->nids && i < NGX_HTTP_PKI_BULK_IDS
            && ngx_strstr(id, "user/")
            && ngx_strlen(id) < PKI_OBJECT_ID_SIZE)
        {
            ngx_memcpy(s->ids[s->nids++], id, ngx_strlen(id) + 1);
        }
    }

    if (s->pending == 0) {
        s->busy = 0;
        ngx_http_pki_lines_post(&bulk->lines);
    }
}


/* begins a scan, or goes on with it */

static ngx_int_t
ngx_http_pki_select_scan(ngx_http_request_t *r, ngx_http_pki_bulk_t *bulk)
{
    ngx_int_t                  rc;
    ngx_http_pki_selection_t  *s;

    s = &bulk->selection;
    s->busy = 1;

    if (s->scanning) {
        ngx_http_pki_scan_on(&s->scan, NGX_OK);
        return NGX_OK;
    }

    s->scanning = 1;
    s->scan.filter = &s->filter;
    s->scan.issuers = s->issuers;
    s->scan.nissuers = s->nissuers;
    s->scan.row = ngx_http_pki_select_row;
    s->scan.paged = ngx_http_pki_select_paged;
    s->scan.done = ngx_http_pki_select_scanned;
    s->scan.data = bulk;

    rc = ngx_http_pki_scan(r, &s->scan);

    if (rc == NGX_BUSY) {
        s->busy = 0;
        s->whole = 1;
        s->crowded = 1;
        return NGX_OK;
    }

    return rc;
}


static ngx_int_t
ngx_http_pki_select_row(ngx_http_request_t *r, void *data,
    const pki_row_t *row, ngx_http_pki_issuer_t *issuer,
    unsigned long long page, size_t offset)
{
    ngx_http_pki_bulk_t *bulk = data;

    ngx_http_pki_selection_t  *s;

    s = &bulk->selection;

    if (s->by == NGX_HTTP_PKI_SELECT_USER
        && !ngx_http_pki_select_user(s, row))
    {
        return NGX_OK;
    }

    return ngx_http_pki_select_target(s, issuer, &row->serial, row->status);
}


/* is it bound to the user, or does it bear the name? */

static ngx_uint_t
ngx_http_pki_select_user(ngx_http_pki_selection_t *s, const pki_row_t *row)
{
    ngx_uint_t  i, k;

    if (s->upn && row->upn.len == ngx_strlen(s->upn)
        && ngx_strncasecmp((u_char *) row->upn.data, (u_char *) s->upn,
                           row->upn.len)
           == 0)
    {
        return 1;
    }

    for (i = 0; i < s->nids; i++) {
        for (k = 0; k < PKI_BINDING_OBJECTS; k++) {
            if (row->objects[k].len == ngx_strlen(s->ids[i])
                && ngx_memcmp(row->objects[k].data, s->ids[i],
                              row->objects[k].len)
                   == 0)
            {
                return 1;
            }
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_pki_select_paged(ngx_http_request_t *r, void *data,
    ngx_http_pki_issuer_t *issuer)
{
    ngx_http_pki_bulk_t *bulk = data;

    if (bulk->selection.targets.nelts == 0) {
        return NGX_OK;
    }

    bulk->selection.busy = 0;
    ngx_http_pki_lines_post(&bulk->lines);

    return NGX_AGAIN;
}


static void
ngx_http_pki_select_scanned(ngx_http_request_t *r, void *data, ngx_int_t rc)
{
    ngx_http_pki_bulk_t *bulk = data;

    ngx_http_pki_selection_t  *s;

    s = &bulk->selection;
    s->busy = 0;
    s->whole = 1;

    if (rc == NGX_DECLINED) {
        s->failed = 1;

    } else if (rc != NGX_OK) {
        s->error = 1;
    }

    ngx_http_pki_lines_post(&bulk->lines);
}

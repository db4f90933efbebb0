
/*
 * The rows of a search on their way to the reply.
 *
 * A row that passes the filter waits for the survey, if the effective status
 * is asked for; is kept, in its place when the reply has an order; and is
 * completed with who revoked it.  A page of JSON is made at the end.  A
 * stream of CSV or NDJSON is written as rows come, so that it holds no more
 * of them than a page of the book has.
 */

#include "ngx_http_pki_search.h"


typedef struct {
    pki_store_result_t        result;
    const pki_survey_item_t  *items;
    size_t                    n;
    const char               *error;
} ngx_http_pki_results_told_t;


static ngx_http_pki_item_t *ngx_http_pki_results_item(const pki_row_t *row,
    ngx_http_pki_issuer_t *issuer, const pki_query_position_t *place,
    ngx_log_t *log);
static ngx_int_t ngx_http_pki_results_keep(ngx_http_pki_search_t *s,
    ngx_http_pki_item_t *item);
static ngx_int_t ngx_http_pki_results_insert(ngx_http_pki_search_t *s,
    ngx_http_pki_item_t *item);
static ngx_uint_t ngx_http_pki_results_full(ngx_http_pki_search_t *s);
static void ngx_http_pki_results_trim(ngx_http_pki_search_t *s);

static ngx_int_t ngx_http_pki_results_survey(ngx_http_request_t *r,
    ngx_http_pki_search_t *s, ngx_array_t *items);
static void ngx_http_pki_results_told(void *data, pki_store_result_t result,
    const pki_survey_item_t *items, size_t n, const char *error);
static void ngx_http_pki_results_surveyed(ngx_http_request_t *r,
    ngx_uint_t n, const void *reply);
static ngx_int_t ngx_http_pki_results_sift(ngx_http_pki_search_t *s);
static ngx_int_t ngx_http_pki_results_complete(ngx_http_request_t *r,
    ngx_http_pki_search_t *s);
static void ngx_http_pki_results_revocations(ngx_http_request_t *r,
    ngx_uint_t n, const void *reply);
static ngx_uint_t ngx_http_pki_results_batch(ngx_http_pki_search_t *s,
    ngx_array_t *items, ngx_uint_t survey, pki_serial_t *serials);

static ngx_int_t ngx_http_pki_results_write(ngx_http_request_t *r,
    ngx_http_pki_search_t *s);
static ngx_int_t ngx_http_pki_results_open(ngx_http_request_t *r,
    ngx_http_pki_search_t *s);
static void ngx_http_pki_results_ready(ngx_http_request_t *r, void *data);
static ngx_int_t ngx_http_pki_results_reply(ngx_http_request_t *r,
    ngx_http_pki_search_t *s);
static void ngx_http_pki_results_token(ngx_http_pki_search_t *s,
    pki_json_writer_t *w);
static void ngx_http_pki_results_free(ngx_array_t *items);
static void ngx_http_pki_results_cleanup(void *data);


ngx_int_t
ngx_http_pki_results_init(ngx_http_request_t *r, ngx_http_pki_search_t *s)
{
    ngx_http_cleanup_t  *cln;

    if (ngx_array_init(&s->waiting, r->pool, NGX_HTTP_PKI_SEARCH_BATCH,
                       sizeof(ngx_http_pki_item_t *)) != NGX_OK
        || ngx_array_init(&s->items, r->pool, s->query.size + 1,
                          sizeof(ngx_http_pki_item_t *)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_pki_results_cleanup;
    cln->data = s;

    s->fields = pki_query_fields(&s->query);

    return NGX_OK;
}


ngx_int_t
ngx_http_pki_results_head(ngx_http_request_t *r, ngx_http_pki_search_t *s)
{
    return ngx_http_pki_results_open(r, s);
}


ngx_int_t
ngx_http_pki_results_take(ngx_http_request_t *r, ngx_http_pki_search_t *s,
    const pki_row_t *row, ngx_http_pki_issuer_t *issuer,
    const pki_query_position_t *place)
{
    ngx_http_pki_item_t  *item, **last, **slot;

    if (s->ordered && s->format == PKI_QUERY_JSON) {

        if (s->query.after.set
            && pki_query_compare(&s->query, place, &s->query.after) <= 0)
        {
            return NGX_OK;
        }

        if (ngx_http_pki_results_full(s)) {
            last = s->items.elts;
            last += s->items.nelts - 1;

            if (pki_query_compare(&s->query, place, &(*last)->place) >= 0) {
                return NGX_OK;
            }
        }
    }

    item = ngx_http_pki_results_item(row, issuer, place, r->connection->log);
    if (item == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (s->query.effective) {
        slot = ngx_array_push(&s->waiting);

        if (slot) {
            *slot = item;
            return NGX_OK;
        }

    } else if (ngx_http_pki_results_keep(s, item) == NGX_OK) {
        return !s->ordered && ngx_http_pki_results_full(s) ? NGX_DONE
                                                           : NGX_OK;
    }

    ngx_free(item);

    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* a copy of the row, with its line as it is written in the book */

static ngx_http_pki_item_t *
ngx_http_pki_results_item(const pki_row_t *row, ngx_http_pki_issuer_t *issuer,
    const pki_query_position_t *place, ngx_log_t *log)
{
    char                  line[PKI_ROW_MAX];
    u_char               *p;
    size_t                len;
    pki_bytes_t           text;
    ngx_http_pki_item_t  *item;

    len = pki_row_write(row, line);

    item = ngx_alloc(sizeof(ngx_http_pki_item_t) + len, log);
    if (item == NULL) {
        return NULL;
    }

    p = (u_char *) item + sizeof(ngx_http_pki_item_t);

    ngx_memzero(item, sizeof(ngx_http_pki_item_t));
    ngx_memcpy(p, line, len);

    item->issuer = issuer;
    item->place = *place;
    item->revocation.reason = PKI_REASON_NONE;

    text.data = p;
    text.len = len;

    if (pki_row_next(&text, &item->row) != PKI_OK) {
        ngx_free(item);
        return NULL;
    }

    return item;
}


static ngx_int_t
ngx_http_pki_results_keep(ngx_http_pki_search_t *s, ngx_http_pki_item_t *item)
{
    ngx_http_pki_item_t  **slot;

    if (s->ordered && s->format == PKI_QUERY_JSON) {
        return ngx_http_pki_results_insert(s, item);
    }

    slot = ngx_array_push(&s->items);
    if (slot == NULL) {
        return NGX_ERROR;
    }

    *slot = item;

    return NGX_OK;
}


/* at its place in the order; the last one of a full page leaves it */

static ngx_int_t
ngx_http_pki_results_insert(ngx_http_pki_search_t *s,
    ngx_http_pki_item_t *item)
{
    ngx_uint_t             low, high, middle;
    ngx_http_pki_item_t  **items;

    if (ngx_array_push(&s->items) == NULL) {
        return NGX_ERROR;
    }

    items = s->items.elts;
    low = 0;
    high = s->items.nelts - 1;

    while (low < high) {
        middle = (low + high) / 2;

        if (pki_query_compare(&s->query, &item->place, &items[middle]->place)
            < 0)
        {
            high = middle;

        } else {
            low = middle + 1;
        }
    }

    ngx_memmove(&items[low + 1], &items[low],
                (s->items.nelts - 1 - low) * sizeof(ngx_http_pki_item_t *));
    items[low] = item;

    if (s->items.nelts > s->query.size + 1) {
        ngx_free(items[--s->items.nelts]);
    }

    return NGX_OK;
}


/* with one more, which tells that there is another page */

static ngx_uint_t
ngx_http_pki_results_full(ngx_http_pki_search_t *s)
{
    return s->format == PKI_QUERY_JSON && s->items.nelts > s->query.size;
}


static void
ngx_http_pki_results_trim(ngx_http_pki_search_t *s)
{
    ngx_http_pki_item_t  **items;

    items = s->items.elts;

    while (s->items.nelts > s->query.size) {
        s->more = 1;
        ngx_free(items[--s->items.nelts]);
    }
}


ngx_int_t
ngx_http_pki_results_advance(ngx_http_request_t *r, ngx_http_pki_search_t *s)
{
    ngx_int_t   rc;
    ngx_uint_t  enough;

    enough = s->more || (!s->ordered && ngx_http_pki_results_full(s));

    if (enough) {
        ngx_http_pki_results_free(&s->waiting);

    } else if (s->waiting.nelts >= NGX_HTTP_PKI_SEARCH_BATCH
               || (s->final && s->waiting.nelts))
    {
        s->sifting = 1;
        return ngx_http_pki_results_survey(r, s, &s->waiting);
    }

    if (s->format == PKI_QUERY_JSON) {

        if (!s->final) {
            return enough ? NGX_DONE : NGX_OK;
        }

        ngx_http_pki_results_trim(s);

        return ngx_http_pki_results_complete(r, s);
    }

    rc = ngx_http_pki_results_complete(r, s);

    return rc == NGX_OK ? ngx_http_pki_results_write(r, s) : rc;
}


void
ngx_http_pki_results_resume(ngx_http_request_t *r, ngx_http_pki_search_t *s)
{
    ngx_int_t  rc;

    rc = ngx_http_pki_results_advance(r, s);

    if (rc == NGX_AGAIN) {
        return;
    }

    if (s->final) {
        ngx_http_pki_results_finish(r, s, rc);
        return;
    }

    ngx_http_pki_search_on(r, s, rc);
}


/* NGX_AGAIN: a batch of them is asked about; NGX_OK: there is none */

static ngx_int_t
ngx_http_pki_results_survey(ngx_http_request_t *r, ngx_http_pki_search_t *s,
    ngx_array_t *items)
{
    pki_serial_t            serials[NGX_HTTP_PKI_SEARCH_BATCH];
    ngx_http_pki_wait_t    *wait;
    ngx_http_pki_issuer_t  *issuer;

    if (ngx_http_pki_results_batch(s, items, 1, serials) == 0) {
        return NGX_OK;
    }

    issuer = s->batch[0]->issuer;

    wait = ngx_http_pki_wait_for(r, issuer, ngx_http_pki_results_surveyed, 0);
    if (wait == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pki_survey(ngx_http_pki_transport(s->api->mcf, issuer->store),
               &issuer->view, serials, s->nbatch, ngx_time(),
               ngx_http_pki_results_told, wait);

    return NGX_AGAIN;
}


/* up to so many of one issuer that lack it */

static ngx_uint_t
ngx_http_pki_results_batch(ngx_http_pki_search_t *s, ngx_array_t *items,
    ngx_uint_t survey, pki_serial_t *serials)
{
    ngx_uint_t             i;
    ngx_http_pki_item_t   *item, **list;

    list = items->elts;
    s->nbatch = 0;

    for (i = 0; i < items->nelts && s->nbatch < NGX_HTTP_PKI_SEARCH_BATCH;
         i++)
    {
        item = list[i];

        if (item->surveyed
            || (!survey
                && (item->told || item->row.status == PKI_REASON_NONE))
            || (s->nbatch && s->batch[0]->issuer != item->issuer))
        {
            continue;
        }

        serials[s->nbatch] = item->row.serial;
        s->batch[s->nbatch++] = item;
    }

    return s->nbatch;
}


static void
ngx_http_pki_results_told(void *data, pki_store_result_t result,
    const pki_survey_item_t *items, size_t n, const char *error)
{
    ngx_http_pki_results_told_t  told;

    told.result = result;
    told.items = items;
    told.n = n;
    told.error = error;

    ngx_http_pki_wake(data, &told);
}


static void
ngx_http_pki_results_surveyed(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_results_told_t *told = reply;

    ngx_int_t               rc;
    ngx_uint_t              i;
    ngx_http_pki_item_t    *item;
    ngx_http_pki_search_t  *s;

    s = ngx_http_pki_search_of(r);

    if (told == NULL || told->result != PKI_STORE_DONE
        || told->n != s->nbatch)
    {
        ngx_http_pki_results_failed(r, s, s->batch[0]->issuer,
                                    told ? told->error : NULL);
        return;
    }

    for (i = 0; i < s->nbatch; i++) {
        item = s->batch[i];
        item->outcome = told->items[i].verdict.outcome;
        item->revocation = told->items[i].manual;
        item->surveyed = 1;
    }

    if (s->sifting) {
        s->sifting = 0;
        rc = ngx_http_pki_results_sift(s);

        if (rc != NGX_OK) {
            ngx_http_pki_results_finish(r, s, rc);
            return;
        }
    }

    ngx_http_pki_results_resume(r, s);
}


/* those of the waiting that were surveyed are kept, or not */

static ngx_int_t
ngx_http_pki_results_sift(ngx_http_pki_search_t *s)
{
    ngx_int_t             rc;
    ngx_uint_t            i, n;
    ngx_http_pki_item_t  *item, **list;

    rc = NGX_OK;
    list = s->waiting.elts;
    n = s->waiting.nelts;
    s->waiting.nelts = 0;

    for (i = 0; i < n; i++) {
        item = list[i];

        if (!item->surveyed) {
            list[s->waiting.nelts++] = item;
            continue;
        }

        if (!(s->query.effective & 1u << item->outcome)) {
            ngx_free(item);

        } else if (ngx_http_pki_results_keep(s, item) != NGX_OK) {
            ngx_free(item);
            rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return rc;
}


/*
 * What the reply's rows lack: the effective status, who revoked them.
 * NGX_AGAIN: it is asked for; NGX_OK: nothing.
 */

static ngx_int_t
ngx_http_pki_results_complete(ngx_http_request_t *r, ngx_http_pki_search_t *s)
{
    ngx_int_t               rc;
    pki_serial_t            serials[NGX_HTTP_PKI_SEARCH_BATCH];
    ngx_http_pki_wait_t    *wait;
    ngx_http_pki_issuer_t  *issuer;

    if (s->fields & 1 << PKI_FIELD_EFFECTIVE) {
        rc = ngx_http_pki_results_survey(r, s, &s->items);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (!(s->fields & (1 << PKI_FIELD_REVOCATION | 1 << PKI_FIELD_REASON
                       | 1 << PKI_FIELD_REVOKED_BY))
        || ngx_http_pki_results_batch(s, &s->items, 0, serials) == 0)
    {
        return NGX_OK;
    }

    issuer = s->batch[0]->issuer;

    wait = ngx_http_pki_wait_for(r, issuer, ngx_http_pki_results_revocations,
                                 0);
    if (wait == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pki_book_revocations(ngx_http_pki_transport(s->api->mcf, issuer->store),
                         (char *) issuer->name.data, serials, s->nbatch,
                         ngx_http_pki_values, wait);

    return NGX_AGAIN;
}


/* one that was released meanwhile has none */

static void
ngx_http_pki_results_revocations(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_values_t *v = reply;

    ngx_uint_t              i;
    ngx_http_pki_item_t    *item;
    ngx_http_pki_search_t  *s;

    s = ngx_http_pki_search_of(r);

    if (v == NULL || v->result != PKI_STORE_DONE || v->n != s->nbatch) {
        ngx_http_pki_results_failed(r, s, s->batch[0]->issuer,
                                    v ? v->error : NULL);
        return;
    }

    for (i = 0; i < s->nbatch; i++) {
        item = s->batch[i];
        item->told = 1;

        if (v->values[i].len
            && pki_revocation_read(v->values[i], &item->revocation) != PKI_OK)
        {
            ngx_http_pki_results_failed(r, s, item->issuer,
                                        "a revocation cannot be read");
            return;
        }
    }

    ngx_http_pki_results_resume(r, s);
}


/* what a stream has of rows; at its end at least its head */

static ngx_int_t
ngx_http_pki_results_write(ngx_http_request_t *r, ngx_http_pki_search_t *s)
{
    ngx_int_t              rc;
    ngx_uint_t             i;
    ngx_http_pki_item_t  **items;

    if (s->items.nelts == 0 && !s->final) {
        return NGX_OK;
    }

    if (s->stream == NULL && ngx_http_pki_results_open(r, s) != NGX_OK) {
        return NGX_ERROR;
    }

    items = s->items.elts;

    for (i = 0; i < s->items.nelts; i++) {

        rc = s->format == PKI_QUERY_CSV
             ? ngx_http_pki_rows_csv(s->stream, items[i], s->fields)
             : ngx_http_pki_rows_ndjson(s->stream, items[i], s->fields);

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_http_pki_results_free(&s->items);

    return ngx_http_pki_stream_flush(s->stream);
}


static ngx_int_t
ngx_http_pki_results_open(ngx_http_request_t *r, ngx_http_pki_search_t *s)
{
    ngx_str_t  *type, *file;

    static ngx_str_t  disposition = ngx_string("Content-Disposition");
    static ngx_str_t  csv = ngx_string("text/csv; charset=utf-8");
    static ngx_str_t  csv_file =
        ngx_string("attachment; filename=\"certificates.csv\"");
    static ngx_str_t  ndjson = ngx_string("application/x-ndjson");
    static ngx_str_t  ndjson_file =
        ngx_string("attachment; filename=\"certificates.ndjson\"");

    type = s->format == PKI_QUERY_CSV ? &csv : &ndjson;
    file = s->format == PKI_QUERY_CSV ? &csv_file : &ndjson_file;

    if (ngx_http_pki_header(r, &disposition, file) == NULL) {
        return NGX_ERROR;
    }

    s->stream = ngx_http_pki_stream_open(r, type, ngx_http_pki_results_ready,
                                         s);

    if (s->stream == NULL) {
        return NGX_ERROR;
    }

    return s->format == PKI_QUERY_CSV && !r->header_only
           ? ngx_http_pki_rows_csv_head(s->stream, s->fields) : NGX_OK;
}


static void
ngx_http_pki_results_ready(ngx_http_request_t *r, void *data)
{
    ngx_http_pki_results_resume(r, data);
}


void
ngx_http_pki_results_finish(ngx_http_request_t *r, ngx_http_pki_search_t *s,
    ngx_int_t rc)
{
    if (rc == NGX_OK) {
        rc = s->stream ? ngx_http_pki_stream_end(s->stream)
                       : ngx_http_pki_results_reply(r, s);

    } else if (r->header_sent || rc == NGX_ERROR) {
        rc = r->header_sent ? NGX_ERROR : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_pki_finalize(r, rc);
}


void
ngx_http_pki_results_failed(ngx_http_request_t *r, ngx_http_pki_search_t *s,
    ngx_http_pki_issuer_t *issuer, const char *error)
{
    ngx_int_t  rc;

    if (error) {
        ngx_http_pki_store_failed(s->api->mcf, issuer->store, error,
                                  r->connection->log);
    }

    rc = r->header_sent ? NGX_ERROR
                        : ngx_http_pki_api_unavailable(r, "The store does "
                                                       "not answer.");

    ngx_http_pki_finalize(r, rc);
}


/* a page */

static ngx_int_t
ngx_http_pki_results_reply(ngx_http_request_t *r, ngx_http_pki_search_t *s)
{
    ngx_uint_t             i;
    pki_json_writer_t     *w;
    ngx_http_pki_item_t  **items;

    w = pki_json_create();
    if (w == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    items = s->items.elts;

    pki_json_object(w);
    pki_json_name(w, "items");
    pki_json_array(w);

    for (i = 0; i < s->items.nelts; i++) {
        ngx_http_pki_rows_json(w, items[i], s->fields);
    }

    pki_json_array_end(w);
    pki_json_name(w, "continuationToken");
    ngx_http_pki_results_token(s, w);
    pki_json_object_end(w);

    return ngx_http_pki_api_send(r, NGX_HTTP_OK, w);
}


static void
ngx_http_pki_results_token(ngx_http_pki_search_t *s, pki_json_writer_t *w)
{
    char                   token[PKI_QUERY_TOKEN_MAX + 1];
    ngx_http_pki_item_t  **items;

    items = s->items.elts;

    if (s->more && s->items.nelts
        && pki_query_token(&s->query, &items[s->items.nelts - 1]->place,
                           token))
    {
        pki_json_string(w, token);
        return;
    }

    pki_json_string(w, NULL);
}


static void
ngx_http_pki_results_free(ngx_array_t *items)
{
    ngx_uint_t             i;
    ngx_http_pki_item_t  **list;

    list = items->elts;

    for (i = 0; i < items->nelts; i++) {
        ngx_free(list[i]);
    }

    items->nelts = 0;
}


static void
ngx_http_pki_results_cleanup(void *data)
{
    ngx_http_pki_search_t *s = data;

    ngx_http_pki_results_free(&s->waiting);
    ngx_http_pki_results_free(&s->items);
}

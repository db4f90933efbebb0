
/*
 * GET manage/search: rows of the book that pass a filter.
 *
 * Rows come out of a scan, or by key when the question has a thumbprint or
 * an object, or a text that looks like a whole serial number.  On their way
 * to the reply they pass a survey, if the effective status is asked for, and
 * are completed with who revoked them.  A page of JSON holds the first rows
 * of its order; a stream of CSV or NDJSON is written after each page of the
 * book, so that it holds no more than that.
 */

#include "ngx_http_pki_search.h"


static ngx_int_t ngx_http_pki_search_query(ngx_http_request_t *r,
    ngx_http_pki_search_t *s);
static ngx_int_t ngx_http_pki_search_issuers(ngx_http_request_t *r,
    ngx_http_pki_search_t *s);
static void ngx_http_pki_search_keys(ngx_http_pki_search_t *s);
static ngx_int_t ngx_http_pki_search_scan(ngx_http_request_t *r,
    ngx_http_pki_search_t *s);
static ngx_int_t ngx_http_pki_search_row(ngx_http_request_t *r, void *data,
    const pki_row_t *row, ngx_http_pki_issuer_t *issuer,
    unsigned long long page, size_t offset);
static ngx_int_t ngx_http_pki_search_paged(ngx_http_request_t *r, void *data,
    ngx_http_pki_issuer_t *issuer);
static void ngx_http_pki_search_scanned(ngx_http_request_t *r, void *data,
    ngx_int_t rc);

static ngx_int_t ngx_http_pki_search_key(ngx_http_request_t *r,
    ngx_http_pki_search_t *s);
static void ngx_http_pki_search_serials(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static ngx_int_t ngx_http_pki_search_ask_rows(ngx_http_request_t *r,
    ngx_http_pki_search_t *s, const pki_bytes_t *serials, size_t n);
static void ngx_http_pki_search_rows(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static void ngx_http_pki_search_keyed(ngx_http_request_t *r,
    ngx_http_pki_search_t *s);
static ngx_http_pki_issuer_t *ngx_http_pki_search_issuer(
    ngx_http_pki_search_t *s);


/* in the order of pki_query_format_t, without its first */

static const char  *const ngx_http_pki_search_types[] = {
    "application/json", "text/csv", "application/x-ndjson", NULL
};


ngx_int_t
ngx_http_pki_search(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    ngx_int_t               rc;
    ngx_http_pki_search_t  *s;

    s = ngx_pcalloc(r->pool, sizeof(ngx_http_pki_search_t));
    if (s == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    s->api = a;
    a->data = s;

    rc = ngx_http_pki_search_query(r, s);

    if (rc != NGX_OK || r->header_sent) {
        return rc;
    }

    rc = ngx_http_pki_search_issuers(r, s);

    if (rc != NGX_OK || r->header_sent) {
        return rc;
    }

    if (ngx_http_pki_results_init(r, s) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->header_only && s->format != PKI_QUERY_JSON) {
        return ngx_http_pki_results_head(r, s);
    }

    ngx_http_pki_search_keys(s);

    return s->keyed ? ngx_http_pki_search_key(r, s)
                    : ngx_http_pki_search_scan(r, s);
}


/* what the rows may be found by; the rest of it filters them */

static void
ngx_http_pki_search_keys(ngx_http_pki_search_t *s)
{
    pki_query_t  *q;

    q = &s->query;

    (void) ngx_cpystrn((u_char *) q->filter.thumbprint,
                       (u_char *) q->thumbprint,
                       sizeof(q->filter.thumbprint));

    if (ngx_strchr(q->object, '/')) {
        (void) ngx_cpystrn((u_char *) q->filter.object, (u_char *) q->object,
                           sizeof(q->filter.object));
    }

    if (q->object[0]) {
        s->keys = q->filter.object[0] ? 1 : 2;

    } else if (q->thumbprint[0]) {
        s->keys = 1;

    } else if (q->exact[0] && (!q->after.set || q->after.sorted)) {
        s->text = 1;
        s->keys = 2;
    }

    s->keyed = s->keys != 0;
    s->ordered = s->keyed;
}


/* NGX_OK, and no reply was sent: go on */

static ngx_int_t
ngx_http_pki_search_query(ngx_http_request_t *r, ngx_http_pki_search_t *s)
{
    ngx_int_t    n;
    pki_err_t    err;
    pki_bytes_t  args;
    const char  *message;

    args.data = r->args.data;
    args.len = r->args.len;

    if (pki_query_read(args, &s->query, &err) != PKI_OK) {
        return ngx_http_pki_api_error(r, NGX_HTTP_BAD_REQUEST,
                                      NGX_HTTP_BAD_REQUEST, err.text);
    }

    s->format = s->query.format;

    if (s->format == PKI_QUERY_ANY) {
        n = ngx_http_pki_rows_accept(r, ngx_http_pki_search_types);
        s->format = n < 0 ? PKI_QUERY_JSON : PKI_QUERY_JSON + n;
    }

    message = NULL;

    if (s->format != PKI_QUERY_JSON) {

        if (s->query.after.set || s->query.paged) {
            message = "CSV and NDJSON have no pages: leave out \"pageSize\" "
                      "and \"continuationToken\".";

        } else if (s->query.sort != PKI_QUERY_NEWEST) {
            message = "CSV and NDJSON come newest first: leave out "
                      "\"sort\".";
        }
    }

    return message ? ngx_http_pki_api_error(r, NGX_HTTP_BAD_REQUEST,
                                            NGX_HTTP_BAD_REQUEST, message)
                   : NGX_OK;
}


static ngx_int_t
ngx_http_pki_search_issuers(ngx_http_request_t *r, ngx_http_pki_search_t *s)
{
    ngx_str_t                 name;
    ngx_uint_t                i;
    ngx_http_pki_issuer_t    *issuer;
    ngx_http_pki_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_pki_module);

    name.data = (u_char *) s->query.issuer;
    name.len = ngx_strlen(s->query.issuer);

    s->issuers = ngx_palloc(r->pool,
                            lcf->scope.n * sizeof(ngx_http_pki_issuer_t *));
    if (s->issuers == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (i = 0; i < lcf->scope.n; i++) {
        issuer = lcf->scope.issuers[i];

        if (ngx_http_pki_api_named(r, issuer, name.len ? &name : NULL)) {
            s->issuers[s->nissuers++] = issuer;
        }
    }

    if (s->nissuers == 0) {
        return ngx_http_pki_api_error(r, NGX_HTTP_NOT_FOUND,
                                      NGX_HTTP_NOT_FOUND,
                                      "There is no issuer of that name "
                                      "here.");
    }

    return NGX_OK;
}


/* rows out of the book */

static ngx_int_t
ngx_http_pki_search_scan(ngx_http_request_t *r, ngx_http_pki_search_t *s)
{
    ngx_int_t    rc;
    ngx_uint_t   i;
    const char  *name;

    static ngx_str_t  header = ngx_string("Retry-After");
    static ngx_str_t  value = ngx_string("1");

    s->keyed = 0;
    s->ordered = s->query.sort != PKI_QUERY_NEWEST;

    s->scan.filter = &s->query.filter;
    s->scan.issuers = s->issuers;
    s->scan.nissuers = s->nissuers;
    s->scan.row = ngx_http_pki_search_row;
    s->scan.paged = ngx_http_pki_search_paged;
    s->scan.done = ngx_http_pki_search_scanned;
    s->scan.data = s;

    if (s->query.after.set && !s->query.after.sorted) {

        for (i = 0; i < s->nissuers; i++) {
            name = (char *) s->issuers[i]->name.data;

            if (ngx_strcmp(name, s->query.after.issuer) == 0) {
                break;
            }
        }

        if (i == s->nissuers) {
            return ngx_http_pki_api_error(r, NGX_HTTP_BAD_REQUEST,
                                          NGX_HTTP_BAD_REQUEST,
                                          "\"continuationToken\" is of "
                                          "another search.");
        }

        s->scan.first = i;
        s->scan.page = s->query.after.page;
        s->scan.offset = s->query.after.offset;
    }

    rc = ngx_http_pki_scan(r, &s->scan);

    if (rc == NGX_BUSY) {

        if (ngx_http_pki_header(r, &header, &value) == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_pki_api_error(r, NGX_HTTP_TOO_MANY_REQUESTS,
                                      NGX_HTTP_TOO_MANY_REQUESTS,
                                      "Too many searches are under way.");
    }

    return rc == NGX_OK ? NGX_BUSY : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


void
ngx_http_pki_search_on(ngx_http_request_t *r, ngx_http_pki_search_t *s,
    ngx_int_t rc)
{
    if (!s->keyed) {
        ngx_http_pki_scan_on(&s->scan, rc);
        return;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_pki_search_key(r, s);
    }

    if (rc != NGX_BUSY) {
        ngx_http_pki_results_finish(r, s, rc);
    }
}


static ngx_int_t
ngx_http_pki_search_row(ngx_http_request_t *r, void *data,
    const pki_row_t *row, ngx_http_pki_issuer_t *issuer,
    unsigned long long page, size_t offset)
{
    ngx_http_pki_search_t *s = data;

    pki_query_position_t  place;

    if (s->query.sort != PKI_QUERY_NEWEST) {
        pki_query_place(&s->query, row, (char *) issuer->name.data, &place);

    } else {
        ngx_memzero(&place, sizeof(pki_query_position_t));
        ngx_cpystrn((u_char *) place.issuer, issuer->name.data,
                    sizeof(place.issuer));
        place.set = 1;
        place.page = page;
        place.offset = offset;
    }

    return ngx_http_pki_results_take(r, s, row, issuer, &place);
}


static ngx_int_t
ngx_http_pki_search_paged(ngx_http_request_t *r, void *data,
    ngx_http_pki_issuer_t *issuer)
{
    return ngx_http_pki_results_advance(r, data);
}


static void
ngx_http_pki_search_scanned(ngx_http_request_t *r, void *data, ngx_int_t rc)
{
    ngx_http_pki_search_t *s = data;

    if (rc == NGX_DECLINED) {
        ngx_http_pki_results_failed(r, s, NULL, NULL);
        return;
    }

    if (rc != NGX_OK) {
        ngx_http_pki_results_finish(r, s, rc);
        return;
    }

    s->final = 1;
    ngx_http_pki_results_resume(r, s);
}


/*
 * Rows by key.  An object that is only a GUID may be a device or a user; a
 * text of forty digits may be a serial number or a thumbprint.  NGX_BUSY: it
 * waits.
 */

static ngx_int_t
ngx_http_pki_search_key(ngx_http_request_t *r, ngx_http_pki_search_t *s)
{
    char                    id[sizeof("device/") + PKI_OBJECT_ID_SIZE];
    ngx_uint_t              second;
    pki_redis_t            *redis;
    pki_bytes_t             serial;
    const char             *name, *thumbprint;
    pki_query_t            *q;
    ngx_http_pki_wait_t    *wait;
    ngx_http_pki_issuer_t  *issuer;

    q = &s->query;
    issuer = ngx_http_pki_search_issuer(s);
    second = s->key % s->keys;

    if (s->text && !second) {
        serial.data = (u_char *) q->exact;
        serial.len = ngx_strlen(q->exact);

        return ngx_http_pki_search_ask_rows(r, s, &serial, 1);
    }

    wait = ngx_http_pki_wait_for(r, issuer, ngx_http_pki_search_serials, 0);
    if (wait == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    redis = ngx_http_pki_transport(s->api->mcf, issuer->store);
    name = (char *) issuer->name.data;

    if (q->object[0]) {
        *ngx_snprintf((u_char *) id, sizeof(id) - 1, "%s%s",
                      ngx_strchr(q->object, '/') ? ""
                      : second ? "user/" : "device/", q->object)
            = '\0';

        pki_book_object(redis, name, id, s->next, ngx_http_pki_values, wait);

    } else {
        thumbprint = s->text ? q->exact : q->thumbprint;

        pki_book_thumbprint(redis, name, thumbprint, ngx_http_pki_values,
                            wait);
    }

    return NGX_BUSY;
}


static void
ngx_http_pki_search_serials(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_values_t *v = reply;

    ngx_int_t               rc;
    ngx_http_pki_search_t  *s;

    s = ngx_http_pki_search_of(r);

    if (v == NULL || v->result == PKI_STORE_FAILED) {
        ngx_http_pki_results_failed(r, s, ngx_http_pki_search_issuer(s),
                                    v ? v->error : NULL);
        return;
    }

    s->next = v->next;

    if (v->n == 0) {
        ngx_http_pki_search_keyed(r, s);
        return;
    }

    rc = ngx_http_pki_search_ask_rows(r, s, v->values, v->n);

    if (rc != NGX_BUSY) {
        ngx_http_pki_results_finish(r, s, rc);
    }
}


static ngx_int_t
ngx_http_pki_search_ask_rows(ngx_http_request_t *r, ngx_http_pki_search_t *s,
    const pki_bytes_t *serials, size_t n)
{
    size_t                  i, count;
    pki_serial_t            list[PKI_BOOK_SERIALS];
    ngx_http_pki_wait_t    *wait;
    ngx_http_pki_issuer_t  *issuer;

    issuer = ngx_http_pki_search_issuer(s);

    for (i = 0, count = 0; i < ngx_min(n, PKI_BOOK_SERIALS); i++) {
        if (pki_serial_from_text((char *) serials[i].data, serials[i].len,
                                 &list[count])
            == PKI_OK)
        {
            count++;
        }
    }

    wait = ngx_http_pki_wait_for(r, issuer, ngx_http_pki_search_rows, 0);
    if (wait == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pki_book_rows(ngx_http_pki_transport(s->api->mcf, issuer->store),
                  (char *) issuer->name.data, list, count,
                  ngx_http_pki_values, wait);

    return NGX_BUSY;
}


static void
ngx_http_pki_search_rows(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_values_t *v = reply;

    size_t                  i;
    ngx_int_t               rc;
    pki_row_t               row;
    pki_bytes_t             line;
    ngx_http_pki_issuer_t  *issuer;
    ngx_http_pki_search_t  *s;
    pki_query_position_t    place;

    s = ngx_http_pki_search_of(r);

    if (v == NULL || v->result == PKI_STORE_FAILED) {
        ngx_http_pki_results_failed(r, s, ngx_http_pki_search_issuer(s),
                                    v ? v->error : NULL);
        return;
    }

    issuer = ngx_http_pki_search_issuer(s);

    for (i = 0, rc = NGX_OK; i < v->n && rc == NGX_OK; i++) {
        line = v->values[i];

        if (line.len == 0) {
            continue;
        }

        if (pki_row_next(&line, &row) != PKI_OK) {
            ngx_http_pki_results_failed(r, s, issuer, "a row of the book "
                                        "cannot be read");
            return;
        }

        if (pki_filter_match(&s->query.filter, &row, ngx_time())) {
            s->hit = 1;
            pki_query_place(&s->query, &row, (char *) issuer->name.data,
                            &place);
            rc = ngx_http_pki_results_take(r, s, &row, issuer, &place);
        }
    }

    if (rc != NGX_OK) {
        ngx_http_pki_results_finish(r, s, rc);
        return;
    }

    ngx_http_pki_search_keyed(r, s);
}


/* on to the next serials, the next key, or the end */

static void
ngx_http_pki_search_keyed(ngx_http_request_t *r, ngx_http_pki_search_t *s)
{
    ngx_int_t  rc;

    if (s->next == 0) {
        s->key++;
    }

    if (s->key < s->keys * s->nissuers) {
        ngx_http_pki_results_resume(r, s);
        return;
    }

    /* it may still be a part of something */

    if (s->text && !s->hit) {
        rc = ngx_http_pki_search_scan(r, s);

        if (rc != NGX_BUSY) {
            ngx_http_pki_results_finish(r, s, rc);
        }

        return;
    }

    s->final = 1;
    ngx_http_pki_results_resume(r, s);
}


static ngx_http_pki_issuer_t *
ngx_http_pki_search_issuer(ngx_http_pki_search_t *s)
{
    return s->issuers[s->key / s->keys];
}


ngx_http_pki_search_t *
ngx_http_pki_search_of(ngx_http_request_t *r)
{
    ngx_http_pki_api_t  *a;
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);
    a = ctx->data;

    return a->data;
}

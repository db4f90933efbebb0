
/*
 * A scan: over the pages of some issuers, newest first.
 *
 * One page is looked at while others are on their way, and the worker is
 * given back after each.  Whoever asked may let a scan pause; what arrives
 * then is kept.  A page that does not come, or is not there, ends the scan
 * with a failure: a list that lacks a page is never taken for a whole one.
 */

#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_SCANS       4      /* at once in a worker: each keeps
                                           Redis busy for some 50 us a page,
                                           and OCSP waits in the same line */
#define NGX_HTTP_PKI_SCAN_LINE   32     /* no line of ours is shorter */
#define NGX_HTTP_PKI_SCAN_PAGE   (PKI_ROW_PAGE + PKI_ROW_MAX)
#define NGX_HTTP_PKI_SCAN_LINES                                              \
    (NGX_HTTP_PKI_SCAN_PAGE / NGX_HTTP_PKI_SCAN_LINE)


static void ngx_http_pki_scan_issuer(ngx_http_pki_scan_t *scan);
static void ngx_http_pki_scan_newest(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static ngx_int_t ngx_http_pki_scan_ask(ngx_http_pki_scan_t *scan);
static void ngx_http_pki_scan_page(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static ngx_int_t ngx_http_pki_scan_keep(ngx_http_pki_scan_t *scan,
    pki_bytes_t page);
static ngx_uint_t ngx_http_pki_scan_turn(ngx_http_pki_scan_t *scan,
    ngx_int_t rc);
static void ngx_http_pki_scan_go(ngx_http_pki_scan_t *scan);
static ngx_int_t ngx_http_pki_scan_look(ngx_http_pki_scan_t *scan,
    pki_bytes_t page);
static ngx_uint_t ngx_http_pki_scan_lines(ngx_http_pki_scan_t *scan,
    pki_bytes_t page, size_t end);
static ngx_http_pki_scan_t *ngx_http_pki_scan_of(ngx_http_request_t *r);
static void ngx_http_pki_scan_count(ngx_http_pki_scan_t *scan,
    ngx_uint_t counts);
static void ngx_http_pki_scan_cleanup(void *data);
static void ngx_http_pki_scan_failed(ngx_http_pki_scan_t *scan,
    const char *error);
static void ngx_http_pki_scan_end(ngx_http_pki_scan_t *scan, ngx_int_t rc);


void
ngx_http_pki_values(void *data, pki_store_result_t result,
    const pki_bytes_t *values, size_t n, unsigned long long next,
    const char *error)
{
    ngx_http_pki_values_t  v;

    v.result = result;
    v.values = values;
    v.n = n;
    v.next = next;
    v.error = error;

    ngx_http_pki_wake(data, &v);
}


ngx_http_pki_wait_t *
ngx_http_pki_wait_for(ngx_http_request_t *r, ngx_http_pki_issuer_t *issuer,
    ngx_http_pki_wake_pt handler, ngx_uint_t n)
{
    ngx_http_pki_wait_t  *wait;

    wait = ngx_http_pki_wait(r, handler, n, issuer->store->timeout);

    if (wait) {
        ngx_http_pki_wait_longer(wait, issuer->store->timeout);
    }

    return wait;
}


ngx_int_t
ngx_http_pki_scan(ngx_http_request_t *r, ngx_http_pki_scan_t *scan)
{
    ngx_http_cleanup_t  *cln;
    ngx_http_pki_api_t  *a;
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);
    a = ctx->data;

    if (a->mcf->worker->scans >= NGX_HTTP_PKI_SCANS) {
        return NGX_BUSY;
    }

    scan->lines = ngx_palloc(r->pool,
                             NGX_HTTP_PKI_SCAN_LINES * sizeof(size_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (scan->lines == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_pki_scan_cleanup;
    cln->data = scan;

    scan->request = r;
    scan->mcf = a->mcf;
    scan->current = scan->first;
    a->scan = scan;

    ngx_http_pki_scan_count(scan, 1);

    ngx_http_pki_scan_issuer(scan);

    return NGX_OK;
}


/* begins with the current issuer, or ends */

static void
ngx_http_pki_scan_issuer(ngx_http_pki_scan_t *scan)
{
    ngx_http_pki_wait_t    *wait;
    ngx_http_pki_issuer_t  *issuer;

    if (scan->current == scan->nissuers) {
        ngx_http_pki_scan_end(scan, NGX_OK);
        return;
    }

    issuer = scan->issuers[scan->current];

    wait = ngx_http_pki_wait_for(scan->request, issuer,
                                 ngx_http_pki_scan_newest, 0);
    if (wait == NULL) {
        ngx_http_pki_scan_end(scan, NGX_ERROR);
        return;
    }

    pki_book_newest(ngx_http_pki_transport(scan->mcf, issuer->store),
                    (char *) issuer->name.data, ngx_http_pki_done, wait);
}


static void
ngx_http_pki_scan_newest(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_done_t *done = reply;

    unsigned long long    newest;
    ngx_http_pki_scan_t  *scan;

    scan = ngx_http_pki_scan_of(r);

    if (done == NULL || done->result == PKI_STORE_FAILED) {
        ngx_http_pki_scan_failed(scan, done ? done->error : NULL);
        return;
    }

    newest = done->result == PKI_STORE_DONE && done->n > 0
             ? (unsigned long long) done->n : 0;

    /* the place of a token from a book that is no longer there */

    if (scan->page > newest) {
        scan->page = 0;
    }

    if (scan->page == 0) {
        scan->offset = NGX_HTTP_PKI_SCAN_PAGE;
    }

    scan->look = scan->page ? scan->page : newest;
    scan->ask = scan->look;
    scan->page = 0;

    ngx_http_pki_scan_go(scan);
}


static ngx_int_t
ngx_http_pki_scan_ask(ngx_http_pki_scan_t *scan)
{
    ngx_http_pki_wait_t    *wait;
    ngx_http_pki_issuer_t  *issuer;

    issuer = scan->issuers[scan->current];

    while (scan->ask && scan->pending + scan->nkept < NGX_HTTP_PKI_SCAN_KEPT) {

        wait = ngx_http_pki_wait_for(scan->request, issuer,
                                     ngx_http_pki_scan_page, 0);
        if (wait == NULL) {
            return NGX_ERROR;
        }

        pki_book_page(ngx_http_pki_transport(scan->mcf, issuer->store),
                      (char *) issuer->name.data, scan->ask,
                      ngx_http_pki_values, wait);

        scan->ask--;
        scan->pending++;
    }

    return NGX_OK;
}


static void
ngx_http_pki_scan_page(ngx_http_request_t *r, ngx_uint_t n, const void *reply)
{
    const ngx_http_pki_values_t *v = reply;

    ngx_int_t             rc;
    ngx_http_pki_scan_t  *scan;

    scan = ngx_http_pki_scan_of(r);

    if (scan->ended) {
        return;
    }

    if (v == NULL || v->result == PKI_STORE_FAILED) {
        ngx_http_pki_scan_failed(scan, v ? v->error : NULL);
        return;
    }

    if (v->result != PKI_STORE_DONE || v->n != 1 || v->values[0].len == 0
        || v->values[0].len > NGX_HTTP_PKI_SCAN_PAGE)
    {
        ngx_http_pki_scan_failed(scan, "a page of the book is not there");
        return;
    }

    scan->pending--;

    if (scan->paused) {
        rc = ngx_http_pki_scan_keep(scan, v->values[0]);

        if (rc != NGX_OK) {
            ngx_http_pki_scan_end(scan, rc);
        }

        return;
    }

    rc = ngx_http_pki_scan_ask(scan);

    if (rc == NGX_OK) {
        rc = ngx_http_pki_scan_look(scan, v->values[0]);
    }

    if (ngx_http_pki_scan_turn(scan, rc)) {
        ngx_http_pki_scan_go(scan);
    }
}


static ngx_int_t
ngx_http_pki_scan_keep(ngx_http_pki_scan_t *scan, pki_bytes_t page)
{
    u_char  *p;

    p = scan->kept[scan->nkept].data;

    if (p == NULL) {
        p = ngx_palloc(scan->request->pool, NGX_HTTP_PKI_SCAN_PAGE);
        if (p == NULL) {
            return NGX_ERROR;
        }

        scan->kept[scan->nkept].data = p;
    }

    ngx_memcpy(p, page.data, page.len);
    scan->kept[scan->nkept].len = page.len;
    scan->nkept++;

    return NGX_OK;
}


void
ngx_http_pki_scan_on(ngx_http_pki_scan_t *scan, ngx_int_t rc)
{
    scan->paused = 0;
    ngx_http_pki_scan_count(scan, 1);

    if (rc != NGX_OK) {
        ngx_http_pki_scan_end(scan, rc == NGX_DONE ? NGX_OK : rc);
        return;
    }

    ngx_http_pki_scan_go(scan);
}


/* what follows when a page was looked at; is there anything to go on with? */

static ngx_uint_t
ngx_http_pki_scan_turn(ngx_http_pki_scan_t *scan, ngx_int_t rc)
{
    scan->look--;
    scan->offset = NGX_HTTP_PKI_SCAN_PAGE;

    switch (rc) {

    case NGX_OK:
        return 1;

    case NGX_AGAIN:
        scan->paused = 1;
        ngx_http_pki_scan_count(scan, 0);
        return 0;

    case NGX_DONE:
        ngx_http_pki_scan_end(scan, NGX_OK);
        return 0;

    default:
        ngx_http_pki_scan_end(scan, rc);
        return 0;
    }
}


static void
ngx_http_pki_scan_go(ngx_http_pki_scan_t *scan)
{
    ngx_int_t         rc;
    ngx_str_t         first;

    for ( ;; ) {

        if (scan->look == 0) {
            scan->current++;
            ngx_http_pki_scan_issuer(scan);
            return;
        }

        rc = ngx_http_pki_scan_ask(scan);

        if (rc != NGX_OK) {
            ngx_http_pki_scan_end(scan, rc);
            return;
        }

        if (scan->nkept == 0) {
            return;
        }

        first = scan->kept[0];
        scan->kept[0] = scan->kept[1];
        scan->kept[1] = first;
        scan->nkept--;

        rc = ngx_http_pki_scan_look(scan, (pki_bytes_t) { first.data,
                                                          first.len });

        if (!ngx_http_pki_scan_turn(scan, rc)) {
            return;
        }
    }
}


/* the lines of a page, the last one first */

static ngx_int_t
ngx_http_pki_scan_look(ngx_http_pki_scan_t *scan, pki_bytes_t page)
{
    time_t                  now;
    pki_row_t               row;
    ngx_int_t               rc;
    ngx_uint_t              n;
    pki_bytes_t             line;
    ngx_http_pki_issuer_t  *issuer;

    issuer = scan->issuers[scan->current];
    now = ngx_time();

    n = ngx_http_pki_scan_lines(scan, page, ngx_min(scan->offset, page.len));

    while (n--) {
        line.data = page.data + scan->lines[n];
        line.len = page.len - scan->lines[n];

        if (pki_row_next(&line, &row) != PKI_OK) {
            scan->unreadable = 1;
            ngx_log_error(NGX_LOG_ERR, scan->request->connection->log, 0,
                          "pki issuer \"%V\": a line of page %uL of the book "
                          "cannot be read", &issuer->name,
                          (uint64_t) scan->look);
            continue;
        }

        if (!pki_filter_match(scan->filter, &row, now)) {
            continue;
        }

        rc = scan->row(scan->request, scan->data, &row, issuer, scan->look,
                       scan->lines[n]);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return scan->paged ? scan->paged(scan->request, scan->data, issuer)
                       : NGX_OK;
}


/* where the lines with the filter's text begin, before `end` */

static ngx_uint_t
ngx_http_pki_scan_lines(ngx_http_pki_scan_t *scan, pki_bytes_t page,
    size_t end)
{
    size_t         at;
    ngx_uint_t     n;
    const u_char  *p;

    n = 0;
    at = 0;

    while (n < NGX_HTTP_PKI_SCAN_LINES) {

        at = pki_filter_find(scan->filter, page, at);

        if (at >= end) {
            break;
        }

        scan->lines[n++] = at;

        p = memchr(page.data + at, '\n', page.len - at);

        if (p == NULL) {
            break;
        }

        at = p + 1 - page.data;
    }

    return n;
}


static ngx_http_pki_scan_t *
ngx_http_pki_scan_of(ngx_http_request_t *r)
{
    ngx_http_pki_api_t  *a;
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);
    a = ctx->data;

    return a->scan;
}


/* one that waits for its client does not count */

static void
ngx_http_pki_scan_count(ngx_http_pki_scan_t *scan, ngx_uint_t counts)
{
    if (scan->counts != counts) {
        scan->counts = counts;

        if (scan->mcf->worker) {
            scan->mcf->worker->scans += counts ? 1 : -1;
        }
    }
}


static void
ngx_http_pki_scan_cleanup(void *data)
{
    ngx_http_pki_scan_t *scan = data;

    scan->ended = 1;
    ngx_http_pki_scan_count(scan, 0);
}


/* NULL: the deadline has passed, which the link has logged */

static void
ngx_http_pki_scan_failed(ngx_http_pki_scan_t *scan, const char *error)
{
    if (error) {
        ngx_http_pki_store_failed(scan->mcf,
                                  scan->issuers[scan->current]->store, error,
                                  scan->request->connection->log);
    }

    ngx_http_pki_scan_end(scan, NGX_DECLINED);
}


static void
ngx_http_pki_scan_end(ngx_http_pki_scan_t *scan, ngx_int_t rc)
{
    if (scan->ended) {
        return;
    }

    scan->ended = 1;
    ngx_http_pki_scan_count(scan, 0);

    scan->done(scan->request, scan->data, rc);
}


/*
 * What the http floor has about certificates on record: search, detail,
 * import, bulk.
 *
 * The end of ngx_http_pki_module.h, which alone includes it.
 */

#ifndef _NGX_HTTP_PKI_CERTIFICATES_H_INCLUDED_
#define _NGX_HTTP_PKI_CERTIFICATES_H_INCLUDED_


#include "pki_query.h"
#include "pki_survey.h"


/* ngx_http_pki_stream.c: a reply that is written bit by bit */

/*
 * Belongs to the request's pool; a request has one.  Memory is bounded when
 * nobody begins something new while the client is behind.
 */

typedef struct ngx_http_pki_stream_s  ngx_http_pki_stream_t;

/* The client has taken everything: write on.  Not called from a flush. */
typedef void (*ngx_http_pki_stream_pt)(ngx_http_request_t *r, void *data);

/*
 * Sends the header, 200 of this type; headers that are set go along.  It
 * counts as an answered call.  NULL: it failed, finalize with NGX_ERROR; or,
 * with r->header_only, finalize with NGX_OK when it is not NULL.
 */
ngx_http_pki_stream_t *ngx_http_pki_stream_open(ngx_http_request_t *r,
    ngx_str_t *type, ngx_http_pki_stream_pt ready, void *data);

/* Keeps a copy until it is flushed.  NGX_ERROR: no memory. */
ngx_int_t ngx_http_pki_stream_write(ngx_http_pki_stream_t *stream,
    const void *text, size_t len);

/*
 * Sends what was written.  NGX_OK: go on; NGX_AGAIN: the client is behind,
 * ready() will be called; NGX_ERROR: finalize with it, which ends the
 * connection without the end of the reply.
 */
ngx_int_t ngx_http_pki_stream_flush(ngx_http_pki_stream_t *stream);

/* Sends what was written and the end.  Returns what to finalize with. */
ngx_int_t ngx_http_pki_stream_end(ngx_http_pki_stream_t *stream);

/* Its r->write_event_handler, which ngx_http_pki_wait() leaves alone. */
void ngx_http_pki_stream_writer(ngx_http_request_t *r);


/* ngx_http_pki_scan.c: over the pages of issuers, newest first */

/* a pki_book_values_pt for a cell: wakes with an ngx_http_pki_values_t */

typedef struct {
    pki_store_result_t        result;
    const pki_bytes_t        *values;       /* gone when the handler returns */
    size_t                    n;
    unsigned long long        next;
    const char               *error;
} ngx_http_pki_values_t;

void ngx_http_pki_values(void *data, pki_store_result_t result,
    const pki_bytes_t *values, size_t n, unsigned long long next,
    const char *error);

/* A cell for one verb about the issuer, with the deadline of its store. */
ngx_http_pki_wait_t *ngx_http_pki_wait_for(ngx_http_request_t *r,
    ngx_http_pki_issuer_t *issuer, ngx_http_pki_wake_pt handler,
    ngx_uint_t n);


#define NGX_HTTP_PKI_SCAN_KEPT  2   /* pages asked for while one is looked at */

typedef struct ngx_http_pki_scan_s  ngx_http_pki_scan_t;

/* Rows that pass the filter come newest first, page by page. */

struct ngx_http_pki_scan_s {
    const pki_filter_t        *filter;
    ngx_http_pki_issuer_t    **issuers;     /* in this order */
    ngx_uint_t                 nissuers;
    ngx_uint_t                 first;       /* where to begin: of issuers */
    unsigned long long         page;        /* 0: with the newest */
    size_t                     offset;      /* lines before it; with a page */

                            /* a row, which is gone when it returns; NGX_OK:
                               go on; NGX_DONE: enough; else an error */
    ngx_int_t                (*row)(ngx_http_request_t *r, void *data,
                                    const pki_row_t *row,
                                    ngx_http_pki_issuer_t *issuer,
                                    unsigned long long page, size_t offset);
                            /* after a page, may be NULL; NGX_OK: go on;
                               NGX_AGAIN: ngx_http_pki_scan_on() will be
                               called; NGX_DONE: enough; else an error */
    ngx_int_t                (*paged)(ngx_http_request_t *r, void *data,
                                      ngx_http_pki_issuer_t *issuer);
                            /* once; NGX_OK: all was seen, or it was enough;
                               NGX_DECLINED: the store failed, logged; else
                               the error of row() or paged(), or NGX_ERROR */
    void                     (*done)(ngx_http_request_t *r, void *data,
                                     ngx_int_t rc);
    void                      *data;

    /* the scan's own, zeroed */
    ngx_http_request_t        *request;
    ngx_http_pki_main_conf_t  *mcf;
    ngx_uint_t                 current;     /* of issuers */
    unsigned long long         ask;         /* page to ask for next */
    unsigned long long         look;        /* page to look at next */
    ngx_uint_t                 pending;     /* pages on their way */
    ngx_str_t                  kept[NGX_HTTP_PKI_SCAN_KEPT];
    ngx_uint_t                 nkept;       /* that came during a pause */
    size_t                    *lines;
    ngx_uint_t                 counts;
    unsigned                   paused:1;
    unsigned                   unreadable:1;    /* a line was passed over */
    unsigned                   ended:1;
};

/*
 * Begins; the scan must live as long as the request, which has one.  NGX_OK:
 * done() will be called; NGX_BUSY: too many scans in this worker, nothing
 * has begun; NGX_ERROR: memory.
 */
ngx_int_t ngx_http_pki_scan(ngx_http_request_t *r, ngx_http_pki_scan_t *scan);

/* Goes on after NGX_AGAIN, with what paged() would have returned. */
void ngx_http_pki_scan_on(ngx_http_pki_scan_t *scan, ngx_int_t rc);


/* ngx_http_pki_rows.c: rows as JSON, NDJSON and CSV */

/* a row that a search keeps; on the heap, freed by its search */

typedef struct {
    pki_row_t                  row;         /* of the line that follows */
    ngx_http_pki_issuer_t     *issuer;
    pki_query_position_t       place;       /* in the book, or in an order */
    pki_revocation_t           revocation;  /* reason PKI_REASON_NONE: none */
    pki_outcome_t              outcome;
    unsigned                   surveyed:1;  /* outcome and revocation are set */
    unsigned                   told:1;      /* revocation is set */
} ngx_http_pki_item_t;

/* An object with these fields (1 << pki_query_field_t). */
void ngx_http_pki_rows_json(pki_json_writer_t *w,
    const ngx_http_pki_item_t *item, ngx_uint_t fields);

/* A line of NDJSON, or of CSV (RFC 4180); and the first line of CSV. */
ngx_int_t ngx_http_pki_rows_ndjson(ngx_http_pki_stream_t *stream,
    const ngx_http_pki_item_t *item, ngx_uint_t fields);
ngx_int_t ngx_http_pki_rows_csv(ngx_http_pki_stream_t *stream,
    const ngx_http_pki_item_t *item, ngx_uint_t fields);
ngx_int_t ngx_http_pki_rows_csv_head(ngx_http_pki_stream_t *stream,
    ngx_uint_t fields);

/*
 * The number of the type in types, which NULL ends, that the client's Accept
 * names first; -1: none of them.
 */
ngx_int_t ngx_http_pki_rows_accept(ngx_http_request_t *r,
    const char *const *types);


/* ngx_http_pki_search.c: GET manage/search */

ngx_int_t ngx_http_pki_search(ngx_http_request_t *r, ngx_http_pki_api_t *a);


/* ngx_http_pki_inspect.c: GET manage/certificates/{serial}, and history */

ngx_int_t ngx_http_pki_inspect(ngx_http_request_t *r, ngx_http_pki_api_t *a);
ngx_int_t ngx_http_pki_inspect_history(ngx_http_request_t *r,
    ngx_http_pki_api_t *a);


/* ngx_http_pki_manage.c: what a body says about a revocation */

#define NGX_HTTP_PKI_DATE_MAX  64       /* octets of a time, with a long
                                           fraction */

/*
 * Takes "revocationReason", "revoker", "comment" and "invalidityDate", the
 * first four fields, into a->revocation and a->why, or has answered.
 */
ngx_int_t ngx_http_pki_manage_take(ngx_http_request_t *r,
    ngx_http_pki_api_t *a, pki_json_field_t *fields);


/* ngx_http_pki_lines.c: a reply of many results, a line for each */

/* Lives as long as the request, which has one; zeroed by its owner. */

typedef struct {
    ngx_http_request_t       *request;
    ngx_http_pki_stream_t    *stream;       /* NULL: nothing is written yet */
    ngx_http_pki_stream_pt    handler;
    void                     *data;
    ngx_event_t               event;
    unsigned                  behind:1;     /* the client is */
    unsigned                  ended:1;
} ngx_http_pki_lines_t;

/* Calls turn() in the next turn of the event loop.  NGX_ERROR: memory. */
ngx_int_t ngx_http_pki_lines_begin(ngx_http_request_t *r,
    ngx_http_pki_lines_t *lines, ngx_http_pki_stream_pt turn, void *data);

/* Does so again: in the next one, or when the client has caught up. */
void ngx_http_pki_lines_post(ngx_http_pki_lines_t *lines);

/* Writes the text of a writer, which ends here, as a line. */
ngx_int_t ngx_http_pki_lines_add(ngx_http_pki_lines_t *lines,
    pki_json_writer_t *w);

/* NGX_AGAIN: the client is behind. */
ngx_int_t ngx_http_pki_lines_flush(ngx_http_pki_lines_t *lines);

/* The last line.  Returns what to finalize with. */
ngx_int_t ngx_http_pki_lines_end(ngx_http_pki_lines_t *lines,
    pki_json_writer_t *w);


/* ngx_http_pki_import.c: POST manage/certificates */

ngx_int_t ngx_http_pki_import(ngx_http_request_t *r, ngx_http_pki_api_t *a);


/* ngx_http_pki_bulk.c: POST manage/revoke */

#define NGX_HTTP_PKI_BULK_MAX  PKI_JSON_LONG_MAX    /* octets of a body */

ngx_int_t ngx_http_pki_bulk(ngx_http_request_t *r, ngx_http_pki_api_t *a);


/* ngx_http_pki_openapi.c: GET openapi.json */

ngx_int_t ngx_http_pki_openapi(ngx_http_request_t *r, ngx_http_pki_api_t *a);


#endif /* _NGX_HTTP_PKI_CERTIFICATES_H_INCLUDED_ */

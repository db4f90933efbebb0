
/*
 * A search under way: what its sources of rows (ngx_http_pki_search.c) and
 * what becomes of the rows (ngx_http_pki_results.c) share.
 */

#ifndef _NGX_HTTP_PKI_SEARCH_H_INCLUDED_
#define _NGX_HTTP_PKI_SEARCH_H_INCLUDED_


#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_SEARCH_BATCH  PKI_SURVEY_MAX   /* as many serials as
                                                       PKI_BOOK_SERIALS */


typedef struct {
    ngx_http_pki_api_t       *api;
    pki_query_t               query;
    ngx_uint_t                fields;
    pki_query_format_t        format;
    ngx_http_pki_issuer_t   **issuers;
    ngx_uint_t                nissuers;

    ngx_uint_t                keys;         /* that rows may have, an issuer */
    ngx_uint_t                key;          /* the next one, of all issuers */
    unsigned long long        next;         /* of the serials under it */
    ngx_http_pki_scan_t       scan;

    ngx_array_t               waiting;      /* ngx_http_pki_item_t *, for the
                                               survey */
    ngx_array_t               items;        /* those of the reply */
    ngx_http_pki_item_t      *batch[NGX_HTTP_PKI_SEARCH_BATCH];
    ngx_uint_t                nbatch;       /* asked about now */
    ngx_http_pki_stream_t    *stream;       /* once it is open */

    unsigned                  keyed:1;      /* rows come by key, not by scan */
    unsigned                  text:1;       /* the text is tried as a key */
    unsigned                  hit:1;        /* and is one */
    unsigned                  ordered:1;    /* a page is the first of all rows
                                               in an order, not the first
                                               that come */
    unsigned                  sifting:1;    /* the batch is of waiting */
    unsigned                  final:1;      /* no more rows will come */
    unsigned                  more:1;       /* than the page has room for */
} ngx_http_pki_search_t;


/* The search of this request. */
ngx_http_pki_search_t *ngx_http_pki_search_of(ngx_http_request_t *r);

/* More rows, after an advance that was NGX_AGAIN, with its result. */
void ngx_http_pki_search_on(ngx_http_request_t *r, ngx_http_pki_search_t *s,
    ngx_int_t rc);


ngx_int_t ngx_http_pki_results_init(ngx_http_request_t *r,
    ngx_http_pki_search_t *s);

/* The header of a stream alone.  Returns what to finalize with. */
ngx_int_t ngx_http_pki_results_head(ngx_http_request_t *r,
    ngx_http_pki_search_t *s);

/* A row that passes the filter.  NGX_DONE: the page is full. */
ngx_int_t ngx_http_pki_results_take(ngx_http_request_t *r,
    ngx_http_pki_search_t *s, const pki_row_t *row,
    ngx_http_pki_issuer_t *issuer, const pki_query_position_t *place);

/*
 * Surveys, completes and writes what can be.  NGX_OK: go on; NGX_DONE: the
 * page is full; NGX_AGAIN: ngx_http_pki_results_resume() will be called.
 */
ngx_int_t ngx_http_pki_results_advance(ngx_http_request_t *r,
    ngx_http_pki_search_t *s);

/* Advances, then goes on with more rows or, when it is final, replies. */
void ngx_http_pki_results_resume(ngx_http_request_t *r,
    ngx_http_pki_search_t *s);

/* Ends the request; a reply that was begun is cut unless rc is NGX_OK. */
void ngx_http_pki_results_finish(ngx_http_request_t *r,
    ngx_http_pki_search_t *s, ngx_int_t rc);

/* The issuer's store failed; error NULL: that was logged. */
void ngx_http_pki_results_failed(ngx_http_request_t *r,
    ngx_http_pki_search_t *s, ngx_http_pki_issuer_t *issuer,
    const char *error);


#endif /* _NGX_HTTP_PKI_SEARCH_H_INCLUDED_ */

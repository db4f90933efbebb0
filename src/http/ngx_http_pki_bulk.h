
/*
 * What the files of bulk revocation share: one reads the body, one selects
 * certificates, a batch at a time, one changes them and tells of each.
 */

#ifndef _NGX_HTTP_PKI_BULK_H_INCLUDED_
#define _NGX_HTTP_PKI_BULK_H_INCLUDED_


#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_BULK_SERIALS  10000    /* of a list: 280 KB of memory */
#define NGX_HTTP_PKI_BULK_IDS      16       /* that a user may have */


typedef enum {
    NGX_HTTP_PKI_BULK_REVOKED = 0,
    NGX_HTTP_PKI_BULK_RELEASED,
    NGX_HTTP_PKI_BULK_SAME,
    NGX_HTTP_PKI_BULK_CONFLICT,
    NGX_HTTP_PKI_BULK_NOT_FOUND,
    NGX_HTTP_PKI_BULK_SKIPPED,
    NGX_HTTP_PKI_BULK_WOULD_REVOKE,
    NGX_HTTP_PKI_BULK_WOULD_RELEASE,
    NGX_HTTP_PKI_BULK_FAILED,
    NGX_HTTP_PKI_BULK_N
} ngx_http_pki_bulk_e;


typedef enum {
    NGX_HTTP_PKI_SELECT_SERIALS = 0,
    NGX_HTTP_PKI_SELECT_OBJECT,
    NGX_HTTP_PKI_SELECT_USER,
    NGX_HTTP_PKI_SELECT_ISSUED
} ngx_http_pki_select_e;


typedef struct {
    ngx_http_pki_issuer_t     *issuer;      /* NULL: nobody's */
    pki_serial_t               serial;
    pki_reason_t               present;     /* by hand, when it was selected */
} ngx_http_pki_target_t;


/* what the store told about a serial number under one issuer */

typedef struct {
    pki_reason_t               present;
    unsigned                   recorded:1;
    unsigned                   outside:1;   /* of the times asked for */
} ngx_http_pki_seen_t;


/* a selection; the fields in this order are set by who wants it */

typedef struct {
    ngx_http_pki_select_e      by;
    ngx_http_pki_issuer_t    **issuers;
    ngx_uint_t                 nissuers;
    pki_filter_t               filter;      /* times */
    ngx_uint_t                 narrow;      /* filter is set */
    pki_serial_t              *serials;
    ngx_uint_t                 nserials;
    char                      *upn;         /* NULL: ids are all there is */
    char                       ids[NGX_HTTP_PKI_BULK_IDS][PKI_OBJECT_ID_SIZE];
    ngx_uint_t                 nids;

    ngx_array_t                targets;     /* ngx_http_pki_target_t: found,
                                               and taken away by that one */
    ngx_uint_t                 next;        /* of serials: to be looked at */
    ngx_uint_t                 issuer;      /* where an object's list goes */
    ngx_uint_t                 id;          /* on */
    unsigned long long         from;
    pki_serial_t               batch[PKI_BOOK_SERIALS];
    ngx_uint_t                 nbatch;
    ngx_uint_t                 looked;      /* of issuers: the one asked */
    ngx_http_pki_seen_t       *seen;
    ngx_uint_t                 pending;     /* replies */
    ngx_http_pki_scan_t        scan;
    unsigned                   scanning:1;
    unsigned                   resolved:1;
    unsigned                   busy:1;      /* more is under way */
    unsigned                   whole:1;     /* there is no more */
    unsigned                   failed:1;    /* there may be more */
    unsigned                   crowded:1;   /* too many scans */
    unsigned                   error:1;     /* memory */
} ngx_http_pki_selection_t;


typedef struct {
    ngx_http_pki_lines_t       lines;
    ngx_http_pki_api_t        *api;         /* with the revocation */
    char                       from[NGX_SOCKADDR_STRLEN + 1];
    ngx_http_pki_selection_t   selection;
    ngx_uint_t                 taken;       /* of its targets */
    ngx_uint_t                 flight;
    ngx_uint_t                 counts[NGX_HTTP_PKI_BULK_N];
    ngx_array_t                failures;    /* ngx_http_pki_target_t: not told
                                               while nothing else was */
    unsigned                   dry:1;
    unsigned                   release:1;
    unsigned                   broken:1;    /* the store; nothing new begins */
} ngx_http_pki_bulk_t;


/* Reads the body into a->revocation and the selection, or has answered. */
ngx_int_t ngx_http_pki_bulk_read(ngx_http_request_t *r,
    ngx_http_pki_api_t *a);

/*
 * Goes for more targets: they are there, or s->busy is set and a turn of the
 * lines follows, or s->whole is.  NGX_ERROR: memory.
 */
ngx_int_t ngx_http_pki_select(ngx_http_request_t *r,
    ngx_http_pki_bulk_t *bulk);

/* Tells of one.  reason: that holds now.  NGX_ERROR: memory. */
ngx_int_t ngx_http_pki_bulk_tell(ngx_http_pki_bulk_t *bulk,
    const ngx_http_pki_target_t *target, ngx_http_pki_bulk_e result,
    pki_reason_t reason, const char *message);

/* Nobody has answered in time, not even the link to the store. */
void ngx_http_pki_bulk_late(ngx_http_request_t *r, ngx_http_pki_bulk_t *bulk);


#endif /* _NGX_HTTP_PKI_BULK_H_INCLUDED_ */

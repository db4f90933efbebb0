
/*
 * What the http floor has about REST calls.
 *
 * The end of ngx_http_pki_module.h, which alone includes it.
 */

#ifndef _NGX_HTTP_PKI_API_H_INCLUDED_
#define _NGX_HTTP_PKI_API_H_INCLUDED_


/* ngx_http_pki_api.c: from a path to the call that serves it, and back */

/* two strings of PKI_STORE_WHO_MAX as "\uXXXX", pretty-printed */

#define NGX_HTTP_PKI_BODY_MAX        (16 * 1024)

/* SCEPman's codes; errors that it does not number have HTTP's */

#define NGX_HTTP_PKI_CODE_NOT_FOUND  7012
#define NGX_HTTP_PKI_CODE_REVOKED    5013


typedef struct ngx_http_pki_api_s  ngx_http_pki_api_t;

typedef struct {
    ngx_str_t                  path;        /* without a '/' at its end: that
                                               one may be there, and nothing
                                               else */
    ngx_str_t                  suffix;      /* what the path ends in, behind
                                               the serial number */
    ngx_uint_t                 method;
    ngx_uint_t                 roles;       /* one of them is needed; 0:
                                               anybody may */
    size_t                     max;         /* octets of a body; 0: see
                                               client_max_body_size */
                            /* the whole call; NGX_BUSY: it waits.  NULL: it
                               is about a certificate, see below */
    ngx_int_t                (*call)(ngx_http_request_t *r,
                                     ngx_http_pki_api_t *a);
                            /* before the store is asked; may answer */
    ngx_int_t                (*prepare)(ngx_http_request_t *r,
                                        ngx_http_pki_api_t *a);
                            /* with a->chosen; NGX_BUSY: it waits */
    ngx_int_t                (*handler)(ngx_http_request_t *r,
                                        ngx_http_pki_api_t *a);
} ngx_http_pki_route_t;


/* what the store told about the serial under one issuer */

typedef struct {
    ngx_http_pki_issuer_t     *issuer;
    pki_question_t             question;
    pki_facts_t                facts;
    pki_revocation_t           revocation;
    pki_record_t               record;
} ngx_http_pki_candidate_t;


struct ngx_http_pki_api_s {
    ngx_http_pki_main_conf_t  *mcf;
    ngx_http_pki_route_t      *route;
    ngx_str_t                  rest;        /* of the path, without the
                                               route's suffix */
    void                      *data;        /* of the call */
    struct ngx_http_pki_scan_s  *scan;      /* under way */
    pki_serial_t               serial;
    ngx_http_pki_candidate_t  *candidates;
    ngx_uint_t                 ncandidates;
    ngx_uint_t                 pending;
    ngx_http_pki_candidate_t  *chosen;
    pki_revocation_t           revocation;  /* asked for */
    char                       why[PKI_STORE_WHO_MAX + 1];
};


/* The roles one of which this request needs; 0: none.  For what is no call
   it is NGX_HTTP_PKI_ROLE_READ. */
ngx_uint_t ngx_http_pki_api_roles(ngx_http_request_t *r);

/* May the caller of this request do something with this issuer? */
ngx_uint_t ngx_http_pki_api_may(ngx_http_request_t *r,
    ngx_http_pki_issuer_t *issuer);

/* And is it the one of this name, if there is one? */
ngx_uint_t ngx_http_pki_api_named(ngx_http_request_t *r,
    ngx_http_pki_issuer_t *issuer, ngx_str_t *name);

/* what SCEPman writes between a revoker that the body names and the caller */

#define NGX_HTTP_PKI_THROUGH  " through API user "
#define NGX_HTTP_PKI_REVOKER_MAX                                              \
    (PKI_STORE_WHO_MAX - PKI_NAME_MAX - sizeof(NGX_HTTP_PKI_THROUGH))

/* Who the records name: the caller, or the address that "satisfy any" let
   in; with a revoker, "<revoker> through API user ...".  Terminated, in
   who[PKI_STORE_WHO_MAX + 1]. */
void ngx_http_pki_api_who(ngx_http_request_t *r, char *who,
    const char *revoker);

/*
 * Reads the body into fields, lets take() look at them, and frees them.
 * NGX_OK, and no reply was sent: go on; else what to finalize with.
 */
typedef ngx_int_t (*ngx_http_pki_api_take_pt)(ngx_http_request_t *r,
    ngx_http_pki_api_t *a, pki_json_field_t *fields);

ngx_int_t ngx_http_pki_api_read(ngx_http_request_t *r, ngx_http_pki_api_t *a,
    pki_json_field_t *fields, ngx_uint_t n, ngx_http_pki_api_take_pt take);

/* Replies, counted; each returns what to finalize with. */
ngx_int_t ngx_http_pki_api_send(ngx_http_request_t *r, ngx_uint_t status,
    pki_json_writer_t *w);
ngx_int_t ngx_http_pki_api_error(ngx_http_request_t *r, ngx_uint_t status,
    ngx_int_t code, const char *message);
ngx_int_t ngx_http_pki_api_unavailable(ngx_http_request_t *r,
    const char *message);


/* ngx_http_pki_manage.c: revoke, hold, release */

ngx_int_t ngx_http_pki_manage_read(ngx_http_request_t *r,
    ngx_http_pki_api_t *a);
ngx_int_t ngx_http_pki_manage_revoke(ngx_http_request_t *r,
    ngx_http_pki_api_t *a);
ngx_int_t ngx_http_pki_manage_release(ngx_http_request_t *r,
    ngx_http_pki_api_t *a);


#include "ngx_http_pki_clerk.h"


#endif /* _NGX_HTTP_PKI_API_H_INCLUDED_ */


/*
 * What the two files of the import share: one takes the body apart and
 * brings certificates to the store, the other reads one.
 */

#ifndef _NGX_HTTP_PKI_IMPORT_H_INCLUDED_
#define _NGX_HTTP_PKI_IMPORT_H_INCLUDED_


#include "ngx_http_pki_module.h"

#include "pki_bundle.h"


typedef enum {
    NGX_HTTP_PKI_IMPORT_IMPORTED = 0,
    NGX_HTTP_PKI_IMPORT_SAME,
    NGX_HTTP_PKI_IMPORT_CONFLICT,
    NGX_HTTP_PKI_IMPORT_REFUSED,
    NGX_HTTP_PKI_IMPORT_FAILED,
    NGX_HTTP_PKI_IMPORT_N
} ngx_http_pki_import_e;


/* what became of one of them */

typedef struct {
    ngx_http_pki_import_e      result;
    unsigned long long         line;
    ngx_http_pki_issuer_t     *issuer;      /* NULL: nobody's */
    pki_serial_t               serial;
    pki_err_t                  message;     /* "": nothing to say */
} ngx_http_pki_imported_t;


/* what a line says, and what was made of it */

typedef struct {
    ngx_uint_t                 source;
    char                       who[PKI_STORE_WHO_MAX + 1];
    pki_revocation_t           revocation;  /* PKI_REASON_NONE: none */
    pki_bytes_t                der;
    char                      *decoded;     /* der, when it is its own */
    X509                      *cert;
    pki_cert_text_t            text;
} ngx_http_pki_import_cert_t;


/* The source of this name or number; NGX_DECLINED: there is none. */
ngx_int_t ngx_http_pki_import_source(u_char *name, size_t len,
    ngx_uint_t *source);

/*
 * Reads an item into cert, whose source and who are set to what holds where
 * the item does not say, and into imported, whose serial, issuer and, when it
 * fails, message it sets.  issuer NULL: of any in scope.  PKI_INVALID or
 * PKI_NOT_FOUND: it is refused.  The item must stay as long as cert, which is
 * to be freed in any case.
 */
pki_rc_t ngx_http_pki_import_cert(ngx_http_request_t *r,
    const pki_bundle_item_t *item, ngx_str_t *issuer,
    ngx_http_pki_import_cert_t *cert, ngx_http_pki_imported_t *imported);
void ngx_http_pki_import_cert_free(ngx_http_pki_import_cert_t *cert);


#endif /* _NGX_HTTP_PKI_IMPORT_H_INCLUDED_ */

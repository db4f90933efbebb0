
/*
 * What the http floor has about CRLs: keeping them, serving them, and the
 * CA's certificate.
 *
 * The end of ngx_http_pki_module.h, which alone includes it.
 */

#ifndef _NGX_HTTP_PKI_CRL_H_INCLUDED_
#define _NGX_HTTP_PKI_CRL_H_INCLUDED_


/* ngx_http_pki_crl.c: the locations */

struct ngx_http_pki_crl_conf_s {
    ngx_str_t                 token;        /* empty: none is needed */
};


char *ngx_http_pki_crl_token_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
void ngx_http_pki_crl_merge(ngx_http_pki_loc_conf_t *prev,
    ngx_http_pki_loc_conf_t *conf);

/* in ngx_http_pki_conf.c */
char *ngx_http_pki_crl(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_ca(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

ngx_int_t ngx_http_pki_crl_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_pki_ca_handler(ngx_http_request_t *r);


/* ngx_http_pki_list.c: the lists that a worker keeps */

typedef struct ngx_http_pki_list_slot_s  ngx_http_pki_list_slot_t;

/* as long as somebody holds it; does not change, but for its PEM */

typedef struct {
    pki_list_info_t           info;
    ngx_uint_t                holders;
    u_char                   *der;          /* info.len octets */
    ngx_str_t                 pem;          /* len 0: nobody has asked for it,
                                               or it is being written */
    u_char                   *line;         /* of der: the next one of it */
    u_char                   *last;         /* of it, so far */
} ngx_http_pki_list_t;


/*
 * Sees to it that the newest list is kept, and with `pem` has that form.
 * NGX_OK: it is, or there is none; NGX_AGAIN: the request waits, and handler
 * is woken when that is so; NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_pki_list_ask(ngx_http_request_t *r,
    ngx_http_pki_main_conf_t *mcf, ngx_http_pki_issuer_t *issuer,
    pki_list_e which, ngx_uint_t pem, ngx_http_pki_wake_pt handler);

/* The list that is kept and has not ended, held for the request; NULL: none
   is, or no memory. */
ngx_http_pki_list_t *ngx_http_pki_list_hold(ngx_http_request_t *r,
    ngx_http_pki_main_conf_t *mcf, ngx_http_pki_issuer_t *issuer,
    pki_list_e which);

/* Frees what is kept, at the end of the worker, when its links are gone. */
void ngx_http_pki_list_end(ngx_http_pki_worker_t *worker);


#endif /* _NGX_HTTP_PKI_CRL_H_INCLUDED_ */

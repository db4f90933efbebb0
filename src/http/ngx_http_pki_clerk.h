
/*
 * What the http floor has about the clerk's thread.
 *
 * The end of ngx_http_pki_module.h, which alone includes it.
 */

#ifndef _NGX_HTTP_PKI_CLERK_H_INCLUDED_
#define _NGX_HTTP_PKI_CLERK_H_INCLUDED_


/* ngx_http_pki_clerk.c: the clerk as nginx sees it */

/*
 * Starts the thread when an issuer has "crl" or a pki_jwt a URL; NULL with
 * *none set: neither has; without: it cannot be.  ring(data) is called from
 * the thread.
 */
ngx_http_pki_clerk_t *ngx_http_pki_clerk_create(ngx_cycle_t *cycle,
    ngx_http_pki_main_conf_t *mcf, void (*ring)(void *data), void *data,
    ngx_uint_t *none);

/* Asks it to end, as in a graceful quit. */
void ngx_http_pki_clerk_stop(ngx_http_pki_clerk_t *clerk);

/* Stops and joins; accepts NULL. */
void ngx_http_pki_clerk_destroy(ngx_http_pki_clerk_t *clerk);

/* Takes what it has left: at each ring, and once a second. */
void ngx_http_pki_clerk_look(ngx_http_pki_clerk_t *clerk);

/* An owner in the news; len 0: some may have been missed. */
void ngx_http_pki_clerk_news(ngx_http_pki_clerk_t *clerk, u_char *owner,
    size_t len);

/* What /status tells of an issuer's lists; nothing where there are none. */
void ngx_http_pki_clerk_json(ngx_http_pki_issuer_t *issuer,
    pki_json_writer_t *w);
ngx_uint_t ngx_http_pki_clerk_lines(ngx_http_pki_main_conf_t *mcf);
u_char *ngx_http_pki_clerk_text(ngx_http_pki_main_conf_t *mcf, u_char *p,
    u_char *last);

/* The issuer's directive "crl", and what is checked when its block ends. */
char *ngx_http_pki_clerk_crl(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_clerk_check(ngx_conf_t *cf, ngx_http_pki_issuer_t *issuer);

/* Completes issuer->crl, when its store is known. */
ngx_int_t ngx_http_pki_clerk_resolve(ngx_conf_t *cf,
    ngx_http_pki_issuer_t *issuer);


#endif /* _NGX_HTTP_PKI_CLERK_H_INCLUDED_ */

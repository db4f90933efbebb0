
/*
 * What the http floor has about callers: tokens, roles, key sets.
 *
 * The end of ngx_http_pki_module.h, which alone includes it.
 */

#ifndef _NGX_HTTP_PKI_AUTH_H_INCLUDED_
#define _NGX_HTTP_PKI_AUTH_H_INCLUDED_


#endif /* _NGX_HTTP_PKI_AUTH_H_INCLUDED_ */

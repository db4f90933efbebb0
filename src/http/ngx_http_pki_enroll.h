
/*
 * What the http floor has about enrolment: profiles, POST csr, EST.
 *
 * The end of ngx_http_pki_module.h, which alone includes it.
 */

#ifndef _NGX_HTTP_PKI_ENROLL_H_INCLUDED_
#define _NGX_HTTP_PKI_ENROLL_H_INCLUDED_


#endif /* _NGX_HTTP_PKI_ENROLL_H_INCLUDED_ */


/*
 * What a request or a certificate asks for: the parts of pki_csr.c that go
 * over attributes and extensions.
 */

#ifndef PKI_CSR_ASKED_H
#define PKI_CSR_ASKED_H


#include "pki_csr.h"


/*
 * Takes what counts out of the attributes of a request, into a csr that has
 * nothing of it yet.  PKI_INVALID with a sentence in err.
 */
pki_rc_t pki_csr_attributes(pki_csr_t *csr, const X509_REQ *req,
    pki_err_t *err);

/* Likewise, out of extensions, which may be NULL. */
pki_rc_t pki_csr_extensions(pki_csr_t *csr,
    const STACK_OF(X509_EXTENSION) *exts, pki_err_t *err);

/* Forgets all that the two took, but the lifetime. */
void pki_csr_forget(pki_csr_t *csr);


#endif /* PKI_CSR_ASKED_H */

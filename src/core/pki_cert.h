
/*
 * Issuing a certificate (RFC 5280), and reading one for the records.
 *
 * Nothing of a request comes into a certificate but its key, its subject,
 * its names and, as the profile allows, its usages.
 */

#ifndef PKI_CERT_H
#define PKI_CERT_H


#include "pki_issuer.h"
#include "pki_profile.h"


#define PKI_CERT_URLS      4
#define PKI_CERT_TEXT_MAX  4096     /* octets of subject or names as text; what
                                       is longer is cut */


/* what an issuer puts into each of its certificates */

typedef struct {
    const char       *ocsp[PKI_CERT_URLS];          /* NULL ends */
    const char       *ca_issuers[PKI_CERT_URLS];
    const char       *crl[PKI_CERT_URLS];
    const char       *freshest_crl[PKI_CERT_URLS];
    time_t            lifetime;     /* seconds, at most */
} pki_cert_urls_t;


typedef struct {
    const pki_issuer_t     *issuer;
    const pki_profile_t    *profile;
    const pki_cert_urls_t  *urls;
    const pki_csr_t        *csr;        /* that pki_profile_check() passed */
    const pki_serial_t     *serial;
    const pki_binding_t    *binding;    /* for the device extension */
    time_t                  now;
} pki_cert_plan_t;


/*
 * Issues: signs once.  not_before is now - backdate, not_after is now + the
 * least of what was asked for and what profile and issuer allow; both never
 * outside the CA's own validity.  PKI_INVALID with a sentence: what was
 * asked for cannot be a certificate (no subject and no names); PKI_ERROR.
 * *cert is the caller's.
 */
pki_rc_t pki_cert_issue(const pki_cert_plan_t *plan, X509 **cert,
    pki_err_t *err);

/* DER of it, OPENSSL_malloc()ed; PKI_ERROR. */
pki_rc_t pki_cert_der(X509 *cert, unsigned char **der, size_t *len);

/*
 * Reads one certificate of the issuer from DER: is it signed by the issuer's
 * key?  PKI_INVALID: unreadable, or its serial number cannot be of ours;
 * PKI_NOT_FOUND: another issuer's.
 */
pki_rc_t pki_cert_read(const pki_issuer_t *issuer, pki_bytes_t der,
    X509 **cert, pki_serial_t *serial, pki_err_t *err);

/* A degenerate PKCS#7 (RFC 2315, certs-only) of n certificates, DER,
   OPENSSL_malloc()ed. */
pki_rc_t pki_cert_pkcs7(X509 *const *certs, size_t n, unsigned char **der,
    size_t *len);

/* what the records and the search know of a certificate; all UTF-8, without
   control characters, terminated */

typedef struct {
    pki_serial_t      serial;
    time_t            not_before;
    time_t            not_after;
    char              thumbprint[41];   /* SHA-1, upper-case hexadecimal */
    char              sha256[65];
    char              subject[PKI_CERT_TEXT_MAX];   /* RFC 4514, as "CN=x,O=y",
                                       in the order of the certificate */
    char              sans[PKI_CERT_TEXT_MAX];      /* "DNS:a, IP:b, email:c,
                                       URI:d, UPN:e"; others are left out */
    char              upn[PKI_CSR_NAME_MAX + 1];
} pki_cert_text_t;


/*
 * PKI_INVALID: a time or a serial number that cannot be read.  Names that
 * cannot be read are left out.
 */
pki_rc_t pki_cert_describe(X509 *cert, pki_cert_text_t *text);

/* The name as text, as in pki_cert_text_t.subject. */
pki_rc_t pki_cert_name(const X509_NAME *name, char *text, size_t size);


#endif /* PKI_CERT_H */


/*
 * OCSP: octets in, octets out.
 *
 * Parsing and encoding do not know each other and neither knows how a
 * status is found.  The parser works in place, allocates nothing and reads
 * strict DER (RFC 6960, 4.1.1); a request's octets must outlive what was
 * parsed from them.  The encoder writes DER by hand, so that each CertID
 * comes back byte for byte as it was asked, and signs with what the signer
 * holds ready.
 */

#ifndef PKI_OCSP_H
#define PKI_OCSP_H


#include "pki_issuer.h"
#include "pki_verdict.h"


#define PKI_OCSP_ARCS          "\x2b\x06\x01\x05\x05\x07\x30\x01"
#define PKI_OCSP_ARCS_LEN      8    /* id-pkix-ocsp, 1.3.6.1.5.5.7.48.1 */

#define PKI_OCSP_BASIC             1    /* arcs below it */
#define PKI_OCSP_NONCE             2
#define PKI_OCSP_RESPONSE_TYPES    4
#define PKI_OCSP_ARCHIVE_CUTOFF    6
#define PKI_OCSP_SERVICE_LOCATOR   7
#define PKI_OCSP_ALGORITHMS        8
#define PKI_OCSP_EXTENDED_REVOKE   9

#define PKI_OCSP_NONCE_MAX     128  /* RFC 9654, 2.1 */
#define PKI_OCSP_PREFERENCES   8    /* algorithms looked at, RFC 6960, 4.4.7 */


/* OCSPResponseStatus, RFC 6960, 4.2.1 */

typedef enum {
    PKI_OCSP_SUCCESSFUL = 0,
    PKI_OCSP_MALFORMED_REQUEST = 1,
    PKI_OCSP_INTERNAL_ERROR = 2,
    PKI_OCSP_TRY_LATER = 3,
    PKI_OCSP_SIG_REQUIRED = 5,
    PKI_OCSP_UNAUTHORIZED = 6
} pki_ocsp_status_t;


typedef struct {
    pki_bytes_t       der;          /* the whole CertID */
    pki_digest_t      digest;
    unsigned          null_params:1;    /* parameters NULL, not absent */
    pki_bytes_t       name_hash;
    pki_bytes_t       key_hash;
    pki_bytes_t       serial;       /* content octets of the INTEGER */
} pki_certid_t;


typedef struct {
    pki_certid_t     *certs;        /* the caller's array */
    unsigned          ncerts;
    pki_bytes_t       nonce;        /* content of the inner OCTET STRING */
    unsigned          npreferences;
    pki_bytes_t       preferences[PKI_OCSP_PREFERENCES];    /* OID contents */
} pki_ocsp_request_t;


typedef struct {
    const pki_certid_t   *certs;
    const pki_verdict_t  *verdicts; /* one per CertID, none "later" */
    unsigned              n;
    pki_bytes_t           nonce;    /* len 0: none */
    time_t                produced_at;
    time_t                archive_cutoff;   /* RFC 6960, 4.4.4; 0: none */
} pki_ocsp_answer_t;


/*
 * Takes the DER request out of the path of a GET (RFC 6960, A.1), as it
 * stood in the request line: path is what follows the location's name, up
 * to but not including '?'.  Leading slashes are dropped, escapes are
 * decoded once, then base64 or base64url, with or without padding; space
 * counts as '+', line ends and a trailing slash are ignored.
 * der has room for PKI_OCSP_PATH_DER(path.len) octets; *len is set.
 * PKI_INVALID: a broken escape, another character, nothing left.
 */
#define PKI_OCSP_PATH_DER(n)  ((n) / 4 * 3 + 3)

pki_rc_t pki_ocsp_path(pki_bytes_t path, unsigned char *der, size_t *len);

/*
 * Parses a request of at most `max` certificates into certs[max].
 * PKI_INVALID (answer malformedRequest): not DER, trailing octets, a
 * version other than v1, no or too many certificates, a nonce of 0 or more
 * than PKI_OCSP_NONCE_MAX octets or twice, an unknown critical extension,
 * response types without id-pkix-ocsp-basic.  A signature and a requestor's
 * name are accepted and ignored (RFC 6960, 4.1.2).
 */
pki_rc_t pki_ocsp_parse(pki_bytes_t der, pki_certid_t *certs, unsigned max,
    pki_ocsp_request_t *request);

/* Can this signer honour one of the preferences (other than its default)? */
int pki_ocsp_prefers(const pki_ocsp_request_t *request,
    const pki_signer_t *signer);

/*
 * An upper bound of the size of the answer, for the buffer.
 */
size_t pki_ocsp_answer_size(const pki_ocsp_answer_t *answer,
    const pki_signer_t *signer);

/*
 * Encodes and signs a successful response (RFC 6960, 4.2.1) into buf of
 * `size` octets: byKey responder id, times without fractions, the signer's
 * certificate unless it is the CA's own.  request may be NULL; otherwise
 * its preferred signature algorithms are honoured if the signer can.
 * PKI_INVALID: buf is too small, no certificate, a time outside 1970-9999,
 * or a verdict is "later" or ends after the signer does; PKI_ERROR: signing
 * failed.
 */
pki_rc_t pki_ocsp_sign(const pki_ocsp_answer_t *answer, pki_signer_t *signer,
    const pki_ocsp_request_t *request, unsigned char *buf, size_t size,
    size_t *len, pki_err_t *err);

/* The five octets of an unsigned error response; constant. */
pki_bytes_t pki_ocsp_error(pki_ocsp_status_t status);


#endif /* PKI_OCSP_H */


/*
 * Messages of SCEP (RFC 8894): a request in, a reply out.
 *
 * A request is a SignedData with an EnvelopedData in it, which holds a
 * PKCS#10; so is a reply, with the certificate.  The CA's RSA key decrypts
 * the one and signs the other, each at the cost of one private-key operation.
 * Nothing here is shared between threads.
 */

#ifndef PKI_SCEP_H
#define PKI_SCEP_H


#include <openssl/cms.h>
#include "pki_csr.h"
#include "pki_issuer.h"


#define PKI_SCEP_MAX        (2 * PKI_CSR_MAX)   /* octets of a message: the
                                       request and the certificate that it
                                       renews */
#define PKI_SCEP_ID_MAX     255     /* octets of a transactionID; 88 were seen,
                                       a SHA-512 in base64 */
#define PKI_SCEP_NONCE      16      /* octets of one of ours (3.2.1.5) */
#define PKI_SCEP_NONCE_MAX  64      /* of a client's */


/* messageType (3.2.1.2), those that ask for a certificate */

typedef enum {
    PKI_SCEP_RENEWAL = 17,          /* signed with the old certificate */
    PKI_SCEP_REQUEST = 19           /* signed with the new key */
} pki_scep_type_t;


/* failInfo (3.2.1.4) */

typedef enum {
    PKI_SCEP_NO_FAILURE = -1,
    PKI_SCEP_BAD_ALG = 0,
    PKI_SCEP_BAD_MESSAGE_CHECK,
    PKI_SCEP_BAD_REQUEST,
    PKI_SCEP_BAD_TIME,
    PKI_SCEP_BAD_CERT_ID
} pki_scep_fail_t;


typedef struct {
    CMS_ContentInfo  *cms;          /* owned */
    X509             *signer;       /* owned; NULL: none in the message */
    pki_scep_type_t   type;
    pki_scep_fail_t   fail;         /* what a reply without a certificate
                                       will say */
    size_t            id_len;
    size_t            nonce_len;
    char              id[PKI_SCEP_ID_MAX];          /* transactionID */
    unsigned char     nonce[PKI_SCEP_NONCE_MAX];    /* senderNonce */
} pki_scep_t;


/*
 * Reads a message, DER, and verifies its signature; the signer's certificate
 * is not looked at but for its key.  PKI_INVALID with a sentence: it is none,
 * or has not what a reply must repeat.  PKI_OK, and scep->fail is set with
 * the reason in err: it can be answered, but no more.  *scep is the caller's,
 * pki_scep_free().
 */
pki_rc_t pki_scep_read(pki_bytes_t der, pki_scep_t **scep, pki_err_t *err);

/*
 * Decrypts the request with the CA's key and reads it; pki_csr_read().  That
 * of a PKI_SCEP_REQUEST has the key of the signer.  PKI_INVALID: scep->fail
 * is set, to the same whatever was wrong with what was encrypted, so that
 * nobody learns from it what another's message holds.
 */
pki_rc_t pki_scep_open(pki_scep_t *scep, const pki_issuer_t *issuer,
    pki_csr_t **csr, pki_err_t *err);

/*
 * The reply (CertRep), signed by the CA: the certificate, for the signer of
 * the request; or, when cert is NULL, scep->fail.  DER, OPENSSL_malloc()ed.
 */
pki_rc_t pki_scep_reply(const pki_scep_t *scep, const pki_issuer_t *issuer,
    X509 *cert, unsigned char **der, size_t *len, pki_err_t *err);

void pki_scep_free(pki_scep_t *scep);               /* accepts NULL */


#endif /* PKI_SCEP_H */

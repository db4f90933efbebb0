
/*
 * A CA as we serve it, and the signer that answers in its name.
 *
 * An issuer knows the hashes by which a CertID names it, so that "is this
 * mine?" is two comparisons.  A signer is a certificate, its key and what
 * signing needs ready-made: the encoded certificate, the key hash for the
 * byKey responder id, a context for each signature algorithm.  Neither is
 * shared between threads; a forked child may use what its parent made.
 */

#ifndef PKI_ISSUER_H
#define PKI_ISSUER_H


#include <openssl/evp.h>
#include <openssl/x509.h>
#include "pki.h"
#include "pki_serial.h"


#define PKI_FINGERPRINT_LEN  32     /* SHA-256 */


/* the digests a CertID may use (RFC 6960, 4.1.1; RFC 9919) */

typedef enum {
    PKI_DIGEST_SHA1 = 0,
    PKI_DIGEST_SHA256,
    PKI_DIGEST_SHA384,
    PKI_DIGEST_SHA512,
    PKI_DIGEST_N,
    PKI_DIGEST_OTHER = PKI_DIGEST_N
} pki_digest_t;


/* the keys a delegated responder may have */

typedef enum {
    PKI_KEY_P256 = 0,
    PKI_KEY_RSA2048
} pki_key_type_t;


typedef struct pki_signer_s  pki_signer_t;


typedef struct {
    X509             *cert;
    EVP_PKEY         *key;          /* NULL: this CA cannot sign here */
    struct {
        unsigned char  name[EVP_MAX_MD_SIZE];
        unsigned char  key[EVP_MAX_MD_SIZE];
        size_t         len;
    }                 hash[PKI_DIGEST_N];
    pki_serial_t      serial;       /* the CA certificate's own; len 0: a
                                       serial that no CertID of ours has */
    unsigned          self_issued:1;
    unsigned char     fingerprint[PKI_FINGERPRINT_LEN];
} pki_issuer_t;


/*
 * Makes an issuer.  Takes a reference of its own to cert and to key (which
 * may be NULL).  NULL with *err set: cert is no CA (basicConstraints), key
 * does not belong to cert, or memory.  The caller frees the result with
 * pki_issuer_free(), which accepts NULL.
 */
pki_issuer_t *pki_issuer_create(X509 *cert, EVP_PKEY *key, pki_err_t *err);
void pki_issuer_free(pki_issuer_t *issuer);

/*
 * Does a CertID with these hashes name this issuer (RFC 6960, 4.1.1)?
 * Both hashes must agree; a digest other than PKI_DIGEST_N's never does.
 */
int pki_issuer_match(const pki_issuer_t *issuer, pki_digest_t digest,
    pki_bytes_t name_hash, pki_bytes_t key_hash);

/*
 * Makes a signer from a certificate and its key; takes references to both
 * and none to the issuer.  cert is the issuer's own (then it is left out of
 * answers), or a delegated one, which must be issued directly by the
 * issuer's key and carry id-kp-OCSPSigning (RFC 6960, 4.2.2.2).  NULL with
 * *err set otherwise, or when the key is not the certificate's or cannot
 * sign: it must be RSA, EC, Ed25519 or Ed448 and prove it with a signature.
 * Validity in time is not checked here: see pki_signer_valid().
 */
pki_signer_t *pki_signer_create(const pki_issuer_t *issuer, X509 *cert,
    EVP_PKEY *key, pki_err_t *err);

/*
 * Issues a delegated responder certificate with the issuer's key
 * (RFC 6960, 4.2.2.2): id-kp-OCSPSigning, id-pkix-ocsp-nocheck, valid from
 * now - backdate to now + valid, in seconds, but never outside the CA's own
 * validity.  The key is a new one of the given type, or that of `old` when
 * old is not NULL.  NULL with *err set on failure.
 */
pki_signer_t *pki_signer_issue(const pki_issuer_t *issuer,
    pki_key_type_t type, const pki_signer_t *old, time_t now, time_t backdate,
    time_t valid, pki_err_t *err);

void pki_signer_free(pki_signer_t *signer);

/* Validity of the signer's certificate, as seconds since the Epoch. */
time_t pki_signer_not_before(const pki_signer_t *signer);
time_t pki_signer_not_after(const pki_signer_t *signer);

/* Is `now` within it? */
int pki_signer_valid(const pki_signer_t *signer, time_t now);

/* SHA-256 of the signer's certificate: PKI_FINGERPRINT_LEN octets. */
const unsigned char *pki_signer_fingerprint(const pki_signer_t *signer);

/* SHA-1 of its public key: the byKey responder id (RFC 6960, 4.2.1). */
pki_bytes_t pki_signer_key_hash(const pki_signer_t *signer);

/* The certificate that goes into answers, DER; len 0: the CA's own. */
pki_bytes_t pki_signer_cert(const pki_signer_t *signer);

/*
 * The first of n signature algorithms, OID contents in the client's order,
 * that the signer can do (RFC 6960, 4.4.7.1).  The result is an index for
 * the functions below; 0 is the default and also means that none fits.
 */
unsigned pki_signer_choose(const pki_signer_t *signer,
    const pki_bytes_t *oids, unsigned n);

/* The AlgorithmIdentifier, DER; constant. */
pki_bytes_t pki_signer_algorithm(const pki_signer_t *signer,
    unsigned algorithm);

/* The longest signature. */
size_t pki_signer_size(const pki_signer_t *signer);

/*
 * Signs data into sig, which has room for pki_signer_size() octets.
 * PKI_ERROR with *err set: libcrypto or the key's hardware failed.
 */
pki_rc_t pki_signer_sign(pki_signer_t *signer, unsigned algorithm,
    pki_bytes_t data, unsigned char *sig, size_t *len, pki_err_t *err);


#endif /* PKI_ISSUER_H */


/*
 * A certification request (PKCS#10, RFC 2986): from what a client sent to
 * what may become of it.
 *
 * The body comes in every spelling that clients were seen to use.  Of the
 * extensions asked for only those are read that a certificate of ours can
 * have; the others are passed over, never copied.
 */

#ifndef PKI_CSR_H
#define PKI_CSR_H


#include <openssl/x509v3.h>
#include "pki.h"
#include "pki_serial.h"


#define PKI_CSR_MAX       (64 * 1024)   /* octets of a body: an RSA-4096 key
                                           and 500 names in base64 */
#define PKI_CSR_NAME_MAX  1024          /* of a UPN or an e-mail address; as
                                           PKI_STATE_NAME_MAX */
#define PKI_CSR_NAMES     500           /* SANs; a certificate with more is too
                                           long for a TLS record */
#define PKI_CSR_EKUS      32            /* as PKI_PROFILE_EKUS */
#define PKI_CSR_CHALLENGE_MAX  255      /* RFC 2985, ub-challenge-password */


/* what a request or, when it is renewed, a certificate asks for */

typedef struct {
    EVP_PKEY         *key;          /* owned; the new public key */
    unsigned          key_type;     /* PKI_KEYS_*; one of them */
    X509_NAME        *subject;      /* owned; never NULL, may be empty */
    GENERAL_NAMES    *sans;         /* owned; DNS, IP, e-mail, URI, UPN, no
                                       others; NULL: none */
    unsigned          sans_critical:1;
    unsigned          ekus_critical:1;
    EXTENDED_KEY_USAGE  *ekus;      /* owned; each once; NULL: none asked
                                       for */
    int               key_usage;    /* KU_* bits as X509_get_key_usage();
                                       -1: none asked for */
    long long         lifetime;     /* seconds; 0: none asked for */
    ASN1_OCTET_STRING  *sid;        /* owned; the value of extension
                                       1.3.6.1.4.1.311.25.2, or NULL */
    char             *challenge;    /* owned; challengePassword, or NULL */
} pki_csr_t;


/* how a request names the directory object that it is for */

typedef enum {
    PKI_BIND_STATIC = 0,            /* none: a random GUID */
    PKI_BIND_DIRECTORY,             /* device by CN or URI, else user by UPN */
    PKI_BIND_DEVICE,
    PKI_BIND_USER,
    PKI_BIND_JAMF,                  /* CN=<id>, OU says of what */
    PKI_BIND_DC
} pki_bind_t;


/*
 * The object, as far as the request tells.  When `name` is not empty, the
 * user's id is still to be found by that name (pki_state_resolve()) and to be
 * put in with pki_claim_user().
 */

typedef struct {
    pki_binding_t     binding;
    pki_object_class_t  class;      /* of what `name` names */
    char              name[PKI_CSR_NAME_MAX + 1];
} pki_claim_t;


/* Reads a key's type and size: "RSA 2048 to 4096" and so on, as bits. */

#define PKI_KEYS_RSA      0x01      /* 2048 to 4096 bits */
#define PKI_KEYS_P256     0x02
#define PKI_KEYS_P384     0x04
#define PKI_KEYS_P521     0x08
#define PKI_KEYS_ED25519  0x10
#define PKI_KEYS_ALL      0x1f


/*
 * Reads a body: DER; PEM, also with all its line ends taken out, with "NEW"
 * in its label, text around it; base64 with or without line ends, padding
 * or the URL alphabet.  Checks the proof of possession, that the key is one
 * of PKI_KEYS_ALL and not known to be weak (RSA exponent 1 or even, a point
 * that is not on its curve), and that the signature's hash is SHA-256 or
 * longer of SHA-2 (or the key's own, as in Ed25519).  Who asks for a CA is
 * refused.  What names hold is checked by pki_profile_check(), since those of
 * a renewal do not count and are not always well-formed.  PKI_INVALID with a
 * sentence for the client in err; PKI_ERROR: memory.  *csr is the caller's,
 * pki_csr_free().
 */
pki_rc_t pki_csr_read(pki_bytes_t body, pki_csr_t **csr, pki_err_t *err);

/*
 * What a renewal asks for (RFC 7030, 4.2.2, as its clients use it): subject,
 * names, usages of the old certificate; the key and the lifetime of the
 * request.  The request keeps nothing else of its own.  PKI_INVALID: the old
 * one is a CA's, or its extensions cannot be read; csr is then only good for
 * pki_csr_free().
 */
pki_rc_t pki_csr_renew(pki_csr_t *csr, X509 *old, pki_err_t *err);

void pki_csr_free(pki_csr_t *csr);                  /* accepts NULL */

/* One of PKI_KEYS_*; 0: none of them. */
unsigned pki_csr_key_type(const EVP_PKEY *key);

/*
 * Finds out what the request is to be bound to.  Octets of a static one's
 * payload come from `random` (16 octets), made a version-4 GUID.
 * PKI_INVALID with a sentence: it names none, or not in a way that is known.
 */
pki_rc_t pki_csr_claim(const pki_csr_t *csr, pki_bind_t bind,
    const unsigned char random[PKI_SERIAL_PAYLOAD], pki_claim_t *claim,
    pki_err_t *err);

/*
 * Puts the id in that `name` was resolved to: "user/<guid>",
 * "jamf-user/<number>".  PKI_INVALID: not such an id.
 */
pki_rc_t pki_claim_user(pki_claim_t *claim, const char *id);

/*
 * What a user may ask for in self-service, as far as the request tells: each
 * UPN and e-mail address, also in the subject, is `user`, in any case; a
 * device certificate may also have the device's id as the first half of a
 * UPN and in a URI IntuneDeviceId://; no other device's id, no host names, IP
 * addresses or other URIs.  To be called before pki_claim_user();
 * who owns the device is the caller's question.  PKI_INVALID with a sentence.
 */
pki_rc_t pki_claim_self(const pki_claim_t *claim, const pki_csr_t *csr,
    const char *user, pki_err_t *err);

/*
 * The first UPN (otherName 1.3.6.1.4.1.311.20.2.3) of the names, or the
 * first e-mail address; in text[size], UTF-8.  PKI_NOT_FOUND: none that is
 * readable or fits.
 */
pki_rc_t pki_csr_upn(const GENERAL_NAMES *sans, char *text, size_t size);
pki_rc_t pki_csr_email(const GENERAL_NAMES *sans, char *text, size_t size);

/* "static", "directory", "device", "user", "jamf", "dc"; PKI_NOT_FOUND. */
pki_rc_t pki_bind_from_name(const char *name, pki_bind_t *bind);


#endif /* PKI_CSR_H */

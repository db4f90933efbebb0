
/*
 * An issuer: a CA's certificate, perhaps its key, and the hashes by which
 * CertIDs name it, computed once for every digest that a client may use.
 */

#include "pki_issuer.h"

#include <string.h>
#include <openssl/crypto.h>
#include <openssl/x509v3.h>


static pki_rc_t pki_issuer_hash(pki_issuer_t *issuer);
static void pki_issuer_serial(pki_issuer_t *issuer);


static const char *const  pki_issuer_digests[PKI_DIGEST_N] = {
    "SHA1", "SHA256", "SHA384", "SHA512"
};


pki_issuer_t *
pki_issuer_create(X509 *cert, EVP_PKEY *key, pki_err_t *err)
{
    uint32_t       flags;
    pki_issuer_t  *issuer;

    flags = X509_get_extension_flags(cert);

    if ((flags & EXFLAG_INVALID) || X509_check_ca(cert) != 1) {
        pki_err_ssl(err, "the certificate is not a CA's");
        return NULL;
    }

    if (key != NULL && X509_check_private_key(cert, key) != 1) {
        pki_err_ssl(err, "the key does not belong to the CA certificate");
        return NULL;
    }

    issuer = OPENSSL_zalloc(sizeof(pki_issuer_t));
    if (issuer == NULL) {
        pki_err_ssl(err, "no memory for an issuer");
        return NULL;
    }

    if (X509_up_ref(cert) != 1) {
        goto failed;
    }

    issuer->cert = cert;

    if (key != NULL) {
        if (EVP_PKEY_up_ref(key) != 1) {
            goto failed;
        }

        issuer->key = key;
    }

    issuer->self_issued = (flags & EXFLAG_SI) ? 1 : 0;

    if (pki_issuer_hash(issuer) != PKI_OK) {
        goto failed;
    }

    return issuer;

failed:

    pki_err_ssl(err, "could not take up the CA certificate");
    pki_issuer_free(issuer);

    return NULL;
}


void
pki_issuer_free(pki_issuer_t *issuer)
{
    if (issuer == NULL) {
        return;
    }

    X509_free(issuer->cert);
    EVP_PKEY_free(issuer->key);
    OPENSSL_free(issuer);
}


static pki_rc_t
pki_issuer_hash(pki_issuer_t *issuer)
{
    int                     key_len;
    size_t                  i, name_len;
    EVP_MD                 *md;
    unsigned                n;
    const unsigned char    *name, *key;
    const ASN1_BIT_STRING  *bits;

    if (X509_NAME_get0_der(X509_get_subject_name(issuer->cert), &name,
                           &name_len)
        != 1)
    {
        return PKI_ERROR;
    }

    bits = X509_get0_pubkey_bitstr(issuer->cert);
    if (bits == NULL) {
        return PKI_ERROR;
    }

    key = ASN1_STRING_get0_data(bits);
    key_len = ASN1_STRING_length(bits);

    for (i = 0; i < PKI_DIGEST_N; i++) {
        md = EVP_MD_fetch(NULL, pki_issuer_digests[i], NULL);

        if (md == NULL
            || EVP_Digest(name, name_len, issuer->hash[i].name, &n, md, NULL)
               != 1
            || EVP_Digest(key, key_len, issuer->hash[i].key, &n, md, NULL)
               != 1)
        {
            EVP_MD_free(md);
            return PKI_ERROR;
        }

        issuer->hash[i].len = n;
        EVP_MD_free(md);
    }

    if (X509_digest(issuer->cert, EVP_sha256(), issuer->fingerprint, NULL)
        != 1)
    {
        return PKI_ERROR;
    }

    pki_issuer_serial(issuer);

    return PKI_OK;
}


/*
 * Roots with serial 0 exist: they sign as well as any other.
 */

static void
pki_issuer_serial(pki_issuer_t *issuer)
{
    int                   len;
    const ASN1_INTEGER   *serial;
    const unsigned char  *data;

    serial = X509_get0_serialNumber(issuer->cert);
    data = ASN1_STRING_get0_data(serial);
    len = ASN1_STRING_length(serial);

    if (ASN1_STRING_type(serial) == V_ASN1_INTEGER && len > 0
        && len <= PKI_SERIAL_LEN && data[0] != 0)
    {
        memcpy(issuer->serial.data, data, len);
        issuer->serial.len = len;
    }
}


int
pki_issuer_match(const pki_issuer_t *issuer, pki_digest_t digest,
    pki_bytes_t name_hash, pki_bytes_t key_hash)
{
    size_t  len;

    if ((unsigned) digest >= PKI_DIGEST_N) {
        return 0;
    }

    len = issuer->hash[digest].len;

    return name_hash.len == len && key_hash.len == len
           && memcmp(name_hash.data, issuer->hash[digest].name, len) == 0
           && memcmp(key_hash.data, issuer->hash[digest].key, len) == 0;
}


/*
 * A signer is everything that an answer needs computed once.
 *
 * What a key can do stands in one table of signature algorithms.  A signer
 * takes the rows of its key's type, the default first, and makes each ready:
 * the digest is fetched, the context is initialised and stays so, because
 * beside a P-256 signature the cost of both would show.  EdDSA hashes by
 * itself and has no such context.
 */

#include "pki_issuer.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include "pki_der.h"


#define PKI_SIGNER_ALGORITHMS  3    /* rows of one key type, at most */
#define PKI_SIGNER_OID         4    /* where it begins in a row's der */
#define PKI_SIGNER_RSA_MIN     1024 /* bits; SHA-512 must fit, PKCS #1 v1.5 */
#define PKI_SIGNER_SERIAL      0x01 /* first octet: no format of ours */
#define PKI_SIGNER_CN_MAX      64   /* characters, RFC 5280, ub-common-name */
#define PKI_SIGNER_CN_OCTETS   (PKI_SIGNER_CN_MAX * 6 + 1)     /* UTF-8 */
#define PKI_SIGNER_CN          "OCSP responder"


typedef struct {
    const char           *key;      /* as EVP_PKEY_is_a() knows it */
    const char           *digest;   /* NULL: part of the algorithm */
    int                   bits;     /* default for keys up to this size */
    unsigned char         der[16];  /* AlgorithmIdentifier */
    unsigned char         len;
} pki_signer_algorithm_t;


typedef struct {
    const pki_signer_algorithm_t  *algorithm;
    EVP_MD                        *md;
    EVP_PKEY_CTX                  *ctx;     /* NULL: one-shot (EdDSA) */
} pki_signer_method_t;


struct pki_signer_s {
    X509                 *cert;
    EVP_PKEY             *key;
    EVP_MD_CTX           *md_ctx;
    size_t                size;     /* the longest signature */
    unsigned              own:1;    /* the CA itself */
    unsigned              nmethods;
    pki_signer_method_t   methods[PKI_SIGNER_ALGORITHMS];
    unsigned char        *der;      /* of cert */
    size_t                der_len;
    time_t                not_before;
    time_t                not_after;
    unsigned char         key_hash[SHA_DIGEST_LENGTH];
    unsigned char         fingerprint[PKI_FINGERPRINT_LEN];
};


static pki_rc_t pki_signer_check(const pki_issuer_t *issuer, X509 *cert,
    pki_err_t *err);
static pki_rc_t pki_signer_describe(pki_signer_t *signer, pki_err_t *err);
static pki_rc_t pki_signer_methods(pki_signer_t *signer, pki_err_t *err);
static pki_rc_t pki_signer_method(pki_signer_t *signer,
    pki_signer_method_t *method);
static pki_rc_t pki_signer_prove(pki_signer_t *signer, pki_err_t *err);
static const pki_signer_algorithm_t *pki_signer_default(EVP_PKEY *key);
static EVP_PKEY *pki_signer_key(pki_key_type_t type, const pki_signer_t *old);
static X509 *pki_signer_certificate(const pki_issuer_t *issuer, EVP_PKEY *key,
    time_t from, time_t to, pki_err_t *err);
static pki_rc_t pki_signer_subject(const pki_issuer_t *issuer, X509 *cert);
static pki_rc_t pki_signer_extensions(const pki_issuer_t *issuer, X509 *cert);
static pki_rc_t pki_signer_time(const ASN1_TIME *t, time_t *out);


/* RFC 4055, RFC 5758, RFC 8410: which have NULL parameters, which none */

static const pki_signer_algorithm_t  pki_signer_algorithms[] = {
    { "EC", "SHA256", 256,
      { 0x30, 0x0a, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02 }, 12 },
    { "EC", "SHA384", 384,
      { 0x30, 0x0a, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03 }, 12 },
    { "EC", "SHA512", INT_MAX,
      { 0x30, 0x0a, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04 }, 12 },
    { "RSA", "SHA256", INT_MAX,
      { 0x30, 0x0d, 0x06, 0x09,
        0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00 },
      15 },
    { "RSA", "SHA384", 0,
      { 0x30, 0x0d, 0x06, 0x09,
        0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c, 0x05, 0x00 },
      15 },
    { "RSA", "SHA512", 0,
      { 0x30, 0x0d, 0x06, 0x09,
        0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d, 0x05, 0x00 },
      15 },
    { "ED25519", NULL, INT_MAX,
      { 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70 }, 7 },
    { "ED448", NULL, INT_MAX,
      { 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x71 }, 7 }
};

#define PKI_SIGNER_ROWS                                                      \
    (sizeof(pki_signer_algorithms) / sizeof(pki_signer_algorithms[0]))


static const struct {
    int          nid;
    const char  *value;
} pki_signer_extension_rows[] = {
    { NID_key_usage, "critical,digitalSignature" },
    { NID_ext_key_usage, "OCSPSigning" },
    { NID_id_pkix_OCSP_noCheck, "ignored" },
    { NID_subject_key_identifier, "hash" },
    { NID_authority_key_identifier, "keyid" }
};

#define PKI_SIGNER_EXTENSIONS                                                \
    (sizeof(pki_signer_extension_rows) / sizeof(pki_signer_extension_rows[0]))


pki_signer_t *
pki_signer_create(const pki_issuer_t *issuer, X509 *cert, EVP_PKEY *key,
    pki_err_t *err)
{
    pki_signer_t  *signer;

    if (X509_check_private_key(cert, key) != 1) {
        pki_err_ssl(err, "the key does not belong to the certificate");
        return NULL;
    }

    signer = OPENSSL_zalloc(sizeof(pki_signer_t));
    if (signer == NULL) {
        pki_err_ssl(err, "no memory for a signer");
        return NULL;
    }

    if (X509_up_ref(cert) != 1) {
        pki_err_ssl(err, "X509_up_ref() failed");
        goto failed;
    }

    signer->cert = cert;

    if (EVP_PKEY_up_ref(key) != 1) {
        pki_err_ssl(err, "EVP_PKEY_up_ref() failed");
        goto failed;
    }

    signer->key = key;

    if (pki_signer_describe(signer, err) != PKI_OK) {
        goto failed;
    }

    signer->own = (memcmp(signer->fingerprint, issuer->fingerprint,
                          PKI_FINGERPRINT_LEN)
                   == 0);

    if (!signer->own && pki_signer_check(issuer, cert, err) != PKI_OK) {
        goto failed;
    }

    if (pki_signer_methods(signer, err) != PKI_OK
        || pki_signer_prove(signer, err) != PKI_OK)
    {
        goto failed;
    }

    return signer;

failed:

    pki_signer_free(signer);

    return NULL;
}


void
pki_signer_free(pki_signer_t *signer)
{
    unsigned  i;

    if (signer == NULL) {
        return;
    }

    for (i = 0; i < PKI_SIGNER_ALGORITHMS; i++) {
        EVP_PKEY_CTX_free(signer->methods[i].ctx);
        EVP_MD_free(signer->methods[i].md);
    }

    EVP_MD_CTX_free(signer->md_ctx);
    EVP_PKEY_free(signer->key);
    X509_free(signer->cert);
    OPENSSL_free(signer->der);
    OPENSSL_free(signer);
}


/*
 * May this certificate answer for the issuer (RFC 6960, 4.2.2.2)?
 */

static pki_rc_t
pki_signer_check(const pki_issuer_t *issuer, X509 *cert, pki_err_t *err)
{
    int       rc;
    uint32_t  flags;

    flags = X509_get_extension_flags(cert);

    if (flags & EXFLAG_INVALID) {
        pki_err_ssl(err, "the responder certificate has broken extensions");
        return PKI_INVALID;
    }

    rc = X509_check_issued(issuer->cert, cert);
    if (rc != X509_V_OK) {
        pki_err_ssl(err, "the responder certificate was not issued by the "
                    "CA: %s", X509_verify_cert_error_string(rc));
        return PKI_INVALID;
    }

    if (X509_verify(cert, X509_get0_pubkey(issuer->cert)) != 1) {
        pki_err_ssl(err, "the CA's signature on the responder certificate "
                    "is wrong");
        return PKI_INVALID;
    }

    if (!(flags & EXFLAG_XKUSAGE)
        || !(X509_get_extended_key_usage(cert) & XKU_OCSP_SIGN))
    {
        pki_err_set(err, "the responder certificate lacks the extended key "
                    "usage OCSPSigning");
        return PKI_INVALID;
    }

    if ((flags & EXFLAG_KUSAGE)
        && !(X509_get_key_usage(cert)
             & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)))
    {
        pki_err_set(err, "the responder certificate's key usage forbids "
                    "signing");
        return PKI_INVALID;
    }

    return PKI_OK;
}


static pki_rc_t
pki_signer_describe(pki_signer_t *signer, pki_err_t *err)
{
    int                     len;
    const ASN1_BIT_STRING  *bits;

    len = i2d_X509(signer->cert, &signer->der);

    if (len <= 0) {
        pki_err_ssl(err, "could not encode the signer's certificate");
        return PKI_ERROR;
    }

    signer->der_len = len;

    bits = X509_get0_pubkey_bitstr(signer->cert);

    if (bits == NULL
        || EVP_Digest(ASN1_STRING_get0_data(bits), ASN1_STRING_length(bits),
                      signer->key_hash, NULL, EVP_sha1(), NULL)
           != 1
        || EVP_Digest(signer->der, signer->der_len, signer->fingerprint,
                      NULL, EVP_sha256(), NULL)
           != 1)
    {
        pki_err_ssl(err, "could not hash the signer's certificate");
        return PKI_ERROR;
    }

    if (pki_signer_time(X509_get0_notBefore(signer->cert),
                        &signer->not_before)
        != PKI_OK
        || pki_signer_time(X509_get0_notAfter(signer->cert),
                           &signer->not_after)
           != PKI_OK)
    {
        pki_err_ssl(err, "the signer's validity is not readable");
        return PKI_INVALID;
    }

    return PKI_OK;
}


static pki_rc_t
pki_signer_methods(pki_signer_t *signer, pki_err_t *err)
{
    int                            size;
    size_t                         i;
    pki_signer_method_t           *method;
    const pki_signer_algorithm_t  *row, *def;

    def = pki_signer_default(signer->key);

    if (def == NULL
        || (strcmp(def->key, "RSA") == 0
            && EVP_PKEY_get_bits(signer->key) < PKI_SIGNER_RSA_MIN))
    {
        pki_err_ssl(err, "a key of this kind or size cannot sign here");
        return PKI_INVALID;
    }

    size = EVP_PKEY_get_size(signer->key);
    signer->md_ctx = EVP_MD_CTX_new();

    if (size <= 0 || signer->md_ctx == NULL) {
        pki_err_ssl(err, "could not prepare the signer");
        return PKI_ERROR;
    }

    signer->size = size;
    signer->methods[0].algorithm = def;
    signer->nmethods = 1;

    for (i = 0; i < PKI_SIGNER_ROWS; i++) {
        row = &pki_signer_algorithms[i];

        if (row != def && strcmp(row->key, def->key) == 0) {
            signer->methods[signer->nmethods++].algorithm = row;
        }
    }

    for (i = 0; i < signer->nmethods; i++) {
        method = &signer->methods[i];

        if (method->algorithm->digest != NULL
            && pki_signer_method(signer, method) != PKI_OK)
        {
            pki_err_ssl(err, "could not prepare %s signatures with %s",
                        method->algorithm->key, method->algorithm->digest);
            return PKI_ERROR;
        }
    }

    return PKI_OK;
}


static pki_rc_t
pki_signer_method(pki_signer_t *signer, pki_signer_method_t *method)
{
    method->md = EVP_MD_fetch(NULL, method->algorithm->digest, NULL);
    method->ctx = EVP_PKEY_CTX_new_from_pkey(NULL, signer->key, NULL);

    if (method->md == NULL || method->ctx == NULL
        || EVP_PKEY_sign_init(method->ctx) != 1)
    {
        return PKI_ERROR;
    }

    if (strcmp(method->algorithm->key, "RSA") == 0
        && EVP_PKEY_CTX_set_rsa_padding(method->ctx, RSA_PKCS1_PADDING) != 1)
    {
        return PKI_ERROR;
    }

    if (EVP_PKEY_CTX_set_signature_md(method->ctx, method->md) != 1) {
        return PKI_ERROR;
    }

    return PKI_OK;
}


/*
 * Whether the private half is there, and the right one, shows only when it
 * signs; better at start than at the first request.
 */

static pki_rc_t
pki_signer_prove(pki_signer_t *signer, pki_err_t *err)
{
    size_t          len;
    pki_rc_t        rc;
    unsigned        i;
    pki_bytes_t     data;
    unsigned char  *sig;

    sig = OPENSSL_malloc(signer->size);
    if (sig == NULL) {
        pki_err_ssl(err, "no memory for a signature");
        return PKI_ERROR;
    }

    data.data = signer->fingerprint;
    data.len = PKI_FINGERPRINT_LEN;

    rc = PKI_OK;

    for (i = 0; i < signer->nmethods && rc == PKI_OK; i++) {
        rc = pki_signer_sign(signer, i, data, sig, &len, err);
    }

    OPENSSL_free(sig);

    return rc;
}


static const pki_signer_algorithm_t *
pki_signer_default(EVP_PKEY *key)
{
    size_t  i;

    for (i = 0; i < PKI_SIGNER_ROWS; i++) {
        if (EVP_PKEY_get_bits(key) <= pki_signer_algorithms[i].bits
            && EVP_PKEY_is_a(key, pki_signer_algorithms[i].key))
        {
            return &pki_signer_algorithms[i];
        }
    }

    return NULL;
}


pki_signer_t *
pki_signer_issue(const pki_issuer_t *issuer, pki_key_type_t type,
    const pki_signer_t *old, time_t now, time_t backdate, time_t valid,
    pki_err_t *err)
{
    X509          *cert;
    time_t         from, to, first, last;
    EVP_PKEY      *key;
    pki_signer_t  *signer;

    if (issuer->key == NULL) {
        pki_err_set(err, "the CA's key is not here to issue a responder "
                    "certificate");
        return NULL;
    }

    if (pki_signer_time(X509_get0_notBefore(issuer->cert), &first) != PKI_OK
        || pki_signer_time(X509_get0_notAfter(issuer->cert), &last) != PKI_OK)
    {
        pki_err_ssl(err, "the CA's validity is not readable");
        return NULL;
    }

    if (now < first || now >= last) {
        pki_err_set(err, "the CA certificate %s",
                    now < first ? "is not valid yet" : "has expired");
        return NULL;
    }

    from = (backdate < now - first) ? now - backdate : first;
    to = (valid < last - now) ? now + valid : last;

    key = pki_signer_key(type, old);
    if (key == NULL) {
        pki_err_ssl(err, "could not make a key for the responder");
        return NULL;
    }

    signer = NULL;
    cert = pki_signer_certificate(issuer, key, from, to, err);

    if (cert != NULL) {
        signer = pki_signer_create(issuer, cert, key, err);
    }

    X509_free(cert);
    EVP_PKEY_free(key);

    return signer;
}


static EVP_PKEY *
pki_signer_key(pki_key_type_t type, const pki_signer_t *old)
{
    if (old != NULL) {
        return EVP_PKEY_up_ref(old->key) == 1 ? old->key : NULL;
    }

    return type == PKI_KEY_RSA2048 ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
}


static X509 *
pki_signer_certificate(const pki_issuer_t *issuer, EVP_PKEY *key, time_t from,
    time_t to, pki_err_t *err)
{
    X509                          *cert;
    EVP_MD                        *md;
    unsigned char                  serial[PKI_SERIAL_LEN];
    const pki_signer_algorithm_t  *row;

    md = NULL;

    cert = X509_new();
    if (cert == NULL) {
        goto failed;
    }

    if (RAND_bytes(serial, PKI_SERIAL_LEN) != 1) {
        goto failed;
    }

    serial[0] = PKI_SIGNER_SERIAL;

    if (X509_set_version(cert, X509_VERSION_3) != 1
        || ASN1_STRING_set(X509_get_serialNumber(cert), serial,
                           PKI_SERIAL_LEN)
           != 1
        || X509_set_issuer_name(cert, X509_get_subject_name(issuer->cert))
           != 1
        || ASN1_TIME_set(X509_getm_notBefore(cert), from) == NULL
        || ASN1_TIME_set(X509_getm_notAfter(cert), to) == NULL
        || X509_set_pubkey(cert, key) != 1
        || pki_signer_subject(issuer, cert) != PKI_OK
        || pki_signer_extensions(issuer, cert) != PKI_OK)
    {
        goto failed;
    }

    /* a key without a row of ours signs with the digest it prefers */

    row = pki_signer_default(issuer->key);

    if (row != NULL && row->digest != NULL) {
        md = EVP_MD_fetch(NULL, row->digest, NULL);
        if (md == NULL) {
            goto failed;
        }
    }

    if (X509_sign(cert, issuer->key, md) <= 0) {
        goto failed;
    }

    EVP_MD_free(md);

    return cert;

failed:

    pki_err_ssl(err, "could not issue a responder certificate");
    EVP_MD_free(md);
    X509_free(cert);

    return NULL;
}


/*
 * The CA's common name, cut so that the whole stays within the bound.
 */

static pki_rc_t
pki_signer_subject(const pki_issuer_t *issuer, X509 *cert)
{
    int               i, len, room;
    char              cn[PKI_SIGNER_CN_OCTETS];
    X509_NAME        *name;
    unsigned char    *utf8;
    X509_NAME_ENTRY  *entry;

    len = 0;
    utf8 = NULL;
    name = X509_get_subject_name(issuer->cert);

    i = X509_NAME_get_index_by_NID(name, NID_commonName, -1);

    if (i >= 0) {
        entry = X509_NAME_get_entry(name, i);

        i = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
        if (i < 0) {
            return PKI_ERROR;
        }

        room = PKI_SIGNER_CN_MAX - (int) sizeof(" " PKI_SIGNER_CN) + 1;

        for (len = 0; len < i; len++) {
            if ((utf8[len] & 0xc0) != 0x80 && room-- == 0) {
                break;
            }
        }
    }

    len = snprintf(cn, sizeof(cn), "%.*s%s" PKI_SIGNER_CN, len,
                   len ? (char *) utf8 : "", len ? " " : "");

    OPENSSL_free(utf8);

    if (len < 0 || len >= (int) sizeof(cn)
        || X509_NAME_add_entry_by_NID(X509_get_subject_name(cert),
                                      NID_commonName, MBSTRING_UTF8,
                                      (unsigned char *) cn, len, -1, 0)
           != 1)
    {
        return PKI_ERROR;
    }

    return PKI_OK;
}


static pki_rc_t
pki_signer_extensions(const pki_issuer_t *issuer, X509 *cert)
{
    int              nid, rc;
    size_t           i;
    X509V3_CTX       ctx;
    X509_EXTENSION  *ext;

    X509V3_set_ctx(&ctx, issuer->cert, cert, NULL, NULL, 0);
    X509V3_set_ctx_nodb(&ctx);

    for (i = 0; i < PKI_SIGNER_EXTENSIONS; i++) {
        nid = pki_signer_extension_rows[i].nid;

        if (nid == NID_authority_key_identifier
            && X509_get0_subject_key_id(issuer->cert) == NULL)
        {
            continue;
        }

        ext = X509V3_EXT_conf_nid(NULL, &ctx, nid,
                                  pki_signer_extension_rows[i].value);
        if (ext == NULL) {
            return PKI_ERROR;
        }

        rc = X509_add_ext(cert, ext, -1);
        X509_EXTENSION_free(ext);

        if (rc != 1) {
            return PKI_ERROR;
        }
    }

    return PKI_OK;
}


static pki_rc_t
pki_signer_time(const ASN1_TIME *t, time_t *out)
{
    struct tm  tm;

    if (ASN1_TIME_to_tm(t, &tm) != 1) {
        return PKI_INVALID;
    }

    *out = timegm(&tm);

    return PKI_OK;
}


time_t
pki_signer_not_before(const pki_signer_t *signer)
{
    return signer->not_before;
}


time_t
pki_signer_not_after(const pki_signer_t *signer)
{
    return signer->not_after;
}


int
pki_signer_valid(const pki_signer_t *signer, time_t now)
{
    return now >= signer->not_before && now <= signer->not_after;
}


const unsigned char *
pki_signer_fingerprint(const pki_signer_t *signer)
{
    return signer->fingerprint;
}


pki_bytes_t
pki_signer_key_hash(const pki_signer_t *signer)
{
    return (pki_bytes_t) { signer->key_hash, SHA_DIGEST_LENGTH };
}


pki_bytes_t
pki_signer_cert(const pki_signer_t *signer)
{
    return (pki_bytes_t) { signer->der, signer->own ? 0 : signer->der_len };
}


unsigned
pki_signer_choose(const pki_signer_t *signer, const pki_bytes_t *oids,
    unsigned n)
{
    unsigned                       i, k;
    pki_bytes_t                    oid;
    const pki_signer_algorithm_t  *row;

    for (i = 0; i < n; i++) {
        for (k = 0; k < signer->nmethods; k++) {
            row = signer->methods[k].algorithm;

            oid.data = row->der + PKI_SIGNER_OID;
            oid.len = row->der[PKI_SIGNER_OID - 1];

            if (pki_der_equal(oids[i], oid)) {
                return k;
            }
        }
    }

    return 0;
}


pki_bytes_t
pki_signer_algorithm(const pki_signer_t *signer, unsigned algorithm)
{
    const pki_signer_algorithm_t  *row;

    row = signer->methods[algorithm].algorithm;

    return (pki_bytes_t) { row->der, row->len };
}


size_t
pki_signer_size(const pki_signer_t *signer)
{
    return signer->size;
}


pki_rc_t
pki_signer_sign(pki_signer_t *signer, unsigned algorithm, pki_bytes_t data,
    unsigned char *sig, size_t *len, pki_err_t *err)
{
    int                   rc;
    unsigned              n;
    EVP_MD_CTX           *ctx;
    unsigned char         hash[EVP_MAX_MD_SIZE];
    pki_signer_method_t  *method;

    ctx = signer->md_ctx;
    method = &signer->methods[algorithm];

    *len = signer->size;

    if (method->ctx == NULL) {
        rc = EVP_MD_CTX_reset(ctx) == 1
             && EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL,
                                      signer->key, NULL)
                == 1
             && EVP_DigestSign(ctx, sig, len, data.data, data.len) == 1;

    } else {
        rc = EVP_DigestInit_ex2(ctx, method->md, NULL) == 1
             && EVP_DigestUpdate(ctx, data.data, data.len) == 1
             && EVP_DigestFinal_ex(ctx, hash, &n) == 1
             && EVP_PKEY_sign(method->ctx, sig, len, hash, n) == 1;
    }

    /* out of memory, ECDSA of OpenSSL 3.0 succeeds with a length of -1 */

    if (!rc || *len == 0 || *len > signer->size) {
        pki_err_ssl(err, "could not sign");
        return PKI_ERROR;
    }

    return PKI_OK;
}

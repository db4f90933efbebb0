
/*
 * Certification requests: from the octets of a body to a key that its owner
 * has proved to hold, a subject, and what is asked for.
 *
 * What is cheap comes first: a key or a hash that will not do is refused
 * before anything is computed with it.
 */

#include "pki_csr.h"

#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include "pki_csr_asked.h"
#include "pki_der.h"
#include "pki_name.h"
#include "pki_pem.h"


#define PKI_CSR_LABEL          "CERTIFICATE REQUEST"
#define PKI_CSR_RSA_MIN        2048
#define PKI_CSR_RSA_MAX        4096 /* longer ones only cost time */
#define PKI_CSR_EXPONENT_BITS  64   /* as libcrypto allows for long keys */


static pki_rc_t pki_csr_body(pki_bytes_t body, unsigned char **copy,
    pki_bytes_t *der, pki_err_t *err);
static int pki_csr_whole(pki_bytes_t der);
static pki_rc_t pki_csr_take(pki_bytes_t der, pki_csr_t *csr, pki_err_t *err);
static pki_rc_t pki_csr_key(const X509_REQ *req, pki_csr_t *csr,
    pki_err_t *err);
static pki_rc_t pki_csr_rsa(const EVP_PKEY *key, pki_err_t *err);
static pki_rc_t pki_csr_ec(EVP_PKEY *key, pki_err_t *err);
static pki_rc_t pki_csr_algorithm(const X509_REQ *req, pki_err_t *err);
static int pki_csr_pss(const X509_ALGOR *alg);
static int pki_csr_strong(int md);
static void pki_csr_trim(pki_bytes_t *text);


pki_rc_t
pki_csr_read(pki_bytes_t body, pki_csr_t **csr, pki_err_t *err)
{
    pki_rc_t        rc;
    pki_bytes_t     der;
    unsigned char  *copy;

    *csr = NULL;

    rc = pki_csr_body(body, &copy, &der, err);

    if (rc != PKI_OK) {
        return rc;
    }

    *csr = OPENSSL_zalloc(sizeof(pki_csr_t));

    if (*csr == NULL) {
        pki_err_ssl(err, "no memory for a request");
        OPENSSL_free(copy);
        return PKI_ERROR;
    }

    (*csr)->key_usage = -1;

    rc = pki_csr_take(der, *csr, err);

    OPENSSL_free(copy);

    if (rc != PKI_OK) {
        pki_csr_free(*csr);
        *csr = NULL;
    }

    return rc;
}


void
pki_csr_free(pki_csr_t *csr)
{
    if (csr == NULL) {
        return;
    }

    pki_csr_forget(csr);
    X509_NAME_free(csr->subject);
    EVP_PKEY_free(csr->key);
    OPENSSL_free(csr);
}


/*
 * The DER, in the body or in *copy.  A request is never DER and text at
 * once: as text it begins with an 'M', or with what stands before a block.
 */

static pki_rc_t
pki_csr_body(pki_bytes_t body, unsigned char **copy, pki_bytes_t *der,
    pki_err_t *err)
{
    pki_rc_t     rc;
    pki_bytes_t  text;

    *copy = NULL;

    if (body.len > PKI_CSR_MAX) {
        pki_err_set(err, "the request is longer than %d octets", PKI_CSR_MAX);
        return PKI_INVALID;
    }

    pki_csr_trim(&body);

    if (body.len == 0) {
        pki_err_set(err, "there is no request in the body");
        return PKI_INVALID;
    }

    if (pki_csr_whole(body)) {
        *der = body;
        return PKI_OK;
    }

    text = body;
    rc = pki_pem_next(&text, PKI_CSR_LABEL, copy, &der->len);

    if (rc == PKI_NOT_FOUND) {
        rc = pki_pem_base64(body, copy, &der->len);
    }

    if (rc == PKI_ERROR) {
        pki_err_ssl(err, "no memory for a request");
        return PKI_ERROR;
    }

    der->data = *copy;

    if (rc != PKI_OK || !pki_csr_whole(*der)) {
        pki_err_set(err, "the body is not a PKCS#10 request in DER, PEM or "
                    "base64");
        OPENSSL_free(*copy);
        return PKI_INVALID;
    }

    return PKI_OK;
}


/*
 * White space and a byte order mark that a tool has put before the text.
 */

static void
pki_csr_trim(pki_bytes_t *text)
{
    size_t  n;

    n = 0;

    if (text->len >= 3 && memcmp(text->data, "\xef\xbb\xbf", 3) == 0) {
        n = 3;
    }

    while (n < text->len && (text->data[n] == ' ' || text->data[n] == '\t'
                             || text->data[n] == '\r'
                             || text->data[n] == '\n'))
    {
        n++;
    }

    if (n > 0) {
        text->data += n;
        text->len -= n;
    }
}


/* Is it one element of DER, by its header? */

static int
pki_csr_whole(pki_bytes_t der)
{
    pki_der_t    in;
    pki_bytes_t  content;

    pki_der_init(&in, der);

    return pki_der_read(&in, PKI_DER_SEQUENCE, &content) == PKI_OK
           && pki_der_peek(&in) < 0;
}


static pki_rc_t
pki_csr_take(pki_bytes_t der, pki_csr_t *csr, pki_err_t *err)
{
    pki_rc_t              rc;
    X509_REQ             *req;
    const unsigned char  *p;

    p = der.data;
    req = d2i_X509_REQ(NULL, &p, (long) der.len);

    if (req == NULL) {
        return pki_err_input(err, "the request is not PKCS#10");
    }

    csr->key = X509_REQ_get_pubkey(req);

    if (csr->key == NULL) {
        rc = pki_err_input(err, "the public key of the request is of no kind "
                           "that is known here, or broken");
        goto done;
    }

    rc = pki_csr_key(req, csr, err);

    if (rc != PKI_OK) {
        goto done;
    }

    csr->subject = pki_name_dup(X509_REQ_get_subject_name(req));

    if (csr->subject == NULL) {
        pki_err_ssl(err, "could not keep the subject");
        rc = PKI_ERROR;
        goto done;
    }

    rc = pki_csr_attributes(csr, req, err);

done:

    X509_REQ_free(req);

    /* what went wrong on the way to what is right after all */

    ERR_clear_error();

    return rc;
}


/*
 * Is it a key for a certificate, and does whoever asks have the other half?
 */

static pki_rc_t
pki_csr_key(const X509_REQ *req, pki_csr_t *csr, pki_err_t *err)
{
    EVP_PKEY  *key;
    pki_rc_t   rc;

    key = csr->key;
    csr->key_type = pki_csr_key_type(key);

    if (csr->key_type == 0) {
        return pki_err_input(err, "the public key is not RSA of 2048 to 4096 "
                             "bits, P-256, P-384, P-521 or Ed25519");
    }

    rc = PKI_OK;

    if (csr->key_type == PKI_KEYS_RSA) {
        rc = pki_csr_rsa(key, err);

    } else if (csr->key_type != PKI_KEYS_ED25519) {
        rc = pki_csr_ec(key, err);
    }

    if (rc == PKI_OK) {
        rc = pki_csr_algorithm(req, err);
    }

    if (rc != PKI_OK) {
        return rc;
    }

    if (X509_REQ_verify((X509_REQ *) req, key) != 1) {
        return pki_err_input(err, "the request is not signed with the key "
                             "that it asks a certificate for");
    }

    return PKI_OK;
}


unsigned
pki_csr_key_type(const EVP_PKEY *key)
{
    int     bits;
    char    group[32];
    size_t  i;

    static const struct {
        const char  *group;
        unsigned     type;
    } curves[] = {
        { "prime256v1", PKI_KEYS_P256 },
        { "secp384r1", PKI_KEYS_P384 },
        { "secp521r1", PKI_KEYS_P521 }
    };

    if (EVP_PKEY_is_a(key, "RSA")) {
        bits = EVP_PKEY_get_bits(key);

        return bits >= PKI_CSR_RSA_MIN && bits <= PKI_CSR_RSA_MAX
               ? PKI_KEYS_RSA : 0;
    }

    if (EVP_PKEY_is_a(key, "ED25519")) {
        return PKI_KEYS_ED25519;
    }

    if (!EVP_PKEY_is_a(key, "EC")
        || EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1)
    {
        return 0;
    }

    for (i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
        if (strcmp(group, curves[i].group) == 0) {
            return curves[i].type;
        }
    }

    return 0;
}


/*
 * Who chose an even modulus or exponent, or 1 for an exponent, has no key.
 */

static pki_rc_t
pki_csr_rsa(const EVP_PKEY *key, pki_err_t *err)
{
    int       good;
    BIGNUM   *e, *n;

    e = NULL;
    n = NULL;

    if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) != 1
        || EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) != 1)
    {
        BN_free(e);
        pki_err_ssl(err, "could not look at the RSA key");
        return PKI_ERROR;
    }

    good = BN_is_odd(n) && BN_is_odd(e) && !BN_is_one(e)
           && !BN_is_negative(e)
           && BN_num_bits(e) <= PKI_CSR_EXPONENT_BITS;

    BN_free(e);
    BN_free(n);

    if (!good) {
        pki_err_set(err, "the RSA key is weak: its exponent is not odd, from "
                    "3 to 64 bits long, or its modulus is even");
        return PKI_INVALID;
    }

    return PKI_OK;
}


/*
 * Parameters spelled out are not for certificates (RFC 5480, 2.1.1), even
 * where they are those of a curve with a name.
 */

static pki_rc_t
pki_csr_ec(EVP_PKEY *key, pki_err_t *err)
{
    int            rc;
    char           encoding[32];
    EVP_PKEY_CTX  *ctx;

    if (EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING,
                                       encoding, sizeof(encoding), NULL)
        != 1
        || strcmp(encoding, OSSL_PKEY_EC_ENCODING_GROUP) != 0)
    {
        return pki_err_input(err, "the curve of the key is not named");
    }

    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);

    if (ctx == NULL) {
        pki_err_ssl(err, "could not look at the EC key");
        return PKI_ERROR;
    }

    rc = EVP_PKEY_public_check_quick(ctx);
    EVP_PKEY_CTX_free(ctx);

    if (rc != 1) {
        return pki_err_input(err, "the public key is not a point of its "
                             "curve");
    }

    return PKI_OK;
}


static pki_rc_t
pki_csr_algorithm(const X509_REQ *req, pki_err_t *err)
{
    int                 md, nid;
    const X509_ALGOR   *alg;
    const ASN1_OBJECT  *oid;

    X509_REQ_get0_signature(req, NULL, &alg);
    X509_ALGOR_get0(&oid, NULL, NULL, alg);
    nid = OBJ_obj2nid(oid);

    if (nid == NID_ED25519
        || (nid == NID_rsassaPss && pki_csr_pss(alg))
        || (nid != NID_undef && nid != NID_rsassaPss
            && OBJ_find_sigid_algs(nid, &md, NULL) == 1
            && pki_csr_strong(md)))
    {
        return PKI_OK;
    }

    /* which does not say who is to blame when memory is short */

    return pki_err_input(err, "the request is not signed with SHA-256, "
                         "SHA-384, SHA-512 or Ed25519");
}


/* the hash of a PSS signature is in its parameters, SHA-1 when it is not */

static int
pki_csr_pss(const X509_ALGOR *alg)
{
    int                 strong, type;
    const void         *params;
    RSA_PSS_PARAMS     *pss;
    const ASN1_OBJECT  *oid;

    X509_ALGOR_get0(NULL, &type, &params, alg);

    if (type != V_ASN1_SEQUENCE) {
        return 0;
    }

    pss = ASN1_item_unpack(params, ASN1_ITEM_rptr(RSA_PSS_PARAMS));
    if (pss == NULL) {
        return 0;
    }

    strong = 0;

    if (pss->hashAlgorithm != NULL) {
        X509_ALGOR_get0(&oid, NULL, NULL, pss->hashAlgorithm);
        strong = pki_csr_strong(OBJ_obj2nid(oid));
    }

    RSA_PSS_PARAMS_free(pss);

    return strong;
}


static int
pki_csr_strong(int md)
{
    return md == NID_sha256 || md == NID_sha384 || md == NID_sha512;
}


pki_rc_t
pki_csr_renew(pki_csr_t *csr, X509 *old, pki_err_t *err)
{
    X509_NAME  *subject;

    subject = pki_name_dup(X509_get_subject_name(old));

    if (subject == NULL) {
        pki_err_ssl(err, "could not keep the subject");
        return PKI_ERROR;
    }

    X509_NAME_free(csr->subject);
    csr->subject = subject;

    pki_csr_forget(csr);

    return pki_csr_extensions(csr, X509_get0_extensions(old), err);
}

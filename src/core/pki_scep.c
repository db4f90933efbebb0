
/*
 * SCEP's messages: CMS in CMS, and attributes that the outer one signs.
 *
 * Whoever sends a message has chosen every octet of it.  So there is one
 * signer and one recipient, keys are of a size that costs little, and what
 * comes of the decryption is a request that proves itself or nothing: a wrong
 * padding, of RSA or of the cipher, looks from outside like any other
 * nonsense.
 */

#include "pki_scep.h"

#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include "pki_cert.h"


/* signed attributes (3.2.1), VeriSign's */

#define PKI_SCEP_MESSAGE_TYPE     "2.16.840.1.113733.1.9.2"
#define PKI_SCEP_STATUS           "2.16.840.1.113733.1.9.3"
#define PKI_SCEP_FAIL_INFO        "2.16.840.1.113733.1.9.4"
#define PKI_SCEP_SENDER_NONCE     "2.16.840.1.113733.1.9.5"
#define PKI_SCEP_RECIPIENT_NONCE  "2.16.840.1.113733.1.9.6"
#define PKI_SCEP_TRANSACTION_ID   "2.16.840.1.113733.1.9.7"

#define PKI_SCEP_CERT_REP         "3"
#define PKI_SCEP_SUCCESS          "0"
#define PKI_SCEP_FAILURE          "2"

#define PKI_SCEP_ONCE             (-3)  /* an attribute with one value */
#define PKI_SCEP_EXPONENT_BITS    64    /* as pki_csr_read() */


static pki_rc_t pki_scep_take(pki_scep_t *scep, pki_bytes_t der,
    pki_err_t *err);
static pki_rc_t pki_scep_attributes(pki_scep_t *scep, CMS_SignerInfo *si,
    pki_err_t *err);
static const ASN1_STRING *pki_scep_get(CMS_SignerInfo *si, const char *oid,
    int type);
static pki_rc_t pki_scep_verify(pki_scep_t *scep, CMS_SignerInfo *si,
    pki_err_t *err);
static int pki_scep_key(const EVP_PKEY *key);
static int pki_scep_digest(const X509_ALGOR *alg);

static CMS_ContentInfo *pki_scep_envelope(CMS_ContentInfo *cms);
static int pki_scep_recipient(CMS_ContentInfo *cms,
    const pki_issuer_t *issuer);
static BIO *pki_scep_decrypt(CMS_ContentInfo *cms, EVP_PKEY *key);
static int pki_scep_cipher(BIO *bio);
static pki_rc_t pki_scep_request(pki_scep_t *scep, BIO *bio, pki_csr_t **csr,
    pki_err_t *err);
static pki_rc_t pki_scep_bad(pki_scep_t *scep, pki_scep_fail_t fail,
    pki_err_t *err, const char *why);

static BIO *pki_scep_encrypt(const pki_scep_t *scep, X509 *cert);
static CMS_ContentInfo *pki_scep_sign(const pki_scep_t *scep,
    const pki_issuer_t *issuer, BIO *content);
static int pki_scep_put(CMS_SignerInfo *si, const char *oid, int type,
    const void *data, size_t len);
static BIO *pki_scep_bio(CMS_ContentInfo *cms);


pki_rc_t
pki_scep_read(pki_bytes_t der, pki_scep_t **scep, pki_err_t *err)
{
    pki_rc_t  rc;

    *scep = OPENSSL_zalloc(sizeof(pki_scep_t));

    if (*scep == NULL) {
        pki_err_ssl(err, "no memory for a message");
        return PKI_ERROR;
    }

    (*scep)->fail = PKI_SCEP_NO_FAILURE;

    rc = pki_scep_take(*scep, der, err);

    ERR_clear_error();

    if (rc != PKI_OK) {
        pki_scep_free(*scep);
        *scep = NULL;
    }

    return rc;
}


void
pki_scep_free(pki_scep_t *scep)
{
    if (scep == NULL) {
        return;
    }

    CMS_ContentInfo_free(scep->cms);
    X509_free(scep->signer);
    OPENSSL_free(scep);
}


static pki_rc_t
pki_scep_take(pki_scep_t *scep, pki_bytes_t der, pki_err_t *err)
{
    pki_rc_t                   rc;
    CMS_SignerInfo            *si;
    const unsigned char       *p;
    STACK_OF(CMS_SignerInfo)  *signers;

    if (der.len > PKI_SCEP_MAX) {
        pki_err_set(err, "the message is longer than %d octets",
                    PKI_SCEP_MAX);
        return PKI_INVALID;
    }

    p = der.data;
    scep->cms = d2i_CMS_ContentInfo(NULL, &p, (long) der.len);

    if (scep->cms == NULL || p != der.data + der.len
        || OBJ_obj2nid(CMS_get0_type(scep->cms)) != NID_pkcs7_signed)
    {
        return pki_err_input(err, "the message is not a SignedData");
    }

    signers = CMS_get0_SignerInfos(scep->cms);

    if (sk_CMS_SignerInfo_num(signers) != 1) {
        return pki_err_input(err, "the message does not have one signer");
    }

    si = sk_CMS_SignerInfo_value(signers, 0);

    rc = pki_scep_attributes(scep, si, err);

    if (rc != PKI_OK) {
        return rc;
    }

    rc = pki_scep_verify(scep, si, err);

    /* it has failed, but it can be answered */

    return rc == PKI_INVALID ? PKI_OK : rc;
}


static pki_rc_t
pki_scep_attributes(pki_scep_t *scep, CMS_SignerInfo *si, pki_err_t *err)
{
    int                 len;
    const char         *type;
    const ASN1_STRING  *s;

    s = pki_scep_get(si, PKI_SCEP_TRANSACTION_ID, V_ASN1_PRINTABLESTRING);
    len = s ? ASN1_STRING_length(s) : 0;

    if (len < 1 || len > PKI_SCEP_ID_MAX) {
        return pki_err_input(err, "the message has no transactionID");
    }

    memcpy(scep->id, ASN1_STRING_get0_data(s), len);
    scep->id_len = len;

    s = pki_scep_get(si, PKI_SCEP_SENDER_NONCE, V_ASN1_OCTET_STRING);
    len = s ? ASN1_STRING_length(s) : 0;

    if (len < 1 || len > PKI_SCEP_NONCE_MAX) {
        return pki_err_input(err, "the message has no senderNonce");
    }

    memcpy(scep->nonce, ASN1_STRING_get0_data(s), len);
    scep->nonce_len = len;

    s = pki_scep_get(si, PKI_SCEP_MESSAGE_TYPE, V_ASN1_PRINTABLESTRING);

    if (s == NULL) {
        return pki_err_input(err, "the message has no messageType");
    }

    type = (const char *) ASN1_STRING_get0_data(s);

    if (ASN1_STRING_length(s) == 2 && memcmp(type, "19", 2) == 0) {
        scep->type = PKI_SCEP_REQUEST;

    } else if (ASN1_STRING_length(s) == 2 && memcmp(type, "17", 2) == 0) {
        scep->type = PKI_SCEP_RENEWAL;

    } else {
        (void) pki_scep_bad(scep, PKI_SCEP_BAD_REQUEST, err,
                            "the message asks for no certificate");
    }

    return PKI_OK;
}


static const ASN1_STRING *
pki_scep_get(CMS_SignerInfo *si, const char *oid, int type)
{
    ASN1_OBJECT        *obj;
    const ASN1_STRING  *s;

    obj = OBJ_txt2obj(oid, 1);

    if (obj == NULL) {
        return NULL;
    }

    s = CMS_signed_get0_data_by_OBJ(si, obj, PKI_SCEP_ONCE, type);

    ASN1_OBJECT_free(obj);

    return s;
}


/*
 * The signer's key is looked at before anything is computed with it.
 */

static pki_rc_t
pki_scep_verify(pki_scep_t *scep, CMS_SignerInfo *si, pki_err_t *err)
{
    X509        *signer;
    EVP_PKEY    *key;
    X509_ALGOR  *digest;

    if (scep->fail != PKI_SCEP_NO_FAILURE) {
        return PKI_INVALID;
    }

    if (CMS_set1_signers_certs(scep->cms, NULL, 0) != 1) {
        return pki_scep_bad(scep, PKI_SCEP_BAD_MESSAGE_CHECK, err,
                            "the signer's certificate is not in the message");
    }

    CMS_SignerInfo_get0_algs(si, &key, &signer, &digest, NULL);

    if (signer == NULL || X509_up_ref(signer) != 1) {
        pki_err_ssl(err, "could not keep the signer");
        return PKI_ERROR;
    }

    scep->signer = signer;

    if (key == NULL || !pki_scep_key(key)) {
        return pki_scep_bad(scep, PKI_SCEP_BAD_ALG, err,
                            "the signer's key is not RSA of 2048 to 4096 "
                            "bits");
    }

    if (!pki_scep_digest(digest)) {
        return pki_scep_bad(scep, PKI_SCEP_BAD_ALG, err,
                            "the message's digest is not MD5, SHA-1 or "
                            "SHA-2");
    }

    if (CMS_verify(scep->cms, NULL, NULL, NULL, NULL,
                   CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY)
        != 1)
    {
        return pki_scep_bad(scep, PKI_SCEP_BAD_MESSAGE_CHECK, err,
                            "the message's signature is wrong");
    }

    return PKI_OK;
}


/* the reply is encrypted to it, which only RSA is sure to be able to */

static int
pki_scep_key(const EVP_PKEY *key)
{
    int      good;
    BIGNUM  *e;

    e = NULL;

    if (pki_csr_key_type(key) != PKI_KEYS_RSA
        || EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
    {
        return 0;
    }

    good = BN_num_bits(e) <= PKI_SCEP_EXPONENT_BITS;

    BN_free(e);

    return good;
}


/*
 * MD5 is what SCEPman's own clients sign with.  It binds a request that is
 * signed with SHA-2 inside, by who also made the message.
 */

static int
pki_scep_digest(const X509_ALGOR *alg)
{
    const ASN1_OBJECT  *oid;

    X509_ALGOR_get0(&oid, NULL, NULL, alg);

    switch (OBJ_obj2nid(oid)) {

    case NID_md5:
    case NID_sha1:
    case NID_sha224:
    case NID_sha256:
    case NID_sha384:
    case NID_sha512:
        return 1;

    default:
        return 0;
    }
}


pki_rc_t
pki_scep_open(pki_scep_t *scep, const pki_issuer_t *issuer, pki_csr_t **csr,
    pki_err_t *err)
{
    BIO              *bio;
    pki_rc_t          rc;
    CMS_ContentInfo  *cms;

    *csr = NULL;

    cms = pki_scep_envelope(scep->cms);

    if (cms == NULL || !pki_scep_recipient(cms, issuer)) {
        CMS_ContentInfo_free(cms);
        return pki_scep_bad(scep, PKI_SCEP_BAD_MESSAGE_CHECK, err,
                            "the request is not encrypted to the CA, and to "
                            "nobody else");
    }

    bio = pki_scep_decrypt(cms, issuer->key);

    if (bio != NULL && !pki_scep_cipher(bio)) {
        rc = pki_scep_bad(scep, PKI_SCEP_BAD_ALG, err,
                          "the cipher is not 3DES or AES in CBC mode");

    } else {
        rc = pki_scep_request(scep, bio, csr, err);
    }

    BIO_free_all(bio);
    CMS_ContentInfo_free(cms);
    ERR_clear_error();

    return rc;
}


static CMS_ContentInfo *
pki_scep_envelope(CMS_ContentInfo *cms)
{
    CMS_ContentInfo       *envelope;
    ASN1_OCTET_STRING    **content;
    const unsigned char   *p, *last;

    content = CMS_get0_content(cms);

    if (content == NULL || *content == NULL) {
        return NULL;
    }

    p = ASN1_STRING_get0_data(*content);
    last = p + ASN1_STRING_length(*content);

    envelope = d2i_CMS_ContentInfo(NULL, &p, (long) (last - p));

    if (envelope != NULL
        && (p != last
            || OBJ_obj2nid(CMS_get0_type(envelope)) != NID_pkcs7_enveloped))
    {
        CMS_ContentInfo_free(envelope);
        return NULL;
    }

    return envelope;
}


/* one: each of them would cost an operation with the CA's key */

static int
pki_scep_recipient(CMS_ContentInfo *cms, const pki_issuer_t *issuer)
{
    CMS_RecipientInfo            *ri;
    STACK_OF(CMS_RecipientInfo)  *list;

    list = CMS_get0_RecipientInfos(cms);

    if (sk_CMS_RecipientInfo_num(list) != 1) {
        return 0;
    }

    ri = sk_CMS_RecipientInfo_value(list, 0);

    return CMS_RecipientInfo_type(ri) == CMS_RECIPINFO_TRANS
           && CMS_RecipientInfo_ktri_cert_cmp(ri, issuer->cert) == 0;
}


/*
 * Told of no certificate, OpenSSL goes on with a random key where that in
 * the message does not open, so that RSA's padding tells nothing
 * (Bleichenbacher; RFC 3218).
 */

static BIO *
pki_scep_decrypt(CMS_ContentInfo *cms, EVP_PKEY *key)
{
    if (CMS_decrypt(cms, NULL, NULL, NULL, NULL, 0) != 1
        || CMS_decrypt_set1_pkey(cms, key, NULL) != 1)
    {
        return NULL;
    }

    return CMS_dataInit(cms, NULL);
}


static int
pki_scep_cipher(BIO *bio)
{
    BIO             *b;
    EVP_CIPHER_CTX  *ctx;

    ctx = NULL;
    b = BIO_find_type(bio, BIO_TYPE_CIPHER);

    if (b == NULL || BIO_get_cipher_ctx(b, &ctx) <= 0 || ctx == NULL) {
        return 0;
    }

    switch (EVP_CIPHER_CTX_get_nid(ctx)) {

    case NID_des_ede3_cbc:
    case NID_aes_128_cbc:
    case NID_aes_192_cbc:
    case NID_aes_256_cbc:
        return 1;

    default:
        return 0;
    }
}


/*
 * A padding that is wrong and a request that cannot be read are answered
 * alike: who sends another's message with changes would learn of it octet by
 * octet otherwise, and the challenge is in there (Vaudenay).
 */

static pki_rc_t
pki_scep_request(pki_scep_t *scep, BIO *bio, pki_csr_t **csr, pki_err_t *err)
{
    int             n, len;
    pki_rc_t        rc;
    unsigned char  *plain;

    plain = OPENSSL_malloc(PKI_CSR_MAX);

    if (plain == NULL) {
        pki_err_ssl(err, "no memory for a request");
        return PKI_ERROR;
    }

    for (n = 0, len = 0; bio != NULL && n < PKI_CSR_MAX; n += len) {
        len = BIO_read(bio, plain + n, PKI_CSR_MAX - n);

        if (len <= 0) {
            break;
        }
    }

    if (bio == NULL || len > 0 || BIO_get_cipher_status(bio) != 1) {
        rc = pki_scep_bad(scep, PKI_SCEP_BAD_MESSAGE_CHECK, err,
                          "the request could not be decrypted");

    } else {
        rc = pki_csr_read((pki_bytes_t) { plain, (size_t) n }, csr, err);

        if (rc == PKI_INVALID) {
            scep->fail = PKI_SCEP_BAD_MESSAGE_CHECK;
        }
    }

    OPENSSL_clear_free(plain, PKI_CSR_MAX);

    if (rc == PKI_OK && scep->type == PKI_SCEP_REQUEST
        && EVP_PKEY_eq((*csr)->key, X509_get0_pubkey(scep->signer)) != 1)
    {
        pki_csr_free(*csr);
        *csr = NULL;

        rc = pki_scep_bad(scep, PKI_SCEP_BAD_MESSAGE_CHECK, err,
                          "the message is not signed with the key that it "
                          "asks a certificate for");
    }

    return rc;
}


/* PKI_INVALID, and how to answer it, unless memory was short */

static pki_rc_t
pki_scep_bad(pki_scep_t *scep, pki_scep_fail_t fail, pki_err_t *err,
    const char *why)
{
    scep->fail = fail;

    return pki_err_input(err, "%s", why);
}


pki_rc_t
pki_scep_reply(const pki_scep_t *scep, const pki_issuer_t *issuer, X509 *cert,
    unsigned char **der, size_t *len, pki_err_t *err)
{
    int               n;
    BIO              *content;
    CMS_ContentInfo  *cms;

    n = 0;
    cms = NULL;
    *der = NULL;

    content = cert ? pki_scep_encrypt(scep, cert) : BIO_new(BIO_s_mem());

    if (content != NULL) {
        cms = pki_scep_sign(scep, issuer, cert ? content : NULL);
    }

    if (cms != NULL
        && CMS_final(cms, content, NULL, CMS_BINARY) == 1)
    {
        n = i2d_CMS_ContentInfo(cms, der);
    }

    CMS_ContentInfo_free(cms);
    BIO_free(content);

    if (n <= 0) {
        pki_err_ssl(err, "could not make a reply");
        return PKI_ERROR;
    }

    *len = n;

    ERR_clear_error();

    return PKI_OK;
}


/* the certificate alone: clients take the first for theirs */

static BIO *
pki_scep_encrypt(const pki_scep_t *scep, X509 *cert)
{
    BIO              *in, *out;
    size_t            len;
    unsigned char    *p7;
    CMS_ContentInfo  *cms;

    if (pki_cert_pkcs7(&cert, 1, &p7, &len) != PKI_OK) {
        return NULL;
    }

    out = NULL;
    in = BIO_new_mem_buf(p7, (int) len);
    cms = CMS_encrypt(NULL, NULL, EVP_aes_256_cbc(),
                      CMS_BINARY | CMS_PARTIAL);

    if (in != NULL && cms != NULL
        && CMS_add1_recipient_cert(cms, scep->signer, 0) != NULL
        && CMS_final(cms, in, NULL, CMS_BINARY) == 1)
    {
        out = pki_scep_bio(cms);
    }

    CMS_ContentInfo_free(cms);
    BIO_free(in);
    OPENSSL_free(p7);

    return out;
}


static BIO *
pki_scep_bio(CMS_ContentInfo *cms)
{
    BIO  *out;

    out = BIO_new(BIO_s_mem());

    if (out != NULL && i2d_CMS_bio(out, cms) != 1) {
        BIO_free(out);
        return NULL;
    }

    return out;
}


/* all but the signature; without content there is a failure to tell of */

static CMS_ContentInfo *
pki_scep_sign(const pki_scep_t *scep, const pki_issuer_t *issuer,
    BIO *content)
{
    char              fail;
    unsigned          flags;
    unsigned char     nonce[PKI_SCEP_NONCE];
    CMS_SignerInfo   *si;
    CMS_ContentInfo  *cms;

    flags = CMS_BINARY | CMS_PARTIAL | CMS_NOSMIMECAP
            | (content ? 0 : CMS_DETACHED);
    fail = (char) ('0' + (scep->fail == PKI_SCEP_NO_FAILURE
                          ? PKI_SCEP_BAD_REQUEST : scep->fail));

    cms = CMS_sign(NULL, NULL, NULL, NULL, flags);

    if (cms == NULL || RAND_bytes(nonce, sizeof(nonce)) != 1) {
        goto failed;
    }

    si = CMS_add1_signer(cms, issuer->cert, issuer->key, EVP_sha256(), flags);

    if (si == NULL
        || !pki_scep_put(si, PKI_SCEP_MESSAGE_TYPE, V_ASN1_PRINTABLESTRING,
                         PKI_SCEP_CERT_REP, 1)
        || !pki_scep_put(si, PKI_SCEP_STATUS, V_ASN1_PRINTABLESTRING,
                         content ? PKI_SCEP_SUCCESS : PKI_SCEP_FAILURE, 1)
        || (content == NULL
            && !pki_scep_put(si, PKI_SCEP_FAIL_INFO, V_ASN1_PRINTABLESTRING,
                             &fail, 1))
        || !pki_scep_put(si, PKI_SCEP_TRANSACTION_ID, V_ASN1_PRINTABLESTRING,
                         scep->id, scep->id_len)
        || !pki_scep_put(si, PKI_SCEP_RECIPIENT_NONCE, V_ASN1_OCTET_STRING,
                         scep->nonce, scep->nonce_len)
        || !pki_scep_put(si, PKI_SCEP_SENDER_NONCE, V_ASN1_OCTET_STRING,
                         nonce, sizeof(nonce)))
    {
        goto failed;
    }

    return cms;

failed:

    CMS_ContentInfo_free(cms);

    return NULL;
}


static int
pki_scep_put(CMS_SignerInfo *si, const char *oid, int type, const void *data,
    size_t len)
{
    int           rc;
    ASN1_OBJECT  *obj;

    obj = OBJ_txt2obj(oid, 1);

    if (obj == NULL) {
        return 0;
    }

    rc = CMS_signed_add1_attr_by_OBJ(si, obj, type, data, (int) len);

    ASN1_OBJECT_free(obj);

    return rc == 1;
}

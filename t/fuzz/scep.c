
/*
 * Messages of SCEP.  The first octet says what follows: 'm' a message, 'e'
 * what stands in one in place of the envelope, 'p' in place of the request;
 * both are put into a message that is signed, and the request encrypted, as
 * a client does it.  Whatever is read can be answered.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "pki_scep.h"


#define FUZZ_TYPE         "2.16.840.1.113733.1.9.2"
#define FUZZ_NONCE        "2.16.840.1.113733.1.9.5"
#define FUZZ_TRANSACTION  "2.16.840.1.113733.1.9.7"

#define fuzz_check(yes)                                                       \
    do {                                                                      \
        if (!(yes)) {                                                         \
            fprintf(stderr, "line %d: %s\n", __LINE__, #yes);                 \
            abort();                                                          \
        }                                                                     \
    } while (0)


static void fuzz_begin(void);
static X509 *fuzz_certificate(void);
static void fuzz_message(pki_bytes_t in);
static void fuzz_signed(pki_bytes_t in);
static void fuzz_encrypted(pki_bytes_t in);
static void fuzz_final(CMS_ContentInfo *cms, pki_bytes_t in,
    void (*next)(pki_bytes_t in));


/* for this test alone: the CA's and the client's, so that the corpus stays
   good */

static const char  fuzz_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCaYHGK8eCswO1a\n"
    "rO0KUwKTKMTnUALDL+46IbPKB/BtSMgUAMJ1Sh3RpADV269hc86z9tIpJUMaadh/\n"
    "ZwLvkxV8uvTG95/x9Mha3xGTnpEJ5ahV1w63QmD1bri/0xTWr8cahoYprUwu6ief\n"
    "0+x28Qv4a2vhgD2zJpxeGAz07YJkP7sp6Rot1BD67G/B3Z2Qg09aC8ySPYArvtpH\n"
    "uMt0jwI7mJa37cdbUEastUVL+vEeJvk5DiD/SrVTYovEeYyMx7N8rZSIvR8/hDo+\n"
    "rmllTUi/gdA/WvweKVHPrdODZMQ1IgJ9v4OjvsrDj0eXJDTQooekvvw0Wo8tkDwC\n"
    "uJHBJOalAgMBAAECggEALatya6R6zyCUF0spJPDBxj89YSDucEfxtgjaY15N5kat\n"
    "yh0fagtvHuHhzWKcU7wq3lqaecmoPFwrzCTxXWap6Kh2WZZQHwhHbXqofH9gcQkb\n"
    "76kblWNxw6npxfXwKEMAJ/y8HABElWx4JHRRdC6DWA6Pb7q8hg9aGwwKaTsKZBVw\n"
    "v7dXRKzSRqC36NAdIuABc6m8+XAklVv6JHfyqZOYuRix5PfldVL/ePOabfLmZ1DJ\n"
    "0BdlVPDZBd8rLsoysPeJ8WGlaMICUtFYm4u+QTgdgNF2fq9voqTsr5jeSzPFVAoK\n"
    "XsLEfnq9jhdGnW/8DJzg03z6CDep7TlcoQwsTtVc0QKBgQDSFtBb+UWsimeIfTDd\n"
    "CbGhGig4lIakdK9Yv9n/4BF0psDiHZiL/1m1zUHafj7cnHzugeDy7VZbALc7wUsY\n"
    "aGmfz51J7s8Qt6UlHLvt+rLIhfQgsV93Ju5Hobfvk2YeZXNSF4Rqk8Yp6G9nsnHI\n"
    "WGsYjQ20T76/344cueEECND07wKBgQC8HN3QRKn56qS30bGV3VEfLMe8TPoDhMWs\n"
    "8JPBQsEFkhPS2DW4rQeq9vdcNLVrrT+Mrzz0BU17CHW+NsO+1czmS3b7Zenle043\n"
    "Imr8HeIVaw5NXg1/wyV/5l/DCDXH4VTRIoFn9AqjYVHGy9bLX1PviWHFvPlfKgzE\n"
    "QB3jCAFlqwKBgD3ByRQQTaPvt4mOy4teayHhb4taVc4IIvdixjGKa3cwAak2a/5T\n"
    "XMqtgLs6uz3cnnj6IucmT2lG55YgNvQA1XPN8v2lvqa6ZUhojvHg7Sc3AVGO8nIz\n"
    "Nn5GEqzRVoZ+6gxqr1kpAWqWUhFYikwLecfoxuuHOZprm/njxjqKYOpvAoGAO5l5\n"
    "va7Dm+b34TWS6kSAmzv43HQXEl5SswRWC/k2ZqltlnPiMWzA7S3qGVCp2j+9zrkG\n"
    "utmjPsPjaiy3wBLFJIHsZKJZhNeYZGeHNfHR269bjK+r3zrY+rjmxkgnofiGguxH\n"
    "y8PKSxFec3nJyA2f7li8nYXODJSqDtOxpGi46JkCgYAyP6YS0cgJKkvQUdz90Z6y\n"
    "B0lZ3FEM+g/oMGDYZO9D2r4rrbkJE5X5bn9NYddNRGSmTc+W0LErsg14r3xaZvsU\n"
    "fYeIsXa3JkgiWQ2OqCOwyWgcoYbUxMFgWUpAb+baUXwWYglMXDpd12gt/r/NR2fd\n"
    "YAmqW0x1ZhkDdhcLGX1Mcg==\n"
    "-----END PRIVATE KEY-----\n";


static EVP_PKEY      *key;
static X509          *cert;
static pki_issuer_t  *issuer;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pki_bytes_t  in;

    if (issuer == NULL) {
        fuzz_begin();
    }

    if (size < 1) {
        return 0;
    }

    in.data = data + 1;
    in.len = size - 1;

    switch (data[0]) {

    case 'm':
        fuzz_message(in);
        break;

    case 'e':
        fuzz_signed(in);
        break;

    case 'p':
        fuzz_encrypted(in);
    }

    return 0;
}


static void
fuzz_begin(void)
{
    BIO        *bio;
    pki_err_t   err;

    bio = BIO_new_mem_buf(fuzz_pem, -1);
    fuzz_check(bio != NULL);
    key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    fuzz_check(key != NULL);

    cert = fuzz_certificate();
    issuer = pki_issuer_create(cert, key, &err);
    fuzz_check(issuer != NULL);
}


static X509 *
fuzz_certificate(void)
{
    X509            *ca;
    X509_NAME       *name;
    X509_EXTENSION  *ext;

    ca = X509_new();
    ext = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
                              "critical,CA:TRUE");
    fuzz_check(ca != NULL && ext != NULL);

    name = X509_get_subject_name(ca);

    fuzz_check(X509_set_version(ca, X509_VERSION_3) == 1
               && ASN1_INTEGER_set(X509_get_serialNumber(ca), 1) == 1
               && ASN1_TIME_set(X509_getm_notBefore(ca), 1) != NULL
               && ASN1_TIME_set(X509_getm_notAfter(ca), 2000000000) != NULL
               && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                             (unsigned char *) "CA", -1, -1,
                                             0)
                  == 1
               && X509_set_issuer_name(ca, name) == 1
               && X509_set_pubkey(ca, key) == 1
               && X509_add_ext(ca, ext, -1) == 1
               && X509_sign(ca, key, EVP_sha256()) > 0);

    X509_EXTENSION_free(ext);

    return ca;
}


static void
fuzz_message(pki_bytes_t in)
{
    size_t          len;
    pki_rc_t        rc;
    pki_err_t       err;
    pki_csr_t      *csr;
    pki_scep_t     *scep;
    unsigned char  *der;

    err.text[0] = '\0';
    rc = pki_scep_read(in, &scep, &err);

    fuzz_check(ERR_peek_error() == 0);

    if (rc != PKI_OK) {
        fuzz_check(rc == PKI_INVALID && scep == NULL && err.text[0]);
        return;
    }

    fuzz_check(scep->id_len > 0 && scep->id_len <= PKI_SCEP_ID_MAX);
    fuzz_check(scep->nonce_len > 0 && scep->nonce_len <= PKI_SCEP_NONCE_MAX);

    csr = NULL;

    if (scep->fail == PKI_SCEP_NO_FAILURE) {
        fuzz_check(scep->signer != NULL);

        rc = pki_scep_open(scep, issuer, &csr, &err);

        fuzz_check(ERR_peek_error() == 0);
        fuzz_check(rc == PKI_OK
                   ? csr != NULL && scep->fail == PKI_SCEP_NO_FAILURE
                   : rc == PKI_INVALID && csr == NULL
                     && scep->fail != PKI_SCEP_NO_FAILURE);

    } else {
        fuzz_check(err.text[0] != '\0');
    }

    rc = pki_scep_reply(scep, issuer, csr ? cert : NULL, &der, &len, &err);
    fuzz_check(rc == PKI_OK && len > 0 && ERR_peek_error() == 0);

    OPENSSL_free(der);
    pki_csr_free(csr);
    pki_scep_free(scep);
}


static void
fuzz_signed(pki_bytes_t in)
{
    CMS_SignerInfo   *si;
    CMS_ContentInfo  *cms;

    cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_BINARY | CMS_PARTIAL);
    fuzz_check(cms != NULL);
    si = CMS_add1_signer(cms, cert, key, EVP_md5(),
                         CMS_BINARY | CMS_PARTIAL | CMS_NOSMIMECAP);

    fuzz_check(si != NULL
               && CMS_signed_add1_attr_by_txt(si, FUZZ_TYPE,
                                              V_ASN1_PRINTABLESTRING, "19", 2)
                  == 1
               && CMS_signed_add1_attr_by_txt(si, FUZZ_TRANSACTION,
                                              V_ASN1_PRINTABLESTRING, "1", 1)
                  == 1
               && CMS_signed_add1_attr_by_txt(si, FUZZ_NONCE,
                                              V_ASN1_OCTET_STRING, "n", 1)
                  == 1);

    fuzz_final(cms, in, fuzz_message);
}


static void
fuzz_encrypted(pki_bytes_t in)
{
    CMS_ContentInfo  *cms;

    cms = CMS_encrypt(NULL, NULL, EVP_aes_256_cbc(),
                      CMS_BINARY | CMS_PARTIAL);

    fuzz_check(cms != NULL && CMS_add1_recipient_cert(cms, cert, 0) != NULL);

    fuzz_final(cms, in, fuzz_signed);
}


static void
fuzz_final(CMS_ContentInfo *cms, pki_bytes_t in, void (*next)(pki_bytes_t in))
{
    int             len;
    BIO            *bio;
    unsigned char  *der;

    der = NULL;
    bio = BIO_new_mem_buf(in.data, (int) in.len);

    fuzz_check(bio != NULL && CMS_final(cms, bio, NULL, CMS_BINARY) == 1);

    len = i2d_CMS_ContentInfo(cms, &der);
    fuzz_check(len > 0);

    BIO_free(bio);
    CMS_ContentInfo_free(cms);

    next((pki_bytes_t) { der, (size_t) len });

    OPENSSL_free(der);
}

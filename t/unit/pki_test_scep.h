
/*
 * Messages of SCEP for the unit test, made with OpenSSL's own API as
 * SCEPman's clients make them: whatever fails here ends the test.
 */

#ifndef PKI_TEST_SCEP_H
#define PKI_TEST_SCEP_H


#include "pki_scep.h"
#include "pki_test_csr.h"


#define TYPE              "2.16.840.1.113733.1.9.2"
#define STATUS            "2.16.840.1.113733.1.9.3"
#define FAIL_INFO         "2.16.840.1.113733.1.9.4"
#define SENDER_NONCE      "2.16.840.1.113733.1.9.5"
#define RECIPIENT_NONCE   "2.16.840.1.113733.1.9.6"
#define TRANSACTION       "2.16.840.1.113733.1.9.7"

/* a SHA-512 in base64 */

#define TRANSACTION_ID                                                        \
    "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdB"\
    "eoGlODJ6+SfaPg=="

#define NONCE  "0123456789\0abcde"


typedef struct {
    const char       *oid;
    int               type;         /* V_ASN1_*; 0 ends the list */
    const char       *value;
    int               len;          /* -1: strlen() */
} pki_test_attr_t;


typedef struct {
    EVP_PKEY         *key;          /* of the signer */
    X509             *cert;
    const EVP_MD     *md;           /* NULL: MD5 */
    const EVP_CIPHER *cipher;       /* NULL: AES-256-CBC */
    const pki_test_attr_t  *attrs;
    X509             *to;           /* recipients */
    X509             *and_to;       /* or NULL */
    pki_bytes_t       plain;
    unsigned          sign;         /* flags for the signature */
    unsigned          encrypt;      /* flags for the recipients */
    int               twice;        /* two signers */
    size_t            spoil;        /* octet of the envelope that is wrong,
                                       counted from its end; 0: none */
    size_t            spoil_key;    /* likewise of the encrypted key */
} pki_test_scep_t;


static const pki_test_attr_t  pki_test_attrs[] __attribute__((unused)) = {
    { TYPE, V_ASN1_PRINTABLESTRING, "19", -1 },
    { TRANSACTION, V_ASN1_PRINTABLESTRING, TRANSACTION_ID, -1 },
    { SENDER_NONCE, V_ASN1_OCTET_STRING, NONCE, 16 },
    { NULL, 0, NULL, 0 }
};


static const pki_test_attr_t  pki_test_renewal[] __attribute__((unused)) = {
    { TYPE, V_ASN1_PRINTABLESTRING, "17", -1 },
    { TRANSACTION, V_ASN1_PRINTABLESTRING, "1", -1 },
    { SENDER_NONCE, V_ASN1_OCTET_STRING, NONCE, 16 },
    { NULL, 0, NULL, 0 }
};


/* the encrypted key is the first OCTET STRING of 256 octets there */

static void
pki_test_scep_spoil(unsigned char *der, size_t len, const pki_test_scep_t *m)
{
    unsigned char  *p;

    if (m->spoil > 0) {
        der[len - m->spoil] ^= 0x01;
    }

    if (m->spoil_key == 0) {
        return;
    }

    for (p = der; p + 260 < der + len; p++) {
        if (memcmp(p, "\x04\x82\x01\x00", 4) == 0) {
            p[4 + 256 - m->spoil_key] ^= 0x01;
            return;
        }
    }

    pki_test_need(0, "an encrypted key");
}


static pki_bytes_t
pki_test_scep_envelope(const pki_test_scep_t *m)
{
    int               len;
    BIO              *in;
    unsigned char    *der;
    CMS_ContentInfo  *cms;

    in = BIO_new_mem_buf(m->plain.data, (int) m->plain.len);
    cms = CMS_encrypt(NULL, NULL, m->cipher ? m->cipher : EVP_aes_256_cbc(),
                      CMS_BINARY | CMS_PARTIAL);

    pki_test_need(in != NULL && cms != NULL
                  && CMS_add1_recipient_cert(cms, m->to, m->encrypt) != NULL
                  && (m->and_to == NULL
                      || CMS_add1_recipient_cert(cms, m->and_to, 0) != NULL)
                  && CMS_final(cms, in, NULL, CMS_BINARY) == 1, "envelope");

    der = NULL;
    len = i2d_CMS_ContentInfo(cms, &der);
    pki_test_need(len > 0, "envelope's DER");

    pki_test_scep_spoil(der, len, m);

    CMS_ContentInfo_free(cms);
    BIO_free(in);

    return (pki_bytes_t) { der, (size_t) len };
}


static void
pki_test_scep_sign(CMS_ContentInfo *cms, const pki_test_scep_t *m,
    unsigned flags)
{
    CMS_SignerInfo         *si;
    const pki_test_attr_t  *a;

    si = CMS_add1_signer(cms, m->cert, m->key, m->md ? m->md : EVP_md5(),
                         CMS_BINARY | CMS_PARTIAL | CMS_NOSMIMECAP | flags);
    pki_test_need(si != NULL, "signer");

    for (a = m->attrs; a->type; a++) {
        pki_test_need(CMS_signed_add1_attr_by_txt(si, a->oid, a->type,
                                                  a->value, a->len < 0
                                                  ? (int) strlen(a->value)
                                                  : a->len)
                      == 1, a->oid);
    }
}


/* DER, OPENSSL_malloc()ed */

static pki_bytes_t
pki_test_scep(const pki_test_scep_t *m)
{
    int               len;
    BIO              *in;
    pki_bytes_t       envelope;
    unsigned char    *der;
    CMS_ContentInfo  *cms;

    envelope = pki_test_scep_envelope(m);
    in = BIO_new_mem_buf(envelope.data, (int) envelope.len);
    cms = CMS_sign(NULL, NULL, NULL, NULL,
                   CMS_BINARY | CMS_PARTIAL | (m->sign & CMS_DETACHED));
    pki_test_need(in != NULL && cms != NULL, "message");

    pki_test_scep_sign(cms, m, m->sign);

    if (m->twice) {
        pki_test_scep_sign(cms, m, CMS_NOCERTS);
    }

    pki_test_need(CMS_final(cms, in, NULL, CMS_BINARY) == 1, "signature");

    der = NULL;
    len = i2d_CMS_ContentInfo(cms, &der);
    pki_test_need(len > 0, "message's DER");

    CMS_ContentInfo_free(cms);
    BIO_free(in);
    OPENSSL_free((unsigned char *) envelope.data);

    return (pki_bytes_t) { der, (size_t) len };
}


#endif /* PKI_TEST_SCEP_H */

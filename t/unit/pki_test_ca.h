
/*
 * Keys and certificates for the unit tests, made with OpenSSL's own API.
 * Whatever fails here ends the test: nothing of ours is under test.
 */

#ifndef PKI_TEST_CA_H
#define PKI_TEST_CA_H


#include <time.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include "pki_test.h"


#define PKI_TEST_DAY  86400


typedef struct {
    int               nid;          /* 0 ends the list */
    const char       *value;
} pki_test_ext_t;


typedef struct {
    const char       *cn;
    const char       *serial;       /* hexadecimal */
    X509             *issuer;       /* NULL: self-signed */
    EVP_PKEY         *issuer_key;   /* NULL: key */
    EVP_PKEY         *key;
    time_t            from;
    time_t            to;
    const pki_test_ext_t  *exts;
} pki_test_cert_t;


static const pki_test_ext_t  pki_test_ca_exts[] = {
    { NID_basic_constraints, "critical,CA:TRUE" },
    { NID_key_usage, "critical,keyCertSign,cRLSign,digitalSignature" },
    { NID_subject_key_identifier, "hash" },
    { 0, NULL }
};


static const pki_test_ext_t  pki_test_responder_exts[]
    __attribute__((unused)) =
{
    { NID_key_usage, "critical,digitalSignature" },
    { NID_ext_key_usage, "OCSPSigning" },
    { NID_id_pkix_OCSP_noCheck, "ignored" },
    { 0, NULL }
};


static const pki_test_ext_t  pki_test_leaf_exts[] __attribute__((unused)) = {
    { NID_key_usage, "critical,digitalSignature" },
    { NID_ext_key_usage, "clientAuth" },
    { 0, NULL }
};


static void
pki_test_need(int yes, const char *what)
{
    if (!yes) {
        printf("Bail out! %s\n", what);
        exit(1);
    }
}


/* one now for the whole test */

static time_t __attribute__((unused))
pki_test_now(void)
{
    static time_t  now;

    if (now == 0) {
        now = time(NULL);
    }

    return now;
}


/* "P-256", "P-384", "P-521", "RSA2048", "RSA1024", "ED25519", "ED448" */

static EVP_PKEY *
pki_test_key(const char *kind)
{
    EVP_PKEY  *key;

    if (strncmp(kind, "RSA", 3) == 0) {
        key = EVP_RSA_gen((unsigned) atoi(kind + 3));

    } else if (strncmp(kind, "ED", 2) == 0) {
        key = EVP_PKEY_Q_keygen(NULL, NULL, kind);

    } else {
        key = EVP_EC_gen(kind);
    }

    pki_test_need(key != NULL, kind);

    return key;
}


static X509 *
pki_test_cert(const pki_test_cert_t *c)
{
    X509                  *cert;
    BIGNUM                *bn;
    EVP_PKEY              *key;
    X509_NAME             *name;
    X509V3_CTX             ctx;
    X509_EXTENSION        *ext;
    const EVP_MD          *md;
    const pki_test_ext_t  *e;

    bn = NULL;
    cert = X509_new();
    pki_test_need(cert != NULL && BN_hex2bn(&bn, c->serial) != 0, "cert");

    name = X509_get_subject_name(cert);
    key = c->issuer_key ? c->issuer_key : c->key;

    pki_test_need(X509_set_version(cert, X509_VERSION_3) == 1
                  && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert))
                     != NULL
                  && ASN1_TIME_set(X509_getm_notBefore(cert), c->from)
                     != NULL
                  && ASN1_TIME_set(X509_getm_notAfter(cert), c->to) != NULL
                  && X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC,
                                                (unsigned char *) "Test",
                                                -1, -1, 0)
                     == 1
                  && (c->cn == NULL
                      || X509_NAME_add_entry_by_txt(name, "CN",
                                                    MBSTRING_UTF8,
                                                    (unsigned char *) c->cn,
                                                    -1, -1, 0)
                         == 1)
                  && X509_set_issuer_name(cert, c->issuer
                                     ? X509_get_subject_name(c->issuer)
                                     : name)
                     == 1
                  && X509_set_pubkey(cert, c->key) == 1,
                  "certificate's fields");

    X509V3_set_ctx(&ctx, c->issuer ? c->issuer : cert, cert, NULL, NULL, 0);
    X509V3_set_ctx_nodb(&ctx);

    for (e = c->exts; e->nid; e++) {
        ext = X509V3_EXT_conf_nid(NULL, &ctx, e->nid, e->value);
        pki_test_need(ext != NULL && X509_add_ext(cert, ext, -1) == 1,
                      e->value);
        X509_EXTENSION_free(ext);
    }

    md = (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
         ? NULL : EVP_sha256();

    pki_test_need(X509_sign(cert, key, md) > 0, "certificate's signature");

    BN_free(bn);

    return cert;
}


static __attribute__((unused)) X509 *
pki_test_ca(const char *cn, EVP_PKEY *key)
{
    pki_test_cert_t  c;

    memset(&c, 0, sizeof(c));

    c.cn = cn;
    c.serial = "4D2";
    c.key = key;
    c.from = pki_test_now() - 10 * PKI_TEST_DAY;
    c.to = pki_test_now() + 10 * PKI_TEST_DAY;
    c.exts = pki_test_ca_exts;

    return pki_test_cert(&c);
}


static __attribute__((unused)) X509 *
pki_test_issued(const char *cn, const char *serial, X509 *ca,
    EVP_PKEY *ca_key, EVP_PKEY *key, const pki_test_ext_t *exts)
{
    pki_test_cert_t  c;

    memset(&c, 0, sizeof(c));

    c.cn = cn;
    c.serial = serial;
    c.issuer = ca;
    c.issuer_key = ca_key;
    c.key = key;
    c.from = pki_test_now() - PKI_TEST_DAY;
    c.to = pki_test_now() + PKI_TEST_DAY;
    c.exts = exts;

    return pki_test_cert(&c);
}


/* a copy without anything that OpenSSL has cached in the original */

static __attribute__((unused)) X509 *
pki_test_fresh(X509 *cert)
{
    int                   len;
    X509                 *copy;
    unsigned char        *der;
    const unsigned char  *p;

    der = NULL;
    len = i2d_X509(cert, &der);
    pki_test_need(len > 0, "encode");

    p = der;
    copy = d2i_X509(NULL, &p, len);
    pki_test_need(copy != NULL, "decode");

    OPENSSL_free(der);

    return copy;
}


#endif /* PKI_TEST_CA_H */


/*
 * The reader of CRLs against what is broken, what is of others, and what is
 * signed but odd.  What it reads rightly is in pki_crl.c.
 */

#include "pki_test_crl.h"

#include <openssl/err.h>


static void test_broken(void);
static void test_others(void);
static void test_odd_ones(void);
static void test_memory(void);


int
main(void)
{
    test_start();

    test_broken();
    test_others();
    test_odd_ones();
    test_memory();

    test_stop();

    return pki_test_done();
}


static int
test_read(pki_bytes_t der)
{
    int               rc;
    size_t            n;
    pki_err_t         err;
    unsigned char    *copy;
    pki_crl_plan_t    plan;
    pki_crl_entry_t  *entries;

    /* a block of just that size, so that reading over its end shows */

    copy = malloc(der.len ? der.len : 1);
    pki_test_need(copy != NULL, "memory");

    if (der.len) {
        memcpy(copy, der.data, der.len);
    }

    der.data = copy;
    err.text[0] = '\0';
    rc = pki_crl_read(issuer, der, &plan, &entries, &n, &err);

    if (rc != PKI_OK && (entries != NULL || n != 0 || err.text[0] == '\0')) {
        rc = -1;
    }

    OPENSSL_free(entries);
    free(copy);

    return rc;
}


/* What is signed, under our key: SEQUENCE { tbs, ecdsa-with-SHA256, ... } */

static pki_bytes_t
test_signed(pki_bytes_t tbs)
{
    size_t         len, sig_len;
    EVP_MD_CTX    *ctx;
    pki_bytes_t    der;
    unsigned char  sig[128];

    static unsigned char        out[2048];
    static const unsigned char  algorithm[] = {
        0x30, 0x0a, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02
    };

    ctx = EVP_MD_CTX_new();
    sig_len = sizeof(sig);
    pki_test_need(ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL,
                                            ca_key) == 1
                  && EVP_DigestSign(ctx, sig, &sig_len, tbs.data, tbs.len)
                     == 1, "sign");
    EVP_MD_CTX_free(ctx);

    len = tbs.len + sizeof(algorithm) + 3 + sig_len;
    pki_test_need(len > 255 && len + 4 <= sizeof(out), "size");

    out[0] = 0x30;
    out[1] = 0x82;
    out[2] = (unsigned char) (len >> 8);
    out[3] = (unsigned char) len;
    memcpy(out + 4, tbs.data, tbs.len);
    memcpy(out + 4 + tbs.len, algorithm, sizeof(algorithm));
    len = 4 + tbs.len + sizeof(algorithm);
    out[len++] = 0x03;
    out[len++] = (unsigned char) (1 + sig_len);
    out[len++] = 0;
    memcpy(out + len, sig, sig_len);

    der.data = out;
    der.len = len + sig_len;

    return der;
}


/* A small one with everything in it; tbs points into it. */

static pki_bytes_t
test_small(pki_bytes_t *tbs)
{
    pki_bytes_t      der;
    pki_crl_plan_t   plan;
    pki_crl_entry_t  e[2];

    e[0] = test_entry("4001", PKI_REASON_KEY_COMPROMISE);
    e[0].invalidity = TEST_T;
    e[1] = test_entry("4002", PKI_REASON_UNSPECIFIED);
    plan = test_plan(300);
    plan.base = 200;
    plan.partial = 1;
    plan.point = "http://x";
    X509_CRL_free(test_issue(&plan, e, 2, &der));

    pki_test_need(der.data[1] == 0x82 && der.data[4] == 0x30
                  && der.data[5] == 0x82, "its lengths");
    tbs->data = der.data + 4;
    tbs->len = 4 + (tbs->data[2] << 8 | tbs->data[3]);

    return der;
}


static void
test_broken(void)
{
    int             rc, refused, bad;
    size_t          i, n;
    unsigned        k;
    pki_bytes_t     der, tbs, cut;
    unsigned char  *copy;

    static const unsigned char  values[] = { 0x00, 0x01, 0x30, 0x80, 0xff };

    der = test_small(&tbs);
    is_int(test_read(der), PKI_OK, "whole");

    for (refused = 0, n = 0; n < der.len; n++) {
        cut.data = der.data;
        cut.len = n;
        refused += test_read(cut) == PKI_INVALID;
    }

    is_int(refused, der.len, "cut at each octet");

    copy = malloc(der.len + 1);
    pki_test_need(copy != NULL, "memory");
    cut.data = copy;
    cut.len = der.len;

    for (refused = 0, i = 0; i < der.len; i++) {
        memcpy(copy, der.data, der.len);
        copy[i] ^= 0x01;
        refused += test_read(cut) == PKI_INVALID;
    }

    is_int(refused, der.len, "a bit turned in each octet");

    memcpy(copy, der.data, der.len);
    copy[der.len] = 0;
    cut.len = der.len + 1;
    is_int(test_read(cut), PKI_INVALID, "an octet too many");

    /* our key signs any nonsense */

    cut.len = tbs.len;

    for (refused = 0, bad = 0, i = 0; i < tbs.len; i++) {
        for (k = 0; k < sizeof(values); k++) {
            memcpy(copy, tbs.data, tbs.len);
            copy[i] = values[k];
            rc = test_read(test_signed(cut));
            refused += rc == PKI_INVALID;
            bad += rc != PKI_INVALID && rc != PKI_OK;
        }
    }

    is_int(bad, 0, "each octet changed and signed");
    ok(refused > (int) tbs.len, "most are refused: %d of %zu", refused,
       tbs.len * sizeof(values));

    for (refused = 0, n = 1; n < 40; n++) {
        memcpy(copy, tbs.data, tbs.len);
        copy[2] = (unsigned char) ((tbs.len - 4 - n) >> 8);
        copy[3] = (unsigned char) (tbs.len - 4 - n);
        cut.len = tbs.len - n;

        if (cut.len - 4 > 255) {
            refused += test_read(test_signed(cut)) == PKI_INVALID;
        } else {
            refused++;
        }
    }

    is_int(refused, 39, "the end missing, and signed");

    free(copy);
    test_free(der);
}


static void
test_others(void)
{
    X509             *cert;
    EVP_PKEY         *key;
    pki_err_t         err;
    pki_bytes_t       der;
    pki_crl_plan_t    plan;

    /* another key with our name, our key with another name */

    key = pki_test_key("P-256");
    cert = pki_test_ca("Test CA", key);
    plan = test_plan(1);
    plan.issuer = pki_issuer_create(cert, key, &err);
    pki_test_need(plan.issuer != NULL, err.text);
    X509_CRL_free(test_issue(&plan, NULL, 0, &der));
    is_int(test_read(der), PKI_INVALID, "of another key");
    test_free(der);
    pki_issuer_free((pki_issuer_t *) plan.issuer);
    X509_free(cert);
    EVP_PKEY_free(key);

    cert = pki_test_ca("Another CA", ca_key);
    plan.issuer = pki_issuer_create(cert, ca_key, &err);
    pki_test_need(plan.issuer != NULL, err.text);
    X509_CRL_free(test_issue(&plan, NULL, 0, &der));
    is_int(test_read(der), PKI_INVALID, "of another name");
    test_free(der);
    pki_issuer_free((pki_issuer_t *) plan.issuer);
    X509_free(cert);

    der.data = (const unsigned char *) "";
    der.len = 0;
    is_int(test_read(der), PKI_INVALID, "nothing");
    is_int(ERR_peek_error(), 0, "OpenSSL's errors are gone");
}


/* CRLs that OpenSSL makes for us, with something that we would not write */

typedef enum {
    TEST_PLAIN = 0,
    TEST_V1,
    TEST_LONG_NUMBER,
    TEST_NEGATIVE_NUMBER,
    TEST_UNKNOWN,
    TEST_LONG_SERIAL,
    TEST_NEGATIVE_SERIAL,
    TEST_REASON_7,
    TEST_TWICE
} test_odd_t;


static void
test_odd_entry(X509_CRL *crl, const char *hex, int reason)
{
    BIGNUM           *bn = NULL;
    ASN1_TIME        *at;
    ASN1_INTEGER     *serial = NULL;
    X509_REVOKED     *revoked;
    ASN1_ENUMERATED  *e;

    at = ASN1_TIME_set(NULL, TEST_T);
    revoked = X509_REVOKED_new();
    e = ASN1_ENUMERATED_new();
    pki_test_need(BN_hex2bn(&bn, hex) && at && revoked && e
                  && (serial = BN_to_ASN1_INTEGER(bn, NULL))
                  && X509_REVOKED_set_serialNumber(revoked, serial) == 1
                  && X509_REVOKED_set_revocationDate(revoked, at) == 1
                  && ASN1_ENUMERATED_set(e, reason) == 1
                  && X509_REVOKED_add1_ext_i2d(revoked, NID_crl_reason, e, 0,
                                               0) == 1
                  && X509_CRL_add0_revoked(crl, revoked) == 1, "entry");
    ASN1_ENUMERATED_free(e);
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(at);
    BN_free(bn);
}


static void
test_odd(test_odd_t odd, int want, const char *name)
{
    int             len;
    BIGNUM         *bn = NULL;
    X509_CRL       *crl;
    ASN1_TIME      *at;
    pki_bytes_t     der;
    ASN1_INTEGER   *number = NULL;
    unsigned char  *out = NULL;

    crl = X509_CRL_new();
    at = ASN1_TIME_set(NULL, TEST_T);
    pki_test_need(crl && at
                  && X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca))
                  && X509_CRL_set1_lastUpdate(crl, at)
                  && X509_CRL_set1_nextUpdate(crl, at), "CRL");

    if (odd != TEST_V1) {
        pki_test_need(BN_hex2bn(&bn, odd == TEST_LONG_NUMBER
                                     ? "010000000000000000"
                                     : odd == TEST_NEGATIVE_NUMBER
                                       ? "-1" : "11")
                      && (number = BN_to_ASN1_INTEGER(bn, NULL))
                      && X509_CRL_set_version(crl, X509_CRL_VERSION_2)
                      && X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0,
                                               0) == 1, "version 2");

        if (odd == TEST_UNKNOWN) {
            pki_test_need(X509_CRL_add1_ext_i2d(crl, NID_netscape_comment,
                                                number, 0, 0) == 1, "ext");
        }

        test_odd_entry(crl, odd == TEST_LONG_SERIAL
                            ? "41424344454647484950515253545556575859606162"
                            : odd == TEST_NEGATIVE_SERIAL ? "-41" : "4001",
                       odd == TEST_REASON_7 ? 7 : 1);

        if (odd == TEST_TWICE) {
            test_odd_entry(crl, "4001", 4);
        }

        ASN1_INTEGER_free(number);
        BN_free(bn);
    }

    pki_test_need(X509_CRL_sign(crl, ca_key, EVP_sha256()) > 0, "sign");
    len = i2d_X509_CRL(crl, &out);
    pki_test_need(len > 0, "encode");
    der.data = out;
    der.len = (size_t) len;
    is_int(test_read(der), want, "%s", name);

    OPENSSL_free(out);
    ASN1_TIME_free(at);
    X509_CRL_free(crl);
}


static void
test_odd_ones(void)
{
    test_odd(TEST_PLAIN, PKI_OK, "as OpenSSL makes it");
    test_odd(TEST_V1, PKI_INVALID, "version 1");
    test_odd(TEST_LONG_NUMBER, PKI_INVALID, "a number of 65 bits");
    test_odd(TEST_NEGATIVE_NUMBER, PKI_INVALID, "a negative number");
    test_odd(TEST_UNKNOWN, PKI_OK, "an extension that we do not know");
    test_odd(TEST_LONG_SERIAL, PKI_INVALID, "a serial of 22 octets");
    test_odd(TEST_NEGATIVE_SERIAL, PKI_INVALID, "a negative serial");
    test_odd(TEST_REASON_7, PKI_INVALID, "the reason that there is not");
    test_odd(TEST_TWICE, PKI_OK, "a serial twice");
}


static void
test_memory(void)
{
    long              i;
    size_t            n;
    pki_rc_t          rc;
    pki_err_t         err;
    pki_bytes_t       der, tbs;
    pki_crl_plan_t    plan;
    pki_crl_entry_t  *entries;

    der = test_small(&tbs);

    for (i = 1; i < 1000; i++) {
        pki_test_fail_at(i);
        rc = pki_crl_read(issuer, der, &plan, &entries, &n, &err);
        pki_test_fail_at(0);

        if (rc == PKI_OK) {
            break;
        }

        if (entries != NULL || n != 0 || err.text[0] == '\0') {
            ok(0, "without allocation %ld: %d", i, (int) rc);
        }
    }

    ok(i > 2 && i < 1000, "none survives %ld failures", i - 1);
    OPENSSL_free(entries);
    test_free(der);
}

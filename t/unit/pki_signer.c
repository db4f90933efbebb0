
/*
 * Who may sign for a CA, what a certificate issued for it looks like, and
 * that OpenSSL accepts each signature.
 */

#include "pki_test_ca.h"

#include <openssl/err.h>
#include "pki_issuer.h"


static time_t         now;
static EVP_PKEY      *ca_key, *key, *other_key;
static X509          *ca;
static pki_issuer_t  *issuer;


static void test_own(void);
static void test_delegated(void);
static void test_refused(void);
static void test_refuse(X509 *cert, EVP_PKEY *k, const char *why,
    const char *name);
static void test_keys(void);
static void test_choose(void);
static void test_issue(const char *ca_kind, pki_key_type_t type,
    const char *want);
static void test_issue_times(void);
static void test_issue_again(void);
static void test_issue_names(void);
static void test_issue_refused(void);
static void test_memory(void);
static void test_sign(pki_signer_t *signer, const char *name);
static X509 *signer_cert(const pki_signer_t *signer);


static const unsigned char  oids[][9] = {
    { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02 },
    { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03 },
    { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04 },
    { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b },
    { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d },
    { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05 },   /* SHA-1 */
    { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01 }                /* SHA-1 */
};


int
main(void)
{
    pki_err_t  err;

    pki_test_alloc_hook();

    now = pki_test_now();
    ca_key = pki_test_key("P-256");
    key = pki_test_key("P-256");
    other_key = pki_test_key("P-256");
    ca = pki_test_ca("Test CA", ca_key);

    issuer = pki_issuer_create(ca, ca_key, &err);
    pki_test_need(issuer != NULL, err.text);

    test_own();
    test_delegated();
    test_refused();
    test_keys();
    test_choose();
    test_issue("P-256", PKI_KEY_P256, "ecdsa-with-SHA256");
    test_issue("P-384", PKI_KEY_P256, "ecdsa-with-SHA384");
    test_issue("P-521", PKI_KEY_P256, "ecdsa-with-SHA512");
    test_issue("RSA2048", PKI_KEY_RSA2048, "sha256WithRSAEncryption");
    test_issue("ED25519", PKI_KEY_P256, "ED25519");
    test_issue("ED448", PKI_KEY_RSA2048, "ED448");
    test_issue("RSA-PSS", PKI_KEY_P256, "rsassaPss");
    test_issue_times();
    test_issue_again();
    test_issue_names();
    test_issue_refused();
    test_memory();

    pki_signer_free(NULL);
    pki_issuer_free(issuer);
    X509_free(ca);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other_key);

    return pki_test_done();
}


static void
test_own(void)
{
    pki_err_t      err;
    pki_signer_t  *signer;

    signer = pki_signer_create(issuer, ca, ca_key, &err);
    ok(signer != NULL, "the CA signs");
    pki_test_need(signer != NULL, err.text);

    is_int(pki_signer_cert(signer).len, 0, "its certificate stays out");
    is_mem(pki_signer_fingerprint(signer), issuer->fingerprint,
           PKI_FINGERPRINT_LEN, "its fingerprint");
    is_int(pki_signer_key_hash(signer).len, 20, "SHA-1 of the key");
    is_mem(pki_signer_key_hash(signer).data,
           issuer->hash[PKI_DIGEST_SHA1].key, 20, "is the issuer's");
    test_sign(signer, "the CA");

    pki_signer_free(signer);
}


static void
test_delegated(void)
{
    X509          *cert, *copy;
    time_t         from, to;
    pki_err_t      err;
    pki_bytes_t    der;
    pki_signer_t  *signer;

    cert = pki_test_issued("responder", "0102", ca, ca_key, key,
                           pki_test_responder_exts);
    signer = pki_signer_create(issuer, cert, key, &err);
    ok(signer != NULL, "a delegated responder");
    pki_test_need(signer != NULL, err.text);

    copy = signer_cert(signer);
    der = pki_signer_cert(signer);
    ok(X509_cmp(copy, cert) == 0, "its certificate");
    is_int(i2d_X509(copy, NULL), der.len, "and no octet more");
    X509_free(copy);

    from = pki_signer_not_before(signer);
    to = pki_signer_not_after(signer);

    is_int(to - from, 2 * PKI_TEST_DAY, "two days");
    ok(pki_signer_valid(signer, now), "valid now");
    ok(pki_signer_valid(signer, from), "valid at its start");
    ok(pki_signer_valid(signer, to), "valid at its end");
    ok(!pki_signer_valid(signer, from - 1), "not before");
    ok(!pki_signer_valid(signer, to + 1), "not after");

    /* the signer lives on its own references */

    X509_free(cert);
    test_sign(signer, "a delegated responder");

    pki_signer_free(signer);
}


static void
test_refused(void)
{
    X509      *cert, *ca2, *fresh;
    EVP_PKEY  *pub, *rsa;

    static const pki_test_ext_t  no_eku[] = {
        { NID_key_usage, "critical,digitalSignature" },
        { 0, NULL }
    };

    static const pki_test_ext_t  bad_ku[] = {
        { NID_key_usage, "critical,keyEncipherment" },
        { NID_ext_key_usage, "OCSPSigning" },
        { 0, NULL }
    };

    static const pki_test_ext_t  any_eku[] = {
        { NID_ext_key_usage, "anyExtendedKeyUsage" },
        { 0, NULL }
    };

    cert = pki_test_issued("r", "01", ca, ca_key, key,
                           pki_test_responder_exts);
    test_refuse(cert, other_key, "the key does not belong", "wrong key");

    /* the right public key, nothing to sign with */

    fresh = pki_test_fresh(cert);
    pub = X509_get_pubkey(fresh);
    test_refuse(cert, pub, "could not sign", "no private key");
    EVP_PKEY_free(pub);
    X509_free(fresh);
    X509_free(cert);

    cert = pki_test_issued("r", "01", ca, ca_key, key, no_eku);
    test_refuse(cert, key, "the responder certificate lacks", "no EKU");
    X509_free(cert);

    cert = pki_test_issued("r", "01", ca, ca_key, key, any_eku);
    test_refuse(cert, key, "the responder certificate lacks", "any EKU");
    X509_free(cert);

    cert = pki_test_issued("r", "01", ca, ca_key, key, pki_test_leaf_exts);
    test_refuse(cert, key, "the responder certificate lacks", "client EKU");
    X509_free(cert);

    cert = pki_test_issued("r", "01", ca, ca_key, key, bad_ku);
    test_refuse(cert, key, "the responder certificate's key usage",
                "key usage");
    X509_free(cert);

    cert = pki_test_issued("r", "01", NULL, NULL, key,
                           pki_test_responder_exts);
    test_refuse(cert, key, "the responder certificate was not issued",
                "self-signed");
    X509_free(cert);

    ca2 = pki_test_ca("Test CA 2", other_key);
    cert = pki_test_issued("r", "01", ca2, other_key, key,
                           pki_test_responder_exts);
    test_refuse(cert, key, "the responder certificate was not issued",
                "another CA's");
    test_refuse(ca2, other_key, "the responder certificate was not issued",
                "another CA");
    X509_free(cert);
    X509_free(ca2);

    ca2 = pki_test_ca("Test CA", other_key);
    cert = pki_test_issued("r", "01", ca2, other_key, key,
                           pki_test_responder_exts);
    test_refuse(cert, key, "the CA's signature", "another CA of that name");
    X509_free(cert);
    X509_free(ca2);

    rsa = EVP_RSA_gen(512);
    pki_test_need(rsa != NULL, "RSA-512");
    cert = pki_test_issued("r", "01", ca, ca_key, rsa,
                           pki_test_responder_exts);
    test_refuse(cert, rsa, "a key of this kind or size", "RSA-512");
    X509_free(cert);
    EVP_PKEY_free(rsa);

    rsa = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    pki_test_need(rsa != NULL, "X25519");
    cert = pki_test_issued("r", "01", ca, ca_key, rsa,
                           pki_test_responder_exts);
    test_refuse(cert, rsa, "a key of this kind or size", "X25519");
    X509_free(cert);
    EVP_PKEY_free(rsa);

    is_int(ERR_peek_error(), 0, "no error is left behind");
}


static void
test_refuse(X509 *cert, EVP_PKEY *k, const char *why, const char *name)
{
    pki_err_t      err;
    pki_signer_t  *signer;

    err.text[0] = '\0';
    signer = pki_signer_create(issuer, cert, k, &err);

    ok(signer == NULL, "%s is refused", name);
    ok(strncmp(err.text, why, strlen(why)) == 0, "%s: %s", name, err.text);

    pki_signer_free(signer);
}


static void
test_keys(void)
{
    size_t         i;
    X509          *cert;
    EVP_PKEY      *k;
    pki_err_t      err;
    pki_signer_t  *signer;

    static const char *const  kinds[] = {
        "P-224", "P-384", "P-521", "secp256k1", "RSA1024", "RSA2048",
        "RSA3072", "ED25519", "ED448"
    };

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        k = pki_test_key(kinds[i]);
        cert = pki_test_issued("r", "01", ca, ca_key, k,
                               pki_test_responder_exts);
        signer = pki_signer_create(issuer, cert, k, &err);
        ok(signer != NULL, "a %s signer", kinds[i]);
        pki_test_need(signer != NULL, err.text);
        test_sign(signer, kinds[i]);

        pki_signer_free(signer);
        X509_free(cert);
        EVP_PKEY_free(k);
    }
}


static void
test_choose(void)
{
    X509          *cert;
    EVP_PKEY      *rsa;
    pki_err_t      err;
    pki_bytes_t    wish[3];
    pki_signer_t  *ec, *rs;

    rsa = pki_test_key("RSA2048");
    cert = pki_test_issued("r", "01", ca, ca_key, rsa,
                           pki_test_responder_exts);
    rs = pki_signer_create(issuer, cert, rsa, &err);
    ec = pki_signer_create(issuer, ca, ca_key, &err);
    pki_test_need(rs && ec, err.text);

    is_int(pki_signer_choose(ec, NULL, 0), 0, "no wish");

    wish[0] = (pki_bytes_t) { oids[0], 8 };
    is_int(pki_signer_choose(ec, wish, 1), 0, "the default");

    wish[0] = (pki_bytes_t) { oids[2], 8 };
    ok(pki_signer_choose(ec, wish, 1) != 0, "another");
    is_mem(pki_signer_algorithm(ec, pki_signer_choose(ec, wish, 1)).data + 4,
           oids[2], 8, "which is ecdsa-with-SHA512");

    wish[1] = (pki_bytes_t) { oids[0], 8 };
    ok(pki_signer_choose(ec, wish, 2) != 0, "the first that fits");

    wish[0] = (pki_bytes_t) { oids[3], 9 };
    is_int(pki_signer_choose(ec, wish, 2), 0, "not RSA, then the default");

    wish[1] = (pki_bytes_t) { oids[6], 7 };
    wish[2] = (pki_bytes_t) { oids[5], 9 };
    is_int(pki_signer_choose(ec, wish, 3), 0, "never SHA-1");
    is_int(pki_signer_choose(rs, wish + 1, 2), 0, "nor with RSA");

    wish[0] = (pki_bytes_t) { oids[4], 9 };
    ok(pki_signer_choose(rs, wish, 1) != 0, "RSA with SHA-512");

    wish[0] = (pki_bytes_t) { NULL, 0 };
    is_int(pki_signer_choose(rs, wish, 1), 0, "an empty wish");

    pki_signer_free(ec);
    pki_signer_free(rs);
    X509_free(cert);
    EVP_PKEY_free(rsa);
}


static void
test_issue(const char *ca_kind, pki_key_type_t type, const char *want)
{
    int                   crit;
    void                 *ext;
    X509                 *cert, *x;
    EVP_PKEY             *k;
    pki_err_t             err;
    pki_issuer_t         *is;
    pki_signer_t         *signer;
    const ASN1_INTEGER   *serial;
    char                  cn[64];

    if (strcmp(ca_kind, "RSA-PSS") == 0) {
        EVP_PKEY_CTX  *ctx;

        k = NULL;
        ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
        pki_test_need(ctx != NULL && EVP_PKEY_keygen_init(ctx) == 1
                      && EVP_PKEY_generate(ctx, &k) == 1, ca_kind);
        EVP_PKEY_CTX_free(ctx);

    } else {
        k = pki_test_key(ca_kind);
    }

    x = pki_test_ca("Issuing CA", k);
    is = pki_issuer_create(x, k, &err);
    pki_test_need(is != NULL, err.text);

    signer = pki_signer_issue(is, type, NULL, now, 3600, 7200, &err);
    ok(signer != NULL, "%s CA issues", ca_kind);
    pki_test_need(signer != NULL, err.text);

    cert = signer_cert(signer);

    is_int(X509_get_version(cert), X509_VERSION_3, "v3");
    is_str(OBJ_nid2ln(X509_get_signature_nid(cert)), want, "signature");
    is_int(X509_verify(cert, k), 1, "it verifies");
    is_int(X509_check_issued(x, cert), X509_V_OK, "issued by the CA");

    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName,
                              cn, sizeof(cn));
    is_str(cn, "Issuing CA OCSP responder", "subject");
    is_int(X509_NAME_entry_count(X509_get_subject_name(cert)), 1,
           "just a name");

    serial = X509_get0_serialNumber(cert);
    ok(ASN1_STRING_length(serial) == PKI_SERIAL_LEN
       && ASN1_STRING_get0_data(serial)[0] == 0x01, "serial of its own kind");

    is_int(X509_get_key_usage(cert), KU_DIGITAL_SIGNATURE, "key usage");
    is_int(X509_get_extended_key_usage(cert), XKU_OCSP_SIGN, "EKU");

    ext = X509_get_ext_d2i(cert, NID_ext_key_usage, &crit, NULL);
    is_int(crit, 0, "EKU not critical");
    EXTENDED_KEY_USAGE_free(ext);

    ext = X509_get_ext_d2i(cert, NID_id_pkix_OCSP_noCheck, &crit, NULL);
    ok(ext != NULL && crit == 0, "nocheck");
    ASN1_NULL_free(ext);

    ok(X509_get0_authority_key_id(cert) != NULL
       && ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(cert),
                                X509_get0_subject_key_id(x))
          == 0,
       "authority key id");
    ok(X509_get0_subject_key_id(cert) != NULL, "subject key id");

    ok(EVP_PKEY_is_a(X509_get0_pubkey(cert),
                     type == PKI_KEY_RSA2048 ? "RSA" : "EC"), "key type");
    is_int(pki_signer_not_before(signer), now - 3600, "from");
    is_int(pki_signer_not_after(signer), now + 7200, "to");

    test_sign(signer, "the issued one");

    X509_free(cert);
    pki_signer_free(signer);
    pki_issuer_free(is);
    X509_free(x);
    EVP_PKEY_free(k);
}


static void
test_issue_times(void)
{
    size_t         i;
    pki_err_t      err;
    pki_signer_t  *signer;
    const time_t   first = now - 10 * PKI_TEST_DAY;
    const time_t   last = now + 10 * PKI_TEST_DAY;

    struct {
        const char  *name;
        time_t       now, backdate, valid, from, to;
    } rows[] = {
        { "plain", now, 60, 120, now - 60, now + 120 },
        { "back too far", now, 11 * PKI_TEST_DAY, 60, first, now + 60 },
        { "too long", now, 60, 11 * PKI_TEST_DAY, now - 60, last },
        { "at its very start", first, 60, 60, first, first + 60 },
        { "at its very end", last - 1, 60, 60, last - 61, last },
        { "too early", first - 1, 60, 60, 0, 0 },
        { "too late", last, 60, 60, 0, 0 }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        signer = pki_signer_issue(issuer, PKI_KEY_P256, NULL, rows[i].now,
                                  rows[i].backdate, rows[i].valid, &err);

        if (rows[i].to == 0) {
            ok(signer == NULL, "%s: %s", rows[i].name, err.text);

        } else {
            ok(signer != NULL
               && pki_signer_not_before(signer) == rows[i].from
               && pki_signer_not_after(signer) == rows[i].to,
               "%s", rows[i].name);
        }

        pki_signer_free(signer);
    }
}


static void
test_issue_again(void)
{
    X509          *ca_, *cb;
    pki_err_t      err;
    pki_signer_t  *a, *b;

    a = pki_signer_issue(issuer, PKI_KEY_P256, NULL, now, 60, 60, &err);
    b = pki_signer_issue(issuer, PKI_KEY_RSA2048, a, now, 60, 90, &err);
    pki_test_need(a && b, err.text);

    is_mem(pki_signer_key_hash(a).data, pki_signer_key_hash(b).data, 20,
           "the old key stays");
    ok(memcmp(pki_signer_fingerprint(a), pki_signer_fingerprint(b),
              PKI_FINGERPRINT_LEN)
       != 0, "in another certificate");

    ca_ = signer_cert(a);
    cb = signer_cert(b);
    ok(ASN1_INTEGER_cmp(X509_get0_serialNumber(ca_),
                        X509_get0_serialNumber(cb)) != 0,
       "with another serial");
    X509_free(ca_);
    X509_free(cb);

    pki_signer_free(a);
    test_sign(b, "the renewed one");
    pki_signer_free(b);
}


/* no CN, a long one, one of many octets, no key identifier */

static void
test_issue_names(void)
{
    int               i, n;
    char              cn[256], want[256];
    X509             *cert, *x;
    pki_err_t         err;
    pki_issuer_t     *is;
    pki_signer_t     *signer;
    unsigned char    *utf8;
    X509_NAME_ENTRY  *e;

    static const pki_test_ext_t  bare[] = {
        { NID_basic_constraints, "critical,CA:TRUE" },
        { 0, NULL }
    };

    for (i = 0; i < 3; i++) {
        cn[0] = '\0';
        want[0] = '\0';

        for (n = 0; i && n < 64; n++) {
            strcat(cn, i == 1 ? "x" : "\xc3\xa9");

            if (n < 49) {
                strcat(want, i == 1 ? "x" : "\xc3\xa9");
            }
        }

        strcat(want, i ? " OCSP responder" : "OCSP responder");

        x = pki_test_issued(i ? cn : NULL, "01", NULL, NULL, ca_key, bare);
        is = pki_issuer_create(x, ca_key, &err);
        pki_test_need(is != NULL, err.text);

        signer = pki_signer_issue(is, PKI_KEY_P256, NULL, now, 60, 60, &err);
        pki_test_need(signer != NULL, err.text);
        cert = signer_cert(signer);

        e = X509_NAME_get_entry(X509_get_subject_name(cert), 0);
        n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(e));
        ok(n == (int) strlen(want) && memcmp(utf8, want, n) == 0,
           "name %d", i);
        OPENSSL_free(utf8);

        ok(X509_get0_authority_key_id(cert) == NULL,
           "no authority key id without the CA's");

        X509_free(cert);
        pki_signer_free(signer);
        pki_issuer_free(is);
        X509_free(x);
    }
}


static void
test_issue_refused(void)
{
    X509          *x;
    EVP_PKEY      *pub;
    pki_err_t      err;
    pki_issuer_t  *is;

    is = pki_issuer_create(ca, NULL, &err);
    ok(pki_signer_issue(is, PKI_KEY_P256, NULL, now, 60, 60, &err) == NULL,
       "no CA key");
    ok(strncmp(err.text, "the CA's key is not here", 24) == 0, "why");
    pki_issuer_free(is);

    x = pki_test_fresh(ca);
    pub = X509_get_pubkey(x);
    is = pki_issuer_create(x, pub, &err);
    ok(pki_signer_issue(is, PKI_KEY_P256, NULL, now, 60, 60, &err) == NULL,
       "half a CA key");
    ok(strncmp(err.text, "could not issue", 15) == 0, "why");
    pki_issuer_free(is);
    EVP_PKEY_free(pub);
    X509_free(x);
}


static void
test_memory(void)
{
    int             hit, bad;
    long            n;
    X509           *cert;
    size_t          len;
    pki_err_t       err;
    pki_bytes_t     data;
    pki_signer_t   *signer;
    unsigned char   sig[256];

    bad = 0;
    hit = 1;

    cert = pki_test_issued("r", "01", ca, ca_key, key,
                           pki_test_responder_exts);

    for (n = 1; hit; n++) {
        X509  *fresh = pki_test_fresh(cert);

        err.text[0] = '\0';

        pki_test_fail_at(n);
        signer = pki_signer_create(issuer, fresh, key, &err);
        hit = pki_test_fail_hit();
        pki_test_fail_at(0);

        bad += (signer == NULL && (!hit || err.text[0] == '\0'));

        pki_signer_free(signer);
        X509_free(fresh);
        ERR_clear_error();
    }

    is_int(bad, 0, "creating: each of %ld allocations fails", n - 2);

    hit = 1;

    for (n = 1; hit; n++) {
        err.text[0] = '\0';

        pki_test_fail_at(n);
        signer = pki_signer_issue(issuer, PKI_KEY_P256, NULL, now, 60, 60,
                                  &err);
        hit = pki_test_fail_hit();
        pki_test_fail_at(0);

        bad += (signer == NULL && (!hit || err.text[0] == '\0'));

        pki_signer_free(signer);
        ERR_clear_error();
    }

    is_int(bad, 0, "issuing: each of %ld allocations fails", n - 2);

    signer = pki_signer_create(issuer, cert, key, &err);
    pki_test_need(signer != NULL, err.text);

    data.data = (unsigned char *) "data";
    data.len = 4;
    hit = 1;

    for (n = 1; hit; n++) {
        pki_rc_t  rc;

        err.text[0] = '\0';

        pki_test_fail_at(n);
        rc = pki_signer_sign(signer, 1, data, sig, &len, &err);
        hit = pki_test_fail_hit();
        pki_test_fail_at(0);

        bad += (rc != PKI_OK && (!hit || err.text[0] == '\0'));
        bad += (rc == PKI_OK && len > pki_signer_size(signer));
        ERR_clear_error();
    }

    is_int(bad, 0, "signing: each of %ld allocations fails", n - 2);
    test_sign(signer, "afterwards");

    pki_signer_free(signer);
    X509_free(cert);
}


/* each algorithm of a signer, checked as a certificate's would be */

static void
test_sign(pki_signer_t *signer, const char *name)
{
    X509                 *cert;
    size_t                len, max;
    unsigned              a, n;
    EVP_PKEY             *pub;
    X509_ALGOR           *alg;
    pki_err_t             err;
    pki_bytes_t           data, der;
    EVP_MD_CTX           *ctx;
    const EVP_MD         *md;
    unsigned char        *sig;
    const unsigned char  *p;
    int                   md_nid, kind, nid;
    const ASN1_OBJECT    *obj;

    cert = signer_cert(signer);
    pub = X509_get0_pubkey(cert);
    n = (EVP_PKEY_is_a(pub, "ED25519") || EVP_PKEY_is_a(pub, "ED448"))
        ? 1 : 3;

    max = pki_signer_size(signer);
    sig = malloc(max);
    ctx = EVP_MD_CTX_new();
    pki_test_need(sig != NULL && ctx != NULL, "memory");

    data.data = (unsigned char *) "to be signed";
    data.len = 12;

    /* twice round: what stands ready is used again, not used up */

    for (a = 0; a < 2 * n; a++) {
        der = pki_signer_algorithm(signer, a % n);
        p = der.data;
        alg = d2i_X509_ALGOR(NULL, &p, (long) der.len);
        pki_test_need(alg != NULL && p == der.data + der.len, "algorithm");

        X509_ALGOR_get0(&obj, &kind, NULL, alg);
        nid = OBJ_obj2nid(obj);

        pki_test_need(OBJ_find_sigid_algs(nid, &md_nid, NULL) == 1, "nid");
        md = md_nid == NID_undef ? NULL : EVP_get_digestbynid(md_nid);

        ok(pki_signer_sign(signer, a % n, data, sig, &len, &err) == PKI_OK
           && len <= max
           && EVP_MD_CTX_reset(ctx) == 1
           && EVP_DigestVerifyInit(ctx, NULL, md, NULL, pub) == 1
           && EVP_DigestVerify(ctx, sig, len, data.data, data.len) == 1,
           "%s: %s", name, OBJ_nid2sn(nid));

        is_int(kind, EVP_PKEY_is_a(pub, "RSA") ? V_ASN1_NULL : V_ASN1_UNDEF,
               "its parameters");

        X509_ALGOR_free(alg);
    }

    free(sig);
    EVP_MD_CTX_free(ctx);
    X509_free(cert);
}


static X509 *
signer_cert(const pki_signer_t *signer)
{
    X509                 *cert;
    pki_bytes_t           der;
    const unsigned char  *p;

    der = pki_signer_cert(signer);

    if (der.len == 0) {
        return pki_test_fresh(ca);
    }

    p = der.data;
    cert = d2i_X509(NULL, &p, (long) der.len);
    pki_test_need(cert != NULL, "decode");

    return cert;
}

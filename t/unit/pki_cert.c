
/*
 * Certificates that are issued: their content, octet by octet where a client
 * looks at it, for each kind of key; and that nothing else of a request comes
 * into one.
 */

#include "pki_test_csr.h"

#include <openssl/x509_vfy.h>
#include "pki_cert.h"
#include "pki_name.h"


#define GUID    "d6b58414-60ed-426b-b382-276a3e8d626d"
#define TENANT  "9d8f1b3a-0102-4304-8506-0708090a0b0c"
#define SERIAL  "4039B3BB1484B5D6ED606B42B382276A3E8D626D"
#define NOW     1790000000
#define DAY     86400

#define ALL_KU                                                                \
    "digitalSignature,nonRepudiation,keyEncipherment,dataEncipherment,"       \
    "keyAgreement,encipherOnly,decipherOnly"


static EVP_PKEY         *key, *ca_key;
static X509             *ca;
static pki_issuer_t     *issuer;
static pki_profile_t     profile;
static pki_cert_urls_t   urls;
static pki_serial_t      serial;
static pki_binding_t     binding;


static void test_sample(void);
static void test_ends(void);
static void test_keys(void);
static void test_usages(void);
static void test_points(void);
static void test_optional(void);
static void test_names(void);
static void test_renewal(void);
static void test_refused(void);
static void test_issuers(void);
static void test_memory(void);
static X509 *issued(pki_csr_t *csr);
static X509 *asked(EVP_PKEY *k, const char *sans, const char *usage,
    const char *ekus);
static int key_usage(X509 *cert);
static const ASN1_OCTET_STRING *extension(X509 *cert, const char *oid,
    int *critical);
static void has(X509 *cert, const char *oid, int critical, const char *octets,
    size_t len, const char *name);
static time_t seconds(const ASN1_TIME *at);


int
main(void)
{
    pki_err_t        err;
    pki_test_cert_t  c;

    pki_test_alloc_hook();

    key = pki_test_key("P-256");
    ca_key = pki_test_key("P-256");

    memset(&c, 0, sizeof(c));
    c.cn = "SCEPman-Root-CA-V1";
    c.serial = "4D2";
    c.key = ca_key;
    c.from = NOW - 100 * DAY;
    c.to = NOW + 3650LL * DAY;
    c.exts = pki_test_ca_exts;
    ca = pki_test_cert(&c);

    issuer = pki_issuer_create(ca, ca_key, &err);
    pki_test_need(issuer != NULL
                  && pki_serial_from_text(SERIAL, 40, &serial) == PKI_OK
                  && pki_guid_from_text(TENANT, 36, profile.tenant) == PKI_OK
                  && pki_guid_from_text(GUID, 36, binding.payload) == PKI_OK,
                  "a CA");

    profile.keys = PKI_KEYS_ALL;
    profile.default_ekus[0] = "1.3.6.1.5.5.7.3.2";
    profile.ndefault_ekus = 1;
    profile.default_key_usage = KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT;
    profile.backdate = DAY;
    urls.ocsp[0] = "http://pki.example.com/ocsp";
    urls.ca_issuers[0] = "https://pki.example.com/ca";
    urls.lifetime = 200 * DAY;

    test_sample();
    test_ends();
    test_keys();
    test_usages();
    test_points();
    test_optional();
    test_names();
    test_renewal();
    test_refused();
    test_issuers();
    test_memory();

    pki_issuer_free(issuer);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);

    return pki_test_done();
}


/* as the sample of an Intune device: order, criticality, octets */

static void
test_sample(void)
{
    int                     i;
    char                    oid[64];
    X509                   *cert;
    EVP_PKEY               *rsa;
    pki_csr_t              *csr;
    pki_test_req_t          r;
    X509_STORE             *store;
    X509_STORE_CTX         *ctx;
    const X509_EXTENSION   *ext;

    static const pki_test_ext_t  exts[] = {
        { NID_ext_key_usage, "critical,clientAuth" },
        { NID_key_usage, "digitalSignature,keyEncipherment" },
        { NID_subject_alt_name, PKI_TEST_UPN GUID "@example.com" },
        { NID_netscape_cert_type, "sslCA" },
        { NID_netscape_comment, "mine" },
        { 0, NULL }
    };

    static const char  *const order[] = {
        "2.5.29.17", "2.5.29.35", "2.5.29.14", "2.5.29.19", "2.5.29.15",
        "2.5.29.37", "1.3.6.1.5.5.7.1.1", "1.2.840.113556.5.14",
        "1.2.840.113556.1.5.284.2"
    };

    rsa = pki_test_key("RSA2048");
    memset(&r, 0, sizeof(pki_test_req_t));
    r.key = rsa;
    r.subject = "CN=" GUID;
    r.exts = exts;
    csr = pki_test_csr(&r);
    profile.microsoft = 1;
    cert = issued(csr);
    profile.microsoft = 0;

    is_int(X509_get_version(cert), X509_VERSION_3, "version 3");
    is_int(ASN1_STRING_length(X509_get0_serialNumber(cert)), 20, "serial");
    is_mem(ASN1_STRING_get0_data(X509_get0_serialNumber(cert)), serial.data,
           20, "serial");
    ok(X509_NAME_cmp(X509_get_issuer_name(cert), X509_get_subject_name(ca))
       == 0, "issuer");
    ok(X509_NAME_cmp(X509_get_subject_name(cert), csr->subject) == 0,
       "subject");
    ok(EVP_PKEY_eq(X509_get0_pubkey(cert), rsa) == 1, "key");
    is_int(X509_verify(cert, ca_key), 1, "signature");
    is_int(X509_get_ext_count(cert), 9, "extensions");

    for (i = 0; i < 9; i++) {
        ext = X509_get_ext(cert, i);
        (void) OBJ_obj2txt(oid, sizeof(oid), X509_EXTENSION_get_object(
                               (X509_EXTENSION *) ext), 1);
        is_str(oid, order[i], "extension %d", i);
    }

    has(cert, "2.5.29.19", 1, "\x30\x00", 2, "basicConstraints");
    has(cert, "2.5.29.15", 1, "\x03\x02\x05\xa0", 4, "keyUsage");
    has(cert, "2.5.29.37", 1, "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03"
        "\x02", 12, "extKeyUsage");
    has(cert, "1.2.840.113556.5.14", 0, "\x04\x10\x3a\x1b\x8f\x9d\x02\x01\x04"
        "\x43\x85\x06\x07\x08\x09\x0a\x0b\x0c", 18, "tenant");
    has(cert, "1.2.840.113556.1.5.284.2", 0, "\x04\x10\x14\x84\xb5\xd6\xed"
        "\x60\x6b\x42\xb3\x82\x27\x6a\x3e\x8d\x62\x6d", 18, "device");
    has(cert, "1.3.6.1.5.5.7.1.1", 0,
        "\x30\x51"
        "\x30\x26\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02\x86\x1a"
        "https://pki.example.com/ca"
        "\x30\x27\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x01\x86\x1b"
        "http://pki.example.com/ocsp", 83, "AIA");

    is_int(X509_check_issued(ca, cert), X509_V_OK, "AKI is the CA's SKI");
    ok(X509_get0_subject_key_id(cert) != NULL
       && ASN1_STRING_length(X509_get0_subject_key_id(cert)) == 20, "SKI");

    store = X509_STORE_new();
    ctx = X509_STORE_CTX_new();
    pki_test_need(X509_STORE_add_cert(store, ca) == 1
                  && X509_STORE_CTX_init(ctx, store, cert, NULL) == 1,
                  "a store");
    X509_STORE_CTX_set_time(ctx, 0, NOW);
    X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_X509_STRICT);
    ok(X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT) == 1
       && X509_verify_cert(ctx) == 1, "OpenSSL verifies it, strictly: %s",
       X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));

    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(cert);
    pki_csr_free(csr);
    EVP_PKEY_free(rsa);
}


static void
test_ends(void)
{
    size_t       i;
    time_t       now;
    X509        *cert;
    pki_csr_t   *csr;

    static const struct {
        long long   asked;
        time_t      by_profile;
        time_t      by_issuer;
        time_t      backdate;
        time_t      now;            /* from NOW */
        time_t      from;           /* likewise */
        time_t      to;
    } rows[] = {
        { 0, 0, 200 * DAY, DAY, 0, -DAY, 200 * DAY },
        { 0, 90 * DAY, 200 * DAY, DAY, 0, -DAY, 90 * DAY },
        { 0, 300 * DAY, 200 * DAY, DAY, 0, -DAY, 200 * DAY },
        { 3600, 90 * DAY, 200 * DAY, DAY, 0, -DAY, 3600 },
        { 91 * DAY, 90 * DAY, 200 * DAY, DAY, 0, -DAY, 90 * DAY },
        { 999999999LL * 365 * DAY, 0, 200 * DAY, 0, 0, 0, 200 * DAY },
        { 0, 0, 0, 0, 0, 0, 3650LL * DAY },
        { 0, 0, 9000LL * DAY, 0, 0, 0, 3650LL * DAY },
        { 0, 0, 200 * DAY, 101 * DAY, 0, -100 * DAY, 200 * DAY },
        { 0, 0, 200 * DAY, DAY, 3600LL * DAY, 3599LL * DAY, 3650LL * DAY }
    };

    csr = pki_test_csr_of(key, "CN=a", NULL);

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        csr->lifetime = rows[i].asked;
        profile.lifetime = rows[i].by_profile;
        profile.backdate = rows[i].backdate;
        urls.lifetime = rows[i].by_issuer;

        {
            pki_err_t        err;
            pki_cert_plan_t  plan = { issuer, &profile, &urls, csr, &serial,
                                      NULL, NOW + rows[i].now };

            pki_test_need(pki_cert_issue(&plan, &cert, &err) == PKI_OK,
                          err.text);
        }

        now = NOW;
        is_int(seconds(X509_get0_notBefore(cert)) - now, rows[i].from,
               "row %zu: notBefore", i);
        is_int(seconds(X509_get0_notAfter(cert)) - now, rows[i].to,
               "row %zu: notAfter", i);
        X509_free(cert);
    }

    pki_csr_free(csr);
    profile.lifetime = 0;
    profile.backdate = DAY;
    urls.lifetime = 200 * DAY;
}


/* usages that a key cannot do are left out */

static void
test_keys(void)
{
    size_t     i;
    X509      *cert;
    EVP_PKEY  *k;

    static const struct {
        const char  *kind;
        const char  *asked;         /* NULL: nothing */
        int          got;
    } rows[] = {
        { "RSA2048", NULL, KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT },
        { "P-256", NULL, KU_DIGITAL_SIGNATURE },
        { "ED25519", NULL, KU_DIGITAL_SIGNATURE },
        { "RSA2048", ALL_KU, KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION
                             | KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT },
        { "P-384", ALL_KU, KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION
                           | KU_KEY_AGREEMENT | KU_ENCIPHER_ONLY
                           | KU_DECIPHER_ONLY },
        { "P-521", "digitalSignature,decipherOnly", KU_DIGITAL_SIGNATURE },
        { "ED25519", ALL_KU, KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION },
        { "P-256", "keyEncipherment", KU_DIGITAL_SIGNATURE },
        { "P-256", "keyAgreement,decipherOnly",
          KU_KEY_AGREEMENT | KU_DECIPHER_ONLY }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        k = pki_test_key(rows[i].kind);
        cert = asked(k, NULL, rows[i].asked, NULL);

        is_int(key_usage(cert), rows[i].got, "row %zu: %s", i, rows[i].kind);

        X509_free(cert);
        EVP_PKEY_free(k);
    }
}


static void
test_usages(void)
{
    X509  *cert;

    cert = asked(key, NULL, NULL, NULL);
    has(cert, "2.5.29.37", 0, "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03"
        "\x02", 12, "by default: clientAuth, not critical");
    X509_free(cert);

    cert = asked(key, NULL, "nonRepudiation", "serverAuth");
    has(cert, "2.5.29.37", 0, "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03"
        "\x01", 12, "as asked for: serverAuth, not critical");
    is_int(key_usage(cert), KU_NON_REPUDIATION, "as asked for");
    X509_free(cert);

    profile.fixed = 1;
    cert = asked(key, NULL, "nonRepudiation", "critical,serverAuth");
    has(cert, "2.5.29.37", 0, "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03"
        "\x02", 12, "fixed: clientAuth");
    is_int(key_usage(cert), KU_DIGITAL_SIGNATURE, "fixed");
    X509_free(cert);

    profile.ndefault_ekus = 0;
    cert = asked(key, NULL, NULL, "serverAuth");
    ok(extension(cert, "2.5.29.37", NULL) == NULL, "fixed: none");
    X509_free(cert);

    profile.ndefault_ekus = 1;
    profile.fixed = 0;
}


static void
test_points(void)
{
    X509             *cert;
    pki_cert_urls_t   kept;

    kept = urls;
    urls.ca_issuers[0] = NULL;
    urls.ocsp[0] = NULL;
    urls.crl[0] = "http://a/crl";
    urls.crl[1] = "ldap:///b";
    urls.freshest_crl[0] = "http://a/delta";

    cert = asked(key, NULL, NULL, NULL);
    ok(extension(cert, "1.3.6.1.5.5.7.1.1", NULL) == NULL, "no AIA");
    has(cert, "2.5.29.31", 0, "\x30\x1f\x30\x1d\xa0\x1b\xa0\x19\x86\x0c"
        "http://a/crl\x86\x09ldap:///b", 33, "one point, two URLs");
    has(cert, "2.5.29.46", 0, "\x30\x16\x30\x14\xa0\x12\xa0\x10\x86\x0e"
        "http://a/delta", 24, "freshestCRL");
    X509_free(cert);

    urls.crl[1] = NULL;
    urls.freshest_crl[0] = NULL;
    urls.ocsp[0] = "a:a";
    urls.ocsp[1] = "b:b";
    urls.ocsp[2] = "c:c";
    urls.ocsp[3] = "d:d";

    cert = asked(key, NULL, NULL, NULL);
    is_int(ASN1_STRING_length(extension(cert, "1.3.6.1.5.5.7.1.1", NULL)),
           2 + 4 * 17, "four responders");
    X509_free(cert);

    urls = kept;
    cert = asked(key, NULL, NULL, NULL);
    ok(extension(cert, "2.5.29.31", NULL) == NULL
       && extension(cert, "2.5.29.46", NULL) == NULL, "no CRL");
    X509_free(cert);
}


static void
test_optional(void)
{
    X509            *cert;
    pki_csr_t       *csr;
    pki_test_req_t   r;

#define SID  "\x30\x25\xa0\x23\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x19\x02"   \
             "\x01\xa0\x15\x04\x13S-1-5-21-1-2-3-1107"

    static const pki_test_raw_t  raws[] = {
        { "1.3.6.1.4.1.311.25.2", 1, SID, sizeof(SID) - 1 },
        { "1.2.840.113556.5.14", 0, "\x04\x01x", 3 },
        { "1.2.840.113556.1.5.284.2", 0, "\x04\x01x", 3 },
        { "2.5.29.14", 0, "\x04\x01x", 3 },
        { "2.5.29.30", 1, "\x30\x00", 2 },
        { NULL, 0, NULL, 0 }
    };

    memset(&r, 0, sizeof(pki_test_req_t));
    r.key = key;
    r.subject = "CN=a";
    r.raws = raws;
    csr = pki_test_csr(&r);

    cert = issued(csr);
    is_int(X509_get_ext_count(cert), 6, "nothing of the request's own");
    ok(extension(cert, "1.3.6.1.4.1.311.25.2", NULL) == NULL, "no SID");
    X509_free(cert);

    profile.sid = 1;
    profile.microsoft = 1;
    binding.kind = PKI_KIND_USER;
    cert = issued(csr);
    has(cert, "1.3.6.1.4.1.311.25.2", 0, SID, sizeof(SID) - 1, "a SID");
    ok(extension(cert, "1.2.840.113556.5.14", NULL) != NULL, "a tenant");
    ok(extension(cert, "1.2.840.113556.1.5.284.2", NULL) == NULL,
       "no device: it is a user's");
    X509_free(cert);

    binding.kind = PKI_KIND_DEVICE;
    profile.sid = 0;
    profile.microsoft = 0;
    pki_csr_free(csr);
}


static void
test_names(void)
{
    X509       *cert;
    pki_csr_t  *csr;

    cert = asked(key, "DNS:a,RID:1.2.3,IP:1.2.3.4", NULL, NULL);
    has(cert, "2.5.29.17", 0, "\x30\x09\x82\x01" "a\x87\x04\1\2\3\4", 11,
        "names");
    X509_free(cert);

    cert = asked(key, "critical,DNS:a", NULL, NULL);
    has(cert, "2.5.29.17", 1, "\x30\x03\x82\x01" "a", 5, "critical names");
    X509_free(cert);

    csr = pki_test_csr_of(key, NULL, "DNS:a");
    cert = issued(csr);
    has(cert, "2.5.29.17", 1, "\x30\x03\x82\x01" "a", 5,
        "critical without a subject");
    is_int(X509_NAME_entry_count(X509_get_subject_name(cert)), 0, "none");
    X509_free(cert);
    pki_csr_free(csr);
}


/* a renewal is what the old certificate was, but for times and key */

static void
test_renewal(void)
{
    X509         *old, *cert;
    EVP_PKEY     *rsa;
    pki_err_t     err;
    pki_csr_t    *csr;

    old = asked(key, "critical,DNS:a," PKI_TEST_UPN "b", "digitalSignature",
                "critical,clientAuth");

    rsa = pki_test_key("RSA2048");
    csr = pki_test_csr_of(rsa, "CN=Contoso", PKI_TEST_UPN);
    pki_test_need(pki_csr_renew(csr, old, &err) == PKI_OK, err.text);
    is_int(pki_profile_check(&profile, csr, 0, &err), PKI_OK, "may be");
    cert = issued(csr);

    ok(X509_NAME_cmp(X509_get_subject_name(cert),
                     X509_get_subject_name(old)) == 0, "subject");
    ok(EVP_PKEY_eq(X509_get0_pubkey(cert), rsa) == 1, "the new key");
    is_int(X509_get_ext_count(cert), X509_get_ext_count(old), "extensions");
    has(cert, "2.5.29.17", 1,
        (char *) ASN1_STRING_get0_data(extension(old, "2.5.29.17", NULL)),
        ASN1_STRING_length(extension(old, "2.5.29.17", NULL)), "names");
    is_int(key_usage(cert), KU_DIGITAL_SIGNATURE, "key usage");
    has(cert, "2.5.29.37", 1, "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03"
        "\x02", 12, "critical clientAuth");

    X509_free(cert);
    X509_free(old);
    pki_csr_free(csr);
    EVP_PKEY_free(rsa);
}


static void
test_refused(void)
{
    X509             *cert;
    pki_csr_t        *csr;
    pki_err_t         err;
    pki_issuer_t     *keyless;
    pki_cert_plan_t   plan = { issuer, &profile, &urls, NULL, &serial, NULL,
                               NOW };

    csr = pki_test_csr_of(key, NULL, "RID:1.2.3");
    plan.csr = csr;
    is_int(pki_cert_issue(&plan, &cert, &err), PKI_INVALID, "no names left");
    ok(cert == NULL && strncmp(err.text, "the request has neither", 23) == 0,
       "%s", err.text);
    pki_csr_free(csr);

    csr = pki_test_csr_of(key, "CN=a", NULL);
    plan.csr = csr;

    plan.now = NOW - 101 * DAY;
    is_int(pki_cert_issue(&plan, &cert, &err), PKI_ERROR, "before the CA");
    is_str(err.text, "the CA certificate is not valid yet", "why");
    plan.now = NOW + 3650LL * DAY;
    is_int(pki_cert_issue(&plan, &cert, &err), PKI_ERROR, "after the CA");
    is_str(err.text, "the CA certificate has expired", "why");
    plan.now = NOW;

    keyless = pki_issuer_create(ca, NULL, &err);
    plan.issuer = keyless;
    is_int(pki_cert_issue(&plan, &cert, &err), PKI_ERROR, "without a key");
    ok(cert == NULL && strstr(err.text, "key is not here"), "%s", err.text);

    pki_issuer_free(keyless);
    pki_csr_free(csr);
}


/* the hash of a signature follows from the CA's key */

static void
test_issuers(void)
{
    size_t           i;
    X509            *cert, *other;
    EVP_PKEY        *k;
    pki_csr_t       *csr;
    pki_err_t        err;
    pki_issuer_t    *own;
    pki_cert_plan_t  plan = { NULL, &profile, &urls, NULL, &serial, NULL, 0 };

    static const struct {
        const char  *kind;
        int          nid;
    } rows[] = {
        { "P-256", NID_ecdsa_with_SHA256 },
        { "P-384", NID_ecdsa_with_SHA384 },
        { "P-521", NID_ecdsa_with_SHA512 },
        { "RSA2048", NID_sha256WithRSAEncryption },
        { "ED25519", NID_ED25519 },
        { "ED448", NID_ED448 }
    };

    static const pki_test_ext_t  bare[] = {
        { NID_basic_constraints, "critical,CA:TRUE" }, { 0, NULL }
    };

    csr = pki_test_csr_of(key, "CN=a", NULL);
    plan.csr = csr;
    plan.now = pki_test_now();

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        k = pki_test_key(rows[i].kind);
        other = pki_test_issued("CA", "01", NULL, NULL, k, bare);
        own = pki_issuer_create(other, k, &err);
        pki_test_need(own != NULL, err.text);
        plan.issuer = own;

        is_int(pki_cert_issue(&plan, &cert, &err), PKI_OK, "a CA with %s",
               rows[i].kind);
        is_int(X509_get_signature_nid(cert), rows[i].nid, "algorithm");
        is_int(X509_verify(cert, k), 1, "signature");
        is_mem(ASN1_STRING_get0_data(X509_get0_authority_key_id(cert)),
               own->hash[PKI_DIGEST_SHA1].key, 20,
               "AKI, though the CA has no SKI");

        X509_free(cert);
        X509_free(other);
        pki_issuer_free(own);
        EVP_PKEY_free(k);
    }

    pki_csr_free(csr);
}


static void
test_memory(void)
{
    int               hit, bad;
    long              n;
    X509             *cert;
    pki_rc_t          rc;
    pki_csr_t        *csr;
    pki_err_t         err;
    pki_cert_plan_t   plan = { issuer, &profile, &urls, NULL, &serial,
                               &binding, NOW };

    csr = pki_test_csr_of(key, "CN=a", "DNS:a," PKI_TEST_UPN "b");
    plan.csr = csr;
    profile.microsoft = 1;
    urls.crl[0] = "http://a/crl";
    bad = 0;
    hit = 1;

    for (n = 1; hit; n++) {
        err.text[0] = '\0';

        pki_test_fail_at(n);
        rc = pki_cert_issue(&plan, &cert, &err);
        hit = pki_test_fail_hit();
        pki_test_fail_at(0);

        bad += rc == PKI_INVALID;
        bad += rc == PKI_ERROR && (!hit || cert != NULL || !err.text[0]);
        bad += rc == PKI_OK && (X509_get_ext_count(cert) != 10
                                || X509_verify(cert, ca_key) != 1);
        bad += ERR_peek_error() != 0;

        X509_free(cert);
        ERR_clear_error();
    }

    is_int(bad, 0, "each of %ld allocations fails in turn", n - 2);

    profile.microsoft = 0;
    urls.crl[0] = NULL;
    pki_csr_free(csr);
}


static X509 *
issued(pki_csr_t *csr)
{
    X509             *cert;
    pki_err_t         err;
    pki_cert_plan_t   plan = { issuer, &profile, &urls, csr, &serial,
                               &binding, NOW };

    err.text[0] = '\0';
    pki_test_need(pki_cert_issue(&plan, &cert, &err) == PKI_OK, err.text);

    return cert;
}


/* a certificate for CN=a with what is asked for; NULL: not asked for */

static X509 *
asked(EVP_PKEY *k, const char *sans, const char *usage, const char *ekus)
{
    X509            *cert;
    pki_csr_t       *csr;
    pki_test_ext_t   exts[4], *e;
    pki_test_req_t   r;

    memset(&r, 0, sizeof(pki_test_req_t));
    memset(exts, 0, sizeof(exts));
    e = exts;

    if (sans != NULL) {
        *e++ = (pki_test_ext_t) { NID_subject_alt_name, sans };
    }

    if (usage != NULL) {
        *e++ = (pki_test_ext_t) { NID_key_usage, usage };
    }

    if (ekus != NULL) {
        *e = (pki_test_ext_t) { NID_ext_key_usage, ekus };
    }

    r.key = k;
    r.subject = "CN=a";
    r.exts = exts;

    csr = pki_test_csr(&r);
    cert = issued(csr);
    pki_csr_free(csr);

    return cert;
}


static int
key_usage(X509 *cert)
{
    return (int) X509_get_key_usage(cert);
}


static const ASN1_OCTET_STRING *
extension(X509 *cert, const char *oid, int *critical)
{
    int              i;
    ASN1_OBJECT     *obj;
    X509_EXTENSION  *ext;

    obj = OBJ_txt2obj(oid, 1);
    i = X509_get_ext_by_OBJ(cert, obj, -1);
    ASN1_OBJECT_free(obj);

    if (i < 0) {
        return NULL;
    }

    ext = X509_get_ext(cert, i);

    if (critical != NULL) {
        *critical = X509_EXTENSION_get_critical(ext);
    }

    return X509_EXTENSION_get_data(ext);
}


static void
has(X509 *cert, const char *oid, int critical, const char *octets, size_t len,
    const char *name)
{
    int                       is;
    const ASN1_OCTET_STRING  *value;

    is = -1;
    value = extension(cert, oid, &is);

    ok(value != NULL && is == critical
       && (size_t) ASN1_STRING_length(value) == len
       && memcmp(ASN1_STRING_get0_data(value), octets, len) == 0,
       "%s: %d octets, critical %d", name,
       value ? ASN1_STRING_length(value) : -1, is);
}


static time_t
seconds(const ASN1_TIME *at)
{
    struct tm  tm;

    pki_test_need(ASN1_TIME_to_tm(at, &tm) == 1, "a time");

    return timegm(&tm);
}


/*
 * Requests as SCEPman's clients send them, as others could, and as nobody
 * should: encodings, keys, signatures, renewals.
 */

#include "pki_test_csr.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>


static EVP_PKEY  *key, *rsa;


static void test_bodies(void);
static void test_body(const char *text, size_t len, const char *name);
static void test_armour(const char *b64, const char *lines);
static void test_broken_bodies(void);
static void test_cut(pki_bytes_t body, size_t spare, const char *name);
static void test_keys(void);
static void test_rsa_numbers(void);
static void test_public(const char *type, OSSL_PARAM_BLD *build,
    const char *why, const char *name);
static void test_curves(void);
static void test_hashes(void);
static void test_pss(const EVP_MD *md, int good);
static void test_possession(void);
static void test_renew(void);
static void test_memory(void);
static void test_renew_memory(void);
static char *base64(pki_bytes_t der, int columns, const char *eol);
static void invalid(pki_bytes_t body, const char *why, const char *name);


int
main(void)
{
    pki_test_alloc_hook();

    key = pki_test_key("P-256");
    rsa = pki_test_key("RSA2048");

    test_bodies();
    test_broken_bodies();
    test_keys();
    test_rsa_numbers();
    test_curves();
    test_hashes();
    test_possession();
    test_renew();
    test_memory();
    test_renew_memory();

    pki_csr_free(NULL);
    EVP_PKEY_free(key);
    EVP_PKEY_free(rsa);

    return pki_test_done();
}


static pki_bytes_t
request(void)
{
    pki_test_req_t  r;

    static const pki_test_ext_t  exts[] = {
        { NID_subject_alt_name, PKI_TEST_UPN "anna@example.com" },
        { 0, NULL }
    };

    memset(&r, 0, sizeof(pki_test_req_t));
    r.key = rsa;
    r.subject = "CN=anna@example.com";
    r.exts = exts;

    return pki_test_req_der(pki_test_req(&r));
}


static void
test_bodies(void)
{
    char         *b64, *p;
    pki_bytes_t   der;

    der = request();

    /* az rest, CsrClient */

    test_body((char *) der.data, der.len, "DER");

    /* SCEPmanClient, terraform */

    b64 = base64(der, 0, "");
    test_body(b64, strlen(b64), "base64 in one line");

    /* bash: curl --data @file takes the line ends out */

    test_armour(b64, "");

    /* without padding, in the other alphabet */

    for (p = b64; *p; p++) {
        *p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
    }

    p = strchr(b64, '=');
    test_body(b64, p ? (size_t) (p - b64) : strlen(b64), "base64url");
    free(b64);

    /* psmodule: PS5, PS7 */

    b64 = base64(der, 64, "\n");
    test_body(b64, strlen(b64), "base64 in lines");
    test_armour(b64, "\n");
    free(b64);

    b64 = base64(der, 76, "\r\n");
    test_body(b64, strlen(b64), "base64 in lines of MIME");
    test_armour(b64, "\r\n");
    free(b64);

    OPENSSL_free((unsigned char *) der.data);
}


static void
test_armour(const char *b64, const char *eol)
{
    size_t  i, size;
    char   *text;

    static const struct {
        const char  *before;
        const char  *label;
        const char  *after;
    } rows[] = {
        { "", "CERTIFICATE REQUEST", "" },
        { "", "NEW CERTIFICATE REQUEST", "" },
        { "\xef\xbb\xbf", "CERTIFICATE REQUEST", "" },
        { " \r\n\t", "CERTIFICATE REQUEST", " \n" },
        { "Certificate Request:\n    Data:\n", "CERTIFICATE REQUEST",
          "Bag Attributes" },
        { "0 is not DER\n", "CERTIFICATE REQUEST", "" },
        { "-----BEGIN PUBLIC KEY-----AAAA-----END PUBLIC KEY-----",
          "CERTIFICATE REQUEST", "-----BEGIN CERTIFICATE REQUEST-----!" },
    };

    size = strlen(b64) + 256;
    text = malloc(size);

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(text, size, "%s-----BEGIN %s-----%s%s%s-----END %s-----%s%s",
                 rows[i].before, rows[i].label, eol, b64, eol, rows[i].label,
                 eol, rows[i].after);
        test_body(text, strlen(text), "armour");
    }

    free(text);
}


static void
test_body(const char *text, size_t len, const char *name)
{
    char         upn[64];
    pki_rc_t     rc;
    pki_csr_t   *csr;
    pki_err_t    err;
    char        *copy;

    copy = malloc(len);
    memcpy(copy, text, len);

    err.text[0] = '\0';
    rc = pki_csr_read((pki_bytes_t) { (unsigned char *) copy, len }, &csr,
                      &err);
    free(copy);

    is_int(rc, PKI_OK, "%s: read (%s)", name, err.text);

    if (rc != PKI_OK) {
        return;
    }

    ok(pki_csr_upn(csr->sans, upn, sizeof(upn)) == PKI_OK
       && strcmp(upn, "anna@example.com") == 0
       && EVP_PKEY_eq(csr->key, rsa) == 1
       && X509_NAME_entry_count(csr->subject) == 1
       && csr->ekus == NULL && csr->key_usage == -1 && csr->lifetime == 0
       && csr->sid == NULL && csr->challenge == NULL && !csr->sans_critical,
       "%s: what it asks for", name);

    pki_csr_free(csr);
}


static void
test_broken_bodies(void)
{
    size_t          i, size;
    char           *b64, *text;
    pki_bytes_t     der;
    unsigned char  *copy;

    static const char  *const rows[] = {
        "", " \r\n", "\xef\xbb\xbf", "0", "0\x80", "0\x82\xff", "=", "M", "MII",
        "MIIB=", "MII!", "{\"csr\":\"MIIB\"}", "AAAA", "MAA=", "MAAAAA==",
        "-----BEGIN CERTIFICATE REQUEST-----",
        "-----BEGIN CERTIFICATE REQUEST-----MAA=",
        "-----BEGIN CERTIFICATE REQUEST-----MAA=-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE REQUEST----------END CERTIFICATE REQUEST-----",
        "-----BEGIN CERTIFICATE-----MAA=-----END CERTIFICATE-----",
        "-----BEGIN NEW-----MAA=-----END NEW-----"
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        invalid((pki_bytes_t) { (unsigned char *) rows[i], strlen(rows[i]) },
                "", i < 3 ? "blanks" : rows[i]);
    }

    der = request();

    copy = malloc(PKI_CSR_MAX + 1);
    memset(copy, ' ', PKI_CSR_MAX + 1);
    invalid((pki_bytes_t) { copy, PKI_CSR_MAX + 1 },
            "the request is longer than 65536 octets", "too long");
    invalid((pki_bytes_t) { copy, PKI_CSR_MAX },
            "there is no request in the body", "blanks");

    memcpy(copy, der.data, der.len);
    copy[der.len] = '\n';
    invalid((pki_bytes_t) { copy, der.len + 1 }, "the body is not a PKCS#10",
            "an octet behind DER");
    invalid((pki_bytes_t) { (unsigned char *) "\x30\x00", 2 },
            "the request is not PKCS#10", "an empty sequence");
    free(copy);

    test_cut(der, 0, "DER");

    b64 = base64(der, 64, "\n");
    test_cut((pki_bytes_t) { (unsigned char *) b64, strlen(b64) },
             3, "base64");

    size = strlen(b64) + 128;
    text = malloc(size);
    snprintf(text, size, "-----BEGIN CERTIFICATE REQUEST-----\n%s"
             "-----END CERTIFICATE REQUEST-----", b64);
    test_cut((pki_bytes_t) { (unsigned char *) text, strlen(text) }, 0,
             "PEM");

    free(text);
    free(b64);
    OPENSSL_free((unsigned char *) der.data);
}


/* cut at each octet; the last ones of base64 may be padding and a line end */

static void
test_cut(pki_bytes_t body, size_t spare, const char *name)
{
    int             bad;
    size_t          i;
    pki_err_t       err;
    pki_csr_t      *csr;
    unsigned char  *copy;

    bad = 0;

    for (i = 0; i < body.len - spare; i++) {
        copy = malloc(i ? i : 1);
        memcpy(copy, body.data, i);
        err.text[0] = '\0';

        if (pki_csr_read((pki_bytes_t) { copy, i }, &csr, &err) != PKI_INVALID
            || csr != NULL || err.text[0] == '\0')
        {
            bad++;
            pki_csr_free(csr);
        }

        free(copy);
    }

    is_int(bad, 0, "%s, cut at each octet", name);
}


static void
test_keys(void)
{
    size_t          i;
    EVP_PKEY       *k;
    pki_err_t       err;
    pki_csr_t      *csr;
    pki_bytes_t     der;
    pki_test_req_t  r;

    static const struct {
        const char  *kind;
        unsigned     type;
    } rows[] = {
        { "P-256", PKI_KEYS_P256 },
        { "P-384", PKI_KEYS_P384 },
        { "P-521", PKI_KEYS_P521 },
        { "ED25519", PKI_KEYS_ED25519 },
        { "RSA2048", PKI_KEYS_RSA },
        { "RSA1024", 0 },
        { "ED448", 0 },
        { "P-224", 0 },
        { "secp256k1", 0 },
        { "brainpoolP256r1", 0 }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        k = pki_test_key(rows[i].kind);

        memset(&r, 0, sizeof(pki_test_req_t));
        r.key = k;

        is_int(pki_csr_key_type(k), rows[i].type, "%s: type", rows[i].kind);

        der = pki_test_req_der(pki_test_req(&r));

        if (rows[i].type) {
            is_int(pki_csr_read(der, &csr, &err), PKI_OK, "%s: may have one",
                   rows[i].kind);
            is_int(X509_NAME_entry_count(csr->subject), 0, "no subject");
            pki_csr_free(csr);

        } else {
            invalid(der, "the public key is not RSA of 2048 to 4096 bits",
                    rows[i].kind);
        }

        OPENSSL_free((unsigned char *) der.data);
        EVP_PKEY_free(k);
    }
}


/*
 * Public keys of chosen numbers: nobody could sign for most of them, but they
 * are refused before that is tried.
 */

static void
test_rsa_numbers(void)
{
    size_t           i;
    BIGNUM          *n, *e;
    OSSL_PARAM_BLD  *build;

    static const struct {
        int          bits;
        const char  *e;
        int          even;
        const char  *why;
    } rows[] = {
        { 2047, "10001", 0, "the public key is not RSA of 2048" },
        { 2048, "1", 0, "the RSA key is weak" },
        { 2048, "10000", 0, "the RSA key is weak" },
        { 2048, "10001", 1, "the RSA key is weak" },
        { 2048, "10000000000000001", 0, "the RSA key is weak" },
        { 2048, "3", 0, "the request is not signed with the key" },
        { 4096, "10001", 0, "the request is not signed with the key" },
        { 4097, "10001", 0, "the public key is not RSA of 2048" },
        { 16384, "10001", 0, "the public key is not RSA of 2048" }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        n = BN_new();
        e = NULL;

        pki_test_need(BN_rand(n, rows[i].bits, BN_RAND_TOP_ONE,
                              BN_RAND_BOTTOM_ODD)
                      && BN_hex2bn(&e, rows[i].e) > 0, "numbers");

        if (rows[i].even) {
            (void) BN_clear_bit(n, 0);
        }

        build = OSSL_PARAM_BLD_new();
        pki_test_need(OSSL_PARAM_BLD_push_BN(build, "n", n)
                      && OSSL_PARAM_BLD_push_BN(build, "e", e), "numbers");

        test_public("RSA", build, rows[i].why, rows[i].e);

        BN_free(n);
        BN_free(e);
    }
}


/* somebody else's request with that public key in it */

static void
test_public(const char *type, OSSL_PARAM_BLD *build, const char *why,
    const char *name)
{
    EVP_PKEY       *k;
    X509_REQ       *req;
    OSSL_PARAM     *params;
    pki_bytes_t     der;
    EVP_PKEY_CTX   *ctx;
    pki_test_req_t  r;

    k = NULL;
    params = OSSL_PARAM_BLD_to_param(build);
    ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);

    pki_test_need(params != NULL && EVP_PKEY_fromdata_init(ctx) == 1
                  && EVP_PKEY_fromdata(ctx, &k, EVP_PKEY_PUBLIC_KEY, params)
                     == 1, name);

    memset(&r, 0, sizeof(pki_test_req_t));
    r.key = rsa;
    req = pki_test_req(&r);

    pki_test_need(X509_REQ_set_pubkey(req, k) == 1
                  && i2d_re_X509_REQ_tbs(req, NULL) > 0, name);

    der = pki_test_req_der(req);
    invalid(der, why, name);

    OPENSSL_free((unsigned char *) der.data);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_free(k);
}


static void
test_curves(void)
{
    size_t          i;
    EVP_PKEY       *k;
    pki_bytes_t     der;
    unsigned char  *p;
    pki_test_req_t  r;

    k = pki_test_key("P-256");
    pki_test_need(EVP_PKEY_set_utf8_string_param(k,
                                                 OSSL_PKEY_PARAM_EC_ENCODING,
                                                 OSSL_PKEY_EC_ENCODING_EXPLICIT)
                  == 1, "explicit parameters");

    memset(&r, 0, sizeof(pki_test_req_t));
    r.key = k;
    der = pki_test_req_der(pki_test_req(&r));
    invalid(der, "the curve of the key is not named", "explicit parameters");
    OPENSSL_free((unsigned char *) der.data);
    EVP_PKEY_free(k);

    /* the point follows 03 42 00 04 */

    r.key = key;
    der = pki_test_req_der(pki_test_req(&r));
    p = (unsigned char *) der.data;

    for (i = 0; i + 4 < der.len; i++) {
        if (memcmp(p + i, "\x03\x42\x00\x04", 4) == 0) {
            break;
        }
    }

    pki_test_need(i + 4 < der.len, "a point");

    p[i + 4] ^= 1;
    invalid(der, "the public key of the request is of no kind",
            "a point beside its curve");
    p[i + 4] ^= 1;

    memset(p + i + 4, 0xff, 32);
    invalid(der, "the public key of the request is of no kind",
            "a point out of its field");

    OPENSSL_free(p);
}


static void
test_hashes(void)
{
    size_t          i;
    pki_err_t       err;
    pki_csr_t      *csr;
    pki_bytes_t     der;
    pki_test_req_t  r;

    const struct {
        const EVP_MD  *md;
        int            good;
    } rows[] = {
        { EVP_sha256(), 1 },
        { EVP_sha384(), 1 },
        { EVP_sha512(), 1 },
        { EVP_sha224(), 0 },
        { EVP_sha1(), 0 },
        { EVP_md5(), 0 }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(&r, 0, sizeof(pki_test_req_t));
        r.key = rsa;
        r.md = rows[i].md;

        der = pki_test_req_der(pki_test_req(&r));

        if (rows[i].good) {
            is_int(pki_csr_read(der, &csr, &err), PKI_OK, "RSA with %s",
                   EVP_MD_get0_name(r.md));
            pki_csr_free(csr);

        } else {
            invalid(der, "the request is not signed with SHA-256, SHA-384",
                    EVP_MD_get0_name(r.md));
        }

        OPENSSL_free((unsigned char *) der.data);
    }

    r.key = key;
    r.md = EVP_sha1();
    der = pki_test_req_der(pki_test_req(&r));
    invalid(der, "the request is not signed with SHA-256, SHA-384",
            "ECDSA with SHA-1");
    OPENSSL_free((unsigned char *) der.data);

    test_pss(EVP_sha256(), 1);
    test_pss(EVP_sha512(), 1);
    test_pss(EVP_sha1(), 0);
}


static void
test_pss(const EVP_MD *md, int good)
{
    X509_REQ       *req;
    pki_err_t       err;
    pki_csr_t      *csr;
    EVP_MD_CTX     *ctx;
    pki_bytes_t     der;
    EVP_PKEY_CTX   *pctx;
    pki_test_req_t  r;

    memset(&r, 0, sizeof(pki_test_req_t));
    r.key = rsa;
    req = pki_test_req(&r);

    ctx = EVP_MD_CTX_new();
    pki_test_need(EVP_DigestSignInit(ctx, &pctx, md, NULL, rsa) == 1
                  && EVP_PKEY_CTX_set_rsa_padding(pctx,
                                                  RSA_PKCS1_PSS_PADDING)
                     == 1
                  && X509_REQ_sign_ctx(req, ctx) > 0, "PSS");
    EVP_MD_CTX_free(ctx);

    der = pki_test_req_der(req);

    if (good) {
        is_int(pki_csr_read(der, &csr, &err), PKI_OK, "PSS with %s",
               EVP_MD_get0_name(md));
        pki_csr_free(csr);

    } else {
        invalid(der, "the request is not signed with SHA-256, SHA-384",
                "PSS");
    }

    OPENSSL_free((unsigned char *) der.data);
}


/* each octet of a request has a meaning */

static void
test_possession(void)
{
    int             bad;
    size_t          i;
    pki_err_t       err;
    pki_csr_t      *csr;
    pki_bytes_t     der;
    unsigned char  *p;
    pki_test_req_t  r;

    memset(&r, 0, sizeof(pki_test_req_t));
    r.key = key;
    r.subject = "CN=4";
    der = pki_test_req_der(pki_test_req(&r));
    p = (unsigned char *) der.data;
    bad = 0;

    for (i = 0; i < der.len; i++) {
        p[i] ^= 0x01;

        if (pki_csr_read(der, &csr, &err) != PKI_INVALID) {
            bad++;
            pki_csr_free(csr);
        }

        p[i] ^= 0x01;
    }

    is_int(bad, 0, "changed at each octet");

    p[der.len - 1] ^= 1;
    invalid(der, "the request is not signed with the key", "a signature");

    OPENSSL_free(p);
}


static void
test_renew(void)
{
    char            text[64];
    X509           *ca, *old;
    EVP_PKEY       *ca_key;
    pki_err_t       err;
    pki_csr_t      *csr;
    pki_test_req_t  r;

    static const pki_test_ext_t  contoso[] = {
        { NID_subject_alt_name, PKI_TEST_UPN },
        { NID_ext_key_usage, "codeSigning" },
        { NID_key_usage, "nonRepudiation" },
        { 0, NULL }
    };

    static const pki_test_ext_t  issued[] = {
        { NID_subject_alt_name, "critical,DNS:a.example.com,RID:1.2.3,"
          PKI_TEST_UPN "anna@example.com" },
        { NID_ext_key_usage, "critical,clientAuth" },
        { NID_key_usage, "critical,digitalSignature" },
        { NID_basic_constraints, "critical,CA:FALSE" },
        { 0, NULL }
    };

    ca_key = pki_test_key("P-256");
    ca = pki_test_ca("CA", ca_key);
    old = pki_test_issued("anna", "40", ca, ca_key, key, issued);

    /* what the bash client sends: another's subject, a UPN of no octets */

    memset(&r, 0, sizeof(pki_test_req_t));
    r.key = rsa;
    r.subject = "CN=Contoso";
    r.exts = contoso;
    r.challenge = "secret";
    r.unit = "Days";
    r.count = "3";

    csr = pki_test_csr(&r);
    is_str(csr->challenge, "secret", "the request has a challenge");

    is_int(pki_csr_renew(csr, old, &err), PKI_OK, "renewed");
    ok(EVP_PKEY_eq(csr->key, rsa) == 1, "the new key");
    ok(X509_NAME_cmp(csr->subject, X509_get_subject_name(old)) == 0,
       "the old subject");
    is_int(sk_GENERAL_NAME_num(csr->sans), 2, "the old names");
    is_int(pki_csr_upn(csr->sans, text, sizeof(text)), PKI_OK, "a UPN");
    is_str(text, "anna@example.com", "the old UPN");
    is_int(sk_ASN1_OBJECT_num(csr->ekus), 1, "the old usages");
    is_int(OBJ_obj2nid(sk_ASN1_OBJECT_value(csr->ekus, 0)), NID_client_auth,
           "clientAuth");
    is_int(csr->key_usage, KU_DIGITAL_SIGNATURE, "the old key usage");
    ok(csr->sans_critical && csr->ekus_critical, "critical as they were");
    is_int(csr->lifetime, 3 * PKI_TEST_DAY, "the new lifetime");
    ok(csr->challenge == NULL, "no challenge");

    is_int(pki_csr_renew(csr, old, &err), PKI_OK, "and once more");
    is_int(pki_csr_renew(csr, ca, &err), PKI_INVALID, "of a CA");
    ok(strncmp(err.text, "certificates of CAs are not issued", 34) == 0,
       "why");

    pki_csr_free(csr);
    X509_free(old);
    X509_free(ca);
    EVP_PKEY_free(ca_key);
}


/*
 * Whichever allocation fails, the request is not taken for a good one, and
 * nothing is lost.
 */

static void
test_memory(void)
{
    int             i, hit, bad;
    long            n;
    pki_rc_t        rc;
    pki_err_t       err;
    pki_csr_t      *csr;
    pki_bytes_t     der, body[3];
    pki_test_req_t  r;

    static const pki_test_ext_t  exts[] = {
        { NID_subject_alt_name, "DNS:a,IP:::1," PKI_TEST_UPN "anna" },
        { NID_ext_key_usage, "clientAuth" },
        { NID_key_usage, "digitalSignature" },
        { 0, NULL }
    };

    memset(&r, 0, sizeof(pki_test_req_t));
    r.key = key;
    r.subject = "CN=a/OU=b";
    r.exts = exts;
    r.challenge = "secret";
    r.unit = "Days";
    r.count = "3";

    der = pki_test_req_der(pki_test_req(&r));
    body[0] = der;
    body[1].data = (unsigned char *) base64(der, 64, "\n");
    body[1].len = strlen((char *) body[1].data);

    r.key = rsa;
    body[2] = pki_test_req_der(pki_test_req(&r));

    for (i = 0; i < 3; i++) {
        bad = 0;
        hit = 1;

        for (n = 1; hit; n++) {
            err.text[0] = '\0';

            pki_test_fail_at(n);
            rc = pki_csr_read(body[i], &csr, &err);
            hit = pki_test_fail_hit();
            pki_test_fail_at(0);

            bad += (rc != PKI_OK && (!hit || csr != NULL || !err.text[0]));
            bad += (rc == PKI_OK
                    && (csr->sans == NULL || csr->ekus == NULL
                        || csr->challenge == NULL || csr->lifetime == 0));
            bad += ERR_peek_error() != 0;

            pki_csr_free(csr);
            ERR_clear_error();
        }

        is_int(bad, 0, "each of %ld allocations fails in turn", n - 2);
    }

    free((unsigned char *) body[1].data);
    OPENSSL_free((unsigned char *) body[2].data);
    OPENSSL_free((unsigned char *) der.data);
}


static void
test_renew_memory(void)
{
    int          hit, bad;
    long         n;
    X509        *ca, *old, *fresh;
    pki_rc_t     rc;
    pki_err_t    err;
    pki_csr_t   *csr;

    static const pki_test_ext_t  exts[] = {
        { NID_subject_alt_name, "DNS:a,IP:::1," PKI_TEST_UPN "anna" },
        { NID_ext_key_usage, "clientAuth" },
        { 0, NULL }
    };

    ca = pki_test_ca("CA", key);
    old = pki_test_issued("old", "40", ca, key, key, exts);
    bad = 0;
    hit = 1;

    for (n = 1; hit; n++) {
        csr = pki_test_csr_of(key, "CN=a", "DNS:b");
        fresh = pki_test_fresh(old);
        err.text[0] = '\0';

        pki_test_fail_at(n);
        rc = pki_csr_renew(csr, fresh, &err);
        hit = pki_test_fail_hit();
        pki_test_fail_at(0);

        bad += (rc != PKI_OK && (!hit || !err.text[0]));
        bad += (rc == PKI_OK && sk_GENERAL_NAME_num(csr->sans) != 3);

        pki_csr_free(csr);
        X509_free(fresh);
        ERR_clear_error();
    }

    is_int(bad, 0, "renewal: each of %ld allocations fails", n - 2);

    X509_free(old);
    X509_free(ca);
}


static char *
base64(pki_bytes_t der, int columns, const char *eol)
{
    int     i, n;
    char   *all, *text, *p;

    all = malloc(der.len / 3 * 4 + 8);
    text = malloc(der.len * 2 + 64);
    n = EVP_EncodeBlock((unsigned char *) all, der.data, (int) der.len);
    p = text;

    for (i = 0; i < n; i++) {
        if (i && columns && i % columns == 0) {
            p += sprintf(p, "%s", eol);
        }

        *p++ = all[i];
    }

    strcpy(p, eol);
    free(all);

    return text;
}


static void
invalid(pki_bytes_t body, const char *why, const char *name)
{
    pki_rc_t    rc;
    pki_err_t   err;
    pki_csr_t  *csr;

    err.text[0] = '\0';
    rc = pki_csr_read(body, &csr, &err);

    is_int(rc, PKI_INVALID, "refused: %s", name);
    ok(err.text[0] && strncmp(err.text, why, strlen(why)) == 0
       && strstr(err.text, "SSL") == NULL, "%s", err.text);
    is_int(ERR_peek_error(), 0, "no error is left behind");

    pki_csr_free(csr);
}

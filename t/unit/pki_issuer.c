
/*
 * An issuer agrees with OpenSSL's own CertIDs, by every digest, and with
 * no one else's.
 */

#include "pki_test_ca.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include "pki_issuer.h"


static EVP_PKEY  *key, *other_key;
static X509      *ca;


static void test_match(const char *kind);
static void test_rollover(void);
static void test_refused(void);
static void test_serials(void);
static void test_memory(void);
static pki_bytes_t octets(const ASN1_OCTET_STRING *s);


static const EVP_MD *(*const digests[PKI_DIGEST_N])(void) = {
    EVP_sha1, EVP_sha256, EVP_sha384, EVP_sha512
};


int
main(void)
{
    pki_test_alloc_hook();

    key = pki_test_key("P-256");
    other_key = pki_test_key("P-256");
    ca = pki_test_ca("Test CA", key);

    test_match("P-256");
    test_match("P-384");
    test_match("RSA2048");
    test_match("ED25519");
    test_rollover();
    test_refused();
    test_serials();
    test_memory();

    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other_key);

    return pki_test_done();
}


static void
test_match(const char *kind)
{
    X509               *cert, *leaf;
    EVP_PKEY           *k;
    pki_err_t           err;
    pki_bytes_t         name, hash, none;
    OCSP_CERTID        *id;
    pki_digest_t        i, other;
    pki_issuer_t       *issuer;
    unsigned char       md[PKI_FINGERPRINT_LEN];
    ASN1_OCTET_STRING  *n, *h;

    k = pki_test_key(kind);
    cert = pki_test_ca("Some CA", k);
    leaf = pki_test_issued("leaf", "40AA", cert, k, key, pki_test_leaf_exts);

    issuer = pki_issuer_create(cert, k, &err);
    ok(issuer != NULL, "%s: issuer", kind);
    pki_test_need(issuer != NULL, err.text);

    none.data = NULL;
    none.len = 0;

    for (i = 0; i < PKI_DIGEST_N; i++) {
        id = OCSP_cert_to_id(digests[i](), leaf, cert);
        pki_test_need(id != NULL
                      && OCSP_id_get0_info(&n, NULL, &h, NULL, id) == 1,
                      "certid");

        name = octets(n);
        hash = octets(h);

        ok(pki_issuer_match(issuer, i, name, hash), "%s: digest %d", kind, i);
        ok(!pki_issuer_match(issuer, i, hash, name), "hashes swapped");
        ok(!pki_issuer_match(issuer, i, none, none), "no hashes");

        other = (i + 1) % PKI_DIGEST_N;
        ok(!pki_issuer_match(issuer, other, name, hash), "other digest");
        ok(!pki_issuer_match(issuer, PKI_DIGEST_OTHER, name, hash),
           "unknown digest");

        hash.len--;
        ok(!pki_issuer_match(issuer, i, name, hash), "short key hash");
        hash.len++;
        name.len--;
        ok(!pki_issuer_match(issuer, i, name, hash), "short name hash");

        OCSP_CERTID_free(id);
    }

    ok(issuer->self_issued, "self-issued");
    is_int(issuer->serial.len, 2, "serial's length");
    is_mem(issuer->serial.data, "\x04\xd2", 2, "serial");
    ok(issuer->cert == cert && issuer->key == k, "certificate and key");
    ok(X509_digest(cert, EVP_sha256(), md, NULL) == 1
       && memcmp(md, issuer->fingerprint, sizeof(md)) == 0, "fingerprint");

    pki_issuer_free(issuer);
    X509_free(leaf);
    X509_free(cert);
    EVP_PKEY_free(k);
}


/* two CAs of one name: the key hash tells them apart, and the reverse */

static void
test_rollover(void)
{
    X509          *cert;
    pki_err_t      err;
    pki_bytes_t    name, hash;
    pki_issuer_t  *a, *b, *c;

    a = pki_issuer_create(ca, NULL, &err);

    cert = pki_test_ca("Test CA", other_key);
    b = pki_issuer_create(cert, NULL, &err);
    X509_free(cert);

    cert = pki_test_ca("Other CA", key);
    c = pki_issuer_create(cert, NULL, &err);
    X509_free(cert);

    pki_test_need(a && b && c, err.text);

    ok(a->key == NULL, "an issuer without a key");

    name.data = a->hash[PKI_DIGEST_SHA1].name;
    hash.data = a->hash[PKI_DIGEST_SHA1].key;
    name.len = hash.len = a->hash[PKI_DIGEST_SHA1].len;

    is_int(name.len, 20, "SHA-1");
    ok(pki_issuer_match(a, PKI_DIGEST_SHA1, name, hash), "its own");
    ok(!pki_issuer_match(b, PKI_DIGEST_SHA1, name, hash), "rolled key");
    ok(!pki_issuer_match(c, PKI_DIGEST_SHA1, name, hash), "renamed");

    pki_issuer_free(a);
    pki_issuer_free(b);
    pki_issuer_free(c);
    pki_issuer_free(NULL);
}


static void
test_refused(void)
{
    X509       *cert;
    pki_err_t   err;

    err.text[0] = '\0';

    cert = pki_test_issued("leaf", "01", ca, key, other_key,
                           pki_test_leaf_exts);
    ok(pki_issuer_create(cert, NULL, &err) == NULL, "a leaf");
    is_str(err.text, "the certificate is not a CA's", "why");
    X509_free(cert);

    ok(pki_issuer_create(ca, other_key, &err) == NULL, "another key");
    ok(strncmp(err.text, "the key does not belong to the CA", 33) == 0,
       "why");
    is_int(ERR_peek_error(), 0, "no error is left behind");
    ok(pki_issuer_create(ca, other_key, NULL) == NULL, "and nobody asks why");

    {
        static const pki_test_ext_t  no_sign[] = {
            { NID_basic_constraints, "critical,CA:TRUE" },
            { NID_key_usage, "critical,cRLSign" },
            { 0, NULL }
        };

        cert = pki_test_issued("odd", "01", NULL, NULL, key, no_sign);
        ok(pki_issuer_create(cert, NULL, &err) == NULL,
           "a CA that may not sign certificates");
        X509_free(cert);
    }
}


static void
test_serials(void)
{
    size_t         i;
    X509          *cert;
    pki_err_t      err;
    pki_issuer_t  *issuer;

    static const struct {
        const char  *serial;
        size_t       len;
    } rows[] = {
        { "0", 0 },
        { "-5", 0 },
        { "1", 1 },
        { "80", 1 },
        { "40112233445566778899AABBCCDDEEFF00112233", 20 },
        { "FF112233445566778899AABBCCDDEEFF00112233", 20 },
        { "01FF112233445566778899AABBCCDDEEFF00112233", 0 }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cert = pki_test_issued("CA", rows[i].serial, NULL, NULL, key,
                               pki_test_ca_exts);
        issuer = pki_issuer_create(cert, NULL, &err);
        ok(issuer != NULL && issuer->serial.len == rows[i].len,
           "serial %s of a CA", rows[i].serial);
        pki_issuer_free(issuer);
        X509_free(cert);
    }

    /* of another CA */

    cert = pki_test_issued("Sub CA", "77", ca, key, other_key,
                           pki_test_ca_exts);
    issuer = pki_issuer_create(cert, NULL, &err);
    ok(issuer != NULL && !issuer->self_issued, "not self-issued");
    pki_issuer_free(issuer);
    X509_free(cert);
}


static void
test_memory(void)
{
    int            hit, bad;
    long           n;
    X509          *cert;
    pki_err_t      err;
    pki_issuer_t  *issuer;

    bad = 0;
    hit = 1;

    for (n = 1; hit; n++) {
        cert = pki_test_fresh(ca);
        err.text[0] = '\0';

        pki_test_fail_at(n);
        issuer = pki_issuer_create(cert, key, &err);
        hit = pki_test_fail_hit();
        pki_test_fail_at(0);

        bad += (issuer == NULL && (!hit || err.text[0] == '\0'));
        bad += (issuer != NULL && issuer->hash[PKI_DIGEST_SHA512].len != 64);

        pki_issuer_free(issuer);
        X509_free(cert);
        ERR_clear_error();
    }

    is_int(bad, 0, "each of %ld allocations fails in turn", n - 2);
}


static pki_bytes_t
octets(const ASN1_OCTET_STRING *s)
{
    return (pki_bytes_t) { ASN1_STRING_get0_data(s),
                           (size_t) ASN1_STRING_length(s) };
}

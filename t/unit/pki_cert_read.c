
/*
 * Certificates that are read: whose they are, what the records are told of
 * them, how they are bundled; also those that nobody should have issued.
 */

#include "pki_test_csr.h"

#include <openssl/pkcs7.h>
#include "pki_cert.h"
#include "pki_name.h"


#define SERIAL  "4039B3BB1484B5D6ED606B42B382276A3E8D626D"


static EVP_PKEY      *key, *other_key;
static X509          *ca, *leaf;
static pki_issuer_t  *issuer;


static void test_read(void);
static void test_serials(void);
static void test_cut(void);
static void test_pkcs7(void);
static void test_describe(void);
static void test_odd(void);
static void test_long(void);
static void test_name(void);
static void test_copy(void);
static void test_memory(void);
static pki_bytes_t der_of(X509 *cert);
static pki_rc_t read_der(pki_bytes_t der, pki_serial_t *serial,
    pki_err_t *err);


static const pki_test_ext_t  exts[] = {
    { NID_subject_alt_name, "DNS:www.example.com,IP:10.0.0.1,IP:2001:db8::1,"
      "email:anna@example.com,URI:x:y,RID:1.2.3,"
      PKI_TEST_UPN "J\xf6rg@example.com," PKI_TEST_UPN "b" },
    { 0, NULL }
};


int
main(void)
{
    pki_err_t  err;

    pki_test_alloc_hook();

    key = pki_test_key("P-256");
    other_key = pki_test_key("P-256");
    ca = pki_test_ca("CA", key);
    leaf = pki_test_issued("J\xc3\xb6rg, \"x\"", SERIAL, ca, key, other_key,
                           exts);
    issuer = pki_issuer_create(ca, key, &err);
    pki_test_need(issuer != NULL, err.text);

    test_read();
    test_serials();
    test_cut();
    test_pkcs7();
    test_describe();
    test_odd();
    test_long();
    test_name();
    test_copy();
    test_memory();

    pki_issuer_free(issuer);
    X509_free(leaf);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other_key);

    return pki_test_done();
}


static void
test_read(void)
{
    X509           *cert, *other, *other_ca;
    pki_err_t       err;
    pki_bytes_t     der;
    pki_serial_t    serial;
    unsigned char  *p;

    der = der_of(leaf);
    is_int(pki_cert_read(issuer, der, &cert, &serial, &err), PKI_OK, "ours");
    ok(X509_cmp(cert, leaf) == 0, "it is that one");
    is_int(serial.len, 20, "serial");
    is_mem(serial.data, "\x40\x39\xb3\xbb", 4, "serial");
    X509_free(cert);

    p = (unsigned char *) der.data;
    p[der.len - 1] ^= 1;
    is_int(read_der(der, &serial, &err), PKI_NOT_FOUND, "another signature");
    is_str(err.text, "the certificate was not signed with the key of the CA",
           "why");
    p[der.len - 1] ^= 1;
    OPENSSL_free(p);

    /* another name, and another key of the same name */

    other_ca = pki_test_ca("Other", key);
    other = pki_test_issued("a", "01", other_ca, key, key, exts);
    der = der_of(other);
    is_int(read_der(der, &serial, &err), PKI_NOT_FOUND, "another CA's");
    is_str(err.text, "the certificate was issued by another CA", "why");
    OPENSSL_free((unsigned char *) der.data);
    X509_free(other);
    X509_free(other_ca);

    other_ca = pki_test_ca("CA", other_key);
    other = pki_test_issued("a", "01", other_ca, other_key, key, exts);
    der = der_of(other);
    is_int(read_der(der, &serial, &err), PKI_NOT_FOUND, "another key's");
    OPENSSL_free((unsigned char *) der.data);
    X509_free(other);
    X509_free(other_ca);
}


static void
test_serials(void)
{
    size_t           i;
    X509            *cert;
    pki_rc_t         rc;
    pki_err_t        err;
    pki_bytes_t      der;
    pki_serial_t     serial;
    pki_cert_text_t  text;

    static const struct {
        const char  *serial;
        size_t       len;           /* 0: invalid */
    } rows[] = {
        { "1", 1 },
        { "80", 1 },
        { "FF112233445566778899AABBCCDDEEFF00112233", 20 },
        { "0", 0 },
        { "-5", 0 },
        { "01FF112233445566778899AABBCCDDEEFF00112233", 0 }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cert = pki_test_issued("a", rows[i].serial, ca, key, key, exts);
        der = der_of(cert);
        rc = read_der(der, &serial, &err);

        if (rows[i].len) {
            ok(rc == PKI_OK && serial.len == rows[i].len, "serial %s",
               rows[i].serial);
            is_int(pki_cert_describe(cert, &text), PKI_OK, "described");
            is_mem(&text.serial, &serial, sizeof(pki_serial_t), "the same");

        } else {
            is_int(rc, PKI_INVALID, "serial %s", rows[i].serial);
            is_int(pki_cert_describe(cert, &text), PKI_INVALID, "nor that");
        }

        OPENSSL_free((unsigned char *) der.data);
        X509_free(cert);
    }
}


static void
test_cut(void)
{
    int             bad;
    size_t          i;
    pki_err_t       err;
    pki_bytes_t     der;
    pki_serial_t    serial;
    unsigned char  *copy;

    der = der_of(leaf);
    bad = 0;

    for (i = 0; i < der.len; i++) {
        copy = malloc(i ? i : 1);
        memcpy(copy, der.data, i);

        bad += read_der((pki_bytes_t) { copy, i }, &serial, &err)
               != PKI_INVALID;
        bad += ERR_peek_error() != 0;
        free(copy);
    }

    is_int(bad, 0, "cut at each octet");

    copy = malloc(der.len + 1);
    memcpy(copy, der.data, der.len);
    copy[der.len] = 0;
    is_int(read_der((pki_bytes_t) { copy, der.len + 1 }, &serial, &err),
           PKI_INVALID, "an octet more");
    is_str(err.text, "this is not a certificate in DER", "why");

    free(copy);
    OPENSSL_free((unsigned char *) der.data);
}


static void
test_pkcs7(void)
{
    X509                 *certs[2];
    PKCS7                *p7;
    size_t                len;
    STACK_OF(X509)       *list;
    unsigned char        *der;
    const unsigned char  *p;

    certs[0] = leaf;
    certs[1] = ca;

    is_int(pki_cert_pkcs7(certs, 2, &der, &len), PKI_OK, "two certificates");
    p = der;
    p7 = d2i_PKCS7(NULL, &p, (long) len);
    ok(p7 != NULL && p == der + len && PKCS7_type_is_signed(p7), "PKCS#7");
    list = p7->d.sign->cert;
    is_int(sk_X509_num(list), 2, "two in it");
    ok(X509_cmp(sk_X509_value(list, 0), leaf) == 0
       && X509_cmp(sk_X509_value(list, 1), ca) == 0, "in their order");
    is_int(sk_PKCS7_SIGNER_INFO_num(p7->d.sign->signer_info), 0,
           "nobody signs");
    ok(p7->d.sign->contents->d.data == NULL, "nothing");
    PKCS7_free(p7);
    OPENSSL_free(der);

    is_int(pki_cert_pkcs7(certs, 1, &der, &len), PKI_OK, "one certificate");
    p = der;
    p7 = d2i_PKCS7(NULL, &p, (long) len);
    pki_test_need(p7 != NULL, "PKCS#7");
    is_int(sk_X509_num(p7->d.sign->cert), 1, "one in it");
    PKCS7_free(p7);
    OPENSSL_free(der);
}


static void
test_describe(void)
{
    char              hex[3];
    X509             *bare;
    unsigned          i, n;
    pki_cert_text_t   text;
    unsigned char     hash[32];

    static const pki_test_ext_t  none[] = { { 0, NULL } };

    is_int(pki_cert_describe(leaf, &text), PKI_OK, "described");
    is_str(text.subject, "O=Test,CN=J\xc3\xb6rg\\, \\\"x\\\"", "subject");
    is_str(text.sans, "DNS:www.example.com, IP:10.0.0.1, "
           "IP:2001:db8:0:0:0:0:0:1, email:anna@example.com, URI:x:y, "
           "UPN:J\xc3\xb6rg@example.com, UPN:b", "names");
    is_str(text.upn, "J\xc3\xb6rg@example.com", "UPN");
    is_int(text.not_before, pki_test_now() - PKI_TEST_DAY, "not before");
    is_int(text.not_after, pki_test_now() + PKI_TEST_DAY, "not after");

    pki_test_need(X509_digest(leaf, EVP_sha1(), hash, &n) == 1, "hash");

    for (i = 0; i < n; i++) {
        snprintf(hex, sizeof(hex), "%02X", hash[i]);
        pki_test_need(memcmp(text.thumbprint + 2 * i, hex, 2) == 0, hex);
    }

    is_int(strlen(text.thumbprint), 40, "SHA-1");
    is_int(strlen(text.sha256), 64, "SHA-256");

    bare = pki_test_issued(NULL, "01", ca, key, key, none);
    is_int(pki_cert_describe(bare, &text), PKI_OK, "described");
    is_str(text.subject, "O=Test", "subject");
    is_str(text.sans, "", "no names");
    is_str(text.upn, "", "no UPN");
    X509_free(bare);
}


/* names that others have put in */

static void
test_odd(void)
{
    X509             *cert;
    X509_NAME        *name;
    ASN1_STRING      *value;
    X509_EXTENSION   *ext;
    pki_cert_text_t   text;

    static const pki_test_ext_t  odd[] = {
        { NID_subject_alt_name, "DNS:a b,DNS:c,email:\xc3\xa4,URI:e" },
        { 0, NULL }
    };

    cert = pki_test_issued("abc", "01", ca, key, key, odd);
    name = X509_NAME_dup(X509_get_subject_name(cert));
    value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, 1));

    pki_test_need(ASN1_STRING_set(value, "a\tb" "c\0d", 6) == 1
                  && X509_NAME_add_entry_by_NID(name, NID_surname,
                                                MBSTRING_ASC,
                                                (unsigned char *) "x", -1, -1,
                                                0)
                     == 1
                  && X509_set_subject_name(cert, name) == 1, "a name");

    is_int(pki_cert_describe(cert, &text), PKI_OK, "described");
    is_str(text.subject, "O=Test,CN=a\\09bc\\00d,SN=x", "subject");
    is_str(text.sans, "DNS:c, URI:e", "names that can be read");

    X509_NAME_free(name);

    /* no names at all where names should be */

    ext = X509_get_ext(cert, X509_get_ext_by_NID(cert, NID_subject_alt_name,
                                                 -1));
    value = X509_EXTENSION_get_data(ext);
    pki_test_need(ASN1_STRING_set(value, "x", 1) == 1, "an extension");
    is_int(pki_cert_describe(cert, &text), PKI_OK, "described all the same");
    is_str(text.sans, "", "without names");
    is_int(ERR_peek_error(), 0, "no error is left behind");

    X509_free(cert);
}


static void
test_long(void)
{
    int               i;
    char             *sans, *p;
    X509             *cert;
    pki_test_ext_t    many[2];
    pki_cert_text_t   text;

    sans = malloc(64 * 512);
    p = sans;

    for (i = 0; i < 500; i++) {
        p += sprintf(p, "%sDNS:host-%d.example.com", i ? "," : "", i);
    }

    memset(many, 0, sizeof(many));
    many[0].nid = NID_subject_alt_name;
    many[0].value = sans;

    cert = pki_test_issued("a", "01", ca, key, key, many);
    is_int(pki_cert_describe(cert, &text), PKI_OK, "described");
    is_int(strlen(text.sans), PKI_CERT_TEXT_MAX - 1, "as many as fit");
    ok(strncmp(text.sans, "DNS:host-0.example.com, DNS:host-1.exam", 39) == 0,
       "from the first");
    X509_free(cert);

    p = sans + sprintf(sans, PKI_TEST_UPN);

    for (i = 0; i < PKI_CSR_NAME_MAX / 2; i++) {
        p += sprintf(p, "\xe4");
    }

    cert = pki_test_issued("a", "01", ca, key, key, many);
    is_int(pki_cert_describe(cert, &text), PKI_OK, "described");
    is_int(strlen(text.upn), PKI_CSR_NAME_MAX, "a UPN that just fits");
    X509_free(cert);

    strcpy(p, "x");
    cert = pki_test_issued("a", "01", ca, key, key, many);
    is_int(pki_cert_describe(cert, &text), PKI_OK, "described");
    is_str(text.upn, "", "one that does not");
    X509_free(cert);

    free(sans);
}


static void
test_name(void)
{
    char        text[16];
    X509_NAME  *name;

    name = X509_NAME_new();
    is_int(pki_cert_name(name, text, sizeof(text)), PKI_OK, "an empty name");
    is_str(text, "", "is empty");

    pki_test_subject(name, "CN=abc\xc3\xa4/O=x+y/OU=a,b;c<d>");
    is_int(pki_cert_name(name, text, sizeof(text)), PKI_OK, "a name");
    is_str(text, "CN=abc\xc3\xa4,O=x\\+y", "is cut");
    is_int(pki_cert_name(name, text, 8), PKI_OK, "a name");
    is_str(text, "CN=abc", "before a whole character");

    X509_NAME_free(name);
}


static void
test_copy(void)
{
    char    buf[8];
    size_t  i;

    static const struct {
        const char  *text;
        size_t       size;
        const char  *copy;
    } rows[] = {
        { "", 8, "" },
        { "abc", 4, "abc" },
        { "abc", 3, "ab" },
        { "abc", 1, "" },
        { "a\xc3\xa4", 4, "a\xc3\xa4" },
        { "a\xc3\xa4", 3, "a" },
        { "\x01\x1f\x7f", 8, "???" },
        { "\xc2\x85x", 8, "?x" },
        { "\xc2\xa0x", 8, "\xc2\xa0x" },
        { "\xc3", 8, "?" },
        { "\xff\xfe\xed\xa0\x80", 8, "?????" }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(buf, 'x', sizeof(buf));
        is_int(pki_name_copy(buf, rows[i].size, rows[i].text),
               strlen(rows[i].copy), "row %zu: length", i);
        is_str(buf, rows[i].copy, "copy");
    }
}


static void
test_memory(void)
{
    int               hit, bad;
    long              n;
    X509             *cert, *fresh;
    size_t            len;
    pki_rc_t          rc;
    pki_err_t         err;
    pki_bytes_t       der;
    pki_serial_t      serial;
    unsigned char    *out;
    pki_cert_text_t   text;

    der = der_of(leaf);
    bad = 0;
    hit = 1;

    for (n = 1; hit; n++) {
        pki_test_fail_at(n);
        rc = pki_cert_read(issuer, der, &cert, &serial, &err);
        hit = pki_test_fail_hit();
        pki_test_fail_at(0);

        bad += rc != PKI_OK && (!hit || cert != NULL);
        bad += ERR_peek_error() != 0 && rc != PKI_OK;
        X509_free(cert);
        ERR_clear_error();
    }

    is_int(bad, 0, "read: each of %ld allocations fails", n - 2);

    bad = 0;
    hit = 1;

    for (n = 1; hit; n++) {
        fresh = pki_test_fresh(leaf);
        out = NULL;

        pki_test_fail_at(n);
        rc = pki_cert_describe(fresh, &text);
        hit = pki_test_fail_hit();

        if (rc == PKI_OK && !hit) {
            rc = pki_cert_der(fresh, &out, &len);
            hit = pki_test_fail_hit();
        }

        if (rc == PKI_OK && !hit) {
            OPENSSL_free(out);
            out = NULL;
            rc = pki_cert_pkcs7(&fresh, 1, &out, &len);
            hit = pki_test_fail_hit();
        }

        pki_test_fail_at(0);

        bad += hit ? rc == PKI_INVALID : rc != PKI_OK;
        bad += hit && rc == PKI_OK && text.sha256[0] == '\0';
        OPENSSL_free(out);
        X509_free(fresh);
        ERR_clear_error();
    }

    is_int(bad, 0, "describe: each of %ld allocations fails", n - 2);
    OPENSSL_free((unsigned char *) der.data);
}


static pki_bytes_t
der_of(X509 *cert)
{
    size_t          len;
    unsigned char  *der;

    pki_test_need(pki_cert_der(cert, &der, &len) == PKI_OK, "DER");

    return (pki_bytes_t) { der, len };
}


static pki_rc_t
read_der(pki_bytes_t der, pki_serial_t *serial, pki_err_t *err)
{
    X509      *cert;
    pki_rc_t   rc;

    rc = pki_cert_read(issuer, der, &cert, serial, err);

    if (rc != PKI_OK && cert != NULL) {
        rc = PKI_OK;
    }

    X509_free(cert);

    return rc;
}

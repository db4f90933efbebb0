
/*
 * Requests: what OpenSSL builds is understood, what is put together badly
 * is refused, nothing that is cut or bent crashes.
 */

#include "pki_test.h"

#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/x509.h>
#include "pki_der.h"
#include "pki_ocsp.h"


#define CERTS      16

#define B(s)       ((pki_bytes_t) { (const unsigned char *) s,                \
                                    sizeof(s) - 1 })

/* an element of other elements */

#define T(tag, ...)                                                           \
    tlv(tag, (pki_bytes_t[]) { __VA_ARGS__ },                                 \
        sizeof((pki_bytes_t[]) { __VA_ARGS__ }) / sizeof(pki_bytes_t))

#define NONE       B("")
#define SHA1       B("\x06\x05\x2b\x0e\x03\x02\x1a")
#define SHA256     B("\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01")
#define SHA384     B("\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02")
#define SHA512     B("\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03")
#define MD5        B("\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05")
#define DERNULL    B("\x05\x00")
#define HASH       B("12345678901234567890")
#define ARC(n)     B("\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01" n)
#define NONCE      ARC("\x02")
#define CRITICAL   B("\x01\x01\xff")
#define ECDSA384   B("\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03")

#define CERTID     certid(SHA1, DERNULL, B("\x12\x34"))
#define SINGLE     T(0x30, CERTID)
#define LIST       T(0x30, SINGLE)


typedef struct {
    const char   *name;
    pki_bytes_t   request;
} row_t;


static void test_openssl(void);
static void test_sixteen(void);
static void test_accepted(void);
static void test_refused(void);
static void test_digests(void);
static void test_serials(void);
static void test_nonces(void);
static void test_preferences(void);
static void test_cut(void);
static void test_bent(void);

static pki_rc_t parse(pki_bytes_t der, unsigned max);
static unsigned inside(pki_bytes_t part, const unsigned char *p, size_t len);
static unsigned stray(const unsigned char *p, size_t len);
static pki_bytes_t tlv(unsigned tag, const pki_bytes_t *parts, size_t n);
static pki_bytes_t certid(pki_bytes_t oid, pki_bytes_t params,
    pki_bytes_t serial);
static pki_bytes_t request(pki_bytes_t exts);
static pki_bytes_t extension(pki_bytes_t oid, pki_bytes_t critical,
    pki_bytes_t value);
static pki_bytes_t nonce(size_t len);


static unsigned char       arena[1 << 18];
static size_t              used;

static pki_certid_t        certs[CERTS];
static pki_ocsp_request_t  req;

int
main(void)
{
    test_openssl();
    test_sixteen();
    test_accepted();
    test_refused();
    test_digests();
    test_serials();
    test_nonces();
    test_preferences();
    test_cut();
    test_bent();

    return pki_test_done();
}


static void
test_openssl(void)
{
    int                   i, len;
    X509_NAME            *name;
    OCSP_CERTID          *id;
    ASN1_INTEGER         *serial;
    OCSP_REQUEST         *r;
    unsigned char        *der, *one;
    ASN1_BIT_STRING      *key;

    static const struct {
        const EVP_MD     *(*md)(void);
        pki_digest_t        digest;
    } rows[] = {
        { EVP_sha1, PKI_DIGEST_SHA1 },
        { EVP_sha256, PKI_DIGEST_SHA256 },
        { EVP_sha384, PKI_DIGEST_SHA384 },
        { EVP_sha512, PKI_DIGEST_SHA512 },
        { EVP_md5, PKI_DIGEST_OTHER }
    };

    for (i = 0; i < 5; i++) {
        name = X509_NAME_new();
        key = ASN1_BIT_STRING_new();
        serial = ASN1_INTEGER_new();
        r = OCSP_REQUEST_new();

        if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                       (unsigned char *) "x", -1, -1, 0)
            != 1
            || ASN1_BIT_STRING_set(key, (unsigned char *) "key", 3) != 1
            || ASN1_INTEGER_set_uint64(serial, 0x8001) != 1)
        {
            ok(0, "setting up");
            exit(1);
        }

        id = OCSP_cert_id_new(rows[i].md(), name, key, serial);
        one = NULL;
        len = i2d_OCSP_CERTID(id, &one);

        OCSP_request_add0_id(r, id);
        OCSP_request_add1_nonce(r, (unsigned char *) "0123456789abcdef", 16);

        der = NULL;
        is_int(parse((pki_bytes_t) { der, 0 }, CERTS), PKI_INVALID,
               "nothing");

        len = i2d_OCSP_REQUEST(r, &der);
        is_int(parse((pki_bytes_t) { der, len }, CERTS), PKI_OK, "request");

        is_int(req.ncerts, 1, "one certificate");
        is_int(certs[0].digest, rows[i].digest, "its digest");
        is_int(certs[0].null_params, 1, "OpenSSL writes NULL");
        is_int(certs[0].serial.len, 3, "serial's length");
        is_mem(certs[0].serial.data, "\x00\x80\x01", 3, "serial");
        is_int(certs[0].name_hash.len, EVP_MD_get_size(rows[i].md()),
               "name hash");
        is_int(certs[0].key_hash.len, EVP_MD_get_size(rows[i].md()),
               "key hash");
        ok(pki_der_equal(certs[0].der,
                         (pki_bytes_t) { one, certs[0].der.len }),
           "the whole of the CertID");
        ok(pki_der_equal(req.nonce, B("0123456789abcdef")), "nonce");
        is_int(req.npreferences, 0, "no preferences");

        OPENSSL_free(der);
        OPENSSL_free(one);
        OCSP_REQUEST_free(r);
        X509_NAME_free(name);
        ASN1_BIT_STRING_free(key);
        ASN1_INTEGER_free(serial);
    }
}


static void
test_sixteen(void)
{
    unsigned        i, n;
    pki_bytes_t     list, der;
    unsigned char   serial;

    for (n = 1; n <= 18; n++) {
        used = 0;
        list = NONE;

        for (i = 0; i < n; i++) {
            serial = (unsigned char) i;
            list = T(0, list, T(0x30, certid(SHA1, DERNULL,
                                     (pki_bytes_t) { &serial, 1 })));
        }

        der = T(0x30, T(0x30, T(0x30, list)));

        is_int(parse(der, CERTS), n <= CERTS ? PKI_OK : PKI_INVALID,
               "%u certificates", n);

        for (i = 0; n <= CERTS && i < n; i++) {
            if (certs[i].serial.len != 1 || certs[i].serial.data[0] != i) {
                ok(0, "certificate %u of %u in order", i, n);
            }
        }
    }

    used = 0;
    is_int(parse(request(NONE), 0), PKI_INVALID, "room for none");
    is_int(parse(request(NONE), 1), PKI_OK, "room for one");
}


static void
test_accepted(void)
{
    size_t  i;

    used = 0;

    const row_t  rows[] = {
        { "plain", request(NONE) },
        { "version spelled out",
          T(0x30, T(0x30, B("\xa0\x03\x02\x01\x00"), LIST)) },
        { "requestor's name",
          T(0x30, T(0x30, T(0xa1, T(0xa4, T(0x30, NONE))), LIST)) },
        { "version and name",
          T(0x30, T(0x30, B("\xa0\x03\x02\x01\x00"), T(0xa1, B("any")),
                    LIST)) },
        { "signature", T(0x30, T(0x30, LIST), T(0xa0, T(0x30, NONE))) },
        { "a wrong signature", T(0x30, T(0x30, LIST), T(0xa0, B("x"))) },
        { "no extensions in a list for them", request(T(0x30, NONE)) },
        { "unknown extension",
          request(T(0x30, extension(ARC("\x03"), NONE, B("x")))) },
        { "unknown extension, FALSE spelled out",
          request(T(0x30, extension(ARC("\x03"), B("\x01\x01\x00"),
                                    NONE))) },
        { "extension of another arc",
          request(T(0x30, extension(B("\x06\x03\x2b\x06\x01"), NONE,
                                    B("x")))) },
        { "response types",
          request(T(0x30, extension(ARC("\x04"), NONE,
                                    T(0x30, ARC("\x01"))))) },
        { "response types, critical, basic among others",
          request(T(0x30, extension(ARC("\x04"), CRITICAL,
                                    T(0x30, ARC("\x09"), ARC("\x01"))))) },
        { "critical nonce",
          request(T(0x30, extension(NONCE, CRITICAL, T(4, B("n"))))) },
        { "unknown single extension",
          T(0x30, T(0x30, T(0x30, T(0x30, CERTID, T(0xa0, T(0x30,
            extension(ARC("\x03"), NONE, B("x")))))))) },
        { "nonce in a single extension",
          T(0x30, T(0x30, T(0x30, T(0x30, CERTID, T(0xa0, T(0x30,
            extension(NONCE, NONE, T(4, B("x"))))))))) },
        { "service locator, critical",
          T(0x30, T(0x30, T(0x30, T(0x30, CERTID, T(0xa0, T(0x30,
            extension(ARC("\x07"), CRITICAL, B("x")))))))) }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        is_int(parse(rows[i].request, CERTS), PKI_OK, "%s", rows[i].name);
        ok(req.ncerts == 1 && certs[0].digest == PKI_DIGEST_SHA1
           && certs[0].serial.len == 2, "%s: the certificate",
           rows[i].name);
        is_int(req.nonce.len, strcmp(rows[i].name, "critical nonce") == 0,
               "%s: the nonce", rows[i].name);
    }
}


static void
test_refused(void)
{
    size_t  i;

    used = 0;

    const row_t  rows[] = {
        { "nothing inside", T(0x30, NONE) },
        { "an empty tbsRequest", T(0x30, T(0x30, NONE)) },
        { "an empty list", T(0x30, T(0x30, T(0x30, NONE))) },
        { "an empty single", T(0x30, T(0x30, T(0x30, T(0x30, NONE)))) },
        { "an empty CertID",
          T(0x30, T(0x30, T(0x30, T(0x30, T(0x30, NONE))))) },
        { "a SET", T(0x31, T(0x30, LIST)) },
        { "trailing octet", T(0, T(0x30, T(0x30, LIST)), B("\n")) },
        { "trailing element in the request",
          T(0x30, T(0x30, LIST), DERNULL) },
        { "trailing element behind the signature",
          T(0x30, T(0x30, LIST), T(0xa0, NONE), DERNULL) },
        { "trailing element in tbsRequest", T(0x30, T(0x30, LIST, DERNULL)) },
        { "trailing element in the list",
          T(0x30, T(0x30, T(0x30, SINGLE, DERNULL))) },
        { "trailing element in a single",
          T(0x30, T(0x30, T(0x30, T(0x30, CERTID, DERNULL)))) },
        { "trailing element in a CertID",
          T(0x30, T(0x30, T(0x30, T(0x30, T(0x30, T(0x30, SHA1),
            T(4, HASH), T(4, HASH), T(2, B("\x01")), DERNULL))))) },
        { "two parameters",
          T(0x30, T(0x30, T(0x30, T(0x30, T(0x30,
            T(0x30, SHA1, DERNULL, DERNULL), T(4, HASH), T(4, HASH),
            T(2, B("\x01"))))))) },
        { "no key hash",
          T(0x30, T(0x30, T(0x30, T(0x30, T(0x30, T(0x30, SHA1),
            T(4, HASH), T(2, B("\x01"))))))) },
        { "version 2",
          T(0x30, T(0x30, B("\xa0\x03\x02\x01\x01"), LIST)) },
        { "version -1",
          T(0x30, T(0x30, B("\xa0\x03\x02\x01\xff"), LIST)) },
        { "version of two octets",
          T(0x30, T(0x30, B("\xa0\x04\x02\x02\x00\x00"), LIST)) },
        { "an empty version", T(0x30, T(0x30, B("\xa0\x00"), LIST)) },
        { "two versions in one",
          T(0x30, T(0x30, B("\xa0\x06\x02\x01\x00\x02\x01\x00"), LIST)) },
        { "version twice",
          T(0x30, T(0x30, B("\xa0\x03\x02\x01\x00\xa0\x03\x02\x01\x00"),
                    LIST)) },
        { "name before version",
          T(0x30, T(0x30, T(0xa1, NONE), B("\xa0\x03\x02\x01\x00"), LIST)) },
        { "an extension that is none", request(T(0x30, DERNULL)) },
        { "extensions without a list",
          request(T(0, extension(ARC("\x03"), NONE, NONE))) },
        { "two lists of extensions",
          request(T(0, T(0x30, NONE), T(0x30, NONE))) },
        { "critical unknown extension",
          request(T(0x30, extension(ARC("\x03"), CRITICAL, NONE))) },
        { "critical extension of another arc",
          request(T(0x30, extension(B("\x06\x03\x2b\x06\x01"), CRITICAL,
                                    NONE))) },
        { "critical, a BER TRUE",
          request(T(0x30, extension(NONCE, B("\x01\x01\x01"),
                                    T(4, B("n"))))) },
        { "service locator for all, critical",
          request(T(0x30, extension(ARC("\x07"), CRITICAL, NONE))) },
        { "extension without a value",
          request(T(0x30, T(0x30, NONCE))) },
        { "extension with two values",
          request(T(0x30, T(0x30, ARC("\x03"), T(4, NONE), T(4, NONE)))) },
        { "critical unknown single extension",
          T(0x30, T(0x30, T(0x30, T(0x30, CERTID, T(0xa0, T(0x30,
            extension(ARC("\x03"), CRITICAL, B("x")))))))) },
        { "critical preferences for a single",
          T(0x30, T(0x30, T(0x30, T(0x30, CERTID, T(0xa0, T(0x30,
            extension(ARC("\x08"), CRITICAL, T(0x30, NONE)))))))) },
        { "response types without basic",
          request(T(0x30, extension(ARC("\x04"), NONE,
                                    T(0x30, ARC("\x09"))))) },
        { "no response types",
          request(T(0x30, extension(ARC("\x04"), NONE, T(0x30, NONE)))) },
        { "response types, then more",
          request(T(0x30, extension(ARC("\x04"), NONE,
                                    T(0, T(0x30, ARC("\x01")),
                                      DERNULL)))) },
        { "response types that are no OIDs",
          request(T(0x30, extension(ARC("\x04"), NONE,
                                    T(0x30, ARC("\x01"), DERNULL)))) },
        { "indefinite length",
          T(0, B("\x30\x80"), T(0x30, LIST), B("\x00\x00")) },
        { "indefinite length inside",
          T(0x30, B("\x30\x80"), LIST, B("\x00\x00")) },
        { "a long form for a short length",
          T(0x30, T(0x30, T(0x30, T(0x30, T(0x30, T(0x30, SHA1),
            B("\x04\x81\x14" "12345678901234567890"), T(4, HASH),
            T(2, B("\x01"))))))) },
        { "base64 text", B("MFUwUzBRME8wTTAJBgUrDgMCGgUABBS") }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        is_int(parse(rows[i].request, CERTS), PKI_INVALID, "%s",
               rows[i].name);
    }
}


static void
test_digests(void)
{
    size_t  i;

    used = 0;

    const struct {
        const char    *name;
        pki_bytes_t    oid;
        pki_bytes_t    params;
        pki_digest_t   digest;
        unsigned       null;
    } rows[] = {
        { "SHA-1, NULL", SHA1, DERNULL, PKI_DIGEST_SHA1, 1 },
        { "SHA-1, absent", SHA1, NONE, PKI_DIGEST_SHA1, 0 },
        { "SHA-256, NULL", SHA256, DERNULL, PKI_DIGEST_SHA256, 1 },
        { "SHA-256, absent", SHA256, NONE, PKI_DIGEST_SHA256, 0 },
        { "SHA-384, absent", SHA384, NONE, PKI_DIGEST_SHA384, 0 },
        { "SHA-512, NULL", SHA512, DERNULL, PKI_DIGEST_SHA512, 1 },
        { "MD5", MD5, DERNULL, PKI_DIGEST_OTHER, 1 },
        { "SHA-1 with parameters", SHA1, B("\x02\x01\x05"),
          PKI_DIGEST_OTHER, 0 },
        { "SHA-1 with a NULL of something", SHA1, B("\x05\x01\x05"),
          PKI_DIGEST_OTHER, 0 },
        { "a shorter OID", B("\x06\x08\x60\x86\x48\x01\x65\x03\x04\x02"),
          NONE, PKI_DIGEST_OTHER, 0 }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        pki_bytes_t  id = certid(rows[i].oid, rows[i].params, B("\x01"));

        is_int(parse(T(0x30, T(0x30, T(0x30, T(0x30, id)))), CERTS), PKI_OK,
               "%s", rows[i].name);
        is_int(certs[0].digest, rows[i].digest, "its digest");
        is_int(certs[0].null_params, rows[i].null, "its parameters");
        ok(pki_der_equal(certs[0].der, id), "byte for byte");
        ok(pki_der_equal(certs[0].name_hash, HASH), "its name hash");
    }

    is_int(parse(T(0x30, T(0x30, T(0x30, T(0x30,
                 certid(SHA1, B("\x05"), B("\x01")))))), CERTS),
           PKI_INVALID, "half a NULL");
}


static void
test_serials(void)
{
    size_t         i;
    unsigned char  big[64];

    used = 0;
    memset(big, 0x7f, sizeof(big));

    const struct {
        const char   *name;
        pki_bytes_t   serial;
        pki_rc_t      rc;
    } rows[] = {
        { "0", B("\x00"), PKI_OK },
        { "negative", B("\xfe"), PKI_OK },
        { "20 octets", { big, 20 }, PKI_OK },
        { "21 octets", { big, 21 }, PKI_OK },
        { "64 octets", { big, 64 }, PKI_OK },
        { "none", NONE, PKI_INVALID },
        { "00 00", B("\x00\x00"), PKI_INVALID },
        { "00 7f", B("\x00\x7f"), PKI_INVALID },
        { "ff ff", B("\xff\xff"), PKI_INVALID }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        is_int(parse(T(0x30, T(0x30, T(0x30, T(0x30,
                     certid(SHA1, NONE, rows[i].serial))))), CERTS),
               rows[i].rc, "serial: %s", rows[i].name);

        if (rows[i].rc == PKI_OK) {
            ok(pki_der_equal(certs[0].serial, rows[i].serial), "as sent");
        }
    }
}


static void
test_nonces(void)
{
    size_t  i;

    static const struct {
        size_t    len;
        pki_rc_t  rc;
    } rows[] = {
        { 0, PKI_INVALID }, { 1, PKI_OK }, { 16, PKI_OK }, { 32, PKI_OK },
        { 33, PKI_OK }, { 127, PKI_OK }, { 128, PKI_OK },
        { 129, PKI_INVALID }, { 1000, PKI_INVALID }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        used = 0;

        is_int(parse(request(T(0x30, extension(NONCE, NONE,
                                               nonce(rows[i].len)))),
                     CERTS),
               rows[i].rc, "a nonce of %zu", rows[i].len);

        if (rows[i].rc == PKI_OK) {
            is_int(req.nonce.len, rows[i].len, "its length");
        }
    }

    is_int(parse(request(T(0x30, extension(NONCE, NONE, B("raw octets")))),
                 CERTS), PKI_INVALID, "without the inner OCTET STRING");
    is_int(parse(request(T(0x30, extension(NONCE, NONE, NONE))), CERTS),
           PKI_INVALID, "an empty value");
    is_int(parse(request(T(0x30, extension(NONCE, NONE,
                                           T(0, T(4, B("a")), DERNULL)))),
                 CERTS), PKI_INVALID, "more than a nonce");
    is_int(parse(request(T(0x30, extension(NONCE, NONE, T(4, B("a"))),
                           extension(NONCE, NONE, T(4, B("a"))))),
                 CERTS), PKI_INVALID, "twice");
    is_int(parse(request(T(0x30, extension(ARC("\x03"), NONE, NONE),
                           extension(NONCE, NONE, T(4, B("abc"))))),
                 CERTS), PKI_OK, "second");
    ok(pki_der_equal(req.nonce, B("abc")), "and found");
}


static void
test_preferences(void)
{
    unsigned     i;
    pki_bytes_t  list, alg;

    used = 0;
    alg = T(0x30, ECDSA384);
    list = NONE;

    for (i = 0; i <= PKI_OCSP_PREFERENCES + 1; i++) {
        is_int(parse(request(T(0x30, extension(ARC("\x08"), NONE,
                                               T(0x30, list)))),
                     CERTS), PKI_OK, "%u preferences", i);
        is_int(req.npreferences,
               i > PKI_OCSP_PREFERENCES ? PKI_OCSP_PREFERENCES : i, "seen");

        list = T(0, list, T(0x30, alg));
    }

    ok(pki_der_equal(req.preferences[7],
                     (pki_bytes_t) { ECDSA384.data + 2, 8 }), "the OID");

    used = 0;
    alg = T(0x30, ECDSA384, DERNULL);

    is_int(parse(request(T(0x30, extension(ARC("\x08"), CRITICAL,
                 T(0x30, T(0x30, alg, T(0x30, MD5, DERNULL)))))), CERTS),
           PKI_OK, "with a key's algorithm, critical");
    is_int(req.npreferences, 1, "seen");

    const row_t  rows[] = {
        { "no inner SEQUENCE (a common mistake)",
          request(T(0x30, extension(ARC("\x08"), NONE, T(0x30, alg)))) },
        { "a third algorithm",
          request(T(0x30, extension(ARC("\x08"), NONE,
                  T(0x30, T(0x30, alg, alg, alg))))) },
        { "something behind the list",
          request(T(0x30, extension(ARC("\x08"), NONE,
                  T(0, T(0x30, T(0x30, alg)), DERNULL)))) },
        { "a bare OID in the list",
          request(T(0x30, extension(ARC("\x08"), NONE,
                  T(0x30, ECDSA384)))) },
        { "no algorithm",
          request(T(0x30, extension(ARC("\x08"), NONE,
                  T(0x30, T(0x30, NONE))))) }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        is_int(parse(rows[i].request, CERTS), PKI_INVALID, "%s",
               rows[i].name);
    }
}


/* a request with something of everything */

static pki_bytes_t
everything(void)
{
    used = 0;

    return T(0x30,
             T(0x30,
               B("\xa0\x03\x02\x01\x00"),
               T(0xa1, T(0x82, B("example.org"))),
               T(0x30, SINGLE,
                 T(0x30, certid(SHA256, NONE, B("\x40\x01\x02")),
                   T(0xa0, T(0x30,
                             extension(NONCE, NONE, T(4, B("x"))),
                             extension(ARC("\x07"), CRITICAL,
                                       B("\x30\x00")))))),
               T(0xa2, T(0x30,
                         extension(NONCE, NONE, nonce(32)),
                         extension(ARC("\x04"), NONE,
                                   T(0x30, ARC("\x01"))),
                         extension(ARC("\x08"), NONE,
                                   T(0x30, T(0x30, T(0x30, ECDSA384),
                                             T(0x30, MD5, DERNULL)))),
                         extension(ARC("\x63"), B("\x01\x01\x00"),
                                   B("?"))))),
             T(0xa0, T(0x30, B("signature"))));
}


static void
test_cut(void)
{
    size_t       len;
    unsigned     bad;
    pki_bytes_t  der;

    der = everything();
    is_int(parse(der, CERTS), PKI_OK, "everything");
    is_int(req.ncerts, 2, "two certificates");
    is_int(req.nonce.len, 32, "nonce");
    is_int(req.npreferences, 1, "preference");

    bad = 0;

    for (len = 0; len < der.len; len++) {
        bad += parse((pki_bytes_t) { der.data, len }, CERTS) != PKI_INVALID;
    }

    is_int(bad, 0, "cut at each of %zu octets", der.len);
}


static void
test_bent(void)
{
    size_t          i, len;
    unsigned        value, accepted;
    pki_bytes_t     der;
    unsigned char   copy[1024];

    der = everything();
    len = der.len;
    memcpy(copy, der.data, len);

    accepted = 0;

    for (i = 0; i < len; i++) {
        for (value = 0; value < 256; value++) {
            copy[i] = (unsigned char) value;
            accepted += parse((pki_bytes_t) { copy, len }, CERTS) == PKI_OK;
        }

        copy[i] = der.data[i];
    }

    ok(accepted > len && accepted < 256 * len,
       "each octet replaced by every other: %u still read", accepted);
}


/* from the heap, with nothing behind it */

static pki_rc_t
parse(pki_bytes_t der, unsigned max)
{
    pki_rc_t        rc;
    unsigned        i, bad;
    unsigned char  *copy;

    static unsigned char  *last;

    free(last);
    last = NULL;

    copy = malloc(der.len ? der.len : 1);
    if (copy == NULL) {
        exit(1);
    }

    if (der.len) {
        memcpy(copy, der.data, der.len);
    }

    memset(certs, 0xa5, sizeof(certs));
    memset(&req, 0xa5, sizeof(req));

    rc = pki_ocsp_parse((pki_bytes_t) { copy, der.len }, certs, max, &req);

    if (rc == PKI_OK) {
        bad = stray(copy, der.len);

        if (bad) {
            is_int(bad, 0, "everything points into the request");
        }
    }

    for (i = max; i < CERTS; i++) {
        if (((unsigned char *) &certs[i])[0] != 0xa5) {
            ok(0, "no more than %u certificates are touched", max);
        }
    }

    last = copy;

    return rc;
}


static unsigned
stray(const unsigned char *p, size_t len)
{
    unsigned  i, bad;

    bad = inside(req.nonce, p, len);

    for (i = 0; i < req.ncerts; i++) {
        bad += inside(certs[i].der, p, len);
        bad += inside(certs[i].name_hash, certs[i].der.data,
                      certs[i].der.len);
        bad += inside(certs[i].key_hash, certs[i].der.data,
                      certs[i].der.len);
        bad += inside(certs[i].serial, certs[i].der.data, certs[i].der.len);
    }

    for (i = 0; i < req.npreferences; i++) {
        bad += inside(req.preferences[i], p, len);
    }

    return bad;
}


static unsigned
inside(pki_bytes_t part, const unsigned char *p, size_t len)
{
    return part.len != 0
           && (part.data < p || part.data + part.len > p + len);
}


/* tag 0: no element, only its content */

static pki_bytes_t
tlv(unsigned tag, const pki_bytes_t *parts, size_t n)
{
    size_t            i, mark;
    pki_bytes_t       out;
    pki_der_writer_t  w;

    pki_der_writer_init(&w, arena + used, sizeof(arena) - used);

    mark = tag ? pki_der_begin(&w, tag, 0) : 0;

    for (i = 0; i < n; i++) {
        pki_der_append(&w, parts[i]);
    }

    if (tag) {
        pki_der_end(&w, mark);
    }

    if (w.failed) {
        printf("Bail out! the arena is full\n");
        exit(1);
    }

    out.data = arena + used;
    out.len = w.pos - w.start;
    used += out.len;

    return out;
}


static pki_bytes_t
certid(pki_bytes_t oid, pki_bytes_t params, pki_bytes_t serial)
{
    return T(0x30, T(0x30, oid, params), T(4, HASH), T(4, HASH),
             T(2, serial));
}


static pki_bytes_t
request(pki_bytes_t exts)
{
    return T(0x30, T(0x30, LIST, exts.len ? T(0xa2, exts) : NONE));
}


static pki_bytes_t
extension(pki_bytes_t oid, pki_bytes_t critical, pki_bytes_t value)
{
    return T(0x30, oid, critical, T(4, value));
}


static pki_bytes_t
nonce(size_t len)
{
    static const unsigned char  n[1000];

    return T(4, (pki_bytes_t) { n, len });
}


/*
 * Paths of GET requests: every way in which clients and proxies are known
 * to write one, and what is none.
 */

#include "pki_test.h"

#include <openssl/evp.h>
#include "pki_der.h"
#include "pki_ocsp.h"


static void test_vector(void);
static void test_forms(void);
static void test_refused(void);
static void test_lengths(void);
static void test_slash(void);

static int path(const char *text, size_t len);
static size_t encode(const unsigned char *der, size_t len, char *text);


static unsigned char  decoded[4096];
static size_t         decoded_len;


int
main(void)
{
    test_vector();
    test_forms();
    test_refused();
    test_lengths();
    test_slash();

    return pki_test_done();
}


/* a real client's request for a real certificate */

static void
test_vector(void)
{
    pki_certid_t        certid;
    pki_ocsp_request_t  req;

    static const char  text[] =
        "/MFUwUzBRME8wTTAJBgUrDgMCGgUABBS%2FjLuJz%2BVGTtpG9XPxgGEOJMp2yQQU"
        "fhiPZcs070%2F6SN2Ux3MUi8xQ3a8CFEA5s7sUhLXW7WBrQrOCJ2o%2BjWJt";

    static const unsigned char  key_hash[20] = {
        0x7e, 0x18, 0x8f, 0x65, 0xcb, 0x34, 0xef, 0x4f, 0xfa, 0x48, 0xdd,
        0x94, 0xc7, 0x73, 0x14, 0x8b, 0xcc, 0x50, 0xdd, 0xaf
    };

    static const unsigned char  serial[20] = {
        0x40, 0x39, 0xb3, 0xbb, 0x14, 0x84, 0xb5, 0xd6, 0xed, 0x60, 0x6b,
        0x42, 0xb3, 0x82, 0x27, 0x6a, 0x3e, 0x8d, 0x62, 0x6d
    };

    is_int(path(text, sizeof(text) - 1), PKI_OK, "a path of Windows");
    is_int(decoded_len, 87, "its length");
    is_int(pki_ocsp_parse((pki_bytes_t) { decoded, decoded_len }, &certid, 1,
                          &req),
           PKI_OK, "its request");
    is_int(req.ncerts, 1, "one certificate");
    is_int(certid.digest, PKI_DIGEST_SHA1, "SHA-1");
    ok(pki_der_equal(certid.key_hash, (pki_bytes_t) { key_hash, 20 }),
       "its key hash");
    ok(pki_der_equal(certid.serial, (pki_bytes_t) { serial, 20 }),
       "its serial");
    is_int(req.nonce.len, 0, "no nonce");
}


/*
 * One request in many spellings.  Its base64 has '+', '/' and "//" in it,
 * and "==" at its end.  A row tells what stands for each of them, what
 * breaks lines of 64, and what stands before and behind.
 */

static void
test_forms(void)
{
    char            text[2048];
    size_t          len, i, k, n;
    const char     *as;
    unsigned char   der[256];

    static const char  raw[] =
        "MGswaTA/MD0wOzAJBgUrDgMCGgUABBQxMjM0NTY3ODkwMTIzNDU2Nzg5"
        "MAQUMTIzNDU2Nzg5MDEyMzQ1Njc4OTACAhI0oiYwJDAiBgkrBgEFBQcw"
        "AQIEFQQT+////v////vvvvvvvv///zEyMw==";

    static const struct {
        const char  *name;
        const char  *plus, *slash, *pad, *line;
        const char  *before, *behind;
    } rows[] = {
        { "raw", "+", "/", "=", "", "", "" },
        { "escaped", "%2B", "%2F", "%3D", "", "", "" },
        { "escaped in lower case", "%2b", "%2f", "%3d", "", "", "" },
        { "no padding", "+", "/", "", "", "", "" },
        { "base64url", "-", "_", "=", "", "", "" },
        { "base64url without padding", "-", "_", "", "", "", "" },
        { "both alphabets", "-", "/", "=", "", "", "" },
        { "spaces for plus", " ", "/", "=", "", "", "" },
        { "escaped spaces for plus", "%20", "/", "=", "", "", "" },
        { "a leading slash", "+", "/", "=", "", "/", "" },
        { "leading slashes", "+", "/", "=", "", "///", "" },
        { "escaped leading slashes", "+", "/", "=", "", "%2f%2F/", "" },
        { "lines, CR LF", "+", "/", "=", "%0D%0A", "", "%0D%0A" },
        { "lines, LF", "+", "/", "=", "%0a", "", "" },
        { "a line end", "+", "/", "=", "", "", "%0A" },
        { "a raw line end", "+", "/", "=", "", "", "\r\n" },
        { "a trailing slash", "+", "/", "=", "", "", "/" },
        { "an escaped trailing slash", "+", "/", "=", "", "", "%2F" },
        { "trailing slashes without padding", "+", "/", "", "", "", "//" },
        { "escaped padding, then a slash", "+", "/", "%3d", "", "", "/" },
        { "a slash, then a line end", "+", "/", "=", "", "", "/%0A" }
    };

    len = EVP_DecodeBlock(der, (const unsigned char *) raw,
                          (int) sizeof(raw) - 1)
          - 2;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        n = sprintf(text, "%s", rows[i].before);

        for (k = 0; raw[k] != '\0'; k++) {
            if (k && k % 64 == 0) {
                n += sprintf(text + n, "%s", rows[i].line);
            }

            as = raw[k] == '+' ? rows[i].plus
                 : raw[k] == '/' ? rows[i].slash
                 : raw[k] == '=' ? rows[i].pad : NULL;

            n += as ? sprintf(text + n, "%s", as)
                    : sprintf(text + n, "%c", raw[k]);
        }

        n += sprintf(text + n, "%s", rows[i].behind);

        is_int(path(text, n), PKI_OK, "%s", rows[i].name);
        ok(decoded_len == len && memcmp(decoded, der, len) == 0,
           "%s: the request", rows[i].name);
    }

    for (n = 0, k = 0; raw[k] != '\0'; k++) {
        n += sprintf(text + n, "%%%02X", (unsigned char) raw[k]);
    }

    is_int(path(text, n), PKI_OK, "every octet escaped");
    ok(decoded_len == len && memcmp(decoded, der, len) == 0, "the request");
}


static void
test_refused(void)
{
    size_t  i;

    static const struct {
        const char  *text;
        size_t       len;
        const char  *name;
    } rows[] = {
        { "", 0, "nothing" },
        { "/", 1, "a slash" },
        { "////", 4, "slashes" },
        { "%2F%0A", 6, "a slash and a line end" },
        { "====", 4, "padding alone" },
        { "MFU%", 4, "an escape of nothing" },
        { "MFUw%2", 6, "half an escape" },
        { "MFUw%ZZ", 7, "an escape that is none" },
        { "MFUw%2G", 7, "half of it is none" },
        { "MFUw%00", 7, "an escaped NUL" },
        { "MFU\0", 4, "a NUL" },
        { "MFUw%252F", 9, "encoded twice" },
        { "MFUw%25", 7, "an escaped percent sign" },
        { "MFUw?x=1", 8, "a query" },
        { "MFUw.", 5, "a dot" },
        { "MF\xc3\xa9w", 5, "no ASCII" },
        { "M", 1, "six bits" },
        { "MFUwM", 5, "six bits more" },
        { "MFUwM===", 8, "three times padding" },
        { "MFUwMF=", 7, "too little padding" },
        { "MFUwMFU==", 9, "too much padding" },
        { "MFUw=", 5, "padding for nothing" },
        { "MF==MFUw", 8, "data behind padding" },
        { "MFUwM%3D%3D%3D", 14, "three times, escaped" }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        is_int(path(rows[i].text, rows[i].len), PKI_INVALID, "%s",
               rows[i].name);
    }
}


/* every length, with OpenSSL's base64 on the other side */

static void
test_lengths(void)
{
    char           text[1024];
    size_t         len, n;
    unsigned       bad;
    unsigned char  der[600];

    for (n = 0; n < sizeof(der); n++) {
        der[n] = (unsigned char) (n * 37 + 11);
    }

    bad = 0;

    for (len = 1; len < sizeof(der); len++) {
        n = encode(der, len, text);

        bad += path(text, n) != PKI_OK || decoded_len != len
               || memcmp(decoded, der, len) != 0
               || len > PKI_OCSP_PATH_DER(n);

        while (text[n - 1] == '=') {
            n--;
        }

        bad += path(text, n) != PKI_OK || decoded_len != len
               || memcmp(decoded, der, len) != 0
               || len > PKI_OCSP_PATH_DER(n);
    }

    is_int(bad, 0, "octets of each length up to %zu", sizeof(der) - 1);
}


/* whatever a request's length and its last octets, slashes may follow */

static void
test_slash(void)
{
    char           text[1024];
    size_t         len, n, pad, slashes;
    unsigned       bad, fill, runs;
    unsigned char  der[300];

    bad = 0;
    runs = 0;

    for (len = 2; len < 120; len++) {
        for (fill = 0; fill < 2; fill++) {
            memset(der, fill ? 0xff : 0x00, sizeof(der));
            der[0] = 0x30;
            der[1] = (unsigned char) (len - 2);

            n = encode(der, len, text);
            pad = 0;

            while (text[n - 1 - pad] == '=') {
                pad++;
            }

            for (slashes = 0; slashes < 6; slashes++) {
                memset(text + n, '/', slashes);
                bad += path(text, n + slashes) != PKI_OK
                       || decoded_len != len
                       || memcmp(decoded, der, len) != 0;

                memset(text + n - pad, '/', slashes);
                bad += path(text, n - pad + slashes) != PKI_OK
                       || decoded_len != len
                       || memcmp(decoded, der, len) != 0;
                runs += 2;

                (void) encode(der, len, text);
            }
        }
    }

    is_int(bad, 0, "%u requests with and without slashes behind", runs);

    /* of what is no request nothing is known, and nothing dropped */

    is_int(path("MTIz////", 8), PKI_OK, "no request, then slashes");
    is_int(decoded_len, 6, "all of it");
    is_int(path("MTIz/", 5), PKI_OK, "no request, then one");
    is_int(decoded_len, 3, "six bits are no octet");
}


static int
path(const char *text, size_t len)
{
    int             rc;
    unsigned char  *in, *out;

    in = malloc(len ? len : 1);
    out = malloc(PKI_OCSP_PATH_DER(len));

    if (in == NULL || out == NULL) {
        exit(1);
    }

    memcpy(in, text, len);
    decoded_len = 0;

    rc = pki_ocsp_path((pki_bytes_t) { in, len }, out, &decoded_len);

    if (rc == PKI_OK) {
        memcpy(decoded, out, decoded_len);
    }

    free(in);
    free(out);

    return rc;
}


static size_t
encode(const unsigned char *der, size_t len, char *text)
{
    return EVP_EncodeBlock((unsigned char *) text, der, (int) len);
}

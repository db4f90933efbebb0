
/*
 * Base64 and PEM: what is read, what is passed over, what is refused; and
 * that nothing behind the input is looked at.
 */

#include "pki_test.h"

#include "pki_pem.h"


static void test_base64(void);
static void test_blocks(void);
static void test_memory(void);
static pki_bytes_t copy(const char *text);
static void drop(pki_bytes_t text);


int
main(void)
{
    pki_test_alloc_hook();

    test_base64();
    test_blocks();
    test_memory();

    return pki_test_done();
}


static void
test_base64(void)
{
    size_t          i, len;
    pki_rc_t        rc;
    pki_bytes_t     text;
    unsigned char  *der;

    static const struct {
        const char  *text;
        const char  *octets;        /* NULL: invalid */
    } rows[] = {
        { "Zg==", "f" },            /* RFC 4648, 10 */
        { "Zm8=", "fo" },
        { "Zm9v", "foo" },
        { "Zm9vYg==", "foob" },
        { "Zm9vYmE=", "fooba" },
        { "Zm9vYmFy", "foobar" },
        { "Zg", "f" },
        { "Zm8", "fo" },
        { " Z m\t9\r\nv\v\f", "foo" },
        { "Zg=\n=\n", "f" },
        { "+/-_", "\xfb\xff\xbf" },
        { "", NULL },
        { " \n", NULL },
        { "=", NULL },
        { "Z", NULL },
        { "Z===", NULL },
        { "Zg=", NULL },
        { "Zg===", NULL },
        { "Zm8==", NULL },
        { "Zm9v=", NULL },
        { "Zm9v====", NULL },
        { "Zg==Zg==", NULL },
        { "Zm9v.", NULL },
        { "Zm9v%3D", NULL },
        { "Zm9\x80", NULL },
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        text = copy(rows[i].text);
        rc = pki_pem_base64(text, &der, &len);

        if (rows[i].octets == NULL) {
            is_int(rc, PKI_INVALID, "row %zu is not base64", i);

        } else {
            ok(rc == PKI_OK && len == strlen(rows[i].octets)
               && memcmp(der, rows[i].octets, len) == 0,
               "row %zu is base64", i);
        }

        if (rc == PKI_OK) {
            OPENSSL_free(der);
        }

        drop(text);
    }
}


static void
test_blocks(void)
{
    size_t          i, n, len;
    pki_rc_t        rc;
    pki_bytes_t     text, all;
    unsigned char  *der;

    /* what the blocks of label "X" hold, one octet each; '!' a broken one */

    static const struct {
        const char  *text;
        const char  *blocks;
    } rows[] = {
        { "", "" },
        { "-----", "" },
        { "-----BEGIN X", "" },
        { "-----BEGIN X----", "" },
        { "-----BEGIN X-----", "!" },
        { "-----BEGIN X-----Zg==", "!" },
        { "-----BEGIN X-----Zg==-----", "!" },
        { "-----BEGIN X-----Zg==-----END ", "!" },
        { "-----BEGIN X-----Zg==-----END X", "!" },
        { "-----BEGIN X-----Zg==-----END X----", "!" },
        { "-----BEGIN X-----Zg==-----END Y-----", "!" },
        { "-----BEGIN X-----Zg==-----END XY-----", "!" },
        { "-----BEGIN XY-----Zg==-----END XY-----", "" },
        { "-----BEGIN X-----Zg==-----END X-----", "f" },
        { "-----BEGIN NEW X-----Zg==-----END NEW X-----", "f" },
        { "-----BEGIN NEW X-----Zg==-----END X-----", "f" },
        { "-----BEGIN OLD X-----Zg==-----END OLD X-----", "" },
        { "-----BEGIN X-----\r\nZg==\r\n-----END X-----\r\n", "f" },
        { "a\n-----BEGIN X-----Zg==-----END X-----\nb\n"
          "-----BEGIN Y-----!-----END Y-----"
          "-----BEGIN X-----Zw==-----END X-----", "fg" },
        { "-----BEGIN X-----Z-----END X-----"
          "-----BEGIN X-----Zw==-----END X-----", "!g" },
        { "-----BEGIN X----------BEGIN X-----Zw==-----END X-----", "!g" },
        { "-----BEGIN X-----K: v\n\nZw==-----END X-----", "!" }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        all = copy(rows[i].text);
        text = all;

        for (n = 0; n <= strlen(rows[i].blocks); n++) {
            rc = pki_pem_next(&text, "X", &der, &len);

            if (rows[i].blocks[n] == '\0') {
                is_int(rc, PKI_NOT_FOUND, "row %zu: no more blocks", i);

            } else if (rows[i].blocks[n] == '!') {
                is_int(rc, PKI_INVALID, "row %zu: a broken block", i);

            } else {
                ok(rc == PKI_OK && len == 1
                   && der[0] == rows[i].blocks[n], "row %zu: block %zu", i,
                   n);
            }

            if (rc == PKI_OK) {
                OPENSSL_free(der);
            }
        }

        drop(all);
    }
}


static void
test_memory(void)
{
    size_t          len;
    pki_bytes_t     text, rest;
    unsigned char  *der;

    text = copy("-----BEGIN X-----Zg==-----END X-----");
    rest = text;

    pki_test_fail_at(1);
    is_int(pki_pem_next(&rest, "X", &der, &len), PKI_ERROR, "no memory");
    pki_test_fail_at(0);

    drop(text);
}


/* an allocation of its own, for a sanitizer to watch its end */

static pki_bytes_t
copy(const char *text)
{
    size_t          len;
    unsigned char  *p;

    len = strlen(text);
    p = malloc(len ? len : 1);

    if (p != NULL) {
        memcpy(p, text, len);
    }

    return (pki_bytes_t) { p, len };
}


static void
drop(pki_bytes_t text)
{
    free((unsigned char *) text.data);
}


/*
 * pki_ff1.c: the sample vectors that NIST published with SP 800-38G, every
 * bound, every length, and libcrypto out of memory.
 */

#include "pki_test.h"

#include <openssl/err.h>
#include "pki_ff1.h"


typedef struct {
    size_t       key;
    unsigned     radix;
    const char  *tweak;
    size_t       tweak_len;
    const char  *plain;
    const char  *sealed;
} test_vector_t;


static const unsigned char  test_key[32] = {
    0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
    0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c,
    0xef, 0x43, 0x59, 0xd8, 0xd5, 0x80, 0xaa, 0x4f,
    0x7f, 0x03, 0x6d, 0x6f, 0x04, 0xfc, 0x6a, 0x94
};


static const test_vector_t  test_vectors[] = {

    { 16, 10, "", 0, "0123456789", "2433477484" },
    { 16, 10, "9876543210", 10, "0123456789", "6124200773" },
    { 16, 36, "7777pqrs777", 11, "0123456789abcdefghi",
      "a9tv40mll9kdu509eum" },

    { 24, 10, "", 0, "0123456789", "2830668132" },
    { 24, 10, "9876543210", 10, "0123456789", "2496655549" },
    { 24, 36, "7777pqrs777", 11, "0123456789abcdefghi",
      "xbj3kv35jrawxv32ysr" },

    { 32, 10, "", 0, "0123456789", "6657667009" },
    { 32, 10, "9876543210", 10, "0123456789", "1001623463" },
    { 32, 36, "7777pqrs777", 11, "0123456789abcdefghi",
      "xs8a0azh2avyalyzuwd" }
};


static pki_bytes_t
test_bytes(const void *p, size_t len)
{
    pki_bytes_t  bytes;

    bytes.data = p;
    bytes.len = len;

    return bytes;
}


static size_t
test_numerals(const char *text, unsigned char *numerals)
{
    size_t  i;

    for (i = 0; text[i]; i++) {
        numerals[i] = text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10;
    }

    return i;
}


static void
test_samples(void)
{
    size_t                i, n;
    pki_rc_t              rc;
    pki_bytes_t           key, tweak;
    unsigned char         plain[32], sealed[32], numerals[32];
    const test_vector_t  *v;

    for (i = 0; i < sizeof(test_vectors) / sizeof(test_vectors[0]); i++) {
        v = &test_vectors[i];

        key = test_bytes(test_key, v->key);
        tweak = test_bytes(v->tweak, v->tweak_len);

        n = test_numerals(v->plain, plain);
        (void) test_numerals(v->sealed, sealed);

        memcpy(numerals, plain, n);
        rc = pki_ff1_encrypt(key, tweak, v->radix, numerals, n);
        is_int(rc, PKI_OK, "NIST's sample %zu is encrypted", i + 1);
        is_mem(numerals, sealed, n, "to %s", v->sealed);

        rc = pki_ff1_decrypt(key, tweak, v->radix, numerals, n);
        is_int(rc, PKI_OK, "and decrypted");
        is_mem(numerals, plain, n, "to %s", v->plain);
    }
}


/* each length in radices that are and are not a power of two */

static void
test_round_trips(void)
{
    size_t                 i, j, n, failed, same;
    pki_bytes_t            key, tweak;
    unsigned char          plain[PKI_FF1_NUMERALS], text[PKI_FF1_NUMERALS];
    static const unsigned  radices[] = { 2, 3, 10, 16, 36, 100, 255, 256 };

    key = test_bytes(test_key, 32);

    for (i = 0; i < sizeof(radices) / sizeof(radices[0]); i++) {
        failed = 0;
        same = 0;

        for (n = 20; n <= PKI_FF1_NUMERALS; n++) {

            for (j = 0; j < n; j++) {
                plain[j] = (j * 151 + n * 7) % radices[i];
            }

            tweak = test_bytes(test_key, n % (PKI_FF1_TWEAK + 1));
            memcpy(text, plain, n);

            failed += pki_ff1_encrypt(key, tweak, radices[i], text, n)
                      != PKI_OK;
            same += memcmp(text, plain, n) == 0;

            for (j = 0; j < n; j++) {
                failed += text[j] >= radices[i];
            }

            failed += pki_ff1_decrypt(key, tweak, radices[i], text, n)
                      != PKI_OK;
            failed += memcmp(text, plain, n) != 0;
        }

        is_int(failed, 0, "radix %u: there and back again", radices[i]);
        is_int(same, 0, "radix %u: and elsewhere between", radices[i]);
    }
}


static void
test_tweaks(void)
{
    size_t         i, j, same;
    unsigned char  text[16][19], octet;

    for (i = 0; i < 16; i++) {
        octet = 0x10 | i;
        memset(text[i], 0, 19);
        (void) pki_ff1_encrypt(test_bytes(test_key, 16),
                               test_bytes(&octet, 1), 256, text[i], 19);
    }

    for (i = 0, same = 0; i < 16; i++) {
        for (j = 0; j < i; j++) {
            same += memcmp(text[i], text[j], 19) == 0;
        }
    }

    is_int(same, 0, "each tweak leads elsewhere");
}


static void
test_bounds(void)
{
    pki_rc_t       rc;
    pki_bytes_t    key, none;
    unsigned char  text[PKI_FF1_NUMERALS + 1], zero[PKI_FF1_NUMERALS + 1];
    size_t         i;

    static const struct {
        size_t       key, tweak, n;
        unsigned     radix;
        pki_rc_t     rc;
        const char  *name;
    } cases[] = {
        { 16, 0, 6, 10, PKI_OK, "a million strings are enough" },
        { 16, 0, 5, 10, PKI_INVALID, "fewer are not" },
        { 16, 0, 19, 2, PKI_INVALID, "nor are 2 to the 19" },
        { 16, 0, 20, 2, PKI_OK, "but 2 to the 20 are" },
        { 16, 0, 3, 256, PKI_OK, "so are three octets" },
        { 16, 0, 2, 256, PKI_INVALID, "two octets are not" },
        { 16, 0, 1, 256, PKI_INVALID, "one numeral has no halves" },
        { 16, 0, 0, 256, PKI_INVALID, "nothing to encrypt" },
        { 16, 0, PKI_FF1_NUMERALS, 256, PKI_OK, "as many as may be" },
        { 16, 0, PKI_FF1_NUMERALS + 1, 256, PKI_INVALID, "one more" },
        { 16, 0, 20, 1, PKI_INVALID, "radix 1" },
        { 16, 0, 20, 0, PKI_INVALID, "radix 0" },
        { 16, 0, 20, 257, PKI_INVALID, "radix 257" },
        { 16, PKI_FF1_TWEAK, 20, 256, PKI_OK, "the longest tweak" },
        { 16, PKI_FF1_TWEAK + 1, 20, 256, PKI_INVALID, "a longer tweak" },
        { 0, 0, 20, 256, PKI_INVALID, "no key" },
        { 15, 0, 20, 256, PKI_INVALID, "a key of 15 octets" },
        { 17, 0, 20, 256, PKI_INVALID, "a key of 17 octets" },
        { 33, 0, 20, 256, PKI_INVALID, "a key of 33 octets" }
    };

    unsigned char  spare[PKI_FF1_TWEAK + 1];

    memset(spare, 7, sizeof(spare));
    memset(zero, 0, sizeof(zero));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(text, 0, sizeof(text));

        rc = pki_ff1_encrypt(test_bytes(spare, cases[i].key),
                             test_bytes(spare, cases[i].tweak),
                             cases[i].radix, text, cases[i].n);
        is_int(rc, cases[i].rc, "%s", cases[i].name);

        if (rc == PKI_INVALID) {
            is_mem(text, zero, sizeof(text), "%s: nothing is changed",
                   cases[i].name);
        }

        rc = pki_ff1_decrypt(test_bytes(spare, cases[i].key),
                             test_bytes(spare, cases[i].tweak),
                             cases[i].radix, text, cases[i].n);
        is_int(rc, cases[i].rc, "%s, to decrypt", cases[i].name);
    }

    key = test_bytes(test_key, 16);
    none = test_bytes(NULL, 0);

    memset(text, 9, 10);
    text[9] = 10;
    is_int(pki_ff1_encrypt(key, none, 10, text, 10), PKI_INVALID,
           "a numeral as large as the radix");
    text[9] = 9;
    is_int(pki_ff1_encrypt(key, none, 10, text, 10), PKI_OK,
           "the largest numerals");
}


static void
test_memory(void)
{
    long           n;
    pki_rc_t       rc;
    unsigned       failed;
    pki_bytes_t    key;
    unsigned char  text[19];

    failed = 0;
    key = test_bytes(test_key, 32);

    for (n = 1; n < 1000; n++) {
        memset(text, 0, sizeof(text));

        pki_test_fail_at(n);
        rc = pki_ff1_encrypt(key, key, 256, text, sizeof(text));

        if (!pki_test_fail_hit()) {
            break;
        }

        failed += rc != PKI_ERROR && rc != PKI_OK;
        failed += ERR_peek_error() != 0;
    }

    pki_test_fail_at(0);

    ok(n > 1 && n < 1000, "%ld allocations failed, one at a time", n - 1);
    is_int(rc, PKI_OK, "with all of them it works");
    is_int(failed, 0, "without one it is an error and leaves none queued");
}


int
main(void)
{
    pki_test_alloc_hook();

    test_samples();
    test_round_trips();
    test_tweaks();
    test_bounds();
    test_memory();

    return pki_test_done();
}

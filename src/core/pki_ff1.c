
/*
 * FF1, the format-preserving cipher of NIST SP 800-38G.
 *
 * It is written for numerals of up to eight bits, so plain schoolbook
 * arithmetic on arrays does, and the only thing asked of libcrypto is AES
 * on single blocks.  The two halves stay where they are: instead of
 * swapping them after each round, even rounds change the left one and odd
 * rounds the right one, which ends the same after ten.
 */

#include "pki_ff1.h"

#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>


#define PKI_FF1_BLOCK   16
#define PKI_FF1_ROUNDS  10
#define PKI_FF1_HALF    (PKI_FF1_NUMERALS / 2)
#define PKI_FF1_DOMAIN  1000000

/* P, then Q: tweak, padding, round and a half; then S of d octets */

#define PKI_FF1_INPUT   (2 * PKI_FF1_BLOCK + PKI_FF1_TWEAK + PKI_FF1_HALF)
#define PKI_FF1_OUTPUT  (PKI_FF1_HALF + PKI_FF1_BLOCK)


typedef struct {
    EVP_CIPHER_CTX     *aes;
    unsigned            radix;
    size_t              b;          /* octets of the larger half's number */
    size_t              d;          /* octets drawn per round */
    size_t              len;        /* of input, whole blocks */
    unsigned char       input[PKI_FF1_INPUT];
    unsigned char       chain[PKI_FF1_BLOCK];
    unsigned char       output[PKI_FF1_OUTPUT];
    unsigned char       sum[PKI_FF1_HALF];
} pki_ff1_t;


static pki_rc_t pki_ff1(pki_bytes_t key, pki_bytes_t tweak, unsigned radix,
    unsigned char *numerals, size_t n, int decrypt);
static int pki_ff1_valid(pki_bytes_t key, pki_bytes_t tweak, unsigned radix,
    const unsigned char *numerals, size_t n);
static void pki_ff1_layout(pki_ff1_t *f, pki_bytes_t tweak, size_t n);
static pki_rc_t pki_ff1_key(pki_ff1_t *f, pki_bytes_t key);
static pki_rc_t pki_ff1_round(pki_ff1_t *f, unsigned round,
    const unsigned char *half, size_t n, size_t m);
static pki_rc_t pki_ff1_aes(pki_ff1_t *f, const unsigned char *in,
    unsigned char *out);
static void pki_ff1_to_octets(unsigned radix, const unsigned char *numerals,
    size_t n, unsigned char *octets, size_t len);
static void pki_ff1_to_numerals(unsigned radix, const unsigned char *octets,
    size_t len, unsigned char *numerals, size_t n);
static void pki_ff1_add(unsigned radix, unsigned char *to,
    const unsigned char *numerals, size_t n);
static void pki_ff1_subtract(unsigned radix, unsigned char *from,
    const unsigned char *numerals, size_t n);


pki_rc_t
pki_ff1_encrypt(pki_bytes_t key, pki_bytes_t tweak, unsigned radix,
    unsigned char *numerals, size_t n)
{
    return pki_ff1(key, tweak, radix, numerals, n, 0);
}


pki_rc_t
pki_ff1_decrypt(pki_bytes_t key, pki_bytes_t tweak, unsigned radix,
    unsigned char *numerals, size_t n)
{
    return pki_ff1(key, tweak, radix, numerals, n, 1);
}


static pki_rc_t
pki_ff1(pki_bytes_t key, pki_bytes_t tweak, unsigned radix,
    unsigned char *numerals, size_t n, int decrypt)
{
    size_t          u, v;
    unsigned        i, round;
    pki_rc_t        rc;
    pki_ff1_t       f;
    unsigned char  *right;

    if (!pki_ff1_valid(key, tweak, radix, numerals, n)) {
        return PKI_INVALID;
    }

    u = n / 2;
    v = n - u;
    right = numerals + u;

    memset(&f, 0, sizeof(pki_ff1_t));
    f.radix = radix;

    pki_ff1_layout(&f, tweak, n);
    rc = pki_ff1_key(&f, key);

    for (i = 0; rc == PKI_OK && i < PKI_FF1_ROUNDS; i++) {
        round = decrypt ? PKI_FF1_ROUNDS - 1 - i : i;

        rc = round % 2 ? pki_ff1_round(&f, round, numerals, u, v)
                       : pki_ff1_round(&f, round, right, v, u);

        if (rc == PKI_OK) {
            (decrypt ? pki_ff1_subtract : pki_ff1_add)
                (radix, round % 2 ? right : numerals, f.sum,
                 round % 2 ? v : u);
        }
    }

    EVP_CIPHER_CTX_free(f.aes);
    OPENSSL_cleanse(&f, sizeof(pki_ff1_t));

    if (rc != PKI_OK) {
        pki_err_ssl(NULL, "AES failed");
    }

    return rc;
}


static int
pki_ff1_valid(pki_bytes_t key, pki_bytes_t tweak, unsigned radix,
    const unsigned char *numerals, size_t n)
{
    size_t         i;
    unsigned long  domain;

    if (radix < 2 || radix > 256
        || n < 2 || n > PKI_FF1_NUMERALS
        || tweak.len > PKI_FF1_TWEAK
        || (key.len != 16 && key.len != 24 && key.len != 32))
    {
        return 0;
    }

    domain = 1;

    for (i = 0; i < n; i++) {
        if (numerals[i] >= radix) {
            return 0;
        }

        if (domain < PKI_FF1_DOMAIN) {
            domain *= radix;
        }
    }

    return domain >= PKI_FF1_DOMAIN;
}


/* SP 800-38G, algorithm 7, steps 3 to 6i: all but the round and the half */

static void
pki_ff1_layout(pki_ff1_t *f, pki_bytes_t tweak, size_t n)
{
    size_t         v;
    unsigned char  number[PKI_FF1_HALF], *p;

    v = n - n / 2;

    /* b is exact, without logarithms: the length of the largest number */

    memset(f->sum, f->radix - 1, v);
    pki_ff1_to_octets(f->radix, f->sum, v, number, PKI_FF1_HALF);

    for (f->b = PKI_FF1_HALF; number[PKI_FF1_HALF - f->b] == 0; f->b--) {
        /* void */
    }

    f->d = 4 * ((f->b + 3) / 4) + 4;

    p = f->input;
    p[0] = 1;
    p[1] = 2;
    p[2] = 1;
    p[4] = f->radix >> 8;
    p[5] = f->radix & 0xff;
    p[6] = PKI_FF1_ROUNDS;
    p[7] = n / 2;
    p[11] = n;
    p[15] = tweak.len;

    if (tweak.len) {
        memcpy(p + PKI_FF1_BLOCK, tweak.data, tweak.len);
    }

    f->len = (tweak.len + 1 + f->b + PKI_FF1_BLOCK - 1)
             / PKI_FF1_BLOCK * PKI_FF1_BLOCK + PKI_FF1_BLOCK;
}


static pki_rc_t
pki_ff1_key(pki_ff1_t *f, pki_bytes_t key)
{
    const EVP_CIPHER  *cipher;

    cipher = key.len == 16 ? EVP_aes_128_ecb()
             : key.len == 24 ? EVP_aes_192_ecb() : EVP_aes_256_ecb();

    f->aes = EVP_CIPHER_CTX_new();

    if (f->aes == NULL
        || EVP_EncryptInit_ex(f->aes, cipher, NULL, key.data, NULL) != 1
        || EVP_CIPHER_CTX_set_padding(f->aes, 0) != 1)
    {
        return PKI_ERROR;
    }

    return PKI_OK;
}


/* Steps 6i to 6vi: what a round adds to a half of m numerals, into f->sum */

static pki_rc_t
pki_ff1_round(pki_ff1_t *f, unsigned round, const unsigned char *half,
    size_t n, size_t m)
{
    size_t  i, j;

    f->input[f->len - f->b - 1] = round;
    pki_ff1_to_octets(f->radix, half, n, f->input + f->len - f->b, f->b);

    memset(f->chain, 0, PKI_FF1_BLOCK);

    for (i = 0; i < f->len; i += PKI_FF1_BLOCK) {

        for (j = 0; j < PKI_FF1_BLOCK; j++) {
            f->chain[j] ^= f->input[i + j];
        }

        if (pki_ff1_aes(f, f->chain, f->chain) != PKI_OK) {
            return PKI_ERROR;
        }
    }

    memcpy(f->output, f->chain, PKI_FF1_BLOCK);

    for (i = 1; i * PKI_FF1_BLOCK < f->d; i++) {
        f->chain[PKI_FF1_BLOCK - 1] ^= i;

        if (pki_ff1_aes(f, f->chain, f->output + i * PKI_FF1_BLOCK)
            != PKI_OK)
        {
            return PKI_ERROR;
        }

        f->chain[PKI_FF1_BLOCK - 1] ^= i;
    }

    pki_ff1_to_numerals(f->radix, f->output, f->d, f->sum, m);

    return PKI_OK;
}


static pki_rc_t
pki_ff1_aes(pki_ff1_t *f, const unsigned char *in, unsigned char *out)
{
    int  n;

    if (EVP_EncryptUpdate(f->aes, out, &n, in, PKI_FF1_BLOCK) != 1
        || n != PKI_FF1_BLOCK)
    {
        return PKI_ERROR;
    }

    return PKI_OK;
}


static void
pki_ff1_to_octets(unsigned radix, const unsigned char *numerals, size_t n,
    unsigned char *octets, size_t len)
{
    size_t    i, j;
    unsigned  carry;

    memset(octets, 0, len);

    for (i = 0; i < n; i++) {
        carry = numerals[i];

        for (j = len; j > 0; j--) {
            carry += octets[j - 1] * radix;
            octets[j - 1] = carry & 0xff;
            carry >>= 8;
        }
    }
}


/* What does not fit into n numerals is dropped: modulo radix to the n. */

static void
pki_ff1_to_numerals(unsigned radix, const unsigned char *octets, size_t len,
    unsigned char *numerals, size_t n)
{
    size_t    i, j;
    unsigned  carry;

    memset(numerals, 0, n);

    for (i = 0; i < len; i++) {
        carry = octets[i];

        for (j = n; j > 0; j--) {
            carry += numerals[j - 1] * 256;
            numerals[j - 1] = carry % radix;
            carry /= radix;
        }
    }
}


static void
pki_ff1_add(unsigned radix, unsigned char *to, const unsigned char *numerals,
    size_t n)
{
    unsigned  carry;

    for (carry = 0; n > 0; n--) {
        carry += to[n - 1] + numerals[n - 1];
        to[n - 1] = carry % radix;
        carry /= radix;
    }
}


static void
pki_ff1_subtract(unsigned radix, unsigned char *from,
    const unsigned char *numerals, size_t n)
{
    unsigned  rest;

    /* 1 more than what is carried, which keeps it positive */

    for (rest = 1; n > 0; n--) {
        rest += radix - 1 + from[n - 1] - numerals[n - 1];
        from[n - 1] = rest % radix;
        rest /= radix;
    }
}

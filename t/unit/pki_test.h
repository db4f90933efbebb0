
/*
 * TAP for the unit tests: ok(), is_int(), is_str(), is_mem(), and a loop in
 * which the n-th allocation of libcrypto fails.
 */

#ifndef PKI_TEST_H
#define PKI_TEST_H


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>


static int  pki_test_n;
static int  pki_test_failed;


#define ok(yes, ...)        pki_test_ok((yes) != 0, __LINE__, __VA_ARGS__)

#define is_int(got, want, ...)                                              \
    do {                                                                    \
        long long  got_ = (got), want_ = (want);                            \
                                                                            \
        if (!pki_test_ok(got_ == want_, __LINE__, __VA_ARGS__)) {           \
            printf("#  got %lld, want %lld\n", got_, want_);                \
        }                                                                   \
    } while (0)

#define is_str(got, want, ...)                                              \
    do {                                                                    \
        const char  *got_ = (got), *want_ = (want);                         \
                                                                            \
        if (!pki_test_ok(got_ != NULL && strcmp(got_, want_) == 0,          \
                         __LINE__, __VA_ARGS__))                            \
        {                                                                   \
            printf("#  got \"%s\"\n# want \"%s\"\n",                        \
                   got_ ? got_ : "(null)", want_);                          \
        }                                                                   \
    } while (0)

#define is_mem(got, want, len, ...)                                         \
    pki_test_ok(memcmp(got, want, len) == 0, __LINE__, __VA_ARGS__)


static int __attribute__((format(printf, 3, 4)))
pki_test_ok(int yes, int line, const char *fmt, ...)
{
    char              name[512];
    __builtin_va_list args;

    __builtin_va_start(args, fmt);
    (void) vsnprintf(name, sizeof(name), fmt, args);
    __builtin_va_end(args);

    pki_test_n++;

    if (yes) {
        printf("ok %d - %s\n", pki_test_n, name);
        return 1;
    }

    pki_test_failed++;
    printf("not ok %d - %s\n# line %d\n", pki_test_n, name, line);

    return 0;
}


static int
pki_test_done(void)
{
    printf("1..%d\n", pki_test_n);
    fflush(stdout);

    return pki_test_failed ? 1 : 0;
}


/*
 * Allocation failure: call pki_test_alloc_hook() first thing in main(),
 * then pki_test_fail_at(n) makes the n-th allocation from now fail, and
 * pki_test_fail_at(0) none.  pki_test_fail_hit() tells whether it came to
 * that, which ends a loop over n.
 */

static long  pki_test_countdown;
static int   pki_test_hit;


static int __attribute__((unused))
pki_test_alloc_fails(void)
{
    if (pki_test_countdown > 0 && --pki_test_countdown == 0) {
        pki_test_hit = 1;
        return 1;
    }

    return 0;
}


static void * __attribute__((unused))
pki_test_malloc(size_t size, const char *file, int line)
{
    (void) file;
    (void) line;

    return pki_test_alloc_fails() ? NULL : malloc(size);
}


static void * __attribute__((unused))
pki_test_realloc(void *p, size_t size, const char *file, int line)
{
    (void) file;
    (void) line;

    return pki_test_alloc_fails() ? NULL : realloc(p, size);
}


static void __attribute__((unused))
pki_test_free(void *p, const char *file, int line)
{
    (void) file;
    (void) line;

    free(p);
}


static void __attribute__((unused))
pki_test_alloc_hook(void)
{
    if (!CRYPTO_set_mem_functions(pki_test_malloc, pki_test_realloc,
                                  pki_test_free))
    {
        printf("Bail out! no memory hooks\n");
        exit(1);
    }
}


static void __attribute__((unused))
pki_test_fail_at(long n)
{
    pki_test_countdown = n;
    pki_test_hit = 0;
}


static int __attribute__((unused))
pki_test_fail_hit(void)
{
    return pki_test_hit;
}


#endif /* PKI_TEST_H */


/*
 * The readers of times: what is read is within its bounds, does not depend
 * on what stands behind it, and moves a wait by no more than it says.
 */

#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include "pki_time.h"


#define FUZZ_NOW  784111777         /* 1994-11-06T08:49:37Z */
#define FUZZ_MAX  300000

#define fuzz_check(yes)                                                       \
    do {                                                                      \
        if (!(yes)) {                                                         \
            abort();                                                          \
        }                                                                     \
    } while (0)


/* what a time is written as must be read as that time */

static void
fuzz_again(time_t t)
{
    char       text[64];
    size_t     len;
    time_t     again;
    struct tm  tm;

    fuzz_check(t >= 0 && t <= PKI_TIME_MAX);
    fuzz_check(gmtime_r(&t, &tm));

    len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    fuzz_check(pki_time_iso(text, len, &again) == PKI_OK && again == t);

    len = strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    fuzz_check(pki_time_http(text, len, &again) == PKI_OK && again == t);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    long         ms;
    time_t       t;
    const char  *text = (const char *) data;

    if (pki_time_iso(text, size, &t) == PKI_OK) {
        fuzz_again(t);
    }

    ms = pki_time_retry_after(text, size, FUZZ_NOW, FUZZ_MAX);
    fuzz_check(ms >= -1 && ms <= FUZZ_MAX);

    if (pki_time_http(text, size, &t) == PKI_OK) {
        fuzz_again(t);
        fuzz_check((ms == 0) == (t <= FUZZ_NOW) && ms >= 0);
    }

    return 0;
}

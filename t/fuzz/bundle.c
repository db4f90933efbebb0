
/*
 * Bodies of an import: what is taken out of one does not depend on the pieces
 * that it comes in, is never more than was put in, and what is refused says
 * why.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "pki_bundle.h"


#define fuzz_check(yes)                                                       \
    do {                                                                      \
        if (!(yes)) {                                                         \
            abort();                                                          \
        }                                                                     \
    } while (0)


/* FNV-1a over lines, results and items */

static uint64_t
fuzz_hash(uint64_t hash, const void *data, size_t len)
{
    const unsigned char  *p, *last;

    last = (const unsigned char *) data + len;

    for (p = data; p < last; p++) {
        hash = (hash ^ *p) * 1099511628211ULL;
    }

    return hash;
}


static uint64_t
fuzz_take(const uint8_t *data, size_t size, size_t most)
{
    size_t              at, octets;
    uint64_t            hash;
    pki_rc_t            rc;
    pki_err_t           err;
    pki_bytes_t         piece;
    pki_bundle_t       *bundle;
    pki_bundle_item_t   item;

    bundle = pki_bundle_create();
    fuzz_check(bundle);

    hash = 14695981039346656037ULL;
    octets = 0;
    at = 0;

    do {
        piece.data = data + at;
        piece.len = size - at < most ? size - at : most;
        at += piece.len;

        while ((rc = pki_bundle_next(bundle, &piece, at == size, &item, &err))
               != PKI_NOT_FOUND)
        {
            fuzz_check(rc == PKI_OK || (rc == PKI_INVALID && err.text[0]));
            fuzz_check(item.line > 0 && item.line <= size + 1);

            hash = fuzz_hash(hash, &item.line, sizeof(item.line));
            hash = fuzz_hash(hash, &rc, sizeof(rc));

            if (rc == PKI_OK) {
                fuzz_check(item.text.len > 0);
                octets += item.text.len;
                hash = fuzz_hash(hash, item.text.data, item.text.len);
            }
        }

        fuzz_check(piece.len == 0);

    } while (at < size);

    fuzz_check(octets <= size);
    pki_bundle_destroy(bundle);

    return hash;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t  whole;

    whole = fuzz_take(data, size, size + 1);

    fuzz_check(fuzz_take(data, size, 1) == whole);
    fuzz_check(fuzz_take(data, size, size ? 1 + data[0] : 1) == whole);

    return 0;
}

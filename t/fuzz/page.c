
/*
 * The reader of pages: a reply read in one piece, and octet by octet, must
 * come to the same items and values, each of which is within its bounds.
 * The first octet chooses the shape.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "pki_json.h"
#include "pki_page.h"


#define FUZZ_ITEM  6
#define FUZZ_TOP   4

#define fuzz_check(yes)                                                       \
    do {                                                                      \
        if (!(yes)) {                                                         \
            abort();                                                          \
        }                                                                     \
    } while (0)


static const char *const  fuzz_item[FUZZ_ITEM + 1] = {
    "id", "accountEnabled", "general/remoteManagement/managed",
    "general/name", "a", "a/b", NULL
};

static const char *const  fuzz_top[FUZZ_TOP + 1] = {
    "@odata.nextLink", "totalCount", "error/code", "error", NULL
};

static const pki_page_shape_t  fuzz_shapes[] = {
    { "value", fuzz_item, fuzz_top },
    { "", fuzz_item, fuzz_top },
    { NULL, NULL, fuzz_top }
};


/* FNV-1a over all that is told */

static void
fuzz_add(uint64_t *sum, const void *data, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        *sum = (*sum ^ ((const uint8_t *) data)[i]) * 0x100000001b3ULL;
    }
}


static void
fuzz_value(uint64_t *sum, const pki_value_t *v)
{
    size_t  i, n;

    fuzz_check(v->type <= PKI_VALUE_OTHER);
    fuzz_check((v->type == PKI_VALUE_STRING) == (v->string != NULL));
    fuzz_check(v->type == PKI_VALUE_STRING || v->len == 0);
    fuzz_check(v->type == PKI_VALUE_INTEGER || v->integer == 0
               || (v->type == PKI_VALUE_BOOLEAN && v->integer == 1));

    fuzz_add(sum, &v->type, sizeof(v->type));
    fuzz_add(sum, &v->integer, sizeof(v->integer));

    if (v->type == PKI_VALUE_STRING) {
        fuzz_check(v->len <= PKI_PAGE_STRING_MAX);
        fuzz_check(strlen(v->string) == v->len);

        for (i = 0; i < v->len; i += n) {
            n = pki_json_utf8((const unsigned char *) v->string + i,
                              v->len - i);
            fuzz_check(n);
        }

        fuzz_add(sum, v->string, v->len);
    }
}


static pki_rc_t
fuzz_on_item(void *data, const pki_value_t *values)
{
    unsigned  i;

    for (i = 0; i < FUZZ_ITEM; i++) {
        fuzz_value(data, &values[i]);
    }

    return PKI_OK;
}


static pki_rc_t
fuzz_read(const pki_page_shape_t *shape, const uint8_t *data, size_t size,
    size_t step, uint64_t *sum)
{
    size_t       i, n;
    pki_rc_t     rc;
    pki_err_t    err;
    pki_page_t  *page;

    err.text[0] = '\0';
    *sum = 0xcbf29ce484222325ULL;

    page = pki_page_create(shape, fuzz_on_item, sum);
    fuzz_check(page);

    rc = PKI_OK;

    for (i = 0; i < size && rc == PKI_OK; i += n) {
        n = step < size - i ? step : size - i;
        rc = pki_page_feed(page, (const char *) data + i, n, &err);
    }

    if (rc == PKI_OK) {
        rc = pki_page_end(page, &err);
    }

    fuzz_check(rc != PKI_ERROR);
    fuzz_check(rc == PKI_OK || err.text[0]);
    fuzz_check(pki_page_items(page) <= PKI_PAGE_ITEMS_MAX);

    for (i = 0; i < FUZZ_TOP; i++) {
        fuzz_value(sum, pki_page_top(page, i));
    }

    pki_page_destroy(page);

    return rc;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t                 one, two;
    pki_rc_t                 rc;
    const pki_page_shape_t  *shape;

    if (size == 0) {
        return 0;
    }

    shape = &fuzz_shapes[data[0] % 3];

    rc = fuzz_read(shape, data + 1, size - 1, size, &one);

    fuzz_check(fuzz_read(shape, data + 1, size - 1, 1, &two) == rc);
    fuzz_check(one == two);

    return 0;
}

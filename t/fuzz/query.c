
/*
 * The parameters of a search: what is read is within its bounds, and the
 * token made of it leads to the same question, and to itself.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "pki_query.h"


#define fuzz_check(yes)                                                       \
    do {                                                                      \
        if (!(yes)) {                                                         \
            abort();                                                          \
        }                                                                     \
    } while (0)


static void
fuzz_bounds(const pki_query_t *q)
{
    fuzz_check(q->size >= 1 && q->size <= PKI_QUERY_PAGE_MAX);
    fuzz_check(q->filter.len <= PKI_ROW_TEXT_MAX
               && strlen(q->filter.text) == q->filter.len);
    fuzz_check(q->len <= PKI_QUERY_TEXT_MAX);
    fuzz_check(memchr(q->object, '\0', sizeof(q->object)));
    fuzz_check(memchr(q->issuer, '\0', sizeof(q->issuer)));
    fuzz_check(memchr(q->thumbprint, '\0', sizeof(q->thumbprint)));
    fuzz_check(memchr(q->after.issuer, '\0', sizeof(q->after.issuer)));
    fuzz_check(memchr(q->after.key, '\0', sizeof(q->after.key)));
    fuzz_check(memchr(q->after.serial, '\0', sizeof(q->after.serial)));
    fuzz_check(pki_query_fields(q) < 1u << PKI_FIELD_N);
}


static void
fuzz_token(const pki_query_t *q)
{
    char                  args[PKI_QUERY_TOKEN_MAX + 32];
    char                  token[PKI_QUERY_TOKEN_MAX + 1];
    char                  again[PKI_QUERY_TOKEN_MAX + 1];
    pki_err_t             err;
    pki_bytes_t           bytes;
    pki_query_t           next;
    pki_query_position_t  after;

    memset(&after, 0, sizeof(after));
    after.set = 1;
    strcpy(after.issuer, "demo");

    if (q->sort != PKI_QUERY_NEWEST || q->thumbprint[0] || q->object[0]) {
        after.sorted = 1;
        after.time = 784111777;
        strcpy(after.serial, "40");
        strcpy(after.key, "cn=a\xc3");

    } else {
        after.page = 3;
        after.offset = 17;
    }

    fuzz_check(pki_query_token(q, &after, token) == strlen(token));
    fuzz_check(token[0]);

    bytes.data = (unsigned char *) args;
    bytes.len = (size_t) snprintf(args, sizeof(args), "continuationToken=%s",
                                  token);

    fuzz_check(pki_query_read(bytes, &next, &err) == PKI_OK);
    fuzz_check(memcmp(&next.filter, &q->filter, sizeof(q->filter)) == 0);
    fuzz_check(next.after.set && next.size == q->size);
    fuzz_check(pki_query_compare(q, &next.after, &after) == 0);

    (void) pki_query_token(&next, &next.after, again);
    fuzz_check(strcmp(token, again) == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pki_err_t     err;
    pki_rc_t      rc;
    pki_bytes_t   bytes;
    pki_query_t  *q;

    q = malloc(sizeof(pki_query_t));
    fuzz_check(q != NULL);

    bytes.data = data;
    bytes.len = size;

    rc = pki_query_read(bytes, q, &err);

    if (rc == PKI_OK) {
        fuzz_bounds(q);
        fuzz_token(q);

    } else {
        fuzz_check(rc == PKI_INVALID && err.text[0]);
    }

    free(q);

    return 0;
}

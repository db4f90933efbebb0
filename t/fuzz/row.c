
/*
 * A page as Redis might give it: every line is passed over once, what is
 * read can be written and read again, and the fast way over the page finds
 * no line that does not hold the text.  The first octets are the text.
 */

#include <stdlib.h>
#include <string.h>

#include "pki_row.h"


#define fuzz_check(yes)  if (!(yes)) { abort(); }


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t fuzz_rows(pki_bytes_t page, const pki_filter_t *filter);
static void fuzz_again(const pki_row_t *row);
static void fuzz_find(pki_bytes_t page, const pki_filter_t *filter);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t        len, lines, i;
    pki_bytes_t   page;
    pki_filter_t  filter;

    if (size == 0 || size - 1 < data[0]) {
        return 0;
    }

    memset(&filter, 0, sizeof(filter));

    len = data[0];
    page.data = data + 1 + len;
    page.len = size - 1 - len;

    if (pki_filter_text(&filter, (const char *) data + 1, len) != PKI_OK) {
        return 0;
    }

    (void) pki_row_sources((const char *) data + 1, len);

    for (lines = 0, i = 0; i < page.len; i++) {
        lines += page.data[i] == '\n';
    }

    fuzz_check(fuzz_rows(page, &filter) == lines);
    fuzz_find(page, &filter);

    return 0;
}


static size_t
fuzz_rows(pki_bytes_t page, const pki_filter_t *filter)
{
    size_t       n, from;
    pki_rc_t     rc;
    pki_row_t    row;
    pki_bytes_t  rest;

    rest = page;

    for (n = 0; /* void */ ; n++) {
        from = page.len - rest.len;

        rc = pki_row_next(&rest, &row);

        if (rc == PKI_NOT_FOUND) {
            return n;
        }

        if (rc != PKI_OK) {
            continue;
        }

        fuzz_again(&row);

        if (pki_filter_match(filter, &row, 0)) {
            fuzz_check(pki_filter_find(filter, page, from) == from);
        }
    }
}


/* A line of ours may hold controls, which are replaced: once is enough. */

static void
fuzz_again(const pki_row_t *row)
{
    char         one[PKI_ROW_MAX], two[PKI_ROW_MAX];
    size_t       len;
    pki_row_t    again;
    pki_bytes_t  line;

    len = pki_row_write(row, one);
    fuzz_check(len <= PKI_ROW_MAX);

    line.data = (unsigned char *) one;
    line.len = len;
    fuzz_check(pki_row_next(&line, &again) == PKI_OK && line.len == 0);

    fuzz_check(pki_row_write(&again, two) == len);
    fuzz_check(memcmp(one, two, len) == 0);

    fuzz_check(again.status == row->status);
    fuzz_check(again.issued == row->issued && again.source == row->source);
    fuzz_check(pki_row_type_name(again.kind) != NULL);
    fuzz_check(pki_row_source_name(again.source) != NULL);
}


static void
fuzz_find(pki_bytes_t page, const pki_filter_t *filter)
{
    size_t                at;
    const unsigned char  *end;

    for (at = 0; at < page.len; /* void */) {
        at = pki_filter_find(filter, page, at);
        fuzz_check(at <= page.len);

        if (at == page.len) {
            return;
        }

        fuzz_check(at == 0 || page.data[at - 1] == '\n');

        end = memchr(page.data + at, '\n', page.len - at);
        if (end == NULL) {
            return;
        }

        at = (size_t) (end - page.data) + 1;
    }
}

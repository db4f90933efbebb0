
/*
 * pki_json_writer.c: what is written, what is not JSON and therefore not
 * written, and a writer that runs out of memory.
 */

#include "pki_test.h"

#include <limits.h>
#include "pki_json.h"


static pki_json_writer_t *
test_writer(void)
{
    pki_json_writer_t  *w;

    w = pki_json_create();

    if (w == NULL) {
        printf("Bail out! no memory\n");
        exit(1);
    }

    return w;
}


static void
test_is(pki_json_writer_t *w, const char *want, const char *name)
{
    char         text[1024];
    pki_rc_t     rc;
    pki_bytes_t  bytes;

    bytes.data = NULL;
    bytes.len = 0;

    rc = pki_json_text(w, &bytes);

    if (want == NULL) {
        is_int(rc, PKI_ERROR, "%s: refused", name);
        return;
    }

    is_int(rc, PKI_OK, "%s: written", name);
    snprintf(text, sizeof(text), "%.*s", (int) bytes.len, bytes.data);
    is_str(text, want, "%s: as it should be", name);
}


static void
test_whole(void)
{
    pki_json_writer_t  *w;

    w = test_writer();

    test_is(w, "", "nothing yet");

    pki_json_object(w);
    pki_json_name(w, "s");
    pki_json_string(w, "text");
    test_is(w, "{\"s\":\"text\"", "half a text");
    pki_json_name(w, "n");
    pki_json_string(w, NULL);
    pki_json_name(w, "i");
    pki_json_integer(w, -7);
    pki_json_name(w, "a");
    pki_json_array(w);
    pki_json_boolean(w, 1);
    pki_json_boolean(w, 0);
    pki_json_boolean(w, 4);
    pki_json_array(w);
    pki_json_array_end(w);
    pki_json_object(w);
    pki_json_object_end(w);
    pki_json_object(w);
    pki_json_name(w, "");
    pki_json_integer(w, 0);
    pki_json_object_end(w);
    pki_json_array_end(w);
    pki_json_name(w, "t");
    pki_json_time(w, 0);
    pki_json_object_end(w);

    test_is(w, "{\"s\":\"text\",\"n\":null,\"i\":-7,\"a\":[true,false,true,[],"
            "{},{\"\":0}],\"t\":\"1970-01-01T00:00:00Z\"}", "a whole text");

    pki_json_integer(w, 1);
    test_is(w, NULL, "a second value behind it");
    pki_json_object_end(w);
    test_is(w, NULL, "and it stays so");

    pki_json_destroy(w);
    pki_json_destroy(NULL);
}


static void
test_values(void)
{
    size_t              i;
    pki_json_writer_t  *w;

    static const struct {
        const char  *bytes;
        size_t       len;
        const char  *text;
    } strings[] = {
        { "", 0, "\"\"" },
        { "a\"b\\c/", 6, "\"a\\\"b\\\\c/\"" },
        { "\0\x01\n\x1f\x7f", 5, "\"\\u0000\\u0001\\u000a\\u001f\x7f\"" },
        { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9,
          "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"" },
        { "a\xff" "b", 3, "\"a\xef\xbf\xbd" "b\"" },
        { "\xc3", 1, "\"\xef\xbf\xbd\"" },
        { "\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
        { "\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
        { "\xe2\x82\"", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\\\"\"" }
    };

    static const struct {
        long long    integer;
        const char  *text;
    } integers[] = {
        { 0, "0" },
        { LLONG_MAX, "9223372036854775807" },
        { LLONG_MIN, "-9223372036854775808" }
    };

    static const struct {
        long long    time;
        const char  *text;
    } times[] = {
        { 1, "\"1970-01-01T00:00:01Z\"" },
        { 951782400, "\"2000-02-29T00:00:00Z\"" },
        { 4294967296, "\"2106-02-07T06:28:16Z\"" },
        { -1, "\"1969-12-31T23:59:59Z\"" },
        { 253402300799, "\"9999-12-31T23:59:59Z\"" },
        { 253402300800, "null" },
        { -62167219200, "\"0000-01-01T00:00:00Z\"" },
        { -62167219201, "null" },
        { LLONG_MAX, "null" },
        { LLONG_MIN, "null" }
    };

    for (i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        w = test_writer();
        pki_json_bytes(w, (pki_bytes_t) {
                              (const unsigned char *) strings[i].bytes,
                              strings[i].len });
        test_is(w, strings[i].text, "a string");
        pki_json_destroy(w);
    }

    for (i = 0; i < sizeof(integers) / sizeof(integers[0]); i++) {
        w = test_writer();
        pki_json_integer(w, integers[i].integer);
        test_is(w, integers[i].text, "an integer");
        pki_json_destroy(w);
    }

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        w = test_writer();
        pki_json_time(w, times[i].time);
        test_is(w, times[i].text, "a time");
        pki_json_destroy(w);
    }
}


/* a letter is a call: { } [ ] n(ame) v(alue) */

static void
test_orders(void)
{
    size_t              i;
    const char         *p;
    pki_json_writer_t  *w;

    static const struct {
        const char  *calls;
        const char  *text;
    } cases[] = {
        { "v", "1" },
        { "vv", NULL },
        { "[]v", NULL },
        { "n", NULL },
        { "{v", NULL },
        { "{nnv", NULL },
        { "{n}", NULL },
        { "{nvv", NULL },
        { "{]", NULL },
        { "[}", NULL },
        { "[n", NULL },
        { "}", NULL },
        { "]", NULL },
        { "{}}", NULL },
        { "[]]", NULL },
        { "{{", NULL },
        { "{nv]", NULL },
        { "[vvv]", "[1,1,1]" },
        { "{nvnv}", "{\"n\":1,\"n\":1}" },
        { "[[v][v]v]", "[[1],[1],1]" },
        { "{n{n[{}{}]}nv}", "{\"n\":{\"n\":[{},{}]},\"n\":1}" },
        { "[[[[[[[[[[[[[[[[", "[[[[[[[[[[[[[[[[" },
        { "[[[[[[[[[[[[[[[[[", NULL }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        w = test_writer();

        for (p = cases[i].calls; *p; p++) {
            switch (*p) {

            case '{':
                pki_json_object(w);
                break;

            case '}':
                pki_json_object_end(w);
                break;

            case '[':
                pki_json_array(w);
                break;

            case ']':
                pki_json_array_end(w);
                break;

            case 'n':
                pki_json_name(w, "n");
                break;

            default:
                pki_json_integer(w, 1);
                break;
            }
        }

        test_is(w, cases[i].text, cases[i].calls);
        pki_json_destroy(w);
    }
}


/* strings around the sizes at which the buffer grows */

static void
test_growth(void)
{
    char                big[3000];
    size_t              n;
    unsigned            failed;
    pki_rc_t            rc;
    pki_bytes_t         text;
    pki_json_writer_t  *w;

    failed = 0;
    memset(big, 'x', sizeof(big));

    for (n = 0; n < sizeof(big); n += n % 512 > 505 || n % 512 < 3 ? 1 : 7) {
        w = test_writer();

        pki_json_array(w);
        pki_json_string(w, "a");
        pki_json_bytes(w, (pki_bytes_t) { (unsigned char *) big, n });
        pki_json_array_end(w);

        rc = pki_json_text(w, &text);

        failed += rc != PKI_OK || text.len != n + 8
                  || memcmp(text.data, "[\"a\",\"", 6) != 0
                  || memcmp(text.data + 6, big, n) != 0
                  || memcmp(text.data + 6 + n, "\"]", 2) != 0;

        pki_json_destroy(w);
    }

    is_int(failed, 0, "strings of all sizes");
}


static void
test_memory(void)
{
    char                big[3000];
    long                n;
    unsigned            failed;
    pki_rc_t            rc;
    pki_bytes_t         text;
    pki_json_writer_t  *w;

    rc = PKI_ERROR;
    failed = 0;

    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';

    for (n = 1; n < 100; n++) {
        pki_test_fail_at(n);
        w = pki_json_create();

        if (w) {
            pki_json_object(w);
            pki_json_name(w, "a");
            pki_json_string(w, big);
            pki_json_name(w, "b");
            pki_json_string(w, big);
            pki_json_object_end(w);

            rc = pki_json_text(w, &text);
            pki_json_destroy(w);
        }

        if (!pki_test_fail_hit()) {
            break;
        }

        failed += w && rc != PKI_ERROR;
    }

    pki_test_fail_at(0);

    ok(n > 2 && n < 100, "%ld allocations failed", n - 1);
    is_int(rc, PKI_OK, "with all of them a text is written");
    is_int(failed, 0, "without one it is an error");
}


int
main(void)
{
    pki_test_alloc_hook();

    test_whole();
    test_values();
    test_orders();
    test_growth();
    test_memory();

    return pki_test_done();
}

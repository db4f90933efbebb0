
/*
 * pki_page.c and pki_stream.c: replies as directories send them, as they
 * should not, and cut everywhere.  What was read is written down in a line:
 *
 *     -  absent      n  null      t f  true, false     #7  an integer
 *     "x" a string   ?  other     {..} an item         |   the envelope
 */

#include "pki_test.h"

#include <openssl/err.h>

#include "pki_page.h"


#define TEST_TEXT  4096


typedef struct {
    char         text[TEST_TEXT];
    size_t       len;
    unsigned     nitem;         /* values of an item */
    size_t       items;
    size_t       stop_at;       /* this item ends the page */
    pki_rc_t     stop_rc;
    size_t       starve_at;     /* from this one on, memory is short */
} test_told_t;


static const char *const  test_item[] = {
    "id", "accountEnabled", "general/remoteManagement/managed",
    "general/name", "a", "a/b", NULL
};

static const char *const  test_top[] = {
    "@odata.nextLink", "totalCount", "error/code", NULL
};

static const char *const  test_token[] = {
    "access_token", "expires_in", "error/innerError/code", "error", NULL
};

static const pki_page_shape_t  test_shapes[] = {
    { "value", test_item, test_top },
    { "", test_item, NULL },
    { NULL, NULL, test_token }
};

static const unsigned  test_nitem[] = { 6, 6, 0 };
static const unsigned  test_ntop[] = { 3, 0, 4 };

#define LIST    0
#define ARRAY   1
#define SINGLE  2


typedef struct {
    int          shape;
    const char  *text;
    pki_rc_t     rc;
    const char  *told;          /* of PKI_INVALID: how err begins */
} test_case_t;


#define ID(id)  "{\"id\":\"" id "\"}"
#define GOT(id)  "{\"" id "\" - - - - -}"
#define BAD     PKI_INVALID
#define NONE    PKI_NOT_FOUND
#define JSON    "the reply is not JSON: "


static const test_case_t  test_cases[] = {

    /* listings */

    { LIST, "{\"value\":[]}", PKI_OK, "| - - -" },
    { LIST, "{\"value\":[" ID("x") "," ID("y") "]}", PKI_OK,
      GOT("x") GOT("y") "| - - -" },
    { LIST, " \r\n{ \"value\" : [ " ID("x") "\t] } \n", PKI_OK,
      GOT("x") "| - - -" },
    { LIST, "\xef\xbb\xbf{\"value\":[" ID("x") "]}", PKI_OK,
      GOT("x") "| - - -" },
    { LIST, "{\"@odata.nextLink\":\"l\",\"value\":[{}],\"totalCount\":12}",
      PKI_OK, "{- - - - - -}| \"l\" #12 -" },
    { LIST, "{\"value\":[{}],\"@odata.nextLink\":\"\",\"totalCount\":null}",
      PKI_OK, "{- - - - - -}| \"\" n -" },
    { LIST, "{\"value\":[{\"id\":\"x\",\"accountEnabled\":true,\"general\":{"
      "\"remoteManagement\":{\"managed\":false},\"name\":\"n\"},\"a\":-1}]}",
      PKI_OK, "{\"x\" t f \"n\" #-1 -}| - - -" },
    { LIST, "{\"value\":[{\"a\":{\"b\":1},\"general\":{\"name\":\"n\","
      "\"remoteManagement\":{\"x\":[{}],\"managed\":true}},\"id\":\"x\"}]}",
      PKI_OK, "{\"x\" - t \"n\" ? #1}| - - -" },
    { LIST, "{\"value\":[{\"id\":\"x\"},{\"accountEnabled\":true}]}", PKI_OK,
      GOT("x") "{- t - - - -}| - - -" },
    { ARRAY, "[]", PKI_OK, "|" },
    { ARRAY, "[" ID("x") "," ID("y") "]", PKI_OK, GOT("x") GOT("y") "|" },
    { ARRAY, "[{\"a\":{\"b\":[1]}}]", PKI_OK, "{- - - - ? ?}|" },

    /* unknown members, wherever */

    { LIST, "{\"x\":{\"value\":[1],\"y\":[{\"id\":1},[[]]]},\"value\":[{"
      "\"x\":[{\"id\":\"no\"}],\"y\":{\"id\":\"no\",\"a\":{\"b\":1}},"
      "\"id\":\"x\",\"z\":[],\"Id\":\"no\",\"id \":\"no\",\"i\":1,\"\":2}],"
      "\"z\":[[{\"totalCount\":1}]]}", PKI_OK, GOT("x") "| - - -" },
    { LIST, "{\"value\":[{\"general\":{\"id\":\"no\",\"managed\":true,"
      "\"general\":{\"name\":\"no\"}}}]}", PKI_OK, "{- - - - - -}| - - -" },

    /* no list, or none that is one */

    { LIST, "{}", NONE, "| - - -" },
    { LIST, "{\"Value\":[]}", NONE, "| - - -" },
    { LIST, "{\"x\":{\"value\":[]}}", NONE, "| - - -" },
    { LIST, "{\"error\":{\"code\":\"c\",\"message\":\"\"}}", NONE,
      "| - - \"c\"" },
    { LIST, "{\"value\":null}", BAD, "the list is no array" },
    { LIST, "{\"value\":{}}", BAD, "the list is no array" },
    { LIST, "{\"value\":\"x\"}", BAD, "the list is no array" },
    { LIST, "{\"value\":1}", BAD, "the list is no array" },
    { LIST, "{\"value\":[],\"value\":[]}", BAD, "the list is there twice" },
    { LIST, "{\"value\":[],\"value\":1}", BAD, "the list is there twice" },
    { LIST, "{\"value\":[1]}", BAD, "an item is no object" },
    { LIST, "{\"value\":[{},\"x\"]}", BAD, "an item is no object" },
    { LIST, "{\"value\":[null]}", BAD, "an item is no object" },
    { LIST, "{\"value\":[true]}", BAD, "an item is no object" },
    { LIST, "{\"value\":[[]]}", BAD, "an item is no object" },
    { ARRAY, "[1]", BAD, "an item is no object" },
    { ARRAY, "[[{}]]", BAD, "an item is no object" },

    /* another thing altogether */

    { LIST, "", BAD, JSON },
    { LIST, " \n", BAD, JSON },
    { LIST, "\xef\xbb\xbf", BAD, JSON },
    { LIST, "\xef\xbb{}", BAD, JSON },
    { LIST, "\xef", BAD, JSON },
    { LIST, "\xef\xbb\xbf\xef\xbb\xbf{\"value\":[]}", BAD, JSON },
    { LIST, "[]", BAD, "the reply is no object" },
    { LIST, "null", BAD, "the reply is no object" },
    { LIST, "true", BAD, "the reply is no object" },
    { LIST, "12", BAD, "the reply is no object" },
    { LIST, "\"value\"", BAD, "the reply is no object" },
    { LIST, "<!DOCTYPE html><title>Sign in</title>", BAD, JSON },
    { LIST, "{\"value\":[]} x", BAD, JSON },
    { LIST, "{\"value\":[]}{}", BAD, JSON },
    { LIST, "{\"value\":[],}", BAD, JSON },
    { LIST, "{\"value\":[{\"id\":\"x\"}}]", BAD, JSON },
    { LIST, "{'value':[]}", BAD, JSON },
    { LIST, "{\"value\":[]/* */}", BAD, JSON },
    { LIST, "{\"value\":[{\"a\":01}]}", BAD, JSON },
    { LIST, "{\"value\":[{\"a\":NaN}]}", BAD, JSON },
    { LIST, "{\"value\":[{\"id\":\"\x01\"}]}", BAD, JSON },
    { LIST, "{\"value\":[{\"id\":\"\\x\"}]}", BAD, JSON },
    { LIST, "{\"value\":[{\"id\":\"\\u12g4\"}]}", BAD, JSON },
    { ARRAY, "{}", BAD, "the reply is no array" },
    { ARRAY, "{\"error\":1}", BAD, "the reply is no array" },
    { ARRAY, "null", BAD, "the reply is no object" },
    { SINGLE, "[]", BAD, "the reply is no object" },
    { SINGLE, "null", BAD, "the reply is no object" },

    /* a single object */

    { SINGLE, "{}", PKI_OK, "| - - - -" },
    { SINGLE, "{\"access_token\":\"t\",\"expires_in\":3599,\"value\":[1]}",
      PKI_OK, "| \"t\" #3599 - -" },
    { SINGLE, "{\"error\":{\"innerError\":{\"code\":\"c\"}}}", PKI_OK,
      "| - - \"c\" ?" },
    { SINGLE, "{\"error\":\"invalid_client\"}", PKI_OK,
      "| - - - \"invalid_client\"" },
    { SINGLE, "{\"error\":{\"innerError\":null}}", PKI_OK, "| - - - ?" },
    { SINGLE, "{\"error\":[{\"innerError\":{\"code\":\"c\"}}]}", PKI_OK,
      "| - - - ?" },

    /* types and numbers */

    { SINGLE, "{\"expires_in\":\"3599\",\"access_token\":1}", PKI_OK,
      "| #1 \"3599\" - -" },
    { SINGLE, "{\"expires_in\":-0,\"access_token\":[]}", PKI_OK,
      "| ? #0 - -" },
    { SINGLE, "{\"expires_in\":9223372036854775807,\"access_token\":"
      "-9223372036854775808}", PKI_OK,
      "| #-9223372036854775808 #9223372036854775807 - -" },
    { SINGLE, "{\"expires_in\":9223372036854775808,\"access_token\":"
      "-9223372036854775809}", PKI_OK, "| ? ? - -" },
    { SINGLE, "{\"expires_in\":1.0,\"access_token\":1e3}", PKI_OK,
      "| ? ? - -" },
    { SINGLE, "{\"expires_in\":1E-3,\"access_token\":0.5}", PKI_OK,
      "| ? ? - -" },
    { SINGLE, "{\"expires_in\":100000000000000000000000000000000000000000,"
      "\"access_token\":1.0000000000000000000000000000000000}", PKI_OK,
      "| ? ? - -" },

    /* one name, several values */

    { SINGLE, "{\"access_token\":\"t\",\"access_token\":\"t\","
      "\"expires_in\":7,\"expires_in\":7,\"error\":null,\"error\":null}",
      PKI_OK, "| \"t\" #7 - n" },
    { SINGLE, "{\"access_token\":\"t\",\"access_token\":\"u\","
      "\"expires_in\":7,\"expires_in\":8}", PKI_OK, "| ? ? - -" },
    { SINGLE, "{\"access_token\":\"t\",\"access_token\":null,"
      "\"expires_in\":1,\"expires_in\":true}", PKI_OK, "| ? ? - -" },
    { SINGLE, "{\"access_token\":\"t\",\"access_token\":\"u\","
      "\"access_token\":\"t\",\"access_token\":\"t\"}", PKI_OK,
      "| ? - - -" },
    { SINGLE, "{\"access_token\":\"t\",\"access_token\":\"tt\","
      "\"expires_in\":null,\"expires_in\":7}", PKI_OK, "| ? ? - -" },
    { SINGLE, "{\"access_token\":\"\",\"access_token\":\"\","
      "\"\\u0065xpires_in\":7,\"expires_in\":8}", PKI_OK, "| \"\" ? - -" },
    { LIST, "{\"value\":[{\"general\":{\"name\":\"n\"},\"general\":{}}]}",
      PKI_OK, "{- - ? ? - -}| - - -" },
    { LIST, "{\"value\":[{\"general\":1,\"general\":{\"name\":\"n\"}}]}",
      PKI_OK, "{- - ? ? - -}| - - -" },
    { LIST, "{\"value\":[{\"general\":{\"remoteManagement\":{\"managed\":"
      "true},\"name\":\"n\",\"remoteManagement\":{\"managed\":true}}}]}",
      PKI_OK, "{- - ? \"n\" - -}| - - -" },
    { LIST, "{\"value\":[{\"a\":{\"b\":1},\"a\":1},{\"a\":1}]}",
      PKI_OK, "{- - - - ? ?}{- - - - #1 -}| - - -" },
    { LIST, "{\"error\":{\"code\":\"c\"},\"error\":{\"code\":\"c\"}}", NONE,
      "| - - ?" },
    { LIST, "{\"value\":[{\"accountEnabled\":true},{\"accountEnabled\":"
      "false}]}", PKI_OK, "{- t - - - -}{- f - - - -}| - - -" },

    /* strings */

    { SINGLE, "{\"access_token\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", PKI_OK,
      "| \"\"\\/%08%0c%0a%0d%09\" - - -" },
    { SINGLE, "{\"access_token\":\"\\u00e4\\u20AC\\ud83d\\ude00\"}", PKI_OK,
      "| \"%c3%a4%e2%82%ac%f0%9f%98%80\" - - -" },
    { SINGLE, "{\"access_token\":\"\xc3\xa4\xf0\x9f\x98\x80\"}", PKI_OK,
      "| \"%c3%a4%f0%9f%98%80\" - - -" },
    { SINGLE, "{\"access_token\":\"\\u05d0\\u202e?\"}", PKI_OK,
      "| \"%d7%90%e2%80%ae?\" - - -" },
    { SINGLE, "{\"access_token\":\"\\\\ud800\\\\u12\"}", PKI_OK,
      "| \"\\ud800\\u12\" - - -" },
    { SINGLE, "{\"access_token\":\"\\ud800\",\"expires_in\":1}", PKI_OK,
      "| ? #1 - -" },
    { SINGLE, "{\"access_token\":\"\\uDFFFx\",\"expires_in\":1}", PKI_OK,
      "| ? #1 - -" },
    { SINGLE, "{\"access_token\":\"\\ud83d\\u0041\",\"expires_in\":1}",
      PKI_OK, "| ? #1 - -" },
    { SINGLE, "{\"access_token\":\"\\ud83d\\ud83d\\ude00\"}", PKI_OK,
      "| ? - - -" },
    { SINGLE, "{\"access_token\":\"\\ud83d\\n\",\"expires_in\":1}", PKI_OK,
      "| ? #1 - -" },
    { SINGLE, "{\"access_token\":\"\\ud800\\\\u12\",\"expires_in\":1}",
      PKI_OK, "| ? #1 - -" },
    { SINGLE, "{\"access_token\":\"\\ud800\\\\\\ud800\"}", PKI_OK,
      "| ? - - -" },
    { SINGLE, "{\"x\":\"\\ud800\\udbff\",\"\\udc00\":1,\"expires_in\":1}",
      PKI_OK, "| - #1 - -" },
    { SINGLE, "{\"expires_in\\u0000\":1,\"expires_in\\ud800\":2}", PKI_OK,
      "| - - - -" },
    { SINGLE, "{\"access_token\":\"a\\u0000b\",\"expires_in\":1}", PKI_OK,
      "| ? #1 - -" },
    { SINGLE, "{\"access_token\":\"\xff\",\"expires_in\":\"\xc3\"}", PKI_OK,
      "| ? ? - -" },
    { SINGLE, "{\"access_token\":\"\xed\xa0\x80\",\"error\":\"\xc0\xaf\"}",
      PKI_OK, "| ? - - ?" },
    { SINGLE, "{\"x\":\"\xff\",\"\xff\":\"\xfe\",\"expires_in\":1}", PKI_OK,
      "| - #1 - -" },
    { SINGLE, "{\"expires_in\":\"\xff\",\"expires_in\":\"\xff\"}", PKI_OK,
      "| - ? - -" }
};

#define TEST_CASES  (sizeof(test_cases) / sizeof(test_cases[0]))


static void
test_write(test_told_t *told, const char *fmt, long long n)
{
    int  len;

    len = snprintf(told->text + told->len, TEST_TEXT - told->len, fmt, n);

    if (len > 0 && told->len + len < TEST_TEXT) {
        told->len += len;
    }
}


static void
test_octet(test_told_t *told, unsigned char c)
{
    if (c < ' ' || c > '~') {
        test_write(told, "%%%02llx", c);

    } else if (told->len + 1 < TEST_TEXT) {
        told->text[told->len++] = c;
        told->text[told->len] = '\0';
    }
}


static void
test_value(test_told_t *told, const pki_value_t *value)
{
    size_t  i;

    switch (value->type) {

    case PKI_VALUE_ABSENT:
        test_write(told, "-", 0);
        break;

    case PKI_VALUE_NULL:
        test_write(told, "n", 0);
        break;

    case PKI_VALUE_BOOLEAN:
        test_write(told, value->integer ? "t" : "f", 0);
        break;

    case PKI_VALUE_INTEGER:
        test_write(told, "#%lld", value->integer);
        break;

    case PKI_VALUE_STRING:
        test_write(told, "\"", 0);

        for (i = 0; i < value->len; i++) {
            test_octet(told, value->string[i]);
        }

        /* its terminator is looked at, too */

        test_write(told, value->string[i] ? "!" : "\"", 0);
        break;

    default:
        test_write(told, value->string || value->len ? "!" : "?", 0);
        break;
    }
}


static pki_rc_t
test_on_item(void *data, const pki_value_t *values)
{
    unsigned      i;
    test_told_t  *told = data;

    for (i = 0; i < told->nitem; i++) {
        test_write(told, i ? " " : "{", 0);
        test_value(told, &values[i]);
    }

    test_write(told, "}", 0);

    if (++told->items == told->starve_at) {
        pki_test_fail_at(1);
    }

    return told->items == told->stop_at ? told->stop_rc : PKI_OK;
}


/* Feeds text in two pieces, and the second one in pieces of `step`. */

static pki_rc_t
test_read(int shape, const char *text, size_t len, size_t first, size_t step,
    test_told_t *told, pki_err_t *err)
{
    char        *copy;
    size_t       i, n;
    pki_rc_t     rc;
    pki_page_t  *page;

    told->len = 0;
    told->text[0] = '\0';
    told->items = 0;
    told->nitem = test_nitem[shape];
    err->text[0] = '\0';

    page = pki_page_create(&test_shapes[shape], test_on_item, told);

    if (page == NULL) {
        return PKI_ERROR;
    }

    rc = PKI_OK;

    for (i = 0; i < len && rc == PKI_OK; i += n) {
        n = i < first ? first : step;
        n = n < len - i ? n : len - i;

        /* from a block of just that size, so that reading over shows */

        copy = malloc(n);

        if (copy == NULL) {
            printf("Bail out! no memory\n");
            exit(1);
        }

        memcpy(copy, text + i, n);
        rc = pki_page_feed(page, copy, n, err);
        free(copy);
    }

    if (rc == PKI_OK) {
        rc = pki_page_end(page, err);
    }

    if (rc == PKI_OK || rc == PKI_NOT_FOUND) {
        test_write(told, "|", 0);

        for (i = 0; i < test_ntop[shape]; i++) {
            test_write(told, " ", 0);
            test_value(told, pki_page_top(page, i));
        }

        if (pki_page_items(page) != told->items) {
            test_write(told, "!", 0);
        }
    }

    pki_page_destroy(page);

    return rc;
}


static void
test_table(void)
{
    size_t              i, k, len;
    pki_rc_t            rc;
    unsigned            failed;
    pki_err_t           err, again;
    test_told_t         told, other;
    const test_case_t  *t;

    memset(&told, 0, sizeof(told));
    memset(&other, 0, sizeof(other));

    for (i = 0; i < TEST_CASES; i++) {
        t = &test_cases[i];
        len = strlen(t->text);

        rc = test_read(t->shape, t->text, len, len, len, &told, &err);
        is_int(rc, t->rc, "reply %zu", i);

        if (t->rc == PKI_INVALID) {
            ok(strncmp(err.text, t->told, strlen(t->told)) == 0,
               "and why: %s", err.text);

        } else {
            is_str(told.text, t->told, "and what it says");
        }

        failed = 0;

        for (k = 0; k < len; k++) {
            rc = test_read(t->shape, t->text, len, k, k % 13 + 1, &other,
                           &again);

            if (rc != t->rc || (rc != PKI_INVALID
                                && strcmp(told.text, other.text) != 0))
            {
                failed++;
            }
        }

        is_int(failed, 0, "however it is cut");
    }
}


/* the values that are told before the end are those of whole items */

static void
test_truncated(void)
{
    size_t       n, len;
    unsigned     failed;
    pki_err_t    err;
    test_told_t  told, whole;
    const char  *text;

    memset(&told, 0, sizeof(told));
    memset(&whole, 0, sizeof(whole));

    text = "\xef\xbb\xbf{\"totalCount\":2,\"value\":[{\"id\":\"\\ud83d\\ude00"
           "\xc3\xa4\",\"x\":[1.5,{\"y\":null}],\"accountEnabled\":true},"
           "{\"general\":{\"name\":\"\\\\\"},\"a\":-12}],"
           "\"@odata.nextLink\":\"https://x/\"}";
    len = strlen(text);
    failed = 0;

    is_int(test_read(LIST, text, len, len, len, &whole, &err), PKI_OK,
           "a reply");

    for (n = 0; n < len; n++) {
        failed += test_read(LIST, text, n, n, n, &told, &err) != PKI_INVALID;
        failed += test_read(LIST, text, n, 0, 1, &told, &err) != PKI_INVALID;
        failed += err.text[0] == '\0';
        failed += strncmp(told.text, whole.text, told.len) != 0;
    }

    is_int(failed, 0, "cut anywhere, it is refused");
}


static char *
test_block(size_t len, int c)
{
    char  *p;

    p = malloc(len);

    if (p == NULL) {
        printf("Bail out! no memory\n");
        exit(1);
    }

    memset(p, c, len);

    return p;
}


/* An object with a member of so many octets, each written as `unit`. */

static pki_rc_t
test_long(const char *before, const char *unit, size_t n, const char *after,
    size_t step, test_told_t *told, pki_err_t *err)
{
    char      *text, *p;
    size_t     i;
    pki_rc_t   rc;

    text = test_block(strlen(before) + n * strlen(unit) + strlen(after) + 1,
                      0);
    p = text + sprintf(text, "%s", before);

    for (i = 0; i < n; i++) {
        p = stpcpy(p, unit);
    }

    p = stpcpy(p, after);

    rc = test_read(SINGLE, text, p - text, step, step, told, err);

    free(text);

    return rc;
}


static void
test_strings(void)
{
    size_t              i;
    pki_err_t           err;
    test_told_t         told;
    static const size_t steps[] = { 1 << 30, 4096, 65537 };

    memset(&told, 0, sizeof(told));

    for (i = 0; i < 3; i++) {
        is_int(test_long("{\"error\":\"", "a", PKI_PAGE_STRING_MAX,
                         "\",\"expires_in\":7}", steps[i], &told, &err),
               PKI_OK, "the longest string");
        ok(told.len > 1000 && strstr(told.text, "| - #7 - \"aaa"), "is read");

        is_int(test_long("{\"error\":\"", "\\n", PKI_PAGE_STRING_MAX + 1,
                         "\",\"expires_in\":7}", steps[i], &told, &err),
               PKI_OK, "one octet more");
        is_str(told.text, "| - #7 - ?", "is another thing");

        is_int(test_long("{\"x\":\"", "a", 1048576, "\",\"expires_in\":7}",
                         steps[i], &told, &err),
               PKI_OK, "a million octets nobody wants");
        is_str(told.text, "| - #7 - -", "are skipped");

        is_int(test_long("{\"expires_in\":\"", "\\u0061", 300000, "\"}",
                         steps[i], &told, &err), PKI_OK, "as many, wanted");
        is_str(told.text, "| - ? - -", "are another thing");

        is_int(test_long("{\"", "a", 1048576, "\":1,\"expires_in\":7}",
                         steps[i], &told, &err), PKI_OK, "in a name");
        is_str(told.text, "| - #7 - -", "they are skipped");

        is_int(test_long("{\"x\":\"", "aaaaaaaaaaaaaaaa", 1000000, "",
                         steps[i], &told, &err), PKI_INVALID,
               "a string that does not end");
        is_str(err.text, "the reply has too long a token", "is cut short");

        is_int(test_long("{\"", "\\ud800", 500000, "\":1}", steps[i], &told,
                         &err), PKI_INVALID, "nor may a name");
        is_str(err.text, "the reply has too long a token", "be too long");

        is_int(test_long("{\"x\":", "1234567890123456", 1000000, "}",
                         steps[i], &told, &err), PKI_INVALID, "or a number");
        is_str(err.text, "the reply has too long a token", "and why");
    }
}


/* `depth` levels, of which the last ones are arrays or objects */

static pki_rc_t
test_nested(unsigned depth, const char *open, const char *inner,
    const char *close, test_told_t *told, pki_err_t *err)
{
    char      *text, *p;
    unsigned   i;
    pki_rc_t   rc;

    text = test_block(depth * 16 + 64, 0);
    p = stpcpy(text, "{\"access_token\":");

    for (i = 1; i < depth; i++) {
        p = stpcpy(p, open);
    }

    p = stpcpy(p, inner);

    for (i = 1; i < depth; i++) {
        p = stpcpy(p, close);
    }

    p = stpcpy(p, ",\"expires_in\":7}");
    rc = test_read(SINGLE, text, p - text, 1 << 20, 1, told, err);

    free(text);

    return rc;
}


static void
test_depth(void)
{
    char         *text;
    pki_err_t     err;
    test_told_t   told;

    memset(&told, 0, sizeof(told));

    is_int(test_nested(PKI_PAGE_DEPTH, "[", "1", "]", &told, &err), PKI_OK,
           "as deep as may be");
    is_str(told.text, "| ? #7 - -", "is another thing");
    is_int(test_nested(PKI_PAGE_DEPTH + 1, "[", "1", "]", &told, &err),
           PKI_INVALID, "one level more");
    is_str(err.text, "the reply is nested too deep", "is too deep");

    is_int(test_nested(PKI_PAGE_DEPTH, "{\"x\":", "1", "}", &told, &err),
           PKI_OK, "objects");
    is_str(told.text, "| ? #7 - -", "likewise");
    is_int(test_nested(PKI_PAGE_DEPTH + 1, "{\"x\":", "1", "}", &told, &err),
           PKI_INVALID, "one level more");
    is_str(err.text, "the reply is nested too deep", "is too deep");

    text = test_block(10000, '[');

    is_int(test_read(SINGLE, text, 10000, 10000, 1, &told, &err), PKI_INVALID,
           "nothing but brackets");
    is_int(test_read(ARRAY, text, 10000, 10000, 1, &told, &err), PKI_INVALID,
           "where they may be");

    memcpy(text, "{\"x\":", 5);

    is_int(test_read(SINGLE, text, 10000, 100, 1, &told, &err), PKI_INVALID,
           "where they are skipped");
    is_str(err.text, "the reply is nested too deep", "and why");

    free(text);
}


/* n items, then as many members of the envelope that nobody wants */

static pki_rc_t
test_many(unsigned n, unsigned unknown, test_told_t *told, pki_err_t *err)
{
    char      *text, *p;
    size_t     len;
    unsigned   i;
    pki_rc_t   rc;

    len = 64 + n * 64 + unknown * 32;
    text = test_block(len, 0);
    p = stpcpy(text, "{\"value\":[");

    for (i = 0; i < n; i++) {
        p += sprintf(p, "%s{\"x\":{\"y\":[]},\"id\":\"item-%08u\"}",
                     i ? "," : "", i);
    }

    p = stpcpy(p, "]");

    for (i = 0; i < unknown; i++) {
        p += sprintf(p, ",\"member-%u\":null", i);
    }

    p = stpcpy(p, ",\"totalCount\":7}");
    rc = test_read(LIST, text, p - text, 16384, 16384, told, err);

    free(text);

    return rc;
}


static void
test_items(void)
{
    pki_err_t    err;
    test_told_t  told;

    memset(&told, 0, sizeof(told));

    is_int(test_many(PKI_PAGE_ITEMS_MAX, 100000, &told, &err), PKI_OK,
           "many items and unknown members");
    is_int(told.items, PKI_PAGE_ITEMS_MAX, "each item is told");
    is_int(test_many(PKI_PAGE_ITEMS_MAX + 1, 0, &told, &err), PKI_INVALID,
           "one more");
    is_str(err.text, "the reply has too many items", "is too many");

    /* the memory of one item does for all, and skipping needs none */

    told.starve_at = 5000;
    is_int(test_many(6000, 50000, &told, &err), PKI_OK, "after some items");
    is_int(told.items, 6000, "more of them");
    ok(!pki_test_fail_hit(), "and unknown members need no memory");
    pki_test_fail_at(0);
}


static void
test_stopped(void)
{
    pki_err_t    err;
    pki_page_t  *page;
    test_told_t  told;

    memset(&told, 0, sizeof(told));
    told.nitem = 1;
    told.stop_at = 2;
    told.stop_rc = PKI_NOT_FOUND;

    page = pki_page_create(&test_shapes[LIST], test_on_item, &told);
    ok(page, "a page");

    if (page == NULL) {
        return;
    }

    err.text[0] = '\0';

    is_int(pki_page_feed(page, "{\"value\":[{},{},{},", 19, &err), PKI_OK,
           "not yet looked at");
    is_int(pki_page_end(page, &err), PKI_NOT_FOUND,
           "an item ends it with what it returns");
    is_str(told.text, "{-}{-}", "at once");
    is_str(err.text, "", "and says why itself");
    is_int(pki_page_items(page), 2, "that item counts");

    is_int(pki_page_feed(page, "{}]}", 4, &err), PKI_NOT_FOUND,
           "then it is over");
    is_str(err.text, "the reply was refused before", "and why");
    is_int(pki_page_end(page, &err), PKI_NOT_FOUND, "for good");
    is_str(told.text, "{-}{-}", "no item follows");
    is_int(pki_page_feed(page, NULL, 0, NULL), PKI_NOT_FOUND,
           "with nobody to tell");

    pki_page_destroy(page);
    pki_page_destroy(NULL);
}


static void
test_shapes_refused(void)
{
    size_t       i;
    pki_err_t    err;
    pki_page_t  *page;
    char         names[PKI_PAGE_PATHS + 1][4];
    const char  *paths[PKI_PAGE_PATHS + 2];

    pki_page_shape_t  shape = { NULL, NULL, paths };

    memset(paths, 0, sizeof(paths));

    for (i = 0; i < PKI_PAGE_PATHS + 1; i++) {
        snprintf(names[i], sizeof(names[i]), "%c/%c", 'a' + (int) i % 5,
                 'a' + (int) i);
        paths[i] = names[i];
    }

    ok(pki_page_create(&shape, NULL, NULL) == NULL, "too many paths");

    paths[PKI_PAGE_PATHS] = NULL;
    page = pki_page_create(&shape, NULL, NULL);
    ok(page, "as many as may be");

    if (page) {
        is_int(pki_page_feed(page, "{\"d\":{\"x\":5}}", 13, &err), PKI_OK,
               "a reply without an item");
        is_int(pki_page_end(page, NULL), PKI_OK, "to its end");
        is_int(pki_page_top(page, 23)->integer, 5, "the last path");
        is_int(pki_page_top(page, 22)->type, PKI_VALUE_ABSENT, "not another");
        is_int(pki_page_top(page, 24)->type, PKI_VALUE_ABSENT, "behind all");
        is_int(pki_page_top(page, 99)->type, PKI_VALUE_ABSENT, "far behind");
    }

    pki_page_destroy(page);

    paths[1] = paths[0];
    ok(pki_page_create(&shape, NULL, NULL) == NULL, "a path given twice");
}


/* each allocation of yajl and of ours */

static void
test_memory(const char *text, size_t step, pki_rc_t want)
{
    long         n;
    size_t       len;
    pki_rc_t     rc;
    unsigned     failed;
    pki_err_t    err;
    test_told_t  told;

    memset(&told, 0, sizeof(told));
    len = strlen(text);
    failed = 0;

    for (n = 1; n < 1000; n++) {
        pki_test_fail_at(n);
        rc = test_read(LIST, text, len, step, step, &told, &err);

        if (!pki_test_fail_hit()) {
            break;
        }

        failed += rc != PKI_ERROR;
        failed += err.text[0]
                  && strncmp(err.text, "no memory to read a reply", 25) != 0;
        failed += ERR_peek_error() != 0;
    }

    pki_test_fail_at(0);

    ok(n > 5 && n < 1000, "%ld allocations failed", n - 1);
    is_int(rc, want, "with all of them it ends as it should");
    is_int(failed, 0, "without one it is an error, and none is left queued");
}


int
main(void)
{
    char         text[8192];
    const char  *start;

    pki_test_alloc_hook();

    test_table();
    test_truncated();
    test_strings();
    test_depth();
    test_items();
    test_stopped();
    test_shapes_refused();

    test_memory("{\"value\":[{\"id\":\"a\\nb\"},{\"a\":1}],"
                "\"@odata.nextLink\":\"x\"}", 9, PKI_OK);
    test_memory("{\"value\":[{\"id\":\"\\ud800\"},", 9, PKI_INVALID);
    test_memory("{\"value\":[]} x", 9, PKI_INVALID);

    /* long enough for all buffers to grow */

    memset(text, 'a', sizeof(text));
    start = "{\"value\":[{\"id\":\"x\",\"general\":{\"name\":\"\\n";
    memcpy(text, start, strlen(start));
    memcpy(text + sizeof(text) - 8, "\"}}]}  ", 8);

    test_memory(text, 777, PKI_OK);

    return pki_test_done();
}

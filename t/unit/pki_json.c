
/*
 * pki_json.c: what is read, what is refused and with which words, and a
 * reader that runs out of memory at each allocation in turn.
 */

#include "pki_test.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include "pki_json.h"


#define TEST_FIELDS  5
#define TEST_ITEMS   3


static const pki_json_field_t  test_fields[TEST_FIELDS] = {
    { .name = "revocationReason", .type = PKI_JSON_INTEGER, .required = 1 },
    { .name = "revoker", .type = PKI_JSON_STRING, .nullable = 1, .max = 16 },
    { .name = "force", .type = PKI_JSON_BOOLEAN },
    { .name = "note", .type = PKI_JSON_STRING, .max = 0 },
    { .name = "list", .type = PKI_JSON_STRINGS, .nullable = 1, .max = 4,
      .items = TEST_ITEMS }
};


typedef struct {
    const char  *text;
    const char  *error;         /* NULL: it is read */
} test_case_t;


#define NOT_JSON  "the text is not JSON: "
#define R         "\"revocationReason\":"

static const test_case_t  test_cases[] = {

    /* fine */

    { "{" R "1}", NULL },
    { " \t\r\n{ \"revocationReason\" : 1 } \r\n\t ", NULL },
    { "{\"REVOCATIONREASON\":1}", NULL },
    { "{\"revocation\\u0052eason\":1}", NULL },
    { "{" R "1,\"revoker\":null}", NULL },
    { "{" R "1,\"note\":\"\"}", NULL },
    { "{" R "-0}", NULL },
    { "{" R "1,\"list\":[]}", NULL },
    { "{" R "1,\"list\":null}", NULL },
    { "{\"list\":[\"a\",\"\",\"abcd\"]," R "1}", NULL },

    /* not JSON */

    { "", "the text is empty" },
    { " ", NOT_JSON "parse error: premature EOF" },
    { "{", NOT_JSON "parse error: premature EOF" },
    { "{" R "1", NOT_JSON "parse error: premature EOF" },
    { "{" R "1}}", NOT_JSON "parse error: trailing garbage" },
    { "{" R "1} {}", NOT_JSON "parse error: trailing garbage" },
    { "{" R "1} 1", NOT_JSON "parse error: trailing garbage" },
    { "{" R "1}\\", NOT_JSON "parse error: trailing garbage" },
    { "{" R "1,}", NOT_JSON "parse error: invalid object key (must be a "
      "string)" },
    { "{" R "01}", NOT_JSON "parse error: after key and value, inside map, I"
      " expect ',' or '}'" },
    { "{" R "+1}", NOT_JSON "lexical error: invalid char in json text." },
    { "{'revoker':1}", NOT_JSON "lexical error: invalid char in json text." },
    { "{revoker:1}", NOT_JSON "lexical error: invalid char in json text." },
    { "{" R "1/**/}", NOT_JSON "lexical error: probable comment found in "
      "input text, comments are not enabled." },
    { "{\"revoker\":\"a\nb\"}", NOT_JSON "lexical error: invalid character "
      "inside string." },
    { "{\"revoker\":\"\\x\"}", NOT_JSON "lexical error: inside a string, '\\' "
      "occurs before a character which it may not." },
    { "{\"revoker\":\"\\u00g0\"}", NOT_JSON "lexical error: invalid "
      "(non-hex) character occurs after '\\u' inside string." },
    { "{\"revoker\":\"\\", NOT_JSON "lexical error: inside a string, '\\' "
      "occurs before a character which it may not." },
    { "{\"revoker\":\"\\u12", NOT_JSON "lexical error: invalid (non-hex) "
      "character occurs after '\\u' inside string." },
    { "{\"revoker\":\"a", NOT_JSON "parse error: premature EOF" },
    { "\xef\xbb\xbf{" R "1}", NOT_JSON "lexical error: invalid char in json "
      "text." },
    { "{" R "NaN}", NOT_JSON "lexical error: invalid char in json text." },

    /* not one flat object */

    { "1", "the text must be a JSON object" },
    { "1.5", "the text must be a JSON object" },
    { "null", "the text must be a JSON object" },
    { "true", "the text must be a JSON object" },
    { "\"a\"", "the text must be a JSON object" },
    { "[]", "the text must be a JSON object" },
    { "[{" R "1}]", "the text must be a JSON object" },
    { "{" R "{}}", "the member \"revocationReason\" must be an integer" },
    { "{" R "[1]}", "the member \"revocationReason\" must be an integer" },
    { "{\"revoker\":{}}", "the member \"revoker\" must be a string" },

    /* members */

    { "{}", "the member \"revocationReason\" is missing" },
    { "{\"revoker\":\"a\"}", "the member \"revocationReason\" is missing" },
    { "{\"x\":1}", "the member \"x\" is unknown" },
    { "{\"\":1}", "the member \"\" is unknown" },
    { "{\"revoke\":1}", "the member \"revoke\" is unknown" },
    { "{\"revokers\":1}", "the member \"revokers\" is unknown" },
    { "{\"revoker\\u0000\":1}", "the member \"revoker?\" is unknown" },
    { "{\"a\\\"b\\\\c\\nd\xc3\xa4\":1}",
      "the member \"a?b?c?d??\" is unknown" },
    { "{\"abcdefghijklmnopqrstuvwxyzabcdefghijklmn\":1}",
      "the member \"abcdefghijklmnopqrstuvwxyzabcdefghijklmn\" is unknown" },
    { "{\"abcdefghijklmnopqrstuvwxyzabcdefghijklmno\":1}",
      "the member \"abcdefghijklmnopqrstuvwxyzabcdefghijklmn...\" is unknown"
    },
    { "{" R "1," R "1}", "the member \"revocationReason\" is given twice" },
    { "{" R "1,\"RevocationReason\":1}",
      "the member \"revocationReason\" is given twice" },
    { "{" R "1,\"revoker\":null,\"revoker\":\"a\"}",
      "the member \"revoker\" is given twice" },

    /* types */

    { "{" R "\"1\"}", "the member \"revocationReason\" must be an integer" },
    { "{" R "true}", "the member \"revocationReason\" must be an integer" },
    { "{" R "null}", "the member \"revocationReason\" must be an integer" },
    { "{" R "1.0}", "the member \"revocationReason\" must be an integer" },
    { "{" R "1e2}", "the member \"revocationReason\" must be an integer" },
    { "{" R "1E2}", "the member \"revocationReason\" must be an integer" },
    { "{" R "1e999999}",
      "the member \"revocationReason\" must be an integer" },
    { "{" R "9223372036854775808}",
      "the member \"revocationReason\" is out of range" },
    { "{" R "-9223372036854775809}",
      "the member \"revocationReason\" is out of range" },
    { "{" R "9223372036854775870}",
      "the member \"revocationReason\" is out of range" },
    { "{" R "10000000000000000000000000000000000000000000000}",
      "the member \"revocationReason\" is out of range" },
    { "{\"revoker\":1}", "the member \"revoker\" must be a string" },
    { "{\"revoker\":1.5}", "the member \"revoker\" must be a string" },
    { "{\"revoker\":false}", "the member \"revoker\" must be a string" },
    { "{\"force\":1}", "the member \"force\" must be true or false" },
    { "{\"force\":\"true\"}", "the member \"force\" must be true or false" },
    { "{\"force\":null}", "the member \"force\" must be true or false" },

    /* strings */

    { "{\"revoker\":\"12345678901234567\"}",
      "the member \"revoker\" is longer than 16 octets" },
    { "{\"revoker\":\"123456789012345\xc3\xa4\"}",
      "the member \"revoker\" is longer than 16 octets" },
    { "{\"note\":\"a\"}", "the member \"note\" is longer than 0 octets" },
    { "{\"revoker\":\"a\\u0000\"}", "the member \"revoker\" holds a NUL" },
    { "{\"revoker\":\"\xff\"}", "the text is not UTF-8" },
    { "{\"revoker\":\"\xc0\xaf\"}", "the text is not UTF-8" },
    { "{\"revoker\":\"\xc3\"}", "the text is not UTF-8" },
    { "{\"revoker\":\"\xed\xa0\x80\"}", "the text is not UTF-8" },
    { "{\"revoker\":\"\\\xff\"}", "the text is not UTF-8" },
    { "{\"revoker\":\"\\ud800\"}",
      "the text has an escape of half a surrogate pair" },
    { "{\"revoker\":\"\\uDFFF\"}",
      "the text has an escape of half a surrogate pair" },
    { "{\"revoker\":\"\\ud83d\\u0041\"}",
      "the text has an escape of half a surrogate pair" },
    { "{\"revoker\":\"\\ud83dxxxxxx\"}",
      "the text has an escape of half a surrogate pair" },
    { "{\"revoker\":\"\\ud83d\\ud83d\"}",
      "the text has an escape of half a surrogate pair" },
    { "\\ud83d", "the text has an escape of half a surrogate pair" },

    /* arrays */

    { "{\"list\":\"a\"}", "the member \"list\" must be an array of strings" },
    { "{\"list\":1}", "the member \"list\" must be an array of strings" },
    { "{\"list\":{}}", "the member \"list\" must be an array of strings" },
    { "{\"list\":[1]}", "the member \"list\" must be an array of strings" },
    { "{\"list\":[true]}", "the member \"list\" must be an array of strings"
    },
    { "{\"list\":[null]}", "the member \"list\" must be an array of strings"
    },
    { "{\"list\":[[]]}", "the member \"list\" must be an array of strings" },
    { "{\"list\":[\"a\",{}]}",
      "the member \"list\" must be an array of strings" },
    { "{\"list\":[\"abcde\"]}", "the member \"list\" is longer than 4 octets"
    },
    { "{\"list\":[\"a\\u0000\"]}", "the member \"list\" holds a NUL" },
    { "{\"list\":[\"a\",\"b\",\"c\",\"d\"]}",
      "the member \"list\" has more than 3 strings" },
    { "{\"list\":[\"a\",\"b\"],\"list\":[\"c\"]}",
      "the member \"list\" is given twice" },
    { "{\"list\":[\"a\"", NOT_JSON "parse error: premature EOF" },
    { "{\"list\":[\"a\"}", NOT_JSON "parse error: after array element, I "
      "expect ',' or ']'" },
    { "{\"revoker\":[\"a\"]}", "the member \"revoker\" must be a string" }
};


static pki_rc_t
test_read(const char *text, size_t len, pki_json_field_t *fields,
    pki_err_t *err)
{
    char         *copy;
    pki_rc_t      rc;
    pki_bytes_t   bytes;

    /* from a block of just that size, so that reading over its end shows */

    copy = malloc(len ? len : 1);

    if (copy == NULL) {
        printf("Bail out! no memory\n");
        exit(1);
    }

    memcpy(copy, text, len);
    bytes.data = (unsigned char *) copy;
    bytes.len = len;

    memcpy(fields, test_fields, sizeof(test_fields));
    memset(err, 'y', sizeof(pki_err_t));

    rc = pki_json_read(bytes, fields, TEST_FIELDS, err);

    free(copy);

    return rc;
}


static void
test_table(void)
{
    size_t              i;
    pki_rc_t            rc;
    pki_err_t           err;
    const test_case_t  *t;
    pki_json_field_t    fields[TEST_FIELDS];

    for (i = 0; i < sizeof(test_cases) / sizeof(test_cases[0]); i++) {
        t = &test_cases[i];
        rc = test_read(t->text, strlen(t->text), fields, &err);

        is_int(rc, t->error ? PKI_INVALID : PKI_OK, "text %zu", i);

        if (t->error) {
            is_str(err.text, t->error, "and why");
        }

        pki_json_free(fields, TEST_FIELDS);
    }
}


static void
test_values(void)
{
    size_t            i;
    pki_err_t         err;
    const char       *text;
    pki_json_field_t  f[TEST_FIELDS];

    static const struct {
        const char  *text;
        const char  *string;
    } strings[] = {
        { "abc", "abc" },
        { "", "" },
        { "1234567890123456", "1234567890123456" },
        { "\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t" },
        { "\\u00e4\\u20AC\\ud83d\\ude00", "\xc3\xa4\xe2\x82\xac"
          "\xf0\x9f\x98\x80" },
        { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac"
          "\xf0\x9f\x98\x80" },
        { "\\\\ud800", "\\ud800" },
        { "\x7f", "\x7f" },
        { "{}[]:,//", "{}[]:,//" }
    };

    static const struct {
        const char  *text;
        long long    integer;
    } integers[] = {
        { "0", 0 }, { "-0", 0 }, { "-1", -1 }, { "10", 10 },
        { "9223372036854775807", LLONG_MAX },
        { "-9223372036854775808", LLONG_MIN }
    };

    char  buf[128];

    for (i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        snprintf(buf, sizeof(buf), "{\"revocationReason\":1,"
                 "\"revoker\":\"%s\"}", strings[i].text);

        is_int(test_read(buf, strlen(buf), f, &err), PKI_OK,
               "string %zu is read", i);
        ok(f[1].given && f[1].seen, "and given");
        is_str(f[1].string, strings[i].string, "as it was meant");
        is_int(f[1].len, strlen(strings[i].string), "in full length");

        pki_json_free(f, TEST_FIELDS);
    }

    for (i = 0; i < sizeof(integers) / sizeof(integers[0]); i++) {
        snprintf(buf, sizeof(buf), "{\"revocationReason\":%s}",
                 integers[i].text);

        errno = ERANGE;
        is_int(test_read(buf, strlen(buf), f, &err), PKI_OK,
               "%s is read, whatever errno was", integers[i].text);
        is_int(f[0].integer, integers[i].integer, "as it is");

        pki_json_free(f, TEST_FIELDS);
    }

    text = "{\"revoker\":null,\"force\":true,\"revocationReason\":6}";

    is_int(test_read(text, strlen(text), f, &err), PKI_OK, "all together");
    ok(f[0].given && f[0].seen && f[0].integer == 6, "an integer");
    ok(!f[1].given && f[1].seen && f[1].string == NULL, "null: not given");
    ok(f[2].given && f[2].seen && f[2].integer == 1, "true is 1");
    ok(!f[3].given && !f[3].seen && f[3].string == NULL, "absent");
    pki_json_free(f, TEST_FIELDS);

    text = "{\"revocationReason\":6,\"force\":false}";

    is_int(test_read(text, strlen(text), f, &err), PKI_OK, "without any");
    ok(f[2].given && f[2].integer == 0, "false is 0");
    pki_json_free(f, TEST_FIELDS);

    text = "{\"revoker\":\"a\",\"x\":1}";

    is_int(test_read(text, strlen(text), f, &err), PKI_INVALID,
           "refused after a string");
    is_str(f[1].string, "a", "which is the field's");
    pki_json_free(f, TEST_FIELDS);
    ok(f[1].string == NULL && !f[1].given && f[1].len == 0, "until freed");
    pki_json_free(f, TEST_FIELDS);

    is_int(pki_json_read((pki_bytes_t) { (unsigned char *) "{}", 2 }, NULL, 0,
                         NULL), PKI_OK, "no members, none given");
    is_int(pki_json_read((pki_bytes_t) { (unsigned char *) "{\"a\":1}", 7 },
                         NULL, 0, NULL), PKI_INVALID, "or one given");
}


static void
test_strings(void)
{
    char              *text;
    size_t             i, len, at;
    pki_err_t          err;
    pki_bytes_t        bytes;
    const char        *list;
    pki_json_field_t   f[TEST_FIELDS], many;

    list = "{\"list\":[\"a\",\"\",\"abcd\"],\"revocationReason\":1}";

    is_int(test_read(list, strlen(list), f, &err), PKI_OK, "strings");
    is_int(f[4].integer, 3, "three");
    is_int(f[4].len, 8, "with a zero octet each");
    ok(f[4].given && memcmp(f[4].string, "a\0\0abcd", 8) == 0, "in order");
    pki_json_free(f, TEST_FIELDS);

    list = "{\"list\":[],\"revocationReason\":1}";

    is_int(test_read(list, strlen(list), f, &err), PKI_OK, "no strings");
    ok(f[4].given && f[4].integer == 0 && f[4].len == 0, "but given");
    pki_json_free(f, TEST_FIELDS);

    /* as many as a long text holds */

    text = malloc(PKI_JSON_LONG_MAX + 1);

    if (text == NULL) {
        printf("Bail out! no memory\n");
        exit(1);
    }

    memset(text, ' ', PKI_JSON_LONG_MAX + 1);
    len = snprintf(text, 16, "{\"list\":[");

    for (i = 0; i < 10000; i++) {
        len += snprintf(text + len, 64, "%s\"%040zX\"", i ? "," : "", i);
    }

    memcpy(text + len, "]}", 2);

    memset(&many, 0, sizeof(pki_json_field_t));
    many.name = "list";
    many.type = PKI_JSON_STRINGS;
    many.max = 40;
    many.items = 10000;

    bytes.data = (unsigned char *) text;
    bytes.len = PKI_JSON_LONG_MAX;

    is_int(pki_json_read(bytes, &many, 1, &err), PKI_INVALID,
           "a long text is not for everybody");
    pki_json_free(&many, 1);

    is_int(pki_json_read_long(bytes, &many, 1, &err), PKI_OK, "a long text");
    is_int(many.integer, 10000, "all strings");
    is_int(many.len, 10000 * 41, "in full");

    at = 9999 * 41;
    is_str(many.string ? many.string + at : NULL,
           "000000000000000000000000000000000000270F", "the last one");
    pki_json_free(&many, 1);

    bytes.len++;
    is_int(pki_json_read_long(bytes, &many, 1, &err), PKI_INVALID,
           "one octet more");
    is_str(err.text, "the text is too long", "is too many");
    pki_json_free(&many, 1);

    free(text);
}


static void
test_nul(void)
{
    pki_err_t         err;
    pki_json_field_t  f[TEST_FIELDS];

    is_int(test_read("{}\0", 3, f, &err), PKI_INVALID,
           "a zero octet behind the text is garbage");
    is_int(test_read("{\"revoker\":\"a\0b\"}", 17, f, &err), PKI_INVALID,
           "in a string, too");
    pki_json_free(f, TEST_FIELDS);
}


static void
test_truncated(void)
{
    size_t            n, len;
    unsigned          failed;
    pki_err_t         err;
    const char       *text;
    pki_json_field_t  f[TEST_FIELDS];

    text = "{\"revoker\":\"\\ud83d\\ude00 \xe2\x82\xac\\\\\",\"force\":false,"
           "\"revocationReason\":-10}";
    len = strlen(text);
    failed = 0;

    for (n = 0; n < len; n++) {
        failed += test_read(text, n, f, &err) != PKI_INVALID;
        pki_json_free(f, TEST_FIELDS);
    }

    is_int(failed, 0, "a text cut anywhere is refused");
    is_int(test_read(text, len, f, &err), PKI_OK, "uncut, it is read");
    pki_json_free(f, TEST_FIELDS);
}


static void
test_long(void)
{
    char             *text;
    size_t            i;
    pki_err_t         err;
    pki_json_field_t  f[TEST_FIELDS];

    text = malloc(PKI_JSON_TEXT_MAX + 1);

    if (text == NULL) {
        printf("Bail out! no memory\n");
        exit(1);
    }

    memset(text, ' ', PKI_JSON_TEXT_MAX + 1);
    memcpy(text, "{\"revocationReason\":1}", 22);

    is_int(test_read(text, PKI_JSON_TEXT_MAX, f, &err), PKI_OK,
           "the longest text");
    is_int(test_read(text, PKI_JSON_TEXT_MAX + 1, f, &err), PKI_INVALID,
           "one octet more");
    is_str(err.text, "the text is too long", "and why");

    memcpy(text, "{\"revoker\":\"", 12);

    for (i = 12; i < PKI_JSON_TEXT_MAX - 2; i += 2) {
        memcpy(text + i, "\\n", 2);
    }

    is_int(test_read(text, PKI_JSON_TEXT_MAX, f, &err), PKI_INVALID,
           "a long string that does not end");

    memcpy(text + i - 2, "\"}  ", 4);
    is_int(test_read(text, PKI_JSON_TEXT_MAX, f, &err), PKI_INVALID,
           "and one that does");
    is_str(err.text, "the member \"revoker\" is longer than 16 octets",
           "is too long");

    for (i = 0; i < PKI_JSON_TEXT_MAX; i++) {
        text[i] = '[';
    }

    is_int(test_read(text, PKI_JSON_TEXT_MAX, f, &err), PKI_INVALID,
           "nothing but brackets");

    free(text);
}


static void
test_utf8(void)
{
    size_t  i;

    static const struct {
        const char  *text;
        size_t       len;
        size_t       read;
    } cases[] = {
        { "a", 1, 1 }, { "\0", 1, 1 }, { "\x7f", 1, 1 },
        { "\x80", 1, 0 }, { "\xbf", 1, 0 }, { "\xc1\xbf", 2, 0 },
        { "\xc2\x80", 2, 2 }, { "\xc2", 1, 0 }, { "\xc2\x7f", 2, 0 },
        { "\xc2\xc0", 2, 0 }, { "\xdf\xbf", 2, 2 },
        { "\xe0\x9f\xbf", 3, 0 }, { "\xe0\xa0\x80", 3, 3 },
        { "\xe1\x80\x80", 3, 3 }, { "\xe1\x80", 2, 0 },
        { "\xe1\x80\xc0", 3, 0 }, { "\xed\x9f\xbf", 3, 3 },
        { "\xed\xa0\x80", 3, 0 }, { "\xee\x80\x80", 3, 3 },
        { "\xef\xbf\xbf", 3, 3 }, { "\xf0\x8f\xbf\xbf", 4, 0 },
        { "\xf0\x90\x80\x80", 4, 4 }, { "\xf0\x90\x80", 3, 0 },
        { "\xf4\x8f\xbf\xbf", 4, 4 }, { "\xf4\x90\x80\x80", 4, 0 },
        { "\xf4\x8f\xbf\x7f", 4, 0 }, { "\xf5\x80\x80\x80", 4, 0 },
        { "\xff", 1, 0 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(pki_json_utf8((const unsigned char *) cases[i].text,
                             cases[i].len), cases[i].read,
               "UTF-8, case %zu", i);
    }
}


/* each allocation of yajl and of ours, on a good and on a bad text */

static void
test_memory(const char *text, pki_rc_t want)
{
    long              n;
    pki_rc_t          rc;
    unsigned          failed;
    pki_err_t         err;
    pki_json_field_t  f[TEST_FIELDS];

    failed = 0;

    for (n = 1; n < 1000; n++) {
        pki_test_fail_at(n);
        rc = test_read(text, strlen(text), f, &err);
        pki_json_free(f, TEST_FIELDS);

        if (!pki_test_fail_hit()) {
            break;
        }

        failed += rc != PKI_ERROR;
        failed += strncmp(err.text, "no memory to read JSON", 22) != 0;
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
    size_t       i;
    char         text[3000];
    static char  good[] = "{\"revocationReason\":1,\"revoker\":\"a\\nb\","
                          "\"note\":\"\",\"list\":[\"a\",\"b\"]}";

    pki_test_alloc_hook();

    test_table();
    test_values();
    test_strings();
    test_nul();
    test_truncated();
    test_long();
    test_utf8();

    test_memory(good, PKI_OK);
    test_memory("{\"revoker\":\"a\",", PKI_INVALID);
    test_memory("{\"revoker\":\"a\"} x", PKI_INVALID);

    /* long enough for yajl to let its buffers grow */

    memset(text, 'a', sizeof(text));
    memcpy(text, "{\"\\n", 4);
    text[sizeof(text) - 1] = '\0';

    test_memory(text, PKI_INVALID);

    for (i = sizeof(text) - 6; i < sizeof(text) - 1; i++) {
        text[i] = "\":1} "[i - (sizeof(text) - 6)];
    }

    test_memory(text, PKI_INVALID);

    return pki_test_done();
}

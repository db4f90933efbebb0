
/*
 * Lines and the filter: what is written is read again, what is not of our
 * making is refused, and the fast way over a page finds what the slow one
 * finds.
 */

#include "pki_test.h"
#include "pki_row.h"

#include <strings.h>


#define TEST_LINES  400


static void test_write(void);
static void test_cut(void);
static void test_bad(void);
static void test_next(void);
static void test_names(void);
static void test_text(void);
static void test_match(void);
static void test_match_times(void);
static void test_find(void);
static void test_find_all(void);
static int test_holds(const char *line, const char *text);
static size_t test_page(char *page);
static pki_bytes_t test_bytes(const char *text);
static pki_row_t test_row(void);


int
main(void)
{
    test_write();
    test_cut();
    test_bad();
    test_next();
    test_names();
    test_text();
    test_match();
    test_match_times();
    test_find();
    test_find_all();

    return pki_test_done();
}


static void
test_write(void)
{
    char         line[PKI_ROW_MAX];
    size_t       len;
    pki_row_t    row, again;
    pki_bytes_t  page;

    static const char  want[] =
        "6\t10\t20\t15\t7\t7\tjamf-computer/1\tjamf-user/2\t4001\t"
        "0123456789012345678901234567890123456789\tCN=a?b\tDNS:x\t"
        "jo@x.org\tJo Do\n";

    row = test_row();
    row.subject = test_bytes("CN=a\tb");

    len = pki_row_write(&row, line);
    is_int(len, sizeof(want) - 1, "its length");
    is_mem(line, want, len, "a line");

    page.data = (unsigned char *) line;
    page.len = len;
    is_int(pki_row_next(&page, &again), PKI_OK, "is read");
    is_int(page.len, 0, "to its end");
    is_int(again.status, PKI_REASON_CERTIFICATE_HOLD, "status");
    is_int(again.not_before, 10, "not before");
    is_int(again.not_after, 20, "not after");
    is_int(again.issued, 15, "issued");
    is_int(again.source, PKI_SOURCE_API, "source");
    is_int(again.kind, PKI_KIND_JAMF_USER_ON_COMPUTER, "kind");
    is_int(again.serial.len, 2, "serial number");
    is_mem(again.serial.data, "\x40\x01", 2, "its octets");
    is_int(again.serial_text.len, 4, "its text");
    is_mem(again.serial_text.data, "4001", 4, "which is hexadecimal");
    is_int(again.thumbprint.len, 40, "thumbprint");
    is_int(again.objects[0].len, 15, "object");
    is_mem(again.objects[1].data, "jamf-user/2", 11, "second object");
    is_mem(again.subject.data, "CN=a?b", 6, "no tab in a subject");
    is_mem(again.sans.data, "DNS:x", 5, "names");
    is_mem(again.upn.data, "jo@x.org", 8, "UPN");
    is_int(again.requester.len, 5, "requester");

    memset(&row, 0, sizeof(row));
    row.status = PKI_REASON_NONE;
    row.serial.len = 1;
    row.serial.data[0] = 1;
    len = pki_row_write(&row, line);
    is_mem(line, "-\t0\t0\t0\t0\t0\t\t\t01\t\t\t\t\t\n", len, "the least");
    page.data = (unsigned char *) line;
    page.len = len;
    is_int(pki_row_next(&page, &again), PKI_OK, "is read");
    is_int(again.status, PKI_REASON_NONE, "it is not revoked");
    is_int(again.subject.len, 0, "it has no subject");

    row.status = PKI_REASON_AA_COMPROMISE;
    (void) pki_row_write(&row, line);
    is_int(line[0], 'A', "the last reason is one digit");
}


static void
test_cut(void)
{
    char         line[PKI_ROW_MAX], *text;
    size_t       len;
    pki_row_t    row, again;
    pki_bytes_t  page, all;

    text = malloc(20000);
    if (text == NULL) {
        printf("Bail out! no memory\n");
        exit(1);
    }

    memset(text, 'x', 20000);
    memcpy(text + 4096 - 2, "\xe2\x82\xac", 3);
    memcpy(text + 3072 - 1, "\xc3\xa4", 2);
    memset(text + 250, 0x80, 20);

    all.data = (unsigned char *) text;
    all.len = 20000;

    row = test_row();
    row.serial.len = PKI_SERIAL_LEN;
    row.not_before = row.not_after = row.issued = 253402300799LL;
    row.thumbprint = row.objects[0] = row.objects[1] = all;
    row.subject = row.sans = row.upn = row.requester = all;

    len = pki_row_write(&row, line);
    ok(len <= PKI_ROW_MAX, "the longest line has room: %zu", len);
    is_int(line[len - 1], '\n', "and an end");

    page.data = (unsigned char *) line;
    page.len = len;
    is_int(pki_row_next(&page, &again), PKI_OK, "is read");
    is_int(again.subject.len, 3071, "no half of two octets");
    is_int(again.sans.len, 4094, "no two thirds of three octets");
    ok(again.upn.len > 250 && again.upn.len <= 256, "what is no UTF-8");
    is_int(again.thumbprint.len, 40, "a thumbprint");
    is_int(again.objects[0].len, PKI_OBJECT_ID_SIZE - 1, "an object");

    free(text);
}


static void
test_bad(void)
{
    size_t                    i;
    char                      big[PKI_ROW_MAX + 200];
    pki_row_t                 row;
    pki_bytes_t               page;
    static const char *const  bad[] = {
        "\n", "-\n", "-\t0\t0\t0\t0\t0\t\t\t01\t\t\t\t\n",
        "-\t0\t0\t0\t0\t0\t\t\t01\t\t\t\t\t\t\n",
        "\t0\t0\t0\t0\t0\t\t\t01\t\t\t\t\t\n",
        "--\t0\t0\t0\t0\t0\t\t\t01\t\t\t\t\t\n",
        "7\t0\t0\t0\t0\t0\t\t\t01\t\t\t\t\t\n",
        "a\t0\t0\t0\t0\t0\t\t\t01\t\t\t\t\t\n",
        "B\t0\t0\t0\t0\t0\t\t\t01\t\t\t\t\t\n",
        "-\t-1\t0\t0\t0\t0\t\t\t01\t\t\t\t\t\n",
        "-\t0\t00\t0\t0\t0\t\t\t01\t\t\t\t\t\n",
        "-\t0\t0\t\t0\t0\t\t\t01\t\t\t\t\t\n",
        "-\t0\t0\t253402300800\t0\t0\t\t\t01\t\t\t\t\t\n",
        "-\t0\t0\t9999999999999\t0\t0\t\t\t01\t\t\t\t\t\n",
        "-\t0\t0\t0\t2\t0\t\t\t01\t\t\t\t\t\n",
        "-\t0\t0\t0\t16\t0\t\t\t01\t\t\t\t\t\n",
        "-\t0\t0\t0\t0\t11\t\t\t01\t\t\t\t\t\n",
        "-\t0\t0\t0\t0\tx\t\t\t01\t\t\t\t\t\n",
        "-\t0\t0\t0\t0\t0\t\t\t\t\t\t\t\t\n",
        "-\t0\t0\t0\t0\t0\t\t\t1\t\t\t\t\t\n",
        "-\t0\t0\t0\t0\t0\t\t\t00\t\t\t\t\t\n",
        "-\t0\t0\t0\t0\t0\t\t\t0g\t\t\t\t\t\n",
        "-\t0\t0\t0\t0\t0\t\t\t4a\t\t\t\t\t\n",
        "-\t0\t0\t0\t0\t0\t\t\t010203040506070809101112131415161718192021"
            "\t\t\t\t\t\n",
        "-\t0\t0\t0\t0\t0\t012345678901234567890123456789012345678901234567"
            "\t\t01\t\t\t\t\t\n"
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        page = test_bytes(bad[i]);
        is_int(pki_row_next(&page, &row), PKI_INVALID, "bad line %zu", i);
        is_int(page.len, 0, "is passed over");
    }

    memset(big, 'x', sizeof(big));
    memcpy(big, "-\t0\t0\t0\t0\t0\t\t\t01\t\t\t\t\t", 22);
    big[sizeof(big) - 1] = '\n';
    page.data = (unsigned char *) big;
    page.len = sizeof(big);
    is_int(pki_row_next(&page, &row), PKI_INVALID, "a line that is too long");
}


static void
test_next(void)
{
    int          good, bad;
    pki_rc_t     rc;
    pki_row_t    row;
    pki_bytes_t  page, none = { NULL, 0 };

    is_int(pki_row_next(&none, &row), PKI_NOT_FOUND, "no page");

    page = test_bytes("-\t0\t0\t0\t0\t0\t\t\t01\t\t\t\t\t\nno line\n"
                      "1\t0\t0\t0\t0\t0\t\t\t02\t\t\t\t\tx\n"
                      "1\t0\t0\t0\t0\t0\t\t\t02\t\t\t\t\thalf");

    for (good = 0, bad = 0;
         (rc = pki_row_next(&page, &row)) != PKI_NOT_FOUND;
         /* void */)
    {
        good += rc == PKI_OK;
        bad += rc == PKI_INVALID;
    }

    is_int(good, 2, "two lines");
    is_int(bad, 1, "and one that is none");
    is_int(row.status, PKI_REASON_KEY_COMPROMISE, "the last");
    is_int(pki_row_next(&page, &row), PKI_NOT_FOUND, "it stays at its end");
}


static void
test_names(void)
{
    size_t  i;

    static const struct {
        const char  *text;
        unsigned     sources;
    } names[] = {
        { "0", 0x001 }, { "1", 0x002 }, { "9", 0x002 }, { "10", 0x400 },
        { "11", 0x800 }, { "2", 0 }, { "12", 0 }, { "16", 0 }, { "-1", 0 },
        { "01", 0 }, { "", 0 }, { "api", 0x080 }, { "STATICAAD", 0x010 },
        { "staticaadx", 0 }, { "rest", 0x180 }, { "Scep", 0x07a },
        { "SCEP (generic)", 0x058 }, { "scep (jamf)", 0x020 },
        { "Certificate Master", 0x001 }, { "CertificateMaster", 0x001 },
        { "Import", 0x800 }
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        is_int(pki_row_sources(names[i].text, strlen(names[i].text)),
               names[i].sources, "source \"%s\"", names[i].text);
    }

    is_str(pki_row_source_name(PKI_SOURCE_RADIUS_API), "RadiusAPI", "a name");
    ok(pki_row_source_name(9) == NULL, "one that is never written");
    ok(pki_row_source_name(PKI_ROW_SOURCES) == NULL, "too many");

    is_str(pki_row_type_name(PKI_KIND_DEVICE), "Device", "Device");
    is_str(pki_row_type_name(PKI_KIND_STATIC), "Static", "Static");
    is_str(pki_row_type_name(PKI_KIND_DOMAIN_CONTROLLER), "DC", "DC");
    is_str(pki_row_type_name(PKI_KIND_JAMF_USER_ON_DEVICE), "User", "User");
    is_int(pki_row_type(PKI_KIND_AD_USER), PKI_TYPE_USER, "the last kind");
}


static void
test_text(void)
{
    char          text[PKI_ROW_TEXT_MAX + 2];
    pki_filter_t  filter;

    memset(text, 'X', sizeof(text));
    memset(&filter, 0, sizeof(filter));

    is_int(pki_filter_text(&filter, text, PKI_ROW_TEXT_MAX), PKI_OK,
           "the longest text");
    is_int(filter.len, PKI_ROW_TEXT_MAX, "is whole");
    is_int(filter.text[0], 'x', "and folded");
    is_int(pki_filter_text(&filter, text, PKI_ROW_TEXT_MAX + 1), PKI_INVALID,
           "one more");
    is_int(pki_filter_text(&filter, "a\tb", 3), PKI_INVALID, "a tab");
    is_int(pki_filter_text(&filter, "a\x7f", 2), PKI_INVALID, "DEL");
    is_int(pki_filter_text(&filter, "a\0b", 3), PKI_INVALID, "a zero");
    is_int(pki_filter_text(&filter, "", 0), PKI_OK, "none");
    is_int(filter.len, 0, "so none is looked for");

    is_int(pki_filter_text(&filter, "a4@7", 4), PKI_OK, "a text");
    is_int(filter.rare[0], 2, "its rarest character");
}


static void
test_match(void)
{
    size_t        i;
    pki_row_t     row;
    pki_filter_t  filter;

    static const struct {
        const char  *text;
        int          yes;
    } texts[] = {
        { "4001", 1 }, { "0123456789", 1 }, { "cn=A", 1 }, { "dns:X", 1 },
        { "JO@", 1 }, { "jo do", 1 }, { "jamf", 0 }, { "15", 0 },
        { "CN=ax", 0 }, { "@", 1 }, { "o D", 1 }, { "z", 0 }
    };

    row = test_row();

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        memset(&filter, 0, sizeof(filter));
        (void) pki_filter_text(&filter, texts[i].text,
                               strlen(texts[i].text));
        is_int(pki_filter_match(&filter, &row, 12), texts[i].yes,
               "text \"%s\"", texts[i].text);
    }

    memset(&filter, 0, sizeof(filter));
    ok(pki_filter_match(&filter, &row, 12), "no filter");

    filter.types = PKI_TYPE_USER | PKI_TYPE_DC;
    ok(pki_filter_match(&filter, &row, 12), "its type");
    filter.types = PKI_TYPE_DEVICE;
    ok(!pki_filter_match(&filter, &row, 12), "another");

    filter.types = 0;
    filter.sources = pki_row_sources("REST", 4);
    ok(pki_filter_match(&filter, &row, 12), "its source");
    filter.sources = pki_row_sources("SCEP", 4);
    ok(!pki_filter_match(&filter, &row, 12), "another");

    filter.sources = 0;
    strcpy(filter.object, "jamf-user/2");
    ok(pki_filter_match(&filter, &row, 12), "its second object");
    strcpy(filter.object, "jamf-user/22");
    ok(!pki_filter_match(&filter, &row, 12), "another");
    strcpy(filter.object, "jamf-user/");
    ok(!pki_filter_match(&filter, &row, 12), "half of it");

    filter.object[0] = '\0';
    strcpy(filter.upn, "JO@X.ORG");
    ok(pki_filter_match(&filter, &row, 12), "its UPN in any case");
    strcpy(filter.upn, "o@x.org");
    ok(!pki_filter_match(&filter, &row, 12), "a part of it");

    filter.upn[0] = '\0';
    strcpy(filter.thumbprint, "0123456789012345678901234567890123456789");
    ok(pki_filter_match(&filter, &row, 12), "its thumbprint");
    filter.thumbprint[39] = 'A';
    ok(!pki_filter_match(&filter, &row, 12), "another");
}


static void
test_match_times(void)
{
    pki_row_t     row;
    pki_filter_t  filter;

    row = test_row();
    memset(&filter, 0, sizeof(filter));

    filter.validity = PKI_VALIDITY_REVOKED;
    ok(pki_filter_match(&filter, &row, 12), "revoked by hand");
    filter.validity = PKI_VALIDITY_ACTIVE;
    ok(!pki_filter_match(&filter, &row, 12), "so it is not active");

    row.status = PKI_REASON_NONE;
    ok(pki_filter_match(&filter, &row, 20), "active in its last second");
    ok(!pki_filter_match(&filter, &row, 21), "then no more");
    filter.validity = PKI_VALIDITY_EXPIRED;
    ok(pki_filter_match(&filter, &row, 21), "but expired");
    ok(!pki_filter_match(&filter, &row, 20), "and not before");
    filter.validity = PKI_VALIDITY_REVOKED;
    ok(!pki_filter_match(&filter, &row, 21), "not revoked");

    filter.validity = PKI_VALIDITY_ANY;
    filter.issued_after = 15;
    ok(pki_filter_match(&filter, &row, 12), "issued after, inclusive");
    filter.issued_after = 16;
    ok(!pki_filter_match(&filter, &row, 12), "issued earlier");
    filter.issued_after = 0;
    filter.issued_before = 15;
    ok(!pki_filter_match(&filter, &row, 12), "issued before, exclusive");
    filter.issued_before = 16;
    ok(pki_filter_match(&filter, &row, 12), "issued later");
    filter.issued_before = 0;
    filter.expires_after = 21;
    ok(!pki_filter_match(&filter, &row, 12), "expires earlier");
    filter.expires_after = 20;
    filter.expires_before = 21;
    ok(pki_filter_match(&filter, &row, 12), "expires between");
    filter.expires_before = 20;
    ok(!pki_filter_match(&filter, &row, 12), "expires later");
}


static void
test_find(void)
{
    size_t        second;
    pki_bytes_t   page, none = { NULL, 0 };
    pki_filter_t  filter;

    page = test_bytes("-\t1234\t0\t0\t0\t0\tdevice/z\t\t01\t\tCN=a\t\t\t\n"
                      "-\t0\t0\t0\t0\t0\t\t\t02\t\tCN=1234,O=Zoo\t\t\tq\n");
    second = (size_t) (strchr((char *) page.data, '\n')
                       - (char *) page.data) + 1;

    memset(&filter, 0, sizeof(filter));
    is_int(pki_filter_find(&filter, page, 0), 0, "no text: the first line");
    is_int(pki_filter_find(&filter, page, second), second, "the second");
    is_int(pki_filter_find(&filter, page, page.len), page.len, "the end");
    is_int(pki_filter_find(&filter, none, 0), 0, "no page");

    (void) pki_filter_text(&filter, "1234", 4);
    is_int(pki_filter_find(&filter, page, 0), second,
           "not in a time, but in a subject");
    is_int(pki_filter_find(&filter, none, 0), 0, "no page");

    (void) pki_filter_text(&filter, "Z", 1);
    is_int(pki_filter_find(&filter, page, 0), second, "not in an object");

    (void) pki_filter_text(&filter, "q", 1);
    is_int(pki_filter_find(&filter, page, 0), second, "the last octet");
    (void) pki_filter_text(&filter, "qq", 2);
    is_int(pki_filter_find(&filter, page, 0), page.len, "no more than it");

    (void) pki_filter_text(&filter, "cn=A", 4);
    is_int(pki_filter_find(&filter, page, 0), 0, "in the first");
    is_int(pki_filter_find(&filter, page, second), page.len, "once");

    (void) pki_filter_text(&filter, "[n=a", 4);
    is_int(pki_filter_find(&filter, page, 0), page.len,
           "a case is that of a letter");
}


/* Texts of all lengths and positions, against the plain way. */

static void
test_find_all(void)
{
    char           text[24], *page, *line, *end;
    size_t         len, at, n, found, wrong, total;
    unsigned       i, k, seed;
    pki_bytes_t    bytes;
    pki_filter_t   filter;

    page = malloc(TEST_LINES * 200);
    if (page == NULL) {
        printf("Bail out! no memory\n");
        exit(1);
    }

    bytes.data = (unsigned char *) page;
    bytes.len = test_page(page);
    wrong = 0;
    total = 0;
    seed = 7;

    for (i = 0; i < 400; i++) {
        n = 1 + i % (sizeof(text) - 1);
        seed = seed * 1103515245 + 12345;
        at = seed % (bytes.len - n);

        for (k = 0; k < n; k++) {
            text[k] = page[at + k];

            if (text[k] == '\t' || text[k] == '\n') {
                break;
            }
        }

        text[k] = '\0';

        if (k > 2 && i % 3 == 0) {
            text[k - 1] ^= 1;
        }

        memset(&filter, 0, sizeof(filter));

        if (k == 0 || pki_filter_text(&filter, text, k) != PKI_OK) {
            continue;
        }

        found = pki_filter_find(&filter, bytes, 0);

        for (line = page; line < page + bytes.len; line = end + 1) {
            end = strchr(line, '\n');
            *end = '\0';
            len = (size_t) (line - page);

            if (test_holds(line, text)) {
                wrong += found != len;
                total++;
                found = pki_filter_find(&filter, bytes,
                                        (size_t) (end + 1 - page));
            }

            *end = '\n';
        }

        wrong += found != bytes.len;
    }

    is_int(wrong, 0, "the fast way finds what the slow one finds");
    ok(total > 1000, "which is something: %zu", total);

    free(page);
}


static int
test_holds(const char *line, const char *text)
{
    int     tabs;
    size_t  len;

    for (tabs = 0; tabs < 8; line++) {
        tabs += *line == '\t';
    }

    len = strlen(text);

    for ( /* void */ ; strlen(line) >= len; line++) {
        if (strncasecmp(line, text, len) == 0) {
            return 1;
        }
    }

    return 0;
}


static size_t
test_page(char *page)
{
    char       cn[64], line[PKI_ROW_MAX];
    size_t     len, n;
    unsigned   i;
    pki_row_t  row;

    row = test_row();
    len = 0;

    for (i = 0; i < TEST_LINES; i++) {
        row.serial.data[1] = (unsigned char) i;
        row.issued = 1000 + i;
        (void) snprintf(cn, sizeof(cn), "CN=Host-%u%s,O=%.*s", i * 7919 % 1000,
                        i % 3 ? "" : ".Example.COM", (int) (i % 17),
                        "AbCdEfGh\xc3\xa4\xc3\xb6klMn");
        row.subject = test_bytes(cn);

        n = pki_row_write(&row, line);
        memcpy(page + len, line, n);
        len += n;
    }

    page[len] = '\0';

    return len;
}


static pki_bytes_t
test_bytes(const char *text)
{
    pki_bytes_t  bytes;

    bytes.data = (const unsigned char *) text;
    bytes.len = strlen(text);

    return bytes;
}


static pki_row_t
test_row(void)
{
    pki_row_t  row;

    memset(&row, 0, sizeof(row));

    row.status = PKI_REASON_CERTIFICATE_HOLD;
    row.not_before = 10;
    row.not_after = 20;
    row.issued = 15;
    row.source = PKI_SOURCE_API;
    row.kind = PKI_KIND_JAMF_USER_ON_COMPUTER;
    row.serial.len = 2;
    row.serial.data[0] = 0x40;
    row.serial.data[1] = 0x01;
    row.serial_text = test_bytes("4001");
    row.objects[0] = test_bytes("jamf-computer/1");
    row.objects[1] = test_bytes("jamf-user/2");
    row.thumbprint = test_bytes("0123456789012345678901234567890123456789");
    row.subject = test_bytes("CN=a");
    row.sans = test_bytes("DNS:x");
    row.upn = test_bytes("jo@x.org");
    row.requester = test_bytes("Jo Do");

    return row;
}

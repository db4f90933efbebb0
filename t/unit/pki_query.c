
/*
 * pki_query.c: each parameter, each way to miss it; tokens there and back,
 * cut, changed and beside other parameters; the orders of rows.
 */

#include "pki_test.h"

#include "pki_query.h"


#define TEST_HEX   "000102030405060708090A0B0C0D0E0F10111213"
#define TEST_GUID  "01234567-89ab-cdef-0123-456789abcdef"


static pki_query_t  test_q;
static pki_err_t    test_err;


/* from a block of just that size, so that reading over its end shows */

static pki_rc_t
test_read_bytes(const char *args, size_t len, pki_query_t *q)
{
    pki_rc_t        rc;
    pki_bytes_t     bytes;
    unsigned char  *copy;

    copy = malloc(len ? len : 1);

    if (copy == NULL) {
        printf("Bail out! no memory\n");
        exit(1);
    }

    memcpy(copy, args, len);
    bytes.data = copy;
    bytes.len = len;
    test_err.text[0] = '\0';

    rc = pki_query_read(bytes, q, &test_err);

    free(copy);

    return rc;
}


static pki_rc_t
test_read(const char *args)
{
    return test_read_bytes(args, strlen(args), &test_q);
}


static void
test_good(const char *args)
{
    is_int(test_read(args), PKI_OK, "read: %.60s", args);
}


static void
test_bad(const char *args, const char *says)
{
    is_int(test_read(args), PKI_INVALID, "refused: %.60s", args);
    ok(strstr(test_err.text, says) != NULL, "saying %s: %s", says,
       test_err.text);
}


static void
test_defaults(void)
{
    static const char  *const empty[] = {
        "", "&", "&&&", "searchText=", "SearchText=&PageSize=&", "pageSize",
        "Sources=&Sources="
    };

    unsigned  i;

    for (i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        test_good(empty[i]);
        is_int(test_q.size, 50, "a page of 50");
        is_int(test_q.seen, 0, "nothing was said");
        is_int(test_q.filter.len, 0, "any text");
        is_int(test_q.after.set, 0, "from the beginning");
        ok(!(pki_query_fields(&test_q) & 1u << PKI_FIELD_EFFECTIVE),
           "all fields but the one that costs");
    }
}


static void
test_scepman(void)
{
    test_good("SearchText=Ann+B%C3%A9rg&PageSize=500&CertValidity=active"
              "&CertType=DEVICE");
    is_str(test_q.filter.text, "ann b\xc3\xa9rg", "folded, decoded");
    is_int(test_q.size, 500, "500 rows");
    is_int(test_q.filter.validity, PKI_VALIDITY_ACTIVE, "active");
    is_int(test_q.filter.types, PKI_TYPE_DEVICE, "devices");

    test_good("searchtext=a%26b%3dc&PAGESIZE=1&certvalidity=Any&certtype=any"
              "&sources=3&Sources=Jamf&SOURCES=4");
    is_str(test_q.filter.text, "a&b=c", "escapes");
    is_int(test_q.filter.sources, 1 << 3 | 1 << 4 | 1 << 5, "sources");
    is_int(test_q.filter.types, 0, "any type");
    is_int(test_q.filter.validity, PKI_VALIDITY_ANY, "any validity");

    test_good("certSource=SCEP+%28Jamf%29&certValidity=Revoked");
    is_int(test_q.filter.sources, 1 << PKI_SOURCE_JAMF, "a group");
    is_int(test_q.filter.validity, PKI_VALIDITY_REVOKED, "revoked");

    test_good("certSource=rest&certValidity=Valid");
    ok(test_q.filter.sources & 1 << PKI_SOURCE_API, "REST");
    is_int(test_q.filter.validity, PKI_VALIDITY_ACTIVE, "valid is active");

    test_bad("PageSize=0", "\"pageSize\"");
    test_bad("PageSize=501", "1 to 500");
    test_bad("PageSize=-1", "1 to 500");
    test_bad("PageSize=50x", "1 to 500");
    test_bad("PageSize=99999999999999999999999", "1 to 500");
    test_bad("CertValidity=maybe", "Expired");
    test_bad("CertType=Toaster", "Device");
    test_bad("Sources=99", "source");
}


static void
test_ours(void)
{
    test_good("sort=-expires&issuedAfter=2026-01-31&issuedBefore="
              "2026-02-01T00:00:00Z&expiresAfter=1970-01-02"
              "&expiresBefore=1960-01-01");
    is_int(test_q.sort, PKI_QUERY_EXPIRES, "by their ends");
    is_int(test_q.descending, 1, "the last first");
    is_int(test_q.filter.issued_after, 1769817600, "a date");
    is_int(test_q.filter.issued_before, 1769904000, "a time");
    is_int(test_q.filter.expires_after, 86400, "1970");
    is_int(test_q.filter.expires_before, 1, "before 1970: nothing is");

    test_good("sort=serial&issuer=demo&upn=Ann%40Example.com&format=CSV"
              "&effective=HOLD&fields=serialNumber,SUBJECT,effective");
    is_str(test_q.issuer, "demo", "an issuer");
    is_str(test_q.filter.upn, "Ann@Example.com", "a user");
    is_int(test_q.format, PKI_QUERY_CSV, "CSV");
    is_int(test_q.effective, 1 << PKI_OUTCOME_HOLD, "on hold");
    is_int(pki_query_fields(&test_q), 1 << PKI_FIELD_SERIAL
           | 1 << PKI_FIELD_SUBJECT | 1 << PKI_FIELD_EFFECTIVE, "fields");

    test_good("effective=trylater");
    ok(pki_query_fields(&test_q) & 1u << PKI_FIELD_EFFECTIVE,
       "what is asked for is shown");

    test_bad("sort=colour", "issued");
    test_bad("sort=-", "issued");
    test_bad("issuedAfter=yesterday", "RFC 3339");
    test_bad("issuedAfter=2026-02-30", "RFC 3339");
    test_bad("issuedAfter=2026-01-01T00:00:00+02:00", "RFC 3339");
    test_good("issuedAfter=2026-01-01T00:00:00%2B02:00");
    test_bad("fields=serialNumber,", "fields");
    test_bad("fields=serialNumber,nothing", "fields");
    test_bad("format=xml", "json");
    test_bad("effective=unknown", "good");
    test_bad("issuer=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
             "aaaaaaaaa", "issuer");
}


static void
test_keys(void)
{
    test_good("thumbprint=" TEST_HEX);
    is_str(test_q.thumbprint, TEST_HEX, "a thumbprint");

    test_good("searchText=00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:"
              "10:11:12:13");
    is_str(test_q.exact, TEST_HEX, "a serial number with colons");
    is_str(test_q.filter.text, "000102030405060708090a0b0c0d0e0f10111213",
           "is also looked for, without them");

    test_good("searchText=00:01:02:03:04:05");
    is_str(test_q.exact, "", "the address of a device is a text");
    is_str(test_q.filter.text, "00:01:02:03:04:05", "with its colons");

    test_good("searchText=" TEST_HEX "1");
    is_str(test_q.exact, "", "one digit more is a text");

    test_good("object=Device/01234567-89AB-CDEF-0123-456789ABCDEF");
    is_str(test_q.object, "device/" TEST_GUID, "as the store writes it");

    test_good("objectId=" TEST_GUID);
    is_str(test_q.object, TEST_GUID, "only a GUID");

    test_good("object=jamf-computer/17");
    is_str(test_q.object, "jamf-computer/17", "a number");

    test_bad("thumbprint=0001", "SHA-1");
    test_bad("thumbprint=" TEST_HEX "14", "SHA-1");
    test_bad("thumbprint=zz0102030405060708090A0B0C0D0E0F10111213", "SHA-1");
    test_bad("object=17", "GUID");
    test_bad("object=device/", "GUID");
    test_bad("object=device/17", "GUID");
    test_bad("object=jamf-user/", "GUID");
    test_bad("object=jamf-user/017", "GUID");
    test_bad("object=jamf-user/1x", "GUID");
    test_bad("object=jamf-user/111111111111111111111111111111111111111111",
             "GUID");
    test_bad("object=toaster/" TEST_GUID, "GUID");
    test_bad("object=" TEST_GUID "&objectId=" TEST_GUID, "twice");
}


static void
test_form(void)
{
    char    args[4000];
    size_t  i;

    test_bad("colour=red", "\"colour\"");
    test_bad("colour", "\"colour\"");
    test_bad("=1", "\"\"");
    test_bad("col%0aour=red", "\"col?our\"");
    test_bad("searchText=a&SearchText=b", "twice");
    test_bad("searchText=%", "\"%\"");
    test_bad("searchText=%4", "\"%\"");
    test_bad("searchText=%4g", "\"%\"");
    test_bad("searchText=%00", "NUL");
    test_bad("searchText=%0a", "control");
    test_bad("searchText=%ff", "UTF-8");
    test_bad("searchText=%c3", "UTF-8");
    test_bad("upn=a%09b", "control");

    memset(args, 'a', sizeof(args));
    memcpy(args, "searchText=", 11);
    args[11 + 256] = '\0';
    test_good(args);
    is_int(test_q.filter.len, 256, "the longest text");
    args[11 + 256] = 'a';
    args[11 + 257] = '\0';
    test_bad(args, "256");

    /* more than a token may carry */

    for (i = 0; i + 10 < sizeof(args); i += 10) {
        memcpy(args + i, "Sources=3&", 11);
    }

    test_bad(args, "too long");
}


/* a token, and what comes of it */

static char  test_token[PKI_QUERY_TOKEN_MAX + 1];
static char  test_args[PKI_QUERY_TOKEN_MAX + 300];


static void
test_continue(const char *more)
{
    (void) snprintf(test_args, sizeof(test_args), "ContinuationToken=%s%s",
                    test_token, more);
}


static void
test_book(void)
{
    size_t                len, i;
    pki_query_t           q;
    pki_query_position_t  after;

    test_good("SearchText=Ann+B&certType=User&pageSize=7&Sources=3&"
              "Sources=4");
    q = test_q;

    memset(&after, 0, sizeof(after));
    after.set = 1;
    strcpy(after.issuer, "demo");
    after.page = 18446744073709ULL;
    after.offset = 65535;

    len = pki_query_token(&q, &after, test_token);
    ok(len > 0 && len == strlen(test_token), "a token");
    is_int(strspn(test_token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr"
                  "stuvwxyz0123456789-_"), len, "that needs no escapes");

    test_continue("");
    test_good(test_args);
    is_int(test_q.after.set, 1, "is a position");
    is_int(test_q.after.sorted, 0, "in the book");
    is_str(test_q.after.issuer, "demo", "of the issuer");
    is_int(test_q.after.page, 18446744073709LL, "the page");
    is_int(test_q.after.offset, 65535, "the offset");
    is_int(test_q.size, 7, "the size of a page");
    is_mem(&test_q.filter, &q.filter, sizeof(q.filter), "the filter");
    is_int(pki_query_token(&test_q, &after, test_args), len,
           "and leads to itself");
    is_str(test_args, test_token, "octet for octet");

    test_continue("&pageSize=9");
    test_good(test_args);
    is_int(test_q.size, 9, "another size is fine");

    test_continue("&searchtext=ann%20b&CERTTYPE=user&sources=4&Sources=3");
    test_good(test_args);

    test_continue("&searchText=ann");
    test_bad(test_args, "\"searchText\"");
    test_continue("&certValidity=Any");
    test_bad(test_args, "\"certValidity\"");
    test_continue("&Sources=3");
    test_bad(test_args, "\"sources\"");
    test_continue("&ContinuationToken=x");
    test_bad(test_args, "twice");

    for (i = 0; i < len; i++) {
        char  c = test_token[i];

        test_token[i] = '\0';
        test_continue("");
        (void) test_read(test_args);    /* may be one; must not crash */
        test_token[i] = c == '.' ? ',' : '.';
        test_continue("");
        test_bad(test_args, "not one of ours");
        test_token[i] = c;
    }
}


static void
test_forged(void)
{
    static const char  *const heads[] = {
        "1\tn\t7\tdemo\t0\t0\n", "1\tn\t7\tdemo\t1\t99999999\n",
        "1\tn\t0\tdemo\t1\t0\n", "1\tn\t501\tdemo\t1\t0\n",
        "1\tn\t7\t\t1\t0\n", "2\tn\t7\tdemo\t1\t0\n", "1\tn\t7\tdemo\t1\n",
        "1\tn\t7\tdemo\t1\t0\t\n", "1\tn\t7\tdemo\t01\t0\n",
        "1\tn\t7\tdemo\t-1\t0\n", "1\tn\t7\tdemo\t1\t0",
        "1\ts\t7\tdemo\tAB\t1\tk\n", "1\ts\t7\tdemo\t\t1\tk\nsort=serial",
        "1\ts\t7\tdemo\tAB\t9999999999999999999\tk\nsort=serial",
        "1\tn\t7\tdemo\t1\t0\nsort=serial", "1\tn\t7\tdemo\t1\t0\ncolour=1",
        "1\tn\t7\tdemo\t1\t0\npageSize=1", "1\tx\t7\tdemo\t1\t0\n",
        "1\tn\t7\tdemo\t1\t0\ncontinuationToken=MQ",
        ("1\tn\t7\tdemo\t1\t0\nthumbprint=" TEST_HEX), "\n", ""
    };

    static const char  base[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq"
                                "rstuvwxyz0123456789-_";

    size_t    i, k, n, bits;
    unsigned  buffer;

    for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {

        n = 0;
        bits = 0;
        buffer = 0;

        for (k = 0; heads[i][k]; k++) {
            buffer = buffer << 8 | (unsigned char) heads[i][k];

            for (bits += 8; bits >= 6; bits -= 6) {
                test_token[n++] = base[buffer >> (bits - 6) & 0x3f];
            }
        }

        if (bits) {
            test_token[n++] = base[buffer << (6 - bits) & 0x3f];
        }

        test_token[n] = '\0';
        test_continue("");

        if (n == 0) {
            test_good(test_args);
            is_int(test_q.after.set, 0, "an empty one is none");
            continue;
        }

        test_bad(test_args, "not one of ours");
    }
}


static pki_query_position_t
test_place(const pki_query_t *q, const char *serial, const char *subject,
    time_t issued, time_t ends)
{
    pki_row_t             row;
    pki_query_position_t  place;

    memset(&row, 0, sizeof(row));
    (void) pki_serial_from_text(serial, strlen(serial), &row.serial);
    row.subject.data = (const unsigned char *) subject;
    row.subject.len = strlen(subject);
    row.issued = issued;
    row.not_after = ends;

    pki_query_place(q, &row, "demo", &place);

    return place;
}


static void
test_orders(void)
{
    static const struct {
        const char  *args;
        int          first;         /* is a before b? */
    } orders[] = {
        { "sort=issued", 1 }, { "sort=-issued", 0 }, { "object=" TEST_GUID, 0 },
        { "sort=expires", 0 }, { "sort=-expires", 1 },
        { "sort=subject", 1 }, { "sort=-subject", 0 },
        { "sort=serial", 0 }, { "sort=-serial", 1 }
    };

    int                   n;
    char                  subject[200];
    unsigned              i;
    pki_query_t           q;
    pki_query_position_t  a, b;

    for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        test_good(orders[i].args);
        q = test_q;

        a = test_place(&q, "0100", "CN=ann", 1000, 2000);
        b = test_place(&q, "AA", "CN=Bob", 1001, 1999);
        n = pki_query_compare(&q, &a, &b);

        is_int(n < 0, orders[i].first, "order of %s", orders[i].args);
        is_int(pki_query_compare(&q, &b, &a) < 0, !orders[i].first,
               "and the other way round");
        is_int(pki_query_compare(&q, &a, &a), 0, "alike");

        b = test_place(&q, "0101", "CN=ANN", 1000, 2000);
        n = pki_query_compare(&q, &a, &b);
        ok(n != 0 && (n < 0) == (pki_query_compare(&q, &b, &a) > 0),
           "rows that are alike in it have an order too");

        ok(pki_query_token(&q, &b, test_token) > 0, "a token of it");
        test_continue("");
        test_good(test_args);
        is_int(test_q.after.sorted, 1, "a place in the order");
        is_int(pki_query_compare(&q, &test_q.after, &b), 0, "that one");
    }

    test_good("sort=subject");
    q = test_q;
    memset(subject, 'x', sizeof(subject));
    memcpy(subject, "CN=%&\xc3\xa9", 7);
    subject[sizeof(subject) - 1] = '\0';

    a = test_place(&q, "AA", subject, 1, 1);
    ok(pki_query_token(&q, &a, test_token) > 0, "a long subject");
    test_continue("");
    test_good(test_args);
    is_int(pki_query_compare(&q, &test_q.after, &a), 0, "in a token");
}


static void
test_names(void)
{
    unsigned  field;

    for (field = 0; field < PKI_FIELD_N; field++) {
        ok(pki_query_field_name(field) != NULL, "a name: %s",
           pki_query_field_name(field));
    }

    ok(pki_query_field_name(PKI_FIELD_N) == NULL, "no more");
}


int
main(void)
{
    test_defaults();
    test_scepman();
    test_ours();
    test_keys();
    test_form();
    test_book();
    test_forged();
    test_orders();
    test_names();

    return pki_test_done();
}

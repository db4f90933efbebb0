
/*
 * The book, against a Redis of the test's own: what a record leaves behind,
 * key by key, pages that fill, what is found again, and what is refused.
 */

#include "pki_test_store.h"
#include "pki_book.h"


#define TEST_VALUES  (6 * PKI_BOOK_SERIALS)


typedef struct {
    int                 calls;
    pki_store_result_t  result;
    size_t              n;
    unsigned long long  next;
    size_t              len[TEST_VALUES];
    char                text[TEST_TEXT];    /* all values, a '|' behind each */
    char                error[300];
} test_values_t;


static void test_reserve(void);
static void test_record(void);
static void test_record_again(void);
static void test_record_revoked(void);
static void test_record_old(void);
static void test_pages(void);
static void test_rows(void);
static void test_objects(void);
static void test_revoked(void);
static void test_history(void);
static void test_history_is(unsigned char serial, unsigned long long from,
    const char *want);
static void test_refused(void);
static void test_refused_record(void);
static void test_wrong_type(void);

static pki_row_t test_row(unsigned char serial);
static pki_bytes_t test_bytes(const char *text);
static void test_book(test_got_t *got, unsigned char serial);
static void test_entry(test_got_t *got, const pki_row_t *row,
    const char *der);
static void test_wait(int *calls);
static void test_values(void *data, pki_store_result_t result,
    const pki_bytes_t *values, size_t n, unsigned long long next,
    const char *error);


int
main(void)
{
    test_start();

    test_reserve();
    test_record();
    test_record_again();
    test_record_revoked();
    test_record_old();
    test_rows();
    test_objects();
    test_revoked();
    test_history();
    test_pages();
    test_refused();
    test_refused_record();
    test_wrong_type();

    test_stop();

    return pki_test_done();
}


static void
test_reserve(void)
{
    test_got_t    got;
    pki_serial_t  sn;
    redisReply   *reply;

    memset(&got, 0, sizeof(got));
    sn = test_serial(1);

    pki_book_reserve(test_transport, "ca", &sn, 60, test_done, &got);
    test_wait(&got.calls);
    is_int(got.result, PKI_STORE_DONE, "reserved");

    reply = test_redis("TTL pki:{ca}:serial:4001");
    ok(reply->integer > 50 && reply->integer <= 60, "for its time");
    freeReplyObject(reply);

    got.calls = 0;
    pki_book_reserve(test_transport, "ca", &sn, 60, test_done, &got);
    test_wait(&got.calls);
    is_int(got.result, PKI_STORE_CONFLICT, "reserved before");

    got.calls = 0;
    pki_book_reserve(test_transport, "other", &sn, 60, test_done, &got);
    test_wait(&got.calls);
    is_int(got.result, PKI_STORE_DONE, "but not by another issuer");

    test_revoke(&got, 9, PKI_REASON_SUPERSEDED, 500, 1);
    test_news("cert:ca:4009");
    got.calls = 0;
    sn = test_serial(9);
    pki_book_reserve(test_transport, "ca", &sn, 60, test_done, &got);
    test_wait(&got.calls);
    is_int(got.result, PKI_STORE_CONFLICT, "a revoked one");
    test_news(NULL);
}


/* Each key that a record leaves behind. */

static void
test_record(void)
{
    char          want[128];
    test_got_t    got;
    pki_row_t     row;
    redisReply   *reply, *fields;

    static const char  sha1[] = "\x01\x23\x45\x67\x89\x01\x23\x45\x67\x89"
                                "\x01\x23\x45\x67\x89\x01\x23\x45\x67\x01";

    row = test_row(1);

    test_entry(&got, &row, "DER");
    is_int(got.result, PKI_STORE_DONE, "recorded");
    is_int(got.n, 1, "one");
    test_news("cert:ca:4001");
    test_news(NULL);

    reply = test_redis("GET pki:{ca}:page:1");
    ok(strcmp(reply->str, "-\t10\t20\t15\t7\t7\tjamf-computer/1\tjamf-user/2"
              "\t4001\t0123456789012345678901234567890123456701\tCN=1\tDNS:x"
              "\tjo@x.org\tJo Do\n") == 0, "its line is in the page");
    freeReplyObject(reply);

    test_string("1", "HGET pki:{ca}:book newest");
    test_string("DER", "GET pki:{ca}:der:4001");

    reply = test_redis("HGET pki:{ca}:thumb %s", sha1);
    ok(reply->type == REDIS_REPLY_STRING && reply->len == PKI_SERIAL_LEN
       && memcmp(reply->str, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x40\x01",
                 PKI_SERIAL_LEN) == 0, "the thumbprint leads to it");
    freeReplyObject(reply);

    reply = test_redis("HSTRLEN pki:{ca}:bound jamf-user/2");
    is_int(reply->integer, PKI_SERIAL_LEN, "and its second object");
    freeReplyObject(reply);
    reply = test_redis("EXISTS pki:{ca}:serial:4001 pki:{ca}:history:4001");
    is_int(reply->integer, 0, "no reservation is left, no list is begun");
    freeReplyObject(reply);

    reply = test_redis("XREVRANGE pki:{ca}:audit + - COUNT 1");
    fields = reply->element[0]->element[1];
    is_str(fields->element[1]->str, "issue", "the action");
    is_str(fields->element[3]->str, "4001", "of the certificate");
    is_str(fields->element[5]->str, "", "for no reason");
    is_str(fields->element[7]->str, "Jo", "by whom");
    is_str(fields->element[13]->str, "1000", "when");

    (void) snprintf(want, sizeof(want), "2 10 20 API 1 0 115 %s Jo Do",
                    reply->element[0]->element[0]->str);
    test_string(want, "GET pki:{ca}:cert:4001");
    freeReplyObject(reply);

    test_find(&got, 1);
    is_int(got.found.facts.recorded, 1, "found");
    is_int(got.found.record.length, 115, "with its line");

    test_string("-", "GETRANGE pki:{ca}:page:1 0 0");
    test_revoke(&got, 1, PKI_REASON_CERTIFICATE_HOLD, 500, 0);
    test_news("cert:ca:4001");
    test_string("6", "GETRANGE pki:{ca}:page:1 0 0");
}


static void
test_record_again(void)
{
    test_got_t   got;
    pki_row_t    row;
    redisReply  *reply;

    row = test_row(1);
    test_entry(&got, &row, "other");
    is_int(got.result, PKI_STORE_SAME, "the same certificate");

    row.thumbprint = test_bytes("ffffffffffffffffffffffffffffffffffffffff");
    test_entry(&got, &row, "other");
    is_int(got.result, PKI_STORE_CONFLICT, "another of the same number");
    test_news(NULL);
    test_string("DER", "GET pki:{ca}:der:4001");

    reply = test_redis("STRLEN pki:{ca}:page:1");
    is_int(reply->integer, 115, "nothing is written");
    freeReplyObject(reply);

    row = test_row(2);
    row.objects[1].len = 0;
    test_entry(&got, &row, "");
    is_int(got.result, PKI_STORE_DONE, "another number, without DER");
    test_news("cert:ca:4002");
    reply = test_redis("EXISTS pki:{ca}:der:4002");
    is_int(reply->integer, 0, "so there is none");
    freeReplyObject(reply);
    reply = test_redis("HSTRLEN pki:{ca}:bound jamf-computer/1");
    is_int(reply->integer, 2 * PKI_SERIAL_LEN, "two for the first object");
    freeReplyObject(reply);
    reply = test_redis("HSTRLEN pki:{ca}:bound jamf-user/2");
    is_int(reply->integer, PKI_SERIAL_LEN, "one for the other");
    freeReplyObject(reply);
}


/* What was revoked before it was recorded is revoked in its line at once. */

static void
test_record_revoked(void)
{
    test_got_t    got;
    pki_serial_t  sn;

    test_book(&got, 9);
    is_int(got.result, PKI_STORE_DONE, "recorded");
    test_news("cert:ca:4009");

    test_find(&got, 9);
    is_int(got.found.facts.manual, PKI_REASON_SUPERSEDED, "still revoked");
    is_int(got.found.record.page, 1, "in the page");
    test_string("4", "GETRANGE pki:{ca}:page:1 %d %d",
                (int) got.found.record.offset, (int) got.found.record.offset);

    sn = test_serial(9);
    got.calls = 0;
    pki_book_reserve(test_transport, "ca", &sn, 60, test_done, &got);
    test_wait(&got.calls);
    is_int(got.result, PKI_STORE_CONFLICT, "a recorded one is not reserved");
}


/* Records of the first version get their lines when they come again. */

static void
test_record_old(void)
{
    test_got_t  got;

    test_set("SET pki:{ca}:cert:4005 %s", "1 10 20 API Jo");
    test_book(&got, 5);
    is_int(got.result, PKI_STORE_DONE, "an old record is completed");
    test_news("cert:ca:4005");
    test_find(&got, 5);
    is_int(got.found.record.page, 1, "with a line");

    test_set("SET pki:{ca}:cert:4006 %s", "1 10 21 API Jo");
    test_book(&got, 6);
    is_int(got.result, PKI_STORE_CONFLICT, "an old record of another");
    test_set("SET pki:{ca}:cert:4006 %s", "1 10");
    test_book(&got, 6);
    is_int(got.result, PKI_STORE_CONFLICT, "what cannot be read stays");
    test_set("SET pki:{ca}:cert:4006 %s", "3 10 20 x");
    test_book(&got, 6);
    is_int(got.result, PKI_STORE_CONFLICT, "a later version stays");
    test_set("DEL pki:{ca}:cert:4006");
    test_news(NULL);
}


static void
test_rows(void)
{
    pki_row_t      row;
    pki_bytes_t    text;
    test_values_t  got;
    pki_serial_t   serials[3];

    memset(&got, 0, sizeof(got));
    serials[0] = test_serial(2);
    serials[1] = test_serial(0x77);
    serials[2] = test_serial(1);

    pki_book_rows(test_transport, "ca", serials, 3, test_values, &got);
    memset(serials, 0, sizeof(serials));
    test_wait(&got.calls);
    is_int(got.result, PKI_STORE_DONE, "rows");
    is_int(got.n, 3, "a value each");
    is_int(got.next, 0, "that is all");
    is_int(got.len[1], 0, "none of what is not recorded");

    text = test_bytes(got.text);
    is_int(pki_row_next(&text, &row), PKI_OK, "a line");
    is_mem(row.serial_text.data, "4002", 4, "of the first");
    text = test_bytes(got.text + got.len[0] + 2);
    is_int(pki_row_next(&text, &row), PKI_OK, "a line");
    is_mem(row.serial_text.data, "4001", 4, "of the last");
    is_int(row.status, PKI_REASON_CERTIFICATE_HOLD, "with its status");

    serials[0] = test_serial(1);
    got.calls = 0;
    pki_book_certificate(test_transport, "ca", serials, test_values, &got);
    test_wait(&got.calls);
    is_str(got.text, "DER|", "the certificate");

    serials[0] = test_serial(2);
    got.calls = 0;
    pki_book_certificate(test_transport, "ca", serials, test_values, &got);
    test_wait(&got.calls);
    is_int(got.result, PKI_STORE_DONE, "a certificate that is not kept");
    is_str(got.text, "|", "is empty");

    got.calls = 0;
    pki_book_thumbprint(test_transport, "ca",
                        "0123456789012345678901234567890123456701",
                        test_values, &got);
    test_wait(&got.calls);
    is_str(got.text, "4001|", "by its thumbprint");

    got.calls = 0;
    pki_book_thumbprint(test_transport, "ca",
                        "abcdefABCDEF0000000000000000000000000000",
                        test_values, &got);
    test_wait(&got.calls);
    is_int(got.result, PKI_STORE_DONE, "by a thumbprint of nobody");
    is_int(got.n, 0, "nothing");
}


static void
test_objects(void)
{
    int            i;
    char           owner[16];
    test_got_t     put;
    pki_row_t      row;
    test_values_t  got;

    memset(&got, 0, sizeof(got));

    pki_book_object(test_transport, "ca", "jamf-user/2", 0, test_values, &got);
    test_wait(&got.calls);
    is_str(got.text, "4001|4009|4005|", "of an object, oldest first");
    is_int(got.next, 0, "these are all");

    got.calls = 0;
    pki_book_object(test_transport, "ca", "jamf-user/22", 0, test_values,
                    &got);
    test_wait(&got.calls);
    is_int(got.result, PKI_STORE_DONE, "of an object of nobody");
    is_int(got.n, 0, "nothing");

    for (i = 0; i < PKI_BOOK_SERIALS + 1; i++) {
        row = test_row((unsigned char) (0x80 + i));
        row.objects[0] = test_bytes("device/much");
        row.objects[1].len = 0;
        test_entry(&put, &row, "");
        (void) snprintf(owner, sizeof(owner), "cert:ca:40%02X", 0x80 + i);
        test_news(owner);
    }

    got.calls = 0;
    pki_book_object(test_transport, "ca", "device/much", 0, test_values, &got);
    test_wait(&got.calls);
    is_int(got.n, PKI_BOOK_SERIALS, "as many as there may be");
    is_int(got.next, PKI_BOOK_SERIALS, "and where to go on");
    ok(strncmp(got.text, "4080|4081|", 10) == 0, "from the first");

    got.calls = 0;
    pki_book_object(test_transport, "ca", "device/much", got.next,
                    test_values, &got);
    test_wait(&got.calls);
    is_str(got.text, "40C0|", "the rest");
    is_int(got.next, 0, "no more");

    got.calls = 0;
    pki_book_object(test_transport, "ca", "device/much", 1000, test_values,
                    &got);
    test_wait(&got.calls);
    is_int(got.n, 0, "behind the end");
}


static void
test_revoked(void)
{
    size_t         i;
    char           serial[8];
    test_values_t  got;
    pki_serial_t   serials[3];

    memset(&got, 0, sizeof(got));
    serials[0] = test_serial(1);
    serials[1] = test_serial(2);
    serials[2] = test_serial(9);

    pki_book_revocations(test_transport, "ca", serials, 3, test_values, &got);
    test_wait(&got.calls);
    is_str(got.text, "1 6 500 7 Jo Do||1 4 500 7 Jo Do|", "a value each");

    got.calls = 0;
    pki_book_revoked(test_transport, "ca", 0, test_values, &got);
    test_wait(&got.calls);
    is_int(got.n, 4, "all that is revoked");
    is_int(got.next, 0, "in one slice");
    ok(strstr(got.text, "4009|1 4 500 7 Jo Do|") != NULL, "with records");

    for (i = 0; i < 2000; i++) {
        (void) snprintf(serial, sizeof(serial), "41%04zX", i);
        test_set("HSET pki:{many}:revoked %s %s", serial, "1 4 500 7 Jo");
    }

    got.next = 0;
    i = 0;

    do {
        got.calls = 0;
        pki_book_revoked(test_transport, "many", got.next, test_values, &got);
        test_wait(&got.calls);
        is_int(got.result, PKI_STORE_DONE, "a slice");
        ok(got.n < 1200, "which is not too large: %zu", got.n);
        i += got.n / 2;
    } while (got.next != 0 && i < 3000);

    ok(i >= 2000 && i < 3000, "all slices: %zu", i);

    got.calls = 0;
    pki_book_revoked(test_transport, "none", 0, test_values, &got);
    test_wait(&got.calls);
    is_int(got.n, 0, "nothing is revoked");
}


static void
test_history(void)
{
    int         i;
    test_got_t  got;

    test_history_is(1, 0, "issue||revoke|6|");
    test_release(&got, 1);
    test_history_is(1, 0, "issue||revoke|6|release|6|");
    test_history_is(1, 1, "revoke|6|release|6|");
    test_history_is(1, 3, "");
    test_history_is(9, 0, "revoke|4|issue||");
    test_history_is(9, 1, "issue||");
    test_history_is(2, 0, "issue||");
    test_history_is(2, 1, "");
    test_history_is(0x77, 0, "");

    for (i = 0; i < 32; i++) {
        test_revoke(&got, 2, PKI_REASON_CERTIFICATE_HOLD, 500, 0);
        test_release(&got, 2);
    }

    test_revoke(&got, 2, PKI_REASON_KEY_COMPROMISE, 500, 0);
    test_history_is(2, PKI_BOOK_SERIALS, "release|6|revoke|1|");
    test_history_is(2, PKI_BOOK_SERIALS + 1, "revoke|1|");

    test_set("XTRIM pki:{ca}:audit MAXLEN 1");
    test_history_is(2, PKI_BOOK_SERIALS, "revoke|1|");
    test_history_is(1, 0, "");
}


/* Actions and reasons; the rest is the same in all of them. */

static void
test_history_is(unsigned char serial, unsigned long long from,
    const char *want)
{
    char           text[TEST_TEXT], *p, *end;
    size_t         i, len;
    pki_serial_t   sn;
    test_values_t  got;

    memset(&got, 0, sizeof(got));
    sn = test_serial(serial);
    pki_book_history(test_transport, "ca", &sn, from, test_values, &got);
    test_wait(&got.calls);

    is_int(got.result, PKI_STORE_DONE, "a history");
    is_int(got.n % 6, 0, "in groups of six");

    text[0] = '\0';
    p = got.text;

    for (len = 0, i = 0; i < got.n; i++, p = end + 1) {
        end = strchr(p, '|');
        *end = '\0';

        switch (i % 6) {
        case 0:
        case 1:
            len += snprintf(text + len, sizeof(text) - len, "%s|", p);
            break;
        case 2:
            is_str(p, "Jo", "who");
            break;
        case 3:
            is_str(p, "::1", "from where");
            break;
        case 4:
            is_str(p, "lost", "why");
            break;
        default:
            is_str(p, "1000", "when");
            break;
        }
    }

    is_str(text, want, "history of %02X from %llu", serial, from);

    if (serial == 2 && from == 0 && got.n == 6 * PKI_BOOK_SERIALS) {
        is_int(got.next, PKI_BOOK_SERIALS, "where to go on");

    } else {
        is_int(got.next, 0, "that is all");
    }
}


/* A page that is full is stored once more, and the next begun. */

static void
test_pages(void)
{
    char           subject[PKI_ROW_MAX];
    size_t         i, lines, rows;
    test_got_t     put;
    pki_row_t      row;
    pki_rc_t       rc;
    redisReply    *reply;
    pki_bytes_t    page;
    test_values_t  got;

    memset(&put, 0, sizeof(put));
    pki_book_newest(test_transport, "big", test_done, &put);
    test_wait(&put.calls);
    is_int(put.result, PKI_STORE_DONE, "no book");
    is_int(put.n, 0, "so no page");

    memset(subject, 'x', sizeof(subject));

    for (i = 0; i < 60; i++) {
        row = test_row((unsigned char) i);
        row.subject.data = (unsigned char *) subject;
        row.subject.len = sizeof(subject);
        row.sans = row.subject;

        put.calls = 0;
        pki_book_record(test_transport, "big",
                        &(pki_book_entry_t) { &row, { NULL, 0 } }, "import",
                        &test_actor, test_done, &put);
        test_wait(&put.calls);
    }

    put.calls = 0;
    pki_book_newest(test_transport, "big", test_done, &put);
    test_wait(&put.calls);
    ok(put.n > 3, "some pages: %lld", put.n);

    reply = test_redis("STRLEN pki:{big}:page:1");
    ok(reply->integer >= PKI_ROW_PAGE - 1024
       && reply->integer <= PKI_ROW_PAGE + PKI_ROW_MAX, "one that is full");
    i = (size_t) reply->integer;
    freeReplyObject(reply);

    reply = test_redis("MEMORY USAGE pki:{big}:page:1");
    ok(reply->integer < (long long) i + 20000, "takes its exact size: %lld",
       reply->integer);
    freeReplyObject(reply);

    rows = 0;

    for (i = 1; i <= (size_t) put.n + 1; i++) {
        memset(&got, 0, sizeof(got));
        pki_book_page(test_transport, "big", i, test_values, &got);
        test_wait(&got.calls);
        is_int(got.result, PKI_STORE_DONE, "page %zu", i);
        is_int(got.n, 1, "one value");

        reply = test_redis("GET pki:{big}:page:%d", (int) i);
        page.data = (unsigned char *) reply->str;
        page.len = reply->type == REDIS_REPLY_STRING ? reply->len : 0;
        is_int(got.len[0], page.len, "of its length");

        for (lines = 0; (rc = pki_row_next(&page, &row)) == PKI_OK; lines++) {
            rows += row.serial.data[1] == (rows & 0xff);
        }

        is_int(rc, PKI_NOT_FOUND, "its %zu lines are whole", lines);
        freeReplyObject(reply);
    }

    is_int(rows, 60, "all rows, in their order");
    is_int(got.len[0], 0, "none behind the newest page");
}


static void
test_refused(void)
{
    size_t         n;
    pki_serial_t   sn, zero;
    test_got_t     done;
    test_values_t  got;

    memset(&got, 0, sizeof(got));
    memset(&done, 0, sizeof(done));
    memset(&zero, 0, sizeof(zero));
    sn = test_serial(1);

#define test_fails(which, what)                                             \
    is_int((which).calls, 0, "not called inside");                          \
    test_wait(&(which).calls);                                              \
    is_int((which).result, PKI_STORE_FAILED, "%s", what);                   \
    ok((which).error[0] != '\0', "in words: %s", (which).error);            \
    (which).calls = 0

    pki_book_reserve(test_transport, "ca", &sn, 0, test_done, &done);
    test_fails(done, "reserve: no time");
    pki_book_reserve(test_transport, "c a", &sn, 1, test_done, &done);
    test_fails(done, "reserve: a bad issuer");
    pki_book_reserve(test_transport, "ca", &zero, 1, test_done, &done);
    test_fails(done, "reserve: no serial number");
    pki_book_newest(test_transport, "", test_done, &done);
    test_fails(done, "newest: no issuer");

    pki_book_page(test_transport, "a}", 1, test_values, &got);
    test_fails(got, "page: a bad issuer");

    for (n = 0; n <= PKI_BOOK_SERIALS + 1; n += PKI_BOOK_SERIALS + 1) {
        pki_book_rows(test_transport, "ca", &sn, n, test_values, &got);
        test_fails(got, "rows: too many, or none");
        pki_book_revocations(test_transport, "ca", &sn, n, test_values, &got);
        test_fails(got, "revocations: too many, or none");
    }

    pki_book_rows(test_transport, "ca", &zero, 1, test_values, &got);
    test_fails(got, "rows: no serial number");
    pki_book_thumbprint(test_transport, "ca", "0123", test_values, &got);
    test_fails(got, "thumbprint: too short");
    pki_book_thumbprint(test_transport, "ca",
                        "012345678901234567890123456789012345678g",
                        test_values, &got);
    test_fails(got, "thumbprint: no digit");
    pki_book_object(test_transport, "ca", "a b", 0, test_values, &got);
    test_fails(got, "object: a space");
    pki_book_object(test_transport, "ca", "device/1", ~0ULL, test_values,
                    &got);
    test_fails(got, "object: far away");
    pki_book_history(test_transport, "ca", &sn, ~0ULL, test_values, &got);
    test_fails(got, "history: far away");
    pki_book_certificate(test_transport, "ca", &zero, test_values, &got);
    test_fails(got, "certificate: no serial number");
    pki_book_revoked(test_transport, "c/a", 0, test_values, &got);
    test_fails(got, "revoked: a bad issuer");
}


static void
test_refused_record(void)
{
    int               i;
    char              big[PKI_OBJECT_ID_SIZE + 1];
    pki_row_t         row;
    test_got_t        got;
    pki_actor_t       actor;
    pki_book_entry_t  entry = { &row, { NULL, 0 } };

    memset(big, 'x', sizeof(big));
    big[PKI_OBJECT_ID_SIZE] = '\0';
    memset(&got, 0, sizeof(got));

    for (i = 0; i < 11; i++) {
        row = test_row(0x60);
        actor = test_actor;
        entry.der.len = 0;

        switch (i) {
        case 0: row.serial.len = 0; break;
        case 1: row.not_before = -1; break;
        case 2: row.not_after = 253402300800LL; break;
        case 3: row.issued = -1; break;
        case 4: row.source = 2; break;
        case 5: row.kind = PKI_KIND_AD_USER + 1; break;
        case 6: row.thumbprint.len = 39; break;
        case 7: row.objects[0] = test_bytes("device/ 1"); break;
        case 8: row.objects[1] = test_bytes(big); break;
        case 9: actor.at = -1; break;
        default:
            entry.der.data = (const unsigned char *) big;
            entry.der.len = 65537;
            break;
        }

        pki_book_record(test_transport, "ca", &entry, "issue", &actor,
                        test_done, &got);
        test_fails(got, "record: cannot be");
    }

    row = test_row(0x60);
    pki_book_record(test_transport, "ca", &entry, "is sue", &actor, test_done,
                    &got);
    test_fails(got, "record: an action with a space");
}


/* What stops a script half-way leaves no certificate. */

static void
test_wrong_type(void)
{
    size_t        i;
    test_got_t    got;
    redisReply   *reply;

    static const char *const  keys[] = {
        "revoked", "audit", "cert:4060", "history:4060", "book", "page:1",
        "thumb", "bound"
    };

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        test_set("FLUSHALL");
        test_set("GEOADD pki:{ca}:%s 1 1 x", keys[i]);
        test_book(&got, 0x60);
        is_int(got.result, PKI_STORE_FAILED, "\"%s\" is of another type",
               keys[i]);

        reply = test_redis("DBSIZE");
        is_int(reply->integer, 1, "nothing was written");
        freeReplyObject(reply);
    }

    test_set("FLUSHALL");
    test_set("HSET pki:{ca}:book newest x");
    test_book(&got, 0x60);
    is_int(got.result, PKI_STORE_FAILED, "an unreadable number of a page");
    test_set("FLUSHALL");
    test_set("HSET pki:{ca}:revoked 4060 x");
    test_book(&got, 0x60);
    is_int(got.result, PKI_STORE_FAILED, "an unreadable revocation");
}


static void
test_book(test_got_t *got, unsigned char serial)
{
    pki_row_t  row;

    row = test_row(serial);
    test_entry(got, &row, "DER");
}


static void
test_entry(test_got_t *got, const pki_row_t *row, const char *der)
{
    pki_row_t         copy;
    pki_book_entry_t  entry;

    memset(got, 0, sizeof(test_got_t));
    copy = *row;
    entry.row = &copy;
    entry.der = test_bytes(der);

    pki_book_record(test_transport, "ca", &entry, "issue", &test_actor,
                    test_done, got);
    memset(&copy, 0, sizeof(copy));
    test_wait(&got->calls);
}


static void
test_wait(int *calls)
{
    pki_err_t  err;

    is_int(*calls, 0, "not called inside");
    is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "waited");
    is_int(*calls, 1, "called once");
}


static void
test_values(void *data, pki_store_result_t result, const pki_bytes_t *values,
    size_t n, unsigned long long next, const char *error)
{
    size_t          i, len;
    test_values_t  *got = data;

    got->calls++;
    got->result = result;
    got->n = n;
    got->next = next;
    got->text[0] = '\0';
    (void) snprintf(got->error, sizeof(got->error), "%s", error ? error : "");

    for (len = 0, i = 0; i < n; i++) {
        if (i < TEST_VALUES) {
            got->len[i] = values[i].len;
        }

        if (len < sizeof(got->text)) {
            len += snprintf(got->text + len, sizeof(got->text) - len, "%.*s|",
                            (int) values[i].len,
                            values[i].len ? (char *) values[i].data : "");
        }
    }
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
test_row(unsigned char serial)
{
    pki_row_t    row;

    static char  thumbprint[41], subject[16];

    (void) snprintf(thumbprint, sizeof(thumbprint),
                    "01234567890123456789012345678901234567%02x", serial);
    (void) snprintf(subject, sizeof(subject), "CN=%u", serial);

    memset(&row, 0, sizeof(row));

    row.status = PKI_REASON_KEY_COMPROMISE;
    row.not_before = 10;
    row.not_after = 20;
    row.issued = 15;
    row.source = PKI_SOURCE_API;
    row.kind = PKI_KIND_JAMF_USER_ON_COMPUTER;
    row.serial = test_serial(serial);
    row.objects[0] = test_bytes("jamf-computer/1");
    row.objects[1] = test_bytes("jamf-user/2");
    row.thumbprint = test_bytes(thumbprint);
    row.subject = test_bytes(subject);
    row.sans = test_bytes("DNS:x");
    row.upn = test_bytes("jo@x.org");
    row.requester = test_bytes("Jo Do");

    return row;
}

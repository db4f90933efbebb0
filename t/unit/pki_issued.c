
/*
 * pki_issued.c: a directory's own list of certificates: written by listing,
 * shown when whole, read in slices.
 */

#include "pki_test_store.h"
#include "pki_issued.h"


#define TEST_LINES  3


typedef struct {
    unsigned            calls;
    size_t              n;
    unsigned long long  next;
    pki_store_result_t  result;
    char                name[TEST_LINES][PKI_OBJECT_ID_SIZE];
    char                value[TEST_LINES][8192];
} test_lines_t;


static test_got_t  got;


static void
test_lines(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error)
{
    test_lines_t *listed = data;

    size_t  i;

    (void) error;

    listed->calls++;
    listed->result = result;
    listed->n = n;
    listed->next = next;

    for (i = 0; i < n && i < TEST_LINES; i++) {
        (void) snprintf(listed->name[i], sizeof(listed->name[i]), "%s",
                        items[i].name);
        (void) snprintf(listed->value[i], sizeof(listed->value[i]), "%s",
                        items[i].value);
    }
}


static void
test_list(test_lines_t *listed, size_t n)
{
    pki_err_t  err;

    memset(listed, 0, sizeof(test_lines_t));
    pki_issued_list(test_transport, "dir", 0, n, test_lines, listed);
    is_int(listed->calls, 0, "not called inside");
    is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "waited");
    is_int(listed->calls, 1, "called once");
}


static void
test_put(const char *token, long long round, const pki_issued_t *lines,
    size_t n, pki_store_result_t result)
{
    pki_err_t  err;

    memset(&got, 0, sizeof(got));
    pki_issued_put(test_transport, "dir", token, round, lines, n, test_done,
                   &got);
    is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "waited");
    is_int(got.calls, 1, "called once");
    is_int(got.result, result, "the result");
}


static void
test_show(const char *token, long long round, pki_store_result_t result)
{
    pki_err_t  err;

    memset(&got, 0, sizeof(got));
    pki_issued_commit(test_transport, "dir", token, round, test_done, &got);
    is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "waited");
    is_int(got.calls, 1, "called once");
    is_int(got.result, result, "the result");
}


static void
test_listings(void)
{
    pki_issued_t          line = { .serial = "1A2B" };
    redisReply           *reply;
    static test_lines_t  listed;

    test_set("FLUSHALL");
    test_set("SET pki:{dir}:lease t");

    test_list(&listed, 10);
    is_int(listed.result, PKI_STORE_DONE, "no listing");
    is_int(listed.n, 0, "has no line");

    line.fields[PKI_ISSUED_STATUS] = "none";
    test_put("t", 7, &line, 1, PKI_STORE_DONE);
    test_list(&listed, 10);
    is_int(listed.n, 0, "what is not whole is not shown");

    test_show("t", 7, PKI_STORE_DONE);
    test_list(&listed, 10);
    is_int(listed.n, 1, "what is whole is");
    is_str(listed.name[0], "1A2B", "the serial number");
    is_str(listed.value[0], "none\t\t\t\t\t\t\t\t", "the line");
    is_int((long) listed.next, 0, "and no more");

    line.serial = "1A2C";
    test_put("t", 8, &line, 1, PKI_STORE_DONE);
    test_show("t", 8, PKI_STORE_DONE);
    test_list(&listed, 10);
    is_int(listed.n, 1, "the next takes its place");
    is_str(listed.name[0], "1A2C", "with its own line");

    reply = test_redis("EXISTS pki:{dir}:issued:7");
    is_int(reply->integer, 0, "the old one is gone");
    freeReplyObject(reply);

    reply = test_redis("TTL pki:{dir}:issued:8");
    is_int(reply->integer, -1, "the new one stays");
    freeReplyObject(reply);

    test_show("t", 9, PKI_STORE_DONE);
    test_list(&listed, 10);
    is_int(listed.n, 0, "an empty listing");

    test_put("u", 10, &line, 1, PKI_STORE_CONFLICT);
    test_show("u", 10, PKI_STORE_CONFLICT);

    reply = test_redis("EXISTS pki:{dir}:issued:10");
    is_int(reply->integer, 0, "nothing without the lease");
    freeReplyObject(reply);
}


static void
test_fields(void)
{
    char                  text[2 * PKI_ISSUED_TEXT_MAX];
    size_t                i;
    pki_bytes_t           fields[PKI_ISSUED_N];
    pki_issued_t          line = { .serial = "1A2B" };
    static test_lines_t  listed;

    /* two octets each: the last that fits is cut */

    for (i = 0; i < sizeof(text) - 1; i++) {
        text[i] = i % 2 ? '\xc3' : '\xa4';
    }

    text[0] = 'x';
    text[sizeof(text) - 1] = '\0';

    line.fields[PKI_ISSUED_STATUS] = "a\tb\nc\x7f";
    line.fields[PKI_ISSUED_SUBJECT] = text;
    line.fields[PKI_ISSUED_ISSUER] = "CN=x";
    test_put("t", 11, &line, 1, PKI_STORE_DONE);
    test_show("t", 11, PKI_STORE_DONE);
    test_list(&listed, 10);

    is_int(pki_issued_read(listed.value[0], fields), PKI_OK, "read again");
    is_int(fields[PKI_ISSUED_STATUS].len, 6, "a field's length");
    is_mem(fields[PKI_ISSUED_STATUS].data, "a?b?c?", 6,
           "no control characters");
    is_int(fields[PKI_ISSUED_SUBJECT].len, PKI_ISSUED_TEXT_MAX - 1,
           "cut before a whole character");
    is_int(fields[PKI_ISSUED_USER].len, 0, "not told");
    is_int(fields[PKI_ISSUED_ISSUER].len, 4, "the last");
    is_mem(fields[PKI_ISSUED_ISSUER].data, "CN=x", 4, "and what it says");

    is_int(pki_issued_read("", fields), PKI_INVALID, "too few fields");
    is_int(pki_issued_read("\t\t\t\t\t\t\t", fields), PKI_INVALID, "one");
    is_int(pki_issued_read("\t\t\t\t\t\t\t\t\t", fields), PKI_INVALID,
           "one too many");
}


static void
test_refused(void)
{
    size_t                i;
    pki_issued_t          lines[PKI_ISSUED_MAX + 1];
    static test_lines_t  listed;

    memset(lines, 0, sizeof(lines));

    for (i = 0; i <= PKI_ISSUED_MAX; i++) {
        lines[i].serial = "01";
    }

    test_put("t", 12, lines, PKI_ISSUED_MAX, PKI_STORE_DONE);
    test_put("t", 12, lines, PKI_ISSUED_MAX + 1, PKI_STORE_FAILED);
    test_put("", 12, lines, 1, PKI_STORE_FAILED);

    lines[0].serial = "";
    test_put("t", 12, lines, 1, PKI_STORE_FAILED);
    lines[0].serial = "0 1";
    test_put("t", 12, lines, 1, PKI_STORE_FAILED);

    test_list(&listed, 0);
    is_int(listed.result, PKI_STORE_FAILED, "a slice of nothing");
    test_list(&listed, PKI_STATE_LIST_MAX);
    is_int(listed.result, PKI_STORE_FAILED, "a slice that is too large");
}


int
main(void)
{
    test_start();

    test_listings();
    test_fields();
    test_refused();

    test_stop();

    return pki_test_done();
}

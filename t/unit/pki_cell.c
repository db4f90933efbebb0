
/*
 * A callback that is owed comes once, later and with what was promised:
 * when the verb was refused, when there is no memory at all, and when a
 * program has more callbacks than it may.
 */

#include "pki_test.h"
#include "pki_test_transport.h"
#include "pki_cell.h"


typedef struct {
    int                 calls;
    pki_store_result_t  result;
    char                error[64];
} test_got_t;


static void test_note(void *data, pki_store_result_t result,
    const char *error);
static void test_found(void *data, const pki_store_found_t *found);
static void test_changed(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error);
static void test_applied(void *data, pki_store_result_t result,
    const pki_state_applied_t *applied, const char *error);
static void test_synced(void *data, pki_store_result_t result,
    const pki_state_sync_t *sync, const char *error);
static void test_listed(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error);
static void test_values(void *data, pki_store_result_t result,
    const pki_bytes_t *values, size_t n, unsigned long long next,
    const char *error);
static void test_other(void *data, const char *error);
static void test_other_fails(pki_cell_call_pt call, void *data,
    const char *error);
static void *test_begin(pki_cell_kind_t kind, test_got_t *got,
    const char *refused);
static void test_kind(pki_cell_kind_t kind);
static void test_seats(void);
static int test_seat(pki_store_done_pt done);
static void test_replies(void);
static const char *test_result(const char *text, int type, pki_err_t *err);


#define TEST_DONE(n)                                                        \
    static void                                                             \
    test_done_##n(void *data, pki_store_result_t result, long long i,       \
        const char *error)                                                  \
    {                                                                       \
        (void) i;                                                           \
        test_note(data, result, error);                                     \
    }

#define TEST_DONES(row)                                                     \
    TEST_DONE(row##0)  TEST_DONE(row##1)  TEST_DONE(row##2)                 \
    TEST_DONE(row##3)  TEST_DONE(row##4)  TEST_DONE(row##5)                 \
    TEST_DONE(row##6)  TEST_DONE(row##7)

#define TEST_NAMES(row)                                                     \
    test_done_##row##0, test_done_##row##1, test_done_##row##2,             \
    test_done_##row##3, test_done_##row##4, test_done_##row##5,             \
    test_done_##row##6, test_done_##row##7

TEST_DONES(0)   TEST_DONES(1)   TEST_DONES(2)   TEST_DONES(3)
TEST_DONES(4)   TEST_DONES(5)   TEST_DONES(6)   TEST_DONES(7)
TEST_DONES(10)  TEST_DONES(11)  TEST_DONES(12)  TEST_DONES(13)
TEST_DONES(14)  TEST_DONES(15)  TEST_DONES(16)  TEST_DONES(17)
TEST_DONE(more)


static const pki_store_done_pt  test_dones[PKI_STORE_CALLBACKS] = {
    TEST_NAMES(0), TEST_NAMES(1), TEST_NAMES(2), TEST_NAMES(3),
    TEST_NAMES(4), TEST_NAMES(5), TEST_NAMES(6), TEST_NAMES(7),
    TEST_NAMES(10), TEST_NAMES(11), TEST_NAMES(12), TEST_NAMES(13),
    TEST_NAMES(14), TEST_NAMES(15), TEST_NAMES(16), TEST_NAMES(17)
};


int
main(void)
{
    pki_test_alloc_hook();

    test_kind(PKI_CELL_FOUND);
    test_kind(PKI_CELL_CHANGED);
    test_kind(PKI_CELL_DONE);
    test_kind(PKI_CELL_APPLIED);
    test_kind(PKI_CELL_SYNC);
    test_kind(PKI_CELL_LIST);
    test_kind(PKI_CELL_VALUES);
    test_kind(PKI_CELL_OTHER);
    test_seats();
    test_replies();

    return pki_test_done();
}


static void
test_note(void *data, pki_store_result_t result, const char *error)
{
    test_got_t  *got = data;

    got->calls++;
    got->result = result;
    (void) snprintf(got->error, sizeof(got->error), "%s", error);
}


static void
test_found(void *data, const pki_store_found_t *found)
{
    test_note(data, found->result, found->error);
}


static void
test_changed(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error)
{
    ok(present == NULL, "nothing is present");
    test_note(data, result, error);
}


static void
test_applied(void *data, pki_store_result_t result,
    const pki_state_applied_t *applied, const char *error)
{
    is_int(applied->changed + applied->staged + applied->deferred, 0,
           "nothing is applied");
    test_note(data, result, error);
}


static void
test_synced(void *data, pki_store_result_t result,
    const pki_state_sync_t *sync, const char *error)
{
    ok(sync->at == 0 && sync->link == NULL, "nothing is read");
    test_note(data, result, error);
}


static void
test_listed(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error)
{
    ok(items == NULL && n == 0 && next == 0, "nothing is listed");
    test_note(data, result, error);
}


static void
test_values(void *data, pki_store_result_t result, const pki_bytes_t *values,
    size_t n, unsigned long long next, const char *error)
{
    ok(values == NULL && n == 0 && next == 0, "there are no values");
    test_note(data, result, error);
}


static void
test_other(void *data, const char *error)
{
    test_note(data, PKI_STORE_FAILED, error);
}


static void
test_other_fails(pki_cell_call_pt call, void *data, const char *error)
{
    ((void (*)(void *, const char *)) call)(data, error);
}


static void *
test_begin(pki_cell_kind_t kind, test_got_t *got, const char *refused)
{
    pki_cell_call_pt  call;

    memset(got, 0, sizeof(test_got_t));

    switch (kind) {
    case PKI_CELL_FOUND:
        call = (pki_cell_call_pt) test_found;
        break;
    case PKI_CELL_CHANGED:
        call = (pki_cell_call_pt) test_changed;
        break;
    case PKI_CELL_APPLIED:
        call = (pki_cell_call_pt) test_applied;
        break;
    case PKI_CELL_SYNC:
        call = (pki_cell_call_pt) test_synced;
        break;
    case PKI_CELL_LIST:
        call = (pki_cell_call_pt) test_listed;
        break;
    case PKI_CELL_VALUES:
        call = (pki_cell_call_pt) test_values;
        break;
    case PKI_CELL_OTHER:
        return pki_cell_begin_other(&pki_test_transport, test_other_fails,
                                    (pki_cell_call_pt) test_other, got,
                                    refused, sizeof(pki_cell_t));
    default:
        call = (pki_cell_call_pt) test_done_00;
        break;
    }

    return pki_cell_begin(&pki_test_transport, kind, call, got, refused,
                          sizeof(pki_cell_t));
}


static void
test_kind(pki_cell_kind_t kind)
{
    int          i;
    test_got_t   got[4];
    pki_cell_t  *cell;

    cell = test_begin(kind, &got[0], NULL);
    ok(cell != NULL && pki_test_nsent == 0, "kind %d begins", kind);
    pki_cell_fail(cell, "for good");
    is_int(got[0].result, PKI_STORE_FAILED, "and may fail");
    is_str(got[0].error, "for good", "with a text");
    OPENSSL_free(cell);

    ok(test_begin(kind, &got[0], "no such") == NULL, "refused");
    is_int(got[0].calls, 0, "not called inside");
    is_str(pki_test_sent[0].name, "PING", "a PING goes out");
    answer("+PONG\r\n");
    is_int(got[0].calls, 1, "called once");
    is_int(got[0].result, PKI_STORE_FAILED, "with FAILED");
    is_str(got[0].error, "no such", "and the reason");

    for (i = 0; i < 4; i++) {
        pki_test_fail_at(1);
        ok(test_begin(kind, &got[i], NULL) == NULL, "no memory, %d", i);
        ok(pki_test_fail_hit(), "indeed");
        pki_test_fail_at(0);
    }

    is_int(pki_test_nsent, 4, "a PING each");

    for (i = 0; i < 4; i++) {
        is_int(got[i].calls, 0, "not called yet, %d", i);

        if (i % 2) {
            answer("+PONG\r\n");

        } else {
            no_answer();
        }

        is_int(got[i].calls, 1, "its own data, once, %d", i);
        is_int(got[i].result, PKI_STORE_FAILED, "FAILED, %d", i);
        is_str(got[i].error, "out of memory", "the reason, %d", i);
    }

    is_int(pki_test_nsent, 0, "nothing is left");
}


/* The kinds before have taken seven seats that are none of these. */

static void
test_seats(void)
{
    int          i;
    test_got_t   got;
    pki_cell_t  *cell;

    for (i = 0; i < PKI_STORE_CALLBACKS && test_seat(test_dones[i]); i++) {
        memset(&got, 0, sizeof(got));

        pki_test_fail_at(1);
        cell = pki_cell_begin(&pki_test_transport, PKI_CELL_DONE,
                              (pki_cell_call_pt) test_dones[i], &got, NULL,
                              sizeof(pki_cell_t));
        pki_test_fail_at(0);
        ok(cell == NULL, "callback %d without memory", i);
        no_answer();
        is_str(got.error, "out of memory", "its own seat calls it");
    }

    is_int(i, PKI_STORE_CALLBACKS - 7, "all seats are taken");
    ok(!test_seat(test_done_more), "nobody else gets one");
    ok(test_seat(test_dones[0]), "who has one keeps it");

    memset(&got, 0, sizeof(got));
    cell = pki_cell_begin(&pki_test_transport, PKI_CELL_DONE,
                          (pki_cell_call_pt) test_done_more, &got, NULL,
                          sizeof(pki_cell_t));
    ok(cell == NULL, "one too many is refused");
    is_int(got.calls, 0, "not inside");
    answer("+PONG\r\n");
    is_int(got.calls, 1, "but later");
    is_str(got.error, "too many different callbacks", "the reason");

    pki_test_fail_at(1);
    cell = pki_cell_begin(&pki_test_transport, PKI_CELL_DONE,
                          (pki_cell_call_pt) test_done_more, &got, NULL,
                          sizeof(pki_cell_t));
    pki_test_fail_at(0);
    ok(cell == NULL && pki_test_nsent == 0, "without memory as well");
    is_int(got.calls, 2, "for once at once");
}


static int
test_seat(pki_store_done_pt done)
{
    test_got_t   got;
    pki_cell_t  *cell;

    memset(&got, 0, sizeof(got));

    cell = pki_cell_begin(&pki_test_transport, PKI_CELL_DONE,
                          (pki_cell_call_pt) done, &got, NULL,
                          sizeof(pki_cell_t));

    if (cell == NULL) {
        no_answer();
        return 0;
    }

    OPENSSL_free(cell);

    return 1;
}


static void
test_replies(void)
{
    size_t                    i;
    char                      text[400];
    pki_err_t                 err;
    static const char *const  bad[] = {
        "+OK\r\n", ":1\r\n", "$-1\r\n", "*-1\r\n", "*0\r\n", "*1\r\n:0\r\n",
        "*3\r\n:0\r\n:0\r\n:0\r\n", "*2\r\n:0\r\n$1\r\n1\r\n",
        "*2\r\n$1\r\n0\r\n:0\r\n", "*2\r\n:0\r\n$-1\r\n",
        "*2\r\n:4\r\n:0\r\n", "*2\r\n:-1\r\n:0\r\n",
        "*2\r\n:4294967296\r\n:0\r\n"
    };

    ok(test_result("*2\r\n:2\r\n:7\r\n", REDIS_REPLY_INTEGER, &err) == NULL,
       "a result");
    ok(test_result("*2\r\n:0\r\n$0\r\n\r\n", REDIS_REPLY_STRING, &err)
       == NULL, "a result with a string");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(test_result(bad[i], REDIS_REPLY_INTEGER, &err) != NULL,
           "bad result %zu", i);
    }

    is_str(test_result("-ERR a\r\n", REDIS_REPLY_INTEGER, &err),
           "Redis replied \"ERR a\"", "an error's text");

    memset(text, 'x', sizeof(text));
    text[0] = '-';
    memcpy(text + sizeof(text) - 3, "\r\n", 3);
    ok(strlen(test_result(text, REDIS_REPLY_INTEGER, &err)) < 250,
       "a long one is cut");

    is_str(pki_cell_said(NULL, REDIS_REPLY_STRING, &err),
           "no reply of Redis", "no reply");
}


static const char *
test_result(const char *text, int type, pki_err_t *err)
{
    void                *reply;
    const char          *error;
    redisReader         *reader;
    pki_store_result_t   result;

    reply = NULL;
    reader = redisReaderCreate();

    if (reader == NULL
        || redisReaderFeed(reader, text, strlen(text)) != REDIS_OK
        || redisReaderGetReply(reader, &reply) != REDIS_OK || reply == NULL)
    {
        printf("Bail out! not a reply: %s\n", text);
        exit(1);
    }

    error = pki_cell_result(reply, type, &result, err);

    freeReplyObject(reply);
    redisReaderFree(reader);

    return error;
}

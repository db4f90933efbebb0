
/*
 * What the verbs of the book make of replies that no script of ours sends,
 * of none at all, and of a lack of memory: FAILED, once, in words.
 */

#include "pki_test.h"
#include "pki_test_transport.h"
#include "pki_book.h"


typedef struct {
    int                 calls;
    pki_store_result_t  result;
    size_t              n;
    unsigned long long  next;
    char                first[64];
    char                error[300];
} test_got_t;


/* which reply a verb reads */

typedef enum {
    TEST_RESULT = 0,
    TEST_NUMBER,
    TEST_VALUE,
    TEST_LIST,
    TEST_NEXT,
    TEST_SCAN,
    TEST_SERIAL,
    TEST_SERIALS,
    TEST_N
} test_shape_t;


typedef struct {
    test_shape_t        shape;
    const char         *text;
    size_t              len;
} test_reply_t;


static void test_bad(void);
static void test_long(void);
static void test_good(void);
static void test_no_memory(void);
static void test_send(test_shape_t shape, test_got_t *got);
static void test_done(void *data, pki_store_result_t result, long long n,
    const char *error);
static void test_values(void *data, pki_store_result_t result,
    const pki_bytes_t *values, size_t n, unsigned long long next,
    const char *error);


#define test_text(shape, text)  { shape, text, sizeof(text) - 1 }


int
main(void)
{
    pki_test_alloc_hook();

    test_bad();
    test_long();
    test_good();
    test_no_memory();

    return pki_test_done();
}


static void
test_bad(void)
{
    size_t        i;
    test_got_t    got;
    test_shape_t  shape;

    static const test_reply_t  bad[] = {
        test_text(TEST_RESULT, "$-1\r\n"),
        test_text(TEST_RESULT, "*2\r\n:4\r\n:0\r\n"),
        test_text(TEST_RESULT, "*2\r\n:0\r\n:-1\r\n"),
        test_text(TEST_NUMBER, ":1\r\n"),
        test_text(TEST_NUMBER, "$1\r\nx\r\n"),
        test_text(TEST_NUMBER, "$0\r\n\r\n"),
        test_text(TEST_NUMBER, "$2\r\n01\r\n"),
        test_text(TEST_NUMBER, "$19\r\n9999999999999999999\r\n"),
        test_text(TEST_VALUE, ":1\r\n"),
        test_text(TEST_VALUE, "*0\r\n"),
        test_text(TEST_LIST, "$-1\r\n"),
        test_text(TEST_LIST, "*1\r\n:1\r\n"),
        test_text(TEST_LIST, "*2\r\n$1\r\nx\r\n*0\r\n"),
        test_text(TEST_NEXT, "*0\r\n"),
        test_text(TEST_NEXT, "*1\r\n:0\r\n"),
        test_text(TEST_NEXT, "*2\r\n:0\r\n$-1\r\n"),
        test_text(TEST_NEXT, "*2\r\n:-1\r\n*0\r\n"),
        test_text(TEST_NEXT, "*2\r\n$1\r\n0\r\n*0\r\n"),
        test_text(TEST_NEXT, "*2\r\n:0\r\n*1\r\n*0\r\n"),
        test_text(TEST_NEXT, "*2\r\n:0\r\n*1\r\n-ERR x\r\n"),
        test_text(TEST_SCAN, "*2\r\n:0\r\n*0\r\n"),
        test_text(TEST_SCAN, "*2\r\n$1\r\n0\r\n$-1\r\n"),
        test_text(TEST_SCAN, "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nx\r\n"),
        test_text(TEST_SCAN, "*2\r\n$2\r\n-1\r\n*0\r\n"),
        test_text(TEST_SCAN, "*2\r\n$0\r\n\r\n*0\r\n"),
        test_text(TEST_SERIAL, ":1\r\n"),
        test_text(TEST_SERIAL, "$3\r\nxxx\r\n"),
        test_text(TEST_SERIAL, "$40\r\n0123456789012345678901234567890123456789"
                               "\r\n"),
        test_text(TEST_SERIAL, "$20\r\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                               "\r\n"),
        test_text(TEST_SERIALS, "*2\r\n:0\r\n$3\r\nxxx\r\n"),
        test_text(TEST_SERIALS, "*2\r\n:0\r\n$-1\r\n"),
        test_text(TEST_SERIALS, "*2\r\n:-1\r\n$0\r\n\r\n"),
        test_text(TEST_SERIALS, "*2\r\n$0\r\n\r\n$0\r\n\r\n"),
        test_text(TEST_SERIALS, "*1\r\n:0\r\n")
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        test_send(bad[i].shape, &got);
        pki_test_answer(bad[i].text, bad[i].len);
        is_int(got.calls, 1, "called once");
        is_int(got.result, PKI_STORE_FAILED, "bad reply %zu", i);
        ok(got.error[0] != '\0', "in words: %s", got.error);
    }

    for (shape = 0; shape < TEST_N; shape++) {
        test_send(shape, &got);
        no_answer();
        is_str(got.error, "no reply of Redis", "no reply, verb %d", shape);

        test_send(shape, &got);
        answer("-OOM used memory\r\n");
        is_str(got.error, "Redis replied \"OOM used memory\"",
               "an error, verb %d", shape);

        test_send(shape, &got);
        answer("+OK\r\n");
        is_int(got.result, PKI_STORE_FAILED, "a status, verb %d", shape);
    }
}


/* What is longer than it can be is not handed on. */

static void
test_long(void)
{
    char        *text;
    int          head;
    size_t       i, len;
    test_got_t   got;

    static const struct {
        test_shape_t  shape;
        const char   *head;
        size_t        max;
    } longs[] = {
        { TEST_VALUE, "", PKI_ROW_PAGE + PKI_ROW_MAX },
        { TEST_LIST, "*1\r\n", 352 },
        { TEST_NEXT, "*2\r\n:0\r\n*1\r\n", PKI_ROW_MAX },
        { TEST_SERIALS, "*2\r\n:0\r\n", 64 * PKI_SERIAL_LEN }
    };

    text = malloc(100000);
    if (text == NULL) {
        printf("Bail out! no memory\n");
        exit(1);
    }

    for (i = 0; i < sizeof(longs) / sizeof(longs[0]); i++) {
        for (len = longs[i].max; len <= longs[i].max + 20; len += 20) {
            head = sprintf(text, "%s$%zu\r\n", longs[i].head, len);
            memset(text + head, 'x', len);
            memcpy(text + head + len, "\r\n", 2);

            test_send(longs[i].shape, &got);
            pki_test_answer(text, (size_t) head + len + 2);
            is_int(got.result,
                   len == longs[i].max ? PKI_STORE_DONE : PKI_STORE_FAILED,
                   "%zu octets", len);
        }
    }

    free(text);
}


static void
test_good(void)
{
    test_got_t  got;

    test_send(TEST_NUMBER, &got);
    answer("$-1\r\n");
    is_int(got.result, PKI_STORE_DONE, "no number");
    is_int(got.n, 0, "is 0");

    test_send(TEST_NUMBER, &got);
    answer("$2\r\n12\r\n");
    is_int(got.n, 12, "a number");

    test_send(TEST_VALUE, &got);
    answer("$-1\r\n");
    is_int(got.result, PKI_STORE_DONE, "no value");
    is_int(got.n, 1, "is an empty one");
    is_str(got.first, "", "indeed");

    test_send(TEST_SCAN, &got);
    answer("*2\r\n$19\r\n9223372036854775807\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    is_int(got.n, 2, "a slice");
    is_int(got.next, 9223372036854775807LL, "the largest cursor");

    test_send(TEST_NEXT, &got);
    answer("*2\r\n:64\r\n*1\r\n$1\r\na\r\n");
    is_str(got.first, "a", "a list");
    is_int(got.next, 64, "where to go on");

    test_send(TEST_SERIAL, &got);
    pki_test_answer("$20\r\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\n\r\n", 27);
    is_str(got.first, "0A", "a short serial number");

    test_send(TEST_SERIALS, &got);
    answer("*2\r\n:0\r\n$20\r\nABCDEFGHIJKLMNOPQRST\r\n");
    is_str(got.first, "4142434445464748494A4B4C4D4E4F5051525354", "a long one");
}


static void
test_no_memory(void)
{
    long          n;
    test_got_t    got;
    test_shape_t  shape;

    static const char *const  good[TEST_N] = {
        "*2\r\n:0\r\n:1\r\n", "$1\r\n1\r\n", "$1\r\nx\r\n",
        "*1\r\n$1\r\nx\r\n", "*2\r\n:0\r\n*1\r\n$1\r\nx\r\n",
        "*2\r\n$1\r\n0\r\n*0\r\n", "$-1\r\n", "*2\r\n:0\r\n$0\r\n\r\n"
    };

    for (shape = 0; shape < TEST_N; shape++) {
        for (n = 1; /* void */ ; n++) {
            pki_test_fail_at(n);
            test_send(shape, &got);
            pki_test_answer(good[shape], strlen(good[shape]));
            is_int(got.calls, 1, "called once");

            if (!pki_test_fail_hit()) {
                break;
            }

            is_int(got.result, PKI_STORE_FAILED, "verb %d, allocation %ld",
                   shape, n);
            is_str(got.error, "out of memory", "in words");
        }

        pki_test_fail_at(0);
        is_int(got.result, PKI_STORE_DONE, "then it works");
        ok(n > 1, "verb %d needs memory", shape);
    }
}


static void
test_send(test_shape_t shape, test_got_t *got)
{
    pki_row_t          row;
    pki_redis_t       *redis;
    pki_actor_t        actor = { "Jo", "::1", NULL, 1000 };
    pki_serial_t       sn = { { 0x40 }, 1 };
    pki_book_entry_t   entry = { &row, { NULL, 0 } };

    static const char  sha1[] = "0123456789012345678901234567890123456789";

    memset(got, 0, sizeof(test_got_t));
    redis = &pki_test_transport;

    switch (shape) {

    case TEST_RESULT:
        memset(&row, 0, sizeof(row));
        row.serial = sn;
        row.thumbprint.data = (const unsigned char *) sha1;
        row.thumbprint.len = 40;
        pki_book_record(redis, "ca", &entry, "issue", &actor, test_done, got);
        break;

    case TEST_NUMBER:
        pki_book_newest(redis, "ca", test_done, got);
        break;

    case TEST_VALUE:
        pki_book_page(redis, "ca", 1, test_values, got);
        break;

    case TEST_LIST:
        pki_book_revocations(redis, "ca", &sn, 1, test_values, got);
        break;

    case TEST_NEXT:
        pki_book_rows(redis, "ca", &sn, 1, test_values, got);
        break;

    case TEST_SCAN:
        pki_book_revoked(redis, "ca", 0, test_values, got);
        break;

    case TEST_SERIAL:
        pki_book_thumbprint(redis, "ca", sha1, test_values, got);
        break;

    default: /* TEST_SERIALS */
        pki_book_object(redis, "ca", "device/1", 0, test_values, got);
        break;
    }

    is_int(got->calls, 0, "not called inside");
    is_int(pki_test_nsent, 1, "one command");
}


static void
test_done(void *data, pki_store_result_t result, long long n,
    const char *error)
{
    test_got_t  *got = data;

    got->calls++;
    got->result = result;
    got->n = (size_t) n;
    (void) snprintf(got->error, sizeof(got->error), "%s", error ? error : "");
}


static void
test_values(void *data, pki_store_result_t result, const pki_bytes_t *values,
    size_t n, unsigned long long next, const char *error)
{
    test_got_t  *got = data;

    test_done(data, result, (long long) n, error);
    got->next = next;

    if (n != 0) {
        (void) snprintf(got->first, sizeof(got->first), "%.*s",
                        (int) values[0].len,
                        values[0].len ? (const char *) values[0].data : "");
    }
}

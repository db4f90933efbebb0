
/*
 * Published lists in a Redis of the test's own: the lease and the numbers,
 * what readers see and when, which lists stay; then what goes wrong.
 */

#include "pki_test_store.h"
#include "pki_test_transport.h"
#include "pki_list.h"


#define TEST_TOKEN  "host 1"
#define TEST_BIG    (PKI_BOOK_SLICE * 3 + 17)
#define TEST_HUGE   (6 * 1024 * 1024)
#define TEST_T      1700000000


typedef struct {
    test_got_t          base;
    pki_list_info_t     info[PKI_LIST_N];
    size_t              nvalues;
    size_t              len;
    unsigned char       value[PKI_BOOK_SLICE];
} test_list_t;


static void test_names(void);
static void test_lease(void);
static void test_number(void);
static void test_publish(void);
static void test_slices(void);
static void test_huge(void);
static void test_kept(void);
static void test_not_there(void);
static void test_refused(void);
static void test_unreadable(void);
static void test_replies(void);
static void test_no_memory(void);
static void test_killed(void);


static test_list_t     got;
static unsigned char   big[TEST_BIG];


static void
test_info(void *data, pki_store_result_t result,
    const pki_list_info_t info[PKI_LIST_N], const char *error)
{
    test_list_t  *list = data;

    test_done(&list->base, result, 0, error);
    memcpy(list->info, info, sizeof(list->info));
}


static void
test_values(void *data, pki_store_result_t result, const pki_bytes_t *values,
    size_t n, unsigned long long next, const char *error)
{
    test_list_t  *list = data;

    test_done(&list->base, result, 0, error);
    list->nvalues = n;
    list->base.next = next;

    if (n == 1 && values[0].len <= sizeof(list->value)) {
        list->len = values[0].len;
        memcpy(list->value, values[0].data, values[0].len);
    }
}


static void
test_wait(void)
{
    pki_err_t  err;

    is_int(got.base.calls, 0, "not called inside");
    is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "waited");
    is_int(got.base.calls, 1, "called once");
}


/* verbs, waited for; the result is in got.base, or got */

#define test_do(verb, ...)                                                  \
    do {                                                                    \
        memset(&got, 0, sizeof(got));                                       \
        pki_list_##verb(test_transport, __VA_ARGS__);                       \
        test_wait();                                                        \
    } while (0)


static pki_store_result_t
test_put(pki_list_e which, unsigned long long number, unsigned long long base,
    const char *token)
{
    char             text[64];
    pki_bytes_t      der;
    pki_list_info_t  info;

    memset(&info, 0, sizeof(info));
    info.number = number;
    info.base = base;
    info.this_update = TEST_T;
    info.next_update = TEST_T + 7200;

    der.data = (unsigned char *) text;
    der.len = snprintf(text, sizeof(text), "list %llu", number);

    memset(&got, 0, sizeof(got));
    pki_list_publish(test_transport, "ca", token, which, &info, der,
                     test_done, &got.base);
    memset(text, 0, sizeof(text));
    memset(&info, 0, sizeof(info));
    test_wait();

    return got.base.result;
}


static long long
test_ttl(const char *key)
{
    long long    n;
    redisReply  *reply;

    reply = test_redis("TTL pki:{ca}:%s", key);
    n = reply->integer;
    freeReplyObject(reply);

    return n;
}


int
main(void)
{
    pki_err_t  err;

    pki_test_alloc_hook();
    test_start();

    test_names();
    test_lease();
    test_number();
    test_publish();
    test_slices();
    test_huge();
    test_kept();
    test_not_there();
    test_refused();
    test_unreadable();
    test_replies();
    test_no_memory();

    is_int(pki_redis_sync_wait(test_sync, &err), PKI_OK, "still connected");

    test_killed();

    test_stop();

    return pki_test_done();
}


static void
test_names(void)
{
    char  owner[PKI_OWNER_SIZE];

    is_int(pki_owner_list(owner, "ca"), 6, "the owner's length");
    is_str(owner, "crl:ca", "its name");
}


static void
test_lease(void)
{
    test_do(lease, "ca", TEST_TOKEN, 60000, test_done, &got.base);
    is_int(got.base.result, PKI_STORE_DONE, "taken");
    is_int(got.base.n, 1, "it was free");
    test_do(lease, "ca", TEST_TOKEN, 60000, test_done, &got.base);
    is_int(got.base.n, 0, "renewed");
    test_do(lease, "ca", "b 2", 60000, test_done, &got.base);
    is_int(got.base.result, PKI_STORE_CONFLICT, "held by another");
    test_string(TEST_TOKEN, "GET pki:{ca}:crl-lease");

    test_do(unlease, "ca", "b 2", test_done, &got.base);
    is_int(got.base.n, 0, "another cannot give it back");
    test_do(unlease, "ca", TEST_TOKEN, test_done, &got.base);
    is_int(got.base.n, 1, "given back");
    test_do(lease, "ca", "b 2", 1, test_done, &got.base);
    is_int(got.base.n, 1, "another's");
    (void) usleep(20 * 1000);
    test_do(lease, "ca", TEST_TOKEN, 60000, test_done, &got.base);
    is_int(got.base.n, 1, "which has run out");
    test_news(NULL);
}


static void
test_number(void)
{
    long long  first;

    test_do(number, "ca", "b 2", test_done, &got.base);
    is_int(got.base.result, PKI_STORE_CONFLICT, "not without the lease");

    test_do(number, "ca", TEST_TOKEN, test_done, &got.base);
    is_int(got.base.result, PKI_STORE_DONE, "a number");
    first = got.base.n;
    ok(first > TEST_T, "not less than the time: %lld", first);
    test_set("HSET pki:{ca}:crl number 4000000000");
    test_do(number, "ca", TEST_TOKEN, test_done, &got.base);
    is_int(got.base.n, 4000000001LL, "one more");
    test_do(number, "ca", TEST_TOKEN, test_done, &got.base);
    is_int(got.base.n, 4000000002LL, "and one more");
    test_set("DEL pki:{ca}:crl");
    test_do(number, "ca", TEST_TOKEN, test_done, &got.base);
    ok(got.base.n >= first, "never back, though all is lost");
    test_set("DEL pki:{ca}:crl");
    test_news(NULL);
}


static void
test_publish(void)
{
    test_do(info, "ca", test_info, &got);
    is_int(got.base.result, PKI_STORE_DONE, "read");
    is_int(got.info[PKI_LIST_FULL].number, 0, "nothing is published");
    is_int(got.info[PKI_LIST_DELTA].number, 0, "...");

    is_int(test_put(PKI_LIST_FULL, 10, 0, "b 2"), PKI_STORE_CONFLICT,
           "not without the lease");
    test_news(NULL);
    test_do(info, "ca", test_info, &got);
    is_int(got.info[PKI_LIST_FULL].number, 0, "nobody sees it");

    is_int(test_put(PKI_LIST_FULL, 10, 0, TEST_TOKEN), PKI_STORE_DONE,
           "published");
    test_news("crl:ca");
    test_news(NULL);
    test_do(info, "ca", test_info, &got);
    is_int(got.info[PKI_LIST_FULL].number, 10, "its number");
    is_int(got.info[PKI_LIST_FULL].base, 0, "no base");
    is_int(got.info[PKI_LIST_FULL].this_update, TEST_T, "thisUpdate");
    is_int(got.info[PKI_LIST_FULL].next_update, TEST_T + 7200, "nextUpdate");
    is_int(got.info[PKI_LIST_FULL].len, 7, "octets");
    is_str(got.info[PKI_LIST_FULL].etag,
           "eb9edb6350259d5edb269d8cded8c06bcb7eb74695097ef5227f05daa961447a",
           "SHA-256 of \"list 10\"");
    is_int(got.info[PKI_LIST_DELTA].number, 0, "there is no delta");
    test_string("list 10", "GET pki:{ca}:crl:10");
    is_int(test_ttl("crl:10"), 7200 + 3600, "an hour longer");

    is_int(test_put(PKI_LIST_FULL, 10, 0, TEST_TOKEN), PKI_STORE_CONFLICT,
           "the same number again");
    is_int(test_put(PKI_LIST_FULL, 9, 0, TEST_TOKEN), PKI_STORE_CONFLICT,
           "an older one");
    test_news(NULL);

    is_int(test_put(PKI_LIST_DELTA, 11, 10, TEST_TOKEN), PKI_STORE_DONE,
           "a delta");
    test_news("crl:ca");
    test_do(info, "ca", test_info, &got);
    is_int(got.info[PKI_LIST_FULL].number, 10, "the full one stays");
    is_int(got.info[PKI_LIST_DELTA].number, 11, "its number");
    is_int(got.info[PKI_LIST_DELTA].base, 10, "its base");
    test_string("list 11", "GET pki:{ca}:delta:11");
}


static void
test_slices(void)
{
    size_t           i, from, n;
    pki_bytes_t      der;
    pki_list_info_t  info;

    for (i = 0; i < TEST_BIG; i++) {
        big[i] = (unsigned char) (i * 7 + i / 251);
    }

    memset(&info, 0, sizeof(info));
    info.number = 12;
    info.this_update = TEST_T;
    info.next_update = TEST_T + 10;
    der.data = big;
    der.len = TEST_BIG;

    test_do(publish, "ca", TEST_TOKEN, PKI_LIST_FULL, &info, der, test_done,
            &got.base);
    is_int(got.base.result, PKI_STORE_DONE, "a big one: %s", got.base.error);
    test_news("crl:ca");

    for (n = 0, from = 0; n == 0 || from != 0; n++) {
        test_do(slice, "ca", PKI_LIST_FULL, 12, from, test_values, &got);
        is_int(got.base.result, PKI_STORE_DONE, "slice %zu", n);
        is_int(got.len, n < 3 ? PKI_BOOK_SLICE : 17, "its length");
        is_mem(got.value, big + from, got.len, "its octets");
        from = got.base.next;
    }

    is_int(n, 4, "four");

    test_do(slice, "ca", PKI_LIST_FULL, 12, TEST_BIG, test_values, &got);
    is_int(got.base.result, PKI_STORE_DONE, "behind its end");
    is_int(got.nvalues + got.base.next, 0, "there is nothing");
    test_do(slice, "ca", PKI_LIST_DELTA, 12, 0, test_values, &got);
    is_int(got.base.result, PKI_STORE_NOT_FOUND, "not a delta");
    test_do(slice, "ca", PKI_LIST_FULL, 13, 0, test_values, &got);
    is_int(got.base.result, PKI_STORE_NOT_FOUND, "another number");
}


static void
test_huge(void)
{
    pki_bytes_t      der;
    unsigned char   *octets;
    pki_list_info_t  info;

    octets = malloc(TEST_HUGE);

    if (octets == NULL) {
        printf("Bail out! no memory\n");
        exit(1);
    }

    memset(octets, 0x5a, TEST_HUGE);
    memset(&info, 0, sizeof(info));
    info.number = 1;
    info.this_update = TEST_T;
    info.next_update = TEST_T + 10;
    der.data = octets;
    der.len = TEST_HUGE;

    test_do(lease, "huge", TEST_TOKEN, 60000, test_done, &got.base);
    test_do(publish, "huge", TEST_TOKEN, PKI_LIST_FULL, &info, der, test_done,
            &got.base);
    is_int(got.base.result, PKI_STORE_DONE, "more than a hundred thousand "
           "entries: %s", got.base.error);
    test_news("crl:huge");
    test_do(info, "huge", test_info, &got);
    is_int(got.info[PKI_LIST_FULL].len, TEST_HUGE, "are there");
    test_do(slice, "huge", PKI_LIST_FULL, 1, TEST_HUGE - 1, test_values,
            &got);
    is_int(got.len, 1, "to the last octet");

    free(octets);
}


static void
test_kept(void)
{
    ok(test_ttl("crl:10") > 7200, "the base of the delta stays");
    ok(test_ttl("crl:12") > 3600, "the newest stays");

    is_int(test_put(PKI_LIST_FULL, 14, 0, TEST_TOKEN), PKI_STORE_DONE,
           "a newer one");
    test_news("crl:ca");
    ok(test_ttl("crl:12") > 0 && test_ttl("crl:12") <= 120,
       "the last but one goes");
    ok(test_ttl("crl:10") > 7200, "the base of the delta stays");

    is_int(test_put(PKI_LIST_DELTA, 15, 14, TEST_TOKEN), PKI_STORE_DONE,
           "a newer delta, of the newest");
    test_news("crl:ca");
    ok(test_ttl("delta:11") <= 120, "the last but one goes");
    ok(test_ttl("crl:10") <= 120, "its base goes");
    ok(test_ttl("crl:14") > 7200, "the newest stays");

    is_int(test_put(PKI_LIST_DELTA, 16, 14, TEST_TOKEN), PKI_STORE_DONE,
           "one more");
    test_news("crl:ca");
    ok(test_ttl("crl:14") > 7200, "which stays");
    ok(test_ttl("delta:15") <= 120, "the delta goes");

    test_set("EXPIRE pki:{ca}:delta:16 5");
    is_int(test_put(PKI_LIST_DELTA, 17, 14, TEST_TOKEN), PKI_STORE_DONE,
           "one more");
    test_news("crl:ca");
    ok(test_ttl("delta:16") <= 5, "what ends soon is not kept longer");
}


/* what SET could not store is not named */

static void
test_not_there(void)
{
    test_set("CONFIG SET maxmemory 1");
    is_int(test_put(PKI_LIST_FULL, 20, 0, TEST_TOKEN), PKI_STORE_FAILED,
           "no room in Redis");
    ok(strstr(got.base.error, "OOM"), "says so: %s", got.base.error);
    test_set("CONFIG SET maxmemory 0");
    test_news(NULL);
    test_do(info, "ca", test_info, &got);
    is_int(got.info[PKI_LIST_FULL].number, 14, "the old one is published");
}


static void
test_refused(void)
{
    pki_bytes_t      der;
    pki_list_info_t  info;

    der.data = (const unsigned char *) "x";
    der.len = 1;

#define test_bad(what, set)                                                 \
    do {                                                                    \
        memset(&info, 0, sizeof(info));                                     \
        info.number = 30;                                                   \
        info.this_update = TEST_T;                                          \
        info.next_update = TEST_T + 10;                                     \
        set;                                                                \
        test_do(publish, "ca", TEST_TOKEN, what, &info, der, test_done,     \
                &got.base);                                                 \
        is_int(got.base.result, PKI_STORE_FAILED, "refused: " #set);        \
        ok(strstr(got.base.error, "cannot be") != NULL, "in words");        \
    } while (0)

    test_bad(PKI_LIST_FULL, info.number = 0);
    test_bad(PKI_LIST_FULL, info.number = 9007199254740992ULL);
    test_bad(PKI_LIST_FULL, info.base = 1);
    test_bad(PKI_LIST_DELTA, info.base = 0);
    test_bad(PKI_LIST_DELTA, info.base = 31);
    test_bad(PKI_LIST_FULL, info.this_update = -1);
    test_bad(PKI_LIST_FULL, info.next_update = info.this_update);
    test_bad(PKI_LIST_FULL, info.next_update = 253402300800LL);
    test_bad(PKI_LIST_FULL, der.len = 0);

    der.len = 1;
    test_do(publish, "c a", TEST_TOKEN, PKI_LIST_FULL, &info, der, test_done,
            &got.base);
    is_int(got.base.result, PKI_STORE_FAILED, "no such issuer");
    test_do(publish, "ca", "", PKI_LIST_FULL, &info, der, test_done,
            &got.base);
    is_int(got.base.result, PKI_STORE_FAILED, "no token");
    test_do(lease, "ca", TEST_TOKEN, 0, test_done, &got.base);
    is_int(got.base.result, PKI_STORE_FAILED, "no time");
    test_do(lease, "ca", "\n", 1, test_done, &got.base);
    is_int(got.base.result, PKI_STORE_FAILED, "a line for a token");
    test_do(number, "{}", TEST_TOKEN, test_done, &got.base);
    is_int(got.base.result, PKI_STORE_FAILED, "no such issuer");
    test_do(info, "", test_info, &got);
    is_int(got.base.result, PKI_STORE_FAILED, "no issuer");
    is_int(got.info[0].number, 0, "no number");
    test_do(slice, "ca", PKI_LIST_FULL, 9007199254740992ULL, 0, test_values,
            &got);
    is_int(got.base.result, PKI_STORE_FAILED, "no such number");
    test_do(slice, "ca", PKI_LIST_FULL, 1, (size_t) 1 << 40, test_values,
            &got);
    is_int(got.base.result, PKI_STORE_FAILED, "no such place");
    test_news(NULL);
}


static void
test_unreadable(void)
{
    unsigned  i;
    char      etag[65];

    static const char  *const records[] = {
        "", "1", "2 10 0 1 2 7 %s", "1 0 0 1 2 7 %s", "1 10 0 1 2 0 %s",
        "1 10 0 1 2 %s", "1 10 0 1 2 7 x%s", "1 10 0 1 2 7  %s",
        "1 -1 0 1 2 7 %s", "1 10 0 1 2 7 ABCDEF", "1 010 0 1 2 7 %s",
        "1 10 0 1 253402300800 7 %s", "1 9007199254740992 0 1 2 7 %s",
        ("1 10 0 1 2 7 G123456789abcdef0123456789abcdef0123456789abcdef"
         "0123456789abcdef")
    };

    memset(etag, 'a', 64);
    etag[64] = '\0';

    for (i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        char  text[256];

        (void) snprintf(text, sizeof(text), records[i], etag);
        test_set("HSET pki:{bad}:crl full %s", text);
        test_do(info, "bad", test_info, &got);
        is_int(got.base.result, PKI_STORE_FAILED, "not a record: %s", text);
        is_int(got.info[0].number, 0, "nothing of it");
    }

    test_set("HSET pki:{ca}:crl delta nonsense");
    is_int(test_put(PKI_LIST_FULL, 40, 0, TEST_TOKEN), PKI_STORE_FAILED,
           "nothing is published beside it");
    ok(strstr(got.base.error, "unreadable list record"), "in words: %s",
       got.base.error);
    test_set("HDEL pki:{ca}:crl delta");

    test_set("LPUSH pki:{bad}:crl:5 x");
    test_do(slice, "bad", PKI_LIST_FULL, 5, 0, test_values, &got);
    is_int(got.base.result, PKI_STORE_FAILED, "a list of Redis");
    test_set("DEL pki:{bad}:crl");
    test_set("SET pki:{bad}:crl x");
    test_do(info, "bad", test_info, &got);
    is_int(got.base.result, PKI_STORE_FAILED, "not a hash");
    test_news(NULL);
}


/* A question, and a reply that Redis should not give. */

#define test_reply(verb, reply, want)                                       \
    do {                                                                    \
        memset(&got, 0, sizeof(got));                                       \
        verb;                                                               \
        answer(reply);                                                      \
        is_int(got.base.calls, 1, "called once");                           \
        is_int(got.base.result, want, "%s", #reply);                        \
    } while (0)

#define test_ask_info()                                                     \
    pki_list_info(&pki_test_transport, "ca", test_info, &got)

#define test_ask_slice()                                                    \
    pki_list_slice(&pki_test_transport, "ca", PKI_LIST_FULL, 1, 0,          \
                   test_values, &got)


static void
test_replies(void)
{
    pki_bytes_t      der = { (const unsigned char *) "x", 1 };
    pki_list_info_t  info = { 1, 0, 1, 2, 0, "" };

    test_reply(test_ask_info(), "*2\r\n$-1\r\n$-1\r\n", PKI_STORE_DONE);
    test_reply(test_ask_info(), "*1\r\n$-1\r\n", PKI_STORE_FAILED);
    test_reply(test_ask_info(), "*3\r\n$-1\r\n$-1\r\n$-1\r\n",
               PKI_STORE_FAILED);
    test_reply(test_ask_info(), "*2\r\n:1\r\n$-1\r\n", PKI_STORE_FAILED);
    test_reply(test_ask_info(), "-ERR no\r\n", PKI_STORE_FAILED);
    is_str(got.base.error, "Redis replied \"ERR no\"", "in words");

    test_reply(test_ask_slice(), "*2\r\n:0\r\n*2\r\n$1\r\n0\r\n$1\r\nx\r\n",
               PKI_STORE_DONE);
    is_int(got.nvalues, 1, "a slice");
    test_reply(test_ask_slice(), "*2\r\n:3\r\n*0\r\n", PKI_STORE_NOT_FOUND);
    is_int(got.nvalues, 0, "none");
    test_reply(test_ask_slice(), "*2\r\n:0\r\n*0\r\n", PKI_STORE_FAILED);
    test_reply(test_ask_slice(), "*2\r\n:0\r\n*2\r\n:0\r\n$1\r\nx\r\n",
               PKI_STORE_FAILED);
    test_reply(test_ask_slice(), "*2\r\n:0\r\n*2\r\n$1\r\nx\r\n$1\r\nx\r\n",
               PKI_STORE_FAILED);
    test_reply(test_ask_slice(), "*2\r\n:9\r\n*0\r\n", PKI_STORE_FAILED);
    test_reply(test_ask_slice(), "+OK\r\n", PKI_STORE_FAILED);

    memset(&got, 0, sizeof(got));
    test_ask_slice();
    no_answer();
    is_int(got.base.result, PKI_STORE_FAILED, "no reply");

    memset(&got, 0, sizeof(got));
    pki_list_publish(&pki_test_transport, "ca", TEST_TOKEN, PKI_LIST_FULL,
                     &info, der, test_done, &got.base);
    is_int(pki_test_nsent, 2, "two commands");
    answer("-READONLY You can't write\r\n");
    is_int(got.base.calls, 0, "not yet");
    answer("-ERR the list is not there\r\n");
    is_int(got.base.result, PKI_STORE_FAILED, "failed");
    ok(strstr(got.base.error, "READONLY"), "as the first said");

    memset(&got, 0, sizeof(got));
    pki_list_publish(&pki_test_transport, "ca", TEST_TOKEN, PKI_LIST_FULL,
                     &info, der, test_done, &got.base);
    answer("+OK\r\n");
    no_answer();
    is_int(got.base.result, PKI_STORE_FAILED, "the link is lost between");
    is_str(got.base.error, "no reply of Redis", "in words");
}


static void
test_no_memory(void)
{
    long  i;

    for (i = 1; i < 100; i++) {
        memset(&got, 0, sizeof(got));
        pki_test_fail_at(i);
        (void) test_put(PKI_LIST_FULL, 50, 0, TEST_TOKEN);
        pki_test_fail_at(0);

        if (got.base.result == PKI_STORE_DONE) {
            break;
        }

        is_int(got.base.result, PKI_STORE_FAILED, "without allocation %ld",
               i);
    }

    ok(i > 1 && i < 100, "published at last");
    test_news("crl:ca");

    for (i = 1; i < 100; i++) {
        memset(&got, 0, sizeof(got));
        pki_test_fail_at(i);
        pki_list_info(test_transport, "ca", test_info, &got);
        pki_test_fail_at(0);
        test_wait();

        if (got.base.result == PKI_STORE_DONE) {
            break;
        }

        is_str(got.base.error, "out of memory", "without allocation %ld", i);
    }

    ok(i > 1 && i < 100, "read at last");
}


static void
test_killed(void)
{
    pki_err_t  err;

    memset(&got, 0, sizeof(got));
    pki_test_redis_kill(SIGKILL);
    pki_list_info(test_transport, "ca", test_info, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.base.calls, 1, "called once without Redis");
    is_int(got.base.result, PKI_STORE_FAILED, "failed");
}

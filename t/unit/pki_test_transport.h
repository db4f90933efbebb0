
/*
 * A transport for tests without Redis: it keeps what was sent, and a test
 * answers the oldest command with a text in Redis' protocol, or with NULL.
 */

#ifndef PKI_TEST_TRANSPORT_H
#define PKI_TEST_TRANSPORT_H


#include "pki_test.h"
#include "pki_redis.h"


#define PKI_TEST_SENT_MAX  64


typedef struct {
    pki_redis_reply_pt    reply;
    void                 *data;
    int                   argc;
    char                  name[8];          /* the first argument */
    char                  key[512];         /* the second */
} pki_test_sent_t;


static pki_test_sent_t  pki_test_sent[PKI_TEST_SENT_MAX];
static int              pki_test_nsent;


static void
pki_test_send(pki_redis_t *redis, int argc, const char **argv,
    const size_t *argvlen, pki_redis_reply_pt reply, void *data)
{
    pki_test_sent_t  *sent;

    (void) redis;

    if (pki_test_nsent == PKI_TEST_SENT_MAX) {
        printf("Bail out! too many commands\n");
        exit(1);
    }

    sent = &pki_test_sent[pki_test_nsent++];
    sent->reply = reply;
    sent->data = data;
    sent->argc = argc;

    (void) snprintf(sent->name, sizeof(sent->name), "%.*s",
                    (int) argvlen[0], argv[0]);
    (void) snprintf(sent->key, sizeof(sent->key), "%.*s",
                    argc > 1 ? (int) argvlen[1] : 0, argc > 1 ? argv[1] : "");
}


static pki_redis_t  pki_test_transport = { pki_test_send };


static void
pki_test_answer(const char *text, size_t len)
{
    void             *reply;
    redisReader      *reader;
    pki_test_sent_t   sent;

    reply = NULL;
    reader = redisReaderCreate();

    if (text != NULL
        && (reader == NULL
            || redisReaderFeed(reader, text, len) != REDIS_OK
            || redisReaderGetReply(reader, &reply) != REDIS_OK
            || reply == NULL))
    {
        printf("Bail out! not a reply: %s\n", text);
        exit(1);
    }

    if (pki_test_nsent == 0) {
        printf("Bail out! nobody asked\n");
        exit(1);
    }

    sent = pki_test_sent[0];
    memmove(pki_test_sent, pki_test_sent + 1,
            --pki_test_nsent * sizeof(pki_test_sent_t));

    sent.reply(sent.data, reply);

    if (reply != NULL) {
        freeReplyObject(reply);
    }

    redisReaderFree(reader);
}


#define answer(text)  pki_test_answer(text, sizeof(text) - 1)
#define no_answer()   pki_test_answer(NULL, 0)


#endif /* PKI_TEST_TRANSPORT_H */

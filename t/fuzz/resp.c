
/*
 * Whatever Redis might reply: the input's first octet says which verbs are
 * sent, the rest goes through hiredis' reader, and each reply that comes
 * out answers the oldest command.  The rest is also read as each kind of
 * record.  A callback that does not come exactly once aborts.
 */

#include <stdlib.h>
#include <string.h>

#include "pki_store.h"


#define FUZZ_SENT_MAX   32
#define FUZZ_ARRAY_MAX  4096    /* hiredis believes any length */


typedef struct {
    pki_redis_reply_pt   reply;
    void                *data;
} fuzz_sent_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_send(pki_redis_t *redis, int argc, const char **argv,
    const size_t *argvlen, pki_redis_reply_pt reply, void *data);
static void fuzz_answer(const redisReply *reply);
static void *fuzz_array(const redisReadTask *task, int elements);
static void fuzz_found(void *data, const pki_store_found_t *found);
static void fuzz_changed(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error);
static void fuzz_done(void *data, pki_store_result_t result, long long n,
    const char *error);
static void fuzz_revocation(const pki_revocation_t *revocation);
static unsigned fuzz_verbs(unsigned which, int *calls);
static void fuzz_replies(const uint8_t *data, size_t size);
static void fuzz_records(pki_bytes_t text);


static pki_redis_t                  fuzz_transport = { fuzz_send };
static fuzz_sent_t                  fuzz_sent[FUZZ_SENT_MAX];
static unsigned                     fuzz_first;
static unsigned                     fuzz_last;
static redisReplyObjectFunctions    fuzz_functions;
static void *(*fuzz_create_array)(const redisReadTask *task, int elements);


#define fuzz_check(yes)  if (!(yes)) { abort(); }


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int          calls;
    unsigned     owed;
    pki_bytes_t  text;

    if (size == 0) {
        return 0;
    }

    text.data = data + 1;
    text.len = size - 1;
    fuzz_records(text);

    calls = 0;
    fuzz_first = 0;
    fuzz_last = 0;

    owed = fuzz_verbs(data[0], &calls);
    fuzz_check(calls == 0);

    fuzz_replies(data + 1, size - 1);

    while (fuzz_first < fuzz_last) {
        fuzz_answer(NULL);
    }

    fuzz_check(calls == (int) owed);

    return 0;
}


static void
fuzz_send(pki_redis_t *redis, int argc, const char **argv,
    const size_t *argvlen, pki_redis_reply_pt reply, void *data)
{
    int  i;

    (void) redis;

    for (i = 0; i < argc; i++) {
        fuzz_check(strlen(argv[i]) == argvlen[i]);
    }

    fuzz_check(fuzz_last < FUZZ_SENT_MAX);

    fuzz_sent[fuzz_last].reply = reply;
    fuzz_sent[fuzz_last].data = data;
    fuzz_last++;
}


static void
fuzz_answer(const redisReply *reply)
{
    fuzz_sent_t  *sent;

    sent = &fuzz_sent[fuzz_first++];
    sent->reply(sent->data, reply);
}


static void *
fuzz_array(const redisReadTask *task, int elements)
{
    return elements > FUZZ_ARRAY_MAX ? NULL
                                     : fuzz_create_array(task, elements);
}


static void
fuzz_found(void *data, const pki_store_found_t *found)
{
    unsigned  i;

    ++*(int *) data;

    if (found->result == PKI_STORE_FAILED) {
        fuzz_check(found->error != NULL && found->error[0] != '\0');
        return;
    }

    fuzz_check(found->result == PKI_STORE_DONE && found->error == NULL);
    fuzz_check(found->facts.nobjects == 2);

    if (found->facts.manual != PKI_REASON_NONE) {
        fuzz_revocation(&found->revocation);
    }

    if (found->facts.recorded) {
        fuzz_check(strlen(found->record.source) > 0);
        fuzz_check(strlen(found->record.requester) <= PKI_STORE_WHO_MAX);
    }

    for (i = 0; i < found->facts.nobjects; i++) {
        fuzz_check(strlen(found->facts.objects[i].id) == 3);
        fuzz_check(found->facts.objects[i].synced_at >= 0);
        fuzz_check(found->facts.objects[i].found
                   || found->facts.objects[i].state == 0);
    }
}


static void
fuzz_changed(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error)
{
    ++*(int *) data;

    fuzz_check((result == PKI_STORE_FAILED) == (error != NULL));

    if (result == PKI_STORE_SAME || result == PKI_STORE_CONFLICT) {
        fuzz_check(present != NULL);
    }

    if (present != NULL) {
        fuzz_check(error == NULL);
        fuzz_revocation(present);
    }
}


static void
fuzz_done(void *data, pki_store_result_t result, long long n,
    const char *error)
{
    ++*(int *) data;

    fuzz_check((result == PKI_STORE_FAILED) == (error != NULL));
    fuzz_check(n >= 0 && n <= PKI_STORE_APPLY_MAX);
}


static void
fuzz_revocation(const pki_revocation_t *revocation)
{
    size_t  i;

    fuzz_check(pki_reason_valid(revocation->reason));
    fuzz_check(revocation->at >= 0 && revocation->invalidity >= 0);
    fuzz_check(strlen(revocation->who) <= PKI_STORE_WHO_MAX);

    for (i = 0; revocation->who[i]; i++) {
        fuzz_check((unsigned char) revocation->who[i] >= 0x20);
    }
}


/* Returns how many callbacks are owed. */

static unsigned
fuzz_verbs(unsigned which, int *calls)
{
    unsigned            n;
    pki_actor_t         actor = { "who", "from", NULL, 1 };
    pki_record_t        record = { 1, 2, "API", "who" };
    pki_serial_t        serial = { { 0x40 }, 1 };
    pki_revocation_t    revocation = { PKI_REASON_SUPERSEDED, 1, 0, "who" };
    pki_store_query_t   query;
    pki_store_object_t  object = { "d/1", 0, 1 };

    memset(&query, 0, sizeof(query));
    query.issuer = "ca";
    query.serial = serial;
    query.nobjects = 2;
    query.objects[0].directory = "a";
    query.objects[0].id = "d/1";
    query.objects[1].directory = "b";
    query.objects[1].id = "u/2";

    n = 0;

    if (which & 0x01) {
        pki_store_find(&fuzz_transport, &query, fuzz_found, calls);
        n++;
    }

    if (which & 0x02) {
        pki_store_revoke(&fuzz_transport, "ca", &serial, &revocation, &actor,
                         0, fuzz_changed, calls);
        n++;
    }

    if (which & 0x04) {
        pki_store_release(&fuzz_transport, "ca", &serial, &actor,
                          fuzz_changed, calls);
        n++;
    }

    if (which & 0x08) {
        pki_store_record(&fuzz_transport, "ca", &serial, &record, fuzz_done,
                         calls);
        n++;
    }

    if (which & 0x10) {
        pki_store_lease(&fuzz_transport, "a", "t", 1, fuzz_done, calls);
        n++;
    }

    if (which & 0x20) {
        pki_store_apply(&fuzz_transport, "a", "t", &object, 1, fuzz_done,
                        calls);
        n++;
    }

    if (which & 0x40) {
        pki_store_commit(&fuzz_transport, "a", "t", "l", 1, fuzz_done, calls);
        n++;
    }

    if (which & 0x80) {
        pki_store_find(&fuzz_transport, &query, fuzz_found, calls);
        n++;
    }

    return n;
}


static void
fuzz_replies(const uint8_t *data, size_t size)
{
    void         *reply;
    redisReader  *reader;

    reader = redisReaderCreate();
    fuzz_check(reader != NULL);

    fuzz_functions = *reader->fn;
    fuzz_create_array = fuzz_functions.createArray;
    fuzz_functions.createArray = fuzz_array;
    reader->fn = &fuzz_functions;

    if (redisReaderFeed(reader, (const char *) data, size) == REDIS_OK) {

        while (fuzz_first < fuzz_last
               && redisReaderGetReply(reader, &reply) == REDIS_OK
               && reply != NULL)
        {
            fuzz_answer(reply);
            freeReplyObject(reply);
        }
    }

    redisReaderFree(reader);
}


static void
fuzz_records(pki_bytes_t text)
{
    time_t            since;
    unsigned          state;
    pki_record_t      record;
    pki_revocation_t  revocation;

    if (pki_record_read(text, &record) == PKI_OK) {
        fuzz_check(record.source[0] != '\0' && record.not_after >= 0);
    }

    if (pki_revocation_read(text, &revocation) == PKI_OK) {
        fuzz_revocation(&revocation);
    }

    if (pki_object_read(text, &state, &since) == PKI_OK) {
        fuzz_check(since >= 0);
    }
}

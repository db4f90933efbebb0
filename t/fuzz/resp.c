
/*
 * Whatever Redis might reply: the input's first octet says which verbs are
 * sent, the rest goes through hiredis' reader, and each reply that comes
 * out answers the oldest command.  The rest is also read as each kind of
 * record.  A callback that does not come exactly once aborts.
 */

#include <stdlib.h>
#include <string.h>

#include "pki_book.h"
#include "pki_state.h"


#define FUZZ_SENT_MAX   40
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
static void fuzz_applied(void *data, pki_store_result_t result,
    const pki_state_applied_t *applied, const char *error);
static void fuzz_synced(void *data, pki_store_result_t result,
    const pki_state_sync_t *sync, const char *error);
static void fuzz_listed(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error);
static void fuzz_values(void *data, pki_store_result_t result,
    const pki_bytes_t *values, size_t n, unsigned long long next,
    const char *error);
static void fuzz_revocation(const pki_revocation_t *revocation);
static unsigned fuzz_verbs(unsigned which, int *calls);
static unsigned fuzz_books(unsigned which, int *calls);
static unsigned fuzz_states(unsigned which, int *calls);
static void fuzz_replies(const uint8_t *data, size_t size);
static void fuzz_records(pki_bytes_t text);


static pki_redis_t                  fuzz_transport = { fuzz_send };
static fuzz_sent_t                  fuzz_sent[FUZZ_SENT_MAX];
static unsigned                     fuzz_first;
static unsigned                     fuzz_last;
static volatile unsigned            fuzz_read;  /* each octet has been */
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
        fuzz_read += memchr(argv[i], 0, argvlen[i]) != NULL;
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
        fuzz_check(strlen(found->aliases[i]) < PKI_OBJECT_ID_SIZE);
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
    fuzz_check(n >= 0);
}


static void
fuzz_applied(void *data, pki_store_result_t result,
    const pki_state_applied_t *applied, const char *error)
{
    ++*(int *) data;

    fuzz_check((result == PKI_STORE_FAILED) == (error != NULL));
    fuzz_check(applied->changed >= 0
               && applied->changed <= PKI_STATE_APPLY_MAX);
    fuzz_check(applied->staged >= 0
               && applied->staged <= PKI_STATE_APPLY_MAX);
    fuzz_check(applied->deferred >= 0
               && applied->deferred <= PKI_STATE_APPLY_MAX);
}


static void
fuzz_synced(void *data, pki_store_result_t result,
    const pki_state_sync_t *sync, const char *error)
{
    ++*(int *) data;

    fuzz_check((result == PKI_STORE_FAILED) == (error != NULL));
    fuzz_check(sync->at >= 0 && sync->round >= 0 && sync->known >= 0);
    fuzz_check(sync->link == NULL || error == NULL);
}


static void
fuzz_listed(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error)
{
    size_t  i, len;

    ++*(int *) data;

    fuzz_check((result == PKI_STORE_FAILED) == (error != NULL));
    fuzz_check(n <= PKI_STATE_LIST_MAX);
    fuzz_check(error == NULL || (n == 0 && next == 0));

    for (len = 0, i = 0; i < n; i++) {
        len += strlen(items[i].name) + strlen(items[i].value);
    }

    fuzz_check(len < 0x100000);
}


static void
fuzz_values(void *data, pki_store_result_t result, const pki_bytes_t *values,
    size_t n, unsigned long long next, const char *error)
{
    size_t  i;

    fuzz_done(data, result, (long long) n, error);
    fuzz_check(result == PKI_STORE_DONE || (n == 0 && next == 0));

    for (i = 0; i < n; i++) {
        fuzz_check(values[i].len == 0 || values[i].data != NULL);
        fuzz_read += values[i].len
                     && memchr(values[i].data, 0, values[i].len) != NULL;
    }
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
    pki_serial_t        serial = { { 0x40 }, 1 };
    pki_revocation_t    revocation = { PKI_REASON_SUPERSEDED, 1, 0, "who" };
    pki_store_query_t   query;

    memset(&query, 0, sizeof(query));
    query.issuer = "ca";
    query.serial = serial;
    query.nobjects = 2;
    query.objects[0].directory = "a";
    query.objects[0].id = "d/1";
    query.objects[0].resources[0] = "r";
    query.objects[0].resources[1] = "s";
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

    return n + fuzz_books(which, calls) + fuzz_states(which, calls);
}


static unsigned
fuzz_books(unsigned which, int *calls)
{
    pki_row_t          row;
    pki_redis_t       *redis;
    pki_actor_t        actor = { "who", "from", NULL, 1 };
    pki_serial_t       serials[2] = { { { 0x40 }, 1 }, { { 0x41 }, 1 } };
    pki_book_entry_t   entry = { &row, { NULL, 0 } };
    static const char  sha1[] = "0123456789abcdefABCDEF000000000000000000";

    if (!(which & 0x08)) {
        return 0;
    }

    memset(&row, 0, sizeof(row));
    row.serial = serials[0];
    row.thumbprint.data = (const unsigned char *) sha1;
    row.thumbprint.len = sizeof(sha1) - 1;
    entry.der = row.thumbprint;

    redis = &fuzz_transport;

    pki_book_record(redis, "ca", &entry, "issue", &actor, fuzz_done, calls);
    pki_book_newest(redis, "ca", fuzz_done, calls);
    pki_book_page(redis, "ca", 1, fuzz_values, calls);
    pki_book_rows(redis, "ca", serials, 2, fuzz_values, calls);
    pki_book_thumbprint(redis, "ca", sha1, fuzz_values, calls);
    pki_book_object(redis, "ca", "device/1", 0, fuzz_values, calls);
    pki_book_revocations(redis, "ca", serials, 2, fuzz_values, calls);
    pki_book_revoked(redis, "ca", 0, fuzz_values, calls);
    pki_book_history(redis, "ca", serials, 0, fuzz_values, calls);

    return 9;
}


static unsigned
fuzz_states(unsigned which, int *calls)
{
    unsigned            n;
    pki_redis_t        *redis;
    pki_state_batch_t   batch = { .directory = "a", .token = "t",
                                  .resource = "r", .round = 1 };
    pki_state_object_t  object = { .id = "d/1", .mask = 1, .name = "n" };

    n = 0;
    redis = &fuzz_transport;

    if (which & 0x10) {
        pki_state_lease(redis, "a", "t", 1, fuzz_done, calls);
        pki_state_begin(redis, "a", "t", "r", fuzz_done, calls);
        pki_state_commit(redis, "a", "t", "r", "l", 1, 1, fuzz_done, calls);
        n += 3;
    }

    if (which & 0x20) {
        pki_state_apply(redis, &batch, &object, 1, fuzz_applied, calls);
        pki_state_settle(redis, &batch, fuzz_done, calls);
        pki_state_push(redis, "a", 0, &object, 1, fuzz_applied, calls);
        n += 3;
    }

    if (which & 0x40) {
        pki_state_sync(redis, "a", "r", fuzz_synced, calls);
        n++;
    }

    if (which & 0x80) {
        pki_state_unseen(redis, "a", "r", 1, 3, 0, fuzz_listed, calls);
        pki_state_object(redis, "a", "d/1", fuzz_listed, calls);
        pki_state_status(redis, "a", fuzz_listed, calls);
        n += 3;
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
    char              alias[PKI_OBJECT_ID_SIZE];
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

    if (pki_object_read(text, &state, &since, alias) == PKI_OK) {
        fuzz_check(since >= 0 && strlen(alias) < sizeof(alias));
        fuzz_check(strchr(alias, ' ') == NULL);
    }
}

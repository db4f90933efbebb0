
/*
 * A callback that a verb owes: called exactly once, and never from inside
 * the verb, whatever happens.
 *
 * A verb that cannot begin sends a PING and fails when that is answered.
 * Without memory not even the callback could be kept until then; but a
 * program has few different callbacks, so each is given a seat, and each
 * seat has a function of its own: the PING carries the caller's data, the
 * function knows its seat, and the seat knows the callback.
 */

#include "pki_cell.h"

#include <string.h>
#include <openssl/crypto.h>


#define PKI_CELL_SAID_MAX  200          /* of an error of Redis */


static void pki_cell_refused(void *data, const redisReply *reply);
static int pki_cell_seat(pki_cell_kind_t kind, pki_cell_call_pt call);
static void pki_cell_seated(unsigned seat, void *data);


/* Taken once, never given back; any thread. */

static pki_cell_call_pt  pki_cell_seats[PKI_CELL_N * PKI_STORE_CALLBACKS];


#define PKI_CELL_SEAT(kind, n)                                              \
    static void                                                             \
    pki_cell_seat_##kind##_##n(void *data, const redisReply *reply)         \
    {                                                                       \
        (void) reply;                                                       \
        pki_cell_seated(kind * PKI_STORE_CALLBACKS + n, data);              \
    }

#define PKI_CELL_SEATS_OF(kind)                                             \
    PKI_CELL_SEAT(kind, 0)  PKI_CELL_SEAT(kind, 1)                          \
    PKI_CELL_SEAT(kind, 2)  PKI_CELL_SEAT(kind, 3)                          \
    PKI_CELL_SEAT(kind, 4)  PKI_CELL_SEAT(kind, 5)                          \
    PKI_CELL_SEAT(kind, 6)  PKI_CELL_SEAT(kind, 7)

#define PKI_CELL_SEAT_NAMES(kind)                                           \
    pki_cell_seat_##kind##_0, pki_cell_seat_##kind##_1,                     \
    pki_cell_seat_##kind##_2, pki_cell_seat_##kind##_3,                     \
    pki_cell_seat_##kind##_4, pki_cell_seat_##kind##_5,                     \
    pki_cell_seat_##kind##_6, pki_cell_seat_##kind##_7


PKI_CELL_SEATS_OF(0)
PKI_CELL_SEATS_OF(1)
PKI_CELL_SEATS_OF(2)
PKI_CELL_SEATS_OF(3)
PKI_CELL_SEATS_OF(4)
PKI_CELL_SEATS_OF(5)


static const pki_redis_reply_pt
    pki_cell_seat_replies[PKI_CELL_N * PKI_STORE_CALLBACKS] =
{
    PKI_CELL_SEAT_NAMES(0),
    PKI_CELL_SEAT_NAMES(1),
    PKI_CELL_SEAT_NAMES(2),
    PKI_CELL_SEAT_NAMES(3),
    PKI_CELL_SEAT_NAMES(4),
    PKI_CELL_SEAT_NAMES(5)
};


static const pki_cell_args_t  pki_cell_ping = { 1, { "PING" }, { 4 } };


/*
 * A callback without a seat is refused even while there is memory, so that
 * nobody finds out on a bad day that there are too many.
 */

void *
pki_cell_begin(pki_redis_t *redis, pki_cell_kind_t kind,
    pki_cell_call_pt call, void *data, const char *refused, size_t size)
{
    int          seat;
    pki_cell_t  *cell, unkept;

    unkept.kind = kind;
    unkept.call = call;
    unkept.data = data;

    seat = pki_cell_seat(kind, call);

    if (seat < 0) {
        refused = "too many different callbacks";
    }

    cell = OPENSSL_zalloc(size);

    if (cell == NULL && seat < 0) {
        pki_cell_fail(&unkept, refused);
        return NULL;
    }

    if (cell == NULL) {
        pki_cell_send(redis, &pki_cell_ping, pki_cell_seat_replies[seat],
                      data);
        return NULL;
    }

    *cell = unkept;
    cell->refused = refused;

    if (refused != NULL) {
        pki_cell_send(redis, &pki_cell_ping, pki_cell_refused, cell);
        return NULL;
    }

    return cell;
}


void
pki_cell_fail(const pki_cell_t *cell, const char *error)
{
    pki_state_sync_t     sync;
    pki_store_found_t    found;
    pki_state_applied_t  applied;

    switch (cell->kind) {

    case PKI_CELL_FOUND:
        memset(&found, 0, sizeof(pki_store_found_t));
        found.result = PKI_STORE_FAILED;
        found.error = error;

        ((pki_store_found_pt) cell->call)(cell->data, &found);
        break;

    case PKI_CELL_CHANGED:
        ((pki_store_changed_pt) cell->call)(cell->data, PKI_STORE_FAILED,
                                            NULL, error);
        break;

    case PKI_CELL_APPLIED:
        memset(&applied, 0, sizeof(pki_state_applied_t));

        ((pki_state_applied_pt) cell->call)(cell->data, PKI_STORE_FAILED,
                                            &applied, error);
        break;

    case PKI_CELL_SYNC:
        memset(&sync, 0, sizeof(pki_state_sync_t));

        ((pki_state_sync_pt) cell->call)(cell->data, PKI_STORE_FAILED, &sync,
                                         error);
        break;

    case PKI_CELL_LIST:
        ((pki_state_list_pt) cell->call)(cell->data, PKI_STORE_FAILED, NULL,
                                         0, 0, error);
        break;

    default: /* PKI_CELL_DONE */
        ((pki_store_done_pt) cell->call)(cell->data, PKI_STORE_FAILED, 0,
                                         error);
        break;
    }
}


static void
pki_cell_refused(void *data, const redisReply *reply)
{
    pki_cell_t  *cell = data;

    (void) reply;

    pki_cell_fail(cell, cell->refused);
    OPENSSL_free(cell);
}


/* Finds the callback's seat or gives it one; -1: all are taken. */

static int
pki_cell_seat(pki_cell_kind_t kind, pki_cell_call_pt call)
{
    int               i;
    pki_cell_call_pt  taken;

    for (i = kind * PKI_STORE_CALLBACKS;
         i < (int) (kind + 1) * PKI_STORE_CALLBACKS;
         i++)
    {
        taken = NULL;

        if (__atomic_compare_exchange_n(&pki_cell_seats[i], &taken, call, 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
            || taken == call)
        {
            return i;
        }
    }

    return -1;
}


static void
pki_cell_seated(unsigned seat, void *data)
{
    pki_cell_t  cell;

    cell.kind = seat / PKI_STORE_CALLBACKS;
    cell.call = __atomic_load_n(&pki_cell_seats[seat], __ATOMIC_ACQUIRE);
    cell.data = data;

    pki_cell_fail(&cell, "out of memory");
}


void
pki_cell_done(void *data, const redisReply *reply)
{
    pki_cell_t *cell = data;

    pki_err_t           err;
    const char         *error;
    pki_store_result_t  result;

    error = pki_cell_result(reply, REDIS_REPLY_INTEGER, &result, &err);

    if (error == NULL && reply->element[1]->integer < 0) {
        error = "Redis replied with a number that cannot be";
    }

    if (error != NULL) {
        pki_cell_fail(cell, error);

    } else {
        ((pki_store_done_pt) cell->call)(cell->data, result,
                                         reply->element[1]->integer, NULL);
    }

    OPENSSL_free(cell);
}


const char *
pki_cell_result(const redisReply *reply, int type,
    pki_store_result_t *result, pki_err_t *err)
{
    long long    code;
    const char  *error;

    error = pki_cell_said(reply, REDIS_REPLY_ARRAY, err);
    if (error != NULL) {
        return error;
    }

    if (reply->elements != 2) {
        return "unexpected reply of Redis";
    }

    error = pki_cell_said(reply->element[0], REDIS_REPLY_INTEGER, err);
    if (error == NULL) {
        error = pki_cell_said(reply->element[1], type, err);
    }

    if (error != NULL) {
        return error;
    }

    code = reply->element[0]->integer;

    if (code < PKI_STORE_DONE || code > PKI_STORE_NOT_FOUND) {
        return "unexpected result of a script";
    }

    *result = (pki_store_result_t) code;

    return NULL;
}


const char *
pki_cell_said(const redisReply *reply, int type, pki_err_t *err)
{
    int  len;

    if (reply == NULL) {
        return "no reply of Redis";
    }

    if (reply->type == type) {
        return NULL;
    }

    if (reply->type != REDIS_REPLY_ERROR) {
        return "unexpected reply of Redis";
    }

    len = reply->len > PKI_CELL_SAID_MAX ? PKI_CELL_SAID_MAX
                                         : (int) reply->len;

    pki_err_set(err, "Redis replied \"%.*s\"", len, reply->str);

    return err->text;
}


void
pki_cell_arg(pki_cell_args_t *args, const char *arg)
{
    args->argv[args->argc] = arg;
    args->len[args->argc] = strlen(arg);
    args->argc++;
}


void
pki_cell_send(pki_redis_t *redis, const pki_cell_args_t *args,
    pki_redis_reply_pt reply, void *data)
{
    redis->send(redis, args->argc, (const char **) args->argv, args->len,
                reply, data);
}

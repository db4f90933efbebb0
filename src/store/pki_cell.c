
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


typedef struct {
    pki_cell_call_pt   call;            /* taken once, never given back */
    pki_cell_fail_pt   fail;            /* goes with call */
} pki_cell_seat_t;


static void *pki_cell_make(pki_redis_t *redis, const pki_cell_t *made,
    size_t size);
static void pki_cell_fail_found(pki_cell_call_pt call, void *data,
    const char *error);
static void pki_cell_fail_changed(pki_cell_call_pt call, void *data,
    const char *error);
static void pki_cell_fail_done(pki_cell_call_pt call, void *data,
    const char *error);
static void pki_cell_fail_applied(pki_cell_call_pt call, void *data,
    const char *error);
static void pki_cell_fail_sync(pki_cell_call_pt call, void *data,
    const char *error);
static void pki_cell_fail_list(pki_cell_call_pt call, void *data,
    const char *error);
static void pki_cell_fail_values(pki_cell_call_pt call, void *data,
    const char *error);
static void pki_cell_refused(void *data, const redisReply *reply);
static int pki_cell_seat(const pki_cell_t *cell);
static void pki_cell_seated(unsigned seat, void *data);


/* by pki_cell_kind_t */

static const pki_cell_fail_pt  pki_cell_fails[] = {
    pki_cell_fail_found, pki_cell_fail_changed, pki_cell_fail_done,
    pki_cell_fail_applied, pki_cell_fail_sync, pki_cell_fail_list,
    pki_cell_fail_values
};


static pki_cell_seat_t  pki_cell_seats[PKI_STORE_CALLBACKS];    /* of any
                                                                   thread */


#define PKI_CELL_SEAT(n)                                                    \
    static void                                                             \
    pki_cell_seat_##n(void *data, const redisReply *reply)                  \
    {                                                                       \
        (void) reply;                                                       \
        pki_cell_seated(0##n, data);                                        \
    }

/* seats are numbered in octal digits */

#define PKI_CELL_SEATS(row)                                                 \
    PKI_CELL_SEAT(row##0)  PKI_CELL_SEAT(row##1)                            \
    PKI_CELL_SEAT(row##2)  PKI_CELL_SEAT(row##3)                            \
    PKI_CELL_SEAT(row##4)  PKI_CELL_SEAT(row##5)                            \
    PKI_CELL_SEAT(row##6)  PKI_CELL_SEAT(row##7)

#define PKI_CELL_NAMES(row)                                                 \
    pki_cell_seat_##row##0, pki_cell_seat_##row##1,                         \
    pki_cell_seat_##row##2, pki_cell_seat_##row##3,                         \
    pki_cell_seat_##row##4, pki_cell_seat_##row##5,                         \
    pki_cell_seat_##row##6, pki_cell_seat_##row##7

#define PKI_CELL_ROWS(of, sep)                                              \
    of(0) sep of(1) sep of(2) sep of(3) sep                                 \
    of(4) sep of(5) sep of(6) sep of(7) sep                                 \
    of(10) sep of(11) sep of(12) sep of(13) sep                             \
    of(14) sep of(15) sep of(16) sep of(17)

#define PKI_CELL_NOTHING
#define PKI_CELL_COMMA  ,


PKI_CELL_ROWS(PKI_CELL_SEATS, PKI_CELL_NOTHING)


static const pki_redis_reply_pt
    pki_cell_seat_replies[PKI_STORE_CALLBACKS] =
{
    PKI_CELL_ROWS(PKI_CELL_NAMES, PKI_CELL_COMMA)
};


static const pki_cell_args_t  pki_cell_ping = { 1, { "PING" }, { 4 } };


void *
pki_cell_begin(pki_redis_t *redis, pki_cell_kind_t kind,
    pki_cell_call_pt call, void *data, const char *refused, size_t size)
{
    pki_cell_t  made;

    made.kind = kind;
    made.fail = pki_cell_fails[kind];
    made.call = call;
    made.data = data;
    made.refused = refused;

    return pki_cell_make(redis, &made, size);
}


void *
pki_cell_begin_other(pki_redis_t *redis, pki_cell_fail_pt fail,
    pki_cell_call_pt call, void *data, const char *refused, size_t size)
{
    pki_cell_t  made;

    made.kind = PKI_CELL_OTHER;
    made.fail = fail;
    made.call = call;
    made.data = data;
    made.refused = refused;

    return pki_cell_make(redis, &made, size);
}


/*
 * A callback without a seat is refused even while there is memory, so that
 * nobody finds out on a bad day that there are too many.
 */

static void *
pki_cell_make(pki_redis_t *redis, const pki_cell_t *made, size_t size)
{
    int          seat;
    pki_cell_t  *cell;

    seat = pki_cell_seat(made);
    cell = OPENSSL_zalloc(size);

    if (cell == NULL && seat < 0) {
        pki_cell_fail(made, "too many different callbacks");
        return NULL;
    }

    if (cell == NULL) {
        pki_cell_send(redis, &pki_cell_ping, pki_cell_seat_replies[seat],
                      made->data);
        return NULL;
    }

    *cell = *made;

    if (seat < 0) {
        cell->refused = "too many different callbacks";
    }

    if (cell->refused != NULL) {
        pki_cell_send(redis, &pki_cell_ping, pki_cell_refused, cell);
        return NULL;
    }

    return cell;
}


void
pki_cell_fail(const pki_cell_t *cell, const char *error)
{
    cell->fail(cell->call, cell->data, error);
}


static void
pki_cell_fail_found(pki_cell_call_pt call, void *data, const char *error)
{
    pki_store_found_t  found;

    memset(&found, 0, sizeof(pki_store_found_t));
    found.result = PKI_STORE_FAILED;
    found.error = error;

    ((pki_store_found_pt) call)(data, &found);
}


static void
pki_cell_fail_changed(pki_cell_call_pt call, void *data, const char *error)
{
    ((pki_store_changed_pt) call)(data, PKI_STORE_FAILED, NULL, error);
}


static void
pki_cell_fail_done(pki_cell_call_pt call, void *data, const char *error)
{
    ((pki_store_done_pt) call)(data, PKI_STORE_FAILED, 0, error);
}


static void
pki_cell_fail_applied(pki_cell_call_pt call, void *data, const char *error)
{
    pki_state_applied_t  applied;

    memset(&applied, 0, sizeof(pki_state_applied_t));

    ((pki_state_applied_pt) call)(data, PKI_STORE_FAILED, &applied, error);
}


static void
pki_cell_fail_sync(pki_cell_call_pt call, void *data, const char *error)
{
    pki_state_sync_t  sync;

    memset(&sync, 0, sizeof(pki_state_sync_t));

    ((pki_state_sync_pt) call)(data, PKI_STORE_FAILED, &sync, error);
}


static void
pki_cell_fail_list(pki_cell_call_pt call, void *data, const char *error)
{
    ((pki_state_list_pt) call)(data, PKI_STORE_FAILED, NULL, 0, 0, error);
}


static void
pki_cell_fail_values(pki_cell_call_pt call, void *data, const char *error)
{
    ((pki_book_values_pt) call)(data, PKI_STORE_FAILED, NULL, 0, 0, error);
}


static void
pki_cell_refused(void *data, const redisReply *reply)
{
    pki_cell_t  *cell = data;

    (void) reply;

    pki_cell_fail(cell, cell->refused);
    OPENSSL_free(cell);
}


/*
 * Finds the callback's seat or gives it one; -1: all are taken.  Whoever sits
 * down writes what fails the callback, which is the same for all who come
 * with it, so that it is there before it is needed.
 */

static int
pki_cell_seat(const pki_cell_t *cell)
{
    int               i;
    pki_cell_call_pt  taken;
    pki_cell_seat_t  *seat;

    for (i = 0; i < PKI_STORE_CALLBACKS; i++) {
        seat = &pki_cell_seats[i];
        taken = __atomic_load_n(&seat->call, __ATOMIC_ACQUIRE);

        if (taken == NULL
            && __atomic_compare_exchange_n(&seat->call, &taken, cell->call, 0,
                                           __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        {
            taken = cell->call;
        }

        if (taken != cell->call) {
            continue;
        }

        if (__atomic_load_n(&seat->fail, __ATOMIC_ACQUIRE) == NULL) {
            __atomic_store_n(&seat->fail, cell->fail, __ATOMIC_RELEASE);
        }

        return i;
    }

    return -1;
}


static void
pki_cell_seated(unsigned seat, void *data)
{
    pki_cell_call_pt  call;
    pki_cell_fail_pt  fail;

    call = __atomic_load_n(&pki_cell_seats[seat].call, __ATOMIC_ACQUIRE);
    fail = __atomic_load_n(&pki_cell_seats[seat].fail, __ATOMIC_ACQUIRE);

    fail(call, data, "out of memory");
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
pki_cell_arg_bytes(pki_cell_args_t *args, pki_bytes_t arg)
{
    args->argv[args->argc] = (const char *) arg.data;
    args->len[args->argc] = arg.len;
    args->argc++;
}


void
pki_cell_send(pki_redis_t *redis, const pki_cell_args_t *args,
    pki_redis_reply_pt reply, void *data)
{
    redis->send(redis, args->argc, (const char **) args->argv, args->len,
                reply, data);
}

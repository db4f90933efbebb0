
/*
 * What the verbs of a directory share: a command is written into the memory
 * behind its cell, and each kind of reply is read in one place.
 *
 * Nothing here checks for room: whoever begins a call says how long its
 * arguments are, and what names and keys need is added.
 */

#include "pki_state_call.h"

#include <limits.h>
#include <string.h>
#include <openssl/crypto.h>


#define PKI_STATE_TOKEN_MAX   256
#define PKI_STATE_KEY_ROOM    (PKI_NAME_MAX + 32)   /* without its end */
#define PKI_STATE_FIRST_ARGS  4         /* EVAL, script, number, token */
#define PKI_STATE_SYNC_TIMES  7         /* and numbers, at the beginning */
#define PKI_STATE_SYNC_N      (PKI_STATE_SYNC_TIMES + 3)


static const char *pki_state_call_check(const pki_state_call_t *call);
static const char *pki_state_call_end(const pki_state_call_t *call);
static void pki_state_call_key(pki_state_call_t *call, const char *name);

static void pki_state_call_applied(void *data, const redisReply *reply);
static void pki_state_call_sync(void *data, const redisReply *reply);
static const char *pki_state_call_sync_read(const redisReply *list,
    pki_state_sync_t *sync, pki_err_t *err);
static void pki_state_call_list(void *data, const redisReply *reply);
static const char *pki_state_call_list_read(const redisReply *list,
    pki_state_item_t *items, unsigned long long *next, pki_err_t *err);
static int pki_state_call_string(const redisReply *reply);


pki_rc_t
pki_state_call_begin(pki_state_call_t *call,
    const pki_state_script_t *script, pki_cell_kind_t kind,
    pki_cell_call_pt done, void *data)
{
    size_t       size, max, room;
    unsigned     i, nkeys;
    const char  *refused;

    refused = pki_state_call_check(call);
    size = sizeof(pki_cell_t);
    max = 0;

    for (nkeys = 0; nkeys < PKI_STATE_KEYS && script->keys[nkeys]; nkeys++) {
        /* void */
    }

    if (refused == NULL) {
        room = PKI_STATE_KEY_ROOM + strlen(pki_state_call_end(call));
        max = PKI_STATE_FIRST_ARGS + nkeys + call->nargs;
        size += max * (sizeof(char *) + sizeof(size_t)) + nkeys * room
                + PKI_STATE_NUMBER + call->size
                + (call->token ? strlen(call->token) + 1 : 0);
    }

    call->cell = pki_cell_begin(call->redis, kind, done, data, refused, size);
    if (call->cell == NULL) {
        return PKI_ERROR;
    }

    call->argv = (const char **) (call->cell + 1);
    call->len = (size_t *) (call->argv + max);
    call->start = (char *) (call->len + max);
    call->p = call->start;

    call->argv[0] = "EVAL";
    call->len[0] = sizeof("EVAL") - 1;
    call->argv[1] = script->text;
    call->len[1] = strlen(script->text);
    call->argc = 2;

    pki_state_call_number(call, nkeys);

    for (i = 0; i < nkeys; i++) {
        pki_state_call_key(call, script->keys[i]);
    }

    if (call->token != NULL) {
        pki_state_call_arg(call, call->token);
    }

    return PKI_OK;
}


static const char *
pki_state_call_check(const pki_state_call_t *call)
{
    if (!pki_name_valid(call->directory, strlen(call->directory))) {
        return "a directory that cannot be";
    }

    if (call->token != NULL
        && !pki_record_text_valid(call->token, PKI_STATE_TOKEN_MAX, 1))
    {
        return "a token that cannot be";
    }

    if (call->resource != NULL
        && !pki_name_valid(call->resource, strlen(call->resource)))
    {
        return "a resource that cannot be";
    }

    if (call->id != NULL && !pki_record_id_valid(call->directory, call->id)) {
        return "an object with an id that cannot be";
    }

    return call->refused;
}


static const char *
pki_state_call_end(const pki_state_call_t *call)
{
    return call->resource ? call->resource : call->id ? call->id : "";
}


static void
pki_state_call_key(pki_state_call_t *call, const char *name)
{
    pki_state_call_put(call, "pki:{");
    pki_state_call_put(call, call->directory);
    pki_state_call_put(call, "}:");
    pki_state_call_put(call, name);

    if (call->p[-1] == ':') {
        pki_state_call_put(call, pki_state_call_end(call));
    }

    pki_state_call_next(call);
}


void
pki_state_call_put(pki_state_call_t *call, const char *text)
{
    size_t  len;

    len = strlen(text);
    memcpy(call->p, text, len);
    call->p += len;
}


void
pki_state_call_put_lower(pki_state_call_t *call, const char *text)
{
    for ( /* void */ ; *text; text++) {
        *call->p++ = (*text >= 'A' && *text <= 'Z') ? (char) (*text | 0x20)
                                                    : *text;
    }
}


/* Thousands of them are written for each page of a directory. */

void
pki_state_call_put_number(pki_state_call_t *call, long long n)
{
    char     digits[PKI_STATE_NUMBER];
    size_t   i;

    i = sizeof(digits);

    do {
        digits[--i] = (char) ('0' + n % 10);
        n /= 10;
    } while (n != 0);

    memcpy(call->p, digits + i, sizeof(digits) - i);
    call->p += sizeof(digits) - i;
}


void
pki_state_call_next(pki_state_call_t *call)
{
    call->argv[call->argc] = call->start;
    call->len[call->argc] = (size_t) (call->p - call->start);
    call->argc++;

    *call->p++ = '\0';
    call->start = call->p;
}


void
pki_state_call_arg(pki_state_call_t *call, const char *text)
{
    pki_state_call_put(call, text);
    pki_state_call_next(call);
}


void
pki_state_call_number(pki_state_call_t *call, long long n)
{
    pki_state_call_put_number(call, n);
    pki_state_call_next(call);
}


void
pki_state_call_send(pki_state_call_t *call)
{
    pki_redis_reply_pt  reply;

    switch (call->cell->kind) {

    case PKI_CELL_APPLIED:
        reply = pki_state_call_applied;
        break;

    case PKI_CELL_SYNC:
        reply = pki_state_call_sync;
        break;

    case PKI_CELL_LIST:
        reply = pki_state_call_list;
        break;

    default: /* PKI_CELL_DONE */
        reply = pki_cell_done;
        break;
    }

    call->redis->send(call->redis, call->argc, call->argv, call->len, reply,
                      call->cell);
}


static void
pki_state_call_applied(void *data, const redisReply *reply)
{
    pki_cell_t *cell = data;

    size_t                i;
    long long             n[3];
    pki_err_t             err;
    const char           *error;
    redisReply           *list;
    pki_store_result_t    result;
    pki_state_applied_t   applied;

    error = pki_cell_result(reply, REDIS_REPLY_ARRAY, &result, &err);
    list = error ? NULL : reply->element[1];

    if (error == NULL && list->elements != 3) {
        error = "unexpected reply of Redis";
    }

    for (i = 0; error == NULL && i < 3; i++) {
        error = pki_cell_said(list->element[i], REDIS_REPLY_INTEGER, &err);
        n[i] = list->element[i]->integer;

        if (error == NULL && (n[i] < 0 || n[i] > PKI_STATE_APPLY_MAX)) {
            error = "Redis replied with a number that cannot be";
        }
    }

    if (error != NULL) {
        pki_cell_fail(cell, error);

    } else {
        applied.changed = n[0];
        applied.staged = n[1];
        applied.deferred = n[2];

        ((pki_state_applied_pt) cell->call)(cell->data, result, &applied,
                                            NULL);
    }

    OPENSSL_free(cell);
}


static void
pki_state_call_sync(void *data, const redisReply *reply)
{
    pki_cell_t *cell = data;

    pki_err_t            err;
    const char          *error;
    pki_state_sync_t     sync;
    pki_store_result_t   result;

    memset(&sync, 0, sizeof(pki_state_sync_t));

    error = pki_cell_result(reply, REDIS_REPLY_ARRAY, &result, &err);

    if (error == NULL) {
        error = pki_state_call_sync_read(reply->element[1], &sync, &err);
    }

    if (error != NULL) {
        pki_cell_fail(cell, error);

    } else {
        ((pki_state_sync_pt) cell->call)(cell->data, result, &sync, NULL);
    }

    OPENSSL_free(cell);
}


/* The order is that of pki_state_lua_sync. */

static const char *
pki_state_call_sync_read(const redisReply *list, pki_state_sync_t *sync,
    pki_err_t *err)
{
    size_t        i;
    long long     n[PKI_STATE_SYNC_N];
    const char   *error;
    redisReply  **e;
    pki_bytes_t   text;

    e = list->element;

    if (list->elements != PKI_STATE_SYNC_N) {
        return "unexpected reply of Redis";
    }

    for (i = 0; i < PKI_STATE_SYNC_TIMES; i++) {
        n[i] = 0;

        if (e[i]->type == REDIS_REPLY_NIL) {
            continue;
        }

        error = pki_cell_said(e[i], REDIS_REPLY_STRING, err);
        if (error != NULL) {
            return error;
        }

        text.data = (unsigned char *) e[i]->str;
        text.len = e[i]->len;

        if (pki_record_number(text, PKI_RECORD_TIME_MAX, &n[i]) != PKI_OK) {
            return "unreadable time or number of a round";
        }
    }

    if (e[7]->type != REDIS_REPLY_NIL && !pki_state_call_string(e[7])) {
        return "unreadable link of a round";
    }

    if (e[8]->type != REDIS_REPLY_INTEGER || e[8]->integer < 0
        || e[9]->type != REDIS_REPLY_INTEGER || e[9]->integer < 0)
    {
        return "unexpected reply of Redis";
    }

    sync->at = (time_t) n[0];
    sync->round = n[1];
    sync->full_at = (time_t) n[2];
    sync->guard_at = (time_t) n[3];
    sync->guard_rounds = n[4];
    sync->release_at = (time_t) n[5];
    sync->asked_at = (time_t) n[6];
    sync->link = e[7]->type == REDIS_REPLY_NIL ? NULL : e[7]->str;
    sync->known = e[8]->integer;
    sync->pending = e[9]->integer;

    return NULL;
}


static void
pki_state_call_list(void *data, const redisReply *reply)
{
    pki_cell_t *cell = data;

    size_t               n;
    pki_err_t            err;
    const char          *error;
    pki_state_item_t     items[PKI_STATE_LIST_MAX];
    pki_store_result_t   result;
    unsigned long long   next;

    error = pki_cell_result(reply, REDIS_REPLY_ARRAY, &result, &err);

    if (error == NULL) {
        error = pki_state_call_list_read(reply->element[1], items, &next,
                                         &err);
    }

    if (error != NULL) {
        pki_cell_fail(cell, error);

    } else {
        n = reply->element[1]->elements / 2;

        ((pki_state_list_pt) cell->call)(cell->data, result, items, n, next,
                                         NULL);
    }

    OPENSSL_free(cell);
}


/* A list is the cursor, then a name and a value for each item. */

static const char *
pki_state_call_list_read(const redisReply *list, pki_state_item_t *items,
    unsigned long long *next, pki_err_t *err)
{
    size_t        i, n;
    unsigned      digit;
    const char   *error, *p;
    redisReply  **e;

    n = list->elements / 2;
    e = list->element;

    if (list->elements % 2 == 0) {
        return "unexpected reply of Redis";
    }

    if (n > PKI_STATE_LIST_MAX) {
        return "a list of Redis is too long";
    }

    for (i = 0; i < list->elements; i++) {
        error = pki_cell_said(e[i], REDIS_REPLY_STRING, err);
        if (error != NULL) {
            return error;
        }

        if (!pki_state_call_string(e[i])) {
            return "unreadable item of a list";
        }
    }

    *next = 0;

    for (p = e[0]->str; *p; p++) {
        digit = (unsigned) *p - '0';

        if (digit > 9 || *next > (ULLONG_MAX - digit) / 10) {
            return "unreadable cursor of a list";
        }

        *next = *next * 10 + digit;
    }

    for (i = 0; i < n; i++) {
        items[i].name = e[2 * i + 1]->str;
        items[i].value = e[2 * i + 2]->str;
    }

    return NULL;
}


/* A string that C can hold. */

static int
pki_state_call_string(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING
           && strlen(reply->str) == reply->len;
}


/*
 * The verbs of those who fill a directory, but for those that take states
 * (pki_state_apply.c): the lease, the rounds of a resource, its index, and
 * what waits to be looked up.
 *
 * Each verb is one script.  It says which, with which arguments, and what
 * they may be; the rest is pki_state_call.c's.
 */

#include "pki_state_script.h"

#include <stdio.h>
#include <string.h>


#define PKI_STATE_TTL_MAX     86400000L /* a day; more is a mistake */
#define PKI_STATE_LINK_MAX    16384     /* as long as a page may hold */
#define PKI_STATE_SLICE       "500"     /* of an index; a list holds twice as
                                           many, for a bucket stays whole */
#define PKI_STATE_ROUNDS_MAX  1000000   /* at once; more is a mistake */


static void pki_state_init(pki_state_call_t *call, pki_redis_t *redis,
    const char *directory, const char *token);
static void pki_state_check_time(pki_state_call_t *call, time_t t);
static void pki_state_check_keys(pki_state_call_t *call,
    const char *const *keys, size_t n);
static void pki_state_write_hint(pki_state_call_t *call);


void
pki_state_lease(pki_redis_t *redis, const char *directory, const char *token,
    long ttl, pki_store_done_pt done, void *data)
{
    pki_state_call_t  call;

    pki_state_init(&call, redis, directory, token);
    call.nargs = 1;
    call.size = PKI_STATE_NUMBER;

    if (ttl < 1 || ttl > PKI_STATE_TTL_MAX) {
        call.refused = "a lease with a time to live that cannot be";
    }

    if (pki_state_call_begin(&call, &pki_state_lua_lease, PKI_CELL_DONE,
                             (pki_cell_call_pt) done, data)
        == PKI_OK)
    {
        pki_state_call_number(&call, ttl);
        pki_state_call_send(&call);
    }
}


void
pki_state_unlease(pki_redis_t *redis, const char *directory,
    const char *token, pki_store_done_pt done, void *data)
{
    pki_state_call_t  call;

    pki_state_init(&call, redis, directory, token);
    call.nargs = 1;
    call.size = sizeof(PKI_NEWS_HINT) + strlen(directory);

    if (pki_state_call_begin(&call, &pki_state_lua_unlease, PKI_CELL_DONE,
                             (pki_cell_call_pt) done, data)
        == PKI_OK)
    {
        pki_state_write_hint(&call);
        pki_state_call_send(&call);
    }
}


void
pki_state_sync(pki_redis_t *redis, const char *directory,
    const char *resource, pki_state_sync_pt read, void *data)
{
    pki_state_call_t  call;

    pki_state_init(&call, redis, directory, NULL);
    call.resource = resource;
    call.nargs = 1;
    call.size = strlen(resource) + 1;

    if (pki_state_call_begin(&call, &pki_state_lua_sync, PKI_CELL_SYNC,
                             (pki_cell_call_pt) read, data)
        == PKI_OK)
    {
        pki_state_call_arg(&call, resource);
        pki_state_call_send(&call);
    }
}


void
pki_state_begin(pki_redis_t *redis, const char *directory, const char *token,
    const char *resource, pki_store_done_pt done, void *data)
{
    pki_state_call_t  call;

    pki_state_init(&call, redis, directory, token);
    call.resource = resource;
    call.nargs = 1;
    call.size = strlen(resource) + 1;

    if (pki_state_call_begin(&call, &pki_state_lua_begin, PKI_CELL_DONE,
                             (pki_cell_call_pt) done, data)
        == PKI_OK)
    {
        pki_state_call_arg(&call, resource);
        pki_state_call_send(&call);
    }
}


void
pki_state_commit(pki_redis_t *redis, const char *directory,
    const char *token, const char *resource, const char *link, int full,
    time_t at, pki_store_done_pt done, void *data)
{
    pki_state_call_t  call;

    pki_state_init(&call, redis, directory, token);
    pki_state_check_time(&call, at);
    call.resource = resource;
    call.nargs = 4;
    call.size = strlen(resource) + 1 + 2 * PKI_STATE_NUMBER
                + (link ? strlen(link) + 1 : 0);

    if (link != NULL && *link != '\0'
        && !pki_record_text_valid(link, PKI_STATE_LINK_MAX, 1))
    {
        call.refused = "a round with a link that cannot be";
    }

    if (pki_state_call_begin(&call, &pki_state_lua_commit, PKI_CELL_DONE,
                             (pki_cell_call_pt) done, data)
        != PKI_OK)
    {
        return;
    }

    pki_state_call_arg(&call, resource);
    pki_state_call_number(&call, at);
    pki_state_call_number(&call, full != 0);

    if (link != NULL) {
        pki_state_call_arg(&call, link);
    }

    pki_state_call_send(&call);
}


void
pki_state_guard(pki_redis_t *redis, const char *directory, const char *token,
    const char *resource, time_t at, long long rounds,
    pki_store_done_pt done, void *data)
{
    pki_state_call_t  call;

    pki_state_init(&call, redis, directory, token);
    pki_state_check_time(&call, at);
    call.resource = resource;
    call.nargs = 3;
    call.size = strlen(resource) + 1 + 2 * PKI_STATE_NUMBER;

    if (rounds < 0 || rounds > PKI_STATE_ROUNDS_MAX) {
        call.refused = "a guard with a number of rounds that cannot be";
    }

    if (pki_state_call_begin(&call, &pki_state_lua_guard, PKI_CELL_DONE,
                             (pki_cell_call_pt) done, data)
        == PKI_OK)
    {
        pki_state_call_arg(&call, resource);
        pki_state_call_number(&call, at);
        pki_state_call_number(&call, rounds);
        pki_state_call_send(&call);
    }
}


void
pki_state_unseen(pki_redis_t *redis, const char *directory,
    const char *resource, long long round, unsigned except,
    unsigned long long cursor, pki_state_list_pt list, void *data)
{
    char              text[24];
    pki_state_call_t  call;

    pki_state_init(&call, redis, directory, NULL);
    call.resource = resource;
    call.nargs = 4;
    call.size = 2 * PKI_STATE_NUMBER + sizeof(text)
                + sizeof(PKI_STATE_SLICE);

    if (round < 0) {
        call.refused = "a round with a number that cannot be";
    }

    if (pki_state_call_begin(&call, &pki_state_lua_unseen, PKI_CELL_LIST,
                             (pki_cell_call_pt) list, data)
        != PKI_OK)
    {
        return;
    }

    (void) snprintf(text, sizeof(text), "%llu", cursor);

    pki_state_call_number(&call, round);
    pki_state_call_arg(&call, text);
    pki_state_call_arg(&call, PKI_STATE_SLICE);
    pki_state_call_number(&call, except);
    pki_state_call_send(&call);
}


void
pki_state_drop(pki_redis_t *redis, const char *directory, const char *token,
    const char *resource, const char *const *keys, size_t n,
    pki_store_done_pt done, void *data)
{
    size_t            i;
    pki_state_call_t  call;

    pki_state_init(&call, redis, directory, token);
    pki_state_check_keys(&call, keys, n);
    call.resource = resource;

    if (pki_state_call_begin(&call, &pki_state_lua_drop, PKI_CELL_DONE,
                             (pki_cell_call_pt) done, data)
        != PKI_OK)
    {
        return;
    }

    for (i = 0; i < n; i++) {
        pki_state_call_arg(&call, keys[i]);
    }

    pki_state_call_send(&call);
}


void
pki_state_ids(pki_redis_t *redis, const char *directory,
    const char *resource, const char *const *keys, size_t n,
    pki_state_list_pt list, void *data)
{
    size_t            i;
    pki_state_call_t  call;

    pki_state_init(&call, redis, directory, NULL);
    pki_state_check_keys(&call, keys, n);
    call.resource = resource;

    if (pki_state_call_begin(&call, &pki_state_lua_ids, PKI_CELL_LIST,
                             (pki_cell_call_pt) list, data)
        != PKI_OK)
    {
        return;
    }

    for (i = 0; i < n; i++) {
        pki_state_call_arg(&call, keys[i]);
    }

    pki_state_call_send(&call);
}


void
pki_state_resolve(pki_redis_t *redis, const char *directory,
    const char *name, pki_state_list_pt list, void *data)
{
    pki_state_call_t  call;

    pki_state_init(&call, redis, directory, NULL);
    call.nargs = 1;
    call.size = strlen(name) + 1;

    if (!pki_record_text_valid(name, PKI_STATE_NAME_MAX, 1)) {
        call.refused = "a name that cannot be";
    }

    if (pki_state_call_begin(&call, &pki_state_lua_resolve, PKI_CELL_LIST,
                             (pki_cell_call_pt) list, data)
        == PKI_OK)
    {
        pki_state_call_put_lower(&call, name);
        pki_state_call_next(&call);
        pki_state_call_send(&call);
    }
}


void
pki_state_want(pki_redis_t *redis, const char *directory, const char *id,
    pki_store_done_pt done, void *data)
{
    pki_state_call_t  call;

    pki_state_init(&call, redis, directory, NULL);
    call.id = id;
    call.nargs = 3;
    call.size = strlen(id) + 1 + PKI_STATE_NUMBER + sizeof(PKI_NEWS_HINT)
                + strlen(directory);

    if (pki_state_call_begin(&call, &pki_state_lua_want, PKI_CELL_DONE,
                             (pki_cell_call_pt) done, data)
        == PKI_OK)
    {
        pki_state_call_arg(&call, id);
        pki_state_call_number(&call, PKI_STATE_WANTED_MAX);
        pki_state_write_hint(&call);
        pki_state_call_send(&call);
    }
}


void
pki_state_wanted(pki_redis_t *redis, const char *directory,
    const char *token, size_t n, pki_state_list_pt list, void *data)
{
    pki_state_call_t  call;

    pki_state_init(&call, redis, directory, token);
    call.nargs = 1;
    call.size = PKI_STATE_NUMBER;

    if (n > PKI_STATE_LIST_MAX) {
        call.refused = "too many objects at once";
    }

    if (pki_state_call_begin(&call, &pki_state_lua_wanted, PKI_CELL_LIST,
                             (pki_cell_call_pt) list, data)
        == PKI_OK)
    {
        pki_state_call_number(&call, (long long) n);
        pki_state_call_send(&call);
    }
}


void
pki_state_due(pki_redis_t *redis, const char *directory, time_t now,
    size_t n, pki_state_list_pt list, void *data)
{
    pki_state_call_t  call;

    pki_state_init(&call, redis, directory, NULL);
    pki_state_check_time(&call, now);
    call.nargs = 2;
    call.size = 2 * PKI_STATE_NUMBER;

    if (n > PKI_STATE_LIST_MAX) {
        call.refused = "too many objects at once";
    }

    if (pki_state_call_begin(&call, &pki_state_lua_due, PKI_CELL_LIST,
                             (pki_cell_call_pt) list, data)
        == PKI_OK)
    {
        pki_state_call_number(&call, now);
        pki_state_call_number(&call, (long long) n);
        pki_state_call_send(&call);
    }
}


void
pki_state_recheck(pki_redis_t *redis, const char *directory,
    const char *token, const char *id, time_t due, pki_store_done_pt done,
    void *data)
{
    pki_state_call_t  call;

    pki_state_init(&call, redis, directory, token);
    pki_state_check_time(&call, due);
    call.id = id;
    call.nargs = 2;
    call.size = strlen(id) + 1 + PKI_STATE_NUMBER;

    if (pki_state_call_begin(&call, &pki_state_lua_recheck, PKI_CELL_DONE,
                             (pki_cell_call_pt) done, data)
        == PKI_OK)
    {
        pki_state_call_arg(&call, id);
        pki_state_call_number(&call, due);
        pki_state_call_send(&call);
    }
}


void
pki_state_absent(pki_redis_t *redis, const char *directory,
    const char *token, const char *id, time_t now, pki_store_done_pt done,
    void *data)
{
    pki_state_call_t  call;

    pki_state_init(&call, redis, directory, token);
    pki_state_check_time(&call, now);
    call.id = id;
    call.nargs = 2;
    call.size = strlen(id) + 1 + PKI_STATE_NUMBER;

    if (pki_state_call_begin(&call, &pki_state_lua_absent, PKI_CELL_DONE,
                             (pki_cell_call_pt) done, data)
        == PKI_OK)
    {
        pki_state_call_arg(&call, id);
        pki_state_call_number(&call, now);
        pki_state_call_send(&call);
    }
}


void
pki_state_object(pki_redis_t *redis, const char *directory, const char *id,
    pki_state_list_pt list, void *data)
{
    pki_state_call_t  call;

    pki_state_init(&call, redis, directory, NULL);
    call.id = id;
    call.nargs = 1;
    call.size = strlen(id) + 1;

    if (pki_state_call_begin(&call, &pki_state_lua_object, PKI_CELL_LIST,
                             (pki_cell_call_pt) list, data)
        == PKI_OK)
    {
        pki_state_call_arg(&call, id);
        pki_state_call_send(&call);
    }
}


void
pki_state_ask(pki_redis_t *redis, const char *directory, const char *what,
    time_t at, pki_store_done_pt done, void *data)
{
    pki_state_call_t  call;

    pki_state_init(&call, redis, directory, NULL);
    pki_state_check_time(&call, at);
    call.nargs = 3;
    call.size = strlen(what) + 1 + PKI_STATE_NUMBER + sizeof(PKI_NEWS_HINT)
                + strlen(directory);

    if (strcmp(what, "asked") != 0 && strcmp(what, "release") != 0) {
        call.refused = "a wish that cannot be";
    }

    if (pki_state_call_begin(&call, &pki_state_lua_ask, PKI_CELL_DONE,
                             (pki_cell_call_pt) done, data)
        == PKI_OK)
    {
        pki_state_call_arg(&call, what);
        pki_state_call_number(&call, at);
        pki_state_write_hint(&call);
        pki_state_call_send(&call);
    }
}


void
pki_state_report(pki_redis_t *redis, const char *directory,
    const char *token, const pki_state_item_t *items, size_t n,
    pki_store_done_pt done, void *data)
{
    size_t            i;
    pki_state_call_t  call;

    pki_state_init(&call, redis, directory, token);
    call.nargs = 2 * n;

    if (n >= PKI_STATE_LIST_MAX) {
        call.refused = "a report with too many items";
    }

    for (i = 0; call.refused == NULL && i < n; i++) {
        if (!pki_record_text_valid(items[i].name, PKI_STATE_TEXT_MAX, 0)
            || (items[i].value[0] != '\0'
                && !pki_record_text_valid(items[i].value, PKI_STATE_TEXT_MAX,
                                          1)))
        {
            call.refused = "a report with an item that cannot be";
        }

        call.size += strlen(items[i].name) + strlen(items[i].value) + 2;
    }

    if (pki_state_call_begin(&call, &pki_state_lua_report, PKI_CELL_DONE,
                             (pki_cell_call_pt) done, data)
        != PKI_OK)
    {
        return;
    }

    for (i = 0; i < n; i++) {
        pki_state_call_arg(&call, items[i].name);
        pki_state_call_arg(&call, items[i].value);
    }

    pki_state_call_send(&call);
}


void
pki_state_status(pki_redis_t *redis, const char *directory,
    pki_state_list_pt list, void *data)
{
    pki_state_call_t  call;

    pki_state_init(&call, redis, directory, NULL);

    if (pki_state_call_begin(&call, &pki_state_lua_status, PKI_CELL_LIST,
                             (pki_cell_call_pt) list, data)
        == PKI_OK)
    {
        pki_state_call_send(&call);
    }
}


static void
pki_state_init(pki_state_call_t *call, pki_redis_t *redis,
    const char *directory, const char *token)
{
    memset(call, 0, sizeof(pki_state_call_t));
    call->redis = redis;
    call->directory = directory;
    call->token = token;
}


static void
pki_state_check_time(pki_state_call_t *call, time_t t)
{
    if (!pki_record_time_valid(t)) {
        call->refused = "a time that cannot be";
    }
}


static void
pki_state_check_keys(pki_state_call_t *call, const char *const *keys,
    size_t n)
{
    size_t  i;

    if (n > PKI_STATE_APPLY_MAX) {
        call->refused = "too many keys at once";
        return;
    }

    call->nargs = n;

    for (i = 0; i < n; i++) {
        if (!pki_record_text_valid(keys[i], PKI_STATE_KEY_MAX, 0)) {
            call->refused = "a key that cannot be";
            return;
        }

        call->size += strlen(keys[i]) + 1;
    }
}


static void
pki_state_write_hint(pki_state_call_t *call)
{
    pki_state_call_put(call, PKI_NEWS_HINT);
    pki_state_call_arg(call, call->directory);
}

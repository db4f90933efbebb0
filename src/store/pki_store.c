
/*
 * The keys and records of Redis, and the verbs that read and change them.
 *
 * A verb checks its arguments, takes one cell of memory for all that must
 * outlive the call, sends, and returns; the last reply ends the cell.  What
 * Redis replies is read as strictly as what a stranger sends.
 */

#include "pki_cell.h"
#include "pki_record.h"
#include "pki_store_script.h"

#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>


#define PKI_STORE_FIELD_SIZE  (PKI_NAME_MAX + 4)
#define PKI_STORE_PUSH        "push"    /* where nobody polls */


typedef struct {
    pki_cell_t         cell;
    unsigned           replies;         /* so far */
    pki_store_found_t  found;
    pki_err_t          err;             /* of found.error */
    char               strings[];
} pki_store_find_t;


/* the arguments that revoke and release share, as text */

typedef struct {
    char               revoked[PKI_RECORD_KEY_SIZE];
    char               audit[PKI_RECORD_KEY_SIZE];
    char               cert[PKI_RECORD_KEY_SIZE];
    char               history[PKI_RECORD_KEY_SIZE];
    char               page[PKI_RECORD_KEY_SIZE];
    char               owner[PKI_OWNER_SIZE];
    char               serial[PKI_SERIAL_HEX_SIZE];
    char               who[PKI_STORE_WHO_MAX + 1];
    char               from[PKI_STORE_WHO_MAX + 1];
    char               why[PKI_STORE_WHO_MAX + 1];
    char               at[24];
} pki_store_change_t;


static const char *pki_store_query_check(const pki_store_query_t *query);
static void pki_store_find_copy(pki_store_find_t *find,
    const pki_store_query_t *query);
static void pki_store_find_send(pki_redis_t *redis, pki_store_find_t *find,
    const pki_store_query_t *query);
static void pki_store_find_reply(void *data, const redisReply *reply);
static const char *pki_store_find_read(pki_store_find_t *find, unsigned n,
    const redisReply *reply);
static const char *pki_store_find_synced(pki_store_find_t *find, unsigned i,
    const redisReply *reply);

static const char *pki_store_change_check(const char *issuer,
    const pki_serial_t *serial, const pki_actor_t *actor);
static void pki_store_change_init(pki_store_change_t *change,
    const char *issuer, const pki_serial_t *serial, const pki_actor_t *actor);
static void pki_store_change_args(pki_cell_args_t *args,
    const pki_store_change_t *change);
static void pki_store_changed_reply(void *data, const redisReply *reply);

static int pki_store_name_valid(const char *name);


void
pki_store_find(pki_redis_t *redis, const pki_store_query_t *query,
    pki_store_found_pt found, void *data)
{
    size_t             size;
    unsigned           i;
    const char        *refused;
    pki_store_find_t  *find;

    refused = pki_store_query_check(query);
    size = sizeof(pki_store_find_t);

    for (i = 0; refused == NULL && i < query->nobjects; i++) {
        size += strlen(query->objects[i].directory) + 1
                + strlen(query->objects[i].id) + 1;
    }

    find = pki_cell_begin(redis, PKI_CELL_FOUND, (pki_cell_call_pt) found,
                          data, refused, size);
    if (find == NULL) {
        return;
    }

    pki_store_find_copy(find, query);
    pki_store_find_send(redis, find, query);
}


void
pki_store_revoke(pki_redis_t *redis, const char *issuer,
    const pki_serial_t *serial, const pki_revocation_t *revocation,
    const pki_actor_t *actor, int unrecorded, pki_store_changed_pt changed,
    void *data)
{
    char                reason[12], at[24], rest[PKI_RECORD_SIZE];
    char                who[PKI_STORE_WHO_MAX + 1];
    const char         *refused;
    pki_cell_args_t     args;
    pki_cell_t         *cell;
    pki_store_change_t  change;

    refused = pki_store_change_check(issuer, serial, actor);

    if (refused == NULL
        && (!pki_reason_valid(revocation->reason)
            || !pki_record_time_valid(revocation->at)
            || !pki_record_time_valid(revocation->invalidity)))
    {
        refused = "a revocation with a reason or a time that cannot be";
    }

    cell = pki_cell_begin(redis, PKI_CELL_CHANGED, (pki_cell_call_pt) changed,
                          data, refused, sizeof(pki_cell_t));
    if (cell == NULL) {
        return;
    }

    pki_store_change_init(&change, issuer, serial, actor);
    pki_record_clean(who, revocation->who);

    (void) snprintf(reason, sizeof(reason), "%d", (int) revocation->reason);
    (void) snprintf(at, sizeof(at), "%lld", (long long) revocation->at);
    (void) snprintf(rest, sizeof(rest), "%lld %s",
                    (long long) revocation->invalidity, who);

    args.argc = 0;
    pki_cell_arg(&args, "EVAL");
    pki_cell_arg(&args, pki_store_lua_revoke);
    pki_store_change_args(&args, &change);
    pki_cell_arg(&args, reason);
    pki_cell_arg(&args, at);
    pki_cell_arg(&args, rest);
    pki_cell_arg(&args, unrecorded ? "1" : "0");

    pki_cell_send(redis, &args, pki_store_changed_reply, cell);
}


void
pki_store_release(pki_redis_t *redis, const char *issuer,
    const pki_serial_t *serial, const pki_actor_t *actor,
    pki_store_changed_pt changed, void *data)
{
    const char         *refused;
    pki_cell_args_t     args;
    pki_cell_t         *cell;
    pki_store_change_t  change;

    refused = pki_store_change_check(issuer, serial, actor);

    cell = pki_cell_begin(redis, PKI_CELL_CHANGED, (pki_cell_call_pt) changed,
                          data, refused, sizeof(pki_cell_t));
    if (cell == NULL) {
        return;
    }

    pki_store_change_init(&change, issuer, serial, actor);

    args.argc = 0;
    pki_cell_arg(&args, "EVAL");
    pki_cell_arg(&args, pki_store_lua_release);
    pki_store_change_args(&args, &change);

    pki_cell_send(redis, &args, pki_store_changed_reply, cell);
}


static const char *
pki_store_query_check(const pki_store_query_t *query)
{
    unsigned     i, k;
    const char  *resource;

    if (!pki_store_name_valid(query->issuer)
        || !pki_record_serial_valid(&query->serial)
        || query->nobjects > PKI_FACTS_OBJECTS)
    {
        return "a question with an issuer, a serial number or a number of "
               "objects that cannot be";
    }

    for (i = 0; i < query->nobjects; i++) {
        if (!pki_store_name_valid(query->objects[i].directory)
            || !pki_record_id_valid(query->objects[i].directory,
                                    query->objects[i].id))
        {
            return "a question with a directory or an object that cannot be";
        }

        for (k = 0; k < PKI_STORE_RESOURCES; k++) {
            resource = query->objects[i].resources[k];

            if (resource != NULL && !pki_store_name_valid(resource)) {
                return "a question with a resource that cannot be";
            }
        }
    }

    return NULL;
}


static void
pki_store_find_copy(pki_store_find_t *find, const pki_store_query_t *query)
{
    char               *p;
    size_t              len;
    unsigned            i;
    pki_object_fact_t  *object;

    find->found.facts.manual = PKI_REASON_NONE;
    find->found.revocation.reason = PKI_REASON_NONE;
    find->found.facts.nobjects = query->nobjects;

    p = find->strings;

    for (i = 0; i < query->nobjects; i++) {
        object = &find->found.facts.objects[i];
        object->max_age = query->objects[i].max_age;
        object->last = query->objects[i].last;
        object->group = query->objects[i].group;

        len = strlen(query->objects[i].directory) + 1;
        memcpy(p, query->objects[i].directory, len);
        object->directory = p;
        p += len;

        len = strlen(query->objects[i].id) + 1;
        memcpy(p, query->objects[i].id, len);
        object->id = p;
        p += len;
    }
}


/* pki_store_find_read() knows the replies by this order. */

static void
pki_store_find_send(pki_redis_t *redis, pki_store_find_t *find,
    const pki_store_query_t *query)
{
    char             key[PKI_RECORD_KEY_SIZE], hex[PKI_SERIAL_HEX_SIZE];
    char             field[PKI_STORE_RESOURCES][PKI_STORE_FIELD_SIZE];
    unsigned         i, k;
    const char      *resource;
    pki_cell_args_t  args;

    (void) pki_serial_to_text(&query->serial, hex);

    pki_record_key(key, query->issuer, "revoked", "");
    args.argc = 0;
    pki_cell_arg(&args, "HGET");
    pki_cell_arg(&args, key);
    pki_cell_arg(&args, hex);
    pki_cell_send(redis, &args, pki_store_find_reply, find);

    pki_record_key(key, query->issuer, "cert:", hex);
    args.argc = 0;
    pki_cell_arg(&args, "GET");
    pki_cell_arg(&args, key);
    pki_cell_send(redis, &args, pki_store_find_reply, find);

    for (i = 0; i < query->nobjects; i++) {
        pki_record_key(key, query->objects[i].directory, "object:",
                       query->objects[i].id);
        args.argc = 0;
        pki_cell_arg(&args, "GET");
        pki_cell_arg(&args, key);
        pki_cell_send(redis, &args, pki_store_find_reply, find);

        pki_record_key(key, query->objects[i].directory, "sync", "");
        args.argc = 0;
        pki_cell_arg(&args, "HMGET");
        pki_cell_arg(&args, key);

        for (k = 0; k < PKI_STORE_RESOURCES; k++) {
            resource = query->objects[i].resources[k];

            if (resource == NULL && k == 0) {
                resource = PKI_STORE_PUSH;
            }

            if (resource == NULL) {
                break;
            }

            (void) snprintf(field[k], PKI_STORE_FIELD_SIZE, "%s.at",
                            resource);
            pki_cell_arg(&args, field[k]);
        }

        pki_cell_send(redis, &args, pki_store_find_reply, find);
    }
}


static void
pki_store_find_reply(void *data, const redisReply *reply)
{
    pki_store_find_t *find = data;

    pki_cell_t  *cell;
    const char  *error;

    if (find->found.error == NULL) {
        find->found.error = pki_store_find_read(find, find->replies, reply);
    }

    if (++find->replies < 2 + 2 * find->found.facts.nobjects) {
        return;
    }

    cell = &find->cell;
    error = find->found.error;

    if (error != NULL) {
        pki_cell_fail(cell, error);

    } else {
        find->found.result = PKI_STORE_DONE;
        ((pki_store_found_pt) cell->call)(cell->data, &find->found);
    }

    OPENSSL_free(find);
}


/* Reads the n-th reply; returns what is wrong with it, or NULL. */

static const char *
pki_store_find_read(pki_store_find_t *find, unsigned n,
    const redisReply *reply)
{
    const char         *error;
    pki_bytes_t         text;
    pki_facts_t        *facts;
    pki_object_fact_t  *object;

    if (n > 1 && n % 2 != 0) {
        return pki_store_find_synced(find, (n - 3) / 2, reply);
    }

    if (reply != NULL && reply->type == REDIS_REPLY_NIL) {
        return NULL;
    }

    error = pki_cell_said(reply, REDIS_REPLY_STRING, &find->err);
    if (error != NULL) {
        return error;
    }

    text.data = (unsigned char *) reply->str;
    text.len = reply->len;
    facts = &find->found.facts;

    if (n == 0) {
        if (pki_revocation_read(text, &find->found.revocation) != PKI_OK) {
            return "unreadable revocation record";
        }

        facts->manual = find->found.revocation.reason;
        facts->manual_at = find->found.revocation.at;

        return NULL;
    }

    if (n == 1) {
        if (pki_record_read(text, &find->found.record) != PKI_OK) {
            return "unreadable certificate record";
        }

        facts->recorded = 1;

        return NULL;
    }

    object = &facts->objects[(n - 2) / 2];

    if (pki_object_read(text, &object->state, &object->since,
                        find->found.aliases[(n - 2) / 2])
        != PKI_OK)
    {
        return "unreadable object record";
    }

    object->found = 1;

    return NULL;
}


/* The earliest round of the resources asked for; none when one has none. */

static const char *
pki_store_find_synced(pki_store_find_t *find, unsigned i,
    const redisReply *reply)
{
    size_t        n;
    long long     at, first;
    const char   *error;
    redisReply   *round;
    pki_bytes_t   text;

    error = pki_cell_said(reply, REDIS_REPLY_ARRAY, &find->err);
    if (error != NULL) {
        return error;
    }

    if (reply->elements == 0 || reply->elements > PKI_STORE_RESOURCES) {
        return "unexpected reply of Redis";
    }

    first = PKI_RECORD_TIME_MAX;

    for (n = 0; n < reply->elements; n++) {
        round = reply->element[n];

        if (round->type == REDIS_REPLY_NIL) {
            first = 0;
            continue;
        }

        error = pki_cell_said(round, REDIS_REPLY_STRING, &find->err);
        if (error != NULL) {
            return error;
        }

        text.data = (unsigned char *) round->str;
        text.len = round->len;

        if (pki_record_number(text, PKI_RECORD_TIME_MAX, &at) != PKI_OK) {
            return "unreadable time of a directory's last round";
        }

        if (at < first) {
            first = at;
        }
    }

    find->found.facts.objects[i].synced_at = (time_t) first;

    return NULL;
}


static const char *
pki_store_change_check(const char *issuer, const pki_serial_t *serial,
    const pki_actor_t *actor)
{
    if (!pki_store_name_valid(issuer) || !pki_record_serial_valid(serial)
        || !pki_record_time_valid(actor->at))
    {
        return "a change with an issuer, a serial number or a time that "
               "cannot be";
    }

    return NULL;
}


static void
pki_store_change_init(pki_store_change_t *change, const char *issuer,
    const pki_serial_t *serial, const pki_actor_t *actor)
{
    (void) pki_serial_to_text(serial, change->serial);
    (void) pki_owner_cert(change->owner, issuer, serial);

    pki_record_key(change->revoked, issuer, "revoked", "");
    pki_record_key(change->audit, issuer, "audit", "");
    pki_record_key(change->cert, issuer, "cert:", change->serial);
    pki_record_key(change->history, issuer, "history:", change->serial);
    pki_record_key(change->page, issuer, "page:", "");

    pki_record_clean(change->who, actor->who);
    pki_record_clean(change->from, actor->from);
    pki_record_clean(change->why, actor->why);

    (void) snprintf(change->at, sizeof(change->at), "%lld",
                    (long long) actor->at);
}


/* Keys and arguments that the scripts know by this order. */

static void
pki_store_change_args(pki_cell_args_t *args, const pki_store_change_t *change)
{
    pki_cell_arg(args, "5");
    pki_cell_arg(args, change->revoked);
    pki_cell_arg(args, change->audit);
    pki_cell_arg(args, change->cert);
    pki_cell_arg(args, change->history);
    pki_cell_arg(args, change->page);
    pki_cell_arg(args, change->serial);
    pki_cell_arg(args, change->owner);
    pki_cell_arg(args, change->who);
    pki_cell_arg(args, change->from);
    pki_cell_arg(args, change->why);
    pki_cell_arg(args, change->at);
}


static void
pki_store_changed_reply(void *data, const redisReply *reply)
{
    pki_cell_t *cell = data;

    pki_err_t             err;
    const char           *error;
    pki_bytes_t           text;
    pki_revocation_t      present;
    pki_store_result_t    result;
    pki_store_changed_pt  changed;

    changed = (pki_store_changed_pt) cell->call;
    text.len = 0;

    error = pki_cell_result(reply, REDIS_REPLY_STRING, &result, &err);

    if (error == NULL) {
        text.data = (unsigned char *) reply->element[1]->str;
        text.len = reply->element[1]->len;

        if (text.len == 0 && (result == PKI_STORE_SAME
                              || result == PKI_STORE_CONFLICT))
        {
            error = "Redis refused without the present revocation";

        } else if (text.len != 0
                   && pki_revocation_read(text, &present) != PKI_OK)
        {
            error = "unreadable revocation record";
        }
    }

    if (error != NULL) {
        pki_cell_fail(cell, error);

    } else {
        changed(cell->data, result, text.len ? &present : NULL, NULL);
    }

    OPENSSL_free(cell);
}


static int
pki_store_name_valid(const char *name)
{
    return pki_name_valid(name, strlen(name));
}

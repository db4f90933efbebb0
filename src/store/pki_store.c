
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


#define PKI_STORE_TTL_MAX        86400000L  /* a day; more is a mistake */
#define PKI_STORE_KEY_SIZE       (PKI_OWNER_SIZE + 16)
#define PKI_STORE_APPLY_ARGS(n)  (5 + 3 * (n))


typedef struct {
    pki_cell_t         cell;
    unsigned           replies;         /* so far */
    pki_store_found_t  found;
    pki_err_t          err;             /* of found.error */
    char               strings[];
} pki_store_find_t;


/* the arguments that revoke and release share, as text */

typedef struct {
    char               revoked[PKI_STORE_KEY_SIZE];
    char               audit[PKI_STORE_KEY_SIZE];
    char               cert[PKI_STORE_KEY_SIZE];
    char               owner[PKI_OWNER_SIZE];
    char               serial[PKI_SERIAL_HEX_SIZE];
    char               who[PKI_STORE_WHO_MAX + 1];
    char               from[PKI_STORE_WHO_MAX + 1];
    char               why[PKI_STORE_WHO_MAX + 1];
    char               at[24];
} pki_store_change_t;


typedef struct {
    char               key[PKI_STORE_KEY_SIZE];
    char               owner[PKI_OWNER_SIZE];
    char               record[48];
} pki_store_state_t;


static const char *pki_store_query_check(const pki_store_query_t *query);
static void pki_store_find_copy(pki_store_find_t *find,
    const pki_store_query_t *query);
static void pki_store_find_send(pki_redis_t *redis, pki_store_find_t *find,
    const pki_store_query_t *query);
static void pki_store_find_reply(void *data, const redisReply *reply);
static const char *pki_store_find_read(pki_store_find_t *find, unsigned n,
    const redisReply *reply);

static const char *pki_store_change_check(const char *issuer,
    const pki_serial_t *serial, const pki_actor_t *actor);
static void pki_store_change_init(pki_store_change_t *change,
    const char *issuer, const pki_serial_t *serial, const pki_actor_t *actor);
static void pki_store_changed_reply(void *data, const redisReply *reply);

static void pki_store_apply_send(pki_redis_t *redis, pki_cell_t *cell,
    const char *directory, const char *token,
    const pki_store_object_t *objects, size_t n);
static const char *pki_store_lease_check(const char *directory,
    const char *token);
static void pki_store_done_reply(void *data, const redisReply *reply);

static int pki_store_name_valid(const char *name);
static int pki_store_serial_valid(const pki_serial_t *serial);
static void pki_store_key(char *key, const char *name, const char *kind,
    const char *id);


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
    pki_cell_arg(&args, "3");
    pki_cell_arg(&args, change.revoked);
    pki_cell_arg(&args, change.audit);
    pki_cell_arg(&args, change.cert);
    pki_cell_arg(&args, change.serial);
    pki_cell_arg(&args, change.owner);
    pki_cell_arg(&args, change.who);
    pki_cell_arg(&args, change.from);
    pki_cell_arg(&args, change.why);
    pki_cell_arg(&args, change.at);
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
    pki_cell_arg(&args, "2");
    pki_cell_arg(&args, change.revoked);
    pki_cell_arg(&args, change.audit);
    pki_cell_arg(&args, change.serial);
    pki_cell_arg(&args, change.owner);
    pki_cell_arg(&args, change.who);
    pki_cell_arg(&args, change.from);
    pki_cell_arg(&args, change.why);
    pki_cell_arg(&args, change.at);

    pki_cell_send(redis, &args, pki_store_changed_reply, cell);
}


void
pki_store_record(pki_redis_t *redis, const char *issuer,
    const pki_serial_t *serial, const pki_record_t *record,
    pki_store_done_pt done, void *data)
{
    char             key[PKI_STORE_KEY_SIZE], owner[PKI_OWNER_SIZE];
    char             text[PKI_RECORD_SIZE], hex[PKI_SERIAL_HEX_SIZE];
    const char      *refused;
    pki_cell_args_t  args;
    pki_cell_t      *cell;

    refused = NULL;

    if (!pki_store_name_valid(issuer) || !pki_store_serial_valid(serial)) {
        refused = "an issuer or a serial number that cannot be";

    } else if (pki_record_write(text, record) != PKI_OK) {
        refused = "a record with a time or a source that cannot be";
    }

    cell = pki_cell_begin(redis, PKI_CELL_DONE, (pki_cell_call_pt) done,
                          data, refused, sizeof(pki_cell_t));
    if (cell == NULL) {
        return;
    }

    (void) pki_serial_to_text(serial, hex);
    pki_store_key(key, issuer, "cert:", hex);
    (void) pki_owner_cert(owner, issuer, serial);

    args.argc = 0;
    pki_cell_arg(&args, "EVAL");
    pki_cell_arg(&args, pki_store_lua_record);
    pki_cell_arg(&args, "1");
    pki_cell_arg(&args, key);
    pki_cell_arg(&args, text);
    pki_cell_arg(&args, owner);

    pki_cell_send(redis, &args, pki_store_done_reply, cell);
}


void
pki_store_lease(pki_redis_t *redis, const char *directory, const char *token,
    long ttl, pki_store_done_pt done, void *data)
{
    char             key[PKI_STORE_KEY_SIZE], text[24];
    const char      *refused;
    pki_cell_args_t  args;
    pki_cell_t      *cell;

    refused = pki_store_lease_check(directory, token);

    if (refused == NULL && (ttl < 1 || ttl > PKI_STORE_TTL_MAX)) {
        refused = "a lease with a time to live that cannot be";
    }

    cell = pki_cell_begin(redis, PKI_CELL_DONE, (pki_cell_call_pt) done,
                          data, refused, sizeof(pki_cell_t));
    if (cell == NULL) {
        return;
    }

    pki_store_key(key, directory, "lease", "");
    (void) snprintf(text, sizeof(text), "%ld", ttl);

    args.argc = 0;
    pki_cell_arg(&args, "EVAL");
    pki_cell_arg(&args, pki_store_lua_lease);
    pki_cell_arg(&args, "1");
    pki_cell_arg(&args, key);
    pki_cell_arg(&args, token);
    pki_cell_arg(&args, text);

    pki_cell_send(redis, &args, pki_store_done_reply, cell);
}


void
pki_store_apply(pki_redis_t *redis, const char *directory, const char *token,
    const pki_store_object_t *objects, size_t n, pki_store_done_pt done,
    void *data)
{
    size_t       i, size;
    const char  *refused;
    pki_cell_t  *cell;

    refused = pki_store_lease_check(directory, token);

    if (refused == NULL && n > PKI_STORE_APPLY_MAX) {
        refused = "too many objects at once";
    }

    for (i = 0; refused == NULL && i < n; i++) {
        if (!pki_record_id_valid(directory, objects[i].id)
            || objects[i].state > PKI_RECORD_STATE_MAX
            || !pki_record_time_valid(objects[i].since))
        {
            refused = "an object with an id, a state or a time that cannot be";
        }
    }

    size = sizeof(pki_cell_t);

    if (refused == NULL) {
        size += n * sizeof(pki_store_state_t)
                + PKI_STORE_APPLY_ARGS(n) * (sizeof(char *) + sizeof(size_t));
    }

    cell = pki_cell_begin(redis, PKI_CELL_DONE,
                           (pki_cell_call_pt) done, data, refused, size);
    if (cell == NULL) {
        return;
    }

    pki_store_apply_send(redis, cell, directory, token, objects, n);
}


void
pki_store_commit(pki_redis_t *redis, const char *directory,
    const char *token, const char *link, time_t at, pki_store_done_pt done,
    void *data)
{
    char             lease[PKI_STORE_KEY_SIZE], sync[PKI_STORE_KEY_SIZE];
    char             text[24];
    const char      *refused;
    pki_cell_args_t  args;
    pki_cell_t      *cell;

    refused = pki_store_lease_check(directory, token);

    if (refused == NULL && !pki_record_time_valid(at)) {
        refused = "a round with a time that cannot be";
    }

    cell = pki_cell_begin(redis, PKI_CELL_DONE, (pki_cell_call_pt) done,
                          data, refused, sizeof(pki_cell_t));
    if (cell == NULL) {
        return;
    }

    pki_store_key(lease, directory, "lease", "");
    pki_store_key(sync, directory, "sync", "");
    (void) snprintf(text, sizeof(text), "%lld", (long long) at);

    args.argc = 0;
    pki_cell_arg(&args, "EVAL");
    pki_cell_arg(&args, pki_store_lua_commit);
    pki_cell_arg(&args, "2");
    pki_cell_arg(&args, lease);
    pki_cell_arg(&args, sync);
    pki_cell_arg(&args, token);
    pki_cell_arg(&args, text);

    if (link != NULL) {
        pki_cell_arg(&args, link);
    }

    pki_cell_send(redis, &args, pki_store_done_reply, cell);
}


static const char *
pki_store_query_check(const pki_store_query_t *query)
{
    unsigned  i;

    if (!pki_store_name_valid(query->issuer)
        || !pki_store_serial_valid(&query->serial)
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
    char             key[PKI_STORE_KEY_SIZE], hex[PKI_SERIAL_HEX_SIZE];
    unsigned         i;
    pki_cell_args_t  args;

    (void) pki_serial_to_text(&query->serial, hex);

    pki_store_key(key, query->issuer, "revoked", "");
    args.argc = 0;
    pki_cell_arg(&args, "HGET");
    pki_cell_arg(&args, key);
    pki_cell_arg(&args, hex);
    pki_cell_send(redis, &args, pki_store_find_reply, find);

    pki_store_key(key, query->issuer, "cert:", hex);
    args.argc = 0;
    pki_cell_arg(&args, "GET");
    pki_cell_arg(&args, key);
    pki_cell_send(redis, &args, pki_store_find_reply, find);

    for (i = 0; i < query->nobjects; i++) {
        pki_store_key(key, query->objects[i].directory, "object:",
                      query->objects[i].id);
        args.argc = 0;
        pki_cell_arg(&args, "GET");
        pki_cell_arg(&args, key);
        pki_cell_send(redis, &args, pki_store_find_reply, find);

        pki_store_key(key, query->objects[i].directory, "sync", "");
        args.argc = 0;
        pki_cell_arg(&args, "HGET");
        pki_cell_arg(&args, key);
        pki_cell_arg(&args, "at");
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
    long long           at;
    const char         *error;
    pki_bytes_t         text;
    pki_facts_t        *facts;
    pki_object_fact_t  *object;

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

    if (n % 2 == 0) {
        if (pki_object_read(text, &object->state, &object->since) != PKI_OK) {
            return "unreadable object record";
        }

        object->found = 1;

        return NULL;
    }

    if (pki_record_number(text, PKI_RECORD_TIME_MAX, &at) != PKI_OK) {
        return "unreadable time of a directory's last round";
    }

    object->synced_at = (time_t) at;

    return NULL;
}


static const char *
pki_store_change_check(const char *issuer, const pki_serial_t *serial,
    const pki_actor_t *actor)
{
    if (!pki_store_name_valid(issuer) || !pki_store_serial_valid(serial)
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

    pki_store_key(change->revoked, issuer, "revoked", "");
    pki_store_key(change->audit, issuer, "audit", "");
    pki_store_key(change->cert, issuer, "cert:", change->serial);

    pki_record_clean(change->who, actor->who);
    pki_record_clean(change->from, actor->from);
    pki_record_clean(change->why, actor->why);

    (void) snprintf(change->at, sizeof(change->at), "%lld",
                    (long long) actor->at);
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


/*
 * The cell was made with room behind it for the texts, then for the
 * arguments and their lengths.
 */

static void
pki_store_apply_send(pki_redis_t *redis, pki_cell_t *cell,
    const char *directory, const char *token,
    const pki_store_object_t *objects, size_t n)
{
    int                 argc;
    char                lease[PKI_STORE_KEY_SIZE], keys[24];
    size_t              i, max, *len;
    const char        **argv;
    pki_store_state_t  *states;

    max = PKI_STORE_APPLY_ARGS(n);
    argv = (const char **) (cell + 1);
    len = (size_t *) (argv + max);
    states = (pki_store_state_t *) (len + max);

    for (i = 0; i < n; i++) {
        pki_store_key(states[i].key, directory, "object:", objects[i].id);
        (void) pki_owner_object(states[i].owner, directory, objects[i].id);
        (void) snprintf(states[i].record, sizeof(states[i].record),
                        "1 %u %lld", objects[i].state,
                        (long long) objects[i].since);
    }

    pki_store_key(lease, directory, "lease", "");
    (void) snprintf(keys, sizeof(keys), "%zu", n + 1);

    argc = 0;
    argv[argc++] = "EVAL";
    argv[argc++] = pki_store_lua_apply;
    argv[argc++] = keys;
    argv[argc++] = lease;

    for (i = 0; i < n; i++) {
        argv[argc++] = states[i].key;
    }

    argv[argc++] = token;

    for (i = 0; i < n; i++) {
        argv[argc++] = states[i].record;
        argv[argc++] = states[i].owner;
    }

    for (i = 0; i < (size_t) argc; i++) {
        len[i] = strlen(argv[i]);
    }

    redis->send(redis, argc, argv, len, pki_store_done_reply, cell);
}


static const char *
pki_store_lease_check(const char *directory, const char *token)
{
    if (!pki_store_name_valid(directory) || *token == '\0') {
        return "a directory or a token that cannot be";
    }

    return NULL;
}


static void
pki_store_done_reply(void *data, const redisReply *reply)
{
    pki_cell_t *cell = data;

    pki_err_t           err;
    const char         *error;
    pki_store_done_pt   done;
    pki_store_result_t  result;

    done = (pki_store_done_pt) cell->call;

    error = pki_cell_result(reply, REDIS_REPLY_INTEGER, &result, &err);

    if (error == NULL
        && (reply->element[1]->integer < 0
            || reply->element[1]->integer > PKI_STORE_APPLY_MAX))
    {
        error = "Redis replied with a number that cannot be";
    }

    if (error != NULL) {
        pki_cell_fail(cell, error);

    } else {
        done(cell->data, result, reply->element[1]->integer, NULL);
    }

    OPENSSL_free(cell);
}


static int
pki_store_name_valid(const char *name)
{
    return pki_name_valid(name, strlen(name));
}


static int
pki_store_serial_valid(const pki_serial_t *serial)
{
    return serial->len >= 1 && serial->len <= PKI_SERIAL_LEN
           && serial->data[0] != 0;
}


static void
pki_store_key(char *key, const char *name, const char *kind, const char *id)
{
    (void) snprintf(key, PKI_STORE_KEY_SIZE, "pki:{%s}:%s%s", name, kind, id);
}

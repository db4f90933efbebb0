
/*
 * The verbs that take object states: what a directory told becomes one
 * argument for each object, and a script makes records of them.
 */

#include "pki_state_script.h"

#include <string.h>


#define PKI_STATE_ARGS    9             /* before the objects */
#define PKI_STATE_ROOM    (5 * PKI_STATE_NUMBER + 10)    /* of one, besides
                                           its texts */
#define PKI_STATE_WEAK    (PKI_OBJECT_MISSING|PKI_OBJECT_UNCLEAR)
#define PKI_STATE_PUSHED  "push"


static const char *pki_state_apply_check(const pki_state_batch_t *batch);
static const char *pki_state_apply_objects(const char *directory,
    const pki_state_object_t *objects, size_t n);
static int pki_state_apply_valid(const char *directory,
    const pki_state_object_t *object);
static void pki_state_apply_size(pki_state_call_t *call,
    const pki_state_object_t *objects, size_t n);
static void pki_state_apply_batch(pki_state_call_t *call,
    const pki_state_batch_t *batch, unsigned stage);
static void pki_state_apply_write(pki_state_call_t *call,
    const pki_state_object_t *objects, size_t n);


void
pki_state_apply(pki_redis_t *redis, const pki_state_batch_t *batch,
    const pki_state_object_t *objects, size_t n,
    pki_state_applied_pt applied, void *data)
{
    pki_state_call_t  call;

    memset(&call, 0, sizeof(pki_state_call_t));
    call.redis = redis;
    call.directory = batch->directory;
    call.token = batch->token;
    call.resource = batch->resource;
    call.refused = pki_state_apply_check(batch);

    if (call.refused == NULL) {
        call.refused = pki_state_apply_objects(call.directory, objects, n);
    }

    pki_state_apply_size(&call, objects, n);

    if (pki_state_call_begin(&call, &pki_state_lua_apply, PKI_CELL_APPLIED,
                             (pki_cell_call_pt) applied, data)
        != PKI_OK)
    {
        return;
    }

    pki_state_apply_batch(&call, batch,
                          batch->stage ? 1 + batch->first : 0);
    pki_state_apply_write(&call, objects, n);
    pki_state_call_send(&call);
}


/* The time stands where the token would. */

void
pki_state_push(pki_redis_t *redis, const char *directory, unsigned sticky,
    const pki_state_object_t *objects, size_t n,
    pki_state_applied_pt applied, void *data)
{
    pki_state_call_t   call;
    pki_state_batch_t  batch;

    memset(&batch, 0, sizeof(pki_state_batch_t));
    batch.resource = PKI_STATE_PUSHED;
    batch.sticky = sticky;

    memset(&call, 0, sizeof(pki_state_call_t));
    call.redis = redis;
    call.directory = directory;
    call.resource = PKI_STATE_PUSHED;
    call.refused = pki_state_apply_check(&batch);

    if (call.refused == NULL) {
        call.refused = pki_state_apply_objects(directory, objects, n);
    }

    pki_state_apply_size(&call, objects, n);

    if (pki_state_call_begin(&call, &pki_state_lua_push, PKI_CELL_APPLIED,
                             (pki_cell_call_pt) applied, data)
        != PKI_OK)
    {
        return;
    }

    pki_state_call_number(&call, (long long) time(NULL));
    pki_state_apply_batch(&call, &batch, 0);
    pki_state_apply_write(&call, objects, n);
    pki_state_call_send(&call);
}


void
pki_state_settle(pki_redis_t *redis, const pki_state_batch_t *batch,
    pki_store_done_pt done, void *data)
{
    pki_state_call_t  call;

    memset(&call, 0, sizeof(pki_state_call_t));
    call.redis = redis;
    call.directory = batch->directory;
    call.token = batch->token;
    call.resource = batch->resource;
    call.refused = pki_state_apply_check(batch);

    pki_state_apply_size(&call, NULL, 0);

    if (pki_state_call_begin(&call, &pki_state_lua_settle, PKI_CELL_DONE,
                             (pki_cell_call_pt) done, data)
        != PKI_OK)
    {
        return;
    }

    pki_state_apply_batch(&call, batch, 0);
    pki_state_call_number(&call, PKI_STATE_APPLY_MAX);
    pki_state_call_send(&call);
}


static const char *
pki_state_apply_check(const pki_state_batch_t *batch)
{
    if (batch->round < 0 || batch->sticky > PKI_RECORD_STATE_MAX
        || !pki_record_time_valid(batch->settled)
        || !pki_record_time_valid(batch->settle))
    {
        return "a batch with a round, a state or a time that cannot be";
    }

    return NULL;
}


static const char *
pki_state_apply_objects(const char *directory,
    const pki_state_object_t *objects, size_t n)
{
    size_t  i;

    if (n > PKI_STATE_APPLY_MAX) {
        return "too many objects at once";
    }

    if (!pki_name_valid(directory, strlen(directory))) {
        return "a directory that cannot be";
    }

    for (i = 0; i < n; i++) {
        if (!pki_state_apply_valid(directory, &objects[i])) {
            return "an object with an id, a name, a state or a time that"
                   " cannot be";
        }
    }

    return NULL;
}


static int
pki_state_apply_valid(const char *directory,
    const pki_state_object_t *object)
{
    return pki_record_id_valid(directory, object->id)
           && (object->key == NULL
               || pki_record_text_valid(object->key, PKI_STATE_KEY_MAX, 0))
           && (object->alias == NULL || object->alias[0] == '\0'
               || pki_record_text_valid(object->alias,
                                        PKI_OBJECT_ID_SIZE - 1, 0))
           && (object->owner == NULL || object->owner[0] == '\0'
               || pki_record_text_valid(object->owner,
                                        PKI_OBJECT_ID_SIZE - 1, 0))
           && (object->name == NULL
               || pki_record_text_valid(object->name, PKI_STATE_NAME_MAX, 1))
           && object->state <= PKI_RECORD_STATE_MAX
           && object->mask <= PKI_RECORD_STATE_MAX
           && pki_record_time_valid(object->since)
           && pki_record_time_valid(object->recheck);
}


/* What was refused has no size. */

static void
pki_state_apply_size(pki_state_call_t *call,
    const pki_state_object_t *objects, size_t n)
{
    size_t                     i;
    const pki_state_object_t  *o;

    if (call->refused != NULL) {
        return;
    }

    call->nargs = PKI_STATE_ARGS + 1 + n;
    call->size = (PKI_STATE_ARGS + 1) * PKI_STATE_NUMBER + PKI_OWNER_SIZE;

    for (i = 0; i < n; i++) {
        o = &objects[i];

        call->size += PKI_STATE_ROOM + strlen(o->id)
                      + (o->key ? strlen(o->key) : 0)
                      + (o->alias ? strlen(o->alias) : 0)
                      + (o->owner ? strlen(o->owner) : 0)
                      + (o->name ? strlen(o->name) : 0);
    }
}


static void
pki_state_apply_batch(pki_state_call_t *call,
    const pki_state_batch_t *batch, unsigned stage)
{
    pki_state_call_put(call, "object:");
    pki_state_call_put(call, call->directory);
    pki_state_call_arg(call, ":");

    pki_state_call_number(call, batch->round);
    pki_state_call_number(call, batch->sticky);
    pki_state_call_number(call, batch->settled);
    pki_state_call_number(call, batch->settle);
    pki_state_call_number(call, stage);
    pki_state_call_number(call, PKI_OBJECT_BAD);
    pki_state_call_number(call, PKI_STATE_WEAK);
    pki_state_call_number(call, PKI_OBJECT_UNCLEAR);
}


static void
pki_state_apply_write(pki_state_call_t *call,
    const pki_state_object_t *objects, size_t n)
{
    size_t                     i;
    const pki_state_object_t  *o;

    for (i = 0; i < n; i++) {
        o = &objects[i];

        pki_state_call_put(call, o->id);
        pki_state_call_put(call, o->key ? " =" : " *");
        pki_state_call_put(call, o->key ? o->key : "");
        pki_state_call_put(call, o->alias ? " =" : " *");
        pki_state_call_put(call, o->alias ? o->alias : "");
        pki_state_call_put(call, " ");
        pki_state_call_put_number(call, o->state & o->mask);
        pki_state_call_put(call, " ");
        pki_state_call_put_number(call, o->mask);
        pki_state_call_put(call, " ");
        pki_state_call_put_number(call, o->since);
        pki_state_call_put(call, " ");
        pki_state_call_put_number(call, o->recheck);
        pki_state_call_put(call, o->owner ? " =" : " *");
        pki_state_call_put(call, o->owner ? o->owner : "");
        pki_state_call_put(call, " ");
        pki_state_call_put_lower(call, o->name ? o->name : "");
        pki_state_call_next(call);
    }
}

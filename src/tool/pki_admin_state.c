
/*
 * A directory by hand: an object's state is set as a round would, and a name
 * is looked up.
 */

#include "pki_admin.h"
#include "pki_state.h"

#include <stdio.h>
#include <string.h>


#define PKI_ADMIN_STATE_LEASE  30000    /* milliseconds; given back at once */


static void pki_admin_state_applied(void *data, pki_store_result_t result,
    const pki_state_applied_t *applied, const char *error);
static int pki_admin_state_round(pki_redis_sync_t *sync,
    const pki_state_batch_t *batch, const pki_state_object_t *object);
static int pki_admin_state_held(const char *directory,
    const pki_admin_answer_t *answer);
static void pki_admin_state_resolved(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error);
static int pki_admin_state_read(const char *text, unsigned *state);


static const struct {
    const char        *name;
    unsigned           state;
} pki_admin_states[] = {
    { "none", 0 },
    { "deleted", PKI_OBJECT_DELETED },
    { "retired", PKI_OBJECT_RETIRED },
    { "endpoint", PKI_OBJECT_ENDPOINT },
    { "disabled", PKI_OBJECT_DISABLED },
    { "noncompliant", PKI_OBJECT_NONCOMPLIANT },
    { "risky", PKI_OBJECT_RISKY },
    { "removed", PKI_OBJECT_REMOVED },
    { "unmanaged", PKI_OBJECT_UNMANAGED },
    { "silent", PKI_OBJECT_SILENT },
    { "missing", PKI_OBJECT_MISSING },
    { "unclear", PKI_OBJECT_UNCLEAR }
};

#define PKI_ADMIN_STATE_STATES                                              \
    (sizeof(pki_admin_states) / sizeof(pki_admin_states[0]))

/* all that a round by hand completes */

static const char *const  pki_admin_rounds[] = {
    "devices", "users", "computers", "mobile", "push"
};

#define PKI_ADMIN_STATE_ROUNDS                                              \
    (sizeof(pki_admin_rounds) / sizeof(pki_admin_rounds[0]))


/*
 * A round by hand: what an operator tells is whole and believed at once, and
 * every resource of the directory counts as heard.
 */

int
pki_admin_state_object(const pki_admin_line_t *line)
{
    int                  rc;
    char                 token[sizeof(PKI_ADMIN_NAME) + 2 * PKI_ADMIN_RANDOM
                               + 1];
    unsigned char        random[PKI_ADMIN_RANDOM];
    pki_redis_sync_t    *sync;
    pki_state_batch_t    batch;
    pki_state_object_t   object;

    memset(&batch, 0, sizeof(batch));
    batch.directory = line->opt[PKI_ADMIN_OPT_DIRECTORY];
    batch.token = token;
    batch.resource = "push";

    memset(&object, 0, sizeof(object));
    object.id = line->opt[PKI_ADMIN_OPT_ID];
    object.mask = PKI_OBJECT_STATES;
    object.since = time(NULL);

    rc = pki_admin_state_read(line->opt[PKI_ADMIN_OPT_STATE], &object.state);

    if (rc == PKI_ADMIN_DONE) {
        rc = pki_admin_random(random, sizeof(random));
    }

    if (rc == PKI_ADMIN_DONE) {
        rc = pki_admin_connect(line, &sync);
    }

    if (rc != PKI_ADMIN_DONE) {
        return rc;
    }

    strcpy(token, PKI_ADMIN_NAME " ");
    pki_admin_hex(token + sizeof(PKI_ADMIN_NAME), random, sizeof(random));

    rc = pki_admin_state_round(sync, &batch, &object);
    pki_redis_sync_destroy(sync);

    return rc;
}


static int
pki_admin_state_round(pki_redis_sync_t *sync, const pki_state_batch_t *batch,
    const pki_state_object_t *object)
{
    int                  rc;
    size_t               i;
    pki_redis_t         *redis;
    pki_admin_answer_t   lease, apply, unlease;
    pki_admin_answer_t   commit[PKI_ADMIN_STATE_ROUNDS];

    redis = pki_redis_sync_transport(sync);

    pki_state_lease(redis, batch->directory, batch->token,
                    PKI_ADMIN_STATE_LEASE, pki_admin_done, &lease);
    pki_state_apply(redis, batch, object, 1, pki_admin_state_applied, &apply);

    for (i = 0; i < PKI_ADMIN_STATE_ROUNDS; i++) {
        pki_state_commit(redis, batch->directory, batch->token,
                         pki_admin_rounds[i], NULL, 0, object->since,
                         pki_admin_done, &commit[i]);
    }

    pki_state_unlease(redis, batch->directory, batch->token,
                      pki_admin_done, &unlease);

    rc = pki_admin_wait(sync, &lease);

    if (rc == PKI_ADMIN_DONE) {
        rc = pki_admin_state_held(batch->directory, &lease);
    }

    if (rc == PKI_ADMIN_DONE) {
        rc = pki_admin_state_held(batch->directory, &apply);
    }

    for (i = 0; rc == PKI_ADMIN_DONE && i < PKI_ADMIN_STATE_ROUNDS; i++) {
        rc = pki_admin_state_held(batch->directory, &commit[i]);
    }

    if (rc == PKI_ADMIN_DONE) {
        printf("%s\n", apply.n ? "changed" : "already so");
    }

    return rc;
}


static int
pki_admin_state_held(const char *directory, const pki_admin_answer_t *answer)
{
    if (answer->result == PKI_STORE_CONFLICT) {
        return pki_admin_fail(PKI_ADMIN_REFUSED, "somebody else holds the"
                              " lease of \"%s\"", directory);
    }

    if (answer->result != PKI_STORE_DONE) {
        return pki_admin_fail(PKI_ADMIN_FAILED, "%s", answer->error);
    }

    return PKI_ADMIN_DONE;
}


int
pki_admin_state_resolve(const pki_admin_line_t *line)
{
    int                   rc;
    pki_admin_resolved_t  resolved;

    rc = pki_admin_resolve(line, line->opt[PKI_ADMIN_OPT_NAME], &resolved);

    if (rc == PKI_ADMIN_DONE) {
        printf("%s\n", resolved.id);
    }

    return rc;
}


int
pki_admin_resolve(const pki_admin_line_t *line, const char *name,
    pki_admin_resolved_t *resolved)
{
    int                 rc;
    pki_redis_sync_t   *sync;

    memset(resolved, 0, sizeof(pki_admin_resolved_t));

    rc = pki_admin_connect(line, &sync);
    if (rc != PKI_ADMIN_DONE) {
        return rc;
    }

    pki_state_resolve(pki_redis_sync_transport(sync),
                      line->opt[PKI_ADMIN_OPT_DIRECTORY], name,
                      pki_admin_state_resolved, resolved);

    rc = pki_admin_wait(sync, &resolved->answer);
    pki_redis_sync_destroy(sync);

    if (rc == PKI_ADMIN_DONE
        && resolved->answer.result == PKI_STORE_NOT_FOUND)
    {
        rc = pki_admin_fail(PKI_ADMIN_REFUSED, "\"%s\" knows no \"%s\"",
                            line->opt[PKI_ADMIN_OPT_DIRECTORY], name);
    }

    return rc;
}


static void
pki_admin_state_resolved(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error)
{
    pki_admin_resolved_t  *resolved = data;

    (void) next;

    pki_admin_done(&resolved->answer, result, (long long) n, error);

    if (n == 1) {
        (void) snprintf(resolved->id, sizeof(resolved->id), "%s",
                        items[0].value);
    }
}


static void
pki_admin_state_applied(void *data, pki_store_result_t result,
    const pki_state_applied_t *applied, const char *error)
{
    pki_admin_done(data, result, applied->changed, error);
}


void
pki_admin_state_show(unsigned state)
{
    size_t       i;
    const char  *separator;

    printf("state:");
    separator = " ";

    for (i = 0; i < PKI_ADMIN_STATE_STATES; i++) {
        if (state == pki_admin_states[i].state
            || (state & pki_admin_states[i].state))
        {
            printf("%s%s", separator, pki_admin_states[i].name);
            separator = ",";
        }
    }

    printf("\n");
}


static int
pki_admin_state_read(const char *text, unsigned *state)
{
    size_t  i, len;

    *state = 0;

    for ( ;; ) {
        len = strcspn(text, ",");

        for (i = 0; i < PKI_ADMIN_STATE_STATES; i++) {
            if (strlen(pki_admin_states[i].name) == len
                && strncmp(pki_admin_states[i].name, text, len) == 0)
            {
                break;
            }
        }

        if (i == PKI_ADMIN_STATE_STATES) {
            return pki_admin_fail(PKI_ADMIN_USAGE, "unknown state in --state");
        }

        *state |= pki_admin_states[i].state;

        if (text[len] == '\0') {
            return PKI_ADMIN_DONE;
        }

        text += len + 1;
    }
}


/*
 * What the reply to a lookup means.
 *
 * A state is taken only from a reply that names the object.  An object is
 * deleted only when lookups at least conf->confirm seconds apart were both
 * told that it does not exist, a round was completed in between, and a full
 * listing before.  Every other reply is a failure and leaves the object as
 * it is; one that is likely to be the directory's makes all jobs wait.
 */

#include "pki_lookup.h"

#include <stdlib.h>
#include <string.h>


#define PKI_LOOKUP_TRIES  3         /* of a job */
#define PKI_LOOKUP_PAUSE  250       /* milliseconds at least; Retry-After may
                                       be 0 */
#define PKI_LOOKUP_LONG   16        /* a wait as after so many failures */
#define PKI_LOOKUP_AGAIN  10        /* seconds at most, until there was a
                                       round */


static void pki_lookup_found(pki_lookup_call_t *call,
    const pki_value_t *values);
static void pki_lookup_absent(pki_lookup_call_t *call);
static pki_rc_t pki_lookup_known(pki_lookup_call_t *call, time_t now,
    unsigned *state);
static pki_rc_t pki_lookup_confirm(pki_lookup_call_t *call, time_t now,
    unsigned state);
static unsigned pki_lookup_unheard(const pki_lookup_call_t *call);
static unsigned pki_lookup_gone(const pki_lookup_call_t *call);
static int pki_lookup_sound(const pki_lookup_call_t *call, time_t since);
static pki_rc_t pki_lookup_drop(pki_lookup_call_t *call);
static pki_rc_t pki_lookup_apply(pki_lookup_call_t *call,
    const pki_state_object_t *object, long long round, time_t now);
static void pki_lookup_worked(pki_lookup_call_t *call);
static void pki_lookup_failed(pki_lookup_call_t *call);
static void pki_lookup_odd(pki_lookup_call_t *call, const char *text);
static void pki_lookup_pause(pki_lookup_t *lookup, long asked);
static void pki_lookup_again(pki_lookup_call_t *call);
static void pki_lookup_give_up(pki_lookup_call_t *call);


void
pki_lookup_reply(pki_lookup_call_t *call)
{
    int           json;
    unsigned      n;
    pki_value_t   values[PKI_PAGE_PATHS];

    json = call->outcome == PKI_FETCH_DONE && call->read == PKI_OK;

    for (n = 0; json && n < PKI_PAGE_PATHS && call->shape.top[n]; n++) {
        values[n] = *pki_page_top(call->page, n);
    }

    if (json && call->status / 100 == 2) {
        pki_lookup_found(call, values);

    } else if (json && call->resource->absent != NULL
               && call->resource->absent(call->status, values))
    {
        pki_lookup_absent(call);

    } else {
        pki_lookup_failed(call);
    }
}


static void
pki_lookup_found(pki_lookup_call_t *call, const pki_value_t *values)
{
    time_t                 now;
    pki_rc_t               rc;
    pki_item_t             item;
    pki_source_t          *source;
    const pki_resource_t  *resource;

    source = call->lookup->source;
    resource = call->resource;
    now = pki_source_now(source);

    memset(&item, 0, sizeof(item));

    rc = resource->one ? resource->one(source->conf, values, now, &item)
                       : resource->item(source->conf, values, now, &item);

    if (rc != PKI_OK || item.object.id == NULL
        || strcmp(item.object.id, call->job->id) != 0)
    {
        pki_err_set(&call->err, "the reply to a lookup in \"%s\" does not "
                    "tell of the object", resource->name);
        pki_lookup_odd(call, call->err.text);
        return;
    }

    /* seen when it was asked for: a round begun since may have missed it */

    rc = pki_lookup_apply(call, &item.object, call->number, now);

    if (rc == PKI_OK) {
        pki_lookup_worked(call);

    } else {
        pki_lookup_pause(call->lookup, -1);
        pki_lookup_again(call);
    }
}


static void
pki_lookup_absent(pki_lookup_call_t *call)
{
    time_t    now;
    pki_rc_t  rc;
    unsigned  state;

    now = pki_source_now(call->lookup->source);

    rc = pki_lookup_known(call, now, &state);

    if (rc == PKI_OK && (state & pki_lookup_gone(call))) {

        /* said before, when it may not have been known by what key */

        rc = pki_lookup_drop(call);

    } else if (rc == PKI_OK) {
        rc = pki_lookup_confirm(call, now, state);
    }

    if (rc == PKI_OK) {
        pki_lookup_worked(call);

    } else {
        pki_lookup_pause(call->lookup, -1);
        pki_lookup_again(call);
    }
}


/*
 * The state of an object before this reply.  To apply a state forgets that
 * the object was absent, so one of which nothing is known is told to be
 * missing before that is counted; all others keep their state until they are
 * known to be gone.
 */

static pki_rc_t
pki_lookup_known(pki_lookup_call_t *call, time_t now, unsigned *state)
{
    size_t               i;
    pki_rc_t             rc;
    pki_answer_t         answer;
    pki_source_t        *source;
    pki_store_result_t   result;
    pki_state_object_t   object;

    source = call->lookup->source;
    *state = 0;

    pki_answer_init(&answer);
    pki_state_object(source->redis, source->conf->name, call->job->id,
                     pki_answer_list, &answer);

    rc = pki_lookup_kept(call->lookup, &answer);
    result = answer.result;

    for (i = 0; i < answer.nitems; i++) {
        if (strcmp(answer.items[i].name, "state") == 0) {
            *state = (unsigned) strtoul(answer.items[i].value, NULL, 10);
        }
    }

    pki_answer_free(&answer);

    if (rc != PKI_OK || result != PKI_STORE_NOT_FOUND) {
        return rc;
    }

    *state = PKI_OBJECT_MISSING;

    memset(&object, 0, sizeof(object));
    object.id = call->job->id;
    object.state = PKI_OBJECT_MISSING;
    object.mask = call->resource->mask;
    object.since = now;

    return pki_lookup_apply(call, &object, 0, now);
}


/* That what was there is missing may be known to the next delta already. */

static pki_rc_t
pki_lookup_confirm(pki_lookup_call_t *call, time_t now, unsigned state)
{
    pki_rc_t             rc;
    long long            since, wait;
    pki_answer_t         answer;
    pki_source_t        *source;
    pki_state_object_t   object;

    source = call->lookup->source;

    pki_answer_init(&answer);
    pki_state_absent(source->redis, source->conf->name, source->token,
                     call->job->id, now, pki_answer_done, &answer);

    rc = pki_lookup_kept(call->lookup, &answer);
    since = answer.n > 0 ? answer.n : 0;
    pki_answer_free(&answer);

    if (rc != PKI_OK) {
        return rc;
    }

    if (since == 0 && call->resource->delta
        && !(state & PKI_OBJECT_MISSING))
    {
        pki_machine_hurry(call->machine, 0);
    }

    wait = source->conf->confirm - since;

    if (wait <= 0 && !pki_lookup_sound(call, now - (time_t) since)) {
        wait = source->conf->interval / 1000 + 1;
        wait = wait < PKI_LOOKUP_AGAIN ? wait : PKI_LOOKUP_AGAIN;
    }

    if (wait > 0) {
        return pki_lookup_recheck(call->lookup, call->job->id,
                                  now + (time_t) wait);
    }

    memset(&object, 0, sizeof(object));
    object.id = call->job->id;
    object.state = (state & PKI_OBJECT_MISSING) ? pki_lookup_unheard(call)
                                                : pki_lookup_gone(call);
    object.mask = call->resource->mask;
    object.since = now;

    rc = pki_lookup_apply(call, &object, 0, now);

    return rc == PKI_OK ? pki_lookup_drop(call) : rc;
}


/*
 * A device may have its certificate before the directory has the device, so
 * this is a policy, not a deletion.  It stays missing as well, or the next
 * lookup would take it for one that was there.
 */

static unsigned
pki_lookup_unheard(const pki_lookup_call_t *call)
{
    switch (call->lookup->source->conf->absent) {

    case PKI_ABSENT_REVOKED:
        return pki_lookup_gone(call);

    case PKI_ABSENT_LATER:
        return PKI_OBJECT_MISSING;

    default: /* PKI_ABSENT_HOLD */
        return PKI_OBJECT_REMOVED|PKI_OBJECT_MISSING;
    }
}


static unsigned
pki_lookup_gone(const pki_lookup_call_t *call)
{
    return call->lookup->source->conf->restore ? PKI_OBJECT_REMOVED
                                               : PKI_OBJECT_DELETED;
}


/*
 * Has the collection been read since?  Where all of it is gone, by a wrong
 * path or a version that is no longer served, no object can be found either.
 */

static int
pki_lookup_sound(const pki_lookup_call_t *call, time_t since)
{
    pki_poller_stats_t  stats;

    memset(&stats, 0, sizeof(stats));
    pki_machine_stats(call->machine, &stats);

    return pki_machine_full_at(call->machine) != 0 && stats.at >= since;
}


/* It will not be seen again, and need not be looked for. */

static pki_rc_t
pki_lookup_drop(pki_lookup_call_t *call)
{
    pki_rc_t       rc;
    const char    *key;
    pki_answer_t   answer;
    pki_source_t  *source;

    source = call->lookup->source;

    if (call->job->key[0]) {
        key = call->job->key;

        pki_answer_init(&answer);
        pki_state_drop(source->redis, source->conf->name, source->token,
                       call->resource->name, &key, 1, pki_answer_done,
                       &answer);

        rc = pki_lookup_kept(call->lookup, &answer);
        pki_answer_free(&answer);

        if (rc != PKI_OK) {
            return rc;
        }
    }

    return pki_lookup_recheck(call->lookup, call->job->id, 0);
}


static pki_rc_t
pki_lookup_apply(pki_lookup_call_t *call, const pki_state_object_t *object,
    long long round, time_t now)
{
    pki_rc_t            rc;
    pki_answer_t        answer;
    pki_source_t       *source;
    pki_state_batch_t   batch;

    source = call->lookup->source;

    memset(&batch, 0, sizeof(batch));
    batch.directory = source->conf->name;
    batch.token = source->token;
    batch.resource = call->resource->name;
    batch.round = round;

    if (!source->conf->restore) {
        batch.sticky = PKI_OBJECT_DELETED;
    }

    if (source->conf->settle) {
        batch.settle = source->conf->settle;
        batch.settled = now - source->conf->settle;
    }

    pki_answer_init(&answer);
    pki_state_apply(source->redis, &batch, object, 1, pki_answer_applied,
                    &answer);

    rc = pki_lookup_kept(call->lookup, &answer);
    pki_answer_free(&answer);

    return rc;
}


pki_rc_t
pki_lookup_recheck(pki_lookup_t *lookup, const char *id, time_t due)
{
    pki_rc_t       rc;
    pki_answer_t   answer;
    pki_source_t  *source;

    source = lookup->source;

    pki_answer_init(&answer);
    pki_state_recheck(source->redis, source->conf->name, source->token, id,
                      due, pki_answer_done, &answer);

    rc = pki_lookup_kept(lookup, &answer);
    pki_answer_free(&answer);

    return rc;
}


pki_rc_t
pki_lookup_kept(pki_lookup_t *lookup, pki_answer_t *answer)
{
    pki_rc_t  rc;

    rc = pki_answer_wait(lookup->source, answer);

    if (rc == PKI_ERROR && lookup->source->redis != NULL) {
        pki_lookup_say(lookup, answer->err.text);
    }

    return rc;
}


static void
pki_lookup_worked(pki_lookup_call_t *call)
{
    pki_lookup_t  *lookup;

    lookup = call->lookup;

    pki_login_worked(lookup->source->login[call->resource->login_ca]);
    pki_lookup_end(lookup, call->job);

    lookup->failures = 0;

    if (lookup->said.text[0]) {
        lookup->said.text[0] = '\0';
        pki_source_log(lookup->source, 5, "lookups work again");
    }
}


/*
 * An odd status may be this object's affair, and then the others go on; all
 * else is likely to be the same for all.
 */

static void
pki_lookup_failed(pki_lookup_call_t *call)
{
    int                    passing;
    pki_err_t              err;
    const char            *name;
    pki_login_t           *login;
    pki_lookup_t          *lookup;

    lookup = call->lookup;
    name = call->resource->name;
    login = lookup->source->login[call->resource->login_ca];

    if (call->outcome == PKI_FETCH_DONE && call->status == 401
        && pki_login_rejected(login, call->token))
    {
        pki_lookup_again(call);
        return;
    }

    if (call->outcome != PKI_FETCH_DONE) {
        pki_err_set(&err, "a lookup in \"%s\" failed: %s", name,
                    call->err.text);

    } else if (call->status / 100 == 2) {
        pki_err_set(&err, "a lookup in \"%s\" failed: unreadable reply: %s",
                    name, call->err.text);

    } else {
        pki_err_set(&err, "a lookup in \"%s\" failed: status %d", name,
                    call->status);
    }

    passing = call->outcome == PKI_FETCH_FAILED
              || call->outcome == PKI_FETCH_STOPPED
              || call->status / 100 == 2 || call->status >= 500
              || call->status == 408 || call->status == 429;

    /* where a damaged record can be told from a server that is down */

    if (call->resource->bisect && call->status == 500
        && call->read == PKI_OK)
    {
        passing = 0;
    }

    if (!passing && call->outcome == PKI_FETCH_DONE
        && call->status != 401 && call->status != 403)
    {
        pki_lookup_odd(call, err.text);
        return;
    }

    pki_lookup_say(lookup, err.text);
    pki_lookup_pause(lookup, call->asked);

    if (passing) {
        pki_lookup_again(call);

    } else {
        pki_lookup_give_up(call);
    }
}


/* What others are told does not change it, so it is not said again. */

static void
pki_lookup_odd(pki_lookup_call_t *call, const char *text)
{
    pki_lookup_t  *lookup;

    lookup = call->lookup;

    if (strcmp(lookup->odd.text, text) != 0) {
        pki_err_set(&lookup->odd, "%s", text);
        pki_source_log(lookup->source, 4, "%s", text);
    }

    pki_lookup_give_up(call);
}


static void
pki_lookup_pause(pki_lookup_t *lookup, long asked)
{
    long       wait;
    long long  until;

    wait = pki_source_backoff(lookup->source, ++lookup->failures);
    wait = wait > asked ? wait : asked;
    wait = wait > PKI_LOOKUP_PAUSE ? wait : PKI_LOOKUP_PAUSE;

    until = pki_source_mono(lookup->source) + wait;

    if (until > lookup->until) {
        lookup->until = until;
    }
}


/*
 * What was not seen is tried again later even if nobody asks: the next full
 * listing may be a day away.
 */

static void
pki_lookup_again(pki_lookup_call_t *call)
{
    if (++call->job->tries < PKI_LOOKUP_TRIES) {
        pki_lookup_back(call->lookup, call->job);
        return;
    }

    if (call->job->key[0]) {
        call->job->due = 1;
    }

    pki_lookup_give_up(call);
}


/* What is wanted will be wanted again; what is due must be put off. */

static void
pki_lookup_give_up(pki_lookup_call_t *call)
{
    long           wait;
    pki_source_t  *source;

    source = call->lookup->source;

    if (call->job->due && source->holder) {
        wait = pki_source_backoff(source, PKI_LOOKUP_LONG);

        (void) pki_lookup_recheck(call->lookup, call->job->id,
                                  pki_source_now(source) + 1 + wait / 1000);
    }

    pki_lookup_end(call->lookup, call->job);
}


void
pki_lookup_say(pki_lookup_t *lookup, const char *text)
{
    if (strcmp(lookup->said.text, text) != 0) {
        pki_err_set(&lookup->said, "%s", text);
        pki_source_log(lookup->source, 3, "%s", text);
    }
}

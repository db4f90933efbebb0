
/*
 * The end of a round.
 *
 * What became worse was put aside while the round told it.  Here it is
 * weighed, with what a complete listing did not show: too much at once is
 * held back until an operator, or enough rounds, confirm it.  Otherwise it
 * is settled, and the round committed: then, not before, the link counts.
 *
 * Absence proves nothing: what was not seen goes to the lookup, which asks
 * for each object by its id.  Only where a listing is all that is known of
 * a state does it end with it (`clears`).
 */

#include "pki_round.h"


static void pki_round_count(pki_machine_t *m);
static void pki_round_judge(pki_machine_t *m);
static int pki_round_released(const pki_machine_t *m);
static void pki_round_hold(pki_machine_t *m);
static void pki_round_settle(pki_machine_t *m);
static void pki_round_settled(pki_machine_t *m);
static void pki_round_clear(pki_machine_t *m);
static pki_rc_t pki_round_clear_some(pki_machine_t *m,
    const pki_state_item_t *items, size_t n);
static void pki_round_commit(pki_machine_t *m);
static pki_rc_t pki_round_show(pki_machine_t *m);
static pki_rc_t pki_round_guard(pki_machine_t *m, time_t at, long long rounds);
static pki_rc_t pki_round_unseen(pki_machine_t *m, long long round,
    unsigned except, unsigned long long cursor, pki_answer_t *answer);
static pki_rc_t pki_round_answer(pki_machine_t *m, pki_answer_t *answer);


void
pki_round_end(pki_machine_t *m)
{
    pki_rc_t                     rc;
    long long                    share;
    pki_answer_t                 answer;
    pki_source_t                *source;
    const pki_directory_conf_t  *conf;

    source = m->source;
    conf = source->conf;

    pki_answer_init(&answer);

    pki_state_sync(source->redis, conf->name, m->round.resource->name,
                   pki_answer_sync, &answer);

    rc = pki_round_answer(m, &answer);

    m->sync = answer.sync;
    m->sync.link = NULL;

    pki_answer_free(&answer);

    if (rc != PKI_OK) {
        pki_round_broken(m, rc);
        return;
    }

    m->held = 0;
    m->cursor = 0;
    m->unseen = 0;
    m->pending = m->sync.pending;

    share = m->sync.known / 100 * conf->guard
            + m->sync.known % 100 * conf->guard / 100;

    m->allowed = share > conf->guard_min ? share : conf->guard_min;

    /* before the first complete listing there was nothing to be missed */

    m->absence = m->how == PKI_NEXT_DONE && m->round.full && m->full_at != 0;

    if (m->absence && m->round.resource->sweep && conf->guard < 100) {
        m->state = PKI_ROUND_COUNTING;
        return;
    }

    pki_round_judge(m);
}


void
pki_round_end_step(pki_machine_t *m)
{
    switch (m->state) {

    case PKI_ROUND_COUNTING:
        pki_round_count(m);
        break;

    case PKI_ROUND_SETTLING:
        pki_round_settle(m);
        break;

    case PKI_ROUND_CLEARING:
        pki_round_clear(m);
        break;

    default: /* PKI_ROUND_COMMITTING */
        pki_round_commit(m);
        break;
    }
}


/* What is known to be gone stays in the index until a lookup drops it. */

static void
pki_round_count(pki_machine_t *m)
{
    pki_rc_t      rc;
    unsigned      gone;
    pki_answer_t  answer;

    gone = m->source->conf->restore ? PKI_OBJECT_DELETED|PKI_OBJECT_REMOVED
                                    : PKI_OBJECT_DELETED;

    pki_answer_init(&answer);

    rc = pki_round_unseen(m, m->number, gone, m->cursor, &answer);

    m->unseen += (long long) answer.nitems;
    m->cursor = answer.next;

    pki_answer_free(&answer);

    if (rc != PKI_OK) {
        pki_round_broken(m, rc);

    } else if (m->cursor == 0 || m->pending + m->unseen > m->allowed) {
        pki_round_judge(m);
    }
}


static void
pki_round_judge(pki_machine_t *m)
{
    if (m->source->conf->guard < 100
        && m->pending + m->unseen > m->allowed
        && !pki_round_released(m))
    {
        pki_round_hold(m);
        return;
    }

    m->state = PKI_ROUND_SETTLING;

    if (m->pending == 0) {
        pki_round_settled(m);
    }
}


/* A release counts for what was held back when it was given. */

static int
pki_round_released(const pki_machine_t *m)
{
    unsigned  rounds;

    rounds = m->source->conf->guard_rounds;

    if (m->sync.guard_at == 0) {
        return 0;
    }

    if (m->sync.release_at >= m->sync.guard_at) {
        return 1;
    }

    return m->how == PKI_NEXT_DONE && rounds != 0
           && m->sync.guard_rounds >= (long long) rounds;
}


/*
 * The stored link stays, so that the next round tells the same changes
 * again, and so does the time of the last listing: the next one is complete
 * too, when this one was.  A round that was cut short confirms nothing.
 */

static void
pki_round_hold(pki_machine_t *m)
{
    pki_rc_t  rc;

    rc = pki_round_guard(m, m->begun_at, m->how == PKI_NEXT_DONE);

    if (rc != PKI_OK) {
        pki_round_broken(m, rc);
        return;
    }

    if (!m->stats.guard) {
        pki_source_log(m->source, 3, "\"%s\": held back: %lld%s of %lld"
                       " objects would be revoked, %lld may",
                       m->round.resource->name, m->pending + m->unseen,
                       m->cursor ? " or more" : "", m->sync.known, m->allowed);
    }

    m->held = 1;
    m->stats.guard = 1;

    if (m->how == PKI_NEXT_DONE) {
        m->state = PKI_ROUND_COMMITTING;
        return;
    }

    pki_round_failed(m);
}


static void
pki_round_settle(pki_machine_t *m)
{
    pki_rc_t           rc;
    long long          left;
    pki_answer_t       answer;
    pki_state_batch_t  batch;

    pki_round_batch(m, &batch);
    pki_answer_init(&answer);

    pki_state_settle(m->source->redis, &batch, pki_answer_done, &answer);

    rc = pki_round_answer(m, &answer);
    left = answer.n;

    pki_answer_free(&answer);

    if (rc == PKI_OK && left >= m->pending) {
        pki_err_set(&m->err, "the store: what was put aside does not settle");
        rc = PKI_ERROR;
    }

    if (rc != PKI_OK) {
        pki_round_broken(m, rc);
        return;
    }

    m->stats.changes += m->pending - left;
    m->pending = left;

    if (left == 0) {
        pki_round_settled(m);
    }
}


static void
pki_round_settled(pki_machine_t *m)
{
    pki_rc_t  rc;

    if (m->how != PKI_NEXT_DONE) {
        pki_round_failed(m);
        return;
    }

    if (m->sync.guard_at != 0 || m->sync.release_at != 0) {
        rc = pki_round_guard(m, 0, 0);

        if (rc != PKI_OK) {
            pki_round_broken(m, rc);
            return;
        }

        if (m->sync.guard_at != 0) {
            pki_source_log(m->source, 5, "\"%s\": no longer held back",
                           m->round.resource->name);
        }
    }

    m->stats.guard = 0;

    m->state = m->absence && m->round.resource->clears
               ? PKI_ROUND_CLEARING : PKI_ROUND_COMMITTING;
}


static void
pki_round_clear(pki_machine_t *m)
{
    size_t        i, n;
    pki_rc_t      rc;
    pki_answer_t  answer;

    pki_answer_init(&answer);

    rc = pki_round_unseen(m, m->number, 0, m->cursor, &answer);

    for (i = 0; rc == PKI_OK && i < answer.nitems; i += n) {
        n = answer.nitems - i;
        n = n < PKI_STATE_APPLY_MAX ? n : PKI_STATE_APPLY_MAX;

        rc = pki_round_clear_some(m, answer.items + i, n);
    }

    m->cursor = answer.next;

    pki_answer_free(&answer);

    if (rc != PKI_OK) {
        pki_round_broken(m, rc);

    } else if (m->cursor == 0) {
        m->state = PKI_ROUND_COMMITTING;
    }
}


/*
 * At once, whatever conf->settle is: nothing would ever tell again that the
 * state has ended.
 */

static pki_rc_t
pki_round_clear_some(pki_machine_t *m, const pki_state_item_t *items,
    size_t n)
{
    size_t              i;
    pki_rc_t            rc;
    const char         *keys[PKI_STATE_APPLY_MAX];
    pki_answer_t        answer;
    pki_source_t       *source;
    pki_state_batch_t   batch;
    pki_state_object_t  objects[PKI_STATE_APPLY_MAX];

    source = m->source;

    for (i = 0; i < n; i++) {
        keys[i] = items[i].name;
        objects[i] = (pki_state_object_t) { .id = items[i].value,
                                            .key = items[i].name,
                                            .mask = m->round.resource->mask,
                                            .since = m->round.now };
    }

    pki_round_batch(m, &batch);
    batch.round = 0;
    batch.settled = 0;

    pki_answer_init(&answer);

    pki_state_apply(source->redis, &batch, objects, n, pki_answer_applied,
                    &answer);

    rc = pki_round_answer(m, &answer);
    m->stats.changes += answer.applied.changed;

    if (rc == PKI_OK) {
        pki_state_drop(source->redis, batch.directory, batch.token,
                       batch.resource, keys, n, pki_answer_done, &answer);

        rc = pki_round_answer(m, &answer);
    }

    pki_answer_free(&answer);

    return rc;
}


/* The facts are as old as the round's first page. */

static void
pki_round_commit(pki_machine_t *m)
{
    int           full;
    pki_rc_t      rc;
    const char   *link;
    pki_answer_t  answer;

    link = NULL;
    full = m->round.full && !m->held;

    if (!m->held) {
        link = m->linked ? m->round.link : m->dropped ? "" : NULL;
    }

    pki_answer_init(&answer);

    pki_state_commit(m->source->redis, m->source->conf->name,
                     m->source->token, m->round.resource->name, link, full,
                     m->begun_at, pki_answer_done, &answer);

    rc = pki_round_answer(m, &answer);
    pki_answer_free(&answer);

    if (rc == PKI_OK && full && m->round.resource->lines) {
        rc = pki_round_show(m);
    }

    if (rc != PKI_OK) {
        pki_round_broken(m, rc);
        return;
    }

    if (full) {
        m->full = 0;
        m->full_at = m->begun_at;
    }

    if (m->absence && !m->held && m->round.resource->sweep) {
        pki_answer_free(&m->slice);
        m->slice_next = 0;
        m->slice_last = 0;
        m->sweep_cursor = 0;
        m->sweep = m->number;
    }

    pki_round_completed(m);
}


static pki_rc_t
pki_round_show(pki_machine_t *m)
{
    pki_rc_t      rc;
    pki_answer_t  answer;

    pki_answer_init(&answer);

    pki_issued_commit(m->source->redis, m->source->conf->name,
                      m->source->token, m->number, pki_answer_done, &answer);

    rc = pki_round_answer(m, &answer);
    pki_answer_free(&answer);

    return rc;
}


/*
 * Hands over as many objects as the lookup has room for.  What is seen in a
 * later round, meanwhile, is no longer among them.
 */

void
pki_round_sweep(pki_machine_t *m)
{
    unsigned                 i;
    pki_rc_t                 rc;
    const pki_state_item_t  *item;

    for (i = 0; m->sweep && i < PKI_ROUND_SLICES; i++) {

        while (m->slice_next < m->slice.nitems) {
            item = &m->slice.items[m->slice_next];

            if (pki_lookup_room(m->source->lookup) == 0
                || pki_lookup_add(m->source->lookup, item->value, item->name)
                   != PKI_OK)
            {
                return;
            }

            m->slice_next++;
        }

        if (m->slice_last) {
            m->sweep = 0;
            return;
        }

        rc = pki_round_unseen(m, m->sweep, 0, m->sweep_cursor, &m->slice);

        if (rc != PKI_OK) {

            if (m->source->sync != NULL) {
                pki_source_log(m->source, 3, "\"%s\": what was not seen is"
                               " not looked up: %s", m->round.resource->name,
                               m->slice.err.text);
            }

            m->sweep = 0;
            return;
        }

        m->slice_next = 0;
        m->sweep_cursor = m->slice.next;
        m->slice_last = m->sweep_cursor == 0;
    }
}


static pki_rc_t
pki_round_guard(pki_machine_t *m, time_t at, long long rounds)
{
    pki_rc_t      rc;
    pki_answer_t  answer;

    pki_answer_init(&answer);

    pki_state_guard(m->source->redis, m->source->conf->name,
                    m->source->token, m->round.resource->name, at, rounds,
                    pki_answer_done, &answer);

    rc = pki_round_answer(m, &answer);
    pki_answer_free(&answer);

    return rc;
}


static pki_rc_t
pki_round_unseen(pki_machine_t *m, long long round, unsigned except,
    unsigned long long cursor, pki_answer_t *answer)
{
    pki_state_unseen(m->source->redis, m->source->conf->name,
                     m->round.resource->name, round, except, cursor,
                     pki_answer_list, answer);

    return pki_round_answer(m, answer);
}


static pki_rc_t
pki_round_answer(pki_machine_t *m, pki_answer_t *answer)
{
    pki_rc_t  rc;

    rc = pki_answer_wait(m->source, answer);

    if (rc == PKI_ERROR) {
        pki_err_set(&m->err, "the store: %s", answer->err.text);
    }

    return rc;
}

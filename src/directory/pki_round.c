
/*
 * A round: its beginning, what a reply means, and what is due after it.
 *
 * A page is applied when it was whole, before the dialect is asked what
 * comes next.  The same request is sent once more after a passing failure;
 * when that is of no use the round has failed, and begins again from the
 * old link, later and later.  Each cause of a failure has one line.
 */

#include "pki_round.h"

#include <string.h>
#include <strings.h>
#include <openssl/crypto.h>


static pki_rc_t pki_round_begin_sync(pki_machine_t *m);
static pki_rc_t pki_round_number(pki_machine_t *m);
static void pki_round_forget(pki_machine_t *m);

static void pki_round_next(pki_machine_t *m);
static void pki_round_restart(pki_machine_t *m);
static void pki_round_good(pki_machine_t *m, pki_rc_t rc);
static int pki_round_is_json(const char *type);
static void pki_round_refused(pki_machine_t *m);
static void pki_round_status(pki_machine_t *m);
static void pki_round_page(pki_machine_t *m);
static void pki_round_retry(pki_machine_t *m);

static void pki_round_over(pki_machine_t *m, pki_next_t how, long wait);
static void pki_round_schedule(pki_machine_t *m, long long due);
static void pki_round_warn(pki_machine_t *m);
static void pki_round_tell(pki_machine_t *m);
static const char *pki_round_request_id(const pki_machine_t *m);


void
pki_round_begin(pki_machine_t *m)
{
    pki_rc_t  rc;

    pki_round_clean(m);
    pki_round_forget(m);

    m->begun = pki_source_mono(m->source);
    m->begun_at = pki_source_now(m->source);
    m->round.now = m->begun_at;

    m->hurry = 0;
    m->restarted = 0;
    m->dropped = m->full;
    m->wait = 0;
    m->pages = 0;
    m->how = PKI_NEXT_FAIL;
    m->err.text[0] = '\0';
    memset(&m->result, 0, sizeof(pki_fetch_result_t));

    rc = pki_round_begin_sync(m);

    if (rc == PKI_OK) {
        rc = pki_round_number(m);
    }

    if (rc != PKI_OK) {
        pki_round_broken(m, rc);
        return;
    }

    pki_round_next(m);
}


static pki_rc_t
pki_round_begin_sync(pki_machine_t *m)
{
    pki_rc_t                rc;
    pki_answer_t            answer;
    const pki_resource_t   *resource;
    const pki_state_sync_t *sync;

    resource = m->round.resource;
    sync = &answer.sync;

    pki_answer_init(&answer);

    pki_state_sync(m->source->redis, m->source->conf->name, resource->name,
                   pki_answer_sync, &answer);

    rc = pki_answer_wait(m->source, &answer);

    if (rc != PKI_OK) {
        pki_err_set(&m->err, "the store: %s", answer.err.text);
        pki_answer_free(&answer);
        return rc;
    }

    m->full_at = sync->full_at;
    m->asked_at = sync->asked_at;
    m->round.asked = sync->asked_at;
    m->stats.at = sync->at;
    m->stats.known = sync->known;
    m->stats.guard = sync->guard_at != 0 && m->stats.guard;

    /* whoever noted a time of the future had a wrong clock */

    m->round.full = !resource->delta || sync->link == NULL || m->full
                    || sync->full_at == 0
                    || m->begun_at - sync->full_at >= m->source->conf->full
                    || sync->full_at - m->begun_at > m->source->conf->full;

    if (sync->link != NULL && !(m->round.full && resource->delta)) {
        m->round.link = OPENSSL_strdup(sync->link);

        if (m->round.link == NULL) {
            pki_err_set(&m->err, "out of memory");
            rc = PKI_ERROR;
        }
    }

    pki_answer_free(&answer);

    return rc;
}


/* Begins, in Redis, to count anew what this round sees. */

static pki_rc_t
pki_round_number(pki_machine_t *m)
{
    pki_rc_t      rc;
    pki_answer_t  answer;

    pki_answer_init(&answer);

    pki_state_begin(m->source->redis, m->source->conf->name,
                    m->source->token, m->round.resource->name,
                    pki_answer_done, &answer);

    rc = pki_answer_wait(m->source, &answer);

    if (rc == PKI_OK) {
        m->number = answer.n;

    } else {
        pki_err_set(&m->err, "the store: %s", answer.err.text);
    }

    pki_answer_free(&answer);

    m->objects = 0;
    m->unreadable = 0;

    m->round.step = 0;
    m->round.status = 0;
    m->round.json = 0;
    m->round.partial = 0;
    m->round.unreadable = 0;
    memset(m->round.count, 0, sizeof(m->round.count));

    return rc;
}


void
pki_round_clean(pki_machine_t *m)
{
    pki_round_request_free(m);
    pki_round_reply_free(m);

    OPENSSL_free(m->round.link);
    m->round.link = NULL;
    m->linked = 0;
}


/* Cookies bind a listing to a node: those of a round that is over do not. */

static void
pki_round_forget(pki_machine_t *m)
{
    unsigned       i;
    pki_source_t  *source;

    source = m->source;

    if (!source->conf->dialect->cookies) {
        return;
    }

    for (i = 0; i < source->nmachines; i++) {
        if (source->machines[i]->state != PKI_ROUND_IDLE) {
            return;
        }
    }

    pki_fetch_forget(source->peer);
}


static void
pki_round_next(pki_machine_t *m)
{
    pki_next_t  next;

    m->request.set = 0;
    m->err.text[0] = '\0';

    next = m->round.resource->next(&m->round);

    switch (next) {

    case PKI_NEXT_FETCH:

        if (!m->request.set) {
            pki_err_set(&m->err, "there is no request to send");
            pki_round_over(m, PKI_NEXT_FAIL, 0);
            break;
        }

        if (m->pages++ == PKI_ROUND_PAGES_MAX) {
            pki_err_set(&m->err, "there is no end of pages");
            pki_round_over(m, PKI_NEXT_FAIL, 0);
            break;
        }

        m->state = PKI_ROUND_SEND;
        m->until = 0;
        break;

    case PKI_NEXT_RETRY:

        if (m->err.text[0] == '\0') {
            pki_err_set(&m->err, "status %d", m->round.status);
        }

        pki_round_retry(m);
        break;

    case PKI_NEXT_FULL:
        pki_round_restart(m);
        break;

    case PKI_NEXT_DONE:
        pki_round_over(m, m->round.partial ? PKI_NEXT_PARTIAL : next, 0);
        break;

    default: /* PKI_NEXT_PARTIAL, PKI_NEXT_FAIL */
        pki_round_over(m, next, 0);
    }
}


static void
pki_round_restart(pki_machine_t *m)
{
    pki_rc_t  rc;

    if (m->restarted) {
        pki_err_set(&m->err, "a listing from the start did not come to its"
                    " end either");
        pki_round_over(m, PKI_NEXT_FAIL, 0);
        return;
    }

    pki_round_clean(m);

    m->full = 1;
    m->dropped = 1;
    m->restarted = 1;
    m->round.full = 1;

    rc = pki_round_number(m);

    if (rc != PKI_OK) {
        pki_round_broken(m, rc);
        return;
    }

    pki_round_next(m);
}


void
pki_round_reply(pki_machine_t *m)
{
    switch (m->result.outcome) {

    case PKI_FETCH_DONE:
        pki_round_status(m);
        break;

    case PKI_FETCH_REFUSED:
    case PKI_FETCH_TLS:
        pki_err_set(&m->err, "%s", m->fetch_err.text);
        pki_round_over(m, PKI_NEXT_FAIL, 0);
        break;

    case PKI_FETCH_STOPPED:
        pki_err_set(&m->err, "unreadable reply: %s", m->read_err.text[0]
                    ? m->read_err.text : "out of memory");
        pki_round_retry(m);
        break;

    default: /* PKI_FETCH_FAILED */
        pki_err_set(&m->err, "%s", m->fetch_err.text);
        pki_round_retry(m);
    }
}


static void
pki_round_status(pki_machine_t *m)
{
    int       status;
    pki_rc_t  rc;

    status = m->result.status;

    pki_err_set(&m->err, "status %d", status);

    if (status == 401) {
        pki_round_refused(m);
        return;
    }

    m->request.refused = 0;

    if (status == 429 || (status == 503 && m->result.retry_after[0])) {
        m->stats.throttled++;
    }

    rc = PKI_INVALID;

    if (m->page != NULL) {
        rc = m->read == PKI_OK ? pki_page_end(m->page, &m->read_err)
                               : m->read;
    }

    m->round.status = status;
    m->round.result = &m->result;
    m->round.page = rc == PKI_OK || rc == PKI_NOT_FOUND ? m->page : NULL;

    if (status >= 200 && status <= 299) {
        pki_round_good(m, rc);
        return;
    }

    m->round.json = m->round.page != NULL;

    if (status == 408 || status == 429 || status >= 500) {

        if (status >= 500 && m->round.resource->bisect && m->round.json
            && m->request.tries + 1 == PKI_ROUND_BISECT)
        {
            pki_round_next(m);
            return;
        }

        pki_round_retry(m);

    } else if (status >= 400) {
        pki_round_next(m);

    } else {
        pki_round_over(m, PKI_NEXT_FAIL, 0);
    }
}


/* rc is of the page. */

static void
pki_round_good(pki_machine_t *m, pki_rc_t rc)
{
    if (m->page == NULL) {
        m->round.json = 0;
        pki_round_page(m);
        return;
    }

    if (m->round.page == NULL) {
        pki_err_set(&m->err, "unreadable reply: %s", m->read_err.text[0]
                    ? m->read_err.text : "out of memory");
        pki_round_retry(m);
        return;
    }

    /* a gate on the way may have pages of its own */

    if (!pki_round_is_json(m->result.content_type)) {
        pki_err_set(&m->err, "unreadable reply: its type is not JSON");
        pki_round_retry(m);
        return;
    }

    m->round.json = rc == PKI_OK;
    pki_round_page(m);
}


/* "application/json", "application/scim+json" ...; or no type at all */

static int
pki_round_is_json(const char *type)
{
    const char  *p;

    for (p = type; *p && *p != ';'; p++) {
        if (strncasecmp(p, "json", 4) == 0) {
            return 1;
        }
    }

    return *type == '\0';
}


/* A token may have ended early: once, another one may do. */

static void
pki_round_refused(pki_machine_t *m)
{
    int       again;
    unsigned  which;

    which = m->round.resource->login_ca && m->request.foreign;
    again = pki_login_rejected(m->source->login[which], m->token);

    if (again && m->request.refused == 0) {
        m->request.refused = 1;
        m->state = PKI_ROUND_SEND;
        m->until = 0;
        return;
    }

    pki_round_over(m, PKI_NEXT_FAIL, 0);
}


static void
pki_round_page(pki_machine_t *m)
{
    unsigned  which;

    which = m->round.resource->login_ca && m->request.foreign;
    pki_login_worked(m->source->login[which]);

    m->applied = 0;
    m->until = 0;
    m->state = PKI_ROUND_APPLYING;

    pki_round_take_page(m);
}


/*
 * With a rest after each part: other directories have their turn, and so
 * have OCSP clients where Redis, nginx and the thread share few processors.
 */

void
pki_round_take_page(pki_machine_t *m)
{
    pki_rc_t  rc;

    if (m->round.json) {

        if (pki_source_mono(m->source) < m->until) {
            return;
        }

        rc = pki_round_apply(m);

        if (rc == PKI_NOT_FOUND) {
            m->until = pki_source_mono(m->source) + PKI_ROUND_REST;
            return;
        }

        if (rc != PKI_OK) {
            pki_round_broken(m, rc);
            return;
        }
    }

    m->round.items = m->items.items;
    m->round.nitems = m->items.n;
    m->round.told = m->items.told;

    pki_round_next(m);
}


/* m->err says why. */

static void
pki_round_retry(pki_machine_t *m)
{
    long       asked, wait;
    long long  mono;

    mono = pki_source_mono(m->source);
    asked = pki_source_asked(m->source, &m->result);

    if (asked > 0) {
        m->not_before = mono + asked;
    }

    if (m->request.url == NULL || m->request.tries == PKI_ROUND_TRIES) {
        pki_round_over(m, PKI_NEXT_FAIL, asked);
        return;
    }

    m->request.tries++;

    wait = pki_source_backoff(m->source, m->request.tries);
    wait = wait > asked ? wait : asked;
    wait = wait > PKI_ROUND_PAUSE ? wait : PKI_ROUND_PAUSE;

    m->state = PKI_ROUND_PAUSED;
    m->until = mono + wait;

    if (wait > PKI_ROUND_PATIENCE) {
        pki_round_tell(m);
        pki_source_dirty(m->source);
    }
}


void
pki_round_fail_after(pki_machine_t *m, long wait)
{
    pki_round_over(m, PKI_NEXT_FAIL, wait);
}


static void
pki_round_over(pki_machine_t *m, pki_next_t how, long wait)
{
    m->how = how;
    m->wait = wait > 0 ? wait : 0;

    /*
     * Of what a delta tells of one object in several places the last counts,
     * and the old link will tell all of it again: a part is not settled.
     */

    if (how == PKI_NEXT_FAIL
        && (m->objects == 0 || (m->round.resource->delta && !m->round.full)))
    {
        pki_round_failed(m);
        return;
    }

    if (how == PKI_NEXT_PARTIAL && m->err.text[0] == '\0') {
        pki_err_set(&m->err, "the listing was not complete");
    }

    pki_round_end(m);
}


void
pki_round_broken(pki_machine_t *m, pki_rc_t rc)
{
    if (rc == PKI_ERROR && m->source->sync != NULL && !m->abandoned) {
        m->how = PKI_NEXT_FAIL;
        pki_round_failed(m);
        return;
    }

    pki_machine_abandon(m, "the store or the lease is gone");
}


void
pki_round_completed(pki_machine_t *m)
{
    long                         interval;
    long long                    mono;
    const pki_resource_t        *resource;
    const pki_directory_conf_t  *conf;

    conf = m->source->conf;
    resource = m->round.resource;
    mono = pki_source_mono(m->source);

    pki_round_warn(m);

    if (m->logged && m->failures == 0) {
        pki_source_log(m->source, 5, "\"%s\": recovered", resource->name);

    } else if (m->logged) {
        pki_source_log(m->source, 5, "\"%s\": recovered after %u failure%s",
                       resource->name, m->failures,
                       m->failures == 1 ? "" : "s");
    }

    m->logged = 0;
    m->failures = 0;
    m->err.text[0] = '\0';

    m->stats.failing = 0;
    m->stats.rounds++;
    m->stats.at = m->begun_at;
    m->stats.duration = (long) (mono - m->begun);
    m->stats.objects = m->objects;
    m->stats.known = m->sync.known;

    if (m->sync.asked_at > m->asked_at) {
        m->hurry = 1;
    }

    interval = conf->interval > resource->interval ? conf->interval
                                                   : resource->interval;

    /* what changed during a long listing is not to wait any longer */

    if (m->round.full && resource->delta && m->linked && !m->held
        && !m->listed)
    {
        interval = 0;
    }

    m->listed = m->round.full;

    pki_round_schedule(m, m->begun + interval);
}


void
pki_round_failed(pki_machine_t *m)
{
    long  interval, wait;

    pki_round_warn(m);

    if (m->err.text[0] == '\0') {
        pki_err_set(&m->err, "status %d", m->round.status);
    }

    m->failures++;
    m->stats.failures++;

    pki_round_tell(m);

    wait = pki_source_backoff(m->source, m->failures);
    wait = wait > m->wait ? wait : m->wait;

    if (m->how == PKI_NEXT_PARTIAL) {
        interval = m->source->conf->interval > m->round.resource->interval
                   ? m->source->conf->interval : m->round.resource->interval;
        wait = wait > interval ? wait : interval;
    }

    pki_round_schedule(m, pki_source_mono(m->source) + wait);
}


static void
pki_round_schedule(pki_machine_t *m, long long due)
{
    long long  soon;

    pki_round_clean(m);

    soon = m->begun + PKI_ROUND_GAP;

    m->state = PKI_ROUND_IDLE;
    m->due = due > soon && !(m->hurry && m->failures == 0) ? due : soon;

    pki_source_dirty(m->source);
}


/* One cause, one line. */

static void
pki_round_tell(pki_machine_t *m)
{
    const char  *id;

    m->stats.failing = 1;

    if (m->logged && strcmp(m->err.text, m->logged_err.text) == 0) {
        return;
    }

    id = pki_round_request_id(m);

    pki_source_log(m->source, 3, "\"%s\": %s%s%s", m->round.resource->name,
                   m->err.text, id[0] ? ", request-id " : "", id);

    m->logged = 1;
    m->logged_err = m->err;
}


/* One line, until their number is another. */

static void
pki_round_warn(pki_machine_t *m)
{
    m->unreadable += m->round.unreadable;
    m->round.unreadable = 0;
    m->stats.unreadable += m->unreadable;

    if (m->unreadable != 0 && m->unreadable != m->warned) {
        pki_source_log(m->source, 4, "\"%s\": %lld unreadable item%s",
                       m->round.resource->name, m->unreadable,
                       m->unreadable == 1 ? "" : "s");
    }

    if (m->unreadable != 0 || m->round.full) {
        m->warned = m->unreadable;
    }

    m->unreadable = 0;
}


/* It is written by whoever answers: only what an id may look like. */

static const char *
pki_round_request_id(const pki_machine_t *m)
{
    size_t       n;
    const char  *id;

    id = m->result.request_id;
    n = strspn(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuv"
               "wxyz-._");

    return id[n] == '\0' && n <= 64 ? id : "";
}

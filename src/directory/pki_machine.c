
/*
 * The machine of one resource: when it has something to do, and what others
 * may know of it.
 *
 *   IDLE -> SEND -> ASKED -> REPLIED -> SEND ... -> the end -> IDLE
 *            ^                  |
 *            +----- PAUSED <----+  no reply, or none that is whole
 *
 * All work is done in ticks, a few steps at once.  A tick may find that the
 * lease or Redis is gone; the round is then given up when it returns.
 */

#include "pki_round.h"

#include <stdarg.h>
#include <stdio.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>


static long pki_machine_wait(const pki_machine_t *m);
static void pki_machine_step(pki_machine_t *m);
static void pki_machine_reset(pki_machine_t *m);
static void pki_machine_item(pki_machine_t *m, size_t n, const char *what,
    const char *format, ...) __attribute__((format(printf, 4, 5)));


pki_machine_t *
pki_machine_create(pki_source_t *source, const pki_resource_t *resource)
{
    unsigned char   chance;
    pki_machine_t  *m;

    m = OPENSSL_zalloc(sizeof(pki_machine_t));
    if (m == NULL) {
        return NULL;
    }

    m->source = source;
    m->round.conf = source->conf;
    m->round.resource = resource;
    m->stats.directory = source->conf->name;
    m->stats.resource = resource->name;

    m->due = pki_source_mono(source);
    m->begun = m->due - PKI_ROUND_GAP;
    m->not_before = m->due;

    if (source->nmachines && RAND_bytes(&chance, 1) == 1) {
        m->due += chance % PKI_ROUND_JITTER;
    }

    pki_answer_init(&m->slice);

    return m;
}


/* The peer may be gone already; what it owed has been called by then. */

void
pki_machine_destroy(pki_machine_t *m)
{
    if (m == NULL) {
        return;
    }

    m->asking = 0;
    pki_machine_reset(m);

    OPENSSL_free(m);
}


long
pki_machine_tick(pki_machine_t *m)
{
    unsigned           i;
    pki_round_state_t  state;

    m->inside = 1;

    for (i = 0; i < PKI_ROUND_SLICES && !m->abandoned; i++) {
        state = m->state;

        pki_machine_step(m);

        if (m->state == state && pki_machine_wait(m) > 0) {
            break;
        }
    }

    if (!m->abandoned) {
        pki_round_sweep(m);
    }

    m->inside = 0;

    if (m->abandoned) {
        pki_machine_reset(m);
    }

    return pki_machine_wait(m);
}


static long
pki_machine_wait(const pki_machine_t *m)
{
    long long  at, wait;

    wait = PKI_SOURCE_SLEEP;

    switch (m->state) {

    case PKI_ROUND_IDLE:
        at = m->due > m->not_before ? m->due : m->not_before;

        if (!m->asking) {
            wait = at - pki_source_mono(m->source);
        }

        break;

    case PKI_ROUND_SEND:
    case PKI_ROUND_PAUSED:
    case PKI_ROUND_APPLYING:
        wait = m->until - pki_source_mono(m->source);
        break;

    case PKI_ROUND_ASKED:
        break;

    default:
        wait = 0;
    }

    if (m->sweep && wait > PKI_ROUND_PAUSE) {
        wait = PKI_ROUND_PAUSE;
    }

    return wait < 0 ? 0 : wait < PKI_SOURCE_SLEEP ? (long) wait
                                                  : PKI_SOURCE_SLEEP;
}


static void
pki_machine_step(pki_machine_t *m)
{
    long long  mono;

    mono = pki_source_mono(m->source);

    switch (m->state) {

    case PKI_ROUND_IDLE:

        if (!m->asking && mono >= m->due && mono >= m->not_before) {
            pki_round_begin(m);
        }

        break;

    case PKI_ROUND_SEND:
        pki_round_send(m);
        break;

    case PKI_ROUND_ASKED:
        break;

    case PKI_ROUND_REPLIED:
        pki_round_reply(m);
        break;

    case PKI_ROUND_PAUSED:

        if (mono >= m->until) {
            m->state = PKI_ROUND_SEND;
        }

        break;

    case PKI_ROUND_APPLYING:
        pki_round_take_page(m);
        break;

    default:
        pki_round_end_step(m);
    }
}


void
pki_machine_hurry(pki_machine_t *m, int urgent)
{
    long long  mono, soon;

    if (m->state == PKI_ROUND_PAUSED && urgent) {
        mono = pki_source_mono(m->source);
        m->until = mono > m->not_before ? mono : m->not_before;
    }

    if (m->state != PKI_ROUND_IDLE) {
        m->hurry = 1;
        return;
    }

    if (m->failures && !urgent) {
        return;
    }

    soon = m->begun + PKI_ROUND_GAP;

    if (m->due > soon) {
        m->due = soon;
    }
}


void
pki_machine_abandon(pki_machine_t *m, const char *why)
{
    if (m->state != PKI_ROUND_IDLE && !m->abandoned) {
        pki_source_log(m->source, 6, "\"%s\": the round is given up: %s",
                       m->round.resource->name, why);
    }

    if (m->inside) {
        m->abandoned = 1;
        return;
    }

    pki_machine_reset(m);
}


/*
 * A request that is under way goes on, for nobody: its page is needed until
 * then, and so no round begins before.
 */

static void
pki_machine_reset(pki_machine_t *m)
{
    m->abandoned = 0;
    m->state = PKI_ROUND_IDLE;
    m->due = m->begun + PKI_ROUND_GAP;
    m->sweep = 0;
    m->orphan = m->asking;

    pki_answer_free(&m->slice);

    if (!m->asking) {
        pki_round_clean(m);
    }
}


const pki_resource_t *
pki_machine_resource(const pki_machine_t *m)
{
    return m->round.resource;
}


unsigned
pki_machine_variant(const pki_machine_t *m)
{
    return m->round.variant;
}


time_t
pki_machine_full_at(const pki_machine_t *m)
{
    return m->full_at;
}


long long
pki_machine_number(const pki_machine_t *m)
{
    return m->number;
}


void
pki_machine_stats(const pki_machine_t *m, pki_poller_stats_t *stats)
{
    *stats = m->stats;
    stats->holder = m->source->holder;
}


size_t
pki_machine_report(pki_machine_t *m, pki_state_item_t *items, size_t max)
{
    size_t  n;

    n = 0;

    pki_machine_item(m, n++, "state", "%s",
                     m->stats.guard ? "held back"
                     : m->stats.failing ? "failing"
                     : m->stats.rounds ? "ok" : "beginning");
    pki_machine_item(m, n++, "rounds", "%lld", m->stats.rounds);
    pki_machine_item(m, n++, "at", "%lld", (long long) m->stats.at);
    pki_machine_item(m, n++, "objects", "%lld", m->stats.objects);
    pki_machine_item(m, n++, "known", "%lld", m->stats.known);
    pki_machine_item(m, n++, "changes", "%lld", m->stats.changes);
    pki_machine_item(m, n++, "duration", "%ld", m->stats.duration);

    if (m->stats.failing) {
        pki_machine_item(m, n++, "failures", "%u", m->failures);
        pki_machine_item(m, n++, "error", "%s", m->logged_err.text);
    }

    if (m->stats.guard) {
        pki_machine_item(m, n++, "held", "%lld of %lld, %lld may",
                         m->pending + m->unseen, m->sync.known, m->allowed);
    }

    n = n < max ? n : max;

    for (max = 0; max < n; max++) {
        items[max].name = m->report[max][0];
        items[max].value = m->report[max][1];
    }

    return n;
}


static void
pki_machine_item(pki_machine_t *m, size_t n, const char *what,
    const char *format, ...)
{
    va_list  args;

    (void) snprintf(m->report[n][0], sizeof(m->report[n][0]), "%s.%s",
                    m->round.resource->name, what);

    va_start(args, format);
    (void) vsnprintf(m->report[n][1], sizeof(m->report[n][1]), format, args);
    va_end(args);
}


/*
 * A source's place in the world: its connection to Redis, its lease, and
 * what follows from having both, which is that its machines run.
 *
 * Machines and lookups find out by themselves that a write was refused; here
 * is the only place that ends all of a source's work, after the one that
 * noticed has returned.
 */

#include "pki_source.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>


#define PKI_HOLDER_BACKOFF   1000   /* milliseconds before Redis is tried
                                       again; doubled each time */
#define PKI_HOLDER_PATIENCE  30000  /* up to this */
#define PKI_HOLDER_GAP       100    /* milliseconds between two tries for the
                                       lease that hints cause */
#define PKI_HOLDER_REPORT    1000   /* milliseconds between two reports */
#define PKI_HOLDER_ITEMS     256    /* of a report */


static pki_rc_t pki_holder_logins(pki_source_t *source, pki_err_t *err);
static pki_rc_t pki_holder_machines(pki_source_t *source, pki_err_t *err);
static pki_rc_t pki_holder_connect(pki_source_t *source);
static void pki_holder_failed(pki_source_t *source, const pki_err_t *err);
static void pki_holder_say(pki_source_t *source, const pki_err_t *err);
static long pki_holder_backoff(unsigned failures);
static long long pki_holder_soon(const pki_source_t *source);
static void pki_holder_lease(pki_source_t *source, long lease);
static void pki_holder_taken(pki_source_t *source);
static int pki_holder_new(time_t at, time_t heard, time_t now);
static void pki_holder_heard(pki_source_t *source, int hurry);
static long pki_holder_work(pki_source_t *source);
static void pki_holder_report(pki_source_t *source);
static void pki_holder_abandon(pki_source_t *source, const char *why);
static void pki_holder_close(pki_source_t *source);
static long pki_holder_until(long long then, long long now);


pki_rc_t
pki_holder_init(pki_source_t *source, pki_poller_t *poller,
    pki_directory_conf_t *conf, pki_fetch_t *fetch, const char *holder,
    pki_err_t *err)
{
    pki_rc_t                 rc;
    const pki_resource_t    *resource;

    memset(source, 0, sizeof(pki_source_t));

    source->poller = poller;
    source->conf = conf;
    source->fetch = fetch;

    rc = PKI_NOT_FOUND;
    resource = conf->dialect->resources;

    for ( /* void */ ; resource && resource->name; resource++) {
        if (resource->wanted(conf)) {
            rc = PKI_OK;
        }
    }

    if (rc != PKI_OK) {
        return rc;
    }

    rc = pki_thread_token(source->token, holder, err);
    if (rc != PKI_OK) {
        return rc;
    }

    source->peer = pki_fetch_peer(fetch, &conf->fetch, err);
    if (source->peer == NULL) {
        return PKI_ERROR;
    }

    rc = pki_holder_logins(source, err);
    if (rc != PKI_OK) {
        return rc;
    }

    return pki_holder_machines(source, err);
}


static pki_rc_t
pki_holder_logins(pki_source_t *source, pki_err_t *err)
{
    const pki_directory_conf_t  *conf;

    conf = source->conf;

    source->login[0] = pki_login_create(&conf->login, err);
    if (source->login[0] == NULL) {
        return PKI_ERROR;
    }

    if (conf->login_ca.url == NULL) {
        return PKI_OK;
    }

    source->login[1] = pki_login_create(&conf->login_ca, err);

    return source->login[1] ? PKI_OK : PKI_ERROR;
}


static pki_rc_t
pki_holder_machines(pki_source_t *source, pki_err_t *err)
{
    pki_machine_t         *machine;
    const pki_resource_t  *resource;

    resource = source->conf->dialect->resources;

    for ( /* void */ ; resource->name; resource++) {

        if (!resource->wanted(source->conf)
            || source->nmachines == PKI_RESOURCES_MAX)
        {
            continue;
        }

        machine = pki_machine_create(source, resource);
        if (machine == NULL) {
            pki_err_set(err, "out of memory");
            return PKI_ERROR;
        }

        source->machines[source->nmachines++] = machine;
    }

    source->lookup = pki_lookup_create(source);
    if (source->lookup == NULL) {
        pki_err_set(err, "out of memory");
        return PKI_ERROR;
    }

    return PKI_OK;
}


void
pki_holder_free(pki_source_t *source)
{
    unsigned  i;

    pki_lookup_destroy(source->lookup);

    for (i = 0; i < source->nmachines; i++) {
        pki_machine_destroy(source->machines[i]);
    }

    pki_login_destroy(source->login[0]);
    pki_login_destroy(source->login[1]);
    pki_redis_sync_destroy(source->sync);
    pki_directory_free((pki_directory_conf_t *) source->conf);

    memset(source, 0, sizeof(pki_source_t));
}


long
pki_holder_tick(pki_source_t *source, long lease)
{
    long       wait, t;
    long long  now;

    now = pki_source_mono(source);

    if (source->redis == NULL) {

        if (now < source->redis_at || pki_holder_connect(source) != PKI_OK) {
            return pki_holder_until(source->redis_at, now);
        }
    }

    /* a hint without the lease may be that it is free */

    if (source->hinted && !source->holder) {
        source->hinted = 0;
        source->lease_at = pki_holder_soon(source);
    }

    if (now >= source->lease_at) {
        pki_holder_lease(source, lease);
    }

    if (source->hinted && source->holder) {
        source->hinted = 0;
        pki_lookup_hurry(source->lookup);
        pki_holder_heard(source, 1);
    }

    wait = source->holder ? pki_holder_work(source) : -1;

    if (source->running && !source->holder) {
        pki_holder_abandon(source, source->redis ? "the lease is lost"
                                                 : "Redis is not there");
    }

    now = pki_source_mono(source);

    if (source->redis == NULL) {
        return pki_holder_until(source->redis_at, now);
    }

    t = pki_holder_until(source->lease_at, now);

    return wait == -1 || t < wait ? t : wait;
}


static pki_rc_t
pki_holder_connect(pki_source_t *source)
{
    pki_err_t  err;

    source->sync = pki_redis_sync_create(&source->conf->redis, &err);
    if (source->sync == NULL) {
        pki_holder_failed(source, &err);
        return PKI_ERROR;
    }

    source->redis = pki_redis_sync_transport(source->sync);
    source->lease_at = pki_source_mono(source);

    return PKI_OK;
}


/* Counts and waits, so that a Redis that takes connections is none yet. */

static void
pki_holder_failed(pki_source_t *source, const pki_err_t *err)
{
    source->holder = 0;
    source->redis_at = pki_source_mono(source)
                       + pki_holder_backoff(source->redis_failures++);

    pki_holder_say(source, err);
}


/* One cause, one line. */

static void
pki_holder_say(pki_source_t *source, const pki_err_t *err)
{
    if (strcmp(source->said.text, err->text) == 0) {
        return;
    }

    source->said = *err;
    pki_source_log(source, 3, "Redis: %s", err->text);
}


/* Up to a half less, so that the hosts do not come all at once. */

static long
pki_holder_backoff(unsigned failures)
{
    long           wait;
    unsigned char  octet;

    wait = PKI_HOLDER_PATIENCE;

    if (failures < 5) {
        wait = PKI_HOLDER_BACKOFF << failures;
    }

    if (RAND_bytes(&octet, 1) != 1) {
        octet = 0;
    }

    return wait - wait / 2 * octet / 255;
}


pki_rc_t
pki_source_wait(pki_source_t *source)
{
    pki_err_t  err;

    if (source->sync == NULL) {
        return PKI_ERROR;
    }

    if (pki_redis_sync_wait(source->sync, &err) == PKI_OK) {
        source->redis_failures = 0;
        return PKI_OK;
    }

    pki_holder_close(source);
    pki_holder_failed(source, &err);

    return PKI_ERROR;
}


/* Most hints are for whoever has the lease: however many, one try. */

static long long
pki_holder_soon(const pki_source_t *source)
{
    long long  soon;

    soon = source->tried + PKI_HOLDER_GAP;

    return soon < source->lease_at ? soon : source->lease_at;
}


/*
 * Takes or renews.  A lease that was free while it should have been ours had
 * run out, and somebody else may have held and left it since: what was begun
 * under it does not count.
 */

static void
pki_holder_lease(pki_source_t *source, long lease)
{
    pki_answer_t  answer;

    source->tried = pki_source_mono(source);
    source->lease_at = source->tried + lease / 3;
    source->claimed = 1;

    pki_answer_init(&answer);
    pki_state_lease(source->redis, source->conf->name, source->token, lease,
                    pki_answer_done, &answer);

    if (pki_source_wait(source) != PKI_OK) {
        return;
    }

    switch (answer.result) {

    case PKI_STORE_DONE:
    case PKI_STORE_SAME:
        if (source->said.text[0]) {
            source->said.text[0] = '\0';
            pki_source_log(source, 5, "Redis answers again");
        }

        if (source->holder && answer.n != 0) {
            pki_holder_abandon(source, "the lease had run out");
        }

        if (!source->holder) {
            pki_holder_taken(source);
        }

        break;

    case PKI_STORE_CONFLICT:
        source->claimed = 0;
        pki_source_lost(source);

        if (!source->elsewhere) {
            source->elsewhere = 1;
            pki_source_log(source, 6, "another process polls it");
        }

        break;

    default:
        source->holder = 0;
        pki_holder_say(source, &answer.err);
    }
}


static void
pki_holder_taken(pki_source_t *source)
{
    source->holder = 1;
    source->running = 1;
    source->elsewhere = 0;

    pki_source_log(source, 6, "this process polls it");
    pki_source_dirty(source);

    /* the first rounds are for all that was asked for until now */

    pki_holder_heard(source, 0);
}


void
pki_source_lost(pki_source_t *source)
{
    if (source->holder) {
        source->holder = 0;
        source->elsewhere = 1;
        pki_source_log(source, 5, "the lease is lost");
    }
}


/*
 * A hint for an object leaves both times as they are, and so does a second
 * wish within a second, which is not to be lost: one of this second, or of a
 * clock that is a little ahead, is always new.
 */

static int
pki_holder_new(time_t at, time_t heard, time_t now)
{
    return at != heard || (at >= now && at - now <= 1);
}


/* Both times are the directory's, so that any resource tells them. */

static void
pki_holder_heard(pki_source_t *source, int hurry)
{
    time_t        now;
    unsigned      i;
    pki_answer_t  answer;

    if (source->redis == NULL) {
        return;
    }

    now = pki_source_now(source);

    pki_answer_init(&answer);
    pki_state_sync(source->redis, source->conf->name,
                   pki_machine_resource(source->machines[0])->name,
                   pki_answer_sync, &answer);

    if (pki_answer_wait(source, &answer) == PKI_OK
        && (pki_holder_new(answer.sync.asked_at, source->asked_at, now)
            || pki_holder_new(answer.sync.release_at, source->release_at,
                              now)))
    {
        source->asked_at = answer.sync.asked_at;
        source->release_at = answer.sync.release_at;

        for (i = 0; hurry && i < source->nmachines; i++) {
            pki_machine_hurry(source->machines[i], 0);
        }
    }

    pki_answer_free(&answer);
}


/* Stops at once when one of them has lost the lease or the connection. */

static long
pki_holder_work(pki_source_t *source)
{
    long      wait, t;
    unsigned  i;

    wait = PKI_HOLDER_PATIENCE;

    for (i = 0; i < source->nmachines && source->holder; i++) {
        t = pki_machine_tick(source->machines[i]);
        wait = t < wait ? t : wait;
    }

    if (source->holder) {
        t = pki_lookup_tick(source->lookup);
        wait = t < wait ? t : wait;
    }

    if (source->holder && source->report_at) {

        if (pki_source_mono(source) >= source->report_at) {
            pki_holder_report(source);

        } else {
            t = pki_holder_until(source->report_at, pki_source_mono(source));
            wait = t < wait ? t : wait;
        }
    }

    return wait;
}


static void
pki_holder_report(pki_source_t *source)
{
    size_t            n;
    unsigned          i;
    pki_answer_t      answer;
    pki_state_item_t  items[PKI_HOLDER_ITEMS];

    n = 0;

    for (i = 0; i < source->nmachines; i++) {
        n += pki_machine_report(source->machines[i], items + n,
                                PKI_HOLDER_ITEMS - n);
    }

    source->report_at = 0;
    source->reported = pki_source_mono(source);

    pki_answer_init(&answer);
    pki_state_report(source->redis, source->conf->name, source->token, items,
                     n, pki_answer_done, &answer);

    if (pki_answer_wait(source, &answer) == PKI_ERROR
        && source->redis != NULL)
    {
        pki_holder_say(source, &answer.err);
    }

    pki_answer_free(&answer);
}


void
pki_source_dirty(pki_source_t *source)
{
    long long  now;

    if (source->report_at) {
        return;
    }

    now = pki_source_mono(source);

    source->report_at = source->reported + PKI_HOLDER_REPORT;

    if (source->report_at < now) {
        source->report_at = now;
    }
}


static void
pki_holder_abandon(pki_source_t *source, const char *why)
{
    unsigned  i;

    source->running = 0;
    source->holder = 0;

    for (i = 0; i < source->nmachines; i++) {
        pki_machine_abandon(source->machines[i], why);
    }

    pki_lookup_abandon(source->lookup);
    pki_fetch_cancel(source->peer);
}


/*
 * What was under way when the end came has cost the connection, and may have
 * taken the lease; `stop` bounds the new one too.
 */

void
pki_holder_leave(pki_source_t *source)
{
    pki_err_t     err;
    pki_answer_t  answer;

    if (source->running) {
        pki_holder_abandon(source, "the poller ends");
    }

    if (!source->claimed) {
        pki_holder_close(source);
        return;
    }

    if (source->redis == NULL && pki_holder_connect(source) != PKI_OK) {
        return;
    }

    pki_answer_init(&answer);
    pki_state_unlease(source->redis, source->conf->name, source->token,
                      pki_answer_done, &answer);

    /* whatever comes of it: else the lease ends by itself */

    (void) pki_redis_sync_wait(source->sync, &err);

    pki_holder_close(source);
}


static void
pki_holder_close(pki_source_t *source)
{
    pki_redis_sync_destroy(source->sync);
    source->sync = NULL;
    source->redis = NULL;
}


static long
pki_holder_until(long long then, long long now)
{
    return then > now ? (long) (then - now) : 0;
}


time_t
pki_source_now(const pki_source_t *source)
{
    return pki_poller_now(source->poller);
}


long long
pki_source_mono(const pki_source_t *source)
{
    return pki_poller_mono(source->poller);
}


void
pki_source_log(pki_source_t *source, int level, const char *format, ...)
{
    size_t   len;
    char     text[PKI_MAIL_TEXT];
    va_list  args;

    (void) snprintf(text, sizeof(text), "directory \"%s\": ",
                    source->conf->name);
    len = strlen(text);

    va_start(args, format);
    (void) vsnprintf(text + len, sizeof(text) - len, format, args);
    va_end(args);

    pki_poller_post(source->poller, level, text);
}

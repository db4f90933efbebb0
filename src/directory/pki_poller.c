
/*
 * What the thread does, and all that crosses to its maker.
 *
 * What both threads touch is in one struct under the thread's mutex; all
 * else belongs to the maker until the thread runs, to the thread while it
 * does, and to the maker again once it is joined.
 */

#include "pki_source.h"

#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>


#define PKI_POLLER_NAME   "pki-poller"
#define PKI_POLLER_LEASE  15000     /* milliseconds */
#define PKI_POLLER_SLEEP  60000     /* at most, whatever a machine says */
#define PKI_POLLER_LEAVE  60        /* to give all leases back; the join has
                                       100 for all */


/* what both threads touch */

typedef struct {
    pki_poller_stats_t   *stats;
    unsigned              nstats;
    unsigned char        *hints;        /* one for each source */
} pki_poller_shared_t;


struct pki_poller_s {
    pki_thread_t          thread;
    pki_poller_shared_t   shared;

    /* constant while the thread runs */

    long                  lease;
    time_t              (*wall)(void);
    long long           (*mono)(void);

    /* the thread's own */

    pki_fetch_t          *fetch;
    pki_source_t         *sources;
    unsigned              nsources;
};


static pki_rc_t pki_poller_open(pki_poller_t *poller,
    const pki_poller_conf_t *conf, pki_err_t *err);
static pki_rc_t pki_poller_sources(pki_poller_t *poller,
    const pki_poller_conf_t *conf, pki_err_t *err);
static void *pki_poller_thread(void *data);
static int pki_poller_heed(pki_poller_t *poller);
static void pki_poller_publish(pki_poller_t *poller);
static void pki_poller_leave(pki_poller_t *poller);
static void pki_poller_free(pki_poller_t *poller);


pki_poller_t *
pki_poller_create(const pki_poller_conf_t *conf, pki_err_t *err)
{
    pki_poller_t  *poller;

    poller = OPENSSL_zalloc(sizeof(pki_poller_t));
    if (poller == NULL) {
        pki_err_set(err, "out of memory");
        return NULL;
    }

    if (pki_poller_open(poller, conf, err) != PKI_OK
        || pki_poller_sources(poller, conf, err) != PKI_OK
        || pki_thread_start(&poller->thread, pki_poller_thread, poller, err)
           != PKI_OK)
    {
        pki_poller_free(poller);
        return NULL;
    }

    return poller;
}


static pki_rc_t
pki_poller_open(pki_poller_t *poller, const pki_poller_conf_t *conf,
    pki_err_t *err)
{
    poller->lease = conf->lease > 0 ? conf->lease : PKI_POLLER_LEASE;
    poller->wall = conf->wall;
    poller->mono = conf->mono;

    if (pki_thread_init(&poller->thread, conf->ring, conf->data, err)
        != PKI_OK)
    {
        return PKI_ERROR;
    }

    poller->fetch = pki_fetch_create(poller->thread.wake, err);

    return poller->fetch ? PKI_OK : PKI_ERROR;
}


/*
 * There is room for all directories, also for those that nobody polls and
 * that make no source.
 */

static pki_rc_t
pki_poller_sources(pki_poller_t *poller, const pki_poller_conf_t *conf,
    pki_err_t *err)
{
    pki_rc_t               rc;
    unsigned               i, n;
    const char            *holder;
    pki_source_t          *source;
    pki_directory_conf_t  *copy;

    n = conf->n ? conf->n : 1;
    holder = conf->holder ? conf->holder : "-";

    poller->sources = OPENSSL_zalloc(n * sizeof(pki_source_t));
    poller->shared.hints = OPENSSL_zalloc(n);
    poller->shared.stats = OPENSSL_zalloc(n * PKI_RESOURCES_MAX
                                          * sizeof(pki_poller_stats_t));

    if (poller->sources == NULL || poller->shared.hints == NULL
        || poller->shared.stats == NULL)
    {
        pki_err_set(err, "out of memory");
        return PKI_ERROR;
    }

    for (i = 0; i < conf->n; i++) {
        copy = pki_directory_copy(conf->directories[i]);
        if (copy == NULL) {
            pki_err_set(err, "out of memory");
            return PKI_ERROR;
        }

        copy->redis.stop = poller->thread.stop;

        source = &poller->sources[poller->nsources];

        rc = pki_holder_init(source, poller, copy, poller->fetch, holder,
                             err);

        if (rc == PKI_OK) {
            poller->nsources++;
            continue;
        }

        pki_holder_free(source);

        if (rc != PKI_NOT_FOUND) {
            return rc;
        }
    }

    pki_poller_publish(poller);

    return PKI_OK;
}


static void *
pki_poller_thread(void *data)
{
    pki_poller_t *poller = data;

    long      wait, timeout;
    unsigned  i;

    pki_thread_present(PKI_POLLER_NAME);

    while (pki_poller_heed(poller)) {
        timeout = PKI_POLLER_SLEEP;

        for (i = 0; i < poller->nsources; i++) {
            ERR_clear_error();

            wait = pki_holder_tick(&poller->sources[i], poller->lease);

            if (wait < timeout) {
                timeout = wait > 0 ? wait : 0;
            }

            if (pki_poller_stopping(poller)) {
                break;
            }
        }

        pki_poller_publish(poller);

        /* the rings are read at once, whatever there was to ring for */

        if (pki_fetch_wait(poller->fetch, timeout)
            && pki_thread_heed(&poller->thread) != PKI_OK)
        {
            pki_poller_post(poller, 3, "the poller's bell cannot be read");
            break;
        }
    }

    pki_poller_leave(poller);

    ERR_clear_error();

    return NULL;
}


/* Takes the hints; 0: the end has come. */

static int
pki_poller_heed(pki_poller_t *poller)
{
    int                   on;
    unsigned              i;
    pki_poller_shared_t  *shared;

    shared = &poller->shared;

    (void) pthread_mutex_lock(&poller->thread.mutex);

    for (i = 0; i < poller->nsources; i++) {
        if (shared->hints[i]) {
            shared->hints[i] = 0;
            poller->sources[i].hinted = 1;
        }
    }

    on = !poller->thread.stopping;

    (void) pthread_mutex_unlock(&poller->thread.mutex);

    return on;
}


static void
pki_poller_publish(pki_poller_t *poller)
{
    unsigned              i, j, n;
    long long             lookups;
    pki_source_t         *source;
    pki_poller_stats_t   *stats;
    pki_poller_shared_t  *shared;

    shared = &poller->shared;
    n = 0;

    (void) pthread_mutex_lock(&poller->thread.mutex);

    for (i = 0; i < poller->nsources; i++) {
        source = &poller->sources[i];
        lookups = 0;

        pki_lookup_stats(source->lookup, &lookups);

        for (j = 0; j < source->nmachines; j++) {
            stats = &shared->stats[n++];

            pki_machine_stats(source->machines[j], stats);

            stats->directory = source->conf->name;
            stats->resource = pki_machine_resource(source->machines[j])->name;
            stats->holder = source->holder;

            /* lookups are the directory's; the first line tells them */

            stats->lookups = j == 0 ? lookups : 0;
        }
    }

    shared->nstats = n;

    (void) pthread_mutex_unlock(&poller->thread.mutex);
}


/*
 * All sources share the time that is left; a Redis that does not answer by
 * then lets the lease run out.
 */

static void
pki_poller_leave(pki_poller_t *poller)
{
    unsigned  i;

    pki_thread_last(&poller->thread, PKI_POLLER_LEAVE);

    for (i = 0; i < poller->nsources; i++) {
        pki_holder_leave(&poller->sources[i]);
    }

    /* the sources stay: the maker may still look at their names */

    pki_fetch_destroy(poller->fetch);
    poller->fetch = NULL;
}


void
pki_poller_stop(pki_poller_t *poller)
{
    pki_thread_stop(&poller->thread);
}


void
pki_poller_destroy(pki_poller_t *poller)
{
    if (poller == NULL) {
        return;
    }

    pki_poller_stop(poller);
    pki_thread_join(&poller->thread);

    pki_poller_free(poller);
}


/* What is under way ends first, as long as there is somebody to tell. */

static void
pki_poller_free(pki_poller_t *poller)
{
    unsigned  i;

    pki_fetch_destroy(poller->fetch);

    for (i = 0; i < poller->nsources; i++) {
        pki_holder_free(&poller->sources[i]);
    }

    pki_thread_free(&poller->thread);

    OPENSSL_free(poller->sources);
    OPENSSL_free(poller->shared.hints);
    OPENSSL_free(poller->shared.stats);
    OPENSSL_free(poller);
}


void
pki_poller_hint(pki_poller_t *poller, const char *directory, size_t len)
{
    int                   heard;
    unsigned              i;
    const char           *name;
    pki_poller_shared_t  *shared;

    shared = &poller->shared;
    heard = 0;

    (void) pthread_mutex_lock(&poller->thread.mutex);

    for (i = 0; i < poller->nsources && !poller->thread.stopping; i++) {
        name = poller->sources[i].conf->name;

        if (strlen(name) == len && memcmp(name, directory, len) == 0) {
            shared->hints[i] = 1;
            heard = 1;
        }
    }

    (void) pthread_mutex_unlock(&poller->thread.mutex);

    if (heard) {
        pki_thread_wake(&poller->thread);
    }
}


unsigned
pki_poller_mail(pki_poller_t *poller, pki_mail_t *mail, unsigned n,
    unsigned long *lost)
{
    return pki_thread_mail(&poller->thread, mail, n, lost);
}


unsigned
pki_poller_stats(pki_poller_t *poller, pki_poller_stats_t *stats, unsigned n)
{
    unsigned              total;
    pki_poller_shared_t  *shared;

    shared = &poller->shared;

    (void) pthread_mutex_lock(&poller->thread.mutex);

    total = shared->nstats;

    if (n > total) {
        n = total;
    }

    if (n) {
        memcpy(stats, shared->stats, n * sizeof(pki_poller_stats_t));
    }

    (void) pthread_mutex_unlock(&poller->thread.mutex);

    return total;
}


void
pki_poller_post(pki_poller_t *poller, int level, const char *text)
{
    pki_thread_post(&poller->thread, level, text);
}


int
pki_poller_stopping(pki_poller_t *poller)
{
    return pki_thread_stopping(&poller->thread);
}


time_t
pki_poller_now(const pki_poller_t *poller)
{
    return poller->wall ? poller->wall() : time(NULL);
}


long long
pki_poller_mono(const pki_poller_t *poller)
{
    return poller->mono ? poller->mono() : pki_thread_mono();
}

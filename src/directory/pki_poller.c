
/*
 * The thread: its life, and all that crosses to its maker.
 *
 * What both threads touch is in one struct under one mutex; all else belongs
 * to the maker until the thread runs, to the thread while it does, and to
 * the maker again once it is joined.
 *
 * The stop is a timer rather than an eventfd: once it has fired, each wait
 * for Redis ends, and set again it becomes the little time that is left to
 * give the leases back.
 */

#include "pki_source.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <openssl/crypto.h>
#include <openssl/err.h>


#define PKI_POLLER_NAME   "pki-poller"
#define PKI_POLLER_NICE   10        /* as nice(1) is by default */
#define PKI_POLLER_LEASE  15000     /* milliseconds */
#define PKI_POLLER_SLEEP  60000     /* at most, whatever a machine says */
#define PKI_POLLER_LEAVE  60        /* to give all leases back; the join has
                                       100 for all */


/* what both threads touch */

typedef struct {
    pthread_mutex_t       mutex;
    pki_mail_t            mail[PKI_MAIL_MAX];
    unsigned              first;
    unsigned              nmail;
    unsigned long         lost;
    pki_poller_stats_t   *stats;
    unsigned              nstats;
    unsigned char        *hints;        /* one for each source */
    unsigned              stopping;
} pki_poller_shared_t;


struct pki_poller_s {
    pki_poller_shared_t   shared;

    /* constant while the thread runs */

    pthread_t             thread;
    unsigned              started:1;
    int                   wake;         /* an eventfd: look around */
    int                   stop;         /* a timerfd: come to an end */
    long                  lease;
    void                (*ring)(void *data);
    void                 *data;
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
static pki_rc_t pki_poller_start(pki_poller_t *poller, pki_err_t *err);
static void *pki_poller_thread(void *data);
static int pki_poller_heed(pki_poller_t *poller);
static void pki_poller_publish(pki_poller_t *poller);
static void pki_poller_leave(pki_poller_t *poller);
static void pki_poller_free(pki_poller_t *poller);
static void pki_poller_wake(pki_poller_t *poller);
static void pki_poller_fire(pki_poller_t *poller, long timeout);


pki_poller_t *
pki_poller_create(const pki_poller_conf_t *conf, pki_err_t *err)
{
    pki_poller_t  *poller;

    poller = OPENSSL_zalloc(sizeof(pki_poller_t));
    if (poller == NULL) {
        pki_err_set(err, "out of memory");
        return NULL;
    }

    if (pthread_mutex_init(&poller->shared.mutex, NULL) != 0) {
        pki_err_set(err, "no mutex");
        OPENSSL_free(poller);
        return NULL;
    }

    poller->wake = -1;
    poller->stop = -1;

    if (pki_poller_open(poller, conf, err) != PKI_OK
        || pki_poller_sources(poller, conf, err) != PKI_OK
        || pki_poller_start(poller, err) != PKI_OK)
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
    poller->ring = conf->ring;
    poller->data = conf->data;
    poller->wall = conf->wall;
    poller->mono = conf->mono;

    poller->wake = eventfd(0, EFD_CLOEXEC|EFD_NONBLOCK);
    poller->stop = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC|TFD_NONBLOCK);

    if (poller->wake == -1 || poller->stop == -1) {
        pki_err_set(err, "no descriptor: %s", strerror(errno));
        return PKI_ERROR;
    }

    poller->fetch = pki_fetch_create(poller->wake, err);

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

        copy->redis.stop = poller->stop;

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


/* The thread inherits the mask, so that no signal finds a moment. */

static pki_rc_t
pki_poller_start(pki_poller_t *poller, pki_err_t *err)
{
    int       rc;
    sigset_t  all, old;

    (void) sigfillset(&all);
    (void) sigdelset(&all, SIGSEGV);
    (void) sigdelset(&all, SIGBUS);
    (void) sigdelset(&all, SIGFPE);
    (void) sigdelset(&all, SIGILL);

    rc = pthread_sigmask(SIG_SETMASK, &all, &old);
    if (rc != 0) {
        pki_err_set(err, "cannot block signals: %s", strerror(rc));
        return PKI_ERROR;
    }

    rc = pthread_create(&poller->thread, NULL, pki_poller_thread, poller);

    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);

    if (rc != 0) {
        pki_err_set(err, "cannot start a thread: %s", strerror(rc));
        return PKI_ERROR;
    }

    poller->started = 1;

    return PKI_OK;
}


static void *
pki_poller_thread(void *data)
{
    pki_poller_t *poller = data;

    long      wait, timeout;
    uint64_t  rings;
    unsigned  i;

    /* for whoever looks at the process; no harm if it cannot be */

    (void) prctl(PR_SET_NAME, PKI_POLLER_NAME, 0, 0, 0);

    /* of this thread alone: requests come first */

    (void) setpriority(PRIO_PROCESS, 0, PKI_POLLER_NICE);

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
            && read(poller->wake, &rings, sizeof(rings)) == -1
            && errno != EAGAIN)
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

    (void) pthread_mutex_lock(&shared->mutex);

    for (i = 0; i < poller->nsources; i++) {
        if (shared->hints[i]) {
            shared->hints[i] = 0;
            poller->sources[i].hinted = 1;
        }
    }

    on = !shared->stopping;

    (void) pthread_mutex_unlock(&shared->mutex);

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

    (void) pthread_mutex_lock(&shared->mutex);

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

    (void) pthread_mutex_unlock(&shared->mutex);
}


/*
 * All sources share the time that is left; a Redis that does not answer by
 * then lets the lease run out.
 */

static void
pki_poller_leave(pki_poller_t *poller)
{
    unsigned  i;

    pki_poller_fire(poller, PKI_POLLER_LEAVE);

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
    pki_poller_shared_t  *shared;

    shared = &poller->shared;

    /* once: the thread sets the timer again for its last words */

    (void) pthread_mutex_lock(&shared->mutex);

    if (!shared->stopping) {
        shared->stopping = 1;
        pki_poller_fire(poller, 0);
    }

    (void) pthread_mutex_unlock(&shared->mutex);

    pki_poller_wake(poller);
}


void
pki_poller_destroy(pki_poller_t *poller)
{
    if (poller == NULL) {
        return;
    }

    pki_poller_stop(poller);
    (void) pthread_join(poller->thread, NULL);

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

    if (poller->wake != -1) {
        (void) close(poller->wake);
    }

    if (poller->stop != -1) {
        (void) close(poller->stop);
    }

    (void) pthread_mutex_destroy(&poller->shared.mutex);

    OPENSSL_free(poller->sources);
    OPENSSL_free(poller->shared.hints);
    OPENSSL_free(poller->shared.stats);
    OPENSSL_free(poller);
}


/* It fails only where the counter is full, and then it rings already. */

static void
pki_poller_wake(pki_poller_t *poller)
{
    uint64_t  one = 1;

    if (write(poller->wake, &one, sizeof(one)) == -1) {
        return;
    }
}


/* A time of zero would disarm the timer. */

static void
pki_poller_fire(pki_poller_t *poller, long timeout)
{
    struct itimerspec  t;

    memset(&t, 0, sizeof(t));
    t.it_value.tv_sec = timeout / 1000;
    t.it_value.tv_nsec = timeout % 1000 * 1000000 + 1;

    (void) timerfd_settime(poller->stop, 0, &t, NULL);
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

    (void) pthread_mutex_lock(&shared->mutex);

    for (i = 0; i < poller->nsources && !shared->stopping; i++) {
        name = poller->sources[i].conf->name;

        if (strlen(name) == len && memcmp(name, directory, len) == 0) {
            shared->hints[i] = 1;
            heard = 1;
        }
    }

    (void) pthread_mutex_unlock(&shared->mutex);

    if (heard) {
        pki_poller_wake(poller);
    }
}


unsigned
pki_poller_mail(pki_poller_t *poller, pki_mail_t *mail, unsigned n,
    unsigned long *lost)
{
    unsigned              i;
    pki_poller_shared_t  *shared;

    shared = &poller->shared;

    (void) pthread_mutex_lock(&shared->mutex);

    for (i = 0; i < n && shared->nmail; i++) {
        mail[i] = shared->mail[shared->first];

        shared->first = (shared->first + 1) % PKI_MAIL_MAX;
        shared->nmail--;
    }

    *lost = shared->lost;
    shared->lost = 0;

    (void) pthread_mutex_unlock(&shared->mutex);

    return i;
}


unsigned
pki_poller_stats(pki_poller_t *poller, pki_poller_stats_t *stats, unsigned n)
{
    unsigned              total;
    pki_poller_shared_t  *shared;

    shared = &poller->shared;

    (void) pthread_mutex_lock(&shared->mutex);

    total = shared->nstats;

    if (n > total) {
        n = total;
    }

    if (n) {
        memcpy(stats, shared->stats, n * sizeof(pki_poller_stats_t));
    }

    (void) pthread_mutex_unlock(&shared->mutex);

    return total;
}


/*
 * Leaves a letter.  One ring is enough until the box has been emptied.  What
 * the end of the thread breaks is not worth a line.
 */

void
pki_poller_post(pki_poller_t *poller, int level, const char *text)
{
    int                   ring;
    char                 *p;
    pki_mail_t           *mail;
    pki_poller_shared_t  *shared;

    shared = &poller->shared;
    ring = 0;

    (void) pthread_mutex_lock(&shared->mutex);

    if (shared->stopping) {
        /* void */

    } else if (shared->nmail == PKI_MAIL_MAX) {
        shared->lost++;

    } else {
        mail = &shared->mail[(shared->first + shared->nmail) % PKI_MAIL_MAX];
        mail->level = level;

        (void) snprintf(mail->text, sizeof(mail->text), "%s", text);

        for (p = mail->text; *p; p++) {
            if ((unsigned char) *p < 0x20 || *p == 0x7f) {
                *p = '?';
            }
        }

        ring = shared->nmail++ == 0;
    }

    (void) pthread_mutex_unlock(&shared->mutex);

    if (ring && poller->ring != NULL) {
        poller->ring(poller->data);
    }
}


int
pki_poller_stopping(pki_poller_t *poller)
{
    int  stopping;

    (void) pthread_mutex_lock(&poller->shared.mutex);
    stopping = poller->shared.stopping;
    (void) pthread_mutex_unlock(&poller->shared.mutex);

    return stopping;
}


time_t
pki_poller_now(const pki_poller_t *poller)
{
    return poller->wall ? poller->wall() : time(NULL);
}


long long
pki_poller_mono(const pki_poller_t *poller)
{
    struct timespec  t;

    if (poller->mono != NULL) {
        return poller->mono();
    }

    if (clock_gettime(CLOCK_MONOTONIC, &t) == -1) {
        return 0;
    }

    return (long long) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}


/*
 * The lists of one issuer: the lease, what is published already, and when
 * there is something to do.
 *
 * Whoever holds the lease goes on from what Redis says is published; after
 * any failure that is read again.
 */

#include "pki_clerk_job.h"

#include <string.h>
#include <openssl/crypto.h>


#define PKI_CLERK_LOOKS     5       /* at a lease that another has, while it
                                       lasts */
#define PKI_CLERK_LIST_MAX  (256 * 1024 * 1024)     /* octets of a list; more
                                       is a mistake */


static void pki_clerk_crl_heed(pki_clerk_job_t *job, long long now);
static long pki_clerk_crl_sleep(const pki_clerk_job_t *job, long long now);
static long long pki_clerk_crl_renewal(const pki_clerk_job_t *job, time_t now);
static pki_rc_t pki_clerk_crl_work(pki_clerk_job_t *job);
static pki_rc_t pki_clerk_crl_connect(pki_clerk_job_t *job);
static pki_rc_t pki_clerk_crl_lease(pki_clerk_job_t *job);
static void pki_clerk_crl_drop(pki_clerk_job_t *job);
static void pki_clerk_crl_failed(pki_clerk_job_t *job);
static void pki_clerk_crl_show(pki_clerk_job_t *job);

static pki_rc_t pki_clerk_crl_load(pki_clerk_job_t *job);
static pki_rc_t pki_clerk_crl_load_list(pki_clerk_job_t *job,
    pki_list_e which, pki_clerk_list_t *list);
static pki_rc_t pki_clerk_crl_fetch(pki_clerk_job_t *job, pki_list_e which);
static pki_rc_t pki_clerk_crl_apply(pki_clerk_job_t *job,
    const pki_clerk_list_t *delta);

static void pki_clerk_crl_info(void *data, pki_store_result_t result,
    const pki_list_info_t info[PKI_LIST_N], const char *error);
static void pki_clerk_crl_slice(void *data, pki_store_result_t result,
    const pki_bytes_t *values, size_t n, unsigned long long next,
    const char *error);


pki_rc_t
pki_clerk_crl_init(pki_clerk_job_t *job, pki_clerk_t *clerk,
    const pki_clerk_crl_t *conf, const char *holder, pki_err_t *err)
{
    job->clerk = clerk;
    job->conf = conf;
    job->redis_conf = *conf->redis;
    job->redis_conf.stop = clerk->thread.stop;

    return pki_thread_token(job->token, holder, err);
}


void
pki_clerk_crl_free(pki_clerk_job_t *job)
{
    pki_clerk_crl_drop(job);
    pki_redis_sync_destroy(job->redis);
}


long
pki_clerk_crl_tick(pki_clerk_job_t *job)
{
    long       wait;
    long long  now;

    now = pki_thread_mono();

    pki_clerk_crl_heed(job, now);

    wait = pki_clerk_crl_sleep(job, now);

    if (wait > 0) {
        return wait;
    }

    job->err.text[0] = '\0';

    if (pki_clerk_crl_work(job) == PKI_OK) {
        job->failures = 0;

        pki_clerk_complain(job->clerk, "crl", job->conf->view->name,
                           &job->said, "");

    } else {
        pki_clerk_crl_failed(job);
    }

    pki_clerk_crl_show(job);

    return pki_clerk_crl_sleep(job, pki_thread_mono());
}


/* What comes in the time until the list is made is in it as well. */

static void
pki_clerk_crl_heed(pki_clerk_job_t *job, long long now)
{
    unsigned  hints, wanted;

    (void) pthread_mutex_lock(&job->clerk->thread.mutex);

    hints = job->hints;
    wanted = hints & PKI_CLERK_HINT_LIST;
    job->hints = 0;

    if (job->touched.n) {
        wanted = 1;

        /* many may be an import of what a directory has revoked long ago */

        if (!pki_clerk_names_move(&job->certs, &job->touched)) {
            hints |= PKI_CLERK_HINT_LIST|PKI_CLERK_HINT_PASS;
        }
    }

    if (job->changed.n) {
        wanted = 1;

        if (!pki_clerk_names_move(&job->objects, &job->changed)) {
            hints |= PKI_CLERK_HINT_PASS;
        }
    }

    (void) pthread_mutex_unlock(&job->clerk->thread.mutex);

    if (hints & PKI_CLERK_HINT_LIST) {
        job->whole = 1;
    }

    if (wanted && job->wanted_at == 0) {
        job->wanted_at = now + job->conf->delay;
    }

    if ((hints & PKI_CLERK_HINT_PASS) && job->conf->content == PKI_CRL_ALL) {
        pki_clerk_pass(job, now + job->conf->delay);
    }
}


/* All pages are to be gone through, but not before. */

void
pki_clerk_pass(pki_clerk_job_t *job, long long at)
{
    if (!job->pass) {
        job->pass = 1;

        if (job->pass_at < at) {
            job->pass_at = at;
        }
    }
}


static long
pki_clerk_crl_sleep(const pki_clerk_job_t *job, long long now)
{
    long long  at, renewal;

    at = job->due;

    if (job->holder && job->loaded) {
        at = pki_clerk_look_at(job);

        if (job->lease_at < at) {
            at = job->lease_at;
        }

        renewal = now + pki_clerk_crl_renewal(job, time(NULL));

        if (renewal < at) {
            at = renewal;
        }
    }

    if (at <= now) {
        return 0;
    }

    return at - now < PKI_CLERK_SLEEP ? (long) (at - now) : PKI_CLERK_SLEEP;
}


/* Milliseconds until a list comes near its end. */

static long long
pki_clerk_crl_renewal(const pki_clerk_job_t *job, time_t now)
{
    long long  full, delta;

    if (pki_clerk_full_due(job, now) || pki_clerk_delta_due(job, now)) {
        return 0;
    }

    full = job->info[PKI_LIST_FULL].next_update - job->conf->renew - now;

    if (job->conf->delta == 0) {
        return full * 1000;
    }

    delta = job->info[PKI_LIST_DELTA].next_update - job->conf->delta / 3
            - now;

    return (full < delta ? full : delta) * 1000;
}


static pki_rc_t
pki_clerk_crl_work(pki_clerk_job_t *job)
{
    if (pki_clerk_crl_connect(job) != PKI_OK) {
        return PKI_ERROR;
    }

    if (!job->holder || pki_thread_mono() >= job->lease_at) {
        if (pki_clerk_crl_lease(job) != PKI_OK) {
            return PKI_ERROR;
        }
    }

    if (!job->holder) {
        return PKI_OK;
    }

    if (!job->loaded && pki_clerk_crl_load(job) != PKI_OK) {
        return PKI_ERROR;
    }

    return pki_clerk_make(job);
}


static pki_rc_t
pki_clerk_crl_connect(pki_clerk_job_t *job)
{
    if (job->redis == NULL) {
        job->redis = pki_redis_sync_create(&job->redis_conf, &job->err);
    }

    return job->redis ? PKI_OK : PKI_ERROR;
}


/*
 * A lease that had run out meanwhile may have been another's: what is
 * published is to be read again.
 */

static pki_rc_t
pki_clerk_crl_lease(pki_clerk_job_t *job)
{
    long long    now;
    const char  *name;

    now = pki_thread_mono();
    name = job->conf->view->name;
    job->claimed = 1;

    pki_list_lease(pki_redis_sync_transport(job->redis), name, job->token,
                   job->clerk->lease, pki_clerk_done, job);

    if (pki_clerk_wait(job) != PKI_OK) {
        return PKI_ERROR;
    }

    if (job->result == PKI_STORE_CONFLICT) {

        if (job->holder) {
            pki_clerk_say(job->clerk, 5, "crl", name,
                          "another process makes the lists now");
        }

        pki_clerk_crl_drop(job);
        job->claimed = 0;
        job->due = now + job->clerk->lease / PKI_CLERK_LOOKS;

        return PKI_OK;
    }

    if (!job->holder || job->number != 0) {
        pki_clerk_crl_drop(job);
    }

    if (!job->holder) {
        pki_clerk_say(job->clerk, 6, "crl", name,
                      "this process makes the lists");
    }

    job->holder = 1;
    job->lease_at = now + job->clerk->lease / 3;

    return PKI_OK;
}


static void
pki_clerk_crl_drop(pki_clerk_job_t *job)
{
    OPENSSL_free(job->base.entries);
    OPENSSL_free(job->last.entries);
    OPENSSL_free(job->gone.entries);
    OPENSSL_free(job->now.entries);
    OPENSSL_free(job->ends);
    OPENSSL_free(job->text);

    memset(&job->base, 0, sizeof(pki_clerk_list_t));
    memset(&job->last, 0, sizeof(pki_clerk_list_t));
    memset(&job->gone, 0, sizeof(pki_clerk_list_t));
    memset(&job->now, 0, sizeof(pki_clerk_list_t));

    job->ends = NULL;
    job->nends = 0;
    job->objects.n = 0;
    job->certs.n = 0;
    job->text = NULL;
    job->size = 0;
    job->holder = 0;
    job->loaded = 0;
}


/* Without an error the lease is another's now, or the end has come. */

static void
pki_clerk_crl_failed(pki_clerk_job_t *job)
{
    long  wait;

    wait = job->clerk->lease / PKI_CLERK_LOOKS;

    if (job->err.text[0] != '\0') {
        wait = pki_clerk_backoff(++job->failures);
        job->stats.failures++;

        pki_clerk_complain(job->clerk, "crl", job->conf->view->name,
                           &job->said, job->err.text);
    }

    pki_redis_sync_destroy(job->redis);
    job->redis = NULL;

    pki_clerk_crl_drop(job);

    job->due = pki_thread_mono() + wait;
}


static void
pki_clerk_crl_show(pki_clerk_job_t *job)
{
    pki_clerk_stats_t      *stats;
    const pki_list_info_t  *full, *delta;

    stats = &job->stats;
    stats->holder = job->holder;
    stats->failing = job->failures != 0;

    if (job->loaded) {
        full = &job->info[PKI_LIST_FULL];
        delta = &job->info[PKI_LIST_DELTA];

        stats->number = delta->number > full->number ? delta->number
                                                     : full->number;
        stats->entries = (long long) job->last.n;
        stats->next_update = full->next_update;
    }

    (void) pthread_mutex_lock(&job->clerk->thread.mutex);
    job->shown = *stats;
    (void) pthread_mutex_unlock(&job->clerk->thread.mutex);
}


void
pki_clerk_crl_leave(pki_clerk_job_t *job)
{
    if (!job->claimed) {
        return;
    }

    /* the stop has broken what was under way */

    pki_redis_sync_destroy(job->redis);
    job->redis = NULL;

    if (pki_clerk_crl_connect(job) != PKI_OK) {
        return;
    }

    pki_list_unlease(pki_redis_sync_transport(job->redis),
                     job->conf->view->name, job->token, pki_clerk_done,
                     job);

    /* whatever comes of it: else the lease ends by itself */

    (void) pki_clerk_wait(job);
}


/* what is published */

static pki_rc_t
pki_clerk_crl_load(pki_clerk_job_t *job)
{
    pki_rc_t          rc;
    pki_list_info_t  *info;
    pki_clerk_list_t  delta;

    info = job->info;

    pki_list_info(pki_redis_sync_transport(job->redis),
                  job->conf->view->name, pki_clerk_crl_info, job);

    if (pki_clerk_wait(job) != PKI_OK) {
        return PKI_ERROR;
    }

    if (pki_clerk_crl_load_list(job, PKI_LIST_FULL, &job->base) != PKI_OK
        || pki_clerk_list_copy(job, &job->last, &job->base) != PKI_OK)
    {
        return PKI_ERROR;
    }

    rc = PKI_OK;
    memset(&delta, 0, sizeof(pki_clerk_list_t));

    if (job->conf->delta == 0
        || info[PKI_LIST_DELTA].base != info[PKI_LIST_FULL].number)
    {
        info[PKI_LIST_DELTA].number = 0;

    } else {
        rc = pki_clerk_crl_load_list(job, PKI_LIST_DELTA, &delta);
    }

    if (rc == PKI_OK && delta.n) {
        rc = pki_clerk_crl_apply(job, &delta);
    }

    OPENSSL_free(delta.entries);

    if (rc != PKI_OK) {
        return rc;
    }

    /* what has changed while nobody looked is found by looking */

    job->loaded = 1;
    job->whole = 1;
    job->wanted_at = pki_thread_mono();
    job->pass = job->conf->content == PKI_CRL_ALL;
    job->pass_at = job->wanted_at;

    return PKI_OK;
}


/* One that cannot be used is as good as none. */

static pki_rc_t
pki_clerk_crl_load_list(pki_clerk_job_t *job, pki_list_e which,
    pki_clerk_list_t *list)
{
    pki_rc_t         rc;
    pki_bytes_t      der;
    pki_crl_plan_t   plan;

    if (job->info[which].number == 0) {
        return PKI_OK;
    }

    rc = pki_clerk_crl_fetch(job, which);

    if (rc == PKI_OK) {
        der.data = job->text;
        der.len = job->len;

        rc = pki_crl_read(job->conf->view->ca, der, &plan, &list->entries,
                          &list->n, &job->err);
        list->size = list->n;

        if (rc == PKI_OK && plan.number != job->info[which].number) {
            pki_err_set(&job->err, "it has another number");
            rc = PKI_INVALID;
        }
    }

    if (rc == PKI_INVALID || rc == PKI_NOT_FOUND) {
        pki_clerk_say(job->clerk, 4, "crl", job->conf->view->name,
                      "what is published cannot be used and is made anew");

        job->err.text[0] = '\0';
        job->info[which].number = 0;
        list->n = 0;

        return PKI_OK;
    }

    return rc;
}


static pki_rc_t
pki_clerk_crl_fetch(pki_clerk_job_t *job, pki_list_e which)
{
    size_t  total;

    job->len = 0;
    total = job->info[which].len;

    if (total == 0 || total > PKI_CLERK_LIST_MAX) {
        return PKI_INVALID;
    }

    if (pki_clerk_text_room(job, total) != PKI_OK) {
        return PKI_ERROR;
    }

    do {
        pki_list_slice(pki_redis_sync_transport(job->redis),
                       job->conf->view->name, which, job->info[which].number,
                       job->len, pki_clerk_crl_slice, job);

        if (pki_clerk_wait(job) != PKI_OK) {
            return PKI_ERROR;
        }

        if (job->result != PKI_STORE_DONE) {
            return PKI_NOT_FOUND;
        }

        if (pki_clerk_pause(job) != PKI_OK) {
            return PKI_ERROR;
        }

    } while (job->next);

    return job->len == total ? PKI_OK : PKI_INVALID;
}


/* Two sorted lists into a new one, and what it lacks. */

static pki_rc_t
pki_clerk_crl_apply(pki_clerk_job_t *job, const pki_clerk_list_t *delta)
{
    int                     order;
    size_t                  i, k;
    pki_clerk_list_t       *last, *list;
    const pki_crl_entry_t  *entry;

    last = &job->last;
    last->n = 0;
    job->gone.n = 0;
    k = 0;

    for (i = 0; i < job->base.n || k < delta->n; /* void */ ) {

        if (i == job->base.n) {
            order = 1;

        } else if (k == delta->n) {
            order = -1;

        } else {
            order = pki_clerk_list_compare(&job->base.entries[i].serial,
                                      &delta->entries[k].serial);
        }

        entry = order < 0 ? &job->base.entries[i] : &delta->entries[k];

        list = order >= 0 && entry->reason == PKI_REASON_REMOVE_FROM_CRL
               ? &job->gone : last;

        if (pki_clerk_list_add(job, list, entry) != PKI_OK) {
            return PKI_ERROR;
        }

        i += order <= 0;
        k += order >= 0;
    }

    return PKI_OK;
}


/* waiting and resting */

pki_rc_t
pki_clerk_wait(pki_clerk_job_t *job)
{
    if (pki_redis_sync_wait(job->redis, &job->err) != PKI_OK) {
        return PKI_ERROR;
    }

    return job->result == PKI_STORE_FAILED ? PKI_ERROR : PKI_OK;
}


pki_rc_t
pki_clerk_pause(pki_clerk_job_t *job)
{
    if (pki_clerk_rest(job->clerk, 1) != PKI_OK) {
        return PKI_ERROR;
    }

    if (pki_thread_mono() < job->lease_at) {
        return PKI_OK;
    }

    /* number is not 0 where the lease had run out */

    if (pki_clerk_crl_lease(job) != PKI_OK) {
        return PKI_ERROR;
    }

    return job->holder && job->number == 0 ? PKI_OK : PKI_ERROR;
}


void
pki_clerk_told(pki_clerk_job_t *job, pki_store_result_t result,
    const char *error)
{
    job->result = result;

    if (error != NULL) {
        pki_err_set(&job->err, "%s", error);
    }
}


void
pki_clerk_done(void *data, pki_store_result_t result, long long n,
    const char *error)
{
    pki_clerk_job_t *job = data;

    pki_clerk_told(job, result, error);
    job->number = n;
}


static void
pki_clerk_crl_info(void *data, pki_store_result_t result,
    const pki_list_info_t info[PKI_LIST_N], const char *error)
{
    pki_clerk_job_t *job = data;

    pki_clerk_told(job, result, error);

    if (result == PKI_STORE_DONE) {
        memcpy(job->info, info, sizeof(job->info));
    }
}


/* More than was announced is another list. */

static void
pki_clerk_crl_slice(void *data, pki_store_result_t result,
    const pki_bytes_t *values, size_t n, unsigned long long next,
    const char *error)
{
    pki_clerk_job_t *job = data;

    pki_clerk_told(job, result, error);
    job->next = next;

    if (result != PKI_STORE_DONE) {
        return;
    }

    if (n != 1 || values[0].len == 0
        || values[0].len > job->size - job->len)
    {
        job->result = PKI_STORE_NOT_FOUND;
        return;
    }

    memcpy(job->text + job->len, values[0].data, values[0].len);
    job->len += values[0].len;
}

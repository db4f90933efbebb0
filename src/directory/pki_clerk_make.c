
/*
 * Making lists: which of them, and how they are published.
 *
 * A list that would say what the last one says is not made before its time,
 * so that a hint too many costs little.
 */

#include "pki_clerk_job.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>


#define PKI_CLERK_PASS  9           /* for so many times its duration a pass
                                       over all pages is not repeated */
#define PKI_CLERK_RATE  1024        /* octets of lists in a millisecond: Redis
                                       keeps each for some time, and so does
                                       its file */


static pki_rc_t pki_clerk_make_changes(pki_clerk_job_t *job,
    const pki_clerk_list_t *from, pki_clerk_list_t *delta);
static pki_rc_t pki_clerk_make_delta(pki_clerk_job_t *job);
static pki_rc_t pki_clerk_make_gone(pki_clerk_job_t *job,
    const pki_clerk_list_t *from, pki_clerk_list_t *delta);
static pki_rc_t pki_clerk_make_number(pki_clerk_job_t *job,
    pki_list_e which);
static pki_rc_t pki_clerk_make_public(pki_clerk_job_t *job, pki_list_e which,
    const pki_clerk_list_t *list);
static long long pki_clerk_make_cpu(void);


pki_rc_t
pki_clerk_make(pki_clerk_job_t *job)
{
    int                full, stale, changed, delta;
    time_t             now;
    long long          begun, cpu;
    pki_rc_t           rc;
    pki_clerk_list_t   changes;

    now = time(NULL);
    begun = pki_thread_mono();
    cpu = pki_clerk_make_cpu();

    full = pki_clerk_full_due(job, now);
    stale = pki_clerk_delta_due(job, now);

    job->passed = job->conf->content == PKI_CRL_ALL
                  && begun >= job->pass_at && (job->pass || full);

    if (!full && !stale && begun < pki_clerk_look_at(job)) {
        return PKI_OK;
    }

    job->at = now;
    job->wanted_at = 0;
    job->pass = job->pass && !job->passed;
    job->news = full || stale || job->passed || job->whole;
    job->whole = 0;
    job->again = full;

    if (!job->news && pki_clerk_collect_news(job) != PKI_OK) {
        return PKI_ERROR;
    }

    if (job->news && pki_clerk_collect(job) != PKI_OK) {
        return PKI_ERROR;
    }

    job->objects.n = 0;
    job->certs.n = 0;

    if (!job->news) {
        return PKI_OK;
    }

    if (job->passed) {
        job->pass_at = pki_thread_mono()
                       + PKI_CLERK_PASS * (pki_thread_mono() - begun);
    }

    if (pki_clerk_make_changes(job, &job->last, &changes) != PKI_OK) {
        return PKI_ERROR;
    }

    changed = changes.n != 0;
    OPENSSL_free(changes.entries);

    full = full || (changed && job->conf->delta == 0);
    delta = job->conf->delta != 0 && (full || stale || changed);
    rc = PKI_OK;

    if (full) {
        rc = pki_clerk_make_public(job, PKI_LIST_FULL, &job->now);

        if (rc == PKI_OK) {
            rc = pki_clerk_list_copy(job, &job->base, &job->now);
            job->gone.n = 0;
            job->last.n = 0;
        }
    }

    if (rc == PKI_OK && delta) {
        rc = pki_clerk_make_delta(job);
    }

    if (rc == PKI_OK && (full || delta)) {
        rc = pki_clerk_list_copy(job, &job->last, &job->now);
        job->stats.cpu = (long) (pki_clerk_make_cpu() - cpu);
    }

    return rc;
}


long long
pki_clerk_look_at(const pki_clerk_job_t *job)
{
    long long  at;

    at = LLONG_MAX;

    if (job->wanted_at) {
        at = job->wanted_at;
    }

    if (job->pass && job->pass_at < at) {
        at = job->pass_at;
    }

    return at < job->rest_at ? job->rest_at : at;
}


int
pki_clerk_full_due(const pki_clerk_job_t *job, time_t now)
{
    const pki_list_info_t  *info;

    info = &job->info[PKI_LIST_FULL];

    return info->number == 0 || now >= info->next_update - job->conf->renew;
}


/* Also a delta without changes says something. */

int
pki_clerk_delta_due(const pki_clerk_job_t *job, time_t now)
{
    const pki_list_info_t  *info;

    info = &job->info[PKI_LIST_DELTA];

    return job->conf->delta != 0
           && (info->number == 0
               || info->base != job->info[PKI_LIST_FULL].number
               || now >= info->next_update - job->conf->delta / 3);
}


/* From a list to what was collected; delta is the caller's. */

static pki_rc_t
pki_clerk_make_changes(pki_clerk_job_t *job, const pki_clerk_list_t *from,
    pki_clerk_list_t *delta)
{
    memset(delta, 0, sizeof(pki_clerk_list_t));

    if (pki_clerk_list_room(job, delta, from->n + job->now.n) != PKI_OK) {
        return PKI_ERROR;
    }

    delta->n = pki_crl_delta(from->entries, from->n, job->now.entries,
                             job->now.n, job->at, delta->entries);

    return PKI_OK;
}


/*
 * What is not revoked now, but was so by an earlier delta of this base, is
 * told to be gone as long as the base stays (RFC 5280, 5.2.4).
 */

static pki_rc_t
pki_clerk_make_delta(pki_clerk_job_t *job)
{
    size_t            i, n;
    pki_rc_t          rc;
    pki_clerk_list_t  delta;

    rc = pki_clerk_make_changes(job, &job->base, &delta);
    n = delta.n;

    if (rc == PKI_OK) {
        rc = pki_clerk_make_gone(job, &job->gone, &delta);
    }

    if (rc == PKI_OK) {
        rc = pki_clerk_make_gone(job, &job->last, &delta);
    }

    if (rc == PKI_OK && delta.n > n) {
        delta.n = pki_crl_sort(delta.entries, delta.n);
    }

    if (rc == PKI_OK) {
        rc = pki_clerk_make_public(job, PKI_LIST_DELTA, &delta);
    }

    if (rc == PKI_OK) {
        job->gone.n = 0;
    }

    for (i = 0; i < delta.n && rc == PKI_OK; i++) {
        if (delta.entries[i].reason == PKI_REASON_REMOVE_FROM_CRL) {
            rc = pki_clerk_list_add(job, &job->gone, &delta.entries[i]);
        }
    }

    OPENSSL_free(delta.entries);

    return rc;
}


/* Those of a list that neither the base nor what was collected has. */

static pki_rc_t
pki_clerk_make_gone(pki_clerk_job_t *job, const pki_clerk_list_t *from,
    pki_clerk_list_t *delta)
{
    size_t           i;
    pki_crl_entry_t  entry;

    memset(&entry, 0, sizeof(pki_crl_entry_t));
    entry.at = job->at;
    entry.reason = PKI_REASON_REMOVE_FROM_CRL;

    for (i = 0; i < from->n; i++) {
        entry.serial = from->entries[i].serial;

        if (pki_clerk_list_find(&job->base, &entry.serial) == NULL
            && pki_clerk_list_find(&job->now, &entry.serial) == NULL
            && pki_clerk_list_add(job, delta, &entry) != PKI_OK)
        {
            return PKI_ERROR;
        }
    }

    return PKI_OK;
}


static pki_rc_t
pki_clerk_make_public(pki_clerk_job_t *job, pki_list_e which,
    const pki_clerk_list_t *list)
{
    char              text[PKI_MAIL_TEXT];
    pki_bytes_t       der;
    const char       *name;
    unsigned char    *data;
    pki_crl_plan_t    plan;
    pki_list_info_t   info;

    name = job->conf->view->name;

    if (pki_clerk_make_number(job, which) != PKI_OK) {
        return PKI_ERROR;
    }

    memset(&plan, 0, sizeof(pki_crl_plan_t));
    plan.issuer = job->conf->view->ca;
    plan.number = (unsigned long long) job->number;
    plan.this_update = job->at;
    plan.point = job->conf->point;

    if (which == PKI_LIST_DELTA) {
        plan.base = job->info[PKI_LIST_FULL].number;
        plan.next_update = job->at + job->conf->delta;

    } else {
        plan.freshest = job->conf->delta ? job->conf->freshest : NULL;
        plan.next_update = job->at + job->conf->valid;
    }

    if (pki_crl_issue(&plan, list->entries, list->n, &data, &der.len,
                      &job->err)
        != PKI_OK)
    {
        return PKI_ERROR;
    }

    memset(&info, 0, sizeof(pki_list_info_t));
    info.number = plan.number;
    info.base = plan.base;
    info.this_update = plan.this_update;
    info.next_update = plan.next_update;
    info.len = der.len;

    der.data = data;

    pki_list_publish(pki_redis_sync_transport(job->redis), name, job->token,
                     which, &info, der, pki_clerk_done, job);
    OPENSSL_free(data);

    if (pki_clerk_wait(job) != PKI_OK || job->result != PKI_STORE_DONE) {
        return PKI_ERROR;
    }

    job->info[which] = info;
    job->rest_at = pki_thread_mono() + (long long) info.len / PKI_CLERK_RATE;
    job->stats.lists++;

    (void) snprintf(text, sizeof(text), "%s %llu with %zu entries",
                    which == PKI_LIST_DELTA ? "delta" : "list", info.number,
                    list->n);
    pki_clerk_say(job->clerk, 6, "crl", name, text);

    return PKI_OK;
}


/*
 * To job->number.  A complete list and a delta that are made together have
 * one number (RFC 5280, 5.2.4).
 */

static pki_rc_t
pki_clerk_make_number(pki_clerk_job_t *job, pki_list_e which)
{
    const pki_list_info_t  *full;

    full = &job->info[PKI_LIST_FULL];

    if (which == PKI_LIST_DELTA && full->this_update == job->at
        && full->number > job->info[PKI_LIST_DELTA].number)
    {
        job->number = (long long) full->number;
        return PKI_OK;
    }

    pki_list_number(pki_redis_sync_transport(job->redis),
                    job->conf->view->name, job->token, pki_clerk_done, job);

    if (pki_clerk_wait(job) != PKI_OK || job->result != PKI_STORE_DONE) {
        return PKI_ERROR;
    }

    return PKI_OK;
}


/* Milliseconds of processor time that the thread has had. */

static long long
pki_clerk_make_cpu(void)
{
    struct timespec  t;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == -1) {
        return 0;
    }

    return (long long) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

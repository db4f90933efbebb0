
/*
 * What a list has to hold: what was revoked by hand, and for content "all"
 * what directories revoked.
 *
 * For the latter all pages of the book are gone through when there is reason
 * to, which a large fleet makes rare.  Between two such passes those on the
 * last list are looked at again, and those whose objects have changed.
 *
 * A certificate that has ended is on one list more (RFC 5280, 3.3): it stays
 * as long as the last complete list is not younger than its end.
 */

#include "pki_clerk_job.h"

#include <string.h>
#include <openssl/crypto.h>


static pki_rc_t pki_clerk_collect_pages(pki_clerk_job_t *job);
static pki_rc_t pki_clerk_collect_page(pki_clerk_job_t *job,
    unsigned long long page);
static pki_rc_t pki_clerk_collect_last(pki_clerk_job_t *job);
static pki_rc_t pki_clerk_collect_named(pki_clerk_job_t *job);
static pki_rc_t pki_clerk_collect_object(pki_clerk_job_t *job,
    const char *id);
static pki_rc_t pki_clerk_collect_survey(pki_clerk_job_t *job,
    const pki_serial_t *serial);
static pki_rc_t pki_clerk_collect_manual(pki_clerk_job_t *job);
static pki_rc_t pki_clerk_collect_ends(pki_clerk_job_t *job);
static pki_rc_t pki_clerk_collect_ask(pki_clerk_job_t *job, size_t n);
static void pki_clerk_collect_leave_ended(pki_clerk_job_t *job);
static time_t pki_clerk_collect_cut(const pki_clerk_job_t *job);
static pki_rc_t pki_clerk_collect_wait(pki_clerk_job_t *job);

static void pki_clerk_collect_newest(void *data, pki_store_result_t result,
    long long n, const char *error);
static void pki_clerk_collect_text(void *data, pki_store_result_t result,
    const pki_bytes_t *values, size_t n, unsigned long long next,
    const char *error);
static void pki_clerk_collect_bound(void *data, pki_store_result_t result,
    const pki_bytes_t *values, size_t n, unsigned long long next,
    const char *error);
static void pki_clerk_collect_surveyed(void *data, pki_store_result_t result,
    const pki_survey_item_t *items, size_t n, const char *error);
static void pki_clerk_collect_checked(void *data, pki_store_result_t result,
    const pki_survey_item_t *items, size_t n, const char *error);
static pki_rc_t pki_clerk_collect_item(pki_clerk_job_t *job,
    const pki_survey_item_t *item);
static void pki_clerk_collect_revoked(void *data, pki_store_result_t result,
    const pki_bytes_t *values, size_t n, unsigned long long next,
    const char *error);
static void pki_clerk_collect_rows(void *data, pki_store_result_t result,
    const pki_bytes_t *values, size_t n, unsigned long long next,
    const char *error);


pki_rc_t
pki_clerk_collect_news(pki_clerk_job_t *job)
{
    job->nserials = 0;
    job->surveyed = pki_clerk_collect_checked;

    if (pki_clerk_collect_named(job) != PKI_OK) {
        return PKI_ERROR;
    }

    return pki_clerk_collect_survey(job, NULL);
}


/*
 * What is revoked by hand is asked for last, so that what has changed during
 * a long pass is in the list.
 */

pki_rc_t
pki_clerk_collect(pki_clerk_job_t *job)
{
    pki_rc_t  rc;

    job->now.n = 0;
    job->nserials = 0;
    rc = PKI_OK;

    if (job->conf->content == PKI_CRL_ALL) {
        job->surveyed = pki_clerk_collect_surveyed;

        if (job->passed) {
            rc = pki_clerk_collect_pages(job);

        } else {
            rc = pki_clerk_collect_last(job);

            if (rc == PKI_OK) {
                rc = pki_clerk_collect_named(job);
            }
        }

        if (rc == PKI_OK) {
            rc = pki_clerk_collect_survey(job, NULL);
        }
    }

    if (rc == PKI_OK) {
        rc = pki_clerk_collect_manual(job);
    }

    if (rc != PKI_OK) {
        return rc;
    }

    job->now.n = pki_crl_sort(job->now.entries, job->now.n);

    rc = pki_clerk_collect_ends(job);

    if (rc == PKI_OK) {
        pki_clerk_collect_leave_ended(job);
    }

    return rc;
}


static pki_rc_t
pki_clerk_collect_pages(pki_clerk_job_t *job)
{
    unsigned long long  page, newest;

    pki_book_newest(pki_redis_sync_transport(job->redis),
                    job->conf->view->name, pki_clerk_collect_newest, job);

    if (pki_clerk_wait(job) != PKI_OK) {
        return PKI_ERROR;
    }

    newest = job->next;

    for (page = 1; page <= newest; page++) {
        if (pki_clerk_collect_page(job, page) != PKI_OK) {
            return PKI_ERROR;
        }
    }

    return PKI_OK;
}


static pki_rc_t
pki_clerk_collect_page(pki_clerk_job_t *job, unsigned long long page)
{
    time_t       cut;
    pki_rc_t     rc;
    pki_row_t    row;
    pki_bytes_t  text;

    if (pki_clerk_text_room(job, PKI_ROW_PAGE + PKI_ROW_MAX) != PKI_OK) {
        return PKI_ERROR;
    }

    job->len = 0;

    pki_book_page(pki_redis_sync_transport(job->redis),
                  job->conf->view->name, page, pki_clerk_collect_text, job);

    if (pki_clerk_collect_wait(job) != PKI_OK) {
        return PKI_ERROR;
    }

    cut = pki_clerk_collect_cut(job);
    text.data = job->text;
    text.len = job->len;

    for ( ;; ) {
        rc = pki_row_next(&text, &row);

        if (rc == PKI_NOT_FOUND) {
            return PKI_OK;
        }

        if (rc == PKI_OK && row.not_after >= cut
            && pki_clerk_collect_survey(job, &row.serial) != PKI_OK)
        {
            return PKI_ERROR;
        }
    }
}


static pki_rc_t
pki_clerk_collect_last(pki_clerk_job_t *job)
{
    size_t  i;

    for (i = 0; i < job->last.n; i++) {
        if (pki_clerk_collect_survey(job, &job->last.entries[i].serial)
            != PKI_OK)
        {
            return PKI_ERROR;
        }
    }

    return PKI_OK;
}


/* Those that there are news of. */

static pki_rc_t
pki_clerk_collect_named(pki_clerk_job_t *job)
{
    unsigned      i;
    const char   *text;
    pki_serial_t  serial;

    for (i = 0; i < job->certs.n; i++) {
        text = job->certs.ids[i];

        if (pki_serial_from_text(text, strlen(text), &serial) == PKI_OK
            && pki_clerk_collect_survey(job, &serial) != PKI_OK)
        {
            return PKI_ERROR;
        }
    }

    for (i = 0; i < job->objects.n; i++) {
        if (pki_clerk_collect_object(job, job->objects.ids[i]) != PKI_OK) {
            return PKI_ERROR;
        }
    }

    return PKI_OK;
}


/*
 * "devices all": what no certificate is bound to may be another name of what
 * one is bound to.
 */

static pki_rc_t
pki_clerk_collect_object(pki_clerk_job_t *job, const char *id)
{
    size_t              i, total;
    unsigned long long  next;

    next = 0;
    total = 0;

    do {
        job->nbound = 0;

        pki_book_object(pki_redis_sync_transport(job->redis),
                        job->conf->view->name, id, next,
                        pki_clerk_collect_bound, job);

        if (pki_clerk_collect_wait(job) != PKI_OK) {
            return PKI_ERROR;
        }

        next = job->next;
        total += job->nbound;

        for (i = 0; i < job->nbound; i++) {
            if (pki_clerk_collect_survey(job, &job->bound[i]) != PKI_OK) {
                return PKI_ERROR;
            }
        }

    } while (next);

    if (total == 0 && job->conf->view->all) {
        pki_clerk_pass(job, pki_thread_mono());
    }

    return PKI_OK;
}


/* One more; they are asked about together.  NULL: that was all. */

static pki_rc_t
pki_clerk_collect_survey(pki_clerk_job_t *job, const pki_serial_t *serial)
{
    size_t  n;

    if (serial != NULL) {
        job->serials[job->nserials++] = *serial;

        if (job->nserials < PKI_SURVEY_MAX) {
            return PKI_OK;
        }
    }

    n = job->nserials;
    job->nserials = 0;

    if (n == 0) {
        return PKI_OK;
    }

    pki_survey(pki_redis_sync_transport(job->redis), job->conf->view,
               job->serials, n, job->at, job->surveyed, job);

    return pki_clerk_collect_wait(job);
}


static pki_rc_t
pki_clerk_collect_manual(pki_clerk_job_t *job)
{
    job->next = 0;

    do {
        pki_book_revoked(pki_redis_sync_transport(job->redis),
                         job->conf->view->name, job->next,
                         pki_clerk_collect_revoked, job);

        if (pki_clerk_collect_wait(job) != PKI_OK) {
            return PKI_ERROR;
        }

    } while (job->next);

    return PKI_OK;
}


/*
 * One for each entry.  What the last list has found is not asked for again;
 * what it has not is with each renewal, for it may be recorded by then.
 */

static pki_rc_t
pki_clerk_collect_ends(pki_clerk_job_t *job)
{
    int               order;
    size_t            i, k, n;
    pki_clerk_end_t  *ends;

    ends = OPENSSL_zalloc((job->now.n + 1) * sizeof(pki_clerk_end_t));
    if (ends == NULL) {
        pki_err_set(&job->err, "out of memory");
        return PKI_ERROR;
    }

    k = 0;
    n = 0;

    for (i = 0; i < job->now.n; i++) {
        ends[i].serial = job->now.entries[i].serial;
        order = -1;

        for ( /* void */ ; k < job->nends; k++) {
            order = pki_clerk_list_compare(&ends[i].serial,
                                           &job->ends[k].serial);

            if (order <= 0) {
                break;
            }
        }

        if (k < job->nends && order == 0
            && (job->ends[k].end || !job->again))
        {
            ends[i].end = job->ends[k].end;
            continue;
        }

        job->asked[n++] = &ends[i];

        if (n == PKI_BOOK_SERIALS) {
            if (pki_clerk_collect_ask(job, n) != PKI_OK) {
                OPENSSL_free(ends);
                return PKI_ERROR;
            }

            n = 0;
        }
    }

    if (n && pki_clerk_collect_ask(job, n) != PKI_OK) {
        OPENSSL_free(ends);
        return PKI_ERROR;
    }

    OPENSSL_free(job->ends);
    job->ends = ends;
    job->nends = job->now.n;

    return PKI_OK;
}


static pki_rc_t
pki_clerk_collect_ask(pki_clerk_job_t *job, size_t n)
{
    size_t        i;
    pki_serial_t  serials[PKI_BOOK_SERIALS];

    for (i = 0; i < n; i++) {
        serials[i] = job->asked[i]->serial;
    }

    job->nserials = n;

    pki_book_rows(pki_redis_sync_transport(job->redis),
                  job->conf->view->name, serials, n, pki_clerk_collect_rows,
                  job);

    return pki_clerk_collect_wait(job);
}


static void
pki_clerk_collect_leave_ended(pki_clerk_job_t *job)
{
    size_t  i, n;
    time_t  cut;

    n = 0;
    cut = pki_clerk_collect_cut(job);

    for (i = 0; i < job->now.n; i++) {
        if (job->ends[i].end == 0 || job->ends[i].end >= cut) {
            job->now.entries[n++] = job->now.entries[i];
        }
    }

    job->now.n = n;
}


static time_t
pki_clerk_collect_cut(const pki_clerk_job_t *job)
{
    return job->info[PKI_LIST_FULL].number
           ? job->info[PKI_LIST_FULL].this_update : job->at;
}


/* One slice; requests come before the next. */

static pki_rc_t
pki_clerk_collect_wait(pki_clerk_job_t *job)
{
    if (pki_clerk_wait(job) != PKI_OK) {
        return PKI_ERROR;
    }

    return pki_clerk_pause(job);
}


static void
pki_clerk_collect_newest(void *data, pki_store_result_t result, long long n,
    const char *error)
{
    pki_clerk_job_t *job = data;

    pki_clerk_told(job, result, error);
    job->next = n > 0 ? (unsigned long long) n : 0;
}


static void
pki_clerk_collect_text(void *data, pki_store_result_t result,
    const pki_bytes_t *values, size_t n, unsigned long long next,
    const char *error)
{
    pki_clerk_job_t *job = data;

    (void) next;

    pki_clerk_told(job, result, error);

    if (result != PKI_STORE_DONE || n == 0) {
        return;
    }

    if (values[0].len == 0) {
        pki_clerk_told(job, PKI_STORE_FAILED,
                       "a page of the book is not there");
        return;
    }

    if (values[0].len > job->size) {
        pki_clerk_told(job, PKI_STORE_FAILED, "a page that is too large");
        return;
    }

    memcpy(job->text, values[0].data, values[0].len);
    job->len = values[0].len;
}


static void
pki_clerk_collect_bound(void *data, pki_store_result_t result,
    const pki_bytes_t *values, size_t n, unsigned long long next,
    const char *error)
{
    pki_clerk_job_t *job = data;

    size_t  i;

    pki_clerk_told(job, result, error);
    job->next = next;

    for (i = 0; i < n && i < PKI_BOOK_SERIALS; i++) {
        if (pki_serial_from_text((const char *) values[i].data,
                                 values[i].len, &job->bound[job->nbound])
            == PKI_OK)
        {
            job->nbound++;
        }
    }
}


static void
pki_clerk_collect_surveyed(void *data, pki_store_result_t result,
    const pki_survey_item_t *items, size_t n, const char *error)
{
    pki_clerk_job_t *job = data;

    size_t  i;

    pki_clerk_told(job, result, error);

    for (i = 0; i < n; i++) {
        if (pki_clerk_collect_item(job, &items[i]) != PKI_OK) {
            job->result = PKI_STORE_FAILED;
            return;
        }
    }
}


/* Is the last list still right about them? */

static void
pki_clerk_collect_checked(void *data, pki_store_result_t result,
    const pki_survey_item_t *items, size_t n, const char *error)
{
    pki_clerk_job_t *job = data;

    size_t                  i;
    time_t                  at;
    pki_reason_t            reason;
    const pki_crl_entry_t  *last;

    pki_clerk_told(job, result, error);

    for (i = 0; i < n; i++) {
        reason = items[i].manual.reason;
        at = items[i].manual.at;

        if (job->conf->content == PKI_CRL_ALL) {

            if (items[i].verdict.outcome == PKI_OUTCOME_LATER) {
                continue;
            }

            reason = items[i].verdict.outcome == PKI_OUTCOME_HOLD
                     || items[i].verdict.outcome == PKI_OUTCOME_REVOKED
                     ? items[i].verdict.reason : PKI_REASON_NONE;
            at = items[i].verdict.revoked_at;
        }

        last = pki_clerk_list_find(&job->last, &items[i].serial);

        if (last == NULL) {
            job->news |= reason != PKI_REASON_NONE;

        } else {
            job->news |= reason != last->reason || at != last->at;
        }
    }
}


/* Of what is not known now, what was said last is still the best. */

static pki_rc_t
pki_clerk_collect_item(pki_clerk_job_t *job, const pki_survey_item_t *item)
{
    pki_crl_entry_t         entry;
    const pki_crl_entry_t  *last;

    switch (item->verdict.outcome) {

    case PKI_OUTCOME_HOLD:
    case PKI_OUTCOME_REVOKED:
        entry.serial = item->serial;
        entry.at = item->verdict.revoked_at;
        entry.reason = item->verdict.reason;
        entry.invalidity = item->manual.reason == PKI_REASON_NONE
                           ? 0 : item->manual.invalidity;

        return pki_clerk_list_add(job, &job->now, &entry);

    case PKI_OUTCOME_LATER:
        last = pki_clerk_list_find(&job->last, &item->serial);

        return last ? pki_clerk_list_add(job, &job->now, last) : PKI_OK;

    default:
        return PKI_OK;
    }
}


/* What cannot be read must not be taken for "not revoked". */

static void
pki_clerk_collect_revoked(void *data, pki_store_result_t result,
    const pki_bytes_t *values, size_t n, unsigned long long next,
    const char *error)
{
    pki_clerk_job_t *job = data;

    size_t            i;
    pki_crl_entry_t   entry;
    pki_revocation_t  revocation;

    pki_clerk_told(job, result, error);
    job->next = next;

    for (i = 0; i + 1 < n; i += 2) {
        if (pki_serial_from_text((const char *) values[i].data,
                                 values[i].len, &entry.serial)
            != PKI_OK
            || pki_revocation_read(values[i + 1], &revocation) != PKI_OK)
        {
            pki_clerk_told(job, PKI_STORE_FAILED,
                           "unreadable revocation record");
            return;
        }

        entry.at = revocation.at;
        entry.invalidity = revocation.invalidity;
        entry.reason = revocation.reason;

        if (pki_clerk_list_add(job, &job->now, &entry) != PKI_OK) {
            job->result = PKI_STORE_FAILED;
            return;
        }
    }
}


/* One that was never recorded has no end that is known. */

static void
pki_clerk_collect_rows(void *data, pki_store_result_t result,
    const pki_bytes_t *values, size_t n, unsigned long long next,
    const char *error)
{
    pki_clerk_job_t *job = data;

    size_t       i;
    pki_row_t    row;
    pki_bytes_t  line;

    (void) next;

    pki_clerk_told(job, result, error);

    for (i = 0; i < n && i < job->nserials; i++) {
        line = values[i];

        if (line.len && pki_row_next(&line, &row) == PKI_OK) {
            job->asked[i]->end = row.not_after;
        }
    }

    job->nserials = 0;
}

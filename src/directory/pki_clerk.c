
/*
 * The thread and all that crosses to its maker.
 *
 * It sleeps in one place, where key sets are fetched meanwhile, until the
 * next job is due, somebody has a hint, or the end comes.
 */

#include "pki_clerk_job.h"

#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>


#define PKI_CLERK_NAME   "pki-clerk"
#define PKI_CLERK_LEASE  15000      /* milliseconds */
#define PKI_CLERK_LEAVE  60         /* to give all leases back; the join has
                                       100 for all */


static pki_rc_t pki_clerk_open(pki_clerk_t *clerk,
    const pki_clerk_conf_t *conf, pki_err_t *err);
static void *pki_clerk_thread(void *data);
static long pki_clerk_turn(pki_clerk_t *clerk);
static void pki_clerk_leave(pki_clerk_t *clerk);
static void pki_clerk_free(pki_clerk_t *clerk);


pki_clerk_t *
pki_clerk_create(const pki_clerk_conf_t *conf, pki_err_t *err)
{
    pki_clerk_t  *clerk;

    clerk = OPENSSL_zalloc(sizeof(pki_clerk_t));
    if (clerk == NULL) {
        pki_err_set(err, "out of memory");
        return NULL;
    }

    if (pki_clerk_open(clerk, conf, err) != PKI_OK
        || pki_thread_start(&clerk->thread, pki_clerk_thread, clerk, err)
           != PKI_OK)
    {
        pki_clerk_free(clerk);
        return NULL;
    }

    return clerk;
}


static pki_rc_t
pki_clerk_open(pki_clerk_t *clerk, const pki_clerk_conf_t *conf,
    pki_err_t *err)
{
    unsigned     i;
    const char  *holder;

    if (pki_thread_init(&clerk->thread, conf->ring, conf->data, err)
        != PKI_OK)
    {
        return PKI_ERROR;
    }

    clerk->lease = conf->lease > 0 ? conf->lease : PKI_CLERK_LEASE;
    holder = conf->holder ? conf->holder : "-";

    clerk->fetch = pki_fetch_create(clerk->thread.wake, err);
    if (clerk->fetch == NULL) {
        return PKI_ERROR;
    }

    clerk->jobs = OPENSSL_zalloc((conf->ncrls + 1) * sizeof(pki_clerk_job_t));
    clerk->sets = OPENSSL_zalloc((conf->nkeys + 1) * sizeof(pki_clerk_set_t));

    if (clerk->jobs == NULL || clerk->sets == NULL) {
        pki_err_set(err, "out of memory");
        return PKI_ERROR;
    }

    for (i = 0; i < conf->ncrls; i++) {
        clerk->njobs++;

        if (pki_clerk_crl_init(&clerk->jobs[i], clerk, &conf->crls[i],
                               holder, err)
            != PKI_OK)
        {
            return PKI_ERROR;
        }
    }

    for (i = 0; i < conf->nkeys; i++) {
        clerk->nsets++;

        if (pki_clerk_keys_init(&clerk->sets[i], clerk, &conf->keys[i], err)
            != PKI_OK)
        {
            return PKI_ERROR;
        }
    }

    return PKI_OK;
}


static void *
pki_clerk_thread(void *data)
{
    pki_clerk_t *clerk = data;

    long  timeout;

    pki_thread_present(PKI_CLERK_NAME);

    while (!pki_thread_stopping(&clerk->thread)) {
        timeout = pki_clerk_turn(clerk);

        /* a ring that a rest has read may have been for one of the first */

        if (clerk->drained) {
            clerk->drained = 0;
            timeout = 0;
        }

        if (pki_fetch_wait(clerk->fetch, timeout)
            && pki_thread_heed(&clerk->thread) != PKI_OK)
        {
            pki_thread_post(&clerk->thread, 3,
                            "the clerk's bell cannot be read");
            break;
        }
    }

    pki_clerk_leave(clerk);

    ERR_clear_error();

    return NULL;
}


static long
pki_clerk_turn(pki_clerk_t *clerk)
{
    long      wait, timeout;
    unsigned  i;

    timeout = PKI_CLERK_SLEEP;

    for (i = 0; i < clerk->njobs; i++) {
        ERR_clear_error();

        wait = pki_clerk_crl_tick(&clerk->jobs[i]);

        if (wait < timeout) {
            timeout = wait;
        }

        if (pki_thread_stopping(&clerk->thread)) {
            return 0;
        }
    }

    for (i = 0; i < clerk->nsets; i++) {
        wait = pki_clerk_keys_tick(&clerk->sets[i]);

        if (wait < timeout) {
            timeout = wait;
        }
    }

    return timeout > 0 ? timeout : 0;
}


/*
 * All jobs share the time that is left; a Redis that does not answer by then
 * lets the lease run out.
 */

static void
pki_clerk_leave(pki_clerk_t *clerk)
{
    unsigned  i;

    pki_thread_last(&clerk->thread, PKI_CLERK_LEAVE);

    for (i = 0; i < clerk->njobs; i++) {
        pki_clerk_crl_leave(&clerk->jobs[i]);
    }

    pki_fetch_destroy(clerk->fetch);
    clerk->fetch = NULL;
}


void
pki_clerk_stop(pki_clerk_t *clerk)
{
    pki_thread_stop(&clerk->thread);
}


void
pki_clerk_destroy(pki_clerk_t *clerk)
{
    if (clerk == NULL) {
        return;
    }

    pki_thread_stop(&clerk->thread);
    pki_thread_join(&clerk->thread);

    pki_clerk_free(clerk);
}


/* What is under way ends first, as long as there is somebody to tell. */

static void
pki_clerk_free(pki_clerk_t *clerk)
{
    unsigned  i;

    pki_fetch_destroy(clerk->fetch);

    for (i = 0; i < clerk->njobs; i++) {
        pki_clerk_crl_free(&clerk->jobs[i]);
    }

    for (i = 0; i < clerk->nsets; i++) {
        pki_clerk_keys_free(&clerk->sets[i]);
    }

    pki_thread_free(&clerk->thread);

    OPENSSL_free(clerk->jobs);
    OPENSSL_free(clerk->sets);
    OPENSSL_free(clerk);
}


void
pki_clerk_hint(pki_clerk_t *clerk, const char *issuer, size_t len,
    const char *serial, size_t n)
{
    unsigned          i;
    const char       *name;
    pki_clerk_job_t  *job;

    (void) pthread_mutex_lock(&clerk->thread.mutex);

    for (i = 0; i < clerk->njobs; i++) {
        job = &clerk->jobs[i];
        name = job->conf->view->name;

        if (len != 0
            && (strlen(name) != len || memcmp(name, issuer, len) != 0))
        {
            continue;
        }

        if (n == 0 || !pki_clerk_name_add(&job->touched, serial, n)) {
            job->hints |= PKI_CLERK_HINT_LIST;
        }
    }

    (void) pthread_mutex_unlock(&clerk->thread.mutex);

    pki_thread_wake(&clerk->thread);
}


void
pki_clerk_hint_object(pki_clerk_t *clerk, const char *id, size_t len)
{
    unsigned          i, heard;
    pki_clerk_job_t  *job;

    heard = 0;

    (void) pthread_mutex_lock(&clerk->thread.mutex);

    for (i = 0; i < clerk->njobs; i++) {
        job = &clerk->jobs[i];

        if (job->conf->content != PKI_CRL_ALL) {
            continue;
        }

        heard = 1;

        if (len == 0 || !pki_clerk_name_add(&job->changed, id, len)) {
            job->hints |= PKI_CLERK_HINT_PASS;
        }
    }

    (void) pthread_mutex_unlock(&clerk->thread.mutex);

    if (heard) {
        pki_thread_wake(&clerk->thread);
    }
}


int
pki_clerk_name_add(pki_clerk_names_t *names, const char *id, size_t len)
{
    unsigned  i;

    if (len >= PKI_OBJECT_ID_SIZE) {
        return 0;
    }

    /* news come from whoever may publish */

    for (i = 0; i < len; i++) {
        if (id[i] <= 0x20 || id[i] >= 0x7f) {
            return 0;
        }
    }

    for (i = 0; i < names->n; i++) {
        if (strlen(names->ids[i]) == len
            && memcmp(names->ids[i], id, len) == 0)
        {
            return 1;
        }
    }

    if (i == PKI_CLERK_NAMES) {
        return 0;
    }

    memcpy(names->ids[i], id, len);
    names->ids[i][len] = '\0';
    names->n++;

    return 1;
}


int
pki_clerk_names_move(pki_clerk_names_t *to, pki_clerk_names_t *from)
{
    int       all;
    unsigned  i;

    all = 1;

    for (i = 0; i < from->n; i++) {
        all &= pki_clerk_name_add(to, from->ids[i], strlen(from->ids[i]));
    }

    from->n = 0;

    return all;
}


void
pki_clerk_want(pki_clerk_t *clerk, unsigned i)
{
    if (i >= clerk->nsets) {
        return;
    }

    (void) pthread_mutex_lock(&clerk->thread.mutex);
    clerk->sets[i].wanted = 1;
    (void) pthread_mutex_unlock(&clerk->thread.mutex);

    pki_thread_wake(&clerk->thread);
}


size_t
pki_clerk_keys(pki_clerk_t *clerk, unsigned i, char *text, size_t size,
    unsigned long *generation)
{
    size_t            len;
    pki_clerk_set_t  *set;

    *generation = 0;

    if (i >= clerk->nsets) {
        return 0;
    }

    set = &clerk->sets[i];
    len = 0;

    (void) pthread_mutex_lock(&clerk->thread.mutex);

    if (set->kept != NULL && set->kept_len <= size) {
        len = set->kept_len;
        memcpy(text, set->kept, len);
        *generation = set->generation;
    }

    (void) pthread_mutex_unlock(&clerk->thread.mutex);

    return len;
}


unsigned
pki_clerk_mail(pki_clerk_t *clerk, pki_mail_t *mail, unsigned n,
    unsigned long *lost)
{
    return pki_thread_mail(&clerk->thread, mail, n, lost);
}


void
pki_clerk_stats(pki_clerk_t *clerk, unsigned i, pki_clerk_stats_t *stats)
{
    memset(stats, 0, sizeof(pki_clerk_stats_t));

    if (i >= clerk->njobs) {
        return;
    }

    (void) pthread_mutex_lock(&clerk->thread.mutex);
    *stats = clerk->jobs[i].shown;
    (void) pthread_mutex_unlock(&clerk->thread.mutex);
}


/* in the thread */

pki_rc_t
pki_clerk_rest(pki_clerk_t *clerk, long timeout)
{
    unsigned  i;

    for (i = 0; i < clerk->nsets; i++) {
        (void) pki_clerk_keys_tick(&clerk->sets[i]);
    }

    if (pki_fetch_wait(clerk->fetch, timeout)) {
        clerk->drained = 1;

        if (pki_thread_heed(&clerk->thread) != PKI_OK) {
            return PKI_ERROR;
        }
    }

    return pki_thread_stopping(&clerk->thread) ? PKI_ERROR : PKI_OK;
}


void
pki_clerk_say(pki_clerk_t *clerk, int level, const char *what,
    const char *name, const char *text)
{
    char  line[PKI_MAIL_TEXT];

    (void) snprintf(line, sizeof(line), "%s \"%s\": %s", what, name, text);

    pki_thread_post(&clerk->thread, level, line);
}


void
pki_clerk_complain(pki_clerk_t *clerk, const char *what, const char *name,
    pki_err_t *said, const char *text)
{
    if (strcmp(said->text, text) == 0) {
        return;
    }

    pki_err_set(said, "%s", text);

    if (*text == '\0') {
        pki_clerk_say(clerk, 5, what, name, "goes on");

    } else {
        pki_clerk_say(clerk, 3, what, name, text);
    }
}


long
pki_clerk_backoff(unsigned failures)
{
    long  wait;

    for (wait = PKI_CLERK_BACKOFF; failures > 1; failures--) {
        wait *= 2;

        if (wait >= PKI_CLERK_SLEEP) {
            return PKI_CLERK_SLEEP;
        }
    }

    return wait;
}


/*
 * Single objects, asked for by their ids: those that somebody waits for,
 * those that are to be looked at again, and those that a full listing did
 * not tell of, of which only a lookup can say that they are gone.
 *
 * A job is one id.  It waits in one of two queues, the first of which is for
 * what is wanted, then has one of a few requests; its reply is read in the
 * next tick, where Redis may be asked.
 */

#include "pki_lookup.h"

#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>


#define PKI_LOOKUP_SPARE   64       /* jobs that only what is wanted may take */
#define PKI_LOOKUP_LOOK    1000     /* milliseconds between looks into Redis */
#define PKI_LOOKUP_CREDIT  1000     /* of one request, so that a millisecond
                                       brings conf->lookups */
#define PKI_LOOKUP_PATH    1024     /* octets of what a dialect writes */


static pki_rc_t pki_lookup_job(pki_lookup_t *lookup, const char *id,
    const char *key, int wanted, int due);
static pki_lookup_job_t *pki_lookup_find(pki_lookup_t *lookup,
    const char *id);
static void pki_lookup_push(pki_lookup_t *lookup, pki_lookup_job_t *job);
static void pki_lookup_remove(pki_lookup_t *lookup, pki_lookup_job_t *job);
static void pki_lookup_look(pki_lookup_t *lookup);
static void pki_lookup_list(pki_lookup_t *lookup, const pki_answer_t *answer,
    int wanted);
static long pki_lookup_begin(pki_lookup_t *lookup);
static long pki_lookup_wait(pki_lookup_t *lookup);
static pki_machine_t *pki_lookup_machine(pki_lookup_t *lookup,
    const pki_lookup_job_t *job, char *path);
static void pki_lookup_send(pki_lookup_call_t *call, const char *path,
    const char *token);
static pki_rc_t pki_lookup_piece(void *data, int status, const char *text,
    size_t len);
static void pki_lookup_done(void *data, const pki_fetch_result_t *result);
static void pki_lookup_free(pki_lookup_call_t *call);


static const char *const  pki_lookup_classes[] = {
    "device/", "user/", "jamf-computer/", "jamf-device/", "jamf-user/"
};

static const char *const  pki_lookup_nothing[] = { NULL };


pki_lookup_t *
pki_lookup_create(pki_source_t *source)
{
    unsigned       i;
    pki_lookup_t  *lookup;

    lookup = OPENSSL_zalloc(sizeof(pki_lookup_t));
    if (lookup == NULL) {
        return NULL;
    }

    lookup->source = source;
    lookup->credit_at = pki_source_mono(source);
    lookup->credit = (long long) source->conf->lookups * PKI_LOOKUP_CREDIT;

    for (i = 0; i < PKI_SOURCE_LOOKUPS; i++) {
        lookup->calls[i].lookup = lookup;
    }

    return lookup;
}


void
pki_lookup_destroy(pki_lookup_t *lookup)
{
    unsigned  i;

    if (lookup == NULL) {
        return;
    }

    for (i = 0; i < PKI_SOURCE_LOOKUPS; i++) {
        pki_lookup_free(&lookup->calls[i]);
    }

    OPENSSL_free(lookup);
}


pki_rc_t
pki_lookup_add(pki_lookup_t *lookup, const char *id, const char *key)
{
    if (pki_lookup_find(lookup, id) == NULL && pki_lookup_room(lookup) == 0) {
        return PKI_ERROR;
    }

    return pki_lookup_job(lookup, id, key, 0, 0);
}


size_t
pki_lookup_room(const pki_lookup_t *lookup)
{
    size_t  most = PKI_LOOKUP_JOBS - PKI_LOOKUP_SPARE;

    return lookup->njobs < most ? most - lookup->njobs : 0;
}


void
pki_lookup_hurry(pki_lookup_t *lookup)
{
    lookup->look_at = 0;
}


void
pki_lookup_abandon(pki_lookup_t *lookup)
{
    unsigned            i;
    pki_lookup_call_t  *call;

    for (i = 0; i < PKI_SOURCE_LOOKUPS; i++) {
        call = &lookup->calls[i];

        if (call->used && !call->ended) {
            call->orphan = 1;
            call->job = NULL;

        } else {
            pki_lookup_free(call);
        }
    }

    memset(lookup->jobs, 0, sizeof(lookup->jobs));
    memset(lookup->queues, 0, sizeof(lookup->queues));

    lookup->njobs = 0;
    lookup->look_at = 0;
}


void
pki_lookup_stats(const pki_lookup_t *lookup, long long *lookups)
{
    *lookups = lookup->lookups;
}


/* One job for an id, however many reasons; what is wanted goes first. */

static pki_rc_t
pki_lookup_job(pki_lookup_t *lookup, const char *id, const char *key,
    int wanted, int due)
{
    unsigned           i;
    pki_lookup_job_t  *job;

    if (strlen(id) >= sizeof(job->id)
        || (key && strlen(key) >= sizeof(job->key)))
    {
        return PKI_OK;      /* no id of ours */
    }

    job = pki_lookup_find(lookup, id);

    if (job == NULL) {
        for (i = 0; i < PKI_LOOKUP_JOBS && lookup->jobs[i].used; i++) {
            /* void */
        }

        if (i == PKI_LOOKUP_JOBS) {
            return PKI_ERROR;
        }

        job = &lookup->jobs[i];
        job->used = 1;
        strcpy(job->id, id);

        lookup->njobs++;

        job->wanted = wanted;
        pki_lookup_push(lookup, job);

    } else if (wanted && !job->wanted) {

        if (job->waits) {
            pki_lookup_remove(lookup, job);
            job->wanted = 1;
            pki_lookup_push(lookup, job);

        } else {
            job->wanted = 1;
        }
    }

    if (due) {
        job->due = 1;
    }

    if (key) {
        strcpy(job->key, key);
    }

    return PKI_OK;
}


static pki_lookup_job_t *
pki_lookup_find(pki_lookup_t *lookup, const char *id)
{
    unsigned  i;

    for (i = 0; i < PKI_LOOKUP_JOBS; i++) {
        if (lookup->jobs[i].used && strcmp(lookup->jobs[i].id, id) == 0) {
            return &lookup->jobs[i];
        }
    }

    return NULL;
}


static void
pki_lookup_push(pki_lookup_t *lookup, pki_lookup_job_t *job)
{
    pki_lookup_queue_t  *queue;

    queue = &lookup->queues[!job->wanted];

    job->next = NULL;
    job->waits = 1;

    if (queue->last != NULL) {
        queue->last->next = job;

    } else {
        queue->first = job;
    }

    queue->last = job;
}


/* To the head of its queue, as it has waited already. */

void
pki_lookup_back(pki_lookup_t *lookup, pki_lookup_job_t *job)
{
    pki_lookup_queue_t  *queue;

    queue = &lookup->queues[!job->wanted];

    job->next = queue->first;
    job->waits = 1;
    queue->first = job;

    if (queue->last == NULL) {
        queue->last = job;
    }
}


static void
pki_lookup_remove(pki_lookup_t *lookup, pki_lookup_job_t *job)
{
    pki_lookup_job_t    **p, *before;
    pki_lookup_queue_t   *queue;

    queue = &lookup->queues[!job->wanted];
    before = NULL;

    for (p = &queue->first; *p != job; p = &(*p)->next) {
        before = *p;
    }

    *p = job->next;

    if (queue->last == job) {
        queue->last = before;
    }

    job->next = NULL;
    job->waits = 0;
}


void
pki_lookup_end(pki_lookup_t *lookup, pki_lookup_job_t *job)
{
    memset(job, 0, sizeof(pki_lookup_job_t));
    lookup->njobs--;
}


/*
 * Whoever finds the lease or Redis gone in here returns, and the holder then
 * abandons everything.
 */

long
pki_lookup_tick(pki_lookup_t *lookup)
{
    unsigned       i;
    pki_source_t  *source;

    source = lookup->source;

    for (i = 0; i < PKI_SOURCE_LOOKUPS && source->holder; i++) {
        if (lookup->calls[i].ended) {
            pki_lookup_reply(&lookup->calls[i]);
            pki_lookup_free(&lookup->calls[i]);
        }
    }

    if (source->holder && pki_source_mono(source) >= lookup->look_at) {
        pki_lookup_look(lookup);
    }

    return source->holder ? pki_lookup_begin(lookup) : 0;
}


static void
pki_lookup_look(pki_lookup_t *lookup)
{
    size_t         n;
    pki_answer_t   answer;
    pki_source_t  *source;

    source = lookup->source;
    lookup->look_at = pki_source_mono(source) + PKI_LOOKUP_LOOK;

    n = PKI_LOOKUP_JOBS - lookup->njobs;

    if (n != 0) {
        pki_answer_init(&answer);
        pki_state_wanted(source->redis, source->conf->name, source->token, n,
                         pki_answer_list, &answer);

        if (pki_lookup_kept(lookup, &answer) == PKI_OK) {
            pki_lookup_list(lookup, &answer, 1);
        }

        pki_answer_free(&answer);
    }

    n = pki_lookup_room(lookup);

    if (n != 0 && source->holder) {
        pki_answer_init(&answer);
        pki_state_due(source->redis, source->conf->name,
                      pki_source_now(source), n, pki_answer_list, &answer);

        if (pki_lookup_kept(lookup, &answer) == PKI_OK) {
            pki_lookup_list(lookup, &answer, 0);
        }

        pki_answer_free(&answer);
    }
}


static void
pki_lookup_list(pki_lookup_t *lookup, const pki_answer_t *answer, int wanted)
{
    size_t  i;

    for (i = 0; i < answer->nitems; i++) {
        if (pki_lookup_job(lookup, answer->items[i].name, NULL, wanted,
                           !wanted)
            != PKI_OK)
        {
            return;
        }
    }
}


static long
pki_lookup_begin(pki_lookup_t *lookup)
{
    char                path[PKI_LOOKUP_PATH];
    long                wait;
    pki_rc_t            rc;
    unsigned            i;
    pki_err_t           err;
    const char         *token;
    pki_source_t       *source;
    pki_machine_t      *machine;
    pki_lookup_job_t   *job;
    pki_lookup_call_t  *call;

    source = lookup->source;

    for (i = 0; i < PKI_SOURCE_LOOKUPS; i++) {
        call = &lookup->calls[i];

        if (call->used) {
            continue;
        }

        do {
            wait = pki_lookup_wait(lookup);
            if (wait) {
                return wait;
            }

            job = lookup->queues[0].first ? lookup->queues[0].first
                                          : lookup->queues[1].first;

            machine = pki_lookup_machine(lookup, job, path);

            if (machine == NULL) {

                /* nobody can tell: it stays what it is */

                pki_lookup_remove(lookup, job);

                if (job->due
                    && pki_lookup_recheck(lookup, job->id, 0) != PKI_OK)
                {
                    return PKI_LOOKUP_LOOK;
                }

                pki_lookup_end(lookup, job);
            }

        } while (machine == NULL);

        call->machine = machine;
        call->resource = pki_machine_resource(machine);

        rc = pki_source_token(source, call->resource->login_ca, &token, &wait,
                              &err);
        if (rc != PKI_OK) {

            /* why, the rounds tell: they need it as well */

            return wait < PKI_LOOKUP_LOOK ? wait : PKI_LOOKUP_LOOK;
        }

        pki_lookup_remove(lookup, job);

        call->job = job;
        pki_lookup_send(call, path, token);
    }

    wait = (long) (lookup->look_at - pki_source_mono(source));

    return wait > 0 ? wait : 0;
}


/* Milliseconds until the next may begin; 0: now. */

static long
pki_lookup_wait(pki_lookup_t *lookup)
{
    long       look;
    long long  now, rate, wait;

    now = pki_source_mono(lookup->source);
    rate = lookup->source->conf->lookups ? lookup->source->conf->lookups : 1;

    look = lookup->look_at > now ? (long) (lookup->look_at - now) : 1;

    lookup->credit += (now - lookup->credit_at) * rate;
    lookup->credit_at = now;

    if (lookup->credit > rate * PKI_LOOKUP_CREDIT) {
        lookup->credit = rate * PKI_LOOKUP_CREDIT;
    }

    if (lookup->queues[0].first == NULL && lookup->queues[1].first == NULL) {
        return look;
    }

    if (now < lookup->until) {
        wait = lookup->until - now;

    } else if (lookup->credit < PKI_LOOKUP_CREDIT) {
        wait = (PKI_LOOKUP_CREDIT - lookup->credit + rate - 1) / rate;

    } else {
        return 0;
    }

    return wait < look ? (long) wait : look;
}


/* The first resource that can look this one up; writes its path. */

static pki_machine_t *
pki_lookup_machine(pki_lookup_t *lookup, const pki_lookup_job_t *job,
    char *path)
{
    unsigned               i, class, classes;
    pki_source_t          *source;
    pki_machine_t         *machine;
    const pki_resource_t  *resource;

    source = lookup->source;
    classes = sizeof(pki_lookup_classes) / sizeof(pki_lookup_classes[0]);

    for (class = 0; class < classes; class++) {
        if (strncmp(job->id, pki_lookup_classes[class],
                    strlen(pki_lookup_classes[class])) == 0)
        {
            break;
        }
    }

    for (i = 0; i < source->nmachines && class < classes; i++) {
        machine = source->machines[i];
        resource = pki_machine_resource(machine);

        if ((resource->classes & 1 << class)
            && resource->lookup != NULL
            && resource->lookup(source->conf, pki_machine_variant(machine),
                                job->id, job->key[0] ? job->key : NULL, path,
                                PKI_LOOKUP_PATH)
               == PKI_OK)
        {
            return machine;
        }
    }

    return NULL;
}


static void
pki_lookup_send(pki_lookup_call_t *call, const char *path, const char *token)
{
    size_t                       size;
    char                        *url;
    pki_request_t                request;
    const pki_resource_t        *resource;
    const pki_directory_conf_t  *conf;

    conf = call->lookup->source->conf;
    resource = call->resource;

    call->used = 1;
    call->read = PKI_OK;
    call->number = pki_machine_number(call->machine);

    /* before the first round too: what is in no index is never missed */

    call->number = call->number ? call->number : 1;

    call->shape = (pki_page_shape_t) {
        .item = pki_lookup_nothing,
        .top = resource->one_paths ? resource->one_paths : resource->paths
    };

    call->lookup->credit -= PKI_LOOKUP_CREDIT;
    call->lookup->lookups++;

    size = strlen(conf->url) + strlen(path) + 1;

    url = OPENSSL_malloc(size);
    call->page = pki_page_create(&call->shape, NULL, NULL);
    call->token = OPENSSL_strdup(token);

    if (url == NULL || call->page == NULL || call->token == NULL) {
        OPENSSL_free(url);
        call->ended = 1;
        call->outcome = PKI_FETCH_FAILED;
        call->asked = -1;
        pki_err_set(&call->err, "out of memory");
        return;
    }

    (void) snprintf(url, size, "%s%s", conf->url, path);

    memset(&request, 0, sizeof(request));
    request.method = "GET";
    request.url = url;
    request.token = token;
    request.host = conf->url;
    request.headers[0] = "Accept: application/json";
    request.piece = pki_lookup_piece;
    request.done = pki_lookup_done;
    request.data = call;

    pki_fetch(call->lookup->source->peer, &request);

    OPENSSL_free(url);
}


/* What is no JSON is read to its end all the same: its status counts. */

static pki_rc_t
pki_lookup_piece(void *data, int status, const char *text, size_t len)
{
    pki_lookup_call_t  *call = data;

    (void) status;

    if (call->read == PKI_OK) {
        call->read = pki_page_feed(call->page, text, len, &call->err);
    }

    return PKI_OK;
}


static void
pki_lookup_done(void *data, const pki_fetch_result_t *result)
{
    pki_lookup_call_t  *call = data;

    if (call->orphan) {
        pki_lookup_free(call);
        return;
    }

    call->ended = 1;
    call->outcome = result->outcome;
    call->status = result->status;
    call->asked = pki_source_asked(call->lookup->source, result);

    if (result->outcome != PKI_FETCH_DONE) {
        pki_err_set(&call->err, "%s", result->error);

    } else if (call->read == PKI_OK) {
        call->read = pki_page_end(call->page, &call->err);
    }
}


static void
pki_lookup_free(pki_lookup_call_t *call)
{
    pki_lookup_t  *lookup;

    if (call->token != NULL) {
        OPENSSL_clear_free(call->token, strlen(call->token));
    }

    pki_page_destroy(call->page);

    lookup = call->lookup;
    memset(call, 0, sizeof(pki_lookup_call_t));
    call->lookup = lookup;
}

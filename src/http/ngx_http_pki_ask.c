
/*
 * Asking the store about a certificate.
 *
 * A question (pki_question.h) takes off as a flight: later requests for the
 * same certificate wait for it as well, as long as nothing it depends on was
 * forgotten since.  Its ticket is opened before the question is sent.
 *
 * A flight may land more than once: where a device has another id in another
 * directory, and where an object is to be looked up live first.  The poller
 * that does so tells by the news of the object, which voids the ticket.
 */

#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_LOOK        5      /* milliseconds between two looks at
                                           the ticket; it costs no syscall */
#define NGX_HTTP_PKI_LOOKUPS_MAX 512    /* flights that may wait like that */
#define NGX_HTTP_PKI_LOOKUP_PATH 1024   /* octets, as pki_lookup.c has room */

#define NGX_HTTP_PKI_ABSENT                                                   \
    (PKI_OBJECT_DELETED|PKI_OBJECT_REMOVED|PKI_OBJECT_MISSING)


/* on the heap until it lands for good; the transport's callback ends it */

typedef struct {
    ngx_rbtree_node_t          node;        /* key: hash of the serial */
    ngx_http_pki_main_conf_t  *mcf;
    ngx_http_pki_issuer_t     *issuer;
    pki_question_t             question;
    ngx_http_pki_ticket_t      ticket;
    ngx_queue_t                waits;
    ngx_event_t                timer;       /* of a lookup */
    ngx_msec_t                 until;       /* its end */
    ngx_uint_t                 pending;     /* replies to wanting */
    ngx_uint_t                 resolving;   /* a bit for each id that is being
                                               translated */
    unsigned                   issue:1;     /* it is to be recorded soon */
    unsigned                   resolved:1;  /* ids were translated */
    unsigned                   wanted:1;    /* a lookup was asked for */
    unsigned                   looking:1;   /* and is under way */
} ngx_http_pki_flight_t;


static ngx_int_t ngx_http_pki_ask_flight(ngx_http_request_t *r,
    ngx_http_pki_issuer_t *issuer, const pki_serial_t *serial,
    ngx_http_pki_wake_pt handler, ngx_uint_t n, ngx_uint_t issue);
static ngx_http_pki_flight_t *ngx_http_pki_flight_find(
    ngx_http_pki_main_conf_t *mcf, ngx_http_pki_issuer_t *issuer,
    const pki_serial_t *serial);
static ngx_http_pki_flight_t *ngx_http_pki_flight_create(
    ngx_http_pki_main_conf_t *mcf, ngx_http_pki_issuer_t *issuer,
    const pki_serial_t *serial, ngx_log_t *log);
static void ngx_http_pki_flight_send(ngx_http_pki_flight_t *flight);
static void ngx_http_pki_flight_question(ngx_http_pki_flight_t *flight);
static void ngx_http_pki_flight_landed(void *data,
    const pki_store_found_t *found);
static void ngx_http_pki_flight_end(ngx_http_pki_flight_t *flight,
    const pki_store_found_t *found);

static ngx_int_t ngx_http_pki_translate(ngx_http_pki_flight_t *flight,
    const pki_store_found_t *found);
static void ngx_http_pki_translated(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error);

static ngx_uint_t ngx_http_pki_replace(ngx_http_pki_flight_t *flight);

static ngx_int_t ngx_http_pki_lookup(ngx_http_pki_flight_t *flight,
    const pki_store_found_t *found);
static ngx_uint_t ngx_http_pki_lookup_facts(ngx_http_pki_flight_t *flight,
    const pki_store_found_t *found);
static ngx_http_pki_directory_t *ngx_http_pki_asked(
    ngx_http_pki_flight_t *flight, unsigned i);
static ngx_uint_t ngx_http_pki_lookup_can(ngx_http_pki_directory_t *directory,
    pki_object_class_t class, const char *id);
static void ngx_http_pki_lookup_wanted(void *data, pki_store_result_t result,
    long long n, const char *error);
static void ngx_http_pki_lookup_wait(ngx_http_pki_flight_t *flight);
static void ngx_http_pki_lookup_handler(ngx_event_t *ev);

static void ngx_http_pki_question_ticket(ngx_http_pki_zone_t *zone,
    const pki_question_t *q, ngx_http_pki_ticket_t *ticket);


ngx_int_t
ngx_http_pki_ask(ngx_http_request_t *r, ngx_http_pki_issuer_t *issuer,
    const pki_serial_t *serial, ngx_http_pki_wake_pt handler, ngx_uint_t n)
{
    return ngx_http_pki_ask_flight(r, issuer, serial, handler, n, 0);
}


ngx_int_t
ngx_http_pki_ask_issue(ngx_http_request_t *r, ngx_http_pki_issuer_t *issuer,
    const pki_serial_t *serial, ngx_http_pki_wake_pt handler, ngx_uint_t n)
{
    return ngx_http_pki_ask_flight(r, issuer, serial, handler, n, 1);
}


static ngx_int_t
ngx_http_pki_ask_flight(ngx_http_request_t *r, ngx_http_pki_issuer_t *issuer,
    const pki_serial_t *serial, ngx_http_pki_wake_pt handler, ngx_uint_t n,
    ngx_uint_t issue)
{
    ngx_http_pki_wait_t       *wait;
    ngx_http_pki_flight_t     *flight;
    ngx_http_pki_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);

    wait = ngx_http_pki_wait(r, handler, n, issuer->store->timeout);
    if (wait == NULL) {
        return NGX_ERROR;
    }

    flight = issue ? NULL : ngx_http_pki_flight_find(mcf, issuer, serial);

    if (flight) {
        ngx_queue_insert_tail(&flight->waits, &wait->flight);

        if (flight->looking) {
            ngx_http_pki_wait_longer(wait, flight->until - ngx_current_msec
                                           + issuer->store->timeout);
        }

        ngx_http_pki_count(&mcf->zone, NGX_HTTP_PKI_STAT_JOINED, 1);
        return NGX_DECLINED;
    }

    flight = ngx_http_pki_flight_create(mcf, issuer, serial,
                                        r->connection->log);
    if (flight == NULL) {
        ngx_http_pki_wait_cancel(wait);
        return NGX_ERROR;
    }

    flight->issue = issue ? 1 : 0;

    ngx_queue_insert_tail(&flight->waits, &wait->flight);

    ngx_http_pki_flight_send(flight);

    return NGX_OK;
}


static ngx_http_pki_flight_t *
ngx_http_pki_flight_find(ngx_http_pki_main_conf_t *mcf,
    ngx_http_pki_issuer_t *issuer, const pki_serial_t *serial)
{
    ngx_rbtree_key_t        key;
    ngx_rbtree_node_t      *node, *sentinel;
    ngx_http_pki_flight_t  *flight;

    key = ngx_murmur_hash2((u_char *) serial->data, serial->len);

    node = mcf->worker->flights.root;
    sentinel = mcf->worker->flights.sentinel;

    while (node != sentinel) {

        if (key != node->key) {
            node = (key < node->key) ? node->left : node->right;
            continue;
        }

        flight = (ngx_http_pki_flight_t *) node;

        /* what was asked before a revocation is no answer after it */

        if (flight->issuer == issuer
            && flight->question.store.serial.len == serial->len
            && ngx_memcmp(flight->question.store.serial.data, serial->data,
                          serial->len)
               == 0
            && ngx_http_pki_ticket_valid(&mcf->zone, &flight->ticket))
        {
            return flight;
        }

        /* equal keys are inserted to the right */

        node = node->right;
    }

    return NULL;
}


static ngx_http_pki_flight_t *
ngx_http_pki_flight_create(ngx_http_pki_main_conf_t *mcf,
    ngx_http_pki_issuer_t *issuer, const pki_serial_t *serial, ngx_log_t *log)
{
    ngx_http_pki_flight_t  *flight;

    flight = ngx_calloc(sizeof(ngx_http_pki_flight_t), log);
    if (flight == NULL) {
        return NULL;
    }

    if (pki_question(&issuer->view, serial, &flight->question) != PKI_OK) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "pki issuer \"%V\": opening a serial number failed",
                      &issuer->name);
        ngx_free(flight);
        return NULL;
    }

    flight->mcf = mcf;
    flight->issuer = issuer;
    flight->node.key = ngx_murmur_hash2((u_char *) serial->data, serial->len);

    flight->timer.handler = ngx_http_pki_lookup_handler;
    flight->timer.data = flight;
    flight->timer.log = ngx_cycle->log;

    ngx_queue_init(&flight->waits);
    ngx_rbtree_insert(&mcf->worker->flights, &flight->node);

    return flight;
}


static void
ngx_http_pki_flight_send(ngx_http_pki_flight_t *flight)
{
    ngx_http_pki_question_ticket(&flight->mcf->zone, &flight->question,
                                 &flight->ticket);
    ngx_http_pki_flight_question(flight);
}


static void
ngx_http_pki_flight_question(ngx_http_pki_flight_t *flight)
{
    pki_store_find(ngx_http_pki_transport(flight->mcf, flight->issuer->store),
                   &flight->question.store, ngx_http_pki_flight_landed,
                   flight);
}


static void
ngx_http_pki_flight_landed(void *data, const pki_store_found_t *found)
{
    ngx_http_pki_flight_t *flight = data;

    if (found->result != PKI_STORE_DONE) {
        ngx_http_pki_store_failed(flight->mcf, flight->issuer->store,
                                  found->error, ngx_cycle->log);

    } else if (ngx_http_pki_translate(flight, found) == NGX_AGAIN
               || ngx_http_pki_lookup(flight, found) == NGX_AGAIN)
    {
        return;
    }

    ngx_http_pki_flight_end(flight, found);
}


static void
ngx_http_pki_flight_end(ngx_http_pki_flight_t *flight,
    const pki_store_found_t *found)
{
    ngx_queue_t          *q;
    ngx_http_pki_told_t   told;

    if (flight->looking) {
        flight->mcf->worker->lookups--;
    }

    ngx_rbtree_delete(&flight->mcf->worker->flights, &flight->node);

    told.question = &flight->question;
    told.ticket = &flight->ticket;
    told.found = found;

    while (!ngx_queue_empty(&flight->waits)) {
        q = ngx_queue_head(&flight->waits);
        ngx_queue_remove(q);

        ngx_http_pki_wake(ngx_queue_data(q, ngx_http_pki_wait_t, flight),
                          &told);
    }

    ngx_free(flight);
}


void
ngx_http_pki_ask_end(ngx_http_pki_worker_t *worker)
{
    ngx_rbtree_node_t      *node, *next;
    pki_store_found_t       found;
    ngx_http_pki_flight_t  *flight;

    if (worker->lookups == 0) {
        return;
    }

    ngx_memzero(&found, sizeof(pki_store_found_t));
    found.result = PKI_STORE_FAILED;
    found.error = "the worker ends";

    node = ngx_rbtree_min(worker->flights.root, worker->flights.sentinel);

    for ( /* void */ ; node; node = next) {
        next = ngx_rbtree_next(&worker->flights, node);

        flight = (ngx_http_pki_flight_t *) node;

        if (flight->timer.timer_set) {
            ngx_del_timer(&flight->timer);
            ngx_http_pki_flight_end(flight, &found);
        }
    }
}


/*
 * "devices all": a device that a directory does not know by the id in the
 * certificate, or was told not to have, may be there under another one.
 * Once per flight; NGX_AGAIN: it will land again.
 */

static ngx_int_t
ngx_http_pki_translate(ngx_http_pki_flight_t *flight,
    const pki_store_found_t *found)
{
    char                     *other;
    unsigned                  i, k;
    pki_redis_t              *redis;
    pki_store_query_t        *query;
    const pki_object_fact_t  *fact;

    if (flight->resolved || !flight->issuer->devices) {
        return NGX_DECLINED;
    }

    flight->resolved = 1;

    query = &flight->question.store;
    redis = ngx_http_pki_transport(flight->mcf, flight->issuer->store);

    /* replies come later, so that none ends the flight in this loop */

    for (i = 0; i < query->nobjects; i++) {

        fact = &found->facts.objects[i];

        if (query->objects[i].group == 0
            || (fact->found && !(fact->state & NGX_HTTP_PKI_ABSENT)))
        {
            continue;
        }

        other = flight->question.others[i];

        for (k = 0; k < query->nobjects; k++) {
            if (k != i && query->objects[k].group == query->objects[i].group
                && found->aliases[k][0] != '\0')
            {
                ngx_memcpy(other, found->aliases[k], PKI_OBJECT_ID_SIZE);
                break;
            }
        }

        if (other[0] == '\0') {
            flight->resolving |= 1 << i;
            pki_state_resolve(redis, query->objects[i].directory,
                              ngx_strchr(query->objects[i].id, '/') + 1,
                              ngx_http_pki_translated, flight);
        }
    }

    if (flight->resolving) {
        return NGX_AGAIN;
    }

    if (ngx_http_pki_replace(flight)) {
        ngx_http_pki_flight_question(flight);
        return NGX_AGAIN;
    }

    return NGX_DECLINED;
}


/* replies come in the order of the questions: the lowest bit is the next */

static void
ngx_http_pki_translated(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error)
{
    ngx_http_pki_flight_t *flight = data;

    unsigned  i;

    for (i = 0; !(flight->resolving & (1 << i)); i++) { /* void */ }

    flight->resolving &= ~((ngx_uint_t) 1 << i);

    if (result == PKI_STORE_DONE && n == 1
        && ngx_strlen(items[0].value) < PKI_OBJECT_ID_SIZE)
    {
        ngx_cpystrn((u_char *) flight->question.others[i],
                    (u_char *) items[0].value, PKI_OBJECT_ID_SIZE);
    }

    if (flight->resolving == 0) {
        (void) ngx_http_pki_replace(flight);
        ngx_http_pki_flight_question(flight);
    }
}


/* the answer depends on the ids that led to others, and on these */

static ngx_uint_t
ngx_http_pki_replace(ngx_http_pki_flight_t *flight)
{
    char                owner[PKI_OWNER_SIZE];
    size_t              len;
    unsigned            i;
    ngx_uint_t          n;
    pki_store_query_t  *query;

    query = &flight->question.store;
    n = 0;

    for (i = 0; i < query->nobjects; i++) {
        if (flight->question.others[i][0] != '\0') {
            query->objects[i].id = flight->question.others[i];

            len = pki_owner_object(owner, query->objects[i].directory,
                                   query->objects[i].id);
            ngx_http_pki_ticket_add(&flight->mcf->zone, &flight->ticket,
                                    (u_char *) owner, len);
            n++;
        }
    }

    return n;
}


/*
 * What a directory does not know yet is looked up live, once, before that
 * counts.  NGX_AGAIN: the flight will land again.
 */

static ngx_int_t
ngx_http_pki_lookup(ngx_http_pki_flight_t *flight,
    const pki_store_found_t *found)
{
    unsigned            i;
    ngx_uint_t          facts;
    pki_redis_t        *redis;
    pki_store_query_t  *query;

    facts = ngx_http_pki_lookup_facts(flight, found);

    if (facts == 0) {
        return NGX_DECLINED;
    }

    if (flight->wanted) {

        if (!flight->looking
            || (ngx_msec_int_t) (flight->until - ngx_current_msec) <= 0)
        {
            return NGX_DECLINED;
        }

        ngx_http_pki_lookup_wait(flight);
        return NGX_AGAIN;
    }

    if (flight->mcf->worker->lookups >= NGX_HTTP_PKI_LOOKUPS_MAX) {
        return NGX_DECLINED;
    }

    flight->wanted = 1;

    query = &flight->question.store;
    redis = ngx_http_pki_transport(flight->mcf, flight->issuer->store);

    for (i = 0; i < query->nobjects; i++) {
        if (facts & ((ngx_uint_t) 1 << i)) {
            flight->pending++;
            flight->until = ngx_max(flight->until,
                            ngx_http_pki_asked(flight, i)->lookup_timeout);
            pki_state_want(redis, query->objects[i].directory,
                           query->objects[i].id, ngx_http_pki_lookup_wanted,
                           flight);
        }
    }

    ngx_http_pki_count(&flight->mcf->zone, NGX_HTTP_PKI_STAT_WANTED, 1);

    return NGX_AGAIN;
}


/* a bit for each fact whose absence may make the outcome what it is */

static ngx_uint_t
ngx_http_pki_lookup_facts(ngx_http_pki_flight_t *flight,
    const pki_store_found_t *found)
{
    unsigned       i;
    ngx_uint_t     bits;
    pki_facts_t    facts;
    pki_outcome_t  outcome;
    pki_verdict_t  verdict;

    bits = 0;

    for (i = 0; i < found->facts.nobjects; i++) {
        if (!found->facts.objects[i].found
            && ngx_http_pki_lookup_can(ngx_http_pki_asked(flight, i),
                                       flight->question.classes[i],
                                       flight->question.store.objects[i].id))
        {
            bits |= (ngx_uint_t) 1 << i;
        }
    }

    if (bits == 0) {
        return 0;
    }

    pki_question_facts(&flight->issuer->view, &flight->question, found,
                       &facts);

    if (flight->issue) {
        facts.recorded = 1;
    }

    (void) pki_verdict(&verdict, &facts, &flight->issuer->policy, ngx_time(),
                       NULL);

    if (verdict.outcome == PKI_OUTCOME_LATER) {
        return bits;
    }

    /* "devices any": what one has deleted, another may have */

    for (i = 0; i < facts.nobjects; i++) {
        if (bits & ((ngx_uint_t) 1 << i)) {
            facts.objects[i].found = 1;
            facts.objects[i].state = 0;
        }
    }

    outcome = verdict.outcome;

    (void) pki_verdict(&verdict, &facts, &flight->issuer->policy, ngx_time(),
                       NULL);

    return verdict.outcome == outcome ? 0 : bits;
}


static ngx_http_pki_directory_t *
ngx_http_pki_asked(ngx_http_pki_flight_t *flight, unsigned i)
{
    ngx_http_pki_reference_t  *reference;

    reference = flight->issuer->directories.elts;

    return reference[flight->question.from[i]].directory;
}


/* waiting is of use only where the id alone is enough to ask for an object */

static ngx_uint_t
ngx_http_pki_lookup_can(ngx_http_pki_directory_t *directory,
    pki_object_class_t class, const char *id)
{
    char                   path[NGX_HTTP_PKI_LOOKUP_PATH];
    const pki_resource_t  *resource;

    resource = directory->conf.dialect->resources;

    if (resource == NULL || directory->lookup_timeout == 0) {
        return 0;
    }

    for ( /* void */ ; resource->name; resource++) {
        if (resource->lookup && resource->wanted(&directory->conf)
            && (resource->classes & (1 << class))
            && resource->lookup(&directory->conf, 0, id, NULL, path,
                                sizeof(path))
               == PKI_OK)
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_pki_lookup_wanted(void *data, pki_store_result_t result, long long n,
    const char *error)
{
    ngx_http_pki_flight_t *flight = data;

    ngx_queue_t          *q;
    ngx_msec_t            timeout;

    /* CONFLICT: too many wait already */

    if (result == PKI_STORE_DONE && !flight->looking) {
        flight->looking = 1;
        flight->mcf->worker->lookups++;
    }

    if (--flight->pending) {
        return;
    }

    if (!flight->looking) {
        ngx_http_pki_flight_send(flight);
        return;
    }

    timeout = flight->until + flight->issuer->store->timeout;
    flight->until += ngx_current_msec;

    for (q = ngx_queue_head(&flight->waits);
         q != ngx_queue_sentinel(&flight->waits);
         q = ngx_queue_next(q))
    {
        ngx_http_pki_wait_longer(ngx_queue_data(q, ngx_http_pki_wait_t,
                                                flight),
                                 timeout);
    }

    ngx_http_pki_lookup_wait(flight);
}


static void
ngx_http_pki_lookup_wait(ngx_http_pki_flight_t *flight)
{
    ngx_add_timer(&flight->timer, NGX_HTTP_PKI_LOOK);
}


/* the news have voided the ticket, or the time is up: asked once more */

static void
ngx_http_pki_lookup_handler(ngx_event_t *ev)
{
    ngx_http_pki_flight_t *flight = ev->data;

    if (ngx_http_pki_ticket_valid(&flight->mcf->zone, &flight->ticket)
        && (ngx_msec_int_t) (flight->until - ngx_current_msec) > 0)
    {
        ngx_http_pki_lookup_wait(flight);
        return;
    }

    ngx_http_pki_flight_send(flight);
}


static void
ngx_http_pki_question_ticket(ngx_http_pki_zone_t *zone,
    const pki_question_t *q, ngx_http_pki_ticket_t *ticket)
{
    char      owner[PKI_OWNER_SIZE];
    size_t    len;
    unsigned  i;

    ngx_http_pki_ticket_open(zone, ticket);

    len = pki_owner_cert(owner, q->store.issuer, &q->store.serial);
    ngx_http_pki_ticket_add(zone, ticket, (u_char *) owner, len);

    for (i = 0; i < q->store.nobjects; i++) {
        len = pki_owner_object(owner, q->store.objects[i].directory,
                               q->store.objects[i].id);
        ngx_http_pki_ticket_add(zone, ticket, (u_char *) owner, len);
    }
}

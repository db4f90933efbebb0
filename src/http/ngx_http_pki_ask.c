
/*
 * Asking the store about a certificate.
 *
 * A serial number opens to a binding, a binding names objects, and each of
 * the issuer's directories that knows objects of that class is asked too.
 * A question takes off as a flight: later requests for the same certificate
 * wait for it as well, as long as nothing it depends on was forgotten since.
 * Its ticket is opened before the question is sent.
 */

#include "ngx_http_pki_module.h"


/* on the heap until it lands; the transport's callback ends it */

typedef struct {
    ngx_rbtree_node_t          node;        /* key: hash of the serial */
    ngx_http_pki_main_conf_t  *mcf;
    ngx_http_pki_issuer_t     *issuer;
    ngx_http_pki_question_t    question;
    ngx_http_pki_ticket_t      ticket;
    ngx_queue_t                waits;
} ngx_http_pki_flight_t;


static ngx_http_pki_flight_t *ngx_http_pki_flight_find(
    ngx_http_pki_main_conf_t *mcf, ngx_http_pki_issuer_t *issuer,
    const pki_serial_t *serial);
static ngx_http_pki_flight_t *ngx_http_pki_flight_create(
    ngx_http_pki_main_conf_t *mcf, ngx_http_pki_issuer_t *issuer,
    const pki_serial_t *serial, ngx_log_t *log);
static void ngx_http_pki_flight_landed(void *data,
    const pki_store_found_t *found);
static ngx_int_t ngx_http_pki_question(ngx_http_pki_issuer_t *issuer,
    const pki_serial_t *serial, ngx_http_pki_question_t *q);
static void ngx_http_pki_question_ticket(ngx_http_pki_zone_t *zone,
    const ngx_http_pki_question_t *q, ngx_http_pki_ticket_t *ticket);


ngx_int_t
ngx_http_pki_ask(ngx_http_request_t *r, ngx_http_pki_issuer_t *issuer,
    const pki_serial_t *serial, ngx_http_pki_wake_pt handler, ngx_uint_t n)
{
    ngx_http_pki_wait_t       *wait;
    ngx_http_pki_flight_t     *flight;
    ngx_http_pki_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);

    wait = ngx_http_pki_wait(r, handler, n, issuer->store->timeout);
    if (wait == NULL) {
        return NGX_ERROR;
    }

    flight = ngx_http_pki_flight_find(mcf, issuer, serial);

    if (flight) {
        ngx_queue_insert_tail(&flight->waits, &wait->flight);
        ngx_http_pki_count(&mcf->zone, NGX_HTTP_PKI_STAT_JOINED, 1);
        return NGX_DECLINED;
    }

    flight = ngx_http_pki_flight_create(mcf, issuer, serial,
                                        r->connection->log);
    if (flight == NULL) {
        ngx_http_pki_wait_cancel(wait);
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&flight->waits, &wait->flight);

    pki_store_find(ngx_http_pki_transport(mcf, issuer->store),
                   &flight->question.store, ngx_http_pki_flight_landed,
                   flight);

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

    flight = ngx_alloc(sizeof(ngx_http_pki_flight_t), log);
    if (flight == NULL) {
        return NULL;
    }

    if (ngx_http_pki_question(issuer, serial, &flight->question) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "pki issuer \"%V\": opening a serial number failed",
                      &issuer->name);
        ngx_free(flight);
        return NULL;
    }

    flight->mcf = mcf;
    flight->issuer = issuer;
    flight->node.key = ngx_murmur_hash2((u_char *) serial->data, serial->len);

    ngx_http_pki_question_ticket(&mcf->zone, &flight->question,
                                 &flight->ticket);

    ngx_queue_init(&flight->waits);
    ngx_rbtree_insert(&mcf->worker->flights, &flight->node);

    return flight;
}


static void
ngx_http_pki_flight_landed(void *data, const pki_store_found_t *found)
{
    ngx_http_pki_flight_t *flight = data;

    ngx_queue_t          *q;
    ngx_http_pki_told_t   told;

    ngx_rbtree_delete(&flight->mcf->worker->flights, &flight->node);

    if (found->result != PKI_STORE_DONE) {
        ngx_http_pki_store_failed(flight->mcf, flight->issuer->store,
                                  found->error, ngx_cycle->log);
    }

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


static ngx_int_t
ngx_http_pki_question(ngx_http_pki_issuer_t *issuer,
    const pki_serial_t *serial, ngx_http_pki_question_t *q)
{
    unsigned                   n, i;
    pki_rc_t                   rc;
    ngx_uint_t                 k;
    ngx_http_pki_directory_t  *directory;

    q->store.issuer = (char *) issuer->name.data;
    q->store.serial = *serial;
    q->store.nobjects = 0;

    q->own = issuer->ca->self_issued
             && serial->len == issuer->ca->serial.len
             && ngx_memcmp(serial->data, issuer->ca->serial.data, serial->len)
                == 0;

    rc = pki_serial_open(serial, issuer->serial_keys, &q->binding);

    if (rc == PKI_ERROR) {
        return NGX_ERROR;
    }

    q->bound = (rc == PKI_OK);

    q->issued = q->bound
                && (!issuer->sealed || pki_serial_is_sealed(serial));

    if (!q->bound) {
        return NGX_OK;
    }

    n = pki_binding_objects(&q->binding, q->objects);
    directory = issuer->directories.elts;

    for (k = 0; k < issuer->directories.nelts; k++) {
        for (i = 0; i < n; i++) {

            if (!(directory[k].classes & (1 << q->objects[i].class))) {
                continue;
            }

            q->store.objects[q->store.nobjects].directory =
                                             (char *) directory[k].name.data;
            q->store.objects[q->store.nobjects].id = q->objects[i].id;
            q->store.objects[q->store.nobjects].max_age =
                                             directory[k].max_age;
            q->store.nobjects++;
        }
    }

    return NGX_OK;
}


static void
ngx_http_pki_question_ticket(ngx_http_pki_zone_t *zone,
    const ngx_http_pki_question_t *q, ngx_http_pki_ticket_t *ticket)
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


void
ngx_http_pki_question_copy(ngx_http_pki_question_t *to,
    const ngx_http_pki_question_t *from)
{
    unsigned    i;
    ptrdiff_t   offset;

    *to = *from;

    for (i = 0; i < from->store.nobjects; i++) {
        offset = from->store.objects[i].id - (const char *) from->objects;
        to->store.objects[i].id = (const char *) to->objects + offset;
    }
}


/* the strings of what was found are gone soon, those of the question stay */

void
ngx_http_pki_facts(const ngx_http_pki_question_t *q,
    const pki_store_found_t *found, pki_facts_t *facts)
{
    unsigned  i;

    *facts = found->facts;

    facts->own = q->own;
    /* what the issuer would not have made is not believed by itself */

    facts->bound = q->issued;

    for (i = 0; i < facts->nobjects; i++) {
        facts->objects[i].directory = q->store.objects[i].directory;
        facts->objects[i].id = q->store.objects[i].id;
    }
}


/*
 * The lists that a worker keeps.
 *
 * A list is loaded slice by slice into memory of its own and stays there
 * until a newer one has come whole; requests that are being sent hold the
 * older one a little longer.  Whether it is still the newest costs nothing
 * while the news are heard and have not named the issuer; otherwise, and
 * near its end, Redis is asked, once for all who wait.  Without Redis a list
 * is served until it ends.
 */

#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_LIST_WAIT   5000   /* milliseconds for all the slices */
#define NGX_HTTP_PKI_LIST_TRIES  3      /* to load one that is replaced */
#define NGX_HTTP_PKI_LIST_PAUSE  1      /* seconds until Redis, which has just
                                           failed, is asked again */
#define NGX_HTTP_PKI_LIST_NEAR   60     /* seconds before its end */
#define NGX_HTTP_PKI_LIST_LINE   48     /* octets in a line of PEM */
#define NGX_HTTP_PKI_LIST_TURN   4096   /* lines of PEM at once: 0.3 ms */


/* one for each list of each issuer; lives as long as the links */

struct ngx_http_pki_list_slot_s {
    ngx_http_pki_main_conf_t  *mcf;
    ngx_http_pki_issuer_t     *issuer;
    pki_list_e                 which;
    ngx_http_pki_list_t       *list;        /* NULL: there is none */
    ngx_http_pki_ticket_t      ticket;      /* of it, or of that */
    time_t                     failed_at;   /* 0: it did not */
    unsigned                   known:1;     /* Redis has answered */
    unsigned                   loading:1;
    unsigned                   pem:1;       /* who waits wants it as PEM */
    ngx_queue_t                waits;
    ngx_event_t                event;       /* the next turn of that */
    /* what is being loaded */
    ngx_http_pki_ticket_t      asked;
    ngx_uint_t                 tries;
    ngx_http_pki_list_t       *loaded;
    size_t                     got;
    EVP_MD_CTX                *hash;
};


static ngx_http_pki_list_slot_t *ngx_http_pki_list_slot(
    ngx_http_pki_main_conf_t *mcf, ngx_http_pki_issuer_t *issuer,
    pki_list_e which);
static ngx_uint_t ngx_http_pki_list_fresh(ngx_http_pki_list_slot_t *slot);
static void ngx_http_pki_list_load(ngx_http_pki_list_slot_t *slot);
static void ngx_http_pki_list_told(void *data, pki_store_result_t result,
    const pki_list_info_t info[PKI_LIST_N], const char *error);
static ngx_int_t ngx_http_pki_list_begin(ngx_http_pki_list_slot_t *slot,
    const pki_list_info_t *info);
static void ngx_http_pki_list_next(ngx_http_pki_list_slot_t *slot);
static void ngx_http_pki_list_slice(void *data, pki_store_result_t result,
    const pki_bytes_t *values, size_t n, unsigned long long next,
    const char *error);
static ngx_int_t ngx_http_pki_list_whole(ngx_http_pki_list_slot_t *slot);
static void ngx_http_pki_list_keep(ngx_http_pki_list_slot_t *slot,
    ngx_http_pki_list_t *list);
static void ngx_http_pki_list_fail(ngx_http_pki_list_slot_t *slot,
    const char *error);
static void ngx_http_pki_list_done(ngx_http_pki_list_slot_t *slot);
static void ngx_http_pki_list_ready(ngx_http_pki_list_slot_t *slot);
static ngx_uint_t ngx_http_pki_list_unwritten(ngx_http_pki_list_slot_t *slot);
static void ngx_http_pki_list_turn(ngx_event_t *ev);
static ngx_int_t ngx_http_pki_list_pem(ngx_http_pki_list_t *list);
static void ngx_http_pki_list_lines(ngx_http_pki_list_t *list);
static void ngx_http_pki_list_wake(ngx_http_pki_list_slot_t *slot);
static void ngx_http_pki_list_drop(ngx_http_pki_list_slot_t *slot);
static void ngx_http_pki_list_free(void *data);


static u_char  ngx_http_pki_pem_begin[] = "-----BEGIN X509 CRL-----\n";
static u_char  ngx_http_pki_pem_end[] = "-----END X509 CRL-----\n";


ngx_int_t
ngx_http_pki_list_ask(ngx_http_request_t *r, ngx_http_pki_main_conf_t *mcf,
    ngx_http_pki_issuer_t *issuer, pki_list_e which, ngx_uint_t pem,
    ngx_http_pki_wake_pt handler)
{
    ngx_uint_t                 fresh;
    ngx_http_pki_wait_t       *wait;
    ngx_http_pki_list_slot_t  *slot;

    slot = ngx_http_pki_list_slot(mcf, issuer, which);
    if (slot == NULL) {
        return NGX_ERROR;
    }

    fresh = !slot->loading && ngx_http_pki_list_fresh(slot);
    slot->pem |= pem != 0;

    if (fresh && !ngx_http_pki_list_unwritten(slot)) {
        slot->pem = 0;
        return NGX_OK;
    }

    wait = ngx_http_pki_wait(r, handler, 0, issuer->store->timeout
                                            + NGX_HTTP_PKI_LIST_WAIT);
    if (wait == NULL) {
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&slot->waits, &wait->flight);

    if (slot->loading) {
        return NGX_AGAIN;
    }

    slot->loading = 1;
    slot->tries = 0;

    if (fresh) {
        ngx_post_event(&slot->event, &ngx_posted_next_events);

    } else {
        ngx_http_pki_list_load(slot);
    }

    return NGX_AGAIN;
}


ngx_http_pki_list_t *
ngx_http_pki_list_hold(ngx_http_request_t *r, ngx_http_pki_main_conf_t *mcf,
    ngx_http_pki_issuer_t *issuer, pki_list_e which)
{
    ngx_pool_cleanup_t        *cln;
    ngx_http_pki_list_t       *list;
    ngx_http_pki_list_slot_t  *slot;

    slot = ngx_http_pki_list_slot(mcf, issuer, which);

    if (slot == NULL || slot->list == NULL
        || ngx_time() >= slot->list->info.next_update)
    {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    list = slot->list;
    list->holders++;

    cln->handler = ngx_http_pki_list_free;
    cln->data = list;

    return list;
}


void
ngx_http_pki_list_end(ngx_http_pki_worker_t *worker)
{
    ngx_uint_t                 i;
    ngx_http_pki_list_slot_t  *slot;

    if (worker->lists == NULL) {
        return;
    }

    for (i = 0; i < worker->nslots * PKI_LIST_N; i++) {
        slot = &worker->lists[i];

        if (slot->event.posted) {
            ngx_delete_posted_event(&slot->event);
        }

        ngx_http_pki_list_keep(slot, NULL);
    }

    ngx_free(worker->lists);
    worker->lists = NULL;
}


/* made with the first question of the worker */

static ngx_http_pki_list_slot_t *
ngx_http_pki_list_slot(ngx_http_pki_main_conf_t *mcf,
    ngx_http_pki_issuer_t *issuer, pki_list_e which)
{
    ngx_uint_t                  i;
    ngx_http_pki_issuer_t     **issuers;
    ngx_http_pki_worker_t      *worker;
    ngx_http_pki_list_slot_t   *slot;

    worker = ngx_http_pki_get_worker(mcf);
    if (worker == NULL) {
        return NULL;
    }

    if (worker->lists == NULL) {
        worker->lists = ngx_calloc(worker->nslots * PKI_LIST_N
                                   * sizeof(ngx_http_pki_list_slot_t),
                                   ngx_cycle->log);
        if (worker->lists == NULL) {
            return NULL;
        }

        issuers = mcf->issuers.elts;

        for (i = 0; i < worker->nslots * PKI_LIST_N; i++) {
            slot = &worker->lists[i];
            slot->mcf = mcf;
            slot->issuer = issuers[i / PKI_LIST_N];
            slot->which = i % PKI_LIST_N;
            slot->event.handler = ngx_http_pki_list_turn;
            slot->event.data = slot;
            slot->event.log = ngx_cycle->log;
            ngx_queue_init(&slot->waits);
        }
    }

    return &worker->lists[issuer->index * PKI_LIST_N + which];
}


/* Is there nothing to ask Redis for now? */

static ngx_uint_t
ngx_http_pki_list_fresh(ngx_http_pki_list_slot_t *slot)
{
    if (slot->failed_at
        && ngx_time() - slot->failed_at <= NGX_HTTP_PKI_LIST_PAUSE)
    {
        return 1;
    }

    return slot->known
           && ngx_http_pki_heard(slot->mcf, slot->issuer->store)
           && ngx_http_pki_ticket_valid(&slot->mcf->zone, &slot->ticket)
           && (slot->list == NULL
               || slot->list->info.next_update - ngx_time()
                  > NGX_HTTP_PKI_LIST_NEAR);
}


static void
ngx_http_pki_list_load(ngx_http_pki_list_slot_t *slot)
{
    char                    owner[PKI_OWNER_SIZE];
    size_t                  len;
    ngx_http_pki_issuer_t  *issuer;

    issuer = slot->issuer;
    slot->tries++;

    ngx_http_pki_ticket_open(&slot->mcf->zone, &slot->asked);

    len = pki_owner_list(owner, (char *) issuer->name.data);
    ngx_http_pki_ticket_add(&slot->mcf->zone, &slot->asked, (u_char *) owner,
                            len);

    pki_list_info(ngx_http_pki_transport(slot->mcf, issuer->store),
                  (char *) issuer->name.data, ngx_http_pki_list_told, slot);
}


static void
ngx_http_pki_list_told(void *data, pki_store_result_t result,
    const pki_list_info_t info[PKI_LIST_N], const char *error)
{
    ngx_http_pki_list_slot_t *slot = data;

    ngx_http_pki_list_t    *list;
    const pki_list_info_t  *now;

    if (result != PKI_STORE_DONE) {
        ngx_http_pki_list_fail(slot, error);
        return;
    }

    list = slot->list;
    now = &info[slot->which];

    if (now->number == 0) {
        ngx_http_pki_list_keep(slot, NULL);
        ngx_http_pki_list_done(slot);
        return;
    }

    if (list && list->info.number == now->number
        && ngx_strcmp(list->info.etag, now->etag) == 0)
    {
        ngx_http_pki_list_done(slot);
        return;
    }

    if (ngx_http_pki_list_begin(slot, now) != NGX_OK) {
        ngx_http_pki_list_fail(slot, "no memory for a list");
        return;
    }

    ngx_http_pki_list_next(slot);
}


static ngx_int_t
ngx_http_pki_list_begin(ngx_http_pki_list_slot_t *slot,
    const pki_list_info_t *info)
{
    ngx_http_pki_list_t  *list;

    list = ngx_calloc(sizeof(ngx_http_pki_list_t), ngx_cycle->log);
    if (list == NULL) {
        return NGX_ERROR;
    }

    list->info = *info;
    list->holders = 1;

    slot->loaded = list;
    slot->got = 0;

    list->der = ngx_alloc(info->len, ngx_cycle->log);
    slot->hash = EVP_MD_CTX_new();

    if (list->der == NULL || slot->hash == NULL
        || EVP_DigestInit_ex(slot->hash, EVP_sha256(), NULL) != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_pki_list_next(ngx_http_pki_list_slot_t *slot)
{
    ngx_http_pki_issuer_t  *issuer;

    issuer = slot->issuer;

    pki_list_slice(ngx_http_pki_transport(slot->mcf, issuer->store),
                   (char *) issuer->name.data, slot->which,
                   slot->loaded->info.number, slot->got,
                   ngx_http_pki_list_slice, slot);
}


static void
ngx_http_pki_list_slice(void *data, pki_store_result_t result,
    const pki_bytes_t *values, size_t n, unsigned long long next,
    const char *error)
{
    ngx_http_pki_list_slot_t *slot = data;

    ngx_http_pki_list_t  *list;

    list = slot->loaded;

    if (result == PKI_STORE_NOT_FOUND
        && slot->tries < NGX_HTTP_PKI_LIST_TRIES)
    {
        ngx_http_pki_list_drop(slot);
        ngx_http_pki_list_load(slot);
        return;
    }

    if (result != PKI_STORE_DONE) {
        ngx_http_pki_list_fail(slot, error ? error
                                           : "a published list is not there");
        return;
    }

    if (n != 1 || values[0].len > list->info.len - slot->got
        || EVP_DigestUpdate(slot->hash, values[0].data, values[0].len) != 1)
    {
        ngx_http_pki_list_fail(slot, "a published list has another length");
        return;
    }

    ngx_memcpy(list->der + slot->got, values[0].data, values[0].len);
    slot->got += values[0].len;

    if (slot->got < list->info.len) {
        ngx_http_pki_list_next(slot);
        return;
    }

    if (ngx_http_pki_list_whole(slot) != NGX_OK) {
        ngx_http_pki_list_fail(slot, "a published list is damaged");
        return;
    }

    slot->loaded = NULL;
    ngx_http_pki_list_drop(slot);

    ngx_http_pki_list_keep(slot, list);
    ngx_http_pki_list_done(slot);
}


static ngx_int_t
ngx_http_pki_list_whole(ngx_http_pki_list_slot_t *slot)
{
    u_char  hash[PKI_FINGERPRINT_LEN], hex[2 * PKI_FINGERPRINT_LEN];

    if (EVP_DigestFinal_ex(slot->hash, hash, NULL) != 1) {
        return NGX_ERROR;
    }

    (void) ngx_hex_dump(hex, hash, PKI_FINGERPRINT_LEN);

    return ngx_memcmp(hex, slot->loaded->info.etag, sizeof(hex)) == 0
           ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_pki_list_keep(ngx_http_pki_list_slot_t *slot,
    ngx_http_pki_list_t *list)
{
    if (slot->list) {
        ngx_http_pki_list_free(slot->list);
    }

    slot->list = list;
}


static void
ngx_http_pki_list_fail(ngx_http_pki_list_slot_t *slot, const char *error)
{
    ngx_http_pki_store_failed(slot->mcf, slot->issuer->store, error,
                              ngx_cycle->log);

    slot->failed_at = ngx_time();

    ngx_http_pki_list_drop(slot);
    ngx_http_pki_list_ready(slot);
}


/* whoever waits may have come after news that this load does not know of */

static void
ngx_http_pki_list_done(ngx_http_pki_list_slot_t *slot)
{
    slot->known = 1;
    slot->failed_at = 0;
    slot->ticket = slot->asked;

    if (slot->tries < NGX_HTTP_PKI_LIST_TRIES
        && !ngx_http_pki_ticket_valid(&slot->mcf->zone, &slot->ticket))
    {
        ngx_http_pki_list_load(slot);
        return;
    }

    ngx_http_pki_list_ready(slot);
}


/* what was loaded, or is still kept, may be wanted as PEM */

static void
ngx_http_pki_list_ready(ngx_http_pki_list_slot_t *slot)
{
    if (ngx_http_pki_list_unwritten(slot)) {
        ngx_post_event(&slot->event, &ngx_posted_next_events);

    } else {
        ngx_http_pki_list_wake(slot);
    }
}


static ngx_uint_t
ngx_http_pki_list_unwritten(ngx_http_pki_list_slot_t *slot)
{
    return slot->pem && slot->list && slot->list->pem.len == 0;
}


/* without memory there is none, which whoever waits will see */

static void
ngx_http_pki_list_turn(ngx_event_t *ev)
{
    ngx_http_pki_list_slot_t *slot = ev->data;

    if (ngx_http_pki_list_unwritten(slot)
        && ngx_http_pki_list_pem(slot->list) == NGX_AGAIN)
    {
        ngx_post_event(ev, &ngx_posted_next_events);
        return;
    }

    ngx_http_pki_list_wake(slot);
}


/* some lines more; NGX_AGAIN: that was not all */

static ngx_int_t
ngx_http_pki_list_pem(ngx_http_pki_list_t *list)
{
    u_char  *p;
    size_t   lines;

    if (list->pem.data == NULL) {
        lines = (list->info.len + NGX_HTTP_PKI_LIST_LINE - 1)
                / NGX_HTTP_PKI_LIST_LINE;

        p = ngx_alloc(sizeof(ngx_http_pki_pem_begin)
                      + sizeof(ngx_http_pki_pem_end)
                      + lines
                        * (ngx_base64_encoded_length(NGX_HTTP_PKI_LIST_LINE)
                           + 1),
                      ngx_cycle->log);
        if (p == NULL) {
            return NGX_ERROR;
        }

        list->pem.data = p;
        list->line = list->der;
        list->last = ngx_cpymem(p, ngx_http_pki_pem_begin,
                                sizeof(ngx_http_pki_pem_begin) - 1);
    }

    ngx_http_pki_list_lines(list);

    if (list->line < list->der + list->info.len) {
        return NGX_AGAIN;
    }

    p = ngx_cpymem(list->last, ngx_http_pki_pem_end,
                   sizeof(ngx_http_pki_pem_end) - 1);
    list->pem.len = p - list->pem.data;

    return NGX_OK;
}


static void
ngx_http_pki_list_lines(ngx_http_pki_list_t *list)
{
    u_char      *end;
    ngx_str_t    line, text;
    ngx_uint_t   n;

    end = list->der + list->info.len;

    for (n = 0; n < NGX_HTTP_PKI_LIST_TURN && list->line < end; n++) {
        line.data = list->line;
        line.len = ngx_min((size_t) (end - line.data),
                           NGX_HTTP_PKI_LIST_LINE);
        text.data = list->last;
        ngx_encode_base64(&text, &line);

        list->line += line.len;
        list->last += text.len;
        *list->last++ = LF;
    }
}


/* one who is woken may ask again, and wait */

static void
ngx_http_pki_list_wake(ngx_http_pki_list_slot_t *slot)
{
    ngx_queue_t           waits, *q;
    ngx_http_pki_wait_t  *wait;

    slot->loading = 0;
    slot->pem = 0;

    ngx_queue_init(&waits);

    while (!ngx_queue_empty(&slot->waits)) {
        q = ngx_queue_head(&slot->waits);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&waits, q);
    }

    while (!ngx_queue_empty(&waits)) {
        q = ngx_queue_head(&waits);
        ngx_queue_remove(q);

        wait = ngx_queue_data(q, ngx_http_pki_wait_t, flight);
        ngx_http_pki_wake(wait, slot);
    }
}


/* what was being loaded */

static void
ngx_http_pki_list_drop(ngx_http_pki_list_slot_t *slot)
{
    if (slot->loaded) {
        ngx_http_pki_list_free(slot->loaded);
        slot->loaded = NULL;
    }

    EVP_MD_CTX_free(slot->hash);
    slot->hash = NULL;
}


static void
ngx_http_pki_list_free(void *data)
{
    ngx_http_pki_list_t *list = data;

    if (--list->holders) {
        return;
    }

    if (list->der) {
        ngx_free(list->der);
    }

    if (list->pem.data) {
        ngx_free(list->pem.data);
    }

    ngx_free(list);
}

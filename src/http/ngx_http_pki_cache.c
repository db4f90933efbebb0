
/*
 * What all workers share: counters, tickets and the answers in a ring.
 *
 *   slab pool | header: counters, owners, where the ring stands
 *             | names: states of stores and issuers, a few pages
 *             | buckets: offsets of blobs, by hash of the key
 *             | ring: ... free | tail: oldest ... newest | head: free ...
 *
 * A blob is {size, links, key, ticket, verdict, headers, DER} in one piece;
 * a filler ends the ring when the next blob would not fit before its end.
 * The oldest blob makes room for the newest.  A replaced blob leaves its
 * bucket at once and its space when the tail comes by.  Readers copy out
 * under the lock, so nothing is ever pinned.
 */


#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_CACHE_NAMES    4       /* pages: 32 stores, 64 issuers,
                                               beside directories */
#define NGX_HTTP_PKI_CACHE_MIN      8       /* pages beside the header */
#define NGX_HTTP_PKI_CACHE_ALIGN    64
#define NGX_HTTP_PKI_CACHE_PER      1024    /* octets of ring to a bucket */
#define NGX_HTTP_PKI_CACHE_PROBES   32      /* against made-up collisions */
#define NGX_HTTP_PKI_CACHE_COPY     4096    /* most answers are smaller */
#define NGX_HTTP_PKI_CACHE_STRIPES  8       /* of counters, among workers */
#define NGX_HTTP_PKI_CACHE_NONE     ((size_t) -1)
#define NGX_HTTP_PKI_CACHE_LINE     64


typedef enum {
    NGX_HTTP_PKI_CACHE_FILLER = 0x66696c6c,
    NGX_HTTP_PKI_CACHE_DEAD = 0x64656164,
    NGX_HTTP_PKI_CACHE_LIVE = 0x6c697665
} ngx_http_pki_cache_kind_e;


/* a filler has the first two fields only */

typedef struct {
    size_t                    size;     /* to the next blob */
    size_t                    kind;
    size_t                    prev;     /* in the bucket */
    size_t                    next;
    size_t                    headers;  /* octets, after the struct */
    size_t                    der;      /* octets, after the headers */
    uint32_t                  hash;
    ngx_http_pki_key_t        key;
    ngx_http_pki_ticket_t     ticket;
    pki_verdict_t             verdict;
} ngx_http_pki_blob_t;


/* longer than it must be by a line, so that two workers never share one */

typedef struct {
    ngx_atomic_t              n[NGX_HTTP_PKI_STAT_N];
    u_char                    pad[NGX_HTTP_PKI_CACHE_LINE];
} ngx_http_pki_stripe_t;


struct ngx_http_pki_zone_sh_s {
    /* written once */
    size_t                   *buckets;
    size_t                    nbuckets; /* a power of two */
    u_char                   *ring;
    size_t                    size;

    ngx_http_pki_named_t     *named[NGX_HTTP_PKI_NAMED_N];

    u_char                    pad1[NGX_HTTP_PKI_CACHE_LINE];

    /* under the lock */
    volatile ngx_uint_t       busy;     /* a change is half done */
    size_t                    head;
    size_t                    tail;
    size_t                    used;     /* from tail to head */
    ngx_uint_t                entries;

    u_char                    pad2[NGX_HTTP_PKI_CACHE_LINE];

    /* seldom written, read with each hit */
    ngx_atomic_t              all;
    ngx_atomic_t              owners[NGX_HTTP_PKI_OWNERS];

    u_char                    pad3[NGX_HTTP_PKI_CACHE_LINE];

    ngx_http_pki_stripe_t     stripes[NGX_HTTP_PKI_CACHE_STRIPES];
};


static ngx_int_t ngx_http_pki_zone_init(ngx_shm_zone_t *shm_zone, void *data);
static ngx_int_t ngx_http_pki_zone_ring(ngx_http_pki_zone_t *zone);
static uint32_t ngx_http_pki_ticket_slot(u_char *owner, size_t len);
static ngx_http_pki_blob_t *ngx_http_pki_cache_blob(
    ngx_http_pki_zone_sh_t *sh, size_t offset);
static ngx_int_t ngx_http_pki_cache_find(ngx_http_pki_zone_sh_t *sh,
    uint32_t hash, const ngx_http_pki_key_t *key, ngx_http_pki_blob_t **found);
static ngx_int_t ngx_http_pki_cache_room(ngx_http_pki_zone_t *zone,
    size_t size);
static ngx_int_t ngx_http_pki_cache_evict(ngx_http_pki_zone_t *zone);
static ngx_int_t ngx_http_pki_cache_unlink(ngx_http_pki_zone_sh_t *sh,
    ngx_http_pki_blob_t *blob);
static ngx_int_t ngx_http_pki_cache_link(ngx_http_pki_zone_sh_t *sh,
    ngx_http_pki_blob_t *blob);
static void ngx_http_pki_cache_lock(ngx_http_pki_zone_t *zone);
static void ngx_http_pki_cache_heal(ngx_http_pki_zone_t *zone);
static void ngx_http_pki_cache_reset(ngx_http_pki_zone_sh_t *sh);


ngx_int_t
ngx_http_pki_zone_add(ngx_conf_t *cf, ngx_http_pki_zone_t *zone,
    ngx_str_t *name, size_t size, ngx_uint_t directories)
{
    size_t           min, page;
    ngx_shm_zone_t  *shm_zone;

    /* as large as they are, a page or more each */

    page = ngx_align(sizeof(ngx_http_pki_directory_sh_t), ngx_pagesize)
           / ngx_pagesize;

    zone->names = NGX_HTTP_PKI_CACHE_NAMES + directories * page;

    min = ngx_align(sizeof(ngx_http_pki_zone_sh_t), ngx_pagesize)
          + (NGX_HTTP_PKI_CACHE_MIN + directories * page) * ngx_pagesize;

    if (size < min) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_zone \"%V\" is too small, "
                           "it must be at least %uzk", name, min / 1024);
        return NGX_ERROR;
    }

    shm_zone = ngx_shared_memory_add(cf, name, size, &ngx_http_pki_module);
    if (shm_zone == NULL) {
        return NGX_ERROR;
    }

    if (shm_zone->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_zone \"%V\" is already in use", name);
        return NGX_ERROR;
    }

    shm_zone->init = ngx_http_pki_zone_init;
    shm_zone->data = zone;

    zone->shm_zone = shm_zone;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_pki_zone_t  *old = data;

    size_t                len;
    ngx_http_pki_zone_t  *zone;

    zone = shm_zone->data;

    if (old) {
        zone->sh = old->sh;
        zone->shpool = old->shpool;
        return NGX_OK;
    }

    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        zone->sh = zone->shpool->data;
        return NGX_OK;
    }

    zone->sh = ngx_slab_calloc(zone->shpool, sizeof(ngx_http_pki_zone_sh_t));
    if (zone->sh == NULL) {
        return NGX_ERROR;
    }

    len = sizeof(" in pki_zone \"\"") + shm_zone->shm.name.len;

    zone->shpool->log_ctx = ngx_slab_alloc(zone->shpool, len);
    if (zone->shpool->log_ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(zone->shpool->log_ctx, " in pki_zone \"%V\"%Z",
                &shm_zone->shm.name);

    if (ngx_http_pki_zone_ring(zone) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "pki_zone \"%V\" is too small", &shm_zone->shm.name);
        return NGX_ERROR;
    }

    /* being full of names is for their user to tell */
    zone->shpool->log_nomem = 0;
    zone->shpool->data = zone->sh;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_zone_ring(ngx_http_pki_zone_t *zone)
{
    u_char                  *p;
    size_t                   size;
    ngx_http_pki_zone_sh_t  *sh;

    if (zone->shpool->pfree <= zone->names) {
        return NGX_ERROR;
    }

    size = (zone->shpool->pfree - zone->names) * ngx_pagesize;

    p = ngx_slab_alloc(zone->shpool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    sh = zone->sh;

    sh->nbuckets = NGX_HTTP_PKI_CACHE_ALIGN / sizeof(size_t);

    while (sh->nbuckets * 2 <= size / NGX_HTTP_PKI_CACHE_PER) {
        sh->nbuckets *= 2;
    }

    sh->buckets = (size_t *) p;
    sh->ring = p + sh->nbuckets * sizeof(size_t);
    sh->size = size - sh->nbuckets * sizeof(size_t);

    ngx_http_pki_cache_reset(sh);

    return NGX_OK;
}


void *
ngx_http_pki_zone_named(ngx_cycle_t *cycle, ngx_http_pki_zone_t *zone,
    ngx_http_pki_named_e kind, ngx_str_t *name)
{
    ngx_http_pki_named_t  *named;

    static size_t  sizes[] = {
        sizeof(ngx_http_pki_store_sh_t),
        sizeof(ngx_http_pki_issuer_sh_t),
        sizeof(ngx_http_pki_directory_sh_t)
    };

    if (name->len > PKI_NAME_MAX) {
        return NULL;
    }

    ngx_shmtx_lock(&zone->shpool->mutex);

    for (named = zone->sh->named[kind]; named; named = named->next) {
        if (ngx_strlen(named->name) == name->len
            && ngx_memcmp(named->name, name->data, name->len) == 0)
        {
            goto done;
        }
    }

    named = ngx_slab_calloc_locked(zone->shpool, sizes[kind]);
    if (named == NULL) {
        goto done;
    }

    ngx_memcpy(named->name, name->data, name->len);
    named->next = zone->sh->named[kind];

    ngx_memory_barrier();

    zone->sh->named[kind] = named;

done:

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (named == NULL) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "pki_zone has no room for \"%V\"", name);

        named = ngx_pcalloc(cycle->pool, sizes[kind]);
    }

    return named;
}


void
ngx_http_pki_count(ngx_http_pki_zone_t *zone, ngx_http_pki_stat_e stat,
    ngx_uint_t n)
{
    ngx_http_pki_stripe_t  *stripe;

    stripe = &zone->sh->stripes[ngx_worker % NGX_HTTP_PKI_CACHE_STRIPES];

    (void) ngx_atomic_fetch_add(&stripe->n[stat], n);
}


ngx_uint_t
ngx_http_pki_counted(ngx_http_pki_zone_t *zone, ngx_http_pki_stat_e stat)
{
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < NGX_HTTP_PKI_CACHE_STRIPES; i++) {
        n += zone->sh->stripes[i].n[stat];
    }

    return n;
}


void
ngx_http_pki_cache_usage(ngx_http_pki_zone_t *zone, ngx_uint_t *entries,
    size_t *used, size_t *size)
{
    ngx_http_pki_cache_lock(zone);

    *entries = zone->sh->entries;
    *used = zone->sh->used;
    *size = zone->sh->size;

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


/*
 * The low 32 bits of a counter are enough: to look unchanged it would have
 * to be raised 2^32 times in the life of one answer.
 */

void
ngx_http_pki_ticket_open(ngx_http_pki_zone_t *zone,
    ngx_http_pki_ticket_t *ticket)
{
    ticket->all = (uint32_t) zone->sh->all;
    ticket->n = 0;
}


void
ngx_http_pki_ticket_add(ngx_http_pki_zone_t *zone,
    ngx_http_pki_ticket_t *ticket, u_char *owner, size_t len)
{
    uint32_t  slot;

    if (ticket->n >= NGX_HTTP_PKI_TICKET_MAX) {
        /* it cannot tell all it depends on, so it must not be kept */
        ticket->n = NGX_HTTP_PKI_TICKET_MAX + 1;
        return;
    }

    slot = ngx_http_pki_ticket_slot(owner, len);

    ticket->owners[ticket->n].slot = slot;
    ticket->owners[ticket->n].count = (uint32_t) zone->sh->owners[slot];
    ticket->n++;
}


ngx_uint_t
ngx_http_pki_ticket_valid(ngx_http_pki_zone_t *zone,
    const ngx_http_pki_ticket_t *ticket)
{
    uint32_t  i, slot;

    if (ticket->n > NGX_HTTP_PKI_TICKET_MAX
        || ticket->all != (uint32_t) zone->sh->all)
    {
        return 0;
    }

    for (i = 0; i < ticket->n; i++) {
        slot = ticket->owners[i].slot;

        if (slot >= NGX_HTTP_PKI_OWNERS
            || ticket->owners[i].count != (uint32_t) zone->sh->owners[slot])
        {
            return 0;
        }
    }

    return 1;
}


void
ngx_http_pki_forget(ngx_http_pki_zone_t *zone, u_char *owner, size_t len)
{
    uint32_t  slot;

    slot = ngx_http_pki_ticket_slot(owner, len);

    (void) ngx_atomic_fetch_add(&zone->sh->owners[slot], 1);

    ngx_http_pki_count(zone, NGX_HTTP_PKI_STAT_FORGOTTEN, 1);
}


void
ngx_http_pki_forget_all(ngx_http_pki_zone_t *zone)
{
    (void) ngx_atomic_fetch_add(&zone->sh->all, 1);

    ngx_http_pki_count(zone, NGX_HTTP_PKI_STAT_FORGOTTEN, 1);
}


static uint32_t
ngx_http_pki_ticket_slot(u_char *owner, size_t len)
{
    return ngx_murmur_hash2(owner, len) % NGX_HTTP_PKI_OWNERS;
}


ngx_int_t
ngx_http_pki_cache_get(ngx_http_pki_zone_t *zone,
    const ngx_http_pki_key_t *key, ngx_pool_t *pool,
    ngx_http_pki_answer_t *answer)
{
    u_char               *p, *copy, buffer[NGX_HTTP_PKI_CACHE_COPY];
    size_t                size;
    uint32_t              hash;
    ngx_int_t             rc;
    ngx_http_pki_blob_t  *blob;

    if (key->len == 0 || key->len > NGX_HTTP_PKI_KEY_MAX) {
        return NGX_DECLINED;
    }

    hash = ngx_murmur_hash2((u_char *) key->data, key->len);

    ngx_http_pki_cache_lock(zone);

    rc = ngx_http_pki_cache_find(zone->sh, hash, key, &blob);

    if (rc != NGX_OK || !ngx_http_pki_ticket_valid(zone, &blob->ticket)) {

        if (rc == NGX_ERROR) {
            ngx_http_pki_cache_heal(zone);
        }

        ngx_shmtx_unlock(&zone->shpool->mutex);

        return NGX_DECLINED;
    }

    size = blob->headers + blob->der;

    /* asking a pool may take long, and others wait for the lock */

    copy = (size <= NGX_HTTP_PKI_CACHE_COPY) ? buffer : ngx_pnalloc(pool, size);

    if (copy) {
        ngx_memcpy(copy, (u_char *) blob + sizeof(ngx_http_pki_blob_t), size);

        answer->verdict = blob->verdict;
        answer->headers.len = blob->headers;
        answer->der.len = blob->der;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (copy == NULL) {
        return NGX_ERROR;
    }

    p = copy;

    if (copy == buffer) {
        p = ngx_pnalloc(pool, size);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, buffer, size);
    }

    answer->headers.data = p;
    answer->der.data = p + answer->headers.len;

    return NGX_OK;
}


void
ngx_http_pki_cache_put(ngx_http_pki_zone_t *zone,
    const ngx_http_pki_key_t *key, const ngx_http_pki_ticket_t *ticket,
    const ngx_http_pki_answer_t *answer)
{
    u_char                  *p;
    size_t                   size;
    uint32_t                 hash;
    ngx_int_t                rc;
    ngx_http_pki_blob_t     *blob;
    ngx_http_pki_zone_sh_t  *sh;

    sh = zone->sh;

    if (key->len == 0 || key->len > NGX_HTTP_PKI_KEY_MAX
        || answer->headers.len > sh->size || answer->der.len > sh->size)
    {
        return;
    }

    size = ngx_align(sizeof(ngx_http_pki_blob_t) + answer->headers.len
                     + answer->der.len, NGX_HTTP_PKI_CACHE_ALIGN);

    if (size > sh->size || !ngx_http_pki_ticket_valid(zone, ticket)) {
        return;
    }

    hash = ngx_murmur_hash2((u_char *) key->data, key->len);

    ngx_http_pki_cache_lock(zone);

    sh->busy = 1;
    ngx_memory_barrier();

    rc = ngx_http_pki_cache_find(sh, hash, key, &blob);

    if (rc == NGX_OK) {
        rc = ngx_http_pki_cache_unlink(sh, blob);
    }

    if (rc == NGX_ERROR || ngx_http_pki_cache_room(zone, size) != NGX_OK) {
        goto failed;
    }

    blob = (ngx_http_pki_blob_t *) (sh->ring + sh->head);

    blob->size = size;
    blob->hash = hash;
    blob->headers = answer->headers.len;
    blob->der = answer->der.len;
    blob->key = *key;
    blob->ticket = *ticket;
    blob->verdict = answer->verdict;

    p = (u_char *) blob + sizeof(ngx_http_pki_blob_t);

    /* a verdict alone has neither, and then no octets to copy from */

    if (answer->headers.len) {
        p = ngx_cpymem(p, answer->headers.data, answer->headers.len);
    }

    if (answer->der.len) {
        ngx_memcpy(p, answer->der.data, answer->der.len);
    }

    if (ngx_http_pki_cache_link(sh, blob) != NGX_OK) {
        goto failed;
    }

    sh->head += size;
    sh->used += size;

    if (sh->head == sh->size) {
        sh->head = 0;
    }

    ngx_memory_barrier();
    sh->busy = 0;

    ngx_shmtx_unlock(&zone->shpool->mutex);

    ngx_http_pki_count(zone, NGX_HTTP_PKI_STAT_PUTS, 1);

    return;

failed:

    ngx_http_pki_cache_heal(zone);

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


/*
 * The only way to a blob: whatever the offset and the blob say, the caller
 * stays inside the ring.
 */

static ngx_http_pki_blob_t *
ngx_http_pki_cache_blob(ngx_http_pki_zone_sh_t *sh, size_t offset)
{
    size_t                room;
    ngx_http_pki_blob_t  *blob;

    if (offset >= sh->size || offset % NGX_HTTP_PKI_CACHE_ALIGN) {
        return NULL;
    }

    room = sh->size - offset;
    blob = (ngx_http_pki_blob_t *) (sh->ring + offset);

    if (blob->size == 0 || blob->size > room
        || blob->size % NGX_HTTP_PKI_CACHE_ALIGN)
    {
        return NULL;
    }

    if (blob->kind == NGX_HTTP_PKI_CACHE_FILLER) {
        return blob;
    }

    if (blob->size < sizeof(ngx_http_pki_blob_t)) {
        return NULL;
    }

    room = blob->size - sizeof(ngx_http_pki_blob_t);

    if (blob->headers > room || blob->der > room - blob->headers) {
        return NULL;
    }

    return blob;
}


static ngx_int_t
ngx_http_pki_cache_find(ngx_http_pki_zone_sh_t *sh, uint32_t hash,
    const ngx_http_pki_key_t *key, ngx_http_pki_blob_t **found)
{
    size_t                offset;
    ngx_uint_t            n;
    ngx_http_pki_blob_t  *blob;

    offset = sh->buckets[hash & (sh->nbuckets - 1)];

    for (n = 0; n < NGX_HTTP_PKI_CACHE_PROBES; n++) {

        if (offset == NGX_HTTP_PKI_CACHE_NONE) {
            break;
        }

        blob = ngx_http_pki_cache_blob(sh, offset);

        if (blob == NULL || blob->kind != NGX_HTTP_PKI_CACHE_LIVE) {
            return NGX_ERROR;
        }

        if (blob->hash == hash
            && blob->key.len == key->len
            && ngx_memcmp(blob->key.data, key->data, key->len) == 0)
        {
            *found = blob;
            return NGX_OK;
        }

        offset = blob->next;
    }

    return NGX_DECLINED;
}


/* Makes room for one blob at the head, behind a filler if need be. */

static ngx_int_t
ngx_http_pki_cache_room(ngx_http_pki_zone_t *zone, size_t size)
{
    size_t                   rest;
    ngx_http_pki_blob_t     *filler;
    ngx_http_pki_zone_sh_t  *sh;

    sh = zone->sh;

    for ( ;; ) {

        if (sh->used == 0) {
            sh->head = 0;
            sh->tail = 0;
        }

        if (sh->used > sh->size || sh->head >= sh->size) {
            return NGX_ERROR;
        }

        rest = sh->size - sh->head;

        if (size <= rest) {
            rest = 0;
        }

        if (size + rest <= sh->size - sh->used) {
            break;
        }

        if (ngx_http_pki_cache_evict(zone) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (rest) {
        filler = (ngx_http_pki_blob_t *) (sh->ring + sh->head);

        filler->size = rest;
        filler->kind = NGX_HTTP_PKI_CACHE_FILLER;

        sh->used += rest;
        sh->head = 0;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_cache_evict(ngx_http_pki_zone_t *zone)
{
    ngx_http_pki_blob_t     *blob;
    ngx_http_pki_zone_sh_t  *sh;

    sh = zone->sh;

    blob = ngx_http_pki_cache_blob(sh, sh->tail);

    if (blob == NULL || blob->size > sh->used) {
        return NGX_ERROR;
    }

    if (blob->kind == NGX_HTTP_PKI_CACHE_LIVE) {

        if (ngx_http_pki_cache_unlink(sh, blob) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_http_pki_count(zone, NGX_HTTP_PKI_STAT_EVICTIONS, 1);
    }

    sh->tail += blob->size;
    sh->used -= blob->size;

    if (sh->tail == sh->size) {
        sh->tail = 0;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_cache_unlink(ngx_http_pki_zone_sh_t *sh,
    ngx_http_pki_blob_t *blob)
{
    ngx_http_pki_blob_t  *prev, *next;

    prev = NULL;
    next = NULL;

    if (blob->prev != NGX_HTTP_PKI_CACHE_NONE) {
        prev = ngx_http_pki_cache_blob(sh, blob->prev);

        if (prev == NULL || prev->kind != NGX_HTTP_PKI_CACHE_LIVE) {
            return NGX_ERROR;
        }
    }

    if (blob->next != NGX_HTTP_PKI_CACHE_NONE) {
        next = ngx_http_pki_cache_blob(sh, blob->next);

        if (next == NULL || next->kind != NGX_HTTP_PKI_CACHE_LIVE) {
            return NGX_ERROR;
        }
    }

    if (prev) {
        prev->next = blob->next;

    } else {
        sh->buckets[blob->hash & (sh->nbuckets - 1)] = blob->next;
    }

    if (next) {
        next->prev = blob->prev;
    }

    blob->kind = NGX_HTTP_PKI_CACHE_DEAD;
    sh->entries--;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_cache_link(ngx_http_pki_zone_sh_t *sh, ngx_http_pki_blob_t *blob)
{
    size_t               *bucket;
    ngx_http_pki_blob_t  *next;

    bucket = &sh->buckets[blob->hash & (sh->nbuckets - 1)];

    blob->prev = NGX_HTTP_PKI_CACHE_NONE;
    blob->next = *bucket;

    if (blob->next != NGX_HTTP_PKI_CACHE_NONE) {
        next = ngx_http_pki_cache_blob(sh, blob->next);

        if (next == NULL || next->kind != NGX_HTTP_PKI_CACHE_LIVE) {
            return NGX_ERROR;
        }

        next->prev = (u_char *) blob - sh->ring;
    }

    *bucket = (u_char *) blob - sh->ring;

    blob->kind = NGX_HTTP_PKI_CACHE_LIVE;
    sh->entries++;

    return NGX_OK;
}


/* A raised flag under the lock: its owner was killed in the middle. */

static void
ngx_http_pki_cache_lock(ngx_http_pki_zone_t *zone)
{
    ngx_shmtx_lock(&zone->shpool->mutex);

    if (zone->sh->busy) {
        ngx_http_pki_cache_heal(zone);
    }
}


static void
ngx_http_pki_cache_heal(ngx_http_pki_zone_t *zone)
{
    zone->sh->busy = 1;
    ngx_memory_barrier();

    ngx_http_pki_cache_reset(zone->sh);

    ngx_memory_barrier();
    zone->sh->busy = 0;

    ngx_http_pki_count(zone, NGX_HTTP_PKI_STAT_HEALED, 1);
}


static void
ngx_http_pki_cache_reset(ngx_http_pki_zone_sh_t *sh)
{
    /* NGX_HTTP_PKI_CACHE_NONE in each bucket */
    ngx_memset(sh->buckets, 0xff, sh->nbuckets * sizeof(size_t));

    sh->head = 0;
    sh->tail = 0;
    sh->used = 0;
    sh->entries = 0;
}


/*
 * What the files of the http floor share.  Sections follow the files.
 */

#ifndef _NGX_HTTP_PKI_MODULE_H_INCLUDED_
#define _NGX_HTTP_PKI_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "pki_issuer.h"
#include "pki_json.h"
#include "pki_ocsp.h"
#include "pki_serial.h"
#include "pki_store.h"
#include "pki_verdict.h"


extern ngx_module_t  ngx_http_pki_module;


/* ngx_http_pki_cache.c: the zone, its counters, tickets and the ring */

#define NGX_HTTP_PKI_OWNERS      8192   /* counters; a clash costs a miss */
#define NGX_HTTP_PKI_TICKET_MAX  (1 + PKI_FACTS_OBJECTS)
#define NGX_HTTP_PKI_KEY_MAX     80


/* counted by everyone, shown by ngx_http_pki_status.c */

typedef enum {
    NGX_HTTP_PKI_STAT_GOOD = 0,         /* in the order of pki_outcome_t */
    NGX_HTTP_PKI_STAT_HOLD,
    NGX_HTTP_PKI_STAT_REVOKED,
    NGX_HTTP_PKI_STAT_UNKNOWN,
    NGX_HTTP_PKI_STAT_LATER,
    NGX_HTTP_PKI_STAT_MALFORMED,
    NGX_HTTP_PKI_STAT_UNAUTHORIZED,
    NGX_HTTP_PKI_STAT_INTERNAL,
    NGX_HTTP_PKI_STAT_REFUSED,          /* HTTP 405, 413, 414 */
    NGX_HTTP_PKI_STAT_HITS,
    NGX_HTTP_PKI_STAT_VERDICT_HITS,     /* cached verdict, signed anew */
    NGX_HTTP_PKI_STAT_MISSES,
    NGX_HTTP_PKI_STAT_STALE,
    NGX_HTTP_PKI_STAT_JOINED,           /* waited for another's question */
    NGX_HTTP_PKI_STAT_PUTS,
    NGX_HTTP_PKI_STAT_EVICTIONS,
    NGX_HTTP_PKI_STAT_FORGOTTEN,
    NGX_HTTP_PKI_STAT_HEALED,
    NGX_HTTP_PKI_STAT_SIGNATURES,
    NGX_HTTP_PKI_STAT_SIGN_FAILURES,
    NGX_HTTP_PKI_STAT_SIGN_USEC,        /* sum, microseconds */
    NGX_HTTP_PKI_STAT_API_OK,
    NGX_HTTP_PKI_STAT_API_REFUSED,      /* 4xx */
    NGX_HTTP_PKI_STAT_API_FAILED,       /* 5xx */
    NGX_HTTP_PKI_STAT_N
} ngx_http_pki_stat_e;


/* what all workers know of a store; in the zone, found by its name */

typedef struct ngx_http_pki_store_sh_s  ngx_http_pki_store_sh_t;

struct ngx_http_pki_store_sh_s {
    ngx_http_pki_store_sh_t  *next;
    ngx_atomic_t              heard_at;     /* ngx_current_msec, 0: never */
    ngx_atomic_t              replied_at;   /* ngx_time(), a command's reply */
    ngx_atomic_t              failed_at;    /* ngx_time(), a link's end */
    ngx_atomic_t              latency;      /* microseconds, smoothed */
    ngx_atomic_t              commands;
    ngx_atomic_t              failures;
    ngx_atomic_t              connects;
    u_char                    name[PKI_NAME_MAX + 1];
};


/* what all workers know of an issuer */

typedef struct ngx_http_pki_issuer_sh_s  ngx_http_pki_issuer_sh_t;

struct ngx_http_pki_issuer_sh_s {
    ngx_http_pki_issuer_sh_t *next;
    ngx_atomic_t              signer_not_after;     /* seconds */
    u_char                    name[PKI_NAME_MAX + 1];
};


typedef struct ngx_http_pki_zone_sh_s  ngx_http_pki_zone_sh_t;

typedef struct {
    ngx_http_pki_zone_sh_t   *sh;
    ngx_slab_pool_t          *shpool;
    ngx_shm_zone_t           *shm_zone;
} ngx_http_pki_zone_t;


/*
 * The counters an answer depends on, read before the store is asked.  It is
 * kept with the answer, which is valid while they are unchanged.
 */

typedef struct {
    uint32_t                  all;
    uint32_t                  n;
    struct {
        uint32_t              slot;
        uint32_t              count;
    }                         owners[NGX_HTTP_PKI_TICKET_MAX];
} ngx_http_pki_ticket_t;


typedef struct {
    size_t                    len;
    u_char                    data[NGX_HTTP_PKI_KEY_MAX];
} ngx_http_pki_key_t;


typedef struct {
    pki_verdict_t             verdict;
    ngx_str_t                 headers;  /* the caller's own octets */
    ngx_str_t                 der;
} ngx_http_pki_answer_t;


/*
 * Declares the zone at configuration time; its memory holds counters,
 * per-store and per-issuer state and the ring of answers, in the bounds of
 * `size`.  zone->sh is set when the zone is initialised.  A reload with the
 * same size keeps the content.
 */
ngx_int_t ngx_http_pki_zone_add(ngx_conf_t *cf, ngx_http_pki_zone_t *zone,
    ngx_str_t *name, size_t size);

/*
 * Finds or makes the shared state of a store or an issuer by name.  Called
 * in init_module or init_process.  NULL: the zone is full.
 */
ngx_http_pki_store_sh_t *ngx_http_pki_zone_store(ngx_http_pki_zone_t *zone,
    ngx_str_t *name);
ngx_http_pki_issuer_sh_t *ngx_http_pki_zone_issuer(ngx_http_pki_zone_t *zone,
    ngx_str_t *name);

void ngx_http_pki_count(ngx_http_pki_zone_t *zone, ngx_http_pki_stat_e stat,
    ngx_uint_t n);
ngx_uint_t ngx_http_pki_counted(ngx_http_pki_zone_t *zone,
    ngx_http_pki_stat_e stat);

/* Entries now in the ring, octets they take, octets there are. */
void ngx_http_pki_cache_usage(ngx_http_pki_zone_t *zone, ngx_uint_t *entries,
    size_t *used, size_t *size);

void ngx_http_pki_ticket_open(ngx_http_pki_zone_t *zone,
    ngx_http_pki_ticket_t *ticket);
void ngx_http_pki_ticket_add(ngx_http_pki_zone_t *zone,
    ngx_http_pki_ticket_t *ticket, u_char *owner, size_t len);
ngx_uint_t ngx_http_pki_ticket_valid(ngx_http_pki_zone_t *zone,
    const ngx_http_pki_ticket_t *ticket);

/* Every answer that depends on the owner is void from now on; lock-free. */
void ngx_http_pki_forget(ngx_http_pki_zone_t *zone, u_char *owner,
    size_t len);
void ngx_http_pki_forget_all(ngx_http_pki_zone_t *zone);

/*
 * NGX_OK: the answer is copied out of the ring, headers and der into pool;
 * NGX_DECLINED: none, or its ticket is not valid any more; NGX_ERROR: no
 * memory in pool.  Whether it is still fresh is the caller's question.
 */
ngx_int_t ngx_http_pki_cache_get(ngx_http_pki_zone_t *zone,
    const ngx_http_pki_key_t *key, ngx_pool_t *pool,
    ngx_http_pki_answer_t *answer);

/*
 * Puts an answer, in place of an older one of the same key.  Too large for
 * the ring, or the ticket not valid any more: nothing happens.
 */
void ngx_http_pki_cache_put(ngx_http_pki_zone_t *zone,
    const ngx_http_pki_key_t *key, const ngx_http_pki_ticket_t *ticket,
    const ngx_http_pki_answer_t *answer);


/* ngx_http_pki_redis.c: the transport that does not wait; subscription */

typedef struct {
    ngx_str_t                 name;
    ngx_str_t                 address;      /* as configured */
    ngx_addr_t               *addr;
    ngx_int_t                 database;
    ngx_str_t                 user;
    ngx_str_t                 secret_file;
    ngx_str_t                 secret;       /* empty: no AUTH */
    ngx_msec_t                timeout;      /* connecting, and each reply */
    ngx_flag_t                tls;
    ngx_str_t                 tls_ca_file;
    ngx_str_t                 tls_name;     /* whom the server must be */
    ngx_ssl_t                *ssl;

    ngx_uint_t                line;         /* where it was configured */
    ngx_str_t                 file;
} ngx_http_pki_store_t;


/*
 * A connection to a store, with its state in the zone.  As a command link
 * it is a transport; with news it subscribes to PKI_NEWS_CHANNEL instead.
 */

typedef struct ngx_http_pki_redis_s  ngx_http_pki_redis_t;

typedef struct {
    /* on each completed subscription: whatever was missed is unknown */
    void                    (*subscribed)(void *data);
    void                    (*message)(void *data, u_char *text, size_t len);
    /* the server has answered a ping that was sent at this ngx_current_msec,
       so all news from before that moment have been delivered */
    void                    (*heard)(void *data, ngx_msec_t at);
    void                     *data;
    ngx_msec_t                interval;     /* of pings */
} ngx_http_pki_news_t;


/*
 * Makes a link in this worker and begins to connect.  news, if not NULL,
 * must live as long as the link.  The link reconnects by itself, with
 * jitter and backoff, until it is destroyed.  NULL: no memory.
 */
ngx_http_pki_redis_t *ngx_http_pki_redis_create(ngx_cycle_t *cycle,
    ngx_http_pki_store_t *store, ngx_http_pki_store_sh_t *sh,
    ngx_http_pki_news_t *news);

/* Calls what still waits with NULL, closes, frees. */
void ngx_http_pki_redis_destroy(ngx_http_pki_redis_t *link);

/* The link's face for the store floor. */
pki_redis_t *ngx_http_pki_redis_transport(ngx_http_pki_redis_t *link);


#endif /* _NGX_HTTP_PKI_MODULE_H_INCLUDED_ */

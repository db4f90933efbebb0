
/*
 * What the files of the http floor share.  Sections follow the files; what
 * is about REST calls, directories, callers, certificates on record,
 * enrolment and CRLs has headers of its own, at the end.
 */

#ifndef _NGX_HTTP_PKI_MODULE_H_INCLUDED_
#define _NGX_HTTP_PKI_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "pki_book.h"
#include "pki_cert.h"
#include "pki_clerk.h"
#include "pki_dialect.h"
#include "pki_issuer.h"
#include "pki_json.h"
#include "pki_ocsp.h"
#include "pki_poller.h"
#include "pki_question.h"
#include "pki_serial.h"
#include "pki_state.h"
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
    NGX_HTTP_PKI_STAT_WANTED,           /* waited for a live lookup */
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
    NGX_HTTP_PKI_STAT_ISSUED,
    NGX_HTTP_PKI_STAT_ENROLL_REFUSED,   /* 4xx, but not 429 */
    NGX_HTTP_PKI_STAT_ENROLL_BUSY,      /* 429 */
    NGX_HTTP_PKI_STAT_ENROLL_FAILED,    /* 5xx */
    NGX_HTTP_PKI_STAT_N
} ngx_http_pki_stat_e;


/* what all workers know of something with a name; in the zone */

typedef enum {
    NGX_HTTP_PKI_NAMED_STORE = 0,
    NGX_HTTP_PKI_NAMED_ISSUER,
    NGX_HTTP_PKI_NAMED_DIRECTORY,
    NGX_HTTP_PKI_NAMED_N
} ngx_http_pki_named_e;


typedef struct ngx_http_pki_named_s  ngx_http_pki_named_t;

struct ngx_http_pki_named_s {
    ngx_http_pki_named_t     *next;
    u_char                    name[PKI_NAME_MAX + 1];
};


typedef struct {
    ngx_http_pki_named_t      named;
    ngx_atomic_t              heard_at;     /* ngx_current_msec, 0: never */
    ngx_atomic_t              replied_at;   /* ngx_time(), a command's reply */
    ngx_atomic_t              failed_at;    /* ngx_time(), a link's end */
    ngx_atomic_t              latency;      /* microseconds, smoothed */
    ngx_atomic_t              commands;
    ngx_atomic_t              failures;
    ngx_atomic_t              connects;
} ngx_http_pki_store_sh_t;


typedef struct {
    ngx_http_pki_named_t      named;
    ngx_atomic_t              signer_not_after;     /* seconds */
    pki_clerk_stats_t         lists;        /* as this host's clerk says;
                                               written by worker 0 alone */
} ngx_http_pki_issuer_sh_t;


/*
 * What this host's poller says about a directory; written by worker 0 alone.
 * A reader may see numbers of two moments side by side.
 */

typedef struct {
    ngx_http_pki_named_t      named;
    ngx_atomic_t              forged_at;    /* the last line about a hook;
                                               written by all */
    ngx_atomic_t              n;            /* resources */
    pki_poller_stats_t        resources[PKI_RESOURCES_MAX];
                                            /* without their strings */
} ngx_http_pki_directory_sh_t;


typedef struct ngx_http_pki_zone_sh_s  ngx_http_pki_zone_sh_t;

typedef struct {
    ngx_http_pki_zone_sh_t   *sh;
    ngx_slab_pool_t          *shpool;
    ngx_shm_zone_t           *shm_zone;
    ngx_uint_t                names;        /* pages that names may take */
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
 * `size`, with room for so many directories.  zone->sh is set when the zone
 * is initialised.  A reload with the same size keeps the content.
 */
ngx_int_t ngx_http_pki_zone_add(ngx_conf_t *cf, ngx_http_pki_zone_t *zone,
    ngx_str_t *name, size_t size, ngx_uint_t directories);

/*
 * Finds or makes the shared state of a store, an issuer or a directory by
 * name.  Called in init_module, where a failure ends a running master: in a
 * full zone it is each worker's own, with a warning.  NULL: no memory.
 */
void *ngx_http_pki_zone_named(ngx_cycle_t *cycle, ngx_http_pki_zone_t *zone,
    ngx_http_pki_named_e kind, ngx_str_t *name);

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

    ngx_uint_t                index;
    ngx_http_pki_store_sh_t  *sh;           /* set when the zone is */
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


/* ngx_http_pki_conf.c: blocks, defaults, checks across blocks */

typedef enum {
    NGX_HTTP_PKI_RESPONDER_AUTO = 0,
    NGX_HTTP_PKI_RESPONDER_CA,
    NGX_HTTP_PKI_RESPONDER_FILE
} ngx_http_pki_responder_e;


/*
 * A directory.  The settings that need no more than a slot stand in `conf`
 * from the first; ngx_http_pki_directory_resolve() completes it.
 */

typedef struct {
    ngx_str_t                 name;         /* terminated */
    ngx_uint_t                index;
    ngx_str_t                 file;         /* where it was configured */
    ngx_uint_t                line;
    ngx_http_pki_store_t     *store;        /* that of its issuers; or NULL */

    ngx_str_t                 url;
    ngx_str_t                 tenant;
    ngx_str_t                 token_url;
    ngx_str_t                 scope;
    ngx_str_t                 ca_scope;
    ngx_str_t                 client;
    ngx_str_t                 account;
    ngx_str_t                 secret;
    X509                     *cert;
    EVP_PKEY                 *key;

    ngx_flag_t                poll;
    ngx_flag_t                plain_http;
    ngx_str_t                 ca_file;
    ngx_str_t                 proxy;
    ngx_msec_t                connect_timeout;
    ngx_msec_t                timeout;
    ngx_msec_t                stall_timeout;
    size_t                    max_size;

    ngx_msec_t                interval;
    time_t                    full;
    ngx_msec_t                backoff;
    time_t                    confirm;
    time_t                    settle;
    ngx_uint_t                page;
    ngx_uint_t                lookups;
    ngx_msec_t                lookup_timeout;

    ngx_uint_t                absent;
    ngx_flag_t                restore;
    ngx_flag_t                wipe;
    ngx_flag_t                unmanaged;
    time_t                    silent;
    ngx_flag_t                endpoint_list;
    ngx_flag_t                revocations;
    ngx_str_t                 external_id;
    ngx_uint_t                resources;    /* NGX_HTTP_PKI_RESOURCE_* */
    ngx_str_t                 hook_url;
    ngx_str_t                 hook_secret;

    time_t                    max_age;      /* 0: for ever */
    ngx_uint_t                last;         /* then the last facts count */

    pki_directory_conf_t      conf;
    ngx_http_pki_directory_sh_t  *sh;
} ngx_http_pki_directory_t;


#define NGX_HTTP_PKI_RESOURCE_DEVICES  0x01
#define NGX_HTTP_PKI_RESOURCE_USERS    0x02
#define NGX_HTTP_PKI_RESOURCE_POLLED   0x03 /* the others are for push */
#define NGX_HTTP_PKI_RESOURCE_SHIFT    8    /* 1 << pki_object_class_t */


/* an issuer's reference to a directory */

typedef struct {
    ngx_str_t                 name;
    ngx_uint_t                line;
    ngx_http_pki_directory_t *directory;    /* when resolved */
} ngx_http_pki_reference_t;


typedef struct {
    ngx_str_t                 name;         /* terminated */
    ngx_uint_t                index;
    ngx_str_t                 file;         /* where it was configured */
    ngx_uint_t                line;
    ngx_str_t                 store_name;
    ngx_http_pki_store_t     *store;

    X509                     *cert;
    EVP_PKEY                 *key;
    ngx_uint_t                responder;
    pki_key_type_t            responder_key;
    time_t                    responder_valid;
    time_t                    responder_backdate;
    X509                     *responder_cert;
    EVP_PKEY                 *responder_pkey;

    ngx_uint_t                sealed;
    pki_serial_keys_t        *serial_keys;
    pki_policy_t              policy;
    ngx_uint_t                unknown;
    ngx_flag_t                extended_revoke;
    time_t                    archive_cutoff;
    ngx_array_t               directories;  /* ngx_http_pki_reference_t */
    ngx_uint_t                devices;      /* 1: each device directory must
                                               have the device; 0: any */
    pki_cert_urls_t           urls;         /* and lifetime, of what it
                                               issues */

    pki_clerk_crl_t           crl;          /* its lists */

    pki_view_t                view;         /* set when names are resolved */
    pki_issuer_t             *ca;
    pki_signer_t             *signer;       /* ca and file; else NULL */
    u_char                    identity[PKI_FINGERPRINT_LEN];
                                            /* all that shapes an answer */
    ngx_http_pki_issuer_sh_t *sh;
} ngx_http_pki_issuer_t;


typedef struct ngx_http_pki_worker_s  ngx_http_pki_worker_t;

typedef struct {
    size_t                    zone_size;
    ngx_http_pki_zone_t       zone;
    ngx_msec_t                news_timeout;
    ngx_flag_t                stale_answers;
    ngx_array_t               stores;       /* ngx_http_pki_store_t * */
    ngx_array_t               issuers;      /* ngx_http_pki_issuer_t * */
    ngx_array_t               directories;  /* ngx_http_pki_directory_t * */
    ngx_array_t               profiles;     /* ngx_http_pki_profile_t * */
    ngx_array_t               jwts;         /* ngx_http_pki_jwt_t * */
    ngx_uint_t                signatures;   /* that may wait in a worker */
    ngx_http_pki_worker_t    *worker;       /* of this process, or NULL */
} ngx_http_pki_main_conf_t;


/* what one location answers for, and where that was said */

typedef struct {
    ngx_str_t                 file;
    ngx_uint_t                line;
    ngx_str_t                 directive;
    ngx_array_t              *names;        /* NULL: all issuers */
    ngx_http_pki_issuer_t   **issuers;
    ngx_uint_t                n;
} ngx_http_pki_scope_t;


/* roles: bits, of what a caller may and of what a call needs one of */

#define NGX_HTTP_PKI_ROLE_READ      0x01
#define NGX_HTTP_PKI_ROLE_MANAGE    0x02    /* includes read */
#define NGX_HTTP_PKI_ROLE_ENROLL    0x04
#define NGX_HTTP_PKI_ROLE_SELF      0x08    /* enrolment for oneself */
#define NGX_HTTP_PKI_ROLE_ADMIN     0x10    /* includes all */


typedef struct {
    u_char                    hash[PKI_FINGERPRINT_LEN];    /* SHA-256 */
    ngx_uint_t                roles;
    ngx_str_t                 name;
    ngx_array_t              *issuers;      /* ngx_str_t; NULL: all */
} ngx_http_pki_token_t;


/* a file's own settings of a location or of the whole; see its header */

typedef struct ngx_http_pki_auth_conf_s    ngx_http_pki_auth_conf_t;
typedef struct ngx_http_pki_crl_conf_s     ngx_http_pki_crl_conf_t;
typedef struct ngx_http_pki_enroll_conf_s  ngx_http_pki_enroll_conf_t;
typedef struct ngx_http_pki_profile_s      ngx_http_pki_profile_t;
typedef struct ngx_http_pki_jwt_s          ngx_http_pki_jwt_t;


typedef enum {
    NGX_HTTP_PKI_STATUS_JSON = 0,
    NGX_HTTP_PKI_STATUS_PROMETHEUS,
    NGX_HTTP_PKI_STATUS_PROBE
} ngx_http_pki_status_e;


typedef struct {
    ngx_http_handler_pt       handler;      /* ours, of this location */
    ngx_http_pki_scope_t      scope;        /* of the handler */
    ngx_uint_t                status;       /* its format */
    ngx_http_pki_directory_t *directory;    /* of a hook */

    ngx_uint_t                max_certs;
    size_t                    max_size;
    ngx_array_t              *tokens;       /* ngx_http_pki_token_t */

    ngx_http_pki_auth_conf_t    *auth;      /* NULL: nothing of it is set */
    ngx_http_pki_enroll_conf_t  *enroll;
    ngx_http_pki_crl_conf_t     *crl;
} ngx_http_pki_loc_conf_t;


void *ngx_http_pki_create_main_conf(ngx_conf_t *cf);
char *ngx_http_pki_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_pki_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_pki_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);

char *ngx_http_pki_ocsp(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_tokens(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_hook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/* ngx_http_pki_commands.c: the table of directives */

extern ngx_command_t  ngx_http_pki_commands[];


/* ngx_http_pki_block.c: what blocks share; the block pki_store */

/* bits of ngx_command_t.type that nginx leaves free for any module type */

#define NGX_HTTP_PKI_STORE_CONF      0x00100000
#define NGX_HTTP_PKI_ISSUER_CONF     0x00200000
#define NGX_HTTP_PKI_DIRECTORY_CONF  0x00400000
#define NGX_HTTP_PKI_PROFILE_CONF    0x00800000
#define NGX_HTTP_PKI_JWT_CONF        0x00080000

/* Parses a block's directives into the noun. */
char *ngx_http_pki_block(ngx_conf_t *cf, ngx_uint_t type, void *noun);
ngx_int_t ngx_http_pki_block_name(ngx_conf_t *cf, ngx_str_t *name);

/* Seconds, more than none and not absurdly many; NGX_ERROR otherwise. */
time_t ngx_http_pki_life(ngx_str_t *s);

/* Reads "<prefix><time>"; NGX_DECLINED: another prefix. */
ngx_int_t ngx_http_pki_time_arg(ngx_str_t *arg, const char *prefix,
    time_t *value);

/* The store as a thread's own connection reaches it. */
ngx_int_t ngx_http_pki_store_sync(ngx_conf_t *cf, ngx_http_pki_store_t *store,
    pki_redis_sync_conf_t *redis);

char *ngx_http_pki_store_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_address(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/* ngx_http_pki_issuer.c: the block pki_issuer */

char *ngx_http_pki_issuer_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_certificate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_responder(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_serial_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_validity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_store_name(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_reference(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_reason(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* Sets issuer->identity, when its store and directories are known. */
ngx_int_t ngx_http_pki_issuer_identity(ngx_http_pki_issuer_t *issuer);


/* ngx_http_pki_file.c: certificates, keys and secrets out of files */

/*
 * Each logs its error with the path in quotes and never what the file
 * holds, and frees what it returned when cf->pool is destroyed.
 */
X509 *ngx_http_pki_read_cert(ngx_conf_t *cf, ngx_str_t *path);
EVP_PKEY *ngx_http_pki_read_key(ngx_conf_t *cf, ngx_str_t *name);
ngx_int_t ngx_http_pki_read_secret(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *secret);
pki_serial_keys_t *ngx_http_pki_read_serial_keys(ngx_conf_t *cf,
    ngx_str_t *path);
ngx_array_t *ngx_http_pki_read_tokens(ngx_conf_t *cf, ngx_str_t *path);
ngx_array_t *ngx_http_pki_read_challenges(ngx_conf_t *cf, ngx_str_t *path);
pki_token_keys_t *ngx_http_pki_read_key_set(ngx_conf_t *cf, ngx_str_t *path);


/* ngx_http_pki_request.c: body, wait, wake, reply */

typedef struct ngx_http_pki_ctx_s   ngx_http_pki_ctx_t;
typedef struct ngx_http_pki_wait_s  ngx_http_pki_wait_t;

/*
 * Goes on with a request that waited; reply is what the callback brought
 * and gone when the handler returns, or NULL: the deadline has passed.
 */
typedef void (*ngx_http_pki_wake_pt)(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);


/* common to all requests of ours; what a handler keeps hangs on `data` */

struct ngx_http_pki_ctx_s {
    void                     *data;
    ngx_str_t                 caller;       /* who was authorized */
    ngx_uint_t                roles;        /* and for what */
    ngx_array_t              *issuers;      /* ngx_str_t: for whom; NULL: all */
    ngx_str_t                 user;         /* of a token: the UPN, or empty */
    ngx_str_t                 object;       /* of a token: the object id */
    ngx_queue_t               waits;        /* cells not yet woken */
    ngx_event_t               deadline;
    ngx_http_pki_wake_pt      handler;      /* of the last cell: it is told
                                               of the deadline */
    struct ngx_http_pki_stream_s  *stream;  /* the reply, bit by bit */
};


/*
 * The wait cell: what a callback holds in place of a request.  It is on the
 * heap and belongs to the callback, which ends it by waking it, once.
 */

struct ngx_http_pki_wait_s {
    ngx_queue_t               queue;        /* in ctx->waits */
    ngx_queue_t               flight;       /* of whoever will wake it */
    ngx_http_request_t       *request;      /* NULL: gone, or answered */
    ngx_http_pki_wake_pt      handler;
    ngx_uint_t                n;
    void                     *data;         /* of whoever will wake it */
};


/* The request's context, made when it is first asked for; NULL: memory. */
ngx_http_pki_ctx_t *ngx_http_pki_get_ctx(ngx_http_request_t *r);

/*
 * Reads, or for a method without a body discards, the body; then calls
 * handler(r) once.  The return value is the content handler's.
 */
ngx_int_t ngx_http_pki_read_body(ngx_http_request_t *r, size_t max,
    ngx_http_client_body_handler_pt handler);

/*
 * The body as one string, from memory or from a file.  NGX_DECLINED: it is
 * larger than max; NGX_ERROR: memory, or the file.
 */
ngx_int_t ngx_http_pki_body(ngx_http_request_t *r, size_t max,
    ngx_str_t *body);

/*
 * The part of the request line behind the location's name and before '?',
 * with its escapes.  NGX_DECLINED: it does not begin with that name.
 */
ngx_int_t ngx_http_pki_payload(ngx_http_request_t *r, pki_bytes_t *path);

/*
 * Makes a cell and sees to it that the request waits: handler is called when
 * it is woken.  After `timeout` milliseconds, of the first of several cells,
 * the last one's handler is called once with NULL, and for none of the
 * others.  NULL: no memory.
 */
ngx_http_pki_wait_t *ngx_http_pki_wait(ngx_http_request_t *r,
    ngx_http_pki_wake_pt handler, ngx_uint_t n, ngx_msec_t timeout);

/* The request's deadline is `timeout` milliseconds from now. */
void ngx_http_pki_wait_longer(ngx_http_pki_wait_t *wait, ngx_msec_t timeout);

/* Takes a cell back that nobody was told of. */
void ngx_http_pki_wait_cancel(ngx_http_pki_wait_t *wait);

/* A pki_store_done_pt for a cell: wakes with an ngx_http_pki_done_t. */
typedef struct {
    pki_store_result_t        result;
    long long                 n;
    const char               *error;
} ngx_http_pki_done_t;

void ngx_http_pki_done(void *data, pki_store_result_t result, long long n,
    const char *error);

/* Ends a cell and goes on with its request, if that is still there. */
void ngx_http_pki_wake(ngx_http_pki_wait_t *wait, const void *reply);

/* Ends the request's waiting, then the request. */
void ngx_http_pki_finalize(ngx_http_request_t *r, ngx_int_t rc);

/*
 * Sends a reply whose headers, apart from type and length, are set.
 * Returns what to finalize with.
 */
ngx_int_t ngx_http_pki_reply(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, u_char *body, size_t len);

/* The same with the text of a writer, which ends here. */
ngx_int_t ngx_http_pki_reply_json(ngx_http_request_t *r, ngx_uint_t status,
    pki_json_writer_t *w);

/* Adds a header, whose value is not copied.  NULL: no memory. */
ngx_table_elt_t *ngx_http_pki_header(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value);


/* ngx_http_pki_ask.c: asking the store about a certificate */

/* the reply of a wake; all of it is gone when the handler returns */

typedef struct {
    const pki_question_t         *question;
    const ngx_http_pki_ticket_t  *ticket;
    const pki_store_found_t      *found;
} ngx_http_pki_told_t;


/*
 * Asks, and lets the request wait: handler is woken with n and an
 * ngx_http_pki_told_t.  NGX_DECLINED: it waits for a question that was under
 * way already; NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_pki_ask(ngx_http_request_t *r,
    ngx_http_pki_issuer_t *issuer, const pki_serial_t *serial,
    ngx_http_pki_wake_pt handler, ngx_uint_t n);

/* The same of a serial number that is about to be issued: what the directories
   do not know is looked up as if it were recorded. */
ngx_int_t ngx_http_pki_ask_issue(ngx_http_request_t *r,
    ngx_http_pki_issuer_t *issuer, const pki_serial_t *serial,
    ngx_http_pki_wake_pt handler, ngx_uint_t n);

/* Ends the questions that wait for a lookup, at the end of the worker. */
void ngx_http_pki_ask_end(ngx_http_pki_worker_t *worker);


/* ngx_http_pki_signer.c: an issuer's signer in this process */

typedef struct {
    pki_signer_t             *signer;       /* of "responder auto" */
    time_t                    tried_at;     /* the last try to issue one */
    time_t                    logged_at;    /* that there is none */
} ngx_http_pki_slot_t;

/*
 * The signer to use now: renewed when its end is near.  NULL: there is none
 * that is valid, the cause is logged.
 */
pki_signer_t *ngx_http_pki_signer(ngx_http_pki_main_conf_t *mcf,
    ngx_http_pki_issuer_t *issuer, ngx_log_t *log);


/* ngx_http_pki_worker.c: init and exit of a process */

/* a store as one process reaches it */

typedef struct {
    ngx_http_pki_worker_t    *worker;
    ngx_http_pki_zone_t      *zone;
    ngx_http_pki_store_sh_t  *sh;
    ngx_http_pki_redis_t     *commands;
    ngx_http_pki_redis_t     *subscription; /* in worker 0, else NULL */
    time_t                    logged_at;    /* that it did not answer */
    ngx_http_pki_news_t       news;
} ngx_http_pki_link_t;


typedef struct ngx_http_pki_clerk_s  ngx_http_pki_clerk_t;
typedef struct ngx_http_pki_sidecar_s  ngx_http_pki_sidecar_t;


struct ngx_http_pki_worker_s {
    ngx_http_pki_sidecar_t   *sidecar;      /* in worker 0, when there is
                                               something to poll */
    ngx_http_pki_link_t      *links;        /* one per store */
    ngx_uint_t                nlinks;
    ngx_http_pki_slot_t      *slots;        /* one per issuer */
    ngx_uint_t                nslots;
    ngx_rbtree_t              flights;      /* questions under way */
    ngx_rbtree_node_t         sentinel;
    ngx_uint_t                lookups;      /* of them wait for a lookup */
    ngx_uint_t                scans;        /* requests that go over pages */
    struct ngx_http_pki_sign_s  *sign;      /* who waits for a signature */
    struct ngx_http_pki_list_slot_s  *lists;    /* kept CRLs, or NULL */
};


ngx_int_t ngx_http_pki_init_module(ngx_cycle_t *cycle);
ngx_int_t ngx_http_pki_init_process(ngx_cycle_t *cycle);
void ngx_http_pki_exit_process(ngx_cycle_t *cycle);

/*
 * The worker's state; made here when there is none yet, as after a reload
 * with master_process off, which does not run init_process.
 */
ngx_http_pki_worker_t *ngx_http_pki_get_worker(ngx_http_pki_main_conf_t *mcf);

/* The command link to a store. */
pki_redis_t *ngx_http_pki_transport(ngx_http_pki_main_conf_t *mcf,
    ngx_http_pki_store_t *store);

/* Logs why the store did not answer, at most once a second. */
void ngx_http_pki_store_failed(ngx_http_pki_main_conf_t *mcf,
    ngx_http_pki_store_t *store, const char *error, ngx_log_t *log);

/* Is the news from this store fresh enough to believe the cache? */
ngx_uint_t ngx_http_pki_heard(ngx_http_pki_main_conf_t *mcf,
    ngx_http_pki_store_t *store);


/* a file for each thing served */

ngx_int_t ngx_http_pki_ocsp_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_pki_api_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_pki_auth_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_pki_status_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_pki_hook_handler(ngx_http_request_t *r);


#include "ngx_http_pki_api.h"
#include "ngx_http_pki_directory.h"
#include "ngx_http_pki_auth.h"
#include "ngx_http_pki_certificates.h"
#include "ngx_http_pki_enroll.h"
#include "ngx_http_pki_crl.h"


#endif /* _NGX_HTTP_PKI_MODULE_H_INCLUDED_ */

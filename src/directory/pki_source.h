
/*
 * A directory inside the poller: what pki_poller.c, pki_round.c and
 * pki_lookup.c share.  All of it belongs to the poller's thread.
 *
 * Redis is asked by waiting (pki_redis_sync), so a call of these functions
 * may take the store's timeout; a stop ends it.  Whatever Redis cannot
 * acknowledge fails the round, whose old link stays.
 */

#ifndef PKI_SOURCE_H
#define PKI_SOURCE_H


#include "pki_poller.h"


#define PKI_SOURCE_LOOKUPS   4      /* under way at once */
#define PKI_SOURCE_SLEEP     60000  /* milliseconds: nothing to wait for */
#define PKI_SOURCE_BACKOFF   1000   /* milliseconds, the first one; doubles */
#define PKI_SOURCE_BACKOFF_MAX  300000  /* where the configuration has none */
#define PKI_SOURCE_ASKED_MAX    300000  /* of a Retry-After, however absurd */


typedef struct pki_source_s  pki_source_t;
typedef struct pki_machine_s  pki_machine_t;   /* a round, with its engine */
typedef struct pki_lookup_s  pki_lookup_t;     /* lookups of one source */


/* how it stands with a token of a source; pki_source.c's, begins as zeros */

typedef struct {
    pki_source_t             *source;
    unsigned                  which;        /* of source->login */
    unsigned                  asking:1;     /* a request is under way */
    unsigned                  failures;     /* in a row */
    long long                 until;        /* none is asked for before */
    pki_login_result_t        result;       /* of the last request */
    pki_err_t                 err;          /* why it was not OK */
} pki_source_login_t;


/* what a verb of the store told: filled by the callbacks of pki_answer.c */

typedef struct {
    pki_store_result_t        result;
    long long                 n;
    pki_state_applied_t       applied;
    pki_state_sync_t          sync;         /* link: in `strings` */
    pki_state_item_t         *items;        /* strings too */
    size_t                    nitems;
    unsigned long long        next;
    char                     *strings;      /* owned */
    pki_err_t                 err;          /* of FAILED */
} pki_answer_t;


struct pki_source_s {
    pki_poller_t             *poller;
    const pki_directory_conf_t  *conf;      /* the poller's copy */

    pki_fetch_t              *fetch;        /* the poller's */
    pki_fetch_peer_t         *peer;
    pki_login_t              *login[2];     /* conf->login, conf->login_ca */
    pki_source_login_t        logins[2];    /* of login[] */

    pki_redis_sync_t         *sync;         /* NULL: no connection */
    pki_redis_t              *redis;
    long long                 redis_at;     /* when to connect again */
    unsigned                  redis_failures;

    char                      token[PKI_LEASE_SIZE];  /* of the lease */
    unsigned                  holder:1;
    unsigned                  hinted:1;
    long long                 lease_at;     /* when to renew */

    pki_machine_t            *machines[PKI_RESOURCES_MAX];
    unsigned                  nmachines;
    pki_lookup_t             *lookup;
    long long                 report_at;    /* when to tell about itself; 0:
                                               nothing to tell */

    /* pki_holder.c's */

    long long                 reported;     /* when it last told */
    long long                 tried;        /* when it last tried for the
                                               lease */
    time_t                    asked_at;     /* a round, a release that it */
    time_t                    release_at;   /* has heard of */
    unsigned                  running:1;    /* machines may be at work */
    unsigned                  elsewhere:1;  /* it was told that another polls */
    unsigned                  claimed:1;    /* the lease may be ours */
    pki_err_t                 said;         /* about Redis; "": all is well */
};


/* pki_directory.c: a copy of the settings; NULL: no memory.  free wipes what
   may be secret and accepts NULL. */
pki_directory_conf_t *pki_directory_copy(const pki_directory_conf_t *conf);
void pki_directory_free(pki_directory_conf_t *copy);


/* pki_poller.c */

time_t pki_poller_now(const pki_poller_t *poller);
long long pki_poller_mono(const pki_poller_t *poller);
void pki_poller_post(pki_poller_t *poller, int level, const char *text);
int pki_poller_stopping(pki_poller_t *poller);


/* pki_holder.c: a source's connection to Redis and its lease */

/*
 * Makes a source.  The copied conf is taken over, also on failure, after
 * which pki_holder_free() is still due; `fetch` is the poller's, `holder` is
 * shown as the lease's.  PKI_NOT_FOUND: a directory that nobody polls.
 */
pki_rc_t pki_holder_init(pki_source_t *source, pki_poller_t *poller,
    pki_directory_conf_t *conf, pki_fetch_t *fetch, const char *holder,
    pki_err_t *err);

/* To be called once `fetch` is destroyed; twice does no harm. */
void pki_holder_free(pki_source_t *source);

/* Does what is due; returns milliseconds until there is more. */
long pki_holder_tick(pki_source_t *source, long lease);

/* Gives up all work, and the lease as far as the descriptor `stop` of the
   connection leaves time for that. */
void pki_holder_leave(pki_source_t *source);

time_t pki_source_now(const pki_source_t *source);
long long pki_source_mono(const pki_source_t *source);

/* A letter to the maker; level as in pki_mail_t. */
void pki_source_log(pki_source_t *source, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Waits for what was sent to Redis.  PKI_ERROR: it was not acknowledged; the
 * connection is closed, the cause logged once.  Call it after each verb.
 */
pki_rc_t pki_source_wait(pki_source_t *source);

/* A verb replied CONFLICT: the lease is somebody else's. */
void pki_source_lost(pki_source_t *source);

/* The poller's status text is to be written soon. */
void pki_source_dirty(pki_source_t *source);


/*
 * pki_answer.c: the callbacks of all verbs, data being a pki_answer_t; one
 * function of each type, as PKI_STORE_CALLBACKS wants it.
 *
 *     pki_answer_init(&answer);
 *     pki_state_sync(source->redis, ..., pki_answer_sync, &answer);
 *     rc = pki_answer_wait(source, &answer);
 *     ...
 *     pki_answer_free(&answer);
 */

void pki_answer_init(pki_answer_t *answer);
void pki_answer_free(pki_answer_t *answer);         /* may be used again */

void pki_answer_done(void *data, pki_store_result_t result, long long n,
    const char *error);
void pki_answer_applied(void *data, pki_store_result_t result,
    const pki_state_applied_t *applied, const char *error);
void pki_answer_sync(void *data, pki_store_result_t result,
    const pki_state_sync_t *sync, const char *error);
void pki_answer_list(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error);
void pki_answer_changed(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error);

/*
 * Waits for the answer of a verb of pki_state.h.  PKI_OK: DONE, SAME or
 * NOT_FOUND; PKI_INVALID: CONFLICT, so the lease is lost, and
 * pki_source_lost() was called; PKI_ERROR: FAILED, answer->err says why.
 */
pki_rc_t pki_answer_wait(pki_source_t *source, pki_answer_t *answer);


/* pki_machine.c: one machine per resource */

pki_machine_t *pki_machine_create(pki_source_t *source,
    const pki_resource_t *resource);
void pki_machine_destroy(pki_machine_t *machine);   /* ends its request */

/*
 * Does what is due now; returns milliseconds until it has something to do
 * by itself (a reply under way wakes the thread anyhow).  Called only while
 * the source is the holder and Redis is connected.
 */
long pki_machine_tick(pki_machine_t *machine);

/* A round is wanted now; urgent: also while it waits after a failure. */
void pki_machine_hurry(pki_machine_t *machine, int urgent);

/* The lease is gone, or Redis: gives up the round. */
void pki_machine_abandon(pki_machine_t *machine, const char *why);

const pki_resource_t *pki_machine_resource(const pki_machine_t *machine);
unsigned pki_machine_variant(const pki_machine_t *machine);
time_t pki_machine_full_at(const pki_machine_t *machine);   /* 0: never */
long long pki_machine_number(const pki_machine_t *machine); /* of the round */
void pki_machine_stats(const pki_machine_t *machine,
    pki_poller_stats_t *stats);

/* Adds what the status page is to show: items "<resource>.<what>"; the
   strings live in text until the next call for this machine. */
size_t pki_machine_report(pki_machine_t *machine, pki_state_item_t *items,
    size_t max);


/*
 * pki_source.c: a token to go on with.  PKI_OK: *token is set;
 * PKI_NOT_FOUND: one is under way, or must wait because the last attempt
 * failed (err then says why, and is "" otherwise), ask again after *wait
 * milliseconds; PKI_INVALID: refused, err says why, *wait is until the next
 * attempt.
 */
pki_rc_t pki_source_token(pki_source_t *source, unsigned which,
    const char **token, long *wait, pki_err_t *err);

/*
 * Milliseconds to wait after the n-th failure in a row (from 1): 1 s, 2 s,
 * 4 s ... at most conf->backoff, less up to a half by chance.
 */
long pki_source_backoff(const pki_source_t *source, unsigned n);

/*
 * Milliseconds that a reply asks to wait (Retry-After), at most
 * PKI_SOURCE_ASKED_MAX; -1: it does not, or not legibly.
 */
long pki_source_asked(const pki_source_t *source,
    const pki_fetch_result_t *result);


/* pki_lookup.c: single objects, by id */

pki_lookup_t *pki_lookup_create(pki_source_t *source);
void pki_lookup_destroy(pki_lookup_t *lookup);
long pki_lookup_tick(pki_lookup_t *lookup);

/*
 * Queues an object that a full round has not seen; wanted and due ones the
 * lookup finds in Redis itself.  PKI_ERROR: the queue is full.
 */
pki_rc_t pki_lookup_add(pki_lookup_t *lookup, const char *id,
    const char *key);
size_t pki_lookup_room(const pki_lookup_t *lookup);

/* Something is wanted: look into Redis now. */
void pki_lookup_hurry(pki_lookup_t *lookup);
void pki_lookup_abandon(pki_lookup_t *lookup);
void pki_lookup_stats(const pki_lookup_t *lookup, long long *lookups);


#endif /* PKI_SOURCE_H */


/*
 * A machine: one resource of one directory, and its round.  For the files
 * pki_machine.c and pki_round*.c only, which share it like this:
 *
 *   pki_machine.c      the states
 *   pki_round.c        the beginning, what a reply means, what is due next
 *   pki_round_ask.c    requests: what a dialect wants sent, and the sending
 *   pki_round_items.c  the items of a reply, from its values to Redis
 *   pki_round_revoke.c ... those that are certificates to revoke
 *   pki_round_end.c    the end of a round: guard, settle, sweep, commit
 *
 * A machine belongs to the poller's thread.  Redis is asked in ticks only;
 * callbacks of a request do no more than note what came.
 */

#ifndef PKI_ROUND_H
#define PKI_ROUND_H


#include "pki_source.h"


#define PKI_ROUND_TRIES        6        /* of a request once more, in a row */
#define PKI_ROUND_BISECT       3        /* 5xx before a dialect sees it */
#define PKI_ROUND_GAP          100      /* milliseconds between two rounds */
#define PKI_ROUND_PAUSE        250      /* at least, before a request is sent
                                           once more: Retry-After may be 0 */
#define PKI_ROUND_PATIENCE     60000    /* a longer wait that a directory asks
                                           for is told at once */
#define PKI_ROUND_JITTER       200      /* before the first rounds of several */
#define PKI_ROUND_REST         1        /* milliseconds between two parts */
#define PKI_ROUND_SLICES       16       /* steps in Redis at once, so that one
                                           directory does not hold up others */
#define PKI_ROUND_REPORT       10       /* items, each name and value */
#define PKI_ROUND_PAGES_MAX    50000    /* requests of a round: ten times what
                                           500,000 objects in pages of 100
                                           need; links may lead in a circle */
#define PKI_ROUND_HEADERS      3        /* of a dialect */
#define PKI_ROUND_URL_MAX      32768    /* Graph's links have some kilobytes */
#define PKI_ROUND_BLOCK        16384    /* of the arena */


typedef enum {
    PKI_ROUND_IDLE = 0,           /* until `due` */
    PKI_ROUND_SEND,                     /* as soon as there is a token */
    PKI_ROUND_ASKED,                    /* a request is under way */
    PKI_ROUND_REPLIED,                  /* and is over */
    PKI_ROUND_PAUSED,                   /* until `until`, then SEND */
    PKI_ROUND_APPLYING,                 /* a reply's items, some at a time */
    PKI_ROUND_COUNTING,                 /* what was not seen, for the guard */
    PKI_ROUND_SETTLING,
    PKI_ROUND_CLEARING,
    PKI_ROUND_COMMITTING
} pki_round_state_t;


typedef struct pki_items_block_s  pki_items_block_t;


/* the items of one reply; strings are in blocks, which do not move */

typedef struct {
    pki_item_t                *items;
    size_t                     n;
    size_t                     size;
    size_t                     told;        /* unreadable ones too */
    size_t                     unreadable;
    pki_items_block_t         *blocks;
} pki_items_t;


/* the request to send, and to send once more */

typedef struct {
    const char                *method;
    char                      *url;
    const pki_page_shape_t    *shape;
    const char                *headers[PKI_ROUND_HEADERS];
    unsigned char             *body;
    size_t                     len;
    unsigned                   foreign:1;
    unsigned                   set:1;       /* since next() was called */
    unsigned                   tries;       /* failures in a row */
    unsigned                   refused;     /* 401 in a row */
} pki_round_request_t;


struct pki_machine_s {
    pki_round_t                round;       /* first: a dialect's view */
    pki_source_t              *source;
    pki_round_state_t          state;

    /* schedule, in milliseconds of the monotonic clock */

    long long                  due;
    long long                  until;       /* of PAUSED */
    long long                  not_before;  /* the directory asked for it */
    long long                  begun;
    unsigned                   hurry:1;     /* one more round at once */
    unsigned                   full:1;      /* the next one is complete */

    /* of the round */

    time_t                     begun_at;
    long long                  number;
    time_t                     full_at;
    unsigned                   restarted:1;
    unsigned                   linked:1;    /* round.link is new */
    unsigned                   dropped:1;   /* the stored link is of no use */
    unsigned                   abandoned:1;
    unsigned                   inside:1;    /* of a tick */
    unsigned                   listed:1;    /* the last completed was full */
    unsigned                   pages;
    long long                  objects;
    long long                  unreadable;
    long long                  warned;      /* of unreadable, in the log */

    /* of the request */

    pki_round_request_t        request;
    unsigned                   asking:1;    /* done() is owed */
    unsigned                   orphan:1;    /* and nobody waits for it */
    pki_page_t                *page;
    pki_items_t                items;
    size_t                     applied;     /* of them */
    int                        status;      /* of the pieces; 0: none yet */
    pki_rc_t                   read;        /* what became of them */
    pki_err_t                  read_err;
    char                      *token;       /* that it was sent with */
    size_t                     token_len;
    pki_fetch_result_t         result;      /* its error is in fetch_err */
    pki_err_t                  fetch_err;
    char                      *location;

    /* of the end */

    pki_next_t                 how;         /* DONE, PARTIAL or FAIL */
    long                       wait;        /* after a failure, at least */
    unsigned                   held:1;
    unsigned                   absence:1;   /* what was not seen counts */
    long long                  pending;
    long long                  unseen;
    long long                  allowed;
    pki_state_sync_t           sync;        /* at the end; without link */
    time_t                     asked_at;    /* at the beginning */
    unsigned long long         cursor;

    long long                  sweep;       /* number of the round; 0: none */
    unsigned long long         sweep_cursor;
    pki_answer_t               slice;       /* of what it did not see */
    size_t                     slice_next;
    unsigned                   slice_last:1;

    /* failures */

    unsigned                   failures;    /* in a row */
    unsigned                   logged:1;    /* they had their line */
    pki_err_t                  err;         /* of this round */
    pki_err_t                  logged_err;

    pki_poller_stats_t         stats;
    char                       report[PKI_ROUND_REPORT]
                                     [2][PKI_STATE_TEXT_MAX + 1];
};


/* pki_round.c */

void pki_round_begin(pki_machine_t *m);
void pki_round_reply(pki_machine_t *m);         /* one has come, or failed */
void pki_round_take_page(pki_machine_t *m);     /* applies some of it */
void pki_round_clean(pki_machine_t *m);         /* frees what is of the round */

/*
 * The round cannot go on, and m->err says why: what it told so far is
 * settled.  wait: milliseconds before the next round, at least.
 */
void pki_round_fail_after(pki_machine_t *m, long wait);

/* Redis, or the lease, is gone, as pki_answer_wait() said: nothing counts. */
void pki_round_broken(pki_machine_t *m, pki_rc_t rc);

/* The end of the end: completed, or (partial too) not. */
void pki_round_completed(pki_machine_t *m);
void pki_round_failed(pki_machine_t *m);


/* pki_round_ask.c */

/* Sends the request, once there is a token. */
void pki_round_send(pki_machine_t *m);
void pki_round_request_free(pki_machine_t *m);
void pki_round_reply_free(pki_machine_t *m);


/* pki_round_items.c */

pki_rc_t pki_items_add(pki_items_t *items, const pki_item_t *item);
void pki_items_free(pki_items_t *items);

/* Applies some items of a reply.  PKI_NOT_FOUND: there are more; neither
   this nor PKI_OK: the round is over. */
pki_rc_t pki_round_apply(pki_machine_t *m);

/* pki_round_revoke.c: those items that are serial numbers. */
pki_rc_t pki_round_revoke(pki_machine_t *m, pki_item_t *items, size_t n);

/* How a batch of this machine is taken. */
void pki_round_batch(const pki_machine_t *m, pki_state_batch_t *batch);


/* pki_round_end.c */

/* Begins the end of a round: m->how it ends; the next ticks go through it. */
void pki_round_end(pki_machine_t *m);

/* One step of it, and of the sweep that may follow. */
void pki_round_end_step(pki_machine_t *m);
void pki_round_sweep(pki_machine_t *m);


#endif /* PKI_ROUND_H */

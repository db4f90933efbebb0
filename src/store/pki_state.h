
/*
 * What Redis holds of a directory, and the verbs of those who fill it.
 *
 * Keys and records are documented in pki_store.h.  A directory has
 * resources ("devices", "users" ...), each with rounds of its own.  One
 * poller writes, wherever it runs: it holds the directory's lease, and each
 * of its writes proves the lease's token in the same script.
 *
 * Verbs return nothing: each calls its callback exactly once, through the
 * transport, and never from inside the call; arguments are copied.  Results
 * are those of pki_store.h; CONFLICT is, unless said otherwise: the token
 * does not hold the lease, and nothing was written.
 */

#ifndef PKI_STATE_H
#define PKI_STATE_H


#include "pki_store.h"


#define PKI_STATE_APPLY_MAX   64    /* objects at once: Redis stands still for
                                       some 0.5 ms, as do OCSP clients that
                                       the cache cannot help */
#define PKI_STATE_KEY_MAX     255   /* octets of a directory's own key */
#define PKI_STATE_NAME_MAX    1024  /* octets of a UPN or an e-mail address */
#define PKI_STATE_WANTED_MAX  1000  /* objects that wait to be looked up */
#define PKI_STATE_LIST_MAX    1000  /* items of a list */
#define PKI_STATE_TEXT_MAX    512   /* octets of a status field */


/* what a directory told about one object */

typedef struct {
    const char       *id;           /* "device/<guid>" */
    const char       *key;          /* the directory's own; NULL: the id */
    const char       *alias;        /* the id that another directory knows it
                                       by; NULL: the one that is there stays;
                                       "": none */
    const char       *name;         /* a UPN that leads to it, or NULL */
    const char       *owner;        /* the user a device is of ("user/<guid>");
                                       NULL: the one that is there stays; "":
                                       none */
    unsigned          state;        /* PKI_OBJECT_* */
    unsigned          mask;         /* bits that this tells about */
    time_t            since;        /* when that was told */
    time_t            recheck;      /* look at it again then; 0: no need */
} pki_state_object_t;


/* how a batch of them is to be taken */

typedef struct {
    const char       *directory;
    const char       *token;        /* of the lease */
    const char       *resource;
    long long         round;        /* seen in it; 0: the index stays */
    unsigned          sticky;       /* bits that, once set, stay set */
    time_t            settled;      /* what became worse after this moment
                                       does not become better yet, but is to
                                       be looked at again `settle` seconds
                                       after it became so; 0: at once */
    time_t            settle;
    unsigned          stage:1;      /* what becomes worse is put aside for
                                       pki_state_settle(), unless it was not
                                       known before */
    unsigned          first:1;      /* with stage: the resource has had no
                                       complete listing yet */
} pki_state_batch_t;


typedef struct {
    long long         changed;      /* written */
    long long         staged;       /* put aside */
    long long         deferred;     /* not yet believed to be better */
} pki_state_applied_t;


/* where a resource stands */

typedef struct {
    time_t            at;           /* its last completed round; 0: none */
    long long         round;        /* the number of the last begun */
    const char       *link;         /* NULL: none */
    long long         known;        /* objects in its index */
    long long         pending;      /* objects put aside */
    time_t            full_at;      /* its last complete listing; 0: none */
    time_t            guard_at;     /* held back since; 0: not */
    long long         guard_rounds; /* that said the same */
    time_t            release_at;   /* an operator let it pass; 0: no */
    time_t            asked_at;     /* somebody asked for a round; 0: no */
} pki_state_sync_t;


typedef struct {
    const char       *name;
    const char       *value;
} pki_state_item_t;


/* All strings of an answer are gone when the callback returns. */

typedef void (*pki_state_applied_pt)(void *data, pki_store_result_t result,
    const pki_state_applied_t *applied, const char *error);

typedef void (*pki_state_sync_pt)(void *data, pki_store_result_t result,
    const pki_state_sync_t *sync, const char *error);

/* `next` is the cursor to go on with; 0: that was all */

typedef void (*pki_state_list_pt)(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error);


/*
 * Takes or renews a directory's lease for `ttl` milliseconds.  CONFLICT:
 * somebody else holds it.  The token is the caller's, "<holder> <random>";
 * holder is shown.  n is 1 when the lease was free before, also if it was
 * lost, and 0 when renewed.
 */
void pki_state_lease(pki_redis_t *redis, const char *directory,
    const char *token, long ttl, pki_store_done_pt done, void *data);

/*
 * Gives the lease back, if the token holds it; n is 1 when it did.  Wakes
 * the pollers that wait for it.
 */
void pki_state_unlease(pki_redis_t *redis, const char *directory,
    const char *token, pki_store_done_pt done, void *data);

/* Reads where a resource stands.  Needs no lease. */
void pki_state_sync(pki_redis_t *redis, const char *directory,
    const char *resource, pki_state_sync_pt read, void *data);

/*
 * Begins a round: n is its number, and what an earlier one had put aside is
 * dropped.
 */
void pki_state_begin(pki_redis_t *redis, const char *directory,
    const char *token, const char *resource, pki_store_done_pt done,
    void *data);

/*
 * Takes object states, at most PKI_STATE_APPLY_MAX.  A record with the bit
 * MISSING is kept for a day only.  The new state is what
 * `mask` does not cover of the old one, and what was told; sticky bits stay.
 * An object that is in that state already keeps its `since`; so does one
 * that goes from bad to bad, unless what was told is the earlier.  Of an
 * object told twice the last counts.  A state with no bit of PKI_OBJECT_BAD
 * more than the old one is not worse, and ends what was put aside for the
 * object.  A record that is made by a batch whose mask lacks UNCLEAR begins
 * with that bit: to know that a user is not risky is not to know the user.
 *
 * With batch->stage an object is published that changed, unless it is new
 * and without any state in a `first` listing, whose commit is news for all.
 * Without stage each is published of which something is told, also if it is
 * what was known: somebody may wait for it.  So is what an alias has named
 * and names now when it changes, and the object that a name led to before.
 *
 * What was put aside after batch->settled is ended by the listing only, not
 * by what is told without stage; the object is then to be looked at again.
 * Who tells of neither MISSING nor UNCLEAR has not looked at the object: the
 * time to do so stays, unless recheck is earlier.
 */
void pki_state_apply(pki_redis_t *redis, const pki_state_batch_t *batch,
    const pki_state_object_t *objects, size_t n,
    pki_state_applied_pt applied, void *data);

/*
 * Applies some of what was put aside; n is how many are left.
 */
void pki_state_settle(pki_redis_t *redis, const pki_state_batch_t *batch,
    pki_store_done_pt done, void *data);

/*
 * Ends a round: stores time and link.  link NULL: the stored one stays; "":
 * it is dropped.  full: it was a complete listing; the first of a resource
 * is published as news for all.
 */
void pki_state_commit(pki_redis_t *redis, const char *directory,
    const char *token, const char *resource, const char *link, int full,
    time_t at, pki_store_done_pt done, void *data);

/*
 * Notes that the guard holds a resource's round back (n more rounds said
 * so), or, with at 0, that it does not any more.  Also ends an operator's
 * release when at is 0.  The first `at` stays; n is how many rounds said so.
 */
void pki_state_guard(pki_redis_t *redis, const char *directory,
    const char *token, const char *resource, time_t at, long long rounds,
    pki_store_done_pt done, void *data);

/*
 * The objects of a resource that were not seen in `round`, a slice of the
 * index from cursor (0: the beginning): name is the key, value the id.  Those
 * in a state of `except` are left out.
 */
void pki_state_unseen(pki_redis_t *redis, const char *directory,
    const char *resource, long long round, unsigned except,
    unsigned long long cursor, pki_state_list_pt list, void *data);

/*
 * Takes keys out of a resource's index: their objects are gone for good.  n
 * is how many were there.
 */
void pki_state_drop(pki_redis_t *redis, const char *directory,
    const char *token, const char *resource, const char *const *keys,
    size_t n, pki_store_done_pt done, void *data);

/*
 * Ids by the directory's own keys, at most PKI_STATE_APPLY_MAX: name is the
 * key, value the id; a key that is not in the index is left out.
 */
void pki_state_ids(pki_redis_t *redis, const char *directory,
    const char *resource, const char *const *keys, size_t n,
    pki_state_list_pt list, void *data);

/* The id that a UPN leads to, in any case: one item, or NOT_FOUND. */
void pki_state_resolve(pki_redis_t *redis, const char *directory,
    const char *name, pki_state_list_pt list, void *data);

/*
 * Asks for an object to be looked up live by whoever polls the directory.
 * n is 1 when nobody had asked yet; CONFLICT: too many wait already.
 */
void pki_state_want(pki_redis_t *redis, const char *directory,
    const char *id, pki_store_done_pt done, void *data);

/* Takes up to n of what is wanted: name is the id. */
void pki_state_wanted(pki_redis_t *redis, const char *directory,
    const char *token, size_t n, pki_state_list_pt list, void *data);

/*
 * Objects that are to be looked at again by now, at most n, earliest first:
 * name is the id, value its due time.  They stay due until
 * pki_state_recheck() sets another time, or 0: no more.
 */
void pki_state_due(pki_redis_t *redis, const char *directory, time_t now,
    size_t n, pki_state_list_pt list, void *data);
void pki_state_recheck(pki_redis_t *redis, const char *directory,
    const char *token, const char *id, time_t due, pki_store_done_pt done,
    void *data);

/*
 * Counts, and remembers, a lookup that did not find the object; n is the
 * seconds since the first such, 0 being the first.  A pki_state_apply() of the
 * object forgets it, unless it tells of neither MISSING nor UNCLEAR.
 */
void pki_state_absent(pki_redis_t *redis, const char *directory,
    const char *token, const char *id, time_t now, pki_store_done_pt done,
    void *data);

/*
 * One object: an item "state", "since", "alias", "absent", "recheck",
 * "owner" for each that is known; NOT_FOUND.
 */
void pki_state_object(pki_redis_t *redis, const char *directory,
    const char *id, pki_state_list_pt list, void *data);

/*
 * Somebody wants something of whoever polls: a round of all resources
 * ("asked"), or that what the guard holds back may pass ("release").  Wakes
 * the poller.
 */
void pki_state_ask(pki_redis_t *redis, const char *directory,
    const char *what, time_t at, pki_store_done_pt done, void *data);

/*
 * Takes states from outside, for a directory that nobody polls, without a
 * lease; counts as a completed round of the resource "push".
 */
void pki_state_push(pki_redis_t *redis, const char *directory,
    unsigned sticky, const pki_state_object_t *objects, size_t n,
    pki_state_applied_pt applied, void *data);

/*
 * What the poller says about itself, replaced as a whole, and read back by
 * anybody: names and values as written, and "holder", while somebody holds
 * the lease.
 */
void pki_state_report(pki_redis_t *redis, const char *directory,
    const char *token, const pki_state_item_t *items, size_t n,
    pki_store_done_pt done, void *data);
void pki_state_status(pki_redis_t *redis, const char *directory,
    pki_state_list_pt list, void *data);


#endif /* PKI_STATE_H */

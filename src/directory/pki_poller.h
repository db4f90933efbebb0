
/*
 * The sidecar thread that keeps the states of directories fresh in Redis.
 *
 * One thread for all directories: each resource is a small machine
 * (pki_round.c) that waits for its reply or its time, so none waits for
 * another.  It sleeps in one place only, which its bell and a stop end.
 * Only the holder of a directory's lease in Redis asks that directory.
 *
 * The thread shares nothing with its maker but what this header offers: a
 * bounded mailbox for log lines, a copy of its counters, hints and the stop.
 */

#ifndef PKI_POLLER_H
#define PKI_POLLER_H


#include "pki_dialect.h"
#include "pki_thread.h"


/* counters of one resource; all since the thread began */

typedef struct {
    const char       *directory;    /* owned by the poller */
    const char       *resource;
    unsigned          holder:1;     /* this process holds the lease */
    unsigned          guard:1;      /* a round is held back */
    unsigned          failing:1;
    time_t            at;           /* the last completed round; 0: none */
    long              duration;     /* of it, milliseconds */
    long long         objects;      /* told in it */
    long long         known;        /* in the index */
    long long         rounds;       /* completed */
    long long         failures;     /* of rounds */
    long long         requests;
    long long         throttled;    /* replies 429, and 503 with a time */
    long long         changes;      /* of states */
    long long         unreadable;   /* items */
    long long         unclear;      /* items that did not say, in words that
                                       are known, what counts */
    long long         lookups;
} pki_poller_stats_t;


typedef struct {
    const pki_directory_conf_t *const  *directories;
    unsigned          n;
    const char       *holder;       /* shown as the lease's: host and pid */
    long              lease;        /* milliseconds; 0: 15 s */
    /* rings the maker's bell: there is mail; called from the thread */
    void            (*ring)(void *data);
    void             *data;
    /* clocks, for tests; NULL: the system's */
    time_t          (*wall)(void);
    long long       (*mono)(void);  /* milliseconds */
} pki_poller_conf_t;


typedef struct pki_poller_s  pki_poller_t;

/*
 * Starts the thread, with all signals blocked in it but those of faults.
 * Everything is copied (certificates and keys by reference).  The process
 * must have called pki_fetch_global().  NULL with err set.
 */
pki_poller_t *pki_poller_create(const pki_poller_conf_t *conf, pki_err_t *err);

/* Asks the thread to end; returns at once; may be called again. */
void pki_poller_stop(pki_poller_t *poller);

/*
 * Stops, joins (within 100 ms, whatever a directory or Redis does), frees.
 * Leases are given back when Redis answers at once.  Accepts NULL.
 */
void pki_poller_destroy(pki_poller_t *poller);

/*
 * Something is wanted of this directory (wanted objects, a round, a
 * release): looks into Redis soon.  Never blocks; many at once are one.
 * An unknown name is ignored.
 */
void pki_poller_hint(pki_poller_t *poller, const char *directory, size_t len);

/*
 * Takes up to n letters; returns how many.  *lost is the number that did
 * not fit since the last call.
 */
unsigned pki_poller_mail(pki_poller_t *poller, pki_mail_t *mail, unsigned n,
    unsigned long *lost);

/* Copies the counters of up to n resources; returns how many there are. */
unsigned pki_poller_stats(pki_poller_t *poller, pki_poller_stats_t *stats,
    unsigned n);


#endif /* PKI_POLLER_H */

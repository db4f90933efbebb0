
/*
 * The lookups of a source, for the files pki_lookup*.c only:
 *
 *   pki_lookup.c        jobs, queues, what is sent when
 *   pki_lookup_reply.c  what a reply means, and Redis is told
 */

#ifndef PKI_LOOKUP_H
#define PKI_LOOKUP_H


#include "pki_source.h"


#define PKI_LOOKUP_JOBS  256        /* waiting and under way */


typedef struct pki_lookup_job_s  pki_lookup_job_t;

struct pki_lookup_job_s {
    pki_lookup_job_t       *next;
    char                    id[PKI_OBJECT_ID_SIZE];
    char                    key[PKI_STATE_KEY_MAX + 1];     /* "": not known */
    unsigned                tries;
    unsigned                used:1;
    unsigned                waits:1;    /* in a queue */
    unsigned                wanted:1;
    unsigned                due:1;      /* and will be until we say when */
};


typedef struct {
    pki_lookup_job_t       *first;
    pki_lookup_job_t       *last;
} pki_lookup_queue_t;


typedef struct {
    pki_lookup_t           *lookup;
    pki_lookup_job_t       *job;
    pki_machine_t          *machine;
    const pki_resource_t   *resource;
    long long               number;     /* of the round that it began in */
    char                   *token;
    pki_page_shape_t        shape;
    pki_page_t             *page;
    pki_rc_t                read;       /* PKI_OK: all of it was readable */
    pki_fetch_outcome_t     outcome;
    int                     status;
    long                    asked;      /* Retry-After, milliseconds; or -1 */
    pki_err_t               err;
    unsigned                used:1;
    unsigned                ended:1;
    unsigned                orphan:1;   /* nobody waits for the reply */
} pki_lookup_call_t;


struct pki_lookup_s {
    pki_source_t           *source;
    pki_lookup_job_t        jobs[PKI_LOOKUP_JOBS];
    unsigned                njobs;
    pki_lookup_queue_t      queues[2];  /* wanted, and the others */
    pki_lookup_call_t       calls[PKI_SOURCE_LOOKUPS];
    long long               look_at;
    long long               until;      /* nothing is begun before */
    long long               credit;
    long long               credit_at;
    unsigned                failures;   /* in a row */
    long long               lookups;
    pki_err_t               said;       /* "": all is well */
    pki_err_t               odd;        /* the last about one object only */
};


/* pki_lookup.c */

/* Once more, before the others of its kind. */
void pki_lookup_back(pki_lookup_t *lookup, pki_lookup_job_t *job);

/* The job is done with. */
void pki_lookup_end(pki_lookup_t *lookup, pki_lookup_job_t *job);


/* pki_lookup_reply.c */

/* Takes a reply that has ended; its job is put back or ended. */
void pki_lookup_reply(pki_lookup_call_t *call);

/* Looks at an object again at that time; 0: never. */
pki_rc_t pki_lookup_recheck(pki_lookup_t *lookup, const char *id, time_t due);

/*
 * Waits for the answer of a verb.  What Redis has refused is logged here;
 * what it has not answered, and a lost lease, are logged already.
 */
pki_rc_t pki_lookup_kept(pki_lookup_t *lookup, pki_answer_t *answer);

/* One cause, one line. */
void pki_lookup_say(pki_lookup_t *lookup, const char *text);


#endif /* PKI_LOOKUP_H */

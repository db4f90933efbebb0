
/*
 * The clerk inside: what the files of pki_clerk_*.c share.  All of it
 * belongs to the clerk's thread, but for what is marked as under the mutex.
 *
 * Lists are made in blocking style: each step waits for Redis, and rests
 * before the next one.  While one rests, key sets are fetched.
 */

#ifndef PKI_CLERK_JOB_H
#define PKI_CLERK_JOB_H


#include "pki_clerk.h"


#define PKI_CLERK_SLEEP        60000    /* milliseconds, at most */
#define PKI_CLERK_BACKOFF      1000     /* milliseconds, the first one; doubles
                                           to PKI_CLERK_SLEEP */

#define PKI_CLERK_NAMES        128      /* of what has changed; when there are
                                           more, all is looked at */

#define PKI_CLERK_HINT_LIST    0x01     /* all that was revoked by hand */
#define PKI_CLERK_HINT_PASS    0x02     /* all certificates */


/* when the certificate of an entry ends; 0: not known, so never */

typedef struct {
    pki_serial_t      serial;
    time_t            end;
} pki_clerk_end_t;


/* OPENSSL_malloc()ed; an array that grows */

typedef struct {
    pki_crl_entry_t  *entries;
    size_t            n;
    size_t            size;
} pki_clerk_list_t;


/* objects or serial numbers, of which there are news */

typedef struct {
    unsigned          n;
    char              ids[PKI_CLERK_NAMES][PKI_OBJECT_ID_SIZE];
} pki_clerk_names_t;


/* the lists of one issuer */

typedef struct {
    pki_clerk_t      *clerk;
    const pki_clerk_crl_t  *conf;
    pki_redis_sync_conf_t  redis_conf;
    pki_redis_sync_t *redis;        /* NULL: not connected */
    char              token[PKI_LEASE_SIZE];
    unsigned          hints;        /* PKI_CLERK_HINT_*; under the mutex */
    pki_clerk_names_t changed;      /* objects; likewise */
    pki_clerk_names_t touched;      /* certificates; likewise */

    unsigned          holder:1;
    unsigned          claimed:1;    /* it may be, without our knowing */
    unsigned          loaded:1;     /* what is published is known */
    unsigned          whole:1;      /* what was revoked by hand is to be gone
                                       through without further news */
    unsigned          news:1;       /* something is not as the last list says */
    unsigned          pass:1;       /* all pages are to be gone through */
    unsigned          passed:1;     /* and were, in this list */
    unsigned          again:1;      /* ends that were not known are asked for
                                       again */
    long long         due;          /* of the clock that only goes on */
    long long         lease_at;     /* it is to be renewed then */
    long long         wanted_at;    /* a list is; 0: it is not */
    long long         pass_at;      /* not before */
    long long         rest_at;      /* neither of them before; set by what was
                                       published last */

    pki_list_info_t   info[PKI_LIST_N];     /* what is published */
    pki_clerk_list_t  base;         /* the entries of the full one */
    pki_clerk_list_t  last;         /* and as the delta changes them */
    pki_clerk_list_t  gone;         /* those that the delta removes */
    pki_clerk_list_t  now;          /* what is being collected */
    pki_clerk_end_t  *ends;         /* by serial; of what was collected last */
    size_t            nends;

    /* what is under way */

    time_t            at;           /* thisUpdate */
    pki_clerk_names_t objects;      /* of which there are news */
    pki_clerk_names_t certs;
    pki_survey_pt     surveyed;     /* what to do with a survey */
    pki_serial_t      serials[PKI_SURVEY_MAX];
    size_t            nserials;
    pki_serial_t      bound[PKI_BOOK_SERIALS];  /* to an object */
    size_t            nbound;
    pki_clerk_end_t  *asked[PKI_BOOK_SERIALS];  /* whose ends are */
    unsigned char    *text;         /* a page, or a list as it comes */
    size_t            len;
    size_t            size;         /* of text */

    /* the verb's answer */

    pki_store_result_t  result;
    long long         number;
    unsigned long long  next;

    pki_err_t         err;
    pki_err_t         said;         /* in the last line about a failure */
    unsigned          failures;     /* in a row */
    pki_clerk_stats_t stats;        /* a copy is under the mutex */
    pki_clerk_stats_t shown;
} pki_clerk_job_t;


/* one key set */

typedef struct {
    pki_clerk_t      *clerk;
    const pki_clerk_keys_t  *conf;
    pki_fetch_peer_t *peer;
    unsigned          running:1;
    unsigned          overflow:1;
    unsigned          failures;     /* in a row */
    long long         begun;        /* the last fetch; 0: none yet */
    long long         due;
    char             *text;         /* as it comes */
    size_t            len;
    size_t            size;
    pki_err_t         said;

    /* under the mutex */

    char             *kept;         /* NULL: none yet */
    size_t            kept_len;
    unsigned long     generation;
    unsigned          wanted;
} pki_clerk_set_t;


struct pki_clerk_s {
    pki_thread_t      thread;
    pki_fetch_t      *fetch;
    pki_clerk_job_t  *jobs;
    unsigned          njobs;
    pki_clerk_set_t  *sets;
    unsigned          nsets;
    long              lease;
    unsigned          drained:1;    /* a ring was read in a rest */
};


/* pki_clerk.c */

/* Adds a name; 0: there is no room, or it cannot be one. */
int pki_clerk_name_add(pki_clerk_names_t *names, const char *id, size_t len);

/* Adds those of another; 0: there is no room for all. */
int pki_clerk_names_move(pki_clerk_names_t *to, pki_clerk_names_t *from);

/*
 * Lets others have their turn: key sets, and Redis.  PKI_ERROR: the end has
 * come.
 */
pki_rc_t pki_clerk_rest(pki_clerk_t *clerk, long timeout);

/* Leaves a letter about something with a name. */
void pki_clerk_say(pki_clerk_t *clerk, int level, const char *what,
    const char *name, const char *text);

/* One line per cause: not the same twice in a row.  "" ends it. */
void pki_clerk_complain(pki_clerk_t *clerk, const char *what,
    const char *name, pki_err_t *said, const char *text);

long pki_clerk_backoff(unsigned failures);


/* pki_clerk_crl.c */

/* PKI_ERROR: libcrypto; pki_clerk_crl_free() is due in any case. */
pki_rc_t pki_clerk_crl_init(pki_clerk_job_t *job, pki_clerk_t *clerk,
    const pki_clerk_crl_t *conf, const char *holder, pki_err_t *err);
void pki_clerk_crl_free(pki_clerk_job_t *job);

/* Does what is due; returns the milliseconds to sleep. */
long pki_clerk_crl_tick(pki_clerk_job_t *job);

/* The last words: gives the lease back. */
void pki_clerk_crl_leave(pki_clerk_job_t *job);

/*
 * Waits until Redis has answered the verb that was sent.  PKI_ERROR with
 * job->err set: it did not, or the callback has set `result` to FAILED.
 */
pki_rc_t pki_clerk_wait(pki_clerk_job_t *job);

/*
 * A rest between two slices, in which the lease stays ours.  PKI_ERROR
 * without an error: the end has come, or it does not.
 */
pki_rc_t pki_clerk_pause(pki_clerk_job_t *job);

/* All pages are to be gone through, but not before `at`. */
void pki_clerk_pass(pki_clerk_job_t *job, long long at);

/* Notes an answer; for the beginning of each callback. */
void pki_clerk_told(pki_clerk_job_t *job, pki_store_result_t result,
    const char *error);

/* A pki_store_done_pt for a job; n is job->number. */
void pki_clerk_done(void *data, pki_store_result_t result, long long n,
    const char *error);


/* pki_clerk_make.c */

/* Makes and publishes what is due.  PKI_ERROR as pki_clerk_collect(). */
pki_rc_t pki_clerk_make(pki_clerk_job_t *job);

/* When there is something to look at; LLONG_MAX: nothing is wanted. */
long long pki_clerk_look_at(const pki_clerk_job_t *job);

/* Is a complete list due by its time?  Is a delta, where there are any? */
int pki_clerk_full_due(const pki_clerk_job_t *job, time_t now);
int pki_clerk_delta_due(const pki_clerk_job_t *job, time_t now);


/* pki_clerk_list.c; PKI_ERROR with job->err set: memory */

/* By serial number, as pki_crl_sort(). */
int pki_clerk_list_compare(const pki_serial_t *a, const pki_serial_t *b);

/* Adds an entry. */
pki_rc_t pki_clerk_list_add(pki_clerk_job_t *job, pki_clerk_list_t *list,
    const pki_crl_entry_t *entry);

/* The entry of this serial number in a sorted list, or NULL. */
const pki_crl_entry_t *pki_clerk_list_find(const pki_clerk_list_t *list,
    const pki_serial_t *serial);

pki_rc_t pki_clerk_list_copy(pki_clerk_job_t *job, pki_clerk_list_t *to,
    const pki_clerk_list_t *from);

/* Room for n entries. */
pki_rc_t pki_clerk_list_room(pki_clerk_job_t *job, pki_clerk_list_t *list,
    size_t n);

/* Room for `size` octets of job->text. */
pki_rc_t pki_clerk_text_room(pki_clerk_job_t *job, size_t size);


/* pki_clerk_collect.c */

/*
 * Looks at what there are news of; sets job->news if something of that is
 * not as the last list says.  PKI_ERROR as below.
 */
pki_rc_t pki_clerk_collect_news(pki_clerk_job_t *job);

/*
 * Fills job->now with what a list of now has to hold, sorted.  PKI_ERROR
 * with job->err set, or without when there is nothing to say.
 */
pki_rc_t pki_clerk_collect(pki_clerk_job_t *job);


/* pki_clerk_keys.c */

pki_rc_t pki_clerk_keys_init(pki_clerk_set_t *set, pki_clerk_t *clerk,
    const pki_clerk_keys_t *conf, pki_err_t *err);
void pki_clerk_keys_free(pki_clerk_set_t *set);

/* Begins what is due; returns the milliseconds to sleep. */
long pki_clerk_keys_tick(pki_clerk_set_t *set);


#endif /* PKI_CLERK_JOB_H */

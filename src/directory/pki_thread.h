
/*
 * A thread beside its maker's: its life, and its mailbox.
 *
 * What both touch is under one mutex, which serves whoever embeds this for
 * what he shares besides.  The rest belongs to the maker until the thread
 * runs, and again once it is joined.
 */

#ifndef PKI_THREAD_H
#define PKI_THREAD_H


#include "pki.h"

#include <pthread.h>


#define PKI_MAIL_TEXT     400       /* octets of a log line */
#define PKI_MAIL_MAX      64        /* lines; what does not fit is counted */
#define PKI_LEASE_SHOWN   60        /* octets of a lease's token that say whose
                                       it is */
#define PKI_LEASE_RANDOM  16        /* octets of it that nobody else has */
#define PKI_LEASE_SIZE    (PKI_LEASE_SHOWN + 1 + 2 * PKI_LEASE_RANDOM + 1)


typedef struct {
    int               level;        /* as syslog's: 3 error, 4 warning, 5
                                       notice, 6 info */
    char              text[PKI_MAIL_TEXT];
} pki_mail_t;


typedef struct {
    pthread_mutex_t   mutex;
    pki_mail_t        mail[PKI_MAIL_MAX];
    unsigned          first;
    unsigned          nmail;
    unsigned long     lost;
    unsigned          stopping;

    /* constant while the thread runs */

    pthread_t         thread;
    unsigned          ready:1;      /* there is a mutex */
    unsigned          started:1;
    int               wake;         /* an eventfd: look around */
    int               stop;         /* a timerfd: come to an end */
    void            (*ring)(void *data);
    void             *data;
} pki_thread_t;


/*
 * Mutex and descriptors; ring, which may be NULL, is called when there is
 * mail.  PKI_ERROR with err set; pki_thread_free() is due in any case.
 */
pki_rc_t pki_thread_init(pki_thread_t *thread, void (*ring)(void *data),
    void *data, pki_err_t *err);

/* Starts, with all signals blocked but those of faults. */
pki_rc_t pki_thread_start(pki_thread_t *thread, void *(*run)(void *data),
    void *data, pki_err_t *err);

/* Asks the thread to end; returns at once; may be called again. */
void pki_thread_stop(pki_thread_t *thread);

/* Waits for its end, if it was started. */
void pki_thread_join(pki_thread_t *thread);

void pki_thread_free(pki_thread_t *thread);

/* Makes `wake` readable; may be called by anybody. */
void pki_thread_wake(pki_thread_t *thread);

int pki_thread_stopping(pki_thread_t *thread);

/* Takes up to n letters; *lost did not fit since the last call. */
unsigned pki_thread_mail(pki_thread_t *thread, pki_mail_t *mail, unsigned n,
    unsigned long *lost);


/* for the thread itself */

/* Its name, and that requests come first. */
void pki_thread_present(const char *name);

/* Makes `wake` unreadable again.  PKI_ERROR: it cannot be. */
pki_rc_t pki_thread_heed(pki_thread_t *thread);

/* `stop` becomes readable only `timeout` milliseconds from now: the time for
   last words. */
void pki_thread_last(pki_thread_t *thread, long timeout);

/* Leaves a letter; not any more once it is to end. */
void pki_thread_post(pki_thread_t *thread, int level, const char *text);


/*
 * A token for leases: holder as far as it can be shown, a space, and what
 * nobody else has.  PKI_ERROR: no random octets.
 */
pki_rc_t pki_thread_token(char token[PKI_LEASE_SIZE], const char *holder,
    pki_err_t *err);

/* Milliseconds of a clock that only goes on. */
long long pki_thread_mono(void);


#endif /* PKI_THREAD_H */

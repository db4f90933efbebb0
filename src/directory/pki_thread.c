
/*
 * The stop is a timer rather than an eventfd: once it has fired, each wait
 * for Redis ends, and set again it becomes the little time that is left for
 * last words.
 */

#include "pki_thread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <openssl/rand.h>


#define PKI_THREAD_NICE  10         /* as nice(1) is by default */


pki_rc_t
pki_thread_init(pki_thread_t *thread, void (*ring)(void *data), void *data,
    pki_err_t *err)
{
    memset(thread, 0, sizeof(pki_thread_t));

    thread->ring = ring;
    thread->data = data;
    thread->wake = -1;
    thread->stop = -1;

    if (pthread_mutex_init(&thread->mutex, NULL) != 0) {
        pki_err_set(err, "no mutex");
        return PKI_ERROR;
    }

    thread->ready = 1;
    thread->wake = eventfd(0, EFD_CLOEXEC|EFD_NONBLOCK);
    thread->stop = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC|TFD_NONBLOCK);

    if (thread->wake == -1 || thread->stop == -1) {
        pki_err_set(err, "no descriptor: %s", strerror(errno));
        return PKI_ERROR;
    }

    return PKI_OK;
}


/* The thread inherits the mask, so that no signal finds a moment. */

pki_rc_t
pki_thread_start(pki_thread_t *thread, void *(*run)(void *data), void *data,
    pki_err_t *err)
{
    int       rc;
    sigset_t  all, old;

    (void) sigfillset(&all);
    (void) sigdelset(&all, SIGSEGV);
    (void) sigdelset(&all, SIGBUS);
    (void) sigdelset(&all, SIGFPE);
    (void) sigdelset(&all, SIGILL);

    rc = pthread_sigmask(SIG_SETMASK, &all, &old);
    if (rc != 0) {
        pki_err_set(err, "cannot block signals: %s", strerror(rc));
        return PKI_ERROR;
    }

    rc = pthread_create(&thread->thread, NULL, run, data);

    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);

    if (rc != 0) {
        pki_err_set(err, "cannot start a thread: %s", strerror(rc));
        return PKI_ERROR;
    }

    thread->started = 1;

    return PKI_OK;
}


void
pki_thread_stop(pki_thread_t *thread)
{
    /* once: the thread sets the timer again for its last words */

    (void) pthread_mutex_lock(&thread->mutex);

    if (!thread->stopping) {
        thread->stopping = 1;
        pki_thread_last(thread, 0);
    }

    (void) pthread_mutex_unlock(&thread->mutex);

    pki_thread_wake(thread);
}


void
pki_thread_join(pki_thread_t *thread)
{
    if (thread->started) {
        (void) pthread_join(thread->thread, NULL);
        thread->started = 0;
    }
}


void
pki_thread_free(pki_thread_t *thread)
{
    if (thread->wake != -1) {
        (void) close(thread->wake);
        thread->wake = -1;
    }

    if (thread->stop != -1) {
        (void) close(thread->stop);
        thread->stop = -1;
    }

    if (thread->ready) {
        (void) pthread_mutex_destroy(&thread->mutex);
        thread->ready = 0;
    }
}


/* It fails only where the counter is full, and then it rings already. */

void
pki_thread_wake(pki_thread_t *thread)
{
    uint64_t  one = 1;

    if (write(thread->wake, &one, sizeof(one)) == -1) {
        return;
    }
}


int
pki_thread_stopping(pki_thread_t *thread)
{
    int  stopping;

    (void) pthread_mutex_lock(&thread->mutex);
    stopping = thread->stopping;
    (void) pthread_mutex_unlock(&thread->mutex);

    return stopping;
}


unsigned
pki_thread_mail(pki_thread_t *thread, pki_mail_t *mail, unsigned n,
    unsigned long *lost)
{
    unsigned  i;

    (void) pthread_mutex_lock(&thread->mutex);

    for (i = 0; i < n && thread->nmail; i++) {
        mail[i] = thread->mail[thread->first];

        thread->first = (thread->first + 1) % PKI_MAIL_MAX;
        thread->nmail--;
    }

    *lost = thread->lost;
    thread->lost = 0;

    (void) pthread_mutex_unlock(&thread->mutex);

    return i;
}


void
pki_thread_present(const char *name)
{
    /* for whoever looks at the process; no harm if it cannot be */

    (void) prctl(PR_SET_NAME, name, 0, 0, 0);

    /* of this thread alone: requests come first */

    (void) setpriority(PRIO_PROCESS, 0, PKI_THREAD_NICE);
}


pki_rc_t
pki_thread_heed(pki_thread_t *thread)
{
    uint64_t  rings;

    if (read(thread->wake, &rings, sizeof(rings)) == -1 && errno != EAGAIN) {
        return PKI_ERROR;
    }

    return PKI_OK;
}


/* A time of zero would disarm the timer. */

void
pki_thread_last(pki_thread_t *thread, long timeout)
{
    struct itimerspec  t;

    memset(&t, 0, sizeof(t));
    t.it_value.tv_sec = timeout / 1000;
    t.it_value.tv_nsec = timeout % 1000 * 1000000 + 1;

    (void) timerfd_settime(thread->stop, 0, &t, NULL);
}


/*
 * One ring is enough until the box has been emptied.  What the end of the
 * thread breaks is not worth a line.
 */

void
pki_thread_post(pki_thread_t *thread, int level, const char *text)
{
    int          ring;
    char        *p;
    pki_mail_t  *mail;

    ring = 0;

    (void) pthread_mutex_lock(&thread->mutex);

    if (thread->stopping) {
        /* void */

    } else if (thread->nmail == PKI_MAIL_MAX) {
        thread->lost++;

    } else {
        mail = &thread->mail[(thread->first + thread->nmail) % PKI_MAIL_MAX];
        mail->level = level;

        (void) snprintf(mail->text, sizeof(mail->text), "%s", text);

        for (p = mail->text; *p; p++) {
            if ((unsigned char) *p < 0x20 || *p == 0x7f) {
                *p = '?';
            }
        }

        ring = thread->nmail++ == 0;
    }

    (void) pthread_mutex_unlock(&thread->mutex);

    if (ring && thread->ring != NULL) {
        thread->ring(thread->data);
    }
}


/* What is shown ends at the first space of the token. */

pki_rc_t
pki_thread_token(char token[PKI_LEASE_SIZE], const char *holder,
    pki_err_t *err)
{
    char           *p;
    size_t          i;
    unsigned char   octets[PKI_LEASE_RANDOM];

    if (RAND_bytes(octets, sizeof(octets)) != 1) {
        pki_err_ssl(err, "no random octets");
        return PKI_ERROR;
    }

    p = token;

    for (i = 0; holder[i] != '\0' && i < PKI_LEASE_SHOWN; i++) {
        *p++ = holder[i] > 0x20 && holder[i] < 0x7f ? holder[i] : '_';
    }

    *p++ = ' ';

    for (i = 0; i < sizeof(octets); i++) {
        (void) snprintf(p, 3, "%02x", octets[i]);
        p += 2;
    }

    return PKI_OK;
}


long long
pki_thread_mono(void)
{
    struct timespec  t;

    if (clock_gettime(CLOCK_MONOTONIC, &t) == -1) {
        return 0;
    }

    return (long long) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

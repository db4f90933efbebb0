
/*
 * A HTTP server of a test's own, on a free port of 127.0.0.1, with or
 * without TLS: a thread for each connection, which reads a request, notes
 * it and asks the test what to answer.
 */

#ifndef PKI_TEST_SERVER_H
#define PKI_TEST_SERVER_H


#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <openssl/ssl.h>
#include "pki_test.h"


#define PKI_TEST_REQUEST  16384
#define PKI_TEST_PATIENCE 20000     /* milliseconds; then it is broken */


typedef struct pki_test_server_s  pki_test_server_t;
typedef struct pki_test_conn_s    pki_test_conn_t;

struct pki_test_conn_s {
    pki_test_server_t  *server;
    int                 fd;
    SSL                *ssl;
    int                 n;              /* requests so far, this one too */
    char                path[256];
    char                request[PKI_TEST_REQUEST];
};


/* whether the connection is kept */

typedef int (*pki_test_answer_pt)(pki_test_conn_t *c);

struct pki_test_server_s {
    int                 listener;
    int                 port;
    SSL_CTX            *ctx;
    pki_test_answer_pt  answer;
    pthread_t           thread;
    pthread_mutex_t     lock;
    int                 stop[2];        /* a pipe; closed, it ends them all */
    int                 live;           /* connections */
    int                 live_max;
    int                 accepted;
    int                 requests;
    char                last[PKI_TEST_REQUEST];
};


static long long __attribute__((unused))
pki_test_mono(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}


/* 1: readable or closed; 0: the time is over; -1: the test is over */

static int
pki_test_server_wait(pki_test_conn_t *c, int timeout)
{
    int            n;
    struct pollfd  fds[2];

    fds[0].fd = c->fd;
    fds[0].events = POLLIN;
    fds[1].fd = c->server->stop[0];
    fds[1].events = POLLIN;

    n = poll(fds, 2, timeout);

    if (n <= 0) {
        return n;
    }

    return fds[1].revents ? -1 : 1;
}


static int
pki_test_server_read(pki_test_conn_t *c, char *p, int len)
{
    if (c->ssl != NULL) {
        if (!SSL_pending(c->ssl)
            && pki_test_server_wait(c, PKI_TEST_PATIENCE) != 1)
        {
            return -1;
        }

        return SSL_read(c->ssl, p, len);
    }

    if (pki_test_server_wait(c, PKI_TEST_PATIENCE) != 1) {
        return -1;
    }

    return (int) recv(c->fd, p, len, 0);
}


static int __attribute__((unused))
pki_test_server_write(pki_test_conn_t *c, const void *data, size_t len)
{
    ssize_t      n;
    const char  *p = data;

    while (len) {
        n = c->ssl ? SSL_write(c->ssl, p, (int) len)
                   : send(c->fd, p, len, MSG_NOSIGNAL);

        if (n <= 0) {
            return 0;
        }

        p += n;
        len -= n;
    }

    return 1;
}


static int __attribute__((unused))
pki_test_server_say(pki_test_conn_t *c, const char *text)
{
    return pki_test_server_write(c, text, strlen(text));
}


/* Keeps silent until the client goes away, or the test. */

static int __attribute__((unused))
pki_test_server_hang(pki_test_conn_t *c)
{
    (void) pki_test_server_wait(c, PKI_TEST_PATIENCE);

    return 0;
}


static int
pki_test_server_request(pki_test_conn_t *c)
{
    int          n;
    char        *end;
    size_t       len, want;
    const char  *p;

    len = 0;
    want = 0;
    c->request[0] = '\0';

    for ( ;; ) {
        end = strstr(c->request, "\r\n\r\n");

        if (end != NULL) {
            p = strstr(c->request, "Content-Length: ");
            want = end + 4 - c->request
                   + (p && p < end ? strtoul(p + 16, NULL, 10) : 0);

            if (len >= want) {
                break;
            }
        }

        if (len == PKI_TEST_REQUEST - 1) {
            return 0;
        }

        n = pki_test_server_read(c, c->request + len,
                                 (int) (PKI_TEST_REQUEST - 1 - len));
        if (n <= 0) {
            return 0;
        }

        len += n;
        c->request[len] = '\0';
    }

    c->path[0] = '\0';
    (void) sscanf(c->request, "%*s %255s", c->path);

    (void) pthread_mutex_lock(&c->server->lock);

    c->n++;
    c->server->requests++;
    memcpy(c->server->last, c->request, len + 1);

    (void) pthread_mutex_unlock(&c->server->lock);

    return 1;
}


static void *
pki_test_server_conn(void *data)
{
    pki_test_conn_t    *c = data;
    pki_test_server_t  *s = c->server;

    if (s->ctx != NULL) {
        c->ssl = SSL_new(s->ctx);

        if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1
            || SSL_accept(c->ssl) != 1)
        {
            goto done;
        }
    }

    while (pki_test_server_request(c) && s->answer(c)) {
        /* void */
    }

    if (c->ssl != NULL) {
        (void) SSL_shutdown(c->ssl);
    }

done:

    SSL_free(c->ssl);
    (void) close(c->fd);
    free(c);

    (void) pthread_mutex_lock(&s->lock);
    s->live--;
    (void) pthread_mutex_unlock(&s->lock);

    return NULL;
}


static void *
pki_test_server_accept(void *data)
{
    int                 fd;
    pthread_t           thread;
    struct pollfd       fds[2];
    pki_test_conn_t    *c;
    pki_test_server_t  *s = data;

    for ( ;; ) {
        fds[0].fd = s->listener;
        fds[0].events = POLLIN;
        fds[1].fd = s->stop[0];
        fds[1].events = POLLIN;

        if (poll(fds, 2, -1) < 0 || fds[1].revents) {
            return NULL;
        }

        fd = accept(s->listener, NULL, NULL);
        c = calloc(1, sizeof(pki_test_conn_t));

        if (fd < 0 || c == NULL) {
            return NULL;
        }

        c->server = s;
        c->fd = fd;

        (void) pthread_mutex_lock(&s->lock);

        s->accepted++;
        s->live++;

        if (s->live > s->live_max) {
            s->live_max = s->live;
        }

        (void) pthread_mutex_unlock(&s->lock);

        if (pthread_create(&thread, NULL, pki_test_server_conn, c) != 0) {
            return NULL;
        }

        (void) pthread_detach(thread);
    }
}


/* ctx is the server's from then on */

static void __attribute__((unused))
pki_test_server_start(pki_test_server_t *s, pki_test_answer_pt answer,
    SSL_CTX *ctx)
{
    socklen_t           len;
    struct sockaddr_in  addr;

    memset(s, 0, sizeof(pki_test_server_t));
    memset(&addr, 0, sizeof(addr));

    s->answer = answer;
    s->ctx = ctx;
    s->listener = socket(AF_INET, SOCK_STREAM, 0);

    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    len = sizeof(addr);

    if (s->listener < 0
        || bind(s->listener, (struct sockaddr *) &addr, len) != 0
        || listen(s->listener, 64) != 0
        || getsockname(s->listener, (struct sockaddr *) &addr, &len) != 0
        || pipe(s->stop) != 0
        || pthread_mutex_init(&s->lock, NULL) != 0
        || pthread_create(&s->thread, NULL, pki_test_server_accept, s) != 0)
    {
        printf("Bail out! no server: %s\n", strerror(errno));
        exit(1);
    }

    s->port = ntohs(addr.sin_port);
}


static int __attribute__((unused))
pki_test_server_count(pki_test_server_t *s, int *number)
{
    int  n;

    (void) pthread_mutex_lock(&s->lock);
    n = *number;
    (void) pthread_mutex_unlock(&s->lock);

    return n;
}


/* whether the last request has this in it */

static int __attribute__((unused))
pki_test_server_heard(pki_test_server_t *s, const char *text)
{
    int  yes;

    (void) pthread_mutex_lock(&s->lock);
    yes = strstr(s->last, text) != NULL;
    (void) pthread_mutex_unlock(&s->lock);

    return yes;
}


static void __attribute__((unused))
pki_test_server_stop(pki_test_server_t *s)
{
    int  i;

    (void) close(s->stop[1]);
    (void) pthread_join(s->thread, NULL);

    for (i = 0; pki_test_server_count(s, &s->live) && i < 500; i++) {
        (void) usleep(10000);
    }

    if (i == 500) {
        printf("Bail out! a connection does not end\n");
        exit(1);
    }

    (void) close(s->listener);
    (void) close(s->stop[0]);
    (void) pthread_mutex_destroy(&s->lock);
    SSL_CTX_free(s->ctx);
}


#endif /* PKI_TEST_SERVER_H */

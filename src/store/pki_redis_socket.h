
/*
 * A connection to Redis whose waits have an end: connect, write and read on
 * a socket that never blocks, plain or TLS.  For pki_redis_sync.c only; one
 * thread.
 */

#ifndef PKI_REDIS_SOCKET_H
#define PKI_REDIS_SOCKET_H


#include "pki_redis_sync.h"

#include <sys/types.h>


typedef struct {
    int                fd;              /* -1: none */
    int                stop;
    long long          deadline;        /* of what is waited for */
    SSL               *ssl;             /* NULL: plain */
    BIO_METHOD        *method;          /* of ssl's way to the socket */
    unsigned           write_out:1;     /* writing waits for room */
    unsigned           read_out:1;      /* and so does reading, in TLS */
} pki_redis_socket_t;


/*
 * Connects, TLS included, within conf->timeout.  Whatever comes of it, ended
 * by pki_redis_socket_close().
 */
pki_rc_t pki_redis_socket_open(pki_redis_socket_t *sock,
    const pki_redis_sync_conf_t *conf, pki_err_t *err);
void pki_redis_socket_close(pki_redis_socket_t *sock);

/* Waits from now on end in `timeout` milliseconds. */
void pki_redis_socket_time(pki_redis_socket_t *sock, int timeout);

/* How many octets; 0: not now, wait; -1: *err says why never again. */
ssize_t pki_redis_socket_write(pki_redis_socket_t *sock, const char *data,
    size_t len, pki_err_t *err);
ssize_t pki_redis_socket_read(pki_redis_socket_t *sock, char *data,
    size_t size, pki_err_t *err);

/* Until one of the two may succeed.  PKI_ERROR: time is up, or stopped. */
pki_rc_t pki_redis_socket_wait(pki_redis_socket_t *sock, pki_err_t *err);


#endif /* PKI_REDIS_SOCKET_H */

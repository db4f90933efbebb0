
/*
 * The transport that waits, for tools, tests and the poller's thread: one
 * connection, commands queued by send() and answered in
 * pki_redis_sync_wait().  hiredis encodes and decodes; the socket, TLS and
 * the waiting are its own, so that a wait can be ended from outside.
 */

#ifndef PKI_REDIS_SYNC_H
#define PKI_REDIS_SYNC_H


#include "pki.h"
#include "pki_redis.h"

#include <openssl/ssl.h>


typedef struct {
    const char       *host;         /* name or address, or NULL */
    int               port;
    const char       *path;         /* unix socket; wins over host */
    const char       *user;         /* NULL: the default user */
    const char       *secret;       /* NULL: no AUTH */
    int               database;
    int               timeout;      /* milliseconds, for connecting and each
                                       reply */
    SSL_CTX          *tls;          /* NULL: plain; verifies as it is set up;
                                       must outlive the connection */
    const char       *tls_name;     /* whom the server must be; NULL: host */
    int               stop;         /* a descriptor that, once readable, ends
                                       connecting and waiting; -1: none */
} pki_redis_sync_conf_t;


typedef struct pki_redis_sync_s  pki_redis_sync_t;


/*
 * Connects, AUTH, SELECT, PING.  NULL with *err set on failure; err never
 * holds the secret.  conf is not kept.  SIGPIPE is no concern.
 */
pki_redis_sync_t *pki_redis_sync_create(const pki_redis_sync_conf_t *conf,
    pki_err_t *err);

/* Calls what still waits with NULL, closes, frees.  Accepts NULL. */
void pki_redis_sync_destroy(pki_redis_sync_t *sync);

/* The transport's face for the store. */
pki_redis_t *pki_redis_sync_transport(pki_redis_sync_t *sync);

/*
 * Sends what is queued and calls each callback, including those of commands
 * that callbacks send, until none is left.  PKI_ERROR with *err set: the
 * connection broke or a reply was late; then all callbacks have been called
 * with NULL, and so will be those of later commands.
 */
pki_rc_t pki_redis_sync_wait(pki_redis_sync_t *sync, pki_err_t *err);


#endif /* PKI_REDIS_SYNC_H */

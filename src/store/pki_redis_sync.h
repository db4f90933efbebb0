
/*
 * The transport that waits, for tools and tests (and for the poller, whose
 * thread may): one connection, commands queued by send() and answered in
 * pki_redis_sync_wait().
 */

#ifndef PKI_REDIS_SYNC_H
#define PKI_REDIS_SYNC_H


#include "pki.h"
#include "pki_redis.h"


typedef struct {
    const char       *host;         /* name or address, or NULL */
    int               port;
    const char       *path;         /* unix socket; wins over host */
    const char       *user;         /* NULL: the default user */
    const char       *secret;       /* NULL: no AUTH */
    int               database;
    int               timeout;      /* milliseconds, for connecting and each
                                       reply */
} pki_redis_sync_conf_t;


typedef struct pki_redis_sync_s  pki_redis_sync_t;


/*
 * Connects, AUTH, SELECT, PING.  NULL with *err set on failure; err never
 * holds the secret.  conf is not kept.  The program must ignore SIGPIPE.
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

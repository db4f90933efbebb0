
/*
 * The transport: send a command to Redis, get its reply exactly once.
 *
 * A transport is an object that begins with this struct.  The store is
 * written against it and does not know whether it waits: the nginx worker
 * brings one that does not, tools and tests bring one that does
 * (pki_redis_sync.h).
 */

#ifndef PKI_REDIS_H
#define PKI_REDIS_H


#include <stddef.h>
#include <hiredis/hiredis.h>


typedef struct pki_redis_s  pki_redis_t;

/*
 * Called exactly once for each command sent, in the order of sending, and
 * never from inside the send.  reply is NULL when none came (no link, link
 * lost, time is up); an error that Redis sent is a reply of type
 * REDIS_REPLY_ERROR.  The reply belongs to the transport and is gone when
 * the callback returns.
 */
typedef void (*pki_redis_reply_pt)(void *data, const redisReply *reply);


struct pki_redis_s {
    /*
     * Copies the arguments and returns at once; there is nothing to check.
     * Commands sent without returning to the event loop travel in one write.
     */
    void  (*send)(pki_redis_t *redis, int argc, const char **argv,
               const size_t *argvlen, pki_redis_reply_pt reply, void *data);
};


#endif /* PKI_REDIS_H */


/*
 * The transport that waits.
 *
 * A command goes into hiredis' output buffer and its callback into a ring;
 * pki_redis_sync_wait() writes the one and empties the other in order.  The
 * first thing that goes wrong ends the connection for good: from then on
 * every callback is called with NULL.
 *
 * When the ring cannot grow, that ends the connection as well, and each
 * further send makes room by calling the oldest callback with NULL, so that
 * none is lost.  The caller must ignore SIGPIPE.
 */

#include "pki_redis_sync.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>
#include <openssl/crypto.h>


#define PKI_REDIS_SYNC_RING      64     /* callbacks to begin with */


typedef struct {
    pki_redis_reply_pt   reply;
    void                *data;
} pki_redis_sync_call_t;


struct pki_redis_sync_s {
    pki_redis_t             redis;      /* first: the transport's face */
    redisContext           *context;
    pki_redis_sync_call_t  *ring;
    size_t                  size;
    size_t                  first;
    size_t                  n;
    unsigned                broken:1;
    pki_err_t               err;        /* when broken */
};


static redisContext *pki_redis_sync_connect(const pki_redis_sync_conf_t *conf,
    pki_err_t *err);
static pki_rc_t pki_redis_sync_greet(redisContext *context,
    const pki_redis_sync_conf_t *conf, pki_err_t *err);
static pki_rc_t pki_redis_sync_ask(redisContext *context, int argc,
    const char **argv, const char *want, pki_err_t *err);
static const char *pki_redis_sync_word(const redisReply *reply);
static void pki_redis_sync_send(pki_redis_t *redis, int argc,
    const char **argv, const size_t *argvlen, pki_redis_reply_pt reply,
    void *data);
static pki_rc_t pki_redis_sync_grow(pki_redis_sync_t *sync);
static void pki_redis_sync_call(pki_redis_sync_t *sync,
    const redisReply *reply);
static void pki_redis_sync_break(pki_redis_sync_t *sync);
static const char *pki_redis_sync_why(const redisContext *context);


pki_redis_sync_t *
pki_redis_sync_create(const pki_redis_sync_conf_t *conf, pki_err_t *err)
{
    pki_redis_sync_t  *sync;

    sync = OPENSSL_zalloc(sizeof(pki_redis_sync_t));
    if (sync == NULL) {
        pki_err_set(err, "out of memory");
        return NULL;
    }

    sync->redis.send = pki_redis_sync_send;
    sync->size = PKI_REDIS_SYNC_RING;

    sync->ring = OPENSSL_malloc(sync->size * sizeof(pki_redis_sync_call_t));
    if (sync->ring == NULL) {
        pki_err_set(err, "out of memory");
        pki_redis_sync_destroy(sync);
        return NULL;
    }

    sync->context = pki_redis_sync_connect(conf, err);

    if (sync->context == NULL
        || pki_redis_sync_greet(sync->context, conf, err) != PKI_OK)
    {
        pki_redis_sync_destroy(sync);
        return NULL;
    }

    return sync;
}


static redisContext *
pki_redis_sync_connect(const pki_redis_sync_conf_t *conf, pki_err_t *err)
{
    struct timeval       timeout;
    redisContext        *context;
    struct sockaddr_un  *un;

    if (conf->timeout <= 0) {
        pki_err_set(err, "invalid timeout");
        return NULL;
    }

    timeout.tv_sec = conf->timeout / 1000;
    timeout.tv_usec = (conf->timeout % 1000) * 1000;

    if (conf->path != NULL) {

        /* hiredis would cut it in silence */

        if (strlen(conf->path) >= sizeof(un->sun_path)) {
            pki_err_set(err, "path \"%s\" is too long", conf->path);
            return NULL;
        }

        context = redisConnectUnixWithTimeout(conf->path, timeout);

    } else if (conf->host != NULL) {
        context = redisConnectWithTimeout(conf->host, conf->port, timeout);

    } else {
        pki_err_set(err, "no address");
        return NULL;
    }

    if (context == NULL) {
        pki_err_set(err, "out of memory");
        return NULL;
    }

    if (context->err || redisSetTimeout(context, timeout) != REDIS_OK) {
        pki_err_set(err, "cannot connect: %s", pki_redis_sync_why(context));
        redisFree(context);
        return NULL;
    }

    return context;
}


static pki_rc_t
pki_redis_sync_greet(redisContext *context, const pki_redis_sync_conf_t *conf,
    pki_err_t *err)
{
    int          argc;
    char         number[12];
    pki_rc_t     rc;
    const char  *argv[3];

    rc = PKI_OK;

    if (conf->secret != NULL) {
        argc = 0;
        argv[argc++] = "AUTH";

        if (conf->user != NULL) {
            argv[argc++] = conf->user;
        }

        argv[argc++] = conf->secret;

        rc = pki_redis_sync_ask(context, argc, argv, "OK", err);
    }

    if (rc == PKI_OK && conf->database != 0) {
        (void) snprintf(number, sizeof(number), "%d", conf->database);

        argv[0] = "SELECT";
        argv[1] = number;

        rc = pki_redis_sync_ask(context, 2, argv, "OK", err);
    }

    if (rc == PKI_OK) {
        argv[0] = "PING";

        rc = pki_redis_sync_ask(context, 1, argv, "PONG", err);
    }

    return rc;
}


/*
 * Of an error only the first word is told: a server that does not know a
 * command repeats its arguments.
 */

static pki_rc_t
pki_redis_sync_ask(redisContext *context, int argc, const char **argv,
    const char *want, pki_err_t *err)
{
    pki_rc_t     rc;
    redisReply  *reply;

    errno = 0;

    reply = redisCommandArgv(context, argc, argv, NULL);
    if (reply == NULL) {
        pki_err_set(err, "no reply to %s: %s", argv[0],
                    pki_redis_sync_why(context));
        return PKI_ERROR;
    }

    rc = PKI_OK;

    if (reply->type == REDIS_REPLY_ERROR) {
        pki_err_set(err, "%s was refused: %s", argv[0],
                    pki_redis_sync_word(reply));
        rc = PKI_ERROR;

    } else if (reply->type != REDIS_REPLY_STATUS
               || strcmp(reply->str, want) != 0)
    {
        pki_err_set(err, "unexpected reply to %s", argv[0]);
        rc = PKI_ERROR;
    }

    freeReplyObject(reply);

    return rc;
}


/* A word that we know, so that nothing of the server's choice is told. */

static const char *
pki_redis_sync_word(const redisReply *reply)
{
    size_t                    i, len;
    static const char *const  words[] = {
        "WRONGPASS", "NOAUTH", "NOPERM", "LOADING", "MASTERDOWN", "DENIED"
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        len = strlen(words[i]);

        if (reply->len >= len && memcmp(reply->str, words[i], len) == 0) {
            return words[i];
        }
    }

    return "ERR";
}


void
pki_redis_sync_destroy(pki_redis_sync_t *sync)
{
    if (sync == NULL) {
        return;
    }

    if (!sync->broken) {
        pki_err_set(&sync->err, "the connection is closed");
        pki_redis_sync_break(sync);
    }

    while (sync->n != 0) {
        pki_redis_sync_call(sync, NULL);
    }

    OPENSSL_free(sync->ring);
    OPENSSL_free(sync);
}


pki_redis_t *
pki_redis_sync_transport(pki_redis_sync_t *sync)
{
    return &sync->redis;
}


static void
pki_redis_sync_send(pki_redis_t *redis, int argc, const char **argv,
    const size_t *argvlen, pki_redis_reply_pt reply, void *data)
{
    pki_redis_sync_t *sync = (pki_redis_sync_t *) redis;

    pki_redis_sync_call_t  *call;

    if (!sync->broken
        && redisAppendCommandArgv(sync->context, argc, argv, argvlen)
           != REDIS_OK)
    {
        pki_err_set(&sync->err, "cannot send: %s",
                    pki_redis_sync_why(sync->context));
        pki_redis_sync_break(sync);
    }

    if (sync->n == sync->size && pki_redis_sync_grow(sync) != PKI_OK) {

        if (!sync->broken) {
            pki_err_set(&sync->err, "out of memory");
            pki_redis_sync_break(sync);
        }

        while (sync->n == sync->size) {
            pki_redis_sync_call(sync, NULL);
        }
    }

    call = &sync->ring[(sync->first + sync->n) % sync->size];
    call->reply = reply;
    call->data = data;

    sync->n++;
}


static pki_rc_t
pki_redis_sync_grow(pki_redis_sync_t *sync)
{
    size_t                  i;
    pki_redis_sync_call_t  *ring;

    ring = OPENSSL_malloc(2 * sync->size * sizeof(pki_redis_sync_call_t));
    if (ring == NULL) {
        return PKI_ERROR;
    }

    for (i = 0; i < sync->n; i++) {
        ring[i] = sync->ring[(sync->first + i) % sync->size];
    }

    OPENSSL_free(sync->ring);

    sync->ring = ring;
    sync->size *= 2;
    sync->first = 0;

    return PKI_OK;
}


pki_rc_t
pki_redis_sync_wait(pki_redis_sync_t *sync, pki_err_t *err)
{
    void  *reply;

    while (sync->n != 0) {
        reply = NULL;

        if (!sync->broken) {
            errno = 0;

            if (redisGetReply(sync->context, &reply) != REDIS_OK) {
                pki_err_set(&sync->err, "%s",
                            pki_redis_sync_why(sync->context));
                pki_redis_sync_break(sync);
                reply = NULL;
            }
        }

        pki_redis_sync_call(sync, reply);

        if (reply != NULL) {
            freeReplyObject(reply);
        }
    }

    if (sync->broken) {
        pki_err_set(err, "%s", sync->err.text);
        return PKI_ERROR;
    }

    return PKI_OK;
}


/* Takes the oldest callback out before it is called, for it may send. */

static void
pki_redis_sync_call(pki_redis_sync_t *sync, const redisReply *reply)
{
    pki_redis_sync_call_t  call;

    call = sync->ring[sync->first];

    sync->first = (sync->first + 1) % sync->size;
    sync->n--;

    call.reply(call.data, reply);
}


static void
pki_redis_sync_break(pki_redis_sync_t *sync)
{
    sync->broken = 1;

    if (sync->context != NULL) {
        redisFree(sync->context);
        sync->context = NULL;
    }
}


static const char *
pki_redis_sync_why(const redisContext *context)
{
    if (context->err == REDIS_ERR_IO
        && (errno == EAGAIN || errno == EWOULDBLOCK))
    {
        return "timed out";
    }

    return context->errstr[0] ? context->errstr : "unknown error";
}


/*
 * The transport that waits.
 *
 * A command goes into a buffer and its callback into a ring;
 * pki_redis_sync_wait() writes the one and empties the other in order.  The
 * first thing that goes wrong ends the connection for good: from then on
 * every callback is called with NULL.
 *
 * When there is no memory to queue, that ends the connection as well, and
 * each further send makes room by calling the oldest callback with NULL, so
 * that none is lost.
 */

#include "pki_redis_socket.h"

#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>


#define PKI_REDIS_SYNC_RING      64     /* callbacks to begin with */
#define PKI_REDIS_SYNC_READ      16384  /* octets at once; a TLS record */
#define PKI_REDIS_SYNC_OUT       16384  /* octets to send, to begin with */
#define PKI_REDIS_SYNC_OUT_MAX   0x10000000     /* more is a mistake */


typedef struct {
    pki_redis_reply_pt   reply;
    void                *data;
} pki_redis_sync_call_t;


struct pki_redis_sync_s {
    pki_redis_t             redis;      /* first: the transport's face */
    pki_redis_socket_t      sock;
    int                     timeout;
    redisReader            *reader;
    char                   *out;        /* commands to send */
    size_t                  out_size;
    size_t                  out_len;
    size_t                  out_sent;
    pki_redis_sync_call_t  *ring;
    size_t                  size;
    size_t                  first;
    size_t                  n;
    unsigned                broken:1;
    pki_err_t               err;        /* when broken */
};


static pki_rc_t pki_redis_sync_greet(pki_redis_sync_t *sync,
    const pki_redis_sync_conf_t *conf, pki_err_t *err);
static pki_rc_t pki_redis_sync_ask(pki_redis_sync_t *sync, int argc,
    const char **argv, const char *want, pki_err_t *err);
static const char *pki_redis_sync_word(const redisReply *reply);

static void pki_redis_sync_send(pki_redis_t *redis, int argc,
    const char **argv, const size_t *argvlen, pki_redis_reply_pt reply,
    void *data);
static pki_rc_t pki_redis_sync_queue(pki_redis_sync_t *sync, int argc,
    const char **argv, const size_t *argvlen);
static pki_rc_t pki_redis_sync_grow(pki_redis_sync_t *sync);
static void pki_redis_sync_call(pki_redis_sync_t *sync,
    const redisReply *reply);
static void pki_redis_sync_break(pki_redis_sync_t *sync);

static pki_rc_t pki_redis_sync_reply(pki_redis_sync_t *sync, void **reply,
    pki_err_t *err);
static pki_rc_t pki_redis_sync_write(pki_redis_sync_t *sync, pki_err_t *err);


pki_redis_sync_t *
pki_redis_sync_create(const pki_redis_sync_conf_t *conf, pki_err_t *err)
{
    pki_redis_sync_t  *sync;

    if (conf->timeout <= 0) {
        pki_err_set(err, "invalid timeout");
        return NULL;
    }

    sync = OPENSSL_zalloc(sizeof(pki_redis_sync_t));
    if (sync == NULL) {
        pki_err_set(err, "out of memory");
        return NULL;
    }

    sync->redis.send = pki_redis_sync_send;
    sync->sock.fd = -1;
    sync->timeout = conf->timeout;
    sync->size = PKI_REDIS_SYNC_RING;
    sync->out_size = PKI_REDIS_SYNC_OUT;

    sync->ring = OPENSSL_malloc(sync->size * sizeof(pki_redis_sync_call_t));
    sync->out = OPENSSL_malloc(sync->out_size);
    sync->reader = redisReaderCreate();

    if (sync->ring == NULL || sync->out == NULL || sync->reader == NULL) {
        pki_err_set(err, "out of memory");
        pki_redis_sync_destroy(sync);
        return NULL;
    }

    if (pki_redis_socket_open(&sync->sock, conf, err) != PKI_OK
        || pki_redis_sync_greet(sync, conf, err) != PKI_OK)
    {
        pki_redis_sync_destroy(sync);
        return NULL;
    }

    return sync;
}


static pki_rc_t
pki_redis_sync_greet(pki_redis_sync_t *sync,
    const pki_redis_sync_conf_t *conf, pki_err_t *err)
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

        rc = pki_redis_sync_ask(sync, argc, argv, "OK", err);

        /* it has been sent, or never will be */

        OPENSSL_cleanse(sync->out, sync->out_size);
    }

    if (rc == PKI_OK && conf->database != 0) {
        (void) snprintf(number, sizeof(number), "%d", conf->database);

        argv[0] = "SELECT";
        argv[1] = number;

        rc = pki_redis_sync_ask(sync, 2, argv, "OK", err);
    }

    if (rc == PKI_OK) {
        argv[0] = "PING";

        rc = pki_redis_sync_ask(sync, 1, argv, "PONG", err);
    }

    return rc;
}


/*
 * Of an error only the first word is told: a server that does not know a
 * command repeats its arguments.
 */

static pki_rc_t
pki_redis_sync_ask(pki_redis_sync_t *sync, int argc, const char **argv,
    const char *want, pki_err_t *err)
{
    int          i;
    void        *p;
    size_t       len[3];
    pki_rc_t     rc;
    pki_err_t    why;
    redisReply  *reply;

    for (i = 0; i < argc; i++) {
        len[i] = strlen(argv[i]);
    }

    if (pki_redis_sync_queue(sync, argc, argv, len) != PKI_OK) {
        pki_err_set(err, "out of memory");
        return PKI_ERROR;
    }

    if (pki_redis_sync_reply(sync, &p, &why) != PKI_OK) {
        pki_err_set(err, "no reply to %s: %s", argv[0], why.text);
        return PKI_ERROR;
    }

    rc = PKI_OK;
    reply = p;

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
        && pki_redis_sync_queue(sync, argc, argv, argvlen) != PKI_OK)
    {
        pki_err_set(&sync->err, "out of memory");
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
pki_redis_sync_queue(pki_redis_sync_t *sync, int argc, const char **argv,
    const size_t *argvlen)
{
    char       *command, *out;
    size_t      size;
    pki_rc_t    rc;
    long long   len;

    command = NULL;
    len = redisFormatCommandArgv(&command, argc, argv, argvlen);

    if (len < 0) {
        return PKI_ERROR;
    }

    rc = PKI_OK;
    size = sync->out_size;

    while (size - sync->out_len < (size_t) len
           && size < PKI_REDIS_SYNC_OUT_MAX)
    {
        size *= 2;
    }

    if (size != sync->out_size) {
        out = OPENSSL_clear_realloc(sync->out, sync->out_size, size);

        if (out != NULL) {
            sync->out = out;
            sync->out_size = size;
        }
    }

    if (sync->out_size - sync->out_len < (size_t) len) {
        rc = PKI_ERROR;

    } else {
        memcpy(sync->out + sync->out_len, command, (size_t) len);
        sync->out_len += (size_t) len;
    }

    OPENSSL_cleanse(command, (size_t) len);
    redisFreeCommand(command);

    return rc;
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

        if (!sync->broken
            && pki_redis_sync_reply(sync, &reply, &sync->err) != PKI_OK)
        {
            pki_redis_sync_break(sync);
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

    pki_redis_socket_close(&sync->sock);

    if (sync->reader != NULL) {
        redisReaderFree(sync->reader);
        sync->reader = NULL;
    }

    OPENSSL_clear_free(sync->out, sync->out_size);
    sync->out = NULL;
}


/*
 * The next reply, within the time from now.  What is queued is written
 * before the stop descriptor is looked at, so that a last word still goes
 * out when nobody waits for the answer.
 */

static pki_rc_t
pki_redis_sync_reply(pki_redis_sync_t *sync, void **reply, pki_err_t *err)
{
    char     buf[PKI_REDIS_SYNC_READ];
    ssize_t  n;

    *reply = NULL;
    pki_redis_socket_time(&sync->sock, sync->timeout);

    for ( ;; ) {
        if (pki_redis_sync_write(sync, err) != PKI_OK) {
            return PKI_ERROR;
        }

        if (redisReaderGetReply(sync->reader, reply) != REDIS_OK) {
            pki_err_set(err, "%s", sync->reader->errstr);
            return PKI_ERROR;
        }

        if (*reply != NULL) {
            return PKI_OK;
        }

        if (pki_redis_socket_wait(&sync->sock, err) != PKI_OK) {
            return PKI_ERROR;
        }

        n = pki_redis_socket_read(&sync->sock, buf, sizeof(buf), err);
        if (n < 0) {
            return PKI_ERROR;
        }

        if (n > 0
            && redisReaderFeed(sync->reader, buf, (size_t) n) != REDIS_OK)
        {
            pki_err_set(err, "out of memory");
            return PKI_ERROR;
        }
    }
}


static pki_rc_t
pki_redis_sync_write(pki_redis_sync_t *sync, pki_err_t *err)
{
    ssize_t  n;

    while (sync->out_sent < sync->out_len) {
        n = pki_redis_socket_write(&sync->sock, sync->out + sync->out_sent,
                                   sync->out_len - sync->out_sent, err);
        if (n < 0) {
            return PKI_ERROR;
        }

        if (n == 0) {
            return PKI_OK;
        }

        sync->out_sent += (size_t) n;
    }

    sync->out_sent = 0;
    sync->out_len = 0;

    return PKI_OK;
}

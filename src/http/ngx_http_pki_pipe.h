
/*
 * A connection to Redis: commands go in, replies come out, and what they
 * mean is the business of ngx_http_pki_redis.c.
 */

#ifndef _NGX_HTTP_PKI_PIPE_H_INCLUDED_
#define _NGX_HTTP_PKI_PIPE_H_INCLUDED_


#include "ngx_http_pki_module.h"


typedef struct {
    u_char                   *data;
    size_t                    size;
    size_t                    pos;
    size_t                    last;
} ngx_http_pki_out_t;


/*
 * Lives in its owner, who sets the first group and zeroes the rest.  A
 * handler may close the pipe; it may not free the owner.
 */

typedef struct {
    ngx_http_pki_store_t     *store;
    ngx_log_t                *log;
    void                     *data;         /* for the handlers */

    /* connected, and the server is whom it must be */
    void                    (*opened)(void *data);
    /* a reply, or news; it is gone when the handler returns */
    void                    (*reply)(void *data, const redisReply *reply);
    /* the end; detail may be NULL.  The owner closes the pipe. */
    void                    (*failed)(void *data, ngx_err_t err,
                                const char *cause, const char *detail,
                                size_t len);
    /* the worker leaves, and the connection was idle */
    void                    (*leave)(void *data);

    ngx_connection_t         *connection;   /* NULL: closed */
    redisReader              *reader;
    size_t                    fed;          /* of the unfinished reply */

    ngx_http_pki_out_t        own;          /* of the owner, goes first */
    ngx_http_pki_out_t        out;          /* of others */
    unsigned                  opening:1;
    unsigned                  flowing:1;    /* out may go, not only own */

    u_char                   *in;
} ngx_http_pki_pipe_t;


/* Begins to connect; one of opened and failed is called, maybe from here. */
void ngx_http_pki_pipe_open(ngx_http_pki_pipe_t *pipe);

/* The only place where a connection is let go; safe to call twice. */
void ngx_http_pki_pipe_close(ngx_http_pki_pipe_t *pipe);

/* Frees the buffers of a closed pipe. */
void ngx_http_pki_pipe_free(ngx_http_pki_pipe_t *pipe);

/*
 * Encodes a command to the end of out, which is own or out of the pipe.
 * NGX_ERROR: no memory, or too much waits already; nothing was added.
 */
ngx_int_t ngx_http_pki_pipe_append(ngx_http_pki_pipe_t *pipe,
    ngx_http_pki_out_t *out, int argc, const char **argv,
    const size_t *argvlen);

/* Writes what it can, the rest when the socket is ready.  Calls nobody. */
void ngx_http_pki_pipe_flush(ngx_http_pki_pipe_t *pipe);

/* Is this the first word of a text, or of the first text of an array? */
ngx_uint_t ngx_http_pki_pipe_is(const redisReply *reply, const char *word);


#endif /* _NGX_HTTP_PKI_PIPE_H_INCLUDED_ */


/*
 * A connection to Redis.  hiredis only encodes and decodes; socket, events
 * and TLS are nginx's own.  So exactly one side closes, replies of any size
 * arrive whole, and TLS and PING while subscribed work alike with every
 * version of hiredis.
 *
 * open -> connecting -> (TLS handshake) -> opened -> replies ... -> failed.
 * Nothing here blocks: the address was resolved while the configuration was
 * read.
 */


#include "ngx_http_pki_pipe.h"


#define NGX_HTTP_PKI_PIPE_IN         16384
#define NGX_HTTP_PKI_PIPE_POOL       1024
#define NGX_HTTP_PKI_PIPE_OUT_MIN    4096
#define NGX_HTTP_PKI_PIPE_OUT_KEEP   (64 * 1024)    /* when all is written */

/* some seconds' work: who is so far behind is better told so at once */
#define NGX_HTTP_PKI_PIPE_OUT_MAX    (16 * 1024 * 1024)

/* nothing that we ask for comes near; whoever sends more is not our Redis */
#define NGX_HTTP_PKI_PIPE_REPLY_MAX  (64 * 1024 * 1024)


static ngx_connection_t *ngx_http_pki_pipe_socket(ngx_http_pki_pipe_t *pipe);
static void ngx_http_pki_pipe_connected(ngx_http_pki_pipe_t *pipe);
static void ngx_http_pki_pipe_secure(ngx_http_pki_pipe_t *pipe);
static ngx_int_t ngx_http_pki_pipe_name(ngx_http_pki_pipe_t *pipe);
static void ngx_http_pki_pipe_secured(ngx_connection_t *c);
static void ngx_http_pki_pipe_fail(ngx_http_pki_pipe_t *pipe, ngx_err_t err,
    const char *cause, const char *detail);

static u_char *ngx_http_pki_pipe_reserve(ngx_http_pki_pipe_t *pipe,
    ngx_http_pki_out_t *out, size_t len);
static ngx_int_t ngx_http_pki_pipe_write(ngx_connection_t *c,
    ngx_http_pki_out_t *out);
static void ngx_http_pki_pipe_write_handler(ngx_event_t *wev);
static void ngx_http_pki_pipe_read_handler(ngx_event_t *rev);
static void ngx_http_pki_pipe_parse(ngx_http_pki_pipe_t *pipe, size_t len);


void
ngx_http_pki_pipe_open(ngx_http_pki_pipe_t *pipe)
{
    ngx_err_t          err;
    ngx_addr_t        *addr;
    ngx_connection_t  *c;

    addr = pipe->store->addr;

    pipe->opening = 1;
    pipe->flowing = 0;
    pipe->fed = 0;

    if (pipe->in == NULL) {
        pipe->in = ngx_alloc(NGX_HTTP_PKI_PIPE_IN, pipe->log);
    }

    pipe->reader = redisReaderCreate();

    if (pipe->in == NULL || pipe->reader == NULL) {
        ngx_http_pki_pipe_fail(pipe, 0, "no memory", NULL);
        return;
    }

    c = ngx_http_pki_pipe_socket(pipe);
    if (c == NULL) {
        return;
    }

    if (connect(c->fd, addr->sockaddr, addr->socklen) == -1) {
        err = ngx_socket_errno;

        if (err != NGX_EINPROGRESS) {
            ngx_http_pki_pipe_fail(pipe, err, "connect() failed", NULL);
            return;
        }
    }

    /* a socket that is connected already is told of by the same events */

    if (ngx_handle_read_event(c->read, 0) != NGX_OK
        || ngx_handle_write_event(c->write, 0) != NGX_OK)
    {
        ngx_http_pki_pipe_fail(pipe, 0, "events could not be added", NULL);
    }
}


static ngx_connection_t *
ngx_http_pki_pipe_socket(ngx_http_pki_pipe_t *pipe)
{
    int                family;
    ngx_err_t          err;
    ngx_log_t          quiet;
    ngx_socket_t       s;
    ngx_connection_t  *c;

    family = pipe->store->addr->sockaddr->sa_family;

    s = ngx_socket(family, SOCK_STREAM, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_http_pki_pipe_fail(pipe, ngx_socket_errno, "socket() failed",
                               NULL);
        return NULL;
    }

    /* nginx would log an alert at each attempt; the owner limits his lines */

    quiet = *pipe->log;
    quiet.log_level = NGX_LOG_EMERG;

    c = ngx_get_connection(s, &quiet);

    if (c == NULL) {
        err = 0;

        if (ngx_close_socket(s) == -1) {
            err = ngx_socket_errno;
        }

        ngx_http_pki_pipe_fail(pipe, err, "no free worker_connections", NULL);
        return NULL;
    }

    c->data = pipe;
    c->log = pipe->log;
    c->log_error = NGX_ERROR_INFO;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;

    c->recv = ngx_recv;
    c->send = ngx_send;

    c->read->log = pipe->log;
    c->read->handler = ngx_http_pki_pipe_read_handler;
    c->write->log = pipe->log;
    c->write->handler = ngx_http_pki_pipe_write_handler;

    pipe->connection = c;

    if (ngx_nonblocking(s) == -1) {
        ngx_http_pki_pipe_fail(pipe, ngx_socket_errno,
                               ngx_nonblocking_n " failed", NULL);
        return NULL;
    }

    if (family != AF_UNIX && ngx_tcp_nodelay(c) != NGX_OK) {
        ngx_http_pki_pipe_fail(pipe, 0, "TCP_NODELAY could not be set", NULL);
        return NULL;
    }

    return c;
}


static void
ngx_http_pki_pipe_connected(ngx_http_pki_pipe_t *pipe)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(pipe->connection->fd, SOL_SOCKET, SO_ERROR, (void *) &err,
                   &len)
        == -1)
    {
        err = ngx_socket_errno;
    }

    if (err) {
        ngx_http_pki_pipe_fail(pipe, err, "connect() failed", NULL);
        return;
    }

    pipe->opening = 0;

    if (pipe->store->ssl) {
        ngx_http_pki_pipe_secure(pipe);
        return;
    }

    pipe->opened(pipe->data);
}


static void
ngx_http_pki_pipe_secure(ngx_http_pki_pipe_t *pipe)
{
    ngx_connection_t  *c;

    c = pipe->connection;

    c->pool = ngx_create_pool(NGX_HTTP_PKI_PIPE_POOL, pipe->log);

    if (c->pool == NULL
        || ngx_ssl_create_connection(pipe->store->ssl, c,
                                     NGX_SSL_BUFFER|NGX_SSL_CLIENT)
           != NGX_OK
        || ngx_http_pki_pipe_name(pipe) != NGX_OK)
    {
        ngx_http_pki_pipe_fail(pipe, 0, "TLS could not begin", NULL);
        return;
    }

    /* what is left to be written may have moved when it is tried again */

    (void) SSL_set_mode(c->ssl->connection,
                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);

    c->ssl->handler = ngx_http_pki_pipe_secured;

    if (ngx_ssl_handshake(c) == NGX_AGAIN) {
        return;
    }

    ngx_http_pki_pipe_secured(c);
}


/*
 * Whom the server must be: an address, or a host, which is announced too
 * (RFC 6066, 3: SNI knows only hosts).  The verification compares.
 */

static ngx_int_t
ngx_http_pki_pipe_name(ngx_http_pki_pipe_t *pipe)
{
    char            *name;
    ngx_str_t       *tls_name;
    ngx_ssl_conn_t  *ssl;

    ssl = pipe->connection->ssl->connection;
    tls_name = &pipe->store->tls_name;

    name = ngx_pnalloc(pipe->connection->pool, tls_name->len + 1);
    if (name == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn((u_char *) name, tls_name->data, tls_name->len + 1);

    if (name[0] == '\0') {
        return NGX_ERROR;
    }

    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1) {
        return NGX_OK;
    }

    ERR_clear_error();

    if (SSL_set_tlsext_host_name(ssl, name) != 1
        || SSL_set1_host(ssl, name) != 1)
    {
        ERR_clear_error();
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_pki_pipe_secured(ngx_connection_t *c)
{
    long                  rc;
    ngx_ssl_conn_t       *ssl;
    ngx_http_pki_pipe_t  *pipe;

    pipe = c->data;
    ssl = c->ssl->connection;

    if (!c->ssl->handshaked) {
        ngx_http_pki_pipe_fail(pipe, 0, "TLS handshake failed", NULL);
        return;
    }

    rc = SSL_get_verify_result(ssl);

    if (rc != X509_V_OK) {
        ngx_http_pki_pipe_fail(pipe, 0, "TLS certificate was not accepted",
                               X509_verify_cert_error_string(rc));
        return;
    }

    /* without a certificate there was nothing to verify */

    if (SSL_get0_peer_certificate(ssl) == NULL) {
        ngx_http_pki_pipe_fail(pipe, 0, "TLS certificate is missing", NULL);
        return;
    }

    c->read->handler = ngx_http_pki_pipe_read_handler;
    c->write->handler = ngx_http_pki_pipe_write_handler;

    /* what came with the handshake is in OpenSSL's buffer already */

    ngx_post_event(c->read, &ngx_posted_next_events);

    pipe->opened(pipe->data);
}


static void
ngx_http_pki_pipe_fail(ngx_http_pki_pipe_t *pipe, ngx_err_t err,
    const char *cause, const char *detail)
{
    pipe->failed(pipe->data, err, cause, detail,
                 detail ? ngx_strlen(detail) : 0);
}


void
ngx_http_pki_pipe_close(ngx_http_pki_pipe_t *pipe)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    c = pipe->connection;

    pipe->connection = NULL;
    pipe->flowing = 0;

    pipe->own.pos = pipe->own.last;
    pipe->out.pos = pipe->out.last;

    if (pipe->reader) {
        redisReaderFree(pipe->reader);
        pipe->reader = NULL;
    }

    if (c == NULL) {
        return;
    }

    pool = c->pool;

    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;

        (void) ngx_ssl_shutdown(c);
    }

    ngx_close_connection(c);

    if (pool) {
        ngx_destroy_pool(pool);
    }
}


void
ngx_http_pki_pipe_free(ngx_http_pki_pipe_t *pipe)
{
    ngx_free(pipe->own.data);
    ngx_free(pipe->out.data);
    ngx_free(pipe->in);
}


ngx_int_t
ngx_http_pki_pipe_append(ngx_http_pki_pipe_t *pipe, ngx_http_pki_out_t *out,
    int argc, const char **argv, const size_t *argvlen)
{
    int         i;
    char       *text;
    u_char     *p;
    size_t      size;
    long long   len;

    /* before hiredis adds it up in an int */

    size = 0;

    for (i = 0; i < argc; i++) {

        if (argvlen[i] > NGX_HTTP_PKI_PIPE_OUT_MAX - size) {
            return NGX_ERROR;
        }

        size += argvlen[i];
    }

    len = redisFormatCommandArgv(&text, argc, argv, argvlen);
    if (len < 0) {
        return NGX_ERROR;
    }

    p = ngx_http_pki_pipe_reserve(pipe, out, (size_t) len);

    if (p) {
        ngx_memcpy(p, text, (size_t) len);
        out->last += (size_t) len;
    }

    redisFreeCommand(text);

    return p ? NGX_OK : NGX_ERROR;
}


static u_char *
ngx_http_pki_pipe_reserve(ngx_http_pki_pipe_t *pipe, ngx_http_pki_out_t *out,
    size_t len)
{
    u_char  *p;
    size_t   used, size;

    if (len <= out->size - out->last) {
        return out->data + out->last;
    }

    used = out->last - out->pos;

    if (len > NGX_HTTP_PKI_PIPE_OUT_MAX - used) {
        return NULL;
    }

    if (used + len <= out->size / 2) {
        ngx_memmove(out->data, out->data + out->pos, used);

    } else {
        size = ngx_max(2 * (used + len), NGX_HTTP_PKI_PIPE_OUT_MIN);

        p = ngx_alloc(size, pipe->log);
        if (p == NULL) {
            return NULL;
        }

        if (out->data) {
            ngx_memcpy(p, out->data + out->pos, used);
            ngx_free(out->data);
        }

        out->data = p;
        out->size = size;
    }

    out->pos = 0;
    out->last = used;

    return out->data + used;
}


void
ngx_http_pki_pipe_flush(ngx_http_pki_pipe_t *pipe)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = pipe->connection;

    if (c->write->error) {
        return;
    }

    rc = ngx_http_pki_pipe_write(c, &pipe->own);

    if (rc == NGX_OK && pipe->flowing) {
        rc = ngx_http_pki_pipe_write(c, &pipe->out);
    }

    if (rc == NGX_ERROR || ngx_handle_write_event(c->write, 0) != NGX_OK) {

        /* Redis may have said why before it closed, so that is read first */

        c->write->error = 1;

        ngx_post_event(c->read, &ngx_posted_next_events);
    }
}


static ngx_int_t
ngx_http_pki_pipe_write(ngx_connection_t *c, ngx_http_pki_out_t *out)
{
    ssize_t  n;

    while (out->pos < out->last) {

        n = c->send(c, out->data + out->pos, out->last - out->pos);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (n == NGX_AGAIN || n == 0) {
            return NGX_AGAIN;
        }

        out->pos += n;
    }

    out->pos = 0;
    out->last = 0;

    if (out->size > NGX_HTTP_PKI_PIPE_OUT_KEEP) {
        ngx_free(out->data);
        out->data = NULL;
        out->size = 0;
    }

    return NGX_OK;
}


static void
ngx_http_pki_pipe_write_handler(ngx_event_t *wev)
{
    ngx_connection_t     *c;
    ngx_http_pki_pipe_t  *pipe;

    c = wev->data;
    pipe = c->data;

    if (pipe->opening) {
        ngx_http_pki_pipe_connected(pipe);
        return;
    }

    ngx_http_pki_pipe_flush(pipe);
}


static void
ngx_http_pki_pipe_read_handler(ngx_event_t *rev)
{
    ssize_t               n;
    ngx_connection_t     *c;
    ngx_http_pki_pipe_t  *pipe;

    c = rev->data;
    pipe = c->data;

    if (c->close) {
        pipe->leave(pipe->data);
        return;
    }

    if (pipe->opening) {
        ngx_http_pki_pipe_connected(pipe);

        if (pipe->connection == NULL || pipe->store->ssl) {
            return;
        }
    }

    for ( ;; ) {

        n = c->recv(c, pipe->in, NGX_HTTP_PKI_PIPE_IN);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == 0) {
            ngx_http_pki_pipe_fail(pipe, 0, "connection was closed", NULL);
            return;
        }

        if (n == NGX_ERROR) {
            ngx_http_pki_pipe_fail(pipe, 0, "connection is broken", NULL);
            return;
        }

        ngx_http_pki_pipe_parse(pipe, n);

        if (pipe->connection == NULL) {
            return;
        }
    }

    if (c->write->error || ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_http_pki_pipe_fail(pipe, 0, "connection is broken", NULL);
    }
}


static void
ngx_http_pki_pipe_parse(ngx_http_pki_pipe_t *pipe, size_t len)
{
    void         *reply;
    redisReader  *reader;

    reader = pipe->reader;

    if (redisReaderFeed(reader, (char *) pipe->in, len) != REDIS_OK) {
        ngx_http_pki_pipe_fail(pipe, 0, "reply cannot be read",
                               reader->errstr);
        return;
    }

    pipe->fed += len;

    for ( ;; ) {

        if (redisReaderGetReply(reader, &reply) != REDIS_OK) {
            ngx_http_pki_pipe_fail(pipe, 0, "reply cannot be read",
                                   reader->errstr);
            return;
        }

        if (reply == NULL) {
            break;
        }

        pipe->fed = reader->len - reader->pos;

        pipe->reply(pipe->data, reply);

        freeReplyObject(reply);

        if (pipe->connection == NULL) {
            return;
        }
    }

    if (pipe->fed > NGX_HTTP_PKI_PIPE_REPLY_MAX) {
        ngx_http_pki_pipe_fail(pipe, 0, "reply is too large", NULL);
    }
}


ngx_uint_t
ngx_http_pki_pipe_is(const redisReply *reply, const char *word)
{
    size_t  len;

    if (reply->type == REDIS_REPLY_ARRAY) {

        if (reply->elements == 0) {
            return 0;
        }

        reply = reply->element[0];
    }

    len = ngx_strlen(word);

    return reply->str
           && ngx_strncmp(reply->str, word, len) == 0
           && (reply->str[len] == '\0' || reply->str[len] == ' ');
}

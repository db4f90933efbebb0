
/*
 * A reply that is written bit by bit, of any length in bounded memory.
 *
 * What is written is kept in buffers, which are used again when the client
 * has taken them.  Whoever writes stops when a flush says that the client is
 * behind, and is called again.  A reply that cannot be completed ends with
 * its connection: without the last chunk nobody takes it for a whole one.
 * HTTP/1.0, which many proxies speak, has no chunks; there the connection is
 * reset.
 */

#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_STREAM_BUF  (32 * 1024)    /* two of the write calls of
                                                   TLS */


struct ngx_http_pki_stream_s {
    ngx_http_request_t     *request;
    ngx_http_pki_stream_pt  ready;
    void                   *data;
    ngx_chain_t            *out;            /* written, not yet flushed */
    ngx_chain_t            *last;           /* of out */
    ngx_chain_t            *busy;
    ngx_chain_t            *free;
    unsigned                ended:1;
};


static ngx_chain_t *ngx_http_pki_stream_buf(ngx_http_pki_stream_t *stream);
static ngx_int_t ngx_http_pki_stream_send(ngx_http_pki_stream_t *stream);
static ngx_uint_t ngx_http_pki_stream_behind(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_stream_wait(ngx_http_request_t *r);
static void ngx_http_pki_stream_cleanup(void *data);


ngx_http_pki_stream_t *
ngx_http_pki_stream_open(ngx_http_request_t *r, ngx_str_t *type,
    ngx_http_pki_stream_pt ready, void *data)
{
    u_char                    *p;
    ngx_int_t                  rc;
    ngx_http_cleanup_t        *cln;
    ngx_http_pki_ctx_t        *ctx;
    ngx_http_pki_stream_t     *stream;
    ngx_http_pki_main_conf_t  *mcf;

    static ngx_str_t  name = ngx_string("Cache-Control");
    static ngx_str_t  value = ngx_string("no-store");

    ctx = ngx_http_pki_get_ctx(r);
    stream = ngx_pcalloc(r->pool, sizeof(ngx_http_pki_stream_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (ctx == NULL || stream == NULL || cln == NULL
        || ngx_http_pki_header(r, &name, &value) == NULL)
    {
        return NULL;
    }

    stream->request = r;
    stream->ready = ready;
    stream->data = data;
    ctx->stream = stream;

    cln->handler = ngx_http_pki_stream_cleanup;
    cln->data = stream;

    /* gzip_types and the like go by what stands before its parameters */

    p = ngx_strlchr(type->data, type->data + type->len, ';');

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = p ? (size_t) (p - type->data)
                                        : type->len;
    r->headers_out.content_type_lowcase = NULL;

    ngx_http_clear_content_length(r);

    mcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);
    ngx_http_pki_count(&mcf->zone, NGX_HTTP_PKI_STAT_API_OK, 1);

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK) {
        return NULL;
    }

    return stream;
}


ngx_int_t
ngx_http_pki_stream_write(ngx_http_pki_stream_t *stream, const void *text,
    size_t len)
{
    size_t         n;
    ngx_buf_t     *b;
    ngx_chain_t   *cl;
    const u_char  *p;

    for (p = text; len; p += n, len -= n) {

        cl = stream->last;

        if (cl == NULL || cl->buf->last == cl->buf->end) {
            cl = ngx_http_pki_stream_buf(stream);
            if (cl == NULL) {
                return NGX_ERROR;
            }
        }

        b = cl->buf;
        n = ngx_min(len, (size_t) (b->end - b->last));
        b->last = ngx_cpymem(b->last, p, n);
    }

    return NGX_OK;
}


/* one more buffer at the end of out */

static ngx_chain_t *
ngx_http_pki_stream_buf(ngx_http_pki_stream_t *stream)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_chain_get_free_buf(stream->request->pool, &stream->free);
    if (cl == NULL) {
        return NULL;
    }

    b = cl->buf;

    if (b->start == NULL) {
        b->start = ngx_palloc(stream->request->pool, NGX_HTTP_PKI_STREAM_BUF);
        if (b->start == NULL) {
            return NULL;
        }

        b->end = b->start + NGX_HTTP_PKI_STREAM_BUF;
        b->tag = (ngx_buf_tag_t) &ngx_http_pki_stream_open;
        b->temporary = 1;
    }

    b->pos = b->start;
    b->last = b->start;
    b->flush = 0;

    if (stream->last) {
        stream->last->next = cl;

    } else {
        stream->out = cl;
    }

    stream->last = cl;

    return cl;
}


ngx_int_t
ngx_http_pki_stream_flush(ngx_http_pki_stream_t *stream)
{
    ngx_http_request_t *r = stream->request;

    if (stream->last) {
        stream->last->buf->flush = 1;

        if (ngx_http_pki_stream_send(stream) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (!ngx_http_pki_stream_behind(r)) {
        return NGX_OK;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_pki_stream_writer;

    return ngx_http_pki_stream_wait(r) == NGX_OK ? NGX_AGAIN : NGX_ERROR;
}


ngx_int_t
ngx_http_pki_stream_end(ngx_http_pki_stream_t *stream)
{
    if (stream->last && ngx_http_pki_stream_send(stream) != NGX_OK) {
        return NGX_ERROR;
    }

    stream->ended = 1;

    return ngx_http_send_special(stream->request, NGX_HTTP_LAST);
}


/* the end of a connection must not look like the end of the reply */

static void
ngx_http_pki_stream_cleanup(void *data)
{
    ngx_http_pki_stream_t *stream = data;

    struct linger        linger;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = stream->request;
    c = r->connection;

    if (stream->ended || r->chunked || r->header_only
        || r->http_version >= NGX_HTTP_VERSION_20)
    {
        return;
    }

    linger.l_onoff = 1;
    linger.l_linger = 0;

    if (setsockopt(c->fd, SOL_SOCKET, SO_LINGER, (const void *) &linger,
                   sizeof(struct linger))
        == -1)
    {
        ngx_log_error(NGX_LOG_ALERT, c->log, ngx_socket_errno,
                      "setsockopt(SO_LINGER) failed");
    }

#if (NGX_HTTP_SSL)

    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;
    }

#endif
}


static ngx_int_t
ngx_http_pki_stream_send(ngx_http_pki_stream_t *stream)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = stream->request;

    rc = ngx_http_output_filter(r, stream->out);

    stream->last = NULL;

    ngx_chain_update_chains(r->pool, &stream->free, &stream->busy,
                            &stream->out,
                            (ngx_buf_tag_t) &ngx_http_pki_stream_open);

    return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;
}


static ngx_uint_t
ngx_http_pki_stream_behind(ngx_http_request_t *r)
{
    return r->buffered || r->postponed
           || (r == r->main && r->connection->buffered);
}


/* the client has send_timeout to take something, as everywhere in nginx */

static ngx_int_t
ngx_http_pki_stream_wait(ngx_http_request_t *r)
{
    ngx_event_t               *wev;
    ngx_http_core_loc_conf_t  *clcf;

    wev = r->connection->write;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    return ngx_handle_write_event(wev, clcf->send_lowat);
}


void
ngx_http_pki_stream_writer(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_event_t            *wev;
    ngx_connection_t       *c;
    ngx_http_pki_ctx_t     *ctx;
    ngx_http_pki_stream_t  *stream;

    c = r->connection;
    wev = c->write;

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client timed out");
        c->timedout = 1;

        ngx_http_pki_finalize(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    rc = NGX_OK;

    if (!wev->delayed && !r->aio) {
        rc = ngx_http_output_filter(r, NULL);
    }

    if (rc == NGX_ERROR) {
        ngx_http_pki_finalize(r, NGX_ERROR);
        return;
    }

    if (wev->delayed || r->aio || ngx_http_pki_stream_behind(r)) {

        if (ngx_http_pki_stream_wait(r) != NGX_OK) {
            ngx_http_pki_finalize(r, NGX_ERROR);
        }

        return;
    }

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);
    stream = ctx->stream;

    ngx_chain_update_chains(r->pool, &stream->free, &stream->busy,
                            &stream->out,
                            (ngx_buf_tag_t) &ngx_http_pki_stream_open);

    stream->ready(r, stream->data);
}

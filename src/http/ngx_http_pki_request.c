
/*
 * The life of a request: body, wait, wake, reply.
 *
 * No callback holds a request.  It holds a wait cell on the heap, which the
 * request empties when it is answered or ends, and which the callback
 * frees.  The request itself has one ordinary timer, its deadline, so that
 * a leaving worker stays for it.  Every handler begins with the body, which
 * takes the one count that the reply gives back.
 */

#include "ngx_http_pki_module.h"


static void ngx_http_pki_release(ngx_http_pki_ctx_t *ctx);
static void ngx_http_pki_cleanup(void *data);
static void ngx_http_pki_deadline(ngx_event_t *ev);
static void ngx_http_pki_resume(ngx_http_request_t *r,
    ngx_http_pki_wake_pt handler, ngx_uint_t n, const void *reply);
static ngx_int_t ngx_http_pki_raw_char(u_char **p, u_char *last);
static ngx_int_t ngx_http_pki_body_file(ngx_http_request_t *r, ngx_buf_t *b,
    u_char *p, size_t len);


ngx_http_pki_ctx_t *
ngx_http_pki_get_ctx(ngx_http_request_t *r)
{
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);

    if (ctx == NULL) {
        ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_pki_ctx_t));
        if (ctx == NULL) {
            return NULL;
        }

        ngx_queue_init(&ctx->waits);
        ngx_http_set_ctx(r, ctx, ngx_http_pki_module);
    }

    return ctx;
}


ngx_int_t
ngx_http_pki_read_body(ngx_http_request_t *r, size_t max,
    ngx_http_client_body_handler_pt handler)
{
    ngx_int_t  rc;

    if (r->headers_in.content_length_n > (off_t) max) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


ngx_int_t
ngx_http_pki_body(ngx_http_request_t *r, size_t max, ngx_str_t *body)
{
    off_t         len;
    size_t        size;
    u_char       *p;
    ngx_chain_t  *cl;

    ngx_str_null(body);

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len += ngx_buf_size(cl->buf);

        if (len > (off_t) max) {
            return NGX_DECLINED;
        }
    }

    if (len == 0) {
        return NGX_OK;
    }

    body->len = (size_t) len;

    cl = r->request_body->bufs;

    if (cl->next == NULL && !cl->buf->in_file) {
        body->data = cl->buf->pos;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, body->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;

    for ( /* void */ ; cl; cl = cl->next) {
        size = (size_t) ngx_buf_size(cl->buf);

        if (size == 0) {
            continue;
        }

        if (!cl->buf->in_file) {
            p = ngx_cpymem(p, cl->buf->pos, size);
            continue;
        }

        if (ngx_http_pki_body_file(r, cl->buf, p, size) != NGX_OK) {
            return NGX_ERROR;
        }

        p += size;
    }

    return NGX_OK;
}


/* nginx has just written it: it is in the page cache */

static ngx_int_t
ngx_http_pki_body_file(ngx_http_request_t *r, ngx_buf_t *b, u_char *p,
    size_t len)
{
    ssize_t  n;

    n = ngx_read_file(b->file, p, len, b->file_pos);

    if (n == (ssize_t) len) {
        return NGX_OK;
    }

    if (n != NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "pki: request body file \"%V\" is short",
                      &b->file->name);
    }

    return NGX_ERROR;
}


/*
 * The part of the request line behind the location's name.  r->uri has lost
 * what base64 needs: its slashes are merged and its escapes decoded.
 */

ngx_int_t
ngx_http_pki_payload(ngx_http_request_t *r, pki_bytes_t *path)
{
    u_char                    *p, *q, *last;
    ngx_uint_t                 i;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    p = r->unparsed_uri.data;
    last = p + r->unparsed_uri.len;

    q = ngx_strlchr(p, last, '?');
    if (q) {
        last = q;
    }

    for (i = 0; i < clcf->name.len; i++) {

        if (ngx_http_pki_raw_char(&p, last) != clcf->name.data[i]) {
            return NGX_DECLINED;
        }

        if (clcf->name.data[i] != '/') {
            continue;
        }

        /* nginx took a run of slashes for one */

        for (q = p; ngx_http_pki_raw_char(&q, last) == '/'; p = q) {
            /* void */
        }
    }

    path->data = p;
    path->len = last - p;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_raw_char(u_char **p, u_char *last)
{
    ngx_int_t  ch;

    if (*p == last) {
        return NGX_ERROR;
    }

    if (**p != '%') {
        return *(*p)++;
    }

    if (last - *p < 3) {
        return NGX_ERROR;
    }

    ch = ngx_hextoi(*p + 1, 2);
    *p += 3;

    return ch;
}


ngx_http_pki_wait_t *
ngx_http_pki_wait(ngx_http_request_t *r, ngx_http_pki_wake_pt handler,
    ngx_uint_t n, ngx_msec_t timeout)
{
    ngx_http_cleanup_t   *cln;
    ngx_http_pki_ctx_t   *ctx;
    ngx_http_pki_wait_t  *wait;

    ctx = ngx_http_pki_get_ctx(r);
    if (ctx == NULL) {
        return NULL;
    }

    if (ctx->deadline.handler == NULL) {
        cln = ngx_http_cleanup_add(r, 0);
        if (cln == NULL) {
            return NULL;
        }

        cln->handler = ngx_http_pki_cleanup;
        cln->data = ctx;

        ctx->deadline.handler = ngx_http_pki_deadline;
        ctx->deadline.data = r;
        ctx->deadline.log = r->connection->log;
    }

    wait = ngx_alloc(sizeof(ngx_http_pki_wait_t), r->connection->log);
    if (wait == NULL) {
        return NULL;
    }

    wait->request = r;
    wait->handler = handler;
    wait->n = n;
    wait->data = NULL;

    ngx_queue_insert_tail(&ctx->waits, &wait->queue);

    ctx->handler = handler;

    if (!ctx->deadline.timer_set) {
        ngx_add_timer(&ctx->deadline, timeout);
    }

    r->read_event_handler = ngx_http_test_reading;

    if (r->write_event_handler != ngx_http_pki_stream_writer) {
        r->write_event_handler = ngx_http_request_empty_handler;
    }

    return wait;
}


void
ngx_http_pki_wait_cancel(ngx_http_pki_wait_t *wait)
{
    ngx_queue_remove(&wait->queue);
    ngx_free(wait);
}


void
ngx_http_pki_wait_longer(ngx_http_pki_wait_t *wait, ngx_msec_t timeout)
{
    ngx_http_pki_ctx_t  *ctx;

    if (wait->request == NULL) {
        return;
    }

    ctx = ngx_http_get_module_ctx(wait->request, ngx_http_pki_module);

    ngx_add_timer(&ctx->deadline, timeout);
}


void
ngx_http_pki_wake(ngx_http_pki_wait_t *wait, const void *reply)
{
    ngx_uint_t            n;
    ngx_http_request_t   *r;
    ngx_http_pki_ctx_t   *ctx;
    ngx_http_pki_wake_pt  handler;

    r = wait->request;
    n = wait->n;
    handler = wait->handler;

    if (r == NULL) {
        ngx_free(wait);
        return;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);

    ngx_queue_remove(&wait->queue);
    ngx_free(wait);

    if (ngx_queue_empty(&ctx->waits) && ctx->deadline.timer_set) {
        ngx_del_timer(&ctx->deadline);
    }

    ngx_http_pki_resume(r, handler, n, reply);
}


void
ngx_http_pki_done(void *data, pki_store_result_t result, long long n,
    const char *error)
{
    ngx_http_pki_done_t  done;

    done.result = result;
    done.n = n;
    done.error = error;

    ngx_http_pki_wake(data, &done);
}


static void
ngx_http_pki_deadline(ngx_event_t *ev)
{
    ngx_http_request_t *r = ev->data;

    ngx_http_pki_ctx_t  *ctx;

    ev->timedout = 0;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);

    ngx_http_pki_release(ctx);

    ngx_http_pki_resume(r, ctx->handler, 0, NULL);
}


static void
ngx_http_pki_resume(ngx_http_request_t *r, ngx_http_pki_wake_pt handler,
    ngx_uint_t n, const void *reply)
{
    ngx_connection_t  *c;

    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    handler(r, n, reply);

    ngx_http_run_posted_requests(c);
}


/* from now on nobody wakes this request */

static void
ngx_http_pki_release(ngx_http_pki_ctx_t *ctx)
{
    ngx_queue_t          *q;
    ngx_http_pki_wait_t  *wait;

    if (ctx->deadline.timer_set) {
        ngx_del_timer(&ctx->deadline);
    }

    while (!ngx_queue_empty(&ctx->waits)) {
        q = ngx_queue_head(&ctx->waits);
        ngx_queue_remove(q);

        wait = ngx_queue_data(q, ngx_http_pki_wait_t, queue);
        wait->request = NULL;
    }
}


static void
ngx_http_pki_cleanup(void *data)
{
    ngx_http_pki_release(data);
}


ngx_int_t
ngx_http_pki_reply(ngx_http_request_t *r, ngx_uint_t status, ngx_str_t *type,
    u_char *body, size_t len)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    r->headers_out.status = status;
    r->headers_out.content_length_n = len;
    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only || len == 0) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = body;
    b->last = body + len;
    b->memory = 1;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_http_pki_reply_json(ngx_http_request_t *r, ngx_uint_t status,
    pki_json_writer_t *w)
{
    u_char       *p;
    pki_bytes_t   text;

    static ngx_str_t  type = ngx_string("application/json");
    static ngx_str_t  name = ngx_string("Cache-Control");
    static ngx_str_t  value = ngx_string("no-store");

    p = NULL;

    if (pki_json_text(w, &text) == PKI_OK) {
        p = ngx_pnalloc(r->pool, text.len);

        if (p) {
            ngx_memcpy(p, text.data, text.len);
        }
    }

    pki_json_destroy(w);

    if (p == NULL || ngx_http_pki_header(r, &name, &value) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_pki_reply(r, status, &type, p, text.len);
}


void
ngx_http_pki_finalize(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);

    if (ctx) {
        ngx_http_pki_release(ctx);
    }

    ngx_http_finalize_request(r, rc);
}


ngx_table_elt_t *
ngx_http_pki_header(ngx_http_request_t *r, ngx_str_t *name, ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    h->hash = 1;
    h->key = *name;
    h->value = *value;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return h;
}

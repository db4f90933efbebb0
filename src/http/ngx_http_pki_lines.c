
/*
 * A reply of many results, a line of JSON for each: for calls that change
 * many certificates, and must name each of them.
 *
 * The work is done in turns of the event loop, so that the worker is given
 * back between them.  The reply begins with the first line: until then the
 * call can still fail as a whole.  While the client is behind there are no
 * turns; what is under way then is still written, which is bounded by how
 * much the call begins at once.
 */

#include "ngx_http_pki_module.h"


static void ngx_http_pki_lines_turn(ngx_event_t *ev);
static void ngx_http_pki_lines_ready(ngx_http_request_t *r, void *data);
static void ngx_http_pki_lines_cleanup(void *data);


ngx_int_t
ngx_http_pki_lines_begin(ngx_http_request_t *r, ngx_http_pki_lines_t *lines,
    ngx_http_pki_stream_pt turn, void *data)
{
    ngx_http_cleanup_t  *cln;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_pki_lines_cleanup;
    cln->data = lines;

    lines->request = r;
    lines->handler = turn;
    lines->data = data;
    lines->event.handler = ngx_http_pki_lines_turn;
    lines->event.data = lines;
    lines->event.log = r->connection->log;

    /* also while nothing is under way, a client that leaves is noticed */

    r->read_event_handler = ngx_http_test_reading;

    ngx_http_pki_lines_post(lines);

    return NGX_OK;
}


void
ngx_http_pki_lines_post(ngx_http_pki_lines_t *lines)
{
    if (!lines->behind && !lines->ended && !lines->event.posted) {
        ngx_post_event(&lines->event, &ngx_posted_next_events);
    }
}


static void
ngx_http_pki_lines_turn(ngx_event_t *ev)
{
    ngx_http_pki_lines_t *lines = ev->data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = lines->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    lines->handler(r, lines->data);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_pki_lines_ready(ngx_http_request_t *r, void *data)
{
    ngx_http_pki_lines_t *lines = data;

    lines->behind = 0;

    ngx_http_pki_lines_post(lines);
}


ngx_int_t
ngx_http_pki_lines_add(ngx_http_pki_lines_t *lines, pki_json_writer_t *w)
{
    ngx_int_t    rc;
    pki_bytes_t  text;

    static ngx_str_t  type = ngx_string("application/x-ndjson");

    if (lines->stream == NULL) {
        lines->stream = ngx_http_pki_stream_open(lines->request, &type,
                                                 ngx_http_pki_lines_ready,
                                                 lines);
    }

    rc = NGX_ERROR;

    if (lines->stream && pki_json_text(w, &text) == PKI_OK) {
        rc = ngx_http_pki_stream_write(lines->stream, text.data, text.len);

        if (rc == NGX_OK) {
            rc = ngx_http_pki_stream_write(lines->stream, "\n", 1);
        }
    }

    pki_json_destroy(w);

    return rc;
}


ngx_int_t
ngx_http_pki_lines_flush(ngx_http_pki_lines_t *lines)
{
    ngx_int_t  rc;

    if (lines->stream == NULL) {
        return NGX_OK;
    }

    rc = ngx_http_pki_stream_flush(lines->stream);

    if (rc == NGX_AGAIN) {
        lines->behind = 1;
    }

    return rc;
}


ngx_int_t
ngx_http_pki_lines_end(ngx_http_pki_lines_t *lines, pki_json_writer_t *w)
{
    if (ngx_http_pki_lines_add(lines, w) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_pki_stream_end(lines->stream);
}


static void
ngx_http_pki_lines_cleanup(void *data)
{
    ngx_http_pki_lines_t *lines = data;

    lines->ended = 1;

    if (lines->event.posted) {
        ngx_delete_posted_event(&lines->event);
    }
}

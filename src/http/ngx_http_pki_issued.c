
/*
 * GET directory/{name}/certificates: the list of issued certificates that a
 * directory keeps itself, as Intune does, and of those revoked there.
 *
 * It is what the directory told in its last whole listing, for people to
 * look at.  Redis gives it in slices; a page is one or more of them, so its
 * size is about what was asked for.
 */

#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_ISSUED_PAGE     50     /* as manage/search */
#define NGX_HTTP_PKI_ISSUED_PAGE_MAX 500
#define NGX_HTTP_PKI_ISSUED_SLICES   32     /* of one request: a rare status
                                               makes short pages */


typedef struct {
    ngx_http_pki_directory_t  *directory;
    ngx_str_t                  status;      /* len 0: any */
    ngx_uint_t                 size;        /* of a page */
    unsigned long long         cursor;
    ngx_uint_t                 slices;
    ngx_uint_t                 n;           /* written */
    pki_json_writer_t         *w;
} ngx_http_pki_issued_t;


static ngx_int_t ngx_http_pki_issued_args(ngx_http_request_t *r,
    ngx_http_pki_issued_t *issued);
static ngx_uint_t ngx_http_pki_issued_kept(
    ngx_http_pki_directory_t *directory);
static ngx_int_t ngx_http_pki_issued_ask(ngx_http_request_t *r,
    ngx_http_pki_api_t *a);
static void ngx_http_pki_issued_told(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static void ngx_http_pki_issued_line(ngx_http_pki_issued_t *issued,
    const pki_state_item_t *item);
static ngx_int_t ngx_http_pki_issued_send(ngx_http_request_t *r,
    ngx_http_pki_issued_t *issued);
static void ngx_http_pki_issued_cleanup(void *data);


static const struct {
    const char          *name;
    ngx_uint_t           time;
} ngx_http_pki_issued_fields[PKI_ISSUED_N] = {
    { "status", 0 },
    { "statusDate", 1 },
    { "issuanceDate", 1 },
    { "expirationDate", 1 },
    { "thumbprint", 0 },
    { "subject", 0 },
    { "device", 0 },
    { "user", 0 },
    { "issuer", 0 }
};


ngx_int_t
ngx_http_pki_issued_list(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    ngx_int_t               rc;
    ngx_str_t               rest, path;
    ngx_pool_cleanup_t     *cln;
    ngx_http_pki_issued_t  *issued;

    issued = ngx_pcalloc(r->pool, sizeof(ngx_http_pki_issued_t));
    cln = ngx_pool_cleanup_add(r->pool, 0);

    if (issued == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_pki_issued_cleanup;
    cln->data = issued;

    /* the suffix gives its slash back: a name ends in one */

    path = a->rest;
    a->rest.len++;
    issued->directory = ngx_http_pki_directories_find(r, a, &rest);
    a->rest = path;

    if (issued->directory == NULL || rest.len) {
        return ngx_http_pki_directories_none(r);
    }

    if (!ngx_http_pki_issued_kept(issued->directory)) {
        return ngx_http_pki_api_error(r, NGX_HTTP_CONFLICT, NGX_HTTP_CONFLICT,
                                      "This directory keeps no list of "
                                      "certificates, or is not asked for "
                                      "it.");
    }

    rc = ngx_http_pki_issued_args(r, issued);

    if (rc != NGX_OK || r->header_sent) {
        return rc;
    }

    issued->w = pki_json_create();
    if (issued->w == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pki_json_object(issued->w);
    pki_json_name(issued->w, "items");
    pki_json_array(issued->w);

    a->data = issued;

    return ngx_http_pki_issued_ask(r, a);
}


static ngx_int_t
ngx_http_pki_issued_args(ngx_http_request_t *r, ngx_http_pki_issued_t *issued)
{
    size_t     i;
    ngx_int_t  size;
    ngx_str_t  value;

    issued->size = NGX_HTTP_PKI_ISSUED_PAGE;

    if (ngx_http_arg(r, (u_char *) "pageSize", 8, &value) == NGX_OK) {
        size = ngx_atoi(value.data, value.len);

        if (size < 1 || size > NGX_HTTP_PKI_ISSUED_PAGE_MAX) {
            return ngx_http_pki_api_error(r, NGX_HTTP_BAD_REQUEST,
                                          NGX_HTTP_BAD_REQUEST,
                                          "\"pageSize\" must be 1-500.");
        }

        issued->size = (ngx_uint_t) size;
    }

    if (ngx_http_arg(r, (u_char *) "status", 6, &value) == NGX_OK) {
        issued->status = value;
    }

    if (ngx_http_arg(r, (u_char *) "continuationToken", 17, &value)
        != NGX_OK)
    {
        return NGX_OK;
    }

    /* Redis' cursor: any number of 64 bits */

    for (i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9'
            || issued->cursor > (ULLONG_MAX - 9) / 10)
        {
            break;
        }

        issued->cursor = issued->cursor * 10 + (value.data[i] - '0');
    }

    if (value.len == 0 || i < value.len) {
        return ngx_http_pki_api_error(r, NGX_HTTP_BAD_REQUEST,
                                      NGX_HTTP_BAD_REQUEST,
                                      "\"continuationToken\" is not one of "
                                      "ours.");
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_pki_issued_kept(ngx_http_pki_directory_t *directory)
{
    const pki_resource_t  *resource;

    resource = directory->conf.dialect->resources;

    for ( /* void */ ; resource && resource->name; resource++) {
        if (resource->lines && resource->wanted(&directory->conf)) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_pki_issued_ask(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    ngx_http_pki_wait_t    *wait;
    ngx_http_pki_store_t   *store;
    ngx_http_pki_issued_t  *issued;

    issued = a->data;
    store = issued->directory->store;

    wait = ngx_http_pki_wait(r, ngx_http_pki_issued_told, 0, store->timeout);
    if (wait == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pki_issued_list(ngx_http_pki_transport(a->mcf, store),
                    (char *) issued->directory->name.data, issued->cursor,
                    issued->size, ngx_http_pki_items, wait);

    return NGX_BUSY;
}


static void
ngx_http_pki_issued_told(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_items_t *items = reply;

    size_t                  i;
    ngx_int_t               rc;
    ngx_http_pki_api_t     *a;
    ngx_http_pki_ctx_t     *ctx;
    ngx_http_pki_issued_t  *issued;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);
    a = ctx->data;
    issued = a->data;

    if (items == NULL || items->result != PKI_STORE_DONE) {
        rc = ngx_http_pki_api_unavailable(r, "The store does not answer.");
        ngx_http_pki_finalize(r, rc);
        return;
    }

    for (i = 0; i < items->n; i++) {
        ngx_http_pki_issued_line(issued, &items->items[i]);
    }

    issued->cursor = items->next;
    issued->slices++;

    if (issued->cursor && issued->n < issued->size
        && issued->slices < NGX_HTTP_PKI_ISSUED_SLICES)
    {
        rc = ngx_http_pki_issued_ask(r, a);

    } else {
        rc = ngx_http_pki_issued_send(r, issued);
    }

    if (rc != NGX_BUSY) {
        ngx_http_pki_finalize(r, rc);
    }
}


/* what a directory did not tell, or in another form, is null */

static void
ngx_http_pki_issued_line(ngx_http_pki_issued_t *issued,
    const pki_state_item_t *item)
{
    time_t              t;
    ngx_uint_t          k;
    pki_bytes_t         fields[PKI_ISSUED_N], *status;
    pki_json_writer_t  *w;

    if (pki_issued_read(item->value, fields) != PKI_OK) {
        return;
    }

    status = &fields[PKI_ISSUED_STATUS];

    if (issued->status.len
        && (status->len != issued->status.len
            || ngx_strncasecmp((u_char *) status->data, issued->status.data,
                               status->len)
               != 0))
    {
        return;
    }

    w = issued->w;
    issued->n++;

    pki_json_object(w);
    pki_json_name(w, "serialNumber");
    pki_json_string(w, item->name);

    for (k = 0; k < PKI_ISSUED_N; k++) {
        pki_json_name(w, ngx_http_pki_issued_fields[k].name);

        if (fields[k].len == 0) {
            pki_json_string(w, NULL);

        } else if (!ngx_http_pki_issued_fields[k].time) {
            pki_json_bytes(w, fields[k]);

        } else if (pki_time_iso((char *) fields[k].data, fields[k].len, &t)
                   == PKI_OK && t > 0)
        {
            pki_json_time(w, t);

        } else {
            pki_json_string(w, NULL);
        }
    }

    pki_json_object_end(w);
}


static ngx_int_t
ngx_http_pki_issued_send(ngx_http_request_t *r, ngx_http_pki_issued_t *issued)
{
    u_char              cursor[NGX_INT64_LEN + 2];
    pki_json_writer_t  *w;

    w = issued->w;
    issued->w = NULL;

    pki_json_array_end(w);
    pki_json_name(w, "continuationToken");

    if (issued->cursor) {
        (void) ngx_sprintf(cursor, "%uL%Z", (uint64_t) issued->cursor);
        pki_json_string(w, (char *) cursor);

    } else {
        pki_json_string(w, NULL);
    }

    pki_json_object_end(w);

    return ngx_http_pki_api_send(r, NGX_HTTP_OK, w);
}


static void
ngx_http_pki_issued_cleanup(void *data)
{
    ngx_http_pki_issued_t *issued = data;

    pki_json_destroy(issued->w);
}

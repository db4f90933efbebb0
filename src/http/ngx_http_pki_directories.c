
/*
 * REST calls about directories.
 *
 *   GET   directories                   how each of them fares
 *   POST  directories/{name}/sync       a round, now
 *   POST  directories/{name}/release    what the guard holds back may pass
 *
 * A location sees the directories that its issuers refer to.  What is told
 * comes from Redis, where the poller that holds the lease reports, whichever
 * host it runs on.
 */

#include "ngx_http_pki_module.h"


typedef struct {
    ngx_http_pki_directory_t  **directories;    /* in the order asked */
    pki_json_writer_t          *w;
    ngx_uint_t                  pending;
} ngx_http_pki_listing_t;


static ngx_uint_t ngx_http_pki_directories_visible(ngx_http_request_t *r,
    ngx_http_pki_directory_t *directory);
static void ngx_http_pki_directories_told(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static ngx_int_t ngx_http_pki_directories_send(ngx_http_request_t *r,
    ngx_http_pki_listing_t *l);
static void ngx_http_pki_directories_cleanup(void *data);
static void ngx_http_pki_directories_one(pki_json_writer_t *w,
    ngx_http_pki_directory_t *directory, const ngx_http_pki_items_t *items);
static void ngx_http_pki_directories_resource(pki_json_writer_t *w,
    const char *name, const ngx_http_pki_items_t *items);
static void ngx_http_pki_directories_value(pki_json_writer_t *w,
    const char *value);
static void ngx_http_pki_directories_asked(ngx_http_request_t *r,
    ngx_uint_t n, const void *reply);


/* GET directories */

ngx_int_t
ngx_http_pki_directories_list(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    ngx_uint_t                   i, n;
    ngx_pool_cleanup_t          *cln;
    ngx_http_pki_wait_t         *wait;
    ngx_http_pki_listing_t      *l;
    ngx_http_pki_directory_t   **directories;

    if (a->rest.len > 1 || (a->rest.len && a->rest.data[0] != '/')) {
        return ngx_http_pki_directories_none(r);
    }

    l = ngx_pcalloc(r->pool, sizeof(ngx_http_pki_listing_t));
    cln = ngx_pool_cleanup_add(r->pool, 0);

    if (l == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* the client may leave before all have told */

    cln->handler = ngx_http_pki_directories_cleanup;
    cln->data = l;

    l->directories = ngx_palloc(r->pool, (a->mcf->directories.nelts + 1)
                                         * sizeof(void *));
    l->w = pki_json_create();

    if (l->directories == NULL || l->w == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    a->data = l;
    pki_json_array(l->w);

    directories = a->mcf->directories.elts;

    for (i = 0, n = 0; i < a->mcf->directories.nelts; i++) {
        if (ngx_http_pki_directories_visible(r, directories[i])) {
            l->directories[n++] = directories[i];
        }
    }

    if (n == 0) {
        return ngx_http_pki_directories_send(r, l);
    }

    for (i = 0; i < n; i++) {
        wait = ngx_http_pki_wait(r, ngx_http_pki_directories_told, i,
                                 l->directories[i]->store->timeout);
        if (wait == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        l->pending++;

        pki_state_status(ngx_http_pki_transport(a->mcf,
                                                l->directories[i]->store),
                         (char *) l->directories[i]->name.data,
                         ngx_http_pki_items, wait);
    }

    return NGX_BUSY;
}


static ngx_uint_t
ngx_http_pki_directories_visible(ngx_http_request_t *r,
    ngx_http_pki_directory_t *directory)
{
    ngx_uint_t                 i, k;
    ngx_http_pki_issuer_t     *issuer;
    ngx_http_pki_loc_conf_t   *lcf;
    ngx_http_pki_reference_t  *reference;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_pki_module);

    for (i = 0; i < lcf->scope.n; i++) {
        issuer = lcf->scope.issuers[i];
        reference = issuer->directories.elts;

        if (!ngx_http_pki_api_may(r, issuer)) {
            continue;
        }

        for (k = 0; k < issuer->directories.nelts; k++) {
            if (reference[k].directory == directory) {
                return 1;
            }
        }
    }

    return 0;
}


void
ngx_http_pki_items(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error)
{
    ngx_http_pki_items_t  list;

    list.result = result;
    list.items = items;
    list.n = n;
    list.next = next;

    ngx_http_pki_wake(data, &list);
}


static void
ngx_http_pki_directories_told(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_items_t *items = reply;

    ngx_int_t                rc;
    ngx_http_pki_api_t      *a;
    ngx_http_pki_ctx_t      *ctx;
    ngx_http_pki_listing_t  *l;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);
    a = ctx->data;
    l = a->data;

    if (items == NULL || items->result == PKI_STORE_FAILED) {
        rc = ngx_http_pki_api_unavailable(r, "The store does not answer.");
        ngx_http_pki_finalize(r, rc);
        return;
    }

    ngx_http_pki_directories_one(l->w, l->directories[n], items);

    if (--l->pending == 0) {
        ngx_http_pki_finalize(r, ngx_http_pki_directories_send(r, l));
    }
}


static ngx_int_t
ngx_http_pki_directories_send(ngx_http_request_t *r, ngx_http_pki_listing_t *l)
{
    pki_json_writer_t  *w;

    w = l->w;
    l->w = NULL;

    pki_json_array_end(w);

    return ngx_http_pki_api_send(r, NGX_HTTP_OK, w);
}


static void
ngx_http_pki_directories_cleanup(void *data)
{
    ngx_http_pki_listing_t *l = data;

    pki_json_destroy(l->w);
}


/* a status item is "<resource>.<what>", or something about all of it */

static void
ngx_http_pki_directories_one(pki_json_writer_t *w,
    ngx_http_pki_directory_t *directory, const ngx_http_pki_items_t *items)
{
    size_t                 i;
    const char            *dot;
    const pki_resource_t  *resource;

    pki_json_object(w);
    pki_json_name(w, "name");
    pki_json_string(w, (char *) directory->name.data);
    pki_json_name(w, "dialect");
    pki_json_string(w, directory->conf.dialect->name);
    pki_json_name(w, "polled");
    pki_json_boolean(w, directory->conf.dialect->resources != NULL
                        && directory->poll);

    for (i = 0; i < items->n; i++) {
        dot = ngx_strchr(items->items[i].name, '.');

        if (dot == NULL) {
            pki_json_name(w, items->items[i].name);
            ngx_http_pki_directories_value(w, items->items[i].value);
        }
    }

    pki_json_name(w, "resources");
    pki_json_array(w);

    resource = directory->conf.dialect->resources;

    for ( /* void */ ; resource && resource->name; resource++) {
        if (resource->wanted(&directory->conf)) {
            ngx_http_pki_directories_resource(w, resource->name, items);
        }
    }

    pki_json_array_end(w);
    pki_json_object_end(w);
}


static void
ngx_http_pki_directories_resource(pki_json_writer_t *w, const char *name,
    const ngx_http_pki_items_t *items)
{
    size_t       i, len;
    const char  *item;

    len = ngx_strlen(name);

    pki_json_object(w);
    pki_json_name(w, "name");
    pki_json_string(w, name);

    for (i = 0; i < items->n; i++) {
        item = items->items[i].name;

        if (ngx_strncmp(item, name, len) == 0 && item[len] == '.') {
            pki_json_name(w, item + len + 1);
            ngx_http_pki_directories_value(w, items->items[i].value);
        }
    }

    pki_json_object_end(w);
}


/* numbers are told as such; all else is a sentence */

static void
ngx_http_pki_directories_value(pki_json_writer_t *w, const char *value)
{
    size_t     len;
    ngx_int_t  n;

    len = ngx_strlen(value);
    n = ngx_atoi((u_char *) value, len);

    if (n == NGX_ERROR || (len > 1 && value[0] == '0')) {
        pki_json_string(w, value);
        return;
    }

    pki_json_integer(w, n);
}


/* POST directories/{name}/sync and /release */

ngx_int_t
ngx_http_pki_directories_ask(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    const char                *what;
    ngx_str_t                  rest;
    ngx_http_pki_wait_t       *wait;
    ngx_http_pki_ctx_t        *ctx;
    ngx_http_pki_directory_t  *directory;

    directory = ngx_http_pki_directories_find(r, a, &rest);
    what = NULL;

    if (rest.len == 4 && ngx_strncmp(rest.data, "sync", 4) == 0) {
        what = "asked";

    } else if (rest.len == 7 && ngx_strncmp(rest.data, "release", 7) == 0) {
        what = "release";
    }

    if (directory == NULL || what == NULL) {
        return ngx_http_pki_directories_none(r);
    }

    if (directory->conf.dialect->resources == NULL) {
        return ngx_http_pki_api_error(r, NGX_HTTP_CONFLICT, NGX_HTTP_CONFLICT,
                                      "Nobody polls this directory.");
    }

    ctx = ngx_http_pki_get_ctx(r);

    ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                  "pki directory \"%V\": %s by \"%V\"", &directory->name, what,
                  ctx->caller.len ? &ctx->caller : &r->connection->addr_text);

    wait = ngx_http_pki_wait(r, ngx_http_pki_directories_asked, 0,
                             directory->store->timeout);
    if (wait == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pki_state_ask(ngx_http_pki_transport(a->mcf, directory->store),
                  (char *) directory->name.data, what, ngx_time(),
                  ngx_http_pki_done, wait);

    return NGX_BUSY;
}


/* the directory that the path names, if it may be seen here */

ngx_http_pki_directory_t *
ngx_http_pki_directories_find(ngx_http_request_t *r, ngx_http_pki_api_t *a,
    ngx_str_t *rest)
{
    u_char                     *p, *last;
    ngx_uint_t                  i;
    ngx_http_pki_directory_t  **directories;

    last = a->rest.data + a->rest.len;
    p = ngx_strlchr(a->rest.data, last, '/');

    ngx_str_null(rest);

    if (p == NULL) {
        return NULL;
    }

    rest->data = p + 1;
    rest->len = last - rest->data;

    directories = a->mcf->directories.elts;

    for (i = 0; i < a->mcf->directories.nelts; i++) {
        if (directories[i]->name.len == (size_t) (p - a->rest.data)
            && ngx_strncmp(directories[i]->name.data, a->rest.data,
                           directories[i]->name.len)
               == 0
            && ngx_http_pki_directories_visible(r, directories[i]))
        {
            return directories[i];
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_pki_directories_none(ngx_http_request_t *r)
{
    return ngx_http_pki_api_error(r, NGX_HTTP_NOT_FOUND, NGX_HTTP_NOT_FOUND,
                                  "There is no such directory or call.");
}


static void
ngx_http_pki_directories_asked(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_done_t *done = reply;

    ngx_int_t           rc;
    pki_json_writer_t  *w;

    if (done == NULL || done->result != PKI_STORE_DONE) {
        rc = ngx_http_pki_api_unavailable(r, "The store does not answer.");
        ngx_http_pki_finalize(r, rc);
        return;
    }

    w = pki_json_create();

    if (w == NULL) {
        ngx_http_pki_finalize(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    pki_json_object(w);
    pki_json_name(w, "accepted");
    pki_json_time(w, ngx_time());
    pki_json_object_end(w);

    ngx_http_pki_finalize(r, ngx_http_pki_api_send(r, 202, w));
}

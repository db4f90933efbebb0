
/*
 * REST calls about directories and the objects in them.
 *
 *   GET     directories                             how each of them fares
 *   POST    directories/{name}/sync                 a round, now
 *   POST    directories/{name}/release              what the guard holds back
 *   GET     directory/{name}/objects/{id}           one object
 *   PUT     directory/{name}/objects/{id}           its state, pushed
 *   DELETE  directory/{name}/objects/{id}           it is gone
 *
 * A location sees the directories that its issuers refer to.
 */

#include "ngx_http_pki_module.h"


typedef struct {
    ngx_http_pki_directory_t  **directories;    /* in the order asked */
    pki_json_writer_t          *w;
    ngx_uint_t                  pending;
} ngx_http_pki_listing_t;


/* a list as its callback brought it */

typedef struct {
    pki_store_result_t          result;
    const pki_state_item_t     *items;
    size_t                      n;
} ngx_http_pki_items_t;


typedef struct {
    ngx_http_pki_directory_t   *directory;
    char                        id[PKI_OBJECT_ID_SIZE];
    unsigned                    state;
    char                       *name;           /* or NULL */
} ngx_http_pki_object_t;


static ngx_uint_t ngx_http_pki_object_visible(ngx_http_request_t *r,
    ngx_http_pki_directory_t *directory);
static void ngx_http_pki_object_list_told(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static void ngx_http_pki_object_directory(pki_json_writer_t *w,
    ngx_http_pki_directory_t *directory, const ngx_http_pki_items_t *items);
static void ngx_http_pki_object_resource(pki_json_writer_t *w,
    const char *name, const ngx_http_pki_items_t *items);
static void ngx_http_pki_object_value(pki_json_writer_t *w, const char *value);
static void ngx_http_pki_items(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error);

static ngx_http_pki_directory_t *ngx_http_pki_object_find(
    ngx_http_request_t *r, ngx_http_pki_api_t *a, ngx_str_t *rest);
static ngx_int_t ngx_http_pki_object_none(ngx_http_request_t *r);
static void ngx_http_pki_object_asked(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);

static ngx_int_t ngx_http_pki_object_path(ngx_http_request_t *r,
    ngx_http_pki_api_t *a, ngx_http_pki_object_t **object);
static ngx_int_t ngx_http_pki_object_id(ngx_http_pki_directory_t *directory,
    ngx_str_t *text, char id[PKI_OBJECT_ID_SIZE]);
static void ngx_http_pki_object_got(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static void ngx_http_pki_object_states(pki_json_writer_t *w, unsigned state);

static ngx_int_t ngx_http_pki_object_body(ngx_http_request_t *r,
    ngx_http_pki_object_t *object);
static ngx_int_t ngx_http_pki_object_take(ngx_http_request_t *r,
    ngx_http_pki_object_t *object, pki_json_field_t *fields);
static void ngx_http_pki_object_applied(void *data, pki_store_result_t result,
    const pki_state_applied_t *applied, const char *error);
static void ngx_http_pki_object_pushed(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);


static const char  ngx_http_pki_object_silence[] =
    "The store does not answer.";


/* how the objects of each class are named */

static struct {
    ngx_str_t            prefix;
    const char          *class;
    pki_object_class_t   number;
    pki_rc_t           (*read)(char id[PKI_OBJECT_ID_SIZE], const char *class,
                               const pki_value_t *value);
} ngx_http_pki_object_classes[] = {
    { ngx_string("device/"), "device", PKI_OBJECT_DEVICE, pki_item_guid },
    { ngx_string("user/"), "user", PKI_OBJECT_USER, pki_item_guid },
    { ngx_string("jamf-computer/"), "jamf-computer", PKI_OBJECT_JAMF_COMPUTER,
      pki_item_number },
    { ngx_string("jamf-device/"), "jamf-device", PKI_OBJECT_JAMF_DEVICE,
      pki_item_number },
    { ngx_string("jamf-user/"), "jamf-user", PKI_OBJECT_JAMF_USER,
      pki_item_number },
    { ngx_null_string, NULL, 0, NULL }
};


/* GET directories */

ngx_int_t
ngx_http_pki_object_list(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    ngx_uint_t                   i, n;
    ngx_http_pki_wait_t         *wait;
    ngx_http_pki_listing_t      *l;
    ngx_http_pki_directory_t   **directories;

    if (a->rest.len > 1 || (a->rest.len && a->rest.data[0] != '/')) {
        return ngx_http_pki_object_none(r);
    }

    l = ngx_pcalloc(r->pool, sizeof(ngx_http_pki_listing_t));
    if (l == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    l->directories = ngx_palloc(r->pool, (a->mcf->directories.nelts + 1)
                                         * sizeof(void *));
    l->w = pki_json_create();

    if (l->directories == NULL || l->w == NULL) {
        pki_json_destroy(l->w);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    a->data = l;
    pki_json_array(l->w);

    directories = a->mcf->directories.elts;

    for (i = 0, n = 0; i < a->mcf->directories.nelts; i++) {
        if (ngx_http_pki_object_visible(r, directories[i])) {
            l->directories[n++] = directories[i];
        }
    }

    if (n == 0) {
        pki_json_array_end(l->w);
        return ngx_http_pki_api_send(r, NGX_HTTP_OK, l->w);
    }

    for (i = 0; i < n; i++) {
        wait = ngx_http_pki_wait(r, ngx_http_pki_object_list_told, i,
                                 l->directories[i]->store->timeout);
        if (wait == NULL) {
            pki_json_destroy(l->w);
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
ngx_http_pki_object_visible(ngx_http_request_t *r,
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

        for (k = 0; k < issuer->directories.nelts; k++) {
            if (reference[k].directory == directory) {
                return 1;
            }
        }
    }

    return 0;
}


static void
ngx_http_pki_items(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error)
{
    ngx_http_pki_items_t  list;

    list.result = result;
    list.items = items;
    list.n = n;

    ngx_http_pki_wake(data, &list);
}


static void
ngx_http_pki_object_list_told(ngx_http_request_t *r, ngx_uint_t n,
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
        pki_json_destroy(l->w);

        rc = ngx_http_pki_api_unavailable(r, ngx_http_pki_object_silence);
        ngx_http_pki_finalize(r, rc);
        return;
    }

    ngx_http_pki_object_directory(l->w, l->directories[n], items);

    if (--l->pending) {
        return;
    }

    pki_json_array_end(l->w);
    ngx_http_pki_finalize(r, ngx_http_pki_api_send(r, NGX_HTTP_OK, l->w));
}


/* a status item is "<resource>.<what>", or something about all of it */

static void
ngx_http_pki_object_directory(pki_json_writer_t *w,
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
            ngx_http_pki_object_value(w, items->items[i].value);
        }
    }

    pki_json_name(w, "resources");
    pki_json_array(w);

    resource = directory->conf.dialect->resources;

    for ( /* void */ ; resource && resource->name; resource++) {
        if (resource->wanted(&directory->conf)) {
            ngx_http_pki_object_resource(w, resource->name, items);
        }
    }

    pki_json_array_end(w);
    pki_json_object_end(w);
}


static void
ngx_http_pki_object_resource(pki_json_writer_t *w, const char *name,
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
            ngx_http_pki_object_value(w, items->items[i].value);
        }
    }

    pki_json_object_end(w);
}


/* numbers are told as such; all else is a sentence */

static void
ngx_http_pki_object_value(pki_json_writer_t *w, const char *value)
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
ngx_http_pki_object_ask(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    const char                *what;
    ngx_str_t                  rest;
    ngx_http_pki_wait_t       *wait;
    ngx_http_pki_ctx_t        *ctx;
    ngx_http_pki_directory_t  *directory;

    directory = ngx_http_pki_object_find(r, a, &rest);
    what = NULL;

    if (rest.len == 4 && ngx_strncmp(rest.data, "sync", 4) == 0) {
        what = "asked";

    } else if (rest.len == 7 && ngx_strncmp(rest.data, "release", 7) == 0) {
        what = "release";
    }

    if (directory == NULL || what == NULL) {
        return ngx_http_pki_object_none(r);
    }

    if (directory->conf.dialect->resources == NULL) {
        return ngx_http_pki_api_error(r, NGX_HTTP_CONFLICT, NGX_HTTP_CONFLICT,
                                      "Nobody polls this directory.");
    }

    ctx = ngx_http_pki_get_ctx(r);

    ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                  "pki directory \"%V\": %s by \"%V\"", &directory->name, what,
                  ctx->caller.len ? &ctx->caller : &r->connection->addr_text);

    wait = ngx_http_pki_wait(r, ngx_http_pki_object_asked, 0,
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

static ngx_http_pki_directory_t *
ngx_http_pki_object_find(ngx_http_request_t *r, ngx_http_pki_api_t *a,
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
            && ngx_http_pki_object_visible(r, directories[i]))
        {
            return directories[i];
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_pki_object_none(ngx_http_request_t *r)
{
    return ngx_http_pki_api_error(r, NGX_HTTP_NOT_FOUND, NGX_HTTP_NOT_FOUND,
                                  "There is no such directory or call.");
}


static void
ngx_http_pki_object_asked(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_done_t *done = reply;

    ngx_int_t           rc;
    pki_json_writer_t  *w;

    if (done == NULL || done->result != PKI_STORE_DONE) {
        rc = ngx_http_pki_api_unavailable(r, ngx_http_pki_object_silence);
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


/* GET directory/{name}/objects/{id} */

ngx_int_t
ngx_http_pki_object_get(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    ngx_int_t               rc;
    ngx_http_pki_wait_t    *wait;
    ngx_http_pki_object_t  *object;

    rc = ngx_http_pki_object_path(r, a, &object);

    if (object == NULL) {
        return rc;
    }

    wait = ngx_http_pki_wait(r, ngx_http_pki_object_got, 0,
                             object->directory->store->timeout);
    if (wait == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pki_state_object(ngx_http_pki_transport(a->mcf, object->directory->store),
                     (char *) object->directory->name.data, object->id,
                     ngx_http_pki_items, wait);

    return NGX_BUSY;
}


/* object NULL: it has been answered, and what to finalize with is returned */

static ngx_int_t
ngx_http_pki_object_path(ngx_http_request_t *r, ngx_http_pki_api_t *a,
    ngx_http_pki_object_t **object)
{
    ngx_str_t                  rest;
    ngx_http_pki_object_t     *o;
    ngx_http_pki_directory_t  *directory;

    static ngx_str_t  objects = ngx_string("objects/");

    *object = NULL;

    directory = ngx_http_pki_object_find(r, a, &rest);

    if (directory == NULL || rest.len <= objects.len
        || ngx_strncmp(rest.data, objects.data, objects.len) != 0)
    {
        return ngx_http_pki_object_none(r);
    }

    o = ngx_pcalloc(r->pool, sizeof(ngx_http_pki_object_t));
    if (o == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rest.data += objects.len;
    rest.len -= objects.len;

    if (ngx_http_pki_object_id(directory, &rest, o->id) != NGX_OK) {
        return ngx_http_pki_api_error(r, NGX_HTTP_BAD_REQUEST,
                                      NGX_HTTP_BAD_REQUEST,
                                      "The path does not end in the id of an "
                                      "object that this directory may have: "
                                      "\"device/\" or \"user/\" and a GUID, "
                                      "\"jamf-computer/\", \"jamf-device/\" "
                                      "or \"jamf-user/\" and a number.");
    }

    o->directory = directory;
    a->data = o;
    *object = o;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_object_id(ngx_http_pki_directory_t *directory, ngx_str_t *text,
    char id[PKI_OBJECT_ID_SIZE])
{
    char         value[PKI_OBJECT_ID_SIZE];
    ngx_uint_t   i;
    pki_value_t  v;

    for (i = 0; ngx_http_pki_object_classes[i].prefix.len; i++) {

        if (text->len <= ngx_http_pki_object_classes[i].prefix.len
            || ngx_strncmp(text->data,
                           ngx_http_pki_object_classes[i].prefix.data,
                           ngx_http_pki_object_classes[i].prefix.len)
               != 0)
        {
            continue;
        }

        v.type = PKI_VALUE_STRING;
        v.len = text->len - ngx_http_pki_object_classes[i].prefix.len;
        v.string = value;
        v.integer = 0;

        if (v.len >= PKI_OBJECT_ID_SIZE
            || !(directory->conf.dialect->classes
                 & (1 << ngx_http_pki_object_classes[i].number)))
        {
            return NGX_ERROR;
        }

        ngx_cpystrn((u_char *) value, text->data + text->len - v.len,
                    v.len + 1);

        return ngx_http_pki_object_classes[i].read(id,
                                     ngx_http_pki_object_classes[i].class, &v)
               == PKI_OK ? NGX_OK : NGX_ERROR;
    }

    return NGX_ERROR;
}


static void
ngx_http_pki_object_got(ngx_http_request_t *r, ngx_uint_t n, const void *reply)
{
    const ngx_http_pki_items_t *items = reply;

    size_t                  i;
    ngx_int_t               rc;
    const char             *name, *value;
    pki_json_writer_t      *w;
    ngx_http_pki_api_t     *a;
    ngx_http_pki_ctx_t     *ctx;
    ngx_http_pki_object_t  *object;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);
    a = ctx->data;
    object = a->data;

    if (items == NULL || items->result == PKI_STORE_FAILED) {
        rc = ngx_http_pki_api_unavailable(r, ngx_http_pki_object_silence);
        ngx_http_pki_finalize(r, rc);
        return;
    }

    if (items->result == PKI_STORE_NOT_FOUND) {
        rc = ngx_http_pki_api_error(r, NGX_HTTP_NOT_FOUND, NGX_HTTP_NOT_FOUND,
                                    "The directory has not told anything "
                                    "about this object.");
        ngx_http_pki_finalize(r, rc);
        return;
    }

    w = pki_json_create();

    if (w == NULL) {
        ngx_http_pki_finalize(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    pki_json_object(w);
    pki_json_name(w, "directory");
    pki_json_string(w, (char *) object->directory->name.data);
    pki_json_name(w, "id");
    pki_json_string(w, object->id);

    for (i = 0; i < items->n; i++) {
        name = items->items[i].name;
        value = items->items[i].value;

        pki_json_name(w, name);

        if (ngx_strcmp(name, "state") == 0) {
            ngx_http_pki_object_states(w, (unsigned)
                                 ngx_atoi((u_char *) value, ngx_strlen(value)));

        } else if (ngx_strcmp(name, "alias") == 0) {
            pki_json_string(w, value);

        } else {
            pki_json_time(w, ngx_atotm((u_char *) value, ngx_strlen(value)));
        }
    }

    pki_json_object_end(w);

    ngx_http_pki_finalize(r, ngx_http_pki_api_send(r, NGX_HTTP_OK, w));
}


static void
ngx_http_pki_object_states(pki_json_writer_t *w, unsigned state)
{
    unsigned  bit;

    pki_json_array(w);

    for (bit = 1; bit & PKI_OBJECT_STATES; bit <<= 1) {
        if (state & bit) {
            pki_json_string(w, pki_object_state_name(bit));
        }
    }

    pki_json_array_end(w);
}


/* PUT and DELETE directory/{name}/objects/{id} */

ngx_int_t
ngx_http_pki_object_push(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    ngx_int_t               rc;
    pki_state_object_t      told;
    ngx_http_pki_ctx_t     *ctx;
    ngx_http_pki_wait_t    *wait;
    ngx_http_pki_object_t  *object;

    rc = ngx_http_pki_object_path(r, a, &object);

    if (object == NULL) {
        return rc;
    }

    if (object->directory->conf.dialect != &pki_push) {
        return ngx_http_pki_api_error(r, NGX_HTTP_CONFLICT, NGX_HTTP_CONFLICT,
                                      "States of this directory are polled, "
                                      "not pushed.");
    }

    if (r->method == NGX_HTTP_DELETE) {
        object->state = object->directory->restore ? PKI_OBJECT_REMOVED
                                                   : PKI_OBJECT_DELETED;

    } else {
        rc = ngx_http_pki_object_body(r, object);

        if (rc != NGX_OK || r->header_sent) {
            return rc;
        }
    }

    ctx = ngx_http_pki_get_ctx(r);

    ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                  "pki directory \"%V\": \"%s\" is told by \"%V\": 0x%xd",
                  &object->directory->name, object->id,
                  ctx->caller.len ? &ctx->caller : &r->connection->addr_text,
                  (int) object->state);

    wait = ngx_http_pki_wait(r, ngx_http_pki_object_pushed, 0,
                             object->directory->store->timeout);
    if (wait == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&told, sizeof(pki_state_object_t));

    told.id = object->id;
    told.name = object->name;
    told.state = object->state;
    told.mask = PKI_OBJECT_STATES;
    told.since = ngx_time();

    pki_state_push(ngx_http_pki_transport(a->mcf, object->directory->store),
                   (char *) object->directory->name.data,
                   object->directory->restore ? 0 : PKI_OBJECT_DELETED, &told,
                   1, ngx_http_pki_object_applied, wait);

    return NGX_BUSY;
}


static ngx_int_t
ngx_http_pki_object_body(ngx_http_request_t *r, ngx_http_pki_object_t *object)
{
    pki_rc_t      rc;
    ngx_int_t     status;
    ngx_str_t     body;
    pki_err_t     err;
    pki_bytes_t   text;

    pki_json_field_t  fields[] = {
        { .name = "enabled", .type = PKI_JSON_BOOLEAN },
        { .name = "deleted", .type = PKI_JSON_BOOLEAN },
        { .name = "compliant", .type = PKI_JSON_BOOLEAN, .nullable = 1 },
        { .name = "risk", .type = PKI_JSON_STRING, .nullable = 1, .max = 16 },
        { .name = "name", .type = PKI_JSON_STRING, .nullable = 1,
          .max = PKI_STATE_NAME_MAX }
    };

    status = ngx_http_pki_body(r, NGX_HTTP_PKI_BODY_MAX, &body);

    if (status == NGX_DECLINED) {
        return ngx_http_pki_api_error(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                      NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                      "The body is too large.");
    }

    if (status != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.data = body.data;
    text.len = body.len;

    rc = pki_json_read(text, fields, sizeof(fields) / sizeof(fields[0]), &err);

    if (rc == PKI_OK) {
        status = ngx_http_pki_object_take(r, object, fields);

    } else if (rc == PKI_INVALID) {
        status = ngx_http_pki_api_error(r, NGX_HTTP_BAD_REQUEST,
                                        NGX_HTTP_BAD_REQUEST, err.text);

    } else {
        status = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pki_json_free(fields, sizeof(fields) / sizeof(fields[0]));

    return status;
}


/* what is not said is not good: "enabled" or "deleted" must be there */

static ngx_int_t
ngx_http_pki_object_take(ngx_http_request_t *r, ngx_http_pki_object_t *object,
    pki_json_field_t *fields)
{
    u_char     *name;
    unsigned    risk, bits;

    static struct {
        const char  *name;
        unsigned     bit;
    } *level, levels[] = {
        { "none", 0 },
        { "low", PKI_RISK_LOW },
        { "medium", PKI_RISK_MEDIUM },
        { "high", PKI_RISK_HIGH },
        { NULL, 0 }
    };

    if (fields[1].given && fields[1].integer) {
        object->state |= object->directory->restore ? PKI_OBJECT_REMOVED
                                                    : PKI_OBJECT_DELETED;

    } else if (!fields[0].given) {
        return ngx_http_pki_api_error(r, NGX_HTTP_BAD_REQUEST,
                                      NGX_HTTP_BAD_REQUEST,
                                      "\"enabled\" is required, unless "
                                      "\"deleted\" is true.");
    }

    if (fields[0].given && !fields[0].integer) {
        object->state |= PKI_OBJECT_DISABLED;
    }

    if (fields[2].given && !fields[2].integer) {
        object->state |= PKI_OBJECT_NONCOMPLIANT;
    }

    if (fields[3].given) {
        bits = object->directory->conf.risk ? object->directory->conf.risk
                                            : PKI_RISK_HIGH;

        for (level = levels; level->name; level++) {
            if (ngx_strcasecmp((u_char *) level->name,
                               (u_char *) fields[3].string)
                == 0)
            {
                break;
            }
        }

        if (level->name == NULL) {
            return ngx_http_pki_api_error(r, NGX_HTTP_BAD_REQUEST,
                                          NGX_HTTP_BAD_REQUEST,
                                          "\"risk\" must be \"none\", "
                                          "\"low\", \"medium\" or \"high\".");
        }

        risk = level->bit;

        if (risk & bits) {
            object->state |= PKI_OBJECT_RISKY;
        }
    }

    if (fields[4].given && fields[4].len) {
        name = ngx_pnalloc(r->pool, fields[4].len + 1);
        if (name == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_cpystrn(name, (u_char *) fields[4].string, fields[4].len + 1);
        object->name = (char *) name;
    }

    return NGX_OK;
}


static void
ngx_http_pki_object_applied(void *data, pki_store_result_t result,
    const pki_state_applied_t *applied, const char *error)
{
    ngx_http_pki_done(data, result, applied ? applied->changed : 0, error);
}


static void
ngx_http_pki_object_pushed(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_done_t *done = reply;

    char                    owner[PKI_OWNER_SIZE];
    size_t                  len;
    ngx_int_t               rc;
    pki_json_writer_t      *w;
    ngx_http_pki_api_t     *a;
    ngx_http_pki_ctx_t     *ctx;
    ngx_http_pki_object_t  *object;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);
    a = ctx->data;
    object = a->data;

    if (done == NULL || done->result != PKI_STORE_DONE) {
        rc = ngx_http_pki_api_unavailable(r, ngx_http_pki_object_silence);
        ngx_http_pki_finalize(r, rc);
        return;
    }

    /* here at once; on other hosts by the news */

    len = pki_owner_object(owner, (char *) object->directory->name.data,
                           object->id);
    ngx_http_pki_forget(&a->mcf->zone, (u_char *) owner, len);

    w = pki_json_create();

    if (w == NULL) {
        ngx_http_pki_finalize(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    pki_json_object(w);
    pki_json_name(w, "id");
    pki_json_string(w, object->id);
    pki_json_name(w, "state");
    ngx_http_pki_object_states(w, object->state);
    pki_json_name(w, "changed");
    pki_json_boolean(w, done->n != 0);
    pki_json_object_end(w);

    ngx_http_pki_finalize(r, ngx_http_pki_api_send(r, NGX_HTTP_OK, w));
}

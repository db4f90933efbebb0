
/*
 * REST calls about the objects of a directory.
 *
 *   GET     directory/{name}/objects/{id}    one object
 *   PUT     directory/{name}/objects/{id}    its state, pushed
 *   DELETE  directory/{name}/objects/{id}    it is gone
 */

#include "ngx_http_pki_module.h"


typedef struct {
    ngx_http_pki_directory_t   *directory;
    char                        id[PKI_OBJECT_ID_SIZE];
    unsigned                    state;
    char                       *name;           /* or NULL */
    char                       *owner;          /* user, or NULL */
    char                        user[PKI_OBJECT_ID_SIZE];
} ngx_http_pki_object_t;


static ngx_int_t ngx_http_pki_object_path(ngx_http_request_t *r,
    ngx_http_pki_api_t *a, ngx_http_pki_object_t **object);
static ngx_int_t ngx_http_pki_object_id(ngx_http_pki_directory_t *directory,
    ngx_str_t *text, char id[PKI_OBJECT_ID_SIZE]);
static void ngx_http_pki_object_got(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static void ngx_http_pki_object_states(pki_json_writer_t *w, unsigned state);

static ngx_int_t ngx_http_pki_object_body(ngx_http_request_t *r,
    ngx_http_pki_api_t *a);
static ngx_int_t ngx_http_pki_object_take(ngx_http_request_t *r,
    ngx_http_pki_api_t *a, pki_json_field_t *fields);
static ngx_int_t ngx_http_pki_object_owner(ngx_http_request_t *r,
    ngx_http_pki_object_t *object, pki_json_field_t *field);
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

    directory = ngx_http_pki_directories_find(r, a, &rest);

    if (directory == NULL || rest.len <= objects.len
        || ngx_strncmp(rest.data, objects.data, objects.len) != 0)
    {
        return ngx_http_pki_directories_none(r);
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
            || !(directory->conf.classes
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

        } else if (ngx_strcmp(name, "alias") == 0
                   || ngx_strcmp(name, "owner") == 0)
        {
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
        rc = ngx_http_pki_object_body(r, a);

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
    told.owner = object->owner;
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
ngx_http_pki_object_body(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    pki_json_field_t  fields[] = {
        { .name = "enabled", .type = PKI_JSON_BOOLEAN },
        { .name = "deleted", .type = PKI_JSON_BOOLEAN },
        { .name = "compliant", .type = PKI_JSON_BOOLEAN, .nullable = 1 },
        { .name = "risk", .type = PKI_JSON_STRING, .nullable = 1, .max = 16 },
        { .name = "name", .type = PKI_JSON_STRING, .nullable = 1,
          .max = PKI_STATE_NAME_MAX },
        { .name = "owner", .type = PKI_JSON_STRING, .nullable = 1,
          .max = PKI_OBJECT_ID_SIZE - 1 }
    };

    return ngx_http_pki_api_read(r, a, fields,
                                 sizeof(fields) / sizeof(fields[0]),
                                 ngx_http_pki_object_take);
}


/* what is not said is not good: "enabled" or "deleted" must be there */

static ngx_int_t
ngx_http_pki_object_take(ngx_http_request_t *r, ngx_http_pki_api_t *a,
    pki_json_field_t *fields)
{
    ngx_http_pki_object_t *object = a->data;

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

    return fields[5].seen ? ngx_http_pki_object_owner(r, object, &fields[5])
                          : NGX_OK;
}


/* null: nobody's */

static ngx_int_t
ngx_http_pki_object_owner(ngx_http_request_t *r,
    ngx_http_pki_object_t *object, pki_json_field_t *field)
{
    pki_value_t  v;

    static ngx_str_t  class = ngx_string("user/");

    object->owner = object->user;

    if (!field->given) {
        object->user[0] = '\0';
        return NGX_OK;
    }

    if (field->len > class.len
        && ngx_strncmp(field->string, class.data, class.len) == 0)
    {
        v.type = PKI_VALUE_STRING;
        v.string = field->string + class.len;
        v.len = field->len - class.len;
        v.integer = 0;

        if (pki_item_guid(object->user, "user", &v) == PKI_OK) {
            return NGX_OK;
        }
    }

    return ngx_http_pki_api_error(r, NGX_HTTP_BAD_REQUEST,
                                  NGX_HTTP_BAD_REQUEST,
                                  "\"owner\" must be \"user/\" and a GUID.");
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

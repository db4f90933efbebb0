
/*
 * What the body of a bulk revocation says.
 */

#include "ngx_http_pki_bulk.h"

#include "pki_query_param.h"


#define NGX_HTTP_PKI_BULK_TEXT    (2 * PKI_SERIAL_HEX_SIZE)
                                        /* octets of a serial number with
                                           colons and zeros */


/* fields of the body; the first four are those of a single revocation */

enum {
    NGX_HTTP_PKI_BULK_F_SERIALS = 4,
    NGX_HTTP_PKI_BULK_F_OBJECT,
    NGX_HTTP_PKI_BULK_F_USER,
    NGX_HTTP_PKI_BULK_F_AFTER,
    NGX_HTTP_PKI_BULK_F_BEFORE,
    NGX_HTTP_PKI_BULK_F_ISSUER,
    NGX_HTTP_PKI_BULK_F_DRY
};


static ngx_int_t ngx_http_pki_bulk_take(ngx_http_request_t *r,
    ngx_http_pki_api_t *a, pki_json_field_t *fields);
static ngx_int_t ngx_http_pki_bulk_by(ngx_http_request_t *r,
    ngx_http_pki_selection_t *s, pki_json_field_t *fields, pki_err_t *err);
static ngx_int_t ngx_http_pki_bulk_serials(ngx_http_request_t *r,
    ngx_http_pki_selection_t *s, pki_json_field_t *field, pki_err_t *err);
static ngx_int_t ngx_http_pki_bulk_object(ngx_http_pki_selection_t *s,
    pki_json_field_t *field, pki_err_t *err);
static ngx_int_t ngx_http_pki_bulk_user(ngx_http_request_t *r,
    ngx_http_pki_selection_t *s, pki_json_field_t *field, pki_err_t *err);
static ngx_int_t ngx_http_pki_bulk_param(pki_query_t *q, const char *name,
    pki_json_field_t *field, pki_err_t *err);
static ngx_int_t ngx_http_pki_bulk_issuers(ngx_http_request_t *r,
    ngx_http_pki_selection_t *s, pki_json_field_t *field);


ngx_int_t
ngx_http_pki_bulk_read(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    pki_json_field_t  fields[] = {
        { .name = "revocationReason", .type = PKI_JSON_INTEGER,
          .required = 1 },
        { .name = "revoker", .type = PKI_JSON_STRING, .nullable = 1,
          .max = NGX_HTTP_PKI_REVOKER_MAX },
        { .name = "comment", .type = PKI_JSON_STRING, .nullable = 1,
          .max = PKI_STORE_WHO_MAX },
        { .name = "invalidityDate", .type = PKI_JSON_STRING, .nullable = 1,
          .max = NGX_HTTP_PKI_DATE_MAX },
        { .name = "serials", .type = PKI_JSON_STRINGS, .nullable = 1,
          .max = NGX_HTTP_PKI_BULK_TEXT, .items = NGX_HTTP_PKI_BULK_SERIALS },
        { .name = "object", .type = PKI_JSON_STRING, .nullable = 1,
          .max = PKI_OBJECT_ID_SIZE },
        { .name = "user", .type = PKI_JSON_STRING, .nullable = 1,
          .max = PKI_ROW_TEXT_MAX },
        { .name = "issuedAfter", .type = PKI_JSON_STRING, .nullable = 1,
          .max = NGX_HTTP_PKI_DATE_MAX },
        { .name = "issuedBefore", .type = PKI_JSON_STRING, .nullable = 1,
          .max = NGX_HTTP_PKI_DATE_MAX },
        { .name = "issuer", .type = PKI_JSON_STRING, .nullable = 1,
          .max = PKI_NAME_MAX },
        { .name = "dryRun", .type = PKI_JSON_BOOLEAN, .nullable = 1 }
    };

    return ngx_http_pki_api_read(r, a, fields,
                                 sizeof(fields) / sizeof(fields[0]),
                                 ngx_http_pki_bulk_take);
}


static ngx_int_t
ngx_http_pki_bulk_take(ngx_http_request_t *r, ngx_http_pki_api_t *a,
    pki_json_field_t *fields)
{
    ngx_int_t             rc;
    pki_err_t             err;
    pki_query_t           q;
    ngx_http_pki_bulk_t  *bulk;

    bulk = a->data;

    rc = ngx_http_pki_manage_take(r, a, fields);

    if (rc != NGX_OK || r->header_sent) {
        return rc;
    }

    bulk->dry = fields[NGX_HTTP_PKI_BULK_F_DRY].integer != 0;
    bulk->release = a->revocation.reason == PKI_REASON_REMOVE_FROM_CRL;

    ngx_memzero(&q, sizeof(pki_query_t));

    rc = ngx_http_pki_bulk_param(&q, "issuedAfter",
                                 &fields[NGX_HTTP_PKI_BULK_F_AFTER], &err);
    if (rc == NGX_OK) {
        rc = ngx_http_pki_bulk_param(&q, "issuedBefore",
                                     &fields[NGX_HTTP_PKI_BULK_F_BEFORE],
                                     &err);
    }

    bulk->selection.filter = q.filter;
    bulk->selection.narrow = fields[NGX_HTTP_PKI_BULK_F_AFTER].given
                             || fields[NGX_HTTP_PKI_BULK_F_BEFORE].given;

    if (rc == NGX_OK) {
        rc = ngx_http_pki_bulk_by(r, &bulk->selection, fields, &err);
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_pki_api_error(r, NGX_HTTP_BAD_REQUEST,
                                      NGX_HTTP_BAD_REQUEST, err.text);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_pki_bulk_issuers(r, &bulk->selection,
                                       &fields[NGX_HTTP_PKI_BULK_F_ISSUER]);
    }

    if (rc == NGX_OK && bulk->selection.nissuers == 0) {
        return ngx_http_pki_api_error(r, NGX_HTTP_NOT_FOUND,
                                      NGX_HTTP_NOT_FOUND,
                                      "There is no issuer of that name "
                                      "here.");
    }

    return rc == NGX_OK ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* NGX_DECLINED with a sentence for the caller */

static ngx_int_t
ngx_http_pki_bulk_by(ngx_http_request_t *r, ngx_http_pki_selection_t *s,
    pki_json_field_t *fields, pki_err_t *err)
{
    pki_json_field_t  *serials, *object, *user;

    serials = &fields[NGX_HTTP_PKI_BULK_F_SERIALS];
    object = &fields[NGX_HTTP_PKI_BULK_F_OBJECT];
    user = &fields[NGX_HTTP_PKI_BULK_F_USER];

    if (serials->given + object->given + user->given > 1
        || !(serials->given || object->given || user->given || s->narrow))
    {
        pki_err_set(err, "One of \"serials\", \"object\" and \"user\" must "
                    "be given, or \"issuedAfter\" or \"issuedBefore\".");
        return NGX_DECLINED;
    }

    if (serials->given) {
        s->by = NGX_HTTP_PKI_SELECT_SERIALS;
        return ngx_http_pki_bulk_serials(r, s, serials, err);
    }

    if (object->given) {
        s->by = NGX_HTTP_PKI_SELECT_OBJECT;
        return ngx_http_pki_bulk_object(s, object, err);
    }

    if (user->given) {
        s->by = NGX_HTTP_PKI_SELECT_USER;
        return ngx_http_pki_bulk_user(r, s, user, err);
    }

    s->by = NGX_HTTP_PKI_SELECT_ISSUED;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_bulk_serials(ngx_http_request_t *r, ngx_http_pki_selection_t *s,
    pki_json_field_t *field, pki_err_t *err)
{
    char        *p;
    size_t       len;
    ngx_uint_t   i;

    s->nserials = (ngx_uint_t) field->integer;
    s->serials = ngx_palloc(r->pool, (s->nserials + 1)
                                     * sizeof(pki_serial_t));
    if (s->serials == NULL) {
        return NGX_ERROR;
    }

    p = field->string;

    for (i = 0; i < s->nserials; i++) {
        len = ngx_strlen(p);

        if (pki_serial_from_text(p, len, &s->serials[i]) != PKI_OK) {
            pki_err_set(err, "\"%s\" is not a serial number of 1 to 20 "
                        "octets in hexadecimal.", p);
            return NGX_DECLINED;
        }

        p += len + 1;
    }

    return NGX_OK;
}


/* a GUID alone may be of a device and of a user */

static ngx_int_t
ngx_http_pki_bulk_object(ngx_http_pki_selection_t *s, pki_json_field_t *field,
    pki_err_t *err)
{
    pki_query_t  q;

    ngx_memzero(&q, sizeof(pki_query_t));

    if (ngx_http_pki_bulk_param(&q, "object", field, err) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ngx_strchr(q.object, '/')) {
        s->nids = 1;
        ngx_memcpy(s->ids[0], q.object, PKI_OBJECT_ID_SIZE);

        return NGX_OK;
    }

    s->nids = 2;
    *ngx_snprintf((u_char *) s->ids[0], PKI_OBJECT_ID_SIZE - 1, "device/%s",
                  q.object) = '\0';
    *ngx_snprintf((u_char *) s->ids[1], PKI_OBJECT_ID_SIZE - 1, "user/%s",
                  q.object) = '\0';

    return NGX_OK;
}


/* a name, or an object's id */

static ngx_int_t
ngx_http_pki_bulk_user(ngx_http_request_t *r, ngx_http_pki_selection_t *s,
    pki_json_field_t *field, pki_err_t *err)
{
    pki_query_t  q;

    if (field->len == 0) {
        pki_err_set(err, "\"user\" is empty.");
        return NGX_DECLINED;
    }

    ngx_memzero(&q, sizeof(pki_query_t));

    if (ngx_http_pki_bulk_param(&q, "object", field, err) == NGX_OK) {
        s->nids = 1;
        *ngx_snprintf((u_char *) s->ids[0], PKI_OBJECT_ID_SIZE - 1, "%s%s",
                      ngx_strchr(q.object, '/') ? "" : "user/", q.object)
            = '\0';

        return NGX_OK;
    }

    s->upn = ngx_pnalloc(r->pool, field->len + 1);
    if (s->upn == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(s->upn, field->string, field->len + 1);

    return NGX_OK;
}


/* what a search says in its URL means the same here */

static ngx_int_t
ngx_http_pki_bulk_param(pki_query_t *q, const char *name,
    pki_json_field_t *field, pki_err_t *err)
{
    const pki_query_param_t  *param;

    if (!field->given) {
        return NGX_OK;
    }

    param = pki_query_param(name);

    if (field->len == 0
        || param->read(q, (u_char *) q + param->offset, field->string,
                       field->len)
           != PKI_OK)
    {
        pki_err_set(err, "\"%s\" %s.", name, param->rule);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_bulk_issuers(ngx_http_request_t *r, ngx_http_pki_selection_t *s,
    pki_json_field_t *field)
{
    ngx_str_t                 name;
    ngx_uint_t                i;
    ngx_http_pki_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_pki_module);

    name.data = (u_char *) field->string;
    name.len = field->len;

    s->issuers = ngx_palloc(r->pool, lcf->scope.n * sizeof(void *));
    s->seen = ngx_palloc(r->pool, lcf->scope.n * PKI_BOOK_SERIALS
                                  * sizeof(ngx_http_pki_seen_t));

    if (s->issuers == NULL || s->seen == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < lcf->scope.n; i++) {
        if (ngx_http_pki_api_named(r, lcf->scope.issuers[i],
                                   field->given ? &name : NULL))
        {
            s->issuers[s->nissuers++] = lcf->scope.issuers[i];
        }
    }

    return NGX_OK;
}


/*
 * Rows as a search replies with them: SCEPman's fields by its names, then
 * ours; as JSON, a line of JSON each, or CSV.
 *
 * Each field is a text or null, so that all forms take it from one place.
 */

#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_ROWS_TIME  sizeof("1970-01-01T00:00:00Z")


static ngx_int_t ngx_http_pki_rows_value(const ngx_http_pki_item_t *item,
    pki_query_field_t field, u_char *buf, pki_bytes_t *value);
static ngx_int_t ngx_http_pki_rows_revocation(
    const ngx_http_pki_item_t *item, pki_query_field_t field, u_char *buf,
    pki_bytes_t *value);
static ngx_int_t ngx_http_pki_rows_text(const char *text,
    pki_bytes_t *value);
static ngx_int_t ngx_http_pki_rows_time(time_t t, u_char *buf,
    pki_bytes_t *value);
static ngx_int_t ngx_http_pki_rows_cell(ngx_http_pki_stream_t *stream,
    pki_bytes_t value);


void
ngx_http_pki_rows_json(pki_json_writer_t *w, const ngx_http_pki_item_t *item,
    ngx_uint_t fields)
{
    u_char       buf[NGX_HTTP_PKI_ROWS_TIME];
    unsigned     field;
    pki_bytes_t  value;

    pki_json_object(w);

    for (field = 0; field < PKI_FIELD_N; field++) {

        if (!(fields & (ngx_uint_t) 1 << field)) {
            continue;
        }

        pki_json_name(w, pki_query_field_name(field));

        if (ngx_http_pki_rows_value(item, field, buf, &value) == NGX_OK) {
            pki_json_bytes(w, value);

        } else {
            pki_json_string(w, NULL);
        }
    }

    pki_json_object_end(w);
}


ngx_int_t
ngx_http_pki_rows_ndjson(ngx_http_pki_stream_t *stream,
    const ngx_http_pki_item_t *item, ngx_uint_t fields)
{
    ngx_int_t           rc;
    pki_bytes_t         text;
    pki_json_writer_t  *w;

    w = pki_json_create();
    if (w == NULL) {
        return NGX_ERROR;
    }

    ngx_http_pki_rows_json(w, item, fields);

    rc = NGX_ERROR;

    if (pki_json_text(w, &text) == PKI_OK
        && ngx_http_pki_stream_write(stream, text.data, text.len) == NGX_OK)
    {
        rc = ngx_http_pki_stream_write(stream, "\n", 1);
    }

    pki_json_destroy(w);

    return rc;
}


ngx_int_t
ngx_http_pki_rows_csv(ngx_http_pki_stream_t *stream,
    const ngx_http_pki_item_t *item, ngx_uint_t fields)
{
    u_char       buf[NGX_HTTP_PKI_ROWS_TIME];
    unsigned     field;
    ngx_uint_t   n;
    pki_bytes_t  value;

    n = 0;

    for (field = 0; field < PKI_FIELD_N; field++) {

        if (!(fields & (ngx_uint_t) 1 << field)) {
            continue;
        }

        if (n++ && ngx_http_pki_stream_write(stream, ",", 1) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ngx_http_pki_rows_value(item, field, buf, &value) == NGX_OK
            && ngx_http_pki_rows_cell(stream, value) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_pki_stream_write(stream, "\r\n", 2);
}


ngx_int_t
ngx_http_pki_rows_csv_head(ngx_http_pki_stream_t *stream, ngx_uint_t fields)
{
    unsigned     field;
    ngx_uint_t   n;
    const char  *name;

    n = 0;

    for (field = 0; field < PKI_FIELD_N; field++) {

        if (!(fields & (ngx_uint_t) 1 << field)) {
            continue;
        }

        name = pki_query_field_name(field);

        if ((n++ && ngx_http_pki_stream_write(stream, ",", 1) != NGX_OK)
            || ngx_http_pki_stream_write(stream, name, ngx_strlen(name))
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_pki_stream_write(stream, "\r\n", 2);
}


/*
 * RFC 4180, 2.  Programs that open such a file take a cell that begins with
 * one of =+-@ for a formula: a quote before it makes it a text.
 */

static ngx_int_t
ngx_http_pki_rows_cell(ngx_http_pki_stream_t *stream, pki_bytes_t value)
{
    size_t         len;
    ngx_uint_t     formula;
    const u_char  *p, *q, *last;

    p = value.data;
    last = p + value.len;

    formula = value.len && ngx_strchr("=+-@", *p) != NULL;

    for (q = p; q < last; q++) {
        if (ngx_strchr("\",\r\n ", *q) != NULL) {
            break;
        }
    }

    if (q == last) {
        return (formula && ngx_http_pki_stream_write(stream, "'", 1) != NGX_OK)
               ? NGX_ERROR : ngx_http_pki_stream_write(stream, p, value.len);
    }

    if (ngx_http_pki_stream_write(stream, formula ? "\"'" : "\"",
                                  formula ? 2 : 1)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    while (p < last) {
        q = memchr(p, '"', last - p);
        len = (q ? q + 1 : last) - p;

        if (ngx_http_pki_stream_write(stream, p, len) != NGX_OK
            || (q && ngx_http_pki_stream_write(stream, "\"", 1) != NGX_OK))
        {
            return NGX_ERROR;
        }

        p += len;
    }

    return ngx_http_pki_stream_write(stream, "\"", 1);
}


/* NGX_DECLINED: null */

static ngx_int_t
ngx_http_pki_rows_value(const ngx_http_pki_item_t *item,
    pki_query_field_t field, u_char *buf, pki_bytes_t *value)
{
    const pki_row_t  *row;

    row = &item->row;

    switch (field) {

    case PKI_FIELD_SERIAL:
        *value = row->serial_text;
        return NGX_OK;

    case PKI_FIELD_SUBJECT:
        *value = row->subject;
        return NGX_OK;

    case PKI_FIELD_SANS:
        *value = row->sans;
        break;

    case PKI_FIELD_UPN:
        *value = row->upn;
        break;

    case PKI_FIELD_ISSUANCE:
        return ngx_http_pki_rows_time(row->not_before, buf, value);

    case PKI_FIELD_EXPIRATION:
        return ngx_http_pki_rows_time(row->not_after, buf, value);

    case PKI_FIELD_REVOCATION:
    case PKI_FIELD_REASON:
    case PKI_FIELD_REVOKED_BY:
        return ngx_http_pki_rows_revocation(item, field, buf, value);

    case PKI_FIELD_REQUESTER:
        *value = row->requester;
        return NGX_OK;

    case PKI_FIELD_SOURCE:
        return ngx_http_pki_rows_text(pki_row_source_name(row->source),
                                      value);

    case PKI_FIELD_TYPE:
        return ngx_http_pki_rows_text(pki_row_type_name(row->kind), value);

    case PKI_FIELD_ISSUER:
        return ngx_http_pki_rows_text((char *) item->issuer->name.data,
                                      value);

    case PKI_FIELD_THUMBPRINT:
        *value = row->thumbprint;
        break;

    case PKI_FIELD_OBJECT:
        *value = row->objects[0];
        break;

    case PKI_FIELD_RECORDED:
        return ngx_http_pki_rows_time(row->issued, buf, value);

    default: /* PKI_FIELD_EFFECTIVE */
        return ngx_http_pki_rows_text(item->surveyed
                                      ? pki_outcome_name(item->outcome)
                                      : NULL, value);
    }

    return value->len ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_pki_rows_revocation(const ngx_http_pki_item_t *item,
    pki_query_field_t field, u_char *buf, pki_bytes_t *value)
{
    if (item->revocation.reason == PKI_REASON_NONE) {
        return NGX_DECLINED;
    }

    switch (field) {

    case PKI_FIELD_REVOCATION:
        return ngx_http_pki_rows_time(item->revocation.at, buf, value);

    case PKI_FIELD_REASON:
        return ngx_http_pki_rows_text(pki_reason_name(item->revocation.reason),
                                      value);

    default: /* PKI_FIELD_REVOKED_BY */
        return ngx_http_pki_rows_text(item->revocation.who, value);
    }
}


static ngx_int_t
ngx_http_pki_rows_text(const char *text, pki_bytes_t *value)
{
    if (text == NULL) {
        return NGX_DECLINED;
    }

    value->data = (u_char *) text;
    value->len = ngx_strlen(text);

    return NGX_OK;
}


/* RFC 3339; what it cannot write is null */

static ngx_int_t
ngx_http_pki_rows_time(time_t t, u_char *buf, pki_bytes_t *value)
{
    ngx_tm_t  tm;

    if (t < 0 || t > PKI_TIME_MAX) {
        return NGX_DECLINED;
    }

    ngx_gmtime(t, &tm);

    value->data = buf;
    value->len = ngx_sprintf(buf, "%04d-%02d-%02dT%02d:%02d:%02dZ",
                             tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                             tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec)
                 - buf;

    return NGX_OK;
}


/* the order of the list is taken for the client's wish, whatever its weights */

ngx_int_t
ngx_http_pki_rows_accept(ngx_http_request_t *r, const char *const *types)
{
    u_char           *p, *best;
    ngx_int_t         n, found;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    found = -1;
    best = NULL;
    part = &r->headers_in.headers.part;

    for ( /* void */ ; part && found < 0; part = part->next) {
        header = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (header[i].key.len != sizeof("Accept") - 1
                || ngx_strcasecmp(header[i].key.data, (u_char *) "Accept")
                   != 0)
            {
                continue;
            }

            for (n = 0; types[n]; n++) {
                p = ngx_strcasestrn(header[i].value.data, (char *) types[n],
                                    ngx_strlen(types[n]) - 1);

                if (p && (best == NULL || p < best)) {
                    best = p;
                    found = n;
                }
            }

            if (found >= 0) {
                break;
            }
        }
    }

    return found;
}

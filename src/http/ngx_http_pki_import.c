
/*
 * POST manage/certificates: certificates that were issued elsewhere.
 *
 * The body is of any length, and read as nginx has kept it, a piece at a
 * time.  A certificate must be signed by an issuer of the location; what it
 * is bound to is in its serial number.  Some are read in each turn, and so
 * many may be on their way to the store.  A revocation goes before the
 * record, so that no moment knows the certificate as good.  Each one has its
 * line in the reply; a body with a single one is answered as other calls.
 */

#include "ngx_http_pki_import.h"


#define NGX_HTTP_PKI_IMPORT_PIECE   (64 * 1024)     /* octets: 0.1 ms */
#define NGX_HTTP_PKI_IMPORT_TURN    2       /* certificates: a signature of
                                               P-384 costs 0.5 ms, others
                                               less */
#define NGX_HTTP_PKI_IMPORT_FLIGHT  64      /* on their way to the store: it
                                               stands still for some 2 ms */


/* one on its way; on the heap, it may outlive the request */

typedef struct {
    ngx_http_pki_wait_t       *wait;
    ngx_http_pki_main_conf_t  *mcf;
    ngx_http_pki_imported_t    imported;
    ngx_uint_t                 pending;     /* replies */
    unsigned                   revoke:1;
    pki_store_result_t         revoked;
    pki_store_result_t         recorded;
    size_t                     len;
    char                       owner[PKI_OWNER_SIZE];
} ngx_http_pki_parcel_t;


/* of the request's pool */

typedef struct {
    ngx_http_pki_lines_t       lines;
    ngx_http_pki_main_conf_t  *mcf;
    pki_bundle_t              *bundle;
    ngx_chain_t               *cl;          /* of the body, not yet read */
    off_t                      offset;      /* in its file, or its memory */
    u_char                    *buffer;
    pki_bytes_t                piece;

    ngx_str_t                  issuer;      /* len 0: any */
    ngx_uint_t                 source;
    char                       who[PKI_STORE_WHO_MAX + 1];
    char                       from[NGX_SOCKADDR_STRLEN + 1];

    ngx_uint_t                 items;
    ngx_uint_t                 flight;
    ngx_uint_t                 counts[NGX_HTTP_PKI_IMPORT_N];
    ngx_http_pki_imported_t    first;       /* until it is told */
    unsigned                   kept:1;      /* first is set */
    unsigned                   json:1;      /* lines came, lines go */
    unsigned                   read:1;      /* the whole body */
} ngx_http_pki_import_t;


static ngx_int_t ngx_http_pki_import_create(ngx_http_request_t *r,
    ngx_http_pki_import_t *import);
static void ngx_http_pki_import_cleanup(void *data);
static ngx_int_t ngx_http_pki_import_args(ngx_http_request_t *r,
    ngx_http_pki_import_t *import);

static void ngx_http_pki_import_turn(ngx_http_request_t *r, void *data);
static ngx_int_t ngx_http_pki_import_some(ngx_http_request_t *r,
    ngx_http_pki_import_t *import);
static ngx_int_t ngx_http_pki_import_piece(ngx_http_request_t *r,
    ngx_http_pki_import_t *import);
static ngx_int_t ngx_http_pki_import_item(ngx_http_request_t *r,
    ngx_http_pki_import_t *import, pki_bundle_item_t *item);

static ngx_int_t ngx_http_pki_import_send(ngx_http_request_t *r,
    ngx_http_pki_import_t *import, ngx_http_pki_import_cert_t *cert,
    ngx_http_pki_imported_t *imported);
static void ngx_http_pki_import_record(ngx_http_pki_import_t *import,
    ngx_http_pki_import_cert_t *cert, ngx_http_pki_parcel_t *parcel);
static void ngx_http_pki_import_row(const ngx_http_pki_import_cert_t *cert,
    const ngx_http_pki_imported_t *imported,
    pki_object_id_t objects[PKI_BINDING_OBJECTS], pki_row_t *row);
static pki_bytes_t ngx_http_pki_import_bytes(const char *text);
static void ngx_http_pki_import_revoked(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error);
static void ngx_http_pki_import_recorded(void *data,
    pki_store_result_t result, long long n, const char *error);
static void ngx_http_pki_import_arrived(ngx_http_pki_parcel_t *parcel,
    pki_store_result_t result, const char *error);
static void ngx_http_pki_import_done(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);

static ngx_int_t ngx_http_pki_import_tell(ngx_http_pki_import_t *import,
    const ngx_http_pki_imported_t *imported);
static ngx_int_t ngx_http_pki_import_write(ngx_http_pki_import_t *import,
    const ngx_http_pki_imported_t *imported);
static pki_json_writer_t *ngx_http_pki_import_json(
    const ngx_http_pki_imported_t *imported, ngx_uint_t line);
static ngx_int_t ngx_http_pki_import_end(ngx_http_request_t *r,
    ngx_http_pki_import_t *import);
static ngx_int_t ngx_http_pki_import_single(ngx_http_request_t *r,
    ngx_http_pki_import_t *import);


static const char  *ngx_http_pki_import_names[] = {
    "imported", "same", "conflict", "refused", "failed"
};


ngx_int_t
ngx_http_pki_import(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    ngx_int_t               rc;
    ngx_http_pki_import_t  *import;

    import = ngx_pcalloc(r->pool, sizeof(ngx_http_pki_import_t));
    if (import == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    a->data = import;
    import->mcf = a->mcf;

    rc = ngx_http_pki_import_args(r, import);

    if (rc != NGX_OK || r->header_sent) {
        return rc;
    }

    if (ngx_http_pki_import_create(r, import) != NGX_OK
        || ngx_http_pki_lines_begin(r, &import->lines,
                                    ngx_http_pki_import_turn, import)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_BUSY;
}


static ngx_int_t
ngx_http_pki_import_create(ngx_http_request_t *r,
    ngx_http_pki_import_t *import)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    import->buffer = ngx_palloc(r->pool, NGX_HTTP_PKI_IMPORT_PIECE);

    if (cln == NULL || import->buffer == NULL) {
        return NGX_ERROR;
    }

    import->bundle = pki_bundle_create();

    cln->handler = ngx_http_pki_import_cleanup;
    cln->data = import->bundle;

    if (r->request_body) {
        import->cl = r->request_body->bufs;
    }

    if (import->cl && import->cl->buf->in_file) {
        import->offset = import->cl->buf->file_pos;
    }

    ngx_http_pki_api_who(r, import->who, NULL);

    *ngx_snprintf((u_char *) import->from, NGX_SOCKADDR_STRLEN, "%V",
                  &r->connection->addr_text) = '\0';

    return import->bundle ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_pki_import_cleanup(void *data)
{
    pki_bundle_destroy(data);
}


static ngx_int_t
ngx_http_pki_import_args(ngx_http_request_t *r, ngx_http_pki_import_t *import)
{
    ngx_str_t                 name;
    ngx_uint_t                i;
    ngx_http_pki_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_pki_module);

    import->source = PKI_SOURCE_IMPORT;

    if (ngx_http_arg(r, (u_char *) "source", 6, &name) == NGX_OK
        && ngx_http_pki_import_source(name.data, name.len, &import->source)
           != NGX_OK)
    {
        return ngx_http_pki_api_error(r, NGX_HTTP_BAD_REQUEST,
                                      NGX_HTTP_BAD_REQUEST,
                                      "There is no such \"source\".");
    }

    if (ngx_http_arg(r, (u_char *) "issuer", 6, &name) != NGX_OK) {
        return NGX_OK;
    }

    import->issuer = name;

    for (i = 0; i < lcf->scope.n; i++) {
        if (ngx_http_pki_api_named(r, lcf->scope.issuers[i], &name)) {
            return NGX_OK;
        }
    }

    return ngx_http_pki_api_error(r, NGX_HTTP_NOT_FOUND, NGX_HTTP_NOT_FOUND,
                                  "There is no issuer of that name here.");
}


static void
ngx_http_pki_import_turn(ngx_http_request_t *r, void *data)
{
    ngx_http_pki_import_t *import = data;

    ngx_int_t  rc;

    rc = ngx_http_pki_import_some(r, import);

    if (rc == NGX_OK && import->read && import->flight == 0) {
        rc = ngx_http_pki_import_end(r, import);
        ngx_http_pki_finalize(r, rc);
        return;
    }

    if (rc == NGX_OK || rc == NGX_AGAIN) {
        rc = ngx_http_pki_lines_flush(&import->lines) == NGX_ERROR
             ? NGX_ERROR : rc;
    }

    if (rc == NGX_AGAIN) {
        ngx_http_pki_lines_post(&import->lines);

    } else if (rc != NGX_OK) {
        ngx_http_pki_finalize(r, rc);
    }
}


/* NGX_AGAIN: there is more to read */

static ngx_int_t
ngx_http_pki_import_some(ngx_http_request_t *r, ngx_http_pki_import_t *import)
{
    pki_rc_t                 rc;
    ngx_uint_t               n;
    pki_bundle_item_t        item;
    ngx_http_pki_imported_t  refused;

    for (n = 0; n < NGX_HTTP_PKI_IMPORT_TURN; /* void */ ) {

        if (import->read || import->flight == NGX_HTTP_PKI_IMPORT_FLIGHT) {
            return NGX_OK;
        }

        rc = pki_bundle_next(import->bundle, &import->piece,
                             import->cl == NULL, &item, &refused.message);

        if (rc == PKI_NOT_FOUND) {

            if (import->cl == NULL) {
                import->read = 1;
                return NGX_OK;
            }

            if (ngx_http_pki_import_piece(r, import) != NGX_OK) {
                return NGX_ERROR;
            }

            n++;
            continue;
        }

        n++;
        import->items++;
        import->json = item.json;

        if (rc == PKI_OK) {
            if (ngx_http_pki_import_item(r, import, &item) != NGX_OK) {
                return NGX_ERROR;
            }

            continue;
        }

        refused.result = rc == PKI_ERROR ? NGX_HTTP_PKI_IMPORT_FAILED
                                         : NGX_HTTP_PKI_IMPORT_REFUSED;
        refused.line = item.line;
        refused.issuer = NULL;

        if (ngx_http_pki_import_tell(import, &refused) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_AGAIN;
}


/* the next piece of the body; nginx has just written its file */

static ngx_int_t
ngx_http_pki_import_piece(ngx_http_request_t *r, ngx_http_pki_import_t *import)
{
    size_t      size;
    ssize_t     n;
    ngx_buf_t  *b;

    b = import->cl->buf;

    size = (size_t) ngx_min((b->in_file ? b->file_last : b->last - b->pos)
                            - import->offset, NGX_HTTP_PKI_IMPORT_PIECE);

    if (!b->in_file) {
        import->piece.data = b->pos + import->offset;

    } else {
        n = size ? ngx_read_file(b->file, import->buffer, size,
                                 import->offset)
                 : 0;

        if (n != (ssize_t) size) {
            return NGX_ERROR;
        }

        import->piece.data = import->buffer;
    }

    import->piece.len = size;
    import->offset += size;

    if (import->offset < (b->in_file ? b->file_last : b->last - b->pos)) {
        return NGX_OK;
    }

    import->cl = import->cl->next;
    import->offset = import->cl && import->cl->buf->in_file
                     ? import->cl->buf->file_pos : 0;

    return NGX_OK;
}


/* reads one, and sends it to the store or tells that it cannot */

static ngx_int_t
ngx_http_pki_import_item(ngx_http_request_t *r, ngx_http_pki_import_t *import,
    pki_bundle_item_t *item)
{
    pki_rc_t                    rc;
    ngx_int_t                   status;
    ngx_http_pki_imported_t     imported;
    ngx_http_pki_import_cert_t  cert;

    ngx_memzero(&imported, sizeof(ngx_http_pki_imported_t));
    imported.line = item->line;

    cert.source = import->source;
    ngx_memcpy(cert.who, import->who, sizeof(cert.who));

    rc = ngx_http_pki_import_cert(r, item, import->issuer.len
                                           ? &import->issuer : NULL,
                                  &cert, &imported);

    if (rc == PKI_OK) {
        status = ngx_http_pki_import_send(r, import, &cert, &imported);

    } else {
        imported.result = rc == PKI_ERROR ? NGX_HTTP_PKI_IMPORT_FAILED
                                          : NGX_HTTP_PKI_IMPORT_REFUSED;

        status = ngx_http_pki_import_tell(import, &imported);
    }

    ngx_http_pki_import_cert_free(&cert);

    return status;
}


static ngx_int_t
ngx_http_pki_import_send(ngx_http_request_t *r, ngx_http_pki_import_t *import,
    ngx_http_pki_import_cert_t *cert, ngx_http_pki_imported_t *imported)
{
    ngx_msec_t              timeout;
    ngx_http_pki_parcel_t  *parcel;

    parcel = ngx_calloc(sizeof(ngx_http_pki_parcel_t), r->connection->log);
    if (parcel == NULL) {
        return NGX_ERROR;
    }

    /* its own end is reached first, and then it says so */

    timeout = 3 * imported->issuer->store->timeout;

    parcel->wait = ngx_http_pki_wait(r, ngx_http_pki_import_done, 0, timeout);
    if (parcel->wait == NULL) {
        ngx_free(parcel);
        return NGX_ERROR;
    }

    ngx_http_pki_wait_longer(parcel->wait, timeout);

    parcel->mcf = import->mcf;
    parcel->imported = *imported;
    parcel->len = pki_owner_cert(parcel->owner,
                                 (char *) imported->issuer->name.data,
                                 &imported->serial);
    import->flight++;

    ngx_http_pki_import_record(import, cert, parcel);

    return NGX_OK;
}


static void
ngx_http_pki_import_record(ngx_http_pki_import_t *import,
    ngx_http_pki_import_cert_t *cert, ngx_http_pki_parcel_t *parcel)
{
    char                   *name;
    pki_row_t               row;
    pki_redis_t            *redis;
    pki_actor_t             actor;
    pki_object_id_t         objects[PKI_BINDING_OBJECTS];
    pki_book_entry_t        entry;
    ngx_http_pki_issuer_t  *issuer;

    issuer = parcel->imported.issuer;
    name = (char *) issuer->name.data;
    redis = ngx_http_pki_transport(import->mcf, issuer->store);

    actor.who = import->who;
    actor.from = import->from;
    actor.why = NULL;
    actor.at = ngx_time();

    ngx_http_pki_import_row(cert, &parcel->imported, objects, &row);

    entry.row = &row;
    entry.der = cert->der;

    parcel->pending = 1;

    if (cert->revocation.reason != PKI_REASON_NONE) {
        parcel->pending = 2;
        parcel->revoke = 1;

        pki_store_revoke(redis, name, &row.serial, &cert->revocation, &actor,
                         1, ngx_http_pki_import_revoked, parcel);
    }

    pki_book_record(redis, name, &entry, "import", &actor,
                    ngx_http_pki_import_recorded, parcel);
}


/* texts are those of cert and objects */

static void
ngx_http_pki_import_row(const ngx_http_pki_import_cert_t *cert,
    const ngx_http_pki_imported_t *imported,
    pki_object_id_t objects[PKI_BINDING_OBJECTS], pki_row_t *row)
{
    ngx_uint_t     i, n;
    pki_binding_t  binding;

    ngx_memzero(row, sizeof(pki_row_t));

    row->status = PKI_REASON_NONE;
    row->serial = imported->serial;
    row->not_before = cert->text.not_before;
    row->not_after = cert->text.not_after;

    /* a selection by times is about when it was issued, not brought here */

    row->issued = ngx_min(cert->text.not_before, ngx_time());
    row->source = cert->source;
    row->kind = PKI_KIND_STATIC;
    row->thumbprint = ngx_http_pki_import_bytes(cert->text.thumbprint);
    row->subject = ngx_http_pki_import_bytes(cert->text.subject);
    row->sans = ngx_http_pki_import_bytes(cert->text.sans);
    row->upn = ngx_http_pki_import_bytes(cert->text.upn);
    row->requester = ngx_http_pki_import_bytes(cert->who);

    if (pki_serial_open(&row->serial, imported->issuer->serial_keys,
                        &binding)
        != PKI_OK)
    {
        return;
    }

    row->kind = binding.kind;
    n = pki_binding_objects(&binding, objects);

    for (i = 0; i < n; i++) {
        row->objects[i] = ngx_http_pki_import_bytes(objects[i].id);
    }
}


static pki_bytes_t
ngx_http_pki_import_bytes(const char *text)
{
    pki_bytes_t  bytes;

    bytes.data = (const u_char *) text;
    bytes.len = ngx_strlen(text);

    return bytes;
}


static void
ngx_http_pki_import_revoked(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error)
{
    ngx_http_pki_parcel_t *parcel = data;

    parcel->revoked = result;

    ngx_http_pki_import_arrived(parcel, result, error);
}


static void
ngx_http_pki_import_recorded(void *data, pki_store_result_t result,
    long long n, const char *error)
{
    ngx_http_pki_parcel_t *parcel = data;

    parcel->recorded = result;

    ngx_http_pki_import_arrived(parcel, result, error);
}


/* whether it was made is not known after a failure: forget then, too */

static void
ngx_http_pki_import_arrived(ngx_http_pki_parcel_t *parcel,
    pki_store_result_t result, const char *error)
{
    if (result == PKI_STORE_FAILED) {
        ngx_http_pki_store_failed(parcel->mcf, parcel->imported.issuer->store,
                                  error, ngx_cycle->log);
    }

    if (--parcel->pending) {
        return;
    }

    ngx_http_pki_forget(&parcel->mcf->zone, (u_char *) parcel->owner,
                        parcel->len);

    ngx_http_pki_wake(parcel->wait, parcel);

    ngx_free(parcel);
}


static void
ngx_http_pki_import_done(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_parcel_t *parcel = reply;

    ngx_http_pki_ctx_t       *ctx;
    ngx_http_pki_api_t       *a;
    ngx_http_pki_import_t    *import;
    ngx_http_pki_imported_t   imported;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);
    a = ctx->data;
    import = a->data;

    if (parcel == NULL) {
        ngx_http_pki_finalize(r, NGX_ERROR);
        return;
    }

    imported = parcel->imported;
    import->flight--;

    if (parcel->recorded == PKI_STORE_FAILED
        || (parcel->revoke && parcel->revoked == PKI_STORE_FAILED))
    {
        imported.result = NGX_HTTP_PKI_IMPORT_FAILED;
        pki_err_set(&imported.message, "the store did not acknowledge it");

    } else if (parcel->recorded == PKI_STORE_CONFLICT) {
        imported.result = NGX_HTTP_PKI_IMPORT_CONFLICT;
        pki_err_set(&imported.message, "another certificate with this serial "
                    "number is on record%s",
                    parcel->revoke && parcel->revoked == PKI_STORE_DONE
                    ? ", and revoked now" : "");

    } else {
        imported.result = parcel->recorded == PKI_STORE_SAME
                          ? NGX_HTTP_PKI_IMPORT_SAME
                          : NGX_HTTP_PKI_IMPORT_IMPORTED;

        if (parcel->revoke && parcel->revoked == PKI_STORE_CONFLICT) {
            pki_err_set(&imported.message, "it is revoked already, with "
                        "another reason");
        }
    }

    if (ngx_http_pki_import_tell(import, &imported) != NGX_OK) {
        ngx_http_pki_finalize(r, NGX_ERROR);
        return;
    }

    ngx_http_pki_lines_post(&import->lines);
}


/* the first waits for a second, for it may be the only one */

static ngx_int_t
ngx_http_pki_import_tell(ngx_http_pki_import_t *import,
    const ngx_http_pki_imported_t *imported)
{
    import->counts[imported->result]++;

    if (!import->json && import->items == 1) {
        import->first = *imported;
        import->kept = 1;
        return NGX_OK;
    }

    if (import->kept) {
        import->kept = 0;

        if (ngx_http_pki_import_write(import, &import->first) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_http_pki_import_write(import, imported);
}


static ngx_int_t
ngx_http_pki_import_write(ngx_http_pki_import_t *import,
    const ngx_http_pki_imported_t *imported)
{
    pki_json_writer_t  *w;

    w = ngx_http_pki_import_json(imported, 1);

    return w ? ngx_http_pki_lines_add(&import->lines, w) : NGX_ERROR;
}


static pki_json_writer_t *
ngx_http_pki_import_json(const ngx_http_pki_imported_t *imported,
    ngx_uint_t line)
{
    char                text[PKI_SERIAL_HEX_SIZE];
    pki_json_writer_t  *w;

    w = pki_json_create();
    if (w == NULL) {
        return NULL;
    }

    if (imported->issuer) {
        (void) pki_serial_to_text(&imported->serial, text);
    }

    pki_json_object(w);

    if (line) {
        pki_json_name(w, "line");
        pki_json_integer(w, imported->line);
    }

    pki_json_name(w, "serialNumber");
    pki_json_string(w, imported->issuer ? text : NULL);
    pki_json_name(w, "issuer");
    pki_json_string(w, imported->issuer
                       ? (char *) imported->issuer->name.data : NULL);
    pki_json_name(w, "result");
    pki_json_string(w, ngx_http_pki_import_names[imported->result]);
    pki_json_name(w, "message");
    pki_json_string(w, imported->message.text[0]
                       ? imported->message.text : NULL);
    pki_json_object_end(w);

    return w;
}


static ngx_int_t
ngx_http_pki_import_end(ngx_http_request_t *r, ngx_http_pki_import_t *import)
{
    ngx_uint_t          i;
    pki_json_writer_t  *w;

    ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                  "pki: import by \"%s\": %ui certificates, %ui new",
                  import->who, import->items,
                  import->counts[NGX_HTTP_PKI_IMPORT_IMPORTED]);

    if (import->items == 0) {
        return ngx_http_pki_api_error(r, NGX_HTTP_BAD_REQUEST,
                                      NGX_HTTP_BAD_REQUEST,
                                      "The body is empty.");
    }

    if (import->kept) {
        return ngx_http_pki_import_single(r, import);
    }

    w = pki_json_create();
    if (w == NULL) {
        return NGX_ERROR;
    }

    pki_json_object(w);

    for (i = 0; i < NGX_HTTP_PKI_IMPORT_N; i++) {
        pki_json_name(w, ngx_http_pki_import_names[i]);
        pki_json_integer(w, import->counts[i]);
    }

    pki_json_object_end(w);

    return ngx_http_pki_lines_end(&import->lines, w);
}


static ngx_int_t
ngx_http_pki_import_single(ngx_http_request_t *r,
    ngx_http_pki_import_t *import)
{
    pki_json_writer_t  *w;

    switch (import->first.result) {

    case NGX_HTTP_PKI_IMPORT_FAILED:
        return ngx_http_pki_api_unavailable(r, "The store does not answer. "
                                            "It is not known whether the "
                                            "change was made.");

    case NGX_HTTP_PKI_IMPORT_REFUSED:
        return ngx_http_pki_api_error(r, NGX_HTTP_BAD_REQUEST,
                                      NGX_HTTP_BAD_REQUEST,
                                      import->first.message.text);

    case NGX_HTTP_PKI_IMPORT_CONFLICT:
        return ngx_http_pki_api_error(r, NGX_HTTP_CONFLICT, NGX_HTTP_CONFLICT,
                                      import->first.message.text);

    default:
        break;
    }

    w = ngx_http_pki_import_json(&import->first, 0);
    if (w == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_pki_api_send(r, import->first.result
                                    == NGX_HTTP_PKI_IMPORT_IMPORTED
                                    ? NGX_HTTP_CREATED : NGX_HTTP_OK, w);
}


/*
 * Whose certificate is it?  From a UPN or an e-mail address to a user, and
 * from a device to the user that it is of.
 *
 * The directories of the issuer are asked one after the other.  That none of
 * them has the name is the request's fault only if each has completed a
 * round.
 */

#include "ngx_http_pki_module.h"


/* what a directory told: one string, or NULL; gone after the wake */

typedef struct {
    pki_store_result_t         result;
    const char                *value;
} ngx_http_pki_resolve_told_t;


static void ngx_http_pki_resolve_name(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error);
static void ngx_http_pki_resolve_told(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static ngx_int_t ngx_http_pki_resolve_not(ngx_http_request_t *r,
    ngx_http_pki_enroll_t *e);
static void ngx_http_pki_resolve_sync(void *data, pki_store_result_t result,
    const pki_state_sync_t *sync, const char *error);
static void ngx_http_pki_resolve_synced(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);

static void ngx_http_pki_resolve_item(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error);
static void ngx_http_pki_resolve_translated(ngx_http_request_t *r,
    ngx_uint_t n, const void *reply);
static void ngx_http_pki_resolve_owned(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);


/* a UPN or an e-mail address: each directory is asked for its user */

ngx_int_t
ngx_http_pki_resolve(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    const char                *resources[PKI_STORE_RESOURCES];
    ngx_http_pki_wait_t       *wait;
    ngx_http_pki_directory_t  *directory;
    ngx_http_pki_reference_t  *reference;

    reference = e->issuer->directories.elts;

    for ( /* void */ ; e->directory < e->issuer->directories.nelts;
         e->directory++)
    {
        directory = reference[e->directory].directory;

        if (pki_dialect_resources(&directory->conf, e->claim.class, resources)
            == 0)
        {
            continue;
        }

        wait = ngx_http_pki_wait(r, ngx_http_pki_resolve_told, 0,
                                 e->issuer->store->timeout);
        if (wait == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        pki_state_resolve(ngx_http_pki_transport(e->mcf, e->issuer->store),
                          (char *) directory->name.data, e->claim.name,
                          ngx_http_pki_resolve_name, wait);

        return NGX_BUSY;
    }

    if (e->unsure) {
        return ngx_http_pki_enroll_failed(r, "The users of a directory are "
                                          "not known yet.");
    }

    return ngx_http_pki_enroll_refuse(r, NGX_HTTP_BAD_REQUEST,
                                      "The user is not known to any "
                                      "directory.");
}


static void
ngx_http_pki_resolve_name(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error)
{
    ngx_http_pki_resolve_told_t  told;

    told.result = result;
    told.value = (result == PKI_STORE_DONE && n == 1) ? items[0].value : NULL;

    ngx_http_pki_wake(data, &told);
}


static void
ngx_http_pki_resolve_told(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_resolve_told_t *told = reply;

    ngx_int_t               rc;
    ngx_http_pki_enroll_t  *e;

    e = ngx_http_pki_enroll_of(r);

    if (told == NULL || told->result == PKI_STORE_FAILED) {
        rc = ngx_http_pki_enroll_failed(r, "The store does not answer.");

    } else if (told->value == NULL
               || pki_claim_user(&e->claim, told->value) != PKI_OK)
    {
        rc = ngx_http_pki_resolve_not(r, e);

    } else if (e->self && !ngx_http_pki_verify_user(r, e, told->value)) {
        rc = ngx_http_pki_enroll_refuse(r, NGX_HTTP_FORBIDDEN,
                                        "Self-service is for the caller's "
                                        "own name only.");

    } else {
        rc = ngx_http_pki_enroll_reserve(r, e);
    }

    ngx_http_pki_enroll_end(r, rc);
}


/* not this one: or has it just not told of its users yet? */

static ngx_int_t
ngx_http_pki_resolve_not(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    const char                *resources[PKI_STORE_RESOURCES];
    ngx_http_pki_wait_t       *wait;
    ngx_http_pki_directory_t  *directory;
    ngx_http_pki_reference_t  *reference;

    wait = ngx_http_pki_wait(r, ngx_http_pki_resolve_synced, 0,
                             e->issuer->store->timeout);
    if (wait == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    reference = e->issuer->directories.elts;
    directory = reference[e->directory].directory;

    (void) pki_dialect_resources(&directory->conf, e->claim.class, resources);

    pki_state_sync(ngx_http_pki_transport(e->mcf, e->issuer->store),
                   (char *) directory->name.data, resources[0],
                   ngx_http_pki_resolve_sync, wait);

    return NGX_BUSY;
}


static void
ngx_http_pki_resolve_sync(void *data, pki_store_result_t result,
    const pki_state_sync_t *sync, const char *error)
{
    ngx_http_pki_done_t  done;

    done.result = result;
    done.n = (result == PKI_STORE_DONE && sync) ? sync->at : 0;
    done.error = error;

    ngx_http_pki_wake(data, &done);
}


static void
ngx_http_pki_resolve_synced(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_done_t *done = reply;

    ngx_int_t               rc;
    ngx_http_pki_enroll_t  *e;

    e = ngx_http_pki_enroll_of(r);

    if (done == NULL || done->result == PKI_STORE_FAILED) {
        rc = ngx_http_pki_enroll_failed(r, "The store does not answer.");

    } else {
        e->unsure |= done->n == 0;
        e->directory++;

        rc = ngx_http_pki_resolve(r, e);
    }

    ngx_http_pki_enroll_end(r, rc);
}


/*
 * Self-service: whose device is it?  A lookup has brought that by now.  Each
 * directory is asked, which may have the device under another id.
 */

ngx_int_t
ngx_http_pki_resolve_owner(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    pki_redis_t               *redis;
    pki_object_id_t            objects[PKI_BINDING_OBJECTS];
    ngx_http_pki_wait_t       *wait;
    ngx_http_pki_directory_t  *directory;
    ngx_http_pki_reference_t  *reference;

    if (e->directory == e->issuer->directories.nelts) {
        return ngx_http_pki_enroll_refuse(r, NGX_HTTP_FORBIDDEN,
                                          "Self-service is for the caller's "
                                          "own devices only, and whose "
                                          "device this is is not known to "
                                          "any directory.");
    }

    wait = ngx_http_pki_wait(r, e->translate ? ngx_http_pki_resolve_translated
                                             : ngx_http_pki_resolve_owned,
                             0, e->issuer->store->timeout);
    if (wait == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    reference = e->issuer->directories.elts;
    directory = reference[e->directory].directory;
    redis = ngx_http_pki_transport(e->mcf, e->issuer->store);

    (void) pki_binding_objects(&e->claim.binding, objects);

    if (e->translate) {
        pki_state_resolve(redis, (char *) directory->name.data,
                          ngx_strchr(objects[0].id, '/') + 1,
                          ngx_http_pki_resolve_name, wait);

    } else {
        pki_state_object(redis, (char *) directory->name.data,
                         e->other[0] ? e->other : objects[0].id,
                         ngx_http_pki_resolve_item, wait);
    }

    return NGX_BUSY;
}


static void
ngx_http_pki_resolve_translated(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_resolve_told_t *told = reply;

    ngx_int_t               rc;
    ngx_http_pki_enroll_t  *e;

    e = ngx_http_pki_enroll_of(r);

    e->translate = 0;

    if (told == NULL || told->result == PKI_STORE_FAILED) {
        rc = ngx_http_pki_enroll_failed(r, "The store does not answer.");

    } else {
        if (told->value && ngx_strlen(told->value) < PKI_OBJECT_ID_SIZE) {
            (void) ngx_cpystrn((u_char *) e->other, (u_char *) told->value,
                               PKI_OBJECT_ID_SIZE);

        } else {
            e->directory++;
        }

        rc = ngx_http_pki_resolve_owner(r, e);
    }

    ngx_http_pki_enroll_end(r, rc);
}


static void
ngx_http_pki_resolve_item(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error)
{
    size_t                       i;
    ngx_http_pki_resolve_told_t  told;

    told.result = result;
    told.value = NULL;

    for (i = 0; result == PKI_STORE_DONE && i < n; i++) {
        if (ngx_strcmp(items[i].name, "owner") == 0) {
            told.value = items[i].value;
        }
    }

    ngx_http_pki_wake(data, &told);
}


static void
ngx_http_pki_resolve_owned(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_resolve_told_t *told = reply;

    ngx_int_t               rc;
    ngx_http_pki_enroll_t  *e;

    e = ngx_http_pki_enroll_of(r);

    if (told == NULL || told->result == PKI_STORE_FAILED) {
        rc = ngx_http_pki_enroll_failed(r, "The store does not answer.");

    } else if (told->value == NULL || *told->value == '\0') {

        if (e->other[0]) {
            e->other[0] = '\0';
            e->directory++;

        } else {
            e->translate = 1;
        }

        rc = ngx_http_pki_resolve_owner(r, e);

    } else if (ngx_http_pki_verify_user(r, e, told->value)) {
        rc = ngx_http_pki_issue(r, e);

    } else {
        rc = ngx_http_pki_enroll_refuse(r, NGX_HTTP_FORBIDDEN,
                                        "Self-service is for the caller's "
                                        "own devices only.");
    }

    ngx_http_pki_enroll_end(r, rc);
}

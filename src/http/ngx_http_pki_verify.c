
/*
 * May there be a certificate for this object?
 *
 * The same verdict that OCSP would give of it decides: what would not be
 * good is not issued.  An object that no directory has is the request's
 * fault; one that a directory cannot speak of now is not.
 */

#include "ngx_http_pki_module.h"


static ngx_uint_t ngx_http_pki_verify_bound(const pki_question_t *q);
static ngx_uint_t ngx_http_pki_verify_absent(ngx_http_pki_issuer_t *issuer,
    const pki_cause_t *causes, ngx_uint_t n);
static ngx_int_t ngx_http_pki_verify_bad(ngx_http_request_t *r,
    const pki_verdict_t *verdict, const pki_cause_t *causes, ngx_uint_t n);


ngx_int_t
ngx_http_pki_verify(ngx_http_request_t *r, ngx_http_pki_enroll_t *e,
    const ngx_http_pki_told_t *told)
{
    ngx_uint_t     n;
    pki_cause_t    causes[PKI_VERDICT_CAUSES];
    pki_facts_t    facts;
    pki_verdict_t  verdict;

    pki_question_facts(&e->issuer->view, told->question, told->found, &facts);

    if (e->old == NULL) {
        facts.recorded = 1;

        if (!ngx_http_pki_verify_bound(told->question)) {
            return ngx_http_pki_enroll_refuse(r, NGX_HTTP_BAD_REQUEST,
                                              "The object is not known to any "
                                              "directory.");
        }
    }

    n = pki_verdict(&verdict, &facts, &e->issuer->policy, ngx_time(), causes);

    if (e->old == NULL && ngx_http_pki_verify_absent(e->issuer, causes, n)) {
        return ngx_http_pki_enroll_refuse(r, NGX_HTTP_BAD_REQUEST,
                                          "The object is not known to any "
                                          "directory.");
    }

    switch (verdict.outcome) {

    case PKI_OUTCOME_GOOD:
        return NGX_OK;

    case PKI_OUTCOME_UNKNOWN:
        return ngx_http_pki_enroll_refuse(r, NGX_HTTP_FORBIDDEN,
                                          "The certificate to be renewed is "
                                          "not known here.");

    case PKI_OUTCOME_LATER:
        return ngx_http_pki_enroll_failed(r, "The state of the object is not "
                                          "known now.");

    default:
        return ngx_http_pki_verify_bad(r, &verdict, causes, n);
    }
}


/* an object that nobody watches would be good for ever */

static ngx_uint_t
ngx_http_pki_verify_bound(const pki_question_t *q)
{
    unsigned         i, k, n;
    pki_object_id_t  objects[PKI_BINDING_OBJECTS];

    n = q->bound ? pki_binding_objects(&q->binding, objects) : 0;

    for (i = 0; i < n; i++) {

        for (k = 0; k < q->store.nobjects; k++) {
            if (q->classes[k] == objects[i].class) {
                break;
            }
        }

        if (k == q->store.nobjects) {
            return 0;
        }
    }

    return 1;
}


/*
 * Is its absence all that speaks against the object?  A directory that was
 * asked for it, and one that is told of each, know that they do not have it;
 * of the others that cannot be said yet.
 */

static ngx_uint_t
ngx_http_pki_verify_absent(ngx_http_pki_issuer_t *issuer,
    const pki_cause_t *causes, ngx_uint_t n)
{
    ngx_uint_t                 i, k;
    ngx_http_pki_reference_t  *reference;

    reference = issuer->directories.elts;

    for (i = 0; i < n; i++) {

        if (ngx_strcmp(causes[i].what, "missing") == 0
            || ngx_strcmp(causes[i].what, "removed") == 0)
        {
            continue;
        }

        if (ngx_strcmp(causes[i].what, "not found") != 0) {
            return 0;
        }

        for (k = 0; k < issuer->directories.nelts; k++) {
            if (ngx_strcmp(reference[k].name.data, causes[i].source) == 0
                && reference[k].directory->conf.dialect->resources)
            {
                return 0;
            }
        }
    }

    return n ? 1 : 0;
}


static ngx_int_t
ngx_http_pki_verify_bad(ngx_http_request_t *r, const pki_verdict_t *verdict,
    const pki_cause_t *causes, ngx_uint_t n)
{
    ngx_uint_t  i;
    pki_err_t   err;

    for (i = 0; i < n; i++) {
        if (causes[i].reason != verdict->reason) {
            continue;
        }

        if (causes[i].object) {
            pki_err_set(&err, "The object \"%s\" is %s.", causes[i].object,
                        causes[i].what);

            return ngx_http_pki_enroll_refuse(r, NGX_HTTP_FORBIDDEN,
                                              err.text);
        }
    }

    return ngx_http_pki_enroll_refuse(r, NGX_HTTP_FORBIDDEN,
                                      "The certificate is revoked.");
}


/* every name of the request must be the caller's, not only the one bound */

ngx_int_t
ngx_http_pki_verify_self(ngx_http_request_t *r, ngx_http_pki_enroll_t *e)
{
    char                 user[PKI_CSR_NAME_MAX + 1];
    pki_rc_t             rc;
    pki_err_t            err;
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);

    if (ctx->user.len == 0 || ctx->user.len > PKI_CSR_NAME_MAX) {
        return ngx_http_pki_enroll_refuse(r, NGX_HTTP_FORBIDDEN,
                                          "Self-service needs a token that "
                                          "names a user.");
    }

    ngx_memcpy(user, ctx->user.data, ctx->user.len);
    user[ctx->user.len] = '\0';

    rc = pki_claim_self(&e->claim, e->csr, user, &err);

    if (rc == PKI_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != PKI_OK) {
        return ngx_http_pki_enroll_refuse(r, NGX_HTTP_FORBIDDEN, err.text);
    }

    return NGX_OK;
}


/*
 * A token's object id tells more than its name, which may be another's in
 * the directory.  Without one the name counts, which was compared already.
 */

ngx_uint_t
ngx_http_pki_verify_user(ngx_http_request_t *r, ngx_http_pki_enroll_t *e,
    const char *id)
{
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);

    if (ngx_strncmp(id, "user/", 5) != 0) {
        return 0;
    }

    if (ctx->object.len == 0) {
        return e->claim.binding.kind == PKI_KIND_USER;
    }

    id += 5;

    return ctx->object.len == ngx_strlen(id)
           && ngx_strncasecmp(ctx->object.data, (u_char *) id, ctx->object.len)
              == 0;
}

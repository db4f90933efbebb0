
/*
 * The REST calls: from a path to the one that serves it, and back.
 *
 * A call is a row of the table: path, method, role, what to do.  Calls about
 * a certificate end their path in its serial number, which is looked up
 * under every issuer in scope; they go on (ngx_http_pki_manage.c) with the
 * one that knows the certificate.  Calls about directories
 * and their objects take the rest of the path themselves.  All errors
 * have one form.
 */

#include "ngx_http_pki_module.h"


static void ngx_http_pki_api_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_api_process(ngx_http_request_t *r);
static ngx_http_pki_route_t *ngx_http_pki_api_route(ngx_http_request_t *r,
    ngx_str_t *rest, ngx_str_t *allow);
static ngx_uint_t ngx_http_pki_api_path(ngx_http_pki_route_t *route,
    u_char *p, u_char *last, ngx_str_t *rest);
static ngx_int_t ngx_http_pki_api_scope(ngx_http_request_t *r,
    ngx_http_pki_api_t *a);
static void ngx_http_pki_api_found(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static ngx_int_t ngx_http_pki_api_choose(ngx_http_request_t *r,
    ngx_http_pki_api_t *a);
static ngx_uint_t ngx_http_pki_api_rank(ngx_http_pki_candidate_t *c);
static pki_bytes_t ngx_http_pki_api_request_id(ngx_http_request_t *r);


static ngx_http_pki_route_t  ngx_http_pki_routes[] = {

    { ngx_string("csr"), ngx_null_string,
      NGX_HTTP_POST,
      NGX_HTTP_PKI_ROLE_ENROLL|NGX_HTTP_PKI_ROLE_SELF, PKI_CSR_MAX,
      ngx_http_pki_enroll_csr,
      NULL,
      NULL },

    { ngx_string("manage/search"), ngx_null_string,
      NGX_HTTP_GET|NGX_HTTP_HEAD,
      NGX_HTTP_PKI_ROLE_READ, NGX_HTTP_PKI_BODY_MAX,
      ngx_http_pki_search,
      NULL,
      NULL },

    { ngx_string("manage/certificates/"), ngx_string("/history"),
      NGX_HTTP_GET|NGX_HTTP_HEAD,
      NGX_HTTP_PKI_ROLE_READ, NGX_HTTP_PKI_BODY_MAX,
      NULL,
      NULL,
      ngx_http_pki_inspect_history },

    { ngx_string("manage/certificates/"), ngx_null_string,
      NGX_HTTP_GET|NGX_HTTP_HEAD,
      NGX_HTTP_PKI_ROLE_READ, NGX_HTTP_PKI_BODY_MAX,
      NULL,
      NULL,
      ngx_http_pki_inspect },

    { ngx_string("manage/certificates"), ngx_null_string,
      NGX_HTTP_POST,
      NGX_HTTP_PKI_ROLE_MANAGE, 0,
      ngx_http_pki_import,
      NULL,
      NULL },

    { ngx_string("manage/revoke"), ngx_null_string,
      NGX_HTTP_POST,
      NGX_HTTP_PKI_ROLE_MANAGE, NGX_HTTP_PKI_BULK_MAX,
      ngx_http_pki_bulk,
      NULL,
      NULL },

    { ngx_string("manage/revoke/"), ngx_null_string,
      NGX_HTTP_PATCH,
      NGX_HTTP_PKI_ROLE_MANAGE, NGX_HTTP_PKI_BODY_MAX,
      NULL,
      ngx_http_pki_manage_read,
      ngx_http_pki_manage_revoke },

    { ngx_string("manage/revoke/"), ngx_null_string,
      NGX_HTTP_DELETE,
      NGX_HTTP_PKI_ROLE_MANAGE, NGX_HTTP_PKI_BODY_MAX,
      NULL,
      NULL,
      ngx_http_pki_manage_release },

    { ngx_string("directories/"), ngx_null_string,
      NGX_HTTP_POST,
      NGX_HTTP_PKI_ROLE_MANAGE, NGX_HTTP_PKI_BODY_MAX,
      ngx_http_pki_directories_ask,
      NULL,
      NULL },

    { ngx_string("directories"), ngx_null_string,
      NGX_HTTP_GET|NGX_HTTP_HEAD,
      NGX_HTTP_PKI_ROLE_READ, NGX_HTTP_PKI_BODY_MAX,
      ngx_http_pki_directories_list,
      NULL,
      NULL },

    { ngx_string("directory/"), ngx_string("/certificates"),
      NGX_HTTP_GET|NGX_HTTP_HEAD,
      NGX_HTTP_PKI_ROLE_READ, NGX_HTTP_PKI_BODY_MAX,
      ngx_http_pki_issued_list,
      NULL,
      NULL },

    { ngx_string("directory/"), ngx_null_string,
      NGX_HTTP_GET|NGX_HTTP_HEAD,
      NGX_HTTP_PKI_ROLE_READ, NGX_HTTP_PKI_BODY_MAX,
      ngx_http_pki_object_get,
      NULL,
      NULL },

    { ngx_string("directory/"), ngx_null_string,
      NGX_HTTP_PUT|NGX_HTTP_DELETE,
      NGX_HTTP_PKI_ROLE_MANAGE, NGX_HTTP_PKI_BODY_MAX,
      ngx_http_pki_object_push,
      NULL,
      NULL },

    { ngx_string("openapi.json"), ngx_null_string,
      NGX_HTTP_GET|NGX_HTTP_HEAD,
      0, NGX_HTTP_PKI_BODY_MAX,
      ngx_http_pki_openapi,
      NULL,
      NULL },

    { ngx_null_string, ngx_null_string, 0, 0, 0, NULL, NULL, NULL }
};


static struct {
    ngx_uint_t  method;
    ngx_str_t   name;
} ngx_http_pki_api_methods[] = {
    { NGX_HTTP_GET, ngx_string("GET") },
    { NGX_HTTP_HEAD, ngx_string("HEAD") },
    { NGX_HTTP_POST, ngx_string("POST") },
    { NGX_HTTP_PUT, ngx_string("PUT") },
    { NGX_HTTP_PATCH, ngx_string("PATCH") },
    { NGX_HTTP_DELETE, ngx_string("DELETE") },
    { 0, ngx_null_string }
};


ngx_int_t
ngx_http_pki_api_handler(ngx_http_request_t *r)
{
    size_t                     max;
    ngx_int_t                  rc;
    ngx_str_t                  rest;
    ngx_http_pki_route_t      *route;
    ngx_http_pki_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);

    if (ngx_http_pki_get_worker(mcf) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_pki_auth_subrequest(r);

    if (rc != NGX_OK) {
        return rc;
    }

    route = ngx_http_pki_api_route(r, &rest, NULL);

    /* what is no call has no use for a body */

    max = route ? route->max : NGX_HTTP_PKI_BODY_MAX;

    rc = ngx_http_pki_read_body(r, max ? max : NGX_MAX_SIZE_T_VALUE,
                                ngx_http_pki_api_body_handler);

    if (rc != NGX_HTTP_REQUEST_ENTITY_TOO_LARGE) {
        return rc;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_pki_api_error(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                  NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                  "The body is too large.");
}


ngx_uint_t
ngx_http_pki_api_roles(ngx_http_request_t *r)
{
    ngx_str_t              rest;
    ngx_http_pki_route_t  *route;

    route = ngx_http_pki_api_route(r, &rest, NULL);

    return route ? route->roles : NGX_HTTP_PKI_ROLE_READ;
}


ngx_uint_t
ngx_http_pki_api_may(ngx_http_request_t *r, ngx_http_pki_issuer_t *issuer)
{
    ngx_str_t           *name;
    ngx_uint_t           i;
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);

    if (ctx == NULL || ctx->issuers == NULL) {
        return 1;
    }

    name = ctx->issuers->elts;

    for (i = 0; i < ctx->issuers->nelts; i++) {
        if (name[i].len == issuer->name.len
            && ngx_strncmp(name[i].data, issuer->name.data, name[i].len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_pki_api_named(ngx_http_request_t *r, ngx_http_pki_issuer_t *issuer,
    ngx_str_t *name)
{
    if (!ngx_http_pki_api_may(r, issuer)) {
        return 0;
    }

    return name == NULL
           || (name->len == issuer->name.len
               && ngx_strncmp(name->data, issuer->name.data, name->len) == 0);
}


void
ngx_http_pki_api_who(ngx_http_request_t *r, char *who, const char *revoker)
{
    u_char              *p, *last;
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_pki_get_ctx(r);

    p = (u_char *) who;
    last = p + PKI_STORE_WHO_MAX;

    if (revoker && *revoker) {
        p = ngx_slprintf(p, last, "%s" NGX_HTTP_PKI_THROUGH, revoker);
    }

    if (ctx && ctx->caller.len) {
        p = ngx_slprintf(p, last, "%V", &ctx->caller);

    } else {
        p = ngx_slprintf(p, last, "%V", &r->connection->addr_text);
    }

    *p = '\0';
}


static void
ngx_http_pki_api_body_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_pki_api_process(r);

    if (rc != NGX_BUSY) {
        ngx_http_pki_finalize(r, rc);
    }
}


/* NGX_BUSY: the request waits; else what to finalize with */

static ngx_int_t
ngx_http_pki_api_process(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_str_t                  rest, allow;
    ngx_uint_t                 i;
    ngx_http_pki_api_t        *a;
    ngx_http_pki_ctx_t        *ctx;

    static ngx_str_t  name = ngx_string("Allow");

    ctx = ngx_http_pki_get_ctx(r);
    a = ngx_pcalloc(r->pool, sizeof(ngx_http_pki_api_t));

    if (ctx == NULL || a == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->data = a;
    a->mcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);
    a->route = ngx_http_pki_api_route(r, &rest, &allow);

    if (a->route == NULL) {
        if (allow.len == 0) {
            return ngx_http_pki_api_error(r, NGX_HTTP_NOT_FOUND,
                                          NGX_HTTP_NOT_FOUND,
                                          "There is no such call.");
        }

        if (ngx_http_pki_header(r, &name, &allow) == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_pki_api_error(r, NGX_HTTP_NOT_ALLOWED,
                                      NGX_HTTP_NOT_ALLOWED,
                                      "The method is not allowed here.");
    }

    a->rest = rest;

    if (a->route->call) {
        return a->route->call(r, a);
    }

    if (pki_serial_from_text((char *) rest.data, rest.len, &a->serial)
        != PKI_OK)
    {
        return ngx_http_pki_api_error(r, NGX_HTTP_BAD_REQUEST,
                                      NGX_HTTP_BAD_REQUEST,
                                      "The path does not end in a serial "
                                      "number of 1 to 20 octets in "
                                      "hexadecimal.");
    }

    if (a->route->prepare) {
        rc = a->route->prepare(r, a);

        if (rc != NGX_OK || r->header_sent) {
            return rc;
        }
    }

    rc = ngx_http_pki_api_scope(r, a);

    if (rc != NGX_OK || r->header_sent) {
        return rc;
    }

    for (i = 0; i < a->ncandidates; i++) {
        rc = ngx_http_pki_ask(r, a->candidates[i].issuer, &a->serial,
                              ngx_http_pki_api_found, i);

        if (rc == NGX_ERROR) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        a->pending++;
    }

    return NGX_BUSY;
}


/*
 * The row of this path and method; rest is what follows its path.  NULL:
 * none, and allow lists the methods that there are for the path.
 */

static ngx_http_pki_route_t *
ngx_http_pki_api_route(ngx_http_request_t *r, ngx_str_t *rest,
    ngx_str_t *allow)
{
    u_char                    *p, *last;
    ngx_uint_t                 i, methods;
    ngx_http_pki_route_t      *route;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    last = r->uri.data + r->uri.len;
    p = r->uri.data + ngx_min(clcf->name.len, r->uri.len);

    while (p < last && *p == '/') {
        p++;
    }

    methods = 0;

    for (route = ngx_http_pki_routes; route->path.len; route++) {

        if (!ngx_http_pki_api_path(route, p, last, rest)) {
            continue;
        }

        if (route->method & r->method) {
            return route;
        }

        methods |= route->method;
    }

    if (allow == NULL) {
        return NULL;
    }

    ngx_str_null(allow);

    p = ngx_pnalloc(r->pool, sizeof("GET, HEAD, POST, PUT, PATCH, DELETE, "));

    if (p == NULL || methods == 0) {
        return NULL;
    }

    allow->data = p;

    for (i = 0; ngx_http_pki_api_methods[i].method; i++) {
        if (methods & ngx_http_pki_api_methods[i].method) {
            p = ngx_sprintf(p, "%s%V", p == allow->data ? "" : ", ",
                            &ngx_http_pki_api_methods[i].name);
        }
    }

    allow->len = p - allow->data;

    return NULL;
}


/* rest is what the path has between the route's own and its suffix */

static ngx_uint_t
ngx_http_pki_api_path(ngx_http_pki_route_t *route, u_char *p, u_char *last,
    ngx_str_t *rest)
{
    size_t  len;

    len = route->path.len + route->suffix.len;

    if ((size_t) (last - p) < len
        || ngx_strncmp(p, route->path.data, route->path.len) != 0
        || (route->suffix.len
            && ngx_strncmp(last - route->suffix.len, route->suffix.data,
                           route->suffix.len)
               != 0))
    {
        return 0;
    }

    rest->data = p + route->path.len;
    rest->len = last - p - len;

    if (route->path.data[route->path.len - 1] == '/') {
        return 1;
    }

    return rest->len == 0 || (rest->len == 1 && rest->data[0] == '/');
}


/* the issuers to ask: all of the location, or the one that "issuer" names */

static ngx_int_t
ngx_http_pki_api_scope(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    ngx_str_t                  name;
    ngx_uint_t                 i;
    ngx_http_pki_issuer_t     *issuer;
    ngx_http_pki_loc_conf_t   *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_pki_module);

    if (ngx_http_arg(r, (u_char *) "issuer", 6, &name) != NGX_OK) {
        ngx_str_null(&name);
    }

    a->candidates = ngx_pcalloc(r->pool, lcf->scope.n
                                         * sizeof(ngx_http_pki_candidate_t));
    if (a->candidates == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (i = 0; i < lcf->scope.n; i++) {
        issuer = lcf->scope.issuers[i];

        if (ngx_http_pki_api_named(r, issuer, name.data ? &name : NULL)) {
            a->candidates[a->ncandidates++].issuer = issuer;
        }
    }

    if (a->ncandidates == 0) {
        return ngx_http_pki_api_error(r, NGX_HTTP_NOT_FOUND,
                                      NGX_HTTP_NOT_FOUND,
                                      "There is no issuer of that name "
                                      "here.");
    }

    return NGX_OK;
}


static void
ngx_http_pki_api_found(ngx_http_request_t *r, ngx_uint_t n, const void *reply)
{
    const ngx_http_pki_told_t *told = reply;

    ngx_int_t                  rc;
    ngx_http_pki_ctx_t        *ctx;
    ngx_http_pki_api_t        *a;
    ngx_http_pki_candidate_t  *c;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);
    a = ctx->data;

    if (told == NULL || told->found->result != PKI_STORE_DONE) {
        rc = ngx_http_pki_api_unavailable(r, "The store does not answer.");
        ngx_http_pki_finalize(r, rc);
        return;
    }

    c = &a->candidates[n];

    pki_question_copy(&c->question, told->question);
    pki_question_facts(&c->issuer->view, &c->question, told->found,
                       &c->facts);
    c->revocation = told->found->revocation;
    c->record = told->found->record;

    if (--a->pending) {
        return;
    }

    rc = ngx_http_pki_api_choose(r, a);

    if (rc == NGX_OK && a->chosen) {
        rc = a->route->handler(r, a);
    }

    if (rc != NGX_BUSY) {
        ngx_http_pki_finalize(r, rc);
    }
}


/* sets a->chosen, or has answered */

static ngx_int_t
ngx_http_pki_api_choose(ngx_http_request_t *r, ngx_http_pki_api_t *a)
{
    ngx_uint_t  i, rank, best, n;

    best = 0;
    n = 0;

    for (i = 0; i < a->ncandidates; i++) {
        rank = ngx_http_pki_api_rank(&a->candidates[i]);

        if (rank > best) {
            best = rank;
            n = 0;
        }

        if (rank && rank == best) {
            a->chosen = &a->candidates[i];
            n++;
        }
    }

    if (n == 1) {
        return NGX_OK;
    }

    a->chosen = NULL;

    if (n == 0) {
        return ngx_http_pki_api_error(r, NGX_HTTP_NOT_FOUND,
                                      NGX_HTTP_PKI_CODE_NOT_FOUND,
                                      "Certificate not found.");
    }

    return ngx_http_pki_api_error(r, NGX_HTTP_CONFLICT, NGX_HTTP_CONFLICT,
                                  "Several issuers may have this serial "
                                  "number: name one with \"?issuer=\".");
}


/* how sure it is that the certificate is this issuer's; 0: it is not known */

static ngx_uint_t
ngx_http_pki_api_rank(ngx_http_pki_candidate_t *c)
{
    if (c->facts.recorded || c->facts.own
        || c->facts.manual != PKI_REASON_NONE)
    {
        return 2;
    }

    return (c->facts.bound && c->issuer->policy.by_serial) ? 1 : 0;
}


ngx_int_t
ngx_http_pki_api_read(ngx_http_request_t *r, ngx_http_pki_api_t *a,
    pki_json_field_t *fields, ngx_uint_t n, ngx_http_pki_api_take_pt take)
{
    pki_rc_t      rc;
    ngx_int_t     status;
    ngx_str_t     body;
    pki_err_t     err;
    pki_bytes_t   text;

    status = ngx_http_pki_body(r, a->route->max, &body);

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

    if (a->route->max > PKI_JSON_TEXT_MAX) {
        rc = pki_json_read_long(text, fields, n, &err);

    } else {
        rc = pki_json_read(text, fields, n, &err);
    }

    if (rc == PKI_OK) {
        status = take(r, a, fields);

    } else if (rc == PKI_INVALID) {
        status = ngx_http_pki_api_error(r, NGX_HTTP_BAD_REQUEST,
                                        NGX_HTTP_BAD_REQUEST, err.text);

    } else {
        status = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pki_json_free(fields, n);

    return status;
}


/* replies */

ngx_int_t
ngx_http_pki_api_unavailable(ngx_http_request_t *r, const char *message)
{
    static ngx_str_t  name = ngx_string("Retry-After");
    static ngx_str_t  value = ngx_string("5");

    if (ngx_http_pki_header(r, &name, &value) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_pki_api_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                  NGX_HTTP_SERVICE_UNAVAILABLE, message);
}


/* nginx's own, so that a log_format with $request_id leads to it */

static pki_bytes_t
ngx_http_pki_api_request_id(ngx_http_request_t *r)
{
    ngx_str_t                   name = ngx_string("request_id");
    pki_bytes_t                 id;
    ngx_http_variable_value_t  *v;

    id.data = (u_char *) "";
    id.len = 0;

    v = ngx_http_get_variable(r, &name, ngx_hash_key(name.data, name.len));

    if (v && !v->not_found) {
        id.data = v->data;
        id.len = v->len;
    }

    return id;
}


ngx_int_t
ngx_http_pki_api_error(ngx_http_request_t *r, ngx_uint_t status,
    ngx_int_t code, const char *message)
{
    pki_json_writer_t  *w;

    w = pki_json_create();
    if (w == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pki_json_object(w);
    pki_json_name(w, "errorMessage");
    pki_json_string(w, message);
    pki_json_name(w, "errorCode");
    pki_json_integer(w, code);
    pki_json_name(w, "requestId");
    pki_json_bytes(w, ngx_http_pki_api_request_id(r));
    pki_json_object_end(w);

    return ngx_http_pki_api_send(r, status, w);
}


ngx_int_t
ngx_http_pki_api_send(ngx_http_request_t *r, ngx_uint_t status,
    pki_json_writer_t *w)
{
    ngx_http_pki_stat_e        stat;
    ngx_http_pki_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);

    stat = status < 400 ? NGX_HTTP_PKI_STAT_API_OK
                        : status < 500 ? NGX_HTTP_PKI_STAT_API_REFUSED
                                       : NGX_HTTP_PKI_STAT_API_FAILED;

    ngx_http_pki_count(&mcf->zone, stat, 1);

    return ngx_http_pki_reply_json(r, status, w);
}


/*
 * A directory's settings, completed when all blocks are known: defaults of
 * its dialect, its store, and the issuers whose certificates depend on it,
 * as a pki_directory_conf_t, which is all that the poller gets to see.
 */

#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_GRAPH       "https://graph.microsoft.com"
#define NGX_HTTP_PKI_LOGIN       "https://login.microsoftonline.com/"
#define NGX_HTTP_PKI_CA_SCOPE    "https://api.manage.microsoft.com//.default"

#define NGX_HTTP_PKI_SUBJECT_MAX 1024   /* octets of a name, RFC 2253 */


static ngx_int_t ngx_http_pki_directory_store(ngx_conf_t *cf,
    ngx_http_pki_main_conf_t *mcf, ngx_http_pki_directory_t *d);
static void ngx_http_pki_directory_defaults(ngx_http_pki_directory_t *d);
static ngx_int_t ngx_http_pki_directory_login(ngx_conf_t *cf,
    ngx_http_pki_directory_t *d);
static ngx_int_t ngx_http_pki_directory_urls(ngx_conf_t *cf,
    ngx_http_pki_directory_t *d);
static ngx_int_t ngx_http_pki_directory_needs(ngx_conf_t *cf,
    ngx_http_pki_directory_t *d, ngx_uint_t given, const char *what);
static ngx_int_t ngx_http_pki_directory_issuer(ngx_conf_t *cf,
    ngx_http_pki_directory_t *d, ngx_http_pki_issuer_t *issuer);
static void ngx_http_pki_directory_fill(ngx_http_pki_directory_t *d);
static const char *ngx_http_pki_directory_text(ngx_str_t *s);
static ngx_int_t ngx_http_pki_join(ngx_conf_t *cf, ngx_str_t *dst,
    const char *a, ngx_str_t *b, const char *c);


ngx_int_t
ngx_http_pki_directory_resolve(ngx_conf_t *cf, ngx_http_pki_main_conf_t *mcf,
    ngx_http_pki_directory_t *d)
{
    ngx_http_pki_directory_defaults(d);

    if (d->hook_url.len && d->hook_secret.len == 0) {
        return ngx_http_pki_directory_needs(cf, d, 0, "hook_secret_file");
    }

    if (d->ca_file.len && ngx_conf_full_name(cf->cycle, &d->ca_file, 1)
                          != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_pki_directory_store(cf, mcf, d) != NGX_OK) {
        return NGX_ERROR;
    }

    if (d->conf.dialect->resources == NULL || !d->poll) {
        ngx_http_pki_directory_fill(d);
        return NGX_OK;
    }

    if (d->store == NULL) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "pki_directory \"%V\": no pki_issuer refers to it, it "
                      "will not be polled in %V:%ui", &d->name, &d->file,
                      d->line);
        d->poll = 0;
        ngx_http_pki_directory_fill(d);
        return NGX_OK;
    }

    if (ngx_http_pki_directory_urls(cf, d) != NGX_OK
        || ngx_http_pki_directory_login(cf, d) != NGX_OK
        || ngx_http_pki_store_sync(cf, d->store, &d->conf.redis) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_pki_directory_fill(d);

    return NGX_OK;
}


static void
ngx_http_pki_directory_defaults(ngx_http_pki_directory_t *d)
{
    const pki_dialect_t  *dialect;

    dialect = d->conf.dialect;

    ngx_conf_init_value(d->poll, 1);
    ngx_conf_init_value(d->plain_http, 0);
    ngx_conf_init_msec_value(d->connect_timeout, 10000);
    ngx_conf_init_msec_value(d->timeout, 60000);
    ngx_conf_init_msec_value(d->stall_timeout, 10000);
    ngx_conf_init_size_value(d->max_size, 64 * 1024 * 1024);
    ngx_conf_init_msec_value(d->interval, (ngx_msec_t) dialect->interval);
    ngx_conf_init_value(d->full, dialect->full);
    ngx_conf_init_msec_value(d->backoff, 5 * 60 * 1000);
    ngx_conf_init_value(d->confirm, dialect->confirm);
    ngx_conf_init_value(d->settle, dialect->settle);
    ngx_conf_init_uint_value(d->page, 0);
    ngx_conf_init_uint_value(d->lookups, 10);
    ngx_conf_init_msec_value(d->lookup_timeout, 2000);
    ngx_conf_init_uint_value(d->absent, PKI_ABSENT_HOLD);
    ngx_conf_init_value(d->restore, 0);
    ngx_conf_init_value(d->wipe, 1);
    ngx_conf_init_value(d->unmanaged, 0);
    ngx_conf_init_value(d->silent, 0);
    ngx_conf_init_value(d->endpoint_list, 0);
    ngx_conf_init_value(d->revocations, 0);

    if (d->max_age == NGX_CONF_UNSET) {
        d->max_age = dialect->resources ? 4 * 3600 : 0;
    }

    if (d->resources == 0) {
        d->resources = NGX_HTTP_PKI_RESOURCE_POLLED
                       | (dialect->classes << NGX_HTTP_PKI_RESOURCE_SHIFT);
    }

    d->conf.classes = dialect->resources
                      ? dialect->classes
                      : d->resources >> NGX_HTTP_PKI_RESOURCE_SHIFT;
}


/* its issuers say where it is kept */

static ngx_int_t
ngx_http_pki_directory_store(ngx_conf_t *cf, ngx_http_pki_main_conf_t *mcf,
    ngx_http_pki_directory_t *d)
{
    ngx_uint_t                  i, k;
    ngx_http_pki_issuer_t     **issuers;
    ngx_http_pki_reference_t   *reference;

    issuers = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {
        reference = issuers[i]->directories.elts;

        for (k = 0; k < issuers[i]->directories.nelts; k++) {

            if (ngx_strcmp(reference[k].name.data, d->name.data) != 0) {
                continue;
            }

            reference[k].directory = d;

            if (d->store && d->store != issuers[i]->store) {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "pki_directory \"%V\": the issuers that refer "
                              "to it have different stores in %V:%ui",
                              &d->name, &d->file, d->line);
                return NGX_ERROR;
            }

            d->store = issuers[i]->store;

            if (ngx_http_pki_directory_issuer(cf, d, issuers[i]) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* for what a directory revokes by serial number */

static ngx_int_t
ngx_http_pki_directory_issuer(ngx_conf_t *cf, ngx_http_pki_directory_t *d,
    ngx_http_pki_issuer_t *issuer)
{
    BIO                     *bio;
    long                     len;
    char                    *text, *subject;
    pki_directory_issuer_t  *pi;

    if (d->conf.nissuers == PKI_DIRECTORY_ISSUERS) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "pki_directory \"%V\": more than %d issuers refer to it "
                      "in %V:%ui", &d->name, PKI_DIRECTORY_ISSUERS, &d->file,
                      d->line);
        return NGX_ERROR;
    }

    bio = BIO_new(BIO_s_mem());

    if (bio == NULL
        || X509_NAME_print_ex(bio, X509_get_subject_name(issuer->cert), 0,
                              XN_FLAG_RFC2253)
           < 0)
    {
        BIO_free(bio);
        return NGX_ERROR;
    }

    len = ngx_min(BIO_get_mem_data(bio, &text), NGX_HTTP_PKI_SUBJECT_MAX);
    subject = ngx_pnalloc(cf->pool, len + 1);

    if (subject) {
        ngx_memcpy(subject, text, len);
        subject[len] = '\0';
    }

    BIO_free(bio);

    if (subject == NULL) {
        return NGX_ERROR;
    }

    pi = &d->conf.issuers[d->conf.nissuers++];

    pi->name = (char *) issuer->name.data;
    pi->subject = subject;
    pi->keys = issuer->serial_keys;
    pi->reason = issuer->policy.reasons[2] ? issuer->policy.reasons[2]
                                           : PKI_REASON_PRIVILEGE_WITHDRAWN;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_directory_urls(ngx_conf_t *cf, ngx_http_pki_directory_t *d)
{
    u_char     *p;
    ngx_str_t   tail;
    ngx_uint_t  graph;

    graph = d->conf.dialect == &pki_entra || d->conf.dialect == &pki_intune;

    if (graph && d->url.len == 0) {
        ngx_str_set(&d->url, NGX_HTTP_PKI_GRAPH);
    }

    if (ngx_http_pki_directory_needs(cf, d, d->url.len, "url") != NGX_OK) {
        return NGX_ERROR;
    }

    while (d->url.len && d->url.data[d->url.len - 1] == '/') {
        d->url.len--;
    }

    /* a copy that ends where it ends */

    if (ngx_http_pki_join(cf, &d->url, "", &d->url, "") != NGX_OK) {
        return NGX_ERROR;
    }

    if (!pki_fetch_allowed((char *) d->url.data, NULL, d->plain_http)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "pki_directory \"%V\": \"url\" must be https, or, with "
                      "\"plain_http on\", http to a loopback address in "
                      "%V:%ui", &d->name, &d->file, d->line);
        return NGX_ERROR;
    }

    if (d->token_url.len == 0 && graph) {
        if (ngx_http_pki_directory_needs(cf, d, d->tenant.len, "tenant")
            != NGX_OK
            || ngx_http_pki_join(cf, &d->token_url, NGX_HTTP_PKI_LOGIN,
                                 &d->tenant, "/oauth2/v2.0/token")
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (d->token_url.len == 0 && d->conf.dialect == &pki_jamf) {
        if (ngx_http_pki_join(cf, &d->token_url, "", &d->url,
                              d->account.len ? "/api/v1/auth/token"
                                             : "/api/v1/oauth/token")
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (d->token_url.len
        && !pki_fetch_allowed((char *) d->token_url.data, NULL,
                              d->plain_http))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "pki_directory \"%V\": \"token_url\" must be https, "
                      "or, with \"plain_http on\", http to a loopback "
                      "address in %V:%ui", &d->name, &d->file, d->line);
        return NGX_ERROR;
    }

    if (!graph || d->scope.len) {
        return NGX_OK;
    }

    /* of scheme and host only */

    tail = d->url;
    p = (u_char *) ngx_strchr(tail.data + sizeof("https://") - 1, '/');

    if (p) {
        tail.len = p - tail.data;
    }

    return ngx_http_pki_join(cf, &d->scope, "", &tail, "/.default");
}


static ngx_int_t
ngx_http_pki_directory_login(ngx_conf_t *cf, ngx_http_pki_directory_t *d)
{
    pki_login_conf_t  *login;

    login = &d->conf.login;

    if (d->conf.dialect == &pki_scim && d->token_url.len == 0) {
        login->type = PKI_LOGIN_STATIC;

    } else if (d->account.len) {
        login->type = PKI_LOGIN_ACCOUNT;
        login->client = (char *) d->account.data;

    } else if (d->cert || d->key) {
        login->type = PKI_LOGIN_ASSERTION;

        if (ngx_http_pki_directory_needs(cf, d, d->cert != NULL,
                                         "client_certificate")
            != NGX_OK
            || ngx_http_pki_directory_needs(cf, d, d->key != NULL,
                                            "client_key")
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (EVP_PKEY_base_id(d->key) != EVP_PKEY_RSA
            || X509_check_private_key(d->cert, d->key) != 1)
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "pki_directory \"%V\": \"client_key\" must be the "
                          "RSA key of \"client_certificate\" in %V:%ui",
                          &d->name, &d->file, d->line);
            return NGX_ERROR;
        }

        login->cert = d->cert;
        login->key = d->key;

    } else {
        login->type = PKI_LOGIN_SECRET;
    }

    if (login->type != PKI_LOGIN_ASSERTION
        && ngx_http_pki_directory_needs(cf, d, d->secret.len,
                                        "client_secret_file")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (login->type != PKI_LOGIN_STATIC && login->type != PKI_LOGIN_ACCOUNT) {
        if (ngx_http_pki_directory_needs(cf, d, d->client.len, "client")
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        login->client = (char *) d->client.data;
    }

    login->url = ngx_http_pki_directory_text(&d->token_url);
    login->secret = ngx_http_pki_directory_text(&d->secret);
    login->scope = ngx_http_pki_directory_text(&d->scope);

    if (d->revocations) {
        d->conf.login_ca = *login;
        d->conf.login_ca.scope = d->ca_scope.len ? (char *) d->ca_scope.data
                                                 : NGX_HTTP_PKI_CA_SCOPE;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_directory_needs(ngx_conf_t *cf, ngx_http_pki_directory_t *d,
    ngx_uint_t given, const char *what)
{
    if (given) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "pki_directory \"%V\": \"%s\" is missing in %V:%ui",
                  &d->name, what, &d->file, d->line);

    return NGX_ERROR;
}


static void
ngx_http_pki_directory_fill(ngx_http_pki_directory_t *d)
{
    pki_directory_conf_t  *conf;

    conf = &d->conf;

    conf->name = (char *) d->name.data;
    conf->url = ngx_http_pki_directory_text(&d->url);

    conf->fetch.ca_file = ngx_http_pki_directory_text(&d->ca_file);
    conf->fetch.proxy = ngx_http_pki_directory_text(&d->proxy);
    conf->fetch.plain = d->plain_http ? 1 : 0;
    conf->fetch.cookies = conf->dialect->cookies;
    conf->fetch.connect = (long) d->connect_timeout;
    conf->fetch.total = (long) d->timeout;
    conf->fetch.stall = (long) d->stall_timeout;
    conf->fetch.max = d->max_size;

    conf->interval = (long) d->interval;
    conf->full = d->full;
    conf->backoff = (long) d->backoff;
    conf->confirm = d->confirm;
    conf->settle = d->settle;
    conf->page = (unsigned) d->page;
    conf->lookups = (unsigned) d->lookups;

    conf->absent = (unsigned) d->absent;
    conf->restore = d->restore ? 1 : 0;
    conf->wipe = d->wipe ? 1 : 0;
    conf->unmanaged = d->unmanaged ? 1 : 0;
    conf->silent = d->silent;
    conf->endpoint_list = d->endpoint_list ? 1 : 0;
    conf->revocations = d->revocations ? 1 : 0;
    conf->devices = (d->resources & NGX_HTTP_PKI_RESOURCE_DEVICES) ? 1 : 0;
    conf->users = (d->resources & NGX_HTTP_PKI_RESOURCE_USERS) ? 1 : 0;
    conf->external_id = ngx_http_pki_directory_text(&d->external_id);

    conf->hook_url = ngx_http_pki_directory_text(&d->hook_url);
    conf->hook_secret = ngx_http_pki_directory_text(&d->hook_secret);
}


/* strings of the configuration are terminated */

static const char *
ngx_http_pki_directory_text(ngx_str_t *s)
{
    return s->len ? (char *) s->data : NULL;
}


static ngx_int_t
ngx_http_pki_join(ngx_conf_t *cf, ngx_str_t *dst, const char *a,
    ngx_str_t *b, const char *c)
{
    u_char  *p;
    size_t   len;

    len = ngx_strlen(a) + b->len + ngx_strlen(c);

    p = ngx_pnalloc(cf->pool, len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(p, "%s%V%s%Z", a, b, c);

    dst->data = p;
    dst->len = len;

    return NGX_OK;
}

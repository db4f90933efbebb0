
/*
 * What the blocks share, and the block pki_store.
 *
 * A block is parsed by nginx with our own bit as its context and the noun
 * in place of the module's main configuration, so the rows of the table in
 * ngx_http_pki_commands.c fill it by the ordinary slots.  What it needs from
 * files is read on its line; what must agree is checked at its end.
 */

#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_REDIS_PORT    6379

/* a year: longer than any certificate of a responder should live */
#define NGX_HTTP_PKI_VALIDITY_MAX  (366 * 24 * 3600)


static char *ngx_http_pki_store_check(ngx_conf_t *cf,
    ngx_http_pki_store_t *store);
static const char *ngx_http_pki_store_text(ngx_str_t *s);
static char *ngx_http_pki_store_tls(ngx_conf_t *cf,
    ngx_http_pki_store_t *store);


char *
ngx_http_pki_block(ngx_conf_t *cf, ngx_uint_t type, void *noun)
{
    char                 *rv;
    void                **main_conf;
    ngx_conf_t            save;
    ngx_http_conf_ctx_t   ctx;

    ctx = *(ngx_http_conf_ctx_t *) cf->ctx;

    main_conf = ngx_palloc(cf->pool, sizeof(void *) * ngx_http_max_module);
    if (main_conf == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memcpy(main_conf, ctx.main_conf, sizeof(void *) * ngx_http_max_module);
    main_conf[ngx_http_pki_module.ctx_index] = noun;
    ctx.main_conf = main_conf;

    save = *cf;
    cf->ctx = &ctx;
    cf->cmd_type = type;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


ngx_int_t
ngx_http_pki_block_name(ngx_conf_t *cf, ngx_str_t *name)
{
    if (pki_name_valid((char *) name->data, name->len)) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid name \"%V\": it stands in keys of Redis, so "
                       "1-%d letters, digits, \".\", \"_\" and \"-\" only",
                       name, PKI_NAME_MAX);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_pki_time_arg(ngx_str_t *arg, const char *prefix, time_t *value)
{
    size_t     len;
    time_t     sec;
    ngx_str_t  s;

    len = ngx_strlen(prefix);

    if (arg->len <= len || ngx_strncmp(arg->data, prefix, len) != 0) {
        return NGX_DECLINED;
    }

    s.data = arg->data + len;
    s.len = arg->len - len;

    sec = ngx_http_pki_life(&s);

    if (sec == NGX_ERROR) {
        return NGX_ERROR;
    }

    *value = sec;

    return NGX_OK;
}


/* seconds, more than none and not absurdly many; NGX_ERROR otherwise */

time_t
ngx_http_pki_life(ngx_str_t *s)
{
    time_t  sec;

    sec = ngx_parse_time(s, 1);

    return (sec > 0 && sec <= NGX_HTTP_PKI_VALIDITY_MAX) ? sec : NGX_ERROR;
}


char *
ngx_http_pki_store_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_main_conf_t *mcf = conf;

    char                   *rv;
    ngx_str_t              *value;
    ngx_uint_t              i;
    ngx_http_pki_store_t   *store, **stores;

    value = cf->args->elts;

    if (ngx_http_pki_block_name(cf, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    stores = mcf->stores.elts;

    for (i = 0; i < mcf->stores.nelts; i++) {
        if (ngx_strcmp(stores[i]->name.data, value[1].data) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "pki_store \"%V\" is duplicate", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    store = ngx_pcalloc(cf->pool, sizeof(ngx_http_pki_store_t));
    stores = ngx_array_push(&mcf->stores);

    if (store == NULL || stores == NULL) {
        return NGX_CONF_ERROR;
    }

    *stores = store;

    store->name = value[1];
    store->index = mcf->stores.nelts - 1;
    store->database = NGX_CONF_UNSET;
    store->timeout = NGX_CONF_UNSET_MSEC;
    store->tls = NGX_CONF_UNSET;

    rv = ngx_http_pki_block(cf, NGX_HTTP_PKI_STORE_CONF, store);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_pki_store_check(cf, store);
}


static char *
ngx_http_pki_store_check(ngx_conf_t *cf, ngx_http_pki_store_t *store)
{
    ngx_conf_init_value(store->database, 0);
    ngx_conf_init_msec_value(store->timeout, 1000);
    ngx_conf_init_value(store->tls, 0);

    if (store->addr == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_store \"%V\": \"address\" is missing",
                           &store->name);
        return NGX_CONF_ERROR;
    }

    if (store->secret_file.len
        && ngx_http_pki_read_secret(cf, &store->secret_file, &store->secret)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (store->user.len && store->secret.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_store \"%V\": \"user\" needs \"secret_file\"",
                           &store->name);
        return NGX_CONF_ERROR;
    }

    if (store->tls) {
        return ngx_http_pki_store_tls(cf, store);
    }

    if (store->tls_ca_file.len || store->tls_name.len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_store \"%V\": \"%s\" needs \"tls on\"",
                           &store->name, store->tls_ca_file.len
                                         ? "tls_ca_file" : "tls_name");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_pki_store_tls(ngx_conf_t *cf, ngx_http_pki_store_t *store)
{
    ngx_pool_cleanup_t  *cln;

    if (store->tls_ca_file.len == 0 || store->tls_name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_store \"%V\": \"tls on\" needs "
                           "\"tls_ca_file\" and \"tls_name\"", &store->name);
        return NGX_CONF_ERROR;
    }

    store->ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (store->ssl == NULL) {
        return NGX_CONF_ERROR;
    }

    store->ssl->log = cf->log;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_ssl_create(store->ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = store->ssl;

    /* a depth of 9 is what OpenSSL's own tools take */

    if (ngx_ssl_trusted_certificate(cf, store->ssl, &store->tls_ca_file, 9)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_store \"%V\": cannot use \"tls_ca_file\" "
                           "\"%V\"", &store->name, &store->tls_ca_file);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* directives of a store */

char *
ngx_http_pki_address(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_store_t *store = conf;

    ngx_url_t   u;
    ngx_str_t  *value;

    if (store->addr) {
        return "is duplicate";
    }

    value = cf->args->elts;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = value[1];
    u.default_port = NGX_HTTP_PKI_REDIS_PORT;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in \"address\" \"%V\"",
                           u.err ? u.err : "no address", &value[1]);
        return NGX_CONF_ERROR;
    }

    store->address = value[1];
    store->addr = &u.addrs[0];

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_pki_store_sync(ngx_conf_t *cf, ngx_http_pki_store_t *store,
    pki_redis_sync_conf_t *redis)
{
    u_char           *text;
    struct sockaddr  *sa;

    sa = store->addr->sockaddr;

    text = ngx_pcalloc(cf->pool, NGX_SOCKADDR_STRLEN + 1);
    if (text == NULL) {
        return NGX_ERROR;
    }

    if (sa->sa_family == AF_UNIX) {
        ngx_cpystrn(text, (u_char *) ((struct sockaddr_un *) sa)->sun_path,
                    NGX_SOCKADDR_STRLEN);
        redis->path = (char *) text;

    } else {
        (void) ngx_sock_ntop(sa, store->addr->socklen, text,
                             NGX_SOCKADDR_STRLEN, 0);

        /* without the brackets */

        if (text[0] == '[') {
            *(u_char *) ngx_strchr(text, ']') = '\0';
            text++;
        }

        redis->host = (char *) text;
        redis->port = ngx_inet_get_port(sa);
    }

    redis->user = ngx_http_pki_store_text(&store->user);
    redis->secret = ngx_http_pki_store_text(&store->secret);
    redis->database = (int) store->database;
    redis->timeout = (int) store->timeout;
    redis->tls = store->ssl ? store->ssl->ctx : NULL;
    redis->tls_name = ngx_http_pki_store_text(&store->tls_name);
    redis->stop = -1;

    return NGX_OK;
}


/* strings of the configuration are terminated */

static const char *
ngx_http_pki_store_text(ngx_str_t *s)
{
    return s->len ? (char *) s->data : NULL;
}

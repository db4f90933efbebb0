
/*
 * Configurations, defaults, and checks across blocks.
 *
 * A block may name another that comes later: names are resolved when all
 * have been seen, and an unknown one is reported with the line where it
 * stands.  The table of directives is in ngx_http_pki_commands.c.
 */

#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_ZONE_SIZE       (32 * 1024 * 1024)


static char *ngx_http_pki_location(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_pki_loc_conf_t *lcf, ngx_http_handler_pt handler,
    ngx_uint_t names);
static ngx_int_t ngx_http_pki_issuer_store(ngx_conf_t *cf,
    ngx_http_pki_main_conf_t *mcf, ngx_http_pki_issuer_t *issuer);
static ngx_int_t ngx_http_pki_issuer_references(ngx_conf_t *cf,
    ngx_http_pki_issuer_t *issuer);
static ngx_int_t ngx_http_pki_scope_resolve(ngx_conf_t *cf,
    ngx_http_pki_scope_t *scope);
static ngx_int_t ngx_http_pki_resolve_hook(ngx_conf_t *cf,
    ngx_http_pki_loc_conf_t *lcf);
static ngx_int_t ngx_http_pki_distinct(ngx_conf_t *cf,
    ngx_http_pki_scope_t *scope);


void *
ngx_http_pki_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_pki_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_pki_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     mcf->zone = { NULL };
     *     mcf->worker = NULL;
     */

    mcf->zone_size = NGX_CONF_UNSET_SIZE;
    mcf->news_timeout = NGX_CONF_UNSET_MSEC;
    mcf->stale_answers = NGX_CONF_UNSET;
    mcf->signatures = NGX_CONF_UNSET_UINT;

    if (ngx_array_init(&mcf->stores, cf->pool, 1,
                       sizeof(ngx_http_pki_store_t *))
        != NGX_OK
        || ngx_array_init(&mcf->issuers, cf->pool, 2,
                          sizeof(ngx_http_pki_issuer_t *))
           != NGX_OK
        || ngx_array_init(&mcf->directories, cf->pool, 2,
                          sizeof(ngx_http_pki_directory_t *))
           != NGX_OK
        || ngx_array_init(&mcf->profiles, cf->pool, 2,
                          sizeof(ngx_http_pki_profile_t *))
           != NGX_OK
        || ngx_array_init(&mcf->jwts, cf->pool, 2,
                          sizeof(ngx_http_pki_jwt_t *))
           != NGX_OK)
    {
        return NULL;
    }

    return mcf;
}


char *
ngx_http_pki_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_pki_main_conf_t *mcf = conf;

    ngx_str_t                   zone = ngx_string("ngx_http_pki");
    ngx_uint_t                  i;
    ngx_http_pki_issuer_t     **issuers;
    ngx_http_pki_directory_t  **directories;

    ngx_conf_init_size_value(mcf->zone_size, NGX_HTTP_PKI_ZONE_SIZE);
    ngx_conf_init_msec_value(mcf->news_timeout, 2000);
    ngx_conf_init_value(mcf->stale_answers, 1);
    ngx_conf_init_uint_value(mcf->signatures, 50);

    issuers = mcf->issuers.elts;
    directories = mcf->directories.elts;

    if (mcf->issuers.nelts == 0) {

        if (mcf->directories.nelts) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"pki_directory\" needs a \"pki_issuer\" in "
                          "%V:%ui", &directories[0]->file,
                          directories[0]->line);
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    for (i = 0; i < mcf->issuers.nelts; i++) {
        if (ngx_http_pki_issuer_store(cf, mcf, issuers[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 0; i < mcf->directories.nelts; i++) {
        if (ngx_http_pki_directory_resolve(cf, mcf, directories[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 0; i < mcf->issuers.nelts; i++) {
        if (ngx_http_pki_issuer_references(cf, issuers[i]) != NGX_OK
            || ngx_http_pki_issuer_identity(issuers[i]) != NGX_OK
            || ngx_http_pki_clerk_resolve(cf, issuers[i]) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_http_pki_profiles_resolve(cf, mcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_pki_zone_add(cf, &mcf->zone, &zone, mcf->zone_size,
                              mcf->directories.nelts)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_pki_issuer_store(ngx_conf_t *cf, ngx_http_pki_main_conf_t *mcf,
    ngx_http_pki_issuer_t *issuer)
{
    ngx_uint_t              i;
    ngx_http_pki_store_t  **stores;

    stores = mcf->stores.elts;

    if (issuer->store_name.len == 0) {

        if (mcf->stores.nelts == 1) {
            issuer->store = stores[0];
            return NGX_OK;
        }

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "pki_issuer \"%V\": \"store\" is missing, and there is "
                      "not exactly one pki_store in %V:%ui", &issuer->name,
                      &issuer->file, issuer->line);
        return NGX_ERROR;
    }

    for (i = 0; i < mcf->stores.nelts; i++) {
        if (ngx_strcmp(stores[i]->name.data, issuer->store_name.data) == 0) {
            issuer->store = stores[i];
            return NGX_OK;
        }
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "pki_issuer \"%V\": pki_store \"%V\" not found in %V:%ui",
                  &issuer->name, &issuer->store_name, &issuer->file,
                  issuer->line);

    return NGX_ERROR;
}


/* the issuer as its questions see it is complete then */

static ngx_int_t
ngx_http_pki_issuer_references(ngx_conf_t *cf, ngx_http_pki_issuer_t *issuer)
{
    pki_view_t                *view;
    ngx_uint_t                 i;
    ngx_http_pki_directory_t  *directory;
    ngx_http_pki_reference_t  *reference;

    view = &issuer->view;
    view->name = (char *) issuer->name.data;
    view->ca = issuer->ca;
    view->keys = issuer->serial_keys;
    view->policy = issuer->policy;
    view->sealed = issuer->sealed ? 1 : 0;
    view->all = issuer->devices ? 1 : 0;
    view->n = (unsigned) issuer->directories.nelts;

    reference = issuer->directories.elts;

    for (i = 0; i < issuer->directories.nelts; i++) {
        if (reference[i].directory == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "pki_issuer \"%V\": pki_directory \"%V\" not found "
                          "in %V:%ui", &issuer->name, &reference[i].name,
                          &issuer->file, reference[i].line);
            return NGX_ERROR;
        }

        directory = reference[i].directory;

        view->directories[i].conf = &directory->conf;
        view->directories[i].name = (char *) directory->name.data;
        view->directories[i].max_age = directory->max_age;
        view->directories[i].last = directory->last ? 1 : 0;
    }

    return NGX_OK;
}


void *
ngx_http_pki_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_pki_loc_conf_t  *lcf;

    lcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_pki_loc_conf_t));
    if (lcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     lcf->handler = NULL;
     *     lcf->scope = { NULL };
     *     lcf->status = NGX_HTTP_PKI_STATUS_JSON;
     *     lcf->directory = NULL;
     */

    lcf->max_certs = NGX_CONF_UNSET_UINT;
    lcf->max_size = NGX_CONF_UNSET_SIZE;
    lcf->tokens = NGX_CONF_UNSET_PTR;

    return lcf;
}


char *
ngx_http_pki_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_pki_loc_conf_t *prev = parent;
    ngx_http_pki_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    ngx_conf_merge_uint_value(conf->max_certs, prev->max_certs, 16);
    ngx_conf_merge_size_value(conf->max_size, prev->max_size, 16 * 1024);
    ngx_conf_merge_ptr_value(conf->tokens, prev->tokens, NULL);

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (ngx_http_pki_enroll_merge(cf, prev, conf) != NGX_CONF_OK
        || ngx_http_pki_auth_merge(cf, prev, conf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_http_pki_crl_merge(prev, conf);

    /* "if" and "limit_except" are their location under other conditions */

    if (clcf->noname && conf->handler == NULL) {
        conf->handler = prev->handler;
        conf->scope = prev->scope;
        conf->status = prev->status;
        conf->directory = prev->directory;

        if (clcf->lmt_excpt && clcf->handler == NULL) {
            clcf->handler = prev->handler;
        }

        return NGX_CONF_OK;
    }

    if (conf->handler == NULL) {
        return NGX_CONF_OK;
    }

    if (conf->handler == ngx_http_pki_hook_handler) {
        return ngx_http_pki_resolve_hook(cf, conf) == NGX_OK
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (ngx_http_pki_scope_resolve(cf, &conf->scope) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->handler == ngx_http_pki_api_handler && conf->tokens == NULL
        && (conf->auth == NULL
            || (conf->auth->njwts == 0 && conf->auth->role == NULL)))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"pki_api\" needs \"pki_api_tokens\", "
                      "\"pki_api_jwt\" or \"pki_api_role\" in %V:%ui",
                      &conf->scope.file, conf->scope.line);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* directives of a location */

char *
ngx_http_pki_ocsp(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_pki_location(cf, cmd, conf, ngx_http_pki_ocsp_handler,
                                 cf->args->nelts - 1);
}


char *
ngx_http_pki_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_pki_location(cf, cmd, conf, ngx_http_pki_api_handler,
                                 cf->args->nelts - 1);
}


char *
ngx_http_pki_tokens(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_loc_conf_t *lcf = conf;

    ngx_str_t  *value;

    if (lcf->tokens != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    lcf->tokens = ngx_http_pki_read_tokens(cf, &value[1]);

    return lcf->tokens ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* its issuers are those of the profiles */

char *
ngx_http_pki_est(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_pki_location(cf, cmd, conf, ngx_http_pki_est_handler, 0);
}


char *
ngx_http_pki_scep(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_pki_location(cf, cmd, conf, ngx_http_pki_scep_handler, 0);
}


char *
ngx_http_pki_crl(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_pki_location(cf, cmd, conf, ngx_http_pki_crl_handler, 1);
}


char *
ngx_http_pki_ca(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_pki_location(cf, cmd, conf, ngx_http_pki_ca_handler, 1);
}


/* its name is that of a directory, not of an issuer */

char *
ngx_http_pki_hook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_pki_location(cf, cmd, conf, ngx_http_pki_hook_handler, 1);
}


char *
ngx_http_pki_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_loc_conf_t *lcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    static ngx_conf_enum_t  formats[] = {
        { ngx_string("json"), NGX_HTTP_PKI_STATUS_JSON },
        { ngx_string("prometheus"), NGX_HTTP_PKI_STATUS_PROMETHEUS },
        { ngx_string("probe"), NGX_HTTP_PKI_STATUS_PROBE },
        { ngx_null_string, 0 }
    };

    if (cf->args->nelts == 2) {
        value = cf->args->elts;

        for (i = 0; formats[i].name.len; i++) {
            if (ngx_strcmp(formats[i].name.data, value[1].data) == 0) {
                lcf->status = formats[i].value;
                break;
            }
        }

        if (formats[i].name.len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" in \"pki_status\", it "
                               "must be \"json\", \"prometheus\" or \"probe\"",
                               &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_pki_location(cf, cmd, conf, ngx_http_pki_status_handler,
                                 0);
}


/* the last `names` arguments are issuers; they are looked up when merging */

static char *
ngx_http_pki_location(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_pki_loc_conf_t *lcf, ngx_http_handler_pt handler,
    ngx_uint_t names)
{
    ngx_str_t                 *value, *name;
    ngx_uint_t                 i;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* what was asked is what follows the location's name */

    if (clcf->named || clcf->noname
#if (NGX_PCRE)
        || clcf->regex
#endif
       )
    {
        return "needs a location with a prefix";
    }

    if (clcf->handler == handler) {
        return "is duplicate";
    }

    if (clcf->handler) {
        return "stands in a location that serves something else already";
    }

    clcf->handler = handler;

    lcf->handler = handler;
    lcf->scope.directive = cmd->name;
    lcf->scope.file = cf->conf_file->file.name;
    lcf->scope.line = cf->conf_file->line;

    if (names == 0) {
        return NGX_CONF_OK;
    }

    lcf->scope.names = ngx_array_create(cf->pool, names, sizeof(ngx_str_t));
    if (lcf->scope.names == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = cf->args->nelts - names; i < cf->args->nelts; i++) {
        name = ngx_array_push(lcf->scope.names);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    return NGX_CONF_OK;
}


/* references */

static ngx_int_t
ngx_http_pki_scope_resolve(ngx_conf_t *cf, ngx_http_pki_scope_t *scope)
{
    ngx_str_t                 *names;
    ngx_uint_t                 i, k;
    ngx_http_pki_issuer_t    **issuers;
    ngx_http_pki_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pki_module);

    issuers = mcf->issuers.elts;

    if (mcf->issuers.nelts == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" needs a \"pki_issuer\" in %V:%ui",
                      &scope->directive, &scope->file, scope->line);
        return NGX_ERROR;
    }

    if (scope->names == NULL) {
        scope->issuers = issuers;
        scope->n = mcf->issuers.nelts;
        return ngx_http_pki_distinct(cf, scope);
    }

    names = scope->names->elts;

    scope->issuers = ngx_palloc(cf->pool, scope->names->nelts
                                          * sizeof(ngx_http_pki_issuer_t *));
    if (scope->issuers == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < scope->names->nelts; i++) {

        for (k = 0; k < mcf->issuers.nelts; k++) {
            if (ngx_strcmp(issuers[k]->name.data, names[i].data) == 0) {
                scope->issuers[scope->n++] = issuers[k];
                break;
            }
        }

        if (k == mcf->issuers.nelts) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"%V\": pki_issuer \"%V\" not found in %V:%ui",
                          &scope->directive, &names[i], &scope->file,
                          scope->line);
            return NGX_ERROR;
        }
    }

    return ngx_http_pki_distinct(cf, scope);
}


static ngx_int_t
ngx_http_pki_resolve_hook(ngx_conf_t *cf, ngx_http_pki_loc_conf_t *lcf)
{
    ngx_str_t                  *name;
    ngx_uint_t                  i;
    ngx_http_pki_main_conf_t   *mcf;
    ngx_http_pki_directory_t  **directories;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pki_module);

    name = lcf->scope.names->elts;
    directories = mcf->directories.elts;

    for (i = 0; i < mcf->directories.nelts; i++) {
        if (ngx_strcmp(directories[i]->name.data, name->data) == 0) {
            break;
        }
    }

    if (i == mcf->directories.nelts) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"pki_hook\": pki_directory \"%V\" not found in "
                      "%V:%ui", name, &lcf->scope.file, lcf->scope.line);
        return NGX_ERROR;
    }

    lcf->directory = directories[i];

    if (directories[i]->hook_secret.len && directories[i]->store) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"pki_hook\": pki_directory \"%V\" has no "
                  "\"hook_secret_file\", or no issuer, in %V:%ui", name,
                  &lcf->scope.file, lcf->scope.line);

    return NGX_ERROR;
}


/* a CertID must name one issuer, or the first would hide the others */

static ngx_int_t
ngx_http_pki_distinct(ngx_conf_t *cf, ngx_http_pki_scope_t *scope)
{
    ngx_uint_t      i, k;
    pki_bytes_t     name, key;
    pki_issuer_t   *ca;

    for (i = 0; i < scope->n; i++) {
        ca = scope->issuers[i]->ca;

        name.data = ca->hash[PKI_DIGEST_SHA256].name;
        name.len = ca->hash[PKI_DIGEST_SHA256].len;
        key.data = ca->hash[PKI_DIGEST_SHA256].key;
        key.len = ca->hash[PKI_DIGEST_SHA256].len;

        for (k = 0; k < i; k++) {
            if (pki_issuer_match(scope->issuers[k]->ca, PKI_DIGEST_SHA256,
                                 name, key))
            {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "\"%V\": pki_issuer \"%V\" and \"%V\" have the "
                              "same name and key in %V:%ui",
                              &scope->directive, &scope->issuers[k]->name,
                              &scope->issuers[i]->name, &scope->file,
                              scope->line);
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}

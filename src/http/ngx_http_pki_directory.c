
/*
 * The block pki_directory: where object states come from.
 *
 * Secrets and keys are read on their line, while the configuration is read:
 * later the worker may not be allowed to.  What needs the other blocks is
 * left to ngx_http_pki_directory_conf.c.
 */

#include "ngx_http_pki_module.h"


typedef struct {
    ngx_str_t    name;
    ngx_uint_t   bit;
} ngx_http_pki_word_t;


static char *ngx_http_pki_words(ngx_conf_t *cf, ngx_http_pki_word_t *words,
    ngx_uint_t *bits);


static ngx_http_pki_word_t  ngx_http_pki_risks[] = {
    { ngx_string("low"), PKI_RISK_LOW },
    { ngx_string("medium"), PKI_RISK_MEDIUM },
    { ngx_string("high"), PKI_RISK_HIGH },
    { ngx_null_string, 0 }
};


#define ngx_http_pki_class(n)                                                 \
    (1 << (NGX_HTTP_PKI_RESOURCE_SHIFT + (n)))

static ngx_http_pki_word_t  ngx_http_pki_kinds[] = {
    { ngx_string("devices"), NGX_HTTP_PKI_RESOURCE_DEVICES
                             | ngx_http_pki_class(PKI_OBJECT_DEVICE) },
    { ngx_string("users"), NGX_HTTP_PKI_RESOURCE_USERS
                           | ngx_http_pki_class(PKI_OBJECT_USER) },
    { ngx_string("jamf-computers"),
      ngx_http_pki_class(PKI_OBJECT_JAMF_COMPUTER) },
    { ngx_string("jamf-devices"), ngx_http_pki_class(PKI_OBJECT_JAMF_DEVICE) },
    { ngx_string("jamf-users"), ngx_http_pki_class(PKI_OBJECT_JAMF_USER) },
    { ngx_null_string, 0 }
};


char *
ngx_http_pki_directory_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_main_conf_t *mcf = conf;

    ngx_str_t                  *value;
    ngx_uint_t                  i;
    const pki_dialect_t        *dialect;
    ngx_http_pki_directory_t   *d, **directories;

    value = cf->args->elts;

    if (ngx_http_pki_block_name(cf, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    directories = mcf->directories.elts;

    for (i = 0; i < mcf->directories.nelts; i++) {
        if (ngx_strcmp(directories[i]->name.data, value[1].data) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "pki_directory \"%V\" is duplicate", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    dialect = pki_dialect_find((char *) value[2].data);

    if (dialect == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"pki_directory\", it "
                           "must be \"entra\", \"intune\", \"jamf\", "
                           "\"scim\" or \"push\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    d = ngx_pcalloc(cf->pool, sizeof(ngx_http_pki_directory_t));
    directories = ngx_array_push(&mcf->directories);

    if (d == NULL || directories == NULL) {
        return NGX_CONF_ERROR;
    }

    *directories = d;

    d->name = value[1];
    d->index = mcf->directories.nelts - 1;
    d->file = cf->conf_file->file.name;
    d->line = cf->conf_file->line;
    d->conf.dialect = dialect;

    d->poll = NGX_CONF_UNSET;
    d->plain_http = NGX_CONF_UNSET;
    d->connect_timeout = NGX_CONF_UNSET_MSEC;
    d->timeout = NGX_CONF_UNSET_MSEC;
    d->stall_timeout = NGX_CONF_UNSET_MSEC;
    d->max_size = NGX_CONF_UNSET_SIZE;
    d->interval = NGX_CONF_UNSET_MSEC;
    d->full = NGX_CONF_UNSET;
    d->backoff = NGX_CONF_UNSET_MSEC;
    d->confirm = NGX_CONF_UNSET;
    d->settle = NGX_CONF_UNSET;
    d->page = NGX_CONF_UNSET_UINT;
    d->lookups = NGX_CONF_UNSET_UINT;
    d->lookup_timeout = NGX_CONF_UNSET_MSEC;
    d->absent = NGX_CONF_UNSET_UINT;
    d->restore = NGX_CONF_UNSET;
    d->wipe = NGX_CONF_UNSET;
    d->unmanaged = NGX_CONF_UNSET;
    d->silent = NGX_CONF_UNSET;
    d->endpoint_list = NGX_CONF_UNSET;
    d->revocations = NGX_CONF_UNSET;
    d->max_age = NGX_CONF_UNSET;
    d->conf.guard = 10;
    d->conf.guard_min = 10;

    return ngx_http_pki_block(cf, NGX_HTTP_PKI_DIRECTORY_CONF, d);
}


/* directives of a directory */

char *
ngx_http_pki_secret(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_directory_t *d = conf;

    ngx_str_t  *value, *secret;

    value = cf->args->elts;
    secret = value[0].data[0] == 'h' ? &d->hook_secret : &d->secret;

    if (secret->len) {
        return "is duplicate";
    }

    return ngx_http_pki_read_secret(cf, &value[1], secret) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_pki_client_certificate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_pki_directory_t *d = conf;

    ngx_str_t  *value;

    if (d->cert) {
        return "is duplicate";
    }

    value = cf->args->elts;

    d->cert = ngx_http_pki_read_cert(cf, &value[1]);

    return d->cert ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_pki_client_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_directory_t *d = conf;

    ngx_str_t  *value;

    if (d->key) {
        return "is duplicate";
    }

    value = cf->args->elts;

    d->key = ngx_http_pki_read_key(cf, &value[1]);

    return d->key ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_pki_words(ngx_conf_t *cf, ngx_http_pki_word_t *words,
    ngx_uint_t *bits)
{
    ngx_str_t            *value;
    ngx_uint_t            i;
    ngx_http_pki_word_t  *word;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        for (word = words; word->name.len; word++) {
            if (ngx_strcmp(word->name.data, value[i].data) == 0) {
                *bits |= word->bit;
                break;
            }
        }

        if (word->name.len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" in \"%V\"", &value[i],
                               &value[0]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_pki_resources(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_directory_t *d = conf;

    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (d->resources) {
        return "is duplicate";
    }

    rv = ngx_http_pki_words(cf, ngx_http_pki_kinds, &d->resources);

    if (rv != NGX_CONF_OK || d->conf.dialect->resources == NULL) {
        return rv;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_strncmp(value[i].data, "jamf-", 5) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" in \"resources\" is for directories "
                               "that nobody polls", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* the two attributes of RFC 7643 that may hold an object id */

char *
ngx_http_pki_external_id(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_directory_t *d = conf;

    ngx_str_t  *value;

    if (d->external_id.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "id") != 0
        && ngx_strcmp(value[1].data, "externalId") != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"external_id\", it must "
                           "be \"id\" or \"externalId\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    d->external_id = value[1];

    return NGX_CONF_OK;
}


/* whoever sends notifications must be able to reach it */

char *
ngx_http_pki_hook_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_directory_t *d = conf;

    ngx_str_t  *value;

    if (d->hook_url.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (!pki_fetch_allowed((char *) value[1].data, NULL, 1)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"hook_url\" \"%V\" must be https, or http to a "
                           "loopback address", &value[1]);
        return NGX_CONF_ERROR;
    }

    d->hook_url = value[1];

    return NGX_CONF_OK;
}


char *
ngx_http_pki_risk(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_directory_t *d = conf;

    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   bits;

    value = cf->args->elts;
    bits = 0;

    if (d->conf.risk) {
        return "is duplicate";
    }

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    rv = ngx_http_pki_words(cf, ngx_http_pki_risks, &bits);
    d->conf.risk = (unsigned) bits;

    return rv;
}


char *
ngx_http_pki_compliance(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_directory_t *d = conf;

    ngx_str_t  *value;

    if (d->conf.compliance) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0 && cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "on") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"compliance\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    d->conf.compliance = 1;

    if (cf->args->nelts == 3
        && ngx_http_pki_time_arg(&value[2], "grace=", &d->conf.grace)
           != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"compliance\"",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_pki_max_age(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_directory_t *d = conf;

    ngx_str_t  *value;

    if (d->max_age != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0 && cf->args->nelts == 2) {
        d->max_age = 0;
        return NGX_CONF_OK;
    }

    if (ngx_http_pki_time_arg(&value[1], "", &d->max_age) != NGX_OK) {
        return "has an invalid value";
    }

    if (cf->args->nelts == 2 || ngx_strcmp(value[2].data, "later") == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[2].data, "last") == 0) {
        d->last = 1;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"max_age\", it must be "
                       "\"later\" or \"last\"", &value[2]);
    return NGX_CONF_ERROR;
}


char *
ngx_http_pki_guard(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_directory_t *d = conf;

    ngx_int_t    n;
    ngx_str_t   *value;
    ngx_uint_t   i;
    unsigned    *number;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0 && cf->args->nelts == 2) {
        d->conf.guard = 100;
        return NGX_CONF_OK;
    }

    i = 1;
    n = NGX_ERROR;

    if (value[1].len && value[1].data[value[1].len - 1] == '%') {
        n = ngx_atoi(value[1].data, value[1].len - 1);
    }

    if (n < 0 || n > 100) {
        goto invalid;
    }

    d->conf.guard = (unsigned) n;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "min=", 4) == 0) {
            number = &d->conf.guard_min;
            n = ngx_atoi(value[i].data + 4, value[i].len - 4);

        } else if (ngx_strncmp(value[i].data, "rounds=", 7) == 0) {
            number = &d->conf.guard_rounds;
            n = ngx_atoi(value[i].data + 7, value[i].len - 7);

        } else {
            goto invalid;
        }

        if (n < 0 || n > NGX_MAX_INT32_VALUE) {
            goto invalid;
        }

        *number = (unsigned) n;
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"guard\"", &value[i]);
    return NGX_CONF_ERROR;
}

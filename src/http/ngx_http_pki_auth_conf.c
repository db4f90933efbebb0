
/*
 * What locations say about callers: key sets of tokens, variables that tell
 * a role, whether plain HTTP will do, which pages may call.
 *
 * Most locations say nothing of it and share what surrounds them.
 */

#include "ngx_http_pki_module.h"


static ngx_http_pki_auth_conf_t *ngx_http_pki_auth_get(ngx_conf_t *cf,
    ngx_http_pki_loc_conf_t *lcf);
static char *ngx_http_pki_auth_complex(ngx_conf_t *cf, ngx_str_t *value,
    size_t skip, ngx_http_complex_value_t **cv);
static ngx_int_t ngx_http_pki_auth_origin(ngx_str_t *origin);
static ngx_int_t ngx_http_pki_auth_resolve(ngx_conf_t *cf,
    ngx_http_pki_auth_conf_t *conf);


char *
ngx_http_pki_auth_jwt(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                 *value, *name;
    ngx_uint_t                 i;
    ngx_http_pki_auth_conf_t  *acf;

    acf = ngx_http_pki_auth_get(cf, conf);
    if (acf == NULL) {
        return NGX_CONF_ERROR;
    }

    if (acf->names) {
        return "is duplicate";
    }

    acf->file = cf->conf_file->file.name;
    acf->line = cf->conf_file->line;

    acf->names = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                  sizeof(ngx_str_t));
    if (acf->names == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        name = ngx_array_push(acf->names);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    return NGX_CONF_OK;
}


char *
ngx_http_pki_auth_role(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                      *rv;
    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_http_pki_auth_conf_t  *acf;

    acf = ngx_http_pki_auth_get(cf, conf);
    if (acf == NULL) {
        return NGX_CONF_ERROR;
    }

    if (acf->role) {
        return "is duplicate";
    }

    value = cf->args->elts;

    rv = ngx_http_pki_auth_complex(cf, &value[1], 0, &acf->role);

    for (i = 2; i < cf->args->nelts && rv == NGX_CONF_OK; i++) {

        if (ngx_strncmp(value[i].data, "caller=", 7) == 0
            && acf->caller == NULL)
        {
            rv = ngx_http_pki_auth_complex(cf, &value[i], 7, &acf->caller);

        } else if (ngx_strncmp(value[i].data, "issuers=", 8) == 0
                   && acf->issuers == NULL)
        {
            rv = ngx_http_pki_auth_complex(cf, &value[i], 8, &acf->issuers);

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid or repeated parameter \"%V\" in "
                               "\"pki_api_role\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return rv;
}


static char *
ngx_http_pki_auth_complex(ngx_conf_t *cf, ngx_str_t *value, size_t skip,
    ngx_http_complex_value_t **cv)
{
    ngx_str_t                         text;
    ngx_http_compile_complex_value_t  ccv;

    text.data = value->data + skip;
    text.len = value->len - skip;

    *cv = ngx_pcalloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*cv == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &text;
    ccv.complex_value = *cv;

    return ngx_http_compile_complex_value(&ccv) == NGX_OK ? NGX_CONF_OK
                                                          : NGX_CONF_ERROR;
}


char *
ngx_http_pki_auth_plain_http(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_auth_conf_t  *acf;

    acf = ngx_http_pki_auth_get(cf, conf);
    if (acf == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_conf_set_flag_slot(cf, cmd, acf);
}


char *
ngx_http_pki_auth_cors(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                 *value, *origin;
    ngx_uint_t                 i;
    ngx_http_pki_auth_conf_t  *acf;

    acf = ngx_http_pki_auth_get(cf, conf);
    if (acf == NULL) {
        return NGX_CONF_ERROR;
    }

    if (acf->origins) {
        return "is duplicate";
    }

    acf->origins = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                    sizeof(ngx_str_t));
    if (acf->origins == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_pki_auth_origin(&value[i]) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid origin \"%V\" in \"pki_api_cors\", "
                               "it must be as browsers send it: "
                               "\"https://host\" or \"https://host:port\" in "
                               "small letters", &value[i]);
            return NGX_CONF_ERROR;
        }

        origin = ngx_array_push(acf->origins);
        if (origin == NULL) {
            return NGX_CONF_ERROR;
        }

        *origin = value[i];
    }

    return NGX_CONF_OK;
}


/* RFC 6454, 6.2 */

static ngx_int_t
ngx_http_pki_auth_origin(ngx_str_t *origin)
{
    u_char  *p, *last;

    p = origin->data;
    last = p + origin->len;

    if (ngx_strncmp(p, "https://", 8) == 0) {
        p += 8;

    } else if (ngx_strncmp(p, "http://", 7) == 0) {
        p += 7;

    } else {
        return NGX_ERROR;
    }

    if (p == last) {
        return NGX_ERROR;
    }

    for ( /* void */ ; p < last; p++) {
        if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9')
              || ngx_strchr("-._:[]", *p)))
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_http_pki_auth_conf_t *
ngx_http_pki_auth_get(ngx_conf_t *cf, ngx_http_pki_loc_conf_t *lcf)
{
    if (lcf->auth == NULL) {

        /*
         * set by ngx_pcalloc():
         *
         *     lcf->auth->names = NULL;
         *     lcf->auth->jwts = NULL;
         *     lcf->auth->role = NULL;
         *     lcf->auth->caller = NULL;
         *     lcf->auth->issuers = NULL;
         *     lcf->auth->origins = NULL;
         */

        lcf->auth = ngx_pcalloc(cf->pool, sizeof(ngx_http_pki_auth_conf_t));

        if (lcf->auth) {
            lcf->auth->plain_http = NGX_CONF_UNSET;
        }
    }

    return lcf->auth;
}


char *
ngx_http_pki_auth_merge(ngx_conf_t *cf, ngx_http_pki_loc_conf_t *prev,
    ngx_http_pki_loc_conf_t *conf)
{
    ngx_http_pki_auth_conf_t  *from, *to;

    if (conf->auth == NULL) {
        conf->auth = prev->auth;

    } else if (prev->auth) {
        from = prev->auth;
        to = conf->auth;

        if (to->names == NULL) {
            to->file = from->file;
            to->line = from->line;
            to->names = from->names;
        }

        if (to->role == NULL) {
            to->role = from->role;
            to->caller = from->caller;
            to->issuers = from->issuers;
        }

        if (to->origins == NULL) {
            to->origins = from->origins;
        }

        ngx_conf_merge_value(to->plain_http, from->plain_http, 0);
    }

    if (conf->auth == NULL) {
        return NGX_CONF_OK;
    }

    ngx_conf_init_value(conf->auth->plain_http, 0);

    if (conf->auth->names && conf->auth->jwts == NULL
        && ngx_http_pki_auth_resolve(cf, conf->auth) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_pki_auth_resolve(ngx_conf_t *cf, ngx_http_pki_auth_conf_t *conf)
{
    ngx_str_t                  *name;
    ngx_uint_t                  i, k;
    ngx_http_pki_jwt_t        **jwts;
    ngx_http_pki_main_conf_t   *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pki_module);

    name = conf->names->elts;
    jwts = mcf->jwts.elts;

    conf->jwts = ngx_palloc(cf->pool, conf->names->nelts
                                      * sizeof(ngx_http_pki_jwt_t *));
    if (conf->jwts == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < conf->names->nelts; i++) {

        for (k = 0; k < mcf->jwts.nelts; k++) {
            if (ngx_strcmp(jwts[k]->name.data, name[i].data) == 0) {
                break;
            }
        }

        if (k == mcf->jwts.nelts) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"pki_api_jwt\": pki_jwt \"%V\" not found in "
                          "%V:%ui", &name[i], &conf->file, conf->line);
            return NGX_ERROR;
        }

        conf->jwts[conf->njwts++] = jwts[k];
    }

    return NGX_OK;
}


/*
 * What locations say about enrolment: which profiles, whether certificates
 * are recorded, where the certificate of a client that renews is to be found.
 *
 * Most locations say nothing of it and share what surrounds them.
 */

#include "ngx_http_pki_module.h"


static ngx_int_t ngx_http_pki_enroll_scep(ngx_conf_t *cf,
    ngx_http_pki_loc_conf_t *conf);
static ngx_http_pki_enroll_conf_t *ngx_http_pki_enroll_get(ngx_conf_t *cf,
    ngx_http_pki_loc_conf_t *lcf);
static ngx_int_t ngx_http_pki_enroll_resolve(ngx_conf_t *cf,
    ngx_http_pki_enroll_conf_t *conf);


char *
ngx_http_pki_enroll(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                   *value, *name;
    ngx_uint_t                   i;
    ngx_http_pki_enroll_conf_t  *ecf;

    ecf = ngx_http_pki_enroll_get(cf, conf);
    if (ecf == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ecf->names) {
        return "is duplicate";
    }

    ecf->file = cf->conf_file->file.name;
    ecf->line = cf->conf_file->line;

    ecf->names = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                  sizeof(ngx_str_t));
    if (ecf->names == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        name = ngx_array_push(ecf->names);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    return NGX_CONF_OK;
}


char *
ngx_http_pki_enroll_record(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_enroll_conf_t  *ecf;

    ecf = ngx_http_pki_enroll_get(cf, conf);
    if (ecf == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_conf_set_flag_slot(cf, cmd, ecf);
}


char *
ngx_http_pki_enroll_certificate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_pki_enroll_conf_t  *ecf;

    ecf = ngx_http_pki_enroll_get(cf, conf);
    if (ecf == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_set_complex_value_slot(cf, cmd, ecf);
}


char *
ngx_http_pki_enroll_challenges(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t                   *value;
    ngx_http_pki_enroll_conf_t  *ecf;

    ecf = ngx_http_pki_enroll_get(cf, conf);
    if (ecf == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ecf->challenges) {
        return "is duplicate";
    }

    value = cf->args->elts;

    ecf->challenges = ngx_http_pki_read_challenges(cf, &value[1]);

    return ecf->challenges ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_http_pki_enroll_conf_t *
ngx_http_pki_enroll_get(ngx_conf_t *cf, ngx_http_pki_loc_conf_t *lcf)
{
    if (lcf->enroll == NULL) {

        /*
         * set by ngx_pcalloc():
         *
         *     lcf->enroll->names = NULL;
         *     lcf->enroll->profiles = NULL;
         *     lcf->enroll->certificate = NULL;
         *     lcf->enroll->challenges = NULL;
         */

        lcf->enroll = ngx_pcalloc(cf->pool,
                                  sizeof(ngx_http_pki_enroll_conf_t));

        if (lcf->enroll) {
            lcf->enroll->record = NGX_CONF_UNSET;
        }
    }

    return lcf->enroll;
}


char *
ngx_http_pki_enroll_merge(ngx_conf_t *cf, ngx_http_pki_loc_conf_t *prev,
    ngx_http_pki_loc_conf_t *conf)
{
    ngx_http_pki_enroll_conf_t  *from, *to;

    if (conf->enroll == NULL) {
        conf->enroll = prev->enroll;

    } else if (prev->enroll) {
        from = prev->enroll;
        to = conf->enroll;

        if (to->names == NULL) {
            to->file = from->file;
            to->line = from->line;
            to->names = from->names;
        }

        if (to->certificate == NULL) {
            to->certificate = from->certificate;
        }

        if (to->challenges == NULL) {
            to->challenges = from->challenges;
        }

        ngx_conf_merge_value(to->record, from->record, 1);
    }

    if (conf->enroll) {
        ngx_conf_init_value(conf->enroll->record, 1);

        if (conf->enroll->names && conf->enroll->profiles == NULL
            && ngx_http_pki_enroll_resolve(cf, conf->enroll) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (conf->handler == ngx_http_pki_est_handler
        && (conf->enroll == NULL || conf->enroll->n == 0))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"pki_est\" needs \"pki_enroll\" in %V:%ui",
                      &conf->scope.file, conf->scope.line);
        return NGX_CONF_ERROR;
    }

    if (conf->handler == ngx_http_pki_scep_handler
        && ngx_http_pki_enroll_scep(cf, conf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* what is not RSA cannot be encrypted to */

static ngx_int_t
ngx_http_pki_enroll_scep(ngx_conf_t *cf, ngx_http_pki_loc_conf_t *conf)
{
    ngx_uint_t               i;
    ngx_http_pki_issuer_t   *issuer;
    ngx_http_pki_profile_t  *profile;

    if (conf->enroll == NULL || conf->enroll->n == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"pki_scep\" needs \"pki_enroll\" in %V:%ui",
                      &conf->scope.file, conf->scope.line);
        return NGX_ERROR;
    }

    issuer = conf->enroll->profiles[0]->issuer;

    for (i = 0; i < conf->enroll->n; i++) {
        profile = conf->enroll->profiles[i];

        if (profile->issuer != issuer) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"pki_scep\" needs profiles of one issuer, but "
                          "\"%V\" is of \"%V\" and not of \"%V\" in "
                          "%V:%ui", &profile->name, &profile->issuer->name,
                          &issuer->name, &conf->scope.file,
                          conf->scope.line);
            return NGX_ERROR;
        }
    }

    if (!EVP_PKEY_is_a(issuer->key, "RSA")) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"pki_scep\" needs an RSA key, which issuer \"%V\" "
                      "does not have, in %V:%ui", &issuer->name,
                      &conf->scope.file, conf->scope.line);
        return NGX_ERROR;
    }

    if (!(X509_get_key_usage(issuer->cert) & KU_KEY_ENCIPHERMENT)) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"pki_scep\": the certificate of issuer \"%V\" lacks "
                      "the key usage keyEncipherment, without which many "
                      "clients do not encrypt to it, in %V:%ui",
                      &issuer->name, &conf->scope.file, conf->scope.line);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_enroll_resolve(ngx_conf_t *cf, ngx_http_pki_enroll_conf_t *conf)
{
    ngx_str_t                  *name;
    ngx_uint_t                  i, k;
    ngx_http_pki_profile_t    **profiles;
    ngx_http_pki_main_conf_t   *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pki_module);

    name = conf->names->elts;
    profiles = mcf->profiles.elts;

    conf->profiles = ngx_palloc(cf->pool, conf->names->nelts
                                          * sizeof(ngx_http_pki_profile_t *));
    if (conf->profiles == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < conf->names->nelts; i++) {

        for (k = 0; k < mcf->profiles.nelts; k++) {
            if (ngx_strcmp(profiles[k]->name.data, name[i].data) == 0) {
                break;
            }
        }

        if (k == mcf->profiles.nelts) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"pki_enroll\": pki_profile \"%V\" not found in "
                          "%V:%ui", &name[i], &conf->file, conf->line);
            return NGX_ERROR;
        }

        conf->profiles[conf->n++] = profiles[k];
    }

    return NGX_OK;
}

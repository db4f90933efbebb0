
/*
 * The block pki_profile: one kind of enrolment, its caller, its issuer and
 * its rules (pki_profile.h).
 *
 * Lists are checked word by word on their line: a pattern that can match
 * nothing would be a door that its author believes to be open, or shut.
 */

#include "ngx_http_pki_module.h"


/* 20 years: no end entity's certificate should live longer, and no sum of it
   and the time of day is too large for a certificate */
#define NGX_HTTP_PKI_LIFETIME_MAX  ((time_t) 20 * 366 * 24 * 3600)

#define NGX_HTTP_PKI_EKU_SIZE      128  /* of a dotted OID as text */


static char *ngx_http_pki_profile_check(ngx_conf_t *cf,
    ngx_http_pki_profile_t *profile);
static char *ngx_http_pki_profile_eku(ngx_conf_t *cf, ngx_str_t *value,
    const char **oid);
static char *ngx_http_pki_profile_add(ngx_conf_t *cf,
    pki_patterns_t *patterns, const char *text);
static ngx_int_t ngx_http_pki_profile_resolve(ngx_conf_t *cf,
    ngx_http_pki_main_conf_t *mcf, ngx_http_pki_profile_t *profile);
static char *ngx_http_pki_profile_invalid(ngx_conf_t *cf, ngx_str_t *value);


static const char  *ngx_http_pki_profile_types[] = {
    "dns:", "ip:", "email:", "uri:", "upn:"
};


static struct {
    ngx_str_t   name;
    ngx_uint_t  bit;
} ngx_http_pki_profile_key_types[] = {
    { ngx_string("rsa"), PKI_KEYS_RSA },
    { ngx_string("p256"), PKI_KEYS_P256 },
    { ngx_string("p384"), PKI_KEYS_P384 },
    { ngx_string("p521"), PKI_KEYS_P521 },
    { ngx_string("ed25519"), PKI_KEYS_ED25519 },
    { ngx_null_string, 0 }
};


/* the types of certificates whose names in SCEPman's settings are others */

static struct {
    ngx_str_t   name;
    pki_kind_t  kind;
} ngx_http_pki_profile_kinds[] = {
    { ngx_string("IntuneDevice"), PKI_KIND_DEVICE },
    { ngx_string("IntuneUser"), PKI_KIND_USER },
    { ngx_null_string, 0 }
};


char *
ngx_http_pki_profile_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_main_conf_t *mcf = conf;

    char                     *rv;
    ngx_str_t                *value;
    ngx_uint_t                i;
    ngx_http_pki_profile_t   *profile, **profiles;

    value = cf->args->elts;

    if (ngx_http_pki_block_name(cf, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    profiles = mcf->profiles.elts;

    for (i = 0; i < mcf->profiles.nelts; i++) {
        if (ngx_strcmp(profiles[i]->name.data, value[1].data) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "pki_profile \"%V\" is duplicate", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    profile = ngx_pcalloc(cf->pool, sizeof(ngx_http_pki_profile_t));
    profiles = ngx_array_push(&mcf->profiles);

    if (profile == NULL || profiles == NULL) {
        return NGX_CONF_ERROR;
    }

    *profiles = profile;

    profile->name = value[1];
    profile->file = cf->conf_file->file.name;
    profile->line = cf->conf_file->line;
    profile->bind = NGX_CONF_UNSET_UINT;
    profile->requested_usage = NGX_CONF_UNSET;
    profile->requested_sid = NGX_CONF_UNSET;
    profile->microsoft = NGX_CONF_UNSET;
    profile->lifetime = NGX_CONF_UNSET;
    profile->backdate = NGX_CONF_UNSET;
    profile->source = NGX_CONF_UNSET_UINT;

    rv = ngx_http_pki_block(cf, NGX_HTTP_PKI_PROFILE_CONF, profile);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_pki_profile_check(cf, profile);
}


static char *
ngx_http_pki_profile_check(ngx_conf_t *cf, ngx_http_pki_profile_t *profile)
{
    pki_profile_t  *rules;

    ngx_conf_init_uint_value(profile->bind, PKI_BIND_STATIC);
    ngx_conf_init_value(profile->requested_usage, 1);
    ngx_conf_init_value(profile->requested_sid, 0);
    ngx_conf_init_value(profile->microsoft, 0);
    ngx_conf_init_value(profile->lifetime, 0);
    ngx_conf_init_value(profile->backdate, 24 * 3600);
    ngx_conf_init_uint_value(profile->source, PKI_SOURCE_API);

    if (profile->backdate > NGX_HTTP_PKI_LIFETIME_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_profile \"%V\": \"backdate\" is too long",
                           &profile->name);
        return NGX_CONF_ERROR;
    }

    if (profile->callers.n == 0) {
        profile->callers.patterns[profile->callers.n++] = "*";
    }

    rules = &profile->rules;
    rules->bind = (pki_bind_t) profile->bind;
    rules->keys = rules->keys ? rules->keys : PKI_KEYS_ALL;
    rules->fixed = profile->requested_usage ? 0 : 1;
    rules->sid = profile->requested_sid ? 1 : 0;
    rules->microsoft = profile->microsoft ? 1 : 0;
    rules->lifetime = profile->lifetime;
    rules->backdate = profile->backdate;

    if (rules->ndefault_ekus == 0) {
        rules->default_ekus[rules->ndefault_ekus++] = "1.3.6.1.5.5.7.3.2";
    }

    if (rules->default_key_usage == 0) {
        rules->default_key_usage = KU_DIGITAL_SIGNATURE|KU_KEY_ENCIPHERMENT;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_pki_profiles_resolve(ngx_conf_t *cf, ngx_http_pki_main_conf_t *mcf)
{
    ngx_uint_t                i;
    ngx_http_pki_profile_t  **profiles;

    profiles = mcf->profiles.elts;

    for (i = 0; i < mcf->profiles.nelts; i++) {
        if (ngx_http_pki_profile_resolve(cf, mcf, profiles[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_profile_resolve(ngx_conf_t *cf, ngx_http_pki_main_conf_t *mcf,
    ngx_http_pki_profile_t *profile)
{
    ngx_uint_t               i;
    ngx_http_pki_issuer_t  **issuers;

    issuers = mcf->issuers.elts;

    if (profile->issuer_name.len == 0 && mcf->issuers.nelts == 1) {
        profile->issuer = issuers[0];
    }

    if (profile->issuer_name.len == 0 && mcf->issuers.nelts != 1) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "pki_profile \"%V\": \"issuer\" is missing, and there "
                      "is not exactly one pki_issuer in %V:%ui",
                      &profile->name, &profile->file, profile->line);
        return NGX_ERROR;
    }

    for (i = 0; profile->issuer == NULL && i < mcf->issuers.nelts; i++) {
        if (ngx_strcmp(issuers[i]->name.data, profile->issuer_name.data)
            == 0)
        {
            profile->issuer = issuers[i];
        }
    }

    if (profile->issuer == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "pki_profile \"%V\": pki_issuer \"%V\" not found in "
                      "%V:%ui", &profile->name, &profile->issuer_name,
                      &profile->file, profile->line);
        return NGX_ERROR;
    }

    if (profile->issuer->key == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "pki_profile \"%V\": pki_issuer \"%V\" has no \"key\" "
                      "to issue with in %V:%ui", &profile->name,
                      &profile->issuer->name, &profile->file, profile->line);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* directives of a profile */

char *
ngx_http_pki_profile_bind(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_profile_t *profile = conf;

    ngx_str_t   *value;
    pki_bind_t   bind;

    if (profile->bind != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (pki_bind_from_name((char *) value[1].data, &bind) != PKI_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"bind\", it must be "
                           "\"static\", \"directory\", \"device\", \"user\", "
                           "\"jamf\" or \"dc\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    profile->bind = bind;

    return NGX_CONF_OK;
}


/* "callers" and "subject"; cmd->offset says where they go */

char *
ngx_http_pki_profile_patterns(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char *p = conf;

    char            *rv;
    ngx_str_t       *value;
    ngx_uint_t       i;
    pki_patterns_t  *patterns;

    patterns = (pki_patterns_t *) (p + cmd->offset);
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_pki_profile_add(cf, patterns, (char *) value[i].data);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_pki_profile_names(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    size_t       n;
    ngx_str_t   *value;
    ngx_uint_t   i, k;

    value = cf->args->elts;
    n = sizeof(ngx_http_pki_profile_types)
        / sizeof(ngx_http_pki_profile_types[0]);

    for (i = 1; i < cf->args->nelts; i++) {

        for (k = 0; k < n; k++) {
            if (ngx_strncmp(value[i].data, ngx_http_pki_profile_types[k],
                            ngx_strlen(ngx_http_pki_profile_types[k]))
                == 0)
            {
                break;
            }
        }

        if (k == n) {
            return ngx_http_pki_profile_invalid(cf, &value[i]);
        }
    }

    return ngx_http_pki_profile_patterns(cf, cmd, conf);
}


char *
ngx_http_pki_profile_ekus(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_profile_t *profile = conf;

    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;
    const char  *oid;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        oid = (char *) value[i].data;

        /* names have no patterns, only what they stand for */

        if (ngx_strchr(oid, '*')) {

            if (oid[strspn(oid, "0123456789.*")] != '\0') {
                return ngx_http_pki_profile_invalid(cf, &value[i]);
            }

        } else {
            rv = ngx_http_pki_profile_eku(cf, &value[i], &oid);

            if (rv != NGX_CONF_OK) {
                return rv;
            }
        }

        rv = ngx_http_pki_profile_add(cf, &profile->rules.ekus, oid);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_pki_profile_default_ekus(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_pki_profile_t *profile = conf;

    char           *rv;
    ngx_str_t      *value;
    ngx_uint_t      i;
    pki_profile_t  *rules;

    rules = &profile->rules;

    if (rules->ndefault_ekus) {
        return "is duplicate";
    }

    if (cf->args->nelts - 1 > PKI_PROFILE_EKUS) {
        return "has too many parameters";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_pki_profile_eku(cf, &value[i],
                                  &rules->default_ekus[rules->ndefault_ekus]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }

        rules->ndefault_ekus++;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_pki_profile_default_usage(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_pki_profile_t *profile = conf;

    int          bit;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (profile->rules.default_key_usage) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        bit = pki_profile_key_usage((char *) value[i].data);

        /* what makes a CA is never for others */

        if (bit == 0 || (bit & (KU_KEY_CERT_SIGN|KU_CRL_SIGN))) {
            return ngx_http_pki_profile_invalid(cf, &value[i]);
        }

        profile->rules.default_key_usage |= bit;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_pki_profile_keys(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_profile_t *profile = conf;

    ngx_str_t   *value;
    ngx_uint_t   i, k;

    if (profile->rules.keys) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        for (k = 0; ngx_http_pki_profile_key_types[k].bit; k++) {
            if (ngx_strcmp(ngx_http_pki_profile_key_types[k].name.data,
                           value[i].data)
                == 0)
            {
                break;
            }
        }

        if (ngx_http_pki_profile_key_types[k].bit == 0) {
            return ngx_http_pki_profile_invalid(cf, &value[i]);
        }

        profile->rules.keys |= ngx_http_pki_profile_key_types[k].bit;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_pki_profile_microsoft(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_profile_t *profile = conf;

    ngx_str_t  *value;

    if (profile->microsoft != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0 && cf->args->nelts == 2) {
        profile->microsoft = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "on") != 0 || cf->args->nelts != 3) {
        return "must be \"off\", or \"on\" and \"tenant=\"";
    }

    profile->microsoft = 1;

    if (ngx_strncmp(value[2].data, "tenant=", 7) != 0
        || pki_guid_from_text((char *) value[2].data + 7, value[2].len - 7,
                              profile->rules.tenant)
           != PKI_OK)
    {
        return ngx_http_pki_profile_invalid(cf, &value[2]);
    }

    return NGX_CONF_OK;
}


char *
ngx_http_pki_profile_renew(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_profile_t *profile = conf;

    ngx_str_t   *value;
    ngx_uint_t   i, k;
    pki_kind_t   kind;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        for (k = 0; ngx_http_pki_profile_kinds[k].name.len; k++) {
            if (ngx_strcasecmp(ngx_http_pki_profile_kinds[k].name.data,
                               value[i].data)
                == 0)
            {
                break;
            }
        }

        if (ngx_http_pki_profile_kinds[k].name.len) {
            kind = ngx_http_pki_profile_kinds[k].kind;

        } else if (pki_kind_from_name((char *) value[i].data, &kind)
                   != PKI_OK)
        {
            return ngx_http_pki_profile_invalid(cf, &value[i]);
        }

        profile->renew |= (ngx_uint_t) 1 << kind;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_pki_profile_source(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_profile_t *profile = conf;

    unsigned     i;
    ngx_str_t   *value;
    const char  *name;

    if (profile->source != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; i < PKI_ROW_SOURCES; i++) {
        name = pki_row_source_name(i);

        if (name && ngx_strcasecmp((u_char *) name, value[1].data) == 0) {
            profile->source = i;
            return NGX_CONF_OK;
        }
    }

    return ngx_http_pki_profile_invalid(cf, &value[1]);
}


char *
ngx_http_pki_lifetime(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char *p = conf;

    time_t     *lifetime;
    ngx_str_t  *value;

    lifetime = (time_t *) (p + cmd->offset);

    if (*lifetime != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    *lifetime = ngx_parse_time(&value[1], 1);

    if (*lifetime <= 0 || *lifetime > NGX_HTTP_PKI_LIFETIME_MAX) {
        return "has an invalid value";
    }

    return NGX_CONF_OK;
}


/* a certificate is for all who may ever see it: only what they can fetch */

char *
ngx_http_pki_issuer_urls(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char *p = conf;

    ngx_str_t    *value;
    ngx_uint_t    i;
    const char  **urls;

    urls = (const char **) (p + cmd->offset);

    if (urls[0]) {
        return "is duplicate";
    }

    if (cf->args->nelts - 1 >= PKI_CERT_URLS) {
        return "has too many parameters";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "http://", 7) != 0
            && ngx_strncmp(value[i].data, "https://", 8) != 0
            && ngx_strncmp(value[i].data, "ldap://", 7) != 0)
        {
            return ngx_http_pki_profile_invalid(cf, &value[i]);
        }

        urls[i - 1] = (char *) value[i].data;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_pki_profile_eku(ngx_conf_t *cf, ngx_str_t *value, const char **oid)
{
    char  *text;

    text = ngx_pnalloc(cf->pool, NGX_HTTP_PKI_EKU_SIZE);
    if (text == NULL) {
        return NGX_CONF_ERROR;
    }

    if (pki_profile_eku((char *) value->data, text, NGX_HTTP_PKI_EKU_SIZE)
        != PKI_OK)
    {
        return ngx_http_pki_profile_invalid(cf, value);
    }

    *oid = text;

    return NGX_CONF_OK;
}


static char *
ngx_http_pki_profile_add(ngx_conf_t *cf, pki_patterns_t *patterns,
    const char *text)
{
    if (patterns->n == PKI_PROFILE_PATTERNS) {
        return "has too many parameters";
    }

    if (*text == '\0') {
        return "has an empty parameter";
    }

    patterns->patterns[patterns->n++] = text;

    return NGX_CONF_OK;
}


static char *
ngx_http_pki_profile_invalid(ngx_conf_t *cf, ngx_str_t *value)
{
    ngx_str_t  *directive;

    directive = cf->args->elts;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"%V\"", value, directive);

    return NGX_CONF_ERROR;
}


/*
 * The block pki_issuer: a CA and how it is answered for.
 */

#include "ngx_http_pki_module.h"


/* an issuer's name and 13 numbers, then a name and two per directory */

#define NGX_HTTP_PKI_SHAPE_SIZE                                               \
    ((1 + PKI_FACTS_OBJECTS) * (PKI_NAME_MAX + 14 * (NGX_INT64_LEN + 1)))


static char *ngx_http_pki_issuer_check(ngx_conf_t *cf,
    ngx_http_pki_issuer_t *issuer);
static char *ngx_http_pki_issuer_signer(ngx_conf_t *cf,
    ngx_http_pki_issuer_t *issuer);
static void ngx_http_pki_issuer_cleanup(void *data);


char *
ngx_http_pki_issuer_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_main_conf_t *mcf = conf;

    char                    *rv;
    ngx_str_t               *value;
    ngx_uint_t               i;
    ngx_pool_cleanup_t      *cln;
    ngx_http_pki_issuer_t   *issuer, **issuers;

    value = cf->args->elts;

    if (ngx_http_pki_block_name(cf, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    issuers = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {
        if (ngx_strcmp(issuers[i]->name.data, value[1].data) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "pki_issuer \"%V\" is duplicate", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    issuer = ngx_pcalloc(cf->pool, sizeof(ngx_http_pki_issuer_t));
    issuers = ngx_array_push(&mcf->issuers);
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (issuer == NULL || issuers == NULL || cln == NULL) {
        return NGX_CONF_ERROR;
    }

    *issuers = issuer;

    cln->handler = ngx_http_pki_issuer_cleanup;
    cln->data = issuer;

    issuer->name = value[1];
    issuer->index = mcf->issuers.nelts - 1;
    issuer->file = cf->conf_file->file.name;
    issuer->line = cf->conf_file->line;
    issuer->responder = NGX_CONF_UNSET_UINT;
    issuer->responder_valid = 24 * 3600;
    issuer->responder_backdate = 24 * 3600;
    issuer->sealed = NGX_CONF_UNSET_UINT;
    issuer->unknown = NGX_CONF_UNSET_UINT;
    issuer->extended_revoke = NGX_CONF_UNSET;
    issuer->devices = NGX_CONF_UNSET_UINT;
    issuer->archive_cutoff = NGX_CONF_UNSET;
    issuer->urls.lifetime = NGX_CONF_UNSET;

    if (ngx_array_init(&issuer->directories, cf->pool, 2,
                       sizeof(ngx_http_pki_reference_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_pki_block(cf, NGX_HTTP_PKI_ISSUER_CONF, issuer);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_pki_issuer_check(cf, issuer);
}


static char *
ngx_http_pki_issuer_check(ngx_conf_t *cf, ngx_http_pki_issuer_t *issuer)
{
    pki_err_t      err;
    pki_policy_t  *policy;

    ngx_conf_init_uint_value(issuer->responder, NGX_HTTP_PKI_RESPONDER_AUTO);
    ngx_conf_init_uint_value(issuer->sealed, 0);
    ngx_conf_init_uint_value(issuer->unknown, 0);
    ngx_conf_init_value(issuer->extended_revoke, 0);
    ngx_conf_init_uint_value(issuer->devices, 0);
    ngx_conf_init_value(issuer->archive_cutoff, 0);
    ngx_conf_init_value(issuer->urls.lifetime, 200 * 24 * 3600);

    policy = &issuer->policy;
    policy->good = policy->good ? policy->good : 600;
    policy->hold = policy->hold ? policy->hold : 300;
    policy->revoked = policy->revoked ? policy->revoked : 7 * 24 * 3600;
    policy->by_serial = issuer->unknown ? 1 : 0;
    policy->extended_revoke = issuer->extended_revoke ? 1 : 0;
    policy->any = issuer->devices ? 0 : 1;

    if (issuer->cert == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_issuer \"%V\": \"certificate\" is missing",
                           &issuer->name);
        return NGX_CONF_ERROR;
    }

    if (issuer->key == NULL
        && issuer->responder != NGX_HTTP_PKI_RESPONDER_FILE)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_issuer \"%V\": \"key\" is missing",
                           &issuer->name);
        return NGX_CONF_ERROR;
    }

    if (issuer->sealed && issuer->serial_keys == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_issuer \"%V\": \"serial sealed\" needs "
                           "\"serial_key\"", &issuer->name);
        return NGX_CONF_ERROR;
    }

    issuer->ca = pki_issuer_create(issuer->cert, issuer->key, &err);
    if (issuer->ca == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "pki_issuer \"%V\": %s",
                           &issuer->name, err.text);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_pki_clerk_check(cf, issuer) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_pki_issuer_signer(cf, issuer);
}


/*
 * A delegated signer is made by each worker for itself: reading a
 * configuration must not make keys.
 */

static char *
ngx_http_pki_issuer_signer(ngx_conf_t *cf, ngx_http_pki_issuer_t *issuer)
{
    X509       *cert;
    EVP_PKEY   *key;
    pki_err_t   err;

    if (issuer->responder == NGX_HTTP_PKI_RESPONDER_AUTO) {
        return NGX_CONF_OK;
    }

    if (issuer->responder == NGX_HTTP_PKI_RESPONDER_CA) {
        cert = issuer->cert;
        key = issuer->key;

    } else {
        cert = issuer->responder_cert;
        key = issuer->responder_pkey;
    }

    issuer->signer = pki_signer_create(issuer->ca, cert, key, &err);
    if (issuer->signer == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_issuer \"%V\": responder: %s",
                           &issuer->name, err.text);
        return NGX_CONF_ERROR;
    }

    if (!pki_signer_valid(issuer->signer, ngx_time())) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_issuer \"%V\": the responder's certificate "
                           "is %s", &issuer->name,
                           pki_signer_not_after(issuer->signer) < ngx_time()
                           ? "expired" : "not valid yet");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * What stands for the issuer in the key of a cached answer: all that shapes
 * it, so that a reload with other settings finds none of the old ones.
 * Delegated signers of several workers stand for each other.
 */

ngx_int_t
ngx_http_pki_issuer_identity(ngx_http_pki_issuer_t *issuer)
{
    int                        ok;
    u_char                    *p;
    u_char                     text[NGX_HTTP_PKI_SHAPE_SIZE];
    EVP_MD_CTX                *md;
    ngx_uint_t                 i;
    ngx_http_pki_directory_t  *directory;
    ngx_http_pki_reference_t  *reference;

    md = EVP_MD_CTX_new();
    if (md == NULL) {
        return NGX_ERROR;
    }

    ok = EVP_DigestInit_ex(md, EVP_sha256(), NULL)
         && EVP_DigestUpdate(md, issuer->ca->fingerprint, PKI_FINGERPRINT_LEN);

    if (issuer->signer) {
        ok = ok && EVP_DigestUpdate(md, pki_signer_fingerprint(issuer->signer),
                                    PKI_FINGERPRINT_LEN);
    }

    p = ngx_sprintf(text, "%V %ui %d %T %T %T %ui %i %T %ui %d %d %d",
                    &issuer->name, issuer->responder,
                    (int) issuer->responder_key, issuer->policy.good,
                    issuer->policy.hold, issuer->policy.revoked,
                    issuer->unknown, issuer->extended_revoke,
                    issuer->archive_cutoff, issuer->devices,
                    (int) issuer->policy.reasons[0],
                    (int) issuer->policy.reasons[1],
                    (int) issuer->policy.reasons[2]);

    reference = issuer->directories.elts;

    for (i = 0; i < issuer->directories.nelts; i++) {
        directory = reference[i].directory;

        p = ngx_sprintf(p, " %V %s %ui %ud %T %ui", &directory->name,
                        directory->conf.dialect->name, directory->resources,
                        directory->conf.risk, directory->max_age,
                        directory->last);
    }

    ok = ok && EVP_DigestUpdate(md, text, p - text)
         && EVP_DigestFinal_ex(md, issuer->identity, NULL);

    EVP_MD_CTX_free(md);

    return ok ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_pki_issuer_cleanup(void *data)
{
    ngx_http_pki_issuer_t *issuer = data;

    pki_signer_free(issuer->signer);
    pki_issuer_free(issuer->ca);
}


/* directives of an issuer */

char *
ngx_http_pki_certificate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_issuer_t *issuer = conf;

    ngx_str_t  *value;

    if (issuer->cert) {
        return "is duplicate";
    }

    value = cf->args->elts;

    issuer->cert = ngx_http_pki_read_cert(cf, &value[1]);

    return issuer->cert ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_pki_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_issuer_t *issuer = conf;

    ngx_str_t  *value;

    if (issuer->key) {
        return "is duplicate";
    }

    value = cf->args->elts;

    issuer->key = ngx_http_pki_read_key(cf, &value[1]);

    return issuer->key ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_pki_responder(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_issuer_t *issuer = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (issuer->responder != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "ca") == 0) {
        issuer->responder = NGX_HTTP_PKI_RESPONDER_CA;
        return cf->args->nelts == 2 ? NGX_CONF_OK
                                    : "takes no parameters after \"ca\"";
    }

    if (ngx_strcmp(value[1].data, "file") == 0) {
        issuer->responder = NGX_HTTP_PKI_RESPONDER_FILE;

        if (cf->args->nelts != 4) {
            return "needs a certificate and a key after \"file\"";
        }

        issuer->responder_cert = ngx_http_pki_read_cert(cf, &value[2]);
        if (issuer->responder_cert == NULL) {
            return NGX_CONF_ERROR;
        }

        issuer->responder_pkey = ngx_http_pki_read_key(cf, &value[3]);

        return issuer->responder_pkey ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (ngx_strcmp(value[1].data, "auto") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"responder\", it must be "
                           "\"auto\", \"ca\" or \"file\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    issuer->responder = NGX_HTTP_PKI_RESPONDER_AUTO;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "key=p256") == 0) {
            issuer->responder_key = PKI_KEY_P256;

        } else if (ngx_strcmp(value[i].data, "key=rsa2048") == 0) {
            issuer->responder_key = PKI_KEY_RSA2048;

        } else if (ngx_http_pki_time_arg(&value[i], "valid=",
                                         &issuer->responder_valid)
                   != NGX_OK
                   && ngx_http_pki_time_arg(&value[i], "backdate=",
                                            &issuer->responder_backdate)
                      != NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"responder\"",
                               &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_pki_serial_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_issuer_t *issuer = conf;

    ngx_str_t  *value;

    if (issuer->serial_keys) {
        return "is duplicate";
    }

    value = cf->args->elts;

    issuer->serial_keys = ngx_http_pki_read_serial_keys(cf, &value[1]);

    return issuer->serial_keys ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_pki_validity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_issuer_t *issuer = conf;

    time_t         sec;
    ngx_str_t     *value;
    ngx_uint_t     i;
    pki_policy_t  *policy;

    policy = &issuer->policy;

    if (policy->good || policy->hold || policy->revoked) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i + 1 < cf->args->nelts; i += 2) {
        sec = ngx_http_pki_life(&value[i + 1]);

        if (sec == NGX_ERROR) {
            i++;
            break;
        }

        if (ngx_strcmp(value[i].data, "good") == 0) {
            policy->good = sec;

        } else if (ngx_strcmp(value[i].data, "hold") == 0) {
            policy->hold = sec;

        } else if (ngx_strcmp(value[i].data, "revoked") == 0) {
            policy->revoked = sec;

        } else {
            break;
        }
    }

    if (i < cf->args->nelts) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"validity\"",
                           &value[i]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_pki_store_name(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_issuer_t *issuer = conf;

    ngx_str_t  *value;

    if (issuer->store_name.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    issuer->store_name = value[1];
    issuer->line = cf->conf_file->line;

    return NGX_CONF_OK;
}


char *
ngx_http_pki_reference(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_issuer_t *issuer = conf;

    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_http_pki_reference_t  *reference;

    value = cf->args->elts;
    reference = issuer->directories.elts;

    for (i = 0; i < issuer->directories.nelts; i++) {
        if (ngx_strcmp(reference[i].name.data, value[1].data) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "directory \"%V\" is duplicate", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    if (issuer->directories.nelts == PKI_FACTS_OBJECTS / PKI_BINDING_OBJECTS) {
        return "is one too many";
    }

    reference = ngx_array_push(&issuer->directories);
    if (reference == NULL) {
        return NGX_CONF_ERROR;
    }

    reference->name = value[1];
    reference->line = cf->conf_file->line;
    reference->directory = NULL;

    return NGX_CONF_OK;
}


char *
ngx_http_pki_reason(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_issuer_t *issuer = conf;

    int          reason;
    ngx_str_t   *value;
    ngx_uint_t   i, n;

    static const char  *names[] = { "deleted", "retired", "endpoint" };

    value = cf->args->elts;

    for (n = 1; n + 1 < cf->args->nelts; n += 2) {

        for (i = 0; i < 3; i++) {
            if (ngx_strcmp(value[n].data, names[i]) == 0) {
                break;
            }
        }

        if (i == 3) {
            break;
        }

        /* a hold can be undone, which these causes cannot */

        for (reason = PKI_REASON_KEY_COMPROMISE;
             reason <= PKI_REASON_AA_COMPROMISE;
             reason++)
        {
            if (pki_reason_valid(reason)
                && reason != PKI_REASON_CERTIFICATE_HOLD
                && reason != PKI_REASON_REMOVE_FROM_CRL
                && ngx_strcasecmp(value[n + 1].data,
                                  (u_char *) pki_reason_name(reason))
                   == 0)
            {
                break;
            }
        }

        if (reason > PKI_REASON_AA_COMPROMISE) {
            n++;
            break;
        }

        issuer->policy.reasons[i] = (u_char) reason;
    }

    if (n != cf->args->nelts) {
        n = ngx_min(n, cf->args->nelts - 1);
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"reason\"",
                           &value[n]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * The blocks pki_store and pki_issuer.
 *
 * A block is parsed by nginx with our own bit as its context and the noun
 * in place of the module's main configuration, so the rows of the table in
 * ngx_http_pki_conf.c fill it by the ordinary slots.  What it needs from
 * files is read on its line; what must agree is checked at its end.
 */

#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_REDIS_PORT    6379

/* a year: longer than any certificate of a responder should live */
#define NGX_HTTP_PKI_VALIDITY_MAX  (366 * 24 * 3600)

/* an issuer's name and ten numbers, then a name and two per directory */

#define NGX_HTTP_PKI_SHAPE_SIZE                                               \
    ((1 + PKI_FACTS_OBJECTS) * (PKI_NAME_MAX + 10 * (NGX_INT64_LEN + 1)))


static char *ngx_http_pki_store_check(ngx_conf_t *cf,
    ngx_http_pki_store_t *store);
static char *ngx_http_pki_store_tls(ngx_conf_t *cf,
    ngx_http_pki_store_t *store);
static char *ngx_http_pki_issuer_check(ngx_conf_t *cf,
    ngx_http_pki_issuer_t *issuer);
static char *ngx_http_pki_issuer_signer(ngx_conf_t *cf,
    ngx_http_pki_issuer_t *issuer);
static ngx_int_t ngx_http_pki_issuer_identity(ngx_http_pki_issuer_t *issuer);
static void ngx_http_pki_issuer_cleanup(void *data);
static char *ngx_http_pki_block(ngx_conf_t *cf, ngx_uint_t type, void *noun);
static ngx_int_t ngx_http_pki_block_name(ngx_conf_t *cf, ngx_str_t *name);
static ngx_int_t ngx_http_pki_time_arg(ngx_str_t *arg, const char *prefix,
    time_t *value);
static time_t ngx_http_pki_life(ngx_str_t *s);


/* which objects a directory of this dialect knows */

static struct {
    ngx_str_t   dialect;
    ngx_uint_t  classes;
} ngx_http_pki_dialects[] = {
    { ngx_string("entra"), 1 << PKI_OBJECT_DEVICE | 1 << PKI_OBJECT_USER },
    { ngx_string("intune"), 1 << PKI_OBJECT_DEVICE },
    { ngx_string("jamf"), 1 << PKI_OBJECT_JAMF_COMPUTER
                          | 1 << PKI_OBJECT_JAMF_DEVICE
                          | 1 << PKI_OBJECT_JAMF_USER },
    { ngx_null_string, 0 }
};


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
    issuer->archive_cutoff = NGX_CONF_UNSET;

    if (ngx_array_init(&issuer->directories, cf->pool, 2,
                       sizeof(ngx_http_pki_directory_t))
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
    ngx_conf_init_value(issuer->archive_cutoff, 0);

    policy = &issuer->policy;
    policy->good = policy->good ? policy->good : 600;
    policy->hold = policy->hold ? policy->hold : 300;
    policy->revoked = policy->revoked ? policy->revoked : 7 * 24 * 3600;
    policy->by_serial = issuer->unknown ? 1 : 0;
    policy->extended_revoke = issuer->extended_revoke ? 1 : 0;

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

    if (ngx_http_pki_issuer_signer(cf, issuer) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_pki_issuer_identity(issuer) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_issuer \"%V\": no digest", &issuer->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
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

static ngx_int_t
ngx_http_pki_issuer_identity(ngx_http_pki_issuer_t *issuer)
{
    int                        ok;
    u_char                    *p;
    u_char                     text[NGX_HTTP_PKI_SHAPE_SIZE];
    EVP_MD_CTX                *md;
    ngx_uint_t                 i;
    ngx_http_pki_directory_t  *directory;

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

    p = ngx_sprintf(text, "%V %ui %d %T %T %T %ui %i %T",
                    &issuer->name, issuer->responder,
                    (int) issuer->responder_key, issuer->policy.good,
                    issuer->policy.hold, issuer->policy.revoked,
                    issuer->unknown, issuer->extended_revoke,
                    issuer->archive_cutoff);

    directory = issuer->directories.elts;

    for (i = 0; i < issuer->directories.nelts; i++) {
        p = ngx_sprintf(p, " %V %ui %T", &directory[i].name,
                        directory[i].classes, directory[i].max_age);
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


static char *
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


static ngx_int_t
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
ngx_http_pki_directory(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_issuer_t *issuer = conf;

    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_http_pki_directory_t  *directory;

    value = cf->args->elts;

    if (ngx_http_pki_block_name(cf, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    directory = issuer->directories.elts;

    for (i = 0; i < issuer->directories.nelts; i++) {
        if (ngx_strcmp(directory[i].name.data, value[1].data) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "directory \"%V\" is duplicate", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    if (issuer->directories.nelts == PKI_FACTS_OBJECTS / PKI_BINDING_OBJECTS) {
        return "is one too many";
    }

    directory = ngx_array_push(&issuer->directories);
    if (directory == NULL) {
        return NGX_CONF_ERROR;
    }

    directory->name = value[1];
    directory->classes = 0;
    directory->max_age = 0;

    for (i = 0; ngx_http_pki_dialects[i].dialect.len; i++) {
        if (ngx_strcmp(ngx_http_pki_dialects[i].dialect.data, value[2].data)
            == 0)
        {
            directory->classes = ngx_http_pki_dialects[i].classes;
        }
    }

    if (directory->classes == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"directory\", it must be "
                           "\"entra\", \"intune\" or \"jamf\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 4
        && ngx_http_pki_time_arg(&value[3], "max_age=", &directory->max_age)
           != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"directory\"",
                           &value[3]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
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

static time_t
ngx_http_pki_life(ngx_str_t *s)
{
    time_t  sec;

    sec = ngx_parse_time(s, 1);

    return (sec > 0 && sec <= NGX_HTTP_PKI_VALIDITY_MAX) ? sec : NGX_ERROR;
}

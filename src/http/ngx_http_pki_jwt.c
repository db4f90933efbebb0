
/*
 * The block pki_jwt, and its key set in a process.
 *
 * Keys of a file are read with the configuration.  Those of a URL are
 * fetched by worker 0's thread and lie, as text, in a zone of shared memory
 * of their own, which a reload keeps.  The writer makes the generation odd
 * while it writes; readers take no lock, copy, and look whether it is still
 * the same.  Each worker parses a text once.
 */

#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_JWT_SKEW_MAX  600      /* seconds: a clock that is worse
                                               should be set */
#define NGX_HTTP_PKI_JWT_CONNECT   10000    /* milliseconds */
#define NGX_HTTP_PKI_JWT_TOTAL     30000
#define NGX_HTTP_PKI_JWT_STALL     10000
#define NGX_HTTP_PKI_JWT_PAGES     16       /* of the zone's own, with room */


struct ngx_http_pki_jwt_sh_s {
    ngx_atomic_t    generation;     /* 0: no text yet; odd: it is written */
    ngx_atomic_t    wanted;         /* 1: a token had another key */
    size_t          len;
    u_char          text[PKI_TOKEN_KEYS_MAX];
};


static ngx_int_t ngx_http_pki_jwt_defaults(ngx_conf_t *cf,
    ngx_http_pki_jwt_t *jwt);
static char *ngx_http_pki_jwt_check_block(ngx_conf_t *cf,
    ngx_http_pki_jwt_t *jwt);
static ngx_int_t ngx_http_pki_jwt_rules(ngx_conf_t *cf,
    ngx_http_pki_jwt_t *jwt);
static char *ngx_http_pki_jwt_url(ngx_conf_t *cf, ngx_http_pki_jwt_t *jwt);
static ngx_int_t ngx_http_pki_jwt_zone(ngx_conf_t *cf,
    ngx_http_pki_jwt_t *jwt);
static ngx_int_t ngx_http_pki_jwt_zone_init(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_http_pki_jwt_add_role(ngx_conf_t *cf,
    ngx_http_pki_jwt_t *jwt, ngx_str_t *value, ngx_str_t *roles,
    ngx_str_t *issuers);
static ngx_int_t ngx_http_pki_jwt_update(ngx_http_pki_jwt_t *jwt,
    ngx_log_t *log);
static void ngx_http_pki_jwt_cleanup(void *data);


/* what SCEPman's clients are given */

static struct {
    ngx_str_t    value;
    ngx_str_t    roles;
} ngx_http_pki_jwt_scepman[] = {
    { ngx_string("Manage.All"), ngx_string("manage") },
    { ngx_string("CSR.Request"), ngx_string("enroll") },
    { ngx_string("CSR.Request.Db"), ngx_string("enroll") },
    { ngx_string("CSR.SelfService"), ngx_string("self-service") },
    { ngx_null_string, ngx_null_string }
};


char *
ngx_http_pki_jwt_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_main_conf_t *mcf = conf;

    char                 *rv;
    ngx_str_t            *value;
    ngx_uint_t            i;
    ngx_http_pki_jwt_t   *jwt, **jwts;
    ngx_pool_cleanup_t   *cln;

    value = cf->args->elts;

    if (ngx_http_pki_block_name(cf, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    jwts = mcf->jwts.elts;

    for (i = 0; i < mcf->jwts.nelts; i++) {
        if (ngx_strcmp(jwts[i]->name.data, value[1].data) == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "pki_jwt \"%V\" is duplicate", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    jwt = ngx_pcalloc(cf->pool, sizeof(ngx_http_pki_jwt_t));
    jwts = ngx_array_push(&mcf->jwts);
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (jwt == NULL || jwts == NULL || cln == NULL) {
        return NGX_CONF_ERROR;
    }

    *jwts = jwt;

    cln->handler = ngx_http_pki_jwt_cleanup;
    cln->data = jwt;

    jwt->name = value[1];
    jwt->plain_http = NGX_CONF_UNSET;
    jwt->skew = NGX_CONF_UNSET;
    jwt->refresh = NGX_CONF_UNSET;
    jwt->pause = NGX_CONF_UNSET;

    if (ngx_array_init(&jwt->issuers, cf->pool, 2, sizeof(ngx_str_t))
        != NGX_OK
        || ngx_array_init(&jwt->audiences, cf->pool, 2, sizeof(ngx_str_t))
           != NGX_OK
        || ngx_array_init(&jwt->roles, cf->pool, 4,
                          sizeof(ngx_http_pki_jwt_role_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_pki_block(cf, NGX_HTTP_PKI_JWT_CONF, jwt);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (ngx_http_pki_jwt_defaults(cf, jwt) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_pki_jwt_check_block(cf, jwt);
}


static ngx_int_t
ngx_http_pki_jwt_defaults(ngx_conf_t *cf, ngx_http_pki_jwt_t *jwt)
{
    ngx_uint_t  i;

    ngx_conf_init_value(jwt->plain_http, 0);
    ngx_conf_init_value(jwt->skew, 60);
    ngx_conf_init_value(jwt->refresh, 3600);
    ngx_conf_init_value(jwt->pause, 60);

    if (jwt->roles_claim.len == 0) {
        ngx_str_set(&jwt->roles_claim, "roles");
    }

    if (jwt->roles.nelts) {
        return NGX_OK;
    }

    for (i = 0; ngx_http_pki_jwt_scepman[i].value.len; i++) {
        if (ngx_http_pki_jwt_add_role(cf, jwt,
                                      &ngx_http_pki_jwt_scepman[i].value,
                                      &ngx_http_pki_jwt_scepman[i].roles,
                                      NULL)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static char *
ngx_http_pki_jwt_check_block(ngx_conf_t *cf, ngx_http_pki_jwt_t *jwt)
{
    const char  *missing;

    missing = jwt->issuers.nelts == 0 ? "issuer"
              : jwt->audiences.nelts == 0 ? "audience"
              : jwt->url.len == 0 && jwt->path.len == 0 ? "keys" : NULL;

    if (missing) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_jwt \"%V\": \"%s\" is missing", &jwt->name,
                           missing);
        return NGX_CONF_ERROR;
    }

    if (jwt->skew > NGX_HTTP_PKI_JWT_SKEW_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_jwt \"%V\": \"skew\" must be at most %d "
                           "seconds", &jwt->name, NGX_HTTP_PKI_JWT_SKEW_MAX);
        return NGX_CONF_ERROR;
    }

    if (jwt->refresh == 0 || jwt->pause == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_jwt \"%V\": \"%s\" must not be 0",
                           &jwt->name, jwt->refresh ? "pause" : "refresh");
        return NGX_CONF_ERROR;
    }

    if (ngx_http_pki_jwt_rules(cf, jwt) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (jwt->url.len) {
        return ngx_http_pki_jwt_url(cf, jwt);
    }

    if (jwt->ca_file.len || jwt->proxy.len || jwt->plain_http) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_jwt \"%V\": \"%s\" is for keys of a URL",
                           &jwt->name,
                           jwt->ca_file.len ? "ca_file"
                           : jwt->proxy.len ? "proxy" : "plain_http");
        return NGX_CONF_ERROR;
    }

    jwt->set = ngx_http_pki_read_key_set(cf, &jwt->path);

    return jwt->set ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* strings of the configuration are terminated */

static ngx_int_t
ngx_http_pki_jwt_rules(ngx_conf_t *cf, ngx_http_pki_jwt_t *jwt)
{
    ngx_str_t                 *value;
    ngx_uint_t                 i;
    const char               **roles;
    ngx_http_pki_jwt_role_t   *role;

    value = jwt->issuers.elts;

    for (i = 0; i < jwt->issuers.nelts; i++) {
        jwt->rules.issuers[i] = (char *) value[i].data;
    }

    value = jwt->audiences.elts;

    for (i = 0; i < jwt->audiences.nelts; i++) {
        jwt->rules.audiences[i] = (char *) value[i].data;
    }

    roles = ngx_palloc(cf->pool, jwt->roles.nelts * sizeof(char *));
    if (roles == NULL) {
        return NGX_ERROR;
    }

    role = jwt->roles.elts;

    for (i = 0; i < jwt->roles.nelts; i++) {
        roles[i] = (char *) role[i].value.data;
    }

    jwt->rules.roles_claim = (char *) jwt->roles_claim.data;
    jwt->rules.roles = roles;
    jwt->rules.nroles = (unsigned) jwt->roles.nelts;
    jwt->rules.skew = jwt->skew;

    return NGX_OK;
}


static char *
ngx_http_pki_jwt_url(ngx_conf_t *cf, ngx_http_pki_jwt_t *jwt)
{
    pki_clerk_keys_t  *keys;

    if (!pki_fetch_allowed((char *) jwt->url.data, NULL,
                           (int) jwt->plain_http))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_jwt \"%V\": \"keys\" must be https, or, with "
                           "\"plain_http on\", http to a loopback address",
                           &jwt->name);
        return NGX_CONF_ERROR;
    }

    if (jwt->ca_file.len
        && ngx_conf_full_name(cf->cycle, &jwt->ca_file, 1) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    keys = &jwt->keys;

    keys->name = (char *) jwt->name.data;
    keys->url = (char *) jwt->url.data;
    keys->refresh = (long) jwt->refresh;
    keys->pause = (long) jwt->pause;

    keys->fetch.ca_file = jwt->ca_file.len ? (char *) jwt->ca_file.data : NULL;
    keys->fetch.proxy = jwt->proxy.len ? (char *) jwt->proxy.data : NULL;
    keys->fetch.plain = jwt->plain_http ? 1 : 0;
    keys->fetch.connect = NGX_HTTP_PKI_JWT_CONNECT;
    keys->fetch.total = NGX_HTTP_PKI_JWT_TOTAL;
    keys->fetch.stall = NGX_HTTP_PKI_JWT_STALL;
    keys->fetch.max = PKI_TOKEN_KEYS_MAX;

    return ngx_http_pki_jwt_zone(cf, jwt) == NGX_OK ? NGX_CONF_OK
                                                    : NGX_CONF_ERROR;
}


/* by name and URL: keys of another URL are another's */

static ngx_int_t
ngx_http_pki_jwt_zone(ngx_conf_t *cf, ngx_http_pki_jwt_t *jwt)
{
    size_t     size;
    u_char     hash[PKI_FINGERPRINT_LEN], *p;
    ngx_str_t  name;

    if (EVP_Digest(jwt->url.data, jwt->url.len, hash, NULL, EVP_sha256(),
                   NULL)
        != 1)
    {
        return NGX_ERROR;
    }

    name.len = sizeof("ngx_http_pki_jwt::") - 1 + jwt->name.len + 16;
    name.data = ngx_pnalloc(cf->pool, name.len + 1);

    if (name.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(name.data, "ngx_http_pki_jwt:%V:", &jwt->name);
    p = ngx_hex_dump(p, hash, 8);
    *p = '\0';

    size = ngx_align(sizeof(ngx_http_pki_jwt_sh_t), ngx_pagesize)
           + NGX_HTTP_PKI_JWT_PAGES * ngx_pagesize;

    jwt->shm_zone = ngx_shared_memory_add(cf, &name, size,
                                          &ngx_http_pki_module);
    if (jwt->shm_zone == NULL) {
        return NGX_ERROR;
    }

    jwt->shm_zone->init = ngx_http_pki_jwt_zone_init;
    jwt->shm_zone->data = jwt;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_jwt_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_pki_jwt_t *old = data;

    ngx_slab_pool_t     *shpool;
    ngx_http_pki_jwt_t  *jwt;

    jwt = shm_zone->data;

    if (old) {
        jwt->sh = old->sh;
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    jwt->sh = ngx_slab_calloc(shpool, sizeof(ngx_http_pki_jwt_sh_t));

    return jwt->sh ? NGX_OK : NGX_ERROR;
}


/* directives; cmd->offset says which array */

char *
ngx_http_pki_jwt_values(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char *p = conf;

    ngx_str_t    *value, *s;
    ngx_uint_t    i;
    ngx_array_t  *a;

    a = (ngx_array_t *) (p + cmd->offset);
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (a->nelts == PKI_TOKEN_LIST) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "more than %d values of \"%V\"",
                               PKI_TOKEN_LIST, &cmd->name);
            return NGX_CONF_ERROR;
        }

        if (value[i].len == 0) {
            return "has an empty value";
        }

        s = ngx_array_push(a);
        if (s == NULL) {
            return NGX_CONF_ERROR;
        }

        *s = value[i];
    }

    return NGX_CONF_OK;
}


char *
ngx_http_pki_jwt_keys(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_jwt_t *jwt = conf;

    ngx_str_t  *value;

    if (jwt->url.len || jwt->path.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2) {
        jwt->url = value[1];
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "file") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"keys\", it must be a "
                           "URL, or \"file\" and a path", &value[1]);
        return NGX_CONF_ERROR;
    }

    jwt->path = value[2];

    return NGX_CONF_OK;
}


char *
ngx_http_pki_jwt_role(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_jwt_t *jwt = conf;

    ngx_str_t   *value, issuers;

    value = cf->args->elts;

    ngx_str_null(&issuers);

    if (cf->args->nelts == 4) {

        if (ngx_strncmp(value[3].data, "issuers=", 8) != 0
            || value[3].len == 8)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"role\", it "
                               "must be \"issuers=NAME,...\"", &value[3]);
            return NGX_CONF_ERROR;
        }

        issuers.data = value[3].data + 8;
        issuers.len = value[3].len - 8;
    }

    return ngx_http_pki_jwt_add_role(cf, jwt, &value[1], &value[2],
                                     issuers.len ? &issuers : NULL)
           == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_pki_jwt_add_role(ngx_conf_t *cf, ngx_http_pki_jwt_t *jwt,
    ngx_str_t *value, ngx_str_t *roles, ngx_str_t *issuers)
{
    ngx_http_pki_jwt_role_t  *role;

    if (jwt->roles.nelts == PKI_TOKEN_ROLES) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "more than %d lines of \"role\"", PKI_TOKEN_ROLES);
        return NGX_ERROR;
    }

    role = ngx_array_push(&jwt->roles);
    if (role == NULL) {
        return NGX_ERROR;
    }

    role->value = *value;
    role->grant.issuers = NULL;

    if (ngx_http_pki_role_read(roles->data, roles->len, &role->grant.roles)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid roles \"%V\" in \"role\", they must be "
                           "of \"read\", \"manage\", \"enroll\", "
                           "\"self-service\" and \"admin\", with commas",
                           roles);
        return NGX_ERROR;
    }

    if (issuers == NULL) {
        return NGX_OK;
    }

    role->grant.issuers = ngx_http_pki_role_issuers(cf->pool, issuers->data,
                                                    issuers->len);

    return role->grant.issuers ? NGX_OK : NGX_ERROR;
}


/* at run time */

ngx_int_t
ngx_http_pki_jwt_check(ngx_http_pki_jwt_t *jwt, ngx_str_t *token,
    pki_token_claims_t *claims, pki_err_t *err, ngx_log_t *log)
{
    pki_bytes_t  text;

    if (jwt->sh && ngx_http_pki_jwt_update(jwt, log) != NGX_OK) {
        return NGX_ERROR;
    }

    text.data = token->data;
    text.len = token->len;

    jwt->rules.now = ngx_time();

    switch (pki_token_check(text, jwt->set, &jwt->rules, claims, err)) {

    case PKI_OK:
        return NGX_OK;

    case PKI_INVALID:
        return NGX_DECLINED;

    case PKI_NOT_FOUND:

        if (jwt->sh) {
            jwt->sh->wanted = 1;
        }

        return jwt->set ? NGX_AGAIN : NGX_BUSY;

    default: /* PKI_ERROR */
        ngx_log_error(NGX_LOG_CRIT, log, 0, "pki_jwt \"%V\": %s", &jwt->name,
                      err->text);
        return NGX_ERROR;
    }
}


/* a text that changes under the reader is read at the next token */

static ngx_int_t
ngx_http_pki_jwt_update(ngx_http_pki_jwt_t *jwt, ngx_log_t *log)
{
    size_t                  len;
    u_char                 *text;
    pki_rc_t                rc;
    pki_err_t               err;
    pki_bytes_t             bytes;
    pki_token_keys_t       *set;
    ngx_atomic_uint_t       generation;
    ngx_http_pki_jwt_sh_t  *sh;

    sh = jwt->sh;
    generation = sh->generation;

    if (generation == jwt->generation || (generation & 1)) {
        return NGX_OK;
    }

    ngx_memory_barrier();

    len = ngx_min(sh->len, PKI_TOKEN_KEYS_MAX);

    text = ngx_alloc(len + 1, log);
    if (text == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(text, sh->text, len);

    ngx_memory_barrier();

    if (sh->generation != generation) {
        ngx_free(text);
        return NGX_OK;
    }

    bytes.data = text;
    bytes.len = len;

    rc = pki_token_keys_read(bytes, &set, &err);

    ngx_free(text);

    if (rc == PKI_ERROR) {
        ngx_log_error(NGX_LOG_CRIT, log, 0, "pki_jwt \"%V\": %s", &jwt->name,
                      err.text);
        return NGX_ERROR;
    }

    jwt->generation = generation;

    if (rc != PKI_OK) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "pki_jwt \"%V\": %s", &jwt->name,
                      err.text);
        return NGX_OK;
    }

    pki_token_keys_free(jwt->set);
    jwt->set = set;

    return NGX_OK;
}


/*
 * The lock is for two writers, as in a reload.  A writer that was killed has
 * left the generation odd, and the next one makes it even again.
 */

void
ngx_http_pki_jwt_put(ngx_http_pki_jwt_t *jwt, u_char *text, size_t len)
{
    ngx_slab_pool_t        *shpool;
    ngx_http_pki_jwt_sh_t  *sh;

    if (jwt->sh == NULL || len > PKI_TOKEN_KEYS_MAX) {
        return;
    }

    sh = jwt->sh;
    shpool = (ngx_slab_pool_t *) jwt->shm_zone->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);

    if ((sh->generation & 1) || sh->len != len
        || ngx_memcmp(sh->text, text, len) != 0)
    {
        sh->generation |= 1;

        ngx_memory_barrier();

        ngx_memcpy(sh->text, text, len);
        sh->len = len;

        ngx_memory_barrier();

        sh->generation++;
    }

    ngx_shmtx_unlock(&shpool->mutex);
}


ngx_uint_t
ngx_http_pki_jwt_wanted(ngx_http_pki_jwt_t *jwt)
{
    return jwt->sh && ngx_atomic_cmp_set(&jwt->sh->wanted, 1, 0);
}


static void
ngx_http_pki_jwt_cleanup(void *data)
{
    ngx_http_pki_jwt_t *jwt = data;

    pki_token_keys_free(jwt->set);
    jwt->set = NULL;
}

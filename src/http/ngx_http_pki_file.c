
/*
 * Certificates, keys and secrets out of files.
 *
 * All is read while the configuration is, as the master's user, since a
 * worker may not be able to.  Keys may also come from an OpenSSL engine
 * ("engine:name:id") or any store loader ("store:uri"), in the words of
 * ssl_certificate_key.  Secrets are wiped from the buffers they pass.
 */

/* engines are deprecated by OpenSSL 3, yet what HSMs are deployed with */

#define OPENSSL_SUPPRESS_DEPRECATED

#include "ngx_http_pki_module.h"

#include <openssl/store.h>

#ifndef OPENSSL_NO_ENGINE
#include <openssl/engine.h>
#endif


/* a chain in PEM, a token per employee: all are far smaller */

#define NGX_HTTP_PKI_FILE_MAX    (1024 * 1024)


typedef struct {
    u_char      *data;
    size_t       len;
} ngx_http_pki_buf_t;


static ngx_int_t ngx_http_pki_read_file(ngx_conf_t *cf, ngx_str_t *path,
    ngx_http_pki_buf_t *b);
static void ngx_http_pki_wipe(ngx_http_pki_buf_t *b);
static EVP_PKEY *ngx_http_pki_pem_key(ngx_conf_t *cf, ngx_str_t *path);
static EVP_PKEY *ngx_http_pki_engine_key(ngx_conf_t *cf, ngx_str_t *name);
static EVP_PKEY *ngx_http_pki_store_key(ngx_conf_t *cf, ngx_str_t *name);
static int ngx_http_pki_no_password(char *buf, int size, int rwflag,
    void *data);
static ngx_int_t ngx_http_pki_token(ngx_conf_t *cf, ngx_str_t *path,
    ngx_uint_t line, u_char *p, u_char *last, ngx_array_t *tokens);
static ngx_int_t ngx_http_pki_token_issuers(ngx_conf_t *cf,
    ngx_http_pki_token_t *token, u_char *p, size_t len);
static ngx_int_t ngx_http_pki_challenge(ngx_conf_t *cf, ngx_str_t *path,
    ngx_uint_t line, u_char *p, u_char *last, ngx_array_t *challenges);
static u_char *ngx_http_pki_word(u_char **p, u_char *last, size_t *len);
static void ngx_http_pki_cert_cleanup(void *data);
static void ngx_http_pki_key_cleanup(void *data);
static void ngx_http_pki_serial_keys_cleanup(void *data);
static void ngx_http_pki_secret_cleanup(void *data);


X509 *
ngx_http_pki_read_cert(ngx_conf_t *cf, ngx_str_t *path)
{
    BIO                 *bio;
    X509                *cert;
    ngx_pool_cleanup_t  *cln;
    ngx_http_pki_buf_t   b;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK
        || ngx_http_pki_read_file(cf, path, &b) != NGX_OK)
    {
        return NULL;
    }

    cert = NULL;
    bio = BIO_new_mem_buf(b.data, b.len);

    if (bio) {
        cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    }

    BIO_free(bio);
    ngx_http_pki_wipe(&b);

    if (cert == NULL) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "cannot read a PEM certificate from \"%V\" in %V:%ui",
                      path, &cf->conf_file->file.name, cf->conf_file->line);
        return NULL;
    }

    cln->handler = ngx_http_pki_cert_cleanup;
    cln->data = cert;

    return cert;
}


EVP_PKEY *
ngx_http_pki_read_key(ngx_conf_t *cf, ngx_str_t *name)
{
    EVP_PKEY            *key;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    if (ngx_strncmp(name->data, "engine:", 7) == 0) {
        key = ngx_http_pki_engine_key(cf, name);

    } else if (ngx_strncmp(name->data, "store:", 6) == 0) {
        key = ngx_http_pki_store_key(cf, name);

    } else {
        key = ngx_http_pki_pem_key(cf, name);
    }

    if (key) {
        cln->handler = ngx_http_pki_key_cleanup;
        cln->data = key;
    }

    return key;
}


/* the first line of the file, without its end, terminated */

ngx_int_t
ngx_http_pki_read_secret(ngx_conf_t *cf, ngx_str_t *path, ngx_str_t *secret)
{
    u_char              *p;
    size_t               len;
    ngx_pool_cleanup_t  *cln;
    ngx_http_pki_buf_t   b;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK
        || ngx_http_pki_read_file(cf, path, &b) != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = ngx_strlchr(b.data, b.data + b.len, LF);
    len = p ? (size_t) (p - b.data) : b.len;

    if (len && b.data[len - 1] == CR) {
        len--;
    }

    if (len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no secret in the first line of \"%V\"", path);
        ngx_http_pki_wipe(&b);
        return NGX_ERROR;
    }

    secret->data = ngx_pnalloc(cf->pool, len + 1);
    if (secret->data == NULL) {
        ngx_http_pki_wipe(&b);
        return NGX_ERROR;
    }

    ngx_memcpy(secret->data, b.data, len);
    secret->data[len] = '\0';
    secret->len = len;

    ngx_http_pki_wipe(&b);

    cln->handler = ngx_http_pki_secret_cleanup;
    cln->data = secret;

    return NGX_OK;
}


pki_serial_keys_t *
ngx_http_pki_read_serial_keys(ngx_conf_t *cf, ngx_str_t *path)
{
    pki_rc_t             rc;
    pki_err_t            err;
    pki_serial_keys_t   *keys;
    ngx_pool_cleanup_t  *cln;
    ngx_http_pki_buf_t   b;

    keys = ngx_pcalloc(cf->pool, sizeof(pki_serial_keys_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (keys == NULL || cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_pki_serial_keys_cleanup;
    cln->data = keys;

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK
        || ngx_http_pki_read_file(cf, path, &b) != NGX_OK)
    {
        return NULL;
    }

    rc = pki_serial_keys_read((char *) b.data, b.len, keys, &err);

    ngx_http_pki_wipe(&b);

    if (rc != PKI_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s of \"%V\"", err.text,
                           path);
        return NULL;
    }

    return keys;
}


ngx_array_t *
ngx_http_pki_read_tokens(ngx_conf_t *cf, ngx_str_t *path)
{
    u_char              *p, *last, *end;
    ngx_int_t            rc;
    ngx_uint_t           line;
    ngx_array_t         *tokens;
    ngx_http_pki_buf_t   b;

    tokens = ngx_array_create(cf->pool, 4, sizeof(ngx_http_pki_token_t));
    if (tokens == NULL) {
        return NULL;
    }

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK
        || ngx_http_pki_read_file(cf, path, &b) != NGX_OK)
    {
        return NULL;
    }

    rc = NGX_OK;
    last = b.data + b.len;

    for (p = b.data, line = 1; p < last && rc == NGX_OK; p = end + 1, line++) {
        end = ngx_strlchr(p, last, LF);
        if (end == NULL) {
            end = last;
        }

        rc = ngx_http_pki_token(cf, path, line, p, end, tokens);
    }

    ngx_http_pki_wipe(&b);

    if (rc != NGX_OK) {
        return NULL;
    }

    if (tokens->nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "no tokens in \"%V\"", path);
        return NULL;
    }

    return tokens;
}


/* one in a line, as it is; but for those that '#' begins */

ngx_array_t *
ngx_http_pki_read_challenges(ngx_conf_t *cf, ngx_str_t *path)
{
    u_char              *p, *last, *end;
    ngx_int_t            rc;
    ngx_uint_t           line;
    ngx_array_t         *challenges;
    ngx_http_pki_buf_t   b;

    challenges = ngx_array_create(cf->pool, 1,
                                  sizeof(ngx_http_pki_challenge_t));
    if (challenges == NULL) {
        return NULL;
    }

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK
        || ngx_http_pki_read_file(cf, path, &b) != NGX_OK)
    {
        return NULL;
    }

    rc = NGX_OK;
    last = b.data + b.len;

    for (p = b.data, line = 1; p < last && rc == NGX_OK; p = end + 1, line++) {
        end = ngx_strlchr(p, last, LF);
        if (end == NULL) {
            end = last;
        }

        rc = ngx_http_pki_challenge(cf, path, line, p, end, challenges);
    }

    ngx_http_pki_wipe(&b);

    if (rc != NGX_OK) {
        return NULL;
    }

    if (challenges->nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "no challenges in \"%V\"",
                           path);
        return NULL;
    }

    return challenges;
}


static ngx_int_t
ngx_http_pki_challenge(ngx_conf_t *cf, ngx_str_t *path, ngx_uint_t line,
    u_char *p, u_char *last, ngx_array_t *challenges)
{
    ngx_http_pki_challenge_t  *challenge;

    if (p < last && last[-1] == CR) {
        last--;
    }

    if (p == last || *p == '#') {
        return NGX_OK;
    }

    if (last - p > PKI_CSR_CHALLENGE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "a challenge of more than %d octets in \"%V\", "
                           "line %ui", PKI_CSR_CHALLENGE_MAX, path, line);
        return NGX_ERROR;
    }

    challenge = ngx_array_push(challenges);
    if (challenge == NULL) {
        return NGX_ERROR;
    }

    if (EVP_Digest(p, last - p, challenge->hash, NULL, EVP_sha256(), NULL)
        != 1)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0, "EVP_Digest() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the caller frees it, by pki_token_keys_free() */

pki_token_keys_t *
ngx_http_pki_read_key_set(ngx_conf_t *cf, ngx_str_t *path)
{
    pki_rc_t             rc;
    pki_err_t            err;
    pki_bytes_t          text;
    pki_token_keys_t    *keys;
    ngx_http_pki_buf_t   b;

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK
        || ngx_http_pki_read_file(cf, path, &b) != NGX_OK)
    {
        return NULL;
    }

    text.data = b.data;
    text.len = b.len;

    rc = pki_token_keys_read(text, &keys, &err);

    ngx_http_pki_wipe(&b);

    if (rc != PKI_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s", path,
                           err.text);
        return NULL;
    }

    return keys;
}


static ngx_int_t
ngx_http_pki_read_file(ngx_conf_t *cf, ngx_str_t *path, ngx_http_pki_buf_t *b)
{
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_file_info_t  fi;

    b->data = NULL;

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", path);
        return NGX_ERROR;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", path);
        goto failed;
    }

    if (!ngx_is_file(&fi) || ngx_file_size(&fi) > NGX_HTTP_PKI_FILE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is not a file of at most %d bytes", path,
                           NGX_HTTP_PKI_FILE_MAX);
        goto failed;
    }

    b->len = (size_t) ngx_file_size(&fi);

    b->data = ngx_alloc(b->len + 1, cf->log);
    if (b->data == NULL) {
        goto failed;
    }

    n = ngx_read_fd(fd, b->data, b->len);

    if (n != (ssize_t) b->len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, n == -1 ? ngx_errno : 0,
                           ngx_read_fd_n " \"%V\" failed", path);
        goto failed;
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", path);
    }

    return NGX_OK;

failed:

    ngx_http_pki_wipe(b);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", path);
    }

    return NGX_ERROR;
}


static void
ngx_http_pki_wipe(ngx_http_pki_buf_t *b)
{
    if (b->data) {
        ngx_explicit_memzero(b->data, b->len);
        ngx_free(b->data);
        b->data = NULL;
    }
}


static EVP_PKEY *
ngx_http_pki_pem_key(ngx_conf_t *cf, ngx_str_t *path)
{
    BIO                 *bio;
    EVP_PKEY            *key;
    ngx_http_pki_buf_t   b;

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK
        || ngx_http_pki_read_file(cf, path, &b) != NGX_OK)
    {
        return NULL;
    }

    key = NULL;
    bio = BIO_new_mem_buf(b.data, b.len);

    if (bio) {
        key = PEM_read_bio_PrivateKey(bio, NULL, ngx_http_pki_no_password,
                                      NULL);
    }

    BIO_free(bio);
    ngx_http_pki_wipe(&b);

    if (key == NULL) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "cannot read a PEM private key from \"%V\" in %V:%ui",
                      path, &cf->conf_file->file.name, cf->conf_file->line);
    }

    return key;
}


static EVP_PKEY *
ngx_http_pki_engine_key(ngx_conf_t *cf, ngx_str_t *name)
{
#ifndef OPENSSL_NO_ENGINE

    u_char    *p, *last;
    ENGINE    *engine;
    EVP_PKEY  *key;

    p = name->data + sizeof("engine:") - 1;
    last = (u_char *) ngx_strchr(p, ':');

    if (last == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid key \"%V\", it must be "
                           "\"engine:name:id\"", name);
        return NULL;
    }

    *last = '\0';
    engine = ENGINE_by_id((char *) p);
    *last++ = ':';

    if (engine == NULL) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "no engine for key \"%V\" in %V:%ui", name,
                      &cf->conf_file->file.name, cf->conf_file->line);
        return NULL;
    }

    key = NULL;

    if (ENGINE_init(engine)) {
        key = ENGINE_load_private_key(engine, (char *) last, NULL, NULL);
        ENGINE_finish(engine);
    }

    ENGINE_free(engine);

    if (key == NULL) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "cannot load key \"%V\" in %V:%ui", name,
                      &cf->conf_file->file.name, cf->conf_file->line);
    }

    return key;

#else

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "key \"%V\": this OpenSSL has no engines", name);
    return NULL;

#endif
}


static EVP_PKEY *
ngx_http_pki_store_key(ngx_conf_t *cf, ngx_str_t *name)
{
    EVP_PKEY         *key;
    OSSL_STORE_CTX   *ctx;
    OSSL_STORE_INFO  *info;

    key = NULL;

    ctx = OSSL_STORE_open((char *) name->data + sizeof("store:") - 1, NULL,
                          NULL, NULL, NULL);

    if (ctx && OSSL_STORE_expect(ctx, OSSL_STORE_INFO_PKEY) == 1) {

        while (key == NULL && !OSSL_STORE_eof(ctx)) {
            info = OSSL_STORE_load(ctx);
            if (info == NULL) {
                break;
            }

            if (OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY) {
                key = OSSL_STORE_INFO_get1_PKEY(info);
            }

            OSSL_STORE_INFO_free(info);
        }
    }

    if (key == NULL) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "cannot load key \"%V\" in %V:%ui", name,
                      &cf->conf_file->file.name, cf->conf_file->line);
    }

    if (ctx) {
        OSSL_STORE_close(ctx);
    }

    ERR_clear_error();

    return key;
}


/* OpenSSL would ask on the terminal otherwise */

static int
ngx_http_pki_no_password(char *buf, int size, int rwflag, void *data)
{
    return -1;
}


/*
 * "<sha256 hex> <role>[,<role>...] <name> [issuer=<issuer>,...]", a comment
 * or an empty line
 */

static ngx_int_t
ngx_http_pki_token(ngx_conf_t *cf, ngx_str_t *path, ngx_uint_t line,
    u_char *p, u_char *last, ngx_array_t *tokens)
{
    size_t                 hlen, rlen, nlen, ilen;
    u_char                *hash, *role, *name, *issuers;
    ngx_int_t              n;
    ngx_uint_t             i;
    ngx_http_pki_token_t  *token;

    hash = ngx_http_pki_word(&p, last, &hlen);

    if (hlen == 0 || *hash == '#') {
        return NGX_OK;
    }

    role = ngx_http_pki_word(&p, last, &rlen);
    name = ngx_http_pki_word(&p, last, &nlen);
    issuers = ngx_http_pki_word(&p, last, &ilen);

    if (hlen != 2 * PKI_FINGERPRINT_LEN || nlen == 0
        || nlen > PKI_NAME_MAX)
    {
        goto invalid;
    }

    token = ngx_array_push(tokens);
    if (token == NULL) {
        return NGX_ERROR;
    }

    token->issuers = NULL;

    for (i = 0; i < PKI_FINGERPRINT_LEN; i++) {
        n = ngx_hextoi(hash + 2 * i, 2);
        if (n == NGX_ERROR) {
            goto invalid;
        }

        token->hash[i] = (u_char) n;
    }

    if (ngx_http_pki_role_read(role, rlen, &token->roles) != NGX_OK) {
        goto invalid;
    }

    if (ilen > 7 && ngx_strncmp(issuers, "issuer=", 7) == 0) {

        if (ngx_http_pki_token_issuers(cf, token, issuers + 7, ilen - 7)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

    } else if (ilen) {
        goto invalid;
    }

    token->name.data = ngx_pnalloc(cf->pool, nlen + 1);
    if (token->name.data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(token->name.data, name, nlen + 1);
    token->name.len = nlen;

    return NGX_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "line %ui of \"%V\" is not \"<sha256 of the token in "
                       "hex> <role>[,<role>...] <name of at most %d "
                       "characters> [issuer=<issuer>,...]\", with roles of "
                       "read, manage, enroll, self-service and admin",
                       line, path, PKI_NAME_MAX);

    return NGX_ERROR;
}


/* a copy, since the file's text is wiped */

static ngx_int_t
ngx_http_pki_token_issuers(ngx_conf_t *cf, ngx_http_pki_token_t *token,
    u_char *p, size_t len)
{
    u_char  *copy;

    copy = ngx_pnalloc(cf->pool, len);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(copy, p, len);

    token->issuers = ngx_http_pki_role_issuers(cf->pool, copy, len);

    return token->issuers ? NGX_OK : NGX_ERROR;
}


static u_char *
ngx_http_pki_word(u_char **p, u_char *last, size_t *len)
{
    u_char  *word;

    while (*p < last && (**p == ' ' || **p == '\t' || **p == CR)) {
        (*p)++;
    }

    word = *p;

    while (*p < last && **p != ' ' && **p != '\t' && **p != CR) {
        (*p)++;
    }

    *len = *p - word;

    return word;
}


static void
ngx_http_pki_cert_cleanup(void *data)
{
    X509_free(data);
}


static void
ngx_http_pki_key_cleanup(void *data)
{
    EVP_PKEY_free(data);
}


static void
ngx_http_pki_serial_keys_cleanup(void *data)
{
    ngx_explicit_memzero(data, sizeof(pki_serial_keys_t));
}


static void
ngx_http_pki_secret_cleanup(void *data)
{
    ngx_str_t *secret = data;

    ngx_explicit_memzero(secret->data, secret->len);
}

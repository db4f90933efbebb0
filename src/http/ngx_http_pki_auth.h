
/*
 * What the http floor has about callers: tokens, roles, key sets.
 *
 * The end of ngx_http_pki_module.h, which alone includes it.
 */

#ifndef _NGX_HTTP_PKI_AUTH_H_INCLUDED_
#define _NGX_HTTP_PKI_AUTH_H_INCLUDED_


/* ngx_http_pki_role.c: names of roles, and what they grant together */

#define NGX_HTTP_PKI_ROLE_ALL  (NGX_HTTP_PKI_ROLE_READ                        \
                                |NGX_HTTP_PKI_ROLE_MANAGE                     \
                                |NGX_HTTP_PKI_ROLE_ENROLL                     \
                                |NGX_HTTP_PKI_ROLE_SELF                       \
                                |NGX_HTTP_PKI_ROLE_ADMIN)


/* roles with what they include, and the issuers that they are for */

typedef struct {
    ngx_uint_t                roles;
    ngx_array_t              *issuers;      /* ngx_str_t; NULL: all */
} ngx_http_pki_grant_t;


/* "read,manage" to bits; NGX_ERROR: a name is not that of a role, or empty. */
ngx_int_t ngx_http_pki_role_read(u_char *p, size_t len, ngx_uint_t *roles);

/* "a,b" to ngx_str_t, which point into p.  NULL: memory. */
ngx_array_t *ngx_http_pki_role_issuers(ngx_pool_t *pool, u_char *p,
    size_t len);

/*
 * What the caller gets for a call that needs one of `needed`: of all grants,
 * those that have the first of these roles that there is.  Their issuers
 * together, but of their roles only those that all of them have, so that no
 * role comes to an issuer which it was not given for.  NGX_DECLINED: none of
 * them has any.
 */
ngx_int_t ngx_http_pki_role_choose(ngx_pool_t *pool,
    ngx_http_pki_grant_t *grants, ngx_uint_t n, ngx_uint_t needed,
    ngx_http_pki_grant_t *grant);


/* ngx_http_pki_auth_conf.c: what locations say about callers */

struct ngx_http_pki_auth_conf_s {
    ngx_str_t                 file;         /* of pki_api_jwt */
    ngx_uint_t                line;
    ngx_array_t              *names;        /* ngx_str_t; NULL: none */
    ngx_http_pki_jwt_t      **jwts;         /* in that order */
    ngx_uint_t                njwts;
    ngx_http_complex_value_t *role;         /* NULL: none */
    ngx_http_complex_value_t *caller;
    ngx_http_complex_value_t *issuers;
    ngx_flag_t                plain_http;
    ngx_array_t              *origins;      /* ngx_str_t; NULL: unset */
};


char *ngx_http_pki_auth_jwt(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_auth_role(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_auth_plain_http(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_auth_cors(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

char *ngx_http_pki_auth_merge(ngx_conf_t *cf, ngx_http_pki_loc_conf_t *prev,
    ngx_http_pki_loc_conf_t *conf);


/* ngx_http_pki_auth.c: the access phase */

/*
 * Registers the handlers: tokens early in the access phase, variables at its
 * very end, where those that others set are known; CORS before it.
 */
ngx_int_t ngx_http_pki_auth_init(ngx_conf_t *cf);

/*
 * The same for a subrequest, of SSI, mirror and others, which nginx sends
 * past the access phase; handlers begin with it.  NGX_OK, or what to return.
 */
ngx_int_t ngx_http_pki_auth_subrequest(ngx_http_request_t *r);


/* ngx_http_pki_cors.c: calls from other origins' pages */

/* The preflight, and the headers of the reply; in the preaccess phase. */
ngx_int_t ngx_http_pki_cors_handler(ngx_http_request_t *r);

/* Does a page of an origin that is neither ours nor listed ask for this? */
ngx_uint_t ngx_http_pki_cors_foreign(ngx_http_request_t *r);


/* ngx_http_pki_jwt.c: the block pki_jwt, and its key set in a process */

/* a value of the roles claim, and what it grants */

typedef struct {
    ngx_str_t                 value;        /* terminated */
    ngx_http_pki_grant_t      grant;
} ngx_http_pki_jwt_role_t;


typedef struct ngx_http_pki_jwt_sh_s  ngx_http_pki_jwt_sh_t;

struct ngx_http_pki_jwt_s {
    ngx_str_t                 name;         /* terminated */
    ngx_array_t               issuers;      /* ngx_str_t */
    ngx_array_t               audiences;    /* ngx_str_t */
    ngx_array_t               roles;        /* ngx_http_pki_jwt_role_t */
    ngx_str_t                 url;          /* of the keys; or */
    ngx_str_t                 path;         /* their file */
    ngx_str_t                 ca_file;
    ngx_str_t                 proxy;
    ngx_flag_t                plain_http;
    ngx_str_t                 roles_claim;
    time_t                    skew;
    time_t                    refresh;
    time_t                    pause;

    pki_token_rules_t         rules;
    pki_clerk_keys_t          keys;         /* url is NULL with a file */
    ngx_uint_t                clerk;        /* its index there */
    ngx_shm_zone_t           *shm_zone;     /* NULL with a file */
    ngx_http_pki_jwt_sh_t    *sh;           /* in it */

    /* of this process */
    pki_token_keys_t         *set;          /* NULL: none yet */
    ngx_atomic_uint_t         generation;   /* that was looked at last */
};


char *ngx_http_pki_jwt_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_jwt_values(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_jwt_keys(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_jwt_role(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * Checks a token.  NGX_DECLINED: refused, err says why; NGX_AGAIN: its key
 * is not in the set, which is fetched anew; NGX_BUSY: there is no set yet;
 * NGX_ERROR: memory.
 */
ngx_int_t ngx_http_pki_jwt_check(ngx_http_pki_jwt_t *jwt, ngx_str_t *token,
    pki_token_claims_t *claims, pki_err_t *err, ngx_log_t *log);

/* Worker 0: the text of another key set, for all workers. */
void ngx_http_pki_jwt_put(ngx_http_pki_jwt_t *jwt, u_char *text, size_t len);

/* Worker 0: 1, once, when any worker has missed a key since the last call. */
ngx_uint_t ngx_http_pki_jwt_wanted(ngx_http_pki_jwt_t *jwt);


#endif /* _NGX_HTTP_PKI_AUTH_H_INCLUDED_ */

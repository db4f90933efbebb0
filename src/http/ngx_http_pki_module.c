
/*
 * The module's tables and hooks.
 *
 * nginx meets the module here: the directives (ngx_http_pki_conf.c), what
 * runs when a process begins and ends (ngx_http_pki_worker.c) and the access
 * phase of the REST calls (ngx_http_pki_auth.c).  Content handlers are set
 * by the directives that ask for them.
 */

#include "ngx_http_pki_module.h"


static ngx_int_t ngx_http_pki_postconfiguration(ngx_conf_t *cf);


static ngx_http_module_t  ngx_http_pki_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_pki_postconfiguration,        /* postconfiguration */

    ngx_http_pki_create_main_conf,         /* create main configuration */
    ngx_http_pki_init_main_conf,           /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_pki_create_loc_conf,          /* create location configuration */
    ngx_http_pki_merge_loc_conf            /* merge location configuration */
};


ngx_module_t  ngx_http_pki_module = {
    NGX_MODULE_V1,
    &ngx_http_pki_module_ctx,              /* module context */
    ngx_http_pki_commands,                 /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_pki_init_module,              /* init module */
    ngx_http_pki_init_process,             /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_pki_exit_process,             /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_pki_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_pki_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pki_module);

    if (mcf->issuers.nelts == 0) {
        return NGX_OK;
    }

    return ngx_http_pki_auth_init(cf);
}

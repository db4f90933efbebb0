
/*
 * What the http floor has about directories: the end of
 * ngx_http_pki_module.h, which alone includes it.
 */

#ifndef _NGX_HTTP_PKI_DIRECTORY_H_INCLUDED_
#define _NGX_HTTP_PKI_DIRECTORY_H_INCLUDED_


/* ngx_http_pki_directory.c: the block pki_directory */

char *ngx_http_pki_directory_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_client_certificate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_client_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_secret(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_resources(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_max_age(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_guard(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_compliance(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_external_id(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pki_hook_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_pki_risk(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/* ngx_http_pki_directory_conf.c: the same, completed */

/*
 * Completes a directory when all blocks have been read: its store, the
 * issuers that refer to it, its directory->conf.
 */
ngx_int_t ngx_http_pki_directory_resolve(ngx_conf_t *cf,
    ngx_http_pki_main_conf_t *mcf, ngx_http_pki_directory_t *directory);


/* ngx_http_pki_sidecar.c: the poller's thread and its bell */

/*
 * Starts the poller for the directories that are to be polled; NULL and
 * *none set: there are none; NULL: an error, which is logged.
 */
ngx_http_pki_sidecar_t *ngx_http_pki_sidecar_create(ngx_cycle_t *cycle,
    ngx_http_pki_main_conf_t *mcf, ngx_uint_t *none);

/* Stops and joins the thread, closes the bell; accepts NULL. */
void ngx_http_pki_sidecar_destroy(ngx_http_pki_sidecar_t *sidecar);

#define NGX_HTTP_PKI_LETTERS  16    /* log lines taken at once */

/* Writes what a thread has mailed, and how much of it was lost, to the log. */
void ngx_http_pki_sidecar_log(const pki_mail_t *mail, ngx_uint_t n,
    const char *thread, unsigned long lost);

/* News for the poller: text behind PKI_NEWS_HINT. */
void ngx_http_pki_sidecar_hint(ngx_http_pki_sidecar_t *sidecar, u_char *name,
    size_t len);

/* An owner in the news, for the clerk; len 0: some may have been missed. */
void ngx_http_pki_sidecar_news(ngx_http_pki_sidecar_t *sidecar, u_char *owner,
    size_t len);


/* ngx_http_pki_metrics.c: directories in the status */

/* How many lines the text will have at most. */
ngx_uint_t ngx_http_pki_metrics_lines(ngx_http_pki_main_conf_t *mcf);
u_char *ngx_http_pki_metrics_text(ngx_http_pki_main_conf_t *mcf, u_char *p,
    u_char *last);
void ngx_http_pki_metrics_json(ngx_http_pki_main_conf_t *mcf,
    pki_json_writer_t *w);


/* ngx_http_pki_directories.c: calls about directories */

ngx_int_t ngx_http_pki_directories_list(ngx_http_request_t *r,
    ngx_http_pki_api_t *a);
ngx_int_t ngx_http_pki_directories_ask(ngx_http_request_t *r,
    ngx_http_pki_api_t *a);

/*
 * The directory that begins a->rest, if it may be seen here; rest is what
 * follows its name.  NULL: none, to be told by _none().
 */
ngx_http_pki_directory_t *ngx_http_pki_directories_find(ngx_http_request_t *r,
    ngx_http_pki_api_t *a, ngx_str_t *rest);
ngx_int_t ngx_http_pki_directories_none(ngx_http_request_t *r);

/* a pki_state_list_pt for a cell: wakes with an ngx_http_pki_items_t */

typedef struct {
    pki_store_result_t         result;
    const pki_state_item_t    *items;
    size_t                     n;
    unsigned long long         next;        /* cursor; 0: that was all */
} ngx_http_pki_items_t;

void ngx_http_pki_items(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error);


/* ngx_http_pki_object.c: calls about the objects of a directory */

ngx_int_t ngx_http_pki_object_get(ngx_http_request_t *r,
    ngx_http_pki_api_t *a);
ngx_int_t ngx_http_pki_object_push(ngx_http_request_t *r,
    ngx_http_pki_api_t *a);


/* ngx_http_pki_issued.c: a directory's own list of certificates */

ngx_int_t ngx_http_pki_issued_list(ngx_http_request_t *r,
    ngx_http_pki_api_t *a);


#endif /* _NGX_HTTP_PKI_DIRECTORY_H_INCLUDED_ */

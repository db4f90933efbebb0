
/*
 * Init and exit of a process.
 *
 * A process that answers requests has one command link per store; worker 0
 * also subscribes to the news, on behalf of all workers of the host, and
 * forgets in the zone what they name.  Nothing is made where no issuer is
 * configured, nor in the helper processes, which also say that they are
 * worker 0.
 */

#include "ngx_http_pki_module.h"


static ngx_http_pki_main_conf_t *ngx_http_pki_cycle_conf(ngx_cycle_t *cycle);
static ngx_http_pki_worker_t *ngx_http_pki_worker_create(ngx_cycle_t *cycle,
    ngx_http_pki_main_conf_t *mcf);
static ngx_int_t ngx_http_pki_link(ngx_cycle_t *cycle,
    ngx_http_pki_main_conf_t *mcf, ngx_http_pki_worker_t *worker,
    ngx_http_pki_store_t *store);
static void ngx_http_pki_worker_destroy(void *data);
static void ngx_http_pki_news_subscribed(void *data);
static void ngx_http_pki_news_message(void *data, u_char *text, size_t len);
static void ngx_http_pki_news_heard(void *data, ngx_msec_t at);


/* the zones are there now; shared state of old names is found again */

ngx_int_t
ngx_http_pki_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t                  i;
    ngx_http_pki_store_t      **stores;
    ngx_http_pki_issuer_t     **issuers, *issuer;
    ngx_http_pki_main_conf_t   *mcf;
    ngx_http_pki_directory_t  **directories;

    mcf = ngx_http_pki_cycle_conf(cycle);

    if (mcf == NULL || ngx_test_config) {
        return NGX_OK;
    }

    stores = mcf->stores.elts;

    for (i = 0; i < mcf->stores.nelts; i++) {
        stores[i]->sh = ngx_http_pki_zone_named(cycle, &mcf->zone,
                                                NGX_HTTP_PKI_NAMED_STORE,
                                                &stores[i]->name);

        if (stores[i]->sh == NULL) {
            return NGX_ERROR;
        }
    }

    issuers = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {
        issuer = issuers[i];

        issuer->sh = ngx_http_pki_zone_named(cycle, &mcf->zone,
                                             NGX_HTTP_PKI_NAMED_ISSUER,
                                             &issuer->name);

        if (issuer->sh == NULL) {
            return NGX_ERROR;
        }

        if (issuer->signer) {
            issuer->sh->signer_not_after =
                                         pki_signer_not_after(issuer->signer);
        }
    }

    directories = mcf->directories.elts;

    for (i = 0; i < mcf->directories.nelts; i++) {
        directories[i]->sh = ngx_http_pki_zone_named(cycle, &mcf->zone,
                                               NGX_HTTP_PKI_NAMED_DIRECTORY,
                                               &directories[i]->name);

        if (directories[i]->sh == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_pki_init_process(ngx_cycle_t *cycle)
{
    ngx_http_pki_main_conf_t  *mcf;

    if (ngx_process != NGX_PROCESS_SINGLE && ngx_process != NGX_PROCESS_WORKER)
    {
        return NGX_OK;
    }

    mcf = ngx_http_pki_cycle_conf(cycle);

    if (mcf == NULL) {
        return NGX_OK;
    }

    mcf->worker = ngx_http_pki_worker_create(cycle, mcf);

    return mcf->worker ? NGX_OK : NGX_ERROR;
}


void
ngx_http_pki_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_pki_main_conf_t  *mcf;

    mcf = ngx_http_pki_cycle_conf(cycle);

    if (mcf && mcf->worker) {
        ngx_http_pki_worker_destroy(mcf->worker);
    }
}


ngx_http_pki_worker_t *
ngx_http_pki_get_worker(ngx_http_pki_main_conf_t *mcf)
{
    if (mcf->worker == NULL) {
        mcf->worker = ngx_http_pki_worker_create((ngx_cycle_t *) ngx_cycle,
                                                 mcf);
    }

    return mcf->worker;
}


pki_redis_t *
ngx_http_pki_transport(ngx_http_pki_main_conf_t *mcf,
    ngx_http_pki_store_t *store)
{
    return ngx_http_pki_redis_transport(
                                   mcf->worker->links[store->index].commands);
}


void
ngx_http_pki_store_failed(ngx_http_pki_main_conf_t *mcf,
    ngx_http_pki_store_t *store, const char *error, ngx_log_t *log)
{
    ngx_http_pki_link_t  *link;

    link = &mcf->worker->links[store->index];

    if (link->logged_at != ngx_time()) {
        link->logged_at = ngx_time();
        ngx_log_error(NGX_LOG_ERR, log, 0, "pki store \"%V\": %s",
                      &store->name, error);
    }
}


ngx_uint_t
ngx_http_pki_heard(ngx_http_pki_main_conf_t *mcf, ngx_http_pki_store_t *store)
{
    ngx_msec_t  heard_at;

    heard_at = (ngx_msec_t) store->sh->heard_at;

    return heard_at
           && (ngx_msec_int_t) (ngx_current_msec - heard_at)
              < (ngx_msec_int_t) mcf->news_timeout;
}


/* NULL: no http block, or no issuer, so there is nothing to do */

static ngx_http_pki_main_conf_t *
ngx_http_pki_cycle_conf(ngx_cycle_t *cycle)
{
    ngx_http_pki_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_pki_module);

    return (mcf && mcf->issuers.nelts) ? mcf : NULL;
}


static ngx_http_pki_worker_t *
ngx_http_pki_worker_create(ngx_cycle_t *cycle, ngx_http_pki_main_conf_t *mcf)
{
    ngx_uint_t               i, none;
    ngx_pool_cleanup_t      *cln;
    ngx_http_pki_store_t   **stores;
    ngx_http_pki_issuer_t  **issuers;
    ngx_http_pki_worker_t   *worker;

    worker = ngx_pcalloc(cycle->pool, sizeof(ngx_http_pki_worker_t));
    cln = ngx_pool_cleanup_add(cycle->pool, 0);

    if (worker == NULL || cln == NULL) {
        return NULL;
    }

    worker->links = ngx_pcalloc(cycle->pool, mcf->stores.nelts
                                             * sizeof(ngx_http_pki_link_t));
    worker->slots = ngx_pcalloc(cycle->pool, mcf->issuers.nelts
                                             * sizeof(ngx_http_pki_slot_t));

    if (worker->links == NULL || worker->slots == NULL) {
        return NULL;
    }

    worker->nlinks = mcf->stores.nelts;
    worker->nslots = mcf->issuers.nelts;

    /* a single process outlives its cycles */

    cln->handler = ngx_http_pki_worker_destroy;
    cln->data = worker;

    ngx_rbtree_init(&worker->flights, &worker->sentinel,
                    ngx_rbtree_insert_value);

    stores = mcf->stores.elts;

    for (i = 0; i < mcf->stores.nelts; i++) {
        if (ngx_http_pki_link(cycle, mcf, worker, stores[i]) != NGX_OK)
        {
            return NULL;
        }
    }

    /* the first request should not wait for a key to be made */

    mcf->worker = worker;
    issuers = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {
        (void) ngx_http_pki_signer(mcf, issuers[i], cycle->log);
    }

    if (ngx_process == NGX_PROCESS_WORKER && ngx_worker != 0) {
        return worker;
    }

    worker->sidecar = ngx_http_pki_sidecar_create(cycle, mcf, &none);

    if (worker->sidecar == NULL && !none) {
        return NULL;
    }

    return worker;
}


static ngx_int_t
ngx_http_pki_link(ngx_cycle_t *cycle, ngx_http_pki_main_conf_t *mcf,
    ngx_http_pki_worker_t *worker, ngx_http_pki_store_t *store)
{
    ngx_http_pki_link_t  *link;

    link = &worker->links[store->index];

    link->zone = &mcf->zone;
    link->sh = store->sh;

    link->commands = ngx_http_pki_redis_create(cycle, store, store->sh, NULL);
    if (link->commands == NULL) {
        return NGX_ERROR;
    }

    if (ngx_process == NGX_PROCESS_WORKER && ngx_worker != 0) {
        return NGX_OK;
    }

    link->news.subscribed = ngx_http_pki_news_subscribed;
    link->news.message = ngx_http_pki_news_message;
    link->news.heard = ngx_http_pki_news_heard;
    link->news.data = link;
    link->worker = worker;

    /* two pings may be late before the cache is not believed any more */

    link->news.interval = ngx_max(mcf->news_timeout / 3, 1);

    link->subscription = ngx_http_pki_redis_create(cycle, store, store->sh,
                                                   &link->news);

    return link->subscription ? NGX_OK : NGX_ERROR;
}


/* called at exit and when the cycle's pool goes; harmless the second time */

static void
ngx_http_pki_worker_destroy(void *data)
{
    ngx_http_pki_worker_t *worker = data;

    ngx_uint_t            i;
    ngx_http_pki_link_t  *link;

    ngx_http_pki_sidecar_destroy(worker->sidecar);
    worker->sidecar = NULL;

    ngx_http_pki_ask_end(worker);
    ngx_http_pki_sign_end(worker);

    for (i = 0; i < worker->nlinks; i++) {
        link = &worker->links[i];

        if (link->subscription) {
            ngx_http_pki_redis_destroy(link->subscription);
            link->subscription = NULL;
        }

        if (link->commands) {
            ngx_http_pki_redis_destroy(link->commands);
            link->commands = NULL;
        }
    }

    ngx_http_pki_list_end(worker);

    for (i = 0; i < worker->nslots; i++) {
        pki_signer_free(worker->slots[i].signer);
        worker->slots[i].signer = NULL;
    }
}


/* whatever was published before this moment may have been missed */

static void
ngx_http_pki_news_subscribed(void *data)
{
    ngx_http_pki_link_t *link = data;

    ngx_http_pki_forget_all(link->zone);

    if (link->worker->sidecar) {
        ngx_http_pki_sidecar_news(link->worker->sidecar, NULL, 0);
    }
}


static void
ngx_http_pki_news_message(void *data, u_char *text, size_t len)
{
    ngx_http_pki_link_t *link = data;

    if (len && link->worker->sidecar) {
        ngx_http_pki_sidecar_news(link->worker->sidecar, text, len);
    }

    if (len == sizeof(PKI_NEWS_ALL) - 1
        && ngx_strncmp(text, PKI_NEWS_ALL, len) == 0)
    {
        ngx_http_pki_forget_all(link->zone);
        return;
    }

    if (len > sizeof(PKI_NEWS_HINT) - 1
        && ngx_strncmp(text, PKI_NEWS_HINT, sizeof(PKI_NEWS_HINT) - 1) == 0)
    {
        if (link->worker->sidecar) {
            ngx_http_pki_sidecar_hint(link->worker->sidecar,
                                      text + sizeof(PKI_NEWS_HINT) - 1,
                                      len - (sizeof(PKI_NEWS_HINT) - 1));
        }

        return;
    }

    ngx_http_pki_forget(link->zone, text, len);
}


static void
ngx_http_pki_news_heard(void *data, ngx_msec_t at)
{
    ngx_http_pki_link_t *link = data;

    /* 0 means never */

    link->sh->heard_at = at ? at : 1;
}

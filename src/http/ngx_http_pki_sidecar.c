
/*
 * The threads as nginx sees them: the poller's, and with
 * ngx_http_pki_clerk.c the clerk's.
 *
 * A thread touches nothing of nginx.  When it has something to say it
 * writes to an eventfd; nginx has a duplicate of it as an idle connection,
 * so that no thread ever writes to a number which nginx has closed and used
 * again, and so that a graceful quit tells us at once.  Log lines and
 * counters come in copies; object states come through Redis, like those of
 * any other host.
 */

#include "ngx_http_pki_module.h"

#include <sys/eventfd.h>


struct ngx_http_pki_sidecar_s {
    pki_poller_t              *poller;      /* NULL: nothing to poll */
    ngx_http_pki_clerk_t      *clerk;       /* NULL: nothing to do for it */
    int                        bell;        /* the threads' end */
    ngx_connection_t          *connection;  /* nginx's */
    ngx_event_t                timer;       /* for the counters */
    ngx_http_pki_main_conf_t  *mcf;
};


static ngx_int_t ngx_http_pki_sidecar_bell(ngx_cycle_t *cycle,
    ngx_http_pki_sidecar_t *sidecar);
static ngx_int_t ngx_http_pki_sidecar_start(ngx_cycle_t *cycle,
    ngx_http_pki_sidecar_t *sidecar, const pki_directory_conf_t **confs,
    ngx_uint_t n);
static void ngx_http_pki_sidecar_ring(void *data);
static void ngx_http_pki_sidecar_rung(ngx_event_t *ev);
static void ngx_http_pki_sidecar_look(ngx_http_pki_sidecar_t *sidecar);
static void ngx_http_pki_sidecar_mail(ngx_http_pki_sidecar_t *sidecar);
static void ngx_http_pki_sidecar_tick(ngx_event_t *ev);
static void ngx_http_pki_sidecar_count(ngx_http_pki_sidecar_t *sidecar);


ngx_http_pki_sidecar_t *
ngx_http_pki_sidecar_create(ngx_cycle_t *cycle, ngx_http_pki_main_conf_t *mcf,
    ngx_uint_t *none)
{
    ngx_uint_t                    i, n, idle;
    ngx_http_pki_sidecar_t       *sidecar;
    const pki_directory_conf_t  **confs;
    ngx_http_pki_directory_t    **directories;

    *none = 0;

    directories = mcf->directories.elts;

    confs = ngx_palloc(cycle->pool, (mcf->directories.nelts + 1)
                                    * sizeof(pki_directory_conf_t *));
    sidecar = ngx_pcalloc(cycle->pool, sizeof(ngx_http_pki_sidecar_t));

    if (confs == NULL || sidecar == NULL) {
        return NULL;
    }

    n = 0;

    for (i = 0; i < mcf->directories.nelts; i++) {
        if (directories[i]->conf.dialect->resources && directories[i]->poll) {
            confs[n++] = &directories[i]->conf;
        }
    }

    sidecar->mcf = mcf;
    sidecar->bell = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    if (sidecar->bell == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "pki poller: no bell");
        return NULL;
    }

    sidecar->clerk = ngx_http_pki_clerk_create(cycle, mcf,
                                               ngx_http_pki_sidecar_ring,
                                               sidecar, &idle);

    if (sidecar->clerk == NULL && idle && n == 0) {
        *none = 1;
        ngx_http_pki_sidecar_destroy(sidecar);
        return NULL;
    }

    if ((sidecar->clerk == NULL && !idle)
        || ngx_http_pki_sidecar_bell(cycle, sidecar) != NGX_OK
        || (n && ngx_http_pki_sidecar_start(cycle, sidecar, confs, n)
                 != NGX_OK))
    {
        ngx_http_pki_sidecar_destroy(sidecar);
        return NULL;
    }

    return sidecar;
}


static ngx_int_t
ngx_http_pki_sidecar_bell(ngx_cycle_t *cycle, ngx_http_pki_sidecar_t *sidecar)
{
    int                fd;
    ngx_connection_t  *c;

    fd = fcntl(sidecar->bell, F_DUPFD_CLOEXEC, 0);

    if (fd == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "pki poller: no bell");
        return NGX_ERROR;
    }

    c = ngx_get_connection(fd, cycle->log);

    if (c == NULL) {
        (void) close(fd);
        return NGX_ERROR;
    }

    c->idle = 1;
    c->data = sidecar;
    c->read->log = cycle->log;
    c->write->log = cycle->log;
    c->read->handler = ngx_http_pki_sidecar_rung;

    sidecar->connection = c;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    sidecar->timer.handler = ngx_http_pki_sidecar_tick;
    sidecar->timer.data = sidecar;
    sidecar->timer.log = cycle->log;
    sidecar->timer.cancelable = 1;

    ngx_add_timer(&sidecar->timer, 1000);

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_sidecar_start(ngx_cycle_t *cycle, ngx_http_pki_sidecar_t *sidecar,
    const pki_directory_conf_t **confs, ngx_uint_t n)
{
    u_char             holder[NGX_MAXHOSTNAMELEN + NGX_INT64_LEN + 2];
    pki_err_t          err;
    pki_poller_conf_t  conf;

    if (pki_fetch_global() != PKI_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "pki poller: libcurl cannot be used");
        return NGX_ERROR;
    }

    (void) ngx_sprintf(holder, "%V:%P%Z", &cycle->hostname, ngx_pid);

    ngx_memzero(&conf, sizeof(pki_poller_conf_t));

    conf.directories = confs;
    conf.n = (unsigned) n;
    conf.holder = (char *) holder;
    conf.ring = ngx_http_pki_sidecar_ring;
    conf.data = sidecar;

    sidecar->poller = pki_poller_create(&conf, &err);

    if (sidecar->poller == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "pki poller: %s",
                      err.text);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_pki_sidecar_destroy(ngx_http_pki_sidecar_t *sidecar)
{
    if (sidecar == NULL) {
        return;
    }

    /* joined first: afterwards nobody rings */

    pki_poller_destroy(sidecar->poller);
    sidecar->poller = NULL;

    ngx_http_pki_clerk_destroy(sidecar->clerk);
    sidecar->clerk = NULL;

    if (sidecar->timer.timer_set) {
        ngx_del_timer(&sidecar->timer);
    }

    if (sidecar->connection) {
        ngx_close_connection(sidecar->connection);
        sidecar->connection = NULL;
    }

    if (sidecar->bell != -1) {
        (void) close(sidecar->bell);
        sidecar->bell = -1;
    }
}


void
ngx_http_pki_sidecar_hint(ngx_http_pki_sidecar_t *sidecar, u_char *name,
    size_t len)
{
    if (sidecar->poller) {
        pki_poller_hint(sidecar->poller, (char *) name, len);
    }
}


void
ngx_http_pki_sidecar_news(ngx_http_pki_sidecar_t *sidecar, u_char *owner,
    size_t len)
{
    if (sidecar->clerk) {
        ngx_http_pki_clerk_news(sidecar->clerk, owner, len);
    }
}


/* in a thread */

static void
ngx_http_pki_sidecar_ring(void *data)
{
    ngx_http_pki_sidecar_t *sidecar = data;

    /* a full counter is a bell that rings already */

    (void) eventfd_write(sidecar->bell, 1);
}


static void
ngx_http_pki_sidecar_rung(ngx_event_t *ev)
{
    eventfd_t                count;
    ngx_connection_t        *c;
    ngx_http_pki_sidecar_t  *sidecar;

    c = ev->data;
    sidecar = c->data;

    /* a graceful quit; exit_process joins, the next worker 0 counts */

    if (c->close) {
        if (sidecar->poller) {
            pki_poller_stop(sidecar->poller);
        }

        if (sidecar->clerk) {
            ngx_http_pki_clerk_stop(sidecar->clerk);
        }

        if (sidecar->timer.timer_set) {
            ngx_del_timer(&sidecar->timer);
        }

        sidecar->connection = NULL;
        ngx_close_connection(c);
        return;
    }

    (void) eventfd_read(c->fd, &count);

    ev->ready = 0;

    if (ngx_handle_read_event(ev, 0) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ev->log, 0, "pki poller: the bell is deaf");
    }

    ngx_http_pki_sidecar_look(sidecar);
}


static void
ngx_http_pki_sidecar_look(ngx_http_pki_sidecar_t *sidecar)
{
    if (sidecar->poller) {
        ngx_http_pki_sidecar_mail(sidecar);
        ngx_http_pki_sidecar_count(sidecar);
    }

    if (sidecar->clerk) {
        ngx_http_pki_clerk_look(sidecar->clerk);
    }
}


static void
ngx_http_pki_sidecar_mail(ngx_http_pki_sidecar_t *sidecar)
{
    unsigned       n;
    pki_mail_t     mail[NGX_HTTP_PKI_LETTERS];
    unsigned long  lost;

    do {
        n = pki_poller_mail(sidecar->poller, mail, NGX_HTTP_PKI_LETTERS,
                            &lost);

        ngx_http_pki_sidecar_log(mail, n, "poller", lost);

    } while (n == NGX_HTTP_PKI_LETTERS);
}


void
ngx_http_pki_sidecar_log(const pki_mail_t *mail, ngx_uint_t n,
    const char *thread, unsigned long lost)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {

        /* the levels of nginx are those of syslog, one up */

        ngx_log_error((ngx_uint_t) (mail[i].level + 1), ngx_cycle->log, 0,
                      "pki %s", mail[i].text);
    }

    if (lost) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "pki %s: %ul lines did not fit", thread, lost);
    }
}


static void
ngx_http_pki_sidecar_tick(ngx_event_t *ev)
{
    ngx_http_pki_sidecar_t *sidecar = ev->data;

    ngx_http_pki_sidecar_look(sidecar);

    ngx_add_timer(ev, 1000);
}


/* the counters go where all workers see them */

static void
ngx_http_pki_sidecar_count(ngx_http_pki_sidecar_t *sidecar)
{
    unsigned                     i, n, max;
    ngx_uint_t                   k, at;
    pki_poller_stats_t          *stats;
    ngx_http_pki_directory_t   **directories;

    directories = sidecar->mcf->directories.elts;
    max = (unsigned) sidecar->mcf->directories.nelts * PKI_RESOURCES_MAX;

    stats = ngx_alloc(max * sizeof(pki_poller_stats_t), ngx_cycle->log);
    if (stats == NULL) {
        return;
    }

    n = pki_poller_stats(sidecar->poller, stats, max);

    for (k = 0; k < sidecar->mcf->directories.nelts; k++) {
        at = 0;

        for (i = 0; i < n && at < PKI_RESOURCES_MAX; i++) {
            if (ngx_strcmp(stats[i].directory, directories[k]->name.data)
                != 0)
            {
                continue;
            }

            directories[k]->sh->resources[at] = stats[i];
            directories[k]->sh->resources[at].directory = NULL;
            directories[k]->sh->resources[at].resource = NULL;
            at++;
        }

        directories[k]->sh->n = at;
    }

    ngx_free(stats);
}


/*
 * The clerk's thread as nginx sees it: what it is to do, from the
 * configuration; what it has left, for the zone and the log; what it is to
 * know, from the news.
 *
 * Its bell is the sidecar's (ngx_http_pki_sidecar.c).
 */

#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_CRL_VALID      8640    /* seconds: 2.4 hours, SCEPman's */
#define NGX_HTTP_PKI_CRL_DELAY      2000    /* milliseconds */
#define NGX_HTTP_PKI_CRL_DELAY_MAX  3600000


struct ngx_http_pki_clerk_s {
    pki_clerk_t               *clerk;
    ngx_http_pki_issuer_t    **issuers;     /* those that have lists */
    ngx_uint_t                 nissuers;
    ngx_http_pki_jwt_t       **jwts;        /* those that have a URL */
    unsigned long             *generations;
    ngx_uint_t                 njwts;
    u_char                    *text;        /* of a key set */
};


typedef struct {
    const char                *metric;
    const char                *type;
    uint64_t                 (*value)(const pki_clerk_stats_t *stats);
} ngx_http_pki_clerk_metric_t;


static ngx_int_t ngx_http_pki_clerk_init(ngx_cycle_t *cycle,
    ngx_http_pki_main_conf_t *mcf, ngx_http_pki_clerk_t *clerk,
    pki_clerk_conf_t *conf);
static ngx_int_t ngx_http_pki_clerk_start(ngx_cycle_t *cycle,
    ngx_http_pki_clerk_t *clerk, pki_clerk_conf_t *conf);
static void ngx_http_pki_clerk_mail(ngx_http_pki_clerk_t *clerk);
static void ngx_http_pki_clerk_keys(ngx_http_pki_clerk_t *clerk);
static char *ngx_http_pki_clerk_arg(ngx_conf_t *cf, pki_clerk_crl_t *crl,
    ngx_str_t *arg);
static ngx_int_t ngx_http_pki_clerk_delay(ngx_str_t *arg, long *delay);


#define NGX_HTTP_PKI_CLERK_METRIC(name)                                       \
                                                                              \
    static uint64_t                                                           \
    ngx_http_pki_clerk_metric_##name(const pki_clerk_stats_t *stats)          \
    {                                                                         \
        return (uint64_t) stats->name;                                        \
    }


NGX_HTTP_PKI_CLERK_METRIC(holder)
NGX_HTTP_PKI_CLERK_METRIC(failing)
NGX_HTTP_PKI_CLERK_METRIC(number)
NGX_HTTP_PKI_CLERK_METRIC(entries)
NGX_HTTP_PKI_CLERK_METRIC(next_update)
NGX_HTTP_PKI_CLERK_METRIC(cpu)
NGX_HTTP_PKI_CLERK_METRIC(lists)
NGX_HTTP_PKI_CLERK_METRIC(failures)


static ngx_http_pki_clerk_metric_t  ngx_http_pki_clerk_metrics[] = {
    { "pki_crl_holder", "gauge", ngx_http_pki_clerk_metric_holder },
    { "pki_crl_failing", "gauge", ngx_http_pki_clerk_metric_failing },
    { "pki_crl_number", "gauge", ngx_http_pki_clerk_metric_number },
    { "pki_crl_entries", "gauge", ngx_http_pki_clerk_metric_entries },
    { "pki_crl_next_update_seconds", "gauge",
      ngx_http_pki_clerk_metric_next_update },
    { "pki_crl_cpu_milliseconds", "gauge", ngx_http_pki_clerk_metric_cpu },
    { "pki_crl_lists_total", "counter", ngx_http_pki_clerk_metric_lists },
    { "pki_crl_failures_total", "counter",
      ngx_http_pki_clerk_metric_failures },
    { NULL, NULL, NULL }
};


static const char  *ngx_http_pki_clerk_contents[] = { "off", "manual", "all" };


ngx_http_pki_clerk_t *
ngx_http_pki_clerk_create(ngx_cycle_t *cycle, ngx_http_pki_main_conf_t *mcf,
    void (*ring)(void *data), void *data, ngx_uint_t *none)
{
    pki_clerk_conf_t       conf;
    ngx_http_pki_clerk_t  *clerk;

    *none = 0;

    clerk = ngx_pcalloc(cycle->pool, sizeof(ngx_http_pki_clerk_t));
    if (clerk == NULL) {
        return NULL;
    }

    ngx_memzero(&conf, sizeof(pki_clerk_conf_t));

    if (ngx_http_pki_clerk_init(cycle, mcf, clerk, &conf) != NGX_OK) {
        return NULL;
    }

    if (clerk->nissuers == 0 && clerk->njwts == 0) {
        *none = 1;
        return NULL;
    }

    conf.ring = ring;
    conf.data = data;

    return ngx_http_pki_clerk_start(cycle, clerk, &conf) == NGX_OK ? clerk
                                                                   : NULL;
}


static ngx_int_t
ngx_http_pki_clerk_init(ngx_cycle_t *cycle, ngx_http_pki_main_conf_t *mcf,
    ngx_http_pki_clerk_t *clerk, pki_clerk_conf_t *conf)
{
    ngx_uint_t               i, n;
    pki_clerk_crl_t         *crls;
    pki_clerk_keys_t        *keys;
    ngx_http_pki_jwt_t     **jwts;
    ngx_http_pki_issuer_t  **issuers;

    issuers = mcf->issuers.elts;
    jwts = mcf->jwts.elts;
    n = mcf->issuers.nelts + mcf->jwts.nelts;

    crls = ngx_pcalloc(cycle->pool, n * sizeof(pki_clerk_crl_t));
    keys = ngx_pcalloc(cycle->pool, n * sizeof(pki_clerk_keys_t));
    clerk->issuers = ngx_pcalloc(cycle->pool, n * sizeof(void *));
    clerk->jwts = ngx_pcalloc(cycle->pool, n * sizeof(void *));
    clerk->generations = ngx_pcalloc(cycle->pool, n * sizeof(unsigned long));

    if (crls == NULL || keys == NULL || clerk->issuers == NULL
        || clerk->jwts == NULL || clerk->generations == NULL)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < mcf->issuers.nelts; i++) {
        if (issuers[i]->crl.content != PKI_CRL_OFF) {
            crls[clerk->nissuers] = issuers[i]->crl;
            clerk->issuers[clerk->nissuers++] = issuers[i];
        }
    }

    for (i = 0; i < mcf->jwts.nelts; i++) {
        if (jwts[i]->keys.url) {
            jwts[i]->clerk = clerk->njwts;
            keys[clerk->njwts] = jwts[i]->keys;
            clerk->jwts[clerk->njwts++] = jwts[i];
        }
    }

    if (clerk->njwts) {
        clerk->text = ngx_palloc(cycle->pool, PKI_TOKEN_KEYS_MAX);
        if (clerk->text == NULL) {
            return NGX_ERROR;
        }
    }

    conf->crls = crls;
    conf->ncrls = (unsigned) clerk->nissuers;
    conf->keys = keys;
    conf->nkeys = (unsigned) clerk->njwts;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pki_clerk_start(ngx_cycle_t *cycle, ngx_http_pki_clerk_t *clerk,
    pki_clerk_conf_t *conf)
{
    u_char     holder[NGX_MAXHOSTNAMELEN + NGX_INT64_LEN + 2];
    pki_err_t  err;

    if (pki_fetch_global() != PKI_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "pki clerk: libcurl cannot be used");
        return NGX_ERROR;
    }

    (void) ngx_sprintf(holder, "%V:%P%Z", &cycle->hostname, ngx_pid);
    conf->holder = (char *) holder;

    clerk->clerk = pki_clerk_create(conf, &err);

    if (clerk->clerk == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "pki clerk: %s",
                      err.text);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_pki_clerk_stop(ngx_http_pki_clerk_t *clerk)
{
    pki_clerk_stop(clerk->clerk);
}


void
ngx_http_pki_clerk_destroy(ngx_http_pki_clerk_t *clerk)
{
    if (clerk) {
        pki_clerk_destroy(clerk->clerk);
        clerk->clerk = NULL;
    }
}


/* the counters go where all workers see them */

void
ngx_http_pki_clerk_look(ngx_http_pki_clerk_t *clerk)
{
    ngx_uint_t  i;

    ngx_http_pki_clerk_mail(clerk);
    ngx_http_pki_clerk_keys(clerk);

    for (i = 0; i < clerk->nissuers; i++) {
        pki_clerk_stats(clerk->clerk, (unsigned) i,
                        &clerk->issuers[i]->sh->lists);
    }
}


static void
ngx_http_pki_clerk_mail(ngx_http_pki_clerk_t *clerk)
{
    unsigned       n;
    pki_mail_t     mail[NGX_HTTP_PKI_LETTERS];
    unsigned long  lost;

    do {
        n = pki_clerk_mail(clerk->clerk, mail, NGX_HTTP_PKI_LETTERS, &lost);

        ngx_http_pki_sidecar_log(mail, n, "clerk", lost);

    } while (n == NGX_HTTP_PKI_LETTERS);
}


/* Key sets go to the workers, and what those have missed to the clerk. */

static void
ngx_http_pki_clerk_keys(ngx_http_pki_clerk_t *clerk)
{
    size_t         len;
    ngx_uint_t     i;
    unsigned long  generation;

    for (i = 0; i < clerk->njwts; i++) {
        len = pki_clerk_keys(clerk->clerk, (unsigned) i, (char *) clerk->text,
                             PKI_TOKEN_KEYS_MAX, &generation);

        if (generation != clerk->generations[i]) {
            clerk->generations[i] = generation;
            ngx_http_pki_jwt_put(clerk->jwts[i], clerk->text, len);
        }

        if (ngx_http_pki_jwt_wanted(clerk->jwts[i])) {
            pki_clerk_want(clerk->clerk, (unsigned) i);
        }
    }
}


void
ngx_http_pki_clerk_news(ngx_http_pki_clerk_t *clerk, u_char *owner,
    size_t len)
{
    u_char  *p, *last;

    static const char  cert[] = "cert:";
    static const char  object[] = "object:";

    last = owner + len;

    if (len > sizeof(cert) - 1
        && ngx_strncmp(owner, cert, sizeof(cert) - 1) == 0)
    {
        owner += sizeof(cert) - 1;
        p = ngx_strlchr(owner, last, ':');

        /* the name has no colon, and what follows is the serial number */

        if (p && p != owner) {
            pki_clerk_hint(clerk->clerk, (char *) owner, p - owner,
                           (char *) p + 1, last - p - 1);
        }

        return;
    }

    if (len > sizeof(object) - 1
        && ngx_strncmp(owner, object, sizeof(object) - 1) == 0)
    {
        p = ngx_strlchr(owner + sizeof(object) - 1, last, ':');

        if (p && p + 1 < last) {
            pki_clerk_hint_object(clerk->clerk, (char *) p + 1, last - p - 1);
        }

        return;
    }

    if (len == 0
        || (len == sizeof(PKI_NEWS_ALL) - 1
            && ngx_strncmp(owner, PKI_NEWS_ALL, len) == 0))
    {
        pki_clerk_hint(clerk->clerk, NULL, 0, NULL, 0);
        pki_clerk_hint_object(clerk->clerk, NULL, 0);
    }
}


void
ngx_http_pki_clerk_json(ngx_http_pki_issuer_t *issuer, pki_json_writer_t *w)
{
    pki_clerk_stats_t  *stats;

    if (issuer->crl.content == PKI_CRL_OFF) {
        return;
    }

    stats = &issuer->sh->lists;

    pki_json_name(w, "crl");
    pki_json_object(w);
    pki_json_name(w, "content");
    pki_json_string(w, ngx_http_pki_clerk_contents[issuer->crl.content]);
    pki_json_name(w, "holder");
    pki_json_boolean(w, stats->holder);
    pki_json_name(w, "failing");
    pki_json_boolean(w, stats->failing);
    pki_json_name(w, "number");
    pki_json_integer(w, (long long) stats->number);
    pki_json_name(w, "entries");
    pki_json_integer(w, stats->entries);
    pki_json_name(w, "nextUpdate");
    pki_json_time(w, stats->next_update);
    pki_json_name(w, "cpuMilliseconds");
    pki_json_integer(w, stats->cpu);
    pki_json_name(w, "lists");
    pki_json_integer(w, stats->lists);
    pki_json_name(w, "failures");
    pki_json_integer(w, stats->failures);
    pki_json_object_end(w);
}


ngx_uint_t
ngx_http_pki_clerk_lines(ngx_http_pki_main_conf_t *mcf)
{
    return (mcf->issuers.nelts + 1) * sizeof(ngx_http_pki_clerk_metrics)
           / sizeof(ngx_http_pki_clerk_metrics[0]);
}


u_char *
ngx_http_pki_clerk_text(ngx_http_pki_main_conf_t *mcf, u_char *p,
    u_char *last)
{
    ngx_uint_t                    i, n;
    ngx_http_pki_issuer_t       **issuers;
    ngx_http_pki_clerk_metric_t  *metric;

    issuers = mcf->issuers.elts;

    for (metric = ngx_http_pki_clerk_metrics; metric->metric; metric++) {

        for (i = 0, n = 0; i < mcf->issuers.nelts; i++) {

            if (issuers[i]->crl.content == PKI_CRL_OFF) {
                continue;
            }

            if (n++ == 0) {
                p = ngx_slprintf(p, last, "# TYPE %s %s\n", metric->metric,
                                 metric->type);
            }

            p = ngx_slprintf(p, last, "%s{issuer=\"%V\"} %uL\n",
                             metric->metric, &issuers[i]->name,
                             metric->value(&issuers[i]->sh->lists));
        }
    }

    return p;
}


/* crl off | manual | all [valid=] [renew=] [delay=] [delta=] */

char *
ngx_http_pki_clerk_crl(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_pki_issuer_t *issuer = conf;

    char             *rv;
    ngx_str_t        *value;
    ngx_uint_t        i;
    pki_clerk_crl_t  *crl;

    crl = &issuer->crl;

    if (crl->valid) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; i < 3; i++) {
        if (ngx_strcmp(value[1].data, ngx_http_pki_clerk_contents[i]) == 0) {
            break;
        }
    }

    if (i == 3) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"crl\", it must be "
                           "\"off\", \"manual\" or \"all\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    crl->content = (pki_crl_content_t) i;
    crl->delay = NGX_HTTP_PKI_CRL_DELAY;

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_pki_clerk_arg(cf, crl, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (crl->valid == 0) {
        crl->valid = NGX_HTTP_PKI_CRL_VALID;
    }

    if (crl->renew == 0) {
        crl->renew = crl->valid / 3;
    }

    if (crl->renew >= crl->valid) {
        return "must have a \"renew\" that is less than \"valid\"";
    }

    if (crl->delta > crl->valid) {
        return "must have a \"delta\" that is not more than \"valid\"";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_pki_clerk_arg(ngx_conf_t *cf, pki_clerk_crl_t *crl, ngx_str_t *arg)
{
    time_t  valid, renew, delta;

    valid = 0;
    renew = 0;
    delta = 0;

    if (ngx_http_pki_time_arg(arg, "valid=", &valid) == NGX_OK) {
        crl->valid = (long) valid;

    } else if (ngx_http_pki_time_arg(arg, "renew=", &renew) == NGX_OK) {
        crl->renew = (long) renew;

    } else if (ngx_http_pki_time_arg(arg, "delta=", &delta) == NGX_OK) {
        crl->delta = (long) delta;

    } else if (ngx_http_pki_clerk_delay(arg, &crl->delay) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"crl\"", arg);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* "delay=<time>", in milliseconds; none at all is fine */

static ngx_int_t
ngx_http_pki_clerk_delay(ngx_str_t *arg, long *delay)
{
    size_t      len;
    ngx_int_t   msec;
    ngx_str_t   s;

    len = sizeof("delay=") - 1;

    if (arg->len <= len || ngx_strncmp(arg->data, "delay=", len) != 0) {
        return NGX_DECLINED;
    }

    s.data = arg->data + len;
    s.len = arg->len - len;

    msec = ngx_parse_time(&s, 0);

    if (msec < 0 || msec > NGX_HTTP_PKI_CRL_DELAY_MAX) {
        return NGX_ERROR;
    }

    *delay = (long) msec;

    return NGX_OK;
}


char *
ngx_http_pki_clerk_check(ngx_conf_t *cf, ngx_http_pki_issuer_t *issuer)
{
    if (issuer->crl.content == PKI_CRL_OFF) {
        return NGX_CONF_OK;
    }

    if (issuer->key == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_issuer \"%V\": \"crl\" needs \"key\"",
                           &issuer->name);
        return NGX_CONF_ERROR;
    }

    /* RFC 5280, 4.2.1.3; without the extension all is allowed */

    if (!(X509_get_key_usage(issuer->cert) & KU_CRL_SIGN)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pki_issuer \"%V\": \"crl\" needs a certificate "
                           "whose key usage has cRLSign", &issuer->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_pki_clerk_resolve(ngx_conf_t *cf, ngx_http_pki_issuer_t *issuer)
{
    pki_redis_sync_conf_t  *redis;

    if (issuer->crl.content == PKI_CRL_OFF) {
        return NGX_OK;
    }

    redis = ngx_pcalloc(cf->pool, sizeof(pki_redis_sync_conf_t));
    if (redis == NULL) {
        return NGX_ERROR;
    }

    issuer->crl.view = &issuer->view;
    issuer->crl.redis = redis;
    issuer->crl.freshest = issuer->urls.freshest_crl[0];

    return ngx_http_pki_store_sync(cf, issuer->store, redis);
}


/*
 * The state of the responder: JSON, Prometheus text, or a probe.
 *
 * Counters are the zone's, so any worker tells for the host.  JSON and
 * Prometheus also ask each Redis, without waiting for it, whether it keeps
 * what it is told: an instance that evicts or forgets would un-revoke
 * certificates.  The probe asks nobody: the news age says whether Redis is
 * there.
 */

#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_METRIC_LEN   512   /* a line of text, names included */


/* what INFO says of a store; -1: not known */

typedef struct {
    ngx_int_t                  durable;     /* append-only file is on */
    ngx_int_t                  evicts;      /* maxmemory-policy */
    ngx_int_t                  master;
} ngx_http_pki_info_t;


typedef struct {
    ngx_http_pki_main_conf_t  *mcf;
    ngx_uint_t                 format;
    ngx_http_pki_info_t       *info;        /* one per store */
} ngx_http_pki_report_t;


typedef struct {
    ngx_http_pki_stat_e        stat;
    const char                *group;       /* of the JSON */
    const char                *name;
    const char                *metric;
    const char                *label;
} ngx_http_pki_counter_t;


static void ngx_http_pki_status_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_status_format(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_status_ask(ngx_http_request_t *r,
    ngx_http_pki_report_t *report, ngx_uint_t n);
static void ngx_http_pki_status_reply(void *data, const redisReply *reply);
static void ngx_http_pki_status_told(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static ngx_int_t ngx_http_pki_status_word(const redisReply *reply,
    const char *text);
static ngx_int_t ngx_http_pki_status_send(ngx_http_request_t *r,
    ngx_http_pki_report_t *report);

static ngx_int_t ngx_http_pki_status_json(ngx_http_request_t *r,
    ngx_http_pki_report_t *report, ngx_uint_t healthy);
static void ngx_http_pki_status_json_counters(pki_json_writer_t *w,
    ngx_http_pki_main_conf_t *mcf);
static void ngx_http_pki_status_json_stores(pki_json_writer_t *w,
    ngx_http_pki_report_t *report);
static void ngx_http_pki_status_json_flag(pki_json_writer_t *w,
    const char *name, ngx_int_t flag);
static void ngx_http_pki_status_json_issuers(pki_json_writer_t *w,
    ngx_http_pki_main_conf_t *mcf);
static ngx_int_t ngx_http_pki_status_prometheus(ngx_http_request_t *r,
    ngx_http_pki_report_t *report, ngx_uint_t healthy);
static u_char *ngx_http_pki_status_metric(u_char *p, u_char *last,
    const char *name, const char *type, const char *label, ngx_str_t *value,
    uint64_t n);
static u_char *ngx_http_pki_status_stores(u_char *p, u_char *last,
    ngx_http_pki_report_t *report);

static ngx_uint_t ngx_http_pki_status_healthy(ngx_http_pki_main_conf_t *mcf);
static ngx_msec_t ngx_http_pki_status_age(ngx_http_pki_store_t *store);


static ngx_http_pki_counter_t  ngx_http_pki_counters[] = {

    { NGX_HTTP_PKI_STAT_GOOD, "ocsp", "good",
      "pki_ocsp_answers_total", "good" },
    { NGX_HTTP_PKI_STAT_HOLD, "ocsp", "hold",
      "pki_ocsp_answers_total", "hold" },
    { NGX_HTTP_PKI_STAT_REVOKED, "ocsp", "revoked",
      "pki_ocsp_answers_total", "revoked" },
    { NGX_HTTP_PKI_STAT_UNKNOWN, "ocsp", "unknown",
      "pki_ocsp_answers_total", "unknown" },
    { NGX_HTTP_PKI_STAT_LATER, "ocsp", "tryLater",
      "pki_ocsp_answers_total", "try_later" },
    { NGX_HTTP_PKI_STAT_MALFORMED, "ocsp", "malformedRequest",
      "pki_ocsp_answers_total", "malformed_request" },
    { NGX_HTTP_PKI_STAT_UNAUTHORIZED, "ocsp", "unauthorized",
      "pki_ocsp_answers_total", "unauthorized" },
    { NGX_HTTP_PKI_STAT_INTERNAL, "ocsp", "internalError",
      "pki_ocsp_answers_total", "internal_error" },
    { NGX_HTTP_PKI_STAT_REFUSED, "ocsp", "refused",
      "pki_ocsp_answers_total", "refused" },

    { NGX_HTTP_PKI_STAT_HITS, "cache", "hits",
      "pki_cache_lookups_total", "hit" },
    { NGX_HTTP_PKI_STAT_VERDICT_HITS, "cache", "verdictHits",
      "pki_cache_lookups_total", "verdict_hit" },
    { NGX_HTTP_PKI_STAT_MISSES, "cache", "misses",
      "pki_cache_lookups_total", "miss" },
    { NGX_HTTP_PKI_STAT_STALE, "cache", "stale",
      "pki_cache_stale_total", NULL },
    { NGX_HTTP_PKI_STAT_JOINED, "cache", "joined",
      "pki_cache_joined_total", NULL },
    { NGX_HTTP_PKI_STAT_WANTED, "cache", "wanted",
      "pki_lookups_wanted_total", NULL },
    { NGX_HTTP_PKI_STAT_PUTS, "cache", "puts",
      "pki_cache_puts_total", NULL },
    { NGX_HTTP_PKI_STAT_EVICTIONS, "cache", "evictions",
      "pki_cache_evictions_total", NULL },
    { NGX_HTTP_PKI_STAT_FORGOTTEN, "cache", "forgotten",
      "pki_cache_forgotten_total", NULL },
    { NGX_HTTP_PKI_STAT_HEALED, "cache", "healed",
      "pki_cache_healed_total", NULL },

    { NGX_HTTP_PKI_STAT_SIGNATURES, "signing", "signatures",
      "pki_signatures_total", NULL },
    { NGX_HTTP_PKI_STAT_SIGN_FAILURES, "signing", "failures",
      "pki_signature_failures_total", NULL },
    { NGX_HTTP_PKI_STAT_SIGN_USEC, "signing", "microseconds",
      "pki_signature_microseconds_total", NULL },

    { NGX_HTTP_PKI_STAT_API_OK, "api", "ok",
      "pki_api_replies_total", "ok" },
    { NGX_HTTP_PKI_STAT_API_REFUSED, "api", "refused",
      "pki_api_replies_total", "refused" },
    { NGX_HTTP_PKI_STAT_API_FAILED, "api", "failed",
      "pki_api_replies_total", "failed" },

    { NGX_HTTP_PKI_STAT_ISSUED, "enrolment", "issued",
      "pki_enrolments_total", "issued" },
    { NGX_HTTP_PKI_STAT_ENROLL_REFUSED, "enrolment", "refused",
      "pki_enrolments_total", "refused" },
    { NGX_HTTP_PKI_STAT_ENROLL_BUSY, "enrolment", "busy",
      "pki_enrolments_total", "busy" },
    { NGX_HTTP_PKI_STAT_ENROLL_FAILED, "enrolment", "failed",
      "pki_enrolments_total", "failed" },

    { 0, NULL, NULL, NULL, NULL }
};


ngx_int_t
ngx_http_pki_status_handler(ngx_http_request_t *r)
{
    ngx_http_pki_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    if (ngx_http_pki_get_worker(mcf) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_pki_read_body(r, 0, ngx_http_pki_status_body_handler);
}


static void
ngx_http_pki_status_body_handler(ngx_http_request_t *r)
{
    ngx_uint_t                 i;
    ngx_http_pki_ctx_t        *ctx;
    ngx_http_pki_report_t     *report;
    ngx_http_pki_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);

    ctx = ngx_http_pki_get_ctx(r);
    report = ngx_pcalloc(r->pool, sizeof(ngx_http_pki_report_t));

    if (ctx == NULL || report == NULL) {
        goto failed;
    }

    ctx->data = report;
    report->mcf = mcf;
    report->format = ngx_http_pki_status_format(r);

    report->info = ngx_palloc(r->pool, mcf->stores.nelts
                                       * sizeof(ngx_http_pki_info_t));
    if (report->info == NULL) {
        goto failed;
    }

    for (i = 0; i < mcf->stores.nelts; i++) {
        report->info[i].durable = -1;
        report->info[i].evicts = -1;
        report->info[i].master = -1;

        if (report->format != NGX_HTTP_PKI_STATUS_PROBE
            && ngx_http_pki_status_ask(r, report, i) != NGX_OK)
        {
            goto failed;
        }
    }

    if (ngx_queue_empty(&ctx->waits)) {
        ngx_http_pki_finalize(r, ngx_http_pki_status_send(r, report));
    }

    return;

failed:

    ngx_http_pki_finalize(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
}


/* Prometheus asks for text, people and scripts take what is configured */

static ngx_int_t
ngx_http_pki_status_format(ngx_http_request_t *r)
{
    ngx_str_t                 value;
    ngx_http_pki_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_pki_module);

    if (lcf->status == NGX_HTTP_PKI_STATUS_JSON
        && ngx_http_arg(r, (u_char *) "format", 6, &value) == NGX_OK
        && value.len == sizeof("prometheus") - 1
        && ngx_strncmp(value.data, "prometheus", value.len) == 0)
    {
        return NGX_HTTP_PKI_STATUS_PROMETHEUS;
    }

    return lcf->status;
}


static ngx_int_t
ngx_http_pki_status_ask(ngx_http_request_t *r, ngx_http_pki_report_t *report,
    ngx_uint_t n)
{
    pki_redis_t            *redis;
    ngx_http_pki_wait_t    *wait;
    ngx_http_pki_store_t  **stores;

    static const char    *argv[] = { "INFO" };
    static const size_t   argvlen[] = { 4 };

    stores = report->mcf->stores.elts;

    wait = ngx_http_pki_wait(r, ngx_http_pki_status_told, n,
                             stores[n]->timeout);
    if (wait == NULL) {
        return NGX_ERROR;
    }

    redis = ngx_http_pki_transport(report->mcf, stores[n]);
    redis->send(redis, 1, argv, argvlen, ngx_http_pki_status_reply, wait);

    return NGX_OK;
}


static void
ngx_http_pki_status_reply(void *data, const redisReply *reply)
{
    ngx_http_pki_wake(data, reply);
}


static void
ngx_http_pki_status_told(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    ngx_http_pki_ctx_t     *ctx;
    ngx_http_pki_info_t    *info;
    ngx_http_pki_report_t  *report;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);
    report = ctx->data;

    info = &report->info[n];

    if (reply && ((const redisReply *) reply)->type == REDIS_REPLY_STRING) {
        info->durable = ngx_http_pki_status_word(reply, "\naof_enabled:1");
        info->evicts = !ngx_http_pki_status_word(reply,
                                              "\nmaxmemory_policy:noeviction");
        info->master = ngx_http_pki_status_word(reply, "\nrole:master");
    }

    /* no answer in time is an answer, too: the report says so */

    if (ngx_queue_empty(&ctx->waits)) {
        ngx_http_pki_finalize(r, ngx_http_pki_status_send(r, report));
    }
}


static ngx_int_t
ngx_http_pki_status_word(const redisReply *reply, const char *text)
{
    return ngx_strnstr((u_char *) reply->str, (char *) text, reply->len)
           != NULL;
}


static ngx_int_t
ngx_http_pki_status_send(ngx_http_request_t *r, ngx_http_pki_report_t *report)
{
    ngx_uint_t  healthy;

    healthy = ngx_http_pki_status_healthy(report->mcf);

    if (report->format == NGX_HTTP_PKI_STATUS_PROMETHEUS) {
        return ngx_http_pki_status_prometheus(r, report, healthy);
    }

    return ngx_http_pki_status_json(r, report, healthy);
}


/* JSON, also of the probe, which is its first member and the status */

static ngx_int_t
ngx_http_pki_status_json(ngx_http_request_t *r, ngx_http_pki_report_t *report,
    ngx_uint_t healthy)
{
    size_t              used, size;
    ngx_uint_t          entries, status;
    pki_json_writer_t  *w;

    w = pki_json_create();
    if (w == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    status = NGX_HTTP_OK;

    pki_json_object(w);
    pki_json_name(w, "healthy");
    pki_json_boolean(w, healthy);

    if (report->format == NGX_HTTP_PKI_STATUS_PROBE) {
        status = healthy ? NGX_HTTP_OK : NGX_HTTP_SERVICE_UNAVAILABLE;
        pki_json_object_end(w);
        return ngx_http_pki_reply_json(r, status, w);
    }

    ngx_http_pki_status_json_counters(w, report->mcf);

    ngx_http_pki_cache_usage(&report->mcf->zone, &entries, &used, &size);

    pki_json_name(w, "zone");
    pki_json_object(w);
    pki_json_name(w, "entries");
    pki_json_integer(w, entries);
    pki_json_name(w, "used");
    pki_json_integer(w, used);
    pki_json_name(w, "size");
    pki_json_integer(w, size);
    pki_json_object_end(w);

    ngx_http_pki_status_json_stores(w, report);
    ngx_http_pki_status_json_issuers(w, report->mcf);
    ngx_http_pki_metrics_json(report->mcf, w);
    pki_json_object_end(w);

    return ngx_http_pki_reply_json(r, status, w);
}


static void
ngx_http_pki_status_json_counters(pki_json_writer_t *w,
    ngx_http_pki_main_conf_t *mcf)
{
    const char              *group;
    ngx_http_pki_counter_t  *counter;

    group = NULL;

    for (counter = ngx_http_pki_counters; counter->name; counter++) {

        if (group == NULL || ngx_strcmp(group, counter->group) != 0) {
            if (group) {
                pki_json_object_end(w);
            }

            group = counter->group;
            pki_json_name(w, group);
            pki_json_object(w);
        }

        pki_json_name(w, counter->name);
        pki_json_integer(w, ngx_http_pki_counted(&mcf->zone, counter->stat));
    }

    pki_json_object_end(w);
}


static void
ngx_http_pki_status_json_stores(pki_json_writer_t *w,
    ngx_http_pki_report_t *report)
{
    ngx_uint_t                i;
    ngx_http_pki_store_t    **stores;
    ngx_http_pki_store_sh_t  *sh;

    stores = report->mcf->stores.elts;

    pki_json_name(w, "stores");
    pki_json_array(w);

    for (i = 0; i < report->mcf->stores.nelts; i++) {
        sh = stores[i]->sh;

        pki_json_object(w);
        pki_json_name(w, "name");
        pki_json_string(w, (char *) stores[i]->name.data);
        pki_json_name(w, "up");
        pki_json_boolean(w, ngx_http_pki_heard(report->mcf, stores[i]));
        pki_json_name(w, "newsAge");
        pki_json_integer(w, sh->heard_at
                            ? (long long) ngx_http_pki_status_age(stores[i])
                            : -1);
        pki_json_name(w, "latency");
        pki_json_integer(w, sh->latency);
        pki_json_name(w, "commands");
        pki_json_integer(w, sh->commands);
        pki_json_name(w, "failures");
        pki_json_integer(w, sh->failures);
        pki_json_name(w, "connects");
        pki_json_integer(w, sh->connects);

        ngx_http_pki_status_json_flag(w, "appendOnly",
                                      report->info[i].durable);
        ngx_http_pki_status_json_flag(w, "evicts", report->info[i].evicts);
        ngx_http_pki_status_json_flag(w, "master", report->info[i].master);
        pki_json_object_end(w);
    }

    pki_json_array_end(w);
}


static void
ngx_http_pki_status_json_flag(pki_json_writer_t *w, const char *name,
    ngx_int_t flag)
{
    pki_json_name(w, name);

    if (flag == -1) {
        pki_json_string(w, NULL);
        return;
    }

    pki_json_boolean(w, flag);
}


static void
ngx_http_pki_status_json_issuers(pki_json_writer_t *w,
    ngx_http_pki_main_conf_t *mcf)
{
    ngx_uint_t               i;
    ngx_http_pki_issuer_t  **issuers;

    static const char  *responders[] = { "auto", "ca", "file" };

    issuers = mcf->issuers.elts;

    pki_json_name(w, "issuers");
    pki_json_array(w);

    for (i = 0; i < mcf->issuers.nelts; i++) {
        pki_json_object(w);
        pki_json_name(w, "name");
        pki_json_string(w, (char *) issuers[i]->name.data);
        pki_json_name(w, "store");
        pki_json_string(w, (char *) issuers[i]->store->name.data);
        pki_json_name(w, "responder");
        pki_json_string(w, responders[issuers[i]->responder]);
        pki_json_name(w, "signerExpires");
        pki_json_time(w, issuers[i]->sh->signer_not_after);
        ngx_http_pki_clerk_json(issuers[i], w);
        pki_json_object_end(w);
    }

    pki_json_array_end(w);
}


/* Prometheus text format 0.0.4 */

static ngx_int_t
ngx_http_pki_status_prometheus(ngx_http_request_t *r,
    ngx_http_pki_report_t *report, ngx_uint_t healthy)
{
    u_char                   *p, *start, *last;
    size_t                    len, used, size;
    ngx_str_t                 value;
    ngx_uint_t                i, entries;
    ngx_http_pki_issuer_t   **issuers;
    ngx_http_pki_counter_t   *counter;

    static ngx_str_t  type = ngx_string("text/plain; version=0.0.4");

    issuers = report->mcf->issuers.elts;

    len = NGX_HTTP_PKI_METRIC_LEN
          * (sizeof(ngx_http_pki_counters) / sizeof(ngx_http_pki_counter_t)
             + 8 * report->mcf->stores.nelts + report->mcf->issuers.nelts + 4
             + ngx_http_pki_clerk_lines(report->mcf)
             + ngx_http_pki_metrics_lines(report->mcf));

    start = ngx_pnalloc(r->pool, len);
    if (start == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = start;
    last = start + len;

    for (counter = ngx_http_pki_counters; counter->name; counter++) {
        value.data = (u_char *) counter->label;
        value.len = counter->label ? ngx_strlen(counter->label) : 0;

        p = ngx_http_pki_status_metric(p, last, counter->metric,
                       (counter > ngx_http_pki_counters
                        && ngx_strcmp(counter[-1].metric, counter->metric)
                           == 0) ? NULL : "counter",
                       counter->label ? "result" : NULL, &value,
                       ngx_http_pki_counted(&report->mcf->zone,
                                            counter->stat));
    }

    ngx_http_pki_cache_usage(&report->mcf->zone, &entries, &used, &size);

    p = ngx_http_pki_status_metric(p, last, "pki_cache_entries", "gauge",
                                   NULL, NULL, entries);
    p = ngx_http_pki_status_metric(p, last, "pki_cache_used_bytes", "gauge",
                                   NULL, NULL, used);
    p = ngx_http_pki_status_metric(p, last, "pki_cache_size_bytes", "gauge",
                                   NULL, NULL, size);
    p = ngx_http_pki_status_metric(p, last, "pki_healthy", "gauge", NULL,
                                   NULL, healthy);

    p = ngx_http_pki_status_stores(p, last, report);

    for (i = 0; i < report->mcf->issuers.nelts; i++) {
        p = ngx_http_pki_status_metric(p, last,
                       "pki_signer_not_after_seconds", i ? NULL : "gauge",
                       "issuer", &issuers[i]->name,
                       issuers[i]->sh->signer_not_after);
    }

    p = ngx_http_pki_clerk_text(report->mcf, p, last);
    p = ngx_http_pki_metrics_text(report->mcf, p, last);

    return ngx_http_pki_reply(r, NGX_HTTP_OK, &type, start, p - start);
}


static u_char *
ngx_http_pki_status_stores(u_char *p, u_char *last,
    ngx_http_pki_report_t *report)
{
    uint64_t                  n;
    ngx_uint_t                i, k;
    ngx_http_pki_store_t    **stores;
    ngx_http_pki_store_sh_t  *sh;

    static struct {
        const char  *name;
        const char  *type;
    } metrics[] = {
        { "pki_store_up", "gauge" },
        { "pki_store_news_age_milliseconds", "gauge" },
        { "pki_store_latency_microseconds", "gauge" },
        { "pki_store_commands_total", "counter" },
        { "pki_store_failures_total", "counter" },
        { "pki_store_connects_total", "counter" },
        { "pki_store_append_only", "gauge" },
        { "pki_store_evicts", "gauge" }
    };

    stores = report->mcf->stores.elts;

    for (k = 0; k < sizeof(metrics) / sizeof(metrics[0]); k++) {

        for (i = 0; i < report->mcf->stores.nelts; i++) {
            sh = stores[i]->sh;

            uint64_t  values[] = {
                ngx_http_pki_heard(report->mcf, stores[i]),
                ngx_http_pki_status_age(stores[i]),
                sh->latency,
                sh->commands,
                sh->failures,
                sh->connects,
                report->info[i].durable == 1,
                report->info[i].evicts != 0
            };

            n = values[k];

            p = ngx_http_pki_status_metric(p, last, metrics[k].name,
                                           i ? NULL : metrics[k].type,
                                           "store", &stores[i]->name, n);
        }
    }

    return p;
}


static u_char *
ngx_http_pki_status_metric(u_char *p, u_char *last, const char *name,
    const char *type, const char *label, ngx_str_t *value, uint64_t n)
{
    if (type) {
        p = ngx_slprintf(p, last, "# TYPE %s %s\n", name, type);
    }

    if (label) {
        return ngx_slprintf(p, last, "%s{%s=\"%V\"} %uL\n", name, label, value,
                            n);
    }

    return ngx_slprintf(p, last, "%s %uL\n", name, n);
}


/* every store is heard of, every signer valid */

static ngx_uint_t
ngx_http_pki_status_healthy(ngx_http_pki_main_conf_t *mcf)
{
    ngx_uint_t               i;
    ngx_http_pki_store_t   **stores;
    ngx_http_pki_issuer_t  **issuers;

    stores = mcf->stores.elts;

    for (i = 0; i < mcf->stores.nelts; i++) {
        if (!ngx_http_pki_heard(mcf, stores[i])) {
            return 0;
        }
    }

    issuers = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {
        if (ngx_http_pki_signer(mcf, issuers[i], ngx_cycle->log) == NULL) {
            return 0;
        }
    }

    return 1;
}


/* milliseconds since the last news, or since the start of the clock */

static ngx_msec_t
ngx_http_pki_status_age(ngx_http_pki_store_t *store)
{
    ngx_msec_int_t  age;

    age = (ngx_msec_int_t) (ngx_current_msec
                            - (ngx_msec_t) store->sh->heard_at);

    return age > 0 ? (ngx_msec_t) age : 0;
}

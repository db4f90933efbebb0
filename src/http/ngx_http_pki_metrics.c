
/*
 * What the status tells about directories: the counters that this host's
 * poller has left in the zone, one row for each number.
 *
 * A host whose poller does not hold the lease has nothing new to say; its
 * "holder" is 0.  What Redis knows of a directory, whoever polls it, is told
 * by the REST call "directories".
 */

#include "ngx_http_pki_module.h"


typedef struct {
    const char                *name;        /* of the JSON */
    const char                *metric;
    const char                *type;
    uint64_t                 (*value)(const pki_poller_stats_t *stats);
} ngx_http_pki_metric_t;


typedef struct {
    ngx_str_t                 *directory;
    const char                *resource;
    const pki_poller_stats_t  *stats;
} ngx_http_pki_row_t;


static ngx_uint_t ngx_http_pki_metrics_row(ngx_http_pki_main_conf_t *mcf,
    ngx_uint_t n, ngx_http_pki_row_t *row);


#define NGX_HTTP_PKI_METRIC(name, member)                                     \
                                                                              \
    static uint64_t                                                           \
    ngx_http_pki_metric_##name(const pki_poller_stats_t *stats)               \
    {                                                                         \
        return (uint64_t) (member);                                           \
    }


NGX_HTTP_PKI_METRIC(holder, stats->holder)
NGX_HTTP_PKI_METRIC(failing, stats->failing)
NGX_HTTP_PKI_METRIC(guard, stats->guard)
NGX_HTTP_PKI_METRIC(at, stats->at)
NGX_HTTP_PKI_METRIC(duration, stats->duration)
NGX_HTTP_PKI_METRIC(objects, stats->objects)
NGX_HTTP_PKI_METRIC(known, stats->known)
NGX_HTTP_PKI_METRIC(rounds, stats->rounds)
NGX_HTTP_PKI_METRIC(failures, stats->failures)
NGX_HTTP_PKI_METRIC(requests, stats->requests)
NGX_HTTP_PKI_METRIC(throttled, stats->throttled)
NGX_HTTP_PKI_METRIC(changes, stats->changes)
NGX_HTTP_PKI_METRIC(unreadable, stats->unreadable)
NGX_HTTP_PKI_METRIC(unclear, stats->unclear)
NGX_HTTP_PKI_METRIC(lookups, stats->lookups)


static ngx_http_pki_metric_t  ngx_http_pki_metrics[] = {
    { "holder", "pki_directory_holder", "gauge", ngx_http_pki_metric_holder },
    { "failing", "pki_directory_failing", "gauge",
      ngx_http_pki_metric_failing },
    { "heldBack", "pki_directory_held_back", "gauge",
      ngx_http_pki_metric_guard },
    { "lastRound", "pki_directory_last_round_seconds", "gauge",
      ngx_http_pki_metric_at },
    { "duration", "pki_directory_duration_milliseconds", "gauge",
      ngx_http_pki_metric_duration },
    { "objects", "pki_directory_objects", "gauge",
      ngx_http_pki_metric_objects },
    { "known", "pki_directory_known_objects", "gauge",
      ngx_http_pki_metric_known },
    { "rounds", "pki_directory_rounds_total", "counter",
      ngx_http_pki_metric_rounds },
    { "failures", "pki_directory_failures_total", "counter",
      ngx_http_pki_metric_failures },
    { "requests", "pki_directory_requests_total", "counter",
      ngx_http_pki_metric_requests },
    { "throttled", "pki_directory_throttled_total", "counter",
      ngx_http_pki_metric_throttled },
    { "changes", "pki_directory_changes_total", "counter",
      ngx_http_pki_metric_changes },
    { "unreadable", "pki_directory_unreadable_total", "counter",
      ngx_http_pki_metric_unreadable },
    { "unclear", "pki_directory_unclear_total", "counter",
      ngx_http_pki_metric_unclear },
    { "lookups", "pki_directory_lookups_total", "counter",
      ngx_http_pki_metric_lookups },
    { NULL, NULL, NULL, NULL }
};


ngx_uint_t
ngx_http_pki_metrics_lines(ngx_http_pki_main_conf_t *mcf)
{
    ngx_uint_t          n;
    ngx_http_pki_row_t  row;

    for (n = 0; ngx_http_pki_metrics_row(mcf, n, &row); n++) { /* void */ }

    return n * sizeof(ngx_http_pki_metrics) / sizeof(ngx_http_pki_metrics[0]);
}


u_char *
ngx_http_pki_metrics_text(ngx_http_pki_main_conf_t *mcf, u_char *p,
    u_char *last)
{
    ngx_uint_t              n;
    ngx_http_pki_row_t      row;
    ngx_http_pki_metric_t  *metric;

    for (metric = ngx_http_pki_metrics; metric->name; metric++) {

        for (n = 0; ngx_http_pki_metrics_row(mcf, n, &row); n++) {

            if (n == 0) {
                p = ngx_slprintf(p, last, "# TYPE %s %s\n", metric->metric,
                                 metric->type);
            }

            p = ngx_slprintf(p, last,
                             "%s{directory=\"%V\",resource=\"%s\"} %uL\n",
                             metric->metric, row.directory, row.resource,
                             metric->value(row.stats));
        }
    }

    return p;
}


void
ngx_http_pki_metrics_json(ngx_http_pki_main_conf_t *mcf, pki_json_writer_t *w)
{
    ngx_uint_t              n;
    ngx_http_pki_row_t      row;
    ngx_http_pki_metric_t  *metric;

    pki_json_name(w, "directories");
    pki_json_array(w);

    for (n = 0; ngx_http_pki_metrics_row(mcf, n, &row); n++) {
        pki_json_object(w);
        pki_json_name(w, "directory");
        pki_json_string(w, (char *) row.directory->data);
        pki_json_name(w, "resource");
        pki_json_string(w, row.resource);

        for (metric = ngx_http_pki_metrics; metric->name; metric++) {
            pki_json_name(w, metric->name);
            pki_json_integer(w, (long long) metric->value(row.stats));
        }

        pki_json_object_end(w);
    }

    pki_json_array_end(w);
}


/*
 * The n-th resource of all that are polled.  The poller leaves them in the
 * order of the dialect's table.
 */

static ngx_uint_t
ngx_http_pki_metrics_row(ngx_http_pki_main_conf_t *mcf, ngx_uint_t n,
    ngx_http_pki_row_t *row)
{
    ngx_uint_t                  i, at;
    const pki_resource_t       *resource;
    ngx_http_pki_directory_t  **directories;

    directories = mcf->directories.elts;

    for (i = 0; i < mcf->directories.nelts; i++) {

        resource = directories[i]->conf.dialect->resources;
        at = 0;

        for ( /* void */ ; resource && resource->name; resource++) {

            if (at == directories[i]->sh->n) {
                break;
            }

            if (!resource->wanted(&directories[i]->conf)) {
                continue;
            }

            if (n-- == 0) {
                row->directory = &directories[i]->name;
                row->resource = resource->name;
                row->stats = &directories[i]->sh->resources[at];
                return 1;
            }

            at++;
        }
    }

    return 0;
}


/*
 * OCSP over HTTP (RFC 6960, appendix A; RFC 5019; RFC 9919).
 *
 * A request goes through the same steps in one order: octets, parse, issuer,
 * cache, and only on a miss the store (ngx_http_pki_ask.c), the verdict and
 * the signature.  What other clients may have too is kept in the cache with
 * the ticket that was opened before the store was asked.
 */

#include "ngx_http_pki_module.h"


/* a cached answer carries its ready-made ETag and Expires */

#define NGX_HTTP_PKI_ETAG_LEN     (2 + 16 + 8)
#define NGX_HTTP_PKI_EXPIRES_LEN  (sizeof("Mon, 28 Sep 1970 06:00:00 GMT") - 1)

/* an escaped octet of base64 is three characters, 3 octets are 4 of them */
#define NGX_HTTP_PKI_GET_FACTOR   4

/* a certificate's question may be overtaken by news that often, on average */
#define NGX_HTTP_PKI_RETRIES      3


typedef struct {
    ngx_http_pki_main_conf_t  *mcf;
    ngx_http_pki_loc_conf_t   *lcf;
    pki_ocsp_request_t         request;
    pki_certid_t              *certs;
    ngx_http_pki_issuer_t    **issuers;     /* one per certificate */
    pki_verdict_t             *verdicts;
    ngx_http_pki_key_t         key;         /* of the only certificate */
    ngx_http_pki_ticket_t      ticket;
    ngx_uint_t                 pending;     /* flights not yet landed */
    ngx_uint_t                 retries;
    unsigned                   plain:1;     /* any client may have the answer */
    unsigned                   asked:1;     /* verdict and ticket are new */
    unsigned                   joined:1;
} ngx_http_pki_ocsp_t;


static void ngx_http_pki_ocsp_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_ocsp_process(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_ocsp_der(ngx_http_request_t *r,
    ngx_http_pki_loc_conf_t *lcf, pki_bytes_t *der);
static ngx_int_t ngx_http_pki_ocsp_issuers(ngx_http_pki_ocsp_t *o);
static ngx_uint_t ngx_http_pki_ocsp_one_signer(ngx_http_pki_issuer_t *a,
    ngx_http_pki_issuer_t *b);
static ngx_int_t ngx_http_pki_ocsp_statuses(ngx_http_request_t *r,
    ngx_http_pki_ocsp_t *o);
static ngx_int_t ngx_http_pki_ocsp_cached(ngx_http_request_t *r,
    ngx_http_pki_ocsp_t *o, ngx_http_pki_issuer_t *issuer,
    const ngx_http_pki_key_t *key, ngx_http_pki_answer_t *answer);
static void ngx_http_pki_ocsp_key(ngx_http_pki_issuer_t *issuer,
    const pki_certid_t *id, const pki_serial_t *serial,
    ngx_http_pki_key_t *key);

static ngx_int_t ngx_http_pki_ocsp_ask(ngx_http_request_t *r,
    ngx_http_pki_ocsp_t *o, ngx_uint_t n, const pki_serial_t *serial);
static void ngx_http_pki_ocsp_found(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);
static ngx_int_t ngx_http_pki_ocsp_without_store(ngx_http_request_t *r,
    ngx_http_pki_ocsp_t *o);

static ngx_int_t ngx_http_pki_ocsp_finish(ngx_http_request_t *r,
    ngx_http_pki_ocsp_t *o);
static ngx_int_t ngx_http_pki_ocsp_sign(ngx_http_request_t *r,
    ngx_http_pki_ocsp_t *o, pki_signer_t *signer, ngx_str_t *der);
static ngx_int_t ngx_http_pki_ocsp_headers(ngx_http_request_t *r,
    ngx_http_pki_answer_t *answer);
static void ngx_http_pki_ocsp_keep(ngx_http_pki_ocsp_t *o,
    ngx_http_pki_answer_t *answer);
static ngx_int_t ngx_http_pki_ocsp_send(ngx_http_request_t *r,
    ngx_http_pki_ocsp_t *o, ngx_http_pki_answer_t *answer);
static ngx_int_t ngx_http_pki_ocsp_cacheable(ngx_http_request_t *r,
    ngx_http_pki_answer_t *answer);
static ngx_int_t ngx_http_pki_ocsp_error(ngx_http_request_t *r,
    pki_ocsp_status_t status);


static ngx_str_t  ngx_http_pki_ocsp_type =
    ngx_string("application/ocsp-response");

static ngx_str_t  ngx_http_pki_cache_control = ngx_string("Cache-Control");
static ngx_str_t  ngx_http_pki_no_store = ngx_string("no-store");
static ngx_str_t  ngx_http_pki_no_cache =
    ngx_string("max-age=0, no-cache, must-revalidate");


ngx_int_t
ngx_http_pki_ocsp_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_pki_loc_conf_t   *lcf;
    ngx_http_pki_main_conf_t  *mcf;

    static ngx_str_t  allow = ngx_string("Allow");
    static ngx_str_t  methods = ngx_string("GET, HEAD, POST");

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_pki_module);
    mcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);

    if (ngx_http_pki_get_worker(mcf) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST))) {
        ngx_http_pki_count(&mcf->zone, NGX_HTTP_PKI_STAT_REFUSED, 1);

        if (ngx_http_pki_header(r, &allow, &methods) == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_pki_read_body(r, lcf->max_size,
                                ngx_http_pki_ocsp_body_handler);

    if (rc == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE) {
        ngx_http_pki_count(&mcf->zone, NGX_HTTP_PKI_STAT_REFUSED, 1);
    }

    return rc;
}


static void
ngx_http_pki_ocsp_body_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_pki_ocsp_process(r);

    if (rc != NGX_BUSY) {
        ngx_http_pki_finalize(r, rc);
    }
}


/* NGX_BUSY: the request waits; else what to finalize with */

static ngx_int_t
ngx_http_pki_ocsp_process(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_uint_t                n;
    pki_bytes_t               der;
    ngx_http_pki_ocsp_t      *o;
    ngx_http_pki_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_pki_module);

    o = ngx_palloc(r->pool, sizeof(ngx_http_pki_ocsp_t));
    if (o == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    o->lcf = lcf;
    o->mcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);

    rc = ngx_http_pki_ocsp_der(r, lcf, &der);

    if (rc == NGX_DECLINED) {
        return ngx_http_pki_ocsp_error(r, PKI_OCSP_MALFORMED_REQUEST);
    }

    if (rc != NGX_OK) {
        ngx_http_pki_count(&o->mcf->zone, NGX_HTTP_PKI_STAT_REFUSED, 1);
        return rc;
    }

    o->certs = ngx_palloc(r->pool, lcf->max_certs * sizeof(pki_certid_t));
    if (o->certs == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (pki_ocsp_parse(der, o->certs, lcf->max_certs, &o->request) != PKI_OK) {
        return ngx_http_pki_ocsp_error(r, PKI_OCSP_MALFORMED_REQUEST);
    }

    n = o->request.ncerts;

    o->issuers = ngx_palloc(r->pool, n * sizeof(ngx_http_pki_issuer_t *));
    o->verdicts = ngx_palloc(r->pool, n * sizeof(pki_verdict_t));

    if (o->issuers == NULL || o->verdicts == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_pki_ocsp_issuers(o) != NGX_OK) {
        return ngx_http_pki_ocsp_error(r, PKI_OCSP_UNAUTHORIZED);
    }

    o->pending = 0;
    o->retries = 0;
    o->plain = (n == 1 && o->request.nonce.len == 0
                && o->request.npreferences == 0);
    o->asked = 0;
    o->joined = 0;

    return ngx_http_pki_ocsp_statuses(r, o);
}


/* octets: NGX_DECLINED is malformed, another code is HTTP's */

static ngx_int_t
ngx_http_pki_ocsp_der(ngx_http_request_t *r, ngx_http_pki_loc_conf_t *lcf,
    pki_bytes_t *der)
{
    u_char       *p;
    ngx_str_t     body;
    ngx_int_t     rc;
    pki_bytes_t   path;

    if (r->method == NGX_HTTP_POST) {
        rc = ngx_http_pki_body(r, lcf->max_size, &body);

        if (rc == NGX_DECLINED) {
            return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        }

        der->data = body.data;
        der->len = body.len;

        return rc == NGX_OK ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->unparsed_uri.len > lcf->max_size * NGX_HTTP_PKI_GET_FACTOR) {
        return NGX_HTTP_REQUEST_URI_TOO_LARGE;
    }

    if (ngx_http_pki_payload(r, &path) != NGX_OK) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(r->pool, PKI_OCSP_PATH_DER(path.len));
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (pki_ocsp_path(path, p, &der->len) != PKI_OK) {
        return NGX_DECLINED;
    }

    der->data = p;

    return der->len > lcf->max_size ? NGX_HTTP_REQUEST_URI_TOO_LARGE : NGX_OK;
}


/* issuer before serial; NGX_DECLINED: not ours, or not one signer's */

static ngx_int_t
ngx_http_pki_ocsp_issuers(ngx_http_pki_ocsp_t *o)
{
    ngx_uint_t              n, i;
    pki_certid_t           *id;
    ngx_http_pki_scope_t   *scope;

    scope = &o->lcf->scope;

    for (n = 0; n < o->request.ncerts; n++) {
        id = &o->certs[n];

        for (i = 0; i < scope->n; i++) {
            if (pki_issuer_match(scope->issuers[i]->ca, id->digest,
                                 id->name_hash, id->key_hash))
            {
                break;
            }
        }

        if (i == scope->n) {
            return NGX_DECLINED;
        }

        o->issuers[n] = scope->issuers[i];

        if (!ngx_http_pki_ocsp_one_signer(o->issuers[0], o->issuers[n])) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_pki_ocsp_one_signer(ngx_http_pki_issuer_t *a,
    ngx_http_pki_issuer_t *b)
{
    if (a == b) {
        return 1;
    }

    return a->signer && b->signer
           && ngx_memcmp(pki_signer_fingerprint(a->signer),
                         pki_signer_fingerprint(b->signer),
                         PKI_FINGERPRINT_LEN)
              == 0;
}


static ngx_int_t
ngx_http_pki_ocsp_statuses(ngx_http_request_t *r, ngx_http_pki_ocsp_t *o)
{
    ngx_int_t              rc;
    ngx_uint_t             n;
    pki_facts_t            facts;
    pki_serial_t           serial;
    ngx_http_pki_key_t     key;
    ngx_http_pki_answer_t  answer;
    ngx_http_pki_issuer_t  *issuer;

    for (n = 0; n < o->request.ncerts; n++) {
        issuer = o->issuers[n];

        if (pki_serial_from_integer(o->certs[n].serial, &serial) != PKI_OK) {

            /* no certificate of anybody's has such a number */

            ngx_memzero(&facts, sizeof(pki_facts_t));
            facts.manual = PKI_REASON_NONE;

            (void) pki_verdict(&o->verdicts[n], &facts, &issuer->policy,
                               ngx_time(), NULL);
            o->plain = 0;
            continue;
        }

        ngx_http_pki_ocsp_key(issuer, &o->certs[n], &serial, &key);

        if (n == 0) {
            o->key = key;
        }

        rc = ngx_http_pki_ocsp_cached(r, o, issuer, &key, &answer);

        if (rc == NGX_OK && o->plain && answer.der.len) {
            ngx_http_pki_count(&o->mcf->zone, NGX_HTTP_PKI_STAT_HITS, 1);
            return ngx_http_pki_ocsp_send(r, o, &answer);
        }

        if (rc == NGX_OK && !o->plain) {
            ngx_http_pki_count(&o->mcf->zone, NGX_HTTP_PKI_STAT_VERDICT_HITS,
                               1);
            o->verdicts[n] = answer.verdict;
            continue;
        }

        if (rc != NGX_ERROR) {
            ngx_http_pki_count(&o->mcf->zone, NGX_HTTP_PKI_STAT_MISSES, 1);
            rc = ngx_http_pki_ocsp_ask(r, o, n, &serial);
        }

        if (rc != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return o->pending ? NGX_BUSY : ngx_http_pki_ocsp_finish(r, o);
}


/*
 * NGX_OK: an answer that may be believed now, because the news is fresh,
 * and that has more than a quarter of its life before it.
 */

static ngx_int_t
ngx_http_pki_ocsp_cached(ngx_http_request_t *r, ngx_http_pki_ocsp_t *o,
    ngx_http_pki_issuer_t *issuer, const ngx_http_pki_key_t *key,
    ngx_http_pki_answer_t *answer)
{
    time_t          now;
    ngx_int_t       rc;
    pki_verdict_t  *verdict;

    if (!ngx_http_pki_heard(o->mcf, issuer->store)) {
        return NGX_DECLINED;
    }

    rc = ngx_http_pki_cache_get(&o->mcf->zone, key, r->pool, answer);

    if (rc != NGX_OK) {
        return rc;
    }

    now = ngx_time();
    verdict = &answer->verdict;

    if (verdict->this_update > now
        || verdict->next_update - now
           <= (verdict->next_update - verdict->this_update) / 4)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_http_pki_ocsp_key(ngx_http_pki_issuer_t *issuer, const pki_certid_t *id,
    const pki_serial_t *serial, ngx_http_pki_key_t *key)
{
    u_char  *p;

    p = ngx_cpymem(key->data, issuer->identity, PKI_FINGERPRINT_LEN);

    *p++ = (u_char) id->digest;
    *p++ = (u_char) id->null_params;
    *p++ = (u_char) serial->len;

    p = ngx_cpymem(p, serial->data, serial->len);

    key->len = p - key->data;
}


static ngx_int_t
ngx_http_pki_ocsp_ask(ngx_http_request_t *r, ngx_http_pki_ocsp_t *o,
    ngx_uint_t n, const pki_serial_t *serial)
{
    ngx_int_t            rc;
    ngx_http_pki_ctx_t  *ctx;

    ctx = ngx_http_pki_get_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->data = o;

    rc = ngx_http_pki_ask(r, o->issuers[n], serial, ngx_http_pki_ocsp_found,
                          n);

    if (rc == NGX_DECLINED) {
        o->joined = 1;
        rc = NGX_OK;
    }

    if (rc == NGX_OK) {
        o->pending++;
    }

    return rc;
}


static void
ngx_http_pki_ocsp_found(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply)
{
    const ngx_http_pki_told_t *told = reply;

    ngx_int_t             rc;
    pki_facts_t           facts;
    ngx_http_pki_ctx_t   *ctx;
    ngx_http_pki_ocsp_t  *o;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);
    o = ctx->data;

    if (told == NULL || told->found->result != PKI_STORE_DONE) {
        ngx_http_pki_finalize(r, ngx_http_pki_ocsp_without_store(r, o));
        return;
    }

    o->pending--;

    /* overtaken by news: what was found may be older than a revocation */

    if (!ngx_http_pki_ticket_valid(&o->mcf->zone, told->ticket)) {

        if (o->retries++ == NGX_HTTP_PKI_RETRIES * o->request.ncerts) {
            rc = ngx_http_pki_ocsp_error(r, PKI_OCSP_TRY_LATER);
            ngx_http_pki_finalize(r, rc);
            return;
        }

        rc = ngx_http_pki_ocsp_ask(r, o, n, &told->question->store.serial);

        if (rc != NGX_OK) {
            ngx_http_pki_finalize(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        }

        return;
    }

    pki_question_facts(&o->issuers[n]->view, told->question, told->found,
                       &facts);

    (void) pki_verdict(&o->verdicts[n], &facts, &o->issuers[n]->policy,
                       ngx_time(), NULL);

    o->ticket = *told->ticket;
    o->asked = 1;

    if (o->pending == 0) {
        ngx_http_pki_finalize(r, ngx_http_pki_ocsp_finish(r, o));
    }
}


/*
 * No store: an answer that was signed and never forgotten may be kept by
 * its clients until it ends, so it may be handed out until then as well.
 */

static ngx_int_t
ngx_http_pki_ocsp_without_store(ngx_http_request_t *r, ngx_http_pki_ocsp_t *o)
{
    ngx_http_pki_answer_t  answer;

    if (o->plain && o->mcf->stale_answers
        && ngx_http_pki_cache_get(&o->mcf->zone, &o->key, r->pool, &answer)
           == NGX_OK
        && answer.der.len
        && answer.verdict.this_update <= ngx_time()
        && answer.verdict.next_update > ngx_time())
    {
        ngx_http_pki_count(&o->mcf->zone, NGX_HTTP_PKI_STAT_STALE, 1);
        return ngx_http_pki_ocsp_send(r, o, &answer);
    }

    return ngx_http_pki_ocsp_error(r, PKI_OCSP_TRY_LATER);
}


/* all verdicts are there */

static ngx_int_t
ngx_http_pki_ocsp_finish(ngx_http_request_t *r, ngx_http_pki_ocsp_t *o)
{
    time_t                 end;
    ngx_int_t              rc;
    ngx_uint_t             n;
    pki_signer_t          *signer;
    ngx_http_pki_answer_t  answer;

    /* the first of those who waited together has signed for all */

    if (o->joined && o->plain
        && ngx_http_pki_ocsp_cached(r, o, o->issuers[0], &o->key, &answer)
           == NGX_OK
        && answer.der.len)
    {
        return ngx_http_pki_ocsp_send(r, o, &answer);
    }

    for (n = 0; n < o->request.ncerts; n++) {
        if (o->verdicts[n].outcome == PKI_OUTCOME_LATER) {
            return ngx_http_pki_ocsp_error(r, PKI_OCSP_TRY_LATER);
        }
    }

    signer = ngx_http_pki_signer(o->mcf, o->issuers[0], r->connection->log);
    if (signer == NULL) {
        return ngx_http_pki_ocsp_error(r, PKI_OCSP_TRY_LATER);
    }

    end = pki_signer_not_after(signer);

    for (n = 0; n < o->request.ncerts; n++) {
        o->verdicts[n].next_update = ngx_min(o->verdicts[n].next_update, end);
    }

    answer.verdict = o->verdicts[0];

    rc = ngx_http_pki_ocsp_sign(r, o, signer, &answer.der);

    if (rc == NGX_DECLINED) {
        return ngx_http_pki_ocsp_error(r, PKI_OCSP_INTERNAL_ERROR);
    }

    ngx_str_null(&answer.headers);

    if (rc != NGX_OK
        || (o->request.nonce.len == 0
            && ngx_http_pki_ocsp_headers(r, &answer) != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_pki_ocsp_keep(o, &answer);

    for (n = 1; n < o->request.ncerts; n++) {
        ngx_http_pki_count(&o->mcf->zone,
                           NGX_HTTP_PKI_STAT_GOOD + o->verdicts[n].outcome, 1);

        if (o->verdicts[n].next_update < answer.verdict.next_update) {
            answer.verdict.next_update = o->verdicts[n].next_update;
        }
    }

    return ngx_http_pki_ocsp_send(r, o, &answer);
}


/* NGX_DECLINED: the signer failed */

static ngx_int_t
ngx_http_pki_ocsp_sign(ngx_http_request_t *r, ngx_http_pki_ocsp_t *o,
    pki_signer_t *signer, ngx_str_t *der)
{
    size_t              size;
    pki_rc_t            rc;
    pki_err_t           err;
    ngx_uint_t          usec;
    struct timespec     start, end;
    pki_ocsp_answer_t   answer;

    answer.certs = o->certs;
    answer.verdicts = o->verdicts;
    answer.n = o->request.ncerts;
    answer.nonce = o->request.nonce;
    answer.produced_at = ngx_time();
    answer.archive_cutoff = o->issuers[0]->archive_cutoff
                            ? ngx_time() - o->issuers[0]->archive_cutoff : 0;

    size = pki_ocsp_answer_size(&answer, signer);

    der->data = ngx_pnalloc(r->pool, size);
    if (der->data == NULL) {
        return NGX_ERROR;
    }

    clock_gettime(CLOCK_MONOTONIC, &start);

    rc = pki_ocsp_sign(&answer, signer, &o->request, der->data, size,
                       &der->len, &err);

    clock_gettime(CLOCK_MONOTONIC, &end);

    usec = (end.tv_sec - start.tv_sec) * 1000000
           + (end.tv_nsec - start.tv_nsec) / 1000;

    ngx_http_pki_count(&o->mcf->zone, NGX_HTTP_PKI_STAT_SIGN_USEC, usec);
    ngx_http_pki_count(&o->mcf->zone,
                       rc == PKI_OK ? NGX_HTTP_PKI_STAT_SIGNATURES
                                    : NGX_HTTP_PKI_STAT_SIGN_FAILURES, 1);

    if (rc != PKI_OK) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "pki issuer \"%V\": signing failed: %s",
                      &o->issuers[0]->name, err.text);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * What every hit would have to make again: ETag, then Expires.  Two answers
 * to one URL are told apart by their second and a hash; nobody gains from
 * making them clash.
 */

static ngx_int_t
ngx_http_pki_ocsp_headers(ngx_http_request_t *r, ngx_http_pki_answer_t *answer)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, NGX_HTTP_PKI_ETAG_LEN + NGX_HTTP_PKI_EXPIRES_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    answer->headers.data = p;
    answer->headers.len = NGX_HTTP_PKI_ETAG_LEN + NGX_HTTP_PKI_EXPIRES_LEN;

    p = ngx_sprintf(p, "\"%016xL%08xD\"", (int64_t) answer->verdict.this_update,
                    ngx_murmur_hash2(answer->der.data, answer->der.len));

    (void) ngx_http_time(p, answer->verdict.next_update);

    return NGX_OK;
}


/*
 * Unknown is not kept: whoever makes up serial numbers could fill the ring.
 * An answer with a nonce is nobody else's, but its verdict is.
 */

static void
ngx_http_pki_ocsp_keep(ngx_http_pki_ocsp_t *o, ngx_http_pki_answer_t *answer)
{
    ngx_http_pki_answer_t  kept;

    if (!o->asked || o->request.ncerts > 1
        || answer->verdict.outcome > PKI_OUTCOME_REVOKED
        || answer->verdict.extended)
    {
        return;
    }

    kept = *answer;

    if (!o->plain) {
        ngx_str_null(&kept.headers);
        ngx_str_null(&kept.der);
    }

    ngx_http_pki_cache_put(&o->mcf->zone, &o->key, &o->ticket, &kept);
}


static ngx_int_t
ngx_http_pki_ocsp_send(ngx_http_request_t *r, ngx_http_pki_ocsp_t *o,
    ngx_http_pki_answer_t *answer)
{
    ngx_int_t   rc;
    ngx_uint_t  n, unknown;

    ngx_http_pki_count(&o->mcf->zone,
                       NGX_HTTP_PKI_STAT_GOOD + answer->verdict.outcome, 1);

    if (r->method != NGX_HTTP_POST && o->request.nonce.len == 0) {

        unknown = (answer->verdict.outcome == PKI_OUTCOME_UNKNOWN
                   || answer->verdict.extended);

        for (n = 1; n < o->request.ncerts; n++) {
            unknown |= (o->verdicts[n].outcome == PKI_OUTCOME_UNKNOWN
                        || o->verdicts[n].extended);
        }

        if (unknown) {
            rc = ngx_http_pki_header(r, &ngx_http_pki_cache_control,
                                     &ngx_http_pki_no_cache)
                 ? NGX_OK : NGX_ERROR;

        } else {
            rc = ngx_http_pki_ocsp_cacheable(r, answer);
        }

        if (rc != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return ngx_http_pki_reply(r, NGX_HTTP_OK, &ngx_http_pki_ocsp_type,
                              answer->der.data, answer->der.len);
}


/* RFC 5019, section 6; max-age counts down to nextUpdate, as Expires does */

static ngx_int_t
ngx_http_pki_ocsp_cacheable(ngx_http_request_t *r,
    ngx_http_pki_answer_t *answer)
{
    u_char     *p;
    time_t      age;
    ngx_str_t   value;

    static ngx_str_t  etag = ngx_string("ETag");
    static ngx_str_t  expires = ngx_string("Expires");
    static u_char     directives[] =
                                   ", public, no-transform, must-revalidate";

    value.data = answer->headers.data;
    value.len = NGX_HTTP_PKI_ETAG_LEN;

    r->headers_out.etag = ngx_http_pki_header(r, &etag, &value);
    if (r->headers_out.etag == NULL) {
        return NGX_ERROR;
    }

    value.data += NGX_HTTP_PKI_ETAG_LEN;
    value.len = NGX_HTTP_PKI_EXPIRES_LEN;

    if (ngx_http_pki_header(r, &expires, &value) == NULL) {
        return NGX_ERROR;
    }

    age = ngx_max(answer->verdict.next_update - ngx_time(), 0);

    value.data = ngx_pnalloc(r->pool, sizeof("max-age=") + NGX_TIME_T_LEN
                                      + sizeof(directives));
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(value.data, "max-age=%T", age);
    p = ngx_cpymem(p, directives, sizeof(directives) - 1);
    value.len = p - value.data;

    if (ngx_http_pki_header(r, &ngx_http_pki_cache_control, &value) == NULL) {
        return NGX_ERROR;
    }

    r->headers_out.last_modified_time = answer->verdict.this_update;

    return NGX_OK;
}


/* unsigned, with HTTP 200: many clients do not look into other replies */

static ngx_int_t
ngx_http_pki_ocsp_error(ngx_http_request_t *r, pki_ocsp_status_t status)
{
    ngx_uint_t                 i;
    pki_bytes_t                der;
    ngx_http_pki_main_conf_t  *mcf;

    static struct {
        pki_ocsp_status_t      status;
        ngx_http_pki_stat_e    stat;
        const char            *name;
    } errors[] = {
        { PKI_OCSP_MALFORMED_REQUEST, NGX_HTTP_PKI_STAT_MALFORMED,
          "malformedRequest" },
        { PKI_OCSP_UNAUTHORIZED, NGX_HTTP_PKI_STAT_UNAUTHORIZED,
          "unauthorized" },
        { PKI_OCSP_TRY_LATER, NGX_HTTP_PKI_STAT_LATER, "tryLater" },
        { PKI_OCSP_INTERNAL_ERROR, NGX_HTTP_PKI_STAT_INTERNAL,
          "internalError" }
    };

    mcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);

    for (i = 0; errors[i].status != status; i++) { /* void */ }

    ngx_http_pki_count(&mcf->zone, errors[i].stat, 1);

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "pki ocsp: answered \"%s\"", errors[i].name);

    if (ngx_http_pki_header(r, &ngx_http_pki_cache_control,
                            &ngx_http_pki_no_store)
        == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    der = pki_ocsp_error(status);

    return ngx_http_pki_reply(r, NGX_HTTP_OK, &ngx_http_pki_ocsp_type,
                              (u_char *) der.data, der.len);
}

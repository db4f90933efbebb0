
/*
 * Webhooks of directories: hints, nothing more.
 *
 * A hook that proves the directory's hook secret makes the poller look at
 * the objects it names, or do a round.  It never changes a state itself, so
 * a forged one does nothing, and a flood of good ones costs what Redis takes
 * to see that the same was wanted already.
 *
 *   Graph    validationToken handshake; notifications with a clientState
 *   Jamf     a webhook; Authorization with the secret, Bearer or Basic
 *   others   any POST with such an Authorization asks for a round
 */

#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_HOOK_BODY    (1024 * 1024)
#define NGX_HTTP_PKI_HOOK_TOKEN   4096      /* Graph's have some hundred */
#define NGX_HTTP_PKI_HOOK_IDS     8         /* more at once are a round */


typedef struct {
    ngx_http_pki_main_conf_t  *mcf;
    ngx_http_pki_directory_t  *directory;
    ngx_uint_t                 items;       /* with the right secret */
    ngx_uint_t                 forged;
    ngx_uint_t                 round;       /* a round is better */
    ngx_uint_t                 n;
    char                       ids[NGX_HTTP_PKI_HOOK_IDS][PKI_OBJECT_ID_SIZE];
    ngx_uint_t                 pending;
    ngx_uint_t                 failed;
} ngx_http_pki_hook_t;


static void ngx_http_pki_hook_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_pki_hook_process(ngx_http_request_t *r);
static void ngx_http_pki_hook_forged(ngx_http_request_t *r,
    ngx_http_pki_directory_t *directory);
static ngx_int_t ngx_http_pki_hook_validate(ngx_http_request_t *r,
    ngx_str_t *token);
static ngx_int_t ngx_http_pki_hook_read(ngx_http_pki_hook_t *h,
    const pki_page_shape_t *shape, pki_page_item_pt item, ngx_str_t *body,
    pki_page_t **page);
static ngx_int_t ngx_http_pki_hook_graph(ngx_http_pki_hook_t *h,
    ngx_str_t *body);
static pki_rc_t ngx_http_pki_hook_item(void *data, const pki_value_t *values);
static ngx_int_t ngx_http_pki_hook_jamf(ngx_http_pki_hook_t *h,
    ngx_str_t *body);
static ngx_uint_t ngx_http_pki_hook_authorized(ngx_http_request_t *r,
    ngx_str_t *secret);
static ngx_uint_t ngx_http_pki_hook_equal(const u_char *data, size_t len,
    ngx_str_t *secret);
static void ngx_http_pki_hook_add(ngx_http_pki_hook_t *h, const char *id);
static ngx_int_t ngx_http_pki_hook_tell(ngx_http_request_t *r,
    ngx_http_pki_hook_t *h);
static void ngx_http_pki_hook_told(ngx_http_request_t *r, ngx_uint_t n,
    const void *reply);


static const char  *ngx_http_pki_graph_paths[] = {
    "clientState",
    "resourceData/id",
    "lifecycleEvent",
    NULL
};

static const pki_page_shape_t  ngx_http_pki_graph_shape = {
    "value", ngx_http_pki_graph_paths, NULL
};


static const char  *ngx_http_pki_jamf_paths[] = {
    "webhook/webhookEvent",
    "event/jssID",
    NULL
};

static const pki_page_shape_t  ngx_http_pki_jamf_shape = {
    NULL, NULL, ngx_http_pki_jamf_paths
};


ngx_int_t
ngx_http_pki_hook_handler(ngx_http_request_t *r)
{
    ngx_http_pki_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);

    if (!(r->method & NGX_HTTP_POST)) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    if (ngx_http_pki_get_worker(mcf) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_pki_read_body(r, NGX_HTTP_PKI_HOOK_BODY,
                                  ngx_http_pki_hook_body_handler);
}


static void
ngx_http_pki_hook_body_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_pki_hook_process(r);

    if (rc != NGX_BUSY) {
        ngx_http_pki_finalize(r, rc);
    }
}


static ngx_int_t
ngx_http_pki_hook_process(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_str_t                 token, body;
    ngx_http_pki_ctx_t       *ctx;
    ngx_http_pki_hook_t      *h;
    ngx_http_pki_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_pki_module);

    ctx = ngx_http_pki_get_ctx(r);
    h = ngx_pcalloc(r->pool, sizeof(ngx_http_pki_hook_t));

    if (ctx == NULL || h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->data = h;
    h->mcf = ngx_http_get_module_main_conf(r, ngx_http_pki_module);
    h->directory = lcf->directory;

    rc = ngx_http_pki_body(r, NGX_HTTP_PKI_HOOK_BODY, &body);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_HTTP_REQUEST_ENTITY_TOO_LARGE
                                  : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (h->directory->conf.dialect == &pki_entra) {

        if (ngx_http_arg(r, (u_char *) "validationToken", 15, &token)
            == NGX_OK)
        {
            return ngx_http_pki_hook_validate(r, &token);
        }

        rc = ngx_http_pki_hook_graph(h, &body);

    } else if (!ngx_http_pki_hook_authorized(r, &h->directory->hook_secret)) {
        h->forged = 1;

    } else if (h->directory->conf.dialect == &pki_jamf) {
        rc = ngx_http_pki_hook_jamf(h, &body);

    } else {
        h->round = 1;
    }

    if (h->forged) {
        ngx_http_pki_hook_forged(r, h->directory);
    }

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_HTTP_BAD_REQUEST
                                  : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (h->n == 0 && !h->round) {
        return h->forged ? NGX_HTTP_FORBIDDEN : NGX_HTTP_NO_CONTENT;
    }

    return ngx_http_pki_hook_tell(r, h);
}


/* a line a second on this host, however many come to however many workers */

static void
ngx_http_pki_hook_forged(ngx_http_request_t *r,
    ngx_http_pki_directory_t *directory)
{
    ngx_atomic_uint_t  now, at;

    now = (ngx_atomic_uint_t) ngx_time();
    at = directory->sh->forged_at;

    if (at != now && ngx_atomic_cmp_set(&directory->sh->forged_at, at, now)) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "pki hook \"%V\": the secret is wrong",
                      &directory->name);
    }
}


/* strangers can come here: only what cannot be mistaken for anything else */

static ngx_int_t
ngx_http_pki_hook_validate(ngx_http_request_t *r, ngx_str_t *token)
{
    size_t      i;
    u_char     *dst, *src;
    ngx_str_t   text;

    static ngx_str_t  type = ngx_string("text/plain");
    static ngx_str_t  name = ngx_string("X-Content-Type-Options");
    static ngx_str_t  value = ngx_string("nosniff");

    if (token->len > NGX_HTTP_PKI_HOOK_TOKEN) {
        return NGX_HTTP_BAD_REQUEST;
    }

    text.data = ngx_pnalloc(r->pool, token->len + 1);
    if (text.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* a form's spaces, before an escaped "+" looks like one */

    for (i = 0; i < token->len; i++) {
        text.data[i] = token->data[i] == '+' ? ' ' : token->data[i];
    }

    dst = text.data;
    src = text.data;

    ngx_unescape_uri(&dst, &src, token->len, 0);

    text.len = dst - text.data;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < ' ' || text.data[i] > '~') {
            return NGX_HTTP_BAD_REQUEST;
        }
    }

    if (text.len == 0) {
        return NGX_HTTP_BAD_REQUEST;
    }

    if (ngx_http_pki_header(r, &name, &value) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_pki_reply(r, NGX_HTTP_OK, &type, text.data, text.len);
}


/* NGX_DECLINED: the body is not what it should be */

static ngx_int_t
ngx_http_pki_hook_read(ngx_http_pki_hook_t *h, const pki_page_shape_t *shape,
    pki_page_item_pt item, ngx_str_t *body, pki_page_t **page)
{
    pki_rc_t   rc;
    pki_err_t  err;

    *page = pki_page_create(shape, item, h);
    if (*page == NULL) {
        return NGX_ERROR;
    }

    rc = pki_page_feed(*page, (char *) body->data, body->len, &err);

    if (rc == PKI_OK) {
        rc = pki_page_end(*page, &err);
    }

    if (rc == PKI_OK) {
        return NGX_OK;
    }

    return rc == PKI_ERROR ? NGX_ERROR : NGX_DECLINED;
}


static ngx_int_t
ngx_http_pki_hook_graph(ngx_http_pki_hook_t *h, ngx_str_t *body)
{
    ngx_int_t    rc;
    pki_page_t  *page;

    rc = ngx_http_pki_hook_read(h, &ngx_http_pki_graph_shape,
                                ngx_http_pki_hook_item, body, &page);
    pki_page_destroy(page);

    return rc;
}


static pki_rc_t
ngx_http_pki_hook_item(void *data, const pki_value_t *values)
{
    ngx_http_pki_hook_t *h = data;

    char  id[PKI_OBJECT_ID_SIZE];

    if (values[0].type != PKI_VALUE_STRING
        || !ngx_http_pki_hook_equal((u_char *) values[0].string, values[0].len,
                                    &h->directory->hook_secret))
    {
        h->forged = 1;
        return PKI_OK;
    }

    if (values[2].type == PKI_VALUE_STRING
        || pki_item_guid(id, "user", &values[1]) != PKI_OK)
    {
        h->round = 1;
        return PKI_OK;
    }

    ngx_http_pki_hook_add(h, id);

    return PKI_OK;
}


static ngx_int_t
ngx_http_pki_hook_jamf(ngx_http_pki_hook_t *h, ngx_str_t *body)
{
    char                id[PKI_OBJECT_ID_SIZE];
    const char         *class;
    ngx_int_t           rc;
    pki_page_t         *page;
    const pki_value_t  *event, *jss_id;

    rc = ngx_http_pki_hook_read(h, &ngx_http_pki_jamf_shape, NULL, body,
                                &page);

    if (rc == NGX_OK) {
        event = pki_page_top(page, 0);
        jss_id = pki_page_top(page, 1);

        class = NULL;

        if (event->type == PKI_VALUE_STRING) {
            if (ngx_strncmp(event->string, "Computer", 8) == 0) {
                class = "jamf-computer";

            } else if (ngx_strncmp(event->string, "MobileDevice", 12) == 0) {
                class = "jamf-device";
            }
        }

        if (class && pki_item_number(id, class, jss_id) == PKI_OK) {
            ngx_http_pki_hook_add(h, id);

        } else {
            h->round = 1;
        }
    }

    pki_page_destroy(page);

    return rc;
}


static ngx_uint_t
ngx_http_pki_hook_authorized(ngx_http_request_t *r, ngx_str_t *secret)
{
    u_char     *p;
    ngx_str_t   value, text;

    if (r->headers_in.authorization == NULL) {
        return 0;
    }

    value = r->headers_in.authorization->value;

    if (value.len > 7
        && ngx_strncasecmp(value.data, (u_char *) "Bearer ", 7) == 0)
    {
        return ngx_http_pki_hook_equal(value.data + 7, value.len - 7, secret);
    }

    if (value.len <= 6
        || ngx_strncasecmp(value.data, (u_char *) "Basic ", 6) != 0)
    {
        return 0;
    }

    value.data += 6;
    value.len -= 6;

    text.data = ngx_pnalloc(r->pool, ngx_base64_decoded_length(value.len));

    if (text.data == NULL || ngx_decode_base64(&text, &value) != NGX_OK) {
        return 0;
    }

    /* whoever it is, the password counts */

    p = ngx_strlchr(text.data, text.data + text.len, ':');

    return p && ngx_http_pki_hook_equal(p + 1, text.data + text.len - (p + 1),
                                        secret);
}


/* in a time that tells nothing about the secret */

static ngx_uint_t
ngx_http_pki_hook_equal(const u_char *data, size_t len, ngx_str_t *secret)
{
    u_char  a[PKI_FINGERPRINT_LEN], b[PKI_FINGERPRINT_LEN];

    return EVP_Digest(data, len, a, NULL, EVP_sha256(), NULL) == 1
           && EVP_Digest(secret->data, secret->len, b, NULL, EVP_sha256(),
                         NULL)
              == 1
           && CRYPTO_memcmp(a, b, PKI_FINGERPRINT_LEN) == 0;
}


static void
ngx_http_pki_hook_add(ngx_http_pki_hook_t *h, const char *id)
{
    ngx_uint_t  i;

    for (i = 0; i < h->n; i++) {
        if (ngx_strcmp(h->ids[i], id) == 0) {
            return;
        }
    }

    if (h->n == NGX_HTTP_PKI_HOOK_IDS) {
        h->round = 1;
        return;
    }

    ngx_cpystrn((u_char *) h->ids[h->n++], (u_char *) id, PKI_OBJECT_ID_SIZE);
}


static ngx_int_t
ngx_http_pki_hook_tell(ngx_http_request_t *r, ngx_http_pki_hook_t *h)
{
    char                 *name;
    ngx_uint_t            i;
    pki_redis_t          *redis;
    ngx_http_pki_wait_t  *wait;

    name = (char *) h->directory->name.data;
    redis = ngx_http_pki_transport(h->mcf, h->directory->store);

    for (i = h->round ? h->n : 0; i < h->n + h->round; i++) {

        wait = ngx_http_pki_wait(r, ngx_http_pki_hook_told, i,
                                 h->directory->store->timeout);
        if (wait == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        h->pending++;

        if (h->round) {
            pki_state_ask(redis, name, "asked", ngx_time(),
                          ngx_http_pki_done, wait);

        } else {
            pki_state_want(redis, name, h->ids[i], ngx_http_pki_done, wait);
        }
    }

    return NGX_BUSY;
}


/*
 * No acknowledgement, no 2xx, nor when too many objects wait already: whoever
 * sent it tries again.
 */

static void
ngx_http_pki_hook_told(ngx_http_request_t *r, ngx_uint_t n, const void *reply)
{
    const ngx_http_pki_done_t *done = reply;

    ngx_http_pki_ctx_t   *ctx;
    ngx_http_pki_hook_t  *h;

    ctx = ngx_http_get_module_ctx(r, ngx_http_pki_module);
    h = ctx->data;

    if (done == NULL || done->result == PKI_STORE_FAILED
        || done->result == PKI_STORE_CONFLICT)
    {
        ngx_http_pki_finalize(r, NGX_HTTP_SERVICE_UNAVAILABLE);
        return;
    }

    if (--h->pending == 0) {
        ngx_http_pki_finalize(r, NGX_HTTP_NO_CONTENT);
    }
}

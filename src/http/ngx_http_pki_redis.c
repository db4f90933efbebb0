
/*
 * The link to a store.  Commands of all requests travel in one pipeline;
 * each is answered once, in the order of sending.  With news, the link
 * subscribes instead.
 *
 * hiredis only encodes and decodes; socket, events and TLS are nginx's own.
 * So exactly one side closes, replies of any size arrive whole, and PING,
 * timeouts and TLS work alike with every version of hiredis.
 *
 * down -> connecting -> greeting -> up; each failure leads to down, and from
 * there a timer to the next attempt.  A command that can get no reply is
 * marked as refused and keeps its place in the queue; the posted event
 * answers it with NULL when its turn has come.
 */


#include "ngx_http_pki_module.h"


#define NGX_HTTP_PKI_REDIS_QUEUE        1024    /* at first; power of two */
#define NGX_HTTP_PKI_REDIS_QUEUE_MAX    16384   /* then commands are refused */
#define NGX_HTTP_PKI_REDIS_OUT_MAX      (16 * 1024 * 1024)
#define NGX_HTTP_PKI_REDIS_OUT_KEEP     (64 * 1024)     /* when idle */
#define NGX_HTTP_PKI_REDIS_IN           16384

/* nothing we ask for comes near; whoever sends more is not our Redis */
#define NGX_HTTP_PKI_REDIS_REPLY_MAX    (64 * 1024 * 1024)

/* milliseconds */
#define NGX_HTTP_PKI_REDIS_BACKOFF      50
#define NGX_HTTP_PKI_REDIS_BACKOFF_MAX  5000
#define NGX_HTTP_PKI_REDIS_PAUSE        100     /* while Redis is loading */
#define NGX_HTTP_PKI_REDIS_PAUSE_SPAN   400
#define NGX_HTTP_PKI_REDIS_IDLE         10000   /* then see if it is alive */


typedef enum {
    NGX_HTTP_PKI_REDIS_DOWN = 0,
    NGX_HTTP_PKI_REDIS_CONNECTING,      /* and TLS handshake */
    NGX_HTTP_PKI_REDIS_GREETING,
    NGX_HTTP_PKI_REDIS_UP
} ngx_http_pki_redis_state_e;


typedef struct {
    pki_redis_reply_pt           reply;
    void                        *data;
    uint64_t                     sent_at;       /* microseconds */
    ngx_uint_t                   refused;
} ngx_http_pki_redis_cmd_t;


typedef struct {
    int                          argc;
    const char                  *argv[3];
    size_t                       len[3];
    const char                  *expected;
    const char                  *refused;       /* for the log */
    unsigned                     optional:1;
    unsigned                     secret:1;      /* an error may quote it */
} ngx_http_pki_redis_step_t;


typedef struct {
    u_char                      *data;
    size_t                       size;
    size_t                       pos;
    size_t                       last;
} ngx_http_pki_redis_out_t;


struct ngx_http_pki_redis_s {
    pki_redis_t                  transport;     /* must be first */

    ngx_http_pki_store_t        *store;
    ngx_http_pki_store_sh_t     *sh;
    ngx_http_pki_news_t         *news;
    ngx_log_t                   *log;

    ngx_http_pki_redis_state_e   state;
    ngx_connection_t            *connection;
    redisReader                 *reader;
    size_t                       fed;           /* of the unfinished reply */

    ngx_http_pki_redis_step_t    steps[5];
    ngx_uint_t                   nsteps;
    ngx_uint_t                   step;

    ngx_http_pki_redis_cmd_t    *cmds;          /* a ring */
    ngx_uint_t                   size;          /* a power of two */
    ngx_uint_t                   first;
    ngx_uint_t                   waiting;

    ngx_http_pki_redis_out_t     own;           /* greeting and pings */
    ngx_http_pki_redis_out_t     out;           /* commands */

    ngx_event_t                  timer;         /* one per state */
    ngx_event_t                  tick;          /* pause, ping */
    ngx_event_t                  posted;

    ngx_msec_t                   moved_at;      /* since then we wait */
    ngx_msec_t                   backoff;

    const char                  *cause;         /* of the last failure */
    time_t                       logged_at;

    unsigned                     broken:1;      /* since it was up */
    unsigned                     pinging:1;
    unsigned                     ending:1;

    u_char                       database[NGX_INT_T_LEN];
    u_char                       in[NGX_HTTP_PKI_REDIS_IN];
};


static void ngx_http_pki_redis_steps(ngx_http_pki_redis_t *link);
static ngx_http_pki_redis_step_t *ngx_http_pki_redis_step(
    ngx_http_pki_redis_t *link, const char *name, const char *expected,
    const char *refused);
static void ngx_http_pki_redis_argument(ngx_http_pki_redis_step_t *step,
    u_char *data, size_t len);

static void ngx_http_pki_redis_connect(ngx_http_pki_redis_t *link);
static ngx_connection_t *ngx_http_pki_redis_socket(ngx_http_pki_redis_t *link);
static void ngx_http_pki_redis_connected(ngx_http_pki_redis_t *link);
static void ngx_http_pki_redis_secure(ngx_http_pki_redis_t *link);
static ngx_int_t ngx_http_pki_redis_name(ngx_http_pki_redis_t *link,
    ngx_connection_t *c);
static void ngx_http_pki_redis_secured(ngx_connection_t *c);
static void ngx_http_pki_redis_greet(ngx_http_pki_redis_t *link);
static void ngx_http_pki_redis_greeted(ngx_http_pki_redis_t *link,
    const redisReply *reply);
static void ngx_http_pki_redis_up(ngx_http_pki_redis_t *link);

static void ngx_http_pki_redis_send(pki_redis_t *redis, int argc,
    const char **argv, const size_t *argvlen, pki_redis_reply_pt reply,
    void *data);
static ngx_http_pki_redis_cmd_t *ngx_http_pki_redis_push(
    ngx_http_pki_redis_t *link);
static void ngx_http_pki_redis_grow(ngx_http_pki_redis_t *link);
static void ngx_http_pki_redis_pop(ngx_http_pki_redis_t *link,
    const redisReply *reply);
static void ngx_http_pki_redis_posted(ngx_event_t *ev);
static ngx_int_t ngx_http_pki_redis_append(ngx_http_pki_redis_out_t *out,
    int argc, const char **argv, const size_t *argvlen);
static u_char *ngx_http_pki_redis_reserve(ngx_http_pki_redis_out_t *out,
    size_t len);
static void ngx_http_pki_redis_flush(ngx_http_pki_redis_t *link);
static ngx_int_t ngx_http_pki_redis_write(ngx_connection_t *c,
    ngx_http_pki_redis_out_t *out);

static void ngx_http_pki_redis_write_handler(ngx_event_t *wev);
static void ngx_http_pki_redis_read_handler(ngx_event_t *rev);
static void ngx_http_pki_redis_parse(ngx_http_pki_redis_t *link, size_t len);
static void ngx_http_pki_redis_reply(ngx_http_pki_redis_t *link,
    const redisReply *reply);
static void ngx_http_pki_redis_news(ngx_http_pki_redis_t *link,
    const redisReply *reply);
static void ngx_http_pki_redis_unasked(ngx_http_pki_redis_t *link,
    const redisReply *reply);
static ngx_uint_t ngx_http_pki_redis_is(const redisReply *reply,
    const char *word);

static void ngx_http_pki_redis_timer_handler(ngx_event_t *ev);
static void ngx_http_pki_redis_tick_handler(ngx_event_t *ev);
static void ngx_http_pki_redis_ping(ngx_http_pki_redis_t *link);
static void ngx_http_pki_redis_pinged(void *data, const redisReply *reply);
static void ngx_http_pki_redis_watch(ngx_http_pki_redis_t *link);
static void ngx_http_pki_redis_latency(ngx_http_pki_redis_t *link,
    uint64_t sent_at);
static uint64_t ngx_http_pki_redis_usec(void);

static void ngx_http_pki_redis_fail(ngx_http_pki_redis_t *link, ngx_err_t err,
    const char *cause, const char *detail, size_t len);
static void ngx_http_pki_redis_drop(ngx_http_pki_redis_t *link);
static void ngx_http_pki_redis_close(ngx_connection_t *c);


ngx_http_pki_redis_t *
ngx_http_pki_redis_create(ngx_cycle_t *cycle, ngx_http_pki_store_t *store,
    ngx_http_pki_store_sh_t *sh, ngx_http_pki_news_t *news)
{
    ngx_http_pki_redis_t  *link;

    link = ngx_calloc(sizeof(ngx_http_pki_redis_t), cycle->log);
    if (link == NULL) {
        return NULL;
    }

    link->size = NGX_HTTP_PKI_REDIS_QUEUE;

    link->cmds = ngx_alloc(link->size * sizeof(ngx_http_pki_redis_cmd_t),
                           cycle->log);
    if (link->cmds == NULL) {
        ngx_free(link);
        return NULL;
    }

    link->transport.send = ngx_http_pki_redis_send;
    link->store = store;
    link->sh = sh;
    link->news = news;
    link->log = cycle->log;
    link->backoff = NGX_HTTP_PKI_REDIS_BACKOFF;

    /* requests hold timers of their own; ours must not keep a worker */

    link->timer.handler = ngx_http_pki_redis_timer_handler;
    link->timer.data = link;
    link->timer.log = link->log;
    link->timer.cancelable = 1;

    link->tick.handler = ngx_http_pki_redis_tick_handler;
    link->tick.data = link;
    link->tick.log = link->log;
    link->tick.cancelable = 1;

    link->posted.handler = ngx_http_pki_redis_posted;
    link->posted.data = link;
    link->posted.log = link->log;

    ngx_http_pki_redis_steps(link);

    ngx_http_pki_redis_connect(link);

    return link;
}


void
ngx_http_pki_redis_destroy(ngx_http_pki_redis_t *link)
{
    link->ending = 1;

    ngx_http_pki_redis_drop(link);

    while (link->waiting) {
        ngx_http_pki_redis_pop(link, NULL);
    }

    if (link->posted.posted) {
        ngx_delete_posted_event(&link->posted);
    }

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    if (link->own.data) {
        ngx_free(link->own.data);
    }

    if (link->out.data) {
        ngx_free(link->out.data);
    }

    ngx_free(link->cmds);
    ngx_free(link);
}


pki_redis_t *
ngx_http_pki_redis_transport(ngx_http_pki_redis_t *link)
{
    return &link->transport;
}


static void
ngx_http_pki_redis_steps(ngx_http_pki_redis_t *link)
{
    u_char                     *last;
    ngx_http_pki_store_t       *store;
    ngx_http_pki_redis_step_t  *step;

    store = link->store;

    if (store->secret.len) {
        step = ngx_http_pki_redis_step(link, "AUTH", "OK", "AUTH was refused");
        step->secret = 1;

        if (store->user.len) {
            ngx_http_pki_redis_argument(step, store->user.data,
                                        store->user.len);
        }

        ngx_http_pki_redis_argument(step, store->secret.data,
                                    store->secret.len);
    }

    if (store->database) {
        last = ngx_sprintf(link->database, "%i", store->database);

        step = ngx_http_pki_redis_step(link, "SELECT", "OK",
                                       "SELECT was refused");
        ngx_http_pki_redis_argument(step, link->database,
                                    last - link->database);
    }

    (void) ngx_http_pki_redis_step(link, "PING", "PONG", "PING was refused");

    /* a name is a comfort, which an access list may forbid */

    step = ngx_http_pki_redis_step(link, "CLIENT", "OK", NULL);
    ngx_http_pki_redis_argument(step, (u_char *) "SETNAME", 7);
    ngx_http_pki_redis_argument(step, (u_char *) "nginx-pki", 9);
    step->optional = 1;

    if (link->news) {
        step = ngx_http_pki_redis_step(link, "SUBSCRIBE", "subscribe",
                                       "SUBSCRIBE was refused");
        ngx_http_pki_redis_argument(step, (u_char *) PKI_NEWS_CHANNEL,
                                    sizeof(PKI_NEWS_CHANNEL) - 1);
    }
}


static ngx_http_pki_redis_step_t *
ngx_http_pki_redis_step(ngx_http_pki_redis_t *link, const char *name,
    const char *expected, const char *refused)
{
    ngx_http_pki_redis_step_t  *step;

    step = &link->steps[link->nsteps++];

    ngx_http_pki_redis_argument(step, (u_char *) name, ngx_strlen(name));
    step->expected = expected;
    step->refused = refused;

    return step;
}


static void
ngx_http_pki_redis_argument(ngx_http_pki_redis_step_t *step, u_char *data,
    size_t len)
{
    step->argv[step->argc] = (char *) data;
    step->len[step->argc] = len;
    step->argc++;
}


static void
ngx_http_pki_redis_connect(ngx_http_pki_redis_t *link)
{
    ngx_err_t          err;
    ngx_addr_t        *addr;
    ngx_connection_t  *c;

    addr = link->store->addr;

    link->state = NGX_HTTP_PKI_REDIS_CONNECTING;
    link->step = 0;
    link->fed = 0;

    ngx_add_timer(&link->timer, link->store->timeout);

    link->reader = redisReaderCreate();
    if (link->reader == NULL) {
        ngx_http_pki_redis_fail(link, 0, "no memory", NULL, 0);
        return;
    }

    c = ngx_http_pki_redis_socket(link);
    if (c == NULL) {
        return;
    }

    if (connect(c->fd, addr->sockaddr, addr->socklen) == -1) {
        err = ngx_socket_errno;

        if (err != NGX_EINPROGRESS) {
            ngx_http_pki_redis_fail(link, err, "connect() failed", NULL, 0);
            return;
        }
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK
        || ngx_handle_write_event(c->write, 0) != NGX_OK)
    {
        ngx_http_pki_redis_fail(link, 0, "no events", NULL, 0);
        return;
    }

    /* if it is connected already, the events say so at once */
}


static ngx_connection_t *
ngx_http_pki_redis_socket(ngx_http_pki_redis_t *link)
{
    int                family;
    ngx_err_t          err;
    ngx_log_t          quiet;
    ngx_socket_t       s;
    ngx_connection_t  *c;

    family = link->store->addr->sockaddr->sa_family;

    s = ngx_socket(family, SOCK_STREAM, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_http_pki_redis_fail(link, ngx_socket_errno, "socket() failed",
                                NULL, 0);
        return NULL;
    }

    /* its alert would come with each attempt; ours is counted and limited */

    quiet = *link->log;
    quiet.log_level = NGX_LOG_EMERG;

    c = ngx_get_connection(s, &quiet);

    if (c == NULL) {
        err = 0;

        if (ngx_close_socket(s) == -1) {
            err = ngx_socket_errno;
        }

        ngx_http_pki_redis_fail(link, err, "no free worker_connections",
                                NULL, 0);
        return NULL;
    }

    c->data = link;
    c->log = link->log;
    c->log_error = NGX_ERROR_INFO;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;

    c->recv = ngx_recv;
    c->send = ngx_send;

    c->read->log = link->log;
    c->read->handler = ngx_http_pki_redis_read_handler;
    c->write->log = link->log;
    c->write->handler = ngx_http_pki_redis_write_handler;

    link->connection = c;

    if (ngx_nonblocking(s) == -1) {
        ngx_http_pki_redis_fail(link, ngx_socket_errno,
                                ngx_nonblocking_n " failed", NULL, 0);
        return NULL;
    }

    if (family != AF_UNIX && ngx_tcp_nodelay(c) != NGX_OK) {
        ngx_http_pki_redis_fail(link, 0, "no TCP_NODELAY", NULL, 0);
        return NULL;
    }

    return c;
}


static void
ngx_http_pki_redis_connected(ngx_http_pki_redis_t *link)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(link->connection->fd, SOL_SOCKET, SO_ERROR, (void *) &err,
                   &len)
        == -1)
    {
        err = ngx_socket_errno;
    }

    if (err) {
        ngx_http_pki_redis_fail(link, err, "connect() failed", NULL, 0);
        return;
    }

    if (link->store->ssl) {
        ngx_http_pki_redis_secure(link);

    } else {
        ngx_http_pki_redis_greet(link);
    }
}


static void
ngx_http_pki_redis_secure(ngx_http_pki_redis_t *link)
{
    ngx_connection_t  *c;

    c = link->connection;

    c->pool = ngx_create_pool(NGX_MIN_POOL_SIZE * 8, link->log);

    if (c->pool == NULL
        || ngx_ssl_create_connection(link->store->ssl, c,
                                     NGX_SSL_BUFFER|NGX_SSL_CLIENT)
           != NGX_OK
        || ngx_http_pki_redis_name(link, c) != NGX_OK)
    {
        ngx_http_pki_redis_fail(link, 0, "TLS could not begin", NULL, 0);
        return;
    }

    /* what is left to be written may have moved when it is tried again */

    SSL_set_mode(c->ssl->connection, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);

    c->ssl->handler = ngx_http_pki_redis_secured;

    if (ngx_ssl_handshake(c) == NGX_AGAIN) {
        return;
    }

    ngx_http_pki_redis_secured(c);
}


/*
 * Whom the server must be: an address or a host, which is also announced
 * (SNI takes hosts only).  The result is part of the verification's.
 */

static ngx_int_t
ngx_http_pki_redis_name(ngx_http_pki_redis_t *link, ngx_connection_t *c)
{
    char       *name;
    ngx_str_t  *tls_name;

    tls_name = &link->store->tls_name;

    name = ngx_pnalloc(c->pool, tls_name->len + 1);
    if (name == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn((u_char *) name, tls_name->data, tls_name->len + 1);

    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c->ssl->connection),
                                      name))
    {
        return NGX_OK;
    }

    ERR_clear_error();

    if (name[0] == '\0'
        || SSL_set_tlsext_host_name(c->ssl->connection, name) != 1
        || SSL_set1_host(c->ssl->connection, name) != 1)
    {
        ngx_ssl_error(NGX_LOG_ERR, link->log, 0,
                      "pki store \"%V\": name \"%V\" is not usable for TLS",
                      &link->store->name, tls_name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_pki_redis_secured(ngx_connection_t *c)
{
    long                   rc;
    const char            *text;
    ngx_http_pki_redis_t  *link;

    link = c->data;

    if (!c->ssl->handshaked) {
        ngx_http_pki_redis_fail(link, 0, "TLS handshake failed", NULL, 0);
        return;
    }

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK) {
        text = X509_verify_cert_error_string(rc);
        ngx_http_pki_redis_fail(link, 0, "TLS certificate was not accepted",
                                text, ngx_strlen(text));
        return;
    }

    c->read->handler = ngx_http_pki_redis_read_handler;
    c->write->handler = ngx_http_pki_redis_write_handler;

    /* what came with the handshake is with OpenSSL, not in the socket */

    ngx_post_event(c->read, &ngx_posted_next_events);

    ngx_http_pki_redis_greet(link);
}


/* Sends one step of the greeting, its reply leads to the next. */

static void
ngx_http_pki_redis_greet(ngx_http_pki_redis_t *link)
{
    ngx_http_pki_redis_step_t  *step;

    link->state = NGX_HTTP_PKI_REDIS_GREETING;

    step = &link->steps[link->step];

    if (ngx_http_pki_redis_append(&link->own, step->argc, step->argv,
                                  step->len)
        != NGX_OK)
    {
        ngx_http_pki_redis_fail(link, 0, "no memory", NULL, 0);
        return;
    }

    ngx_http_pki_redis_flush(link);
}


static void
ngx_http_pki_redis_greeted(ngx_http_pki_redis_t *link,
    const redisReply *reply)
{
    size_t                      len;
    ngx_http_pki_redis_step_t  *step;

    step = &link->steps[link->step];

    if (reply->type != REDIS_REPLY_ERROR) {

        if (!ngx_http_pki_redis_is(reply, step->expected)) {
            ngx_http_pki_redis_unasked(link, reply);
            return;
        }

    } else if (ngx_http_pki_redis_is(reply, "LOADING")
               || ngx_http_pki_redis_is(reply, "BUSY")
               || ngx_http_pki_redis_is(reply, "MASTERDOWN"))
    {
        ngx_add_timer(&link->tick, NGX_HTTP_PKI_REDIS_PAUSE
                      + ngx_random() % NGX_HTTP_PKI_REDIS_PAUSE_SPAN);
        return;

    } else if (!step->optional) {
        len = step->secret ? strcspn(reply->str, " ") : (size_t) reply->len;

        ngx_http_pki_redis_fail(link, 0, step->refused, reply->str, len);
        return;
    }

    link->step++;

    if (link->step == link->nsteps) {
        ngx_http_pki_redis_up(link);
        return;
    }

    ngx_http_pki_redis_greet(link);
}


static void
ngx_http_pki_redis_up(ngx_http_pki_redis_t *link)
{
    link->state = NGX_HTTP_PKI_REDIS_UP;
    link->backoff = NGX_HTTP_PKI_REDIS_BACKOFF;

    (void) ngx_atomic_fetch_add(&link->sh->connects, 1);

    if (link->broken) {
        ngx_log_error(NGX_LOG_NOTICE, link->log, 0,
                      "pki store \"%V\"%s at \"%V\": connected again",
                      &link->store->name, link->news ? " (news)" : "",
                      &link->store->address);

        link->broken = 0;
        link->cause = NULL;
    }

    ngx_del_timer(&link->timer);

    if (link->news) {

        if (ngx_exiting) {
            ngx_http_pki_redis_drop(link);
            return;
        }

        /* nobody waits for it, so a graceful quit may end it at once */

        link->connection->idle = 1;

        link->news->subscribed(link->news->data);

        ngx_http_pki_redis_ping(link);
        return;
    }

    ngx_add_timer(&link->tick, NGX_HTTP_PKI_REDIS_IDLE);

    if (link->waiting) {
        link->moved_at = ngx_current_msec;
        ngx_http_pki_redis_watch(link);
    }

    ngx_http_pki_redis_flush(link);
}


static void
ngx_http_pki_redis_send(pki_redis_t *redis, int argc, const char **argv,
    const size_t *argvlen, pki_redis_reply_pt reply, void *data)
{
    ngx_http_pki_redis_t      *link;
    ngx_http_pki_redis_cmd_t  *cmd;

    link = (ngx_http_pki_redis_t *) redis;

    cmd = ngx_http_pki_redis_push(link);

    if (cmd == NULL) {

        /*
         * Half the queue has been kept for this moment, and is used up: there
         * is no memory at all.  Not calling back is the lesser evil, as the
         * caller is not prepared for a call from here.
         */

        ngx_log_error(NGX_LOG_ALERT, link->log, 0,
                      "pki store \"%V\": no memory, a command was lost",
                      &link->store->name);
        return;
    }

    cmd->reply = reply;
    cmd->data = data;
    cmd->sent_at = ngx_http_pki_redis_usec();
    cmd->refused = 0;

    (void) ngx_atomic_fetch_add(&link->sh->commands, 1);

    if (link->state == NGX_HTTP_PKI_REDIS_DOWN
        || link->news
        || link->waiting > NGX_HTTP_PKI_REDIS_QUEUE_MAX
        || link->waiting > link->size / 2
        || ngx_http_pki_redis_append(&link->out, argc, argv, argvlen)
           != NGX_OK)
    {
        cmd->refused = 1;

        /* not in this turn of the loop: its callback may send again */

        ngx_post_event(&link->posted, &ngx_posted_next_events);
        return;
    }

    if (link->state == NGX_HTTP_PKI_REDIS_UP) {

        if (link->waiting == 1) {
            link->moved_at = ngx_current_msec;
        }

        ngx_http_pki_redis_watch(link);

        ngx_post_event(&link->posted, &ngx_posted_events);
    }
}


static ngx_http_pki_redis_cmd_t *
ngx_http_pki_redis_push(ngx_http_pki_redis_t *link)
{
    if (link->waiting >= link->size / 2) {
        ngx_http_pki_redis_grow(link);
    }

    if (link->waiting == link->size) {
        return NULL;
    }

    return &link->cmds[(link->first + link->waiting++) & (link->size - 1)];
}


/* When it fails, the other half of the ring is left for refused commands. */

static void
ngx_http_pki_redis_grow(ngx_http_pki_redis_t *link)
{
    ngx_uint_t                 i;
    ngx_http_pki_redis_cmd_t  *cmds;

    cmds = ngx_alloc(2 * link->size * sizeof(ngx_http_pki_redis_cmd_t),
                     link->log);
    if (cmds == NULL) {
        return;
    }

    for (i = 0; i < link->waiting; i++) {
        cmds[i] = link->cmds[(link->first + i) & (link->size - 1)];
    }

    ngx_free(link->cmds);

    link->cmds = cmds;
    link->size *= 2;
    link->first = 0;
}


static void
ngx_http_pki_redis_pop(ngx_http_pki_redis_t *link, const redisReply *reply)
{
    ngx_http_pki_redis_cmd_t  cmd;

    cmd = link->cmds[link->first];

    link->first = (link->first + 1) & (link->size - 1);
    link->waiting--;
    link->moved_at = ngx_current_msec;

    if (reply) {
        ngx_http_pki_redis_latency(link, cmd.sent_at);
    }

    cmd.reply(cmd.data, reply);
}


static void
ngx_http_pki_redis_posted(ngx_event_t *ev)
{
    ngx_uint_t             n;
    ngx_http_pki_redis_t  *link;

    link = ev->data;

    for (n = link->waiting; n; n--) {

        if (!link->cmds[link->first].refused) {
            break;
        }

        ngx_http_pki_redis_pop(link, NULL);
    }

    if (link->state == NGX_HTTP_PKI_REDIS_UP) {
        ngx_http_pki_redis_flush(link);
    }
}


static ngx_int_t
ngx_http_pki_redis_append(ngx_http_pki_redis_out_t *out, int argc,
    const char **argv, const size_t *argvlen)
{
    int         i;
    char       *text;
    u_char     *p;
    size_t      size;
    long long   len;

    size = 0;

    for (i = 0; i < argc; i++) {

        if (argvlen[i] > NGX_HTTP_PKI_REDIS_OUT_MAX - size) {
            return NGX_ERROR;
        }

        size += argvlen[i];
    }

    len = redisFormatCommandArgv(&text, argc, argv, argvlen);
    if (len < 0) {
        return NGX_ERROR;
    }

    p = ngx_http_pki_redis_reserve(out, (size_t) len);

    if (p) {
        ngx_memcpy(p, text, (size_t) len);
        out->last += (size_t) len;
    }

    redisFreeCommand(text);

    return p ? NGX_OK : NGX_ERROR;
}


static u_char *
ngx_http_pki_redis_reserve(ngx_http_pki_redis_out_t *out, size_t len)
{
    u_char  *p;
    size_t   used, size;

    used = out->last - out->pos;

    if (len <= out->size - out->last) {
        return out->data + out->last;
    }

    if (len > NGX_HTTP_PKI_REDIS_OUT_MAX - used) {
        return NULL;
    }

    if (used + len <= out->size / 2) {
        ngx_memmove(out->data, out->data + out->pos, used);

    } else {
        size = ngx_max(2 * (used + len), 4096);

        p = malloc(size);
        if (p == NULL) {
            return NULL;
        }

        if (out->data) {
            ngx_memcpy(p, out->data + out->pos, used);
            free(out->data);
        }

        out->data = p;
        out->size = size;
    }

    out->pos = 0;
    out->last = used;

    return out->data + used;
}


static void
ngx_http_pki_redis_flush(ngx_http_pki_redis_t *link)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = link->connection;

    if (c->write->error) {
        return;
    }

    rc = ngx_http_pki_redis_write(c, &link->own);

    if (rc == NGX_OK && link->state == NGX_HTTP_PKI_REDIS_UP) {
        rc = ngx_http_pki_redis_write(c, &link->out);
    }

    if (rc == NGX_ERROR || ngx_handle_write_event(c->write, 0) != NGX_OK) {

        /* Redis may have said why before it closed: read that first */

        c->write->error = 1;

        ngx_post_event(c->read, &ngx_posted_next_events);
    }
}


static ngx_int_t
ngx_http_pki_redis_write(ngx_connection_t *c, ngx_http_pki_redis_out_t *out)
{
    ssize_t  n;

    while (out->pos < out->last) {

        n = c->send(c, out->data + out->pos, out->last - out->pos);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (n == NGX_AGAIN || n == 0) {
            return NGX_AGAIN;
        }

        out->pos += n;
    }

    out->pos = 0;
    out->last = 0;

    if (out->size > NGX_HTTP_PKI_REDIS_OUT_KEEP) {
        ngx_free(out->data);
        out->data = NULL;
        out->size = 0;
    }

    return NGX_OK;
}


static void
ngx_http_pki_redis_write_handler(ngx_event_t *wev)
{
    ngx_connection_t      *c;
    ngx_http_pki_redis_t  *link;

    c = wev->data;
    link = c->data;

    if (link->state == NGX_HTTP_PKI_REDIS_CONNECTING) {
        ngx_http_pki_redis_connected(link);
        return;
    }

    ngx_http_pki_redis_flush(link);
}


static void
ngx_http_pki_redis_read_handler(ngx_event_t *rev)
{
    ssize_t                n;
    ngx_connection_t      *c;
    ngx_http_pki_redis_t  *link;

    c = rev->data;
    link = c->data;

    if (c->close) {
        ngx_http_pki_redis_drop(link);
        return;
    }

    if (link->state == NGX_HTTP_PKI_REDIS_CONNECTING) {
        ngx_http_pki_redis_connected(link);

        if (link->state != NGX_HTTP_PKI_REDIS_GREETING) {
            return;
        }
    }

    for ( ;; ) {

        n = c->recv(c, link->in, NGX_HTTP_PKI_REDIS_IN);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == 0 || n == NGX_ERROR) {
            ngx_http_pki_redis_fail(link, 0, n ? "connection is broken"
                                               : "connection was closed",
                                    NULL, 0);
            return;
        }

        ngx_http_pki_redis_parse(link, n);

        if (link->connection == NULL) {
            return;
        }
    }

    if (c->write->error || ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_http_pki_redis_fail(link, 0, "connection is broken", NULL, 0);
    }
}


static void
ngx_http_pki_redis_parse(ngx_http_pki_redis_t *link, size_t len)
{
    void         *reply;
    redisReader  *reader;

    reader = link->reader;

    (void) redisReaderFeed(reader, (char *) link->in, len);

    link->fed += len;

    for ( ;; ) {

        /* tells of an error of the feeding as well */

        if (redisReaderGetReply(reader, &reply) != REDIS_OK) {
            ngx_http_pki_redis_fail(link, 0, "reply cannot be read",
                                    reader->errstr,
                                    ngx_strlen(reader->errstr));
            return;
        }

        if (reply == NULL) {
            break;
        }

        link->fed = reader->len - reader->pos;

        ngx_http_pki_redis_reply(link, reply);

        freeReplyObject(reply);

        if (link->connection == NULL) {
            return;
        }
    }

    if (link->fed > NGX_HTTP_PKI_REDIS_REPLY_MAX) {
        ngx_http_pki_redis_fail(link, 0, "reply is too large", NULL, 0);
    }
}


static void
ngx_http_pki_redis_reply(ngx_http_pki_redis_t *link, const redisReply *reply)
{
    if (link->state == NGX_HTTP_PKI_REDIS_GREETING
        && !link->tick.timer_set)
    {
        ngx_http_pki_redis_greeted(link, reply);
        return;
    }

    if (link->state == NGX_HTTP_PKI_REDIS_UP && link->news) {
        ngx_http_pki_redis_news(link, reply);
        return;
    }

    if (link->state == NGX_HTTP_PKI_REDIS_UP
        && link->waiting
        && !link->cmds[link->first].refused)
    {
        ngx_http_pki_redis_pop(link, reply);

        if (link->waiting && link->cmds[link->first].refused) {
            ngx_post_event(&link->posted, &ngx_posted_next_events);
        }

        return;
    }

    ngx_http_pki_redis_unasked(link, reply);
}


static void
ngx_http_pki_redis_news(ngx_http_pki_redis_t *link, const redisReply *reply)
{
    redisReply  *text;

    if (ngx_http_pki_redis_is(reply, "message")
        && reply->elements == 3
        && reply->element[2]->type == REDIS_REPLY_STRING)
    {
        text = reply->element[2];

        link->news->message(link->news->data, (u_char *) text->str,
                            (size_t) text->len);
        return;
    }

    if (ngx_http_pki_redis_is(reply, "pong") && link->pinging) {
        link->pinging = 0;
        link->news->heard(link->news->data, link->moved_at);
        return;
    }

    ngx_http_pki_redis_unasked(link, reply);
}


static void
ngx_http_pki_redis_unasked(ngx_http_pki_redis_t *link,
    const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_http_pki_redis_fail(link, 0, "unexpected error", reply->str,
                                (size_t) reply->len);
        return;
    }

    ngx_http_pki_redis_fail(link, 0, "unexpected reply", NULL, 0);
}


/* Is this the first word of a text, or the first text of an array? */

static ngx_uint_t
ngx_http_pki_redis_is(const redisReply *reply, const char *word)
{
    size_t  len;

    if (reply->type == REDIS_REPLY_ARRAY) {

        if (reply->elements == 0) {
            return 0;
        }

        reply = reply->element[0];
    }

    if (reply->str == NULL) {
        return 0;
    }

    len = ngx_strlen(word);

    return ngx_strncmp(reply->str, word, len) == 0
           && (reply->str[len] == '\0' || reply->str[len] == ' ');
}


static void
ngx_http_pki_redis_timer_handler(ngx_event_t *ev)
{
    ngx_msec_t             passed;
    ngx_http_pki_redis_t  *link;

    link = ev->data;

    switch (link->state) {

    case NGX_HTTP_PKI_REDIS_DOWN:
        if (!ngx_exiting) {
            ngx_http_pki_redis_connect(link);
        }

        return;

    case NGX_HTTP_PKI_REDIS_CONNECTING:
        ngx_http_pki_redis_fail(link, 0, "connecting timed out", NULL, 0);
        return;

    case NGX_HTTP_PKI_REDIS_GREETING:
        ngx_http_pki_redis_fail(link, 0, link->tick.timer_set
                                         ? "Redis is not ready"
                                         : "greeting timed out",
                                NULL, 0);
        return;

    case NGX_HTTP_PKI_REDIS_UP:
        break;
    }

    if (!(link->news ? link->pinging : link->waiting)) {
        return;
    }

    passed = ngx_current_msec - link->moved_at;

    if (passed < link->store->timeout) {
        ngx_add_timer(&link->timer, link->store->timeout - passed);
        return;
    }

    ngx_http_pki_redis_fail(link, 0, "reply timed out", NULL, 0);
}


static void
ngx_http_pki_redis_tick_handler(ngx_event_t *ev)
{
    ngx_http_pki_redis_t  *link;

    link = ev->data;

    if (link->state == NGX_HTTP_PKI_REDIS_GREETING) {
        ngx_http_pki_redis_greet(link);
        return;
    }

    ngx_http_pki_redis_ping(link);
}


/* An idle link pings too: a dead one is found before a request needs it. */

static void
ngx_http_pki_redis_ping(ngx_http_pki_redis_t *link)
{
    size_t       len;
    const char  *argv;

    argv = "PING";
    len = 4;

    if (link->news == NULL) {
        ngx_add_timer(&link->tick, NGX_HTTP_PKI_REDIS_IDLE);

        if (link->waiting == 0) {
            ngx_http_pki_redis_send(&link->transport, 1, &argv, &len,
                                    ngx_http_pki_redis_pinged, NULL);
        }

        return;
    }

    ngx_add_timer(&link->tick, link->news->interval);

    if (link->pinging) {
        return;
    }

    if (ngx_http_pki_redis_append(&link->own, 1, &argv, &len) != NGX_OK) {
        ngx_http_pki_redis_fail(link, 0, "no memory", NULL, 0);
        return;
    }

    link->pinging = 1;
    link->moved_at = ngx_current_msec;

    ngx_http_pki_redis_watch(link);
    ngx_http_pki_redis_flush(link);
}


static void
ngx_http_pki_redis_pinged(void *data, const redisReply *reply)
{
    /* that there is a reply is enough, and the link has seen that */

    (void) data;
    (void) reply;
}


/* The timer is not moved with each reply; when it fires, it looks again. */

static void
ngx_http_pki_redis_watch(ngx_http_pki_redis_t *link)
{
    if (!link->timer.timer_set) {
        ngx_add_timer(&link->timer, link->store->timeout);
    }
}


static void
ngx_http_pki_redis_latency(ngx_http_pki_redis_t *link, uint64_t sent_at)
{
    ngx_atomic_int_t          sample, smoothed;
    ngx_http_pki_store_sh_t  *sh;

    sh = link->sh;

    sample = (ngx_atomic_int_t) (ngx_http_pki_redis_usec() - sent_at);
    smoothed = (ngx_atomic_int_t) sh->latency;

    if (smoothed) {
        sample = smoothed + (sample - smoothed) / 8;
    }

    sh->latency = (ngx_atomic_uint_t) sample;

    if (sh->replied_at != (ngx_atomic_uint_t) ngx_time()) {
        sh->replied_at = (ngx_atomic_uint_t) ngx_time();
    }
}


static uint64_t
ngx_http_pki_redis_usec(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}


static void
ngx_http_pki_redis_fail(ngx_http_pki_redis_t *link, ngx_err_t err,
    const char *cause, const char *detail, size_t len)
{
    const char  *quote;

    if (link->cause != cause || link->logged_at != ngx_time()) {
        quote = detail ? "\"" : "";

        ngx_log_error(NGX_LOG_ERR, link->log, err,
                      "pki store \"%V\"%s at \"%V\": %s%s%s%*s%s",
                      &link->store->name, link->news ? " (news)" : "",
                      &link->store->address, cause, detail ? ": " : "",
                      quote, len, detail, quote);

        link->cause = cause;
        link->logged_at = ngx_time();
    }

    link->broken = 1;
    link->sh->failed_at = (ngx_atomic_uint_t) ngx_time();

    (void) ngx_atomic_fetch_add(&link->sh->failures, 1);

    ngx_http_pki_redis_drop(link);
}


/*
 * The only place where a connection is let go; safe to call twice.  Calls
 * nobody: what waits is answered by the posted event.
 */

static void
ngx_http_pki_redis_drop(ngx_http_pki_redis_t *link)
{
    ngx_uint_t         i;
    ngx_connection_t  *c;

    if (link->state == NGX_HTTP_PKI_REDIS_DOWN) {
        return;
    }

    c = link->connection;

    link->state = NGX_HTTP_PKI_REDIS_DOWN;
    link->connection = NULL;
    link->pinging = 0;
    link->own.pos = link->own.last;
    link->out.pos = link->out.last;

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    if (link->tick.timer_set) {
        ngx_del_timer(&link->tick);
    }

    if (link->reader) {
        redisReaderFree(link->reader);
        link->reader = NULL;
    }

    if (c) {
        ngx_http_pki_redis_close(c);
    }

    for (i = 0; i < link->waiting; i++) {
        link->cmds[(link->first + i) & (link->size - 1)].refused = 1;
    }

    if (link->waiting) {
        ngx_post_event(&link->posted, &ngx_posted_next_events);
    }

    if (link->ending || ngx_exiting || ngx_terminate) {
        return;
    }

    ngx_add_timer(&link->timer, link->backoff / 2
                  + ngx_random() % (link->backoff / 2 + 1));

    link->backoff = ngx_min(link->backoff * 2, NGX_HTTP_PKI_REDIS_BACKOFF_MAX);
}


static void
ngx_http_pki_redis_close(ngx_connection_t *c)
{
    ngx_pool_t  *pool;

    pool = c->pool;

    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;

        (void) ngx_ssl_shutdown(c);
    }

    ngx_close_connection(c);

    if (pool) {
        ngx_destroy_pool(pool);
    }
}


/*
 * The link to a store: a pipe that is opened again whenever it fails.  The
 * commands of all requests travel in it; each is answered once, in the order
 * of sending.  With news, the link subscribes instead.
 *
 * down -> connecting -> greeting -> up; each failure leads to down, and from
 * there a timer to the next attempt.  A command that can get no reply is
 * marked as refused and keeps its place in the queue; the posted event
 * answers it with NULL when its turn has come.
 */


#include "ngx_http_pki_pipe.h"


#define NGX_HTTP_PKI_REDIS_QUEUE        1024    /* at first; power of two */
#define NGX_HTTP_PKI_REDIS_QUEUE_MAX    16384   /* then commands are refused */

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


struct ngx_http_pki_redis_s {
    pki_redis_t                  transport;     /* must be first */

    ngx_http_pki_store_t        *store;
    ngx_http_pki_store_sh_t     *sh;
    ngx_http_pki_news_t         *news;
    ngx_log_t                   *log;

    ngx_http_pki_redis_state_e   state;
    ngx_http_pki_pipe_t          pipe;

    ngx_http_pki_redis_step_t    steps[5];
    ngx_uint_t                   nsteps;
    ngx_uint_t                   step;

    ngx_http_pki_redis_cmd_t    *cmds;          /* a ring */
    ngx_uint_t                   size;          /* a power of two */
    ngx_uint_t                   first;
    ngx_uint_t                   waiting;

    ngx_event_t                  timer;         /* one per state */
    ngx_event_t                  tick;          /* pause, ping */
    ngx_event_t                  posted;

    uint64_t                     moved_at;      /* since then Redis is due */
    ngx_msec_t                   pinged_at;
    ngx_msec_t                   backoff;

    const char                  *cause;         /* of the last failure */
    time_t                       logged_at;

    unsigned                     broken:1;      /* and that was logged */
    unsigned                     pinging:1;
    unsigned                     ending:1;

    u_char                       database[NGX_INT_T_LEN];
};


static void ngx_http_pki_redis_steps(ngx_http_pki_redis_t *link);
static ngx_http_pki_redis_step_t *ngx_http_pki_redis_step(
    ngx_http_pki_redis_t *link, const char *name, const char *expected,
    const char *refused);
static void ngx_http_pki_redis_argument(ngx_http_pki_redis_step_t *step,
    u_char *data, size_t len);

static void ngx_http_pki_redis_connect(ngx_http_pki_redis_t *link);
static void ngx_http_pki_redis_greet(void *data);
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

static void ngx_http_pki_redis_reply(void *data, const redisReply *reply);
static void ngx_http_pki_redis_news(ngx_http_pki_redis_t *link,
    const redisReply *reply);
static void ngx_http_pki_redis_unasked(ngx_http_pki_redis_t *link,
    const redisReply *reply);

static void ngx_http_pki_redis_timer_handler(ngx_event_t *ev);
static void ngx_http_pki_redis_tick_handler(ngx_event_t *ev);
static void ngx_http_pki_redis_ping(ngx_http_pki_redis_t *link);
static void ngx_http_pki_redis_watch(ngx_http_pki_redis_t *link);
static void ngx_http_pki_redis_latency(ngx_http_pki_redis_t *link,
    uint64_t usec);
static uint64_t ngx_http_pki_redis_usec(void);

static void ngx_http_pki_redis_fail(void *data, ngx_err_t err,
    const char *cause, const char *detail, size_t len);
static void ngx_http_pki_redis_drop(void *data);


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

    link->pipe.store = store;
    link->pipe.log = link->log;
    link->pipe.data = link;
    link->pipe.opened = ngx_http_pki_redis_greet;
    link->pipe.reply = ngx_http_pki_redis_reply;
    link->pipe.failed = ngx_http_pki_redis_fail;
    link->pipe.leave = ngx_http_pki_redis_drop;

    /* requests hold timers of their own; these must not keep a worker */

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

    ngx_http_pki_pipe_free(&link->pipe);

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
    link->state = NGX_HTTP_PKI_REDIS_CONNECTING;
    link->step = 0;

    ngx_add_timer(&link->timer, link->store->timeout);

    ngx_http_pki_pipe_open(&link->pipe);
}


/* Sends one step of the greeting; its reply leads to the next. */

static void
ngx_http_pki_redis_greet(void *data)
{
    ngx_http_pki_redis_t *link = data;

    ngx_http_pki_redis_step_t  *step;

    link->state = NGX_HTTP_PKI_REDIS_GREETING;

    step = &link->steps[link->step];

    if (ngx_http_pki_pipe_append(&link->pipe, &link->pipe.own, step->argc,
                                 step->argv, step->len)
        != NGX_OK)
    {
        ngx_http_pki_redis_fail(link, 0, "no memory", NULL, 0);
        return;
    }

    ngx_http_pki_pipe_flush(&link->pipe);
}


static void
ngx_http_pki_redis_greeted(ngx_http_pki_redis_t *link,
    const redisReply *reply)
{
    size_t                      len;
    ngx_http_pki_redis_step_t  *step;

    step = &link->steps[link->step];

    if (reply->type != REDIS_REPLY_ERROR) {

        if (!ngx_http_pki_pipe_is(reply, step->expected)) {
            ngx_http_pki_redis_unasked(link, reply);
            return;
        }

    } else if (ngx_http_pki_pipe_is(reply, "LOADING")
               || ngx_http_pki_pipe_is(reply, "BUSY")
               || ngx_http_pki_pipe_is(reply, "MASTERDOWN"))
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
    }

    ngx_del_timer(&link->timer);

    if (link->news) {

        if (ngx_exiting) {
            ngx_http_pki_redis_drop(link);
            return;
        }

        /* nobody waits for it, so a graceful quit may end it at once */

        link->pipe.connection->idle = 1;

        link->news->subscribed(link->news->data);

        ngx_http_pki_redis_ping(link);
        return;
    }

    ngx_add_timer(&link->tick, NGX_HTTP_PKI_REDIS_IDLE);

    if (link->waiting) {
        link->moved_at = ngx_http_pki_redis_usec();
        ngx_http_pki_redis_watch(link);
    }

    link->pipe.flowing = 1;

    ngx_http_pki_pipe_flush(&link->pipe);
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
         * No memory at all: half the queue was kept for this and is used up.
         * The caller is not prepared for a call from here, so there is none.
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
        || ngx_http_pki_pipe_append(&link->pipe, &link->pipe.out, argc, argv,
                                    argvlen)
           != NGX_OK)
    {
        cmd->refused = 1;

        /* not in this turn of the loop: its callback may send again */

        ngx_post_event(&link->posted, &ngx_posted_next_events);
        return;
    }

    if (link->state == NGX_HTTP_PKI_REDIS_UP) {

        /* behind refused ones it is the first that Redis shall answer */

        if (link->waiting == 1 || link->cmds[link->first].refused) {
            link->moved_at = cmd->sent_at;
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

    if (reply) {
        link->moved_at = ngx_http_pki_redis_usec();
        ngx_http_pki_redis_latency(link, link->moved_at - cmd.sent_at);
    }

    /* the link's own pings have no callback */

    if (cmd.reply) {
        cmd.reply(cmd.data, reply);
    }
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
        ngx_http_pki_pipe_flush(&link->pipe);
    }
}


static void
ngx_http_pki_redis_reply(void *data, const redisReply *reply)
{
    ngx_http_pki_redis_t *link = data;

    if (link->state == NGX_HTTP_PKI_REDIS_GREETING && !link->tick.timer_set) {
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

    if (ngx_http_pki_pipe_is(reply, "message")
        && reply->elements == 3
        && reply->element[2]->type == REDIS_REPLY_STRING)
    {
        text = reply->element[2];

        link->news->message(link->news->data, (u_char *) text->str,
                            (size_t) text->len);
        return;
    }

    if (ngx_http_pki_pipe_is(reply, "pong") && link->pinging) {
        link->pinging = 0;
        link->news->heard(link->news->data, link->pinged_at);
        return;
    }

    ngx_http_pki_redis_unasked(link, reply);
}


static void
ngx_http_pki_redis_unasked(ngx_http_pki_redis_t *link,
    const redisReply *reply)
{
    const char  *text;

    text = (reply->type == REDIS_REPLY_ERROR) ? reply->str : NULL;

    ngx_http_pki_redis_fail(link, 0, "unexpected reply", text,
                            text ? (size_t) reply->len : 0);
}


static void
ngx_http_pki_redis_timer_handler(ngx_event_t *ev)
{
    ngx_msec_t             passed;
    const char            *cause;
    ngx_http_pki_redis_t  *link;

    link = ev->data;

    if (link->state == NGX_HTTP_PKI_REDIS_DOWN) {
        if (!ngx_exiting) {
            ngx_http_pki_redis_connect(link);
        }

        return;
    }

    if (link->state == NGX_HTTP_PKI_REDIS_CONNECTING) {
        cause = "connecting timed out";

    } else if (link->state == NGX_HTTP_PKI_REDIS_GREETING) {
        cause = link->tick.timer_set ? "Redis is not ready"
                                     : "greeting timed out";

    } else {

        if (!(link->news ? link->pinging : link->waiting)) {
            return;
        }

        passed = (ngx_http_pki_redis_usec() - link->moved_at) / 1000;

        if (passed < link->store->timeout) {
            ngx_add_timer(&link->timer, link->store->timeout - passed);
            return;
        }

        cause = "reply timed out";
    }

    ngx_http_pki_redis_fail(link, 0, cause, NULL, 0);
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
            ngx_http_pki_redis_send(&link->transport, 1, &argv, &len, NULL,
                                    NULL);
        }

        return;
    }

    ngx_add_timer(&link->tick, link->news->interval);

    if (link->pinging) {
        return;
    }

    if (ngx_http_pki_pipe_append(&link->pipe, &link->pipe.own, 1, &argv, &len)
        != NGX_OK)
    {
        ngx_http_pki_redis_fail(link, 0, "no memory", NULL, 0);
        return;
    }

    link->pinging = 1;
    link->pinged_at = ngx_current_msec;
    link->moved_at = ngx_http_pki_redis_usec();

    ngx_http_pki_redis_watch(link);
    ngx_http_pki_pipe_flush(&link->pipe);
}


/*
 * The timer is not moved with each reply; when it fires, it looks again, and
 * at the real clock: the cached one stands still while a worker is busy with
 * replies, and Redis would be blamed for that.
 */

static void
ngx_http_pki_redis_watch(ngx_http_pki_redis_t *link)
{
    if (!link->timer.timer_set) {
        ngx_add_timer(&link->timer, link->store->timeout);
    }
}


static void
ngx_http_pki_redis_latency(ngx_http_pki_redis_t *link, uint64_t usec)
{
    ngx_atomic_int_t          sample, smoothed;
    ngx_http_pki_store_sh_t  *sh;

    sh = link->sh;

    sample = (ngx_atomic_int_t) usec;
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
ngx_http_pki_redis_fail(void *data, ngx_err_t err, const char *cause,
    const char *detail, size_t len)
{
    ngx_http_pki_redis_t *link = data;

    const char  *quote;

    if (link->cause != cause || link->logged_at != ngx_time()) {
        quote = detail ? "\"" : "";

        ngx_log_error(NGX_LOG_ERR, link->log, err,
                      "pki store \"%V\"%s at \"%V\": %s%s%s%*s%s",
                      &link->store->name, link->news ? " (news)" : "",
                      &link->store->address, cause, detail ? ": " : "",
                      quote, len, detail ? detail : "", quote);

        link->cause = cause;
        link->logged_at = ngx_time();
        link->broken = 1;
    }

    link->sh->failed_at = (ngx_atomic_uint_t) ngx_time();

    (void) ngx_atomic_fetch_add(&link->sh->failures, 1);

    ngx_http_pki_redis_drop(link);
}


/*
 * From any state to down, once.  Calls nobody: what still waits is answered
 * by the posted event.
 */

static void
ngx_http_pki_redis_drop(void *data)
{
    ngx_http_pki_redis_t *link = data;

    ngx_uint_t  i;

    if (link->state == NGX_HTTP_PKI_REDIS_DOWN) {
        return;
    }

    link->state = NGX_HTTP_PKI_REDIS_DOWN;
    link->pinging = 0;

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    if (link->tick.timer_set) {
        ngx_del_timer(&link->tick);
    }

    ngx_http_pki_pipe_close(&link->pipe);

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

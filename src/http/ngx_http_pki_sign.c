
/*
 * Whose turn it is to have a certificate signed.
 *
 * A signature blocks the worker, some milliseconds with a large RSA key.
 * There is at most one in each turn of the event loop, and after one that
 * took long the worker does something else for as long: a turn accepts one
 * connection only.  So an OCSP request waits for one signature, however many
 * are asked for.  Those who wait are in a queue of limited length; who comes
 * on top of that is told to come back.
 */

#include "ngx_http_pki_module.h"


/* milliseconds; a full queue of slow signatures, an HSM's, takes less */
#define NGX_HTTP_PKI_SIGN_TIMEOUT  30000

/* milliseconds; a rest is no longer, whatever the clock does */
#define NGX_HTTP_PKI_SIGN_REST     200


/* of a worker, made when it is first needed */

struct ngx_http_pki_sign_s {
    ngx_queue_t               waits;        /* flights of wait cells */
    ngx_uint_t                n;
    ngx_event_t               turn;
};


static ngx_http_pki_sign_t *ngx_http_pki_sign_get(
    ngx_http_pki_worker_t *worker);
static void ngx_http_pki_sign_turn(ngx_event_t *ev);
static ngx_msec_t ngx_http_pki_sign_one(ngx_http_pki_sign_t *sign,
    ngx_http_pki_wait_t *wait);
static ngx_http_pki_wait_t *ngx_http_pki_sign_next(ngx_http_pki_sign_t *sign);


ngx_uint_t
ngx_http_pki_sign_busy(ngx_http_pki_main_conf_t *mcf)
{
    ngx_http_pki_sign_t  *sign;

    sign = mcf->worker->sign;

    return sign && sign->n >= mcf->signatures;
}


ngx_int_t
ngx_http_pki_sign_wait(ngx_http_request_t *r, ngx_http_pki_main_conf_t *mcf,
    ngx_http_pki_wake_pt handler, ngx_uint_t again)
{
    ngx_http_pki_sign_t  *sign;
    ngx_http_pki_wait_t  *wait;

    sign = ngx_http_pki_sign_get(mcf->worker);
    if (sign == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!again && ngx_http_pki_sign_busy(mcf)) {
        return ngx_http_pki_enroll_busy(r);
    }

    wait = ngx_http_pki_wait(r, handler, 0, NGX_HTTP_PKI_SIGN_TIMEOUT);
    if (wait == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (again) {
        ngx_queue_insert_head(&sign->waits, &wait->flight);

    } else {
        ngx_queue_insert_tail(&sign->waits, &wait->flight);
    }

    sign->n++;

    if (!sign->turn.posted && !sign->turn.timer_set) {
        ngx_post_event(&sign->turn, &ngx_posted_next_events);
    }

    return NGX_BUSY;
}


static ngx_http_pki_sign_t *
ngx_http_pki_sign_get(ngx_http_pki_worker_t *worker)
{
    ngx_http_pki_sign_t  *sign;

    if (worker->sign == NULL) {

        sign = ngx_calloc(sizeof(ngx_http_pki_sign_t), ngx_cycle->log);
        if (sign == NULL) {
            return NULL;
        }

        ngx_queue_init(&sign->waits);

        sign->turn.handler = ngx_http_pki_sign_turn;
        sign->turn.data = sign;
        sign->turn.log = ngx_cycle->log;
        sign->turn.cancelable = 1;

        worker->sign = sign;
    }

    return worker->sign;
}


/* who has gone away takes nobody's turn */

static void
ngx_http_pki_sign_turn(ngx_event_t *ev)
{
    ngx_http_pki_sign_t *sign = ev->data;

    ngx_msec_t            rest;
    ngx_http_pki_wait_t  *wait;

    wait = ngx_http_pki_sign_next(sign);

    while (wait && wait->request == NULL) {
        ngx_http_pki_wake(wait, sign);
        wait = ngx_http_pki_sign_next(sign);
    }

    rest = wait ? ngx_http_pki_sign_one(sign, wait) : 0;

    if (rest) {

        /* who came in between has no turn before the others, either */

        if (ev->posted) {
            ngx_delete_posted_event(ev);
        }

        ngx_add_timer(ev, rest);

    } else if (sign->n && !ev->posted) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}


/* returns for how many milliseconds the others were kept waiting */

static ngx_msec_t
ngx_http_pki_sign_one(ngx_http_pki_sign_t *sign, ngx_http_pki_wait_t *wait)
{
    ngx_msec_t  from, ms;

    ngx_time_update();
    from = ngx_current_msec;

    ngx_http_pki_wake(wait, sign);

    /* a timer counts from the time that nginx knows */

    ngx_time_update();
    ms = ngx_current_msec - from;

    return ngx_min(ms, NGX_HTTP_PKI_SIGN_REST);
}


static ngx_http_pki_wait_t *
ngx_http_pki_sign_next(ngx_http_pki_sign_t *sign)
{
    ngx_queue_t  *q;

    if (sign->n == 0) {
        return NULL;
    }

    q = ngx_queue_head(&sign->waits);
    ngx_queue_remove(q);
    sign->n--;

    return ngx_queue_data(q, ngx_http_pki_wait_t, flight);
}


/* their requests have ended before the worker does, or end with it */

void
ngx_http_pki_sign_end(ngx_http_pki_worker_t *worker)
{
    ngx_http_pki_sign_t  *sign;
    ngx_http_pki_wait_t  *wait;

    sign = worker->sign;

    if (sign == NULL) {
        return;
    }

    worker->sign = NULL;

    if (sign->turn.posted) {
        ngx_delete_posted_event(&sign->turn);
    }

    if (sign->turn.timer_set) {
        ngx_del_timer(&sign->turn);
    }

    for (wait = ngx_http_pki_sign_next(sign); wait;
         wait = ngx_http_pki_sign_next(sign))
    {
        ngx_http_pki_wake(wait, NULL);
    }

    ngx_free(sign);
}

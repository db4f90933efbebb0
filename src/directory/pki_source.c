
/*
 * What the rounds and the lookups of one directory share: the tokens to ask
 * it with, and how long to wait after a failure.
 *
 * A token is asked for when somebody wants one, by one request at a time;
 * whoever wants it asks again until it is there.  A failure is remembered
 * until it is time for another attempt, so that eight rounds that fail for
 * want of a token do not ask for it eight times.
 */

#include "pki_source.h"

#include <string.h>
#include <openssl/rand.h>


static pki_rc_t pki_source_token_piece(void *data, int status,
    const char *text, size_t len);
static void pki_source_token_done(void *data,
    const pki_fetch_result_t *result);
static void pki_source_token_failed(pki_source_login_t *l, long asked);
static long pki_source_backoff_max(const pki_source_t *source);


pki_rc_t
pki_source_token(pki_source_t *source, unsigned which, const char **token,
    long *wait, pki_err_t *err)
{
    long long            mono;
    pki_login_t         *login;
    pki_request_t        request;
    pki_source_login_t  *l;

    login = source->login[which];
    l = &source->logins[which];

    pki_err_set(err, "%s", "");
    *wait = PKI_SOURCE_SLEEP;

    if (login == NULL) {
        pki_err_set(err, "there are no credentials for it");
        return PKI_INVALID;
    }

    mono = pki_source_mono(source);

    *token = pki_login_token(login, mono);

    if (*token != NULL) {
        return PKI_OK;
    }

    if (l->asking) {
        return PKI_NOT_FOUND;
    }

    l->source = source;
    l->which = which;

    if (mono >= l->until) {
        request = (pki_request_t) { .piece = pki_source_token_piece,
                                    .done = pki_source_token_done,
                                    .data = l };

        if (pki_login_request(login, pki_source_now(source), &request,
                              &l->err)
            == PKI_OK)
        {
            l->asking = 1;
            pki_fetch(source->peer, &request);
            return PKI_NOT_FOUND;
        }

        l->result = PKI_LOGIN_LATER;
        pki_source_token_failed(l, -1);
    }

    *wait = (long) (l->until - mono);

    if (l->result == PKI_LOGIN_OK) {
        return PKI_NOT_FOUND;
    }

    pki_err_set(err, "%s", l->err.text[0] ? l->err.text : "no token");

    return l->result == PKI_LOGIN_REFUSED ? PKI_INVALID : PKI_NOT_FOUND;
}


static pki_rc_t
pki_source_token_piece(void *data, int status, const char *text, size_t len)
{
    pki_source_login_t  *l = data;

    return pki_login_piece(l->source->login[l->which], status, text, len);
}


static void
pki_source_token_done(void *data, const pki_fetch_result_t *result)
{
    pki_source_t        *source;
    pki_source_login_t  *l = data;

    source = l->source;
    l->asking = 0;
    l->result = pki_login_done(source->login[l->which], result,
                               pki_source_mono(source), &l->err);

    if (l->result != PKI_LOGIN_OK) {
        pki_source_token_failed(l, pki_source_asked(source, result));
        return;
    }

    /* a token that is of no use from the first moment must not make a loop */

    l->failures = 0;
    l->until = pki_source_mono(source) + PKI_SOURCE_BACKOFF;
    l->err.text[0] = '\0';
}


static void
pki_source_token_failed(pki_source_login_t *l, long asked)
{
    long  wait;

    l->failures++;

    wait = l->result == PKI_LOGIN_REFUSED
           ? pki_source_backoff_max(l->source)
           : pki_source_backoff(l->source, l->failures);

    l->until = pki_source_mono(l->source) + (wait > asked ? wait : asked);
}


static long
pki_source_backoff_max(const pki_source_t *source)
{
    return source->conf->backoff > 0 ? source->conf->backoff
                                     : PKI_SOURCE_BACKOFF_MAX;
}


long
pki_source_backoff(const pki_source_t *source, unsigned n)
{
    long      max, wait;
    unsigned  chance;

    max = pki_source_backoff_max(source);
    wait = PKI_SOURCE_BACKOFF;

    while (n > 1 && wait < max) {
        wait *= 2;
        n--;
    }

    wait = wait < max ? wait : max;

    if (RAND_bytes((unsigned char *) &chance, sizeof(chance)) != 1) {
        return wait;
    }

    return wait - (long) (chance % 1024) * wait / 2048;
}


/*
 * A date counts from the directory's own clock, if it tells it: ours may be
 * minutes off.
 */

long
pki_source_asked(const pki_source_t *source, const pki_fetch_result_t *result)
{
    time_t  now;

    if (result->retry_after[0] == '\0') {
        return -1;
    }

    if (result->date[0] == '\0'
        || pki_time_http(result->date, strlen(result->date), &now) != PKI_OK)
    {
        now = pki_source_now(source);
    }

    return pki_time_retry_after(result->retry_after,
                                strlen(result->retry_after), now,
                                PKI_SOURCE_ASKED_MAX);
}

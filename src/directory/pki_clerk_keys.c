
/*
 * A key set: fetched, looked at, and kept as text.  One that cannot be used
 * is not taken, and the one before it stays, however old: whoever signs
 * tokens must not be able to lock out all callers by one bad reply.
 */

#include "pki_clerk_job.h"

#include <string.h>
#include <openssl/crypto.h>


static void pki_clerk_keys_begin(pki_clerk_set_t *set, long long now);
static pki_rc_t pki_clerk_keys_piece(void *data, int status,
    const char *text, size_t len);
static void pki_clerk_keys_done(void *data, const pki_fetch_result_t *result);
static pki_rc_t pki_clerk_keys_take(pki_clerk_set_t *set,
    const pki_fetch_result_t *result, pki_err_t *err);
static void pki_clerk_keys_keep(pki_clerk_set_t *set);


pki_rc_t
pki_clerk_keys_init(pki_clerk_set_t *set, pki_clerk_t *clerk,
    const pki_clerk_keys_t *conf, pki_err_t *err)
{
    set->clerk = clerk;
    set->conf = conf;

    set->peer = pki_fetch_peer(clerk->fetch, &conf->fetch, err);

    return set->peer ? PKI_OK : PKI_ERROR;
}


void
pki_clerk_keys_free(pki_clerk_set_t *set)
{
    OPENSSL_free(set->text);
    OPENSSL_free(set->kept);
}


long
pki_clerk_keys_tick(pki_clerk_set_t *set)
{
    unsigned   wanted;
    long long  now, at;

    if (set->running) {
        return PKI_CLERK_SLEEP;
    }

    (void) pthread_mutex_lock(&set->clerk->thread.mutex);
    wanted = set->wanted;
    (void) pthread_mutex_unlock(&set->clerk->thread.mutex);

    now = pki_thread_mono();
    at = set->due;

    /* made-up key ids must not become a stream of requests */

    if (wanted && set->begun + set->conf->pause * 1000 < at) {
        at = set->begun + set->conf->pause * 1000;
    }

    if (at > now) {
        return at - now < PKI_CLERK_SLEEP ? (long) (at - now)
                                          : PKI_CLERK_SLEEP;
    }

    pki_clerk_keys_begin(set, now);

    return PKI_CLERK_SLEEP;
}


static void
pki_clerk_keys_begin(pki_clerk_set_t *set, long long now)
{
    pki_request_t  request;

    set->running = 1;
    set->overflow = 0;
    set->begun = now;
    set->len = 0;

    (void) pthread_mutex_lock(&set->clerk->thread.mutex);
    set->wanted = 0;
    (void) pthread_mutex_unlock(&set->clerk->thread.mutex);

    memset(&request, 0, sizeof(pki_request_t));
    request.method = "GET";
    request.url = set->conf->url;
    request.headers[0] = "Accept: application/json";
    request.piece = pki_clerk_keys_piece;
    request.done = pki_clerk_keys_done;
    request.data = set;

    pki_fetch(set->peer, &request);
}


static pki_rc_t
pki_clerk_keys_piece(void *data, int status, const char *text, size_t len)
{
    pki_clerk_set_t *set = data;

    char    *p;
    size_t   size;

    if (status != 200) {
        return PKI_OK;
    }

    if (len > set->size - set->len) {
        size = set->len + len;

        if (size > PKI_TOKEN_KEYS_MAX) {
            set->overflow = 1;
            return PKI_ERROR;
        }

        p = OPENSSL_realloc(set->text, size);
        if (p == NULL) {
            return PKI_ERROR;
        }

        set->text = p;
        set->size = size;
    }

    memcpy(set->text + set->len, text, len);
    set->len += len;

    return PKI_OK;
}


static void
pki_clerk_keys_done(void *data, const pki_fetch_result_t *result)
{
    pki_clerk_set_t *set = data;

    long       wait;
    pki_err_t  err;

    set->running = 0;

    if (pki_clerk_keys_take(set, result, &err) == PKI_OK) {
        set->failures = 0;
        wait = set->conf->refresh * 1000;

        pki_clerk_complain(set->clerk, "keys", set->conf->name, &set->said,
                           "");

    } else {
        set->failures++;
        wait = pki_clerk_backoff(set->failures);

        pki_clerk_complain(set->clerk, "keys", set->conf->name, &set->said,
                           err.text);
    }

    set->due = pki_thread_mono() + wait;
}


static pki_rc_t
pki_clerk_keys_take(pki_clerk_set_t *set, const pki_fetch_result_t *result,
    pki_err_t *err)
{
    pki_rc_t           rc;
    pki_bytes_t        text;
    pki_token_keys_t  *keys;

    if (set->overflow) {
        pki_err_set(err, "the key set is too large");
        return PKI_ERROR;
    }

    if (result->outcome != PKI_FETCH_DONE) {
        pki_err_set(err, "%s", result->error ? result->error : "no reply");
        return PKI_ERROR;
    }

    if (result->status != 200) {
        pki_err_set(err, "the reply has status %d", result->status);
        return PKI_ERROR;
    }

    text.data = (unsigned char *) set->text;
    text.len = set->len;

    rc = pki_token_keys_read(text, &keys, err);

    if (rc == PKI_OK) {
        pki_token_keys_free(keys);
        pki_clerk_keys_keep(set);
    }

    return rc;
}


/* The texts change places, so that the next one has room already. */

static void
pki_clerk_keys_keep(pki_clerk_set_t *set)
{
    int      changed;
    char    *text;
    size_t   len;

    changed = set->kept == NULL || set->kept_len != set->len
              || memcmp(set->kept, set->text, set->len) != 0;

    if (!changed) {
        return;
    }

    (void) pthread_mutex_lock(&set->clerk->thread.mutex);

    text = set->kept;
    len = set->kept_len;

    set->kept = set->text;
    set->kept_len = set->len;
    set->generation++;

    (void) pthread_mutex_unlock(&set->clerk->thread.mutex);

    set->text = text;
    set->size = text ? len : 0;

    if (set->clerk->thread.ring != NULL) {
        set->clerk->thread.ring(set->clerk->thread.data);
    }
}

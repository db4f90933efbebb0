
/*
 * The requests of a round: how a dialect says what it wants to be sent, and
 * the sending.
 *
 * What was set up is kept until the next one, so that it can be sent once
 * more, to the letter.  The callbacks only feed the page and note the end;
 * pki_machine_tick() makes something of it.
 */

#include "pki_round.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <openssl/crypto.h>


static pki_next_t pki_round_set(pki_machine_t *m,
    const pki_page_shape_t *shape, const char *method, const char *path,
    int foreign);
static int pki_round_absolute(const char *url);

static pki_rc_t pki_round_ask(pki_machine_t *m, const char *token);
static pki_rc_t pki_round_piece(void *data, int status, const char *text,
    size_t len);
static pki_rc_t pki_round_item(void *data, const pki_value_t *values);
static void pki_round_done(void *data, const pki_fetch_result_t *result);


pki_next_t
pki_round_get(pki_round_t *round, const pki_page_shape_t *shape,
    const char *format, ...)
{
    int          n;
    char        *path;
    va_list      args;
    pki_next_t   next;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);

    if (n < 0 || n > PKI_ROUND_URL_MAX) {
        return pki_round_fail(round, "the URL to ask for is too long");
    }

    path = OPENSSL_malloc((size_t) n + 1);
    if (path == NULL) {
        return pki_round_fail(round, "out of memory");
    }

    va_start(args, format);
    (void) vsnprintf(path, (size_t) n + 1, format, args);
    va_end(args);

    next = pki_round_set((pki_machine_t *) round, shape, "GET", path, 0);

    OPENSSL_free(path);

    return next;
}


pki_next_t
pki_round_follow(pki_round_t *round, const pki_page_shape_t *shape,
    const pki_value_t *link)
{
    if (link->type != PKI_VALUE_STRING || link->len == 0
        || !pki_round_absolute(link->string))
    {
        return pki_round_fail(round, "a link of the reply is no URL");
    }

    return pki_round_set((pki_machine_t *) round, shape, "GET", link->string,
                         0);
}


pki_next_t
pki_round_post(pki_round_t *round, const pki_page_shape_t *shape,
    const char *method, const char *url, int foreign, pki_bytes_t body,
    const char *const *headers)
{
    unsigned        i;
    pki_next_t      next;
    pki_machine_t  *m = (pki_machine_t *) round;

    next = pki_round_set(m, shape, method, url, foreign);

    if (next != PKI_NEXT_FETCH) {
        return next;
    }

    for (i = 0; headers && headers[i]; i++) {

        if (i == PKI_ROUND_HEADERS) {
            return pki_round_fail(round, "too many headers");
        }

        m->request.headers[i] = headers[i];
    }

    if (body.data == NULL) {
        return PKI_NEXT_FETCH;
    }

    /* one octet more: a body of none is one too */

    m->request.body = OPENSSL_malloc(body.len + 1);
    if (m->request.body == NULL) {
        return pki_round_fail(round, "out of memory");
    }

    memcpy(m->request.body, body.data, body.len);
    m->request.len = body.len;

    return PKI_NEXT_FETCH;
}


static pki_next_t
pki_round_set(pki_machine_t *m, const pki_page_shape_t *shape,
    const char *method, const char *path, int foreign)
{
    size_t       n, len;
    const char  *base;

    base = m->round.conf->url;
    n = strlen(base);
    len = strlen(path);

    if (pki_round_absolute(path)) {
        n = 0;

    } else if (path[0] != '/') {
        return pki_round_fail(&m->round, "the path to ask for is not one");
    }

    if (n + len > PKI_ROUND_URL_MAX) {
        return pki_round_fail(&m->round, "the URL to ask for is too long");
    }

    pki_round_request_free(m);

    m->request.url = OPENSSL_malloc(n + len + 1);
    if (m->request.url == NULL) {
        return pki_round_fail(&m->round, "out of memory");
    }

    memcpy(m->request.url, base, n);
    memcpy(m->request.url + n, path, len + 1);

    if (!pki_fetch_allowed(m->request.url, foreign ? NULL : base,
                           m->round.conf->fetch.plain))
    {
        return pki_round_fail(&m->round, "a link leads to another host, or"
                              " is not of https");
    }

    m->request.method = method;
    m->request.shape = shape;
    m->request.foreign = foreign != 0;
    m->request.set = 1;

    return PKI_NEXT_FETCH;
}


static int
pki_round_absolute(const char *url)
{
    return strncasecmp(url, "https://", 8) == 0
           || strncasecmp(url, "http://", 7) == 0;
}


pki_next_t
pki_round_link(pki_round_t *round, const pki_value_t *link)
{
    char           *copy;
    pki_machine_t  *m = (pki_machine_t *) round;

    if (link->type != PKI_VALUE_STRING || link->len == 0
        || link->len > PKI_PAGE_STRING_MAX)
    {
        return pki_round_fail(round, "a link to keep is no string, or too"
                              " long");
    }

    copy = OPENSSL_strdup(link->string);
    if (copy == NULL) {
        return pki_round_fail(round, "out of memory");
    }

    OPENSSL_free(round->link);
    round->link = copy;
    m->linked = 1;

    return PKI_NEXT_DONE;
}


pki_next_t
pki_round_fail(pki_round_t *round, const char *format, ...)
{
    char            text[PKI_ERR_LEN];
    va_list         args;
    pki_machine_t  *m = (pki_machine_t *) round;

    va_start(args, format);
    (void) vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    pki_err_set(&m->err, "%s", text);

    return PKI_NEXT_FAIL;
}


void
pki_round_send(pki_machine_t *m)
{
    long         wait;
    pki_rc_t     rc;
    unsigned     which;
    const char  *token;

    which = m->round.resource->login_ca && m->request.foreign;

    rc = pki_source_token(m->source, which, &token, &wait, &m->err);

    if (rc == PKI_OK) {

        if (pki_round_ask(m, token) != PKI_OK) {
            pki_err_set(&m->err, "out of memory");
            pki_round_fail_after(m, 0);
        }

        return;
    }

    if (m->err.text[0] != '\0') {
        pki_round_fail_after(m, wait);
        return;
    }

    m->until = pki_source_mono(m->source) + wait;
}


static pki_rc_t
pki_round_ask(pki_machine_t *m, const char *token)
{
    unsigned       i, n;
    pki_request_t  request;

    pki_round_reply_free(m);
    memset(&m->result, 0, sizeof(pki_fetch_result_t));

    m->token = OPENSSL_strdup(token);
    if (m->token == NULL) {
        return PKI_ERROR;
    }

    if (m->request.shape != NULL) {
        m->page = pki_page_create(m->request.shape, pki_round_item, m);
        if (m->page == NULL) {
            return PKI_ERROR;
        }
    }

    memset(&request, 0, sizeof(pki_request_t));

    request.method = m->request.method;
    request.url = m->request.url;
    request.token = m->token;
    request.body = (const char *) m->request.body;
    request.len = m->request.len;
    request.host = m->request.foreign ? NULL : m->round.conf->url;
    request.piece = pki_round_piece;
    request.done = pki_round_done;
    request.data = m;

    n = 0;
    request.headers[n++] = "Accept: application/json";

    if (m->request.body != NULL) {
        request.headers[n++] = "Content-Type: application/json";
    }

    for (i = 0; i < PKI_ROUND_HEADERS && m->request.headers[i]; i++) {
        request.headers[n++] = m->request.headers[i];
    }

    m->asking = 1;
    m->state = PKI_ROUND_ASKED;
    m->stats.requests++;

    pki_fetch(m->source->peer, &request);

    return PKI_OK;
}


/*
 * The body of a failure is read as well, since it may hold the reason; if it
 * cannot be read, the status has said enough.
 */

static pki_rc_t
pki_round_piece(void *data, int status, const char *text, size_t len)
{
    pki_machine_t  *m = data;

    if (m->orphan) {
        return PKI_ERROR;
    }

    if (m->status == 0) {
        m->status = status;
        m->round.now = pki_source_now(m->source);
    }

    if (m->page == NULL || m->read != PKI_OK) {
        return PKI_OK;
    }

    m->read = pki_page_feed(m->page, text, len, &m->read_err);

    return status >= 200 && status <= 299 ? m->read : PKI_OK;
}


static pki_rc_t
pki_round_item(void *data, const pki_value_t *values)
{
    pki_rc_t               rc;
    pki_item_t             item;
    pki_machine_t         *m = data;
    const pki_resource_t  *resource;

    resource = m->round.resource;

    if (m->status < 200 || m->status > 299) {
        return PKI_OK;
    }

    m->items.told++;

    if (resource->item == NULL || m->request.shape->item != resource->paths) {
        return PKI_OK;
    }

    memset(&item, 0, sizeof(pki_item_t));

    rc = resource->item(m->round.conf, values, m->round.now, &item);

    if (rc == PKI_OK) {
        rc = pki_items_add(&m->items, &item);
    }

    if (rc == PKI_INVALID) {
        m->items.unreadable++;
    }

    return rc == PKI_ERROR ? PKI_ERROR : PKI_OK;
}


static void
pki_round_done(void *data, const pki_fetch_result_t *result)
{
    pki_machine_t  *m = data;

    m->asking = 0;

    if (m->orphan) {
        m->orphan = 0;
        pki_round_reply_free(m);
        return;
    }

    m->round.now = pki_source_now(m->source);
    m->result = *result;

    pki_err_set(&m->fetch_err, "%s", result->error ? result->error
                                                   : "no reply");
    m->result.error = m->fetch_err.text;

    m->location = OPENSSL_strdup(result->location ? result->location : "");
    m->result.location = m->location ? m->location : "";

    m->state = PKI_ROUND_REPLIED;
}


void
pki_round_request_free(pki_machine_t *m)
{
    OPENSSL_free(m->request.url);
    OPENSSL_clear_free(m->request.body, m->request.len);
    memset(&m->request, 0, sizeof(pki_round_request_t));
}


void
pki_round_reply_free(pki_machine_t *m)
{
    pki_page_destroy(m->page);
    m->page = NULL;

    pki_items_free(&m->items);

    OPENSSL_free(m->location);
    m->location = NULL;

    if (m->token != NULL) {
        OPENSSL_clear_free(m->token, strlen(m->token));
        m->token = NULL;
    }

    m->status = 0;
    m->read = PKI_OK;
    m->read_err.text[0] = '\0';
    m->round.page = NULL;
    m->round.result = NULL;
    m->round.items = NULL;
    m->round.nitems = 0;
    m->round.told = 0;
}


/*
 * Intune's queue of revocation requests for a certification authority that
 * is not Microsoft's (its third-party CA interface).
 *
 * Graph tells where the service is, each round anew, since it moves.  Then
 * requests are taken in batches, revoked by the round, and answered; those
 * that were not answered come again.  A request whose serial number cannot
 * be read is answered as well: else it would come for ever.  One that names
 * another issuer is left to that CA, which asks the same queue.
 */

#include "pki_intune.h"
#include "pki_json.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>


#define PKI_INTUNE_QUEUE_BATCH   500    /* the service's limit */
#define PKI_INTUNE_QUEUE_TIMES   20     /* batches of a round; what cannot be
                                           revoked now comes again at once */
#define PKI_INTUNE_QUEUE_URL     2048

/* of Microsoft Intune, in every tenant */
#define PKI_INTUNE_QUEUE_APP     "0000000a-0000-0000-c000-000000000000"
#define PKI_INTUNE_QUEUE_SERVICE "PkiConnectorFEService"


/* steps of a round */

enum {
    PKI_INTUNE_QUEUE_BEGIN = 0,
    PKI_INTUNE_QUEUE_DISCOVER,
    PKI_INTUNE_QUEUE_DOWNLOAD,
    PKI_INTUNE_QUEUE_UPLOAD
};


/* paths of an item */

enum {
    PKI_INTUNE_QUEUE_CONTEXT = 0,
    PKI_INTUNE_QUEUE_SERIAL,
    PKI_INTUNE_QUEUE_ISSUER,
    PKI_INTUNE_QUEUE_PROVIDER,
    PKI_INTUNE_QUEUE_URI
};


/* round->count */

enum {
    PKI_INTUNE_QUEUE_ROWS = PKI_GRAPH_COUNTS,
    PKI_INTUNE_QUEUE_BATCHES
};


static pki_next_t pki_intune_queue_discovered(pki_round_t *round);
static pki_next_t pki_intune_queue_ask(pki_round_t *round);
static pki_next_t pki_intune_queue_answer(pki_round_t *round);
static pki_next_t pki_intune_queue_answered(pki_round_t *round);
static pki_next_t pki_intune_queue_post(pki_round_t *round,
    const pki_page_shape_t *shape, const char *action, pki_json_writer_t *w);
static unsigned pki_intune_queue_results(const pki_round_t *round,
    pki_json_writer_t *w, unsigned *others);
static void pki_intune_queue_result(const pki_item_t *item,
    pki_json_writer_t *w);
static int pki_intune_queue_uri(const char *uri);


/* of both kinds of item: a request, and a service that Graph knows */

const char  *const pki_intune_queue_paths[] = {
    "requestContext", "serialNumber", "issuerName", "providerName", "uri",
    NULL
};

static const char  *const pki_intune_queue_upload_top[] = {
    PKI_GRAPH_TOP, "value", NULL
};

static const pki_page_shape_t  pki_intune_queue_shape = {
    "value", pki_intune_queue_paths, pki_graph_top
};

static const pki_page_shape_t  pki_intune_queue_upload_shape = {
    NULL, NULL, pki_intune_queue_upload_top
};

static const char  *const pki_intune_queue_headers[] = {
    "api-version: 5019-05-05", NULL
};


int
pki_intune_queue_wanted(const pki_directory_conf_t *conf)
{
    return conf->revocations && conf->login_ca.url != NULL;
}


pki_next_t
pki_intune_queue_next(pki_round_t *round)
{
    switch (round->step) {

    case PKI_INTUNE_QUEUE_BEGIN:
        round->step = PKI_INTUNE_QUEUE_DISCOVER;

        return pki_round_get(round, &pki_intune_queue_shape,
                             "/v1.0/servicePrincipals/appId="
                             PKI_INTUNE_QUEUE_APP "/endpoints");

    case PKI_INTUNE_QUEUE_DISCOVER:
        return pki_intune_queue_discovered(round);

    case PKI_INTUNE_QUEUE_DOWNLOAD:
        return pki_intune_queue_answer(round);

    default: /* PKI_INTUNE_QUEUE_UPLOAD */
        return pki_intune_queue_answered(round);
    }
}


/*
 * What a service or a request means: one without a serial number is kept
 * for next() and not revoked.
 */

pki_rc_t
pki_intune_queue_item(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_item_t *item)
{
    const pki_value_t  *context, *issuer, *uri;

    (void) conf;
    (void) now;

    memset(item, 0, sizeof(pki_item_t));

    context = &values[PKI_INTUNE_QUEUE_CONTEXT];
    issuer = &values[PKI_INTUNE_QUEUE_ISSUER];
    uri = &values[PKI_INTUNE_QUEUE_URI];

    if (values[PKI_INTUNE_QUEUE_PROVIDER].type != PKI_VALUE_ABSENT) {

        if (!pki_graph_is(&values[PKI_INTUNE_QUEUE_PROVIDER],
                          PKI_INTUNE_QUEUE_SERVICE))
        {
            return PKI_NOT_FOUND;
        }

        if (uri->type != PKI_VALUE_STRING
            || !pki_intune_queue_uri(uri->string))
        {
            return PKI_INVALID;
        }

        item->context = uri->string;
        return PKI_OK;
    }

    if (context->type != PKI_VALUE_STRING || context->len == 0) {
        return PKI_INVALID;
    }

    item->context = context->string;

    if (issuer->type == PKI_VALUE_STRING && issuer->len > 0) {
        item->issuer = issuer->string;
    }

    if (pki_intune_serial(&values[PKI_INTUNE_QUEUE_SERIAL], item->id)
        == PKI_OK)
    {
        item->serial = item->id;
    }

    return PKI_OK;
}


/* of two services with the name the last counts, as for Microsoft's client */

static pki_next_t
pki_intune_queue_discovered(pki_round_t *round)
{
    pki_next_t   next;
    pki_value_t  uri;

    if (pki_graph_good(round) && round->nitems > 0) {
        uri.type = PKI_VALUE_STRING;
        uri.string = round->items[round->nitems - 1].context;
        uri.len = uri.string ? strlen(uri.string) : 0;

        if (uri.len == 0 || pki_round_link(round, &uri) == PKI_NEXT_FAIL) {
            return pki_round_fail(round, "the address of Intune's service "
                                  "cannot be used");
        }

        round->count[PKI_INTUNE_QUEUE_ROWS] = 1;
    }

    next = pki_graph_listed(round, &pki_intune_queue_shape,
                            "services of Intune");

    if (next != PKI_NEXT_DONE) {
        return next;
    }

    if (round->count[PKI_INTUNE_QUEUE_ROWS] == 0) {
        return pki_round_fail(round, "Graph knows no usable service \"%s\": "
                              "the tenant has no Intune",
                              PKI_INTUNE_QUEUE_SERVICE);
    }

    return pki_intune_queue_ask(round);
}


static pki_next_t
pki_intune_queue_ask(pki_round_t *round)
{
    pki_json_writer_t  *w;

    round->step = PKI_INTUNE_QUEUE_DOWNLOAD;

    w = pki_json_create();

    if (w != NULL) {
        pki_json_object(w);
        pki_json_name(w, "downloadParameters");
        pki_json_object(w);
        pki_json_name(w, "maxRequests");
        pki_json_integer(w, PKI_INTUNE_QUEUE_BATCH);
        pki_json_name(w, "issuerName");
        pki_json_string(w, NULL);
        pki_json_object_end(w);
        pki_json_object_end(w);
    }

    return pki_intune_queue_post(round, &pki_intune_queue_shape,
                                 "downloadRevocationRequests", w);
}


static pki_next_t
pki_intune_queue_answer(pki_round_t *round)
{
    unsigned            n, others;
    pki_json_writer_t  *w;

    if (!pki_graph_good(round)) {
        return pki_graph_refused(round, "revocation requests");
    }

    if (round->told == 0) {
        return PKI_NEXT_DONE;
    }

    round->count[PKI_INTUNE_QUEUE_ROWS] = (long long) round->told;
    round->step = PKI_INTUNE_QUEUE_UPLOAD;

    w = pki_json_create();
    n = 1;

    if (w != NULL) {
        n = pki_intune_queue_results(round, w, &others);
    }

    if (n == 0) {
        pki_json_destroy(w);

        if (others && round->told >= PKI_INTUNE_QUEUE_BATCH) {
            (void) pki_round_fail(round, "%u revocation requests to other "
                                  "issuers are in the way", others);
            return PKI_NEXT_PARTIAL;
        }

        if (others) {
            return PKI_NEXT_DONE;
        }

        return pki_round_fail(round, "none of %zu revocation requests can be "
                              "read", round->told);
    }

    return pki_intune_queue_post(round, &pki_intune_queue_upload_shape,
                                 "uploadRevocationResults", w);
}


static pki_next_t
pki_intune_queue_answered(pki_round_t *round)
{
    const pki_value_t  *value;

    if (!pki_graph_good(round)) {
        return pki_graph_refused(round, "revocation results");
    }

    value = pki_page_top(round->page, PKI_GRAPH_OWN);

    if (!(value->type == PKI_VALUE_BOOLEAN && value->integer)
        && !pki_graph_is(value, "true"))
    {
        return pki_round_fail(round, "Intune did not take the results of "
                              "revocations");
    }

    if (round->count[PKI_INTUNE_QUEUE_ROWS] < PKI_INTUNE_QUEUE_BATCH
        || ++round->count[PKI_INTUNE_QUEUE_BATCHES] == PKI_INTUNE_QUEUE_TIMES)
    {
        return PKI_NEXT_DONE;
    }

    return pki_intune_queue_ask(round);
}


/* w, which may be NULL, is taken; the service's address is the link */

static pki_next_t
pki_intune_queue_post(pki_round_t *round, const pki_page_shape_t *shape,
    const char *action, pki_json_writer_t *w)
{
    int          n;
    char         url[PKI_INTUNE_QUEUE_URL];
    pki_next_t   next;
    pki_bytes_t  body;

    if (w == NULL || pki_json_text(w, &body) != PKI_OK) {
        pki_json_destroy(w);
        return pki_round_fail(round, "no memory for revocations");
    }

    n = snprintf(url, PKI_INTUNE_QUEUE_URL,
                 "%s/CertificateAuthorityRequests/%s", round->link, action);

    if (n < 0 || n >= PKI_INTUNE_QUEUE_URL) {
        pki_json_destroy(w);
        return pki_round_fail(round, "the address of Intune's service is too "
                              "long");
    }

    next = pki_round_post(round, shape, "POST", url, 1, body,
                          pki_intune_queue_headers);

    pki_json_destroy(w);

    return next;
}


/* Writes the answers; returns how many.  Requests to other CAs are theirs. */

static unsigned
pki_intune_queue_results(const pki_round_t *round, pki_json_writer_t *w,
    unsigned *others)
{
    size_t    i;
    unsigned  n;

    pki_json_object(w);
    pki_json_name(w, "results");
    pki_json_array(w);

    n = 0;
    *others = 0;

    for (i = 0; i < round->nitems; i++) {

        if (round->items[i].elsewhere) {
            (*others)++;

        } else if (round->items[i].context != NULL) {
            pki_intune_queue_result(&round->items[i], w);
            n++;
        }
    }

    pki_json_array_end(w);
    pki_json_object_end(w);

    return n;
}


/*
 * A certificate that is revoked already, be it for another reason, is what
 * Intune wants.  The codes are the names of the service's enumeration; after
 * a retryable one it asks again.
 */

static void
pki_intune_queue_result(const pki_item_t *item, pki_json_writer_t *w)
{
    const char  *code, *message;

    if (item->serial == NULL) {
        code = "ParameterDataInvalidError";
        message = "the serial number cannot be read";

    } else if (item->result == PKI_STORE_NOT_FOUND) {
        code = "CertificateNotFoundError";
        message = "this certificate was not issued here";

    } else if (item->result == PKI_STORE_FAILED) {
        code = "ServiceUnavailableException";
        message = "the revocation could not be stored";

    } else {
        code = "None";
        message = NULL;
    }

    pki_json_object(w);
    pki_json_name(w, "requestContext");
    pki_json_string(w, item->context);
    pki_json_name(w, "succeeded");
    pki_json_boolean(w, message == NULL);
    pki_json_name(w, "errorCode");
    pki_json_string(w, code);
    pki_json_name(w, "errorMessage");
    pki_json_string(w, message);
    pki_json_object_end(w);
}


/* a path is appended to it, and it ends up in a request line */

static int
pki_intune_queue_uri(const char *uri)
{
    const unsigned char  *p;

    if (strncasecmp(uri, "https://", sizeof("https://") - 1) != 0
        && strncasecmp(uri, "http://", sizeof("http://") - 1) != 0)
    {
        return 0;
    }

    for (p = (const unsigned char *) uri; *p; p++) {
        if (*p <= ' ' || *p >= 0x7f || *p == '?' || *p == '#') {
            return 0;
        }
    }

    return 1;
}

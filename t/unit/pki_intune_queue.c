
/*
 * pki_intune_queue.c: the service is found, requests are taken, and each is
 * answered with what became of it.
 */

#include "pki_test_graph.h"


#define QUEUE     (&pki_intune.resources[2])
#define SERVICE   "https://fef.example/RACerts/StatelessPkiConnectorService"
#define ACTION    "/CertificateAuthorityRequests/"
#define DOWNLOAD  SERVICE ACTION "downloadRevocationRequests"
#define UPLOAD    SERVICE ACTION "uploadRevocationResults"

#define ENDPOINT(name, uri)                                                 \
    "{\"id\":\"1\",\"capability\":\"c\",\"providerName\":" name             \
    ",\"uri\":" uri "}"
#define PKI_SERVICE  ENDPOINT("\"PkiConnectorFEService\"", "\"" SERVICE "\"")
#define OTHER        ENDPOINT("\"ScepRequestValidationFEService\"",         \
                              "\"https://fef.example/scep\"")
#define LIST(items)  "{\"@odata.context\":\"c\",\"value\":[" items "]}"
#define YES          "{\"@odata.context\":\"c\",\"value\":true}"


typedef struct {
    const char  *item;
    const char  *means;
} test_case_t;


static char  test_text[131072];


static void
test_reset(void)
{
    memset(&test_conf, 0, sizeof(test_conf));
    test_conf.url = TEST_URL;
    test_conf.revocations = 1;
    test_conf.login_ca.url = "https://login.example/token";
    test_round.variant = 0;
}


/* n requests, from number first on */

static const char *
test_requests(unsigned first, unsigned n)
{
    size_t    len;
    unsigned  i;

    len = (size_t) snprintf(test_text, sizeof(test_text), "{\"value\":[");

    for (i = first; i < first + n; i++) {
        len += (size_t) snprintf(test_text + len, sizeof(test_text) - len,
                                 "%s{\"requestContext\":\"r%u\","
                                 "\"serialNumber\":\"54%06u\","
                                 "\"issuerName\":null,"
                                 "\"caConfiguration\":\"\"}",
                                 i == first ? "" : ",", i, i);
    }

    (void) snprintf(test_text + len, sizeof(test_text) - len, "]}");

    return test_text;
}


/* up to the first download */

static void
test_found(void)
{
    (void) test_begin(QUEUE, 1, NULL);
    (void) test_reply(200, LIST(PKI_SERVICE));
}


static void
test_wanted(void)
{
    test_reset();

    ok(QUEUE->wanted(&test_conf), "wanted");
    test_conf.revocations = 0;
    ok(!QUEUE->wanted(&test_conf), "not wanted");
    test_conf.revocations = 1;
    test_conf.login_ca.url = NULL;
    ok(!QUEUE->wanted(&test_conf), "there must be a login");
    ok(QUEUE->login_ca && QUEUE->classes == 0 && QUEUE->mask == 0
       && !QUEUE->sweep, "it tells about no object");
}


static const test_case_t  test_items_means[] = {

#define REQUEST(context, serial, issuer)                                    \
    "{\"requestContext\":" context ",\"serialNumber\":" serial              \
    ",\"issuerName\":" issuer ",\"caConfiguration\":{}}"

    { REQUEST("\"a\"", "\"54ab\"", "null"), "54AB for a" },
    { REQUEST("\"a\"", "\"54:AB\"", "\"CN=CA, O=X\""),
      "54AB of CN=CA, O=X for a" },
    { REQUEST("\"a\"", "\"1\"", "\"\""), "01 for a" },
    { REQUEST("\"\\u00e4 {\\\"\"", "\"1\"", "7"), "01 for \xc3\xa4 {\"" },

    /* they must be answered all the same */

    { REQUEST("\"a\"", "\"x\"", "\"CN=CA\""), "- of CN=CA for a" },
    { REQUEST("\"a\"", "\"-1\"", "null"), "- for a" },
    { REQUEST("\"a\"", "null", "null"), "- for a" },
    { "{\"requestContext\":\"a\"}", "- for a" },

    { REQUEST("null", "\"1\"", "null"), "unreadable" },
    { REQUEST("\"\"", "\"1\"", "null"), "unreadable" },
    { REQUEST("1", "\"1\"", "null"), "unreadable" },
    { REQUEST("{}", "\"1\"", "null"), "unreadable" },
    { "{\"serialNumber\":\"1\"}", "unreadable" },
    { "{}", "unreadable" },

    { PKI_SERVICE, "- for " SERVICE },
    { ENDPOINT("\"PKICONNECTORFESERVICE\"", "\"HTTPS://h/p\""),
      "- for HTTPS://h/p" },
    { ENDPOINT("\"PkiConnectorFEService\"", "\"http://h\""),
      "- for http://h" },
    { OTHER, "nothing" },
    { ENDPOINT("null", "\"https://h/p\""), "nothing" },
    { ENDPOINT("7", "\"https://h/p\""), "nothing" },
    { ENDPOINT("\"PkiConnectorFEService\"", "\"file:///etc/passwd\""),
      "unreadable" },
    { ENDPOINT("\"PkiConnectorFEService\"", "\"ftp://h/\""), "unreadable" },
    { ENDPOINT("\"PkiConnectorFEService\"", "\"//h/\""), "unreadable" },
    { ENDPOINT("\"PkiConnectorFEService\"", "\"\""), "unreadable" },
    { ENDPOINT("\"PkiConnectorFEService\"", "null"), "unreadable" },
    { ENDPOINT("\"PkiConnectorFEService\"", "[\"https://h/\"]"),
      "unreadable" },
    { ENDPOINT("\"PkiConnectorFEService\"", "\"https://h/?a\""),
      "unreadable" },
    { ENDPOINT("\"PkiConnectorFEService\"", "\"https://h/#a\""),
      "unreadable" },
    { ENDPOINT("\"PkiConnectorFEService\"", "\"https://h/\x7f\""),
      "unreadable" },
    { ENDPOINT("\"PkiConnectorFEService\"", "\"https://h/ a\""),
      "unreadable" },
    { ENDPOINT("\"PkiConnectorFEService\"", "\"https://h/\\r\\nX: y\""),
      "unreadable" },
    { ENDPOINT("\"PkiConnectorFEService\"", "\"https://h\\u00e4/\""),
      "unreadable" }
};


static void
test_items_of(void)
{
    size_t  i;

    test_reset();

    for (i = 0; i < sizeof(test_items_means) / sizeof(test_items_means[0]);
         i++)
    {
        is_str(test_one_item(QUEUE, test_items_means[i].item),
               test_items_means[i].means, "%s", test_items_means[i].item);
    }
}


static void
test_discovery(void)
{
    char  text[4096];

    test_reset();

    is_int(test_begin(QUEUE, 1, "https://old.example/service"),
           PKI_NEXT_FETCH, "a round");
    is_str(test_url, "/v1.0/servicePrincipals/appId="
           "0000000a-0000-0000-c000-000000000000/endpoints",
           "asks where the service is, whatever is known");
    is_str(test_method, "GET", "of Graph");
    is_int(test_foreign, 0, "with Graph's token");

    is_int(test_reply(200, LIST(OTHER "," PKI_SERVICE)), PKI_NEXT_FETCH,
           "it is there");
    is_str(test_method, "POST", "a download");
    is_str(test_url, DOWNLOAD, "from it");
    is_int(test_foreign, 1, "at another host");
    is_str(test_body, "{\"downloadParameters\":{\"maxRequests\":500,"
           "\"issuerName\":null}}", "of all");
    is_str(test_headers[0], "api-version: 5019-05-05", "of this version");
    ok(test_headers[1] == NULL, "and no other header");

    (void) test_begin(QUEUE, 1, NULL);
    (void) test_reply(200, LIST(PKI_SERVICE ","
                                ENDPOINT("\"pkiconnectorfeservice\"",
                                         "\"https://last.example/\"")));
    is_str(test_url, "https://last.example/" ACTION
           "downloadRevocationRequests", "of two the last; a slash is added");

    (void) test_begin(QUEUE, 1, NULL);
    is_int(test_reply(200, "{\"value\":[" PKI_SERVICE "],"
                      "\"@odata.nextLink\":\"" TEST_URL "/n\"}"),
           PKI_NEXT_FETCH, "a page more");
    is_str(test_url, TEST_URL "/n", "of services");
    is_int(test_reply(200, LIST(OTHER)), PKI_NEXT_FETCH, "without it");
    is_str(test_url, DOWNLOAD, "it is known");

    (void) test_begin(QUEUE, 1, "https://old.example/service");
    is_int(test_reply(200, LIST(OTHER)), PKI_NEXT_FAIL, "it is not there");
    is_str(test_said, "Graph knows no usable service "
           "\"PkiConnectorFEService\": the tenant has no Intune",
           "the sentence");

    (void) test_begin(QUEUE, 1, NULL);
    is_int(test_reply(200, LIST(ENDPOINT("\"PkiConnectorFEService\"",
                                         "\"file:///x\""))),
           PKI_NEXT_FAIL, "no address to ask");
    (void) test_begin(QUEUE, 1, NULL);
    is_int(test_reply(200, LIST("")), PKI_NEXT_FAIL, "no service at all");
    (void) test_begin(QUEUE, 1, NULL);
    is_int(test_reply(404, ERROR("Request_ResourceNotFound", "")),
           PKI_NEXT_FAIL, "no such principal");
    is_str(test_said, "services of Intune refused with status 404 "
           "(Request_ResourceNotFound)", "the sentence");

    (void) snprintf(text, sizeof(text), LIST("{\"providerName\":"
                    "\"PkiConnectorFEService\",\"uri\":\"https://%0*d\"}"),
                    2040, 0);
    (void) test_begin(QUEUE, 1, NULL);
    is_int(test_reply(200, text), PKI_NEXT_FAIL, "an address too long");
    is_str(test_said, "the address of Intune's service is too long",
           "the sentence");
}


static void
test_download(void)
{
    test_reset();

    test_found();
    is_int(test_reply(200, LIST("")), PKI_NEXT_DONE, "nothing to revoke");

    test_found();
    is_int(test_reply(403, ERROR("Forbidden", "")), PKI_NEXT_FAIL, "403");
    is_str(test_said, "revocation requests refused with status 403 "
           "(Forbidden): no permission, or no licence", "the sentence");
    test_found();
    is_int(test_reply(200, "{}"), PKI_NEXT_FAIL, "no list is no empty one");
    test_found();
    is_int(test_reply(200, LIST("{\"serialNumber\":\"1\"},{}")),
           PKI_NEXT_FAIL, "none that can be answered");
    is_str(test_said, "none of 2 revocation requests can be read",
           "the sentence");
}


static void
test_answers(void)
{
    size_t  i;

    test_reset();

    test_found();
    test_receive(200, LIST(REQUEST("\"a\"", "\"54\"", "null") ","
                           REQUEST("\"b\"", "\"55\"", "null") ","
                           REQUEST("\"c\"", "\"56\"", "null") ","
                           REQUEST("\"d\"", "\"57\"", "null") ","
                           REQUEST("\"e \\\"\"", "\"58\"", "null") ","
                           REQUEST("\"f\"", "\"?\"", "null") ","
                           REQUEST("null", "\"59\"", "null") ","
                           REQUEST("\"h\"", "\"60\"", "\"CN=b\"")));

    test_items[0].result = PKI_STORE_DONE;
    test_items[1].result = PKI_STORE_SAME;
    test_items[2].result = PKI_STORE_CONFLICT;
    test_items[3].result = PKI_STORE_NOT_FOUND;
    test_items[4].result = PKI_STORE_FAILED;
    test_items[5].result = PKI_STORE_DONE;
    test_items[6].elsewhere = 1;

    is_int(test_round.resource->next(&test_round), PKI_NEXT_FETCH,
           "the requests");
    is_str(test_method, "POST", "an upload");
    is_str(test_url, UPLOAD, "to the service");
    is_int(test_foreign, 1, "at another host");
    is_str(test_headers[0], "api-version: 5019-05-05", "of this version");

#define OK_OF(id)                                                           \
    "{\"requestContext\":\"" id "\",\"succeeded\":true,"                    \
    "\"errorCode\":\"None\",\"errorMessage\":null}"
#define NO_OF(id, code, message)                                            \
    "{\"requestContext\":\"" id "\",\"succeeded\":false,"                   \
    "\"errorCode\":\"" code "\",\"errorMessage\":\"" message "\"}"

    is_str(test_body, "{\"results\":[" OK_OF("a") "," OK_OF("b") ","
           OK_OF("c") ","
           NO_OF("d", "CertificateNotFoundError",
                 "this certificate was not issued here") ","
           NO_OF("e \\\"", "ServiceUnavailableException",
                 "the revocation could not be stored") ","
           NO_OF("f", "ParameterDataInvalidError",
                 "the serial number cannot be read") "]}",
           "each is answered that is ours to answer");

    is_int(test_reply(200, YES), PKI_NEXT_DONE, "the answers are taken");

    test_found();
    test_receive(200, LIST(REQUEST("\"h\"", "\"60\"", "\"CN=b\"")));
    test_items[0].elsewhere = 1;
    is_int(test_round.resource->next(&test_round), PKI_NEXT_DONE,
           "none is ours to answer");

    test_found();
    test_receive(200, test_requests(0, 500));

    for (i = 0; i < test_round.nitems; i++) {
        test_items[i].elsewhere = 1;
    }

    is_int(test_round.resource->next(&test_round), PKI_NEXT_PARTIAL,
           "a whole batch of them");
    is_str(test_said, "500 revocation requests to other issuers are in the "
           "way", "the sentence");
}


static const char  *const test_refusals[] = {
    "{\"value\":false}", "{\"value\":null}", "{\"value\":1}",
    "{\"value\":\"false\"}", "{\"value\":\"\"}", "{\"value\":{}}",
    "{\"value\":[true]}", "{\"value\":true,\"value\":false}", "{}"
};


static void
test_upload(void)
{
    size_t  i;

    test_reset();

    for (i = 0; i < sizeof(test_refusals) / sizeof(test_refusals[0]); i++) {
        test_found();
        (void) test_reply(200, test_requests(0, 1));
        is_int(test_reply(200, test_refusals[i]), PKI_NEXT_FAIL, "%s",
               test_refusals[i]);
        is_str(test_said, "Intune did not take the results of revocations",
               "the sentence");
    }

    test_found();
    (void) test_reply(200, test_requests(0, 1));
    is_int(test_reply(200, "{\"value\":\"True\"}"), PKI_NEXT_DONE,
           "Microsoft's clients take a text too");
    test_found();
    (void) test_reply(200, test_requests(0, 1));
    is_int(test_reply(400, ERROR("BadRequest", "")), PKI_NEXT_FAIL,
           "refused");
    is_str(test_said, "revocation results refused with status 400 "
           "(BadRequest)", "the sentence");
    test_found();
    (void) test_reply(200, test_requests(0, 1));
    is_int(test_reply(200, NULL), PKI_NEXT_FAIL, "no JSON");
}


/* a full batch is followed by another, but not for ever */

static void
test_batches(void)
{
    unsigned    n;
    pki_next_t  next;

    test_reset();

    test_found();
    is_int(test_reply(200, test_requests(0, 500)), PKI_NEXT_FETCH,
           "a full batch");
    is_int(test_reply(200, YES), PKI_NEXT_FETCH, "is answered");
    is_str(test_url, DOWNLOAD, "there may be more");
    is_int(test_reply(200, test_requests(500, 499)), PKI_NEXT_FETCH,
           "one that is not full");
    is_str(test_url, UPLOAD, "is answered");
    is_int(test_reply(200, YES), PKI_NEXT_DONE, "and is the last");

    test_found();
    next = PKI_NEXT_FETCH;

    for (n = 0; n < 100 && next == PKI_NEXT_FETCH; n++) {
        (void) test_reply(200, test_requests(0, 500));
        next = test_reply(200, YES);
    }

    is_int(next, PKI_NEXT_DONE, "the same again and again");
    is_int(n, 20, "is for the next round");
}


static void
test_memory(void)
{
    int         done;
    long        n;
    unsigned    step;
    pki_next_t  next;

    for (step = 0; step < 2; step++) {
        done = 0;

        for (n = 1; n < 100 && !done; n++) {

            test_reset();

            if (step == 0) {
                (void) test_begin(QUEUE, 1, NULL);
                test_receive(200, LIST(PKI_SERVICE));

            } else {
                test_found();
                test_receive(200, test_requests(0, 20));
            }

            pki_test_fail_at(n);
            next = test_round.resource->next(&test_round);
            done = !pki_test_fail_hit();
            pki_test_fail_at(0);

            is_int(next, done ? PKI_NEXT_FETCH : PKI_NEXT_FAIL,
                   "step %u, allocation %ld", step, n);
            is_str(test_said, done ? "" : "no memory for revocations",
                   "the sentence");
        }

        ok(done && n > 2, "all allocations of step %u", step);
    }
}


int
main(void)
{
    pki_test_alloc_hook();

    test_wanted();
    test_items_of();
    test_discovery();
    test_download();
    test_answers();
    test_upload();
    test_batches();
    test_memory();

    return test_done();
}


/*
 * pki_entra_hook.c: a subscription is made, kept, renewed and made anew.
 */

#include "pki_test_graph.h"


#define HOOK  (&pki_entra.resources[3])

#define SUB   "7f105c7d-2dc5-4530-97cd-4e7ae6534c07"

/* 28 days from now, the time that a renewal is asked for */

#define END   "1792419200"

#define REPLY(id, expires)                                                  \
    "{\"@odata.context\":\"c\",\"id\":" id ",\"resource\":\"users\","       \
    "\"clientState\":null,\"expirationDateTime\":" expires "}"


static char  test_tag[16];
static char  test_text[256];


/* a link with the tag of the present configuration */

static const char *
test_link(const char *id, long long expires, long long renewed)
{
    (void) snprintf(test_text, sizeof(test_text), "%s,%s,%lld,%lld", test_tag,
                    id, expires, renewed);

    return test_text;
}


static void
test_reset(void)
{
    memset(&test_conf, 0, sizeof(test_conf));
    test_conf.url = TEST_URL;
    test_conf.users = 1;
    test_conf.hook_url = "https://pki.example/hook";
    test_conf.hook_secret = "s3cret \"q\"";
}


static void
test_wanted(void)
{
    test_reset();

    ok(HOOK->wanted(&test_conf), "wanted");
    test_conf.users = 0;
    ok(!HOOK->wanted(&test_conf), "not without users");
    test_conf.users = 1;
    test_conf.hook_url = NULL;
    ok(!HOOK->wanted(&test_conf), "nor without an address");
    is_int(HOOK->interval, 60000, "each minute");
    ok(HOOK->classes == 0 && HOOK->mask == 0, "it tells about no object");
}


static void
test_create(void)
{
    test_reset();

    is_int(test_begin(HOOK, 1, NULL), PKI_NEXT_FETCH, "none yet");
    is_str(test_method, "POST", "a new one");
    is_str(test_url, "/v1.0/subscriptions", "its URL");
    is_int(test_foreign, 0, "at Graph");
    is_str(test_body, "{\"changeType\":\"updated,deleted\",\"resource\":"
           "\"users\",\"notificationUrl\":\"https://pki.example/hook\","
           "\"lifecycleNotificationUrl\":\"https://pki.example/hook\","
           "\"clientState\":\"s3cret \\\"q\\\"\",\"expirationDateTime\":"
           "\"2026-10-19T14:13:20Z\"}", "its body");

    is_int(test_reply(201, REPLY("\"" SUB "\"",
                                 "\"2026-10-19T14:13:20.0000000Z\"")),
           PKI_NEXT_DONE, "is made");

    (void) snprintf(test_tag, sizeof(test_tag), "%.8s", test_round.link);

    is_int(strspn(test_tag, "0123456789abcdef"), 8, "a tag of eight digits");
    is_str(test_round.link + 8, "," SUB "," END ",1790000000", "and is kept");
    ok(strstr(test_round.link, "s3cret") == NULL, "without the secret");

    /* Graph gives less time than it was asked for */

    (void) test_begin(HOOK, 1, NULL);
    is_int(test_reply(201, REPLY("\"" SUB "\"", "\"2026-09-21T15:13:20Z\"")),
           PKI_NEXT_DONE, "an hour only");
    is_str(test_round.link + 8, "," SUB ",1790003600,1790000000", "is kept");
}


static void
test_renew(void)
{
    const char  *link;

    test_reset();

    is_int(test_begin(HOOK, 1, test_link(SUB, TEST_NOW + 10, TEST_NOW - 8)),
           PKI_NEXT_DONE, "it is not time yet");
    is_int(test_asked, 0, "no request");
    is_int(test_links, 0, "the link stays");

    is_int(test_begin(HOOK, 1, test_link(SUB, TEST_NOW + 10, TEST_NOW - 10)),
           PKI_NEXT_FETCH, "it is time: half of it has passed");
    is_str(test_method, "PATCH", "a renewal");
    is_str(test_url, "/v1.0/subscriptions/" SUB, "of this one");
    is_str(test_body, "{\"expirationDateTime\":\"2026-10-19T14:13:20Z\"}",
           "its body");
    is_int(test_reply(200, REPLY("\"" SUB "\"", "\"2026-10-19T14:13:20Z\"")),
           PKI_NEXT_DONE, "renewed");
    is_str(test_round.link + 8, "," SUB "," END ",1790000000", "and kept");

    (void) test_begin(HOOK, 1, test_link(SUB, TEST_NOW + 10, TEST_NOW - 10));
    is_int(test_reply(404, ERROR("ResourceNotFound", "")), PKI_NEXT_FETCH,
           "it is gone");
    is_str(test_method, "POST", "a new one");
    is_int(test_reply(404, ERROR("ResourceNotFound", "")), PKI_NEXT_FAIL,
           "which fails: no third request");
    is_str(test_said, "a subscription refused with status 404 "
           "(ResourceNotFound)", "the sentence");

    (void) test_begin(HOOK, 1, test_link(SUB, TEST_NOW + 10, TEST_NOW - 10));
    is_int(test_reply(403, ERROR("Forbidden", "")), PKI_NEXT_FAIL,
           "a renewal that is refused");
    is_int(test_links, 0, "the link stays");

    (void) test_begin(HOOK, 1, test_link(SUB, TEST_NOW, TEST_NOW - 10));
    is_str(test_method, "POST", "an expired one is made anew");

    /* a subscription of another address or secret is of no use */

    link = test_link(SUB, TEST_NOW + 10, TEST_NOW);
    test_conf.hook_secret = "another";
    (void) test_begin(HOOK, 1, link);
    is_str(test_method, "POST", "another secret");

    test_conf.hook_secret = NULL;
    (void) test_begin(HOOK, 1, link);
    is_str(test_method, "POST", "no secret");
    ok(strstr(test_body, "\"clientState\":null") != NULL, "and none is sent");

    test_reset();
    test_conf.hook_url = "https://pki.example/hook2";
    (void) test_begin(HOOK, 1, link);
    is_str(test_method, "POST", "another address");
}


/* Graph tells of the subscription's life, and the hook asks for a round */

static void
test_asked_for(void)
{
    size_t  i;

    static const struct {
        long         renewed;       /* from now */
        long         asked;
        pki_next_t   next;
        const char  *name;
    } asks[] = {
        { -100, -50, PKI_NEXT_FETCH, "asked for since it was renewed" },
        { -100, 0, PKI_NEXT_FETCH, "asked for now" },
        { -100, -100, PKI_NEXT_FETCH, "asked for in the same second" },
        { -100, -101, PKI_NEXT_DONE, "asked for before it was renewed" },
        { 0, 0, PKI_NEXT_DONE, "renewed in this second" },
        { 0, 1, PKI_NEXT_DONE, "by a clock that is ahead" }
    };

    test_reset();

    for (i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
        test_asked_at = TEST_NOW + asks[i].asked;

        is_int(test_begin(HOOK, 1, test_link(SUB, TEST_NOW + 1000,
                                             TEST_NOW + asks[i].renewed)),
               asks[i].next, "%s", asks[i].name);
    }

    test_asked_at = 0;
}


/* what Redis holds may have been written by anybody */

static void
test_links_of(void)
{
    size_t  i;
    char    text[512];

    static const char  *const links[] = {
        "", ",", "%s", "%s,", "%s,x", "%s,x,9999999999",
        "%s,x,9999999999,9999999999,", "%s,x,9999999999,9999999999x",
        "%s,x/../y,9999999999,9999999999", "%s,,9999999999,9999999999",
        "%s,x,99999999999999999999999,9999999999", "%s,x,y,z",
        "%s,x?y,9999999999,9999999999", "0%s,x,9999999999,9999999999",
        ("%s,xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx,"
         "9999999999,9999999999")
    };

    test_reset();

    for (i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        (void) snprintf(text, sizeof(text),
                        "%.*s%s%s", (int) strcspn(links[i], "%"), links[i],
                        strchr(links[i], '%') ? test_tag : "",
                        strchr(links[i], '%') ? strchr(links[i], '%') + 2
                                              : "");

        test_method[0] = '\0';
        is_int(test_begin(HOOK, 1, text), PKI_NEXT_FETCH, "\"%s\"", text);
        is_str(test_method, "POST", "is no subscription");
    }

    is_int(test_begin(HOOK, 1, test_link("x", 9999999999LL, 9999999999LL)),
           PKI_NEXT_DONE, "this is one");
}


static void
test_replies(void)
{
    size_t  i;

    static const char  *const replies[] = {
        "{}",
        REPLY("null", "\"2026-10-19T14:13:20Z\""),
        REPLY("7", "\"2026-10-19T14:13:20Z\""),
        REPLY("\"\"", "\"2026-10-19T14:13:20Z\""),
        REPLY("\"a b\"", "\"2026-10-19T14:13:20Z\""),
        REPLY("\"../users\"", "\"2026-10-19T14:13:20Z\""),
        REPLY("\"0123456789012345678901234567890123456789012345678901234567"
              "890123\"", "\"2026-10-19T14:13:20Z\""),
        REPLY("\"" SUB SUB "\"", "\"2026-10-19T14:13:20Z\""),
        REPLY("\"" SUB "\"", "null"),
        REPLY("\"" SUB "\"", "\"\""),
        REPLY("\"" SUB "\"", "1792419200"),
        REPLY("\"" SUB "\"", "\"soon\""),
        REPLY("\"" SUB "\"", "\"2026-09-21T14:13:20Z\""),
        REPLY("\"" SUB "\"", "\"0001-01-01T00:00:00Z\"")
    };

    test_reset();

    for (i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        (void) test_begin(HOOK, 1, NULL);
        is_int(test_reply(201, replies[i]), PKI_NEXT_FAIL, "%s", replies[i]);
        is_int(test_links, 0, "is not kept");
    }

    (void) test_begin(HOOK, 1, NULL);
    is_int(test_reply(201, NULL), PKI_NEXT_FAIL, "no JSON");
    (void) test_begin(HOOK, 1, NULL);
    is_int(test_reply(400, ERROR("InvalidRequest", "")), PKI_NEXT_FAIL,
           "Graph could not reach the hook");
    is_str(test_said, "a subscription refused with status 400 "
           "(InvalidRequest)", "the sentence");
}


static void
test_memory(void)
{
    int         done;
    long        n;
    pki_next_t  next;

    test_reset();
    done = 0;

    for (n = 1; n < 100 && !done; n++) {
        pki_test_fail_at(n);
        done = test_begin(HOOK, 1, NULL) == PKI_NEXT_FETCH
               && !pki_test_fail_hit();
        pki_test_fail_at(0);

        if (!done) {
            is_str(test_said, "no memory for a subscription",
                   "allocation %ld of a request", n);
        }
    }

    ok(done && n > 2, "all allocations of a request");

    done = 0;

    for (n = 1; n < 100 && !done; n++) {
        (void) test_begin(HOOK, 1, NULL);
        test_receive(201, REPLY("\"" SUB "\"", "\"2026-10-19T14:13:20Z\""));

        pki_test_fail_at(n);
        next = test_round.resource->next(&test_round);
        done = !pki_test_fail_hit();
        pki_test_fail_at(0);

        /* libcrypto can do without one of them */

        is_int(test_links, next == PKI_NEXT_DONE, "allocation %ld of a reply",
               n);
    }

    ok(done && next == PKI_NEXT_DONE && n > 1, "all allocations of a reply");
}


int
main(void)
{
    pki_test_alloc_hook();

    test_wanted();
    test_create();
    test_renew();
    test_asked_for();
    test_links_of();
    test_replies();
    test_memory();

    return test_done();
}


/*
 * Items: what Redis would refuse, certificates to revoke, requests with a
 * body, large pages, memory that ends at any moment.
 */

#include "pki_test_machine.h"
#include "pki_round.h"


#define LIST   "https://corp.example/api/list?n=1"
#define DELTA  "https://corp.example/api/delta"

#define SERIAL  "40112233445566778899AABBCCDDEEFF00112233"
#define SUBJECT "CN=Issuing CA,O=Contoso\\, Inc.,C=DE"


static void
test_hostile(void)
{
    size_t       i;
    char         text[2048], name[400];

    static const char  *const bad[] = {
        "{}",
        "{\"id\":null}",
        "{\"id\":7}",
        "{\"id\":[]}",
        "{\"id\":\"\\u0000\"}",
        "{\"id\":\"a b\"}",
        "{\"id\":\"a\\nb\"}",
        "{\"id\":\"x\",\"key\":\"a b\"}",
        "{\"id\":\"x\",\"key\":\"\"}",
        "{\"id\":\"x\",\"alias\":\"a b\"}",
        "{\"serial\":\"\"}",
        "{\"serial\":\"xyz\"}",
        "{\"serial\":\"00\"}",
        "{\"key\":\"LONG\"}"
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        test_setup(0);

        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';

        if (strstr(bad[i], "LONG") != NULL) {
            (void) snprintf(text, sizeof(text), "{\"value\":[{\"key\":"
                            "\"%s\"},{\"id\":\"ok\"}]}", name);
        } else {
            (void) snprintf(text, sizeof(text), "{\"value\":[%s,"
                            "{\"id\":\"ok\"}]}", bad[i]);
        }

        (void) test_answer(LIST, 200, text);
        test_object("ok", 0, test_wall);
        is_str(test_line(0), "\"devices\": 1 unreadable item", "%s", bad[i]);
        test_string("1790000000", "HGET pki:{corp}:sync devices.at");
    }

    /* a name that cannot be is no name */

    test_setup(0);
    (void) test_answer(LIST, 200, "{\"value\":[{\"id\":\"a\",\"name\":"
                       "\"x\\ny\",\"alias\":\"\"},{\"id\":\"b\",\"name\":"
                       "\"B@x\",\"alias\":\"device/bb\"}]}");
    test_object("a", 0, test_wall);
    test_string("1 0 1790000000 device/bb", "GET pki:{corp}:object:device/b");
    test_string("device/b", "HGET pki:{corp}:names b@x");
    is_int(test_mails, 0, "no line");

    /* of a failure nothing is taken */

    test_setup(0);
    (void) test_answer(LIST, 403, "{\"value\":[{\"id\":\"a\"}]}");
    test_none("GET pki:{corp}:object:device/a");
}


static void
test_serials(void)
{
    char                     text[32768];
    size_t                   len;
    unsigned                 i;
    pki_directory_issuer_t  *issuer;

    test_setup(0);

    test_conf.nissuers = 2;
    issuer = test_conf.issuers;
    issuer[0].name = "root";
    issuer[0].subject = "CN=Root";
    issuer[0].reason = PKI_REASON_SUPERSEDED;
    issuer[1].name = "ca";
    issuer[1].subject = SUBJECT;
    issuer[1].reason = PKI_REASON_CESSATION_OF_OPERATION;

    test_set("SET pki:{ca}:cert:0A11 %s", "1 1 2000000000 API Jo");
    test_set("SET pki:{root}:cert:0A12 %s", "1 1 2000000000 API Jo");

    (void) test_answer(LIST, 200, "{\"value\":["
                       "{\"serial\":\"0a:11\"},"
                       "{\"serial\":\"0A12\",\"issuer\":\"cn=issuing ca\"},"
                       "{\"serial\":\"" SERIAL "\","
                       "\"issuer\":\"Issuing CA\"},"
                       "{\"serial\":\"0A13\",\"context\":\"c\"},"
                       "{\"context\":\"only\"}],\"next\":"
                       "\"https://corp.example/2\"}");
    is_int(test_mails, 0, "no line");
    is_int(test_results[0], PKI_STORE_DONE, "an issuer has its record");
    is_int(test_results[1], PKI_STORE_NOT_FOUND, "another issuer is meant");
    is_int(test_results[2], PKI_STORE_DONE, "one of ours, not recorded");
    is_int(test_results[3], PKI_STORE_NOT_FOUND, "nobody's");
    is_int(test_elsewhere[3], 0, "it may be meant for us");
    test_string("1 5 1790000000 0 directory:corp",
                "HGET pki:{ca}:revoked 0A11");
    test_string("1 5 1790000000 0 directory:corp",
                "HGET pki:{ca}:revoked " SERIAL);
    test_none("HGET pki:{root}:revoked " SERIAL);
    test_none("HGET pki:{root}:revoked 0A12");

    (void) test_answer("https://corp.example/2", 200, "{\"value\":["
                       "{\"serial\":\"0a11\"}]}");
    is_int(test_results[0], PKI_STORE_SAME, "the same again");
    test_string("1790000000", "HGET pki:{corp}:sync devices.at");

    /* many at once */

    test_mono += 30000;
    len = (size_t) snprintf(text, sizeof(text), "{\"value\":[");

    for (i = 0; i < 300; i++) {
        len += (size_t) snprintf(text + len, sizeof(text) - len,
                                 "%s{\"serial\":\"%s%04X\"}", i ? "," : "",
                                 "4011223344556677889900AABBCCDDEEFF11", i);
    }

    (void) snprintf(text + len, sizeof(text) - len, "]}");
    (void) test_answer(LIST, 200, text);
    test_string("1 5 1790000000 0 directory:corp", "HGET pki:{ca}:revoked "
                "4011223344556677889900AABBCCDDEEFF11012B");
    test_string("1 4 1790000000 0 directory:corp", "HGET pki:{root}:revoked "
                "4011223344556677889900AABBCCDDEEFF110000");
    is_int(test_mails, 0, "no line");
}


static void
test_names(void)
{
    size_t       i;
    char         text[1024];

    static const struct {
        const char  *subject, *name;
        int          same;
    } names[] = {
        { SUBJECT, "CN=Issuing CA,O=Contoso\\\\, Inc.,C=DE", 1 },
        { SUBJECT, "C=DE, O=\\\"Contoso, Inc.\\\", CN=issuing ca", 1 },
        { SUBJECT, "O=Contoso\\\\, Inc., C=DE", 0 },
        { SUBJECT, "CN=Issuing CA 2, C=DE", 0 },
        { SUBJECT, "ISSUING CA", 1 },
        { SUBJECT, "CN = Issuing CA", 1 },
        { SUBJECT, "CN=", 0 },
        { SUBJECT, "", 0 },
        { SUBJECT, ",,,", 0 },
        { SUBJECT, "CN=Other,O=Contoso\\\\, Inc.,C=DE", 0 },
        { SUBJECT, "OU=Issuing CA", 0 },
        { SUBJECT, ",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,CN=Issuing CA", 0 },
        { SUBJECT, "CN=Issuing CA\\\\", 1 },
        { "O=Contoso,C=DE", "c=de; o=CONTOSO", 1 },
        { "O=Contoso,C=DE", "O=Contoso,O=Contoso", 0 },
        { "O=Contoso,C=DE", "O=Contoso", 0 },
        { "CN=Pr\\C3\\BCfer,C=DE", "CN=Pr\\u00fcfer", 1 },
        { "CN=Pr\\C3\\BCfer,C=DE", "CN=Pr\\\\C3\\\\bcfer", 1 },
        { "CN=Pr\\C3\\BCfer,C=DE", "CN=Pruefer", 0 },
        { NULL, "CN=Issuing CA", 0 }
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        test_setup(0);

        test_conf.nissuers = 1;
        test_conf.issuers[0].name = "ca";
        test_conf.issuers[0].subject = names[i].subject;
        test_conf.issuers[0].reason = PKI_REASON_SUPERSEDED;
        test_set("SET pki:{ca}:cert:0A11 %s", "1 1 2000000000 API Jo");

        (void) snprintf(text, sizeof(text), "{\"value\":[{\"serial\":\"0A11\","
                        "\"issuer\":\"%s\"}],\"next\":\"http://x\"}",
                        names[i].name);

        (void) test_answer(LIST, 200, text);
        is_int(test_elsewhere[0], !names[i].same, "\"%s\": whose it is",
               names[i].name);
        is_int(test_results[0], names[i].same ? PKI_STORE_DONE
                                              : PKI_STORE_NOT_FOUND,
               "\"%s\"", names[i].name);
    }
}


/* a dialect that posts */

static pki_next_t
test_posting(pki_round_t *round)
{
    pki_bytes_t  body;

    static const char  *const headers[] = { "api-version: 1", NULL };

    body.data = (const unsigned char *) "{\"n\":1}";
    body.len = 7;

    if (round->step++ == 0) {
        return pki_round_post(round, &test_shape, "PATCH",
                              "https://other.example/x", 1, body, headers);
    }

    if (round->step == 2) {
        body.data = NULL;
        return pki_round_post(round, NULL, "POST", "/y", 0, body, NULL);
    }

    ok(round->status == 204 && round->page == NULL && !round->json,
       "no page was wanted");

    return PKI_NEXT_DONE;
}


static void
test_posts(void)
{
    static const char  *const many[] = { "a: 1", "b: 1", "c: 1", "d: 1",
                                         NULL };

    test_setup(0);
    test_resources[0].next = test_posting;
    test_resources[0].login_ca = 1;
    test_source.login[1] = &test_login;

    (void) test_tick();
    is_str(test_request.method, "PATCH", "the method");
    is_str(test_body, "{\"n\":1}", "the body");
    is_str(test_headers[1], "Content-Type: application/json", "its type");
    is_str(test_headers[2], "api-version: 1", "a header of the dialect");
    ok(test_request.host == NULL, "another host is allowed");
    (void) test_answer("https://other.example/x", 200, "{\"value\":[]}");
    is_str(test_request.method, "POST", "the second");
    is_str(test_body, "", "without a body");
    is_str(test_headers[1], "", "so without a type");
    (void) test_answer("https://corp.example/api/y", 204, "");
    is_int(test_mails, 0, "no line");
    test_string("1790000000", "HGET pki:{corp}:sync devices.at");

    /* what a dialect must not do */

    is_int(pki_round_post((pki_round_t *) test_machine, NULL, "POST", "/y", 0,
                          (pki_bytes_t) { NULL, 0 }, many),
           PKI_NEXT_FAIL, "too many headers");
    is_int(pki_round_get((pki_round_t *) test_machine, NULL, "%s", "@evil/"),
           PKI_NEXT_FAIL, "no path");
    is_int(pki_round_get((pki_round_t *) test_machine, NULL, "%s",
                         "https://evil.example/"),
           PKI_NEXT_FAIL, "another host");
    is_int(pki_round_get((pki_round_t *) test_machine, NULL, "/%40000d", 1),
           PKI_NEXT_FAIL, "too long");
}


static void
test_large(void)
{
    char      *text;
    size_t     len, size;
    unsigned   i;

    pki_test_fail_at(1);
    ok(pki_machine_create(&test_source, &test_resources[0]) == NULL,
       "no memory for a machine");
    pki_test_fail_at(0);

    test_setup(0);
    test_conf.guard = 100;

    size = PKI_PAGE_ITEMS_MAX * 32 + 64;
    text = malloc(size);
    len = (size_t) snprintf(text, size, "{\"value\":[");

    for (i = 0; i < PKI_PAGE_ITEMS_MAX; i++) {
        len += (size_t) snprintf(text + len, size - len,
                                 "%s{\"id\":\"%u\",\"s\":\"\"}",
                                 i ? "," : "", i);
    }

    (void) snprintf(text + len, size - len, "]}");
    (void) test_answer(LIST, 200, text);
    test_object("9999", 0, test_wall);
    test_string("1 1 device/256", "HGET pki:{corp}:index:devices device/256");
    is_int(test_mails, 0, "no line");

    free(text);
}


static int
test_is(const char *want, const char *command)
{
    int          is;
    redisReply  *reply;

    reply = redisCommand(test_plain, command);
    is = reply != NULL && reply->type == REDIS_REPLY_STRING
         && strncmp(reply->str, want, strlen(want)) == 0;

    if (!is) {
        printf("# \"%s\" is \"%s\"\n", command,
               reply && reply->str ? reply->str : "(none)");
    }

    if (reply != NULL) {
        freeReplyObject(reply);
    }

    return is;
}


/* Whatever allocation fails, the next rounds put it right. */

static void
test_memory(void)
{
    long          n;
    unsigned      i;
    unsigned      bad;

    bad = 0;

    for (n = 1; ; n++) {
        test_setup(1);
        test_conf.nissuers = 1;
        test_conf.issuers[0].name = "ca";
        test_conf.issuers[0].subject = SUBJECT;

        pki_test_fail_at(n);

        for (i = 0; i < 40; i++) {

            if (test_source.sync == NULL) {
                test_reconnect();
            }

            (void) test_tick();

            if (test_request.done != NULL) {
                test_quiet = 1;
                (void) test_answer(test_url, 200,
                                   strstr(test_url, "list")
                                   ? "{\"value\":[{\"id\":\"a\",\"key\":"
                                     "\"ka\"},{\"key\":\"ka\",\"s\":\"o\"},"
                                     "{\"serial\":\"" SERIAL "\"}],"
                                     "\"delta\":\"" DELTA "\"}"
                                   : "{\"value\":[{\"key\":\"ka\",\"s\":"
                                     "\"d\"}],\"delta\":\"" DELTA "\"}");
                test_quiet = 0;
            }

            test_mono += 30000;
            test_wall += 30;

            if (i > 3 && test_machine->stats.rounds >= 3) {
                break;
            }
        }

        if (!pki_test_fail_hit()) {
            break;
        }

        pki_test_fail_at(0);
        bad += !test_is("1 1 ", "GET pki:{corp}:object:device/a");
        bad += !test_is(DELTA, "HGET pki:{corp}:sync devices.link");

        if (test_source.sync == NULL) {
            test_reconnect();
        }
    }

    pki_test_fail_at(0);
    is_int(bad, 0, "each of %ld failures was survived", n - 1);
}


int
main(void)
{
    pki_test_alloc_hook();
    test_start();

    test_hostile();
    test_serials();
    test_names();
    test_posts();
    test_large();
    test_memory();

    pki_machine_destroy(test_machine);
    test_stop();

    return pki_test_done();
}

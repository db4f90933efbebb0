
/*
 * Rounds: pages, requests sent once more, tokens, failures and their lines,
 * the schedule.
 */

#include "pki_test_machine.h"
#include "pki_round.h"


#define LIST   "https://corp.example/api/list?n=1"
#define PAGE2  "https://corp.example/api/p2?x=%41"
#define DELTA  "https://corp.example/api/delta?t=1"

#define EMPTY  "{\"value\":[]}"
#define A_B    "{\"value\":[{\"id\":\"a\",\"key\":\"ka\"},{\"id\":\"b\"}]}"


static void
test_pages(void)
{
    long  wait;

    test_setup(0);

    (void) test_tick();
    is_str(test_bearer, "first", "sent with the token");
    is_str(test_headers[0], "Accept: application/json", "JSON is wanted");
    is_str(test_headers[1], "", "no body, no type");
    is_str(test_request.host, "https://corp.example/api", "bound to the host");

    (void) test_answer(LIST, 200, "{\"next\":\"" PAGE2 "\",\"value\":["
                       "{\"id\":\"a\",\"key\":\"ka\"},{\"id\":7},"
                       "{\"id\":\"a\",\"key\":\"ka\",\"s\":\"o\"}]}");
    test_object("a", PKI_OBJECT_DISABLED, 1790000000);
    test_none("HGET pki:{corp}:sync devices.at");
    is_int(test_worked, 1, "the token has worked");

    test_mono += 5000;
    test_wall += 5;
    wait = test_answer(PAGE2, 200, A_B);

    test_string("1790000000", "HGET pki:{corp}:sync devices.at");
    test_string("1790000000", "HGET pki:{corp}:sync devices.full");
    test_string("1 1 device/a", "HGET pki:{corp}:index:devices ka");
    test_string("1 1 device/b", "HGET pki:{corp}:index:devices device/b");
    test_object("b", 0, 1790000005);
    test_object("a", 0, 1790000005);

    is_int(wait, 25000, "the next is due an interval after the beginning");
    is_int(test_mails, 1, "one line");
    is_str(test_line(0), "\"devices\": 1 unreadable item", "about an item");
    is_int(test_levels[0], 4, "a warning");

    wait = test_after(25000);
    (void) test_answer(LIST, 200, "{\"value\":[{\"id\":7}]}");
    is_int(test_mails, 1, "the same again has no line");
    is_int(pki_machine_number(test_machine), 2, "the second round");
    ok(pki_machine_full_at(test_machine) == 1790000030, "it was complete");
    is_int(test_forgotten, 0, "no cookies to forget");

    (void) test_after(30000);
    (void) test_answer(LIST, 200, "{\"partial\":2,\"value\":[{\"id\":7}]}");
    is_str(test_line(0), "\"devices\": 3 unreadable items",
           "with what the dialect could not be shown");
    is_int(test_mails, 2, "a line");
}


static void
test_cut(void)
{
    size_t  i, len;

    len = strlen(A_B);

    for (i = 0; i < len; i += 5) {
        test_setup(0);
        (void) test_answer_cut(LIST, 200, NULL, A_B, i, PKI_FETCH_FAILED);
        (void) test_after(1000);
        (void) test_answer_cut(LIST, 200, NULL, A_B, i, PKI_FETCH_DONE);

        test_none("GET pki:{corp}:object:device/a");
        ok(test_request.done == NULL, "it waits");

        (void) test_after(2000);
        (void) test_answer(LIST, 200, A_B);
        test_object("a", 0, test_wall);
        test_string("1790000000", "HGET pki:{corp}:sync devices.at");
        is_int(test_mails, 0, "no line for what passed");
    }

    test_setup(0);
    (void) test_answer(LIST, 200, "<html>sign in</html>");
    (void) test_after(1000);
    (void) test_answer(LIST, 200, "");
    (void) test_after(2000);
    (void) test_answer(LIST, 200, "[]");
    (void) test_after(4000);
    (void) test_answer(LIST, 200, "{}");
    is_str(test_line(0), "\"devices\": no list, request-id id-1",
           "an object without a list is the dialect's to judge");
}


/* A body that cannot be read is not read to its end. */

static void
test_garbage(void)
{
    int    i;
    char  *text;

    text = malloc(100000);
    memset(text, '<', 100000);

    test_setup(0);

    for (i = 0; i < 7; i++) {
        (void) test_answer_cut(LIST, 200, NULL, text, 100000, PKI_FETCH_DONE);
        test_mono += 60000;
    }

    ok(strncmp(test_line(0), "\"devices\": unreadable reply: ", 29) == 0, "%s",
       test_line(0));
    is_int(test_mails, 1, "one line");

    test_setup(0);

    for (i = 0; i < 4; i++) {
        test_type = i == 0 ? "text/html" : i == 1 ? "text/plain; x=json"
                    : i == 2 ? "json" : "application/scim+JSON; charset=utf-8";
        (void) test_answer(LIST, 200, A_B);
        test_mono += 60000;
        test_wall += 60;
        is_int((long long) test_machine->stats.rounds, i < 2 ? 0 : i - 1,
               "\"%s\"", test_type);
    }

    /* nor is the body of a failure, but its status counts */

    test_setup(0);
    (void) test_answer_cut(LIST, 404, NULL, text, 100000, PKI_FETCH_DONE);
    is_str(test_line(0), "\"devices\": refused with 404, json 0,"
           " request-id id-1", "no JSON");
    free(text);
}


static void
test_once_more(void)
{
    int   i;
    long  wait, slept;

    static const struct {
        const char  *text;
        long         least, most;
    } retry[] = {
        { NULL, 500, 1000 },
        { "10", 10000, 10000 },
        { "2.128", 2128, 2128 },
        { "0", 500, 1000 },
        { "99999999", 300000, 300000 },
        { "garbage", 500, 1000 },
        { "Mon, 21 Sep 2026 14:14:20 GMT", 60000, 60000 },
        { "Mon, 21 Sep 2026 14:14:20 GMT", 20000, 20000 }
    };

    for (i = 0; i < 8; i++) {
        test_setup(0);

        /* the last one by the clock of the directory */

        test_date = i == 7 ? "Mon, 21 Sep 2026 14:14:00 GMT" : NULL;
        wait = test_answer_cut(LIST, 429, retry[i].text, "{}", 2,
                               PKI_FETCH_DONE);
        is_int(test_mails, retry[i].least > 60000, "a long wait is told");

        for (slept = 0; slept < retry[i].least && wait != PKI_SOURCE_SLEEP; ) {
            slept += wait;
            wait = test_after(wait);
        }

        for ( /* void */ ; test_request.done == NULL; wait = test_tick()) {
            slept += wait;
            test_mono += wait;
        }

        ok(slept >= retry[i].least && slept <= retry[i].most,
           "Retry-After \"%s\": %ld ms", retry[i].text ? retry[i].text : "",
           slept);
        (void) test_answer(LIST, 200, A_B);
        test_object("a", 0, test_wall);

        if (retry[i].least > 60000) {
            is_str(test_line(0), "\"devices\": recovered", "and its end");
            is_int(test_mails, 2, "two lines");
        }
    }

    /* the same page, not the first one */

    test_setup(0);
    (void) test_answer(LIST, 200, "{\"value\":[],\"next\":\"" PAGE2 "\"}");

    for (i = 0; i < 6; i++) {
        (void) test_answer(PAGE2, i < 3 ? 503 : i < 5 ? 408 : 500, "<html>");
        ok(test_request.done == NULL, "it waits");
        test_mono += 60000;
    }

    is_int(test_mails, 0, "no line yet");
    (void) test_answer(PAGE2, 502, "");
    is_str(test_line(0), "\"devices\": status 502, request-id id-1",
           "the seventh is the last");
    is_int(test_levels[0], 3, "an error");
    is_int(test_fetches, 2, "the dialect saw nothing of it");

    (void) test_after(60000);
    (void) test_answer(LIST, 200, A_B);
    test_string("2", "HGET pki:{corp}:sync devices.round");
    is_str(test_line(0), "\"devices\": recovered after 1 failure", "again");
    is_int(test_levels[1], 5, "a notice");
}


static void
test_bisect(void)
{
    int  i;

    test_setup(0);
    test_resources[0].bisect = 1;

    for (i = 0; i < 6; i++) {
        (void) test_answer(LIST, 500, "{\"httpStatus\":500}");
        test_mono += 60000;
        is_int(test_server_errors, i >= 2, "the dialect sees the third");
    }

    (void) test_answer(LIST, 500, "{\"httpStatus\":500}");
    is_str(test_line(0), "\"devices\": status 500, request-id id-1", "over");

    test_setup(0);
    test_resources[0].bisect = 1;

    for (i = 0; i < 7; i++) {
        (void) test_answer(LIST, 500, "{\"cut\":");
        test_mono += 60000;
    }

    is_int(test_server_errors, 0, "never what is no JSON");
}


static void
test_tokens(void)
{
    test_setup(0);
    test_token = NULL;
    test_fresh = "first";

    (void) test_answer("https://login.example/token", 200, "{}");
    (void) test_tick();
    is_str(test_bearer, "first", "a token was asked for");

    test_fresh = "second";
    test_mono += 5000;

    (void) test_answer(LIST, 200, "{\"value\":[],\"next\":\"" PAGE2 "\"}");
    (void) test_answer(PAGE2, 401, "{}");
    (void) test_answer("https://login.example/token", 200, "{}");
    (void) test_tick();
    is_str(test_bearer, "second", "another one after 401");
    (void) test_answer(PAGE2, 200, A_B);
    test_object("b", 0, test_wall);
    is_int(test_mails, 0, "no line");

    /* twice in a row */

    test_mono += 30000;
    test_fresh = "third";
    (void) test_answer(LIST, 401, "");
    (void) test_answer("https://login.example/token", 200, "{}");
    (void) test_answer(LIST, 401, "");
    ok(test_request.done == NULL, "no third attempt");
    is_int(test_mails, 1, "a line");
    is_str(test_line(0), "\"devices\": status 401, request-id id-1", "why");

    /* nor for a token that never worked */

    test_setup(0);
    test_again = 0;
    (void) test_answer(LIST, 401, "");
    is_int(test_logins, 0, "none is asked for at once");
    is_int(test_mails, 1, "a line");
}


static void
test_login_failures(void)
{
    int        i;
    long       wait;
    long long  slept;

    test_setup(0);
    test_token = NULL;
    test_login_result = PKI_LOGIN_REFUSED;

    (void) test_answer("https://login.example/token", 401, "{}");
    is_str(test_line(0), "\"devices\": AADSTS7000215", "the cause");
    is_int(test_levels[0], 3, "an error");

    for (slept = 0; test_request.done == NULL; slept += wait) {
        wait = test_tick();
        test_mono += wait;
    }

    ok(slept >= 60000, "the next attempt after the longest pause: %lld",
       slept);
    is_int(test_mails, 1, "one line");

    test_setup(0);
    test_token = NULL;
    test_login_result = PKI_LOGIN_LATER;

    for (i = 0; i < 8; i++) {
        (void) test_answer("https://login.example/token", 500, "");
        test_mono += 60000;
    }

    is_int(test_mails, 1, "one line for one cause");
    ok(test_logins <= 8, "no more than one in each pause");

    test_login_result = PKI_LOGIN_OK;
    (void) test_answer("https://login.example/token", 200, "");
    test_mono += 60000;
    (void) test_answer(LIST, 200, A_B);
    is_int(test_mails, 2, "recovered");
    test_object("a", 0, test_wall);
}


static void
test_no_token(void)
{
    test_setup(0);
    test_source.login[0] = NULL;
    ok(test_tick() >= 30000, "a long pause");
    is_str(test_line(0), "\"devices\": there are no credentials for it",
           "a line");

    test_setup(0);
    test_token = NULL;
    test_static = 1;
    (void) test_tick();
    is_str(test_line(0), "\"devices\": a token out of a file", "a line");
    ok(test_request.done == NULL, "nothing is asked for");
    test_mono += 60000;
    (void) test_tick();
    is_int(test_mails, 1, "one line");

    /* a token that is none from the first moment makes no loop */

    test_setup(0);
    test_token = NULL;
    test_fresh = NULL;
    (void) test_answer("https://login.example/token", 200, "");
    ok(test_tick() > 500, "it waits");
    is_int(test_logins, 1, "one request");
    is_int(test_mails, 0, "no line");
}


static void
test_failures(void)
{
    long  wait;

    test_setup(0);
    wait = test_answer(LIST, 403, "{\"error\":{}}");
    is_str(test_line(0), "\"devices\": refused with 403, json 1,"
           " request-id id-1", "what next() says");
    ok(wait >= 500 && wait <= 1000, "backoff: %ld", wait);

    (void) test_after(1000);
    wait = test_answer(LIST, 403, "{\"error\":{}}");
    is_int(test_mails, 1, "one cause, one line");
    ok(wait >= 1000 && wait <= 2000, "it grows: %ld", wait);

    (void) test_after(2000);
    (void) test_answer(LIST, 404, "<html>");
    is_str(test_line(0), "\"devices\": refused with 404, json 0,"
           " request-id id-1", "another cause, another line");

    (void) test_after(4000);
    wait = test_answer(LIST, 302, "");
    is_str(test_line(0), "\"devices\": status 302, request-id id-1",
           "a redirect is a failure");

    (void) test_after(8000);
    (void) test_answer_cut(LIST, 0, NULL, "", 0, PKI_FETCH_TLS);
    is_str(test_line(0), "\"devices\": corp.example: broken", "TLS");
    is_int(test_mails, 4, "four lines");
    ok(test_request.done == NULL, "no quick attempt");

    (void) test_after(16000);
    (void) test_answer_cut(LIST, 0, NULL, "", 0, PKI_FETCH_REFUSED);
    (void) test_after(60000);
    (void) test_answer(LIST, 200, A_B);
    is_str(test_line(0), "\"devices\": recovered after 6 failures", "again");

    /* links that lead elsewhere */

    test_mono += 30000;
    (void) test_answer(LIST, 200, "{\"value\":[{\"id\":\"c\"}],"
                       "\"next\":\"https://evil.example/api\"}");
    is_str(test_line(0), "\"devices\": a link leads to another host, or is not"
           " of https, request-id id-1", "not followed");
    test_object("c", 0, test_wall);

    test_mono += 30000;
    (void) test_answer(LIST, 200, "{\"value\":[],\"next\":\"/p2\"}");
    test_mono += 30000;
    (void) test_answer(LIST, 200, "{\"value\":[],\"next\":\"\"}");
    is_str(test_line(0), "\"devices\": a link of the reply is no URL,"
           " request-id id-1", "nor guessed");
    ok(test_request.done == NULL, "nothing was sent");
}


static void
test_links(void)
{
    long  wait;

    test_setup(1);
    wait = test_answer(LIST, 200, "{\"value\":[{\"id\":\"a\",\"key\":\"ka\"}],"
                       "\"delta\":\"" DELTA "\"}");
    test_string(DELTA, "HGET pki:{corp}:sync devices.link");
    is_int(wait, 100, "the delta follows at once");

    /* a round that fails keeps the old link */

    (void) test_after(100);
    (void) test_answer(DELTA, 200, "{\"value\":[{\"key\":\"ka\",\"s\":\"d\"}],"
                       "\"next\":\"" PAGE2 "\"}");
    test_object("a", 0, 1790000000);

    /* the old link tells it again, and perhaps that it was restored */

    (void) test_answer(PAGE2, 403, "");
    test_object("a", 0, 1790000000);
    test_string(DELTA, "HGET pki:{corp}:sync devices.link");
    test_string("1790000000", "HGET pki:{corp}:sync devices.at");

    test_mono += 60000;
    test_wall += 60;
    wait = test_answer(DELTA, 200, "{\"value\":[{\"key\":\"unheard\","
                       "\"s\":\"d\"},{\"id\":\"b\",\"key\":\"kb\"},"
                       "{\"key\":\"kb\",\"s\":\"o\"}],\"delta\":"
                       "\"https://corp.example/2\"}");
    test_object("b", PKI_OBJECT_DISABLED, test_wall);
    test_string("https://corp.example/2", "HGET pki:{corp}:sync devices.link");
    test_string("1790000060", "HGET pki:{corp}:sync devices.at");
    test_string("1790000000", "HGET pki:{corp}:sync devices.full");
    is_int(wait, 30000, "the next after an interval");

    /* the link has expired: from the start, at once */

    test_mono += 30000;
    (void) test_answer("https://corp.example/2", 410, "{}");
    (void) test_answer(LIST, 200, "{\"value\":[],\"delta\":\"" DELTA "\"}");
    test_string(DELTA, "HGET pki:{corp}:sync devices.link");
    test_string("5", "HGET pki:{corp}:sync devices.round");

    /* but only once */

    test_mono += 30000;
    (void) test_answer(DELTA, 410, "{}");
    (void) test_answer(LIST, 410, "{}");
    ok(test_request.done == NULL, "nothing more");
    is_str(test_line(0), "\"devices\": a listing from the start did not come"
           " to its end either, request-id id-1", "said so");

    test_mono += 60000;
    (void) test_answer(LIST, 200, EMPTY);
    test_none("HGET pki:{corp}:sync devices.link");

    /* a complete listing is due in time */

    test_setup(1);
    (void) test_answer(LIST, 200, "{\"value\":[],\"delta\":\"" DELTA "\"}");
    test_mono += 30000;
    (void) test_answer(DELTA, 200, "{\"value\":[],\"delta\":\"" DELTA "\"}");
    test_mono += 30000;
    test_wall += 86400;
    (void) test_answer(LIST, 200, "{\"value\":[],\"delta\":\"" DELTA "\"}");
    (void) test_after(100);
    is_int(test_mails, 0, "no line");
    ok(test_request.done != NULL, "and so does the delta after it");

    /* also where a clock that was wrong has noted a time of the future */

    test_setup(1);
    (void) test_answer(LIST, 200, "{\"value\":[],\"delta\":\"" DELTA "\"}");
    test_set("HSET pki:{corp}:sync devices.full 1890000000");
    test_mono += 30000;
    (void) test_answer(LIST, 200, "{\"value\":[],\"delta\":\"" DELTA "\"}");
    (void) test_after(100);
    is_int(test_mails, 0, "no line");

    /* one listing does not follow another at once */

    test_setup(1);
    test_conf.full = 0;
    (void) test_answer(LIST, 200, "{\"value\":[],\"delta\":\"" DELTA "\"}");
    (void) test_after(100);
    wait = test_answer(LIST, 200, "{\"value\":[],\"delta\":\"" DELTA "\"}");
    is_int(wait, 30000, "but after an interval");

    /* a link to keep that is none */

    test_setup(1);
    (void) test_answer(LIST, 200, "{\"value\":[],\"delta\":null}");
    is_str(test_line(0), "\"devices\": a link to keep is no string, or too"
           " long, request-id id-1", "refused");
    test_none("HGET pki:{corp}:sync devices.at");
}


static void
test_circle(void)
{
    test_setup(0);
    test_quiet = 1;
    (void) test_tick();
    test_machine->pages += PKI_ROUND_PAGES_MAX - 100;

    while (test_request.done != NULL && test_requests < 200) {
        (void) test_answer(LIST, 200, "{\"value\":[],\"next\":\"" LIST "\"}");
    }

    test_quiet = 0;
    is_int(test_requests, 100, "pages have an end");
    is_str(test_line(0), "\"devices\": there is no end of pages,"
           " request-id id-1", "said so");
    test_none("HGET pki:{corp}:sync devices.at");
}


int
main(void)
{
    test_start();

    test_pages();
    test_cut();
    test_garbage();
    test_once_more();
    test_bisect();
    test_tokens();
    test_login_failures();
    test_no_token();
    test_failures();
    test_links();
    test_circle();

    pki_machine_destroy(test_machine);
    test_stop();

    return pki_test_done();
}

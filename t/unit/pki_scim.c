
/*
 * pki_scim.c: paging by index and by cursor, when a listing counts as
 * complete, and what a user's attributes mean.
 */

#include "pki_test_round.h"


#define USERS       (&pki_scim.resources[0])

#define GUID        "2819c223-7f76-453a-919d-413861904646"
#define GUID_UPPER  "2819C223-7F76-453A-919D-413861904646"
#define ATTRIBUTES  "attributes=id,externalId,userName,active"


static char  test_text[65536];


/* a listing of n users, from the one with this number on */

static const char *
test_list(const char *head, unsigned first, unsigned n)
{
    size_t    len;
    unsigned  i;

    len = (size_t) snprintf(test_text, sizeof(test_text),
                            "{\"schemas\":[\"urn:ietf:params:scim:api:messages"
                            ":2.0:ListResponse\"],%s,\"Resources\":[", head);

    for (i = first; i < first + n; i++) {
        len += (size_t) snprintf(test_text + len, sizeof(test_text) - len,
                                 "%s{\"id\":\"2819c223-7f76-453a-919d-"
                                 "%012x\",\"active\":true}",
                                 i == first ? "" : ",", i);
    }

    (void) snprintf(test_text + len, sizeof(test_text) - len, "]}");

    return test_text;
}


static void
test_reset(void)
{
    memset(&test_conf, 0, sizeof(test_conf));
    test_conf.url = "https://scim.example/scim/v2";
    test_conf.users = 1;
}


static void
test_table(void)
{
    test_reset();

    is_str(pki_scim.name, "scim", "name");
    is_int(pki_scim.interval, 60000, "interval");
    is_int(pki_scim.confirm, 120, "confirm");
    is_int(pki_scim.classes, 1 << PKI_OBJECT_USER, "users only");
    ok(USERS->classes == pki_scim.classes && USERS->sweep && !USERS->delta
       && !USERS->clears, "listed in full");
    is_int(USERS->mask, PKI_OBJECT_DELETED|PKI_OBJECT_REMOVED
           |PKI_OBJECT_DISABLED|PKI_OBJECT_MISSING|PKI_OBJECT_UNCLEAR,
           "mask");
    ok(USERS->wanted(&test_conf), "wanted");
    test_conf.users = 0;
    ok(!USERS->wanted(&test_conf), "or not");
    ok(pki_scim.resources[1].name == NULL, "nothing else");
}


static void
test_index(void)
{
    test_reset();

    is_int(test_begin(USERS), PKI_NEXT_FETCH, "begin");
    is_str(test_url, "/Users?startIndex=1&count=100&" ATTRIBUTES, "URL");
    is_int(test_reply(200, test_list("\"totalResults\":2,\"startIndex\":1,"
                                     "\"itemsPerPage\":2", 0, 2)),
           PKI_NEXT_DONE, "all in one");
    is_int(test_nitems, 2, "two users");

    test_conf.page = 4;

    (void) test_begin(USERS);
    is_str(test_url, "/Users?startIndex=1&count=4&" ATTRIBUTES, "pages of 4");
    is_int(test_reply(200, test_list("\"totalResults\":9,\"startIndex\":1", 0,
                                     4)), PKI_NEXT_FETCH, "goes on");
    is_str(test_url, "/Users?startIndex=5&count=4&" ATTRIBUTES, "page 2");
    is_int(test_reply(200, test_list("\"startIndex\":5,\"totalResults\":9", 4,
                                     3)), PKI_NEXT_FETCH, "less than asked");
    is_str(test_url, "/Users?startIndex=8&count=4&" ATTRIBUTES, "page 3");
    is_int(test_reply(200, test_list("\"totalResults\":9,\"startIndex\":8", 7,
                                     2)), PKI_NEXT_DONE, "end");

    (void) test_begin(USERS);
    is_int(test_reply(200, test_list("\"totalResults\":0", 0, 0)),
           PKI_NEXT_DONE, "none is for the guard to judge");

    (void) test_begin(USERS);
    is_int(test_reply(200, "{\"totalResults\":0}"), PKI_NEXT_DONE,
           "and \"Resources\" may be absent then");

    (void) test_begin(USERS);
    is_int(test_reply(200, "{\"totalResults\":3}"), PKI_NEXT_FAIL,
           "but only then");
    is_str(test_said, "the reply holds no \"Resources\"", "and said");

    (void) test_begin(USERS);
    is_int(test_reply(200, test_list("\"totalResults\":1", 0, 1)),
           PKI_NEXT_DONE, "one page needs no startIndex");
}


static void
test_drift(void)
{
    test_reset();
    test_conf.page = 2;

    (void) test_begin(USERS);
    (void) test_reply(200, test_list("\"totalResults\":4", 0, 2));
    is_int(test_reply(200, test_list("\"totalResults\":3,\"startIndex\":3", 3,
                                     1)), PKI_NEXT_PARTIAL, "one went");
    is_int(test_round.partial, 1, "and so it is partial");
    is_str(test_said, "the number of users changed while they were listed",
           "and said");

    (void) test_begin(USERS);
    (void) test_reply(200, test_list("\"totalResults\":200", 0, 198));
    is_int(test_reply(200, test_list("\"totalResults\":199,"
                                     "\"startIndex\":199", 198, 1)),
           PKI_NEXT_DONE, "one of 200 went");

    (void) test_begin(USERS);
    (void) test_reply(200, test_list("\"totalResults\":4", 0, 2));
    is_int(test_reply(200, test_list("\"totalResults\":4,\"startIndex\":3", 3,
                                     0)), PKI_NEXT_PARTIAL,
           "nothing where there should be something");
    is_str(test_said, "the listing broke off at 2 of 4 users", "and said");

    (void) test_begin(USERS);
    is_int(test_reply(200, "{\"totalResults\":4,\"Resources\":[]}"),
           PKI_NEXT_PARTIAL, "nothing at all, but a total");

    (void) test_begin(USERS);
    (void) test_reply(200, test_list("\"totalResults\":4,\"startIndex\":1", 0,
                                     2));
    is_int(test_reply(200, test_list("\"totalResults\":4,\"startIndex\":1", 0,
                                     2)), PKI_NEXT_FAIL,
           "the first page again");
    is_str(test_said, "the listing does not follow startIndex", "and said");

    (void) test_begin(USERS);
    (void) test_reply(200, test_list("\"totalResults\":4", 0, 2));
    is_int(test_reply(200, test_list("\"totalResults\":4", 0, 2)),
           PKI_NEXT_FAIL, "a second page that does not tell which");
}


static void
test_cursor(void)
{
    unsigned    i;
    pki_next_t  next;

    test_reset();

    (void) test_begin(USERS);
    is_int(test_reply(200, test_list("\"totalResults\":4,\"nextCursor\":"
                                     "\"a+b/c=\"", 0, 2)), PKI_NEXT_FETCH,
           "the server hands out a cursor");
    is_str(test_url, "/Users?cursor=a%2Bb%2Fc%3D&count=100&" ATTRIBUTES,
           "which is followed");
    is_int(test_reply(200, test_list("\"totalResults\":4,\"nextCursor\":"
                                     "\"d\"", 2, 1)), PKI_NEXT_FETCH, "on");
    is_int(test_reply(200, test_list("\"totalResults\":4", 3, 1)),
           PKI_NEXT_DONE, "end");

    (void) test_begin(USERS);
    (void) test_reply(200, test_list("\"nextCursor\":\"a\"", 0, 2));
    is_int(test_reply(200, test_list("\"nextCursor\":null", 2, 1)),
           PKI_NEXT_DONE, "without a total");

    (void) test_begin(USERS);
    (void) test_reply(200, test_list("\"totalResults\":4,\"nextCursor\":"
                                     "\"a\"", 0, 2));
    is_int(test_reply(200, test_list("\"totalResults\":4,\"nextCursor\":\"\"",
                                     2, 1)), PKI_NEXT_PARTIAL,
           "fewer than the total");

    (void) test_begin(USERS);
    (void) test_reply(200, test_list("\"nextCursor\":\"a\"", 0, 2));
    is_int(test_reply(400, "{\"status\":\"400\",\"scimType\":"
                      "\"expiredCursor\"}"), PKI_NEXT_FULL,
           "the cursor has expired: once more");

    (void) test_begin(USERS);
    is_int(test_reply(400, "{\"status\":\"400\",\"scimType\":"
                      "\"expiredCursor\"}"), PKI_NEXT_FAIL,
           "there was no cursor");

    (void) test_begin(USERS);
    is_int(test_reply(200, test_list("\"totalResults\":4,\"nextCursor\":7", 0,
                                     2)), PKI_NEXT_FAIL, "no string");
    is_str(test_said, "the listing's cursor cannot be used", "and said");

    i = (unsigned) snprintf(test_text, sizeof(test_text), "{\"Resources\":[],"
                            "\"nextCursor\":\"%04000d\"}", 1);
    ok(i < sizeof(test_text), "a long cursor");
    (void) test_begin(USERS);
    is_int(test_reply(200, test_text), PKI_NEXT_FAIL, "is too long");

    next = test_begin(USERS);

    for (i = 0; next == PKI_NEXT_FETCH && i < 200000; i++) {
        test_round.step += 9;
        next = test_reply(200, "{\"Resources\":[],\"nextCursor\":\"a\"}");
    }

    is_int(next, PKI_NEXT_FAIL, "a circle of cursors ends");
    is_str(test_said, "the listing does not end", "and said");
}


static void
test_refused(void)
{
    unsigned           i;
    static const char  *const bad[] = {
        "{\"Resources\":[]}",
        "{\"totalResults\":\"1\",\"Resources\":[]}",
        "{\"totalResults\":null,\"Resources\":[]}",
        "{\"totalResults\":-1,\"Resources\":[]}",
        "{\"totalResults\":10000001,\"Resources\":[]}",
        "{\"totalResults\":1,\"totalResults\":0,\"Resources\":[]}",
        "{}",
        "{\"schemas\":[\"urn\"],\"status\":\"400\"}"
    };

    test_reset();

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void) test_begin(USERS);
        is_int(test_reply(200, bad[i]), PKI_NEXT_FAIL, "%s", bad[i]);
    }

    (void) test_begin(USERS);
    is_int(test_reply(200, NULL), PKI_NEXT_FAIL, "no JSON");
    (void) test_begin(USERS);
    is_int(test_reply(404, NULL), PKI_NEXT_FAIL, "no such listing");
    is_str(test_said, "the listing was refused (404)", "and said");
    (void) test_begin(USERS);
    is_int(test_reply(403, "{\"status\":\"403\"}"), PKI_NEXT_FAIL, "403");
    (void) test_begin(USERS);
    is_int(test_reply(400, "{\"scimType\":\"tooMany\"}"), PKI_NEXT_FAIL,
           "tooMany");
}


typedef struct {
    const char  *text;          /* what follows the id */
    unsigned     state;
} test_state_t;


static const test_state_t  test_states[] = {
    { ",\"active\":true", 0 },
    { ",\"active\":false", PKI_OBJECT_DISABLED },
    { ",\"active\":\"true\"", 0 },
    { ",\"active\":\"True\"", 0 },
    { ",\"active\":\"FALSE\"", PKI_OBJECT_DISABLED },
    { ",\"active\":\"\"", PKI_OBJECT_UNCLEAR },
    { ",\"active\":\"yes\"", PKI_OBJECT_UNCLEAR },
    { ",\"active\":\"true\\u0000\"", PKI_OBJECT_UNCLEAR },
    { ",\"active\":1", PKI_OBJECT_UNCLEAR },
    { ",\"active\":0", PKI_OBJECT_UNCLEAR },
    { ",\"active\":null", PKI_OBJECT_UNCLEAR },
    { ",\"active\":{}", PKI_OBJECT_UNCLEAR },
    { ",\"active\":[false]", PKI_OBJECT_UNCLEAR },
    { ",\"active\":true,\"active\":false", PKI_OBJECT_UNCLEAR },
    { ",\"Active\":true", PKI_OBJECT_UNCLEAR },
    { "", PKI_OBJECT_UNCLEAR }
};


static void
test_user(void)
{
    char                 text[512];
    unsigned             i;
    const test_state_t  *t;

    for (i = 0; i < sizeof(test_states) / sizeof(test_states[0]); i++) {
        t = &test_states[i];
        (void) snprintf(text, sizeof(text), "{\"Resources\":[{\"schemas\":[],"
                        "\"meta\":{\"active\":true},\"userName\":"
                        "\"ann@example.org\",\"id\":\"%s\"%s}],"
                        "\"totalResults\":1}", GUID_UPPER, t->text);

        test_reset();
        (void) test_begin(USERS);
        is_int(test_reply(200, text), PKI_NEXT_DONE, "%s", t->text);
        is_int(test_items[0].object.state, t->state, "its state");
        is_str(test_items[0].object.id, "user/" GUID, "its id");
        is_str(test_items[0].object.key, GUID_UPPER, "its key");
        is_str(test_items[0].object.name, "ann@example.org", "its name");
        is_int(test_items[0].object.mask, USERS->mask, "its mask");
        is_int(test_items[0].object.since, TEST_NOW, "since now");
    }
}


static void
test_external(void)
{
    static const char  text[] =
        "{\"totalResults\":7,\"Resources\":["
        "{\"id\":\"1\",\"externalId\":\"" GUID "\",\"active\":false},"
        "{\"id\":\"2\",\"externalId\":\"701984\",\"active\":true},"
        "{\"id\":\"3\",\"active\":true},"
        "{\"id\":\"" GUID "\",\"externalId\":null,\"active\":true},"
        "{\"id\":4,\"externalId\":\"" GUID "\"},"
        "{\"id\":\"\",\"externalId\":\"" GUID "\"},"
        "{\"externalId\":\"" GUID "\"}]}";

    test_reset();
    test_conf.external_id = "externalId";

    (void) test_begin(USERS);
    is_int(test_reply(200, text), PKI_NEXT_DONE, "users by externalId");
    is_int(test_nitems, 1, "one of them is ours");
    is_str(test_items[0].object.id, "user/" GUID, "its id");
    is_str(test_items[0].object.key, "1", "its key");
    ok(test_items[0].object.name == NULL, "it has no name");
    is_int(test_not_ours, 3, "some have no GUID");
    is_int(test_invalid, 3, "and some no id");

    test_conf.external_id = "id";

    (void) test_begin(USERS);
    (void) test_reply(200, text);
    is_int(test_nitems, 1, "the same by id: another one");
    is_str(test_items[0].object.key, GUID, "its key");
    is_int(test_items[0].object.state, 0, "its state");

    (void) test_begin(USERS);
    (void) snprintf(test_text, sizeof(test_text), "{\"totalResults\":2,"
                    "\"Resources\":[{\"id\":\"%0256d\"},{\"id\":\"" GUID "\","
                    "\"userName\":\"%01025d\"}]}", 0, 0);
    is_int(test_reply(200, test_text), PKI_NEXT_DONE, "too long");
    is_int(test_invalid, 1, "a key");
    ok(test_nitems == 1 && test_items[0].object.name == NULL, "a name");
}


static void
test_lookup(void)
{
    char  url[128], key[PKI_STATE_KEY_MAX + 2];

    test_reset();
    memset(key, '/', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';

    is_int(USERS->lookup(&test_conf, 0, "user/" GUID, NULL, url, sizeof(url)),
           PKI_OK, "a user");
    is_str(url, "/Users/" GUID "?" ATTRIBUTES, "URL");
    is_int(USERS->lookup(&test_conf, 0, "user/" GUID, NULL, url, 60),
           PKI_NOT_FOUND, "no room");
    is_int(USERS->lookup(&test_conf, 0, "user/7", NULL, url, sizeof(url)),
           PKI_NOT_FOUND, "no GUID");
    is_int(USERS->lookup(&test_conf, 0, "device/" GUID, NULL, url,
                         sizeof(url)),
           PKI_NOT_FOUND, "no user");
    test_conf.external_id = "EXTERNALID";
    is_int(USERS->lookup(&test_conf, 0, "user/" GUID, NULL, url, sizeof(url)),
           PKI_NOT_FOUND, "by externalId there is no lookup");
    is_int(USERS->lookup(&test_conf, 0, "user/" GUID, "a/b ?", url,
                         sizeof(url)),
           PKI_OK, "but where the key is known");
    is_str(url, "/Users/a%2Fb%20%3F?" ATTRIBUTES, "URL");
    is_int(USERS->lookup(&test_conf, 0, "user/" GUID, key, url, sizeof(url)),
           PKI_NOT_FOUND, "no key of ours");
    test_conf.external_id = NULL;
    is_int(USERS->lookup(&test_conf, 0, "user/" GUID, "ABC", url,
                         sizeof(url)),
           PKI_OK, "also by id");
    is_str(url, "/Users/ABC?" ATTRIBUTES, "as the server writes it");

    test_one(USERS, 200, "{\"id\":\"" GUID "\",\"userName\":\"ann\","
             "\"schemas\":[],\"active\":false}");
    is_int(test_one_rc, PKI_OK, "a user is read");
    is_str(test_one_item.object.id, "user/" GUID, "its id");
    is_int(test_one_item.object.state, PKI_OBJECT_DISABLED, "its state");
    ok(!test_one_absent, "it is there");
}


static void
test_absent(void)
{
    unsigned           i;
    static const char  *const not[] = {
        "", "{}", "<html>404</html>", "{\"status\":\"404\"}",
        "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:Error\"]}",
        "{\"schemas\":[],\"status\":\"400\"}",
        "{\"schemas\":\"urn\",\"status\":\"404\"}",
        "{\"schemas\":[],\"status\":true}"
    };

    test_reset();

    test_one(USERS, 404, "{\"schemas\":[\"urn:ietf:params:scim:api:messages:"
             "2.0:Error\"],\"detail\":\"gone\",\"status\":\"404\"}");
    ok(test_one_absent, "an error with a string");
    test_one(USERS, 404, "{\"status\":404,\"schemas\":[\"urn\"]}");
    ok(test_one_absent, "with a number");
    test_one(USERS, 403, "{\"status\":\"404\",\"schemas\":[\"urn\"]}");
    ok(!test_one_absent, "403");
    test_one(USERS, 500, "{\"status\":\"404\",\"schemas\":[\"urn\"]}");
    ok(!test_one_absent, "500");

    for (i = 0; i < sizeof(not) / sizeof(not[0]); i++) {
        test_one(USERS, 404, not[i]);
        ok(!test_one_absent, "not: %s", not[i]);
    }
}


int
main(void)
{
    test_table();
    test_index();
    test_drift();
    test_cursor();
    test_refused();
    test_user();
    test_external();
    test_lookup();
    test_absent();
    test_end();

    return pki_test_done();
}

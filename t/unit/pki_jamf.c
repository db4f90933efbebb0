
/*
 * pki_jamf.c: what is asked for, in which version of the API, when a listing
 * counts as complete, and what a record's words mean.
 */

#include "pki_test_round.h"


#define COMPUTERS  (&pki_jamf.resources[0])
#define MOBILE     (&pki_jamf.resources[1])
#define USERS      (&pki_jamf.resources[2])

#define BAD_LIST   "the listing tells no totalCount that can be"


static char  test_text[65536];


/* a listing of the numbers first .. first + n - 1 */

static const char *
test_list(const char *key, long long total, unsigned first, unsigned n)
{
    size_t    len;
    unsigned  i;

    len = (size_t) snprintf(test_text, sizeof(test_text),
                            "{\"totalCount\":%lld,\"results\":[", total);

    for (i = first; i < first + n; i++) {
        len += (size_t) snprintf(test_text + len, sizeof(test_text) - len,
                                 "%s{\"%s\":\"%u\"}", i == first ? "" : ",",
                                 key, i);
    }

    (void) snprintf(test_text + len, sizeof(test_text) - len, "]}");

    return test_text;
}


static void
test_reset(void)
{
    memset(&test_conf, 0, sizeof(test_conf));
    test_conf.url = "https://jamf.example/prefix";
    test_conf.devices = 1;
    test_conf.users = 1;
    test_round.variant = 0;
}


static void
test_table(void)
{
    const pki_resource_t  *r;

    test_reset();

    is_int(pki_jamf.interval, 60000, "interval");
    is_int(pki_jamf.confirm, 120, "confirm");
    is_int(pki_jamf.settle, 0, "settle");
    is_int(pki_jamf.cookies, 1, "one listing sticks to one node");

    for (r = pki_jamf.resources; r->name; r++) {
        ok((pki_jamf.classes & r->classes) == r->classes && r->sweep
           && !r->delta && !r->clears, "\"%s\" is listed in full", r->name);
        ok((r->mask & ~PKI_OBJECT_STATES) == 0
           && (r->mask & PKI_OBJECT_DELETED)
           && (r->mask & PKI_OBJECT_MISSING)
           && (r->mask & PKI_OBJECT_UNCLEAR), "\"%s\": mask", r->name);
        ok(r->wanted(&test_conf), "\"%s\" is wanted", r->name);
    }

    test_conf.devices = 0;
    ok(!COMPUTERS->wanted(&test_conf) && !MOBILE->wanted(&test_conf)
       && USERS->wanted(&test_conf), "no devices");

    test_conf.users = 0;
    ok(!USERS->wanted(&test_conf), "no users");

    is_str(pki_push.name, "push", "the directory that nobody polls");
    ok(pki_push.resources == NULL, "it has no resources");
    is_int(pki_push.classes, 0x1f, "it may know all classes");
}


static void
test_paging(void)
{
    test_reset();

    is_int(test_begin(COMPUTERS), PKI_NEXT_FETCH, "begin");
    is_str(test_url, "/api/v4/computers-inventory?section=GENERAL"
           "&sort=id:asc&page=0&page-size=500", "the first page");
    is_int(test_reply(200, test_list("id", 3, 1, 3)), PKI_NEXT_DONE,
           "all in one");
    is_int(test_nitems, 3, "three computers");

    test_conf.page = 2;

    is_int(test_begin(COMPUTERS), PKI_NEXT_FETCH, "pages of two");
    is_str(test_url, "/api/v4/computers-inventory?section=GENERAL"
           "&sort=id:asc&page=0&page-size=2", "page 0");
    is_int(test_reply(200, test_list("id", 5, 1, 2)), PKI_NEXT_FETCH,
           "goes on");
    is_str(test_url, "/api/v4/computers-inventory?section=GENERAL"
           "&sort=id:asc&page=1&page-size=2", "page 1");
    is_int(test_reply(200, test_list("id", 5, 3, 2)), PKI_NEXT_FETCH,
           "goes on");
    is_str(test_url, "/api/v4/computers-inventory?section=GENERAL"
           "&sort=id:asc&page=2&page-size=2", "page 2");
    is_int(test_reply(200, test_list("id", 5, 5, 1)), PKI_NEXT_DONE, "end");
    ok(!test_round.partial, "complete");

    (void) test_begin(COMPUTERS);
    (void) test_reply(200, test_list("id", 4, 1, 2));
    is_int(test_reply(200, test_list("id", 4, 3, 2)), PKI_NEXT_DONE,
           "the last page is full: no more is asked for");

    (void) test_begin(COMPUTERS);
    is_int(test_reply(200, test_list("id", 0, 1, 0)), PKI_NEXT_DONE,
           "none at all is for the guard to judge");

    test_conf.page = 100000;
    (void) test_begin(COMPUTERS);
    ok(strstr(test_url, "page-size=2000") != NULL, "a size that can be");

    test_conf.page = 0;
    is_int(test_begin(MOBILE), PKI_NEXT_FETCH, "mobile devices");
    is_str(test_url, "/api/v2/mobile-devices/detail?section=GENERAL&"
           "sort=mobileDeviceId:asc&exception-handling=LENIENT&page=0&"
           "page-size=500", "their URL");
    is_int(test_reply(200, test_list("mobileDeviceId", 2, 1, 2)),
           PKI_NEXT_DONE, "their end");
    is_str(test_items[1].object.id, "jamf-device/2", "their id");

    test_conf.page = 1001;
    is_int(test_begin(USERS), PKI_NEXT_FETCH, "users");
    is_str(test_url, "/api/v1/users?sort=id:asc&page=0&page-size=1000",
           "their URL");
    is_int(test_reply(200, test_list("id", 2, 1, 2)), PKI_NEXT_DONE,
           "their end");
}


/* what keeps a listing from being complete */

static void
test_drift(void)
{
    test_reset();
    test_conf.page = 2;

    (void) test_begin(COMPUTERS);
    (void) test_reply(200, test_list("id", 5, 1, 2));
    is_int(test_reply(200, test_list("id", 4, 4, 2)), PKI_NEXT_PARTIAL,
           "one went while they were listed");
    is_int(test_round.partial, 1, "and so it is partial");
    is_str(test_said, "the number of records changed while they were listed",
           "and said");

    (void) test_begin(COMPUTERS);
    (void) test_reply(200, test_list("id", 3, 1, 2));
    is_int(test_reply(200, test_list("id", 5, 3, 2)), PKI_NEXT_FETCH,
           "one more came: on to the end");
    is_int(test_reply(200, test_list("id", 5, 5, 1)), PKI_NEXT_PARTIAL,
           "which is partial");

    /* in a large fleet somebody always comes or goes */

    test_conf.page = 100;
    (void) test_begin(COMPUTERS);
    (void) test_reply(200, test_list("id", 200, 1, 100));
    is_int(test_reply(200, test_list("id", 198, 101, 98)), PKI_NEXT_DONE,
           "two of 200 went");
    (void) test_begin(COMPUTERS);
    (void) test_reply(200, test_list("id", 200, 1, 100));
    is_int(test_reply(200, test_list("id", 197, 101, 97)), PKI_NEXT_PARTIAL,
           "three are too many");
    test_conf.page = 2;

    (void) test_begin(COMPUTERS);
    (void) test_reply(200, test_list("id", 5, 1, 2));
    is_int(test_reply(200, test_list("id", 5, 3, 0)), PKI_NEXT_PARTIAL,
           "nothing where there should be something");
    is_str(test_said, "the listing broke off at 2 of 5 records", "and said");

    (void) test_begin(COMPUTERS);
    (void) test_reply(200, test_list("id", 9, 1, 2));
    is_int(test_reply(200, test_list("id", 9, 3, 1)), PKI_NEXT_PARTIAL,
           "less than a page in the middle");

    (void) test_begin(COMPUTERS);
    is_int(test_reply(200, test_list("id", 9, 1, 0)), PKI_NEXT_PARTIAL,
           "nothing at all, but a total");

    test_conf.page = 1000;

    (void) test_begin(COMPUTERS);
    is_int(test_reply(200, test_list("id", 25, 1, 10)), PKI_NEXT_FETCH,
           "the server's pages are smaller");
    ok(strstr(test_url, "page=1&page-size=10") != NULL, "so are ours");
    (void) test_reply(200, test_list("id", 25, 11, 10));
    ok(strstr(test_url, "page=2&page-size=10") != NULL, "for good");
    is_int(test_reply(200, test_list("id", 25, 21, 5)), PKI_NEXT_DONE,
           "complete");

    test_conf.page = 4;

    (void) test_begin(COMPUTERS);
    (void) test_reply(200, test_list("id", 25, 1, 10));
    ok(strstr(test_url, "page=1&page-size=10") != NULL, "or they are larger");

    (void) test_begin(COMPUTERS);
    is_int(test_reply(200, test_list("id", 3, 1, 10)), PKI_NEXT_DONE,
           "more rows than the total");
}


static void
test_refused(void)
{
    unsigned           i;
    static const char  *const bad[] = {
        "{\"results\":[]}",
        "{\"totalCount\":null,\"results\":[{\"id\":\"1\"}]}",
        "{\"totalCount\":\"3\",\"results\":[]}",
        "{\"totalCount\":-1,\"results\":[]}",
        "{\"totalCount\":1.5,\"results\":[]}",
        "{\"totalCount\":10000001,\"results\":[]}",
        "{\"totalCount\":99999999999999999999,\"results\":[]}",
        "{\"totalCount\":1,\"totalCount\":2,\"results\":[]}"
    };

    test_reset();

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void) test_begin(COMPUTERS);
        is_int(test_reply(200, bad[i]), PKI_NEXT_FAIL, "%s", bad[i]);
        is_str(test_said, BAD_LIST, "and said");
    }

    (void) test_begin(COMPUTERS);
    is_int(test_reply(200, "{\"totalCount\":0}"), PKI_NEXT_FAIL,
           "no list is no empty list");
    is_str(test_said, "the reply holds no listing", "and said");

    (void) test_begin(COMPUTERS);
    is_int(test_reply(403, "{\"httpStatus\":403,\"errors\":[]}"),
           PKI_NEXT_FAIL, "403");
    ok(strstr(test_said, "privilege") != NULL, "is about privileges");

    (void) test_begin(COMPUTERS);
    is_int(test_reply(400, NULL), PKI_NEXT_FAIL, "400 in HTML");
    is_str(test_said, "the listing was refused (400)", "and said");

    (void) test_begin(COMPUTERS);
    is_int(test_reply(503, "{}"), PKI_NEXT_RETRY, "503 is no damage");
    is_int(test_gets, 1, "nothing else was asked for");
}


static void
test_versions(void)
{
    char  url[128];

    test_reset();

    (void) test_begin(COMPUTERS);
    is_int(test_reply(404, NULL), PKI_NEXT_FETCH, "v4 is not there");
    is_int(strncmp(test_url, "/api/v3/computers-inventory?", 28), 0,
           "v3 is asked");
    is_int(test_reply(404, "{\"httpStatus\":404,\"errors\":[]}"),
           PKI_NEXT_FETCH, "nor is that");
    is_int(strncmp(test_url, "/api/v1/computers-inventory?", 28), 0,
           "v1 is asked");
    is_int(test_reply(200, test_list("id", 1, 1, 1)), PKI_NEXT_DONE,
           "and is there");

    is_int(COMPUTERS->lookup(&test_conf, test_round.variant,
                             "jamf-computer/17", NULL, url, sizeof(url)),
           PKI_OK, "also for lookups");
    is_str(url, "/api/v1/computers-inventory/17?section=GENERAL", "URL");

    (void) test_begin(COMPUTERS);
    is_int(strncmp(test_url, "/api/v4/computers-inventory?", 28), 0,
           "the newest is tried again");
    is_int(test_round.variant, 2, "but not by lookups");
    is_int(test_reply(404, NULL), PKI_NEXT_FETCH, "it is not there");
    is_int(test_reply(404, NULL), PKI_NEXT_FETCH, "nor is the next");
    is_int(test_reply(404, NULL), PKI_NEXT_FAIL, "none is there");
    ok(strstr(test_said, "no listing of this kind") != NULL, "and said");
    is_int(test_round.variant, 2, "lookups go on as before");
    (void) test_begin(COMPUTERS);
    is_int(test_reply(200, test_list("id", 1, 1, 1)), PKI_NEXT_DONE,
           "an update of the server");
    is_int(test_round.variant, 0, "is noticed");

    test_reset();
    test_conf.page = 1;
    (void) test_begin(COMPUTERS);
    (void) test_reply(200, test_list("id", 3, 1, 1));
    is_int(test_reply(404, NULL), PKI_NEXT_FAIL, "404 in the middle");
    is_int(test_round.variant, 0, "is no reason for another version");

    test_reset();
    (void) test_begin(MOBILE);
    is_int(test_reply(404, NULL), PKI_NEXT_FAIL, "mobile devices: one only");

    test_reset();
    (void) test_begin(USERS);
    is_int(test_reply(404, NULL), PKI_NEXT_FETCH, "no users in v1");
    is_str(test_url, "/JSSResource/users", "the classic API is asked");
    is_int(test_reply(200, "{\"users\":[{\"id\":7,\"name\":\"ann\"},"
                      "{\"id\":12,\"name\":\"bob\"}]}"), PKI_NEXT_DONE,
           "all at once");
    is_int(test_nitems, 2, "two users");
    is_str(test_items[0].object.id, "jamf-user/7", "numbers, not strings");
    (void) test_begin(USERS);
    is_str(test_url, "/api/v1/users?sort=id:asc&page=0&page-size=500",
           "v1 is asked again");
    (void) test_reply(404, NULL);
    is_int(test_reply(500, "{}"), PKI_NEXT_RETRY, "nothing to halve");
    (void) test_begin(USERS);
    (void) test_reply(404, NULL);
    is_int(test_reply(200, "{}"), PKI_NEXT_FAIL, "no \"users\"");
    (void) test_begin(USERS);
    (void) test_reply(404, NULL);
    is_int(test_reply(404, NULL), PKI_NEXT_FAIL, "neither is there");
    is_int(test_round.variant, 1, "as before");
}


/* a server whose record `bad` (from 0) breaks each page that holds it */

static pki_next_t
test_damage(const pki_resource_t *resource, unsigned n, unsigned bad,
    unsigned last, unsigned *seen)
{
    const char  *p;
    pki_next_t   next;
    unsigned     page, size, first, rows;

    *seen = 0;
    next = test_begin(resource);

    while (next == PKI_NEXT_FETCH && test_gets < 2000) {
        p = strstr(test_url, "&page=");

        if (p == NULL || sscanf(p, "&page=%u&page-size=%u", &page, &size) != 2)
        {
            abort();
        }

        first = page * size;
        rows = first >= n ? 0 : n - first < size ? n - first : size;

        if (first <= last && bad < first + rows) {
            next = test_reply(500, "{\"httpStatus\":500,\"errors\":[]}");
            continue;
        }

        next = test_reply(200, test_list("mobileDeviceId", n, first + 1,
                                         rows));
        *seen += test_nitems;
    }

    return next;
}


static void
test_damaged(void)
{
    unsigned  bad, seen;

    test_reset();
    test_conf.page = 20;

    for (bad = 0; bad < 57; bad++) {
        is_int(test_damage(MOBILE, 57, bad, bad, &seen), PKI_NEXT_DONE,
               "record %u is damaged", bad);
        is_int(seen, 56, "all others are seen, once");
        ok(!test_round.partial, "and the listing is complete");
    }

    is_int(test_round.unreadable, 1, "but for one, which is counted");

    test_conf.page = 7;
    is_int(test_damage(MOBILE, 57, 13, 15, &seen), PKI_NEXT_DONE,
           "three in a row");
    is_int(seen, 54, "all others are seen");
    is_int(test_round.unreadable, 3, "and they are counted");

    is_int(test_damage(MOBILE, 57, 10, 40, &seen), PKI_NEXT_FAIL,
           "too many");
    ok(strstr(test_said, "also single records") != NULL, "and said");
    ok(test_gets < 60, "%u requests until then", test_gets);

    test_conf.page = 0;
    is_int(test_damage(MOBILE, 57, 0, 57, &seen), PKI_NEXT_FAIL,
           "a server that shows nothing");
    ok(test_gets < 40, "%u requests until then", test_gets);
}


typedef struct {
    const char  *text;          /* of "general" */
    unsigned     unmanaged;     /* state with that rule; or with the other */
    unsigned     silent;
} test_state_t;


#define UNMANAGED  PKI_OBJECT_UNMANAGED
#define SILENT     PKI_OBJECT_SILENT
#define UNCLEAR    PKI_OBJECT_UNCLEAR

static const test_state_t  test_computers[] = {
    { "{\"remoteManagement\":{\"managed\":true,\"managementUsername\":null},"
      "\"lastContact\":\"2026-09-21T14:13:19.123Z\"}", 0, 0 },
    { "{\"remoteManagement\":{\"managed\":false},"
      "\"lastContactTime\":\"2026-09-20T14:13:20Z\"}", UNMANAGED, 0 },
    { "{\"lastContactTime\":\"2026-09-20T14:13:19Z\",\"remoteManagement\":"
      "{\"managed\":false}}", UNMANAGED, SILENT },
    { "{\"remoteManagement\":{\"managed\":null},\"lastContact\":null}",
      UNCLEAR, UNCLEAR },
    { "{\"remoteManagement\":{\"managed\":\"true\"},\"lastContact\":1}",
      UNCLEAR, UNCLEAR },
    { "{\"remoteManagement\":{\"managed\":1},\"lastContact\":\"\"}",
      UNCLEAR, UNCLEAR },
    { "{\"remoteManagement\":null,\"lastContact\":\"yesterday\"}",
      UNCLEAR, UNCLEAR },
    { "{\"remoteManagement\":[true],\"lastContact\":{}}", UNCLEAR, UNCLEAR },
    { "{\"managed\":true}", UNCLEAR, UNCLEAR },
    { "{\"remoteManagement\":{\"managed\":true,\"managed\":false}}",
      UNCLEAR, UNCLEAR },
    { "null", UNCLEAR, UNCLEAR },
    { "[]", UNCLEAR, UNCLEAR },
    { "\"managed\"", UNCLEAR, UNCLEAR },

    /* the latest that can be read */

    { "{\"lastContact\":null,\"reportDate\":\"2026-09-21T00:00:00Z\"}",
      UNCLEAR, 0 },
    { "{\"lastContact\":\"2020-01-01T00:00:00Z\","
      "\"lastCheckIn\":\"2026-09-21T00:00:00Z\"}", UNCLEAR, 0 },
    { "{\"lastContact\":\"soon\",\"lastCheckIn\":\"2020-01-01T00:00:00Z\"}",
      UNCLEAR, SILENT },
    { "{\"lastContact\":\"2999-01-01T00:00:00Z\"}", UNCLEAR, 0 },
    { "{\"lastContact\":\"0001-01-01T00:00:00Z\"}", UNCLEAR, SILENT },
    { "{\"lastContact\":\"2026-09-21T16:13:19+02:00\"}", UNCLEAR, 0 },
    { "{\"lastContact\":\"1960-01-01T00:00:00Z\"}", UNCLEAR, SILENT }
};


static void
test_computer(void)
{
    char                 text[512];
    unsigned             i;
    const test_state_t  *t;

    for (i = 0; i < sizeof(test_computers) / sizeof(test_computers[0]); i++) {
        t = &test_computers[i];
        (void) snprintf(text, sizeof(text), "{\"results\":[{\"udid\":\"\\ud83d"
                        "\\ude00\",\"general\":%s,\"hardware\":null,\"id\":"
                        "\"17\"}],\"x\":[{\"results\":[]}],\"totalCount\":1}",
                        t->text);

        test_reset();
        (void) test_begin(COMPUTERS);
        is_int(test_reply(200, text), PKI_NEXT_DONE, "%s", t->text);
        is_int(test_nitems, 1, "it is read");
        is_str(test_items[0].object.id, "jamf-computer/17", "its id");
        is_int(test_items[0].object.state, 0, "without a rule it is there");
        is_int(test_items[0].object.since, TEST_NOW, "since now");
        ok(test_items[0].object.mask == COMPUTERS->mask
           && test_items[0].object.key == NULL
           && test_items[0].object.recheck == 0, "no key, no recheck");

        test_conf.unmanaged = 1;
        (void) test_begin(COMPUTERS);
        (void) test_reply(200, text);
        is_int(test_items[0].object.state, t->unmanaged, "\"unmanaged\"");

        test_conf.silent = 86400;
        (void) test_begin(COMPUTERS);
        (void) test_reply(200, text);
        is_int(test_items[0].object.state, t->unmanaged | t->silent, "both");

        test_conf.unmanaged = 0;
        (void) test_begin(COMPUTERS);
        (void) test_reply(200, text);
        is_int(test_items[0].object.state, t->silent, "\"silent\"");
    }
}


static const test_state_t  test_mobiles[] = {
    { "{\"managed\":true,\"lastContactDate\":\"2026-09-21T00:00:00Z\"}", 0, 0 },
    { "{\"managed\":false,\"lastInventoryUpdateDate\":"
      "\"2026-09-21T00:00:00.307Z\"}", UNMANAGED, 0 },
    { "{\"managed\":true,\"lastContactDate\":\"2026-09-01T00:00:00Z\"}",
      0, SILENT },
    { "null", UNCLEAR, UNCLEAR },
    { "{\"managed\":\"false\",\"lastContactDate\":\"\"}", UNCLEAR, UNCLEAR }
};


static void
test_mobile(void)
{
    char                 text[512];
    unsigned             i;
    const test_state_t  *t;

    for (i = 0; i < sizeof(test_mobiles) / sizeof(test_mobiles[0]); i++) {
        t = &test_mobiles[i];
        (void) snprintf(text, sizeof(text), "{\"totalCount\":1,\"results\":"
                        "[{\"mobileDeviceId\":\"5\",\"id\":\"6\",\"general\":"
                        "%s}]}", t->text);

        test_reset();
        test_conf.unmanaged = 1;
        test_conf.silent = 86400;
        (void) test_begin(MOBILE);
        is_int(test_reply(200, text), PKI_NEXT_DONE, "%s", t->text);
        is_str(test_items[0].object.id, "jamf-device/5", "its id");
        is_int(test_items[0].object.state, t->unmanaged | t->silent, "both");
        is_int(test_items[0].object.mask, MOBILE->mask, "its mask");

        test_conf.unmanaged = 0;
        test_conf.silent = 0;
        (void) test_begin(MOBILE);
        (void) test_reply(200, text);
        is_int(test_items[0].object.state, 0, "without a rule it is there");
    }
}


static void
test_ids(void)
{
    test_reset();

    (void) test_begin(COMPUTERS);
    is_int(test_reply(200, "{\"totalCount\":11,\"results\":[{\"id\":\"1\"},"
                      "{\"id\":null},{},{\"id\":\"-1\"},{\"id\":\"1x\"},"
                      "{\"id\":\"\"},{\"id\":true},{\"id\":1.5},"
                      "{\"id\":\"99999999999999999999\"},{\"id\":\"007\"},"
                      "{\"id\":18}]}"), PKI_NEXT_DONE, "ids of all kinds");
    is_int(test_round.told, 11, "all are counted as rows");
    is_int(test_invalid, 8, "most of them unreadable");
    is_int(test_nitems, 3, "three are not");
    is_str(test_items[1].object.id, "jamf-computer/7", "leading zeros");
    is_str(test_items[2].object.id, "jamf-computer/18", "an integer");

    (void) test_begin(USERS);
    is_int(test_reply(200, "{\"page\":0,\"hasNext\":false,\"totalCount\":4,"
                      "\"results\":[{\"id\":\"7\",\"username\":\"ann\","
                      "\"email\":\"ann@example.org\"},{\"id\":\"8\","
                      "\"email\":\"\"},{\"id\":\"9\",\"email\":null},"
                      "{\"id\":\"10\",\"email\":{}}]}"), PKI_NEXT_DONE,
           "users");
    is_int(test_nitems, 4, "four users");
    is_str(test_items[0].object.name, "ann@example.org", "known by e-mail");
    ok(test_items[1].object.name == NULL && test_items[2].object.name == NULL
       && test_items[3].object.name == NULL, "or not at all");
    ok(test_items[3].object.state == 0
       && test_items[3].object.mask == USERS->mask, "existence is all");

    (void) test_begin(USERS);
    (void) snprintf(test_text, sizeof(test_text), "{\"totalCount\":1,"
                    "\"results\":[{\"id\":\"7\",\"email\":\"%01025d\"}]}", 0);
    is_int(test_reply(200, test_text), PKI_NEXT_DONE, "a long e-mail");
    ok(test_nitems == 1 && test_items[0].object.name == NULL, "is left out");
}


static void
test_lookups(void)
{
    char  url[128];

    test_reset();
    test_conf.unmanaged = 1;
    test_conf.silent = 86400;

    is_int(COMPUTERS->lookup(&test_conf, 0, "jamf-computer/17", NULL, url,
                             sizeof(url)), PKI_OK, "a computer");
    is_str(url, "/api/v4/computers-inventory/17?section=GENERAL", "URL");
    is_int(MOBILE->lookup(&test_conf, 0, "jamf-device/17", NULL, url,
                          sizeof(url)),
           PKI_OK, "a mobile device");
    is_str(url, "/api/v2/mobile-devices/17/detail", "URL");
    is_int(USERS->lookup(&test_conf, 0, "jamf-user/17", NULL, url, sizeof(url)),
           PKI_OK, "a user");
    is_str(url, "/api/v1/users/17", "URL");
    is_int(USERS->lookup(&test_conf, 1, "jamf-user/17", NULL, url, sizeof(url)),
           PKI_OK, "a user of the classic API");
    is_str(url, "/JSSResource/users/id/17", "URL");

    is_int(USERS->lookup(&test_conf, 0, "jamf-user/17", NULL, url, 16),
           PKI_NOT_FOUND, "no room");
    is_int(USERS->lookup(&test_conf, 0, "jamf-user/", NULL, url, sizeof(url)),
           PKI_NOT_FOUND, "no number");
    is_int(USERS->lookup(&test_conf, 0, "jamf-user/1?", NULL, url, sizeof(url)),
           PKI_NOT_FOUND, "not all a number");
    is_int(USERS->lookup(&test_conf, 0, "jamf-user/../1", NULL, url,
                         sizeof(url)),
           PKI_NOT_FOUND, "a path");
    is_int(USERS->lookup(&test_conf, 0, "jamf-users/1", NULL, url, sizeof(url)),
           PKI_NOT_FOUND, "another class");
    is_int(USERS->lookup(&test_conf, 0, "user/1", NULL, url, sizeof(url)),
           PKI_NOT_FOUND, "a shorter one");

    test_one(COMPUTERS, 200, "{\"id\":\"17\",\"general\":{\"lastContact\":"
             "\"2026-09-21T00:00:00Z\",\"remoteManagement\":{\"managed\":"
             "false}}}");
    is_int(test_one_rc, PKI_OK, "a computer is read");
    is_str(test_one_item.object.id, "jamf-computer/17", "its id");
    is_int(test_one_item.object.state, UNMANAGED, "its state");

    test_one(MOBILE, 200, "{\"id\":\"5\",\"managed\":false,"
             "\"lastContactTimestamp\":\"2026-09-01T00:00:00Z\","
             "\"lastInventoryUpdateTimestamp\":null}");
    is_int(test_one_rc, PKI_OK, "a mobile device is read");
    is_str(test_one_item.object.id, "jamf-device/5", "its id");
    is_int(test_one_item.object.state, UNMANAGED|SILENT, "its state");

    test_one(USERS, 200, "{\"id\":\"7\",\"email\":\"ann@example.org\"}");
    is_int(test_one_rc, PKI_OK, "a user is read");
    is_str(test_one_item.object.id, "jamf-user/7", "its id");

    test_one(USERS, 200, "{\"user\":{\"id\":7,\"name\":\"ann\",\"email\":"
             "\"ann@example.org\",\"links\":{\"computers\":[{\"id\":1}]}}}");
    is_int(test_one_rc, PKI_OK, "a classic user is read");
    is_str(test_one_item.object.id, "jamf-user/7", "its id");
    is_str(test_one_item.object.name, "ann@example.org", "its e-mail");

    test_one(USERS, 200, "{\"user\":{\"name\":\"ann\"}}");
    is_int(test_one_rc, PKI_INVALID, "a user without a number");
    test_one(USERS, 200, "{}");
    is_int(test_one_rc, PKI_INVALID, "nothing");
}


static void
test_absent(void)
{
    const pki_resource_t  *r;
    static const char      error[] = "{\"httpStatus\":404,\"errors\":[{\"code\""
                                     ":\"INVALID_ID\",\"field\":\"id\"}]}";

    test_reset();

    for (r = pki_jamf.resources; r->name; r++) {
        test_one(r, 404, error);
        ok(test_one_absent, "\"%s\": an ApiError", r->name);
        test_one(r, 404, "{\"errors\":[],\"httpStatus\" : 404}");
        ok(test_one_absent, "another");

        test_one(r, 403, error);
        ok(!test_one_absent, "403");
        test_one(r, 401, error);
        ok(!test_one_absent, "401");
        test_one(r, 500, error);
        ok(!test_one_absent, "500");
        test_one(r, 200, error);
        ok(!test_one_absent, "200");
        test_one(r, 404, "<html><h1>Not Found</h1></html>");
        ok(!test_one_absent, "HTML");
        test_one(r, 404, "");
        ok(!test_one_absent, "nothing");
        test_one(r, 404, "{}");
        ok(!test_one_absent, "an empty object");
        test_one(r, 404, "{\"httpStatus\":\"404\"}");
        ok(!test_one_absent, "a string");
        test_one(r, 404, "{\"httpStatus\":403}");
        ok(!test_one_absent, "another status within");
        test_one(r, 404, "{\"error\":\"not_found\"}");
        ok(!test_one_absent, "another error");
    }
}


int
main(void)
{
    test_table();
    test_paging();
    test_drift();
    test_refused();
    test_versions();
    test_damaged();
    test_computer();
    test_mobile();
    test_ids();
    test_lookups();
    test_absent();
    test_end();

    return pki_test_done();
}

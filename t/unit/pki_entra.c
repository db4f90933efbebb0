
/*
 * pki_entra.c: what is asked for, what a device's and a user's words mean,
 * and how a delta begins, goes on, expires and ends.
 */

#include "pki_test_graph.h"


#define DEVICES  (&pki_entra.resources[0])
#define USERS    (&pki_entra.resources[1])

#define LIST(items, link)                                                   \
    "{\"@odata.context\":\"c\",\"value\":[" items "]" link "}"
#define NEXT(path)   ",\"@odata.nextLink\":\"" TEST_URL path "\""
#define DELTA(path)  ",\"@odata.deltaLink\":\"" TEST_URL path "\""


typedef struct {
    const char  *item;
    const char  *means;
} test_case_t;


static void
test_reset(void)
{
    memset(&test_conf, 0, sizeof(test_conf));
    test_conf.url = TEST_URL;
    test_conf.devices = 1;
    test_conf.users = 1;
    test_round.variant = 0;
}


static void
test_table(void)
{
    const pki_resource_t  *r;

    test_reset();

    is_str(pki_entra.name, "entra", "name");
    is_int(pki_entra.interval, 30000, "interval");
    is_int(pki_entra.full, 86400, "a full listing each day");
    is_int(pki_entra.confirm, 120, "confirm");
    is_int(pki_entra.settle, 30, "settle");

    for (r = pki_entra.resources; r->name; r++) {
        ok((r->classes & ~pki_entra.classes) == 0
           && (r->mask & ~PKI_OBJECT_STATES) == 0
           && (r->classes == 0) == (r->mask == 0), "\"%s\" in the table",
           r->name);
    }

    is_int(r - pki_entra.resources, 4, "four resources");
    is_int(DEVICES->mask, PKI_OBJECT_DELETED|PKI_OBJECT_REMOVED
           |PKI_OBJECT_DISABLED|PKI_OBJECT_NONCOMPLIANT|PKI_OBJECT_MISSING
           |PKI_OBJECT_UNCLEAR, "what is told about devices");
    is_int(USERS->mask, DEVICES->mask & ~PKI_OBJECT_NONCOMPLIANT,
           "what is told about users");
    ok(DEVICES->delta && DEVICES->sweep && !DEVICES->clears, "devices");
    ok(USERS->delta && USERS->sweep && !USERS->clears, "users");

    ok(DEVICES->wanted(&test_conf) && USERS->wanted(&test_conf),
       "both are wanted");
    test_conf.devices = 0;
    ok(!DEVICES->wanted(&test_conf) && USERS->wanted(&test_conf),
       "users only");
    test_conf.users = 0;
    test_conf.devices = 1;
    ok(DEVICES->wanted(&test_conf) && !USERS->wanted(&test_conf),
       "devices only");
}


#define ID      "\"id\":\"" OBJ "\""
#define DID     "\"deviceId\":\"" DEV "\""
#define KEYED   "- key " OBJ ":"
#define DEVICE  "device/" DEV " key " OBJ ":"

static const test_case_t  test_devices[] = {

    { "{" ID "," DID ",\"accountEnabled\":true}", DEVICE },
    { "{" ID "," DID ",\"accountEnabled\":false}", DEVICE " disabled" },
    { "{\"accountEnabled\":true," DID "," ID "}", DEVICE },
    { "{" ID "," DID ",\"accountEnabled\":null}",
      DEVICE " unclear; keeps disabled" },
    { "{" ID "," DID ",\"accountEnabled\":\"true\"}",
      DEVICE " unclear; keeps disabled" },
    { "{" ID "," DID ",\"accountEnabled\":1}",
      DEVICE " unclear; keeps disabled" },
    { "{" ID "," DID ",\"accountEnabled\":0}",
      DEVICE " unclear; keeps disabled" },
    { "{" ID "," DID ",\"accountEnabled\":{}}",
      DEVICE " unclear; keeps disabled" },
    { "{" ID "," DID ",\"accountEnabled\":[true]}",
      DEVICE " unclear; keeps disabled" },
    { "{" ID "," DID ",\"accountEnabled\":true,\"accountEnabled\":false}",
      DEVICE " unclear; keeps disabled" },
    { "{" ID "," DID ",\"AccountEnabled\":true}",
      DEVICE "; keeps disabled,unclear; again in 0" },
    { "{" ID "," DID "}", DEVICE "; keeps disabled,unclear; again in 0" },
    { "{" ID ",\"accountEnabled\":false}", KEYED " disabled" },
    { "{" ID "}", KEYED "; keeps disabled,unclear; again in 0" },
    { "{" ID "," DID ",\"accountEnabled\":true,\"isCompliant\":false}",
      DEVICE },
    { "{" ID "," DID ",\"accountEnabled\":true,\"x\":{\"id\":\"y\"},"
      "\"displayName\":\"\\ud83d\\ude00\"}", DEVICE },
    { "{\"id\":\"6A59EA83-02BD-468D-A40B-F2C3D1821983\",\"deviceId\":"
      "\"7F3C0A1B-1234-4ABC-9DEF-0123456789AB\",\"accountEnabled\":true}",
      DEVICE },

    /* no deviceId: nothing that a certificate could name */

    { "{" ID ",\"deviceId\":null,\"accountEnabled\":true}", "nothing" },
    { "{" ID ",\"deviceId\":\"\",\"accountEnabled\":true}", "nothing" },
    { "{" ID ",\"deviceId\":\"" ZERO "\"}", "nothing" },
    { "{" ID ",\"deviceId\":\"x\",\"accountEnabled\":true}", "unreadable" },
    { "{" ID ",\"deviceId\":7,\"accountEnabled\":true}", "unreadable" },
    { "{" ID ",\"deviceId\":{},\"accountEnabled\":true}", "unreadable" },

    /* no id */

    { "{}", "unreadable" },
    { "{" DID ",\"accountEnabled\":true}", "unreadable" },
    { "{\"id\":null," DID "}", "unreadable" },
    { "{\"id\":\"\"," DID "}", "unreadable" },
    { "{\"id\":\"" OBJ "0\"," DID "}", "unreadable" },
    { "{\"id\":\"" OBJ "\\u0000\"," DID "}", "unreadable" },
    { "{\"id\":\"" OBJ "\",\"id\":\"" OBJ2 "\"," DID "}", "unreadable" },

    /* removed: known by the key only */

    { "{" ID ",\"@removed\":{\"reason\":\"deleted\"}}",
      KEYED " deleted; keeps disabled,noncompliant,unclear" },
    { "{\"@removed\":{\"reason\":\"DELETED\"}," ID "}",
      KEYED " deleted; keeps disabled,noncompliant,unclear" },
    { "{" ID ",\"@removed\":{\"reason\":\"changed\"}}",
      KEYED " deleted; keeps disabled,noncompliant,unclear" },
    { "{" ID "," DID ",\"accountEnabled\":true,\"@removed\":"
      "{\"reason\":\"changed\"}}",
      KEYED " deleted; keeps disabled,noncompliant,unclear" },
    { "{" ID ",\"@removed\":{\"reason\":\"unknownFutureValue\"}}",
      KEYED " removed; keeps disabled,noncompliant,unclear" },
    { "{" ID ",\"@removed\":{}}",
      KEYED " removed; keeps disabled,noncompliant,unclear" },
    { "{" ID ",\"@removed\":{\"reason\":null}}",
      KEYED " removed; keeps disabled,noncompliant,unclear" },
    { "{" ID ",\"@removed\":true}",
      KEYED " removed; keeps disabled,noncompliant,unclear" },
    { "{\"@removed\":{\"reason\":\"deleted\"}}", "unreadable" },
    { "{" ID "," DID ",\"accountEnabled\":true,\"@removed\":null}", DEVICE }
};


static void
test_device_items(void)
{
    size_t  i;

    test_reset();

    for (i = 0; i < sizeof(test_devices) / sizeof(test_devices[0]); i++) {
        is_str(test_one_item(DEVICES, test_devices[i].item),
               test_devices[i].means, "%s", test_devices[i].item);
    }

    test_conf.restore = 1;

    is_str(test_one_item(DEVICES, "{" ID ",\"@removed\":"
                         "{\"reason\":\"changed\"}}"),
           KEYED " removed; keeps disabled,noncompliant,unclear",
           "a deletion that can be undone");
    is_str(test_one_item(DEVICES, "{" ID ",\"@removed\":"
                         "{\"reason\":\"deleted\"}}"),
           KEYED " deleted; keeps disabled,noncompliant,unclear",
           "one that cannot");
    is_str(test_one_item(DEVICES, "{" ID "," DID
                         ",\"accountEnabled\":true}"), DEVICE,
           "a restored device is as any other");
}


#define ON       "\"accountEnabled\":true,"
#define AT(time) ",\"registrationDateTime\":\"" time "\""

static const test_case_t  test_compliance[] = {

    { ON "\"isCompliant\":true", DEVICE },
    { ON "\"isCompliant\":false", DEVICE " noncompliant" },
    { ON "\"isCompliant\":null", DEVICE " noncompliant" },
    { ON "\"isCompliant\":\"true\"", DEVICE " unclear; keeps noncompliant" },
    { ON "\"isCompliant\":1", DEVICE " unclear; keeps noncompliant" },
    { ON "\"isCompliant\":[]", DEVICE " unclear; keeps noncompliant" },
    { ON "\"isManaged\":true",
      DEVICE "; keeps noncompliant,unclear; again in 0" },
    { "\"accountEnabled\":false,\"isCompliant\":false",
      DEVICE " disabled,noncompliant" },
    { "\"isCompliant\":false",
      DEVICE " noncompliant; keeps disabled,unclear; again in 0" },
    { "\"accountEnabled\":null", DEVICE
      " unclear; keeps disabled,noncompliant; again in 0" },
    { "\"isCompliant\":7",
      DEVICE " unclear; keeps disabled,noncompliant; again in 0" },

    /* the grace is an hour; it is 14:13:20Z */

    { ON "\"isCompliant\":false" AT("2026-09-21T13:13:21Z"),
      DEVICE "; again in 1" },
    { ON "\"isCompliant\":null" AT("2026-09-21T16:13:20.1234567+02:00"),
      DEVICE "; again in 3600" },
    { ON "\"isCompliant\":false" AT("2026-09-21T13:13:20Z"),
      DEVICE " noncompliant" },
    { ON "\"isCompliant\":true" AT("2026-09-21T14:00:00Z"), DEVICE },
    { ON "\"isCompliant\":false" AT("2026-09-21T14:18:20Z"),
      DEVICE "; again in 3900" },
    { ON "\"isCompliant\":false" AT("2026-09-21T14:18:21Z"),
      DEVICE " noncompliant" },
    { ON "\"isCompliant\":false" AT("9999-12-31T23:59:59.9999999Z"),
      DEVICE " noncompliant" },
    { ON "\"isCompliant\":false" AT("0001-01-01T00:00:00Z"),
      DEVICE " noncompliant" },
    { ON "\"isCompliant\":false" AT(""), DEVICE " noncompliant" },
    { ON "\"isCompliant\":false" AT("soon"), DEVICE " noncompliant" },
    { ON "\"isCompliant\":false,\"registrationDateTime\":null",
      DEVICE " noncompliant" },
    { ON "\"isCompliant\":false,\"registrationDateTime\":1790000000",
      DEVICE " noncompliant" },
    { "\"isCompliant\":false" AT("2026-09-21T14:00:00Z"),
      DEVICE "; keeps disabled,unclear; again in 0" }
};


static void
test_device_compliance(void)
{
    char    text[512];
    size_t  i;

    test_reset();
    test_conf.compliance = 1;
    test_conf.grace = 3600;

    for (i = 0; i < sizeof(test_compliance) / sizeof(test_compliance[0]);
         i++)
    {
        (void) snprintf(text, sizeof(text), "{" ID "," DID ",%s}",
                        test_compliance[i].item);

        is_str(test_one_item(DEVICES, text), test_compliance[i].means, "%s",
               test_compliance[i].item);
    }

    test_conf.grace = 0;

    is_str(test_one_item(DEVICES, "{" ID "," DID "," ON "\"isCompliant\":"
                         "false" AT("2026-09-21T14:13:20Z") "}"),
           DEVICE " noncompliant", "no grace");
}


static const test_case_t  test_users[] = {

#define USER    "user/" OBJ " key " OBJ ":"
#define UPN(s)  "user/" OBJ " key " OBJ " name " s ":"

    { "{" ID ",\"accountEnabled\":true}", USER },
    { "{" ID ",\"accountEnabled\":false,\"userPrincipalName\":\"a@b.c\"}",
      UPN("a@b.c") " disabled" },
    { "{" ID ",\"accountEnabled\":true,\"userPrincipalName\":"
      "\"ann_contoso.com#EXT#@fabrikam.onmicrosoft.com\",\"userType\":"
      "\"Guest\"}", UPN("ann_contoso.com#EXT#@fabrikam.onmicrosoft.com") },
    { "{" ID ",\"accountEnabled\":true,\"userPrincipalName\":\"\"}", USER },
    { "{" ID ",\"accountEnabled\":true,\"userPrincipalName\":null}", USER },
    { "{" ID ",\"accountEnabled\":true,\"userPrincipalName\":5}", USER },
    { "{" ID ",\"accountEnabled\":null,\"userPrincipalName\":\"a\"}",
      UPN("a") " unclear; keeps disabled" },
    { "{" ID ",\"accountEnabled\":\"false\"}",
      USER " unclear; keeps disabled" },
    { "{" ID ",\"userPrincipalName\":\"a\"}",
      UPN("a") "; keeps disabled,unclear; again in 0" },
    { "{" ID ",\"@removed\":{\"reason\":\"deleted\"}}",
      KEYED " deleted; keeps disabled,unclear" },
    { "{" ID ",\"@removed\":{\"reason\":\"changed\"}}",
      KEYED " removed; keeps disabled,unclear" },
    { "{\"userPrincipalName\":\"a\",\"accountEnabled\":true}",
      "unreadable" },
    { "{\"id\":\"a@b.c\",\"accountEnabled\":true}", "unreadable" }
};


static void
test_user_items(void)
{
    char    text[PKI_STATE_NAME_MAX + 128];
    size_t  i;

    test_reset();
    test_conf.restore = 1;
    test_conf.compliance = 1;

    for (i = 0; i < sizeof(test_users) / sizeof(test_users[0]); i++) {
        is_str(test_one_item(USERS, test_users[i].item), test_users[i].means,
               "%s", test_users[i].item);
    }

    (void) snprintf(text, sizeof(text), "{" ID ",\"accountEnabled\":true,"
                    "\"userPrincipalName\":\"%0*d\"}", PKI_STATE_NAME_MAX + 1,
                    0);
    is_str(test_one_item(USERS, text), USER, "a name that is too long");

    (void) snprintf(text, sizeof(text), "{" ID ",\"accountEnabled\":true,"
                    "\"userPrincipalName\":\"%0*d\"}", PKI_STATE_NAME_MAX,
                    0);
    ok(strstr(test_one_item(USERS, text), " name 000") != NULL,
       "the longest that is not");
}


/* what is looked up is told as a whole: what is absent there is not known */

static void
test_lookups(void)
{
    size_t  len;

    test_reset();

    is_str(test_lookup(DEVICES, 0, "device/" DEV), "/v1.0/devices(deviceId='"
           DEV "')?$select=id,deviceId,accountEnabled", "a device");
    is_str(test_lookup(USERS, 0, "user/" OBJ), "/v1.0/users/" OBJ
           "?$select=id,userPrincipalName,accountEnabled,userType", "a user");

    test_conf.compliance = 1;
    is_str(test_lookup(DEVICES, 0, "device/" DEV), "/v1.0/devices(deviceId='"
           DEV "')?$select=id,deviceId,accountEnabled,isCompliant",
           "with its compliance");

    test_conf.grace = 60;
    is_str(test_lookup(DEVICES, 0, "device/" DEV), "/v1.0/devices(deviceId='"
           DEV "')?$select=id,deviceId,accountEnabled,isCompliant,"
           "registrationDateTime", "and its age");

    is_str(test_lookup(DEVICES, 0, "user/" OBJ), "none", "not a device");
    is_str(test_lookup(USERS, 0, "device/" DEV), "none", "not a user");
    is_str(test_lookup(USERS, 0, "user/" OBJ "x"), "none", "too long");
    is_str(test_lookup(USERS, 0, "user/a@b.c"), "none", "not a GUID");
    is_str(test_lookup(DEVICES, 0, "device/" DEV "')/x"), "none",
           "not a GUID with a tail");
    test_reset();

    len = strlen(test_lookup(DEVICES, 0, "device/" DEV));
    is_int(DEVICES->lookup(&test_conf, 0, "device/" DEV, NULL, test_url, len),
           PKI_INVALID, "no room for a device's URL");
    is_int(DEVICES->lookup(&test_conf, 0, "device/" DEV, NULL, test_url,
                           len + 1), PKI_OK, "just enough");

    len = strlen(test_lookup(USERS, 0, "user/" OBJ));
    is_int(USERS->lookup(&test_conf, 0, "user/" OBJ, NULL, test_url, len),
           PKI_INVALID, "no room for a user's URL");
    is_int(USERS->lookup(&test_conf, 0, "user/" OBJ, NULL, test_url, len + 1),
           PKI_OK, "just enough");

    is_str(test_one_object(DEVICES, "{" ID "," DID ",\"accountEnabled\":"
                           "false}"), DEVICE " disabled", "a device");
    is_str(test_one_object(DEVICES, "{" ID "," DID "}"),
           DEVICE " unclear; keeps disabled",
           "a device of which Graph does not say whether it is enabled");
    is_str(test_one_object(DEVICES, "{" ID "}"), "unreadable",
           "a device without its id");
    is_str(test_one_object(DEVICES, "{" ID ",\"deviceId\":null}"), "nothing",
           "a device with none");
    is_str(test_one_object(USERS, "{" ID ",\"accountEnabled\":true,"
                           "\"userPrincipalName\":\"a@b.c\"}"),
           UPN("a@b.c"), "a user");
    is_str(test_one_object(USERS, "{" ID "}"),
           USER " unclear; keeps disabled",
           "a user of which Graph does not say whether it is enabled");

    test_conf.compliance = 1;
    is_str(test_one_object(DEVICES, "{" ID "," DID ",\"accountEnabled\":"
                           "true}"), DEVICE " unclear; keeps noncompliant",
           "a device of which Graph does not say whether it is compliant");

    ok(test_absent(DEVICES, 404, ERROR("Request_ResourceNotFound", "")),
       "no such device");
    ok(test_absent(USERS, 404, ERROR("request_resourcenotfound", "")),
       "no such user, in another case");
    ok(test_absent(USERS, 404, ERROR("ResourceNotFound", "")), "in short");
    ok(!test_absent(DEVICES, 403, ERROR("Request_ResourceNotFound", "")),
       "403 says nothing");
    ok(!test_absent(DEVICES, 404, ERROR("itemNotFound", "")),
       "another code says nothing");
    ok(!test_absent(DEVICES, 404, "{}"), "no code says nothing");
    ok(!test_absent(DEVICES, 404, "<html>"), "HTML says nothing");
    ok(!test_absent(USERS, 404, "{\"error\":\"Request_ResourceNotFound\"}"),
       "a text instead of an error says nothing");
}


static void
test_full(void)
{
    test_reset();

    is_int(test_begin(DEVICES, 1, NULL), PKI_NEXT_FETCH, "a full round");
    is_str(test_url, "/v1.0/devices/delta?$deltaToken=latest"
           "&$select=id,deviceId,accountEnabled", "asks for a mark");
    ok(test_shape->item == DEVICES->paths, "items are read as items");

    is_int(test_reply(200, LIST("", DELTA("/d?$deltatoken=a%20b"))),
           PKI_NEXT_FETCH, "the mark");
    is_str(test_round.link, "0,0," TEST_URL "/d?$deltatoken=a%20b",
           "is kept");
    is_str(test_url, "/v1.0/devices?$select=id,deviceId,accountEnabled"
           "&$top=999", "then the listing");

    is_int(test_reply(200, LIST("{" ID "," DID ",\"accountEnabled\":true}",
                                NEXT("/n?$skiptoken=x%25y"))),
           PKI_NEXT_FETCH, "a page");
    is_str(test_url, TEST_URL "/n?$skiptoken=x%25y", "its link, verbatim");
    is_int(test_nitems, 1, "an item");
    is_int(test_reply(200, LIST("", NEXT("/n2"))), PKI_NEXT_FETCH,
           "an empty page is not the end");
    is_int(test_reply(200, LIST("", "")), PKI_NEXT_DONE, "the end");
    is_str(test_round.link, "0,0," TEST_URL "/d?$deltatoken=a%20b",
           "the mark is what is stored");
    is_int(test_links, 1, "one link");

    test_conf.page = 100;
    test_conf.compliance = 1;
    test_conf.grace = 1800;
    (void) test_begin(DEVICES, 1, NULL);
    is_str(test_url, "/v1.0/devices/delta?$deltaToken=latest&$select="
           "id,deviceId,accountEnabled,isCompliant,registrationDateTime",
           "a mark with compliance");
    (void) test_reply(200, "{\"@odata.deltaLink\":\"" TEST_URL "/d\","
                      "\"value\":[]}");
    is_str(test_url, "/v1.0/devices?$select=id,deviceId,accountEnabled,"
           "isCompliant,registrationDateTime&$top=100", "pages of 100");
    is_str(test_round.link, "1,1800," TEST_URL "/d", "and its terms");

    test_conf.page = 5000;
    (void) test_begin(USERS, 1, NULL);
    is_str(test_url, "/v1.0/users/delta?$deltaToken=latest"
           "&$select=id,userPrincipalName,accountEnabled,userType",
           "a mark for users");
    is_int(test_reply(200, LIST("", NEXT("/more"))), PKI_NEXT_FETCH,
           "a mark may come late");
    is_str(test_url, TEST_URL "/more", "after a link");
    (void) test_reply(200, LIST("", DELTA("/d")));
    is_str(test_url, "/v1.0/users?$select=id,userPrincipalName,"
           "accountEnabled,userType&$top=999", "at most 999");
}


/* from a stored link, and what makes it useless */

static void
test_delta(void)
{
    test_reset();

    is_int(test_begin(USERS, 0, "0,0," TEST_URL "/d?a"), PKI_NEXT_FETCH,
           "a delta");
    is_str(test_url, TEST_URL "/d?a", "its link");
    is_int(test_reply(200, LIST("{" ID ",\"@removed\":{\"reason\":"
                                "\"deleted\"}}", NEXT("/n"))),
           PKI_NEXT_FETCH, "a page");
    is_int(test_nitems, 1, "a removal");
    is_int(test_reply(200, LIST("", DELTA("/d2"))), PKI_NEXT_DONE, "the end");
    is_str(test_round.link, "0,0," TEST_URL "/d2", "the next link");
    is_int(test_asked, 2, "two requests");

    is_int(test_begin(USERS, 0, NULL), PKI_NEXT_FULL, "no link");
    is_int(test_begin(USERS, 0, "https://graph.example/d"), PKI_NEXT_FULL,
           "a link without terms");
    is_int(test_begin(USERS, 0, "1,0," TEST_URL "/d"), PKI_NEXT_FULL,
           "a link of other terms");
    is_int(test_begin(USERS, 0, "0,0 https://other.example/d"),
           PKI_NEXT_FULL, "a link of another host");
    is_int(test_begin(USERS, 0, "0,0,"), PKI_NEXT_FULL, "an empty link");

    test_conf.compliance = 1;
    test_conf.grace = 60;
    is_int(test_begin(DEVICES, 0, "1,61," TEST_URL "/d"), PKI_NEXT_FULL,
           "another time of grace");
    is_int(test_begin(DEVICES, 0, "1,60," TEST_URL "/d"), PKI_NEXT_FETCH,
           "the same");
}


static const struct {
    int          status;
    const char  *text;
    const char  *what;
} test_expiries[] = {
    { 400, ERROR("syncStateNotFound", ""), "form A" },
    { 400, ERROR("SyncStateNotFound", ""), "form A in another case" },
    { 404, ERROR("syncstatenotfound", ""), "another status" },
    { 410, ERROR("resyncRequired", ""), "form B" },
    { 410, ERROR("whatever", ""), "410 with any code" },
    { 410, "{}", "410 without a code" },
    { 410, NULL, "410 without JSON" },
    { 400, ERROR("BadRequest", ",\"innerError\":{\"code\":"
                 "\"syncStateNotFound\"}"), "nested" },
    { 400, ERROR("BadRequest", ",\"innererror\":{\"code\":"
                 "\"ResyncRequired\"}"), "nested, in another case" },
    { 400, ERROR("BadRequest", ",\"innerError\":{\"code\":\"x\","
                 "\"innerError\":{\"code\":\"syncStateNotFound\"}}"),
      "nested twice" },
    { 400, ERROR("BadRequest", ",\"innererror\":{\"innererror\":{\"code\":"
                 "\"syncStateNotFound\"}}"), "nested twice, small" },
    { 400, ERROR("BadRequest", ",\"innererror\":{\"innerError\":{\"code\":"
                 "\"syncStateNotFound\"}}"), "nested twice, mixed" }
};


static void
test_expiry(void)
{
    size_t  i;

    test_reset();

    for (i = 0; i < sizeof(test_expiries) / sizeof(test_expiries[0]); i++) {
        (void) test_begin(DEVICES, 0, "0,0," TEST_URL "/d");
        is_int(test_reply(test_expiries[i].status, test_expiries[i].text),
               PKI_NEXT_FULL, "%s", test_expiries[i].what);
        is_int(test_asked, 1, "nothing else is asked for");

        (void) test_begin(DEVICES, 0, "0,0," TEST_URL "/d");
        (void) test_reply(200, LIST("", NEXT("/n")));
        is_int(test_reply(test_expiries[i].status, test_expiries[i].text),
               PKI_NEXT_FULL, "%s on a next link", test_expiries[i].what);
    }

    /* form D: a code that nothing is known about, twice in a row */

    (void) test_begin(DEVICES, 0, "0,0," TEST_URL "/d");
    is_int(test_reply(400, ERROR("Request_BadRequest", "")), PKI_NEXT_FAIL,
           "400 once");
    is_str(test_said, "devices refused with status 400 (Request_BadRequest)",
           "and why");
    (void) test_begin(DEVICES, 0, "0,0," TEST_URL "/d");
    is_int(test_reply(400, NULL), PKI_NEXT_FULL, "twice");
    is_int(test_round.variant, 0, "counted from the beginning again");

    (void) test_begin(DEVICES, 0, "0,0," TEST_URL "/d");
    (void) test_reply(400, "{}");
    (void) test_begin(DEVICES, 0, "0,0," TEST_URL "/d");
    is_int(test_reply(200, LIST("", DELTA("/d2"))), PKI_NEXT_DONE,
           "a round between");
    (void) test_begin(DEVICES, 0, "0,0," TEST_URL "/d");
    is_int(test_reply(400, "{}"), PKI_NEXT_FAIL, "so once again");

    test_round.variant = 0;
    (void) test_begin(DEVICES, 1, NULL);
    is_int(test_reply(400, "{}"), PKI_NEXT_FAIL, "400 for a mark");
    (void) test_begin(DEVICES, 1, NULL);
    is_int(test_reply(400, "{}"), PKI_NEXT_FAIL, "is no expiry");

    /* a listing's links live for minutes */

    (void) test_begin(DEVICES, 1, NULL);
    (void) test_reply(200, LIST("", DELTA("/d")));
    (void) test_reply(200, LIST("", NEXT("/n")));
    is_int(test_reply(400, ERROR("Directory_ExpiredPageToken", "")),
           PKI_NEXT_FULL, "a listing whose link expired");
}


static const struct {
    int          status;
    const char  *text;
    const char  *says;
} test_failures[] = {
    { 403, ERROR("Authorization_RequestDenied", ""),
      "users refused with status 403 (Authorization_RequestDenied): no "
      "permission, or no licence" },
    { 403, NULL, "users refused with status 403: no permission, or no "
      "licence" },
    { 404, ERROR("a b", ""), "users refused with status 404" },
    { 404, ERROR("a\\nb", ""), "users refused with status 404" },
    { 404, "{\"error\":{\"code\":7}}", "users refused with status 404" },
    { 404, ERROR("", ""), "users refused with status 404" },
    { 501, ERROR("NotImplemented", ""),
      "users refused with status 501 (NotImplemented)" },
    { 200, NULL, "the reply about users is not what was asked for" },
    { 200, "{}", "the reply about users is not what was asked for" },
    { 200, "{\"value\":null}",
      "the reply about users is not what was asked for" }
};


static void
test_failure(void)
{
    size_t  i;
    char    text[256];

    static const char  *const links[] = {
        "\"\"", "null", "7", "{}", "true",
        "\"https://other.example/n\""
    };

    test_reset();

    for (i = 0; i < sizeof(test_failures) / sizeof(test_failures[0]); i++) {

        (void) test_begin(USERS, 1, NULL);
        is_int(test_reply(test_failures[i].status, test_failures[i].text),
               PKI_NEXT_FAIL, "a mark: %s", test_failures[i].says);
        is_str(test_said, test_failures[i].says, "the sentence");

        (void) test_begin(USERS, 1, NULL);
        (void) test_reply(200, LIST("", DELTA("/d")));
        is_int(test_reply(test_failures[i].status, test_failures[i].text),
               PKI_NEXT_FAIL, "a listing: %s", test_failures[i].says);

        (void) test_begin(USERS, 0, "0,0," TEST_URL "/d");
        is_int(test_reply(test_failures[i].status, test_failures[i].text),
               PKI_NEXT_FAIL, "a delta: %s", test_failures[i].says);
        ok(test_links == 0, "no link is kept");
    }

    for (i = 0; i < sizeof(links) / sizeof(links[0]); i++) {

        (void) snprintf(text, sizeof(text), "{\"value\":[],"
                        "\"@odata.nextLink\":%s}", links[i]);

        (void) test_begin(USERS, 1, NULL);
        (void) test_reply(200, LIST("", DELTA("/d")));
        is_int(test_reply(200, text), PKI_NEXT_FAIL,
               "a listing goes on with %s", links[i]);

        (void) test_begin(USERS, 0, "0,0," TEST_URL "/d");
        is_int(test_reply(200, text), PKI_NEXT_FAIL,
               "a delta goes on with %s", links[i]);
    }

    for (i = 0; i < 5; i++) {
        (void) snprintf(text, sizeof(text), "{\"value\":[],"
                        "\"@odata.deltaLink\":%s}", links[i]);

        (void) test_begin(USERS, 0, "0,0," TEST_URL "/d");
        is_int(test_reply(200, text), PKI_NEXT_FAIL,
               "a delta ends with %s", links[i]);
        is_int(test_links, 0, "no link is kept");
    }

    (void) test_begin(USERS, 0, "0,0," TEST_URL "/d");
    is_int(test_reply(200, LIST("", "")), PKI_NEXT_FAIL, "no link at all");
    is_str(test_said, "changes of users must have one link, to the next page "
           "or to the next delta", "the sentence");
    (void) test_begin(USERS, 0, "0,0," TEST_URL "/d");
    is_int(test_reply(200, LIST("", NEXT("/n") DELTA("/d"))), PKI_NEXT_FAIL,
           "both links");
    (void) test_begin(USERS, 0, "0,0," TEST_URL "/d");
    is_int(test_reply(200, LIST("", DELTA("/d") DELTA("/e"))), PKI_NEXT_FAIL,
           "two links of a kind");
}


/* a listing that leads in a circle has an end all the same */

static void
test_endless(void)
{
    long        n;
    pki_next_t  next;

    test_reset();

    (void) test_begin(USERS, 1, NULL);
    (void) test_reply(200, LIST("", DELTA("/d")));
    test_receive(200, LIST("", NEXT("/n")));

    for (n = 1; n <= PKI_GRAPH_PAGES_MAX + 1; n++) {
        next = test_round.resource->next(&test_round);

        if (next != PKI_NEXT_FETCH) {
            break;
        }
    }

    is_int(next, PKI_NEXT_FAIL, "a listing without an end");
    is_int(n, PKI_GRAPH_PAGES_MAX, "is given up");
    is_str(test_said, "users did not end after 100000 pages",
           "the sentence");
}


static void
test_memory(void)
{
    test_reset();

    (void) test_begin(USERS, 0, "0,0," TEST_URL "/d");
    test_receive(200, LIST("", DELTA("/d2")));

    pki_test_fail_at(1);
    is_int(test_round.resource->next(&test_round), PKI_NEXT_FAIL,
           "no memory for a link");
    ok(pki_test_fail_hit(), "it came to that");
    pki_test_fail_at(0);

    is_str(test_said, "no memory for a delta link", "the sentence");
    is_str(test_round.link, "0,0," TEST_URL "/d", "the old one is kept");
}


int
main(void)
{
    pki_test_alloc_hook();

    test_table();
    test_device_items();
    test_device_compliance();
    test_user_items();
    test_lookups();
    test_full();
    test_delta();
    test_expiry();
    test_failure();
    test_endless();
    test_memory();

    return test_done();
}


/*
 * pki_intune.c: where managed devices are listed, when the listing counts
 * as complete, and what a device's and a certificate's words mean.
 */

#include "pki_test_graph.h"


#define DEVICES  (&pki_intune.resources[0])
#define LIST     (&pki_intune.resources[1])

#define SELECT                                                              \
    "?$select=id,azureADDeviceId,managementState,complianceState,"          \
    "enrolledDateTime,userId"
#define V1        "/v1.0/deviceManagement/managedDevices" SELECT "&$top=1000"
#define BETA      "/beta/deviceManagement/managedDevices" SELECT "&$top=1000"
#define OVERVIEW  "/v1.0/deviceManagement/managedDeviceOverview"

#define PAGE(items, link)  "{\"@odata.count\":7,\"value\":[" items "]" link "}"
#define NEXT               ",\"@odata.nextLink\":\"" TEST_URL "/n\""
#define COUNT(n)           "{\"id\":\"x\",\"enrolledDeviceCount\":" n "}"

#define ID      "\"id\":\"" DEV "\""
#define DEVICE  "device/" DEV " key " DEV ":"
#define ALIAS   "device/" DEV " key " DEV " alias device/" OBJ " name " OBJ ":"
#define NONE    "device/" DEV " key " DEV " alias none:"


typedef struct {
    const char  *item;
    const char  *means;
} test_case_t;


static char  test_text[65536];


static void
test_reset(void)
{
    memset(&test_conf, 0, sizeof(test_conf));
    test_conf.url = TEST_URL;
    test_conf.devices = 1;
    test_conf.wipe = 1;
    test_round.variant = 0;
}


/* a page of n devices in a state */

static const char *
test_devices(unsigned n, const char *members, const char *link)
{
    size_t    len;
    unsigned  i;

    len = (size_t) snprintf(test_text, sizeof(test_text), "{\"value\":[");

    for (i = 0; i < n; i++) {
        len += (size_t) snprintf(test_text + len, sizeof(test_text) - len,
                                 "%s{\"id\":\"7f3c0a1b-1234-4abc-9def-%012u\""
                                 "%s}", i ? "," : "", i, members);
    }

    (void) snprintf(test_text + len, sizeof(test_text) - len, "]%s}", link);

    return test_text;
}


static void
test_table(void)
{
    const pki_resource_t  *r;

    test_reset();

    is_str(pki_intune.name, "intune", "name");
    is_int(pki_intune.interval, 60000, "interval");
    is_int(pki_intune.confirm, 120, "confirm");

    for (r = pki_intune.resources; r->name; r++) {
        ok((r->classes & ~pki_intune.classes) == 0
           && (r->mask & ~PKI_OBJECT_STATES) == 0
           && (r->classes == 0) == (r->mask == 0) && !r->delta && !r->clears,
           "\"%s\" in the table", r->name);
    }

    is_int(r - pki_intune.resources, 3, "three resources");
    is_int(DEVICES->mask, PKI_OBJECT_DELETED|PKI_OBJECT_REMOVED
           |PKI_OBJECT_RETIRED|PKI_OBJECT_NONCOMPLIANT|PKI_OBJECT_MISSING
           |PKI_OBJECT_UNCLEAR, "what is told about devices");
    ok(DEVICES->sweep, "what is not listed is looked up");

    ok(DEVICES->wanted(&test_conf), "devices are wanted");
    ok(!LIST->wanted(&test_conf), "certificates are not");
    test_conf.devices = 0;
    test_conf.endpoint_list = 1;
    ok(!DEVICES->wanted(&test_conf), "no devices");
    ok(LIST->wanted(&test_conf), "certificates");
}


static const test_case_t  test_cases[] = {

#define IN(state)  "{" ID ",\"managementState\":" state "}"

    { IN("\"managed\""), DEVICE },
    { IN("\"discovered\""), DEVICE },
    { IN("\"wipeCanceled\""), DEVICE },
    { IN("\"retireCanceled\""), DEVICE },
    { IN("\"retirePending\""), DEVICE " retired" },
    { IN("\"retireFailed\""), DEVICE " retired" },
    { IN("\"retireIssued\""), DEVICE " retired" },
    { IN("\"wipePending\""), DEVICE " retired" },
    { IN("\"wipeFailed\""), DEVICE " retired" },
    { IN("\"wipeIssued\""), DEVICE " retired" },
    { IN("\"deletePending\""), DEVICE " retired" },
    { IN("\"unhealthy\""), DEVICE " retired" },
    { IN("\"WipePending\""), DEVICE " retired" },
    { IN("\"WIPEPENDING\""), DEVICE " retired" },
    { IN("\"Managed\""), DEVICE },

    /* not understood: what is known is kept */

    { IN("\"unknownFutureValue\""), DEVICE " unclear; keeps retired" },
    { IN("\"brandNewState\""), DEVICE " unclear; keeps retired" },
    { IN("\"managed \""), DEVICE " unclear; keeps retired" },
    { IN("\"\""), DEVICE " unclear; keeps retired" },
    { IN("0"), DEVICE " unclear; keeps retired" },
    { IN("true"), DEVICE " unclear; keeps retired" },
    { IN("{}"), DEVICE " unclear; keeps retired" },
    { IN("\"managed\",\"managementState\":\"wipePending\""),
      DEVICE " unclear; keeps retired" },
    { IN("\"managed\\u0000\""), DEVICE " unclear; keeps retired" },

    /* not told: an old v1.0 */

    { IN("null"), DEVICE "; keeps retired" },
    { "{" ID "}", DEVICE "; keeps retired" },
    { "{" ID ",\"ManagementState\":\"wipePending\"}",
      DEVICE "; keeps retired" },

#define ENTRA(id)  "{" ID ",\"managementState\":\"managed\","               \
                   "\"azureADDeviceId\":" id "}"

    { ENTRA("\"" OBJ "\""), ALIAS },
    { ENTRA("\"6A59EA83-02BD-468D-A40B-F2C3D1821983\""), ALIAS },
    { ENTRA("\"\""), NONE },
    { ENTRA("\"" ZERO "\""), NONE },
    { ENTRA("null"), NONE },
    { ENTRA("\"x\""), DEVICE },
    { ENTRA("5"), DEVICE },
    { ENTRA("[]"), DEVICE },

#define USER(id)   "{" ID ",\"managementState\":\"managed\",\"userId\":" id "}"
#define OWNER(id)  "device/" DEV " key " DEV " owner " id ":"

    { USER("\"" OBJ "\""), OWNER("user/" OBJ) },
    { USER("\"6A59EA83-02BD-468D-A40B-F2C3D1821983\""), OWNER("user/" OBJ) },
    { USER("\"\""), OWNER("none") },
    { USER("\"" ZERO "\""), OWNER("none") },
    { USER("null"), OWNER("none") },
    { USER("\"x\""), DEVICE },
    { USER("7"), DEVICE },

    { "{\"managementState\":\"managed\",\"id\":"
      "\"7F3C0A1B-1234-4ABC-9DEF-0123456789AB\",\"x\":[[{}]]}", DEVICE },
    { "{}", "unreadable" },
    { "{\"id\":null}", "unreadable" },
    { "{\"id\":\"\"}", "unreadable" },
    { "{\"id\":\"" ZERO "\"}", "unreadable" },
    { "{\"id\":\"7f3c0a1b\"}", "unreadable" },
    { "{\"id\":1}", "unreadable" },
    { "{\"id\":\"" DEV "\",\"id\":\"" OBJ "\"}", "unreadable" }
};


static void
test_items_of(void)
{
    size_t  i;

    test_reset();

    for (i = 0; i < sizeof(test_cases) / sizeof(test_cases[0]); i++) {
        is_str(test_one_item(DEVICES, test_cases[i].item),
               test_cases[i].means, "%s", test_cases[i].item);
    }

    test_conf.wipe = 0;

    is_str(test_one_item(DEVICES, IN("\"wipePending\"")), DEVICE,
           "a wipe that does not count");
    is_str(test_one_item(DEVICES, IN("\"brandNewState\"")), DEVICE,
           "nor does a state that nobody knows");
    is_str(test_one_item(DEVICES, "{" ID "}"), DEVICE, "nor that none is");
    is_str(test_one_item(DEVICES, "{" ID ",\"complianceState\":"
                         "\"noncompliant\"}"), DEVICE,
           "nor compliance");
}


static const test_case_t  test_compliance[] = {

#define IS(state)     "\"complianceState\":" state
#define AT(time)      ",\"enrolledDateTime\":\"" time "\""
#define NONCOMPLIANT  DEVICE " noncompliant"
#define UNCLEAR       DEVICE " unclear; keeps noncompliant"

    { IS("\"compliant\""), DEVICE },
    { IS("\"Compliant\""), DEVICE },
    { IS("\"inGracePeriod\""), DEVICE },
    { IS("\"noncompliant\""), NONCOMPLIANT },
    { IS("\"conflict\""), NONCOMPLIANT },
    { IS("\"error\""), NONCOMPLIANT },
    { IS("\"unknown\""), NONCOMPLIANT },
    { IS("\"configManager\""), NONCOMPLIANT },
    { IS("null"), NONCOMPLIANT },
    { "\"x\":1", NONCOMPLIANT },
    { IS("\"unknownFutureValue\""), UNCLEAR },
    { IS("\"\""), UNCLEAR },
    { IS("1"), UNCLEAR },
    { IS("true"), UNCLEAR },
    { IS("{}"), UNCLEAR },

    /* the grace is an hour; it is 14:13:20Z */

    { IS("\"noncompliant\"") AT("2026-09-21T13:13:21Z"),
      DEVICE "; again in 1" },
    { IS("\"unknown\"") AT("2026-09-21T14:13:20.1234567Z"),
      DEVICE "; again in 3600" },
    { IS("\"unknown\"") AT("2026-09-21T13:13:20Z"), NONCOMPLIANT },
    { IS("\"compliant\"") AT("2026-09-21T14:00:00Z"), DEVICE },
    { IS("\"x\"") AT("2026-09-21T14:00:00Z"), UNCLEAR },
    { IS("\"error\"") AT("0001-01-01T00:00:00Z"), NONCOMPLIANT },
    { IS("\"error\"") AT("9999-12-31T23:59:59.9999999Z"), NONCOMPLIANT },
    { IS("\"error\"") AT("yesterday"), NONCOMPLIANT },
    { IS("\"error\",\"enrolledDateTime\":null"), NONCOMPLIANT }
};


static void
test_compliances(void)
{
    char    text[512];
    size_t  i;

    test_reset();
    test_conf.wipe = 0;
    test_conf.compliance = 1;
    test_conf.grace = 3600;

    for (i = 0; i < sizeof(test_compliance) / sizeof(test_compliance[0]);
         i++)
    {
        (void) snprintf(text, sizeof(text), "{" ID ",%s}",
                        test_compliance[i].item);

        is_str(test_one_item(DEVICES, text), test_compliance[i].means, "%s",
               test_compliance[i].item);
    }

    test_conf.wipe = 1;
    is_str(test_one_item(DEVICES, "{" ID ",\"managementState\":"
                         "\"wipeIssued\"," IS("\"error\"") "}"),
           DEVICE " retired,noncompliant", "both");
    test_conf.grace = 0;
    is_str(test_one_item(DEVICES, "{" ID ",\"managementState\":\"managed\","
                         IS("\"error\"") AT("2026-09-21T14:13:20Z") "}"),
           NONCOMPLIANT, "no grace");
}


static void
test_listing(void)
{
    const char  *managed = ",\"managementState\":\"managed\"";

    test_reset();

    is_int(test_begin(DEVICES, 1, NULL), PKI_NEXT_FETCH, "a round");
    is_str(test_url, V1, "its URL");
    is_int(test_reply(200, test_devices(3, managed, NEXT)), PKI_NEXT_FETCH,
           "a page");
    is_str(test_url, TEST_URL "/n", "its link");
    is_int(test_reply(200, test_devices(2, managed, "")), PKI_NEXT_FETCH,
           "the last");
    is_str(test_url, OVERVIEW, "how many are there?");
    is_int(test_reply(200, COUNT("5")), PKI_NEXT_DONE, "as many: complete");
    is_int(test_round.variant, 0, "v1.0 is enough");

    test_conf.page = 50;
    (void) test_begin(DEVICES, 1, NULL);
    is_str(test_url, "/v1.0/deviceManagement/managedDevices" SELECT
           "&$top=50", "smaller pages");
    test_conf.page = 5000;
    (void) test_begin(DEVICES, 1, NULL);
    is_str(test_url, V1, "greater ones are not to be had");

    (void) test_begin(DEVICES, 1, NULL);
    is_int(test_reply(400, ERROR("Directory_ExpiredPageToken", "")),
           PKI_NEXT_FULL, "an expired link");
    (void) test_begin(DEVICES, 1, NULL);
    is_int(test_reply(403, ERROR("Forbidden", "")), PKI_NEXT_FAIL,
           "no permission");
    is_str(test_said, "managed devices refused with status 403 (Forbidden): "
           "no permission, or no licence", "the sentence");
    (void) test_begin(DEVICES, 1, NULL);
    is_int(test_reply(200, "{}"), PKI_NEXT_FAIL, "no list");
    (void) test_begin(DEVICES, 1, NULL);
    is_int(test_reply(200, PAGE("", ",\"@odata.nextLink\":\"\"")),
           PKI_NEXT_FAIL, "an empty link");
    is_int(test_round.variant, 0, "none of these leads to /beta");
}


/* how many are listed, how many there are, and whether that is enough */

static const struct {
    unsigned     listed;
    int          status;
    const char  *count;
    pki_next_t   next;
    const char  *says;
} test_counts[] = {
    { 0, 200, COUNT("0"), PKI_NEXT_DONE, "" },
    { 0, 200, COUNT("2"), PKI_NEXT_DONE, "" },
    { 0, 200, COUNT("3"), PKI_NEXT_PARTIAL,
      "the listing ended after 0 of 3 managed devices" },
    { 5, 200, COUNT("7"), PKI_NEXT_DONE, "" },
    { 5, 200, COUNT("8"), PKI_NEXT_PARTIAL,
      "the listing ended after 5 of 8 managed devices" },
    { 5, 200, COUNT("4"), PKI_NEXT_DONE, "" },
    { 396, 200, COUNT("400"), PKI_NEXT_DONE, "" },
    { 395, 200, COUNT("400"), PKI_NEXT_PARTIAL,
      "the listing ended after 395 of 400 managed devices" },
    { 5, 200, COUNT("9223372036854775807"), PKI_NEXT_PARTIAL,
      "the listing ended after 5 of 9223372036854775807 managed devices" },
    { 5, 200, COUNT("\"5\""), PKI_NEXT_PARTIAL,
      "Graph does not tell the number of managed devices" },
    { 5, 200, COUNT("-1"), PKI_NEXT_PARTIAL,
      "Graph does not tell the number of managed devices" },
    { 5, 200, COUNT("null"), PKI_NEXT_PARTIAL,
      "Graph does not tell the number of managed devices" },
    { 5, 200, COUNT("5.0"), PKI_NEXT_PARTIAL,
      "Graph does not tell the number of managed devices" },
    { 5, 200, "{}", PKI_NEXT_PARTIAL,
      "Graph does not tell the number of managed devices" },
    { 5, 404, ERROR("ResourceNotFound", ""), PKI_NEXT_PARTIAL,
      "the number of managed devices refused with status 404 "
      "(ResourceNotFound)" },
    { 5, 403, NULL, PKI_NEXT_PARTIAL,
      "the number of managed devices refused with status 403: no "
      "permission, or no licence" },
    { 5, 410, NULL, PKI_NEXT_PARTIAL,
      "the number of managed devices refused with status 410" }
};


static void
test_complete(void)
{
    size_t  i;

    test_reset();

    for (i = 0; i < sizeof(test_counts) / sizeof(test_counts[0]); i++) {
        (void) test_begin(DEVICES, 1, NULL);
        (void) test_reply(200, test_devices(test_counts[i].listed,
                                      ",\"managementState\":\"managed\"",
                                      ""));
        is_int(test_reply(test_counts[i].status, test_counts[i].count),
               test_counts[i].next, "%u listed, %s", test_counts[i].listed,
               test_counts[i].count ? test_counts[i].count : "no JSON");
        is_str(test_said, test_counts[i].says, "the sentence");
    }

    /* rows that cannot be read are rows */

    (void) test_begin(DEVICES, 1, NULL);
    (void) test_reply(200, PAGE("{},{},{}," "{" ID ",\"managementState\":"
                                "\"managed\"}", ""));
    is_int(test_unreadable, 3, "three rows cannot be read");
    is_int(test_reply(200, COUNT("6")), PKI_NEXT_DONE, "but were listed");
}


/* v1.0 without managementState: /beta is asked, and if that does not help */

static void
test_beta(void)
{
    const char  *managed = ",\"managementState\":\"managed\"";

    test_reset();

    (void) test_begin(DEVICES, 1, NULL);
    is_int(test_reply(200, test_devices(3, "", NEXT)), PKI_NEXT_FETCH,
           "no management state");
    is_str(test_url, BETA, "/beta may have it");
    is_int(test_reply(200, test_devices(3, managed, "")), PKI_NEXT_FETCH,
           "it has");
    is_str(test_url, OVERVIEW, "goes on");
    is_int(test_reply(200, COUNT("3")), PKI_NEXT_DONE,
           "only the listing of /beta is counted");

    (void) test_begin(DEVICES, 1, NULL);
    is_str(test_url, BETA, "the next round begins there");
    is_str(test_lookup(DEVICES, test_round.variant, "device/" DEV),
           "/beta/deviceManagement/managedDevices/" DEV SELECT,
           "and lookups go there");

    is_int(test_reply(200, test_devices(3, ",\"managementState\":null", "")),
           PKI_NEXT_FETCH, "it has none any more");
    is_str(test_url, V1, "then v1.0 is good enough");
    is_int(test_reply(200, test_devices(3, "", "")), PKI_NEXT_FETCH,
           "without the state");
    is_str(test_url, OVERVIEW, "it goes on");
    is_int(test_reply(200, COUNT("3")), PKI_NEXT_DONE, "to the end");

    test_round.variant = 1;
    (void) test_begin(DEVICES, 1, NULL);
    is_int(test_reply(404, ERROR("ResourceNotFound", "")), PKI_NEXT_FETCH,
           "no /beta");
    is_str(test_url, V1, "then v1.0");
    is_int(test_reply(404, ERROR("ResourceNotFound", "")), PKI_NEXT_FAIL,
           "which is not there either");

    test_round.variant = 0;
    (void) test_begin(DEVICES, 1, NULL);
    (void) test_reply(200, PAGE("", NEXT));
    is_str(test_url, TEST_URL "/n", "an empty page tells nothing");
    (void) test_reply(200, test_devices(3, "", NEXT));
    is_str(test_url, TEST_URL "/n", "and only the first page is asked");

    (void) test_begin(DEVICES, 1, NULL);
    (void) test_reply(200, PAGE("{" ID "},{" ID ",\"managementState\":"
                                "\"new\"}", NEXT));
    is_str(test_url, TEST_URL "/n", "a state that nobody knows is one");

    test_conf.wipe = 0;
    (void) test_begin(DEVICES, 1, NULL);
    (void) test_reply(200, test_devices(3, "", ""));
    is_str(test_url, OVERVIEW, "the state is not wanted");
    is_int(test_round.variant, 0, "v1.0 is enough");
}


static void
test_lookups(void)
{
    size_t  len;

    test_reset();

    is_str(test_lookup(DEVICES, 0, "device/" DEV),
           "/v1.0/deviceManagement/managedDevices/" DEV SELECT, "a device");
    is_str(test_lookup(DEVICES, 2, "device/" DEV),
           "/v1.0/deviceManagement/managedDevices/" DEV SELECT,
           "without its state");
    is_str(test_lookup(DEVICES, 0, "user/" DEV), "none", "not a user");
    is_str(test_lookup(DEVICES, 0, "device/" DEV "?"), "none", "not a GUID");

    len = strlen(test_lookup(DEVICES, 0, "device/" DEV));
    is_int(DEVICES->lookup(&test_conf, 0, "device/" DEV, NULL, test_url, len),
           PKI_INVALID, "no room");
    is_int(DEVICES->lookup(&test_conf, 0, "device/" DEV, NULL, test_url,
                           len + 1), PKI_OK, "just enough");

    is_str(test_one_object(DEVICES, "{\"@odata.context\":\"c\"," ID
                           ",\"azureADDeviceId\":\"" OBJ "\","
                           "\"managementState\":\"wipeIssued\"}"),
           ALIAS " retired", "a device");
    is_str(test_one_object(DEVICES, "{\"value\":[{" ID "}]}"), "unreadable",
           "a list is no device");

    ok(test_absent(DEVICES, 404, ERROR("ResourceNotFound", "")), "not there");
    ok(test_absent(DEVICES, 404, ERROR("NotFound", "")), "in other words");
    ok(!test_absent(DEVICES, 400, ERROR("ResourceNotFound", "")),
       "400 says nothing");
    ok(!test_absent(DEVICES, 404, "{\"error\":{\"code\":\"\"}}"),
       "an empty code says nothing");
    ok(!test_absent(DEVICES, 404, "{\"error\":\"x\"}"),
       "a text instead of an error says nothing");
    ok(!test_absent(DEVICES, 404, "<html>"), "HTML says nothing");
}


static const test_case_t  test_certificates[] = {

#define CERT(status, serial)                                                \
    "{\"certificateRevokeStatus\":" status ",\"certificateSerialNumber\":"  \
    serial ",\"certificateIssuerName\":\"CN=CA\"}"

    { CERT("\"revoked\"", "\"01AB\""), "01AB of CN=CA" },
    { CERT("\"Revoked\"", "\"1ab\""), "01AB of CN=CA" },
    { CERT("\"revoked\"", "\"00:01:ab\""), "01AB of CN=CA" },
    { CERT("\"revoked\"", "\" 00 01 ab \""), "01AB of CN=CA" },
    { CERT("\"revoked\"", "\"54:00:00:00:00:00:00:00:00:00:00:00:00:00:00:"
           "00:00:00:00:01\""),
      "5400000000000000000000000000000000000001 of CN=CA" },
    { "{\"certificateRevokeStatus\":\"revoked\",\"certificateSerialNumber\":"
      "\"7\"}", "07" },
    { "{\"certificateRevokeStatus\":\"revoked\",\"certificateSerialNumber\":"
      "\"7\",\"certificateIssuerName\":null}", "07" },
    { "{\"certificateRevokeStatus\":\"revoked\",\"certificateSerialNumber\":"
      "\"7\",\"certificateIssuerName\":\"\"}", "07" },

    { CERT("\"none\"", "\"1\""), "01 is none, of CN=CA, for -" },
    { CERT("\"Pending\"", "\"1\""), "01 is Pending, of CN=CA, for -" },
    { "{\"certificateRevokeStatus\":\"issued\",\"certificateSerialNumber\":"
      "\"7\",\"userPrincipalName\":\"x@y\",\"certificateSubjectName\":5}",
      "07 is issued, of -, for x@y" },
    { CERT("\"failed\"", "\"-\""), "nothing" },
    { CERT("\"brandNewState\"", "\"1\""), "unreadable" },
    { CERT("null", "\"1\""), "unreadable" },
    { CERT("4", "\"1\""), "unreadable" },
    { "{\"certificateSerialNumber\":\"1\"}", "unreadable" },

    { CERT("\"revoked\"", "\"\""), "unreadable" },
    { CERT("\"revoked\"", "\" \""), "unreadable" },
    { CERT("\"revoked\"", "\"0\""), "unreadable" },
    { CERT("\"revoked\"", "\"-1A\""), "unreadable" },
    { CERT("\"revoked\"", "\"0x1A\""), "unreadable" },
    { CERT("\"revoked\"", "\"1G\""), "unreadable" },
    { CERT("\"revoked\"", "\"1::2\""), "unreadable" },
    { CERT("\"revoked\"", "null"), "unreadable" },
    { CERT("\"revoked\"", "17"), "unreadable" },
    { CERT("\"revoked\"", "{}"), "unreadable" },
    { CERT("\"revoked\"", "\"014000000000000000000000000000000000000001\""),
      "unreadable" },
    { CERT("\"revoked\"", "\"000000000000000000000000000000000000000000000000"
           "0000000000000000000000000000000000000000000000000000000000000001"
           "\""), "unreadable" },
    { "{}", "unreadable" }
};


static void
test_endpoint_list(void)
{
    size_t  i;

    test_reset();

    for (i = 0; i < sizeof(test_certificates) / sizeof(test_certificates[0]);
         i++)
    {
        is_str(test_one_item(LIST, test_certificates[i].item),
               test_certificates[i].means, "%s", test_certificates[i].item);
    }

    is_int(test_begin(LIST, 1, NULL), PKI_NEXT_FETCH, "a round");
    is_str(test_url, "/beta/deviceManagement/deviceConfigurationsAllManaged"
           "DeviceCertificateStates?$select=certificateRevokeStatus,"
           "certificateSerialNumber,certificateIssuerName,"
           "certificateRevokeStatusLastChangeDateTime,"
           "certificateIssuanceDateTime,certificateExpirationDateTime,"
           "certificateThumbprint,certificateSubjectName,"
           "managedDeviceDisplayName,userPrincipalName", "its URL");
    is_int(test_reply(200, PAGE("", NEXT)), PKI_NEXT_FETCH, "a page");
    is_str(test_url, TEST_URL "/n", "its link");
    is_int(test_reply(200, PAGE("", "")), PKI_NEXT_DONE, "the end");

    (void) test_begin(LIST, 1, NULL);
    is_int(test_reply(403, ERROR("Forbidden", "")), PKI_NEXT_FAIL,
           "no permission");
    is_str(test_said, "certificate states refused with status 403 (Forbidden)"
           ": no permission, or no licence", "the sentence");
}


int
main(void)
{
    test_table();
    test_items_of();
    test_compliances();
    test_listing();
    test_complete();
    test_beta();
    test_lookups();
    test_endpoint_list();

    return test_done();
}

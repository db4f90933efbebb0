
/*
 * pki_entra_risk.c: which users are risky, and when a listing has an end.
 */

#include "pki_test_graph.h"


#define RISK  (&pki_entra.resources[2])

#define URL(top)                                                            \
    "/v1.0/identityProtection/riskyUsers?$filter=riskState%20eq%20"         \
    "%27atRisk%27%20or%20riskState%20eq%20%27confirmedCompromised%27"       \
    "&$select=id,riskState,riskLevel,isProcessing&$top=" top

#define PAGE(link)  "{\"value\":[]" link "}"
#define NEXT        ",\"@odata.nextLink\":\"" TEST_URL "/n\""
#define CUT         "{\"error\":{\"code\":\"BadRequest\",\"message\":\"\"}}"


typedef struct {
    unsigned     risk;
    const char  *item;
    const char  *means;
} test_case_t;


#define ID      "\"id\":\"" OBJ "\""
#define USER    "user/" OBJ " key " OBJ ":"
#define RISKY   USER " risky"
#define KEPT    USER "; keeps risky"
#define ALL     (PKI_RISK_LOW|PKI_RISK_MEDIUM|PKI_RISK_HIGH)
#define RISE    ",\"riskState\":\"atRisk\",\"riskLevel\":"
#define SURE    ",\"riskState\":\"confirmedCompromised\",\"riskLevel\":"

static const test_case_t  test_cases[] = {

    { PKI_RISK_LOW, ID RISE "\"low\"", RISKY },
    { PKI_RISK_MEDIUM, ID RISE "\"medium\"", RISKY },
    { PKI_RISK_HIGH, ID RISE "\"high\"", RISKY },
    { PKI_RISK_HIGH, ID RISE "\"HIGH\"", RISKY },
    { ALL, ID RISE "\"low\"", RISKY },
    { PKI_RISK_MEDIUM|PKI_RISK_HIGH, ID RISE "\"low\"", "nothing" },
    { PKI_RISK_LOW|PKI_RISK_HIGH, ID RISE "\"medium\"", "nothing" },
    { PKI_RISK_LOW, ID RISE "\"high\"", "nothing" },
    { ALL, ID RISE "\"none\"", "nothing" },

    /* a level that is not known may be any */

    { PKI_RISK_HIGH, ID RISE "\"hidden\"", RISKY },
    { PKI_RISK_HIGH, ID RISE "\"unknownFutureValue\"", RISKY },
    { PKI_RISK_LOW, ID RISE "\"brandNewLevel\"", RISKY },
    { PKI_RISK_HIGH, ID RISE "null", RISKY },
    { PKI_RISK_HIGH, ID RISE "3", RISKY },
    { PKI_RISK_HIGH, ID ",\"riskState\":\"atRisk\"", RISKY },

    { PKI_RISK_HIGH, ID SURE "\"high\"", RISKY },
    { PKI_RISK_HIGH, ID SURE "\"low\"", "nothing" },
    { PKI_RISK_HIGH, ID SURE "\"none\"", RISKY },
    { PKI_RISK_HIGH, ID SURE "\"hidden\"", RISKY },
    { PKI_RISK_HIGH, ID SURE "\"high\",\"isDeleted\":true", RISKY },

    /* states that the filter leaves out, when Graph ignores it */

    { ALL, ID ",\"riskState\":\"none\",\"riskLevel\":\"high\"", "nothing" },
    { ALL, ID ",\"riskState\":\"remediated\",\"riskLevel\":\"high\"",
      "nothing" },
    { ALL, ID ",\"riskState\":\"Dismissed\",\"riskLevel\":\"high\"",
      "nothing" },
    { ALL, ID ",\"riskState\":\"confirmedSafe\",\"riskLevel\":\"high\"",
      "nothing" },

    /* nobody knows: neither better nor worse */

    { ALL, ID ",\"riskState\":\"unknownFutureValue\",\"riskLevel\":\"high\"",
      KEPT },
    { ALL, ID ",\"riskState\":\"\",\"riskLevel\":\"high\"", KEPT },
    { ALL, ID ",\"riskState\":null,\"riskLevel\":\"high\"", KEPT },
    { ALL, ID ",\"riskState\":{},\"riskLevel\":\"high\"", KEPT },
    { ALL, ID ",\"riskLevel\":\"high\"", KEPT },
    { ALL, ID RISE "\"high\",\"isProcessing\":true", KEPT },
    { ALL, ID RISE "\"low\",\"isProcessing\":true", KEPT },
    { ALL, ID RISE "\"high\",\"isProcessing\":false", RISKY },
    { ALL, ID RISE "\"high\",\"isProcessing\":\"true\"", RISKY },

    { ALL, "\"riskState\":\"atRisk\",\"riskLevel\":\"high\"", "unreadable" },
    { ALL, "\"id\":\"a@b.c\"" RISE "\"high\"", "unreadable" },
    { ALL, "\"id\":null" RISE "\"high\"", "unreadable" }
};


static void
test_items_of(void)
{
    char    text[512];
    size_t  i;

    for (i = 0; i < sizeof(test_cases) / sizeof(test_cases[0]); i++) {

        test_conf.risk = test_cases[i].risk;
        (void) snprintf(text, sizeof(text), "{%s}", test_cases[i].item);

        is_str(test_one_item(RISK, text), test_cases[i].means, "%u: %s",
               test_cases[i].risk, test_cases[i].item);
    }
}


static void
test_wanted(void)
{
    test_conf.url = TEST_URL;

    ok(!RISK->wanted(&test_conf), "not without users");
    test_conf.users = 1;
    ok(!RISK->wanted(&test_conf), "nor without a level");
    test_conf.risk = PKI_RISK_LOW;
    ok(RISK->wanted(&test_conf), "wanted");
    ok(RISK->interval >= 2000, "one request a second is all that Graph has");
    ok(RISK->clears && !RISK->delta && !RISK->sweep && RISK->lookup == NULL,
       "what is not listed is not risky");
    is_int(RISK->mask, PKI_OBJECT_RISKY, "nothing else is told");
}


static void
test_listing(void)
{
    test_round.variant = 0;
    test_conf.page = 0;

    is_int(test_begin(RISK, 1, NULL), PKI_NEXT_FETCH, "a round");
    is_str(test_url, URL("500"), "its URL");
    is_int(test_reply(200, PAGE(NEXT)), PKI_NEXT_FETCH, "a page");
    is_str(test_url, TEST_URL "/n", "its link");
    is_int(test_reply(200, PAGE("")), PKI_NEXT_DONE, "the end");

    (void) test_begin(RISK, 1, NULL);
    is_int(test_reply(403, ERROR("Forbidden", "")), PKI_NEXT_FAIL,
           "no licence");
    is_str(test_said, "risky users refused with status 403 (Forbidden): no "
           "permission, or no licence", "the sentence");

    (void) test_begin(RISK, 1, NULL);
    is_int(test_reply(404, NULL), PKI_NEXT_FAIL,
           "a cloud without risky users");

    (void) test_begin(RISK, 1, NULL);
    is_int(test_reply(400, CUT), PKI_NEXT_FAIL,
           "400 without a message on the first page is a failure");

    (void) test_begin(RISK, 1, NULL);
    (void) test_reply(200, PAGE(NEXT));
    is_int(test_reply(400, ERROR("BadRequest", "")), PKI_NEXT_FAIL,
           "so is one with a message");

    (void) test_begin(RISK, 1, NULL);
    (void) test_reply(200, PAGE(NEXT));
    is_int(test_reply(400, NULL), PKI_NEXT_FAIL, "and one without JSON");
}


/* the last link is broken when the pages are all full */

static void
test_cut(void)
{
    test_round.variant = 0;
    test_conf.page = 0;

    (void) test_begin(RISK, 1, NULL);
    (void) test_reply(200, PAGE(NEXT));
    is_int(test_reply(400, CUT), PKI_NEXT_FETCH, "once more");
    is_str(test_url, URL("499"), "with pages of another size");
    is_int(test_reply(400, CUT), PKI_NEXT_FAIL,
           "its first page is a first page");

    test_round.variant = 0;
    (void) test_begin(RISK, 1, NULL);
    (void) test_reply(200, PAGE(NEXT));
    (void) test_reply(400, "{\"error\":{\"message\":null}}");
    is_int(test_reply(200, PAGE("")), PKI_NEXT_DONE, "which come to an end");

    (void) test_begin(RISK, 1, NULL);
    is_str(test_url, URL("499"), "and are the next round's too");
    (void) test_reply(200, PAGE(NEXT));
    is_int(test_reply(400, "{}"), PKI_NEXT_FETCH, "until they do not fit");
    is_str(test_url, URL("500"), "any more");
    (void) test_reply(200, PAGE(NEXT));
    is_int(test_reply(400, CUT), PKI_NEXT_PARTIAL,
           "twice in a round is no end");
    is_str(test_said, "the last page of risky users is missing",
           "the sentence");

    test_round.variant = 1;
    test_conf.page = 1;
    (void) test_begin(RISK, 1, NULL);
    is_str(test_url, URL("2"), "pages of one have no smaller size");
}


int
main(void)
{
    test_wanted();
    test_items_of();
    test_listing();
    test_cut();

    return test_done();
}


/*
 * pki_graph.c: what both dialects of Graph rely on, at its limits; the rest
 * is in their tests.
 */

#include "pki_test_graph.h"


#define GRACE(time)                                                         \
    (test_string(time), pki_graph_grace(&test_conf, &test_value, TEST_NOW))


static pki_value_t  test_value;

static const pki_resource_t  test_resource = { .name = "things" };

static const pki_page_shape_t  test_list = { "value", NULL, pki_graph_top };


static const pki_value_t *
test_string(const char *s)
{
    test_value.type = PKI_VALUE_STRING;
    test_value.string = s;
    test_value.len = strlen(s);

    return &test_value;
}


static void
test_values(void)
{
    ok(pki_graph_is(test_string("Managed"), "managed"), "any case");
    ok(!pki_graph_is(test_string("managed "), "managed"), "no blank");
    ok(!pki_graph_is(test_string(""), "managed"), "not empty");

    ok(pki_graph_none(test_string("")), "empty is none");
    ok(pki_graph_none(test_string(ZERO)), "zeros are none");
    ok(!pki_graph_none(test_string(OBJ)), "a GUID is one");

    test_value.type = PKI_VALUE_NULL;
    ok(!pki_graph_none(&test_value), "null is another matter");
    ok(!pki_graph_is(&test_value, ""), "and no text");

    is_str(pki_graph_guid("user/" OBJ, "user"), OBJ, "a GUID of an id");
    ok(pki_graph_guid("users/" OBJ, "user") == NULL, "of another class");
    ok(pki_graph_guid("user/" OBJ "0", "user") == NULL, "too long");
    ok(pki_graph_guid("user/", "user") == NULL, "none");
    ok(pki_graph_guid("user", "user") == NULL, "no slash");
    ok(pki_graph_guid("user/6a59ea83+02bd-468d-a40b-f2c3d1821983", "user")
       == NULL, "another form");
    ok(pki_graph_guid("", "user") == NULL, "an empty id");

    is_int(pki_graph_page(&test_conf, 999), 999, "the limit");
    test_conf.page = 999;
    is_int(pki_graph_page(&test_conf, 999), 999, "the limit, asked for");
    test_conf.page = 1000;
    is_int(pki_graph_page(&test_conf, 999), 999, "more");
    test_conf.page = 1;
    is_int(pki_graph_page(&test_conf, 999), 1, "less");
}


static void
test_grace(void)
{
    test_conf.grace = 1;

    is_int(GRACE("2026-09-21T14:13:20Z"), TEST_NOW + 1, "a second is left");
    is_int(GRACE("2026-09-21T14:13:19Z"), 0, "none is");
    is_int(GRACE("2026-09-21T14:18:20Z"), TEST_NOW + 301,
           "Graph's clock is ahead");
    is_int(GRACE("2026-09-21T14:18:21Z"), 0, "but not by so much");

    test_conf.grace = 0;
    is_int(GRACE("2026-09-21T14:18:20Z"), 0, "no grace");
    test_conf.grace = -1;
    is_int(GRACE("2026-09-21T14:18:20Z"), 0, "a negative one");

    test_conf.grace = 3600;
    is_int(GRACE("0001-01-01T00:00:00Z"), 0, "not known");
    is_int(GRACE("2026-09-21"), 0, "no time");
    test_value.type = PKI_VALUE_NULL;
    is_int(pki_graph_grace(&test_conf, &test_value, TEST_NOW), 0, "null");
}


/* a whole reply of a status, to a listing of "things" */

static pki_next_t
test_listed(int status, const char *text)
{
    test_shape = &test_list;
    test_receive(status, text);

    return pki_graph_listed(&test_round, &test_list, "things");
}


static void
test_replies(void)
{
    char  text[256];

    test_round.conf = &test_conf;
    test_round.resource = &test_resource;

    is_int(test_listed(200, "{\"value\":[]}"), PKI_NEXT_DONE, "200");
    is_int(test_listed(299, "{\"value\":[]}"), PKI_NEXT_DONE, "299");
    is_int(test_listed(300, "{\"value\":[]}"), PKI_NEXT_FAIL, "300");
    is_int(test_listed(199, "{\"value\":[]}"), PKI_NEXT_FAIL, "199");

    is_int(test_listed(499, ERROR("resyncRequired", "")), PKI_NEXT_FULL,
           "499 and an expired state");
    is_int(test_listed(500, ERROR("resyncRequired", "")), PKI_NEXT_FAIL,
           "500 is no answer");
    is_int(test_listed(399, ERROR("resyncRequired", "")), PKI_NEXT_FAIL,
           "nor is 399");
    is_int(test_listed(400, ERROR("resyncRequire", "")), PKI_NEXT_FAIL,
           "part of a code");
    is_int(test_listed(400, ERROR("x", ",\"innerError\":"
                                  "\"resyncRequired\"")), PKI_NEXT_FAIL,
           "an inner error that is none");
    is_int(test_listed(400, "{\"code\":\"resyncRequired\"}"), PKI_NEXT_FAIL,
           "a code that is no error's");

    (void) snprintf(text, sizeof(text), "{\"error\":{\"code\":\"%064d\"}}", 0);
    (void) test_listed(400, text);
    is_int(strlen(test_said), sizeof("things refused with status 400 ()") - 1
           + 64, "a long code is told");
    (void) snprintf(text, sizeof(text), "{\"error\":{\"code\":\"%065d\"}}", 0);
    (void) test_listed(400, text);
    is_str(test_said, "things refused with status 400", "a longer one is not");
}


int
main(void)
{
    test_values();
    test_grace();
    test_replies();

    return test_done();
}

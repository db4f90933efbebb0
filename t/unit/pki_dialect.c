
/*
 * Dialects by name, the resources that speak of an object, and the readers
 * of ids that all dialects share.
 */

#include "pki_test.h"
#include "pki_dialect.h"


#define GUID  "7f3c9a10-0000-4abc-8def-0123456789ab"


static pki_value_t
test_string(const char *text)
{
    pki_value_t  value;

    memset(&value, 0, sizeof(value));
    value.type = PKI_VALUE_STRING;
    value.string = text;
    value.len = strlen(text);

    return value;
}


static pki_value_t
test_value(pki_value_type_t type, long long n)
{
    pki_value_t  value;

    memset(&value, 0, sizeof(value));
    value.type = type;
    value.integer = n;

    return value;
}


static int
test_yes(const pki_directory_conf_t *conf)
{
    return conf->users;
}


static void
test_find(void)
{
    unsigned  i;

    static const char  *const names[] = {
        "entra", "intune", "jamf", "scim", "push"
    };

    for (i = 0; i < 5; i++) {
        ok(pki_dialect_find(names[i]) != NULL
           && strcmp(pki_dialect_find(names[i])->name, names[i]) == 0,
           "\"%s\" is known", names[i]);
    }

    ok(pki_dialect_find("Entra") == NULL, "in this case only");
    ok(pki_dialect_find("") == NULL, "the empty name is none");
}


static void
test_resources(void)
{
    const char            *names[PKI_STORE_RESOURCES];
    pki_dialect_t          dialect;
    pki_resource_t         resources[5];
    pki_directory_conf_t   conf;

    memset(&conf, 0, sizeof(conf));
    memset(&dialect, 0, sizeof(dialect));
    memset(resources, 0, sizeof(resources));

    conf.dialect = &dialect;

    is_int(pki_dialect_resources(&conf, PKI_OBJECT_DEVICE, names), 0,
           "nobody polls it, and of devices it does not know");
    ok(names[0] == NULL, "none");

    conf.classes = 1u << PKI_OBJECT_DEVICE;
    is_int(pki_dialect_resources(&conf, PKI_OBJECT_DEVICE, names), 1,
           "nobody polls it");
    is_str(names[0], "push", "so it is pushed");
    ok(names[1] == NULL, "by one");

    dialect.resources = resources;
    resources[0].name = "devices";
    resources[0].classes = 1u << PKI_OBJECT_DEVICE;
    resources[1].name = "users";
    resources[1].classes = 1u << PKI_OBJECT_USER;
    resources[1].wanted = test_yes;
    resources[2].name = "risk";
    resources[2].classes = 1u << PKI_OBJECT_USER;
    resources[3].name = "more";
    resources[3].classes = 1u << PKI_OBJECT_USER;

    is_int(pki_dialect_resources(&conf, PKI_OBJECT_DEVICE, names), 1, "one");
    is_str(names[0], "devices", "by its class");
    ok(names[1] == NULL, "one only");

    is_int(pki_dialect_resources(&conf, PKI_OBJECT_USER, names), 2,
           "the configuration does not want the first");
    is_str(names[0], "risk", "the second");
    is_str(names[1], "more", "the third");

    conf.users = 1;
    is_int(pki_dialect_resources(&conf, PKI_OBJECT_USER, names), 2,
           "no more than fit");
    is_str(names[0], "users", "the first");
    is_str(names[1], "risk", "the second");

    is_int(pki_dialect_resources(&conf, PKI_OBJECT_JAMF_USER, names), 0,
           "none");
    ok(names[0] == NULL, "none");
}


static void
test_unwanted(void)
{
    pki_directory_conf_t  conf;

    memset(&conf, 0, sizeof(conf));

    conf.dialect = &pki_entra;
    conf.devices = 1;
    conf.users = 1;

    is_int(pki_dialect_unwanted(&conf, PKI_OBJECT_USER), PKI_OBJECT_RISKY,
           "nobody tells of a risk any more");
    is_int(pki_dialect_unwanted(&conf, PKI_OBJECT_DEVICE), 0,
           "of devices all is told");

    conf.risk = PKI_RISK_LOW;
    is_int(pki_dialect_unwanted(&conf, PKI_OBJECT_USER), 0, "it is told");

    conf.dialect = &pki_push;
    conf.risk = 0;
    is_int(pki_dialect_unwanted(&conf, PKI_OBJECT_USER), 0,
           "all may be pushed");
}


static void
test_guids(void)
{
    char         id[PKI_OBJECT_ID_SIZE];
    size_t       i;
    pki_value_t  value;

    static const char  *const bad[] = {
        "", "7f3c", GUID "0", "{" GUID "}",
        "7f3c9a10-0000-4abc-8def-0123456789ag",
        " 7f3c9a10-0000-4abc-8def-0123456789a"
    };

    value = test_string("7F3C9A10-0000-4ABC-8DEF-0123456789AB");
    is_int(pki_item_guid(id, "device", &value), PKI_OK, "a GUID");
    is_str(id, "device/" GUID, "in lower case");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        value = test_string(bad[i]);
        is_int(pki_item_guid(id, "device", &value), PKI_INVALID, "\"%s\"",
               bad[i]);
    }

    for (i = PKI_VALUE_ABSENT; i <= PKI_VALUE_OTHER; i++) {
        if (i != PKI_VALUE_STRING) {
            value = test_value((pki_value_type_t) i, 7);
            is_int(pki_item_guid(id, "device", &value), PKI_INVALID,
                   "type %d", (int) i);
        }
    }

    value = test_string(GUID);
    is_int(pki_item_guid(id, "a-class-too-long", &value), PKI_INVALID,
           "no room");
}


static void
test_numbers(void)
{
    char         id[PKI_OBJECT_ID_SIZE];
    size_t       i;
    pki_value_t  value;

    static const struct {
        const char  *text, *id;
    } good[] = {
        { "7", "jamf-computer/7" },
        { "0", "jamf-computer/0" },
        { "007", "jamf-computer/7" },
        { "000", "jamf-computer/0" },
        { "18446744073709551615", "jamf-computer/18446744073709551615" },
        { "000000000000000000000000000000000000000000001", "jamf-computer/1" }
    };

    static const char  *const bad[] = {
        "", "-1", "+1", " 1", "1 ", "1.0", "0x1", "18446744073709551616",
        "99999999999999999999999"
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        value = test_string(good[i].text);
        is_int(pki_item_number(id, "jamf-computer", &value), PKI_OK, "\"%s\"",
               good[i].text);
        is_str(id, good[i].id, "is \"%s\"", good[i].id);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        value = test_string(bad[i]);
        is_int(pki_item_number(id, "jamf-computer", &value), PKI_INVALID,
               "\"%s\"", bad[i]);
    }

    value = test_value(PKI_VALUE_INTEGER, 9223372036854775807LL);
    is_int(pki_item_number(id, "jamf-user", &value), PKI_OK, "an integer");
    is_str(id, "jamf-user/9223372036854775807", "the largest");
    value = test_value(PKI_VALUE_INTEGER, 0);
    is_int(pki_item_number(id, "jamf-user", &value), PKI_OK, "zero");
    is_str(id, "jamf-user/0", "one digit");
    value = test_value(PKI_VALUE_INTEGER, -1);
    is_int(pki_item_number(id, "jamf-user", &value), PKI_INVALID, "negative");
    value = test_value(PKI_VALUE_BOOLEAN, 1);
    is_int(pki_item_number(id, "jamf-user", &value), PKI_INVALID, "boolean");
}


static void
test_escape(void)
{
    char    dst[32], *room;
    size_t  i;

    is_int(pki_item_escape(dst, sizeof(dst), "aZ0-._~/ #?\x7f\xc3"), PKI_OK,
           "escaped");
    is_str(dst, "aZ0-._~%2F%20%23%3F%7F%C3", "all but the unreserved");
    is_int(pki_item_escape(dst, sizeof(dst), ""), PKI_OK, "nothing");
    is_str(dst, "", "is empty");
    is_int(pki_item_escape(dst, sizeof(dst), "."), PKI_INVALID, "a dot");
    is_int(pki_item_escape(dst, sizeof(dst), ".."), PKI_INVALID, "two");
    is_int(pki_item_escape(dst, sizeof(dst), "..."), PKI_OK, "three are fine");

    /* exactly as much room as it needs; ASan looks */

    for (i = 0; i <= 5; i++) {
        room = malloc(i ? i : 1);
        is_int(pki_item_escape(room, i, "a/"), i == 5 ? PKI_OK : PKI_INVALID,
               "room for %d", (int) i);
        free(room);
    }
}


int
main(void)
{
    test_find();
    test_resources();
    test_unwanted();
    test_guids();
    test_numbers();
    test_escape();

    return pki_test_done();
}

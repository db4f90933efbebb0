
/*
 * From a serial number to what is asked, and back to facts.
 */

#include "pki_test.h"
#include "pki_question.h"


static pki_issuer_t          test_ca;
static pki_directory_conf_t  test_confs[2];
static pki_view_t            test_view;
static pki_serial_keys_t     test_keys;


static pki_serial_t
test_make(pki_kind_t kind, int sealed)
{
    pki_serial_t   serial;
    pki_binding_t  binding;

    memset(&binding, 0, sizeof(binding));
    binding.kind = kind;
    binding.payload[0] = 7;
    binding.payload[8] = 9;

    if (sealed) {
        (void) pki_serial_make_sealed(&binding, (const unsigned char *) "ab",
                                      &test_keys, &serial);

    } else {
        pki_serial_make_plain(&binding, (const unsigned char *) "abc",
                              &serial);
    }

    return serial;
}


static void
test_views(void)
{
    test_ca.self_issued = 1;
    test_ca.serial.len = 2;
    test_ca.serial.data[0] = 5;

    test_keys.current = 3;
    test_keys.epochs[3].len = 16;

    test_confs[0].name = "pushed";
    test_confs[0].dialect = &pki_push;
    test_confs[0].classes = 1 << PKI_OBJECT_DEVICE
                            | 1 << PKI_OBJECT_JAMF_USER;
    test_confs[1].name = "entra";
    test_confs[1].dialect = &pki_entra;
    test_confs[1].devices = 1;
    test_confs[1].users = 1;

    test_view.name = "corp";
    test_view.ca = &test_ca;
    test_view.keys = &test_keys;
    test_view.n = 2;
    test_view.directories[0].conf = &test_confs[0];
    test_view.directories[0].name = "pushed";
    test_view.directories[0].max_age = 5;
    test_view.directories[1].conf = &test_confs[1];
    test_view.directories[1].name = "entra";
    test_view.directories[1].last = 1;
}


static void
test_objects(void)
{
    pki_serial_t    serial;
    pki_question_t  q;

    memset(&q, 0x5a, sizeof(q));
    serial = test_make(PKI_KIND_DEVICE, 0);
    is_int(pki_question(&test_view, &serial, &q), PKI_OK, "a device");
    is_int(q.bound, 1, "bound");
    is_int(q.issued, 1, "as it is issued");
    is_int(q.own, 0, "not the CA's own");
    is_str(q.store.issuer, "corp", "the issuer");
    is_int(q.store.nobjects, 2, "two directories know devices");
    is_str(q.store.objects[0].directory, "pushed", "the first");
    is_str(q.store.objects[0].id,
           "device/00000007-0000-0000-0900-000000000000", "its id there");
    is_str(q.store.objects[0].resources[0], "push", "told by a push");
    is_int(q.store.objects[0].max_age, 5, "its age");
    is_str(q.store.objects[1].directory, "entra", "the second");
    is_int(q.store.objects[1].last, 1, "the last facts count");
    is_int(q.store.objects[0].group == q.store.objects[1].group
           && q.store.objects[0].group != 0, 1, "the same device");
    is_int(q.from[1], 1, "the index of the directory");

    serial = test_make(PKI_KIND_USER, 0);
    (void) pki_question(&test_view, &serial, &q);
    is_int(q.store.nobjects, 1, "one knows users");
    is_str(q.store.objects[0].directory, "entra", "the second");
    is_int(q.from[0], 1, "its index");
    is_int(q.store.objects[0].group, 0, "users stand alone");

    serial = test_make(PKI_KIND_JAMF_USER_ON_COMPUTER, 0);
    (void) pki_question(&test_view, &serial, &q);
    is_int(q.store.nobjects, 1, "of two objects one has a directory");
    is_str(q.store.objects[0].id, "jamf-user/9", "the user");

    serial = test_make(PKI_KIND_STATIC, 0);
    (void) pki_question(&test_view, &serial, &q);
    is_int(q.bound, 1, "a static one is bound");
    is_int(q.store.nobjects, 0, "to nothing");
}


static void
test_formats(void)
{
    pki_serial_t    serial;
    pki_question_t  q;

    test_view.sealed = 1;

    serial = test_make(PKI_KIND_DEVICE, 0);
    (void) pki_question(&test_view, &serial, &q);
    is_int(q.bound, 1, "a plain one is read");
    is_int(q.issued, 0, "but not made here");
    is_int(q.store.nobjects, 2, "it is asked about");

    serial = test_make(PKI_KIND_DEVICE, 1);
    (void) pki_question(&test_view, &serial, &q);
    is_int(q.bound && q.issued, 1, "a sealed one is made here");

    test_view.keys = NULL;
    (void) pki_question(&test_view, &serial, &q);
    is_int(q.bound || q.issued, 0, "without its key it says nothing");
    is_int(q.store.nobjects, 0, "nothing to ask");
    test_view.keys = &test_keys;

    (void) pki_question(&test_view, &test_ca.serial, &q);
    is_int(q.own, 1, "the CA's own");
    is_int(q.bound, 0, "is bound to nothing");
    test_ca.self_issued = 0;
    (void) pki_question(&test_view, &test_ca.serial, &q);
    is_int(q.own, 0, "but not of one that another has issued");
    test_ca.self_issued = 1;
    test_view.sealed = 0;
}


/* what was found is gone, and so is the first question */

static void
test_facts(void)
{
    pki_facts_t        facts;
    pki_serial_t       serial;
    pki_question_t     q, *first;
    pki_store_found_t  found;

    first = malloc(sizeof(pki_question_t));
    serial = test_make(PKI_KIND_USER, 0);
    (void) pki_question(&test_view, &serial, first);
    pki_question_copy(&q, first);
    memset(first, 0x5a, sizeof(pki_question_t));
    free(first);

    memset(&found, 0, sizeof(found));
    found.facts.recorded = 1;
    found.facts.manual = PKI_REASON_NONE;
    found.facts.nobjects = 1;
    found.facts.objects[0].found = 1;
    found.facts.objects[0].state = PKI_OBJECT_RISKY|PKI_OBJECT_DISABLED;

    pki_question_facts(&test_view, &q, &found, &facts);
    memset(&found, 0x5a, sizeof(found));

    is_int(facts.recorded, 1, "what the store knows");
    is_int(facts.bound, 1, "what the question knows");
    is_str(facts.objects[0].directory, "entra", "its directory");
    is_str(facts.objects[0].id,
           "user/00000007-0000-0000-0900-000000000000", "its id");
    is_int(facts.objects[0].state, PKI_OBJECT_DISABLED,
           "nobody asks for risks: what was told of them is no fact");

    test_confs[1].risk = 1;
    memset(&found, 0, sizeof(found));
    found.facts.nobjects = 1;
    found.facts.objects[0].state = PKI_OBJECT_RISKY;
    pki_question_facts(&test_view, &q, &found, &facts);
    is_int(facts.objects[0].state, PKI_OBJECT_RISKY, "somebody does");
}


int
main(void)
{
    test_views();
    test_objects();
    test_formats();
    test_facts();

    return pki_test_done();
}

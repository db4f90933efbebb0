
/*
 * Questions and surveys: what a survey says of many certificates is what
 * single questions say of each, over many random states of directories.
 */

#include "pki_test_store.h"
#include "pki_survey.h"
#include "pki_test_transport.h"


#define TEST_NOW     1000000
#define TEST_ROUNDS  40
#define TEST_GUIDS   12
#define TEST_ERROR   "-ERR no\r\n"


typedef struct {
    int                 calls;
    pki_store_result_t  result;
    size_t              n;
    pki_survey_item_t   items[PKI_SURVEY_MAX];
    char                error[300];
} test_survey_t;


static int test_yes(const pki_directory_conf_t *conf);
static int test_risk(const pki_directory_conf_t *conf);


static const pki_resource_t  test_resources[] = {
    { .name = "devices", .classes = 1 << PKI_OBJECT_DEVICE,
      .mask = PKI_OBJECT_DELETED|PKI_OBJECT_DISABLED, .wanted = test_yes },
    { .name = "users", .classes = 1 << PKI_OBJECT_USER,
      .mask = PKI_OBJECT_DELETED|PKI_OBJECT_DISABLED, .wanted = test_yes },
    { .name = "risk", .classes = 1 << PKI_OBJECT_USER,
      .mask = PKI_OBJECT_RISKY, .wanted = test_risk },
    { .name = NULL }
};

static const pki_dialect_t  test_toy = {
    .name = "toy", .resources = test_resources
};

static pki_issuer_t          test_ca;
static pki_directory_conf_t  test_confs[PKI_QUESTION_DIRECTORIES];
static pki_view_t            test_view;
static unsigned              test_seed = 1;


static int
test_yes(const pki_directory_conf_t *conf)
{
    (void) conf;

    return 1;
}


static int
test_risk(const pki_directory_conf_t *conf)
{
    return conf->risk;
}


/* the same numbers in each run */

static unsigned
test_random(unsigned below)
{
    test_seed = test_seed * 1103515245 + 12345;

    return (test_seed >> 16) % below;
}


static void
test_views(void)
{
    unsigned  i;

    test_ca.self_issued = 1;
    test_ca.serial = test_serial(9);

    test_view.name = "corp";
    test_view.ca = &test_ca;
    test_view.policy.good = 600;
    test_view.policy.hold = 300;
    test_view.policy.revoked = 86400;

    test_confs[0].name = "one";
    test_confs[0].dialect = &test_toy;
    test_confs[0].risk = 1;
    test_confs[1].name = "two";
    test_confs[1].dialect = &test_toy;
    test_confs[2].name = "pushed";
    test_confs[2].dialect = &pki_push;
    test_confs[2].classes = 1 << PKI_OBJECT_DEVICE
                            | 1 << PKI_OBJECT_JAMF_USER;

    for (i = 0; i < 3; i++) {
        test_view.directories[i].conf = &test_confs[i];
        test_view.directories[i].name = test_confs[i].name;
        test_view.directories[i].max_age = i ? 1000 : 0;
        test_view.directories[i].last = i == 2;
    }
}


static void
test_binding(pki_binding_t *binding, unsigned n)
{
    static const pki_kind_t  kinds[] = {
        PKI_KIND_DEVICE, PKI_KIND_USER, PKI_KIND_STATIC, PKI_KIND_DEVICE,
        PKI_KIND_JAMF_USER_ON_COMPUTER
    };

    memset(binding, 0, sizeof(pki_binding_t));
    binding->kind = kinds[n % 5];
    binding->payload[0] = (unsigned char) (1 + n % TEST_GUIDS);

    if (binding->kind == PKI_KIND_JAMF_USER_ON_COMPUTER) {
        binding->payload[8] = binding->payload[0];
    }
}


static void
test_id(char *id, unsigned n)
{
    pki_binding_t    binding;
    pki_object_id_t  objects[PKI_BINDING_OBJECTS];

    memset(&binding, 0, sizeof(binding));
    binding.kind = n & 1 ? PKI_KIND_DEVICE : PKI_KIND_USER;
    binding.payload[0] = (unsigned char) (1 + n / 2 % TEST_GUIDS);

    (void) pki_binding_objects(&binding, objects);
    strcpy(id, objects[0].id);
}


/* what directories say, of some objects and under some names */

static void
test_world(void)
{
    char         id[PKI_OBJECT_ID_SIZE], other[PKI_OBJECT_ID_SIZE];
    char         record[100];
    unsigned     i, k;
    const char  *name;

    static const unsigned  states[] = {
        0, 0, 0, PKI_OBJECT_DELETED, PKI_OBJECT_DISABLED, PKI_OBJECT_RISKY,
        PKI_OBJECT_MISSING, PKI_OBJECT_REMOVED, PKI_OBJECT_UNCLEAR
    };

    test_set("FLUSHALL");

    for (k = 0; k < test_view.n; k++) {
        name = test_view.directories[k].name;

        for (i = 0; i < 2 * TEST_GUIDS; i++) {
            test_id(id, i);
            test_id(other, test_random(2 * TEST_GUIDS) | 1);

            /* also with the name of a user, and of another device */

            (void) snprintf(record, sizeof(record), "1 %u %u%s%s",
                            states[test_random(9)],
                            900000 + test_random(1000),
                            i % 3 == 1 ? " " : "",
                            i % 3 == 1 ? test_random(2) ? other : "user/x"
                                       : "");

            if (test_random(4)) {
                test_set("SET pki:{%s}:object:%s %s", name, id, record);
            }

            if ((i & 1) && test_random(3) == 0) {
                test_set("HSET pki:{%s}:names %s %s", name, id + 7, other);
            }
        }

        for (i = 0; i < 4; i++) {
            if (test_random(8)) {
                test_set("HSET pki:{%s}:sync %s.at %u", name,
                         i == 0 ? "devices" : i == 1 ? "users"
                         : i == 2 ? "risk" : "push",
                         TEST_NOW - test_random(1500));
            }
        }
    }
}


static void
test_surveyed(void *data, pki_store_result_t result,
    const pki_survey_item_t *items, size_t n, const char *error)
{
    test_survey_t  *got = data;

    got->calls++;
    got->result = result;
    got->n = n;

    if (n) {
        memcpy(got->items, items, n * sizeof(pki_survey_item_t));
    }

    (void) snprintf(got->error, sizeof(got->error), "%s", error ? error : "");
}


/* one question as OCSP asks it: at once, then under other names */

static void
test_single(const pki_serial_t *serial, pki_verdict_t *verdict,
    pki_reason_t *manual)
{
    unsigned                  i, k, n;
    pki_err_t                 err;
    test_got_t                got, named;
    pki_facts_t               facts;
    pki_question_t            q, copy;
    const pki_object_fact_t  *fact;

    if (pki_question(&test_view, serial, &copy) != PKI_OK) {
        printf("Bail out! no question\n");
        exit(1);
    }

    pki_question_copy(&q, &copy);
    memset(&copy, 0x5a, sizeof(copy));

    pki_store_find(test_transport, &q.store, test_found, &got);
    (void) pki_redis_sync_wait(test_sync, &err);

    for (n = 0, i = 0; test_view.all && i < q.store.nobjects; i++) {
        fact = &got.found.facts.objects[i];

        if (q.store.objects[i].group == 0
            || (fact->found && !(fact->state & (PKI_OBJECT_DELETED
                                                |PKI_OBJECT_REMOVED
                                                |PKI_OBJECT_MISSING))))
        {
            continue;
        }

        for (k = 0; k < q.store.nobjects; k++) {
            if (k != i && q.store.objects[k].group == q.store.objects[i].group
                && got.found.aliases[k][0] != '\0')
            {
                strcpy(q.others[i], got.found.aliases[k]);
                break;
            }
        }

        if (q.others[i][0] == '\0') {
            pki_state_resolve(test_transport, q.store.objects[i].directory,
                              strchr(q.objects[0].id, '/') + 1, test_listed,
                              &named);
            (void) pki_redis_sync_wait(test_sync, &err);

            if (named.result == PKI_STORE_DONE) {
                strcpy(q.others[i], strchr(named.text, '=') + 1);
            }
        }
    }

    for (i = 0; i < q.store.nobjects; i++) {
        if (q.others[i][0] != '\0') {
            q.store.objects[i].id = q.others[i];
            n++;
        }
    }

    if (n) {
        pki_store_find(test_transport, &q.store, test_found, &got);
        (void) pki_redis_sync_wait(test_sync, &err);
    }

    got.found.facts.recorded = 1;
    pki_question_facts(&test_view, &q, &got.found, &facts);
    (void) pki_verdict(verdict, &facts, &test_view.policy, TEST_NOW, NULL);

    *manual = got.found.revocation.reason;
}


static void
test_compare(unsigned round)
{
    char             hex[PKI_SERIAL_HEX_SIZE];
    unsigned         i, wrong;
    pki_err_t        err;
    pki_reason_t     manual;
    pki_serial_t     serials[PKI_SURVEY_MAX];
    pki_binding_t    binding;
    pki_verdict_t    verdict;
    test_survey_t    got;
    unsigned         seen[5] = { 0, 0, 0, 0, 0 };

    test_view.n = 1 + round % 3;
    test_view.all = round % 2;
    test_view.policy.any = !test_view.all;
    test_world();

    for (i = 0; i < PKI_SURVEY_MAX; i++) {
        test_binding(&binding, test_random(1000));
        pki_serial_make_plain(&binding, (unsigned char *) &i, &serials[i]);

        if (i == 3) {
            serials[i] = test_serial(7);    /* of no binding */
        }

        if (test_random(8) == 0) {
            (void) pki_serial_to_text(&serials[i], hex);
            test_set("HSET pki:{corp}:revoked %s %s", hex,
                     i & 1 ? "1 6 999 0 Jo" : "1 4 999 55 Jo");
        }
    }

    memset(&got, 0, sizeof(got));
    pki_survey(test_transport, &test_view, serials, PKI_SURVEY_MAX, TEST_NOW,
               test_surveyed, &got);
    wrong = got.calls;
    (void) pki_redis_sync_wait(test_sync, &err);

    ok(got.calls == 1 && got.result == PKI_STORE_DONE
       && got.n == PKI_SURVEY_MAX, "a survey: %s", got.error);

    for (i = 0; i < got.n; i++) {
        test_single(&serials[i], &verdict, &manual);

        if (memcmp(&serials[i], &got.items[i].serial, sizeof(pki_serial_t))
            || verdict.outcome != got.items[i].verdict.outcome
            || verdict.reason != got.items[i].verdict.reason
            || verdict.revoked_at != got.items[i].verdict.revoked_at
            || verdict.next_update != got.items[i].verdict.next_update
            || manual != got.items[i].manual.reason)
        {
            printf("# %u: %s alone, %s in the survey\n", i,
                   pki_outcome_name(verdict.outcome),
                   pki_outcome_name(got.items[i].verdict.outcome));
            wrong++;
        }

        seen[verdict.outcome]++;
    }

    ok(wrong == 0, "round %u: as single questions: %u good, %u hold, "
       "%u revoked, %u later", round, seen[0], seen[1], seen[2], seen[4]);
}


static void
test_refused(void)
{
    char             name[2];
    pki_err_t        err;
    pki_serial_t     serials[PKI_SURVEY_MAX + 1];
    test_survey_t    got;

    memset(serials, 0x40, sizeof(serials));
    memset(&got, 0, sizeof(got));

    pki_survey(test_transport, &test_view, serials, 0, 1, test_surveyed,
               &got);
    pki_survey(test_transport, &test_view, serials, PKI_SURVEY_MAX + 1, 1,
               test_surveyed, &got);
    pki_survey(test_transport, &test_view, serials, 1, 1, test_surveyed,
               &got);
    strcpy(name, " ");
    test_view.name = name;
    serials[0] = test_serial(1);
    pki_survey(test_transport, &test_view, serials, 1, 1, test_surveyed,
               &got);
    test_view.name = "corp";
    test_view.directories[0].name = name;
    pki_survey(test_transport, &test_view, serials, 1, 1, test_surveyed,
               &got);
    test_view.directories[0].name = "one";

    is_int(got.calls, 0, "nobody is called from inside");
    (void) pki_redis_sync_wait(test_sync, &err);
    is_int(got.calls, 5, "but later");
    is_int(got.result, PKI_STORE_FAILED, "as a failure");
}


/* A survey of one device in three directories, over a transport of ours. */

static void
test_ask(test_survey_t *got)
{
    pki_serial_t   serial;
    pki_binding_t  binding;

    memset(got, 0, sizeof(test_survey_t));
    test_binding(&binding, 0);
    pki_serial_make_plain(&binding, (const unsigned char *) "abc", &serial);

    pki_survey(&pki_test_transport, &test_view, &serial, 1, TEST_NOW,
               test_surveyed, got);
}


static void
test_replies(void)
{
    unsigned        i;
    test_survey_t   got;

    static const struct {
        const char  *revoked;
        const char  *states;
        const char  *rounds;
        const char  *names;
        const char  *error;
    } cases[] = {
        { "*1\r\n$-1\r\n", "*1\r\n$5\r\n1 0 5\r\n", "*1\r\n$1\r\n5\r\n",
          "*1\r\n$-1\r\n", "" },
        { TEST_ERROR, "*1\r\n$-1\r\n", "*1\r\n$-1\r\n", "*1\r\n$-1\r\n",
          "Redis replied \"ERR no\"" },
        { "*0\r\n", "*1\r\n$-1\r\n", "*1\r\n$-1\r\n", "*1\r\n$-1\r\n",
          "unexpected reply of Redis" },
        { "*1\r\n$3\r\n1 x\r\n", "*1\r\n$-1\r\n", "*1\r\n$-1\r\n",
          "*1\r\n$-1\r\n", "unreadable revocation record" },
        { "*1\r\n:1\r\n", "*1\r\n$-1\r\n", "*1\r\n$-1\r\n", "*1\r\n$-1\r\n",
          "unexpected reply of Redis" },
        { "*1\r\n$0\r\n\r\n", "*1\r\n$-1\r\n", "*1\r\n$-1\r\n",
          "*1\r\n$-1\r\n", "an empty record" },
        { "*1\r\n$-1\r\n", "*2\r\n$-1\r\n$-1\r\n", "*1\r\n$-1\r\n",
          "*1\r\n$-1\r\n", "unexpected reply of Redis" },
        { "*1\r\n$-1\r\n", "*0\r\n", "*1\r\n$-1\r\n",
          "*1\r\n$-1\r\n", "unexpected reply of Redis" },
        { "*1\r\n$-1\r\n", "*1\r\n$3\r\n2 0\r\n", "*1\r\n$-1\r\n",
          "*1\r\n$-1\r\n", "unreadable object record" },
        { "*1\r\n$-1\r\n", "*1\r\n$-1\r\n", "*0\r\n", "*1\r\n$-1\r\n",
          "unexpected reply of Redis" },
        { "*1\r\n$-1\r\n", "*1\r\n$-1\r\n", "*1\r\n$2\r\n05\r\n",
          "*1\r\n$-1\r\n", "unreadable time of a directory's last round" },
        { "*1\r\n$-1\r\n", "*1\r\n$-1\r\n", "*1\r\n:5\r\n",
          "*1\r\n$-1\r\n", "unexpected reply of Redis" },
        { "*1\r\n$-1\r\n", "*1\r\n$-1\r\n", "*1\r\n$-1\r\n",
          "*1\r\n$3\r\na b\r\n", "unreadable id of an object" },
        { "*1\r\n$-1\r\n", "*1\r\n$-1\r\n", "*1\r\n$-1\r\n",
          "*0\r\n", "unexpected reply of Redis" },
        { NULL, "*1\r\n$-1\r\n", "*1\r\n$-1\r\n", "*1\r\n$-1\r\n",
          "no reply of Redis" }
    };

    test_view.n = 1;
    test_view.all = 1;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test_ask(&got);
        is_int(pki_test_nsent, 4, "four commands");

        pki_test_answer(cases[i].revoked,
                        cases[i].revoked ? strlen(cases[i].revoked) : 0);
        pki_test_answer(cases[i].states, strlen(cases[i].states));
        pki_test_answer(cases[i].rounds, strlen(cases[i].rounds));
        is_int(got.calls, 0, "not before the last");
        pki_test_answer(cases[i].names, strlen(cases[i].names));

        is_int(got.calls, 1, "once");
        is_str(got.error, cases[i].error, "case %u", i);
        is_int(got.result, cases[i].error[0] ? PKI_STORE_FAILED
                                             : PKI_STORE_DONE, "result");
    }

    /* a device that is not there by its id, and is by its name */

    test_ask(&got);
    answer("*1\r\n$-1\r\n");
    answer("*1\r\n$-1\r\n");
    answer("*1\r\n$6\r\n999999\r\n");
    answer("*1\r\n$8\r\ndevice/x\r\n");
    is_int(got.calls, 0, "a second write");
    is_int(pki_test_nsent, 1, "of one command");
    is_str(pki_test_sent[0].key, "pki:{one}:object:device/x", "the other");
    answer("*1\r\n$10\r\n1 1 999000\r\n");
    is_int(got.calls, 1, "then the end");
    is_int(got.items[0].verdict.outcome, PKI_OUTCOME_REVOKED, "deleted");
    is_int(got.items[0].verdict.revoked_at, 999000, "since then");
}


/* memory fails at each place in turn: one call in any case */

static void
test_memory(void)
{
    int            hit;
    long           n;
    unsigned       wrong;
    test_survey_t  got;

    test_view.n = 2;
    wrong = 0;

    for (n = 1, hit = 1; hit; n++) {
        pki_test_fail_at(n);
        test_ask(&got);
        hit = pki_test_fail_hit();
        pki_test_fail_at(0);

        wrong += got.calls;

        while (pki_test_nsent) {
            no_answer();
        }

        wrong += got.calls != 1 || got.result != PKI_STORE_FAILED;
    }

    ok(n > 2 && wrong == 0, "each failure of memory is told once");
}


int
main(void)
{
    unsigned  i;

    pki_test_alloc_hook();
    test_start();
    test_views();

    for (i = 0; i < TEST_ROUNDS; i++) {
        test_compare(i);
    }

    test_refused();
    test_replies();
    test_memory();
    test_stop();

    return pki_test_done();
}


/*
 * How rounds end: the guard, what was not seen, what is cleared; and how
 * they do not: partial ones, without the lease, without Redis.
 */

#include "pki_test_machine.h"


#define LIST   "https://corp.example/api/list?n=1"
#define PAGE2  "https://corp.example/api/p2"
#define DELTA  "https://corp.example/api/delta"


static char  test_text_buf[65536];


/* A listing of objects 0 .. n-1; the first `bad` of them in this state. */

static const char *
test_listing(unsigned from, unsigned n, unsigned bad, const char *state,
    const char *rest)
{
    size_t    len;
    unsigned  i;

    len = (size_t) snprintf(test_text_buf, sizeof(test_text_buf),
                            "{\"value\":[");

    for (i = from; i < n; i++) {
        len += (size_t) snprintf(test_text_buf + len,
                                 sizeof(test_text_buf) - len,
                                 "%s{\"id\":\"%u\",\"key\":\"k%u\","
                                 "\"s\":\"%s\"}", i > from ? "," : "", i, i,
                                 i < bad ? state : "");
    }

    (void) snprintf(test_text_buf + len, sizeof(test_text_buf) - len, "]%s}",
                    rest);

    return test_text_buf;
}


static long
test_round(unsigned from, unsigned n, unsigned bad, const char *state)
{
    test_mono += 30000;
    test_wall += 30;

    return test_answer(LIST, 200, test_listing(from, n, bad, state, ""));
}


static void
test_ask(const char *what)
{
    test_got_t  got;

    memset(&got, 0, sizeof(got));
    pki_state_ask(test_transport, "corp", what, test_wall, test_done, &got);
    (void) pki_redis_sync_wait(test_sync, NULL);
    is_int(got.result, PKI_STORE_DONE, "asked for \"%s\"", what);
}


static void
test_guard(void)
{
    pki_state_item_t    items[16];
    pki_poller_stats_t  stats;

    test_setup(0);
    (void) test_round(0, 100, 0, "");
    test_object("99", 0, test_wall);

    /* ten of a hundred may change, eleven may not */

    (void) test_round(0, 100, 10, "o");
    test_object("9", PKI_OBJECT_DISABLED, test_wall);
    is_int(test_mails, 0, "no line");

    (void) test_round(0, 100, 21, "o");
    test_object("9", PKI_OBJECT_DISABLED, test_wall - 30);
    test_object("10", 0, 1790000030);
    is_str(test_line(0), "\"devices\": held back: 11 of 100 objects would be"
           " revoked, 10 may", "an alarm");
    is_int(test_levels[0], 3, "an error");
    test_string("1790000090", "HGET pki:{corp}:sync devices.at");
    test_string("1790000060", "HGET pki:{corp}:sync devices.full");
    test_string("1790000090", "HGET pki:{corp}:sync devices.guard");

    is_int(pki_machine_report(test_machine, items, 16), 8, "items");
    is_str(items[7].name, "devices.held", "it is told");
    is_str(items[7].value, "11 of 100, 10 may", "how many");
    is_str(items[0].value, "held back", "why");

    pki_machine_stats(test_machine, &stats);
    is_int(stats.guard, 1, "shown");
    is_int(stats.holder, 1, "the holder");

    (void) test_round(0, 100, 21, "o");
    is_int(test_mails, 1, "one line");
    test_string("2", "HGET pki:{corp}:sync devices.rounds");
    test_string("1790000090", "HGET pki:{corp}:sync devices.guard");
    test_object("10", 0, 1790000030);

    /* an operator */

    test_ask("release");
    (void) test_round(0, 100, 21, "o");
    test_object("10", PKI_OBJECT_DISABLED, test_wall);
    test_none("HGET pki:{corp}:sync devices.guard");
    test_none("HGET pki:{corp}:sync release");
    is_str(test_line(0), "\"devices\": no longer held back", "a line");
    pki_machine_stats(test_machine, &stats);
    is_int(stats.guard, 0, "no longer shown");

    /* a release in advance is none */

    test_ask("release");
    (void) test_round(0, 100, 50, "o");
    test_object("40", 0, 1790000030);
    test_string("1790000180", "HGET pki:{corp}:sync devices.guard");

    /* it was a mistake of the directory: nothing is left of it */

    (void) test_round(0, 100, 21, "o");
    test_none("HGET pki:{corp}:sync devices.guard");
    test_object("40", 0, 1790000030);

    /* what is known to be deleted is not missed once more */

    test_setup(0);
    test_room = 50;
    (void) test_round(0, 100, 0, "");
    (void) test_round(0, 100, 10, "d");
    (void) test_round(0, 100, 20, "d");
    test_object("19", PKI_OBJECT_DELETED, test_wall);
    (void) test_round(20, 90, 0, "");
    is_int(test_mails, 0, "thirty are gone, ten of them now: no line");
    is_int(test_lookups, 30, "all are looked for");
}


static void
test_guard_rounds(void)
{
    test_setup(0);
    test_conf.guard_rounds = 2;

    (void) test_round(0, 100, 0, "");
    (void) test_round(0, 100, 30, "d");
    (void) test_round(0, 100, 30, "d");
    test_object("29", 0, 1790000030);
    (void) test_round(0, 100, 30, "d");
    test_object("29", PKI_OBJECT_DELETED, test_wall);
    test_none("HGET pki:{corp}:sync devices.guard");

    /* what was deleted does not come back */

    (void) test_round(0, 100, 0, "");
    test_object("29", PKI_OBJECT_DELETED, 1790000120);

    /* unless it can */

    test_setup(0);
    test_conf.restore = 1;
    test_conf.guard = 100;
    (void) test_round(0, 100, 0, "");
    (void) test_round(0, 100, 100, "d");
    test_object("99", PKI_OBJECT_DELETED, test_wall);
    (void) test_round(0, 100, 0, "");
    test_object("99", 0, test_wall);
    is_int(test_mails, 0, "the guard is off");
}


static void
test_sweep(void)
{
    test_setup(0);
    test_room = 3;
    (void) test_round(0, 100, 0, "");
    (void) test_round(0, 92, 0, "");
    is_int(test_lookups, 3, "as many as there is room for");
    test_string("1790000060", "HGET pki:{corp}:sync devices.full");
    test_room = 2;
    is_int(test_after(250), 250, "it comes back soon");
    is_int(test_lookups, 5, "more");
    test_room = 50;
    ok(test_after(250) > 250, "no more");
    is_int(test_lookups, 8, "all of them, once");
    ok(strncmp(test_lookup[7], "k9", 2) == 0
       && strstr(test_lookup[7], "=device/9") != NULL, "key and id: %s",
       test_lookup[7]);
    test_object("99", 0, 1790000030);

    /* a short listing is suspicious */

    test_lookups = 0;
    (void) test_round(0, 50, 0, "");
    is_int(test_lookups, 0, "nothing is looked up");
    ok(strncmp(test_line(0), "\"devices\": held back: ", 22) == 0, "%s",
       test_line(0));
    test_string("1790000060", "HGET pki:{corp}:sync devices.full");

    (void) test_round(0, 0, 0, "");
    is_int(test_lookups, 0, "nor after an empty one");

    test_ask("release");
    test_room = 60;
    (void) test_round(0, 50, 0, "");
    is_int(test_lookups, 50, "after a release");
    test_object("50", 0, 1790000030);
}


static void
test_absence(void)
{
    /* before the first complete listing */

    test_setup(0);
    test_room = 50;
    (void) test_answer(LIST, 200, test_listing(0, 50, 0, "",
                                               ",\"next\":\"" PAGE2 "\""));
    (void) test_answer(PAGE2, 403, "");
    test_none("HGET pki:{corp}:sync devices.at");
    (void) test_round(40, 100, 0, "");
    is_int(test_lookups, 0, "nothing could be missed");
    test_mails = 0;

    /* partial: what was seen counts, what was not does not */

    test_mono += 30000;
    test_wall += 30;
    (void) test_answer(LIST, 200, test_listing(40, 60, 44, "o",
                                               ",\"partial\":true"));
    test_object("43", PKI_OBJECT_DISABLED, test_wall);
    is_int(test_lookups, 0, "nothing is looked up");
    test_string("1790000030", "HGET pki:{corp}:sync devices.at");
    is_str(test_line(0), "\"devices\": the listing was not complete,"
           " request-id id-1", "a line");

    /* ... under the guard */

    test_mono += 60000;
    test_wall += 60;
    (void) test_answer(LIST, 200, test_listing(40, 80, 80, "o",
                                               ",\"partial\":true"));
    test_object("79", 0, 1790000030);
    ok(strstr(test_line(0), "held back: ") != NULL, "%s", test_line(0));
    test_string("0", "HGET pki:{corp}:sync devices.rounds");
}


static void
test_clears(void)
{
    test_setup(0);
    test_resources[0].sweep = 0;
    test_resources[0].clears = 1;
    test_resources[0].mask = PKI_OBJECT_RISKY;
    test_conf.settle = 3600;
    test_conf.guard_min = 100;

    (void) test_round(0, 20, 20, "r");
    test_object("0", PKI_OBJECT_RISKY, 1790000030);
    (void) test_round(0, 4, 4, "r");
    test_object("3", PKI_OBJECT_RISKY, 1790000030);
    test_object("4", 0, test_wall);
    test_none("HGET pki:{corp}:index:devices k4");
    test_string("1 2 device/3", "HGET pki:{corp}:index:devices k3");
    is_int(test_lookups, 0, "nothing is looked up");

    /* not by a round that failed */

    test_mono += 30000;
    (void) test_answer(LIST, 403, "");
    test_mono += 30000;
    (void) test_answer(LIST, 200, test_listing(0, 2, 2, "r",
                                               ",\"partial\":true"));
    test_object("3", PKI_OBJECT_RISKY, 1790000030);
    is_int(test_mails, 2, "two lines");
}


static void
test_settle(void)
{
    test_setup(0);
    test_conf.settle = 60;
    (void) test_round(0, 10, 0, "");
    (void) test_round(0, 10, 1, "o");
    test_object("0", PKI_OBJECT_DISABLED, 1790000060);
    (void) test_round(0, 10, 0, "");
    test_object("0", PKI_OBJECT_DISABLED, 1790000060);
    test_string("1790000120", "ZSCORE pki:{corp}:recheck device/0");
    (void) test_round(0, 10, 0, "");
    test_object("0", 0, 1790000120);
}


static void
test_schedule(void)
{
    long  wait;

    test_setup(0);
    test_resources[0].interval = 45000;
    wait = test_round(0, 3, 0, "");
    is_int(wait, 45000, "the longer interval");
    (void) test_after(20);
    pki_machine_hurry(test_machine, 0);
    is_int(test_tick(), 80, "not at once");
    (void) test_after(80);
    ok(test_request.done != NULL, "soon");

    test_wall += 1;
    test_ask("asked");
    wait = test_answer(LIST, 200, test_listing(0, 3, 0, "", ""));
    is_int(wait, 100, "somebody asked meanwhile");
    (void) test_after(100);

    /* a pause that the directory wants is kept in any case */

    (void) test_answer_cut(LIST, 429, "20", "", 0, PKI_FETCH_DONE);
    pki_machine_hurry(test_machine, 1);
    (void) test_after(1000);
    ok(test_request.done == NULL, "not before");
    (void) test_after(19000);
    (void) test_answer(LIST, 403, "");
    pki_machine_hurry(test_machine, 0);
    (void) test_after(100);
    ok(test_request.done == NULL, "a failure is not hurried");
    pki_machine_hurry(test_machine, 1);
    (void) test_after(0);
    ok(test_request.done != NULL, "unless it is urgent");
}


static void
test_cookies(void)
{
    pki_machine_t  *other;

    test_setup(0);
    test_dialect.cookies = 1;
    test_resources[1] = test_resources[0];
    test_resources[1].name = "users";

    (void) test_round(0, 3, 0, "");
    is_int(test_forgotten, 1, "cookies are forgotten before a round");

    other = pki_machine_create(&test_source, &test_resources[1]);
    test_source.machines[1] = other;
    test_source.nmachines = 2;

    test_mono += 30000;
    (void) test_tick();
    is_int(test_forgotten, 2, "again");
    test_request.done = NULL;
    test_mono += 300;
    (void) pki_machine_tick(other);
    is_int(test_forgotten, 2, "but not amid another's");

    test_source.nmachines = 1;
    test_request.done = NULL;
    pki_machine_destroy(other);
}


static void
test_lease(void)
{
    unsigned  i;

    for (i = 0; i < 3; i++) {
        test_setup(0);
        test_abandons = i == 2;
        (void) test_round(0, 3, 0, "");
        test_mono += 30000;
        test_wall += 30;
        (void) test_tick();

        if (i == 1) {
            (void) test_answer(LIST, 200,
                               test_listing(0, 3, 3, "o",
                                            ",\"next\":\"" PAGE2 "\""));
            test_set("SET pki:{corp}:lease other");
            (void) test_answer(PAGE2, 200, "{\"value\":[]}");

        } else {
            test_set("SET pki:{corp}:lease other");
            (void) test_answer(LIST, 200, test_listing(0, 3, 3, "o", ""));
        }

        ok(test_lost >= 1, "the lease is lost");
        test_object("1", 0, 1790000030);
        test_string("1790000030", "HGET pki:{corp}:sync devices.at");
        is_int(test_levels[0], 6, "no alarm");
        is_int(test_mails, 1, "one line");
    }

    /* the reply of before is nobody's */

    test_setup(0);
    (void) test_tick();
    pki_machine_abandon(test_machine, "the test wants it");
    is_str(test_line(0), "\"devices\": the round is given up: the test wants"
           " it", "a line");
    (void) test_after(1000);
    is_int(test_requests, 1, "no second request beside the first");
    (void) test_answer(LIST, 200, test_listing(0, 3, 0, "", ""));
    test_none("GET pki:{corp}:object:device/0");
    ok(test_request.done != NULL, "then the next round");
    (void) test_answer(LIST, 200, test_listing(0, 3, 0, "", ""));
    test_object("0", 0, test_wall);
}


/* Redis is gone at any moment: nothing counts, and nothing is asked for. */

static void
test_redis_gone(void)
{
    pki_redis_sync_t  *dead;

    test_setup(0);
    (void) test_round(0, 3, 0, "");
    test_mono += 30000;
    (void) test_tick();

    dead = test_connect();
    test_source.sync = dead;
    test_source.redis = pki_redis_sync_transport(dead);
    test_set("CLIENT KILL TYPE normal SKIPME yes");

    (void) test_answer(LIST, 200, test_listing(0, 3, 3, "o", ""));
    ok(test_source.sync == NULL, "the connection is gone");
    ok(test_request.done == NULL, "nothing is asked for");

    pki_redis_sync_destroy(dead);
    test_reconnect();

    test_object("1", 0, 1790000030);
    test_string("1790000030", "HGET pki:{corp}:sync devices.at");
    test_string("2", "HGET pki:{corp}:sync devices.round");

    (void) test_round(0, 3, 1, "o");
    test_object("0", PKI_OBJECT_DISABLED, test_wall);

    /* Redis that refuses */

    test_mono += 30000;
    (void) test_tick();
    test_set("SET pki:{corp}:object:device/1 nonsense");
    (void) test_answer(LIST, 200, test_listing(0, 3, 1, "", ""));
    ok(strncmp(test_line(0), "\"devices\": the store: ", 22) == 0, "%s",
       test_line(0));
    ok(test_request.done == NULL, "it waits");
}


static void
test_report(void)
{
    size_t            n;
    test_got_t        got;
    pki_state_item_t  items[16];

    test_setup(0);
    (void) test_answer(LIST, 403, "");

    n = pki_machine_report(test_machine, items, 16);
    is_int(n, 9, "items");
    is_str(items[0].name, "devices.state", "state");
    is_str(items[0].value, "failing", "failing");
    is_str(items[8].value, "refused with 403, json 0", "error");
    is_int(pki_machine_report(test_machine, items, 2), 2, "no more than fit");
    ok(pki_machine_resource(test_machine) == &test_resources[0], "resource");
    is_int(pki_machine_variant(test_machine), 0, "variant");

    memset(&got, 0, sizeof(got));
    pki_state_report(test_transport, "corp", test_source.token, items, 2,
                     test_done, &got);
    (void) pki_redis_sync_wait(test_sync, NULL);
    is_int(got.result, PKI_STORE_DONE, "the store takes them: %s", got.error);
}


int
main(void)
{
    test_start();

    test_guard();
    test_guard_rounds();
    test_sweep();
    test_absence();
    test_clears();
    test_settle();
    test_schedule();
    test_cookies();
    test_lease();
    test_redis_gone();
    test_report();

    pki_machine_destroy(test_machine);
    test_stop();

    return pki_test_done();
}

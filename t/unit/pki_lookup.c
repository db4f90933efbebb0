
/*
 * Lookups of single objects: what is asked for and when, and what becomes of
 * each kind of reply.
 */

#include "pki_test_lookup.h"


static void
test_wanted(void)
{
    test_begin();

    ok(test_tick(0) >= 900, "nothing to do for a second");
    is_int(test_nasked, 0, "nothing asked");

    test_want(DEVICE_1);
    is_int(test_nasked, 1, "what is wanted is asked for");
    is_str(test_asked[0].url, "https://directory.test/v7/" DEVICE_1, "there");
    is_str(test_asked[0].token, "token", "with the token");
    is_int(test_redis("SCARD pki:{dir}:wanted"), 0, "taken");

    test_want(DEVICE_1);
    is_int(test_nasked, 1, "wanted twice, asked once");

    test_reply(0, 200, FOUND_1, NULL);
    is_int(test_state(DEVICE_1), 0, "and it is known");
    is_int(test_redis("HEXISTS pki:{dir}:index:devices key-of-it"), 1,
           "also in the index");
    is_int(test_worked, 1, "the token has worked");
    is_int(test_logs, 0, "nothing to say");

    test_want(DEVICE_1);
    is_int(test_nasked, 2, "later it may be asked for again");
    test_reply(1, 200, "{\"enabled\":false,\"id\":\"" DEVICE_1 "\"}", NULL);
    is_int(test_state(DEVICE_1), PKI_OBJECT_DISABLED, "and is now worse");

    test_want("device");
    test_want("printer/1");
    test_want("user/00000000-0000-0000-0000-000000000001");
    test_want(DEVICE_3);
    test_want("device/00000000-0000-0000-0000-000000000001-and-so-on");
    is_int(test_nasked, 2, "what no resource looks up is not asked for");
    is_int(pki_lookup_room(test_it), 192, "and forgotten");

    test_redis("ZADD pki:{dir}:recheck 9999 %s", DEVICE_3);
    (void) test_tick(1000);
    is_int(test_nasked, 2, "nor is it when it is due");
    is_int(test_due(DEVICE_3), -1, "which then it is no more");

    is_int(pki_lookup_add(test_it, DEVICE_3, "k3"), PKI_OK, "with its key");
    (void) test_tick(0);
    is_int(test_nasked, 3, "it is");
    is_str(test_asked[2].url, "https://directory.test/v7/k3", "by that");
}


static void
test_unknown(void)
{
    int        i;
    long long  lookups;

    test_begin();
    test_want(DEVICE_1);
    test_reply(0, 404, GONE, NULL);
    is_int(test_state(DEVICE_1), PKI_OBJECT_MISSING, "missing at first");
    is_int(test_due(DEVICE_1), 10120, "to be looked at again");
    is_int(test_logs, 0, "nothing to say");

    (void) test_tick(119 * 1000);
    is_int(test_nasked, 1, "not yet");
    (void) test_tick(1000);
    is_int(test_nasked, 2, "now");
    test_reply(1, 404, GONE, NULL);
    is_int(test_state(DEVICE_1), TEST_UNSHOWN, "on hold: never shown");
    is_int(test_due(DEVICE_1), -1, "until it is");

    pki_lookup_stats(test_it, &lookups);
    is_int(lookups, 2, "two lookups");

    test_want(DEVICE_1);
    test_reply(2, 200, FOUND_1, NULL);
    is_int(test_state(DEVICE_1), 0, "shown after all");

    /* the other policies */

    for (i = 0; i < 2; i++) {
        test_begin();
        test_conf.confirm = 0;
        test_conf.absent = i ? PKI_ABSENT_LATER : PKI_ABSENT_REVOKED;
        test_want(DEVICE_1);
        test_reply(0, 404, GONE, NULL);
        is_int(test_state(DEVICE_1),
               i ? PKI_OBJECT_MISSING : PKI_OBJECT_DELETED, "as it is told");
        is_int(test_due(DEVICE_1), -1, "and not asked again");
    }

    /* a hook may tell of it once more: it is still one that nobody had */

    test_begin();
    test_conf.confirm = 0;
    test_want(DEVICE_1);
    test_reply(0, 404, GONE, NULL);
    is_int(test_state(DEVICE_1), TEST_UNSHOWN, "on hold");
    test_want(DEVICE_1);
    test_reply(1, 404, GONE, NULL);
    is_int(test_state(DEVICE_1), TEST_UNSHOWN, "and no more than that");
    is_int(test_due(DEVICE_1), -1, "and not asked again");
    is_int(test_redis("HLEN pki:{dir}:absent"), 0, "nor counted");

    /* what is found in between begins anew */

    test_begin();
    test_want(DEVICE_1);
    test_reply(0, 404, GONE, NULL);
    (void) test_tick(60 * 1000);
    test_want(DEVICE_1);
    test_reply(1, 200, FOUND_1, NULL);
    is_int(test_state(DEVICE_1), 0, "found after all");
    is_int(test_due(DEVICE_1), -1, "which is that");
    (void) test_tick(100 * 1000);
    test_want(DEVICE_1);
    test_reply(2, 404, GONE, NULL);
    is_int(test_state(DEVICE_1), 0, "absent again: the first time");
    is_int(test_due(DEVICE_1), 10280, "to be confirmed");
    (void) test_tick(30 * 1000);
    test_want(DEVICE_1);
    test_reply(3, 404, GONE, NULL);
    is_int(test_state(DEVICE_1), 0, "too early");
    is_int(test_due(DEVICE_1), 10280, "the same moment");
}


/* its deletion may be in the next delta: no need to wait for the interval */

static void
test_hurry(void)
{
    test_begin();
    test_resource.delta = 1;
    test_machine.hurried = 0;

    test_want(DEVICE_1);
    test_reply(0, 404, GONE, NULL);
    is_int(test_machine.hurried, 0, "what was never there hurries nobody");
    (void) test_tick(120 * 1000);
    test_reply(1, 404, GONE, NULL);
    is_int(test_state(DEVICE_1), TEST_UNSHOWN, "also when confirmed");
    is_int(test_machine.hurried, 0, "nor then");

    test_begin();
    test_machine.hurried = 0;
    test_redis("SET pki:{dir}:object:%s %s", DEVICE_1, "1 0 77");
    test_want(DEVICE_1);
    test_reply(0, 404, GONE, NULL);
    is_int(test_machine.hurried, 1, "what was there does");
    test_want(DEVICE_1);
    test_reply(1, 404, GONE, NULL);
    is_int(test_machine.hurried, 2, "in the same second too");
    (void) test_tick(30 * 1000);
    test_want(DEVICE_1);
    test_reply(2, 404, GONE, NULL);
    is_int(test_machine.hurried, 2, "but not later");

    test_begin();
    test_resource.delta = 0;
    test_machine.hurried = 0;
    test_redis("SET pki:{dir}:object:%s %s", DEVICE_1, "1 0 77");
    test_want(DEVICE_1);
    test_reply(0, 404, GONE, NULL);
    is_int(test_machine.hurried, 0, "a listing is no delta");
}


static void
test_known(void)
{
    test_begin();
    test_redis("HSET pki:{dir}:index:devices k1 %s", "1 2 " DEVICE_1);
    test_redis("SET pki:{dir}:object:%s %s", DEVICE_1, "1 0 77");

    is_int(pki_lookup_add(test_it, DEVICE_1, "k1"), PKI_OK, "not seen");
    (void) test_tick(0);
    test_reply(0, 404, GONE, NULL);
    is_int(test_state(DEVICE_1), 0, "an object that was known stays");
    is_int(test_redis("HLEN pki:{dir}:index:devices"), 1, "in the index too");

    (void) test_tick(200 * 1000);
    is_int(pki_lookup_add(test_it, DEVICE_1, "k1"), PKI_OK, "not seen");
    test_reply(1, 404, GONE, NULL);
    is_int(test_state(DEVICE_1), PKI_OBJECT_DELETED, "until it is confirmed");
    is_int(test_redis("HLEN pki:{dir}:index:devices"), 0, "and forgotten");
    is_int(test_due(DEVICE_1), -1, "for good");

    /* a lookup shows it to the round that it began in, or to none */

    test_begin();
    test_redis("HSET pki:{dir}:index:devices key-of-it %s", "1 2 " DEVICE_1);
    test_want(DEVICE_1);
    test_machine.number = 4;
    test_reply(0, 200, FOUND_1, NULL);
    test_seen("1 3 " DEVICE_1);

    test_begin();
    test_machine.number = 0;
    test_want(DEVICE_1);
    test_reply(0, 200, FOUND_1, NULL);
    test_seen("1 1 " DEVICE_1);

    /* confirmed without its key, it is dropped by the next round */

    test_begin();
    test_redis("HSET pki:{dir}:index:devices k1 %s", "1 2 " DEVICE_1);
    test_redis("SET pki:{dir}:object:%s %s", DEVICE_1, "1 0 77");
    (void) pki_lookup_add(test_it, DEVICE_1, "k1");
    (void) test_tick(0);
    test_reply(0, 404, GONE, NULL);
    (void) test_tick(120 * 1000);
    test_reply(1, 404, GONE, NULL);
    is_int(test_state(DEVICE_1), PKI_OBJECT_DELETED, "confirmed when due");
    is_int(test_redis("HLEN pki:{dir}:index:devices"), 1, "still listed");
    (void) pki_lookup_add(test_it, DEVICE_1, "k1");
    (void) test_tick(0);
    test_reply(2, 404, GONE, NULL);
    is_int(test_redis("HLEN pki:{dir}:index:devices"), 0, "now forgotten");
    is_int(test_due(DEVICE_1), -1, "for good");
    is_int(test_redis("HLEN pki:{dir}:absent"), 0, "and not counted");

    /* before the first listing nothing is deleted */

    test_begin();
    test_machine.full_at = 0;
    test_want(DEVICE_1);
    test_reply(0, 404, GONE, NULL);
    (void) test_tick(120 * 1000);
    test_reply(1, 404, GONE, NULL);
    is_int(test_state(DEVICE_1), PKI_OBJECT_MISSING, "no listing yet");
    is_int(test_due(DEVICE_1), 10130, "a little later");

    test_machine.full_at = 10125;
    (void) test_tick(10 * 1000);
    test_reply(2, 404, GONE, NULL);
    is_int(test_state(DEVICE_1), TEST_UNSHOWN, "on hold after it");

    /* nor without a round since */

    test_begin();
    test_machine.at = 9999;
    test_want(DEVICE_1);
    test_reply(0, 404, GONE, NULL);
    (void) test_tick(120 * 1000);
    test_reply(1, 404, GONE, NULL);
    is_int(test_state(DEVICE_1), PKI_OBJECT_MISSING, "no round since");
    is_int(test_due(DEVICE_1), 10130, "a little later");
    (void) test_tick(10 * 1000);
    test_machine.at = 10000;
    test_reply(2, 404, GONE, NULL);
    is_int(test_state(DEVICE_1), TEST_UNSHOWN, "on hold after it");

    test_begin();
    test_conf.restore = 1;
    test_conf.confirm = 0;
    test_want(DEVICE_1);
    test_reply(0, 404, GONE, NULL);
    is_int(test_state(DEVICE_1), TEST_UNSHOWN,
           "removed where it can be restored");
    test_want(DEVICE_1);
    test_reply(1, 200, FOUND_1, NULL);
    is_int(test_state(DEVICE_1), 0, "and it was");
}


static void
test_strangers(void)
{
    static const struct {
        int          status;
        const char  *body;
        unsigned     asked;     /* within the next minute */
        const char  *line;
    } replies[] = {
        { 404, "<html>no</html>", 1, "failed: status 404" },
        { 404, "{\"error\":\"OtherPath\"}", 1, "failed: status 404" },
        { 403, GONE, 1, "failed: status 403" },
        { 302, "", 1, "failed: status 302" },
        { 200, GONE, 1, "does not tell" },
        { 200, "{\"id\":\"" DEVICE_2 "\"}", 1, "does not tell" },
        { 200, "{\"id\":7}", 1, "does not tell" },
        { 200, "", 3, "unreadable reply" },
        { 200, "[]", 3, "unreadable reply" },
        { 200, "{\"id\":\"" DEVICE_1 "\"", 3, "unreadable reply" },
        { 200, "<html>", 3, "unreadable reply" },
        { 500, GONE, 3, "failed: status 500" },
        { 429, "", 3, "failed: status 429" },
        { 408, "", 3, "failed: status 408" },
        { 401, "", 1, "failed: status 401" },
        { 0, NULL, 3, "failed: connection refused" },
    };

    unsigned  i, n;

    for (i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        test_begin();
        test_redis("ZADD pki:{dir}:recheck 9999 %s", DEVICE_1);
        (void) test_tick(1000);

        for (n = 0; n < test_nasked && n < 10; n++) {
            test_reply(n, replies[i].status, replies[i].body, NULL);
            (void) test_tick(20000);
        }

        is_int(test_nasked, replies[i].asked, "%s: asked %u times",
               replies[i].line, replies[i].asked);
        is_int(test_state(DEVICE_1), -1, "nothing is known of it");
        is_int(test_logs, 1, "one line");
        ok(strstr(test_line, replies[i].line) != NULL, "\"%s\"", test_line);
        ok(test_due(DEVICE_1) > test_wall + 200, "later again");
        is_int(pki_lookup_room(test_it), 192, "no job is left");
    }
}


static void
test_pauses(void)
{
    long      wait;
    unsigned  n;

    test_begin();
    test_want(DEVICE_1);
    test_reply(0, 429, "", "30");
    test_want(DEVICE_2);
    is_int(test_nasked, 1, "all wait as long as the directory says");
    (void) test_tick(29 * 1000);
    is_int(test_nasked, 1, "not yet");
    (void) test_tick(1000);
    is_int(test_nasked, 3, "then both go on");
    is_str(test_asked[1].url, "https://directory.test/v7/" DEVICE_1,
           "in their order");
    test_reply(1, 200, FOUND_1, NULL);
    is_int(test_state(DEVICE_1), 0, "found");
    is_str(test_line, "lookups work again", "as the log says");
    is_int(test_logs, 2, "in two lines");

    /* what was not seen is not left to the next listing */

    test_begin();
    (void) pki_lookup_add(test_it, DEVICE_1, "k1");

    for (n = 0; n < 3; n++) {
        (void) test_tick(20000);
        test_reply(n, 502, "", NULL);
    }

    is_int(pki_lookup_room(test_it), 192, "given up");
    ok(test_due(DEVICE_1) > test_wall + 200, "for a while");

    /* one odd object is no affair of the others */

    test_begin();

    for (n = 0; n < 6; n += 2) {
        test_want(DEVICE_2);
        test_reply(n, 404, "<html>", NULL);
        test_want(DEVICE_1);
        test_reply(n + 1, 200, FOUND_1, NULL);
    }

    is_int(test_logs, 1, "said once: %s", test_line);

    /* nor one that is damaged, where a server tells so */

    test_begin();
    test_resource.bisect = 1;
    (void) pki_lookup_add(test_it, DEVICE_2, "k2");
    (void) test_tick(0);
    test_reply(0, 500, GONE, NULL);
    test_want(DEVICE_1);
    is_int(test_nasked, 2, "a damaged one does not make the others wait");
    test_reply(1, 500, "<html>", NULL);
    test_want(DEVICE_2);
    is_int(test_nasked, 2, "a server that is ill does");
    is_int(test_state(DEVICE_2), -1, "neither is absent");
    test_resource.bisect = 0;

    test_begin();
    test_want(DEVICE_1);
    test_reply(0, 503, "", "0");
    wait = test_tick(0);
    ok(test_nasked == 1 && wait > 200, "never at once");

    test_begin();
    test_fresh = 1;
    test_want(DEVICE_1);
    test_reply(0, 401, "", NULL);
    is_int(test_nasked, 2, "401: at once with another token");
    is_int(test_logs, 0, "nothing to say");
    test_fresh = 0;
    test_reply(1, 401, "", NULL);
    is_int(test_nasked, 2, "but once");
    is_int(test_logs, 1, "and that is said");

    test_begin();
    test_token = PKI_NOT_FOUND;
    test_want(DEVICE_1);
    is_int(test_nasked, 0, "without a token nothing is asked");
    is_int(test_logs, 0, "nor said");
    is_int(test_tick(0), 700, "it waits for it");
    test_token = PKI_INVALID;
    is_int(test_tick(700), 700, "also if it is refused");
    is_int(test_logs, 0, "which the rounds say");
    test_token = PKI_OK;
    (void) test_tick(700);
    is_int(test_nasked, 1, "and it goes on");
}


static void
test_limits(void)
{
    char      id[64];
    unsigned  i, n, most;

    test_begin();

    for (i = 10; i < 500; i++) {
        (void) snprintf(id, sizeof(id),
                        "device/00000000-0000-0000-0000-%012u", i);
        if (pki_lookup_add(test_it, id, id + 7) != PKI_OK) {
            break;
        }
    }

    is_int(i, 10 + 192, "so many fit");
    is_int(pki_lookup_room(test_it), 0, "no room");
    is_int(pki_lookup_add(test_it, "device/00000000-0000-0000-0000-"
                          "000000000010", "k"), PKI_OK, "but what is there");

    test_conf.lookups = 10;
    (void) test_tick(0);
    is_int(test_nasked, 4, "four at once");

    test_want(DEVICE_1);
    is_int(test_nasked, 4, "no more");
    test_reply(0, 200, FOUND_1, NULL);
    is_str(test_asked[4].url, "https://directory.test/v7/" DEVICE_1,
           "what is wanted comes first");
    test_reply(4, 200, FOUND_1, NULL);

    /* replies come at once, the clock does not move, then it does */

    for (n = 1; n < test_nasked; n++) {
        if (n != 4) {
            test_reply(n, 404, GONE, NULL);
        }
    }

    is_int(test_nasked, 10, "ten in a second");

    for (most = 0, i = 0; i < 20; i++) {
        (void) test_tick(50);

        for ( /* void */ ; n < test_nasked; n++) {
            test_reply(n, 404, GONE, NULL);
            most++;
        }
    }

    is_int(most, 10, "and ten in the next");

    pki_lookup_abandon(test_it);
    is_int(pki_lookup_room(test_it), 192, "room for all again");
    (void) test_tick(0);

    /* a full queue takes what is wanted, as far as it can */

    test_begin();
    test_token = PKI_NOT_FOUND;

    for (i = 0; i < 300; i++) {
        test_redis("SADD pki:{dir}:wanted jamf-user/%u", i);
        test_redis("ZADD pki:{dir}:recheck 1 "
                   "device/00000000-0000-0000-0000-%012u", i);
        test_redis("SADD pki:{dir}:wanted "
                   "device/00000000-0000-0000-0001-%012u", i);
    }

    for (i = 0; i < 10; i++) {
        (void) test_tick(1000);
    }

    is_int(pki_lookup_room(test_it), 0, "as many as there is room for");
    ok(test_redis("SCARD pki:{dir}:wanted") > 0, "the others wait in Redis");
}


static void
test_losses(void)
{
    test_begin();
    test_want(DEVICE_1);
    test_redis("SET pki:{dir}:lease %s", "another 9");
    test_reply(0, 200, FOUND_1, NULL);
    is_int(test_source.holder, 0, "the lease was somebody else's");
    is_int(test_state(DEVICE_1), -1, "nothing was written");
    pki_lookup_abandon(test_it);

    test_begin();
    test_want(DEVICE_1);
    test_want(DEVICE_2);
    is_int(test_nasked, 2, "two are under way");
    pki_lookup_abandon(test_it);
    test_want(DEVICE_1);
    is_int(test_nasked, 3, "begun anew");
    test_reply(0, 200, FOUND_1, NULL);
    test_reply(1, 0, NULL, NULL);
    is_int(test_state(DEVICE_1), -1, "old replies do not count");
    test_reply(2, 200, FOUND_1, NULL);
    is_int(test_state(DEVICE_1), 0, "the new one does");

    /* Redis refuses to write */

    test_begin();
    test_want(DEVICE_1);
    test_redis("SET pki:{dir}:recheck no-zset");
    test_reply(0, 404, GONE, NULL);
    ok(test_logs == 1, "Redis has refused: %s", test_line);
    is_int(test_source.holder, 1, "but is there");
    (void) test_tick(60 * 1000);
    is_int(test_nasked, 2, "once more");

    test_begin();
    test_want(DEVICE_1);
    pki_test_redis_kill(SIGKILL);
    test_reply(0, 200, FOUND_1, NULL);
    ok(test_source.redis == NULL && !test_source.holder, "Redis is gone");
    pki_lookup_abandon(test_it);
    is_int(pki_lookup_room(test_it), 192, "and so are the jobs");

    pki_test_redis_spawn("--maxmemory-policy", "noeviction");
    redisFree(test_plain);
    test_plain = redisConnectUnix(pki_test_socket);
}


static void
test_memory(void)
{
    int  i, n, hit;

    for (n = 1; /* void */ ; n++) {
        test_begin();
        test_redis("ZADD pki:{dir}:recheck 9999 %s", DEVICE_1);

        pki_test_fail_at(n);
        (void) test_tick(1000);

        if (test_nasked) {
            test_reply(0, 200, FOUND_1, NULL);
        }

        hit = pki_test_fail_hit();
        pki_test_fail_at(0);

        if (!hit) {
            break;
        }

        /* and all is well when there is memory again */

        if (test_source.redis == NULL) {
            pki_lookup_abandon(test_it);
            test_connect();
            test_logs++;
        }

        for (i = 0; i < 3 && test_state(DEVICE_1) != 0; i++) {
            (void) test_tick(600 * 1000);

            if (test_nasked) {
                test_reply(test_nasked - 1, 200, FOUND_1, NULL);
            }
        }

        is_int(test_state(DEVICE_1), 0, "failure %d, but found in the end",
               n);
        ok(test_logs > 0, "as was said");
    }

    ok(n > 5, "%d failures", n - 1);
    is_int(test_state(DEVICE_1), 0, "and none: found at once");

    pki_test_fail_at(1);
    ok(pki_lookup_create(&test_source) == NULL, "no memory at all");
    pki_test_fail_at(0);
    pki_lookup_destroy(NULL);
}


int
main(void)
{
    pki_test_alloc_hook();
    pki_test_redis_start("--maxmemory-policy", "noeviction");
    test_plain = redisConnectUnix(pki_test_socket);

    test_wanted();
    test_unknown();
    test_hurry();
    test_known();
    test_strangers();
    test_pauses();
    test_limits();
    test_losses();
    test_memory();

    pki_lookup_destroy(test_it);
    pki_redis_sync_destroy(test_source.sync);
    redisFree(test_plain);

    return pki_test_done();
}

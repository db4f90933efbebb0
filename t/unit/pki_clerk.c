
/*
 * The clerk as it is: a real thread, a real Redis.  Lists of what was
 * revoked by hand: when they are made, and what they hold.
 */

#include "pki_test_clerk.h"


static void
test_manual(void)
{
    test_crl_t           crl;
    pki_clerk_t         *clerk;
    pki_serial_t         one, two;
    pki_clerk_stats_t    stats;
    unsigned long long   number, next;

    test_set("FLUSHALL");
    one = test_serial(1);
    two = test_serial(2);
    test_recorded(&one, pki_test_now() + 10000);

    clerk = test_clerk(&test_crl_conf, 1, NULL, 0, 0);

    number = test_next(PKI_LIST_FULL, 0);
    ok(test_read(PKI_LIST_FULL, &crl), "a list is made at once");
    is_int(crl.n, 0, "an empty one");
    is_int(crl.plan.number, number, "its number");
    is_int(crl.plan.base, 0, "complete");
    is_int(crl.plan.next_update - crl.plan.this_update, 3600, "its life");
    is_int(crl.info.next_update, crl.plan.next_update, "as is told");
    is_int(crl.info.len, test_reading.len, "its length");
    test_drop(&crl);

    test_revoked(&one, PKI_REASON_KEY_COMPROMISE);
    test_revoked(&two, PKI_REASON_CERTIFICATE_HOLD);
    pki_clerk_hint(clerk, "cb", 2, NULL, 0);
    ok(test_quiet(PKI_LIST_FULL, number, 150), "another issuer's news");

    pki_clerk_hint(clerk, "ca", 2, NULL, 0);
    pki_clerk_hint(clerk, "ca", 2, NULL, 0);
    next = test_next(PKI_LIST_FULL, number);
    ok(next > number, "a hint, a list");
    number = next;

    ok(test_read(PKI_LIST_FULL, &crl), "it is read");
    is_int(crl.n, 2, "two entries");
    is_int(test_entry(&crl, &one)->reason, PKI_REASON_KEY_COMPROMISE,
           "for good");
    is_int(test_entry(&crl, &one)->at, pki_test_now(), "since then");
    is_int(test_entry(&crl, &two)->reason, PKI_REASON_CERTIFICATE_HOLD,
           "a hold, never recorded");
    test_drop(&crl);

    test_released(&two);
    pki_clerk_hint(clerk, "", 0, NULL, 0);
    next = test_next(PKI_LIST_FULL, number);
    ok(next > number && test_read(PKI_LIST_FULL, &crl), "after a release");
    is_int(crl.n, 1, "one entry");
    test_drop(&crl);

    /* nothing to tell */

    pki_clerk_hint(clerk, "ca", 2, NULL, 0);
    ok(test_quiet(PKI_LIST_FULL, next, 300), "a hint for nothing, no list");

    pki_clerk_stats(clerk, 0, &stats);
    is_int(stats.holder, 1, "the lease is held");
    is_int(stats.number, next, "the number is told");
    is_int(stats.entries, 1, "and the entries");
    is_int(stats.lists, 3, "and how many lists");
    is_int(stats.failures, 0, "no failure");
    pki_clerk_stats(clerk, 1, &stats);
    is_int(stats.number, 0, "there is no other");
    ok(test_mail(clerk, "crl \"ca\": list ") == 3, "a letter for each");

    test_end(clerk, "lists by hand");

    /* another begins where the first has ended */

    clerk = test_clerk(&test_crl_conf, 1, NULL, 0, 0);
    ok(test_quiet(PKI_LIST_FULL, next, 300), "nothing new, no new list");
    test_end(clerk, "nothing new");

    test_revoked(&two, PKI_REASON_SUPERSEDED);
    clerk = test_clerk(&test_crl_conf, 1, NULL, 0, 0);
    number = test_next(PKI_LIST_FULL, next);
    ok(number > next, "what happened meanwhile is on a list at once");
    test_end(clerk, "something new");
}


static void
test_hint(pki_clerk_t *clerk, const char *serial)
{
    pki_clerk_hint(clerk, "ca", 2, serial, strlen(serial));
}


/* News of a certificate: only it is looked at, unless there is more to it. */

static void
test_named(void)
{
    char                 text[20];
    unsigned             i;
    test_crl_t           crl;
    pki_clerk_t         *clerk;
    pki_serial_t         one, two;
    unsigned long long   number;

    test_set("FLUSHALL");
    one = test_serial(1);
    two = test_serial(2);

    clerk = test_clerk(&test_crl_conf, 1, NULL, 0, 0);
    number = test_next(PKI_LIST_FULL, 0);
    test_revoked(&two, PKI_REASON_CERTIFICATE_HOLD);

    test_hint(clerk, "4001");
    test_hint(clerk, "nonsense");
    ok(test_quiet(PKI_LIST_FULL, number, 300), "news of what is as it was");

    test_revoked(&one, PKI_REASON_SUPERSEDED);
    test_hint(clerk, "4001");
    number = test_next(PKI_LIST_FULL, number);
    ok(number && test_read(PKI_LIST_FULL, &crl), "news of a revocation");
    is_int(crl.n, 2, "all that are revoked");
    test_drop(&crl);

    test_hint(clerk, "4001");
    test_hint(clerk, "4002");
    ok(test_quiet(PKI_LIST_FULL, number, 300), "which are on the list now");

    test_revoked(&two, PKI_REASON_SUPERSEDED);
    test_hint(clerk, "4002");
    number = test_next(PKI_LIST_FULL, number);
    ok(number && test_read(PKI_LIST_FULL, &crl), "another reason");
    is_int(test_entry(&crl, &two)->reason, PKI_REASON_SUPERSEDED, "is told");
    test_drop(&crl);

    /* too many, or what cannot be one: all are looked at */

    test_revoked(&test_view.ca->serial, PKI_REASON_SUPERSEDED);

    for (i = 0; i < 200; i++) {
        (void) snprintf(text, sizeof(text), "50%04X", i);
        test_hint(clerk, text);
    }

    number = test_next(PKI_LIST_FULL, number);
    ok(number && test_read(PKI_LIST_FULL, &crl), "many news");
    is_int(crl.n, 3, "one that nobody told of is found");
    test_drop(&crl);
    test_end(clerk, "news");
}


/* It is renewed in its time, and whoever ends is on one more. */

static void
test_renewal(void)
{
    time_t               end;
    test_crl_t           crl;
    pki_clerk_t         *clerk;
    pki_serial_t         one, two;
    pki_clerk_crl_t      conf;
    unsigned             on, beyond;
    unsigned long long   number;

    test_set("FLUSHALL");
    one = test_serial(1);
    two = test_serial(2);
    end = time(NULL) + 1;
    test_recorded(&one, end);
    test_recorded(&two, end - 100);
    test_revoked(&one, PKI_REASON_SUPERSEDED);
    test_revoked(&two, PKI_REASON_SUPERSEDED);

    conf = test_crl_conf;
    conf.valid = 3;
    conf.renew = 2;
    clerk = test_clerk(&conf, 1, NULL, 0, 0);

    beyond = 0;

    for (number = 0, on = 1; on; test_drop(&crl)) {
        number = test_next(PKI_LIST_FULL, number);

        if (number == 0 || !test_read(PKI_LIST_FULL, &crl)) {
            ok(0, "a list");
            break;
        }

        ok(test_entry(&crl, &two) == NULL, "ended before the first list");
        on = test_entry(&crl, &one) != NULL;

        if (on && crl.plan.this_update > end) {
            beyond++;
        }
    }

    is_int(beyond, 1, "on one list beyond its end");
    test_end(clerk, "renewals");
}


/* Imported after its revocation: from then on its end is known. */

static void
test_late(void)
{
    unsigned             i, on;
    test_crl_t           crl;
    pki_clerk_t         *clerk;
    pki_serial_t         one;
    pki_clerk_crl_t      conf;
    unsigned long long   number;

    test_set("FLUSHALL");
    one = test_serial(1);
    test_revoked(&one, PKI_REASON_SUPERSEDED);

    conf = test_crl_conf;
    conf.valid = 3;
    conf.renew = 2;
    clerk = test_clerk(&conf, 1, NULL, 0, 0);

    number = test_next(PKI_LIST_FULL, 0);
    ok(number && test_read(PKI_LIST_FULL, &crl), "a list");
    is_int(crl.n, 1, "with one that was never recorded");
    test_drop(&crl);

    test_recorded(&one, time(NULL) - 100);

    for (i = 0, on = 1; on && i < 3; i++) {
        number = test_next(PKI_LIST_FULL, number);

        if (number && test_read(PKI_LIST_FULL, &crl)) {
            on = test_entry(&crl, &one) != NULL;
            test_drop(&crl);
        }
    }

    is_int(on, 0, "recorded, it leaves, for it has ended");
    test_end(clerk, "a late record");
}


static void
test_delta(void)
{
    test_crl_t           crl;
    pki_clerk_t         *clerk;
    pki_serial_t         one, two;
    pki_clerk_crl_t      conf;
    unsigned long long   full, delta, next;

    test_set("FLUSHALL");
    one = test_serial(1);
    two = test_serial(2);
    test_revoked(&one, PKI_REASON_CERTIFICATE_HOLD);

    conf = test_crl_conf;
    conf.delta = 600;
    conf.freshest = "http://127.0.0.1/delta.crl";
    clerk = test_clerk(&conf, 1, NULL, 0, 0);

    delta = test_next(PKI_LIST_DELTA, 0);
    ok(test_read(PKI_LIST_FULL, &crl), "a complete list");
    full = crl.plan.number;
    is_int(crl.n, 1, "with the hold");
    test_drop(&crl);

    ok(test_read(PKI_LIST_DELTA, &crl), "and a delta with it");
    is_int(delta, full, "of one number");
    is_int(crl.plan.base, full, "based on it");
    is_int(crl.n, 0, "without a change");
    is_int(crl.plan.next_update - crl.plan.this_update, 600, "its life");
    test_drop(&crl);

    test_released(&one);
    test_revoked(&two, PKI_REASON_KEY_COMPROMISE);
    pki_clerk_hint(clerk, "ca", 2, NULL, 0);
    next = test_next(PKI_LIST_DELTA, delta);
    ok(next > delta && test_read(PKI_LIST_DELTA, &crl), "a new delta");
    is_int(crl.plan.base, full, "on the same base");
    is_int(crl.n, 2, "both changes");
    is_int(test_entry(&crl, &one)->reason, PKI_REASON_REMOVE_FROM_CRL,
           "one gone");
    is_int(test_entry(&crl, &two)->reason, PKI_REASON_KEY_COMPROMISE,
           "one new");
    test_drop(&crl);
    test_infos();
    is_int(test_reading.info[PKI_LIST_FULL].number, full, "the base stays");
    test_end(clerk, "deltas");

    /* what the delta says is known after a restart */

    clerk = test_clerk(&conf, 1, NULL, 0, 0);
    ok(test_quiet(PKI_LIST_DELTA, next, 300), "nothing new, no delta");
    test_revoked(&one, PKI_REASON_SUPERSEDED);
    pki_clerk_hint(clerk, "ca", 2, NULL, 0);
    delta = test_next(PKI_LIST_DELTA, next);
    ok(delta > next && test_read(PKI_LIST_DELTA, &crl), "one more");
    is_int(crl.plan.base, full, "still on that base");
    is_int(crl.n, 2, "both changes");
    is_int(test_entry(&crl, &one)->reason, PKI_REASON_SUPERSEDED,
           "from a hold to a final reason");
    test_drop(&crl);
    test_end(clerk, "deltas, again");
}


/* RFC 5280, 5.2.4: a hold that only a delta has told of, and its release */

static void
test_delta_hold(void)
{
    test_crl_t           crl;
    pki_clerk_t         *clerk;
    pki_serial_t         one, two;
    pki_clerk_crl_t      conf;
    unsigned long long   full, delta;

    test_set("FLUSHALL");
    one = test_serial(1);
    two = test_serial(2);

    conf = test_crl_conf;
    conf.delta = 600;
    clerk = test_clerk(&conf, 1, NULL, 0, 0);

    delta = test_next(PKI_LIST_DELTA, 0);
    test_revoked(&one, PKI_REASON_CERTIFICATE_HOLD);
    pki_clerk_hint(clerk, "ca", 2, NULL, 0);
    delta = test_next(PKI_LIST_DELTA, delta);
    ok(delta && test_read(PKI_LIST_DELTA, &crl), "a hold");
    full = crl.plan.base;
    is_int(crl.n, 1, "in the delta");
    test_drop(&crl);

    test_released(&one);
    pki_clerk_hint(clerk, "ca", 2, NULL, 0);
    delta = test_next(PKI_LIST_DELTA, delta);
    ok(delta && test_read(PKI_LIST_DELTA, &crl), "its release");
    is_int(crl.plan.base, full, "on the same base");
    is_int(crl.n, 1, "is told as well");
    is_int(crl.n ? (long) test_entry(&crl, &one)->reason : -1,
           PKI_REASON_REMOVE_FROM_CRL, "though the base does not have it");
    test_drop(&crl);
    test_end(clerk, "a hold that came and went");

    /* and by each delta of this base, whoever makes it */

    clerk = test_clerk(&conf, 1, NULL, 0, 0);
    test_revoked(&two, PKI_REASON_SUPERSEDED);
    pki_clerk_hint(clerk, "ca", 2, NULL, 0);
    delta = test_next(PKI_LIST_DELTA, delta);
    ok(delta && test_read(PKI_LIST_DELTA, &crl), "the next delta");
    is_int(crl.plan.base, full, "of that base");
    is_int(crl.n, 2, "tells it again");
    test_drop(&crl);

    test_revoked(&one, PKI_REASON_SUPERSEDED);
    pki_clerk_hint(clerk, "ca", 2, NULL, 0);
    delta = test_next(PKI_LIST_DELTA, delta);
    ok(delta && test_read(PKI_LIST_DELTA, &crl), "revoked after all");
    is_int(crl.n, 2, "an entry each");
    is_int(test_entry(&crl, &one)->reason, PKI_REASON_SUPERSEDED,
           "which is the newer one");
    test_drop(&crl);
    test_end(clerk, "a hold, again");
}


static void
test_broken(void)
{
    test_crl_t           crl;
    pki_clerk_t         *clerk;
    pki_serial_t         one;
    unsigned long long   number, next;

    test_set("FLUSHALL");
    one = test_serial(1);
    test_revoked(&one, PKI_REASON_SUPERSEDED);

    clerk = test_clerk(&test_crl_conf, 1, NULL, 0, 0);
    number = test_next(PKI_LIST_FULL, 0);
    test_end(clerk, "a list");

    test_set("SETRANGE pki:{ca}:crl:%llu 100 xx", number);
    clerk = test_clerk(&test_crl_conf, 1, NULL, 0, 0);
    next = test_next(PKI_LIST_FULL, number);
    ok(next > number && test_read(PKI_LIST_FULL, &crl),
       "a list that was changed is made anew");
    is_int(crl.n, 1, "with what it held");
    test_drop(&crl);
    is_int(test_mail(clerk, "cannot be used"), 1, "a letter");
    test_end(clerk, "a broken list");

    test_set("DEL pki:{ca}:crl:%llu", next);
    clerk = test_clerk(&test_crl_conf, 1, NULL, 0, 0);
    number = test_next(PKI_LIST_FULL, next);
    ok(number > next, "one that is lost is made anew");
    test_end(clerk, "a lost list");

    /* what cannot be read is not left out */

    test_set("HSET pki:{ca}:revoked 4003 nonsense");
    clerk = test_clerk(&test_crl_conf, 1, NULL, 0, 0);
    ok(test_quiet(PKI_LIST_FULL, number, 1500), "no list without it");
    is_int(test_mail(clerk, "unreadable revocation record"), 1,
           "one letter for one cause");
    test_set("HDEL pki:{ca}:revoked 4003");
    test_revoked(&test_view.ca->serial, PKI_REASON_SUPERSEDED);
    ok(test_next(PKI_LIST_FULL, number) > number, "then it goes on");
    (void) usleep(100 * 1000);
    is_int(test_mail(clerk, "goes on"), 1, "and says so");
    test_end(clerk, "an unreadable record");
}


int
main(void)
{
    test_open();

    test_manual();
    test_named();
    test_renewal();
    test_late();
    test_delta();
    test_delta_hold();
    test_broken();

    test_shut();

    return pki_test_done();
}

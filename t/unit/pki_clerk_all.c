
/*
 * Lists that hold what directories revoked: the pages of the book, surveys,
 * and what stays while a directory does not answer.
 */

#include "pki_test_clerk.h"


#define TEST_CERTS  700         /* some pages */


static pki_directory_conf_t  test_dir;


static pki_serial_t
test_device(unsigned n)
{
    pki_serial_t   serial;
    pki_binding_t  binding;

    memset(&binding, 0, sizeof(binding));
    binding.kind = PKI_KIND_DEVICE;
    binding.payload[0] = (unsigned char) n;
    binding.payload[1] = (unsigned char) (n >> 8);

    pki_serial_make_plain(&binding, (const unsigned char *) "abc", &serial);

    return serial;
}


static void
test_state(unsigned n, unsigned state, time_t since)
{
    char             record[64];
    pki_serial_t     serial;
    pki_binding_t    binding;
    pki_object_id_t  objects[PKI_BINDING_OBJECTS];

    serial = test_device(n);
    (void) pki_serial_open(&serial, NULL, &binding);
    (void) pki_binding_objects(&binding, objects);

    (void) snprintf(record, sizeof(record), "1 %u %lld", state,
                    (long long) since);
    test_set("SET pki:{dir}:object:%s %s", objects[0].id, record);
}


static void
test_world(void)
{
    unsigned      i;
    pki_serial_t  serial;

    test_set("FLUSHALL");

    for (i = 0; i < TEST_CERTS; i++) {
        serial = test_device(i);
        test_recorded(&serial, pki_test_now() + (i == 5 ? -100 : 10000));
        test_state(i, 0, 1000);
    }

    test_set("HSET pki:{dir}:sync push.at %lld", (long long) time(NULL));
}


static const pki_crl_entry_t *
test_of(const test_crl_t *crl, unsigned n)
{
    pki_serial_t  serial;

    serial = test_device(n);

    return test_entry(crl, &serial);
}


static unsigned long long
test_list(unsigned long long number, size_t n, const char *what)
{
    test_crl_t  crl;

    number = test_next(PKI_LIST_FULL, number);
    ok(number && test_read(PKI_LIST_FULL, &crl), "%s: a list", what);
    is_int(crl.n, n, "its entries");
    test_drop(&crl);

    return number;
}


static void
test_directory(void)
{
    test_crl_t           crl;
    redisReply          *reply;
    pki_clerk_t         *clerk;
    pki_serial_t         serial;
    unsigned long long   number;

    test_world();
    test_state(3, PKI_OBJECT_DELETED, 2000);
    test_state(5, PKI_OBJECT_DELETED, 2000);
    test_state(600, PKI_OBJECT_DISABLED, 3000);
    test_state(699, PKI_OBJECT_DELETED, 4000);
    serial = test_serial(1);
    test_revoked(&serial, PKI_REASON_SUPERSEDED);
    serial = test_device(600);
    test_revoked(&serial, PKI_REASON_KEY_COMPROMISE);

    reply = test_redis("HGET pki:{ca}:book newest");
    ok(reply->str && atoi(reply->str) > 1, "several pages");
    freeReplyObject(reply);

    clerk = test_clerk(&test_crl_conf, 1, NULL, 0, 0);
    number = test_next(PKI_LIST_FULL, 0);
    ok(test_read(PKI_LIST_FULL, &crl), "a list");
    is_int(crl.n, 4, "its entries");
    is_int(test_of(&crl, 3)->reason, PKI_REASON_CESSATION_OF_OPERATION,
           "a deleted device");
    is_int(test_of(&crl, 3)->at, 2000, "since then");
    ok(test_of(&crl, 5) == NULL, "one that has ended");
    is_int(test_of(&crl, 600)->reason, PKI_REASON_KEY_COMPROMISE,
           "what is for good comes before a hold");
    is_int(test_of(&crl, 699)->at, 4000, "one of the last page");
    test_drop(&crl);

    /* what changes, by hand and there */

    test_state(3, 0, 5000);
    test_state(7, PKI_OBJECT_DISABLED, 5000);
    pki_clerk_hint_object(clerk, NULL, 0);
    number = test_list(number, 4, "one is back, one on hold");

    serial = test_device(8);
    test_revoked(&serial, PKI_REASON_CERTIFICATE_HOLD);
    pki_clerk_hint(clerk, "ca", 2, NULL, 0);
    number = test_list(number, 5, "one more by hand");
    pki_clerk_hint_object(clerk, NULL, 0);
    ok(test_quiet(PKI_LIST_FULL, number, 400), "a change of nothing");

    /* the directory is not to be believed any more: what was said stays */

    test_set("HSET pki:{dir}:sync push.at 1000");
    test_state(9, PKI_OBJECT_DISABLED, 5000);
    test_released(&serial);
    serial = test_serial(2);
    test_revoked(&serial, PKI_REASON_SUPERSEDED);
    pki_clerk_hint_object(clerk, NULL, 0);
    pki_clerk_hint(clerk, "ca", 2, NULL, 0);
    number = test_list(number, 6, "an overdue directory");

    test_set("HSET pki:{dir}:sync push.at %lld", (long long) time(NULL));
    pki_clerk_hint_object(clerk, NULL, 0);
    number = test_next(PKI_LIST_FULL, number);
    ok(number && test_read(PKI_LIST_FULL, &crl), "back again");
    ok(test_of(&crl, 7) != NULL, "a hold stays");
    ok(test_of(&crl, 8) == NULL, "one that was released is gone");
    ok(test_of(&crl, 9) != NULL, "one is new");
    is_int(crl.n, 6, "that is all");
    test_drop(&crl);

    test_end(clerk, "lists of all");

    clerk = test_clerk(&test_crl_conf, 1, NULL, 0, 0);
    ok(test_quiet(PKI_LIST_FULL, number, 500), "the same after a restart");
    test_end(clerk, "a restart");
}


static void
test_changed_device(pki_clerk_t *clerk, unsigned n)
{
    pki_serial_t     serial;
    pki_binding_t    binding;
    pki_object_id_t  objects[PKI_BINDING_OBJECTS];

    serial = test_device(n);
    (void) pki_serial_open(&serial, NULL, &binding);
    (void) pki_binding_objects(&binding, objects);

    pki_clerk_hint_object(clerk, objects[0].id, strlen(objects[0].id));
}


/* News of an object: its certificates are looked at, and no others. */

static void
test_objects(void)
{
    unsigned             i;
    test_crl_t           crl;
    pki_clerk_t         *clerk;
    unsigned long long   number;

    test_infos();
    number = test_reading.info[PKI_LIST_FULL].number;
    clerk = test_clerk(&test_crl_conf, 1, NULL, 0, 0);
    ok(test_quiet(PKI_LIST_FULL, number, 500), "nothing new");

    test_state(20, PKI_OBJECT_DELETED, 2000);
    test_state(21, PKI_OBJECT_DELETED, 2000);
    test_changed_device(clerk, 20);
    test_changed_device(clerk, 500);
    test_changed_device(clerk, 60000);
    number = test_next(PKI_LIST_FULL, number);
    ok(number && test_read(PKI_LIST_FULL, &crl), "news of one: a list");
    ok(test_of(&crl, 20) != NULL, "it is there");
    ok(test_of(&crl, 21) == NULL, "not what there were no news of");
    test_drop(&crl);

    test_state(20, 0, 2000);
    test_changed_device(clerk, 20);
    number = test_next(PKI_LIST_FULL, number);
    ok(number && test_read(PKI_LIST_FULL, &crl), "one is back");
    ok(test_of(&crl, 20) == NULL, "and gone from the list");
    test_drop(&crl);

    /* too many, or what cannot be an object: all are looked at */

    for (i = 100; i < 300; i++) {
        test_changed_device(clerk, i);
    }

    test_state(22, PKI_OBJECT_DELETED, 2000);

    do {
        number = test_next(PKI_LIST_FULL, number);
        ok(number && test_read(PKI_LIST_FULL, &crl), "too many news");
        i = test_of(&crl, 22) != NULL;
        test_drop(&crl);
    } while (number && !i);

    test_state(23, PKI_OBJECT_DELETED, 2000);
    pki_clerk_hint_object(clerk, "a b", 3);
    number = test_next(PKI_LIST_FULL, number);
    ok(number && test_read(PKI_LIST_FULL, &crl), "odd news");
    ok(test_of(&crl, 23) != NULL, "one that nobody told of is found");
    test_drop(&crl);
    test_end(clerk, "news of objects");
}


/* A pass that takes long: the stop comes into it, and so does the lease. */

static void
test_busy(void)
{
    pki_clerk_t       *clerk;
    pki_clerk_stats_t  stats;

    test_set("DEL pki:{ca}:crl");
    clerk = test_clerk(&test_crl_conf, 1, NULL, 0, 0);
    (void) usleep(12 * 1000);
    test_end(clerk, "in the middle of a pass");

    clerk = test_clerk(&test_crl_conf, 1, NULL, 0, 30);
    ok(test_next(PKI_LIST_FULL, 0) > 0, "renewed in the middle");
    (void) usleep(50 * 1000);
    pki_clerk_stats(clerk, 0, &stats);
    is_int(stats.failures, 0, "no failure");
    test_end(clerk, "a short lease");
}


/* What somebody else has written into a page is passed over. */

static void
test_lines(void)
{
    pki_clerk_t         *clerk;
    unsigned long long   number;

    test_infos();
    number = test_reading.info[PKI_LIST_FULL].number;

    test_set("SET pki:{ca}:page:1 nonsense\n\n\t\t\nmore");
    test_state(650, PKI_OBJECT_DELETED, 2000);
    clerk = test_clerk(&test_crl_conf, 1, NULL, 0, 0);
    ok(test_next(PKI_LIST_FULL, number) > number, "a list in spite of it");
    test_end(clerk, "a page that is not ours");
}


int
main(void)
{
    test_open();

    test_dir.name = "dir";
    test_dir.dialect = &pki_push;
    test_dir.classes = 1 << PKI_OBJECT_DEVICE;
    test_view.n = 1;
    test_view.directories[0].conf = &test_dir;
    test_view.directories[0].name = "dir";
    test_view.directories[0].max_age = 3600;
    test_crl_conf.content = PKI_CRL_ALL;

    test_directory();
    test_objects();
    test_busy();
    test_lines();

    test_shut();

    return pki_test_done();
}

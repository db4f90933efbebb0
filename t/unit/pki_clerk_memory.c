
/*
 * Memory fails at each place in turn while lists are made, without the
 * thread: nothing wrong is published, nothing leaks, and the next turn makes
 * what this one could not.
 */

#include "pki_test_clerk.h"
#include "pki_clerk_job.h"


#define TEST_CERTS  70          /* a survey and a bit */
#define TEST_LISTED  10         /* of them, and three by hand */


static pki_directory_conf_t  test_dir;
static pki_clerk_t           test_self;


static pki_serial_t
test_device(unsigned n)
{
    pki_serial_t   serial;
    pki_binding_t  binding;

    memset(&binding, 0, sizeof(binding));
    binding.kind = PKI_KIND_DEVICE;
    binding.payload[0] = (unsigned char) n;
    pki_serial_make_plain(&binding, (const unsigned char *) "abc", &serial);

    return serial;
}


static void
test_world(void)
{
    unsigned         i;
    pki_serial_t     serial;
    pki_binding_t    binding;
    pki_object_id_t  objects[PKI_BINDING_OBJECTS];

    for (i = 0; i < TEST_CERTS; i++) {
        serial = test_device(i);
        test_recorded(&serial, pki_test_now() + 10000);

        (void) pki_serial_open(&serial, NULL, &binding);
        (void) pki_binding_objects(&binding, objects);
        test_set("SET pki:{dir}:object:%s %s", objects[0].id,
                 i % 10 == 3 ? "1 1 1000" : "1 0 1000");
    }

    test_set("HSET pki:{dir}:sync push.at %lld", (long long) time(NULL));

    for (i = 0; i < 3; i++) {
        serial = test_serial(i);
        test_revoked(&serial, PKI_REASON_SUPERSEDED);
    }
}


/* One turn of a job that begins; the lists of the one before are there. */

static int
test_turn(pki_clerk_job_t *job, long fail)
{
    int        hit;
    pki_err_t  err;

    memset(job, 0, sizeof(pki_clerk_job_t));

    if (pki_clerk_crl_init(job, &test_self, &test_crl_conf, "test", &err)
        != PKI_OK)
    {
        printf("Bail out! %s\n", err.text);
        exit(1);
    }

    pki_test_fail_at(fail);
    (void) pki_clerk_crl_tick(job);
    hit = pki_test_fail_hit();
    pki_test_fail_at(0);

    return hit;
}


static void
test_failures(void)
{
    int               hit;
    long              n;
    unsigned          wrong, failed;
    test_crl_t        full, delta;
    pki_clerk_job_t   job;

    wrong = 0;
    failed = 0;

    /* one in three: each takes two turns with their rests */

    for (n = 1, hit = 1; hit; n += 3) {
        test_set("DEL pki:{ca}:crl pki:{ca}:crl-lease");
        hit = test_turn(&job, n);

        /* what is there is right, or the job knows that it has failed */

        failed += job.failures != 0;

        if (test_read(PKI_LIST_FULL, &full)) {
            wrong += full.n != TEST_LISTED;
            test_drop(&full);

        } else {
            wrong += job.failures == 0;
        }

        job.due = 0;
        (void) pki_clerk_crl_tick(&job);

        if (!test_read(PKI_LIST_FULL, &full)
            || !test_read(PKI_LIST_DELTA, &delta))
        {
            ok(0, "the turn after failure %ld makes lists", n);
            break;
        }

        wrong += full.n != TEST_LISTED || delta.n != 0 || job.failures != 0;
        test_drop(&full);
        test_drop(&delta);

        pki_clerk_crl_leave(&job);
        pki_clerk_crl_free(&job);
    }

    ok(n > 100 && wrong == 0, "up to %ld failures, %u seen: lists are right", n,
       failed);
}


static void
test_create(void)
{
    int                n;
    pki_err_t          err;
    pki_clerk_t       *clerk;
    pki_clerk_conf_t   conf;

    memset(&conf, 0, sizeof(conf));

    for (n = 1, clerk = NULL; clerk == NULL; n++) {
        err.text[0] = '\0';
        pki_test_fail_at(n);
        clerk = pki_clerk_create(&conf, &err);
        pki_test_fail_at(0);

        ok(clerk != NULL || err.text[0] != '\0', "%d: %s", n, err.text);
    }

    ok(n > 3, "%d failures", n - 2);
    test_end(clerk, "nothing to do");
}


int
main(void)
{
    pki_err_t  err;

    test_open();

    test_dir.name = "dir";
    test_dir.dialect = &pki_push;
    test_dir.classes = 1 << PKI_OBJECT_DEVICE;
    test_view.n = 1;
    test_view.directories[0].conf = &test_dir;
    test_view.directories[0].name = "dir";
    test_crl_conf.content = PKI_CRL_ALL;
    test_crl_conf.delta = 600;

    pki_test_need(pki_thread_init(&test_self.thread, NULL, NULL, &err)
                  == PKI_OK, "a clerk");
    test_self.fetch = pki_fetch_create(test_self.thread.wake, &err);
    pki_test_need(test_self.fetch != NULL, "a fetcher");
    test_self.lease = 15000;

    test_world();
    test_failures();
    test_create();

    pki_fetch_destroy(test_self.fetch);
    pki_thread_free(&test_self.thread);
    test_shut();

    return pki_test_done();
}

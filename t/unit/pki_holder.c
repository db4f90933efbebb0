
/*
 * The lease, and the Redis that it is kept in: taken, lost, taken over, and
 * given back as far as there is somebody to take it.
 */

#include "pki_test_poller.h"


static pid_t
test_child(void)
{
    pid_t                  pid;
    pki_directory_conf_t   conf;

    fflush(stdout);

    pid = fork();

    if (pid == 0) {
        test_conf(&conf, "dir");
        conf.url = "http://127.0.0.1:1";
        (void) test_start(&conf, 1, "child", 900);

        for ( ;; ) {
            (void) pause();
        }
    }

    return pid;
}


/* A poller in another process is killed; ours takes over when its lease has
   run out, and not before.  To be called before there are threads. */

static void
test_takeover(void)
{
    long                   ms;
    pid_t                  pid;
    long long              left;
    pki_poller_t          *poller;
    pki_directory_conf_t   conf;

    pid = test_child();
    ok(test_until(test_leased_by, "child ") >= 0, "another process polls");

    test_conf(&conf, "dir");
    conf.url = "http://127.0.0.1:1";
    poller = test_start(&conf, 1, "heir", 900);
    (void) usleep(700 * 1000);
    ok(test_leased_by("child "), "and goes on to do so");

    (void) kill(pid, SIGKILL);
    (void) waitpid(pid, NULL, 0);
    left = atoll(test_redis("PTTL pki:{dir}:lease"));
    ms = test_until(test_held, poller);
    ok(ms >= left - 20 && ms < left + 900, "killed: %ld ms later, and its "
       "lease had %lld ms left", ms, left);
    ok(test_leased_by("heir "), "this one has the lease");
    test_end(poller, "the heir");
}


static void
test_leases(void)
{
    pki_poller_t          *poller;
    pki_directory_conf_t   conf;

    test_redis("FLUSHALL");
    test_redis("SET pki:{dir}:lease %s", "other 1");
    test_conf(&conf, "dir");
    poller = test_start(&conf, 1, "a", 300);
    (void) usleep(350 * 1000);
    ok(test_free(poller), "somebody else polls");
    ok(!test_object(DEVICE_1), "so this one does not");
    is_int(test_mail(poller, "another process polls it"), 1, "said once");

    test_redis("DEL pki:{dir}:lease");
    ok(test_until(test_round, poller) >= 0, "now it does");
    is_int(test_mail(poller, "this process polls it"), 1, "as it says");

    test_redis("SET pki:{dir}:lease %s", "other 1");
    ok(test_until(test_free, poller) >= 0, "the lease is lost");
    is_int(test_mail(poller, "the lease is lost"), 1, "in one line");

    test_redis("DEL pki:{dir}:lease");
    ok(test_until(test_held, poller) >= 0, "and comes back");
    ok(test_until(test_second_round, poller) >= 0, "with a round");
    (void) test_mail(poller, "");

    /* it had run out, and was free */

    test_redis("DEL pki:{dir}:lease");
    ok(test_until(test_leased_by, "a ") >= 0, "taken again");
    test_end(poller, "with leases");
}


/* The default lease is tried for each five seconds; a hint is quicker. */

static void
test_hinted(void)
{
    int                    i;
    long                   ms;
    pki_poller_t          *poller;
    pki_directory_conf_t   conf;

    test_redis("FLUSHALL");
    test_redis("SET pki:{dir}:lease %s", "other 1");
    test_conf(&conf, "dir");
    poller = test_start(&conf, 1, "a", 0);
    (void) usleep(200 * 1000);
    ok(test_free(poller), "somebody else polls");

    for (i = 0; i < 100; i++) {
        pki_poller_hint(poller, "dir", 3);
        (void) usleep(1000);
    }

    ok(test_free(poller), "hints do not take the lease away");
    test_redis("DEL pki:{dir}:lease");
    pki_poller_hint(poller, "dir", 3);
    ms = test_until(test_held, poller);
    ok(ms >= 0 && ms < 1000, "free, and hinted at: taken in %ld ms", ms);
    test_end(poller, "with hints");
}


static void
test_redis_gone(void)
{
    pki_poller_t          *poller;
    pki_directory_conf_t   conf;

    test_redis("FLUSHALL");
    test_conf(&conf, "dir");
    poller = test_start(&conf, 1, "a", 300);
    ok(test_until(test_round, poller) >= 0, "a round");
    (void) test_mail(poller, "");

    redisFree(test_plain);
    pki_test_redis_kill(SIGKILL);
    ok(test_until(test_free, poller) >= 0, "Redis is gone");
    (void) usleep(100 * 1000);

    pki_test_redis_spawn("--maxmemory-policy", "noeviction");
    test_plain = redisConnectUnix(pki_test_socket);
    ok(test_until(test_held, poller) >= 0, "and is back");
    (void) usleep(20 * 1000);
    is_int(test_mail(poller, "Redis answers again"), 1, "as it says");
    test_end(poller, "Redis was gone");
}


/* Redis stops in the middle, where the lease should be given back. */

static void
test_frozen(void)
{
    pki_poller_t          *poller;
    pki_directory_conf_t   conf;

    test_redis("FLUSHALL");
    test_conf(&conf, "dir");
    conf.redis.timeout = 20000;
    poller = test_start(&conf, 1, "a", 0);
    ok(test_until(test_round, poller) >= 0, "a round");

    (void) kill(pki_test_redis_pid, SIGSTOP);
    test_end(poller, "a frozen Redis");
    poller = test_start(&conf, 1, "a", 0);
    (void) usleep(20 * 1000);
    test_end(poller, "frozen from the beginning");
    (void) kill(pki_test_redis_pid, SIGCONT);
}


int
main(void)
{
    test_open();
    test_takeover();
    test_serve();

    test_leases();
    test_hinted();
    test_redis_gone();
    test_frozen();

    test_close();

    return pki_test_done();
}

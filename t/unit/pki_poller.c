
/*
 * The poller as it is: a real thread, a real Redis, real rounds of a toy
 * dialect, and a small HTTP server.
 */

#include "pki_test_poller.h"

#include <dirent.h>


static pthread_t      test_main_thread;
static volatile int   test_signals;
static volatile int   test_strayed;


static unsigned
test_threads(void)
{
    DIR            *dir;
    unsigned        n;
    struct dirent  *entry;

    dir = opendir("/proc/self/task");
    if (dir == NULL) {
        return 0;
    }

    for (n = 0; (entry = readdir(dir)) != NULL; ) {
        n += entry->d_name[0] != '.';
    }

    (void) closedir(dir);

    return n;
}


static void
test_signal(int signo)
{
    (void) signo;

    if (!pthread_equal(pthread_self(), test_main_thread)) {
        test_strayed = 1;
    }

    test_signals = test_signals + 1;
}


static void
test_rounds(void)
{
    char                   name[8], secret[8];
    pki_poller_t          *poller;
    pki_poller_stats_t     stats;
    pki_directory_conf_t   conf[2];

    test_redis("FLUSHALL");
    test_conf(&conf[0], "dir");
    test_conf(&conf[1], "mute");
    conf[1].dialect = &test_mute;

    strcpy(name, "dir");
    strcpy(secret, "token");
    conf[0].name = name;
    conf[0].login.secret = secret;

    poller = test_start(conf, 2, "host\n1", 0);

    /* the settings are its own */

    memset(conf, 0x5a, sizeof(conf));
    memset(name, 0x5a, sizeof(name));
    memset(secret, 0x5a, sizeof(secret));

    ok(test_until(test_object, DEVICE_1) >= 0, "a round is made");
    ok(test_until(test_round, poller) >= 0, "and counted");
    is_int(pki_poller_stats(poller, &stats, 1), 1,
           "one resource: nobody polls the other directory");
    is_str(stats.directory, "dir", "its directory");
    is_str(stats.resource, "devices", "its name");
    is_int(stats.holder, 1, "it holds the lease");
    ok(test_leased_by("host_1 "), "by a token of its own");
    is_int(strlen(test_redis("GET pki:{dir}:lease")), 7 + 32,
           "with a random part");
    ok(test_until(test_reported, NULL) >= 0, "the status is told");
    is_int(__atomic_load_n(&test_rings, __ATOMIC_SEQ_CST), 1, "a ring");
    is_int(test_mail(poller, "directory \"dir\": this process polls it"), 1,
           "a letter");

    test_end(poller, "after a round");
    is_str(test_redis("EXISTS pki:{dir}:lease"), "0",
           "and the lease was given back");
}


static void
test_hints(void)
{
    long                   ms;
    int                    n;
    pki_poller_t          *poller;
    pki_poller_stats_t     stats;
    pki_directory_conf_t   conf;

    test_redis("FLUSHALL");
    test_conf(&conf, "dir");
    poller = test_start(&conf, 1, "a", 0);
    ok(test_until(test_round, poller) >= 0, "a round");
    n = __atomic_load_n(&test_requests, __ATOMIC_SEQ_CST);

    test_redis("SADD pki:{dir}:wanted %s", DEVICE_2);
    pki_poller_hint(poller, "di", 2);
    pki_poller_hint(poller, "directory", 9);
    pki_poller_hint(poller, "", 0);
    pki_poller_hint(poller, "dir", 3);
    pki_poller_hint(poller, "dir", 3);
    ms = test_until(test_object, DEVICE_2);
    ok(ms >= 0 && ms < 200, "wanted and found in %ld ms", ms);
    is_int(__atomic_load_n(&test_requests, __ATOMIC_SEQ_CST), n + 1,
           "by one request");
    (void) usleep(300 * 1000);
    (void) pki_poller_stats(poller, &stats, 1);
    is_int(stats.rounds, 1, "it was no reason for a round");
    is_int(stats.lookups, 1, "the lookup is counted");

    test_redis("HSET pki:{dir}:sync asked %lld", (long long) time(NULL) + 1);
    (void) usleep(50 * 1000);
    pki_poller_hint(poller, "dir", 3);
    ok(test_until(test_second_round, poller) >= 0,
       "what was asked for is one");

    /* by a host whose clock is ahead: once, not with each hint until then */

    test_redis("HSET pki:{dir}:sync asked %lld", (long long) time(NULL) + 999);

    for (n = 0; n < 5; n++) {
        pki_poller_hint(poller, "dir", 3);
        (void) usleep(150 * 1000);
    }

    (void) pki_poller_stats(poller, &stats, 1);
    is_int(stats.rounds, 3, "one round more");

    test_end(poller, "after hints");
}


static void
test_stops(void)
{
    int                    i, n, fd, port;
    unsigned               threads;
    long long              begun, longest;
    pki_poller_t          *poller;
    pki_directory_conf_t   conf;

    test_conf(&conf, "dir");
    threads = test_threads();

    for (longest = 0, i = 0; i < 50; i++) {
        poller = test_start(&conf, 1, "a", 0);

        if (i % 3) {
            (void) usleep(i % 3 * 3000);
        }

        begun = test_ms();
        pki_poller_stop(poller);
        pki_poller_stop(poller);
        pki_poller_hint(poller, "dir", 3);
        pki_poller_destroy(poller);
        begun = test_ms() - begun;

        longest = begun > longest ? begun : longest;
    }

    ok(longest <= TEST_STOP, "50 times: stopped in %lld ms", longest);
    is_str(test_redis("EXISTS pki:{dir}:lease"), "0", "no lease is left");

    /* no directory at all */

    poller = test_start(&conf, 0, NULL, 0);
    is_int(pki_poller_stats(poller, NULL, 0), 0, "nothing to do");
    test_end(poller, "nothing to do");

    /* a directory that takes connections and says nothing */

    __atomic_store_n(&test_hang, 1, __ATOMIC_SEQ_CST);
    n = __atomic_load_n(&test_requests, __ATOMIC_SEQ_CST) + 1;
    poller = test_start(&conf, 1, "a", 0);
    ok(test_until(test_asked, &n) >= 0, "a silent directory is asked");
    test_end(poller, "a silent directory");
    is_str(test_redis("EXISTS pki:{dir}:lease"), "0", "no lease is left");
    __atomic_store_n(&test_hang, 0, __ATOMIC_SEQ_CST);

    /* one whose name leads nowhere, maybe after a while */

    conf.url = "https://directory.invalid";
    poller = test_start(&conf, 1, "a", 0);
    ok(test_until(test_held, poller) >= 0, "the lease is there");
    (void) usleep(20 * 1000);
    test_end(poller, "a name that is none");
    conf.url = test_url;

    /* a Redis that takes connections and says nothing */

    fd = test_listen(&port);
    conf.redis.path = NULL;
    conf.redis.host = "127.0.0.1";
    conf.redis.port = port;
    conf.redis.timeout = 20000;
    poller = test_start(&conf, 1, "a", 0);
    (void) usleep(50 * 1000);
    test_end(poller, "a silent Redis");
    (void) close(fd);

    is_int(test_threads(), threads, "no thread is left");

    pki_poller_destroy(NULL);
}


/* Neither a directory nor a Redis that is silent holds up another one. */

static int
test_ended(void *threads)
{
    return test_threads() == *(unsigned *) threads;
}


/* The maker of one that has stopped may still look. */

static void
test_looked_at(void)
{
    unsigned               threads;
    pki_mail_t             mail;
    pki_poller_t          *poller;
    unsigned long          lost;
    pki_poller_stats_t     stats;
    pki_directory_conf_t   conf;

    threads = test_threads();
    test_conf(&conf, "dir");
    poller = test_start(&conf, 1, "a", 0);
    ok(test_until(test_held, poller) >= 0, "it runs");
    is_int(pki_poller_stats(poller, &stats, 1), 1, "looked at");
    pki_poller_stop(poller);
    ok(test_until(test_ended, &threads) >= 0, "its thread has ended");
    is_str(stats.directory, "dir", "the name is there still");
    is_int(pki_poller_stats(poller, &stats, 1), 1, "looked at again");
    is_str(stats.directory, "dir", "the name too");
    (void) pki_poller_mail(poller, &mail, 1, &lost);
    is_int(lost, 0, "and its mail");
    pki_poller_hint(poller, "dir", 3);
    pki_poller_destroy(poller);
}


static void
test_isolated(void)
{
    int                    fd, port;
    char                   url[64];
    pki_poller_t          *poller;
    pki_poller_stats_t     stats[3];
    pki_directory_conf_t   conf[3];

    test_redis("FLUSHALL");
    fd = test_listen(&port);
    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);

    test_conf(&conf[0], "silent");
    conf[0].url = url;
    test_conf(&conf[1], "homeless");
    conf[1].redis.path = NULL;
    conf[1].redis.host = "127.0.0.1";
    conf[1].redis.port = port;
    conf[1].redis.timeout = 100;
    test_conf(&conf[2], "dir");

    poller = test_start(conf, 3, "a", 0);
    ok(test_until(test_object, DEVICE_1) >= 0, "the third makes a round");
    test_redis("SADD pki:{dir}:wanted %s", DEVICE_2);
    pki_poller_hint(poller, "dir", 3);
    ok(test_until(test_object, DEVICE_2) >= 0, "and a lookup");

    is_int(pki_poller_stats(poller, stats, 3), 3, "three directories");
    ok(stats[0].holder && !stats[1].holder && stats[2].holder,
       "one of them cannot have its lease");
    is_int(stats[0].rounds, 0, "one has no round");
    ok(test_mail(poller, "directory \"homeless\": Redis: ") <= 1,
       "and a line at most");

    test_end(poller, "three directories");
    (void) close(fd);
}


static void
test_mails(void)
{
    int                    i;
    char                   names[TEST_MANY][16];
    unsigned               n;
    pki_mail_t             mail[PKI_MAIL_MAX];
    unsigned long          lost;
    pki_poller_t          *poller;
    pki_directory_conf_t   conf[TEST_MANY];

    for (i = 0; i < TEST_MANY; i++) {
        (void) snprintf(names[i], sizeof(names[i]), "dir%d", i);
        test_conf(&conf[i], names[i]);
        conf[i].redis.path = "/nonexistent/red\nis";
    }

    poller = test_start(conf, TEST_MANY, "a", 0);
    (void) usleep(1800 * 1000);

    is_int(__atomic_load_n(&test_rings, __ATOMIC_SEQ_CST), 1, "one ring");
    is_int(pki_poller_mail(poller, mail, 10, &lost), 10, "ten letters");
    is_int(lost, TEST_MANY - PKI_MAIL_MAX, "some are lost: one per cause");
    is_int(mail[0].level, 3, "errors");
    ok(strncmp(mail[3].text, "directory \"dir3\": Redis: ", 25) == 0
       && strchr(mail[3].text, '\n') == NULL,
       "in order: %s", mail[3].text);

    n = pki_poller_mail(poller, mail, PKI_MAIL_MAX, &lost);
    is_int(n, PKI_MAIL_MAX - 10, "and the others");
    is_int(lost, 0, "no more are lost");
    is_int(pki_poller_mail(poller, mail, PKI_MAIL_MAX, &lost), 0, "empty");

    test_end(poller, "no Redis");
}


static void
test_signalled(void)
{
    int                    i;
    sigset_t               mask;
    pki_poller_t          *poller;
    struct sigaction       action;
    pki_directory_conf_t   conf;

    test_conf(&conf, "dir");
    test_main_thread = pthread_self();

    memset(&action, 0, sizeof(action));
    action.sa_handler = test_signal;
    (void) sigaction(SIGUSR1, &action, NULL);

    poller = test_start(&conf, 1, "a", 0);
    (void) pthread_sigmask(SIG_SETMASK, NULL, &mask);
    is_int(sigismember(&mask, SIGUSR1), 0, "the maker's mask is as it was");

    /* while the main thread blocks it, nobody else may take it */

    (void) sigemptyset(&mask);
    (void) sigaddset(&mask, SIGUSR1);
    (void) pthread_sigmask(SIG_BLOCK, &mask, NULL);
    (void) kill(getpid(), SIGUSR1);
    (void) usleep(20 * 1000);
    is_int(test_signals, 0, "it waits for the main thread");
    (void) pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
    is_int(test_signals, 1, "which takes it");

    for (i = 0; i < 50; i++) {
        (void) kill(getpid(), SIGUSR1);
        (void) usleep(1000);
    }

    is_int(test_strayed, 0, "no signal in the poller's thread");
    is_int(test_signals, 51, "all of them here");

    test_end(poller, "with signals");
}


#ifndef __SANITIZE_THREAD__

static void
test_memory(void)
{
    int                          n, hit;
    pki_err_t                    err;
    pki_poller_t                *poller;
    pki_poller_conf_t            c;
    pki_directory_conf_t         conf;
    const pki_directory_conf_t  *confs[1];

    test_conf(&conf, "dir");
    conf.redis.path = "/nonexistent";
    confs[0] = &conf;

    memset(&c, 0, sizeof(c));
    c.directories = confs;
    c.n = 1;

    for (n = 1; /* void */ ; n++) {
        err.text[0] = '\0';
        pki_test_fail_at(n);
        poller = pki_poller_create(&c, &err);
        hit = pki_test_fail_hit();
        pki_test_fail_at(0);

        if (poller != NULL) {
            break;
        }

        ok(hit && err.text[0], "failure %d: %s", n, err.text);
    }

    ok(n > 10, "%d failures", n - 1);
    pki_poller_destroy(poller);
}

#endif


int
main(void)
{
    test_open();
    test_serve();

    test_rounds();
    test_hints();
    test_stops();
    test_looked_at();
    test_isolated();
    test_mails();
    test_signalled();
#ifndef __SANITIZE_THREAD__
    test_memory();
#endif

    test_close();

    return pki_test_done();
}


/*
 * Who makes the lists: the lease, stops, what is silent or gone.
 */

#include "pki_test_clerk.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>


static void
test_takeover(void)
{
    long long            begun;
    test_crl_t           crl;
    pki_clerk_t         *first, *second;
    pki_serial_t         one, two;
    pki_clerk_stats_t    stats;
    unsigned long long   number, next;

    test_set("FLUSHALL");
    one = test_serial(1);
    two = test_serial(2);
    test_revoked(&one, PKI_REASON_SUPERSEDED);

    first = test_clerk(&test_crl_conf, 1, NULL, 0, 1000);
    number = test_next(PKI_LIST_FULL, 0);
    second = test_clerk(&test_crl_conf, 1, NULL, 0, 1000);
    (void) usleep(200 * 1000);
    pki_clerk_stats(second, 0, &stats);
    is_int(stats.holder, 0, "only one holds the lease");

    pki_clerk_hint(second, "ca", 2, NULL, 0);
    ok(test_quiet(PKI_LIST_FULL, number, 200), "the other makes nothing");
    test_revoked(&two, PKI_REASON_SUPERSEDED);
    test_end(first, "the holder");

    begun = test_ms();
    next = test_next(PKI_LIST_FULL, number);
    ok(next > number, "taken over in %lld ms", test_ms() - begun);
    ok(test_read(PKI_LIST_FULL, &crl), "goes on");
    is_int(crl.n, 2, "two entries");
    ok(test_entry(&crl, &two) != NULL, "also of what nobody had told");
    test_drop(&crl);

    test_end(second, "the second");

    /* somebody takes the lease by force: no list until it is ours again */

    first = test_clerk(&test_crl_conf, 1, NULL, 0, 300);
    (void) usleep(200 * 1000);
    test_set("SET pki:{ca}:crl-lease robber PX 1500");
    (void) usleep(200 * 1000);
    test_revoked(&test_view.ca->serial, PKI_REASON_SUPERSEDED);
    pki_clerk_hint(first, "ca", 2, NULL, 0);
    ok(test_quiet(PKI_LIST_FULL, next, 500), "not while another has it");
    is_int(test_mail(first, "another process makes the lists now"), 1,
           "which is told");
    ok(test_next(PKI_LIST_FULL, next) > next, "later it is");
    test_end(first, "a lease taken and given");

    /* one that has died leaves it only after its time */

    test_set("SET pki:{ca}:crl-lease dead PX 1000");
    first = test_clerk(&test_crl_conf, 1, NULL, 0, 500);
    begun = test_ms();

    do {
        (void) usleep(10 * 1000);
        pki_clerk_stats(first, 0, &stats);
    } while (!stats.holder && test_ms() - begun < TEST_PATIENCE);

    begun = test_ms() - begun;
    ok(stats.holder && begun > 900, "taken after %lld ms", begun);
    test_end(first, "after a death");
}


static int
test_listen(int *port)
{
    int                 fd;
    socklen_t           len;
    struct sockaddr_in  addr;

    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    len = sizeof(addr);
    fd = socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0);

    pki_test_need(fd != -1
                  && bind(fd, (struct sockaddr *) &addr, len) == 0
                  && listen(fd, 64) == 0
                  && getsockname(fd, (struct sockaddr *) &addr, &len) == 0,
                  "a listener");

    *port = ntohs(addr.sin_port);

    return fd;
}


static void
test_stops(void)
{
    int                     i, fd, port;
    char                    url[64];
    long long               begun, longest;
    pki_clerk_t            *clerk;
    redisReply             *reply;
    pki_clerk_crl_t         conf;
    pki_clerk_keys_t        keys;
    pki_redis_sync_conf_t   mute;

    test_set("FLUSHALL");
    longest = 0;

    for (i = 0; i < 30; i++) {
        clerk = test_clerk(&test_crl_conf, 1, NULL, 0, 0);

        if (i % 3) {
            (void) usleep(i % 7 * 2000);
        }

        begun = test_ms();
        pki_clerk_stop(clerk);
        pki_clerk_stop(clerk);
        pki_clerk_hint(clerk, "ca", 2, NULL, 0);
        pki_clerk_hint_object(clerk, NULL, 0);
        pki_clerk_want(clerk, 0);
        pki_clerk_destroy(clerk);
        begun = test_ms() - begun;

        longest = begun > longest ? begun : longest;
    }

    ok(longest <= TEST_END, "30 times: stopped in %lld ms", longest);
    reply = test_redis("EXISTS pki:{ca}:crl-lease");
    is_int(reply->integer, 0, "no lease is left");
    freeReplyObject(reply);

    clerk = test_clerk(NULL, 0, NULL, 0, 0);
    test_end(clerk, "nothing to do");
    pki_clerk_destroy(NULL);

    /* whoever takes connections and says nothing */

    fd = test_listen(&port);
    mute = test_redis_conf;
    mute.path = NULL;
    mute.host = "127.0.0.1";
    mute.port = port;
    conf = test_crl_conf;
    conf.redis = &mute;

    clerk = test_clerk(&conf, 1, NULL, 0, 0);
    (void) usleep(100 * 1000);
    test_end(clerk, "a silent Redis");

    memset(&keys, 0, sizeof(keys));
    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%d/keys", port);
    keys.name = "corp";
    keys.url = url;
    keys.fetch.plain = 1;
    keys.fetch.connect = 20000;
    keys.fetch.total = 20000;
    keys.fetch.stall = 20000;
    keys.fetch.max = 65536;
    keys.refresh = 100;

    clerk = test_clerk(&test_crl_conf, 1, &keys, 1, 0);
    (void) usleep(100 * 1000);
    test_end(clerk, "a silent URL");
    (void) close(fd);

    clerk = test_clerk(&conf, 1, &keys, 1, 0);
    (void) usleep(300 * 1000);
    is_int(test_mail(clerk, "crl \"ca\":"), 1, "nobody there: a letter");
    test_end(clerk, "nobody there");
}


/* Redis goes and comes back: one letter, then it goes on. */

static void
test_outage(void)
{
    pki_err_t             err;
    pki_clerk_t          *clerk;
    pki_serial_t          one;
    pki_redis_sync_t     *gone;
    unsigned long long    number;

    test_set("FLUSHALL");
    one = test_serial(1);
    clerk = test_clerk(&test_crl_conf, 1, NULL, 0, 0);
    number = test_next(PKI_LIST_FULL, 0);

    pki_test_redis_kill(SIGKILL);
    pki_clerk_hint(clerk, "ca", 2, NULL, 0);
    (void) usleep(1500 * 1000);
    is_int(test_mail(clerk, "crl \"ca\": no reply") > 1, 0,
           "at most one letter for one cause");

    pki_test_redis_spawn("--maxmemory-policy", "noeviction");
    gone = test_sync;
    (void) pki_redis_sync_wait(gone, &err);
    pki_redis_sync_destroy(gone);
    test_sync = test_connect();
    test_transport = pki_redis_sync_transport(test_sync);
    redisFree(test_plain);
    test_plain = redisConnectUnix(pki_test_socket);

    test_revoked(&one, PKI_REASON_SUPERSEDED);
    ok(test_next(PKI_LIST_FULL, 0) > number,
       "a Redis that has lost all: a list with a higher number");
    test_end(clerk, "an outage");
}


int
main(void)
{
    test_open();

    test_takeover();
    test_stops();
    test_outage();

    test_shut();

    return pki_test_done();
}

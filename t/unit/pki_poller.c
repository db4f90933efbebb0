
/*
 * The poller as it is: a real thread, a real Redis, real rounds of a toy
 * dialect, and a small HTTP server that answers, or does not.  What may take
 * long is bounded by TEST_PATIENCE, and a stop by TEST_STOP.
 */

#include "pki_test.h"
#include "pki_test_redis.h"
#include "pki_source.h"

#include <dirent.h>
#include <pthread.h>
#include <stdarg.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>


#define TEST_PATIENCE  5000     /* milliseconds; sanitizers on a busy host */
#define TEST_STOP      100      /* as the header promises */
#define TEST_MANY      70       /* directories, for more lines than fit */
#define DEVICE_1       "device/00000000-0000-0000-0000-000000000001"
#define DEVICE_2       "device/00000000-0000-0000-0000-000000000002"


static int test_yes(const pki_directory_conf_t *conf);
static pki_next_t test_next(pki_round_t *round);
static pki_rc_t test_item(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_item_t *item);
static pki_rc_t test_lookup(const pki_directory_conf_t *conf,
    unsigned variant, const char *id, char *url, size_t size);
static int test_absent(int status, const pki_value_t *values);


static const char *const  test_paths[] = { "id", "error", NULL };
static const char *const  test_none[] = { NULL };

static const pki_page_shape_t  test_shape = {
    .list = "value", .item = test_paths, .top = test_none
};

static const pki_resource_t  test_resources[] = {
    { .name = "devices",
      .classes = 1 << PKI_OBJECT_DEVICE,
      .mask = PKI_OBJECT_DELETED|PKI_OBJECT_MISSING|PKI_OBJECT_UNCLEAR,
      .sweep = 1,
      .wanted = test_yes,
      .next = test_next,
      .paths = test_paths,
      .item = test_item,
      .lookup = test_lookup,
      .absent = test_absent },
    { .name = NULL }
};

static const pki_dialect_t  test_toy = {
    .name = "toy",
    .resources = test_resources,
    .classes = 1 << PKI_OBJECT_DEVICE
};

static const pki_dialect_t  test_mute = { .name = "mute" };

static int            test_listener;
static int            test_port;
static int            test_hang;        /* atomic: the server says nothing */
static int            test_requests;    /* atomic */
static int            test_rings;       /* atomic */
static pthread_t      test_main_thread;
static volatile int   test_signals;
static volatile int   test_strayed;
static char           test_url[64];
static redisContext  *test_plain;


static int
test_yes(const pki_directory_conf_t *conf)
{
    (void) conf;

    return 1;
}


static pki_next_t
test_next(pki_round_t *round)
{
    if (round->step == 0) {
        round->step = 1;
        return pki_round_get(round, &test_shape, "/devices");
    }

    return round->status == 200 && round->json ? PKI_NEXT_DONE
                                               : PKI_NEXT_FAIL;
}


static pki_rc_t
test_item(const pki_directory_conf_t *conf, const pki_value_t *values,
    time_t now, pki_item_t *item)
{
    (void) conf;

    if (values[0].type != PKI_VALUE_STRING) {
        return PKI_INVALID;
    }

    (void) snprintf(item->id, sizeof(item->id), "%s", values[0].string);
    item->object.id = item->id;
    item->object.mask = test_resources[0].mask;
    item->object.since = now;

    return PKI_OK;
}


static pki_rc_t
test_lookup(const pki_directory_conf_t *conf, unsigned variant,
    const char *id, char *url, size_t size)
{
    (void) conf;
    (void) variant;

    (void) snprintf(url, size, "/%s", id);

    return PKI_OK;
}


static int
test_absent(int status, const pki_value_t *values)
{
    return status == 404 && values[1].type == PKI_VALUE_STRING;
}


/* the server: one request per connection, in one thread */

static void
test_answer(int fd)
{
    int      n;
    char     request[4096], reply[1024], body[512];
    size_t   len;
    ssize_t  got;

    for (len = 0; len < sizeof(request) - 1; len += got) {
        got = read(fd, request + len, sizeof(request) - 1 - len);

        if (got <= 0) {
            return;
        }

        request[len + got] = '\0';

        if (strstr(request, "\r\n\r\n") != NULL) {
            break;
        }
    }

    (void) __atomic_add_fetch(&test_requests, 1, __ATOMIC_SEQ_CST);

    if (strncmp(request, "GET /devices ", 13) == 0) {
        strcpy(body, "{\"value\":[{\"id\":\"" DEVICE_1 "\"}]}");

    } else {
        (void) snprintf(body, sizeof(body), "{\"id\":\"%.43s\"}",
                        request + 5);
    }

    n = snprintf(reply, sizeof(reply), "HTTP/1.1 200 OK\r\n"
                 "Content-Type: application/json\r\n"
                 "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                 strlen(body), body);

    if (send(fd, reply, n, MSG_NOSIGNAL) != n) {
        return;
    }

    (void) shutdown(fd, SHUT_WR);
}


static void *
test_server(void *data)
{
    int       i, n, fd, held[64];
    sigset_t  all;

    (void) data;
    n = 0;

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_BLOCK, &all, NULL);

    for ( ;; ) {
        fd = accept(test_listener, NULL, NULL);
        if (fd == -1) {
            break;
        }

        if (__atomic_load_n(&test_hang, __ATOMIC_SEQ_CST) && n < 64) {
            (void) __atomic_add_fetch(&test_requests, 1, __ATOMIC_SEQ_CST);
            held[n++] = fd;
            continue;
        }

        test_answer(fd);
        (void) close(fd);
    }

    for (i = 0; i < n; i++) {
        (void) close(held[i]);
    }

    return NULL;
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

    if (fd == -1 || bind(fd, (struct sockaddr *) &addr, len) == -1
        || listen(fd, 64) == -1
        || getsockname(fd, (struct sockaddr *) &addr, &len) == -1)
    {
        printf("Bail out! no listener: %s\n", strerror(errno));
        exit(1);
    }

    *port = ntohs(addr.sin_port);

    return fd;
}


/* helpers of the stories */

static long long
test_ms(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);

    return (long long) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}


static void
test_ring(void *data)
{
    (void) __atomic_add_fetch((int *) data, 1, __ATOMIC_SEQ_CST);
}


static void
test_conf(pki_directory_conf_t *conf, const char *name)
{
    memset(conf, 0, sizeof(pki_directory_conf_t));

    conf->name = name;
    conf->dialect = &test_toy;
    conf->url = test_url;
    conf->fetch.plain = 1;
    conf->fetch.connect = 20000;
    conf->fetch.total = 30000;
    conf->fetch.stall = 20000;
    conf->fetch.max = 1 << 20;
    conf->login.type = PKI_LOGIN_STATIC;
    conf->login.secret = "token";
    conf->redis.path = pki_test_socket;
    conf->redis.timeout = 2000;
    conf->interval = 3600 * 1000;
    conf->backoff = 60 * 1000;
    conf->confirm = 120;
    conf->guard = 100;
    conf->lookups = 10;
}


static pki_poller_t *
test_start(const pki_directory_conf_t *conf, unsigned n, const char *holder,
    long lease)
{
    unsigned                     i;
    pki_err_t                    err;
    pki_poller_t                *poller;
    pki_poller_conf_t            c;
    const pki_directory_conf_t  *confs[TEST_MANY];

    for (i = 0; i < n; i++) {
        confs[i] = &conf[i];
    }

    memset(&c, 0, sizeof(c));
    c.directories = confs;
    c.n = n;
    c.holder = holder;
    c.lease = lease;
    c.ring = test_ring;
    c.data = &test_rings;

    __atomic_store_n(&test_rings, 0, __ATOMIC_SEQ_CST);
    err.text[0] = '\0';

    poller = pki_poller_create(&c, &err);
    if (poller == NULL) {
        printf("Bail out! no poller: %s\n", err.text);
        exit(1);
    }

    return poller;
}


static void __attribute__((format(printf, 2, 3)))
test_end(pki_poller_t *poller, const char *format, ...)
{
    char       what[100];
    va_list    args;
    long long  begun;

    va_start(args, format);
    (void) vsnprintf(what, sizeof(what), format, args);
    va_end(args);

    begun = test_ms();
    pki_poller_destroy(poller);
    begun = test_ms() - begun;

    ok(begun <= TEST_STOP, "%s: stopped in %lld ms", what, begun);
}


/* The value as an answer to a command, "" when there is none. */

static const char * __attribute__((format(printf, 1, 2)))
test_redis(const char *format, ...)
{
    va_list       args;
    redisReply   *reply;
    static char   value[256];

    va_start(args, format);
    reply = redisvCommand(test_plain, format, args);
    va_end(args);

    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        printf("Bail out! Redis refused \"%s\"\n", format);
        exit(1);
    }

    value[0] = '\0';

    if (reply->type == REDIS_REPLY_INTEGER) {
        (void) snprintf(value, sizeof(value), "%lld", reply->integer);

    } else if (reply->str != NULL) {
        (void) snprintf(value, sizeof(value), "%s", reply->str);
    }

    freeReplyObject(reply);

    return value;
}


/* Waits until yes() says so; returns how long, or -1. */

static long
test_until(int (*yes)(void *data), void *data)
{
    long long  begun;

    for (begun = test_ms(); test_ms() - begun < TEST_PATIENCE; ) {
        if (yes(data)) {
            return (long) (test_ms() - begun);
        }

        (void) usleep(2000);
    }

    return -1;
}


static int
test_object(void *data)
{
    return test_redis("GET pki:{dir}:object:%s", (char *) data)[0] != '\0';
}


static int
test_asked(void *data)
{
    return __atomic_load_n(&test_requests, __ATOMIC_SEQ_CST)
           >= *(int *) data;
}


static int
test_held(void *data)
{
    pki_poller_stats_t  stats;

    return pki_poller_stats(data, &stats, 1) == 1 && stats.holder;
}


static int
test_free(void *data)
{
    return !test_held(data);
}


static int
test_round(void *data)
{
    pki_poller_stats_t  stats;

    return pki_poller_stats(data, &stats, 1) == 1 && stats.rounds >= 1;
}


static int
test_second_round(void *data)
{
    pki_poller_stats_t  stats;

    return pki_poller_stats(data, &stats, 1) == 1 && stats.rounds >= 2;
}


static int
test_reported(void *data)
{
    (void) data;

    return test_redis("EXISTS pki:{dir}:status")[0] == '1';
}


static int
test_leased_by(void *data)
{
    return strncmp(test_redis("GET pki:{dir}:lease"), data, strlen(data))
           == 0;
}


/* Counts the letters that hold a text; all are taken. */

static unsigned
test_mail(pki_poller_t *poller, const char *text)
{
    unsigned       i, n, found;
    pki_mail_t     mail[PKI_MAIL_MAX];
    unsigned long  lost;

    n = pki_poller_mail(poller, mail, PKI_MAIL_MAX, &lost);

    for (found = 0, i = 0; i < n; i++) {
        if (strstr(mail[i].text, text) != NULL) {
            found++;

        } else {
            printf("# mail: %s\n", mail[i].text);
        }
    }

    return found;
}


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
test_copies(void)
{
    int                    n;
    EVP_PKEY              *key;
    pki_serial_keys_t      keys;
    pki_directory_conf_t   conf, *copy;

    memset(&keys, 7, sizeof(keys));
    key = EVP_PKEY_new();

    test_conf(&conf, "dir");
    conf.hook_url = "hook";
    conf.external_id = "externalId";
    conf.login.client = "client";
    conf.login.key = key;
    conf.redis.tls = SSL_CTX_new(TLS_client_method());
    conf.nissuers = 2;
    conf.issuers[0].name = "ca";
    conf.issuers[0].subject = "CN=CA";
    conf.issuers[0].keys = &keys;
    conf.issuers[1].name = "other";

    for (n = 1; /* void */ ; n++) {
        pki_test_fail_at(n);
        copy = pki_directory_copy(&conf);

        if (!pki_test_fail_hit()) {
            break;
        }

        ok(copy == NULL, "no memory: no copy");
    }

    pki_test_fail_at(0);
    ok(n > 8 && copy != NULL, "%d failures", n - 1);

    SSL_CTX_free(conf.redis.tls);
    EVP_PKEY_free(key);
    memset(&keys, 0, sizeof(keys));

    ok(copy->name != conf.name && copy->url != conf.url
       && copy->login.secret != conf.login.secret, "strings are copied");
    is_str(copy->hook_url, "hook", "a string");
    is_str(copy->issuers[1].name, "other", "an issuer's");
    ok(copy->hook_secret == NULL && copy->redis.host == NULL, "none stays");
    is_int(copy->issuers[0].keys->current, 0x07070707, "keys are copied");
    ok(copy->issuers[1].keys == NULL, "where there are any");
    is_int(copy->guard, 100, "and a number");

    pki_directory_free(copy);
    pki_directory_free(NULL);
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
    pthread_t  server;

    pki_test_alloc_hook();
    pki_test_redis_start("--maxmemory-policy", "noeviction");
    test_plain = redisConnectUnix(pki_test_socket);

    if (pki_fetch_global() != PKI_OK) {
        printf("Bail out! no libcurl\n");
        return 1;
    }

    test_takeover();

    test_listener = test_listen(&test_port);
    (void) snprintf(test_url, sizeof(test_url), "http://127.0.0.1:%d",
                    test_port);

    if (pthread_create(&server, NULL, test_server, NULL) != 0) {
        printf("Bail out! no server\n");
        return 1;
    }

    test_rounds();
    test_hints();
    test_stops();
    test_frozen();
    test_mails();
    test_leases();
    test_redis_gone();
    test_signalled();
    test_copies();
#ifndef __SANITIZE_THREAD__
    test_memory();
#endif

    (void) shutdown(test_listener, SHUT_RDWR);
    (void) pthread_join(server, NULL);
    (void) close(test_listener);
    redisFree(test_plain);

    return pki_test_done();
}

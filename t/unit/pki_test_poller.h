
/*
 * What the tests of the poller share: a toy dialect, a small HTTP server in
 * a thread, which answers or does not, and the helpers of their stories.
 * What may take long is bounded by TEST_PATIENCE, a stop by TEST_STOP.
 */

#ifndef PKI_TEST_POLLER_H
#define PKI_TEST_POLLER_H


#include "pki_test.h"
#include "pki_test_redis.h"
#include "pki_source.h"

#include <pthread.h>
#include <stdarg.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>


#define TEST_PATIENCE  5000     /* milliseconds; sanitizers on a busy host */
#define TEST_STOP      100      /* as the header promises */
#define TEST_MANY      70       /* directories, at most */
#define DEVICE_1       "device/00000000-0000-0000-0000-000000000001"
#define DEVICE_2       "device/00000000-0000-0000-0000-000000000002"


static int test_yes(const pki_directory_conf_t *conf);
static pki_next_t test_next(pki_round_t *round);
static pki_rc_t test_item(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_item_t *item);
static pki_rc_t test_lookup(const pki_directory_conf_t *conf,
    unsigned variant, const char *id, const char *key, char *url,
    size_t size);
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
static pthread_t      test_thread;
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
    const char *id, const char *key, char *url, size_t size)
{
    (void) conf;
    (void) key;
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


static int __attribute__((unused))
test_object(void *data)
{
    return test_redis("GET pki:{dir}:object:%s", (char *) data)[0] != '\0';
}


static int __attribute__((unused))
test_asked(void *data)
{
    return __atomic_load_n(&test_requests, __ATOMIC_SEQ_CST)
           >= *(int *) data;
}


static int __attribute__((unused))
test_held(void *data)
{
    pki_poller_stats_t  stats;

    return pki_poller_stats(data, &stats, 1) == 1 && stats.holder;
}


static int __attribute__((unused))
test_free(void *data)
{
    return !test_held(data);
}


static int __attribute__((unused))
test_round(void *data)
{
    pki_poller_stats_t  stats;

    return pki_poller_stats(data, &stats, 1) == 1 && stats.rounds >= 1;
}


static int __attribute__((unused))
test_second_round(void *data)
{
    pki_poller_stats_t  stats;

    return pki_poller_stats(data, &stats, 1) == 1 && stats.rounds >= 2;
}


static int __attribute__((unused))
test_reported(void *data)
{
    (void) data;

    return test_redis("EXISTS pki:{dir}:status")[0] == '1';
}


static int __attribute__((unused))
test_leased_by(void *data)
{
    return strncmp(test_redis("GET pki:{dir}:lease"), data, strlen(data))
           == 0;
}


/* Counts the letters that hold a text; all are taken. */

static unsigned __attribute__((unused))
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


/* Redis first, as it forks; then what needs no thread; then the server. */

static void
test_open(void)
{
    pki_test_alloc_hook();
    pki_test_redis_start("--maxmemory-policy", "noeviction");
    test_plain = redisConnectUnix(pki_test_socket);

    if (pki_fetch_global() != PKI_OK) {
        printf("Bail out! no libcurl\n");
        exit(1);
    }
}


static void
test_serve(void)
{
    test_listener = test_listen(&test_port);
    (void) snprintf(test_url, sizeof(test_url), "http://127.0.0.1:%d",
                    test_port);

    if (pthread_create(&test_thread, NULL, test_server, NULL) != 0) {
        printf("Bail out! no server\n");
        exit(1);
    }
}


static void
test_close(void)
{
    (void) shutdown(test_listener, SHUT_RDWR);
    (void) pthread_join(test_thread, NULL);
    (void) close(test_listener);
    redisFree(test_plain);
}


#endif /* PKI_TEST_POLLER_H */

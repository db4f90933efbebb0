
/*
 * A load client that opens a connection for each request, for a server that
 * closes it after each answer, and that never opens one without using it:
 * "openssl ocsp" does not survive that, and wrk begins with it.
 *
 * As many connections as asked for are under way until the time is over;
 * those are then brought to their end.  The line at the end is wrk.lua's.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>


#define CONNECTIONS_MAX  1024
#define REQUEST_MAX      4096
#define ANSWER_MAX       8192
#define LATENCIES_MAX    4000000    /* 16 megabytes; later ones are lost */
#define NONCE_LEN        32
#define PATIENCE         5000       /* milliseconds without any answer */


typedef struct {
    int       fd;
    int64_t   start;                /* microseconds */
    size_t    len;
    char      answer[ANSWER_MAX];
} connection_t;


static int request_read(const char *path, const char *file);
static int run(int64_t end);
static int connection_open(connection_t *c);
static int connection_read(connection_t *c);
static int answer_good(const connection_t *c);
static void nonce_new(void);
static int64_t now(void);
static int compare(const void *a, const void *b);


static connection_t         connections[CONNECTIONS_MAX];
static int                  nconnections;
static struct sockaddr_in   server;
static int                  ep;
static char                 request[REQUEST_MAX];
static size_t               request_len;
static char                *nonce;          /* in request, or NULL */
static uint64_t             seed;
static uint32_t            *latencies;
static size_t               requests, errors;


int
main(int argc, char **argv)
{
    size_t   n;
    int64_t  start, end;

    if (argc != 6) {
        fprintf(stderr, "usage: connections PORT CONNECTIONS SECONDS PATH "
                        "FILE\n");
        return 2;
    }

    server.sin_family = AF_INET;
    server.sin_port = htons(atoi(argv[1]));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    nconnections = atoi(argv[2]);

    if (nconnections < 1 || nconnections > CONNECTIONS_MAX
        || request_read(argv[4], argv[5]) == -1)
    {
        return 2;
    }

    latencies = malloc(LATENCIES_MAX * sizeof(uint32_t));
    ep = epoll_create1(0);

    if (latencies == NULL || ep == -1) {
        perror("connections");
        return 2;
    }

    start = now();
    seed = start ^ ((uint64_t) getpid() << 32);

    if (run(start + atoi(argv[3]) * (int64_t) 1000000) == -1) {
        return 1;
    }

    end = now();
    n = requests < LATENCIES_MAX ? requests : LATENCIES_MAX;

    if (n == 0) {
        fprintf(stderr, "no answer\n");
        return 1;
    }

    qsort(latencies, n, sizeof(uint32_t), compare);

    printf("bench %zu %lld %u %u %zu\n", requests, (long long) (end - start),
           latencies[n / 2], latencies[n - 1 - n / 100], errors);

    return 0;
}


/* a POST of HTTP/1.0 with the file as its body */

static int
request_read(const char *path, const char *file)
{
    int      head;
    FILE    *f;
    char     body[REQUEST_MAX / 2], filler[NONCE_LEN];
    size_t   len;

    f = fopen(file, "rb");
    if (f == NULL) {
        perror(file);
        return -1;
    }

    len = fread(body, 1, sizeof(body), f);
    fclose(f);

    head = snprintf(request, sizeof(request),
                    "POST %s HTTP/1.0\r\nHost: 127.0.0.1\r\n"
                    "Content-Type: application/ocsp-request\r\n"
                    "Content-Length: %zu\r\n\r\n", path, len);

    if (len == 0 || head < 0 || head + len > sizeof(request)) {
        fprintf(stderr, "%s: empty, or too long\n", file);
        return -1;
    }

    memcpy(request + head, body, len);
    request_len = head + len;

    memset(filler, 'N', NONCE_LEN);
    nonce = memmem(request, request_len, filler, NONCE_LEN);

    return 0;
}


static int
run(int64_t end)
{
    int                  i, n, active, rc;
    connection_t        *c;
    struct epoll_event   events[64];

    for (active = 0; active < nconnections; active++) {
        if (connection_open(&connections[active]) == -1) {
            return -1;
        }
    }

    while (active) {
        n = epoll_wait(ep, events, 64, PATIENCE);

        if (n == 0) {
            fprintf(stderr, "no answer on %d connections\n", active);
            return -1;
        }

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;
            rc = connection_read(c);

            if (rc == 0) {
                continue;
            }

            close(c->fd);
            active--;

            if (rc == -1 || !answer_good(c)) {
                errors++;
            }

            if (requests < LATENCIES_MAX) {
                latencies[requests] = now() - c->start;
            }

            requests++;

            if (now() < end) {
                if (connection_open(c) == -1) {
                    return -1;
                }

                active++;
            }
        }
    }

    return 0;
}


/*
 * On the loopback a connect() ends at once, unless the queue of the listener
 * is full, and a request fits into the socket's buffer.
 */

static int
connection_open(connection_t *c)
{
    struct epoll_event  event;

    c->start = now();
    c->len = 0;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);

    if (c->fd == -1
        || connect(c->fd, (struct sockaddr *) &server, sizeof(server)) == -1)
    {
        perror("connect");
        return -1;
    }

    if (nonce) {
        nonce_new();
    }

    if (write(c->fd, request, request_len) != (ssize_t) request_len) {
        perror("write");
        return -1;
    }

    event.events = EPOLLIN;
    event.data.ptr = c;

    if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &event) == -1) {
        perror("epoll_ctl");
        return -1;
    }

    return 0;
}


/* 1: the server has closed, 0: more is to come, -1: an error */

static int
connection_read(connection_t *c)
{
    ssize_t  n;

    n = recv(c->fd, c->answer + c->len, ANSWER_MAX - c->len, MSG_DONTWAIT);

    if (n == -1) {
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    }

    c->len += n;

    if (c->len == ANSWER_MAX) {
        return -1;
    }

    return n == 0;
}


/* 200, and OCSPResponseStatus successful */

static int
answer_good(const connection_t *c)
{
    const char  *body;

    static const char  successful[] = { 0x0a, 0x01, 0x00 };

    if (c->len < 12 || memcmp(c->answer, "HTTP/1.", 7) != 0
        || memcmp(c->answer + 8, " 200", 4) != 0)
    {
        return 0;
    }

    body = memmem(c->answer, c->len, "\r\n\r\n", 4);

    return body && c->answer + c->len - body >= 64
           && memmem(body + 4, 8, successful, sizeof(successful)) != NULL;
}


/* xorshift: it need not be secret, only another one */

static void
nonce_new(void)
{
    size_t  i;

    for (i = 0; i < NONCE_LEN; i += sizeof(seed)) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;

        memcpy(nonce + i, &seed, sizeof(seed));
    }
}


static int64_t
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


static int
compare(const void *a, const void *b)
{
    uint32_t  x = *(const uint32_t *) a, y = *(const uint32_t *) b;

    return (x > y) - (x < y);
}


/*
 * What the tests of the transport that waits share: callbacks that keep what
 * came, and a server that says whatever the test wants.
 */

#ifndef PKI_TEST_SYNC_H
#define PKI_TEST_SYNC_H


#include "pki_test.h"
#include "pki_test_redis.h"
#include "pki_redis_sync.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>


#define TEST_MANY  1000


typedef struct {
    int                calls;
    int                null;
    int                type;
    int                order;
    char               text[64];
    pki_redis_sync_t  *again;       /* sends one more from the callback */
} test_got_t;


typedef struct {
    int                listener;
    int                port;
    const char        *says;        /* after the first command */
    pthread_t          thread;
} test_server_t;


static int  test_order_n;


static void test_send(pki_redis_sync_t *sync, const char *a, const char *b,
    test_got_t *got);


static void
test_reply(void *data, const redisReply *reply)
{
    test_got_t  *got = data;

    got->calls++;
    got->order = test_order_n++;
    got->null = reply == NULL;
    got->type = reply ? reply->type : 0;
    (void) snprintf(got->text, sizeof(got->text), "%s",
                    reply && reply->str ? reply->str : "");

    if (got->again != NULL) {
        test_send(got->again, "ECHO", "again", got + 1);
    }
}


static void
test_send(pki_redis_sync_t *sync, const char *a, const char *b,
    test_got_t *got)
{
    int           calls;
    size_t        len[2];
    const char   *argv[2];
    pki_redis_t  *redis;

    argv[0] = a;
    argv[1] = b;
    len[0] = strlen(a);
    len[1] = b ? strlen(b) : 0;

    calls = got->calls;
    redis = pki_redis_sync_transport(sync);
    redis->send(redis, b ? 2 : 1, argv, len, test_reply, got);

    if (got->calls != calls) {
        ok(0, "called inside the send");
    }
}


static void *
test_server(void *data)
{
    test_server_t *server = data;

    int   fd;
    char  buf[1024];

    fd = accept(server->listener, NULL, NULL);

    if (read(fd, buf, sizeof(buf)) > 0
        && write(fd, server->says, strlen(server->says)) >= 0)
    {
        while (read(fd, buf, sizeof(buf)) > 0) { /* void */ }
    }

    (void) close(fd);
    (void) close(server->listener);

    return NULL;
}


static void
test_serve(test_server_t *server, const char *says)
{
    socklen_t           len;
    struct sockaddr_in  addr;

    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    len = sizeof(addr);

    server->says = says;
    server->listener = socket(AF_INET, SOCK_STREAM, 0);

    if (server->listener == -1
        || bind(server->listener, (struct sockaddr *) &addr, len) == -1
        || listen(server->listener, 1) == -1
        || getsockname(server->listener, (struct sockaddr *) &addr, &len)
           == -1
        || pthread_create(&server->thread, NULL, test_server, server) != 0)
    {
        printf("Bail out! no server: %s\n", strerror(errno));
        exit(1);
    }

    server->port = ntohs(addr.sin_port);
}


#endif /* PKI_TEST_SYNC_H */

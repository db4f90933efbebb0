
/*
 * A redis-server of a test's own, on a unix socket in a temporary
 * directory; stopped, and the directory removed, at the latest at exit.
 */

#ifndef PKI_TEST_REDIS_H
#define PKI_TEST_REDIS_H


#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <hiredis/hiredis.h>


static char   pki_test_dir[64];
static char   pki_test_socket[96];
static pid_t  pki_test_redis_pid;


static void
pki_test_redis_kill(int signo)
{
    if (pki_test_redis_pid > 0) {
        (void) kill(pki_test_redis_pid, signo);
        (void) waitpid(pki_test_redis_pid, NULL, 0);
        pki_test_redis_pid = 0;
    }

    (void) unlink(pki_test_socket);
}


static void
pki_test_redis_exit(void)
{
    pki_test_redis_kill(SIGTERM);

    if (pki_test_dir[0]) {
        (void) rmdir(pki_test_dir);
    }
}


static void
pki_test_redis_spawn(const char *option, const char *value)
{
    int            i, null;
    redisContext  *context;

    fflush(stdout);

    pki_test_redis_pid = fork();
    if (pki_test_redis_pid < 0) {
        printf("Bail out! no fork: %s\n", strerror(errno));
        exit(1);
    }

    if (pki_test_redis_pid == 0) {
        null = open("/dev/null", O_RDWR);
        (void) dup2(null, 1);
        (void) dup2(null, 2);

        execlp("redis-server", "redis-server", "--port", "0",
               "--unixsocket", pki_test_socket, "--dir", pki_test_dir,
               "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
               option, value,
               (char *) NULL);
        _exit(127);
    }

    for (i = 0; i < 500; i++) {
        (void) usleep(20 * 1000);

        context = redisConnectUnix(pki_test_socket);
        if (context != NULL && context->err == 0) {
            redisFree(context);
            return;
        }

        if (context != NULL) {
            redisFree(context);
        }
    }

    printf("Bail out! no redis-server\n");
    exit(1);
}


static void
pki_test_redis_start(const char *option, const char *value)
{
    (void) signal(SIGPIPE, SIG_IGN);

    strcpy(pki_test_dir, "/tmp/pki_test.XXXXXX");

    if (mkdtemp(pki_test_dir) == NULL) {
        printf("Bail out! no directory: %s\n", strerror(errno));
        exit(1);
    }

    (void) snprintf(pki_test_socket, sizeof(pki_test_socket), "%s/socket",
                    pki_test_dir);
    (void) atexit(pki_test_redis_exit);

    pki_test_redis_spawn(option, value);
}


#endif /* PKI_TEST_REDIS_H */


/*
 * For LD_PRELOAD: whatever a program wants to listen on, it is 127.0.0.1.
 *
 * "openssl ocsp -port" takes a port and no address, and would be open to
 * the network while it is measured.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>


int
bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct sockaddr_in   in;
    struct sockaddr_in6  in6;

    static int         (*next)(int, const struct sockaddr *, socklen_t);

    if (next == NULL) {
        *(void **) &next = dlsym(RTLD_NEXT, "bind");

        if (next == NULL) {
            errno = ENOSYS;
            return -1;
        }
    }

    if (addr->sa_family == AF_INET && len >= sizeof(in)) {
        memcpy(&in, addr, sizeof(in));
        in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

        return next(fd, (struct sockaddr *) &in, sizeof(in));
    }

    if (addr->sa_family == AF_INET6 && len >= sizeof(in6)) {
        memcpy(&in6, addr, sizeof(in6));
        memset(&in6.sin6_addr, 0, sizeof(in6.sin6_addr));

        /* ::ffff:127.0.0.1 */

        in6.sin6_addr.s6_addr[10] = 0xff;
        in6.sin6_addr.s6_addr[11] = 0xff;
        in6.sin6_addr.s6_addr[12] = 127;
        in6.sin6_addr.s6_addr[15] = 1;

        return next(fd, (struct sockaddr *) &in6, sizeof(in6));
    }

    return next(fd, addr, len);
}

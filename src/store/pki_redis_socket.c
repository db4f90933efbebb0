
/*
 * A connection to Redis whose waits have an end.
 *
 * The socket never blocks: all waiting is in one poll(2), which the clock
 * and the stop descriptor end.  TLS goes through a BIO of its own, for
 * OpenSSL's would write without MSG_NOSIGNAL, and a server that is gone
 * must not send the process a SIGPIPE.
 */

#include "pki_redis_socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>


#define PKI_REDIS_SOCKET_ONCE  16384    /* octets; a TLS record */


static pki_rc_t pki_redis_socket_connect(pki_redis_socket_t *sock,
    const pki_redis_sync_conf_t *conf, pki_err_t *err);
static pki_rc_t pki_redis_socket_connect_host(pki_redis_socket_t *sock,
    const pki_redis_sync_conf_t *conf, pki_err_t *err);
static pki_rc_t pki_redis_socket_resolve(const pki_redis_sync_conf_t *conf,
    struct addrinfo **list, pki_err_t *err);
static pki_rc_t pki_redis_socket_connect_to(pki_redis_socket_t *sock,
    const struct sockaddr *addr, socklen_t len, pki_err_t *err);

static pki_rc_t pki_redis_socket_tls(pki_redis_socket_t *sock,
    const pki_redis_sync_conf_t *conf, pki_err_t *err);
static pki_rc_t pki_redis_socket_tls_bio(pki_redis_socket_t *sock);
static pki_rc_t pki_redis_socket_tls_name(SSL *ssl, const char *name);
static pki_rc_t pki_redis_socket_handshake(pki_redis_socket_t *sock,
    pki_err_t *err);
static int pki_redis_socket_bio_write(BIO *bio, const char *data, int len);
static int pki_redis_socket_bio_read(BIO *bio, char *data, int len);
static long pki_redis_socket_bio_ctrl(BIO *bio, int cmd, long n, void *p);

static int pki_redis_socket_again(pki_redis_socket_t *sock, ssize_t n,
    const char *what, pki_err_t *err);
static pki_rc_t pki_redis_socket_poll(pki_redis_socket_t *sock, int events,
    pki_err_t *err);
static long long pki_redis_socket_now(void);


pki_rc_t
pki_redis_socket_open(pki_redis_socket_t *sock,
    const pki_redis_sync_conf_t *conf, pki_err_t *err)
{
    memset(sock, 0, sizeof(pki_redis_socket_t));
    sock->fd = -1;
    sock->stop = conf->stop;

    pki_redis_socket_time(sock, conf->timeout);

    if (pki_redis_socket_connect(sock, conf, err) != PKI_OK) {
        return PKI_ERROR;
    }

    return pki_redis_socket_tls(sock, conf, err);
}


void
pki_redis_socket_close(pki_redis_socket_t *sock)
{
    SSL_free(sock->ssl);
    sock->ssl = NULL;

    BIO_meth_free(sock->method);
    sock->method = NULL;

    if (sock->fd != -1) {
        (void) close(sock->fd);
        sock->fd = -1;
    }
}


void
pki_redis_socket_time(pki_redis_socket_t *sock, int timeout)
{
    sock->deadline = pki_redis_socket_now() + timeout;
}


static pki_rc_t
pki_redis_socket_connect(pki_redis_socket_t *sock,
    const pki_redis_sync_conf_t *conf, pki_err_t *err)
{
    pki_err_t           why;
    struct sockaddr_un  un;

    if (conf->path == NULL && conf->host == NULL) {
        pki_err_set(err, "no address");
        return PKI_ERROR;
    }

    if (conf->path == NULL) {
        return pki_redis_socket_connect_host(sock, conf, err);
    }

    if (strlen(conf->path) >= sizeof(un.sun_path)) {
        pki_err_set(err, "path \"%s\" is too long", conf->path);
        return PKI_ERROR;
    }

    memset(&un, 0, sizeof(un));
    un.sun_family = AF_UNIX;
    strcpy(un.sun_path, conf->path);

    if (pki_redis_socket_connect_to(sock, (struct sockaddr *) &un, sizeof(un),
                                  &why)
        != PKI_OK)
    {
        pki_err_set(err, "cannot connect: %s", why.text);
        return PKI_ERROR;
    }

    return PKI_OK;
}


/* All addresses of a host share the time; the last failure is told. */

static pki_rc_t
pki_redis_socket_connect_host(pki_redis_socket_t *sock,
    const pki_redis_sync_conf_t *conf, pki_err_t *err)
{
    int               on;
    pki_rc_t          rc;
    pki_err_t         why;
    struct addrinfo  *list, *ai;

    rc = pki_redis_socket_resolve(conf, &list, err);
    if (rc != PKI_OK) {
        return rc;
    }

    rc = PKI_ERROR;
    pki_err_set(&why, "no address");

    for (ai = list; ai != NULL && rc != PKI_OK; ai = ai->ai_next) {
        rc = pki_redis_socket_connect_to(sock, ai->ai_addr, ai->ai_addrlen,
                                       &why);
    }

    freeaddrinfo(list);

    if (rc != PKI_OK) {
        pki_err_set(err, "cannot connect: %s", why.text);
        return rc;
    }

    /* a command and its end may be two writes; it is but slower without */

    on = 1;
    (void) setsockopt(sock->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

    return PKI_OK;
}


/*
 * A name is looked up only for those who may be kept waiting: nothing can
 * end getaddrinfo().
 */

static pki_rc_t
pki_redis_socket_resolve(const pki_redis_sync_conf_t *conf,
    struct addrinfo **list, pki_err_t *err)
{
    int              rc;
    char             port[12];
    struct addrinfo  hints;

    if (conf->port < 1 || conf->port > 65535) {
        pki_err_set(err, "cannot connect: invalid port");
        return PKI_ERROR;
    }

    (void) snprintf(port, sizeof(port), "%d", conf->port);

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST|AI_NUMERICSERV;

    rc = getaddrinfo(conf->host, port, &hints, list);

    if (rc == EAI_NONAME && conf->stop == -1) {
        hints.ai_flags = AI_NUMERICSERV;
        rc = getaddrinfo(conf->host, port, &hints, list);
    }

    if (rc != 0) {
        pki_err_set(err, "cannot connect: host \"%s\": %s", conf->host,
                    gai_strerror(rc));
        return PKI_ERROR;
    }

    return PKI_OK;
}


static pki_rc_t
pki_redis_socket_connect_to(pki_redis_socket_t *sock,
    const struct sockaddr *addr, socklen_t len, pki_err_t *err)
{
    int        error;
    socklen_t  size;

    sock->fd = socket(addr->sa_family, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC,
                      0);
    if (sock->fd == -1) {
        pki_err_set(err, "%s", strerror(errno));
        return PKI_ERROR;
    }

    error = connect(sock->fd, addr, len) == -1 ? errno : 0;

    if (error == EINPROGRESS) {
        if (pki_redis_socket_poll(sock, POLLOUT, err) != PKI_OK) {
            error = -1;

        } else {
            size = sizeof(error);

            if (getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &error, &size)
                == -1)
            {
                error = errno;
            }
        }
    }

    if (error == 0) {
        return PKI_OK;
    }

    if (error > 0) {
        pki_err_set(err, "%s", strerror(error));
    }

    (void) close(sock->fd);
    sock->fd = -1;

    return PKI_ERROR;
}


static pki_rc_t
pki_redis_socket_tls(pki_redis_socket_t *sock,
    const pki_redis_sync_conf_t *conf, pki_err_t *err)
{
    const char  *name;

    if (conf->tls == NULL) {
        return PKI_OK;
    }

    name = conf->tls_name ? conf->tls_name : conf->host;

    if (name == NULL) {
        pki_err_set(err, "TLS without the server's name");
        return PKI_ERROR;
    }

    ERR_clear_error();
    sock->ssl = SSL_new(conf->tls);

    if (sock->ssl == NULL || pki_redis_socket_tls_bio(sock) != PKI_OK
        || pki_redis_socket_tls_name(sock->ssl, name) != PKI_OK)
    {
        pki_err_ssl(err, "cannot begin TLS");
        return PKI_ERROR;
    }

    SSL_set_connect_state(sock->ssl);
    SSL_set_mode(sock->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE
                            |SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);

    return pki_redis_socket_handshake(sock, err);
}


static pki_rc_t
pki_redis_socket_tls_bio(pki_redis_socket_t *sock)
{
    BIO  *bio;

    sock->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "pki_redis_socket");

    if (sock->method == NULL
        || BIO_meth_set_write(sock->method, pki_redis_socket_bio_write) != 1
        || BIO_meth_set_read(sock->method, pki_redis_socket_bio_read) != 1
        || BIO_meth_set_ctrl(sock->method, pki_redis_socket_bio_ctrl) != 1)
    {
        return PKI_ERROR;
    }

    bio = BIO_new(sock->method);
    if (bio == NULL) {
        return PKI_ERROR;
    }

    BIO_set_data(bio, sock);
    BIO_set_init(bio, 1);
    SSL_set_bio(sock->ssl, bio, bio);

    return PKI_OK;
}


/* An address is compared with addresses and sent to nobody (RFC 6066, 3). */

static pki_rc_t
pki_redis_socket_tls_name(SSL *ssl, const char *name)
{
    ASN1_OCTET_STRING  *address;

    address = a2i_IPADDRESS(name);

    if (address != NULL) {
        ASN1_OCTET_STRING_free(address);

        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1
               ? PKI_OK : PKI_ERROR;
    }

    ERR_clear_error();

    return SSL_set1_host(ssl, name) == 1
           && SSL_set_tlsext_host_name(ssl, name) == 1 ? PKI_OK : PKI_ERROR;
}


static pki_rc_t
pki_redis_socket_handshake(pki_redis_socket_t *sock, pki_err_t *err)
{
    int        rc, n;
    long       verified;
    pki_err_t  why;

    for ( ;; ) {
        ERR_clear_error();
        rc = SSL_do_handshake(sock->ssl);

        if (rc == 1) {
            return PKI_OK;
        }

        n = pki_redis_socket_again(sock, rc, "TLS handshake", &why);
        if (n < 0) {
            break;
        }

        if (pki_redis_socket_poll(sock, n ? POLLOUT : POLLIN, &why)
            != PKI_OK)
        {
            pki_err_set(err, "TLS handshake: %s", why.text);
            return PKI_ERROR;
        }
    }

    verified = SSL_get_verify_result(sock->ssl);

    pki_err_set(err, "%s%s%s", why.text, verified != X509_V_OK ? ": " : "",
                verified != X509_V_OK
                ? X509_verify_cert_error_string(verified) : "");

    return PKI_ERROR;
}


static int
pki_redis_socket_bio_write(BIO *bio, const char *data, int len)
{
    ssize_t            n;
    pki_redis_socket_t  *sock;

    sock = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);

    n = send(sock->fd, data, (size_t) len, MSG_NOSIGNAL);

    if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_write(bio);
    }

    return (int) n;
}


static int
pki_redis_socket_bio_read(BIO *bio, char *data, int len)
{
    ssize_t            n;
    pki_redis_socket_t  *sock;

    sock = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);

    n = recv(sock->fd, data, (size_t) len, 0);

    if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_read(bio);
    }

    return (int) n;
}


static long
pki_redis_socket_bio_ctrl(BIO *bio, int cmd, long n, void *p)
{
    (void) bio;
    (void) n;
    (void) p;

    return cmd == BIO_CTRL_FLUSH;
}


ssize_t
pki_redis_socket_write(pki_redis_socket_t *sock, const char *data, size_t len,
    pki_err_t *err)
{
    int      again;
    ssize_t  n;

    if (len > PKI_REDIS_SOCKET_ONCE && sock->ssl != NULL) {
        len = PKI_REDIS_SOCKET_ONCE;
    }

    if (sock->ssl != NULL) {
        ERR_clear_error();
        n = SSL_write(sock->ssl, data, (int) len);

    } else {
        n = send(sock->fd, data, len, MSG_NOSIGNAL);
    }

    sock->write_out = 0;

    if (n > 0) {
        return n;
    }

    again = pki_redis_socket_again(sock, n, "sending", err);
    sock->write_out = again > 0 || (again == 0 && sock->ssl == NULL);

    return again < 0 ? -1 : 0;
}


ssize_t
pki_redis_socket_read(pki_redis_socket_t *sock, char *data, size_t size,
    pki_err_t *err)
{
    int      again;
    ssize_t  n;

    if (size > PKI_REDIS_SOCKET_ONCE) {
        size = PKI_REDIS_SOCKET_ONCE;
    }

    if (sock->ssl != NULL) {
        ERR_clear_error();
        n = SSL_read(sock->ssl, data, (int) size);

    } else {
        n = recv(sock->fd, data, size, 0);
    }

    sock->read_out = 0;

    if (n > 0) {
        return n;
    }

    again = pki_redis_socket_again(sock, n, "receiving", err);
    sock->read_out = again > 0;

    return again < 0 ? -1 : 0;
}


/*
 * Why nothing was written or read: 0 when that may pass, 1 when TLS wants
 * to write first, -1 when it will not; then *err is set.
 */

static int
pki_redis_socket_again(pki_redis_socket_t *sock, ssize_t n, const char *what,
    pki_err_t *err)
{
    int  error;

    error = errno;

    if (sock->ssl == NULL) {

        if (n == -1 && (error == EAGAIN || error == EINTR)) {
            return 0;
        }

    } else {

        switch (SSL_get_error(sock->ssl, (int) n)) {

        case SSL_ERROR_WANT_WRITE:
            return 1;

        case SSL_ERROR_WANT_READ:
            return 0;

        case SSL_ERROR_SSL:
            pki_err_ssl(err, "%s failed", what);
            return -1;

        case SSL_ERROR_ZERO_RETURN:
            n = 0;
            break;

        default:
            break;
        }
    }

    if (n == 0) {
        pki_err_set(err, "%s failed: the server closed the connection", what);

    } else {
        pki_err_set(err, "%s failed: %s", what, strerror(error));
    }

    return -1;
}


/* What TLS has read and not yet given out, poll() does not see. */

pki_rc_t
pki_redis_socket_wait(pki_redis_socket_t *sock, pki_err_t *err)
{
    if (sock->ssl != NULL && SSL_pending(sock->ssl) > 0) {
        return PKI_OK;
    }

    return pki_redis_socket_poll(sock, sock->write_out || sock->read_out
                                       ? POLLIN|POLLOUT : POLLIN, err);
}


static pki_rc_t
pki_redis_socket_poll(pki_redis_socket_t *sock, int events, pki_err_t *err)
{
    int            n;
    long long      left;
    struct pollfd  fds[2];

    fds[0].fd = sock->fd;
    fds[0].events = (short) events;
    fds[1].fd = sock->stop;             /* poll() passes over -1 */
    fds[1].events = POLLIN;

    for ( ;; ) {
        left = sock->deadline - pki_redis_socket_now();

        n = poll(fds, 2, left > 0 ? (int) left : 0);

        if (n == -1 && errno != EINTR) {
            pki_err_set(err, "cannot wait: %s", strerror(errno));
            return PKI_ERROR;
        }

        if (n > 0 && fds[1].revents) {
            pki_err_set(err, "stopped");
            return PKI_ERROR;
        }

        if (n > 0) {
            return PKI_OK;
        }

        if (left <= 0) {
            pki_err_set(err, "timed out");
            return PKI_ERROR;
        }
    }
}


static long long
pki_redis_socket_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

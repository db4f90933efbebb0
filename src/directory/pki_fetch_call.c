
/*
 * One request: from our words into libcurl's options, and from libcurl's
 * callbacks and codes back into ours.
 *
 * A callback of libcurl only leaves marks.  done() is called in one place,
 * pki_fetch_call_end(), and never inside libcurl.
 */

#include "pki_fetch_call.h"

#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <openssl/crypto.h>


#define PKI_FETCH_HEAD_MAX  262144  /* all headers of a reply; libcurl allows
                                       100 kB to each, in any number */
#define PKI_FETCH_NAME_MAX  256     /* of a host in an error; DNS: 253 */
#define PKI_FETCH_AGENT     "nginx-pki-module"


static char *pki_fetch_call_copy(char **p, const void *s, size_t len);
static pki_rc_t pki_fetch_call_check(pki_fetch_call_t *call);
static pki_rc_t pki_fetch_call_headers(pki_fetch_call_t *call);
static pki_rc_t pki_fetch_call_limits(pki_fetch_call_t *call);
static pki_rc_t pki_fetch_call_trust(pki_fetch_call_t *call);
static pki_rc_t pki_fetch_call_content(pki_fetch_call_t *call);
static pki_rc_t pki_fetch_call_secret(pki_fetch_call_t *call);
static pki_rc_t pki_fetch_call_cookies(pki_fetch_call_t *call, CURLSH *share);
static size_t pki_fetch_call_header(char *line, size_t size, size_t n,
    void *data);
static void pki_fetch_call_header_reset(pki_fetch_call_t *call);
static pki_rc_t pki_fetch_call_header_keep(pki_fetch_call_t *call,
    const char *name, size_t len, const char *value, size_t n);
static size_t pki_fetch_call_piece(char *text, size_t size, size_t n,
    void *data);
static void pki_fetch_call_sever(pki_fetch_call_t *call);
static int pki_fetch_call_untrusted(CURLcode code, const char *text);
static const char *pki_fetch_call_why(CURLcode code, char *text);
static void pki_fetch_call_steady(char *text);


pki_fetch_call_t *
pki_fetch_call_create(const pki_request_t *request,
    const pki_fetch_conf_t *conf)
{
    char              *p;
    size_t             i, n, size;
    const char       **strings[6 + PKI_FETCH_HEADERS];
    pki_request_t      r;
    pki_fetch_call_t  *call;

    r = *request;

    n = 0;
    strings[n++] = &r.method;
    strings[n++] = &r.url;
    strings[n++] = &r.token;
    strings[n++] = &r.user;
    strings[n++] = &r.password;
    strings[n++] = &r.host;

    for (i = 0; i < PKI_FETCH_HEADERS; i++) {
        strings[n++] = &r.headers[i];
    }

    size = sizeof(pki_fetch_call_t) + (r.body ? r.len : 0) + 1;

    for (i = 0; i < n; i++) {
        size += *strings[i] ? strlen(*strings[i]) + 1 : 0;
    }

    call = OPENSSL_zalloc(size);
    if (call == NULL) {
        return NULL;
    }

    p = (char *) (call + 1);

    for (i = 0; i < n; i++) {
        if (*strings[i] != NULL) {
            *strings[i] = pki_fetch_call_copy(&p, *strings[i],
                                              strlen(*strings[i]));
        }
    }

    if (r.body != NULL) {
        r.body = pki_fetch_call_copy(&p, r.body, r.len);
    }

    call->conf = conf;
    call->request = r;
    call->size = size;

    return call;
}


static char *
pki_fetch_call_copy(char **p, const void *s, size_t len)
{
    char  *to;

    to = *p;

    memcpy(to, s, len);
    to[len] = '\0';
    *p += len + 1;

    return to;
}


void
pki_fetch_call_start(pki_fetch_call_t *call, CURLM *multi, CURLSH *share)
{
    if (pki_fetch_call_check(call) != PKI_OK) {
        return;
    }

    call->easy = curl_easy_init();

    if (call->easy == NULL
        || pki_fetch_call_headers(call) != PKI_OK
        || pki_fetch_call_limits(call) != PKI_OK
        || pki_fetch_call_trust(call) != PKI_OK
        || pki_fetch_call_content(call) != PKI_OK
        || pki_fetch_call_secret(call) != PKI_OK
        || pki_fetch_call_cookies(call, share) != PKI_OK
        || curl_multi_add_handle(multi, call->easy) != CURLM_OK)
    {
        pki_fetch_call_set(call, PKI_FETCH_FAILED, "the request cannot be "
                           "made, or out of memory");
        return;
    }

    call->multi = multi;
}


/* libcurl sends what it is given: no line may end where we do not want it. */

static pki_rc_t
pki_fetch_call_check(pki_fetch_call_t *call)
{
    int                   bad;
    size_t                i;
    pki_rc_t              rc;
    const char           *p, *why;
    const pki_request_t  *r;

    r = &call->request;

    rc = pki_fetch_url_check(r->url, r->host, call->conf->plain, &why);

    if (rc != PKI_OK) {
        pki_fetch_call_set(call, rc == PKI_INVALID ? PKI_FETCH_REFUSED
                                                   : PKI_FETCH_FAILED, why);
        return rc;
    }

    bad = *r->method == '\0';

    for (p = r->method; *p; p++) {
        bad |= *p < 'A' || *p > 'Z';
    }

    for (p = r->token; p && *p; p++) {
        bad |= *p <= ' ' || *p >= 0x7f;
    }

    for (i = 0; i < PKI_FETCH_HEADERS; i++) {
        for (p = r->headers[i]; p && *p; p++) {
            bad |= *p < ' ' || *p >= 0x7f;
        }
    }

    if (bad) {
        pki_fetch_call_set(call, PKI_FETCH_REFUSED, "the method, the token or "
                           "a header has an octet that is not allowed there");
        return PKI_INVALID;
    }

    return PKI_OK;
}


static pki_rc_t
pki_fetch_call_headers(pki_fetch_call_t *call)
{
    size_t              i;
    const char         *header;
    struct curl_slist  *list;

    for (i = 0; i <= PKI_FETCH_HEADERS; i++) {

        /* no waiting for "100 Continue" */

        header = i < PKI_FETCH_HEADERS ? call->request.headers[i] : "Expect:";

        if (header == NULL) {
            continue;
        }

        list = curl_slist_append(call->headers, header);
        if (list == NULL) {
            return PKI_ERROR;
        }

        call->headers = list;
    }

    return PKI_OK;
}


static pki_rc_t
pki_fetch_call_limits(pki_fetch_call_t *call)
{
    CURL                    *e;
    const pki_fetch_conf_t  *conf;

    e = call->easy;
    conf = call->conf;

    if (curl_easy_setopt(e, CURLOPT_PRIVATE, call) != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_ERRORBUFFER, call->curl) != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, conf->connect)
           != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, conf->total) != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, (long) PKI_FETCH_SPEED)
           != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME,
                            (conf->stall - 1) / 1000 + 1)
           != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, pki_fetch_call_header)
           != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_HEADERDATA, call) != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, pki_fetch_call_piece)
           != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_WRITEDATA, call) != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_FAILONERROR, 0L) != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L) != CURLE_OK)
    {
        return PKI_ERROR;
    }

#if (LIBCURL_VERSION_NUM >= 0x075700)

    /* a name that is being looked up does not hold up the end */

    if (curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L) != CURLE_OK) {
        return PKI_ERROR;
    }

#endif

    return PKI_OK;
}


static pki_rc_t
pki_fetch_call_trust(pki_fetch_call_t *call)
{
    int                      tls;
    CURL                    *e;
    CURLcode                 rc;
    const pki_fetch_conf_t  *conf;

    e = call->easy;
    conf = call->conf;
    tls = strncasecmp(call->request.url, "https:", 6) == 0;

#if (LIBCURL_VERSION_NUM >= 0x075500)
    rc = curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, tls ? "https" : "http");
#else
    rc = curl_easy_setopt(e, CURLOPT_PROTOCOLS, tls ? (long) CURLPROTO_HTTPS
                                                    : (long) CURLPROTO_HTTP);
#endif

    /* to loopback there is no proxy; "" keeps the environment's away */

    if (rc != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_PROXY,
                            tls && conf->proxy ? conf->proxy : "")
           != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_NOPROXY, "") != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L)
           != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L)
           != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_UNRESTRICTED_AUTH, 0L) != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L) != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L) != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_SSLVERSION,
                            (long) CURL_SSLVERSION_TLSv1_2)
           != CURLE_OK)
    {
        return PKI_ERROR;
    }

    /* a CA of one's own replaces those of the system */

    if (conf->ca_file != NULL
        && (curl_easy_setopt(e, CURLOPT_CAINFO, conf->ca_file) != CURLE_OK
            || curl_easy_setopt(e, CURLOPT_CAPATH, NULL) != CURLE_OK))
    {
        return PKI_ERROR;
    }

    /* a libcurl without HTTP/2 says so, and is used as it is */

    rc = curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
                          (long) CURL_HTTP_VERSION_2TLS);

    return rc == CURLE_OK || rc == CURLE_UNSUPPORTED_PROTOCOL ? PKI_OK
                                                              : PKI_ERROR;
}


static pki_rc_t
pki_fetch_call_content(pki_fetch_call_t *call)
{
    CURL                 *e;
    CURLcode              rc;
    const pki_request_t  *r;

    e = call->easy;
    r = &call->request;

    if (curl_easy_setopt(e, CURLOPT_URL, r->url) != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L) != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_USERAGENT, PKI_FETCH_AGENT) != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_HTTPHEADER, call->headers) != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip") != CURLE_OK)
    {
        return PKI_ERROR;
    }

    /* the body is not copied, the call outlives the handle */

    if (r->body != NULL || strcmp(r->method, "POST") == 0) {

        if (curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
                             (curl_off_t) (r->body ? r->len : 0))
            != CURLE_OK
            || curl_easy_setopt(e, CURLOPT_POSTFIELDS,
                                r->body ? r->body : "")
               != CURLE_OK)
        {
            return PKI_ERROR;
        }
    }

    if (strcmp(r->method, "HEAD") == 0) {
        rc = curl_easy_setopt(e, CURLOPT_NOBODY, 1L);

    } else {
        rc = curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
    }

    return rc == CURLE_OK ? PKI_OK : PKI_ERROR;
}


static pki_rc_t
pki_fetch_call_secret(pki_fetch_call_t *call)
{
    CURL                 *e;
    const pki_request_t  *r;

    e = call->easy;
    r = &call->request;

    if (r->token != NULL
        && (curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long) CURLAUTH_BEARER)
            != CURLE_OK
            || curl_easy_setopt(e, CURLOPT_XOAUTH2_BEARER, r->token)
               != CURLE_OK))
    {
        return PKI_ERROR;
    }

    if (r->user != NULL
        && (curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long) CURLAUTH_BASIC)
            != CURLE_OK
            || curl_easy_setopt(e, CURLOPT_USERNAME, r->user) != CURLE_OK
            || curl_easy_setopt(e, CURLOPT_PASSWORD,
                                r->password ? r->password : "")
               != CURLE_OK))
    {
        return PKI_ERROR;
    }

    return PKI_OK;
}


static pki_rc_t
pki_fetch_call_cookies(pki_fetch_call_t *call, CURLSH *share)
{
    if (share == NULL) {
        return PKI_OK;
    }

    if (curl_easy_setopt(call->easy, CURLOPT_SHARE, share) != CURLE_OK
        || curl_easy_setopt(call->easy, CURLOPT_COOKIEFILE, "") != CURLE_OK)
    {
        return PKI_ERROR;
    }

    return PKI_OK;
}


/* A line with its CR LF; also those of 1xx replies, and trailers. */

static size_t
pki_fetch_call_header(char *line, size_t size, size_t n, void *data)
{
    pki_fetch_call_t *call = data;

    char  *value;

    n *= size;
    call->head += n;

    if (call->head > PKI_FETCH_HEAD_MAX) {
        pki_fetch_call_set(call, PKI_FETCH_FAILED, "the headers are too long");
    }

    if (call->ended) {
        return 0;
    }

    if (n >= 5 && memcmp(line, "HTTP/", 5) == 0 && call->result.size == 0) {
        pki_fetch_call_header_reset(call);
        return n;
    }

    if (n <= 2) {
        call->body = 1;
    }

    value = memchr(line, ':', n);

    if (value == NULL || call->body) {
        return n;
    }

    if (pki_fetch_call_header_keep(call, line, value - line, value + 1,
                              n - (value - line) - 1)
        != PKI_OK)
    {
        pki_fetch_call_set(call, PKI_FETCH_FAILED, "out of memory");
        return 0;
    }

    return n;
}


static void
pki_fetch_call_header_reset(pki_fetch_call_t *call)
{
    call->result.retry_after[0] = '\0';
    call->result.date[0] = '\0';
    call->result.content_type[0] = '\0';
    call->result.request_id[0] = '\0';

    OPENSSL_free(call->location);
    call->location = NULL;

    call->body = 0;
}


/* Cut at PKI_FETCH_HEADER_MAX and fit for a log, but a location as it is. */

static pki_rc_t
pki_fetch_call_header_keep(pki_fetch_call_t *call, const char *name, size_t len,
    const char *value, size_t n)
{
    char    *to;
    size_t   i;

    static const struct {
        const char  *name;
        size_t       to;
    } kept[] = {
        { "Retry-After", offsetof(pki_fetch_result_t, retry_after) },
        { "Date", offsetof(pki_fetch_result_t, date) },
        { "Content-Type", offsetof(pki_fetch_result_t, content_type) },
        { "request-id", offsetof(pki_fetch_result_t, request_id) },
        { "x-ms-request-id", offsetof(pki_fetch_result_t, request_id) }
    };

    while (n && strchr(" \t\r\n", value[n - 1])) {
        n--;
    }

    while (n && (*value == ' ' || *value == '\t')) {
        value++;
        n--;
    }

    if (len == 8 && strncasecmp(name, "Location", 8) == 0) {
        OPENSSL_free(call->location);
        call->location = OPENSSL_strndup(value, n);

        return call->location != NULL ? PKI_OK : PKI_ERROR;
    }

    for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        if (len == strlen(kept[i].name)
            && strncasecmp(name, kept[i].name, len) == 0)
        {
            break;
        }
    }

    if (i == sizeof(kept) / sizeof(kept[0])) {
        return PKI_OK;
    }

    to = (char *) &call->result + kept[i].to;
    n = n < PKI_FETCH_HEADER_MAX ? n : PKI_FETCH_HEADER_MAX - 1;

    for (i = 0; i < n; i++) {
        to[i] = value[i] < ' ' || value[i] >= 0x7f ? '?' : value[i];
    }

    to[n] = '\0';

    return PKI_OK;
}


/* Decompressed: a small reply may become a large one, and is ended here. */

static size_t
pki_fetch_call_piece(char *text, size_t size, size_t n, void *data)
{
    pki_fetch_call_t *call = data;

    long  status;

    n *= size;

    if (call->ended) {
        return 0;
    }

    if (n > call->conf->max - call->result.size) {
        pki_fetch_call_set(call, PKI_FETCH_FAILED, "the reply is too large");
        return 0;
    }

    call->result.size += n;

    if (n == 0 || call->request.piece == NULL) {
        return n;
    }

    if (curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status)
        != CURLE_OK)
    {
        pki_fetch_call_set(call, PKI_FETCH_FAILED, "libcurl has failed");
        return 0;
    }

    if (call->request.piece(call->request.data, (int) status, text, n)
        != PKI_OK)
    {
        pki_fetch_call_set(call, PKI_FETCH_STOPPED, "the reply was not "
                           "wanted to its end");
        return 0;
    }

    /* it may have been cancelled just now */

    return call->ended ? 0 : n;
}


void
pki_fetch_call_close(pki_fetch_call_t *call, CURLcode code)
{
    if (call->ended) {
        return;
    }

    if (code == CURLE_OK && !call->body) {
        pki_fetch_call_set(call, PKI_FETCH_FAILED, "the reply ended within "
                           "its headers");
        return;
    }

    if (code == CURLE_OK) {
        call->result.outcome = PKI_FETCH_DONE;
        call->ended = 1;
        return;
    }

    if (code == CURLE_OPERATION_TIMEDOUT) {
        pki_fetch_call_sever(call);
    }

    pki_fetch_call_set(call, pki_fetch_call_untrusted(code, call->curl)
                             ? PKI_FETCH_TLS : PKI_FETCH_FAILED,
                       pki_fetch_call_why(code, call->curl));
}


/*
 * With HTTP/2 libcurl ends the stream only and would use the connection for
 * the next request, though it may be dead.  HTTP/1.1's is already closed.
 */

static void
pki_fetch_call_sever(pki_fetch_call_t *call)
{
    curl_socket_t  fd;

    if (curl_easy_getinfo(call->easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK
        && fd != CURL_SOCKET_BAD)
    {
        (void) shutdown(fd, SHUT_RDWR);
    }
}


/*
 * A connection that ends within the handshake has the code of one where the
 * two could not agree.  Only its text tells that nothing was refused.
 */

static int
pki_fetch_call_untrusted(CURLcode code, const char *text)
{
    switch (code) {

    case CURLE_SSL_CONNECT_ERROR:
        return strstr(text, "SSL_ERROR_SYSCALL") == NULL
               && strstr(text, "unexpected eof") == NULL
               && strstr(text, "reset by peer") == NULL
               && strstr(text, "Broken pipe") == NULL;

    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return 1;

    default:
        return 0;
    }
}


/* The long text of libcurl, where it holds nothing of the URL's path. */

static const char *
pki_fetch_call_why(CURLcode code, char *text)
{
    switch (code) {

    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        pki_fetch_call_steady(text);
        return *text ? text : curl_easy_strerror(code);

    default:
        return curl_easy_strerror(code);
    }
}


/*
 * Takes out what is another each time, as in "timed out after 1001
 * milliseconds with 17 bytes received", so that a cause has one text.
 */

static void
pki_fetch_call_steady(char *text)
{
    char  *p, *last;

    p = strstr(text, " with ");

    if (p != NULL && p[6] >= '0' && p[6] <= '9') {
        *p = '\0';
    }

    p = strstr(text, " after ");

    if (p == NULL || p[7] < '0' || p[7] > '9') {
        return;
    }

    last = p + 7;
    last += strspn(last, "0123456789");
    last += *last == ' ';
    last += strspn(last, "abcdefghijklmnopqrstuvwxyz");

    memmove(p, last, strlen(last) + 1);
}


/* The first cause counts. */

void
pki_fetch_call_set(pki_fetch_call_t *call, pki_fetch_outcome_t outcome,
    const char *why)
{
    char  name[PKI_FETCH_NAME_MAX];

    if (call->ended) {
        return;
    }

    pki_fetch_url_name(call->request.url, name, sizeof(name));
    pki_err_set(&call->err, "\"%s\": %s", name, why);

    call->result.outcome = outcome;
    call->result.error = call->err.text;
    call->ended = 1;
}


void
pki_fetch_call_end(pki_fetch_call_t *call)
{
    long                 status;
    pki_fetch_result_t  *result;

    result = &call->result;
    result->location = call->location ? call->location : "";

    if (call->easy != NULL) {

        if (curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status)
            == CURLE_OK)
        {
            result->status = (int) status;
        }

        if (call->multi != NULL) {
            (void) curl_multi_remove_handle(call->multi, call->easy);
        }

        curl_easy_cleanup(call->easy);
        call->easy = NULL;
    }

    curl_slist_free_all(call->headers);

    call->request.done(call->request.data, result);

    OPENSSL_free(call->location);
    OPENSSL_clear_free(call, call->size);
}

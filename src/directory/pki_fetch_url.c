
/*
 * Which URLs may be asked.  Links come out of replies, so whoever answers
 * chooses them: nothing in them may lead a token to another host.
 */

#include "pki_fetch_call.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <arpa/inet.h>


#define PKI_FETCH_URL_MAX   65536   /* Graph's links have some kilobytes */


static pki_rc_t pki_fetch_url_parse(const char *url, CURLU **u);
static pki_rc_t pki_fetch_url_part(CURLU *one, CURLU *two, CURLUPart part);
static int pki_fetch_url_loopback(const char *host);


int
pki_fetch_allowed(const char *url, const char *host, int plain)
{
    const char  *why;

    return pki_fetch_url_check(url, host, plain, &why) == PKI_OK;
}


/* Taken apart by libcurl, so that what is judged is what it will do. */

pki_rc_t
pki_fetch_url_check(const char *url, const char *host, int plain,
    const char **why)
{
    CURLU       *u, *h;
    char        *name;
    CURLUcode    code;
    pki_rc_t     rc;

    u = NULL;
    h = NULL;

    *why = "the URL is not an absolute one of https";

    rc = pki_fetch_url_parse(url, &u);

    if (rc == PKI_OK && strncasecmp(url, "http:", 5) == 0) {
        code = curl_url_get(u, CURLUPART_HOST, &name, 0);

        if (code != CURLUE_OK) {
            rc = PKI_ERROR;

        } else {
            rc = plain && pki_fetch_url_loopback(name) ? PKI_OK : PKI_INVALID;
            curl_free(name);
        }
    }

    if (rc == PKI_OK && host != NULL) {
        *why = "the URL leads to another host";

        rc = pki_fetch_url_parse(host, &h);

        if (rc == PKI_OK) {
            rc = pki_fetch_url_part(u, h, CURLUPART_SCHEME);
        }

        if (rc == PKI_OK) {
            rc = pki_fetch_url_part(u, h, CURLUPART_HOST);
        }

        if (rc == PKI_OK) {
            rc = pki_fetch_url_part(u, h, CURLUPART_PORT);
        }
    }

    if (rc == PKI_ERROR) {
        *why = "out of memory";
    }

    curl_url_cleanup(u);
    curl_url_cleanup(h);

    return rc;
}


/*
 * libcurl forgives: one or three slashes, an escape in a host, empty user
 * information.  We do not.
 */

static pki_rc_t
pki_fetch_url_parse(const char *url, CURLU **u)
{
    size_t      i, len;
    CURLUcode   code;

    len = strlen(url);

    if (len > PKI_FETCH_URL_MAX) {
        return PKI_INVALID;
    }

    for (i = 0; i < len; i++) {
        if (url[i] <= ' ' || url[i] >= 0x7f) {
            return PKI_INVALID;
        }
    }

    if (strncasecmp(url, "https://", 8) == 0) {
        i = 8;

    } else if (strncasecmp(url, "http://", 7) == 0) {
        i = 7;

    } else {
        return PKI_INVALID;
    }

    len = strcspn(url + i, "/?#");

    if (len == 0 || strcspn(url + i, "@%\\") < len) {
        return PKI_INVALID;
    }

    *u = curl_url();
    if (*u == NULL) {
        return PKI_ERROR;
    }

    code = curl_url_set(*u, CURLUPART_URL, url,
                        CURLU_DISALLOW_USER|CURLU_PATH_AS_IS);

    if (code == CURLUE_OUT_OF_MEMORY) {
        return PKI_ERROR;
    }

    return code == CURLUE_OK ? PKI_OK : PKI_INVALID;
}


static pki_rc_t
pki_fetch_url_part(CURLU *one, CURLU *two, CURLUPart part)
{
    char      *a, *b;
    pki_rc_t   rc;

    a = NULL;
    b = NULL;

    if (curl_url_get(one, part, &a, CURLU_DEFAULT_PORT) != CURLUE_OK
        || curl_url_get(two, part, &b, CURLU_DEFAULT_PORT) != CURLUE_OK)
    {
        rc = PKI_ERROR;

    } else {
        rc = strcasecmp(a, b) == 0 ? PKI_OK : PKI_INVALID;
    }

    curl_free(a);
    curl_free(b);

    return rc;
}


static int
pki_fetch_url_loopback(const char *host)
{
    struct in_addr  addr;

    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0) {
        return 1;
    }

    return inet_pton(AF_INET, host, &addr) == 1
           && (ntohl(addr.s_addr) >> 24) == 127;
}


/* Host and port for an error; what comes before an '@' may be a secret. */

void
pki_fetch_url_name(const char *url, char *name, size_t size)
{
    size_t       i, len;
    const char  *p;

    p = strstr(url, "://");
    url = p ? p + 3 : "";
    len = strcspn(url, "/?#\\");

    for (i = len; i; i--) {
        if (url[i - 1] == '@') {
            url += i;
            len -= i;
            break;
        }
    }

    (void) snprintf(name, size, "%.*s", (int) (len < size ? len : size), url);
}

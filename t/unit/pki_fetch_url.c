
/*
 * pki_fetch_url.c: a table of URLs that may and may not be asked, and no
 * memory at each step of telling.
 */

#include "pki_test.h"

#include <curl/curl.h>
#include "pki_fetch_call.h"


#define TEST_LONG  65536


static void test_urls(void);
static void test_long(void);
static void test_names(void);
static void test_memory(void);


static long  test_curl_countdown;
static int   test_curl_hit;


static int
test_curl_fails(void)
{
    if (test_curl_countdown > 0 && --test_curl_countdown == 0) {
        test_curl_hit = 1;
        return 1;
    }

    return 0;
}


static void *
test_curl_malloc(size_t size)
{
    return test_curl_fails() ? NULL : malloc(size);
}


static void *
test_curl_realloc(void *p, size_t size)
{
    return test_curl_fails() ? NULL : realloc(p, size);
}


static void *
test_curl_calloc(size_t n, size_t size)
{
    return test_curl_fails() ? NULL : calloc(n, size);
}


static char *
test_curl_strdup(const char *s)
{
    return test_curl_fails() ? NULL : strdup(s);
}


int
main(void)
{
    is_int(curl_global_init_mem(CURL_GLOBAL_DEFAULT, test_curl_malloc, free,
                                test_curl_realloc, test_curl_strdup,
                                test_curl_calloc),
           CURLE_OK, "libcurl");

    test_urls();
    test_long();
    test_names();
    test_memory();

    curl_global_cleanup();

    return pki_test_done();
}


static void
test_urls(void)
{
    size_t  i;

    static const struct {
        const char  *url;
        const char  *host;
        int          plain;
        int          allowed;
    } urls[] = {
        { "https://graph.microsoft.com/v1.0/devices", NULL, 0, 1 },
        { "HTTPS://Graph.Microsoft.com", NULL, 0, 1 },
        { "https://a:8443/x?y#z", NULL, 0, 1 },
        { "https://[2001:db8::1]:443/", NULL, 0, 1 },
        { "http://127.0.0.1/", NULL, 1, 1 },
        { "http://127.8.9.10:81/", NULL, 1, 1 },
        { "http://localhost:80/", NULL, 1, 1 },
        { "http://[::1]:80/", NULL, 1, 1 },

        { "http://127.0.0.1/", NULL, 0, 0 },
        { "http://128.0.0.1/", NULL, 1, 0 },
        { "http://graph.microsoft.com/", NULL, 1, 0 },
        { "http://127.0.0.1.evil/", NULL, 1, 0 },
        { "http://localhost.evil/", NULL, 1, 0 },
        { "http://[::2]/", NULL, 1, 0 },
        { "http://127.0.0.1@evil/", NULL, 1, 0 },
        { "http://evil@127.0.0.1/", NULL, 1, 0 },
        { "https://@a/", NULL, 0, 0 },
        { "https://u:p@a/", NULL, 0, 0 },
        { "https://a\\@b/", NULL, 0, 0 },
        { "https://%61/", NULL, 0, 0 },
        { "https://a b/", NULL, 0, 0 },
        { "https://a/b c", NULL, 0, 0 },
        { "https://a/\r\nX: y", NULL, 0, 0 },
        { "https://a/\xc3\xa9", NULL, 0, 0 },
        { "https:///a/", NULL, 0, 0 },
        { "https:/a/", NULL, 0, 0 },
        { "https://", NULL, 0, 0 },
        { "https://a:99999/", NULL, 0, 0 },
        { "https://a:b/", NULL, 0, 0 },
        { "https://[::1/", NULL, 0, 0 },
        { "//a/", NULL, 0, 0 },
        { "a/b", NULL, 0, 0 },
        { "", NULL, 0, 0 },
        { "file:///etc/passwd", NULL, 1, 0 },
        { "ftp://127.0.0.1/", NULL, 1, 0 },
        { "gopher://127.0.0.1/", NULL, 1, 0 },
        { "javascript:alert(1)", NULL, 1, 0 },

        { "https://a/x", "https://a", 0, 1 },
        { "https://A:443/x", "https://a/v1.0", 0, 1 },
        { "https://a/x", "https://a:443", 0, 1 },
        { "https://[2001:db8::1]/x", "https://[2001:DB8::1]:443", 0, 1 },
        { "http://127.0.0.1:80/x", "http://127.0.0.1", 1, 1 },
        { "https://a:444/x", "https://a", 0, 0 },
        { "https://a.evil/x", "https://a", 0, 0 },
        { "https://ab/x", "https://a", 0, 0 },
        { "https://a@evil/x", "https://a", 0, 0 },
        { "https://evil/https://a", "https://a", 0, 0 },
        { "https://graph.microsoft.com.evil/", "https://graph.microsoft.com",
          0, 0 },
        { "http://127.0.0.1/x", "https://127.0.0.1", 1, 0 },
        { "https://127.0.0.1/x", "http://127.0.0.1", 1, 0 },
        { "https://127.0.0.1:80/x", "http://127.0.0.1:80", 1, 0 },
        { "https://a/x", "a", 0, 0 }
    };

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        is_int(pki_fetch_allowed(urls[i].url, urls[i].host, urls[i].plain),
               urls[i].allowed, "%s \"%s\" of \"%s\"",
               urls[i].allowed ? "allowed:" : "refused:",
               strpbrk(urls[i].url, "\r\n") ? "(CR LF)" : urls[i].url,
               urls[i].host ? urls[i].host : "");
    }
}


static void
test_long(void)
{
    char  url[TEST_LONG + 2];

    memset(url, 'a', sizeof(url));
    memcpy(url, "https://a/", 10);

    url[TEST_LONG] = '\0';
    ok(pki_fetch_allowed(url, "https://a", 0), "as long as allowed");

    url[TEST_LONG] = 'a';
    url[TEST_LONG + 1] = '\0';
    ok(!pki_fetch_allowed(url, "https://a", 0), "too long");
}


static void
test_names(void)
{
    char    name[16];
    size_t  i;

    static const struct {
        const char  *url;
        const char  *name;
    } names[] = {
        { "https://a.b:1/c?d", "a.b:1" },
        { "https://a", "a" },
        { "https://user:secret@a/b", "a" },
        { "https://u@v@a?b", "a" },
        { "https://a\\b", "a" },
        { "https://0123456789abcdefg", "0123456789abcde" },
        { "file", "" },
        { "", "" }
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        pki_fetch_url_name(names[i].url, name, sizeof(name));
        is_str(name, names[i].name, "the name in \"%s\"", names[i].url);
    }
}


static void
test_memory(void)
{
    int          wrong;
    long         n;
    pki_rc_t     rc;
    const char  *why;

    for (n = 1, wrong = 0; n < 1000; n++) {
        test_curl_hit = 0;
        test_curl_countdown = n;

        rc = pki_fetch_url_check("http://127.0.0.1:81/a?b",
                                 "http://127.0.0.1:81", 1, &why);

        test_curl_countdown = 0;

        if (!test_curl_hit) {
            break;
        }

        wrong += rc != PKI_ERROR || strcmp(why, "out of memory") != 0;
    }

    ok(n > 5 && n < 1000, "%ld allocations", n - 1);
    is_int(wrong, 0, "each that fails is told as that");
    is_int(rc, PKI_OK, "and with memory it is allowed");
}

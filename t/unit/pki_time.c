
/*
 * pki_time.c: each form, each way to miss it, and the calendar against that
 * of libc.
 */

#include "pki_test.h"

#include <limits.h>

#include "pki_time.h"


#define TEST_BAD  (-1)          /* no result is negative */
#define TEST_T    784111777LL   /* 1994-11-06T08:49:37Z */
#define TEST_CAP  300000


typedef pki_rc_t (*test_parse_pt)(const char *text, size_t len, time_t *t);


typedef struct {
    const char  *text;
    long long    t;
} test_case_t;


/* from a block of just that size, so that reading over its end shows */

static char *
test_copy(const char *text, size_t len)
{
    char  *copy;

    copy = malloc(len ? len : 1);

    if (copy == NULL) {
        printf("Bail out! no memory\n");
        exit(1);
    }

    memcpy(copy, text, len);

    return copy;
}


static long long
test_parse(test_parse_pt parse, const char *text, size_t len)
{
    char      *copy;
    time_t     t;
    pki_rc_t   rc;

    copy = test_copy(text, len);
    t = TEST_BAD;
    rc = parse(copy, len, &t);

    free(copy);

    if (rc == PKI_INVALID) {
        return t == TEST_BAD ? TEST_BAD : -2;
    }

    return rc == PKI_OK && t >= 0 ? t : -3;
}


static long
test_retry(const char *text, size_t len, time_t now, long max)
{
    char  *copy;
    long   ms;

    copy = test_copy(text, len);
    ms = pki_time_retry_after(copy, len, now, max);

    free(copy);

    return ms;
}


static void
test_iso(void)
{
    size_t  i;

    static const test_case_t  cases[] = {
        { "1994-11-06T08:49:37Z", TEST_T },
        { "1994-11-06t08:49:37z", TEST_T },
        { "1994-11-06 08:49:37Z", TEST_T },
        { "1994-11-06T08:49:37", TEST_T },
        { "1994-11-06T08:49:37.1Z", TEST_T },
        { "1994-11-06T08:49:37.12Z", TEST_T },
        { "1994-11-06T08:49:37.123Z", TEST_T },
        { "1994-11-06T08:49:37.1234Z", TEST_T },
        { "1994-11-06T08:49:37.12345Z", TEST_T },
        { "1994-11-06T08:49:37.123456Z", TEST_T },
        { "1994-11-06T08:49:37.1234567Z", TEST_T },
        { "1994-11-06T08:49:37.12345678Z", TEST_T },
        { "1994-11-06T08:49:37.999999999Z", TEST_T },
        { "1994-11-06T08:49:37.99999999999999999999999999999999Z", TEST_T },
        { "1994-11-06T08:49:37.5", TEST_T },
        { "1994-11-06T08:49:37.5+00:00", TEST_T },
        { "1994-11-06T10:49:37+02:00", TEST_T },
        { "1994-11-06T10:49:37.0000000+02:00", TEST_T },
        { "1994-11-06T03:19:37-05:30", TEST_T },
        { "1994-11-06T08:49:37-00:00", TEST_T },
        { "1994-11-07T08:48:37+23:59", TEST_T },
        { "1994-11-05T08:50:37-23:59", TEST_T },

        /* the ends of the calendar */

        { "1970-01-01T00:00:00Z", 0 },
        { "1970-01-01T00:00:01Z", 1 },
        { "1970-01-01T00:00:01+00:01", 0 },
        { "1969-12-31T23:59:59Z", 0 },
        { "1969-12-31T23:59:59-00:01", 59 },
        { "0001-01-01T00:00:00Z", 0 },
        { "0001-01-01T00:00:00+23:59", 0 },
        { "0000-01-01T00:00:00Z", 0 },
        { "0000-02-29T00:00:00Z", 0 },
        { "9999-12-31T23:59:59Z", PKI_TIME_MAX },
        { "9999-12-31T23:59:59.9999999Z", PKI_TIME_MAX },
        { "9999-12-31T23:59:58Z", PKI_TIME_MAX - 1 },
        { "9999-12-31T23:59:60Z", PKI_TIME_MAX },
        { "9999-12-31T23:59:59-23:59", PKI_TIME_MAX },
        { "2038-01-19T03:14:08Z", 2147483648LL },
        { "2106-02-07T06:28:16Z", 4294967296LL },
        { "2016-12-31T23:59:60Z", 1483228800 },
        { "2017-01-01T01:59:60.5+02:00", 1483228800 },
        { "2000-02-29T00:00:00Z", 951782400 },
        { "2024-02-29T00:00:00Z", 1709164800 },

        { "2023-02-29T00:00:00Z", TEST_BAD },
        { "1900-02-29T00:00:00Z", TEST_BAD },
        { "2024-02-30T00:00:00Z", TEST_BAD },
        { "2024-04-31T00:00:00Z", TEST_BAD },
        { "2024-00-01T00:00:00Z", TEST_BAD },
        { "2024-13-01T00:00:00Z", TEST_BAD },
        { "2024-01-00T00:00:00Z", TEST_BAD },
        { "2024-01-32T00:00:00Z", TEST_BAD },
        { "2024-01-01T24:00:00Z", TEST_BAD },
        { "2024-01-01T00:60:00Z", TEST_BAD },
        { "2024-01-01T00:00:61Z", TEST_BAD },
        { "2024-01-01T00:00:00+24:00", TEST_BAD },
        { "2024-01-01T00:00:00+00:60", TEST_BAD },

        /* what is not of this form */

        { "", TEST_BAD },
        { " ", TEST_BAD },
        { "Z", TEST_BAD },
        { "null", TEST_BAD },
        { "1994-11-06", TEST_BAD },
        { "1994-11-06T08:49Z", TEST_BAD },
        { "1994-11-06T08:49:37.Z", TEST_BAD },
        { "1994-11-06T08:49:37.", TEST_BAD },
        { "1994-11-06T08:49:37,5Z", TEST_BAD },
        { "1994-11-06T08:49:37ZZ", TEST_BAD },
        { "1994-11-06T08:49:37Z ", TEST_BAD },
        { " 1994-11-06T08:49:37Z", TEST_BAD },
        { "1994-11-06T08:49:37 Z", TEST_BAD },
        { "1994-11-06_08:49:37Z", TEST_BAD },
        { "1994-11-06  08:49:37Z", TEST_BAD },
        { "1994/11/06T08:49:37Z", TEST_BAD },
        { "94-11-06T08:49:37Z", TEST_BAD },
        { "19941106T084937Z", TEST_BAD },
        { "+1994-11-06T08:49:37Z", TEST_BAD },
        { "-994-11-06T08:49:37Z", TEST_BAD },
        { "10000-01-01T00:00:00Z", TEST_BAD },
        { "1994-1-06T08:49:37Z", TEST_BAD },
        { "1994-11- 6T08:49:37Z", TEST_BAD },
        { "1994-11-06T 8:49:37Z", TEST_BAD },
        { "1994-11-06T+8:49:37Z", TEST_BAD },
        { "1994-11-06T08:49:3xZ", TEST_BAD },
        { "1994-11-06T08:49:37+0200", TEST_BAD },
        { "1994-11-06T08:49:37+02", TEST_BAD },
        { "1994-11-06T08:49:37+02:0", TEST_BAD },
        { "1994-11-06T08:49:37+02:00Z", TEST_BAD },
        { "1994-11-06T08:49:37Z+02:00", TEST_BAD },
        { "1994-11-06T08:49:37*02:00", TEST_BAD },
        { "1994-11-06T08:49:37 UTC", TEST_BAD },
        { "784111777", TEST_BAD },
        { "Sun, 06 Nov 1994 08:49:37 GMT", TEST_BAD }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(test_parse(pki_time_iso, cases[i].text, strlen(cases[i].text)),
               cases[i].t, "\"%s\"", cases[i].text);
    }

    is_int(test_parse(pki_time_iso, "1994-11-06\00008:49:37Z", 20), TEST_BAD,
           "a zero octet is no separator");
    is_int(test_parse(pki_time_iso, "1994-11-06T08:49:37\0", 20), TEST_BAD,
           "nor is it a zone");
}


static void
test_http(void)
{
    size_t  i;

    static const test_case_t  cases[] = {
        { "Sun, 06 Nov 1994 08:49:37 GMT", TEST_T },
        { "Sunday, 06-Nov-94 08:49:37 GMT", TEST_T },
        { "Sun Nov  6 08:49:37 1994", TEST_T },
        { "Sun Nov 06 08:49:37 1994", TEST_T },
        { "Wed Nov 16 08:49:37 1994", TEST_T + 864000 },
        { "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
        { "Mon, 01 Jan 0001 00:00:00 GMT", 0 },
        { "Fri, 31 Dec 9999 23:59:59 GMT", PKI_TIME_MAX },
        { "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800 },
        { "Thursday, 01-Jan-70 00:00:00 GMT", 0 },
        { "Friday, 31-Dec-99 23:59:59 GMT", 946684799 },
        { "Saturday, 01-Jan-00 00:00:00 GMT", 946684800 },
        { "Tuesday, 31-Dec-69 23:59:59 GMT", 3155759999LL },

        { "", TEST_BAD },
        { "Sun", TEST_BAD },
        { "Son, 06 Nov 1994 08:49:37 GMT", TEST_BAD },
        { "sun, 06 Nov 1994 08:49:37 GMT", TEST_BAD },
        { "Sun, 06 nov 1994 08:49:37 GMT", TEST_BAD },
        { "Sun, 06 Nov 1994 08:49:37 UTC", TEST_BAD },
        { "Sun, 06 Nov 1994 08:49:37 +0000", TEST_BAD },
        { "Sun, 06 Nov 1994 08:49:37 GMT ", TEST_BAD },
        { "Sun, 06 Nov 1994 08:49:37", TEST_BAD },
        { "Sun, 6 Nov 1994 08:49:37 GMT", TEST_BAD },
        { "Sun, 06 Nov 94 08:49:37 GMT", TEST_BAD },
        { "Sun, 31 Nov 1994 08:49:37 GMT", TEST_BAD },
        { "Sun, 00 Nov 1994 08:49:37 GMT", TEST_BAD },
        { "Sun, 06 Nov 1994 24:49:37 GMT", TEST_BAD },
        { "Sunday, 06-Nov-1994 08:49:37 GMT", TEST_BAD },
        { "Sun, 06-Nov-94 08:49:37 GMT", TEST_BAD },
        { "Sunday, 06 Nov 94 08:49:37 GMT", TEST_BAD },
        { "Sun Nov 6 08:49:37 1994", TEST_BAD },
        { "Sun Nov  0 08:49:37 1994", TEST_BAD },
        { "Sun Nov  6 08:49:37 94", TEST_BAD },
        { "Sun Nov  6 08:49:37 1994 GMT", TEST_BAD },
        { "1994-11-06T08:49:37Z", TEST_BAD }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(test_parse(pki_time_http, cases[i].text,
                          strlen(cases[i].text)),
               cases[i].t, "\"%s\"", cases[i].text);
    }
}


/* What a text cut after n octets is: with "keep" it is whole, elsewhere not. */

static void
test_truncated(test_parse_pt parse, const char *text, const char *keep)
{
    size_t  n, len;

    len = strlen(text);

    for (n = 0; n < len; n++) {
        is_int(test_parse(parse, text, n) != TEST_BAD, keep[n] == '+',
               "\"%.*s\"", (int) n, text);
    }

    ok(test_parse(parse, text, len) == TEST_T, "\"%s\", uncut", text);
}


/* each octet becomes each other one: no crash, no time that is none */

static void
test_changed(test_parse_pt parse, const char *text)
{
    char       copy[64];
    int        c;
    size_t     i, len;
    unsigned   failed;
    long long  t;

    len = strlen(text);
    failed = 0;

    for (i = 0; i < len; i++) {
        for (c = 0; c <= 0xff; c++) {
            memcpy(copy, text, len);
            copy[i] = c;

            t = test_parse(parse, copy, len);
            failed += t < TEST_BAD || t > PKI_TIME_MAX;
        }
    }

    is_int(failed, 0, "\"%s\", each octet changed", text);
}


static void
test_calendar(void)
{
    char       text[64], http[64];
    time_t     t;
    unsigned   failed;
    struct tm  tm;

    failed = 0;

    /* each day's last second until 2500, then some days of each year */

    for (t = 86399; t < PKI_TIME_MAX; t += t < 16725225600LL ? 86400
                                          : 86400 * 73)
    {
        if (gmtime_r(&t, &tm) == NULL
            || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0
            || strftime(http, sizeof(http), "%a, %d %b %Y %H:%M:%S GMT", &tm)
               == 0)
        {
            failed++;
            continue;
        }

        failed += test_parse(pki_time_iso, text, strlen(text)) != t;
        failed += test_parse(pki_time_http, http, strlen(http)) != t;
    }

    is_int(failed, 0, "the days are those of libc");
}


static void
test_retry_after(void)
{
    size_t  i;

    static const struct {
        const char  *text;
        long         ms;
    } cases[] = {
        { "0", 0 },
        { "00", 0 },
        { "1", 1000 },
        { "10", 10000 },
        { "010", 10000 },
        { "2.128", 2128 },
        { "0.249", 249 },
        { "0.2", 200 },
        { "0.0", 0 },
        { "0.001", 1 },
        { "0.0001", 1 },
        { "0.0000", 0 },
        { "1.9999", 2000 },
        { "1.00000000000000000000000000000000000000001", 1001 },
        { "299.9999", TEST_CAP },
        { "300", TEST_CAP },
        { "300.001", TEST_CAP },
        { "301", TEST_CAP },
        { "99999999", TEST_CAP },
        { "9223372036854775807", TEST_CAP },
        { "9223372036854775808", TEST_CAP },
        { "18446744073709551616", TEST_CAP },
        { "99999999999999999999999999999999999999999999999999", TEST_CAP },
        { "99999999999999999999999999999999999999999999999999.5", TEST_CAP },

        { "", -1 },
        { "-1", -1 },
        { "+1", -1 },
        { "abc", -1 },
        { "1e9", -1 },
        { "0x10", -1 },
        { " 10", -1 },
        { "10 ", -1 },
        { "10s", -1 },
        { ".", -1 },
        { ".5", -1 },
        { "5.", -1 },
        { "1.2.3", -1 },
        { "1..2", -1 },
        { "1,5", -1 },
        { "inf", -1 },
        { "nan", -1 },
        { "10, 20", -1 },

        /* now is 1994-11-06T08:49:37Z */

        { "Sun, 06 Nov 1994 08:49:37 GMT", 0 },
        { "Sun, 06 Nov 1994 08:49:36 GMT", 0 },
        { "Mon, 01 Jan 0001 00:00:00 GMT", 0 },
        { "Sun, 06 Nov 1994 08:49:38 GMT", 1000 },
        { "Sunday, 06-Nov-94 08:49:47 GMT", 10000 },
        { "Sun Nov  6 08:50:37 1994", 60000 },
        { "Sun, 06 Nov 1994 08:54:37 GMT", TEST_CAP },
        { "Sun, 06 Nov 1994 08:54:38 GMT", TEST_CAP },
        { "Fri, 31 Dec 9999 23:59:59 GMT", TEST_CAP },
        { "Sun, 06 Nov 1994 08:49:38", -1 },
        { "1994-11-06T08:49:38Z", -1 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(test_retry(cases[i].text, strlen(cases[i].text), TEST_T,
                          TEST_CAP), cases[i].ms, "\"%s\"", cases[i].text);
    }

    is_int(test_retry("1\0", 2, TEST_T, TEST_CAP), -1, "a zero octet");
    is_int(test_retry("10", 2, TEST_T, 0), 0, "nothing is allowed");
    is_int(test_retry("99999999999999999999", 20, TEST_T, LONG_MAX) > 0, 1,
           "all is allowed");
    is_int(test_retry("Fri, 31 Dec 9999 23:59:59 GMT", 29, 0, LONG_MAX),
           PKI_TIME_MAX * 1000, "of a date, too");
}


int
main(void)
{
    test_iso();
    test_http();

    /* the lines below tell after how many octets a text is a whole one */

    test_truncated(pki_time_iso,  "1994-11-06T08:49:37.120Z",
                                  "-------------------+-+++");
    test_truncated(pki_time_iso,  "1994-11-06T10:49:37.5+02:00",
                                  "-------------------+-+-----");
    test_truncated(pki_time_http, "Sun, 06 Nov 1994 08:49:37 GMT",
                                  "-----------------------------");
    test_truncated(pki_time_http, "Sunday, 06-Nov-94 08:49:37 GMT",
                                  "------------------------------");
    test_truncated(pki_time_http, "Sun Nov  6 08:49:37 1994",
                                  "------------------------");

    test_changed(pki_time_iso, "1994-11-06T10:49:37.5+02:00");
    test_changed(pki_time_http, "Sun, 06 Nov 1994 08:49:37 GMT");
    test_changed(pki_time_http, "Sunday, 06-Nov-94 08:49:37 GMT");
    test_changed(pki_time_http, "Sun Nov  6 08:49:37 1994");

    test_calendar();
    test_retry_after();

    return pki_test_done();
}


/*
 * Times as directories write them.
 *
 * A form is a pattern in the manner of strptime(), read from left to right
 * into the numbers of a calendar; days are then counted by arithmetic.  What
 * libc has for this asks the locale or the time zone of the host.
 */

#include "pki_time.h"

#include <string.h>


#define PKI_TIME_PIVOT  70          /* RFC 850: years 1970 to 2069 */


typedef struct {
    int         year;
    int         month;              /* from 1 */
    int         day;
    int         hour;
    int         minute;
    int         second;
} pki_time_parts_t;


static int pki_time_match(pki_bytes_t *text, const char *pattern,
    pki_time_parts_t *parts);
static int pki_time_part(pki_bytes_t *text, char what,
    pki_time_parts_t *parts);
static int pki_time_number(pki_bytes_t *text, size_t digits, int *n);
static int pki_time_name(pki_bytes_t *text, const char *const *names, int n,
    size_t len);
static int pki_time_octet(pki_bytes_t *text, const char *set);
static int pki_time_fraction(pki_bytes_t *text);
static int pki_time_offset(pki_bytes_t *text, int *offset);
static pki_rc_t pki_time_count(const pki_time_parts_t *parts, int offset,
    time_t *t);


#define PKI_TIME_MONTHS  12
#define PKI_TIME_DAYS    7

static const char  *const pki_time_months[] = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun",
    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
};

static const char  *const pki_time_days[] = {
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
    "Sunday"
};


/* RFC 9110, 5.6.7: IMF-fixdate, that of RFC 850, that of asctime() */

static const char  *const pki_time_forms[] = {
    "%a, %d %b %Y %H:%M:%S GMT",
    "%A, %d-%b-%y %H:%M:%S GMT",
    "%a %b %e %H:%M:%S %Y"
};

#define PKI_TIME_FORMS  (sizeof(pki_time_forms) / sizeof(pki_time_forms[0]))


pki_rc_t
pki_time_iso(const char *text, size_t len, time_t *t)
{
    int               offset;
    pki_bytes_t       rest;
    pki_time_parts_t  parts;

    rest.data = (const unsigned char *) text;
    rest.len = len;

    if (!pki_time_match(&rest, "%Y-%m-%d", &parts)
        || !pki_time_octet(&rest, "Tt ")
        || !pki_time_match(&rest, "%H:%M:%S", &parts)
        || !pki_time_fraction(&rest)
        || !pki_time_offset(&rest, &offset)
        || rest.len)
    {
        return PKI_INVALID;
    }

    return pki_time_count(&parts, offset, t);
}


pki_rc_t
pki_time_http(const char *text, size_t len, time_t *t)
{
    size_t            i;
    pki_bytes_t       rest;
    pki_time_parts_t  parts;

    for (i = 0; i < PKI_TIME_FORMS; i++) {
        rest.data = (const unsigned char *) text;
        rest.len = len;

        if (pki_time_match(&rest, pki_time_forms[i], &parts)
            && rest.len == 0)
        {
            return pki_time_count(&parts, 0, t);
        }
    }

    return PKI_INVALID;
}


/* a wait is rounded up: who comes too early is sent away again */

long
pki_time_retry_after(const char *text, size_t len, time_t now, long max)
{
    int        up;
    size_t     i, point;
    time_t     t;
    long long  ms, unit;

    if (pki_time_http(text, len, &t) == PKI_OK) {
        if (t <= now) {
            return 0;
        }

        return t - now > max / 1000 ? max : (t - now) * 1000;
    }

    up = 0;
    ms = 0;
    unit = 1000;
    point = 0;

    for (i = 0; i < len; i++) {

        if (text[i] == '.' && i > 0 && point == 0) {
            point = i;
            continue;
        }

        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }

        if (point) {
            unit /= 10;
            ms += (text[i] - '0') * unit;
            up |= unit == 0 && text[i] != '0';

        } else if (ms <= PKI_TIME_MAX) {
            ms = ms * 10 + (text[i] - '0') * unit;
        }
    }

    if (len == 0 || (point && point == len - 1)) {
        return -1;
    }

    ms += up;

    return ms > max ? max : ms;
}


static int
pki_time_match(pki_bytes_t *text, const char *pattern,
    pki_time_parts_t *parts)
{
    char  literal[2];

    literal[1] = '\0';

    for ( /* void */ ; *pattern; pattern++) {

        if (*pattern == '%') {
            pattern++;

            if (!pki_time_part(text, *pattern, parts)) {
                return 0;
            }

            continue;
        }

        literal[0] = *pattern;

        if (!pki_time_octet(text, literal)) {
            return 0;
        }
    }

    return 1;
}


/* the letters are those of strptime() */

static int
pki_time_part(pki_bytes_t *text, char what, pki_time_parts_t *parts)
{
    switch (what) {

    case 'Y':
        return pki_time_number(text, 4, &parts->year);

    case 'y':
        if (!pki_time_number(text, 2, &parts->year)) {
            return 0;
        }

        parts->year += parts->year < PKI_TIME_PIVOT ? 2000 : 1900;
        return 1;

    case 'm':
        return pki_time_number(text, 2, &parts->month);

    case 'b':
        parts->month = pki_time_name(text, pki_time_months, PKI_TIME_MONTHS,
                                     3);
        return parts->month;

    case 'd':
        return pki_time_number(text, 2, &parts->day);

    case 'e':
        return pki_time_number(text, pki_time_octet(text, " ") ? 1 : 2,
                               &parts->day);

    case 'H':
        return pki_time_number(text, 2, &parts->hour);

    case 'M':
        return pki_time_number(text, 2, &parts->minute);

    case 'S':
        return pki_time_number(text, 2, &parts->second);

    case 'A':
        return pki_time_name(text, pki_time_days, PKI_TIME_DAYS, 0);

    default: /* 'a' */
        return pki_time_name(text, pki_time_days, PKI_TIME_DAYS, 3);
    }
}


static int
pki_time_number(pki_bytes_t *text, size_t digits, int *n)
{
    size_t  i;

    if (text->len < digits) {
        return 0;
    }

    *n = 0;

    for (i = 0; i < digits; i++) {
        if (text->data[i] < '0' || text->data[i] > '9') {
            return 0;
        }

        *n = *n * 10 + (text->data[i] - '0');
    }

    text->data += digits;
    text->len -= digits;

    return 1;
}


/* Which of n names, from 1, or of their first len octets, when not 0. */

static int
pki_time_name(pki_bytes_t *text, const char *const *names, int n, size_t len)
{
    int     i;
    size_t  size;

    for (i = 0; i < n; i++) {
        size = len ? len : strlen(names[i]);

        if (text->len >= size && memcmp(text->data, names[i], size) == 0) {
            text->data += size;
            text->len -= size;
            return i + 1;
        }
    }

    return 0;
}


/* Takes one octet of a set. */

static int
pki_time_octet(pki_bytes_t *text, const char *set)
{
    if (text->len == 0 || text->data[0] == '\0'
        || strchr(set, text->data[0]) == NULL)
    {
        return 0;
    }

    text->data++;
    text->len--;

    return 1;
}


/* there may be none, but none of no digits */

static int
pki_time_fraction(pki_bytes_t *text)
{
    int  digit;

    if (!pki_time_octet(text, ".")) {
        return 1;
    }

    if (!pki_time_number(text, 1, &digit)) {
        return 0;
    }

    while (pki_time_number(text, 1, &digit)) { /* void */ }

    return 1;
}


/* what has no zone is in UTC */

static int
pki_time_offset(pki_bytes_t *text, int *offset)
{
    int  hours, minutes, sign;

    *offset = 0;

    if (text->len == 0 || pki_time_octet(text, "Zz")) {
        return 1;
    }

    sign = text->data[0] == '-' ? -1 : 1;

    if (!pki_time_octet(text, "+-")
        || !pki_time_number(text, 2, &hours) || hours > 23
        || !pki_time_octet(text, ":")
        || !pki_time_number(text, 2, &minutes) || minutes > 59)
    {
        return 0;
    }

    *offset = sign * (hours * 3600 + minutes * 60);

    return 1;
}


/*
 * The proleptic Gregorian calendar, with years that begin in March, so that
 * the day that may be missing is the last one: 153 days are five months.
 */

static pki_rc_t
pki_time_count(const pki_time_parts_t *parts, int offset, time_t *t)
{
    int        last, leap;
    long long  day, month, year, seconds;

    static const int  lengths[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    year = parts->year;
    leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    if (parts->month < 1 || parts->month > PKI_TIME_MONTHS) {
        return PKI_INVALID;
    }

    last = lengths[parts->month - 1] + (parts->month == 2 ? leap : 0);

    if (parts->day < 1 || parts->day > last || parts->hour > 23
        || parts->minute > 59 || parts->second > 60)
    {
        return PKI_INVALID;
    }

    month = (parts->month + 9) % 12;

    if (month >= 10) {
        year--;
    }

    /* a year before 0 is 400 later, and its days are taken off again */

    year += 400;

    day = year * 365 + year / 4 - year / 100 + year / 400
          + (month * 153 + 2) / 5 + parts->day - 1
          - 146097 - 719468;

    seconds = day * 86400 + parts->hour * 3600 + parts->minute * 60
              + parts->second - offset;

    if (seconds < 0) {
        seconds = 0;
    }

    *t = seconds > PKI_TIME_MAX ? PKI_TIME_MAX : seconds;

    return PKI_OK;
}

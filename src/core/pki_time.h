
/*
 * Times as directories write them.  None of these functions knows the time
 * zone of the host, and none overflows: a time before 1970 or after 9999 is
 * told as the nearest one within.
 */

#ifndef PKI_TIME_H
#define PKI_TIME_H


#include "pki.h"

#include <time.h>


#define PKI_TIME_MAX  253402300799LL        /* 9999-12-31T23:59:59Z */


/*
 * RFC 3339 and what is seen beside it: a fraction of any length, "Z", an
 * offset "+02:00", or neither (then UTC); 'T', 't' or a space; second 60.
 * The fraction is cut off.  PKI_INVALID: not a time.
 */
pki_rc_t pki_time_iso(const char *text, size_t len, time_t *t);

/*
 * An HTTP-date in any of its three forms (RFC 9110, 5.6.7); the years of two
 * digits are 1970 to 2069.  PKI_INVALID: none of them.
 */
pki_rc_t pki_time_http(const char *text, size_t len, time_t *t);

/*
 * The value of Retry-After (RFC 9110, 10.2.3) or what Graph makes of it: an
 * integer, a decimal, an HTTP-date.  Returns milliseconds from `now`, at
 * most `max`; 0 for a time that has passed; -1: not understood.
 */
long pki_time_retry_after(const char *text, size_t len, time_t now, long max);


#endif /* PKI_TIME_H */

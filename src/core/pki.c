
/*
 * The text of an error: formatted once, on one line, together with what
 * OpenSSL had to say.
 */

#include "pki.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <openssl/err.h>


static void pki_err_vset(pki_err_t *err, const char *fmt, va_list args);
static void pki_err_clean(pki_err_t *err);


void
pki_err_set(pki_err_t *err, const char *fmt, ...)
{
    va_list  args;

    if (err == NULL) {
        return;
    }

    va_start(args, fmt);
    pki_err_vset(err, fmt, args);
    va_end(args);

    pki_err_clean(err);
}


void
pki_err_ssl(pki_err_t *err, const char *fmt, ...)
{
    size_t         len;
    va_list        args;
    const char    *data, *reason;
    int            flags;
    unsigned long  e;

    if (err != NULL) {
        va_start(args, fmt);
        pki_err_vset(err, fmt, args);
        va_end(args);
    }

    for ( ;; ) {
        e = ERR_get_error_all(NULL, NULL, NULL, &data, &flags);
        if (e == 0) {
            break;
        }

        if (err == NULL) {
            continue;
        }

        len = strlen(err->text);
        reason = ERR_reason_error_string(e);

        (void) snprintf(err->text + len, PKI_ERR_LEN - len, " (SSL: %s%s%s)",
                        reason ? reason : "unknown",
                        (flags & ERR_TXT_STRING) && *data ? ": " : "",
                        (flags & ERR_TXT_STRING) ? data : "");
    }

    if (err != NULL) {
        pki_err_clean(err);
    }
}


pki_rc_t
pki_err_input(pki_err_t *err, const char *fmt, ...)
{
    va_list        args;
    pki_rc_t       rc;
    unsigned long  e;

    rc = PKI_INVALID;

    while ((e = ERR_get_error()) != 0) {
        if (ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE) {
            rc = PKI_ERROR;
        }
    }

    if (rc == PKI_ERROR) {
        pki_err_set(err, "no memory");

    } else if (err != NULL) {
        va_start(args, fmt);
        pki_err_vset(err, fmt, args);
        va_end(args);

        pki_err_clean(err);
    }

    return rc;
}


static void
pki_err_vset(pki_err_t *err, const char *fmt, va_list args)
{
    if (vsnprintf(err->text, PKI_ERR_LEN, fmt, args) < 0) {
        err->text[0] = '\0';
    }
}


static void
pki_err_clean(pki_err_t *err)
{
    unsigned char  *p;

    for (p = (unsigned char *) err->text; *p; p++) {
        if (*p < 0x20 || *p == 0x7f) {
            *p = '?';
        }
    }
}


/*
 * What the errors of a token endpoint mean.
 *
 * Whoever answers is not trusted with our log: only words and numbers that
 * stand in these tables, or have the form of such a number, are told, so
 * that a secret that comes back as an echo is not.
 */

#include "pki_login_error.h"

#include <string.h>


#define PKI_LOGIN_CODE_MAX  9999999 /* AADSTS numbers have 5 to 7 digits */


typedef struct {
    const char         *name;
    pki_login_result_t  result;
} pki_login_word_t;


typedef struct {
    long                code;
    pki_login_result_t  result;
    const char         *text;
} pki_login_aadsts_t;


static const pki_login_word_t *pki_login_error_word(const char *error);
static long pki_login_error_code(const pki_value_t *value);


/* RFC 6749, 5.2, and what Entra adds */

static const pki_login_word_t  pki_login_words[] = {
    { "invalid_request", PKI_LOGIN_REFUSED },
    { "invalid_client", PKI_LOGIN_REFUSED },
    { "invalid_grant", PKI_LOGIN_REFUSED },
    { "invalid_scope", PKI_LOGIN_REFUSED },
    { "invalid_resource", PKI_LOGIN_REFUSED },
    { "unauthorized_client", PKI_LOGIN_REFUSED },
    { "unsupported_grant_type", PKI_LOGIN_REFUSED },
    { "access_denied", PKI_LOGIN_REFUSED },
    { "interaction_required", PKI_LOGIN_REFUSED },
    { "temporarily_unavailable", PKI_LOGIN_LATER },
    { "server_error", PKI_LOGIN_LATER }
};


static const pki_login_aadsts_t  pki_login_codes[] = {
    { 50012, PKI_LOGIN_REFUSED, "the assertion's signature is wrong" },
    { 50013, PKI_LOGIN_REFUSED, "the assertion is not valid" },
    { 70011, PKI_LOGIN_REFUSED, "the scope is malformed" },
    { 90002, PKI_LOGIN_REFUSED, "the tenant is unknown" },
    { 90006, PKI_LOGIN_LATER, "a passing failure" },
    { 90012, PKI_LOGIN_LATER, "a passing failure" },
    { 90024, PKI_LOGIN_LATER, "a passing failure" },
    { 90033, PKI_LOGIN_LATER, "a passing failure" },
    { 90038, PKI_LOGIN_REFUSED, "the tenant is in another cloud" },
    { 90055, PKI_LOGIN_LATER, "the tenant is throttled" },
    { 500011, PKI_LOGIN_REFUSED, "the scope's resource is not in the tenant" },
    { 700016, PKI_LOGIN_REFUSED, "the client is unknown in the tenant" },
    { 700022, PKI_LOGIN_REFUSED, "the scope names several resources" },
    { 700023, PKI_LOGIN_REFUSED, "the scope names several resources" },
    { 700024, PKI_LOGIN_REFUSED, "the assertion's times are not valid" },
    { 700027, PKI_LOGIN_REFUSED, "the certificate is not the client's" },
    { 900144, PKI_LOGIN_REFUSED, "a parameter is missing" },
    { 900382, PKI_LOGIN_REFUSED, "the tenant is in another cloud" },
    { 900432, PKI_LOGIN_REFUSED, "the tenant is in another cloud" },
    { 7000112, PKI_LOGIN_REFUSED, "the client is disabled" },
    { 7000215, PKI_LOGIN_REFUSED, "the secret is wrong" },
    { 7000218, PKI_LOGIN_REFUSED, "no secret was sent" },
    { 7000222, PKI_LOGIN_REFUSED, "the secret has expired" }
};


pki_login_result_t
pki_login_error(int status, const char *error,
    const pki_value_t *description, pki_err_t *err)
{
    long                       code;
    size_t                     i, n;
    const pki_login_word_t    *word;
    const pki_login_aadsts_t  *known;

    word = pki_login_error_word(error);
    code = pki_login_error_code(description);

    n = sizeof(pki_login_codes) / sizeof(pki_login_codes[0]);

    for (i = 0; i < n && pki_login_codes[i].code != code; i++) {
        /* void */
    }

    known = i < n ? &pki_login_codes[i] : NULL;

    if (code) {
        pki_err_set(err, "status %d, error \"%s\", AADSTS%ld%s%s", status,
                    word ? word->name : "unknown", code,
                    known ? ": " : "", known ? known->text : "");

    } else {
        pki_err_set(err, "status %d, error \"%s\"", status,
                    word ? word->name : "unknown");
    }

    if (known != NULL) {
        return known->result;
    }

    return word ? word->result : PKI_LOGIN_REFUSED;
}


static const pki_login_word_t *
pki_login_error_word(const char *error)
{
    size_t  i;

    for (i = 0; i < sizeof(pki_login_words) / sizeof(pki_login_words[0]); i++) {
        if (strcmp(error, pki_login_words[i].name) == 0) {
            return &pki_login_words[i];
        }
    }

    return NULL;
}


/* "AADSTS7000215: Invalid client secret provided. ...": 7000215; or 0 */

static long
pki_login_error_code(const pki_value_t *value)
{
    long         code;
    const char  *p;

    if (value->type != PKI_VALUE_STRING
        || strncmp(value->string, "AADSTS", 6) != 0)
    {
        return 0;
    }

    code = 0;

    for (p = value->string + 6; *p >= '0' && *p <= '9'; p++) {
        code = code * 10 + (*p - '0');

        if (code > PKI_LOGIN_CODE_MAX) {
            return 0;
        }
    }

    return *p == ':' ? code : 0;
}


/*
 * The reply of a token endpoint.  Two octets choose the kind of login, the
 * status and the size of the pieces; then the reply.  However it is cut, it
 * comes to the same; a token that is taken can stand in a header, is good
 * for at most a day, and what fails is told on one line.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "pki_login.h"


#define FUZZ_NOW    1787220000      /* 2026-08-20T10:00:00Z */
#define FUZZ_DAY    86400000LL
#define FUZZ_ERROR  160             /* octets of ours; none is the server's */

#define fuzz_check(yes)                                                       \
    do {                                                                      \
        if (!(yes)) {                                                         \
            abort();                                                          \
        }                                                                     \
    } while (0)


static const int  fuzz_statuses[] = { 200, 400, 401, 429, 503, 302, 204, 403 };


static pki_login_t *
fuzz_login(unsigned type)
{
    pki_login_t       *login;
    pki_login_conf_t   conf;

    memset(&conf, 0, sizeof(conf));

    conf.type = type ? PKI_LOGIN_ACCOUNT : PKI_LOGIN_SECRET;
    conf.url = "https://a/api/v1/auth/token";
    conf.client = "c";
    conf.secret = "s";

    login = pki_login_create(&conf, NULL);
    fuzz_check(login);

    return login;
}


static pki_login_result_t
fuzz_reply(pki_login_t *login, int status, const uint8_t *data, size_t size,
    size_t piece, pki_err_t *err)
{
    size_t              n;
    pki_request_t       r;
    pki_fetch_result_t  result;

    memset(&r, 0, sizeof(r));
    memset(&result, 0, sizeof(result));

    result.status = status;
    result.location = "";
    strcpy(result.date, "Thu, 20 Aug 2026 10:00:00 GMT");

    fuzz_check(pki_login_request(login, FUZZ_NOW, &r, err) == PKI_OK);

    while (size) {
        n = size < piece ? size : piece;

        if (pki_login_piece(login, status, (const char *) data, n) != PKI_OK) {
            break;
        }

        data += n;
        size -= n;
    }

    err->text[0] = '\0';

    return pki_login_done(login, &result, 0, err);
}


static void
fuzz_token(pki_login_t *login)
{
    size_t       i;
    const char  *token;

    token = pki_login_token(login, 0);
    fuzz_check(token && *token);
    fuzz_check(pki_login_token(login, FUZZ_DAY) == NULL);

    for (i = 0; token[i]; i++) {
        fuzz_check(token[i] > ' ' && token[i] < 0x7f);
    }

    fuzz_check(i <= PKI_LOGIN_TOKEN_MAX);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                  status;
    size_t               piece;
    unsigned             type;
    pki_err_t            err, again;
    pki_login_t         *one, *two;
    pki_login_result_t   rc;

    if (size < 2) {
        return 0;
    }

    type = data[0] & 1;
    status = fuzz_statuses[(data[0] >> 1) & 7];
    piece = data[1] + 1;
    data += 2;
    size -= 2;

    one = fuzz_login(type);
    two = fuzz_login(type);

    rc = fuzz_reply(one, status, data, size, piece, &err);
    fuzz_check(fuzz_reply(two, status, data, size, size, &again) == rc);

    if (rc == PKI_LOGIN_OK) {
        fuzz_token(one);
        fuzz_check(strcmp(pki_login_token(one, 0), pki_login_token(two, 0))
                   == 0);

    } else {
        fuzz_check(pki_login_token(one, 0) == NULL);
        fuzz_check(err.text[0] && strlen(err.text) < FUZZ_ERROR);
        fuzz_check(strcmp(err.text, again.text) == 0);
    }

    pki_login_destroy(one);
    pki_login_destroy(two);

    return 0;
}


/*
 * Access tokens of a directory: how to get one, when to renew it, and what a
 * failure means.  No I/O here: it makes the request and reads the reply.
 *
 *   PKI_LOGIN_SECRET     Entra v2 client credentials with a secret, also
 *                        Jamf's API clients (RFC 6749, 4.4)
 *   PKI_LOGIN_ASSERTION  Entra v2 with a certificate (RFC 7523), PS256
 *   PKI_LOGIN_ACCOUNT    Jamf's user account: HTTP Basic, keep-alive
 *   PKI_LOGIN_STATIC     a bearer token out of a file
 */

#ifndef PKI_LOGIN_H
#define PKI_LOGIN_H


#include "pki_fetch.h"

#include <openssl/evp.h>
#include <openssl/x509.h>


#define PKI_LOGIN_TOKEN_MAX  16384  /* what pki_page reads; Entra's have 1.5
                                       to 4 kB */


typedef enum {
    PKI_LOGIN_SECRET = 0,
    PKI_LOGIN_ASSERTION,
    PKI_LOGIN_ACCOUNT,
    PKI_LOGIN_STATIC
} pki_login_type_t;


typedef struct {
    pki_login_type_t  type;
    const char       *url;          /* of the token endpoint */
    const char       *client;       /* client id, or the account's name */
    const char       *secret;       /* secret, password or bearer token */
    const char       *scope;        /* NULL: none is sent */
    X509             *cert;         /* ASSERTION; used, not kept up */
    EVP_PKEY         *key;          /* RSA */
} pki_login_conf_t;


typedef enum {
    PKI_LOGIN_OK = 0,
    PKI_LOGIN_LATER,                /* a passing failure: back off */
    PKI_LOGIN_REFUSED               /* an administrator must act: alarm, slow
                                       retry */
} pki_login_result_t;


typedef struct pki_login_s  pki_login_t;

/* conf is copied (its certificate and key by reference).  NULL: memory, or
   settings that cannot work; err says which. */
pki_login_t *pki_login_create(const pki_login_conf_t *conf, pki_err_t *err);
void pki_login_destroy(pki_login_t *login);         /* wipes; accepts NULL */

/*
 * A token that is good for now, or NULL: ask for one with
 * pki_login_request().  `mono` is a clock in milliseconds that only goes
 * forward.  A token counts until its lifetime less a lead of min(5 minutes,
 * a quarter of the lifetime), so that a lifetime of 60 seconds works.  That
 * is also what is taken for one that is missing, not a number or not above
 * 0; one above a day is a day.  A token out of a file has no end.
 */
const char *pki_login_token(const pki_login_t *login, long long mono);

/*
 * Fills method, url, headers, user, password, body, len of a request; its
 * strings live until the next call for this login.  `now` is for the
 * assertion's times, and for whether an account's token can still be kept
 * alive.  PKI_NOT_FOUND: a token out of a file cannot be renewed.
 */
pki_rc_t pki_login_request(pki_login_t *login, time_t now,
    pki_request_t *request, pki_err_t *err);

/*
 * A piece of the reply, then its end.  err is a sentence for the log: the
 * OAuth error and AADSTS number, if we know such a one; no text of the
 * server's.  After a keep-alive that failed, for whatever reason, the next
 * request shows the password again.
 */
pki_rc_t pki_login_piece(pki_login_t *login, int status, const char *text,
    size_t len);
pki_login_result_t pki_login_done(pki_login_t *login,
    const pki_fetch_result_t *result, long long mono, pki_err_t *err);

/*
 * The directory has answered 401 to this token: it is dropped.  Returns
 * whether a fresh one may be tried: not when the refused token was itself
 * fresh and has not worked even once (pki_login_worked()), so that nothing
 * loops.
 */
int pki_login_rejected(pki_login_t *login, const char *token);
void pki_login_worked(pki_login_t *login);


#endif /* PKI_LOGIN_H */

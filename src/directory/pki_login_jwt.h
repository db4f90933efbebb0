
/*
 * The assertion of a client with a certificate: internal to pki_login.
 */

#ifndef PKI_LOGIN_JWT_H
#define PKI_LOGIN_JWT_H


#include "pki.h"

#include <openssl/evp.h>
#include <openssl/x509.h>


/*
 * For the token endpoint `url`, valid from `now` on.  The caller frees jwt
 * by OPENSSL_free().  PKI_ERROR: memory, randomness or the key.
 */
pki_rc_t pki_login_jwt(const char *url, const char *client, X509 *cert,
    EVP_PKEY *key, time_t now, char **jwt, pki_err_t *err);


#endif /* PKI_LOGIN_JWT_H */

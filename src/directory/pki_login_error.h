
/*
 * The errors of a token endpoint: internal to pki_login.
 */

#ifndef PKI_LOGIN_ERROR_H
#define PKI_LOGIN_ERROR_H


#include "pki_login.h"
#include "pki_page.h"


/*
 * An error in the form of RFC 6749, 5.2, with a status 4xx other than 429.
 * A number of Entra's counts for more than the word.  What is unknown is
 * refused: it will not pass by itself.
 */
pki_login_result_t pki_login_error(int status, const char *error,
    const pki_value_t *description, pki_err_t *err);


#endif /* PKI_LOGIN_ERROR_H */

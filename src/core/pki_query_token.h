
/*
 * The token of a search, opened.  For pki_query.c.
 */

#ifndef PKI_QUERY_TOKEN_H
#define PKI_QUERY_TOKEN_H


#include "pki_query.h"


/*
 * Opens a token into text[PKI_QUERY_TOKEN_MAX]; args, the parameters that it
 * carries, is in there.  PKI_INVALID: not one of ours.
 */
pki_rc_t pki_query_token_open(const char *token, char *text,
    pki_query_position_t *after, pki_bytes_t *args);


#endif /* PKI_QUERY_TOKEN_H */


/*
 * The parameters of a search: a table.  For pki_query.c.
 */

#ifndef PKI_QUERY_PARAM_H
#define PKI_QUERY_PARAM_H


#include "pki_query.h"


#define PKI_QUERY_PARAM_MAX  32     /* octets of a parameter's name */


/* Reads a value, which is terminated and not empty, into the question. */
typedef pki_rc_t (*pki_query_reader_t)(pki_query_t *q, void *at,
    const char *value, size_t len);


enum {
    PKI_QUERY_SIZE = 0,
    PKI_QUERY_CONTINUE,
    PKI_QUERY_SOURCES,              /* the only one that may be repeated */
    PKI_QUERY_OTHER
};


typedef struct {
    const char          *name;
    unsigned             id;        /* several names of one share it */
    pki_query_reader_t   read;
    const char          *rule;      /* what a value has to be */
    size_t               offset;    /* where it is in the question */
    size_t               size;
} pki_query_param_t;


/* All of them; the last has no name. */
const pki_query_param_t *pki_query_params(void);

/* The one of that name, in any case; NULL: there is none. */
const pki_query_param_t *pki_query_param(const char *name);

/* The value of a digit of hexadecimal; -1: it is none. */
int pki_query_hex(unsigned char c);


#endif /* PKI_QUERY_PARAM_H */

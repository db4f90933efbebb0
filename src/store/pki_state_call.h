
/*
 * A verb of a directory under way: its script with the keys and arguments,
 * written one after another into memory behind the cell, and the readers of
 * what comes back.  For pki_state.c and pki_state_apply.c only.
 */

#ifndef PKI_STATE_CALL_H
#define PKI_STATE_CALL_H


#include "pki_cell.h"
#include "pki_record.h"
#include "pki_state.h"


#define PKI_STATE_KEYS  9               /* of a script */


typedef struct {
    const char        *keys[PKI_STATE_KEYS];
    const char        *text;
} pki_state_script_t;


/* what a verb sets before pki_state_call_begin(), the rest zero */

typedef struct {
    pki_redis_t       *redis;
    const char        *directory;
    const char        *token;           /* NULL: none is needed */
    const char        *resource;        /* ends keys that end in ':' */
    const char        *id;              /* likewise, without a resource */
    const char        *refused;         /* a constant string */
    size_t             nargs;           /* after the token */
    size_t             size;            /* of their texts, with an octet
                                           more for each */
    /* the building itself */
    pki_cell_t        *cell;
    const char       **argv;
    size_t            *len;
    int                argc;
    char              *start;           /* of the argument being written */
    char              *p;
} pki_state_call_t;


/*
 * Checks directory, token, resource and id, makes the cell, writes script,
 * keys and token.  Not PKI_OK: the failure is under way, nothing is left to do.
 */
pki_rc_t pki_state_call_begin(pki_state_call_t *call,
    const pki_state_script_t *script, pki_cell_kind_t kind,
    pki_cell_call_pt done, void *data);

/* Adds to the argument that is being written. */
void pki_state_call_put(pki_state_call_t *call, const char *text);
void pki_state_call_put_lower(pki_state_call_t *call, const char *text);
void pki_state_call_put_number(pki_state_call_t *call, long long n);

/* Ends the argument. */
void pki_state_call_next(pki_state_call_t *call);

/* A whole argument; a number needs PKI_STATE_NUMBER octets. */
void pki_state_call_arg(pki_state_call_t *call, const char *text);
void pki_state_call_number(pki_state_call_t *call, long long n);

#define PKI_STATE_NUMBER  21            /* of an argument, with its end */

/* Sends; what comes back goes to the callback as the cell's kind says. */
void pki_state_call_send(pki_state_call_t *call);

#endif /* PKI_STATE_CALL_H */

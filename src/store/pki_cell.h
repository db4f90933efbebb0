
/*
 * A callback that a verb of the store owes, and the sending and reading
 * that all verbs share.  For the store floor only.
 */

#ifndef PKI_CELL_H
#define PKI_CELL_H


#include "pki_book.h"
#include "pki_state.h"


#define PKI_CELL_ARGS  (PKI_BOOK_SERIALS + 8)   /* of one command */


typedef enum {
    PKI_CELL_FOUND = 0,                 /* pki_store_found_pt */
    PKI_CELL_CHANGED,                   /* pki_store_changed_pt */
    PKI_CELL_DONE,                      /* pki_store_done_pt */
    PKI_CELL_APPLIED,                   /* pki_state_applied_pt */
    PKI_CELL_SYNC,                      /* pki_state_sync_pt */
    PKI_CELL_LIST,                      /* pki_state_list_pt */
    PKI_CELL_VALUES,                    /* pki_book_values_pt */
    PKI_CELL_OTHER                      /* a function of its own fails it */
} pki_cell_kind_t;


typedef void (*pki_cell_call_pt)(void);

/* Casts the callback back to its type and calls it with PKI_STORE_FAILED. */
typedef void (*pki_cell_fail_pt)(pki_cell_call_pt call, void *data,
    const char *error);


/*
 * What a verb keeps until its last reply, and what that must not need:
 * first member of what the verb keeps besides.  Made by pki_cell_begin(),
 * ended by OPENSSL_free() after the callback; belongs to the transport's
 * thread.
 */

typedef struct {
    pki_cell_kind_t    kind;
    pki_cell_fail_pt   fail;            /* as the callback's type wants it */
    pki_cell_call_pt   call;
    void              *data;
    const char        *refused;         /* why nothing was sent, or NULL */
} pki_cell_t;


typedef struct {
    int                argc;
    const char        *argv[PKI_CELL_ARGS];
    size_t             len[PKI_CELL_ARGS];
} pki_cell_args_t;


/*
 * Makes a cell of `size` octets, zeroed.  With refused (a constant string),
 * or without memory, NULL: the callback's failure is then under way and the
 * verb has nothing left to do.
 */
void *pki_cell_begin(pki_redis_t *redis, pki_cell_kind_t kind,
    pki_cell_call_pt call, void *data, const char *refused, size_t size);

/* The same for a callback of a type that is not known here. */
void *pki_cell_begin_other(pki_redis_t *redis, pki_cell_fail_pt fail,
    pki_cell_call_pt call, void *data, const char *refused, size_t size);

/* Calls the callback with PKI_STORE_FAILED.  Frees nothing. */
void pki_cell_fail(const pki_cell_t *cell, const char *error);

/* Adds an argument, which must live until the command is sent. */
void pki_cell_arg(pki_cell_args_t *args, const char *arg);
void pki_cell_arg_bytes(pki_cell_args_t *args, pki_bytes_t arg);

void pki_cell_send(pki_redis_t *redis, const pki_cell_args_t *args,
    pki_redis_reply_pt reply, void *data);

/* The reply of verbs with a pki_store_done_pt: {result, number}. */
void pki_cell_done(void *data, const redisReply *reply);

/* NULL: a reply of the wanted type; otherwise what came instead. */
const char *pki_cell_said(const redisReply *reply, int type, pki_err_t *err);

/*
 * Reads {result, something} of a script; something is of the given type.
 * NULL, or what came instead.
 */
const char *pki_cell_result(const redisReply *reply, int type,
    pki_store_result_t *result, pki_err_t *err);


#endif /* PKI_CELL_H */

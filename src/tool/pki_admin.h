
/*
 * What the files of pki-admin share: the command line as a command gets it,
 * and the small things that each of them needs.  Every function that returns
 * int returns an exit code and, unless that is PKI_ADMIN_DONE, has said why
 * on stderr.
 */

#ifndef PKI_ADMIN_H
#define PKI_ADMIN_H


#include "pki_redis_sync.h"
#include "pki_serial.h"
#include "pki_store.h"


#define PKI_ADMIN_NAME      "pki-admin"

#define PKI_ADMIN_DONE      0
#define PKI_ADMIN_REFUSED   1
#define PKI_ADMIN_USAGE     2
#define PKI_ADMIN_FAILED    3

#define PKI_ADMIN_RANDOM    32          /* octets of a token */


/* in the order of pki_admin_options */

typedef enum {
    PKI_ADMIN_OPT_DATABASE = 0,
    PKI_ADMIN_OPT_DIRECTORY,
    PKI_ADMIN_OPT_FILE,
    PKI_ADMIN_OPT_GUID,
    PKI_ADMIN_OPT_ID,
    PKI_ADMIN_OPT_ISSUER,
    PKI_ADMIN_OPT_KEY_FILE,
    PKI_ADMIN_OPT_KIND,
    PKI_ADMIN_OPT_NAME,
    PKI_ADMIN_OPT_REASON,
    PKI_ADMIN_OPT_REDIS,
    PKI_ADMIN_OPT_REQUESTER,
    PKI_ADMIN_OPT_SECRET_FILE,
    PKI_ADMIN_OPT_SOURCE,
    PKI_ADMIN_OPT_STATE,
    PKI_ADMIN_OPT_UNRECORDED,
    PKI_ADMIN_OPT_UPN,
    PKI_ADMIN_OPT_USER,
    PKI_ADMIN_OPT_N
} pki_admin_opt_t;


typedef struct {
    const char        *opt[PKI_ADMIN_OPT_N];    /* NULL: not given */
    const char       **args;
    int                nargs;
} pki_admin_line_t;


/* what the store answered */

typedef struct {
    pki_store_result_t  result;
    long long           n;
    int                 has_present;
    pki_revocation_t    present;
    char                error[PKI_ERR_LEN];
} pki_admin_answer_t;


typedef struct {
    pki_admin_answer_t  answer;
    char                id[PKI_OWNER_SIZE];
} pki_admin_resolved_t;


/* pki_admin_serial.c */

int pki_admin_serial_make(const pki_admin_line_t *line);
int pki_admin_serial_show(const pki_admin_line_t *line);

/* pki_admin_store.c */

int pki_admin_store_record(const pki_admin_line_t *line);
int pki_admin_store_revoke(const pki_admin_line_t *line);
int pki_admin_store_release(const pki_admin_line_t *line);
int pki_admin_store_find(const pki_admin_line_t *line);

/* Waits, and says so when the answer is a failure. */
int pki_admin_wait(pki_redis_sync_t *sync, pki_admin_answer_t *answer);

/* A pki_store_done_pt; data is the pki_admin_answer_t to fill. */
void pki_admin_done(void *data, pki_store_result_t result, long long n,
    const char *error);

/* pki_admin_state.c */

int pki_admin_state_object(const pki_admin_line_t *line);
int pki_admin_state_resolve(const pki_admin_line_t *line);

/* Prints the names of an object's states. */
void pki_admin_state_show(unsigned state);

/* Asks the directory of --directory which id the name leads to. */
int pki_admin_resolve(const pki_admin_line_t *line, const char *name,
    pki_admin_resolved_t *resolved);

/* pki_admin_token.c */

int pki_admin_token(const pki_admin_line_t *line);

/* pki_admin.c */

/* Connects as the options say; the caller destroys *sync. */
int pki_admin_connect(const pki_admin_line_t *line, pki_redis_sync_t **sync);

/* Reads a file of less than `size` octets and ends it with a zero octet. */
int pki_admin_read(const char *path, char *text, size_t size, size_t *len);

/* Reads a file of serial keys; the caller cleanses *keys. */
int pki_admin_keys(const char *path, pki_serial_keys_t *keys);

int pki_admin_serial_number(const char *text, pki_serial_t *sn);

/* Says nothing when the text is no number of 0 .. max. */
int pki_admin_number(const char *text, unsigned long long max,
    unsigned long long *n);

int pki_admin_random(unsigned char *data, size_t len);

/* Lower-case; text has room for 2 * len + 1 octets. */
void pki_admin_hex(char *text, const unsigned char *data, size_t len);

/* Says why, and returns code. */
int pki_admin_fail(int code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


#endif /* PKI_ADMIN_H */

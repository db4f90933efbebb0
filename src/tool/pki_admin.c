
/*
 * pki-admin: the store and the serial numbers by hand.
 *
 * One table holds the commands, one the options.  A command gets its
 * options as an array of strings and does one thing; results go to stdout,
 * sentences to stderr.  Exit codes: 0 done, or so already; 1 refused, or
 * not there; 2 wrong usage; 3 failed.
 */

#include "pki_redis_sync.h"
#include "pki_store.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>


#define PKI_ADMIN_DONE      0
#define PKI_ADMIN_REFUSED   1
#define PKI_ADMIN_USAGE     2
#define PKI_ADMIN_FAILED    3

#define PKI_ADMIN_TIMEOUT   10000       /* milliseconds, of each reply */
#define PKI_ADMIN_BATCH     500         /* certificates under way */
#define PKI_ADMIN_LEASE     30000       /* milliseconds; given back at once */
#define PKI_ADMIN_FILE_MAX  65536       /* of keys or a secret */
#define PKI_ADMIN_RANDOM    32          /* octets of a token */
#define PKI_ADMIN_NAME      "pki-admin"

#define PKI_ADMIN_DIRECTORIES  (PKI_FACTS_OBJECTS / PKI_BINDING_OBJECTS)


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
    PKI_ADMIN_OPT_REASON,
    PKI_ADMIN_OPT_REDIS,
    PKI_ADMIN_OPT_REQUESTER,
    PKI_ADMIN_OPT_SECRET_FILE,
    PKI_ADMIN_OPT_SOURCE,
    PKI_ADMIN_OPT_STATE,
    PKI_ADMIN_OPT_UNRECORDED,
    PKI_ADMIN_OPT_USER,
    PKI_ADMIN_OPT_N
} pki_admin_opt_t;


typedef struct {
    const char        *name;
    int                flag;            /* takes no value */
} pki_admin_option_t;


typedef struct {
    const char        *opt[PKI_ADMIN_OPT_N];    /* NULL: not given */
    const char       **args;
    int                nargs;
} pki_admin_line_t;


typedef struct {
    const char        *name;
    const char        *sub;             /* second word, or NULL */
    int              (*run)(const pki_admin_line_t *line);
    unsigned           allowed;         /* bits of options */
    unsigned           required;
    int                min;             /* arguments */
    int                max;
    const char        *usage;
    const char        *help;
} pki_admin_command_t;


/* what the store answered */

typedef struct {
    pki_store_result_t  result;
    long long           n;
    int                 has_present;
    pki_revocation_t    present;
    char                error[PKI_ERR_LEN];
} pki_admin_answer_t;


typedef struct {
    pki_redis_sync_t  *sync;
    const char        *issuer;
    pki_record_t       record;          /* source and requester are set */
    unsigned long      waiting;
    unsigned long      done;
    unsigned long      same;
    unsigned long      failed;
} pki_admin_batch_t;


static int pki_admin_parse(const pki_admin_command_t *command, int argc,
    char **argv, pki_admin_line_t *line);
static int pki_admin_parse_option(const pki_admin_command_t *command,
    int argc, char **argv, int *i, pki_admin_line_t *line);
static void pki_admin_help(FILE *out);

static int pki_admin_serial_make(const pki_admin_line_t *line);
static int pki_admin_payload(const pki_admin_line_t *line,
    pki_binding_t *binding);
static int pki_admin_payload_jamf(const pki_admin_line_t *line,
    pki_binding_t *binding);
static int pki_admin_serial_show(const pki_admin_line_t *line);
static int pki_admin_record(const pki_admin_line_t *line);
static int pki_admin_record_file(pki_admin_batch_t *batch, const char *path);
static int pki_admin_record_cert(pki_admin_batch_t *batch, X509 *cert,
    const char *path);
static int pki_admin_record_wait(pki_admin_batch_t *batch);
static void pki_admin_recorded(void *data, pki_store_result_t result,
    long long n, const char *error);
static int pki_admin_revoke(const pki_admin_line_t *line);
static int pki_admin_release(const pki_admin_line_t *line);
static int pki_admin_changed_exit(const pki_admin_answer_t *answer,
    const char *done);
static int pki_admin_find(const pki_admin_line_t *line);
static int pki_admin_find_objects(const pki_admin_line_t *line,
    char *directories, pki_object_id_t *objects, pki_store_query_t *query);
static void pki_admin_found(void *data, const pki_store_found_t *found);
static int pki_admin_object(const pki_admin_line_t *line);
static int pki_admin_token(const pki_admin_line_t *line);
static int pki_admin_append(const char *path, const char *text);

static int pki_admin_connect(const pki_admin_line_t *line,
    pki_redis_sync_t **sync);
static int pki_admin_address(const char *address, char *host, size_t size,
    pki_redis_sync_conf_t *conf);
static int pki_admin_wait(pki_redis_sync_t *sync, pki_admin_answer_t *answer);
static void pki_admin_changed(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error);
static void pki_admin_done(void *data, pki_store_result_t result, long long n,
    const char *error);
static int pki_admin_keys(const char *path, pki_serial_keys_t *keys);
static int pki_admin_read(const char *path, char *text, size_t size,
    size_t *len);
static int pki_admin_serial(const char *text, pki_serial_t *sn);
static int pki_admin_number(const char *text, unsigned long long max,
    unsigned long long *n);
static int pki_admin_random(unsigned char *data, size_t len);
static void pki_admin_hex(char *text, const unsigned char *data, size_t len);
static int pki_admin_reason(const char *text, pki_reason_t *reason);
static int pki_admin_state(const char *text, unsigned *state);
static void pki_admin_time(const char *name, time_t t);
static const char *pki_admin_user(char *buf, size_t size);
static int pki_admin_fail(int code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


static const pki_admin_option_t  pki_admin_options[PKI_ADMIN_OPT_N] = {
    { "database", 0 }, { "directory", 0 }, { "file", 0 }, { "guid", 0 },
    { "id", 0 }, { "issuer", 0 }, { "key-file", 0 }, { "kind", 0 },
    { "reason", 0 }, { "redis", 0 }, { "requester", 0 },
    { "secret-file", 0 }, { "source", 0 }, { "state", 0 },
    { "unrecorded", 1 }, { "user", 0 }
};


#define PKI_ADMIN_BIT(opt)  (1u << PKI_ADMIN_OPT_##opt)

#define PKI_ADMIN_STORE                                                     \
    (PKI_ADMIN_BIT(REDIS) | PKI_ADMIN_BIT(USER)                             \
     | PKI_ADMIN_BIT(SECRET_FILE) | PKI_ADMIN_BIT(DATABASE))

#define PKI_ADMIN_AT_ISSUER   (PKI_ADMIN_BIT(REDIS) | PKI_ADMIN_BIT(ISSUER))


static const pki_admin_command_t  pki_admin_commands[] = {

    { "serial", "make", pki_admin_serial_make,
      PKI_ADMIN_BIT(KIND) | PKI_ADMIN_BIT(GUID) | PKI_ADMIN_BIT(ID)
      | PKI_ADMIN_BIT(USER) | PKI_ADMIN_BIT(KEY_FILE),
      PKI_ADMIN_BIT(KIND), 0, 0,
      "--kind KIND [--guid GUID | --id N [--user N]] [--key-file FILE]",
      "prints a new serial number; sealed, if there is a key file" },

    { "serial", "show", pki_admin_serial_show,
      PKI_ADMIN_BIT(KEY_FILE), 0, 1, 1,
      "SERIAL [--key-file FILE]",
      "prints what a serial number is bound to" },

    { "record", NULL, pki_admin_record,
      PKI_ADMIN_STORE | PKI_ADMIN_BIT(ISSUER) | PKI_ADMIN_BIT(SOURCE)
      | PKI_ADMIN_BIT(REQUESTER),
      PKI_ADMIN_AT_ISSUER, 1, -1,
      "--redis ADDR --issuer NAME [--source S] [--requester R] FILE...",
      "records all certificates of PEM files" },

    { "revoke", NULL, pki_admin_revoke,
      PKI_ADMIN_STORE | PKI_ADMIN_BIT(ISSUER) | PKI_ADMIN_BIT(REASON)
      | PKI_ADMIN_BIT(UNRECORDED),
      PKI_ADMIN_AT_ISSUER, 1, 1,
      "--redis ADDR --issuer NAME [--reason N] [--unrecorded] SERIAL",
      "revokes; reason 6 is a hold" },

    { "release", NULL, pki_admin_release,
      PKI_ADMIN_STORE | PKI_ADMIN_BIT(ISSUER),
      PKI_ADMIN_AT_ISSUER, 1, 1,
      "--redis ADDR --issuer NAME SERIAL",
      "releases a hold" },

    { "find", NULL, pki_admin_find,
      PKI_ADMIN_STORE | PKI_ADMIN_BIT(ISSUER) | PKI_ADMIN_BIT(DIRECTORY)
      | PKI_ADMIN_BIT(KEY_FILE),
      PKI_ADMIN_AT_ISSUER, 1, 1,
      "--redis ADDR --issuer NAME [--directory NAME,...] [--key-file FILE] "
      "SERIAL",
      "prints the facts about a certificate" },

    { "object", NULL, pki_admin_object,
      PKI_ADMIN_STORE | PKI_ADMIN_BIT(DIRECTORY) | PKI_ADMIN_BIT(ID)
      | PKI_ADMIN_BIT(STATE),
      PKI_ADMIN_BIT(REDIS) | PKI_ADMIN_BIT(DIRECTORY) | PKI_ADMIN_BIT(ID)
      | PKI_ADMIN_BIT(STATE), 0, 0,
      "--redis ADDR --directory NAME --id ID --state STATE,...|none",
      "a directory's round by hand, with one object" },

    { "token", NULL, pki_admin_token,
      PKI_ADMIN_BIT(FILE), 0, 2, 2,
      "NAME ROLE [--file FILE]",
      "makes a bearer token; its hash goes to the file, or to stderr" }
};

#define PKI_ADMIN_COMMANDS                                                  \
    (sizeof(pki_admin_commands) / sizeof(pki_admin_commands[0]))


static const struct {
    const char        *name;
    unsigned           state;
} pki_admin_states[] = {
    { "none", 0 },
    { "deleted", PKI_OBJECT_DELETED },
    { "retired", PKI_OBJECT_RETIRED },
    { "endpoint", PKI_OBJECT_ENDPOINT },
    { "disabled", PKI_OBJECT_DISABLED },
    { "noncompliant", PKI_OBJECT_NONCOMPLIANT },
    { "risky", PKI_OBJECT_RISKY }
};

#define PKI_ADMIN_STATES                                                    \
    (sizeof(pki_admin_states) / sizeof(pki_admin_states[0]))


int
main(int argc, char **argv)
{
    int                         rc, words;
    size_t                      i;
    pki_admin_line_t            line;
    const pki_admin_command_t  *command;

    (void) signal(SIGPIPE, SIG_IGN);

    for (rc = 1; rc < argc; rc++) {
        if (strcmp(argv[rc], "--help") == 0 || strcmp(argv[rc], "-h") == 0) {
            pki_admin_help(stdout);
            return PKI_ADMIN_DONE;
        }
    }

    command = NULL;
    words = 0;

    for (i = 0; i < PKI_ADMIN_COMMANDS && command == NULL; i++) {
        words = pki_admin_commands[i].sub ? 2 : 1;

        if (argc > words
            && strcmp(argv[1], pki_admin_commands[i].name) == 0
            && (words == 1
                || strcmp(argv[2], pki_admin_commands[i].sub) == 0))
        {
            command = &pki_admin_commands[i];
        }
    }

    if (command == NULL) {
        pki_admin_help(stderr);
        return PKI_ADMIN_USAGE;
    }

    rc = pki_admin_parse(command, argc - 1 - words, argv + 1 + words, &line);

    if (rc == PKI_ADMIN_DONE) {
        rc = command->run(&line);
    }

    if (fflush(stdout) != 0 || ferror(stdout)) {
        rc = pki_admin_fail(PKI_ADMIN_FAILED, "cannot write: %s",
                            strerror(errno));
    }

    return rc;
}


/* The arguments are gathered at the front of argv. */

static int
pki_admin_parse(const pki_admin_command_t *command, int argc, char **argv,
    pki_admin_line_t *line)
{
    int       i, rc;
    unsigned  opt;

    memset(line, 0, sizeof(pki_admin_line_t));
    line->args = (const char **) argv;

    for (i = 0; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0) {
            argv[line->nargs++] = argv[i];
            continue;
        }

        rc = pki_admin_parse_option(command, argc, argv, &i, line);
        if (rc != PKI_ADMIN_DONE) {
            return rc;
        }
    }

    for (opt = 0; opt < PKI_ADMIN_OPT_N; opt++) {
        if ((command->required & (1u << opt)) && line->opt[opt] == NULL) {
            return pki_admin_fail(PKI_ADMIN_USAGE, "--%s is missing",
                                  pki_admin_options[opt].name);
        }
    }

    if (line->nargs < command->min
        || (command->max >= 0 && line->nargs > command->max))
    {
        return pki_admin_fail(PKI_ADMIN_USAGE, "usage: pki-admin %s%s%s %s",
                              command->name, command->sub ? " " : "",
                              command->sub ? command->sub : "",
                              command->usage);
    }

    return PKI_ADMIN_DONE;
}


static int
pki_admin_parse_option(const pki_admin_command_t *command, int argc,
    char **argv, int *i, pki_admin_line_t *line)
{
    size_t       len;
    unsigned     opt;
    const char  *name;

    name = argv[*i] + 2;
    len = strcspn(name, "=");

    for (opt = 0; opt < PKI_ADMIN_OPT_N; opt++) {
        if (strlen(pki_admin_options[opt].name) == len
            && strncmp(pki_admin_options[opt].name, name, len) == 0)
        {
            break;
        }
    }

    if (opt == PKI_ADMIN_OPT_N || !(command->allowed & (1u << opt))) {
        return pki_admin_fail(PKI_ADMIN_USAGE, "unknown option \"%s\" of %s",
                              argv[*i], command->name);
    }

    if (line->opt[opt] != NULL) {
        return pki_admin_fail(PKI_ADMIN_USAGE, "--%s is there twice",
                              pki_admin_options[opt].name);
    }

    if (pki_admin_options[opt].flag) {
        if (name[len] == '=') {
            return pki_admin_fail(PKI_ADMIN_USAGE, "--%s takes no value",
                                  pki_admin_options[opt].name);
        }

        line->opt[opt] = "";

    } else if (name[len] == '=') {
        line->opt[opt] = name + len + 1;

    } else if (*i + 1 < argc) {
        line->opt[opt] = argv[++*i];

    } else {
        return pki_admin_fail(PKI_ADMIN_USAGE, "--%s needs a value",
                              pki_admin_options[opt].name);
    }

    return PKI_ADMIN_DONE;
}


static void
pki_admin_help(FILE *out)
{
    size_t                      i;
    const pki_admin_command_t  *command;

    fprintf(out, "usage: pki-admin COMMAND ...\n\n");

    for (i = 0; i < PKI_ADMIN_COMMANDS; i++) {
        command = &pki_admin_commands[i];

        fprintf(out, "%s%s%s %s\n        %s\n", command->name,
                command->sub ? " " : "", command->sub ? command->sub : "",
                command->usage, command->help);
    }

    fprintf(out, "\nADDR is unix:/path or host:port; with it go --user NAME,"
                 " --secret-file FILE,\n--database N.  KIND:");

    for (i = PKI_KIND_DEVICE; i <= PKI_KIND_AD_USER; i++) {
        fprintf(out, " %s", pki_kind_name((pki_kind_t) i));
    }

    fprintf(out, ".\nSTATE:");

    for (i = 1; i < PKI_ADMIN_STATES; i++) {
        fprintf(out, " %s", pki_admin_states[i].name);
    }

    fprintf(out, ".\nExit codes: 0 done, 1 refused or not there, 2 wrong"
                 " usage, 3 failed.\n");
}


static int
pki_admin_serial_make(const pki_admin_line_t *line)
{
    int                rc;
    char               text[PKI_SERIAL_HEX_SIZE];
    pki_rc_t           made;
    pki_serial_t       sn;
    pki_binding_t      binding;
    unsigned char      random[3];
    pki_serial_keys_t  keys;

    memset(&binding, 0, sizeof(binding));

    if (pki_kind_from_name(line->opt[PKI_ADMIN_OPT_KIND], &binding.kind)
        != PKI_OK)
    {
        return pki_admin_fail(PKI_ADMIN_USAGE, "unknown kind \"%s\"",
                              line->opt[PKI_ADMIN_OPT_KIND]);
    }

    rc = pki_admin_payload(line, &binding);

    if (rc == PKI_ADMIN_DONE) {
        rc = pki_admin_random(random, sizeof(random));
    }

    if (rc != PKI_ADMIN_DONE) {
        return rc;
    }

    if (line->opt[PKI_ADMIN_OPT_KEY_FILE] == NULL) {
        pki_serial_make_plain(&binding, random, &sn);

    } else {
        rc = pki_admin_keys(line->opt[PKI_ADMIN_OPT_KEY_FILE], &keys);
        if (rc != PKI_ADMIN_DONE) {
            return rc;
        }

        made = pki_serial_make_sealed(&binding, random, &keys, &sn);
        OPENSSL_cleanse(&keys, sizeof(keys));

        if (made != PKI_OK) {
            return pki_admin_fail(PKI_ADMIN_FAILED, "cannot seal a serial");
        }
    }

    (void) pki_serial_to_text(&sn, text);
    printf("%s\n", text);

    return PKI_ADMIN_DONE;
}


static int
pki_admin_payload(const pki_admin_line_t *line, pki_binding_t *binding)
{
    int          rc;
    const char  *guid;

    if (binding->kind >= PKI_KIND_JAMF_COMPUTER
        && binding->kind <= PKI_KIND_JAMF_USER_ON_DEVICE)
    {
        return pki_admin_payload_jamf(line, binding);
    }

    guid = line->opt[PKI_ADMIN_OPT_GUID];

    if (line->opt[PKI_ADMIN_OPT_ID] || line->opt[PKI_ADMIN_OPT_USER]
        || (guid == NULL && binding->kind != PKI_KIND_STATIC))
    {
        return pki_admin_fail(PKI_ADMIN_USAGE, "a serial of kind %s is made"
                              " with --guid", pki_kind_name(binding->kind));
    }

    if (guid != NULL) {
        if (pki_guid_from_text(guid, strlen(guid), binding->payload)
            != PKI_OK)
        {
            return pki_admin_fail(PKI_ADMIN_USAGE, "\"%s\" is no GUID", guid);
        }

        return PKI_ADMIN_DONE;
    }

    rc = pki_admin_random(binding->payload, PKI_SERIAL_PAYLOAD);

    /* version 4, RFC 9562, 5.4; the third group stands low octet first */

    binding->payload[7] = (binding->payload[7] & 0x0f) | 0x40;
    binding->payload[8] = (binding->payload[8] & 0x3f) | 0x80;

    return rc;
}


static int
pki_admin_payload_jamf(const pki_admin_line_t *line, pki_binding_t *binding)
{
    int                  i;
    const char          *id, *user;
    unsigned long long   n, u;

    id = line->opt[PKI_ADMIN_OPT_ID];
    user = line->opt[PKI_ADMIN_OPT_USER];

    if (line->opt[PKI_ADMIN_OPT_GUID] || id == NULL
        || (user != NULL)
           != (binding->kind == PKI_KIND_JAMF_USER_ON_COMPUTER
               || binding->kind == PKI_KIND_JAMF_USER_ON_DEVICE))
    {
        return pki_admin_fail(PKI_ADMIN_USAGE, "a serial of kind %s is made"
                              " with --id, one of a user on something also"
                              " with --user", pki_kind_name(binding->kind));
    }

    u = 0;

    if (pki_admin_number(id, ~0ULL, &n) != PKI_ADMIN_DONE
        || (user && pki_admin_number(user, ~0ULL, &u) != PKI_ADMIN_DONE))
    {
        return pki_admin_fail(PKI_ADMIN_USAGE, "an id is a number");
    }

    if (user == NULL
        && pki_admin_random((unsigned char *) &u, sizeof(u))
           != PKI_ADMIN_DONE)
    {
        return PKI_ADMIN_FAILED;
    }

    for (i = 0; i < 8; i++) {
        binding->payload[i] = (unsigned char) (n >> (8 * i));
        binding->payload[8 + i] = (unsigned char) (u >> (8 * i));
    }

    return PKI_ADMIN_DONE;
}


static int
pki_admin_serial_show(const pki_admin_line_t *line)
{
    int                 rc;
    unsigned            i, n;
    pki_rc_t            opened;
    const char         *path;
    pki_serial_t        sn;
    pki_binding_t       binding;
    pki_object_id_t     objects[PKI_BINDING_OBJECTS];
    pki_serial_keys_t   keys;

    path = line->opt[PKI_ADMIN_OPT_KEY_FILE];

    rc = pki_admin_serial(line->args[0], &sn);

    if (rc == PKI_ADMIN_DONE && path != NULL) {
        rc = pki_admin_keys(path, &keys);
    }

    if (rc != PKI_ADMIN_DONE) {
        return rc;
    }

    opened = pki_serial_open(&sn, path ? &keys : NULL, &binding);
    OPENSSL_cleanse(&keys, sizeof(keys));

    if (opened == PKI_NOT_FOUND) {
        return pki_admin_fail(PKI_ADMIN_REFUSED, "not a serial number of"
                              " ours, or no key opens it");
    }

    if (opened != PKI_OK) {
        return pki_admin_fail(PKI_ADMIN_FAILED, "cannot open the serial");
    }

    if (sn.data[0] >= 0x40) {
        printf("format: plain\n");

    } else {
        printf("format: sealed, epoch %d\n", sn.data[0] & 0x0f);
    }

    printf("kind: %s\ntype: 0x%02X\n", pki_kind_name(binding.kind),
           binding.type);

    n = pki_binding_objects(&binding, objects);

    for (i = 0; i < n; i++) {
        printf("object: %s\n", objects[i].id);
    }

    return PKI_ADMIN_DONE;
}


static int
pki_admin_record(const pki_admin_line_t *line)
{
    int                i, rc;
    char               user[PKI_STORE_WHO_MAX];
    const char        *source, *requester;
    pki_admin_batch_t  batch;

    memset(&batch, 0, sizeof(batch));
    batch.issuer = line->opt[PKI_ADMIN_OPT_ISSUER];

    source = line->opt[PKI_ADMIN_OPT_SOURCE];
    requester = line->opt[PKI_ADMIN_OPT_REQUESTER];

    if (source == NULL) {
        source = "Import";
    }

    if (requester == NULL) {
        requester = pki_admin_user(user, sizeof(user));
    }

    if (strlen(source) >= sizeof(batch.record.source)
        || strlen(requester) >= sizeof(batch.record.requester))
    {
        return pki_admin_fail(PKI_ADMIN_USAGE, "--source or --requester is"
                              " too long");
    }

    strcpy(batch.record.source, source);
    strcpy(batch.record.requester, requester);

    rc = pki_admin_connect(line, &batch.sync);
    if (rc != PKI_ADMIN_DONE) {
        return rc;
    }

    for (i = 0; i < line->nargs && rc == PKI_ADMIN_DONE; i++) {
        rc = pki_admin_record_file(&batch, line->args[i]);
    }

    if (pki_admin_record_wait(&batch) != PKI_ADMIN_DONE || batch.failed) {
        rc = PKI_ADMIN_FAILED;
    }

    pki_redis_sync_destroy(batch.sync);

    printf("recorded %lu, already there %lu, failed %lu\n", batch.done,
           batch.same, batch.failed);

    return rc;
}


static int
pki_admin_record_file(pki_admin_batch_t *batch, const char *path)
{
    int            rc;
    BIO           *bio;
    X509          *cert;
    unsigned long  n, e;

    bio = BIO_new_file(path, "r");
    if (bio == NULL) {
        ERR_clear_error();
        return pki_admin_fail(PKI_ADMIN_FAILED, "cannot open \"%s\"", path);
    }

    rc = PKI_ADMIN_DONE;

    for (n = 0; rc == PKI_ADMIN_DONE; n++) {
        cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (cert == NULL) {
            break;
        }

        rc = pki_admin_record_cert(batch, cert, path);
        X509_free(cert);
    }

    e = ERR_peek_last_error();

    if (rc == PKI_ADMIN_DONE
        && (n == 0 || ERR_GET_LIB(e) != ERR_LIB_PEM
            || ERR_GET_REASON(e) != PEM_R_NO_START_LINE))
    {
        rc = pki_admin_fail(PKI_ADMIN_FAILED, "certificate %lu in \"%s\" is"
                            " missing or broken", n + 1, path);
    }

    ERR_clear_error();
    BIO_free(bio);

    return rc;
}


static int
pki_admin_record_cert(pki_admin_batch_t *batch, X509 *cert, const char *path)
{
    struct tm            from, to;
    pki_serial_t         sn;
    unsigned char        octets[1 + PKI_SERIAL_LEN];
    pki_bytes_t          content;
    const ASN1_INTEGER  *number;

    number = X509_get0_serialNumber(cert);
    content.len = (size_t) ASN1_STRING_length(number);

    if (ASN1_STRING_type(number) == V_ASN1_NEG_INTEGER || content.len == 0
        || content.len > PKI_SERIAL_LEN)
    {
        return pki_admin_fail(PKI_ADMIN_FAILED, "a serial number in \"%s\""
                              " cannot be", path);
    }

    /* libcrypto keeps the magnitude; DER has a zero before a high bit */

    octets[0] = 0;
    memcpy(octets + 1, ASN1_STRING_get0_data(number), content.len);

    content.data = octets + 1;

    if (octets[1] & 0x80) {
        content.data--;
        content.len++;
    }

    if (pki_serial_from_integer(content, &sn) != PKI_OK
        || ASN1_TIME_to_tm(X509_get0_notBefore(cert), &from) != 1
        || ASN1_TIME_to_tm(X509_get0_notAfter(cert), &to) != 1)
    {
        return pki_admin_fail(PKI_ADMIN_FAILED, "a serial number or a time"
                              " in \"%s\" cannot be", path);
    }

    batch->record.not_before = timegm(&from);
    batch->record.not_after = timegm(&to);

    pki_store_record(pki_redis_sync_transport(batch->sync), batch->issuer,
                     &sn, &batch->record, pki_admin_recorded, batch);

    if (++batch->waiting == PKI_ADMIN_BATCH) {
        return pki_admin_record_wait(batch);
    }

    return PKI_ADMIN_DONE;
}


static int
pki_admin_record_wait(pki_admin_batch_t *batch)
{
    pki_err_t  err;

    batch->waiting = 0;

    if (pki_redis_sync_wait(batch->sync, &err) != PKI_OK) {
        return pki_admin_fail(PKI_ADMIN_FAILED, "Redis: %s", err.text);
    }

    return PKI_ADMIN_DONE;
}


static void
pki_admin_recorded(void *data, pki_store_result_t result, long long n,
    const char *error)
{
    pki_admin_batch_t  *batch = data;

    (void) n;

    switch (result) {

    case PKI_STORE_DONE:
        batch->done++;
        break;

    case PKI_STORE_SAME:
        batch->same++;
        break;

    default:
        if (batch->failed++ == 0) {
            (void) pki_admin_fail(PKI_ADMIN_FAILED, "%s", error);
        }
    }
}


static int
pki_admin_revoke(const pki_admin_line_t *line)
{
    int                 rc;
    char                user[PKI_STORE_WHO_MAX];
    pki_actor_t         actor;
    pki_serial_t        sn;
    pki_redis_sync_t   *sync;
    pki_revocation_t    revocation;
    pki_admin_answer_t  answer;

    memset(&revocation, 0, sizeof(revocation));
    strcpy(revocation.who, PKI_ADMIN_NAME);
    revocation.at = time(NULL);

    rc = pki_admin_reason(line->opt[PKI_ADMIN_OPT_REASON],
                          &revocation.reason);

    if (rc == PKI_ADMIN_DONE) {
        rc = pki_admin_serial(line->args[0], &sn);
    }

    if (rc == PKI_ADMIN_DONE) {
        rc = pki_admin_connect(line, &sync);
    }

    if (rc != PKI_ADMIN_DONE) {
        return rc;
    }

    actor.who = PKI_ADMIN_NAME;
    actor.from = pki_admin_user(user, sizeof(user));
    actor.why = NULL;
    actor.at = revocation.at;

    pki_store_revoke(pki_redis_sync_transport(sync),
                     line->opt[PKI_ADMIN_OPT_ISSUER], &sn, &revocation,
                     &actor, line->opt[PKI_ADMIN_OPT_UNRECORDED] != NULL,
                     pki_admin_changed, &answer);

    rc = pki_admin_wait(sync, &answer);
    pki_redis_sync_destroy(sync);

    return rc != PKI_ADMIN_DONE ? rc
                                : pki_admin_changed_exit(&answer, "revoked");
}


static int
pki_admin_release(const pki_admin_line_t *line)
{
    int                 rc;
    char                user[PKI_STORE_WHO_MAX];
    pki_actor_t         actor;
    pki_serial_t        sn;
    pki_redis_sync_t   *sync;
    pki_admin_answer_t  answer;

    rc = pki_admin_serial(line->args[0], &sn);

    if (rc == PKI_ADMIN_DONE) {
        rc = pki_admin_connect(line, &sync);
    }

    if (rc != PKI_ADMIN_DONE) {
        return rc;
    }

    actor.who = PKI_ADMIN_NAME;
    actor.from = pki_admin_user(user, sizeof(user));
    actor.why = NULL;
    actor.at = time(NULL);

    pki_store_release(pki_redis_sync_transport(sync),
                      line->opt[PKI_ADMIN_OPT_ISSUER], &sn, &actor,
                      pki_admin_changed, &answer);

    rc = pki_admin_wait(sync, &answer);
    pki_redis_sync_destroy(sync);

    return rc != PKI_ADMIN_DONE ? rc
                                : pki_admin_changed_exit(&answer, "released");
}


static int
pki_admin_changed_exit(const pki_admin_answer_t *answer, const char *done)
{
    switch (answer->result) {

    case PKI_STORE_DONE:
        printf("%s\n", done);
        break;

    case PKI_STORE_SAME:
        printf("already so\n");
        break;

    case PKI_STORE_NOT_FOUND:
        return pki_admin_fail(PKI_ADMIN_REFUSED, "there is no such record");

    default: /* PKI_STORE_CONFLICT */
        return pki_admin_fail(PKI_ADMIN_REFUSED, "it is revoked already:"
                              " %s, by %s",
                              pki_reason_name(answer->present.reason),
                              answer->present.who);
    }

    if (answer->has_present) {
        printf("reason: %s\n", pki_reason_name(answer->present.reason));
        pki_admin_time("since", answer->present.at);
    }

    return PKI_ADMIN_DONE;
}


static int
pki_admin_find(const pki_admin_line_t *line)
{
    int                 rc;
    char               *directories;
    pki_redis_sync_t   *sync;
    pki_object_id_t     objects[PKI_BINDING_OBJECTS];
    pki_store_query_t   query;
    pki_admin_answer_t  answer;

    memset(&query, 0, sizeof(query));
    query.issuer = line->opt[PKI_ADMIN_OPT_ISSUER];
    directories = NULL;

    rc = pki_admin_serial(line->args[0], &query.serial);

    if (rc == PKI_ADMIN_DONE && line->opt[PKI_ADMIN_OPT_DIRECTORY] != NULL) {
        directories = OPENSSL_strdup(line->opt[PKI_ADMIN_OPT_DIRECTORY]);

        rc = directories ? pki_admin_find_objects(line, directories, objects,
                                                  &query)
                         : pki_admin_fail(PKI_ADMIN_FAILED, "out of memory");
    }

    if (rc == PKI_ADMIN_DONE) {
        rc = pki_admin_connect(line, &sync);
    }

    if (rc == PKI_ADMIN_DONE) {
        pki_store_find(pki_redis_sync_transport(sync), &query,
                       pki_admin_found, &answer);

        rc = pki_admin_wait(sync, &answer);
        pki_redis_sync_destroy(sync);
    }

    OPENSSL_free(directories);

    return rc;
}


static int
pki_admin_find_objects(const pki_admin_line_t *line, char *directories,
    pki_object_id_t *objects, pki_store_query_t *query)
{
    int                 rc;
    char               *directory, *rest;
    unsigned            i, n;
    pki_rc_t            opened;
    const char         *path;
    pki_binding_t       binding;
    pki_serial_keys_t   keys;

    path = line->opt[PKI_ADMIN_OPT_KEY_FILE];

    if (path != NULL) {
        rc = pki_admin_keys(path, &keys);
        if (rc != PKI_ADMIN_DONE) {
            return rc;
        }
    }

    opened = pki_serial_open(&query->serial, path ? &keys : NULL, &binding);
    OPENSSL_cleanse(&keys, sizeof(keys));

    if (opened != PKI_OK) {
        return pki_admin_fail(PKI_ADMIN_REFUSED, "the serial number names no"
                              " objects, or no key opens it");
    }

    n = pki_binding_objects(&binding, objects);

    for (directory = strtok_r(directories, ",", &rest);
         directory != NULL;
         directory = strtok_r(NULL, ",", &rest))
    {
        if (query->nobjects + n > PKI_FACTS_OBJECTS) {
            return pki_admin_fail(PKI_ADMIN_USAGE, "more than %d directories",
                                  PKI_ADMIN_DIRECTORIES);
        }

        for (i = 0; i < n; i++) {
            query->objects[query->nobjects].directory = directory;
            query->objects[query->nobjects].id = objects[i].id;
            query->nobjects++;
        }
    }

    return PKI_ADMIN_DONE;
}


static void
pki_admin_found(void *data, const pki_store_found_t *found)
{
    unsigned                  i;
    const pki_object_fact_t  *object;

    pki_admin_done(data, found->result, 0, found->error);

    if (found->result != PKI_STORE_DONE) {
        return;
    }

    printf("recorded: %s\n", found->facts.recorded ? "yes" : "no");

    if (found->facts.recorded) {
        pki_admin_time("not before", found->record.not_before);
        pki_admin_time("not after", found->record.not_after);
        printf("source: %s\nrequester: %s\n", found->record.source,
               found->record.requester);
    }

    printf("revoked: %s\n", found->facts.manual == PKI_REASON_NONE
                            ? "no" : pki_reason_name(found->facts.manual));

    if (found->facts.manual != PKI_REASON_NONE) {
        pki_admin_time("since", found->revocation.at);

        if (found->revocation.invalidity != 0) {
            pki_admin_time("invalid since", found->revocation.invalidity);
        }

        printf("who: %s\n", found->revocation.who);
    }

    for (i = 0; i < found->facts.nobjects; i++) {
        object = &found->facts.objects[i];

        printf("object: %s in %s\n", object->id, object->directory);

        if (object->found) {
            printf("state: 0x%02X\n", object->state);
            pki_admin_time("since", object->since);
        }

        if (object->synced_at != 0) {
            pki_admin_time("synced", object->synced_at);
        }
    }
}


/* The lease is given back by renewing it for a moment. */

static int
pki_admin_object(const pki_admin_line_t *line)
{
    int                  i, rc;
    char                 token[2 * PKI_ADMIN_RANDOM + 1];
    const char          *directory;
    pki_redis_t         *redis;
    unsigned char        random[PKI_ADMIN_RANDOM];
    pki_redis_sync_t    *sync;
    pki_admin_answer_t   answer[4];
    pki_store_object_t   object;

    directory = line->opt[PKI_ADMIN_OPT_DIRECTORY];
    object.id = line->opt[PKI_ADMIN_OPT_ID];
    object.since = time(NULL);

    rc = pki_admin_state(line->opt[PKI_ADMIN_OPT_STATE], &object.state);

    if (rc == PKI_ADMIN_DONE) {
        rc = pki_admin_random(random, sizeof(random));
    }

    if (rc == PKI_ADMIN_DONE) {
        rc = pki_admin_connect(line, &sync);
    }

    if (rc != PKI_ADMIN_DONE) {
        return rc;
    }

    pki_admin_hex(token, random, sizeof(random));
    redis = pki_redis_sync_transport(sync);

    pki_store_lease(redis, directory, token, PKI_ADMIN_LEASE, pki_admin_done,
                    &answer[0]);
    pki_store_apply(redis, directory, token, &object, 1, pki_admin_done,
                    &answer[1]);
    pki_store_commit(redis, directory, token, NULL, object.since,
                     pki_admin_done, &answer[2]);
    pki_store_lease(redis, directory, token, 1, pki_admin_done, &answer[3]);

    rc = pki_admin_wait(sync, &answer[0]);
    pki_redis_sync_destroy(sync);

    if (rc != PKI_ADMIN_DONE) {
        return rc;
    }

    for (i = 0; i < 3; i++) {
        if (answer[i].result == PKI_STORE_CONFLICT) {
            return pki_admin_fail(PKI_ADMIN_REFUSED, "somebody else holds"
                                  " the lease of \"%s\"", directory);
        }

        if (answer[i].result != PKI_STORE_DONE) {
            return pki_admin_fail(PKI_ADMIN_FAILED, "%s", answer[i].error);
        }
    }

    printf("%s\n", answer[1].n ? "changed" : "already so");

    return PKI_ADMIN_DONE;
}


static int
pki_admin_token(const pki_admin_line_t *line)
{
    int            rc;
    char           token[2 * PKI_ADMIN_RANDOM + 1];
    char           hash[2 * SHA256_DIGEST_LENGTH + 1];
    char           text[sizeof(hash) + 2 * PKI_NAME_MAX + 4];
    const char    *name, *role;
    unsigned char  random[PKI_ADMIN_RANDOM], digest[SHA256_DIGEST_LENGTH];

    name = line->args[0];
    role = line->args[1];

    if (!pki_name_valid(name, strlen(name))
        || !pki_name_valid(role, strlen(role)))
    {
        return pki_admin_fail(PKI_ADMIN_USAGE, "NAME and ROLE are 1 to %d of"
                              " A-Z a-z 0-9 . _ -", PKI_NAME_MAX);
    }

    rc = pki_admin_random(random, sizeof(random));
    if (rc != PKI_ADMIN_DONE) {
        return rc;
    }

    pki_admin_hex(token, random, sizeof(random));

    if (SHA256((unsigned char *) token, strlen(token), digest) == NULL) {
        return pki_admin_fail(PKI_ADMIN_FAILED, "cannot hash");
    }

    pki_admin_hex(hash, digest, sizeof(digest));
    (void) snprintf(text, sizeof(text), "%s %s %s\n", hash, role, name);

    if (line->opt[PKI_ADMIN_OPT_FILE] == NULL) {
        fputs(text, stderr);

    } else {
        rc = pki_admin_append(line->opt[PKI_ADMIN_OPT_FILE], text);
        if (rc != PKI_ADMIN_DONE) {
            return rc;
        }
    }

    printf("%s\n", token);

    return PKI_ADMIN_DONE;
}


static int
pki_admin_append(const char *path, const char *text)
{
    int      fd, rc;
    size_t   len;

    fd = open(path, O_WRONLY|O_APPEND|O_CREAT|O_CLOEXEC, 0600);
    if (fd == -1) {
        return pki_admin_fail(PKI_ADMIN_FAILED, "cannot open \"%s\": %s",
                              path, strerror(errno));
    }

    rc = PKI_ADMIN_DONE;
    len = strlen(text);

    if (write(fd, text, len) != (ssize_t) len || fsync(fd) == -1) {
        rc = pki_admin_fail(PKI_ADMIN_FAILED, "cannot write \"%s\": %s",
                            path, strerror(errno));
    }

    (void) close(fd);

    return rc;
}


static int
pki_admin_connect(const pki_admin_line_t *line, pki_redis_sync_t **sync)
{
    int                     rc;
    char                    host[256], secret[PKI_ADMIN_FILE_MAX];
    size_t                  len;
    pki_err_t               err;
    const char             *address;
    unsigned long long      n;
    pki_redis_sync_conf_t   conf;

    memset(&conf, 0, sizeof(conf));
    conf.timeout = PKI_ADMIN_TIMEOUT;
    conf.user = line->opt[PKI_ADMIN_OPT_USER];
    address = line->opt[PKI_ADMIN_OPT_REDIS];

    rc = pki_admin_address(address, host, sizeof(host), &conf);
    if (rc != PKI_ADMIN_DONE) {
        return rc;
    }

    if (line->opt[PKI_ADMIN_OPT_DATABASE] != NULL) {
        if (pki_admin_number(line->opt[PKI_ADMIN_OPT_DATABASE], 65535, &n)
            != PKI_ADMIN_DONE)
        {
            return pki_admin_fail(PKI_ADMIN_USAGE, "--database is a number");
        }

        conf.database = (int) n;
    }

    if (line->opt[PKI_ADMIN_OPT_SECRET_FILE] != NULL) {
        rc = pki_admin_read(line->opt[PKI_ADMIN_OPT_SECRET_FILE], secret,
                            sizeof(secret), &len);
        if (rc != PKI_ADMIN_DONE) {
            return rc;
        }

        secret[strcspn(secret, "\r\n")] = '\0';
        conf.secret = secret;
    }

    *sync = pki_redis_sync_create(&conf, &err);
    OPENSSL_cleanse(secret, sizeof(secret));

    if (*sync == NULL) {
        return pki_admin_fail(PKI_ADMIN_FAILED, "Redis at \"%s\": %s",
                              address, err.text);
    }

    return PKI_ADMIN_DONE;
}


static int
pki_admin_address(const char *address, char *host, size_t size,
    pki_redis_sync_conf_t *conf)
{
    size_t               len;
    const char          *colon;
    unsigned long long   port;

    if (strncmp(address, "unix:", 5) == 0 && address[5] != '\0') {
        conf->path = address + 5;
        return PKI_ADMIN_DONE;
    }

    colon = strrchr(address, ':');

    if (colon != NULL
        && pki_admin_number(colon + 1, 65535, &port) == PKI_ADMIN_DONE)
    {
        len = (size_t) (colon - address);

        if (len > 2 && address[0] == '[' && address[len - 1] == ']') {
            address++;
            len -= 2;
        }

        if (len > 0 && len < size) {
            memcpy(host, address, len);
            host[len] = '\0';

            conf->host = host;
            conf->port = (int) port;

            return PKI_ADMIN_DONE;
        }
    }

    return pki_admin_fail(PKI_ADMIN_USAGE, "\"%s\" is neither unix:/path nor"
                          " host:port", address);
}


static int
pki_admin_wait(pki_redis_sync_t *sync, pki_admin_answer_t *answer)
{
    pki_err_t  err;

    if (pki_redis_sync_wait(sync, &err) != PKI_OK) {
        return pki_admin_fail(PKI_ADMIN_FAILED, "Redis: %s", err.text);
    }

    if (answer->result == PKI_STORE_FAILED) {
        return pki_admin_fail(PKI_ADMIN_FAILED, "%s", answer->error);
    }

    return PKI_ADMIN_DONE;
}


static void
pki_admin_changed(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error)
{
    pki_admin_answer_t  *answer = data;

    pki_admin_done(data, result, 0, error);

    if (present != NULL) {
        answer->has_present = 1;
        answer->present = *present;
    }
}


static void
pki_admin_done(void *data, pki_store_result_t result, long long n,
    const char *error)
{
    pki_admin_answer_t  *answer = data;

    memset(answer, 0, sizeof(pki_admin_answer_t));
    answer->result = result;
    answer->n = n;

    if (error != NULL) {
        (void) snprintf(answer->error, sizeof(answer->error), "%s", error);
    }
}


static int
pki_admin_keys(const char *path, pki_serial_keys_t *keys)
{
    int        rc;
    char       text[PKI_ADMIN_FILE_MAX];
    size_t     len;
    pki_err_t  err;

    rc = pki_admin_read(path, text, sizeof(text), &len);

    if (rc == PKI_ADMIN_DONE
        && pki_serial_keys_read(text, len, keys, &err) != PKI_OK)
    {
        rc = pki_admin_fail(PKI_ADMIN_FAILED, "\"%s\": %s", path, err.text);
    }

    OPENSSL_cleanse(text, sizeof(text));

    return rc;
}


/* Without stdio, whose buffer would keep a secret. */

static int
pki_admin_read(const char *path, char *text, size_t size, size_t *len)
{
    int      fd;
    ssize_t  n;

    fd = open(path, O_RDONLY|O_CLOEXEC);
    if (fd == -1) {
        return pki_admin_fail(PKI_ADMIN_FAILED, "cannot open \"%s\": %s",
                              path, strerror(errno));
    }

    *len = 0;

    do {
        n = read(fd, text + *len, size - *len);

        if (n > 0) {
            *len += (size_t) n;
        }

    } while (n > 0 && *len < size);

    (void) close(fd);

    if (n < 0 || *len == size) {
        return pki_admin_fail(PKI_ADMIN_FAILED, "cannot read \"%s\": %s",
                              path, n < 0 ? strerror(errno) : "too large");
    }

    text[*len] = '\0';

    return PKI_ADMIN_DONE;
}


static int
pki_admin_serial(const char *text, pki_serial_t *sn)
{
    if (pki_serial_from_text(text, strlen(text), sn) != PKI_OK) {
        return pki_admin_fail(PKI_ADMIN_USAGE, "\"%s\" is no serial number",
                              text);
    }

    return PKI_ADMIN_DONE;
}


/* Not DONE means that it is not a number; the caller says so. */

static int
pki_admin_number(const char *text, unsigned long long max,
    unsigned long long *n)
{
    char  *end;

    if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0') {
        return PKI_ADMIN_USAGE;
    }

    errno = 0;
    *n = strtoull(text, &end, 10);

    return errno == 0 && *n <= max ? PKI_ADMIN_DONE : PKI_ADMIN_USAGE;
}


static int
pki_admin_random(unsigned char *data, size_t len)
{
    if (RAND_bytes(data, (int) len) != 1) {
        return pki_admin_fail(PKI_ADMIN_FAILED, "no random octets");
    }

    return PKI_ADMIN_DONE;
}


static void
pki_admin_hex(char *text, const unsigned char *data, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        (void) snprintf(text + 2 * i, 3, "%02x", data[i]);
    }
}


/* A CRLReason by its number or its name; none is "unspecified". */

static int
pki_admin_reason(const char *text, pki_reason_t *reason)
{
    int                 i;
    unsigned long long  n;

    *reason = PKI_REASON_UNSPECIFIED;

    if (text == NULL) {
        return PKI_ADMIN_DONE;
    }

    for (i = 0; i <= PKI_REASON_AA_COMPROMISE; i++) {
        if (pki_reason_valid(i)
            && ((pki_admin_number(text, PKI_REASON_AA_COMPROMISE, &n)
                 == PKI_ADMIN_DONE && (int) n == i)
                || strcasecmp(text, pki_reason_name((pki_reason_t) i)) == 0))
        {
            *reason = (pki_reason_t) i;
            return PKI_ADMIN_DONE;
        }
    }

    return pki_admin_fail(PKI_ADMIN_USAGE, "\"%s\" is no reason", text);
}


static int
pki_admin_state(const char *text, unsigned *state)
{
    size_t  i, len;

    *state = 0;

    for ( ;; ) {
        len = strcspn(text, ",");

        for (i = 0; i < PKI_ADMIN_STATES; i++) {
            if (strlen(pki_admin_states[i].name) == len
                && strncmp(pki_admin_states[i].name, text, len) == 0)
            {
                break;
            }
        }

        if (i == PKI_ADMIN_STATES) {
            return pki_admin_fail(PKI_ADMIN_USAGE, "unknown state in --state");
        }

        *state |= pki_admin_states[i].state;

        if (text[len] == '\0') {
            return PKI_ADMIN_DONE;
        }

        text += len + 1;
    }
}


static void
pki_admin_time(const char *name, time_t t)
{
    char       text[32];
    struct tm  tm;

    if (gmtime_r(&t, &tm) == NULL
        || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
    {
        (void) snprintf(text, sizeof(text), "%lld", (long long) t);
    }

    printf("%s: %s\n", name, text);
}


static const char *
pki_admin_user(char *buf, size_t size)
{
    struct passwd  *pw;

    pw = getpwuid(getuid());

    if (pw != NULL) {
        (void) snprintf(buf, size, "%s", pw->pw_name);

    } else {
        (void) snprintf(buf, size, "uid %ld", (long) getuid());
    }

    return buf;
}


static int
pki_admin_fail(int code, const char *fmt, ...)
{
    va_list  args;

    fprintf(stderr, PKI_ADMIN_NAME ": ");

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fputc('\n', stderr);

    return code;
}

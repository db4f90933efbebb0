
/*
 * pki-admin: the store and the serial numbers by hand.
 *
 * One table holds the commands, one the options.  A command gets its
 * options as an array of strings and does one thing; results go to stdout,
 * sentences to stderr.
 */

#include "pki_admin.h"
#include "pki_store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>


#define PKI_ADMIN_TIMEOUT   10000       /* milliseconds, of each reply */
#define PKI_ADMIN_FILE_MAX  65536       /* of keys or a secret */


typedef struct {
    const char        *name;
    int                flag;            /* takes no value */
} pki_admin_option_t;


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


static int pki_admin_parse(const pki_admin_command_t *command, int argc,
    char **argv, pki_admin_line_t *line);
static int pki_admin_parse_option(const pki_admin_command_t *command,
    int argc, char **argv, int *i, pki_admin_line_t *line);
static void pki_admin_help(FILE *out);
static int pki_admin_address(const char *address, char *host, size_t size,
    pki_redis_sync_conf_t *conf);


static const pki_admin_option_t  pki_admin_options[PKI_ADMIN_OPT_N] = {
    { "database", 0 }, { "directory", 0 }, { "file", 0 }, { "guid", 0 },
    { "id", 0 }, { "issuer", 0 }, { "key-file", 0 }, { "kind", 0 },
    { "name", 0 }, { "reason", 0 }, { "redis", 0 }, { "requester", 0 },
    { "secret-file", 0 }, { "source", 0 }, { "state", 0 },
    { "unrecorded", 1 }, { "upn", 0 }, { "user", 0 }
};


#define PKI_ADMIN_BIT(opt)  (1u << PKI_ADMIN_OPT_##opt)

#define PKI_ADMIN_STORE                                                     \
    (PKI_ADMIN_BIT(REDIS) | PKI_ADMIN_BIT(USER)                             \
     | PKI_ADMIN_BIT(SECRET_FILE) | PKI_ADMIN_BIT(DATABASE))

#define PKI_ADMIN_AT_ISSUER   (PKI_ADMIN_BIT(REDIS) | PKI_ADMIN_BIT(ISSUER))


static const pki_admin_command_t  pki_admin_commands[] = {

    { "serial", "make", pki_admin_serial_make,
      PKI_ADMIN_STORE | PKI_ADMIN_BIT(KIND) | PKI_ADMIN_BIT(GUID)
      | PKI_ADMIN_BIT(ID) | PKI_ADMIN_BIT(UPN) | PKI_ADMIN_BIT(DIRECTORY)
      | PKI_ADMIN_BIT(KEY_FILE),
      PKI_ADMIN_BIT(KIND), 0, 0,
      "--kind KIND [--guid GUID | --id N [--user N] | --upn NAME\n"
      "        --directory NAME --redis ADDR] [--key-file FILE]",
      "prints a new serial number; sealed, if there is a key file" },

    { "serial", "show", pki_admin_serial_show,
      PKI_ADMIN_BIT(KEY_FILE), 0, 1, 1,
      "SERIAL [--key-file FILE]",
      "prints what a serial number is bound to" },

    { "record", NULL, pki_admin_store_record,
      PKI_ADMIN_STORE | PKI_ADMIN_BIT(ISSUER) | PKI_ADMIN_BIT(SOURCE)
      | PKI_ADMIN_BIT(REQUESTER) | PKI_ADMIN_BIT(KEY_FILE),
      PKI_ADMIN_AT_ISSUER, 1, -1,
      "--redis ADDR --issuer NAME [--source S] [--requester R]\n"
      "        [--key-file FILE] FILE...",
      "records all certificates of PEM files" },

    { "revoke", NULL, pki_admin_store_revoke,
      PKI_ADMIN_STORE | PKI_ADMIN_BIT(ISSUER) | PKI_ADMIN_BIT(REASON)
      | PKI_ADMIN_BIT(UNRECORDED),
      PKI_ADMIN_AT_ISSUER, 1, 1,
      "--redis ADDR --issuer NAME [--reason N] [--unrecorded] SERIAL",
      "revokes; reason 6 is a hold" },

    { "release", NULL, pki_admin_store_release,
      PKI_ADMIN_STORE | PKI_ADMIN_BIT(ISSUER),
      PKI_ADMIN_AT_ISSUER, 1, 1,
      "--redis ADDR --issuer NAME SERIAL",
      "releases a hold" },

    { "find", NULL, pki_admin_store_find,
      PKI_ADMIN_STORE | PKI_ADMIN_BIT(ISSUER) | PKI_ADMIN_BIT(DIRECTORY)
      | PKI_ADMIN_BIT(KEY_FILE),
      PKI_ADMIN_AT_ISSUER, 1, 1,
      "--redis ADDR --issuer NAME [--directory NAME,...] [--key-file FILE] "
      "SERIAL",
      "prints the facts about a certificate" },

    { "object", NULL, pki_admin_state_object,
      PKI_ADMIN_STORE | PKI_ADMIN_BIT(DIRECTORY) | PKI_ADMIN_BIT(ID)
      | PKI_ADMIN_BIT(STATE),
      PKI_ADMIN_BIT(REDIS) | PKI_ADMIN_BIT(DIRECTORY) | PKI_ADMIN_BIT(ID)
      | PKI_ADMIN_BIT(STATE), 0, 0,
      "--redis ADDR --directory NAME --id ID --state STATE,...|none",
      "a directory's round by hand, with one object" },

    { "resolve", NULL, pki_admin_state_resolve,
      PKI_ADMIN_STORE | PKI_ADMIN_BIT(DIRECTORY) | PKI_ADMIN_BIT(NAME),
      PKI_ADMIN_BIT(REDIS) | PKI_ADMIN_BIT(DIRECTORY) | PKI_ADMIN_BIT(NAME),
      0, 0,
      "--redis ADDR --directory NAME --name UPN",
      "prints the id of the object that a UPN leads to" },

    { "token", NULL, pki_admin_token,
      PKI_ADMIN_BIT(FILE) | PKI_ADMIN_BIT(ISSUER), 0, 2, 2,
      "NAME ROLE[,ROLE...] [--issuer NAME,...] [--file FILE]",
      "makes a bearer token; its hash goes to the file, or to stderr" }
};

#define PKI_ADMIN_COMMANDS                                                  \
    (sizeof(pki_admin_commands) / sizeof(pki_admin_commands[0]))


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
                 " --secret-file FILE,\n--database N.\nSTATE: none deleted"
                 " retired endpoint disabled noncompliant risky removed\n"
                 "       unmanaged silent missing unclear.\nKIND:");

    for (i = PKI_KIND_DEVICE; i <= PKI_KIND_AD_USER; i++) {
        fprintf(out, "%s%s", i % 3 == 0 && i ? "\n      " : " ",
                pki_kind_name((pki_kind_t) i));
    }

    fprintf(out, ".\nExit codes: 0 done, 1 refused or not there, 2 wrong"
                 " usage, 3 failed.\n");
}


int
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
    conf.stop = -1;
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


/* Without stdio, whose buffer would keep a secret. */

int
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


int
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


int
pki_admin_serial_number(const char *text, pki_serial_t *sn)
{
    if (pki_serial_from_text(text, strlen(text), sn) != PKI_OK) {
        return pki_admin_fail(PKI_ADMIN_USAGE, "\"%s\" is no serial number",
                              text);
    }

    return PKI_ADMIN_DONE;
}


/* Not DONE means that it is not a number; the caller says so. */

int
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


int
pki_admin_random(unsigned char *data, size_t len)
{
    if (RAND_bytes(data, (int) len) != 1) {
        return pki_admin_fail(PKI_ADMIN_FAILED, "no random octets");
    }

    return PKI_ADMIN_DONE;
}


void
pki_admin_hex(char *text, const unsigned char *data, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        (void) snprintf(text + 2 * i, 3, "%02x", data[i]);
    }
}


int
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

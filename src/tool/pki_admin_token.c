
/*
 * pki-admin: bearer tokens.  The token itself goes to stdout only; the file
 * that nginx reads has its hash, roles, name and issuers.
 */

#include "pki_admin.h"
#include "pki_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <openssl/sha.h>


#define PKI_ADMIN_ISSUERS_MAX  1024         /* octets of --issuer */


static int pki_admin_token_roles(const char *roles);
static int pki_admin_token_names(const char *names);
static int pki_admin_token_append(const char *path, const char *text);


int
pki_admin_token(const pki_admin_line_t *line)
{
    int            rc;
    char           token[2 * PKI_ADMIN_RANDOM + 1];
    char           hash[2 * SHA256_DIGEST_LENGTH + 1];
    char           text[sizeof(hash) + 2 * PKI_NAME_MAX
                        + PKI_ADMIN_ISSUERS_MAX + 16];
    const char    *name, *roles, *issuers;
    unsigned char  random[PKI_ADMIN_RANDOM], digest[SHA256_DIGEST_LENGTH];

    name = line->args[0];
    roles = line->args[1];
    issuers = line->opt[PKI_ADMIN_OPT_ISSUER];

    if (!pki_name_valid(name, strlen(name))) {
        return pki_admin_fail(PKI_ADMIN_USAGE, "NAME is 1 to %d of"
                              " A-Z a-z 0-9 . _ -", PKI_NAME_MAX);
    }

    if (!pki_admin_token_roles(roles)) {
        return pki_admin_fail(PKI_ADMIN_USAGE, "ROLE is read, manage, enroll,"
                              " self-service or admin; several have commas"
                              " between them");
    }

    if (issuers && !pki_admin_token_names(issuers)) {
        return pki_admin_fail(PKI_ADMIN_USAGE, "--issuer is names of issuers,"
                              " with commas between them");
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
    (void) snprintf(text, sizeof(text), "%s %s %s%s%s\n", hash, roles, name,
                    issuers ? " issuer=" : "", issuers ? issuers : "");

    if (line->opt[PKI_ADMIN_OPT_FILE] == NULL) {
        fputs(text, stderr);

    } else {
        rc = pki_admin_token_append(line->opt[PKI_ADMIN_OPT_FILE], text);
        if (rc != PKI_ADMIN_DONE) {
            return rc;
        }
    }

    printf("%s\n", token);

    return PKI_ADMIN_DONE;
}


/* each of them once, so that the line stays short */

static int
pki_admin_token_roles(const char *roles)
{
    size_t    i, len;
    unsigned  seen;

    static const char  *const names[] = {
        "read", "manage", "enroll", "self-service", "admin"
    };

    seen = 0;

    for ( ;; ) {
        len = strcspn(roles, ",");

        for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            if (strlen(names[i]) == len && memcmp(names[i], roles, len) == 0) {
                break;
            }
        }

        if (i == sizeof(names) / sizeof(names[0]) || (seen & 1u << i)) {
            return 0;
        }

        seen |= 1u << i;
        roles += len;

        if (*roles++ == '\0') {
            return 1;
        }
    }
}


static int
pki_admin_token_names(const char *names)
{
    size_t  len;

    if (strlen(names) > PKI_ADMIN_ISSUERS_MAX) {
        return 0;
    }

    for ( ;; ) {
        len = strcspn(names, ",");

        if (!pki_name_valid(names, len)) {
            return 0;
        }

        names += len;

        if (*names++ == '\0') {
            return 1;
        }
    }
}


static int
pki_admin_token_append(const char *path, const char *text)
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

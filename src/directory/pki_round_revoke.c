
/*
 * Certificates that a directory wants revoked, by serial number.
 *
 * Directories write an issuer's name as they please, so names are compared
 * part by part, in any order and case; an equal common name is enough.  A
 * serial that no issuer has a record of is revoked nevertheless where it is
 * one of those that we issue.
 */

#include "pki_round.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <openssl/crypto.h>


#define PKI_REVOKE_BATCH  32        /* sent at once; answers are kept */
#define PKI_REVOKE_PARTS  32        /* of a name */


/* a part of a name, "CN=Issuing CA", inside the text that it was read of */

typedef struct {
    const char                *text;
    size_t                     len;
} pki_revoke_part_t;


typedef struct {
    pki_item_t                *item;
    pki_serial_t               serial;
    unsigned                   sent:1;
    unsigned                   found:1;     /* an issuer has its record */
    pki_answer_t               answer;
} pki_revoke_t;


static int pki_revoke_ours(const pki_directory_conf_t *conf,
    const char *issuer);
static pki_rc_t pki_revoke_batch(pki_machine_t *m, pki_revoke_t *revoke,
    size_t n);
static pki_rc_t pki_revoke_issuer(pki_machine_t *m, pki_revoke_t *revoke,
    size_t n, const pki_directory_issuer_t *issuer, int unrecorded);

static int pki_revoke_match(const char *one, const char *two);
static unsigned pki_revoke_parts(const char *name, pki_revoke_part_t *parts);
static int pki_revoke_same(const pki_revoke_part_t *one,
    const pki_revoke_part_t *two);
static char pki_revoke_next(const pki_revoke_part_t *part, size_t *at);
static int pki_revoke_common(const char *name, pki_revoke_part_t *part);


pki_rc_t
pki_round_revoke(pki_machine_t *m, pki_item_t *items, size_t n)
{
    size_t        i, nrevoke;
    pki_rc_t      rc;
    pki_revoke_t  revoke[PKI_REVOKE_BATCH];

    rc = PKI_OK;
    nrevoke = 0;

    for (i = 0; rc == PKI_OK && i < n; i++) {

        items[i].elsewhere = !pki_revoke_ours(m->source->conf,
                                              items[i].issuer);

        if (items[i].serial == NULL || items[i].elsewhere) {
            continue;
        }

        if (pki_serial_from_text(items[i].serial, strlen(items[i].serial),
                                 &revoke[nrevoke].serial)
            != PKI_OK)
        {
            m->items.unreadable++;
            continue;
        }

        revoke[nrevoke].item = &items[i];
        revoke[nrevoke].found = 0;
        nrevoke++;

        if (nrevoke == PKI_REVOKE_BATCH) {
            rc = pki_revoke_batch(m, revoke, nrevoke);
            nrevoke = 0;
        }
    }

    if (rc == PKI_OK && nrevoke) {
        rc = pki_revoke_batch(m, revoke, nrevoke);
    }

    return rc;
}


/* NULL, no issuer is told: it may be any of ours */

static int
pki_revoke_ours(const pki_directory_conf_t *conf, const char *issuer)
{
    unsigned  k;

    for (k = 0; k < conf->nissuers; k++) {
        if (pki_revoke_match(issuer, conf->issuers[k].subject)) {
            return 1;
        }
    }

    return issuer == NULL;
}


static pki_rc_t
pki_revoke_batch(pki_machine_t *m, pki_revoke_t *revoke, size_t n)
{
    int                          unrecorded;
    size_t                       i, left;
    unsigned                     k;
    pki_rc_t                     rc;
    const pki_directory_conf_t  *conf;

    conf = m->source->conf;

    for (unrecorded = 0; unrecorded <= 1; unrecorded++) {

        for (k = 0; k < conf->nissuers; k++) {
            rc = pki_revoke_issuer(m, revoke, n, &conf->issuers[k],
                                   unrecorded);
            if (rc != PKI_OK) {
                return rc;
            }
        }

        left = 0;

        for (i = 0; i < n; i++) {
            left += revoke[i].found == 0;
        }

        if (left == 0) {
            break;
        }
    }

    return PKI_OK;
}


/*
 * A serial of the plain format opens for each issuer, and which of them it
 * belongs to is not known then: all of them that may be meant revoke it.
 */

static pki_rc_t
pki_revoke_issuer(pki_machine_t *m, pki_revoke_t *revoke, size_t n,
    const pki_directory_issuer_t *issuer, int unrecorded)
{
    char              who[PKI_STORE_WHO_MAX + 1];
    size_t            i;
    pki_actor_t       actor;
    pki_binding_t     binding;
    pki_revocation_t  revocation;

    (void) snprintf(who, sizeof(who), "directory:%s", m->source->conf->name);

    actor.who = who;
    actor.from = "";
    actor.why = m->round.resource->name;
    actor.at = m->round.now;

    memset(&revocation, 0, sizeof(pki_revocation_t));
    memcpy(revocation.who, who, sizeof(who));
    revocation.reason = issuer->reason;
    revocation.at = m->round.now;

    for (i = 0; i < n; i++) {
        revoke[i].sent = 0;
        pki_answer_init(&revoke[i].answer);

        if (revoke[i].found
            || !pki_revoke_match(revoke[i].item->issuer, issuer->subject)
            || (unrecorded
                && pki_serial_open(&revoke[i].serial, issuer->keys, &binding)
                   != PKI_OK))
        {
            continue;
        }

        revoke[i].sent = 1;

        pki_store_revoke(m->source->redis, issuer->name, &revoke[i].serial,
                         &revocation, &actor, unrecorded, pki_answer_changed,
                         &revoke[i].answer);
    }

    if (pki_source_wait(m->source) != PKI_OK) {
        return PKI_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (revoke[i].sent && revoke[i].answer.result == PKI_STORE_FAILED) {
            pki_err_set(&m->err, "the store: %s", revoke[i].answer.err.text);
            return PKI_ERROR;
        }

        if (revoke[i].sent
            && revoke[i].answer.result != PKI_STORE_NOT_FOUND)
        {
            revoke[i].item->result = revoke[i].answer.result;
            revoke[i].found = !unrecorded;
        }
    }

    return PKI_OK;
}


static int
pki_revoke_match(const char *one, const char *two)
{
    unsigned           i, j, n;
    pki_revoke_part_t  a[PKI_REVOKE_PARTS], b[PKI_REVOKE_PARTS];

    if (one == NULL) {
        return 1;
    }

    if (two == NULL) {
        return 0;
    }

    if (strcmp(one, two) == 0) {
        return 1;
    }

    if (pki_revoke_common(one, &a[0]) && pki_revoke_common(two, &b[0])
        && pki_revoke_same(&a[0], &b[0]))
    {
        return 1;
    }

    n = pki_revoke_parts(one, a);

    if (n == 0 || pki_revoke_parts(two, b) != n) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        for (j = 0; j < n && !pki_revoke_same(&a[i], &b[j]); j++) {
            /* void */
        }

        if (j == n) {
            return 0;
        }

        b[j].len = 0;
    }

    return 1;
}


/*
 * Parts are apart by commas, semicolons or plus signs (RFC 4514, and 2253
 * before it), unless these are quoted.  0: too many of them.
 */

static unsigned
pki_revoke_parts(const char *name, pki_revoke_part_t *parts)
{
    int          quoted;
    unsigned     n;
    const char  *p;

    n = 0;
    quoted = 0;
    parts[0].text = name;

    for (p = name; ; p++) {

        if (*p == '\\' && p[1] != '\0') {
            p++;
            continue;
        }

        if (*p == '"') {
            quoted = !quoted;
        }

        if (*p == '\0' || (!quoted && strchr(",;+", *p) != NULL)) {
            parts[n].len = (size_t) (p - parts[n].text);
            n++;

            if (*p == '\0') {
                return n;
            }

            if (n == PKI_REVOKE_PARTS) {
                return 0;
            }

            parts[n].text = p + 1;
        }
    }
}


static int
pki_revoke_same(const pki_revoke_part_t *one, const pki_revoke_part_t *two)
{
    char    a, b;
    size_t  i, j;

    i = 0;
    j = 0;

    do {
        a = pki_revoke_next(one, &i);
        b = pki_revoke_next(two, &j);

        if (a != b) {
            return 0;
        }

    } while (a != '\0');

    return i != 0 && j != 0;
}


/*
 * The next octet that counts: no space, quote or backslash, in lower case;
 * a backslash with two digits is an octet (RFC 4514, 2.4).
 */

static char
pki_revoke_next(const pki_revoke_part_t *part, size_t *at)
{
    int   high, low;
    char  ch;

    while (*at < part->len) {
        ch = part->text[(*at)++];

        if (ch == '\\' && part->len - *at >= 2) {
            high = OPENSSL_hexchar2int((unsigned char) part->text[*at]);
            low = OPENSSL_hexchar2int((unsigned char) part->text[*at + 1]);

            if (high > 0 && low >= 0) {
                *at += 2;
                ch = (char) (high << 4 | low);
            }
        }

        if (ch != ' ' && ch != '"' && ch != '\\') {
            return ch >= 'A' && ch <= 'Z' ? (char) (ch | 0x20) : ch;
        }
    }

    return '\0';
}


/* The value of the first CN; of a text that is no name at all, the text. */

static int
pki_revoke_common(const char *name, pki_revoke_part_t *part)
{
    unsigned           i, n;
    const char        *value;
    pki_revoke_part_t  parts[PKI_REVOKE_PARTS];

    n = pki_revoke_parts(name, parts);

    for (i = 0; i < n; i++) {
        while (parts[i].len && *parts[i].text == ' ') {
            parts[i].text++;
            parts[i].len--;
        }

        value = memchr(parts[i].text, '=', parts[i].len);

        if (value == NULL) {
            *part = parts[i];
            return n == 1 && part->len != 0;
        }

        if (strncasecmp(parts[i].text, "CN", 2) == 0
            && strspn(parts[i].text + 2, " ")
               == (size_t) (value - parts[i].text) - 2)
        {
            part->text = value + 1;
            part->len = parts[i].len - (size_t) (part->text - parts[i].text);
            return part->len != 0;
        }
    }

    return 0;
}

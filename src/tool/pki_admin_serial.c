
/*
 * Serial numbers by hand: made from a binding, and shown as one.
 */

#include "pki_admin.h"

#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>


static int pki_admin_serial_payload(const pki_admin_line_t *line,
    pki_binding_t *binding);
static int pki_admin_serial_payload_upn(const pki_admin_line_t *line,
    pki_binding_t *binding);
static int pki_admin_serial_payload_jamf(const pki_admin_line_t *line,
    pki_binding_t *binding);


int
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

    rc = pki_admin_serial_payload(line, &binding);

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
pki_admin_serial_payload(const pki_admin_line_t *line, pki_binding_t *binding)
{
    int          rc;
    const char  *guid;

    if (binding->kind >= PKI_KIND_JAMF_COMPUTER
        && binding->kind <= PKI_KIND_JAMF_USER_ON_DEVICE)
    {
        return pki_admin_serial_payload_jamf(line, binding);
    }

    if (line->opt[PKI_ADMIN_OPT_UPN] != NULL) {
        return pki_admin_serial_payload_upn(line, binding);
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


/* The certificate is bound to the object, not to its present name. */

static int
pki_admin_serial_payload_upn(const pki_admin_line_t *line,
    pki_binding_t *binding)
{
    int                   rc;
    const char           *guid;
    pki_admin_resolved_t  resolved;

    if (binding->kind != PKI_KIND_USER || line->opt[PKI_ADMIN_OPT_GUID]
        || line->opt[PKI_ADMIN_OPT_ID]
        || line->opt[PKI_ADMIN_OPT_DIRECTORY] == NULL
        || line->opt[PKI_ADMIN_OPT_REDIS] == NULL)
    {
        return pki_admin_fail(PKI_ADMIN_USAGE, "--upn is for kind User and"
                              " needs --directory and --redis");
    }

    rc = pki_admin_resolve(line, line->opt[PKI_ADMIN_OPT_UPN], &resolved);
    if (rc != PKI_ADMIN_DONE) {
        return rc;
    }

    guid = resolved.id + sizeof("user/") - 1;

    if (strncmp(resolved.id, "user/", sizeof("user/") - 1) != 0
        || pki_guid_from_text(guid, strlen(guid), binding->payload) != PKI_OK)
    {
        return pki_admin_fail(PKI_ADMIN_REFUSED, "\"%s\" is no user with a"
                              " GUID", resolved.id);
    }

    return PKI_ADMIN_DONE;
}


static int
pki_admin_serial_payload_jamf(const pki_admin_line_t *line,
    pki_binding_t *binding)
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


int
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

    rc = pki_admin_serial_number(line->args[0], &sn);

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

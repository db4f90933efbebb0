
/*
 * Which directory object a request is for, by what it says of itself.
 *
 * A device says so with a GUID for its first CN or with a URI of Intune's, a
 * user with a UPN, Jamf's objects with a number and a word that tells what
 * it counts.  A user's name is not an id: it stays in the claim until
 * somebody who has the directory has resolved it.
 */

#include "pki_csr.h"

#include <limits.h>
#include <string.h>
#include <strings.h>
#include <openssl/crypto.h>
#include "pki_name.h"


#define PKI_CLAIM_GUID      36
#define PKI_CLAIM_HALF      (PKI_SERIAL_PAYLOAD / 2)    /* an id of Jamf's */
#define PKI_CLAIM_URI       "IntuneDeviceId://"
#define PKI_CLAIM_OUS       16      /* that are looked at */
#define PKI_CLAIM_USER      "user/"
#define PKI_CLAIM_JAMF      "jamf-user/"


typedef struct {
    const char       *ou;
    pki_kind_t        kind;
} pki_claim_jamf_t;


static pki_rc_t pki_claim_device(const pki_csr_t *csr, pki_claim_t *claim,
    pki_err_t *err);
static pki_rc_t pki_claim_uri(const GENERAL_NAMES *sans, pki_claim_t *claim,
    pki_err_t *err);
static pki_rc_t pki_claim_guid(const char *text, pki_claim_t *claim);
static pki_rc_t pki_claim_upn(const pki_csr_t *csr, pki_claim_t *claim,
    pki_err_t *err);
static pki_rc_t pki_claim_jamf(const pki_csr_t *csr,
    const unsigned char *random, pki_claim_t *claim, pki_err_t *err);
static pki_rc_t pki_claim_machine(const pki_csr_t *csr, pki_claim_t *claim,
    pki_err_t *err);
static pki_rc_t pki_claim_ou(const X509_NAME *subject,
    const pki_claim_jamf_t **jamf);
static pki_rc_t pki_claim_number(const char *text, unsigned char *id);
static pki_rc_t pki_claim_cn(const pki_csr_t *csr, char **text);
static pki_rc_t pki_claim_name(const GENERAL_NAMES *sans, int upn, char *text,
    size_t size, unsigned *n);
static pki_rc_t pki_claim_self_sans(const pki_claim_t *claim,
    const GENERAL_NAMES *sans, const char *user);
static pki_rc_t pki_claim_self_subject(const pki_claim_t *claim,
    const X509_NAME *subject, const char *user);
static int pki_claim_own(const pki_claim_t *claim, const char *upn,
    const char *user);
static int pki_claim_own_uri(const pki_claim_t *claim, const char *uri);
static int pki_claim_bound(const pki_claim_t *claim, const char *text);
static pki_rc_t pki_claim_memory(pki_err_t *err);


/* in the order of pki_bind_t */

static const char  *const pki_claim_binds[] = {
    "static", "directory", "device", "user", "jamf", "dc"
};

#define PKI_CLAIM_BINDS                                                       \
    (sizeof(pki_claim_binds) / sizeof(pki_claim_binds[0]))


static const pki_claim_jamf_t  pki_claim_ous[] = {
    { "computers", PKI_KIND_JAMF_COMPUTER },
    { "devices", PKI_KIND_JAMF_DEVICE },
    { "users", PKI_KIND_JAMF_USER },
    { "users-on-computers", PKI_KIND_JAMF_USER_ON_COMPUTER },
    { "users-on-devices", PKI_KIND_JAMF_USER_ON_DEVICE }
};

#define PKI_CLAIM_WORDS  (sizeof(pki_claim_ous) / sizeof(pki_claim_ous[0]))


pki_rc_t
pki_bind_from_name(const char *name, pki_bind_t *bind)
{
    size_t  i;

    for (i = 0; i < PKI_CLAIM_BINDS; i++) {
        if (strcmp(name, pki_claim_binds[i]) == 0) {
            *bind = (pki_bind_t) i;
            return PKI_OK;
        }
    }

    return PKI_NOT_FOUND;
}


pki_rc_t
pki_csr_claim(const pki_csr_t *csr, pki_bind_t bind,
    const unsigned char random[PKI_SERIAL_PAYLOAD], pki_claim_t *claim,
    pki_err_t *err)
{
    pki_rc_t  rc;

    memset(claim, 0, sizeof(pki_claim_t));

    switch (bind) {

    case PKI_BIND_DIRECTORY:
        rc = pki_claim_device(csr, claim, err);

        if (rc == PKI_NOT_FOUND) {
            rc = pki_claim_upn(csr, claim, err);
        }

        break;

    case PKI_BIND_DEVICE:
        rc = pki_claim_device(csr, claim, err);
        break;

    case PKI_BIND_USER:
        rc = pki_claim_upn(csr, claim, err);
        break;

    case PKI_BIND_JAMF:
        return pki_claim_jamf(csr, random, claim, err);

    default:
        claim->binding.kind = bind == PKI_BIND_DC ? PKI_KIND_DOMAIN_CONTROLLER
                                                  : PKI_KIND_STATIC;

        /* a GUID of version 4 (RFC 9562, 5.4), in the order of payloads */

        memcpy(claim->binding.payload, random, PKI_SERIAL_PAYLOAD);
        claim->binding.payload[7] = (random[7] & 0x0f) | 0x40;
        claim->binding.payload[8] = (random[8] & 0x3f) | 0x80;

        return PKI_OK;
    }

    if (rc == PKI_NOT_FOUND) {
        pki_err_set(err, "the request names no %s",
                    bind == PKI_BIND_DEVICE
                    ? "device: neither is its first CN a GUID nor has it a "
                      "URI IntuneDeviceId://"
                    : bind == PKI_BIND_USER
                    ? "user: it has no UPN among its alternative names"
                    : "device by CN or URI and no user by UPN");
        rc = PKI_INVALID;
    }

    return rc;
}


static pki_rc_t
pki_claim_device(const pki_csr_t *csr, pki_claim_t *claim, pki_err_t *err)
{
    char      *cn;
    pki_rc_t   rc;

    rc = pki_claim_cn(csr, &cn);

    if (rc == PKI_OK) {
        rc = pki_claim_guid(cn, claim);
        OPENSSL_free(cn);
    }

    if (rc == PKI_ERROR) {
        return pki_claim_memory(err);
    }

    return rc == PKI_OK ? PKI_OK : pki_claim_uri(csr->sans, claim, err);
}


/*
 * The first URI of that scheme counts.  One without a GUID is refused: the
 * variable of a configuration profile that nobody has replaced.
 */

static pki_rc_t
pki_claim_uri(const GENERAL_NAMES *sans, pki_claim_t *claim, pki_err_t *err)
{
    int                  i;
    char                *uri;
    pki_rc_t             rc;
    const GENERAL_NAME  *gn;

    for (i = 0; i < sk_GENERAL_NAME_num(sans); i++) {
        gn = sk_GENERAL_NAME_value(sans, i);

        if (gn->type != GEN_URI) {
            continue;
        }

        rc = pki_name_string(gn->d.uniformResourceIdentifier, &uri);

        if (rc == PKI_ERROR) {
            return pki_claim_memory(err);
        }

        if (rc != PKI_OK) {
            continue;
        }

        if (strncasecmp(uri, PKI_CLAIM_URI, sizeof(PKI_CLAIM_URI) - 1) != 0) {
            OPENSSL_free(uri);
            continue;
        }

        rc = pki_claim_guid(uri + sizeof(PKI_CLAIM_URI) - 1, claim);
        OPENSSL_free(uri);

        if (rc != PKI_OK) {
            pki_err_set(err, "the URI IntuneDeviceId:// of the request does "
                        "not go on with a GUID");
            return PKI_INVALID;
        }

        return PKI_OK;
    }

    return PKI_NOT_FOUND;
}


static pki_rc_t
pki_claim_guid(const char *text, pki_claim_t *claim)
{
    unsigned char  guid[PKI_SERIAL_PAYLOAD];

    static const unsigned char  nil[PKI_SERIAL_PAYLOAD];

    if (pki_guid_from_text(text, strlen(text), guid) != PKI_OK
        || memcmp(guid, nil, PKI_SERIAL_PAYLOAD) == 0)
    {
        return PKI_NOT_FOUND;
    }

    claim->binding.kind = PKI_KIND_DEVICE;
    memcpy(claim->binding.payload, guid, PKI_SERIAL_PAYLOAD);

    return PKI_OK;
}


static pki_rc_t
pki_claim_upn(const pki_csr_t *csr, pki_claim_t *claim, pki_err_t *err)
{
    pki_rc_t  rc;
    unsigned  n;

    rc = pki_claim_name(csr->sans, 1, claim->name, sizeof(claim->name), &n);

    if (rc == PKI_ERROR) {
        return pki_claim_memory(err);
    }

    if (rc != PKI_OK) {
        return PKI_NOT_FOUND;
    }

    /* the certificate would outlive the second one */

    if (n > 1) {
        pki_err_set(err, "the request has more than one UPN: it could be "
                    "bound to one user only");
        return PKI_INVALID;
    }

    claim->binding.kind = PKI_KIND_USER;
    claim->class = PKI_OBJECT_USER;

    return PKI_OK;
}


static pki_rc_t
pki_claim_jamf(const pki_csr_t *csr, const unsigned char *random,
    pki_claim_t *claim, pki_err_t *err)
{
    pki_rc_t                 rc;
    unsigned                 n;
    const pki_claim_jamf_t  *jamf;

    rc = pki_claim_ou(csr->subject, &jamf);

    if (rc == PKI_NOT_FOUND) {
        pki_err_set(err, "no OU of the request is computers, devices, users, "
                    "users-on-computers or users-on-devices");
        return PKI_INVALID;
    }

    if (rc != PKI_OK) {
        return pki_claim_memory(err);
    }

    claim->binding.kind = jamf->kind;

    memcpy(claim->binding.payload, random, PKI_SERIAL_PAYLOAD);

    if (jamf->kind != PKI_KIND_JAMF_USER) {
        rc = pki_claim_machine(csr, claim, err);

        if (rc != PKI_OK) {
            return rc;
        }
    }

    if (jamf->kind == PKI_KIND_JAMF_COMPUTER
        || jamf->kind == PKI_KIND_JAMF_DEVICE)
    {
        return PKI_OK;
    }

    rc = pki_claim_name(csr->sans, 0, claim->name, sizeof(claim->name), &n);

    if (rc == PKI_ERROR) {
        return pki_claim_memory(err);
    }

    if (rc != PKI_OK || n > 1) {
        pki_err_set(err, "the request has not one e-mail address among its "
                    "alternative names, by which Jamf Pro knows the user");
        return PKI_INVALID;
    }

    claim->class = PKI_OBJECT_JAMF_USER;

    return PKI_OK;
}


static pki_rc_t
pki_claim_machine(const pki_csr_t *csr, pki_claim_t *claim, pki_err_t *err)
{
    char      *cn;
    pki_rc_t   rc;

    rc = pki_claim_cn(csr, &cn);

    if (rc == PKI_OK) {
        rc = pki_claim_number(cn, claim->binding.payload);
        OPENSSL_free(cn);
    }

    if (rc == PKI_ERROR) {
        return pki_claim_memory(err);
    }

    if (rc != PKI_OK) {
        pki_err_set(err, "the first CN of the request is not the number of a "
                    "computer or device in Jamf Pro");
        return PKI_INVALID;
    }

    return PKI_OK;
}


/* the first OU that is one of the words */

static pki_rc_t
pki_claim_ou(const X509_NAME *subject, const pki_claim_jamf_t **jamf)
{
    int                 i;
    char               *ou;
    size_t              n;
    pki_rc_t            rc;
    const ASN1_STRING  *value;

    for (i = 0; i < PKI_CLAIM_OUS; i++) {
        value = pki_name_value(subject, NID_organizationalUnitName, i);

        if (value == NULL) {
            break;
        }

        rc = pki_name_string(value, &ou);

        if (rc == PKI_ERROR) {
            return PKI_ERROR;
        }

        if (rc != PKI_OK) {
            continue;
        }

        for (n = 0; n < PKI_CLAIM_WORDS; n++) {
            if (strcasecmp(ou, pki_claim_ous[n].ou) == 0) {
                break;
            }
        }

        OPENSSL_free(ou);

        if (n < PKI_CLAIM_WORDS) {
            *jamf = &pki_claim_ous[n];
            return PKI_OK;
        }
    }

    return PKI_NOT_FOUND;
}


/*
 * A number from 1 as 64 bits, little-endian.
 */

static pki_rc_t
pki_claim_number(const char *text, unsigned char *id)
{
    size_t    i;
    uint64_t  n;

    n = 0;

    for (i = 0; text[i] >= '0' && text[i] <= '9'; i++) {

        if (n > (UINT64_MAX - (uint64_t) (text[i] - '0')) / 10) {
            return PKI_INVALID;
        }

        n = n * 10 + (uint64_t) (text[i] - '0');
    }

    if (text[i] != '\0' || n == 0) {
        return PKI_INVALID;
    }

    for (i = 0; i < PKI_CLAIM_HALF; i++) {
        id[i] = (unsigned char) (n >> (8 * i));
    }

    return PKI_OK;
}


static pki_rc_t
pki_claim_cn(const pki_csr_t *csr, char **text)
{
    const ASN1_STRING  *value;

    value = pki_name_value(csr->subject, NID_commonName, 0);

    if (value == NULL) {
        return PKI_NOT_FOUND;
    }

    return pki_name_string(value, text);
}


pki_rc_t
pki_claim_user(pki_claim_t *claim, const char *id)
{
    pki_binding_t  *b;

    b = &claim->binding;

    if (claim->class == PKI_OBJECT_USER) {

        if (strncmp(id, PKI_CLAIM_USER, sizeof(PKI_CLAIM_USER) - 1) != 0
            || pki_guid_from_text(id + sizeof(PKI_CLAIM_USER) - 1,
                                  strlen(id) - sizeof(PKI_CLAIM_USER) + 1,
                                  b->payload)
               != PKI_OK)
        {
            return PKI_INVALID;
        }

    } else if (claim->class != PKI_OBJECT_JAMF_USER
               || strncmp(id, PKI_CLAIM_JAMF, sizeof(PKI_CLAIM_JAMF) - 1) != 0
               || pki_claim_number(id + sizeof(PKI_CLAIM_JAMF) - 1,
                                   b->kind == PKI_KIND_JAMF_USER
                                   ? b->payload
                                   : b->payload + PKI_CLAIM_HALF)
                  != PKI_OK)
    {
        return PKI_INVALID;
    }

    claim->name[0] = '\0';

    return PKI_OK;
}


pki_rc_t
pki_csr_upn(const GENERAL_NAMES *sans, char *text, size_t size)
{
    unsigned  n;

    return pki_claim_name(sans, 1, text, size, &n);
}


pki_rc_t
pki_csr_email(const GENERAL_NAMES *sans, char *text, size_t size)
{
    unsigned  n;

    return pki_claim_name(sans, 0, text, size, &n);
}


/*
 * The first of its kind that is readable and fits, and how many there are in
 * all.
 */

static pki_rc_t
pki_claim_name(const GENERAL_NAMES *sans, int upn, char *text, size_t size,
    unsigned *n)
{
    int                  i, found;
    char                *string;
    pki_rc_t             rc;
    const ASN1_STRING   *value;
    const GENERAL_NAME  *gn;

    *n = 0;
    found = 0;
    text[0] = '\0';

    for (i = 0; i < sk_GENERAL_NAME_num(sans); i++) {
        gn = sk_GENERAL_NAME_value(sans, i);

        value = upn ? pki_name_upn(gn)
                    : gn->type == GEN_EMAIL ? gn->d.rfc822Name : NULL;

        if (value == NULL) {
            continue;
        }

        (*n)++;

        if (found) {
            continue;
        }

        rc = pki_name_string(value, &string);

        if (rc == PKI_ERROR) {
            return PKI_ERROR;
        }

        if (rc == PKI_OK) {

            if (strlen(string) < size) {
                memcpy(text, string, strlen(string) + 1);
                found = 1;
            }

            OPENSSL_free(string);
        }
    }

    return found ? PKI_OK : PKI_NOT_FOUND;
}


pki_rc_t
pki_claim_self(const pki_claim_t *claim, const pki_csr_t *csr,
    const char *user, pki_err_t *err)
{
    pki_rc_t  rc;

    if (claim->binding.kind != PKI_KIND_DEVICE
        && (claim->binding.kind != PKI_KIND_USER
            || strcasecmp(claim->name, user) != 0))
    {
        pki_err_set(err, "self-service is for a user's own certificates: the "
                    "request is for another user, or for no user or device");
        return PKI_INVALID;
    }

    rc = pki_claim_self_sans(claim, csr->sans, user);

    if (rc == PKI_OK) {
        rc = pki_claim_self_subject(claim, csr->subject, user);
    }

    if (rc == PKI_ERROR) {
        return pki_claim_memory(err);
    }

    if (rc != PKI_OK) {
        pki_err_set(err, "self-service is for a user's own certificates: the "
                    "request has a name that is not that user's");
    }

    return rc;
}


static pki_rc_t
pki_claim_self_sans(const pki_claim_t *claim, const GENERAL_NAMES *sans,
    const char *user)
{
    int                  i, own;
    char                *text;
    pki_rc_t             rc;
    const GENERAL_NAME  *gn;

    for (i = 0; i < sk_GENERAL_NAME_num(sans); i++) {
        gn = sk_GENERAL_NAME_value(sans, i);

        rc = pki_name_general(gn, &text);

        if (rc != PKI_OK) {
            return rc == PKI_ERROR ? PKI_ERROR : PKI_INVALID;
        }

        own = (gn->type == GEN_URI
               && pki_claim_own_uri(claim, text + sizeof("URI:") - 1))
              || (gn->type == GEN_EMAIL
                  && strcasecmp(text + sizeof("email:") - 1, user) == 0)
              || (gn->type == GEN_OTHERNAME
                  && pki_claim_own(claim, text + sizeof("UPN:") - 1, user));

        OPENSSL_free(text);

        if (!own) {
            return PKI_INVALID;
        }
    }

    return PKI_OK;
}


/*
 * A value may be anything but somebody else's address or device: a display
 * name, the device's own GUID.
 */

static pki_rc_t
pki_claim_self_subject(const pki_claim_t *claim, const X509_NAME *subject,
    const char *user)
{
    int               i, own;
    char             *text;
    size_t            n, len;
    pki_rc_t          rc;
    unsigned char     guid[PKI_SERIAL_PAYLOAD];
    X509_NAME_ENTRY  *entry;

    for (i = 0; i < X509_NAME_entry_count(subject); i++) {
        entry = X509_NAME_get_entry(subject, i);

        rc = pki_name_string(X509_NAME_ENTRY_get_data(entry), &text);

        if (rc != PKI_OK) {
            return rc;
        }

        len = strlen(text);
        own = strchr(text, '@') == NULL || pki_claim_own(claim, text, user);

        for (n = 0; own && n + PKI_CLAIM_GUID <= len; n++) {
            own = pki_guid_from_text(text + n, PKI_CLAIM_GUID, guid) != PKI_OK
                  || pki_claim_bound(claim, text + n);
        }

        OPENSSL_free(text);

        if (!own) {
            return PKI_INVALID;
        }
    }

    return PKI_OK;
}


/* the user's, or "<device id>@..." for that device */

static int
pki_claim_own(const pki_claim_t *claim, const char *upn, const char *user)
{
    return strcasecmp(upn, user) == 0
           || (strlen(upn) > PKI_CLAIM_GUID && upn[PKI_CLAIM_GUID] == '@'
               && pki_claim_bound(claim, upn));
}


/* what reads it takes the device from it, whatever the CN is */

static int
pki_claim_own_uri(const pki_claim_t *claim, const char *uri)
{
    return strlen(uri) == sizeof(PKI_CLAIM_URI) - 1 + PKI_CLAIM_GUID
           && strncasecmp(uri, PKI_CLAIM_URI, sizeof(PKI_CLAIM_URI) - 1) == 0
           && pki_claim_bound(claim, uri + sizeof(PKI_CLAIM_URI) - 1);
}


/* is the GUID that the text begins with that of the device? */

static int
pki_claim_bound(const pki_claim_t *claim, const char *text)
{
    unsigned char  guid[PKI_SERIAL_PAYLOAD];

    return claim->binding.kind == PKI_KIND_DEVICE
           && pki_guid_from_text(text, PKI_CLAIM_GUID, guid) == PKI_OK
           && memcmp(guid, claim->binding.payload, PKI_SERIAL_PAYLOAD) == 0;
}


static pki_rc_t
pki_claim_memory(pki_err_t *err)
{
    pki_err_ssl(err, "no memory for a claim");

    return PKI_ERROR;
}

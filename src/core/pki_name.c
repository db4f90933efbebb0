
/*
 * The names in requests and certificates, as text.
 *
 * Octets of others end in rules, records and logs, so nothing leaves here
 * that is not UTF-8 or that holds a control character.  Where such a name
 * would go into a certificate it is refused, where it is there already it is
 * shown with question marks.
 */

#include "pki_name.h"

#include <stdio.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include "pki_json.h"


#define PKI_NAME_IP4       4
#define PKI_NAME_IP6       16
#define PKI_NAME_IP_TEXT   40       /* "2001:db8:0:0:0:0:0:1" and so on */
#define PKI_NAME_MAX       4096     /* octets of one value: URIs may be long */

#define PKI_NAME_FLAGS                                                        \
    ((XN_FLAG_RFC2253 & ~(XN_FLAG_DN_REV | ASN1_STRFLGS_ESC_MSB)))


static int pki_name_ascii(const ASN1_STRING *string);
static pki_rc_t pki_name_prefixed(const char *prefix,
    const ASN1_STRING *value, int ascii, char **text);
static pki_rc_t pki_name_address(const ASN1_OCTET_STRING *ip, char **text);
static int pki_name_plain(const char *text, size_t len, int ascii);
static int pki_name_control(const unsigned char *p, size_t n);
static pki_rc_t pki_name_memory(void);


static const unsigned char  pki_name_upn_oid[] = {
    0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x14, 0x02, 0x03
};


pki_rc_t
pki_name_string(const ASN1_STRING *string, char **text)
{
    int             len;
    unsigned char  *utf8;

    *text = NULL;

    if (ASN1_STRING_length(string) <= 0) {
        return PKI_INVALID;
    }

    /* Latin-1 by its type, UTF-8 to many: nobody can say who is meant */

    switch (ASN1_STRING_type(string)) {

    case V_ASN1_PRINTABLESTRING:
    case V_ASN1_IA5STRING:
    case V_ASN1_T61STRING:

        if (!pki_name_ascii(string)) {
            return PKI_INVALID;
        }
    }

    utf8 = NULL;
    len = ASN1_STRING_to_UTF8(&utf8, string);

    if (len < 0) {
        return pki_name_memory();
    }

    if (!pki_name_plain((char *) utf8, len, 0)) {
        OPENSSL_free(utf8);
        return PKI_INVALID;
    }

    /* it ends with a zero octet */

    *text = (char *) utf8;

    return PKI_OK;
}


static int
pki_name_ascii(const ASN1_STRING *string)
{
    int                   i;
    const unsigned char  *p;

    p = ASN1_STRING_get0_data(string);

    for (i = 0; i < ASN1_STRING_length(string); i++) {
        if (p[i] > 0x7f) {
            return 0;
        }
    }

    return 1;
}


X509_NAME *
pki_name_dup(const X509_NAME *name)
{
    int               i, set, last;
    X509_NAME        *copy;
    X509_NAME_ENTRY  *entry;

    copy = X509_NAME_new();
    if (copy == NULL) {
        return NULL;
    }

    last = -1;

    for (i = 0; i < X509_NAME_entry_count(name); i++) {
        entry = X509_NAME_get_entry(name, i);
        set = X509_NAME_ENTRY_set(entry);

        /* beside the one before it, or in a part of its own */

        if (X509_NAME_add_entry(copy, entry, -1, set == last ? -1 : 0) != 1) {
            X509_NAME_free(copy);
            return NULL;
        }

        last = set;
    }

    return copy;
}


pki_rc_t
pki_name_subject(const X509_NAME *name, char **text)
{
    BIO       *bio;
    char      *data;
    long       len;
    pki_rc_t   rc;

    *text = NULL;

    bio = BIO_new(BIO_s_mem());
    if (bio == NULL) {
        return PKI_ERROR;
    }

    if (X509_NAME_print_ex(bio, name, 0, PKI_NAME_FLAGS) < 0) {
        rc = pki_name_memory();
        goto done;
    }

    len = BIO_get_mem_data(bio, &data);

    rc = PKI_ERROR;

    if (len >= 0) {
        *text = OPENSSL_malloc(len + 1);
    }

    if (*text != NULL) {
        if (len > 0) {
            memcpy(*text, data, len);
        }

        (*text)[len] = '\0';
        (void) pki_name_copy(*text, len + 1, *text);
        rc = PKI_OK;
    }

done:

    BIO_free(bio);

    return rc;
}


pki_rc_t
pki_name_check(const X509_NAME *name)
{
    int               i;
    char             *text;
    pki_rc_t          rc;
    X509_NAME_ENTRY  *entry;

    for (i = 0; i < X509_NAME_entry_count(name); i++) {
        entry = X509_NAME_get_entry(name, i);

        rc = pki_name_string(X509_NAME_ENTRY_get_data(entry), &text);

        if (rc != PKI_OK) {
            return rc;
        }

        OPENSSL_free(text);
    }

    return PKI_OK;
}


pki_rc_t
pki_name_general(const GENERAL_NAME *gn, char **text)
{
    int                 type;
    void               *value;
    const ASN1_STRING  *upn;

    *text = NULL;
    value = GENERAL_NAME_get0_value(gn, &type);

    switch (type) {

    case GEN_DNS:
        return pki_name_prefixed("DNS:", value, 1, text);

    case GEN_EMAIL:
        return pki_name_prefixed("email:", value, 1, text);

    case GEN_URI:
        return pki_name_prefixed("URI:", value, 1, text);

    case GEN_IPADD:
        return pki_name_address(value, text);

    case GEN_OTHERNAME:
        upn = pki_name_upn(gn);

        if (upn != NULL) {
            return pki_name_prefixed("UPN:", upn, 0, text);
        }
    }

    return PKI_NOT_FOUND;
}


int
pki_name_known(const GENERAL_NAME *gn)
{
    switch (gn->type) {

    case GEN_DNS:
    case GEN_EMAIL:
    case GEN_URI:
    case GEN_IPADD:
        return 1;
    }

    return pki_name_upn(gn) != NULL;
}


const ASN1_STRING *
pki_name_upn(const GENERAL_NAME *gn)
{
    ASN1_TYPE    *value;
    ASN1_OBJECT  *oid;

    if (GENERAL_NAME_get0_otherName(gn, &oid, &value) != 1
        || !pki_name_oid(oid, pki_name_upn_oid, sizeof(pki_name_upn_oid)))
    {
        return NULL;
    }

    /* other strings than the one it should be are read, and seen as it */

    switch (ASN1_TYPE_get(value)) {

    case V_ASN1_UTF8STRING:
    case V_ASN1_IA5STRING:
    case V_ASN1_PRINTABLESTRING:
    case V_ASN1_BMPSTRING:
        return value->value.asn1_string;
    }

    return NULL;
}


const ASN1_STRING *
pki_name_value(const X509_NAME *name, int nid, int n)
{
    int  i;

    i = -1;

    do {
        i = X509_NAME_get_index_by_NID(name, nid, i);

        if (i < 0) {
            return NULL;
        }

    } while (n-- > 0);

    return X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i));
}


int
pki_name_oid(const ASN1_OBJECT *obj, const unsigned char *oid, size_t len)
{
    return OBJ_length(obj) == len
           && memcmp(OBJ_get0_data(obj), oid, len) == 0;
}


size_t
pki_name_copy(char *buf, size_t size, const char *text)
{
    size_t                n, len, left;
    const unsigned char  *p;

    p = (const unsigned char *) text;
    left = strlen(text);
    len = 0;

    for ( /* void */ ; left > 0; left -= n, p += n) {
        n = pki_json_utf8(p, left);

        if (pki_name_control(p, n)) {
            if (len + 1 >= size) {
                break;
            }

            buf[len++] = '?';
            n = n ? n : 1;
            continue;
        }

        if (len + n >= size) {
            break;
        }

        memmove(buf + len, p, n);
        len += n;
    }

    buf[len] = '\0';

    return len;
}


static pki_rc_t
pki_name_prefixed(const char *prefix, const ASN1_STRING *value, int ascii,
    char **text)
{
    char      *string;
    size_t     len;
    pki_rc_t   rc;

    rc = pki_name_string(value, &string);

    if (rc != PKI_OK) {
        return rc;
    }

    len = strlen(string);

    if (len > PKI_NAME_MAX || !pki_name_plain(string, len, ascii)) {
        OPENSSL_free(string);
        return PKI_INVALID;
    }

    len += strlen(prefix) + 1;
    *text = OPENSSL_malloc(len);

    if (*text == NULL) {
        OPENSSL_free(string);
        return PKI_ERROR;
    }

    (void) snprintf(*text, len, "%s%s", prefix, string);

    OPENSSL_free(string);

    return PKI_OK;
}


/*
 * All eight groups, so that a pattern can tell them.
 */

static pki_rc_t
pki_name_address(const ASN1_OCTET_STRING *ip, char **text)
{
    int                   len;
    const unsigned char  *p;

    p = ASN1_STRING_get0_data(ip);
    len = ASN1_STRING_length(ip);

    if (len != PKI_NAME_IP4 && len != PKI_NAME_IP6) {
        return PKI_INVALID;
    }

    *text = OPENSSL_malloc(PKI_NAME_IP_TEXT + sizeof("IP:"));
    if (*text == NULL) {
        return PKI_ERROR;
    }

    if (len == PKI_NAME_IP4) {
        (void) snprintf(*text, PKI_NAME_IP_TEXT, "IP:%u.%u.%u.%u",
                        p[0], p[1], p[2], p[3]);
        return PKI_OK;
    }

    (void) snprintf(*text, PKI_NAME_IP_TEXT + sizeof("IP:"),
                    "IP:%x:%x:%x:%x:%x:%x:%x:%x",
                    p[0] << 8 | p[1], p[2] << 8 | p[3], p[4] << 8 | p[5],
                    p[6] << 8 | p[7], p[8] << 8 | p[9], p[10] << 8 | p[11],
                    p[12] << 8 | p[13], p[14] << 8 | p[15]);

    return PKI_OK;
}


/*
 * UTF-8 without control characters; or ASCII that can be seen, which is all
 * that a host name, an address or a URI is made of.
 */

static int
pki_name_plain(const char *text, size_t len, int ascii)
{
    size_t                n;
    const unsigned char  *p;

    for (p = (const unsigned char *) text; len > 0; p += n, len -= n) {
        n = pki_json_utf8(p, len);

        if (pki_name_control(p, n) || (ascii && (n > 1 || *p == ' '))) {
            return 0;
        }
    }

    return 1;
}


/*
 * Is the character of n octets one of control, or none at all?
 */

static int
pki_name_control(const unsigned char *p, size_t n)
{
    return n == 0 || *p < 0x20 || *p == 0x7f
           || (n == 2 && p[0] == 0xc2 && p[1] < 0xa0);
}


static pki_rc_t
pki_name_memory(void)
{
    return pki_err_input(NULL, "no text");
}

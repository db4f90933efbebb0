
/*
 * What a request asks for, beside its key and subject.
 *
 * Two tables: the attributes that count (RFC 2985, and what Windows sends),
 * the extensions that count.  Whatever is in neither is passed over.  One
 * reader per row; each row may come once, for nobody could say which of two
 * was meant.
 */

#include "pki_csr_asked.h"

#include <string.h>
#include <strings.h>
#include <openssl/crypto.h>
#include "pki_der.h"
#include "pki_name.h"


#define PKI_CSR_DER_UTF8       0x0c
#define PKI_CSR_DER_PRINTABLE  0x13
#define PKI_CSR_DER_IA5        0x16
#define PKI_CSR_DER_BMP        0x1e

#define PKI_CSR_WORD        32      /* a name or value of Windows' pairs */
#define PKI_CSR_DIGITS      9       /* units: a number that cannot overflow */
#define PKI_CSR_SID_MAX     184     /* octets; 15 authorities of 10 digits */

#define PKI_CSR_DAY         86400LL


/* Windows' pair of attributes for a lifetime, as they come */

typedef struct {
    char              unit[PKI_CSR_WORD];       /* "": not seen */
    char              count[PKI_CSR_WORD];
} pki_csr_period_t;


typedef struct {
    unsigned char     oid[10];
    unsigned char     len;
    const char       *name;
    pki_rc_t        (*read)(pki_csr_t *csr, pki_bytes_t value, int critical,
                            pki_err_t *err);
} pki_csr_row_t;


static pki_rc_t pki_csr_attribute_value(X509_ATTRIBUTE *attr, int i,
    pki_bytes_t *der);
static pki_rc_t pki_csr_requested(pki_csr_t *csr, X509_ATTRIBUTE *attr,
    pki_err_t *err);
static pki_rc_t pki_csr_challenge(pki_csr_t *csr, X509_ATTRIBUTE *attr,
    pki_err_t *err);
static pki_rc_t pki_csr_pairs(X509_ATTRIBUTE *attr, pki_csr_period_t *period,
    pki_err_t *err);
static pki_rc_t pki_csr_word(pki_der_t *der, char word[PKI_CSR_WORD]);
static pki_rc_t pki_csr_lifetime(pki_csr_t *csr,
    const pki_csr_period_t *period, pki_err_t *err);
static const pki_csr_row_t *pki_csr_row(const ASN1_OBJECT *oid);
static pki_rc_t pki_csr_sans(pki_csr_t *csr, pki_bytes_t value, int critical,
    pki_err_t *err);
static pki_rc_t pki_csr_key_usage(pki_csr_t *csr, pki_bytes_t value,
    int critical, pki_err_t *err);
static pki_rc_t pki_csr_ekus(pki_csr_t *csr, pki_bytes_t value, int critical,
    pki_err_t *err);
static pki_rc_t pki_csr_constraints(pki_csr_t *csr, pki_bytes_t value,
    int critical, pki_err_t *err);
static pki_rc_t pki_csr_sid(pki_csr_t *csr, pki_bytes_t value, int critical,
    pki_err_t *err);


static const unsigned char  pki_csr_pair_oid[] = {
    0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x0d, 0x02, 0x01
};

static const unsigned char  pki_csr_sid_oid[] = {   /* of the otherName */
    0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x19, 0x02, 0x01
};


static const pki_csr_row_t  pki_csr_rows[] = {
    { { 0x55, 0x1d, 0x11 }, 3, "subjectAltName", pki_csr_sans },
    { { 0x55, 0x1d, 0x0f }, 3, "keyUsage", pki_csr_key_usage },
    { { 0x55, 0x1d, 0x25 }, 3, "extKeyUsage", pki_csr_ekus },
    { { 0x55, 0x1d, 0x13 }, 3, "basicConstraints", pki_csr_constraints },
    { { 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x19, 0x02 }, 9,
      "security identifier", pki_csr_sid }
};

#define PKI_CSR_ROWS  (sizeof(pki_csr_rows) / sizeof(pki_csr_rows[0]))


/* months and years as durations: no calendar */

static const struct {
    char        name[8];
    long long   seconds;
} pki_csr_units[] = {
    { "Minutes", 60 },
    { "Hours", 3600 },
    { "Days", PKI_CSR_DAY },
    { "Weeks", 7 * PKI_CSR_DAY },
    { "Months", 30 * PKI_CSR_DAY },
    { "Years", 365 * PKI_CSR_DAY }
};

#define PKI_CSR_UNITS  (sizeof(pki_csr_units) / sizeof(pki_csr_units[0]))


pki_rc_t
pki_csr_attributes(pki_csr_t *csr, const X509_REQ *req, pki_err_t *err)
{
    int                 i, n;
    pki_rc_t            rc;
    unsigned            requested, challenge;
    X509_ATTRIBUTE     *attr;
    const ASN1_OBJECT  *oid;
    pki_csr_period_t    period;

    memset(&period, 0, sizeof(pki_csr_period_t));

    requested = 0;
    challenge = 0;
    n = X509_REQ_get_attr_count(req);

    for (i = 0; i < n; i++) {
        attr = X509_REQ_get_attr(req, i);
        oid = X509_ATTRIBUTE_get0_object(attr);

        switch (OBJ_obj2nid(oid)) {

        case NID_ext_req:
        case NID_ms_ext_req:

            if (requested++) {
                pki_err_set(err, "the request has more than one list of "
                            "extensions");
                return PKI_INVALID;
            }

            rc = pki_csr_requested(csr, attr, err);
            break;

        case NID_pkcs9_challengePassword:

            if (challenge++) {
                pki_err_set(err, "the request has more than one challenge "
                            "password");
                return PKI_INVALID;
            }

            rc = pki_csr_challenge(csr, attr, err);
            break;

        default:
            rc = PKI_OK;

            if (pki_name_oid(oid, pki_csr_pair_oid,
                             sizeof(pki_csr_pair_oid)))
            {
                rc = pki_csr_pairs(attr, &period, err);
            }
        }

        if (rc != PKI_OK) {
            return rc;
        }
    }

    return pki_csr_lifetime(csr, &period, err);
}


void
pki_csr_forget(pki_csr_t *csr)
{
    GENERAL_NAMES_free(csr->sans);
    csr->sans = NULL;

    EXTENDED_KEY_USAGE_free(csr->ekus);
    csr->ekus = NULL;

    ASN1_OCTET_STRING_free(csr->sid);
    csr->sid = NULL;

    if (csr->challenge != NULL) {
        OPENSSL_clear_free(csr->challenge, strlen(csr->challenge));
        csr->challenge = NULL;
    }

    csr->sans_critical = 0;
    csr->ekus_critical = 0;
    csr->key_usage = -1;
}


/* the content of a value, or of an attribute's only one when i is -1 */

static pki_rc_t
pki_csr_attribute_value(X509_ATTRIBUTE *attr, int i, pki_bytes_t *der)
{
    ASN1_TYPE  *type;

    if (i < 0) {
        if (X509_ATTRIBUTE_count(attr) != 1) {
            return PKI_INVALID;
        }

        i = 0;
    }

    type = X509_ATTRIBUTE_get0_type(attr, i);

    if (type == NULL || ASN1_TYPE_get(type) != V_ASN1_SEQUENCE) {
        return PKI_INVALID;
    }

    der->data = ASN1_STRING_get0_data(type->value.sequence);
    der->len = ASN1_STRING_length(type->value.sequence);

    return PKI_OK;
}


static pki_rc_t
pki_csr_requested(pki_csr_t *csr, X509_ATTRIBUTE *attr, pki_err_t *err)
{
    pki_rc_t                   rc;
    pki_bytes_t                der;
    const unsigned char       *p;
    STACK_OF(X509_EXTENSION)  *exts;

    if (pki_csr_attribute_value(attr, -1, &der) != PKI_OK) {
        pki_err_set(err, "the request's list of extensions cannot be read");
        return PKI_INVALID;
    }

    p = der.data;
    exts = d2i_X509_EXTENSIONS(NULL, &p, (long) der.len);

    if (exts == NULL) {
        return pki_err_input(err, "the request's list of extensions cannot "
                             "be read");
    }

    rc = pki_csr_extensions(csr, exts, err);

    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);

    return rc;
}


static pki_rc_t
pki_csr_challenge(pki_csr_t *csr, X509_ATTRIBUTE *attr, pki_err_t *err)
{
    pki_rc_t    rc;
    ASN1_TYPE  *type;

    rc = PKI_INVALID;
    type = X509_ATTRIBUTE_get0_type(attr, 0);

    if (type != NULL && X509_ATTRIBUTE_count(attr) == 1) {

        switch (ASN1_TYPE_get(type)) {

        case V_ASN1_PRINTABLESTRING:
        case V_ASN1_UTF8STRING:
        case V_ASN1_T61STRING:
        case V_ASN1_IA5STRING:
        case V_ASN1_BMPSTRING:
        case V_ASN1_UNIVERSALSTRING:
            rc = pki_name_string(type->value.asn1_string, &csr->challenge);
        }
    }

    if (rc == PKI_OK && strlen(csr->challenge) > PKI_CSR_CHALLENGE_MAX) {
        rc = PKI_INVALID;
    }

    if (rc != PKI_OK) {
        pki_err_set(err, rc == PKI_ERROR ? "no memory"
                         : "the challenge password is not a text of at most "
                           "255 characters");
    }

    return rc;
}


static pki_rc_t
pki_csr_pairs(X509_ATTRIBUTE *attr, pki_csr_period_t *period, pki_err_t *err)
{
    int           i;
    char          name[PKI_CSR_WORD], value[PKI_CSR_WORD], *word;
    pki_der_t     der, pair;
    pki_bytes_t   content;

    for (i = 0; i < X509_ATTRIBUTE_count(attr); i++) {

        if (pki_csr_attribute_value(attr, i, &content) != PKI_OK) {
            goto invalid;
        }

        pki_der_init(&der, content);

        if (pki_der_enter(&der, PKI_DER_SEQUENCE, &pair) != PKI_OK
            || pki_csr_word(&pair, name) != PKI_OK
            || pki_csr_word(&pair, value) != PKI_OK)
        {
            goto invalid;
        }

        if (strcasecmp(name, "ValidityPeriod") == 0) {
            word = period->unit;

        } else if (strcasecmp(name, "ValidityPeriodUnits") == 0) {
            word = period->count;

        } else {
            continue;
        }

        if (value[0] == '\0' || word[0] != '\0') {
            goto invalid;
        }

        memcpy(word, value, PKI_CSR_WORD);
    }

    return PKI_OK;

invalid:

    pki_err_set(err, "the request has a pair of name and value that cannot "
                "be read, or has it twice");

    return PKI_INVALID;
}


/*
 * A string in ASCII; one of other characters or too long is none that is
 * looked for, and reads as "?".
 */

static pki_rc_t
pki_csr_word(pki_der_t *der, char word[PKI_CSR_WORD])
{
    int           tag;
    size_t        i, n, step;
    pki_bytes_t   content;

    tag = pki_der_peek(der);

    if (tag != PKI_CSR_DER_BMP && tag != PKI_CSR_DER_UTF8
        && tag != PKI_CSR_DER_PRINTABLE && tag != PKI_CSR_DER_IA5)
    {
        return PKI_INVALID;
    }

    if (pki_der_read(der, tag, &content) != PKI_OK) {
        return PKI_INVALID;
    }

    step = tag == PKI_CSR_DER_BMP ? 2 : 1;

    if (content.len % step) {
        return PKI_INVALID;
    }

    memset(word, 0, PKI_CSR_WORD);

    for (i = 0, n = 0; i < content.len; i += step, n++) {

        if (n == PKI_CSR_WORD - 1 || (step == 2 && content.data[i] != 0)
            || content.data[i + step - 1] < 0x20
            || content.data[i + step - 1] > 0x7e)
        {
            memset(word, 0, PKI_CSR_WORD);
            word[0] = '?';
            break;
        }

        word[n] = (char) content.data[i + step - 1];
    }

    return PKI_OK;
}


static pki_rc_t
pki_csr_lifetime(pki_csr_t *csr, const pki_csr_period_t *period,
    pki_err_t *err)
{
    size_t      i, n;
    long long   count;

    if (period->unit[0] == '\0' && period->count[0] == '\0') {
        return PKI_OK;
    }

    count = 0;

    for (n = 0; period->count[n] != '\0'; n++) {

        if (n == PKI_CSR_DIGITS || period->count[n] < '0'
            || period->count[n] > '9')
        {
            goto invalid;
        }

        count = count * 10 + (period->count[n] - '0');
    }

    for (i = 0; i < PKI_CSR_UNITS; i++) {
        if (count > 0 && strcasecmp(period->unit, pki_csr_units[i].name) == 0)
        {
            csr->lifetime = count * pki_csr_units[i].seconds;
            return PKI_OK;
        }
    }

invalid:

    pki_err_set(err, "the lifetime asked for is not a ValidityPeriod of "
                "Minutes, Hours, Days, Weeks, Months or Years with "
                "ValidityPeriodUnits of 1 or more");

    return PKI_INVALID;
}


pki_rc_t
pki_csr_extensions(pki_csr_t *csr, const STACK_OF(X509_EXTENSION) *exts,
    pki_err_t *err)
{
    int                   i;
    pki_rc_t              rc;
    unsigned              bit, seen;
    pki_bytes_t           value;
    X509_EXTENSION       *ext;
    ASN1_OCTET_STRING    *octets;
    const pki_csr_row_t  *row;

    seen = 0;

    for (i = 0; i < sk_X509_EXTENSION_num(exts); i++) {
        ext = sk_X509_EXTENSION_value(exts, i);
        row = pki_csr_row(X509_EXTENSION_get_object(ext));

        if (row == NULL) {
            continue;
        }

        bit = 1u << (row - pki_csr_rows);

        if (seen & bit) {
            pki_err_set(err, "the extension %s is there twice", row->name);
            return PKI_INVALID;
        }

        seen |= bit;

        octets = X509_EXTENSION_get_data(ext);
        value.data = ASN1_STRING_get0_data(octets);
        value.len = ASN1_STRING_length(octets);

        rc = row->read(csr, value, X509_EXTENSION_get_critical(ext), err);

        if (rc != PKI_OK) {
            return rc;
        }
    }

    return PKI_OK;
}


static const pki_csr_row_t *
pki_csr_row(const ASN1_OBJECT *oid)
{
    size_t  i;

    for (i = 0; i < PKI_CSR_ROWS; i++) {
        if (pki_name_oid(oid, pki_csr_rows[i].oid, pki_csr_rows[i].len)) {
            return &pki_csr_rows[i];
        }
    }

    return NULL;
}


static pki_rc_t
pki_csr_sans(pki_csr_t *csr, pki_bytes_t value, int critical, pki_err_t *err)
{
    int                   i;
    GENERAL_NAME         *gn;
    const unsigned char  *p;

    p = value.data;
    csr->sans = d2i_GENERAL_NAMES(NULL, &p, (long) value.len);

    if (csr->sans == NULL || p != value.data + value.len) {
        return pki_err_input(err, "the extension subjectAltName cannot be "
                             "read");
    }

    if (sk_GENERAL_NAME_num(csr->sans) > PKI_CSR_NAMES) {
        pki_err_set(err, "there are more than %d alternative names",
                    PKI_CSR_NAMES);
        return PKI_INVALID;
    }

    for (i = sk_GENERAL_NAME_num(csr->sans) - 1; i >= 0; i--) {
        gn = sk_GENERAL_NAME_value(csr->sans, i);

        if (!pki_name_known(gn)) {
            (void) sk_GENERAL_NAME_delete(csr->sans, i);
            GENERAL_NAME_free(gn);
        }
    }

    if (sk_GENERAL_NAME_num(csr->sans) == 0) {
        GENERAL_NAMES_free(csr->sans);
        csr->sans = NULL;
    }

    csr->sans_critical = critical ? 1 : 0;

    return PKI_OK;
}


static pki_rc_t
pki_csr_key_usage(pki_csr_t *csr, pki_bytes_t value, int critical,
    pki_err_t *err)
{
    pki_der_t    der;
    pki_bytes_t  bits;

    (void) critical;

    pki_der_init(&der, value);

    /* how many bits are unused, then the bits: nine are defined */

    if (pki_der_read(&der, PKI_DER_BIT_STRING, &bits) != PKI_OK
        || pki_der_peek(&der) >= 0 || bits.len < 2 || bits.len > 3
        || bits.data[0] > 7)
    {
        pki_err_set(err, "the extension keyUsage cannot be read");
        return PKI_INVALID;
    }

    csr->key_usage = bits.data[1];

    if (bits.len == 3) {
        csr->key_usage |= bits.data[2] << 8;
    }

    if (csr->key_usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) {
        pki_err_set(err, "certificates of CAs are not issued: keyUsage has "
                    "keyCertSign or cRLSign");
        return PKI_INVALID;
    }

    if (csr->key_usage == 0) {
        pki_err_set(err, "the extension keyUsage is empty");
        return PKI_INVALID;
    }

    return PKI_OK;
}


static pki_rc_t
pki_csr_ekus(pki_csr_t *csr, pki_bytes_t value, int critical, pki_err_t *err)
{
    int                   i, j, n;
    ASN1_OBJECT          *oid;
    const unsigned char  *p;

    p = value.data;
    csr->ekus = d2i_EXTENDED_KEY_USAGE(NULL, &p, (long) value.len);

    if (csr->ekus == NULL || p != value.data + value.len) {
        return pki_err_input(err, "the extension extKeyUsage cannot be read");
    }

    n = sk_ASN1_OBJECT_num(csr->ekus);

    if (n < 1 || n > PKI_CSR_EKUS) {
        pki_err_set(err, "the extension extKeyUsage has none, or more than "
                    "%d usages", PKI_CSR_EKUS);
        return PKI_INVALID;
    }

    for (i = n - 1; i > 0; i--) {
        oid = sk_ASN1_OBJECT_value(csr->ekus, i);

        for (j = 0; j < i; j++) {
            if (OBJ_cmp(sk_ASN1_OBJECT_value(csr->ekus, j), oid) == 0) {
                (void) sk_ASN1_OBJECT_delete(csr->ekus, i);
                ASN1_OBJECT_free(oid);
                break;
            }
        }
    }

    csr->ekus_critical = critical ? 1 : 0;

    return PKI_OK;
}


static pki_rc_t
pki_csr_constraints(pki_csr_t *csr, pki_bytes_t value, int critical,
    pki_err_t *err)
{
    unsigned   ca;
    pki_der_t  der, constraints;

    (void) csr;
    (void) critical;

    pki_der_init(&der, value);

    if (pki_der_enter(&der, PKI_DER_SEQUENCE, &constraints) != PKI_OK
        || pki_der_peek(&der) >= 0)
    {
        goto invalid;
    }

    /* "FALSE" is the default and should not be there, but is seen */

    if (pki_der_peek(&constraints) == PKI_DER_BOOLEAN) {
        if (pki_der_boolean(&constraints, &ca) != PKI_OK) {
            goto invalid;
        }

        if (ca) {
            pki_err_set(err, "certificates of CAs are not issued: "
                        "basicConstraints has CA:TRUE");
            return PKI_INVALID;
        }
    }

    return PKI_OK;

invalid:

    pki_err_set(err, "the extension basicConstraints cannot be read");

    return PKI_INVALID;
}


/*
 * SEQUENCE { [0] { OID, [0] { OCTET STRING "S-1-..." } } }; [MS-WCCE],
 * 2.2.2.7.7.4.
 */

static pki_rc_t
pki_csr_sid(pki_csr_t *csr, pki_bytes_t value, int critical, pki_err_t *err)
{
    size_t       i;
    pki_der_t    der, names, other, content;
    pki_bytes_t  oid, text;

    (void) critical;

    pki_der_init(&der, value);

    if (pki_der_enter(&der, PKI_DER_SEQUENCE, &names) != PKI_OK
        || pki_der_peek(&der) >= 0
        || pki_der_enter(&names, PKI_DER_EXPLICIT(0), &other) != PKI_OK
        || pki_der_peek(&names) >= 0
        || pki_der_oid(&other, &oid) != PKI_OK
        || !pki_der_equal(oid, (pki_bytes_t) { pki_csr_sid_oid,
                                               sizeof(pki_csr_sid_oid) })
        || pki_der_enter(&other, PKI_DER_EXPLICIT(0), &content) != PKI_OK
        || pki_der_peek(&other) >= 0
        || pki_der_read(&content, PKI_DER_OCTET_STRING, &text) != PKI_OK
        || pki_der_peek(&content) >= 0
        || text.len < sizeof("S-1-") || text.len > PKI_CSR_SID_MAX
        || memcmp(text.data, "S-1-", sizeof("S-1-") - 1) != 0)
    {
        goto invalid;
    }

    for (i = sizeof("S-1-") - 1; i < text.len; i++) {
        if (text.data[i] != '-'
            && (text.data[i] < '0' || text.data[i] > '9'))
        {
            goto invalid;
        }
    }

    csr->sid = ASN1_OCTET_STRING_new();

    if (csr->sid == NULL
        || ASN1_OCTET_STRING_set(csr->sid, value.data, (int) value.len) != 1)
    {
        pki_err_ssl(err, "could not keep the security identifier");
        return PKI_ERROR;
    }

    return PKI_OK;

invalid:

    pki_err_set(err, "the extension with the security identifier cannot be "
                "read");

    return PKI_INVALID;
}

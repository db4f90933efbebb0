
/*
 * The rules of one kind of enrolment, applied to a request.
 *
 * Everything that will be in the certificate is looked at, in the form in
 * which rules and records have it; the first thing that is not allowed ends
 * the check and is named.
 */

#include "pki_profile.h"

#include <string.h>
#include <strings.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include "pki_name.h"


#define PKI_PROFILE_OID_SIZE  128   /* text of an OID; longer ones are no
                                       one's */
#define PKI_PROFILE_SHOWN     120   /* octets of what was asked for, in a
                                       sentence */
#define PKI_PROFILE_SID_URI   "URI:tag:microsoft.com,2022-09-14:sid:"
#define PKI_PROFILE_CLIENT    "1.3.6.1.5.5.7.3.2"
#define PKI_PROFILE_OCSP      "1.3.6.1.5.5.7.3.9"
#define PKI_PROFILE_ANY       "2.5.29.37.0"


static pki_rc_t pki_profile_subject(const pki_profile_t *profile,
    const pki_csr_t *csr, pki_err_t *err);
static pki_rc_t pki_profile_names(const pki_profile_t *profile,
    const pki_csr_t *csr, pki_err_t *err);
static pki_rc_t pki_profile_ekus(const pki_profile_t *profile,
    const pki_csr_t *csr, int self, pki_err_t *err);
static pki_rc_t pki_profile_usages(const pki_profile_t *profile,
    const pki_csr_t *csr, const char *(*wrong)(const pki_profile_t *profile,
                                               const char *oid),
    pki_err_t *err);
static const char *pki_profile_wrong_eku(const pki_profile_t *profile,
    const char *oid);
static const char *pki_profile_wrong_self(const pki_profile_t *profile,
    const char *oid);
static int pki_profile_exact(const pki_profile_t *profile, const char *oid);
static int pki_profile_same(char a, char b);
static int pki_profile_match(const pki_patterns_t *patterns, const char *text,
    size_t len, int parts);
static int pki_pattern_match(const char *pattern, const char *text,
    size_t len, int parts);
static int pki_pattern_part(const char *text, const char *p);


static const struct {
    const char  *name;
    const char  *oid;
} pki_profile_eku_rows[] = {
    { "serverAuth", "1.3.6.1.5.5.7.3.1" },
    { "clientAuth", PKI_PROFILE_CLIENT },
    { "codeSigning", "1.3.6.1.5.5.7.3.3" },
    { "emailProtection", "1.3.6.1.5.5.7.3.4" },
    { "timeStamping", "1.3.6.1.5.5.7.3.8" },
    { "OCSPSigning", PKI_PROFILE_OCSP },
    { "ipsecIKE", "1.3.6.1.5.5.7.3.17" },
    { "documentSigning", "1.3.6.1.5.5.7.3.36" },
    { "pkInitClientAuth", "1.3.6.1.5.2.3.4" },
    { "pkInitKDC", "1.3.6.1.5.2.3.5" },
    { "smartcardLogon", "1.3.6.1.4.1.311.20.2.2" },
    { "msSmartcardLogin", "1.3.6.1.4.1.311.20.2.2" },
    { "msEFS", "1.3.6.1.4.1.311.10.3.4" },
    { "msDocumentSigning", "1.3.6.1.4.1.311.10.3.12" },
    { "remoteDesktop", "1.3.6.1.4.1.311.54.1.2" },
    { "anyExtendedKeyUsage", PKI_PROFILE_ANY }
};

#define PKI_PROFILE_EKU_ROWS                                                  \
    (sizeof(pki_profile_eku_rows) / sizeof(pki_profile_eku_rows[0]))


static const struct {
    const char  *name;
    int          bit;
} pki_profile_key_usages[] = {
    { "digitalSignature", KU_DIGITAL_SIGNATURE },
    { "nonRepudiation", KU_NON_REPUDIATION },
    { "contentCommitment", KU_NON_REPUDIATION },
    { "keyEncipherment", KU_KEY_ENCIPHERMENT },
    { "dataEncipherment", KU_DATA_ENCIPHERMENT },
    { "keyAgreement", KU_KEY_AGREEMENT },
    { "encipherOnly", KU_ENCIPHER_ONLY },
    { "decipherOnly", KU_DECIPHER_ONLY }
};

#define PKI_PROFILE_KEY_USAGES                                                \
    (sizeof(pki_profile_key_usages) / sizeof(pki_profile_key_usages[0]))


pki_rc_t
pki_profile_check(const pki_profile_t *profile, const pki_csr_t *csr,
    int self, pki_err_t *err)
{
    pki_rc_t  rc;

    if ((csr->key_type & profile->keys) == 0) {
        pki_err_set(err, "a key of this type or size is not allowed here");
        return PKI_INVALID;
    }

    rc = pki_profile_subject(profile, csr, err);

    if (rc == PKI_OK && self && profile->sid && csr->sid != NULL) {
        pki_err_set(err, "self-service has no security identifier of choice");
        rc = PKI_INVALID;
    }

    if (rc == PKI_OK) {
        rc = pki_profile_names(profile, csr, err);
    }

    if (rc == PKI_OK) {
        rc = pki_profile_ekus(profile, csr, self, err);
    }

    return rc;
}


static pki_rc_t
pki_profile_subject(const pki_profile_t *profile, const pki_csr_t *csr,
    pki_err_t *err)
{
    char      *text;
    pki_rc_t   rc;

    rc = pki_name_check(csr->subject);

    if (rc == PKI_OK) {
        rc = pki_name_subject(csr->subject, &text);
    }

    if (rc == PKI_ERROR) {
        pki_err_ssl(err, "could not read the subject");
        return PKI_ERROR;
    }

    if (rc != PKI_OK) {
        pki_err_set(err, "the subject has a value that is empty, no text, or "
                    "holds control characters");
        return PKI_INVALID;
    }

    if (strlen(text) > PKI_PROFILE_SUBJECT_MAX) {
        pki_err_set(err, "the subject is longer than %d characters",
                    PKI_PROFILE_SUBJECT_MAX);
        rc = PKI_INVALID;

    } else if (profile->subjects.n > 0
               && !pki_profile_match(&profile->subjects, text, strlen(text),
                                     1))
    {
        pki_err_set(err, "the subject \"%.*s\" is not allowed here",
                    PKI_PROFILE_SHOWN, text);
        rc = PKI_INVALID;
    }

    OPENSSL_free(text);

    return rc;
}


static pki_rc_t
pki_profile_names(const pki_profile_t *profile, const pki_csr_t *csr,
    pki_err_t *err)
{
    int       i, sid;
    char     *text;
    pki_rc_t  rc;

    for (i = 0; i < sk_GENERAL_NAME_num(csr->sans); i++) {

        rc = pki_name_general(sk_GENERAL_NAME_value(csr->sans, i), &text);

        if (rc == PKI_ERROR) {
            pki_err_ssl(err, "could not read the alternative names");
            return PKI_ERROR;
        }

        if (rc != PKI_OK) {
            pki_err_set(err, "alternative name %d is empty, or holds what a "
                        "name of its kind cannot", i + 1);
            return PKI_INVALID;
        }

        /* domain controllers take it for a proof of who somebody is */

        sid = strncasecmp(text, PKI_PROFILE_SID_URI,
                          sizeof(PKI_PROFILE_SID_URI) - 1)
              == 0;

        if ((sid && !profile->sid)
            || (profile->names.n > 0
                && !pki_patterns_match(&profile->names, text, strlen(text))))
        {
            pki_err_set(err, "the alternative name \"%.*s\" is not allowed "
                        "here", PKI_PROFILE_SHOWN, text);
            OPENSSL_free(text);
            return PKI_INVALID;
        }

        OPENSSL_free(text);
    }

    return PKI_OK;
}


/*
 * A certificate without any extended key usage is good for all of them.
 */

static pki_rc_t
pki_profile_ekus(const pki_profile_t *profile, const pki_csr_t *csr, int self,
    pki_err_t *err)
{
    pki_rc_t  rc;
    unsigned  i;

    if (csr->ekus == NULL || profile->fixed) {

        if (profile->ndefault_ekus == 0 && (self || profile->ekus.n > 0)) {
            pki_err_set(err, "the request must have an extended key usage");
            return PKI_INVALID;
        }

        for (i = 0; self && i < profile->ndefault_ekus; i++) {
            if (strcmp(profile->default_ekus[i], PKI_PROFILE_CLIENT) != 0) {
                pki_err_set(err, "self-service must ask for clientAuth, and "
                            "only that");
                return PKI_INVALID;
            }
        }

        return PKI_OK;
    }

    rc = pki_profile_usages(profile, csr, pki_profile_wrong_eku, err);

    if (rc == PKI_OK && self) {
        rc = pki_profile_usages(profile, csr, pki_profile_wrong_self, err);
    }

    return rc;
}


static pki_rc_t
pki_profile_usages(const pki_profile_t *profile, const pki_csr_t *csr,
    const char *(*wrong)(const pki_profile_t *profile, const char *oid),
    pki_err_t *err)
{
    int          i, n;
    char         oid[PKI_PROFILE_OID_SIZE];
    const char  *why;

    for (i = 0; i < sk_ASN1_OBJECT_num(csr->ekus); i++) {

        n = OBJ_obj2txt(oid, sizeof(oid), sk_ASN1_OBJECT_value(csr->ekus, i),
                        1);

        if (n <= 0 || n >= (int) sizeof(oid)) {
            return pki_err_input(err, "an extended key usage is not an OID "
                                 "of at most %d characters",
                                 PKI_PROFILE_OID_SIZE - 1);
        }

        why = wrong(profile, oid);

        if (why != NULL) {
            pki_err_set(err, "the extended key usage %s is not allowed %s",
                        oid, why);
            return PKI_INVALID;
        }
    }

    return PKI_OK;
}


static const char *
pki_profile_wrong_eku(const pki_profile_t *profile, const char *oid)
{
    if (pki_profile_exact(profile, oid)) {
        return NULL;
    }

    if (strcmp(oid, PKI_PROFILE_OCSP) == 0
        || strcmp(oid, PKI_PROFILE_ANY) == 0
        || (profile->ekus.n > 0
            && !pki_patterns_match(&profile->ekus, oid, strlen(oid))))
    {
        return "here";
    }

    return NULL;
}


static const char *
pki_profile_wrong_self(const pki_profile_t *profile, const char *oid)
{
    (void) profile;

    return strcmp(oid, PKI_PROFILE_CLIENT) == 0 ? NULL : "in self-service";
}


/* is it spelled out, or what everybody gets? */

static int
pki_profile_exact(const pki_profile_t *profile, const char *oid)
{
    unsigned  i;

    for (i = 0; i < profile->ekus.n; i++) {
        if (strcmp(profile->ekus.patterns[i], oid) == 0) {
            return 1;
        }
    }

    for (i = 0; i < profile->ndefault_ekus; i++) {
        if (strcmp(profile->default_ekus[i], oid) == 0) {
            return 1;
        }
    }

    return 0;
}


int
pki_patterns_match(const pki_patterns_t *patterns, const char *text,
    size_t len)
{
    return pki_profile_match(patterns, text, len, 0);
}


static int
pki_profile_match(const pki_patterns_t *patterns, const char *text,
    size_t len, int parts)
{
    unsigned  i;

    for (i = 0; i < patterns->n; i++) {
        if (pki_pattern_match(patterns->patterns[i], text, len, parts)) {
            return 1;
        }
    }

    return 0;
}


/*
 * The last star takes one octet more whenever the rest does not fit, which
 * is enough: what an earlier one took need never be given back.  In a text
 * of parts a star stays in its own, or else "CN=*.example.com" would also
 * let "CN=admin,CN=a.example.com" pass.
 */

static int
pki_pattern_match(const char *pattern, const char *text, size_t len,
    int parts)
{
    const char  *p, *begin, *end, *star, *back;

    p = pattern;
    begin = text;
    end = text + len;
    star = NULL;
    back = text;

    while (text < end) {

        if (*p == '*') {
            star = ++p;
            back = text;
            continue;
        }

        if (*p != '\0' && pki_profile_same(*p, *text)
            && (!parts || pki_pattern_part(pattern, p)
                          == pki_pattern_part(begin, text)))
        {
            p++;
            text++;
            continue;
        }

        if (star == NULL || (parts && pki_pattern_part(begin, back))) {
            return 0;
        }

        p = star;
        text = ++back;
    }

    while (*p == '*') {
        p++;
    }

    return *p == '\0';
}


/* does a part of a name end here?  RFC 4514, 2.1, 2.2 and 2.4 */

static int
pki_pattern_part(const char *text, const char *p)
{
    size_t  n;

    if (*p != ',' && *p != '+') {
        return 0;
    }

    for (n = 0; p > text && p[-1] == '\\'; p--) {
        n++;
    }

    return n % 2 == 0;
}


static int
pki_profile_same(char a, char b)
{
    if (a >= 'A' && a <= 'Z') {
        a |= 0x20;
    }

    if (b >= 'A' && b <= 'Z') {
        b |= 0x20;
    }

    return a == b;
}


pki_rc_t
pki_profile_eku(const char *name, char *text, size_t size)
{
    int           n;
    size_t        i;
    pki_rc_t      rc;
    ASN1_OBJECT  *oid;

    for (i = 0; i < PKI_PROFILE_EKU_ROWS; i++) {
        if (strcasecmp(name, pki_profile_eku_rows[i].name) == 0) {
            name = pki_profile_eku_rows[i].oid;
            break;
        }
    }

    /* there and back: one spelling of each */

    oid = OBJ_txt2obj(name, 1);

    if (oid == NULL) {
        return pki_err_input(NULL, "no OID");
    }

    n = OBJ_obj2txt(text, (int) size, oid, 1);
    rc = (n > 0 && (size_t) n < size) ? PKI_OK : PKI_INVALID;

    ASN1_OBJECT_free(oid);
    ERR_clear_error();

    return rc;
}


int
pki_profile_key_usage(const char *name)
{
    size_t  i;

    for (i = 0; i < PKI_PROFILE_KEY_USAGES; i++) {
        if (strcasecmp(name, pki_profile_key_usages[i].name) == 0) {
            return pki_profile_key_usages[i].bit;
        }
    }

    return 0;
}

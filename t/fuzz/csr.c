
/*
 * From a body to a certificate.  The first octet chooses what the rest is:
 *
 *   b   a body, as it comes
 *   a   what is asked for, signed here: settings, see fuzz_asked(), a length
 *       of two octets, that much content of a subject, content of attributes
 *   c   a certificate in DER, to be described and renewed
 *   p   text with PEM blocks
 *   m   a pattern, a zero octet, a text
 *
 * Whatever was asked for, what is issued reads back as a leaf of the CA with
 * names that are texts, and nobody gets a CA.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <openssl/err.h>
#include "pki_cert.h"
#include "pki_der.h"
#include "pki_json.h"
#include "pki_name.h"
#include "pki_pem.h"


#define FUZZ_NOW   1790000000
#define FUZZ_DAY   86400
#define FUZZ_SIZE  (32 * 1024)
#define FUZZ_GUID  "user/d6b58414-60ed-426b-b382-276a3e8d626d"

#define fuzz_check(yes)                                                       \
    do {                                                                      \
        if (!(yes)) {                                                         \
            fprintf(stderr, "line %d: %s\n", __LINE__, #yes);                 \
            abort();                                                          \
        }                                                                     \
    } while (0)


static void fuzz_begin(void);
static EVP_PKEY *fuzz_key(unsigned char octet);
static void fuzz_body(pki_bytes_t in);
static void fuzz_asked(pki_bytes_t in);
static int fuzz_request(pki_bytes_t subject, pki_bytes_t attributes,
    pki_bytes_t *request);
static pki_bytes_t fuzz_sent(pki_bytes_t request, unsigned bits);
static void fuzz_settings(pki_profile_t *profile, unsigned bits);
static void fuzz_csr(const pki_csr_t *csr);
static void fuzz_enrol(const pki_profile_t *profile, const pki_csr_t *csr,
    int self);
static void fuzz_claim(const pki_csr_t *csr, pki_bind_t bind,
    pki_claim_t *claim, int self);
static void fuzz_issued(X509 *cert);
static void fuzz_cert(pki_bytes_t in);
static void fuzz_text(const char *text);
static void fuzz_pem(pki_bytes_t in);
static void fuzz_match(pki_bytes_t in);
static int fuzz_naive(const char *pattern, const char *text, size_t len);


static pki_issuer_t     *issuer;
static EVP_PKEY         *key;
static pki_serial_t      serial;
static const char       *const eku = "1.3.6.1.5.5.7.3.2";


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pki_bytes_t  in;

    if (issuer == NULL) {
        fuzz_begin();
    }

    if (size < 1) {
        return 0;
    }

    in.data = data + 1;
    in.len = size - 1;

    switch (data[0]) {

    case 'b':
        fuzz_body(in);
        break;

    case 'a':
        fuzz_asked(in);
        break;

    case 'c':
        fuzz_cert(in);
        break;

    case 'p':
        fuzz_pem(in);
        break;

    case 'm':
        fuzz_match(in);
    }

    return 0;
}


static void
fuzz_begin(void)
{
    X509               *ca;
    EVP_PKEY           *ca_key;
    pki_err_t           err;
    BASIC_CONSTRAINTS  *constraints;

    key = fuzz_key(1);
    ca_key = fuzz_key(2);
    ca = X509_new();
    constraints = BASIC_CONSTRAINTS_new();

    fuzz_check(ca != NULL && constraints != NULL);
    constraints->ca = 0xff;

    fuzz_check(X509_set_version(ca, X509_VERSION_3) == 1
               && ASN1_INTEGER_set(X509_get_serialNumber(ca), 1) == 1
               && X509_NAME_add_entry_by_txt(X509_get_subject_name(ca), "CN",
                                             MBSTRING_ASC,
                                             (unsigned char *) "CA", -1, -1,
                                             0)
                  == 1
               && X509_set_issuer_name(ca, X509_get_subject_name(ca)) == 1
               && ASN1_TIME_set(X509_getm_notBefore(ca),
                                FUZZ_NOW - 100 * FUZZ_DAY)
               && ASN1_TIME_set(X509_getm_notAfter(ca),
                                FUZZ_NOW + 3650LL * FUZZ_DAY)
               && X509_set_pubkey(ca, ca_key) == 1
               && X509_add1_ext_i2d(ca, NID_basic_constraints, constraints, 1,
                                    0)
                  == 1
               && X509_sign(ca, ca_key, NULL) > 0);

    issuer = pki_issuer_create(ca, ca_key, &err);
    fuzz_check(issuer != NULL);

    memset(serial.data, 0x44, PKI_SERIAL_LEN);
    serial.len = PKI_SERIAL_LEN;

    BASIC_CONSTRAINTS_free(constraints);
    X509_free(ca);
    EVP_PKEY_free(ca_key);
}


static EVP_PKEY *
fuzz_key(unsigned char octet)
{
    EVP_PKEY       *made;
    unsigned char   secret[32];

    memset(secret, octet, sizeof(secret));
    made = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret,
                                        sizeof(secret));
    fuzz_check(made != NULL);

    return made;
}


static void
fuzz_body(pki_bytes_t in)
{
    pki_rc_t        rc;
    pki_err_t       err;
    pki_csr_t      *csr;
    pki_profile_t   profile;

    err.text[0] = '\0';
    rc = pki_csr_read(in, &csr, &err);

    fuzz_check(ERR_peek_error() == 0);

    if (rc != PKI_OK) {
        fuzz_check(rc == PKI_INVALID && csr == NULL && err.text[0]);
        fuzz_check(strstr(err.text, "SSL") == NULL);
        return;
    }

    fuzz_settings(&profile, 0);
    fuzz_csr(csr);
    fuzz_enrol(&profile, csr, 0);
    pki_csr_free(csr);
}


/*
 * A request with the fuzzer's key.  Settings, one octet: 0x01 usages are
 * fixed, 0x02 SID, 0x04 Microsoft's extensions, 0x08 self-service, 0x10 only
 * such names, 0x60 how it is sent: DER, PEM, base64.
 */

static void
fuzz_asked(pki_bytes_t in)
{
    size_t          len;
    pki_rc_t        rc;
    pki_csr_t      *csr;
    pki_err_t       err;
    pki_bytes_t     subject, attributes, request;
    pki_profile_t   profile;

    if (in.len < 3) {
        return;
    }

    len = (size_t) in.data[1] << 8 | in.data[2];

    if (len > in.len - 3) {
        return;
    }

    subject.data = in.data + 3;
    subject.len = len;
    attributes.data = in.data + 3 + len;
    attributes.len = in.len - 3 - len;

    if (!fuzz_request(subject, attributes, &request)) {
        return;
    }

    err.text[0] = '\0';
    rc = pki_csr_read(fuzz_sent(request, in.data[0]), &csr, &err);
    fuzz_check(ERR_peek_error() == 0);

    if (rc != PKI_OK) {
        fuzz_check(rc == PKI_INVALID && csr == NULL && err.text[0]);
        return;
    }

    fuzz_check(csr->key_type == PKI_KEYS_ED25519);
    fuzz_csr(csr);

    fuzz_settings(&profile, in.data[0]);
    fuzz_enrol(&profile, csr, in.data[0] & 0x08);
    pki_csr_free(csr);
}


static int
fuzz_request(pki_bytes_t subject, pki_bytes_t attributes,
    pki_bytes_t *request)
{
    size_t              len, all, info, mark;
    EVP_MD_CTX         *ctx;
    unsigned char       sig[1 + 64], *spki, *start;
    pki_der_writer_t    w;

    static const unsigned char  algorithm[] = {
        0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70
    };
    static unsigned char        der[FUZZ_SIZE];

    pki_der_writer_init(&w, der, sizeof(der));
    all = pki_der_begin(&w, PKI_DER_SEQUENCE, 0);
    start = w.pos;
    info = pki_der_begin(&w, PKI_DER_SEQUENCE, 0);
    pki_der_write(&w, PKI_DER_INTEGER,
                  (pki_bytes_t) { (unsigned char *) "", 1 });
    pki_der_write(&w, PKI_DER_SEQUENCE, subject);

    spki = NULL;
    len = i2d_PUBKEY(key, &spki);
    pki_der_append(&w, (pki_bytes_t) { spki, len });
    OPENSSL_free(spki);

    mark = pki_der_begin(&w, PKI_DER_EXPLICIT(0), 0);
    pki_der_append(&w, attributes);
    pki_der_end(&w, mark);
    pki_der_end(&w, info);

    if (w.failed) {
        return 0;
    }

    sig[0] = 0;
    len = sizeof(sig) - 1;

    ctx = EVP_MD_CTX_new();
    fuzz_check(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1
               && EVP_DigestSign(ctx, sig + 1, &len, start, w.pos - start)
                  == 1);
    EVP_MD_CTX_free(ctx);

    pki_der_append(&w, (pki_bytes_t) { algorithm, sizeof(algorithm) });
    pki_der_write(&w, PKI_DER_BIT_STRING, (pki_bytes_t) { sig, len + 1 });
    pki_der_end(&w, all);

    request->data = der;
    request->len = w.pos - der;

    return !w.failed;
}


static pki_bytes_t
fuzz_sent(pki_bytes_t request, unsigned bits)
{
    size_t                len;
    static unsigned char  text[2 * FUZZ_SIZE];

    if (!(bits & 0x60)) {
        return request;
    }

    len = 0;

    if (!(bits & 0x40)) {
        len = sprintf((char *) text, "-----BEGIN CERTIFICATE REQUEST-----");
    }

    len += EVP_EncodeBlock(text + len, request.data, (int) request.len);

    if (!(bits & 0x40)) {
        len += sprintf((char *) text + len,
                       "-----END CERTIFICATE REQUEST-----");
    }

    return (pki_bytes_t) { text, len };
}


static void
fuzz_settings(pki_profile_t *profile, unsigned bits)
{
    memset(profile, 0, sizeof(pki_profile_t));

    profile->keys = PKI_KEYS_ALL;
    profile->default_key_usage = KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT;
    profile->default_ekus[0] = eku;
    profile->ndefault_ekus = 1;
    profile->backdate = FUZZ_DAY;
    profile->fixed = bits & 0x01 ? 1 : 0;
    profile->sid = bits & 0x02 ? 1 : 0;
    profile->microsoft = bits & 0x04 ? 1 : 0;

    if (bits & 0x10) {
        profile->names.n = 2;
        profile->names.patterns[0] = "dns:*.example.com";
        profile->names.patterns[1] = "u*:*@example.com";
    }
}


static void
fuzz_csr(const pki_csr_t *csr)
{
    int  i, n;

    fuzz_check(csr->key != NULL && csr->subject != NULL);
    fuzz_check(csr->lifetime >= 0);
    fuzz_check(csr->key_usage == -1
               || (csr->key_usage > 0
                   && !(csr->key_usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN))));

    if (csr->ekus != NULL) {
        n = sk_ASN1_OBJECT_num(csr->ekus);
        fuzz_check(n > 0 && n <= PKI_CSR_EKUS);
    }

    if (csr->sans != NULL) {
        n = sk_GENERAL_NAME_num(csr->sans);
        fuzz_check(n > 0 && n <= PKI_CSR_NAMES);

        for (i = 0; i < n; i++) {
            fuzz_check(pki_name_known(sk_GENERAL_NAME_value(csr->sans, i)));
        }
    }

    if (csr->challenge != NULL) {
        fuzz_text(csr->challenge);
        fuzz_check(strlen(csr->challenge) <= PKI_CSR_CHALLENGE_MAX);
    }
}


static void
fuzz_enrol(const pki_profile_t *profile, const pki_csr_t *csr, int self)
{
    X509              *cert;
    pki_rc_t           rc;
    unsigned           bind;
    pki_err_t          err;
    pki_claim_t        claim;
    pki_cert_urls_t    urls;
    pki_cert_plan_t    plan;

    for (bind = PKI_BIND_STATIC; bind <= PKI_BIND_DC; bind++) {
        fuzz_claim(csr, bind, &claim, self);
    }

    err.text[0] = '\0';
    rc = pki_profile_check(profile, csr, self, &err);
    fuzz_check(ERR_peek_error() == 0);

    if (rc != PKI_OK) {
        fuzz_check(rc == PKI_INVALID && err.text[0]);
        return;
    }

    memset(&urls, 0, sizeof(pki_cert_urls_t));
    urls.ocsp[0] = "http://pki.example.com/ocsp";
    urls.crl[0] = "http://pki.example.com/crl";
    urls.lifetime = 200 * FUZZ_DAY;

    memset(&plan, 0, sizeof(pki_cert_plan_t));
    plan.issuer = issuer;
    plan.profile = profile;
    plan.urls = &urls;
    plan.csr = csr;
    plan.serial = &serial;
    plan.binding = &claim.binding;
    plan.now = FUZZ_NOW;

    rc = pki_cert_issue(&plan, &cert, &err);
    fuzz_check(ERR_peek_error() == 0);

    if (rc != PKI_OK) {
        fuzz_check(rc == PKI_INVALID && csr->sans == NULL
                   && X509_NAME_entry_count(csr->subject) == 0);
        return;
    }

    fuzz_issued(cert);
    X509_free(cert);
}


static void
fuzz_claim(const pki_csr_t *csr, pki_bind_t bind, pki_claim_t *claim,
    int self)
{
    pki_rc_t              rc;
    pki_err_t             err;
    static unsigned char  random[PKI_SERIAL_PAYLOAD];

    err.text[0] = '\0';
    rc = pki_csr_claim(csr, bind, random, claim, &err);

    if (rc != PKI_OK) {
        fuzz_check(rc == PKI_INVALID && err.text[0]);
        return;
    }

    if (self) {
        rc = pki_claim_self(claim, csr, "anna@example.com", &err);
        fuzz_check(rc == PKI_OK || rc == PKI_INVALID);
    }

    if (claim->name[0] != '\0') {
        fuzz_text(claim->name);
        rc = pki_claim_user(claim, claim->class == PKI_OBJECT_USER
                                   ? FUZZ_GUID : "jamf-user/7");
        fuzz_check(rc == PKI_OK && claim->name[0] == '\0');
    }
}


static void
fuzz_issued(X509 *cert)
{
    X509             *back;
    size_t            len;
    uint32_t          flags;
    pki_err_t         err;
    pki_serial_t      sn;
    pki_cert_text_t   text;
    unsigned char    *der;

    fuzz_check(pki_cert_der(cert, &der, &len) == PKI_OK);
    fuzz_check(pki_cert_read(issuer, (pki_bytes_t) { der, len }, &back, &sn,
                             &err)
               == PKI_OK);
    OPENSSL_free(der);

    fuzz_check(memcmp(&sn, &serial, sizeof(pki_serial_t)) == 0);

    flags = X509_get_extension_flags(back);
    fuzz_check(!(flags & (EXFLAG_INVALID | EXFLAG_CA)));
    fuzz_check(flags & EXFLAG_BCONS && flags & EXFLAG_KUSAGE
               && flags & EXFLAG_XKUSAGE);
    fuzz_check(X509_check_ca(back) == 0);
    fuzz_check(!(X509_get_extended_key_usage(back) & XKU_OCSP_SIGN));

    fuzz_check(pki_cert_describe(back, &text) == PKI_OK);
    fuzz_check(text.not_before == FUZZ_NOW - FUZZ_DAY
               && text.not_after > FUZZ_NOW
               && text.not_after <= FUZZ_NOW + 200 * FUZZ_DAY);
    fuzz_text(text.subject);
    fuzz_text(text.sans);
    fuzz_text(text.upn);

    X509_free(back);
    fuzz_check(ERR_peek_error() == 0);
}


/*
 * What others have issued: anything, but it can be told.
 */

static void
fuzz_cert(pki_bytes_t in)
{
    X509                 *cert, *none;
    pki_rc_t              rc;
    pki_err_t             err;
    pki_csr_t            *csr;
    pki_serial_t          sn;
    pki_cert_text_t       text;
    const unsigned char  *p;

    rc = pki_cert_read(issuer, in, &none, &sn, &err);
    fuzz_check(rc == PKI_OK || none == NULL);
    X509_free(none);
    fuzz_check(ERR_peek_error() == 0);

    p = in.data;
    cert = d2i_X509(NULL, &p, (long) in.len);
    ERR_clear_error();

    if (cert == NULL) {
        return;
    }

    if (pki_cert_describe(cert, &text) == PKI_OK) {
        fuzz_text(text.subject);
        fuzz_text(text.sans);
        fuzz_text(text.upn);
    }

    fuzz_check(ERR_peek_error() == 0);

    csr = OPENSSL_zalloc(sizeof(pki_csr_t));
    fuzz_check(csr != NULL);

    rc = pki_csr_renew(csr, cert, &err);
    fuzz_check(rc == PKI_OK || rc == PKI_INVALID);

    if (rc == PKI_OK) {
        fuzz_check(EVP_PKEY_up_ref(key) == 1);
        csr->key = key;
        fuzz_csr(csr);
    }

    pki_csr_free(csr);
    X509_free(cert);
    ERR_clear_error();
}


static void
fuzz_text(const char *text)
{
    size_t                n, len;
    const unsigned char  *p;

    p = (const unsigned char *) text;

    for (len = strlen(text); len > 0; len -= n, p += n) {
        n = pki_json_utf8(p, len);
        fuzz_check(n > 0 && *p >= 0x20 && *p != 0x7f);
    }
}


static void
fuzz_pem(pki_bytes_t in)
{
    size_t          len;
    pki_rc_t        rc;
    pki_bytes_t     before;
    unsigned char  *der;

    do {
        before = in;
        rc = pki_pem_next(&in, "CERTIFICATE", &der, &len);

        if (rc == PKI_OK) {
            fuzz_check(len > 0 && len < before.len);
            OPENSSL_free(der);
        }

        fuzz_check(rc != PKI_ERROR);
        fuzz_check(rc == PKI_NOT_FOUND
                   || (in.len < before.len
                       && in.data + in.len == before.data + before.len));

    } while (rc != PKI_NOT_FOUND);
}


static void
fuzz_match(pki_bytes_t in)
{
    size_t           len;
    const char      *pattern, *text;
    pki_patterns_t   patterns;

    pattern = (const char *) in.data;
    text = memchr(in.data, '\0', in.len);

    /* what is compared with goes back and forth: not for long ones */

    if (text == NULL || text - pattern > 12 || in.len > 64) {
        return;
    }

    text++;
    len = in.len - (text - pattern);

    patterns.n = 1;
    patterns.patterns[0] = pattern;

    fuzz_check(pki_patterns_match(&patterns, text, len)
               == fuzz_naive(pattern, text, len));
}


static int
fuzz_naive(const char *pattern, const char *text, size_t len)
{
    size_t  i;

    if (*pattern == '\0') {
        return len == 0;
    }

    if (*pattern == '*') {
        for (i = 0; i <= len; i++) {
            if (fuzz_naive(pattern + 1, text + i, len - i)) {
                return 1;
            }
        }

        return 0;
    }

    return len > 0 && strncasecmp(pattern, text, 1) == 0
           && fuzz_naive(pattern + 1, text + 1, len - 1);
}

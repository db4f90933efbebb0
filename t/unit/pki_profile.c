
/*
 * Profiles: patterns, what they let pass of a request, and what no request
 * can have whatever the profile says.
 */

#include "pki_test_csr.h"

#include "pki_profile.h"


#define CLIENT  "1.3.6.1.5.5.7.3.2"
#define SERVER  "1.3.6.1.5.5.7.3.1"
#define OCSP    "1.3.6.1.5.5.7.3.9"
#define ANY     "2.5.29.37.0"
#define OID_SAN  "2.5.29.17"
#define SID_URI  "URI:tag:microsoft.com,2022-09-14:sid:S-1-5-21-1"


static EVP_PKEY  *key;


static void test_patterns(void);
static void test_subjects(void);
static void test_subject_texts(void);
static void test_names(void);
static void test_name_texts(void);
static void test_long_names(void);
static void test_sid(void);
static void test_ekus(void);
static void test_self(void);
static void test_keys(void);
static void test_words(void);
static void test_memory(void);
static void list(pki_patterns_t *patterns, const char *text);
static void checked(const pki_profile_t *profile, const pki_csr_t *csr,
    int self, const char *why, const char *name);


static pki_profile_t  open_profile;


int
main(void)
{
    pki_test_alloc_hook();

    key = pki_test_key("P-256");
    open_profile.keys = PKI_KEYS_ALL;

    test_patterns();
    test_subjects();
    test_subject_texts();
    test_names();
    test_name_texts();
    test_long_names();
    test_sid();
    test_ekus();
    test_self();
    test_keys();
    test_words();
    test_memory();

    EVP_PKEY_free(key);

    return pki_test_done();
}


static void
test_patterns(void)
{
    char            text[4096];
    size_t          i;
    pki_patterns_t  p;

    static const struct {
        const char  *pattern;
        const char  *text;
        int          match;
    } rows[] = {
        { "", "", 1 },
        { "", "a", 0 },
        { "a", "", 0 },
        { "a", "A", 1 },
        { "A[Z", "a[z", 1 },
        { "@", "`", 0 },
        { "*", "", 1 },
        { "*", "abc", 1 },
        { "**", "abc", 1 },
        { "a*", "abc", 1 },
        { "a*", "ba", 0 },
        { "*c", "abc", 1 },
        { "*c", "cab", 0 },
        { "a*c", "abcbc", 1 },
        { "a*c", "abcb", 0 },
        { "a*b*c", "a-b-b-c", 1 },
        { "a*bc", "abbc", 1 },
        { "a*ab", "aab", 1 },
        { "a*ab", "ab", 0 },
        { "dns:*.example.com", "DNS:www.example.com", 1 },
        { "dns:*.example.com", "DNS:example.com", 0 },
        { "dns:*.example.com", "DNS:www.example.com.evil", 0 },
        { "dns:*.example.com", "URI:dns:www.example.com", 0 },
        { "ip:10.*", "IP:10.0.0.1", 1 },
        { "ip:10.*", "IP:110.0.0.1", 0 }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        p.n = 1;
        p.patterns[0] = rows[i].pattern;
        is_int(pki_patterns_match(&p, rows[i].text, strlen(rows[i].text)),
               rows[i].match, "\"%s\" and \"%s\"", rows[i].pattern,
               rows[i].text);
    }

    p.n = 0;
    ok(!pki_patterns_match(&p, "a", 1), "no patterns match nothing");

    p.n = 2;
    p.patterns[0] = "a";
    p.patterns[1] = "b";
    ok(pki_patterns_match(&p, "b", 1), "the second of two");

    /* a pattern that would take exponential time, if one went back */

    memset(text, 'a', sizeof(text));
    p.n = 1;
    p.patterns[0] = "a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b";
    ok(!pki_patterns_match(&p, text, sizeof(text)), "many stars");
}


static void
test_subjects(void)
{
    size_t         i;
    pki_csr_t     *csr;
    pki_profile_t  profile;

    static const struct {
        const char  *pattern;
        const char  *subject;
        int          good;
    } rows[] = {
        { "CN=*", "CN=a", 1 },
        { "cn=A", "CN=a", 1 },
        { "CN=*", "O=a/CN=b", 0 },
        { "CN=*,O=Acme", "CN=a/O=Acme", 1 },
        { "CN=*,O=Acme", "O=Acme/CN=a", 0 },
        { "CN=a\\,O=Acme", "CN=a,O=Acme", 1 },
        { "CN=a,O=Acme", "CN=a,O=Acme", 0 },
        { "CN=\xc3\xa4*", "CN=\xc3\xa4" "b", 1 },
        { "CN=*", NULL, 0 },
        { "", NULL, 1 },

        /* a star is a part of one value */

        { "CN=*.example.com", "CN=www.example.com", 1 },
        { "CN=*.example.com", "CN=admin/CN=www.example.com", 0 },
        { "CN=*", "CN=a/O=b", 0 },
        { "*", "CN=a/O=b", 0 },
        { "CN=*,O=Acme", "CN=a/OU=b/O=Acme", 0 },
        { "CN=*,OU=*,O=Acme", "CN=a/OU=b/O=Acme", 1 },
        { "CN=*,O=Acme", "CN=a,O=Acme", 0 },
        { "CN=*,O=Acme", "CN=a\\/O=Acme", 1 },
        { "CN=*", "CN=a, b+c", 1 },
        { "CN=*\\,b*", "CN=a,bc", 1 },
        { "CN=a+O=b", "CN=a+O=b", 0 }
    };

    profile = open_profile;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        list(&profile.subjects, rows[i].pattern);
        csr = pki_test_csr_of(key, rows[i].subject, "DNS:a");

        checked(&profile, csr, 0,
                rows[i].good ? NULL : "the subject \"", rows[i].pattern);

        pki_csr_free(csr);
    }

    /* the same with two values in one part */

    csr = pki_test_csr_of(key, "CN=a", NULL);
    pki_test_need(X509_NAME_add_entry_by_txt(csr->subject, "CN",
                                             MBSTRING_UTF8,
                                             (unsigned char *) "b", -1, -1,
                                             -1)
                  == 1, "a value");

    list(&profile.subjects, "CN=*");
    checked(&profile, csr, 0, "the subject \"CN=a+CN=b\"", "two values");
    list(&profile.subjects, "CN=*+CN=*");
    checked(&profile, csr, 0, NULL, "two values that are wanted");

    pki_csr_free(csr);
}


static void
test_subject_texts(void)
{
    char              text[PKI_PROFILE_SUBJECT_MAX + 1];
    size_t            i;
    X509_NAME        *name;
    pki_csr_t        *csr;
    ASN1_STRING      *value;
    X509_NAME_ENTRY  *entry;

    static const struct {
        int          type;
        const char  *octets;
        int          len;
    } rows[] = {
        { V_ASN1_UTF8STRING, "", 0 },
        { V_ASN1_UTF8STRING, "a\0b", 3 },
        { V_ASN1_PRINTABLESTRING, "a\0", 2 },
        { V_ASN1_UTF8STRING, "a\nb", 3 },
        { V_ASN1_UTF8STRING, "\x7f", 1 },
        { V_ASN1_UTF8STRING, "\xc2\x85", 2 },
        { V_ASN1_T61STRING, "\x85", 1 },
        { V_ASN1_UTF8STRING, "\xff", 1 },
        { V_ASN1_UTF8STRING, "\xed\xa0\x80", 3 },
        { V_ASN1_BMPSTRING, "a", 1 },
        { V_ASN1_BMPSTRING, "\0\0", 2 },
        { V_ASN1_BMPSTRING, "\xd8\x00", 2 },
        { V_ASN1_OCTET_STRING, "a", 1 },

        /* others would read them as UTF-8 */

        { V_ASN1_PRINTABLESTRING, "\xc3\xa4", 2 },
        { V_ASN1_IA5STRING, "\xc3\xa4", 2 },
        { V_ASN1_T61STRING, "\xc3\xa4", 2 }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        csr = pki_test_csr_of(key, "CN=a", NULL);

        entry = X509_NAME_get_entry(csr->subject, 0);
        value = X509_NAME_ENTRY_get_data(entry);
        value->type = rows[i].type;
        pki_test_need(ASN1_STRING_set(value, rows[i].octets, rows[i].len) == 1,
                      "a value");

        checked(&open_profile, csr, 0, "the subject has a value", "octets");
        pki_csr_free(csr);
    }

    csr = pki_test_csr_of(key, NULL, "DNS:a");
    name = csr->subject;
    memset(text, 'a', sizeof(text));

    for (i = 0; i < 16; i++) {
        pki_test_need(X509_NAME_add_entry_by_NID(name,
                                                 NID_organizationalUnitName,
                                                 MBSTRING_ASC,
                                                 (unsigned char *) text, 60,
                                                 -1, 0)
                      == 1, "a value");
    }

    checked(&open_profile, csr, 0, NULL, "a subject of 1023 characters");
    pki_test_need(X509_NAME_add_entry_by_NID(name, NID_organizationalUnitName,
                                             MBSTRING_ASC,
                                             (unsigned char *) text, 1, -1, 0)
                  == 1, "a value");
    checked(&open_profile, csr, 0, "the subject is longer than 1024",
            "a subject that is too long");

    pki_csr_free(csr);
}


static void
test_names(void)
{
    size_t         i;
    pki_csr_t     *csr;
    pki_profile_t  profile;

    static const struct {
        const char  *pattern;
        const char  *sans;
        int          good;
    } rows[] = {
        { "dns:*.example.com", "DNS:www.example.com", 1 },
        { "dns:*.example.com", "DNS:WWW.EXAMPLE.COM", 1 },
        { "dns:*.example.com", "DNS:*.example.com", 1 },
        { "dns:*.example.com", "DNS:www.example.org", 0 },
        { "dns:*.example.com", "DNS:www.example.com,DNS:a", 0 },
        { "dns:*", "IP:10.0.0.1", 0 },
        { "ip:10.*", "IP:10.0.0.255", 1 },
        { "ip:10.*", "IP:11.0.0.1", 0 },
        { "ip:2001:db8:0:0:*", "IP:2001:db8::1", 1 },
        { "ip:2001:db8:0:0:0:0:0:1", "IP:2001:DB8::1", 1 },
        { "ip:255.255.255.255", "IP:255.255.255.255", 1 },
        { "ip:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
          "IP:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1 },
        { "ip:2001:db8:0:0:*", "IP:2001:db8:0:1::1", 0 },
        { "email:*@example.com", "email:anna@example.com", 1 },
        { "email:*@example.com", PKI_TEST_UPN "anna@example.com", 0 },
        { "upn:*@example.com", PKI_TEST_UPN "anna@example.com", 1 },
        { "upn:*@example.com", PKI_TEST_UPN "anna@example.com.evil", 0 },
        { "uri:IntuneDeviceId://*", "URI:IntuneDeviceId://x", 1 },
        { "uri:*", "URI:x:y", 1 },
        { "uri:*", "RID:1.2.3", 1 },        /* dropped */
        { "uri:*", NULL, 1 }
    };

    profile = open_profile;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        list(&profile.names, rows[i].pattern);
        csr = pki_test_csr_of(key, "CN=a", rows[i].sans);

        checked(&profile, csr, 0,
                rows[i].good ? NULL : "the alternative name \"",
                rows[i].sans ? rows[i].sans : "no names");

        pki_csr_free(csr);
    }
}


static void
test_name_texts(void)
{
    size_t           i;
    pki_csr_t       *csr;
    pki_test_raw_t   raws[2];
    pki_test_req_t   r;

#define UPN_OID  "\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03"

    /* one name each: its DER */

    static const struct {
        const char  *der;
        size_t       len;
    } rows[] = {
        { "\x82\x00", 2 },
        { "\x82\x03" "a\0b", 5 },
        { "\x82\x03" "a b", 5 },
        { "\x82\x01\x80", 3 },
        { "\x82\x02\xc3\xa4", 4 },
        { "\x81\x00", 2 },
        { "\x81\x03" "a\rb", 5 },
        { "\x86\x00", 2 },
        { "\x86\x03" "a\nb", 5 },
        { "\x87\x00", 2 },
        { "\x87\x05" "12345", 7 },
        { "\x87\x08" "12345678", 10 },
        { "\xa0\x10" UPN_OID "\xa0\x02\x0c\x00", 18 },
        { "\xa0\x11" UPN_OID "\xa0\x03\x0c\x01\x07", 19 },
        { "\xa0\x13" UPN_OID "\xa0\x05\x0c\x03" "a\0b", 21 },
        { "\xa0\x12" UPN_OID "\xa0\x04\x0c\x02\xc0\x80", 20 },
        { "\xa0\x12" UPN_OID "\xa0\x04\x1e\x02\xd8\x00", 20 },
        { "\xa0\x12" UPN_OID "\xa0\x04\x16\x02\xc3\xa4", 20 },
        { "\xa0\x12" UPN_OID "\xa0\x04\x13\x02\xc3\xa4", 20 }
    };

    memset(&r, 0, sizeof(pki_test_req_t));
    memset(raws, 0, sizeof(raws));
    r.key = key;
    r.subject = "CN=a";
    r.raws = raws;
    raws[0].oid = OID_SAN;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char  der[64];

        der[0] = 0x30;
        der[1] = (char) rows[i].len;
        memcpy(der + 2, rows[i].der, rows[i].len);
        raws[0].der = der;
        raws[0].len = rows[i].len + 2;

        csr = pki_test_csr(&r);
        checked(&open_profile, csr, 0, "alternative name 1 is empty",
                "a name");
        pki_csr_free(csr);
    }

    csr = pki_test_csr_of(key, NULL, PKI_TEST_UPN "J\xf6rg B@x");
    checked(&open_profile, csr, 0, NULL, "a UPN may be any text");
    pki_csr_free(csr);
}


static void
test_long_names(void)
{
    char        sans[4200];
    pki_csr_t  *csr;

    memset(sans, 'a', sizeof(sans));
    memcpy(sans, "URI:", 4);
    sans[4 + 4096] = '\0';

    csr = pki_test_csr_of(key, NULL, sans);
    checked(&open_profile, csr, 0, NULL, "a URI of 4096 characters");
    pki_csr_free(csr);

    sans[4 + 4096] = 'a';
    sans[4 + 4097] = '\0';

    csr = pki_test_csr_of(key, NULL, sans);
    checked(&open_profile, csr, 0, "alternative name 1", "one more");
    pki_csr_free(csr);
}


static pki_csr_t *
asking(const char *ekus)
{
    pki_test_ext_t  exts[2];
    pki_test_req_t  r;

    memset(&r, 0, sizeof(pki_test_req_t));
    memset(exts, 0, sizeof(exts));
    r.key = key;
    r.subject = "CN=a";

    if (ekus != NULL) {
        exts[0].nid = NID_ext_key_usage;
        exts[0].value = ekus;
        r.exts = exts;
    }

    return pki_test_csr(&r);
}


/* who has such a certificate is that account, for a domain controller */

static void
test_sid(void)
{
    char            sid[] = SID_URI;
    pki_csr_t      *csr;
    GENERAL_NAME   *gn;
    pki_profile_t   profile;

    profile = open_profile;
    csr = pki_test_csr_of(key, NULL, "URI:a");
    gn = sk_GENERAL_NAME_value(csr->sans, 0);
    pki_test_need(ASN1_STRING_set(gn->d.ia5, sid + 4, -1) == 1, "URI");

    checked(&profile, csr, 0, "the alternative name \"", "a SID");
    list(&profile.names, "uri:*");
    checked(&profile, csr, 0, "the alternative name \"", "with a pattern");
    profile.sid = 1;
    checked(&profile, csr, 0, NULL, "a SID that is wanted");
    list(&profile.names, "uri:x*");
    checked(&profile, csr, 0, "the alternative name \"", "but not such");

    pki_csr_free(csr);

    csr = asking("clientAuth");
    csr->sid = ASN1_OCTET_STRING_new();
    pki_test_need(csr->sid != NULL
                  && ASN1_OCTET_STRING_set(csr->sid, (unsigned char *) sid, 4)
                     == 1, "a SID");
    profile.names.n = 0;

    checked(&profile, csr, 0, NULL, "an extension that is wanted");
    checked(&profile, csr, 1, "self-service", "but nobody's own");
    profile.sid = 0;
    checked(&profile, csr, 1, NULL, "one that is not copied");

    pki_csr_free(csr);
}


static void
test_ekus(void)
{
    size_t         i;
    pki_csr_t     *csr;
    pki_profile_t  profile;

    static const struct {
        const char  *allowed;       /* NULL: all */
        const char  *by_default;
        int          fixed;
        const char  *asked;
        int          good;
    } rows[] = {
        { NULL, NULL, 0, NULL, 1 },
        { NULL, NULL, 0, "clientAuth,1.2.3", 1 },
        { NULL, NULL, 0, "OCSPSigning", 0 },
        { "*", NULL, 0, "OCSPSigning", 0 },
        { OCSP, NULL, 0, "OCSPSigning", 1 },
        { NULL, NULL, 0, "anyExtendedKeyUsage", 0 },
        { "*", NULL, 0, "clientAuth,anyExtendedKeyUsage", 0 },
        { "2.5.29.*", NULL, 0, "anyExtendedKeyUsage", 0 },
        { ANY, NULL, 0, "anyExtendedKeyUsage", 1 },
        { NULL, ANY, 0, "anyExtendedKeyUsage", 1 },
        { NULL, OCSP, 0, "OCSPSigning", 1 },
        { CLIENT, NULL, 0, "clientAuth", 1 },
        { CLIENT, NULL, 0, "clientAuth,serverAuth", 0 },
        { CLIENT, NULL, 0, NULL, 0 },
        { CLIENT, SERVER, 0, NULL, 1 },
        { CLIENT, SERVER, 0, "serverAuth", 1 },
        { CLIENT, SERVER, 0, "codeSigning", 0 },
        { "1.3.6.1.4.1.*", NULL, 0, "1.3.6.1.4.1.311.1", 1 },
        { "1.3.6.1.4.1.*", NULL, 0, "1.3.6.1.5.5.7.3.2", 0 },
        { CLIENT, CLIENT, 1, "codeSigning", 1 },
        { CLIENT, NULL, 1, "codeSigning", 0 },
        { NULL, CLIENT, 1, "OCSPSigning", 1 },
        { CLIENT, NULL, 0,
          "1.2.340282366920938463463374607431768211455."
          "340282366920938463463374607431768211455."
          "340282366920938463463374607431768211455."
          "340282366920938463463374607431768211455", 0 }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        profile = open_profile;
        profile.fixed = rows[i].fixed;

        if (rows[i].allowed != NULL) {
            list(&profile.ekus, rows[i].allowed);
        }

        if (rows[i].by_default != NULL) {
            profile.default_ekus[0] = rows[i].by_default;
            profile.ndefault_ekus = 1;
        }

        csr = asking(rows[i].asked);
        checked(&profile, csr, 0, rows[i].good ? NULL : "",
                rows[i].asked ? rows[i].asked : "no usages");
        pki_csr_free(csr);
    }
}


static void
test_self(void)
{
    pki_csr_t      *csr;
    pki_profile_t   profile;

    profile = open_profile;

    csr = asking("clientAuth");
    checked(&profile, csr, 1, NULL, "clientAuth");
    pki_csr_free(csr);

    csr = asking("clientAuth,emailProtection");
    checked(&profile, csr, 0, NULL, "and another");
    checked(&profile, csr, 1, "the extended key usage", "not alone");
    profile.fixed = 1;
    checked(&profile, csr, 1, "the request must have", "nor none");
    profile.default_ekus[0] = CLIENT;
    profile.ndefault_ekus = 1;
    checked(&profile, csr, 1, NULL, "but those that are given");
    profile.default_ekus[1] = SERVER;
    profile.ndefault_ekus = 2;
    checked(&profile, csr, 1, "self-service must ask", "if they are right");
    pki_csr_free(csr);

    profile.fixed = 0;
    csr = asking(NULL);
    checked(&profile, csr, 1, "self-service must ask", "also by default");
    profile.ndefault_ekus = 1;
    checked(&profile, csr, 1, NULL, "the right default");
    pki_csr_free(csr);
}


static void
test_keys(void)
{
    pki_csr_t      *csr;
    pki_profile_t   profile;

    profile = open_profile;
    csr = asking(NULL);

    profile.keys = PKI_KEYS_RSA | PKI_KEYS_P384;
    checked(&profile, csr, 0, "a key of this type", "P-256");
    profile.keys |= PKI_KEYS_P256;
    checked(&profile, csr, 0, NULL, "P-256");

    pki_csr_free(csr);
}


static void
test_words(void)
{
    char    text[64];
    size_t  i;

    static const struct {
        const char  *name;
        const char  *oid;           /* NULL: invalid */
    } ekus[] = {
        { "clientAuth", CLIENT },
        { "CLIENTAUTH", CLIENT },
        { "serverAuth", SERVER },
        { "smartcardLogon", "1.3.6.1.4.1.311.20.2.2" },
        { "pkInitKDC", "1.3.6.1.5.2.3.5" },
        { "documentSigning", "1.3.6.1.5.5.7.3.36" },
        { "anyExtendedKeyUsage", "2.5.29.37.0" },
        { "1.3.6.1.5.5.7.3.2", CLIENT },
        { "1.2.3", "1.2.3" },
        { "", NULL },
        { "1", NULL },
        { "1.", NULL },
        { "3.1.2", NULL },
        { "1.40.1", NULL },
        { "1.2.x", NULL },
        { "commonName", NULL },
        { "1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.20.21.22.23.240.250",
          NULL }
    };

    static const struct {
        const char  *name;
        int          bit;
    } usages[] = {
        { "digitalSignature", KU_DIGITAL_SIGNATURE },
        { "DigitalSignature", KU_DIGITAL_SIGNATURE },
        { "nonRepudiation", KU_NON_REPUDIATION },
        { "contentCommitment", KU_NON_REPUDIATION },
        { "keyEncipherment", KU_KEY_ENCIPHERMENT },
        { "dataEncipherment", KU_DATA_ENCIPHERMENT },
        { "keyAgreement", KU_KEY_AGREEMENT },
        { "encipherOnly", KU_ENCIPHER_ONLY },
        { "decipherOnly", KU_DECIPHER_ONLY },
        { "keyCertSign", 0 },
        { "cRLSign", 0 },
        { "", 0 }
    };

    for (i = 0; i < sizeof(ekus) / sizeof(ekus[0]); i++) {
        text[0] = '\0';

        if (ekus[i].oid == NULL) {
            is_int(pki_profile_eku(ekus[i].name, text, sizeof(text)),
                   PKI_INVALID, "no usage: \"%s\"", ekus[i].name);
            is_int(ERR_peek_error(), 0, "no error is left behind");
            continue;
        }

        is_int(pki_profile_eku(ekus[i].name, text, sizeof(text)), PKI_OK,
               "%s", ekus[i].name);
        is_str(text, ekus[i].oid, "its OID");
    }

    for (i = 0; i < sizeof(usages) / sizeof(usages[0]); i++) {
        is_int(pki_profile_key_usage(usages[i].name), usages[i].bit,
               "key usage \"%s\"", usages[i].name);
    }
}


static void
test_memory(void)
{
    int             hit, bad;
    long            n;
    pki_rc_t        rc;
    pki_csr_t      *csr;
    pki_err_t       err;
    pki_profile_t   profile;

    csr = pki_test_csr_of(key, "CN=a/O=b", "DNS:a,IP:1.2.3.4,"
                          PKI_TEST_UPN "b");
    profile = open_profile;
    list(&profile.subjects, "CN=*,O=*");
    bad = 0;
    hit = 1;

    for (n = 1; hit; n++) {
        err.text[0] = '\0';

        pki_test_fail_at(n);
        rc = pki_profile_check(&profile, csr, 0, &err);
        hit = pki_test_fail_hit();
        pki_test_fail_at(0);

        bad += hit ? rc != PKI_ERROR || err.text[0] == '\0' : rc != PKI_OK;
        bad += ERR_peek_error() != 0;
        ERR_clear_error();
    }

    is_int(bad, 0, "each of %ld allocations fails in turn", n - 2);
    pki_csr_free(csr);
}


static void
list(pki_patterns_t *patterns, const char *text)
{
    patterns->n = 1;
    patterns->patterns[0] = text;
}


/* why: NULL: it may; else how the sentence begins */

static void
checked(const pki_profile_t *profile, const pki_csr_t *csr, int self,
    const char *why, const char *name)
{
    pki_rc_t   rc;
    pki_err_t  err;

    err.text[0] = '\0';
    rc = pki_profile_check(profile, csr, self, &err);

    if (why == NULL) {
        is_int(rc, PKI_OK, "allowed: %.100s (%s)", name, err.text);
        return;
    }

    is_int(rc, PKI_INVALID, "refused: %.100s", name);
    ok(err.text[0] && strncmp(err.text, why, strlen(why)) == 0, "%s",
       err.text);
    is_int(ERR_peek_error(), 0, "no error is left behind");
}

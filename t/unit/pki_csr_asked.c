
/*
 * Subjects, attributes and extensions of requests: those that count, those
 * that are passed over, and those that make a request unreadable.
 */

#include "pki_test_csr.h"


static EVP_PKEY  *key;


static void test_subject(void);
static void test_lists(void);
static void test_extensions(void);
static void test_names(void);
static void test_usages(void);
static void test_sid(void);
static void test_lifetime(void);
static void test_pairs(void);
static void test_challenge(void);
static void refused(const pki_test_req_t *r, const char *why,
    const char *name);
static pki_test_req_t plain(void);


#define RAW(name, oid, der)                                                   \
    static const pki_test_raw_t  name[] = {                                   \
        { oid, 0, der, sizeof(der) - 1 },                                     \
        { NULL, 0, NULL, 0 }                                                  \
    }

#define OID_SAN  "2.5.29.17"
#define OID_KU   "2.5.29.15"
#define OID_EKU  "2.5.29.37"
#define OID_BC   "2.5.29.19"
#define OID_SID  "1.3.6.1.4.1.311.25.2"

#define SID_OID  "\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x19\x02\x01"


int
main(void)
{
    key = pki_test_key("P-256");

    test_subject();
    test_lists();
    test_extensions();
    test_names();
    test_usages();
    test_sid();
    test_lifetime();
    test_pairs();
    test_challenge();

    EVP_PKEY_free(key);

    return pki_test_done();
}


/* a subject that is BER becomes DER, or else it would be in certificates */

static void
test_subject(void)
{
    int                   len;
    X509_REQ             *req;
    X509_NAME            *name;
    pki_csr_t            *csr;
    pki_err_t             err;
    pki_bytes_t           body;
    unsigned char        *der;
    const unsigned char  *p;

    /* two values in one part, the wrong one first and one in pieces */

    static const unsigned char  ber[] = {
        0x30, 0x81, 0x1c, 0x31, 0x1a,
        0x30, 0x0d, 0x06, 0x03, 0x55, 0x04, 0x0a,
        0x2c, 0x06, 0x0c, 0x01, 'b', 0x0c, 0x01, 'c',
        0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x81, 0x01, 'a'
    };

    static const unsigned char  good[] = {
        0x30, 0x17, 0x31, 0x15,
        0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x01, 'a',
        0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x0a, 0x0c, 0x02, 'b', 'c'
    };

    p = ber;
    name = d2i_X509_NAME(NULL, &p, sizeof(ber));
    req = X509_REQ_new();
    pki_test_need(name != NULL && req != NULL
                  && X509_REQ_set_subject_name(req, name) == 1
                  && X509_REQ_set_pubkey(req, key) == 1
                  && X509_REQ_sign(req, key, EVP_sha256()) > 0, "a request");

    der = NULL;
    len = i2d_X509_REQ(req, &der);
    pki_test_need(len > 0, "a request");
    body.data = der;
    body.len = (size_t) len;

    is_int(pki_csr_read(body, &csr, &err), PKI_OK, "a subject in BER (%s)",
           err.text);
    OPENSSL_free(der);

    der = NULL;
    len = csr ? i2d_X509_NAME(csr->subject, &der) : 0;
    ok(len == sizeof(good) && memcmp(der, good, sizeof(good)) == 0,
       "is DER in the certificate");

    OPENSSL_free(der);
    pki_csr_free(csr);
    X509_REQ_free(req);
    X509_NAME_free(name);
}


static void
test_lists(void)
{
    pki_csr_t       *csr;
    pki_test_req_t   r;

    /* SEQUENCE { extensionRequest, SET { SEQUENCE {} } }, as more */

    static const unsigned char  empty[] =
        "\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e\x31\x02\x30\x00";
    static const unsigned char  two[] =
        "\x30\x11\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e\x31\x04\x30\x00"
        "\x30\x00";
    static const unsigned char  none[] =
        "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e\x31\x00";
    static const unsigned char  number[] =
        "\x30\x10\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e\x31\x03\x02\x01"
        "\x05";
    static const unsigned char  broken[] =
        "\x30\x11\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e\x31\x04\x30\x02"
        "\x05\x00";

    static const pki_test_ext_t  exts[] = {
        { NID_ext_key_usage, "clientAuth" },
        { 0, NULL }
    };

    r = plain();
    r.exts = exts;
    r.list = NID_ms_ext_req;
    csr = pki_test_csr(&r);
    is_int(sk_ASN1_OBJECT_num(csr->ekus), 1, "Microsoft's list");
    pki_csr_free(csr);

    r.more = (pki_bytes_t) { empty, sizeof(empty) - 1 };
    refused(&r, "the request has more than one list", "both lists");

    r.list = 0;
    refused(&r, "the request has more than one list", "two lists");

    r.exts = NULL;
    csr = pki_test_csr(&r);
    ok(csr->ekus == NULL && csr->sans == NULL, "an empty list");
    pki_csr_free(csr);

    r.more = (pki_bytes_t) { two, sizeof(two) - 1 };
    refused(&r, "the request's list of ext", "a list of two values");
    r.more = (pki_bytes_t) { none, sizeof(none) - 1 };
    refused(&r, "the request's list of ext", "a list of no value");
    r.more = (pki_bytes_t) { number, sizeof(number) - 1 };
    refused(&r, "the request's list of ext", "a number for a list");
    r.more = (pki_bytes_t) { broken, sizeof(broken) - 1 };
    refused(&r, "the request's list of ext", "a list of nothing");
}


static void
test_extensions(void)
{
    size_t          i;
    pki_csr_t      *csr;
    pki_test_raw_t  raws[3];
    pki_test_req_t  r;

    static const pki_test_ext_t  ca[] = {
        { NID_basic_constraints, "critical,CA:TRUE" }, { 0, NULL }
    };
    static const pki_test_ext_t  leaf[] = {
        { NID_basic_constraints, "critical,CA:FALSE" }, { 0, NULL }
    };
    static const pki_test_ext_t  sign[] = {
        { NID_key_usage, "digitalSignature,keyCertSign" }, { 0, NULL }
    };
    static const pki_test_ext_t  crl[] = {
        { NID_key_usage, "cRLSign" }, { 0, NULL }
    };

    static const pki_test_raw_t  broken[] = {
        { OID_BC, 0, "", 0 },
        { OID_BC, 0, "\x30\x00\x00", 3 },
        { OID_BC, 0, "\x30\x03\x01\x01\x01", 5 },
        { OID_BC, 0, "\x30\x03\x01\x01", 4 },
        { OID_BC, 0, "\x04\x00", 2 },
        { OID_KU, 0, "", 0 },
        { OID_KU, 0, "\x03\x00", 2 },
        { OID_KU, 0, "\x03\x01\x00", 3 },
        { OID_KU, 0, "\x03\x02\x08\x80", 4 },
        { OID_KU, 0, "\x03\x02\x07\x80\x00", 5 },
        { OID_KU, 0, "\x03\x04\x07\x80\x80\x80", 6 },
        { OID_KU, 0, "\x03\x02\x07\x00", 4 },
        { OID_KU, 0, "\x04\x02\x07\x80", 4 },
        { OID_EKU, 0, "", 0 },
        { OID_EKU, 0, "\x30\x00", 2 },
        { OID_EKU, 0, "\x30\x02\x06\x00", 4 },
        { OID_EKU, 0, "\x30\x03\x02\x01\x01", 5 },
        { OID_EKU, 0, "\x30\x04\x06\x02\x2a\x80", 6 },
        { OID_EKU, 0, "\x30\x03\x06\x01\x2a\x00", 6 },
        { OID_EKU, 0, "\x06\x01\x2a", 3 },
        { OID_SAN, 0, "", 0 },
        { OID_SAN, 0, "\x30\x03\x82\x02\x61", 5 },
        { OID_SAN, 0, "\x30\x03\x82\x01\x61\x00", 6 },
        { OID_SAN, 0, "\x30\x03\x8c\x01\x61", 5 },
        { OID_SAN, 0, "\x82\x01\x61", 3 },
        { OID_SAN, 0, "\x30\x02\xa0\x00", 4 }
    };

    r = plain();
    r.exts = leaf;
    csr = pki_test_csr(&r);
    ok(csr->key_usage == -1 && csr->sans == NULL, "CA:FALSE");
    pki_csr_free(csr);

    r.exts = ca;
    refused(&r, "certificates of CAs are not issued", "CA:TRUE");
    r.exts = sign;
    refused(&r, "certificates of CAs are not issued", "keyCertSign");
    r.exts = crl;
    refused(&r, "certificates of CAs are not issued", "cRLSign");
    r.exts = NULL;

    memset(raws, 0, sizeof(raws));
    r.raws = raws;

    for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        raws[0] = broken[i];
        refused(&r, "the extension ", broken[i].oid);
    }

    /* SCEPmanClient writes such instead of a key usage */

    raws[0] = (pki_test_raw_t) { "2.5.29.150", 1, "nonsense", 8 };
    csr = pki_test_csr(&r);
    ok(csr->key_usage == -1, "an unknown extension is passed over");
    pki_csr_free(csr);

    raws[0] = (pki_test_raw_t) { OID_KU, 0, "\x03\x02\x07\x80", 4 };
    raws[1] = raws[0];
    refused(&r, "the extension keyUsage is there twice", "two key usages");
    raws[0] = (pki_test_raw_t) { OID_SAN, 0, "\x30\x03\x82\x01\x61", 5 };
    raws[1] = raws[0];
    refused(&r, "the extension subjectAltName is there twice", "two SANs");
    raws[0] = (pki_test_raw_t) { OID_EKU, 0, "\x30\x03\x06\x01\x2a", 5 };
    raws[1] = raws[0];
    refused(&r, "the extension extKeyUsage is there twice", "two EKUs");
}


static void
test_names(void)
{
    int              i;
    char            *sans, *p;
    pki_csr_t       *csr;
    pki_test_ext_t   exts[2];
    pki_test_req_t   r;

    csr = pki_test_csr_of(key, NULL, "DNS:a,email:b@c,URI:d:e,IP:1.2.3.4,"
                          PKI_TEST_UPN "f,RID:1.2.3,"
                          "otherName:1.2.3;UTF8:g");
    is_int(sk_GENERAL_NAME_num(csr->sans), 5, "other kinds are dropped");
    is_int(sk_GENERAL_NAME_value(csr->sans, 4)->type, GEN_OTHERNAME,
           "in their order");
    pki_csr_free(csr);

    csr = pki_test_csr_of(key, NULL, "RID:1.2.3");
    ok(csr->sans == NULL, "and nothing may be left");
    pki_csr_free(csr);

    {
        RAW(number, OID_SAN, "\x30\x13\xa0\x11\x06\x0a\x2b\x06\x01\x04\x01"
            "\x82\x37\x14\x02\x03\xa0\x03\x02\x01\x05");

        r = plain();
        r.raws = number;
        csr = pki_test_csr(&r);
        ok(csr->sans == NULL, "a UPN that is a number");
        pki_csr_free(csr);
    }

    {
        RAW(none, OID_SAN, "\x30\x00");

        r = plain();
        r.raws = none;
        csr = pki_test_csr(&r);
        ok(csr->sans == NULL, "no names at all");
        pki_csr_free(csr);
    }

    sans = malloc((PKI_CSR_NAMES + 1) * 16);
    p = sans;

    for (i = 0; i <= PKI_CSR_NAMES; i++) {
        p += sprintf(p, "%sDNS:h%d", i ? "," : "", i);
    }

    memset(exts, 0, sizeof(exts));
    exts[0].nid = NID_subject_alt_name;
    exts[0].value = sans;
    r = plain();
    r.exts = exts;
    refused(&r, "there are more than 500 alternative names", "a name more");

    *strrchr(sans, ',') = '\0';
    csr = pki_test_csr(&r);
    is_int(sk_GENERAL_NAME_num(csr->sans), PKI_CSR_NAMES, "500 names");
    pki_csr_free(csr);

    free(sans);
}


static void
test_usages(void)
{
    int              i;
    char            *ekus, *p;
    pki_csr_t       *csr;
    pki_test_ext_t   exts[3];
    pki_test_req_t   r;

    memset(exts, 0, sizeof(exts));
    exts[0].nid = NID_ext_key_usage;
    exts[0].value = "critical,clientAuth,serverAuth,clientAuth";
    exts[1].nid = NID_key_usage;
    exts[1].value = "digitalSignature,decipherOnly,keyAgreement";
    r = plain();
    r.exts = exts;

    csr = pki_test_csr(&r);
    is_int(sk_ASN1_OBJECT_num(csr->ekus), 2, "each usage once");
    is_int(OBJ_obj2nid(sk_ASN1_OBJECT_value(csr->ekus, 0)), NID_client_auth,
           "the first");
    is_int(OBJ_obj2nid(sk_ASN1_OBJECT_value(csr->ekus, 1)), NID_server_auth,
           "the second");
    ok(csr->ekus_critical, "critical");
    is_int(csr->key_usage,
           KU_DIGITAL_SIGNATURE | KU_KEY_AGREEMENT | KU_DECIPHER_ONLY,
           "key usage of nine bits");
    pki_csr_free(csr);

    ekus = malloc((PKI_CSR_EKUS + 1) * 16);
    p = ekus;

    for (i = 0; i <= PKI_CSR_EKUS; i++) {
        p += sprintf(p, "%s1.2.%d", i ? "," : "", i);
    }

    exts[0].value = ekus;
    refused(&r, "the extension extKeyUsage has none, or more than 32",
            "a usage more");

    *strrchr(ekus, ',') = '\0';
    csr = pki_test_csr(&r);
    is_int(sk_ASN1_OBJECT_num(csr->ekus), PKI_CSR_EKUS, "32 usages");
    ok(!csr->ekus_critical, "not critical");
    pki_csr_free(csr);

    free(ekus);
}


static void
test_sid(void)
{
    size_t          i;
    char            cut[64];
    pki_csr_t      *csr;
    pki_test_raw_t  raws[2];
    pki_test_req_t  r;

#define SID_TEXT  "S-1-5-21-1-2-3-1107"
#define SID_GOOD  "\x30\x25\xa0\x23" SID_OID "\xa0\x15\x04\x13" SID_TEXT

    static const pki_test_raw_t  broken[] = {
        { OID_SID, 0, SID_GOOD "\x05\x00", sizeof(SID_GOOD) + 1 },
        { OID_SID, 0, "\x30\x16\xa0\x14" SID_OID "\xa0\x06\x04\x04" "S-1-",
          24 },
        { OID_SID, 0, "\x30\x17\xa0\x15" SID_OID "\xa0\x07\x04\x05" "S-1-x",
          25 },
        { OID_SID, 0, "\x30\x17\xa0\x15" SID_OID "\xa0\x07\x04\x05" "S-2-5",
          25 },
        { OID_SID, 0, "\x30\x17\xa0\x15" SID_OID "\xa0\x07\x0c\x05" "S-1-5",
          25 }
    };

    memset(raws, 0, sizeof(raws));
    raws[0] = (pki_test_raw_t) { OID_SID, 0, SID_GOOD, sizeof(SID_GOOD) - 1 };
    r = plain();
    r.raws = raws;

    csr = pki_test_csr(&r);
    ok(csr->sid != NULL
       && ASN1_STRING_length(csr->sid) == sizeof(SID_GOOD) - 1
       && memcmp(ASN1_STRING_get0_data(csr->sid), SID_GOOD,
                 sizeof(SID_GOOD) - 1) == 0, "a security identifier");
    pki_csr_free(csr);

    for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        raws[0] = broken[i];
        refused(&r, "the extension with the security id", "of another form");
    }

    for (i = 0; i < sizeof(SID_GOOD) - 1; i++) {
        memcpy(cut, SID_GOOD, i);
        raws[0] = (pki_test_raw_t) { OID_SID, 0, cut, i };
        refused(&r, "the extension with the security id", "cut");
    }
}


static void
test_lifetime(void)
{
    size_t          i;
    pki_csr_t      *csr;
    pki_test_req_t  r;

    static const struct {
        const char  *unit;
        const char  *count;
        long long    seconds;       /* -1: refused */
    } rows[] = {
        { NULL, NULL, 0 },
        { "Minutes", "90", 5400 },
        { "Hours", "1", 3600 },
        { "Days", "30", 30 * 86400 },
        { "days", "030", 30 * 86400 },
        { "Weeks", "2", 14 * 86400 },
        { "Months", "1", 30 * 86400 },
        { "Years", "1", 365 * 86400 },
        { "Years", "999999999", 999999999LL * 365 * 86400 },
        { "Years", "1000000000", -1 },
        { "Seconds", "1", -1 },
        { "Days", "0", -1 },
        { "Days", "-1", -1 },
        { "Days", "1.5", -1 },
        { "Days", " 1", -1 },
        { "Days", "", -1 },
        { "", "1", -1 },
        { "Days", "one", -1 },
        { "Days", "00000000000000000000000000000000000000001", -1 },
        { "Days", NULL, -1 },
        { NULL, "1", -1 }
    };

    r = plain();

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        r.unit = rows[i].unit;
        r.count = rows[i].count;

        if (rows[i].seconds < 0) {
            refused(&r, "the ", "a lifetime");
            continue;
        }

        csr = pki_test_csr(&r);
        is_int(csr->lifetime, rows[i].seconds, "%s %s",
               r.count ? r.count : "no", r.unit ? r.unit : "lifetime");
        pki_csr_free(csr);
    }
}


#define PAIR_OID  "\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x0d\x02\x01"
#define NAME      "\x0c\x0e" "ValidityPeriod"
#define UNITS     "\x13\x13" "ValidityPeriodUnits"

static void
test_pairs(void)
{
    size_t          i;
    pki_csr_t      *csr;
    pki_test_req_t  r;

    static const struct {
        const char  *name;
        const char  *der;
        size_t       len;
        long long    seconds;       /* -1: refused */
    } rows[] = {
        { "both in one attribute, other strings",
          "\x30\x42" PAIR_OID "\x31\x34"
          "\x30\x16" NAME "\x16\x04" "Days"
          "\x30\x1a" UNITS "\x13\x03" "007", 68, 7 * 86400 },
        { "another pair",
          "\x30\x1a" PAIR_OID "\x31\x0c\x30\x0a\x0c\x01" "a"
          "\x1e\x05\x04\x1f\x04\x30\x04", 28, -1 },
        { "another pair, in no ASCII",
          "\x30\x19" PAIR_OID "\x31\x0b\x30\x09\x0c\x01" "a"
          "\x1e\x04\x04\x1f\x04\x30", 27, 0 },
        { "no value at all", "\x30\x0e" PAIR_OID "\x31\x00", 16, 0 },
        { "half a pair", "\x30\x13" PAIR_OID "\x31\x05\x30\x03\x0c\x01" "a",
          21, -1 },
        { "a pair of numbers",
          "\x30\x16" PAIR_OID "\x31\x08\x30\x06\x02\x01\x01\x02\x01\x01", 24,
          -1 },
        { "a string", "\x30\x11" PAIR_OID "\x31\x03\x0c\x01" "a", 19, -1 },
        { "one twice",
          "\x30\x3e" PAIR_OID "\x31\x30"
          "\x30\x16" NAME "\x16\x04" "Days"
          "\x30\x16" NAME "\x16\x04" "Days", 64, -1 }
    };

    r = plain();

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        r.more = (pki_bytes_t) { (unsigned char *) rows[i].der,
                                 rows[i].len };

        if (rows[i].seconds < 0) {
            refused(&r, "the request has a pair", rows[i].name);
            continue;
        }

        csr = pki_test_csr(&r);
        is_int(csr->lifetime, rows[i].seconds, "%s", rows[i].name);
        pki_csr_free(csr);
    }
}


static void
test_challenge(void)
{
    char             text[PKI_CSR_CHALLENGE_MAX + 2];
    pki_csr_t       *csr;
    pki_test_req_t   r;
    unsigned char    longer[23 + PKI_CSR_CHALLENGE_MAX + 1];

    /* SEQUENCE { challengePassword, SET { UTF8String "a" } }, and so on */

    static const unsigned char  another[] =
        "\x30\x10\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07\x31\x03"
        "\x0c\x01" "a";
    static const unsigned char  nul[] =
        "\x30\x12\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07\x31\x05"
        "\x0c\x03" "a\0b";
    static const unsigned char  number[] =
        "\x30\x10\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07\x31\x03"
        "\x02\x01\x01";
    static const unsigned char  pair[] =
        "\x30\x13\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07\x31\x06"
        "\x0c\x01" "a" "\x0c\x01" "b";
    static const unsigned char  none[] =
        "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07\x31\x00";

    memset(text, 'x', sizeof(text));
    text[PKI_CSR_CHALLENGE_MAX] = '\0';

    r = plain();
    r.challenge = text;
    csr = pki_test_csr(&r);
    is_str(csr->challenge, text, "a challenge of 255 characters");
    pki_csr_free(csr);

    r.more = (pki_bytes_t) { another, sizeof(another) - 1 };
    refused(&r, "the request has more than one challenge", "two challenges");

    r.challenge = NULL;
    csr = pki_test_csr(&r);
    is_str(csr->challenge, "a", "of another string");
    pki_csr_free(csr);

    r.more = (pki_bytes_t) { nul, sizeof(nul) - 1 };
    refused(&r, "the challenge password", "with a NUL");
    r.more = (pki_bytes_t) { number, sizeof(number) - 1 };
    refused(&r, "the challenge password", "a number");
    r.more = (pki_bytes_t) { pair, sizeof(pair) - 1 };
    refused(&r, "the challenge password", "of two values");
    r.more = (pki_bytes_t) { none, sizeof(none) - 1 };
    refused(&r, "the challenge password", "of no value");

    memset(longer, 'x', sizeof(longer));
    memcpy(longer, "\x30\x82\x01\x13\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01"
           "\x09\x07\x31\x82\x01\x04\x0c\x82\x01\x00", 23);
    r.more = (pki_bytes_t) { longer, sizeof(longer) };
    refused(&r, "the challenge password", "of 256 characters");
}


static void
refused(const pki_test_req_t *r, const char *why, const char *name)
{
    pki_rc_t     rc;
    pki_err_t    err;
    pki_csr_t   *csr;
    pki_bytes_t  der;

    err.text[0] = '\0';
    der = pki_test_req_der(pki_test_req(r));
    rc = pki_csr_read(der, &csr, &err);

    is_int(rc, PKI_INVALID, "refused: %s", name);
    ok(csr == NULL && strncmp(err.text, why, strlen(why)) == 0, "%s",
       err.text);
    is_int(ERR_peek_error(), 0, "no error is left behind");

    pki_csr_free(csr);
    OPENSSL_free((unsigned char *) der.data);
}


static pki_test_req_t
plain(void)
{
    pki_test_req_t  r;

    memset(&r, 0, sizeof(pki_test_req_t));
    r.key = key;
    r.subject = "CN=a";

    return r;
}

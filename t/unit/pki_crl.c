
/*
 * CRLs against OpenSSL's reader: each field and extension, and who is
 * refused with them; and that our own reader gives back what was written.
 */

#include "pki_test_crl.h"


#define TEST_MANY   100000
#define TEST_SPEED  300000          /* microseconds of CPU for that many, with
                                       sanitizers */


static void test_kinds(const char *kind, const char *want);
static void test_empty(void);
static void test_entries(void);
static void test_times(void);
static void test_numbers(void);
static void test_extensions(void);
static void test_no_key_id(void);
static void test_sort(void);
static void test_delta(void);
static void test_refused_ones(void);
static void test_refused(void);
static void test_many(void);
static void test_memory(void);


int
main(void)
{
    test_start();

    test_kinds("P-256", "ecdsa-with-SHA256");
    test_kinds("P-384", "ecdsa-with-SHA384");
    test_kinds("P-521", "ecdsa-with-SHA512");
    test_kinds("RSA2048", "sha256WithRSAEncryption");
    test_kinds("ED25519", "ED25519");
    test_kinds("ED448", "ED448");
    test_empty();
    test_entries();
    test_times();
    test_numbers();
    test_extensions();
    test_no_key_id();
    test_sort();
    test_delta();
    test_refused_ones();
    test_refused();
    test_many();
    test_memory();

    test_stop();

    return pki_test_done();
}


static time_t
test_time(const ASN1_TIME *t)
{
    struct tm  tm;

    return ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm) : -1;
}


/* reading back brings what was written */

static void
test_read_back(const pki_crl_plan_t *plan, const pki_crl_entry_t *entries,
    size_t n, pki_bytes_t der)
{
    size_t            i, got, same;
    pki_err_t         err;
    pki_crl_plan_t    back;
    pki_crl_entry_t  *list;

    is_int(pki_crl_read(plan->issuer, der, &back, &list, &got, &err), PKI_OK,
           "read back");
    is_int(got, n, "all entries");
    is_int(back.number, plan->number, "number");
    is_int(back.base, plan->base, "base");
    is_int(back.this_update, plan->this_update, "thisUpdate");
    is_int(back.next_update, plan->next_update, "nextUpdate");
    is_int(back.partial, plan->partial, "scope");

    for (same = 0, i = 0; i < n && i < got; i++) {
        same += list[i].serial.len == entries[i].serial.len
                && memcmp(list[i].serial.data, entries[i].serial.data,
                          entries[i].serial.len) == 0
                && list[i].at == entries[i].at
                && list[i].invalidity == entries[i].invalidity
                && list[i].reason == entries[i].reason;
    }

    is_int(same, n, "as they were");
    OPENSSL_free(list);
}


static void
test_kinds(const char *kind, const char *want)
{
    X509              *cert;
    X509_CRL          *crl;
    EVP_PKEY          *key;
    pki_err_t          err;
    pki_bytes_t        der;
    pki_crl_plan_t     plan;
    pki_crl_entry_t    entry;
    const X509_ALGOR  *algorithm;

    key = pki_test_key(kind);
    cert = pki_test_ca(kind, key);
    plan = test_plan(7);
    plan.issuer = pki_issuer_create(cert, key, &err);
    pki_test_need(plan.issuer != NULL, err.text);

    entry = test_entry("40AB", PKI_REASON_KEY_COMPROMISE);
    crl = test_issue(&plan, &entry, 1, &der);

    X509_CRL_get0_signature(crl, NULL, &algorithm);
    is_str(OBJ_nid2sn(OBJ_obj2nid(algorithm->algorithm)),
           OBJ_nid2sn(OBJ_txt2nid(want)), "%s signs with %s", kind, want);
    is_int(X509_NAME_cmp(X509_CRL_get_issuer(crl),
                         X509_get_subject_name(cert)),
           0, "its name");
    test_read_back(&plan, &entry, 1, der);

    test_free(der);
    X509_CRL_free(crl);
    pki_issuer_free((pki_issuer_t *) plan.issuer);
    X509_free(cert);
    EVP_PKEY_free(key);
}


static void
test_empty(void)
{
    X509_CRL        *crl;
    pki_bytes_t      der;
    pki_crl_plan_t   plan;

    plan = test_plan(1);
    crl = test_issue(&plan, NULL, 0, &der);

    ok(X509_CRL_get_REVOKED(crl) == NULL, "no list at all");
    is_int(X509_CRL_get_version(crl), X509_CRL_VERSION_2, "version 2");
    is_int(test_time(X509_CRL_get0_lastUpdate(crl)), TEST_T, "thisUpdate");
    is_int(test_time(X509_CRL_get0_nextUpdate(crl)), TEST_T + 8640,
           "nextUpdate");
    is_int(X509_CRL_get_ext_count(crl), 2, "AKI and number, no more");
    test_read_back(&plan, NULL, 0, der);

    test_free(der);
    X509_CRL_free(crl);
}


static void
test_entries(void)
{
    int                i, reason, critical;
    X509_CRL          *crl;
    ASN1_TIME         *invalidity;
    pki_bytes_t        der;
    ASN1_INTEGER      *serial;
    X509_REVOKED      *revoked;
    pki_crl_plan_t     plan;
    ASN1_ENUMERATED   *value;
    pki_crl_entry_t    e[12];

    static const pki_reason_t  reasons[12] = {
        PKI_REASON_UNSPECIFIED, PKI_REASON_KEY_COMPROMISE,
        PKI_REASON_CA_COMPROMISE, PKI_REASON_AFFILIATION_CHANGED,
        PKI_REASON_SUPERSEDED, PKI_REASON_CESSATION_OF_OPERATION,
        PKI_REASON_CERTIFICATE_HOLD, PKI_REASON_PRIVILEGE_WITHDRAWN,
        PKI_REASON_AA_COMPROMISE, PKI_REASON_UNSPECIFIED,
        PKI_REASON_UNSPECIFIED, PKI_REASON_REMOVE_FROM_CRL
    };

    static const char  *const serials[12] = {
        "01", "7F", "80", "FF", "0100", "8000", "400102", "410000FF",
        "4142434445464748494A4B4C4D4E4F5051525354",
        "7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFE",
        "7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
    };

    for (i = 0; i < 12; i++) {
        e[i] = test_entry(serials[i], reasons[i]);
        e[i].invalidity = i % 2 ? TEST_T - 1000 - i : 0;
    }

    plan = test_plan(2);
    crl = test_issue(&plan, e, 11, NULL);
    is_int(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), 11, "eleven");

    for (i = 0; i < 11; i++) {
        serial = ASN1_INTEGER_new();
        pki_test_need(serial != NULL
                      && ASN1_STRING_set(serial, e[i].serial.data,
                                         (int) e[i].serial.len) == 1,
                      "serial");
        is_int(X509_CRL_get0_by_serial(crl, &revoked, serial),
               reasons[i] == PKI_REASON_REMOVE_FROM_CRL ? 2 : 1,
               "%s is in it", serials[i]);
        ASN1_INTEGER_free(serial);

        is_int(test_time(X509_REVOKED_get0_revocationDate(revoked)), e[i].at,
               "since when");

        value = X509_REVOKED_get_ext_d2i(revoked, NID_crl_reason, &critical,
                                         NULL);
        reason = value ? (int) ASN1_ENUMERATED_get(value) : 0;
        ASN1_ENUMERATED_free(value);
        is_int(reason, reasons[i], "its reason");
        is_int(value != NULL, reasons[i] != 0, "only where there is one");
        ok(value == NULL || critical == 0, "not critical");

        invalidity = X509_REVOKED_get_ext_d2i(revoked, NID_invalidity_date,
                                              NULL, NULL);
        is_int(invalidity ? test_time(invalidity) : 0, e[i].invalidity,
               "since when it is invalid");
        ok(invalidity == NULL
           || ASN1_STRING_type(invalidity) == V_ASN1_GENERALIZEDTIME,
           "a GeneralizedTime");
        ASN1_TIME_free(invalidity);
        is_int(X509_REVOKED_get_ext_count(revoked),
               (reasons[i] != 0) + (e[i].invalidity != 0), "nothing else");
    }

    X509_CRL_free(crl);

    /* the longest entry that there is, many times over, fits */

    for (i = 0; i < 12; i++) {
        e[i] = test_entry(serials[9], PKI_REASON_REMOVE_FROM_CRL);
        e[i].serial.data[0] = 0xff;
        e[i].serial.data[19] = (unsigned char) i;
        e[i].at = PKI_TEST_DAY * 100000LL;
        e[i].invalidity = e[i].at;
    }

    crl = test_issue(&plan, e, 12, &der);
    is_int(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), 12, "the longest");
    X509_CRL_free(crl);
    test_free(der);
}


static void
test_times(void)
{
    unsigned            i;
    X509_CRL           *crl;
    pki_bytes_t         der;
    X509_REVOKED       *revoked;
    pki_crl_plan_t      plan;
    pki_crl_entry_t     e;
    const ASN1_TIME    *at;

    static const struct {
        long long  t;
        int        type;
    } cases[] = {
        { 0, V_ASN1_UTCTIME },
        { 951782400, V_ASN1_UTCTIME },              /* 2000-02-29 */
        { 2524607999LL, V_ASN1_UTCTIME },           /* the end of 2049 */
        { 2524608000LL, V_ASN1_GENERALIZEDTIME },
        { 253402300799LL, V_ASN1_GENERALIZEDTIME }  /* the end of 9999 */
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        plan = test_plan(3);
        plan.this_update = cases[i].t;
        plan.next_update = cases[i].t;
        e = test_entry("4001", PKI_REASON_SUPERSEDED);
        e.at = cases[i].t;

        crl = test_issue(&plan, &e, 1, &der);
        revoked = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), 0);
        at = X509_REVOKED_get0_revocationDate(revoked);

        is_int(test_time(at), cases[i].t, "%lld of an entry", cases[i].t);
        is_int(ASN1_STRING_type(at), cases[i].type, "its type");

        at = X509_CRL_get0_nextUpdate(crl);
        is_int(test_time(at), cases[i].t, "as nextUpdate");
        is_int(ASN1_STRING_type(at), cases[i].type, "its type");

        test_read_back(&plan, &e, 1, der);
        test_free(der);
        X509_CRL_free(crl);
    }
}


static void
test_numbers(void)
{
    char             *hex;
    BIGNUM           *bn;
    unsigned          i;
    X509_CRL         *crl;
    pki_bytes_t       der;
    ASN1_INTEGER     *number;
    pki_crl_plan_t    plan;

    static const struct {
        unsigned long long  n;
        const char         *hex;
    } cases[] = {
        { 1, "01" }, { 127, "7F" }, { 128, "80" }, { 255, "FF" },
        { 256, "0100" }, { 0x8000000000000000ULL, "8000000000000000" },
        { 0xffffffffffffffffULL, "FFFFFFFFFFFFFFFF" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        plan = test_plan(cases[i].n);
        crl = test_issue(&plan, NULL, 0, &der);

        number = X509_CRL_get_ext_d2i(crl, NID_crl_number, NULL, NULL);
        bn = ASN1_INTEGER_to_BN(number, NULL);
        hex = BN_bn2hex(bn);
        is_str(hex, cases[i].hex, "number %s", cases[i].hex);
        test_read_back(&plan, NULL, 0, der);

        OPENSSL_free(hex);
        BN_free(bn);
        ASN1_INTEGER_free(number);
        test_free(der);
        X509_CRL_free(crl);
    }
}


/* Is the extension there (1, 2: critical), and what does OpenSSL print? */

static int
test_extension(X509_CRL *crl, int nid, char *text, size_t size)
{
    int              i, n;
    BIO             *out;
    X509_EXTENSION  *extension;

    text[0] = '\0';
    i = X509_CRL_get_ext_by_NID(crl, nid, -1);

    if (i < 0) {
        return 0;
    }

    extension = X509_CRL_get_ext(crl, i);
    out = BIO_new(BIO_s_mem());
    pki_test_need(out != NULL && X509V3_EXT_print(out, extension, 0, 0) == 1,
                  "print");
    n = BIO_read(out, text, (int) size - 1);
    text[n > 0 ? n : 0] = '\0';
    BIO_free(out);

    return 1 + X509_EXTENSION_get_critical(extension);
}


static void
test_extensions(void)
{
    int               critical;
    char              text[2048], url[1200];
    X509_CRL         *crl;
    pki_bytes_t       der;
    AUTHORITY_KEYID  *id;
    pki_crl_plan_t    plan;

    plan = test_plan(300);
    plan.freshest = "http://pki.example/delta.crl";
    plan.point = "http://pki.example/full.crl";
    plan.partial = 1;
    crl = test_issue(&plan, NULL, 0, &der);

    id = X509_CRL_get_ext_d2i(crl, NID_authority_key_identifier, &critical,
                              NULL);
    ok(id != NULL && critical == 0
       && ASN1_OCTET_STRING_cmp(id->keyid, X509_get0_subject_key_id(ca)) == 0
       && id->issuer == NULL && id->serial == NULL, "AKI as the CA's SKI");
    AUTHORITY_KEYID_free(id);

    is_int(test_extension(crl, NID_crl_number, text, sizeof(text)), 1,
           "number, not critical");
    is_int(test_extension(crl, NID_delta_crl, text, sizeof(text)), 0,
           "not a delta");
    is_int(test_extension(crl, NID_freshest_crl, text, sizeof(text)), 1,
           "freshest, not critical");
    ok(strstr(text, "Full Name:") && strstr(text, "URI:http://pki.example/"
                                            "delta.crl"),
       "its URL: %s", text);
    is_int(test_extension(crl, NID_issuing_distribution_point, text,
                          sizeof(text)), 2, "scope, critical");
    ok(strstr(text, "URI:http://pki.example/full.crl")
       && strstr(text, "Only User Certificates"), "its URL: %s", text);
    test_read_back(&plan, NULL, 0, der);
    test_free(der);
    X509_CRL_free(crl);

    plan.base = 255;
    plan.point = NULL;
    crl = test_issue(&plan, NULL, 0, &der);
    is_int(test_extension(crl, NID_delta_crl, text, sizeof(text)), 2,
           "a delta says so, critical");
    is_str(text, "255", "to which");
    is_int(test_extension(crl, NID_freshest_crl, text, sizeof(text)), 0,
           "and has none of its own");
    is_int(test_extension(crl, NID_issuing_distribution_point, text,
                          sizeof(text)), 2, "its scope");
    ok(strstr(text, "Only User Certificates") && !strstr(text, "URI"),
       "without a URL: %s", text);
    test_read_back(&plan, NULL, 0, der);
    test_free(der);
    X509_CRL_free(crl);

    plan = test_plan(1);
    memset(url, 'u', sizeof(url));
    memcpy(url, "http://", 7);
    url[sizeof(url) - 1] = '\0';
    plan.point = url;
    plan.freshest = url;
    crl = test_issue(&plan, NULL, 0, &der);
    is_int(test_extension(crl, NID_issuing_distribution_point, text,
                          sizeof(text)), 2, "a scope by its URL alone");
    ok(strstr(text, url) && !strstr(text, "Only"), "a long one");
    test_read_back(&plan, NULL, 0, der);
    test_free(der);
    X509_CRL_free(crl);
}


static void
test_no_key_id(void)
{
    X509             *cert;
    X509_CRL         *crl;
    pki_err_t         err;
    pki_crl_plan_t    plan;
    pki_test_cert_t   c;
    AUTHORITY_KEYID  *id;

    static const pki_test_ext_t  exts[] = {
        { NID_basic_constraints, "critical,CA:TRUE" },
        { 0, NULL }
    };

    memset(&c, 0, sizeof(c));
    c.serial = "11";
    c.key = ca_key;
    c.from = pki_test_now();
    c.to = pki_test_now() + PKI_TEST_DAY;
    c.exts = exts;
    cert = pki_test_cert(&c);

    plan = test_plan(1);
    plan.issuer = pki_issuer_create(cert, ca_key, &err);
    pki_test_need(plan.issuer != NULL, err.text);

    crl = test_issue(&plan, NULL, 0, NULL);
    id = X509_CRL_get_ext_d2i(crl, NID_authority_key_identifier, NULL, NULL);
    ok(id != NULL && ASN1_STRING_length(id->keyid) == 20, "a hash");
    is_mem(ASN1_STRING_get0_data(id->keyid),
           plan.issuer->hash[PKI_DIGEST_SHA1].key, 20, "of the key");

    AUTHORITY_KEYID_free(id);
    X509_CRL_free(crl);
    pki_issuer_free((pki_issuer_t *) plan.issuer);
    X509_free(cert);
}


static void
test_sort(void)
{
    pki_crl_entry_t  e[7];

    is_int(pki_crl_sort(NULL, 0), 0, "nothing");

    e[0] = test_entry("4102", PKI_REASON_CERTIFICATE_HOLD);
    e[0].at = 1;
    e[1] = test_entry("4101", PKI_REASON_SUPERSEDED);
    e[2] = test_entry("0102", PKI_REASON_SUPERSEDED);
    e[3] = test_entry("410100", PKI_REASON_SUPERSEDED);
    e[4] = test_entry("4102", PKI_REASON_KEY_COMPROMISE);
    e[4].at = 9;
    e[5] = test_entry("4102", PKI_REASON_SUPERSEDED);
    e[5].at = 8;
    e[6] = test_entry("FF", PKI_REASON_SUPERSEDED);

    is_int(pki_crl_sort(e, 7), 5, "two are the same");
    is_int(e[0].serial.data[0], 0xff, "the shortest is the smallest");
    is_int(e[1].serial.data[0], 0x01, "then by octets");
    is_int(e[2].serial.data[1], 0x01, "...");
    is_int(e[3].serial.data[1], 0x02, "...");
    is_int(e[3].reason, PKI_REASON_SUPERSEDED, "final beats hold");
    is_int(e[3].at, 8, "the earliest of those");
    is_int(e[4].serial.len, 3, "the longest is the greatest");
}


static void
test_delta(void)
{
    size_t           n;
    pki_crl_entry_t  base[5], now[5], delta[10];

    base[0] = test_entry("4001", PKI_REASON_SUPERSEDED);
    base[1] = test_entry("4002", PKI_REASON_CERTIFICATE_HOLD);
    base[2] = test_entry("4003", PKI_REASON_CERTIFICATE_HOLD);
    base[3] = test_entry("4004", PKI_REASON_SUPERSEDED);
    base[4] = test_entry("4009", PKI_REASON_CERTIFICATE_HOLD);
    now[0] = test_entry("4000", PKI_REASON_KEY_COMPROMISE);
    now[1] = base[0];
    now[2] = test_entry("4002", PKI_REASON_KEY_COMPROMISE);
    now[3] = test_entry("4004", PKI_REASON_SUPERSEDED);
    now[3].invalidity = 12;
    now[4] = test_entry("4005", PKI_REASON_CERTIFICATE_HOLD);

    n = pki_crl_delta(base, 5, now, 5, 77, delta);
    is_int(n, 6, "six changes");
    is_int(delta[0].serial.data[1], 0, "a new one in front");
    is_int(delta[0].reason, PKI_REASON_KEY_COMPROMISE, "...");
    is_int(delta[1].serial.data[1], 2, "one that is final now");
    is_int(delta[1].reason, PKI_REASON_KEY_COMPROMISE, "...");
    is_int(delta[2].serial.data[1], 3, "one that is gone");
    is_int(delta[2].reason, PKI_REASON_REMOVE_FROM_CRL, "...");
    is_int(delta[2].at, 77, "by now");
    is_int(delta[2].invalidity, 0, "...");
    is_int(delta[3].serial.data[1], 4, "one that says more");
    is_int(delta[3].invalidity, 12, "...");
    is_int(delta[4].serial.data[1], 5, "a new one");
    is_int(delta[5].serial.data[1], 9, "one that is gone at the end");

    is_int(pki_crl_delta(base, 5, base, 5, 77, delta), 0, "no change");
    is_int(pki_crl_delta(NULL, 0, now, 5, 77, delta), 5, "all are new");
    is_int(pki_crl_delta(base, 5, NULL, 0, 77, delta), 5, "all are gone");
    is_int(pki_crl_delta(NULL, 0, NULL, 0, 77, delta), 0, "nothing");
}


/* Which of the serial numbers 0x4000 .. 0x4005 does OpenSSL refuse? */

static const char *
test_who(X509_CRL *full, X509_CRL *delta)
{
    char             serial[16];
    int              i, error;
    X509            *cert;
    EVP_PKEY        *key;
    X509_STORE      *store;
    X509_STORE_CTX  *ctx;

    static char  refused[16];

    key = pki_test_key("P-256");
    store = X509_STORE_new();
    pki_test_need(store && X509_STORE_add_cert(store, ca) == 1
                  && X509_STORE_add_crl(store, full) == 1
                  && (delta == NULL || X509_STORE_add_crl(store, delta) == 1),
                  "store");
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK
                                | X509_V_FLAG_CRL_CHECK_ALL
                                | X509_V_FLAG_EXTENDED_CRL_SUPPORT
                                | (delta ? X509_V_FLAG_USE_DELTAS : 0));

    for (i = 0; i < 6; i++) {
        (void) snprintf(serial, sizeof(serial), "400%d", i);
        cert = pki_test_issued("leaf", serial, ca, ca_key, key,
                               pki_test_leaf_exts);
        ctx = X509_STORE_CTX_new();
        pki_test_need(ctx && X509_STORE_CTX_init(ctx, store, cert, NULL) == 1,
                      "store context");
        error = X509_verify_cert(ctx) == 1 ? 0 : X509_STORE_CTX_get_error(ctx);
        refused[i] = error == 0 ? '-'
                     : error == X509_V_ERR_CERT_REVOKED ? 'R' : '?';

        X509_STORE_CTX_free(ctx);
        X509_free(cert);
    }

    X509_STORE_free(store);
    EVP_PKEY_free(key);

    return refused;
}


static void
test_refused_ones(void)
{
    size_t            n;
    X509_CRL         *full, *next, *delta;
    pki_crl_plan_t    plan;
    pki_crl_entry_t   base[3], now[3], changed[6];

    base[0] = test_entry("4001", PKI_REASON_SUPERSEDED);
    base[1] = test_entry("4002", PKI_REASON_CERTIFICATE_HOLD);
    base[2] = test_entry("4003", PKI_REASON_CERTIFICATE_HOLD);
    now[0] = test_entry("4000", PKI_REASON_UNSPECIFIED);
    now[1] = base[0];
    now[2] = test_entry("4003", PKI_REASON_KEY_COMPROMISE);

    plan = test_plan(10);
    plan.this_update = pki_test_now() - 60;
    plan.next_update = pki_test_now() + 3600;
    plan.freshest = "http://pki.example/delta";

    full = test_issue(&plan, base, 3, NULL);
    is_str(test_who(full, NULL), "-RRR--", "by the full list");

    plan.number = 11;
    next = test_issue(&plan, now, 3, NULL);
    is_str(test_who(next, NULL), "RR-R--", "by the next one");

    n = pki_crl_delta(base, 3, now, 3, plan.this_update, changed);
    plan.base = 10;
    delta = test_issue(&plan, changed, n, NULL);
    is_str(test_who(full, delta), "RR-R--", "by the first and the delta");

    X509_CRL_free(full);
    X509_CRL_free(next);
    X509_CRL_free(delta);
}


static void
test_refused(void)
{
    size_t            len;
    pki_err_t         err;
    unsigned char    *der;
    pki_crl_plan_t    plan;
    pki_crl_entry_t   e;

    plan = test_plan(1);
    plan.issuer = pki_issuer_create(ca, NULL, &err);
    pki_test_need(plan.issuer != NULL, err.text);
    is_int(pki_crl_issue(&plan, NULL, 0, &der, &len, &err), PKI_ERROR,
           "no key");
    ok(strstr(err.text, "key"), "says so: %s", err.text);
    pki_issuer_free((pki_issuer_t *) plan.issuer);

    plan = test_plan(1);
    plan.next_update = -1;
    is_int(pki_crl_issue(&plan, NULL, 0, &der, &len, &err), PKI_ERROR,
           "a time before 1970");
    ok(strstr(err.text, "time"), "says so: %s", err.text);

    plan = test_plan(1);
    e = test_entry("4001", PKI_REASON_SUPERSEDED);
    e.at = 253402300800LL;
    is_int(pki_crl_issue(&plan, &e, 1, &der, &len, &err), PKI_ERROR,
           "a time after 9999");
    e.at = 1;
    e.invalidity = -5;
    is_int(pki_crl_issue(&plan, &e, 1, &der, &len, NULL), PKI_ERROR,
           "an invalidity before 1970");
}


static void
test_many(void)
{
    clock_t           start;
    unsigned          i, k;
    X509_CRL         *crl;
    long              encode, decode;
    pki_err_t         err;
    pki_bytes_t       der;
    unsigned char    *out;
    pki_crl_plan_t    plan;
    pki_crl_entry_t  *e;

    e = malloc(TEST_MANY * sizeof(pki_crl_entry_t));
    pki_test_need(e != NULL, "memory");

    srand(4);

    for (i = 0; i < TEST_MANY; i++) {
        e[i] = test_entry("40", i % 11 == 7 ? PKI_REASON_UNSPECIFIED : i % 7);
        e[i].serial.len = 20;

        for (k = 1; k < 20; k++) {
            e[i].serial.data[k] = (unsigned char) rand();
        }
    }

    start = clock();
    is_int(pki_crl_sort(e, TEST_MANY), TEST_MANY, "a hundred thousand");
    plan = test_plan(99);
    is_int(pki_crl_issue(&plan, e, TEST_MANY, &out, &der.len, &err), PKI_OK,
           "issued");
    encode = (long) ((clock() - start) * 1000000LL / CLOCKS_PER_SEC);
    der.data = out;

    start = clock();
    test_read_back(&plan, e, TEST_MANY, der);
    decode = (long) ((clock() - start) * 1000000LL / CLOCKS_PER_SEC);

    printf("# %zu octets, sorted and issued in %ld us, read in %ld us\n",
           der.len, encode, decode);
    ok(encode < TEST_SPEED, "fast enough");

    out = (unsigned char *) der.data;
    crl = d2i_X509_CRL(NULL, (const unsigned char **) &out, (long) der.len);
    is_int(crl ? sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)) : -1,
           TEST_MANY, "OpenSSL reads as many");

    X509_CRL_free(crl);
    test_free(der);
    free(e);
}


static void
test_memory(void)
{
    long              i;
    size_t            len;
    pki_rc_t          rc;
    pki_err_t         err;
    unsigned char    *out;
    pki_crl_plan_t    plan;
    pki_crl_entry_t   e;

    e = test_entry("4001", PKI_REASON_KEY_COMPROMISE);
    plan = test_plan(5);

    for (i = 1; i < 1000; i++) {
        pki_test_fail_at(i);
        rc = pki_crl_issue(&plan, &e, 1, &out, &len, &err);
        pki_test_fail_at(0);

        if (rc == PKI_OK) {
            break;
        }

        if (rc != PKI_ERROR || err.text[0] == '\0') {
            ok(0, "without allocation %ld: %d", i, (int) rc);
        }
    }

    ok(i > 3 && i < 1000, "none survives %ld failures", i - 1);
    OPENSSL_free(out);
}

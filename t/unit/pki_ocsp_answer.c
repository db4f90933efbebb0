
/*
 * Answers, read by OpenSSL as a client would: it verifies the signature and
 * the responder, compares the nonce and finds each status.
 */

#include "pki_test_ca.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include "pki_ocsp.h"


#define CERTS  16
#define NONCE  "0123456789abcdef0123456789abcdef"


typedef struct {
    EVP_PKEY             *ca_key;
    X509                 *ca;
    pki_issuer_t         *issuer;
    pki_signer_t         *signer;
} setup_t;


static void setup(setup_t *s, const char *ca_kind, const char *kind);
static void teardown(setup_t *s);

static void test_kinds(const char *ca_kind, const char *kind,
    const char *signature);
static void test_status(void);
static void test_extended(void);
static void test_archive(void);
static void test_nonces(void);
static void test_certids(void);
static void test_preferred(const char *kind, int nid, int other, int foreign);
static void test_sixteen(void);
static void test_sizes(void);
static void test_refused(void);
static void test_errors(void);
static void test_memory(void);

static void ask(const setup_t *s, const EVP_MD *md, unsigned n,
    const char *nonce, int prefer);
static OCSP_BASICRESP *reply(void);
static OCSP_BASICRESP *sign(setup_t *s);
static int verified(const setup_t *s, OCSP_BASICRESP *basic);
static void is_time(const ASN1_GENERALIZEDTIME *t, time_t want,
    const char *name);


static time_t              now;
static OCSP_REQUEST       *asked;
static unsigned char      *asked_der;

static pki_certid_t        certs[CERTS];
static pki_verdict_t       verdicts[CERTS];
static pki_ocsp_request_t  request;
static pki_ocsp_answer_t   answer;

static unsigned char       buf[8192];
static size_t              len;
static pki_err_t           err;


int
main(void)
{
    pki_test_alloc_hook();

    now = pki_test_now();

    test_kinds("P-256", NULL, "ecdsa-with-SHA256");
    test_kinds("P-384", NULL, "ecdsa-with-SHA384");
    test_kinds("P-521", NULL, "ecdsa-with-SHA512");
    test_kinds("RSA2048", NULL, "sha256WithRSAEncryption");
    test_kinds("ED25519", NULL, "ED25519");
    test_kinds("ED448", NULL, "ED448");
    test_kinds("P-256", "P-256", "ecdsa-with-SHA256");
    test_kinds("P-384", "RSA2048", "sha256WithRSAEncryption");
    test_kinds("RSA2048", "P-384", "ecdsa-with-SHA384");
    test_kinds("ED25519", "P-521", "ecdsa-with-SHA512");
    test_kinds("RSA2048", "ED25519", "ED25519");
    test_status();
    test_extended();
    test_archive();
    test_nonces();
    test_certids();
    test_preferred("P-256", NID_ecdsa_with_SHA384, NID_ecdsa_with_SHA256,
                   NID_sha512WithRSAEncryption);
    test_preferred("RSA2048", NID_sha512WithRSAEncryption,
                   NID_sha256WithRSAEncryption, NID_ecdsa_with_SHA384);
    test_preferred("ED25519", NID_ED25519, NID_ED25519,
                   NID_ecdsa_with_SHA384);
    test_sixteen();
    test_sizes();
    test_refused();
    test_errors();
    test_memory();

    OCSP_REQUEST_free(asked);
    OPENSSL_free(asked_der);

    return pki_test_done();
}


/* kind NULL: the CA signs itself */

static void
setup(setup_t *s, const char *ca_kind, const char *kind)
{
    X509      *cert;
    EVP_PKEY  *key;

    s->ca_key = pki_test_key(ca_kind);
    s->ca = pki_test_ca("Test CA", s->ca_key);
    s->issuer = pki_issuer_create(s->ca, s->ca_key, &err);
    pki_test_need(s->issuer != NULL, err.text);

    if (kind == NULL) {
        s->signer = pki_signer_create(s->issuer, s->ca, s->ca_key, &err);

    } else {
        key = pki_test_key(kind);
        cert = pki_test_issued("responder", "0102", s->ca, s->ca_key, key,
                               pki_test_responder_exts);
        s->signer = pki_signer_create(s->issuer, cert, key, &err);

        X509_free(cert);
        EVP_PKEY_free(key);
    }

    pki_test_need(s->signer != NULL, err.text);
}


static void
teardown(setup_t *s)
{
    pki_signer_free(s->signer);
    pki_issuer_free(s->issuer);
    X509_free(s->ca);
    EVP_PKEY_free(s->ca_key);
}


static void
test_kinds(const char *ca_kind, const char *kind, const char *signature)
{
    unsigned                     round;
    setup_t                      s;
    OCSP_BASICRESP              *basic;
    const X509_ALGOR            *alg;
    const X509_NAME             *name;
    const ASN1_OBJECT           *obj;
    const ASN1_OCTET_STRING     *id;

    setup(&s, ca_kind, kind);

    for (round = 0; round < 3; round++) {
        ask(&s, EVP_sha1(), 1, round ? NONCE : NULL, 0);

        basic = sign(&s);
        ok(verified(&s, basic), "%s CA, %s: verified", ca_kind,
           kind ? kind : "itself");

        alg = OCSP_resp_get0_tbs_sigalg(basic);
        X509_ALGOR_get0(&obj, NULL, NULL, alg);
        is_str(OBJ_nid2ln(OBJ_obj2nid(obj)), signature, "algorithm");

        is_int(OCSP_check_nonce(asked, basic), round ? 1 : 2, "nonce");
        is_int(OCSP_resp_count(basic), 1, "one answer");
        is_int(sk_X509_num(OCSP_resp_get0_certs(basic)), kind ? 1 : -1,
               "certificates");
        ok(OCSP_resp_get0_id(basic, &id, &name) == 1 && id != NULL
           && name == NULL, "byKey");
        is_time(OCSP_resp_get0_produced_at(basic), answer.produced_at,
                "produced at");

        OCSP_BASICRESP_free(basic);
    }

    teardown(&s);
}


static void
test_status(void)
{
    int                    rc, status, reason;
    size_t                 i;
    setup_t                s;
    OCSP_CERTID           *id;
    OCSP_BASICRESP        *basic;
    ASN1_GENERALIZEDTIME  *at, *this, *next;

    const struct {
        const char     *name;
        pki_outcome_t   outcome;
        pki_reason_t    reason;
        time_t          at;
        int             status;
        int             told;
    } rows[] = {
        { "good", PKI_OUTCOME_GOOD, PKI_REASON_NONE, 0,
          V_OCSP_CERTSTATUS_GOOD, -1 },
        { "hold", PKI_OUTCOME_HOLD, PKI_REASON_CERTIFICATE_HOLD, now - 7,
          V_OCSP_CERTSTATUS_REVOKED, 6 },
        { "compromised", PKI_OUTCOME_REVOKED, PKI_REASON_KEY_COMPROMISE,
          1000000000, V_OCSP_CERTSTATUS_REVOKED, 1 },
        { "the last reason", PKI_OUTCOME_REVOKED, PKI_REASON_AA_COMPROMISE,
          now, V_OCSP_CERTSTATUS_REVOKED, 10 },
        { "unspecified", PKI_OUTCOME_REVOKED, PKI_REASON_UNSPECIFIED, 86399,
          V_OCSP_CERTSTATUS_REVOKED, -1 },
        { "unknown", PKI_OUTCOME_UNKNOWN, PKI_REASON_NONE, 0,
          V_OCSP_CERTSTATUS_UNKNOWN, -1 }
    };

    setup(&s, "P-256", "P-256");

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ask(&s, EVP_sha256(), 1, NONCE, 0);

        verdicts[0].outcome = rows[i].outcome;
        verdicts[0].reason = rows[i].reason;
        verdicts[0].revoked_at = rows[i].at;
        verdicts[0].this_update = now - 1;
        verdicts[0].next_update = now + 601;

        basic = sign(&s);
        ok(verified(&s, basic), "%s: verified", rows[i].name);

        at = NULL;
        id = OCSP_onereq_get0_id(OCSP_request_onereq_get0(asked, 0));
        rc = OCSP_resp_find_status(basic, id, &status, &reason, &at, &this,
                                   &next);
        is_int(rc, 1, "found");
        is_int(status, rows[i].status, "status");
        is_time(this, now - 1, "this update");
        is_time(next, now + 601, "next update");

        if (status == V_OCSP_CERTSTATUS_REVOKED) {
            is_int(reason, rows[i].told, "reason");
            is_time(at, rows[i].at, "revoked at");
        }

        OCSP_BASICRESP_free(basic);
    }

    teardown(&s);
}


static void
test_extended(void)
{
    int                    i, status, reason;
    setup_t                s;
    OCSP_CERTID           *id;
    OCSP_BASICRESP        *basic;
    ASN1_OBJECT           *oid;
    X509_EXTENSION        *ext;
    ASN1_GENERALIZEDTIME  *at;

    oid = OBJ_txt2obj("1.3.6.1.5.5.7.48.1.9", 1);
    pki_test_need(oid != NULL, "extended-revoke");

    setup(&s, "P-256", "P-256");
    ask(&s, EVP_sha1(), 3, NONCE, 0);

    basic = sign(&s);
    is_int(OCSP_BASICRESP_get_ext_by_OBJ(basic, oid, -1), -1,
           "not without need");
    OCSP_BASICRESP_free(basic);

    verdicts[1].outcome = PKI_OUTCOME_REVOKED;
    verdicts[1].reason = PKI_REASON_CERTIFICATE_HOLD;
    verdicts[1].revoked_at = 0;
    verdicts[1].extended = 1;

    basic = sign(&s);
    ok(verified(&s, basic), "verified");

    i = OCSP_BASICRESP_get_ext_by_OBJ(basic, oid, -1);
    ext = OCSP_BASICRESP_get_ext(basic, i);
    ok(ext != NULL, "extended revoke");
    is_int(X509_EXTENSION_get_critical(ext), 0, "not critical");
    ok(ASN1_STRING_length(X509_EXTENSION_get_data(ext)) == 2
       && memcmp(ASN1_STRING_get0_data(X509_EXTENSION_get_data(ext)),
                 "\x05", 2) == 0, "NULL");
    is_int(OCSP_BASICRESP_get_ext_count(basic), 2, "beside the nonce");

    id = OCSP_onereq_get0_id(OCSP_request_onereq_get0(asked, 1));
    OCSP_resp_find_status(basic, id, &status, &reason, &at, NULL, NULL);
    is_int(status, V_OCSP_CERTSTATUS_REVOKED, "revoked");
    is_int(reason, 6, "on hold");
    is_time(at, 0, "since the Epoch");

    OCSP_BASICRESP_free(basic);

    request.nonce.len = 0;
    answer.nonce.len = 0;
    basic = sign(&s);
    is_int(OCSP_BASICRESP_get_ext_count(basic), 1, "or alone");
    OCSP_BASICRESP_free(basic);

    ASN1_OBJECT_free(oid);
    teardown(&s);
}


static void
test_archive(void)
{
    int                    i, crit;
    setup_t                s;
    OCSP_BASICRESP        *basic;
    OCSP_SINGLERESP       *single;
    ASN1_GENERALIZEDTIME  *cutoff;

    setup(&s, "P-256", NULL);
    ask(&s, EVP_sha1(), 2, NULL, 0);
    answer.archive_cutoff = 1234567890;

    basic = sign(&s);
    ok(verified(&s, basic), "verified");

    for (i = 0; i < 2; i++) {
        single = OCSP_resp_get0(basic, i);
        cutoff = OCSP_SINGLERESP_get1_ext_d2i(single,
                                              NID_id_pkix_OCSP_archiveCutoff,
                                              &crit, NULL);
        ok(cutoff != NULL && crit == 0, "archive cutoff, not critical");
        is_time(cutoff, 1234567890, "its time");
        ASN1_GENERALIZEDTIME_free(cutoff);
    }

    OCSP_BASICRESP_free(basic);

    answer.archive_cutoff = 0;
    basic = sign(&s);
    is_int(OCSP_SINGLERESP_get_ext_count(OCSP_resp_get0(basic, 0)), 0,
           "none");
    OCSP_BASICRESP_free(basic);

    teardown(&s);
}


static void
test_nonces(void)
{
    size_t           i;
    setup_t          s;
    char             nonce[129];
    OCSP_BASICRESP  *basic;
    X509_EXTENSION  *ext;

    static const size_t  lens[] = { 1, 15, 16, 31, 32, 33, 100, 123, 124,
                                    125, 126, 127, 128 };

    setup(&s, "P-256", "P-256");

    for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        memset(nonce, 'n', lens[i]);
        nonce[lens[i]] = '\0';

        ask(&s, EVP_sha1(), 1, nonce, 0);

        basic = sign(&s);
        ok(verified(&s, basic), "a nonce of %zu", lens[i]);
        is_int(OCSP_check_nonce(asked, basic), 1, "echoed");

        ext = OCSP_BASICRESP_get_ext(basic, 0);
        is_int(X509_EXTENSION_get_critical(ext), 0, "not critical");

        OCSP_BASICRESP_free(basic);
    }

    teardown(&s);
}


/* each CertID comes back byte for byte, whatever its digest and its NULL */

static void
test_certids(void)
{
    int                 n;
    setup_t             s;
    OCSP_BASICRESP     *basic;
    unsigned char      *der;
    const OCSP_CERTID  *id;

    /* SHA-1 without parameters, which OpenSSL never writes */

    unsigned char  bare[] =
        "\x30\x39\x30\x07\x06\x05\x2b\x0e\x03\x02\x1a"
        "\x04\x14" "12345678901234567890" "\x04\x14" "09876543210987654321"
        "\x02\x02\x00\xff";

    setup(&s, "P-256", NULL);

    memcpy(bare + 13, s.issuer->hash[PKI_DIGEST_SHA1].name, 20);
    memcpy(bare + 35, s.issuer->hash[PKI_DIGEST_SHA1].key, 20);

    ask(&s, EVP_sha512(), 2, NULL, 0);
    certs[1].der = (pki_bytes_t) { bare, sizeof(bare) - 1 };

    basic = sign(&s);
    ok(verified(&s, basic), "verified");

    for (n = 0; n < 2; n++) {
        id = OCSP_SINGLERESP_get0_id(OCSP_resp_get0(basic, n));
        der = NULL;
        is_int(i2d_OCSP_CERTID(id, &der), certs[n].der.len, "length");
        is_mem(der, certs[n].der.data, certs[n].der.len, "octets");
        OPENSSL_free(der);
    }

    OCSP_BASICRESP_free(basic);
    teardown(&s);
}


static void
test_preferred(const char *kind, int nid, int other, int foreign)
{
    size_t              i;
    setup_t             s;
    OCSP_BASICRESP     *basic;
    const ASN1_OBJECT  *obj;

    const struct {
        const char  *name;
        int          wish;
        int          want;
    } rows[] = {
        { "nothing", 0, other },
        { "what it can", nid, nid },
        { "its default", other, other },
        { "what it cannot", foreign, other },
        { "SHA-1", NID_ecdsa_with_SHA1, other },
        { "SHA-1 with RSA", NID_sha1WithRSAEncryption, other }
    };

    setup(&s, kind, "P-256");
    pki_signer_free(s.signer);
    s.signer = pki_signer_create(s.issuer, s.ca, s.ca_key, &err);
    pki_test_need(s.signer != NULL, err.text);

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ask(&s, EVP_sha1(), 1, NONCE, rows[i].wish);

        is_int(pki_ocsp_prefers(&request, s.signer),
               rows[i].want != other, "%s, asked for %s", kind,
               rows[i].name);

        basic = sign(&s);
        ok(verified(&s, basic), "verified");
        X509_ALGOR_get0(&obj, NULL, NULL, OCSP_resp_get0_tbs_sigalg(basic));
        is_int(OBJ_obj2nid(obj), rows[i].want, "algorithm");
        OCSP_BASICRESP_free(basic);
    }

    is_int(pki_ocsp_sign(&answer, s.signer, NULL, buf, sizeof(buf), &len,
                         &err), PKI_OK, "no request, no preference");

    teardown(&s);
}


static void
test_sixteen(void)
{
    int               i, status, n;
    setup_t           s;
    OCSP_CERTID      *id;
    OCSP_BASICRESP   *basic;

    setup(&s, "P-256", "P-256");

    for (n = 1; n <= CERTS; n++) {
        ask(&s, n % 2 ? EVP_sha1() : EVP_sha512(), n, NONCE, 0);

        for (i = 0; i < n; i++) {
            verdicts[i].outcome = i % 3 == 0 ? PKI_OUTCOME_GOOD
                                  : i % 3 == 1 ? PKI_OUTCOME_REVOKED
                                  : PKI_OUTCOME_UNKNOWN;
            verdicts[i].reason = PKI_REASON_SUPERSEDED;
            verdicts[i].revoked_at = now;
        }

        basic = sign(&s);
        ok(verified(&s, basic), "%d certificates", n);
        is_int(OCSP_resp_count(basic), n, "answers");

        for (i = 0; i < n; i++) {
            id = OCSP_onereq_get0_id(OCSP_request_onereq_get0(asked, i));

            if (OCSP_resp_find(basic, id, -1) != i
                || OCSP_resp_find_status(basic, id, &status, NULL, NULL,
                                         NULL, NULL) != 1
                || status != i % 3)
            {
                ok(0, "certificate %d of %d", i, n);
            }
        }

        OCSP_BASICRESP_free(basic);
    }

    teardown(&s);
}


/* a buffer of exactly the announced size does, and none is overrun */

static void
test_sizes(void)
{
    size_t           size, bound, got;
    unsigned         i, n, bad, small;
    setup_t          s;
    char             nonce[129];
    pki_rc_t         rc;
    unsigned char   *out;

    memset(nonce, 'n', 128);
    nonce[128] = '\0';

    setup(&s, "RSA2048", "P-521");

    for (n = 1; n <= CERTS; n += 5) {
        ask(&s, EVP_sha512(), n, nonce, 0);
        answer.archive_cutoff = now;

        for (i = 0; i < n; i++) {
            verdicts[i].outcome = PKI_OUTCOME_HOLD;
            verdicts[i].reason = PKI_REASON_CERTIFICATE_HOLD;
            verdicts[i].revoked_at = now;
            verdicts[i].extended = 1;
        }

        bound = pki_ocsp_answer_size(&answer, s.signer);
        bad = 0;
        small = 0;

        for (size = 0; size <= bound; size += (size + 40 < bound) ? 7 : 1) {
            out = malloc(size ? size : 1);
            pki_test_need(out != NULL, "memory");

            rc = pki_ocsp_sign(&answer, s.signer, NULL, out, size, &got,
                               &err);
            small += rc == PKI_INVALID;
            bad += rc != PKI_OK && rc != PKI_INVALID;
            bad += rc == PKI_OK && got > size;
            bad += size == bound && rc != PKI_OK;

            free(out);
        }

        ok(bad == 0 && small > 0, "%u: %zu octets, %zu announced", n, got,
           bound);
        ok(got <= bound, "which is enough");
    }

    teardown(&s);
}


static void
test_refused(void)
{
    setup_t  s;

    setup(&s, "P-256", "P-256");
    ask(&s, EVP_sha1(), 2, NULL, 0);

#define refused(set, why)                                                    \
    do {                                                                     \
        pki_verdict_t      v_ = verdicts[1];                                 \
        pki_ocsp_answer_t  a_ = answer;                                      \
                                                                             \
        err.text[0] = '\0';                                                  \
        set;                                                                 \
        is_int(pki_ocsp_sign(&answer, s.signer, NULL, buf, sizeof(buf),      \
                             &len, &err), PKI_INVALID, #set);                \
        is_str(err.text, why, "why");                                        \
        verdicts[1] = v_;                                                    \
        answer = a_;                                                         \
    } while (0)

    refused(answer.n = 0, "an answer without a certificate");
    refused(answer.produced_at = -1, "a time of the answer is out of range");
    refused(answer.archive_cutoff = 253402300800LL,
            "a time of the answer is out of range");
    refused(verdicts[1].outcome = PKI_OUTCOME_LATER,
            "a verdict that nobody can sign");
    refused(verdicts[1].next_update = pki_signer_not_after(s.signer) + 1,
            "a verdict that outlives its signer");
    refused(verdicts[1].this_update = -1,
            "a time of a verdict is out of range");
    refused(verdicts[1].next_update = -1,
            "a time of a verdict is out of range");
    refused(verdicts[1].revoked_at = 253402300800LL,
            "a time of a verdict is out of range");

    verdicts[1].next_update = pki_signer_not_after(s.signer);
    is_int(pki_ocsp_sign(&answer, s.signer, NULL, buf, sizeof(buf), &len,
                         NULL), PKI_OK, "as long as its signer");

    teardown(&s);
}


static void
test_errors(void)
{
    size_t                i;
    pki_bytes_t           body;
    OCSP_RESPONSE        *resp;
    const unsigned char  *p;

    static const struct {
        pki_ocsp_status_t  status;
        int                want;
    } rows[] = {
        { PKI_OCSP_MALFORMED_REQUEST, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST },
        { PKI_OCSP_INTERNAL_ERROR, OCSP_RESPONSE_STATUS_INTERNALERROR },
        { PKI_OCSP_TRY_LATER, OCSP_RESPONSE_STATUS_TRYLATER },
        { PKI_OCSP_SIG_REQUIRED, OCSP_RESPONSE_STATUS_SIGREQUIRED },
        { PKI_OCSP_UNAUTHORIZED, OCSP_RESPONSE_STATUS_UNAUTHORIZED },
        { PKI_OCSP_SUCCESSFUL, OCSP_RESPONSE_STATUS_INTERNALERROR },
        { (pki_ocsp_status_t) 4, OCSP_RESPONSE_STATUS_INTERNALERROR }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        body = pki_ocsp_error(rows[i].status);
        p = body.data;
        resp = d2i_OCSP_RESPONSE(NULL, &p, (long) body.len);

        ok(resp != NULL && p == body.data + 5
           && OCSP_response_status(resp) == rows[i].want,
           "error %d", rows[i].status);

        OCSP_RESPONSE_free(resp);
    }
}


static void
test_memory(void)
{
    int               hit, bad, runs;
    long              n;
    size_t            i;
    setup_t           s;
    pki_rc_t          rc;
    OCSP_BASICRESP   *basic;

    static const char *const  kinds[] = { "P-256", "RSA2048", "ED25519" };

    for (i = 0; i < 3; i++) {
        setup(&s, "P-256", kinds[i]);
        ask(&s, EVP_sha1(), 1, NONCE, 0);

        bad = 0;
        runs = 0;
        hit = 1;

        for (n = 1; hit; n++) {
            err.text[0] = '\0';

            pki_test_fail_at(n);
            rc = pki_ocsp_sign(&answer, s.signer, &request, buf, sizeof(buf),
                               &len, &err);
            hit = pki_test_fail_hit();
            pki_test_fail_at(0);

            bad += rc == PKI_INVALID;
            bad += rc == PKI_ERROR && (!hit || err.text[0] == '\0');
            bad += rc == PKI_ERROR && ERR_peek_error() != 0;
            runs++;

            ERR_clear_error();
        }

        is_int(bad, 0, "%s: each of %d allocations fails", kinds[i],
               runs - 1);

        basic = sign(&s);
        ok(verified(&s, basic), "and the signer lives on");
        OCSP_BASICRESP_free(basic);

        teardown(&s);
    }
}


/* builds a request of n certificates with OpenSSL and parses it */

static void
ask(const setup_t *s, const EVP_MD *md, unsigned n, const char *nonce,
    int prefer)
{
    int                  size;
    unsigned             i;
    pki_bytes_t          der;
    ASN1_OBJECT         *oid;
    ASN1_INTEGER        *serial;
    X509_EXTENSION      *ext;
    unsigned char        value[64], *p;
    ASN1_OCTET_STRING   *string;

    OCSP_REQUEST_free(asked);
    OPENSSL_free(asked_der);

    asked = OCSP_REQUEST_new();
    asked_der = NULL;
    pki_test_need(asked != NULL, "request");

    for (i = 0; i < n; i++) {
        serial = ASN1_INTEGER_new();
        pki_test_need(serial != NULL
                      && ASN1_INTEGER_set_uint64(serial, 0xff00 + i) == 1
                      && OCSP_request_add0_id(asked,
                             OCSP_cert_id_new(md, X509_get_subject_name(s->ca),
                                 X509_get0_pubkey_bitstr(s->ca), serial))
                         != NULL,
                      "certid");
        ASN1_INTEGER_free(serial);
    }

    if (nonce != NULL) {
        OCSP_request_add1_nonce(asked, (unsigned char *) nonce,
                                (int) strlen(nonce));
    }

    if (prefer) {
        oid = OBJ_nid2obj(prefer);

        /* SEQUENCE OF SEQUENCE { AlgorithmIdentifier { OID } } */

        p = value + 6;
        size = i2d_ASN1_OBJECT(oid, &p);
        memcpy(value, "\x30.\x30.\x30.", 6);
        value[5] = (unsigned char) size;
        value[3] = (unsigned char) (size + 2);
        value[1] = (unsigned char) (size + 4);

        string = ASN1_OCTET_STRING_new();
        oid = OBJ_txt2obj("1.3.6.1.5.5.7.48.1.8", 1);
        pki_test_need(string != NULL && oid != NULL
                      && ASN1_OCTET_STRING_set(string, value, size + 6) == 1,
                      "preference");

        ext = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, string);
        pki_test_need(ext != NULL && OCSP_REQUEST_add_ext(asked, ext, -1)
                      == 1, "preference");

        X509_EXTENSION_free(ext);
        ASN1_OBJECT_free(oid);
        ASN1_OCTET_STRING_free(string);
    }

    size = i2d_OCSP_REQUEST(asked, &asked_der);
    der = (pki_bytes_t) { asked_der, (size_t) size };

    pki_test_need(size > 0
                  && pki_ocsp_parse(der, certs, CERTS, &request) == PKI_OK
                  && request.ncerts == n, "parse");

    memset(verdicts, 0, sizeof(verdicts));
    memset(&answer, 0, sizeof(answer));

    for (i = 0; i < n; i++) {
        pki_test_need(pki_issuer_match(s->issuer, certs[i].digest,
                                       certs[i].name_hash, certs[i].key_hash),
                      "match");

        verdicts[i].reason = PKI_REASON_NONE;
        verdicts[i].this_update = now;
        verdicts[i].next_update = now + 600;
    }

    answer.certs = certs;
    answer.verdicts = verdicts;
    answer.n = n;
    answer.nonce = request.nonce;
    answer.produced_at = now - 3;
}


static OCSP_BASICRESP *
sign(setup_t *s)
{
    pki_rc_t  rc;

    err.text[0] = '\0';

    rc = pki_ocsp_sign(&answer, s->signer, &request, buf, sizeof(buf), &len,
                       &err);
    pki_test_need(rc == PKI_OK, err.text);
    pki_test_need(len <= pki_ocsp_answer_size(&answer, s->signer), "size");

    return reply();
}


/* what a client reads, which must be DER to the last octet */

static OCSP_BASICRESP *
reply(void)
{
    int                   again;
    OCSP_RESPONSE        *resp;
    unsigned char        *der;
    OCSP_BASICRESP       *basic;
    const unsigned char  *p;

    p = buf;
    resp = d2i_OCSP_RESPONSE(NULL, &p, (long) len);
    pki_test_need(resp != NULL && p == buf + len, "response");
    pki_test_need(OCSP_response_status(resp)
                  == OCSP_RESPONSE_STATUS_SUCCESSFUL, "status");

    basic = OCSP_response_get1_basic(resp);
    pki_test_need(basic != NULL, "basic response");

    der = NULL;
    again = i2d_OCSP_RESPONSE(resp, &der);
    pki_test_need(again == (int) len && memcmp(der, buf, len) == 0,
                  "encoded again it is the same");

    OPENSSL_free(der);
    OCSP_RESPONSE_free(resp);

    return basic;
}


static int
verified(const setup_t *s, OCSP_BASICRESP *basic)
{
    int              rc;
    X509_STORE      *store;
    STACK_OF(X509)  *certs_;

    store = X509_STORE_new();
    certs_ = sk_X509_new_null();

    pki_test_need(store != NULL && certs_ != NULL
                  && X509_STORE_add_cert(store, s->ca) == 1
                  && sk_X509_push(certs_, s->ca) == 1, "store");

    rc = OCSP_basic_verify(basic, certs_, store, 0);

    if (rc != 1) {
        ERR_print_errors_fp(stdout);
    }

    sk_X509_free(certs_);
    X509_STORE_free(store);

    return rc == 1;
}


static void
is_time(const ASN1_GENERALIZEDTIME *t, time_t want, const char *name)
{
    char        text[32];
    struct tm   tm;

    pki_test_need(t != NULL && gmtime_r(&want, &tm) != NULL
                  && strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm) == 15,
                  name);

    ok(ASN1_STRING_length(t) == 15
       && memcmp(ASN1_STRING_get0_data(t), text, 15) == 0,
       "%s: %s", name, text);
}

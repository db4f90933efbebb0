
/*
 * Whatever pki_ocsp_parse() accepts points into the input, is accepted by
 * OpenSSL with the same certificates, and can be answered: the answer reads
 * back as DER and repeats each CertID and the nonce.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include "pki_der.h"
#include "pki_ocsp.h"


#define CERTS  16
#define NOW    1800000000

#define must(yes)                                                            \
    do {                                                                     \
        if (!(yes)) {                                                        \
            fprintf(stderr, "line %d: %s\n", __LINE__, #yes);                \
            abort();                                                         \
        }                                                                    \
    } while (0)


static pki_signer_t *make_signer(void);
static void check_parts(pki_bytes_t in, const pki_ocsp_request_t *request);
static void check_inside(pki_bytes_t part, pki_bytes_t in);
static void check_openssl(pki_bytes_t in, const pki_ocsp_request_t *request);
static void check_answer(const pki_ocsp_request_t *request,
    pki_signer_t *signer);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned             i, max;
    pki_bytes_t          in;
    pki_certid_t         certs[CERTS], few[2];
    pki_ocsp_request_t   request, again;

    static pki_signer_t  *signer;

    if (signer == NULL) {
        signer = make_signer();
    }

    in.data = data;
    in.len = size;

    if (pki_ocsp_parse(in, certs, CERTS, &request) != PKI_OK) {
        return 0;
    }

    must(request.ncerts >= 1 && request.ncerts <= CERTS);
    must(request.certs == certs);

    for (max = 0; max <= 2; max++) {
        must((pki_ocsp_parse(in, few, max, &again) == PKI_OK)
             == (request.ncerts <= max));
    }

    check_parts(in, &request);

    /* parameters that nobody knows need not be DER to their last octet */

    for (i = 0; i < request.ncerts; i++) {
        if (certs[i].digest == PKI_DIGEST_OTHER) {
            return 0;
        }
    }

    check_openssl(in, &request);
    check_answer(&request, signer);

    return 0;
}


static pki_signer_t *
make_signer(void)
{
    X509            *cert;
    EVP_PKEY        *key;
    pki_err_t        err;
    X509_NAME       *name;
    X509V3_CTX       ctx;
    pki_issuer_t    *issuer;
    pki_signer_t    *signer;
    X509_EXTENSION  *ext;

    cert = X509_new();
    key = EVP_EC_gen("P-256");
    must(cert != NULL && key != NULL);

    name = X509_get_subject_name(cert);

    must(X509_set_version(cert, X509_VERSION_3) == 1
         && ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1
         && ASN1_TIME_set(X509_getm_notBefore(cert), NOW - 86400) != NULL
         && ASN1_TIME_set(X509_getm_notAfter(cert), NOW + 86400) != NULL
         && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                       (unsigned char *) "CA", -1, -1, 0)
            == 1
         && X509_set_issuer_name(cert, name) == 1
         && X509_set_pubkey(cert, key) == 1);

    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, NID_basic_constraints,
                              "critical,CA:TRUE");
    must(ext != NULL && X509_add_ext(cert, ext, -1) == 1
         && X509_sign(cert, key, EVP_sha256()) > 0);
    X509_EXTENSION_free(ext);

    issuer = pki_issuer_create(cert, key, &err);
    must(issuer != NULL);

    signer = pki_signer_issue(issuer, PKI_KEY_P256, NULL, NOW, 60, 3600,
                              &err);
    must(signer != NULL);

    pki_issuer_free(issuer);
    X509_free(cert);
    EVP_PKEY_free(key);

    return signer;
}


static void
check_parts(pki_bytes_t in, const pki_ocsp_request_t *request)
{
    unsigned             i;
    pki_der_t            der;
    const pki_certid_t  *certid;

    must(request->nonce.len <= PKI_OCSP_NONCE_MAX);
    must(request->npreferences <= PKI_OCSP_PREFERENCES);

    check_inside(request->nonce, in);

    for (i = 0; i < request->npreferences; i++) {
        check_inside(request->preferences[i], in);
    }

    for (i = 0; i < request->ncerts; i++) {
        certid = &request->certs[i];

        check_inside(certid->der, in);
        check_inside(certid->name_hash, certid->der);
        check_inside(certid->key_hash, certid->der);
        check_inside(certid->serial, certid->der);

        must(certid->serial.len > 0);
        must(i == 0 || certid->der.data
                       >= certid[-1].der.data + certid[-1].der.len);

        pki_der_init(&der, certid->der);
        must(pki_der_skip(&der) == PKI_OK && pki_der_peek(&der) == -1);
    }
}


static void
check_inside(pki_bytes_t part, pki_bytes_t in)
{
    must(part.len == 0
         || (part.data >= in.data
             && part.data + part.len <= in.data + in.len));
}


/* names and signatures are skipped by us, not by OpenSSL: it may refuse */

static void
check_openssl(pki_bytes_t in, const pki_ocsp_request_t *request)
{
    int                   len;
    unsigned              i;
    OCSP_CERTID          *id;
    OCSP_REQUEST         *r;
    unsigned char        *der;
    const unsigned char  *p;

    p = in.data;
    r = d2i_OCSP_REQUEST(NULL, &p, (long) in.len);
    ERR_clear_error();

    if (r == NULL) {
        return;
    }

    must(p == in.data + in.len);
    must(OCSP_request_onereq_count(r) == (int) request->ncerts);

    for (i = 0; i < request->ncerts; i++) {
        id = OCSP_onereq_get0_id(OCSP_request_onereq_get0(r, (int) i));
        der = NULL;
        len = i2d_OCSP_CERTID(id, &der);

        must(len == (int) request->certs[i].der.len
             && memcmp(der, request->certs[i].der.data, len) == 0);

        OPENSSL_free(der);
    }

    OCSP_REQUEST_free(r);
}


static void
check_answer(const pki_ocsp_request_t *request, pki_signer_t *signer)
{
    size_t                size, len, i;
    pki_err_t             err;
    OCSP_RESPONSE        *resp;
    unsigned char        *buf;
    pki_verdict_t         verdicts[CERTS];
    OCSP_BASICRESP       *basic;
    pki_ocsp_answer_t     answer;
    const unsigned char  *p;

    memset(&answer, 0, sizeof(answer));
    memset(verdicts, 0, sizeof(verdicts));

    for (i = 0; i < request->ncerts; i++) {
        verdicts[i].outcome = (pki_outcome_t) (i % PKI_OUTCOME_LATER);
        verdicts[i].reason = (pki_reason_t) (i % 7);
        verdicts[i].extended = (i == 5);
        verdicts[i].revoked_at = NOW;
        verdicts[i].this_update = NOW;
        verdicts[i].next_update = NOW + 600;
    }

    answer.certs = request->certs;
    answer.verdicts = verdicts;
    answer.n = request->ncerts;
    answer.nonce = request->nonce;
    answer.produced_at = NOW;
    answer.archive_cutoff = request->ncerts > 3 ? NOW : 0;

    size = pki_ocsp_answer_size(&answer, signer);
    buf = malloc(size);
    must(buf != NULL);

    must(pki_ocsp_sign(&answer, signer, request, buf, size, &len, &err)
         == PKI_OK);

    p = buf;
    resp = d2i_OCSP_RESPONSE(NULL, &p, (long) len);
    must(resp != NULL && p == buf + len);

    basic = OCSP_response_get1_basic(resp);
    must(basic != NULL && OCSP_resp_count(basic) == (int) request->ncerts);
    must((OCSP_BASICRESP_get_ext_by_NID(basic, NID_id_pkix_OCSP_Nonce, -1)
          >= 0)
         == (request->nonce.len != 0));

    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(resp);
    ERR_clear_error();
    free(buf);
}

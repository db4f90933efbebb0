
/*
 * Requests for the unit tests, made with OpenSSL's own API, and certificates
 * for them: whatever fails here ends the test.
 */

#ifndef PKI_TEST_CSR_H
#define PKI_TEST_CSR_H


#include <openssl/err.h>
#include "pki_csr.h"
#include "pki_der.h"
#include "pki_test_ca.h"


/* an extension or a Windows pair by its octets */

typedef struct {
    const char       *oid;          /* dotted; NULL ends the list */
    int               critical;
    const char       *der;
    size_t            len;
} pki_test_raw_t;


typedef struct {
    EVP_PKEY         *key;
    const EVP_MD     *md;           /* NULL: SHA-256, or the key's own */
    const char       *subject;      /* "CN=a/OU=b"; NULL: empty */
    const pki_test_ext_t  *exts;    /* NULL: none */
    const pki_test_raw_t  *raws;    /* NULL: none; after exts */
    int               list;         /* NID of the list; 0: NID_ext_req */
    const char       *challenge;
    const char       *unit;         /* ValidityPeriod; NULL: none */
    const char       *count;        /* ValidityPeriodUnits; NULL: none */
    pki_bytes_t       more;         /* attributes, DER one after the other */
} pki_test_req_t;


#define PKI_TEST_UPN  "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:"
#define PKI_TEST_PAIR  "\x2b\x06\x01\x04\x01\x82\x37\x0d\x02\x01"
#define PKI_TEST_SIZE  (128 * 1024)


static void
pki_test_subject(X509_NAME *name, const char *subject)
{
    char  *copy, *part, *value, *save;

    copy = strdup(subject);

    for (part = strtok_r(copy, "/", &save);
         part != NULL;
         part = strtok_r(NULL, "/", &save))
    {
        value = strchr(part, '=');
        pki_test_need(value != NULL, subject);
        *value++ = '\0';

        pki_test_need(X509_NAME_add_entry_by_txt(name, part, MBSTRING_UTF8,
                                                 (unsigned char *) value, -1,
                                                 -1, 0)
                      == 1, subject);
    }

    free(copy);
}


static void
pki_test_raw(STACK_OF(X509_EXTENSION) *list, const pki_test_raw_t *raw)
{
    ASN1_OBJECT        *oid;
    X509_EXTENSION     *ext;
    ASN1_OCTET_STRING  *octets;

    oid = OBJ_txt2obj(raw->oid, 1);
    octets = ASN1_OCTET_STRING_new();

    pki_test_need(oid != NULL && octets != NULL
                  && ASN1_OCTET_STRING_set(octets,
                                           (unsigned char *) raw->der,
                                           (int) raw->len)
                     == 1, raw->oid);

    ext = X509_EXTENSION_create_by_OBJ(NULL, oid, raw->critical, octets);
    pki_test_need(ext != NULL && sk_X509_EXTENSION_push(list, ext) > 0,
                  raw->oid);

    ASN1_OBJECT_free(oid);
    ASN1_OCTET_STRING_free(octets);
}


static void
pki_test_bmp(pki_der_writer_t *w, const char *text)
{
    size_t         i;
    unsigned char  wide[256];

    for (i = 0; i < strlen(text); i++) {
        wide[2 * i] = 0;
        wide[2 * i + 1] = (unsigned char) text[i];
    }

    pki_der_write(w, 0x1e, (pki_bytes_t) { wide, 2 * i });
}


/* Windows' pair of a name and a value, as an attribute of its own */

static void
pki_test_pair(pki_der_writer_t *w, const char *name, const char *value)
{
    size_t  attr, set, pair;

    static const unsigned char  oid[] = PKI_TEST_PAIR;

    attr = pki_der_begin(w, PKI_DER_SEQUENCE, 0);
    pki_der_write(w, PKI_DER_OID, (pki_bytes_t) { oid, sizeof(oid) - 1 });
    set = pki_der_begin(w, 0x31, 0);
    pair = pki_der_begin(w, PKI_DER_SEQUENCE, 0);
    pki_test_bmp(w, name);
    pki_test_bmp(w, value);
    pki_der_end(w, pair);
    pki_der_end(w, set);
    pki_der_end(w, attr);
}


/*
 * Adds attributes to what is to be signed, which OpenSSL does not when one of
 * that kind is there, and signs again.
 */

static X509_REQ *
pki_test_more(X509_REQ *req, EVP_PKEY *key, const EVP_MD *md,
    pki_bytes_t more)
{
    int                   len;
    size_t                all, info, attrs, siglen;
    X509_REQ             *made;
    pki_der_t             in, tbs;
    EVP_MD_CTX           *ctx;
    pki_bytes_t           old;
    const X509_ALGOR     *alg;
    pki_der_writer_t      w;
    unsigned char        *der, *buf, *sig, *algder, *start;
    const unsigned char  *p;

    der = NULL;
    algder = NULL;
    buf = malloc(PKI_TEST_SIZE);
    sig = malloc(PKI_TEST_SIZE);
    sig[0] = 0;
    old.len = 0;

    len = i2d_re_X509_REQ_tbs(req, &der);
    pki_test_need(len > 0, "encode");
    pki_der_init(&in, (pki_bytes_t) { der, len });
    pki_test_need(pki_der_enter(&in, PKI_DER_SEQUENCE, &tbs) == PKI_OK,
                  "decode");

    pki_der_writer_init(&w, buf, PKI_TEST_SIZE);
    all = pki_der_begin(&w, PKI_DER_SEQUENCE, 1024);
    start = w.pos;
    info = pki_der_begin(&w, PKI_DER_SEQUENCE, 1024);

    while (pki_der_peek(&tbs) >= 0) {
        p = tbs.pos;

        if (pki_der_peek(&tbs) == PKI_DER_EXPLICIT(0)) {
            pki_test_need(pki_der_read(&tbs, PKI_DER_EXPLICIT(0), &old)
                          == PKI_OK, "attributes");

        } else {
            pki_test_need(pki_der_skip(&tbs) == PKI_OK, "fields");
            pki_der_append(&w, (pki_bytes_t) { p, tbs.pos - p });
        }
    }

    attrs = pki_der_begin(&w, PKI_DER_EXPLICIT(0), 1024);
    pki_der_append(&w, old);
    pki_der_append(&w, more);
    pki_der_end(&w, attrs);
    pki_der_end(&w, info);

    siglen = PKI_TEST_SIZE - 1;
    ctx = EVP_MD_CTX_new();
    pki_test_need(EVP_DigestSignInit(ctx, NULL, md, NULL, key) == 1
                  && EVP_DigestSign(ctx, sig + 1, &siglen, start,
                                    w.pos - start)
                     == 1, "signature");

    X509_REQ_get0_signature(req, NULL, &alg);
    len = i2d_X509_ALGOR((X509_ALGOR *) alg, &algder);
    pki_der_append(&w, (pki_bytes_t) { algder, len });
    pki_der_write(&w, PKI_DER_BIT_STRING, (pki_bytes_t) { sig, siglen + 1 });
    pki_der_end(&w, all);
    pki_test_need(!w.failed, "room");

    p = buf;
    made = d2i_X509_REQ(NULL, &p, w.pos - buf);
    pki_test_need(made != NULL, "a request with more attributes");

    EVP_MD_CTX_free(ctx);
    OPENSSL_free(algder);
    OPENSSL_free(der);
    X509_REQ_free(req);
    free(buf);
    free(sig);

    return made;
}


static X509_REQ *
pki_test_req(const pki_test_req_t *r)
{
    X509_REQ                  *req;
    X509V3_CTX                 ctx;
    const EVP_MD              *md;
    X509_EXTENSION            *ext;
    const pki_test_ext_t      *e;
    const pki_test_raw_t      *raw;
    pki_der_writer_t           w;
    unsigned char              more[4096];
    STACK_OF(X509_EXTENSION)  *list;

    req = X509_REQ_new();
    list = sk_X509_EXTENSION_new_null();

    pki_test_need(req != NULL && list != NULL
                  && X509_REQ_set_version(req, 0) == 1
                  && X509_REQ_set_pubkey(req, r->key) == 1, "request");

    if (r->subject != NULL) {
        pki_test_subject(X509_REQ_get_subject_name(req), r->subject);
    }

    X509V3_set_ctx(&ctx, NULL, NULL, req, NULL, 0);
    X509V3_set_ctx_nodb(&ctx);

    for (e = r->exts; e != NULL && e->nid; e++) {
        ext = X509V3_EXT_conf_nid(NULL, &ctx, e->nid, e->value);
        pki_test_need(ext != NULL && sk_X509_EXTENSION_push(list, ext) > 0,
                      e->value);
    }

    for (raw = r->raws; raw != NULL && raw->oid != NULL; raw++) {
        pki_test_raw(list, raw);
    }

    if (sk_X509_EXTENSION_num(list) > 0) {
        pki_test_need(X509_REQ_add_extensions_nid(req, list,
                                                  r->list ? r->list
                                                          : NID_ext_req)
                      == 1, "list of extensions");
    }

    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);

    if (r->challenge != NULL) {
        pki_test_need(X509_REQ_add1_attr_by_NID(req,
                                            NID_pkcs9_challengePassword,
                                            MBSTRING_ASC,
                                            (unsigned char *) r->challenge,
                                            -1)
                      == 1, "challenge");
    }

    md = r->md ? r->md : EVP_sha256();

    if (EVP_PKEY_is_a(r->key, "ED25519") || EVP_PKEY_is_a(r->key, "ED448")) {
        md = NULL;
    }

    pki_test_need(X509_REQ_sign(req, r->key, md) > 0, "signature");

    pki_der_writer_init(&w, more, sizeof(more));

    if (r->unit != NULL) {
        pki_test_pair(&w, "ValidityPeriod", r->unit);
    }

    if (r->count != NULL) {
        pki_test_pair(&w, "ValidityPeriodUnits", r->count);
    }

    if (r->more.len > 0) {
        pki_der_append(&w, r->more);
    }

    if (w.pos == more) {
        return req;
    }

    return pki_test_more(req, r->key, md, (pki_bytes_t) { more,
                                                          w.pos - more });
}


/* its DER, OPENSSL_malloc()ed; frees the request */

static pki_bytes_t
pki_test_req_der(X509_REQ *req)
{
    int             len;
    unsigned char  *der;

    der = NULL;
    len = i2d_X509_REQ(req, &der);
    pki_test_need(len > 0, "encode");
    X509_REQ_free(req);

    return (pki_bytes_t) { der, (size_t) len };
}


static __attribute__((unused)) pki_csr_t *
pki_test_csr(const pki_test_req_t *r)
{
    pki_err_t    err;
    pki_csr_t   *csr;
    pki_bytes_t  der;

    err.text[0] = '\0';
    der = pki_test_req_der(pki_test_req(r));

    pki_test_need(pki_csr_read(der, &csr, &err) == PKI_OK, err.text);

    OPENSSL_free((unsigned char *) der.data);

    return csr;
}


/* a request from a subject and extensions, for a P-256 key of the test */

static __attribute__((unused)) pki_csr_t *
pki_test_csr_of(EVP_PKEY *key, const char *subject, const char *sans)
{
    pki_test_req_t  r;
    pki_test_ext_t  exts[2];

    memset(&r, 0, sizeof(pki_test_req_t));
    memset(exts, 0, sizeof(exts));

    r.key = key;
    r.subject = subject;

    if (sans != NULL) {
        exts[0].nid = NID_subject_alt_name;
        exts[0].value = sans;
        r.exts = exts;
    }

    return pki_test_csr(&r);
}


#endif /* PKI_TEST_CSR_H */

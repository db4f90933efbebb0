
/*
 * What stands in a CRL behind the CA's name, signed by the CA: whatever
 * pki_crl_read() takes is sorted, can be issued, and reads back the same.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include "pki_crl.h"
#include "pki_der.h"


#define MAX   (64 * 1024)       /* octets of input; more tell nothing new */
#define ROOM  512               /* for what is around them */

#define must(yes)                                                            \
    do {                                                                     \
        if (!(yes)) {                                                        \
            fprintf(stderr, "line %d: %s\n", __LINE__, #yes);                \
            abort();                                                         \
        }                                                                    \
    } while (0)


static pki_issuer_t *make_issuer(pki_signer_t **signer);
static size_t make_crl(const pki_issuer_t *issuer, pki_signer_t *signer,
    pki_bytes_t in, unsigned char *out);
static void check_again(const pki_crl_plan_t *plan,
    const pki_crl_entry_t *entries, size_t n);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t            i, n;
    pki_rc_t          rc;
    pki_err_t         err;
    pki_bytes_t       in, der;
    unsigned char    *copy;
    pki_crl_plan_t    plan;
    pki_crl_entry_t  *entries;

    static unsigned char  out[MAX + ROOM];
    static pki_issuer_t  *issuer;
    static pki_signer_t  *signer;

    if (issuer == NULL) {
        issuer = make_issuer(&signer);
    }

    if (size > MAX) {
        return 0;
    }

    in.data = data;
    in.len = size;
    der.len = make_crl(issuer, signer, in, out);

    copy = malloc(der.len);
    must(copy != NULL);
    memcpy(copy, out, der.len);
    der.data = copy;

    rc = pki_crl_read(issuer, der, &plan, &entries, &n, &err);
    free(copy);

    must(rc == PKI_OK || rc == PKI_INVALID);
    must(ERR_peek_error() == 0);

    if (rc != PKI_OK) {
        must(entries == NULL && n == 0);
        return 0;
    }

    for (i = 1; i < n; i++) {
        must(entries[i - 1].serial.len < entries[i].serial.len
             || (entries[i - 1].serial.len == entries[i].serial.len
                 && memcmp(entries[i - 1].serial.data,
                           entries[i].serial.data, entries[i].serial.len)
                    < 0));
    }

    check_again(&plan, entries, n);
    OPENSSL_free(entries);

    return 0;
}


static pki_issuer_t *
make_issuer(pki_signer_t **signer)
{
    X509           *cert;
    EVP_PKEY       *key;
    pki_err_t       err;
    X509_NAME      *name;
    pki_issuer_t   *issuer;
    X509_EXTENSION *ext;

    static const unsigned char  secret[32] = { 1, 2, 3 };

    cert = X509_new();
    key = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, secret,
                                          sizeof(secret));
    ext = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
                              "critical,CA:TRUE");
    must(cert != NULL && key != NULL && ext != NULL);

    name = X509_get_subject_name(cert);

    must(X509_set_version(cert, X509_VERSION_3) == 1
         && ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1
         && ASN1_TIME_set(X509_getm_notBefore(cert), 1) != NULL
         && ASN1_TIME_set(X509_getm_notAfter(cert), 2000000000) != NULL
         && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                       (unsigned char *) "CA", -1, -1, 0)
            == 1
         && X509_set_issuer_name(cert, name) == 1
         && X509_set_pubkey(cert, key) == 1
         && X509_add_ext(cert, ext, -1) == 1
         && X509_sign(cert, key, NULL) > 0);

    issuer = pki_issuer_create(cert, key, &err);
    must(issuer != NULL);
    *signer = pki_signer_create(issuer, cert, key, &err);
    must(*signer != NULL);

    X509_EXTENSION_free(ext);
    EVP_PKEY_free(key);
    X509_free(cert);

    return issuer;
}


/* version, algorithm and name, then the input; and a signature */

static size_t
make_crl(const pki_issuer_t *issuer, pki_signer_t *signer, pki_bytes_t in,
    unsigned char *out)
{
    size_t             crl, tbs, bits;
    pki_err_t          err;
    pki_bytes_t        part, name;
    unsigned char      sig[64];
    pki_der_writer_t   w;

    static const pki_bytes_t  version = { (unsigned char *) "\1", 1 };
    static const pki_bytes_t  zero = { (unsigned char *) "", 1 };

    must(X509_NAME_get0_der(X509_get_subject_name(issuer->cert), &name.data,
                            &name.len) == 1);

    pki_der_writer_init(&w, out, MAX + ROOM);
    crl = pki_der_begin(&w, PKI_DER_SEQUENCE, in.len + ROOM);
    tbs = pki_der_begin(&w, PKI_DER_SEQUENCE, in.len + ROOM);
    pki_der_write(&w, PKI_DER_INTEGER, version);
    pki_der_append(&w, pki_signer_algorithm(signer, 0));
    pki_der_append(&w, name);
    pki_der_append(&w, in);
    pki_der_end(&w, tbs);

    part.data = w.start + tbs;
    part.len = w.pos - part.data;
    must(pki_signer_sign(signer, 0, part, sig, &name.len, &err) == PKI_OK);
    part.data = sig;
    part.len = name.len;

    pki_der_append(&w, pki_signer_algorithm(signer, 0));
    bits = pki_der_begin(&w, PKI_DER_BIT_STRING, 1 + part.len);
    pki_der_append(&w, zero);
    pki_der_append(&w, part);
    pki_der_end(&w, bits);
    pki_der_end(&w, crl);
    must(!w.failed);

    return w.pos - w.start;
}


static void
check_again(const pki_crl_plan_t *plan, const pki_crl_entry_t *entries,
    size_t n)
{
    size_t            i, m;
    pki_err_t         err;
    pki_bytes_t       der;
    unsigned char    *out;
    pki_crl_plan_t    again;
    pki_crl_entry_t  *same;

    must(pki_crl_issue(plan, entries, n, &out, &der.len, &err) == PKI_OK);
    der.data = out;
    must(pki_crl_read(plan->issuer, der, &again, &same, &m, &err) == PKI_OK);
    OPENSSL_free(out);

    must(m == n && again.number == plan->number && again.base == plan->base
         && again.this_update == plan->this_update
         && again.next_update == plan->next_update
         && again.partial == plan->partial);

    for (i = 0; i < n; i++) {
        must(same[i].serial.len == entries[i].serial.len
             && memcmp(same[i].serial.data, entries[i].serial.data,
                       same[i].serial.len) == 0
             && same[i].at == entries[i].at
             && same[i].invalidity == entries[i].invalidity
             && same[i].reason == entries[i].reason);
    }

    OPENSSL_free(same);
}

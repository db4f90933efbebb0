
/*
 * What the tests of CRLs share: a CA, and a CRL of its that OpenSSL has
 * read and verified.
 */

#ifndef PKI_TEST_CRL_H
#define PKI_TEST_CRL_H


#include "pki_test_ca.h"
#include "pki_crl.h"


#define TEST_T  1700000000


static EVP_PKEY      *ca_key;
static X509          *ca;
static pki_issuer_t  *issuer;


static void
test_start(void)
{
    pki_err_t  err;

    pki_test_alloc_hook();

    ca_key = pki_test_key("P-256");
    ca = pki_test_ca("Test CA", ca_key);
    issuer = pki_issuer_create(ca, ca_key, &err);
    pki_test_need(issuer != NULL, err.text);
}


static void
test_stop(void)
{
    pki_issuer_free(issuer);
    X509_free(ca);
    EVP_PKEY_free(ca_key);
}


static pki_crl_plan_t
test_plan(unsigned long long number)
{
    pki_crl_plan_t  plan;

    memset(&plan, 0, sizeof(plan));
    plan.issuer = issuer;
    plan.number = number;
    plan.this_update = TEST_T;
    plan.next_update = TEST_T + 8640;

    return plan;
}


static pki_crl_entry_t
test_entry(const char *serial, pki_reason_t reason)
{
    pki_crl_entry_t  entry;

    memset(&entry, 0, sizeof(entry));
    pki_test_need(pki_serial_from_text(serial, strlen(serial), &entry.serial)
                  == PKI_OK, serial);
    entry.at = TEST_T - 100;
    entry.reason = reason;

    return entry;
}


/* Issues, and reads it back with OpenSSL; der is the caller's to free. */

static X509_CRL *
test_issue(const pki_crl_plan_t *plan, const pki_crl_entry_t *entries,
    size_t n, pki_bytes_t *der)
{
    size_t                len;
    X509_CRL             *crl;
    pki_err_t             err;
    unsigned char        *out;
    const unsigned char  *p;

    if (!ok(pki_crl_issue(plan, entries, n, &out, &len, &err) == PKI_OK,
            "issued with %zu entries", n))
    {
        printf("Bail out! %s\n", err.text);
        exit(1);
    }

    p = out;
    crl = d2i_X509_CRL(NULL, &p, (long) len);
    pki_test_need(crl != NULL, "OpenSSL reads it");
    is_int(p - out, len, "to its end");
    is_int(X509_CRL_verify(crl, X509_get0_pubkey(plan->issuer->cert)), 1,
           "the signature is right");

    if (der != NULL) {
        der->data = out;
        der->len = len;

    } else {
        OPENSSL_free(out);
    }

    return crl;
}


static void
test_free(pki_bytes_t der)
{
    OPENSSL_free((void *) der.data);
}


#endif /* PKI_TEST_CRL_H */


/*
 * A CRL of ours becomes a list of entries again.
 *
 * Somebody else may have written what a key of Redis holds, so the signature
 * is checked first, and what is signed is then read as strictly as what a
 * stranger sends.  Extensions that we do not make are passed over.
 */

#include "pki_crl.h"

#include <limits.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/x509.h>
#include "pki_crl_oid.h"
#include "pki_der.h"
#include "pki_time.h"


#define PKI_CRL_READ_ISO     20         /* YYYY-MM-DDTHH:MM:SSZ */


static pki_rc_t pki_crl_read_signed(const pki_issuer_t *issuer,
    pki_bytes_t der, pki_der_t *tbs, pki_bytes_t *algorithm, pki_err_t *err);
static pki_rc_t pki_crl_read_verify(const pki_issuer_t *issuer,
    pki_bytes_t algorithm, pki_bytes_t data, pki_bytes_t sig,
    pki_err_t *err);
static pki_rc_t pki_crl_read_head(pki_der_t *tbs, pki_bytes_t algorithm,
    pki_crl_plan_t *plan);
static pki_rc_t pki_crl_read_entries(pki_der_t list,
    pki_crl_entry_t **entries, size_t *n, pki_err_t *err);
static pki_rc_t pki_crl_read_entry(pki_der_t *list, pki_crl_entry_t *entry);
static pki_rc_t pki_crl_read_extensions(pki_der_t *tbs,
    pki_crl_plan_t *plan);
static pki_rc_t pki_crl_read_extension(pki_der_t *list, unsigned *id,
    pki_der_t *value);
static pki_rc_t pki_crl_read_scope(pki_der_t *value, pki_crl_plan_t *plan);
static pki_rc_t pki_crl_read_reason(pki_der_t *value, pki_reason_t *reason);
static pki_rc_t pki_crl_read_number(pki_der_t *der, unsigned long long *n);
static pki_rc_t pki_crl_read_time(pki_der_t *der, time_t *t);
static pki_rc_t pki_crl_read_raw(pki_der_t *der, unsigned tag,
    pki_bytes_t *raw);


pki_rc_t
pki_crl_read(const pki_issuer_t *issuer, pki_bytes_t der,
    pki_crl_plan_t *plan, pki_crl_entry_t **entries, size_t *n,
    pki_err_t *err)
{
    pki_rc_t     rc;
    pki_der_t    tbs, list;
    pki_bytes_t  algorithm;

    *entries = NULL;
    *n = 0;

    memset(plan, 0, sizeof(pki_crl_plan_t));
    plan->issuer = issuer;

    rc = pki_crl_read_signed(issuer, der, &tbs, &algorithm, err);
    if (rc != PKI_OK) {
        return rc;
    }

    pki_err_set(err, "this is not a CRL of ours");

    if (pki_crl_read_head(&tbs, algorithm, plan) != PKI_OK) {
        return PKI_INVALID;
    }

    if (pki_der_peek(&tbs) == PKI_DER_SEQUENCE) {
        if (pki_der_enter(&tbs, PKI_DER_SEQUENCE, &list) != PKI_OK) {
            return PKI_INVALID;
        }

        rc = pki_crl_read_entries(list, entries, n, err);
        if (rc != PKI_OK) {
            return rc;
        }
    }

    if (pki_crl_read_extensions(&tbs, plan) != PKI_OK
        || pki_der_peek(&tbs) >= 0)
    {
        OPENSSL_free(*entries);
        *entries = NULL;
        *n = 0;

        return PKI_INVALID;
    }

    *n = pki_crl_sort(*entries, *n);

    return PKI_OK;
}


static pki_rc_t
pki_crl_read_signed(const pki_issuer_t *issuer, pki_bytes_t der,
    pki_der_t *tbs, pki_bytes_t *algorithm, pki_err_t *err)
{
    pki_der_t    in, crl, inner;
    pki_bytes_t  data, sig;

    pki_der_init(&in, der);

    if (pki_der_enter(&in, PKI_DER_SEQUENCE, &crl) != PKI_OK
        || pki_der_peek(&in) >= 0
        || pki_crl_read_raw(&crl, PKI_DER_SEQUENCE, &data) != PKI_OK
        || pki_crl_read_raw(&crl, PKI_DER_SEQUENCE, algorithm) != PKI_OK
        || pki_der_read(&crl, PKI_DER_BIT_STRING, &sig) != PKI_OK
        || pki_der_peek(&crl) >= 0
        || sig.len < 2 || sig.data[0] != 0)
    {
        pki_err_set(err, "this is not a CRL");
        return PKI_INVALID;
    }

    sig.data++;
    sig.len--;

    pki_der_init(&inner, data);
    (void) pki_der_enter(&inner, PKI_DER_SEQUENCE, tbs);

    return pki_crl_read_verify(issuer, *algorithm, data, sig, err);
}


static pki_rc_t
pki_crl_read_verify(const pki_issuer_t *issuer, pki_bytes_t algorithm,
    pki_bytes_t data, pki_bytes_t sig, pki_err_t *err)
{
    int                   rc, md, key;
    X509_ALGOR           *a;
    EVP_MD_CTX           *ctx;
    const ASN1_OBJECT    *oid;
    const unsigned char  *p;

    p = algorithm.data;
    ctx = NULL;
    a = d2i_X509_ALGOR(NULL, &p, (long) algorithm.len);

    if (a == NULL) {
        pki_err_ssl(err, "could not read the signature algorithm of a CRL");
        return PKI_INVALID;
    }

    X509_ALGOR_get0(&oid, NULL, NULL, a);

    rc = OBJ_find_sigid_algs(OBJ_obj2nid(oid), &md, &key);
    X509_ALGOR_free(a);

    if (rc != 1) {
        pki_err_ssl(err, "a CRL with an unknown signature algorithm");
        return PKI_INVALID;
    }

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        pki_err_ssl(err, "no memory to check the signature of a CRL");
        return PKI_ERROR;
    }

    rc = EVP_DigestVerifyInit_ex(ctx, NULL,
                                 md == NID_undef ? NULL : OBJ_nid2sn(md),
                                 NULL, NULL, X509_get0_pubkey(issuer->cert),
                                 NULL);
    if (rc == 1) {
        rc = EVP_DigestVerify(ctx, sig.data, sig.len, data.data, data.len);
    }

    EVP_MD_CTX_free(ctx);

    if (rc != 1) {
        pki_err_ssl(err, "a CRL that this CA has not signed");
        return PKI_INVALID;
    }

    return PKI_OK;
}


/* up to nextUpdate */

static pki_rc_t
pki_crl_read_head(pki_der_t *tbs, pki_bytes_t algorithm,
    pki_crl_plan_t *plan)
{
    pki_bytes_t         inner, name, own;
    unsigned long long  version;

    if (X509_NAME_get0_der(X509_get_subject_name(plan->issuer->cert),
                           &own.data, &own.len)
        != 1)
    {
        return PKI_INVALID;
    }

    if (pki_crl_read_number(tbs, &version) != PKI_OK
        || version != PKI_CRL_V2
        || pki_crl_read_raw(tbs, PKI_DER_SEQUENCE, &inner) != PKI_OK
        || !pki_der_equal(inner, algorithm)
        || pki_crl_read_raw(tbs, PKI_DER_SEQUENCE, &name) != PKI_OK
        || !pki_der_equal(name, own)
        || pki_crl_read_time(tbs, &plan->this_update) != PKI_OK
        || pki_crl_read_time(tbs, &plan->next_update) != PKI_OK)
    {
        return PKI_INVALID;
    }

    return PKI_OK;
}


static pki_rc_t
pki_crl_read_entries(pki_der_t list, pki_crl_entry_t **entries, size_t *n,
    pki_err_t *err)
{
    size_t            count, i;
    pki_der_t         rest;
    pki_crl_entry_t  *all;

    rest = list;

    for (count = 0; pki_der_peek(&rest) >= 0; count++) {
        if (pki_der_skip(&rest) != PKI_OK) {
            return PKI_INVALID;
        }
    }

    if (count == 0) {
        return PKI_INVALID;
    }

    all = OPENSSL_zalloc(count * sizeof(pki_crl_entry_t));
    if (all == NULL) {
        pki_err_ssl(err, "no memory for %zu entries of a CRL", count);
        return PKI_ERROR;
    }

    for (i = 0; i < count; i++) {
        if (pki_crl_read_entry(&list, &all[i]) != PKI_OK) {
            OPENSSL_free(all);
            return PKI_INVALID;
        }
    }

    *entries = all;
    *n = count;

    return PKI_OK;
}


static pki_rc_t
pki_crl_read_entry(pki_der_t *list, pki_crl_entry_t *entry)
{
    unsigned     id;
    pki_rc_t     rc;
    pki_der_t    in, extensions, value;
    pki_bytes_t  serial;

    if (pki_der_enter(list, PKI_DER_SEQUENCE, &in) != PKI_OK
        || pki_der_integer(&in, &serial) != PKI_OK
        || pki_serial_from_integer(serial, &entry->serial) != PKI_OK
        || pki_crl_read_time(&in, &entry->at) != PKI_OK)
    {
        return PKI_INVALID;
    }

    if (pki_der_peek(&in) < 0) {
        return PKI_OK;
    }

    if (pki_der_enter(&in, PKI_DER_SEQUENCE, &extensions) != PKI_OK
        || pki_der_peek(&in) >= 0)
    {
        return PKI_INVALID;
    }

    while (pki_der_peek(&extensions) >= 0) {
        rc = pki_crl_read_extension(&extensions, &id, &value);

        if (rc == PKI_OK && id == PKI_CRL_REASON) {
            rc = pki_crl_read_reason(&value, &entry->reason);

        } else if (rc == PKI_OK && id == PKI_CRL_INVALIDITY) {
            rc = pki_crl_read_time(&value, &entry->invalidity);
        }

        if (rc != PKI_OK) {
            return rc;
        }
    }

    return PKI_OK;
}


static pki_rc_t
pki_crl_read_extensions(pki_der_t *tbs, pki_crl_plan_t *plan)
{
    unsigned   id;
    pki_rc_t   rc;
    pki_der_t  in, list, value;

    if (pki_der_enter(tbs, PKI_DER_EXPLICIT(0), &in) != PKI_OK
        || pki_der_enter(&in, PKI_DER_SEQUENCE, &list) != PKI_OK
        || pki_der_peek(&in) >= 0)
    {
        return PKI_INVALID;
    }

    while (pki_der_peek(&list) >= 0) {
        rc = pki_crl_read_extension(&list, &id, &value);

        if (rc == PKI_OK && id == PKI_CRL_NUMBER) {
            rc = pki_crl_read_number(&value, &plan->number);

        } else if (rc == PKI_OK && id == PKI_CRL_DELTA) {
            rc = pki_crl_read_number(&value, &plan->base);

        } else if (rc == PKI_OK && id == PKI_CRL_SCOPE) {
            rc = pki_crl_read_scope(&value, plan);
        }

        if (rc != PKI_OK) {
            return rc;
        }
    }

    return PKI_OK;
}


/* id is 0 for an extension that is none of id-ce. */

static pki_rc_t
pki_crl_read_extension(pki_der_t *list, unsigned *id, pki_der_t *value)
{
    unsigned     critical;
    pki_der_t    in;
    pki_bytes_t  oid;

    static const unsigned char  arc[] = { PKI_CRL_OID_ARC };

    if (pki_der_enter(list, PKI_DER_SEQUENCE, &in) != PKI_OK
        || pki_der_oid(&in, &oid) != PKI_OK)
    {
        return PKI_INVALID;
    }

    *id = (oid.len == PKI_CRL_OID_LEN
           && memcmp(oid.data, arc, sizeof(arc)) == 0) ? oid.data[2] : 0;

    if (pki_der_peek(&in) == PKI_DER_BOOLEAN
        && pki_der_boolean(&in, &critical) != PKI_OK)
    {
        return PKI_INVALID;
    }

    if (pki_der_enter(&in, PKI_DER_OCTET_STRING, value) != PKI_OK
        || pki_der_peek(&in) >= 0)
    {
        return PKI_INVALID;
    }

    return PKI_OK;
}


static pki_rc_t
pki_crl_read_scope(pki_der_t *value, pki_crl_plan_t *plan)
{
    pki_der_t    in;
    pki_bytes_t  users;

    if (pki_der_enter(value, PKI_DER_SEQUENCE, &in) != PKI_OK) {
        return PKI_INVALID;
    }

    if (pki_der_peek(&in) == PKI_DER_EXPLICIT(0)
        && pki_der_skip(&in) != PKI_OK)
    {
        return PKI_INVALID;
    }

    if (pki_der_peek(&in) == PKI_DER_CONTEXT(1)) {
        if (pki_der_read(&in, PKI_DER_CONTEXT(1), &users) != PKI_OK) {
            return PKI_INVALID;
        }

        plan->partial = 1;
    }

    return PKI_OK;
}


static pki_rc_t
pki_crl_read_reason(pki_der_t *value, pki_reason_t *reason)
{
    pki_bytes_t  octet;

    if (pki_der_read(value, PKI_DER_ENUMERATED, &octet) != PKI_OK
        || octet.len != 1
        || (octet.data[0] != PKI_REASON_REMOVE_FROM_CRL
            && !pki_reason_valid(octet.data[0])))
    {
        return PKI_INVALID;
    }

    *reason = (pki_reason_t) octet.data[0];

    return PKI_OK;
}


static pki_rc_t
pki_crl_read_number(pki_der_t *der, unsigned long long *n)
{
    size_t       i;
    pki_bytes_t  octets;

    if (pki_der_integer(der, &octets) != PKI_OK || (octets.data[0] & 0x80)) {
        return PKI_INVALID;
    }

    *n = 0;

    for (i = 0; i < octets.len; i++) {
        if (*n > (ULLONG_MAX >> 8)) {
            return PKI_INVALID;
        }

        *n = (*n << 8) | octets.data[i];
    }

    return PKI_OK;
}


/* UTCTime or GeneralizedTime as RFC 5280 has them, in seconds and in UTC */

static pki_rc_t
pki_crl_read_time(pki_der_t *der, time_t *t)
{
    char          iso[PKI_CRL_READ_ISO];
    const char   *d;
    pki_bytes_t   text;

    if (pki_der_read(der, PKI_CRL_UTC_TIME, &text) == PKI_OK) {
        if (text.len != PKI_CRL_UTC_LEN) {
            return PKI_INVALID;
        }

        /* years 1950 to 2049, of which we have none before 1970 */

        memcpy(iso, text.data[0] < '5' ? "20" : "19", 2);

    } else if (pki_der_read(der, PKI_DER_GENERALIZED_TIME, &text) == PKI_OK
               && text.len == PKI_DER_TIME_LEN)
    {
        memcpy(iso, text.data, 2);
        text.data += 2;

    } else {
        return PKI_INVALID;
    }

    d = (const char *) text.data;

    if (d[PKI_CRL_UTC_LEN - 1] != 'Z') {
        return PKI_INVALID;
    }

    memcpy(iso + 2, d, 2);
    iso[4] = '-';
    memcpy(iso + 5, d + 2, 2);
    iso[7] = '-';
    memcpy(iso + 8, d + 4, 2);
    iso[10] = 'T';
    memcpy(iso + 11, d + 6, 2);
    iso[13] = ':';
    memcpy(iso + 14, d + 8, 2);
    iso[16] = ':';
    memcpy(iso + 17, d + 10, 2);
    iso[19] = 'Z';

    return pki_time_iso(iso, PKI_CRL_READ_ISO, t);
}


/* An element with its tag and length. */

static pki_rc_t
pki_crl_read_raw(pki_der_t *der, unsigned tag, pki_bytes_t *raw)
{
    pki_bytes_t  content;

    raw->data = der->pos;

    if (pki_der_read(der, tag, &content) != PKI_OK) {
        return PKI_INVALID;
    }

    raw->len = der->pos - raw->data;

    return PKI_OK;
}


/*
 * A list of entries becomes a CRL.
 *
 * Room is taken for the longest that the entries can become, and then all is
 * one walk from front to back.  No entry has 128 octets, so their lengths
 * never move anything.
 *
 * Reading is pki_crl_read.c's.
 */

#include "pki_crl.h"

#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include "pki_crl_oid.h"
#include "pki_der.h"


#define PKI_CRL_ENTRY_MAX    88     /* octets: the longest serial number and
                                       time, both extensions: 82 */
#define PKI_CRL_FIXED_MAX    512    /* what is neither entry, name, URL nor
                                       signature: 200 or so */
#define PKI_CRL_NUMBER_LEN   8      /* octets of a number */


typedef struct {
    const pki_crl_plan_t   *plan;
    const pki_crl_entry_t  *entries;
    size_t                  n;
    pki_bytes_t             name;       /* of the CA */
    pki_signer_t           *signer;
} pki_crl_list_t;


static int pki_crl_compare(const void *one, const void *two);
static int pki_crl_compare_serial(const pki_serial_t *a,
    const pki_serial_t *b);
static int pki_crl_same(const pki_crl_entry_t *a, const pki_crl_entry_t *b);

static size_t pki_crl_room(const pki_crl_list_t *list);
static pki_rc_t pki_crl_write(pki_der_writer_t *w, const pki_crl_list_t *list,
    unsigned char *sig, pki_err_t *err);
static void pki_crl_write_tbs(pki_der_writer_t *w, const pki_crl_list_t *list,
    pki_bytes_t algorithm);
static void pki_crl_write_entry(pki_der_writer_t *w,
    const pki_crl_entry_t *entry);
static void pki_crl_write_extensions(pki_der_writer_t *w,
    const pki_crl_plan_t *plan);
static void pki_crl_write_key_id(pki_der_writer_t *w,
    const pki_issuer_t *issuer);
static void pki_crl_write_scope(pki_der_writer_t *w,
    const pki_crl_plan_t *plan);
static void pki_crl_write_point(pki_der_writer_t *w, const char *url);
static void pki_crl_write_integer(pki_der_writer_t *w,
    const unsigned char *data, size_t len);
static void pki_crl_write_number(pki_der_writer_t *w, unsigned long long n);
static void pki_crl_write_octets(pki_der_writer_t *w, unsigned tag,
    const void *data, size_t len);
static void pki_crl_write_time(pki_der_writer_t *w, time_t t);
static size_t pki_crl_begin(pki_der_writer_t *w, unsigned char id,
    int critical, size_t *octets);
static void pki_crl_end(pki_der_writer_t *w, size_t extension, size_t octets);


static const unsigned char  pki_crl_true = 0xff;

static const pki_bytes_t  pki_crl_zero = { (const unsigned char *) "", 1 };


size_t
pki_crl_sort(pki_crl_entry_t *entries, size_t n)
{
    size_t  i, left;

    if (n == 0) {
        return 0;
    }

    qsort(entries, n, sizeof(pki_crl_entry_t), pki_crl_compare);

    for (left = 1, i = 1; i < n; i++) {
        if (pki_crl_compare_serial(&entries[i].serial,
                                   &entries[left - 1].serial)
            != 0)
        {
            entries[left++] = entries[i];
        }
    }

    return left;
}


/* By serial number; of equal ones a final reason first, then the earliest. */

static int
pki_crl_compare(const void *one, const void *two)
{
    const pki_crl_entry_t *a = one, *b = two;

    int  rc, hold;

    rc = pki_crl_compare_serial(&a->serial, &b->serial);
    if (rc != 0) {
        return rc;
    }

    hold = (a->reason == PKI_REASON_CERTIFICATE_HOLD)
           - (b->reason == PKI_REASON_CERTIFICATE_HOLD);

    if (hold != 0) {
        return hold;
    }

    if (a->at != b->at) {
        return a->at < b->at ? -1 : 1;
    }

    return (int) a->reason - (int) b->reason;
}


/* None begins with a zero, so the longer is the greater. */

static int
pki_crl_compare_serial(const pki_serial_t *a, const pki_serial_t *b)
{
    if (a->len != b->len) {
        return a->len < b->len ? -1 : 1;
    }

    return memcmp(a->data, b->data, a->len);
}


size_t
pki_crl_delta(const pki_crl_entry_t *base, size_t nbase,
    const pki_crl_entry_t *now, size_t nnow, time_t at,
    pki_crl_entry_t *delta)
{
    int     rc;
    size_t  i, k, n;

    i = 0;
    k = 0;
    n = 0;

    while (i < nbase || k < nnow) {
        rc = i == nbase ? 1
             : k == nnow ? -1
             : pki_crl_compare_serial(&base[i].serial, &now[k].serial);

        if (rc < 0) {
            memset(&delta[n], 0, sizeof(pki_crl_entry_t));
            delta[n].serial = base[i++].serial;
            delta[n].at = at;
            delta[n].reason = PKI_REASON_REMOVE_FROM_CRL;
            n++;
            continue;
        }

        if (rc > 0 || !pki_crl_same(&base[i], &now[k])) {
            delta[n++] = now[k];
        }

        k++;
        i += (rc == 0);
    }

    return n;
}


/* Do both become the same octets? */

static int
pki_crl_same(const pki_crl_entry_t *a, const pki_crl_entry_t *b)
{
    return a->reason == b->reason && a->at == b->at
           && a->invalidity == b->invalidity;
}


pki_rc_t
pki_crl_issue(const pki_crl_plan_t *plan, const pki_crl_entry_t *entries,
    size_t n, unsigned char **der, size_t *len, pki_err_t *err)
{
    size_t               room;
    pki_rc_t             rc;
    unsigned char       *buf;
    pki_crl_list_t       list;
    pki_der_writer_t     w;
    const pki_issuer_t  *issuer;

    issuer = plan->issuer;

    if (issuer->key == NULL) {
        pki_err_set(err, "the CA's key is not here to sign a CRL");
        return PKI_ERROR;
    }

    list.plan = plan;
    list.entries = entries;
    list.n = n;

    if (X509_NAME_get0_der(X509_get_subject_name(issuer->cert),
                           &list.name.data, &list.name.len)
        != 1)
    {
        pki_err_ssl(err, "could not encode the CA's name");
        return PKI_ERROR;
    }

    list.signer = pki_signer_create(issuer, issuer->cert, issuer->key, err);
    if (list.signer == NULL) {
        return PKI_ERROR;
    }

    rc = PKI_ERROR;
    room = pki_crl_room(&list);

    /* the signature is made behind what the writer may use */

    buf = OPENSSL_malloc(room + pki_signer_size(list.signer));

    if (buf == NULL) {
        pki_err_ssl(err, "no memory for a CRL of %zu entries", n);
        goto done;
    }

    pki_der_writer_init(&w, buf, room);

    rc = pki_crl_write(&w, &list, buf + room, err);
    if (rc != PKI_OK) {
        OPENSSL_free(buf);
        goto done;
    }

    *der = buf;
    *len = w.pos - w.start;

done:

    pki_signer_free(list.signer);

    return rc;
}


static size_t
pki_crl_room(const pki_crl_list_t *list)
{
    return PKI_CRL_FIXED_MAX + list->n * PKI_CRL_ENTRY_MAX + list->name.len
           + (list->plan->freshest ? strlen(list->plan->freshest) : 0)
           + (list->plan->point ? strlen(list->plan->point) : 0)
           + pki_signer_size(list->signer);
}


static pki_rc_t
pki_crl_write(pki_der_writer_t *w, const pki_crl_list_t *list,
    unsigned char *sig, pki_err_t *err)
{
    size_t       crl, tbs, bits, guess;
    pki_bytes_t  algorithm, data, signature;

    algorithm = pki_signer_algorithm(list->signer, 0);
    guess = list->n * PKI_CRL_ENTRY_MAX / 2;

    crl = pki_der_begin(w, PKI_DER_SEQUENCE, guess);
    tbs = pki_der_begin(w, PKI_DER_SEQUENCE, guess);

    pki_crl_write_tbs(w, list, algorithm);
    pki_der_end(w, tbs);

    if (w->failed) {
        pki_err_set(err, "a CRL with a time that cannot be");
        return PKI_ERROR;
    }

    data.data = w->start + tbs;
    data.len = w->pos - data.data;
    signature.data = sig;

    if (pki_signer_sign(list->signer, 0, data, sig, &signature.len, err)
        != PKI_OK)
    {
        return PKI_ERROR;
    }

    pki_der_append(w, algorithm);

    bits = pki_der_begin(w, PKI_DER_BIT_STRING, 1 + signature.len);
    pki_der_append(w, pki_crl_zero);
    pki_der_append(w, signature);
    pki_der_end(w, bits);

    pki_der_end(w, crl);

    if (w->failed) {
        pki_err_set(err, "a CRL became longer than it can");
        return PKI_ERROR;
    }

    return PKI_OK;
}


/* TBSCertList, RFC 5280, 5.1.2; without entries their list is left out */

static void
pki_crl_write_tbs(pki_der_writer_t *w, const pki_crl_list_t *list,
    pki_bytes_t algorithm)
{
    size_t  i, entries;

    pki_crl_write_number(w, PKI_CRL_V2);
    pki_der_append(w, algorithm);
    pki_der_append(w, list->name);
    pki_crl_write_time(w, list->plan->this_update);
    pki_crl_write_time(w, list->plan->next_update);

    if (list->n != 0) {
        entries = pki_der_begin(w, PKI_DER_SEQUENCE,
                                list->n * PKI_CRL_ENTRY_MAX / 2);

        for (i = 0; i < list->n; i++) {
            pki_crl_write_entry(w, &list->entries[i]);
        }

        pki_der_end(w, entries);
    }

    pki_crl_write_extensions(w, list->plan);
}


static void
pki_crl_write_entry(pki_der_writer_t *w, const pki_crl_entry_t *entry)
{
    size_t         start, list, extension, octets;
    unsigned char  reason;

    start = pki_der_begin(w, PKI_DER_SEQUENCE, 0);

    pki_crl_write_integer(w, entry->serial.data, entry->serial.len);
    pki_crl_write_time(w, entry->at);

    if (entry->reason > PKI_REASON_UNSPECIFIED || entry->invalidity != 0) {
        list = pki_der_begin(w, PKI_DER_SEQUENCE, 0);

        if (entry->reason > PKI_REASON_UNSPECIFIED) {
            reason = (unsigned char) entry->reason;

            extension = pki_crl_begin(w, PKI_CRL_REASON, 0, &octets);
            pki_crl_write_octets(w, PKI_DER_ENUMERATED, &reason, 1);
            pki_crl_end(w, extension, octets);
        }

        /* a GeneralizedTime of any year (5.3.2) */

        if (entry->invalidity != 0) {
            extension = pki_crl_begin(w, PKI_CRL_INVALIDITY, 0, &octets);
            pki_der_time(w, entry->invalidity);
            pki_crl_end(w, extension, octets);
        }

        pki_der_end(w, list);
    }

    pki_der_end(w, start);
}


static void
pki_crl_write_extensions(pki_der_writer_t *w, const pki_crl_plan_t *plan)
{
    size_t  tagged, list, extension, octets, points, point;

    tagged = pki_der_begin(w, PKI_DER_EXPLICIT(0), 0);
    list = pki_der_begin(w, PKI_DER_SEQUENCE, 0);

    pki_crl_write_key_id(w, plan->issuer);

    extension = pki_crl_begin(w, PKI_CRL_NUMBER, 0, &octets);
    pki_crl_write_number(w, plan->number);
    pki_crl_end(w, extension, octets);

    if (plan->base != 0) {
        extension = pki_crl_begin(w, PKI_CRL_DELTA, 1, &octets);
        pki_crl_write_number(w, plan->base);
        pki_crl_end(w, extension, octets);
    }

    if (plan->partial || plan->point != NULL) {
        pki_crl_write_scope(w, plan);
    }

    /* never in a delta (5.2.6) */

    if (plan->freshest != NULL && plan->base == 0) {
        extension = pki_crl_begin(w, PKI_CRL_FRESHEST, 0, &octets);
        points = pki_der_begin(w, PKI_DER_SEQUENCE, 0);
        point = pki_der_begin(w, PKI_DER_SEQUENCE, 0);
        pki_crl_write_point(w, plan->freshest);
        pki_der_end(w, point);
        pki_der_end(w, points);
        pki_crl_end(w, extension, octets);
    }

    pki_der_end(w, list);
    pki_der_end(w, tagged);
}


/* As the CA's certificate says it, or the hash it would have there. */

static void
pki_crl_write_key_id(pki_der_writer_t *w, const pki_issuer_t *issuer)
{
    size_t                    sequence, extension, octets;
    const ASN1_OCTET_STRING  *id;

    id = X509_get0_subject_key_id(issuer->cert);

    extension = pki_crl_begin(w, PKI_CRL_KEY_ID, 0, &octets);
    sequence = pki_der_begin(w, PKI_DER_SEQUENCE, 0);

    if (id != NULL) {
        pki_crl_write_octets(w, PKI_DER_CONTEXT(0), ASN1_STRING_get0_data(id),
                             ASN1_STRING_length(id));

    } else {
        pki_crl_write_octets(w, PKI_DER_CONTEXT(0),
                             issuer->hash[PKI_DIGEST_SHA1].key,
                             SHA_DIGEST_LENGTH);
    }

    pki_der_end(w, sequence);
    pki_crl_end(w, extension, octets);
}


/* IssuingDistributionPoint, 5.2.5 */

static void
pki_crl_write_scope(pki_der_writer_t *w, const pki_crl_plan_t *plan)
{
    size_t  sequence, extension, octets;

    extension = pki_crl_begin(w, PKI_CRL_SCOPE, 1, &octets);
    sequence = pki_der_begin(w, PKI_DER_SEQUENCE, 0);

    if (plan->point != NULL) {
        pki_crl_write_point(w, plan->point);
    }

    if (plan->partial) {
        pki_crl_write_octets(w, PKI_DER_CONTEXT(1), &pki_crl_true, 1);
    }

    pki_der_end(w, sequence);
    pki_crl_end(w, extension, octets);
}


/* DistributionPointName with a fullName of one URI, as field [0] */

static void
pki_crl_write_point(pki_der_writer_t *w, const char *url)
{
    size_t  point, name;

    point = pki_der_begin(w, PKI_DER_EXPLICIT(0), 0);
    name = pki_der_begin(w, PKI_DER_EXPLICIT(0), 0);
    pki_crl_write_octets(w, PKI_DER_CONTEXT(6), url, strlen(url));
    pki_der_end(w, name);
    pki_der_end(w, point);
}


/* A positive number without zeros in front. */

static void
pki_crl_write_integer(pki_der_writer_t *w, const unsigned char *data,
    size_t len)
{
    size_t       integer;
    pki_bytes_t  octets;

    integer = pki_der_begin(w, PKI_DER_INTEGER, len);

    if (data[0] & 0x80) {
        pki_der_append(w, pki_crl_zero);
    }

    octets.data = data;
    octets.len = len;
    pki_der_append(w, octets);

    pki_der_end(w, integer);
}


static void
pki_crl_write_number(pki_der_writer_t *w, unsigned long long n)
{
    size_t         i;
    unsigned char  octets[PKI_CRL_NUMBER_LEN];

    i = PKI_CRL_NUMBER_LEN;

    do {
        octets[--i] = (unsigned char) n;
        n >>= 8;
    } while (n != 0);

    pki_crl_write_integer(w, octets + i, PKI_CRL_NUMBER_LEN - i);
}


static void
pki_crl_write_octets(pki_der_writer_t *w, unsigned tag, const void *data,
    size_t len)
{
    pki_bytes_t  octets;

    octets.data = data;
    octets.len = len;

    pki_der_write(w, tag, octets);
}


/* UTCTime until the end of 2049, then GeneralizedTime (5.1.2.4) */

static void
pki_crl_write_time(pki_der_writer_t *w, time_t t)
{
    unsigned char     text[2 + PKI_DER_TIME_LEN];
    pki_der_writer_t  general;

    if (t > PKI_CRL_UTC_LAST) {
        pki_der_time(w, t);
        return;
    }

    pki_der_writer_init(&general, text, sizeof(text));
    pki_der_time(&general, t);

    if (general.failed) {
        w->failed = 1;
        return;
    }

    /* the same without the century */

    pki_crl_write_octets(w, PKI_CRL_UTC_TIME, text + 4, PKI_CRL_UTC_LEN);
}


/* Opens an extension; returns what pki_crl_end() needs to close it. */

static size_t
pki_crl_begin(pki_der_writer_t *w, unsigned char id, int critical,
    size_t *octets)
{
    size_t         extension;
    unsigned char  oid[PKI_CRL_OID_LEN] = { PKI_CRL_OID_ARC, id };

    extension = pki_der_begin(w, PKI_DER_SEQUENCE, 0);

    pki_crl_write_octets(w, PKI_DER_OID, oid, PKI_CRL_OID_LEN);

    if (critical) {
        pki_crl_write_octets(w, PKI_DER_BOOLEAN, &pki_crl_true, 1);
    }

    *octets = pki_der_begin(w, PKI_DER_OCTET_STRING, 0);

    return extension;
}


static void
pki_crl_end(pki_der_writer_t *w, size_t extension, size_t octets)
{
    pki_der_end(w, octets);
    pki_der_end(w, extension);
}

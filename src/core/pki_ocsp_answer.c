
/*
 * OCSP answers (RFC 6960, 4.2): verdicts to a signed response.
 *
 * One walk writes the answer into the caller's buffer and signs in passing:
 * what is signed lies finished before its signature is appended, and the
 * elements around both are closed last.
 */

#include "pki_ocsp.h"

#include <string.h>
#include "pki_der.h"


/*
 * Bounds of what is written around the parts whose length is known: tags,
 * lengths, times, extensions.  Roomy, because only a buffer depends on them.
 */

#define PKI_OCSP_SINGLE_SIZE      192
#define PKI_OCSP_FRAME_SIZE       192


static pki_rc_t pki_ocsp_check(const pki_ocsp_answer_t *answer,
    const pki_signer_t *signer, pki_err_t *err);
static int pki_ocsp_time_valid(time_t t);
static pki_rc_t pki_ocsp_put_basic(pki_der_writer_t *w,
    const pki_ocsp_answer_t *answer, pki_signer_t *signer,
    unsigned algorithm, size_t bound, pki_err_t *err);
static void pki_ocsp_put_tbs(pki_der_writer_t *w,
    const pki_ocsp_answer_t *answer, const pki_signer_t *signer,
    size_t bound);
static void pki_ocsp_put_single(pki_der_writer_t *w,
    const pki_ocsp_answer_t *answer, unsigned n);
static void pki_ocsp_put_status(pki_der_writer_t *w,
    const pki_verdict_t *verdict);
static void pki_ocsp_put_extensions(pki_der_writer_t *w,
    const pki_ocsp_answer_t *answer);
static void pki_ocsp_put_oid(pki_der_writer_t *w, unsigned arc);
static pki_rc_t pki_ocsp_put_signature(pki_der_writer_t *w, pki_bytes_t data,
    pki_signer_t *signer, unsigned algorithm, pki_err_t *err);


static const pki_bytes_t  pki_ocsp_empty = { NULL, 0 };
static const pki_bytes_t  pki_ocsp_zero = { (const unsigned char *) "", 1 };


/* the last one also stands for what is no error status */

static const unsigned char  pki_ocsp_errors[][5] = {
    { 0x30, 0x03, 0x0a, 0x01, PKI_OCSP_MALFORMED_REQUEST },
    { 0x30, 0x03, 0x0a, 0x01, PKI_OCSP_TRY_LATER },
    { 0x30, 0x03, 0x0a, 0x01, PKI_OCSP_SIG_REQUIRED },
    { 0x30, 0x03, 0x0a, 0x01, PKI_OCSP_UNAUTHORIZED },
    { 0x30, 0x03, 0x0a, 0x01, PKI_OCSP_INTERNAL_ERROR }
};

#define PKI_OCSP_ERRORS                                                      \
    (sizeof(pki_ocsp_errors) / sizeof(pki_ocsp_errors[0]))


int
pki_ocsp_prefers(const pki_ocsp_request_t *request,
    const pki_signer_t *signer)
{
    return pki_signer_choose(signer, request->preferences,
                             request->npreferences)
           != 0;
}


size_t
pki_ocsp_answer_size(const pki_ocsp_answer_t *answer,
    const pki_signer_t *signer)
{
    size_t    size;
    unsigned  i;

    size = PKI_OCSP_FRAME_SIZE + answer->nonce.len
           + pki_signer_size(signer) + pki_signer_cert(signer).len;

    for (i = 0; i < answer->n; i++) {
        size += PKI_OCSP_SINGLE_SIZE + answer->certs[i].der.len;
    }

    return size;
}


pki_rc_t
pki_ocsp_sign(const pki_ocsp_answer_t *answer, pki_signer_t *signer,
    const pki_ocsp_request_t *request, unsigned char *buf, size_t size,
    size_t *len, pki_err_t *err)
{
    size_t            bound, response, bytes, type, basic;
    unsigned          algorithm;
    pki_rc_t          rc;
    pki_der_writer_t  w;

    if (pki_ocsp_check(answer, signer, err) != PKI_OK) {
        return PKI_INVALID;
    }

    algorithm = request ? pki_signer_choose(signer, request->preferences,
                                            request->npreferences)
                        : 0;

    bound = pki_ocsp_answer_size(answer, signer);

    pki_der_writer_init(&w, buf, size);

    response = pki_der_begin(&w, PKI_DER_SEQUENCE, bound);
    pki_der_write(&w, PKI_DER_ENUMERATED, pki_ocsp_zero);

    bytes = pki_der_begin(&w, PKI_DER_EXPLICIT(0), bound);
    type = pki_der_begin(&w, PKI_DER_SEQUENCE, bound);
    pki_ocsp_put_oid(&w, PKI_OCSP_BASIC);

    basic = pki_der_begin(&w, PKI_DER_OCTET_STRING, bound);

    rc = pki_ocsp_put_basic(&w, answer, signer, algorithm, bound, err);
    if (rc != PKI_OK) {
        return rc;
    }

    pki_der_end(&w, basic);
    pki_der_end(&w, type);
    pki_der_end(&w, bytes);
    pki_der_end(&w, response);

    if (w.failed) {
        pki_err_set(err, "the answer does not fit into %zu octets", size);
        return PKI_INVALID;
    }

    *len = w.pos - w.start;

    return PKI_OK;
}


static pki_rc_t
pki_ocsp_check(const pki_ocsp_answer_t *answer, const pki_signer_t *signer,
    pki_err_t *err)
{
    unsigned              i;
    const pki_verdict_t  *verdict;

    if (answer->n == 0) {
        pki_err_set(err, "an answer without a certificate");
        return PKI_INVALID;
    }

    if (!pki_ocsp_time_valid(answer->produced_at)
        || !pki_ocsp_time_valid(answer->archive_cutoff))
    {
        pki_err_set(err, "a time of the answer is out of range");
        return PKI_INVALID;
    }

    for (i = 0; i < answer->n; i++) {
        verdict = &answer->verdicts[i];

        if (verdict->outcome >= PKI_OUTCOME_LATER) {
            pki_err_set(err, "a verdict that nobody can sign");
            return PKI_INVALID;
        }

        if (verdict->next_update > pki_signer_not_after(signer)) {
            pki_err_set(err, "a verdict that outlives its signer");
            return PKI_INVALID;
        }

        if (!pki_ocsp_time_valid(verdict->this_update)
            || !pki_ocsp_time_valid(verdict->next_update)
            || !pki_ocsp_time_valid(verdict->revoked_at))
        {
            pki_err_set(err, "a time of a verdict is out of range");
            return PKI_INVALID;
        }
    }

    return PKI_OK;
}


static int
pki_ocsp_time_valid(time_t t)
{
    return t >= 0 && t <= PKI_DER_TIME_MAX;
}


/* BasicOCSPResponse */

static pki_rc_t
pki_ocsp_put_basic(pki_der_writer_t *w, const pki_ocsp_answer_t *answer,
    pki_signer_t *signer, unsigned algorithm, size_t bound, pki_err_t *err)
{
    size_t       basic, tbs, certs;
    pki_rc_t     rc;
    pki_bytes_t  data, cert;

    cert = pki_signer_cert(signer);

    basic = pki_der_begin(w, PKI_DER_SEQUENCE, bound);
    tbs = w->pos - w->start;

    pki_ocsp_put_tbs(w, answer, signer,
                     bound - cert.len - pki_signer_size(signer));

    data.data = w->start + tbs;
    data.len = w->pos - data.data;

    rc = pki_ocsp_put_signature(w, data, signer, algorithm, err);
    if (rc != PKI_OK) {
        return rc;
    }

    if (cert.len) {
        certs = pki_der_begin(w, PKI_DER_EXPLICIT(0), cert.len);
        pki_der_write(w, PKI_DER_SEQUENCE, cert);
        pki_der_end(w, certs);
    }

    pki_der_end(w, basic);

    return PKI_OK;
}


static void
pki_ocsp_put_tbs(pki_der_writer_t *w, const pki_ocsp_answer_t *answer,
    const pki_signer_t *signer, size_t bound)
{
    size_t    tbs, id, responses;
    unsigned  i;

    tbs = pki_der_begin(w, PKI_DER_SEQUENCE, bound);

    id = pki_der_begin(w, PKI_DER_EXPLICIT(2), 0);
    pki_der_write(w, PKI_DER_OCTET_STRING, pki_signer_key_hash(signer));
    pki_der_end(w, id);

    pki_der_time(w, answer->produced_at);

    responses = pki_der_begin(w, PKI_DER_SEQUENCE, bound);

    for (i = 0; i < answer->n; i++) {
        pki_ocsp_put_single(w, answer, i);
    }

    pki_der_end(w, responses);

    pki_ocsp_put_extensions(w, answer);

    pki_der_end(w, tbs);
}


static void
pki_ocsp_put_single(pki_der_writer_t *w, const pki_ocsp_answer_t *answer,
    unsigned n)
{
    size_t                single, next, exts, list, ext, value;
    const pki_verdict_t  *verdict;

    verdict = &answer->verdicts[n];

    single = pki_der_begin(w, PKI_DER_SEQUENCE, answer->certs[n].der.len);

    pki_der_append(w, answer->certs[n].der);
    pki_ocsp_put_status(w, verdict);
    pki_der_time(w, verdict->this_update);

    next = pki_der_begin(w, PKI_DER_EXPLICIT(0), 0);
    pki_der_time(w, verdict->next_update);
    pki_der_end(w, next);

    if (answer->archive_cutoff) {
        exts = pki_der_begin(w, PKI_DER_EXPLICIT(1), 0);
        list = pki_der_begin(w, PKI_DER_SEQUENCE, 0);
        ext = pki_der_begin(w, PKI_DER_SEQUENCE, 0);
        pki_ocsp_put_oid(w, PKI_OCSP_ARCHIVE_CUTOFF);
        value = pki_der_begin(w, PKI_DER_OCTET_STRING, 0);
        pki_der_time(w, answer->archive_cutoff);
        pki_der_end(w, value);
        pki_der_end(w, ext);
        pki_der_end(w, list);
        pki_der_end(w, exts);
    }

    pki_der_end(w, single);
}


static void
pki_ocsp_put_status(pki_der_writer_t *w, const pki_verdict_t *verdict)
{
    size_t         revoked, reason;
    unsigned char  code;

    switch (verdict->outcome) {

    case PKI_OUTCOME_GOOD:
        pki_der_write(w, PKI_DER_CONTEXT(0), pki_ocsp_empty);
        break;

    case PKI_OUTCOME_HOLD:
    case PKI_OUTCOME_REVOKED:
        revoked = pki_der_begin(w, PKI_DER_EXPLICIT(1), 0);
        pki_der_time(w, verdict->revoked_at);

        /* unspecified is told by silence (RFC 5280, 5.3.1) */

        if (verdict->reason > PKI_REASON_UNSPECIFIED) {
            code = (unsigned char) verdict->reason;
            reason = pki_der_begin(w, PKI_DER_EXPLICIT(0), 0);
            pki_der_write(w, PKI_DER_ENUMERATED, (pki_bytes_t) { &code, 1 });
            pki_der_end(w, reason);
        }

        pki_der_end(w, revoked);
        break;

    default:
        pki_der_write(w, PKI_DER_CONTEXT(2), pki_ocsp_empty);
    }
}


/*
 * Never critical: clients have failed on a critical nonce and on a critical
 * extended-revoke alike.
 */

static void
pki_ocsp_put_extensions(pki_der_writer_t *w, const pki_ocsp_answer_t *answer)
{
    size_t    exts, list, ext, value;
    unsigned  i, extended;

    extended = 0;

    for (i = 0; i < answer->n; i++) {
        extended |= answer->verdicts[i].extended;
    }

    if (answer->nonce.len == 0 && !extended) {
        return;
    }

    exts = pki_der_begin(w, PKI_DER_EXPLICIT(1), answer->nonce.len);
    list = pki_der_begin(w, PKI_DER_SEQUENCE, answer->nonce.len);

    if (answer->nonce.len) {
        ext = pki_der_begin(w, PKI_DER_SEQUENCE, answer->nonce.len);
        pki_ocsp_put_oid(w, PKI_OCSP_NONCE);
        value = pki_der_begin(w, PKI_DER_OCTET_STRING, answer->nonce.len);
        pki_der_write(w, PKI_DER_OCTET_STRING, answer->nonce);
        pki_der_end(w, value);
        pki_der_end(w, ext);
    }

    if (extended) {
        ext = pki_der_begin(w, PKI_DER_SEQUENCE, 0);
        pki_ocsp_put_oid(w, PKI_OCSP_EXTENDED_REVOKE);
        value = pki_der_begin(w, PKI_DER_OCTET_STRING, 0);
        pki_der_write(w, PKI_DER_NULL, pki_ocsp_empty);
        pki_der_end(w, value);
        pki_der_end(w, ext);
    }

    pki_der_end(w, list);
    pki_der_end(w, exts);
}


static void
pki_ocsp_put_oid(pki_der_writer_t *w, unsigned arc)
{
    unsigned char  oid[PKI_OCSP_ARCS_LEN + 1];

    memcpy(oid, PKI_OCSP_ARCS, PKI_OCSP_ARCS_LEN);
    oid[PKI_OCSP_ARCS_LEN] = (unsigned char) arc;

    pki_der_write(w, PKI_DER_OID, (pki_bytes_t) { oid, sizeof(oid) });
}


/*
 * Signs straight into the answer.  The data is in the same buffer, where
 * nothing moves it until the elements around it are closed.
 */

static pki_rc_t
pki_ocsp_put_signature(pki_der_writer_t *w, pki_bytes_t data,
    pki_signer_t *signer, unsigned algorithm, pki_err_t *err)
{
    size_t  bits, len;

    pki_der_append(w, pki_signer_algorithm(signer, algorithm));

    bits = pki_der_begin(w, PKI_DER_BIT_STRING, 1 + pki_signer_size(signer));
    pki_der_append(w, pki_ocsp_zero);       /* no unused bits */

    if (w->failed || (size_t) (w->end - w->pos) < pki_signer_size(signer)) {
        pki_err_set(err, "the answer does not fit into its buffer");
        return PKI_INVALID;
    }

    if (pki_signer_sign(signer, algorithm, data, w->pos, &len, err) != PKI_OK)
    {
        return PKI_ERROR;
    }

    w->pos += len;

    pki_der_end(w, bits);

    return PKI_OK;
}


pki_bytes_t
pki_ocsp_error(pki_ocsp_status_t status)
{
    size_t  i;

    for (i = 0; i < PKI_OCSP_ERRORS - 1; i++) {
        if (pki_ocsp_errors[i][4] == (unsigned char) status) {
            break;
        }
    }

    return (pki_bytes_t) { pki_ocsp_errors[i], sizeof(pki_ocsp_errors[i]) };
}

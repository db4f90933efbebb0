
/*
 * OCSP requests (RFC 6960, 4.1 and A.1): a GET's path to DER, DER to parts.
 *
 * What is read is strict, because two readings of one request are two cache
 * keys or worse; what may be ignored (a signature, a requestor's name, an
 * extension that is neither known nor critical) is stepped over.  A path is
 * read as liberally as clients and proxies mangle it.
 */

#include "pki_ocsp.h"

#include <string.h>
#include "pki_der.h"


#define PKI_OCSP_SKIP     64        /* classes in the base64 table */
#define PKI_OCSP_PAD      65
#define PKI_OCSP_BAD      99


typedef struct {
    pki_bytes_t       oid;
    pki_bytes_t       value;        /* content of extnValue */
    unsigned          critical;
} pki_ocsp_extension_t;


static int pki_ocsp_unescape(const unsigned char **pp,
    const unsigned char *end);
static int pki_ocsp_unhex(unsigned char c);
static size_t pki_ocsp_trim(const unsigned char *der, size_t len,
    size_t symbols, size_t slashes);

static pki_rc_t pki_ocsp_parse_tbs(pki_der_t *tbs, unsigned max,
    pki_ocsp_request_t *request);
static pki_rc_t pki_ocsp_parse_version(pki_der_t *tbs);
static pki_rc_t pki_ocsp_parse_single(pki_der_t *list, pki_certid_t *certid);
static pki_rc_t pki_ocsp_parse_certid(pki_der_t *single,
    pki_certid_t *certid);
static pki_rc_t pki_ocsp_parse_algorithm(pki_der_t *der, pki_bytes_t *oid,
    pki_der_t *params);
static pki_rc_t pki_ocsp_parse_extensions(pki_der_t *outer,
    pki_ocsp_request_t *request);
static pki_rc_t pki_ocsp_parse_extension(pki_der_t *list,
    pki_ocsp_extension_t *ext);
static pki_rc_t pki_ocsp_parse_nonce(pki_der_t *value,
    pki_ocsp_request_t *request);
static pki_rc_t pki_ocsp_parse_types(pki_der_t *value);
static pki_rc_t pki_ocsp_parse_preferences(pki_der_t *value,
    pki_ocsp_request_t *request);
static unsigned pki_ocsp_arc(pki_bytes_t oid);


static const struct {
    unsigned char  oid[9];
    unsigned char  len;
    pki_digest_t   digest;
} pki_ocsp_digests[] = {
    { { 0x2b, 0x0e, 0x03, 0x02, 0x1a }, 5, PKI_DIGEST_SHA1 },
    { { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01 }, 9,
      PKI_DIGEST_SHA256 },
    { { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02 }, 9,
      PKI_DIGEST_SHA384 },
    { { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03 }, 9,
      PKI_DIGEST_SHA512 }
};

#define PKI_OCSP_DIGESTS                                                     \
    (sizeof(pki_ocsp_digests) / sizeof(pki_ocsp_digests[0]))


/* both alphabets; a '+' that some decoder took for a space is one again */

static const unsigned char  pki_ocsp_base64[256] = {
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 64, 99, 99, 64, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    62, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 62, 99, 62, 99, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 99, 99, 99, 65, 99, 99,
    99,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 99, 99, 99, 99, 63,
    99, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99
};


pki_rc_t
pki_ocsp_path(pki_bytes_t path, unsigned char *der, size_t *len)
{
    int                   c;
    size_t                symbols, slashes, pads;
    unsigned              acc;
    unsigned char         value, *out;
    const unsigned char  *p, *end;

    out = der;
    acc = 0;
    symbols = 0;
    slashes = 0;
    pads = 0;

    p = path.data;
    end = path.len ? p + path.len : p;

    while (p < end) {
        c = pki_ocsp_unescape(&p, end);
        if (c < 0) {
            return PKI_INVALID;
        }

        value = pki_ocsp_base64[c];

        if (value == PKI_OCSP_BAD) {
            return PKI_INVALID;
        }

        if (value == PKI_OCSP_PAD) {
            pads++;
            continue;
        }

        /* no request begins with the bits that a slash stands for */

        if (value == PKI_OCSP_SKIP || (c == '/' && (symbols == 0 || pads))) {
            continue;
        }

        if (pads) {
            return PKI_INVALID;
        }

        slashes = (c == '/') ? slashes + 1 : 0;
        acc = acc << 6 | value;

        if ((++symbols & 3) == 0) {
            *out++ = (unsigned char) (acc >> 16);
            *out++ = (unsigned char) (acc >> 8);
            *out++ = (unsigned char) acc;
        }
    }

    if (symbols == 0 || pads > 2 || (pads && (symbols + pads) % 4 != 0)) {
        return PKI_INVALID;
    }

    switch (symbols & 3) {

    case 1:
        /* six bits are no octet: a slash too many, or broken */

        if (slashes == 0) {
            return PKI_INVALID;
        }

        break;

    case 2:
        *out++ = (unsigned char) (acc >> 4);
        break;

    case 3:
        *out++ = (unsigned char) (acc >> 10);
        *out++ = (unsigned char) (acc >> 2);
        break;
    }

    *len = pki_ocsp_trim(der, out - der, symbols, slashes);

    return PKI_OK;
}


/* the next octet of a path, or -1: a broken escape */

static int
pki_ocsp_unescape(const unsigned char **pp, const unsigned char *end)
{
    int                   high, low;
    const unsigned char  *p;

    p = *pp;

    if (*p != '%') {
        *pp = p + 1;
        return *p;
    }

    if (end - p < 3) {
        return -1;
    }

    high = pki_ocsp_unhex(p[1]);
    low = pki_ocsp_unhex(p[2]);

    if (high < 0 || low < 0) {
        return -1;
    }

    *pp = p + 3;

    return high << 4 | low;
}


static int
pki_ocsp_unhex(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


/*
 * A slash at the end may be data or the habit of a client.  The request
 * knows its own length: what the slashes added to it is dropped.
 */

static size_t
pki_ocsp_trim(const unsigned char *der, size_t len, size_t symbols,
    size_t slashes)
{
    size_t     whole;
    pki_der_t  in;

    if (slashes == 0) {
        return len;
    }

    pki_der_init(&in, (pki_bytes_t) { der, len });

    if (pki_der_skip(&in) != PKI_OK) {
        return len;
    }

    whole = in.pos - der;

    return symbols - (whole * 4 + 2) / 3 <= slashes ? whole : len;
}


pki_rc_t
pki_ocsp_parse(pki_bytes_t der, pki_certid_t *certs, unsigned max,
    pki_ocsp_request_t *request)
{
    pki_der_t    in, outer, tbs;
    pki_bytes_t  signature;

    request->certs = certs;
    request->ncerts = 0;
    request->nonce = (pki_bytes_t) { NULL, 0 };
    request->npreferences = 0;

    pki_der_init(&in, der);

    if (pki_der_enter(&in, PKI_DER_SEQUENCE, &outer) != PKI_OK
        || pki_der_peek(&in) != -1
        || pki_der_enter(&outer, PKI_DER_SEQUENCE, &tbs) != PKI_OK
        || pki_ocsp_parse_tbs(&tbs, max, request) != PKI_OK)
    {
        return PKI_INVALID;
    }

    if (pki_der_peek(&outer) == PKI_DER_EXPLICIT(0)
        && pki_der_read(&outer, PKI_DER_EXPLICIT(0), &signature) != PKI_OK)
    {
        return PKI_INVALID;
    }

    return pki_der_peek(&outer) == -1 ? PKI_OK : PKI_INVALID;
}


static pki_rc_t
pki_ocsp_parse_tbs(pki_der_t *tbs, unsigned max, pki_ocsp_request_t *request)
{
    pki_der_t    list;
    pki_bytes_t  name;

    if (pki_der_peek(tbs) == PKI_DER_EXPLICIT(0)
        && pki_ocsp_parse_version(tbs) != PKI_OK)
    {
        return PKI_INVALID;
    }

    if (pki_der_peek(tbs) == PKI_DER_EXPLICIT(1)
        && pki_der_read(tbs, PKI_DER_EXPLICIT(1), &name) != PKI_OK)
    {
        return PKI_INVALID;
    }

    if (pki_der_enter(tbs, PKI_DER_SEQUENCE, &list) != PKI_OK) {
        return PKI_INVALID;
    }

    do {
        if (request->ncerts == max
            || pki_ocsp_parse_single(&list, &request->certs[request->ncerts])
               != PKI_OK)
        {
            return PKI_INVALID;
        }

        request->ncerts++;

    } while (pki_der_peek(&list) != -1);

    if (pki_der_peek(tbs) == PKI_DER_EXPLICIT(2)
        && pki_ocsp_parse_extensions(tbs, request) != PKI_OK)
    {
        return PKI_INVALID;
    }

    return pki_der_peek(tbs) == -1 ? PKI_OK : PKI_INVALID;
}


/*
 * v1 is the default and should not be spelled out, but clients do so.
 */

static pki_rc_t
pki_ocsp_parse_version(pki_der_t *tbs)
{
    pki_der_t    outer;
    pki_bytes_t  version;

    if (pki_der_enter(tbs, PKI_DER_EXPLICIT(0), &outer) != PKI_OK
        || pki_der_integer(&outer, &version) != PKI_OK
        || pki_der_peek(&outer) != -1)
    {
        return PKI_INVALID;
    }

    return version.len == 1 && version.data[0] == 0 ? PKI_OK : PKI_INVALID;
}


static pki_rc_t
pki_ocsp_parse_single(pki_der_t *list, pki_certid_t *certid)
{
    pki_der_t  single;

    if (pki_der_enter(list, PKI_DER_SEQUENCE, &single) != PKI_OK
        || pki_ocsp_parse_certid(&single, certid) != PKI_OK)
    {
        return PKI_INVALID;
    }

    if (pki_der_peek(&single) == PKI_DER_EXPLICIT(0)
        && pki_ocsp_parse_extensions(&single, NULL) != PKI_OK)
    {
        return PKI_INVALID;
    }

    return pki_der_peek(&single) == -1 ? PKI_OK : PKI_INVALID;
}


static pki_rc_t
pki_ocsp_parse_certid(pki_der_t *single, pki_certid_t *certid)
{
    size_t       i;
    pki_der_t    in, params;
    pki_bytes_t  oid;

    certid->der.data = single->pos;

    if (pki_der_enter(single, PKI_DER_SEQUENCE, &in) != PKI_OK
        || pki_ocsp_parse_algorithm(&in, &oid, &params) != PKI_OK
        || pki_der_read(&in, PKI_DER_OCTET_STRING, &certid->name_hash)
           != PKI_OK
        || pki_der_read(&in, PKI_DER_OCTET_STRING, &certid->key_hash)
           != PKI_OK
        || pki_der_integer(&in, &certid->serial) != PKI_OK
        || pki_der_peek(&in) != -1)
    {
        return PKI_INVALID;
    }

    certid->der.len = single->pos - certid->der.data;
    certid->digest = PKI_DIGEST_OTHER;
    certid->null_params = (pki_der_null(&params) == PKI_OK);

    /* a digest with other parameters is not the one we know */

    if (pki_der_peek(&params) != -1) {
        return PKI_OK;
    }

    for (i = 0; i < PKI_OCSP_DIGESTS; i++) {
        if (oid.len == pki_ocsp_digests[i].len
            && memcmp(oid.data, pki_ocsp_digests[i].oid, oid.len) == 0)
        {
            certid->digest = pki_ocsp_digests[i].digest;
            break;
        }
    }

    return PKI_OK;
}


/*
 * AlgorithmIdentifier; params is left before its parameters, or at its end.
 */

static pki_rc_t
pki_ocsp_parse_algorithm(pki_der_t *der, pki_bytes_t *oid, pki_der_t *params)
{
    pki_der_t  rest;

    if (pki_der_enter(der, PKI_DER_SEQUENCE, params) != PKI_OK
        || pki_der_oid(params, oid) != PKI_OK)
    {
        return PKI_INVALID;
    }

    rest = *params;

    if (pki_der_peek(&rest) != -1
        && (pki_der_skip(&rest) != PKI_OK || pki_der_peek(&rest) != -1))
    {
        return PKI_INVALID;
    }

    return PKI_OK;
}


/*
 * The extensions of a request, or with request NULL of a single one, where
 * a nonce is misplaced, but sent, and a service locator asks to be passed
 * on, which a server that knows the answer need not do.
 */

static pki_rc_t
pki_ocsp_parse_extensions(pki_der_t *outer, pki_ocsp_request_t *request)
{
    pki_rc_t              rc;
    unsigned              arc;
    pki_der_t             wrap, list, value;
    pki_ocsp_extension_t  ext;

    if (pki_der_enter(outer, PKI_DER_EXPLICIT(request ? 2 : 0), &wrap)
        != PKI_OK
        || pki_der_enter(&wrap, PKI_DER_SEQUENCE, &list) != PKI_OK
        || pki_der_peek(&wrap) != -1)
    {
        return PKI_INVALID;
    }

    while (pki_der_peek(&list) != -1) {

        if (pki_ocsp_parse_extension(&list, &ext) != PKI_OK) {
            return PKI_INVALID;
        }

        arc = pki_ocsp_arc(ext.oid);
        pki_der_init(&value, ext.value);

        if (request != NULL && arc == PKI_OCSP_NONCE) {
            rc = pki_ocsp_parse_nonce(&value, request);

        } else if (request != NULL && arc == PKI_OCSP_RESPONSE_TYPES) {
            rc = pki_ocsp_parse_types(&value);

        } else if (request != NULL && arc == PKI_OCSP_ALGORITHMS) {
            rc = pki_ocsp_parse_preferences(&value, request);

        } else if (request == NULL
                   && (arc == PKI_OCSP_NONCE
                       || arc == PKI_OCSP_SERVICE_LOCATOR))
        {
            rc = PKI_OK;

        } else {
            rc = ext.critical ? PKI_INVALID : PKI_OK;
        }

        if (rc != PKI_OK) {
            return rc;
        }
    }

    return PKI_OK;
}


static pki_rc_t
pki_ocsp_parse_extension(pki_der_t *list, pki_ocsp_extension_t *ext)
{
    pki_der_t  in;

    ext->critical = 0;

    if (pki_der_enter(list, PKI_DER_SEQUENCE, &in) != PKI_OK
        || pki_der_oid(&in, &ext->oid) != PKI_OK)
    {
        return PKI_INVALID;
    }

    if (pki_der_peek(&in) == PKI_DER_BOOLEAN
        && pki_der_boolean(&in, &ext->critical) != PKI_OK)
    {
        return PKI_INVALID;
    }

    if (pki_der_read(&in, PKI_DER_OCTET_STRING, &ext->value) != PKI_OK
        || pki_der_peek(&in) != -1)
    {
        return PKI_INVALID;
    }

    return PKI_OK;
}


static pki_rc_t
pki_ocsp_parse_nonce(pki_der_t *value, pki_ocsp_request_t *request)
{
    if (request->nonce.len != 0
        || pki_der_read(value, PKI_DER_OCTET_STRING, &request->nonce)
           != PKI_OK
        || pki_der_peek(value) != -1
        || request->nonce.len == 0
        || request->nonce.len > PKI_OCSP_NONCE_MAX)
    {
        return PKI_INVALID;
    }

    return PKI_OK;
}


/* AcceptableResponses, RFC 6960, 4.4.3 */

static pki_rc_t
pki_ocsp_parse_types(pki_der_t *value)
{
    unsigned     basic;
    pki_der_t    list;
    pki_bytes_t  oid;

    if (pki_der_enter(value, PKI_DER_SEQUENCE, &list) != PKI_OK
        || pki_der_peek(value) != -1)
    {
        return PKI_INVALID;
    }

    basic = 0;

    while (pki_der_peek(&list) != -1) {
        if (pki_der_oid(&list, &oid) != PKI_OK) {
            return PKI_INVALID;
        }

        if (pki_ocsp_arc(oid) == PKI_OCSP_BASIC) {
            basic = 1;
        }
    }

    return basic ? PKI_OK : PKI_INVALID;
}


/* PreferredSignatureAlgorithms, RFC 6960, 4.4.7.1 */

static pki_rc_t
pki_ocsp_parse_preferences(pki_der_t *value, pki_ocsp_request_t *request)
{
    pki_der_t    list, item, params;
    pki_bytes_t  oid, key_oid;

    if (pki_der_enter(value, PKI_DER_SEQUENCE, &list) != PKI_OK
        || pki_der_peek(value) != -1)
    {
        return PKI_INVALID;
    }

    while (pki_der_peek(&list) != -1) {

        if (pki_der_enter(&list, PKI_DER_SEQUENCE, &item) != PKI_OK
            || pki_ocsp_parse_algorithm(&item, &oid, &params) != PKI_OK)
        {
            return PKI_INVALID;
        }

        if (pki_der_peek(&item) != -1
            && (pki_ocsp_parse_algorithm(&item, &key_oid, &params) != PKI_OK
                || pki_der_peek(&item) != -1))
        {
            return PKI_INVALID;
        }

        if (request->npreferences < PKI_OCSP_PREFERENCES) {
            request->preferences[request->npreferences++] = oid;
        }
    }

    return PKI_OK;
}


/* the last arc of an OID right under id-pkix-ocsp; 0: it is elsewhere */

static unsigned
pki_ocsp_arc(pki_bytes_t oid)
{
    if (oid.len != PKI_OCSP_ARCS_LEN + 1
        || memcmp(oid.data, PKI_OCSP_ARCS, PKI_OCSP_ARCS_LEN) != 0)
    {
        return 0;
    }

    return oid.data[PKI_OCSP_ARCS_LEN];
}

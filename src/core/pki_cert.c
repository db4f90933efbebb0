
/*
 * Issuing a certificate.
 *
 * The fields, then one function per extension in the order in which they
 * stand in the certificate, then the signature.  What is allowed was decided
 * before (pki_profile.c); here only what fits together is chosen: usages that
 * suit the key, a validity within the CA's.
 */

#include "pki_cert.h"

#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include "pki_name.h"


#define PKI_CERT_SKI_LEN  20        /* SHA-1; RFC 5280, 4.2.1.2 (1) */
#define PKI_CERT_KU_BITS  9

/* key usages that a key can do; RFC 3279, 2.3, RFC 5480, 3, RFC 8410, 5 */
#define PKI_CERT_KU_RSA                                                       \
    (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION | KU_KEY_ENCIPHERMENT          \
     | KU_DATA_ENCIPHERMENT)
#define PKI_CERT_KU_EC                                                        \
    (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION | KU_KEY_AGREEMENT             \
     | KU_ENCIPHER_ONLY | KU_DECIPHER_ONLY)
#define PKI_CERT_KU_ED  (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)


typedef pki_rc_t (*pki_cert_step_pt)(const pki_cert_plan_t *plan, X509 *cert);


static pki_rc_t pki_cert_validity(const pki_cert_plan_t *plan, X509 *cert,
    pki_err_t *err);
static pki_rc_t pki_cert_fields(const pki_cert_plan_t *plan, X509 *cert);
static pki_rc_t pki_cert_sans(const pki_cert_plan_t *plan, X509 *cert);
static pki_rc_t pki_cert_aki(const pki_cert_plan_t *plan, X509 *cert);
static pki_rc_t pki_cert_ski(const pki_cert_plan_t *plan, X509 *cert);
static pki_rc_t pki_cert_constraints(const pki_cert_plan_t *plan,
    X509 *cert);
static pki_rc_t pki_cert_key_usage(const pki_cert_plan_t *plan, X509 *cert);
static int pki_cert_key_usage_bits(const pki_cert_plan_t *plan);
static pki_rc_t pki_cert_ekus(const pki_cert_plan_t *plan, X509 *cert);
static EXTENDED_KEY_USAGE *pki_cert_default_ekus(const pki_cert_plan_t *plan);
static pki_rc_t pki_cert_aia(const pki_cert_plan_t *plan, X509 *cert);
static pki_rc_t pki_cert_access(AUTHORITY_INFO_ACCESS *aia, int method,
    const char *const *urls);
static pki_rc_t pki_cert_crl(const pki_cert_plan_t *plan, X509 *cert);
static pki_rc_t pki_cert_freshest(const pki_cert_plan_t *plan, X509 *cert);
static pki_rc_t pki_cert_points(X509 *cert, int nid, const char *const *urls);
static GENERAL_NAME *pki_cert_uri(const char *url);
static pki_rc_t pki_cert_microsoft(const pki_cert_plan_t *plan, X509 *cert);
static pki_rc_t pki_cert_sid(const pki_cert_plan_t *plan, X509 *cert);
static pki_rc_t pki_cert_octets(X509 *cert, const unsigned char *oid,
    size_t len, pki_bytes_t value);
static pki_rc_t pki_cert_add(X509 *cert, int nid, void *value, int critical);
static const EVP_MD *pki_cert_digest(const EVP_PKEY *key);
static pki_rc_t pki_cert_time(const ASN1_TIME *at, time_t *t);


static const pki_cert_step_pt  pki_cert_steps[] = {
    pki_cert_fields,
    pki_cert_sans,
    pki_cert_aki,
    pki_cert_ski,
    pki_cert_constraints,
    pki_cert_key_usage,
    pki_cert_ekus,
    pki_cert_aia,
    pki_cert_crl,
    pki_cert_freshest,
    pki_cert_microsoft,
    pki_cert_sid
};

#define PKI_CERT_STEPS  (sizeof(pki_cert_steps) / sizeof(pki_cert_steps[0]))


/* 1.2.840.113556.5.14, 1.2.840.113556.1.5.284.2, 1.3.6.1.4.1.311.25.2 */

static const unsigned char  pki_cert_tenant_oid[] = {
    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 0x05, 0x0e
};

static const unsigned char  pki_cert_device_oid[] = {
    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 0x01, 0x05, 0x82, 0x1c, 0x02
};

static const unsigned char  pki_cert_sid_oid[] = {
    0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x19, 0x02
};


pki_rc_t
pki_cert_issue(const pki_cert_plan_t *plan, X509 **cert, pki_err_t *err)
{
    size_t     i;
    pki_rc_t   rc;

    *cert = NULL;

    if (plan->issuer->key == NULL) {
        pki_err_set(err, "the CA's key is not here to issue a certificate");
        return PKI_ERROR;
    }

    if (X509_NAME_entry_count(plan->csr->subject) == 0
        && plan->csr->sans == NULL)
    {
        pki_err_set(err, "the request has neither a subject nor an "
                    "alternative name that a certificate could have");
        return PKI_INVALID;
    }

    *cert = X509_new();

    if (*cert == NULL) {
        pki_err_ssl(err, "no memory for a certificate");
        return PKI_ERROR;
    }

    rc = pki_cert_validity(plan, *cert, err);

    if (rc != PKI_OK) {
        goto failed;
    }

    for (i = 0; i < PKI_CERT_STEPS; i++) {
        rc = pki_cert_steps[i](plan, *cert);

        if (rc != PKI_OK) {
            pki_err_ssl(err, "could not make the certificate");
            goto failed;
        }
    }

    if (X509_sign(*cert, plan->issuer->key,
                  pki_cert_digest(plan->issuer->key))
        <= 0)
    {
        pki_err_ssl(err, "could not sign the certificate");
        rc = PKI_ERROR;
        goto failed;
    }

    ERR_clear_error();

    return PKI_OK;

failed:

    X509_free(*cert);
    *cert = NULL;

    return rc;
}


static pki_rc_t
pki_cert_validity(const pki_cert_plan_t *plan, X509 *cert, pki_err_t *err)
{
    size_t     i;
    time_t     now, first, last, from, to;
    long long  lifetime, caps[3];

    now = plan->now;

    if (pki_cert_time(X509_get0_notBefore(plan->issuer->cert), &first)
        != PKI_OK
        || pki_cert_time(X509_get0_notAfter(plan->issuer->cert), &last)
           != PKI_OK)
    {
        pki_err_ssl(err, "the CA's validity is not readable");
        return PKI_ERROR;
    }

    if (now < first || now >= last) {
        pki_err_set(err, "the CA certificate %s",
                    now < first ? "is not valid yet" : "has expired");
        return PKI_ERROR;
    }

    caps[0] = plan->csr->lifetime;
    caps[1] = plan->profile->lifetime;
    caps[2] = plan->urls->lifetime;

    lifetime = last - now;

    for (i = 0; i < 3; i++) {
        if (caps[i] > 0 && caps[i] < lifetime) {
            lifetime = caps[i];
        }
    }

    to = now + (time_t) lifetime;
    from = plan->profile->backdate < now - first
           ? now - plan->profile->backdate : first;

    if (ASN1_TIME_set(X509_getm_notBefore(cert), from) == NULL
        || ASN1_TIME_set(X509_getm_notAfter(cert), to) == NULL)
    {
        pki_err_ssl(err, "could not set the validity");
        return PKI_ERROR;
    }

    return PKI_OK;
}


static pki_rc_t
pki_cert_fields(const pki_cert_plan_t *plan, X509 *cert)
{
    const X509  *ca;

    ca = plan->issuer->cert;

    if (X509_set_version(cert, X509_VERSION_3) != 1
        || ASN1_STRING_set(X509_get_serialNumber(cert), plan->serial->data,
                           (int) plan->serial->len)
           != 1
        || X509_set_issuer_name(cert, X509_get_subject_name(ca)) != 1
        || X509_set_subject_name(cert, plan->csr->subject) != 1
        || X509_set_pubkey(cert, plan->csr->key) != 1)
    {
        return PKI_ERROR;
    }

    return PKI_OK;
}


/*
 * Names without a subject are critical (RFC 5280, 4.2.1.6).
 */

static pki_rc_t
pki_cert_sans(const pki_cert_plan_t *plan, X509 *cert)
{
    int  critical;

    if (plan->csr->sans == NULL) {
        return PKI_OK;
    }

    critical = plan->csr->sans_critical
               || X509_NAME_entry_count(plan->csr->subject) == 0;

    return pki_cert_add(cert, NID_subject_alt_name, plan->csr->sans,
                        critical);
}


/*
 * What the CA certificate calls its key; without that, as it would.
 */

static pki_rc_t
pki_cert_aki(const pki_cert_plan_t *plan, X509 *cert)
{
    pki_rc_t                  rc;
    AUTHORITY_KEYID          *aki;
    const ASN1_OCTET_STRING  *id;

    aki = AUTHORITY_KEYID_new();
    if (aki == NULL) {
        return PKI_ERROR;
    }

    rc = PKI_ERROR;
    aki->keyid = ASN1_OCTET_STRING_new();

    if (aki->keyid == NULL) {
        goto done;
    }

    id = X509_get0_subject_key_id(plan->issuer->cert);

    if (id != NULL
        ? ASN1_OCTET_STRING_set(aki->keyid, ASN1_STRING_get0_data(id),
                                ASN1_STRING_length(id))
          != 1
        : ASN1_OCTET_STRING_set(aki->keyid,
                                plan->issuer->hash[PKI_DIGEST_SHA1].key,
                                PKI_CERT_SKI_LEN)
          != 1)
    {
        goto done;
    }

    rc = pki_cert_add(cert, NID_authority_key_identifier, aki, 0);

done:

    AUTHORITY_KEYID_free(aki);

    return rc;
}


static pki_rc_t
pki_cert_ski(const pki_cert_plan_t *plan, X509 *cert)
{
    pki_rc_t            rc;
    unsigned            len;
    unsigned char       hash[EVP_MAX_MD_SIZE];
    ASN1_OCTET_STRING  *ski;

    (void) plan;

    if (X509_pubkey_digest(cert, EVP_sha1(), hash, &len) != 1) {
        return PKI_ERROR;
    }

    ski = ASN1_OCTET_STRING_new();

    if (ski == NULL || ASN1_OCTET_STRING_set(ski, hash, (int) len) != 1) {
        ASN1_OCTET_STRING_free(ski);
        return PKI_ERROR;
    }

    rc = pki_cert_add(cert, NID_subject_key_identifier, ski, 0);

    ASN1_OCTET_STRING_free(ski);

    return rc;
}


static pki_rc_t
pki_cert_constraints(const pki_cert_plan_t *plan, X509 *cert)
{
    pki_rc_t            rc;
    BASIC_CONSTRAINTS  *constraints;

    (void) plan;

    constraints = BASIC_CONSTRAINTS_new();
    if (constraints == NULL) {
        return PKI_ERROR;
    }

    rc = pki_cert_add(cert, NID_basic_constraints, constraints, 1);

    BASIC_CONSTRAINTS_free(constraints);

    return rc;
}


static pki_rc_t
pki_cert_key_usage(const pki_cert_plan_t *plan, X509 *cert)
{
    int               i, bit, usage;
    pki_rc_t          rc;
    ASN1_BIT_STRING  *bits;

    usage = pki_cert_key_usage_bits(plan);

    bits = ASN1_BIT_STRING_new();
    if (bits == NULL) {
        return PKI_ERROR;
    }

    rc = PKI_ERROR;

    for (i = 0; i < PKI_CERT_KU_BITS; i++) {
        bit = i < 8 ? 0x80 >> i : KU_DECIPHER_ONLY;

        if ((usage & bit) && ASN1_BIT_STRING_set_bit(bits, i, 1) != 1) {
            goto done;
        }
    }

    rc = pki_cert_add(cert, NID_key_usage, bits, 1);

done:

    ASN1_BIT_STRING_free(bits);

    return rc;
}


/*
 * What was asked for or is the default, as far as the key can do it.  A
 * certificate without any would be good for all, so that signing remains.
 */

static int
pki_cert_key_usage_bits(const pki_cert_plan_t *plan)
{
    int  usage;

    usage = plan->profile->default_key_usage;

    if (!plan->profile->fixed && plan->csr->key_usage != -1) {
        usage = plan->csr->key_usage;
    }

    switch (plan->csr->key_type) {

    case PKI_KEYS_RSA:
        usage &= PKI_CERT_KU_RSA;
        break;

    case PKI_KEYS_ED25519:
        usage &= PKI_CERT_KU_ED;
        break;

    default:
        usage &= PKI_CERT_KU_EC;

        /* which say how keys may be agreed upon (RFC 5280, 4.2.1.3) */

        if (!(usage & KU_KEY_AGREEMENT)) {
            usage &= ~(KU_ENCIPHER_ONLY | KU_DECIPHER_ONLY);
        }
    }

    return usage ? usage : KU_DIGITAL_SIGNATURE;
}


static pki_rc_t
pki_cert_ekus(const pki_cert_plan_t *plan, X509 *cert)
{
    pki_rc_t             rc;
    EXTENDED_KEY_USAGE  *ekus;

    if (!plan->profile->fixed && plan->csr->ekus != NULL) {
        return pki_cert_add(cert, NID_ext_key_usage, plan->csr->ekus,
                            plan->csr->ekus_critical);
    }

    if (plan->profile->ndefault_ekus == 0) {
        return PKI_OK;
    }

    ekus = pki_cert_default_ekus(plan);
    if (ekus == NULL) {
        return PKI_ERROR;
    }

    rc = pki_cert_add(cert, NID_ext_key_usage, ekus, 0);

    EXTENDED_KEY_USAGE_free(ekus);

    return rc;
}


static EXTENDED_KEY_USAGE *
pki_cert_default_ekus(const pki_cert_plan_t *plan)
{
    unsigned             i;
    ASN1_OBJECT         *oid;
    EXTENDED_KEY_USAGE  *ekus;

    ekus = EXTENDED_KEY_USAGE_new();
    if (ekus == NULL) {
        return NULL;
    }

    for (i = 0; i < plan->profile->ndefault_ekus; i++) {

        oid = OBJ_txt2obj(plan->profile->default_ekus[i], 1);

        if (oid == NULL || sk_ASN1_OBJECT_push(ekus, oid) <= 0) {
            ASN1_OBJECT_free(oid);
            EXTENDED_KEY_USAGE_free(ekus);
            return NULL;
        }
    }

    return ekus;
}


/*
 * The CA's certificate first: some clients look for its URL in the octets of
 * the extension, and take the first https:// that they find.
 */

static pki_rc_t
pki_cert_aia(const pki_cert_plan_t *plan, X509 *cert)
{
    pki_rc_t                rc;
    AUTHORITY_INFO_ACCESS  *aia;

    if (plan->urls->ca_issuers[0] == NULL && plan->urls->ocsp[0] == NULL) {
        return PKI_OK;
    }

    aia = AUTHORITY_INFO_ACCESS_new();
    if (aia == NULL) {
        return PKI_ERROR;
    }

    rc = pki_cert_access(aia, NID_ad_ca_issuers, plan->urls->ca_issuers);

    if (rc == PKI_OK) {
        rc = pki_cert_access(aia, NID_ad_OCSP, plan->urls->ocsp);
    }

    if (rc == PKI_OK) {
        rc = pki_cert_add(cert, NID_info_access, aia, 0);
    }

    AUTHORITY_INFO_ACCESS_free(aia);

    return rc;
}


static pki_rc_t
pki_cert_access(AUTHORITY_INFO_ACCESS *aia, int method,
    const char *const *urls)
{
    size_t               i;
    ACCESS_DESCRIPTION  *access;

    for (i = 0; i < PKI_CERT_URLS && urls[i] != NULL; i++) {

        access = ACCESS_DESCRIPTION_new();
        if (access == NULL) {
            return PKI_ERROR;
        }

        ASN1_OBJECT_free(access->method);
        access->method = OBJ_nid2obj(method);

        GENERAL_NAME_free(access->location);
        access->location = pki_cert_uri(urls[i]);

        if (access->location == NULL
            || sk_ACCESS_DESCRIPTION_push(aia, access) <= 0)
        {
            ACCESS_DESCRIPTION_free(access);
            return PKI_ERROR;
        }
    }

    return PKI_OK;
}


static pki_rc_t
pki_cert_crl(const pki_cert_plan_t *plan, X509 *cert)
{
    return pki_cert_points(cert, NID_crl_distribution_points,
                           plan->urls->crl);
}


static pki_rc_t
pki_cert_freshest(const pki_cert_plan_t *plan, X509 *cert)
{
    return pki_cert_points(cert, NID_freshest_crl, plan->urls->freshest_crl);
}


/*
 * One point: all URLs lead to the same list.
 */

static pki_rc_t
pki_cert_points(X509 *cert, int nid, const char *const *urls)
{
    size_t            i;
    pki_rc_t          rc;
    DIST_POINT       *point;
    GENERAL_NAME     *gn;
    CRL_DIST_POINTS  *points;

    if (urls[0] == NULL) {
        return PKI_OK;
    }

    rc = PKI_ERROR;
    points = CRL_DIST_POINTS_new();
    point = DIST_POINT_new();

    if (points == NULL || point == NULL
        || sk_DIST_POINT_push(points, point) <= 0)
    {
        DIST_POINT_free(point);
        goto done;
    }

    point->distpoint = DIST_POINT_NAME_new();
    if (point->distpoint == NULL) {
        goto done;
    }

    point->distpoint->name.fullname = GENERAL_NAMES_new();
    if (point->distpoint->name.fullname == NULL) {
        goto done;
    }

    point->distpoint->type = 0;     /* fullName */

    for (i = 0; i < PKI_CERT_URLS && urls[i] != NULL; i++) {

        gn = pki_cert_uri(urls[i]);

        if (gn == NULL
            || sk_GENERAL_NAME_push(point->distpoint->name.fullname, gn) <= 0)
        {
            GENERAL_NAME_free(gn);
            goto done;
        }
    }

    rc = pki_cert_add(cert, nid, points, 0);

done:

    CRL_DIST_POINTS_free(points);

    return rc;
}


static GENERAL_NAME *
pki_cert_uri(const char *url)
{
    GENERAL_NAME    *gn;
    ASN1_IA5STRING  *uri;

    gn = GENERAL_NAME_new();
    uri = ASN1_IA5STRING_new();

    if (gn == NULL || uri == NULL || ASN1_STRING_set(uri, url, -1) != 1) {
        GENERAL_NAME_free(gn);
        ASN1_IA5STRING_free(uri);
        return NULL;
    }

    GENERAL_NAME_set0_value(gn, GEN_URI, uri);

    return gn;
}


/*
 * Each an OCTET STRING in the extension's own: 04 10 and a GUID.
 */

static pki_rc_t
pki_cert_microsoft(const pki_cert_plan_t *plan, X509 *cert)
{
    pki_rc_t       rc;
    pki_bytes_t    value;
    unsigned char  der[2 + PKI_SERIAL_PAYLOAD];

    if (!plan->profile->microsoft) {
        return PKI_OK;
    }

    der[0] = V_ASN1_OCTET_STRING;
    der[1] = PKI_SERIAL_PAYLOAD;
    memcpy(der + 2, plan->profile->tenant, PKI_SERIAL_PAYLOAD);

    value.data = der;
    value.len = sizeof(der);

    rc = pki_cert_octets(cert, pki_cert_tenant_oid,
                         sizeof(pki_cert_tenant_oid), value);

    if (rc != PKI_OK || plan->binding == NULL
        || plan->binding->kind != PKI_KIND_DEVICE)
    {
        return rc;
    }

    memcpy(der + 2, plan->binding->payload, PKI_SERIAL_PAYLOAD);

    return pki_cert_octets(cert, pki_cert_device_oid,
                           sizeof(pki_cert_device_oid), value);
}


static pki_rc_t
pki_cert_sid(const pki_cert_plan_t *plan, X509 *cert)
{
    pki_bytes_t  value;

    if (!plan->profile->sid || plan->csr->sid == NULL) {
        return PKI_OK;
    }

    value.data = ASN1_STRING_get0_data(plan->csr->sid);
    value.len = ASN1_STRING_length(plan->csr->sid);

    return pki_cert_octets(cert, pki_cert_sid_oid, sizeof(pki_cert_sid_oid),
                           value);
}


static pki_rc_t
pki_cert_octets(X509 *cert, const unsigned char *oid, size_t len,
    pki_bytes_t value)
{
    pki_rc_t            rc;
    ASN1_OBJECT        *obj;
    X509_EXTENSION     *ext;
    ASN1_OCTET_STRING  *octets;

    rc = PKI_ERROR;
    ext = NULL;

    obj = ASN1_OBJECT_create(NID_undef, (unsigned char *) oid, (int) len,
                             NULL, NULL);
    octets = ASN1_OCTET_STRING_new();

    if (obj == NULL || octets == NULL
        || ASN1_OCTET_STRING_set(octets, value.data, (int) value.len) != 1)
    {
        goto done;
    }

    ext = X509_EXTENSION_create_by_OBJ(NULL, obj, 0, octets);

    if (ext != NULL && X509_add_ext(cert, ext, -1) == 1) {
        rc = PKI_OK;
    }

done:

    X509_EXTENSION_free(ext);
    ASN1_OCTET_STRING_free(octets);
    ASN1_OBJECT_free(obj);

    return rc;
}


static pki_rc_t
pki_cert_add(X509 *cert, int nid, void *value, int critical)
{
    return X509_add1_ext_i2d(cert, nid, value, critical, X509V3_ADD_APPEND)
           == 1 ? PKI_OK : PKI_ERROR;
}


/* NULL: the key has its own */

static const EVP_MD *
pki_cert_digest(const EVP_PKEY *key)
{
    int  bits;

    if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448")) {
        return NULL;
    }

    bits = EVP_PKEY_is_a(key, "EC") ? EVP_PKEY_get_bits(key) : 0;

    return bits <= 256 ? EVP_sha256() : bits <= 384 ? EVP_sha384()
                                                    : EVP_sha512();
}


static pki_rc_t
pki_cert_time(const ASN1_TIME *at, time_t *t)
{
    struct tm  tm;

    if (ASN1_TIME_to_tm(at, &tm) != 1) {
        return PKI_INVALID;
    }

    *t = timegm(&tm);

    return PKI_OK;
}


/*
 * Fills an issuer's book with real certificates, signed with its P-256 key:
 * half of them for devices, a third for users, the rest static, with names
 * from a small vocabulary.  The n-th certificate is the same in each run but
 * for its key, its times and its signature.
 *
 *   fill SOCKET ISSUER CERTIFICATE KEY FIRST COUNT [EVERY]
 *
 * Records the FIRST-th and those that follow it over Redis' unix socket, and
 * revokes each EVERY-th.  With FILL_NO_DER in the environment no DER is kept.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "pki_book.h"
#include "pki_cert.h"
#include "pki_redis_sync.h"


#define FILL_DEPTH     64           /* commands under way */
#define FILL_DAY       86400
#define FILL_LIFETIME  (365 * FILL_DAY)
#define FILL_NAMES     10


typedef struct {
    pki_redis_sync_t   *sync;
    const char         *issuer;
    X509               *ca;
    EVP_PKEY           *key;
    X509               *cert;       /* made anew for each, but for what they
                                       share: a key is slow to set */
    time_t              now;
    unsigned long       waiting;
    unsigned long       done;
    unsigned long       other;      /* recorded before */
    unsigned long       revoked;
} fill_t;


/* what the n-th certificate is */

typedef struct {
    pki_row_source_t    source;
    pki_binding_t       binding;
    unsigned char       seed[SHA256_DIGEST_LENGTH];
    char                cn[128];
    char                ou[32];
    char                sans[512];  /* as OpenSSL's configuration has them */
} fill_plan_t;


static void fill_open(fill_t *fill, const char *socket, const char *cert,
    const char *key);
static void fill_plan(unsigned long n, fill_plan_t *plan);
static void fill_names(unsigned long n, fill_plan_t *plan);
static void fill_begin(fill_t *fill);
static void fill_extension(const fill_t *fill, const char *name,
    const char *value);
static void fill_issue(const fill_t *fill, const fill_plan_t *plan,
    pki_serial_t *serial);
static void fill_record(fill_t *fill, const fill_plan_t *plan);
static void fill_revoke(fill_t *fill, const pki_serial_t *serial);
static void fill_wait(fill_t *fill);
static void fill_recorded(void *data, pki_store_result_t result, long long n,
    const char *error);
static void fill_changed(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error);
static pki_bytes_t fill_bytes(const char *text);
static void *fill_need(void *p, const char *what);
static void fill_die(const char *what, const char *why);


static const char *const  fill_first[FILL_NAMES] = {
    "Anna", "Ben", "Chiara", "David", "Elif", "Frank", "Grace", "Hugo",
    "Ines", "Jakub"
};

static const char *const  fill_last[FILL_NAMES] = {
    "Adler", "Becker", "Costa", "Dubois", "Eriksen", "Fischer", "Garcia",
    "Horvath", "Ivanov", "Jansen"
};

static const char *const  fill_sites[FILL_NAMES] = {
    "aachen", "bremen", "cork", "delft", "essen", "fulda", "graz", "hanoi",
    "izmir", "jena"
};


int
main(int argc, char **argv)
{
    fill_t          fill;
    fill_plan_t     plan;
    pki_serial_t    serial;
    unsigned long   n, first, count, every;

    if (argc < 7 || argc > 8) {
        fprintf(stderr, "usage: fill SOCKET ISSUER CERTIFICATE KEY FIRST COUNT"
                " [EVERY]\n");
        return 2;
    }

    memset(&fill, 0, sizeof(fill));
    fill.issuer = argv[2];
    fill_open(&fill, argv[1], argv[3], argv[4]);

    first = strtoul(argv[5], NULL, 10);
    count = strtoul(argv[6], NULL, 10);
    every = argc == 8 ? strtoul(argv[7], NULL, 10) : 0;

    for (n = first; n < first + count; n++) {
        fill_plan(n, &plan);
        fill_issue(&fill, &plan, &serial);
        fill_record(&fill, &plan);

        if (every != 0 && n % every == 0) {
            fill_revoke(&fill, &serial);
        }
    }

    fill_wait(&fill);

    printf("recorded %lu, there before %lu, revoked %lu\n", fill.done,
           fill.other, fill.revoked);

    pki_redis_sync_destroy(fill.sync);
    X509_free(fill.ca);
    EVP_PKEY_free(fill.key);
    X509_free(fill.cert);

    return 0;
}


static void
fill_open(fill_t *fill, const char *socket, const char *cert,
    const char *key)
{
    FILE                   *f;
    pki_err_t               err;
    pki_redis_sync_conf_t   conf;

    memset(&conf, 0, sizeof(conf));
    conf.path = socket;
    conf.timeout = 60000;
    conf.stop = -1;

    fill->sync = pki_redis_sync_create(&conf, &err);
    if (fill->sync == NULL) {
        fill_die(socket, err.text);
    }

    f = fill_need(fopen(cert, "r"), cert);
    fill->ca = fill_need(PEM_read_X509(f, NULL, NULL, NULL), cert);
    fclose(f);

    f = fill_need(fopen(key, "r"), key);
    fill->key = fill_need(PEM_read_PrivateKey(f, NULL, NULL, NULL), key);
    fclose(f);

    fill->now = time(NULL);

    fill_begin(fill);
}


static void
fill_plan(unsigned long n, fill_plan_t *plan)
{
    char  text[32];

    memset(plan, 0, sizeof(fill_plan_t));

    (void) snprintf(text, sizeof(text), "certificate %lu", n);
    (void) SHA256((unsigned char *) text, strlen(text), plan->seed);

    memcpy(plan->binding.payload, plan->seed, PKI_SERIAL_PAYLOAD);

    switch (n % 6) {

    case 0:
    case 1:
    case 2:
        plan->source = PKI_SOURCE_INTUNE;
        plan->binding.kind = PKI_KIND_DEVICE;
        break;

    case 3:
    case 4:
        plan->source = PKI_SOURCE_STATIC_AAD;
        plan->binding.kind = PKI_KIND_USER;
        break;

    default:
        plan->source = PKI_SOURCE_API;
        plan->binding.kind = PKI_KIND_STATIC;
        break;
    }

    fill_names(n, plan);
}


static void
fill_names(unsigned long n, fill_plan_t *plan)
{
    char         guid[40];
    const char  *first, *last, *site;

    pki_guid_to_text(plan->binding.payload, guid);

    first = fill_first[n / 6 % FILL_NAMES];
    last = fill_last[n / 60 % FILL_NAMES];
    site = fill_sites[n / 600 % FILL_NAMES];

    (void) snprintf(plan->ou, sizeof(plan->ou), "%s", site);

    switch (plan->binding.kind) {

    case PKI_KIND_DEVICE:
        (void) snprintf(plan->cn, sizeof(plan->cn), "%s", guid);
        (void) snprintf(plan->sans, sizeof(plan->sans),
                        "DNS:laptop-%07lu.%s.example.com,"
                        "URI:IntuneDeviceId://%s", n, site, guid);
        break;

    case PKI_KIND_USER:
        (void) snprintf(plan->cn, sizeof(plan->cn), "%s %s", first, last);
        (void) snprintf(plan->sans, sizeof(plan->sans),
                        "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:"
                        "%s.%s.%lu@example.com", first, last, n);
        break;

    default: /* PKI_KIND_STATIC */
        (void) snprintf(plan->cn, sizeof(plan->cn),
                        "server-%07lu.%s.example.com", n, site);
        (void) snprintf(plan->sans, sizeof(plan->sans), "DNS:%s", plan->cn);
        break;
    }
}


/* What all certificates share. */

static void
fill_begin(fill_t *fill)
{
    size_t     i;
    EVP_PKEY  *leaf;

    static const char *const  values[][2] = {
        { "authorityKeyIdentifier", "keyid" },
        { "subjectKeyIdentifier", "hash" },
        { "basicConstraints", "critical,CA:FALSE" },
        { "keyUsage", "critical,digitalSignature" },
        { "extendedKeyUsage", "clientAuth" },
        { "authorityInfoAccess", "OCSP;URI:http://pki.example.com/ocsp,"
                                 "caIssuers;URI:http://pki.example.com/ca" },
        { "subjectAltName", "DNS:example.com" }
    };

    leaf = fill_need(EVP_EC_gen("P-256"), "a key");
    fill->cert = fill_need(X509_new(), "a certificate");

    if (X509_set_version(fill->cert, X509_VERSION_3) != 1
        || X509_set_pubkey(fill->cert, leaf) != 1
        || X509_set_issuer_name(fill->cert, X509_get_subject_name(fill->ca))
           != 1)
    {
        fill_die("a certificate", "cannot be made");
    }

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        fill_extension(fill, values[i][0], values[i][1]);
    }

    EVP_PKEY_free(leaf);
}


/* Adds an extension as the last. */

static void
fill_extension(const fill_t *fill, const char *name, const char *value)
{
    X509V3_CTX       ctx;
    X509_EXTENSION  *extension;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, fill->ca, fill->cert, NULL, NULL, 0);

    extension = fill_need(X509V3_EXT_conf(NULL, &ctx, name, value), value);

    if (X509_add_ext(fill->cert, extension, -1) != 1) {
        fill_die(name, "cannot be added");
    }

    X509_EXTENSION_free(extension);
}


static void
fill_issue(const fill_t *fill, const fill_plan_t *plan, pki_serial_t *serial)
{
    X509       *cert;
    time_t      from;
    BIGNUM     *bn;
    X509_NAME  *name;

    pki_serial_make_plain(&plan->binding, plan->seed + PKI_SERIAL_PAYLOAD,
                          serial);

    /* over the last 13 months, so that some have ended */

    from = fill->now - FILL_DAY
           * (time_t) ((plan->seed[20] << 8 | plan->seed[21]) % 395);

    cert = fill->cert;
    bn = fill_need(BN_bin2bn(serial->data, (int) serial->len, NULL),
                   "a number");
    name = fill_need(X509_NAME_new(), "a name");

    X509_EXTENSION_free(X509_delete_ext(cert, X509_get_ext_count(cert) - 1));
    fill_extension(fill, "subjectAltName", plan->sans);

    if (BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)) == NULL
        || X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                      (const unsigned char *) plan->cn, -1,
                                      -1, 0) != 1
        || X509_NAME_add_entry_by_NID(name, NID_organizationalUnitName,
                                      MBSTRING_UTF8,
                                      (const unsigned char *) plan->ou, -1,
                                      -1, 0) != 1
        || X509_set_subject_name(cert, name) != 1
        || ASN1_TIME_set(X509_getm_notBefore(cert), from) == NULL
        || ASN1_TIME_set(X509_getm_notAfter(cert), from + FILL_LIFETIME)
           == NULL
        || X509_sign(cert, fill->key, EVP_sha256()) == 0)
    {
        fill_die(plan->cn, "cannot be issued");
    }

    X509_NAME_free(name);
    BN_free(bn);
}


static void
fill_record(fill_t *fill, const fill_plan_t *plan)
{
    size_t            len;
    unsigned          i, n;
    pki_row_t         row;
    pki_actor_t       actor;
    unsigned char    *der;
    pki_cert_text_t   text;
    pki_object_id_t   objects[PKI_BINDING_OBJECTS];
    pki_book_entry_t  entry;

    if (pki_cert_describe(fill->cert, &text) != PKI_OK
        || pki_cert_der(fill->cert, &der, &len) != PKI_OK)
    {
        fill_die(plan->cn, "cannot be read");
    }

    memset(&row, 0, sizeof(row));
    n = pki_binding_objects(&plan->binding, objects);

    for (i = 0; i < n; i++) {
        row.objects[i] = fill_bytes(objects[i].id);
    }

    row.serial = text.serial;
    row.not_before = text.not_before;
    row.not_after = text.not_after;
    row.issued = text.not_before;
    row.source = plan->source;
    row.kind = plan->binding.kind;
    row.thumbprint = fill_bytes(text.thumbprint);
    row.subject = fill_bytes(text.subject);
    row.sans = fill_bytes(text.sans);
    row.upn = fill_bytes(text.upn);
    row.requester = fill_bytes("enrolment");

    entry.row = &row;
    entry.der.data = der;
    entry.der.len = getenv("FILL_NO_DER") ? 0 : len;

    actor.who = "enrolment";
    actor.from = "fill";
    actor.why = NULL;
    actor.at = row.issued;

    pki_book_record(pki_redis_sync_transport(fill->sync), fill->issuer,
                    &entry, "issue", &actor, fill_recorded, fill);

    OPENSSL_free(der);

    if (++fill->waiting == FILL_DEPTH) {
        fill_wait(fill);
    }
}


static void
fill_revoke(fill_t *fill, const pki_serial_t *serial)
{
    pki_actor_t       actor = { "operator", "fill", NULL, 0 };
    pki_revocation_t  revocation;

    memset(&revocation, 0, sizeof(revocation));
    revocation.reason = PKI_REASON_SUPERSEDED;
    revocation.at = fill->now;
    strcpy(revocation.who, "operator");
    actor.at = fill->now;

    pki_store_revoke(pki_redis_sync_transport(fill->sync), fill->issuer,
                     serial, &revocation, &actor, 1, fill_changed, fill);
}


static void
fill_wait(fill_t *fill)
{
    pki_err_t  err;

    fill->waiting = 0;

    if (pki_redis_sync_wait(fill->sync, &err) != PKI_OK) {
        fill_die("Redis", err.text);
    }
}


static void
fill_recorded(void *data, pki_store_result_t result, long long n,
    const char *error)
{
    fill_t *fill = data;

    (void) n;

    if (result == PKI_STORE_FAILED) {
        fill_die("not recorded", error);
    }

    if (result == PKI_STORE_DONE) {
        fill->done++;

    } else {
        fill->other++;
    }
}


static void
fill_changed(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error)
{
    fill_t *fill = data;

    (void) present;

    if (result == PKI_STORE_FAILED) {
        fill_die("not revoked", error);
    }

    fill->revoked++;
}


static pki_bytes_t
fill_bytes(const char *text)
{
    pki_bytes_t  bytes;

    bytes.data = (const unsigned char *) text;
    bytes.len = strlen(text);

    return bytes;
}


static void *
fill_need(void *p, const char *what)
{
    if (p == NULL) {
        fill_die(what, "is not to be had");
    }

    return p;
}


static void
fill_die(const char *what, const char *why)
{
    fprintf(stderr, "fill: %s: %s\n", what, why);
    exit(1);
}


/*
 * The requests of SCEPman's clients, rebuilt from what they send: body,
 * subject, names, usages; each read, bound and issued under the profile of
 * its endpoint.  Then their renewals, which send next to nothing.
 */

#include "pki_test_csr.h"

#include "pki_cert.h"


#define INTUNE  "d6b58414-60ed-426b-b382-276a3e8d626d"
#define ENTRA   "26c3cae8-fe60-43d7-bf16-a3df18ac25dc"
#define OBJECT  "user/9d8f1b3a-0102-4304-8506-0708090a0b0c"


typedef enum {
    BODY_DER = 0,
    BODY_BASE64,                    /* one line */
    BODY_LINES,                     /* 64 columns */
    BODY_PEM,
    BODY_JOINED                     /* PEM without its line ends */
} test_body_t;


typedef struct {
    const char       *name;
    test_body_t       body;
    const char       *key;
    const char       *subject;
    const char       *sans;         /* NULL: none */
    const char       *ekus;         /* NULL: none */
    const char       *odd;          /* OID of an extension of nonsense */
    pki_bind_t        bind;

    const char       *object;       /* of the binding; NULL: none */
    pki_kind_t        kind;
    const char       *got_subject;
    const char       *got_sans;
    const char       *got_ekus;     /* DER */
} test_client_t;


static void test_client(const test_client_t *c);
static void test_renewals(void);
static X509 *enrol(const test_client_t *c, X509 *old, pki_claim_t *claim,
    EVP_PKEY **key);
static char *body_of(const test_client_t *c, EVP_PKEY *key, size_t *len);
static void check(const test_client_t *c, X509 *cert, int critical);
static EVP_PKEY *key_of(const char *kind);


#define CLIENT_AUTH  "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02"
#define SERVER_AUTH  "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01"


static const test_client_t  clients[] = {

    { "bash, user", BODY_JOINED, "RSA2048", "CN=anna@example.com",
      PKI_TEST_UPN "anna@example.com", NULL, NULL, PKI_BIND_DIRECTORY,
      OBJECT, PKI_KIND_USER, "CN=anna@example.com", "UPN:anna@example.com",
      CLIENT_AUTH },

    { "bash, device", BODY_JOINED, "RSA2048", "CN=" INTUNE,
      "URI:IntuneDeviceId://" INTUNE, NULL, NULL, PKI_BIND_DIRECTORY,
      "device/" INTUNE, PKI_KIND_DEVICE, "CN=" INTUNE,
      "URI:IntuneDeviceId://" INTUNE, CLIENT_AUTH },

    { "bash, device that only Entra knows", BODY_JOINED, "RSA2048",
      "CN=" ENTRA, NULL, NULL, NULL, PKI_BIND_DIRECTORY, "device/" ENTRA,
      PKI_KIND_DEVICE, "CN=" ENTRA, "", CLIENT_AUTH },

    { "bash, server", BODY_JOINED, "RSA2048",
      "CN=www.example.com/O=Acme", "DNS:www.example.com,DNS:example.com",
      NULL, NULL, PKI_BIND_STATIC, NULL, PKI_KIND_STATIC,
      "CN=www.example.com,O=Acme", "DNS:www.example.com, DNS:example.com",
      CLIENT_AUTH },

    { "az rest", BODY_DER, "RSA2048", "CN=www.example.com",
      "DNS:www.example.com", "serverAuth", NULL, PKI_BIND_STATIC, NULL,
      PKI_KIND_STATIC, "CN=www.example.com", "DNS:www.example.com",
      SERVER_AUTH },

    { "SCEPmanClient", BODY_BASE64, "RSA2048", "CN=anna",
      "IP:10.0.0.1,DNS:a.example.com,email:anna@example.com,URI:x:y,"
      PKI_TEST_UPN "anna@example.com", "critical,clientAuth", "2.5.29.150",
      PKI_BIND_USER, OBJECT, PKI_KIND_USER, "CN=anna",
      "IP:10.0.0.1, DNS:a.example.com, email:anna@example.com, URI:x:y, "
      "UPN:anna@example.com", CLIENT_AUTH },

    { "SCEPmanClient, ECDSA", BODY_BASE64, "P-384", "CN=" INTUNE,
      PKI_TEST_UPN INTUNE "@example.com", "critical,clientAuth", NULL,
      PKI_BIND_DIRECTORY, "device/" INTUNE, PKI_KIND_DEVICE, "CN=" INTUNE,
      "UPN:" INTUNE "@example.com", CLIENT_AUTH },

    { "SCEPmanClient, a PEM of the caller", BODY_PEM, "P-256", "CN=a",
      NULL, NULL, NULL, PKI_BIND_STATIC, NULL, PKI_KIND_STATIC, "CN=a", "",
      CLIENT_AUTH },

    { "CsrClient", BODY_DER, "P-256", "CN=Test", NULL,
      "critical,clientAuth", NULL, PKI_BIND_STATIC, NULL, PKI_KIND_STATIC,
      "CN=Test", "", CLIENT_AUTH },

    { "terraform", BODY_BASE64, "P-256", "CN=www.example.com",
      "DNS:www.example.com,IP:2001:db8::1", "serverAuth", NULL,
      PKI_BIND_STATIC, NULL, PKI_KIND_STATIC, "CN=www.example.com",
      "DNS:www.example.com, IP:2001:db8:0:0:0:0:0:1", SERVER_AUTH },

    { "ScepClient, domain controller", BODY_DER, "RSA2048",
      "CN=dc1.example.com",
      "DNS:dc1,DNS:dc1.example.com,DNS:example.com,DNS:EXAMPLE", NULL, NULL,
      PKI_BIND_DC, NULL, PKI_KIND_DOMAIN_CONTROLLER, "CN=dc1.example.com",
      "DNS:dc1, DNS:dc1.example.com, DNS:example.com, DNS:EXAMPLE",
      CLIENT_AUTH },

    { "Jamf, user on a computer", BODY_DER, "RSA2048",
      "CN=4/OU=users-on-computers/O=Acme/CN=" ENTRA,
      "email:anna@example.com", NULL, NULL, PKI_BIND_JAMF, "jamf-user/7",
      PKI_KIND_JAMF_USER_ON_COMPUTER,
      "CN=4,OU=users-on-computers,O=Acme,CN=" ENTRA,
      "email:anna@example.com", CLIENT_AUTH }
};

#define CLIENTS  (sizeof(clients) / sizeof(clients[0]))


/* what they send to simplereenroll: it must not count */

static const test_client_t  renewals[] = {

    { "bash", BODY_JOINED, "RSA2048", "CN=Contoso", PKI_TEST_UPN, NULL, NULL,
      PKI_BIND_DIRECTORY, OBJECT, PKI_KIND_USER, "CN=anna",
      "email:anna@example.com, UPN:anna@example.com", CLIENT_AUTH },

    { "SCEPmanClient", BODY_BASE64, "RSA2048", "CN=anna", NULL,
      "critical,clientAuth", "2.5.29.150", PKI_BIND_DIRECTORY, OBJECT,
      PKI_KIND_USER, "CN=anna",
      "email:anna@example.com, UPN:anna@example.com", CLIENT_AUTH },

    { "psmodule, PS7", BODY_PEM, "RSA2048", "CN=anna", NULL, NULL, NULL,
      PKI_BIND_DIRECTORY, OBJECT, PKI_KIND_USER, "CN=anna",
      "email:anna@example.com, UPN:anna@example.com", CLIENT_AUTH },

    { "psmodule, PS5", BODY_LINES, "P-256", "CN=anna", NULL, NULL, NULL,
      PKI_BIND_DIRECTORY, OBJECT, PKI_KIND_USER, "CN=anna",
      "email:anna@example.com, UPN:anna@example.com", CLIENT_AUTH }
};

#define RENEWALS  (sizeof(renewals) / sizeof(renewals[0]))


static pki_issuer_t  *issuer;


int
main(void)
{
    X509       *ca;
    size_t      i;
    EVP_PKEY   *key;
    pki_err_t   err;

    key = pki_test_key("P-256");
    ca = pki_test_ca("SCEPman-Root-CA-V1", key);
    issuer = pki_issuer_create(ca, key, &err);
    pki_test_need(issuer != NULL, err.text);

    for (i = 0; i < CLIENTS; i++) {
        test_client(&clients[i]);
    }

    test_renewals();

    (void) key_of(NULL);
    pki_issuer_free(issuer);
    X509_free(ca);
    EVP_PKEY_free(key);

    return pki_test_done();
}


static void
test_client(const test_client_t *c)
{
    X509             *cert;
    EVP_PKEY         *key;
    unsigned          n;
    pki_claim_t       claim;
    pki_object_id_t   objects[PKI_BINDING_OBJECTS];

    cert = enrol(c, NULL, &claim, &key);

    is_int(claim.binding.kind, c->kind, "%s: kind", c->name);
    n = pki_binding_objects(&claim.binding, objects);

    if (c->object != NULL) {
        ok(n > 0 && strcmp(objects[n - 1].id, c->object) == 0,
           "%s: bound to %s", c->name, objects[0].id);

    } else {
        is_int(n, 0, "%s: bound to nothing", c->name);
    }

    ok(EVP_PKEY_eq(X509_get0_pubkey(cert), key) == 1, "%s: key", c->name);
    check(c, cert, c->ekus != NULL && strncmp(c->ekus, "critical", 8) == 0);

    X509_free(cert);
}


static void
test_renewals(void)
{
    X509         *old, *cert;
    size_t        i;
    EVP_PKEY     *key;
    pki_claim_t   claim;

    static const test_client_t  first = {
        "the first", BODY_BASE64, "RSA2048", "CN=anna",
        "email:anna@example.com," PKI_TEST_UPN "anna@example.com", NULL,
        NULL, PKI_BIND_USER, OBJECT, PKI_KIND_USER, "CN=anna",
        "email:anna@example.com, UPN:anna@example.com", CLIENT_AUTH
    };

    old = enrol(&first, NULL, &claim, &key);

    /* each renews what the one before has got */

    for (i = 0; i < RENEWALS; i++) {
        cert = enrol(&renewals[i], old, &claim, &key);

        ok(EVP_PKEY_eq(X509_get0_pubkey(cert), key) == 1,
           "%s: the new key", renewals[i].name);
        is_int(claim.binding.kind, PKI_KIND_USER, "%s: still a user's",
               renewals[i].name);

        /* as those that were not asked for the first time */

        check(&renewals[i], cert, 0);

        X509_free(old);
        old = cert;
    }

    X509_free(old);
}


/* from the octets of a body to a certificate; old: it is a renewal */

static X509 *
enrol(const test_client_t *c, X509 *old, pki_claim_t *claim, EVP_PKEY **key)
{
    X509             *cert;
    char             *text;
    size_t            len;
    pki_rc_t          rc;
    pki_csr_t        *csr;
    pki_err_t         err;
    pki_serial_t      serial;
    pki_profile_t     profile;
    pki_cert_urls_t   urls;
    pki_cert_plan_t   plan;

    static const unsigned char  random[PKI_SERIAL_PAYLOAD];

    memset(&profile, 0, sizeof(pki_profile_t));
    memset(&urls, 0, sizeof(pki_cert_urls_t));
    memset(&plan, 0, sizeof(pki_cert_plan_t));

    profile.bind = c->bind;
    profile.keys = PKI_KEYS_ALL;
    profile.default_ekus[0] = "1.3.6.1.5.5.7.3.2";
    profile.ndefault_ekus = 1;
    profile.default_key_usage = KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT;
    urls.lifetime = PKI_TEST_DAY;

    *key = key_of(c->key);
    pki_test_need(*key != NULL, c->key);
    text = body_of(c, *key, &len);

    err.text[0] = '\0';
    rc = pki_csr_read((pki_bytes_t) { (unsigned char *) text, len }, &csr,
                      &err);
    free(text);
    is_int(rc, PKI_OK, "%s: read (%s)", c->name, err.text);
    pki_test_need(rc == PKI_OK, err.text);

    if (old != NULL) {
        pki_test_need(pki_csr_renew(csr, old, &err) == PKI_OK, err.text);
    }

    is_int(pki_profile_check(&profile, csr, 0, &err), PKI_OK,
           "%s: allowed (%s)", c->name, err.text);
    is_int(pki_csr_claim(csr, c->bind, random, claim, &err), PKI_OK,
           "%s: claim (%s)", c->name, err.text);

    if (claim->name[0] != '\0') {
        is_str(claim->name, "anna@example.com", "%s: a user", c->name);
        is_int(pki_claim_user(claim, c->object), PKI_OK, "%s: known",
               c->name);
    }

    pki_serial_make_plain(&claim->binding, random, &serial);

    plan.issuer = issuer;
    plan.profile = &profile;
    plan.urls = &urls;
    plan.csr = csr;
    plan.serial = &serial;
    plan.binding = &claim->binding;
    plan.now = pki_test_now();

    err.text[0] = '\0';
    rc = pki_cert_issue(&plan, &cert, &err);
    is_int(rc, PKI_OK, "%s: issued (%s)", c->name, err.text);
    pki_test_need(rc == PKI_OK, err.text);

    pki_csr_free(csr);

    return cert;
}


static char *
body_of(const test_client_t *c, EVP_PKEY *key, size_t *len)
{
    int              i, n, columns;
    char            *all, *text, *p;
    const char      *eol;
    pki_bytes_t      der;
    pki_test_ext_t   exts[3], *e;
    pki_test_raw_t   raws[2];
    pki_test_req_t   r;

    memset(&r, 0, sizeof(pki_test_req_t));
    memset(exts, 0, sizeof(exts));
    memset(raws, 0, sizeof(raws));
    e = exts;

    if (c->ekus != NULL) {
        *e++ = (pki_test_ext_t) { NID_ext_key_usage, c->ekus };
    }

    if (c->sans != NULL) {
        *e = (pki_test_ext_t) { NID_subject_alt_name, c->sans };
    }

    if (c->odd != NULL) {
        raws[0] = (pki_test_raw_t) { c->odd, 1, "\x03\x02\x05\xa0", 4 };
    }

    r.key = key;
    r.subject = c->subject;
    r.exts = exts;
    r.raws = raws;
    der = pki_test_req_der(pki_test_req(&r));

    text = malloc(2 * der.len + 128);
    all = malloc(2 * der.len);
    pki_test_need(text != NULL && all != NULL, "memory");
    p = text;

    if (c->body == BODY_DER) {
        memcpy(text, der.data, der.len);
        p += der.len;
        goto done;
    }

    n = EVP_EncodeBlock((unsigned char *) all, der.data, (int) der.len);
    columns = c->body == BODY_PEM || c->body == BODY_LINES ? 64 : n;
    eol = columns == 64 ? "\n" : "";

    if (c->body == BODY_PEM || c->body == BODY_JOINED) {
        p += sprintf(p, "-----BEGIN CERTIFICATE REQUEST-----%s", eol);
    }

    for (i = 0; i < n; i += columns) {
        p += sprintf(p, "%.*s%s", columns, all + i, eol);
    }

    if (c->body == BODY_PEM || c->body == BODY_JOINED) {
        p += sprintf(p, "-----END CERTIFICATE REQUEST-----%s", eol);
    }

done:

    *len = p - text;
    free(all);
    OPENSSL_free((unsigned char *) der.data);

    return text;
}


static void
check(const test_client_t *c, X509 *cert, int critical)
{
    int                 i;
    X509_EXTENSION     *ext;
    pki_cert_text_t     text;
    ASN1_OCTET_STRING  *value;

    is_int(pki_cert_describe(cert, &text), PKI_OK, "%s: described", c->name);
    is_str(text.subject, c->got_subject, "%s: subject", c->name);
    is_str(text.sans, c->got_sans, "%s: names", c->name);

    i = X509_get_ext_by_NID(cert, NID_ext_key_usage, -1);
    pki_test_need(i >= 0, "extKeyUsage");
    ext = X509_get_ext(cert, i);
    value = X509_EXTENSION_get_data(ext);

    ok(ASN1_STRING_length(value) == (int) strlen(c->got_ekus)
       && memcmp(ASN1_STRING_get0_data(value), c->got_ekus,
                 strlen(c->got_ekus))
          == 0, "%s: usages", c->name);
    is_int(X509_EXTENSION_get_critical(ext), critical, "%s: critical or not",
           c->name);
}


/* one of a kind is enough, and takes long enough */

static EVP_PKEY *
key_of(const char *kind)
{
    size_t  i;

    static struct {
        const char  *kind;
        EVP_PKEY    *key;
    } keys[] = {
        { "RSA2048", NULL },
        { "P-256", NULL },
        { "P-384", NULL }
    };

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {

        if (kind == NULL) {
            EVP_PKEY_free(keys[i].key);
            continue;
        }

        if (strcmp(keys[i].kind, kind) == 0) {

            if (keys[i].key == NULL) {
                keys[i].key = pki_test_key(kind);
            }

            return keys[i].key;
        }
    }

    return NULL;
}

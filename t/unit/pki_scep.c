
/*
 * pki_scep.c: messages as SCEPman's clients make them, what is refused and
 * how, and that the reply is one that they take.
 */

#include "pki_test_scep.h"

#include <openssl/pkcs7.h>


static EVP_PKEY         *ca_key, *key, *other_key;
static X509             *ca, *other_ca, *signer, *other;
static pki_issuer_t     *issuer;
static pki_bytes_t       csr_der, other_der;


static void test_request(void);
static void test_renewal(void);
static void test_ciphers(void);
static void test_digests(void);
static void test_refused(void);
static void test_opened(void);
static void test_unread(void);
static void test_attributes(void);
static void test_failures(void);
static void test_octets(void);
static void test_memory(void);

static void taken(const pki_test_scep_t *m, const char *name);
static void fails(const pki_test_scep_t *m, int read, pki_scep_fail_t fail,
    const char *name);
static void replied(const pki_scep_t *scep, X509 *cert, const char *status,
    const char *fail);
static void attribute(CMS_SignerInfo *si, const char *oid, int type,
    const char *want, int len);
static void content(pki_bytes_t text, X509 *cert);
static pki_test_scep_t message(void);
static X509 *self_signed(const char *cn, EVP_PKEY *k);


int
main(void)
{
    pki_err_t       err;
    pki_test_req_t  r;

    pki_test_alloc_hook();

    ca_key = pki_test_key("RSA2048");
    key = pki_test_key("RSA2048");
    other_key = pki_test_key("RSA2048");
    ca = pki_test_ca("CA", ca_key);
    other_ca = pki_test_ca("Other", other_key);
    issuer = pki_issuer_create(ca, ca_key, &err);
    pki_test_need(issuer != NULL, "issuer");

    signer = self_signed("signer", key);
    other = self_signed("other", other_key);

    memset(&r, 0, sizeof(r));
    r.key = key;
    r.subject = "CN=dc.example.com";
    r.challenge = "secret";
    csr_der = pki_test_req_der(pki_test_req(&r));
    r.key = other_key;
    other_der = pki_test_req_der(pki_test_req(&r));

    test_request();
    test_renewal();
    test_ciphers();
    test_digests();
    test_refused();
    test_opened();
    test_unread();
    test_attributes();
    test_failures();
    test_octets();
    test_memory();

    pki_issuer_free(issuer);
    X509_free(ca);
    X509_free(other_ca);
    X509_free(signer);
    X509_free(other);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other_key);
    OPENSSL_free((unsigned char *) csr_der.data);
    OPENSSL_free((unsigned char *) other_der.data);

    return pki_test_done();
}


static void
test_request(void)
{
    X509             *cert;
    pki_err_t         err;
    pki_csr_t        *csr;
    pki_scep_t       *scep;
    pki_bytes_t       der;
    pki_test_scep_t   m;

    m = message();
    der = pki_test_scep(&m);

    is_int(pki_scep_read(der, &scep, &err), PKI_OK, "a request is read");
    is_int(scep->fail, PKI_SCEP_NO_FAILURE, "and is in order");
    is_int(scep->type, PKI_SCEP_REQUEST, "its type");
    is_int(scep->id_len, strlen(TRANSACTION_ID), "a transactionID");
    is_mem(scep->id, TRANSACTION_ID, scep->id_len, "of base64");
    is_int(scep->nonce_len, 16, "a nonce");
    is_mem(scep->nonce, NONCE, 16, "as it was sent");
    ok(X509_cmp(scep->signer, signer) == 0, "the signer");

    OPENSSL_free((unsigned char *) der.data);

    is_int(pki_scep_open(scep, issuer, &csr, &err), PKI_OK, "opened");
    is_str(csr->challenge, "secret", "the challenge");
    ok(EVP_PKEY_eq(csr->key, key) == 1, "the key");

    cert = pki_test_issued("dc", "4455", ca, ca_key, key, pki_test_leaf_exts);
    replied(scep, cert, "0", NULL);

    X509_free(cert);
    pki_csr_free(csr);
    pki_scep_free(scep);
    pki_scep_free(NULL);
}


/* signed by the certificate that it renews; with another key, or the same */

static void
test_renewal(void)
{
    X509             *old;
    pki_err_t         err;
    pki_csr_t        *csr;
    pki_scep_t       *scep;
    pki_bytes_t       der;
    pki_test_scep_t   m;

    old = pki_test_issued("old", "4433", ca, ca_key, key, pki_test_leaf_exts);

    m = message();
    m.cert = old;
    m.attrs = pki_test_renewal;
    m.plain = other_der;
    der = pki_test_scep(&m);

    is_int(pki_scep_read(der, &scep, &err), PKI_OK, "a renewal is read");
    is_int(scep->fail, PKI_SCEP_NO_FAILURE, "and is in order");
    is_int(scep->type, PKI_SCEP_RENEWAL, "its type");
    ok(X509_cmp(scep->signer, old) == 0, "the old certificate");

    OPENSSL_free((unsigned char *) der.data);

    is_int(pki_scep_open(scep, issuer, &csr, &err), PKI_OK, "opened");
    ok(EVP_PKEY_eq(csr->key, other_key) == 1, "a new key");

    replied(scep, old, "0", NULL);

    pki_csr_free(csr);
    pki_scep_free(scep);

    m.plain = csr_der;
    taken(&m, "a renewal with the old key");

    m.attrs = pki_test_attrs;
    taken(&m, "a request, signed with an old certificate");

    X509_free(old);
}


static void
test_ciphers(void)
{
    pki_test_scep_t  m;

    m = message();
    m.cipher = EVP_des_ede3_cbc();
    taken(&m, "3DES");
    m.cipher = EVP_aes_128_cbc();
    taken(&m, "AES-128");
    m.cipher = EVP_aes_192_cbc();
    taken(&m, "AES-192");
    m.encrypt = CMS_USE_KEYID;
    taken(&m, "a recipient by the key's id");

    m.encrypt = 0;
    m.cipher = EVP_camellia_256_cbc();
    fails(&m, 0, PKI_SCEP_BAD_ALG, "Camellia");
    m.cipher = EVP_aes_256_cfb128();
    fails(&m, 0, PKI_SCEP_BAD_ALG, "AES in another mode");
}


static void
test_digests(void)
{
    X509             *weak;
    EVP_PKEY         *small, *ec;
    pki_test_scep_t   m;

    m = message();
    m.md = EVP_sha1();
    taken(&m, "SHA-1");
    m.md = EVP_sha256();
    taken(&m, "SHA-256");
    m.sign = CMS_USE_KEYID;
    m.md = EVP_sha512();
    taken(&m, "SHA-512, a signer by the key's id");

    m.sign = 0;
    m.md = EVP_ripemd160();
    fails(&m, 1, PKI_SCEP_BAD_ALG, "RIPEMD-160");

    m = message();
    small = pki_test_key("RSA1024");
    weak = self_signed("weak", small);
    m.key = small;
    m.cert = weak;
    fails(&m, 1, PKI_SCEP_BAD_ALG, "a small key");
    X509_free(weak);
    EVP_PKEY_free(small);

    ec = pki_test_key("P-256");
    weak = self_signed("ec", ec);
    m.key = ec;
    m.cert = weak;
    m.md = EVP_sha256();
    fails(&m, 1, PKI_SCEP_BAD_ALG, "a key of another kind");
    X509_free(weak);
    EVP_PKEY_free(ec);
}


/* what can be answered, but goes no further */

static void
test_refused(void)
{
    pki_err_t         err;
    pki_scep_t       *scep;
    pki_bytes_t       der;
    pki_test_attr_t   attrs[4];
    pki_test_scep_t   m;

    m = message();
    m.sign = CMS_NOCERTS;
    fails(&m, 1, PKI_SCEP_BAD_MESSAGE_CHECK, "no certificate of the signer");

    m.sign = CMS_DETACHED;
    fails(&m, 1, PKI_SCEP_BAD_MESSAGE_CHECK, "nothing in it");

    m = message();
    memcpy(attrs, pki_test_attrs, sizeof(attrs));
    m.attrs = attrs;
    attrs[0].value = "20";
    fails(&m, 1, PKI_SCEP_BAD_REQUEST, "CertPoll");
    attrs[0].value = "3";
    fails(&m, 1, PKI_SCEP_BAD_REQUEST, "a reply");
    attrs[0].value = "190";
    fails(&m, 1, PKI_SCEP_BAD_REQUEST, "a type that is too long");

    m = message();
    der = pki_test_scep(&m);
    ((unsigned char *) der.data)[der.len - 1] ^= 0x01;

    is_int(pki_scep_read(der, &scep, &err), PKI_OK, "a wrong signature");
    is_int(scep->fail, PKI_SCEP_BAD_MESSAGE_CHECK, "is told so");
    ok(strstr(err.text, "signature") != NULL, "and logged: %s", err.text);

    pki_scep_free(scep);
    OPENSSL_free((unsigned char *) der.data);
}


/* all of them look alike */

static void
test_opened(void)
{
    size_t            i;
    pki_test_scep_t   m;

    static const size_t  octets[] = { 1, 16, 17, 32, 33, 48, 200, 400 };

    m = message();
    m.to = other_ca;
    fails(&m, 0, PKI_SCEP_BAD_MESSAGE_CHECK, "for another CA");

    m.to = ca;
    m.and_to = other_ca;
    fails(&m, 0, PKI_SCEP_BAD_MESSAGE_CHECK, "for two");

    m = message();
    m.plain = other_der;
    fails(&m, 0, PKI_SCEP_BAD_MESSAGE_CHECK, "another's request");

    m.plain = (pki_bytes_t) { (const unsigned char *) "nonsense", 8 };
    fails(&m, 0, PKI_SCEP_BAD_MESSAGE_CHECK, "no request");

    m.plain.len = 0;
    fails(&m, 0, PKI_SCEP_BAD_MESSAGE_CHECK, "nothing");

    m = message();
    m.plain.len--;
    fails(&m, 0, PKI_SCEP_BAD_MESSAGE_CHECK, "a request that is cut");

    m = message();

    for (i = 0; i < sizeof(octets) / sizeof(octets[0]); i++) {
        m.spoil = octets[i];
        fails(&m, 0, PKI_SCEP_BAD_MESSAGE_CHECK, "a wrong octet of the "
              "envelope");
    }

    m.spoil = 0;
    m.spoil_key = 1;
    fails(&m, 0, PKI_SCEP_BAD_MESSAGE_CHECK, "a wrong key");
    m.spoil_key = 256;
    fails(&m, 0, PKI_SCEP_BAD_MESSAGE_CHECK, "a key out of range");
}


static void
test_unread(void)
{
    size_t            i;
    pki_rc_t          rc;
    pki_err_t         err;
    pki_scep_t       *scep;
    pki_bytes_t       der, in;
    unsigned char    *long_one;
    pki_test_scep_t   m;

    m = message();
    m.twice = 1;
    der = pki_test_scep(&m);
    is_int(pki_scep_read(der, &scep, &err), PKI_INVALID, "two signers");
    OPENSSL_free((unsigned char *) der.data);

    m = message();
    der = pki_test_scep_envelope(&m);
    is_int(pki_scep_read(der, &scep, &err), PKI_INVALID, "an envelope only");
    ok(scep == NULL && err.text[0] != '\0', "told why: %s", err.text);
    OPENSSL_free((unsigned char *) der.data);

    is_int(pki_scep_read(csr_der, &scep, &err), PKI_INVALID, "PKCS#10");
    ok(strstr(err.text, "SSL") == NULL, "without what OpenSSL says");

    long_one = OPENSSL_zalloc(PKI_SCEP_MAX + 1);
    is_int(pki_scep_read((pki_bytes_t) { long_one, PKI_SCEP_MAX + 1 }, &scep,
                         &err),
           PKI_INVALID, "one octet too many");
    is_int(pki_scep_read((pki_bytes_t) { long_one, PKI_SCEP_MAX }, &scep,
                         &err),
           PKI_INVALID, "as many zeros as may be");
    OPENSSL_free(long_one);

    der = pki_test_scep(&m);
    in.data = der.data;

    for (i = 0; i < der.len; i++) {
        unsigned char  *copy;

        copy = malloc(i ? i : 1);
        pki_test_need(copy != NULL, "memory");
        memcpy(copy, der.data, i);
        in.data = copy;
        in.len = i;
        rc = pki_scep_read(in, &scep, &err);
        free(copy);

        if (rc != PKI_INVALID || scep != NULL) {
            break;
        }
    }

    is_int(i, der.len, "cut at every octet");

    long_one = OPENSSL_malloc(der.len + 1);
    memcpy(long_one, der.data, der.len);
    long_one[der.len] = 0;
    is_int(pki_scep_read((pki_bytes_t) { long_one, der.len + 1 }, &scep,
                         &err),
           PKI_INVALID, "something behind it");
    OPENSSL_free(long_one);
    OPENSSL_free((unsigned char *) der.data);
}


static void
test_attributes(void)
{
    size_t            i;
    char              text[300];
    pki_rc_t          rc;
    pki_err_t         err;
    pki_scep_t       *scep;
    pki_bytes_t       der;
    pki_test_scep_t   m;
    pki_test_attr_t   attrs[5];

    static const struct {
        int          which, type;
        int          len;       /* -2: left out; -3: there twice */
        pki_rc_t     rc;
        const char  *name;
    } cases[] = {
        { 0, 0, -2, PKI_INVALID, "no messageType" },
        { 1, 0, -2, PKI_INVALID, "no transactionID" },
        { 2, 0, -2, PKI_INVALID, "no senderNonce" },
        { 0, 0, -3, PKI_INVALID, "two of messageType" },
        { 1, 0, -3, PKI_INVALID, "two of transactionID" },
        { 2, 0, -3, PKI_INVALID, "two of senderNonce" },
        { 0, V_ASN1_UTF8STRING, 2, PKI_INVALID, "a messageType of UTF-8" },
        { 1, V_ASN1_OCTET_STRING, 2, PKI_INVALID, "an id of octets" },
        { 2, V_ASN1_PRINTABLESTRING, 2, PKI_INVALID, "a printable nonce" },
        { 1, V_ASN1_PRINTABLESTRING, 0, PKI_INVALID, "an empty id" },
        { 1, V_ASN1_PRINTABLESTRING, 255, PKI_OK, "a long id" },
        { 1, V_ASN1_PRINTABLESTRING, 256, PKI_INVALID, "too long an id" },
        { 2, V_ASN1_OCTET_STRING, 0, PKI_INVALID, "an empty nonce" },
        { 2, V_ASN1_OCTET_STRING, 1, PKI_OK, "a nonce of one octet" },
        { 2, V_ASN1_OCTET_STRING, 64, PKI_OK, "a long nonce" },
        { 2, V_ASN1_OCTET_STRING, 65, PKI_INVALID, "too long a nonce" },
    };

    memset(text, 'x', sizeof(text));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(attrs, 0, sizeof(attrs));
        memcpy(attrs, pki_test_attrs, sizeof(pki_test_attrs));

        if (cases[i].len == -2) {
            memmove(&attrs[cases[i].which], &attrs[cases[i].which + 1],
                    (size_t) (3 - cases[i].which) * sizeof(attrs[0]));

        } else if (cases[i].len == -3) {
            attrs[3] = attrs[cases[i].which];

        } else {
            attrs[cases[i].which].type = cases[i].type;
            attrs[cases[i].which].value = text;
            attrs[cases[i].which].len = cases[i].len;
        }

        m = message();
        m.attrs = attrs;
        der = pki_test_scep(&m);
        rc = pki_scep_read(der, &scep, &err);

        is_int(rc, cases[i].rc, "%s", cases[i].name);

        if (rc == PKI_OK) {
            replied(scep, NULL, "2", "2");
        }

        pki_scep_free(scep);
        OPENSSL_free((unsigned char *) der.data);
    }
}


static void
test_failures(void)
{
    char              text[2];
    int               fail;
    pki_err_t         err;
    pki_scep_t       *scep;
    pki_bytes_t       der;
    pki_test_scep_t   m;

    m = message();
    der = pki_test_scep(&m);
    pki_test_need(pki_scep_read(der, &scep, &err) == PKI_OK, "a message");
    OPENSSL_free((unsigned char *) der.data);

    for (fail = PKI_SCEP_BAD_ALG; fail <= PKI_SCEP_BAD_CERT_ID; fail++) {
        scep->fail = fail;
        text[0] = (char) ('0' + fail);
        text[1] = '\0';
        replied(scep, NULL, "2", text);
    }

    pki_scep_free(scep);
}


/* each octet wrong: the reply can only be for who has signed */

static void
test_octets(void)
{
    size_t            i, n;
    pki_rc_t          rc;
    pki_err_t         err;
    pki_scep_t       *scep;
    pki_bytes_t       der;
    unsigned char    *octets;
    pki_test_scep_t   m;

    m = message();
    der = pki_test_scep(&m);
    octets = (unsigned char *) der.data;
    n = 0;

    for (i = 0; i < der.len; i++) {
        octets[i] ^= 0x10;
        rc = pki_scep_read(der, &scep, &err);
        octets[i] ^= 0x10;

        if (rc == PKI_OK && scep->fail == PKI_SCEP_NO_FAILURE
            && (scep->id_len != strlen(TRANSACTION_ID)
                || memcmp(scep->id, TRANSACTION_ID, scep->id_len) != 0
                || memcmp(scep->nonce, NONCE, 16) != 0
                || EVP_PKEY_eq(X509_get0_pubkey(scep->signer), key) != 1))
        {
            n++;
        }

        if (rc == PKI_ERROR || (rc == PKI_OK) != (scep != NULL)
            || ERR_peek_error() != 0)
        {
            n++;
        }

        pki_scep_free(scep);
    }

    is_int(n, 0, "%zu octets, each wrong once", der.len);
    OPENSSL_free(octets);
}


/*
 * With a key of its own each time: OpenSSL 3.0 spoils that which it was using
 * (its blinding) when memory is short.
 */

static void
test_memory(void)
{
    int               hit;
    long              n;
    size_t            len;
    pki_rc_t          rc;
    pki_err_t         err;
    pki_csr_t        *csr;
    pki_scep_t       *scep;
    pki_bytes_t       der;
    pki_issuer_t      mine;
    unsigned char    *reply;
    pki_test_scep_t   m;

    m = message();
    der = pki_test_scep(&m);

    scep = NULL;
    hit = 1;

    for (n = 0; hit; n++) {
        pki_scep_free(scep);

        pki_test_fail_at(n + 1);
        rc = pki_scep_read(der, &scep, &err);
        hit = pki_test_fail_hit();
        pki_test_fail_at(0);

        if ((rc == PKI_OK) != (scep != NULL) || rc == PKI_NOT_FOUND) {
            break;
        }
    }

    ok(!hit && n > 100 && rc == PKI_OK && scep->fail == PKI_SCEP_NO_FAILURE,
       "reading: %ld allocations fail", n);

    csr = NULL;
    hit = 1;

    /* a private key's operation each: every second one will do */

    for (n = 0; hit; n += 2) {
        pki_csr_free(csr);

        mine = *issuer;
        mine.key = EVP_PKEY_dup(ca_key);

        pki_test_fail_at(n + 1);
        rc = pki_scep_open(scep, &mine, &csr, &err);
        hit = pki_test_fail_hit();
        pki_test_fail_at(0);

        EVP_PKEY_free(mine.key);

        if ((rc == PKI_OK) != (csr != NULL) || rc == PKI_NOT_FOUND) {
            break;
        }
    }

    ok(!hit && n > 100 && rc == PKI_OK, "opening: %ld allocations fail", n);
    pki_csr_free(csr);

    reply = NULL;
    hit = 1;

    for (n = 0; hit; n++) {
        OPENSSL_free(reply);

        mine = *issuer;
        mine.key = EVP_PKEY_dup(ca_key);

        pki_test_fail_at(n + 1);
        rc = pki_scep_reply(scep, &mine, signer, &reply, &len, &err);
        hit = pki_test_fail_hit();
        pki_test_fail_at(0);

        EVP_PKEY_free(mine.key);

        if (rc != PKI_OK && (rc != PKI_ERROR || reply != NULL)) {
            break;
        }
    }

    ok(!hit && n > 100 && rc == PKI_OK, "replying: %ld allocations fail", n);
    OPENSSL_free(reply);

    scep->fail = PKI_SCEP_NO_FAILURE;
    replied(scep, signer, "0", NULL);

    pki_scep_free(scep);
    OPENSSL_free((unsigned char *) der.data);
}


static void
taken(const pki_test_scep_t *m, const char *name)
{
    pki_rc_t      rc;
    pki_err_t     err;
    pki_csr_t    *csr;
    pki_scep_t   *scep;
    pki_bytes_t   der;

    der = pki_test_scep(m);
    csr = NULL;
    err.text[0] = '\0';
    rc = pki_scep_read(der, &scep, &err);

    if (rc == PKI_OK && scep->fail == PKI_SCEP_NO_FAILURE) {
        rc = pki_scep_open(scep, issuer, &csr, &err);
        ok(rc == PKI_OK && csr != NULL, "%s %s", name, err.text);

    } else {
        ok(0, "%s: %s", name, err.text);
    }

    pki_csr_free(csr);
    pki_scep_free(scep);
    OPENSSL_free((unsigned char *) der.data);
}


static void
fails(const pki_test_scep_t *m, int read, pki_scep_fail_t fail,
    const char *name)
{
    pki_err_t     err;
    pki_csr_t    *csr;
    pki_scep_t   *scep;
    pki_bytes_t   der;

    der = pki_test_scep(m);
    err.text[0] = '\0';

    is_int(pki_scep_read(der, &scep, &err), PKI_OK, "%s: read", name);

    if (!read) {
        is_int(scep->fail, PKI_SCEP_NO_FAILURE, "%s: taken", name);
        is_int(pki_scep_open(scep, issuer, &csr, &err), PKI_INVALID,
               "%s: not opened", name);
        ok(csr == NULL, "no request");
    }

    is_int(scep->fail, fail, "%s: failInfo", name);
    ok(err.text[0] != '\0' && ERR_peek_error() == 0, "%s", err.text);

    pki_scep_free(scep);
    OPENSSL_free((unsigned char *) der.data);
}


/* what ScepClient looks at */

static void
replied(const pki_scep_t *scep, X509 *cert, const char *status,
    const char *fail)
{
    BIO                   *out, *none;
    X509                  *by;
    size_t                 len;
    pki_err_t              err;
    X509_STORE            *store;
    unsigned char         *der;
    CMS_SignerInfo        *si;
    CMS_ContentInfo       *cms;
    const unsigned char   *p;

    pki_test_need(pki_scep_reply(scep, issuer, cert, &der, &len, &err)
                  == PKI_OK, err.text);

    p = der;
    cms = d2i_CMS_ContentInfo(NULL, &p, (long) len);
    ok(cms != NULL && p == der + len, "a reply");

    si = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
    attribute(si, TYPE, V_ASN1_PRINTABLESTRING, "3", 1);
    attribute(si, STATUS, V_ASN1_PRINTABLESTRING, status, 1);
    attribute(si, FAIL_INFO, V_ASN1_PRINTABLESTRING, fail, 1);
    attribute(si, TRANSACTION, V_ASN1_PRINTABLESTRING, scep->id,
              (int) scep->id_len);
    attribute(si, RECIPIENT_NONCE, V_ASN1_OCTET_STRING,
              (const char *) scep->nonce, (int) scep->nonce_len);
    attribute(si, SENDER_NONCE, V_ASN1_OCTET_STRING, "", 16);

    store = X509_STORE_new();
    out = BIO_new(BIO_s_mem());
    none = BIO_new_mem_buf("", 0);
    pki_test_need(store != NULL && X509_STORE_add_cert(store, ca) == 1
                  && out != NULL && none != NULL, "store");

    is_int(CMS_verify(cms, NULL, store, cert ? NULL : none, out,
                      CMS_BINARY),
           1, "signed by the CA");

    CMS_SignerInfo_get0_algs(si, NULL, &by, NULL, NULL);
    ok(by != NULL && X509_cmp(by, ca) == 0, "with its own key");

    if (cert != NULL) {
        len = (size_t) BIO_get_mem_data(out, (char **) &p);
        content((pki_bytes_t) { p, len }, cert);

    } else {
        ok(*CMS_get0_content(cms) == NULL, "nothing in it");
    }

    X509_STORE_free(store);
    BIO_free(out);
    BIO_free(none);
    CMS_ContentInfo_free(cms);
    OPENSSL_free(der);
    ERR_clear_error();
}


/* want NULL: it is not there; "": any value of that length */

static void
attribute(CMS_SignerInfo *si, const char *oid, int type, const char *want,
    int len)
{
    ASN1_OBJECT  *obj;
    ASN1_STRING  *s;

    obj = OBJ_txt2obj(oid, 1);
    s = CMS_signed_get0_data_by_OBJ(si, obj, -3, type);
    ASN1_OBJECT_free(obj);

    if (want == NULL) {
        ok(s == NULL, "no %s", oid);
        return;
    }

    ok(s != NULL && ASN1_STRING_length(s) == len
       && (want[0] == '\0'
           || memcmp(ASN1_STRING_get0_data(s), want, (size_t) len) == 0),
       "%s", oid);
}


static void
content(pki_bytes_t text, X509 *cert)
{
    BIO                   *out;
    PKCS7                 *p7;
    CMS_ContentInfo       *cms;
    STACK_OF(X509)        *certs;
    const unsigned char   *p;

    p = text.data;
    cms = d2i_CMS_ContentInfo(NULL, &p, (long) text.len);
    out = BIO_new(BIO_s_mem());
    pki_test_need(out != NULL && cms != NULL, "an envelope");

    is_int(CMS_decrypt(cms, key, NULL, NULL, out, CMS_BINARY), 1,
           "for who has asked");

    p7 = d2i_PKCS7_bio(out, NULL);
    pki_test_need(p7 != NULL && PKCS7_type_is_signed(p7), "PKCS#7");
    certs = p7->d.sign->cert;

    is_int(sk_X509_num(certs), 1, "one certificate");
    ok(X509_cmp(sk_X509_value(certs, 0), cert) == 0, "that was issued");

    PKCS7_free(p7);
    BIO_free(out);
    CMS_ContentInfo_free(cms);
}


static pki_test_scep_t
message(void)
{
    pki_test_scep_t  m;

    memset(&m, 0, sizeof(m));

    m.key = key;
    m.cert = signer;
    m.attrs = pki_test_attrs;
    m.to = ca;
    m.plain = csr_der;

    return m;
}


static X509 *
self_signed(const char *cn, EVP_PKEY *k)
{
    pki_test_cert_t  c;

    static const pki_test_ext_t  exts[] = {
        { NID_subject_key_identifier, "hash" },
        { 0, NULL }
    };

    memset(&c, 0, sizeof(c));

    c.cn = cn;
    c.serial = "1";
    c.key = k;
    c.from = pki_test_now() - PKI_TEST_DAY;
    c.to = pki_test_now() + PKI_TEST_DAY;
    c.exts = exts;

    return pki_test_cert(&c);
}

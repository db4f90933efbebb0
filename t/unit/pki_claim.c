
/*
 * Who a request is for: the table of bindings, row by row, and what a user
 * may ask for alone.
 */

#include "pki_test_csr.h"


#define GUID     "d6b58414-60ed-426b-b382-276a3e8d626d"
#define OTHER    "26c3cae8-fe60-43d7-bf16-a3df18ac25dc"
#define NIL      "00000000-0000-0000-0000-000000000000"
#define UPN      PKI_TEST_UPN "Anna@Example.com"


static EVP_PKEY  *key;


static void test_names(void);
static void test_static(void);
static void test_directory(void);
static void test_jamf(void);
static void test_users(void);
static void test_upn(void);
static void test_self(void);
static void test_memory(void);
static pki_rc_t claim_of(const char *subject, const char *sans,
    pki_bind_t bind, pki_claim_t *claim, pki_err_t *err);


static const unsigned char  random_octets[PKI_SERIAL_PAYLOAD] =
    "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc\xfd\xfe";


int
main(void)
{
    pki_test_alloc_hook();

    key = pki_test_key("P-256");

    test_names();
    test_static();
    test_directory();
    test_jamf();
    test_users();
    test_upn();
    test_self();
    test_memory();

    EVP_PKEY_free(key);

    return pki_test_done();
}


static void
test_names(void)
{
    size_t      i;
    pki_bind_t  bind;

    static const struct {
        const char  *name;
        pki_bind_t   bind;
    } rows[] = {
        { "static", PKI_BIND_STATIC },
        { "directory", PKI_BIND_DIRECTORY },
        { "device", PKI_BIND_DEVICE },
        { "user", PKI_BIND_USER },
        { "jamf", PKI_BIND_JAMF },
        { "dc", PKI_BIND_DC }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ok(pki_bind_from_name(rows[i].name, &bind) == PKI_OK
           && bind == rows[i].bind, "%s", rows[i].name);
    }

    is_int(pki_bind_from_name("none", &bind), PKI_NOT_FOUND, "no such");
}


static void
test_static(void)
{
    char         guid[37];
    pki_err_t    err;
    pki_claim_t  claim;

    is_int(claim_of("CN=" GUID, NULL, PKI_BIND_STATIC, &claim, &err), PKI_OK,
           "static, whatever it says");
    is_int(claim.binding.kind, PKI_KIND_STATIC, "kind");
    pki_guid_to_text(claim.binding.payload, guid);
    is_str(guid, "f3f2f1f0-f5f4-47f6-b8f9-fafbfcfdfe00", "version 4");
    is_str(claim.name, "", "nothing to resolve");

    is_int(claim_of(NULL, NULL, PKI_BIND_DC, &claim, &err), PKI_OK, "a DC");
    is_int(claim.binding.kind, PKI_KIND_DOMAIN_CONTROLLER, "kind");
}


static void
test_directory(void)
{
    char         guid[37];
    size_t       i;
    pki_rc_t     rc;
    pki_err_t    err;
    pki_claim_t  claim;

    static const struct {
        const char  *subject;
        const char  *sans;
        pki_bind_t   bind;
        const char  *object;        /* GUID, name, or NULL: refused */
    } rows[] = {
        { "CN=" GUID, NULL, PKI_BIND_DIRECTORY, GUID },
        { "CN=" GUID, NULL, PKI_BIND_DEVICE, GUID },
        { "CN=D6B58414-60ED-426B-B382-276A3E8D626D", NULL, PKI_BIND_DEVICE,
          GUID },
        { "O=x/CN=" GUID "/CN=y/OU=z", NULL, PKI_BIND_DIRECTORY, GUID },
        { "CN=x/CN=" GUID, NULL, PKI_BIND_DIRECTORY, NULL },
        { "CN=" GUID, "URI:IntuneDeviceId://" OTHER, PKI_BIND_DIRECTORY,
          GUID },
        { "CN=x", "URI:IntuneDeviceId://" OTHER, PKI_BIND_DIRECTORY, OTHER },
        { "CN=x", "URI:INTUNEDEVICEID://" OTHER, PKI_BIND_DEVICE, OTHER },
        { NULL, "URI:IntuneDeviceID://" OTHER, PKI_BIND_DEVICE, OTHER },
        { "CN=x", "URI:DeviceId:" GUID ",URI:AAD_Device_ID:" GUID
          ",URI:tag:microsoft.com,URI:IntuneDeviceId://" OTHER,
          PKI_BIND_DEVICE, OTHER },
        { "CN=x", "URI:IntuneDeviceId://{{DeviceId}}," UPN,
          PKI_BIND_DIRECTORY, NULL },
        { "CN=x", "URI:IntuneDeviceId://" NIL, PKI_BIND_DIRECTORY, NULL },
        { "CN=x", "URI:IntuneDeviceId://" GUID "/", PKI_BIND_DEVICE, NULL },
        { "CN=x", "URI:IntuneDeviceId:" GUID, PKI_BIND_DEVICE, NULL },
        { "CN=" NIL, NULL, PKI_BIND_DIRECTORY, NULL },
        { "CN={" GUID "}", NULL, PKI_BIND_DIRECTORY, NULL },
        { "CN=x", NULL, PKI_BIND_DIRECTORY, NULL },
        { NULL, NULL, PKI_BIND_DEVICE, NULL },
        { "CN=x", "DNS:" GUID, PKI_BIND_DEVICE, NULL },
        { "CN=x", UPN, PKI_BIND_DEVICE, NULL },

        /* a device that also names its user is a device */

        { "CN=" GUID, PKI_TEST_UPN GUID "@example.com", PKI_BIND_DIRECTORY,
          GUID },

        { "CN=x", UPN, PKI_BIND_DIRECTORY, "Anna@Example.com" },
        { "CN=x", UPN, PKI_BIND_USER, "Anna@Example.com" },
        { NULL, "DNS:a,email:b@c," UPN, PKI_BIND_USER, "Anna@Example.com" },
        { "CN=" GUID, UPN, PKI_BIND_USER, "Anna@Example.com" },
        { "CN=" GUID, NULL, PKI_BIND_USER, NULL },
        { "CN=a@b", NULL, PKI_BIND_USER, NULL },
        { "CN=a@b", "email:a@b", PKI_BIND_USER, NULL },
        { "CN=x", PKI_TEST_UPN, PKI_BIND_USER, NULL },
        { "CN=x", UPN "," PKI_TEST_UPN "b@c", PKI_BIND_USER, NULL },
        { "CN=x", UPN "," PKI_TEST_UPN "b@c", PKI_BIND_DIRECTORY, NULL }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        err.text[0] = '\0';
        rc = claim_of(rows[i].subject, rows[i].sans, rows[i].bind, &claim,
                      &err);

        if (rows[i].object == NULL) {
            is_int(rc, PKI_INVALID, "row %zu: %s", i, err.text);
            ok(err.text[0] != '\0', "says why");
            continue;
        }

        is_int(rc, PKI_OK, "row %zu: bound (%s)", i, err.text);

        if (strchr(rows[i].object, '@')) {
            is_str(claim.name, rows[i].object, "a user");
            ok(claim.binding.kind == PKI_KIND_USER
               && claim.class == PKI_OBJECT_USER, "to be resolved");
            continue;
        }

        pki_guid_to_text(claim.binding.payload, guid);
        is_str(guid, rows[i].object, "a device");
        ok(claim.binding.kind == PKI_KIND_DEVICE && claim.name[0] == '\0',
           "known");
    }
}


static void
test_jamf(void)
{
    size_t       i;
    pki_rc_t     rc;
    pki_err_t    err;
    pki_claim_t  claim;

    static const struct {
        const char  *subject;
        const char  *sans;
        int          kind;          /* -1: refused */
        const char  *name;
        const char  *id;            /* eight octets; NULL: random ones */
    } rows[] = {
        { "CN=4/OU=computers/O=Acme/CN=" GUID, NULL, PKI_KIND_JAMF_COMPUTER,
          "", "\x04\0\0\0\0\0\0\0" },
        { "OU=Devices/CN=259", NULL, PKI_KIND_JAMF_DEVICE, "",
          "\x03\x01\0\0\0\0\0\0" },
        { "CN=18446744073709551615/OU=computers", NULL,
          PKI_KIND_JAMF_COMPUTER, "", "\xff\xff\xff\xff\xff\xff\xff\xff" },
        { "CN=4/OU=x/OU=computers", NULL, PKI_KIND_JAMF_COMPUTER, "",
          "\x04\0\0\0\0\0\0\0" },
        { "CN=4/OU=users-on-computers", "email:anna@example.com",
          PKI_KIND_JAMF_USER_ON_COMPUTER, "anna@example.com",
          "\x04\0\0\0\0\0\0\0" },
        { "CN=5/OU=users-on-devices", "DNS:a,email:anna@example.com",
          PKI_KIND_JAMF_USER_ON_DEVICE, "anna@example.com",
          "\x05\0\0\0\0\0\0\0" },
        { "CN=anna/OU=users", "email:anna@example.com", PKI_KIND_JAMF_USER,
          "anna@example.com", NULL },
        { "OU=users", "email:anna@example.com", PKI_KIND_JAMF_USER,
          "anna@example.com", NULL },
        { "CN=4/OU=users-on-computers", NULL, -1, NULL, NULL },
        { "CN=4/OU=users-on-computers", "email:a@b,email:c@d", -1, NULL,
          NULL },
        { "CN=4/OU=users-on-computers", UPN, -1, NULL, NULL },
        { "CN=x/OU=users-on-computers", "email:a@b", -1, NULL, NULL },
        { "OU=users", NULL, -1, NULL, NULL },
        { "CN=4", NULL, -1, NULL, NULL },
        { "CN=4/OU=computer", NULL, -1, NULL, NULL },
        { "CN=4/O=computers", NULL, -1, NULL, NULL },
        { "OU=computers", NULL, -1, NULL, NULL },
        { "CN=x/CN=4/OU=computers", NULL, -1, NULL, NULL },
        { "CN=0/OU=computers", NULL, -1, NULL, NULL },
        { "CN=-4/OU=computers", NULL, -1, NULL, NULL },
        { "CN=4 /OU=computers", NULL, -1, NULL, NULL },
        { "CN=$JSSID/OU=computers", NULL, -1, NULL, NULL },
        { "CN=18446744073709551616/OU=computers", NULL, -1, NULL, NULL },
        { "CN=99999999999999999999/OU=computers", NULL, -1, NULL, NULL }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        err.text[0] = '\0';
        rc = claim_of(rows[i].subject, rows[i].sans, PKI_BIND_JAMF, &claim,
                      &err);

        if (rows[i].kind < 0) {
            ok(rc == PKI_INVALID && err.text[0], "row %zu: %s", i, err.text);
            continue;
        }

        ok(rc == PKI_OK && (int) claim.binding.kind == rows[i].kind
           && (rows[i].name[0] == '\0'
               || claim.class == PKI_OBJECT_JAMF_USER), "row %zu: bound", i);
        is_str(claim.name, rows[i].name, "user");
        is_mem(claim.binding.payload, rows[i].id ? (unsigned char *) rows[i].id
                                                 : random_octets, 8, "id");
        is_mem(claim.binding.payload + 8, random_octets + 8, 8, "the rest");
    }
}


static void
test_users(void)
{
    size_t           i;
    pki_rc_t         rc;
    pki_err_t        err;
    pki_claim_t      claim;
    pki_object_id_t  objects[PKI_BINDING_OBJECTS];

    static const struct {
        const char  *subject;
        const char  *sans;
        pki_bind_t   bind;
        const char  *id;
        unsigned     n;             /* objects; 0: refused */
    } rows[] = {
        { "CN=x", UPN, PKI_BIND_USER, "user/" GUID, 1 },
        { "CN=x", UPN, PKI_BIND_USER, "user/" GUID "0", 0 },
        { "CN=x", UPN, PKI_BIND_USER, "user/", 0 },
        { "CN=x", UPN, PKI_BIND_USER, "", 0 },
        { "CN=x", UPN, PKI_BIND_USER, "jamf-user/7", 0 },
        { "CN=x", UPN, PKI_BIND_USER, "device/" GUID, 0 },
        { "CN=" GUID, NULL, PKI_BIND_DEVICE, "user/" GUID, 0 },
        { "CN=x", NULL, PKI_BIND_STATIC, "user/" GUID, 0 },
        { "OU=users", "email:a@b", PKI_BIND_JAMF, "jamf-user/7", 1 },
        { "CN=4/OU=users-on-computers", "email:a@b", PKI_BIND_JAMF,
          "jamf-user/7", 2 },
        { "CN=4/OU=users-on-devices", "email:a@b", PKI_BIND_JAMF,
          "jamf-user/7", 2 },
        { "OU=users", "email:a@b", PKI_BIND_JAMF, "jamf-user/0", 0 },
        { "OU=users", "email:a@b", PKI_BIND_JAMF, "jamf-user/7x", 0 },
        { "OU=users", "email:a@b", PKI_BIND_JAMF, "user/" GUID, 0 },
        { "CN=4/OU=computers", NULL, PKI_BIND_JAMF, "jamf-user/7", 0 }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        pki_test_need(claim_of(rows[i].subject, rows[i].sans, rows[i].bind,
                               &claim, &err)
                      == PKI_OK, err.text);

        rc = pki_claim_user(&claim, rows[i].id);

        if (rows[i].n == 0) {
            is_int(rc, PKI_INVALID, "row %zu: refused", i);
            continue;
        }

        is_int(rc, PKI_OK, "row %zu: resolved", i);
        is_str(claim.name, "", "nothing to resolve any more");
        is_int(pki_binding_objects(&claim.binding, objects), rows[i].n,
               "objects");
        is_str(objects[rows[i].n - 1].id, rows[i].id, "the user");
    }

    ok(pki_binding_objects(&claim.binding, objects) == 1
       && strcmp(objects[0].id, "jamf-computer/4") == 0, "the computer");
}


static void
test_upn(void)
{
    char        text[64];
    pki_csr_t  *csr;

    csr = pki_test_csr_of(key, NULL, "email:b@c,email:d@e," PKI_TEST_UPN ","
                          PKI_TEST_UPN "anna," PKI_TEST_UPN "berta");

    is_int(pki_csr_upn(csr->sans, text, sizeof(text)), PKI_OK, "a UPN");
    is_str(text, "anna", "the first that is readable");
    is_int(pki_csr_upn(csr->sans, text, 5), PKI_OK, "that just fits");
    is_int(pki_csr_upn(csr->sans, text, 4), PKI_NOT_FOUND, "that does not");
    is_str(text, "", "is not cut");
    is_int(pki_csr_email(csr->sans, text, sizeof(text)), PKI_OK, "e-mail");
    is_str(text, "b@c", "the first");
    is_int(pki_csr_upn(NULL, text, sizeof(text)), PKI_NOT_FOUND, "no names");
    is_int(pki_csr_email(NULL, text, sizeof(text)), PKI_NOT_FOUND, "none");

    pki_csr_free(csr);
}


static void
test_self(void)
{
    size_t       i;
    pki_rc_t     rc;
    pki_csr_t   *csr;
    pki_err_t    err;
    pki_claim_t  claim;

    static const struct {
        const char  *subject;
        const char  *sans;
        pki_bind_t   bind;
        int          good;
    } rows[] = {
        { "CN=anna@example.com", UPN, PKI_BIND_DIRECTORY, 1 },
        { "CN=Anna A.", UPN ",email:ANNA@example.com", PKI_BIND_USER, 1 },
        { "CN=Anna A./emailAddress=anna@example.com", UPN, PKI_BIND_USER, 1 },
        { NULL, UPN, PKI_BIND_USER, 1 },
        { "CN=" GUID, NULL, PKI_BIND_DIRECTORY, 1 },
        { "CN=" GUID, "URI:IntuneDeviceId://" GUID, PKI_BIND_DEVICE, 1 },
        { "CN=" GUID, UPN, PKI_BIND_DIRECTORY, 1 },
        { "CN=" GUID, PKI_TEST_UPN GUID "@example.com", PKI_BIND_DEVICE, 1 },

        { "CN=x", PKI_TEST_UPN "berta@example.com", PKI_BIND_USER, 0 },
        { "CN=berta@example.com", UPN, PKI_BIND_USER, 0 },
        { "CN=x/emailAddress=berta@example.com", UPN, PKI_BIND_USER, 0 },
        { "CN=x/CN=berta@example.com", UPN, PKI_BIND_USER, 0 },
        { "CN=x", UPN ",email:berta@example.com", PKI_BIND_USER, 0 },
        { "CN=x", UPN ",DNS:www.example.com", PKI_BIND_USER, 0 },
        { "CN=x", UPN ",IP:10.0.0.1", PKI_BIND_USER, 0 },
        { "CN=" GUID, PKI_TEST_UPN "berta@example.com", PKI_BIND_DIRECTORY,
          0 },
        { "CN=" GUID, PKI_TEST_UPN OTHER "@example.com", PKI_BIND_DEVICE, 0 },
        { "CN=" GUID, UPN "," PKI_TEST_UPN "berta@example.com",
          PKI_BIND_DEVICE, 0 },
        { "CN=" GUID, PKI_TEST_UPN, PKI_BIND_DEVICE, 0 },
        { "CN=x", UPN ",URI:x:y", PKI_BIND_USER, 0 },
        { "CN=x", UPN ",URI:IntuneDeviceId://" OTHER, PKI_BIND_USER, 0 },
        { "CN=" GUID, "URI:IntuneDeviceId://" OTHER, PKI_BIND_DEVICE, 0 },
        { "CN=" GUID, "URI:IntuneDeviceId://" GUID "/..", PKI_BIND_DEVICE, 0 },
        { "CN=" GUID, "URI:spiffe://example/admin", PKI_BIND_DEVICE, 0 },
        { "CN=" OTHER, UPN, PKI_BIND_USER, 0 },
        { "CN=" GUID "/CN=" OTHER, UPN, PKI_BIND_DEVICE, 0 },
        { "CN=" GUID "/serialNumber=" OTHER, UPN, PKI_BIND_DEVICE, 0 },
        { "CN=x/O={" OTHER "}", UPN, PKI_BIND_USER, 0 },
        { "CN=x/GN=berta@example.com", UPN, PKI_BIND_USER, 0 },
        { "CN=x", UPN, PKI_BIND_STATIC, 0 },
        { "CN=4/OU=computers", NULL, PKI_BIND_JAMF, 0 }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        csr = pki_test_csr_of(key, rows[i].subject, rows[i].sans);
        pki_test_need(pki_csr_claim(csr, rows[i].bind, random_octets, &claim,
                                    &err)
                      == PKI_OK, err.text);

        err.text[0] = '\0';
        rc = pki_claim_self(&claim, csr, "anna@example.com", &err);

        if (rows[i].good) {
            is_int(rc, PKI_OK, "row %zu: own (%s)", i, err.text);

        } else {
            ok(rc == PKI_INVALID && strncmp(err.text, "self-service", 12) == 0,
               "row %zu: %s", i, err.text);
        }

        pki_csr_free(csr);
    }
}


static void
test_memory(void)
{
    int          hit, bad;
    long         n;
    size_t       i;
    pki_rc_t     rc, want;
    pki_csr_t   *csr;
    pki_err_t    err;
    pki_claim_t  claim;

    static const struct {
        const char  *subject;
        const char  *sans;
        pki_bind_t   bind;
    } rows[] = {
        { "CN=x", "DNS:a,URI:x:y,URI:IntuneDeviceId://" GUID,
          PKI_BIND_DIRECTORY },
        { "CN=x", UPN, PKI_BIND_DIRECTORY },
        { "CN=x/OU=y", NULL, PKI_BIND_DIRECTORY },
        { "CN=4/OU=x/OU=users-on-computers", "email:a@b", PKI_BIND_JAMF },
        { "CN=x/OU=users-on-computers", "email:a@b", PKI_BIND_JAMF }
    };

    bad = 0;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        csr = pki_test_csr_of(key, rows[i].subject, rows[i].sans);
        want = pki_csr_claim(csr, rows[i].bind, random_octets, &claim, &err);
        hit = 1;

        for (n = 1; hit; n++) {
            err.text[0] = '\0';

            pki_test_fail_at(n);
            rc = pki_csr_claim(csr, rows[i].bind, random_octets, &claim,
                               &err);

            if (rc == PKI_OK) {
                rc = pki_claim_self(&claim, csr, "anna@example.com", &err);
                rc = rc == PKI_INVALID ? PKI_OK : rc;
            }

            hit = pki_test_fail_hit();
            pki_test_fail_at(0);

            bad += hit ? rc != PKI_ERROR : rc != want;
            bad += rc == PKI_ERROR && err.text[0] == '\0';
        }

        ok(n > 2, "row %zu: %ld allocations", i, n - 2);
        pki_csr_free(csr);
    }

    is_int(bad, 0, "each fails in turn");
}


static pki_rc_t
claim_of(const char *subject, const char *sans, pki_bind_t bind,
    pki_claim_t *claim, pki_err_t *err)
{
    pki_rc_t    rc;
    pki_csr_t  *csr;

    csr = pki_test_csr_of(key, subject, sans);
    rc = pki_csr_claim(csr, bind, random_octets, claim, err);
    pki_csr_free(csr);

    return rc;
}

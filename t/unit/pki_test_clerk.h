
/*
 * What the tests of the clerk share: a CA, a view of it, a clerk with short
 * times, and what is published in Redis as pki_crl_read() reads it.
 */

#ifndef PKI_TEST_CLERK_H
#define PKI_TEST_CLERK_H


#include "pki_test_ca.h"
#include "pki_test_store.h"
#include "pki_clerk.h"

#include <pthread.h>


#define TEST_PATIENCE  8000     /* milliseconds; sanitizers on a busy host */
#define TEST_END       100      /* as the header promises */


typedef struct {
    pki_store_result_t  result;
    pki_list_info_t     info[PKI_LIST_N];
    unsigned char       der[1 << 20];
    size_t              len;
    unsigned long long  next;
} test_read_t;


typedef struct {
    pki_crl_plan_t      plan;
    pki_crl_entry_t    *entries;
    size_t              n;
    pki_list_info_t     info;
} test_crl_t;


static EVP_PKEY               *test_ca_key;
static X509                   *test_ca_cert;
static pki_issuer_t           *test_ca;
static pki_view_t              test_view;
static pki_redis_sync_conf_t   test_redis_conf;
static pki_clerk_crl_t         test_crl_conf;
static test_read_t             test_reading;
static int                     test_rings;      /* atomic */


static long long
test_ms(void)
{
    return pki_thread_mono();
}


static void
test_open(void)
{
    pki_err_t  err;

    pki_test_alloc_hook();
    test_start();

    test_ca_key = pki_test_key("P-256");
    test_ca_cert = pki_test_ca("Test CA", test_ca_key);
    test_ca = pki_issuer_create(test_ca_cert, test_ca_key, &err);
    pki_test_need(test_ca != NULL, err.text);
    pki_test_need(pki_fetch_global() == PKI_OK, "libcurl");

    test_view.name = "ca";
    test_view.ca = test_ca;
    test_view.policy.good = 600;
    test_view.policy.hold = 300;
    test_view.policy.revoked = 86400;

    test_redis_conf.path = pki_test_socket;
    test_redis_conf.timeout = 2000;
    test_redis_conf.stop = -1;

    test_crl_conf.view = &test_view;
    test_crl_conf.redis = &test_redis_conf;
    test_crl_conf.content = PKI_CRL_MANUAL;
    test_crl_conf.valid = 3600;
    test_crl_conf.renew = 1200;
    test_crl_conf.delay = 50;
}


static void
test_shut(void)
{
    pki_issuer_free(test_ca);
    X509_free(test_ca_cert);
    EVP_PKEY_free(test_ca_key);
    test_stop();
}


static void
test_ring(void *data)
{
    (void) __atomic_add_fetch((int *) data, 1, __ATOMIC_SEQ_CST);
}


static __attribute__((unused)) pki_clerk_t *
test_clerk(const pki_clerk_crl_t *crls, unsigned ncrls,
    const pki_clerk_keys_t *keys, unsigned nkeys, long lease)
{
    pki_err_t          err;
    pki_clerk_t       *clerk;
    pki_clerk_conf_t   conf;

    memset(&conf, 0, sizeof(conf));
    conf.crls = crls;
    conf.ncrls = ncrls;
    conf.keys = keys;
    conf.nkeys = nkeys;
    conf.holder = "host\n1";
    conf.lease = lease;
    conf.ring = test_ring;
    conf.data = &test_rings;

    clerk = pki_clerk_create(&conf, &err);
    pki_test_need(clerk != NULL, "no clerk");

    return clerk;
}


static void
test_end(pki_clerk_t *clerk, const char *what)
{
    long long  begun;

    begun = test_ms();
    pki_clerk_destroy(clerk);
    begun = test_ms() - begun;

    ok(begun <= TEST_END, "%s: stopped in %lld ms", what, begun);
}


/* Counts the letters that hold a text; all are taken. */

static unsigned __attribute__((unused))
test_mail(pki_clerk_t *clerk, const char *text)
{
    unsigned       i, n, found;
    pki_mail_t     mail[PKI_MAIL_MAX];
    unsigned long  lost;

    n = pki_clerk_mail(clerk, mail, PKI_MAIL_MAX, &lost);

    for (found = 0, i = 0; i < n; i++) {
        if (strstr(mail[i].text, text) != NULL) {
            found++;

        } else {
            printf("# mail: %s\n", mail[i].text);
        }
    }

    return found;
}


/* what is published */

static void
test_info_read(void *data, pki_store_result_t result,
    const pki_list_info_t info[PKI_LIST_N], const char *error)
{
    test_read_t  *reading = data;

    (void) error;

    reading->result = result;
    memcpy(reading->info, info, sizeof(reading->info));
}


static void
test_slice_read(void *data, pki_store_result_t result,
    const pki_bytes_t *values, size_t n, unsigned long long next,
    const char *error)
{
    test_read_t  *reading = data;

    (void) error;

    reading->result = result;
    reading->next = next;

    if (result == PKI_STORE_DONE && n == 1
        && values[0].len <= sizeof(reading->der) - reading->len)
    {
        memcpy(reading->der + reading->len, values[0].data, values[0].len);
        reading->len += values[0].len;
    }
}


static void
test_infos(void)
{
    pki_err_t  err;

    memset(test_reading.info, 0, sizeof(test_reading.info));
    pki_list_info(test_transport, "ca", test_info_read, &test_reading);
    (void) pki_redis_sync_wait(test_sync, &err);
}


/* 1: there is one, and it is read into crl, whose entries are test_drop()'s */

static int __attribute__((unused))
test_read(pki_list_e which, test_crl_t *crl)
{
    pki_err_t    err;
    pki_bytes_t  der;

    memset(crl, 0, sizeof(test_crl_t));
    test_infos();
    crl->info = test_reading.info[which];

    if (crl->info.number == 0) {
        return 0;
    }

    test_reading.len = 0;

    do {
        pki_list_slice(test_transport, "ca", which, crl->info.number,
                       test_reading.len, test_slice_read, &test_reading);
        (void) pki_redis_sync_wait(test_sync, &err);

        if (test_reading.result != PKI_STORE_DONE) {
            return 0;
        }

    } while (test_reading.next);

    der.data = test_reading.der;
    der.len = test_reading.len;

    if (pki_crl_read(test_ca, der, &crl->plan, &crl->entries, &crl->n, &err)
        != PKI_OK)
    {
        printf("# %s\n", err.text);
        return 0;
    }

    return 1;
}


static void __attribute__((unused))
test_drop(test_crl_t *crl)
{
    OPENSSL_free(crl->entries);
    crl->entries = NULL;
}


/* The entry of a serial number in a list; NULL. */

static __attribute__((unused)) const pki_crl_entry_t *
test_entry(const test_crl_t *crl, const pki_serial_t *serial)
{
    size_t  i;

    for (i = 0; i < crl->n; i++) {
        if (crl->entries[i].serial.len == serial->len
            && memcmp(crl->entries[i].serial.data, serial->data, serial->len)
               == 0)
        {
            return &crl->entries[i];
        }
    }

    return NULL;
}


/* Waits for a list beyond a number; returns its own, or 0. */

static unsigned long long __attribute__((unused))
test_next(pki_list_e which, unsigned long long number)
{
    long long  begun;

    for (begun = test_ms(); test_ms() - begun < TEST_PATIENCE; ) {
        test_infos();

        if (test_reading.info[which].number > number) {
            return test_reading.info[which].number;
        }

        (void) usleep(5000);
    }

    return 0;
}


/* No other list comes for so long. */

static int __attribute__((unused))
test_quiet(pki_list_e which, unsigned long long number, long ms)
{
    (void) usleep(ms * 1000);
    test_infos();

    return test_reading.info[which].number == number;
}


static void __attribute__((unused))
test_revoked(const pki_serial_t *serial, pki_reason_t reason)
{
    pki_err_t         err;
    test_got_t        got;
    pki_revocation_t  revocation;

    memset(&revocation, 0, sizeof(revocation));
    revocation.reason = reason;
    revocation.at = pki_test_now();
    strcpy(revocation.who, "Jo");

    pki_store_revoke(test_transport, "ca", serial, &revocation, &test_actor,
                     1, test_changed, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    pki_test_need(got.result == PKI_STORE_DONE, "a revocation");
}


static void __attribute__((unused))
test_released(const pki_serial_t *serial)
{
    pki_err_t   err;
    test_got_t  got;

    pki_store_release(test_transport, "ca", serial, &test_actor,
                      test_changed, &got);
    (void) pki_redis_sync_wait(test_sync, &err);
    pki_test_need(got.result == PKI_STORE_DONE, "a release");
}


/* Records a certificate that ends then. */

static void __attribute__((unused))
test_recorded(const pki_serial_t *serial, time_t not_after)
{
    unsigned          i;
    pki_err_t         err;
    pki_row_t         row;
    test_got_t        got;
    pki_binding_t     binding;
    pki_object_id_t   objects[PKI_BINDING_OBJECTS];
    pki_book_entry_t  entry;

    memset(&row, 0, sizeof(row));
    memset(&entry, 0, sizeof(entry));
    row.serial = *serial;
    row.not_before = pki_test_now() - 1000;
    row.not_after = not_after;
    row.issued = pki_test_now();
    row.thumbprint.data = (const unsigned char *)
                          "0123456789ABCDEF0123456789ABCDEF01234567";
    row.thumbprint.len = 40;
    row.subject.data = (const unsigned char *) "CN=device of somebody, O=Test";
    row.subject.len = 29;
    entry.row = &row;

    if (pki_serial_open(serial, NULL, &binding) == PKI_OK) {
        row.kind = binding.kind;

        for (i = pki_binding_objects(&binding, objects); i > 0; i--) {
            row.objects[i - 1].data = (unsigned char *) objects[i - 1].id;
            row.objects[i - 1].len = strlen(objects[i - 1].id);
        }
    }

    pki_book_record(test_transport, "ca", &entry, "issue", &test_actor,
                    test_done, &got);
    (void) pki_redis_sync_wait(test_sync, &err);

    if (got.result != PKI_STORE_DONE) {
        printf("Bail out! not recorded: %s\n", got.error);
        exit(1);
    }
}


#endif /* PKI_TEST_CLERK_H */

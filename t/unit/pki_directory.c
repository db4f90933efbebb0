
/*
 * A copy of a directory's settings: nothing of it is the original's, and a
 * failure leaves nothing behind.
 */

#include "pki_test.h"
#include "pki_source.h"


static void
test_copies(void)
{
    int                    n;
    EVP_PKEY              *key;
    pki_serial_keys_t      keys;
    pki_directory_conf_t   conf, *copy;

    memset(&keys, 7, sizeof(keys));
    key = EVP_PKEY_new();

    memset(&conf, 0, sizeof(conf));
    conf.name = "dir";
    conf.url = "https://directory.test";
    conf.login.secret = "token";
    conf.guard = 100;
    conf.hook_url = "hook";
    conf.external_id = "externalId";
    conf.login.client = "client";
    conf.login.key = key;
    conf.redis.tls = SSL_CTX_new(TLS_client_method());
    conf.nissuers = 2;
    conf.issuers[0].name = "ca";
    conf.issuers[0].subject = "CN=CA";
    conf.issuers[0].keys = &keys;
    conf.issuers[1].name = "other";

    for (n = 1; /* void */ ; n++) {
        pki_test_fail_at(n);
        copy = pki_directory_copy(&conf);

        if (!pki_test_fail_hit()) {
            break;
        }

        ok(copy == NULL, "no memory: no copy");
    }

    pki_test_fail_at(0);
    ok(n > 8 && copy != NULL, "%d failures", n - 1);

    SSL_CTX_free(conf.redis.tls);
    EVP_PKEY_free(key);
    memset(&keys, 0, sizeof(keys));

    ok(copy->name != conf.name && copy->url != conf.url
       && copy->login.secret != conf.login.secret, "strings are copied");
    is_str(copy->hook_url, "hook", "a string");
    is_str(copy->issuers[1].name, "other", "an issuer's");
    ok(copy->hook_secret == NULL && copy->redis.host == NULL, "none stays");
    is_int(copy->issuers[0].keys->current, 0x07070707, "keys are copied");
    ok(copy->issuers[1].keys == NULL, "where there are any");
    is_int(copy->guard, 100, "and a number");

    pki_directory_free(copy);
    pki_directory_free(NULL);
}


int
main(void)
{
    pki_test_alloc_hook();

    test_copies();

    return pki_test_done();
}

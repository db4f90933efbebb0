
/*
 * A copy of a directory's settings that outlives what they were read from:
 * the thread's settings are its own, as nginx destroys those of a cycle on
 * its own schedule.  Strings and serial keys are copied, and wiped at the
 * end; certificates, keys and TLS contexts are shared by reference.
 */

#include "pki_source.h"

#include <stddef.h>
#include <string.h>
#include <openssl/crypto.h>


static pki_rc_t pki_directory_string(const char **s);
static pki_rc_t pki_directory_keys(const pki_serial_keys_t **keys);
static pki_rc_t pki_directory_share(pki_directory_conf_t *copy,
    const pki_directory_conf_t *conf);
static void pki_directory_login_free(pki_login_conf_t *login);
static void pki_directory_string_free(const char **s);


#define pki_directory_field(f)  offsetof(pki_directory_conf_t, f)

static const size_t  pki_directory_strings[] = {
    pki_directory_field(name),
    pki_directory_field(url),
    pki_directory_field(fetch.ca_file),
    pki_directory_field(fetch.proxy),
    pki_directory_field(login.url),
    pki_directory_field(login.client),
    pki_directory_field(login.secret),
    pki_directory_field(login.scope),
    pki_directory_field(login_ca.url),
    pki_directory_field(login_ca.client),
    pki_directory_field(login_ca.secret),
    pki_directory_field(login_ca.scope),
    pki_directory_field(redis.host),
    pki_directory_field(redis.path),
    pki_directory_field(redis.user),
    pki_directory_field(redis.secret),
    pki_directory_field(redis.tls_name),
    pki_directory_field(external_id),
    pki_directory_field(hook_url),
    pki_directory_field(hook_secret)
};

#define PKI_DIRECTORY_STRINGS                                                 \
    (sizeof(pki_directory_strings) / sizeof(pki_directory_strings[0]))

#define pki_directory_at(conf, i)                                             \
    ((const char **) ((char *) (conf) + pki_directory_strings[i]))


pki_directory_conf_t *
pki_directory_copy(const pki_directory_conf_t *conf)
{
    size_t                   i;
    pki_rc_t                 rc;
    pki_directory_conf_t    *copy;
    pki_directory_issuer_t  *issuer;

    copy = OPENSSL_memdup(conf, sizeof(pki_directory_conf_t));
    if (copy == NULL) {
        return NULL;
    }

    /*
     * Each pointer is replaced, by NULL where that fails, so that what is
     * freed then is never another's.
     */

    rc = pki_directory_share(copy, conf);

    for (i = 0; i < PKI_DIRECTORY_STRINGS; i++) {
        if (pki_directory_string(pki_directory_at(copy, i)) != PKI_OK) {
            rc = PKI_ERROR;
        }
    }

    for (i = 0; i < copy->nissuers; i++) {
        issuer = &copy->issuers[i];

        if (pki_directory_string(&issuer->name) != PKI_OK) {
            rc = PKI_ERROR;
        }

        if (pki_directory_string(&issuer->subject) != PKI_OK) {
            rc = PKI_ERROR;
        }

        if (pki_directory_keys(&issuer->keys) != PKI_OK) {
            rc = PKI_ERROR;
        }
    }

    if (rc != PKI_OK) {
        pki_directory_free(copy);
        return NULL;
    }

    return copy;
}


static pki_rc_t
pki_directory_string(const char **s)
{
    if (*s == NULL) {
        return PKI_OK;
    }

    *s = OPENSSL_strdup(*s);

    return *s ? PKI_OK : PKI_ERROR;
}


static pki_rc_t
pki_directory_keys(const pki_serial_keys_t **keys)
{
    if (*keys == NULL) {
        return PKI_OK;
    }

    *keys = OPENSSL_memdup(*keys, sizeof(pki_serial_keys_t));

    return *keys ? PKI_OK : PKI_ERROR;
}


static pki_rc_t
pki_directory_share(pki_directory_conf_t *copy,
    const pki_directory_conf_t *conf)
{
    unsigned                 i;
    pki_login_conf_t        *to[2];
    const pki_login_conf_t  *from[2];

    from[0] = &conf->login;
    from[1] = &conf->login_ca;
    to[0] = &copy->login;
    to[1] = &copy->login_ca;

    copy->redis.tls = NULL;

    for (i = 0; i < 2; i++) {
        to[i]->cert = NULL;
        to[i]->key = NULL;
    }

    if (conf->redis.tls != NULL) {
        if (!SSL_CTX_up_ref(conf->redis.tls)) {
            return PKI_ERROR;
        }

        copy->redis.tls = conf->redis.tls;
    }

    for (i = 0; i < 2; i++) {

        if (from[i]->cert != NULL) {
            if (!X509_up_ref(from[i]->cert)) {
                return PKI_ERROR;
            }

            to[i]->cert = from[i]->cert;
        }

        if (from[i]->key != NULL) {
            if (!EVP_PKEY_up_ref(from[i]->key)) {
                return PKI_ERROR;
            }

            to[i]->key = from[i]->key;
        }
    }

    return PKI_OK;
}


void
pki_directory_free(pki_directory_conf_t *copy)
{
    size_t                   i;
    pki_serial_keys_t       *keys;
    pki_directory_issuer_t  *issuer;

    if (copy == NULL) {
        return;
    }

    for (i = 0; i < PKI_DIRECTORY_STRINGS; i++) {
        pki_directory_string_free(pki_directory_at(copy, i));
    }

    for (i = 0; i < copy->nissuers; i++) {
        issuer = &copy->issuers[i];

        pki_directory_string_free(&issuer->name);
        pki_directory_string_free(&issuer->subject);

        keys = (pki_serial_keys_t *) issuer->keys;
        OPENSSL_clear_free(keys, sizeof(pki_serial_keys_t));
    }

    pki_directory_login_free(&copy->login);
    pki_directory_login_free(&copy->login_ca);
    SSL_CTX_free(copy->redis.tls);

    OPENSSL_free(copy);
}


static void
pki_directory_login_free(pki_login_conf_t *login)
{
    X509_free(login->cert);
    EVP_PKEY_free(login->key);
}


/* Any of them may be a secret. */

static void
pki_directory_string_free(const char **s)
{
    char  *string;

    if (*s != NULL) {
        string = (char *) *s;
        *s = NULL;

        OPENSSL_clear_free(string, strlen(string));
    }
}


/*
 * Certificates that are there: encoded, read, bundled, described for the
 * records.
 *
 * A certificate that somebody else has issued may hold anything.  What the
 * records cannot hold is replaced or left out, for it must be possible to
 * find and to revoke it all the same.
 */

#include "pki_cert.h"

#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include "pki_name.h"


static pki_rc_t pki_cert_serial(const X509 *cert, pki_serial_t *serial);
static pki_rc_t pki_cert_hex(X509 *cert, const EVP_MD *md, char *text);
static pki_rc_t pki_cert_names(X509 *cert, pki_cert_text_t *text);
static pki_rc_t pki_cert_list(const GENERAL_NAMES *names, char *text,
    size_t size);
static pki_rc_t pki_cert_tm(const ASN1_TIME *at, time_t *t);


pki_rc_t
pki_cert_der(X509 *cert, unsigned char **der, size_t *len)
{
    int  n;

    *der = NULL;
    n = i2d_X509(cert, der);

    if (n <= 0) {
        ERR_clear_error();
        return PKI_ERROR;
    }

    *len = n;

    return PKI_OK;
}


pki_rc_t
pki_cert_read(const pki_issuer_t *issuer, pki_bytes_t der, X509 **cert,
    pki_serial_t *serial, pki_err_t *err)
{
    pki_rc_t              rc;
    const unsigned char  *p;

    p = der.data;
    *cert = d2i_X509(NULL, &p, (long) der.len);

    if (*cert == NULL || p != der.data + der.len) {
        rc = pki_err_input(err, "this is not a certificate in DER");
        goto failed;
    }

    if (X509_NAME_cmp(X509_get_issuer_name(*cert),
                      X509_get_subject_name(issuer->cert))
        != 0)
    {
        pki_err_set(err, "the certificate was issued by another CA");
        rc = PKI_NOT_FOUND;
        goto failed;
    }

    if (X509_verify(*cert, X509_get0_pubkey(issuer->cert)) != 1) {
        rc = pki_err_input(err, "the certificate was not signed with the key "
                           "of the CA");
        rc = rc == PKI_ERROR ? PKI_ERROR : PKI_NOT_FOUND;
        goto failed;
    }

    if (pki_cert_serial(*cert, serial) != PKI_OK) {
        pki_err_set(err, "the serial number of the certificate is not from 1 "
                    "to 20 octets long");
        rc = PKI_INVALID;
        goto failed;
    }

    return PKI_OK;

failed:

    X509_free(*cert);
    *cert = NULL;

    return rc;
}


static pki_rc_t
pki_cert_serial(const X509 *cert, pki_serial_t *serial)
{
    size_t               i;
    pki_bytes_t          octets;
    const ASN1_INTEGER  *n;

    n = X509_get0_serialNumber(cert);

    octets.data = ASN1_STRING_get0_data(n);
    octets.len = ASN1_STRING_length(n);

    if (ASN1_STRING_type(n) != V_ASN1_INTEGER) {
        return PKI_INVALID;
    }

    /* the number itself, not the content of its DER: the first bit may be
       set, which pki_serial_from_integer() takes for a sign */

    for (i = 0; i < octets.len && octets.data[i] == 0; i++) { /* void */ }

    if (i == octets.len || octets.len - i > PKI_SERIAL_LEN) {
        return PKI_INVALID;
    }

    memset(serial, 0, sizeof(pki_serial_t));
    serial->len = octets.len - i;
    memcpy(serial->data, octets.data + i, serial->len);

    return PKI_OK;
}


pki_rc_t
pki_cert_pkcs7(X509 *const *certs, size_t n, unsigned char **der, size_t *len)
{
    int      size;
    size_t   i;
    PKCS7   *p7;

    *der = NULL;
    size = 0;

    p7 = PKCS7_new();

    if (p7 == NULL || PKCS7_set_type(p7, NID_pkcs7_signed) != 1
        || PKCS7_content_new(p7, NID_pkcs7_data) != 1
        || PKCS7_set_detached(p7, 1) < 0)
    {
        goto done;
    }

    for (i = 0; i < n; i++) {
        if (PKCS7_add_certificate(p7, certs[i]) != 1) {
            goto done;
        }
    }

    size = i2d_PKCS7(p7, der);

done:

    PKCS7_free(p7);

    if (size <= 0) {
        ERR_clear_error();
        return PKI_ERROR;
    }

    *len = size;

    return PKI_OK;
}


pki_rc_t
pki_cert_describe(X509 *cert, pki_cert_text_t *text)
{
    memset(text, 0, sizeof(pki_cert_text_t));

    if (pki_cert_serial(cert, &text->serial) != PKI_OK
        || pki_cert_tm(X509_get0_notBefore(cert), &text->not_before)
           != PKI_OK
        || pki_cert_tm(X509_get0_notAfter(cert), &text->not_after) != PKI_OK)
    {
        ERR_clear_error();
        return PKI_INVALID;
    }

    if (pki_cert_hex(cert, EVP_sha1(), text->thumbprint) != PKI_OK
        || pki_cert_hex(cert, EVP_sha256(), text->sha256) != PKI_OK)
    {
        return PKI_ERROR;
    }

    if (pki_cert_name(X509_get_subject_name(cert), text->subject,
                      sizeof(text->subject))
        == PKI_ERROR)
    {
        return PKI_ERROR;
    }

    return pki_cert_names(cert, text);
}


static pki_rc_t
pki_cert_hex(X509 *cert, const EVP_MD *md, char *text)
{
    unsigned       i, len;
    unsigned char  hash[EVP_MAX_MD_SIZE];

    if (X509_digest(cert, md, hash, &len) != 1) {
        ERR_clear_error();
        return PKI_ERROR;
    }

    for (i = 0; i < len; i++) {
        (void) snprintf(text + 2 * i, 3, "%02X", hash[i]);
    }

    return PKI_OK;
}


static pki_rc_t
pki_cert_names(X509 *cert, pki_cert_text_t *text)
{
    pki_rc_t        rc;
    GENERAL_NAMES  *names;

    names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

    if (names == NULL) {
        rc = pki_err_input(NULL, "no names");
        return rc == PKI_ERROR ? PKI_ERROR : PKI_OK;
    }

    rc = pki_cert_list(names, text->sans, sizeof(text->sans));

    if (rc == PKI_OK) {
        rc = pki_csr_upn(names, text->upn, sizeof(text->upn));
    }

    GENERAL_NAMES_free(names);

    return rc == PKI_ERROR ? PKI_ERROR : PKI_OK;
}


/*
 * As many as fit; the last of them is cut.
 */

static pki_rc_t
pki_cert_list(const GENERAL_NAMES *names, char *text, size_t size)
{
    int        i;
    char      *name;
    size_t     len;
    pki_rc_t   rc;

    len = 0;
    text[0] = '\0';

    for (i = 0; i < sk_GENERAL_NAME_num(names) && len + 1 < size; i++) {

        rc = pki_name_general(sk_GENERAL_NAME_value(names, i), &name);

        if (rc == PKI_ERROR) {
            return PKI_ERROR;
        }

        if (rc != PKI_OK) {
            continue;
        }

        if (len > 0) {
            len += pki_name_copy(text + len, size - len, ", ");
        }

        len += pki_name_copy(text + len, size - len, name);

        OPENSSL_free(name);
    }

    return PKI_OK;
}


pki_rc_t
pki_cert_name(const X509_NAME *name, char *text, size_t size)
{
    char      *whole;
    pki_rc_t   rc;

    text[0] = '\0';

    rc = pki_name_subject(name, &whole);

    if (rc == PKI_OK) {
        (void) pki_name_copy(text, size, whole);
        OPENSSL_free(whole);
    }

    return rc;
}


static pki_rc_t
pki_cert_tm(const ASN1_TIME *at, time_t *t)
{
    struct tm  tm;

    if (ASN1_TIME_to_tm(at, &tm) != 1) {
        return PKI_INVALID;
    }

    *t = timegm(&tm);

    return PKI_OK;
}


/*
 * One certificate to import: what its line says, whose it is, and what is to
 * be known of it.
 */

#include "ngx_http_pki_import.h"

#include "pki_time.h"


#define NGX_HTTP_PKI_IMPORT_SOURCE  32  /* octets of a name */


static pki_rc_t ngx_http_pki_import_line(const pki_bundle_item_t *item,
    ngx_http_pki_import_cert_t *cert, pki_err_t *err);
static pki_rc_t ngx_http_pki_import_fields(pki_json_field_t *fields,
    ngx_http_pki_import_cert_t *cert, pki_err_t *err);
static pki_rc_t ngx_http_pki_import_revocation(
    ngx_http_pki_import_cert_t *cert, pki_json_field_t *fields,
    pki_err_t *err);
static pki_rc_t ngx_http_pki_import_whose(ngx_http_request_t *r,
    ngx_str_t *name, ngx_http_pki_import_cert_t *cert,
    ngx_http_pki_imported_t *imported);


pki_rc_t
ngx_http_pki_import_cert(ngx_http_request_t *r, const pki_bundle_item_t *item,
    ngx_str_t *issuer, ngx_http_pki_import_cert_t *cert,
    ngx_http_pki_imported_t *imported)
{
    pki_rc_t             rc;
    const pki_issuer_t  *ca;

    cert->revocation.reason = PKI_REASON_NONE;
    cert->der = item->text;
    cert->decoded = NULL;
    cert->cert = NULL;

    if (item->json) {
        rc = ngx_http_pki_import_line(item, cert, &imported->message);

        if (rc != PKI_OK) {
            return rc;
        }
    }

    rc = ngx_http_pki_import_whose(r, issuer, cert, imported);

    if (rc != PKI_OK) {
        return rc;
    }

    ca = imported->issuer->ca;

    if (ca->self_issued
        && imported->serial.len == ca->serial.len
        && ngx_memcmp(imported->serial.data, ca->serial.data,
                      ca->serial.len)
           == 0)
    {
        pki_err_set(&imported->message, "it is the issuer's own");
        return PKI_INVALID;
    }

    if (pki_cert_describe(cert->cert, &cert->text) != PKI_OK) {
        pki_err_set(&imported->message, "its times cannot be read");
        return PKI_INVALID;
    }

    return PKI_OK;
}


void
ngx_http_pki_import_cert_free(ngx_http_pki_import_cert_t *cert)
{
    X509_free(cert->cert);
    OPENSSL_free(cert->decoded);
}


/* the first of those that go by the name or the number */

ngx_int_t
ngx_http_pki_import_source(u_char *name, size_t len, ngx_uint_t *source)
{
    unsigned    bits;
    ngx_uint_t  i;

    bits = pki_row_sources((char *) name, len);

    for (i = 0; i < PKI_ROW_SOURCES; i++) {
        if (bits >> i & 1) {
            *source = i;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static pki_rc_t
ngx_http_pki_import_line(const pki_bundle_item_t *item,
    ngx_http_pki_import_cert_t *cert, pki_err_t *err)
{
    pki_rc_t  rc;

    pki_json_field_t  fields[] = {
        { .name = "certificate", .type = PKI_JSON_STRING, .required = 1,
          .max = PKI_JSON_TEXT_MAX },
        { .name = "source", .type = PKI_JSON_STRING, .nullable = 1,
          .max = NGX_HTTP_PKI_IMPORT_SOURCE },
        { .name = "requester", .type = PKI_JSON_STRING, .nullable = 1,
          .max = PKI_STORE_WHO_MAX },
        { .name = "revocationReason", .type = PKI_JSON_INTEGER,
          .nullable = 1 },
        { .name = "revocationDate", .type = PKI_JSON_STRING, .nullable = 1,
          .max = NGX_HTTP_PKI_DATE_MAX },
        { .name = "revokedBy", .type = PKI_JSON_STRING, .nullable = 1,
          .max = PKI_STORE_WHO_MAX },
        { .name = "invalidityDate", .type = PKI_JSON_STRING, .nullable = 1,
          .max = NGX_HTTP_PKI_DATE_MAX }
    };

    rc = pki_json_read(item->text, fields, sizeof(fields) / sizeof(fields[0]),
                       err);

    if (rc == PKI_OK) {
        rc = ngx_http_pki_import_fields(fields, cert, err);
    }

    pki_json_free(fields, sizeof(fields) / sizeof(fields[0]));

    return rc;
}


static pki_rc_t
ngx_http_pki_import_fields(pki_json_field_t *fields,
    ngx_http_pki_import_cert_t *cert, pki_err_t *err)
{
    u_char    *by;
    pki_rc_t   rc;

    cert->decoded = fields[0].string;
    cert->der.data = (u_char *) fields[0].string;
    cert->der.len = fields[0].len;
    fields[0].string = NULL;

    rc = pki_bundle_decode((u_char *) cert->decoded, &cert->der.len, err);

    if (rc != PKI_OK) {
        return rc;
    }

    if (fields[1].given
        && ngx_http_pki_import_source((u_char *) fields[1].string,
                                      fields[1].len, &cert->source)
           != NGX_OK)
    {
        pki_err_set(err, "there is no such \"source\"");
        return PKI_INVALID;
    }

    by = (u_char *) (fields[5].given && fields[5].len ? fields[5].string
                                                      : cert->who);

    (void) ngx_cpystrn((u_char *) cert->revocation.who, by,
                       sizeof(cert->revocation.who));

    if (fields[2].given && fields[2].len) {
        (void) ngx_cpystrn((u_char *) cert->who, (u_char *) fields[2].string,
                           sizeof(cert->who));
    }

    if (fields[3].given) {
        return ngx_http_pki_import_revocation(cert, fields, err);
    }

    if (fields[4].given || fields[5].given || fields[6].given) {
        pki_err_set(err, "a revocation needs a \"revocationReason\"");
        return PKI_INVALID;
    }

    return PKI_OK;
}


static pki_rc_t
ngx_http_pki_import_revocation(ngx_http_pki_import_cert_t *cert,
    pki_json_field_t *fields, pki_err_t *err)
{
    if (fields[3].integer < 0
        || fields[3].integer > PKI_REASON_AA_COMPROMISE
        || fields[3].integer == PKI_REASON_REMOVE_FROM_CRL
        || !pki_reason_valid((int) fields[3].integer))
    {
        pki_err_set(err, "\"revocationReason\" must be 0-6, 9 or 10");
        return PKI_INVALID;
    }

    cert->revocation.reason = (pki_reason_t) fields[3].integer;
    cert->revocation.at = ngx_time();
    cert->revocation.invalidity = 0;

    if (fields[4].given
        && (pki_time_iso(fields[4].string, fields[4].len,
                         &cert->revocation.at)
            != PKI_OK
            || cert->revocation.at <= 0
            || cert->revocation.at > ngx_time()))
    {
        pki_err_set(err, "\"revocationDate\" must be a time of RFC 3339 that "
                    "has passed");
        return PKI_INVALID;
    }

    if (fields[6].given
        && (pki_time_iso(fields[6].string, fields[6].len,
                         &cert->revocation.invalidity)
            != PKI_OK
            || cert->revocation.invalidity <= 0))
    {
        pki_err_set(err, "\"invalidityDate\" must be a time of RFC 3339");
        return PKI_INVALID;
    }

    return PKI_OK;
}


/* its issuer is the one whose key has signed it */

static pki_rc_t
ngx_http_pki_import_whose(ngx_http_request_t *r, ngx_str_t *name,
    ngx_http_pki_import_cert_t *cert, ngx_http_pki_imported_t *imported)
{
    pki_rc_t                  rc;
    ngx_uint_t                i;
    ngx_http_pki_issuer_t    *issuer;
    ngx_http_pki_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_pki_module);

    rc = PKI_NOT_FOUND;

    for (i = 0; i < lcf->scope.n && rc == PKI_NOT_FOUND; i++) {
        issuer = lcf->scope.issuers[i];

        if (!ngx_http_pki_api_named(r, issuer, name)) {
            continue;
        }

        rc = pki_cert_read(issuer->ca, cert->der, &cert->cert,
                           &imported->serial, &imported->message);

        if (rc == PKI_OK) {
            imported->issuer = issuer;
        }
    }

    if (rc == PKI_NOT_FOUND) {
        pki_err_set(&imported->message, "it is not signed by an issuer here");
    }

    return rc;
}

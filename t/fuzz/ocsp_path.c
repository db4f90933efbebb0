
/*
 * Whatever pki_ocsp_path() decodes fits its bound, and decodes to the same
 * octets when it is written plainly or with every character escaped; only
 * slashes at the end may be dropped on the way.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include "pki_ocsp.h"


#define must(yes)                                                            \
    do {                                                                     \
        if (!(yes)) {                                                        \
            fprintf(stderr, "line %d: %s\n", __LINE__, #yes);                \
            abort();                                                         \
        }                                                                    \
    } while (0)


static unsigned char *decode(const unsigned char *text, size_t size,
    size_t *len);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t               len, plain_len, escaped_len, i, n;
    pki_certid_t         certs[2];
    unsigned char       *der, *text, *plain, *escapes, *escaped;
    pki_ocsp_request_t   request;

    der = decode(data, size, &len);
    if (der == NULL) {
        return 0;
    }

    must(len > 0);

    text = malloc(len / 3 * 4 + 8);
    must(text != NULL);
    n = (size_t) EVP_EncodeBlock(text, der, (int) len);

    plain = decode(text, n, &plain_len);

    /* nothing but slashes, which in base64url are data */

    if (plain == NULL) {
        must(text[0] == '/');
        free(text);
        free(der);
        return 0;
    }

    if (text[0] != '/') {
        must(plain_len <= len && memcmp(plain, der, plain_len) == 0);
    }

    escapes = malloc(3 * n + 1);
    must(escapes != NULL);

    for (i = 0; i < n; i++) {
        (void) snprintf((char *) escapes + 3 * i, 4, i % 2 ? "%%%02x"
                                                           : "%%%02X",
                        text[i]);
    }

    escaped = decode(escapes, 3 * n, &escaped_len);
    must(escaped != NULL && escaped_len == plain_len
         && memcmp(escaped, plain, plain_len) == 0);

    (void) pki_ocsp_parse((pki_bytes_t) { der, len }, certs, 2, &request);

    free(der);
    free(text);
    free(plain);
    free(escapes);
    free(escaped);

    return 0;
}


static unsigned char *
decode(const unsigned char *text, size_t size, size_t *len)
{
    unsigned char  *der;

    der = malloc(PKI_OCSP_PATH_DER(size));
    must(der != NULL);

    if (pki_ocsp_path((pki_bytes_t) { text, size }, der, len) != PKI_OK) {
        free(der);
        return NULL;
    }

    must(*len <= PKI_OCSP_PATH_DER(size));

    return der;
}


/*
 * Serial numbers: the first octet chooses what the rest is taken for.  What
 * was read is written and read again, what opens is made again, what FF1
 * encrypts it also decrypts.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "pki_ff1.h"
#include "pki_serial.h"


#define fuzz_check(yes)                                                       \
    do {                                                                      \
        if (!(yes)) {                                                         \
            abort();                                                          \
        }                                                                     \
    } while (0)


static void
fuzz_serial(const pki_serial_t *sn)
{
    char                text[PKI_SERIAL_HEX_SIZE];
    size_t              len;
    unsigned            n, sealed;
    pki_rc_t            rc;
    pki_serial_t        again;
    pki_binding_t       b;
    pki_object_id_t     objects[PKI_BINDING_OBJECTS];
    pki_serial_keys_t   keys;

    fuzz_check(sn->len > 0 && sn->len <= PKI_SERIAL_LEN && sn->data[0]);

    len = pki_serial_to_text(sn, text);
    fuzz_check(len == 2 * sn->len && text[len] == '\0');
    fuzz_check(pki_serial_from_text(text, len, &again) == PKI_OK);
    fuzz_check(memcmp(&again, sn, sizeof(pki_serial_t)) == 0);

    memset(&keys, 0, sizeof(pki_serial_keys_t));
    keys.current = sn->data[0] & 0xf;
    keys.epochs[keys.current].len = 16;

    rc = pki_serial_open(sn, &keys, &b);
    fuzz_check(rc == PKI_OK || rc == PKI_NOT_FOUND);

    if (rc == PKI_NOT_FOUND) {
        return;
    }

    sealed = sn->data[0] < 0x40;
    n = pki_binding_objects(&b, objects);
    fuzz_check(n <= PKI_BINDING_OBJECTS);

    while (n--) {
        fuzz_check(memchr(objects[n].id, '\0', PKI_OBJECT_ID_SIZE));
    }

    if (sealed) {
        rc = pki_serial_make_sealed(&b, sn->data + 1, &keys, &again);
        fuzz_check(rc == PKI_OK);
        fuzz_check(pki_serial_open(&again, &keys, &b) == PKI_OK);
        return;
    }

    pki_serial_make_plain(&b, sn->data + 1, &again);
    fuzz_check(memcmp(again.data + 1, sn->data + 1, PKI_SERIAL_LEN - 1) == 0);
    fuzz_check((again.data[0] ^ sn->data[0]) < 0x04);
}


static void
fuzz_guid(const char *text, size_t len)
{
    char           back[37];
    pki_rc_t       rc;
    unsigned char  guid[PKI_SERIAL_PAYLOAD], again[PKI_SERIAL_PAYLOAD];

    rc = pki_guid_from_text(text, len, guid);

    if (rc != PKI_OK) {
        return;
    }

    pki_guid_to_text(guid, back);
    fuzz_check(pki_guid_from_text(back, 36, again) == PKI_OK);
    fuzz_check(memcmp(guid, again, PKI_SERIAL_PAYLOAD) == 0);
}


static void
fuzz_keys(const char *text, size_t len)
{
    pki_err_t          err;
    pki_serial_keys_t  keys;

    err.text[0] = '\0';

    if (pki_serial_keys_read(text, len, &keys, &err) != PKI_OK) {
        fuzz_check(strncmp(err.text, "line ", 5) == 0);
        return;
    }

    fuzz_check(keys.current < PKI_SERIAL_EPOCHS);
    fuzz_check(keys.epochs[keys.current].len >= 16);
    fuzz_check(keys.epochs[keys.current].len <= PKI_SERIAL_KEY_MAX);
}


/* radix - 1, the tweak's length, the tweak, the numerals */

static void
fuzz_ff1(const unsigned char *data, size_t size)
{
    size_t                 i, n;
    unsigned               radix;
    pki_bytes_t            key, tweak;
    unsigned char          text[2 * PKI_FF1_NUMERALS];
    static unsigned char   zero[32];

    if (size < 2 || data[1] > size - 2
        || size - 2 - data[1] > sizeof(text))
    {
        return;
    }

    radix = data[0] + 1;
    tweak.data = data + 2;
    tweak.len = data[1];
    n = size - 2 - data[1];
    memcpy(text, data + size - n, n);

    key.data = zero;
    key.len = 16 + size % 3 * 8;

    if (pki_ff1_encrypt(key, tweak, radix, text, n) != PKI_OK) {
        return;
    }

    for (i = 0; i < n; i++) {
        fuzz_check(text[i] < radix);
    }

    fuzz_check(pki_ff1_decrypt(key, tweak, radix, text, n) == PKI_OK);
    fuzz_check(memcmp(text, data + size - n, n) == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char    *text;
    pki_bytes_t    content;
    pki_serial_t   sn;

    if (size == 0) {
        return 0;
    }

    text = (const char *) data + 1;
    content.data = data + 1;
    content.len = size - 1;

    switch (data[0]) {

    case 't':
        if (pki_serial_from_text(text, size - 1, &sn) == PKI_OK) {
            fuzz_serial(&sn);
        }

        break;

    case 'i':
        if (pki_serial_from_integer(content, &sn) == PKI_OK) {
            fuzz_serial(&sn);
        }

        break;

    case 'g':
        fuzz_guid(text, size - 1);
        break;

    case 'k':
        fuzz_keys(text, size - 1);
        break;

    case 'f':
        fuzz_ff1(data + 1, size - 1);
        break;
    }

    return 0;
}

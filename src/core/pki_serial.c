
/*
 * Serial numbers: text and integer forms, and the two formats that carry a
 * directory object.
 *
 * What SCEPman's first octet can say is one table, indexed by kind.  Both
 * formats end in the same payload; a sealed one is opened, or made, in
 * place and differs only in where its kind's octet stands.
 */

#include "pki_serial.h"
#include "pki_ff1.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <openssl/crypto.h>


#define PKI_SERIAL_SEALED      0x10
#define PKI_SERIAL_PAYLOAD_AT  4    /* in both formats */

#define PKI_GUID_TEXT          36


typedef struct {
    unsigned char       octet;
    unsigned char       flags;      /* bits of the octet seen set besides */
    const char         *name;
    unsigned            nobjects;
    pki_object_class_t  objects[PKI_BINDING_OBJECTS];
} pki_serial_kind_t;


static pki_rc_t pki_serial_set(pki_serial_t *sn, const unsigned char *p,
    size_t len);
static const char *pki_serial_key_line(const char *p, size_t len,
    pki_serial_keys_t *keys, unsigned *nkeys);
static pki_rc_t pki_serial_crypt(pki_serial_t *sn,
    const pki_serial_keys_t *keys, int decrypt);
static const pki_serial_kind_t *pki_serial_find_kind(unsigned char type,
    int flags);
static unsigned long long pki_serial_jamf_id(const unsigned char *p);


/* in the order of pki_kind_t */

static const pki_serial_kind_t  pki_serial_kinds[] = {

    { 0x40, 0x03, "Device", 1, { PKI_OBJECT_DEVICE } },
    { 0x50, 0x01, "Static", 0, { 0 } },
    { 0x60, 0x03, "User", 1, { PKI_OBJECT_USER } },
    { 0x70, 0x01, "DomainController", 0, { 0 } },
    { 0x54, 0x01, "JamfComputer", 1, { PKI_OBJECT_JAMF_COMPUTER } },
    { 0x44, 0x01, "JamfDevice", 1, { PKI_OBJECT_JAMF_DEVICE } },
    { 0x64, 0x01, "JamfUser", 1, { PKI_OBJECT_JAMF_USER } },
    { 0x7c, 0x01, "JamfUserWithComputer", 2,
      { PKI_OBJECT_JAMF_COMPUTER, PKI_OBJECT_JAMF_USER } },
    { 0x6c, 0x01, "JamfUserWithDevice", 2,
      { PKI_OBJECT_JAMF_DEVICE, PKI_OBJECT_JAMF_USER } },
    { 0x48, 0x01, "ActiveDirectoryDevice", 0, { 0 } },
    { 0x68, 0x01, "ActiveDirectoryUser", 0, { 0 } }
};

#define PKI_SERIAL_KINDS                                                      \
    (sizeof(pki_serial_kinds) / sizeof(pki_serial_kinds[0]))


/* in the order of pki_object_class_t */

static const char  *const pki_serial_classes[] = {
    "device",
    "user",
    "jamf-computer",
    "jamf-device",
    "jamf-user"
};


/* where a GUID's octets stand in the payload, in the order of its text */

static const unsigned char  pki_guid_order[PKI_SERIAL_PAYLOAD] = {
    3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15
};


pki_rc_t
pki_serial_from_text(const char *text, size_t len, pki_serial_t *sn)
{
    int            digit;
    size_t         i, n;
    unsigned char  octets[PKI_SERIAL_LEN];

    memset(octets, 0, PKI_SERIAL_LEN);

    n = 0;

    /* from the right, since leading zeros and an odd digit are on the left */

    for (i = len; i > 0; i--) {

        if (text[i - 1] == ':') {
            if (n == 0 || n % 2 || i == 1 || text[i] == ':') {
                return PKI_INVALID;
            }

            continue;
        }

        digit = OPENSSL_hexchar2int(text[i - 1]);

        if (digit < 0 || (digit > 0 && n >= 2 * PKI_SERIAL_LEN)) {
            return PKI_INVALID;
        }

        if (digit > 0) {
            octets[PKI_SERIAL_LEN - 1 - n / 2] |= n % 2 ? digit << 4 : digit;
        }

        n++;
    }

    return pki_serial_set(sn, octets, PKI_SERIAL_LEN);
}


pki_rc_t
pki_serial_from_integer(pki_bytes_t content, pki_serial_t *sn)
{
    if (content.len == 0 || content.data[0] & 0x80) {
        return PKI_INVALID;
    }

    return pki_serial_set(sn, content.data, content.len);
}


size_t
pki_serial_to_text(const pki_serial_t *sn, char *text)
{
    size_t             i;
    static const char  hex[] = "0123456789ABCDEF";

    for (i = 0; i < sn->len; i++) {
        text[2 * i] = hex[sn->data[i] >> 4];
        text[2 * i + 1] = hex[sn->data[i] & 0xf];
    }

    text[2 * i] = '\0';

    return 2 * i;
}


static pki_rc_t
pki_serial_set(pki_serial_t *sn, const unsigned char *p, size_t len)
{
    while (len > 0 && *p == 0) {
        p++;
        len--;
    }

    if (len == 0 || len > PKI_SERIAL_LEN) {
        return PKI_INVALID;
    }

    memset(sn, 0, sizeof(pki_serial_t));
    memcpy(sn->data, p, len);
    sn->len = len;

    return PKI_OK;
}


pki_rc_t
pki_serial_keys_read(const char *text, size_t len, pki_serial_keys_t *keys,
    pki_err_t *err)
{
    size_t       n;
    unsigned     line, nkeys;
    const char  *end, *reason;

    memset(keys, 0, sizeof(pki_serial_keys_t));

    nkeys = 0;

    for (line = 1; len > 0; line++) {

        end = memchr(text, '\n', len);
        n = end ? (size_t) (end - text) : len;

        reason = pki_serial_key_line(text, n, keys, &nkeys);

        if (reason) {
            OPENSSL_cleanse(keys, sizeof(pki_serial_keys_t));
            pki_err_set(err, "line %u: %s", line, reason);
            return PKI_INVALID;
        }

        if (end) {
            n++;
        }

        text += n;
        len -= n;
    }

    if (nkeys == 0) {
        pki_err_set(err, "line %u: no key before the end", line);
        return PKI_INVALID;
    }

    return PKI_OK;
}


static const char *
pki_serial_key_line(const char *p, size_t len, pki_serial_keys_t *keys,
    unsigned *nkeys)
{
    int          hi, lo;
    size_t       i;
    unsigned     epoch;
    const char  *last;

    last = memchr(p, '#', len);
    if (last == NULL) {
        last = p + len;
    }

    while (last > p
           && (last[-1] == ' ' || last[-1] == '\t' || last[-1] == '\r'))
    {
        last--;
    }

    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    if (p == last) {
        return NULL;
    }

    epoch = 0;

    for (i = 0; i < 2 && p < last && *p >= '0' && *p <= '9'; i++, p++) {
        epoch = epoch * 10 + (*p - '0');
    }

    if (i == 0 || epoch >= PKI_SERIAL_EPOCHS
        || p == last || (*p != ' ' && *p != '\t'))
    {
        return "an epoch from 0 to 15, then a key is expected";
    }

    while (*p == ' ' || *p == '\t') {
        p++;
    }

    if (keys->epochs[epoch].len) {
        return "this epoch has a key already";
    }

    len = last - p;

    if (len != 32 && len != 48 && len != 64) {
        return "a key has 32, 48 or 64 hexadecimal digits";
    }

    for (i = 0; i < len / 2; i++) {
        hi = OPENSSL_hexchar2int(p[2 * i]);
        lo = OPENSSL_hexchar2int(p[2 * i + 1]);

        if (hi < 0 || lo < 0) {
            return "a key has only hexadecimal digits";
        }

        keys->epochs[epoch].key[i] = hi << 4 | lo;
    }

    keys->epochs[epoch].len = len / 2;
    keys->current = epoch;
    (*nkeys)++;

    return NULL;
}


pki_rc_t
pki_serial_open(const pki_serial_t *sn, const pki_serial_keys_t *keys,
    pki_binding_t *binding)
{
    int                       sealed;
    pki_rc_t                  rc;
    pki_serial_t              opened;
    const pki_serial_kind_t  *kind;

    if (sn->len != PKI_SERIAL_LEN) {
        return PKI_NOT_FOUND;
    }

    opened = *sn;
    sealed = pki_serial_is_sealed(sn);

    if (sealed) {
        rc = pki_serial_crypt(&opened, keys, 1);

        if (rc != PKI_OK) {
            return rc;
        }
    }

    /* sealed ones are all ours and never have flags: fewer open by chance */

    kind = pki_serial_find_kind(opened.data[sealed], !sealed);

    if (kind != NULL) {
        memset(binding, 0, sizeof(pki_binding_t));
        binding->kind = (pki_kind_t) (kind - pki_serial_kinds);
        binding->type = opened.data[sealed];
        memcpy(binding->payload, opened.data + PKI_SERIAL_PAYLOAD_AT,
               PKI_SERIAL_PAYLOAD);
    }

    OPENSSL_cleanse(&opened, sizeof(pki_serial_t));

    return kind ? PKI_OK : PKI_NOT_FOUND;
}


int
pki_serial_is_sealed(const pki_serial_t *sn)
{
    return sn->len == PKI_SERIAL_LEN
           && (sn->data[0] & 0xf0) == PKI_SERIAL_SEALED;
}


void
pki_serial_make_plain(const pki_binding_t *binding,
    const unsigned char random[3], pki_serial_t *sn)
{
    sn->data[0] = pki_serial_kinds[binding->kind].octet;
    memcpy(sn->data + 1, random, 3);
    memcpy(sn->data + PKI_SERIAL_PAYLOAD_AT, binding->payload,
           PKI_SERIAL_PAYLOAD);
    sn->len = PKI_SERIAL_LEN;
}


pki_rc_t
pki_serial_make_sealed(const pki_binding_t *binding,
    const unsigned char random[2], const pki_serial_keys_t *keys,
    pki_serial_t *sn)
{
    pki_rc_t  rc;

    if (keys->current >= PKI_SERIAL_EPOCHS) {
        return PKI_NOT_FOUND;
    }

    sn->data[0] = PKI_SERIAL_SEALED | keys->current;
    sn->data[1] = pki_serial_kinds[binding->kind].octet;
    memcpy(sn->data + 2, random, 2);
    memcpy(sn->data + PKI_SERIAL_PAYLOAD_AT, binding->payload,
           PKI_SERIAL_PAYLOAD);
    sn->len = PKI_SERIAL_LEN;

    rc = pki_serial_crypt(sn, keys, 0);

    if (rc != PKI_OK) {
        OPENSSL_cleanse(sn, sizeof(pki_serial_t));
    }

    return rc;
}


/* The first octet is the tweak, so that an epoch cannot be exchanged. */

static pki_rc_t
pki_serial_crypt(pki_serial_t *sn, const pki_serial_keys_t *keys, int decrypt)
{
    unsigned     epoch;
    pki_bytes_t  key, tweak;

    epoch = sn->data[0] & 0xf;

    if (keys == NULL || keys->epochs[epoch].len == 0) {
        return PKI_NOT_FOUND;
    }

    key.data = keys->epochs[epoch].key;
    key.len = keys->epochs[epoch].len;

    tweak.data = sn->data;
    tweak.len = 1;

    return (decrypt ? pki_ff1_decrypt : pki_ff1_encrypt)
               (key, tweak, 256, sn->data + 1, PKI_SERIAL_LEN - 1);
}


static const pki_serial_kind_t *
pki_serial_find_kind(unsigned char type, int flags)
{
    size_t                    i;
    const pki_serial_kind_t  *kind;

    for (i = 0; i < PKI_SERIAL_KINDS; i++) {
        kind = &pki_serial_kinds[i];

        if ((flags ? type & ~kind->flags : type) == kind->octet) {
            return kind;
        }
    }

    return NULL;
}


unsigned
pki_binding_objects(const pki_binding_t *binding,
    pki_object_id_t objects[PKI_BINDING_OBJECTS])
{
    char                      guid[PKI_GUID_TEXT + 1];
    unsigned                  i;
    const char               *class;
    const unsigned char      *p;
    const pki_serial_kind_t  *kind;

    kind = &pki_serial_kinds[binding->kind];
    p = binding->payload;

    for (i = 0; i < kind->nobjects; i++) {
        objects[i].class = kind->objects[i];
        class = pki_serial_classes[kind->objects[i]];

        if (kind->objects[i] == PKI_OBJECT_DEVICE
            || kind->objects[i] == PKI_OBJECT_USER)
        {
            pki_guid_to_text(p, guid);
            (void) snprintf(objects[i].id, PKI_OBJECT_ID_SIZE, "%s/%s",
                            class, guid);
            continue;
        }

        (void) snprintf(objects[i].id, PKI_OBJECT_ID_SIZE, "%s/%llu",
                        class, pki_serial_jamf_id(p));
        p += PKI_SERIAL_PAYLOAD / 2;
    }

    return kind->nobjects;
}


static unsigned long long
pki_serial_jamf_id(const unsigned char *p)
{
    size_t              i;
    unsigned long long  id;

    id = 0;

    for (i = PKI_SERIAL_PAYLOAD / 2; i > 0; i--) {
        id = id << 8 | p[i - 1];
    }

    return id;
}


const char *
pki_kind_name(pki_kind_t kind)
{
    return pki_serial_kinds[kind].name;
}


pki_rc_t
pki_kind_from_name(const char *name, pki_kind_t *kind)
{
    size_t  i;

    for (i = 0; i < PKI_SERIAL_KINDS; i++) {
        if (strcasecmp(name, pki_serial_kinds[i].name) == 0) {
            *kind = (pki_kind_t) i;
            return PKI_OK;
        }
    }

    return PKI_NOT_FOUND;
}


pki_rc_t
pki_guid_from_text(const char *text, size_t len,
    unsigned char guid[PKI_SERIAL_PAYLOAD])
{
    int            hi, lo;
    size_t         i, n;
    unsigned char  octets[PKI_SERIAL_PAYLOAD];

    if (len != PKI_GUID_TEXT) {
        return PKI_INVALID;
    }

    for (i = 0, n = 0; n < PKI_SERIAL_PAYLOAD; n++) {

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i++] != '-') {
                return PKI_INVALID;
            }
        }

        hi = OPENSSL_hexchar2int(text[i++]);
        lo = OPENSSL_hexchar2int(text[i++]);

        if (hi < 0 || lo < 0) {
            return PKI_INVALID;
        }

        octets[pki_guid_order[n]] = hi << 4 | lo;
    }

    memcpy(guid, octets, PKI_SERIAL_PAYLOAD);

    return PKI_OK;
}


void
pki_guid_to_text(const unsigned char guid[PKI_SERIAL_PAYLOAD], char *text)
{
    size_t             i, n;
    static const char  hex[] = "0123456789abcdef";

    for (i = 0, n = 0; n < PKI_SERIAL_PAYLOAD; n++) {

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            text[i++] = '-';
        }

        text[i++] = hex[guid[pki_guid_order[n]] >> 4];
        text[i++] = hex[guid[pki_guid_order[n]] & 0xf];
    }

    text[i] = '\0';
}


/*
 * A serial number and the directory object that it carries.
 *
 * Two formats, told apart by the first octet; both are 20 octets long,
 * positive and never begin with a zero:
 *
 *   plain   0x40-0x7F     kind(1) | random(3) | payload(16)
 *   sealed  0x10-0x1F     epoch in the low four bits, then 19 octets:
 *                         FF1(kind(1) | random(2) | payload(16))
 *
 * The payload of a device, user or static certificate is a GUID in .NET's
 * mixed-endian order; that of a Jamf certificate is the object's id as a
 * 64-bit little-endian number, then the user's id in the same form, or
 * random octets.  The plain layout is SCEPman's.
 */

#ifndef PKI_SERIAL_H
#define PKI_SERIAL_H


#include "pki.h"


#define PKI_SERIAL_LEN         20   /* RFC 5280, 4.1.2.2: at most 20 octets */
#define PKI_SERIAL_HEX_SIZE    (2 * PKI_SERIAL_LEN + 1)
#define PKI_SERIAL_PAYLOAD     16
#define PKI_SERIAL_EPOCHS      16
#define PKI_SERIAL_KEY_MAX     32   /* AES-256 */
#define PKI_BINDING_OBJECTS    2
#define PKI_OBJECT_ID_SIZE     48   /* "jamf-computer/18446744073709551615" */


typedef struct {
    unsigned char     data[PKI_SERIAL_LEN];     /* big-endian, no zeros first */
    size_t            len;                      /* 1 .. PKI_SERIAL_LEN */
} pki_serial_t;


typedef enum {
    PKI_KIND_DEVICE = 0,        /* Entra or Intune device */
    PKI_KIND_STATIC,
    PKI_KIND_USER,              /* Entra user */
    PKI_KIND_DOMAIN_CONTROLLER,
    PKI_KIND_JAMF_COMPUTER,
    PKI_KIND_JAMF_DEVICE,
    PKI_KIND_JAMF_USER,
    PKI_KIND_JAMF_USER_ON_COMPUTER,
    PKI_KIND_JAMF_USER_ON_DEVICE,
    PKI_KIND_AD_DEVICE,
    PKI_KIND_AD_USER
} pki_kind_t;


typedef struct {
    pki_kind_t        kind;
    unsigned char     type;     /* the octet as issued, with its flags */
    unsigned char     payload[PKI_SERIAL_PAYLOAD];
} pki_binding_t;


typedef enum {
    PKI_OBJECT_DEVICE = 0,
    PKI_OBJECT_USER,
    PKI_OBJECT_JAMF_COMPUTER,
    PKI_OBJECT_JAMF_DEVICE,
    PKI_OBJECT_JAMF_USER
} pki_object_class_t;


typedef struct {
    pki_object_class_t  class;
    char                id[PKI_OBJECT_ID_SIZE];     /* "device/<guid>" */
} pki_object_id_t;


typedef struct {
    struct {
        unsigned char  key[PKI_SERIAL_KEY_MAX];
        size_t         len;             /* 16, 24, 32; 0: no such epoch */
    }                 epochs[PKI_SERIAL_EPOCHS];
    unsigned          current;          /* the epoch to issue with */
} pki_serial_keys_t;


/*
 * Reads a serial number as people write it: hexadecimal in either case,
 * colons between octets, leading zeros.  PKI_INVALID: no digit, another
 * character, zero, or more than PKI_SERIAL_LEN octets after the zeros.
 */
pki_rc_t pki_serial_from_text(const char *text, size_t len, pki_serial_t *sn);

/*
 * Takes the content octets of a DER INTEGER (RFC 6960, CertID).
 * PKI_INVALID: negative, zero or too long for any certificate of ours.
 */
pki_rc_t pki_serial_from_integer(pki_bytes_t content, pki_serial_t *sn);

/*
 * Writes upper-case hexadecimal, an even number of digits and a zero octet
 * into text[PKI_SERIAL_HEX_SIZE].  Returns the number of digits.
 */
size_t pki_serial_to_text(const pki_serial_t *sn, char *text);

/*
 * Reads the keys of the sealed format from the text of a key file: a line
 * "<epoch> <hex key>" each, epoch 0-15, key of 32, 48 or 64 digits, '#'
 * begins a comment; the epoch of the last such line is the one to issue
 * with.  PKI_INVALID with the number of the line in err, never its content;
 * keys are wiped then.
 */
pki_rc_t pki_serial_keys_read(const char *text, size_t len,
    pki_serial_keys_t *keys, pki_err_t *err);

/*
 * Opens a serial number of either format; keys may be NULL.
 * PKI_NOT_FOUND: another format, no key of that epoch, or an octet for the
 * kind that nobody issues; PKI_ERROR: libcrypto failed.
 */
pki_rc_t pki_serial_open(const pki_serial_t *sn, const pki_serial_keys_t *keys,
    pki_binding_t *binding);

/* Is it of the sealed format, as far as the first octet and length tell? */
int pki_serial_is_sealed(const pki_serial_t *sn);

/*
 * Makes a plain serial number.  The caller supplies three random octets.
 * binding->type is ignored: the octet written is the kind's own.
 */
void pki_serial_make_plain(const pki_binding_t *binding,
    const unsigned char random[3], pki_serial_t *sn);

/*
 * Makes a sealed serial number with the current epoch's key.  The caller
 * supplies two random octets.  PKI_NOT_FOUND: the epoch has no key.
 */
pki_rc_t pki_serial_make_sealed(const pki_binding_t *binding,
    const unsigned char random[2], const pki_serial_keys_t *keys,
    pki_serial_t *sn);

/*
 * Names the directory objects that a binding depends on, in the spelling
 * that the store uses.  Returns how many: 0, 1 or 2.
 */
unsigned pki_binding_objects(const pki_binding_t *binding,
    pki_object_id_t objects[PKI_BINDING_OBJECTS]);

/* The kind's name, as the REST calls show it; a constant string. */
const char *pki_kind_name(pki_kind_t kind);

/* The kind of that name, any case; PKI_NOT_FOUND: there is none. */
pki_rc_t pki_kind_from_name(const char *name, pki_kind_t *kind);

/*
 * GUID text (36 characters, any case) to payload order and back; text has
 * room for 37 characters.  PKI_INVALID: not a GUID.
 */
pki_rc_t pki_guid_from_text(const char *text, size_t len,
    unsigned char guid[PKI_SERIAL_PAYLOAD]);
void pki_guid_to_text(const unsigned char guid[PKI_SERIAL_PAYLOAD],
    char *text);


#endif /* PKI_SERIAL_H */

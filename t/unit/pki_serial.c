
/*
 * pki_serial.c: serial numbers seen in the wild, every kind, both formats,
 * key files and libcrypto out of memory.
 */

#include "pki_test.h"

#include <openssl/err.h>
#include "pki_serial.h"


#define TEST_KEY16  "000102030405060708090a0b0c0d0e0f"
#define TEST_KEY24  TEST_KEY16 "1011121314151617"
#define TEST_KEY32  TEST_KEY24 "18191a1b1c1d1e1f"


typedef struct {
    const char  *serial;
    pki_kind_t   kind;
    unsigned     nobjects;
    const char  *objects[PKI_BINDING_OBJECTS];
} test_sample_t;


static const test_sample_t  test_samples[] = {

    /* seen in the wild */

    { "4039B3BB1484B5D6ED606B42B382276A3E8D626D", PKI_KIND_DEVICE, 1,
      { "device/d6b58414-60ed-426b-b382-276a3e8d626d" } },
    { "400C193BE8CAC32660FED743BF16A3DF18AC25DC", PKI_KIND_DEVICE, 1,
      { "device/26c3cae8-fe60-43d7-bf16-a3df18ac25dc" } },
    { "546700030400000000000000" "61E1FB79034CDD54", PKI_KIND_JAMF_COMPUTER,
      1, { "jamf-computer/4" } },
    { "507AEAC03CCEF83F106914418D9222E466A629C1", PKI_KIND_STATIC, 0, { 0 } },
    { "5056BB9B823132CB26210A4C90A62FB3C25E38D0", PKI_KIND_STATIC, 0, { 0 } },
    { "50F1754E85238752527C3140ABD0CEF2C7DC9439", PKI_KIND_STATIC, 0, { 0 } },
    { "5048D2541F7F401C42B7E943A7C82FB37A179F83", PKI_KIND_STATIC, 0, { 0 } },
    { "50BCCDA973AEEA55E00FAF4A9A088DFB7564F263", PKI_KIND_STATIC, 0, { 0 } },
    { "60B26DD32CF07F30D6760848A5233CBAE90DCDBC", PKI_KIND_USER, 1,
      { "user/307ff02c-76d6-4808-a523-3cbae90dcdbc" } },
    { "480552CEBBE40FD5D4417532033728F353040000", PKI_KIND_AD_DEVICE, 0,
      { 0 } },

    /* the other kinds */

    { "440000000500000000000000" "61E1FB79034CDD54", PKI_KIND_JAMF_DEVICE, 1,
      { "jamf-device/5" } },
    { "64000000FFFFFFFFFFFFFFFF" "61E1FB79034CDD54", PKI_KIND_JAMF_USER, 1,
      { "jamf-user/18446744073709551615" } },
    { "6C0000000600000000000000" "0001000000000000",
      PKI_KIND_JAMF_USER_ON_DEVICE, 2, { "jamf-device/6", "jamf-user/256" } },
    { "7C00000007000000000000000800000000000000",
      PKI_KIND_JAMF_USER_ON_COMPUTER, 2,
      { "jamf-computer/7", "jamf-user/8" } },
    { "7000000084B5D6ED606B42B382276A3E8D626D00", PKI_KIND_DOMAIN_CONTROLLER,
      0, { 0 } },
    { "680552CEBBE40FD5D4417532033728F353040000", PKI_KIND_AD_USER, 0,
      { 0 } }
};

#define TEST_SAMPLES  (sizeof(test_samples) / sizeof(test_samples[0]))


/* the kind of each octet in 0x40-0x7f that has one, the octet as issued */

static const unsigned char  test_octets[][2] = {
    { 0x40, 0x40 }, { 0x41, 0x40 }, { 0x42, 0x40 }, { 0x43, 0x40 },
    { 0x44, 0x44 }, { 0x45, 0x44 }, { 0x48, 0x48 }, { 0x49, 0x48 },
    { 0x50, 0x50 }, { 0x51, 0x50 }, { 0x54, 0x54 }, { 0x55, 0x54 },
    { 0x60, 0x60 }, { 0x61, 0x60 }, { 0x62, 0x60 }, { 0x63, 0x60 },
    { 0x64, 0x64 }, { 0x65, 0x64 }, { 0x68, 0x68 }, { 0x69, 0x68 },
    { 0x6c, 0x6c }, { 0x6d, 0x6c }, { 0x70, 0x70 }, { 0x71, 0x70 },
    { 0x7c, 0x7c }, { 0x7d, 0x7c }
};

#define TEST_OCTETS  (sizeof(test_octets) / sizeof(test_octets[0]))


static pki_rc_t
test_serial(const char *text, pki_serial_t *sn)
{
    return pki_serial_from_text(text, strlen(text), sn);
}


static pki_rc_t
test_keys(const char *text, pki_serial_keys_t *keys, pki_err_t *err)
{
    return pki_serial_keys_read(text, strlen(text), keys, err);
}


static void
test_text(void)
{
    char          text[PKI_SERIAL_HEX_SIZE];
    size_t        i;
    pki_rc_t      rc;
    pki_serial_t  sn;

    static const struct {
        const char  *text;
        const char  *read;      /* NULL: invalid */
    } cases[] = {
        { "1", "01" },
        { "ABC123", "ABC123" },
        { "1a2b3C4d", "1A2B3C4D" },
        { "abc", "0ABC" },
        { "0abc", "0ABC" },
        { "00", NULL },
        { "0", NULL },
        { "00000000000000000000000000000000000000000000000001", "01" },
        { "0a:bc", "0ABC" },
        { "a:bc", "0ABC" },
        { "00:0a:bc", "0ABC" },
        { "aabb:cc", "AABBCC" },
        { "", NULL },
        { ":", NULL },
        { ":aa", NULL },
        { "aa:", NULL },
        { "aa::bb", NULL },
        { "aa:b", NULL },
        { "a:b", NULL },
        { "0x0a", NULL },
        { "0a bc", NULL },
        { " 0a", NULL },
        { "0a\n", NULL },
        { "-0a", NULL },
        { "0g", NULL },
        { "0@", NULL },
        { "0`", NULL },
        { "\xc3\xa4", NULL },
        { "7fffffffffffffffffffffffffffffffffffffff",
          "7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF" },
        { "00:00:ffffffffffffffffffffffffffffffffffffffff",
          "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF" },
        { "010000000000000000000000000000000000000000", NULL },
        { "10000000000000000000000000000000000000000", NULL },
        { "10000000000000000000000000000000000000000000000000000000", NULL }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rc = test_serial(cases[i].text, &sn);

        if (cases[i].read == NULL) {
            is_int(rc, PKI_INVALID, "\"%s\" is no serial number",
                   cases[i].text);
            continue;
        }

        is_int(rc, PKI_OK, "\"%s\" is one", cases[i].text);
        is_int(pki_serial_to_text(&sn, text), strlen(cases[i].read),
               "of that many digits");
        is_str(text, cases[i].read, "and it is written as it should");
    }

    is_int(pki_serial_from_text("a\0b", 3, &sn), PKI_INVALID,
           "a zero octet is no digit");
}


static void
test_integer(void)
{
    size_t        i;
    pki_rc_t      rc;
    pki_bytes_t   content;
    pki_serial_t  sn;

    static const struct {
        const char  *content;
        size_t       len;
        size_t       read;      /* 0: invalid */
        const char  *name;
    } cases[] = {
        { "", 0, 0, "no octets" },
        { "\0", 1, 0, "zero" },
        { "\0\0", 2, 0, "a long zero" },
        { "\x01", 1, 1, "one" },
        { "\x7f", 1, 1, "127" },
        { "\x80", 1, 0, "a negative number" },
        { "\0\x80", 2, 1, "128" },
        { "\x7f" "234567890123456789a", 20, 20, "twenty octets" },
        { "\0\xff" "234567890123456789a", 21, 20, "and a zero before them" },
        { "\x01" "2345678901234567890a", 21, 0, "twenty-one octets" },
        { "\0\x01" "2345678901234567890a", 22, 0, "and a zero before them" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        content.data = (const unsigned char *) cases[i].content;
        content.len = cases[i].len;

        rc = pki_serial_from_integer(content, &sn);
        is_int(rc, cases[i].read ? PKI_OK : PKI_INVALID, "%s",
               cases[i].name);

        if (rc == PKI_OK) {
            is_int(sn.len, cases[i].read, "%s: length", cases[i].name);
            is_mem(sn.data, content.data + content.len - sn.len, sn.len,
                   "%s: octets", cases[i].name);
        }
    }
}


static void
test_open(void)
{
    size_t                i, j;
    unsigned              n;
    pki_serial_t          sn, made;
    pki_binding_t         b;
    pki_object_id_t       objects[PKI_BINDING_OBJECTS];
    const test_sample_t  *s;

    for (i = 0; i < TEST_SAMPLES; i++) {
        s = &test_samples[i];

        is_int(test_serial(s->serial, &sn), PKI_OK, "%s is read", s->serial);
        is_int(pki_serial_open(&sn, NULL, &b), PKI_OK, "and opened");
        is_int(b.kind, s->kind, "as %s", pki_kind_name(s->kind));
        is_int(b.type, sn.data[0], "with its octet");
        is_mem(b.payload, sn.data + 4, PKI_SERIAL_PAYLOAD, "and payload");

        n = pki_binding_objects(&b, objects);
        is_int(n, s->nobjects, "it is bound to %u objects", s->nobjects);

        for (j = 0; j < n; j++) {
            is_str(objects[j].id, s->objects[j], "one is %s", s->objects[j]);
        }

        b.type = 0xff;
        pki_serial_make_plain(&b, sn.data + 1, &made);
        is_int(made.len, PKI_SERIAL_LEN, "a plain one is made again");
        is_mem(made.data, sn.data, PKI_SERIAL_LEN, "and it is the same");
    }

    (void) test_serial("30CF0F3C40E645AEB24E91664E0DB73A", &sn);
    is_int(pki_serial_open(&sn, NULL, &b), PKI_NOT_FOUND,
           "a root CA's 16 octets are not ours");

    (void) test_serial("39B3BB1484B5D6ED606B42B382276A3E8D626D", &sn);
    is_int(pki_serial_open(&sn, NULL, &b), PKI_NOT_FOUND,
           "nor are 19 octets");

    (void) test_serial("01", &sn);
    is_int(pki_serial_open(&sn, NULL, &b), PKI_NOT_FOUND, "nor is 1");
}


static void
test_classes(void)
{
    pki_serial_t     sn;
    pki_binding_t    b;
    pki_object_id_t  objects[PKI_BINDING_OBJECTS];

    (void) test_serial(test_samples[0].serial, &sn);
    (void) pki_serial_open(&sn, NULL, &b);
    (void) pki_binding_objects(&b, objects);
    is_int(objects[0].class, PKI_OBJECT_DEVICE, "a device's class");

    b.kind = PKI_KIND_USER;
    (void) pki_binding_objects(&b, objects);
    is_int(objects[0].class, PKI_OBJECT_USER, "a user's class");

    b.kind = PKI_KIND_JAMF_USER_ON_COMPUTER;
    (void) pki_binding_objects(&b, objects);
    is_int(objects[0].class, PKI_OBJECT_JAMF_COMPUTER, "a computer's class");
    is_int(objects[1].class, PKI_OBJECT_JAMF_USER, "a Jamf user's class");

    b.kind = PKI_KIND_JAMF_USER_ON_DEVICE;
    (void) pki_binding_objects(&b, objects);
    is_int(objects[0].class, PKI_OBJECT_JAMF_DEVICE, "a Jamf device's class");
    is_int(objects[1].class, PKI_OBJECT_JAMF_USER, "a Jamf user's class");
}


/* each first octet there is */

static void
test_octet(void)
{
    int            octet;
    size_t         i;
    unsigned       failed;
    pki_rc_t       want;
    pki_serial_t   sn, made;
    pki_binding_t  b;

    failed = 0;
    (void) test_serial(test_samples[0].serial, &sn);

    for (octet = 1; octet < 256; octet++) {
        want = PKI_NOT_FOUND;
        sn.data[0] = octet;

        for (i = 0; i < TEST_OCTETS; i++) {
            if (test_octets[i][0] == octet) {
                want = PKI_OK;
                break;
            }
        }

        if (pki_serial_open(&sn, NULL, &b) != want) {
            printf("# octet %02x\n", octet);
            failed++;
            continue;
        }

        if (want == PKI_OK) {
            pki_serial_make_plain(&b, sn.data + 1, &made);
            failed += b.type != octet || made.data[0] != test_octets[i][1];
        }
    }

    is_int(failed, 0, "the octets that are issued open, no others do");
}


static void
test_sealed(void)
{
    size_t             i, n;
    pki_rc_t           rc;
    pki_serial_t       plain, sn, other;
    pki_binding_t      b, opened;
    unsigned char      random[2];
    pki_serial_keys_t  keys, none;

    static const char  *files[] = {
        "0 " TEST_KEY16, "7 " TEST_KEY24, "15 " TEST_KEY32
    };

    for (n = 0; n < 3; n++) {
        is_int(test_keys(files[n], &keys, NULL), PKI_OK, "a key is read");

        for (i = 0; i < TEST_SAMPLES; i++) {
            (void) test_serial(test_samples[i].serial, &plain);
            (void) pki_serial_open(&plain, NULL, &b);

            random[0] = i;
            random[1] = n;

            rc = pki_serial_make_sealed(&b, random, &keys, &sn);
            is_int(rc, PKI_OK, "%s is sealed", pki_kind_name(b.kind));
            is_int(sn.data[0], 0x10 | keys.current, "under its epoch");
            is_int(sn.len, PKI_SERIAL_LEN, "in as many octets");
            ok(memcmp(sn.data + 4, b.payload, PKI_SERIAL_PAYLOAD) != 0,
               "the payload is hidden");

            memset(&opened, 0xff, sizeof(pki_binding_t));
            rc = pki_serial_open(&sn, &keys, &opened);
            is_int(rc, PKI_OK, "it opens");
            is_int(opened.kind, b.kind, "as the same kind");
            is_int(opened.type, b.type, "with the kind's octet");
            is_mem(opened.payload, b.payload, PKI_SERIAL_PAYLOAD,
                   "and payload");

            random[0] ^= 0x80;
            (void) pki_serial_make_sealed(&b, random, &keys, &other);
            ok(memcmp(sn.data, other.data, PKI_SERIAL_LEN) != 0,
               "other random octets, another serial");
        }
    }

    is_int(pki_serial_open(&sn, NULL, &opened), PKI_NOT_FOUND,
           "without keys it stays sealed");

    sn.data[0] = 0x13;
    is_int(pki_serial_open(&sn, &keys, &opened), PKI_NOT_FOUND,
           "so it does without a key of its epoch");

    memset(&none, 0, sizeof(pki_serial_keys_t));
    is_int(pki_serial_make_sealed(&b, random, &none, &sn), PKI_NOT_FOUND,
           "and nothing is sealed without a key");

    none.current = PKI_SERIAL_EPOCHS;
    is_int(pki_serial_make_sealed(&b, random, &none, &sn), PKI_NOT_FOUND,
           "nor in an epoch that there cannot be");
}


/* of made-up sealed serials few open: 11 of 256 octets are a kind's own */

static void
test_made_up(void)
{
    size_t             i;
    unsigned           opened, flags;
    pki_rc_t           rc;
    pki_serial_t       sn;
    pki_binding_t      b;
    pki_serial_keys_t  keys;

    (void) test_keys("0 " TEST_KEY16, &keys, NULL);

    memset(&sn, 0x55, sizeof(pki_serial_t));
    sn.len = PKI_SERIAL_LEN;
    sn.data[0] = 0x10;

    opened = 0;
    flags = 0;

    for (i = 0; i < 4096; i++) {
        sn.data[1] = i >> 8;
        sn.data[2] = i;

        rc = pki_serial_open(&sn, &keys, &b);

        if (rc == PKI_OK) {
            opened++;
            flags += b.type & 0x03;
        }
    }

    ok(opened > 100 && opened < 260, "%u of 4096 made-up ones open", opened);
    is_int(flags, 0, "none with flags, which we never seal");
}


static void
test_key_files(void)
{
    size_t             i;
    pki_err_t          err;
    pki_serial_keys_t  keys, zero;

    static const struct {
        const char  *text;
        const char  *error;
    } cases[] = {
        { "", "line 1: no key before the end" },
        { "# nothing\n\n", "line 3: no key before the end" },
        { "16 " TEST_KEY16, "line 1: an epoch from 0 to 15, then a key is"
          " expected" },
        { "1\n", "line 1: an epoch from 0 to 15, then a key is expected" },
        { "111 " TEST_KEY16, "line 1: an epoch from 0 to 15, then a key is"
          " expected" },
        { TEST_KEY16, "line 1: an epoch from 0 to 15, then a key is"
          " expected" },
        { "x " TEST_KEY16, "line 1: an epoch from 0 to 15, then a key is"
          " expected" },
        { "-1 " TEST_KEY16, "line 1: an epoch from 0 to 15, then a key is"
          " expected" },
        { "\n0 " TEST_KEY16 "ff", "line 2: a key has 32, 48 or 64"
          " hexadecimal digits" },
        { "0 " TEST_KEY32 TEST_KEY32, "line 1: a key has 32, 48 or 64"
          " hexadecimal digits" },
        { "0 #" TEST_KEY32, "line 1: an epoch from 0 to 15, then a key is"
          " expected" },
        { "0 0g0102030405060708090a0b0c0d0e0f", "line 1: a key has only"
          " hexadecimal digits" },
        { "0 00010203 4050607 8090a0b0c0d0e0f", "line 1: a key has only"
          " hexadecimal digits" },
        { "# a\n0 " TEST_KEY16 "\n00 " TEST_KEY16, "line 3: this epoch has a"
          " key already" }
    };

    memset(&zero, 0, sizeof(pki_serial_keys_t));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(test_keys(cases[i].text, &keys, &err), PKI_INVALID,
               "key file %zu is refused", i);
        is_str(err.text, cases[i].error, "for its reason");
        is_mem(&keys, &zero, sizeof(pki_serial_keys_t), "nothing is kept");
    }

    is_int(pki_serial_keys_read("0 " TEST_KEY16 "\0", 35, &keys, NULL),
           PKI_INVALID, "a zero octet is no white space");

    is_int(test_keys("# keys\r\n  15\t" TEST_KEY32 "  # old\r\n\r\n"
                     "02 " TEST_KEY16 "#new", &keys, &err), PKI_OK,
           "comments and white space are skipped");
    is_int(keys.current, 2, "the last is the one to issue with");
    is_int(keys.epochs[15].len, 32, "the other is there too");
    is_int(keys.epochs[15].key[31], 0x1f, "to its end");
    is_int(keys.epochs[2].len, 16, "a short key");
    is_int(keys.epochs[2].key[15], 0x0f, "to its end");
    is_int(keys.epochs[0].len, 0, "no other");
}


static void
test_names(void)
{
    size_t      i;
    pki_kind_t  kind;

    static const char  *names[] = {
        "Device", "Static", "User", "DomainController", "JamfComputer",
        "JamfDevice", "JamfUser", "JamfUserWithComputer",
        "JamfUserWithDevice", "ActiveDirectoryDevice", "ActiveDirectoryUser"
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        is_str(pki_kind_name(i), names[i], "%s by number", names[i]);
        is_int(pki_kind_from_name(names[i], &kind), PKI_OK, "and by name");
        is_int(kind, i, "which agree");
    }

    is_int(pki_kind_from_name("jamfuserwithDEVICE", &kind), PKI_OK,
           "a name in another case");
    is_int(kind, PKI_KIND_JAMF_USER_ON_DEVICE, "is the same kind");
    is_int(pki_kind_from_name("", &kind), PKI_NOT_FOUND, "no name");
    is_int(pki_kind_from_name("Devices", &kind), PKI_NOT_FOUND,
           "a name of nothing");
}


static void
test_guid(void)
{
    char           text[37];
    size_t         i;
    unsigned char  guid[PKI_SERIAL_PAYLOAD];

    static const unsigned char  payload[PKI_SERIAL_PAYLOAD] = {
        0x84, 0xb5, 0xd6, 0xed, 0x60, 0x6b, 0x42, 0xb3,
        0x82, 0x27, 0x6a, 0x3e, 0x8d, 0x62, 0x6d, 0x01
    };

    static const char  *wrong[] = {
        "",
        "edd6b584-6b60-b342-8227-6a3e8d626d0",
        "edd6b584-6b60-b342-8227-6a3e8d626d011",
        "edd6b5846-b60-b342-8227-6a3e8d626d01",
        "edd6b584-6b60-b342-82276-a3e8d626d01",
        "edd6b584 6b60-b342-8227-6a3e8d626d01",
        "gdd6b584-6b60-b342-8227-6a3e8d626d01",
        "edd6b584-6b60-b342-8227-6a3e8d626d0-",
        "{dd6b584-6b60-b342-8227-6a3e8d626d0}"
    };

    pki_guid_to_text(payload, text);
    is_str(text, "edd6b584-6b60-b342-8227-6a3e8d626d01", "a GUID is written");

    is_int(pki_guid_from_text(text, 36, guid), PKI_OK, "and read");
    is_mem(guid, payload, PKI_SERIAL_PAYLOAD, "and is the same");

    is_int(pki_guid_from_text("EDD6B584-6B60-B342-8227-6A3E8D626D01", 36,
                              guid), PKI_OK, "in the other case, too");
    is_mem(guid, payload, PKI_SERIAL_PAYLOAD, "and is the same");

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        is_int(pki_guid_from_text(wrong[i], strlen(wrong[i]), guid),
               PKI_INVALID, "\"%s\" is no GUID", wrong[i]);
    }

    is_mem(guid, payload, PKI_SERIAL_PAYLOAD, "what is none changes nothing");
}


static void
test_memory(void)
{
    long               n;
    pki_rc_t           rc;
    unsigned           failed;
    pki_serial_t       plain, sn, zero;
    pki_binding_t      b;
    pki_serial_keys_t  keys;

    (void) test_keys("1 " TEST_KEY32, &keys, NULL);
    (void) test_serial(test_samples[0].serial, &plain);
    (void) pki_serial_open(&plain, NULL, &b);

    memset(&zero, 0, sizeof(pki_serial_t));
    failed = 0;

    for (n = 1; n < 1000; n++) {
        pki_test_fail_at(n);
        rc = pki_serial_make_sealed(&b, plain.data + 1, &keys, &sn);

        if (!pki_test_fail_hit()) {
            break;
        }

        if (rc == PKI_ERROR) {
            failed += memcmp(&sn, &zero, sizeof(pki_serial_t)) != 0;

        } else {
            failed += rc != PKI_OK;
        }

        failed += ERR_peek_error() != 0;
    }

    ok(n > 1 && n < 1000, "sealing: %ld allocations failed", n - 1);
    is_int(rc, PKI_OK, "with all of them it works");
    is_int(failed, 0, "without one nothing is left");

    failed = 0;

    for (n = 1; n < 1000; n++) {
        pki_test_fail_at(n);
        rc = pki_serial_open(&sn, &keys, &b);

        if (!pki_test_fail_hit()) {
            break;
        }

        failed += rc != PKI_ERROR && rc != PKI_OK;
        failed += ERR_peek_error() != 0;
    }

    pki_test_fail_at(0);

    ok(n > 1 && n < 1000, "opening: %ld allocations failed", n - 1);
    is_int(rc, PKI_OK, "with all of them it works");
    is_int(failed, 0, "without one it is an error");
}


int
main(void)
{
    pki_test_alloc_hook();

    test_text();
    test_integer();
    test_open();
    test_classes();
    test_octet();
    test_sealed();
    test_made_up();
    test_key_files();
    test_names();
    test_guid();
    test_memory();

    return pki_test_done();
}


/*
 * Names, owners and the text of records: what is read, and all that is not.
 */

#include "pki_test.h"
#include "pki_record.h"


static pki_bytes_t test_bytes(const char *text);
static void test_names(void);
static void test_owners(void);
static void test_records(void);
static void test_revocations(void);
static void test_objects(void);
static void test_numbers(void);
static void test_clean(void);
static void test_keys(void);


int
main(void)
{
    test_names();
    test_owners();
    test_records();
    test_revocations();
    test_objects();
    test_numbers();
    test_clean();
    test_keys();

    return pki_test_done();
}


static pki_bytes_t
test_bytes(const char *text)
{
    pki_bytes_t  bytes;

    bytes.data = (const unsigned char *) text;
    bytes.len = strlen(text);

    return bytes;
}


static void
test_names(void)
{
    char  name[PKI_NAME_MAX + 2];

    ok(pki_name_valid("corp-CA_1.x", 11), "a name");
    ok(!pki_name_valid("", 0), "an empty name");
    ok(!pki_name_valid("a}b", 3), "a name with a brace");
    ok(!pki_name_valid("a b", 3), "a name with a space");
    ok(!pki_name_valid("a:b", 3), "a name with a colon");
    ok(!pki_name_valid("a\0b", 3), "a name with a zero octet");
    ok(!pki_name_valid("\xc3\xa4", 2), "a name that is not ASCII");

    memset(name, 'x', sizeof(name));
    ok(pki_name_valid(name, PKI_NAME_MAX), "the longest name");
    ok(!pki_name_valid(name, PKI_NAME_MAX + 1), "a name too long");
}


static void
test_owners(void)
{
    char          owner[PKI_OWNER_SIZE], id[PKI_OWNER_SIZE];
    pki_serial_t  serial = { { 0x40, 0x0a, 0xff }, 3 };

    is_int(pki_owner_cert(owner, "corp", &serial), 16, "owner's length");
    is_str(owner, "cert:corp:400AFF", "owner of a certificate");

    is_int(pki_owner_object(owner, "entra", "device/1"), 21,
           "owner's length");
    is_str(owner, "object:entra:device/1", "owner of an object");

    memset(id, 'x', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    is_int(pki_owner_object(owner, "entra", id), PKI_OWNER_SIZE - 1,
           "a long owner is cut");
    ok(!pki_record_id_valid("entra", id), "and its id is not valid");

    id[PKI_OWNER_SIZE - sizeof("object:entra:")] = '\0';
    ok(pki_record_id_valid("entra", id), "the longest id");
    is_int(pki_owner_object(owner, "entra", id), PKI_OWNER_SIZE - 1,
           "fits exactly");
    is_str(owner + sizeof("object:entra:") - 1, id, "and is not cut");

    ok(!pki_record_id_valid("entra", ""), "an empty id");
    ok(!pki_record_id_valid("entra", "a b"), "an id with a space");
    ok(!pki_record_id_valid("entra", "a\nb"), "an id with a line end");
}


static void
test_records(void)
{
    size_t                    i;
    char                      text[400];
    pki_record_t              record;
    static const char *const  bad[] = {
        "", "1", "1 ", "1 10", "1 10 20", "1 10 20 API", "3 10 20 API x",
        "2 10 20 API x", "2 10 20 API 1", "2 10 20 API 1 0 9",
        "2 10 20 API 1 0 9 5-0", "2 10 20 API 0 0 9 5-0 x",
        "2 10 20 API 1 0 0 5-0 x", "2 10 20 API 1 0 9  x",
        "2 10 20 API 1 -1 9 5-0 x", "2 10 20 API 1 4294967296 9 5-0 x",
        "2 10 20 API 9223372036854775808 0 9 5-0 x",
        "01 10 20 API x", "0 10 20 API x", " 1 10 20 API x",
        "1  10 20 API x", "1 10  20 API x", "1 10 20  API x",
        "1 10 20 API  x", "1 010 20 API x", "1 -1 20 API x",
        "1 +1 20 API x", "1 1x 20 API x", "1 10 253402300800 API x",
        "1 10 99999999999999999999 API x", "1 10 20 API a\nb",
        "1 10 20 AP\tI x", "1 10 20 API a\177b", "1 1.5 20 API x",
        "1 10 20 12345678901234567890123456789012 x"
    };

    is_int(pki_record_read(test_bytes("1 10 253402300799 API Jo Do"),
                           &record), PKI_OK, "a record");
    is_int(record.not_before, 10, "not before");
    is_int(record.not_after, 253402300799, "not after");
    is_str(record.source, "API", "source");
    is_str(record.requester, "Jo Do", "requester with a space");
    is_int(record.page, 0, "no page");

    is_int(pki_record_read(test_bytes("2 10 20 API 9223372036854775807"
                                      " 4294967295 1 - Jo Do"), &record),
           PKI_OK, "a record of version 2");
    is_str(record.requester, "Jo Do", "its requester");
    is_int(record.page, 9223372036854775807LL, "its page");
    is_int(record.offset, 4294967295LL, "its offset");
    is_int(record.length, 1, "its length");

    is_int(pki_record_read(test_bytes("1 0 0 S "), &record), PKI_OK,
           "a record without requester");
    is_str(record.requester, "", "requester is empty");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_int(pki_record_read(test_bytes(bad[i]), &record), PKI_INVALID,
               "bad record \"%s\"", bad[i]);
    }

    memcpy(text, "1 1 2 S ", 8);
    memset(text + 8, 'x', PKI_STORE_WHO_MAX + 1);
    text[8 + PKI_STORE_WHO_MAX + 1] = '\0';
    is_int(pki_record_read(test_bytes(text), &record), PKI_INVALID,
           "requester too long");

    text[8 + PKI_STORE_WHO_MAX] = '\0';
    is_int(pki_record_read(test_bytes(text), &record), PKI_OK,
           "the longest requester");
    is_int(strlen(record.requester), PKI_STORE_WHO_MAX, "is whole");
}


static void
test_revocations(void)
{
    size_t                    i;
    pki_bytes_t               none = { NULL, 0 };
    pki_revocation_t          revocation;
    static const char *const  bad[] = {
        "", "1 ", "1 1 2", "1 1 2 3", "2 1 2 3 who", "1 7 2 3 who",
        "1 11 2 3 who", "1 -1 2 3 who", "1 01 2 3 who", "1 1 -2 3 who",
        "1 1 2 -3 who", "1 1 2 253402300800 who", "1 1 2 3  who",
        "1 1 2 3 wh\ro", "1,1,2,3,who", "1 1 2 3\twho",
        "1 18446744073709551617 2 3 who"
    };

    is_int(pki_revocation_read(test_bytes("1 6 100 90 J. Doe"), &revocation),
           PKI_OK, "a revocation");
    is_int(revocation.reason, PKI_REASON_CERTIFICATE_HOLD, "reason");
    is_int(revocation.at, 100, "at");
    is_int(revocation.invalidity, 90, "invalidity");
    is_str(revocation.who, "J. Doe", "who");

    is_int(pki_revocation_read(test_bytes("1 0 0 0 "), &revocation), PKI_OK,
           "all of it zero");
    is_int(revocation.reason, PKI_REASON_UNSPECIFIED, "reason 0");
    is_int(pki_revocation_read(none, &revocation), PKI_INVALID, "no text");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_int(pki_revocation_read(test_bytes(bad[i]), &revocation),
               PKI_INVALID, "bad revocation \"%s\"", bad[i]);
    }
}


static void
test_objects(void)
{
    char                      alias[PKI_OBJECT_ID_SIZE];
    char                      text[PKI_OBJECT_ID_SIZE + 8];
    size_t                    i;
    time_t                    since;
    unsigned                  state;
    static const char *const  bad[] = {
        "", "1", "1 1", "1 1 ", "1 1 5 ", "1 1 5  x", "1 1 5 x y",
        "1 1 5 x ", "1 1 5 x\n", "2 1 5", "2 1 5 x", "1 65536 5",
        "1 1 253402300800", "1 1  5", "1 x 5", "1 1 05", "1 1 05 x",
        "1 00 5"
    };

    memset(alias, 'z', sizeof(alias));
    is_int(pki_object_read(test_bytes("1 9 5"), &state, &since, alias),
           PKI_OK, "an object");
    is_str(alias, "", "without an alias");
    is_int(state, PKI_OBJECT_DELETED | PKI_OBJECT_DISABLED, "state");
    is_int(since, 5, "since");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_int(pki_object_read(test_bytes(bad[i]), &state, &since, alias),
               PKI_INVALID, "bad object \"%s\"", bad[i]);
    }

    is_int(pki_object_read(test_bytes("1 65535 7 user/1"), &state, &since,
                           alias),
           PKI_OK, "an object with an alias");
    is_int(state, 65535, "state");
    is_int(since, 7, "since");
    is_str(alias, "user/1", "alias");

    memset(text, 'a', sizeof(text));
    memcpy(text, "1 8 5 ", 6);
    text[6 + PKI_OBJECT_ID_SIZE - 1] = '\0';
    is_int(pki_object_read(test_bytes(text), &state, &since, alias), PKI_OK,
           "the longest alias");
    is_int(strlen(alias), PKI_OBJECT_ID_SIZE - 1, "is whole");
    text[6 + PKI_OBJECT_ID_SIZE - 1] = 'a';
    text[6 + PKI_OBJECT_ID_SIZE] = '\0';
    is_int(pki_object_read(test_bytes(text), &state, &since, alias),
           PKI_INVALID, "one that is longer");

    ok(pki_record_text_valid("a b", 3, 1), "a text with a space");
    ok(!pki_record_text_valid("a b", 3, 0), "where there may be none");
    ok(!pki_record_text_valid("a b", 2, 1), "too long");
    ok(!pki_record_text_valid("", 2, 1), "empty");
    ok(!pki_record_text_valid("a\x7f", 9, 1), "a control");
}


static void
test_numbers(void)
{
    long long  n;

    is_int(pki_record_number(test_bytes("9223372036854775807"),
                             9223372036854775807LL, &n), PKI_OK, "the most");
    is_int(n, 9223372036854775807LL, "the most is right");
    is_int(pki_record_number(test_bytes("9223372036854775808"),
                             9223372036854775807LL, &n), PKI_INVALID,
           "one more");
    is_int(pki_record_number(test_bytes("5"), 5, &n), PKI_OK, "at the bound");
    is_int(pki_record_number(test_bytes("6"), 5, &n), PKI_INVALID,
           "above the bound");
    is_int(pki_record_number(test_bytes("0"), 0, &n), PKI_OK, "zero");
    is_int(pki_record_number(test_bytes("7"), 0, &n), PKI_INVALID,
           "above a bound of zero");

    ok(pki_record_time_valid(0), "the Epoch is valid");
    ok(!pki_record_time_valid(-1), "before it is not");
    ok(pki_record_time_valid(PKI_RECORD_TIME_MAX), "the last second");
    ok(!pki_record_time_valid(PKI_RECORD_TIME_MAX + 1), "one after it");
}


static void
test_clean(void)
{
    char  dst[PKI_STORE_WHO_MAX + 1], src[PKI_STORE_WHO_MAX + 16];

    pki_record_clean(dst, "  J\r\nD\x7f\x1b");
    is_str(dst, "J??D??", "controls and leading spaces");

    pki_record_clean(dst, NULL);
    is_str(dst, "", "NULL");

    pki_record_clean(dst, "   ");
    is_str(dst, "", "only spaces");

    memset(src, 'x', sizeof(src));
    src[sizeof(src) - 1] = '\0';
    pki_record_clean(dst, src);
    is_int(strlen(dst), PKI_STORE_WHO_MAX, "cut at the limit");

    memcpy(src + PKI_STORE_WHO_MAX - 1, "\xc3\xa4", 2);
    pki_record_clean(dst, src);
    is_int(strlen(dst), PKI_STORE_WHO_MAX - 1, "two octets are not parted");

    memcpy(src + PKI_STORE_WHO_MAX - 3, "\xf0\x9f\x98\x80", 4);
    pki_record_clean(dst, src);
    is_int(strlen(dst), PKI_STORE_WHO_MAX - 3, "four octets are not parted");

    memcpy(src + PKI_STORE_WHO_MAX - 4, "\xf0\x9f\x98\x80x", 5);
    pki_record_clean(dst, src);
    is_int(strlen(dst), PKI_STORE_WHO_MAX, "a whole one at the end stays");

    memset(src, 0x80, sizeof(src) - 1);
    pki_record_clean(dst, src);
    is_int(strlen(dst), PKI_STORE_WHO_MAX, "what is no UTF-8 is cut anyhow");
}


static void
test_keys(void)
{
    char          key[PKI_RECORD_KEY_SIZE], name[PKI_NAME_MAX + 1];
    char          id[PKI_OWNER_SIZE];
    pki_serial_t  serial = { { 0x40 }, 1 };

    pki_record_key(key, "ca", "cert:", "4001");
    is_str(key, "pki:{ca}:cert:4001", "a key");

    memset(name, 'n', PKI_NAME_MAX);
    name[PKI_NAME_MAX] = '\0';
    memset(id, 'i', PKI_OWNER_SIZE - sizeof("object::") - PKI_NAME_MAX);
    id[PKI_OWNER_SIZE - sizeof("object::") - PKI_NAME_MAX] = '\0';
    ok(pki_record_id_valid(name, id), "the longest id of the longest name");
    pki_record_key(key, name, "history:", id);
    is_str(key + strlen(key) - strlen(id), id, "is not cut");

    ok(pki_record_serial_valid(&serial), "a serial number");
    serial.len = 0;
    ok(!pki_record_serial_valid(&serial), "none");
    serial.len = PKI_SERIAL_LEN + 1;
    ok(!pki_record_serial_valid(&serial), "one that is too long");
    serial.data[0] = 0;
    serial.len = 1;
    ok(!pki_record_serial_valid(&serial), "zero");
}

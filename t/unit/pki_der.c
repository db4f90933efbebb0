
/*
 * The DER reader refuses what is not DER, the writer is read back by
 * OpenSSL, and times are those of gmtime_r().
 */

#include "pki_test.h"

#include <time.h>
#include <openssl/asn1.h>
#include "pki_der.h"


#define B(s)  ((pki_bytes_t) { (const unsigned char *) s, sizeof(s) - 1 })


static void test_lengths(void);
static void test_types(void);
static void test_walk(void);
static void test_writer(void);
static void test_guesses(void);
static void test_full(void);
static void test_times(void);
static int read_one(pki_bytes_t in, unsigned tag, size_t *len);


int
main(void)
{
    test_lengths();
    test_types();
    test_walk();
    test_writer();
    test_guesses();
    test_full();
    test_times();

    return pki_test_done();
}


static void
test_lengths(void)
{
    size_t         len;
    unsigned char  big[65536 + 5];

    is_int(read_one(B("\x04\x00"), 4, &len), PKI_OK, "empty content");
    is_int(len, 0, "its length");
    is_int(read_one(B("\x04\x01X"), 4, &len), PKI_OK, "one octet");
    is_int(len, 1, "its length");
    is_int(read_one(B("\x04\x01X"), 5, &len), PKI_INVALID, "another tag");
    is_int(read_one(B("\x04\x02X"), 4, &len), PKI_INVALID, "cut content");
    is_int(read_one(B("\x04"), 4, &len), PKI_INVALID, "no length");
    is_int(read_one(B(""), 4, &len), PKI_INVALID, "nothing");
    is_int(read_one((pki_bytes_t) { NULL, 0 }, 4, &len), PKI_INVALID,
           "NULL");
    is_int(read_one(B("\x30\x80\x00\x00"), 0x30, &len), PKI_INVALID,
           "indefinite length");
    is_int(read_one(B("\x04\x81\x01X"), 4, &len), PKI_INVALID,
           "a long length for a short one");
    is_int(read_one(B("\x04\x81"), 4, &len), PKI_INVALID, "cut length");
    is_int(read_one(B("\x04\x82\x01"), 4, &len), PKI_INVALID,
           "length cut in its middle");
    is_int(read_one(B("\x04\x84\xff\xff\xff\xff"), 4, &len), PKI_INVALID,
           "4 GB announced");
    is_int(read_one(B("\x04\x85\x01\x00\x00\x00\x00"), 4, &len), PKI_INVALID,
           "a length of five octets");
    is_int(read_one(B("\x04\xff\x01"), 4, &len), PKI_INVALID,
           "the reserved length");
    is_int(read_one(B("\x1f\x01X"), 0x1f, &len), PKI_INVALID,
           "a tag of several octets");

    memset(big, 'x', sizeof(big));

    memcpy(big, "\x04\x81\x80", 3);
    is_int(read_one((pki_bytes_t) { big, 131 }, 4, &len), PKI_OK, "128");
    is_int(len, 128, "its length");
    is_int(read_one((pki_bytes_t) { big, 130 }, 4, &len), PKI_INVALID,
           "127 of 128");

    memcpy(big, "\x04\x82\x00\x80", 4);
    is_int(read_one((pki_bytes_t) { big, 132 }, 4, &len), PKI_INVALID,
           "128 with a leading zero");

    memcpy(big, "\x04\x82\x01\x00", 4);
    is_int(read_one((pki_bytes_t) { big, 260 }, 4, &len), PKI_OK, "256");
    is_int(len, 256, "its length");

    memcpy(big, "\x04\x83\x01\x00\x00", 5);
    is_int(read_one((pki_bytes_t) { big, sizeof(big) }, 4, &len), PKI_OK,
           "65536");
    is_int(len, 65536, "its length");
}


static void
test_types(void)
{
    size_t       i;
    unsigned     yes;
    pki_der_t    der, before;
    pki_bytes_t  content;

    static const struct {
        const char  *name;
        pki_bytes_t  in;
        char         type;
        pki_rc_t     rc;
    } rows[] = {
        { "INTEGER 0", { (unsigned char *) "\x02\x01\x00", 3 }, 'i', PKI_OK },
        { "INTEGER 128", { (unsigned char *) "\x02\x02\x00\x80", 4 }, 'i',
          PKI_OK },
        { "INTEGER -1", { (unsigned char *) "\x02\x01\xff", 3 }, 'i',
          PKI_OK },
        { "INTEGER -129", { (unsigned char *) "\x02\x02\xff\x7f", 4 }, 'i',
          PKI_OK },
        { "INTEGER 1 padded", { (unsigned char *) "\x02\x02\x00\x01", 4 },
          'i', PKI_INVALID },
        { "INTEGER -1 padded", { (unsigned char *) "\x02\x02\xff\xff", 4 },
          'i', PKI_INVALID },
        { "INTEGER of nothing", { (unsigned char *) "\x02\x00", 2 }, 'i',
          PKI_INVALID },
        { "no INTEGER", { (unsigned char *) "\x0a\x01\x00", 3 }, 'i',
          PKI_INVALID },
        { "OID", { (unsigned char *) "\x06\x03\x2b\x81\x01", 5 }, 'o',
          PKI_OK },
        { "OID of nothing", { (unsigned char *) "\x06\x00", 2 }, 'o',
          PKI_INVALID },
        { "OID cut", { (unsigned char *) "\x06\x02\x2b\x81", 4 }, 'o',
          PKI_INVALID },
        { "OID padded", { (unsigned char *) "\x06\x03\x2b\x80\x01", 5 }, 'o',
          PKI_INVALID },
        { "OID padded at once", { (unsigned char *) "\x06\x02\x80\x01", 4 },
          'o', PKI_INVALID },
        { "FALSE", { (unsigned char *) "\x01\x01\x00", 3 }, 'b', PKI_OK },
        { "TRUE", { (unsigned char *) "\x01\x01\xff", 3 }, 'b', PKI_OK },
        { "BER TRUE", { (unsigned char *) "\x01\x01\x01", 3 }, 'b',
          PKI_INVALID },
        { "BOOLEAN of two", { (unsigned char *) "\x01\x02\xff\xff", 4 }, 'b',
          PKI_INVALID },
        { "BOOLEAN of nothing", { (unsigned char *) "\x01\x00", 2 }, 'b',
          PKI_INVALID },
        { "NULL", { (unsigned char *) "\x05\x00", 2 }, 'n', PKI_OK },
        { "NULL of something", { (unsigned char *) "\x05\x01\x00", 3 }, 'n',
          PKI_INVALID }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        pki_rc_t  rc;

        pki_der_init(&der, rows[i].in);
        before = der;
        yes = 2;

        rc = rows[i].type == 'i' ? pki_der_integer(&der, &content)
             : rows[i].type == 'o' ? pki_der_oid(&der, &content)
             : rows[i].type == 'b' ? pki_der_boolean(&der, &yes)
             : pki_der_null(&der);

        is_int(rc, rows[i].rc, "%s", rows[i].name);
        ok(der.pos == (rc == PKI_OK ? der.end : before.pos),
           "%s: the reader is where it should be", rows[i].name);

        if (rows[i].type == 'b') {
            is_int(yes, rc != PKI_OK ? 2 : rows[i].in.data[2] == 0xff,
                   "%s: the value", rows[i].name);
        }
    }
}


static void
test_walk(void)
{
    pki_der_t    der, inner, copy;
    pki_bytes_t  content;

    pki_der_init(&der, B("\x30\x07\x04\x01" "A" "\x80\x00\x05\x00\x02"));

    is_int(pki_der_peek(&der), 0x30, "peek");
    is_int(pki_der_enter(&der, 0x31, &inner), PKI_INVALID, "no SET");
    is_int(pki_der_enter(&der, 0x30, &inner), PKI_OK, "enter");
    is_int(pki_der_peek(&der), 0x02, "behind it");
    is_int(pki_der_skip(&der), PKI_INVALID, "half an element");
    is_int(pki_der_read(&inner, 4, &content), PKI_OK, "its first element");
    ok(pki_der_equal(content, B("A")), "its content");

    copy = inner;
    is_int(pki_der_read(&copy, PKI_DER_CONTEXT(0), &content), PKI_OK,
           "a primitive context tag");
    is_int(pki_der_skip(&inner), PKI_OK, "passed over");
    is_int(pki_der_null(&inner), PKI_OK, "NULL");
    is_int(pki_der_peek(&inner), -1, "the end");
    is_int(pki_der_skip(&inner), PKI_INVALID, "nothing behind the end");

    ok(!pki_der_equal(B("A"), B("B")), "other content");
    ok(!pki_der_equal(B("A"), B("AB")), "other length");
    ok(pki_der_equal(B(""), (pki_bytes_t) { NULL, 0 }), "nothing twice");
}


static void
test_writer(void)
{
    size_t                seq, exp;
    ASN1_TYPE            *any;
    unsigned char         buf[64];
    pki_der_writer_t      w;
    const unsigned char  *p;

    pki_der_writer_init(&w, buf, sizeof(buf));

    seq = pki_der_begin(&w, PKI_DER_SEQUENCE, 0);
    pki_der_write(&w, PKI_DER_INTEGER, B("\x05"));
    exp = pki_der_begin(&w, PKI_DER_EXPLICIT(1), 0);
    pki_der_write(&w, PKI_DER_OCTET_STRING, B("hello"));
    pki_der_end(&w, exp);
    pki_der_append(&w, B("\x05\x00"));
    pki_der_end(&w, seq);

    ok(!w.failed, "everything fits");
    is_int(w.pos - w.start, 16, "length");
    is_mem(buf, "\x30\x0e\x02\x01\x05\xa1\x07\x04\x05hello\x05\x00", 16,
           "octets");

    p = buf;
    any = d2i_ASN1_TYPE(NULL, &p, 16);
    ok(any != NULL && p == buf + 16, "OpenSSL reads it");
    ASN1_TYPE_free(any);
}


/* whatever the guess, the octets are the same */

static void
test_guesses(void)
{
    size_t                i, k, inner, outer;
    pki_der_t             der, in;
    pki_bytes_t           content;
    unsigned char        *a, *b;
    pki_der_writer_t      wa, wb;

    static const size_t   sizes[] = { 0, 1, 127, 128, 255, 256, 65535,
                                      65536 };

    a = malloc(70000);
    b = malloc(70000);

    if (a == NULL || b == NULL) {
        ok(0, "memory");
        exit(1);
    }

    for (i = 0; i < 8; i++) {
        for (k = 0; k < 8; k++) {
            memset(a, 'a', 70000);
            memset(b, 'b', 70000);

            content.data = (unsigned char *) calloc(1, sizes[i] + 1);
            content.len = sizes[i];

            if (content.data == NULL) {
                exit(1);
            }

            pki_der_writer_init(&wa, a, 70000);
            pki_der_writer_init(&wb, b, 70000);

            outer = pki_der_begin(&wa, PKI_DER_SEQUENCE, sizes[i] + 2);
            pki_der_write(&wa, PKI_DER_OCTET_STRING, content);
            pki_der_end(&wa, outer);

            outer = pki_der_begin(&wb, PKI_DER_SEQUENCE, sizes[k]);
            inner = pki_der_begin(&wb, PKI_DER_OCTET_STRING, sizes[k]);
            pki_der_append(&wb, content);
            pki_der_end(&wb, inner);
            pki_der_end(&wb, outer);

            pki_der_init(&der, (pki_bytes_t) { b, wb.pos - b });

            ok(!wa.failed && !wb.failed && wa.pos - a == wb.pos - b
               && memcmp(a, b, wa.pos - a) == 0
               && pki_der_enter(&der, PKI_DER_SEQUENCE, &in) == PKI_OK
               && pki_der_peek(&der) == -1,
               "%zu octets, guessed %zu", sizes[i], sizes[k]);

            free((void *) content.data);
        }
    }

    free(a);
    free(b);
}


/* a buffer of any smaller size: failed, and nothing behind it touched */

static void
test_full(void)
{
    size_t             size, seq, mark;
    unsigned           bad;
    unsigned char     *buf, zeros[150];
    pki_der_writer_t   w;

    bad = 0;
    memset(zeros, 0, sizeof(zeros));

    for (size = 0; size <= 174; size++) {
        buf = malloc(size ? size : 1);

        if (buf == NULL) {
            exit(1);
        }

        pki_der_writer_init(&w, size ? buf : NULL, size);

        seq = pki_der_begin(&w, PKI_DER_SEQUENCE, 0);
        mark = pki_der_begin(&w, PKI_DER_OCTET_STRING, 0);
        pki_der_append(&w, (pki_bytes_t) { zeros, sizeof(zeros) });
        pki_der_end(&w, mark);
        pki_der_time(&w, 0);
        pki_der_end(&w, seq);

        /* 3 + 3 + 150 + 17 */

        bad += (w.failed != (size < 173));

        free(buf);
    }

    is_int(bad, 0, "173 octets fit into no less than 173");
}


static void
test_times(void)
{
    char                tell[64];
    time_t              t;
    unsigned            bad, i;
    struct tm           tm;
    unsigned char       buf[32];
    pki_der_writer_t    w;

    static const struct {
        time_t       t;
        const char  *text;
    } rows[] = {
        { 0, "19700101000000Z" },
        { 951782399, "20000228235959Z" },
        { 951782400, "20000229000000Z" },
        { 951868800, "20000301000000Z" },
        { 2147483648LL, "20380119031408Z" },
        { 4107542400LL, "21000301000000Z" },
        { 4107542399LL, "21000228235959Z" },
        { 253402300799LL, "99991231235959Z" }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        pki_der_writer_init(&w, buf, sizeof(buf));
        pki_der_time(&w, rows[i].t);
        memcpy(tell, buf + 2, 15);
        tell[15] = '\0';

        is_str(tell, rows[i].text, "%lld", (long long) rows[i].t);
        ok(buf[0] == 0x18 && buf[1] == 15 && w.pos == buf + 17, "as DER");
    }

    bad = 0;

    /* each day of more than 8000 years, at another time of the day */

    for (t = 0; t <= PKI_DER_TIME_MAX; t += 86400 + 37) {
        pki_der_writer_init(&w, buf, sizeof(buf));
        pki_der_time(&w, t);

        if (gmtime_r(&t, &tm) == NULL
            || strftime(tell, sizeof(tell), "%Y%m%d%H%M%SZ", &tm) != 15
            || memcmp(tell, buf + 2, 15) != 0)
        {
            bad++;
        }
    }

    is_int(bad, 0, "every day until 9999 as gmtime_r() has it");

    pki_der_writer_init(&w, buf, sizeof(buf));
    pki_der_time(&w, -1);
    ok(w.failed, "nothing before the Epoch");

    pki_der_writer_init(&w, buf, sizeof(buf));
    pki_der_time(&w, PKI_DER_TIME_MAX + 1);
    ok(w.failed, "nothing after 9999");
}


static int
read_one(pki_bytes_t in, unsigned tag, size_t *len)
{
    int             rc;
    pki_der_t       der;
    pki_bytes_t     content;
    unsigned char  *copy;

    /* on the heap, so that a sanitizer sees a read too far */

    copy = malloc(in.len ? in.len : 1);
    if (copy == NULL) {
        exit(1);
    }

    if (in.len) {
        memcpy(copy, in.data, in.len);
    }

    pki_der_init(&der, (pki_bytes_t) { in.data ? copy : NULL, in.len });
    rc = pki_der_read(&der, tag, &content);
    *len = rc == PKI_OK ? content.len : 0;

    free(copy);

    return rc;
}

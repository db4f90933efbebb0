
/*
 * pki_bundle.c: what is taken out of a body, in pieces of every size, and
 * what is refused, in which line and with which words.
 */

#include "pki_test.h"

#include "pki_bundle.h"


#define TEST_TEXT   4096
#define TEST_SHOWN  100         /* octets of an item */

#define B   "-----BEGIN CERTIFICATE-----"
#define E   "-----END CERTIFICATE-----"
#define ND  "the PEM block does not end"
#define NB  "it is not base64"
#define NC  "the PEM block is no certificate"


/* want: an item a line, "line:text" or "line!sentence" */

static const struct {
    const char  *body;
    const char  *want;
} test_cases[] = {

    /* nothing */

    { "", "" },
    { " \r\n\t\n", "" },

    /* DER */

    { "0\x82zz", "1:0\x82zz\n" },
    { "0\n0", "1:0\n0\n" },

    /* base64 */

    { "TUlJ", "1:MII\n" },
    { "TUl\r\nJ\n", "1:MII\n" },
    { "\n TUlJTQ==", "2:MIIM\n" },
    { "TUlJTQ", "1:MIIM\n" },
    { "-_-_", "1:\xfb\xff\xbf\n" },
    { "+/+/", "1:\xfb\xff\xbf\n" },
    { "TUlJT", "1!" NB "\n" },
    { "TUlJTQ===", "1!" NB "\n" },
    { "TQ==TQ==", "1!" NB "\n" },
    { "TU*J", "1!" NB "\n" },
    { "====", "1!" NB "\n" },
    { "\xff", "1!" NB "\n" },
    { "-----BEGI CERTIFICATE-----", "1!" NB "\n" },

    /* PEM */

    { B "\nTUlJ\n" E "\n", "1:MII\n" },
    { B "\r\nTUlJ\r\n" E, "1:MII\n" },
    { B "TUlJ" E, "1:MII\n" },
    { B "TUlJ" E B "TUlJTQ==" E, "1:MII\n1:MIIM\n" },
    { "Certificate:\n  Data\n" B "\nTUlJ\n" E "\nmore\n\n" B "\nTUlJTQ==\n"
      E "\nrest", "3:MII\n8:MIIM\n" },
    { "-----BEGIN X509 CERTIFICATE-----\nTUlJ\n-----END X509 CERTIFICATE-----",
      "1:MII\n" },
    { "-" B "TUlJ" E "-", "1:MII\n" },
    { "----------" B "TUlJ" "-----" E, "1!" NB "\n" },
    { "-----BEGIN -----BEGIN CERTIFICATE-----TUlJ" E, "1!" ND "\n1:MII\n" },
    { B "\nTUlJ\n\n" B "\nTUlJ\n" E "\n", "1!" ND "\n4:MII\n" },
    { B "\nTUlJ\n-----END " B "\nTUlJ\n" E, "1!" ND "\n3:MII\n" },
    { B "\nTUlJ\n" E "\n" B "\nTUlJ\n", "1:MII\n4!" ND "\n" },
    { B "\nTUlJ\n-----END CERTIFICATE----", "1!" ND "\n" },
    { B, "1!" ND "\n" },
    { B E, "1!" NB "\n" },
    { B "TUl" E, "1:MI\n" },
    { B "T" E B "TUlJ" E, "1!" NB "\n1:MII\n" },
    { "-----BEGIN PRIVATE KEY-----\nTUlJ\n-----END PRIVATE KEY-----\n" B "TUlJ"
      E, "1!" NC "\n4:MII\n" },
    { "-----BEGIN ENCRYPTED X-----TUlJ-----END ENCRYPTED X-----",
      "1!" NC "\n" },
    { "-----BEGIN \nTUlJ-----END -----", "1!" ND "\n" },
    { "-----BEGIN -----TUlJ-----END X-----", "1!" NC "\n" },
    { B "\nProc-Type: 4\n\nTUlJ\n" E, "1!" NB "\n" },

    /* lines */

    { "{}", "1={}\n" },
    { "{}\n", "1={}\n" },
    { "\n{\"a\":1}\r\n\n  {\"b\":2}\nx\n\n", "2={\"a\":1}\r\n4={\"b\":2}\n5=x\n"
    },
    { "{\"a\":\"" B "\"}\n{}", "1={\"a\":\"" B "\"}\n2={}\n" }
};


/* the body in pieces of `size`, each in a block of just that size */

static void
test_take(const char *body, size_t len, size_t size, char *got)
{
    int                 n, last;
    char               *copy;
    size_t              at;
    pki_rc_t            rc;
    pki_err_t           err;
    pki_bytes_t         piece;
    pki_bundle_t       *bundle;
    pki_bundle_item_t   item;

    bundle = pki_bundle_create();
    n = 0;
    at = 0;
    got[0] = '\0';

    do {
        piece.len = len - at < size ? len - at : size;
        copy = malloc(piece.len ? piece.len : 1);

        if (copy == NULL || bundle == NULL) {
            printf("Bail out! no memory\n");
            exit(1);
        }

        memcpy(copy, body + at, piece.len);
        piece.data = (unsigned char *) copy;
        at += piece.len;
        last = at == len;

        for ( ;; ) {
            rc = pki_bundle_next(bundle, &piece, last, &item, &err);

            if (rc == PKI_NOT_FOUND) {
                break;
            }

            n += snprintf(got + n, TEST_TEXT - n, "%llu%c%.*s\n", item.line,
                          rc != PKI_OK ? '!' : item.json ? '=' : ':',
                          rc != PKI_OK || item.text.len > TEST_SHOWN
                          ? TEST_SHOWN : (int) item.text.len,
                          rc != PKI_OK ? err.text
                                       : (const char *) item.text.data);
        }

        free(copy);

    } while (!last);

    pki_bundle_destroy(bundle);
}


static void
test_table(void)
{
    char    got[TEST_TEXT];
    size_t  i, size, len, sizes;

    for (i = 0; i < sizeof(test_cases) / sizeof(test_cases[0]); i++) {
        len = strlen(test_cases[i].body);
        sizes = 0;

        test_take(test_cases[i].body, len, TEST_TEXT, got);
        is_str(got, test_cases[i].want, "body %zu", i);

        for (size = 1; size < len; size++) {
            test_take(test_cases[i].body, len, size, got);
            sizes += strcmp(got, test_cases[i].want) == 0;
        }

        is_int(sizes, len > 1 ? len - 1 : 0, "in pieces of any size");
    }
}


/* wherever a bundle is cut, what came before the cut is there */

static void
test_truncated(void)
{
    char         got[TEST_TEXT];
    size_t       n, len, whole, failed;
    const char  *body;

    body = "a\n" B "\nTUlJ\n" E "\n" B "\nTUlJTQ==\n" E "\n";
    len = strlen(body);
    whole = strlen("a\n" B "\nTUlJ\n" E);
    failed = 0;

    for (n = 0; n < len; n++) {
        test_take(body, n, 7, got);

        failed += n >= whole && strncmp(got, "2:MII\n", 6) != 0;
        failed += n < whole && strstr(got, "MII") != NULL;
    }

    is_int(failed, 0, "a bundle that is cut");
}


static void
test_long(const char *before, const char *after, size_t most, const char *want)
{
    char    *body, got[TEST_TEXT];
    size_t   fixed, len;

    fixed = strlen(before);
    body = malloc(3 * PKI_BUNDLE_ITEM_MAX + TEST_TEXT);

    if (body == NULL) {
        printf("Bail out! no memory\n");
        exit(1);
    }

    for (len = most; len <= most + 1; len++) {
        memcpy(body, before, fixed);
        memset(body + fixed, 'A', len - fixed);
        memcpy(body + len, after, strlen(after));

        test_take(body, len + strlen(after), 65536, got);

        if (len == most) {
            ok(strstr(got, "longer") == NULL, "\"%s\": the longest", before);

        } else {
            is_str(got, want, "and one octet more");
        }
    }

    len = 3 * PKI_BUNDLE_ITEM_MAX;
    memset(body + most, 'A', len - most);
    memcpy(body + len, after, strlen(after));

    test_take(body, len + strlen(after), 1000, got);
    is_str(got, want, "and many");

    free(body);
}


static void
test_decode(void)
{
    size_t          len;
    pki_err_t       err;
    unsigned char   text[128];

    len = snprintf((char *) text, sizeof(text), "%s", B "TUlJ" E);
    is_int(pki_bundle_decode(text, &len, &err), PKI_OK, "PEM in place");
    is_int(len, 3, "three octets");
    is_mem(text, "MII", 3, "as they are");

    len = 0;
    is_int(pki_bundle_decode(text, &len, &err), PKI_INVALID, "nothing");
    is_str(err.text, NB, "and why");

    len = snprintf((char *) text, sizeof(text), "%s", B "TUlJ");
    is_int(pki_bundle_decode(text, &len, NULL), PKI_INVALID, "half a block");
}


static void
test_many(void)
{
    size_t              i;
    pki_err_t           err;
    pki_bytes_t         piece;
    pki_bundle_t       *bundle;
    pki_bundle_item_t   item;

    static const struct {
        const char  *body;
        int          many;
    } cases[] = {
        { "0\x82", 0 }, { "TUlJ", 0 }, { B "TUlJ" E, 1 }, { "{}", 1 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bundle = pki_bundle_create();
        piece.data = (const unsigned char *) cases[i].body;
        piece.len = strlen(cases[i].body);

        ok(bundle && pki_bundle_next(bundle, &piece, 1, &item, NULL) == PKI_OK,
           "\"%s\"", cases[i].body);
        ok(bundle && pki_bundle_many(bundle) == cases[i].many,
           "may bring %s", cases[i].many ? "more" : "one");

        pki_bundle_destroy(bundle);
    }

    pki_test_fail_at(1);
    ok(pki_bundle_create() == NULL, "no memory");
    pki_test_fail_at(0);

    bundle = pki_bundle_create();
    piece.data = (const unsigned char *) B "TUlJ" E B "TUlJ" E;
    piece.len = strlen((const char *) piece.data);

    pki_test_fail_at(1);
    ok(bundle && pki_bundle_next(bundle, &piece, 1, &item, &err) == PKI_ERROR,
       "no memory for one of two");
    is_str(err.text, "no memory to decode it", "and it says so");
    pki_test_fail_at(0);
    ok(bundle && pki_bundle_next(bundle, &piece, 1, &item, &err) == PKI_OK,
       "which is no harm to the other");

    pki_bundle_destroy(bundle);
}


int
main(void)
{
    pki_test_alloc_hook();

    test_table();
    test_truncated();
    test_long("{", "\n{}", PKI_BUNDLE_ITEM_MAX,
              "1!it is longer than 65536 octets\n2={}\n");
    test_long("0", "", PKI_BUNDLE_ITEM_MAX,
              "1!it is longer than 65536 octets\n");
    test_long("M", "", PKI_BUNDLE_ITEM_MAX,
              "1!it is longer than 65536 octets\n");
    test_long(B, E B "TUlJ" E, PKI_BUNDLE_ITEM_MAX - strlen(E),
              "1!it is longer than 65536 octets\n1:MII\n");
    test_decode();
    test_many();

    return pki_test_done();
}

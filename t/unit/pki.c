
/*
 * pki.c: an error's text is one line, always terminated, and OpenSSL's
 * queue is empty afterwards.
 */

#include "pki_test.h"

#include <openssl/err.h>
#include "pki.h"


static void
test_set(void)
{
    int        i;
    char       big[2 * PKI_ERR_LEN];
    pki_err_t  err;

    pki_err_set(&err, "the key \"%s\" has %d octets", "a", 7);
    is_str(err.text, "the key \"a\" has 7 octets", "a message is formatted");

    pki_err_set(&err, "%s", "a\nb\tc\x01" "d\x7f" "e\xc3\xa4");
    is_str(err.text, "a?b?c?d?e\xc3\xa4", "control characters become '?'");

    pki_err_set(&err, "%s", "");
    is_str(err.text, "", "an empty message");

    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';

    memset(&err, 'y', sizeof(err));
    pki_err_set(&err, "%s", big);
    is_int(strlen(err.text), PKI_ERR_LEN - 1, "a long message is cut");

    for (i = 0; i < PKI_ERR_LEN - 1 && err.text[i] == 'x'; i++) {
        /* void */
    }

    is_int(i, PKI_ERR_LEN - 1, "and what is left is intact");

    pki_err_set(NULL, "%s", big);
    ok(1, "no place to write to is fine");
}


static void
test_ssl(void)
{
    int        i;
    pki_err_t  err;

    ERR_clear_error();

    pki_err_ssl(&err, "cannot %s", "read");
    is_str(err.text, "cannot read", "an empty queue adds nothing");

    ERR_raise(ERR_LIB_X509, ERR_R_INTERNAL_ERROR);
    pki_err_ssl(&err, "cannot read");
    is_str(err.text, "cannot read (SSL: internal error)", "a reason is added");
    is_int(ERR_peek_error(), 0, "and the queue is drained");

    ERR_raise_data(ERR_LIB_X509, ERR_R_INTERNAL_ERROR, "in \"%s\"\n", "x");
    ERR_raise(ERR_LIB_X509, ERR_R_MALLOC_FAILURE);
    pki_err_ssl(&err, "no");
    is_str(err.text, "no (SSL: internal error: in \"x\"?)"
           " (SSL: malloc failure)", "reasons keep their order and data");
    is_int(ERR_peek_error(), 0, "and the queue is drained");

    ERR_raise(ERR_LIB_USER, 77);
    pki_err_ssl(&err, "no");
    is_str(err.text, "no (SSL: unknown)", "a reason without a text");

    ERR_raise(ERR_LIB_X509, ERR_R_INTERNAL_ERROR);
    pki_err_ssl(NULL, "no");
    is_int(ERR_peek_error(), 0, "the queue is drained without a place, too");

    for (i = 0; i < 15; i++) {
        ERR_raise_data(ERR_LIB_X509, ERR_R_INTERNAL_ERROR,
                       "%0100d", i);
    }

    memset(&err, 'y', sizeof(err));
    pki_err_ssl(&err, "many");
    is_int(strlen(err.text), PKI_ERR_LEN - 1, "many reasons are cut");
    is_int(ERR_peek_error(), 0, "and the queue is drained to its end");
}


static void
test_input(void)
{
    pki_err_t  err;

    is_int(pki_err_input(&err, "not %s", "good"), PKI_INVALID, "no reason");
    is_str(err.text, "not good", "the message");

    ERR_raise(ERR_LIB_ASN1, ERR_R_INTERNAL_ERROR);
    is_int(pki_err_input(&err, "a\tb"), PKI_INVALID, "a reason");
    is_str(err.text, "a?b", "that is not told");
    is_int(ERR_peek_error(), 0, "and the queue is drained");

    ERR_raise(ERR_LIB_ASN1, ERR_R_MALLOC_FAILURE);
    ERR_raise(ERR_LIB_ASN1, ERR_R_NESTED_ASN1_ERROR);
    is_int(pki_err_input(&err, "not good"), PKI_ERROR, "memory");
    is_str(err.text, "no memory", "is not the client's fault");

    ERR_raise(ERR_LIB_ASN1, ERR_R_MALLOC_FAILURE);
    is_int(pki_err_input(NULL, "not good"), PKI_ERROR, "without a place");
    is_int(ERR_peek_error(), 0, "and the queue is drained");
}


int
main(void)
{
    test_set();
    test_ssl();
    test_input();

    return pki_test_done();
}

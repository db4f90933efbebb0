
/*
 * Taking a body apart: octet by octet into the buffer of one item.
 *
 * The first octet that is no blank tells what the body is: DER begins with
 * 0x30, a line of JSON with a brace.  All else is text: what stands between
 * "-----BEGIN " and the end of its "-----END " line is an item, and a text
 * without any is base64.  Line ends do not count, since some clients take
 * them out.
 */

#include "pki_bundle.h"

#include <string.h>
#include <openssl/crypto.h>

#include "pki_pem.h"


#define PKI_BUNDLE_BEGIN   "-----BEGIN "
#define PKI_BUNDLE_END     "-----END "
#define PKI_BUNDLE_DASHES  "-----"


typedef enum {
    PKI_BUNDLE_START = 0,
    PKI_BUNDLE_DER,
    PKI_BUNDLE_LINES,
    PKI_BUNDLE_TEXT,                /* outside of a PEM block */
    PKI_BUNDLE_PEM,                 /* inside */
    PKI_BUNDLE_LABEL                /* of its end */
} pki_bundle_state_t;


struct pki_bundle_s {
    pki_bundle_state_t  state;
    unsigned long long  line;       /* of the next octet */
    unsigned long long  first;      /* line of the item */
    unsigned            begin;      /* octets of PKI_BUNDLE_BEGIN that match */
    unsigned            end;        /* of PKI_BUNDLE_END */
    unsigned            dashes;
    unsigned            label:1;    /* has begun */
    unsigned            blocks:1;   /* there was one */
    unsigned            over:1;     /* the item is too long */
    unsigned            ended:1;
    size_t              len;
    unsigned char       data[PKI_BUNDLE_ITEM_MAX];
};


static pki_rc_t pki_bundle_octet(pki_bundle_t *bundle, unsigned char c,
    pki_bundle_item_t *item, pki_err_t *err);
static pki_rc_t pki_bundle_start(pki_bundle_t *bundle, unsigned char c);
static pki_rc_t pki_bundle_text(pki_bundle_t *bundle, unsigned char c,
    pki_bundle_item_t *item, pki_err_t *err);
static void pki_bundle_put(pki_bundle_t *bundle, unsigned char c);
static pki_rc_t pki_bundle_end(pki_bundle_t *bundle, pki_bundle_item_t *item,
    pki_err_t *err);
static pki_rc_t pki_bundle_item(pki_bundle_t *bundle, pki_bundle_item_t *item,
    pki_err_t *err);
static unsigned pki_bundle_match(const char *word, unsigned n,
    unsigned char c);
static const unsigned char *pki_bundle_find(const unsigned char *text,
    size_t len, const char *word);
static int pki_bundle_blank(unsigned char c);


pki_bundle_t *
pki_bundle_create(void)
{
    pki_bundle_t  *bundle;

    bundle = OPENSSL_zalloc(sizeof(pki_bundle_t));

    if (bundle) {
        bundle->line = 1;
        bundle->first = 1;
    }

    return bundle;
}


void
pki_bundle_destroy(pki_bundle_t *bundle)
{
    OPENSSL_free(bundle);
}


int
pki_bundle_many(const pki_bundle_t *bundle)
{
    return bundle->state == PKI_BUNDLE_LINES || bundle->blocks;
}


pki_rc_t
pki_bundle_next(pki_bundle_t *bundle, pki_bytes_t *piece, int last,
    pki_bundle_item_t *item, pki_err_t *err)
{
    pki_rc_t       rc;
    unsigned char  c;

    item->line = bundle->first;
    item->json = bundle->state == PKI_BUNDLE_LINES;
    item->text.data = NULL;
    item->text.len = 0;

    while (piece->len) {
        c = *piece->data++;
        piece->len--;

        rc = pki_bundle_octet(bundle, c, item, err);

        if (c == '\n') {
            bundle->line++;
        }

        if (rc != PKI_NOT_FOUND) {
            return rc;
        }
    }

    if (!last || bundle->ended) {
        return PKI_NOT_FOUND;
    }

    bundle->ended = 1;

    return pki_bundle_end(bundle, item, err);
}


static pki_rc_t
pki_bundle_octet(pki_bundle_t *bundle, unsigned char c,
    pki_bundle_item_t *item, pki_err_t *err)
{
    switch (bundle->state) {

    case PKI_BUNDLE_START:
        return pki_bundle_start(bundle, c);

    case PKI_BUNDLE_DER:
        pki_bundle_put(bundle, c);
        return PKI_NOT_FOUND;

    case PKI_BUNDLE_LINES:
        if (c == '\n') {
            return pki_bundle_item(bundle, item, err);
        }

        if (bundle->len == 0 && !bundle->over) {
            if (pki_bundle_blank(c)) {
                return PKI_NOT_FOUND;
            }

            bundle->first = bundle->line;
        }

        pki_bundle_put(bundle, c);
        return PKI_NOT_FOUND;

    default:
        return pki_bundle_text(bundle, c, item, err);
    }
}


static pki_rc_t
pki_bundle_start(pki_bundle_t *bundle, unsigned char c)
{
    if (pki_bundle_blank(c)) {
        return PKI_NOT_FOUND;
    }

    bundle->first = bundle->line;

    if (c == 0x30) {
        bundle->state = PKI_BUNDLE_DER;

    } else if (c == '{') {
        bundle->state = PKI_BUNDLE_LINES;

    } else {
        bundle->state = PKI_BUNDLE_TEXT;
        bundle->begin = pki_bundle_match(PKI_BUNDLE_BEGIN, 0, c);
    }

    pki_bundle_put(bundle, c);

    return PKI_NOT_FOUND;
}


/* a block that begins inside of another one ends that one, which is refused */

static pki_rc_t
pki_bundle_text(pki_bundle_t *bundle, unsigned char c,
    pki_bundle_item_t *item, pki_err_t *err)
{
    pki_rc_t  rc;

    pki_bundle_put(bundle, c);

    bundle->begin = pki_bundle_match(PKI_BUNDLE_BEGIN, bundle->begin, c);

    if (bundle->begin == sizeof(PKI_BUNDLE_BEGIN) - 1) {
        rc = PKI_NOT_FOUND;

        if (bundle->state != PKI_BUNDLE_TEXT) {
            pki_err_set(err, "the PEM block does not end");
            item->line = bundle->first;
            rc = PKI_INVALID;
        }

        memcpy(bundle->data, PKI_BUNDLE_BEGIN, sizeof(PKI_BUNDLE_BEGIN) - 1);

        bundle->len = sizeof(PKI_BUNDLE_BEGIN) - 1;
        bundle->over = 0;
        bundle->blocks = 1;
        bundle->first = bundle->line;
        bundle->state = PKI_BUNDLE_PEM;
        bundle->begin = 0;
        bundle->end = 0;

        return rc;
    }

    if (bundle->state == PKI_BUNDLE_PEM) {
        bundle->end = pki_bundle_match(PKI_BUNDLE_END, bundle->end, c);

        if (bundle->end == sizeof(PKI_BUNDLE_END) - 1) {
            bundle->state = PKI_BUNDLE_LABEL;
            bundle->dashes = 0;
            bundle->label = 0;
        }

    } else if (bundle->state == PKI_BUNDLE_LABEL) {
        bundle->label |= c != '-';
        bundle->dashes = c == '-' && bundle->label ? bundle->dashes + 1 : 0;

        if (bundle->dashes == sizeof(PKI_BUNDLE_DASHES) - 1) {
            bundle->state = PKI_BUNDLE_TEXT;
            bundle->begin = 0;

            return pki_bundle_item(bundle, item, err);
        }
    }

    return PKI_NOT_FOUND;
}


static void
pki_bundle_put(pki_bundle_t *bundle, unsigned char c)
{
    if (bundle->len == PKI_BUNDLE_ITEM_MAX) {
        bundle->over = 1;
        return;
    }

    bundle->data[bundle->len++] = c;
}


/* what there is when the body ends */

static pki_rc_t
pki_bundle_end(pki_bundle_t *bundle, pki_bundle_item_t *item, pki_err_t *err)
{
    switch (bundle->state) {

    case PKI_BUNDLE_PEM:
    case PKI_BUNDLE_LABEL:
        item->line = bundle->first;
        pki_err_set(err, "the PEM block does not end");
        return PKI_INVALID;

    case PKI_BUNDLE_TEXT:
        if (bundle->blocks) {
            return PKI_NOT_FOUND;
        }

        break;

    default:
        break;
    }

    return pki_bundle_item(bundle, item, err);
}


/* what is in the buffer is whole */

static pki_rc_t
pki_bundle_item(pki_bundle_t *bundle, pki_bundle_item_t *item, pki_err_t *err)
{
    size_t    len;
    pki_rc_t  rc;
    unsigned  over;

    len = bundle->len;
    over = bundle->over;

    bundle->len = 0;
    bundle->over = 0;

    if (len == 0) {
        return PKI_NOT_FOUND;
    }

    item->line = bundle->first;
    item->json = bundle->state == PKI_BUNDLE_LINES;

    if (over) {
        pki_err_set(err, "it is longer than %d octets", PKI_BUNDLE_ITEM_MAX);
        return PKI_INVALID;
    }

    if (bundle->state == PKI_BUNDLE_TEXT) {
        rc = pki_bundle_decode(bundle->data, &len, err);

        if (rc != PKI_OK) {
            return rc;
        }
    }

    item->text.data = bundle->data;
    item->text.len = len;

    return PKI_OK;
}


/* How much of the word matches after c; a run of dashes may begin early. */

static unsigned
pki_bundle_match(const char *word, unsigned n, unsigned char c)
{
    if (c == (unsigned char) word[n]) {
        return n + 1;
    }

    if (c != '-') {
        return 0;
    }

    return n == sizeof(PKI_BUNDLE_DASHES) - 1 ? n : 1;
}


pki_rc_t
pki_bundle_decode(unsigned char *text, size_t *len, pki_err_t *err)
{
    size_t                n;
    pki_rc_t              rc;
    pki_bytes_t           body;
    unsigned char        *der;
    const unsigned char  *p, *q, *last;

    p = text;
    last = text + *len;

    q = pki_bundle_find(p, last - p, PKI_BUNDLE_BEGIN);

    if (q) {
        p = q + sizeof(PKI_BUNDLE_BEGIN) - 1;
        q = pki_bundle_find(p, last - p, PKI_BUNDLE_DASHES);
        n = q ? q - p : 0;

        if (!(n == 11 && memcmp(p, "CERTIFICATE", n) == 0)
            && !(n == 16 && memcmp(p, "X509 CERTIFICATE", n) == 0))
        {
            pki_err_set(err, "the PEM block is no certificate");
            return PKI_INVALID;
        }

        p = q + sizeof(PKI_BUNDLE_DASHES) - 1;
        last = pki_bundle_find(p, last - p, PKI_BUNDLE_END);

        if (last == NULL) {
            pki_err_set(err, "the PEM block does not end");
            return PKI_INVALID;
        }
    }

    body.data = p;
    body.len = last - p;

    rc = pki_pem_base64(body, &der, &n);

    if (rc != PKI_OK) {
        pki_err_set(err, rc == PKI_ERROR ? "no memory to decode it"
                                         : "it is not base64");
        return rc;
    }

    memcpy(text, der, n);
    *len = n;

    OPENSSL_free(der);

    return PKI_OK;
}


static const unsigned char *
pki_bundle_find(const unsigned char *text, size_t len, const char *word)
{
    size_t                n;
    const unsigned char  *p, *last;

    n = strlen(word);
    last = text + len;

    for (p = text; (size_t) (last - p) >= n; p++) {
        if (memcmp(p, word, n) == 0) {
            return p;
        }
    }

    return NULL;
}


static int
pki_bundle_blank(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

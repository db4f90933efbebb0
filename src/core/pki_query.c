
/*
 * The question of a search: the parameters of its URL.
 *
 * They are taken apart here, and read by the table of pki_query_param.c.
 * Those of a token are read in the same way, and may stand beside it again.
 */

#include "pki_query_param.h"
#include "pki_query_token.h"
#include "pki_json.h"

#include <string.h>


#define PKI_QUERY_ARGS_MAX   16384  /* a request line longer than that is not
                                       written by any client */


static pki_rc_t pki_query_split(pki_bytes_t args, pki_query_t *q, char *token,
    pki_err_t *err);
static pki_rc_t pki_query_piece(pki_query_t *q, pki_bytes_t piece,
    char *token, pki_err_t *err);
static pki_rc_t pki_query_take(pki_query_t *q,
    const pki_query_param_t *param, const char *value, size_t len,
    pki_bytes_t piece, pki_err_t *err);
static pki_rc_t pki_query_decode(pki_bytes_t from, char *to, size_t size,
    size_t *len, pki_err_t *err);
static int pki_query_printable(const char *text, size_t len);
static pki_rc_t pki_query_continue(pki_query_t *q, const char *token,
    pki_err_t *err);
static int pki_query_fits(const pki_query_t *q);


pki_rc_t
pki_query_read(pki_bytes_t args, pki_query_t *q, pki_err_t *err)
{
    char      token[PKI_QUERY_TOKEN_MAX + 1];
    pki_rc_t  rc;

    token[0] = '\0';

    if (args.len > PKI_QUERY_ARGS_MAX) {
        pki_err_set(err, "The parameters are too long.");
        return PKI_INVALID;
    }

    rc = pki_query_split(args, q, token, err);

    return rc == PKI_OK && token[0] ? pki_query_continue(q, token, err) : rc;
}


/* token NULL: these come out of one, and have none */

static pki_rc_t
pki_query_split(pki_bytes_t args, pki_query_t *q, char *token, pki_err_t *err)
{
    pki_rc_t              rc;
    pki_bytes_t           piece;
    const unsigned char  *p, *last, *end;

    memset(q, 0, sizeof(pki_query_t));
    q->size = PKI_QUERY_PAGE;

    if (args.len == 0) {
        return PKI_OK;
    }

    last = args.data + args.len;

    for (p = args.data; p < last; p = end + 1) {

        end = memchr(p, '&', (size_t) (last - p));
        if (end == NULL) {
            end = last;
        }

        piece.data = p;
        piece.len = (size_t) (end - p);

        rc = pki_query_piece(q, piece, token, err);
        if (rc != PKI_OK) {
            return rc;
        }
    }

    return PKI_OK;
}


static pki_rc_t
pki_query_piece(pki_query_t *q, pki_bytes_t piece, char *token,
    pki_err_t *err)
{
    char                      name[PKI_QUERY_PARAM_MAX + 1];
    char                      value[PKI_QUERY_TOKEN_MAX + 1];
    size_t                    len;
    pki_bytes_t               part;
    const unsigned char      *equal;
    const pki_query_param_t  *param;

    if (piece.len == 0) {
        return PKI_OK;
    }

    equal = memchr(piece.data, '=', piece.len);

    part.data = piece.data;
    part.len = equal ? (size_t) (equal - piece.data) : piece.len;

    if (pki_query_decode(part, name, sizeof(name), &len, err) != PKI_OK) {
        return PKI_INVALID;
    }

    param = pki_query_param(name);

    if (param == NULL) {
        pki_err_set(err, "There is no parameter \"%s\".", name);
        return PKI_INVALID;
    }

    if (equal == NULL) {
        return PKI_OK;
    }

    part.data = equal + 1;
    part.len = piece.len - (size_t) (part.data - piece.data);

    if (pki_query_decode(part, value, sizeof(value), &len, err) != PKI_OK) {
        return PKI_INVALID;
    }

    if (len == 0) {
        return PKI_OK;
    }

    if (param->id != PKI_QUERY_SOURCES && (q->seen & 1u << param->id)) {
        pki_err_set(err, "\"%s\" is given twice.", param->name);
        return PKI_INVALID;
    }

    q->seen |= 1u << param->id;

    if (param->id == PKI_QUERY_CONTINUE) {

        if (token == NULL) {
            return PKI_INVALID;
        }

        memcpy(token, value, len + 1);

        return PKI_OK;
    }

    return pki_query_take(q, param, value, len, piece, err);
}


/* reads a value, and keeps the parameter for the token */

static pki_rc_t
pki_query_take(pki_query_t *q, const pki_query_param_t *param,
    const char *value, size_t len, pki_bytes_t piece, pki_err_t *err)
{
    if (!pki_query_printable(value, len)) {
        pki_err_set(err, "\"%s\" is not text in UTF-8 without control "
                    "characters.", param->name);
        return PKI_INVALID;
    }

    if (param->read(q, (char *) q + param->offset, value, len) != PKI_OK) {
        pki_err_set(err, "\"%s\" %s.", param->name, param->rule);
        return PKI_INVALID;
    }

    if (param->id == PKI_QUERY_SIZE) {
        return PKI_OK;
    }

    if (piece.len + 1 > PKI_QUERY_TEXT_MAX - q->len) {
        pki_err_set(err, "The parameters are too long.");
        return PKI_INVALID;
    }

    if (q->len) {
        q->text[q->len++] = '&';
    }

    memcpy(q->text + q->len, piece.data, piece.len);
    q->len += piece.len;

    return PKI_OK;
}


/* RFC 3986, 2.1, and a '+' for a space, as forms write it */

static pki_rc_t
pki_query_decode(pki_bytes_t from, char *to, size_t size, size_t *len,
    pki_err_t *err)
{
    int            high, low;
    size_t         i, n;
    unsigned char  c;

    n = 0;

    for (i = 0; i < from.len; i++) {
        c = from.data[i];

        if (c == '+') {
            c = ' ';

        } else if (c == '%') {
            high = i + 2 < from.len ? pki_query_hex(from.data[i + 1]) : -1;
            low = i + 2 < from.len ? pki_query_hex(from.data[i + 2]) : -1;

            if (high < 0 || low < 0) {
                pki_err_set(err, "A \"%%\" is not followed by two digits of "
                            "hexadecimal.");
                return PKI_INVALID;
            }

            c = (unsigned char) (high << 4 | low);
            i += 2;
        }

        if (c == '\0') {
            pki_err_set(err, "A parameter holds a NUL.");
            return PKI_INVALID;
        }

        if (n + 1 == size) {
            pki_err_set(err, "A parameter's name or value is too long.");
            return PKI_INVALID;
        }

        to[n++] = (char) c;
    }

    to[n] = '\0';
    *len = n;

    return PKI_OK;
}


static int
pki_query_printable(const char *text, size_t len)
{
    size_t                i, n;
    const unsigned char  *p;

    p = (const unsigned char *) text;

    for (i = 0; i < len; i += n) {
        n = pki_json_utf8(p + i, len - i);

        if (n == 0 || p[i] < 0x20 || p[i] == 0x7f) {
            return 0;
        }
    }

    return 1;
}


/*
 * The parameters are those of the token; others may stand beside it only to
 * say the same, but for the size of the page.
 */

static pki_rc_t
pki_query_continue(pki_query_t *q, const char *token, pki_err_t *err)
{
    char                      text[PKI_QUERY_TOKEN_MAX];
    pki_err_t                 why;
    pki_bytes_t               args;
    pki_query_t               told;
    pki_query_position_t      after;
    const pki_query_param_t  *param;

    if (pki_query_token_open(token, text, &after, &args) != PKI_OK
        || pki_query_split(args, &told, NULL, &why) != PKI_OK
        || (told.seen & 1u << PKI_QUERY_SIZE))
    {
        pki_err_set(err, "\"continuationToken\" is not one of ours.");
        return PKI_INVALID;
    }

    for (param = pki_query_params(); param->name; param++) {

        if (param->size == 0 || param->id == PKI_QUERY_SIZE
            || !(q->seen & 1u << param->id))
        {
            continue;
        }

        if (!(told.seen & 1u << param->id)
            || memcmp((char *) q + param->offset,
                      (char *) &told + param->offset, param->size) != 0)
        {
            pki_err_set(err, "\"%s\" is another than that of the "
                        "continuationToken, which carries it.", param->name);
            return PKI_INVALID;
        }
    }

    told.after = after;
    told.size = (q->seen & 1u << PKI_QUERY_SIZE) ? q->size : after.size;
    told.seen |= q->seen;

    if (!pki_query_fits(&told)) {
        pki_err_set(err, "\"continuationToken\" is not one of ours.");
        return PKI_INVALID;
    }

    *q = told;

    return PKI_OK;
}


/* is the position of the kind that this question leads to? */

static int
pki_query_fits(const pki_query_t *q)
{
    if (q->size == 0 || q->size > PKI_QUERY_PAGE_MAX) {
        return 0;
    }

    if (q->after.sorted) {
        return q->sort != PKI_QUERY_NEWEST || q->exact[0] || q->thumbprint[0]
               || q->object[0];
    }

    return q->sort == PKI_QUERY_NEWEST && !q->thumbprint[0] && !q->object[0];
}

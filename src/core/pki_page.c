
/*
 * A page: the events of a stream, and a tree of the names that are wanted.
 *
 * The reader walks that tree along with the reply: inside an object that is
 * a node, a name either leads to a child or its value is skipped, of which
 * nothing is left but a count of brackets.  The strings of one item share a
 * block that is used again for the next.
 */

#include "pki_page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

#include "pki_json.h"
#include "pki_stream.h"


#define PKI_PAGE_NUMBER    24       /* "-9223372036854775808" */
#define PKI_PAGE_TEXT_MIN  512      /* a block for strings, at first */


typedef struct pki_page_node_s  pki_page_node_t;

struct pki_page_node_s {
    const char         *name;
    size_t              len;
    pki_page_node_t    *parent;
    pki_page_node_t    *child;          /* the first one */
    pki_page_node_t    *next;           /* of the same parent */
    int                 value;          /* its number; -1: none is wanted */
    size_t              seen;           /* in this item, counted from 1 */
    size_t              entered;        /* likewise, as an object */
};


typedef struct {
    pki_value_t         values[PKI_PAGE_PATHS];
    size_t              at[PKI_PAGE_PATHS];     /* of a string in the text */
    char               *text;
    size_t              len;
    size_t              size;
} pki_page_values_t;


/* Its creator owns it; one thread at a time. */

struct pki_page_s {
    const pki_page_shape_t   *shape;
    pki_page_item_pt          item;
    void                     *data;

    pki_stream_t             *stream;
    pki_rc_t                  rc;           /* of the first failure */
    pki_err_t                *err;          /* of the call that runs */

    unsigned                  depth;
    unsigned                  skip;         /* the depth of what is skipped */
    unsigned                  list_depth;   /* 0: not in the list */
    unsigned                  list_seen:1;
    unsigned                  in_item:1;
    unsigned                  again:1;      /* next was there before */
    size_t                    items;

    pki_page_node_t          *node;         /* whose object this is */
    pki_page_node_t          *next;         /* whose value comes next */
    pki_page_node_t          *list;

    pki_page_values_t         top_values;
    pki_page_values_t         item_values;

    unsigned                  nnodes;
    pki_page_node_t           nodes[];      /* first the two roots */
};

#define PKI_PAGE_TOP   0
#define PKI_PAGE_ITEM  1


static size_t pki_page_count(const char *const *paths);
static int pki_page_paths(pki_page_t *page, pki_page_node_t *root,
    const char *const *paths);
static pki_page_node_t *pki_page_child(pki_page_t *page,
    pki_page_node_t *node, const char *name, size_t len);
static pki_page_node_t *pki_page_find(const pki_page_node_t *node,
    const char *name, size_t len);
static pki_rc_t pki_page_done(pki_page_t *page, pki_rc_t rc);

static int pki_page_on_map(void *ctx);
static int pki_page_on_map_end(void *ctx);
static int pki_page_on_array(void *ctx);
static int pki_page_on_array_end(void *ctx);
static int pki_page_on_name(void *ctx, const unsigned char *p, size_t len);
static int pki_page_on_null(void *ctx);
static int pki_page_on_boolean(void *ctx, int yes);
static int pki_page_on_number(void *ctx, const char *p, size_t len);
static int pki_page_on_string(void *ctx, const unsigned char *p, size_t len);

static int pki_page_enter(pki_page_t *page, pki_page_node_t **node);
static int pki_page_begin(pki_page_t *page);
static int pki_page_scalar(pki_page_t *page, const pki_value_t *value);
static int pki_page_set(pki_page_t *page, const pki_page_node_t *node,
    const pki_value_t *value);
static int pki_page_store(pki_page_t *page, pki_page_values_t *v, int n,
    const pki_value_t *value);
static void pki_page_spoil(pki_page_t *page, const pki_page_node_t *node);
static int pki_page_text(const unsigned char *p, size_t len);
static int pki_page_refuse(pki_page_t *page, const char *reason);


static const pki_value_t  pki_page_absent;      /* all zero */

static const pki_value_t  pki_page_other = {
    .type = PKI_VALUE_OTHER
};


static const yajl_callbacks  pki_page_callbacks = {
    pki_page_on_null,
    pki_page_on_boolean,
    NULL,
    NULL,
    pki_page_on_number,
    pki_page_on_string,
    pki_page_on_map,
    pki_page_on_name,
    pki_page_on_map_end,
    pki_page_on_array,
    pki_page_on_array_end
};


pki_page_t *
pki_page_create(const pki_page_shape_t *shape, pki_page_item_pt item,
    void *data)
{
    size_t       n;
    pki_page_t  *page;

    /* the roots, and the list */

    n = 3 + pki_page_count(shape->top) + pki_page_count(shape->item);

    page = OPENSSL_zalloc(sizeof(pki_page_t) + n * sizeof(pki_page_node_t));

    if (page == NULL) {
        return NULL;
    }

    page->shape = shape;
    page->item = item;
    page->data = data;

    page->nnodes = 2;
    page->nodes[PKI_PAGE_TOP].value = -1;
    page->nodes[PKI_PAGE_ITEM].value = -1;

    if (!pki_page_paths(page, &page->nodes[PKI_PAGE_TOP], shape->top)
        || !pki_page_paths(page, &page->nodes[PKI_PAGE_ITEM], shape->item))
    {
        pki_page_destroy(page);
        return NULL;
    }

    if (shape->list && *shape->list) {
        page->list = pki_page_child(page, &page->nodes[PKI_PAGE_TOP],
                                    shape->list, strlen(shape->list));
    }

    page->stream = pki_stream_create(&pki_page_callbacks, page);

    if (page->stream == NULL) {
        pki_page_destroy(page);
        return NULL;
    }

    return page;
}


void
pki_page_destroy(pki_page_t *page)
{
    if (page == NULL) {
        return;
    }

    pki_stream_destroy(page->stream);
    OPENSSL_free(page->top_values.text);
    OPENSSL_free(page->item_values.text);
    OPENSSL_free(page);
}


/* How many nodes the paths can need. */

static size_t
pki_page_count(const char *const *paths)
{
    size_t       n;
    const char  *p;

    n = 0;

    for ( /* void */ ; paths && *paths; paths++) {
        for (p = *paths, n++; *p; p++) {
            n += *p == '/';
        }
    }

    return n;
}


static int
pki_page_paths(pki_page_t *page, pki_page_node_t *root,
    const char *const *paths)
{
    int               n;
    size_t            len;
    const char       *p;
    pki_page_node_t  *node;

    for (n = 0; paths && paths[n]; n++) {
        node = root;

        for (p = paths[n]; ; p += len + 1) {
            len = strcspn(p, "/");
            node = pki_page_child(page, node, p, len);

            if (p[len] == '\0') {
                break;
            }
        }

        if (n == PKI_PAGE_PATHS || node->value >= 0) {
            return 0;
        }

        node->value = n;
    }

    return 1;
}


/* The child of this name; a new one if there is none. */

static pki_page_node_t *
pki_page_child(pki_page_t *page, pki_page_node_t *node, const char *name,
    size_t len)
{
    pki_page_node_t  *child, **link;

    child = pki_page_find(node, name, len);

    if (child) {
        return child;
    }

    for (link = &node->child; *link; link = &(*link)->next) { /* void */ }

    child = &page->nodes[page->nnodes++];
    child->name = name;
    child->len = len;
    child->parent = node;
    child->value = -1;

    *link = child;

    return child;
}


static pki_page_node_t *
pki_page_find(const pki_page_node_t *node, const char *name, size_t len)
{
    pki_page_node_t  *child;

    for (child = node->child; child; child = child->next) {
        if (child->len == len && memcmp(child->name, name, len) == 0) {
            return child;
        }
    }

    return NULL;
}


pki_rc_t
pki_page_feed(pki_page_t *page, const char *text, size_t len, pki_err_t *err)
{
    pki_bytes_t  piece;

    page->err = err;

    if (page->rc != PKI_OK) {
        (void) pki_page_refuse(page, "the reply was refused before");
        return page->rc;
    }

    piece.data = (const unsigned char *) text;
    piece.len = len;

    return pki_page_done(page, pki_stream_feed(page->stream, piece, err));
}


pki_rc_t
pki_page_end(pki_page_t *page, pki_err_t *err)
{
    pki_rc_t  rc;

    page->err = err;

    if (page->rc != PKI_OK) {
        (void) pki_page_refuse(page, "the reply was refused before");
        return page->rc;
    }

    rc = pki_page_done(page, pki_stream_end(page->stream, err));

    if (rc == PKI_OK && page->shape->list && !page->list_seen) {
        pki_err_set(err, "the reply holds no list");
        return PKI_NOT_FOUND;
    }

    return rc;
}


/* a callback that ended the stream has said why */

static pki_rc_t
pki_page_done(pki_page_t *page, pki_rc_t rc)
{
    page->err = NULL;

    if (page->rc == PKI_OK) {
        page->rc = rc;
    }

    return page->rc;
}


const pki_value_t *
pki_page_top(const pki_page_t *page, unsigned n)
{
    return n < PKI_PAGE_PATHS ? &page->top_values.values[n]
                              : &pki_page_absent;
}


size_t
pki_page_items(const pki_page_t *page)
{
    return page->items;
}


static int
pki_page_on_map(void *ctx)
{
    pki_page_t  *page = ctx;

    pki_page_node_t  *node;

    if (!pki_page_enter(page, &node)) {
        return 0;
    }

    if (page->skip) {
        return 1;
    }

    if (page->depth == 1) {
        if (page->shape->list && *page->shape->list == '\0') {
            return pki_page_refuse(page, "the reply is no array");
        }

        page->node = &page->nodes[PKI_PAGE_TOP];
        return 1;
    }

    if (page->list_depth && page->depth == page->list_depth + 1) {
        return pki_page_begin(page);
    }

    if (node && node == page->list) {
        return pki_page_refuse(page, "the list is no array");
    }

    if (node && node->child && !page->again) {
        node->entered = node->seen;
        page->node = node;

    } else {
        page->skip = page->depth;
    }

    if (node && page->again) {
        pki_page_spoil(page, node->child);
    }

    return node ? pki_page_set(page, node, &pki_page_other) : 1;
}


static int
pki_page_on_map_end(void *ctx)
{
    pki_page_t  *page = ctx;

    if (page->depth-- == page->skip) {
        page->skip = 0;
        return 1;
    }

    if (page->skip) {
        return 1;
    }

    if (page->node != &page->nodes[PKI_PAGE_ITEM]) {
        page->node = page->node->parent;
        return 1;
    }

    page->in_item = 0;
    page->node = page->list ? page->list->parent : NULL;

    if (page->item) {
        page->rc = page->item(page->data, page->item_values.values);
    }

    return page->rc == PKI_OK;
}


static int
pki_page_on_array(void *ctx)
{
    pki_page_t  *page = ctx;

    pki_page_node_t  *node;

    if (!pki_page_enter(page, &node)) {
        return 0;
    }

    if (page->skip) {
        return 1;
    }

    if (page->list_depth && page->depth == page->list_depth + 1) {
        return pki_page_refuse(page, "an item is no object");
    }

    if (page->depth == 1) {
        if (page->shape->list == NULL || *page->shape->list) {
            return pki_page_refuse(page, "the reply is no object");
        }

        page->list_seen = 1;
        page->list_depth = 1;
        return 1;
    }

    if (node && node == page->list) {
        page->list_seen = 1;
        page->list_depth = page->depth;

    } else {
        page->skip = page->depth;
    }

    return node ? pki_page_set(page, node, &pki_page_other) : 1;
}


static int
pki_page_on_array_end(void *ctx)
{
    pki_page_t  *page = ctx;

    if (page->depth == page->skip) {
        page->skip = 0;

    } else if (page->depth == page->list_depth) {
        page->list_depth = 0;
    }

    page->depth--;

    return 1;
}


static int
pki_page_on_name(void *ctx, const unsigned char *p, size_t len)
{
    pki_page_t  *page = ctx;

    size_t            item;
    pki_page_node_t  *node;

    if (page->skip) {
        return 1;
    }

    node = pki_page_find(page->node, (const char *) p, len);
    page->next = node;

    if (node == NULL) {
        return 1;
    }

    item = page->in_item ? page->items : 1;
    page->again = node->seen == item;
    node->seen = item;

    if (page->again && node == page->list) {
        return pki_page_refuse(page, "the list is there twice");
    }

    if (page->again && node->entered == item) {
        pki_page_spoil(page, node->child);
    }

    return 1;
}


static int
pki_page_on_null(void *ctx)
{
    pki_value_t  value = { .type = PKI_VALUE_NULL };

    return pki_page_scalar(ctx, &value);
}


static int
pki_page_on_boolean(void *ctx, int yes)
{
    pki_value_t  value = { .type = PKI_VALUE_BOOLEAN, .integer = yes != 0 };

    return pki_page_scalar(ctx, &value);
}


/* the text of a number, since yajl's own conversion may overflow */

static int
pki_page_on_number(void *ctx, const char *p, size_t len)
{
    pki_page_t  *page = ctx;

    char         number[PKI_PAGE_NUMBER];
    pki_value_t  value = pki_page_other;

    if (page->skip || page->next == NULL || len >= PKI_PAGE_NUMBER) {
        return pki_page_scalar(page, &value);
    }

    memcpy(number, p, len);
    number[len] = '\0';

    if (strcspn(number, ".eE") == len) {
        errno = 0;
        value.integer = strtoll(number, NULL, 10);

        if (errno == ERANGE) {
            value.integer = 0;

        } else {
            value.type = PKI_VALUE_INTEGER;
        }
    }

    return pki_page_scalar(page, &value);
}


static int
pki_page_on_string(void *ctx, const unsigned char *p, size_t len)
{
    pki_page_t  *page = ctx;

    pki_value_t  value = pki_page_other;

    if (!page->skip && page->next && len <= PKI_PAGE_STRING_MAX
        && pki_page_text(p, len))
    {
        value.type = PKI_VALUE_STRING;
        value.string = (const char *) p;
        value.len = len;
    }

    return pki_page_scalar(page, &value);
}


/* Goes one level down; *node is whose value begins there, or NULL. */

static int
pki_page_enter(pki_page_t *page, pki_page_node_t **node)
{
    *node = page->next;
    page->next = NULL;

    if (++page->depth > PKI_PAGE_DEPTH) {
        return pki_page_refuse(page, "the reply is nested too deep");
    }

    return 1;
}


static int
pki_page_begin(pki_page_t *page)
{
    pki_page_values_t  *v = &page->item_values;

    if (page->items == PKI_PAGE_ITEMS_MAX) {
        return pki_page_refuse(page, "the reply has too many items");
    }

    page->items++;
    page->in_item = 1;
    page->node = &page->nodes[PKI_PAGE_ITEM];

    memset(v->values, 0, sizeof(v->values));
    v->len = 0;

    return 1;
}


static int
pki_page_scalar(pki_page_t *page, const pki_value_t *value)
{
    pki_page_node_t  *node;

    if (page->skip) {
        return 1;
    }

    if (page->depth == 0) {
        return pki_page_refuse(page, "the reply is no object");
    }

    if (page->depth == page->list_depth) {
        return pki_page_refuse(page, "an item is no object");
    }

    node = page->next;
    page->next = NULL;

    if (node == NULL) {
        return 1;
    }

    if (node == page->list) {
        return pki_page_refuse(page, "the list is no array");
    }

    return pki_page_set(page, node, value);
}


/* a value may come again if it is the same */

static int
pki_page_set(pki_page_t *page, const pki_page_node_t *node,
    const pki_value_t *value)
{
    pki_value_t        *was;
    pki_page_values_t  *v;

    if (node->value < 0) {
        return 1;
    }

    v = page->in_item ? &page->item_values : &page->top_values;
    was = &v->values[node->value];

    if (was->type == PKI_VALUE_ABSENT) {
        return pki_page_store(page, v, node->value, value);
    }

    if (was->type != value->type || was->integer != value->integer
        || was->len != value->len
        || (was->len && memcmp(was->string, value->string, was->len) != 0))
    {
        *was = pki_page_other;
    }

    return 1;
}


static int
pki_page_store(pki_page_t *page, pki_page_values_t *v, int n,
    const pki_value_t *value)
{
    int     i;
    char   *text;
    size_t  size;

    v->values[n] = *value;

    if (value->type != PKI_VALUE_STRING) {
        return 1;
    }

    v->at[n] = v->len;

    if (v->size - v->len < value->len + 1) {
        size = 2 * v->size + value->len + PKI_PAGE_TEXT_MIN;
        text = OPENSSL_realloc(v->text, size);

        if (text == NULL) {
            pki_err_ssl(page->err, "no memory to read a reply");
            page->rc = PKI_ERROR;
            v->values[n] = pki_page_absent;
            return 0;
        }

        v->text = text;
        v->size = size;

        for (i = 0; i < PKI_PAGE_PATHS; i++) {
            if (v->values[i].type == PKI_VALUE_STRING) {
                v->values[i].string = text + v->at[i];
            }
        }
    }

    text = v->text + v->len;

    if (value->len) {
        memcpy(text, value->string, value->len);
    }

    text[value->len] = '\0';

    v->values[n].string = text;
    v->len += value->len + 1;

    return 1;
}


/* of two objects under one name, none is asked for what it holds */

static void
pki_page_spoil(pki_page_t *page, const pki_page_node_t *node)
{
    pki_page_values_t  *v;

    v = page->in_item ? &page->item_values : &page->top_values;

    for ( /* void */ ; node; node = node->next) {

        if (node->value >= 0) {
            v->values[node->value] = pki_page_other;
        }

        pki_page_spoil(page, node->child);
    }
}


/* Is this UTF-8 without a NUL? */

static int
pki_page_text(const unsigned char *p, size_t len)
{
    size_t  i, n;

    for (i = 0; i < len; i += n) {
        n = 1;

        if (p[i] >= 0x80) {
            n = pki_json_utf8(p + i, len - i);
        }

        if (n == 0 || p[i] == '\0') {
            return 0;
        }
    }

    return 1;
}


static int
pki_page_refuse(pki_page_t *page, const char *reason)
{
    pki_err_set(page->err, "%s", reason);

    if (page->rc == PKI_OK) {
        page->rc = PKI_INVALID;
    }

    return 0;
}

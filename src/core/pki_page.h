
/*
 * A reply of a directory, parsed while it arrives: a listing of items
 * within an envelope, or a single object.
 *
 * The caller names the members it wants by their paths; all others are
 * skipped, however deep, and cost no memory.  Bounds hold for all: depth,
 * the length of a string, the number of items.  Nothing is guessed: what is
 * absent, null or of another type is told as that.
 */

#ifndef PKI_PAGE_H
#define PKI_PAGE_H


#include "pki.h"


#define PKI_PAGE_PATHS       24     /* of an item, or of the envelope */
#define PKI_PAGE_DEPTH       64     /* real replies stay below ten */
#define PKI_PAGE_STRING_MAX  16384  /* of a wanted string; links are long */
#define PKI_PAGE_ITEMS_MAX   10000  /* ten times the largest real page */


typedef enum {
    PKI_VALUE_ABSENT = 0,
    PKI_VALUE_NULL,
    PKI_VALUE_BOOLEAN,
    PKI_VALUE_INTEGER,
    PKI_VALUE_STRING,
    PKI_VALUE_OTHER         /* an object, an array, a fraction, a number out
                               of range, a string that is too long, is not
                               UTF-8 or holds a NUL, or two unlike values
                               or two objects under one name */
} pki_value_type_t;


typedef struct {
    pki_value_type_t   type;
    long long          integer;     /* also 0 or 1 of a boolean */
    const char        *string;      /* terminated */
    size_t             len;
} pki_value_t;


/*
 * What is wanted.  A path is the names of members, joined by
 * '/', as in "general/remoteManagement/managed" (no wanted name of any
 * directory holds a slash); names are compared exactly.  A path through a
 * value that is no object is ABSENT.
 */

typedef struct {
    const char        *list;        /* the member of the envelope that holds
                                       the items, "value"; "" when the reply
                                       is itself the array; NULL: no list */
    const char *const *item;        /* paths within an item; NULL-terminated */
    const char *const *top;         /* paths in the envelope, likewise */
} pki_page_shape_t;


typedef struct pki_page_s  pki_page_t;

/*
 * Called at the end of each item, with a value for each of shape->item.
 * The values are gone when it returns.  PKI_OK goes on; anything else ends
 * the page, and pki_page_feed() or pki_page_end() returns it, err untouched.
 */
typedef pki_rc_t (*pki_page_item_pt)(void *data, const pki_value_t *values);


/*
 * shape is not copied and must outlive the page.  NULL: no memory, or a shape
 * with too many paths or one of them twice.
 */
pki_page_t *pki_page_create(const pki_page_shape_t *shape,
    pki_page_item_pt item, void *data);
void pki_page_destroy(pki_page_t *page);            /* accepts NULL */

/*
 * The next octets, in pieces of any size; up to 64 KB of them wait for more,
 * or for the end, before they are read.  PKI_INVALID with a sentence in
 * err, which names no value: not JSON, not an object at the top (or, with
 * list "", not an array), the list is there and is no array or twice, an
 * item that is no object, a bound exceeded, octets after the end.
 * PKI_ERROR: memory.  After a failure each call fails.
 */
pki_rc_t pki_page_feed(pki_page_t *page, const char *text, size_t len,
    pki_err_t *err);

/*
 * The reply has ended.  PKI_INVALID: it was not complete, or what stands
 * above.  PKI_NOT_FOUND: it was complete, but held no list (with shape->list
 * set).  An envelope with "error" and no list is PKI_NOT_FOUND as well; its
 * values can be read.
 */
pki_rc_t pki_page_end(pki_page_t *page, pki_err_t *err);

/* A value of shape->top; owned by the page. */
const pki_value_t *pki_page_top(const pki_page_t *page, unsigned n);

/* Items so far. */
size_t pki_page_items(const pki_page_t *page);


#endif /* PKI_PAGE_H */


/*
 * A round for the tests of a dialect, without an engine: what next() sets up
 * is recorded, replies are texts, fed through pki_page in small pieces.
 */

#ifndef PKI_TEST_ROUND_H
#define PKI_TEST_ROUND_H


#include "pki_test.h"

#include <stdarg.h>
#include "pki_dialect.h"


#define TEST_NOW    1790000000      /* 2026-09-21T14:13:20Z */
#define TEST_ITEMS  256


static pki_directory_conf_t  test_conf;
static pki_round_t           test_round;
static pki_page_t           *test_page;
static const pki_page_shape_t  *test_shape;
static char                  test_url[8192];    /* the last request */
static unsigned              test_gets;
static char                  test_said[512];    /* pki_round_fail() */
static pki_item_t            test_items[TEST_ITEMS];
static char                  test_names[TEST_ITEMS][64];
static char                  test_keys[TEST_ITEMS][256];
static unsigned              test_nitems;
static unsigned              test_told;
static unsigned              test_invalid;
static unsigned              test_not_ours;


pki_next_t
pki_round_get(pki_round_t *round, const pki_page_shape_t *shape,
    const char *format, ...)
{
    int      n;
    va_list  args;

    (void) round;

    va_start(args, format);
    n = vsnprintf(test_url, sizeof(test_url), format, args);
    va_end(args);

    if (n < 0 || (size_t) n >= sizeof(test_url)) {
        abort();
    }

    test_shape = shape;
    test_gets++;

    return PKI_NEXT_FETCH;
}


pki_next_t
pki_round_follow(pki_round_t *round, const pki_page_shape_t *shape,
    const pki_value_t *link)
{
    return pki_round_get(round, shape, "%s", link->string);
}


pki_next_t
pki_round_post(pki_round_t *round, const pki_page_shape_t *shape,
    const char *method, const char *url, int foreign, pki_bytes_t body,
    const char *const *headers)
{
    (void) foreign;
    (void) body;
    (void) headers;

    return pki_round_get(round, shape, "%s %s", method, url);
}


pki_next_t
pki_round_link(pki_round_t *round, const pki_value_t *link)
{
    (void) round;
    (void) link;

    abort();
}


pki_next_t
pki_round_fail(pki_round_t *round, const char *format, ...)
{
    va_list  args;

    (void) round;

    va_start(args, format);
    (void) vsnprintf(test_said, sizeof(test_said), format, args);
    va_end(args);

    return PKI_NEXT_FAIL;
}


/* the strings of an item are gone when it ends, so some are copied */

static pki_rc_t
test_item(void *data, const pki_value_t *values)
{
    pki_rc_t     rc;
    pki_item_t  *item;

    (void) data;

    test_told++;

    if (test_nitems == TEST_ITEMS) {
        abort();
    }

    item = &test_items[test_nitems];
    rc = test_round.resource->item(&test_conf, values, TEST_NOW, item);

    if (rc == PKI_INVALID) {
        test_invalid++;
        return PKI_OK;
    }

    if (rc == PKI_NOT_FOUND) {
        test_not_ours++;
        return PKI_OK;
    }

    if (item->object.name) {
        (void) snprintf(test_names[test_nitems], sizeof(test_names[0]), "%s",
                        item->object.name);
        item->object.name = test_names[test_nitems];
    }

    if (item->object.key) {
        (void) snprintf(test_keys[test_nitems], sizeof(test_keys[0]), "%s",
                        item->object.key);
        item->object.key = test_keys[test_nitems];
    }

    test_nitems++;

    return PKI_OK;
}


/* reads a text by a shape; returns what pki_page_end() said */

static pki_rc_t
test_read(const pki_page_shape_t *shape, pki_page_item_pt item,
    const char *text)
{
    size_t     i, len, n;
    pki_err_t  err;

    pki_page_destroy(test_page);
    test_page = pki_page_create(shape, item, NULL);

    if (test_page == NULL) {
        abort();
    }

    len = strlen(text);

    for (i = 0; i < len; i += n) {
        n = len - i < 7 ? len - i : 7;

        if (pki_page_feed(test_page, text + i, n, &err) != PKI_OK) {
            return PKI_INVALID;
        }
    }

    return pki_page_end(test_page, &err);
}


/* a new round of a resource; variant lives on */

static pki_next_t
test_begin(const pki_resource_t *resource)
{
    unsigned  variant;

    variant = test_round.variant;
    memset(&test_round, 0, sizeof(test_round));

    test_round.conf = &test_conf;
    test_round.resource = resource;
    test_round.now = TEST_NOW;
    test_round.full = 1;
    test_round.variant = variant;

    test_gets = 0;
    test_url[0] = '\0';
    test_said[0] = '\0';

    return resource->next(&test_round);
}


/* the reply to what was asked for; text NULL: it was no JSON */

static pki_next_t
test_reply(int status, const char *text)
{
    pki_rc_t  rc;

    test_nitems = 0;
    test_told = 0;
    test_invalid = 0;
    test_not_ours = 0;
    test_said[0] = '\0';

    rc = text ? test_read(test_shape, test_item, text) : PKI_INVALID;

    test_round.status = status;
    test_round.json = rc == PKI_OK || (rc == PKI_NOT_FOUND && status > 299);
    test_round.page = rc == PKI_INVALID ? NULL : test_page;
    test_round.items = test_items;
    test_round.nitems = test_nitems;
    test_round.told = test_told;

    return test_round.resource->next(&test_round);
}


/* a single object, or the error instead of it */

static pki_item_t  test_one_item;
static pki_rc_t    test_one_rc;
static int         test_one_absent;


static void
test_one(const pki_resource_t *resource, int status, const char *text)
{
    unsigned          i;
    pki_value_t       values[PKI_PAGE_PATHS];
    pki_page_shape_t  shape;

    memset(&shape, 0, sizeof(shape));
    memset(values, 0, sizeof(values));

    shape.top = resource->one_paths ? resource->one_paths : resource->paths;

    if (test_read(&shape, NULL, text) == PKI_OK) {
        for (i = 0; shape.top[i]; i++) {
            values[i] = *pki_page_top(test_page, i);
        }
    }

    test_one_rc = (resource->one ? resource->one : resource->item)
                      (&test_conf, values, TEST_NOW, &test_one_item);
    test_one_absent = resource->absent(status, values);
}


static void
test_end(void)
{
    pki_page_destroy(test_page);
    test_page = NULL;
}


#endif /* PKI_TEST_ROUND_H */

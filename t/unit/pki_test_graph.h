
/*
 * A round without an engine, for the dialects of Microsoft Graph: what
 * next() sets up is recorded, replies are texts that pki_page reads in small
 * pieces, and an item is told as a line of text.
 */

#ifndef PKI_TEST_GRAPH_H
#define PKI_TEST_GRAPH_H


#include "pki_test.h"

#include <stdarg.h>
#include "pki_graph.h"


#define TEST_NOW    1790000000      /* 2026-09-21T14:13:20Z */
#define TEST_ITEMS  600
#define TEST_URL    "https://graph.example"

/* an object's id in Graph, and a device's of its own */

#define OBJ   "6a59ea83-02bd-468d-a40b-f2c3d1821983"
#define OBJ2  "11111111-2222-4333-8444-555555555555"
#define DEV   "7f3c0a1b-1234-4abc-9def-0123456789ab"
#define ZERO  "00000000-0000-0000-0000-000000000000"

#define ERROR(code, inner)                                                  \
    "{\"error\":{\"code\":\"" code "\",\"message\":\"no\"" inner "}}"


static pki_directory_conf_t  test_conf;
static pki_round_t           test_round;
static pki_page_t           *test_page;
static const pki_page_shape_t  *test_shape;

static char                  test_url[4096];    /* the last request */
static char                  test_method[8];
static char                  test_body[262144];
static const char *const    *test_headers;
static int                   test_foreign;
static unsigned              test_asked;
static time_t                test_asked_at;     /* that of the round */
static unsigned              test_links;        /* pki_round_link() */
static char                  test_said[512];    /* pki_round_fail() */

static pki_item_t            test_items[TEST_ITEMS];
static size_t                test_nitems;
static size_t                test_told;
static size_t                test_unreadable;
static char                  test_line[2048];   /* the last item */
static unsigned              test_wrong;        /* items beyond their mask */

static char                 *test_strings[8 * TEST_ITEMS];
static size_t                test_nstrings;


/* strings of items live until the next reply */

static void
test_keep(const char **s)
{
    if (*s == NULL) {
        return;
    }

    if (test_nstrings == sizeof(test_strings) / sizeof(test_strings[0])) {
        abort();
    }

    *s = test_strings[test_nstrings++] = strdup(*s);
}


static void
test_forget(void)
{
    while (test_nstrings) {
        free(test_strings[--test_nstrings]);
    }

    test_nitems = 0;
    test_told = 0;
    test_unreadable = 0;
    test_said[0] = '\0';
    test_line[0] = '\0';
}


static pki_next_t
test_ask(const pki_page_shape_t *shape, const char *method, const char *url)
{
    (void) snprintf(test_method, sizeof(test_method), "%s", method);
    (void) snprintf(test_url, sizeof(test_url), "%s", url);

    test_shape = shape;
    test_body[0] = '\0';
    test_headers = NULL;
    test_foreign = 0;
    test_asked++;

    return PKI_NEXT_FETCH;
}


pki_next_t
pki_round_get(pki_round_t *round, const pki_page_shape_t *shape,
    const char *format, ...)
{
    char     url[4096];
    va_list  args;

    (void) round;

    va_start(args, format);
    (void) vsnprintf(url, sizeof(url), format, args);
    va_end(args);

    return test_ask(shape, "GET", url);
}


pki_next_t
pki_round_follow(pki_round_t *round, const pki_page_shape_t *shape,
    const pki_value_t *link)
{
    if (strncmp(link->string, TEST_URL "/", sizeof(TEST_URL)) != 0) {
        return pki_round_fail(round, "a link to another host");
    }

    return test_ask(shape, "GET", link->string);
}


pki_next_t
pki_round_post(pki_round_t *round, const pki_page_shape_t *shape,
    const char *method, const char *url, int foreign, pki_bytes_t body,
    const char *const *headers)
{
    (void) round;

    if (body.len >= sizeof(test_body)) {
        abort();
    }

    (void) test_ask(shape, method, url);

    memcpy(test_body, body.data, body.len);
    test_body[body.len] = '\0';
    test_foreign = foreign;
    test_headers = headers;

    return PKI_NEXT_FETCH;
}


pki_next_t
pki_round_link(pki_round_t *round, const pki_value_t *link)
{
    if (link->type != PKI_VALUE_STRING || link->len == 0
        || link->len != strlen(link->string))
    {
        return pki_round_fail(round, "no link");
    }

    free(round->link);
    round->link = strdup(link->string);
    test_links++;

    return PKI_NEXT_DONE;
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


static size_t
test_bits(char *text, size_t size, const char *what, unsigned bits)
{
    size_t    len;
    unsigned  i;

    static const char  *const names[] = {
        "deleted", "retired", "endpoint", "disabled", "noncompliant", "risky",
        "removed", "unmanaged", "silent", "missing", "unclear"
    };

    len = 0;

    for (i = 0; bits && i < sizeof(names) / sizeof(names[0]); i++) {
        if (bits & 1u << i) {
            len += (size_t) snprintf(text + len, size - len, "%s%s",
                                     len ? "," : what, names[i]);
        }
    }

    return len;
}


/* "<id> key <key> ...: <states>; keeps <states>; again in <seconds>" */

static void
test_tell(const pki_resource_t *resource, pki_rc_t rc, const pki_item_t *item)
{
    char                      *p, *last;
    const pki_state_object_t  *object;

    object = &item->object;
    p = test_line;
    last = test_line + sizeof(test_line);

#define PUT(...)  p += snprintf(p, (size_t) (last - p), __VA_ARGS__)

    if (rc != PKI_OK) {
        PUT("%s", rc == PKI_INVALID ? "unreadable" : "nothing");
        return;
    }

    if (item->serial || item->context) {
        PUT("%s", item->serial ? item->serial : "-");

        if (item->issuer) {
            PUT(" of %s", item->issuer);
        }

        if (item->context) {
            PUT(" for %s", item->context);
        }

        test_wrong += object->id != NULL || object->key != NULL;
        return;
    }

    if (item->line.serial) {
        PUT("%s is %s, of %s, for %s", item->line.serial,
            item->line.fields[PKI_ISSUED_STATUS],
            item->line.fields[PKI_ISSUED_ISSUER]
                ? item->line.fields[PKI_ISSUED_ISSUER] : "-",
            item->line.fields[PKI_ISSUED_USER]
                ? item->line.fields[PKI_ISSUED_USER] : "-");
        return;
    }

    PUT("%s key %s", object->id ? object->id : "-", object->key);

    if (object->alias) {
        PUT(" alias %s", object->alias[0] ? object->alias : "none");
    }

    if (object->owner) {
        PUT(" owner %s", object->owner[0] ? object->owner : "none");
    }

    if (object->name) {
        PUT(" name %s", object->name);
    }

    PUT(":");
    p += test_bits(p, (size_t) (last - p), " ", object->state);
    p += test_bits(p, (size_t) (last - p), "; keeps ",
                   resource->mask & ~object->mask);

    if (object->recheck) {
        PUT("; again in %lld", (long long) object->recheck - TEST_NOW);
    }

#undef PUT

    test_wrong += (object->state & ~object->mask) != 0
                  || (object->mask & ~resource->mask) != 0
                  || object->since != TEST_NOW
                  || (object->recheck && object->recheck < TEST_NOW);
}


static pki_rc_t
test_item(void *data, const pki_value_t *values)
{
    pki_rc_t     rc;
    pki_item_t  *item;

    (void) data;

    if (test_nitems == TEST_ITEMS) {
        abort();
    }

    item = &test_items[test_nitems];
    rc = test_round.resource->item(&test_conf, values, TEST_NOW, item);

    test_told++;
    test_tell(test_round.resource, rc, item);

    if (rc == PKI_INVALID) {
        test_unreadable++;
    }

    if (rc != PKI_OK) {
        return PKI_OK;
    }

    test_keep(&item->object.id);
    test_keep(&item->object.key);
    test_keep(&item->object.alias);
    test_keep(&item->object.owner);
    test_keep(&item->object.name);
    test_keep(&item->serial);
    test_keep(&item->issuer);
    test_keep(&item->context);
    test_keep(&item->line.serial);

    test_nitems++;

    return PKI_OK;
}


/* reads a text by a shape; returns what pki_page_end() said */

static pki_rc_t
test_read(const pki_page_shape_t *shape, const char *text)
{
    size_t     i, len, n;
    pki_err_t  err;

    pki_page_destroy(test_page);
    test_page = pki_page_create(shape, test_item, NULL);

    if (test_page == NULL) {
        return PKI_ERROR;
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


static void
test_end(void)
{
    test_forget();

    free(test_round.link);
    test_round.link = NULL;

    pki_page_destroy(test_page);
    test_page = NULL;
}


/* a new round; the link is what an earlier one has left, as is variant */

static pki_next_t __attribute__((unused))
test_begin(const pki_resource_t *resource, int full, const char *link)
{
    unsigned  variant;

    test_end();

    variant = test_round.variant;
    memset(&test_round, 0, sizeof(test_round));

    test_round.conf = &test_conf;
    test_round.resource = resource;
    test_round.now = TEST_NOW;
    test_round.asked = test_asked_at;
    test_round.full = full != 0;
    test_round.variant = variant;
    test_round.link = link ? strdup(link) : NULL;

    test_asked = 0;
    test_links = 0;
    test_url[0] = '\0';

    return resource->next(&test_round);
}


/* the reply to what was asked for; text NULL: it was no JSON */

static void
test_receive(int status, const char *text)
{
    pki_rc_t  rc;

    test_forget();

    rc = text ? test_read(test_shape, text) : PKI_INVALID;

    test_round.status = status;
    test_round.json = rc == PKI_OK || (rc == PKI_NOT_FOUND && status > 299);
    test_round.page = rc == PKI_OK || rc == PKI_NOT_FOUND ? test_page : NULL;
    test_round.items = test_items;
    test_round.nitems = test_nitems;
    test_round.told = test_told;
}


static pki_next_t __attribute__((unused))
test_reply(int status, const char *text)
{
    test_receive(status, text);

    return test_round.resource->next(&test_round);
}


/* what an item of a listing, and what a looked up object means */

static const char __attribute__((unused)) *
test_one_item(const pki_resource_t *resource, const char *text)
{
    char              page[4096];
    pki_page_shape_t  shape = { "value", resource->paths, pki_graph_top };

    (void) snprintf(page, sizeof(page), "{\"value\":[%s]}", text);

    test_forget();
    test_round.resource = resource;

    return test_read(&shape, page) == PKI_OK && test_told == 1
           ? test_line : "no page";
}


static const char __attribute__((unused)) *
test_one_object(const pki_resource_t *resource, const char *text)
{
    unsigned          i;
    pki_rc_t          rc;
    pki_item_t        item;
    pki_value_t       values[PKI_PAGE_PATHS];
    pki_page_shape_t  shape = { NULL, NULL, resource->one_paths };

    test_forget();

    if (test_read(&shape, text) != PKI_OK) {
        return "no object";
    }

    for (i = 0; shape.top[i]; i++) {
        values[i] = *pki_page_top(test_page, i);
    }

    rc = resource->one(&test_conf, values, TEST_NOW, &item);
    test_tell(resource, rc, &item);

    return test_line;
}


static int __attribute__((unused))
test_absent(const pki_resource_t *resource, int status, const char *text)
{
    unsigned          i;
    pki_value_t       values[PKI_PAGE_PATHS];
    pki_page_shape_t  shape = { NULL, NULL, resource->one_paths };

    memset(values, 0, sizeof(values));

    if (test_read(&shape, text) == PKI_OK) {
        for (i = 0; shape.top[i]; i++) {
            values[i] = *pki_page_top(test_page, i);
        }
    }

    return resource->absent(status, values);
}


static const char __attribute__((unused)) *
test_lookup(const pki_resource_t *resource, unsigned variant, const char *id)
{
    pki_rc_t  rc;

    rc = resource->lookup(&test_conf, variant, id, NULL, test_url,
                          sizeof(test_url));

    return rc == PKI_OK ? test_url : rc == PKI_NOT_FOUND ? "none" : "error";
}


static int
test_done(void)
{
    test_end();

    is_int(test_wrong, 0, "no item went beyond what its resource tells");

    return pki_test_done();
}


#endif /* PKI_TEST_GRAPH_H */

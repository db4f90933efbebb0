
/*
 * What a directory replies, as each dialect reads it: in pieces, by the
 * shape of the resource that was asked, as a page of a listing or as a
 * single object.  Five octets come before the reply:
 *
 *   dialect   e, i, j, s: Entra, Intune, Jamf, SCIM
 *   resource  0-7
 *   mode      l: page, n: page 404, b: page 400, d: page 500, o: object
 *   settings  bits, see fuzz_settings(); '@' none, '?' all
 *   pieces    '@' 1 octet, '?' 64
 *
 * Whatever was sent, ids are well-formed, states are the resource's, and
 * what is asked for next is a URL that cannot break a request.
 */

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "pki_dialect.h"


#define FUZZ_HEAD     5
#define FUZZ_NOW      1790000000
#define FUZZ_ITEMS    32
#define FUZZ_REPLIES  4             /* to one round, the same each time */

#define fuzz_check(yes)                                                       \
    do {                                                                      \
        if (!(yes)) {                                                         \
            abort();                                                          \
        }                                                                     \
    } while (0)


static pki_next_t fuzz_asked(const pki_page_shape_t *shape);
static void fuzz_settings(unsigned bits);
static pki_rc_t fuzz_read(const pki_page_shape_t *shape,
    pki_page_item_pt item);
static void fuzz_round(int status, unsigned bits);
static void fuzz_next(void);
static pki_rc_t fuzz_item(void *data, const pki_value_t *values);
static void fuzz_one(void);
static void fuzz_meaning(const pki_item_t *item);
static void fuzz_id(const char *id, unsigned classes);
static void fuzz_clean(const char *url);
static char *fuzz_copy(const char *text);
static void fuzz_free(void);


static const char  *const fuzz_classes[] = {
    "device/", "user/", "jamf-computer/", "jamf-device/", "jamf-user/"
};


static pki_directory_conf_t     conf;
static const pki_resource_t    *resource;
static pki_round_t              state;
static const pki_page_shape_t  *asked;      /* by the last next() */
static unsigned                 failed;     /* said so, likewise */
static char                    *link_text;
static pki_page_t              *page;
static pki_item_t               items[FUZZ_ITEMS];
static size_t                   nitems;
static size_t                   told;
static const uint8_t           *reply;
static size_t                   reply_len;
static size_t                   piece;


pki_next_t
pki_round_get(pki_round_t *round, const pki_page_shape_t *shape,
    const char *format, ...)
{
    int      n;
    char     url[PKI_PAGE_STRING_MAX + 1024];
    va_list  args;

    fuzz_check(round == &state && format);

    va_start(args, format);
    n = vsnprintf(url, sizeof(url), format, args);
    va_end(args);

    fuzz_check(n > 0 && (size_t) n < sizeof(url));

    /* a link of an earlier reply is checked by whoever fetches it */

    if (strcmp(format, "%s") != 0) {
        fuzz_clean(url);
    }

    return fuzz_asked(shape);
}


pki_next_t
pki_round_follow(pki_round_t *round, const pki_page_shape_t *shape,
    const pki_value_t *link)
{
    fuzz_check(round == &state);

    if (link->type != PKI_VALUE_STRING) {
        failed = 1;
        return PKI_NEXT_FAIL;
    }

    return fuzz_asked(shape);
}


pki_next_t
pki_round_post(pki_round_t *round, const pki_page_shape_t *shape,
    const char *method, const char *url, int foreign, pki_bytes_t body,
    const char *const *headers)
{
    (void) foreign;
    (void) headers;

    fuzz_check(round == &state && method[0] && url[0]);
    fuzz_check(body.len == 0 || body.data[0] == '{');

    return fuzz_asked(shape);
}


static pki_next_t
fuzz_asked(const pki_page_shape_t *shape)
{
    fuzz_check(shape && (shape->item == NULL
                         || shape->item == resource->paths));
    asked = shape;

    return PKI_NEXT_FETCH;
}


pki_next_t
pki_round_link(pki_round_t *round, const pki_value_t *link)
{
    if (link->type != PKI_VALUE_STRING || link->len == 0) {
        failed = 1;
        return PKI_NEXT_FAIL;
    }

    free(link_text);
    link_text = fuzz_copy(link->string);
    round->link = link_text;

    return PKI_NEXT_DONE;
}


pki_next_t
pki_round_fail(pki_round_t *round, const char *format, ...)
{
    fuzz_check(round == &state && format[0]);
    failed = 1;

    return PKI_NEXT_FAIL;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned              n, i;
    const pki_dialect_t  *dialect;

    if (size < FUZZ_HEAD) {
        return 0;
    }

    dialect = data[0] == 'e' ? &pki_entra
              : data[0] == 'i' ? &pki_intune
              : data[0] == 's' ? &pki_scim : &pki_jamf;

    for (n = 0; dialect->resources[n].name; n++) { /* void */ }

    i = data[1] % 8;
    resource = &dialect->resources[i % n];

    fuzz_settings(data[3] & 0x3f);

    piece = data[4] % 64 + 1;
    reply = data + FUZZ_HEAD;
    reply_len = size - FUZZ_HEAD;

    switch (data[2]) {

    case 'o':
        fuzz_one();
        break;

    case 'n':
        fuzz_round(404, data[3]);
        break;

    case 'b':
        fuzz_round(400, data[3]);
        break;

    case 'd':
        fuzz_round(500, data[3]);
        break;

    default:
        fuzz_round(200, data[3]);
        break;
    }

    fuzz_free();
    pki_page_destroy(page);
    page = NULL;

    return 0;
}


static void
fuzz_settings(unsigned bits)
{
    memset(&conf, 0, sizeof(conf));

    conf.name = "fuzz";
    conf.url = "https://directory.example";
    conf.devices = 1;
    conf.users = 1;
    conf.risk = PKI_RISK_HIGH|PKI_RISK_MEDIUM;
    conf.endpoint_list = 1;
    conf.revocations = 1;
    conf.hook_url = "https://hook.example/";
    conf.hook_secret = "secret";

    conf.unmanaged = bits & 0x01 ? 1 : 0;
    conf.wipe = bits & 0x01 ? 1 : 0;
    conf.silent = bits & 0x02 ? 86400 : 0;
    conf.grace = bits & 0x02 ? 86400 : 0;
    conf.compliance = bits & 0x04 ? 1 : 0;
    conf.restore = bits & 0x08 ? 1 : 0;
    conf.page = bits & 0x10 ? 3 : 0;
    conf.external_id = bits & 0x10 ? "externalId" : NULL;
}


/* the reply, in an allocation per piece */

static pki_rc_t
fuzz_read(const pki_page_shape_t *shape, pki_page_item_pt item)
{
    char       *copy;
    size_t      i, n;
    pki_rc_t    rc;
    pki_err_t   err;

    pki_page_destroy(page);
    page = pki_page_create(shape, item, NULL);
    fuzz_check(page);

    for (i = 0; i < reply_len; i += n) {
        n = reply_len - i < piece ? reply_len - i : piece;

        copy = malloc(n);
        fuzz_check(copy);
        memcpy(copy, reply + i, n);

        rc = pki_page_feed(page, copy, n, &err);
        free(copy);

        if (rc != PKI_OK) {
            fuzz_check(rc == PKI_INVALID);
            return rc;
        }
    }

    return pki_page_end(page, &err);
}


static void
fuzz_round(int status, unsigned bits)
{
    pki_rc_t            rc;
    unsigned            i;
    pki_fetch_result_t  result;

    memset(&result, 0, sizeof(result));
    result.status = status;
    result.location = "";

    memset(&state, 0, sizeof(state));
    state.conf = &conf;
    state.resource = resource;
    state.now = FUZZ_NOW;
    state.full = !(bits & 0x20) || !resource->delta;
    state.result = &result;

    if (!state.full) {
        link_text = fuzz_copy("https://directory.example/delta?token=1");
        state.link = link_text;
    }

    fuzz_next();

    for (i = 0; i < FUZZ_REPLIES && asked; i++) {
        fuzz_free();
        told = 0;

        rc = fuzz_read(asked, fuzz_item);

        /* the engine repeats what it cannot read */

        if (rc == PKI_INVALID && status == 200) {
            break;
        }

        if (status == 500 && (rc == PKI_INVALID || !resource->bisect)) {
            break;
        }

        state.status = status;
        state.json = rc == PKI_OK || (rc == PKI_NOT_FOUND && status != 200);
        state.page = rc == PKI_INVALID ? NULL : page;
        state.items = items;
        state.nitems = nitems;
        state.told = told;

        fuzz_next();
    }

    free(link_text);
    link_text = NULL;
}


static void
fuzz_next(void)
{
    pki_next_t  next;

    asked = NULL;
    failed = 0;

    next = resource->next(&state);

    switch (next) {

    case PKI_NEXT_FETCH:
        fuzz_check(asked);
        break;

    case PKI_NEXT_FAIL:
        fuzz_check(failed);
        asked = NULL;
        break;

    case PKI_NEXT_DONE:
    case PKI_NEXT_PARTIAL:
    case PKI_NEXT_FULL:
    case PKI_NEXT_RETRY:
        asked = NULL;
        break;

    default:
        abort();
    }
}


static pki_rc_t
fuzz_item(void *data, const pki_value_t *values)
{
    pki_rc_t     rc;
    pki_item_t  *item, one;

    (void) data;

    told++;
    memset(&one, 0, sizeof(one));

    rc = resource->item(&conf, values, FUZZ_NOW, &one);
    fuzz_check(rc == PKI_OK || rc == PKI_NOT_FOUND || rc == PKI_INVALID);

    if (rc != PKI_OK) {
        return PKI_OK;
    }

    fuzz_meaning(&one);

    if (nitems < FUZZ_ITEMS) {
        item = &items[nitems++];
        memset(item, 0, sizeof(pki_item_t));

        item->serial = fuzz_copy(one.serial);
        item->issuer = fuzz_copy(one.issuer);
        item->context = fuzz_copy(one.context);
        item->result = PKI_STORE_DONE;
        item->object.id = fuzz_copy(one.object.id);
        item->object.key = fuzz_copy(one.object.key);
    }

    return PKI_OK;
}


static void
fuzz_one(void)
{
    char              url[512];
    pki_rc_t          rc;
    unsigned          i;
    pki_item_t        item;
    pki_value_t       values[PKI_PAGE_PATHS];
    pki_page_shape_t  shape;

    if (resource->lookup == NULL) {
        return;
    }

    memset(&shape, 0, sizeof(shape));
    memset(values, 0, sizeof(values));
    memset(&item, 0, sizeof(item));

    shape.top = resource->one_paths ? resource->one_paths : resource->paths;

    if (fuzz_read(&shape, NULL) != PKI_OK) {
        fuzz_check(!resource->absent(404, values));
        return;
    }

    for (i = 0; shape.top[i]; i++) {
        values[i] = *pki_page_top(page, i);
    }

    (void) resource->absent(404, values);

    fuzz_check(!resource->absent(401, values));
    fuzz_check(!resource->absent(403, values));
    fuzz_check(!resource->absent(500, values));

    rc = (resource->one ? resource->one : resource->item)
             (&conf, values, FUZZ_NOW, &item);
    fuzz_check(rc == PKI_OK || rc == PKI_NOT_FOUND || rc == PKI_INVALID);

    if (rc != PKI_OK) {
        return;
    }

    fuzz_meaning(&item);

    if (item.object.id
        && resource->lookup(&conf, 0, item.object.id, item.object.key, url,
                            sizeof(url))
           == PKI_OK)
    {
        fuzz_clean(url);
    }
}


static void
fuzz_meaning(const pki_item_t *item)
{
    const pki_state_object_t  *object;

    object = &item->object;

    if (object->id == NULL && object->key == NULL) {
        return;
    }

    if (object->id) {
        fuzz_id(object->id, resource->classes);
    }

    if (object->alias && object->alias[0]) {
        fuzz_id(object->alias, ~0u);
    }

    fuzz_check(object->key == NULL
               || (object->key[0]
                   && strlen(object->key) <= PKI_STATE_KEY_MAX));
    fuzz_check(object->name == NULL
               || (object->name[0]
                   && strlen(object->name) <= PKI_STATE_NAME_MAX));
    fuzz_check((object->mask & ~resource->mask) == 0);
    fuzz_check((object->state & ~object->mask) == 0);
    fuzz_check(object->since >= 0 && object->since <= FUZZ_NOW);
    fuzz_check(object->recheck == 0
               || (object->recheck >= FUZZ_NOW
                   && object->recheck <= PKI_TIME_MAX));
}


/* "class/<guid>" in lower case, or "class/<number>" */

static void
fuzz_id(const char *id, unsigned classes)
{
    char           text[37];
    size_t         n;
    unsigned       i;
    unsigned char  guid[PKI_SERIAL_PAYLOAD];

    for (i = 0; i <= PKI_OBJECT_JAMF_USER; i++) {
        n = strlen(fuzz_classes[i]);

        if (strncmp(id, fuzz_classes[i], n) == 0) {
            break;
        }
    }

    fuzz_check(i <= PKI_OBJECT_JAMF_USER && (classes & (1u << i)));
    fuzz_check(strlen(id) < PKI_OBJECT_ID_SIZE);
    id += n;

    if (i <= PKI_OBJECT_USER) {
        fuzz_check(pki_guid_from_text(id, strlen(id), guid) == PKI_OK);
        pki_guid_to_text(guid, text);
        fuzz_check(strcmp(text, id) == 0);
        return;
    }

    n = strlen(id);
    fuzz_check(n > 0 && n <= 20 && strspn(id, "0123456789") == n);
    fuzz_check(id[0] != '0' || n == 1);
}


static void
fuzz_clean(const char *url)
{
    fuzz_check(url[0] == '/' || strncmp(url, "https://", 8) == 0);

    for ( /* void */ ; *url; url++) {
        fuzz_check(*url > ' ' && *url < 0x7f);
    }
}


static char *
fuzz_copy(const char *text)
{
    char  *copy;

    if (text == NULL) {
        return NULL;
    }

    copy = strdup(text);
    fuzz_check(copy);

    return copy;
}


static void
fuzz_free(void)
{
    size_t  i;

    for (i = 0; i < nitems; i++) {
        free((char *) items[i].serial);
        free((char *) items[i].issuer);
        free((char *) items[i].context);
        free((char *) items[i].object.id);
        free((char *) items[i].object.key);
    }

    nitems = 0;
}


/*
 * SCIM 2.0 (RFC 7643, 7644; cursors: RFC 9865): users, by listing them all.
 *
 * A user is known by a GUID, which is the resource's "id" or its
 * "externalId", as conf->external_id says; who has none is not ours.  A
 * single user is looked up by "id": with "externalId" only one that a listing
 * has told of, so that its "id" is known.
 *
 * Paging is by index, counted by the rows that came (a server may give
 * fewer than asked), or by cursor where the server hands out one.  Index
 * paging is no snapshot: it counts as complete when totalResults stayed the
 * same and as many rows came.
 */

#include "pki_dialect.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>


#define PKI_SCIM_PAGE        100        /* what most servers cap it at */
#define PKI_SCIM_PAGES_MAX   100000     /* a cursor may lead in a circle */
#define PKI_SCIM_ROWS_MAX    10000000
#define PKI_SCIM_CURSOR      3072       /* octets, escaped */
#define PKI_SCIM_KEY         (3 * PKI_STATE_KEY_MAX + 1)

#define PKI_SCIM_ATTRIBUTES  "attributes=id,externalId,userName,active"

#define PKI_SCIM_MASK                                                       \
    (PKI_OBJECT_DELETED|PKI_OBJECT_REMOVED|PKI_OBJECT_DISABLED              \
     |PKI_OBJECT_MISSING|PKI_OBJECT_UNCLEAR)

/* round->count; round->step is the number of requests */

#define PKI_SCIM_INDEX       0          /* startIndex asked for; 0: a cursor */
#define PKI_SCIM_ROWS        1          /* that came */
#define PKI_SCIM_TOTAL       2          /* totalResults; -1: not told yet */
#define PKI_SCIM_FIRST       3          /* that of the first page */

/* paths */

#define PKI_SCIM_ID          0
#define PKI_SCIM_EXTERNAL    1
#define PKI_SCIM_NAME        2
#define PKI_SCIM_ACTIVE      3
#define PKI_SCIM_STATUS      4
#define PKI_SCIM_SCHEMAS     5

/* and of the envelope */

#define PKI_SCIM_TOP_TOTAL   0
#define PKI_SCIM_TOP_INDEX   1
#define PKI_SCIM_TOP_CURSOR  2
#define PKI_SCIM_TOP_TYPE    3


static int pki_scim_wanted(const pki_directory_conf_t *conf);
static int pki_scim_by_id(const pki_directory_conf_t *conf);

static pki_next_t pki_scim_next(pki_round_t *round);
static pki_next_t pki_scim_page(pki_round_t *round);
static pki_next_t pki_scim_total(pki_round_t *round);
static pki_next_t pki_scim_cursor(pki_round_t *round,
    const pki_value_t *cursor);
static pki_next_t pki_scim_index(pki_round_t *round);
static pki_next_t pki_scim_ask(pki_round_t *round);
static unsigned pki_scim_count(const pki_round_t *round);
static pki_next_t pki_scim_refused(pki_round_t *round);

static pki_rc_t pki_scim_user(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_item_t *item);
static unsigned pki_scim_state(const pki_value_t *active);
static pki_rc_t pki_scim_url(const pki_directory_conf_t *conf,
    unsigned variant, const char *id, const char *key, char *url,
    size_t size);
static int pki_scim_absent(int status, const pki_value_t *values);
static int pki_scim_is(const pki_value_t *value, const char *text);


static const char  *const pki_scim_paths[] = {
    "id",
    "externalId",
    "userName",
    "active",
    NULL
};

static const char  *const pki_scim_one_paths[] = {
    "id",
    "externalId",
    "userName",
    "active",
    "status",                           /* of an error */
    "schemas",
    NULL
};

static const char  *const pki_scim_top[] = {
    "totalResults",
    "startIndex",
    "nextCursor",
    "scimType",                         /* of an error */
    NULL
};

static const pki_page_shape_t  pki_scim_shape = {
    .list = "Resources",
    .item = pki_scim_paths,
    .top = pki_scim_top
};


static const pki_resource_t  pki_scim_resources[] = {
    {
        .name = "users",
        .classes = 1 << PKI_OBJECT_USER,
        .mask = PKI_SCIM_MASK,
        .sweep = 1,
        .wanted = pki_scim_wanted,
        .next = pki_scim_next,
        .paths = pki_scim_paths,
        .item = pki_scim_user,
        .lookup = pki_scim_url,
        .one_paths = pki_scim_one_paths,
        .absent = pki_scim_absent
    },
    { .name = NULL }
};


const pki_dialect_t  pki_scim = {
    .name = "scim",
    .resources = pki_scim_resources,
    .classes = 1 << PKI_OBJECT_USER,
    .interval = 60000,
    .confirm = 120
};


static int
pki_scim_wanted(const pki_directory_conf_t *conf)
{
    return conf->users;
}


/* names of attributes have no case (RFC 7643, 2.1) */

static int
pki_scim_by_id(const pki_directory_conf_t *conf)
{
    return conf->external_id == NULL
           || strcasecmp(conf->external_id, "externalId") != 0;
}


static pki_next_t
pki_scim_next(pki_round_t *round)
{
    if (round->step == 0) {
        round->count[PKI_SCIM_INDEX] = 1;
        round->count[PKI_SCIM_ROWS] = 0;
        round->count[PKI_SCIM_TOTAL] = -1;

        return pki_scim_ask(round);
    }

    if (round->status / 100 == 2) {
        return pki_scim_page(round);
    }

    return pki_scim_refused(round);
}


static pki_next_t
pki_scim_page(pki_round_t *round)
{
    pki_next_t          next;
    const pki_value_t  *cursor;

    if (round->page == NULL) {
        return pki_round_fail(round, "the reply is no listing");
    }

    round->count[PKI_SCIM_ROWS] += round->told;

    if (round->count[PKI_SCIM_ROWS] > PKI_SCIM_ROWS_MAX
        || round->step >= PKI_SCIM_PAGES_MAX)
    {
        return pki_round_fail(round, "the listing does not end");
    }

    cursor = pki_page_top(round->page, PKI_SCIM_TOP_CURSOR);

    next = pki_scim_total(round);
    if (next != PKI_NEXT_FETCH) {
        return next;
    }

    if (cursor->type == PKI_VALUE_ABSENT || cursor->type == PKI_VALUE_NULL
        || pki_scim_is(cursor, ""))
    {
        return pki_scim_index(round);
    }

    return pki_scim_cursor(round, cursor);
}


/* FETCH: may go on */

static pki_next_t
pki_scim_total(pki_round_t *round)
{
    const pki_value_t  *total;

    total = pki_page_top(round->page, PKI_SCIM_TOP_TOTAL);

    /* "Resources" may be left out when there are none (RFC 7644, 3.4.2) */

    if (!round->json
        && (total->type != PKI_VALUE_INTEGER || total->integer != 0))
    {
        return pki_round_fail(round, "the reply holds no \"Resources\"");
    }

    /* with cursors, a server need not count */

    if (total->type == PKI_VALUE_ABSENT
        && (round->count[PKI_SCIM_INDEX] == 0
            || pki_page_top(round->page, PKI_SCIM_TOP_CURSOR)->type
               == PKI_VALUE_STRING))
    {
        return PKI_NEXT_FETCH;
    }

    if (total->type != PKI_VALUE_INTEGER || total->integer < 0
        || total->integer > PKI_SCIM_ROWS_MAX)
    {
        return pki_round_fail(round, "the listing tells no totalResults that "
                              "can be");
    }

    if (round->count[PKI_SCIM_TOTAL] == -1) {
        round->count[PKI_SCIM_FIRST] = total->integer;

    } else if (!pki_round_near(round->count[PKI_SCIM_FIRST], total->integer)) {
        round->partial = 1;
    }

    round->count[PKI_SCIM_TOTAL] = total->integer;

    return PKI_NEXT_FETCH;
}


static pki_next_t
pki_scim_cursor(pki_round_t *round, const pki_value_t *cursor)
{
    char  escaped[PKI_SCIM_CURSOR];

    if (cursor->type != PKI_VALUE_STRING
        || pki_item_escape(escaped, sizeof(escaped), cursor->string)
           != PKI_OK)
    {
        return pki_round_fail(round, "the listing's cursor cannot be used");
    }

    round->count[PKI_SCIM_INDEX] = 0;
    round->step++;

    return pki_round_get(round, &pki_scim_shape, "/Users?cursor=%s&count=%u&"
                         PKI_SCIM_ATTRIBUTES, escaped, pki_scim_count(round));
}


/* without a cursor: the next index, or the end */

static pki_next_t
pki_scim_index(pki_round_t *round)
{
    long long           index, rows, total;
    const pki_value_t  *start;

    index = round->count[PKI_SCIM_INDEX];
    rows = round->count[PKI_SCIM_ROWS];
    total = round->count[PKI_SCIM_TOTAL];

    start = pki_page_top(round->page, PKI_SCIM_TOP_INDEX);

    /* RFC 7644, 3.4.2.4: told with every page of several; a server that does
       not know startIndex would show the first one again and again */

    if (index > 1 && round->told
        && (start->type != PKI_VALUE_INTEGER || start->integer != index))
    {
        return pki_round_fail(round, "the listing does not follow startIndex");
    }

    if (rows < total) {

        if (round->told == 0 || index == 0) {
            (void) pki_round_fail(round, "the listing broke off at %lld of "
                                  "%lld users", rows, total);
            return PKI_NEXT_PARTIAL;
        }

        round->count[PKI_SCIM_INDEX] = rows + 1;

        return pki_scim_ask(round);
    }

    if (round->partial) {
        (void) pki_round_fail(round, "the number of users changed while they "
                              "were listed");
        return PKI_NEXT_PARTIAL;
    }

    return PKI_NEXT_DONE;
}


static pki_next_t
pki_scim_ask(pki_round_t *round)
{
    round->step++;

    return pki_round_get(round, &pki_scim_shape,
                         "/Users?startIndex=%lld&count=%u&"
                         PKI_SCIM_ATTRIBUTES, round->count[PKI_SCIM_INDEX],
                         pki_scim_count(round));
}


static unsigned
pki_scim_count(const pki_round_t *round)
{
    return round->conf->page ? round->conf->page : PKI_SCIM_PAGE;
}


static pki_next_t
pki_scim_refused(pki_round_t *round)
{
    const pki_value_t  *type;

    if (round->json && round->status == 400
        && round->count[PKI_SCIM_INDEX] == 0)
    {
        type = pki_page_top(round->page, PKI_SCIM_TOP_TYPE);

        if (pki_scim_is(type, "expiredCursor")
            || pki_scim_is(type, "invalidCursor"))
        {
            return PKI_NEXT_FULL;
        }
    }

    return pki_round_fail(round, "the listing was refused (%d)",
                          round->status);
}


static pki_rc_t
pki_scim_user(const pki_directory_conf_t *conf, const pki_value_t *values,
    time_t now, pki_item_t *item)
{
    const pki_value_t  *key, *name, *guid;

    memset(item, 0, sizeof(pki_item_t));

    key = &values[PKI_SCIM_ID];
    name = &values[PKI_SCIM_NAME];

    if (key->type != PKI_VALUE_STRING || key->len == 0
        || key->len > PKI_STATE_KEY_MAX)
    {
        return PKI_INVALID;
    }

    guid = &values[pki_scim_by_id(conf) ? PKI_SCIM_ID : PKI_SCIM_EXTERNAL];

    if (pki_item_guid(item->id, "user", guid) != PKI_OK) {
        return PKI_NOT_FOUND;
    }

    if (name->type == PKI_VALUE_STRING && name->len > 0
        && name->len <= PKI_STATE_NAME_MAX)
    {
        item->object.name = name->string;
    }

    item->object.id = item->id;
    item->object.key = key->string;
    item->object.state = pki_scim_state(&values[PKI_SCIM_ACTIVE]);
    item->object.mask = PKI_SCIM_MASK;
    item->object.since = now;

    return PKI_OK;
}


/* some servers write the boolean as a string */

static unsigned
pki_scim_state(const pki_value_t *active)
{
    if (active->type == PKI_VALUE_BOOLEAN) {
        return active->integer ? 0 : PKI_OBJECT_DISABLED;
    }

    if (pki_scim_is(active, "true")) {
        return 0;
    }

    return pki_scim_is(active, "false") ? PKI_OBJECT_DISABLED
                                        : PKI_OBJECT_UNCLEAR;
}


static pki_rc_t
pki_scim_url(const pki_directory_conf_t *conf, unsigned variant,
    const char *id, const char *key, char *url, size_t size)
{
    int                n;
    char               escaped[PKI_SCIM_KEY];
    unsigned char      guid[PKI_SERIAL_PAYLOAD];
    static const char  class[] = "user/";

    (void) variant;

    if (strncmp(id, class, sizeof(class) - 1) != 0) {
        return PKI_NOT_FOUND;
    }

    id += sizeof(class) - 1;

    if (pki_guid_from_text(id, strlen(id), guid) != PKI_OK) {
        return PKI_NOT_FOUND;
    }

    if (key == NULL) {

        if (!pki_scim_by_id(conf)) {
            return PKI_NOT_FOUND;
        }

        key = id;
    }

    if (pki_item_escape(escaped, sizeof(escaped), key) != PKI_OK) {
        return PKI_NOT_FOUND;
    }

    n = snprintf(url, size, "/Users/%s?" PKI_SCIM_ATTRIBUTES, escaped);

    return n > 0 && (size_t) n < size ? PKI_OK : PKI_NOT_FOUND;
}


/*
 * An error is told in JSON, with its schema and its status as a string (some
 * servers: a number; RFC 7644, 3.12); a proxy's 404 is not.
 */

static int
pki_scim_absent(int status, const pki_value_t *values)
{
    const pki_value_t  *told;

    told = &values[PKI_SCIM_STATUS];

    return status == 404
           && values[PKI_SCIM_SCHEMAS].type == PKI_VALUE_OTHER
           && (pki_scim_is(told, "404")
               || (told->type == PKI_VALUE_INTEGER && told->integer == 404));
}


static int
pki_scim_is(const pki_value_t *value, const char *text)
{
    return value->type == PKI_VALUE_STRING
           && strcasecmp(value->string, text) == 0;
}

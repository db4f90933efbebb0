
/*
 * Jamf Pro: computers, mobile devices and users, each by listing them all.
 *
 * A record is known by its number, and that it exists is what counts; with
 * conf->unmanaged and conf->silent also whether it is managed and when it
 * was last heard of.  The older a server, the older the version of the API
 * that it has: a listing that is not there (404) is asked for in the next
 * older version, in each round anew.
 *
 * Paging is by number and no snapshot.  A listing counts as complete only
 * when totalCount stayed the same and as many rows came.  The last version
 * of the users' listing is the classic API's: one reply, and a 404 in HTML,
 * which proves nothing, so there a user's deletion is never concluded.
 */

#include "pki_dialect.h"

#include <stdio.h>
#include <string.h>


#define PKI_JAMF_PAGE         500       /* rows; the vendor advises 200-500 */
#define PKI_JAMF_PAGE_MAX     2000      /* what servers cap it at */
#define PKI_JAMF_USERS_MAX    1000
#define PKI_JAMF_ROWS_MAX     10000000  /* twenty of the largest fleets */
#define PKI_JAMF_DAMAGED_MAX  8         /* records; more: the server is ill */
#define PKI_JAMF_VERSIONS     3

#define PKI_JAMF_USER_MASK                                                  \
    (PKI_OBJECT_DELETED|PKI_OBJECT_REMOVED|PKI_OBJECT_MISSING               \
     |PKI_OBJECT_UNCLEAR)

#define PKI_JAMF_DEVICE_MASK                                                \
    (PKI_JAMF_USER_MASK|PKI_OBJECT_UNMANAGED|PKI_OBJECT_SILENT)

/* round->count; round->step is the version asked for, from 1 */

#define PKI_JAMF_SIZE         0         /* of the page asked for */
#define PKI_JAMF_OFFSET       1         /* of its first row; a multiple */
#define PKI_JAMF_TOTAL        2         /* totalCount; -1: not told yet */
#define PKI_JAMF_LIMIT        3         /* the largest size to ask for */
#define PKI_JAMF_FIRST        4         /* totalCount of the first page */

/* paths; what is of a listing's item and what is of a single record's reply
   are not told apart, where they do not clash */

#define PKI_JAMF_ID           0
#define PKI_JAMF_HTTP_STATUS  1         /* of an ApiError */
#define PKI_JAMF_MANAGED      2
#define PKI_JAMF_TIMES        3         /* and all that follow */
#define PKI_JAMF_EMAIL        2
#define PKI_JAMF_CLASSIC      3         /* id, email */


typedef struct {
    const char              *path;      /* of the listing; NULL: no more */
    const char              *query;     /* but the page; NULL: unpaged */
    const char              *one;       /* what comes before a number */
    const char              *one_tail;  /* and behind it */
    const pki_page_shape_t  *shape;
} pki_jamf_version_t;


typedef struct {
    const char              *class;
    long long                max;       /* rows of a page */
    pki_jamf_version_t       versions[PKI_JAMF_VERSIONS];   /* newest first */
} pki_jamf_list_t;


static int pki_jamf_devices_wanted(const pki_directory_conf_t *conf);
static int pki_jamf_users_wanted(const pki_directory_conf_t *conf);

static pki_next_t pki_jamf_computers_next(pki_round_t *round);
static pki_next_t pki_jamf_mobile_next(pki_round_t *round);
static pki_next_t pki_jamf_users_next(pki_round_t *round);
static pki_next_t pki_jamf_next(pki_round_t *round,
    const pki_jamf_list_t *list);
static void pki_jamf_begin(pki_round_t *round, const pki_jamf_list_t *list);
static pki_next_t pki_jamf_ask(pki_round_t *round,
    const pki_jamf_list_t *list);
static pki_next_t pki_jamf_page(pki_round_t *round,
    const pki_jamf_list_t *list);
static pki_next_t pki_jamf_older(pki_round_t *round,
    const pki_jamf_list_t *list);
static pki_next_t pki_jamf_damaged(pki_round_t *round,
    const pki_jamf_list_t *list);
static pki_next_t pki_jamf_on(pki_round_t *round, const pki_jamf_list_t *list);
static long long pki_jamf_size(long long offset, long long limit);

static pki_rc_t pki_jamf_computer(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_item_t *item);
static pki_rc_t pki_jamf_mobile(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_item_t *item);
static pki_rc_t pki_jamf_device(const pki_directory_conf_t *conf,
    const char *class, const pki_value_t *values, unsigned ntimes, time_t now,
    pki_item_t *item);
static unsigned pki_jamf_silent(const pki_value_t *times, unsigned n,
    time_t oldest);
static pki_rc_t pki_jamf_user(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_item_t *item);
static pki_rc_t pki_jamf_user_one(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_item_t *item);
static pki_rc_t pki_jamf_user_item(const pki_value_t *id,
    const pki_value_t *email, time_t now, pki_item_t *item);

static pki_rc_t pki_jamf_computer_url(const pki_directory_conf_t *conf,
    unsigned variant, const char *id, const char *key, char *url,
    size_t size);
static pki_rc_t pki_jamf_mobile_url(const pki_directory_conf_t *conf,
    unsigned variant, const char *id, const char *key, char *url,
    size_t size);
static pki_rc_t pki_jamf_user_url(const pki_directory_conf_t *conf,
    unsigned variant, const char *id, const char *key, char *url,
    size_t size);
static pki_rc_t pki_jamf_url(const pki_jamf_list_t *list, unsigned variant,
    const char *id, char *url, size_t size);
static int pki_jamf_absent(int status, const pki_value_t *values);


static const char  *const pki_jamf_computer_paths[] = {
    "id",
    "httpStatus",
    "general/remoteManagement/managed",
    "general/lastContact",              /* since v4 */
    "general/lastContactTime",          /* until v3 */
    "general/lastCheckIn",
    "general/reportDate",
    NULL
};

#define PKI_JAMF_COMPUTER_TIMES  4


static const char  *const pki_jamf_mobile_paths[] = {
    "mobileDeviceId",
    "httpStatus",
    "general/managed",
    "general/lastContactDate",
    "general/lastInventoryUpdateDate",
    NULL
};

static const char  *const pki_jamf_mobile_one_paths[] = {
    "id",
    "httpStatus",
    "managed",
    "lastContactTimestamp",
    "lastInventoryUpdateTimestamp",
    NULL
};

#define PKI_JAMF_MOBILE_TIMES  2


static const char  *const pki_jamf_user_paths[] = {
    "id",
    "httpStatus",
    "email",
    NULL
};

static const char  *const pki_jamf_user_one_paths[] = {
    "id",
    "httpStatus",
    "email",
    "user/id",
    "user/email",
    NULL
};


static const char  *const pki_jamf_top[] = {
    "totalCount",
    NULL
};


static const pki_page_shape_t  pki_jamf_computers_shape = {
    .list = "results",
    .item = pki_jamf_computer_paths,
    .top = pki_jamf_top
};

static const pki_page_shape_t  pki_jamf_mobile_shape = {
    .list = "results",
    .item = pki_jamf_mobile_paths,
    .top = pki_jamf_top
};

static const pki_page_shape_t  pki_jamf_users_shape = {
    .list = "results",
    .item = pki_jamf_user_paths,
    .top = pki_jamf_top
};

static const pki_page_shape_t  pki_jamf_classic_shape = {
    .list = "users",
    .item = pki_jamf_user_paths,
    .top = pki_jamf_top
};


static const pki_jamf_list_t  pki_jamf_computers = {
    "jamf-computer", PKI_JAMF_PAGE_MAX,
    {
        { "/api/v4/computers-inventory", "section=GENERAL&sort=id:asc",
          "/api/v4/computers-inventory/", "?section=GENERAL",
          &pki_jamf_computers_shape },
        { "/api/v3/computers-inventory", "section=GENERAL&sort=id:asc",
          "/api/v3/computers-inventory/", "?section=GENERAL",
          &pki_jamf_computers_shape },
        { "/api/v1/computers-inventory", "section=GENERAL&sort=id:asc",
          "/api/v1/computers-inventory/", "?section=GENERAL",
          &pki_jamf_computers_shape }
    }
};

/* LENIENT: a damaged record has no sections, rather than its page a 500 */

static const pki_jamf_list_t  pki_jamf_mobiles = {
    "jamf-device", PKI_JAMF_PAGE_MAX,
    {
        { "/api/v2/mobile-devices/detail",
          "section=GENERAL&sort=mobileDeviceId:asc&exception-handling=LENIENT",
          "/api/v2/mobile-devices/", "/detail", &pki_jamf_mobile_shape }
    }
};

static const pki_jamf_list_t  pki_jamf_users = {
    "jamf-user", PKI_JAMF_USERS_MAX,
    {
        { "/api/v1/users", "sort=id:asc", "/api/v1/users/", "",
          &pki_jamf_users_shape },
        { "/JSSResource/users", NULL, "/JSSResource/users/id/", "",
          &pki_jamf_classic_shape }
    }
};


static const pki_resource_t  pki_jamf_resources[] = {
    {
        .name = "computers",
        .classes = 1 << PKI_OBJECT_JAMF_COMPUTER,
        .mask = PKI_JAMF_DEVICE_MASK,
        .sweep = 1,
        .bisect = 1,
        .wanted = pki_jamf_devices_wanted,
        .next = pki_jamf_computers_next,
        .paths = pki_jamf_computer_paths,
        .item = pki_jamf_computer,
        .lookup = pki_jamf_computer_url,
        .absent = pki_jamf_absent
    },
    {
        .name = "mobile",
        .classes = 1 << PKI_OBJECT_JAMF_DEVICE,
        .mask = PKI_JAMF_DEVICE_MASK,
        .sweep = 1,
        .bisect = 1,
        .wanted = pki_jamf_devices_wanted,
        .next = pki_jamf_mobile_next,
        .paths = pki_jamf_mobile_paths,
        .item = pki_jamf_mobile,
        .lookup = pki_jamf_mobile_url,
        .one_paths = pki_jamf_mobile_one_paths,
        .absent = pki_jamf_absent
    },
    {
        .name = "users",
        .classes = 1 << PKI_OBJECT_JAMF_USER,
        .mask = PKI_JAMF_USER_MASK,
        .sweep = 1,
        .wanted = pki_jamf_users_wanted,
        .next = pki_jamf_users_next,
        .paths = pki_jamf_user_paths,
        .item = pki_jamf_user,
        .lookup = pki_jamf_user_url,
        .one_paths = pki_jamf_user_one_paths,
        .one = pki_jamf_user_one,
        .absent = pki_jamf_absent
    },
    { .name = NULL }
};


/* the nodes of a cluster lag a minute behind one another: confirm */

const pki_dialect_t  pki_jamf = {
    .name = "jamf",
    .resources = pki_jamf_resources,
    .classes = 1 << PKI_OBJECT_JAMF_COMPUTER | 1 << PKI_OBJECT_JAMF_DEVICE
               | 1 << PKI_OBJECT_JAMF_USER,
    .interval = 60000,
    .confirm = 120,
    .cookies = 1
};


static int
pki_jamf_devices_wanted(const pki_directory_conf_t *conf)
{
    return conf->devices;
}


static int
pki_jamf_users_wanted(const pki_directory_conf_t *conf)
{
    return conf->users;
}


static pki_next_t
pki_jamf_computers_next(pki_round_t *round)
{
    return pki_jamf_next(round, &pki_jamf_computers);
}


static pki_next_t
pki_jamf_mobile_next(pki_round_t *round)
{
    return pki_jamf_next(round, &pki_jamf_mobiles);
}


static pki_next_t
pki_jamf_users_next(pki_round_t *round)
{
    return pki_jamf_next(round, &pki_jamf_users);
}


static pki_next_t
pki_jamf_next(pki_round_t *round, const pki_jamf_list_t *list)
{
    if (round->step == 0) {
        pki_jamf_begin(round, list);
        return pki_jamf_ask(round, list);
    }

    if (round->status / 100 == 2) {
        return pki_jamf_page(round, list);
    }

    if (round->status == 404) {
        return pki_jamf_older(round, list);
    }

    if (round->status >= 500) {
        return round->status == 500 ? pki_jamf_damaged(round, list)
                                    : PKI_NEXT_RETRY;
    }

    if (round->status == 403) {
        return pki_round_fail(round, "the API role lacks the privilege to "
                              "read (403)");
    }

    return pki_round_fail(round, "the listing was refused (%d)",
                          round->status);
}


static void
pki_jamf_begin(pki_round_t *round, const pki_jamf_list_t *list)
{
    long long  size;

    size = round->conf->page ? round->conf->page : PKI_JAMF_PAGE;

    if (size > list->max) {
        size = list->max;
    }

    round->step = 1;
    round->count[PKI_JAMF_SIZE] = size;
    round->count[PKI_JAMF_OFFSET] = 0;
    round->count[PKI_JAMF_TOTAL] = -1;
    round->count[PKI_JAMF_LIMIT] = size;
}


static pki_next_t
pki_jamf_ask(pki_round_t *round, const pki_jamf_list_t *list)
{
    long long                  size;
    const pki_jamf_version_t  *version;

    version = &list->versions[round->step - 1];
    size = round->count[PKI_JAMF_SIZE];

    if (version->query == NULL) {
        return pki_round_get(round, version->shape, "%s", version->path);
    }

    return pki_round_get(round, version->shape,
                         "%s?%s&page=%lld&page-size=%lld", version->path,
                         version->query, round->count[PKI_JAMF_OFFSET] / size,
                         size);
}


static pki_next_t
pki_jamf_page(pki_round_t *round, const pki_jamf_list_t *list)
{
    long long           rows, offset;
    const pki_value_t  *total;

    if (!round->json) {
        return pki_round_fail(round, "the reply holds no listing");
    }

    round->variant = round->step - 1;

    if (list->versions[round->variant].query == NULL) {
        return PKI_NEXT_DONE;
    }

    total = pki_page_top(round->page, 0);

    if (total->type != PKI_VALUE_INTEGER || total->integer < 0
        || total->integer > PKI_JAMF_ROWS_MAX)
    {
        return pki_round_fail(round, "the listing tells no totalCount that "
                              "can be");
    }

    rows = round->told;
    offset = round->count[PKI_JAMF_OFFSET] + rows;

    if (round->count[PKI_JAMF_TOTAL] < 0) {
        round->count[PKI_JAMF_FIRST] = total->integer;

    } else if (!pki_round_near(round->count[PKI_JAMF_FIRST], total->integer)) {
        round->partial = 1;
    }

    round->count[PKI_JAMF_TOTAL] = total->integer;

    if (offset < total->integer && rows != round->count[PKI_JAMF_SIZE]) {

        if (rows == 0 || round->count[PKI_JAMF_OFFSET] != 0) {
            (void) pki_round_fail(round, "the listing broke off at %lld of "
                                  "%lld records", offset, total->integer);
            return PKI_NEXT_PARTIAL;
        }

        /* the server has a size of its own */
        round->count[PKI_JAMF_LIMIT] = rows;
    }

    round->count[PKI_JAMF_OFFSET] = offset;

    return pki_jamf_on(round, list);
}


/*
 * The collection is not there in this version: the next older one is asked.
 * When none is there, or in the middle of a listing, that is a failure like
 * another: nothing follows about any record, and the version that was there
 * before stays the one for lookups.
 */

static pki_next_t
pki_jamf_older(pki_round_t *round, const pki_jamf_list_t *list)
{
    if (round->count[PKI_JAMF_OFFSET] != 0
        || round->count[PKI_JAMF_TOTAL] >= 0)
    {
        return pki_round_fail(round, "a page of the listing was not there "
                              "(404)");
    }

    if (round->step == PKI_JAMF_VERSIONS
        || list->versions[round->step].path == NULL)
    {
        return pki_round_fail(round, "the server has no listing of this kind "
                              "(404)");
    }

    round->step++;

    return pki_jamf_ask(round, list);
}


/*
 * Servers before 11.29 answer a whole page with 500 when one of its records
 * is damaged.  Smaller pages find it; the next one begins behind it.  It is
 * then like one that was not listed: the lookup of it, a 500 too, leaves it
 * as it is.
 */

static pki_next_t
pki_jamf_damaged(pki_round_t *round, const pki_jamf_list_t *list)
{
    long long  size;

    size = round->count[PKI_JAMF_SIZE];

    if (list->versions[round->step - 1].query == NULL) {
        return PKI_NEXT_RETRY;
    }

    if (size > 1) {
        round->count[PKI_JAMF_SIZE] =
                     pki_jamf_size(round->count[PKI_JAMF_OFFSET], size / 2);
        return pki_jamf_ask(round, list);
    }

    if (round->unreadable == PKI_JAMF_DAMAGED_MAX) {
        return pki_round_fail(round, "the server failed to list (500), also "
                              "single records");
    }

    round->unreadable++;
    round->count[PKI_JAMF_OFFSET]++;

    return pki_jamf_on(round, list);
}


/* the next page, or the end */

static pki_next_t
pki_jamf_on(pki_round_t *round, const pki_jamf_list_t *list)
{
    long long  offset, total;

    offset = round->count[PKI_JAMF_OFFSET];
    total = round->count[PKI_JAMF_TOTAL];

    if (total < 0 || offset < total) {
        round->count[PKI_JAMF_SIZE] =
                          pki_jamf_size(offset, round->count[PKI_JAMF_LIMIT]);
        return pki_jamf_ask(round, list);
    }

    if (!round->partial) {
        return PKI_NEXT_DONE;
    }

    (void) pki_round_fail(round, "the number of records changed while they "
                          "were listed");

    return PKI_NEXT_PARTIAL;
}


/* the largest size within the limit that has a page begin at offset */

static long long
pki_jamf_size(long long offset, long long limit)
{
    long long  size;

    for (size = limit; offset % size; size--) { /* void */ }

    return size;
}


static pki_rc_t
pki_jamf_computer(const pki_directory_conf_t *conf, const pki_value_t *values,
    time_t now, pki_item_t *item)
{
    return pki_jamf_device(conf, "jamf-computer", values,
                           PKI_JAMF_COMPUTER_TIMES, now, item);
}


static pki_rc_t
pki_jamf_mobile(const pki_directory_conf_t *conf, const pki_value_t *values,
    time_t now, pki_item_t *item)
{
    return pki_jamf_device(conf, "jamf-device", values, PKI_JAMF_MOBILE_TIMES,
                           now, item);
}


static pki_rc_t
pki_jamf_device(const pki_directory_conf_t *conf, const char *class,
    const pki_value_t *values, unsigned ntimes, time_t now, pki_item_t *item)
{
    unsigned            state;
    const pki_value_t  *managed;

    memset(item, 0, sizeof(pki_item_t));

    if (pki_item_number(item->id, class, &values[PKI_JAMF_ID]) != PKI_OK) {
        return PKI_INVALID;
    }

    state = 0;
    managed = &values[PKI_JAMF_MANAGED];

    if (conf->unmanaged) {
        if (managed->type != PKI_VALUE_BOOLEAN) {
            state |= PKI_OBJECT_UNCLEAR;

        } else if (!managed->integer) {
            state |= PKI_OBJECT_UNMANAGED;
        }
    }

    if (conf->silent) {
        state |= pki_jamf_silent(&values[PKI_JAMF_TIMES], ntimes,
                                 now - conf->silent);
    }

    item->object.id = item->id;
    item->object.state = state;
    item->object.mask = PKI_JAMF_DEVICE_MASK;
    item->object.since = now;

    return PKI_OK;
}


/* the latest of the times that can be read counts */

static unsigned
pki_jamf_silent(const pki_value_t *times, unsigned n, time_t oldest)
{
    time_t    t, latest;
    unsigned  i, readable;

    latest = 0;
    readable = 0;

    for (i = 0; i < n; i++) {
        if (times[i].type != PKI_VALUE_STRING
            || pki_time_iso(times[i].string, times[i].len, &t) != PKI_OK)
        {
            continue;
        }

        readable = 1;

        if (t > latest) {
            latest = t;
        }
    }

    if (!readable) {
        return PKI_OBJECT_UNCLEAR;
    }

    return latest < oldest ? PKI_OBJECT_SILENT : 0;
}


static pki_rc_t
pki_jamf_user(const pki_directory_conf_t *conf, const pki_value_t *values,
    time_t now, pki_item_t *item)
{
    (void) conf;

    return pki_jamf_user_item(&values[PKI_JAMF_ID], &values[PKI_JAMF_EMAIL],
                              now, item);
}


static pki_rc_t
pki_jamf_user_one(const pki_directory_conf_t *conf, const pki_value_t *values,
    time_t now, pki_item_t *item)
{
    if (values[PKI_JAMF_ID].type != PKI_VALUE_ABSENT) {
        return pki_jamf_user(conf, values, now, item);
    }

    return pki_jamf_user_item(&values[PKI_JAMF_CLASSIC],
                              &values[PKI_JAMF_CLASSIC + 1], now, item);
}


/* a user is there or not, no more; certificates name one by e-mail */

static pki_rc_t
pki_jamf_user_item(const pki_value_t *id, const pki_value_t *email, time_t now,
    pki_item_t *item)
{
    memset(item, 0, sizeof(pki_item_t));

    if (pki_item_number(item->id, "jamf-user", id) != PKI_OK) {
        return PKI_INVALID;
    }

    if (email->type == PKI_VALUE_STRING && email->len > 0
        && email->len <= PKI_STATE_NAME_MAX)
    {
        item->object.name = email->string;
    }

    item->object.id = item->id;
    item->object.mask = PKI_JAMF_USER_MASK;
    item->object.since = now;

    return PKI_OK;
}


static pki_rc_t
pki_jamf_computer_url(const pki_directory_conf_t *conf, unsigned variant,
    const char *id, const char *key, char *url, size_t size)
{
    (void) conf;
    (void) key;

    return pki_jamf_url(&pki_jamf_computers, variant, id, url, size);
}


static pki_rc_t
pki_jamf_mobile_url(const pki_directory_conf_t *conf, unsigned variant,
    const char *id, const char *key, char *url, size_t size)
{
    (void) conf;
    (void) key;

    return pki_jamf_url(&pki_jamf_mobiles, variant, id, url, size);
}


static pki_rc_t
pki_jamf_user_url(const pki_directory_conf_t *conf, unsigned variant,
    const char *id, const char *key, char *url, size_t size)
{
    (void) conf;
    (void) key;

    return pki_jamf_url(&pki_jamf_users, variant, id, url, size);
}


static pki_rc_t
pki_jamf_url(const pki_jamf_list_t *list, unsigned variant, const char *id,
    char *url, size_t size)
{
    int                        n;
    size_t                     len;
    const char                *number;
    const pki_jamf_version_t  *version;

    version = &list->versions[variant];
    len = strlen(list->class);

    if (strncmp(id, list->class, len) != 0 || id[len] != '/') {
        return PKI_NOT_FOUND;
    }

    number = id + len + 1;
    len = strlen(number);

    if (len == 0 || strspn(number, "0123456789") != len) {
        return PKI_NOT_FOUND;
    }

    n = snprintf(url, size, "%s%s%s", version->one, number,
                 version->one_tail);

    return n > 0 && (size_t) n < size ? PKI_OK : PKI_NOT_FOUND;
}


/* a proxy's 404, or that of a wrong address, has no such member */

static int
pki_jamf_absent(int status, const pki_value_t *values)
{
    const pki_value_t  *told;

    told = &values[PKI_JAMF_HTTP_STATUS];

    return status == 404 && told->type == PKI_VALUE_INTEGER
           && told->integer == 404;
}


/*
 * Microsoft Entra: devices and users, by delta.
 *
 * A full round asks for a mark of "now" first and then lists, which takes a
 * fifth of the pages of a delta from the beginning; what changes meanwhile
 * comes with the delta that follows.  An item of a delta may leave out what
 * has not changed: that is kept, and the object is looked up, since nothing
 * tells a delta's item from a listing's.
 *
 * What is stored as a link begins with the terms it was made under: when
 * they change, so do the fields that are asked for, and all is listed anew.
 */

#include "pki_entra.h"

#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>


#define PKI_ENTRA_PAGE           999    /* Graph refuses more */
#define PKI_ENTRA_SELECT         96
#define PKI_ENTRA_TERMS          32     /* "1,1234567890," */

#define PKI_ENTRA_GONE                                                        \
    (PKI_OBJECT_DELETED|PKI_OBJECT_REMOVED|PKI_OBJECT_MISSING)

#define PKI_ENTRA_USER                                                        \
    (PKI_ENTRA_GONE|PKI_OBJECT_DISABLED|PKI_OBJECT_UNCLEAR)

#define PKI_ENTRA_DEVICE  (PKI_ENTRA_USER|PKI_OBJECT_NONCOMPLIANT)


/* steps of a round */

enum {
    PKI_ENTRA_BEGIN = 0,
    PKI_ENTRA_MARK,
    PKI_ENTRA_LIST,
    PKI_ENTRA_CHANGES
};


/* paths of an item */

enum {
    PKI_ENTRA_ID = 0,
    PKI_ENTRA_ENABLED,
    PKI_ENTRA_REMOVED,
    PKI_ENTRA_REASON,

    PKI_ENTRA_UPN,                  /* of a user */
    PKI_ENTRA_USER_CODE,

    PKI_ENTRA_DEVICE_ID = PKI_ENTRA_UPN,
    PKI_ENTRA_COMPLIANT,
    PKI_ENTRA_REGISTERED,
    PKI_ENTRA_DEVICE_CODE
};


static int pki_entra_devices_wanted(const pki_directory_conf_t *conf);
static int pki_entra_users_wanted(const pki_directory_conf_t *conf);

static pki_next_t pki_entra_next(pki_round_t *round);
static pki_next_t pki_entra_begin(pki_round_t *round);
static pki_next_t pki_entra_changes(pki_round_t *round);
static pki_next_t pki_entra_keep(pki_round_t *round, const pki_value_t *link);
static const pki_page_shape_t *pki_entra_shape(const pki_round_t *round);
static void pki_entra_select(const pki_directory_conf_t *conf, int devices,
    char *text);
static size_t pki_entra_terms(const pki_directory_conf_t *conf, char *text);

static pki_rc_t pki_entra_device(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_item_t *item);
static pki_rc_t pki_entra_device_one(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_item_t *item);
static pki_rc_t pki_entra_device_take(const pki_directory_conf_t *conf,
    const pki_value_t *values, int whole, time_t now, pki_item_t *item);
static void pki_entra_compliance(const pki_directory_conf_t *conf,
    const pki_value_t *values, int whole, time_t now,
    pki_state_object_t *object);
static pki_rc_t pki_entra_user(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_item_t *item);
static pki_rc_t pki_entra_user_one(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_item_t *item);
static pki_rc_t pki_entra_user_take(const pki_directory_conf_t *conf,
    const pki_value_t *values, int whole, time_t now, pki_item_t *item);
static int pki_entra_removed(const pki_directory_conf_t *conf,
    const pki_value_t *values, pki_state_object_t *object);
static void pki_entra_enabled(const pki_value_t *value, int whole, time_t now,
    pki_state_object_t *object);

static pki_rc_t pki_entra_device_lookup(const pki_directory_conf_t *conf,
    unsigned variant, const char *id, const char *key, char *url,
    size_t size);
static int pki_entra_device_absent(int status, const pki_value_t *values);
static pki_rc_t pki_entra_user_lookup(const pki_directory_conf_t *conf,
    unsigned variant, const char *id, const char *key, char *url,
    size_t size);
static int pki_entra_user_absent(int status, const pki_value_t *values);


static const char  *const pki_entra_device_paths[] = {
    "id", "accountEnabled", "@removed", "@removed/reason", "deviceId",
    "isCompliant", "registrationDateTime", NULL
};

static const char  *const pki_entra_device_one_paths[] = {
    "id", "accountEnabled", "@removed", "@removed/reason", "deviceId",
    "isCompliant", "registrationDateTime", "error/code", NULL
};

static const char  *const pki_entra_user_paths[] = {
    "id", "accountEnabled", "@removed", "@removed/reason",
    "userPrincipalName", NULL
};

static const char  *const pki_entra_user_one_paths[] = {
    "id", "accountEnabled", "@removed", "@removed/reason",
    "userPrincipalName", "error/code", NULL
};


static const pki_page_shape_t  pki_entra_device_shape = {
    "value", pki_entra_device_paths, pki_graph_top
};

static const pki_page_shape_t  pki_entra_user_shape = {
    "value", pki_entra_user_paths, pki_graph_top
};


static const pki_resource_t  pki_entra_resources[] = {

    { .name = "devices",
      .classes = 1 << PKI_OBJECT_DEVICE,
      .mask = PKI_ENTRA_DEVICE,
      .delta = 1,
      .sweep = 1,
      .wanted = pki_entra_devices_wanted,
      .next = pki_entra_next,
      .paths = pki_entra_device_paths,
      .item = pki_entra_device,
      .lookup = pki_entra_device_lookup,
      .one_paths = pki_entra_device_one_paths,
      .one = pki_entra_device_one,
      .absent = pki_entra_device_absent },

    { .name = "users",
      .classes = 1 << PKI_OBJECT_USER,
      .mask = PKI_ENTRA_USER,
      .delta = 1,
      .sweep = 1,
      .wanted = pki_entra_users_wanted,
      .next = pki_entra_next,
      .paths = pki_entra_user_paths,
      .item = pki_entra_user,
      .lookup = pki_entra_user_lookup,
      .one_paths = pki_entra_user_one_paths,
      .one = pki_entra_user_one,
      .absent = pki_entra_user_absent },

    { .name = "risk",
      .classes = 1 << PKI_OBJECT_USER,
      .mask = PKI_OBJECT_RISKY,
      .clears = 1,
      .interval = PKI_ENTRA_RISK_INTERVAL,
      .wanted = pki_entra_risk_wanted,
      .next = pki_entra_risk_next,
      .paths = pki_entra_risk_paths,
      .item = pki_entra_risk_item },

    { .name = "subscription",
      .interval = PKI_ENTRA_HOOK_INTERVAL,
      .wanted = pki_entra_hook_wanted,
      .next = pki_entra_hook_next },

    { .name = NULL }
};


const pki_dialect_t  pki_entra = {
    .name = "entra",
    .resources = pki_entra_resources,
    .classes = 1 << PKI_OBJECT_DEVICE | 1 << PKI_OBJECT_USER,
    .interval = 30000,
    .full = 86400,
    .confirm = 120,
    .settle = 30
};


static int
pki_entra_devices_wanted(const pki_directory_conf_t *conf)
{
    return conf->devices;
}


static int
pki_entra_users_wanted(const pki_directory_conf_t *conf)
{
    return conf->users;
}


static pki_next_t
pki_entra_next(pki_round_t *round)
{
    switch (round->step) {

    case PKI_ENTRA_BEGIN:
        return pki_entra_begin(round);

    case PKI_ENTRA_LIST:
        return pki_graph_listed(round, pki_entra_shape(round),
                                round->resource->name);

    default: /* PKI_ENTRA_MARK, PKI_ENTRA_CHANGES */
        return pki_entra_changes(round);
    }
}


static pki_next_t
pki_entra_begin(pki_round_t *round)
{
    char         select[PKI_ENTRA_SELECT], terms[PKI_ENTRA_TERMS];
    size_t       len;
    pki_next_t   next;
    pki_value_t  link;

    if (round->full) {
        round->step = PKI_ENTRA_MARK;

        pki_entra_select(round->conf,
                         pki_entra_shape(round) == &pki_entra_device_shape,
                         select);

        return pki_round_get(round, pki_entra_shape(round),
                             "/v1.0/%s/delta?$deltaToken=latest&$select=%s",
                             round->resource->name, select);
    }

    len = pki_entra_terms(round->conf, terms);

    if (round->link == NULL || strncmp(round->link, terms, len) != 0) {
        return PKI_NEXT_FULL;
    }

    round->step = PKI_ENTRA_CHANGES;

    link.type = PKI_VALUE_STRING;
    link.string = round->link + len;
    link.len = strlen(link.string);

    next = pki_round_follow(round, pki_entra_shape(round), &link);

    /* a link of the host that the configuration named before */

    return next == PKI_NEXT_FAIL ? PKI_NEXT_FULL : next;
}


/*
 * A page of a delta.  Graph may say in many ways that a link is too old; a
 * 400 that nothing is known about is believed to mean that the second time.
 */

static pki_next_t
pki_entra_changes(pki_round_t *round)
{
    char                select[PKI_ENTRA_SELECT];
    const pki_value_t  *next, *delta;

    if (!pki_graph_good(round)) {

        if (pki_graph_expired(round)
            || (round->status == 400 && !round->full && round->variant++))
        {
            round->variant = 0;
            return PKI_NEXT_FULL;
        }

        return pki_graph_refused(round, round->resource->name);
    }

    next = pki_page_top(round->page, PKI_GRAPH_NEXT);
    delta = pki_page_top(round->page, PKI_GRAPH_DELTA);

    if ((next->type == PKI_VALUE_ABSENT) == (delta->type == PKI_VALUE_ABSENT))
    {
        return pki_round_fail(round, "changes of %s must have one link, to "
                              "the next page or to the next delta",
                              round->resource->name);
    }

    if (next->type != PKI_VALUE_ABSENT) {
        return pki_graph_follow(round, pki_entra_shape(round),
                                round->resource->name);
    }

    if (pki_entra_keep(round, delta) == PKI_NEXT_FAIL) {
        return PKI_NEXT_FAIL;
    }

    round->variant = 0;

    if (round->step == PKI_ENTRA_CHANGES) {
        return PKI_NEXT_DONE;
    }

    round->step = PKI_ENTRA_LIST;

    pki_entra_select(round->conf,
                     pki_entra_shape(round) == &pki_entra_device_shape,
                     select);

    return pki_round_get(round, pki_entra_shape(round),
                         "/v1.0/%s?$select=%s&$top=%u", round->resource->name,
                         select, pki_graph_page(round->conf, PKI_ENTRA_PAGE));
}


static pki_next_t
pki_entra_keep(pki_round_t *round, const pki_value_t *link)
{
    char         *text;
    size_t        len;
    pki_next_t    next;
    pki_value_t   value;

    if (link->type != PKI_VALUE_STRING || link->len == 0) {
        return pki_round_fail(round, "the delta link of %s is no link",
                              round->resource->name);
    }

    text = OPENSSL_malloc(PKI_ENTRA_TERMS + link->len + 1);
    if (text == NULL) {
        return pki_round_fail(round, "no memory for a delta link");
    }

    len = pki_entra_terms(round->conf, text);
    memcpy(text + len, link->string, link->len + 1);

    value.type = PKI_VALUE_STRING;
    value.string = text;
    value.len = len + link->len;

    next = pki_round_link(round, &value);

    OPENSSL_free(text);

    return next;
}


static const pki_page_shape_t *
pki_entra_shape(const pki_round_t *round)
{
    return round->resource->paths == pki_entra_device_paths
           ? &pki_entra_device_shape : &pki_entra_user_shape;
}


/*
 * A delta reports changes of what is selected, and of nothing else: what is
 * not needed is left out.
 */

static void
pki_entra_select(const pki_directory_conf_t *conf, int devices, char *text)
{
    if (!devices) {
        (void) snprintf(text, PKI_ENTRA_SELECT,
                        "id,userPrincipalName,accountEnabled,userType");
        return;
    }

    (void) snprintf(text, PKI_ENTRA_SELECT, "id,deviceId,accountEnabled%s%s",
                    conf->compliance ? ",isCompliant" : "",
                    conf->compliance && conf->grace > 0
                    ? ",registrationDateTime" : "");
}


static size_t
pki_entra_terms(const pki_directory_conf_t *conf, char *text)
{
    return (size_t) snprintf(text, PKI_ENTRA_TERMS, "%d,%lld,",
                             conf->compliance,
                             conf->compliance ? (long long) conf->grace : 0);
}


static pki_rc_t
pki_entra_device(const pki_directory_conf_t *conf, const pki_value_t *values,
    time_t now, pki_item_t *item)
{
    return pki_entra_device_take(conf, values, 0, now, item);
}


static pki_rc_t
pki_entra_device_one(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_item_t *item)
{
    return pki_entra_device_take(conf, values, 1, now, item);
}


/*
 * A removal has the object's id only, a change perhaps no more than that and
 * what has changed: both are found by the key.
 */

static pki_rc_t
pki_entra_device_take(const pki_directory_conf_t *conf,
    const pki_value_t *values, int whole, time_t now, pki_item_t *item)
{
    pki_state_object_t  *object;

    memset(item, 0, sizeof(pki_item_t));

    object = &item->object;
    object->mask = PKI_ENTRA_DEVICE;
    object->since = now;

    if (pki_item_guid(item->alias, "key", &values[PKI_ENTRA_ID]) != PKI_OK) {
        return PKI_INVALID;
    }

    object->key = item->alias + sizeof("key/") - 1;

    if (pki_entra_removed(conf, values, object)) {
        return PKI_OK;
    }

    if (values[PKI_ENTRA_DEVICE_ID].type != PKI_VALUE_ABSENT || whole) {

        if (values[PKI_ENTRA_DEVICE_ID].type == PKI_VALUE_NULL
            || pki_graph_none(&values[PKI_ENTRA_DEVICE_ID]))
        {
            return PKI_NOT_FOUND;
        }

        if (pki_item_guid(item->id, "device", &values[PKI_ENTRA_DEVICE_ID])
            != PKI_OK)
        {
            return PKI_INVALID;
        }

        object->id = item->id;
    }

    pki_entra_enabled(&values[PKI_ENTRA_ENABLED], whole, now, object);

    if (conf->compliance) {
        pki_entra_compliance(conf, values, whole, now, object);
    }

    object->mask |= object->state & PKI_OBJECT_UNCLEAR;

    return PKI_OK;
}


/* null: nobody has evaluated the device yet */

static void
pki_entra_compliance(const pki_directory_conf_t *conf,
    const pki_value_t *values, int whole, time_t now,
    pki_state_object_t *object)
{
    time_t              end;
    const pki_value_t  *value;

    value = &values[PKI_ENTRA_COMPLIANT];

    if (value->type == PKI_VALUE_ABSENT && !whole) {
        object->mask &= ~(PKI_OBJECT_NONCOMPLIANT|PKI_OBJECT_UNCLEAR);
        object->recheck = now;
        return;
    }

    if (value->type != PKI_VALUE_BOOLEAN && value->type != PKI_VALUE_NULL) {
        object->mask &= ~PKI_OBJECT_NONCOMPLIANT;
        object->state |= PKI_OBJECT_UNCLEAR;
        return;
    }

    if (value->type == PKI_VALUE_BOOLEAN && value->integer) {
        return;
    }

    end = pki_graph_grace(conf, &values[PKI_ENTRA_REGISTERED], now);

    if (end == 0) {
        object->state |= PKI_OBJECT_NONCOMPLIANT;

    } else if (object->recheck == 0) {
        object->recheck = end;
    }
}


static pki_rc_t
pki_entra_user(const pki_directory_conf_t *conf, const pki_value_t *values,
    time_t now, pki_item_t *item)
{
    return pki_entra_user_take(conf, values, 0, now, item);
}


static pki_rc_t
pki_entra_user_one(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_item_t *item)
{
    return pki_entra_user_take(conf, values, 1, now, item);
}


static pki_rc_t
pki_entra_user_take(const pki_directory_conf_t *conf,
    const pki_value_t *values, int whole, time_t now, pki_item_t *item)
{
    const pki_value_t   *name;
    pki_state_object_t  *object;

    memset(item, 0, sizeof(pki_item_t));

    object = &item->object;
    object->mask = PKI_ENTRA_USER;
    object->since = now;

    if (pki_item_guid(item->id, "user", &values[PKI_ENTRA_ID]) != PKI_OK) {
        return PKI_INVALID;
    }

    object->key = item->id + sizeof("user/") - 1;

    if (pki_entra_removed(conf, values, object)) {
        return PKI_OK;
    }

    object->id = item->id;

    name = &values[PKI_ENTRA_UPN];

    if (name->type == PKI_VALUE_STRING && name->len > 0
        && name->len <= PKI_STATE_NAME_MAX)
    {
        object->name = name->string;
    }

    pki_entra_enabled(&values[PKI_ENTRA_ENABLED], whole, now, object);

    object->mask |= object->state & PKI_OBJECT_UNCLEAR;

    return PKI_OK;
}


/*
 * "deleted" is for good, "changed" a deletion that can be undone.  Of what
 * is removed for another reason nobody knows which it is: a hold can end.
 */

static int
pki_entra_removed(const pki_directory_conf_t *conf, const pki_value_t *values,
    pki_state_object_t *object)
{
    const pki_value_t  *reason;

    if (values[PKI_ENTRA_REMOVED].type == PKI_VALUE_ABSENT
        || values[PKI_ENTRA_REMOVED].type == PKI_VALUE_NULL)
    {
        return 0;
    }

    reason = &values[PKI_ENTRA_REASON];

    object->mask = PKI_ENTRA_GONE;

    if (pki_graph_is(reason, "deleted")
        || (pki_graph_is(reason, "changed") && !conf->restore))
    {
        object->state = PKI_OBJECT_DELETED;

    } else {
        object->state = PKI_OBJECT_REMOVED;
    }

    return 1;
}


/* what cannot be read adds to what is known, and does not end it */

static void
pki_entra_enabled(const pki_value_t *value, int whole, time_t now,
    pki_state_object_t *object)
{
    if (value->type == PKI_VALUE_BOOLEAN) {
        object->state |= value->integer ? 0 : PKI_OBJECT_DISABLED;

    } else if (value->type == PKI_VALUE_ABSENT && !whole) {
        object->mask &= ~(PKI_OBJECT_DISABLED|PKI_OBJECT_UNCLEAR);
        object->recheck = now;

    } else {
        object->mask &= ~PKI_OBJECT_DISABLED;
        object->state |= PKI_OBJECT_UNCLEAR;
    }
}


static pki_rc_t
pki_entra_device_lookup(const pki_directory_conf_t *conf, unsigned variant,
    const char *id, const char *key, char *url, size_t size)
{
    int          n;
    char         select[PKI_ENTRA_SELECT];
    const char  *guid;

    (void) key;
    (void) variant;

    guid = pki_graph_guid(id, "device");
    if (guid == NULL) {
        return PKI_NOT_FOUND;
    }

    pki_entra_select(conf, 1, select);

    n = snprintf(url, size, "/v1.0/devices(deviceId='%s')?$select=%s", guid,
                 select);

    return n < 0 || (size_t) n >= size ? PKI_INVALID : PKI_OK;
}


static int
pki_entra_device_absent(int status, const pki_value_t *values)
{
    return pki_graph_absent(status, &values[PKI_ENTRA_DEVICE_CODE]);
}


static pki_rc_t
pki_entra_user_lookup(const pki_directory_conf_t *conf, unsigned variant,
    const char *id, const char *key, char *url, size_t size)
{
    int          n;
    char         select[PKI_ENTRA_SELECT];
    const char  *guid;

    (void) key;
    (void) variant;

    guid = pki_graph_guid(id, "user");
    if (guid == NULL) {
        return PKI_NOT_FOUND;
    }

    pki_entra_select(conf, 0, select);

    n = snprintf(url, size, "/v1.0/users/%s?$select=%s", guid, select);

    return n < 0 || (size_t) n >= size ? PKI_INVALID : PKI_OK;
}


static int
pki_entra_user_absent(int status, const pki_value_t *values)
{
    return pki_graph_absent(status, &values[PKI_ENTRA_USER_CODE]);
}

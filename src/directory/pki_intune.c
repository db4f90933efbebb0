
/*
 * Microsoft Intune: managed devices, and the list of certificates that
 * Intune has revoked on its devices.
 *
 * Intune has no delta: each round lists all devices.  Listings that end
 * early, without a next link, have been seen; so the number of devices is
 * asked for afterwards, and when it is not there, or is greater than what
 * was listed, nothing follows from absence.
 *
 * managementState came to v1.0 late and is still missing in some tenants:
 * then /beta is asked, once.  Where neither has it, what is known about wipe
 * and retire is kept, and a device is believed to be fine, since its
 * deletion, with which both end, is seen all the same.
 */

#include "pki_intune.h"

#include <stdio.h>
#include <string.h>


#define PKI_INTUNE_PAGE      1000       /* Graph's default and limit */
#define PKI_INTUNE_SHORT     2          /* devices that a listing may lack, */
#define PKI_INTUNE_SHORT_OF  100        /* or one of so many */
#define PKI_INTUNE_SERIAL_MAX  96       /* 20 octets with colons, and zeros */

#define PKI_INTUNE_DEVICE                                                     \
    (PKI_OBJECT_DELETED|PKI_OBJECT_REMOVED|PKI_OBJECT_RETIRED                 \
     |PKI_OBJECT_NONCOMPLIANT|PKI_OBJECT_MISSING|PKI_OBJECT_UNCLEAR)

#define PKI_INTUNE_SELECT                                                     \
    "id,azureADDeviceId,managementState,complianceState,enrolledDateTime,"    \
    "userId"


/* steps of a round */

enum {
    PKI_INTUNE_BEGIN = 0,
    PKI_INTUNE_LIST,
    PKI_INTUNE_COUNT
};


/* where managementState is looked for: round->variant */

enum {
    PKI_INTUNE_V1 = 0,
    PKI_INTUNE_BETA,
    PKI_INTUNE_NOWHERE              /* v1.0 again */
};


/* paths of an item */

enum {
    PKI_INTUNE_ID = 0,
    PKI_INTUNE_ENTRA,
    PKI_INTUNE_MANAGEMENT,
    PKI_INTUNE_COMPLIANCE,
    PKI_INTUNE_ENROLLED,
    PKI_INTUNE_USER,
    PKI_INTUNE_CODE,

    PKI_INTUNE_STATUS = 0,          /* of a certificate */
    PKI_INTUNE_SERIAL,
    PKI_INTUNE_ISSUER,
    PKI_INTUNE_CHANGED,
    PKI_INTUNE_ISSUED,
    PKI_INTUNE_EXPIRES,
    PKI_INTUNE_THUMBPRINT,
    PKI_INTUNE_SUBJECT,
    PKI_INTUNE_NAME,
    PKI_INTUNE_UPN
};


typedef struct {
    const char  *name;
    unsigned     state;
} pki_intune_state_t;


static int pki_intune_devices_wanted(const pki_directory_conf_t *conf);
static int pki_intune_list_wanted(const pki_directory_conf_t *conf);

static pki_next_t pki_intune_next(pki_round_t *round);
static pki_next_t pki_intune_begin(pki_round_t *round);
static pki_next_t pki_intune_elsewhere(pki_round_t *round);
static int pki_intune_silent(const pki_round_t *round);
static pki_next_t pki_intune_counted(pki_round_t *round);
static const char *pki_intune_version(unsigned variant);

static pki_rc_t pki_intune_device(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_item_t *item);
static void pki_intune_line(const pki_value_t *values, pki_item_t *item);
static void pki_intune_alias(const pki_value_t *value, pki_item_t *item);
static void pki_intune_owner(const pki_value_t *value, pki_item_t *item);
static void pki_intune_management(const pki_value_t *value,
    pki_state_object_t *object);
static void pki_intune_compliance(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_state_object_t *object);
static int pki_intune_state(const pki_intune_state_t *states,
    const pki_value_t *value, unsigned *state);
static pki_rc_t pki_intune_lookup(const pki_directory_conf_t *conf,
    unsigned variant, const char *id, const char *key, char *url,
    size_t size);
static int pki_intune_absent(int status, const pki_value_t *values);

static pki_next_t pki_intune_list_next(pki_round_t *round);
static pki_rc_t pki_intune_certificate(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_item_t *item);


static const char  *const pki_intune_device_paths[] = {
    "id", "azureADDeviceId", "managementState", "complianceState",
    "enrolledDateTime", "userId", NULL
};

static const char  *const pki_intune_one_paths[] = {
    "id", "azureADDeviceId", "managementState", "complianceState",
    "enrolledDateTime", "userId", "error/code", NULL
};

static const char  *const pki_intune_count_top[] = {
    PKI_GRAPH_TOP, "enrolledDeviceCount", NULL
};

static const char  *const pki_intune_list_paths[] = {
    "certificateRevokeStatus", "certificateSerialNumber",
    "certificateIssuerName", "certificateRevokeStatusLastChangeDateTime",
    "certificateIssuanceDateTime", "certificateExpirationDateTime",
    "certificateThumbprint", "certificateSubjectName",
    "managedDeviceDisplayName", "userPrincipalName", NULL
};


static const pki_page_shape_t  pki_intune_device_shape = {
    "value", pki_intune_device_paths, pki_graph_top
};

static const pki_page_shape_t  pki_intune_count_shape = {
    NULL, NULL, pki_intune_count_top
};

static const pki_page_shape_t  pki_intune_list_shape = {
    "value", pki_intune_list_paths, pki_graph_top
};


/* a canceled wipe or retirement leaves the device as it was */

static const pki_intune_state_t  pki_intune_management_states[] = {
    { "managed", 0 },
    { "discovered", 0 },
    { "wipeCanceled", 0 },
    { "retireCanceled", 0 },
    { "retirePending", PKI_OBJECT_RETIRED },
    { "retireFailed", PKI_OBJECT_RETIRED },
    { "retireIssued", PKI_OBJECT_RETIRED },
    { "wipePending", PKI_OBJECT_RETIRED },
    { "wipeFailed", PKI_OBJECT_RETIRED },
    { "wipeIssued", PKI_OBJECT_RETIRED },
    { "deletePending", PKI_OBJECT_RETIRED },
    { "unhealthy", PKI_OBJECT_RETIRED },
    { NULL, 0 }
};


/*
 * Only what Intune itself calls compliant is so.  "configManager" means that
 * another system decides and Intune does not know; Entra's isCompliant has
 * the result.
 */

static const pki_intune_state_t  pki_intune_compliance_states[] = {
    { "compliant", 0 },
    { "inGracePeriod", 0 },
    { "noncompliant", PKI_OBJECT_NONCOMPLIANT },
    { "conflict", PKI_OBJECT_NONCOMPLIANT },
    { "error", PKI_OBJECT_NONCOMPLIANT },
    { "unknown", PKI_OBJECT_NONCOMPLIANT },
    { "configManager", PKI_OBJECT_NONCOMPLIANT },
    { NULL, 0 }
};


static const pki_resource_t  pki_intune_resources[] = {

    { .name = "devices",
      .classes = 1 << PKI_OBJECT_DEVICE,
      .mask = PKI_INTUNE_DEVICE,
      .sweep = 1,
      .wanted = pki_intune_devices_wanted,
      .next = pki_intune_next,
      .paths = pki_intune_device_paths,
      .item = pki_intune_device,
      .lookup = pki_intune_lookup,
      .one_paths = pki_intune_one_paths,
      .one = pki_intune_device,
      .absent = pki_intune_absent },

    { .name = "endpoint-list",
      .lines = 1,
      .wanted = pki_intune_list_wanted,
      .next = pki_intune_list_next,
      .paths = pki_intune_list_paths,
      .item = pki_intune_certificate },

    { .name = "revocations",
      .login_ca = 1,
      .wanted = pki_intune_queue_wanted,
      .next = pki_intune_queue_next,
      .paths = pki_intune_queue_paths,
      .item = pki_intune_queue_item },

    { .name = NULL }
};


const pki_dialect_t  pki_intune = {
    .name = "intune",
    .resources = pki_intune_resources,
    .classes = 1 << PKI_OBJECT_DEVICE,
    .interval = 60000,
    .confirm = 120,
    .settle = 30
};


static int
pki_intune_devices_wanted(const pki_directory_conf_t *conf)
{
    return conf->devices;
}


static int
pki_intune_list_wanted(const pki_directory_conf_t *conf)
{
    return conf->endpoint_list;
}


static pki_next_t
pki_intune_next(pki_round_t *round)
{
    pki_next_t  next;

    switch (round->step) {

    case PKI_INTUNE_BEGIN:
        return pki_intune_begin(round);

    case PKI_INTUNE_COUNT:
        return pki_intune_counted(round);

    default: /* PKI_INTUNE_LIST */
        break;
    }

    if (round->count[PKI_GRAPH_PAGES] == 0 && pki_intune_silent(round)) {
        return pki_intune_elsewhere(round);
    }

    next = pki_graph_listed(round, &pki_intune_device_shape,
                            "managed devices");

    if (next != PKI_NEXT_DONE) {
        return next;
    }

    round->step = PKI_INTUNE_COUNT;

    return pki_round_get(round, &pki_intune_count_shape,
                         "/v1.0/deviceManagement/managedDeviceOverview");
}


static pki_next_t
pki_intune_begin(pki_round_t *round)
{
    round->step = PKI_INTUNE_LIST;

    return pki_round_get(round, &pki_intune_device_shape,
                         "/%s/deviceManagement/managedDevices"
                         "?$select=" PKI_INTUNE_SELECT "&$top=%u",
                         pki_intune_version(round->variant),
                         pki_graph_page(round->conf, PKI_INTUNE_PAGE));
}


static pki_next_t
pki_intune_elsewhere(pki_round_t *round)
{
    round->variant++;

    return pki_intune_begin(round);
}


/*
 * Does the first page tell the management state of no device, though it is
 * wanted, or is /beta not to be had?
 */

static int
pki_intune_silent(const pki_round_t *round)
{
    size_t                     i;
    const pki_state_object_t  *object;

    if (round->variant == PKI_INTUNE_NOWHERE || !round->conf->wipe) {
        return 0;
    }

    if (!pki_graph_good(round)) {
        return round->variant == PKI_INTUNE_BETA;
    }

    for (i = 0; i < round->nitems; i++) {
        object = &round->items[i].object;

        if (object->mask & PKI_OBJECT_RETIRED
            || object->state & PKI_OBJECT_UNCLEAR)
        {
            return 0;
        }
    }

    return round->nitems > 0;
}


static pki_next_t
pki_intune_counted(pki_round_t *round)
{
    long long           least, allowed;
    const pki_value_t  *count;

    if (!pki_graph_good(round)) {
        (void) pki_graph_refused(round, "the number of managed devices");
        return PKI_NEXT_PARTIAL;
    }

    count = pki_page_top(round->page, PKI_GRAPH_OWN);

    if (count->type != PKI_VALUE_INTEGER || count->integer < 0) {
        (void) pki_round_fail(round, "Graph does not tell the number of "
                              "managed devices");
        return PKI_NEXT_PARTIAL;
    }

    allowed = count->integer / PKI_INTUNE_SHORT_OF;

    if (allowed < PKI_INTUNE_SHORT) {
        allowed = PKI_INTUNE_SHORT;
    }

    least = count->integer - allowed;

    if (round->count[PKI_GRAPH_ROWS] < least) {
        (void) pki_round_fail(round, "the listing ended after %lld of %lld "
                              "managed devices",
                              round->count[PKI_GRAPH_ROWS], count->integer);
        return PKI_NEXT_PARTIAL;
    }

    return PKI_NEXT_DONE;
}


static const char *
pki_intune_version(unsigned variant)
{
    return variant == PKI_INTUNE_BETA ? "beta" : "v1.0";
}


static pki_rc_t
pki_intune_device(const pki_directory_conf_t *conf, const pki_value_t *values,
    time_t now, pki_item_t *item)
{
    pki_state_object_t  *object;

    memset(item, 0, sizeof(pki_item_t));

    if (pki_graph_none(&values[PKI_INTUNE_ID])
        || pki_item_guid(item->id, "device", &values[PKI_INTUNE_ID])
           != PKI_OK)
    {
        return PKI_INVALID;
    }

    object = &item->object;

    object->id = item->id;
    object->key = item->id + sizeof("device/") - 1;
    object->mask = PKI_INTUNE_DEVICE;
    object->since = now;

    pki_intune_alias(&values[PKI_INTUNE_ENTRA], item);
    pki_intune_owner(&values[PKI_INTUNE_USER], item);

    if (conf->wipe) {
        pki_intune_management(&values[PKI_INTUNE_MANAGEMENT], object);
    }

    if (conf->compliance) {
        pki_intune_compliance(conf, values, now, object);
    }

    return PKI_OK;
}


/*
 * Entra's id is the alias, and the name by which the device is found when
 * that is all that is known.  What cannot be read changes nothing.
 */

static void
pki_intune_alias(const pki_value_t *value, pki_item_t *item)
{
    if (value->type == PKI_VALUE_NULL || pki_graph_none(value)) {
        item->object.alias = "";

    } else if (pki_item_guid(item->alias, "device", value) == PKI_OK) {
        item->object.alias = item->alias;
        item->object.name = item->alias + sizeof("device/") - 1;
    }
}


/* the primary user, whose object id Intune knows; of a kiosk there is none */

static void
pki_intune_owner(const pki_value_t *value, pki_item_t *item)
{
    if (value->type == PKI_VALUE_NULL || pki_graph_none(value)) {
        item->object.owner = "";

    } else if (pki_item_guid(item->owner, "user", value) == PKI_OK) {
        item->object.owner = item->owner;
    }
}


static void
pki_intune_management(const pki_value_t *value, pki_state_object_t *object)
{
    unsigned  state;

    if (pki_intune_state(pki_intune_management_states, value, &state)) {
        object->state |= state;
        return;
    }

    object->mask &= ~PKI_OBJECT_RETIRED;

    if (value->type != PKI_VALUE_ABSENT && value->type != PKI_VALUE_NULL) {
        object->state |= PKI_OBJECT_UNCLEAR;
    }
}


static void
pki_intune_compliance(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_state_object_t *object)
{
    time_t              end;
    unsigned            state;
    const pki_value_t  *value;

    value = &values[PKI_INTUNE_COMPLIANCE];

    if (value->type == PKI_VALUE_ABSENT || value->type == PKI_VALUE_NULL) {
        state = PKI_OBJECT_NONCOMPLIANT;

    } else if (!pki_intune_state(pki_intune_compliance_states, value, &state))
    {
        object->mask &= ~PKI_OBJECT_NONCOMPLIANT;
        object->state |= PKI_OBJECT_UNCLEAR;
        return;
    }

    end = state ? pki_graph_grace(conf, &values[PKI_INTUNE_ENROLLED], now) : 0;

    if (end) {
        object->recheck = end;

    } else {
        object->state |= state;
    }
}


static int
pki_intune_state(const pki_intune_state_t *states, const pki_value_t *value,
    unsigned *state)
{
    for ( /* void */ ; states->name; states++) {

        if (pki_graph_is(value, states->name)) {
            *state = states->state;
            return 1;
        }
    }

    return 0;
}


static pki_rc_t
pki_intune_lookup(const pki_directory_conf_t *conf, unsigned variant,
    const char *id, const char *key, char *url, size_t size)
{
    int          n;
    const char  *guid;

    (void) key;
    (void) conf;

    guid = pki_graph_guid(id, "device");
    if (guid == NULL) {
        return PKI_NOT_FOUND;
    }

    n = snprintf(url, size, "/%s/deviceManagement/managedDevices/%s"
                 "?$select=" PKI_INTUNE_SELECT, pki_intune_version(variant),
                 guid);

    return n < 0 || (size_t) n >= size ? PKI_INVALID : PKI_OK;
}


/*
 * Intune's own codes for this are not documented; what counts is that a
 * reply of Graph, and not of something between, says it.
 */

static int
pki_intune_absent(int status, const pki_value_t *values)
{
    return status == 404
           && values[PKI_INTUNE_CODE].type == PKI_VALUE_STRING
           && values[PKI_INTUNE_CODE].len > 0;
}


static pki_next_t
pki_intune_list_next(pki_round_t *round)
{
    if (round->step != PKI_INTUNE_BEGIN) {
        return pki_graph_listed(round, &pki_intune_list_shape,
                                "certificate states");
    }

    round->step = PKI_INTUNE_LIST;

    return pki_round_get(round, &pki_intune_list_shape,
                         "/beta/deviceManagement"
                         "/deviceConfigurationsAllManagedDeviceCertificate"
                         "States?$select=certificateRevokeStatus,"
                         "certificateSerialNumber,certificateIssuerName,"
                         "certificateRevokeStatusLastChangeDateTime,"
                         "certificateIssuanceDateTime,"
                         "certificateExpirationDateTime,"
                         "certificateThumbprint,certificateSubjectName,"
                         "managedDeviceDisplayName,userPrincipalName");
}


/* a revocation counts when it is done: what is issued may still fail */

static pki_rc_t
pki_intune_certificate(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_item_t *item)
{
    size_t              i;
    pki_rc_t            serial;
    const pki_value_t  *status;

    static const char  *const valid[] = {
        "none", "pending", "issued", "failed"
    };

    (void) conf;
    (void) now;

    memset(item, 0, sizeof(pki_item_t));

    status = &values[PKI_INTUNE_STATUS];

    serial = pki_intune_serial(&values[PKI_INTUNE_SERIAL], item->id);

    for (i = 0; i < sizeof(valid) / sizeof(valid[0]); i++) {
        if (pki_graph_is(status, valid[i])) {
            pki_intune_line(values, item);
            return serial == PKI_OK ? PKI_OK : PKI_NOT_FOUND;
        }
    }

    if (!pki_graph_is(status, "revoked") || serial != PKI_OK) {
        return PKI_INVALID;
    }

    pki_intune_line(values, item);

    item->serial = item->id;

    if (values[PKI_INTUNE_ISSUER].type == PKI_VALUE_STRING
        && values[PKI_INTUNE_ISSUER].len > 0)
    {
        item->issuer = values[PKI_INTUNE_ISSUER].string;
    }

    return PKI_OK;
}


/* for people to look at */

static void
pki_intune_line(const pki_value_t *values, pki_item_t *item)
{
    size_t              i;
    const pki_value_t  *value;

    static const unsigned char  paths[PKI_ISSUED_N] = {
        PKI_INTUNE_STATUS, PKI_INTUNE_CHANGED, PKI_INTUNE_ISSUED,
        PKI_INTUNE_EXPIRES, PKI_INTUNE_THUMBPRINT, PKI_INTUNE_SUBJECT,
        PKI_INTUNE_NAME, PKI_INTUNE_UPN, PKI_INTUNE_ISSUER
    };

    item->line.serial = item->id;

    for (i = 0; i < PKI_ISSUED_N; i++) {
        value = &values[paths[i]];

        if (value->type == PKI_VALUE_STRING) {
            item->line.fields[i] = value->string;
        }
    }
}


pki_rc_t
pki_intune_serial(const pki_value_t *value, char *text)
{
    char          digits[PKI_INTUNE_SERIAL_MAX];
    size_t        i, n;
    pki_serial_t  serial;

    if (value->type != PKI_VALUE_STRING) {
        return PKI_INVALID;
    }

    for (i = 0, n = 0; i < value->len; i++) {

        if (value->string[i] == ' ') {
            continue;
        }

        if (n == PKI_INTUNE_SERIAL_MAX) {
            return PKI_INVALID;
        }

        digits[n++] = value->string[i];
    }

    if (pki_serial_from_text(digits, n, &serial) != PKI_OK) {
        return PKI_INVALID;
    }

    (void) pki_serial_to_text(&serial, text);

    return PKI_OK;
}

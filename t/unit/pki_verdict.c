
/*
 * pki_verdict.c: the table.  A row is a certificate, what two directories
 * know about its objects, and what must come of it.
 */

#include "pki_test.h"

#include "pki_verdict.h"


#define TEST_NOW      2000000
#define TEST_AGE      1000
#define TEST_GOOD     600
#define TEST_HOLD     300
#define TEST_REVOKED  7000


/* a certificate's flags */

#define R   0x01    /* recorded */
#define B   0x02    /* bound */
#define O   0x04    /* the CA's own */
#define S   0x08    /* policy: by serial */
#define X   0x10    /* policy: extended revoke */
#define A   0x20    /* policy: any directory of a group is enough */
#define G   0x40    /* the objects are of one group */


/* how fresh a directory is */

typedef enum {
    NO_OBJECT = 0,
    FRESH,          /* just now */
    EDGE,           /* as old as may be */
    STALE,          /* a second older */
    AGED,           /* as old as stale, but facts count for ever */
    LAST,           /* as old as stale, but the last facts count */
    NEVER,          /* never synced */
    NEVER_AGED,     /* likewise, and facts would count for ever */
    NEVER_LAST,     /* likewise, and the last facts would count */
    FUTURE          /* its clock is ahead */
} test_sync_t;


typedef struct {
    test_sync_t   sync;
    int           found;
    unsigned      state;
    time_t        since;
} test_object_t;


typedef struct {
    const char     *name;
    unsigned        flags;
    int             manual;
    time_t          manual_at;
    test_object_t   objects[2];

    pki_outcome_t   outcome;
    int             reason;
    time_t          revoked_at;
    const char     *causes;     /* "source/what", one space between */
} test_row_t;


#define NONE    PKI_REASON_NONE
#define HOLD    PKI_REASON_CERTIFICATE_HOLD
#define CEASED  PKI_REASON_CESSATION_OF_OPERATION
#define WITHDRAWN  PKI_REASON_PRIVILEGE_WITHDRAWN

#define CLEAN   { FRESH, 1, 0, 50 }
#define IS(bit, since)  { FRESH, 1, PKI_OBJECT_##bit, since }
#define BOTH(one, two)  { FRESH, 1, PKI_OBJECT_##one|PKI_OBJECT_##two, 40 }


static const test_row_t  test_rows[] = {

    /* known or not */

    { "recorded", R, NONE, 0, {{ 0 }},
      PKI_OUTCOME_GOOD, NONE, 0, "" },
    { "recorded, bound, its objects fine", R|B, NONE, 0, { CLEAN, CLEAN },
      PKI_OUTCOME_GOOD, NONE, 0, "" },
    { "neither recorded nor bound", 0, NONE, 0, {{ 0 }},
      PKI_OUTCOME_UNKNOWN, NONE, 0, "" },
    { "neither, by serial", S, NONE, 0, {{ 0 }},
      PKI_OUTCOME_UNKNOWN, NONE, 0, "" },
    { "bound, not by serial", B, NONE, 0, { CLEAN },
      PKI_OUTCOME_UNKNOWN, NONE, 0, "" },
    { "bound, by serial", B|S, NONE, 0, { CLEAN },
      PKI_OUTCOME_GOOD, NONE, 0, "" },
    { "bound to nothing, by serial", B|S, NONE, 0, {{ 0 }},
      PKI_OUTCOME_GOOD, NONE, 0, "" },
    { "extended, recorded", R|X, NONE, 0, {{ 0 }},
      PKI_OUTCOME_GOOD, NONE, 0, "" },
    { "extended, by serial", B|S|X, NONE, 0, { CLEAN },
      PKI_OUTCOME_GOOD, NONE, 0, "" },
    { "extended, not known", X, NONE, 0, {{ 0 }},
      PKI_OUTCOME_REVOKED, HOLD, 0, "" },
    { "extended, bound, not known", B|X, NONE, 0, { CLEAN },
      PKI_OUTCOME_REVOKED, HOLD, 0, "" },
    { "not known, and a directory is silent", B, NONE, 0, {{ STALE, 1, 0, 0 }},
      PKI_OUTCOME_UNKNOWN, NONE, 0, "entra/stale" },
    { "extended, and a directory is silent", B|X, NONE, 0, {{ STALE, 1, 0, 0 }},
      PKI_OUTCOME_REVOKED, HOLD, 0, "entra/stale" },
    { "not known, its object deleted", B, NONE, 0, { IS(DELETED, 40) },
      PKI_OUTCOME_REVOKED, CEASED, 40, "entra/deleted" },
    { "extended, its object disabled", B|X, NONE, 0, { IS(DISABLED, 40) },
      PKI_OUTCOME_HOLD, HOLD, 40, "entra/disabled" },

    /* the CA's own */

    { "own", O, NONE, 0, {{ 0 }},
      PKI_OUTCOME_GOOD, NONE, 0, "" },
    { "own, extended", O|X, NONE, 0, {{ 0 }},
      PKI_OUTCOME_GOOD, NONE, 0, "" },
    { "own, its serial bound by chance", O|B, NONE, 0, { IS(DELETED, 40) },
      PKI_OUTCOME_GOOD, NONE, 0, "" },
    { "own, revoked", O, PKI_REASON_CA_COMPROMISE, 70, {{ 0 }},
      PKI_OUTCOME_REVOKED, PKI_REASON_CA_COMPROMISE, 70, "manual/revoked" },
    { "own, held", O, HOLD, 70, {{ 0 }},
      PKI_OUTCOME_HOLD, HOLD, 70, "manual/revoked" },

    /* by hand */

    { "keyCompromise", R, PKI_REASON_KEY_COMPROMISE, 70, {{ 0 }},
      PKI_OUTCOME_REVOKED, PKI_REASON_KEY_COMPROMISE, 70, "manual/revoked" },
    { "unspecified", R, PKI_REASON_UNSPECIFIED, 70, {{ 0 }},
      PKI_OUTCOME_REVOKED, PKI_REASON_UNSPECIFIED, 70, "manual/revoked" },
    { "certificateHold", R, HOLD, 70, {{ 0 }},
      PKI_OUTCOME_HOLD, HOLD, 70, "manual/revoked" },
    { "revoked, not known", 0, PKI_REASON_SUPERSEDED, 70, {{ 0 }},
      PKI_OUTCOME_REVOKED, PKI_REASON_SUPERSEDED, 70, "manual/revoked" },
    { "held, not known, extended", X, HOLD, 70, {{ 0 }},
      PKI_OUTCOME_HOLD, HOLD, 70, "manual/revoked" },
    { "removeFromCRL is a revocation's record, no release", R,
      PKI_REASON_REMOVE_FROM_CRL, 70, {{ 0 }},
      PKI_OUTCOME_REVOKED, PKI_REASON_UNSPECIFIED, 70, "manual/revoked" },
    { "so is a number that is no reason", R, 7, 70, {{ 0 }},
      PKI_OUTCOME_REVOKED, PKI_REASON_UNSPECIFIED, 70, "manual/revoked" },

    /* each state */

    { "deleted", R|B, NONE, 0, { IS(DELETED, 40) },
      PKI_OUTCOME_REVOKED, CEASED, 40, "entra/deleted" },
    { "retired", R|B, NONE, 0, { IS(RETIRED, 40) },
      PKI_OUTCOME_REVOKED, CEASED, 40, "entra/retired" },
    { "endpoint", R|B, NONE, 0, { IS(ENDPOINT, 40) },
      PKI_OUTCOME_REVOKED, WITHDRAWN, 40, "entra/endpoint" },
    { "disabled", R|B, NONE, 0, { IS(DISABLED, 40) },
      PKI_OUTCOME_HOLD, HOLD, 40, "entra/disabled" },
    { "noncompliant", R|B, NONE, 0, { IS(NONCOMPLIANT, 40) },
      PKI_OUTCOME_HOLD, HOLD, 40, "entra/noncompliant" },
    { "risky", R|B, NONE, 0, { IS(RISKY, 40) },
      PKI_OUTCOME_HOLD, HOLD, 40, "entra/risky" },
    { "removed", R|B, NONE, 0, { IS(REMOVED, 40) },
      PKI_OUTCOME_HOLD, HOLD, 40, "entra/removed" },
    { "unmanaged", R|B, NONE, 0, { IS(UNMANAGED, 40) },
      PKI_OUTCOME_HOLD, HOLD, 40, "entra/unmanaged" },
    { "silent", R|B, NONE, 0, { IS(SILENT, 40) },
      PKI_OUTCOME_HOLD, HOLD, 40, "entra/silent" },
    { "missing", R|B, NONE, 0, { IS(MISSING, 40) },
      PKI_OUTCOME_LATER, NONE, 0, "entra/missing" },
    { "unclear", R|B, NONE, 0, { IS(UNCLEAR, 40) },
      PKI_OUTCOME_LATER, NONE, 0, "entra/unclear" },
    { "missing, not known here", B, NONE, 0, { IS(MISSING, 40) },
      PKI_OUTCOME_UNKNOWN, NONE, 0, "entra/missing" },
    { "missing, and disabled when last seen", R|B, NONE, 0,
      {{ FRESH, 1, PKI_OBJECT_MISSING|PKI_OBJECT_DISABLED, 40 }},
      PKI_OUTCOME_HOLD, HOLD, 40, "entra/disabled" },
    { "unclear, but risky", R|B, NONE, 0,
      {{ FRESH, 1, PKI_OBJECT_UNCLEAR|PKI_OBJECT_RISKY, 40 }},
      PKI_OUTCOME_HOLD, HOLD, 40, "entra/risky" },
    { "unclear, but deleted", R|B, NONE, 0,
      {{ FRESH, 1, PKI_OBJECT_UNCLEAR|PKI_OBJECT_DELETED, 40 }},
      PKI_OUTCOME_REVOKED, CEASED, 40, "entra/deleted" },
    { "missing and unclear", R|B, NONE, 0,
      {{ FRESH, 1, PKI_OBJECT_MISSING|PKI_OBJECT_UNCLEAR, 40 }},
      PKI_OUTCOME_LATER, NONE, 0, "entra/missing" },
    { "removed and retired", R|B, NONE, 0,
      {{ FRESH, 1, PKI_OBJECT_REMOVED|PKI_OBJECT_RETIRED, 40 }},
      PKI_OUTCOME_REVOKED, CEASED, 40, "entra/retired" },
    { "all holds at once", R|B, NONE, 0,
      {{ FRESH, 1, PKI_OBJECT_HOLD, 40 }},
      PKI_OUTCOME_HOLD, HOLD, 40, "entra/disabled" },
    { "disabled and retired", R|B, NONE, 0,
      {{ FRESH, 1, PKI_OBJECT_DISABLED|PKI_OBJECT_RETIRED, 40 }},
      PKI_OUTCOME_REVOKED, CEASED, 40, "entra/retired" },
    { "all at once", R|B, NONE, 0,
      {{ FRESH, 1, PKI_OBJECT_STATES, 40 }},
      PKI_OUTCOME_REVOKED, CEASED, 40, "entra/deleted" },
    { "a state of a later version", R|B, NONE, 0, {{ FRESH, 1, 0x800, 40 }},
      PKI_OUTCOME_LATER, NONE, 0, "entra/in an unknown state" },
    { "that and a known one", R|B, NONE, 0,
      {{ FRESH, 1, 0x800|PKI_OBJECT_RISKY, 40 }},
      PKI_OUTCOME_HOLD, HOLD, 40, "entra/risky" },

    /* two sources */

    { "the second object speaks as well as the first", R|B, NONE, 0,
      { CLEAN, IS(DISABLED, 40) },
      PKI_OUTCOME_HOLD, HOLD, 40, "jamf/disabled" },
    { "permanent beats an earlier hold", R|B, NONE, 0,
      { IS(DISABLED, 10), IS(DELETED, 40) },
      PKI_OUTCOME_REVOKED, CEASED, 40, "entra/disabled jamf/deleted" },
    { "in either order", R|B, NONE, 0,
      { IS(DELETED, 40), IS(DISABLED, 10) },
      PKI_OUTCOME_REVOKED, CEASED, 40, "entra/deleted jamf/disabled" },
    { "the earliest hold wins", R|B, NONE, 0,
      { IS(DISABLED, 40), IS(RISKY, 10) },
      PKI_OUTCOME_HOLD, HOLD, 10, "entra/disabled jamf/risky" },
    { "the earliest permanent one wins", R|B, NONE, 0,
      { IS(DELETED, 40), IS(ENDPOINT, 10) },
      PKI_OUTCOME_REVOKED, WITHDRAWN, 10, "entra/deleted jamf/endpoint" },
    { "the first one of a time wins", R|B, NONE, 0,
      { IS(DELETED, 40), IS(ENDPOINT, 40) },
      PKI_OUTCOME_REVOKED, CEASED, 40, "entra/deleted jamf/endpoint" },
    { "a hold by hand, then deleted", R|B, HOLD, 10, { IS(DELETED, 40) },
      PKI_OUTCOME_REVOKED, CEASED, 40, "manual/revoked entra/deleted" },
    { "revoked by hand, long disabled", R|B, PKI_REASON_KEY_COMPROMISE, 70,
      { IS(DISABLED, 10) },
      PKI_OUTCOME_REVOKED, PKI_REASON_KEY_COMPROMISE, 70,
      "manual/revoked entra/disabled" },
    { "revoked by hand, deleted before", R|B, PKI_REASON_KEY_COMPROMISE, 70,
      { IS(DELETED, 40) },
      PKI_OUTCOME_REVOKED, CEASED, 40, "manual/revoked entra/deleted" },
    { "revoked by hand, deleted after", R|B, PKI_REASON_KEY_COMPROMISE, 20,
      { IS(DELETED, 40) },
      PKI_OUTCOME_REVOKED, PKI_REASON_KEY_COMPROMISE, 20,
      "manual/revoked entra/deleted" },
    { "a hold by hand, disabled before", R|B, HOLD, 70, { IS(RISKY, 40) },
      PKI_OUTCOME_HOLD, HOLD, 40, "manual/revoked entra/risky" },
    { "all three", R|B, HOLD, 70, { IS(RISKY, 40), IS(RETIRED, 50) },
      PKI_OUTCOME_REVOKED, CEASED, 50,
      "manual/revoked entra/risky jamf/retired" },

    /* who cannot speak */

    { "as old as may be", R|B, NONE, 0, {{ EDGE, 1, 0, 0 }},
      PKI_OUTCOME_GOOD, NONE, 0, "" },
    { "stale", R|B, NONE, 0, {{ STALE, 1, 0, 0 }},
      PKI_OUTCOME_LATER, NONE, 0, "entra/stale" },
    { "old, and facts count for ever", R|B, NONE, 0, {{ AGED, 1, 0, 0 }},
      PKI_OUTCOME_GOOD, NONE, 0, "" },
    { "never synced", R|B, NONE, 0, {{ NEVER, 1, 0, 0 }},
      PKI_OUTCOME_LATER, NONE, 0, "entra/never synced" },
    { "never synced is not for ever", R|B, NONE, 0, {{ NEVER_AGED, 1, 0, 0 }},
      PKI_OUTCOME_LATER, NONE, 0, "entra/never synced" },
    { "synced in the future", R|B, NONE, 0, {{ FUTURE, 1, 0, 0 }},
      PKI_OUTCOME_GOOD, NONE, 0, "" },
    { "not found", R|B, NONE, 0, {{ FRESH, 0, 0, 0 }},
      PKI_OUTCOME_LATER, NONE, 0, "entra/not found" },
    { "not found, whatever the state says", R|B, NONE, 0,
      {{ FRESH, 0, PKI_OBJECT_DELETED, 40 }},
      PKI_OUTCOME_LATER, NONE, 0, "entra/not found" },
    { "not found, and stale", R|B, NONE, 0, {{ STALE, 0, 0, 0 }},
      PKI_OUTCOME_LATER, NONE, 0, "entra/stale" },
    { "not found, and never synced", R|B, NONE, 0, {{ NEVER, 0, 0, 0 }},
      PKI_OUTCOME_LATER, NONE, 0, "entra/never synced" },
    { "not found, by serial", B|S, NONE, 0, {{ FRESH, 0, 0, 0 }},
      PKI_OUTCOME_LATER, NONE, 0, "entra/not found" },
    { "one fine, one silent", R|B, NONE, 0, { CLEAN, { STALE, 1, 0, 0 }},
      PKI_OUTCOME_LATER, NONE, 0, "jamf/stale" },
    { "both silent", R|B, NONE, 0, {{ FRESH, 0, 0, 0 }, { NEVER, 1, 0, 0 }},
      PKI_OUTCOME_LATER, NONE, 0, "entra/not found jamf/never synced" },

    /* what a silent directory once said */

    { "disabled, but stale", R|B, NONE, 0,
      {{ STALE, 1, PKI_OBJECT_DISABLED, 40 }},
      PKI_OUTCOME_LATER, NONE, 0, "entra/stale" },
    { "retired, but stale", R|B, NONE, 0,
      {{ STALE, 1, PKI_OBJECT_RETIRED, 40 }},
      PKI_OUTCOME_LATER, NONE, 0, "entra/stale" },
    { "endpoint, but never synced", R|B, NONE, 0,
      {{ NEVER, 1, PKI_OBJECT_ENDPOINT, 40 }},
      PKI_OUTCOME_LATER, NONE, 0, "entra/never synced" },
    { "deleted, though stale", R|B, NONE, 0,
      {{ STALE, 1, PKI_OBJECT_DELETED, 40 }},
      PKI_OUTCOME_REVOKED, CEASED, 40, "entra/deleted" },
    { "deleted, though never synced", R|B, NONE, 0,
      {{ NEVER, 1, PKI_OBJECT_DELETED, 40 }},
      PKI_OUTCOME_REVOKED, CEASED, 40, "entra/deleted" },

    /* silence against speech */

    { "one silent, one deleted", R|B, NONE, 0,
      {{ STALE, 1, 0, 0 }, IS(DELETED, 40) },
      PKI_OUTCOME_REVOKED, CEASED, 40, "entra/stale jamf/deleted" },
    { "one disabled, one silent", R|B, NONE, 0,
      { IS(DISABLED, 40), { STALE, 1, 0, 0 }},
      PKI_OUTCOME_HOLD, HOLD, 40, "entra/disabled jamf/stale" },
    { "in either order", R|B, NONE, 0,
      {{ STALE, 1, 0, 0 }, IS(DISABLED, 40) },
      PKI_OUTCOME_HOLD, HOLD, 40, "entra/stale jamf/disabled" },
    { "revoked by hand, silent", R|B, PKI_REASON_SUPERSEDED, 70,
      {{ FRESH, 0, 0, 0 }},
      PKI_OUTCOME_REVOKED, PKI_REASON_SUPERSEDED, 70,
      "manual/revoked entra/not found" },
    { "held by hand, silent", R|B, HOLD, 70, {{ NEVER, 1, 0, 0 }},
      PKI_OUTCOME_HOLD, HOLD, 70, "manual/revoked entra/never synced" },
    { "one missing, one disabled", R|B, NONE, 0,
      { IS(MISSING, 10), IS(DISABLED, 40) },
      PKI_OUTCOME_HOLD, HOLD, 40, "entra/missing jamf/disabled" },

    /* when the last facts count */

    { "last, fine", R|B, NONE, 0, {{ LAST, 1, 0, 0 }},
      PKI_OUTCOME_GOOD, NONE, 0, "" },
    { "last, disabled", R|B, NONE, 0, {{ LAST, 1, PKI_OBJECT_DISABLED, 40 }},
      PKI_OUTCOME_HOLD, HOLD, 40, "entra/disabled" },
    { "last, retired", R|B, NONE, 0, {{ LAST, 1, PKI_OBJECT_RETIRED, 40 }},
      PKI_OUTCOME_REVOKED, CEASED, 40, "entra/retired" },
    { "last, deleted", R|B, NONE, 0, {{ LAST, 1, PKI_OBJECT_DELETED, 40 }},
      PKI_OUTCOME_REVOKED, CEASED, 40, "entra/deleted" },
    { "last, missing", R|B, NONE, 0, {{ LAST, 1, PKI_OBJECT_MISSING, 40 }},
      PKI_OUTCOME_LATER, NONE, 0, "entra/missing" },
    { "last, but there is none", R|B, NONE, 0, {{ LAST, 0, 0, 0 }},
      PKI_OUTCOME_LATER, NONE, 0, "entra/stale" },
    { "last, but never synced", R|B, NONE, 0, {{ NEVER_LAST, 1, 0, 0 }},
      PKI_OUTCOME_LATER, NONE, 0, "entra/never synced" },
    { "never synced, deleted", R|B, NONE, 0,
      {{ NEVER_LAST, 1, PKI_OBJECT_DELETED, 40 }},
      PKI_OUTCOME_REVOKED, CEASED, 40, "entra/deleted" },

    /* one object in two directories: see test_groups() for the rest */

    { "deleted in one of two", R|B|G, NONE, 0, { CLEAN, IS(DELETED, 40) },
      PKI_OUTCOME_REVOKED, CEASED, 40, "jamf/deleted" },
    { "any, deleted in one of two", R|B|G|A, NONE, 0,
      { CLEAN, IS(DELETED, 40) },
      PKI_OUTCOME_GOOD, NONE, 0, "" },
    { "any, removed in the one, deleted in the other", R|B|G|A, NONE, 0,
      { IS(REMOVED, 50), IS(DELETED, 40) },
      PKI_OUTCOME_REVOKED, CEASED, 40, "entra/removed jamf/deleted" },
    { "any, deleted in both", R|B|G|A, NONE, 0,
      { IS(DELETED, 50), IS(DELETED, 40) },
      PKI_OUTCOME_REVOKED, CEASED, 40, "entra/deleted jamf/deleted" },
    { "any, but of no group", R|B|A, NONE, 0, { CLEAN, IS(DELETED, 40) },
      PKI_OUTCOME_REVOKED, CEASED, 40, "jamf/deleted" },
    { "any, disabled where it is", R|B|G|A, NONE, 0,
      { IS(DISABLED, 40), IS(DELETED, 10) },
      PKI_OUTCOME_HOLD, HOLD, 40, "entra/disabled" },
    { "any, unknown in the one, retired in the other", R|B|G|A, NONE, 0,
      {{ FRESH, 0, 0, 0 }, IS(RETIRED, 40) },
      PKI_OUTCOME_REVOKED, CEASED, 40, "jamf/retired" },
    { "any, there when last heard, deleted in the other", R|B|G|A, NONE, 0,
      {{ STALE, 1, 0, 50 }, IS(DELETED, 40) },
      PKI_OUTCOME_LATER, NONE, 0, "entra/stale" },
    { "any, revoked by hand", R|B|G|A, PKI_REASON_SUPERSEDED, 70,
      { CLEAN, IS(DELETED, 40) },
      PKI_OUTCOME_REVOKED, PKI_REASON_SUPERSEDED, 70, "manual/revoked" },
    { "any, not known here", B|G|A, NONE, 0, { CLEAN, IS(DELETED, 40) },
      PKI_OUTCOME_UNKNOWN, NONE, 0, "" }
};

#define TEST_ROWS  (sizeof(test_rows) / sizeof(test_rows[0]))


static void
test_object(pki_object_fact_t *fact, const test_object_t *object)
{
    fact->found = object->found;
    fact->state = object->state;
    fact->since = object->since;
    fact->max_age = TEST_AGE;

    switch (object->sync) {

    case EDGE:
        fact->synced_at = TEST_NOW - TEST_AGE;
        break;

    case AGED:
        fact->max_age = 0;
        /* fall through */

    case LAST:
    case STALE:
        fact->last = object->sync == LAST;
        fact->synced_at = TEST_NOW - TEST_AGE - 1;
        break;

    case NEVER_AGED:
        fact->max_age = 0;
        /* fall through */

    case NEVER_LAST:
    case NEVER:
        fact->last = object->sync == NEVER_LAST;
        fact->synced_at = 0;
        break;

    case FUTURE:
        fact->synced_at = TEST_NOW + 5;
        break;

    default:
        fact->synced_at = TEST_NOW;
        break;
    }
}


static void
test_facts(const test_row_t *row, pki_facts_t *facts, pki_policy_t *policy)
{
    unsigned  i;

    memset(facts, 0, sizeof(pki_facts_t));
    memset(policy, 0, sizeof(pki_policy_t));

    policy->good = TEST_GOOD;
    policy->hold = TEST_HOLD;
    policy->revoked = TEST_REVOKED;
    policy->by_serial = (row->flags & S) != 0;
    policy->extended_revoke = (row->flags & X) != 0;
    policy->any = (row->flags & A) != 0;

    facts->recorded = (row->flags & R) != 0;
    facts->bound = (row->flags & B) != 0;
    facts->own = (row->flags & O) != 0;
    facts->manual = row->manual;
    facts->manual_at = row->manual_at;

    for (i = 0; i < 2 && row->objects[i].sync != NO_OBJECT; i++) {
        facts->objects[i].directory = i ? "jamf" : "entra";
        facts->objects[i].id = i ? "jamf-user/1" : "device/1";
        facts->objects[i].group = (row->flags & G) != 0;
        test_object(&facts->objects[i], &row->objects[i]);
    }

    facts->nobjects = i;
}


static time_t
test_life(const test_row_t *row)
{
    unsigned  i, edge;

    for (i = 0, edge = 0; i < 2 && !(row->flags & O); i++) {
        edge |= row->objects[i].sync == EDGE;
    }

    if (edge && (row->outcome == PKI_OUTCOME_GOOD
                 || row->outcome == PKI_OUTCOME_HOLD))
    {
        return 1;
    }

    switch (row->outcome) {

    case PKI_OUTCOME_GOOD:
        return TEST_GOOD;

    case PKI_OUTCOME_REVOKED:
        return row->reason == HOLD ? TEST_HOLD : TEST_REVOKED;

    case PKI_OUTCOME_LATER:
        return 0;

    default:
        return TEST_HOLD;
    }
}


static void
test_row(const test_row_t *row)
{
    char           told[256];
    size_t         len;
    unsigned       i, n, extended;
    pki_cause_t    causes[PKI_VERDICT_CAUSES];
    pki_facts_t    facts;
    pki_policy_t   policy;
    pki_verdict_t  v, bare;

    test_facts(row, &facts, &policy);

    memset(&v, 0xff, sizeof(v));
    n = pki_verdict(&v, &facts, &policy, TEST_NOW, causes);

    is_str(pki_outcome_name(v.outcome), pki_outcome_name(row->outcome),
           "%s: is %s", row->name, pki_outcome_name(row->outcome));
    is_int(v.reason, row->reason, "%s: reason", row->name);
    is_int(v.revoked_at, row->revoked_at, "%s: time", row->name);
    is_int(v.this_update, TEST_NOW, "%s: this update", row->name);
    is_int(v.next_update - TEST_NOW, test_life(row), "%s: life", row->name);

    extended = row->outcome == PKI_OUTCOME_REVOKED && row->reason == HOLD;
    is_int(v.extended, extended, "%s: extended", row->name);

    told[0] = '\0';

    for (i = 0, len = 0; i < n; i++) {
        len += snprintf(told + len, sizeof(told) - len, "%s%s/%s",
                        i ? " " : "", causes[i].source, causes[i].what);
    }

    is_str(told, row->causes, "%s: causes", row->name);

    is_int(pki_verdict(&bare, &facts, &policy, TEST_NOW, NULL), n,
           "%s: as many, not told", row->name);
    ok(bare.outcome == v.outcome && bare.reason == v.reason
       && bare.revoked_at == v.revoked_at && bare.extended == v.extended
       && bare.next_update == v.next_update, "%s: as it was", row->name);
}


/* an answer ends when one of its facts does */

static void
test_expiry(void)
{
    unsigned       i;
    pki_facts_t    facts;
    pki_policy_t   policy;
    pki_verdict_t  v;

    static const struct {
        long          ago;          /* of the first's last round */
        long          age;          /* of its facts, at most */
        unsigned      last;
        unsigned      state;
        long          life;
        const char   *name;
    } rows[] = {
        { 400, 1000, 0, 0, TEST_GOOD, "as long" },
        { 401, 1000, 0, 0, TEST_GOOD - 1, "a second less" },
        { 990, 1000, 0, 0, 10, "soon to end" },
        { 1000, 1000, 0, 0, 1, "about to" },
        { 990, 1000, 1, 0, TEST_GOOD, "the last count on" },
        { 990, 0, 0, 0, TEST_GOOD, "for ever" },
        { 990, 1000, 0, PKI_OBJECT_DISABLED, 10, "a hold" },
        { 990, 1000, 0, PKI_OBJECT_DELETED, TEST_REVOKED, "a deletion" },
        { -5, 1000, 0, 0, TEST_GOOD, "a clock that is ahead" },
    };

    memset(&policy, 0, sizeof(policy));
    policy.good = TEST_GOOD;
    policy.hold = TEST_HOLD;
    policy.revoked = TEST_REVOKED;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(&facts, 0, sizeof(facts));
        facts.recorded = 1;
        facts.manual = PKI_REASON_NONE;
        facts.nobjects = 2;
        facts.objects[0] = (pki_object_fact_t) {
            .found = 1, .state = rows[i].state, .last = rows[i].last,
            .synced_at = TEST_NOW - rows[i].ago, .max_age = rows[i].age
        };
        facts.objects[1] = facts.objects[0];
        facts.objects[1].state = 0;
        facts.objects[1].synced_at = TEST_NOW;

        (void) pki_verdict(&v, &facts, &policy, TEST_NOW, NULL);
        is_int(v.next_update - TEST_NOW, rows[i].life, "%s", rows[i].name);

        facts.own = 1;
        (void) pki_verdict(&v, &facts, &policy, TEST_NOW, NULL);
        is_int(v.next_update - TEST_NOW, TEST_GOOD, "%s: not the CA's own",
               rows[i].name);
    }
}


static void
test_causes(void)
{
    unsigned       i, n;
    pki_cause_t    causes[PKI_VERDICT_CAUSES + 1];
    pki_facts_t    facts;
    pki_policy_t   policy;
    pki_verdict_t  v;

    test_facts(&test_rows[0], &facts, &policy);

    facts.manual = HOLD;
    facts.manual_at = 99;
    facts.nobjects = PKI_FACTS_OBJECTS + 1;

    for (i = 0; i < PKI_FACTS_OBJECTS; i++) {
        facts.objects[i].directory = "entra";
        facts.objects[i].id = "user/1";
        facts.objects[i].found = 1;
        facts.objects[i].state = PKI_OBJECT_RISKY;
        facts.objects[i].since = 90 - i;
        facts.objects[i].synced_at = TEST_NOW - 7;
    }

    facts.objects[1].found = 0;
    memset(causes, 0xee, sizeof(causes));

    n = pki_verdict(&v, &facts, &policy, TEST_NOW, causes);

    is_int(n, PKI_VERDICT_CAUSES, "no more causes than there is room for");
    is_int(*(unsigned char *) &causes[n], 0xee, "none is written behind");

    is_str(causes[0].source, "manual", "the manual one is the first");
    ok(causes[0].object == NULL, "it is of no object");
    is_int(causes[0].reason, HOLD, "it has its reason");
    is_int(causes[0].since, 99, "and its time");

    ok(causes[1].object == facts.objects[0].id, "then each object");
    is_int(causes[1].reason, HOLD, "with its reason");
    is_int(causes[1].since, 90, "and its time");

    is_int(causes[2].reason, NONE, "who cannot speak has no reason");
    is_int(causes[2].since, TEST_NOW - 7, "but the time of its last round");

    is_int(v.revoked_at, 83, "the earliest of all is told");
}


/*
 * Each kind of fact beside each other: what it is told as alone, what when
 * another directory has the object, and whether it makes that so.
 */

static const struct {
    test_object_t   object;
    const char     *alone;
    const char     *beside;
    int             present;        /* 2: it was, when last heard */
    const char     *once;           /* beside such a one; NULL: as beside */
} test_kinds[] = {
    { { FRESH, 1, 0, 40 }, "", "", 1, NULL },
    { { EDGE, 1, 0, 40 }, "", "", 1, NULL },
    { { AGED, 1, 0, 40 }, "", "", 1, NULL },
    { { LAST, 1, 0, 40 }, "", "", 1, NULL },
    { { FUTURE, 1, 0, 40 }, "", "", 1, NULL },
    { IS(RETIRED, 40), "retired", "retired", 1, NULL },
    { IS(ENDPOINT, 40), "endpoint", "endpoint", 1, NULL },
    { IS(DISABLED, 40), "disabled", "disabled", 1, NULL },
    { IS(UNCLEAR, 40), "unclear", "unclear", 1, NULL },
    { { LAST, 1, PKI_OBJECT_RISKY, 40 }, "risky", "risky", 1, NULL },
    { { FRESH, 1, 0x800, 40 },
      "in an unknown state", "in an unknown state", 1, NULL },
    { IS(DELETED, 40), "deleted", "", 0, NULL },
    { IS(REMOVED, 40), "removed", "", 0, NULL },
    { IS(MISSING, 40), "missing", "", 0, NULL },
    { BOTH(REMOVED, DISABLED), "disabled", "disabled", 0, NULL },
    { BOTH(DELETED, RISKY), "deleted", "risky", 0, NULL },
    { BOTH(MISSING, UNCLEAR), "missing", "unclear", 0, NULL },
    { { FRESH, 0, 0, 40 }, "not found", "", 0, "not found" },
    { { LAST, 1, PKI_OBJECT_DELETED, 40 }, "deleted", "", 0, NULL },
    { { LAST, 0, 0, 40 }, "stale", "", 0, "stale" },
    { { STALE, 1, 0, 40 }, "stale", "", 2, "stale" },
    { { STALE, 0, 0, 40 }, "stale", "", 0, "stale" },
    { { STALE, 1, PKI_OBJECT_DISABLED, 40 }, "stale", "", 2, "stale" },
    { { STALE, 1, PKI_OBJECT_DELETED, 40 }, "deleted", "", 0, "stale" },
    { { NEVER, 1, 0, 40 }, "never synced", "", 2, "never synced" },
    { { NEVER_LAST, 1, 0, 40 }, "never synced", "", 2, "never synced" },
    { { NEVER, 1, PKI_OBJECT_DELETED, 40 }, "deleted", "", 0, "never synced" }
};

#define TEST_KINDS  (sizeof(test_kinds) / sizeof(test_kinds[0]))


static int
test_pair(size_t one, size_t two, int any, const unsigned *groups)
{
    int            present;
    size_t         kinds[2];
    unsigned       i, n, told, same;
    const char    *want;
    pki_cause_t    causes[PKI_VERDICT_CAUSES];
    pki_facts_t    facts;
    pki_policy_t   policy;
    pki_verdict_t  v;

    kinds[0] = one;
    kinds[1] = two;
    same = any && groups[0] != 0 && groups[0] == groups[1];

    test_facts(&test_rows[0], &facts, &policy);
    policy.any = any;
    facts.nobjects = 2;

    for (i = 0; i < 2; i++) {
        facts.objects[i].directory = i ? "jamf" : "entra";
        facts.objects[i].group = groups[i];
        test_object(&facts.objects[i], &test_kinds[kinds[i]].object);
    }

    n = pki_verdict(&v, &facts, &policy, TEST_NOW, causes);
    told = 0;

    for (i = 0; i < 2; i++) {
        present = same ? test_kinds[kinds[!i]].present : 0;

        want = present == 2 ? test_kinds[kinds[i]].once : NULL;
        want = want ? want : present ? test_kinds[kinds[i]].beside
                                     : test_kinds[kinds[i]].alone;

        if (*want == '\0') {
            continue;
        }

        if (told == n || strcmp(causes[told].what, want) != 0
            || causes[told].source != facts.objects[i].directory)
        {
            return 0;
        }

        told++;
    }

    return told == n;
}


static void
test_groups(void)
{
    int       any;
    size_t    i, one, two;
    unsigned  right;

    static const unsigned  groups[][2] = {
        { 0, 0 }, { 1, 1 }, { 0, 1 }, { 1, 2 }, { 7, 7 }
    };

    for (one = 0; one < TEST_KINDS; one++) {
        for (two = 0; two < TEST_KINDS; two++) {
            right = 0;

            for (i = 0; i < 10; i++) {
                any = i & 1;
                right += test_pair(one, two, any, groups[i / 2]);
            }

            is_int(right, 10, "kinds %zu and %zu, in all groups", one, two);
        }
    }
}


/* one that has the object is enough for all others of its group only */

static void
test_group_of_four(void)
{
    unsigned       i, n;
    pki_cause_t    causes[PKI_VERDICT_CAUSES];
    pki_facts_t    facts;
    pki_policy_t   policy;
    pki_verdict_t  v;

    test_facts(&test_rows[0], &facts, &policy);
    policy.any = 1;
    facts.nobjects = 6;

    for (i = 0; i < 6; i++) {
        facts.objects[i].directory = &"abcdef"[i];
        facts.objects[i].group = i < 4 ? 1 : 2;
        facts.objects[i].found = 1;
        facts.objects[i].synced_at = TEST_NOW;
        facts.objects[i].state = PKI_OBJECT_DELETED;
        facts.objects[i].since = 90 - i;
    }

    n = pki_verdict(&v, &facts, &policy, TEST_NOW, causes);
    is_int(n, 6, "deleted everywhere");

    facts.objects[3].state = 0;
    n = pki_verdict(&v, &facts, &policy, TEST_NOW, causes);

    is_int(n, 2, "the fourth directory has it: the other group is told");
    ok(n == 2 && causes[0].source[0] == 'e' && causes[1].source[0] == 'f',
       "in its order");
    is_int(v.revoked_at, 85, "with its time");

    facts.objects[4].state = PKI_OBJECT_SILENT;
    n = pki_verdict(&v, &facts, &policy, TEST_NOW, causes);

    is_int(n, 1, "which then has one, too");
    is_int(v.outcome, PKI_OUTCOME_HOLD, "not seen for long");

    facts.nobjects = 3;
    n = pki_verdict(&v, &facts, &policy, TEST_NOW, causes);
    is_int(n, 3, "a fact behind the last is none");
}


static void
test_reasons(void)
{
    int            want;
    size_t         i, k;
    unsigned       reason;
    pki_cause_t    causes[PKI_VERDICT_CAUSES];
    pki_facts_t    facts;
    pki_policy_t   policy;
    pki_verdict_t  v;

    static const struct {
        unsigned  state;
        int       reason;
    } states[] = {
        { PKI_OBJECT_DELETED, CEASED }, { PKI_OBJECT_RETIRED, CEASED },
        { PKI_OBJECT_ENDPOINT, WITHDRAWN }, { PKI_OBJECT_DISABLED, HOLD },
        { PKI_OBJECT_SILENT, HOLD }
    };

    test_facts(&test_rows[0], &facts, &policy);

    facts.nobjects = 1;
    facts.objects[0].found = 1;
    facts.objects[0].synced_at = TEST_NOW;
    facts.objects[0].since = 40;

    for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        facts.objects[0].state = states[i].state;

        for (k = 0; k < 3; k++) {
            for (reason = 0; reason <= 0xff; reason++) {
                memset(policy.reasons, 0, sizeof(policy.reasons));
                policy.reasons[k] = reason;

                want = states[i].reason;

                if (k == i && reason > 0 && reason <= 10 && reason != 7
                    && reason != PKI_REASON_REMOVE_FROM_CRL)
                {
                    want = reason;
                }

                (void) pki_verdict(&v, &facts, &policy, TEST_NOW, causes);

                if (v.reason != want || causes[0].reason != want
                    || (v.outcome == PKI_OUTCOME_HOLD) != (want == HOLD))
                {
                    ok(0, "state %zu, reasons[%zu] = %u: %d", i, k, reason,
                       v.reason);
                }
            }
        }

        is_int(v.revoked_at, 40, "state %zu: each reason, in its place only",
               i);
    }
}


static void
test_names(void)
{
    int  i;

    static const char  *reasons[] = {
        "Unspecified", "KeyCompromise", "CACompromise", "AffiliationChanged",
        "Superseded", "CessationOfOperation", "CertificateHold", NULL,
        "RemoveFromCrl", "PrivilegeWithdrawn", "AACompromise"
    };

    for (i = 0; i < 11; i++) {
        is_int(pki_reason_valid(i), reasons[i] != NULL, "reason %d", i);
        is_str(pki_reason_name(i), reasons[i] ? reasons[i] : "Unspecified",
               "its name");
    }

    is_int(pki_reason_valid(-1), 0, "none is no reason");
    is_int(pki_reason_valid(-2), 0, "nor is a negative number");
    is_int(pki_reason_valid(11), 0, "nor is 11");
    is_int(pki_reason_valid(1 << 30), 0, "nor is a large number");
    is_str(pki_reason_name(PKI_REASON_NONE), "None", "none has a name");
    is_str(pki_reason_name(11), "Unspecified", "what is no reason, too");

    is_str(pki_outcome_name(PKI_OUTCOME_GOOD), "good", "good");
    is_str(pki_outcome_name(PKI_OUTCOME_HOLD), "hold", "hold");
    is_str(pki_outcome_name(PKI_OUTCOME_REVOKED), "revoked", "revoked");
    is_str(pki_outcome_name(PKI_OUTCOME_UNKNOWN), "unknown", "unknown");
    is_str(pki_outcome_name(PKI_OUTCOME_LATER), "tryLater", "tryLater");
}


int
main(void)
{
    size_t  i;

    for (i = 0; i < TEST_ROWS; i++) {
        test_row(&test_rows[i]);
    }

    test_expiry();
    test_causes();
    test_groups();
    test_group_of_four();
    test_reasons();
    test_names();

    return pki_test_done();
}


/*
 * The verdict.  Each source is turned into at most one cause: it speaks
 * against the certificate, or it cannot speak.  Causes are then weighed
 * one by one: a permanent reason beats a hold, a hold beats not knowing (it
 * is told now and can be undone), and among equals the earliest time wins.
 * Only what is left standing as good is asked whether it is known at all.
 */

#include "pki_verdict.h"

#include <string.h>


typedef struct {
    unsigned       bit;
    pki_reason_t   reason;
    const char    *what;
} pki_verdict_state_t;


/* whether another directory has an object, and may say so */

typedef enum {
    PKI_VERDICT_NOWHERE = 0,
    PKI_VERDICT_PERHAPS,            /* it had it, when it was last heard */
    PKI_VERDICT_ELSEWHERE
} pki_verdict_where_t;


static int pki_verdict_manual(const pki_facts_t *facts, pki_cause_t *cause);
static pki_verdict_where_t pki_verdict_where(const pki_facts_t *facts,
    const pki_policy_t *policy, unsigned group, time_t now);
static int pki_verdict_overdue(const pki_object_fact_t *fact, time_t now);
static int pki_verdict_object(const pki_object_fact_t *fact,
    pki_verdict_where_t where, const pki_policy_t *policy, time_t now,
    pki_cause_t *cause);
static pki_reason_t pki_verdict_reason(const pki_policy_t *policy,
    size_t state);
static void pki_verdict_weigh(pki_verdict_t *verdict,
    const pki_cause_t *cause);
static void pki_verdict_unknown(pki_verdict_t *verdict,
    const pki_facts_t *facts, const pki_policy_t *policy);
static time_t pki_verdict_life(const pki_verdict_t *verdict,
    const pki_policy_t *policy);
static void pki_verdict_expire(pki_verdict_t *verdict,
    const pki_facts_t *facts, time_t now);


/*
 * The first that an object is in is told: permanent ones stand first, in
 * the order of policy->reasons, and what is not known stands last.
 */

static const pki_verdict_state_t  pki_verdict_states[] = {
    { PKI_OBJECT_DELETED, PKI_REASON_CESSATION_OF_OPERATION, "deleted" },
    { PKI_OBJECT_RETIRED, PKI_REASON_CESSATION_OF_OPERATION, "retired" },
    { PKI_OBJECT_ENDPOINT, PKI_REASON_PRIVILEGE_WITHDRAWN, "endpoint" },
    { PKI_OBJECT_DISABLED, PKI_REASON_CERTIFICATE_HOLD, "disabled" },
    { PKI_OBJECT_NONCOMPLIANT, PKI_REASON_CERTIFICATE_HOLD, "noncompliant" },
    { PKI_OBJECT_RISKY, PKI_REASON_CERTIFICATE_HOLD, "risky" },
    { PKI_OBJECT_REMOVED, PKI_REASON_CERTIFICATE_HOLD, "removed" },
    { PKI_OBJECT_UNMANAGED, PKI_REASON_CERTIFICATE_HOLD, "unmanaged" },
    { PKI_OBJECT_SILENT, PKI_REASON_CERTIFICATE_HOLD, "silent" },
    { PKI_OBJECT_MISSING, PKI_REASON_NONE, "missing" },
    { PKI_OBJECT_UNCLEAR, PKI_REASON_NONE, "unclear" }
};

#define PKI_VERDICT_STATES                                                    \
    (sizeof(pki_verdict_states) / sizeof(pki_verdict_states[0]))

#define PKI_VERDICT_GONE                                                      \
    (PKI_OBJECT_DELETED|PKI_OBJECT_REMOVED|PKI_OBJECT_MISSING)

#define PKI_VERDICT_REASONS  (sizeof(((pki_policy_t *) NULL)->reasons))


/* in the order of pki_outcome_t */

static const unsigned  pki_verdict_weights[] = { 0, 2, 3, 0, 1 };

static const char  *const pki_verdict_outcomes[] = {
    "good",
    "hold",
    "revoked",
    "unknown",
    "tryLater"
};


/* by number; the spelling is that of SCEPman's API */

static const char  *const pki_verdict_reasons[] = {
    "Unspecified",
    "KeyCompromise",
    "CACompromise",
    "AffiliationChanged",
    "Superseded",
    "CessationOfOperation",
    "CertificateHold",
    NULL,
    "RemoveFromCrl",
    "PrivilegeWithdrawn",
    "AACompromise"
};


unsigned
pki_verdict(pki_verdict_t *verdict, const pki_facts_t *facts,
    const pki_policy_t *policy, time_t now, pki_cause_t *causes)
{
    unsigned                  i, n;
    pki_cause_t               cause;
    pki_verdict_where_t       where;
    const pki_object_fact_t  *fact;

    memset(verdict, 0, sizeof(pki_verdict_t));
    verdict->outcome = PKI_OUTCOME_GOOD;
    verdict->reason = PKI_REASON_NONE;

    n = 0;

    if (pki_verdict_manual(facts, &cause)) {
        pki_verdict_weigh(verdict, &cause);

        if (causes) {
            causes[n] = cause;
        }

        n++;
    }

    /* no directory has a say about the CA: its serial binds it to nothing */

    for (i = 0; !facts->own && i < facts->nobjects && i < PKI_FACTS_OBJECTS;
         i++)
    {
        fact = &facts->objects[i];
        where = pki_verdict_where(facts, policy, fact->group, now);

        if (!pki_verdict_object(fact, where, policy, now, &cause)) {
            continue;
        }

        pki_verdict_weigh(verdict, &cause);

        if (causes) {
            causes[n] = cause;
        }

        n++;
    }

    pki_verdict_unknown(verdict, facts, policy);

    verdict->this_update = now;
    verdict->next_update = now + pki_verdict_life(verdict, policy);

    pki_verdict_expire(verdict, facts, now);

    return n;
}


static int
pki_verdict_manual(const pki_facts_t *facts, pki_cause_t *cause)
{
    if (facts->manual == PKI_REASON_NONE) {
        return 0;
    }

    cause->source = "manual";
    cause->object = NULL;
    cause->what = "revoked";
    cause->reason = facts->manual;
    cause->since = facts->manual_at;

    /* a record that names no reason to revoke for is a revocation still */

    if (!pki_reason_valid(facts->manual)
        || facts->manual == PKI_REASON_REMOVE_FROM_CRL)
    {
        cause->reason = PKI_REASON_UNSPECIFIED;
    }

    return 1;
}


/*
 * Is there a directory that has the object of this group, and is it enough?
 * One that is overdue is not, but that it is silent makes no deletion of what
 * another says: the object was there when it was last heard.
 */

static pki_verdict_where_t
pki_verdict_where(const pki_facts_t *facts, const pki_policy_t *policy,
    unsigned group, time_t now)
{
    unsigned                  i;
    pki_verdict_where_t       where;
    const pki_object_fact_t  *fact;

    where = PKI_VERDICT_NOWHERE;

    if (!policy->any || group == 0) {
        return where;
    }

    for (i = 0; i < facts->nobjects && i < PKI_FACTS_OBJECTS; i++) {
        fact = &facts->objects[i];

        if (fact->group != group || !fact->found
            || (fact->state & PKI_VERDICT_GONE))
        {
            continue;
        }

        if (fact->synced_at > 0 && !pki_verdict_overdue(fact, now)) {
            return PKI_VERDICT_ELSEWHERE;
        }

        where = PKI_VERDICT_PERHAPS;
    }

    return where;
}


static int
pki_verdict_overdue(const pki_object_fact_t *fact, time_t now)
{
    if (fact->max_age <= 0 || (fact->last && fact->found)) {
        return 0;
    }

    return now - fact->synced_at > fact->max_age;
}


/* where another may have the object, its absence here proves nothing */

static int
pki_verdict_object(const pki_object_fact_t *fact, pki_verdict_where_t where,
    const pki_policy_t *policy, time_t now, pki_cause_t *cause)
{
    size_t       i;
    unsigned     state;
    const char  *mute;

    cause->source = fact->directory;
    cause->object = fact->id;
    cause->reason = PKI_REASON_NONE;
    cause->since = fact->synced_at;

    state = fact->found ? fact->state : 0;

    if (where != PKI_VERDICT_NOWHERE) {
        state &= ~PKI_VERDICT_GONE;
    }

    mute = fact->synced_at <= 0 ? "never synced"
           : pki_verdict_overdue(fact, now) ? "stale"
           : !fact->found ? "not found" : NULL;

    /* a deletion stays true however many rounds are missed after it */

    if (mute && !(state & PKI_OBJECT_DELETED)) {
        cause->what = mute;
        return where != PKI_VERDICT_ELSEWHERE;
    }

    for (i = 0; i < PKI_VERDICT_STATES; i++) {
        if (state & pki_verdict_states[i].bit) {
            cause->what = pki_verdict_states[i].what;
            cause->reason = pki_verdict_reason(policy, i);
            cause->since = fact->since;
            return 1;
        }
    }

    if (state) {
        cause->what = "in an unknown state";
        return 1;
    }

    return 0;
}


/* a policy's number that is no reason to revoke for leaves the default */

static pki_reason_t
pki_verdict_reason(const pki_policy_t *policy, size_t state)
{
    int  reason;

    reason = state < PKI_VERDICT_REASONS ? policy->reasons[state] : 0;

    if (reason == 0 || reason == PKI_REASON_REMOVE_FROM_CRL
        || !pki_reason_valid(reason))
    {
        return pki_verdict_states[state].reason;
    }

    return reason;
}


static void
pki_verdict_weigh(pki_verdict_t *verdict, const pki_cause_t *cause)
{
    unsigned       was, is;
    pki_outcome_t  outcome;

    switch (cause->reason) {

    case PKI_REASON_NONE:
        outcome = PKI_OUTCOME_LATER;
        break;

    case PKI_REASON_CERTIFICATE_HOLD:
        outcome = PKI_OUTCOME_HOLD;
        break;

    default:
        outcome = PKI_OUTCOME_REVOKED;
        break;
    }

    is = pki_verdict_weights[outcome];
    was = pki_verdict_weights[verdict->outcome];

    if (is < was || (is == was && cause->since >= verdict->revoked_at)) {
        return;
    }

    verdict->outcome = outcome;
    verdict->reason = cause->reason;
    verdict->revoked_at = outcome == PKI_OUTCOME_LATER ? 0 : cause->since;
}


/* RFC 6960, 4.4.8 sets reason and time of what was never issued */

static void
pki_verdict_unknown(pki_verdict_t *verdict, const pki_facts_t *facts,
    const pki_policy_t *policy)
{
    if (facts->own || facts->recorded || (policy->by_serial && facts->bound)
        || verdict->outcome == PKI_OUTCOME_HOLD
        || verdict->outcome == PKI_OUTCOME_REVOKED)
    {
        return;
    }

    verdict->outcome = PKI_OUTCOME_UNKNOWN;

    if (policy->extended_revoke) {
        verdict->outcome = PKI_OUTCOME_REVOKED;
        verdict->reason = PKI_REASON_CERTIFICATE_HOLD;
        verdict->extended = 1;
    }
}


static time_t
pki_verdict_life(const pki_verdict_t *verdict, const pki_policy_t *policy)
{
    switch (verdict->outcome) {

    case PKI_OUTCOME_GOOD:
        return policy->good;

    case PKI_OUTCOME_REVOKED:
        return verdict->extended ? policy->hold : policy->revoked;

    case PKI_OUTCOME_LATER:
        return 0;

    default:
        return policy->hold;
    }
}


/* An answer does not outlive the facts that it stands on. */

static void
pki_verdict_expire(pki_verdict_t *verdict, const pki_facts_t *facts,
    time_t now)
{
    time_t                    end;
    unsigned                  i;
    const pki_object_fact_t  *fact;

    if (facts->own || (verdict->outcome != PKI_OUTCOME_GOOD
                       && verdict->outcome != PKI_OUTCOME_HOLD))
    {
        return;
    }

    for (i = 0; i < facts->nobjects && i < PKI_FACTS_OBJECTS; i++) {
        fact = &facts->objects[i];

        if (fact->max_age <= 0 || fact->last
            || pki_verdict_overdue(fact, now))
        {
            continue;
        }

        end = fact->synced_at + fact->max_age;
        end = end > now ? end : now + 1;

        if (end < verdict->next_update) {
            verdict->next_update = end;
        }
    }
}


int
pki_reason_valid(int reason)
{
    return reason >= PKI_REASON_UNSPECIFIED
           && reason <= PKI_REASON_AA_COMPROMISE
           && pki_verdict_reasons[reason] != NULL;
}


const char *
pki_reason_name(pki_reason_t reason)
{
    if (reason == PKI_REASON_NONE) {
        return "None";
    }

    return pki_reason_valid(reason) ? pki_verdict_reasons[reason]
                                    : "Unspecified";
}


const char *
pki_outcome_name(pki_outcome_t outcome)
{
    return pki_verdict_outcomes[outcome];
}


const char *
pki_object_state_name(unsigned bit)
{
    size_t  i;

    for (i = 0; i < PKI_VERDICT_STATES; i++) {
        if (pki_verdict_states[i].bit == bit) {
            return pki_verdict_states[i].what;
        }
    }

    return NULL;
}

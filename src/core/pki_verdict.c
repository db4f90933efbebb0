
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


static int pki_verdict_manual(const pki_facts_t *facts, pki_cause_t *cause);
static int pki_verdict_object(const pki_object_fact_t *fact, time_t now,
    pki_cause_t *cause);
static void pki_verdict_weigh(pki_verdict_t *verdict,
    const pki_cause_t *cause);
static void pki_verdict_unknown(pki_verdict_t *verdict,
    const pki_facts_t *facts, const pki_policy_t *policy);
static time_t pki_verdict_life(const pki_verdict_t *verdict,
    const pki_policy_t *policy);


/* the first that an object is in is told: permanent ones stand first */

static const pki_verdict_state_t  pki_verdict_states[] = {
    { PKI_OBJECT_DELETED, PKI_REASON_CESSATION_OF_OPERATION, "deleted" },
    { PKI_OBJECT_RETIRED, PKI_REASON_CESSATION_OF_OPERATION, "retired" },
    { PKI_OBJECT_ENDPOINT, PKI_REASON_PRIVILEGE_WITHDRAWN, "endpoint" },
    { PKI_OBJECT_DISABLED, PKI_REASON_CERTIFICATE_HOLD, "disabled" },
    { PKI_OBJECT_NONCOMPLIANT, PKI_REASON_CERTIFICATE_HOLD, "noncompliant" },
    { PKI_OBJECT_RISKY, PKI_REASON_CERTIFICATE_HOLD, "risky" }
};

#define PKI_VERDICT_STATES                                                    \
    (sizeof(pki_verdict_states) / sizeof(pki_verdict_states[0]))


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
    unsigned     i, n;
    pki_cause_t  cause;

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
        if (!pki_verdict_object(&facts->objects[i], now, &cause)) {
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


static int
pki_verdict_object(const pki_object_fact_t *fact, time_t now,
    pki_cause_t *cause)
{
    size_t    i;
    unsigned  state;

    cause->source = fact->directory;
    cause->object = fact->id;
    cause->reason = PKI_REASON_NONE;
    cause->since = fact->synced_at;

    state = fact->found ? fact->state : 0;

    /* a deletion stays true however many rounds are missed after it */

    if (!(state & PKI_OBJECT_DELETED)) {

        if (fact->synced_at <= 0) {
            cause->what = "never synced";
            return 1;
        }

        if (fact->max_age > 0 && now - fact->synced_at > fact->max_age) {
            cause->what = "stale";
            return 1;
        }

        if (!fact->found) {
            cause->what = "not found";
            return 1;
        }
    }

    for (i = 0; i < PKI_VERDICT_STATES; i++) {
        if (state & pki_verdict_states[i].bit) {
            cause->what = pki_verdict_states[i].what;
            cause->reason = pki_verdict_states[i].reason;
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

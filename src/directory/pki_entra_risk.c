
/*
 * The risk that Entra ID Protection sees users at.
 *
 * Leaving the listing is how a risk ends, so only a listing that came to its
 * end counts.  A known error of Graph: when the page size divides the number
 * of users, the last next link answers 400 without a message.  That proves
 * no end; with another page size there is one.
 */

#include "pki_entra.h"

#include <string.h>


#define PKI_ENTRA_RISK_PAGE  500        /* Graph refuses more */


/* steps of a round */

enum {
    PKI_ENTRA_RISK_BEGIN = 0,
    PKI_ENTRA_RISK_LIST
};


/* paths of an item */

enum {
    PKI_ENTRA_RISK_ID = 0,
    PKI_ENTRA_RISK_STATE,
    PKI_ENTRA_RISK_LEVEL,
    PKI_ENTRA_RISK_PROCESSING
};


static pki_next_t pki_entra_risk_begin(pki_round_t *round);
static int pki_entra_risk_cut(const pki_round_t *round);
static int pki_entra_risk_counts(const pki_directory_conf_t *conf,
    const pki_value_t *level, int confirmed);


const char  *const pki_entra_risk_paths[] = {
    "id", "riskState", "riskLevel", "isProcessing", NULL
};

static const pki_page_shape_t  pki_entra_risk_shape = {
    "value", pki_entra_risk_paths, pki_graph_top
};


int
pki_entra_risk_wanted(const pki_directory_conf_t *conf)
{
    return conf->users && conf->risk != 0;
}


pki_next_t
pki_entra_risk_next(pki_round_t *round)
{
    if (round->step == PKI_ENTRA_RISK_BEGIN) {
        return pki_entra_risk_begin(round);
    }

    if (!pki_entra_risk_cut(round)) {
        return pki_graph_listed(round, &pki_entra_risk_shape, "risky users");
    }

    if (round->count[PKI_GRAPH_COUNTS]++ == 0) {
        round->variant = !round->variant;
        return pki_entra_risk_begin(round);
    }

    (void) pki_round_fail(round, "the last page of risky users is missing");

    return PKI_NEXT_PARTIAL;
}


static pki_next_t
pki_entra_risk_begin(pki_round_t *round)
{
    unsigned  top;

    top = pki_graph_page(round->conf, PKI_ENTRA_RISK_PAGE);

    if (round->variant) {
        top += top > 1 ? -1 : 1;
    }

    round->step = PKI_ENTRA_RISK_LIST;
    round->count[PKI_GRAPH_ROWS] = 0;
    round->count[PKI_GRAPH_PAGES] = 0;

    return pki_round_get(round, &pki_entra_risk_shape,
                         "/v1.0/identityProtection/riskyUsers"
                         "?$filter=riskState%%20eq%%20%%27atRisk%%27"
                         "%%20or%%20riskState%%20eq"
                         "%%20%%27confirmedCompromised%%27"
                         "&$select=id,riskState,riskLevel,isProcessing"
                         "&$top=%u", top);
}


static int
pki_entra_risk_cut(const pki_round_t *round)
{
    const pki_value_t  *message;

    if (round->status != 400 || !round->json
        || round->count[PKI_GRAPH_PAGES] == 0)
    {
        return 0;
    }

    message = pki_page_top(round->page, PKI_GRAPH_MESSAGE);

    return message->type == PKI_VALUE_ABSENT
           || message->type == PKI_VALUE_NULL
           || (message->type == PKI_VALUE_STRING && message->len == 0);
}


/*
 * The states that end a risk are told when Graph ignores the filter: such a
 * user is as one that is not listed.  While Graph makes up its mind, and
 * when it says what nobody knows, the user stays what it was.
 */

pki_rc_t
pki_entra_risk_item(const pki_directory_conf_t *conf, const pki_value_t *values,
    time_t now, pki_item_t *item)
{
    int                  confirmed;
    const pki_value_t   *state, *processing;
    pki_state_object_t  *object;

    memset(item, 0, sizeof(pki_item_t));

    object = &item->object;
    object->since = now;

    if (pki_item_guid(item->id, "user", &values[PKI_ENTRA_RISK_ID]) != PKI_OK) {
        return PKI_INVALID;
    }

    object->id = item->id;
    object->key = item->id + sizeof("user/") - 1;

    state = &values[PKI_ENTRA_RISK_STATE];
    processing = &values[PKI_ENTRA_RISK_PROCESSING];

    if (pki_graph_is(state, "none")
        || pki_graph_is(state, "confirmedSafe")
        || pki_graph_is(state, "remediated")
        || pki_graph_is(state, "dismissed"))
    {
        return PKI_NOT_FOUND;
    }

    confirmed = pki_graph_is(state, "confirmedCompromised");

    if ((processing->type == PKI_VALUE_BOOLEAN && processing->integer)
        || !(confirmed || pki_graph_is(state, "atRisk")))
    {
        return PKI_OK;
    }

    if (!pki_entra_risk_counts(conf, &values[PKI_ENTRA_RISK_LEVEL],
                               confirmed))
    {
        return PKI_NOT_FOUND;
    }

    object->mask = PKI_OBJECT_RISKY;
    object->state = PKI_OBJECT_RISKY;

    return PKI_OK;
}


/*
 * A level that is hidden (for want of a licence), unknown or not told may be
 * any: it counts as the worst.  "none" is no risk, unless an administrator
 * says otherwise.
 */

static int
pki_entra_risk_counts(const pki_directory_conf_t *conf,
    const pki_value_t *level, int confirmed)
{
    if (pki_graph_is(level, "low")) {
        return (conf->risk & PKI_RISK_LOW) != 0;
    }

    if (pki_graph_is(level, "medium")) {
        return (conf->risk & PKI_RISK_MEDIUM) != 0;
    }

    if (pki_graph_is(level, "high")) {
        return (conf->risk & PKI_RISK_HIGH) != 0;
    }

    return confirmed || !pki_graph_is(level, "none");
}


/*
 * The resources of Microsoft Entra that are neither devices nor users: the
 * risk that users are at, and the subscription to their changes.
 */

#ifndef PKI_ENTRA_H
#define PKI_ENTRA_H


#include "pki_graph.h"


#define PKI_ENTRA_RISK_INTERVAL  2000   /* one request a second for all apps
                                           of a tenant */
#define PKI_ENTRA_HOOK_INTERVAL  60000


/* pki_entra_risk.c */

extern const char *const  pki_entra_risk_paths[];

int pki_entra_risk_wanted(const pki_directory_conf_t *conf);
pki_next_t pki_entra_risk_next(pki_round_t *round);
pki_rc_t pki_entra_risk_item(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_item_t *item);


/* pki_entra_hook.c */

int pki_entra_hook_wanted(const pki_directory_conf_t *conf);
pki_next_t pki_entra_hook_next(pki_round_t *round);


#endif /* PKI_ENTRA_H */


/*
 * The resource of Intune that is a queue: what Intune wants a certification
 * authority to revoke.
 */

#ifndef PKI_INTUNE_H
#define PKI_INTUNE_H


#include "pki_graph.h"


/* pki_intune_queue.c */

extern const char *const  pki_intune_queue_paths[];

int pki_intune_queue_wanted(const pki_directory_conf_t *conf);
pki_next_t pki_intune_queue_next(pki_round_t *round);
pki_rc_t pki_intune_queue_item(const pki_directory_conf_t *conf,
    const pki_value_t *values, time_t now, pki_item_t *item);


/*
 * The serial number of a value, as Intune writes it: also with blanks;
 * text has room for PKI_OBJECT_ID_SIZE.  PKI_INVALID: it is none.
 */
pki_rc_t pki_intune_serial(const pki_value_t *value, char *text);


#endif /* PKI_INTUNE_H */

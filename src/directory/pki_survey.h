
/*
 * The verdict about many certificates at once, from what Redis holds:
 * for the filter "effective" and for CRLs that hold what directories
 * revoked.  Nothing is looked up live.
 */

#ifndef PKI_SURVEY_H
#define PKI_SURVEY_H


#include "pki_question.h"


#define PKI_SURVEY_MAX  64          /* certificates of one survey */


typedef struct {
    pki_serial_t      serial;
    pki_verdict_t     verdict;
    pki_revocation_t  manual;       /* reason PKI_REASON_NONE: none */
} pki_survey_item_t;


/* items as asked for, in that order; gone when the callback returns */

typedef void (*pki_survey_pt)(void *data, pki_store_result_t result,
    const pki_survey_item_t *items, size_t n, const char *error);


/*
 * Asks about up to PKI_SURVEY_MAX recorded certificates in one write (two
 * with "devices all").  The callback comes exactly once, never from inside.
 * view must live until then; serials are copied.
 */
void pki_survey(pki_redis_t *redis, const pki_view_t *view,
    const pki_serial_t *serials, size_t n, time_t now, pki_survey_pt surveyed,
    void *data);


#endif /* PKI_SURVEY_H */

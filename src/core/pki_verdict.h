
/*
 * The one place where the status of a certificate is decided.
 *
 * Facts: the manual revocation and the state of each bound object as each
 * directory knows it.  All sources that speak against the certificate are
 * or-ed; a permanent reason beats a hold, and the earliest time wins.
 * What is not known is never good: a directory that has not completed a
 * round in time, or does not know an object it should, makes the outcome
 * PKI_OUTCOME_LATER, unless another source speaks against the certificate,
 * be it with a hold.  Of an overdue directory only a deletion counts.
 */

#ifndef PKI_VERDICT_H
#define PKI_VERDICT_H


#include "pki_serial.h"


#define PKI_FACTS_OBJECTS   8       /* two objects in up to four directories */
#define PKI_VERDICT_CAUSES  (PKI_FACTS_OBJECTS + 1)

/* for good */

#define PKI_OBJECT_DELETED       0x001
#define PKI_OBJECT_RETIRED       0x002  /* wipe or retire is under way */
#define PKI_OBJECT_ENDPOINT      0x004  /* revoked on the endpoint list */

/* on hold */

#define PKI_OBJECT_DISABLED      0x008
#define PKI_OBJECT_NONCOMPLIANT  0x010
#define PKI_OBJECT_RISKY         0x020
#define PKI_OBJECT_REMOVED       0x040  /* deleted, but can be restored */
#define PKI_OBJECT_UNMANAGED     0x080
#define PKI_OBJECT_SILENT        0x100  /* not seen for too long */

/* not known now */

#define PKI_OBJECT_MISSING       0x200  /* not there, not yet confirmed */
#define PKI_OBJECT_UNCLEAR       0x400  /* the directory does not say */

#define PKI_OBJECT_PERMANENT     0x007
#define PKI_OBJECT_HOLD          0x1F8
#define PKI_OBJECT_BAD           (PKI_OBJECT_PERMANENT|PKI_OBJECT_HOLD)
#define PKI_OBJECT_STATES        0x7FF


/* CRLReason, RFC 5280, 5.3.1 */

typedef enum {
    PKI_REASON_NONE = -1,           /* no revocation at all */
    PKI_REASON_UNSPECIFIED = 0,
    PKI_REASON_KEY_COMPROMISE = 1,
    PKI_REASON_CA_COMPROMISE = 2,
    PKI_REASON_AFFILIATION_CHANGED = 3,
    PKI_REASON_SUPERSEDED = 4,
    PKI_REASON_CESSATION_OF_OPERATION = 5,
    PKI_REASON_CERTIFICATE_HOLD = 6,
    PKI_REASON_REMOVE_FROM_CRL = 8,
    PKI_REASON_PRIVILEGE_WITHDRAWN = 9,
    PKI_REASON_AA_COMPROMISE = 10
} pki_reason_t;


typedef enum {
    PKI_OUTCOME_GOOD = 0,
    PKI_OUTCOME_HOLD,               /* revoked, reason certificateHold */
    PKI_OUTCOME_REVOKED,            /* revoked for good */
    PKI_OUTCOME_UNKNOWN,
    PKI_OUTCOME_LATER               /* not known now: tryLater */
} pki_outcome_t;


typedef struct {
    const char       *directory;    /* its name; owned by the caller */
    const char       *id;           /* the object; owned by the caller */
    unsigned          found:1;      /* the directory has a record of it */
    unsigned          state;        /* PKI_OBJECT_* */
    time_t            since;        /* of that state */
    time_t            synced_at;    /* the last completed round; 0: never */
    time_t            max_age;      /* facts count that long; 0: for ever */
    unsigned          last:1;       /* when older: the last facts count, if
                                       there are any; else tryLater */
    unsigned          group;        /* facts of one group, not 0, are of one
                                       object, in several directories */
} pki_object_fact_t;


typedef struct {
    unsigned          own:1;        /* the CA's own certificate */
    unsigned          recorded:1;   /* issued here, or imported */
    unsigned          bound:1;      /* the serial opens to a binding */
    pki_reason_t      manual;       /* PKI_REASON_NONE: not revoked */
    time_t            manual_at;
    unsigned          nobjects;
    pki_object_fact_t objects[PKI_FACTS_OBJECTS];
} pki_facts_t;


typedef struct {
    time_t            good;         /* seconds that an answer may live */
    time_t            hold;
    time_t            revoked;
    unsigned          by_serial:1;  /* a bound serial needs no record */
    unsigned          extended_revoke:1;    /* RFC 6960, 4.4.8 */
    unsigned          any:1;        /* of a group, one directory that has the
                                       object is enough */
    unsigned char     reasons[3];   /* of DELETED, RETIRED, ENDPOINT; 0: the
                                       default of each */
} pki_policy_t;


typedef struct {
    const char       *source;       /* "manual" or the directory's name */
    const char       *object;       /* NULL for "manual" */
    const char       *what;         /* "deleted", "disabled", "stale" ... */
    pki_reason_t      reason;       /* PKI_REASON_NONE: cause of "later" */
    time_t            since;
} pki_cause_t;


typedef struct {
    pki_outcome_t     outcome;
    pki_reason_t      reason;       /* of HOLD and REVOKED */
    time_t            revoked_at;
    unsigned          extended:1;   /* never issued, told as revoked */
    time_t            this_update;
    time_t            next_update;
} pki_verdict_t;


/*
 * Decides.  Fills *verdict and, when causes is not NULL, an entry for each
 * source that speaks against the certificate or cannot speak; causes has
 * room for PKI_VERDICT_CAUSES.  Returns the number of causes.  The strings
 * of a cause live as long as those of the facts.  Never fails.
 *
 * this_update is now; next_update is now plus the life of the outcome
 * (unknown and extended ones live as long as a hold, "later" not at all), but
 * not after the moment from which a fact that it stands on does not count.
 * Whoever signs caps it by the signer's own end.
 */
unsigned pki_verdict(pki_verdict_t *verdict, const pki_facts_t *facts,
    const pki_policy_t *policy, time_t now, pki_cause_t *causes);

/* Is this a CRLReason that a caller may ask for?  (RFC 5280: 7 is unused.) */
int pki_reason_valid(int reason);

/* "KeyCompromise" ..., or "None"; a constant string. */
const char *pki_reason_name(pki_reason_t reason);

/* "good", "hold", "revoked", "unknown", "tryLater"; a constant string. */
const char *pki_outcome_name(pki_outcome_t outcome);

/* "deleted", "disabled" ...: the name of one PKI_OBJECT_* bit; a constant
   string, or NULL when there is no such state. */
const char *pki_object_state_name(unsigned bit);


#endif /* PKI_VERDICT_H */

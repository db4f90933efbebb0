
/*
 * What a dialect is: how one kind of directory is asked, and what its words
 * mean.  A dialect has a few resources, each a row of a table; all that is
 * common to them (tokens, waiting, retries, paging buffers, Redis, the
 * guard) is the round's (pki_round.c), the lookup's and the poller's.
 *
 * A dialect has no state but the round's, no I/O and no clock.
 */

#ifndef PKI_DIALECT_H
#define PKI_DIALECT_H


#include "pki_fetch.h"
#include "pki_issued.h"
#include "pki_login.h"
#include "pki_page.h"
#include "pki_redis_sync.h"
#include "pki_state.h"
#include "pki_time.h"


#define PKI_RESOURCES_MAX     8     /* of a dialect */
#define PKI_DIRECTORY_ISSUERS 16

/* what two lookups did not find, and no round has ever shown, is */

#define PKI_ABSENT_HOLD       0     /* on hold, until it appears */
#define PKI_ABSENT_REVOKED    1     /* deleted */
#define PKI_ABSENT_LATER      2     /* not known */

#define PKI_RISK_LOW          0x01
#define PKI_RISK_MEDIUM       0x02
#define PKI_RISK_HIGH         0x04


typedef struct pki_dialect_s   pki_dialect_t;
typedef struct pki_resource_s  pki_resource_t;
typedef struct pki_round_s     pki_round_t;


/* an issuer whose certificates a directory may revoke by serial number */

typedef struct {
    const char               *name;
    const char               *subject;      /* RFC 2253 */
    const pki_serial_keys_t  *keys;         /* NULL: none */
    pki_reason_t              reason;       /* to revoke with */
} pki_directory_issuer_t;


/* the settings of one directory; whoever makes one owns what it points to */

typedef struct {
    const char               *name;
    const pki_dialect_t      *dialect;
    const char               *url;          /* scheme, host, port, prefix; no
                                               slash at the end */
    pki_fetch_conf_t          fetch;
    pki_login_conf_t          login;
    pki_login_conf_t          login_ca;     /* Intune's third-party CA calls;
                                               url NULL: none */
    pki_redis_sync_conf_t     redis;

    long                      interval;     /* milliseconds between rounds */
    time_t                    full;         /* seconds between complete
                                               listings, where there is delta */
    long                      backoff;      /* milliseconds, at most */
    time_t                    confirm;      /* seconds between two lookups
                                               that do not find an object */
    time_t                    settle;       /* seconds before what became worse
                                               is believed to be better */
    unsigned                  page;         /* items of a page; 0: default */
    unsigned                  lookups;      /* live lookups a second */

    unsigned                  guard;        /* percent; 100: off */
    unsigned                  guard_min;    /* objects that may always change */
    unsigned                  guard_rounds; /* that confirm; 0: an operator */

    unsigned                  absent;       /* PKI_ABSENT_* */
    unsigned                  restore:1;    /* a deletion can be undone */
    unsigned                  wipe:1;       /* management states count */
    unsigned                  compliance:1;
    time_t                    grace;        /* seconds from enrolment */
    unsigned                  risk;         /* PKI_RISK_*; 0: not asked */
    unsigned                  unmanaged:1;  /* hold what is not managed */
    time_t                    silent;       /* hold what was not seen for so
                                               long; 0: off */
    unsigned                  endpoint_list:1;
    unsigned                  revocations:1;    /* Intune's request queue */
    unsigned                  devices:1;    /* which resources are asked for */
    unsigned                  users:1;
    unsigned                  classes;      /* bits 1 << pki_object_class_t of
                                               one that nobody polls */
    const char               *external_id;  /* SCIM: the attribute that holds
                                               the object id; NULL: "id" */

    const char               *hook_url;     /* for subscriptions; or NULL */
    const char               *hook_secret;

    unsigned                  nissuers;
    pki_directory_issuer_t    issuers[PKI_DIRECTORY_ISSUERS];
} pki_directory_conf_t;


/* what an item of a reply means; all strings are copied by the round */

typedef struct {
    pki_state_object_t        object;       /* id NULL: known by key only, as
                                               in Graph's @removed */
    char                      id[PKI_OBJECT_ID_SIZE];   /* room for object.id */
    char                      alias[PKI_OBJECT_ID_SIZE];
    char                      owner[PKI_OBJECT_ID_SIZE];

    /* or a certificate that the directory wants revoked */

    const char               *serial;       /* hexadecimal; NULL: an object */
    const char               *issuer;       /* NULL: not told */
    const char               *context;      /* of the request; or NULL */

    /* or a line of the list of those that it had issued */

    pki_issued_t              line;         /* its serial NULL: none */
    pki_store_result_t        result;       /* out: what the store said */
    unsigned                  elsewhere:1;  /* out: its issuer is none of
                                               ours */
} pki_item_t;


typedef enum {
    PKI_NEXT_FETCH = 0,     /* what pki_round_get() or _post() has set up */
    PKI_NEXT_DONE,          /* complete: sweep if it was full, commit */
    PKI_NEXT_PARTIAL,       /* over: what was seen counts, but nothing follows
                               from absence, and it was no completed round */
    PKI_NEXT_FULL,          /* once more from the start, as a full listing */
    PKI_NEXT_RETRY,         /* the same request once more, after a pause */
    PKI_NEXT_FAIL           /* give up; pki_round_fail() says why */
} pki_next_t;


/*
 * One round of one resource, as the dialect sees it.  `variant` lives as
 * long as the process; the rest begins anew with each round.
 */

struct pki_round_s {
    const pki_directory_conf_t  *conf;
    const pki_resource_t        *resource;
    time_t                       now;       /* of the last reply */
    time_t                       asked;     /* somebody asked for a round
                                               then; 0: nobody yet */

    unsigned                     full:1;    /* a complete listing is wanted */
    unsigned                     partial:1; /* the dialect's: DONE becomes
                                               PARTIAL */
    unsigned                     unreadable;    /* the dialect's: records that
                                               the server could not show */
    unsigned                     step;      /* the dialect's; 0: begin */
    unsigned                     variant;   /* the dialect's */
    long long                    count[5];  /* the dialect's */
    char                        *link;      /* in: the stored delta link; out:
                                               what pki_round_link() keeps */

    /* the reply to the last request; step 0: there is none */

    int                          status;    /* 2xx, or a 4xx that the engine
                                               does not deal with itself, or
                                               a 5xx (see bisect) */
    unsigned                     json:1;    /* the body was a whole JSON reply,
                                               and with status 2xx also held
                                               the list that was asked for */
    const pki_fetch_result_t    *result;
    const pki_page_t            *page;      /* its envelope; NULL: no JSON at
                                               all */
    pki_item_t                  *items;     /* its items, already applied */
    size_t                       nitems;
    size_t                       told;      /* rows, unreadable ones too */
};


struct pki_resource_s {
    const char       *name;         /* "devices"; NULL ends the table */
    unsigned          classes;      /* bits 1 << pki_object_class_t whose
                                       states it tells; 0: none */
    unsigned          mask;         /* PKI_OBJECT_* that it tells about */
    unsigned          delta:1;      /* rounds that are not full exist */
    unsigned          lines:1;      /* its items are the list of issued certi-
                                       ficates, shown when it is whole */
    unsigned          sweep:1;      /* after a full round, look up what was
                                       not seen */
    unsigned          clears:1;     /* after a full round, what was not seen
                                       is no longer in the states of mask */
    unsigned          login_ca:1;   /* foreign requests go with the token of
                                       conf->login_ca */
    unsigned          bisect:1;     /* next() is to see a 5xx that is whole
                                       JSON and came three times in a row */
    long              interval;     /* milliseconds at least; 0: conf's */

    /* does the configuration want it? */
    int             (*wanted)(const pki_directory_conf_t *conf);

    /* what to do next; called first with step 0, then after each reply */
    pki_next_t      (*next)(pki_round_t *round);

    /* paths of an item, and their meaning.  PKI_NOT_FOUND: nothing to take;
       PKI_INVALID: unreadable, counted.  now: of the reply */
    const char *const *paths;
    pki_rc_t        (*item)(const pki_directory_conf_t *conf,
                        const pki_value_t *values, time_t now,
                        pki_item_t *item);

    /* a single object: writes path and query (from the host on, after
       conf->url).  key: the directory's own, NULL when that is not known.
       PKI_NOT_FOUND: this one cannot be looked up.  NULL: no lookups */
    pki_rc_t        (*lookup)(const pki_directory_conf_t *conf,
                        unsigned variant, const char *id, const char *key,
                        char *url, size_t size);
    const char *const *one_paths;   /* NULL: as paths */
    pki_rc_t        (*one)(const pki_directory_conf_t *conf,
                        const pki_value_t *values, time_t now,
                        pki_item_t *item);
    /* does this reply, not 2xx, say that the object does not exist?
       values are of one_paths */
    int             (*absent)(int status, const pki_value_t *values);
};


struct pki_dialect_s {
    const char              *name;          /* "entra" */
    const pki_resource_t    *resources;     /* NULL: nobody polls it */
    unsigned                 classes;       /* all that it may know */
    long                     interval;      /* defaults; see the conf */
    time_t                   full;
    time_t                   confirm;
    time_t                   settle;
    unsigned                 cookies:1;
};


extern const pki_dialect_t  pki_entra, pki_intune, pki_jamf, pki_scim, pki_push;

/* The dialect of that name; NULL: there is none. */
const pki_dialect_t *pki_dialect_find(const char *name);

/*
 * The resources of a configured directory that tell about a class, at most
 * PKI_STORE_RESOURCES; returns how many.  "push" for one that nobody polls
 * and conf->classes says knows the class.
 */
unsigned pki_dialect_resources(const pki_directory_conf_t *conf,
    pki_object_class_t class, const char *names[PKI_STORE_RESOURCES]);

/*
 * The states of a class that nobody tells about any more: only resources do
 * that the configuration does not want.  What is left of them does not count.
 */
unsigned pki_dialect_unwanted(const pki_directory_conf_t *conf,
    pki_object_class_t class);


/* for next(): each returns what next() is to return */

/*
 * Sets up a GET.  What format makes is a path, appended to conf->url, or a
 * whole URL ("https://" or "http://") of the same host.  Items are read with
 * shape->item, which must be resource->paths, or NULL.  shape must be static.
 */
pki_next_t pki_round_get(pki_round_t *round, const pki_page_shape_t *shape,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A GET of a link out of a reply, verbatim: only to conf->url's host. */
pki_next_t pki_round_follow(pki_round_t *round,
    const pki_page_shape_t *shape, const pki_value_t *link);

/*
 * A request with a JSON body, which is copied; data NULL: none.  url as with
 * pki_round_get().  foreign: the host may be another than conf->url's.
 * headers, NULL-terminated, up to three, and method are static.
 */
pki_next_t pki_round_post(pki_round_t *round, const pki_page_shape_t *shape,
    const char *method, const char *url, int foreign, pki_bytes_t body,
    const char *const *headers);

/* Keeps a link for the commit; too long, or no string: FAIL. */
pki_next_t pki_round_link(pki_round_t *round, const pki_value_t *link);

/*
 * Listing by offsets is no snapshot: while a large one is read, somebody is
 * enrolled.  Is the total near enough to that of the first page, so that the
 * listing counts?  What it missed is looked up by its id.
 */
int pki_round_near(long long first, long long total);

pki_next_t pki_round_fail(pki_round_t *round, const char *format, ...)
    __attribute__((format(printf, 2, 3)));


/* for item(): "class/<value>" with a GUID in lower case, or a number without
   leading zeros; PKI_INVALID: it is neither */
pki_rc_t pki_item_guid(char id[PKI_OBJECT_ID_SIZE], const char *class,
    const pki_value_t *value);
pki_rc_t pki_item_number(char id[PKI_OBJECT_ID_SIZE], const char *class,
    const pki_value_t *value);

/* value percent-encoded for a path segment; PKI_INVALID: no room, or a dot
   segment */
pki_rc_t pki_item_escape(char *dst, size_t size, const char *value);


#endif /* PKI_DIALECT_H */

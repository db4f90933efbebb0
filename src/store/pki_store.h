
/*
 * What Redis holds, and the verbs to read and change it.
 *
 * This head is the documentation of the keys; {name} is a hash tag, so that
 * all keys of an issuer, or of a directory, share a slot of a cluster.
 * Records are text, fields apart by one space, the first is the version.
 *
 *   pki:{<issuer>}:cert:<SERIAL>     string  2 not_before not_after source
 *                                            page offset length id requester
 *   pki:{<issuer>}:revoked           hash    SERIAL -> 1 reason at
 *                                            invalidity who
 *   pki:{<issuer>}:audit             stream  action serial reason who from
 *                                            why at
 *   pki:{<issuer>}:history:<SERIAL>  list    ids of its audit entries
 *   pki:{<issuer>}:serial:<SERIAL>   string  a reservation, with a time to
 *                                            live
 *   pki:{<issuer>}:der:<SERIAL>      string  DER
 *   pki:{<issuer>}:book              hash    newest: the number of a page
 *   pki:{<issuer>}:page:<number>     string  lines, see pki_row.h
 *   pki:{<issuer>}:thumb             hash    SHA-1 -> serial number
 *   pki:{<issuer>}:bound             hash    id of an object -> serial
 *                                            numbers of 20 octets each
 *   pki:{<issuer>}:crl               hash    number; full, delta:
 *                                            1 number base this_update
 *                                            next_update length etag
 *   pki:{<issuer>}:crl:<number>      string  DER, with a time to live
 *   pki:{<issuer>}:delta:<number>    string  likewise
 *   pki:{<issuer>}:crl-lease         string  token, with a time to live
 *   pki:{<directory>}:object:<id>    string  1 state since alias
 *   pki:{<directory>}:index:<res>    hash    key -> 1 round id
 *   pki:{<directory>}:pending:<res>  hash    id -> 1 state since mask
 *                                            alias, as told
 *   pki:{<directory>}:sync           hash    <res>.at, .link, .round,
 *                                            .full, .guard, .rounds;
 *                                            asked, release
 *   pki:{<directory>}:names          hash    a UPN in lower case -> id
 *   pki:{<directory>}:owners         hash    id of a device -> id of its user
 *   pki:{<directory>}:wanted         set     of ids
 *   pki:{<directory>}:recheck        zset    of ids, by when
 *   pki:{<directory>}:absent         hash    id -> since when
 *   pki:{<directory>}:status         hash    what the poller says
 *   pki:{<directory>}:lease          string  token, with a time to live
 *   pki:news                         channel of owners
 *
 * SERIAL is upper-case hexadecimal, serial numbers and SHA-1 in other values
 * are octets; times are seconds since the Epoch; the last field of a record
 * runs to its end and may hold spaces.  <res> is a resource of a directory,
 * key the name that the directory itself has for an object; the verbs of
 * directories are in pki_state.h, those of pages in pki_book.h, those of CRLs
 * in pki_list.h.
 *
 * The record of a certificate says where its line stands in the book, and
 * the id of the audit entry that tells of its issue, "-" when that is in the
 * list of its history.  Records of version 1 end after the source with the
 * requester; their certificates are in no page.  Of a page only the first
 * octet of a line is ever changed; it is full at 64 KB, and then is stored
 * once more, without the room that Redis has kept for more.
 *
 * An owner names whose facts changed: "cert:<issuer>:<SERIAL>",
 * "object:<directory>:<id>", "crl:<issuer>" or "all".  The script that
 * changes a fact also publishes its owner; but what a resource's first
 * listing finds new and fine is "all" at its end.  "hint:<directory>" wakes
 * the directory's poller.
 *
 * Verbs return nothing: each calls its callback exactly once, through the
 * transport, and never from inside the call.  Arguments are copied.  No
 * acknowledgement from Redis is PKI_STORE_FAILED, and then it is not known
 * whether the change was made.
 */

#ifndef PKI_STORE_H
#define PKI_STORE_H


#include "pki.h"
#include "pki_redis.h"
#include "pki_serial.h"
#include "pki_verdict.h"


#define PKI_NAME_MAX        64      /* of an issuer or a directory */
#define PKI_STORE_WHO_MAX   256     /* of who, from, why, requester */
#define PKI_OWNER_SIZE      256     /* "object:", name, id and a zero octet */
#define PKI_STORE_RESOURCES 2       /* of a directory, about one object */
#define PKI_STORE_CALLBACKS 128     /* different callbacks in one program;
                                       more are FAILED */
#define PKI_NEWS_CHANNEL    "pki:news"
#define PKI_NEWS_ALL        "all"
#define PKI_NEWS_HINT       "hint:"


typedef enum {
    PKI_STORE_DONE = 0,
    PKI_STORE_SAME,         /* it was so already; nothing changed */
    PKI_STORE_CONFLICT,     /* the present state forbids it; see `present` */
    PKI_STORE_NOT_FOUND,
    PKI_STORE_FAILED        /* no, or no usable, reply */
} pki_store_result_t;


typedef struct {
    pki_reason_t      reason;
    time_t            at;
    time_t            invalidity;   /* RFC 5280, 5.3.2; 0: not known */
    char              who[PKI_STORE_WHO_MAX + 1];
} pki_revocation_t;


typedef struct {
    time_t            not_before;
    time_t            not_after;
    char              source[32];   /* "API", "Static" ...; no space */
    char              requester[PKI_STORE_WHO_MAX + 1];
    unsigned long long  page;       /* where its line is; 0: it has none */
    size_t            offset;
    size_t            length;
} pki_record_t;


/* who changes something, from where and why; for the audit stream */

typedef struct {
    const char       *who;
    const char       *from;
    const char       *why;          /* may be NULL */
    time_t            at;
} pki_actor_t;


typedef struct {
    const char       *issuer;       /* a name: see pki_name_valid() */
    pki_serial_t      serial;
    unsigned          nobjects;
    struct {
        const char   *directory;
        const char   *id;
        const char   *resources[PKI_STORE_RESOURCES];   /* or NULL; the
                                       earliest of their rounds counts */
        time_t        max_age;
        unsigned      last:1;
        unsigned      group;
    }                 objects[PKI_FACTS_OBJECTS];
} pki_store_query_t;


typedef struct {
    pki_store_result_t  result;     /* DONE or FAILED, never NOT_FOUND */
    pki_facts_t       facts;        /* recorded, manual and objects are set */
    pki_revocation_t  revocation;   /* of facts.manual */
    pki_record_t      record;       /* when facts.recorded */
    char              aliases[PKI_FACTS_OBJECTS][PKI_OBJECT_ID_SIZE];
                                    /* of objects, "" when there is none */
    const char       *error;        /* of FAILED */
} pki_store_found_t;


/* All strings of the answer are gone when the callback returns. */

typedef void (*pki_store_found_pt)(void *data, const pki_store_found_t *found);

typedef void (*pki_store_changed_pt)(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error);

typedef void (*pki_store_done_pt)(void *data, pki_store_result_t result,
    long long n, const char *error);


/* 1-64 of A-Z a-z 0-9 . _ - : what may stand in a key's hash tag. */
int pki_name_valid(const char *name, size_t len);

/* The owner's name in owner[PKI_OWNER_SIZE]; returns its length. */
size_t pki_owner_cert(char *owner, const char *issuer,
    const pki_serial_t *serial);
size_t pki_owner_object(char *owner, const char *directory, const char *id);

/*
 * Reads all facts about a certificate, in one write: the record, the manual
 * revocation, each object's state and its directory's last round.  A record
 * that cannot be read is FAILED, never "not revoked".
 */
void pki_store_find(pki_redis_t *redis, const pki_store_query_t *query,
    pki_store_found_pt found, void *data);

/*
 * Revokes.  A hold may become a final reason, and keeps its time if that is
 * the earlier one; the same reason again is SAME; every other second
 * revocation is CONFLICT.  Unless `unrecorded`, a serial without a record is
 * NOT_FOUND.  `present` is what Redis holds now, NULL when NOT_FOUND.
 */
void pki_store_revoke(pki_redis_t *redis, const char *issuer,
    const pki_serial_t *serial, const pki_revocation_t *revocation,
    const pki_actor_t *actor, int unrecorded, pki_store_changed_pt changed,
    void *data);

/*
 * Releases a hold.  Any other revocation is CONFLICT, and `present`; none
 * at all is NOT_FOUND.  Both verbs change the certificate's line, too, and
 * add to its history.
 */
void pki_store_release(pki_redis_t *redis, const char *issuer,
    const pki_serial_t *serial, const pki_actor_t *actor,
    pki_store_changed_pt changed, void *data);

/*
 * The readers of the records, for the fuzzer: each takes one value as Redis
 * gave it.  PKI_INVALID: not of our making.
 */
pki_rc_t pki_record_read(pki_bytes_t text, pki_record_t *record);
pki_rc_t pki_revocation_read(pki_bytes_t text, pki_revocation_t *revocation);
pki_rc_t pki_object_read(pki_bytes_t text, unsigned *state, time_t *since,
    char alias[PKI_OBJECT_ID_SIZE]);


#endif /* PKI_STORE_H */

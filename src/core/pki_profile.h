
/*
 * What may be asked for, and what a certificate gets: the rules of one kind
 * of enrolment, so that a stolen token cannot ask for anything.
 *
 * Allow-lists are patterns in which '*' stands for any octets, so that
 * "dns:*.example.com" also allows a wildcard of that domain; comparison is
 * without regard to case.  An empty list allows everything of its kind but
 * the usages OCSPSigning, which would let its holder answer for the CA, and
 * anyExtendedKeyUsage: these must be spelled out.
 */

#ifndef PKI_PROFILE_H
#define PKI_PROFILE_H


#include "pki_csr.h"


#define PKI_PROFILE_PATTERNS  64
#define PKI_PROFILE_EKUS      32
#define PKI_PROFILE_SUBJECT_MAX  1024   /* characters of a subject that is
                                           asked for, as text */


typedef struct {
    unsigned          n;
    const char       *patterns[PKI_PROFILE_PATTERNS];   /* the caller's */
} pki_patterns_t;


typedef struct {
    pki_bind_t        bind;
    unsigned          keys;         /* PKI_KEYS_* that may be certified */

    pki_patterns_t    subjects;     /* "CN=x,O=y": of the subject as RFC 4514
                                       text, in the order of the request; '*'
                                       stays within one value */
    pki_patterns_t    names;        /* "dns:*.example.com", "ip:10.*",
                                       "ip:2001:db8:0:0:*", "email:", "uri:",
                                       "upn:"; of a request's SANs */
    pki_patterns_t    ekus;         /* dotted OIDs that may be asked for, and
                                       the default ones may as well */
    const char       *default_ekus[PKI_PROFILE_EKUS];   /* dotted OIDs, when
                                       none is asked for, or `fixed` */
    unsigned          ndefault_ekus;
    int               default_key_usage;    /* KU_*; likewise */
    unsigned          fixed:1;      /* usages asked for do not count */
    unsigned          sid:1;        /* the requested SID is copied, and a
                                       URI with one is allowed */
    unsigned          microsoft:1;  /* tenant and device extensions */
    unsigned char     tenant[PKI_SERIAL_PAYLOAD];   /* of these; .NET order */

    time_t            lifetime;     /* seconds, at most; 0: the issuer's */
    time_t            backdate;     /* seconds */
} pki_profile_t;


/* Does text match one of the patterns? An empty list matches nothing. */
int pki_patterns_match(const pki_patterns_t *patterns, const char *text,
    size_t len);

/*
 * May the request, or renewal, have what it asks for, and is it fit for a
 * certificate?  Each text is not empty and free of control characters, names
 * are of the form of their kind.  PKI_INVALID with a sentence that names what
 * is not allowed.  `self` also applies rules of self-service: ClientAuth
 * only, no SID; see pki_claim_self() for the names.
 */
pki_rc_t pki_profile_check(const pki_profile_t *profile, const pki_csr_t *csr,
    int self, pki_err_t *err);

/* A dotted OID or a well-known name ("clientAuth", "smartcardLogon" ...) as a
   dotted OID in text[size].  PKI_INVALID: neither. */
pki_rc_t pki_profile_eku(const char *name, char *text, size_t size);

/* "digitalSignature" ... as a KU_* bit; 0: no such name, or a CA's. */
int pki_profile_key_usage(const char *name);


#endif /* PKI_PROFILE_H */

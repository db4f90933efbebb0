
/*
 * The names in requests and certificates, as text.
 *
 * One spelling serves the rules of a profile, the records and the search:
 * "CN=x,O=y" for a subject, "DNS:a", "IP:b", "email:c", "URI:d", "UPN:e" for
 * alternative names.
 */

#ifndef PKI_NAME_H
#define PKI_NAME_H


#include <openssl/x509v3.h>
#include "pki.h"


/*
 * The string as UTF-8, OPENSSL_malloc()ed and terminated.  PKI_INVALID: it
 * is empty, is no text, or holds control characters; PKI_ERROR: memory.
 */
pki_rc_t pki_name_string(const ASN1_STRING *string, char **text);

/*
 * A copy that will be DER, whatever the name was read from: X509_NAME_dup()
 * keeps those octets.  NULL: memory.
 */
X509_NAME *pki_name_dup(const X509_NAME *name);

/*
 * The subject in the escapes of RFC 4514 and the order of the certificate;
 * OPENSSL_malloc()ed, terminated, "" for an empty one.  Octets that are not
 * UTF-8 become '?'.  PKI_INVALID: a value that its type does not allow.
 */
pki_rc_t pki_name_subject(const X509_NAME *name, char **text);

/* Is each value of the subject a text, as pki_name_string() has it? */
pki_rc_t pki_name_check(const X509_NAME *name);

/*
 * An alternative name with its kind; likewise.  PKI_NOT_FOUND: of a kind
 * that is not passed on, see pki_name_known(); PKI_INVALID: what it holds
 * cannot be such a name.
 */
pki_rc_t pki_name_general(const GENERAL_NAME *gn, char **text);

/* Is it of a kind that a certificate of ours can have? */
int pki_name_known(const GENERAL_NAME *gn);

/* The UPN's string (otherName 1.3.6.1.4.1.311.20.2.3); NULL: another name. */
const ASN1_STRING *pki_name_upn(const GENERAL_NAME *gn);

/* The value of the n-th attribute of that NID, from 0; NULL: no such. */
const ASN1_STRING *pki_name_value(const X509_NAME *name, int nid, int n);

/* Does the object have these content octets? */
int pki_name_oid(const ASN1_OBJECT *obj, const unsigned char *oid, size_t len);

/*
 * Copies text into buf[size], cut before a whole character; what is no UTF-8
 * or a control character becomes '?'.  Returns the length.
 */
size_t pki_name_copy(char *buf, size_t size, const char *text);


#endif /* PKI_NAME_H */


/*
 * A row: what the search knows of a certificate, as one line of text in a
 * page; and the filter that goes over pages.
 *
 *   status not_before not_after issued source kind object object2
 *   serial thumbprint subject sans upn requester
 *
 * Fields are apart by a tab and the line ends with a line feed, neither of
 * which a field can hold.  The first octet is the manual status, so that
 * Redis can change it in place: '-', or the CRLReason as one digit of
 * hexadecimal.  Texts are looked for from the serial on.
 */

#ifndef PKI_ROW_H
#define PKI_ROW_H


#include "pki_serial.h"
#include "pki_verdict.h"


#define PKI_ROW_MAX       8192      /* octets of a line; long names are cut to
                                       fit */
#define PKI_ROW_PAGE      (64 * 1024)   /* a page is full near it */
#define PKI_ROW_TEXT_MAX  256       /* octets to look for */
#define PKI_ROW_SOURCES   16


/* who bound it, as SCEPman numbers and names them; 11 and up are ours */

typedef enum {
    PKI_SOURCE_CERTIFICATE_MASTER = 0,
    PKI_SOURCE_INTUNE = 1,
    PKI_SOURCE_STATIC = 3,
    PKI_SOURCE_STATIC_AAD = 4,
    PKI_SOURCE_JAMF = 5,
    PKI_SOURCE_DOMAIN_CONTROLLER = 6,
    PKI_SOURCE_API = 7,
    PKI_SOURCE_RADIUS_API = 8,
    PKI_SOURCE_ACTIVE_DIRECTORY = 10,
    PKI_SOURCE_IMPORT = 11
} pki_row_source_t;


/* what its validity is bound to; a bit each */

#define PKI_TYPE_STATIC  0x01
#define PKI_TYPE_DC      0x02
#define PKI_TYPE_USER    0x04
#define PKI_TYPE_DEVICE  0x08


typedef enum {
    PKI_VALIDITY_ANY = 0,
    PKI_VALIDITY_ACTIVE,            /* not ended and not revoked by hand */
    PKI_VALIDITY_EXPIRED,
    PKI_VALIDITY_REVOKED            /* by hand */
} pki_validity_t;


/* texts point into the page, or are the caller's; not terminated */

typedef struct {
    pki_reason_t      status;       /* manual; PKI_REASON_NONE */
    pki_serial_t      serial;
    time_t            not_before;
    time_t            not_after;
    time_t            issued;       /* when it was recorded; or, imported,
                                       its not_before */
    unsigned          source;       /* pki_row_source_t */
    pki_kind_t        kind;
    pki_bytes_t       serial_text;  /* upper-case hexadecimal */
    pki_bytes_t       thumbprint;
    pki_bytes_t       objects[PKI_BINDING_OBJECTS];     /* len 0: none */
    pki_bytes_t       subject;
    pki_bytes_t       sans;
    pki_bytes_t       upn;
    pki_bytes_t       requester;
} pki_row_t;


/* fields that are not set let all rows pass */

typedef struct {
    char              text[PKI_ROW_TEXT_MAX + 1];   /* folded by
                                                       pki_filter_text() */
    size_t            len;
    unsigned char     rare[2];      /* where its rarest characters stand */
    pki_validity_t    validity;
    unsigned          types;        /* PKI_TYPE_*; 0: all */
    unsigned          sources;      /* 1 << pki_row_source_t; 0: all */
    time_t            issued_after;     /* 0: not set; inclusive */
    time_t            issued_before;    /* exclusive */
    time_t            expires_after;
    time_t            expires_before;
    char              thumbprint[65];
    char              object[PKI_OBJECT_ID_SIZE];
    char              upn[PKI_ROW_TEXT_MAX + 1];    /* the whole, any case */
} pki_filter_t;


/*
 * Writes a line into line[PKI_ROW_MAX]; control characters of the texts
 * become '?', texts that are too long are cut before a whole character.
 * serial_text is made from the serial.  Returns its length with the line
 * feed.
 */
size_t pki_row_write(const pki_row_t *row, char *line);

/*
 * Takes the next line off the page.  PKI_NOT_FOUND: the end (also half a
 * line); PKI_INVALID: a line that is not of our making, which is passed over.
 */
pki_rc_t pki_row_next(pki_bytes_t *page, pki_row_t *row);

/*
 * Sets the text to look for.  PKI_INVALID: it is too long, or has a control
 * character, which no row has.
 */
pki_rc_t pki_filter_text(pki_filter_t *filter, const char *text, size_t len);

/* Does the row pass, with its text and all? */
int pki_filter_match(const pki_filter_t *filter, const pki_row_t *row,
    time_t now);

/*
 * The fast way over a page: the offset of the next line from `from`, the
 * beginning of a line, whose texts hold the filter's text; page.len: none.
 * Without a text it is the line at `from`.  Case is folded for ASCII only.
 */
size_t pki_filter_find(const pki_filter_t *filter, pki_bytes_t page,
    size_t from);

/* "Static", "DC", "User", "Device". */
const char *pki_row_type_name(pki_kind_t kind);
unsigned pki_row_type(pki_kind_t kind);

/* "CertificateMaster" ...; NULL: no such number. */
const char *pki_row_source_name(unsigned source);

/*
 * Bits of sources by a name, a number, or one of the groups "REST", "SCEP",
 * "SCEP (Generic)", "SCEP (Jamf)"; any case.  0: none is called so.
 */
unsigned pki_row_sources(const char *text, size_t len);


#endif /* PKI_ROW_H */

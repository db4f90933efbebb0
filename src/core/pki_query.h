
/*
 * The question of a search: the parameters of its URL, and the token with
 * which the next page is asked for.
 *
 * A token is base64url of text: a version, the position behind the last row
 * that was seen, and the parameters as they were given.  It holds nothing
 * that the caller could not say himself, and all of it is checked as if he
 * did, so that it needs no signature.
 */

#ifndef PKI_QUERY_H
#define PKI_QUERY_H


#include "pki_row.h"


#define PKI_QUERY_TEXT_MAX    3072  /* octets of parameters that a token
                                       carries: the next request line has to
                                       fit nginx's 8 KB */
#define PKI_QUERY_TOKEN_MAX   6144  /* of a token */
#define PKI_QUERY_KEY_MAX     128   /* octets of a subject that sort it */
#define PKI_QUERY_NAME_MAX    64    /* of an issuer */
#define PKI_QUERY_PAGE        50    /* rows, as SCEPman has it */
#define PKI_QUERY_PAGE_MAX    500


typedef enum {
    PKI_QUERY_NEWEST = 0,           /* as recorded, issuer by issuer */
    PKI_QUERY_ISSUED,
    PKI_QUERY_EXPIRES,
    PKI_QUERY_SUBJECT,
    PKI_QUERY_SERIAL
} pki_query_sort_t;


typedef enum {
    PKI_QUERY_ANY = 0,              /* not said */
    PKI_QUERY_JSON,
    PKI_QUERY_CSV,
    PKI_QUERY_NDJSON
} pki_query_format_t;


/* the fields of a row, in the order in which they are written */

typedef enum {
    PKI_FIELD_SERIAL = 0,
    PKI_FIELD_SUBJECT,
    PKI_FIELD_SANS,
    PKI_FIELD_UPN,
    PKI_FIELD_ISSUANCE,
    PKI_FIELD_EXPIRATION,
    PKI_FIELD_REVOCATION,
    PKI_FIELD_REASON,
    PKI_FIELD_REVOKED_BY,
    PKI_FIELD_REQUESTER,
    PKI_FIELD_SOURCE,
    PKI_FIELD_TYPE,
    PKI_FIELD_ISSUER,               /* from here on ours */
    PKI_FIELD_THUMBPRINT,
    PKI_FIELD_OBJECT,
    PKI_FIELD_RECORDED,
    PKI_FIELD_EFFECTIVE,            /* only when it is asked for */
    PKI_FIELD_N
} pki_query_field_t;


/* behind a row: in the book, or in an order */

typedef struct {
    unsigned            set:1;
    unsigned            sorted:1;
    unsigned            size;       /* of a page; only of an opened token */
    char                issuer[PKI_QUERY_NAME_MAX + 1];
    unsigned long long  page;
    size_t              offset;
    long long           time;       /* of ISSUED and EXPIRES */
    char                key[PKI_QUERY_KEY_MAX + 1];     /* of SUBJECT */
    char                serial[PKI_SERIAL_HEX_SIZE];
} pki_query_position_t;


typedef struct {
    pki_filter_t          filter;   /* without thumbprint and object, which
                                       are keys */
    char                  exact[PKI_SERIAL_HEX_SIZE];   /* a text of the full
                                       length of a serial number or of a
                                       thumbprint; "": it is none */
    char                  thumbprint[41];
    char                  object[PKI_OBJECT_ID_SIZE];   /* or only its GUID */
    char                  issuer[PKI_QUERY_NAME_MAX + 1];
    unsigned              effective;    /* 1 << pki_outcome_t; 0: any */
    unsigned              fields;   /* 1 << pki_query_field_t; 0: not said */
    pki_query_sort_t      sort;
    unsigned              descending;
    pki_query_format_t    format;
    unsigned              size;     /* of a page */
    unsigned              paged:1;  /* the size was said */
    pki_query_position_t  after;
    unsigned              seen;     /* a bit for each parameter */
    size_t                len;
    char                  text[PKI_QUERY_TEXT_MAX];     /* as given, for the
                                       token */
} pki_query_t;


/*
 * Reads the part of a URL behind its '?'.  Names, and values that are words,
 * in any case; an empty value is as good as none.  PKI_INVALID with a
 * sentence for the caller: an unknown or repeated parameter, a wrong value,
 * a bad escape, a token that is not ours or does not go with the rest.
 */
pki_rc_t pki_query_read(pki_bytes_t args, pki_query_t *q, pki_err_t *err);

/*
 * The token of the page behind a position, terminated, in
 * token[PKI_QUERY_TOKEN_MAX + 1].  Returns its length.
 */
size_t pki_query_token(const pki_query_t *q,
    const pki_query_position_t *after, char *token);

/* "serialNumber", "subject" ...; a constant string. */
const char *pki_query_field_name(pki_query_field_t field);

/* The fields that a reply has: those asked for, or SCEPman's and ours. */
unsigned pki_query_fields(const pki_query_t *q);

/*
 * The order of rows: less than 0 when a is to come before b.  Rows that are
 * alike in it are ordered by serial number and issuer.
 */
int pki_query_compare(const pki_query_t *q, const pki_query_position_t *a,
    const pki_query_position_t *b);

/* The row's place in that order. */
void pki_query_place(const pki_query_t *q, const pki_row_t *row,
    const char *issuer, pki_query_position_t *place);


#endif /* PKI_QUERY_H */

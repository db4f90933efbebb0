
/*
 * What the dialects of Microsoft Graph share: the envelope of a reply, its
 * links and its error codes, and the few types of value that both read.
 *
 * A listing is pages that end with one that has no next link.  A link is
 * followed as it was written, and only to Graph's own host.  Codes of errors
 * are compared in any case, since Graph writes them in several, and also
 * where they are nested in "innerError", which has two spellings.
 */

#ifndef PKI_GRAPH_H
#define PKI_GRAPH_H


#include "pki_dialect.h"


#define PKI_GRAPH_PAGES_MAX  100000     /* of one round; 500,000 objects are
                                           2,500 pages of a delta */


/* the first paths of the envelope of each shape, in the order below */

#define PKI_GRAPH_TOP                                                         \
    "@odata.nextLink",                                                        \
    "@odata.deltaLink",                                                       \
    "error/message",                                                          \
    "error/code",                                                             \
    "error/innerError/code",                                                  \
    "error/innererror/code",                                                  \
    "error/innerError/innerError/code",                                       \
    "error/innerError/innererror/code",                                       \
    "error/innererror/innererror/code",                                       \
    "error/innererror/innerError/code"

enum {
    PKI_GRAPH_NEXT = 0,
    PKI_GRAPH_DELTA,
    PKI_GRAPH_MESSAGE,
    PKI_GRAPH_CODE,
    PKI_GRAPH_OWN = PKI_GRAPH_CODE + 7      /* the shape's own paths */
};


/* PKI_GRAPH_TOP alone */
extern const char *const  pki_graph_top[];

/* what a listing keeps in round->count */

enum {
    PKI_GRAPH_ROWS = 0,
    PKI_GRAPH_PAGES,
    PKI_GRAPH_COUNTS                /* the dialect's own */
};


/* Was the reply a whole one, with what was asked for? */
int pki_graph_good(const pki_round_t *round);

/* Did it name this error, at any depth and in any case? */
int pki_graph_code(const pki_round_t *round, const char *code);

/* Did it say that a delta link, or a state behind it, is gone for good? */
int pki_graph_expired(const pki_round_t *round);

/* FAIL, with a sentence about what was asked for and the reply's status. */
pki_next_t pki_graph_refused(pki_round_t *round, const char *what);

/*
 * Follows the next link of a reply; FAIL: it is none, or there were too many.
 * Counts the page.
 */
pki_next_t pki_graph_follow(pki_round_t *round,
    const pki_page_shape_t *shape, const char *what);

/*
 * What follows a page of a listing: FETCH with the next link, DONE after the
 * last page, FULL when a link has expired, FAIL.  Counts the rows.
 */
pki_next_t pki_graph_listed(pki_round_t *round,
    const pki_page_shape_t *shape, const char *what);

/* Items of a page: the configuration's, or `max`, which is Graph's limit. */
unsigned pki_graph_page(const pki_directory_conf_t *conf, unsigned max);


/* A string, in any case? */
int pki_graph_is(const pki_value_t *value, const char *literal);

/* Is this the GUID of an id "class/<guid>"?  NULL: it is none. */
const char *pki_graph_guid(const char *id, const char *class);

/* Is it empty, or the GUID of zeros, both of which stand for none? */
int pki_graph_none(const pki_value_t *value);

/*
 * When the time ends in which a device enrolled at `value` need not be
 * compliant; 0: it has ended, or the value does not tell.
 */
time_t pki_graph_grace(const pki_directory_conf_t *conf,
    const pki_value_t *value, time_t now);

/* for absent(): a 404 of Graph itself; code is error/code */
int pki_graph_absent(int status, const pki_value_t *code);


#endif /* PKI_GRAPH_H */

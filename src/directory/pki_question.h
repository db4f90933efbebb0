
/*
 * From a certificate to the questions about it: an issuer as it asks, and
 * the objects of its directories that one of its certificates depends on.
 */

#ifndef PKI_QUESTION_H
#define PKI_QUESTION_H


#include "pki_dialect.h"
#include "pki_issuer.h"
#include "pki_store.h"


#define PKI_QUESTION_DIRECTORIES  (PKI_FACTS_OBJECTS / PKI_BINDING_OBJECTS)


/* an issuer and whom it believes; everything in it is the caller's */

typedef struct {
    const char             *name;
    const pki_issuer_t     *ca;
    const pki_serial_keys_t  *keys;
    pki_policy_t            policy;
    unsigned                sealed:1;   /* issues sealed serial numbers */
    unsigned                all:1;      /* "devices all" */
    unsigned                n;
    struct {
        const pki_directory_conf_t  *conf;
        const char         *name;
        time_t              max_age;
        unsigned            last:1;
    }                       directories[PKI_QUESTION_DIRECTORIES];
} pki_view_t;


typedef struct {
    pki_store_query_t       store;      /* its ids are in objects, or in
                                           others */
    unsigned                from[PKI_FACTS_OBJECTS];    /* index of the
                                           view's directory */
    pki_object_class_t      classes[PKI_FACTS_OBJECTS];
    pki_object_id_t         objects[PKI_BINDING_OBJECTS];
    char                    others[PKI_FACTS_OBJECTS][PKI_OBJECT_ID_SIZE];
    pki_binding_t           binding;
    unsigned                bound:1;    /* binding is set */
    unsigned                own:1;      /* the CA's own certificate */
    unsigned                issued:1;   /* of the issuer's own format */
} pki_question_t;


/* Opens the serial number, lists what to ask.  PKI_ERROR: libcrypto. */
pki_rc_t pki_question(const pki_view_t *view, const pki_serial_t *serial,
    pki_question_t *q);

/* A copy that stands by itself. */
void pki_question_copy(pki_question_t *to, const pki_question_t *from);

/*
 * Adds to the store's facts what the question itself knows.  The strings in
 * facts are the question's from then on.
 */
void pki_question_facts(const pki_view_t *view, const pki_question_t *q,
    const pki_store_found_t *found, pki_facts_t *facts);


#endif /* PKI_QUESTION_H */

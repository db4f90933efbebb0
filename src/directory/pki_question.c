
/*
 * A serial number opens to a binding, a binding names objects, and each of
 * the issuer's directories that knows objects of that class is asked.
 *
 * The ids of a question point into the question itself, so that it needs no
 * memory of its own.
 */

#include "pki_question.h"

#include <stddef.h>
#include <string.h>


static void pki_question_add(const pki_view_t *view, pki_question_t *q,
    unsigned from, unsigned n);


pki_rc_t
pki_question(const pki_view_t *view, const pki_serial_t *serial,
    pki_question_t *q)
{
    unsigned            k, n, i;
    pki_rc_t            rc;
    const pki_issuer_t *ca;

    ca = view->ca;

    q->store.issuer = view->name;
    q->store.serial = *serial;
    q->store.nobjects = 0;

    q->own = ca->self_issued
             && serial->len == ca->serial.len
             && memcmp(serial->data, ca->serial.data, serial->len) == 0;

    rc = pki_serial_open(serial, view->keys, &q->binding);

    if (rc == PKI_ERROR) {
        return PKI_ERROR;
    }

    q->bound = rc == PKI_OK;
    q->issued = q->bound && (!view->sealed || pki_serial_is_sealed(serial));

    if (!q->bound) {
        return PKI_OK;
    }

    n = pki_binding_objects(&q->binding, q->objects);

    for (k = 0; k < view->n; k++) {
        for (i = 0; i < n; i++) {
            pki_question_add(view, q, k, i);
        }
    }

    return PKI_OK;
}


static void
pki_question_add(const pki_view_t *view, pki_question_t *q, unsigned from,
    unsigned n)
{
    unsigned            at;
    pki_object_class_t  class;

    at = q->store.nobjects;
    class = q->objects[n].class;

    if (pki_dialect_resources(view->directories[from].conf, class,
                              q->store.objects[at].resources)
        == 0)
    {
        return;
    }

    q->store.objects[at].directory = view->directories[from].name;
    q->store.objects[at].id = q->objects[n].id;
    q->store.objects[at].max_age = view->directories[from].max_age;
    q->store.objects[at].last = view->directories[from].last;
    q->store.objects[at].group = class == PKI_OBJECT_DEVICE ? n + 1 : 0;
    q->from[at] = from;
    q->classes[at] = class;
    q->others[at][0] = '\0';

    q->store.nobjects++;
}


void
pki_question_copy(pki_question_t *to, const pki_question_t *from)
{
    unsigned   i;
    ptrdiff_t  offset;

    *to = *from;

    for (i = 0; i < from->store.nobjects; i++) {
        offset = from->store.objects[i].id - (const char *) from;
        to->store.objects[i].id = (const char *) to + offset;
    }
}


/* the strings of what was found are gone soon, those of the question stay */

void
pki_question_facts(const pki_view_t *view, const pki_question_t *q,
    const pki_store_found_t *found, pki_facts_t *facts)
{
    unsigned  i;

    *facts = found->facts;

    facts->own = q->own;

    /* what the issuer would not have made is not believed by itself */

    facts->bound = q->issued;

    for (i = 0; i < facts->nobjects; i++) {
        facts->objects[i].directory = q->store.objects[i].directory;
        facts->objects[i].id = q->store.objects[i].id;

        /* nobody would end a state that is no longer asked for */

        facts->objects[i].state &=
                    ~pki_dialect_unwanted(view->directories[q->from[i]].conf,
                                          q->classes[i]);
    }
}


/*
 * Lists of entries as they grow, and the room that a job has for text.
 */

#include "pki_clerk_job.h"

#include <string.h>
#include <openssl/crypto.h>


#define PKI_CLERK_GROW  1024        /* entries, to begin with */


int
pki_clerk_list_compare(const pki_serial_t *a, const pki_serial_t *b)
{
    if (a->len != b->len) {
        return a->len < b->len ? -1 : 1;
    }

    return memcmp(a->data, b->data, a->len);
}


pki_rc_t
pki_clerk_list_add(pki_clerk_job_t *job, pki_clerk_list_t *list,
    const pki_crl_entry_t *entry)
{
    if (list->n == list->size
        && pki_clerk_list_room(job, list, list->n ? 2 * list->n
                                                    : PKI_CLERK_GROW)
           != PKI_OK)
    {
        return PKI_ERROR;
    }

    list->entries[list->n++] = *entry;

    return PKI_OK;
}


const pki_crl_entry_t *
pki_clerk_list_find(const pki_clerk_list_t *list, const pki_serial_t *serial)
{
    int     order;
    size_t  low, high, middle;

    low = 0;
    high = list->n;

    while (low < high) {
        middle = low + (high - low) / 2;
        order = pki_clerk_list_compare(serial, &list->entries[middle].serial);

        if (order == 0) {
            return &list->entries[middle];
        }

        if (order < 0) {
            high = middle;

        } else {
            low = middle + 1;
        }
    }

    return NULL;
}


pki_rc_t
pki_clerk_list_copy(pki_clerk_job_t *job, pki_clerk_list_t *to,
    const pki_clerk_list_t *from)
{
    if (pki_clerk_list_room(job, to, from->n) != PKI_OK) {
        return PKI_ERROR;
    }

    if (from->n) {
        memcpy(to->entries, from->entries,
               from->n * sizeof(pki_crl_entry_t));
    }

    to->n = from->n;

    return PKI_OK;
}


pki_rc_t
pki_clerk_list_room(pki_clerk_job_t *job, pki_clerk_list_t *list, size_t n)
{
    pki_crl_entry_t  *entries;

    if (n <= list->size) {
        return PKI_OK;
    }

    entries = OPENSSL_realloc(list->entries, n * sizeof(pki_crl_entry_t));
    if (entries == NULL) {
        pki_err_set(&job->err, "out of memory");
        return PKI_ERROR;
    }

    list->entries = entries;
    list->size = n;

    return PKI_OK;
}


pki_rc_t
pki_clerk_text_room(pki_clerk_job_t *job, size_t size)
{
    unsigned char  *text;

    if (size <= job->size) {
        return PKI_OK;
    }

    text = OPENSSL_realloc(job->text, size);
    if (text == NULL) {
        pki_err_set(&job->err, "out of memory");
        return PKI_ERROR;
    }

    job->text = text;
    job->size = size;

    return PKI_OK;
}

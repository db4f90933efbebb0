
/*
 * The answers of the store, kept until the poller's thread has time to read
 * them: one callback for each type of verb, which copies what it is told.
 *
 * An answer is filled inside pki_source_wait() and read after it, so that
 * whoever asks the store reads from top to bottom.  A second answer into the
 * same struct replaces the first one.
 */

#include "pki_source.h"

#include <string.h>
#include <openssl/crypto.h>


static void pki_answer_set(pki_answer_t *answer, pki_store_result_t result,
    const char *error);
static void pki_answer_items(pki_answer_t *answer,
    const pki_state_item_t *items, size_t n);


void
pki_answer_init(pki_answer_t *answer)
{
    memset(answer, 0, sizeof(pki_answer_t));

    answer->result = PKI_STORE_FAILED;
    pki_err_set(&answer->err, "the store gave no answer");
}


void
pki_answer_free(pki_answer_t *answer)
{
    OPENSSL_free(answer->strings);
    OPENSSL_free(answer->items);
    pki_answer_init(answer);
}


static void
pki_answer_set(pki_answer_t *answer, pki_store_result_t result,
    const char *error)
{
    pki_answer_free(answer);

    answer->result = result;
    pki_err_set(&answer->err, "%s", error ? error : "");
}


void
pki_answer_done(void *data, pki_store_result_t result, long long n,
    const char *error)
{
    pki_answer_t  *answer = data;

    pki_answer_set(answer, result, error);
    answer->n = n;
}


void
pki_answer_applied(void *data, pki_store_result_t result,
    const pki_state_applied_t *applied, const char *error)
{
    pki_answer_t  *answer = data;

    pki_answer_set(answer, result, error);

    if (applied != NULL) {
        answer->applied = *applied;
    }
}


void
pki_answer_sync(void *data, pki_store_result_t result,
    const pki_state_sync_t *sync, const char *error)
{
    pki_answer_t  *answer = data;

    pki_answer_set(answer, result, error);

    if (sync == NULL) {
        return;
    }

    answer->sync = *sync;

    if (sync->link == NULL) {
        return;
    }

    answer->strings = OPENSSL_strdup(sync->link);
    if (answer->strings == NULL) {
        pki_answer_set(answer, PKI_STORE_FAILED, "out of memory");
        return;
    }

    answer->sync.link = answer->strings;
}


void
pki_answer_list(void *data, pki_store_result_t result,
    const pki_state_item_t *items, size_t n, unsigned long long next,
    const char *error)
{
    pki_answer_t  *answer = data;

    pki_answer_set(answer, result, error);
    answer->next = next;

    if (items != NULL && n != 0) {
        pki_answer_items(answer, items, n);
    }
}


static void
pki_answer_items(pki_answer_t *answer, const pki_state_item_t *items,
    size_t n)
{
    char    *p;
    size_t   i, len, size;

    size = 0;

    for (i = 0; i < n; i++) {
        size += strlen(items[i].name) + 1;
        size += items[i].value ? strlen(items[i].value) + 1 : 0;
    }

    answer->strings = OPENSSL_malloc(size);
    answer->items = OPENSSL_malloc(n * sizeof(pki_state_item_t));

    if (answer->strings == NULL || answer->items == NULL) {
        pki_answer_set(answer, PKI_STORE_FAILED, "out of memory");
        return;
    }

    p = answer->strings;

    for (i = 0; i < n; i++) {
        len = strlen(items[i].name) + 1;
        answer->items[i].name = memcpy(p, items[i].name, len);
        answer->items[i].value = NULL;
        p += len;

        if (items[i].value != NULL) {
            len = strlen(items[i].value) + 1;
            answer->items[i].value = memcpy(p, items[i].value, len);
            p += len;
        }
    }

    answer->nitems = n;
}


void
pki_answer_changed(void *data, pki_store_result_t result,
    const pki_revocation_t *present, const char *error)
{
    (void) present;

    pki_answer_set(data, result, error);
}


pki_rc_t
pki_answer_wait(pki_source_t *source, pki_answer_t *answer)
{
    if (pki_source_wait(source) != PKI_OK) {
        pki_answer_set(answer, PKI_STORE_FAILED, "the store is not there");
        return PKI_ERROR;
    }

    if (answer->result == PKI_STORE_FAILED) {
        return PKI_ERROR;
    }

    if (answer->result == PKI_STORE_CONFLICT) {
        pki_source_lost(source);
        return PKI_INVALID;
    }

    return PKI_OK;
}

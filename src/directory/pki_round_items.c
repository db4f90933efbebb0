
/*
 * The items of a reply: kept while it arrives, applied when it was whole.
 *
 * The strings of an item are gone when its callback returns, so they are
 * copied into blocks that belong to the reply.  What Redis would refuse is
 * refused here, item by item, so that one that is malformed does not stand
 * in the way of all others.
 */

#include "pki_round.h"
#include "pki_record.h"

#include <string.h>
#include <openssl/crypto.h>


#define PKI_ITEMS_FIRST  256        /* room to begin with */
#define PKI_ROUND_CHUNK  16         /* objects told at once: more would be
                                       quicker, but OCSP clients would wait
                                       for Redis, or for its processor */


struct pki_items_block_s {
    pki_items_block_t   *next;
    size_t               used;
    size_t               size;
    char                 data[];
};


static pki_rc_t pki_items_check(const pki_item_t *item);
static pki_rc_t pki_items_room(pki_items_t *items);
static int pki_items_copy(pki_items_t *items, const char **text);

static pki_rc_t pki_round_resolve(pki_machine_t *m, pki_item_t *items,
    size_t n);
static pki_item_t *pki_round_known(pki_item_t *items, size_t n,
    const char *key);
static pki_rc_t pki_round_lines(pki_machine_t *m, const pki_item_t *items,
    size_t n);
static pki_rc_t pki_round_chunk(pki_machine_t *m, const pki_item_t *items,
    size_t n);
static void pki_round_take(pki_item_t *item, const char *id);


pki_rc_t
pki_items_add(pki_items_t *items, const pki_item_t *item)
{
    size_t       i;
    pki_rc_t     rc;
    pki_item_t  *copy;

    rc = pki_items_check(item);

    if (rc != PKI_OK) {
        return rc;
    }

    if (pki_items_room(items) != PKI_OK) {
        return PKI_ERROR;
    }

    copy = &items->items[items->n];
    *copy = *item;

    copy->object.state &= copy->object.mask;
    copy->result = PKI_STORE_NOT_FOUND;

    if (copy->object.name != NULL
        && !pki_record_text_valid(copy->object.name, PKI_STATE_NAME_MAX, 1))
    {
        copy->object.name = NULL;
    }

    if (!pki_items_copy(items, &copy->object.id)
        || !pki_items_copy(items, &copy->object.key)
        || !pki_items_copy(items, &copy->object.alias)
        || !pki_items_copy(items, &copy->object.owner)
        || !pki_items_copy(items, &copy->object.name)
        || !pki_items_copy(items, &copy->serial)
        || !pki_items_copy(items, &copy->issuer)
        || !pki_items_copy(items, &copy->context)
        || !pki_items_copy(items, &copy->line.serial))
    {
        return PKI_ERROR;
    }

    for (i = 0; i < PKI_ISSUED_N; i++) {
        if (!pki_items_copy(items, &copy->line.fields[i])) {
            return PKI_ERROR;
        }
    }

    items->n++;

    return PKI_OK;
}


/*
 * A name that cannot be is left out; all else makes the item unreadable.
 * With a context alone it is the dialect's own: it is kept, and not applied.
 */

static pki_rc_t
pki_items_check(const pki_item_t *item)
{
    const pki_state_object_t  *object;

    if (item->serial != NULL) {
        return item->serial[0] ? PKI_OK : PKI_INVALID;
    }

    object = &item->object;

    if (object->id == NULL && object->key == NULL) {
        return item->context || item->line.serial ? PKI_OK : PKI_INVALID;
    }

    if (object->id != NULL
        && !pki_record_text_valid(object->id, PKI_OBJECT_ID_SIZE - 1, 0))
    {
        return PKI_INVALID;
    }

    if (object->key != NULL
        && !pki_record_text_valid(object->key, PKI_STATE_KEY_MAX, 0))
    {
        return PKI_INVALID;
    }

    if (object->alias != NULL && object->alias[0]
        && !pki_record_text_valid(object->alias, PKI_OBJECT_ID_SIZE - 1, 0))
    {
        return PKI_INVALID;
    }

    if (object->owner != NULL && object->owner[0]
        && !pki_record_text_valid(object->owner, PKI_OBJECT_ID_SIZE - 1, 0))
    {
        return PKI_INVALID;
    }

    return pki_record_time_valid(object->since)
           && pki_record_time_valid(object->recheck) ? PKI_OK : PKI_INVALID;
}


static pki_rc_t
pki_items_room(pki_items_t *items)
{
    size_t       size;
    pki_item_t  *more;

    if (items->n < items->size) {
        return PKI_OK;
    }

    if (items->n >= PKI_PAGE_ITEMS_MAX) {
        return PKI_ERROR;
    }

    size = items->size ? 2 * items->size : PKI_ITEMS_FIRST;

    more = OPENSSL_realloc(items->items, size * sizeof(pki_item_t));
    if (more == NULL) {
        return PKI_ERROR;
    }

    items->items = more;
    items->size = size;

    return PKI_OK;
}


static int
pki_items_copy(pki_items_t *items, const char **text)
{
    size_t              len, size;
    pki_items_block_t  *block;

    if (*text == NULL) {
        return 1;
    }

    len = strlen(*text) + 1;
    block = items->blocks;

    if (block == NULL || block->size - block->used < len) {
        size = len > PKI_ROUND_BLOCK ? len : PKI_ROUND_BLOCK;

        block = OPENSSL_malloc(sizeof(pki_items_block_t) + size);
        if (block == NULL) {
            return 0;
        }

        block->used = 0;
        block->size = size;
        block->next = items->blocks;
        items->blocks = block;
    }

    *text = memcpy(block->data + block->used, *text, len);
    block->used += len;

    return 1;
}


void
pki_items_free(pki_items_t *items)
{
    pki_items_block_t  *block;

    while (items->blocks) {
        block = items->blocks;
        items->blocks = block->next;
        OPENSSL_free(block);
    }

    OPENSSL_free(items->items);
    memset(items, 0, sizeof(pki_items_t));
}


/*
 * A chunk, each resolved after the one before has been applied: an object
 * may be told with its id and, later in the same reply, by its key only.
 */

pki_rc_t
pki_round_apply(pki_machine_t *m)
{
    size_t       n;
    pki_rc_t     rc;
    pki_item_t  *items;

    items = m->items.items + m->applied;

    n = m->items.n - m->applied;
    n = n < PKI_ROUND_CHUNK ? n : PKI_ROUND_CHUNK;

    rc = n ? pki_round_resolve(m, items, n) : PKI_OK;

    if (rc == PKI_OK) {
        rc = pki_round_chunk(m, items, n);
    }

    if (rc == PKI_OK) {
        rc = pki_round_revoke(m, items, n);
    }

    if (rc == PKI_OK) {
        rc = pki_round_lines(m, items, n);
    }

    if (rc != PKI_OK) {
        return rc;
    }

    m->applied += n;

    if (m->applied < m->items.n) {
        return PKI_NOT_FOUND;
    }

    m->unreadable += (long long) m->items.unreadable;

    return PKI_OK;
}


static pki_rc_t
pki_round_resolve(pki_machine_t *m, pki_item_t *items, size_t n)
{
    size_t         i, j, nkeys;
    pki_rc_t       rc;
    const char    *keys[PKI_STATE_APPLY_MAX];
    pki_item_t    *known;
    pki_answer_t   answer;
    pki_source_t  *source;

    source = m->source;
    nkeys = 0;

    for (i = 0; i < n; i++) {
        if (items[i].serial != NULL || items[i].object.id != NULL
            || items[i].object.key == NULL)
        {
            continue;
        }

        known = pki_round_known(items, i, items[i].object.key);

        if (known != NULL && known->object.id != NULL) {
            pki_round_take(&items[i], known->object.id);

        } else if (known == NULL) {
            keys[nkeys++] = items[i].object.key;
        }
    }

    if (nkeys == 0) {
        return PKI_OK;
    }

    pki_answer_init(&answer);

    pki_state_ids(source->redis, source->conf->name, m->round.resource->name,
                  keys, nkeys, pki_answer_list, &answer);

    rc = pki_answer_wait(source, &answer);

    for (i = 0; rc == PKI_OK && i < n; i++) {
        for (j = 0; j < answer.nitems; j++) {

            if (items[i].serial == NULL && items[i].object.id == NULL
                && items[i].object.key != NULL
                && strcmp(items[i].object.key, answer.items[j].name) == 0)
            {
                pki_round_take(&items[i], answer.items[j].value);
            }
        }
    }

    if (rc != PKI_OK) {
        pki_err_set(&m->err, "the store: %s", answer.err.text);
    }

    pki_answer_free(&answer);

    return rc;
}


/* The last of the items before that has this key. */

static pki_item_t *
pki_round_known(pki_item_t *items, size_t n, const char *key)
{
    const char  *other;

    while (n--) {
        if (items[n].serial != NULL) {
            continue;
        }

        other = items[n].object.key ? items[n].object.key
                                    : items[n].object.id;

        if (other != NULL && strcmp(other, key) == 0) {
            return &items[n];
        }
    }

    return NULL;
}


static void
pki_round_take(pki_item_t *item, const char *id)
{
    if (strlen(id) < PKI_OBJECT_ID_SIZE) {
        strcpy(item->id, id);
        item->object.id = item->id;
    }
}


static pki_rc_t
pki_round_chunk(pki_machine_t *m, const pki_item_t *items, size_t n)
{
    size_t              i, nobjects, unclear;
    pki_rc_t            rc;
    pki_answer_t        answer;
    pki_source_t       *source;
    pki_state_batch_t   batch;
    pki_state_object_t  objects[PKI_STATE_APPLY_MAX];

    nobjects = 0;
    unclear = 0;

    for (i = 0; i < n; i++) {
        if (items[i].serial == NULL && items[i].object.id != NULL) {
            objects[nobjects++] = items[i].object;
            unclear += (items[i].object.state & PKI_OBJECT_UNCLEAR) != 0;
        }
    }

    if (nobjects == 0) {
        return PKI_OK;
    }

    source = m->source;

    pki_round_batch(m, &batch);
    batch.stage = 1;
    batch.first = m->full_at == 0;

    pki_answer_init(&answer);

    pki_state_apply(source->redis, &batch, objects, nobjects,
                    pki_answer_applied, &answer);

    rc = pki_answer_wait(source, &answer);

    if (rc == PKI_OK) {
        m->objects += (long long) nobjects;
        m->stats.changes += answer.applied.changed;
        m->stats.unclear += (long long) unclear;

    } else {
        pki_err_set(&m->err, "the store: %s", answer.err.text);
    }

    pki_answer_free(&answer);

    return rc;
}


static pki_rc_t
pki_round_lines(pki_machine_t *m, const pki_item_t *items, size_t n)
{
    size_t         i, nlines;
    pki_rc_t       rc;
    pki_answer_t   answer;
    pki_issued_t   lines[PKI_ISSUED_MAX];
    pki_source_t  *source;

    nlines = 0;

    for (i = 0; i < n; i++) {
        if (items[i].line.serial != NULL) {
            lines[nlines++] = items[i].line;
        }
    }

    if (nlines == 0) {
        return PKI_OK;
    }

    source = m->source;

    pki_answer_init(&answer);

    pki_issued_put(source->redis, source->conf->name, source->token,
                   m->number, lines, nlines, pki_answer_done, &answer);

    rc = pki_answer_wait(source, &answer);

    if (rc != PKI_OK) {
        pki_err_set(&m->err, "the store: %s", answer.err.text);
    }

    pki_answer_free(&answer);

    return rc;
}


/*
 * Nothing that was deleted for good comes back, unless the directory can
 * restore it.
 */

void
pki_round_batch(const pki_machine_t *m, pki_state_batch_t *batch)
{
    const pki_directory_conf_t  *conf;

    conf = m->source->conf;

    memset(batch, 0, sizeof(pki_state_batch_t));

    batch->directory = conf->name;
    batch->token = m->source->token;
    batch->resource = m->round.resource->name;
    batch->round = m->number;
    batch->sticky = conf->restore ? 0 : PKI_OBJECT_DELETED;
    batch->settle = conf->settle;

    if (conf->settle > 0 && m->round.now > conf->settle) {
        batch->settled = m->round.now - conf->settle;
    }
}

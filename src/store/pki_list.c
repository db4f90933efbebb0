
/*
 * The verbs of published lists.
 *
 * A list goes to Redis beside the script that names it, not through it: the
 * script only looks whether it is there, so that five megabytes do not pass
 * through Lua.
 */

#include "pki_cell.h"
#include "pki_list.h"
#include "pki_list_script.h"
#include "pki_record.h"

#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>


#define PKI_LIST_KEY_SIZE    (PKI_NAME_MAX + 48)
#define PKI_LIST_TEXT        24         /* a number and its zero octet */
#define PKI_LIST_TOKEN_MAX   256
#define PKI_LIST_NUMBER_MAX  9007199254740991LL     /* what Lua can count */
#define PKI_LIST_SIZE_MAX    (128 * 1024 * 1024)    /* two million entries */
#define PKI_LIST_KEEP        3600       /* seconds after nextUpdate: a list is
                                           served no longer, but may be a
                                           base */
#define PKI_LIST_LEAVE       120        /* seconds that one which is not the
                                           newest stays for those who are
                                           loading it */
#define PKI_LIST_RECORD      192        /* "1", five numbers, SHA-256 */
#define PKI_LIST_FIELDS      7          /* of it */


typedef struct {
    pki_cell_t         cell;
    const char        *error;           /* of the list itself */
    pki_err_t          err;
} pki_list_publish_t;


/* the arguments of a publication, as text */

typedef struct {
    const char        *token;
    char               key[PKI_LIST_KEY_SIZE];
    char               number[PKI_LIST_TEXT];
    char               base[PKI_LIST_TEXT];
    char               len[PKI_LIST_TEXT];
    char               ttl[PKI_LIST_TEXT];
    char               record[PKI_LIST_RECORD];
} pki_list_texts_t;


static void pki_list_command(pki_redis_t *redis, const char *issuer,
    const char *token, const char *script, const char *nkeys,
    const char *last, pki_store_done_pt done, void *data);
static void pki_list_name(pki_redis_t *redis, const char *issuer,
    pki_list_e which, const pki_list_texts_t *texts,
    pki_list_publish_t *publish);
static const char *pki_list_check(const char *issuer, const char *token);
static const char *pki_list_info_check(const pki_list_info_t *info,
    pki_list_e which, pki_bytes_t der);
static void pki_list_key(char *key, const char *issuer, const char *name,
    const char *number);
static int pki_list_record(char *text, const pki_list_info_t *info,
    pki_bytes_t der);
static pki_rc_t pki_list_read(pki_bytes_t text, pki_list_info_t *info);
static pki_rc_t pki_list_read_number(pki_bytes_t *text, long long max,
    long long *n);

static void pki_list_info_reply(void *data, const redisReply *reply);
static void pki_list_info_fail(pki_cell_call_pt call, void *data,
    const char *error);
static void pki_list_slice_reply(void *data, const redisReply *reply);
static const char *pki_list_slice_read(const redisReply *list,
    pki_bytes_t *value, unsigned long long *next, pki_err_t *err);
static void pki_list_stored_reply(void *data, const redisReply *reply);
static void pki_list_published_reply(void *data, const redisReply *reply);


static const struct {
    const char  *field;
    const char  *key;                   /* before the number */
} pki_list_kinds[PKI_LIST_N] = {
    { "full", "crl:" },
    { "delta", "delta:" }
};


size_t
pki_owner_list(char *owner, const char *issuer)
{
    int  len;

    len = snprintf(owner, PKI_OWNER_SIZE, "crl:%s", issuer);

    return len < 0 || len >= PKI_OWNER_SIZE ? 0 : (size_t) len;
}


void
pki_list_info(pki_redis_t *redis, const char *issuer, pki_list_info_pt info,
    void *data)
{
    char             key[PKI_LIST_KEY_SIZE];
    unsigned         i;
    pki_cell_t      *cell;
    pki_cell_args_t  args;

    cell = pki_cell_begin_other(redis, pki_list_info_fail,
                                (pki_cell_call_pt) info, data,
                                pki_list_check(issuer, NULL),
                                sizeof(pki_cell_t));
    if (cell == NULL) {
        return;
    }

    pki_list_key(key, issuer, "crl", "");

    args.argc = 0;
    pki_cell_arg(&args, "HMGET");
    pki_cell_arg(&args, key);

    for (i = 0; i < PKI_LIST_N; i++) {
        pki_cell_arg(&args, pki_list_kinds[i].field);
    }

    pki_cell_send(redis, &args, pki_list_info_reply, cell);
}


void
pki_list_slice(pki_redis_t *redis, const char *issuer, pki_list_e which,
    unsigned long long number, size_t from, pki_book_values_pt values,
    void *data)
{
    char             key[PKI_LIST_KEY_SIZE], text[PKI_LIST_TEXT];
    char             first[PKI_LIST_TEXT], last[PKI_LIST_TEXT];
    const char      *refused;
    pki_cell_t      *cell;
    pki_cell_args_t  args;

    refused = pki_list_check(issuer, NULL);

    if (refused == NULL
        && (number > PKI_LIST_NUMBER_MAX || from > PKI_LIST_SIZE_MAX))
    {
        refused = "a list with a number or a size that cannot be";
    }

    cell = pki_cell_begin(redis, PKI_CELL_VALUES, (pki_cell_call_pt) values,
                          data, refused, sizeof(pki_cell_t));
    if (cell == NULL) {
        return;
    }

    (void) snprintf(text, sizeof(text), "%llu", number);
    pki_list_key(key, issuer, pki_list_kinds[which].key, text);
    (void) snprintf(first, sizeof(first), "%zu", from);
    (void) snprintf(last, sizeof(last), "%zu", from + PKI_BOOK_SLICE - 1);

    args.argc = 0;
    pki_cell_arg(&args, "EVAL");
    pki_cell_arg(&args, pki_list_lua_slice);
    pki_cell_arg(&args, "1");
    pki_cell_arg(&args, key);
    pki_cell_arg(&args, first);
    pki_cell_arg(&args, last);

    pki_cell_send(redis, &args, pki_list_slice_reply, cell);
}


void
pki_list_lease(pki_redis_t *redis, const char *issuer, const char *token,
    long ttl, pki_store_done_pt done, void *data)
{
    char  text[PKI_LIST_TEXT];

    (void) snprintf(text, sizeof(text), "%ld", ttl);

    pki_list_command(redis, issuer, token, pki_list_lua_lease, "1",
                     ttl > 0 ? text : NULL, done, data);
}


void
pki_list_unlease(pki_redis_t *redis, const char *issuer, const char *token,
    pki_store_done_pt done, void *data)
{
    pki_list_command(redis, issuer, token, pki_list_lua_unlease, "1", "",
                     done, data);
}


void
pki_list_number(pki_redis_t *redis, const char *issuer, const char *token,
    pki_store_done_pt done, void *data)
{
    pki_list_command(redis, issuer, token, pki_list_lua_number, "2", "",
                     done, data);
}


/* KEYS: lease and crl, or the first alone; ARGV: token, last */

static void
pki_list_command(pki_redis_t *redis, const char *issuer, const char *token,
    const char *script, const char *nkeys, const char *last,
    pki_store_done_pt done, void *data)
{
    char             lease[PKI_LIST_KEY_SIZE], crl[PKI_LIST_KEY_SIZE];
    const char      *refused;
    pki_cell_t      *cell;
    pki_cell_args_t  args;

    refused = pki_list_check(issuer, token);

    if (refused == NULL && last == NULL) {
        refused = "a lease for a time that cannot be";
    }

    cell = pki_cell_begin(redis, PKI_CELL_DONE, (pki_cell_call_pt) done, data,
                          refused, sizeof(pki_cell_t));
    if (cell == NULL) {
        return;
    }

    pki_list_key(lease, issuer, "crl-lease", "");
    pki_list_key(crl, issuer, "crl", "");

    args.argc = 0;
    pki_cell_arg(&args, "EVAL");
    pki_cell_arg(&args, script);
    pki_cell_arg(&args, nkeys);
    pki_cell_arg(&args, lease);

    if (nkeys[0] == '2') {
        pki_cell_arg(&args, crl);
    }

    pki_cell_arg(&args, token);
    pki_cell_arg(&args, last);

    pki_cell_send(redis, &args, pki_cell_done, cell);
}


void
pki_list_publish(pki_redis_t *redis, const char *issuer, const char *token,
    pki_list_e which, const pki_list_info_t *info, pki_bytes_t der,
    pki_store_done_pt done, void *data)
{
    const char          *refused;
    pki_cell_args_t      args;
    pki_list_texts_t     texts;
    pki_list_publish_t  *publish;

    refused = pki_list_check(issuer, token);

    if (refused == NULL) {
        refused = pki_list_info_check(info, which, der);
    }

    if (refused == NULL && !pki_list_record(texts.record, info, der)) {
        refused = "a list that could not be hashed";
    }

    publish = pki_cell_begin(redis, PKI_CELL_DONE, (pki_cell_call_pt) done,
                             data, refused, sizeof(pki_list_publish_t));
    if (publish == NULL) {
        return;
    }

    texts.token = token;
    (void) snprintf(texts.number, PKI_LIST_TEXT, "%llu", info->number);
    (void) snprintf(texts.base, PKI_LIST_TEXT, "%llu", info->base);
    (void) snprintf(texts.len, PKI_LIST_TEXT, "%zu", der.len);
    (void) snprintf(texts.ttl, PKI_LIST_TEXT, "%lld",
                    (long long) (info->next_update - info->this_update)
                    + PKI_LIST_KEEP);
    pki_list_key(texts.key, issuer, pki_list_kinds[which].key, texts.number);

    args.argc = 0;
    pki_cell_arg(&args, "SET");
    pki_cell_arg(&args, texts.key);
    args.argv[args.argc] = (const char *) der.data;
    args.len[args.argc++] = der.len;
    pki_cell_arg(&args, "EX");
    pki_cell_arg(&args, texts.ttl);
    pki_cell_send(redis, &args, pki_list_stored_reply, publish);

    pki_list_name(redis, issuer, which, &texts, publish);
}


/* What says that the list is the newest, if it is there. */

static void
pki_list_name(pki_redis_t *redis, const char *issuer, pki_list_e which,
    const pki_list_texts_t *texts, pki_list_publish_t *publish)
{
    char             lease[PKI_LIST_KEY_SIZE], crl[PKI_LIST_KEY_SIZE];
    char             fulls[PKI_LIST_KEY_SIZE], deltas[PKI_LIST_KEY_SIZE];
    char             leave[PKI_LIST_TEXT], owner[PKI_OWNER_SIZE];
    pki_cell_args_t  args;

    pki_list_key(lease, issuer, "crl-lease", "");
    pki_list_key(crl, issuer, "crl", "");
    pki_list_key(fulls, issuer, pki_list_kinds[PKI_LIST_FULL].key, "");
    pki_list_key(deltas, issuer, pki_list_kinds[PKI_LIST_DELTA].key, "");

    (void) pki_owner_list(owner, issuer);
    (void) snprintf(leave, sizeof(leave), "%d", PKI_LIST_LEAVE);

    args.argc = 0;
    pki_cell_arg(&args, "EVAL");
    pki_cell_arg(&args, pki_list_lua_publish);
    pki_cell_arg(&args, "5");
    pki_cell_arg(&args, lease);
    pki_cell_arg(&args, crl);
    pki_cell_arg(&args, texts->key);
    pki_cell_arg(&args, fulls);
    pki_cell_arg(&args, deltas);
    pki_cell_arg(&args, texts->token);
    pki_cell_arg(&args, pki_list_kinds[which].field);
    pki_cell_arg(&args, texts->number);
    pki_cell_arg(&args, texts->base);
    pki_cell_arg(&args, texts->record);
    pki_cell_arg(&args, texts->len);
    pki_cell_arg(&args, owner);
    pki_cell_arg(&args, leave);
    pki_cell_send(redis, &args, pki_list_published_reply, publish);
}


static const char *
pki_list_check(const char *issuer, const char *token)
{
    if (!pki_name_valid(issuer, strlen(issuer))) {
        return "an issuer that cannot be";
    }

    if (token != NULL && !pki_record_text_valid(token, PKI_LIST_TOKEN_MAX, 1))
    {
        return "a token that cannot be";
    }

    return NULL;
}


static const char *
pki_list_info_check(const pki_list_info_t *info, pki_list_e which,
    pki_bytes_t der)
{
    if (info->number == 0 || info->number > PKI_LIST_NUMBER_MAX
        || (which == PKI_LIST_FULL ? info->base != 0
            : info->base == 0 || info->base > info->number)
        || !pki_record_time_valid(info->this_update)
        || !pki_record_time_valid(info->next_update)
        || info->next_update <= info->this_update
        || der.len == 0 || der.len > PKI_LIST_SIZE_MAX)
    {
        return "a list with a number, a time or a size that cannot be";
    }

    return NULL;
}


static void
pki_list_key(char *key, const char *issuer, const char *name,
    const char *number)
{
    (void) snprintf(key, PKI_LIST_KEY_SIZE, "pki:{%s}:%s%s", issuer, name,
                    number);
}


/* version, number, base, thisUpdate, nextUpdate, length, etag */

static int
pki_list_record(char *text, const pki_list_info_t *info, pki_bytes_t der)
{
    int            n;
    unsigned       i;
    unsigned char  hash[SHA256_DIGEST_LENGTH];

    if (EVP_Digest(der.data, der.len, hash, NULL, EVP_sha256(), NULL) != 1) {
        return 0;
    }

    n = snprintf(text, PKI_LIST_RECORD, "1 %llu %llu %lld %lld %zu ",
                 info->number, info->base, (long long) info->this_update,
                 (long long) info->next_update, der.len);

    for (i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        n += snprintf(text + n, PKI_LIST_RECORD - n, "%02x", hash[i]);
    }

    return 1;
}


static pki_rc_t
pki_list_read(pki_bytes_t text, pki_list_info_t *info)
{
    size_t     i;
    long long  n[PKI_LIST_FIELDS - 1];

    static const long long  max[PKI_LIST_FIELDS - 1] = {
        1, PKI_LIST_NUMBER_MAX, PKI_LIST_NUMBER_MAX, PKI_RECORD_TIME_MAX,
        PKI_RECORD_TIME_MAX, PKI_LIST_SIZE_MAX
    };

    for (i = 0; i < PKI_LIST_FIELDS - 1; i++) {
        if (pki_list_read_number(&text, max[i], &n[i]) != PKI_OK) {
            return PKI_INVALID;
        }
    }

    if (n[0] != 1 || n[1] == 0 || n[5] == 0
        || text.len != sizeof(info->etag) - 1)
    {
        return PKI_INVALID;
    }

    for (i = 0; i < text.len; i++) {
        if ((text.data[i] < '0' || text.data[i] > '9')
            && (text.data[i] < 'a' || text.data[i] > 'f'))
        {
            return PKI_INVALID;
        }
    }

    info->number = (unsigned long long) n[1];
    info->base = (unsigned long long) n[2];
    info->this_update = (time_t) n[3];
    info->next_update = (time_t) n[4];
    info->len = (size_t) n[5];
    memcpy(info->etag, text.data, text.len);
    info->etag[text.len] = '\0';

    return PKI_OK;
}


/* A number and the space after it. */

static pki_rc_t
pki_list_read_number(pki_bytes_t *text, long long max, long long *n)
{
    pki_bytes_t           field;
    const unsigned char  *space;

    space = memchr(text->data, ' ', text->len);
    if (space == NULL) {
        return PKI_INVALID;
    }

    field.data = text->data;
    field.len = space - text->data;

    text->data = space + 1;
    text->len -= field.len + 1;

    return pki_record_number(field, max, n);
}


static void
pki_list_info_reply(void *data, const redisReply *reply)
{
    pki_cell_t *cell = data;

    unsigned          i;
    pki_err_t         err;
    const char       *error;
    redisReply       *field;
    pki_bytes_t       text;
    pki_list_info_t   info[PKI_LIST_N];

    memset(info, 0, sizeof(info));

    error = pki_cell_said(reply, REDIS_REPLY_ARRAY, &err);

    if (error == NULL && reply->elements != PKI_LIST_N) {
        error = "unexpected reply of Redis";
    }

    for (i = 0; error == NULL && i < PKI_LIST_N; i++) {
        field = reply->element[i];

        if (field->type == REDIS_REPLY_NIL) {
            continue;
        }

        error = pki_cell_said(field, REDIS_REPLY_STRING, &err);
        if (error != NULL) {
            break;
        }

        text.data = (unsigned char *) field->str;
        text.len = field->len;

        if (pki_list_read(text, &info[i]) != PKI_OK) {
            error = "unreadable list record";
        }
    }

    if (error != NULL) {
        pki_cell_fail(cell, error);

    } else {
        ((pki_list_info_pt) cell->call)(cell->data, PKI_STORE_DONE, info,
                                        NULL);
    }

    OPENSSL_free(cell);
}


static void
pki_list_info_fail(pki_cell_call_pt call, void *data, const char *error)
{
    pki_list_info_t  info[PKI_LIST_N];

    memset(info, 0, sizeof(info));

    ((pki_list_info_pt) call)(data, PKI_STORE_FAILED, info, error);
}


static void
pki_list_slice_reply(void *data, const redisReply *reply)
{
    pki_cell_t *cell = data;

    pki_err_t            err;
    const char          *error;
    pki_bytes_t          value;
    pki_store_result_t   result;
    unsigned long long   next;
    pki_book_values_pt   values;

    next = 0;
    value.len = 0;
    values = (pki_book_values_pt) cell->call;

    error = pki_cell_result(reply, REDIS_REPLY_ARRAY, &result, &err);

    if (error == NULL && result == PKI_STORE_DONE) {
        error = pki_list_slice_read(reply->element[1], &value, &next, &err);
    }

    if (error != NULL) {
        pki_cell_fail(cell, error);

    } else {
        values(cell->data, result, value.len ? &value : NULL,
               value.len ? 1 : 0, next, NULL);
    }

    OPENSSL_free(cell);
}


/* Whoever asks behind the end gets no slice. */

static const char *
pki_list_slice_read(const redisReply *list, pki_bytes_t *value,
    unsigned long long *next, pki_err_t *err)
{
    size_t        i;
    long long     n;
    const char   *error;
    pki_bytes_t   text;

    if (list->elements != 2) {
        return "unexpected reply of Redis";
    }

    for (i = 0; i < 2; i++) {
        error = pki_cell_said(list->element[i], REDIS_REPLY_STRING, err);
        if (error != NULL) {
            return error;
        }
    }

    text.data = (unsigned char *) list->element[0]->str;
    text.len = list->element[0]->len;

    if (pki_record_number(text, PKI_LIST_SIZE_MAX, &n) != PKI_OK
        || list->element[1]->len > PKI_BOOK_SLICE)
    {
        return "unreadable slice of a list";
    }

    *next = (unsigned long long) n;
    value->data = (unsigned char *) list->element[1]->str;
    value->len = list->element[1]->len;

    return NULL;
}


/* The list itself; what is wrong with it is told with the script's reply. */

static void
pki_list_stored_reply(void *data, const redisReply *reply)
{
    pki_list_publish_t *publish = data;

    publish->error = pki_cell_said(reply, REDIS_REPLY_STATUS, &publish->err);
}


static void
pki_list_published_reply(void *data, const redisReply *reply)
{
    pki_list_publish_t *publish = data;

    if (publish->error != NULL && reply != NULL) {
        pki_cell_fail(&publish->cell, publish->error);
        OPENSSL_free(publish);
        return;
    }

    pki_cell_done(publish, reply);
}


/*
 * What is read of the records: pages, lines, serial numbers, in slices that
 * Redis hands out in some 0.1 ms.
 *
 * Replies come in four shapes: one value, a list, a list with the number
 * where to go on, and serial numbers as octets.
 */

#include "pki_book_part.h"
#include "pki_cell.h"
#include "pki_record.h"
#include "pki_book_read_script.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>


#define PKI_BOOK_FROM_MAX  0x3fffffff   /* exact as a number of Lua */
#define PKI_BOOK_SCAN      "128"        /* fields of a slice */


typedef struct {
    pki_cell_t         cell;
    size_t             max;             /* octets of a value */
} pki_book_ask_t;


static pki_book_ask_t *pki_book_ask(pki_redis_t *redis,
    pki_book_values_pt values, void *data, const char *refused, size_t max);
static void pki_book_value_reply(void *data, const redisReply *reply);
static void pki_book_list_reply(void *data, const redisReply *reply);
static void pki_book_next_reply(void *data, const redisReply *reply);
static void pki_book_scan_reply(void *data, const redisReply *reply);
static void pki_book_tell(pki_book_ask_t *ask, const redisReply *list,
    unsigned long long next);
static void pki_book_serial_reply(void *data, const redisReply *reply);
static void pki_book_serials_reply(void *data, const redisReply *reply);
static void pki_book_tell_serials(pki_book_ask_t *ask, pki_bytes_t octets,
    unsigned long long next);
static void pki_book_fail(pki_book_ask_t *ask, const char *error);


void
pki_book_page(pki_redis_t *redis, const char *issuer,
    unsigned long long page, pki_book_values_pt values, void *data)
{
    char             key[PKI_RECORD_KEY_SIZE], number[PKI_BOOK_NUMBER_SIZE];
    pki_book_ask_t  *ask;
    pki_cell_args_t  args;

    ask = pki_book_ask(redis, values, data, pki_book_check(issuer, NULL, 0),
                       PKI_ROW_PAGE + PKI_ROW_MAX);
    if (ask == NULL) {
        return;
    }

    (void) snprintf(number, sizeof(number), "%llu", page);
    pki_record_key(key, issuer, "page:", number);

    args.argc = 0;
    pki_cell_arg(&args, "GET");
    pki_cell_arg(&args, key);

    pki_cell_send(redis, &args, pki_book_value_reply, ask);
}


void
pki_book_certificate(pki_redis_t *redis, const char *issuer,
    const pki_serial_t *serial, pki_book_values_pt values, void *data)
{
    char             key[PKI_RECORD_KEY_SIZE], hex[PKI_SERIAL_HEX_SIZE];
    pki_book_ask_t  *ask;
    pki_cell_args_t  args;

    ask = pki_book_ask(redis, values, data,
                       pki_book_check(issuer, serial, 1), PKI_BOOK_DER_MAX);
    if (ask == NULL) {
        return;
    }

    (void) pki_serial_to_text(serial, hex);
    pki_record_key(key, issuer, "der:", hex);

    args.argc = 0;
    pki_cell_arg(&args, "GET");
    pki_cell_arg(&args, key);

    pki_cell_send(redis, &args, pki_book_value_reply, ask);
}


void
pki_book_rows(pki_redis_t *redis, const char *issuer,
    const pki_serial_t *serials, size_t n, pki_book_values_pt values,
    void *data)
{
    char             cert[PKI_RECORD_KEY_SIZE], page[PKI_RECORD_KEY_SIZE];
    char             hex[PKI_BOOK_SERIALS][PKI_SERIAL_HEX_SIZE];
    size_t           i;
    pki_book_ask_t  *ask;
    pki_cell_args_t  args;

    ask = pki_book_ask(redis, values, data,
                       pki_book_check(issuer, serials, n), PKI_ROW_MAX);
    if (ask == NULL) {
        return;
    }

    pki_record_key(cert, issuer, "cert:", "");
    pki_record_key(page, issuer, "page:", "");

    args.argc = 0;
    pki_cell_arg(&args, "EVAL");
    pki_cell_arg(&args, pki_book_lua_rows);
    pki_cell_arg(&args, "2");
    pki_cell_arg(&args, cert);
    pki_cell_arg(&args, page);

    for (i = 0; i < n; i++) {
        (void) pki_serial_to_text(&serials[i], hex[i]);
        pki_cell_arg(&args, hex[i]);
    }

    pki_cell_send(redis, &args, pki_book_next_reply, ask);
}


void
pki_book_revocations(pki_redis_t *redis, const char *issuer,
    const pki_serial_t *serials, size_t n, pki_book_values_pt values,
    void *data)
{
    char             key[PKI_RECORD_KEY_SIZE];
    char             hex[PKI_BOOK_SERIALS][PKI_SERIAL_HEX_SIZE];
    size_t           i;
    pki_book_ask_t  *ask;
    pki_cell_args_t  args;

    ask = pki_book_ask(redis, values, data,
                       pki_book_check(issuer, serials, n), PKI_RECORD_SIZE);
    if (ask == NULL) {
        return;
    }

    pki_record_key(key, issuer, "revoked", "");

    args.argc = 0;
    pki_cell_arg(&args, "HMGET");
    pki_cell_arg(&args, key);

    for (i = 0; i < n; i++) {
        (void) pki_serial_to_text(&serials[i], hex[i]);
        pki_cell_arg(&args, hex[i]);
    }

    pki_cell_send(redis, &args, pki_book_list_reply, ask);
}


void
pki_book_revoked(pki_redis_t *redis, const char *issuer,
    unsigned long long cursor, pki_book_values_pt values, void *data)
{
    char             key[PKI_RECORD_KEY_SIZE], number[PKI_BOOK_NUMBER_SIZE];
    pki_book_ask_t  *ask;
    pki_cell_args_t  args;

    ask = pki_book_ask(redis, values, data, pki_book_check(issuer, NULL, 0),
                       PKI_RECORD_SIZE);
    if (ask == NULL) {
        return;
    }

    pki_record_key(key, issuer, "revoked", "");
    (void) snprintf(number, sizeof(number), "%llu", cursor);

    args.argc = 0;
    pki_cell_arg(&args, "HSCAN");
    pki_cell_arg(&args, key);
    pki_cell_arg(&args, number);
    pki_cell_arg(&args, "COUNT");
    pki_cell_arg(&args, PKI_BOOK_SCAN);

    pki_cell_send(redis, &args, pki_book_scan_reply, ask);
}


void
pki_book_thumbprint(pki_redis_t *redis, const char *issuer,
    const char *thumbprint, pki_book_values_pt values, void *data)
{
    char             key[PKI_RECORD_KEY_SIZE];
    const char      *refused;
    pki_bytes_t      bytes;
    unsigned char    sha1[PKI_BOOK_SHA1];
    pki_book_ask_t  *ask;
    pki_cell_args_t  args;

    refused = pki_book_check(issuer, NULL, 0);

    if (refused == NULL
        && pki_book_sha1(thumbprint, strlen(thumbprint), sha1) != PKI_OK)
    {
        refused = "a thumbprint that cannot be";
    }

    ask = pki_book_ask(redis, values, data, refused, PKI_SERIAL_LEN);
    if (ask == NULL) {
        return;
    }

    pki_record_key(key, issuer, "thumb", "");
    bytes.data = sha1;
    bytes.len = PKI_BOOK_SHA1;

    args.argc = 0;
    pki_cell_arg(&args, "HGET");
    pki_cell_arg(&args, key);
    pki_cell_arg_bytes(&args, bytes);

    pki_cell_send(redis, &args, pki_book_serial_reply, ask);
}


void
pki_book_object(pki_redis_t *redis, const char *issuer, const char *id,
    unsigned long long from, pki_book_values_pt values, void *data)
{
    char             key[PKI_RECORD_KEY_SIZE], number[PKI_BOOK_NUMBER_SIZE];
    const char      *refused;
    pki_book_ask_t  *ask;
    pki_cell_args_t  args;

    refused = pki_book_check(issuer, NULL, 0);

    if (refused == NULL
        && (!pki_record_text_valid(id, PKI_OBJECT_ID_SIZE - 1, 0)
            || from > PKI_BOOK_FROM_MAX))
    {
        refused = "an object that cannot be";
    }

    ask = pki_book_ask(redis, values, data, refused,
                       PKI_BOOK_SERIALS * PKI_SERIAL_LEN);
    if (ask == NULL) {
        return;
    }

    pki_record_key(key, issuer, "bound", "");
    (void) snprintf(number, sizeof(number), "%llu", from);

    args.argc = 0;
    pki_cell_arg(&args, "EVAL");
    pki_cell_arg(&args, pki_book_lua_object);
    pki_cell_arg(&args, "1");
    pki_cell_arg(&args, key);
    pki_cell_arg(&args, id);
    pki_cell_arg(&args, number);
    pki_cell_arg(&args, PKI_BOOK_TEXT(PKI_BOOK_SERIALS));

    pki_cell_send(redis, &args, pki_book_serials_reply, ask);
}


void
pki_book_history(pki_redis_t *redis, const char *issuer,
    const pki_serial_t *serial, unsigned long long from,
    pki_book_values_pt values, void *data)
{
    char             hex[PKI_SERIAL_HEX_SIZE], number[PKI_BOOK_NUMBER_SIZE];
    char             audit[PKI_RECORD_KEY_SIZE], cert[PKI_RECORD_KEY_SIZE];
    char             history[PKI_RECORD_KEY_SIZE];
    const char      *refused;
    pki_book_ask_t  *ask;
    pki_cell_args_t  args;

    refused = pki_book_check(issuer, serial, 1);

    if (refused == NULL && from > PKI_BOOK_FROM_MAX) {
        refused = "a history that cannot be so long";
    }

    ask = pki_book_ask(redis, values, data, refused, PKI_RECORD_SIZE);
    if (ask == NULL) {
        return;
    }

    (void) pki_serial_to_text(serial, hex);
    (void) snprintf(number, sizeof(number), "%llu", from);

    pki_record_key(audit, issuer, "audit", "");
    pki_record_key(cert, issuer, "cert:", hex);
    pki_record_key(history, issuer, "history:", hex);

    args.argc = 0;
    pki_cell_arg(&args, "EVAL");
    pki_cell_arg(&args, pki_book_lua_history);
    pki_cell_arg(&args, "3");
    pki_cell_arg(&args, audit);
    pki_cell_arg(&args, cert);
    pki_cell_arg(&args, history);
    pki_cell_arg(&args, number);
    pki_cell_arg(&args, PKI_BOOK_TEXT(PKI_BOOK_SERIALS));

    pki_cell_send(redis, &args, pki_book_next_reply, ask);
}


static pki_book_ask_t *
pki_book_ask(pki_redis_t *redis, pki_book_values_pt values, void *data,
    const char *refused, size_t max)
{
    pki_book_ask_t  *ask;

    ask = pki_cell_begin(redis, PKI_CELL_VALUES, (pki_cell_call_pt) values,
                         data, refused, sizeof(pki_book_ask_t));

    if (ask != NULL) {
        ask->max = max;
    }

    return ask;
}


static void
pki_book_value_reply(void *data, const redisReply *reply)
{
    pki_book_ask_t *ask = data;

    redisReply  *element;
    redisReply   list;

    /* a list of one */

    memset(&list, 0, sizeof(redisReply));
    element = (redisReply *) reply;
    list.type = REDIS_REPLY_ARRAY;
    list.elements = 1;
    list.element = &element;

    pki_book_tell(ask, &list, 0);
}


static void
pki_book_list_reply(void *data, const redisReply *reply)
{
    pki_book_ask_t *ask = data;

    pki_err_t    err;
    const char  *error;

    error = pki_cell_said(reply, REDIS_REPLY_ARRAY, &err);

    if (error != NULL) {
        pki_book_fail(ask, error);

    } else {
        pki_book_tell(ask, reply, 0);
    }
}


/* {next, list} of a script */

static void
pki_book_next_reply(void *data, const redisReply *reply)
{
    pki_book_ask_t *ask = data;

    pki_err_t    err;
    const char  *error;

    error = pki_cell_said(reply, REDIS_REPLY_ARRAY, &err);

    if (error == NULL
        && (reply->elements != 2
            || reply->element[0]->type != REDIS_REPLY_INTEGER
            || reply->element[0]->integer < 0
            || reply->element[1]->type != REDIS_REPLY_ARRAY))
    {
        error = "unexpected reply of Redis";
    }

    if (error != NULL) {
        pki_book_fail(ask, error);

    } else {
        pki_book_tell(ask, reply->element[1],
                      (unsigned long long) reply->element[0]->integer);
    }
}


/* HSCAN's cursor is text, and less than the size of a table. */

static void
pki_book_scan_reply(void *data, const redisReply *reply)
{
    pki_book_ask_t *ask = data;

    long long    next;
    pki_err_t    err;
    const char  *error;
    pki_bytes_t  cursor;

    next = 0;

    error = pki_cell_said(reply, REDIS_REPLY_ARRAY, &err);

    if (error == NULL
        && (reply->elements != 2
            || reply->element[0]->type != REDIS_REPLY_STRING
            || reply->element[1]->type != REDIS_REPLY_ARRAY
            || reply->element[1]->elements % 2 != 0))
    {
        error = "unexpected reply of Redis";
    }

    if (error == NULL) {
        cursor.data = (unsigned char *) reply->element[0]->str;
        cursor.len = reply->element[0]->len;

        if (pki_record_number(cursor, LLONG_MAX, &next) != PKI_OK) {
            error = "unreadable cursor of Redis";
        }
    }

    if (error != NULL) {
        pki_book_fail(ask, error);

    } else {
        pki_book_tell(ask, reply->element[1], (unsigned long long) next);
    }
}


/* Hands over a list of strings; what is not there is empty. */

static void
pki_book_tell(pki_book_ask_t *ask, const redisReply *list,
    unsigned long long next)
{
    size_t        i;
    pki_err_t     err;
    const char   *error;
    redisReply   *reply;
    pki_bytes_t  *values;

    values = OPENSSL_zalloc((list->elements + 1) * sizeof(pki_bytes_t));

    if (values == NULL) {
        pki_book_fail(ask, "out of memory");
        return;
    }

    error = NULL;

    for (i = 0; i < list->elements && error == NULL; i++) {
        reply = list->element[i];

        if (reply != NULL && reply->type == REDIS_REPLY_NIL) {
            continue;
        }

        error = pki_cell_said(reply, REDIS_REPLY_STRING, &err);

        if (error == NULL && reply->len > ask->max) {
            error = "Redis replied with a value that is too long";
        }

        if (error == NULL) {
            values[i].data = (unsigned char *) reply->str;
            values[i].len = reply->len;
        }
    }

    if (error != NULL) {
        pki_book_fail(ask, error);

    } else {
        ((pki_book_values_pt) ask->cell.call)(ask->cell.data, PKI_STORE_DONE,
                                              values, list->elements, next,
                                              NULL);
        OPENSSL_free(ask);
    }

    OPENSSL_free(values);
}


static void
pki_book_serial_reply(void *data, const redisReply *reply)
{
    pki_book_ask_t *ask = data;

    pki_err_t    err;
    const char  *error;
    pki_bytes_t  octets;

    octets.data = NULL;
    octets.len = 0;
    error = NULL;

    if (reply == NULL || reply->type != REDIS_REPLY_NIL) {
        error = pki_cell_said(reply, REDIS_REPLY_STRING, &err);

        if (error == NULL) {
            octets.data = (unsigned char *) reply->str;
            octets.len = reply->len;
        }
    }

    if (error != NULL) {
        pki_book_fail(ask, error);

    } else {
        pki_book_tell_serials(ask, octets, 0);
    }
}


/* {next, octets} of a script */

static void
pki_book_serials_reply(void *data, const redisReply *reply)
{
    pki_book_ask_t *ask = data;

    pki_err_t    err;
    const char  *error;
    pki_bytes_t  octets;

    error = pki_cell_said(reply, REDIS_REPLY_ARRAY, &err);

    if (error == NULL
        && (reply->elements != 2
            || reply->element[0]->type != REDIS_REPLY_INTEGER
            || reply->element[0]->integer < 0
            || reply->element[1]->type != REDIS_REPLY_STRING))
    {
        error = "unexpected reply of Redis";
    }

    if (error != NULL) {
        pki_book_fail(ask, error);
        return;
    }

    octets.data = (unsigned char *) reply->element[1]->str;
    octets.len = reply->element[1]->len;

    pki_book_tell_serials(ask, octets,
                          (unsigned long long) reply->element[0]->integer);
}


static void
pki_book_tell_serials(pki_book_ask_t *ask, pki_bytes_t octets,
    unsigned long long next)
{
    char                  hex[PKI_BOOK_SERIALS][PKI_SERIAL_HEX_SIZE];
    size_t                i, n;
    pki_bytes_t           values[PKI_BOOK_SERIALS];
    pki_serial_t          serial;
    const unsigned char  *p;

    n = octets.len / PKI_SERIAL_LEN;

    if (octets.len % PKI_SERIAL_LEN != 0 || octets.len > ask->max) {
        pki_book_fail(ask, "unreadable serial numbers");
        return;
    }

    for (i = 0; i < n; i++) {
        p = octets.data + i * PKI_SERIAL_LEN;
        serial.len = PKI_SERIAL_LEN;

        while (serial.len > 0 && *p == 0) {
            serial.len--;
            p++;
        }

        if (serial.len == 0) {
            pki_book_fail(ask, "unreadable serial numbers");
            return;
        }

        memcpy(serial.data, p, serial.len);

        values[i].data = (unsigned char *) hex[i];
        values[i].len = pki_serial_to_text(&serial, hex[i]);
    }

    ((pki_book_values_pt) ask->cell.call)(ask->cell.data, PKI_STORE_DONE,
                                          values, n, next, NULL);
    OPENSSL_free(ask);
}


static void
pki_book_fail(pki_book_ask_t *ask, const char *error)
{
    pki_cell_fail(&ask->cell, error);
    OPENSSL_free(ask);
}

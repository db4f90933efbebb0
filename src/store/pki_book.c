
/*
 * The record of what was issued: a serial number is reserved, signed
 * elsewhere, and recorded with all that finds it again.  What is read stands
 * in pki_book_read.c.
 */

#include "pki_book_part.h"
#include "pki_cell.h"
#include "pki_record.h"
#include "pki_book_script.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>


#define PKI_BOOK_KEYS  10               /* of a record */

/* the usual page, and what Redis needs with it, fits into 64 KB of memory;
   the next size of its allocator is 80 KB */

#define PKI_BOOK_FULL  (PKI_ROW_PAGE - 1024)


/* the arguments of a record, as text */

typedef struct {
    char           keys[PKI_BOOK_KEYS][PKI_RECORD_KEY_SIZE];
    char           owner[PKI_OWNER_SIZE];
    char           serial[PKI_SERIAL_HEX_SIZE];
    char           who[PKI_STORE_WHO_MAX + 1];
    char           from[PKI_STORE_WHO_MAX + 1];
    char           why[PKI_STORE_WHO_MAX + 1];
    char           requester[PKI_STORE_WHO_MAX + 1];
    char           at[PKI_BOOK_NUMBER_SIZE];
    char           full[PKI_BOOK_NUMBER_SIZE];
    char           head[96];            /* times and source */
    char           line[PKI_ROW_MAX];
    size_t         len;                 /* of line */
    unsigned char  thumbprint[PKI_BOOK_SHA1];
    unsigned char  octets[PKI_SERIAL_LEN];
} pki_book_write_t;


static const char *pki_book_entry_check(const char *issuer,
    const pki_book_entry_t *entry, const char *action,
    const pki_actor_t *actor);
static int pki_book_object_valid(pki_bytes_t id);
static void pki_book_write_init(pki_book_write_t *write, const char *issuer,
    const pki_row_t *row, const pki_actor_t *actor);
static void pki_book_write_keys(pki_book_write_t *write, const char *issuer);
static void pki_book_newest_reply(void *data, const redisReply *reply);


void
pki_book_reserve(pki_redis_t *redis, const char *issuer,
    const pki_serial_t *serial, long seconds, pki_store_done_pt done,
    void *data)
{
    char             hex[PKI_SERIAL_HEX_SIZE], ttl[PKI_BOOK_NUMBER_SIZE];
    char             reservation[PKI_RECORD_KEY_SIZE];
    char             cert[PKI_RECORD_KEY_SIZE], revoked[PKI_RECORD_KEY_SIZE];
    const char      *refused;
    pki_cell_t      *cell;
    pki_cell_args_t  args;

    refused = pki_book_check(issuer, serial, 1);

    if (refused == NULL && seconds < 1) {
        refused = "a reservation for no time";
    }

    cell = pki_cell_begin(redis, PKI_CELL_DONE, (pki_cell_call_pt) done,
                          data, refused, sizeof(pki_cell_t));
    if (cell == NULL) {
        return;
    }

    (void) pki_serial_to_text(serial, hex);
    (void) snprintf(ttl, sizeof(ttl), "%ld", seconds);

    pki_record_key(reservation, issuer, "serial:", hex);
    pki_record_key(cert, issuer, "cert:", hex);
    pki_record_key(revoked, issuer, "revoked", "");

    args.argc = 0;
    pki_cell_arg(&args, "EVAL");
    pki_cell_arg(&args, pki_book_lua_reserve);
    pki_cell_arg(&args, "3");
    pki_cell_arg(&args, reservation);
    pki_cell_arg(&args, cert);
    pki_cell_arg(&args, revoked);
    pki_cell_arg(&args, hex);
    pki_cell_arg(&args, ttl);

    pki_cell_send(redis, &args, pki_cell_done, cell);
}


void
pki_book_record(pki_redis_t *redis, const char *issuer,
    const pki_book_entry_t *entry, const char *action,
    const pki_actor_t *actor, pki_store_done_pt done, void *data)
{
    unsigned          i;
    const char       *refused;
    pki_cell_t       *cell;
    pki_bytes_t       bytes;
    pki_cell_args_t   args;
    pki_book_write_t  write;

    refused = pki_book_entry_check(issuer, entry, action, actor);

    cell = pki_cell_begin(redis, PKI_CELL_DONE, (pki_cell_call_pt) done,
                          data, refused, sizeof(pki_cell_t));
    if (cell == NULL) {
        return;
    }

    pki_book_write_init(&write, issuer, entry->row, actor);
    pki_book_write_keys(&write, issuer);

    args.argc = 0;
    pki_cell_arg(&args, "EVAL");
    pki_cell_arg(&args, pki_book_lua_record);
    pki_cell_arg(&args, PKI_BOOK_TEXT(PKI_BOOK_KEYS));

    for (i = 0; i < PKI_BOOK_KEYS; i++) {
        pki_cell_arg(&args, write.keys[i]);
    }

    pki_cell_arg(&args, write.serial);
    pki_cell_arg(&args, write.owner);
    pki_cell_arg(&args, write.who);
    pki_cell_arg(&args, write.from);
    pki_cell_arg(&args, write.why);
    pki_cell_arg(&args, write.at);
    pki_cell_arg(&args, action);

    bytes.data = (unsigned char *) write.line + 1;
    bytes.len = write.len - 1;
    pki_cell_arg_bytes(&args, bytes);

    pki_cell_arg(&args, write.head);
    pki_cell_arg(&args, write.requester);
    pki_cell_arg_bytes(&args, entry->der);

    bytes.data = write.thumbprint;
    bytes.len = PKI_BOOK_SHA1;
    pki_cell_arg_bytes(&args, bytes);

    bytes.data = write.octets;
    bytes.len = PKI_SERIAL_LEN;
    pki_cell_arg_bytes(&args, bytes);

    pki_cell_arg(&args, write.full);

    for (i = 0; i < PKI_BINDING_OBJECTS; i++) {
        if (entry->row->objects[i].len != 0) {
            pki_cell_arg_bytes(&args, entry->row->objects[i]);
        }
    }

    pki_cell_send(redis, &args, pki_cell_done, cell);
}


static const char *
pki_book_entry_check(const char *issuer, const pki_book_entry_t *entry,
    const char *action, const pki_actor_t *actor)
{
    unsigned          i;
    unsigned char     sha1[PKI_BOOK_SHA1];
    const char       *error;
    const pki_row_t  *row;

    row = entry->row;

    error = pki_book_check(issuer, &row->serial, 1);
    if (error != NULL) {
        return error;
    }

    if (!pki_record_time_valid(row->not_before)
        || !pki_record_time_valid(row->not_after)
        || !pki_record_time_valid(row->issued)
        || !pki_record_time_valid(actor->at))
    {
        return "a certificate with a time that cannot be";
    }

    if (pki_row_source_name(row->source) == NULL
        || (unsigned) row->kind > PKI_KIND_AD_USER
        || !pki_record_text_valid(action, PKI_NAME_MAX, 0))
    {
        return "a certificate of a source or a kind that cannot be";
    }

    for (i = 0; i < PKI_BINDING_OBJECTS; i++) {
        if (!pki_book_object_valid(row->objects[i])) {
            return "a certificate bound to an object that cannot be";
        }
    }

    if (pki_book_sha1((const char *) row->thumbprint.data,
                      row->thumbprint.len, sha1)
        != PKI_OK)
    {
        return "a certificate without a thumbprint";
    }

    if (entry->der.len > PKI_BOOK_DER_MAX) {
        return "a certificate that is too large";
    }

    return NULL;
}


/* One that is not there is valid. */

static int
pki_book_object_valid(pki_bytes_t id)
{
    size_t  i;

    if (id.len >= PKI_OBJECT_ID_SIZE) {
        return 0;
    }

    for (i = 0; i < id.len; i++) {
        if (id.data[i] <= ' ' || id.data[i] == 0x7f) {
            return 0;
        }
    }

    return 1;
}


static void
pki_book_write_init(pki_book_write_t *write, const char *issuer,
    const pki_row_t *row, const pki_actor_t *actor)
{
    char       requester[PKI_STORE_WHO_MAX + 2];
    size_t     len;
    pki_row_t  unrevoked;

    unrevoked = *row;
    unrevoked.status = PKI_REASON_NONE;
    write->len = pki_row_write(&unrevoked, write->line);

    (void) pki_serial_to_text(&row->serial, write->serial);
    (void) pki_owner_cert(write->owner, issuer, &row->serial);

    len = row->requester.len;

    if (len >= sizeof(requester)) {
        len = sizeof(requester) - 1;
    }

    if (len != 0) {
        memcpy(requester, row->requester.data, len);
    }

    requester[len] = '\0';

    pki_record_clean(write->requester, requester);
    pki_record_clean(write->who, actor->who);
    pki_record_clean(write->from, actor->from);
    pki_record_clean(write->why, actor->why);

    (void) snprintf(write->at, sizeof(write->at), "%lld",
                    (long long) actor->at);
    (void) snprintf(write->full, sizeof(write->full), "%d", PKI_BOOK_FULL);
    (void) snprintf(write->head, sizeof(write->head), "%lld %lld %s ",
                    (long long) row->not_before, (long long) row->not_after,
                    pki_row_source_name(row->source));

    (void) pki_book_sha1((const char *) row->thumbprint.data,
                         row->thumbprint.len, write->thumbprint);

    memset(write->octets, 0, PKI_SERIAL_LEN);
    memcpy(write->octets + PKI_SERIAL_LEN - row->serial.len, row->serial.data,
           row->serial.len);
}


/* The script knows them by this order. */

static void
pki_book_write_keys(pki_book_write_t *write, const char *issuer)
{
    pki_record_key(write->keys[0], issuer, "revoked", "");
    pki_record_key(write->keys[1], issuer, "audit", "");
    pki_record_key(write->keys[2], issuer, "cert:", write->serial);
    pki_record_key(write->keys[3], issuer, "history:", write->serial);
    pki_record_key(write->keys[4], issuer, "page:", "");
    pki_record_key(write->keys[5], issuer, "book", "");
    pki_record_key(write->keys[6], issuer, "thumb", "");
    pki_record_key(write->keys[7], issuer, "bound", "");
    pki_record_key(write->keys[8], issuer, "der:", write->serial);
    pki_record_key(write->keys[9], issuer, "serial:", write->serial);
}


void
pki_book_newest(pki_redis_t *redis, const char *issuer,
    pki_store_done_pt done, void *data)
{
    char             key[PKI_RECORD_KEY_SIZE];
    pki_cell_t      *cell;
    pki_cell_args_t  args;

    cell = pki_cell_begin(redis, PKI_CELL_DONE, (pki_cell_call_pt) done,
                          data, pki_book_check(issuer, NULL, 0),
                          sizeof(pki_cell_t));
    if (cell == NULL) {
        return;
    }

    pki_record_key(key, issuer, "book", "");

    args.argc = 0;
    pki_cell_arg(&args, "HGET");
    pki_cell_arg(&args, key);
    pki_cell_arg(&args, "newest");

    pki_cell_send(redis, &args, pki_book_newest_reply, cell);
}


static void
pki_book_newest_reply(void *data, const redisReply *reply)
{
    pki_cell_t *cell = data;

    long long    n;
    pki_err_t    err;
    const char  *error;
    pki_bytes_t  text;

    n = 0;
    error = NULL;

    if (reply == NULL || reply->type != REDIS_REPLY_NIL) {
        error = pki_cell_said(reply, REDIS_REPLY_STRING, &err);

        if (error == NULL) {
            text.data = (unsigned char *) reply->str;
            text.len = reply->len;

            if (pki_record_number(text, LLONG_MAX, &n) != PKI_OK) {
                error = "unreadable number of a page";
            }
        }
    }

    if (error != NULL) {
        pki_cell_fail(cell, error);

    } else {
        ((pki_store_done_pt) cell->call)(cell->data, PKI_STORE_DONE, n, NULL);
    }

    OPENSSL_free(cell);
}


const char *
pki_book_check(const char *issuer, const pki_serial_t *serials, size_t n)
{
    size_t  i;

    if (!pki_name_valid(issuer, strlen(issuer))) {
        return "an issuer that cannot be";
    }

    if (serials == NULL) {
        return NULL;
    }

    if (n == 0 || n > PKI_BOOK_SERIALS) {
        return "a number of certificates that cannot be";
    }

    for (i = 0; i < n; i++) {
        if (!pki_record_serial_valid(&serials[i])) {
            return "a serial number that cannot be";
        }
    }

    return NULL;
}


/* 40 digits of hexadecimal, any case */

pki_rc_t
pki_book_sha1(const char *text, size_t len,
    unsigned char octets[PKI_BOOK_SHA1])
{
    int     hi, lo;
    size_t  i;

    if (len != 2 * PKI_BOOK_SHA1) {
        return PKI_INVALID;
    }

    for (i = 0; i < PKI_BOOK_SHA1; i++) {
        hi = OPENSSL_hexchar2int((unsigned char) text[2 * i]);
        lo = OPENSSL_hexchar2int((unsigned char) text[2 * i + 1]);

        if (hi < 0 || lo < 0) {
            return PKI_INVALID;
        }

        octets[i] = (unsigned char) (hi << 4 | lo);
    }

    return PKI_OK;
}

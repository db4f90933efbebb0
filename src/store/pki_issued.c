
/*
 * A directory's own list of certificates: written by listing, shown when
 * whole.  A line is its fields apart by tabs.
 */

#include "pki_issued.h"
#include "pki_record.h"
#include "pki_state_call.h"

#include <stdio.h>
#include <string.h>


#define PKI_ISSUED_ROUND   "0"          /* stands for one in a key's name */


static const char *pki_issued_check(const pki_issued_t *lines, size_t n);
static void pki_issued_line(pki_state_call_t *call, const pki_issued_t *line);
static void pki_issued_field(pki_state_call_t *call, const char *text);


/*
 * KEYS: lease, the listing; ARGV: token, then serial and line of each.  One
 * that never becomes whole is forgotten after a day.
 */

static const pki_state_script_t  pki_issued_lua_put = {
    { "lease", "issued:" },
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {2, 0} end\n"
    "local new = 0\n"
    "for i = 2, #ARGV, 2 do\n"
    "  new = new + redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])\n"
    "end\n"
    "redis.call('EXPIRE', KEYS[2], 86400)\n"
    "return {0, new}"
};


/* KEYS: lease, sync, the listing; ARGV: token, round. */

static const pki_state_script_t  pki_issued_lua_commit = {
    { "lease", "sync", "issued:" },
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {2, 0} end\n"
    "local old = redis.call('HGET', KEYS[2], 'issued')\n"
    "redis.call('PERSIST', KEYS[3])\n"
    "redis.call('HSET', KEYS[2], 'issued', ARGV[2])\n"
    "if old and old ~= ARGV[2] then\n"
    "  redis.call('UNLINK', (string.gsub(KEYS[3], '[^:]+$', old)))\n"
    "end\n"
    "return {0, 1}"
};


/* KEYS: sync, any listing; ARGV: cursor, about how many. */

static const pki_state_script_t  pki_issued_lua_list = {
    { "sync", "issued:" },
    "local round = redis.call('HGET', KEYS[1], 'issued')\n"
    "if not round then return {0, {'0'}} end\n"
    "local key = string.gsub(KEYS[2], '[^:]+$', round)\n"
    "local slice = redis.call('HSCAN', key, ARGV[1], 'COUNT', ARGV[2])\n"
    "local out = slice[2]\n"
    "table.insert(out, 1, slice[1])\n"
    "return {0, out}"
};


void
pki_issued_put(pki_redis_t *redis, const char *directory, const char *token,
    long long round, const pki_issued_t *lines, size_t n,
    pki_store_done_pt done, void *data)
{
    char              number[PKI_STATE_NUMBER];
    size_t            i, k;
    pki_state_call_t  call;

    (void) snprintf(number, sizeof(number), "%lld", round);

    memset(&call, 0, sizeof(pki_state_call_t));
    call.redis = redis;
    call.directory = directory;
    call.token = token;
    call.id = number;
    call.refused = pki_issued_check(lines, n);

    if (call.refused == NULL) {
        call.nargs = 2 * n;

        for (i = 0; i < n; i++) {
            call.size += strlen(lines[i].serial) + 1 + PKI_ISSUED_N;

            for (k = 0; k < PKI_ISSUED_N; k++) {
                call.size += lines[i].fields[k] ? PKI_ISSUED_TEXT_MAX : 0;
            }
        }
    }

    if (pki_state_call_begin(&call, &pki_issued_lua_put, PKI_CELL_DONE,
                             (pki_cell_call_pt) done, data)
        != PKI_OK)
    {
        return;
    }

    for (i = 0; i < n; i++) {
        pki_state_call_arg(&call, lines[i].serial);
        pki_issued_line(&call, &lines[i]);
    }

    pki_state_call_send(&call);
}


static const char *
pki_issued_check(const pki_issued_t *lines, size_t n)
{
    size_t  i;

    if (n > PKI_ISSUED_MAX) {
        return "too many lines at once";
    }

    for (i = 0; i < n; i++) {
        if (!pki_record_text_valid(lines[i].serial, PKI_STATE_KEY_MAX, 0)) {
            return "a line with a serial number that cannot be";
        }
    }

    return NULL;
}


static void
pki_issued_line(pki_state_call_t *call, const pki_issued_t *line)
{
    size_t  k;

    for (k = 0; k < PKI_ISSUED_N; k++) {
        pki_issued_field(call, line->fields[k] ? line->fields[k] : "");

        if (k + 1 < PKI_ISSUED_N) {
            pki_state_call_put(call, "\t");
        }
    }

    pki_state_call_next(call);
}


/* cut between characters; what would end a field or a line becomes '?' */

static void
pki_issued_field(pki_state_call_t *call, const char *text)
{
    char    field[PKI_ISSUED_TEXT_MAX + 1];
    size_t  i, len;

    len = strlen(text);

    if (len > PKI_ISSUED_TEXT_MAX) {
        len = PKI_ISSUED_TEXT_MAX;

        while (len > 0 && ((unsigned char) text[len] & 0xc0) == 0x80) {
            len--;
        }
    }

    for (i = 0; i < len; i++) {
        field[i] = (unsigned char) text[i] < 0x20 || text[i] == 0x7f
                   ? '?' : text[i];
    }

    field[len] = '\0';

    pki_state_call_put(call, field);
}


void
pki_issued_commit(pki_redis_t *redis, const char *directory,
    const char *token, long long round, pki_store_done_pt done, void *data)
{
    char              number[PKI_STATE_NUMBER];
    pki_state_call_t  call;

    (void) snprintf(number, sizeof(number), "%lld", round);

    memset(&call, 0, sizeof(pki_state_call_t));
    call.redis = redis;
    call.directory = directory;
    call.token = token;
    call.id = number;
    call.nargs = 1;
    call.size = PKI_STATE_NUMBER;

    if (pki_state_call_begin(&call, &pki_issued_lua_commit, PKI_CELL_DONE,
                             (pki_cell_call_pt) done, data)
        == PKI_OK)
    {
        pki_state_call_number(&call, round);
        pki_state_call_send(&call);
    }
}


void
pki_issued_list(pki_redis_t *redis, const char *directory,
    unsigned long long cursor, size_t n, pki_state_list_pt list, void *data)
{
    char              text[PKI_STATE_NUMBER];
    pki_state_call_t  call;

    (void) snprintf(text, sizeof(text), "%llu", cursor);

    memset(&call, 0, sizeof(pki_state_call_t));
    call.redis = redis;
    call.directory = directory;
    call.id = PKI_ISSUED_ROUND;
    call.nargs = 2;
    call.size = 2 * PKI_STATE_NUMBER;

    if (n == 0 || n > PKI_STATE_LIST_MAX / 2) {
        call.refused = "a slice with a size that cannot be";
    }

    if (pki_state_call_begin(&call, &pki_issued_lua_list, PKI_CELL_LIST,
                             (pki_cell_call_pt) list, data)
        == PKI_OK)
    {
        pki_state_call_arg(&call, text);
        pki_state_call_number(&call, (long long) n);
        pki_state_call_send(&call);
    }
}


pki_rc_t
pki_issued_read(const char *line, pki_bytes_t fields[PKI_ISSUED_N])
{
    size_t       k;
    const char  *end;

    for (k = 0; k < PKI_ISSUED_N; k++) {
        end = strchr(line, '\t');

        if ((end == NULL) != (k == PKI_ISSUED_N - 1)) {
            return PKI_INVALID;
        }

        fields[k].data = (const unsigned char *) line;
        fields[k].len = end ? (size_t) (end - line) : strlen(line);

        line = end ? end + 1 : line;
    }

    return PKI_OK;
}


/*
 * The scripts of pki_list.c, which alone includes this; pki_store_script.h
 * tells how scripts are written.
 */

#ifndef PKI_LIST_SCRIPT_H
#define PKI_LIST_SCRIPT_H


#include "pki_list.h"


#define PKI_LIST_LUA_HELD                                                   \
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {2, 0} end\n"


/* KEYS: lease; ARGV: token, milliseconds */

static const char  pki_list_lua_lease[] =
    "local holder = redis.call('GET', KEYS[1])\n"
    "if holder and holder ~= ARGV[1] then return {2, 0} end\n"
    "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"
    "return {0, holder and 0 or 1}";


/* KEYS: lease; ARGV: token */

static const char  pki_list_lua_unlease[] =
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {0, 0} end\n"
    "redis.call('DEL', KEYS[1])\n"
    "return {0, 1}";


/*
 * KEYS: lease, crl; ARGV: token.  A number is never less than the time: so
 * they go on upwards when Redis has lost what it knew.
 */

static const char  pki_list_lua_number[] =
    PKI_LIST_LUA_HELD
    "local now = tonumber(redis.call('TIME')[1])\n"
    "local n = redis.call('HINCRBY', KEYS[2], 'number', 1)\n"
    "if n < now then\n"
    "  n = now\n"
    "  redis.call('HSET', KEYS[2], 'number', string.format('%d', n))\n"
    "end\n"
    "return {0, n}";


/* KEYS: list; ARGV: from, to.  The cursor is a string, as a value is. */

static const char  pki_list_lua_slice[] =
    "local len = redis.call('STRLEN', KEYS[1])\n"
    "if len == 0 then return {3, {}} end\n"
    "local slice = redis.call('GETRANGE', KEYS[1], ARGV[1], ARGV[2])\n"
    "local at = tonumber(ARGV[1]) + #slice\n"
    "return {0, {at < len and string.format('%d', at) or '0', slice}}";


/*
 * KEYS: lease, crl, the new list, and what the keys of full and delta begin
 * with; ARGV: token, field, number, base, the record, length, owner, and how
 * long an older one is kept.  One that the delta is based on stays as long as
 * it was meant to.
 */

static const char  pki_list_lua_publish[] =
    PKI_LIST_LUA_HELD
    "local function read(field)\n"
    "  local text = redis.call('HGET', KEYS[2], field)\n"
    "  if not text then return nil, '0' end\n"
    "  local n, base = string.match(text, '^1 (%d+) (%d+) ')\n"
    "  return n or false, base\n"
    "end\n"
    "local full = read('full')\n"
    "local delta, base = read('delta')\n"
    "if full == false or delta == false then"
    "  return redis.error_reply('ERR unreadable list record') end\n"
    "local old = delta\n"
    "if ARGV[2] == 'full' then old = full end\n"
    "if old and tonumber(old) >= tonumber(ARGV[3]) then return {2, 0} end\n"
    "if redis.call('STRLEN', KEYS[3]) ~= tonumber(ARGV[6]) then"
    "  return redis.error_reply('ERR the list is not there') end\n"
    "redis.call('PUBLISH', '" PKI_NEWS_CHANNEL "', ARGV[7])\n"
    "redis.call('HSET', KEYS[2], ARGV[2], ARGV[5])\n"
    "local function drop(key)\n"
    "  if redis.call('TTL', key) > tonumber(ARGV[8]) then"
    "    redis.call('EXPIRE', key, ARGV[8]) end\n"
    "end\n"
    "if ARGV[2] == 'full' then\n"
    "  if full and full ~= base then drop(KEYS[4] .. full) end\n"
    "else\n"
    "  if delta then drop(KEYS[5] .. delta) end\n"
    "  if base ~= ARGV[4] and base ~= full then drop(KEYS[4] .. base) end\n"
    "end\n"
    "return {0, 1}";


#endif /* PKI_LIST_SCRIPT_H */

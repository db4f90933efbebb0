
/*
 * The scripts of pki_book.c, which alone includes this; pki_store_lua.h
 * tells how scripts are written.
 */

#ifndef PKI_BOOK_SCRIPT_H
#define PKI_BOOK_SCRIPT_H


#include "pki_store_lua.h"


/* KEYS: reservation, cert, revoked; ARGV: serial, seconds. */

static const char  pki_book_lua_reserve[] =
    "if redis.call('EXISTS', KEYS[2]) == 1\n"
    "   or redis.call('HEXISTS', KEYS[3], ARGV[1]) == 1\n"
    "   or not redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[2]) then\n"
    "  return {2, 0}\n"
    "end\n"
    "return {0, 1}";


/*
 * KEYS, from the sixth on: book, thumb, bound, der, reservation; ARGV, from
 * the seventh on: action, line, its status left out, times and source of the
 * record, requester, DER, thumbprint, serial number in octets, octets of a
 * full page, then the ids of objects.
 *
 * All that may be of another type is read before the first is written.  The
 * first entry of a history stands in the record and needs no list, unless
 * there is one, since it was revoked before it was recorded.
 */

static const char  pki_book_lua_record[] =
    "local old = redis.call('GET', KEYS[3])\n"
    "if old and string.sub(old, 1, 2) == '1 ' then\n"
    "  local times = string.match(ARGV[9], '^%d+ %d+ ')\n"
    "  if string.sub(old, 3, #times + 2) == times then old = false end\n"
    "end\n"
    "local known = redis.call('HGET', KEYS[7], ARGV[12])\n"
    "if old then return {known == ARGV[13] and 1 or 2, 0} end\n"
    "local revoked, status = redis.call('HGET', KEYS[1], ARGV[1]), '-'\n"
    "if revoked then\n"
    "  local reason = string.match(revoked, '^1 (%d+) ')\n"
    "  if not reason then "
         PKI_STORE_LUA_UNREADABLE("revocation record") " end\n"
    "  status = string.format('%X', reason)\n"
    "end\n"
    "local bound = {}\n"
    "for i = 15, #ARGV do\n"
    "  bound[i] = redis.call('HGET', KEYS[8], ARGV[i]) or ''\n"
    "end\n"
    "local told = redis.call('LLEN', KEYS[4]) > 0\n"
    "local n = tonumber(redis.call('HGET', KEYS[6], 'newest') or 1)\n"
    "if not n then " PKI_STORE_LUA_UNREADABLE("number of a page") " end\n"
    "local length = redis.call('STRLEN', KEYS[5] .. n)\n"
    "local line = status .. ARGV[8]\n"
    PKI_STORE_LUA_NEWS
    "local id = " PKI_STORE_LUA_AUDIT("ARGV[7]", "''")
    "if told then " PKI_STORE_LUA_HISTORY("id") " end\n"
    "if length >= tonumber(ARGV[14]) then\n"
    "  redis.call('SET', KEYS[5] .. n, redis.call('GET', KEYS[5] .. n))\n"
    "  n, length = n + 1, 0\n"
    "end\n"
    "if length == 0 then redis.call('HSET', KEYS[6], 'newest', n) end\n"
    "length = redis.call('APPEND', KEYS[5] .. n, line)\n"
    "redis.call('HSET', KEYS[7], ARGV[12], ARGV[13])\n"
    "for i = 15, #ARGV do\n"
    "  redis.call('HSET', KEYS[8], ARGV[i], bound[i] .. ARGV[13])\n"
    "end\n"
    "if ARGV[11] ~= '' then redis.call('SET', KEYS[9], ARGV[11]) end\n"
    "redis.call('SET', KEYS[3], table.concat({'2 ' .. ARGV[9] .. n,"
    " length - #line, #line, told and '-' or id, ARGV[10]}, ' '))\n"
    "redis.call('DEL', KEYS[10])\n"
    "return {0, 1}";


#endif /* PKI_BOOK_SCRIPT_H */


/*
 * The scripts of pki_store.c, which alone includes this; pki_store_lua.h
 * tells how scripts are written, and the first of their arguments.
 */

#ifndef PKI_STORE_SCRIPT_H
#define PKI_STORE_SCRIPT_H


#include "pki_store_lua.h"


/*
 * ARGV, from the seventh on: reason, at, the rest of the record, unrecorded.
 * A final reason that follows a hold does not make the time later, for
 * what was signed under the hold must not become valid by it.
 */

static const char  pki_store_lua_revoke[] =
    "local old = redis.call('HGET', KEYS[1], ARGV[1])\n"
    "local record = redis.call('GET', KEYS[3])\n"
    "local at, action = ARGV[8], 'revoke'\n"
    "if old then\n"
    "  local reason, since = string.match(old, '^1 (%d+) (%d+) %d+ ')\n"
    "  if not reason then "
         PKI_STORE_LUA_UNREADABLE("revocation record") " end\n"
    "  if reason == ARGV[7] then return {1, old} end\n"
    "  if reason ~= '6' then return {2, old} end\n"
    "  if tonumber(since) < tonumber(at) then at = since end\n"
    "  action = 'upgrade'\n"
    "elseif ARGV[10] == '0' and not record then\n"
    "  return {3, ''}\n"
    "end\n"
    PKI_STORE_LUA_LINE
    "local new = '1 ' .. ARGV[7] .. ' ' .. at .. ' ' .. ARGV[9]\n"
    PKI_STORE_LUA_NEWS
    "local id = " PKI_STORE_LUA_AUDIT("action", "ARGV[7]")
    PKI_STORE_LUA_HISTORY("id")
    PKI_STORE_LUA_STATUS("string.format('%X', ARGV[7])")
    "redis.call('HSET', KEYS[1], ARGV[1], new)\n"
    "return {0, new}";


static const char  pki_store_lua_release[] =
    "local old = redis.call('HGET', KEYS[1], ARGV[1])\n"
    "local record = redis.call('GET', KEYS[3])\n"
    "if not old then return {3, ''} end\n"
    "local reason = string.match(old, '^1 (%d+) %d+ %d+ ')\n"
    "if not reason then "
         PKI_STORE_LUA_UNREADABLE("revocation record") " end\n"
    "if reason ~= '6' then return {2, old} end\n"
    PKI_STORE_LUA_LINE
    PKI_STORE_LUA_NEWS
    "local id = " PKI_STORE_LUA_AUDIT("'release'", "reason")
    PKI_STORE_LUA_HISTORY("id")
    PKI_STORE_LUA_STATUS("'-'")
    "redis.call('HDEL', KEYS[1], ARGV[1])\n"
    "return {0, ''}";


#endif /* PKI_STORE_SCRIPT_H */

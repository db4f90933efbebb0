
/*
 * The scripts of pki_store.c, which alone includes this.
 *
 * A script is sent with its text, so there is nothing to load and nothing
 * to lose.  It returns {result, something}, result as pki_store_result_t.
 * In each the news go first, then the audit entry, then the fact: a script
 * that Redis stops half-way (rights, a key of another type) may have told
 * of a change that did not come, but has never made one in silence.
 * Subscribers that ask at once are answered after the script's end.
 */

#ifndef PKI_STORE_SCRIPT_H
#define PKI_STORE_SCRIPT_H


#include "pki_store.h"


#define PKI_STORE_LUA_NEWS                                                  \
    "redis.call('PUBLISH', '" PKI_NEWS_CHANNEL "', ARGV[2])\n"

#define PKI_STORE_LUA_AUDIT(action, reason)                                 \
    "redis.call('XADD', KEYS[2], '*', 'action', " action ","                \
    " 'serial', ARGV[1], 'reason', " reason ", 'who', ARGV[3],"             \
    " 'from', ARGV[4], 'why', ARGV[5], 'at', ARGV[6])\n"

#define PKI_STORE_LUA_UNREADABLE(what)                                      \
    "return redis.error_reply('ERR unreadable " what "')"


/*
 * KEYS: revoked, audit, cert; ARGV: serial, owner, who, from, why, at of
 * the audit entry, then reason, at, the rest of the record, unrecorded.
 * A final reason that follows a hold does not make the time later, for
 * what was signed under the hold must not become valid by it.
 */

static const char  pki_store_lua_revoke[] =
    "local old = redis.call('HGET', KEYS[1], ARGV[1])\n"
    "local at, action = ARGV[8], 'revoke'\n"
    "if old then\n"
    "  local reason, since = string.match(old, '^1 (%d+) (%d+) %d+ ')\n"
    "  if not reason then "
         PKI_STORE_LUA_UNREADABLE("revocation record") " end\n"
    "  if reason == ARGV[7] then return {1, old} end\n"
    "  if reason ~= '6' then return {2, old} end\n"
    "  if tonumber(since) < tonumber(at) then at = since end\n"
    "  action = 'upgrade'\n"
    "elseif ARGV[10] == '0' and redis.call('EXISTS', KEYS[3]) == 0 then\n"
    "  return {3, ''}\n"
    "end\n"
    "local new = '1 ' .. ARGV[7] .. ' ' .. at .. ' ' .. ARGV[9]\n"
    PKI_STORE_LUA_NEWS
    PKI_STORE_LUA_AUDIT("action", "ARGV[7]")
    "redis.call('HSET', KEYS[1], ARGV[1], new)\n"
    "return {0, new}";


/* KEYS: revoked, audit; ARGV: as the first six above. */

static const char  pki_store_lua_release[] =
    "local old = redis.call('HGET', KEYS[1], ARGV[1])\n"
    "if not old then return {3, ''} end\n"
    "local reason = string.match(old, '^1 (%d+) %d+ %d+ ')\n"
    "if not reason then "
         PKI_STORE_LUA_UNREADABLE("revocation record") " end\n"
    "if reason ~= '6' then return {2, old} end\n"
    PKI_STORE_LUA_NEWS
    PKI_STORE_LUA_AUDIT("'release'", "reason")
    "redis.call('HDEL', KEYS[1], ARGV[1])\n"
    "return {0, ''}";


/* KEYS: cert; ARGV: the record, owner. */

static const char  pki_store_lua_record[] =
    "if redis.call('GET', KEYS[1]) then return {1, 0} end\n"
    PKI_STORE_LUA_NEWS
    "redis.call('SET', KEYS[1], ARGV[1])\n"
    "return {0, 1}";


#endif /* PKI_STORE_SCRIPT_H */

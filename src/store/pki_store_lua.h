
/*
 * What the scripts of certificates share.
 *
 * A script is sent with its text, so there is nothing to load and nothing
 * to lose.  It returns {result, something}, result as pki_store_result_t.
 * In each the news go first, then the audit entry, then the fact: a script
 * that Redis stops half-way (rights, a key of another type) may have told
 * of a change that did not come, but has never made one in silence.
 * Subscribers that ask at once are answered after the script's end.
 *
 * KEYS begin with: revoked, audit, cert, history, "page:"; ARGV with: serial,
 * owner, who, from, why, at of the audit entry.
 */

#ifndef PKI_STORE_LUA_H
#define PKI_STORE_LUA_H


#include "pki_store.h"


#define PKI_STORE_LUA_NEWS                                                  \
    "redis.call('PUBLISH', '" PKI_NEWS_CHANNEL "', ARGV[2])\n"

/* an expression: the entry's id */

#define PKI_STORE_LUA_AUDIT(action, reason)                                 \
    "redis.call('XADD', KEYS[2], '*', 'action', " action ","                \
    " 'serial', ARGV[1], 'reason', " reason ", 'who', ARGV[3],"             \
    " 'from', ARGV[4], 'why', ARGV[5], 'at', ARGV[6])\n"

#define PKI_STORE_LUA_HISTORY(id)                                           \
    "redis.call('RPUSH', KEYS[4], " id ")\n"

#define PKI_STORE_LUA_UNREADABLE(what)                                      \
    "return redis.error_reply('ERR unreadable " what "')"

/*
 * The page and the place of the certificate's status in it, or nil.  What
 * does not look like the beginning of a line is none: it is never written
 * over.
 */

#define PKI_STORE_LUA_LINE                                                  \
    "local page, offset = string.match(record or '',"                       \
    " '^2 %d+ %d+ %S+ (%d+) (%d+) ')\n"                                     \
    "if page then\n"                                                        \
    "  page = KEYS[5] .. page\n"                                            \
    "  local head = redis.call('GETRANGE', page, offset, offset + 1)\n"     \
    "  if not string.match(head, '^[-%x]\\t$') then page = nil end\n"       \
    "end\n"

#define PKI_STORE_LUA_STATUS(status)                                        \
    "if page then redis.call('SETRANGE', page, offset, " status ") end\n"


#endif /* PKI_STORE_LUA_H */


/*
 * The scripts of pki_state.c and pki_state_apply.c, which alone include
 * this; pki_store_script.h tells how scripts are written.  Each stands with
 * the keys that it is given: "pki:{<directory>}:" and the name; one that
 * ends in ':' is completed with the resource or the id.  Where the lease is
 * the first key, the token is the first argument.
 */

#ifndef PKI_STATE_SCRIPT_H
#define PKI_STATE_SCRIPT_H


#include "pki_state_call.h"


#define PKI_STATE_LUA_HELD(nothing)                                         \
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {2, " nothing     \
    "} end\n"

#define PKI_STATE_LUA_PUBLISH(what)                                         \
    "redis.call('PUBLISH', '" PKI_NEWS_CHANNEL "', " what ")\n"

#define PKI_STATE_LUA_UNREADABLE(what)                                      \
    "return redis.error_reply('ERR unreadable " what "')"

/*
 * State, since and alias of an object's record; state is nil when there is
 * none, and false when it cannot be read.
 */

#define PKI_STATE_LUA_READ                                                  \
    "local function read(text)\n"                                           \
    "  if not text then return nil, 0, '' end\n"                            \
    "  local s, t, gap, alias ="                                            \
    "    string.match(text, '^1 (%d+) (%d+)( ?)(%S*)$')\n"                  \
    "  if not s or (gap == '') ~= (alias == '') then return false end\n"    \
    "  return tonumber(s), tonumber(t), alias\n"                            \
    "end\n"

/*
 * What is told of objects becomes records: `told` is a list of {id, state,
 * mask, since, alias, recheck, kept}, alias '*' when it stays; kept: the
 * time to look again stays as well.  All is read before the first is
 * written, so that what is unreadable stops the whole.  KEYS: lease, index,
 * pending, names, recheck, absent, what objects' names begin with, owners;
 * ARGV: token, what owners begin with, round, sticky, settled, settle,
 * stage, the bits that are bad, those that are not known, and UNCLEAR: so a
 * new record begins, unless it is told.
 *
 * A change that is better and worse at once is taken for its worse half.
 * A lookup may be told the past, so what was put aside after `settled` is not
 * ended by it either.
 * Stage: 0 directly, which is news in any case, as somebody may wait for it;
 * 1 in a listing; 2 in a resource's first, whose end is news for all, so that
 * what is new and fine needs none of its own.  What an alias names is news
 * with it, and so is what a name has led to until now: "devices all" asks for
 * any of them.
 * What MGET does not find may be of another type: GET would say so.
 *
 * A record of what is missing is forgotten after a day and then looked up
 * again: whoever asks for made-up objects must not fill Redis.
 */

#define PKI_STATE_MISSING_TTL  "86400"

#define PKI_STATE_LUA_MERGE                                                 \
    PKI_STATE_LUA_READ                                                      \
    "local band, bor, bnot = bit.band, bit.bor, bit.bnot\n"                 \
    "local sticky, settled = tonumber(ARGV[4]), tonumber(ARGV[5])\n"        \
    "local bad, weak = tonumber(ARGV[8]), tonumber(ARGV[9])\n"              \
    "local unclear = tonumber(ARGV[10])\n"                                  \
    "local direct, quiet = ARGV[7] == '0', ARGV[7] == '2'\n"                \
    "local changed, staged, deferred = 0, 0, 0\n"                           \
    "local news, facts, put, ended = {}, {}, {}, {}\n"                      \
    "local due, rest = {}, {}\n"                                            \
    "local where, passing = {}, {}\n"                                       \
    "for i, o in ipairs(told) do where[i] = KEYS[7] .. ':' .. o.id end\n"   \
    "local texts = #told > 0 and redis.call('MGET', unpack(where)) or {}\n" \
    "for i, o in ipairs(told) do\n"                                         \
    "  local key = where[i]\n"                                              \
    "  local was, since, alias ="                                           \
    "    read(texts[i] or redis.call('GET', key))\n"                        \
    "  if was == false then "                                               \
         PKI_STATE_LUA_UNREADABLE("object record") " end\n"                 \
    "  local old = was or 0\n"                                              \
    "  local new = bor(band(old, bnot(o.mask)), o.state,"                   \
    "                  band(old, sticky))\n"                                \
    "  if not was and band(o.mask, unclear) == 0 then"                      \
    "    new = bor(new, unclear) end\n"                                     \
    "  local worse = band(new, bad, bnot(old)) ~= 0\n"                      \
    "  local again, late = o.recheck, false\n"                              \
    "  if settled > 0 and since > settled"                                  \
    "    and band(old, bad, bnot(new)) ~= 0 then\n"                         \
    "    new = worse and bor(new, band(old, bad)) or old\n"                 \
    "    late = true\n"                                                     \
    "    local at = since + tonumber(ARGV[6])\n"                            \
    "    if again == 0 or at < again then again = at end\n"                 \
    "  end\n"                                                               \
    "  local at = o.since\n"                                                \
    "  if new == was or (band(old, bad) ~= 0 and band(new, bad) ~= 0"       \
    "                    and since < at) then at = since end\n"             \
    "  if worse and not direct and was"                                     \
    "    and (was == 0 or band(was, bnot(weak)) ~= 0) then\n"               \
    "    put[#put + 1] = o.id\n"                                            \
    "    put[#put + 1] = string.format('1 %d %d %d %s', o.state, o.since,"  \
    "                                  o.mask, o.alias)\n"                  \
    "    staged = staged + 1\n"                                             \
    "  elseif o.mask ~= 0 then\n"                                           \
    "    local name = alias\n"                                              \
    "    if o.alias ~= '*' then name = string.sub(o.alias, 2) end\n"        \
    "    local change = new ~= was or name ~= alias\n"                      \
    "    if direct or change and (was or not quiet or new ~= 0) then\n"     \
    "      news[#news + 1] = ARGV[2] .. o.id end\n"                         \
    "    for _, other in ipairs(name ~= alias and {alias, name} or {}) do\n"\
    "      if other ~= '' and (not quiet or redis.call('EXISTS',"            \
    "           KEYS[7] .. ':' .. other) == 1) then\n"                      \
    "        news[#news + 1] = ARGV[2] .. other end\n"                      \
    "    end\n"                                                             \
    "    if change then\n"                                                  \
    "      facts[#facts + 1] = key\n"                                       \
    "      facts[#facts + 1] = string.format('1 %d %d', new, at)"           \
    "                          .. (name ~= '' and ' ' .. name or '')\n"     \
    "      if band(new, weak - unclear) ~= 0 then\n"                        \
    "        passing[#passing + 1] = key end\n"                             \
    "      changed = changed + 1\n"                                         \
    "    end\n"                                                             \
    "    local aside = direct and settled > 0 and not o.kept"               \
    "      and redis.call('HGET', KEYS[3], o.id)\n"                         \
    "    local s, t ="                                                      \
    "      string.match(aside or '', '^1 (%d+) (%d+) ')\n"                  \
    "    if s and tonumber(t) > settled"                                    \
    "      and band(tonumber(s), bad, bnot(new)) ~= 0 then\n"               \
    "      late = true\n"                                                   \
    "      local at = tonumber(t) + tonumber(ARGV[6])\n"                    \
    "      if again == 0 or at < again then again = at end\n"               \
    "    else ended[#ended + 1] = o.id end\n"                               \
    "  end\n"                                                               \
    "  if late then deferred = deferred + 1 end\n"                          \
    "  if again ~= 0 then\n"                                                \
    "    due[#due + 1] = again\n"                                           \
    "    due[#due + 1] = o.id\n"                                            \
    "  elseif not o.kept then rest[#rest + 1] = o.id end\n"                 \
    "end\n"

#define PKI_STATE_LUA_WRITE                                                 \
    "local function all(list, ...)\n"                                       \
    "  if #list == 0 then return end\n"                                     \
    "  local args = {...}\n"                                                \
    "  local n = #args\n"                                                   \
    "  for i, v in ipairs(list) do args[n + i] = v end\n"                   \
    "  redis.call(unpack(args))\n"                                          \
    "end\n"                                                                 \
    "for _, owner in ipairs(news) do "                                      \
         PKI_STATE_LUA_PUBLISH("owner") "end\n"                             \
    "all(facts, 'MSET')\n"                                                  \
    "for _, key in ipairs(passing) do redis.call('EXPIRE', key, "           \
         PKI_STATE_MISSING_TTL ") end\n"                                    \
    "all(put, 'HSET', KEYS[3])\n"                                           \
    "all(ended, 'HDEL', KEYS[3])\n"                                         \
    "all(rest, 'ZREM', KEYS[5])\n"                                          \
    "all(due, 'ZADD', KEYS[5], 'LT')\n"

/* ARGV: token, milliseconds */

static const pki_state_script_t  pki_state_lua_lease = {
    { "lease" },
    "local holder = redis.call('GET', KEYS[1])\n"
    "if holder and holder ~= ARGV[1] then return {2, 0} end\n"
    "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"
    "return {0, holder and 0 or 1}"
};


static const pki_state_script_t  pki_state_lua_unlease = {
    { "lease" },
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {0, 0} end\n"
    "redis.call('DEL', KEYS[1])\n"
    PKI_STATE_LUA_PUBLISH("ARGV[2]")
    "return {0, 1}"
};


/* ARGV: resource.  pki_state_sync_read() knows the order. */

static const pki_state_script_t  pki_state_lua_sync = {
    { "sync", "index:", "pending:" },
    "local r = ARGV[1]\n"
    "local v = redis.call('HMGET', KEYS[1], r .. '.at', r .. '.round',"
    "  r .. '.full', r .. '.guard', r .. '.rounds', 'release', 'asked',"
    "  r .. '.link')\n"
    "v[9] = redis.call('HLEN', KEYS[2])\n"
    "v[10] = redis.call('HLEN', KEYS[3])\n"
    "return {0, v}"
};


/* ARGV: token, resource */

static const pki_state_script_t  pki_state_lua_begin = {
    { "lease", "sync", "pending:" },
    PKI_STATE_LUA_HELD("0")
    "redis.call('UNLINK', KEYS[3])\n"
    "local n = redis.call('HINCRBY', KEYS[2], ARGV[2] .. '.round', 1)\n"
    "if n > 1 and redis.call('HGET', KEYS[2], ARGV[2] .. '.full') == false\n"
    "then\n"
    "  " PKI_STATE_LUA_PUBLISH("'" PKI_NEWS_ALL "'")
    "end\n"
    "return {0, n}"
};


/* ARGV: token, resource, at, full, and the link unless it stays */

static const pki_state_script_t  pki_state_lua_commit = {
    { "lease", "sync" },
    PKI_STATE_LUA_HELD("0")
    "local r = ARGV[2]\n"
    "if ARGV[5] == '' then redis.call('HDEL', KEYS[2], r .. '.link')\n"
    "elseif ARGV[5] then redis.call('HSET', KEYS[2], r .. '.link', ARGV[5])\n"
    "end\n"
    "if ARGV[4] == '1' then\n"
    "  if redis.call('HGET', KEYS[2], r .. '.full') == false then\n"
    "    " PKI_STATE_LUA_PUBLISH("'" PKI_NEWS_ALL "'") "  end\n"
    "  redis.call('HSET', KEYS[2], r .. '.full', ARGV[3])\n"
    "end\n"
    "redis.call('HSET', KEYS[2], r .. '.at', ARGV[3])\n"
    "return {0, 1}"
};


/*
 * ARGV: token, resource, at, rounds.  A release is for all that is held of a
 * directory: it ends with the last of it.
 */

static const pki_state_script_t  pki_state_lua_guard = {
    { "lease", "sync" },
    PKI_STATE_LUA_HELD("0")
    "local r = ARGV[2]\n"
    "if ARGV[3] == '0' then\n"
    "  redis.call('HDEL', KEYS[2], r .. '.guard', r .. '.rounds')\n"
    "  local all = redis.call('HGETALL', KEYS[2])\n"
    "  for i = 1, #all, 2 do\n"
    "    if string.sub(all[i], -6) == '.guard' then return {0, 0} end\n"
    "  end\n"
    "  redis.call('HDEL', KEYS[2], 'release')\n"
    "  return {0, 0}\n"
    "end\n"
    "redis.call('HSETNX', KEYS[2], r .. '.guard', ARGV[3])\n"
    "return {0, redis.call('HINCRBY', KEYS[2], r .. '.rounds', ARGV[4])}"
};


/* ARGV: round, cursor, count, states to leave out */

static const pki_state_script_t  pki_state_lua_unseen = {
    { "index:", "object" },
    PKI_STATE_LUA_READ
    "local round, except, out = tonumber(ARGV[1]), tonumber(ARGV[4]), {}\n"
    "local function left(id)\n"
    "  if except == 0 then return true end\n"
    "  local state = read(redis.call('GET', KEYS[2] .. ':' .. id))\n"
    "  return not state or bit.band(state, except) == 0\n"
    "end\n"
    "local slice = redis.call('HSCAN', KEYS[1], ARGV[2], 'COUNT', ARGV[3])\n"
    "out[1] = slice[1]\n"
    "for i = 1, #slice[2], 2 do\n"
    "  local seen, id = string.match(slice[2][i + 1], '^1 (%d+) (%S+)$')\n"
    "  if not seen then "
         PKI_STATE_LUA_UNREADABLE("index entry") " end\n"
    "  if tonumber(seen) < round and left(id) then\n"
    "    out[#out + 1] = slice[2][i]\n"
    "    out[#out + 1] = id\n"
    "  end\n"
    "end\n"
    "return {0, out}"
};


/* ARGV: token, then the keys */

static const pki_state_script_t  pki_state_lua_drop = {
    { "lease", "index:" },
    PKI_STATE_LUA_HELD("0")
    "if #ARGV == 1 then return {0, 0} end\n"
    "return {0, redis.call('HDEL', KEYS[2], unpack(ARGV, 2))}"
};


/* ARGV: the keys */

static const pki_state_script_t  pki_state_lua_ids = {
    { "index:" },
    "local out = {'0'}\n"
    "if #ARGV == 0 then return {0, out} end\n"
    "for i, entry in ipairs(redis.call('HMGET', KEYS[1], unpack(ARGV))) do\n"
    "  if entry then\n"
    "    local id = string.match(entry, '^1 %d+ (%S+)$')\n"
    "    if not id then " PKI_STATE_LUA_UNREADABLE("index entry") " end\n"
    "    out[#out + 1] = ARGV[i]\n"
    "    out[#out + 1] = id\n"
    "  end\n"
    "end\n"
    "return {0, out}"
};


/* ARGV: the name in lower case */

static const pki_state_script_t  pki_state_lua_resolve = {
    { "names" },
    "local id = redis.call('HGET', KEYS[1], ARGV[1])\n"
    "if not id then return {3, {'0'}} end\n"
    "return {0, {'0', ARGV[1], id}}"
};


/* ARGV: id, how many may wait, the hint */

static const pki_state_script_t  pki_state_lua_want = {
    { "wanted" },
    "if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 1 then return {0, 0} end\n"
    "if redis.call('SCARD', KEYS[1]) >= tonumber(ARGV[2]) then"
    "  return {2, 0} end\n"
    PKI_STATE_LUA_PUBLISH("ARGV[3]")
    "redis.call('SADD', KEYS[1], ARGV[1])\n"
    "return {0, 1}"
};


/* ARGV: token, how many */

static const pki_state_script_t  pki_state_lua_wanted = {
    { "lease", "wanted" },
    PKI_STATE_LUA_HELD("{'0'}")
    "local out = {'0'}\n"
    "for _, id in ipairs(redis.call('SPOP', KEYS[2], ARGV[2])) do\n"
    "  out[#out + 1] = id\n"
    "  out[#out + 1] = ''\n"
    "end\n"
    "return {0, out}"
};


/* ARGV: now, how many */

static const pki_state_script_t  pki_state_lua_due = {
    { "recheck" },
    "local out = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1],"
    "  'WITHSCORES', 'LIMIT', 0, ARGV[2])\n"
    "table.insert(out, 1, '0')\n"
    "return {0, out}"
};


/* ARGV: token, id, due */

static const pki_state_script_t  pki_state_lua_recheck = {
    { "lease", "recheck" },
    PKI_STATE_LUA_HELD("0")
    "if ARGV[3] == '0' then"
    "  return {0, redis.call('ZREM', KEYS[2], ARGV[2])} end\n"
    "redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2])\n"
    "return {0, 1}"
};


/* ARGV: token, id, now */

static const pki_state_script_t  pki_state_lua_absent = {
    { "lease", "absent" },
    PKI_STATE_LUA_HELD("0")
    "local first = redis.call('HGET', KEYS[2], ARGV[2])\n"
    "if not first then\n"
    "  redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])\n"
    "  return {0, 0}\n"
    "end\n"
    "if not string.match(first, '^%d+$') then "
       PKI_STATE_LUA_UNREADABLE("time of an absence") " end\n"
    "return {0, math.max(0, tonumber(ARGV[3]) - tonumber(first))}"
};


/* ARGV: id */

static const pki_state_script_t  pki_state_lua_object = {
    { "object:", "absent", "recheck", "owners" },
    PKI_STATE_LUA_READ
    "local out = {'0'}\n"
    "local function add(name, value)\n"
    "  if not value then return end\n"
    "  out[#out + 1] = name\n"
    "  out[#out + 1] = value\n"
    "end\n"
    "local state, since, alias = read(redis.call('GET', KEYS[1]))\n"
    "if state == false then "
         PKI_STATE_LUA_UNREADABLE("object record") " end\n"
    "if state then\n"
    "  add('state', string.format('%d', state))\n"
    "  add('since', string.format('%d', since))\n"
    "  if alias ~= '' then add('alias', alias) end\n"
    "end\n"
    "add('absent', redis.call('HGET', KEYS[2], ARGV[1]))\n"
    "add('recheck', redis.call('ZSCORE', KEYS[3], ARGV[1]))\n"
    "add('owner', state and redis.call('HGET', KEYS[4], ARGV[1]))\n"
    "return {#out == 1 and 3 or 0, out}"
};


/* ARGV: what, at, the hint */

static const pki_state_script_t  pki_state_lua_ask = {
    { "sync" },
    PKI_STATE_LUA_PUBLISH("ARGV[3]")
    "redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])\n"
    "return {0, 1}"
};


/* ARGV: token, then names and values */

static const pki_state_script_t  pki_state_lua_report = {
    { "lease", "status" },
    PKI_STATE_LUA_HELD("0")
    "redis.call('DEL', KEYS[2])\n"
    "if #ARGV > 1 then redis.call('HSET', KEYS[2], unpack(ARGV, 2)) end\n"
    "return {0, 1}"
};


/* the holder is what stands before the token's random part */

static const pki_state_script_t  pki_state_lua_status = {
    { "status", "lease" },
    "local out = redis.call('HGETALL', KEYS[1])\n"
    "table.insert(out, 1, '0')\n"
    "local holder = string.match(redis.call('GET', KEYS[2]) or '',"
    "  '^(%S+) ')\n"
    "if holder then\n"
    "  out[#out + 1] = 'holder'\n"
    "  out[#out + 1] = holder\n"
    "end\n"
    "return {0, out}"
};


/*
 * ARGV, after those of PKI_STATE_LUA_MERGE: "<id> <key> <alias> <state>
 * <mask> <since> <recheck> <name>" of each object; key and alias are '*', or
 * '=' and the text.  What is told twice of an object is one thing, each bit
 * as told last.  Whoever tells neither MISSING nor UNCLEAR has not looked at
 * the object itself: when to do that, and whether it was absent, stays.
 */

#define PKI_STATE_LUA_TOLD                                                  \
    "local told, byid, seen, keys, ids = {}, {}, {}, {}, {}\n"              \
    "local names, named = {}, {}\n"                                         \
    "for i = 11, #ARGV do\n"                                                \
    "  local id, key, alias, state, mask, since, again, owner, name ="      \
    "    string.match(ARGV[i],"                                             \
    "      '^(%S+) (%S+) (%S+) (%d+) (%d+) (%d+) (%d+) (%S+) (.*)$')\n"     \
    "  state, mask = tonumber(state), tonumber(mask)\n"                     \
    "  local o = byid[id]\n"                                                \
    "  if not o then\n"                                                     \
    "    o = {id = id, state = 0, mask = 0, since = 0, alias = '*'}\n"      \
    "    byid[id] = o\n"                                                    \
    "    told[#told + 1] = o\n"                                             \
    "  end\n"                                                               \
    "  o.state = bit.bor(bit.band(o.state, bit.bnot(mask)), state)\n"       \
    "  o.mask = bit.bor(o.mask, mask)\n"                                    \
    "  o.recheck = tonumber(again)\n"                                       \
    "  if mask ~= 0 or o.since == 0 then o.since = tonumber(since) end\n"   \
    "  if alias ~= '*' then o.alias = alias end\n"                          \
    "  if owner ~= '*' then o.owner = string.sub(owner, 2) end\n"           \
    "  keys[#keys + 1] = key == '*' and id or string.sub(key, 2)\n"         \
    "  ids[#ids + 1] = id\n"                                                \
    "  if name ~= '' then\n"                                                \
    "    names[#names + 1] = name\n"                                        \
    "    named[#named + 1] = id\n"                                          \
    "  end\n"                                                               \
    "end\n"                                                                 \
    "for _, o in ipairs(told) do\n"                                         \
    "  o.kept = bit.band(o.mask, tonumber(ARGV[9])) == 0\n"                 \
    "  if o.mask == 0 or not o.kept then seen[#seen + 1] = o.id end\n"      \
    "end\n"

/* an object that another has taken the key of is to be looked at at once */

#define PKI_STATE_LUA_INDEX                                                 \
    "local index, called, owned, free = {}, {}, {}, {}\n"                   \
    "for _, o in ipairs(told) do\n"                                         \
    "  if o.owner == '' then free[#free + 1] = o.id\n"                      \
    "  elseif o.owner then\n"                                               \
    "    owned[#owned + 1] = o.id\n"                                        \
    "    owned[#owned + 1] = o.owner\n"                                     \
    "  end\n"                                                               \
    "end\n"                                                                 \
    "if ARGV[3] ~= '0' and #keys > 0 then\n"                                \
    "  local entries = redis.call('HMGET', KEYS[2], unpack(keys))\n"        \
    "  local owner = {}\n"                                                  \
    "  for i, key in ipairs(keys) do\n"                                     \
    "    local id = owner[key]\n"                                           \
    "    if not id and entries[i] then\n"                                   \
    "      id = string.match(entries[i], '^1 %d+ (%S+)$')\n"                \
    "      if not id then "                                                 \
             PKI_STATE_LUA_UNREADABLE("index entry") " end\n"               \
    "    end\n"                                                             \
    "    if id and id ~= ids[i] then\n"                                     \
    "      due[#due + 1] = 0\n"                                             \
    "      due[#due + 1] = id\n"                                            \
    "    end\n"                                                             \
    "    owner[key] = ids[i]\n"                                             \
    "    index[#index + 1] = key\n"                                         \
    "    index[#index + 1] = '1 ' .. ARGV[3] .. ' ' .. ids[i]\n"            \
    "  end\n"                                                               \
    "end\n"                                                                 \
    "if #names > 0 then\n"                                                  \
    "  local entries = redis.call('HMGET', KEYS[4], unpack(names))\n"       \
    "  for i, name in ipairs(names) do\n"                                   \
    "    if entries[i] ~= named[i] then\n"                                  \
    "      called[#called + 1] = name\n"                                    \
    "      called[#called + 1] = named[i]\n"                                \
    "      if entries[i] then news[#news + 1] = ARGV[2] .. entries[i] end\n"\
    "    end\n"                                                             \
    "  end\n"                                                               \
    "end\n"

#define PKI_STATE_LUA_APPLY                                                 \
    PKI_STATE_LUA_TOLD                                                      \
    PKI_STATE_LUA_MERGE                                                     \
    PKI_STATE_LUA_INDEX                                                     \
    PKI_STATE_LUA_WRITE                                                     \
    "all(index, 'HSET', KEYS[2])\n"                                         \
    "all(called, 'HSET', KEYS[4])\n"                                        \
    "all(owned, 'HSET', KEYS[8])\n"                                         \
    "all(free, 'HDEL', KEYS[8])\n"                                          \
    "all(seen, 'HDEL', KEYS[6])\n"

#define PKI_STATE_LUA_KEYS                                                  \
    "lease", "index:", "pending:", "names", "recheck", "absent", "object",  \
    "owners"


static const pki_state_script_t  pki_state_lua_apply = {
    { PKI_STATE_LUA_KEYS },
    PKI_STATE_LUA_HELD("{0, 0, 0}")
    PKI_STATE_LUA_APPLY
    "return {0, {changed, staged, deferred}}"
};


/* ARGV[1] is the time instead */

static const pki_state_script_t  pki_state_lua_push = {
    { PKI_STATE_LUA_KEYS, "sync" },
    PKI_STATE_LUA_APPLY
    "redis.call('HSET', KEYS[9], 'push.at', ARGV[1])\n"
    "return {0, {changed, staged, deferred}}"
};


/* one more argument: how many at once */

static const pki_state_script_t  pki_state_lua_settle = {
    { PKI_STATE_LUA_KEYS },
    PKI_STATE_LUA_HELD("0")
    "local told = {}\n"
    "local some = redis.call('HRANDFIELD', KEYS[3], ARGV[11], 'WITHVALUES')\n"
    "for i = 1, #some, 2 do\n"
    "  local s, t, mask, alias ="
    "    string.match(some[i + 1], '^1 (%d+) (%d+) (%d+) ([*=]%S*)$')\n"
    "  if not s then " PKI_STATE_LUA_UNREADABLE("pending record") " end\n"
    "  told[#told + 1] = {id = some[i], state = tonumber(s),"
    "    since = tonumber(t), mask = tonumber(mask), alias = alias,"
    "    recheck = 0, kept = true}\n"
    "end\n"
    PKI_STATE_LUA_MERGE
    PKI_STATE_LUA_WRITE
    "return {0, redis.call('HLEN', KEYS[3])}"
};


#endif /* PKI_STATE_SCRIPT_H */


/*
 * The scripts of pki_book_read.c, which alone includes this.  They change
 * nothing and return {where to go on, what was asked for}.
 */

#ifndef PKI_BOOK_READ_SCRIPT_H
#define PKI_BOOK_READ_SCRIPT_H


/* KEYS: "cert:", "page:"; ARGV: serials. */

static const char  pki_book_lua_rows[] =
    "local lines = {}\n"
    "for i, serial in ipairs(ARGV) do\n"
    "  local record = redis.call('GET', KEYS[1] .. serial) or ''\n"
    "  local page, offset, length = string.match(record,"
    "    '^2 %d+ %d+ %S+ (%d+) (%d+) (%d+) ')\n"
    "  lines[i] = page and redis.call('GETRANGE', KEYS[2] .. page, offset,"
    "    offset + length - 1) or ''\n"
    "end\n"
    "return {0, lines}";


/* KEYS: bound; ARGV: id, from, how many. */

static const char  pki_book_lua_object[] =
    "local all = redis.call('HGET', KEYS[1], ARGV[1]) or ''\n"
    "local from = tonumber(ARGV[2])\n"
    "local to = from + tonumber(ARGV[3])\n"
    "return {to * 20 < #all and to or 0,"
    " string.sub(all, from * 20 + 1, to * 20)}";


/*
 * KEYS: audit, cert, history; ARGV: from, how many.  An entry that is not in
 * the stream any more is left out.
 */

static const char  pki_book_lua_history[] =
    "local first = string.match(redis.call('GET', KEYS[2]) or '',"
    " '^2 %d+ %d+ %S+ %d+ %d+ %d+ (%S+) ')\n"
    "local from, ids, values = tonumber(ARGV[1]), {}, {}\n"
    "local to, skip = from + tonumber(ARGV[2]), 0\n"
    "if first and first ~= '-' then skip = 1 end\n"
    "if skip == 1 and from == 0 then ids[1] = first end\n"
    "if to > skip then\n"
    "  for _, id in ipairs(redis.call('LRANGE', KEYS[3],"
    "    math.max(from - skip, 0), to - skip - 1)) do ids[#ids + 1] = id end\n"
    "end\n"
    "for _, id in ipairs(ids) do\n"
    "  local entry, f = redis.call('XRANGE', KEYS[1], id, id)[1], {}\n"
    "  if entry then\n"
    "    for i = 1, #entry[2], 2 do f[entry[2][i]] = entry[2][i + 1] end\n"
    "    for _, name in ipairs({'action', 'reason', 'who', 'from', 'why',"
    "      'at'}) do values[#values + 1] = f[name] or '' end\n"
    "  end\n"
    "end\n"
    "return {to < skip + redis.call('LLEN', KEYS[3]) and to or 0, values}";


#endif /* PKI_BOOK_READ_SCRIPT_H */

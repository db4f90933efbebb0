-- Requests for wrk, by the first argument:
--
--   get FILE      one path, or all paths of the file in turn; each thread
--                 begins at a place of its own
--   post FILE     one body
--   nonce FILE    one body, in which 32 octets "N" are new in each request
--
-- At the end one line: "bench", requests, microseconds, p50, p99 and errors.

local ffi = require("ffi")

local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

local function read(name, what)
    local file = assert(io.open(name, "rb"))
    local text = file:read(what)

    file:close()
    return text
end

local function get(name)
    local requests = {}

    for path in io.lines(name) do
        requests[#requests + 1] = wrk.format("GET", wrk.path .. path)
    end

    if #requests == 1 then
        wrk.path = wrk.path .. read(name, "*l")
        return
    end

    -- two threads that go half way round never meet

    local i = math.floor(number * #requests / 2)

    function request()
        i = i % #requests + 1
        return requests[i]
    end
end

local function nonce()
    local octets = ffi.new("uint32_t[8]")
    local whole = wrk.format()
    local first, last = whole:find(("N"):rep(32), 1, true)
    local head, tail = whole:sub(1, first - 1), whole:sub(last + 1)
    local seed = 0

    for _, n in ipairs({ read("/dev/urandom", 4):byte(1, 4) }) do
        seed = seed * 256 + n
    end

    math.randomseed(seed + number)

    function request()
        for n = 0, 7 do
            octets[n] = math.random(0, 0xffffffff)
        end

        return head .. ffi.string(octets, 32) .. tail
    end
end

function init(args)
    if args[1] == "get" then
        get(args[2])
        return
    end

    wrk.method = "POST"
    wrk.body = read(args[2], "*a")
    wrk.headers["Content-Type"] = "application/ocsp-request"

    if args[1] == "nonce" then
        nonce()
    end
end

function done(summary, latency)
    local e = summary.errors

    io.write(("bench %d %d %d %d %d\n"):format(
             summary.requests, summary.duration, latency:percentile(50),
             latency:percentile(99),
             e.connect + e.read + e.write + e.status + e.timeout))
end

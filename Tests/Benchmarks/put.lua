-- Upserts of the new sessions PREFIX-1, PREFIX-2 and so on: wrk -s put.lua URL -- PREFIX DOCUMENT [FIRST]
-- ID in DOCUMENT stands for the session's id. FIRST, by default 0, is the number before the first one.
dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "result.lua")
local before, middle, after
local last

function init(args)
  local prefix, document = args[1], args[2]
  -- wrk asks for one request that it never sends, to look at it.
  last = tonumber(args[3] or 0) - 1
  local id = string.format("%s-%08d", prefix, 0)
  local start, stop = document:find("ID", 1, true)
  local length = #document - 2 + #id
  before = string.format("PUT /session-context/acme/context/%s-", prefix)
  middle = string.format("?upsert=true HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s%s-",
    wrk.headers["Host"], length, document:sub(1, start - 1), prefix)
  after = document:sub(stop + 1)
end

function request()
  last = last + 1
  local number = string.format("%08d", last)
  return before .. number .. middle .. number .. after
end

-- Upserts SESSIONS sessions, then sets attributes of them in turn: wrk -s fill.lua URL -- SESSIONS VALUE_BYTES FIRST
-- FIRST is the number of requests before, by which it goes on.
dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "result.lua")
local sessions, value, host
local last

function init(args)
  sessions = tonumber(args[1])
  last = tonumber(args[3]) - 1
  value = string.rep("x", tonumber(args[2]))
  host = wrk.headers["Host"]
end

function request()
  last = last + 1
  local session = string.format("0b9c6e1d-5f1a-4c3e-9d21-%012d", last % sessions)
  local method, path, body
  if last < sessions then
    method, path = "PUT", session .. "?upsert=true"
    body = '{"siteCode":"main","currency":"EUR","targetLocation":"DE","language":"de","context":{"note":"' .. value .. '"}}'
  else
    method, path = "POST", session .. "/attributes"
    body = string.format('{"key":"note","value":"%s%d"}', value, last)
  end
  return string.format(
    "%s /session-context/acme/context/%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
    method, path, host, #body, body)
end

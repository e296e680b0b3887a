-- Sets an attribute of one session, again and again: wrk -s history.lua URL -- SESSION
dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "result.lua")
local path, host
local last = 0

function init(args)
  path = string.format("/session-context/acme/context/%s/attributes", args[1])
  host = wrk.headers["Host"]
end

function request()
  last = last + 1
  local body = string.format('{"key":"note","value":%d}', last)
  return string.format(
    "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, host, #body, body)
end

-- SETs of new keys through webdis: wrk -s webdis.lua URL -- PREFIX VALUE. The keys are
-- PREFIX-00000001 and so on.
dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "result.lua")
local prefix, tail
-- wrk asks for one request that it never sends, to look at it.
local last = -1

function init(args)
  prefix = args[1]
  tail = string.format(" HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", wrk.headers["Host"], #args[2], args[2])
end

function request()
  last = last + 1
  return string.format("PUT /SET/%s-%08d", prefix, last) .. tail
end

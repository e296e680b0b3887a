-- GETs of the sessions PREFIX-1 to PREFIX-COUNT, one after the other: wrk -s get.lua URL -- PREFIX COUNT
dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "result.lua")
local requests = {}
local last = 0

function init(args)
  for number = 1, tonumber(args[2]) do
    requests[number] = wrk.format("GET", string.format("/session-context/acme/context/%s-%08d", args[1], number))
  end
end

function request()
  last = last % #requests + 1
  return requests[last]
end

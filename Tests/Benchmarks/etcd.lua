-- Puts of new keys through etcd's JSON gateway: wrk -s etcd.lua URL -- PREFIX VALUE. VALUE is base64; the keys are
-- PREFIX-00000001 and so on, of which the gateway wants base64, too.
dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "result.lua")
local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local prefix, host, tail
-- wrk asks for one request that it never sends, to look at it.
local last = -1

-- Of text whose length is a multiple of three.
local function base64(text)
  return (text:gsub("(.)(.)(.)", function(one, two, three)
    local bits = (one:byte() * 256 + two:byte()) * 256 + three:byte()
    local coded = ""
    for _ = 1, 4 do
      local digit = bits % 64
      coded = alphabet:sub(digit + 1, digit + 1) .. coded
      bits = (bits - digit) / 64
    end
    return coded
  end))
end

function init(args)
  prefix = args[1]
  host = wrk.headers["Host"]
  tail = '","value":"' .. args[2] .. '"}'
  assert(#string.format("%s-%08d", prefix, 0) % 3 == 0, "a key's length must be a multiple of three")
end

function request()
  last = last + 1
  local body = '{"key":"' .. base64(string.format("%s-%08d", prefix, last)) .. tail
  return string.format("POST /v3/kv/put HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
    host, #body, body)
end

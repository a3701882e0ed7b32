-- The ad request as an Envoy Lua filter: the table is read once by each worker; a request parses its query and takes its key's next turn.
local ads, turns = {}, {}

for line in io.lines("@TABLE@") do
  local country, lang, hours, body = line:match("^(%a+)\t(%a+)\t(%d+)\t(.*)$")
  local key = country .. ":" .. lang
  local cycles = ads[key]
  if not cycles then
    cycles = {}
    for hour = 1, 24 do cycles[hour] = {} end
    ads[key], turns[key] = cycles, 0
  end
  for hour = 1, 24 do
    if hours:byte(hour) == 49 then table.insert(cycles[hour], body) end
  end
end
for _, cycles in pairs(ads) do
  for hour = 1, 24 do cycles[hour].n = #cycles[hour] end
end

local ok = { [":status"] = "200", ["content-type"] = "application/json" }
local missing = { [":status"] = "404", ["content-type"] = "application/json" }
local bad = { [":status"] = "400", ["content-type"] = "application/json" }
local no_ad = '{"message":"There is no ad for this country and language right now. Show none and play on.","code":"no_ad_available"}'
local floor, time = math.floor, os.time

function envoy_on_request(handle)
  local country, lang
  for name, value in handle:headers():get(":path"):gmatch("[?&]([^&=]+)=([^&]*)") do
    if name == "country" then
      country = value:lower()
    elseif name == "lang" then
      lang = value:lower()
    end
  end
  if not country or not lang then
    handle:respond(bad, '{"message":"A parameter is missing.","code":"missing_parameter"}')
    return
  end
  local key = country .. ":" .. lang
  local cycles = ads[key]
  local cycle = cycles and cycles[floor(time() / 3600) % 24 + 1]
  if not cycle or cycle.n == 0 then
    handle:respond(missing, no_ad)
    return
  end
  local turn = turns[key] % cycle.n
  turns[key] = turn + 1
  handle:respond(ok, cycle[turn + 1])
end

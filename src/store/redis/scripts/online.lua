-- Takes in that users of one bucket are online, of whom nothing else is known. As seen.lua does for each.
-- KEYS: records  ARGV: 1 seconds to remember  2 s; what was seen last then or before is forgotten  3.. online s of each
local remember, gone = ARGV[1], tonumber(ARGV[2])
for i, key in ipairs(KEYS) do
  local active, online = unpack(redis.call('HMGET', key, 'a', 'o'))
  if active and math.max(tonumber(active), tonumber(online)) <= gone then
    redis.call('DEL', key)
    active = nil
  end
  if not active then
    redis.call('HSET', key, 'a', '0', 'o', ARGV[2 + i])
  elseif tonumber(ARGV[2 + i]) > tonumber(online) then
    redis.call('HSET', key, 'o', ARGV[2 + i])
  end
  redis.call('EXPIRE', key, remember)
end
return #KEYS

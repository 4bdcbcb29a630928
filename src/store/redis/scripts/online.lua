-- Marks users of one bucket as online, as seen.lua does for one user.
-- KEYS: records  ARGV: 1 seconds to remember  2 s; records last seen then or before are deleted  3.. online s of each
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

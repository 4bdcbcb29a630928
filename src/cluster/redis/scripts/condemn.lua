-- Declares incarnations dead that have users but no lease, and are not yet dead: Redis was emptied or went back to an old
-- state, and lost their leases. Does nothing while Redis has only just come back.
-- KEYS: 1 lease  2 dead  3 clock  ARGV: incarnations
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local hold = redis.call('HGET', KEYS[3], 'hold')
if hold and now <= tonumber(hold) then return 0 end
local condemned = 0
for _, incarnation in ipairs(ARGV) do
  if not redis.call('ZSCORE', KEYS[1], incarnation) and not redis.call('ZSCORE', KEYS[2], incarnation) then
    redis.call('ZADD', KEYS[2], string.format('%.0f', now), incarnation)
    condemned = condemned + 1
  end
end
return condemned

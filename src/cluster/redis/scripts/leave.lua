-- Keeps the lease of a node that stops in good order for the given time, for its lingering connections. Then the
-- incarnation is dead.
-- KEYS: 1 lease  2 retired  ARGV: 1 incarnation  2 milliseconds
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[2])), ARGV[1])
redis.call('SADD', KEYS[2], ARGV[1])
return 1

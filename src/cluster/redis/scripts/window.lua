-- Takes one call of a rate limit with a sliding window. Returns 0, or the microseconds until the next call is allowed.
-- KEYS: 1 times of the latest calls, newest first  ARGV: 1 limit  2 microseconds
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local limit, span = tonumber(ARGV[1]), tonumber(ARGV[2])
local oldest = redis.call('LINDEX', KEYS[1], limit - 1)
if oldest and now - tonumber(oldest) < span then return tonumber(oldest) + span - now end
redis.call('LPUSH', KEYS[1], string.format('%.0f', now))
redis.call('LTRIM', KEYS[1], 0, limit - 1)
redis.call('PEXPIRE', KEYS[1], math.ceil(span / 1000))
return 0

-- Sets the record that an incarnation has of a user: a record, a lingering record, or none.
-- Returns the new clock, and 1 if the former incarnation of the node had a record of the user; 0 if nothing changed. The
-- same call again changes nothing.
-- The record of the former incarnation is removed by the same event, so that no node shows it after later records.
-- KEYS: 1 user  2 index of the incarnation  3 fence  4 clock  5 log  6 incarnations  7 lingering
--       8 index of the former incarnation
-- ARGV: 1 incarnation  2 user  3 record ('' = none left)  4 exit  5 seconds to remember an absent user
--       6 log length  7 channel  8 milliseconds to linger ('' = does not)  9 the former incarnation ('' = none)
if redis.call('SISMEMBER', KEYS[3], ARGV[1]) == 1 then return redis.error_reply('FENCED this incarnation is dead') end
local field, value = 'n:' .. ARGV[1], ARGV[3]
local old = redis.call('HGET', KEYS[1], field)
local stale = ARGV[9] ~= '' and redis.call('HEXISTS', KEYS[1], 'n:' .. ARGV[9]) == 1
if not stale and (old == value or (not old and value == '')) then return 0 end
local time = redis.call('TIME')
local previous = redis.call('GET', KEYS[4]) or '0'
local clock = tonumber(time[1]) * 1000000 + tonumber(time[2])
if clock <= tonumber(previous) then clock = tonumber(previous) + 1 end
local now = string.format('%.0f', clock)
redis.call('SET', KEYS[4], now)
redis.call('HSET', KEYS[1], 'v', now)
local entries, left = '', 0
if stale then
  redis.call('HDEL', KEYS[1], 'n:' .. ARGV[9])
  redis.call('HDEL', KEYS[8], ARGV[2])
  left = redis.call('HINCRBY', KEYS[1], 'c', -1)
  entries = ARGV[2] .. ' ' .. ARGV[9] .. ' ' .. ARGV[4] .. ' 0\n'
end
if value == '' then
  if old then
    redis.call('HDEL', KEYS[1], field)
    redis.call('HDEL', KEYS[2], ARGV[2])
    left = redis.call('HINCRBY', KEYS[1], 'c', -1)
  end
  redis.call('HSET', KEYS[1], 'x', ARGV[4])
  if left <= 0 then redis.call('EXPIRE', KEYS[1], ARGV[5]) end
else
  redis.call('HSET', KEYS[1], field, value)
  if not old then
    redis.call('HSET', KEYS[2], ARGV[2], '')
    redis.call('SADD', KEYS[6], ARGV[1])
    if redis.call('HINCRBY', KEYS[1], 'c', 1) == 1 then redis.call('PERSIST', KEYS[1]) end
  end
  if ARGV[8] ~= '' then
    local deadline = math.floor(clock / 1000) + tonumber(ARGV[8])
    redis.call('ZADD', KEYS[7], string.format('%.0f', deadline), ARGV[1] .. ' ' .. ARGV[2])
  end
end
if old or value ~= '' then
  entries = entries .. ARGV[2] .. ' ' .. ARGV[1] .. ' ' .. ARGV[4] .. ' ' .. #value .. '\n' .. value
end
redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[6], now .. '-0', 'q', previous, 'p', entries)
redis.call('SPUBLISH', ARGV[7], 'e ' .. previous .. ' ' .. now .. '\n' .. entries)
return { now, stale and 1 or 0 }

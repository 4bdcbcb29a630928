-- Replaces a record if its current value is the expected one. Returns 0; or 1 and the current value; or 2 after the
-- deadline.
-- KEYS: 1 record  2 index of existing records (or none)
-- ARGV: 1 expected value ('' = nothing)  2 new value ('' = nothing)  3 deadline, ms ('' = none)
--       4 member of the index ('' = no index)  5 minimum TTL, ms ('' = the record stays)
local held = redis.call('GET', KEYS[1]) or ''
if held ~= ARGV[1] then return { 1, held } end
if ARGV[3] ~= '' then
  local time = redis.call('TIME')
  if tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) > tonumber(ARGV[3]) then return { 2 } end
end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
  if KEYS[2] then redis.call('SREM', KEYS[2], ARGV[4]) end
else
  if ARGV[5] == '' then
    redis.call('SET', KEYS[1], ARGV[2])
  else
    local ttl = math.max(redis.call('PTTL', KEYS[1]), tonumber(ARGV[5]))
    redis.call('SET', KEYS[1], ARGV[2], 'PX', string.format('%.0f', ttl))
  end
  if KEYS[2] then redis.call('SADD', KEYS[2], ARGV[4]) end
end
return { 0 }

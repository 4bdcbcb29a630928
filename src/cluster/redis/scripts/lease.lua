-- Renews a lease, or takes a first one, and declares incarnations with an expired lease dead. The time is Redis's own.
-- Returns live incarnations, dead ones, the epoch, the time in ms, and the live ones that have stopped in good order.
-- KEYS: 1 lease (by expiry ms)  2 dead (by time ms)  3 epoch  4 clock (last, hold)  5 retired  6 names  7 meta
-- ARGV: 1 incarnation  2 lease ms  3 '1' = first  4 random epoch  5 name of the node  6 the node's own data
--       7 milliseconds left to a former incarnation of the same node
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lease = tonumber(ARGV[2])
redis.call('SET', KEYS[3], ARGV[4], 'NX')
local last, hold = unpack(redis.call('HMGET', KEYS[4], 'last', 'hold'))
-- No node reached Redis for half a lease, or its clock went back: Redis was away, not the nodes. No incarnation is declared
-- dead until all have had the time to come back, except those that are known to be dead.
if last and (now - tonumber(last) > lease / 2 or now < tonumber(last)) then
  hold = string.format('%.0f', now + 2 * lease)
  redis.call('HSET', KEYS[4], 'hold', hold)
end
redis.call('HSET', KEYS[4], 'last', string.format('%.0f', now))
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return redis.error_reply('DEAD this incarnation was declared dead') end
if ARGV[3] == '1' then
  local earlier = redis.call('HGET', KEYS[6], ARGV[5])
  local expiry = earlier and redis.call('ZSCORE', KEYS[1], earlier)
  if expiry and earlier ~= ARGV[1] then
    local soon = math.min(tonumber(expiry), now + tonumber(ARGV[7]))
    redis.call('ZADD', KEYS[1], string.format('%.0f', soon), earlier)
    redis.call('SADD', KEYS[5], earlier)
  end
  redis.call('HSET', KEYS[6], ARGV[5], ARGV[1])
elseif not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return redis.error_reply('UNKNOWN this incarnation has no lease')
end
redis.call('ZADD', KEYS[1], string.format('%.0f', now + lease), ARGV[1])
redis.call('SREM', KEYS[5], ARGV[1])
redis.call('HSET', KEYS[7], ARGV[1], ARGV[6])
local holding = hold and now <= tonumber(hold)
for _, incarnation in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))) do
  if not holding or redis.call('SISMEMBER', KEYS[5], incarnation) == 1 then
    redis.call('ZREM', KEYS[1], incarnation)
    redis.call('SREM', KEYS[5], incarnation)
    redis.call('HDEL', KEYS[7], incarnation)
    redis.call('ZADD', KEYS[2], string.format('%.0f', now), incarnation)
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now - 86400000))
local live, dead = redis.call('ZRANGE', KEYS[1], 0, -1), redis.call('ZRANGE', KEYS[2], 0, -1)
return { live, dead, redis.call('GET', KEYS[3]), now, redis.call('SMEMBERS', KEYS[5]) }

-- Removes the records of dead incarnations in a bucket, and lingering records past their deadline, by one event. Without any
-- it publishes the clock.
-- Returns the number of examined records (at the limit there may be more), then the users and records removed from dead
-- incarnations. A lingering record stays until its deadline, whether its node lives or not.
-- KEYS: 1 lingering  2 fence  3 clock  4 log  5 incarnations
-- ARGV: 1 limit  2 seconds to remember an absent user  3 log length  4 channel  5 prefix of users  6 prefix of indexes
--       7.. dead incarnations
-- The script composes the keys of users and indexes: they share the bucket's hash tag with the declared ones.
local time = redis.call('TIME')
local micros = tonumber(time[1]) * 1000000 + tonumber(time[2])
local todo, left = {}, tonumber(ARGV[1])
for i = 7, #ARGV do
  redis.call('SADD', KEYS[2], ARGV[i])
  redis.call('EXPIRE', KEYS[2], 604800)
  local index = ARGV[6] .. ARGV[i]
  local users = left > 0 and redis.call('HRANDFIELD', index, left) or {}
  for _, user in ipairs(users) do todo[#todo + 1] = { user, ARGV[i], index, false } end
  left = left - #users
end
if left > 0 then
  local due = string.format('%.0f', math.floor(micros / 1000))
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', due, 'LIMIT', 0, left)) do
    local incarnation, user = string.match(member, '^(%S+) (.*)$')
    todo[#todo + 1] = { user, incarnation, ARGV[6] .. incarnation, member }
  end
end
local previous = redis.call('GET', KEYS[3]) or '0'
local clock = micros
if clock <= tonumber(previous) then clock = tonumber(previous) + 1 end
local now = string.format('%.0f', clock)
local entries, lost = {}, { #todo }
for _, item in ipairs(todo) do
  local user, incarnation, index, member = item[1], item[2], item[3], item[4]
  local key, field = ARGV[5] .. user, 'n:' .. incarnation
  local value = redis.call('HGET', key, field)
  if member then redis.call('ZREM', KEYS[1], member) end
  local lingers = value and string.sub(value, 1, 1) == 'L'
  if value and lingers == (member ~= false) then
    redis.call('HDEL', key, field)
    redis.call('HSET', key, 'v', now, 'x', 'l')
    if redis.call('HINCRBY', key, 'c', -1) <= 0 then redis.call('EXPIRE', key, ARGV[2]) end
    redis.call('HDEL', index, user)
    entries[#entries + 1] = user .. ' ' .. incarnation .. ' l 0\n'
    if not member then
      lost[#lost + 1] = user
      lost[#lost + 1] = value
    end
  elseif not member then
    redis.call('HDEL', index, user)
  end
end
for i = 7, #ARGV do
  if redis.call('EXISTS', ARGV[6] .. ARGV[i]) == 0 then redis.call('SREM', KEYS[5], ARGV[i]) end
end
if #entries > 0 then
  redis.call('SET', KEYS[3], now)
  local all = table.concat(entries)
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[3], now .. '-0', 'q', previous, 'p', all)
  redis.call('SPUBLISH', ARGV[4], 'e ' .. previous .. ' ' .. now .. '\n' .. all)
else
  redis.call('SPUBLISH', ARGV[4], 't ' .. previous)
end
return lost

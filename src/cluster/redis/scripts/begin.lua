-- Returns the number of a new incarnation: the time in ms, or the last number plus one. An emptied Redis has lost the last
-- number and still never returns one twice.
-- KEYS: 1 the last number
local time = redis.call('TIME')
local number = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local last = tonumber(redis.call('GET', KEYS[1]) or '0')
if number <= last then number = last + 1 end
redis.call('SET', KEYS[1], string.format('%.0f', number))
return number

-- The number of another incarnation: the time in ms, or one more than the last. An emptied Redis has forgotten the last
-- one and still gives out none for a second time.
-- KEYS: 1 the last one
local time = redis.call('TIME')
local number = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local last = tonumber(redis.call('GET', KEYS[1]) or '0')
if number <= last then number = last + 1 end
redis.call('SET', KEYS[1], string.format('%.0f', number))
return number

-- Gives the name to the user if its current value is the expected one. Returns 1, the written value and the deadline for
-- the user's record; or 0, the current value ('' = nothing) and the time. Times are ms.
-- KEYS: 1 name  ARGV: 1 expected value ('' = nothing)  2 user  3 milliseconds to write the record
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local held = redis.call('GET', KEYS[1]) or ''
if held ~= ARGV[1] then return { 0, held, now } end
local deadline = now + tonumber(ARGV[3])
local claim = ARGV[2] .. ' ' .. string.format('%.0f', deadline)
redis.call('SET', KEYS[1], claim)
return { 1, claim, deadline }

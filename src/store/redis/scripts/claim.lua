-- Has a name belong to a user, if it belongs to whom it is thought to belong to. Answers 1, what was written and until
-- when the user's record may be written; or 0, what there is ('' = nothing) and the time. Times are ms.
-- KEYS: 1 name  ARGV: 1 what is thought to be there ('' = nothing)  2 user  3 milliseconds to write the record
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local held = redis.call('GET', KEYS[1]) or ''
if held ~= ARGV[1] then return { 0, held, now } end
local deadline = now + tonumber(ARGV[3])
local claim = ARGV[2] .. ' ' .. string.format('%.0f', deadline)
redis.call('SET', KEYS[1], claim)
return { 1, claim, deadline }

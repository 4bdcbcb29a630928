-- Adds users to an account's list, in this order. Past the limit either nothing is added, or the earliest are dropped.
-- Answers 0 and those dropped, or 1 and how many there are.
-- KEYS: 1 list (by number, in the order they came)  ARGV: 1 limit  2 '1' = drop the earliest  3.. users
local fresh, seen = {}, {}
for i = 3, #ARGV do
  if not seen[ARGV[i]] and not redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    fresh[#fresh + 1] = ARGV[i]
    seen[ARGV[i]] = true
  end
end
local held, limit = redis.call('ZCARD', KEYS[1]), tonumber(ARGV[1])
local over = held + #fresh - limit
if over > 0 and (ARGV[2] ~= '1' or #fresh > limit) then return { 1, tostring(held) } end
local last = tonumber(redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] or '0')
for i, user in ipairs(fresh) do redis.call('ZADD', KEYS[1], last + i, user) end
local answer = { 0 }
if over > 0 then
  local dropped = redis.call('ZPOPMIN', KEYS[1], over)
  for i = 1, #dropped, 2 do answer[#answer + 1] = dropped[i] end
end
return answer

-- Adds users to an account's list, in this order. Past the limit either nothing is added, or the earliest are dropped.
-- Answers 0 and those dropped, or 1 and how many there are.
-- KEYS: 1 list (user -> number in the order they came)  ARGV: 1 limit  2 '1' = drop the earliest  3.. users
local fresh = {}
local seen = {}
for i = 3, #ARGV do
  if not seen[ARGV[i]] and redis.call('HEXISTS', KEYS[1], ARGV[i]) == 0 then
    fresh[#fresh + 1] = ARGV[i]
    seen[ARGV[i]] = true
  end
end
local held, limit = redis.call('HLEN', KEYS[1]), tonumber(ARGV[1])
if held + #fresh > limit and (ARGV[2] ~= '1' or #fresh > limit) then return { 1, tostring(held) } end
local all, last = {}, 0
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do
  local number = tonumber(flat[i + 1])
  all[#all + 1] = { number, flat[i] }
  if number > last then last = number end
end
table.sort(all, function(one, other) return one[1] < other[1] end)
local answer = { 0 }
for i = 1, held + #fresh - limit do
  redis.call('HDEL', KEYS[1], all[i][2])
  answer[#answer + 1] = all[i][2]
end
for i, user in ipairs(fresh) do redis.call('HSET', KEYS[1], user, last + i) end
return answer

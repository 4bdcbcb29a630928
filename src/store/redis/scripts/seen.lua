-- Updates when a user was last seen. Times only grow; the same update again changes nothing.
-- KEYS: 1 record  ARGV: 1 '1' = forget first  2 active s  3 online s  4 '1' = has a state  5 state  6 seconds to remember
--       7 s; records last seen then or before are deleted  8 channel ('' = no message)  9 message
if ARGV[8] ~= '' then redis.call('SPUBLISH', ARGV[8], ARGV[9]) end
if ARGV[1] == '1' then redis.call('DEL', KEYS[1]) end
local active, online = unpack(redis.call('HMGET', KEYS[1], 'a', 'o'))
if active and math.max(tonumber(active), tonumber(online)) <= tonumber(ARGV[7]) then
  redis.call('DEL', KEYS[1])
  active, online = nil, nil
end
active = math.max(tonumber(active or 0), tonumber(ARGV[2]))
online = math.max(tonumber(online or 0), tonumber(ARGV[3]))
if active + online == 0 and ARGV[4] ~= '1' then return 0 end
redis.call('HSET', KEYS[1], 'a', string.format('%.0f', active), 'o', string.format('%.0f', online))
if ARGV[4] == '1' then redis.call('HSET', KEYS[1], 's', ARGV[5]) end
redis.call('EXPIRE', KEYS[1], ARGV[6])
return 1

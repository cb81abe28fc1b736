-- A pool with its numbers.
--
-- ARGV: time. Replies: {fields, creating, ready, claimed, releasing, waiting, ms the oldest waiter has waited} or nil.
if redis.call('EXISTS', KEYS[1]) == 0 then return nil end
local reply = {redis.call('HGETALL', KEYS[1])}
for _, set in ipairs({'creating', 'ready', 'claimed', 'releasing', 'waiting'}) do
  reply[#reply + 1] = redis.call('ZCARD', key(set))
end
-- a batch that waits counts as many as it needs
reply[#reply] = reply[#reply] + gangs_need()
local oldest = redis.call('ZRANGE', key('waiting'), 0, 0, 'WITHSCORES')[2]
reply[#reply + 1] = oldest and time(ARGV[1]) - tonumber(oldest) or 0
return reply

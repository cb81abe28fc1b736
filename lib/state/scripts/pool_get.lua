-- A pool with its numbers. Replies: {fields, creating, ready, claimed, releasing, waiting} or nil.
if redis.call('EXISTS', KEYS[1]) == 0 then return nil end
local reply = {redis.call('HGETALL', KEYS[1])}
for _, set in ipairs({'creating', 'ready', 'claimed', 'releasing', 'waiting'}) do
  reply[#reply + 1] = redis.call('ZCARD', key(set))
end
-- a batch that waits counts as many as it needs
reply[#reply] = reply[#reply] + gangs_need()
return reply

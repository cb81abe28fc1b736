-- A waiter takes what it was granted, for good.
--
-- Replies: the record, or nil when it came too late.
-- Invariant: only a CLAIMED sandbox is confirmed; once it is RELEASING there is no way back.
local id = redis.call('HGET', key('uids'), uid)
if not id or field(id, 'state') ~= '3' then return nil end
if redis.call('HDEL', key('sb:' .. id), 'pending') == 1 then
  redis.call('HSET', key('sb:' .. id), 'active_ms', int(now))
  score_claimed(id)
end
return record(id)

-- Changes labels, end or idle timeout of a claimed sandbox.
--
-- Replies: the record, nil: there is none, or its state as a number: not CLAIMED.
-- An end that has passed releases it at once, by the clock that judges every other end.
local sb = key('sb:' .. id)
local state = field(id, 'state')
if not state then return nil end
if state ~= '3' or redis.call('HEXISTS', sb, 'pending') == 1 then return tonumber(state) end
if mask % 2 >= 1 then redis.call('HSET', sb, 'labels', labels) end
if mask % 4 >= 2 then redis.call('HSET', sb, 'expire_ms', expire_ms) end
if mask % 8 >= 4 then redis.call('HSET', sb, 'idle_ms', idle_ms, 'active_ms', int(now)) end
score_claimed(id)
local expire = tonumber(expire_ms)
if mask % 4 >= 2 and expire > 0 and expire <= now then
  release(id, 'Expired', now, 'claimed')
else
  event(id, false)
end
return record(id)

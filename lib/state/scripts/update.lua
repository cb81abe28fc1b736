-- Changes labels, end or idle timeout of a claimed sandbox.
--
-- ARGV: time, id, mask (1 labels, 2 expire, 4 idle), labels JSON, expire ms, idle ms
-- Replies: the record, nil: there is none, or its state as a number: not CLAIMED.
-- An end that has passed releases it at once, by the clock that judges every other end.
local now, id, mask = time(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local sb = key('sb:' .. id)
local state = field(id, 'state')
if not state then return nil end
if state ~= '3' or redis.call('HEXISTS', sb, 'pending') == 1 then return tonumber(state) end
if mask % 2 >= 1 then redis.call('HSET', sb, 'labels', ARGV[4]) end
if mask % 4 >= 2 then redis.call('HSET', sb, 'expire_ms', ARGV[5]) end
if mask % 8 >= 4 then redis.call('HSET', sb, 'idle_ms', ARGV[6], 'active_ms', int(now)) end
score_claimed(id)
local expire = tonumber(ARGV[5])
if mask % 4 >= 2 and expire > 0 and expire <= now then
  release(id, 'Expired', now, 'claimed')
else
  event(id, false)
end
return record(id)

-- Notes that a claimed sandbox is in use, for its idle timeout.
--
-- Reply: 1 noted, 0 not this claim's (any more).
if field(id, 'state') ~= '3' or field(id, 'uid') ~= uid then return 0 end
redis.call('HSET', key('sb:' .. id), 'active_ms', int(now))
if redis.call('HEXISTS', key('sb:' .. id), 'pending') == 0 then score_claimed(id) end
return 1

-- Notes that a claimed sandbox is in use, for its idle timeout.
--
-- ARGV: time, id, uid. Reply: 1 noted, 0 not this claim's (any more).
local id = ARGV[2]
if field(id, 'state') ~= '3' or field(id, 'uid') ~= ARGV[3] then return 0 end
redis.call('HSET', key('sb:' .. id), 'active_ms', int(time(ARGV[1])))
if redis.call('HEXISTS', key('sb:' .. id), 'pending') == 0 then score_claimed(id) end
return 1

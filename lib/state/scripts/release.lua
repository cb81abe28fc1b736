-- The holder lets go (or a warm one is retired by name).
--
-- ARGV: time, id, uid ('' for any), reason. Reply: 1 released now, 0 nothing to do.
-- Invariant: with a uid, only that claim is ended.
local id = ARGV[2]
local sb = redis.call('HMGET', key('sb:' .. id), 'state', 'uid', 'tenant', 'shape')
local state, uid = sb[1], sb[2]
if state ~= '2' and state ~= '3' and state ~= '5' then return 0 end
if ARGV[3] ~= '' and uid ~= ARGV[3] then return 0 end
release(id, ARGV[4], time(ARGV[1]), state == '2' and 'ready' or 'claimed', uid or '', sb[3], sb[4])
return 1

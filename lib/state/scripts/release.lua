-- The holder lets go (or a warm one is retired by name).
--
-- Reply: 1 released now, 0 nothing to do.
-- Invariant: with a holder, only that claim is ended.
local sb = redis.call('HMGET', key('sb:' .. id), 'state', 'uid', 'tenant', 'shape')
local state, uid = sb[1], sb[2]
if state ~= '2' and state ~= '3' and state ~= '5' then return 0 end
if holder ~= '' and uid ~= holder then return 0 end
release(id, reason, now, state == '2' and 'ready' or 'claimed', uid or '', sb[3], sb[4])
return 1

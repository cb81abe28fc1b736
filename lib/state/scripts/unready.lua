-- The world says: a warm sandbox is there and not ready just now. It is not offered until state_ready says so again.
--
-- Reply: 1 taken back, 0 not READY, nothing happens.
-- Invariant: nobody has had it, and whoever holds one keeps it.
if field(id, 'state') ~= '2' then return 0 end
redis.call('ZREM', key('ready'), id)
redis.call('HSET', key('sb:' .. id), 'state', '1')
redis.call('ZADD', key('creating'), int(now), id)
event(id, false)
hint('sp:wake:pools')
return 1

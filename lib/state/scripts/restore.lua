-- The world says who holds a sandbox, and the data set may not know: after it was lost, or when the claim was
-- never made here.
--
-- Replies: 0 as it was, 1 restored, 2 with a pool made for it, -1 another claim holds it here, -2 there is no such pool.
-- Invariant: a sandbox that the world gave away is in no ready set afterwards, and nobody who has it loses it.
local sb = key('sb:' .. id)
local state = field(id, 'state')
if state == '3' or state == '4' or state == '5' then
  if field(id, 'uid') ~= uid then return -1 end
  -- what runs it was made anew elsewhere: its old address may be another's by now
  if state == '3' and field(id, 'route') ~= route then
    redis.call('HSET', sb, 'route', route)
    event(id, false)
  end
  return 0
end
local reply = 1
if redis.call('EXISTS', KEYS[1]) == 0 then
  if not pool_deleted then return -2 end
  -- as a deleted one, which takes no claims and vanishes with this sandbox
  redis.call('HSET', KEYS[1], 'template', template, 'replicas', '0', 'strategy', '1', 'generation', '1', 'create_ms', int(now), 'history_ms', int(now),
             'deleted', '1')
  redis.call('PERSIST', key('events'))
  reply = 2
end
local shape = redis.call('HGET', KEYS[1], 'shape') or ''
redis.call('HSET', sb, 'state', '3', 'route', route, 'class', class)
redis.call('ZREM', key('creating'), id)
redis.call('ZREM', key('ready'), id)
if not state then count_created(1) end
if not state then redis.call('HSET', sb, 'template', template, 'hash', hash, 'create_ms', int(now)) end
redis.call('HSETNX', sb, 'ready_ms', int(now))
redis.call('HSET', sb, 'uid', uid, 'labels', labels, 'env', env, 'claim_ms', int(now), 'expire_ms', expire_ms, 'idle_ms', '0', 'active_ms', int(now),
           'wait_ms', '0', 'request', '', 'tenant', tenant, 'shape', shape)
-- above its quota if need be: the world has given it away already
charge(tenant, shape, 1)
redis.call('HSET', key('uids'), uid, id)
redis.call('ZADD', key('all'), 0, id)
score_claimed(id)
event(id, false)
hint('sp:wake:pools')
return reply

-- Creates a pool or changes what was declared of it.
--
-- Reply: 'OK'.
-- Invariant: an implicit pool never replaces a declared one.
local there = redis.call('EXISTS', KEYS[1]) == 1
local deleted = redis.call('HEXISTS', KEYS[1], 'deleted') == 1
if implicit and there and not deleted then return 'OK' end
local old = redis.call('HMGET', KEYS[1], 'template', 'replicas', 'strategy', 'implicit')
if not there then
  local at = int(now)
  -- the history of a pool of this name that vanished a short while ago goes on
  redis.call('PERSIST', key('events'))
  local first = redis.call('XRANGE', key('events'), '-', '+', 'COUNT', 1)[1]
  redis.call('HSET', KEYS[1], 'create_ms', at, 'history_ms', first and string.match(first[1], '%d+') or at,
             'fence', server)
end
if deleted or old[1] ~= template or old[2] ~= replicas or old[3] ~= strategy or (old[4] or nil) ~= (implicit and '1' or nil) then
  redis.call('HSET', KEYS[1], 'template', template, 'replicas', replicas, 'strategy', strategy)
  redis.call('HDEL', KEYS[1], 'deleted', 'implicit', 'reason', 'message', 'failures', 'early', 'failure_ms')
  if shape ~= '' then redis.call('HSET', KEYS[1], 'shape', shape) end
  if implicit then redis.call('HSET', KEYS[1], 'implicit', '1') end
  redis.call('HINCRBY', KEYS[1], 'generation', 1)
end
hint('sp:wake:pools')
return 'OK'

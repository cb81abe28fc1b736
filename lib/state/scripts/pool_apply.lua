-- Creates a pool or changes what was declared of it.
--
-- ARGV: time, template, replicas, strategy, implicit (1 or 0), shape ('': not known), server.
-- Reply: 'OK'.
-- Invariant: an implicit pool never replaces a declared one.
local there = redis.call('EXISTS', KEYS[1]) == 1
local deleted = redis.call('HEXISTS', KEYS[1], 'deleted') == 1
if ARGV[5] == '1' and there and not deleted then return 'OK' end
local old = redis.call('HMGET', KEYS[1], 'template', 'replicas', 'strategy', 'implicit')
local implicit = ARGV[5] == '1' and '1' or false
if not there then
  local now = int(time(ARGV[1]))
  -- the history of a pool of this name that vanished a short while ago goes on
  redis.call('PERSIST', key('events'))
  local first = redis.call('XRANGE', key('events'), '-', '+', 'COUNT', 1)[1]
  redis.call('HSET', KEYS[1], 'create_ms', now, 'history_ms', first and string.match(first[1], '%d+') or now,
             'fence', ARGV[#ARGV])
end
if deleted or old[1] ~= ARGV[2] or old[2] ~= ARGV[3] or old[3] ~= ARGV[4] or old[4] ~= implicit then
  redis.call('HSET', KEYS[1], 'template', ARGV[2], 'replicas', ARGV[3], 'strategy', ARGV[4])
  redis.call('HDEL', KEYS[1], 'deleted', 'implicit', 'reason', 'message', 'failures', 'early', 'failure_ms')
  if ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'shape', ARGV[6]) end
  if implicit then redis.call('HSET', KEYS[1], 'implicit', '1') end
  redis.call('HINCRBY', KEYS[1], 'generation', 1)
end
hint('sp:wake:pools')
return 'OK'

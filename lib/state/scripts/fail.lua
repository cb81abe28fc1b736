-- The world says: a sandbox ended by itself, or never came up.
--
-- ARGV: time, id, reason, message. Reply: 1 when the pool vanished, else 0.
-- Invariant: a holder's sandbox stays, FAILED, with the reason, until it lets go; nobody else's does.
local now, id = time(ARGV[1]), ARGV[2]
local sb = key('sb:' .. id)
local state = field(id, 'state')
if state == '1' or state == '2' then
  remove(id)
  if state == '1' then
    redis.call('HINCRBY', KEYS[1], 'failures', 1)
    redis.call('HSET', KEYS[1], 'failure_ms', int(now), 'reason', ARGV[3], 'message', ARGV[4])
  end
  return vanish_if_empty()
end
if state == '3' and redis.call('HEXISTS', sb, 'pending') == 1 then
  forget_request(field(id, 'request'), field(id, 'uid'))
  release(id, ARGV[3], now)
elseif state == '3' then
  local expire = number(id, 'expire_ms')
  redis.call('HSET', sb, 'state', '5', 'reason', ARGV[3], 'message', ARGV[4])
  redis.call('ZADD', key('claimed'), int(expire > 0 and expire or now + FAILED_KEPT_MS), id)
  event(id, false)
end
return 0

-- The world says: a sandbox ended by itself, never came up, or is of no use to anybody.
--
-- Reply: 1 when the pool vanished, -1 when somebody holds it and
--   only what nobody holds was to go, else 0.
-- Invariant: a holder's sandbox stays, FAILED, with the reason, until it lets go; nobody else's does.
local UNHELD, DELETED, UNWANTED = 1, 2, 3
-- A sandbox that ends sooner after it was ready says something about its template, as one that never came up does.
local SOON_MS = 60000
local sb = key('sb:' .. id)
local held = redis.call('HMGET', sb, 'state', 'pending', 'ready_ms')
local state, pending = held[1], held[2]
if (how == UNHELD or how == UNWANTED) and (state == '5' or (state == '3' and not pending)) then return -1 end
if state == '1' or state == '2' then
  local ready = tonumber(held[3] or '0')
  local early = ready > 0 and now - ready < SOON_MS
  remove(id)
  if how ~= DELETED and how ~= UNWANTED and (early or state == '1') then
    redis.call('HINCRBY', KEYS[1], early and 'early' or 'failures', 1)
    redis.call('HSET', KEYS[1], 'failure_ms', int(now), 'reason', reason, 'message', message)
  end
  return vanish_if_empty()
end
if state == '3' and pending then
  forget_request(field(id, 'request'), field(id, 'uid'))
  release(id, reason, now)
elseif state == '3' then
  local expire = number(id, 'expire_ms')
  redis.call('HSET', sb, 'state', '5', 'reason', reason, 'message', message)
  redis.call('ZADD', key('claimed'), int(expire > 0 and expire or now + FAILED_KEPT_MS), id)
  event(id, false)
end
return 0

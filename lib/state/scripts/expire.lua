-- Ends claims, unconfirmed grants, failed records and waiters that are past their time.
--
-- Reply: {how many ended, ms of the next one or -1, 1 when the pool vanished, how many wait, ms
--   since when the oldest of them does or -1, this server's ms}
-- A pool made for claims straight from a template may be looked at before the first of them comes: it stays a while.
-- At most LIMIT of each kind a call, so that a script stays short; the reply's time is then in the past.
local LIMIT = 100
local IMPLICIT_KEPT_MS = 10000
local n = 0
local pool = redis.call('HMGET', KEYS[1], 'template', 'fence', 'implicit', 'create_ms', 'deleted')
-- a server out of memory judges a script by its first write, and this one frees memory
if pool[1] and pool[2] ~= server then redis.call('ZREM', key('claimed'), '') end
-- a fence is never put on a pool that is not there: it would make one
local is_proven = not pool[1] or proven(pool[2], server, now)
local is_young = pool[3] and not pool[5] and now - tonumber(pool[4] or 0) < IMPLICIT_KEPT_MS
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key('claimed'), '-inf', int(now), 'LIMIT', 0, LIMIT)) do
  local expire = number(id, 'expire_ms')
  local reason = 'IdleTimeout'
  if redis.call('HEXISTS', key('sb:' .. id), 'pending') == 1 then
    reason = 'Unconfirmed'
    forget_request(field(id, 'request'), field(id, 'uid'))
  elseif field(id, 'state') == '5' or (expire > 0 and expire <= now) then reason = 'Expired' end
  release(id, reason, now)
  n = n + 1
end
for _, uid in ipairs(redis.call('ZRANGEBYSCORE', key('deadlines'), '-inf', int(now), 'LIMIT', 0, LIMIT)) do
  dismiss(uid)
  n = n + 1
end
local next_ms = is_proven and math.huge or now
for _, set in ipairs({'claimed', 'deadlines'}) do
  local first = redis.call('ZRANGE', key(set), 0, 0, 'WITHSCORES')
  if first[2] and first[2] ~= 'inf' then next_ms = math.min(next_ms, tonumber(first[2])) end
end
if n > 0 then hint('sp:wake:pools') end
local oldest = redis.call('ZRANGE', key('waiting'), 0, 0, 'WITHSCORES')[2]
return {n, next_ms == math.huge and -1 or next_ms,
        is_young and 0 or vanish_if_empty(), redis.call('ZCARD', key('waiting')) + gangs_need(),
        oldest and tonumber(oldest) or -1, now}

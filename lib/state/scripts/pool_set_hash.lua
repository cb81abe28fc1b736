-- Says which template hash is fresh, and puts stale ready sandboxes behind fresh ones. Under RECREATE what is stale goes,
-- ready or not yet, and with this step nobody gets one any more.
--
-- Reply: how many went.
-- Linear in the ready set, once for each change of a template; under RECREATE in what is being made, each time.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if shape ~= '' then redis.call('HSET', KEYS[1], 'shape', shape) end
local was = redis.call('HMGET', KEYS[1], 'template_hash', 'strategy')

local function is_fresh(id) return field(id, 'hash') == hash end

if was[1] ~= hash then
  redis.call('HSET', KEYS[1], 'template_hash', hash)
  -- what went wrong did so with the template before
  redis.call('HDEL', KEYS[1], 'failures', 'early', 'failure_ms', 'reason', 'message')
  local ready = redis.call('ZRANGE', key('ready'), 0, -1, 'WITHSCORES')
  for i = 1, #ready, 2 do
    local id, score = ready[i], tonumber(ready[i + 1])
    local fresh = is_fresh(id)
    if fresh ~= (score < STALE) then
      redis.call('ZADD', key('ready'), int(fresh and score - STALE or score + STALE), id)
    end
  end
  hint('sp:wake:pools')
end
local gone = 0
if was[2] == RECREATE then
  local stale = redis.call('ZRANGEBYSCORE', key('ready'), int(STALE), '+inf')
  gone = #stale
  for _, id in ipairs(stale) do release(id, 'Stale', now, 'ready', '') end
  for _, id in ipairs(redis.call('ZRANGE', key('creating'), 0, -1)) do
    if not is_fresh(id) then
      release(id, 'Stale', now, 'creating', '')
      gone = gone + 1
    end
  end
end
return gone

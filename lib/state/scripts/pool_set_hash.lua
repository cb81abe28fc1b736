-- Says which template hash is fresh, and puts stale ready sandboxes behind fresh ones; under RECREATE they go, and with
-- this step nobody gets one any more.
--
-- Reply: how many went.
-- Linear in the ready set, once for each change of a template.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if shape ~= '' then redis.call('HSET', KEYS[1], 'shape', shape) end
local was = redis.call('HMGET', KEYS[1], 'template_hash', 'strategy')
if was[1] == hash then return 0 end
redis.call('HSET', KEYS[1], 'template_hash', hash)
-- what went wrong did so with the template before
redis.call('HDEL', KEYS[1], 'failures', 'early', 'failure_ms', 'reason', 'message')
local ready = redis.call('ZRANGE', key('ready'), 0, -1, 'WITHSCORES')
local gone = 0
for i = 1, #ready, 2 do
  local id, score = ready[i], tonumber(ready[i + 1])
  local fresh = field(id, 'hash') == hash
  if not fresh and was[2] == RECREATE then
    release(id, 'Stale', now, 'ready', '')
    gone = gone + 1
  elseif fresh ~= (score < STALE) then
    redis.call('ZADD', key('ready'), int(fresh and score - STALE or score + STALE), id)
  end
end
hint('sp:wake:pools')
return gone

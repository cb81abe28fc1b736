-- Says which template hash is fresh, and puts stale ready sandboxes behind fresh ones.
--
-- Reply: how many changed place.
-- Linear in the ready set, once for each change of a template.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if shape ~= '' then redis.call('HSET', KEYS[1], 'shape', shape) end
if redis.call('HGET', KEYS[1], 'template_hash') == hash then return 0 end
redis.call('HSET', KEYS[1], 'template_hash', hash)
-- what went wrong did so with the template before
redis.call('HDEL', KEYS[1], 'failures', 'early', 'failure_ms', 'reason', 'message')
local ready = redis.call('ZRANGE', key('ready'), 0, -1, 'WITHSCORES')
local moved = 0
for i = 1, #ready, 2 do
  local id, score = ready[i], tonumber(ready[i + 1])
  local fresh = field(id, 'hash') == hash
  if fresh ~= (score < STALE) then
    redis.call('ZADD', key('ready'), int(fresh and score - STALE or score + STALE), id)
    moved = moved + 1
  end
end
hint('sp:wake:pools')
return moved

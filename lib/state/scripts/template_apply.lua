-- Creates or replaces a template. KEYS[1]: its key.
--
-- Reply: all fields.
-- The generation grows only when something changed; then the pools that it is for have to be looked at, which this one
-- cannot name: an empty hint is about all of them.
local k = KEYS[1]
local old = redis.call('HMGET', k, 'manifest', 'runtime_class')
if not old[1] then redis.call('HSET', k, 'create_ms', string.format('%.0f', now)) end
if old[1] ~= manifest or old[2] ~= class then
  redis.call('HSET', k, 'manifest', manifest, 'hash', hash, 'runtime_class', class, 'image', image)
  redis.call('HINCRBY', k, 'generation', 1)
  redis.call('PUBLISH', 'sp:wake:pools', '')
end
return redis.call('HGETALL', k)

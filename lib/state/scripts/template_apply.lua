-- Creates or replaces a template. KEYS[1]: its key.
--
-- ARGV: time, manifest, hash, runtime class, image. Reply: all fields.
-- The generation grows only when something changed; then the pools that it is for have to be looked at, which this one
-- cannot name: an empty hint is about all of them.
local k = KEYS[1]
local function time(arg)
  local t = tonumber(arg)
  if t ~= 0 then return string.format('%.0f', t) end
  local now = redis.call('TIME')
  return string.format('%.0f', tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000))
end
local old = redis.call('HMGET', k, 'manifest', 'runtime_class')
if not old[1] then redis.call('HSET', k, 'create_ms', time(ARGV[1])) end
if old[1] ~= ARGV[2] or old[2] ~= ARGV[4] then
  redis.call('HSET', k, 'manifest', ARGV[2], 'hash', ARGV[3], 'runtime_class', ARGV[4], 'image', ARGV[5])
  redis.call('HINCRBY', k, 'generation', 1)
  redis.call('PUBLISH', 'sp:wake:pools', '')
end
return redis.call('HGETALL', k)

-- Claims the best ready sandbox of a pool, or queues for the next one.
--
-- ARGV: time, uid, request id, ttl ms, idle ms, labels JSON, env JSON, max wait ms, replica
-- Replies: {'GRANTED', record}, {'QUEUED', uid}, {'EMPTY'}, {'FULL'}, {'NOPOOL'}, {'ENDED'}: the request id
--   belongs to a claim whose sandbox is gone.
-- Invariant: a sandbox is in the ready set only while nobody holds it, and leaves it in the same step in which
--   it gets its one holder. Nobody overtakes the queue. Repeating it with the same uid changes nothing.
local QUEUE_MAX = 10000
local now, uid, request = time(ARGV[1]), ARGV[2], ARGV[3]
local w = {ttl = tonumber(ARGV[4]), idle = tonumber(ARGV[5]), labels = ARGV[6], env = ARGV[7], request = request,
           deadline = now + tonumber(ARGV[8]), since = now, replica = ARGV[9]}

local queued = redis.call('ZCARD', key('queue'))

local function standing(u)
  -- whoever asks last is told of the grant, and may leave the queue or let go of what is not confirmed
  local id = redis.call('HGET', key('uids'), u)
  if id then
    if field(id, 'pending') then redis.call('HSET', key('sb:' .. id), 'pending', w.replica) end
    return {'GRANTED', record(id)}
  end
  local waiter = queued > 0 and redis.call('HGET', key('waiters'), u)
  if not waiter then return nil end
  waiter = cjson.decode(waiter)
  waiter.replica = w.replica
  redis.call('HSET', key('waiters'), u, cjson.encode(waiter))
  return {'QUEUED', u}
end

local before = standing(uid)
if before then return before end
if request ~= '' then
  local first = redis.call('GET', key('req:' .. request))
  if first then return standing(first) or {'ENDED'} end
end
if not pool_open() then return {'NOPOOL'} end

if queued == 0 then
  local best = redis.call('ZRANGE', key('ready'), 0, 0)[1]
  if best then
    -- out of the set only after the grant: a server out of memory judges a script by its first write, and
    -- claims shall stop then, while what frees memory goes on
    grant(best, uid, w, now, 0, false)
    redis.call('ZREM', key('ready'), best)
    return {'GRANTED', record(best)}
  end
end
if tonumber(ARGV[8]) == 0 then
  hint('sp:wake:pools')
  return {'EMPTY'}
end
if queued >= QUEUE_MAX then return {'FULL'} end
redis.call('ZADD', key('queue'), redis.call('HINCRBY', KEYS[1], 'seq', 1), uid)
redis.call('ZADD', key('deadlines'), int(w.deadline), uid)
redis.call('HSET', key('waiters'), uid, cjson.encode(w))
if request ~= '' then redis.call('SET', key('req:' .. request), uid, 'PX', REQUEST_KEPT_MS) end
hint('sp:wake:pools')
return {'QUEUED', uid}

-- Claims the best ready sandbox of a pool, or queues for the next one.
--
-- Replies: {'GRANTED', record}, {'QUEUED', uid}, {'EMPTY'}, {'FULL'}, {'NOPOOL'}, {'ENDED'}: the request id
--   belongs to a claim whose sandbox is gone, {'SPENT'}: the uid does, {'QUOTA', ...}: see common.lua.
-- Invariant: a sandbox is in the ready set only while nobody holds it, and leaves it in the same step in which
--   it gets its one holder. Nobody overtakes the queue. What is granted or
--   queued is within the quota, and counts. Repeating it with the same uid changes nothing.
-- A tenant may have as many waiters as there are free places left: 10,000 when it is alone, and others find room.
local QUEUE_PLACES = 20000
local w = {ttl = ttl_ms, idle = idle_ms, labels = labels, env = env, request = request, deadline = now + max_wait_ms,
           since = now, replica = replica, tenant = tenant, priority = priority}

local queued = redis.call('EXISTS', key('queue'))

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
if not takes_again and is_spent(uid) then return {'SPENT'} end
if request ~= '' then
  local first = redis.call('GET', key('req:' .. request))
  if first then return standing(first) or {'ENDED'} end
end
local pool = redis.call('HMGET', KEYS[1], 'template', 'deleted', 'shape', 'fence')
if not pool[1] or pool[2] then return {'NOPOOL'} end
w.shape = pool[3] or ''
local room, refusal, quota = quota_room(w.tenant, w.shape, 1, now)
if room < 1 then return refusal end

if queued == 0 and proven(pool[4], server, now) then
  local best = redis.call('ZRANGE', key('ready'), 0, 0)[1]
  if best then
    charge(w.tenant, w.shape, 1, quota)
    -- out of the set only after the grant: a server out of memory judges a script by its first write, and
    -- claims shall stop then, while what frees memory goes on
    grant(best, uid, w, now, 0, false)
    redis.call('ZREM', key('ready'), best)
    return {'GRANTED', record(best)}
  end
end
if max_wait_ms == 0 then
  hint('sp:wake:pools')
  return {'EMPTY'}
end
if redis.call('ZCARD', key('queue:' .. w.tenant)) >= QUEUE_PLACES - redis.call('ZCARD', key('waiting')) then
  return {'FULL'}
end
charge(w.tenant, w.shape, 1, quota)
enqueue(uid, w, now)
hint('sp:wake:pools')
return {'QUEUED', uid}

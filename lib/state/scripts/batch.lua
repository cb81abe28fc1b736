-- Claims several sandboxes of a pool in one step: COUNT of them, or as many as are ready but not fewer than MIN.
--
-- Replies: {'GRANTED', record, ...}, {'QUEUED', token}, {'EMPTY'}, {'FULL'}, {'NOPOOL'}, {'ENDED'}: the request id
--   belongs to claims of which none is left, or to one that is not a batch, {'SPENT'}: the token does, {'QUOTA', ...}:
--   see common.lua.
-- Invariant: all of a batch is granted in this one step or nothing is, within the quota. A batch that waits holds no
--   sandbox: it only has a place in `gangs`, is told when what is ready would do for it, and asks again. So two of
--   them cannot keep each other from what they need. Of the quota it takes MIN from the start, as a waiter takes one.
--   Repeating it changes nothing once it was granted.
local WAITED_FOR_MAX = 10000
local function granted()
  local reply = {'GRANTED'}
  for _, id in ipairs(batch_held(token)) do reply[#reply + 1] = record(id) end
  return reply[2] and reply
end

local known = request ~= '' and redis.call('GET', key('req:' .. request))
if known then token = known end
local before = string.sub(token, -4) == '0000' and granted()
if before then return before end
local waiter = redis.call('ZSCORE', key('gangs'), token) and redis.call('HGET', key('waiters'), token)
if known and not waiter then return {'ENDED'} end
-- its first claim stands for the batch: it is always granted
if not waiter and is_spent(token) then return {'SPENT'} end
local pool = redis.call('HMGET', KEYS[1], 'template', 'deleted', 'shape', 'fence')
if not pool[1] or pool[2] then return {'NOPOOL'} end

local w = waiter and cjson.decode(waiter) or
          {ttl = ttl_ms, idle = idle_ms, labels = labels, env = env, request = request, deadline = now + max_wait_ms,
           since = now, replica = replica, tenant = tenant, shape = pool[3] or '', count = min}
-- one that waits has been charged what it needs
local charged = waiter and w.count or 0
local room, refusal, quota = quota_room(w.tenant, w.shape, count - charged, now)
room = room + charged
if room < min then return refusal end

local n = proven(pool[4], server, now) and math.min(count, room, redis.call('ZCARD', key('ready'))) or 0
if redis.call('EXISTS', key('queue')) == 0 and n >= min then
  local reply = {'GRANTED'}
  local each = {ttl = w.ttl, idle = w.idle, labels = w.labels, env = w.env, request = '', tenant = w.tenant,
                shape = w.shape}
  charge(w.tenant, w.shape, n - charged, quota)
  for i, id in ipairs(redis.call('ZRANGE', key('ready'), 0, n - 1)) do
    grant(id, batch_uid(token, i - 1), each, now, waiter and math.max(now - w.since, 1) or 0, false)
    redis.call('ZREM', key('ready'), id)
    reply[i + 1] = record(id)
  end
  if waiter then drop_waiter(token) end
  if request ~= '' then redis.call('SET', key('req:' .. request), token, 'PX', REQUEST_KEPT_MS) end
  return reply
end

if waiter then
  -- whoever asks last is told, and may leave
  if w.replica ~= replica then
    w.replica = replica
    redis.call('HSET', key('waiters'), token, cjson.encode(w))
  end
  return {'QUEUED', token}
end
if max_wait_ms == 0 then
  hint('sp:wake:pools')
  return {'EMPTY'}
end
if redis.call('ZCARD', key('waiting')) + gangs_need() + min > WAITED_FOR_MAX then return {'FULL'} end
charge(w.tenant, w.shape, min, quota)
local order = redis.call('HINCRBY', KEYS[1], 'gang_seq', 1)
redis.call('ZADD', key('gangs'), int(order * GANG_NEED + min), token)
redis.call('ZADD', key('deadlines'), int(w.deadline), token)
redis.call('HSET', key('waiters'), token, cjson.encode(w))
if request ~= '' then redis.call('SET', key('req:' .. request), token, 'PX', REQUEST_KEPT_MS) end
hint('sp:wake:pools')
return {'QUEUED', token}

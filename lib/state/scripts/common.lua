-- Put before every script that works on one pool, without the functions that it does not use (trim.awk). Between the two
-- stand the names of the script's arguments (scripts.bzl).
--
-- KEYS[1] is the pool's own key, "sp:{NS}/POOL:pool"; all others share its hash tag and are made from it, so a
-- script stays in one Redis Cluster slot: that of the namespace, whose quotas hold across its pools. Times are
-- milliseconds.
--
-- States: 1 CREATING, 2 READY, 3 CLAIMED, 4 RELEASING, 5 FAILED. The only ways between them:
--   1 -> 2 -> 3 -> 4 -> gone,  1 -> 3 (a waiter was there),  3 -> 5 -> 4,  1 -> 4,  2 -> 4,  1 or 2 -> gone,
--   2 -> 1 (nobody has had it, and it is not ready just now)
local base = string.sub(KEYS[1], 1, -5)
local space, pool_name = string.match(base, '({.-})/(.*):')
local name = string.sub(space, 2, -2) .. '/' .. pool_name

-- A stale sandbox sorts behind all fresh ones; above any time in milliseconds for 3000 years.
local STALE = 1e14
-- The strategy under which stale ones are given to nobody; as sandplane.v1.Pool.UpdateStrategy.
local RECREATE = '2'
local CONFIRM_MS = 10000
local FAILED_KEPT_MS = 3600000
local REQUEST_KEPT_MS = 3600000
-- A question whose answer was lost is asked once more when there is a connection again, by one that waits also after a
-- longer outage. About 100 bytes a claim that ended.
local SPENT_KEPT_MS = 600000
local HISTORY = 4096
-- How long a watcher that was away can still learn how a pool that vanished ended.
local HISTORY_KEPT_MS = 600000
-- What one level of priority is worth: so much longer waiting, in microseconds.
local PRIORITY_US = 1e7

local function key(suffix) return base .. suffix end
local function int(n) return string.format('%.0f', n) end
local function field(id, f) return redis.call('HGET', key('sb:' .. id), f) end
local function number(id, f) return tonumber(field(id, f) or '0') end

local function hint(channel) redis.call('PUBLISH', channel, name) end

-- uid, tenant: who holds it, where that is known; otherwise they are looked up. Every call of Redis costs a claim about
-- 2 %.
local function event(id, deleted, uid, tenant)
  if not uid or not tenant then
    local holder = redis.call('HMGET', key('sb:' .. id), 'uid', 'tenant')
    uid, tenant = uid or holder[1] or '', tenant or holder[2] or ''
  end
  redis.call('XADD', key('events'), 'MAXLEN', '~', HISTORY, '*', 'id', id, 'uid', uid, 'deleted', deleted and '1' or '0',
             'tenant', tenant)
  hint('sp:wake:events')
end

local function pool_open()
  local pool = redis.call('HMGET', KEYS[1], 'template', 'deleted')
  return pool[1] and not pool[2]
end

-- What tenants hold, and may hold. A claim counts from when it is granted or queued until it is let go of or leaves
-- the queue; its shape ("thousandths of a CPU/bytes of memory", what the pool's template asks for) counts with it.
local function tenant_key(suffix) return 'sp:' .. space .. ':' .. suffix end

-- The quota of a tenant: {live, cpu, memory, rate, burst, weight}, each where it is limited; nil: none.
local function quota_of(tenant)
  local quota = redis.call('HGET', tenant_key('quotas'), tenant)
  return quota and cjson.decode(quota) or nil
end

-- How many of n further claims the quota has room for; where that is fewer: {'QUOTA', limit, its value, what is in
-- use, ms after which all n may be asked for (0: unknown)}; the quota, for charge. Changes nothing but a bucket that
-- cannot be.
local function quota_room(tenant, shape, n, now)
  local q = quota_of(tenant)
  if not q then return n end
  local held, cpu, memory, room, why = 0, 0, 0, n, nil
  local shapes = redis.call('HGETALL', tenant_key('use:' .. tenant))
  for i = 1, #shapes, 2 do
    local c, m = string.match(shapes[i], '(%d+)/(%d+)')
    local count = tonumber(shapes[i + 1])
    held, cpu, memory = held + count, cpu + count * (c or 0), memory + count * (m or 0)
  end
  local function limit(what, max, used, each)
    if not max or each == 0 then return end
    local fits = math.max(math.floor((max - used) / each), 0)
    if fits < room then room, why = fits, {'QUOTA', what, int(max), int(used), 0} end
  end
  limit('live', q.live, held, 1)
  local c, m = string.match(shape, '(%d+)/(%d+)')
  if (q.cpu or q.memory) and not c and room > 0 then room, why = 0, {'QUOTA', 'shape', '0', '0', 1000} end
  limit('cpu', q.cpu, cpu, tonumber(c or 0))
  limit('memory', q.memory, memory, tonumber(m or 0))
  if q.rate then
    -- one number is the whole bucket: when it would be full again
    local gap = 1000 / q.rate
    local full = math.max(tonumber(redis.call('HGET', tenant_key('rate'), tenant) or 0), now)
    local left = now + q.burst * gap - full
    if left < -1 then
      -- emptier than empty: the clock was set back, or is another server's since a fail-over
      left, full = 0, now + q.burst * gap
      redis.call('HSET', tenant_key('rate'), tenant, string.format('%.3f', full))
    end
    q.full = full
    local fits = math.max(math.floor(left / gap + 1e-6), 0)
    if fits < room then
      room, why = fits, {'QUOTA', 'rate', tostring(q.rate), int(q.burst), math.ceil(n * gap - left)}
    end
  end
  return room, why, q
end

-- Takes, or with n < 0 gives back, what n claims count. q: what quota_room returned, for claims that are new.
local function charge(tenant, shape, n, q)
  local use = tenant_key('use:' .. tenant)
  if redis.call('HINCRBY', use, shape, n) <= 0 then redis.call('HDEL', use, shape) end
  if q and q.rate then
    redis.call('HSET', tenant_key('rate'), tenant, string.format('%.3f', q.full + n * 1000 / q.rate))
  end
end

-- When a claimed sandbox ends: its time to live or its idle timeout, whichever is first.
local function set_end(id, expire, idle, active)
  local at = math.huge
  if expire > 0 then at = expire end
  if idle > 0 then at = math.min(at, active + idle) end
  redis.call('ZADD', key('claimed'), at == math.huge and '+inf' or int(at), id)
end

local function score_claimed(id)
  local sb = redis.call('HMGET', key('sb:' .. id), 'expire_ms', 'idle_ms', 'active_ms')
  set_end(id, tonumber(sb[1] or '0'), tonumber(sb[2] or '0'), tonumber(sb[3] or '0'))
end

-- READY or CREATING -> CLAIMED for the claim w, which is charged already. pending: until it is confirmed, it ends in
-- CONFIRM_MS, and the replica in that field speaks for the claim.
local function grant(id, uid, w, now, wait_ms, pending)
  local sb, at = key('sb:' .. id), int(now)
  local expire = w.ttl > 0 and now + w.ttl or 0
  redis.call('HSET', sb, 'state', '3', 'uid', uid, 'labels', w.labels, 'env', w.env, 'claim_ms', at,
             'expire_ms', int(expire), 'idle_ms', int(w.idle), 'active_ms', at,
             'wait_ms', int(wait_ms), 'request', w.request, 'tenant', w.tenant, 'shape', w.shape)
  redis.call('HSET', key('uids'), uid, id)
  if w.request ~= '' then redis.call('SET', key('req:' .. w.request), uid, 'PX', REQUEST_KEPT_MS) end
  if pending then
    redis.call('HSET', sb, 'pending', w.replica)
    redis.call('ZADD', key('claimed'), int(now + CONFIRM_MS), id)
  else
    set_end(id, expire, w.idle, now)
  end
  event(id, false, uid, w.tenant)
  hint('sp:wake:pools')
end

-- Any state but gone -> RELEASING. from: the set that it is known to be in, if it is; uid, tenant, shape: of its
-- record, where they are known (false: it has none).
local function release(id, reason, now, from, uid, tenant, shape)
  if from then
    redis.call('ZREM', key(from), id)
  else
    for _, set in ipairs({'creating', 'ready', 'claimed'}) do redis.call('ZREM', key(set), id) end
  end
  if tenant == nil then
    local holder = redis.call('HMGET', key('sb:' .. id), 'tenant', 'shape')
    tenant, shape = holder[1], holder[2]
  end
  redis.call('HSET', key('sb:' .. id), 'state', '4', 'reason', reason)
  if tenant then charge(tenant, shape, -1) end
  redis.call('ZADD', key('releasing'), int(now), id)
  event(id, false, uid, tenant)
  hint('sp:wake:reconciler')
  hint('sp:wake:pools')
end

-- Who waits. `queue` holds the tenants that do, scored by their virtual start times; `queue:TENANT` the waiters of
-- one. The tenant with the smallest start is next, and starts again 1 / weight later: start-time fair queueing. In
-- `fair` are the starts of tenants that wait for nothing just now, in `vtime` that of the last one served.
local function exact(n) return string.format('%.17g', n) end

local function enqueue(uid, w, now)
  local own = key('queue:' .. w.tenant)
  local turn = redis.call('HMGET', KEYS[1], 'seq', 'vtime')
  -- microseconds of arrival, each one later than the last
  local seq = math.max(tonumber(turn[1] or 0) + 1, now * 1000)
  redis.call('ZADD', own, int(seq - w.priority * PRIORITY_US), uid)
  redis.call('HSET', KEYS[1], 'seq', int(seq))
  redis.call('ZADD', key('waiting'), int(now), uid)
  redis.call('ZADD', key('deadlines'), int(w.deadline), uid)
  redis.call('HSET', key('waiters'), uid, cjson.encode(w))
  if not redis.call('ZSCORE', key('queue'), w.tenant) then
    local start = math.max(tonumber(turn[2] or 0), tonumber(redis.call('HGET', key('fair'), w.tenant) or 0))
    redis.call('ZADD', key('queue'), exact(start), w.tenant)
  end
  if w.request ~= '' then redis.call('SET', key('req:' .. w.request), uid, 'PX', REQUEST_KEPT_MS) end
end

-- Whether what stands in `ready` and `creating` may be given away. A server that was made master in another's place may
-- lack the last claims, and show what they took as free: then all of it goes, FENCE_STEP a call, and nobody gets any
-- until it has. fence: the pool's field, the server under which that was proven last; server: the one that runs the
-- script (see RedisScript.fenced). One that only started again (it ends in '-') has all it acknowledged.
local FENCE_STEP = 500
local UNPROVEN = 'unproven'
local function proven(fence, server, now)
  if fence == server then return true end
  if string.sub(server, -1) == '+' or fence == UNPROVEN then
    local left = FENCE_STEP
    for _, set in ipairs({'ready', 'creating'}) do
      local ids = left > 0 and redis.call('ZRANGE', key(set), 0, left - 1) or {}
      for _, id in ipairs(ids) do release(id, 'Unproven', now, set, '') end
      left = left - #ids
    end
    if left == 0 then
      -- it may start again before the rest has gone, and then not look promoted any more
      redis.call('HSET', KEYS[1], 'fence', UNPROVEN)
      return false
    end
  end
  redis.call('HSET', KEYS[1], 'fence', server)
  return true
end

-- Takes a waiter (or a batch that waits) out of the queue; what it is charged stays with the caller. nil: it was not there.
local function drop_waiter(uid)
  local w = redis.call('HGET', key('waiters'), uid)
  redis.call('ZREM', key('waiting'), uid)
  redis.call('ZREM', key('gangs'), uid)
  redis.call('ZREM', key('deadlines'), uid)
  redis.call('HDEL', key('waiters'), uid)
  if not w then return nil end
  w = cjson.decode(w)
  redis.call('ZREM', key('queue:' .. w.tenant), uid)
  if redis.call('EXISTS', key('queue:' .. w.tenant)) == 0 then
    local start = redis.call('ZSCORE', key('queue'), w.tenant)
    redis.call('ZREM', key('queue'), w.tenant)
    if start then redis.call('HSET', key('fair'), w.tenant, start) end
  end
  -- all start anew when nobody waits: who had less before has no claim on it
  if redis.call('EXISTS', key('queue')) == 0 then
    redis.call('DEL', key('fair'))
    redis.call('HDEL', KEYS[1], 'vtime', 'seq')
  end
  return w
end

-- The request id of a claim that came to nothing may be used again.
local function forget_request(request, uid)
  if request and request ~= '' and redis.call('GET', key('req:' .. request)) == uid then
    redis.call('DEL', key('req:' .. request))
  end
end

-- A waiter goes with nothing: what it was charged comes back.
local function dismiss(uid)
  local w = drop_waiter(uid)
  if not w then return end
  charge(w.tenant, w.shape, -(w.count or 1))
  forget_request(w.request, uid)
end

-- The waiter whose turn it is leaves the queue: uid, what it asked for. nil: nobody waits. Those whose deadline has
-- passed go with nothing, and cost their tenant no turn.
local function next_waiter(now)
  while true do
    local first = redis.call('ZRANGE', key('queue'), 0, 0, 'WITHSCORES')
    if not first[1] then return nil end
    local tenant, start = first[1], tonumber(first[2])
    local uid = redis.call('ZRANGE', key('queue:' .. tenant), 0, 0)[1]
    if tonumber(redis.call('ZSCORE', key('deadlines'), uid)) > now then
      local quota = quota_of(tenant)
      -- before it leaves: with the last one all of this goes
      redis.call('HSET', KEYS[1], 'vtime', exact(start))
      redis.call('ZADD', key('queue'), exact(start + 1 / (quota and quota.weight or 1)), tenant)
      return uid, drop_waiter(uid)
    end
    dismiss(uid)
  end
end

-- A pool that is deleted or implicit goes with its last sandbox and waiter. Returns 1 when it went.
local function vanish_if_empty()
  if redis.call('HEXISTS', KEYS[1], 'deleted') == 0 and redis.call('HEXISTS', KEYS[1], 'implicit') == 0 then return 0 end
  if redis.call('EXISTS', key('all'), key('queue'), key('gangs')) > 0 then return 0 end
  redis.call('DEL', KEYS[1], key('uids'), key('waiters'), key('deadlines'), key('waiting'))
  redis.call('PEXPIRE', key('events'), HISTORY_KEPT_MS)
  return 1
end

-- A caller that waits has gone, unless another replica speaks for it by now. Returns how the pool stands then, as
-- vanish_if_empty says; nil when nobody waits under this token.
local function leave_queue(token, replica)
  local waiter = redis.call('HGET', key('waiters'), token)
  if not waiter then return nil end
  if cjson.decode(waiter).replica ~= replica then return 0 end
  dismiss(token)
  hint('sp:wake:pools')
  return vanish_if_empty()
end

-- A claim's uid stands for one sandbox. Once that is gone, or its caller has given up, a question under this uid that
-- was repeated or comes late gets none.
local function spend(uid) redis.call('SET', key('spent:' .. uid), '', 'PX', SPENT_KEPT_MS) end

local function is_spent(uid) return redis.call('EXISTS', key('spent:' .. uid)) == 1 end

-- created = live + destroyed, of each pool at any time: counted in the scripts that make and remove records. A pool from
-- before there were counters begins with what it has.
local function count_created(n)
  redis.call('HSETNX', KEYS[1], 'created', redis.call('ZCARD', key('all')))
  redis.call('HINCRBY', KEYS[1], 'created', n)
end

-- Nothing is left of it. Takes away before it writes history: a server out of memory judges a script by its
-- first write.
local function remove(id)
  local uid = field(id, 'uid')
  for _, set in ipairs({'creating', 'ready', 'claimed', 'releasing', 'all'}) do redis.call('ZREM', key(set), id) end
  event(id, true)
  if uid then redis.call('HDEL', key('uids'), uid) end
  redis.call('DEL', key('sb:' .. id))
  if uid then spend(uid) end
  if redis.call('HEXISTS', KEYS[1], 'created') == 1 then redis.call('HINCRBY', KEYS[1], 'destroyed', 1) end
  hint('sp:wake:pools')
end

local function record(id)
  return {id, redis.call('HGETALL', key('sb:' .. id))}
end

-- Batches. A token is 32 hexadecimal digits that end in 0000; the claims of the batch have it for a uid, with their
-- number in the last four. `gangs` has those that wait, scored by order * GANG_NEED + how many must be ready.
local BATCH_MAX = 1000
local GANG_NEED = 1024
-- How many of them look at one new sandbox, and how many are told of it.
local GANGS_LOOKED_AT = 64

local function batch_uid(token, i) return string.sub(token, 1, 28) .. string.format('%04x', i) end

-- What the claims of a batch hold by now.
local function batch_held(token)
  local uids, held = {}, {}
  if redis.call('EXISTS', key('uids')) == 0 then return held end
  for i = 0, BATCH_MAX - 1 do uids[i + 1] = batch_uid(token, i) end
  for _, id in ipairs(redis.call('HMGET', key('uids'), unpack(uids))) do
    if id then held[#held + 1] = id end
  end
  return held
end

local function gangs_need()
  local need, gangs = 0, redis.call('ZRANGE', key('gangs'), 0, -1, 'WITHSCORES')
  for i = 2, #gangs, 2 do need = need + tonumber(gangs[i]) % GANG_NEED end
  return need
end

-- Something became ready: the first of those that wait are told as far as it goes round.
local function tell_gangs()
  local gangs = redis.call('ZRANGE', key('gangs'), 0, GANGS_LOOKED_AT - 1, 'WITHSCORES')
  local left = #gangs > 0 and redis.call('ZCARD', key('ready')) or 0
  for i = 1, #gangs, 2 do
    local need = tonumber(gangs[i + 1]) % GANG_NEED
    if need <= left then
      left = left - need
      redis.call('PUBLISH', 'sp:grant', gangs[i] .. ' batch')
    end
  end
end

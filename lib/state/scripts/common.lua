-- Put before every script that works on one pool.
--
-- KEYS[1] is the pool's own key, "sp:{NS/POOL}:pool"; all others share its hash tag and are made from it, so a
-- script stays in one Redis Cluster slot. Times are milliseconds; a time argument of 0 means this server's
-- clock, the only one that all services share.
--
-- States: 1 CREATING, 2 READY, 3 CLAIMED, 4 RELEASING, 5 FAILED. The only ways between them:
--   1 -> 2 -> 3 -> 4 -> gone,  1 -> 3 (a waiter was there),  3 -> 5 -> 4,  1 -> 4,  2 -> 4,  1 or 2 -> gone
local base = string.sub(KEYS[1], 1, -5)
local name = string.match(base, '{(.*)}')

-- A stale sandbox sorts behind all fresh ones; above any time in milliseconds for 3000 years.
local STALE = 1e14
local CONFIRM_MS = 10000
local FAILED_KEPT_MS = 3600000
local REQUEST_KEPT_MS = 3600000
local HISTORY = 4096
-- How long a watcher that was away can still learn how a pool that vanished ended.
local HISTORY_KEPT_MS = 600000

local function key(suffix) return base .. suffix end
local function int(n) return string.format('%.0f', n) end
local function field(id, f) return redis.call('HGET', key('sb:' .. id), f) end
local function number(id, f) return tonumber(field(id, f) or '0') end

local function time(arg)
  local t = tonumber(arg)
  if t ~= 0 then return t end
  local now = redis.call('TIME')
  return tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
end

local function hint(channel) redis.call('PUBLISH', channel, name) end

-- uid: who holds it, where that is known; otherwise it is looked up. Every call of Redis costs a claim about 2 %.
local function event(id, deleted, uid)
  redis.call('XADD', key('events'), 'MAXLEN', '~', HISTORY, '*', 'id', id, 'uid', uid or field(id, 'uid') or '',
             'deleted', deleted and '1' or '0')
  hint('sp:wake:events')
end

local function pool_open()
  local pool = redis.call('HMGET', KEYS[1], 'template', 'deleted')
  return pool[1] and not pool[2]
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

-- READY or CREATING -> CLAIMED for the claim w. pending: until it is confirmed, it ends in CONFIRM_MS, and the
-- replica in that field speaks for the claim.
local function grant(id, uid, w, now, wait_ms, pending)
  local sb, at = key('sb:' .. id), int(now)
  local expire = w.ttl > 0 and now + w.ttl or 0
  redis.call('HSET', sb, 'state', '3', 'uid', uid, 'labels', w.labels, 'env', w.env, 'claim_ms', at,
             'expire_ms', int(expire), 'idle_ms', int(w.idle), 'active_ms', at,
             'wait_ms', int(wait_ms), 'request', w.request)
  redis.call('HSET', key('uids'), uid, id)
  if w.request ~= '' then redis.call('SET', key('req:' .. w.request), uid, 'PX', REQUEST_KEPT_MS) end
  if pending then
    redis.call('HSET', sb, 'pending', w.replica)
    redis.call('ZADD', key('claimed'), int(now + CONFIRM_MS), id)
  else
    set_end(id, expire, w.idle, now)
  end
  event(id, false, uid)
  hint('sp:wake:pools')
end

-- Any state but gone -> RELEASING. from: the set that it is known to be in, if it is.
local function release(id, reason, now, from, uid)
  if from then
    redis.call('ZREM', key(from), id)
  else
    for _, set in ipairs({'creating', 'ready', 'claimed'}) do redis.call('ZREM', key(set), id) end
  end
  redis.call('HSET', key('sb:' .. id), 'state', '4', 'reason', reason)
  redis.call('ZADD', key('releasing'), int(now), id)
  event(id, false, uid)
  hint('sp:wake:reconciler')
  hint('sp:wake:pools')
end

local function drop_waiter(uid)
  local w = redis.call('HGET', key('waiters'), uid)
  redis.call('ZREM', key('queue'), uid)
  redis.call('ZREM', key('deadlines'), uid)
  redis.call('HDEL', key('waiters'), uid)
  return w and cjson.decode(w)
end

-- The request id of a claim that came to nothing may be used again.
local function forget_request(w, uid)
  if w and w.request ~= '' and redis.call('GET', key('req:' .. w.request)) == uid then
    redis.call('DEL', key('req:' .. w.request))
  end
end

-- A pool that is deleted or implicit goes with its last sandbox and waiter. Returns 1 when it went.
local function vanish_if_empty()
  if redis.call('HEXISTS', KEYS[1], 'deleted') == 0 and redis.call('HEXISTS', KEYS[1], 'implicit') == 0 then return 0 end
  if redis.call('EXISTS', key('all'), key('queue')) > 0 then return 0 end
  redis.call('DEL', KEYS[1], key('uids'), key('waiters'), key('deadlines'))
  redis.call('PEXPIRE', key('events'), HISTORY_KEPT_MS)
  return 1
end

-- Nothing is left of it. Takes away before it writes history: a server out of memory judges a script by its
-- first write.
local function remove(id)
  local uid = field(id, 'uid')
  for _, set in ipairs({'creating', 'ready', 'claimed', 'releasing', 'all'}) do redis.call('ZREM', key(set), id) end
  event(id, true)
  if uid then redis.call('HDEL', key('uids'), uid) end
  redis.call('DEL', key('sb:' .. id))
  hint('sp:wake:pools')
end

local function record(id)
  return {id, redis.call('HGETALL', key('sb:' .. id))}
end

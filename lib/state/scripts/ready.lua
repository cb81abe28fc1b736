-- A sandbox runs and answers: it becomes READY, or goes at once to the waiter whose turn it is.
--
-- Replies: 0 ready, 1 granted, -1 not wanted (any more): destroy it.
-- Invariant: under RECREATE nobody gets one of an older template. Only a CREATING sandbox comes up; the waiter whose
--   turn it is gets it. Of one that is held only the route changes: what runs it was made anew elsewhere. A READY one
--   that did so goes, for its route may be in use already.
local pool = redis.call('HMGET', KEYS[1], 'template', 'deleted', 'fence', 'early', 'template_hash', 'strategy')
local is_open = pool[1] and not pool[2]
local is_proven = not is_open or proven(pool[3], server, now)
local state = field(id, 'state')
if (state == '2' or state == '3') and field(id, 'route') == route then return state == '3' and 1 or 0 end
if state == '3' then
  redis.call('HSET', key('sb:' .. id), 'route', route)
  event(id, false)
  return 1
end
if state == '2' then release(id, 'Moved', now, 'ready', '') end
if state ~= '1' then return -1 end
if not is_open or not is_proven then
  release(id, is_proven and 'PoolDeleted' or 'Unproven', now)
  return -1
end
local stale = field(id, 'hash') ~= pool[5]
if stale and pool[5] and pool[6] == RECREATE then
  release(id, 'Stale', now)
  return -1
end
redis.call('ZREM', key('creating'), id)
redis.call('HSET', key('sb:' .. id), 'route', route, 'class', class, 'ready_ms', int(now))
-- that one came up says nothing against those that come up and end
redis.call('HDEL', KEYS[1], 'failures', unpack(pool[4] and {} or {'failure_ms', 'reason', 'message'}))
local uid, w = next_waiter(now)
if uid then
  -- at least 1: zero says that nothing was waited for
  grant(id, uid, w, now, math.max(now - w.since, 1), true)
  redis.call('PUBLISH', 'sp:grant', uid .. ' ' .. id)
  return 1
end
redis.call('HSET', key('sb:' .. id), 'state', '2')
redis.call('ZADD', key('ready'), int(now + (stale and STALE or 0)), id)
event(id, false)
hint('sp:wake:pools')
tell_gangs()
return 0

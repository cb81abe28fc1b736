-- History after a stream id.
-- Reply: {newest id, 1 when entries after `after` may be lost, {{stream id, id, uid, deleted, tenant}...}}
--
-- Lost is what was trimmed, and what happened before history_ms: a pool of this name vanished then, and its
-- history with it. After '0-0' nothing is lost that way: who stands there has seen nothing.
local newest = redis.call('XREVRANGE', key('events'), '+', '-', 'COUNT', 1)[1]
if not newest then return {'0-0', (after ~= '$' and after ~= '0-0') and 1 or 0, {}} end
if after == '$' then return {newest[1], 0, {}} end

local function before(a, b)
  local am, as = string.match(a, '(%d+)-(%d+)')
  local bm, bs = string.match(b, '(%d+)-(%d+)')
  am, as, bm, bs = tonumber(am), tonumber(as), tonumber(bm), tonumber(bs)
  return am < bm or (am == bm and as < bs)
end

local first = redis.call('XRANGE', key('events'), '-', '+', 'COUNT', 1)[1][1]
local info = redis.call('XINFO', 'STREAM', key('events'))
local added, length = 0, 0
for i = 1, #info, 2 do
  if info[i] == 'entries-added' then added = info[i + 1] end
  if info[i] == 'length' then length = info[i + 1] end
end
local reply = {}
for i, e in ipairs(redis.call('XRANGE', key('events'), '(' .. after, '+', 'COUNT', 500)) do
  reply[i] = {e[1], e[2][2], e[2][4], e[2][6], e[2][8] or ''}
end
local begun = redis.call('HGET', KEYS[1], 'history_ms')
local lost = (added > length and before(after, first)) or
             (begun and after ~= '0-0' and before(after, begun .. '-0'))
return {newest[1], lost and 1 or 0, reply}

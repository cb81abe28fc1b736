-- Takes new names for sandboxes about to be made: all of them, or none.
--
-- Replies: 'OK', 'NOPOOL', 'EXISTS'.
-- Invariant: no record that is there is changed. All of them there and CREATING: the same call again, 'OK'.
if not pool_open() then return 'NOPOOL' end
local again, taken = 0, 0
for _, id in ipairs(ids) do
  local state = field(id, 'state')
  if state then taken = taken + 1 end
  if state == '1' and field(id, 'hash') == hash then again = again + 1 end
end
if taken > 0 then return again == #ids and 'OK' or 'EXISTS' end
local at = int(now)
count_created(#ids)
for _, id in ipairs(ids) do
  redis.call('HSET', key('sb:' .. id), 'state', '1', 'template', template, 'hash', hash, 'create_ms', at)
  redis.call('ZADD', key('creating'), at, id)
  redis.call('ZADD', key('all'), 0, id)
end
return 'OK'

-- Takes new names for sandboxes about to be made: all of them, or none.
--
-- ARGV: time, template, template hash, id... Replies: 'OK', 'NOPOOL', 'EXISTS'.
-- Invariant: no record that is there is changed. All of them there and CREATING: the same call again, 'OK'.
if not pool_open() then return 'NOPOOL' end
local again, taken = 0, 0
for i = 4, #ARGV do
  local state = field(ARGV[i], 'state')
  if state then taken = taken + 1 end
  if state == '1' and field(ARGV[i], 'hash') == ARGV[3] then again = again + 1 end
end
if taken > 0 then return again == #ARGV - 3 and 'OK' or 'EXISTS' end
local now = int(time(ARGV[1]))
count_created(#ARGV - 3)
for i = 4, #ARGV do
  redis.call('HSET', key('sb:' .. ARGV[i]), 'state', '1', 'template', ARGV[2], 'hash', ARGV[3], 'create_ms', now)
  redis.call('ZADD', key('creating'), now, ARGV[i])
  redis.call('ZADD', key('all'), 0, ARGV[i])
end
return 'OK'

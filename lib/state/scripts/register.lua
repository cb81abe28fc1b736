-- Takes new names for sandboxes about to be made: all of them, or none.
--
-- ARGV: time, template, template hash, id... Replies: 'OK', 'NOPOOL', 'EXISTS'.
if not pool_open() then return 'NOPOOL' end
for i = 4, #ARGV do
  if redis.call('EXISTS', key('sb:' .. ARGV[i])) == 1 then return 'EXISTS' end
end
local now = int(time(ARGV[1]))
for i = 4, #ARGV do
  redis.call('HSET', key('sb:' .. ARGV[i]), 'state', '1', 'template', ARGV[2], 'hash', ARGV[3], 'create_ms', now)
  redis.call('ZADD', key('creating'), now, ARGV[i])
  redis.call('ZADD', key('all'), 0, ARGV[i])
end
return 'OK'

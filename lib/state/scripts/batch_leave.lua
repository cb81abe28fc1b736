-- The caller of a batch has gone: it stops waiting, or gives back all of it.
--
-- ARGV: time, token, replica, give back (1: also what was granted). Reply: 1 when the pool vanished with it.
-- Invariant: a batch that another replica speaks for by now is not touched; of one that was granted, all goes or
--   nothing.
local token = ARGV[2]
local left = leave_queue(token, ARGV[3])
if left then return left end
if ARGV[4] == '1' then
  local now = time(ARGV[1])
  for _, id in ipairs(batch_held(token)) do
    local state = field(id, 'state')
    if state == '3' or state == '5' then release(id, 'CallerGone', now, 'claimed') end
  end
end
return 0

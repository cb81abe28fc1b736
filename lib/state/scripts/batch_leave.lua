-- The caller of a batch has gone: it stops waiting, or gives back all of it. What it asked and has not come yet, gets
-- nothing.
--
-- ARGV: time, token, replica, give back (1: also what was granted). Reply: 1 when the pool vanished with it.
-- Invariant: a batch that another replica speaks for by now is not touched; of one that was granted, all goes or
--   nothing.
local token = ARGV[2]
local left = leave_queue(token, ARGV[3])
if left then return left end
if ARGV[4] == '1' then
  local now, held = time(ARGV[1]), batch_held(token)
  for _, id in ipairs(held) do
    local state = field(id, 'state')
    if state == '3' or state == '5' then release(id, 'CallerGone', now, 'claimed') end
  end
  if not held[1] then spend(token) end
end
return 0

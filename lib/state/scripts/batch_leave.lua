-- The caller of a batch has gone: it stops waiting, or gives back all of it. What it asked and has not come yet, gets
-- nothing.
--
-- Reply: 1 when the pool vanished with it.
-- Invariant: a batch that another replica speaks for by now is not touched; of one that was granted, all goes or
--   nothing.
local left = leave_queue(token, replica)
if left then return left end
if give_back then
  local held = batch_held(token)
  for _, id in ipairs(held) do
    local state = field(id, 'state')
    if state == '3' or state == '5' then release(id, 'CallerGone', now, 'claimed') end
  end
  if not held[1] then spend(token) end
end
return 0

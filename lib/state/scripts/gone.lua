-- Nothing of a sandbox is left in the world: its record goes.
--
-- ARGV: id. Reply: 1 when the pool vanished with it, else 0. Unknown: nothing happens.
-- Invariant: a record that still has a holder or may get one is not removed: that is fail.lua's business.
local state = field(ARGV[1], 'state')
if state ~= '4' then return 0 end
remove(ARGV[1])
return vanish_if_empty()

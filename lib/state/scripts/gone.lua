-- Nothing of a sandbox is left in the world: its record goes.
--
-- Reply: {1 when the pool vanished with it, else 0; ms since it was let go of}, or 0: unknown, and
-- nothing happens.
-- Invariant: a record that still has a holder or may get one is not removed: that is fail.lua's business.
local state = field(id, 'state')
if state ~= '4' then return 0 end
local since = redis.call('ZSCORE', key('releasing'), id)
remove(id)
return {vanish_if_empty(), since and math.max(0, now - tonumber(since)) or 0}

-- Nothing of a sandbox is left in the world: its record goes.
--
-- ARGV: id, time. Reply: {1 when the pool vanished with it, else 0; ms since it was let go of}, or 0: unknown, and
-- nothing happens.
-- Invariant: a record that still has a holder or may get one is not removed: that is fail.lua's business.
local state = field(ARGV[1], 'state')
if state ~= '4' then return 0 end
local since = redis.call('ZSCORE', key('releasing'), ARGV[1])
remove(ARGV[1])
return {vanish_if_empty(), since and math.max(0, time(ARGV[2]) - tonumber(since)) or 0}

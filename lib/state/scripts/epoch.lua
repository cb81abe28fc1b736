-- Marks the data set. KEYS[1]: sp:epoch. ARGV: the newest epoch the world knows ('': none), a new one.
-- Reply: {1 when the data set is the world's, else 0; the epoch in force}
local now = redis.call('GET', KEYS[1])
if now and (ARGV[1] == '' or ARGV[1] == now) then return {1, now} end
redis.call('SET', KEYS[1], ARGV[2])
return {ARGV[1] == '' and 1 or 0, ARGV[2]}

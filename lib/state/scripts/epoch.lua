-- Marks the data set. KEYS[1]: sp:epoch.
-- Reply: {1 when the data set is the world's, else 0; the epoch in force}
local now = redis.call('GET', KEYS[1])
if now and (known == '' or known == now) then return {1, now} end
redis.call('SET', KEYS[1], fresh)
return {known == '' and 1 or 0, fresh}

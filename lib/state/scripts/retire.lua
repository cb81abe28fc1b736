-- Sandboxes that are too many or stale -> RELEASING; of READY ones the stale first, then the newest.
--
-- Reply: how many.
local ids = {}

local function take(list)
  for _, id in ipairs(list) do
    if #ids < n then ids[#ids + 1] = id end
  end
end

if which == 1 then
  take(redis.call('ZRANGEBYSCORE', key('ready'), int(STALE), '+inf', 'LIMIT', 0, n))
elseif n > 0 then
  if which == 2 then take(redis.call('ZREVRANGE', key('creating'), 0, n - 1)) end
  take(redis.call('ZREVRANGE', key('ready'), 0, n - 1))
end
for _, id in ipairs(ids) do release(id, reason, now) end
return #ids

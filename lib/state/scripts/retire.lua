-- READY sandboxes that are too many or stale -> RELEASING; stale ones first, then the newest.
--
-- ARGV: time, how many, stale only (1 or 0), reason. Reply: how many.
local now, n = time(ARGV[1]), tonumber(ARGV[2])
local ids
if ARGV[3] == '1' then
  ids = redis.call('ZRANGEBYSCORE', key('ready'), int(STALE), '+inf', 'LIMIT', 0, n)
elseif n > 0 then
  ids = redis.call('ZREVRANGE', key('ready'), 0, n - 1)
else
  ids = {}
end
for _, id in ipairs(ids) do release(id, ARGV[4], now) end
return #ids

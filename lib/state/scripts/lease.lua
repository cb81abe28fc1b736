-- Takes or keeps a lease. KEYS[1]: the lease. Reply: 1 when it is held.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= replica then return 0 end
if ttl_ms == 0 then
  redis.call('DEL', KEYS[1])
  return 0
end
redis.call('SET', KEYS[1], replica, 'PX', ttl_ms)
return 1

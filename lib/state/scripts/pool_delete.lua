-- No more claims and refills: READY ones go, CLAIMED ones live on, waiters are sent away.
--
-- Reply: 1 when the pool vanished at once, else 0.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'deleted', '1', 'replicas', '0')
for _, id in ipairs(redis.call('ZRANGE', key('ready'), 0, -1)) do release(id, 'PoolDeleted', now) end
for _, set in ipairs({'waiting', 'gangs'}) do
  for _, uid in ipairs(redis.call('ZRANGE', key(set), 0, -1)) do
    dismiss(uid)
    redis.call('PUBLISH', 'sp:grant', uid .. ' ')
  end
end
hint('sp:wake:pools')
return vanish_if_empty()

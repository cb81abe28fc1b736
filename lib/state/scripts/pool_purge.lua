-- Takes away all there is of a pool whose name is none, so that no sandbox of it can be named: whoever waits is sent away,
-- nobody can hold any. Reply: 1.
for _, uid in ipairs(redis.call('ZRANGE', key('waiting'), 0, -1)) do
  dismiss(uid)
  redis.call('PUBLISH', 'sp:grant', uid .. ' ')
end
for _, id in ipairs(redis.call('ZRANGE', key('all'), 0, -1)) do redis.call('DEL', key('sb:' .. id)) end
for _, suffix in ipairs({'all', 'creating', 'ready', 'claimed', 'releasing', 'queue', 'fair', 'waiting', 'gangs', 'waiters', 'deadlines', 'uids',
                         'events'}) do
  redis.call('DEL', key(suffix))
end
redis.call('DEL', KEYS[1])
return 1

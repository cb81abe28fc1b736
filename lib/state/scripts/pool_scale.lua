-- Changes how many sandboxes a pool keeps ready. Reply: 1 done, 0 there is no such pool.
if not pool_open() then return 0 end
if redis.call('HGET', KEYS[1], 'replicas') ~= replicas then
  redis.call('HSET', KEYS[1], 'replicas', replicas)
  redis.call('HINCRBY', KEYS[1], 'generation', 1)
end
hint('sp:wake:pools')
return 1

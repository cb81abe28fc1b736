-- Says why a pool is not full. Reply: 'OK'.
if redis.call('EXISTS', KEYS[1]) == 0 then return 'OK' end
if reason == '' then
  redis.call('HDEL', KEYS[1], 'reason', 'message')
else
  redis.call('HSET', KEYS[1], 'reason', reason, 'message', message)
end
return 'OK'

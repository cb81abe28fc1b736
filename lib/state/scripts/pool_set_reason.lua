-- Says why a pool is not full. ARGV: reason ('': it is, or is on its way), message. Reply: 'OK'.
if redis.call('EXISTS', KEYS[1]) == 0 then return 'OK' end
if ARGV[1] == '' then
  redis.call('HDEL', KEYS[1], 'reason', 'message')
else
  redis.call('HSET', KEYS[1], 'reason', ARGV[1], 'message', ARGV[2])
end
return 'OK'

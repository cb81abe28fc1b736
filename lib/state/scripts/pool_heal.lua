-- Forgets what went wrong with a pool's sandboxes: it is long enough ago. Reply: how many fields went.
return redis.call('HDEL', KEYS[1], 'failures', 'early', 'failure_ms', 'reason', 'message')

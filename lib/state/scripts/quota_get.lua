-- A quota and what its tenant holds. KEYS[1]: "sp:{NS}:quotas". ARGV: tenant.
-- Reply: {tenant, JSON or '', {shape, count...}}
local use = string.gsub(KEYS[1], 'quotas$', 'use:' .. ARGV[1])
return {ARGV[1], redis.call('HGET', KEYS[1], ARGV[1]) or '', redis.call('HGETALL', use)}

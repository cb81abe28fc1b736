-- A quota and what its tenant holds. KEYS[1]: "sp:{NS}:quotas".
-- Reply: {tenant, JSON or '', {shape, count...}}
local use = string.gsub(KEYS[1], 'quotas$', 'use:' .. tenant)
return {tenant, redis.call('HGET', KEYS[1], tenant) or '', redis.call('HGETALL', use)}

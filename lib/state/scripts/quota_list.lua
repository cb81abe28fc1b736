-- The quotas of a namespace, in order of their tenants, with what those hold. KEYS[1]: "sp:{NS}:quotas".
--
-- Reply: a list as of quota_get.lua. Linear in the number of quotas.
local names = {}
for _, tenant in ipairs(redis.call('HKEYS', KEYS[1])) do
  if tenant > after then names[#names + 1] = tenant end
end
table.sort(names)
local reply = {}
for i = 1, math.min(#names, limit) do
  local use = string.gsub(KEYS[1], 'quotas$', 'use:' .. names[i])
  reply[i] = {names[i], redis.call('HGET', KEYS[1], names[i]), redis.call('HGETALL', use)}
end
return reply

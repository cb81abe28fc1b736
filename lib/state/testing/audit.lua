-- For tests: whether what the shared state says of a namespace twice is the same both times. Run between any two scripts; changes nothing.
--
-- ARGV: namespace, pool... (all that it has). Reply: '' or the first thing that does not fit.
local space = '{' .. ARGV[1] .. '}'
local SETS = {['1'] = 'creating', ['2'] = 'ready', ['3'] = 'claimed', ['4'] = 'releasing', ['5'] = 'claimed'}
local held = {} -- tenant -> claims that are granted or wait

local function hold(tenant, n) held[tenant] = (held[tenant] or 0) + n end

local function pool_complaint(base)
  local function key(suffix) return base .. suffix end
  local count = {creating = 0, ready = 0, claimed = 0, releasing = 0}
  local ids = redis.call('ZRANGE', key('all'), 0, -1)
  for _, id in ipairs(ids) do
    local sb = redis.call('HMGET', key('sb:' .. id), 'state', 'uid', 'tenant')
    local set = SETS[sb[1] or '']
    if not set then return id .. ' has no record' end
    if not redis.call('ZSCORE', key(set), id) then return id .. ' is not in ' .. set end
    count[set] = count[set] + 1
    if sb[2] and redis.call('HGET', key('uids'), sb[2]) ~= id then return sb[2] .. ' does not lead to ' .. id end
    if set == 'claimed' then hold(sb[3], 1) end
  end
  for set, n in pairs(count) do
    if redis.call('ZCARD', key(set)) ~= n then return 'more in ' .. set .. ' than records say' end
  end
  for _, id in ipairs(redis.call('HVALS', key('uids'))) do
    if not redis.call('ZSCORE', key('all'), id) then return 'a uid leads to ' .. id .. ', which is gone' end
  end
  local pattern = string.gsub(key('sb:*'), '[{}]', '[%0]')
  for _, record in ipairs(redis.call('KEYS', pattern)) do
    if not redis.call('ZSCORE', key('all'), string.match(record, ':sb:(.*)')) then return record .. ' is left over' end
  end
  for _, waiter in ipairs(redis.call('HVALS', key('waiters'))) do
    local w = cjson.decode(waiter)
    hold(w.tenant, w.count or 1)
  end
  local made = redis.call('HMGET', key('pool'), 'created', 'destroyed')
  if tonumber(made[1] or 0) ~= #ids + tonumber(made[2] or 0) then
    return (made[1] or 0) .. ' made are not ' .. #ids .. ' there and ' .. (made[2] or 0) .. ' gone'
  end
end

for i = 2, #ARGV do
  local complaint = pool_complaint('sp:' .. space .. '/' .. ARGV[i] .. ':')
  if complaint then return ARGV[i] .. ': ' .. complaint end
end
for _, key in ipairs(redis.call('KEYS', 'sp:[{]' .. ARGV[1] .. '[}]:use:*')) do
  local tenant, used = string.match(key, ':use:(.*)'), 0
  for _, n in ipairs(redis.call('HVALS', key)) do used = used + tonumber(n) end
  if used ~= (held[tenant] or 0) then
    return tenant .. ' is charged ' .. used .. ' and has ' .. (held[tenant] or 0)
  end
  held[tenant] = nil
end
if next(held) then return next(held) .. ' is charged nothing and has ' .. held[next(held)] end
return ''

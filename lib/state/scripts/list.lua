-- Records in lexical order, without env: it may be large, and nobody lists secrets.
--
-- Reply: a list of records.
local ids = redis.call('ZRANGEBYLEX', key('all'), after == '' and '-' or '(' .. after, '+', 'LIMIT', 0, limit)
local reply = {}
for i, id in ipairs(ids) do
  local whole, short = redis.call('HGETALL', key('sb:' .. id)), {}
  for f = 1, #whole, 2 do
    if whole[f] ~= 'env' then
      short[#short + 1] = whole[f]
      short[#short + 1] = whole[f + 1]
    end
  end
  reply[i] = {id, short}
end
return reply

-- Records in lexical order. ARGV: after (exclusive, '' for the start), limit. Reply: a list of records.
local ids = redis.call('ZRANGEBYLEX', key('all'), ARGV[1] == '' and '-' or '(' .. ARGV[1], '+', 'LIMIT', 0, ARGV[2])
local reply = {}
for i, id in ipairs(ids) do reply[i] = record(id) end
return reply

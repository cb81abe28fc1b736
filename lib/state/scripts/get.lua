-- One record, or nil. ARGV: id.
if redis.call('EXISTS', key('sb:' .. ARGV[1])) == 0 then return nil end
return record(ARGV[1])

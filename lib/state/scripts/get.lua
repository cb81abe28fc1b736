-- One record, or nil.
if redis.call('EXISTS', key('sb:' .. id)) == 0 then return nil end
return record(id)

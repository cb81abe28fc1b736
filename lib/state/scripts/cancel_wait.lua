-- A caller that waited has gone: it leaves the queue, or lets go of what it has not confirmed. What it asked and has not
-- come yet, gets nothing.
--
-- ARGV: time, uid, replica. Reply: how the pool stands, 1 when it vanished with its last waiter.
-- Invariant: a confirmed claim is never touched, nor one that another replica speaks for by now.
local uid = ARGV[2]
local left = leave_queue(uid, ARGV[3])
if left then return left end
local id = redis.call('HGET', key('uids'), uid)
if id and field(id, 'state') == '3' and field(id, 'pending') == ARGV[3] then
  forget_request(field(id, 'request'), uid)
  release(id, 'Unconfirmed', time(ARGV[1]))
end
if not id then spend(uid) end
return 0

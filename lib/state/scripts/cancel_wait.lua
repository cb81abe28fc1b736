-- A caller that waited has gone: it leaves the queue, or lets go of what it has not confirmed. What it asked and has not
-- come yet, gets nothing.
--
-- Reply: how the pool stands, 1 when it vanished with its last waiter.
-- Invariant: a confirmed claim is never touched, nor one that another replica speaks for by now.
local left = leave_queue(uid, replica)
if left then return left end
local id = redis.call('HGET', key('uids'), uid)
if id and field(id, 'state') == '3' and field(id, 'pending') == replica then
  forget_request(field(id, 'request'), uid)
  release(id, 'Unconfirmed', now)
end
if not id then spend(uid) end
return 0

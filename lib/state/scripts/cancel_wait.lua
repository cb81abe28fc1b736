-- A caller that waited has gone: it leaves the queue, or lets go of what it has not confirmed.
--
-- ARGV: time, uid, replica. Reply: how the pool stands, 1 when it vanished with its last waiter.
-- Invariant: a confirmed claim is never touched, nor one that another replica speaks for by now.
local uid = ARGV[2]
local waiter = redis.call('HGET', key('waiters'), uid)
if waiter then
  if cjson.decode(waiter).replica ~= ARGV[3] then return 0 end
  dismiss(uid)
  hint('sp:wake:pools')
  return vanish_if_empty()
end
local id = redis.call('HGET', key('uids'), uid)
if id and field(id, 'state') == '3' and field(id, 'pending') == ARGV[3] then
  forget_request(field(id, 'request'), uid)
  release(id, 'Unconfirmed', time(ARGV[1]))
end
return 0

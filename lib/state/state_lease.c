/* See state_lease.h. */
#include "lib/state/state_lease.h"

#include "lib/base/str.h"
#include "lib/state/state_call.h"
#include "lib/state/state_script_calls.h"

static void epoch_done(StateCall *call, const RedisReply *reply, const Error *err) {
  StateEpochFn fn = (StateEpochFn)call->fn;
  if (err)
    return fn(call->arg, false, NULL, err);
  fn(call->arg, reply->items[0]->integer == 1, reply->items[1]->str, NULL);
}

void state_epoch(State *s, const char *known, StateEpochFn fn, void *arg) {
  char fresh[33];
  random_uid(fresh);
  StateCall *call = STATE_CALL(s, NULL, NULL, epoch_done, fn, arg);
  state_run_epoch(call, "sp:epoch", .known = known, .fresh = fresh);
}

static void lease_done(StateCall *call, const RedisReply *reply, const Error *err) {
  ((StateLeaseFn)call->fn)(call->arg, !err && reply->integer == 1, err);
}

static void lease(State *s, const char *name, int64_t ttl_ms, StateCallDone done, void (*fn)(void), void *arg) {
  StateCall *call = state_call_new(s, NULL, NULL, done, fn, arg);
  state_run_lease(call, arena_printf(call->arena, "sp:lease:%s", name), .replica = s->replica, .ttl_ms = ttl_ms);
}

void state_lease(State *s, const char *name, int64_t ttl_ms, StateLeaseFn fn, void *arg) {
  lease(s, name, ttl_ms, lease_done, (void (*)(void))fn, arg);
}

void state_lease_release(State *s, const char *name, StateDoneFn fn, void *arg) {
  lease(s, name, 0, state_done, (void (*)(void))fn, arg);
}

/* Where Sandbox objects answer that no pool made, or that have another name than the member they run. */
#include "lib/state/state_address.h"

#include "lib/state/state_call.h"

static StateCall *address_call(State *s, const char *command, const char *ns, const char *name, StateCallDone done,
                               void (*fn)(void), void *arg) {
  StateCall *call = state_call_new(s, ns, NULL, done, fn, arg);
  state_call_str(call, command);
  state_call_str(call, STATE_KEY_ADDRESSES);
  if (name)
    state_call_str(call, arena_printf(call->arena, "%s/%s", ns, name));
  return call;
}

void state_address_set(State *s, const char *ns, const char *name, const char *route, StateDoneFn fn, void *arg) {
  StateCall *call = address_call(s, route ? "HSET" : "HDEL", ns, name, state_done, (void (*)(void))fn, arg);
  if (route)
    state_call_str(call, route);
  state_call_command(call);
}

static void address_done(StateCall *call, const RedisReply *reply, const Error *err) {
  StateAddressFn fn = (StateAddressFn)call->fn;
  Error why;
  const char *route = err ? NULL : reply->str;
  if (!err && !route) {
    error_set(&why, ERROR_NOT_FOUND, "no address");
    err = &why;
  }
  fn(call->arg, route, err);
}

void state_address_get(State *s, const char *ns, const char *name, StateAddressFn fn, void *arg) {
  state_call_command(address_call(s, "HGET", ns, name, address_done, (void (*)(void))fn, arg));
}

void state_address_names(State *s, StateNamesFn fn, void *arg) {
  state_call_command(address_call(s, "HKEYS", NULL, NULL, state_names_done, (void (*)(void))fn, arg));
}

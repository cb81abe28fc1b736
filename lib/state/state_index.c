/* The indexes of pools and templates: one key each, for all namespaces, so no script can change one together with a
 * pool. */
#include <string.h>

#include "lib/base/str.h"
#include "lib/state/state_call.h"

void state_index_change(State *s, const char *index, const char *verb, const char *ns, const char *name,
                        StateCallDone done, void (*fn)(void), void *arg) {
  StateCall *call = state_call_new(s, ns, name, done, fn, arg);
  state_call_str(call, verb);
  state_call_str(call, index);
  if (strcmp(verb, "ZADD") == 0)
    state_call_str(call, "0");
  state_call_str(call, arena_printf(call->arena, "%s/%s", ns, name));
  state_call_command(call);
}

void state_names_done(StateCall *call, const RedisReply *reply, const Error *err) {
  StateNamesFn fn = (StateNamesFn)call->fn;
  if (err)
    return fn(call->arg, NULL, err);
  const char **names = arena_alloc(call->arena, reply->n_items * sizeof *names);
  for (size_t i = 0; i < reply->n_items; i++)
    names[i] = reply->items[i]->str;
  fn(call->arg, &(StateNames){.names = names, .n_names = reply->n_items}, NULL);
}

void state_index_names(State *s, const char *index, const char *ns, const char *after, size_t limit, StateNamesFn fn,
                       void *arg) {
  StateCall *call = STATE_CALL(s, NULL, NULL, state_names_done, fn, arg);
  bool all = str_empty(ns);
  state_call_str(call, "ZRANGEBYLEX");
  state_call_str(call, index);
  if (!str_empty(after))
    state_call_str(call, arena_printf(call->arena, "(%s", after));
  else
    state_call_str(call, all ? "-" : arena_printf(call->arena, "[%s/", ns));
  /* '0' is the character after '/': the end of all names of a namespace */
  state_call_str(call, all ? "+" : arena_printf(call->arena, "(%s0", ns));
  if (limit) {
    state_call_str(call, "LIMIT");
    state_call_str(call, "0");
    state_call_int(call, (int64_t)limit);
  }
  state_call_command(call);
}

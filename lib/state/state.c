/* See state.h. The state itself, above its calls and the listeners that it owns. */
#include "lib/state/state.h"

#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/state/state_call.h"

State *state_new(RedisClient *redis, const char *replica) {
  State *s = new0(State);
  s->redis = redis;
  s->replica = str_dup(replica);
  return s;
}

void state_free(State *s) {
  if (!s)
    return;
  state_hints_free(s);
  free(s->replica);
  free(s);
}

void state_set_now(State *s, int64_t now_ms) {
  s->now_ms = now_ms;
}

/* History for watchers, and the hints of the wake channels. */
#include "lib/state/state_events.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/state/state_call.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_sandbox.h"
#include "lib/state/state_script_calls.h"

static void events_done(StateCall *call, const RedisReply *reply, const Error *err) {
  StateEventsFn fn = (StateEventsFn)call->fn;
  if (err)
    return fn(call->arg, NULL, err);
  const RedisReply *list = reply->items[2];
  StateEvent *events = arena_alloc(call->arena, list->n_items * sizeof *events);
  for (size_t i = 0; i < list->n_items; i++) {
    const RedisReply *e = list->items[i];
    events[i] = (StateEvent){
        .stream_id = e->items[0]->str,
        .id = e->items[1]->str,
        .uid = e->items[2]->str,
        .deleted = strcmp(e->items[3]->str, "1") == 0,
        .tenant = e->items[4]->str,
    };
  }
  StateEvents result = {.events = events,
                        .n_events = list->n_items,
                        .trimmed = reply->items[1]->integer == 1,
                        .last_id = reply->items[0]->str};
  fn(call->arg, &result, NULL);
}

void state_events(State *s, const char *ns, const char *pool, const char *after, StateEventsFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, pool, events_done, fn, arg);
  state_run_events(call, .after = after);
}

/* One listener of a channel. */
typedef struct Hint {
  struct Hint *next;
  StateHintFn fn;
  void *arg;
} Hint;

static void on_hint(void *arg, const char *message, size_t len) {
  Hint *h = arg;
  if (!message || len == 0)
    return h->fn(h->arg, NULL, NULL);
  char ns[STATE_NAME_MAX + 1];
  const char *pool = state_name_split(message, ns);
  if (pool && strlen(pool) <= STATE_NAME_MAX)
    h->fn(h->arg, ns, pool);
}

static void subscribe(State *s, const char *channel, StateHintFn fn, void *arg) {
  Hint *h = new0(Hint);
  *h = (Hint){.next = s->hints, .fn = fn, .arg = arg};
  s->hints = h;
  redis_subscribe(s->redis, channel, on_hint, h);
}

void state_hints_free(State *s) {
  while (s->hints) {
    Hint *next = ((Hint *)s->hints)->next;
    free(s->hints);
    s->hints = next;
  }
}

void state_on_events(State *s, StateHintFn fn, void *arg) {
  subscribe(s, "sp:wake:events", fn, arg);
}
void state_on_pools(State *s, StateHintFn fn, void *arg) {
  subscribe(s, "sp:wake:pools", fn, arg);
}
void state_on_releasing(State *s, StateHintFn fn, void *arg) {
  subscribe(s, "sp:wake:reconciler", fn, arg);
}

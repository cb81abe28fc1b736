/* See state_call.h. */
#include "lib/state/state_call.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"

StateCall *state_call_new(State *s, const char *ns, const char *pool, StateCallDone done, void (*fn)(void), void *arg) {
  Arena *arena = arena_new();
  StateCall *call = arena_alloc(arena, sizeof *call);
  *call = (StateCall){.s = s,
                      .arena = arena,
                      .ns = ns ? arena_strdup(arena, ns) : NULL,
                      .pool = pool ? arena_strdup(arena, pool) : NULL,
                      .done = done,
                      .fn = fn,
                      .arg = arg,
                      .cap = 16};
  call->argv = arena_alloc(arena, call->cap * sizeof *call->argv);
  /* slot 0 is the key of a script, or the name of a command */
  call->argc = 1;
  return call;
}

void state_call_str(StateCall *call, const char *value) {
  if (call->argc == call->cap) {
    const char **grown = arena_alloc(call->arena, 2 * call->cap * sizeof *grown);
    memcpy(grown, call->argv, call->cap * sizeof *grown);
    call->argv = grown;
    call->cap *= 2;
  }
  call->argv[call->argc++] = arena_strdup(call->arena, value ? value : "");
}

const char *state_call_own(StateCall *call, const char *tenant, const char *request_id) {
  if (str_empty(request_id))
    return "";
  return arena_printf(call->arena, "%s:%s", str_empty(tenant) ? STATE_DEFAULT_TENANT : tenant, request_id);
}

void state_call_int(StateCall *call, int64_t value) {
  state_call_str(call, arena_printf(call->arena, "%lld", (long long)value));
}

const char *state_call_pairs(StateCall *call, const char *field, const StatePair *pairs, size_t n, Error *err) {
  const char *json = state_pairs_to_json(call->arena, pairs, n);
  if (!json)
    error_field(err, field, "is not UTF-8");
  return json;
}

void state_call_now(StateCall *call) {
  state_call_int(call, call->s->now_ms);
}

static void on_reply(void *arg, const RedisReply *reply, const Error *err) {
  StateCall *call = arg;
  if (call->s->metrics)
    state_meter(call, err);
  call->done(call, reply, err);
  arena_free(call->arena);
}

void state_call_script_on(StateCall *call, const RedisScript *script, const char *key) {
  call->argv[0] = arena_strdup(call->arena, key);
  call->what = script->name;
  call->sent_us = call->s->metrics ? clock_mono_us() : 0;
  redis_script(call->s->redis, on_reply, call, script, 1, call->argc, call->argv, NULL);
}

void state_call_script(StateCall *call, const RedisScript *script) {
  char key[STATE_KEY_MAX];
  state_key_pool(key, call->ns, call->pool, "pool");
  state_call_script_on(call, script, key);
}

void state_call_command(StateCall *call) {
  call->what = call->argv[1];
  call->sent_us = call->s->metrics ? clock_mono_us() : 0;
  redis_command(call->s->redis, on_reply, call, call->argc - 1, call->argv + 1, NULL);
}

void state_call_fail(StateCall *call, const Error *err) {
  redis_fail_later(call->s->redis, on_reply, call, err);
}

void state_done(StateCall *call, const RedisReply *reply, const Error *err) {
  if (call->fn)
    ((StateDoneFn)call->fn)(call->arg, err);
}

void state_count_done(StateCall *call, const RedisReply *reply, const Error *err) {
  ((StateCountFn)call->fn)(call->arg, err ? 0 : (int)reply->integer, err);
}

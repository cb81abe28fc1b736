/* See state_sandbox.h. */
#include "lib/state/state_sandbox.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/state/state_call.h"
#include "lib/state/state_script_calls.h"

/* How one failed, as fail.lua has it. */
typedef enum StateFailure {
  STATE_FAILED = 0,
  STATE_FAILED_UNHELD = 1,
  STATE_DELETED = 2,
  STATE_UNWANTED_UNHELD = 3,
} StateFailure;

/* A call about one sandbox. NULL: the id names no pool; done will run with NOT_FOUND. */
static StateCall *sandbox_call(State *s, const char *ns, const char *id, StateCallDone done, void (*fn)(void),
                               void *arg) {
  char pool[STATE_NAME_MAX + 1];
  bool known = state_pool_of(id, pool);
  StateCall *call = state_call_new(s, ns, known ? pool : NULL, done, fn, arg);
  call->id = arena_strdup(call->arena, id);
  if (known)
    return call;
  Error err;
  error_set(&err, ERROR_NOT_FOUND, "sandbox \"%s\" not found in namespace \"%s\"", id, ns);
  state_call_fail(call, &err);
  return NULL;
}
#define SANDBOX_CALL(s, ns, id, done, fn, arg) sandbox_call((s), (ns), (id), (done), (void (*)(void))(fn), (arg))

static void record_done(StateCall *call, const RedisReply *reply, const Error *err) {
  StateRecordFn fn = (StateRecordFn)call->fn;
  SandboxRecord record;
  Error why;
  if (!err && reply->type == REDIS_INTEGER) {
    error_set(&why, ERROR_FAILED_PRECONDITION, "sandbox \"%s\" is not claimed", call->id);
    err = &why;
  } else if (!err && !state_record_parse(call, reply, &record)) {
    error_set(&why, ERROR_NOT_FOUND, "sandbox \"%s\" not found in namespace \"%s\"", call->id, call->ns);
    err = &why;
  }
  fn(call->arg, err ? NULL : &record, err);
}

void state_get(State *s, const char *ns, const char *id, StateRecordFn fn, void *arg) {
  StateCall *call = SANDBOX_CALL(s, ns, id, record_done, fn, arg);
  if (!call)
    return;
  state_run_get(call, .id = id);
}

/* Not there is as good as done; so is a pool that went with it. */
static void ended_done(StateCall *call, const RedisReply *reply, const Error *err) {
  if (err && err->kind == ERROR_NOT_FOUND)
    err = NULL;
  if (!err && reply && reply->type == REDIS_INTEGER && reply->integer == 1)
    state_pool_vanished(call->s, call->ns, call->pool);
  state_done(call, reply, err);
}

static void released_done(StateCall *call, const RedisReply *reply, const Error *err) {
  state_done(call, reply, err && err->kind == ERROR_NOT_FOUND ? NULL : err);
}

void state_release(State *s, const char *ns, const char *id, const char *uid, const char *reason, StateDoneFn fn,
                   void *arg) {
  StateCall *call = SANDBOX_CALL(s, ns, id, released_done, fn, arg);
  if (!call)
    return;
  state_run_release(call, .id = id, .holder = uid, .reason = reason);
}

void state_update(State *s, const char *ns, const char *id, const SandboxUpdate *u, StateRecordFn fn, void *arg) {
  StateCall *call = SANDBOX_CALL(s, ns, id, record_done, fn, arg);
  if (!call)
    return;
  Error err;
  const char *labels = state_call_pairs(call, "labels", u->labels, u->n_labels, &err);
  if (!labels)
    return state_call_fail(call, &err);
  state_run_update(call, .id = id, .mask = u->mask, .labels = labels, .expire_ms = u->expire_ms,
                   .idle_ms = u->idle_timeout_ms);
}

void state_touch(State *s, const char *ns, const char *id, const char *uid, StateDoneFn fn, void *arg) {
  StateCall *call = SANDBOX_CALL(s, ns, id, state_done, fn, arg);
  if (!call)
    return;
  state_run_touch(call, .id = id, .uid = uid);
}

static void ready_done(StateCall *call, const RedisReply *reply, const Error *err) {
  StateReadyFn fn = (StateReadyFn)call->fn;
  Error why;
  if (!err && reply->integer < 0) {
    error_set(&why, ERROR_FAILED_PRECONDITION, "sandbox \"%s\" is not wanted any more", call->id);
    err = &why;
  }
  fn(call->arg, !err && reply->integer == 1, err);
}

void state_ready(State *s, const char *ns, const char *id, const char *route, const char *runtime_class,
                 StateReadyFn fn, void *arg) {
  StateCall *call = SANDBOX_CALL(s, ns, id, ready_done, fn, arg);
  if (!call)
    return;
  state_run_ready(call, .id = id, .route = route, .class = runtime_class);
}

static void failed(StateCall *call, const char *reason, const char *message, StateFailure how) {
  state_run_fail(call, .id = call->id, .reason = reason, .message = message, .how = how);
}

void state_failed(State *s, const char *ns, const char *id, const char *reason, const char *message, StateDoneFn fn,
                  void *arg) {
  StateCall *call = SANDBOX_CALL(s, ns, id, ended_done, fn, arg);
  if (call)
    failed(call, reason, message, STATE_FAILED);
}

void state_deleted(State *s, const char *ns, const char *id, const char *reason, const char *message, StateDoneFn fn,
                   void *arg) {
  StateCall *call = SANDBOX_CALL(s, ns, id, ended_done, fn, arg);
  if (call)
    failed(call, reason, message, STATE_DELETED);
}

static void unfit_done(StateCall *call, const RedisReply *reply, const Error *err) {
  if (err && err->kind == ERROR_NOT_FOUND)
    err = NULL; /* as good as gone */
  if (!err && reply && reply->integer == 1)
    state_pool_vanished(call->s, call->ns, call->pool);
  ((StateHeldFn)call->fn)(call->arg, !err && reply && reply->integer == -1, err);
}

void state_unfit(State *s, const char *ns, const char *id, bool has_failed, const char *reason, const char *message,
                 StateHeldFn fn, void *arg) {
  StateCall *call = SANDBOX_CALL(s, ns, id, unfit_done, fn, arg);
  if (call)
    failed(call, reason, message, has_failed ? STATE_FAILED_UNHELD : STATE_UNWANTED_UNHELD);
}

void state_unready(State *s, const char *ns, const char *id, StateDoneFn fn, void *arg) {
  StateCall *call = SANDBOX_CALL(s, ns, id, released_done, fn, arg);
  if (!call)
    return;
  state_run_unready(call, .id = id);
}

static void gone_done(StateCall *call, const RedisReply *reply, const Error *err) {
  bool removed = !err && reply->type == REDIS_ARRAY;
  if (removed && call->s->on_reaped)
    call->s->on_reaped(call->s->reaped_arg, reply->items[1]->integer);
  ended_done(call, removed ? reply->items[0] : reply, err);
}

void state_on_reaped(State *s, void (*fn)(void *arg, int64_t releasing_ms), void *arg) {
  s->on_reaped = fn;
  s->reaped_arg = arg;
}

void state_gone(State *s, const char *ns, const char *id, StateDoneFn fn, void *arg) {
  StateCall *call = SANDBOX_CALL(s, ns, id, gone_done, fn, arg);
  if (!call)
    return;
  state_run_gone(call, .id = id);
}

static void restore_done(StateCall *call, const RedisReply *reply, const Error *err) {
  Error why;
  if (!err && reply->integer == -1) {
    error_set(&why, ERROR_FAILED_PRECONDITION, "sandbox \"%s\" is held by another claim", call->id);
    err = &why;
  } else if (!err && reply->integer == -2) {
    error_set(&why, ERROR_NOT_FOUND, "pool \"%s\" not found", call->pool);
    err = &why;
  }
  if (!err && reply->integer == 2)
    state_pool_listed(call->s, call->ns, call->pool);
  state_done(call, reply, err);
}

void state_restore(State *s, const SandboxRecord *held, bool pool_deleted, StateDoneFn fn, void *arg) {
  StateCall *call = SANDBOX_CALL(s, held->ns, held->id, restore_done, fn, arg);
  if (!call)
    return;
  Error err;
  const char *labels = state_call_pairs(call, "labels", held->labels, held->n_labels, &err),
             *env = labels ? state_call_pairs(call, "env", held->env, held->n_env, &err) : NULL;
  if (!env)
    return state_call_fail(call, &err);
  state_run_restore(call, .id = held->id, .uid = held->uid, .template = held->template_name,
                    .hash = held->template_hash, .route = held->route, .class = held->runtime_class, .labels = labels,
                    .expire_ms = held->expire_ms, .pool_deleted = pool_deleted,
                    .tenant = str_empty(held->tenant) ? STATE_KUBERNETES_TENANT : held->tenant, .env = env);
}

static void register_done(StateCall *call, const RedisReply *reply, const Error *err) {
  Error why;
  if (!err && strcmp(reply->str, "NOPOOL") == 0) {
    error_set(&why, ERROR_FAILED_PRECONDITION, "pool \"%s\" is deleted", call->pool);
    err = &why;
  } else if (!err && strcmp(reply->str, "EXISTS") == 0) {
    error_set(&why, ERROR_ALREADY_EXISTS, "a sandbox of that name exists");
    err = &why;
  }
  state_done(call, reply, err);
}

void state_register(State *s, const char *ns, const char *pool, const char *template_name, const char *template_hash,
                    const char *const *ids, size_t n_ids, StateDoneFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, pool, register_done, fn, arg);
  state_run_register(call, .template = template_name, .hash = template_hash, .ids = ids, .n_ids = n_ids);
}

void state_retire(State *s, const char *ns, const char *pool, StateRetire which, size_t n, const char *reason,
                  StateCountFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, pool, state_count_done, fn, arg);
  state_run_retire(call, .n = (int64_t)n, .which = which, .reason = reason);
}

static void expire_done(StateCall *call, const RedisReply *reply, const Error *err) {
  StateExpiredFn fn = (StateExpiredFn)call->fn;
  if (err)
    return fn(call->arg, NULL, err);
  int64_t next = reply->items[1]->integer, since = reply->items[4]->integer;
  if (reply->items[2]->integer == 1)
    state_pool_vanished(call->s, call->ns, call->pool);
  fn(call->arg,
     &(StateExpired){.n_ended = (int)reply->items[0]->integer,
                     .next_ms = next < 0 ? INT64_MAX : next,
                     .n_waiting = reply->items[3]->integer,
                     .oldest_ms = since < 0 ? 0 : reply->items[5]->integer - since},
     NULL);
}

void state_expire(State *s, const char *ns, const char *pool, StateExpiredFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, pool, expire_done, fn, arg);
  state_run_expire(call);
}

static void list_done(StateCall *call, const RedisReply *reply, const Error *err) {
  StatePageFn fn = (StatePageFn)call->fn;
  if (err)
    return fn(call->arg, NULL, err);
  SandboxRecord *records = arena_alloc(call->arena, reply->n_items * sizeof *records);
  SandboxPage page = {.records = records};
  for (size_t i = 0; i < reply->n_items; i++)
    if (state_record_parse(call, reply->items[i], &records[page.n_records]))
      page.n_records++;
  if (reply->n_items > 0 && reply->n_items == call->limit)
    page.next = reply->items[reply->n_items - 1]->items[0]->str;
  fn(call->arg, &page, NULL);
}

void state_list(State *s, const char *ns, const char *pool, const char *after, size_t limit, StatePageFn fn,
                void *arg) {
  StateCall *call = STATE_CALL(s, ns, pool, list_done, fn, arg);
  call->limit = limit;
  state_run_list(call, .after = after, .limit = (int64_t)limit);
}

static void ids_done(StateCall *call, const RedisReply *reply, const Error *err) {
  StateIdsFn fn = (StateIdsFn)call->fn;
  if (err)
    return fn(call->arg, NULL, 0, err);
  const char **ids = arena_alloc(call->arena, reply->n_items * sizeof *ids);
  for (size_t i = 0; i < reply->n_items; i++)
    ids[i] = reply->items[i]->str;
  fn(call->arg, ids, reply->n_items, NULL);
}

/* Oldest first, at most 1000: who works them off asks again. */
static void ids_of(State *s, const char *ns, const char *pool, const char *set, StateIdsFn fn, void *arg) {
  char key[STATE_KEY_MAX];
  state_key_pool(key, ns, pool, set);
  StateCall *call = STATE_CALL(s, ns, pool, ids_done, fn, arg);
  state_call_str(call, "ZRANGE");
  state_call_str(call, key);
  state_call_str(call, "0");
  state_call_str(call, "999");
  state_call_command(call);
}

void state_releasing(State *s, const char *ns, const char *pool, StateIdsFn fn, void *arg) {
  ids_of(s, ns, pool, "releasing", fn, arg);
}

void state_creating(State *s, const char *ns, const char *pool, StateIdsFn fn, void *arg) {
  ids_of(s, ns, pool, "creating", fn, arg);
}

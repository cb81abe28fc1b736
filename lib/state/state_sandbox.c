/* Transitions and reads of single sandboxes; lists; leases and the epoch. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/state/state_call.h"
#include "lib/state/state_scripts.h"

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
  state_call_str(call, id);
  state_call_script(call, STATE_SCRIPT(get));
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
  state_call_now(call);
  state_call_str(call, id);
  state_call_str(call, uid);
  state_call_str(call, reason);
  state_call_script(call, STATE_SCRIPT(release, .durable = true));
}

void state_update(State *s, const char *ns, const char *id, const SandboxUpdate *u, StateRecordFn fn, void *arg) {
  StateCall *call = SANDBOX_CALL(s, ns, id, record_done, fn, arg);
  if (!call)
    return;
  state_call_now(call);
  state_call_str(call, id);
  state_call_int(call, u->mask);
  Error err;
  if (state_call_pairs(call, "labels", u->labels, u->n_labels, &err))
    return state_call_fail(call, &err);
  state_call_int(call, u->expire_ms);
  state_call_int(call, u->idle_timeout_ms);
  state_call_script(call, STATE_SCRIPT(update, .durable = true));
}

void state_touch(State *s, const char *ns, const char *id, const char *uid, StateDoneFn fn, void *arg) {
  StateCall *call = SANDBOX_CALL(s, ns, id, state_done, fn, arg);
  if (!call)
    return;
  state_call_now(call);
  state_call_str(call, id);
  state_call_str(call, uid);
  state_call_script(call, STATE_SCRIPT(touch));
}

typedef void (*ReadyFn)(void *arg, bool granted, const Error *err);

static void ready_done(StateCall *call, const RedisReply *reply, const Error *err) {
  ReadyFn fn = (ReadyFn)call->fn;
  Error why;
  if (!err && reply->integer < 0) {
    error_set(&why, ERROR_FAILED_PRECONDITION, "sandbox \"%s\" is not wanted any more", call->id);
    err = &why;
  }
  fn(call->arg, !err && reply->integer == 1, err);
}

void state_ready(State *s, const char *ns, const char *id, const char *route, const char *runtime_class, ReadyFn fn,
                 void *arg) {
  StateCall *call = SANDBOX_CALL(s, ns, id, ready_done, fn, arg);
  if (!call)
    return;
  state_call_now(call);
  state_call_str(call, id);
  state_call_str(call, route);
  state_call_str(call, runtime_class);
  state_call_script(call, STATE_SCRIPT(ready, .fenced = true));
}

static void failed(StateCall *call, const char *reason, const char *message, StateFailure how) {
  state_call_now(call);
  state_call_str(call, call->id);
  state_call_str(call, reason);
  state_call_str(call, message);
  state_call_int(call, how);
  state_call_script(call, STATE_SCRIPT(fail));
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

typedef void (*UnfitFn)(void *arg, bool held, const Error *err);

static void unfit_done(StateCall *call, const RedisReply *reply, const Error *err) {
  if (err && err->kind == ERROR_NOT_FOUND)
    err = NULL; /* as good as gone */
  if (!err && reply && reply->integer == 1)
    state_pool_vanished(call->s, call->ns, call->pool);
  ((UnfitFn)call->fn)(call->arg, !err && reply && reply->integer == -1, err);
}

void state_unfit(State *s, const char *ns, const char *id, bool has_failed, const char *reason, const char *message,
                 UnfitFn fn, void *arg) {
  StateCall *call = SANDBOX_CALL(s, ns, id, unfit_done, fn, arg);
  if (call)
    failed(call, reason, message, has_failed ? STATE_FAILED_UNHELD : STATE_UNWANTED_UNHELD);
}

void state_unready(State *s, const char *ns, const char *id, StateDoneFn fn, void *arg) {
  StateCall *call = SANDBOX_CALL(s, ns, id, released_done, fn, arg);
  if (!call)
    return;
  state_call_now(call);
  state_call_str(call, id);
  state_call_script(call, STATE_SCRIPT(unready));
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
  state_call_str(call, id);
  state_call_now(call);
  state_call_script(call, STATE_SCRIPT(gone));
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
  state_call_now(call);
  state_call_str(call, held->id);
  state_call_str(call, held->uid);
  state_call_str(call, held->template_name);
  state_call_str(call, held->template_hash);
  state_call_str(call, held->route);
  state_call_str(call, held->runtime_class);
  Error err;
  if (state_call_pairs(call, "labels", held->labels, held->n_labels, &err))
    return state_call_fail(call, &err);
  state_call_int(call, held->expire_ms);
  state_call_int(call, pool_deleted);
  state_call_str(call, str_empty(held->tenant) ? STATE_KUBERNETES_TENANT : held->tenant);
  if (state_call_pairs(call, "env", held->env, held->n_env, &err))
    return state_call_fail(call, &err);
  state_call_script(call, STATE_SCRIPT(restore));
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
  state_call_now(call);
  state_call_str(call, template_name);
  state_call_str(call, template_hash);
  for (size_t i = 0; i < n_ids; i++)
    state_call_str(call, ids[i]);
  state_call_script(call, STATE_SCRIPT(register));
}

typedef void (*CountFn)(void *arg, int n, const Error *err);

static void count_done(StateCall *call, const RedisReply *reply, const Error *err) {
  ((CountFn)call->fn)(call->arg, err ? 0 : (int)reply->integer, err);
}

void state_retire(State *s, const char *ns, const char *pool, StateRetire which, size_t n, const char *reason,
                  CountFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, pool, count_done, fn, arg);
  state_call_now(call);
  state_call_int(call, (int64_t)n);
  state_call_int(call, which);
  state_call_str(call, reason);
  state_call_script(call, STATE_SCRIPT(retire));
}

typedef void (*ExpireFn)(void *arg, const StateExpired *e, const Error *err);

static void expire_done(StateCall *call, const RedisReply *reply, const Error *err) {
  ExpireFn fn = (ExpireFn)call->fn;
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

void state_expire(State *s, const char *ns, const char *pool, ExpireFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, pool, expire_done, fn, arg);
  state_call_now(call);
  state_call_script(call, STATE_SCRIPT(expire, .fenced = true));
}

typedef void (*PageFn)(void *arg, const SandboxPage *page, const Error *err);

static void list_done(StateCall *call, const RedisReply *reply, const Error *err) {
  PageFn fn = (PageFn)call->fn;
  if (err)
    return fn(call->arg, NULL, err);
  SandboxRecord *records = arena_alloc(call->arena, reply->n_items * sizeof *records);
  SandboxPage page = {.records = records};
  for (size_t i = 0; i < reply->n_items; i++)
    if (state_record_parse(call, reply->items[i], &records[page.n_records]))
      page.n_records++;
  int64_t limit;
  if (!str_to_int64(call->argv[2], 1, INT64_MAX, &limit) && reply->n_items == (size_t)limit)
    page.next = reply->items[reply->n_items - 1]->items[0]->str;
  fn(call->arg, &page, NULL);
}

void state_list(State *s, const char *ns, const char *pool, const char *after, size_t limit, PageFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, pool, list_done, fn, arg);
  state_call_str(call, after);
  state_call_int(call, (int64_t)limit);
  state_call_script(call, STATE_SCRIPT(list));
}

typedef void (*IdsFn)(void *arg, const char *const *ids, size_t n_ids, const Error *err);

static void ids_done(StateCall *call, const RedisReply *reply, const Error *err) {
  IdsFn fn = (IdsFn)call->fn;
  if (err)
    return fn(call->arg, NULL, 0, err);
  const char **ids = arena_alloc(call->arena, reply->n_items * sizeof *ids);
  for (size_t i = 0; i < reply->n_items; i++)
    ids[i] = reply->items[i]->str;
  fn(call->arg, ids, reply->n_items, NULL);
}

/* Oldest first, at most 1000: who works them off asks again. */
static void ids_of(State *s, const char *ns, const char *pool, const char *set, IdsFn fn, void *arg) {
  char key[STATE_KEY_MAX];
  state_key_pool(key, ns, pool, set);
  StateCall *call = STATE_CALL(s, ns, pool, ids_done, fn, arg);
  state_call_str(call, "ZRANGE");
  state_call_str(call, key);
  state_call_str(call, "0");
  state_call_str(call, "999");
  state_call_command(call);
}

void state_releasing(State *s, const char *ns, const char *pool, IdsFn fn, void *arg) {
  ids_of(s, ns, pool, "releasing", fn, arg);
}

void state_creating(State *s, const char *ns, const char *pool, IdsFn fn, void *arg) {
  ids_of(s, ns, pool, "creating", fn, arg);
}

/* ---- epoch and leases ---- */

typedef void (*EpochFn)(void *arg, bool same, const char *epoch, const Error *err);

static void epoch_done(StateCall *call, const RedisReply *reply, const Error *err) {
  EpochFn fn = (EpochFn)call->fn;
  if (err)
    return fn(call->arg, false, NULL, err);
  fn(call->arg, reply->items[0]->integer == 1, reply->items[1]->str, NULL);
}

void state_epoch(State *s, const char *known, EpochFn fn, void *arg) {
  char fresh[33];
  random_uid(fresh);
  StateCall *call = STATE_CALL(s, NULL, NULL, epoch_done, fn, arg);
  state_call_str(call, known);
  state_call_str(call, fresh);
  state_call_script_on(call, STATE_SCRIPT(epoch), "sp:epoch");
}

typedef void (*LeaseFn)(void *arg, bool held, const Error *err);

static void lease_done(StateCall *call, const RedisReply *reply, const Error *err) {
  ((LeaseFn)call->fn)(call->arg, !err && reply->integer == 1, err);
}

static void lease(State *s, const char *name, int64_t ttl_ms, StateCallDone done, void (*fn)(void), void *arg) {
  StateCall *call = state_call_new(s, NULL, NULL, done, fn, arg);
  state_call_str(call, s->replica);
  state_call_int(call, ttl_ms);
  state_call_script_on(call, STATE_SCRIPT(lease), arena_printf(call->arena, "sp:lease:%s", name));
}

void state_lease(State *s, const char *name, int64_t ttl_ms, LeaseFn fn, void *arg) {
  lease(s, name, ttl_ms, lease_done, (void (*)(void))fn, arg);
}

void state_lease_release(State *s, const char *name, StateDoneFn fn, void *arg) {
  lease(s, name, 0, state_done, (void (*)(void))fn, arg);
}

/* See state_pool.h. */
#include "lib/state/state_pool.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/state/state_call.h"
#include "lib/state/state_script_calls.h"

/* ---- a pool that vanished ---- */

/* Index and pool lie in different slots, so no script can change both. One that was made again meanwhile keeps its
 * name; for one that is made between the first look and the next step the second look puts it back. A step that may or
 * may not have been taken is followed by the second look, and that one by the name: one too many does no harm, one too
 * few hides what the pool gave. */
static void look(State *s, const char *ns, const char *pool, StateCallDone done) {
  char key[STATE_KEY_MAX];
  state_key_pool(key, ns, pool, "pool");
  StateCall *call = STATE_CALL(s, ns, pool, done, NULL, NULL);
  state_call_str(call, "EXISTS");
  state_call_str(call, key);
  state_call_command(call);
}

static void looked_again(StateCall *call, const RedisReply *reply, const Error *err) {
  if (err ? err->kind == ERROR_UNAVAILABLE : reply->integer == 1)
    state_pool_listed(call->s, call->ns, call->pool);
}

static void unlisted(StateCall *call, const RedisReply *reply, const Error *err) {
  if (!err || err->kind == ERROR_UNAVAILABLE)
    look(call->s, call->ns, call->pool, looked_again);
}

static void looked(StateCall *call, const RedisReply *reply, const Error *err) {
  if (!err && reply->integer == 0)
    state_index_change(call->s, STATE_POOL_INDEX, "ZREM", call->ns, call->pool, unlisted, NULL, NULL);
}

void state_pool_vanished(State *s, const char *ns, const char *pool) {
  look(s, ns, pool, looked);
}

/* Should this step be lost, hints name the pool nonetheless, and its last sandbox takes it away. */
void state_pool_listed(State *s, const char *ns, const char *pool) {
  state_index_change(s, STATE_POOL_INDEX, "ZADD", ns, pool, state_done, NULL, NULL);
}

/* ---- pools ---- */

static void pool_done(StateCall *call, const RedisReply *reply, const Error *err) {
  StatePoolFn fn = (StatePoolFn)call->fn;
  Error missing;
  if (!err && reply->type != REDIS_ARRAY) {
    error_set(&missing, ERROR_NOT_FOUND, "pool \"%s\" not found in namespace \"%s\"", call->pool, call->ns);
    err = &missing;
  }
  if (err)
    return fn(call->arg, NULL, err);
  const RedisReply *f = reply->items[0];
  const char *hash = state_field(f, "template_hash"), *reason = state_field(f, "reason"),
             *message = state_field(f, "message");
  const char *template_name = state_field(f, "template");
  PoolRecord p = {
      .ns = call->ns,
      .name = call->pool,
      .template_name = template_name ? template_name : "",
      .replicas = (int)state_field_int(f, "replicas"),
      .strategy = (int)state_field_int(f, "strategy"),
      .generation = state_field_int(f, "generation"),
      .create_ms = state_field_int(f, "create_ms"),
      .implicit = state_field(f, "implicit") != NULL,
      .deleted = state_field(f, "deleted") != NULL,
      .template_hash = hash ? hash : "",
      .reason = reason ? reason : "",
      .message = message ? message : "",
      .n_failures = state_field_int(f, "failures"),
      .n_early = state_field_int(f, "early"),
      .failure_ms = state_field_int(f, "failure_ms"),
      .n_creating = reply->items[1]->integer,
      .n_ready = reply->items[2]->integer,
      .n_claimed = reply->items[3]->integer,
      .n_releasing = reply->items[4]->integer,
      .n_waiting = reply->items[5]->integer,
      .n_created = state_field(f, "created") ? state_field_int(f, "created") : -1,
      .n_destroyed = state_field_int(f, "destroyed"),
  };
  fn(call->arg, &p, NULL);
}

void state_pool_get(State *s, const char *ns, const char *name, StatePoolFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, name, pool_done, fn, arg);
  state_run_pool_get(call);
}

static void pool_fail(StateCall *call, const Error *err) {
  ((StatePoolFn)call->fn)(call->arg, NULL, err);
}

static void pool_listed(StateCall *call, const RedisReply *reply, const Error *err) {
  if (err)
    return pool_fail(call, err);
  state_pool_get(call->s, call->ns, call->pool, (StatePoolFn)call->fn, call->arg);
}

static void pool_applied(StateCall *call, const RedisReply *reply, const Error *err) {
  /* perhaps it was made all the same, and claims come to it: a name too many in the index does no harm, one too few
   * hides what they got */
  if (err && err->kind == ERROR_UNAVAILABLE)
    state_pool_listed(call->s, call->ns, call->pool);
  if (err)
    return pool_fail(call, err);
  state_index_change(call->s, STATE_POOL_INDEX, "ZADD", call->ns, call->pool, pool_listed, call->fn, call->arg);
}

static void pool_scaled(StateCall *call, const RedisReply *reply, const Error *err) {
  Error missing;
  if (!err && reply->integer == 0) {
    error_set(&missing, ERROR_NOT_FOUND, "pool \"%s\" not found in namespace \"%s\"", call->pool, call->ns);
    err = &missing;
  }
  pool_listed(call, reply, err);
}

void state_pool_apply(State *s, const PoolRecord *spec, StatePoolFn fn, void *arg) {
  if (!spec->template_name) {
    StateCall *call = STATE_CALL(s, spec->ns, spec->name, pool_scaled, fn, arg);
    state_run_pool_scale(call, .replicas = spec->replicas);
    return;
  }
  StateCall *call = STATE_CALL(s, spec->ns, spec->name, pool_applied, fn, arg);
  state_run_pool_apply(call, .template = spec->template_name, .replicas = spec->replicas, .strategy = spec->strategy,
                       .implicit = spec->implicit, .shape = spec->shape);
}

static void pool_deleted(StateCall *call, const RedisReply *reply, const Error *err) {
  if (!err && reply->integer == 1)
    state_pool_vanished(call->s, call->ns, call->pool);
  state_done(call, reply, err);
}

void state_pool_delete(State *s, const char *ns, const char *name, StateDoneFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, name, pool_deleted, fn, arg);
  state_run_pool_delete(call);
}

void state_pool_set_reason(State *s, const char *ns, const char *name, const char *reason, const char *message,
                           StateDoneFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, name, state_done, fn, arg);
  state_run_pool_set_reason(call, .reason = reason, .message = message);
}

void state_pool_heal(State *s, const char *ns, const char *name, StateDoneFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, name, state_done, fn, arg);
  state_run_pool_heal(call);
}

void state_pool_purge(State *s, const char *ns, const char *name, StateDoneFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, name, pool_deleted, fn, arg);
  state_run_pool_purge(call);
}

void state_pool_set_hash(State *s, const char *ns, const char *name, const char *hash, const char *shape,
                         StateCountFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, name, state_count_done, fn, arg);
  state_run_pool_set_hash(call, .hash = hash, .shape = shape);
}

void state_pool_names(State *s, const char *ns, const char *after, size_t limit, StateNamesFn fn, void *arg) {
  state_index_names(s, STATE_POOL_INDEX, ns, after, limit, fn, arg);
}

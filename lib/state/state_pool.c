/* Pools, templates, their indexes, and the hints of all channels. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/state/state_call.h"
#include "lib/state/state_scripts.h"

#define POOL_INDEX "sp:pools"
#define TEMPLATE_INDEX "sp:templates"

static void index_command(State *s, const char *index, const char *verb, const char *ns, const char *name,
                          StateCallDone done, void (*fn)(void), void *arg) {
  StateCall *call = state_call_new(s, ns, name, done, fn, arg);
  state_call_str(call, verb);
  state_call_str(call, index);
  if (strcmp(verb, "ZADD") == 0)
    state_call_str(call, "0");
  state_call_str(call, arena_printf(call->arena, "%s/%s", ns, name));
  state_call_command(call);
}

/* ---- a pool that vanished ---- */

/* Index and pool lie in different slots, so no script can change both. A pool made again between the two
 * steps is found by the second look and put back. */
static void looked_again(StateCall *call, const RedisReply *reply, const Error *err) {
  if (!err && reply->integer == 1)
    index_command(call->s, POOL_INDEX, "ZADD", call->ns, call->pool, state_done, NULL, NULL);
}

static void unlisted(StateCall *call, const RedisReply *reply, const Error *err) {
  if (err)
    return;
  char key[STATE_KEY_MAX];
  state_key_pool(key, call->ns, call->pool, "pool");
  StateCall *look = STATE_CALL(call->s, call->ns, call->pool, looked_again, NULL, NULL);
  state_call_str(look, "EXISTS");
  state_call_str(look, key);
  state_call_command(look);
}

void state_pool_vanished(State *s, const char *ns, const char *pool) {
  index_command(s, POOL_INDEX, "ZREM", ns, pool, unlisted, NULL, NULL);
}

/* Should this step be lost, hints name the pool nonetheless, and its last sandbox takes it away. */
void state_pool_listed(State *s, const char *ns, const char *pool) {
  index_command(s, POOL_INDEX, "ZADD", ns, pool, state_done, NULL, NULL);
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
  state_call_script(call, STATE_SCRIPT(pool_get));
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
  index_command(call->s, POOL_INDEX, "ZADD", call->ns, call->pool, pool_listed, call->fn, call->arg);
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
    state_call_int(call, spec->replicas);
    return state_call_script(call, STATE_SCRIPT(pool_scale, .durable = true));
  }
  StateCall *call = STATE_CALL(s, spec->ns, spec->name, pool_applied, fn, arg);
  state_call_now(call);
  state_call_str(call, spec->template_name);
  state_call_int(call, spec->replicas);
  state_call_int(call, spec->strategy);
  state_call_int(call, spec->implicit);
  state_call_str(call, spec->shape);
  state_call_script(call, STATE_SCRIPT(pool_apply, .durable = true, .fenced = true));
}

static void pool_deleted(StateCall *call, const RedisReply *reply, const Error *err) {
  if (!err && reply->integer == 1)
    state_pool_vanished(call->s, call->ns, call->pool);
  state_done(call, reply, err);
}

void state_pool_delete(State *s, const char *ns, const char *name, StateDoneFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, name, pool_deleted, fn, arg);
  state_call_now(call);
  state_call_script(call, STATE_SCRIPT(pool_delete, .durable = true));
}

void state_pool_set_reason(State *s, const char *ns, const char *name, const char *reason, const char *message,
                           StateDoneFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, name, state_done, fn, arg);
  state_call_str(call, reason);
  state_call_str(call, message);
  state_call_script(call, STATE_SCRIPT(pool_set_reason));
}

void state_pool_heal(State *s, const char *ns, const char *name, StateDoneFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, name, state_done, fn, arg);
  state_call_script(call, STATE_SCRIPT(pool_heal));
}

void state_pool_purge(State *s, const char *ns, const char *name, StateDoneFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, name, pool_deleted, fn, arg);
  state_call_script(call, STATE_SCRIPT(pool_purge));
}

typedef void (*CountFn)(void *arg, int n, const Error *err);

static void hash_set(StateCall *call, const RedisReply *reply, const Error *err) {
  ((CountFn)call->fn)(call->arg, err ? 0 : (int)reply->integer, err);
}

void state_pool_set_hash(State *s, const char *ns, const char *name, const char *hash, const char *shape, CountFn fn,
                         void *arg) {
  StateCall *call = STATE_CALL(s, ns, name, hash_set, fn, arg);
  state_call_now(call);
  state_call_str(call, hash);
  state_call_str(call, shape);
  state_call_script(call, STATE_SCRIPT(pool_set_hash));
}

/* ---- templates ---- */

static void template_parsed(StateCall *call, const RedisReply *f, StateTemplateFn fn, void *arg) {
  const char *manifest = state_field(f, "manifest"), *hash = state_field(f, "hash");
  const char *runtime_class = state_field(f, "runtime_class"), *image = state_field(f, "image");
  TemplateRecord t = {
      .ns = call->ns,
      .name = call->pool, /* the call's second name is the template's here */
      .manifest = manifest ? manifest : "",
      .hash = hash ? hash : "",
      .runtime_class = runtime_class ? runtime_class : "",
      .image = image ? image : "",
      .generation = state_field_int(f, "generation"),
      .create_ms = state_field_int(f, "create_ms"),
  };
  fn(arg, &t, NULL);
}

static void template_done(StateCall *call, const RedisReply *reply, const Error *err) {
  StateTemplateFn fn = (StateTemplateFn)call->fn;
  Error missing;
  if (!err && (reply->type != REDIS_ARRAY || reply->n_items == 0)) {
    error_set(&missing, ERROR_NOT_FOUND, "template \"%s\" not found in namespace \"%s\"", call->pool, call->ns);
    err = &missing;
  }
  if (err)
    return fn(call->arg, NULL, err);
  template_parsed(call, reply, fn, call->arg);
}

void state_template_get(State *s, const char *ns, const char *name, StateTemplateFn fn, void *arg) {
  char key[STATE_KEY_MAX];
  state_key_template(key, ns, name);
  StateCall *call = STATE_CALL(s, ns, name, template_done, fn, arg);
  state_call_str(call, "HGETALL");
  state_call_str(call, key);
  state_call_command(call);
}

static void template_listed(StateCall *call, const RedisReply *reply, const Error *err) {
  StateTemplateFn fn = (StateTemplateFn)call->fn;
  if (err)
    return fn(call->arg, NULL, err);
  state_template_get(call->s, call->ns, call->pool, fn, call->arg);
}

static void template_applied(StateCall *call, const RedisReply *reply, const Error *err) {
  if (err)
    return ((StateTemplateFn)call->fn)(call->arg, NULL, err);
  index_command(call->s, TEMPLATE_INDEX, "ZADD", call->ns, call->pool, template_listed, call->fn, call->arg);
}

void state_template_apply(State *s, const TemplateRecord *t, StateTemplateFn fn, void *arg) {
  char key[STATE_KEY_MAX];
  state_key_template(key, t->ns, t->name);
  StateCall *call = STATE_CALL(s, t->ns, t->name, template_applied, fn, arg);
  state_call_now(call);
  state_call_str(call, t->manifest);
  state_call_str(call, t->hash);
  state_call_str(call, t->runtime_class);
  state_call_str(call, t->image);
  state_call_script_on(call, STATE_SCRIPT(template_apply, .durable = true), key);
}

static void template_unlisted(StateCall *call, const RedisReply *reply, const Error *err) {
  if (err)
    return state_done(call, reply, err);
  char key[STATE_KEY_MAX];
  state_key_template(key, call->ns, call->pool);
  StateCall *del = state_call_new(call->s, call->ns, call->pool, state_done, call->fn, call->arg);
  state_call_str(del, "DEL");
  state_call_str(del, key);
  state_call_command(del);
}

void state_template_delete(State *s, const char *ns, const char *name, StateDoneFn fn, void *arg) {
  index_command(s, TEMPLATE_INDEX, "ZREM", ns, name, template_unlisted, (void (*)(void))fn, arg);
}

/* ---- indexes ---- */

void state_names_done(StateCall *call, const RedisReply *reply, const Error *err) {
  StateNamesFn fn = (StateNamesFn)call->fn;
  if (err)
    return fn(call->arg, NULL, err);
  const char **names = arena_alloc(call->arena, reply->n_items * sizeof *names);
  for (size_t i = 0; i < reply->n_items; i++)
    names[i] = reply->items[i]->str;
  fn(call->arg, &(StateNames){.names = names, .n_names = reply->n_items}, NULL);
}

static void names(State *s, const char *index, const char *ns, const char *after, size_t limit, StateNamesFn fn,
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

void state_pool_names(State *s, const char *ns, const char *after, size_t limit, StateNamesFn fn, void *arg) {
  names(s, POOL_INDEX, ns, after, limit, fn, arg);
}

void state_template_names(State *s, const char *ns, const char *after, size_t limit, StateNamesFn fn, void *arg) {
  names(s, TEMPLATE_INDEX, ns, after, limit, fn, arg);
}

/* See state_template.h. */
#include "lib/state/state_template.h"

#include "lib/base/str.h"
#include "lib/state/state_call.h"
#include "lib/state/state_script_calls.h"

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
  state_index_change(call->s, STATE_TEMPLATE_INDEX, "ZADD", call->ns, call->pool, template_listed, call->fn, call->arg);
}

void state_template_apply(State *s, const TemplateRecord *t, StateTemplateFn fn, void *arg) {
  char key[STATE_KEY_MAX];
  state_key_template(key, t->ns, t->name);
  StateCall *call = STATE_CALL(s, t->ns, t->name, template_applied, fn, arg);
  state_run_template_apply(call, key, .manifest = t->manifest, .hash = t->hash, .class = t->runtime_class,
                           .image = t->image);
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
  state_index_change(s, STATE_TEMPLATE_INDEX, "ZREM", ns, name, template_unlisted, (void (*)(void))fn, arg);
}

void state_template_names(State *s, const char *ns, const char *after, size_t limit, StateNamesFn fn, void *arg) {
  state_index_names(s, STATE_TEMPLATE_INDEX, ns, after, limit, fn, arg);
}

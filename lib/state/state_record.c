/* Sandbox records out of a script's reply, and the JSON that labels and env are kept as. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/state/state_call.h"

const char *state_field(const RedisReply *fields, const char *name) {
  for (size_t i = 0; i + 1 < fields->n_items; i += 2)
    if (fields->items[i]->str && strcmp(fields->items[i]->str, name) == 0)
      return fields->items[i + 1]->str;
  return NULL;
}

int64_t state_field_int(const RedisReply *fields, const char *name) {
  int64_t v = 0;
  const char *s = state_field(fields, name);
  if (!s || str_to_int64(s, INT64_MIN, INT64_MAX, &v))
    return 0;
  return v;
}

const char *state_json_text(Arena *arena, json_t *o, size_t flags) {
  char *text = json_dumps(o, flags);
  if (!text)
    abort();
  const char *copy = arena_strdup(arena, text);
  free(text);
  json_decref(o);
  return copy;
}

const char *state_pairs_to_json(Arena *arena, const StatePair *pairs, size_t n) {
  if (n == 0)
    return "{}";
  json_t *o = json_object();
  for (size_t i = 0; i < n; i++)
    if (json_object_set_new(o, pairs[i].key, json_string(pairs[i].value))) {
      json_decref(o);
      return NULL;
    }
  return state_json_text(arena, o, JSON_COMPACT);
}

void state_pairs_from_json(Arena *arena, const char *json, const StatePair **ret_pairs, size_t *ret_n) {
  *ret_pairs = NULL;
  *ret_n = 0;
  if (str_empty(json) || strcmp(json, "{}") == 0)
    return;
  json_t *o = json_loads(json, 0, NULL);
  StatePair *pairs = arena_alloc(arena, json_object_size(o) * sizeof *pairs);
  const char *key;
  json_t *value;
  json_object_foreach(o, key, value) {
    if (!json_is_string(value))
      continue;
    pairs[(*ret_n)++] = (StatePair){arena_strdup(arena, key), arena_strdup(arena, json_string_value(value))};
  }
  *ret_pairs = pairs;
  json_decref(o);
}

static const char *text(const RedisReply *fields, const char *name) {
  const char *s = state_field(fields, name);
  return s ? s : "";
}

bool state_record_parse(StateCall *call, const RedisReply *reply, SandboxRecord *r) {
  if (reply->type != REDIS_ARRAY || reply->n_items != 2 || reply->items[1]->type != REDIS_ARRAY ||
      !reply->items[0]->str)
    return false;
  const RedisReply *f = reply->items[1];
  *r = (SandboxRecord){
      .ns = call->ns,
      .pool = call->pool,
      .id = reply->items[0]->str,
      .state = (SandboxState)state_field_int(f, "state"),
      .uid = text(f, "uid"),
      .template_name = text(f, "template"),
      .template_hash = text(f, "hash"),
      .runtime_class = text(f, "class"),
      .route = text(f, "route"),
      .reason = text(f, "reason"),
      .message = text(f, "message"),
      .create_ms = state_field_int(f, "create_ms"),
      .ready_ms = state_field_int(f, "ready_ms"),
      .claim_ms = state_field_int(f, "claim_ms"),
      .expire_ms = state_field_int(f, "expire_ms"),
      .idle_timeout_ms = state_field_int(f, "idle_ms"),
      .active_ms = state_field_int(f, "active_ms"),
      .wait_ms = state_field_int(f, "wait_ms"),
      .pending = state_field(f, "pending") != NULL,
      .tenant = text(f, "tenant"),
  };
  state_pairs_from_json(call->arena, state_field(f, "labels"), &r->labels, &r->n_labels);
  state_pairs_from_json(call->arena, state_field(f, "env"), &r->env, &r->n_env);
  return true;
}

/* See kube_object.h. */
#include "lib/kube/kube_object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/str.h"

/* The longest key on a path; all paths are constants of ours. */
enum { KEY_MAX = 64 };

/* Takes the first key off a path; NULL when there is none left. */
static const char *next_key(const char *path, char key[KEY_MAX]) {
  size_t n = strcspn(path, ".");
  if (n == 0 || n >= KEY_MAX)
    abort();
  memcpy(key, path, n);
  key[n] = 0;
  return path[n] ? path + n + 1 : NULL;
}

json_t *kube_get(const json_t *object, const char *path) {
  char key[KEY_MAX];
  while (object && path) {
    path = next_key(path, key);
    object = json_object_get(object, key);
  }
  return (json_t *)object;
}

const char *kube_text(const json_t *object, const char *path) {
  return json_string_value(kube_get(object, path));
}

int64_t kube_int(const json_t *object, const char *path, int64_t otherwise) {
  const json_t *v = kube_get(object, path);
  return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

int kube_bool(const json_t *object, const char *path) {
  const json_t *v = kube_get(object, path);
  return json_is_boolean(v) ? json_is_true(v) : -1;
}

/* ---- metadata ---- */

const char *kube_name(const json_t *object) {
  return kube_text(object, "metadata.name");
}
const char *kube_namespace(const json_t *object) {
  return kube_text(object, "metadata.namespace");
}
const char *kube_uid(const json_t *object) {
  return kube_text(object, "metadata.uid");
}

const char *kube_label(const json_t *object, const char *key) {
  return json_string_value(json_object_get(kube_get(object, "metadata.labels"), key));
}

const char *kube_annotation(const json_t *object, const char *key) {
  return json_string_value(json_object_get(kube_get(object, "metadata.annotations"), key));
}

bool kube_is_deleting(const json_t *object) {
  return kube_text(object, "metadata.deletionTimestamp") != NULL;
}

json_t *kube_controller(const json_t *object) {
  size_t i;
  json_t *ref;
  json_array_foreach(kube_get(object, "metadata.ownerReferences"), i, ref) {
    if (kube_bool(ref, "controller") == 1)
      return ref;
  }
  return NULL;
}

bool kube_is_controlled_by(const json_t *object, const char *uid) {
  return uid && str_equal(kube_text(kube_controller(object), "uid"), uid);
}

bool kube_controller_is(const json_t *object, const char *group, const char *kind) {
  const json_t *ref = kube_controller(object);
  const char *version = kube_text(ref, "apiVersion");
  size_t n = strlen(group);
  return version && strncmp(version, group, n) == 0 && version[n] == '/' && str_equal(kube_text(ref, "kind"), kind);
}

json_t *kube_owner_reference(const char *api_version, const char *kind, const char *name, const char *uid) {
  return json_pack("{s:s,s:s,s:s,s:s,s:b,s:b}", "apiVersion", api_version, "kind", kind, "name", name, "uid", uid,
                   "controller", 1, "blockOwnerDeletion", 1);
}

/* ---- building ---- */

/* NULL of what is no object itself: the caller's json_object_set_new then does nothing. */
static json_t *object_at(json_t *object, const char *key) {
  if (!json_is_object(object))
    return NULL;
  json_t *v = json_object_get(object, key);
  if (json_is_object(v))
    return v;
  v = json_object();
  if (json_object_set_new(object, key, v) != 0)
    abort();
  return v;
}

void kube_set(json_t *object, const char *path, json_t *value) {
  char key[KEY_MAX];
  for (;;) {
    path = next_key(path, key);
    if (!path)
      break;
    object = object_at(object, key);
  }
  if (json_object_set_new(object, key, value) != 0 && json_is_object(object))
    abort();
}

static void set_in(json_t *object, const char *map, const char *key, const char *value) {
  if (!value) {
    json_object_del(json_object_get(json_object_get(object, "metadata"), map), key);
    return;
  }
  json_object_set_new(object_at(object_at(object, "metadata"), map), key, json_string(value));
}

void kube_set_label(json_t *object, const char *key, const char *value) {
  set_in(object, "labels", key, value);
}
void kube_set_annotation(json_t *object, const char *key, const char *value) {
  set_in(object, "annotations", key, value);
}

json_t *kube_merge_patch(const json_t *from, const json_t *to) {
  if (!json_is_object(from) || !json_is_object(to))
    return json_equal(from, to) ? NULL : json_deep_copy(to);
  json_t *patch = json_object();
  const char *key;
  json_t *v;
  json_object_foreach((json_t *)to, key, v) {
    const json_t *old = json_object_get(from, key);
    /* a patch cannot say null, which is why what it gives has none there either */
    if (json_is_null(v) && (!old || json_is_null(old)))
      continue;
    json_t *part = old ? kube_merge_patch(old, v) : json_deep_copy(v);
    if (part)
      json_object_set_new(patch, key, part);
  }
  json_object_foreach((json_t *)from, key, v) {
    if (!json_object_get(to, key))
      json_object_set_new(patch, key, json_null());
  }
  if (json_object_size(patch) > 0)
    return patch;
  json_decref(patch);
  return NULL;
}

/* ---- conditions ---- */

json_t *kube_condition(const json_t *conditions, const char *type) {
  size_t i;
  json_t *c;
  json_array_foreach((json_t *)conditions, i, c) {
    if (str_equal(kube_text(c, "type"), type))
      return c;
  }
  return NULL;
}

bool kube_condition_is(const json_t *conditions, const char *type, const char *status) {
  return str_equal(kube_text(kube_condition(conditions, type), "status"), status);
}

/* Messages quote what others wrote and are cut anywhere: what is not UTF-8 becomes '?', not a condition lost. */
static json_t *text_value(const char *text) {
  json_t *value = json_string(text ? text : "");
  if (value)
    return value;
  CLEANUP(str_freep) char *s = str_dup(text);
  str_repair_utf8(s);
  return json_string(s);
}

bool kube_condition_set(json_t *conditions, const KubeCondition *c, const char *now) {
  json_t *old = kube_condition(conditions, c->type);
  bool moved = !old || !str_equal(kube_text(old, "status"), c->status);
  const char *since =
      moved ? (c->last_transition_time ? c->last_transition_time : now) : kube_text(old, "lastTransitionTime");
  json_t *next =
      json_pack("{s:s,s:s,s:o,s:o,s:s}", "type", c->type, "status", c->status, "reason", text_value(c->reason),
                "message", text_value(c->message), "lastTransitionTime", since ? since : now);
  if (c->observed_generation > 0)
    json_object_set_new(next, "observedGeneration", json_integer(c->observed_generation));
  if (!old)
    return json_array_append_new(conditions, next) == 0;
  if (json_equal(old, next)) {
    json_decref(next);
    return false;
  }
  json_object_clear(old);
  json_object_update(old, next);
  json_decref(next);
  return true;
}

bool kube_condition_remove(json_t *conditions, const char *type) {
  bool removed = false;
  /* one type is there once, unless somebody else wrote the list */
  for (size_t i = json_array_size(conditions); i-- > 0;) {
    if (!str_equal(kube_text(json_array_get(conditions, i), "type"), type))
      continue;
    removed = true;
    json_array_remove(conditions, i);
  }
  return removed;
}

/* ---- names and times ---- */

void kube_name_hash(const char *name, char out[9]) {
  snprintf(out, 9, "%08x", str_fnv1a32(name, strlen(name)));
}

void kube_format_time(int64_t wall_ms, char out[21]) {
  time_t s = (time_t)(wall_ms / 1000);
  struct tm tm;
  gmtime_r(&s, &tm);
  strftime(out, 21, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* One of `before`, when there is any, and n digits; behind them, or NULL. */
static const char *take_digits(const char *s, const char *before, int n, int *ret) {
  *ret = 0;
  if (!s || (*before && (!*s || !strchr(before, *s++))))
    return NULL;
  for (; n > 0; n--, s++) {
    if (*s < '0' || *s > '9')
      return NULL;
    *ret = *ret * 10 + (*s - '0');
  }
  return s;
}

/* RFC 3339 section 5.6, with any number of digits of a fraction. */
int64_t kube_parse_time(const char *s) {
  static const char *const BEFORE[] = {"", "-", "-", "Tt", ":", ":"};
  int at[6];
  for (size_t i = 0; i < ARRAY_LEN(at); i++)
    if (!(s = take_digits(s, BEFORE[i], i == 0 ? 4 : 2, &at[i])))
      return -1;
  struct tm tm = {.tm_year = at[0] - 1900,
                  .tm_mon = at[1] - 1,
                  .tm_mday = at[2],
                  .tm_hour = at[3],
                  .tm_min = at[4],
                  .tm_sec = at[5]};
  int64_t ms = (int64_t)timegm(&tm) * 1000;
  if (*s == '.') {
    int64_t unit = 100;
    for (s++; *s >= '0' && *s <= '9'; s++, unit /= 10)
      ms += (*s - '0') * unit;
  }
  if (str_equal(s, "Z") || str_equal(s, "z"))
    return ms;
  int hours, minutes;
  const char *end = take_digits(take_digits(s, "+-", 2, &hours), ":", 2, &minutes);
  if (!end || *end)
    return -1;
  int64_t offset = (hours * 60 + minutes) * 60000LL;
  return *s == '+' ? ms - offset : ms + offset;
}

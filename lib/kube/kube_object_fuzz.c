/* The readers and builders of kube_object.h on objects of any shape: {"a":...,"b":...,"key":...,"time":...}. A patch
 * that is made must do what it says: applied to the one it gives the other.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/kube/kube_object.h"
#include "lib/kube/kube_share.h"
#include "lib/kube/testing/merge_patch_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A merge patch cannot say null: what holds one is not reached, but must not be asked for again and again. */
static bool has_null(const json_t *v) {
  const char *key;
  json_t *child;
  if (json_is_null(v))
    return true;
  json_object_foreach((json_t *)v, key, child) {
    if (has_null(child))
      return true;
  }
  return false;
}

static void check_patch(const json_t *a, const json_t *b) {
  if (!json_is_object(a) || !json_is_object(b))
    return;
  KUBE_OWNED json_t *patch = kube_merge_patch(a, b);
  KUBE_OWNED json_t *got = patch ? merge_patch(a, patch) : json_deep_copy(a);
  if (patch && kube_merge_patch(got, b))
    abort();
  if (!has_null(a) && !has_null(b) && !json_equal(got, b))
    abort();
}

static void read_everything(const json_t *o, const char *time, const char *key) {
  static const char *const PATHS[] = {"spec", "spec.a.b", "metadata.labels", "status.conditions", "spec.replicas"};
  for (size_t i = 0; i < ARRAY_LEN(PATHS); i++) {
    kube_text(o, PATHS[i]);
    kube_int(o, PATHS[i], 0);
    kube_bool(o, PATHS[i]);
  }
  kube_name(o);
  kube_namespace(o);
  kube_label(o, key);
  kube_annotation(o, key);
  kube_is_deleting(o);
  const char *uid = kube_uid(o);
  if (uid)
    kube_is_controlled_by(o, uid);
  kube_controller(o);
  kube_controller_is(o, "agents.x-k8s.io", "Sandbox");
  const json_t *conditions = kube_get(o, "status.conditions");
  kube_condition(conditions, key);
  kube_condition_is(conditions, key, "True");
  int64_t ms = kube_parse_time(time);
  char text[21];
  if (ms >= 0)
    kube_format_time(ms, text);
}

static void build(json_t *o, const char *value, const char *key) {
  static const KubeCondition CONDITION = {.type = "Ready", .status = "True", .reason = "r", .message = "m"};
  json_t *conditions = kube_get(o, "status.conditions");
  if (json_is_array(conditions)) {
    kube_condition_set(conditions, &CONDITION, "2026-01-31T12:00:00Z");
    if (!kube_condition_is(conditions, "Ready", "True"))
      abort();
    kube_condition_remove(conditions, key);
  }
  KubeShare *share = kube_share_new();
  KUBE_OWNED json_t *one = json_deep_copy(o), *two = json_deep_copy(o);
  kube_share(share, one);
  kube_share(share, two);
  if (!json_equal(one, o) || !json_equal(two, o))
    abort();
  kube_share_free(share);
  if (!json_is_object(o))
    return;
  kube_set_label(o, key, value);
  kube_set_annotation(o, key, NULL);
  kube_set(o, "spec.a.b", json_integer(1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  KUBE_OWNED json_t *all = json_loadb((const char *)data, size, 0, NULL);
  json_t *a = json_object_get(all, "a"), *b = json_object_get(all, "b");
  const char *time = kube_text(all, "time"), *key = kube_text(all, "key");
  if (!time || !key)
    return 0;
  read_everything(a, time, key);
  check_patch(a, b);
  check_patch(b, a);
  if (a)
    build(a, time, key);
  char hash[9];
  kube_name_hash(key, hash);
  return 0;
}

/* See pod_outside.h. */
#include "services/reconciler/kubernetes/pod/pod_outside.h"

#include "lib/base/str.h"

static json_t *only(const json_t *from, const char *const *keys, size_t n) {
  json_t *out = json_object();
  for (size_t i = 0; i < n; i++) {
    json_t *v = json_object_get(from, keys[i]);
    if (v)
      json_object_set(out, keys[i], v);
  }
  return out;
}

static json_t *conditions_read(const json_t *conditions) {
  static const char *const READ[] = {"type", "status", "reason", "message"};
  json_t *out = json_array(), *c;
  size_t i;
  json_array_foreach((json_t *)conditions, i, c) {
    const char *type = kube_text(c, "type");
    if (str_equal(type, "Ready") || str_equal(type, "PodScheduled"))
      json_array_append_new(out, only(c, READ, ARRAY_LEN(READ)));
  }
  return out;
}

/* Of containers that do not run, why. */
static void put_containers(json_t *status, const json_t *whole, const char *list) {
  static const char *const READ[] = {"name"}, *const WHY[] = {"reason", "message", "exitCode"};
  json_t *out = json_array(), *c;
  size_t i;
  json_array_foreach(json_object_get(whole, list), i, c) {
    json_t *waiting = kube_get(c, "state.waiting"), *ended = kube_get(c, "state.terminated");
    if (!waiting && !ended)
      continue;
    json_t *kept = only(c, READ, 1);
    json_object_set_new(
        kept, "state",
        json_pack("{s:o}", waiting ? "waiting" : "terminated", only(waiting ? waiting : ended, WHY, ARRAY_LEN(WHY))));
    json_array_append_new(out, kept);
  }
  if (json_array_size(out) > 0)
    json_object_set(status, list, out);
  json_decref(out);
}

/* How often its containers were started again, in all. */
static void put_restarts(json_t *status, const json_t *whole) {
  json_t *c;
  size_t i;
  json_int_t n = 0;
  json_array_foreach(json_object_get(whole, "containerStatuses"), i, c) n += kube_int(c, "restartCount", 0);
  if (n > 0)
    json_object_set_new(status, "restarts", json_integer(n));
}

void pod_outside(json_t *pod) {
  static const char *const METADATA[] = {
      "name", "namespace", "uid", "resourceVersion", "labels", "annotations", "ownerReferences", "deletionTimestamp"};
  static const char *const SPEC[] = {"nodeName"};
  static const char *const STATUS[] = {"phase", "podIPs", "restarts"};
  static const char *const UNREAD[] = {"apiVersion", "kind"};
  json_t *status = only(json_object_get(pod, "status"), STATUS, ARRAY_LEN(STATUS));
  json_t *conditions = kube_get(pod, "status.conditions");
  if (conditions)
    json_object_set_new(status, "conditions", conditions_read(conditions));
  put_restarts(status, json_object_get(pod, "status"));
  put_containers(status, json_object_get(pod, "status"), "initContainerStatuses");
  put_containers(status, json_object_get(pod, "status"), "containerStatuses");
  json_object_set_new(pod, "status", status);
  json_object_set_new(pod, "spec", only(json_object_get(pod, "spec"), SPEC, ARRAY_LEN(SPEC)));
  json_object_set_new(pod, "metadata", only(json_object_get(pod, "metadata"), METADATA, ARRAY_LEN(METADATA)));
  for (size_t i = 0; i < ARRAY_LEN(UNREAD); i++)
    json_object_del(pod, UNREAD[i]);
}

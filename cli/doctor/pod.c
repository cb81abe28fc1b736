/* Why a Pod is not ready, in the kubelet's and the scheduler's words. */
#include <string.h>

#include "cli/doctor/doctor.h"

/* States that each Pod passes through; a Pod that stays has an Event that says why. */
static bool is_passing(const char *reason) {
  return !reason || str_equal(reason, "ContainerCreating") || str_equal(reason, "PodInitializing");
}

static const char *first(const char *text, const char *otherwise) {
  return str_empty(text) ? otherwise : text;
}

/* What keeps one of the containers from running; NULL: nothing. */
static const char *container_why(Doctor *d, const json_t *statuses) {
  size_t i;
  json_t *c;
  json_array_foreach(statuses, i, c) {
    const char *name = first(kube_text(c, "name"), "?"), *image = first(kube_text(c, "image"), "");
    const json_t *waiting = kube_get(c, "state.waiting"), *ended = kube_get(c, "state.terminated");
    const json_t *before = kube_get(c, "lastState.terminated");
    const char *reason = kube_text(waiting, "reason");
    if (waiting && !is_passing(reason))
      return doctor_text(d, "container %s (%s): %s: %s%s%s", name, image, reason,
                         first(kube_text(waiting, "message"), "no message"), before ? "; before that it ended: " : "",
                         before ? first(kube_text(before, "reason"), "?") : "");
    if (ended && kube_int(ended, "exitCode", 0) != 0)
      return doctor_text(d, "container %s (%s) ended: %s, exit code %d%s%s", name, image,
                         first(kube_text(ended, "reason"), "?"), (int)kube_int(ended, "exitCode", 0),
                         kube_text(ended, "message") ? ": " : "", first(kube_text(ended, "message"), ""));
  }
  return NULL;
}

/* The last warning about a Pod; NULL: none. */
static const char *last_event(Doctor *d, const json_t *pod) {
  Error err;
  size_t i;
  json_t *event;
  const char *found = NULL, *at = "";
  const char *path = doctor_text(d, "/api/v1/namespaces/%s/events?fieldSelector=involvedObject.name=%s",
                                 kube_namespace(pod), kube_name(pod));
  KUBE_OWNED json_t *list = doctor_get(d, path, &err);
  json_array_foreach(json_object_get(list, "items"), i, event) {
    const char *time = first(kube_text(event, "lastTimestamp"), first(kube_text(event, "eventTime"), ""));
    if (!str_equal(kube_text(event, "type"), "Warning") || strcmp(time, at) < 0)
      continue;
    at = arena_strdup(d->cli->arena, time);
    found = doctor_text(d, "%s: %s", first(kube_text(event, "reason"), "?"), first(kube_text(event, "message"), ""));
  }
  return found;
}

static const char *next_of(Doctor *d, const json_t *pod, const char *why) {
  if (strstr(why, "ImagePull") || strstr(why, "ErrImage") || strstr(why, "InvalidImageName"))
    return "see that the image's name is right, that the node reaches its registry, and that imagePullSecrets exist";
  if (strstr(why, "Unschedulable"))
    return "make room (kubectl describe nodes), ask for less, or lower the pool's replicas";
  if (strstr(why, "untime") && strstr(why, "andler"))
    return "install the runtime on the node, or put Pods of this RuntimeClass where it is (scheduling.nodeSelector)";
  return doctor_text(d, "kubectl -n %s describe pod %s; kubectl -n %s logs %s --all-containers", kube_namespace(pod),
                     kube_name(pod), kube_namespace(pod), kube_name(pod));
}

const char *doctor_pod_why(Doctor *d, const json_t *pod, bool *ret_starting, const char **ret_next) {
  const json_t *conditions = kube_get(pod, "status.conditions");
  const json_t *scheduled = kube_condition(conditions, "PodScheduled");
  const char *phase = first(kube_text(pod, "status.phase"), "?");
  *ret_starting = false;
  if (kube_condition_is(conditions, "Ready", "True"))
    return NULL;
  const char *why = NULL;
  if (str_equal(kube_text(scheduled, "status"), "False"))
    why = doctor_text(d, "%s: %s", first(kube_text(scheduled, "reason"), "Unschedulable"),
                      first(kube_text(scheduled, "message"), "no message"));
  if (!why)
    why = container_why(d, kube_get(pod, "status.initContainerStatuses"));
  if (!why)
    why = container_why(d, kube_get(pod, "status.containerStatuses"));
  if (!why && kube_text(pod, "status.reason"))
    why = doctor_text(d, "%s: %s", kube_text(pod, "status.reason"),
                      first(kube_text(pod, "status.message"), "no message"));
  if (!why)
    why = last_event(d, pod);
  if (!why) {
    *ret_starting = !str_equal(phase, "Failed") && !str_equal(phase, "Succeeded");
    bool runs = str_equal(phase, "Running");
    why = doctor_text(d, "the Pod is %s%s", phase, runs ? " and not ready" : "");
  }
  *ret_next = next_of(d, pod, why);
  return why;
}

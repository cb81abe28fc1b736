/* See pod_trouble.h. */
#include "services/reconciler/kubernetes/pod/pod_trouble.h"

#include <stdlib.h>

#include "lib/base/str.h"

static bool is_normal(const char *waiting_reason) {
  return str_equal(waiting_reason, "ContainerCreating") || str_equal(waiting_reason, "PodInitializing");
}

static const char *or_empty(const char *text) {
  return text ? text : "";
}

/* Of a container that waits for something that may never come, or has ended. */
static bool container_trouble(const json_t *container, bool is_init, PodTrouble *out) {
  const json_t *waiting = kube_get(container, "state.waiting"), *ended = kube_get(container, "state.terminated");
  const json_t *state = waiting ? waiting : ended;
  const char *reason = kube_text(state, "reason"), *message = kube_text(state, "message");
  int code = (int)kube_int(ended, "exitCode", 0);
  if (!reason || is_normal(reason) || (!waiting && is_init && code == 0))
    return false;
  *out = (PodTrouble){.reason = reason, .container = or_empty(kube_text(container, "name"))};
  if (str_empty(message) && !waiting)
    out->message = str_printf("exit code %d", code);
  else
    out->message = str_dup(or_empty(message));
  return true;
}

PodTrouble pod_trouble(const json_t *pod) {
  static const char *const LISTS[] = {"status.initContainerStatuses", "status.containerStatuses"};
  PodTrouble out = {0};
  const json_t *scheduled = kube_condition(kube_get(pod, "status.conditions"), "PodScheduled");
  if (str_equal(kube_text(scheduled, "status"), "False")) {
    const char *reason = kube_text(scheduled, "reason");
    out.reason = str_empty(reason) ? "Unschedulable" : reason;
    out.message = str_dup(or_empty(kube_text(scheduled, "message")));
    return out;
  }
  for (size_t k = 0; k < ARRAY_LEN(LISTS); k++) {
    size_t i;
    json_t *container;
    json_array_foreach(kube_get(pod, LISTS[k]), i, container) {
      if (container_trouble(container, k == 0, &out))
        return out;
    }
  }
  return out;
}

void pod_trouble_deinit(PodTrouble *trouble) {
  free(trouble->message);
  *trouble = (PodTrouble){0};
}

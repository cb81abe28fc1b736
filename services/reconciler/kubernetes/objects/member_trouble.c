/* See member_trouble.h. */
#include "services/reconciler/kubernetes/objects/member_trouble.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"

static void say(MemberTrouble *out, TroubleRank rank, const json_t *sandbox, const char *reason, const char *message) {
  out->rank = rank;
  snprintf(out->reason, sizeof out->reason, "%s", reason);
  /* as a condition takes it: whoever else wrote it need not know */
  for (char *c = out->reason; *c; c++)
    if (!isalnum((unsigned char)*c))
      *c = '_';
  if (!isalpha((unsigned char)*out->reason))
    snprintf(out->reason, sizeof out->reason, "NotReady");
  snprintf(out->message, sizeof out->message, "%s: %s", kube_name(sandbox), message ? message : "");
  /* cut inside a character: the state and a condition take UTF-8 only */
  if (!str_is_utf8(out->message, strlen(out->message)))
    for (char *c = out->message; *c; c++)
      if ((unsigned char)*c >= 0x80)
        *c = '?';
}

static bool is_normal(const char *waiting_reason) {
  return str_equal(waiting_reason, "ContainerCreating") || str_equal(waiting_reason, "PodInitializing");
}

/* The first container that waits for something that may never come. */
static bool container_trouble(const json_t *sandbox, const json_t *pod, MemberTrouble *out) {
  static const char *const LISTS[] = {"status.initContainerStatuses", "status.containerStatuses"};
  for (size_t k = 0; k < ARRAY_LEN(LISTS); k++) {
    size_t i;
    json_t *container;
    json_array_foreach(kube_get(pod, LISTS[k]), i, container) {
      const json_t *waiting = kube_get(container, "state.waiting"), *ended = kube_get(container, "state.terminated");
      const char *reason = kube_text(waiting ? waiting : ended, "reason"),
                 *message = kube_text(waiting ? waiting : ended, "message"), *name = kube_text(container, "name");
      if (!reason || is_normal(reason) || (!waiting && k == 0 && kube_int(ended, "exitCode", 0) == 0))
        continue;
      CLEANUP(str_freep) char *code = str_printf("exit code %d", (int)kube_int(ended, "exitCode", 0));
      CLEANUP(str_freep)
      char *text = str_printf("container %s: %s", name ? name : "",
                              !str_empty(message) ? message
                              : waiting           ? reason
                                                  : code);
      say(out, TROUBLE_CONTAINER, sandbox, reason, text);
      return true;
    }
  }
  return false;
}

void member_trouble(const json_t *sandbox, const json_t *pod, int64_t unready_ms, MemberTrouble *out) {
  *out = (MemberTrouble){0};
  const json_t *ready = kube_condition(kube_get(sandbox, "status.conditions"), "Ready");
  const json_t *scheduled = kube_condition(kube_get(pod, "status.conditions"), "PodScheduled");
  const char *reason = kube_text(ready, "reason"), *message = kube_text(ready, "message");
  if (str_equal(kube_text(ready, "status"), "True"))
    return;
  bool is_waiting = !reason || str_equal(reason, "DependenciesNotReady");
  if (!is_waiting)
    return say(out, TROUBLE_REFUSED, sandbox, reason, message);
  if (str_equal(kube_text(scheduled, "status"), "False")) {
    const char *why = kube_text(scheduled, "reason");
    return say(out, TROUBLE_UNSCHEDULED, sandbox, str_empty(why) ? "Unschedulable" : why,
               kube_text(scheduled, "message"));
  }
  if (container_trouble(sandbox, pod, out) || unready_ms < MEMBER_PATIENCE_MS)
    return;
  say(out, TROUBLE_UNREADY, sandbox, "NotReady", message ? message : "its Pod is not ready");
}

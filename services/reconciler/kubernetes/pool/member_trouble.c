/* See member_trouble.h. */
#include "services/reconciler/kubernetes/pool/member_trouble.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/pod/pod_trouble.h"

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

void member_trouble(const json_t *sandbox, const json_t *pod, int64_t unready_ms, MemberTrouble *out) {
  *out = (MemberTrouble){0};
  const json_t *ready = kube_condition(kube_get(sandbox, "status.conditions"), "Ready");
  const char *reason = kube_text(ready, "reason"), *message = kube_text(ready, "message");
  if (str_equal(kube_text(ready, "status"), "True"))
    return;
  bool is_waiting = !reason || str_equal(reason, "DependenciesNotReady");
  if (!is_waiting)
    return say(out, TROUBLE_REFUSED, sandbox, reason, message);
  CLEANUP(pod_trouble_deinit) PodTrouble t = pod_trouble(pod);
  if (t.reason && !t.container)
    return say(out, TROUBLE_UNSCHEDULED, sandbox, t.reason, t.message);
  if (t.reason) {
    CLEANUP(str_freep)
    char *text = str_printf("container %s: %s", t.container, *t.message ? t.message : t.reason);
    return say(out, TROUBLE_CONTAINER, sandbox, t.reason, text);
  }
  if (unready_ms < MEMBER_PATIENCE_MS)
    return;
  say(out, TROUBLE_UNREADY, sandbox, "NotReady", message ? message : "its Pod is not ready");
}

/* What users read with `kubectl describe sandbox`: what became of it, once for each turn it takes.
 *
 * The names are the reference controller's. A member of a pool that only starts says nothing: nobody asked for that
 * very one, and a pool of thousands would be filled with two more writes for each.
 */
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/cluster/event_recorder.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/sandbox/sandbox_pass.h"
#include "services/reconciler/kubernetes/sandbox/sandbox_status.h"

/* One for each row. */
static const struct {
  const char *condition, *status, *condition_reason; /* NULL: whatever the reason */
  const char *reason, *note;
  bool warning, of_members;
} TURNS[] = {
    {"Ready", "True", NULL, "SandboxReady", "Sandbox is ready", false, false},
    {"Suspended", "True", NULL, "SandboxSuspended", "Sandbox is suspended", false, true},
    {"Ready", "False", "SandboxExpired", "SandboxExpired", "Sandbox has expired", false, true},
    {"Finished", "True", "PodSucceeded", "PodSucceeded", "Pod completed successfully", false, true},
    {"Finished", "True", "PodFailed", "PodFailed", "Pod failed", true, true},
};

static bool is_member(const json_t *sandbox) {
  return kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_POOL) || kube_label(sandbox, LABEL_POOL);
}

void sandbox_events_record(SandboxPass *p, const json_t *sandbox, bool warning, const char *reason, const char *note) {
  if (p->pass.c->config->disable_sandbox_events)
    return;
  event_record(p->pass.c, &(EventNote){.about = sandbox,
                                       .api_version = AGENTS_V1BETA1,
                                       .kind = KIND_SANDBOX,
                                       .warning = warning,
                                       .reason = reason,
                                       .action = "Reconciling",
                                       .note = note,
                                       .controller = SANDBOX_MANAGER});
}

/* ---- the Pod ---- */

static bool has_failed_before(const json_t *sandbox) {
  const char *reason = kube_text(kube_condition(kube_get(sandbox, "status.conditions"), "Ready"), "reason");
  return str_equal(reason, "ReconcilerError") || str_equal(reason, SANDBOX_INVALID);
}

void sandbox_events_pod(SandboxPass *p, const char *pod_name, const Error *err) {
  const json_t *sandbox = cluster_get(p->pass.c, CLUSTER_SANDBOX, p->pass.ns, p->pass.name);
  if (!sandbox || (err && (err->kind == ERROR_ALREADY_EXISTS || err->kind == ERROR_CANCELLED)))
    return;
  if (err ? has_failed_before(sandbox) : is_member(sandbox))
    return;
  CLEANUP(str_freep)
  char *note = err ? str_printf("Failed to create Pod \"%s\": %s", pod_name, err->message)
                   : str_printf("Created Pod \"%s\"", pod_name);
  sandbox_events_record(p, sandbox, err != NULL, err ? "SandboxPodCreateFailed" : "SandboxPodCreated", note);
}

/* ---- the status ---- */

static bool says(const json_t *conditions, size_t turn) {
  const json_t *c = kube_condition(conditions, TURNS[turn].condition);
  return str_equal(kube_text(c, "status"), TURNS[turn].status) &&
         (!TURNS[turn].condition_reason || str_equal(kube_text(c, "reason"), TURNS[turn].condition_reason));
}

unsigned sandbox_events_of(const json_t *sandbox, const json_t *status) {
  unsigned events = 0;
  const json_t *was = kube_get(sandbox, "status.conditions"), *is = json_object_get(status, "conditions");
  for (size_t i = 0; i < ARRAY_LEN(TURNS); i++) {
    /* one that is deleted at its end has nobody to read it */
    bool told = !str_equal(TURNS[i].reason, "SandboxExpired") || !sandbox_expiry_deletes(sandbox);
    if (told && says(is, i) && !says(was, i) && (TURNS[i].of_members || !is_member(sandbox)))
      events |= 1u << i;
  }
  return events;
}

void sandbox_events_tell(SandboxPass *p, const json_t *sandbox) {
  for (size_t i = 0; i < ARRAY_LEN(TURNS); i++)
    if (p->events & 1u << i)
      sandbox_events_record(p, sandbox, TURNS[i].warning, TURNS[i].reason, TURNS[i].note);
  p->events = 0;
}

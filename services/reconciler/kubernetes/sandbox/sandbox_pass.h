/* One pass over one Sandbox, as its parts share it: sandbox_controller (order, expiry), sandbox_steps (what is made,
 * changed and taken away), sandbox_report (status, what became of the pass), sandbox_events, sandbox_refusals.
 *
 * A step that failed is not tried again in the same pass: the others go on, its error is part of the status, and the
 * pass ends as failed, to be repeated after a pause.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_SANDBOX_SANDBOX_PASS_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_SANDBOX_SANDBOX_PASS_H_

#include "services/reconciler/kubernetes/cluster/controller.h"
#include "services/reconciler/kubernetes/pod/pod.h"

#define SANDBOX_MANAGER "sandbox-controller"

typedef enum SandboxStep { STEP_VOLUMES, STEP_POD, STEP_SERVICE, STEP_REST, N_STEPS } SandboxStep;

typedef struct SandboxPass {
  Pass pass;
  json_t *refused;       /* SandboxController's: uid -> what the API server has refused of its spec; sandbox_refusals */
  SandboxStep step;      /* of the write under way */
  Error failed[N_STEPS]; /* kind ERROR_NONE: not failed */
  /* Read past the kept copies, because their selector leaves them out; NULL: not read. */
  json_t *pod_read, *service_read, *volume_read;
  bool pod_was_read, service_was_read;
  /* What the look has seen. */
  PodChoice choice;
  bool multiple, service_shown;
  bool looked; /* there was something to look at */
  bool marked;
  int64_t later_ms;  /* when to do what may wait; 0: nothing was put off */
  unsigned recalled; /* bits of steps that failed before this pass; sandbox_refusals */
  unsigned events;   /* of the status under way; sandbox_events */
} SandboxPass;

/* Steps. PASS_ON: there is nothing to do. */
PassNext sandbox_steps_volumes(SandboxPass *p, const json_t *sandbox);
PassNext sandbox_steps_pod(SandboxPass *p, const json_t *sandbox);
PassNext sandbox_steps_service(SandboxPass *p, const json_t *sandbox);
/* A PassFn: notes the failure of the step under way, and looks again. */
PassNext sandbox_steps_done(void *pass, json_t *object, const Error *err);
/* The Service under the Sandbox's name as last seen; NULL: none. */
const json_t *sandbox_steps_service_of(SandboxPass *p);
/* For how long yet what nobody waits for may not cost the API server a write; 0: not at all. */
int64_t sandbox_steps_quiet_ms(const SandboxPass *p, const json_t *sandbox);
/* Refusals that would be repeated (sandbox_refusals.c): what a pass need not try, because it was refused for this very
 * spec a while ago. */
void sandbox_refusals_recall(SandboxPass *p, const json_t *sandbox);
/* Every failure of the pass is such a one. */
bool sandbox_refusals_only(const SandboxPass *p);
/* At the end: what to recall. When to try again after all, 0: nothing was refused. */
int64_t sandbox_refusals_keep(SandboxPass *p, const json_t *sandbox);

/* Events (sandbox_events.c). err NULL: the Pod was created. */
void sandbox_events_pod(SandboxPass *p, const char *pod_name, const Error *err);
/* Which Events a new status makes, and telling them when it is written. */
unsigned sandbox_events_of(const json_t *sandbox, const json_t *status);
void sandbox_events_tell(SandboxPass *p, const json_t *sandbox);
void sandbox_events_record(SandboxPass *p, const json_t *sandbox, bool warning, const char *reason, const char *note);

/* Says in the status what the look has seen, then what became of it (sandbox_report.c). */
PassNext sandbox_report(SandboxPass *p, const json_t *sandbox);
/* Writes a status, when that is worth a write. */
PassNext sandbox_report_status(SandboxPass *p, const json_t *sandbox, const json_t *status);
/* How its Sandbox goes on; frees what is in the pass. ControllerSpec.end. */
PassEnd sandbox_report_end(void *pass);

#endif

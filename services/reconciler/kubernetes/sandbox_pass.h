/* One pass over one Sandbox, as its parts share it: sandbox_steps (what is made, changed and taken away) and
 * sandbox_controller (order, status, expiry). See there.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_SANDBOX_PASS_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_SANDBOX_PASS_H_

#include "services/reconciler/kubernetes/objects/pod.h"
#include "services/reconciler/kubernetes/sandbox_controller.h"

#define SANDBOX_MANAGER "sandbox-controller"

struct SandboxController {
  Cluster *c;
  KubeQueue *queue;
  json_t *held; /* "namespace/name": true */
};

typedef enum SandboxStep { STEP_VOLUMES, STEP_POD, STEP_SERVICE, STEP_REST, N_STEPS } SandboxStep;

typedef struct SandboxPass {
  SandboxController *s;
  KubeTask *task;
  char ns[256], name[256];
  SandboxStep step;      /* of the write under way */
  Error failed[N_STEPS]; /* kind ERROR_NONE: not failed */
  /* Read past the kept copies, because their selector leaves them out; NULL: not read. */
  json_t *pod_read, *service_read, *volume_read;
  bool pod_was_read, service_was_read;
  int looks;
  /* What the look has seen. */
  PodChoice choice;
  bool multiple, service_shown;
  bool marked;
  int64_t later_ms; /* when to do what may wait; 0: nothing was put off */
} SandboxPass;

/* Looks again: the next thing that is missing, or the status. */
void sandbox_pass_look(SandboxPass *p);

/* Steps: true when one began, which ends in sandbox_pass_look. */
bool sandbox_steps_volumes(SandboxPass *p, const json_t *sandbox);
bool sandbox_steps_pod(SandboxPass *p, const json_t *sandbox);
bool sandbox_steps_service(SandboxPass *p, const json_t *sandbox);
/* The Service under the Sandbox's name as last seen; NULL: none. */
const json_t *sandbox_steps_service_of(SandboxPass *p);
/* For how long yet what nobody waits for may not cost the API server a write; 0: not at all. */
int64_t sandbox_steps_quiet_ms(const SandboxPass *p, const json_t *sandbox);
/* A KubeDoneFn: notes the failure of the step under way, and looks again. */
void sandbox_steps_done(void *arg, json_t *object, const Error *err);

#endif

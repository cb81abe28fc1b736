/* The Sandbox controller: each Sandbox gets its Pod, its volume claims and its Service, and says how they are. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_SANDBOX_SANDBOX_CONTROLLER_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_SANDBOX_SANDBOX_CONTROLLER_H_

#include "services/reconciler/kubernetes/cluster/controller.h"

typedef struct SandboxController SandboxController;

SandboxController *sandbox_controller_new(Cluster *c);
void sandbox_controller_free(SandboxController *s); /* NULL-safe; after cluster_disconnect */
/* To lead, and to look again. */
Controller *sandbox_controller_of(SandboxController *s);
void sandbox_controller_on_sandbox(SandboxController *s, const json_t *before, const json_t *after);
/* A Pod or Service: wakes the Sandbox that controls it. */
void sandbox_controller_on_child(SandboxController *s, const json_t *before, const json_t *after);

#endif

/* The Sandbox controller: each Sandbox gets its Pod, its volume claims and its Service, and says how they are. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_SANDBOX_SANDBOX_CONTROLLER_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_SANDBOX_SANDBOX_CONTROLLER_H_

#include "services/reconciler/kubernetes/cluster/cluster.h"

typedef struct SandboxController SandboxController;

SandboxController *sandbox_controller_new(Cluster *c);
void sandbox_controller_free(SandboxController *s); /* NULL-safe; after cluster_disconnect */
/* Works through all Sandboxes when it begins to lead. */
void sandbox_controller_lead(SandboxController *s, bool leads);
void sandbox_controller_on_sandbox(SandboxController *s, const json_t *before, const json_t *after);
/* A Pod or Service: wakes the Sandbox that controls it. */
void sandbox_controller_on_child(SandboxController *s, const json_t *before, const json_t *after);
/* While held, a Sandbox is not worked on: its Pod is being handed over. */
void sandbox_controller_hold(SandboxController *s, const char *ns, const char *name, bool held);

#endif

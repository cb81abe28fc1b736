/* The claim controller: each SandboxClaim gets a Sandbox, from its pool through the shared state or made for it. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_CONTROLLER_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_CONTROLLER_H_

#include "services/reconciler/kubernetes/cluster/controller.h"
#include "services/reconciler/kubernetes/cluster/runtime_binder.h"

/* binder outlives it. */
Controller *claim_controller_new(Cluster *c, RuntimeBinder *binder);
/* Whether the claim of the shared state with this uid may go on holding the Sandbox: false when it is a SandboxClaim
 * that is gone, or has another Sandbox. */
bool claim_controller_holds(const Controller *claims, const json_t *sandbox, const char *uid);

#endif

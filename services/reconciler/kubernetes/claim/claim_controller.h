/* The claim controller: each SandboxClaim gets a Sandbox, from its pool through the shared state or made for it. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_CONTROLLER_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_CONTROLLER_H_

#include "services/reconciler/kubernetes/cluster/controller.h"
#include "services/reconciler/kubernetes/cluster/runtime_binder.h"

typedef struct ClaimController ClaimController;

/* binder outlives it. */
ClaimController *claim_controller_new(Cluster *c, RuntimeBinder *binder);
void claim_controller_free(ClaimController *cc); /* NULL-safe; after cluster_disconnect */
/* To lead, and to look and tell again. */
Controller *claim_controller_of(ClaimController *cc);
void claim_controller_on_claim(ClaimController *cc, const json_t *before, const json_t *after);
void claim_controller_on_sandbox(ClaimController *cc, const json_t *before, const json_t *after);
void claim_controller_on_pod(ClaimController *cc, const json_t *before, const json_t *after);
void claim_controller_on_pool(ClaimController *cc, const json_t *before, const json_t *after);
void claim_controller_on_template(ClaimController *cc, const json_t *before, const json_t *after);
/* Whether the claim of the shared state with this uid may go on holding the Sandbox: false when it is a SandboxClaim
 * that is gone, or has another Sandbox. */
bool claim_controller_holds(const ClaimController *cc, const json_t *sandbox, const char *uid);

#endif

/* The claim controller: each SandboxClaim gets a Sandbox, from its pool through the shared state or made for it. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_CONTROLLER_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_CONTROLLER_H_

#include "services/reconciler/kubernetes/cluster/cluster.h"

typedef struct ClaimController ClaimController;

ClaimController *claim_controller_new(Cluster *c);
void claim_controller_free(ClaimController *cc); /* NULL-safe; after cluster_disconnect */
void claim_controller_lead(ClaimController *cc, bool leads);
void claim_controller_on_claim(ClaimController *cc, const json_t *before, const json_t *after);
void claim_controller_on_sandbox(ClaimController *cc, const json_t *before, const json_t *after);
void claim_controller_on_pod(ClaimController *cc, const json_t *before, const json_t *after);
void claim_controller_on_pool(ClaimController *cc, const json_t *before, const json_t *after);
void claim_controller_on_template(ClaimController *cc, const json_t *before, const json_t *after);
/* The shared state may have lost who holds what. */
void claim_controller_tell_again(ClaimController *cc);
/* Whether the claim of the shared state with this uid may go on holding the Sandbox: false when it is a SandboxClaim
 * that is gone, or has another Sandbox. */
bool claim_controller_holds(const ClaimController *cc, const json_t *sandbox, const char *uid);

#endif

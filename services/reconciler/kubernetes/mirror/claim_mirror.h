/* Claims made through gRPC, shown as SandboxClaims: one object named as the sandbox, and the Sandbox changes its owner
 * from the pool to it. Two writes, after the claim was acknowledged and only for claims that live longer than
 * MIRROR_AFTER_MS: most have ended by then and never cost the API server anything.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_MIRROR_CLAIM_MIRROR_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_MIRROR_CLAIM_MIRROR_H_

#include "services/reconciler/kubernetes/cluster/cluster.h"

typedef struct ClaimMirror ClaimMirror;

enum { MIRROR_AFTER_MS = 500 };

ClaimMirror *claim_mirror_new(Cluster *c);
void claim_mirror_free(ClaimMirror *m); /* NULL-safe; after cluster_disconnect */
void claim_mirror_lead(ClaimMirror *m, bool leads);

#endif

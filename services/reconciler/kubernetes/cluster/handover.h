/* Whether a warm Pod is on its way from the member it was made for to a Sandbox of a claim's own name (claim_move does
 * it): the claim's Sandbox names the Pod of a member that is still there. Until it is not, the Sandbox's controller
 * leaves it alone. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLUSTER_HANDOVER_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLUSTER_HANDOVER_H_

#include "services/reconciler/kubernetes/cluster/cluster.h"

bool handover_is_open(const Cluster *c, const json_t *sandbox);
/* Another Sandbox has this member's Pod by now: only the object of the member goes. */
bool handover_is_over(const Cluster *c, const json_t *member);

#endif

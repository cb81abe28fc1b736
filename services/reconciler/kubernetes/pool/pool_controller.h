/* The warm pool controller: SandboxWarmPools become pools of the shared state, whose members the pools service
 * orders; what is wrong with members is put right, and each pool's status says what it has.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POOL_POOL_CONTROLLER_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POOL_POOL_CONTROLLER_H_

#include "services/reconciler/kubernetes/cluster/controller.h"

Controller *pool_controller_new(Cluster *c);
/* Looks at all members for what somebody took off them: their owner, their launch type. */
void pool_controller_mend(Controller *pools);

#endif

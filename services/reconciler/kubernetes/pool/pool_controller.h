/* The warm pool controller: SandboxWarmPools become pools of the shared state, whose members the pools service
 * orders; what is wrong with members is put right, and each pool's status says what it has.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POOL_POOL_CONTROLLER_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POOL_POOL_CONTROLLER_H_

#include "services/reconciler/kubernetes/cluster/controller.h"

typedef struct PoolController PoolController;

PoolController *pool_controller_new(Cluster *c);
void pool_controller_free(PoolController *p); /* NULL-safe; after cluster_disconnect */
/* To lead, and to look and tell again. */
Controller *pool_controller_of(PoolController *p);
void pool_controller_on_pool(PoolController *p, const json_t *before, const json_t *after);
void pool_controller_on_sandbox(PoolController *p, const json_t *before, const json_t *after);
void pool_controller_on_pod(PoolController *p, const json_t *before, const json_t *after);
/* A pool may have none, and members that could not be made of it may be replaced. */
void pool_controller_on_template(PoolController *p, const json_t *before, const json_t *after);
/* Looks at all members for what somebody took off them: their owner, their launch type. */
void pool_controller_mend(PoolController *p);

#endif

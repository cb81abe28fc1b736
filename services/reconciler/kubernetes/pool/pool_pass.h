/* One pass over one SandboxWarmPool, as its parts share it: pool_controller (what the state is told, status) and
 * pool_members (what is wrong with members, and is put right).
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POOL_POOL_PASS_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POOL_POOL_PASS_H_

#include "services/reconciler/kubernetes/cluster/controller.h"
#include "services/reconciler/kubernetes/cluster/state_names.h"
#include "services/reconciler/kubernetes/pool/pool_tally.h"
#include "services/reconciler/kubernetes/pool/pool_why.h"

#define POOL_MANAGER "sandboxwarmpool-controller"

typedef struct PoolController {
  Controller *k;
  Cluster *c;
  json_t *told; /* "namespace/name" -> what the state was told */
  PoolTally tally;
  PoolWhy why;
  json_t *held_up; /* "namespace/name" of pools with members that cannot be scheduled */
} PoolController;

typedef struct PoolPass {
  Pass pass;
  char state_name[STATE_NAME_SIZE];
  char *text; /* being told */
  int n_active, n_ready, n_held;
  int64_t grace_ms;
  MemberTrouble trouble; /* why it is not full; reason "": it is, or on its way */
  bool is_final;         /* of trouble: members have nothing to add */
  bool is_refused;
} PoolPass;

static inline PoolController *pool_pass_owner(const PoolPass *p) {
  return p->pass.owner;
}

/* Counts its members, and looks for what is wrong with those that are not ready. */
void pool_members_judge(PoolPass *p, const json_t *pool);
/* Those that nobody holds go with their pool: the garbage collector leaves that to us (cluster_anchor). */
void pool_members_drop(PoolPass *p);
/* A member that lost its owner or its launch type by somebody's hand gets them again, unless it is stale: then it goes.
 * Only what the state knows of is a member: a Sandbox that merely has a pool's label is left to whoever made it. */
void pool_members_mend(void *cluster, const json_t *sandbox);

#endif

/* Why a pool is not full, said where people look: a condition and Events of its object (kubectl describe), the reason
 * in the shared state (sandctl pools get, the refusal of a claim).
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POOL_POOL_WHY_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POOL_POOL_WHY_H_

#include "services/reconciler/kubernetes/cluster/cluster.h"
#include "services/reconciler/kubernetes/pool/member_trouble.h"

typedef struct PoolWhy {
  Cluster *c;
  json_t *told;       /* uid -> {reason, wall ms} of the last Event */
  bool no_conditions; /* the definition is one that knows none */
} PoolWhy;

void pool_why_init(PoolWhy *w, Cluster *c);
void pool_why_deinit(PoolWhy *w);
/* What the state says of failed starts counts where the members themselves say nothing. */
void pool_why_of_record(const PoolRecord *record, MemberTrouble *trouble);
/* Puts it into the shared state, where that says something else. trouble: reason "" when there is none. */
void pool_why_to_state(PoolWhy *w, const PoolRecord *record, const MemberTrouble *trouble);
/* An Event when it begins, changes, goes on for long, or is over. */
void pool_why_event(PoolWhy *w, const json_t *pool, bool is_full, const MemberTrouble *trouble);
/* Adds the condition Ready to a status that is to be written. */
void pool_why_condition(PoolWhy *w, const json_t *pool, json_t *status, bool is_full, const MemberTrouble *trouble);
/* The answer to that write. */
void pool_why_written(PoolWhy *w, const json_t *pool);
/* The pool is gone. */
void pool_why_forget(PoolWhy *w, const json_t *pool);

#endif

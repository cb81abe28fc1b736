/* Which members of pools have Sandplane's runtime, and how one is bound to a claim.
 *
 * What was learnt of members is remembered: whether those of a template have the runtime is asked before one is taken,
 * because one that was taken and cannot be bound is lost to its pool.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLUSTER_RUNTIME_BINDER_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLUSTER_RUNTIME_BINDER_H_

#include "services/reconciler/kubernetes/cluster/cluster.h"

typedef struct RuntimeBinder RuntimeBinder;

/* events and arg: whose bind_runtime is asked; both outlive it. there: whether it can do anything. */
RuntimeBinder *runtime_binder_new(const Loop *loop, const BackendEvents *events, void *arg, bool there);
void runtime_binder_free(RuntimeBinder *b); /* NULL-safe */

/* See BackendEvents.bind_runtime. */
void runtime_binder_bind(RuntimeBinder *b, const char *ns, const char *id, const char *uid,
                         void (*fn)(void *arg, const Error *err), void *arg);

typedef enum RuntimeKnown { RUNTIME_UNKNOWN, RUNTIME_THERE, RUNTIME_MISSING } RuntimeKnown;
/* Of members with the same template as this one. */
RuntimeKnown runtime_binder_known(RuntimeBinder *b, const json_t *member);
/* What an answer about one says of all; err NULL: it was there. */
void runtime_binder_learn(RuntimeBinder *b, const json_t *member, const Error *err);

#endif

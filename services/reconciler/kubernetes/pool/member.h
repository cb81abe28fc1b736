/* Members of a warm pool: Sandboxes that wait for a claim. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POOL_MEMBER_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POOL_MEMBER_H_

#include <stdbool.h>

#include "lib/kube/kube_object.h"

/* New reference. name: of the new Sandbox; NULL: generateName "<pool>-". eviction: mark the Pod safe to evict
 * (unless the template has that annotation). Secure defaults are applied. */
json_t *member_build(const json_t *pool, const json_t *template, const char *name, bool eviction);
/* Not deleting, labelled for a pool and a template, controlled by a SandboxWarmPool. */
bool member_is_adoptable(const json_t *sandbox);
/* Ready=True in the status of a Sandbox. */
bool member_is_ready(const json_t *sandbox);

/* New reference: merge patch that makes it the pool's again: the controlling owner, the launch type. NULL: it is. */
json_t *member_mend_patch(const json_t *sandbox, const json_t *pool);
/* How long a member may take to become ready: what its pool says, else what is usual. */
int64_t member_grace_ms(const json_t *pool, int64_t usual_ms);
/* malloc'ed: what the Event says of members that find no node. */
char *member_held_note(int n_held, int n_active, int64_t grace_ms);

/* New reference: status of the pool; counts are of the view before this pass's creates. */
json_t *member_pool_status(const json_t *pool, int n_active, int n_ready);
/* New reference: merge patch {"status": ...} for /status, or NULL when nothing changed. */
json_t *member_pool_status_patch(const json_t *pool, const json_t *status);

#endif

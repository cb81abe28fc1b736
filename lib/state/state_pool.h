/* Pools and their numbers. */
#ifndef SANDPLANE_LIB_STATE_STATE_POOL_H_
#define SANDPLANE_LIB_STATE_STATE_POOL_H_

#include "lib/state/state.h"

typedef void (*StatePoolFn)(void *arg, const PoolRecord *p, const Error *err);

/* Creates or changes spec fields (template_name, replicas, strategy); implicit makes an implicit pool when
 * there is none and changes nothing when there is one. template_name NULL: changes replicas alone, NOT_FOUND
 * when there is no pool or it is deleted. */
void state_pool_apply(State *s, const PoolRecord *spec, StatePoolFn fn, void *arg);
void state_pool_get(State *s, const char *ns, const char *name, StatePoolFn fn, void *arg); /* NOT_FOUND */
void state_pool_delete(State *s, const char *ns, const char *name, StateDoneFn fn, void *arg);
void state_pool_set_reason(State *s, const char *ns, const char *name, const char *reason, const char *message,
                           StateDoneFn fn, void *arg);
/* Forgets failed starts, what ended early, and the reason. */
void state_pool_heal(State *s, const char *ns, const char *name, StateDoneFn fn, void *arg);
/* All there is of a pool whose name is none (longer than STATE_POOL_NAME_MAX, or no label). */
void state_pool_purge(State *s, const char *ns, const char *name, StateDoneFn fn, void *arg);
/* Marks which template hash is fresh; re-scores the ready set when it changed (at most once a change). Under RECREATE
 * what is stale goes, READY and CREATING ones, also when the strategy alone changed, and fn gets how many: from then on
 * nobody is given one. shape: see PoolRecord. */
void state_pool_set_hash(State *s, const char *ns, const char *name, const char *hash, const char *shape,
                         StateCountFn fn, void *arg);

/* Index of pools after `after`, at most limit (0: all). ns empty: all namespaces. */
void state_pool_names(State *s, const char *ns, const char *after, size_t limit, StateNamesFn fn, void *arg);
void state_on_pools(State *s, StateHintFn fn, void *arg);

#endif

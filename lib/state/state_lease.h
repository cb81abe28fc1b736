/* Who leads, and whether the data set is the one that was there before. */
#ifndef SANDPLANE_LIB_STATE_STATE_LEASE_H_
#define SANDPLANE_LIB_STATE_STATE_LEASE_H_

#include "lib/state/state.h"

typedef void (*StateEpochFn)(void *arg, bool same, const char *epoch, const Error *err);
/* reconciler, at every connect: *same tells whether the data set carries `known` (the newest epoch that the
 * world's marks name; empty: none). When it does not, a new epoch is written and returned: everything from
 * before is unproven and must be destroyed. */
void state_epoch(State *s, const char *known, StateEpochFn fn, void *arg);
typedef void (*StateLeaseFn)(void *arg, bool held, const Error *err);

/* Takes or keeps the lease `name` for this replica for ttl_ms. fn: whether it is held. */
void state_lease(State *s, const char *name, int64_t ttl_ms, StateLeaseFn fn, void *arg);
void state_lease_release(State *s, const char *name, StateDoneFn fn, void *arg);

#endif

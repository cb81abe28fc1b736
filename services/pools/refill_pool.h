/* One look at one pool: read its record and its template, decide (refill.h), act.
 *
 * Acting is ordering sandboxes, retiring some, and telling on the pool why it is not full. Ordering is
 * registering new names, then handing them to the reconciler. Names it may not have heard of (it was away, or
 * began anew before it had them) are still CREATING in the state, so they are handed over again every
 * REFILL_RESEND_MS, which has no effect on those it works on. They go with the present manifest; should the
 * template have changed since they were registered, they come up fresh but count as stale, which is safe.
 */
#ifndef SANDPLANE_SERVICES_POOLS_REFILL_POOL_H_
#define SANDPLANE_SERVICES_POOLS_REFILL_POOL_H_

#include "services/pools/pools.h"

enum { REFILL_RESEND_MS = 5000, REFILL_KEY_SIZE = 2 * (STATE_NAME_MAX + 1) };

typedef struct RefillPool RefillPool;

/* leads is read whenever something is about to be done; nothing is while it is false. */
RefillPool *refill_pool_new(Pools *pools, const bool *leads, const char *ns, const char *name);
/* Sets the pool's metrics to what the last look saw; none before the first. */
void refill_pool_report(const RefillPool *pool);
/* Looks now, or once more when the look under way is over. */
void refill_pool_look(RefillPool *pool);
/* A look is under way. */
bool refill_pool_is_busy(const RefillPool *pool);
/* The pool has gone: frees it, when the look under way is over. */
void refill_pool_drop(RefillPool *pool);
/* After the connections were freed: nothing is under way. */
void refill_pool_free(RefillPool *pool);

#endif

/* Brings every pool to what refill_decide says, while this replica leads.
 *
 * A look at a pool reads its record and its template, decides, and acts: orders sandboxes, retires some, tells
 * on the pool why it is not full. A pool is looked at when a hint names it, when a pause of its back-off ends,
 * and every REFILL_LOOK_MS anyway. One look at a time per pool; a hint meanwhile makes another one follow.
 *
 * Ordering is registering new names, then handing them to the reconciler. Names it may not have heard of (it
 * was away, or began anew before it had them) are still CREATING in the state, so they are handed over again
 * every REFILL_RESEND_MS, which has no effect on those it works on. They go with the present manifest; should
 * the template have changed since they were registered, they come up fresh but count as stale, which is safe.
 */
#ifndef SANDPLANE_SERVICES_POOLS_REFILL_LOOP_H_
#define SANDPLANE_SERVICES_POOLS_REFILL_LOOP_H_

#include "services/pools/pools.h"

enum { REFILL_LOOK_MS = 2000, REFILL_RESEND_MS = 5000 };

typedef struct RefillLoop RefillLoop;

RefillLoop *refill_loop_new(Pools *pools);
void refill_loop_free(RefillLoop *loop);
void refill_loop_lead(RefillLoop *loop, bool leads);
/* Looks at every pool now. */
void refill_loop_look(RefillLoop *loop);

#endif

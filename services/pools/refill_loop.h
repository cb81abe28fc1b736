/* Keeps every pool at what refill_decide says, while this replica leads.
 *
 * A pool is looked at (refill_pool.h) when a hint names it, when a pause of its back-off ends, and every
 * REFILL_LOOK_MS anyway. One look at a time per pool; a hint meanwhile makes another one follow.
 */
#ifndef SANDPLANE_SERVICES_POOLS_REFILL_LOOP_H_
#define SANDPLANE_SERVICES_POOLS_REFILL_LOOP_H_

#include "services/pools/pools.h"

enum { REFILL_LOOK_MS = 2000 };

typedef struct RefillLoop RefillLoop;

RefillLoop *refill_loop_new(Pools *pools);
void refill_loop_free(RefillLoop *loop);
void refill_loop_lead(RefillLoop *loop, bool leads);
/* Sets the metrics of all pools; only who leads has them, so that each is told once. */
void refill_loop_report(RefillLoop *loop);
/* Looks at every pool now. */
void refill_loop_look(RefillLoop *loop);

#endif

/* Claims that may exist although nobody was told of them: the state went away between the claim and its
 * answer, and the caller had no request_id to come back with. When the state answers again each is asked for
 * by its uid (a batch: its token): a waiter is taken out of the queue, what it holds released. Only this replica's
 * death in the same moment leaves one, until its time to live ends.
 */
#ifndef SANDPLANE_SERVICES_CLAIMS_CLAIM_ORPHAN_STORE_H_
#define SANDPLANE_SERVICES_CLAIMS_CLAIM_ORPHAN_STORE_H_

#include "lib/loop/loop.h"
#include "lib/state/state.h"

/* As many as calls may be under way at once. */
enum { ORPHAN_STORE_MAX = 10000 };

typedef struct OrphanStore OrphanStore;

OrphanStore *orphan_store_new(Loop *loop, State *state);
void orphan_store_free(OrphanStore *store);
void orphan_store_add(OrphanStore *store, const char *ns, const char *pool, const char *uid);
void orphan_store_add_batch(OrphanStore *store, const char *ns, const char *pool, const char *token);

#endif

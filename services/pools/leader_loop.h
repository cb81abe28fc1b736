/* Which replica fills the pools: the one that holds the lease "pools".
 *
 * The lease is renewed at a third of its time. Should two lead at once, whatever lib/loop/leadership.h does against it,
 * nothing breaks: names are registered once, and a surplus is retired.
 */
#ifndef SANDPLANE_SERVICES_POOLS_LEADER_LOOP_H_
#define SANDPLANE_SERVICES_POOLS_LEADER_LOOP_H_

#include <stdbool.h>

#include "lib/loop/loop.h"
#include "lib/state/state.h"

enum { LEADER_LEASE_MS = 3000 };

typedef struct LeaderLoop LeaderLoop;

/* fn runs at every change. */
LeaderLoop *leader_loop_new(Loop *loop, State *state, void (*fn)(void *arg, bool leads), void *arg);
/* Gives the lease back, so that another replica begins at once, and never leads again. */
void leader_loop_resign(LeaderLoop *leader);
void leader_loop_free(LeaderLoop *leader);

#endif

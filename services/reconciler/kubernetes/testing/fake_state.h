/* The shared state for tests of passes: what the controllers of Sandboxes and claims ask of it, in memory. It takes the
 * place of lib/state's functions of the same names when it is linked; the real ones need Redis. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TESTING_FAKE_STATE_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TESTING_FAKE_STATE_H_

#include <jansson.h>

#include "lib/loop/loop.h"
#include "lib/state/state.h"

typedef struct FakeState {
  Loop *loop;
  json_t *members; /* id -> uid of the claim that has it, "": ready for one */
  bool away;       /* every answer is UNAVAILABLE */
  bool refuses;    /* the quota has no room */
  int n_granted, n_released, n_restored;
  struct Answer *answers; /* on their way */
} FakeState;

void fake_state_init(FakeState *s, Loop *loop);
void fake_state_deinit(FakeState *s);
/* Ends what is under way with CANCELLED. */
void fake_state_disconnect(FakeState *s);
/* As Cluster.state has it. */
State *fake_state_of(FakeState *s);

#endif

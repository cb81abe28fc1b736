/* See leader_loop.h. */
#include "services/pools/leader_loop.h"

#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/loop/leadership.h"
#include "lib/state/state_lease.h"

#define LEASE "pools"

struct LeaderLoop {
  State *state;
  Leadership leadership;
  LoopTimer *ask;
  bool resigned;
};

static void on_lease(void *arg, bool held, const Error *err) {
  LeaderLoop *l = arg;
  if (l->resigned)
    return;
  loop_timer_start(l->ask, LEADER_LEASE_MS / 3);
  if (err)
    return;
  if (held)
    leadership_grant(&l->leadership, LEADER_LEASE_MS);
  else
    leadership_end(&l->leadership);
}

static void on_ask(void *arg) {
  LeaderLoop *l = arg;
  leadership_ask(&l->leadership);
  state_lease(l->state, LEASE, LEADER_LEASE_MS, on_lease, l);
}

static void on_given_back(void *arg, const Error *err) {}

void leader_loop_resign(LeaderLoop *l) {
  loop_timer_stop(l->ask);
  l->resigned = true;
  bool led = l->leadership.leads;
  leadership_end(&l->leadership);
  if (led)
    state_lease_release(l->state, LEASE, on_given_back, NULL);
}

LeaderLoop *leader_loop_new(Loop *loop, State *state, void (*fn)(void *arg, bool leads), void *arg) {
  LeaderLoop *l = new0(LeaderLoop);
  l->state = state;
  l->ask = loop_timer_new(loop, on_ask, l);
  leadership_init(&l->leadership, loop, fn, arg);
  on_ask(l);
  return l;
}

void leader_loop_free(LeaderLoop *l) {
  if (!l)
    return;
  loop_timer_free(l->ask);
  leadership_deinit(&l->leadership);
  free(l);
}

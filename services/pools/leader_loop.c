/* See leader_loop.h. */
#include "services/pools/leader_loop.h"

#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/state/state_lease.h"

#define LEASE "pools"

struct LeaderLoop {
  Loop *loop;
  State *state;
  void (*fn)(void *arg, bool leads);
  void *arg;
  LoopTimer *ask, *over;
  bool leads, resigned;
  int64_t asked_ms;
};

static void set(LeaderLoop *l, bool leads) {
  if (l->leads == leads)
    return;
  l->leads = leads;
  l->fn(l->arg, leads);
}

static void on_over(void *arg) {
  set(arg, false);
}

static void on_lease(void *arg, bool held, const Error *err) {
  LeaderLoop *l = arg;
  if (l->resigned)
    return;
  loop_timer_start(l->ask, LEADER_LEASE_MS / 3);
  if (err)
    return;
  int64_t left_ms = l->asked_ms + LEADER_LEASE_MS - loop_now_ms(l->loop);
  if (held && left_ms > 0) {
    loop_timer_start(l->over, left_ms);
    set(l, true);
  } else if (!held) {
    loop_timer_stop(l->over);
    set(l, false);
  }
}

static void on_ask(void *arg) {
  LeaderLoop *l = arg;
  l->asked_ms = loop_now_ms(l->loop);
  state_lease(l->state, LEASE, LEADER_LEASE_MS, on_lease, l);
}

static void on_given_back(void *arg, const Error *err) {}

void leader_loop_resign(LeaderLoop *l) {
  loop_timer_stop(l->ask);
  loop_timer_stop(l->over);
  l->resigned = true;
  bool led = l->leads;
  set(l, false);
  if (led)
    state_lease_release(l->state, LEASE, on_given_back, NULL);
}

LeaderLoop *leader_loop_new(Loop *loop, State *state, void (*fn)(void *arg, bool leads), void *arg) {
  LeaderLoop *l = new0(LeaderLoop);
  l->loop = loop;
  l->state = state;
  l->fn = fn;
  l->arg = arg;
  l->ask = loop_timer_new(loop, on_ask, l);
  l->over = loop_timer_new(loop, on_over, l);
  on_ask(l);
  return l;
}

void leader_loop_free(LeaderLoop *l) {
  if (!l)
    return;
  loop_timer_free(l->ask);
  loop_timer_free(l->over);
  free(l);
}

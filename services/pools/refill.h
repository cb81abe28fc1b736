/* How many sandboxes a pool should have: numbers in, decision out.
 *
 * Wanted are `replicas` warm ones and one for each caller in the queue; an implicit pool keeps none warm.
 * What is being started counts as there, so one look never orders twice.
 *
 *   - At most max_creating are ordered and not ready at a time: a pool of thousands fills in steps, and a template that
 *     cannot start costs little.
 *   - While warm ones are being taken in quick succession and half of the pool is left, what was taken is not replaced
 *     yet: starting sandboxes would slow down the very callers that it is for. It waits for REFILL_QUIET_MS without
 *     another one, at most REFILL_HOLD_MS.
 *   - When starts fail, the pool backs off: one attempt at a time, 1 s after the first failure, doubling up to 60 s,
 *     until one succeeds. The failures are counted in the state, so a new leader goes on with the pause.
 *   - Those that end within a minute after they were ready count as well, and a later one that comes up does not make
 * up for them: each doubles the pause and halves how many are on their way, until none has ended so for
 * REFILL_FORGET_MS.
 *   - A surplus of ready ones is retired, stale ones first, then the newest. Those being started are left to finish,
 *     for callers who come and go would keep them from ever being ready; unless the pool was made smaller: then they go
 *     first.
 *   - Stale ones (of an older template) stay under ON_REPLENISH. Under RECREATE they go at once, for nobody is given
 *     one: the state sees to them when it learns of the template, and to what comes up later; what a changed strategy
 *     makes stale is retired here.
 */
#ifndef SANDPLANE_SERVICES_POOLS_REFILL_H_
#define SANDPLANE_SERVICES_POOLS_REFILL_H_

#include <stdbool.h>
#include <stdint.h>

enum {
  /* Longer than from one call of a busy client to its next, shorter than anyone notices. */
  REFILL_QUIET_MS = 100,
  REFILL_HOLD_MS = 5000,
  REFILL_BACKOFF_MIN_MS = 1000,
  REFILL_BACKOFF_MAX_MS = 60000,
  /* The longest pause, a start, and the minute in which an end counts as early. */
  REFILL_FORGET_MS = 180000,
};

typedef struct RefillInput {
  int64_t now_ms; /* of the same clock as the others, whichever it is */
  int64_t replicas;
  int64_t max_creating;
  bool implicit;
  bool deleted;
  bool template_missing;
  bool recreate;
  bool lowered; /* replicas were, and the surplus of it is still there */
  int64_t n_creating, n_ready, n_waiting;
  /* Failed starts since the last one that succeeded, and when the last of them was. */
  int64_t n_failures, failure_ms;
  int64_t n_early; /* ended soon after they were ready; failure_ms is of both */
  /* When a warm one was last taken, and the first of those that followed each other closely; 0: none. */
  int64_t taken_ms, taken_since_ms;
} RefillInput;

typedef struct RefillDecision {
  int create;
  int retire;       /* surplus */
  int retire_stale; /* to be replaced */
  bool starting;    /* of the surplus those being started go first */
  bool heal;        /* forget n_early and why */
  int64_t again_ms; /* when to look again though nothing changed; INT64_MAX: not needed */
} RefillDecision;

RefillDecision refill_decide(const RefillInput *in);
/* Pause after the n-th failure in a row; 0 for none. */
int64_t refill_backoff_ms(int64_t n_failures);

#endif

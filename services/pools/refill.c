/* See refill.h. */
#include "services/pools/refill.h"

static int64_t min64(int64_t a, int64_t b) {
  return a < b ? a : b;
}
static int64_t max64(int64_t a, int64_t b) {
  return a > b ? a : b;
}

int64_t refill_backoff_ms(int64_t n_failures) {
  if (n_failures <= 0)
    return 0;
  int64_t ms = REFILL_BACKOFF_MIN_MS;
  for (int64_t i = 1; i < n_failures && ms < REFILL_BACKOFF_MAX_MS; i++)
    ms *= 2;
  return min64(ms, REFILL_BACKOFF_MAX_MS);
}

static int64_t wanted(const RefillInput *in) {
  if (in->deleted)
    return 0;
  return (in->implicit ? 0 : in->replicas) + in->n_waiting;
}

/* When those that are missing may be replaced; not after now: at once. */
static int64_t held_until(const RefillInput *in) {
  if (in->taken_ms == 0 || in->n_waiting > 0 || 2 * in->n_ready < in->replicas)
    return 0;
  return min64(in->taken_ms + REFILL_QUIET_MS, in->taken_since_ms + REFILL_HOLD_MS);
}

static bool has_trouble(const RefillInput *in) {
  return in->n_failures > 0 || in->n_early > 0;
}

static int to_create(const RefillInput *in, int64_t missing, int64_t *ret_again_ms) {
  if (missing <= 0 || in->template_missing)
    return 0;
  int64_t limit = in->max_creating, held_ms = held_until(in);
  if (in->now_ms < held_ms) {
    *ret_again_ms = held_ms;
    return 0;
  }
  int64_t next_ms = in->failure_ms + refill_backoff_ms(max64(in->n_failures, in->n_early));
  if (has_trouble(in) && in->now_ms < next_ms) {
    *ret_again_ms = next_ms;
    return 0;
  }
  if (in->n_failures > 0)
    limit = 1;
  else if (in->n_early > 0)
    limit = max64(1, limit >> min64(in->n_early, 30));
  return (int)max64(0, min64(missing, limit - in->n_creating));
}

RefillDecision refill_decide(const RefillInput *in) {
  RefillDecision d = {.again_ms = INT64_MAX};
  int64_t want = wanted(in);
  int64_t missing = want - in->n_creating - in->n_ready;
  d.create = to_create(in, missing, &d.again_ms);
  d.starting = in->lowered && missing < 0;
  if (d.starting)
    d.retire = (int)-missing;
  else if (in->n_ready > want)
    d.retire = (int)(in->n_ready - want);
  if (in->recreate && !in->deleted && !in->template_missing && d.retire == 0)
    d.retire_stale = (int)in->n_ready;
  d.heal = in->n_early > 0 && in->now_ms - in->failure_ms >= REFILL_FORGET_MS;
  return d;
}

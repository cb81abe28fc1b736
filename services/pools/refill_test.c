/* The refill decision for every situation of a pool, and a pool's life replayed step by step. */
#include "services/pools/refill.h"

#include <stdlib.h>

#include "lib/base/compiler.h"
#include "lib/base/test.h"

#define NEVER INT64_MAX

static void table(void **state) {
  static const struct {
    const char *name;
    RefillInput in;
    RefillDecision out;
  } rows[] = {
      {"empty pool", {.replicas = 3}, {.create = 3, .again_ms = NEVER}},
      {"what is being started counts", {.replicas = 3, .n_creating = 2}, {.create = 1, .again_ms = NEVER}},
      {"full", {.replicas = 3, .n_ready = 3}, {.again_ms = NEVER}},
      {"one for each waiter", {.replicas = 3, .n_waiting = 2, .n_creating = 3}, {.create = 2, .again_ms = NEVER}},
      {"large pools fill in steps", {.replicas = 10000}, {.create = 64, .again_ms = NEVER}},
      {"the step counts what is under way", {.replicas = 10000, .n_creating = 60}, {.create = 4, .again_ms = NEVER}},
      {"more under way than a step", {.replicas = 10000, .n_creating = 70}, {.again_ms = NEVER}},
      {"steps of another size",
       {.replicas = 10000, .max_creating = 300, .n_creating = 60},
       {.create = 240, .again_ms = NEVER}},
      {"surplus", {.replicas = 1, .n_ready = 3}, {.retire = 2, .again_ms = NEVER}},
      {"surplus still starting", {.replicas = 1, .n_creating = 3}, {.again_ms = NEVER}},
      {"made smaller while starting",
       {.lowered = true, .replicas = 1, .n_creating = 3},
       {.retire = 2, .starting = true, .again_ms = NEVER}},
      {"made smaller",
       {.lowered = true, .replicas = 1, .n_ready = 1, .n_creating = 2},
       {.retire = 2, .starting = true, .again_ms = NEVER}},
      {"made smaller, and it is", {.lowered = true, .replicas = 1, .n_ready = 1}, {.again_ms = NEVER}},
      {"surplus, some still starting", {.replicas = 1, .n_ready = 1, .n_creating = 2}, {.again_ms = NEVER}},
      {"implicit, nobody waits", {.implicit = true, .replicas = 5}, {.again_ms = NEVER}},
      {"implicit, two wait", {.implicit = true, .n_waiting = 2}, {.create = 2, .again_ms = NEVER}},
      {"implicit, a waiter left", {.implicit = true, .n_ready = 1}, {.retire = 1, .again_ms = NEVER}},
      {"deleted", {.deleted = true, .replicas = 3, .n_ready = 2, .n_waiting = 1}, {.retire = 2, .again_ms = NEVER}},
      {"no template", {.template_missing = true, .replicas = 3}, {.again_ms = NEVER}},
      {"no template, surplus", {.template_missing = true, .n_ready = 3}, {.retire = 3, .again_ms = NEVER}},
      {"taken a moment ago, half is left",
       {.now_ms = 1050, .replicas = 10, .n_ready = 5, .taken_ms = 1000, .taken_since_ms = 900},
       {.again_ms = 1000 + REFILL_QUIET_MS}},
      {"less than half is left",
       {.now_ms = 1050, .replicas = 10, .n_ready = 4, .taken_ms = 1000, .taken_since_ms = 900},
       {.create = 6, .again_ms = NEVER}},
      {"somebody waits",
       {.now_ms = 1050, .replicas = 10, .n_ready = 5, .n_waiting = 1, .taken_ms = 1000, .taken_since_ms = 900},
       {.create = 6, .again_ms = NEVER}},
      {"quiet again",
       {.now_ms = 1100, .replicas = 10, .n_ready = 9, .taken_ms = 1000, .taken_since_ms = 900},
       {.create = 1, .again_ms = NEVER}},
      {"taken all the time",
       {.now_ms = 7000, .replicas = 10, .n_ready = 9, .taken_ms = 6990, .taken_since_ms = 2000},
       {.create = 1, .again_ms = NEVER}},
      {"pausing", {.now_ms = 1999, .replicas = 3, .n_failures = 1, .failure_ms = 1000}, {.again_ms = 2000}},
      {"one attempt after the pause",
       {.now_ms = 2000, .replicas = 3, .n_failures = 1, .failure_ms = 1000},
       {.create = 1, .again_ms = NEVER}},
      {"only one",
       {.now_ms = 2000, .replicas = 3, .n_failures = 1, .failure_ms = 1000, .n_creating = 1},
       {.again_ms = NEVER}},
      {"pausing for one that ended early",
       {.now_ms = 1999, .replicas = 3, .n_early = 1, .failure_ms = 1000},
       {.again_ms = 2000}},
      {"pausing for three", {.now_ms = 4999, .replicas = 3, .n_early = 3, .failure_ms = 1000}, {.again_ms = 5000}},
      {"one that ended early costs half the speed",
       {.now_ms = 2000, .replicas = 100, .n_early = 1, .failure_ms = 1000},
       {.create = 32, .again_ms = NEVER}},
      {"many cost all of it",
       {.now_ms = 61000, .replicas = 100, .n_early = 100, .failure_ms = 1000},
       {.create = 1, .again_ms = NEVER}},
      {"long ago",
       {.now_ms = 181000, .replicas = 3, .n_ready = 3, .n_early = 5, .failure_ms = 1000},
       {.heal = true, .again_ms = NEVER}},
      {"stale ones stay by default", {.replicas = 8, .n_ready = 8}, {.again_ms = NEVER}},
      {"recreate all", {.recreate = true, .replicas = 8, .n_ready = 8}, {.retire_stale = 8, .again_ms = NEVER}},
      {"what is being started is the state's to let go of",
       {.recreate = true, .replicas = 8, .n_creating = 8},
       {.again_ms = NEVER}},
      {"recreate while starts fail",
       {.now_ms = 9000, .recreate = true, .replicas = 8, .n_ready = 7, .n_failures = 1, .failure_ms = 8900},
       {.retire_stale = 7, .again_ms = 9900}},
  };
  for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
    RefillInput in = rows[i].in;
    if (in.max_creating == 0)
      in.max_creating = 64;
    RefillDecision d = refill_decide(&in);
    const RefillDecision *want = &rows[i].out;
    if (d.create != want->create || d.retire != want->retire || d.starting != want->starting ||
        d.retire_stale != want->retire_stale || d.heal != want->heal || d.again_ms != want->again_ms)
      fail_msg("%s: create %d retire %d stale %d again %lld", rows[i].name, d.create, d.retire, d.retire_stale,
               (long long)d.again_ms);
  }
}

static void backoff_doubles_up_to_a_minute(void **state) {
  static const int64_t ms[] = {0, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
  for (size_t i = 0; i < ARRAY_LEN(ms); i++)
    assert_int_equal(refill_backoff_ms((int64_t)i), ms[i]);
  assert_int_equal(refill_backoff_ms(INT64_MAX), 60000);
}

/* Any numbers: never negative, never more retired than there are, never creating and retiring a surplus at once. */
static void decisions_are_sane(void **state) {
  for (unsigned i = 0; i < 200000; i++) {
    uint32_t r = (uint32_t)(i * UINT64_C(2654435761));
    RefillInput in = {.now_ms = r % 100000,
                      .replicas = (int64_t)(r % 7) * (r % 5),
                      .max_creating = 1 + r % 9,
                      .implicit = r >> 8 & 1,
                      .deleted = (r >> 9 & 7) == 0,
                      .template_missing = (r >> 12 & 7) == 0,
                      .recreate = r >> 15 & 1,
                      .lowered = (r >> 28 & 3) == 0,
                      .n_creating = r >> 16 & 7,
                      .n_ready = r >> 19 & 15,
                      .n_waiting = r >> 23 & 7,
                      .n_failures = (r >> 26 & 3),
                      .failure_ms = r % 100000};
    RefillDecision d = refill_decide(&in);
    assert_true(d.create >= 0 && d.retire >= 0 && d.retire_stale >= 0);
    assert_true(d.retire + d.retire_stale <= in.n_ready + (d.starting ? in.n_creating : 0));
    assert_false(d.create && d.retire);
    assert_true(d.create == 0 || d.create + in.n_creating <= in.max_creating);
    assert_true(d.again_ms >= in.now_ms);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(table),
      cmocka_unit_test(backoff_doubles_up_to_a_minute),
      cmocka_unit_test(decisions_are_sane),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The wall clock of pools jumps for a moment: what was taken meanwhile is replaced all the same. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/state/state_claim.h"
#include "services/pools/pools_fixture.h"

static char clock_path[4096];

/* Of the services, in nanoseconds; see e2e/chaos/skew.c. */
static void set_clock(int64_t offset) {
  int fd = open(clock_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, &offset, sizeof offset), sizeof offset);
  close(fd);
}

static int setup(void **state) {
  char library[4096];
  assert_non_null(realpath("e2e/chaos/libskew.so", library));
  snprintf(clock_path, sizeof clock_path, "%s/pools-clock-%d", getenv("TEST_TMPDIR"), (int)getpid());
  set_clock(0);
  setenv("SKEW_FILE", clock_path, 1);
  setenv("LD_PRELOAD", library, 1);
  int rc = world_setup(state);
  unsetenv("LD_PRELOAD");
  return rc;
}

static void what_is_taken_while_it_is_off_is_replaced(void **state) {
  World *w = *state;
  apply_template(w, "clock h1");
  apply_pool(w, "clock", "clock", 4, 0);
  until_ready(w, "clock", 4);
  set_clock(INT64_C(3600) * 1000000000);
  ClaimRequest request = {.ns = "default", .pool = "clock", .uid = "u1", .request_id = ""};
  state_claim(w->f->state, &request, fixture_claimed, w->f);
  fixture_wait(w->f);
  assert_int_equal(w->f->outcome, CLAIM_GRANTED);
  /* a pool that was told of later is served, so the claim was seen as well: both by the clock that is off */
  apply_pool(w, "later", "clock", 1, 0);
  until_ready(w, "later", 1);
  set_clock(0);
  until_ready(w, "clock", 4);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_taken_while_it_is_off_is_replaced)};
  return cmocka_run_group_tests(tests, setup, world_teardown);
}

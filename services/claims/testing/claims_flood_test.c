/* Many calls at once on two replicas: every one gets a sandbox of its own, and nothing stays behind. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/state/state_sandbox.h"
#include "services/claims/testing/claims_fixture.h"

enum { READY = 200, CALLS = 300 };

static void make(World *w, int from, int to) {
  for (int i = from; i < to; i++) {
    char suffix[16];
    snprintf(suffix, sizeof suffix, "s%04d", i);
    world_ready(w, "flood", suffix);
  }
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool all_done(void *arg) {
  ServiceCall *calls = arg;
  for (int i = 0; i < CALLS; i++)
    if (!calls[i].done)
      return false;
  return true;
}

static void every_call_gets_its_own(void **state) {
  World *w = *state;
  static ServiceCall calls[CALLS];
  world_pool(w, "flood");
  make(w, 0, READY);
  int64_t keys = fixture_keys(w->f) - READY;
  CreateRequest request = create_from(NS "/pools/flood");
  for (int i = 0; i < CALLS; i++)
    create_start(w, i % 2, &calls[i], &request, 60000);
  world_until_waiting(w, "flood", CALLS - READY);
  make(w, READY, CALLS);
  service_fixture_until(w->f->loop, all_done, calls, "end of all calls");
  const char *names[CALLS], *uids[CALLS];
  for (int i = 0; i < CALLS; i++) {
    assert_kind(&calls[i], ERROR_NONE);
    names[i] = ((Sandbox *)calls[i].answer)->name;
    uids[i] = ((Sandbox *)calls[i].answer)->uid;
  }
  for (int i = 0; i < CALLS; i++)
    delete_sandbox(w, i % 2, names[i]);
  for (int i = 0; i < CALLS; i++) {
    state_gone(w->f->state, "default", strrchr(names[i], '/') + 1, fixture_done, w->f);
    fixture_wait(w->f);
  }
  qsort(names, CALLS, sizeof *names, by_text);
  qsort(uids, CALLS, sizeof *uids, by_text);
  for (int i = 1; i < CALLS; i++) {
    assert_string_not_equal(names[i - 1], names[i]);
    assert_string_not_equal(uids[i - 1], uids[i]);
  }
  for (int i = 0; i < CALLS; i++)
    service_call_free(&calls[i]);
  /* What is left: the pool, its index entry, its history; not the sets, which are empty. */
  assert_true(fixture_keys(w->f) <= keys);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_call_gets_its_own),
  };
  return cmocka_run_group_tests(tests, world_setup, world_teardown);
}

/* kill -9 of Redis while claims are held, waited for and asked for. */
#include <signal.h>
#include <string.h>

#include "services/claims/testing/claims_fixture.h"

static void redis_dies_and_comes_back(void **state) {
  World *w = *state;
  world_pool(w, "crash");
  world_ready(w, "crash", "aaaaa");
  CreateRequest request = create_from(NS "/pools/crash");
  ServiceCall held, waiting, refused, get;
  Sandbox *box = create_ok(w, 0, &held, &request);
  create_start(w, 1, &waiting, &request, 60000);
  world_until_waiting(w, "crash", 1);
  /* the state has it in its queue, and its replica knows: its own connection has answered something later */
  get_sandbox(w, 1, &get, box->name);
  assert_kind(&get, ERROR_NONE);
  service_call_free(&get);

  redis_process_signal(SIGKILL);
  create_start(w, 0, &refused, &request, 20000);
  call_wait(w, &refused);
  assert_kind(&refused, ERROR_UNAVAILABLE);
  assert_true(refused.status.retry_after_ms > 0);
  assert_false(waiting.done);
  service_call_free(&refused);

  redis_process_start();
  world_until_waiting(w, "crash", 1);
  /* what the other replica asked while the state was away may still fail, and this call with it */
  for (get_sandbox(w, 1, &get, box->name); get.status.kind == ERROR_UNAVAILABLE;) {
    service_call_free(&get);
    get_sandbox(w, 1, &get, box->name);
  }
  assert_kind(&get, ERROR_NONE);
  assert_string_equal(((Sandbox *)get.answer)->uid, box->uid);
  world_ready(w, "crash", "bbbbb");
  call_wait(w, &waiting);
  assert_kind(&waiting, ERROR_NONE);
  assert_string_equal(((Sandbox *)waiting.answer)->name, NS "/sandboxes/crash-bbbbb");
  service_call_free(&get);
  service_call_free(&waiting);
  service_call_free(&held);
}

/* The claim reaches Redis, which dies before it can answer; nobody is told, so nothing may stay claimed. A
 * sandbox that is claimed for a moment and released cannot be offered again: a fresh one is. */
static void a_short_outage_is_not_noticed(void **state) {
  World *w = *state;
  world_pool(w, "blink");
  world_ready(w, "blink", "aaaaa");
  CreateRequest request = create_from(NS "/pools/blink");
  ServiceCall call;
  redis_process_signal(SIGSTOP);
  create_start(w, 0, &call, &request, 20000);
  service_process_reached(&w->replicas[0], w->f->loop);
  redis_process_signal(SIGKILL);
  redis_process_start();
  call_wait(w, &call);
  assert_kind(&call, ERROR_NONE);
  assert_string_equal(((Sandbox *)call.answer)->name, NS "/sandboxes/blink-aaaaa");
  service_call_free(&call);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(redis_dies_and_comes_back),
      cmocka_unit_test(a_short_outage_is_not_noticed),
  };
  return cmocka_run_group_tests(tests, world_setup, world_teardown);
}

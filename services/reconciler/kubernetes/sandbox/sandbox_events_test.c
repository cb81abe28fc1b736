/* Which turns of a Sandbox are told: each once, and of members of pools only what went wrong. */
#include "services/reconciler/kubernetes/sandbox/sandbox_pass.h"

#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/testing/objects_fixture.h"

#define READY "{'type':'Ready','status':'True','reason':'DependenciesReady'}"
#define UNREADY "{'type':'Ready','status':'False','reason':'DependenciesNotReady'}"
#define EXPIRED "{'type':'Ready','status':'False','reason':'SandboxExpired'}"
#define SUSPENDED "{'type':'Suspended','status':'True','reason':'PodTerminated'}"
#define FAILED "{'type':'Finished','status':'True','reason':'PodFailed'}"
#define SUCCEEDED "{'type':'Finished','status':'True','reason':'PodSucceeded'}"

/* How many turns are told between two lists of conditions. more: of the spec; is_member: of a pool. */
static int told(const char *before, const char *after, const char *more, bool is_member) {
  KUBE_OWNED json_t *sandbox = quoted("{'metadata':{'labels':{%s}},'spec':{%s},'status':{'conditions':[%s]}}",
                                      is_member ? "'" LABEL_POOL "':'h'" : "", more, before);
  KUBE_OWNED json_t *status = quoted("{'conditions':[%s]}", after);
  return __builtin_popcount(sandbox_events_of(sandbox, status));
}

static void each_turn_is_told_once(void **state) {
  static const char *const TURNS[] = {READY, EXPIRED, SUSPENDED, FAILED, SUCCEEDED};
  for (size_t i = 0; i < ARRAY_LEN(TURNS); i++) {
    assert_int_equal(told("", TURNS[i], "", false), 1);
    assert_int_equal(told(TURNS[i], TURNS[i], "", false), 0);
  }
  assert_int_equal(told(UNREADY, READY, "", false), 1);
  assert_int_equal(told(READY, UNREADY, "", false), 0);
  assert_int_equal(told(SUCCEEDED, FAILED, "", false), 1);
  assert_int_equal(told(READY, EXPIRED "," FAILED, "", false), 2);
}

static void members_that_start_say_nothing(void **state) {
  assert_int_equal(told(UNREADY, READY, "", true), 0);
  assert_int_equal(told(READY, UNREADY "," FAILED, "", true), 1);
}

static void one_that_is_deleted_at_its_end_has_no_reader(void **state) {
  assert_int_equal(told(READY, EXPIRED, "'shutdownPolicy':'Delete'", false), 0);
  assert_int_equal(told(READY, EXPIRED, "'shutdownPolicy':'Retain'", false), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_turn_is_told_once),
      cmocka_unit_test(members_that_start_say_nothing),
      cmocka_unit_test(one_that_is_deleted_at_its_end_has_no_reader),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What every pass may count on: it goes on as its steps say, and ends once. */
#include "services/reconciler/kubernetes/cluster/controller.h"

#include "services/reconciler/kubernetes/testing/fake_cluster.h"
#include "services/reconciler/kubernetes/testing/objects_fixture.h"

typedef struct Script {
  PassNext says[4]; /* of one look after the other; the last goes on */
  int n_looks, n_ends, n_answers;
  PassNext after;
  Error err;
  bool failed;
} Script;

typedef struct ScriptPass {
  Pass pass;
  int must_be_zero;
} ScriptPass;

static PassNext on_answer(void *pass, json_t *object, const Error *err) {
  ScriptPass *p = pass;
  Script *s = p->pass.owner;
  s->n_answers++;
  return s->after;
}

static PassNext look(void *pass) {
  ScriptPass *p = pass;
  Script *s = p->pass.owner;
  assert_int_equal(p->must_be_zero, 0);
  PassNext next = s->says[p->pass.looks <= 4 ? p->pass.looks - 1 : 3];
  s->n_looks++;
  if (next != PASS_WAIT)
    return next;
  KUBE_OWNED json_t *body = quoted("{'metadata':{'name':'made'}}");
  return pass_create(&p->pass, CLUSTER_POLICY, body, "m", on_answer);
}

static PassEnd end(void *pass) {
  ScriptPass *p = pass;
  Script *s = p->pass.owner;
  s->n_ends++;
  s->err = p->pass.err;
  s->failed = pass_end(&p->pass).failed;
  return (PassEnd){0}; /* not repeated, whatever it was */
}

static const ControllerSpec SPEC = {
    .resource = CLUSTER_N_RESOURCES, .pass_size = sizeof(ScriptPass), .looks_max = 5, .look = look, .end = end};

/* One pass as the script says; cut: the program ends while it waits. */
static void run(Script *s, bool cut) {
  FakeCluster f;
  fake_cluster_init(&f);
  Controller *k = controller_new(&f.c, &SPEC, 1, s);
  controller_lead(k, true);
  controller_add(k, FAKE_NS, "a");
  fake_cluster_pass(&f, cut ? 0 : 100);
  fake_cluster_disconnect(&f);
  controller_free(k);
  fake_cluster_deinit(&f);
}

static void test_it_looks_again_until_it_is_done(void **state) {
  Script s = {.says = {PASS_LOOK, PASS_LOOK, PASS_DONE}};
  run(&s, false);
  assert_int_equal(s.n_looks, 3);
  assert_int_equal(s.n_ends, 1);
  assert_false(s.failed);
}

static void test_one_that_finds_no_end_is_stopped(void **state) {
  Script s = {.says = {PASS_LOOK, PASS_LOOK, PASS_LOOK, PASS_LOOK}};
  run(&s, false);
  assert_int_equal(s.n_looks, 5);
  assert_int_equal(s.n_ends, 1);
  assert_int_equal(s.err.kind, ERROR_INTERNAL);
}

static void test_an_answer_says_how_to_go_on(void **state) {
  Script look_again = {.says = {PASS_WAIT, PASS_DONE}, .after = PASS_LOOK};
  run(&look_again, false);
  assert_int_equal(look_again.n_answers, 1);
  assert_int_equal(look_again.n_looks, 2);
  assert_int_equal(look_again.n_ends, 1);
  Script be_done = {.says = {PASS_WAIT}, .after = PASS_DONE};
  run(&be_done, false);
  assert_int_equal(be_done.n_looks, 1);
  assert_int_equal(be_done.n_ends, 1);
}

/* The step that waits is not asked any more: what it would do cannot be done. */
static void test_at_the_end_of_the_program_it_ends_unasked(void **state) {
  Script s = {.says = {PASS_WAIT}, .after = PASS_LOOK};
  run(&s, true);
  assert_int_equal(s.n_looks, 1);
  assert_int_equal(s.n_answers, 0);
  assert_int_equal(s.n_ends, 1);
  assert_int_equal(s.err.kind, ERROR_CANCELLED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_it_looks_again_until_it_is_done),
      cmocka_unit_test(test_one_that_finds_no_end_is_stopped),
      cmocka_unit_test(test_an_answer_says_how_to_go_on),
      cmocka_unit_test(test_at_the_end_of_the_program_it_ends_unasked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Whose turn it is, with requests that are nothing but turns. */
#include "lib/kube/kube_lanes.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/test.h"

enum { N_TURNS = 8 };

typedef struct Fixture {
  Loop *loop;
  LoopTimer *timer;
  KubeOptions options;
  KubeLanes *lanes;
  KubeTurn turns[N_TURNS];
  char told[64]; /* "0" started, "!0" refused */
  bool may_write;
} Fixture;

static void tell(Fixture *f, const char *mark, const KubeTurn *turn) {
  size_t len = strlen(f->told);
  snprintf(f->told + len, sizeof f->told - len, "%s%d", mark, (int)(turn - f->turns));
}

static void on_start(void *arg, KubeTurn *turn) {
  Fixture *f = arg;
  tell(f, "", turn);
  kube_lanes_began(f->lanes, turn);
}

static void on_refuse(void *arg, KubeTurn *turn) {
  Fixture *f = arg;
  tell(f, "!", turn);
  loop_stop(f->loop);
}

static bool may_write(void *arg) {
  return ((Fixture *)arg)->may_write;
}
static void on_timer(void *arg) {
  loop_stop(((Fixture *)arg)->loop);
}

static const KubeLaneEvents EVENTS = {.start = on_start, .refuse = on_refuse};

static void begin(Fixture *f, int max_in_flight) {
  memset(f, 0, sizeof *f);
  f->loop = loop_new();
  f->timer = loop_timer_new(f->loop, on_timer, f);
  f->options = (KubeOptions){.burst = 1, .max_in_flight = max_in_flight, .may_write = may_write, .arg = f};
  f->lanes = kube_lanes_new(f->loop, &f->options, &EVENTS, f);
}

static void end(Fixture *f) {
  KubeTurn *t;
  kube_lanes_close(f->lanes);
  while ((t = kube_lanes_any(f->lanes)))
    kube_lanes_leave(f->lanes, t);
  kube_lanes_free(f->lanes);
  loop_timer_free(f->timer);
  loop_free(f->loop);
}

static void wait_all(Fixture *f, int from, int to) {
  for (int i = from; i < to; i++)
    kube_lanes_wait(f->lanes, &f->turns[i]);
}

static void ends(Fixture *f, int i) {
  kube_lanes_ended(f->lanes, &f->turns[i]);
  kube_lanes_look(f->lanes);
}

static void test_in_order_and_not_too_many(void **s) {
  Fixture f;
  begin(&f, 2);
  wait_all(&f, 0, 5);
  assert_string_equal(f.told, "01");
  ends(&f, 1);
  assert_string_equal(f.told, "012");
  ends(&f, 0);
  ends(&f, 2);
  assert_string_equal(f.told, "01234");
  assert_null(kube_lanes_any(f.lanes));
  end(&f);
}

/* The first, the last, and one between: the others keep their order, and who comes after finds the end. */
static void test_who_leaves_is_not_waited_for(void **s) {
  Fixture f;
  begin(&f, 1);
  wait_all(&f, 0, 6);
  kube_lanes_leave(f.lanes, &f.turns[1]);
  kube_lanes_leave(f.lanes, &f.turns[3]);
  kube_lanes_leave(f.lanes, &f.turns[5]);
  kube_lanes_leave(f.lanes, &f.turns[5]);
  wait_all(&f, 6, 7);
  for (int i = 0; i <= 4; i += 2)
    ends(&f, i);
  assert_string_equal(f.told, "0246");
  end(&f);
}

static void test_what_is_waited_for_comes_before_what_is_patient(void **s) {
  Fixture f;
  begin(&f, 1);
  for (int i = 1; i < 3; i++)
    f.turns[i].is_patient = true;
  wait_all(&f, 0, 4);
  assert_string_equal(f.told, "0");
  ends(&f, 0);
  assert_string_equal(f.told, "03");
  ends(&f, 3);
  assert_string_equal(f.told, "031");
  end(&f);
}

static void test_few_patient_ones_beside_another(void **s) {
  Fixture f;
  begin(&f, N_TURNS);
  for (int i = 1; i < 6; i++)
    f.turns[i].is_patient = true;
  wait_all(&f, 0, 6);
  assert_int_equal(strlen(f.told), 1 + KUBE_PATIENT_BESIDE);
  ends(&f, 0);
  assert_int_equal(strlen(f.told), 1 + KUBE_PATIENT_BESIDE); /* the moment after it */
  loop_timer_start(f.timer, INT64_C(10) * KUBE_PATIENT_MS);
  loop_run(f.loop);
  assert_string_equal(f.told, "012345");
  end(&f);
}

static void test_what_may_not_be_written_is_refused_from_the_loop(void **s) {
  Fixture f;
  begin(&f, N_TURNS);
  f.turns[0].is_fenced = f.turns[2].is_fenced = true;
  wait_all(&f, 0, 3);
  assert_string_equal(f.told, "1");
  assert_ptr_equal(kube_lanes_any(f.lanes), &f.turns[0]);
  loop_run(f.loop);
  assert_string_equal(f.told, "1!0!2");
  f.may_write = true;
  kube_lanes_wait(f.lanes, &f.turns[0]);
  assert_string_equal(f.told, "1!0!20");
  end(&f);
}

static void test_nothing_starts_once_closed(void **s) {
  Fixture f;
  begin(&f, 1);
  wait_all(&f, 0, 2);
  kube_lanes_close(f.lanes);
  ends(&f, 0);
  assert_string_equal(f.told, "0");
  end(&f);
  kube_lanes_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_in_order_and_not_too_many),
      cmocka_unit_test(test_who_leaves_is_not_waited_for),
      cmocka_unit_test(test_what_is_waited_for_comes_before_what_is_patient),
      cmocka_unit_test(test_few_patient_ones_beside_another),
      cmocka_unit_test(test_what_may_not_be_written_is_refused_from_the_loop),
      cmocka_unit_test(test_nothing_starts_once_closed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

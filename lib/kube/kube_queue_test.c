/* The queue's promises, in time that passes as the test says. */
#include "lib/kube/kube_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/test.h"

enum { PASSES_MAX = 64 };

typedef struct Fixture {
  Loop *loop;
  KubeQueue *queue;
  LoopTimer *timer;
  int n; /* passes begun */
  char keys[PASSES_MAX][64];
  int64_t at_ms[PASSES_MAX];
  KubeTask *tasks[PASSES_MAX];
  void (*on_pass)(struct Fixture *f, KubeTask *task); /* NULL: the pass stays open */
} Fixture;

static void on_work(void *arg, KubeTask *task, const char *ns, const char *name) {
  Fixture *f = arg;
  assert_true(f->n < PASSES_MAX);
  snprintf(f->keys[f->n], sizeof f->keys[0], "%s/%s", ns, name);
  f->at_ms[f->n] = loop_now_ms(f->loop);
  f->tasks[f->n++] = task;
  if (f->on_pass)
    f->on_pass(f, task);
}

static void done(Fixture *f, KubeTask *task) {
  kube_task_done(task);
}

static void on_timer(void *arg) {
  loop_stop(((Fixture *)arg)->loop);
}

/* What is due, and some of what comes of that. */
static void run(Fixture *f) {
  enum { TURNS = 4 };
  for (int i = 0; i < TURNS; i++) {
    loop_timer_start(f->timer, 0);
    loop_run(f->loop);
  }
}

static void run_for(Fixture *f, int64_t ms) {
  run(f);
  loop_pass_time(f->loop, ms);
  run(f);
}

static void run_to(Fixture *f, int passes) {
  for (run(f); f->n < passes; run(f))
    assert_true(loop_pass_to_next(f->loop));
  assert_int_equal(f->n, passes);
}

static void begin(Fixture *f, int concurrency) {
  memset(f, 0, sizeof *f);
  f->loop = loop_new();
  loop_hold_time(f->loop);
  f->timer = loop_timer_new(f->loop, on_timer, f);
  f->queue = kube_queue_new(f->loop, concurrency, on_work, f);
}

static void end(Fixture *f) {
  kube_queue_free(f->queue);
  loop_timer_free(f->timer);
  loop_free(f->loop);
}

static void test_an_object_added_often_is_worked_on_once(void **s) {
  Fixture f;
  begin(&f, 4);
  for (int i = 0; i < 10; i++)
    kube_queue_add(f.queue, "ns", "a");
  kube_queue_add(f.queue, "ns", "b");
  kube_queue_add(f.queue, "other", "a");
  kube_queue_add(f.queue, NULL, "cluster-wide");
  assert_int_equal(kube_queue_length(f.queue), 4);
  assert_int_equal(f.n, 0); /* never inside add */
  run_for(&f, 20);
  assert_int_equal(f.n, 4);
  assert_string_equal(f.keys[0], "ns/a");
  assert_string_equal(f.keys[1], "ns/b");
  assert_string_equal(f.keys[2], "other/a");
  assert_string_equal(f.keys[3], "/cluster-wide");
  assert_int_equal(kube_queue_length(f.queue), 0);
  assert_int_equal(kube_queue_running(f.queue), 4);
  for (int i = 0; i < 4; i++)
    kube_task_done(f.tasks[i]);
  assert_int_equal(kube_queue_running(f.queue), 0);
  end(&f);
}

static void test_what_is_added_during_its_pass_gets_one_more_after_it(void **s) {
  Fixture f;
  begin(&f, 4);
  kube_queue_add(f.queue, "ns", "a");
  run_to(&f, 1);
  kube_queue_add(f.queue, "ns", "a");
  kube_queue_add(f.queue, "ns", "a");
  run_for(&f, 20);
  assert_int_equal(f.n, 1); /* one pass a name, although there is room for more */
  kube_task_done(f.tasks[0]);
  run_for(&f, 20);
  assert_int_equal(f.n, 2);
  kube_task_done(f.tasks[1]);
  run_for(&f, 20);
  assert_int_equal(f.n, 2);
  end(&f);
}

static void test_no_more_passes_at_once_than_allowed(void **s) {
  Fixture f;
  begin(&f, 2);
  const char *const names[] = {"a", "b", "c", "d", "e"};
  for (int i = 0; i < 5; i++)
    kube_queue_add(f.queue, "ns", names[i]);
  run_for(&f, 20);
  assert_int_equal(f.n, 2);
  for (int i = 0; i < 5; i++) {
    assert_true(kube_queue_running(f.queue) <= 2);
    kube_task_done(f.tasks[i]);
    run_for(&f, 5);
    assert_int_equal(f.n, i + 3 > 5 ? 5 : i + 3);
  }
  assert_string_equal(f.keys[4], "ns/e");
  end(&f);
}

static void test_the_earlier_time_stays(void **s) {
  Fixture f;
  begin(&f, 1);
  int64_t start = loop_now_ms(f.loop);
  kube_queue_add_after(f.queue, "ns", "a", 60);
  kube_queue_add_after(f.queue, "ns", "a", 3600000);
  kube_queue_add_after(f.queue, "ns", "b", 3600000);
  kube_queue_add_after(f.queue, "ns", "b", 90);
  assert_int_equal(kube_queue_length(f.queue), 0);
  run_to(&f, 1);
  assert_int_equal(f.at_ms[0] - start, 60);
  assert_string_equal(f.keys[0], "ns/a");
  kube_task_done(f.tasks[0]);
  run_to(&f, 2);
  assert_int_equal(f.at_ms[1] - start, 90);
  assert_string_equal(f.keys[1], "ns/b");
  kube_task_done_again(f.tasks[1], 0);
  run_to(&f, 3); /* again at once */
  assert_string_equal(f.keys[2], "ns/b");
  kube_queue_add_after(f.queue, "ns", "b", 1);
  run_for(&f, 20);
  assert_int_equal(f.n, 3);
  kube_task_done(f.tasks[2]);
  run_to(&f, 4); /* the time came during the pass */
  kube_task_done(f.tasks[3]);
  end(&f);
}

static void test_failures_pause_twice_as_long_until_a_success(void **s) {
  Fixture f;
  begin(&f, 1);
  kube_queue_add(f.queue, "ns", "a");
  for (int i = 0; i < 6; i++) {
    run_to(&f, i + 1);
    if (i < 5)
      kube_task_failed(f.tasks[i], 0);
    if (i > 0)
      assert_int_equal(f.at_ms[i] - f.at_ms[i - 1], KUBE_BACKOFF_MIN_MS << (i - 1));
  }
  kube_task_done_again(f.tasks[5], 0);
  run_to(&f, 7);
  kube_task_failed(f.tasks[6], 0);
  kube_queue_add_after(f.queue, "ns", "a", KUBE_BACKOFF_MIN_MS << 5); /* later than a first failure's pause */
  run_to(&f, 8);
  assert_int_equal(f.at_ms[7] - f.at_ms[6], KUBE_BACKOFF_MIN_MS);
  kube_task_failed(f.tasks[7], 40); /* the server's Retry-After */
  run_to(&f, 9);
  assert_int_equal(f.at_ms[8] - f.at_ms[7], 40);
  kube_task_done(f.tasks[8]);
  run_for(&f, 20);
  assert_int_equal(f.n, 9);
  end(&f);
}

static void test_a_change_ends_the_pause_of_a_failure(void **s) {
  Fixture f;
  begin(&f, 1);
  kube_queue_add(f.queue, "ns", "a");
  run_to(&f, 1);
  kube_task_failed(f.tasks[0], 3600000);
  run_for(&f, 20);
  assert_int_equal(f.n, 1);
  kube_queue_add(f.queue, "ns", "a");
  run_to(&f, 2);
  kube_task_done(f.tasks[1]);
  end(&f);
}

static void test_a_paused_queue_starts_nothing(void **s) {
  Fixture f;
  begin(&f, 1);
  kube_queue_pause(f.queue, true);
  kube_queue_add(f.queue, "ns", "a");
  kube_queue_add_after(f.queue, "ns", "b", 1);
  run_for(&f, 20);
  assert_int_equal(f.n, 0);
  assert_int_equal(kube_queue_length(f.queue), 2);
  kube_queue_pause(f.queue, false);
  run_to(&f, 1);
  kube_queue_pause(f.queue, true);
  kube_task_done(f.tasks[0]); /* what runs may end */
  run_for(&f, 20);
  assert_int_equal(f.n, 1);
  kube_queue_pause(f.queue, false);
  run_to(&f, 2);
  kube_task_done(f.tasks[1]);
  end(&f);
}

static void test_a_name_that_is_held_waits_until_it_is_let_go(void **s) {
  Fixture f;
  begin(&f, 2);
  kube_queue_add(f.queue, "ns", "queued_before");
  kube_queue_add_after(f.queue, "ns", "due_meanwhile", 1);
  kube_queue_hold(f.queue, "ns", "queued_before", true);
  kube_queue_hold(f.queue, "ns", "due_meanwhile", true);
  kube_queue_hold(f.queue, "ns", "never_added", true);
  kube_queue_add(f.queue, "ns", "queued_before");
  kube_queue_add(f.queue, "ns", "other");
  run_for(&f, 20);
  assert_int_equal(f.n, 1);
  assert_string_equal(f.keys[0], "ns/other");
  kube_task_done(f.tasks[0]);
  f.on_pass = done;
  const char *const names[] = {"never_added", "due_meanwhile", "queued_before"};
  for (size_t i = 0; i < 3; i++)
    kube_queue_hold(f.queue, "ns", names[i], false);
  run_to(&f, 4);
  assert_string_equal(f.keys[1], "ns/never_added");
  assert_string_equal(f.keys[3], "ns/queued_before");
  /* let go twice: nothing was held */
  kube_queue_hold(f.queue, "ns", "other", false);
  run_for(&f, 20);
  assert_int_equal(f.n, 4);
  end(&f);
}

static void test_holding_does_not_end_the_pass_under_way(void **s) {
  Fixture f;
  begin(&f, 2);
  kube_queue_add(f.queue, "ns", "a");
  run_to(&f, 1);
  kube_queue_hold(f.queue, "ns", "a", true);
  kube_queue_add(f.queue, "ns", "a");
  kube_task_done(f.tasks[0]);
  run_for(&f, 20);
  assert_int_equal(f.n, 1);
  kube_queue_hold(f.queue, "ns", "a", false);
  run_to(&f, 2);
  kube_task_done(f.tasks[1]);
  end(&f);
}

static void again_for_ever(Fixture *f, KubeTask *task) {
  if (f->n == PASSES_MAX - 1) {
    f->on_pass = NULL; /* far more passes than one turn may make */
    return;
  }
  kube_queue_add(f->queue, "ns", "a");
  kube_task_done(task);
}

static int turns_seen;

static void on_other_work(void *arg) {
  Fixture *f = arg;
  if (f->n < PASSES_MAX - 1)
    turns_seen++;
  loop_timer_start(f->timer, 0);
  if (f->n == PASSES_MAX - 1)
    loop_stop(f->loop);
}

static void test_a_name_that_adds_itself_does_not_stop_the_loop(void **s) {
  Fixture f;
  begin(&f, 2);
  loop_timer_free(f.timer);
  f.timer = loop_timer_new(f.loop, on_other_work, &f);
  f.on_pass = again_for_ever;
  turns_seen = 0;
  kube_queue_add(f.queue, "ns", "a");
  loop_timer_start(f.timer, 0);
  loop_run(f.loop);
  assert_true(turns_seen > 2);
  kube_task_done(f.tasks[f.n - 1]);
  end(&f);
}

static void test_it_is_freed_with_work_left(void **s) {
  Fixture f;
  begin(&f, 1);
  kube_queue_add(f.queue, "ns", "a");
  run_to(&f, 1);
  kube_task_failed(f.tasks[0], 3600000);
  kube_queue_add(f.queue, "ns", "b");
  kube_queue_add_after(f.queue, "ns", "c", 3600000);
  end(&f);
  kube_queue_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_an_object_added_often_is_worked_on_once),
      cmocka_unit_test(test_what_is_added_during_its_pass_gets_one_more_after_it),
      cmocka_unit_test(test_no_more_passes_at_once_than_allowed),
      cmocka_unit_test(test_the_earlier_time_stays),
      cmocka_unit_test(test_failures_pause_twice_as_long_until_a_success),
      cmocka_unit_test(test_a_change_ends_the_pause_of_a_failure),
      cmocka_unit_test(test_a_paused_queue_starts_nothing),
      cmocka_unit_test(test_a_name_that_is_held_waits_until_it_is_let_go),
      cmocka_unit_test(test_holding_does_not_end_the_pass_under_way),
      cmocka_unit_test(test_a_name_that_adds_itself_does_not_stop_the_loop),
      cmocka_unit_test(test_it_is_freed_with_work_left),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What comes in which order, and what the wait makes of it. */
#include "services/claims/claim/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/test.h"

enum { LONG_MS = 3600000 };

/* A call whose commands are letters: a(sk), t(old), l(eave), s(hared leave). */
typedef struct Call {
  Loop *loop;
  Wait wait;
  char done[16];
} Call;

static void note(Call *c, const char *letter) {
  size_t n = strlen(c->done);
  assert_true(n + 1 < sizeof c->done);
  snprintf(c->done + n, sizeof c->done - n, "%s", letter);
}

static void ask(void *op) {
  Call *c = op;
  note(c, "a");
  wait_sends(&c->wait, WAIT_ASKING);
}

static void told(void *op) {
  Call *c = op;
  note(c, "t");
  wait_sends(&c->wait, WAIT_CONFIRMING);
}

static void leave(void *op, bool shared) {
  Call *c = op;
  note(c, shared ? "s" : "l");
  loop_stop(c->loop);
}

static const WaitKind KIND = {.ask = ask, .told = told, .leave = leave};

typedef struct Fixture {
  Loop *loop;
  WaitQueue *queue;
  Call a, b;
} Fixture;

static void begin(Fixture *f, Call *c, const char *token, int64_t max_wait_ms) {
  *c = (Call){.loop = f->loop};
  wait_begin(&c->wait, f->queue, f->loop, &KIND, c, max_wait_ms, LONG_MS);
  wait_list(&c->wait, token);
  ask(c);
}

static int setup(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  f->loop = loop_new();
  loop_hold_time(f->loop);
  f->queue = wait_queue_new();
  begin(f, &f->a, "one", LONG_MS);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  Fixture *f = *state;
  assert_int_equal(wait_queue_placed(f->queue), 0);
  wait_queue_free(f->queue);
  loop_free(f->loop);
  free(f);
  return 0;
}

static void word_moves_one_that_is_queued(void **state) {
  Fixture *f = *state;
  wait_placed(&f->a.wait, "one", false);
  assert_int_equal(wait_queue_placed(f->queue), 1);
  wait_queue_tell(f->queue, "two");
  assert_string_equal(f->a.done, "a");
  wait_queue_tell(f->queue, "one");
  assert_string_equal(f->a.done, "at");
  assert_int_equal(f->a.wait.state, WAIT_CONFIRMING);
  wait_done(&f->a.wait);
  wait_queue_tell(f->queue, "one");
  assert_string_equal(f->a.done, "at");
}

static void word_may_overtake_the_answer(void **state) {
  Fixture *f = *state;
  wait_queue_tell(f->queue, NULL);
  assert_string_equal(f->a.done, "a");
  wait_placed(&f->a.wait, "one", false);
  assert_string_equal(f->a.done, "at");
  /* and is used up by the command that follows it */
  wait_again(&f->a.wait);
  ask(&f->a);
  wait_placed(&f->a.wait, "one", false);
  assert_string_equal(f->a.done, "ata");
  wait_cancel(&f->a.wait);
  wait_done(&f->a.wait);
}

static void one_that_is_queued_leaves_at_once(void **state) {
  Fixture *f = *state;
  wait_placed(&f->a.wait, "one", true);
  wait_cancel(&f->a.wait);
  assert_string_equal(f->a.done, "al");
  assert_int_equal(f->a.wait.end, WAIT_CANCELLED);
  wait_done(&f->a.wait);
}

static void one_with_an_answer_under_way_leaves_after_it(void **state) {
  Fixture *f = *state;
  wait_cancel(&f->a.wait);
  assert_string_equal(f->a.done, "a");
  wait_placed(&f->a.wait, "one", false);
  assert_string_equal(f->a.done, "al");
  wait_done(&f->a.wait);
}

static void the_last_gives_up_a_place(void **state) {
  Fixture *f = *state;
  begin(f, &f->b, "two", LONG_MS);
  wait_placed(&f->a.wait, "both", true);
  wait_placed(&f->b.wait, "both", true);
  wait_queue_tell(f->queue, "two");
  assert_string_equal(f->b.done, "a");
  assert_int_equal(wait_queue_placed(f->queue), 2);
  wait_cancel(&f->a.wait);
  wait_cancel(&f->b.wait);
  assert_string_equal(f->a.done, "as");
  assert_string_equal(f->b.done, "al");
  wait_done(&f->a.wait);
  wait_done(&f->b.wait);
}

static void it_ends_when_its_time_is_over(void **state) {
  Fixture *f = *state;
  begin(f, &f->b, "two", 0);
  assert_int_equal(wait_place_ms(&f->b.wait), 0);
  assert_int_equal(wait_place_ms(&f->a.wait), LONG_MS + 1000);
  wait_placed(&f->b.wait, "two", false);
  loop_run(f->loop);
  assert_string_equal(f->b.done, "al");
  assert_int_equal(f->b.wait.end, WAIT_EXPIRED);
  /* the caller who leaves as well is the better reason */
  wait_cancel(&f->b.wait);
  assert_string_equal(f->b.done, "al");
  assert_int_equal(f->b.wait.end, WAIT_CANCELLED);
  wait_done(&f->b.wait);
  wait_done(&f->a.wait);
}

/* A minute of waiting, in no time. */
static void one_that_may_asks_again_every_second(void **state) {
  Fixture *f = *state;
  begin(f, &f->b, "two", 3500);
  wait_placed(&f->a.wait, "one", false);
  wait_placed(&f->b.wait, "two", true);
  loop_pass_time(f->loop, 999);
  assert_string_equal(f->b.done, "a");
  loop_pass_time(f->loop, 1);
  assert_string_equal(f->b.done, "aa");
  /* its place outlives it by a second, should nobody give that up */
  assert_int_equal(wait_place_ms(&f->b.wait), 2500 + 1000);
  /* not while the answer is under way */
  loop_pass_time(f->loop, 1500);
  assert_string_equal(f->b.done, "aa");
  assert_true(wait_unanswered(&f->b.wait));
  loop_pass_time(f->loop, 999);
  assert_string_equal(f->b.done, "aa");
  assert_int_equal(wait_place_ms(&f->b.wait), 1 + 1000);
  loop_pass_time(f->loop, 1);
  /* it is over at the same moment, and what comes then leaves */
  assert_string_equal(f->b.done, "aal");
  assert_int_equal(f->b.wait.end, WAIT_EXPIRED);
  assert_int_equal(wait_place_ms(&f->b.wait), 0);
  wait_done(&f->b.wait);
  /* the other never asks by itself */
  loop_pass_time(f->loop, 60000);
  assert_string_equal(f->a.done, "a");
  wait_cancel(&f->a.wait);
  wait_done(&f->a.wait);
}

static void what_ends_first_ends_it(void **state) {
  Fixture *f = *state;
  f->b = (Call){.loop = f->loop};
  wait_begin(&f->b.wait, f->queue, f->loop, &KIND, &f->b, LONG_MS, 700);
  assert_true(f->b.wait.call_ends_first);
  assert_false(f->a.wait.call_ends_first);
  wait_list(&f->b.wait, "two");
  ask(&f->b);
  /* time that passes before there is a place counts */
  loop_pass_time(f->loop, 400);
  wait_placed(&f->b.wait, "two", false);
  loop_pass_time(f->loop, 299);
  assert_string_equal(f->b.done, "a");
  loop_pass_time(f->loop, 1);
  assert_string_equal(f->b.done, "al");
  wait_done(&f->b.wait);
  wait_done(&f->a.wait);
}

static void a_question_without_an_answer_is_asked_twice(void **state) {
  Fixture *f = *state;
  assert_true(wait_unanswered(&f->a.wait));
  assert_string_equal(f->a.done, "aa");
  assert_false(wait_unanswered(&f->a.wait));
  wait_done(&f->a.wait);
  /* not for one who has gone, and as often as need be for one that has a place */
  begin(f, &f->b, "two", LONG_MS);
  wait_placed(&f->b.wait, "two", false);
  for (int i = 0; i < 3; i++) {
    ask(&f->b);
    assert_true(wait_unanswered(&f->b.wait));
    assert_int_equal(f->b.wait.state, WAIT_QUEUED);
  }
  assert_string_equal(f->b.done, "aaaa");
  ask(&f->b);
  wait_cancel(&f->b.wait);
  assert_false(wait_unanswered(&f->b.wait));
  wait_done(&f->b.wait);
}

static void no_other_way_is_gone(void **state) {
  Fixture *f = *state;
  wait_done(&f->a.wait);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    close(2);
    wait_sends(&f->a.wait, WAIT_ASKING);
    _exit(0);
  }
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_not_equal(status, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(word_moves_one_that_is_queued),
      TEST(word_may_overtake_the_answer),
      TEST(one_that_is_queued_leaves_at_once),
      TEST(one_with_an_answer_under_way_leaves_after_it),
      TEST(the_last_gives_up_a_place),
      TEST(it_ends_when_its_time_is_over),
      TEST(one_that_may_asks_again_every_second),
      TEST(what_ends_first_ends_it),
      TEST(a_question_without_an_answer_is_asked_twice),
      TEST(no_other_way_is_gone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

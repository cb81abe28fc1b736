/* Postings arrive on the loop once, in order, from any thread; whatever watches may be freed inside its own
 * callback. Everything waits for a fact; a loop that never stops is ended by the test's time limit. */
#include "lib/loop/loop.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/test.h"

static int setup(void **state) {
  *state = loop_new();
  return 0;
}

static int teardown(void **state) {
  loop_free(*state);
  return 0;
}

static void on_one_of_two(void *arg) {
  Loop **two = arg;
  assert_false(loop_is_elsewhere(two[0]));
  assert_true(loop_is_elsewhere(two[1]));
  loop_stop(two[0]);
}

static void which_loop_a_thread_runs(void **state) {
  Loop *two[] = {*state, loop_new()};
  assert_false(loop_is_elsewhere(two[0]));
  loop_post(two[0], on_one_of_two, two);
  loop_run(two[0]);
  assert_false(loop_is_elsewhere(two[1]));
  loop_free(two[1]);
}

/* ---- postings ---- */

enum { THREADS = 4, POSTINGS = 5000 };

typedef struct Poster {
  Loop *loop;
  pthread_t owner; /* the thread that runs the loop */
  int next;        /* the number that must come next */
  int *left;       /* of all posters together; touched on the loop only */
} Poster;

typedef struct Numbered {
  Poster *poster;
  int number;
} Numbered;

static void on_posted(void *arg) {
  Numbered *n = arg;
  Poster *p = n->poster;
  assert_true(pthread_equal(pthread_self(), p->owner));
  assert_int_equal(n->number, p->next++);
  free(n);
  if (--*p->left == 0)
    loop_stop(p->loop);
}

static void *post_all(void *arg) {
  for (int i = 0; i < POSTINGS; i++) {
    Numbered *n = malloc(sizeof *n);
    *n = (Numbered){arg, i};
    loop_post(n->poster->loop, on_posted, n);
  }
  return NULL;
}

static void post_from_threads(void **state) {
  pthread_t threads[THREADS];
  Poster posters[THREADS];
  int left = THREADS * POSTINGS;
  for (int i = 0; i < THREADS; i++) {
    posters[i] = (Poster){*state, pthread_self(), 0, &left};
    assert_int_equal(pthread_create(&threads[i], NULL, post_all, &posters[i]), 0);
  }
  loop_run(*state);
  for (int i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
  assert_int_equal(left, 0);
}

typedef struct Chain {
  Loop *loop;
  int left;
} Chain;

static void on_chain(void *arg) {
  Chain *c = arg;
  if (--c->left == 0)
    loop_stop(c->loop);
  else
    loop_post(c->loop, on_chain, c);
}

static void post_inside_a_posting(void **state) {
  Chain c = {*state, 1000};
  loop_post(*state, on_chain, &c);
  loop_run(*state);
  assert_int_equal(c.left, 0);
}

static void never(void *arg) {
  fail();
}

static void free_with_postings(void **state) {
  Loop *loop = loop_new();
  loop_post(loop, never, NULL);
  loop_post(loop, never, NULL);
  loop_free(loop);
  loop_free(NULL);
}

static void *stop_it(void *loop) {
  loop_stop(loop);
  return NULL;
}

static pthread_t stopper;

static void start_stopper(void *loop) {
  assert_int_equal(pthread_create(&stopper, NULL, stop_it, loop), 0);
}

static void stop_from_a_thread_and_run_again(void **state) {
  for (int i = 0; i < 50; i++) {
    loop_post(*state, start_stopper, *state);
    loop_run(*state);
    pthread_join(stopper, NULL);
  }
}

/* ---- timers ---- */

typedef struct Timed {
  Loop *loop;
  LoopTimer *timer;
  int64_t due_ms;
  int fired;
} Timed;

static void on_free_itself(void *arg) {
  Timed *t = arg;
  t->fired++;
  loop_timer_free(t->timer);
  loop_stop(t->loop);
}

static void timer_freed_inside(void **state) {
  Timed t = {.loop = *state};
  t.timer = loop_timer_new(*state, on_free_itself, &t);
  loop_timer_start(t.timer, 0);
  loop_run(*state);
  assert_int_equal(t.fired, 1);
}

static void on_restart_then_free(void *arg) {
  Timed *t = arg;
  loop_timer_start(t->timer, 1);
  if (++t->fired < 3)
    return;
  loop_timer_free(t->timer);
  loop_stop(t->loop);
}

static void timer_restarted_and_freed_inside(void **state) {
  Timed t = {.loop = *state};
  t.timer = loop_timer_new(*state, on_restart_then_free, &t);
  loop_timer_start(t.timer, -5);
  loop_run(*state);
  assert_int_equal(t.fired, 3);
}

static void on_due(void *arg) {
  Timed *t = arg;
  assert_true(clock_mono_ms() >= t->due_ms);
  t->fired++;
  loop_stop(t->loop);
}

static void on_must_not(void *arg) {
  fail();
}

static void timer_started_again_and_stopped(void **state) {
  Timed t = {.loop = *state};
  t.timer = loop_timer_new(*state, on_due, &t);
  LoopTimer *stopped = loop_timer_new(*state, on_must_not, NULL);
  LoopTimer *never_started = loop_timer_new(*state, on_must_not, NULL);
  loop_timer_start(stopped, 0);
  loop_timer_stop(stopped);
  loop_timer_stop(never_started);
  loop_timer_start(t.timer, 0);
  /* the clock is read down to the millisecond, the timer may start within it */
  t.due_ms = clock_mono_ms() + 30 - 1;
  loop_timer_start(t.timer, 30);
  loop_run(*state);
  assert_int_equal(t.fired, 1);
  loop_timer_free(t.timer);
  loop_timer_free(stopped);
  loop_timer_free(never_started);
  loop_timer_free(NULL);
}

typedef struct Pair {
  Loop *loop;
  LoopTimer *timers[2];
  int fired;
} Pair;

/* Both are due at once; the one that comes first frees both. */
static void on_free_both(void *arg) {
  Pair *p = arg;
  p->fired++;
  loop_timer_free(p->timers[0]);
  loop_timer_free(p->timers[1]);
  loop_stop(p->loop);
}

static void timer_freed_by_another(void **state) {
  Pair p = {.loop = *state};
  for (int i = 0; i < 2; i++) {
    p.timers[i] = loop_timer_new(*state, on_free_both, &p);
    loop_timer_start(p.timers[i], 0);
  }
  loop_run(*state);
  assert_int_equal(p.fired, 1);
}

/* ---- held time ---- */

typedef struct Noted {
  LoopTimer *timer;
  char name;
  char *said; /* the names of what has run, one buffer for all */
  bool again;
} Noted;

static void on_noted(void *arg) {
  Noted *n = arg;
  size_t len = strlen(n->said);
  n->said[len] = n->name;
  n->said[len + 1] = 0;
  if (n->again)
    loop_timer_start(n->timer, 10);
}

static void held_time_runs_what_is_due(void **state) {
  char said[16] = "";
  Noted late = {.name = 'l', .said = said}, early = {.name = 'e', .said = said};
  Noted again = {.name = 'a', .said = said, .again = true};
  Noted *const ALL[] = {&late, &early, &again};
  loop_hold_time(*state);
  for (int i = 0; i < 3; i++)
    ALL[i]->timer = loop_timer_new(*state, on_noted, ALL[i]);
  loop_timer_start(late.timer, 25);
  loop_timer_start(early.timer, 3600000);
  loop_timer_start(early.timer, 5);
  loop_timer_start(again.timer, 10);
  loop_pass_time(*state, 4);
  assert_string_equal(said, "");
  loop_pass_time(*state, 1);
  assert_string_equal(said, "e");
  loop_pass_time(*state, 20);
  assert_string_equal(said, "eaal");
  loop_timer_stop(again.timer);
  loop_timer_start(late.timer, 1);
  loop_timer_free(late.timer);
  loop_pass_time(*state, 3600000);
  assert_string_equal(said, "eaal");
  loop_timer_free(early.timer);
  loop_timer_free(again.timer);
}

static void held_time_is_told_and_passed_to_what_is_next(void **state) {
  char said[16] = "";
  Noted now = {.name = 'n', .said = said}, late = {.name = 'l', .said = said};
  Noted real = {.name = 'r', .said = said}, never = {.name = 'x', .said = said};
  Noted *const ALL[] = {&now, &late, &real, &never};
  loop_hold_time(*state);
  int64_t start = loop_now_ms(*state);
  for (size_t i = 0; i < ARRAY_LEN(ALL); i++)
    ALL[i]->timer = loop_timer_new(*state, on_noted, ALL[i]);
  assert_false(loop_pass_to_next(*state));
  loop_timer_start(late.timer, 3600000);
  loop_timer_start(now.timer, 0);
  loop_timer_start(never.timer, 0);
  loop_timer_start(never.timer, 7200000); /* the last time counts */
  loop_timer_hold_not(real.timer);
  loop_timer_start(real.timer, 1);
  while (!strchr(said, 'r'))
    event_base_loop(loop_base(*state), EVLOOP_ONCE);
  assert_string_equal(said, "nr");
  assert_int_equal(loop_now_ms(*state), start);
  assert_true(loop_pass_to_next(*state));
  assert_string_equal(said, "nrl");
  assert_int_equal(loop_now_ms(*state) - start, 3600000);
  loop_timer_stop(never.timer);
  assert_false(loop_pass_to_next(*state));
  for (size_t i = 0; i < ARRAY_LEN(ALL); i++)
    loop_timer_free(ALL[i]->timer);
}

static void held_time_frees_inside(void **state) {
  loop_hold_time(*state);
  Pair p = {.loop = *state};
  for (int i = 0; i < 2; i++) {
    p.timers[i] = loop_timer_new(*state, on_free_both, &p);
    loop_timer_start(p.timers[i], 7);
  }
  loop_pass_time(*state, 7);
  assert_int_equal(p.fired, 1);
}

/* ---- descriptors ---- */

typedef struct Watched {
  Loop *loop;
  LoopFd *watch;
  int ends[2];
  int seen, calls;
} Watched;

static void watch_open(Watched *w, Loop *loop, int events, void (*fn)(int events, void *arg)) {
  *w = (Watched){.loop = loop};
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, w->ends), 0);
  w->watch = loop_fd_new(loop, w->ends[0], events, fn, w);
}

static void watch_close(Watched *w) {
  loop_fd_free(w->watch);
  close(w->ends[0]);
  close(w->ends[1]);
}

static void on_events(int events, void *arg) {
  Watched *w = arg;
  w->seen |= events;
  w->calls++;
  loop_stop(w->loop);
}

static void fd_is_level_triggered(void **state) {
  Watched w;
  watch_open(&w, *state, LOOP_READ, on_events);
  assert_int_equal(write(w.ends[1], "x", 1), 1);
  for (int i = 0; i < 3; i++) {
    int calls = w.calls;
    loop_run(*state);
    assert_true(w.calls > calls);
  }
  assert_int_equal(w.seen, LOOP_READ);
  watch_close(&w);
}

static void fd_pauses_and_changes(void **state) {
  Watched w;
  watch_open(&w, *state, 0, on_events);
  assert_int_equal(write(w.ends[1], "x", 1), 1);
  Timed t = {.loop = *state};
  t.timer = loop_timer_new(*state, on_due, &t);
  loop_timer_start(t.timer, 1);
  loop_run(*state);
  assert_int_equal(w.calls, 0);
  loop_fd_set(w.watch, LOOP_WRITE);
  loop_run(*state);
  assert_int_equal(w.seen, LOOP_WRITE);
  w.seen = 0;
  loop_fd_set(w.watch, LOOP_READ | LOOP_WRITE);
  loop_run(*state);
  assert_int_equal(w.seen, LOOP_READ | LOOP_WRITE);
  int calls = w.calls;
  loop_fd_set(w.watch, 0);
  loop_timer_start(t.timer, 1);
  loop_run(*state);
  assert_int_equal(w.calls, calls);
  assert_int_equal(t.fired, 2);
  loop_timer_free(t.timer);
  watch_close(&w);
}

static void fd_tells_a_close_behind_unread_bytes(void **state) {
  Watched w;
  watch_open(&w, *state, LOOP_CLOSED, on_events);
  assert_int_equal(write(w.ends[1], "unread", 6), 6);
  shutdown(w.ends[1], SHUT_WR);
  loop_run(*state);
  assert_true(w.seen & LOOP_CLOSED);
  watch_close(&w);
}

static void on_fd_free_itself(int events, void *arg) {
  Watched *w = arg;
  w->calls++;
  loop_fd_free(w->watch);
  w->watch = NULL;
  loop_stop(w->loop);
}

static void fd_freed_inside(void **state) {
  Watched w;
  watch_open(&w, *state, LOOP_READ | LOOP_WRITE, on_fd_free_itself);
  loop_run(*state);
  assert_int_equal(w.calls, 1);
  /* the descriptor is the caller's and still open */
  assert_int_equal(write(w.ends[0], "x", 1), 1);
  watch_close(&w);
}

/* ---- signals ---- */

typedef struct Signalled {
  Loop *loop;
  LoopSignal *signal;
  int count;
} Signalled;

static void on_second_signal_free(void *arg) {
  Signalled *s = arg;
  if (++s->count == 2)
    loop_signal_free(s->signal);
  loop_stop(s->loop);
}

static void signals(void **state) {
  Signalled s = {.loop = *state};
  s.signal = loop_signal_new(*state, SIGUSR1, on_second_signal_free, &s);
  for (int i = 1; i <= 2; i++) {
    kill(getpid(), SIGUSR1);
    loop_run(*state);
    assert_int_equal(s.count, i);
  }
  loop_signal_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(which_loop_a_thread_runs),
      TEST(post_from_threads),
      TEST(post_inside_a_posting),
      TEST(free_with_postings),
      TEST(stop_from_a_thread_and_run_again),
      TEST(timer_freed_inside),
      TEST(timer_restarted_and_freed_inside),
      TEST(timer_started_again_and_stopped),
      TEST(timer_freed_by_another),
      TEST(held_time_runs_what_is_due),
      TEST(held_time_is_told_and_passed_to_what_is_next),
      TEST(held_time_frees_inside),
      TEST(fd_is_level_triggered),
      TEST(fd_pauses_and_changes),
      TEST(fd_tells_a_close_behind_unread_bytes),
      TEST(fd_freed_inside),
      TEST(signals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A walk over names in batches: each is met once, in order, also where a batch ends with the last of them. */
#include <stdio.h>
#include <string.h>

#include "lib/state/state_cursor.h"

#include "lib/base/test.h"

enum { MOST = 3 * STATE_CURSOR_BATCH };

/* The index: sorted, as Redis answers. */
static struct {
  char names[MOST][STATE_NAME_MAX + 1];
  size_t n;
  size_t n_reads;
  bool fails;
} the_index;

typedef struct Walk {
  StateCursor cursor;
  size_t n_met;
  char last[STATE_NAME_MAX + 1];
  bool ended, failed;
} Walk;

static void index_fill(size_t n) {
  memset(&the_index, 0, sizeof the_index);
  for (; the_index.n < n; the_index.n++)
    snprintf(the_index.names[the_index.n], sizeof the_index.names[0], "team/pool-%03zu", the_index.n);
}

static void read_index(State *s, const char *ns, const char *after, size_t limit, StateNamesFn fn, void *arg) {
  the_index.n_reads++;
  Error err = {0};
  error_set(&err, ERROR_UNAVAILABLE, "no Redis");
  if (the_index.fails)
    return fn(arg, NULL, &err);
  const char *names[MOST];
  size_t n = 0;
  for (size_t i = 0; i < the_index.n && n < limit; i++)
    if (strcmp(the_index.names[i], after) > 0)
      names[n++] = the_index.names[i];
  fn(arg, &(StateNames){.names = names, .n_names = n}, NULL);
}

static void met(void *arg, const char *ns, const char *name, const Error *err) {
  Walk *w = arg;
  if (!name) {
    w->failed = err != NULL;
    w->ended = true;
    return;
  }
  assert_string_equal(ns, "team");
  assert_true(strcmp(name, w->last) > 0);
  snprintf(w->last, sizeof w->last, "%s", name);
  w->n_met++;
}

static Walk walk(Arena *arena, const char *after) {
  Walk w = {.cursor = {.arena = arena, .read = read_index, .ns = "team", .fn = met, .at = after}};
  w.cursor.arg = &w;
  while (!w.ended) {
    bool ended = state_cursor_ended(&w.cursor);
    state_cursor_next(&w.cursor);
    assert_true(!ended || w.ended);
  }
  w.cursor.arg = NULL;
  return w;
}

static void each_is_met_once(void **state) {
  static const struct {
    size_t n, reads;
  } rows[] = {
      {0, 1},
      {1, 1},
      {STATE_CURSOR_BATCH - 1, 1},
      {STATE_CURSOR_BATCH, 2},
      {STATE_CURSOR_BATCH + 1, 2},
      {(size_t)2 * STATE_CURSOR_BATCH, 3},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    Arena *arena = arena_new();
    index_fill(rows[i].n);
    Walk w = walk(arena, "");
    assert_int_equal(w.n_met, rows[i].n);
    assert_int_equal(the_index.n_reads, rows[i].reads);
    assert_false(w.failed);
    arena_free(arena);
  }
}

static void goes_on_behind_a_name(void **state) {
  Arena *arena = arena_new();
  index_fill(STATE_CURSOR_BATCH + 10);
  Walk w = walk(arena, "team/pool-004");
  assert_int_equal(w.n_met, STATE_CURSOR_BATCH + 5);
  arena_free(arena);
}

static void what_is_no_name_is_passed_over(void **state) {
  Arena *arena = arena_new();
  index_fill(STATE_CURSOR_BATCH);
  for (size_t i = STATE_CURSOR_BATCH / 2; i < STATE_CURSOR_BATCH; i++) /* '0' sorts behind '/' */
    the_index.names[i][strlen("team")] = '0';
  Walk w = walk(arena, "");
  assert_int_equal(w.n_met, STATE_CURSOR_BATCH / 2);
  arena_free(arena);
}

static void an_index_that_cannot_be_read_ends_it(void **state) {
  Arena *arena = arena_new();
  index_fill(1);
  the_index.fails = true;
  Walk w = walk(arena, "");
  assert_true(w.failed);
  assert_int_equal(w.n_met, 0);
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_is_met_once),
      cmocka_unit_test(goes_on_behind_a_name),
      cmocka_unit_test(what_is_no_name_is_passed_over),
      cmocka_unit_test(an_index_that_cannot_be_read_ends_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

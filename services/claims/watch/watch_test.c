/* What a watcher is told, for every way in which what it sees can change. */
#include "services/claims/watch/watch.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/compiler.h"
#include "lib/base/test.h"

static void seeing(void **state) {
  Error err = {0};
  Selector *selector = selector_parse("app=web", &err);
  assert_non_null(selector);
  static const StatePair web[] = {{"app", "web"}}, db[] = {{"app", "db"}};
  SandboxRecord held = {.uid = "u", .labels = web, .n_labels = 1};
  SandboxRecord other = {.uid = "u", .labels = db, .n_labels = 1};
  SandboxRecord warm = {.uid = "", .labels = web, .n_labels = 1};
  WatchFilter filter = {.selector = selector};
  assert_true(watch_sees(&filter, &held));
  assert_false(watch_sees(&filter, &other));
  assert_false(watch_sees(&filter, &warm));
  assert_false(watch_sees(&filter, NULL));
  filter.show_unclaimed = true;
  assert_true(watch_sees(&filter, &warm));
  selector_free(selector);
}

static void changes(void **state) {
  assert_int_equal(watch_change(false, true), WATCH_ADDED);
  assert_int_equal(watch_change(true, true), WATCH_MODIFIED);
  assert_int_equal(watch_change(true, false), WATCH_DELETED);
  assert_int_equal(watch_change(false, false), WATCH_NOTHING);
}

static void changes_after_a_resume(void **state) {
  Error err = {0};
  Selector *all = selector_parse("", &err);
  WatchFilter filter = {.selector = all};
  SandboxRecord held = {.uid = "u", .create_ms = 10, .claim_ms = 100};
  assert_int_equal(watch_change_resumed(&filter, &held, "u", "t", 99), WATCH_ADDED);
  assert_int_equal(watch_change_resumed(&filter, &held, "u", "t", 100), WATCH_MODIFIED);
  assert_int_equal(watch_change_resumed(&filter, NULL, "u", "t", 99), WATCH_DELETED);
  assert_int_equal(watch_change_resumed(&filter, NULL, "", "", 99), WATCH_NOTHING);
  filter.show_unclaimed = true;
  assert_int_equal(watch_change_resumed(&filter, &held, "u", "t", 99), WATCH_MODIFIED);
  assert_int_equal(watch_change_resumed(&filter, &held, "u", "t", 9), WATCH_ADDED);
  assert_int_equal(watch_change_resumed(&filter, NULL, "", "", 99), WATCH_DELETED);
  selector_free(all);
}

static void count(void *arg, const char *id, const char *uid) {
  ++*(int *)arg;
}

static void set(void **state) {
  CLEANUP(watch_set_deinit) WatchSet s = {0};
  for (int i = 0; i < 1000; i++) {
    char id[16];
    snprintf(id, sizeof id, "p-%05d", i * 7919 % 1000);
    watch_set_put(&s, id, "");
    watch_set_put(&s, id, "uid");
  }
  assert_int_equal(s.n, 1000);
  assert_string_equal(watch_set_get(&s, "p-00500"), "uid");
  watch_set_remove(&s, "p-00500");
  watch_set_remove(&s, "p-00500");
  assert_null(watch_set_get(&s, "p-00500"));
  int n = 0;
  watch_set_each(&s, count, &n);
  assert_int_equal(n, 999);
  assert_int_equal(s.n, 999);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(seeing),
      cmocka_unit_test(changes),
      cmocka_unit_test(changes_after_a_resume),
      cmocka_unit_test(set),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

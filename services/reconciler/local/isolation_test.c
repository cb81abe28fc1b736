/* Trying things out leaves nothing behind. In real control groups: skipped where we may not make any. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "services/reconciler/local/cgroup_fixture.h"
#include "services/reconciler/local/isolation.h"
#include "services/reconciler/local/remove_tree.h"

static char box[64];
static CgroupTree *cgroups;

static int setup(void **state) {
  Error err;
  test_folder(box);
  cgroups = cgroup_tree_new("/sys/fs/cgroup", fixture_group(box), &err);
  if (!cgroups)
    print_message("skipped: %s\n", err.message);
  return 0;
}

static int teardown(void **state) {
  cgroup_tree_free(cgroups);
  remove_tree(box);
  return 0;
}

static bool try(const char *script, int64_t timeout_ms) {
  CLEANUP(str_freep) char *all = str_printf("BOX=%s; %s", box, script);
  char *const argv[] = {"/bin/sh", "-c", all, NULL};
  return isolation_try(cgroups, argv, 0, timeout_ms, NULL);
}

/* The process that the script wrote the number of; it has left the session, and its parent is dead. */
static void assert_left_behind_is_dead(void) {
  CLEANUP(str_freep) char *text = fixture_read(box, "pid");
  int pid = (int)str_leading_int64(text, 0);
  assert_true(pid > 1);
  CLEANUP(str_freep) char *stat_path = str_printf("/proc/%d", pid);
  CLEANUP(str_freep) char *state_text = fixture_read(stat_path, "stat");
  /* whoever is to reap it may take its time */
  assert_true(!state_text || strstr(state_text, ") Z ") || strstr(state_text, ") X "));
}

static void test_outcome(void **state) {
  if (!cgroups)
    skip();
  assert_true(try("exit 0", 10000));
  assert_false(try("exit 3", 10000));
  assert_false(try("kill -9 $$", 10000));
  char *const missing[] = {"/nonexistent", NULL};
  assert_false(isolation_try(cgroups, missing, 0, 10000, NULL));
}

static void test_hanging_try(void **state) {
  if (!cgroups)
    skip();
  assert_false(try("setsid sh -c 'echo $$ >'$BOX'/pid; exec sleep 1000' & sleep 1000", 300));
  assert_left_behind_is_dead();
}

static void test_try_that_leaves_a_process(void **state) {
  if (!cgroups)
    skip();
  assert_true(
      try("setsid sh -c 'echo $$ >'$BOX'/pid; exec sleep 1000' & while ! [ -s $BOX/pid ]; do sleep 0.01; done", 10000));
  assert_left_behind_is_dead();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_outcome),
      TEST(test_hanging_try),
      TEST(test_try_that_leaves_a_process),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

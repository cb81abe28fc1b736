/* Control groups of both versions, on folders and files that look like them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "services/reconciler/local/cgroup.h"
#include "services/reconciler/local/cgroup_fixture.h"
#include "services/reconciler/local/remove_tree.h"

static char box[64];

static int setup(void **state) {
  test_folder(box);
  return 0;
}

static int teardown(void **state) {
  remove_tree(box);
  return 0;
}

static void assert_file(const char *name, const char *text) {
  CLEANUP(str_freep) char *found = fixture_read(box, name);
  assert_non_null(found);
  assert_string_equal(found, text);
}

static CgroupTree *tree_v1(void) {
  Error err;
  cgroup_fixture_group(box, "sandplane", "ns.a");
  CgroupTree *t = cgroup_tree_new(box, "sandplane", &err);
  assert_non_null(t);
  return t;
}

/* A tree of version 2 with these controllers and the group ns.a. */
static CgroupTree *tree_v2(const char *controllers, Error *err) {
  static const char *const FILES[] = {"cgroup.procs",     "cgroup.kill",   "memory.max", "memory.swap.max",
                                      "memory.oom.group", "memory.events", "pids.max",   "cpu.max"};
  CLEANUP(str_freep) char *parent = str_printf("%s/sandplane", box);
  CLEANUP(str_freep) char *group = str_printf("%s/sandplane/ns.a", box);
  test_write_file(box, "cgroup.controllers", controllers);
  test_write_file(box, "cgroup.subtree_control", "");
  assert_int_equal(mkdir(parent, 0755) | mkdir(group, 0755), 0);
  test_write_file(parent, "cgroup.subtree_control", "");
  for (size_t i = 0; i < ARRAY_LEN(FILES); i++)
    test_write_file(group, FILES[i], "");
  return cgroup_tree_new(box, "sandplane", err);
}

static void test_v2_controllers_are_words(void **state) {
  Error err;
  CgroupTree *t = tree_v2("cpuset io memory pids\n", &err);
  assert_non_null(t);
  assert_false(cgroup_has_cpu(t));
  assert_file("sandplane/cgroup.subtree_control", "+memory +pids");
  cgroup_tree_free(t);
  test_write_file(box, "cgroup.controllers", "cpuset cpu memory pids\n");
  t = cgroup_tree_new(box, "sandplane", &err);
  assert_true(cgroup_has_cpu(t));
  assert_file("sandplane/cgroup.subtree_control", "+memory +pids +cpu");
  cgroup_tree_free(t);
}

static void test_v2_without_pids_is_refused(void **state) {
  Error err;
  assert_null(tree_v2("cpu memory pidsomething", &err));
  assert_int_equal(err.kind, ERROR_UNAVAILABLE);
}

static void test_all_together_v2(void **state) {
  Error err;
  CgroupTree *t = tree_v2("memory pids", &err);
  CLEANUP(str_freep) char *parent = str_printf("%s/sandplane", box);
  assert_int_equal(cgroup_limit_all(t, &(CgroupLimits){.memory_bytes = 4096, .pids = 7}, &err), -1);
  static const char *const FILES[] = {"memory.max", "memory.swap.max", "pids.max"};
  for (size_t i = 0; i < ARRAY_LEN(FILES); i++)
    test_write_file(parent, FILES[i], "");
  assert_ok(cgroup_limit_all(t, &(CgroupLimits){.memory_bytes = 4096, .pids = 7}, &err), &err);
  assert_file("sandplane/memory.max", "4096");
  assert_file("sandplane/memory.swap.max", "0");
  assert_file("sandplane/pids.max", "7");
  test_write_file(parent, "memory.current", "5000\n");
  test_write_file(parent, "memory.stat", "anon 1\ninactive_file 1000\n");
  test_write_file(parent, "pids.current", "3\n");
  assert_int_equal(cgroup_all_memory(t), 4000);
  assert_int_equal(cgroup_all_pids(t), 3);
  cgroup_tree_free(t);
}

static void test_all_together_v1(void **state) {
  Error err;
  CgroupTree *t = tree_v1();
  CLEANUP(str_freep) char *memory = str_printf("%s/memory/sandplane", box);
  assert_ok(cgroup_limit_all(t, &(CgroupLimits){.memory_bytes = 4096, .pids = 7}, &err), &err);
  assert_file("memory/sandplane/memory.limit_in_bytes", "4096");
  assert_file("pids/sandplane/pids.max", "7");
  test_write_file(memory, "memory.usage_in_bytes", "5000\n");
  test_write_file(memory, "memory.stat", "inactive_file 1\ntotal_inactive_file 1000\n");
  assert_int_equal(cgroup_all_memory(t), 4000);
  cgroup_tree_free(t);
}

static void test_whose_limit_was_met(void **state) {
  CgroupTree *t = tree_v1();
  CLEANUP(str_freep) char *group = str_printf("%s/memory/sandplane/ns.a", box);
  assert_true(cgroup_met_own_limit(t, "ns.a"));
  test_write_file(group, "memory.failcnt", "0\n");
  assert_false(cgroup_met_own_limit(t, "ns.a"));
  test_write_file(group, "memory.failcnt", "12\n");
  assert_true(cgroup_met_own_limit(t, "ns.a"));
  cgroup_tree_free(t);
}

static void test_v2_limits(void **state) {
  Error err;
  CgroupTree *t = tree_v2("cpu memory pids", &err);
  assert_ok(cgroup_create(t, "ns.a", &(CgroupLimits){.memory_bytes = 4096, .pids = 7, .cpu_milli = 1500}, &err), &err);
  assert_file("sandplane/ns.a/memory.max", "4096");
  assert_file("sandplane/ns.a/memory.swap.max", "0");
  assert_file("sandplane/ns.a/pids.max", "7");
  assert_file("sandplane/ns.a/cpu.max", "150000 100000");
  cgroup_tree_free(t);
}

static void test_v2_kills_by_the_kernel(void **state) {
  Error err;
  CgroupTree *t = tree_v2("cpu memory pids", &err);
  cgroup_kill(t, "ns.a");
  assert_file("sandplane/ns.a/cgroup.kill", "1");
  cgroup_tree_free(t);
}

/* A child that would wait for ever; its number is in the group's list, with that of a stranger. */
static void kills_all_listed(CgroupTree *t, const char *group) {
  pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    for (;;)
      pause();
  }
  CLEANUP(str_freep) char *folder = str_printf("%s/%s", box, group);
  CLEANUP(str_freep) char *list = str_printf("0\n%d\n", (int)pid);
  test_write_file(folder, "cgroup.procs", list);
  cgroup_kill(t, "ns.a");
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFSIGNALED(status));
}

static void test_v1_kills_each(void **state) {
  /* of our own, so that a kill of 0 would be seen as the death of this test and of nothing else */
  setpgid(0, 0);
  CgroupTree *t = tree_v1();
  kills_all_listed(t, "memory/sandplane/ns.a");
  cgroup_tree_free(t);
}

static void test_v2_kills_each_on_an_old_kernel(void **state) {
  Error err;
  setpgid(0, 0);
  CgroupTree *t = tree_v2("memory pids", &err);
  CLEANUP(str_freep) char *file = str_printf("%s/sandplane/ns.a/cgroup.kill", box);
  assert_int_equal(unlink(file), 0);
  kills_all_listed(t, "sandplane/ns.a");
  cgroup_tree_free(t);
}

static void test_v1_limits(void **state) {
  Error err;
  CgroupTree *t = tree_v1();
  assert_false(cgroup_has_cpu(t));
  assert_ok(cgroup_create(t, "ns.a", &(CgroupLimits){.memory_bytes = 4096, .pids = 7}, &err), &err);
  assert_file("memory/sandplane/ns.a/memory.limit_in_bytes", "4096");
  assert_file("pids/sandplane/ns.a/pids.max", "7");
  cgroup_tree_free(t);
}

static void test_half_made_group_is_removed(void **state) {
  Error err;
  CgroupTree *t = tree_v1();
  /* a plain folder has no limits to write */
  assert_int_equal(cgroup_create(t, "ns.b", &(CgroupLimits){.memory_bytes = 4096}, &err), -1);
  assert_int_equal(err.kind, ERROR_UNAVAILABLE);
  CLEANUP(str_freep) char *left = str_printf("%s/memory/sandplane/ns.b", box);
  assert_int_not_equal(access(left, F_OK), 0);
  assert_true(cgroup_remove(t, "ns.b"));
  assert_false(cgroup_remove(t, "ns.a")); /* files of the fixture keep it, as processes would */
  cgroup_tree_free(t);
}

static void test_opens_all_or_nothing(void **state) {
  Error err;
  CgroupTree *t = tree_v1();
  int fds[CGROUP_FDS_MAX];
  size_t n;
  assert_ok(cgroup_open(t, "ns.a", fds, &n, &err), &err);
  assert_int_equal(n, 2);
  while (n > 0)
    close(fds[--n]);
  CLEANUP(str_freep) char *file = str_printf("%s/pids/sandplane/ns.a/cgroup.procs", box);
  assert_int_equal(unlink(file), 0);
  assert_int_equal(cgroup_open(t, "ns.a", fds, &n, &err), -1);
  assert_int_equal(n, 0);
  cgroup_tree_free(t);
}

static void test_v2_ends_a_group_as_a_whole(void **state) {
  Error err;
  int fd = 7;
  CgroupTree *t = tree_v2("memory pids", &err);
  CLEANUP(str_freep) char *group = str_printf("%s/sandplane/ns.a", box);
  assert_ok(cgroup_oom_watch(t, "ns.a", &fd, &err), &err);
  assert_int_equal(fd, -1);
  assert_file("sandplane/ns.a/memory.oom.group", "1");
  assert_int_equal(cgroup_oom_kills(t, "ns.a"), 0);
  test_write_file(group, "memory.events", "low 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 1\n");
  assert_int_equal(cgroup_oom_kills(t, "ns.a"), 2);
  cgroup_tree_free(t);
}

static void test_v1_tells_of_want_of_memory(void **state) {
  Error err;
  int fd;
  CgroupTree *t = tree_v1();
  assert_ok(cgroup_oom_watch(t, "ns.a", &fd, &err), &err);
  CLEANUP(str_freep) char *line = fixture_read(box, "memory/sandplane/ns.a/cgroup.event_control");
  const char *space = strchr(line, ' ');
  int found = (int)str_leading_int64(line, -1);
  int control = space ? (int)str_leading_int64(space + 1, -1) : -1;
  assert_int_equal(found, fd);
  assert_true(control >= 0 && control != fd);
  close(fd);
  assert_int_equal(cgroup_oom_watch(t, "ns.none", &fd, &err), -1);
  assert_int_equal(fd, -1);
  cgroup_tree_free(t);
}

static void test_refused_processes_are_counted(void **state) {
  CgroupTree *t = tree_v1();
  CLEANUP(str_freep) char *group = str_printf("%s/pids/sandplane/ns.a", box);
  assert_int_equal(cgroup_pids_refused(t, "ns.a"), 0);
  test_write_file(group, "pids.events", "max 12\n");
  assert_int_equal(cgroup_pids_refused(t, "ns.a"), 12);
  cgroup_tree_free(t);
}

static void test_v1_holds_up_who_wants_more(void **state) {
  Error err;
  int fd;
  CgroupTree *t = tree_v1();
  CLEANUP(str_freep) char *group = str_printf("%s/memory/sandplane/ns.a", box);
  test_write_file(group, "memory.usage_in_bytes", "123\n");
  assert_ok(cgroup_memory_watch(t, "ns.a", 2048, 4096, &fd, &err), &err);
  assert_file("memory/sandplane/ns.a/memory.limit_in_bytes", "4096");
  assert_file("memory/sandplane/ns.a/memory.oom_control", "1");
  CLEANUP(str_freep) char *control = fixture_read(group, "cgroup.event_control");
  assert_contains(control, " 2048");
  close(fd);
  assert_int_equal(cgroup_memory_used(t, "ns.a"), 123);
  assert_int_equal(cgroup_memory_set_soft(t, "ns.a", 8192), 0);
  assert_file("memory/sandplane/ns.a/memory.limit_in_bytes", "8192");
  cgroup_tree_free(t);
}

static void test_v2_slows_down_who_wants_more(void **state) {
  Error err;
  int fd;
  char told[4096];
  CgroupTree *t = tree_v2("memory pids", &err);
  CLEANUP(str_freep) char *group = str_printf("%s/sandplane/ns.a", box);
  test_write_file(group, "memory.high", "max");
  assert_ok(cgroup_memory_watch(t, "ns.a", 2048, 4096, &fd, &err), &err);
  CLEANUP(str_freep) char *high = fixture_read(group, "memory.high");
  assert_true(str_starts_with(high, "4096"));
  assert_file("sandplane/ns.a/memory.oom.group", "1");
  assert_int_equal(read(fd, told, sizeof told), -1);
  test_write_file(group, "memory.events", "high 1\n");
  assert_true(read(fd, told, sizeof told) > 0);
  close(fd);
  cgroup_tree_free(t);
}

static void count(void *arg, const char *name) {
  assert_string_equal(name, "ns.a");
  ++*(int *)arg;
}

static void test_each_sees_groups(void **state) {
  CgroupTree *t = tree_v1();
  int n = 0;
  cgroup_each(t, count, &n);
  assert_int_equal(n, 2); /* once in each hierarchy */
  cgroup_tree_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_v2_controllers_are_words),
      TEST(test_v2_without_pids_is_refused),
      TEST(test_all_together_v1),
      TEST(test_all_together_v2),
      TEST(test_whose_limit_was_met),
      TEST(test_v2_limits),
      TEST(test_v2_kills_by_the_kernel),
      TEST(test_v1_kills_each),
      TEST(test_v2_kills_each_on_an_old_kernel),
      TEST(test_v1_limits),
      TEST(test_half_made_group_is_removed),
      TEST(test_opens_all_or_nothing),
      TEST(test_v2_ends_a_group_as_a_whole),
      TEST(test_v1_tells_of_want_of_memory),
      TEST(test_refused_processes_are_counted),
      TEST(test_v1_holds_up_who_wants_more),
      TEST(test_v2_slows_down_who_wants_more),
      TEST(test_each_sees_groups),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The life of a sandbox. Its isolation here is none: a script of the test, started in the sandbox's control group.
 * Tests named live_ use real control groups, and are skipped where we may not make any. */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "services/reconciler/local/cgroup_fixture.h"
#include "services/reconciler/local/remove_tree.h"
#include "services/reconciler/local/sandbox.h"
#include "services/reconciler/local/subprocess.h"

/* A stop for what hangs; nothing waits for it. */
#define LIMIT_MS 30000
/* Between two looks whether the kernel has let go. */
#define END_POLL_MS 10
#define REAL_ROOT "/sys/fs/cgroup"

typedef struct World {
  char box[64], parent[32], reason[64], message[400];
  Loop *loop;
  LoopTimer *limit;
  CgroupTree *cgroups;
  SandboxSite site;
  int ready, ended, gone;
  bool real, end_when_ready, stop_when_ended;
  const char *script; /* of the isolation; $DIR is the sandbox's folder, $RUNTIME the program */
} World;

static World w;

static void on_limit(void *arg) {
  fail_msg("the sandbox hangs");
}

static void on_ready(void *arg, Sandbox *s) {
  w.ready++;
  if (w.end_when_ready)
    sandbox_end(s);
}

static void on_ended(void *arg, Sandbox *s, const char *reason, const char *message) {
  w.ended++;
  snprintf(w.reason, sizeof w.reason, "%s", reason);
  snprintf(w.message, sizeof w.message, "%s", message);
  if (w.stop_when_ended)
    loop_stop(w.loop);
}

static void on_gone(void *arg, Sandbox *s) {
  w.gone++;
  loop_stop(w.loop);
}

static int setup(void **state) {
  w = (World){.loop = loop_new()};
  test_folder(w.box);
  snprintf(w.parent, sizeof w.parent, "%s", fixture_group(w.box));
  w.site = (SandboxSite){
      .loop = w.loop, .folder = w.box, .start_timeout_ms = LIMIT_MS / 2, .handlers = {on_ready, on_ended, on_gone}};
  w.limit = loop_timer_new(w.loop, on_limit, NULL);
  loop_timer_start(w.limit, LIMIT_MS);
  return 0;
}

/* Until the kernel has let go of all that was in the group; the limit ends it otherwise. */
static void end_all(void *arg) {
  LoopTimer **again = arg;
  if (cgroup_remove(w.cgroups, "ns.a")) {
    loop_stop(w.loop);
    return;
  }
  cgroup_kill(w.cgroups, "ns.a");
  loop_timer_start(*again, END_POLL_MS);
}

static int teardown(void **state) {
  /* after a test that failed, too, nothing may go on */
  if (w.real) {
    LoopTimer *again = loop_timer_new(w.loop, end_all, &again);
    loop_timer_start(w.limit, LIMIT_MS);
    loop_timer_start(again, 0);
    loop_run(w.loop);
    loop_timer_free(again);
  }
  loop_timer_free(w.limit);
  loop_free(w.loop);
  cgroup_tree_free(w.cgroups);
  remove_tree(w.box);
  return 0;
}

static void use_real_groups(void) {
  Error err;
  w.cgroups = w.site.cgroups = cgroup_tree_new(REAL_ROOT, w.parent, &err);
  w.real = w.cgroups != NULL;
  if (w.real)
    return;
  print_message("skipped: %s\n", err.message);
  skip();
}

/* Of ns.a only, and nobody is ever in it. */
static void use_fake_groups(void) {
  Error err;
  cgroup_fixture_group(w.box, w.parent, "ns.a");
  w.cgroups = w.site.cgroups = cgroup_tree_new(w.box, w.parent, &err);
  assert_non_null(w.cgroups);
}

static void set_oom_kills(int n) {
  CLEANUP(str_freep) char *folder = str_printf("%s/memory/%s/ns.a", w.box, w.parent);
  CLEANUP(str_freep) char *text = str_printf("oom_kill_disable 0\nunder_oom 0\noom_kill %d\n", n);
  test_write_file(folder, "memory.oom_control", text);
}

static pid_t launch(const Isolation *self, const SandboxPlan *p, CgroupTree *cgroups, char *ret_route, size_t route_len,
                    Error *err) {
  CLEANUP(str_freep) char *log = str_printf("%s/log", p->dir);
  CLEANUP(str_freep) char *runtime = realpath("runtime/sandplane-runtime", NULL);
  CLEANUP(str_freep)
  char *script =
      str_printf("DIR=%s; RUNTIME=\"%s --http-address= --base-dir=/tmp --listen-unix=$DIR/run/runtime.sock\"; %s",
                 p->dir, runtime, w.script);
  int fds[CGROUP_FDS_MAX];
  size_t n;
  if (!w.script)
    return error_set(err, ERROR_UNAVAILABLE, "there is no such thing");
  if (cgroup_open(cgroups, p->cgroup, fds, &n, err))
    return -1;
  char *const argv[] = {"/bin/sh", "-c", script, NULL};
  pid_t pid =
      subprocess_start(&(SubprocessSpec){.argv = argv, .log_path = log, .cgroup_fds = fds, .n_cgroup_fds = n}, err);
  while (n > 0)
    close(fds[--n]);
  snprintf(ret_route, route_len, "unix:%s/run/runtime.sock", p->dir);
  return pid;
}

static const Isolation PLAIN = {.class_name = "test", .launch = launch, .ends_as_a_whole = true};
static const Isolation DETACHING = {.class_name = "test", .launch = launch, .detaches = true, .ends_as_a_whole = true};

static Sandbox *start(const Isolation *isolation, const char *script, int64_t memory_bytes) {
  Sandbox *s = sandbox_new(
      &w.site, &(BackendSandbox){.ns = "ns", .pool = "p", .id = "a", .epoch = "1", .runtime_class = "test"});
  SandboxPlan p = {.id = "a", .memory_bytes = memory_bytes, .pids = 100};
  w.script = script;
  sandbox_start(s, isolation, &p);
  return s;
}

/* Nothing is left: no folder, no process, no group. */
static void assert_gone(void) {
  CLEANUP(str_freep) char *dir = str_printf("%s/ns.a", w.box);
  assert_int_equal(w.gone, 1);
  assert_int_not_equal(access(dir, F_OK), 0);
  CLEANUP(str_freep) char *group = str_printf(REAL_ROOT "/memory/%s/ns.a", w.parent);
  assert_int_not_equal(access(group, F_OK), 0);
}

static void live_ready_and_destroyed(void **state) {
  use_real_groups();
  w.end_when_ready = true;
  start(&PLAIN, "exec $RUNTIME", 256 << 20);
  loop_run(w.loop);
  assert_int_equal(w.ready, 1);
  assert_int_equal(w.ended, 0);
  assert_gone();
}

static void live_detached(void **state) {
  use_real_groups();
  w.end_when_ready = true;
  start(&DETACHING, "setsid $RUNTIME >/dev/null 2>&1 & echo $! >$DIR/pid", 256 << 20);
  loop_run(w.loop);
  assert_int_equal(w.ready, 1);
  assert_gone();
}

static void live_launcher_hangs(void **state) {
  use_real_groups();
  w.site.start_timeout_ms = 100;
  start(&DETACHING, "setsid sleep 1000 & sleep 1000", 256 << 20);
  loop_run(w.loop);
  assert_string_equal(w.reason, "StartTimeout");
  assert_gone();
}

static void live_ends_while_starting(void **state) {
  use_real_groups();
  start(&PLAIN, "echo first; echo no such image >&2; exit 3", 256 << 20);
  loop_run(w.loop);
  assert_string_equal(w.reason, "StartFailed");
  assert_contains(w.message, "no such image");
  assert_lacks(w.message, "first");
  assert_gone();
}

static void live_never_ready(void **state) {
  use_real_groups();
  w.site.start_timeout_ms = 100;
  start(&PLAIN, "exec sleep 1000", 256 << 20);
  loop_run(w.loop);
  assert_string_equal(w.reason, "StartTimeout");
  assert_gone();
}

static void live_ends_by_itself(void **state) {
  use_real_groups();
  start(&PLAIN, "$RUNTIME & while ! [ -e $DIR/end ]; do sleep 0.01; done", 256 << 20);
  CLEANUP(str_freep) char *dir = str_printf("%s/ns.a", w.box);
  test_write_file(dir, "end", "");
  loop_run(w.loop);
  /* before or after it was ready: in both cases all of it goes */
  assert_string_equal(w.reason, w.ready ? "Terminated" : "StartFailed");
  assert_gone();
}

/* One process eats memory; all others go with it, and the end says why. */
static void live_out_of_memory(void **state) {
  use_real_groups();
  start(&PLAIN, "$RUNTIME & sleep 0.1; tail /dev/zero; exec sleep 1000", 48 << 20);
  loop_run(w.loop);
  assert_string_equal(w.reason, "OutOfMemory");
  assert_int_equal(w.ended, 1);
  assert_gone();
}

static const Isolation GOES_ON = {.class_name = "test", .launch = launch};

/* The kernel ends one process for want of memory, and the others go on. */
static void live_out_of_memory_in_a_command(void **state) {
  use_real_groups();
  start(&GOES_ON, "$RUNTIME & tail /dev/zero; exit 3", 48 << 20);
  loop_run(w.loop);
  assert_string_equal(w.reason, w.ready ? "Terminated" : "StartFailed");
  assert_gone();
}

static pid_t kill_victim(const Isolation *self, const char *id, const char *dir, Error *err) {
  CLEANUP(str_freep) char *script = str_printf("kill -9 $(cat %s/victim)", dir);
  char *const argv[] = {"/bin/sh", "-c", script, NULL};
  return subprocess_start(&(SubprocessSpec){.argv = argv, .log_path = "/dev/null"}, err);
}

static pid_t kill_nobody(const Isolation *self, const char *id, const char *dir, Error *err) {
  return error_set(err, ERROR_UNAVAILABLE, "nobody to be found");
}

/* By page faults alone, which wait in such a group; a system call that wants memory there fails, and tail ended by
 * itself at that now and then. */
#define EATER "awk 'BEGIN { x = \"x\"; while (1) x = x x }'"

/* Nobody is killed by the kernel: the group waits until the isolation has ended a process. */
static void live_pressure(void **state) {
  static const Isolation RELIEVED = {
      .class_name = "test", .launch = launch, .ends_as_a_whole = true, .relieve = kill_victim};
  use_real_groups();
  start(&RELIEVED, "$RUNTIME & " EATER " & echo $! >$DIR/victim; wait $!; exit 3", 48 << 20);
  loop_run(w.loop);
  assert_string_equal(w.reason, w.ready ? "Terminated" : "StartFailed");
  assert_gone();
}

static void live_pressure_without_relief(void **state) {
  static const Isolation HOPELESS = {
      .class_name = "test", .launch = launch, .ends_as_a_whole = true, .relieve = kill_nobody};
  use_real_groups();
  start(&HOPELESS, "$RUNTIME & " EATER " & wait $!; exit 3", 48 << 20);
  loop_run(w.loop);
  assert_string_equal(w.reason, "OutOfMemory");
  assert_contains(w.message, "48 MiB");
  assert_gone();
}

static void test_uses_its_image(void **state) {
  use_fake_groups();
  Sandbox *s = sandbox_new(
      &w.site, &(BackendSandbox){.ns = "ns", .pool = "p", .id = "a", .epoch = "1", .runtime_class = "test"});
  SandboxPlan p = {.id = "a", .image = {.digest = "sha256:a"}};
  assert_false(sandbox_uses_image(s, "sha256:a")); /* it takes what its reference names when it starts */
  sandbox_start(s, &PLAIN, &p);
  assert_true(sandbox_uses_image(s, "sha256:a"));
  assert_false(sandbox_uses_image(s, "sha256:b"));
  sandbox_forget(s);
  s = sandbox_load(&w.site, "ns.a");
  assert_true(sandbox_uses_image(s, "sha256:a"));
  assert_false(sandbox_uses_image(s, "sha256:b"));
  sandbox_forget(s);
}

static void test_launch_fails(void **state) {
  use_fake_groups();
  w.stop_when_ended = true;
  Sandbox *s = start(&PLAIN, NULL, 0);
  assert_int_equal(w.ended, 1);
  assert_string_equal(w.reason, "StartFailed");
  assert_string_equal(w.message, "there is no such thing");
  assert_true(sandbox_ending(s));
  sandbox_forget(s);
}

static void test_folder_is_for_root(void **state) {
  struct stat st;
  use_fake_groups();
  Sandbox *s = start(&PLAIN, NULL, 0);
  CLEANUP(str_freep) char *dir = str_printf("%s/ns.a", w.box);
  assert_int_equal(stat(dir, &st), 0);
  assert_int_equal(st.st_mode & 077, 0);
  sandbox_forget(s);
}

static void test_name_is_used_once(void **state) {
  use_fake_groups();
  CLEANUP(str_freep) char *dir = str_printf("%s/ns.a", w.box);
  assert_int_equal(mkdir(dir, 0700), 0);
  Sandbox *s = start(&PLAIN, "exec sleep 1000", 0);
  assert_string_equal(w.reason, "StartFailed");
  sandbox_forget(s);
}

/* ---- found again ---- */

static void write_record(const char *folder, const char *id, pid_t pid, unsigned long long pid_start) {
  CLEANUP(str_freep) char *dir = str_printf("%s/%s", w.box, folder);
  CLEANUP(str_freep)
  char *text = str_printf("{\"namespace\":\"ns\",\"pool\":\"p\",\"id\":\"%s\",\"epoch\":\"7\",\"class\":\"test\","
                          "\"route\":\"unix:/x\",\"pid\":%d,\"pid_start\":%llu}",
                          id, (int)pid, pid_start);
  if (mkdir(dir, 0700) && errno != EEXIST)
    abort();
  test_write_file(dir, "sandbox.json", text);
}

static pid_t sleeper(void) {
  pid_t pid = fork();
  if (pid == 0) {
    for (;;)
      pause();
  }
  return pid;
}

static void test_load_what_lives(void **state) {
  use_fake_groups();
  write_record("ns.a", "a", getpid(), pid_start_time(getpid()));
  Sandbox *s = sandbox_load(&w.site, "ns.a");
  assert_non_null(s);
  BackendSandbox v = sandbox_view(s);
  assert_true(v.ready);
  assert_string_equal(v.epoch, "7");
  assert_string_equal(v.route, "unix:/x");
  /* its record does not say which image: it may be any */
  assert_true(sandbox_uses_image(s, "sha256:a"));
  sandbox_forget(s);
}

static void test_load_another_process_of_that_number(void **state) {
  use_fake_groups();
  write_record("ns.a", "a", getpid(), pid_start_time(getpid()) + 1);
  Sandbox *s = sandbox_load(&w.site, "ns.a");
  assert_non_null(s);
  assert_false(sandbox_view(s).ready);
  sandbox_forget(s);
}

static void test_load_what_names_another(void **state) {
  use_fake_groups();
  write_record("ns.b", "a", getpid(), pid_start_time(getpid()));
  assert_null(sandbox_load(&w.site, "ns.b"));
  assert_null(sandbox_load(&w.site, "ns.none"));
  CLEANUP(str_freep) char *dir = str_printf("%s/ns.b", w.box);
  test_write_file(dir, "sandbox.json", "{\"namespace\":");
  assert_null(sandbox_load(&w.site, "ns.b"));
}

/* Loads a sandbox with `before` kills in its group, ends it with `after`; the reason. */
static const char *reason_of_end(int before, int after) {
  pid_t pid = sleeper();
  set_oom_kills(before);
  write_record("ns.a", "a", pid, pid_start_time(pid));
  w.stop_when_ended = true;
  Sandbox *s = sandbox_load(&w.site, "ns.a");
  assert_true(sandbox_view(s).ready);
  set_oom_kills(after);
  kill(pid, SIGKILL);
  loop_run(w.loop);
  sandbox_forget(s);
  return w.reason;
}

static void test_kill_of_before_is_no_reason(void **state) {
  use_fake_groups();
  assert_string_equal(reason_of_end(1, 1), "Terminated");
}

static void test_kill_of_now_is_the_reason(void **state) {
  use_fake_groups();
  assert_string_equal(reason_of_end(1, 2), "OutOfMemory");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(live_ready_and_destroyed),
      TEST(live_detached),
      TEST(live_launcher_hangs),
      TEST(live_ends_while_starting),
      TEST(live_never_ready),
      TEST(live_ends_by_itself),
      TEST(live_out_of_memory),
      TEST(live_out_of_memory_in_a_command),
      TEST(live_pressure),
      TEST(live_pressure_without_relief),
      TEST(test_uses_its_image),
      TEST(test_launch_fails),
      TEST(test_folder_is_for_root),
      TEST(test_name_is_used_once),
      TEST(test_load_what_lives),
      TEST(test_load_another_process_of_that_number),
      TEST(test_load_what_names_another),
      TEST(test_kill_of_before_is_no_reason),
      TEST(test_kill_of_now_is_the_reason),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

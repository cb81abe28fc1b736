/* The backend as a whole, with a script for bubblewrap and folders for control groups. Only the group of the sandbox
 * "first" has limits that can be set; every other one fails as soon as it is started. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "services/reconciler/local/cgroup_fixture.h"
#include "services/reconciler/local/local_backend.h"
#include "services/reconciler/local/remove_tree.h"

/* More than a small stack holds, if each of them were started from within the one before. */
#define MANY 1000
#define SMALL_STACK (256 << 10)

#define DIGEST "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static char box[64], bwrap[80], program[80];
static Loop *loop;
static ReconcilerConfig config;
static Backend *backend;
static int ready, ended, destroyed;
static char said[256];

static void on_ready(void *arg, const BackendSandbox *s) {
  ready++;
}

static void on_ended(void *arg, const char *ns, const char *id, const char *reason, const char *message) {
  assert_string_equal(reason, "StartFailed");
  snprintf(said, sizeof said, "%s", message);
  ended++;
}

static void on_destroyed(void *arg, const char *ns, const char *id) {
  destroyed++;
}

static void make(const char *name) {
  CLEANUP(str_freep) char *path = str_printf("%s/%s", box, name);
  if (mkdir(path, 0755))
    abort();
}

static void make_image(void) {
  make("images");
  make("images/sha256-" DIGEST);
  make("images/sha256-" DIGEST "/rootfs");
  test_write_file(box, "images/sha256-" DIGEST "/image.json",
                  "{\"digest\":\"sha256:" DIGEST
                  "\",\"working_dir\":\"/workspace\",\"user\":\"\",\"env\":[],\"size\":1}");
  test_write_file(box, "images/references.json", "{\"app:1\":\"sha256:" DIGEST "\"}");
}

static const char TEMPLATE[] =
    "apiVersion: extensions.agents.x-k8s.io/v1beta1\nkind: SandboxTemplate\nmetadata: {name: t}\n"
    "spec: {podTemplate: {spec: {containers: [{name: c, image: \"app:1\"}]}}}\n";

#define FIRST_USER 70000

static void make_group(const char *name) {
  CLEANUP(str_freep) char *parent = str_printf("sandplane-%08x", str_fnv1a32(box, strlen(box)));
  cgroup_fixture_group(box, parent, name);
}

/* The launcher, who is somebody else, writes into it. */
static void let_write(const char *folder) {
  if (chmod(folder, 0777))
    abort();
}

static void open_backend(void) {
  static const char *const CONTROLLERS[] = {"memory", "pids"};
  Error err;
  make_group("try");
  for (size_t i = 0; i < ARRAY_LEN(CONTROLLERS); i++) {
    CLEANUP(str_freep)
    char *folder = str_printf("%s/%s/sandplane-%08x/try", box, CONTROLLERS[i], str_fnv1a32(box, strlen(box)));
    let_write(folder);
  }
  backend = local_backend_new(
      loop, &config, &(BackendEvents){.on_ready = on_ready, .on_ended = on_ended, .on_destroyed = on_destroyed}, NULL,
      &err);
}

static int setup(void **state) {
  if (geteuid() != 0)
    return 0;
  ready = ended = destroyed = 0;
  test_folder(box);
  snprintf(bwrap, sizeof bwrap, "%s/bwrap", box);
  CLEANUP(str_freep)
  char *script = str_printf(
      "#!/bin/sh\ncase \"$*\" in *--version) rm %s/*/*/try/*; exit;; esac\necho $$ >%s/pid\nexec sleep 1000\n", box,
      box);
  test_write_file(box, "bwrap", script);
  test_write_file(box, "program", "");
  snprintf(program, sizeof program, "%s/program", box);
  let_write(box);
  make_image();
  config = (ReconcilerConfig){.data_dir = box,
                              .cgroup_root = box,
                              .bwrap = bwrap,
                              .runsc = "/nonexistent",
                              .runsc_platform = "",
                              .runtime_binary = program,
                              .unpack_binary = program,
                              .default_runtime_class = "process",
                              .max_starting = 1,
                              .sandbox_uid_base = FIRST_USER,
                              .sandbox_uid_count = 2,
                              .start_timeout_ms = 30000};
  loop = loop_new();
  if (chmod(bwrap, 0755))
    return -1;
  open_backend();
  /* later, or it would be what an earlier run left */
  make_group("ns.first");
  return backend ? 0 : -1;
}

static int teardown(void **state) {
  if (geteuid() != 0)
    return 0;
  backend->ops->free(backend, false);
  CLEANUP(str_freep) char *text = fixture_read(box, "pid");
  pid_t pid = (pid_t)str_leading_int64(text, 0);
  if (pid > 1)
    kill(pid, SIGKILL);
  loop_free(loop);
  remove_tree(box);
  return 0;
}

static void create(const char *id) {
  BackendSandbox what = {.ns = "ns", .pool = "p", .id = id, .epoch = "1", .runtime_class = ""};
  Error err;
  assert_int_equal(backend->ops->create(backend, &what, TEMPLATE, &err), 0);
}

static void count(void *arg, const BackendSandbox *s) {
  ++*(int *)arg;
}

static int observed(void) {
  int n = 0;
  backend->ops->observe(backend, count, &n);
  return n;
}

static void test_classes(void **state) {
  if (geteuid() != 0)
    skip();
  assert_null(local_backend_lacks(backend, "process"));
  assert_contains(local_backend_lacks(backend, "gvisor"), "not installed");
}

static void test_folder_is_closed_to_others(void **state) {
  if (geteuid() != 0)
    skip();
  struct stat st;
  CLEANUP(str_freep) char *path = str_printf("%s/sandboxes", box);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0711);
}

static void test_default_class(void **state) {
  Error err;
  const char *const good[] = {"process", "gvisor"}, *const bad[] = {"foo", "", "gvisor ", "Process"};
  for (size_t i = 0; i < ARRAY_LEN(good); i++)
    assert_ok(local_backend_check_config(&(ReconcilerConfig){.default_runtime_class = good[i]}, &err), &err);
  for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
    assert_int_equal(local_backend_check_config(&(ReconcilerConfig){.default_runtime_class = bad[i]}, &err), -1);
    assert_string_equal(err.field, "default-runtime-class");
    assert_null(strchr(err.message, '\n'));
  }
}

/* All that wait fail one after the other, once the one before them makes room. */
static void test_many_that_fail_at_once(void **state) {
  if (geteuid() != 0)
    skip();
  char id[32];
  struct rlimit whole, small;
  create("first");
  for (int i = 0; i < MANY; i++) {
    snprintf(id, sizeof id, "x%d", i);
    create(id);
  }
  assert_int_equal(ended, 0);
  assert_int_equal(observed(), MANY + 1);
  getrlimit(RLIMIT_STACK, &whole);
  small = (struct rlimit){.rlim_cur = SMALL_STACK, .rlim_max = whole.rlim_max};
  setrlimit(RLIMIT_STACK, &small);
  backend->ops->destroy(backend, "ns", "first");
  setrlimit(RLIMIT_STACK, &whole);
  assert_int_equal(ended, MANY);
  assert_int_equal(observed(), 0);
}

static void test_what_waits_can_be_destroyed(void **state) {
  if (geteuid() != 0)
    skip();
  create("first");
  create("second");
  create("third");
  backend->ops->destroy(backend, "ns", "second");
  assert_int_equal(observed(), 2);
  backend->ops->destroy(backend, "ns", "first");
  assert_int_equal(ended, 1);
  backend->ops->destroy(backend, "ns", "never");
  assert_int_equal(destroyed, 1);
}

static int host_user(const char *id) {
  CLEANUP(str_freep) char *dir = str_printf("%s/sandboxes/ns.%s", box, id);
  CLEANUP(str_freep) char *text = fixture_read(dir, "sandbox.json");
  const char *at = text ? strstr(text, "\"host_uid\": ") : NULL;
  return at ? (int)str_leading_int64(at + strlen("\"host_uid\": "), 0) : -1;
}

static void test_each_has_a_user_of_its_own(void **state) {
  if (geteuid() != 0)
    skip();
  create("first");
  assert_int_equal(host_user("first"), FIRST_USER);
  /* as after a crash: the first is found, and its user is taken until all of it is gone */
  backend->ops->free(backend, false);
  open_backend();
  make_group("ns.second");
  create("second");
  assert_int_equal(host_user("second"), FIRST_USER + 1);
  backend->ops->free(backend, false);
  open_backend();
  make_group("ns.third");
  create("third");
  assert_int_equal(ended, 1);
  assert_contains(said, "--sandbox-uid-count");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_each_has_a_user_of_its_own), TEST(test_classes),
      cmocka_unit_test(test_default_class),  TEST(test_folder_is_closed_to_others),
      TEST(test_many_that_fail_at_once),     TEST(test_what_waits_can_be_destroyed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

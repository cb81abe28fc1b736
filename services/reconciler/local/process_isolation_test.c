/* What bubblewrap is given, told by a script in its place that writes down what it sees. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "services/reconciler/local/cgroup_fixture.h"
#include "services/reconciler/local/isolation.h"
#include "services/reconciler/local/remove_tree.h"

#define MANY 500

static char box[64];
static CgroupTree *cgroups;
static Isolation *isolation;

static int setup(void **state) {
  Error err;
  test_folder(box);
  cgroup_fixture_group(box, "sandplane", "ns.a");
  cgroup_fixture_group(box, "sandplane", "try");
  CLEANUP(str_freep)
  char *script = str_printf("#!/bin/sh\n"
                            "[ -e %s/run ] || { rm %s/*/sandplane/try/*; exit 0; }\n"
                            "printf '%%s\\n' \"$@\" >%s/argv\n"
                            "env >%s/environ\n"
                            "tr '\\0' '\\n' <&6 >%s/args\n",
                            box, box, box, box, box);
  test_write_file(box, "bwrap", script);
  CLEANUP(str_freep) char *bwrap = str_printf("%s/bwrap", box);
  if (chmod(bwrap, 0755) || !(cgroups = cgroup_tree_new(box, "sandplane", &err)))
    return -1;
  setenv("SANDPLANE_REDIS_PASSWORD", "hunter2", 1);
  isolation = isolation_process_new(&(ReconcilerConfig){.bwrap = bwrap}, "/opt/runtime",
                                    &(IsolationSite){.cgroups = cgroups, .scratch = box}, &err);
  CLEANUP(str_freep) char *run = str_printf("%s/run", box);
  return isolation ? mkdir(run, 0755) : -1;
}

static int teardown(void **state) {
  isolation->free(isolation);
  cgroup_tree_free(cgroups);
  remove_tree(box);
  return 0;
}

static void launch(const json_t *image_env, const ManifestEnv *env, size_t n_env) {
  Error err;
  char route[256];
  SandboxPlan p = {.id = "a",
                   .dir = box,
                   .cgroup = "ns.a",
                   .working_dir = "/workspace",
                   .uid = 1000,
                   .gid = 1000,
                   .shm_bytes = 8192,
                   .env = env,
                   .n_env = n_env};
  p.image.env = image_env;
  pid_t pid = isolation->launch(isolation, &p, cgroups, route, sizeof route, &err);
  int status = -1;
  assert_true(pid > 0);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_equal(status, 0);
  assert_true(str_starts_with(route, "unix:"));
}

static void test_environment_stays_out_of_the_command_line(void **state) {
  json_t *image_env = json_pack("[s,s]", "LANG=C", "no assignment");
  const ManifestEnv env[] = {
      {.name = "TOKEN", .value = "s3cret"}, {.name = "EMPTY", .value = ""}, {.name = "EQ", .value = "a=b"}};
  launch(image_env, env, 3);
  CLEANUP(str_freep) char *argv = fixture_read(box, "argv");
  CLEANUP(str_freep) char *args = fixture_read(box, "args");
  assert_lacks(argv, "s3cret");
  assert_lacks(argv, "--setenv");
  assert_string_equal(args, "--setenv\nLANG\nC\n--setenv\nTOKEN\ns3cret\n--setenv\nEMPTY\n\n--setenv\nEQ\na=b\n");
  json_decref(image_env);
}

static void test_isolation_is_complete(void **state) {
  launch(NULL, NULL, 0);
  CLEANUP(str_freep) char *argv = fixture_read(box, "argv");
  const char *const wanted[] = {"--unshare-all\n",
                                "--disable-userns\n",
                                "--cap-drop\nALL\n",
                                "--clearenv\n",
                                "--perms\n1777\n--size\n8192\n--tmpfs\n/dev/shm\n--remount-ro\n/dev\n",
                                "--add-seccomp-fd\n4\n--add-seccomp-fd\n5\n--\n/.sandplane/runtime\n"};
  for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
    assert_contains(argv, wanted[i]);
}

static void test_many_variables(void **state) {
  static char names[MANY][16];
  static ManifestEnv env[MANY];
  for (size_t i = 0; i < MANY; i++) {
    snprintf(names[i], sizeof names[i], "V%zu", i);
    env[i] = (ManifestEnv){.name = names[i], .value = "x"};
  }
  launch(NULL, env, MANY);
  CLEANUP(str_freep) char *args = fixture_read(box, "args");
  assert_contains(args, "--setenv\nV499\nx\n");
}

static void test_own_environment_stays_here(void **state) {
  launch(NULL, NULL, 0);
  CLEANUP(str_freep) char *environ_text = fixture_read(box, "environ");
  assert_lacks(environ_text, "hunter2");
  assert_contains(environ_text, "PATH=");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_environment_stays_out_of_the_command_line),
      TEST(test_isolation_is_complete),
      TEST(test_many_variables),
      TEST(test_own_environment_stays_here),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

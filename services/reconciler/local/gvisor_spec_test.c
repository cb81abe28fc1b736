/* The configuration that runsc gets: what it holds, and who can read it. */
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "services/reconciler/local/cgroup_fixture.h"
#include "services/reconciler/local/gvisor_spec.h"
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

static json_t *write_spec(const json_t *image_env, const ManifestEnv *env, size_t n_env) {
  Error err;
  SandboxPlan p = {.id = "sbx-1",
                   .dir = box,
                   .working_dir = "/workspace",
                   .uid = 1000,
                   .gid = 1001,
                   .workspace_bytes = 4096,
                   .pids = 77,

                   .shm_bytes = 8192};
  p.image.env = image_env;
  p.env = env;
  p.n_env = n_env;
  strcpy(p.image.rootfs, "/images/a/rootfs");
  assert_ok(gvisor_spec_write(&p, "/opt/runtime", &err), &err);
  CLEANUP(str_freep) char *path = str_printf("%s/config.json", box);
  json_t *spec = json_load_file(path, 0, NULL);
  assert_non_null(spec);
  return spec;
}

static const json_t *at(const json_t *o, const char *path) {
  CLEANUP(str_freep) char *copy = str_dup(path);
  for (char *rest = copy, *key; o && (key = strsep(&rest, "."));)
    o = json_object_get(o, key);
  return o;
}

static bool has(const json_t *list, const char *text) {
  size_t i;
  json_t *item;
  json_array_foreach(list, i, item) if (strcmp(json_string_value(item), text) == 0) return true;
  return false;
}

static const json_t *mount_at(const json_t *spec, const char *destination) {
  size_t i;
  json_t *m;
  json_array_foreach(at(spec, "mounts"), i,
                     m) if (strcmp(json_string_value(json_object_get(m, "destination")), destination) == 0) return m;
  return NULL;
}

static void test_only_root_reads_it(void **state) {
  const ManifestEnv env[] = {{.name = "TOKEN", .value = "s3cret"}};
  json_t *spec = write_spec(NULL, env, 1);
  assert_true(has(at(spec, "process.env"), "TOKEN=s3cret"));
  CLEANUP(str_freep) char *path = str_printf("%s/config.json", box);
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0600);
  json_decref(spec);
}

static void test_environment_of_image_and_template(void **state) {
  json_t *image_env = json_pack("[s]", "LANG=C");
  const ManifestEnv env[] = {{.name = "LANG", .value = "de"}, {.name = "EMPTY", .value = ""}};
  json_t *spec = write_spec(image_env, env, 2);
  const json_t *list = at(spec, "process.env");
  assert_int_equal(json_array_size(list), 4);
  /* the template's comes last, and the last one counts */
  assert_string_equal(json_string_value(json_array_get(list, 0)), "LANG=C");
  assert_string_equal(json_string_value(json_array_get(list, 2)), "LANG=de");
  assert_true(has(list, "EMPTY="));
  assert_int_equal(json_array_size(image_env), 1);
  json_decref(spec);
  json_decref(image_env);
}

static void test_what_it_may_do(void **state) {
  json_t *spec = write_spec(NULL, NULL, 0);
  assert_true(json_is_true(at(spec, "root.readonly")));
  assert_string_equal(json_string_value(at(spec, "root.path")), "/images/a/rootfs");
  assert_true(json_is_true(at(spec, "process.noNewPrivileges")));
  assert_true(has(at(spec, "process.args"), "--user=1000:1001"));
  assert_true(has(at(spec, "process.args"), "--base-dir=/workspace"));
  assert_int_equal(json_array_size(at(spec, "process.capabilities.bounding")), 4);
  assert_null(at(spec, "process.capabilities.inheritable"));
  assert_null(at(spec, "process.capabilities.ambient"));
  assert_int_equal(json_array_size(at(spec, "linux.namespaces")), 5);
  json_decref(spec);
}

static void test_mounts(void **state) {
  json_t *spec = write_spec(NULL, NULL, 0);
  const json_t *work = json_object_get(mount_at(spec, "/workspace"), "options");
  assert_true(has(work, "size=4096") && has(work, "uid=1000") && has(work, "gid=1001") && has(work, "nosuid"));
  assert_true(has(json_object_get(mount_at(spec, "/.sandplane/runtime"), "options"), "ro"));
  const json_t *shm = json_object_get(mount_at(spec, "/dev/shm"), "options");
  assert_true(has(shm, "size=8192") && has(shm, "mode=1777"));
  CLEANUP(str_freep) char *run = str_printf("%s/run", box);
  /* the only place of the host that can be written to */
  size_t i, writable = 0;
  json_t *m;
  json_array_foreach(at(spec, "mounts"), i, m) {
    if (strcmp(json_string_value(json_object_get(m, "type")), "bind") != 0)
      continue;
    if (has(json_object_get(m, "options"), "ro"))
      continue;
    writable++;
    assert_string_equal(json_string_value(json_object_get(m, "source")), run);
  }
  assert_int_equal(writable, 1);
  json_decref(spec);
}

/* -1: it is not there. */
static json_int_t limit_of(const json_t *spec, const char *wanted) {
  size_t i;
  json_t *limit;
  json_array_foreach(at(spec, "process.rlimits"), i, limit) {
    json_int_t soft = json_integer_value(json_object_get(limit, "soft"));
    /* one of nothing would be worse than none */
    assert_true(soft >= 0 && soft <= json_integer_value(json_object_get(limit, "hard")));
    if (strcmp(json_string_value(json_object_get(limit, "type")), wanted) == 0)
      return soft;
  }
  return -1;
}

static void test_limits(void **state) {
  json_t *spec = write_spec(NULL, NULL, 0);
  assert_int_equal(limit_of(spec, "RLIMIT_NPROC"), 77);
  assert_int_equal(limit_of(spec, "RLIMIT_DATA"), -1);
  json_decref(spec);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_only_root_reads_it),
      TEST(test_environment_of_image_and_template),
      TEST(test_what_it_may_do),
      TEST(test_mounts),
      TEST(test_limits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

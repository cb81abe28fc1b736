/* Nothing is mounted where a link leads, or "..". */
#include "services/reconciler/local/mount_points.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "services/reconciler/local/remove_tree.h"

static char box[64];
static int root_fd;

static int setup(void **state) {
  test_folder(box);
  root_fd = open(box, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return root_fd >= 0 ? 0 : -1;
}

static int teardown(void **state) {
  close(root_fd);
  remove_tree(box);
  return 0;
}

static void test_places(void **state) {
  const char *const good[] = {"/app", "/app/", "/tmp/x", "/workspace/a..b", "/processes", "/home/.../x", "/run"};
  const char *const bad[] = {
      "",       "/",      "//",        "relative",     "./x",           "/a//b",           "/a/./b",
      "/a/..",  "/../x",  "/tmp/../x", "/tmp/../../x", "/proc",         "/proc/self/cwd",  "/proc/",
      "/dev/x", "/sys/x", "/x//",      "/.sandplane",  "/.sandplane/x", "/run/sandplane/x"};
  for (size_t i = 0; i < ARRAY_LEN(good); i++)
    if (mount_point_fault(good[i]))
      fail_msg("%s is refused: %s", good[i], mount_point_fault(good[i]));
  for (size_t i = 0; i < ARRAY_LEN(bad); i++)
    if (!mount_point_fault(bad[i]))
      fail_msg("%s is allowed", bad[i]);
}

static void assert_refused(const char *path, int why) {
  int fd = mount_point_open(root_fd, path, true);
  assert_int_equal(fd, -1);
  assert_int_equal(errno, why);
}

static void test_links_are_not_followed(void **state) {
  assert_int_equal(symlinkat("/", root_fd, "out"), 0);
  assert_int_equal(symlinkat("a", root_fd, "in"), 0);
  assert_int_equal(mkdirat(root_fd, "a", 0755), 0);
  test_write_file(box, "file", "");
  assert_refused("out", ENOTDIR);
  assert_refused("out/tmp/new", ENOTDIR);
  assert_refused("in/new", ENOTDIR);
  assert_refused("file/new", ENOTDIR);
  assert_refused("../new", ELOOP);
  assert_refused("a/../../new", ELOOP);
  assert_int_equal(faccessat(root_fd, "a/new", F_OK, 0), -1);
}

static void test_what_is_missing_is_made(void **state) {
  assert_int_equal(mount_point_open(root_fd, "a/b", false), -1);
  int fd = mount_point_open(root_fd, "/a/b", true);
  assert_true(fd >= 0);
  close(fd);
  assert_int_equal(faccessat(root_fd, "a/b", F_OK, 0), 0);
}

static void test_an_unpacked_image(void **state) {
  Error err = {0};
  for (size_t i = 0; i < N_MOUNT_POINTS; i++)
    close(mount_point_open(root_fd, MOUNT_POINTS[i], true));
  assert_int_equal(mount_points_check(box, "", &err), -1);
  assert_contains(err.message, "/.sandplane/runtime");
  test_write_file(box, ".sandplane/runtime", "");
  assert_ok(mount_points_check(box, "", &err), &err);
  assert_int_equal(mount_points_check(box, "/app", &err), -1);
  assert_contains(err.message, "/app");
  assert_int_equal(symlinkat("tmp", root_fd, "app"), 0);
  assert_int_equal(mount_points_check(box, "/app", &err), -1);
  assert_int_equal(mkdirat(root_fd, "real", 0755), 0);
  assert_ok(mount_points_check(box, "/real", &err), &err);
  assert_int_equal(unlinkat(root_fd, "dev", AT_REMOVEDIR), 0);
  assert_int_equal(symlinkat("/tmp", root_fd, "dev"), 0);
  assert_int_equal(mount_points_check(box, "/real", &err), -1);
  assert_contains(err.message, "/dev");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_places),
      TEST(test_links_are_not_followed),
      TEST(test_what_is_missing_is_made),
      TEST(test_an_unpacked_image),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

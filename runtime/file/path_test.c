/* Paths that stay in the workspace, paths that do not, and a link that changes while it is walked. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "runtime/file/path.h"

static char root[256];
static Workspace ws;

static int setup(void **state) {
  Error err;
  const char *tmp = getenv("TEST_TMPDIR");
  snprintf(root, sizeof root, "%s/ws-XXXXXX", tmp ? tmp : "/tmp");
  assert_non_null(mkdtemp(root));
  assert_ok(workspace_init(&ws, root, &err), &err);
  assert_int_equal(chdir(root), 0);
  assert_int_equal(mkdir("dir", 0755), 0);
  assert_int_equal(mkdir("dir/sub", 0755), 0);
  test_write_file(root, "dir/f..name", "inside");
  test_write_file(root, "dir/sub/g", "deep");
  assert_int_equal(symlink("/etc", "out"), 0);
  assert_int_equal(symlink("/etc/passwd", "out-file"), 0);
  assert_int_equal(symlink("out", "chain"), 0);
  assert_int_equal(symlink("dir", "alias"), 0);
  assert_int_equal(symlink("../..", "dir/up"), 0);
  assert_int_equal(symlink("loop", "loop"), 0);
  char absolute[512];
  snprintf(absolute, sizeof absolute, "%s/dir", ws.path);
  assert_int_equal(symlink(absolute, "absolute"), 0);
  snprintf(absolute, sizeof absolute, "%s-not/x", ws.path);
  assert_int_equal(symlink(absolute, "sibling"), 0);
  return 0;
}

static int teardown(void **state) {
  workspace_deinit(&ws);
  return 0;
}

static void table(void **state) {
  static const struct {
    const char *path;
    ErrorKind kind;
    bool exists;
  } CASES[] = {
      {"dir/f..name", ERROR_NONE, true},
      {"/dir/./sub//g", ERROR_NONE, true},
      {"dir/sub/../f..name", ERROR_NONE, true},
      {"alias/sub/g", ERROR_NONE, true},
      {"absolute/sub/g", ERROR_NONE, true},
      {"alias/../dir/sub/g", ERROR_NONE, true},
      {"dir/sub/..", ERROR_NONE, true},
      {"dir/none", ERROR_NONE, false},
      {"", ERROR_NONE, true},
      {"/", ERROR_NONE, true},
      {"none/none", ERROR_NOT_FOUND, false},
      {"..", ERROR_PERMISSION_DENIED, false},
      {"dir/../../x", ERROR_PERMISSION_DENIED, false},
      {"out/passwd", ERROR_PERMISSION_DENIED, false},
      {"out-file", ERROR_PERMISSION_DENIED, false},
      {"chain/passwd", ERROR_PERMISSION_DENIED, false},
      {"dir/up/x", ERROR_PERMISSION_DENIED, false},
      {"sibling", ERROR_PERMISSION_DENIED, false},
      {"loop", ERROR_FAILED_PRECONDITION, false},
      {"dir/f..name/x", ERROR_FAILED_PRECONDITION, false},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    PathHit hit;
    Error err = {0};
    int rc = path_resolve(&ws, CASES[i].path, PATH_FOLLOW, &hit, &err);
    if (rc == 0)
      close(hit.dir_fd);
    if (err.kind != CASES[i].kind || (rc == 0 && hit.exists != CASES[i].exists))
      fail_msg("%s: %s %s, exists %d", CASES[i].path, error_kind_name(err.kind), err.message, hit.exists);
  }
}

static void parents_are_made_inside_only(void **state) {
  PathHit hit;
  Error err;
  assert_ok(path_resolve(&ws, "new/a/b", PATH_MAKE_PARENTS, &hit, &err), &err);
  assert_false(hit.exists);
  close(hit.dir_fd);
  assert_int_equal(access("new/a", F_OK), 0);
  assert_int_equal(path_resolve(&ws, "out/made/b", PATH_MAKE_PARENTS, &hit, &err), -1);
  assert_int_equal(access("/etc/made", F_OK), -1);
}

static atomic_bool stop;

/* Makes "swap" a folder and a link to /etc in turn, as fast as it can. */
static void *swapper(void *arg) {
  while (!atomic_load(&stop)) {
    mkdir("swap", 0755);
    rmdir("swap");
    if (symlink("/etc", "swap") == 0)
      unlink("swap");
  }
  return NULL;
}

static void a_link_that_changes_never_leads_out(void **state) {
  pthread_t thread;
  struct stat etc;
  assert_int_equal(stat("/etc", &etc), 0);
  assert_int_equal(pthread_create(&thread, NULL, swapper, NULL), 0);
  for (int i = 0; i < 20000; i++) {
    PathHit hit;
    Error err;
    struct stat st;
    if (path_resolve(&ws, "swap/passwd", PATH_FOLLOW, &hit, &err))
      continue;
    assert_int_equal(fstat(hit.dir_fd, &st), 0);
    assert_false(st.st_ino == etc.st_ino && st.st_dev == etc.st_dev);
    close(hit.dir_fd);
  }
  atomic_store(&stop, true);
  pthread_join(thread, NULL);
}

static void the_root_may_be_the_workspace(void **state) {
  Workspace whole;
  PathHit hit;
  Error err;
  char path[512];
  assert_ok(workspace_init(&whole, "/", &err), &err);
  snprintf(path, sizeof path, "%s/absolute/sub/g", ws.path);
  assert_ok(path_resolve(&whole, path, 0, &hit, &err), &err);
  assert_true(hit.exists);
  close(hit.dir_fd);
  workspace_deinit(&whole);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(table),
      cmocka_unit_test(the_root_may_be_the_workspace),
      cmocka_unit_test(parents_are_made_inside_only),
      cmocka_unit_test(a_link_that_changes_never_leads_out),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}

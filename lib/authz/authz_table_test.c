/* The table as such: every method is found by its path, and what each role may. That the rows say what
 * docs/security.md says is seen from outside, services/router/authz_test.py. */
#include "lib/authz/authz_table.h"

#include <string.h>

#include "lib/base/test.h"

#define SANDBOXES "/sandplane.v1.SandboxService/"

static const AuthzPrincipal USER = {"research", "k1", AUTHZ_USER, "default,team-a"},
                            ADMIN = {"ops", "k2", AUTHZ_ADMIN, "default"};

static void test_paths(void **state) {
  assert_in_range(AUTHZ_HTTP, 30, 1000);
  for (AuthzMethod m = 0; m < AUTHZ_HTTP; m++) {
    assert_int_equal(authz_method_of(authz_method_path(m)), m);
    assert_int_equal(strncmp(authz_method_path(m), "/sandplane.v1.", 14), 0);
  }
  assert_null(authz_method_path(AUTHZ_HTTP));
  assert_int_equal(authz_method_of(SANDBOXES), AUTHZ_N_METHODS);
  assert_int_equal(authz_method_of(SANDBOXES "Exec2"), AUTHZ_N_METHODS);
  assert_int_equal(authz_method_of(""), AUTHZ_N_METHODS);
  assert_int_equal(authz_method_of(SANDBOXES "ExecStream"), AUTHZ_SANDBOX_EXEC_STREAM);
}

static void expect(const AuthzPrincipal *who, const char *path, ErrorKind kind) {
  Error err = {0};
  int rc = authz_check_method(who, path, &err);
  assert_int_equal(rc, kind == ERROR_NONE ? 0 : -1);
  assert_int_equal(err.kind, kind);
}

static void test_roles(void **state) {
  expect(&USER, SANDBOXES "Exec", ERROR_NONE);
  expect(&USER, SANDBOXES "CreateSandbox", ERROR_NONE);
  expect(&USER, "/sandplane.v1.PoolService/GetPool", ERROR_NONE);
  expect(&USER, "/sandplane.v1.PoolService/ScalePool", ERROR_PERMISSION_DENIED);
  expect(&USER, "/sandplane.v1.ImageService/ImportImage", ERROR_PERMISSION_DENIED);
  expect(&USER, "/sandplane.v1.ImageService/ListImages", ERROR_PERMISSION_DENIED);
  expect(&USER, "/sandplane.v1.SandboxService/Unheard", ERROR_PERMISSION_DENIED);
  for (AuthzMethod m = 0; m < AUTHZ_HTTP; m++) {
    expect(&ADMIN, authz_method_path(m), ERROR_NONE);
    expect(NULL, authz_method_path(m), ERROR_NONE);
    expect(&USER, authz_method_path(m), authz_need(m) == AUTHZ_NEEDS_ADMIN ? ERROR_PERMISSION_DENIED : ERROR_NONE);
  }
  assert_int_equal(authz_need(AUTHZ_HTTP), AUTHZ_NEEDS_OWNER);
}

static void test_namespaces(void **state) {
  const AuthzPrincipal all = {"research", "", AUTHZ_USER, "*"}, none = {"research", "", AUTHZ_USER, ""};
  assert_true(authz_may_use(&USER, "default"));
  assert_true(authz_may_use(&USER, "team-a"));
  static const char *const OTHERS[] = {"", "team", "team-ab", "defaul", "default,team-a", "*", "a"};
  for (size_t i = 0; i < ARRAY_LEN(OTHERS); i++) {
    assert_false(authz_may_use(&USER, OTHERS[i]));
    assert_false(authz_may_use(&none, OTHERS[i]));
    assert_true(authz_may_use(&all, OTHERS[i]));
    assert_true(authz_may_use(&ADMIN, OTHERS[i]));
    assert_true(authz_may_use(NULL, OTHERS[i]));
  }
  Error err = {0};
  assert_int_equal(authz_check_namespace(&USER, "team-b", &err), -1);
  assert_int_equal(err.kind, ERROR_PERMISSION_DENIED);
}

static void test_owners(void **state) {
  assert_true(authz_may_see(&USER, "research"));
  assert_false(authz_may_see(&USER, "ops"));
  assert_false(authz_may_see(&USER, ""));
  assert_false(authz_may_see(&USER, NULL));
  assert_true(authz_may_see(&ADMIN, "research"));
  assert_true(authz_may_see(&ADMIN, ""));
  assert_true(authz_may_see(NULL, "anybody"));
}

static void test_told(void **state) {
  AuthzPrincipal who;
  assert_false(authz_told(NULL, "admin", "*", &who));
  assert_true(authz_told("a", NULL, NULL, &who));
  assert_int_equal(who.role, AUTHZ_USER);
  assert_true(authz_may_use(&who, "any"));
  assert_false(authz_may_see(&who, "b"));
  assert_true(authz_told("a", "root", "x", &who));
  assert_int_equal(who.role, AUTHZ_USER);
  assert_false(authz_may_use(&who, "any"));
  assert_true(authz_told("a", "admin", "", &who));
  assert_true(authz_may_see(&who, "b"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_paths),  cmocka_unit_test(test_roles), cmocka_unit_test(test_namespaces),
      cmocka_unit_test(test_owners), cmocka_unit_test(test_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

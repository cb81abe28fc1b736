/* Which paths name a sandbox, and that none has two meanings. */
#include "services/router/route/path_route.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/test.h"

static int parse(const char *path, RouteName *ret_name, const char **ret_rest, const char **ret_detail) {
  return path_route_parse("/p", path, ret_name, ret_rest, ret_detail);
}

static void expect_found(const char *path, int outcome, const char *ns, const char *id, int port, const char *rest) {
  RouteName name;
  const char *got, *detail;
  assert_int_equal(parse(path, &name, &got, &detail), outcome);
  assert_string_equal(name.ns, ns);
  assert_string_equal(name.id, id);
  assert_int_equal(name.port, port);
  assert_string_equal(got, rest);
}

static void test_names(void **state) {
  expect_found("/p/default/box-aaaaa/3000/", ROUTE_FOUND, "default", "box-aaaaa", 3000, "/");
  expect_found("/p/team/my.box.v2/65535/a%2Fb/%2e?x=/../..", ROUTE_FOUND, "team", "my.box.v2", 65535,
               "/a%2Fb/%2e?x=/../..");
  expect_found("/p/n/b/1//a//b", ROUTE_FOUND, "n", "b", 1, "//a//b");
  expect_found("/p/n/b/1", ROUTE_FOLDER, "n", "b", 1, "");
  expect_found("/p/n/b/1?x=1", ROUTE_FOLDER, "n", "b", 1, "?x=1");
}

static void test_no_names(void **state) {
  static const char *const OTHERS[] = {"/", "/px/n/b/1/", "/%70/n/b/1/", "//p/n/b/1/", "/P/n/b/1/", "/x/../p/n/b/1/",
                                       "*"};
  RouteName name;
  const char *rest, *detail;
  for (size_t i = 0; i < ARRAY_LEN(OTHERS); i++)
    assert_int_equal(parse(OTHERS[i], &name, &rest, &detail), ROUTE_NONE);
  assert_int_equal(path_route_parse("", "/p/n/b/1/", &name, &rest, &detail), ROUTE_NONE);
}

static void test_bad_names(void **state) {
#define LABEL_64 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg"
  static const struct {
    const char *path, *detail;
  } CASES[] = {
      {"/p", "Invalid namespace format."},
      {"/p?x", "Invalid namespace format."},
      {"/p/", "Invalid namespace format."},
      {"/p//b/1/", "Invalid namespace format."},
      {"/p/N/b/1/", "Invalid namespace format."},
      {"/p/n.m/b/1/", "Invalid namespace format."},
      {"/p/%6e/b/1/", "Invalid namespace format."},
      {"/p/../b/1/", "Invalid namespace format."},
      {"/p/" LABEL_64 "/b/1/", "Invalid namespace format."},
      {"/p/n", "Invalid sandbox ID format."},
      {"/p/n//1/", "Invalid sandbox ID format."},
      {"/p/n/../1/", "Invalid sandbox ID format."},
      {"/p/n/%62/1/", "Invalid sandbox ID format."},
      {"/p/n%2Fb/1/", "Invalid namespace format."},
      {"/p/n/b", "Invalid port format."},
      {"/p/n/b/", "Invalid port format."},
      {"/p/n/b/0/", "Invalid port format."},
      {"/p/n/b/01/", "Invalid port format."},
      {"/p/n/b/+1/", "Invalid port format."},
      {"/p/n/b/65536/", "Invalid port format."},
      {"/p/n/b/http/", "Invalid port format."},
      {"/p/n/b/%31/", "Invalid port format."},
      {"/p/n/b/1;x/", "Invalid port format."},
  };
  RouteName name;
  const char *rest, *detail;
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    assert_int_equal(parse(CASES[i].path, &name, &rest, &detail), -1);
    assert_string_equal(detail, CASES[i].detail);
  }
}

/* What leads to another sandbox for who cleans paths, decodes them, or both. */
static void test_rests_that_leave(void **state) {
  static const char *const LEAVES[] = {
      "/..",   "/../",           "/../../c/1/", "/a/../../b",   "/./..",        "/%2e%2e/",
      "/.%2E", "/a/..%2f..%2fb", "/%2f../x",    "/a%2F../..",   "/..\\x",       "/..%5Cx",
      "//..",  "/..;/x",         "/..;a=b",     "/a/../.%2e?x", "/a/..;/..;/b",
  };
  static const char *const STAYS[] = {"/a/..",   "/a/../b/..",    "/...",    "/..a/..b", "/a?/../..", "/.",
                                      "/a/./..", "/%252e%252e/x", "/a%2f..", "/a;/..",   "/;/.."};
  RouteName name;
  const char *rest, *detail;
  char path[128];
  for (size_t i = 0; i < ARRAY_LEN(LEAVES); i++) {
    snprintf(path, sizeof path, "/p/n/b/1%s", LEAVES[i]);
    assert_int_equal(parse(path, &name, &rest, &detail), -1);
    assert_string_equal(detail, "The path leaves the sandbox.");
  }
  for (size_t i = 0; i < ARRAY_LEN(STAYS); i++) {
    snprintf(path, sizeof path, "/p/n/b/1%s", STAYS[i]);
    assert_int_equal(parse(path, &name, &rest, &detail), ROUTE_FOUND);
    assert_string_equal(rest, STAYS[i]);
  }
}

static void test_prefixes(void **state) {
  static const char *const GOOD[] = {"", "/p", "/sandboxes", "/a/b-c_d~e.f", "/healthz/x"};
  static const char *const BAD[] = {"/",     "p",     "/p/",  "//p",   "/a//b", "/.",  "/..",
                                    "/a/..", "/.git", "/a b", "/a%2f", "/a?b",  "/a;", "/healthz"};
  Error err;
  for (size_t i = 0; i < ARRAY_LEN(GOOD); i++)
    assert_ok(path_route_check_prefix(GOOD[i], &err), &err);
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
    assert_int_equal(path_route_check_prefix(BAD[i], &err), -1);
    assert_non_null(strstr(err.message, "--path-routing-prefix"));
  }
}

static void test_folders(void **state) {
  Buf out = {0};
  path_route_folder(&out, "/p", &(RouteName){"n", "b", 80});
  assert_string_equal(buf_str(&out), "/p/n/b/80");
  buf_consume(&out, out.len);
  path_route_folder(&out, "/p", &(RouteName){"n", "b", 0});
  assert_string_equal(buf_str(&out), "/p/n/b");
  buf_deinit(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),     cmocka_unit_test(test_no_names),
      cmocka_unit_test(test_bad_names), cmocka_unit_test(test_rests_that_leave),
      cmocka_unit_test(test_prefixes),  cmocka_unit_test(test_folders),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

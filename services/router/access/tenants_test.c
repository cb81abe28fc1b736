/* Files that are taken, files that are refused by line, and who is found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "services/router/access/tenants.h"

#include "lib/base/test.h"

static Tenants *read_text(const char *text, Error *err) {
  char path[] = "tenants-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  close(fd);
  Tenants *tenants = tenants_read(path, err);
  unlink(path);
  return tenants;
}

static void found_by_token(void **state) {
  Error err = {0};
  Tenants *tenants = read_text("# tokens\n\n a  aaaaaaaaaaaaaaaa1 \nops\tbbbbbbbbbbbbbbbbbb admin\r\n"
                               "a aaaaaaaaaaaaaaaa2",
                               &err);
  assert_non_null(tenants);
  Tenant t;
  assert_ok(tenants_find(tenants, "Bearer aaaaaaaaaaaaaaaa1", &t, &err), &err);
  assert_string_equal(t.name, "a");
  assert_false(t.admin);
  assert_ok(tenants_find(tenants, "bearer  aaaaaaaaaaaaaaaa2", &t, &err), &err);
  assert_string_equal(t.name, "a");
  assert_ok(tenants_find(tenants, "Bearer bbbbbbbbbbbbbbbbbb", &t, &err), &err);
  assert_string_equal(t.name, "ops");
  assert_true(t.admin);
  static const char *const WRONG[] = {NULL,
                                      "",
                                      "Bearer",
                                      "Bearer ",
                                      "aaaaaaaaaaaaaaaa1",
                                      "Basic aaaaaaaaaaaaaaaa1",
                                      "Beareraaaaaaaaaaaaaaaa1",
                                      "Bearer aaaaaaaaaaaaaaaa",
                                      "Bearer aaaaaaaaaaaaaaaa11",
                                      "Bearer a"};
  for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
    assert_int_equal(tenants_find(tenants, WRONG[i], &t, &err), -1);
    assert_int_equal(err.kind, ERROR_UNAUTHENTICATED);
  }
  tenants_free(tenants);
}

static void refused_by_line(void **state) {
  static const struct {
    const char *text, *where;
  } CASES[] = {
      {"", "holds no token"},
      {"# nobody\n", "holds no token"},
      {"a\n", ":1: the token"},
      {"a short\n", ":1: the token"},
      {"a aaaaaaaaaaaaaaaa\nA bbbbbbbbbbbbbbbbbb\n", ":2: the tenant"},
      {"a aaaaaaaaaaaaaaaa root\n", ":1: only"},
      {"a aaaaaaaaaaaaaaaa admin x\n", ":1: only"},
      {"a aaaaaaaaaaaaaaaa\n\nb aaaaaaaaaaaaaaaa\n", ":3: the token is there"},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    Error err = {0};
    assert_null(read_text(CASES[i].text, &err));
    if (!strstr(err.message, CASES[i].where))
      fail_msg("%s: %s", CASES[i].where, err.message);
    assert_lacks(err.message, "aaaa");
  }
  Error err = {0};
  assert_null(tenants_read("no such file", &err));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(found_by_token), cmocka_unit_test(refused_by_line)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* How a Host is read, and which ones a stranger's DNS could have made a browser send. */
#include "services/router/route/host_name.h"

#include <string.h>

#include "lib/base/test.h"

static void test_reading(void **state) {
  static const struct {
    const char *field, *name;
  } CASES[] = {
      {"a.Example", "a.example"},
      {"a.example:80", "a.example"},
      {"a.example.", "a.example"},
      {"a.example.:1", "a.example"},
      {"a:", "a"},
      {"10.0.0.1:8080", "10.0.0.1"},
      {"[::1]:8080", "[::1]"},
      {"[FD00::1]", "[fd00::1]"},
      {"my_box-1", "my_box-1"},
      {"", NULL},
      {":80", NULL},
      {".", NULL},
      {"a..b", NULL},
      {".a", NULL},
      {"a b", NULL},
      {"a:80:80", NULL},
      {"a:x", NULL},
      {"[::1", NULL},
      {"[::1]x", NULL},
      {"[x]", NULL},
      {"[]", NULL},
      {"::1", NULL},
      {"user@a", NULL},
      {"b\xc3\xbc"
       "cher.example",
       NULL},
      {"a/b", NULL},
      {"a%2eb", NULL},
  };
  char name[HOST_NAME_MAX_LEN + 1];
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    int rc = host_name_of(CASES[i].field, strlen(CASES[i].field), name);
    assert_int_equal(rc, CASES[i].name ? 0 : -1);
    if (CASES[i].name)
      assert_string_equal(name, CASES[i].name);
  }
  char longest[HOST_NAME_MAX_LEN + 2];
  memset(longest, 'a', sizeof longest);
  assert_int_equal(host_name_of(longest, HOST_NAME_MAX_LEN, name), 0);
  assert_int_equal(host_name_of(longest, HOST_NAME_MAX_LEN + 1, name), -1);
}

static void test_private(void **state) {
  static const char *const PRIVATE[] = {"localhost",
                                        "3000-box.localhost",
                                        "127.0.0.1",
                                        "192.168.1.1",
                                        "[::1]",
                                        "sandbox-router-svc",
                                        "router.default.svc",
                                        "router.default.svc.cluster.local",
                                        "host.docker.internal",
                                        "laptop.local"};
  static const char *const PUBLIC[] = {"evil.example",
                                       "127.0.0.1.evil.example",
                                       "localhost.evil.example",
                                       "evillocalhost.com",
                                       "1.2.3",
                                       "svc.evil.example",
                                       "x.notlocal",
                                       "0x7f.1"};
  for (size_t i = 0; i < ARRAY_LEN(PRIVATE); i++)
    assert_true(host_name_is_private(PRIVATE[i]));
  for (size_t i = 0; i < ARRAY_LEN(PUBLIC); i++)
    assert_false(host_name_is_private(PUBLIC[i]));
}

static void test_lists(void **state) {
  static const char LIST[] = "a.example, *.B.example,C.example";
  static const char *const IN[] = {"a.example", "x.b.example", "x.y.b.example", "c.example"};
  static const char *const OUT[] = {"x.a.example", "b.example", "xb.example", "example", "xa.example"};
  for (size_t i = 0; i < ARRAY_LEN(IN); i++)
    assert_true(host_name_is_listed(LIST, IN[i]));
  for (size_t i = 0; i < ARRAY_LEN(OUT); i++)
    assert_false(host_name_is_listed(LIST, OUT[i]));
  assert_true(host_name_is_listed("*", "evil.example"));
  assert_false(host_name_is_listed("", "evil.example"));
  static const char *const GOOD[] = {"", "*", "a", "*.a.example, b"};
  static const char *const BAD[] = {"a:80", "http://a", "*a", "a,b c/d", "*."};
  Error err;
  for (size_t i = 0; i < ARRAY_LEN(GOOD); i++)
    assert_ok(host_name_check_list(GOOD[i], &err), &err);
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
    assert_int_equal(host_name_check_list(BAD[i], &err), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reading),
      cmocka_unit_test(test_private),
      cmocka_unit_test(test_lists),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

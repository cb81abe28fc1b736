/* Which hosts name a sandbox, and that each label has one meaning. */
#include "services/router/route/host_route.h"

#include <string.h>

#include "lib/base/test.h"

#define D "box.example"
#define LABEL_58 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffff"

static void test_names(void **state) {
  static const struct {
    const char *host, *id, *ns;
    int port;
  } CASES[] = {
      {"3000-one." D, "one", "default", 3000},
      {"49983-pool-ab1cd." D, "pool-ab1cd", "default", 49983},
      {"1-a--team-b." D, "a", "team-b", 1},
      {"80-a--b--default." D, "a--b", "default", 80},
      {"80-a--b." D, "a", "b", 80},
      {"80-2024." D, "2024", "default", 80},
      {"8888-" LABEL_58 "." D, LABEL_58, "default", 8888},
  };
  RouteName name;
  const char *detail;
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    assert_int_equal(host_route_parse(D, CASES[i].host, &name, &detail), ROUTE_FOUND);
    assert_string_equal(name.id, CASES[i].id);
    assert_string_equal(name.ns, CASES[i].ns);
    assert_int_equal(name.port, CASES[i].port);
  }
}

static void test_no_names(void **state) {
  static const char *const OTHERS[] = {D,
                                       "api." D,
                                       "sandbox." D,
                                       "3000." D,
                                       "x-one." D,
                                       "localhost",
                                       "3000-one",
                                       "3000-onebox.example",
                                       "3000-one.other.example",
                                       "-one." D,
                                       "",
                                       "xn--3000-one." D};
  RouteName name;
  const char *detail;
  for (size_t i = 0; i < ARRAY_LEN(OTHERS); i++)
    assert_int_equal(host_route_parse(D, OTHERS[i], &name, &detail), ROUTE_NONE);
  assert_int_equal(host_route_parse("", "3000-one.", &name, &detail), ROUTE_NONE);
}

static void test_bad_names(void **state) {
  static const struct {
    const char *host, *detail;
  } CASES[] = {
      {"0-one." D, "Invalid port format."},
      {"080-one." D, "Invalid port format."},
      {"65536-one." D, "Invalid port format."},
      {"80-." D, "Invalid sandbox ID format."},
      {"80--one." D, "Invalid sandbox ID format."},
      {"80-one-." D, "Invalid sandbox ID format."},
      {"80-one.more." D, "Invalid sandbox ID format."},
      {"80-a_b." D, "Invalid sandbox ID format."},
      {"80-a--." D, "Invalid namespace format."},
      {"80-a---b." D, "Invalid sandbox ID format."},
      {"80-a--b_c." D, "Invalid namespace format."},
      {"65535-" LABEL_58 "." D, "Invalid sandbox ID format."},
      {"8888-" LABEL_58 "x." D, "Invalid sandbox ID format."},
  };
  RouteName name;
  const char *detail;
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    assert_int_equal(host_route_parse(D, CASES[i].host, &name, &detail), -1);
    assert_string_equal(detail, CASES[i].detail);
  }
}

static void test_domains(void **state) {
  static const char *const GOOD[] = {"", "localhost", D, "a.b.c.example"};
  static const char *const BAD[] = {".", ".a", "a.", "*.a", "A.example", "a:80", "a/b", "\xc3\xbc.example", "a_b"};
  Error err;
  for (size_t i = 0; i < ARRAY_LEN(GOOD); i++)
    assert_ok(host_route_check_domain(GOOD[i], &err), &err);
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
    assert_int_equal(host_route_check_domain(BAD[i], &err), -1);
    assert_non_null(strstr(err.message, "--host-routing-domain"));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_no_names),
      cmocka_unit_test(test_bad_names),
      cmocka_unit_test(test_domains),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

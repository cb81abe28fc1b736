/* What counts as a time limit for commands. */

#include "lib/base/compiler.h"
#include "lib/base/test.h"
#include "runtime/process/exec_timeout.h"

static void test_numbers(void **state) {
  static const struct {
    const char *text;
    int64_t ms;
  } CASES[] = {{"300", 300000}, {"1.5", 1500}, {" 2\n", 2000}, {"+3", 3000},
               {"1e1", 10000},  {".5", 500},   {"0.00001", 1}, {"1e300", EXEC_TIMEOUT_MAX_MS}};
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    int64_t ms = 0;
    assert_true(exec_timeout_parse(CASES[i].text, &ms));
    assert_int_equal(ms, CASES[i].ms);
  }
}

static void test_no_time_limits(void **state) {
  static const char *const CASES[] = {"",    " ",     "abc",  "0",  "-1",  "-0.0",  "inf", "-inf", "Infinity",
                                      "nan", "1e999", "0x10", "5s", "5 6", "1.2.3", "e5",  "1e"};
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    int64_t ms = 7;
    assert_false(exec_timeout_parse(CASES[i], &ms));
    assert_int_equal(ms, 7);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_numbers),
      cmocka_unit_test(test_no_time_limits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

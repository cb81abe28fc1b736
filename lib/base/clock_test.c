/* Times are written as RFC 3339 to the millisecond, before 1970 as well; the monotonic clock does not go
 * back. */
#include "lib/base/clock.h"

#include "lib/base/compiler.h"
#include "lib/base/test.h"

static void rfc3339(void **state) {
  static const struct {
    int64_t ms;
    const char *text;
  } ROWS[] = {
      {0, "1970-01-01T00:00:00.000Z"},
      {1, "1970-01-01T00:00:00.001Z"},
      {-1, "1969-12-31T23:59:59.999Z"},
      {-1000, "1969-12-31T23:59:59.000Z"},
      {1709251199999, "2024-02-29T23:59:59.999Z"},
      {253402300799999, "9999-12-31T23:59:59.999Z"},
  };
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    char out[25];
    clock_format_rfc3339(ROWS[i].ms, out, sizeof out);
    assert_string_equal(out, ROWS[i].text);
  }
}

static void clocks(void **state) {
  int64_t us = clock_mono_us(), ms = clock_mono_ms();
  assert_true(ms >= us / 1000);
  assert_true(clock_mono_us() >= us);
  /* 2024-01-01: the wall clock counts from 1970, not from the start of the machine */
  assert_true(clock_wall_ms() > 1704067200000);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(rfc3339), cmocka_unit_test(clocks)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

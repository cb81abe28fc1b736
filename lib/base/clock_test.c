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

static void parses(void **state) {
  static const struct {
    const char *text;
    int64_t ms;
  } ROWS[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"2033-05-18T03:33:20Z", 2000000000000},
      {"2033-05-18T03:33:20.999z", 2000000000000},
      {"2033-05-18T05:33:20+02:00", 2000000000000},
      {"2033-05-17T22:03:20-05:30", 2000000000000},
      {"2024-02-29T00:00:00Z", 1709164800000},
  };
  int64_t ms;
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    assert_int_equal(clock_parse_rfc3339(ROWS[i].text, &ms), 0);
    assert_int_equal(ms, ROWS[i].ms);
  }
  static const char *const BAD[] = {"",
                                    "2033",
                                    "2033-05-18",
                                    "2033-05-18T03:33:20",
                                    "2033-05-18 03:33:20Z",
                                    "2033-13-18T03:33:20Z",
                                    "2023-02-29T00:00:00Z",
                                    "2033-05-18T24:33:20Z",
                                    "2033-05-18T03:60:20Z",
                                    "2033-05-18T03:33:60Z",
                                    "2033-05-18T03:33:20.Z",
                                    "2033-05-18T03:33:20+2:00",
                                    "2033-05-18T03:33:20+02:00 ",
                                    "2033-05-18T03:33:20+24:00",
                                    "2033-05-18T03:33:20Zx",
                                    "x033-05-18T03:33:20Z"};
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
    if (clock_parse_rfc3339(BAD[i], &ms) == 0)
      fail_msg("taken: %s", BAD[i]);
}

static void clocks(void **state) {
  int64_t us = clock_mono_us(), ms = clock_mono_ms();
  assert_true(ms >= us / 1000);
  assert_true(clock_mono_us() >= us);
  /* 2024-01-01: the wall clock counts from 1970, not from the start of the machine */
  assert_true(clock_wall_ms() > 1704067200000);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(rfc3339), cmocka_unit_test(parses), cmocka_unit_test(clocks)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

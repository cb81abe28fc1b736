/* Names, numbers and durations: accepted and refused by the letter. */
#include "lib/base/str.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/test.h"

#define L63 "a23456789012345678901234567890123456789012345678901234567890123"

typedef struct Row {
  const char *s;
  bool ok;
} Row;

static void check_rows(bool (*fn)(const char *s), const Row *rows, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (fn(rows[i].s) != rows[i].ok)
      fail_msg("row %zu: \"%s\"", i, rows[i].s ? rows[i].s : "NULL");
}

static void dns_label(void **state) {
  static const Row ROWS[] = {
      {"a", true},    {"0", true},    {"a-b", true},       {"a--b", true}, {L63, true},  {L63 "x", false},
      {"", false},    {NULL, false},  {"-a", false},       {"a-", false},  {"A", false}, {"a.b", false},
      {"a_b", false}, {"a b", false}, {"\xc3\xa9", false}, {"a\n", false},
  };
  check_rows(str_is_dns_label, ROWS, ARRAY_LEN(ROWS));
}

static void dns_subdomain(void **state) {
  static const Row ROWS[] = {
      {"a", true},
      {"a.b.c", true},
      {"x-1.y", true},
      {L63 "." L63 "." L63 "."
           "a2345678901234567890123456789012345678901234567890123456789ab",
       true},
      {L63 "." L63 "." L63 "." L63, false},
      {L63 "x.a", false},
      {".", false},
      {"a.", false},
      {".a", false},
      {"a..b", false},
      {"a.-b", false},
      {"a.B", false},
      {"", false},
      {NULL, false},
  };
  check_rows(str_is_dns_subdomain, ROWS, ARRAY_LEN(ROWS));
}

static void object_name(void **state) {
  static const Row ROWS[] = {
      {"a", true},
      {"a.b-1.c", true},
      {L63 "x.a", true},
      {L63 L63 L63 L63 "x", true},
      {L63 L63 L63 L63 "xy", false},
      {"a..b", false},
      {"a.-b", false},
      {"a/b", false},
      {"A", false},
      {"", false},
      {NULL, false},
  };
  check_rows(str_is_object_name, ROWS, ARRAY_LEN(ROWS));
}

static void label_key(void **state) {
  static const Row ROWS[] = {
      {"app", true},
      {"App_1.x-y", true},
      {"example.com/app", true},
      {L63, true},
      {"example.com/" L63, true},
      {L63 "x", false},
      {"/app", false},
      {"example.com/", false},
      {"example.com/a/b", false},
      {"Example.com/app", false},
      {"-app", false},
      {"app.", false},
      {"a b", false},
      {"a=b", false},
      {"", false},
      {NULL, false},
  };
  check_rows(str_is_label_key, ROWS, ARRAY_LEN(ROWS));
}

static void label_value(void **state) {
  static const Row ROWS[] = {
      {"", true},    {"x", true},    {"X_1.y-z", true}, {L63, true},         {L63 "x", false}, {"_x", false},
      {"x-", false}, {"a/b", false}, {"a b", false},    {"\xc3\xa9", false}, {NULL, false},
  };
  check_rows(str_is_label_value, ROWS, ARRAY_LEN(ROWS));
}

static void env_name(void **state) {
  static const Row ROWS[] = {
      {"A", true},    {"_", true},    {"a_B9", true}, {"9a", false}, {"", false},
      {"a-b", false}, {"a=b", false}, {"a b", false}, {NULL, false},
  };
  check_rows(str_is_env_name, ROWS, ARRAY_LEN(ROWS));
}

static void utf8(void **state) {
  static const struct {
    const char *s;
    size_t len;
    bool ok;
  } ROWS[] = {
      {"", 0, true},
      {"plain", 5, true},
      {"\xc2\x80", 2, true},
      {"\xdf\xbf", 2, true},
      {"\xe0\xa0\x80", 3, true},
      {"\xed\x9f\xbf", 3, true},
      {"\xee\x80\x80", 3, true},
      {"\xf0\x90\x80\x80", 4, true},
      {"\xf4\x8f\xbf\xbf", 4, true},
      {"a\0b", 3, false},
      {"\x80", 1, false},
      {"\xbf", 1, false},
      {"\xc0\x80", 2, false},
      {"\xc1\xbf", 2, false},
      {"\xc2", 1, false},
      {"\xc2\x41", 2, false},
      {"\xc2\xc0", 2, false},
      {"\xe0\x9f\xbf", 3, false},
      {"\xe2\x82", 2, false},
      {"\xe2\x82\x41", 3, false},
      {"\xed\xa0\x80", 3, false},
      {"\xed\xbf\xbf", 3, false},
      {"\xf0\x8f\xbf\xbf", 4, false},
      {"\xf0\x9f\x98", 3, false},
      {"\xf4\x90\x80\x80", 4, false},
      {"\xf5\x80\x80\x80", 4, false},
      {"\xff", 1, false},
  };
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    /* a copy of the exact size: reading past it is seen by the sanitizer */
    char *copy = str_ndup(ROWS[i].s, ROWS[i].len);
    char *exact = malloc(ROWS[i].len ? ROWS[i].len : 1);
    memcpy(exact, copy, ROWS[i].len);
    if (str_is_utf8(exact, ROWS[i].len) != ROWS[i].ok)
      fail_msg("row %zu", i);
    free(exact);
    free(copy);
  }
}

static void repair(void **state) {
  static const char *const ROWS[][2] = {
      {"", ""},
      {"plain", "plain"},
      {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
      {"caf\xc3", "caf?"},
      {"\xe2\x82", "??"},
      {"a\xff\xfe"
       "b",
       "a??b"},
      {"\xc3"
       "a\xc3\xa9",
       "?a\xc3\xa9"},
      {"\xed\xa0\x80", "???"}, /* half of a surrogate pair */
  };
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    CLEANUP(str_freep) char *s = str_dup(ROWS[i][0]);
    str_repair_utf8(s);
    assert_string_equal(s, ROWS[i][1]);
  }
}

static void int64(void **state) {
  static const char *const BAD[] = {
      "", "-", "+1", " 1", "1 ", "1x", "x", "0x10", "1e3", "1.0", "--1", "9223372036854775808", "-9223372036854775809"};
  int64_t v = 77;
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
    if (str_to_int64(BAD[i], INT64_MIN, INT64_MAX, &v) != -1)
      fail_msg("%s", BAD[i]);
  assert_int_equal(str_to_int64(NULL, 0, 1, &v), -1);
  assert_int_equal(v, 77);
  assert_int_equal(str_to_int64("9223372036854775807", INT64_MIN, INT64_MAX, &v), 0);
  assert_true(v == INT64_MAX);
  assert_int_equal(str_to_int64("-9223372036854775808", INT64_MIN, INT64_MAX, &v), 0);
  assert_true(v == INT64_MIN);
  assert_int_equal(str_to_int64("007", 7, 7, &v), 0);
  assert_int_equal(v, 7);
  assert_int_equal(str_to_int64("6", 7, 9, &v), -1);
  assert_int_equal(str_to_int64("10", 7, 9, &v), -1);
  assert_int_equal(str_leading_int64("12/7", -1), 12);
  assert_int_equal(str_leading_int64("-3", -1), -3);
  assert_int_equal(str_leading_int64("9223372036854775808", -1), -1);
  const char *const NONE[] = {NULL, "", "-", " 1", "+1", "x1"};
  for (size_t i = 0; i < ARRAY_LEN(NONE); i++)
    assert_int_equal(str_leading_int64(NONE[i], -7), -7);
}

static void duration(void **state) {
  static const struct {
    const char *s;
    int64_t ms;
  } GOOD[] = {{"0", 0},       {"10", 10000}, {"250ms", 250},   {"1.5s", 1500},     {"10m", 600000},   {"2h", 7200000},
              {"0.0004s", 0}, {"0.5ms", 1},  {"5m0s", 300000}, {"1h30m", 5400000}, {"1m0.5s", 60500}, {"1s2ms", 1002}};
  static const char *const BAD[] = {"",      "s",   "-1s", "+1s",    "1 s",
                                    "1d",    "1sm", "ms",  "1.5.5s", "0x10",
                                    "1e3",   "inf", "nan", "0x1p4s", "99999999999999h",
                                    "1e400", "1S",  ".5s", "1m30",   "1m-1s",
                                    "1h 2m"};
  int64_t ms = 77;
  for (size_t i = 0; i < ARRAY_LEN(GOOD); i++) {
    assert_int_equal(str_to_duration_ms(GOOD[i].s, &ms), 0);
    assert_int_equal(ms, GOOD[i].ms);
  }
  ms = 77;
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
    if (str_to_duration_ms(BAD[i], &ms) != -1)
      fail_msg("%s", BAD[i]);
  assert_int_equal(str_to_duration_ms(NULL, &ms), -1);
  assert_int_equal(ms, 77);
}

static void plain(void **state) {
  assert_true(str_empty(NULL) && str_empty("") && !str_empty("x"));
  assert_true(str_equal("a", "a") && str_equal(NULL, NULL));
  assert_false(str_equal("a", "b") || str_equal("a", NULL) || str_equal(NULL, "a"));
  assert_true(str_starts_with("abc", "ab") && str_starts_with("abc", ""));
  assert_false(str_starts_with("a", "ab"));
  CLEANUP(str_freep) char *s = str_printf("%s/%d", "a", 1);
  assert_string_equal(s, "a/1");
  /* the value Go's hash/fnv has for it */
  assert_int_equal(str_fnv1a32("a", 1), 0xe40c292c);
  assert_int_equal(str_fnv1a32("", 0), 0x811c9dc5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(dns_label), cmocka_unit_test(dns_subdomain), cmocka_unit_test(object_name),
      cmocka_unit_test(label_key), cmocka_unit_test(label_value),   cmocka_unit_test(env_name),
      cmocka_unit_test(utf8),      cmocka_unit_test(repair),        cmocka_unit_test(int64),
      cmocka_unit_test(duration),  cmocka_unit_test(plain),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A log line is one valid JSON object, whatever is in its fields and however long they are. */
#include "lib/base/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/str.h"
#include "lib/base/test.h"

/* What log_write put on standard error, behind the time; cut off so that it can be compared. */
static char text[8192];

static void capture(LogLevel level, const char *event, const LogField *fields, size_t n) {
  int ends[2], saved = dup(STDERR_FILENO);
  assert_true(saved >= 0);
  assert_int_equal(pipe(ends), 0);
  dup2(ends[1], STDERR_FILENO);
  close(ends[1]);
  log_write(level, event, fields, n);
  dup2(saved, STDERR_FILENO);
  close(saved);
  ssize_t len = read(ends[0], text, sizeof text - 1);
  close(ends[0]);
  assert_true(len >= 0);
  text[len] = 0;
}

#define CAPTURE(level, event, ...) \
  capture((level), (event), (const LogField[]){__VA_ARGS__}, sizeof((const LogField[]){__VA_ARGS__}) / sizeof(LogField))

static const char *behind_time(void) {
  assert_memory_equal(text, "{\"time\":\"2", 10);
  const char *at = strstr(text, "Z\",");
  assert_non_null(at);
  return at + 3;
}

static void line(void **state) {
  CAPTURE(LOG_INFO, "done", LOG_STR("s", "a"), LOG_INT("i", -5), LOG_DOUBLE("d", 0.25), LOG_BOOL("t", true),
          LOG_BOOL("f", false), LOG_STR("null", NULL), LOG_DOUBLE("inf", 1e308 * 10));
  assert_string_equal(behind_time(), "\"level\":\"info\",\"service\":\"test\",\"event\":\"done\",\"s\":\"a\",\"i\":-5,"
                                     "\"d\":0.25,\"t\":true,\"f\":false,\"null\":\"\",\"inf\":null}\n");
}

static void error_fields(void **state) {
  Error err;
  error_field(&err, "spec", "bad \"x\"");
  CAPTURE(LOG_ERROR, "e", LOG_ERR(&err));
  assert_contains(text, "\"level\":\"error\"");
  assert_contains(text, "\"code\":\"INVALID_ARGUMENT\",\"message\":\"bad \\\"x\\\"\",\"field\":\"spec\"}\n");
}

static void escapes(void **state) {
  CAPTURE(LOG_INFO, "e", LOG_STR("s", "\"\\\n\t\x01\x7f"), LOG_STR("utf8", "\xc3\xa9"), LOG_STR("bad", "\xe9\xff"));
  assert_contains(text, "\"s\":\"\\\"\\\\\\u000a\\u0009\\u0001\\u007f\","
                        "\"utf8\":\"\xc3\xa9\",\"bad\":\"\\u00e9\\u00ff\"}\n");
}

static void level(void **state) {
  CAPTURE(LOG_DEBUG, "quiet", LOG_INT("i", 1));
  assert_string_equal(text, "");
  LogLevel got;
  assert_true(log_level_parse("debug", &got) && got == LOG_DEBUG);
  assert_true(log_level_parse("error", &got) && got == LOG_ERROR);
  assert_false(log_level_parse("ERROR", &got) || log_level_parse("", &got) || log_level_parse("warning", &got));
}

/* Enough of a reader to tell that quotes are balanced, escapes whole and the object closed. */
static void check_json(void) {
  size_t len = strlen(text);
  assert_true(len < 4096);
  assert_true(str_is_utf8(text, len));
  assert_string_equal(text + len - 2, "}\n");
  bool in = false;
  for (const char *s = text; s < text + len - 2; s++) {
    if (*s == '"')
      in = !in;
    else if (in && *s == '\\')
      s += s[1] == 'u' ? 5 : 1;
    else
      assert_true((unsigned char)*s >= 0x20);
  }
  assert_false(in);
}

static void cut(void **state) {
  static char value[6000];
  /* at every offset, so that the end of the line falls on each byte of an escape and of a character */
  static const char *const PIECES[] = {"x", "\n", "\"", "\xc3\xa9", "\xf0\x9f\x98\x80", "\xff"};
  for (size_t p = 0; p < ARRAY_LEN(PIECES); p++) {
    for (size_t offset = 0; offset < 8; offset++) {
      size_t len = offset, n = strlen(PIECES[p]);
      memset(value, 'x', offset);
      for (; len + n < sizeof value; len += n)
        memcpy(value + len, PIECES[p], n);
      value[len] = 0;
      CAPTURE(LOG_INFO, "long", LOG_STR("v", value), LOG_STR("v2", value), LOG_INT("n", 1));
      check_json();
      assert_true(strlen(text) > 3900);
    }
  }
}

static void many_fields(void **state) {
  LogField fields[400];
  for (size_t i = 0; i < ARRAY_LEN(fields); i++)
    fields[i] = i % 2 ? LOG_STR("text", "0123456789") : LOG_INT("number", 123456789);
  capture(LOG_INFO, "many", fields, ARRAY_LEN(fields));
  check_json();
}

/* The time of a line is that of the call, in all its digits, also when the second changes between two. */
static void times(void **state) {
  int64_t first_s = clock_wall_ms() / 1000;
  char before[32], after[32];
  for (bool changed = false; !changed;) {
    changed = clock_wall_ms() / 1000 != first_s; /* then once more, and that is the last */
    clock_format_rfc3339(clock_wall_ms(), before, sizeof before);
    CAPTURE(LOG_INFO, "e", LOG_INT("n", 1));
    clock_format_rfc3339(clock_wall_ms(), after, sizeof after);
    char at[32] = {0};
    memcpy(at, text + strlen("{\"time\":\""), strlen(before));
    assert_int_equal(at[strlen(before) - 1], 'Z');
    assert_true(strcmp(before, at) <= 0 && strcmp(at, after) <= 0);
  }
}

static int setup(void **state) {
  log_setup("test", LOG_INFO);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(line), cmocka_unit_test(error_fields), cmocka_unit_test(escapes), cmocka_unit_test(level),
      cmocka_unit_test(cut),  cmocka_unit_test(many_fields),  cmocka_unit_test(times),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}

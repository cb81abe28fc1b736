/* What other tracers send is read as the recommendation says, and nothing else is. */
#include "lib/trace/trace_context.h"

#include <string.h>

#include "lib/base/compiler.h"
#include "lib/base/test.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static void reads(void **state) {
  static const struct {
    const char *text;
    bool sampled;
  } ROWS[] = {
      {"00-" TRACE "-" SPAN "-01", true},  {"00-" TRACE "-" SPAN "-00", false},
      {"00-" TRACE "-" SPAN "-ff", true},  {"00-" TRACE "-" SPAN "-02", false},
      {"01-" TRACE "-" SPAN "-01", true},  {"01-" TRACE "-" SPAN "-01-what-comes-later", true},
      {"fe-" TRACE "-" SPAN "-01-", true},
  };
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    TraceContext c;
    char again[TRACE_PARENT_SIZE];
    assert_true(trace_context_parse(ROWS[i].text, &c));
    assert_int_equal(c.sampled, ROWS[i].sampled);
    trace_context_write(&c, again);
    assert_string_equal(again, ROWS[i].sampled ? "00-" TRACE "-" SPAN "-01" : "00-" TRACE "-" SPAN "-00");
  }
}

static void refuses(void **state) {
  static const char *const ROWS[] = {
      NULL,
      "",
      "00",
      "00-" TRACE "-" SPAN,
      "00-" TRACE "-" SPAN "-",
      "00-" TRACE "-" SPAN "-0",
      "00-" TRACE "-" SPAN "-01-more",
      "00-" TRACE "-" SPAN "-01 ",
      "01-" TRACE "-" SPAN "-01x",
      "ff-" TRACE "-" SPAN "-01",
      "00-" TRACE "_" SPAN "-01",
      "00-00000000000000000000000000000000-" SPAN "-01",
      "00-" TRACE "-0000000000000000-01",
      "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
      "00-4bf92f3577b34da6a3ce929d0e0e473-" SPAN "-01",
      "00-" TRACE "-00f067aa0ba902bg-01",
      "0-" TRACE "-" SPAN "-01",
  };
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    TraceContext c;
    if (trace_context_parse(ROWS[i], &c))
      fail_msg("%s was taken", ROWS[i]);
  }
}

static void states(void **state) {
  char text[TRACE_STATE_MAX + 2];
  memset(text, 'a', sizeof text);
  text[TRACE_STATE_MAX + 1] = 0;
  assert_false(trace_context_state_is_sound(text));
  text[TRACE_STATE_MAX] = 0;
  assert_true(trace_context_state_is_sound(text));
  assert_true(trace_context_state_is_sound("congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"));
  assert_false(trace_context_state_is_sound(NULL));
  assert_false(trace_context_state_is_sound(""));
  assert_false(trace_context_state_is_sound("a=b\r\nx: y"));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(reads), cmocka_unit_test(refuses), cmocka_unit_test(states)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

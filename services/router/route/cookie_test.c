/* One cookie out of a field, as browsers and others write it, and the field without it. */
#include "services/router/route/cookie.h"

#include <string.h>

#include "lib/base/test.h"

static void test_values(void **state) {
  static const struct {
    const char *field, *values; /* joined by "," */
  } CASES[] = {
      {"sb=1", "1"},
      {"a=b; sb=1; c=d", "1"},
      {"a=b;sb=1;;sb = 2 ; xsb=3; sb4=4; sb", "1,2"},
      {"SB=1; a=sb=2", ""},
      {"", ""},
      {";; ;", ""},
      {"sb=; sb==x", ",=x"},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    Buf got = {0};
    size_t len;
    int n = 0;
    const char *at = CASES[i].field;
    for (const char *value; (value = cookie_next(&at, "sb", &len));)
      assert_int_equal(buf_printf(&got, "%s%.*s", n++ ? "," : "", (int)len, value), 0);
    assert_string_equal(buf_str(&got), CASES[i].values);
    buf_deinit(&got);
  }
}

static void test_without(void **state) {
  static const struct {
    const char *field, *rest;
  } CASES[] = {
      {"sb=1", NULL},
      {"sb=1; sb=2;", NULL},
      {"a=b; sb=1; c=d", "a=b; c=d"},
      {"sb=1;a", "a"},
      {"a=b", "a=b"},
      {"", NULL},
      {"sb = 1;a=\"x y\"", "a=\"x y\""},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    Buf out = {0};
    assert_int_equal(cookie_without(&out, CASES[i].field, "sb"), CASES[i].rest != NULL);
    assert_string_equal(buf_str(&out), CASES[i].rest ? CASES[i].rest : "");
    buf_deinit(&out);
  }
}

static void test_characters(void **state) {
  assert_true(cookie_is_name("__Host-sb") && cookie_is_name("a.b_c"));
  assert_false(cookie_is_name("") || cookie_is_name("a b") || cookie_is_name("a=b") || cookie_is_name("a;b"));
  static const char *const BAD[] = {"", " ", "a;b", "a,b", "a\"b", "a\\b", "a\x7f", "a\x80", "a\r\nb"};
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
    assert_false(cookie_is_value(BAD[i], strlen(BAD[i])));
  assert_false(cookie_is_value("a\0b", 3));
  assert_true(cookie_is_value("v1.eyJ_-.x+/=%", 14));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_values),
      cmocka_unit_test(test_without),
      cmocka_unit_test(test_characters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

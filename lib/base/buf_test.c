/* A buffer holds its maximum to the byte, and what does not fit leaves it as it was. */
#include "lib/base/buf.h"

#include <string.h>

#include "lib/base/test.h"

static void empty(void **state) {
  CLEANUP(buf_deinit) Buf buf = BUF_INIT(10);
  assert_string_equal(buf_str(&buf), "");
  buf_consume(&buf, 0);
  assert_int_equal(buf_append(&buf, NULL, 0), 0);
  assert_int_equal(buf.len, 0);
  assert_string_equal(buf_str(&buf), "");
}

static void at_max(void **state) {
  CLEANUP(buf_deinit) Buf buf = BUF_INIT(10);
  assert_int_equal(buf_append(&buf, "0123456789", 10), 0);
  assert_string_equal(buf_str(&buf), "0123456789");
  assert_int_equal(buf_append(&buf, "x", 1), -1);
  assert_int_equal(buf_append_str(&buf, "x"), -1);
  assert_int_equal(buf_printf(&buf, "%d", 1), -1);
  assert_null(buf_reserve(&buf, 1));
  assert_null(buf_reserve(&buf, SIZE_MAX));
  assert_non_null(buf_reserve(&buf, 0));
  assert_string_equal(buf_str(&buf), "0123456789");
  assert_int_equal(buf.len, 10);
  buf_consume(&buf, 4);
  assert_int_equal(buf_printf(&buf, "%s", "abcd"), 0);
  assert_string_equal(buf_str(&buf), "456789abcd");
}

static void printf_exact(void **state) {
  CLEANUP(buf_deinit) Buf buf = BUF_INIT(4);
  assert_int_equal(buf_printf(&buf, "%05d", 1), -1);
  assert_int_equal(buf.len, 0);
  assert_int_equal(buf_printf(&buf, "%04d", 1), 0);
  assert_string_equal(buf_str(&buf), "0001");
}

static void default_max(void **state) {
  CLEANUP(buf_deinit) Buf buf = BUF_INIT(0);
  assert_null(buf_reserve(&buf, BUF_MAX_DEFAULT + 1));
  assert_null(buf.data);
  assert_int_equal(buf_append(&buf, "x", 1), 0);
  assert_null(buf_reserve(&buf, BUF_MAX_DEFAULT));
}

static void grows_and_consumes(void **state) {
  CLEANUP(buf_deinit) Buf buf = BUF_INIT(100000);
  for (int i = 0; i < 10000; i++)
    assert_int_equal(buf_printf(&buf, "%05d", i), 0);
  assert_int_equal(buf.len, 50000);
  buf_consume(&buf, 49990);
  assert_string_equal(buf_str(&buf), "0999809999");
  buf_consume(&buf, buf.len);
  assert_string_equal(buf_str(&buf), "");
}

static void deinit_keeps_max(void **state) {
  Buf buf = BUF_INIT(3);
  assert_int_equal(buf_append_str(&buf, "abc"), 0);
  buf_deinit(&buf);
  assert_null(buf.data);
  assert_int_equal(buf_append_str(&buf, "abcd"), -1);
  buf_deinit(&buf);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(empty),
      cmocka_unit_test(at_max),
      cmocka_unit_test(printf_exact),
      cmocka_unit_test(default_max),
      cmocka_unit_test(grows_and_consumes),
      cmocka_unit_test(deinit_keeps_max),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

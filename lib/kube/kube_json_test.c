/* What API servers store and jansson refuses does not take its neighbours with it. */
#include "lib/kube/kube_json.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/base/test.h"

static void becomes(const char *text, const char *want) {
  CLEANUP(str_freep) char *copy = str_dup(text);
  json_t *value = kube_json_parse(copy, strlen(copy));
  if (!want) {
    assert_null(value);
    return;
  }
  if (!value)
    fail_msg("%s is refused", text);
  char *got = json_dumps(value, JSON_COMPACT);
  assert_string_equal(got, want);
  free(got);
  json_decref(value);
}

static void test_plain_json_is_untouched(void **s) {
  becomes("{\"a\":[1,-2,3.5,\"\\\\u0000\",true,null]}", "{\"a\":[1,-2,3.5,\"\\\\u0000\",true,null]}");
  becomes("{\"a\":9223372036854775807,\"b\":-9223372036854775808}",
          "{\"a\":9223372036854775807,\"b\":-9223372036854775808}");
  becomes("[]", "[]");
}

static void test_nul_in_values_and_keys(void **s) {
  becomes("{\"a\":\"x\\u0000y\",\"b\":1}", "{\"a\":\"x\xef\xbf\xbdy\",\"b\":1}");
  becomes("{\"x\\u0000\":1,\"b\":\"\\\\\\u0000\\\\u0000\\\"\\u0000\"}",
          "{\"x\xef\xbf\xbd\":1,\"b\":\"\\\\\xef\xbf\xbd\\\\u0000\\\"\xef\xbf\xbd\"}");
}

static void test_numbers_without_room(void **s) {
  becomes("[100000000000000000000,1]", "[9223372036854775807,1]");
  becomes("[-100000000000000000000]", "[-9223372036854775807]");
  becomes("{\"a\":9223372036854775808 }", "{\"a\":9223372036854775807}");
  becomes("{\"a\":99999999999999999999999999999999999999999,\"b\":1e2,\"c\":12345678901234567890123.5,\"d\":"
          "\"99999999999999999999\"}",
          "{\"a\":9223372036854775807,\"b\":100.0,\"c\":1.2345678901234568e22,\"d\":\"99999999999999999999\"}");
}

static void test_what_is_no_json(void **s) {
  becomes("", NULL);
  becomes("<html>", NULL);
  becomes("{\"a\":\"\\u0000", NULL);
  becomes("{\"a\":\"\\", NULL);
  becomes("[99999999999999999999", NULL);
  becomes("[99999999999999999999.", NULL);
  becomes("[1] [2]", NULL);
  assert_null(kube_json_parse(NULL, 0));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain_json_is_untouched),
      cmocka_unit_test(test_nul_in_values_and_keys),
      cmocka_unit_test(test_numbers_without_room),
      cmocka_unit_test(test_what_is_no_json),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

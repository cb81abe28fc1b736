/* Messages are cut, never overrun; names and HTTP statuses are those of google/rpc/code.proto. */
#include "lib/base/error.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/test.h"

#include "lib/base/compiler.h"
#include "lib/base/str.h"

static void set_and_field(void **state) {
  Error err = {.retry_after_ms = 7, .field = "old"};
  assert_int_equal(error_set(&err, ERROR_NOT_FOUND, "no %s", "pool"), -1);
  assert_int_equal(err.kind, ERROR_NOT_FOUND);
  assert_string_equal(err.message, "no pool");
  assert_string_equal(err.field, "");
  assert_int_equal(err.retry_after_ms, 0);
  assert_int_equal(error_field(&err, "spec.replicas", "%d is too many", 9), -1);
  assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
  assert_string_equal(err.field, "spec.replicas");
  assert_string_equal(err.message, "9 is too many");
}

static void null_error(void **state) {
  assert_int_equal(error_set(NULL, ERROR_INTERNAL, "x"), -1);
  assert_int_equal(error_field(NULL, "f", "x"), -1);
  assert_int_equal(error_prefix(NULL, "x"), -1);
}

static void cut(void **state) {
  char longer[2000];
  memset(longer, 'm', sizeof longer - 1);
  longer[sizeof longer - 1] = 0;
  Error err;
  error_field(&err, longer, "%s", longer);
  assert_int_equal(strlen(err.field), sizeof err.field - 1);
  assert_int_equal(strlen(err.message), sizeof err.message - 1);
  error_prefix(&err, "context %d", 1);
  assert_memory_equal(err.message, "context 1: mmm", 14);
  assert_int_equal(strlen(err.message), sizeof err.message - 1);
  error_prefix(&err, "%s", longer);
  assert_int_equal(strlen(err.message), sizeof err.message - 1);
  assert_int_equal(err.message[0], 'm');
}

/* Half a character would make a condition or an answer unreadable as a whole. */
static void cut_between_characters(void **state) {
  static const char *const CHARACTERS[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
  for (size_t i = 0; i < ARRAY_LEN(CHARACTERS); i++) {
    char longer[2000] = "";
    for (size_t n = 0; n < sizeof longer - 8; n = strlen(longer))
      snprintf(longer + n, sizeof longer - n, "%s", CHARACTERS[i]);
    for (int shift = 0; shift < 4; shift++) {
      Error err;
      error_set(&err, ERROR_INTERNAL, "%.*s%s", shift, "abcd", longer);
      assert_true(str_is_utf8(err.message, strlen(err.message)));
      assert_in_range(strlen(err.message), sizeof err.message - 4, sizeof err.message - 1);
      error_prefix(&err, "%.*s", 2 * shift + 1, "abcdefgh");
      assert_true(str_is_utf8(err.message, strlen(err.message)));
    }
  }
  Error err;
  error_set(&err, ERROR_INTERNAL, "caf\xc3\xa9");
  assert_string_equal(err.message, "caf\xc3\xa9");
  error_set(&err, ERROR_INTERNAL, "\x80\x80\x80\x80"); /* what was none before is left alone */
  assert_string_equal(err.message, "\x80\x80\x80\x80");
}

static void prefix(void **state) {
  Error err;
  error_field(&err, "name", "bad");
  assert_int_equal(error_prefix(&err, "file %s", "a.yaml"), -1);
  assert_string_equal(err.message, "file a.yaml: bad");
  assert_string_equal(err.field, "name");
  assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
}

static void kinds(void **state) {
  assert_string_equal(error_kind_name(ERROR_NONE), "OK");
  assert_string_equal(error_kind_name(ERROR_UNAUTHENTICATED), "UNAUTHENTICATED");
  assert_string_equal(error_kind_name((ErrorKind)17), "UNKNOWN");
  assert_string_equal(error_kind_name((ErrorKind)-1), "UNKNOWN");
  for (int kind = 0; kind <= ERROR_UNAUTHENTICATED; kind++)
    assert_non_null(error_kind_name((ErrorKind)kind));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(set_and_field),          cmocka_unit_test(null_error), cmocka_unit_test(cut),
      cmocka_unit_test(cut_between_characters), cmocka_unit_test(prefix),     cmocka_unit_test(kinds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

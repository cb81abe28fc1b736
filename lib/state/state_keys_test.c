/* Names taken apart: what comes out of Redis and out of page tokens must not run over a buffer. */
#include <string.h>

#include "lib/state/state_keys.h"

#include "lib/base/test.h"

#define LONGEST "a23456789012345678901234567890123456789012345678901234567890123"

static void splits(void **state) {
  static const struct {
    const char *text, *ns, *name; /* name NULL: refused */
  } rows[] = {
      {"default/python", "default", "python"},
      {"default/", "default", ""},
      {"/python", "", "python"},
      {"a/b/c", "a", "b/c"},
      {LONGEST "/python", LONGEST, "python"},
      {LONGEST "4/python", NULL, NULL},
      {"default", NULL, NULL},
      {"", NULL, NULL},
  };
  assert_int_equal(strlen(LONGEST), STATE_NAME_MAX);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char ns[STATE_NAME_MAX + 1] = "untouched";
    const char *name = state_name_split(rows[i].text, ns);
    assert_string_equal(ns, rows[i].ns ? rows[i].ns : "untouched");
    if (rows[i].name)
      assert_string_equal(name, rows[i].name);
    else
      assert_null(name);
  }
}

static void pools_of_sandboxes(void **state) {
  char pool[STATE_NAME_MAX + 1];
  assert_true(state_pool_of("python-a1b2c", pool));
  assert_string_equal(pool, "python");
  assert_true(state_pool_of("my-pool-a1b2c", pool));
  assert_string_equal(pool, "my-pool");
  assert_false(state_pool_of("python", pool));
  assert_false(state_pool_of("-a1b2c", pool));
  assert_false(state_pool_of("python-a1b2", pool));
  assert_false(state_pool_of("Python-a1b2c", pool));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(splits),
      cmocka_unit_test(pools_of_sandboxes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

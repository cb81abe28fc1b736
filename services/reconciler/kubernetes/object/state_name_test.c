#include "services/reconciler/kubernetes/object/state_name.h"

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/testing/objects_fixture.h"

#define TEN "abcdefghij"
#define FIFTY TEN TEN TEN TEN TEN

static void test_names(void **s) {
  static const struct {
    const char *name, *pool, *template; /* the names in the state up to the hash */
    bool pool_is_cut, template_is_cut;
  } CASES[] = {
      {"p", "p", "p", false, false},
      {FIFTY "1234567", FIFTY "1234567", FIFTY "1234567", false, false},
      {FIFTY "12345678", TEN TEN TEN TEN "abcdefgh", FIFTY "12345678", true, false},
      {FIFTY TEN TEN, TEN TEN TEN TEN "abcdefgh", TEN TEN TEN "abcdef", true, true},
      {"my.pool", "my-pool", "my-pool", true, true},
      {"my-pool", "my-pool", "my-pool", false, false},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    char pool[STATE_NAME_SIZE], template[STATE_NAME_SIZE];
    state_name_of_pool(CASES[i].name, pool);
    state_name_of_template(CASES[i].name, template);
    assert_memory_equal(pool, CASES[i].pool, strlen(CASES[i].pool));
    assert_memory_equal(template, CASES[i].template, strlen(CASES[i].template));
    assert_int_equal(strlen(pool), strlen(CASES[i].pool) + (CASES[i].pool_is_cut ? 9 : 0));
    assert_int_equal(strlen(template), strlen(CASES[i].template) + (CASES[i].template_is_cut ? 9 : 0));
    assert_true(str_is_dns_label(pool) && strlen(pool) <= STATE_NAME_POOL_MAX);
    assert_true(str_is_dns_label(template) && strlen(template) <= STATE_NAME_TEMPLATE_MAX);
  }
}

/* What differs only behind the cut, or by a dot, is told apart; and a name of the state is its own. */
static void test_apart(void **s) {
  static const char *const NAMES[] = {FIFTY TEN "1", FIFTY TEN "2",   "a.b",         "a-b",
                                      "a.b.c",       FIFTY "." FIFTY, FIFTY "-." TEN};
  char names[ARRAY_LEN(NAMES)][STATE_NAME_SIZE], again[STATE_NAME_SIZE];
  for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
    state_name_of_pool(NAMES[i], names[i]);
    assert_true(str_is_dns_label(names[i]) && strlen(names[i]) <= STATE_NAME_POOL_MAX);
    state_name_of_pool(names[i], again);
    assert_string_equal(again, names[i]);
    for (size_t k = 0; k < i; k++)
      assert_string_not_equal(names[i], names[k]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_apart)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

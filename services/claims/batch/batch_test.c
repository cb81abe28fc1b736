/* The rules of batch.h, each with the field it names. */
#include <string.h>

#include "services/claims/batch/batch.h"

#include "lib/base/test.h"

static const ClaimInput EACH = {.parent = "namespaces/default", .pool = "namespaces/default/pools/p"};

static void refused(const ClaimInput *in, int count, int min, const char *field) {
  BatchSpec spec;
  Error err = {0};
  assert_int_equal(batch_check(in, count, min, &spec, &err), -1);
  assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
  assert_string_equal(err.field, field);
}

static void numbers(void **state) {
  BatchSpec spec;
  Error err = {0};
  assert_ok(batch_check(&EACH, 3, 0, &spec, &err), &err);
  assert_int_equal(spec.count, 3);
  assert_int_equal(spec.min_count, 3);
  assert_int_equal(spec.each.max_wait_ms, CLAIM_DEFAULT_WAIT_MS);
  assert_ok(batch_check(&EACH, 1000, 1, &spec, &err), &err);
  assert_int_equal(spec.min_count, 1);
  refused(&EACH, 0, 0, "count");
  refused(&EACH, -1, 0, "count");
  refused(&EACH, 1001, 0, "count");
  refused(&EACH, 3, 4, "min_count");
  refused(&EACH, 3, -1, "min_count");
}

static void as_for_one(void **state) {
  ClaimInput in = EACH;
  in.pool = NULL;
  refused(&in, 3, 0, "pool");
  in = EACH;
  in.parent = "default";
  refused(&in, 3, 0, "parent");
  in = EACH;
  in.template_name = "namespaces/default/templates/t";
  refused(&in, 3, 0, "template");
}

static void bytes(void **state) {
  static char value[3000];
  memset(value, 'x', sizeof value - 1);
  StatePair env = {"A", value}, labels[40];
  ClaimInput in = EACH;
  BatchSpec spec;
  Error err = {0};
  in.env = &env;
  in.n_env = 1;
  assert_ok(batch_check(&in, 600, 0, &spec, &err), &err);
  refused(&in, 1000, 0, "env");
  char keys[40][64];
  for (int i = 0; i < 40; i++) {
    memset(keys[i], 'a', 63);
    keys[i][63] = 0;
    keys[i][0] = (char)('a' + i % 26);
    keys[i][1] = (char)('a' + i / 26);
    labels[i] = (StatePair){keys[i], "v"};
  }
  in.labels = labels;
  in.n_labels = 40;
  refused(&in, 1000, 0, "labels");
}

static void names(void **state) {
  Error err = {0};
  assert_ok(batch_check_names(1000, &err), &err);
  assert_int_equal(batch_check_names(0, &err), -1);
  assert_string_equal(err.field, "names");
  assert_int_equal(batch_check_names(1001, &err), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers),
      cmocka_unit_test(as_for_one),
      cmocka_unit_test(bytes),
      cmocka_unit_test(names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

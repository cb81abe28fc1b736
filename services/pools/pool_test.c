/* Every field of a pool, at and beyond its limits. */
#include "services/pools/pool.h"

#include <stdlib.h>

#include "lib/base/compiler.h"
#include "lib/base/test.h"

#define NAME "namespaces/default/pools/py"
#define TEMPLATE "namespaces/default/templates/py"
#define P57 "p23456789012345678901234567890123456789012345678901234567"

static void table(void **state) {
  static const struct {
    PoolInput in;
    const char *field; /* NULL: accepted */
  } rows[] = {
      {{NAME, TEMPLATE, 0, 0}, NULL},
      {{NAME, TEMPLATE, POOL_MAX_REPLICAS, POOL_RECREATE}, NULL},
      {{"namespaces/default/pools/" P57, TEMPLATE, 1, 0}, NULL},
      {{"namespaces/default/pools/" P57 "8", TEMPLATE, 1, 0}, "pool.name"},
      {{"py", TEMPLATE, 1, 0}, "pool.name"},
      {{NULL, TEMPLATE, 1, 0}, "pool.name"},
      {{"namespaces/default/pools/shadow-pool-py", TEMPLATE, 1, 0}, "pool.name"},
      {{NAME, "py", 1, 0}, "pool.template"},
      {{NAME, "", 1, 0}, "pool.template"},
      {{NAME, "namespaces/other/templates/py", 1, 0}, "pool.template"},
      {{NAME, TEMPLATE, -1, 0}, "pool.replicas"},
      {{NAME, TEMPLATE, POOL_MAX_REPLICAS + 1, 0}, "pool.replicas"},
      {{NAME, TEMPLATE, 1, 3}, "pool.update_strategy"},
      {{NAME, TEMPLATE, 1, -1}, "pool.update_strategy"},
  };
  for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
    PoolSpec spec;
    Error err = {0};
    int r = pool_check(&rows[i].in, &spec, &err);
    if (!rows[i].field) {
      if (r < 0)
        fail_msg("row %zu: %s %s", i, err.field, err.message);
      continue;
    }
    assert_int_equal(r, -1);
    assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
    assert_string_equal(err.field, rows[i].field);
  }
}

static void accepted_values(void **state) {
  PoolSpec spec;
  Error err = {0};
  assert_ok(pool_check(&(PoolInput){NAME, TEMPLATE, 3, 0}, &spec, &err), &err);
  assert_string_equal(spec.name.ns, "default");
  assert_string_equal(spec.name.id, "py");
  assert_string_equal(spec.template_name, "py");
  assert_int_equal(spec.replicas, 3);
  assert_int_equal(spec.strategy, POOL_ON_REPLENISH);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(table),
      cmocka_unit_test(accepted_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A user of the machine is lent to one sandbox at a time, also over a restart. */
#include "services/reconciler/local/uid_pool.h"

#include "lib/base/test.h"

#define BASE 70000

static void test_nobody_shares(void **state) {
  UidPool *p = uid_pool_new(BASE, 3);
  assert_int_equal(uid_pool_take(p), BASE);
  assert_int_equal(uid_pool_take(p), BASE + 1);
  assert_int_equal(uid_pool_take(p), BASE + 2);
  assert_int_equal(uid_pool_take(p), 0);
  uid_pool_give_back(p, BASE + 1);
  uid_pool_give_back(p, BASE + 1);
  assert_int_equal(uid_pool_take(p), BASE + 1);
  assert_int_equal(uid_pool_take(p), 0);
  uid_pool_free(p);
}

static void test_one_that_was_given_back_comes_last(void **state) {
  UidPool *p = uid_pool_new(BASE, 3);
  uid_pool_give_back(p, uid_pool_take(p));
  assert_int_equal(uid_pool_take(p), BASE + 1);
  assert_int_equal(uid_pool_take(p), BASE + 2);
  assert_int_equal(uid_pool_take(p), BASE);
  uid_pool_free(p);
}

static void test_those_of_an_earlier_run(void **state) {
  UidPool *p = uid_pool_new(BASE, 3);
  assert_true(uid_pool_hold(p, BASE + 1));
  assert_false(uid_pool_hold(p, BASE + 1));
  assert_false(uid_pool_hold(p, BASE - 1));
  assert_false(uid_pool_hold(p, BASE + 3));
  assert_false(uid_pool_hold(p, 0));
  assert_int_equal(uid_pool_take(p), BASE + 2);
  assert_int_equal(uid_pool_take(p), BASE);
  assert_int_equal(uid_pool_take(p), 0);
  uid_pool_give_back(p, BASE + 3);
  uid_pool_give_back(p, 0);
  assert_int_equal(uid_pool_take(p), 0);
  uid_pool_give_back(p, BASE + 1);
  assert_int_equal(uid_pool_take(p), BASE + 1);
  uid_pool_free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nobody_shares),
      cmocka_unit_test(test_one_that_was_given_back_comes_last),
      cmocka_unit_test(test_those_of_an_earlier_run),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Members that come and go while others look. */
#include "lib/base/compiler.h"
#include "lib/base/list.h"
#include "lib/base/test.h"

typedef struct Member {
  int n;
  ListLink link; /* not the first field, so that CONTAINER_OF has something to do */
} Member;

/* The members' numbers as the digits of one. */
static int in(const List *list) {
  int digits = 0;
  LIST_EACH(Member, m, list, link) digits = digits * 10 + m->n;
  return digits;
}

static void members_leave_from_anywhere(void **state) {
  List list = LIST_INIT(list);
  Member m[] = {{1, {0}}, {2, {0}}, {3, {0}}, {4, {0}}};
  assert_true(list_is_empty(&list));
  assert_null(list_first(&list));
  list_append(&list, &m[3].link);
  for (size_t i = 0; i < 3; i++)
    list_append(&list, &m[i].link);
  assert_int_equal(in(&list), 4123);
  assert_true(list_is_linked(&m[1].link));
  list_remove(&m[1].link);
  assert_false(list_is_linked(&m[1].link));
  list_remove(&m[1].link);
  assert_int_equal(in(&list), 413);
  list_remove(&m[3].link);
  list_remove(&m[2].link);
  assert_ptr_equal(list_first(&list), &m[0].link);
  list_append(&list, &m[1].link);
  assert_int_equal(in(&list), 12);
  assert_ptr_equal(list_take_first(&list), &m[0].link);
  assert_false(list_is_linked(&m[0].link));
  assert_int_equal(in(&list), 2);
  assert_ptr_equal(list_take_first(&list), &m[1].link);
  assert_true(list_is_empty(&list));
  assert_null(list_take_first(&list));
  list_append(&list, &m[0].link);
  assert_int_equal(in(&list), 1);
}

static void one_may_leave_while_it_is_looked_at(void **state) {
  List list, other;
  list_init(&list);
  list_init(&other);
  Member m[] = {{1, {0}}, {2, {0}}, {3, {0}}, {4, {0}}};
  for (size_t i = 0; i < ARRAY_LEN(m); i++)
    list_append(&list, &m[i].link);
  int seen = 0;
  LIST_EACH(Member, at, &list, link) {
    seen = seen * 10 + at->n;
    if (at->n % 2)
      continue;
    list_remove(&at->link);
    list_append(&other, &at->link);
  }
  assert_int_equal(seen, 1234);
  assert_int_equal(in(&list), 13);
  assert_int_equal(in(&other), 24);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(members_leave_from_anywhere),
      cmocka_unit_test(one_may_leave_while_it_is_looked_at),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

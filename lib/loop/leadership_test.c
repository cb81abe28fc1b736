/* When leadership begins and ends, in time that passes as the test says. */
#include "lib/loop/leadership.h"

#include "lib/base/test.h"

typedef struct Fixture {
  Loop *loop;
  Leadership leadership;
  int n_changes;
  bool leads;
} Fixture;

static void on_change(void *arg, bool leads) {
  Fixture *f = arg;
  assert_int_not_equal(f->leads, leads);
  f->leads = leads;
  f->n_changes++;
}

static void begin(Fixture *f) {
  *f = (Fixture){.loop = loop_new()};
  loop_hold_time(f->loop);
  leadership_init(&f->leadership, f->loop, on_change, f);
}

static void end(Fixture *f) {
  leadership_deinit(&f->leadership);
  loop_free(f->loop);
}

static void ends_when_it_is_not_kept(void **state) {
  Fixture f;
  begin(&f);
  leadership_ask(&f.leadership);
  assert_false(leadership_is_held(&f.leadership));
  leadership_grant(&f.leadership, 1000);
  assert_true(f.leads && leadership_is_held(&f.leadership));
  loop_pass_time(f.loop, 999);
  assert_true(f.leads && leadership_is_held(&f.leadership));
  loop_pass_time(f.loop, 1);
  assert_false(f.leads || leadership_is_held(&f.leadership));
  assert_int_equal(f.n_changes, 2);
  end(&f);
}

static void goes_on_when_it_is_kept(void **state) {
  Fixture f;
  begin(&f);
  for (int i = 0; i < 5; i++) {
    leadership_ask(&f.leadership);
    leadership_grant(&f.leadership, 1000);
    loop_pass_time(f.loop, 900);
  }
  assert_true(f.leads && leadership_is_held(&f.leadership));
  assert_int_equal(f.n_changes, 1);
  end(&f);
}

/* An answer on its way is time that the holder of the lease does not know of. */
static void counts_from_when_it_was_asked_for(void **state) {
  Fixture f;
  begin(&f);
  leadership_ask(&f.leadership);
  loop_pass_time(f.loop, 400);
  leadership_grant(&f.leadership, 1000);
  loop_pass_time(f.loop, 599);
  assert_true(f.leads);
  loop_pass_time(f.loop, 1);
  assert_false(f.leads);
  leadership_ask(&f.leadership);
  loop_pass_time(f.loop, 1000);
  leadership_grant(&f.leadership, 1000);
  assert_false(f.leads || leadership_is_held(&f.leadership));
  end(&f);
}

static void ends_at_once_when_another_has_it(void **state) {
  Fixture f;
  begin(&f);
  leadership_end(&f.leadership);
  assert_int_equal(f.n_changes, 0);
  leadership_ask(&f.leadership);
  leadership_grant(&f.leadership, 1000);
  leadership_end(&f.leadership);
  assert_false(f.leads || leadership_is_held(&f.leadership));
  loop_pass_time(f.loop, 2000);
  assert_int_equal(f.n_changes, 2);
  end(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ends_when_it_is_not_kept),
      cmocka_unit_test(goes_on_when_it_is_kept),
      cmocka_unit_test(counts_from_when_it_was_asked_for),
      cmocka_unit_test(ends_at_once_when_another_has_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The vector stays sorted and bounded; its token comes back whole, or is refused. */
#include "services/claims/watch/resume.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/compiler.h"
#include "lib/base/str.h"
#include "lib/base/test.h"

static void vector(void **state) {
  CLEANUP(resume_deinit) Resume r = {0};
  assert_int_equal(resume_set(&r, "b/pool", "5-0"), 0);
  assert_int_equal(resume_set(&r, "a/pool", "7-1"), 0);
  assert_int_equal(resume_set(&r, "c/pool", "9-0"), 0);
  assert_int_equal(resume_set(&r, "b/pool", "6-2"), 0);
  assert_int_equal(r.n_entries, 3);
  assert_string_equal(r.entries[0].pool, "a/pool");
  assert_string_equal(resume_get(&r, "b/pool"), "6-2");
  assert_int_equal(resume_ms(resume_get(&r, "b/pool")), 6);
  resume_remove(&r, "a/pool");
  resume_remove(&r, "nobody");
  assert_null(resume_get(&r, "a/pool"));
  assert_string_equal(resume_get(&r, "c/pool"), "9-0");
  assert_int_equal(r.n_entries, 2);
}

static void token_round_trip(void **state) {
  CLEANUP(resume_deinit) Resume r = {0};
  CLEANUP(resume_deinit) Resume back = {0};
  Error err = {0};
  CLEANUP(str_freep) char *empty = resume_token(&r, "q");
  assert_ok(resume_parse(empty, "q", &back, &err), &err);
  assert_int_equal(back.n_entries, 0);

  for (int i = 0; i < RESUME_MAX_POOLS; i++) {
    char pool[RESUME_POOL_SIZE];
    snprintf(pool, sizeof pool, "default/p%d", i);
    assert_int_equal(resume_set(&r, pool, "1800000000000-18446744073"), 0);
  }
  assert_int_equal(resume_set(&r, "default/one-more", "1-1"), -1);
  assert_int_equal(resume_set(&r, "default/p0", "1800000000001-0"), 0);
  CLEANUP(str_freep) char *token = resume_token(&r, "q");
  assert_ok(resume_parse(token, "q", &back, &err), &err);
  assert_int_equal(back.n_entries, RESUME_MAX_POOLS);
  assert_string_equal(resume_get(&back, "default/p0"), "1800000000001-0");
  assert_string_equal(resume_get(&back, "default/p77"), "1800000000000-18446744073");

  Resume none;
  assert_int_equal(resume_parse(token, "other filters", &none, &err), -1);
  assert_string_equal(err.field, "resume_token");
  token[20] = token[20] == 'A' ? 'B' : 'A';
  assert_int_equal(resume_parse(token, "q", &none, &err), -1);
  assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
}

/* Correctly sealed, but with content this service never writes. */
static void forged_content(void **state) {
  static const char *bad[] = {"x",        "a/b",     "a/b=",    "a/b=5",    "ab=5-0",
                              "a/b=5-0,", "a/B=5-0", "a/b=$-0", "a/b=-5-0", "a/b/c=5-0"};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
    CLEANUP(str_freep) char *token = resource_token_seal("q", bad[i]);
    Resume none;
    Error err = {0};
    if (resume_parse(token, "q", &none, &err) != -1)
      fail_msg("accepted %s", bad[i]);
    assert_string_equal(err.field, "resume_token");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(vector),
      cmocka_unit_test(token_round_trip),
      cmocka_unit_test(forged_content),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

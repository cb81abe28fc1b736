/* What a selector matches and what it refuses, in one table each. */
#include "services/claims/claim/selector.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/compiler.h"
#include "lib/base/str.h"
#include "lib/base/test.h"

DEFINE_CLEANUP(Selector *, selector_freep, selector_free)

static void matching(void **state) {
  static const StatePair labels[] = {{"app", "web"}, {"example.com/team", "a"}, {"empty", ""}};
  static const struct {
    const char *text;
    bool matches;
  } rows[] = {
      {NULL, true},
      {"", true},
      {"  ", true},
      {"app", true},
      {"other", false},
      {"!app", false},
      {"!other", true},
      {"app=web", true},
      {"app==web", true},
      {" app = web ", true},
      {"app=db", false},
      {"app!=db", true},
      {"app!=web", false},
      {"other!=x", true},
      {"empty=", true},
      {"empty!=", false},
      {"app=web,example.com/team=a", true},
      {"app=web, example.com/team=b", false},
      {"app,!other,empty", true},
  };
  for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
    Error err = {0};
    CLEANUP(selector_freep) Selector *s = selector_parse(rows[i].text, &err);
    assert_non_null(s);
    if (selector_matches(s, labels, ARRAY_LEN(labels)) != rows[i].matches)
      fail_msg("%s", rows[i].text);
  }
}

static void refusing(void **state) {
  static const char *bad[] = {",",       "app,", ",app",      "=x",         "!", "!app=x",
                              "app=a b", "a b",  "app=web=x", "app in (a)", "-a"};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
    Error err = {0};
    CLEANUP(selector_freep) Selector *s = selector_parse(bad[i], &err);
    if (s)
      fail_msg("accepted %s", bad[i]);
    assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
    assert_string_equal(err.field, "label_selector");
  }
}

static void bounds(void **state) {
  char many[2 * (SELECTOR_MAX_TERMS + 1) + 1];
  for (size_t i = 0; i <= SELECTOR_MAX_TERMS; i++)
    memcpy(many + 2 * i, "a,", 2);
  many[2 * (SELECTOR_MAX_TERMS + 1) - 1] = '\0';
  Error err = {0};
  assert_null(selector_parse(many, &err));
  many[2 * SELECTOR_MAX_TERMS - 1] = '\0';
  CLEANUP(selector_freep) Selector *s = selector_parse(many, &err);
  assert_non_null(s);
  CLEANUP(str_freep) char *big = calloc(1, SELECTOR_MAX_BYTES + 2);
  assert_non_null(big);
  memset(big, ' ', SELECTOR_MAX_BYTES + 1);
  assert_null(selector_parse(big, &err));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(matching),
      cmocka_unit_test(refusing),
      cmocka_unit_test(bounds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
